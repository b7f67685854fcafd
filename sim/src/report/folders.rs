//! Tables about results folders: what changed between two, and the life of one job.

use std::fmt::Write as _;

use super::decision::wrap;
use super::text::{WIDTH, count, cut, decimal, numbered};
use crate::diff::Diff;
use crate::duration::human_s;
use crate::life::{Interval, Life};
use crate::trace::printable;

/// Intervals in a table; all are in JSON.
const INTERVALS_SHOWN: usize = 40;
/// Teams in a table.
const TEAMS_SHOWN: usize = 20;

/// Columns before what is said of an interval.
const REASON: usize = 28;

/// An instant of the trace's clock: as a date where it is one, of seconds since 1970.
fn instant(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "an instant of a trace, in whole seconds")]
    let date = (seconds >= DATES_FROM_S).then(|| jiff::Timestamp::from_second(seconds as i64).ok()).flatten();
    match date {
        Some(date) => format!("{date} ({} s)", plain(seconds)),
        None => format!("{} s", plain(seconds)),
    }
}

/// Seconds without separators, as they stand in files.
fn plain(seconds: f64) -> String {
    let text = format!("{seconds:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Clocks that start at zero do not come here, and those that count from 1970 are beyond: the year 2000.
const DATES_FROM_S: f64 = 946_684_800.0;

fn change(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "+" };
    format!("{sign}{}", human_s(seconds.abs()))
}

/// What changed, for people.
#[must_use]
pub fn diff(diff: &Diff) -> String {
    let [a, b] = &diff.policies;
    let mut text = format!("from {a} to {b}\n");
    for input in &diff.inputs {
        let _ = writeln!(text, "the inputs differ: {input}");
    }
    for warning in &diff.warnings {
        let _ = writeln!(text, "INCOMPLETE: {warning}");
    }
    let jobs = &diff.jobs;
    let both = format!(
        "{} in both: {} as they were, {} sooner, {} later, {} changed otherwise",
        numbered(jobs.both, "job"),
        count(jobs.same),
        count(jobs.sooner),
        count(jobs.later),
        count(jobs.otherwise)
    );
    let _ = writeln!(text, "\n{}", wrap(&both, WIDTH).join("\n"));
    for (number, which) in [(jobs.only_a, "first"), (jobs.only_b, "second")] {
        if number > 0 {
            let _ = writeln!(text, "{} only in the {which}", numbered(number, "job"));
        }
    }
    if !diff.figures.is_empty() {
        let _ = writeln!(text, "\n{:<24}{:>16}{:>16}", "figure", "before", "after");
        for figure in &diff.figures {
            let [a, b] = [figure.a, figure.b].map(|value| value.map_or("-".to_owned(), decimal));
            let _ = writeln!(text, "{:<24}{a:>16}{b:>16}", figure.path);
        }
    }
    if let Some(first) = &diff.first_difference {
        let _ = writeln!(text, "\nfirst decision that differs: line {} of decisions.csv", first.line);
        for (sign, line) in [("-", &first.a), ("+", &first.b)] {
            let _ = writeln!(
                text,
                "  {sign} {}",
                if line.is_empty() { "(no more)".to_owned() } else { cut(line, WIDTH - 4) }
            );
        }
    }
    let moved = diff.teams.iter().filter(|team| team.wait_change_s.abs() > 0.0);
    for (index, team) in moved.take(TEAMS_SHOWN).enumerate() {
        if index == 0 {
            let _ = writeln!(text, "\n{:<24}{:>16}{:>16}", "team", "jobs", "mean wait");
        }
        let wait = change(team.wait_change_s);
        let _ = writeln!(text, "{:<24}{:>16}{wait:>16}", cut(&team.team, 24), count(team.jobs));
    }
    for (index, moved) in diff.moved.iter().enumerate() {
        if index == 0 {
            let _ = writeln!(text, "\n{:<16}{:<14}{:>12}  what, and why", "job", "team", "wait");
        }
        let wait = moved.wait_change_s.map_or("-".to_owned(), change);
        let (job, team) = (cut(&moved.job, 16), cut(&moved.team, 14));
        let indent = 16 + 14 + 12 + 2;
        let _ = write!(text, "{job:<16}{team:<14}{wait:>12}  ");
        let lines = [&moved.what, &moved.why].into_iter().flat_map(|said| wrap(said, WIDTH - indent));
        for (index, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            let indent = if index == 0 { 0 } else { indent };
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// A job's life, for people.
#[must_use]
pub fn life(life: &Life) -> String {
    let Life { job, team, policy, status, submit_s, wait_s, until_s, intervals, .. } = life;
    let mut text = String::new();
    write_lines(&mut text, 0, &format!("job {job} of team {team} under {policy}: {status}"));
    let waited = format!(", waited {} in all", human_s(*wait_s));
    let waited = if *status == "rejected" && *wait_s <= 0.0 { "" } else { &waited };
    let until = until_s.map(|until| format!("; nothing is measured after {}", instant(until)));
    let submitted = format!("submitted at {}{waited}{}", instant(*submit_s), until.unwrap_or_default());
    write_lines(&mut text, 0, &submitted);
    let _ = writeln!(text, "\n{:>14}{:>12}  what", "after", "for");
    for interval in intervals.iter().take(INTERVALS_SHOWN) {
        row(interval, *submit_s, &mut text);
    }
    if let Some(more) = intervals.len().checked_sub(INTERVALS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more intervals (all of them with `-o json`)");
    }
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// Appends a text, folded and indented.
fn write_lines(text: &mut String, indent: usize, said: &str) {
    for line in folded(said, WIDTH - indent) {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}

/// Breaks a printable text at its spaces, and a word that is longer than a line after a comma, or anywhere.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in wrap(&printable(text), width) {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > width {
            let comma = rest[..width].iter().rposition(|letter| *letter == ',');
            let after = rest.split_off(comma.map_or(width, |comma| comma + 1));
            lines.push(std::mem::replace(&mut rest, after).into_iter().collect());
        }
        lines.push(rest.into_iter().collect());
    }
    lines
}

fn row(interval: &Interval, submit_s: f64, text: &mut String) {
    let after = human_s(interval.from_s - submit_s);
    let length = interval.to_s.map_or("-".to_owned(), |to| human_s(to - interval.from_s));
    let what = match (interval.state, &interval.pool) {
        ("runs", Some(pool)) => {
            let end = interval.ended_by.as_deref().unwrap_or("still runs");
            let end = if end == "ended" { String::new() } else { format!("; {end}") };
            format!("runs in {pool}, attempt {}{end}", interval.attempt.unwrap_or(1))
        }
        (state, _) => state.to_owned(),
    };
    let begin = format!("{after:>14}{length:>12}  ");
    for (index, line) in folded(&what, WIDTH - REASON).iter().enumerate() {
        let _ = writeln!(text, "{:REASON$}{line}", if index == 0 { begin.as_str() } else { "" });
    }
    let mut said = interval.reasons.clone();
    said.extend(interval.lost.clone());
    if !interval.unblocked_by.is_empty() {
        said.push(format!("it could have started with {}", interval.unblocked_by.join(", or ")));
    }
    for said in said {
        write_lines(text, REASON, &said);
    }
    if !interval.others_started.is_empty() {
        let teams = interval.others_started.iter().take(4);
        let teams: Vec<String> = teams.map(|started| format!("{} {}", started.team, started.jobs)).collect();
        let more = if interval.others_started.len() > 4 { ", …" } else { "" };
        write_lines(text, REASON, &format!("started meanwhile: {}{more}", teams.join(", ")));
    }
}
