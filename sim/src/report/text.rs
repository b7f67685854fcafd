//! Text: the summary for people, at most 80 columns wide.
//!
//! Free to change. Absent on purpose: colour, so that it reads the same everywhere.

use std::fmt::Write as _;

use super::bill::Bill;
use crate::duration::human_s;
use crate::metrics::distribution::Distribution;
use crate::metrics::reclaimed::Reclaimed;
use crate::summary::Summary;
use crate::trace::{Source, Trace, printable};

/// Pools shown before the rest is summed up in a line.
const POOLS_SHOWN: usize = 20;
/// Teams shown before the rest is summed up in a line.
pub(super) const TEAMS_SHOWN: usize = 40;
/// Columns of the table.
pub(super) const WIDTH: usize = 80;

/// The summary as tables.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let mut text = String::new();
    head(summary, &mut text);
    text.push('\n');
    waits(summary, &mut text);
    text.push('\n');
    pools(summary, &mut text);
    text.push('\n');
    teams(summary, &mut text);
    super::blocked::lines(summary, &mut text);
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn head(summary: &Summary, text: &mut String) {
    let jobs = &summary.jobs;
    let mut counts = vec![format!("{} submitted", count(jobs.submitted))];
    for (number, word) in [
        (jobs.completed, "completed"),
        (jobs.failed, "failed"),
        (jobs.cancelled, "cancelled"),
        (jobs.rejected, "rejected"),
        (jobs.unfinished, "unfinished"),
    ] {
        if number > 0 {
            counts.push(format!("{} {word}", count(number)));
        }
    }
    if jobs.preemptions > 0 {
        counts.push(numbered(jobs.preemptions, "preemption"));
    }
    folded("policy", &[printable(&summary.policy)], text);
    folded("jobs", &counts, text);
    let time = format!(
        "{} of submissions, {} until the last end",
        human_s(summary.span_s),
        human_s(summary.makespan_s)
    );
    let _ = writeln!(text, "time      {time}");
    if let Some(bill) = Bill::new(summary) {
        let [total, allocated, idle] = [bill.total, bill.allocated, bill.idle].map(usd_of_cents);
        let _ = writeln!(text, "cost      {total} = {allocated} allocated + {idle} idle");
    }
    if let Some(egress) = summary.egress.as_ref().filter(|egress| egress.moves > 0) {
        let price = egress.usd.map_or(String::new(), |value| format!(", {} beside the cost", usd(value)));
        let _ = writeln!(
            text,
            "egress    {} GB read where they are not, for {} s{price}",
            whole(egress.gb),
            whole(egress.moving_s)
        );
    }
    if let Some(lost) = lost_parts(summary) {
        folded("lost", &lost, text);
    }
    if let Some(reaper) = &summary.reaper {
        folded("reaper", &reaper_parts(reaper), text);
    }
    if let Some(queue) = summary.queue.as_ref().filter(|queue| queue.jobs_max > 0) {
        let mut line = sparkline(&queue.jobs_over_time);
        if !line.is_empty() {
            line.push_str("  ");
        }
        let _ = writeln!(text, "waiting   {line}{} at most", numbered(queue.jobs_max, "job"));
    }
    if summary.incomplete {
        let _ = writeln!(text, "INCOMPLETE: the run was interrupted");
    }
}

/// What evictions lost, in words; nothing where there were none.
pub(super) fn lost_parts(summary: &Summary) -> Option<Vec<String>> {
    let evictions = summary.evictions.as_ref()?;
    let mut parts = vec![
        numbered(evictions.by_rule.values().sum(), "eviction"),
        format!("{} GPU-hours", whole(evictions.lost_gpu_hours)),
    ];
    parts.extend(summary.cost_usd.map(|cost| format!("{} of the cost", usd(cost.lost))));
    Some(parts)
}

/// What stopping idle jobs saved, in words.
pub(super) fn reaper_parts(reaper: &Reclaimed) -> Vec<String> {
    let mut parts = vec![
        format!("{} stopped for idling", numbered(reaper.jobs, "job")),
        format!("{} GPU-hours reclaimed", whole(reaper.gpu_hours)),
    ];
    if let Some(usd) = reaper.usd {
        parts.push(format!("{} reclaimed", self::usd(usd)));
    }
    if let Some(kills) = reaper.false_kills {
        parts.push(format!("{} that would have completed", numbered(kills, "false kill")));
    }
    parts
}

/// A line of the head, in as many as it takes.
fn folded(name: &str, parts: &[String], text: &mut String) {
    let mut line = format!("{name:<10}");
    for (index, part) in parts.iter().enumerate() {
        let comma = if index + 1 < parts.len() { "," } else { "" };
        let length = line.chars().count();
        if index > 0 && length + 1 + part.chars().count() + comma.len() > WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line = format!("{:<10}", "");
        } else if index > 0 {
            line.push(' ');
        }
        line.push_str(part);
        line.push_str(comma);
    }
    let _ = writeln!(text, "{line}");
}

/// Values from nothing to the largest, as bars of eight heights; what is more than nothing is seen.
fn sparkline(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from nothing to eight")]
    let bar = |value: &f64| match (value / most * 8.0).ceil() as usize {
        0 => ' ',
        height => BARS[height.min(8) - 1],
    };
    values.iter().map(bar).collect()
}

fn waits(summary: &Summary, text: &mut String) {
    let _ = writeln!(text, "{:<18}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "mean", "median", "p95", "p99", "max");
    for (name, figures, time) in [
        ("wait", &summary.wait_s, true),
        ("response", &summary.response_s, true),
        ("bounded slowdown", &summary.bounded_slowdown, false),
    ] {
        let _ = write!(text, "{name:<18}");
        for value in [figures.mean, figures.p50, figures.p95, figures.p99, figures.max] {
            let shown =
                value.map_or("-".to_owned(), |value| if time { human_s(value) } else { decimal(value) });
            let _ = write!(text, "{shown:>12}");
        }
        text.push('\n');
    }
    if let Some(how) = summary.quantiles {
        let _ = writeln!(text, "quantiles: {how}");
    }
}

fn pools(summary: &Summary, text: &mut String) {
    let name = name_width(summary.pools.iter().map(|pool| pool.name.as_str()), "pool", 22);
    let bill = Bill::new(summary);
    let _ =
        write!(text, "{:<name$}{:>8}{:>8}{:>8}{:>8}{:>8}", "pool", "nodes", "load", "gpu", "cpu", "memory");
    let idle = bill.as_ref().map_or(String::new(), |_| format!("{:>14}", "idle cost"));
    let _ = writeln!(text, "{idle}");
    for (index, pool) in summary.pools.iter().enumerate().take(POOLS_SHOWN) {
        let load = summary.offered_load.get(&pool.name).copied().flatten();
        let _ = write!(
            text,
            "{:<name$}{:>8}{:>8}",
            cut(&pool.name, name),
            count(u64::from(pool.nodes)),
            optional(load)
        );
        for kind in ["gpu", "cpu", "memory"] {
            let _ = write!(text, "{:>8}", percent(pool.utilization.get(kind).copied()));
        }
        if let Some(bill) = &bill {
            let _ = write!(text, "{:>14}", usd_of_cents(bill.idle_by_pool[index]));
        }
        text.push('\n');
    }
    more(summary.pools.len(), POOLS_SHOWN, "pool", text);
}

/// How many of a table are not in it.
pub(super) fn more(all: usize, shown: usize, what: &str, text: &mut String) {
    if all > shown {
        let more = numbered((all - shown) as u64, &format!("more {what}"));
        let _ = writeln!(text, "and {more} (all of them with `-o json`)");
    }
}

fn teams(summary: &Summary, text: &mut String) {
    let bill = Bill::new(summary);
    let room = WIDTH - 7 - 10 - 12 - 12 - 11 - if bill.is_some() { 13 } else { 0 };
    let name = name_width(summary.teams.iter().map(|team| team.name.as_str()), "team", room);
    let _ = write!(
        text,
        "{:<name$}{:>7}{:>10}{:>12}{:>12}{:>11}",
        "team", "weight", "jobs", "wait mean", "wait p95", "GPU-hours"
    );
    let cost = bill.as_ref().map_or(String::new(), |_| format!("{:>13}", "cost"));
    let _ = writeln!(text, "{cost}");
    for (index, team) in summary.teams.iter().enumerate().take(TEAMS_SHOWN) {
        let Distribution { mean, p95, .. } = team.wait_s;
        let time = |value: Option<f64>| value.map_or("-".to_owned(), human_s);
        let _ = write!(
            text,
            "{:<name$}{:>7}{:>10}{:>12}{:>12}{:>11}",
            cut(&team.name, name),
            decimal(team.weight),
            count(team.jobs),
            time(mean),
            time(p95),
            whole(team.gpu_hours),
        );
        if let Some(bill) = &bill {
            let _ = write!(text, "{:>13}", usd_of_cents(bill.teams[index]));
        }
        text.push('\n');
    }
    more(summary.teams.len(), TEAMS_SHOWN, "team", text);
}

/// Which formats were told from the content, for stderr.
#[must_use]
pub fn guesses(sources: &[Source]) -> Vec<String> {
    let guessed = sources.iter().filter(|source| source.guessed);
    guessed.map(|source| format!("format: `{}` reads as {}", source.path, source.format)).collect()
}

/// What was run, for stderr.
#[must_use]
pub fn provenance(summary: &Summary) -> Vec<String> {
    let provenance = &summary.provenance;
    let mut notes = vec![
        format!("sim {}, seed {}", provenance.version, provenance.seed),
        format!("scenario sha256 {}", provenance.scenario_digest),
    ];
    for trace in &provenance.traces {
        let (rows, jobs) = (count(trace.rows), count(trace.jobs));
        notes.push(format!("trace `{}`: {rows} rows, {jobs} jobs, sha256 {}", trace.path, trace.digest));
    }
    notes.push(format!("decisions xxh3 {}", summary.digest));
    notes
}

/// Warnings of one kind that are told one by one.
const TOLD: usize = 3;

/// Warnings, for stderr. Those that differ in names and numbers alone are of one kind: of many the first are told, and where
/// all are, unless they are in the result anyway.
///
/// # Examples
///
/// ```
/// use fairshare_sim::report::text::warnings;
/// let said: Vec<String> = (1..=40).map(|pool| format!("pool `{pool}` is offered {pool}.5 times")).collect();
/// let told = warnings(&said, Some("in the file"));
/// assert_eq!(told[2..], ["warning: pool `3` is offered 3.5 times", "warning: and 37 more like this (in the file)"]);
/// assert_eq!(warnings(&said, None)[3], "warning: and 37 more like this");
/// ```
#[must_use]
pub fn warnings(warnings: &[String], all: Option<&str>) -> Vec<String> {
    by_kind(warnings, all).iter().map(|warning| format!("warning: {warning}")).collect()
}

/// Warnings, of many of one kind the first, and how many more there are and where.
pub(super) fn by_kind(warnings: &[String], all: Option<&str>) -> Vec<String> {
    let kind = |warning: &str| -> String {
        let quoted = warning.split('`').enumerate().filter(|(index, _)| index.is_multiple_of(2));
        quoted.flat_map(|(_, text)| text.chars()).filter(|letter| !letter.is_ascii_digit()).collect()
    };
    let mut kinds: Vec<(String, Vec<&String>)> = Vec::new();
    for warning in warnings {
        let own = kind(warning);
        match kinds.iter_mut().find(|(kind, _)| *kind == own) {
            Some((_, same)) => same.push(warning),
            None => kinds.push((own, vec![warning])),
        }
    }
    let mut told = Vec::new();
    for (_, same) in kinds {
        // One more is no longer than to say that there is one more.
        let shown = if same.len() <= TOLD + 1 { same.len() } else { TOLD };
        told.extend(same[..shown].iter().map(|warning| (*warning).clone()));
        if shown < same.len() {
            let more = count((same.len() - shown) as u64);
            let all = all.map_or(String::new(), |all| format!(" ({all})"));
            told.push(format!("and {more} more like this{all}"));
        }
    }
    told
}

/// What was repaired in the traces, for stderr.
#[must_use]
pub fn repairs(trace: &Trace) -> Vec<String> {
    let mut notes = Vec::new();
    for source in &trace.sources {
        for repair in source.repairs.values() {
            let lines: Vec<String> = repair.first_lines.iter().map(u64::to_string).collect();
            let more = if repair.count > repair.first_lines.len() as u64 { ", …" } else { "" };
            let at =
                if lines.is_empty() { String::new() } else { format!(" (line {}{more})", lines.join(", ")) };
            let rows =
                if repair.count == 1 { "1 row".to_owned() } else { format!("{} rows", count(repair.count)) };
            notes.push(format!("`{}`, {rows}: {}{at}", source.path, repair.text));
        }
    }
    notes
}

/// Dollars of cents.
pub(super) fn usd_of_cents(cents: u128) -> String {
    format!("${}.{:02}", grouped(cents / 100), cents % 100)
}

/// Dollars with cents.
#[must_use]
pub fn usd(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cents of a printed sum")]
    let cents = (value * 100.0).round() as u128;
    usd_of_cents(cents)
}

/// A number and what it is of, in the singular or the plural.
///
/// # Examples
///
/// ```
/// use fairshare_sim::report::text::numbered;
/// assert_eq!([1, 2_000].map(|number| numbered(number, "job")), ["1 job", "2,000 jobs"]);
/// ```
#[must_use]
pub fn numbered(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A whole number with separators.
#[must_use]
pub fn count(number: u64) -> String {
    grouped(u128::from(number))
}

fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number rounded to a whole one, with separators; small ones keep a decimal.
pub(crate) fn whole(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded for people")]
    if value >= 100.0 { grouped(value.round() as u128) } else { decimal(value) }
}

/// Up to two decimals.
pub(super) fn decimal(value: f64) -> String {
    if value >= 1_000.0 {
        return whole(value);
    }
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2}"))
}

/// A ratio as percent.
#[must_use]
pub fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.1}%", value * 100.0))
}

pub(super) fn name_width<'a>(names: impl Iterator<Item = &'a str>, title: &str, most: usize) -> usize {
    let longest = names.map(|name| printable(name).chars().count()).max().unwrap_or(0);
    longest.max(title.len()).clamp(6, most.max(8) - 1) + 1
}

/// The name, cut where the column ends.
pub(crate) fn cut(name: &str, width: usize) -> String {
    let name = printable(name);
    if name.chars().count() < width {
        return name;
    }
    let kept: String = name.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_values() {
        assert_eq!(sparkline(&[0.0, 0.01, 1.0, 4.0, 4.1, 8.0]), " ▁▁▄▅█");
        assert_eq!(sparkline(&[0.0, 0.0]), "  ");
        assert_eq!(sparkline(&[]), "");
    }
}
