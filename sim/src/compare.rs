//! Comparison: the same trace under several policies, job by job.
//!
//! Every policy sees the same jobs, so differences are paired: what a job waited under one policy less what the same
//! job waited under the baseline. Population: jobs that ended under both. Estimator of the interval: batch means. The
//! jobs in order of submission are cut into 30 runs of equal length, whose mean differences are taken as independent;
//! 95 % by Student's t with 29 degrees of freedom. Fewer than 10 jobs a batch give no interval, and a verdict is given
//! only where the interval leaves zero out. Absent on purpose: replicas, so the interval is about this trace's
//! variation over time, not about other traces.

use serde::Serialize;

use crate::metrics::distribution::Distribution;
use crate::record::{Fate, Record};
use crate::summary::{CostUsd, Fairness, Jobs, Provenance, Summary};
use crate::trace::Trace;

/// Batches of the estimator.
const BATCHES: usize = 30;
/// Jobs that a batch needs.
const JOBS_PER_BATCH: usize = 10;
/// Student's t at 97.5 % with 29 degrees of freedom.
const T: f64 = 2.045_229_642_132_703;

/// The same trace under several policies (schema `sim.compare/1`).
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    schema: &'static str,
    /// The policy that the others are compared with.
    pub baseline: String,
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
    pub utilization: std::collections::BTreeMap<String, f64>,
    /// Cost.
    pub cost_usd: Option<CostUsd>,
    /// Fairness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
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
}

/// A mean paired difference.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// Mean over the jobs; null without any.
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval; null where there are too few jobs for one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Jobs that ended under both.
    pub jobs: u64,
    /// `higher` or `lower` where the interval leaves zero out, else `undecided`.
    pub verdict: &'static str,
}

impl Interval {
    /// The interval of paired differences in order of submission.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::compare::Interval;
    /// let always = Interval::new(&[2.0; 300]);
    /// assert_eq!((always.mean, always.low, always.verdict), (Some(2.0), Some(2.0), "higher"));
    /// let few = Interval::new(&[2.0, 4.0]);
    /// assert_eq!((few.mean, few.low, few.verdict), (Some(3.0), None, "undecided"));
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of jobs are far below 2^53")]
    pub fn new(differences: &[f64]) -> Self {
        let count = differences.len();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let none = Self { mean: None, low: None, high: None, jobs: count as u64, verdict: "undecided" };
        if count == 0 {
            return none;
        }
        let overall = mean(differences);
        if count < BATCHES * JOBS_PER_BATCH {
            return Self { mean: Some(overall), ..none };
        }
        let batch = |index: usize| &differences[index * count / BATCHES..(index + 1) * count / BATCHES];
        let means: Vec<f64> = (0..BATCHES).map(|index| mean(batch(index))).collect();
        let centre = mean(&means);
        let squares: f64 = means.iter().map(|value| (value - centre) * (value - centre)).sum();
        let half = T * (squares / ((BATCHES - 1) * BATCHES) as f64).sqrt();
        let (low, high) = (overall - half, overall + half);
        let verdict = match (low > 0.0, high < 0.0) {
            (true, _) => "higher",
            (_, true) => "lower",
            _ => "undecided",
        };
        Self { mean: Some(overall), low: Some(low), high: Some(high), ..none }.with(verdict)
    }

    fn with(mut self, verdict: &'static str) -> Self {
        self.verdict = verdict;
        self
    }
}

impl Comparison {
    /// Compares runs of one trace; `baseline` is an index into them.
    ///
    /// # Panics
    ///
    /// Only on a bug: a baseline that is none of the runs.
    #[must_use]
    pub fn new(trace: &Trace, runs: &[(Summary, Record)], baseline: usize) -> Self {
        let (base, base_record) = &runs[baseline];
        let others = runs.iter().enumerate().filter(|(index, _)| *index != baseline);
        let mut warnings: Vec<String> = Vec::new();
        for warning in runs.iter().flat_map(|(summary, _)| &summary.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        Self {
            schema: "sim.compare/1",
            baseline: base.policy.clone(),
            provenance: base.provenance.clone(),
            policies: runs.iter().map(|(summary, _)| measured(summary)).collect(),
            differences: others.map(|(_, run)| difference(trace, run, base_record)).collect(),
            warnings,
        }
    }
}

fn measured(summary: &Summary) -> Measured {
    let team = |team: &crate::summary::TeamSummary| TeamMeasured {
        name: team.name.clone(),
        jobs: team.jobs,
        wait_s: team.wait_s,
        gpu_hours: team.gpu_hours,
    };
    Measured {
        policy: summary.policy.clone(),
        digest: summary.digest.clone(),
        jobs: summary.jobs,
        wait_s: summary.wait_s,
        response_s: summary.response_s,
        bounded_slowdown: summary.bounded_slowdown,
        utilization: summary.utilization.clone(),
        cost_usd: summary.cost_usd,
        fairness: summary.fairness,
        teams: summary.teams.iter().map(team).collect(),
    }
}

fn difference(trace: &Trace, (summary, record): &(Summary, Record), base: &Record) -> Difference {
    let (mut waits, mut slowdowns) = (Vec::new(), Vec::new());
    for (job, (one, other)) in trace.jobs.iter().zip(record.outcomes.iter().zip(&base.outcomes)) {
        if one.fate != Fate::Ended || other.fate != Fate::Ended {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds for people, from exact ms")]
        let seconds = |one: u64, other: u64| (i128::from(one) - i128::from(other)) as f64 / 1_000.0;
        waits.push(seconds(one.wait_ms, other.wait_ms));
        let slowdown =
            |end_ms: i64| crate::metrics::slowdown::bounded(end_ms.abs_diff(job.submit_ms), job.run_ms);
        slowdowns.push(slowdown(one.end_ms) - slowdown(other.end_ms));
    }
    Difference {
        policy: summary.policy.clone(),
        wait_s: Interval::new(&waits),
        bounded_slowdown: Interval::new(&slowdowns),
    }
}
