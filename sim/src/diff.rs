//! Difference: what changed between two results folders, from their files alone.
//!
//! Jobs are matched by name. A job has *moved* if its start, end, pool, status or number of evictions differs. The first
//! decision that differs is where the two runs part: everything after it may follow from it. Why a job moved is told as
//! far as the files say it: it was stopped for another in one of the runs, or others of its pool started before it in one
//! of them and not in the other, or those before it hold their room for another time. Files that are not those of the
//! manifest are refused. Absent on purpose: intervals and verdicts, which need both runs' jobs in one trace (see
//! `compare`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::SimError;
use crate::report::text::numbered;
use crate::results::Results;
use crate::summary::SCHEMA;
use crate::trace::{Watch, compare_names};

/// Teams that are named of those whose jobs pass another.
const NAMED: usize = 3;
/// How many moved jobs are listed.
const LISTED: usize = 20;

/// What changed from folder `a` to folder `b` (schema `sim.diff/1`).
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    schema: &'static str,
    /// The policies.
    pub policies: [String; 2],
    /// What should be known: a side that is partial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What of the inputs differs; empty where all is equal.
    pub inputs: Vec<String>,
    /// Figures of the summaries that differ.
    pub figures: Vec<Figure>,
    /// Counts of jobs.
    pub jobs: Counts,
    /// The first decision that differs.
    pub first_difference: Option<First>,
    /// By team: mean changes of the waits of its jobs, largest first.
    pub teams: Vec<TeamChange>,
    /// The jobs whose waits changed most.
    pub moved: Vec<Moved>,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its path in the summary.
    pub path: String,
    /// Its value in `a`; null where it has none.
    pub a: Option<f64>,
    /// Its value in `b`.
    pub b: Option<f64>,
}

/// Counts of jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// In both.
    pub both: u64,
    /// Of these, as they were.
    pub same: u64,
    /// Of these, with a shorter wait.
    pub sooner: u64,
    /// Of these, with a longer wait.
    pub later: u64,
    /// Of these, changed in anything else.
    pub otherwise: u64,
    /// Only in `a`.
    pub only_a: u64,
    /// Only in `b`.
    pub only_b: u64,
}

/// Where two runs part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct First {
    /// Line in both `decisions.csv`.
    pub line: usize,
    /// That line of `a`; empty past its end.
    pub a: String,
    /// That line of `b`.
    pub b: String,
}

/// One team.
#[derive(Clone, Debug, Serialize)]
pub struct TeamChange {
    /// Name.
    pub team: String,
    /// Jobs that started in both.
    pub jobs: u64,
    /// Mean of wait in `b` less wait in `a`, seconds.
    pub wait_change_s: f64,
}

/// One job.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// Name.
    pub job: String,
    /// Its team.
    pub team: String,
    /// Wait in `b` less wait in `a`, seconds; null where it did not start in both.
    pub wait_change_s: Option<f64>,
    /// What differs, in words.
    pub what: String,
    /// Why, as far as the two runs say it.
    pub why: String,
}

/// A row of `jobs.csv`, as far as it is compared.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
struct Row {
    job_id: String,
    team: String,
    pool: String,
    start_s: String,
    end_s: String,
    wait_s: Option<f64>,
    status: String,
    preemptions: u64,
}

impl Row {
    /// When it started, seconds; nothing where it did not.
    fn start(&self) -> Option<f64> {
        self.start_s.parse().ok()
    }

    /// When it ended, seconds; later than all where it did not.
    fn end(&self) -> f64 {
        self.end_s.parse().unwrap_or(f64::INFINITY)
    }
}

/// How many rows of both folders have been read, and who is told.
struct Reading<'a> {
    watch: &'a Watch,
    rows: u64,
}

impl Reading<'_> {
    fn row(&mut self) {
        self.rows += 1;
        self.watch.row(self.rows);
    }
}

fn rows(results: &Results, reading: &mut Reading<'_>) -> Result<Vec<Row>, SimError> {
    let text = results.checked_text("jobs.csv")?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let shown = results.folder.join("jobs.csv");
    let fault = |error: csv::Error| SimError::usage(format!("`{}` cannot be read: {error}", shown.display()));
    reader.deserialize().inspect(|_| reading.row()).map(|row| row.map_err(fault)).collect()
}

fn summary(results: &Results) -> Result<serde_json::Value, SimError> {
    let text = results.checked_text("summary.json")?;
    let shown = results.folder.join("summary.json");
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| SimError::usage(format!("`{}` cannot be read: {error}", shown.display())))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or("none");
    if schema != SCHEMA {
        let shown = shown.display();
        let message =
            format!("`{shown}` is no summary that is known here: its schema is `{schema}`, not `{SCHEMA}`");
        return Err(SimError::usage(message));
    }
    Ok(value)
}

/// `decisions.csv`: the lines, and for each job that was stopped how, at every time.
struct Decisions {
    text: String,
    stopped: BTreeMap<String, Vec<String>>,
}

fn decisions(results: &Results, reading: &mut Reading<'_>) -> Result<Decisions, SimError> {
    let text = results.checked_text("decisions.csv")?;
    let mut stopped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records = reader.records().inspect(|_| reading.row());
    for row in records.flatten().filter(|row| row.get(1) == Some("evict")) {
        let [job, reason, by] = [2, 6, 7].map(|column| row.get(column).unwrap_or_default());
        let by = if by.is_empty() { String::new() } else { format!(" for job {by}") };
        stopped.entry(job.to_owned()).or_default().push(format!("stopped by {reason}{by}"));
    }
    Ok(Decisions { text, stopped })
}

impl Diff {
    /// What changed from `a` to `b`; `watch` is told how many rows of both have been read.
    ///
    /// # Errors
    ///
    /// [`SimError`] if a file of either folder cannot be read.
    pub fn new(a: &Results, b: &Results, watch: &Watch) -> Result<Self, SimError> {
        let mut reading = Reading { watch, rows: 0 };
        let summaries = [summary(a)?, summary(b)?];
        let policy = |value: &serde_json::Value| value["policy"].as_str().unwrap_or("?").to_owned();
        let (before, after) = (rows(a, &mut reading)?, rows(b, &mut reading)?);
        let [first_decisions, second_decisions] = [decisions(a, &mut reading)?, decisions(b, &mut reading)?];
        let pairs = pairs(&before, &after);
        let (jobs, teams, mut moved) = jobs(&before, &after, &pairs);
        let cause = Cause { pairs, stopped: [&first_decisions.stopped, &second_decisions.stopped] };
        for one in &mut moved {
            one.why = cause.of(&one.job);
        }
        let partial = |(which, results): (&str, &Results)| {
            let said = || format!("the {which} was interrupted: what it holds is partial");
            (!results.manifest.complete).then(said)
        };
        Ok(Self {
            schema: "sim.diff/1",
            policies: [policy(&summaries[0]), policy(&summaries[1])],
            warnings: [("first", a), ("second", b)].into_iter().filter_map(partial).collect(),
            inputs: inputs(a, b),
            figures: figures(&summaries),
            jobs,
            first_difference: first(&first_decisions.text, &second_decisions.text),
            teams,
            moved,
        })
    }
}

fn inputs(a: &Results, b: &Results) -> Vec<String> {
    let (a, b) = (&a.manifest.provenance, &b.manifest.provenance);
    let mut inputs = Vec::new();
    if a.version != b.version {
        inputs.push(format!("version: {} and {}", a.version, b.version));
    }
    if a.scenario_digest != b.scenario_digest {
        inputs.push("scenario or settings".to_owned());
    }
    let digests = |traces: &[crate::results::Traced]| {
        traces.iter().map(|trace| trace.digest.clone()).collect::<Vec<_>>()
    };
    if digests(&a.traces) != digests(&b.traces) {
        inputs.push("traces".to_owned());
    }
    inputs
}

/// The figures that people ask for first, where they differ.
fn figures(summaries: &[serde_json::Value; 2]) -> Vec<Figure> {
    const PATHS: [&str; 14] = [
        "jobs.completed",
        "jobs.unfinished",
        "jobs.preemptions",
        "makespan_s",
        "wait_s.mean",
        "wait_s.p50",
        "wait_s.p95",
        "response_s.mean",
        "bounded_slowdown.mean",
        "utilization.gpu",
        "utilization.cpu",
        "goodput.gpu",
        "fairness.jain",
        "cost_usd.total",
    ];
    let value = |summary: &serde_json::Value, path: &str| {
        path.split('.').try_fold(summary, |value, key| value.get(key)).and_then(serde_json::Value::as_f64)
    };
    let figure = |path: &&str| {
        let [a, b] = [0, 1].map(|index| value(&summaries[index], path));
        Figure { path: (*path).to_owned(), a, b }
    };
    PATHS.iter().map(figure).filter(|figure| figure.a != figure.b).collect()
}

fn first(a: &str, b: &str) -> Option<First> {
    let (mut left, mut right) = (a.lines(), b.lines());
    for line in 1.. {
        let (a, b) = (left.next(), right.next());
        if a != b {
            return Some(First {
                line,
                a: a.unwrap_or_default().to_owned(),
                b: b.unwrap_or_default().to_owned(),
            });
        }
        if a.is_none() {
            break;
        }
    }
    None
}

fn jobs(before: &[Row], after: &[Row], pairs: &Pairs<'_>) -> (Counts, Vec<TeamChange>, Vec<Moved>) {
    let only = |rows: &[Row]| (rows.len() - pairs.len()) as u64;
    let both = pairs.len() as u64;
    let mut counts = Counts { both, only_a: only(before), only_b: only(after), ..Counts::default() };
    let mut teams: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut moved = Vec::new();
    for &(was, row) in after.iter().filter_map(|row| pairs.get(row.job_id.as_str())) {
        let change = was.wait_s.zip(row.wait_s).map(|(was, is)| is - was);
        if let Some(change) = change {
            let team = teams.entry(&row.team).or_default();
            team.0 += 1;
            team.1 += change;
        }
        if was == row {
            counts.same += 1;
            continue;
        }
        match change {
            Some(change) if change < 0.0 => counts.sooner += 1,
            Some(change) if change > 0.0 => counts.later += 1,
            _ => counts.otherwise += 1,
        }
        moved.push(Moved {
            job: row.job_id.clone(),
            team: row.team.clone(),
            wait_change_s: change,
            what: what(was, row),
            why: String::new(),
        });
    }
    let size = |moved: &Moved| moved.wait_change_s.map_or(f64::INFINITY, f64::abs);
    moved.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| compare_names(&a.job, &b.job)));
    moved.truncate(LISTED);
    #[expect(clippy::cast_precision_loss, reason = "numbers of jobs are far below 2^53")]
    let mean = |(team, (jobs, sum)): (&str, (u64, f64))| TeamChange {
        team: team.to_owned(),
        jobs,
        wait_change_s: sum / jobs as f64,
    };
    let mut teams: Vec<TeamChange> = teams.into_iter().map(mean).collect();
    teams.sort_by(|a, b| {
        let size = |team: &TeamChange| team.wait_change_s.abs();
        size(b).total_cmp(&size(a)).then_with(|| compare_names(&a.team, &b.team))
    });
    (counts, teams, moved)
}

/// Rows of the jobs that are in both, by name.
type Pairs<'a> = BTreeMap<&'a str, (&'a Row, &'a Row)>;

fn pairs<'a>(before: &'a [Row], after: &'a [Row]) -> Pairs<'a> {
    let old: BTreeMap<&str, &Row> = before.iter().map(|row| (row.job_id.as_str(), row)).collect();
    let pair = |row: &'a Row| Some((row.job_id.as_str(), (*old.get(row.job_id.as_str())?, row)));
    after.iter().filter_map(pair).collect()
}

/// What both runs say of why a job moved.
struct Cause<'a> {
    pairs: Pairs<'a>,
    /// How jobs were stopped, in the first and in the second.
    stopped: [&'a BTreeMap<String, Vec<String>>; 2],
}

impl Cause<'_> {
    fn of(&self, job: &str) -> String {
        let Some(&(was, is)) = self.pairs.get(job) else { return String::new() };
        let [before, after] = self.stopped.map(|stopped| stopped.get(job).map_or(&[][..], Vec::as_slice));
        match (before, after, more(before, after), more(after, before)) {
            ([], _, Some(how), _) => return format!("it is {how}"),
            (_, [], _, Some(how)) => return format!("it is no longer {how}"),
            (_, _, Some(how), _) if after.len() > before.len() => return format!("it is also {how}"),
            (_, _, _, Some(how)) if after.len() < before.len() => return format!("it is no longer {how}"),
            _ => {}
        }
        if [was, is].iter().any(|row| row.status == "rejected") {
            return "what it asks can be had in one of the two only".to_owned();
        }
        // Never started counts as later than all.
        let later = |row: &Row| row.start().unwrap_or(f64::INFINITY);
        let (old, new) = (later(was), later(is));
        if old.total_cmp(&new).is_eq() {
            let runs_on = old.is_finite() && was.end_s != is.end_s;
            let how = match (was.pool == is.pool, runs_on) {
                (false, _) => "it runs in another pool",
                (true, true) => "it runs for another time",
                // What differs says all that there is to say.
                (true, false) => "",
            };
            return how.to_owned();
        }
        let is_later = new > old;
        let pool = if is.pool.is_empty() || !is_later { &was.pool } else { &is.pool };
        let near = |other: &&(&Row, &Row)| {
            let there = if is_later { &other.1.pool } else { &other.0.pool };
            pool.is_empty() || there == pool
        };
        let passes = |other: &&(&Row, &Row)| {
            let (a, b) = (later(other.0), later(other.1));
            if is_later { b < new && a > old } else { a < old && b > new }
        };
        let mut teams: BTreeMap<&str, u64> = BTreeMap::new();
        for (other, _) in self.pairs.values().filter(near).filter(passes) {
            *teams.entry(&other.team).or_default() += 1;
        }
        let all = teams.values().sum();
        if all == 0 {
            // Who is gone before either start takes no room from it.
            let stays = |row: &Row| row.end() > old.min(new);
            let before = |other: &&(&Row, &Row)| later(other.0) < old && later(other.1) < new;
            let holds = |(was, is): &&(&Row, &Row)| was.end_s != is.end_s && (stays(was) || stays(is));
            let moved = self.pairs.values().filter(near).filter(before).any(|other| holds(&other));
            let how = if moved { "jobs before it end at another time" } else { "other room is free" };
            return format!("no job passes it: {how}");
        }
        let mut teams: Vec<(&str, u64)> = teams.into_iter().collect();
        teams.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| compare_names(a.0, b.0)));
        let more = if teams.len() > NAMED { ", \u{2026}" } else { "" };
        let named = teams.iter().take(NAMED).map(|(team, jobs)| format!("{team} {jobs}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let jobs = numbered(all, "job");
        let how = if is_later {
            "now before it that started after it"
        } else {
            "now after it that started before it"
        };
        let starts = if all == 1 { "starts" } else { "start" };
        format!("{jobs} {starts} {how} ({named}{more})")
    }
}

/// The last of `many` that `few` has less often.
fn more<'a>(few: &[String], many: &'a [String]) -> Option<&'a String> {
    let often = |all: &[String], how: &String| all.iter().filter(|other| *other == how).count();
    many.iter().rev().find(|how| often(many, how) > often(few, how))
}

/// What differs between two rows of one job.
fn what(was: &Row, is: &Row) -> String {
    let mut parts = Vec::new();
    for (name, was, is) in [
        ("status", &was.status, &is.status),
        ("pool", &was.pool, &is.pool),
        ("start", &was.start_s, &is.start_s),
        ("end", &was.end_s, &is.end_s),
        ("team", &was.team, &is.team),
    ] {
        if was != is {
            let [was, is] = [was, is].map(|text| if text.is_empty() { "-" } else { text.as_str() });
            parts.push(format!("{name} {was} > {is}"));
        }
    }
    if was.preemptions != is.preemptions {
        parts.push(format!("evictions {} > {}", was.preemptions, is.preemptions));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_job_is_stopped_more_often_is_told() {
        let row = |preemptions: u64| Row {
            job_id: "2".to_owned(),
            team: "a".to_owned(),
            pool: "p".to_owned(),
            start_s: "9".to_owned(),
            end_s: "10".to_owned(),
            wait_s: Some(1.0),
            status: "completed".to_owned(),
            preemptions,
        };
        let why = |before: &[&str], after: &[&str]| {
            let rows = [before, after].map(|all| row(all.len() as u64));
            let stopped = [before, after].map(|all| {
                let all: Vec<String> = all.iter().map(|how| format!("stopped by {how}")).collect();
                BTreeMap::from([("2".to_owned(), all)])
            });
            let pairs = BTreeMap::from([("2", (&rows[0], &rows[1]))]);
            Cause { pairs, stopped: stopped.each_ref() }.of("2")
        };
        assert_eq!(why(&[], &["quota for job 3"]), "it is stopped by quota for job 3");
        assert_eq!(why(&["quota for job 3"], &[]), "it is no longer stopped by quota for job 3");
        let (once, twice) = (["quota for job 3"], ["fairness for job 5", "quota for job 3"]);
        assert_eq!(why(&once, &twice), "it is also stopped by fairness for job 5");
        assert_eq!(why(&twice, &once), "it is no longer stopped by fairness for job 5");
        assert_eq!(why(&once, &["quota for job 3"; 2]), "it is also stopped by quota for job 3");
        assert_eq!(why(&once, &once), "", "what differs says all that there is to say");
    }

    #[test]
    fn runs_part_at_the_first_line_that_differs() {
        assert_eq!(first("h\n1\n2\n", "h\n1\n2\n"), None);
        let part = |line, a: &str, b: &str| Some(First { line, a: a.to_owned(), b: b.to_owned() });
        assert_eq!(first("h\n1\n2\n", "h\n1\n3\n"), part(3, "2", "3"));
        assert_eq!(first("h\n1\n", "h\n"), part(2, "1", ""));
    }
}
