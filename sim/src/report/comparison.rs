//! A comparison as tables for people.
//!
//! Absent on purpose: the figures (see `compare`).

use std::fmt::Write as _;

use super::text::{TEAMS_SHOWN, WIDTH, count, cut, decimal, name_width, optional, percent, usd, whole};
use crate::compare::Comparison;
use crate::duration::human_s;

/// Policies that fit side by side in the table of teams.
const SIDE_BY_SIDE: usize = 4;

/// Several policies side by side.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let time = |value: Option<f64>| value.map_or("-".to_owned(), human_s);
    let name = name_width(comparison.policies.iter().map(|run| run.policy.as_str()), "policy", 30);
    let _ = writeln!(
        text,
        "{:<name$}{:>12}{:>12}{:>10}{:>8}{:>7}",
        "policy", "wait mean", "wait p95", "slowdown", "gpu", "jain"
    );
    for run in &comparison.policies {
        let _ = writeln!(
            text,
            "{:<name$}{:>12}{:>12}{:>10}{:>8}{:>7}",
            cut(&run.policy, name),
            time(run.wait_s.mean),
            time(run.wait_s.p95),
            run.bounded_slowdown.mean.map_or("-".to_owned(), decimal),
            percent(run.utilization.get("gpu").copied()),
            optional(run.fairness.and_then(|fairness| fairness.jain)),
        );
    }
    waits(comparison, name, &mut text);
    figures(comparison, &mut text);
    teams_side_by_side(comparison, &mut text);
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The paired waits, with their intervals.
fn waits(comparison: &Comparison, name: usize, text: &mut String) {
    let _ = writeln!(text, "\nmean wait per job against {}, with a 95 % interval", comparison.baseline);
    if comparison.replicas > 0 {
        let block = comparison.block_s.map_or(String::new(), human_s);
        let replicas = count(comparison.replicas);
        let _ = writeln!(text, "from {replicas} replicas of the trace, made of blocks of {block}");
    }
    for difference in &comparison.differences {
        let wait = difference.wait_s;
        let interval = match (wait.low, wait.high) {
            (Some(low), Some(high)) => format!("[{}, {}]", signed_s(low), signed_s(high)),
            _ if comparison.replicas > 0 => "[too few replicas]".to_owned(),
            _ => "[too few jobs]".to_owned(),
        };
        let shown = cut(&difference.policy, name);
        let mean = wait.mean.map_or("-".to_owned(), signed_s);
        let _ = writeln!(text, "{shown:<name$}{mean:>13}  {interval}  {}", verdict(wait.verdict, true));
    }
}

/// Figures of the whole run, where replicas tell how sure their differences are.
fn figures(comparison: &Comparison, text: &mut String) {
    if comparison.replicas == 0 {
        return;
    }
    for difference in &comparison.differences {
        let _ = writeln!(text, "\n{} less {}", difference.policy, comparison.baseline);
        for figure in difference.figures.iter().filter(|figure| figure.difference.is_some()) {
            let shown =
                |value: Option<f64>| value.map_or("-".to_owned(), |value| signed(figure.figure, value));
            let interval = match (figure.low, figure.high) {
                (None, _) | (_, None) => "[too few replicas]".to_owned(),
                (low, high) => format!("[{}, {}]", shown(low), shown(high)),
            };
            let name = figure.figure.trim_start_matches("fairness.").replace("_s.", " ");
            let name = name.replace("_usd.", " ").replace(['.', '_'], " ");
            let word = verdict(figure.verdict, figure.figure.contains("_s."));
            let _ = writeln!(text, "  {name:<22}{:>14}  {interval}  {word}", shown(figure.difference));
        }
    }
}

/// A verdict about times, or about another figure.
pub(super) fn verdict(verdict: &'static str, is_time: bool) -> &'static str {
    match (verdict, is_time) {
        ("higher", true) => "longer",
        ("lower", true) => "shorter",
        (other, _) => other,
    }
}

const fn sign(value: f64) -> &'static str {
    if value < 0.0 { "-" } else { "+" }
}

fn signed_s(value: f64) -> String {
    format!("{}{}", sign(value), human_s(value.abs()))
}

/// A difference in the unit of its figure.
pub(super) fn signed(figure: &str, value: f64) -> String {
    let is_part = figure.starts_with("utilization") || figure.starts_with("goodput");
    let shown = shown(figure, value.abs());
    let shown = if is_part { shown.replace(" %", " points") } else { shown };
    // What is shown as nothing has no sign.
    if shown.chars().any(|digit| ('1'..='9').contains(&digit)) {
        format!("{}{shown}", sign(value))
    } else {
        shown
    }
}

/// A figure in its unit.
pub(super) fn shown(figure: &str, size: f64) -> String {
    match figure {
        figure if figure.contains("_s.") => human_s(size),
        figure if figure.contains("usd") => usd(size),
        figure if figure.starts_with("utilization") || figure.starts_with("goodput") => {
            format!("{:.1} %", size * 100.0)
        }
        figure if figure.ends_with("gpu_hours") => format!("{} GPU-h", whole(size)),
        _ if size < 10.0 => format!("{size:.3}"),
        _ => whole(size),
    }
}

/// The mean waits of every team under the first policies.
fn teams_side_by_side(comparison: &Comparison, text: &mut String) {
    let shown = &comparison.policies[..comparison.policies.len().min(SIDE_BY_SIDE)];
    let Some(first) = shown.first() else { return };
    let width = ((WIDTH - 18 - 10) / shown.len()).min(26);
    let _ = write!(text, "\n{:<18}{:>10}", "team, mean wait", "jobs");
    for run in shown {
        let _ = write!(text, "{:>width$}", cut(&run.policy, width));
    }
    text.push('\n');
    for (index, team) in first.teams.iter().enumerate().take(TEAMS_SHOWN) {
        let _ = write!(text, "{:<18}{:>10}", cut(&team.name, 18), count(team.jobs));
        for run in shown {
            let mean = run.teams.get(index).and_then(|team| team.wait_s.mean);
            let _ = write!(text, "{:>width$}", mean.map_or("-".to_owned(), human_s));
        }
        text.push('\n');
    }
    for (more, what) in [
        (first.teams.len().saturating_sub(TEAMS_SHOWN), "teams"),
        (comparison.policies.len() - shown.len(), "policies"),
    ] {
        if more > 0 {
            let _ = writeln!(text, "and {more} more {what} (all of them with `-o json`)");
        }
    }
}
