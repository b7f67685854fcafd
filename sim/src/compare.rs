//! Comparison: the same trace under several policies, job by job.
//!
//! Every policy sees the same jobs and the same draws, so differences are paired: what a job waited under one policy less
//! what the same job waited under the baseline. Population: jobs that ended under both, and are trimmed under neither; that
//! of means and quantiles of waits, responses and slowdowns too, since one policy may reject what another makes wait.
//! Figures of the cluster (utilization, fairness, cost) are compared whole. A run that was interrupted has seen the jobs
//! that ended early and no others, so that no interval is given for it. Intervals: see `interval`.
//! Absent on purpose: running (see `command::compare`), drawing replicas (see `replica`).

mod contender;
mod interval;
mod recorded;
mod replica;

use std::collections::BTreeMap;

use serde::Serialize;

pub use contender::{Contender, on_replica};
pub use interval::Interval;
pub use recorded::NAME as RECORDED;
pub use replica::block_ms;

use crate::metrics::distribution::Distribution;
use crate::metrics::division::{Counted, Division, Figures, figures};
use crate::metrics::population::{self, Trim};
use crate::metrics::reclaimed::Reclaimed;
use crate::metrics::slowdown::bounded;
use crate::record::Record;
use crate::summary::{CostUsd, Fairness, Jobs, Provenance, Summary};
use crate::trace::Trace;

/// The same trace under several policies (schema `sim.compare/1`).
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    schema: &'static str,
    /// The policy that the others are compared with.
    pub baseline: String,
    /// It was interrupted: everything here is partial. Absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Where intervals come from: `batch-means` of this trace, or `bootstrap` replicas of it.
    pub method: &'static str,
    /// Replicas of the trace.
    pub replicas: u64,
    /// The block of the bootstrap, seconds; null without replicas.
    pub block_s: Option<f64>,
    /// What was run.
    pub provenance: Provenance,
    /// One entry per policy, in the order given.
    pub policies: Vec<Measured>,
    /// One entry per policy but the baseline.
    pub differences: Vec<Difference>,
    /// What should be known about these numbers.
    pub warnings: Vec<String>,
}

/// The measures under one policy: fields as in `sim.summary/1`.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The policy.
    pub policy: String,
    /// Its run was interrupted. Absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Digest of its decision log.
    pub digest: String,
    /// Counts.
    pub jobs: Jobs,
    /// Waits.
    pub wait_s: Distribution,
    /// Responses.
    pub response_s: Distribution,
    /// Bounded slowdowns.
    pub bounded_slowdown: Distribution,
    /// Held over available, by resource.
    pub utilization: BTreeMap<String, f64>,
    /// The same without work that an eviction undid or that failed.
    pub goodput: BTreeMap<String, f64>,
    /// Cost.
    pub cost_usd: Option<CostUsd>,
    /// Fairness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// What stopping idle jobs saved; absent without a reaper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaper: Option<Reclaimed>,
    /// By team, in the same order under every policy.
    pub teams: Vec<TeamMeasured>,
}

/// One team under one policy.
#[derive(Clone, Debug, Serialize)]
pub struct TeamMeasured {
    /// Name.
    pub name: String,
    /// Jobs submitted.
    pub jobs: u64,
    /// Waits.
    pub wait_s: Distribution,
    /// GPU-hours held.
    pub gpu_hours: f64,
    /// Its mean share of the whole; absent where no time passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_mean: Option<f64>,
    /// Its mean entitlement; absent where not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entitlement_mean: Option<f64>,
}

/// One policy against the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The policy.
    pub policy: String,
    /// Its waits less those under the baseline, seconds.
    pub wait_s: Interval,
    /// Its bounded slowdowns less those under the baseline.
    pub bounded_slowdown: Interval,
    /// Figures of the jobs that ended under both, and of the cluster.
    pub figures: Vec<FigureDifference>,
    /// By team, in the order of `policies`.
    pub teams: Vec<TeamDifference>,
}

/// A figure against that of the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct FigureDifference {
    /// Its path in `sim.summary/1`.
    pub figure: &'static str,
    /// The jobs that it is of, which ended under both; absent where it is one of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// Under the policy; null where it has no value.
    pub value: Option<f64>,
    /// Under the baseline.
    pub baseline: Option<f64>,
    /// The first less the second.
    pub difference: Option<f64>,
    /// Lower end of the 95 % interval; null without replicas.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// `higher` or `lower` where the interval leaves zero out, else `undecided`.
    pub verdict: &'static str,
}

/// One team's waits against those under the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct TeamDifference {
    /// Name.
    pub name: String,
    /// Its waits less those under the baseline, seconds.
    pub wait_s: Interval,
}

/// A figure of a run, or of some of its jobs.
type Figure = (&'static str, fn(&Summary, &Figures) -> Option<f64>);

/// What is compared beside differences job by job.
const FIGURES: [Figure; 17] = [
    ("wait_s.mean", |_, jobs| jobs.wait.mean),
    ("wait_s.p50", |_, jobs| jobs.wait.p50),
    ("wait_s.p95", |_, jobs| jobs.wait.p95),
    ("response_s.mean", |_, jobs| jobs.response.mean),
    ("bounded_slowdown.mean", |_, jobs| jobs.slowdown.mean),
    ("utilization.gpu", |summary, _| summary.utilization.get("gpu").copied()),
    ("utilization.cpu", |summary, _| summary.utilization.get("cpu").copied()),
    ("goodput.gpu", |summary, _| summary.goodput.get("gpu").copied()),
    ("fairness.jain", |summary, _| summary.fairness?.jain),
    ("fairness.deficit_gpu_hours", |summary, _| summary.fairness?.deficit_gpu_hours),
    ("cost_usd.total", |summary, _| Some(summary.cost_usd?.total)),
    ("cost_usd.idle", |summary, _| Some(summary.cost_usd?.idle)),
    ("cost_usd.lost", |summary, _| Some(summary.cost_usd?.lost)),
    ("reaper.jobs", |summary, _| whole(summary.reaper?.jobs)),
    ("reaper.gpu_hours", |summary, _| Some(summary.reaper?.gpu_hours)),
    ("reaper.usd", |summary, _| summary.reaper?.usd),
    ("reaper.false_kills", |summary, _| whole(summary.reaper?.false_kills?)),
];

/// Differences below this are of rounding: times are of milliseconds, money of millionths, ratios of far more.
const NOISE: f64 = 1e-9;

/// The figures of a whole run, each over all of its jobs that count, in the order of [`Difference::figures`].
pub fn of_run(summary: &Summary) -> impl Iterator<Item = Option<f64>> {
    let jobs =
        Figures { wait: summary.wait_s, response: summary.response_s, slowdown: summary.bounded_slowdown };
    FIGURES.iter().map(move |(_, value)| value(summary, &jobs))
}

/// A number of jobs beside other figures.
#[expect(
    clippy::cast_precision_loss,
    clippy::unnecessary_wraps,
    reason = "far below 2^53; a figure may be absent"
)]
fn whole(number: u64) -> Option<f64> {
    Some(number as f64)
}

/// `value` less `baseline`, where they differ by more than rounding.
///
/// # Examples
///
/// ```
/// use fairshare_sim::compare::apart;
/// assert_eq!(apart(5.99e-16, 0.0), 0.0);
/// assert_eq!(apart(1e12 + 0.0001, 1e12), 0.0);
/// assert_eq!(apart(0.25, 0.5), -0.25);
/// ```
#[must_use]
pub fn apart(value: f64, baseline: f64) -> f64 {
    let difference = value - baseline;
    let noise = NOISE.max(1e-12 * value.abs().max(baseline.abs()));
    if difference.abs() <= noise && value.is_finite() { 0.0 } else { difference }
}

/// The mean differences of one policy on one trace.
#[derive(Clone, Debug)]
struct Sample {
    wait: Option<f64>,
    slowdown: Option<f64>,
    by_team: Vec<Option<f64>>,
    figures: Vec<Option<f64>>,
}

/// What one replica of the trace gave: a sample of every policy but the baseline, in their order.
#[derive(Clone, Debug)]
pub struct Replica {
    samples: Vec<Sample>,
}

/// Runs of one trace, one for each policy.
#[derive(Debug)]
pub struct Runs<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The scheduler's number of a team of the trace.
    pub team_of: &'a [fairshare::TeamId],
    /// What was left out of wait and slowdown.
    pub trim: Option<Trim>,
    /// The runs.
    pub runs: Vec<(Summary, Record)>,
    /// The index of the one that the others are compared with.
    pub baseline: usize,
}

impl Runs<'_> {
    fn others(&self) -> impl Iterator<Item = &(Summary, Record)> {
        self.runs.iter().enumerate().filter(|(index, _)| *index != self.baseline).map(|(_, run)| run)
    }

    /// One policy beside the baseline: over the jobs that count under both.
    fn pairs(&self, one: &(Summary, Record)) -> Pairs {
        Pairs::new(self, one, &self.runs[self.baseline])
    }

    /// The jobs that count under each of some of the policies.
    ///
    /// # Panics
    ///
    /// Only on a bug: an index that is none of the runs'.
    #[must_use]
    pub fn common(&self, policies: &[usize]) -> Vec<u32> {
        let mut counted =
            policies.iter().map(|index| population::rows(self.trace, &self.runs[*index].1, self.trim));
        let Some(mut rows) = counted.next() else { return Vec::new() };
        for other in counted {
            rows.retain(|row| other.binary_search(row).is_ok());
        }
        rows
    }

    /// The differences alone.
    ///
    /// # Panics
    ///
    /// Only on a bug: a baseline that is none of the runs.
    #[must_use]
    pub fn replica(&self) -> Replica {
        let sample = |run: &(Summary, Record)| {
            let pairs = self.pairs(run);
            Sample {
                wait: Interval::new(&pairs.waits).mean,
                slowdown: Interval::new(&pairs.slowdowns).mean,
                by_team: (0..run.0.teams.len())
                    .map(|team| Interval::new(&pairs.of_team(team)).mean)
                    .collect(),
                figures: pairs.figures.iter().map(Compared::difference).collect(),
            }
        };
        Replica { samples: self.others().map(sample).collect() }
    }
}

/// A figure under a policy and under the baseline.
#[derive(Clone, Copy)]
struct Compared {
    value: Option<f64>,
    baseline: Option<f64>,
}

impl Compared {
    fn difference(&self) -> Option<f64> {
        Some(apart(self.value?, self.baseline?))
    }
}

/// Two policies over the jobs that count under both.
struct Pairs {
    /// The differences of each job, in order of submission.
    waits: Vec<f64>,
    /// Of those that ran for as long as they would, too.
    slowdowns: Vec<f64>,
    /// The teams of the first.
    teams: Vec<usize>,
    /// In the order of [`FIGURES`].
    figures: Vec<Compared>,
}

impl Pairs {
    fn new(runs: &Runs<'_>, one: &(Summary, Record), base: &(Summary, Record)) -> Self {
        let trace = runs.trace;
        let both = [&one.1, &base.1];
        let [mut rows, of_base] = both.map(|record| population::rows(trace, record, runs.trim));
        rows.retain(|row| of_base.binary_search(row).is_ok());
        let through: Vec<u32> =
            rows.iter().copied().filter(|row| both.iter().all(|record| record.ran_through(*row))).collect();
        let [of_one, of_base] = both.map(|record| Figures {
            wait: figures_of(trace, record, &rows).wait,
            ..figures_of(trace, record, &through)
        });
        let compared = |(_, value): &Figure| Compared {
            value: value(&one.0, &of_one),
            baseline: value(&base.0, &of_base),
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds for people, from exact ms")]
        let wait = |row: &u32| {
            let [one, base] = both.map(|record| i128::from(record.wait_ms(trace, *row as usize)));
            (one - base) as f64 / 1_000.0
        };
        let slowdown = |row: &u32| {
            let job = &trace.jobs[*row as usize];
            let [one, base] =
                both.map(|record| record.outcomes[*row as usize].end_ms.abs_diff(job.submit_ms));
            bounded(one, job.run_ms) - bounded(base, job.run_ms)
        };
        Self {
            waits: rows.iter().map(wait).collect(),
            slowdowns: through.iter().map(slowdown).collect(),
            teams: rows
                .iter()
                .map(|row| runs.team_of[trace.jobs[*row as usize].team as usize].index())
                .collect(),
            figures: FIGURES.iter().map(compared).collect(),
        }
    }

    /// The jobs that a figure is of; nothing for one of the cluster.
    fn of(&self, figure: &str) -> Option<usize> {
        let through = &self.slowdowns;
        let jobs = [("wait_s.", &self.waits), ("response_s.", through), ("bounded_slowdown.", through)];
        jobs.into_iter().find(|(start, _)| figure.starts_with(start)).map(|(_, jobs)| jobs.len())
    }

    fn of_team(&self, team: usize) -> Vec<f64> {
        let waits = self.teams.iter().zip(&self.waits).filter(|(of, _)| **of == team);
        waits.map(|(_, wait)| *wait).collect()
    }
}

/// The figures of some jobs of a run.
fn figures_of(trace: &Trace, record: &Record, rows: &[u32]) -> Figures {
    let waits = rows.iter().map(|row| record.wait_ms(trace, *row as usize)).collect();
    let [all] = figures(Counted { trace, record, rows }, waits, [&Division::undivided(rows.len())]);
    all.into_iter().next().unwrap_or_default()
}

impl Comparison {
    /// Compares runs of one trace, with intervals from its replicas where there are any.
    ///
    /// # Panics
    ///
    /// Only on a bug: a baseline that is none of the runs.
    #[must_use]
    pub fn new(runs: &Runs<'_>, replicas: &[Replica], cautions: Vec<String>) -> Self {
        let base = &runs.runs[runs.baseline].0;
        let mut warnings = attributed(runs.runs.iter().map(|(summary, _)| summary));
        warnings.extend(cautions);
        warnings.extend(runs.runs.iter().filter_map(|(summary, _)| overfull(summary)));
        let method = if replicas.is_empty() { "batch-means" } else { "bootstrap" };
        #[expect(clippy::cast_precision_loss, reason = "seconds for people, from exact ms")]
        let block_s = || block_ms(replica::span_ms(runs.trace)) as f64 / 1_000.0;
        Self {
            schema: "sim.compare/1",
            baseline: base.policy.clone(),
            incomplete: runs.runs.iter().any(|(_, record)| record.interrupted),
            method,
            replicas: replicas.len() as u64,
            block_s: (!replicas.is_empty()).then(block_s),
            provenance: base.provenance.clone(),
            policies: runs.runs.iter().map(measured).collect(),
            differences: differences(runs, replicas),
            warnings,
        }
    }
}

/// What is said of every policy once; of some, with their names.
fn attributed<'a>(summaries: impl Iterator<Item = &'a Summary>) -> Vec<String> {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut all = 0;
    for summary in summaries {
        all += 1;
        for warning in &summary.warnings {
            match said.iter_mut().find(|(text, _)| text == warning) {
                Some((_, policies)) => policies.push(&summary.policy),
                None => said.push((warning, vec![&summary.policy])),
            }
        }
    }
    let text = |(warning, policies): (&str, Vec<&str>)| {
        if policies.len() == all {
            warning.to_owned()
        } else {
            format!("{}: {warning}", policies.join(" and "))
        }
    };
    said.into_iter().map(text).collect()
}

/// What is to be said where more was recorded than the scenario's pools have.
fn overfull(summary: &Summary) -> Option<String> {
    let (kind, held) = summary.utilization.iter().find(|(_, held)| **held > 1.0 + NOISE)?;
    Some(format!(
        "{}: jobs held {:.1}% of the {kind} of the scenario's pools: what was recorded had more than they have",
        summary.policy,
        held * 100.0
    ))
}

fn measured((summary, record): &(Summary, Record)) -> Measured {
    let team = |team: &crate::summary::TeamSummary| TeamMeasured {
        name: team.name.clone(),
        jobs: team.jobs,
        wait_s: team.wait_s,
        gpu_hours: team.gpu_hours,
        share_mean: team.share_mean,
        entitlement_mean: team.entitlement_mean,
    };
    Measured {
        policy: summary.policy.clone(),
        incomplete: record.interrupted,
        digest: summary.digest.clone(),
        jobs: summary.jobs,
        wait_s: summary.wait_s,
        response_s: summary.response_s,
        bounded_slowdown: summary.bounded_slowdown,
        utilization: summary.utilization.clone(),
        goodput: summary.goodput.clone(),
        cost_usd: summary.cost_usd,
        fairness: summary.fairness,
        reaper: summary.reaper,
        teams: summary.teams.iter().map(team).collect(),
    }
}

/// Every policy but the baseline against it.
fn differences(runs: &Runs<'_>, replicas: &[Replica]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (index, run) in runs.others().enumerate() {
        let (summary, pairs) = (&run.0, runs.pairs(run));
        let partial = run.1.interrupted || runs.runs[runs.baseline].1.interrupted;
        let of_replicas = |observed: Option<f64>, jobs: u64, value: &dyn Fn(&Sample) -> Option<f64>| {
            let drawn = replicas.iter().filter_map(|replica| value(&replica.samples[index]));
            let drawn: Vec<f64> = drawn.filter(|_| !partial).collect();
            Interval::of_replicas(observed, &drawn, jobs)
        };
        let interval = |values: &[f64], value: &dyn Fn(&Sample) -> Option<f64>| {
            let batches = Interval::new(values);
            if replicas.is_empty() && !partial {
                return batches;
            }
            of_replicas(batches.mean, batches.jobs, value)
        };
        let figure = |(number, ((name, _), compared)): (usize, (&Figure, &Compared))| {
            let Compared { value, baseline } = *compared;
            let difference = compared.difference();
            let Interval { low, high, verdict, .. } =
                of_replicas(difference, 0, &|sample| sample.figures[number]);
            FigureDifference {
                figure: name,
                jobs: pairs.of(name).map(|jobs| jobs as u64),
                value,
                baseline,
                difference,
                low,
                high,
                verdict,
            }
        };
        let team = |(number, team): (usize, &crate::summary::TeamSummary)| TeamDifference {
            name: team.name.clone(),
            wait_s: interval(&pairs.of_team(number), &|sample| sample.by_team[number]),
        };
        differences.push(Difference {
            policy: summary.policy.clone(),
            wait_s: interval(&pairs.waits, &|sample| sample.wait),
            bounded_slowdown: interval(&pairs.slowdowns, &|sample| sample.slowdown),
            figures: FIGURES.iter().zip(&pairs.figures).enumerate().map(figure).collect(),
            teams: summary.teams.iter().enumerate().map(team).collect(),
        });
    }
    differences
}
