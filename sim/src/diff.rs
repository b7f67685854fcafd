//! Difference: what changed between two results folders, from their files alone.
//!
//! Jobs are matched by name. A job has *moved* if its start, end, pool, status or number of evictions differs. The first
//! decision that differs is where the two runs part: everything after it may follow from it. Absent on purpose:
//! intervals and verdicts, which need both runs' jobs in one trace (see `compare`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::SimError;
use crate::results::Results;
use crate::trace::compare_names;

/// How many moved jobs are listed.
const LISTED: usize = 20;

/// What changed from folder `a` to folder `b` (schema `sim.diff/1`).
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    schema: &'static str,
    /// The policies.
    pub policies: [String; 2],
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

fn rows(results: &Results) -> Result<Vec<Row>, SimError> {
    let text = results.text("jobs.csv")?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let shown = results.folder.join("jobs.csv");
    let fault = |error: csv::Error| SimError::usage(format!("`{}` cannot be read: {error}", shown.display()));
    reader.deserialize().map(|row| row.map_err(fault)).collect()
}

fn summary(results: &Results) -> Result<serde_json::Value, SimError> {
    let text = results.text("summary.json")?;
    serde_json::from_str(&text).map_err(|error| {
        let shown = results.folder.join("summary.json");
        SimError::usage(format!("`{}` cannot be read: {error}", shown.display()))
    })
}

impl Diff {
    /// What changed from `a` to `b`.
    ///
    /// # Errors
    ///
    /// [`SimError`] if a file of either folder cannot be read.
    pub fn new(a: &Results, b: &Results) -> Result<Self, SimError> {
        let summaries = [summary(a)?, summary(b)?];
        let policy = |value: &serde_json::Value| value["policy"].as_str().unwrap_or("?").to_owned();
        let (before, after) = (rows(a)?, rows(b)?);
        let (jobs, teams, moved) = jobs(&before, &after);
        Ok(Self {
            schema: "sim.diff/1",
            policies: [policy(&summaries[0]), policy(&summaries[1])],
            inputs: inputs(a, b),
            figures: figures(&summaries),
            jobs,
            first_difference: first(&a.text("decisions.csv")?, &b.text("decisions.csv")?),
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

fn jobs(before: &[Row], after: &[Row]) -> (Counts, Vec<TeamChange>, Vec<Moved>) {
    let mut old: BTreeMap<&str, &Row> = before.iter().map(|row| (row.job_id.as_str(), row)).collect();
    let mut counts = Counts::default();
    let mut teams: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut moved = Vec::new();
    for row in after {
        let Some(was) = old.remove(row.job_id.as_str()) else {
            counts.only_b += 1;
            continue;
        };
        counts.both += 1;
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
        let why = why(was, row);
        moved.push(Moved { job: row.job_id.clone(), team: row.team.clone(), wait_change_s: change, why });
    }
    counts.only_a = old.len() as u64;
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

/// What differs between two rows of one job.
fn why(was: &Row, is: &Row) -> String {
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
    fn runs_part_at_the_first_line_that_differs() {
        assert_eq!(first("h\n1\n2\n", "h\n1\n2\n"), None);
        let part = |line, a: &str, b: &str| Some(First { line, a: a.to_owned(), b: b.to_owned() });
        assert_eq!(first("h\n1\n2\n", "h\n1\n3\n"), part(3, "2", "3"));
        assert_eq!(first("h\n1\n", "h\n"), part(2, "1", ""));
    }
}
