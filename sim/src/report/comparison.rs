//! A comparison as tables for people.
//!
//! Absent on purpose: the figures (see `compare`).

use std::fmt::Write as _;

use super::text::{
    TEAMS_SHOWN, WIDTH, count, cut, decimal, more, name_width, numbered, percent, reaper_parts, usd, whole,
};
use crate::compare::{Comparison, Difference, Measured};
use crate::duration::human_s;
use crate::summary::Jobs;
use crate::trace::printable;

/// Policies that fit side by side in the table of teams.
const SIDE_BY_SIDE: usize = 4;

/// Columns of a policy's name in the tables, without the gap after it.
const NAME: usize = 25;

/// What the columns and rows of policies are headed.
struct Headings {
    /// By policy.
    names: Vec<String>,
    /// Of the baseline.
    baseline: String,
    /// The names are numbers, which stand for these policies.
    numbered: bool,
}

impl Headings {
    /// Names, unless two of them are the same where their column ends: then numbers.
    fn new(comparison: &Comparison) -> Self {
        let policies: Vec<&str> = comparison.policies.iter().map(|run| run.policy.as_str()).collect();
        let narrow = column(policies.len()).min(NAME);
        let mut short: Vec<String> = policies.iter().map(|policy| cut(policy, narrow)).collect();
        short.sort();
        let numbered = short.windows(2).any(|pair| pair[0] == pair[1]);
        let heading = |(index, policy): (usize, &&str)| {
            if numbered { format!("[{}]", index + 1) } else { printable(policy) }
        };
        let names: Vec<String> = policies.iter().enumerate().map(heading).collect();
        let baseline = policies.iter().position(|policy| *policy == comparison.baseline);
        let baseline = baseline.map_or_else(String::new, |index| names[index].clone());
        Self { names, baseline, numbered }
    }

    /// Of the policies beside the baseline, in the order of their differences.
    fn of_others<'a>(&'a self, comparison: &'a Comparison) -> impl Iterator<Item = &'a String> {
        let baseline = comparison.policies.iter().position(|run| run.policy == comparison.baseline);
        self.names.iter().enumerate().filter(move |(index, _)| Some(*index) != baseline).map(|(_, name)| name)
    }
}

/// Columns of one of `policies` side by side.
fn column(policies: usize) -> usize {
    ((WIDTH - 18 - 10) / policies.clamp(1, SIDE_BY_SIDE)).min(26)
}

/// Several policies side by side.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let headings = Headings::new(comparison);
    if comparison.incomplete {
        text.push_str("INCOMPLETE: the comparison was interrupted, and everything here is partial\n\n");
    }
    if headings.numbered {
        for (name, run) in headings.names.iter().zip(&comparison.policies) {
            let _ = writeln!(text, "{name} {}", printable(&run.policy));
        }
        text.push('\n');
    }
    let time = |value: Option<f64>| value.map_or("-".to_owned(), human_s);
    let name = name_width(headings.names.iter().map(String::as_str), "policy", NAME + 1);
    let _ = writeln!(
        text,
        "{:<name$}{:>12}{:>12}{:>10}{:>8}{:>7}",
        "policy", "wait mean", "wait p95", "slowdown", "gpu", "jain"
    );
    for (heading, run) in headings.names.iter().zip(&comparison.policies) {
        let _ = writeln!(
            text,
            "{:<name$}{:>12}{:>12}{:>10}{:>8}{:>7}",
            cut(heading, name),
            time(run.wait_s.mean),
            time(run.wait_s.p95),
            run.bounded_slowdown.mean.map_or("-".to_owned(), decimal),
            percent(run.utilization.get("gpu").copied()),
            run.fairness
                .and_then(|fairness| fairness.jain)
                .map_or("-".to_owned(), |jain| format!("{jain:.3}")),
        );
    }
    left_out(comparison, &headings, &mut text);
    alike(comparison, &headings, &mut text);
    losses(comparison, &headings, &mut text);
    reapers(comparison, &headings, &mut text);
    waits(comparison, &headings, name, &mut text);
    figures(comparison, &headings, &mut text);
    teams_side_by_side(comparison, &headings, &mut text);
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The jobs that have no wait under a policy: what others made of them is in their figures alone.
fn left_out(comparison: &Comparison, headings: &Headings, text: &mut String) {
    for (heading, run) in headings.names.iter().zip(&comparison.policies) {
        if let Some(parts) = without_a_wait(&run.jobs) {
            let _ = writeln!(text, "{}: {parts}", cut(heading, NAME));
        }
    }
}

/// How many evictions there were under each policy, and what they lost.
fn losses(comparison: &Comparison, headings: &Headings, text: &mut String) {
    for (heading, run) in
        headings.names.iter().zip(&comparison.policies).filter(|(_, run)| run.jobs.preemptions > 0)
    {
        let cost =
            run.cost_usd.map_or(String::new(), |cost| format!(", {} of the cost lost", usd(cost.lost)));
        let evictions = numbered(run.jobs.preemptions, "eviction");
        let _ = writeln!(text, "{}: {evictions}{cost}", cut(heading, NAME));
    }
}

/// Policies that decide the same: a word for what would else look like a coincidence.
fn alike(comparison: &Comparison, headings: &Headings, text: &mut String) {
    let runs = &comparison.policies;
    for (at, (heading, run)) in headings.names.iter().zip(runs).enumerate() {
        let same = |other: &Measured| other.digest == run.digest && other.incomplete == run.incomplete;
        if let Some(first) = runs[..at].iter().position(same) {
            let first = cut(&headings.names[first], NAME);
            let _ = writeln!(text, "{}: the same decisions as {first}", cut(heading, NAME));
        }
    }
}

/// How many jobs of a run were rejected or are unfinished, of how many; nothing where none was.
pub(super) fn without_a_wait(jobs: &Jobs) -> Option<String> {
    let parts = [(jobs.rejected, "rejected"), (jobs.unfinished, "unfinished")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(jobs, _)| *jobs > 0)
        .map(|(jobs, what)| format!("{} {what}", count(jobs)))
        .collect();
    (!parts.is_empty()).then(|| format!("{} of {}", parts.join(", "), numbered(jobs.submitted, "job")))
}

/// How many jobs ended under a policy and under the baseline, of how many that came.
pub(super) fn paired(comparison: &Comparison, difference: &Difference) -> String {
    let came = comparison.policies.iter().map(|run| run.jobs.submitted).max().unwrap_or(0);
    format!("{} of {} paired", count(difference.wait_s.jobs), numbered(came, "job"))
}

/// What stopping idle jobs saved under each policy.
fn reapers(comparison: &Comparison, headings: &Headings, text: &mut String) {
    for (heading, run) in headings.names.iter().zip(&comparison.policies) {
        if let Some(reaper) = &run.reaper {
            let _ = writeln!(text, "reaper under {}:", cut(heading, WIDTH - 14));
            let parts = reaper_parts(reaper);
            let (first, rest) = parts.split_at(parts.len().min(2));
            let _ = writeln!(text, "  {}{}", first.join(", "), if rest.is_empty() { "" } else { "," });
            if !rest.is_empty() {
                let _ = writeln!(text, "  {}", rest.join(", "));
            }
        }
    }
}

/// The paired waits, with their intervals.
fn waits(comparison: &Comparison, headings: &Headings, name: usize, text: &mut String) {
    let baseline = cut(&headings.baseline, NAME + 1);
    let _ = writeln!(text, "\nmean wait per job against {baseline}, with a 95 % interval");
    if comparison.replicas > 0 {
        let block = comparison.block_s.map_or(String::new(), human_s);
        let replicas = numbered(comparison.replicas, "replica");
        let _ = writeln!(text, "from {replicas} of the trace, made of blocks of {block}");
    }
    let pairs: Vec<String> =
        comparison.differences.iter().map(|difference| paired(comparison, difference)).collect();
    let alike = pairs.windows(2).all(|pair| pair[0] == pair[1]);
    if let Some(first) = pairs.first().filter(|_| alike) {
        let _ = writeln!(text, "{first}");
    }
    for ((heading, difference), pairs) in
        headings.of_others(comparison).zip(&comparison.differences).zip(&pairs)
    {
        let wait = difference.wait_s;
        let interval = match (wait.low, wait.high) {
            (Some(low), Some(high)) => format!("[{}, {}]", signed_s(low), signed_s(high)),
            _ if is_partial(comparison, difference) => "[interrupted]".to_owned(),
            _ if comparison.replicas > 0 => "[too few replicas]".to_owned(),
            _ => "[too few jobs]".to_owned(),
        };
        let shown = cut(heading, name);
        let mean = wait.mean.map_or("-".to_owned(), signed_s);
        let _ = writeln!(text, "{shown:<name$}{mean:>13}  {interval}  {}", verdict(wait.verdict, true));
        if !alike {
            let _ = writeln!(text, "{:<name$}  {pairs}", "");
        }
    }
}

/// Whether a policy or the baseline was interrupted, so that one has seen jobs that the other has not.
fn is_partial(comparison: &Comparison, difference: &Difference) -> bool {
    let names = [&comparison.baseline, &difference.policy];
    comparison.policies.iter().any(|run| run.incomplete && names.contains(&&run.policy))
}

/// Figures of the jobs that ended under both and of the cluster, where replicas tell how sure their differences are.
fn figures(comparison: &Comparison, headings: &Headings, text: &mut String) {
    if comparison.replicas == 0 {
        return;
    }
    let half = (WIDTH - " less ".len()) / 2;
    for (heading, difference) in headings.of_others(comparison).zip(&comparison.differences) {
        let _ = writeln!(text, "\n{} less {}", cut(heading, half), cut(&headings.baseline, half));
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
    let shown = if is_part { points(value.abs()) } else { shown(figure, value.abs()) };
    // What is shown as nothing has no sign.
    if is_seen(&shown) { format!("{}{shown}", sign(value)) } else { shown }
}

/// A difference of parts in points, with as many digits as it takes to see it.
fn points(size: f64) -> String {
    let mut shown = (1..=4).map(|digits| format!("{:.digits$}", size * 100.0));
    format!("{} points", shown.find(|shown| is_seen(shown)).unwrap_or_else(|| "0.0".to_owned()))
}

fn is_seen(shown: &str) -> bool {
    shown.chars().any(|digit| ('1'..='9').contains(&digit))
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
fn teams_side_by_side(comparison: &Comparison, headings: &Headings, text: &mut String) {
    let shown = &comparison.policies[..comparison.policies.len().min(SIDE_BY_SIDE)];
    let Some(first) = shown.first() else { return };
    let width = column(shown.len());
    let _ = write!(text, "\n{:<18}{:>10}", "team, mean wait", "jobs");
    for heading in headings.names.iter().take(shown.len()) {
        let _ = write!(text, "{:>width$}", cut(heading, width));
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
    more(first.teams.len(), TEAMS_SHOWN, "team", text);
    let left = comparison.policies.len() - shown.len();
    if left > 0 {
        let policies = if left == 1 { "policy" } else { "policies" };
        let _ = writeln!(text, "and {left} more {policies} (all of them with `-o json`)");
    }
}
