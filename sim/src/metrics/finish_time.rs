//! Finish-time fairness: how much later than alone on its team's part a job ended.
//!
//! Formula: rho of a job = response / (run time × max(1, GPUs of the job / GPUs of its team's part)), where a team's
//! part is weight / Σ weights of the teams directly under the root that submitted a job, of all GPUs; a team below
//! another has that team's part. Above one the job would have been better off alone. Unit: a ratio. Population: jobs
//! that ran to their end, asked for GPUs, and ran for some time, without those that the reaper stopped. Estimator: see
//! `distribution`; the part above one is a count over a count. Source: Mahajan et al., "Themis", NSDI 2020, section 4,
//! where a job grows and shrinks; ours does not, so that a job larger than the part takes as much longer as it is
//! larger.

use fairshare::ResourceKind;

use super::Demands;
use super::distribution::Distribution;
use super::utilization::capacity;
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// What the ratios of all jobs come to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FinishTimes {
    /// The largest.
    pub max: f64,
    /// 99 % are at most this; estimator: see `distribution`.
    pub p99: f64,
    /// The part of the jobs whose ratio is above one.
    pub above_one: f64,
}

impl FinishTimes {
    /// Of ratios; nothing where there are none. Reorders them.
    ///
    /// # Examples
    ///
    /// Of four jobs one would have been better off alone on its team's part, and one would not have cared:
    ///
    /// ```
    /// use fairshare_sim::metrics::finish_time::FinishTimes;
    /// let times = FinishTimes::of(&mut [0.5, 2.0, 1.0, 0.75]).unwrap();
    /// assert_eq!((times.max, times.p99, times.above_one), (2.0, 2.0, 0.25));
    /// assert_eq!(FinishTimes::of(&mut []), None);
    /// ```
    #[must_use]
    pub fn of(ratios: &mut [f64]) -> Option<Self> {
        let above = ratios.iter().filter(|ratio| **ratio > 1.0).count() as u128;
        let above_one = super::ratio(above, ratios.len() as u128)?;
        let figures = Distribution::of_numbers(ratios);
        Some(Self { max: figures.max?, p99: figures.p99?, above_one })
    }
}

/// The ratios of all jobs that count; nothing where none does.
#[must_use]
pub fn finish_times(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Option<FinishTimes> {
    let teams = &setup.config.teams;
    let root_of = |mut team: usize| {
        while let Some(parent) = teams[team].parent {
            team = parent.index();
        }
        team
    };
    let roots: Vec<usize> = (0..teams.len()).map(root_of).collect();
    let mut active = vec![false; teams.len()];
    for job in &trace.jobs {
        active[roots[setup.team_of[job.team as usize].index()]] = true;
    }
    let weight = |team: usize| ratio(teams[team].weight.numerator(), teams[team].weight.denominator());
    let weights: f64 = (0..teams.len()).filter(|team| active[*team]).map(weight).sum();
    let gpus: u64 = setup.config.pools.iter().map(|pool| capacity(pool)[ResourceKind::GPU].get()).sum();
    let parts: Vec<f64> = roots.iter().map(|root| ratio(gpus, 1) * weight(*root) / weights).collect();
    let ended = (0_u32..).zip(&record.outcomes).filter(|(_, outcome)| outcome.fate == Fate::Ended);
    let ended =
        ended.filter(|(row, _)| record.ran_through(*row)).map(|(row, outcome)| (row as usize, outcome));
    let ratios = ended.filter_map(|(row, outcome)| {
        let job = &trace.jobs[row];
        let asked =
            demands.of(trace, row, usize::from(record.place(outcome).alternative))[ResourceKind::GPU].get();
        let alone = parts[setup.team_of[job.team as usize].index()];
        let response_ms = outcome.end_ms.abs_diff(job.submit_ms);
        (asked > 0).then(|| rho(response_ms, job.run_ms, ratio(asked, 1), alone))?
    });
    FinishTimes::of(&mut ratios.collect::<Vec<f64>>())
}

/// The ratio of one job; nothing for a job that took no time.
///
/// # Examples
///
/// A job of two hours on eight GPUs, whose team's part is two of them, ends six hours after it was submitted; alone it
/// would have taken eight. One that waits as long as it runs, and one that does not wait at all:
///
/// ```
/// use fairshare_sim::metrics::finish_time::rho;
/// let hour = 3_600_000;
/// assert_eq!(rho(6 * hour, 2 * hour, 8.0, 2.0), Some(0.75));
/// assert_eq!(rho(2 * hour, hour, 1.0, 2.0), Some(2.0));
/// assert_eq!(rho(hour, hour, 2.0, 2.0), Some(1.0));
/// ```
#[must_use]
pub fn rho(response_ms: u64, run_ms: u64, gpus: f64, part: f64) -> Option<f64> {
    (run_ms > 0 && part > 0.0).then(|| ratio(response_ms, run_ms) / (gpus / part).max(1.0))
}

#[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
fn ratio(above: u64, below: u64) -> f64 {
    above as f64 / below as f64
}
