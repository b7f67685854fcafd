//! Reclaimed: what stopping idle jobs saved, and whom it hit.
//!
//! Formula: for every job that the reaper stopped: GPU-hours = GPUs that it held × the time that it would have gone on;
//! dollars = what its pool would have charged for them (see `tariff`); false kill = the trace records that it ended
//! well, so that its work was lost. Unit: jobs, GPU-hours, US dollars. Estimator: exact sums. Source: a definition of
//! this project. Population: jobs that the reaper stopped; they count as cancelled. False kills are null where the trace
//! says of no job how it ended. Absent on purpose: what others did with the GPUs (compare with a run without a reaper).

use fairshare::ResourceKind;
use serde::Serialize;

use super::{Demands, ratio};
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::summary::GPU_HOUR;
use crate::tariff::Exact;
use crate::trace::{Status, Trace, TraceJob};

/// What the reaper did.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Reclaimed {
    /// Jobs stopped.
    pub jobs: u64,
    /// GPU-hours that they would have held.
    pub gpu_hours: f64,
    /// Dollars that these would have cost; null without prices.
    pub usd: Option<f64>,
    /// Jobs that would have ended well.
    pub false_kills: Option<u64>,
}

/// What was reclaimed; nothing where the scenario has no reaper.
///
/// # Examples
///
/// Jobs of 2 GPUs for 3 hours, stopped after one: 4 GPU-hours each, at 0.50 dollars. The first would have ended well, the
/// second is busy and left alone.
///
/// ```
/// use fairshare_sim::metrics::{Demands, reclaimed::{Reclaimed, reclaimed}};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 2\nnode = { gpu = 2 }\nprice = { gpu_hour = 0.5 }\n\
///             [reaper]\ngpu_utilization_below = 0.2\nwindow = '1h'\n";
/// let scenario = Scenario::parse("reaper", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// let jobs = "job_id,submit_s,run_s,team,gpu,gpu_utilization,status\n\
///             1,0,10800,a,2,0.1,completed\n2,0,10800,a,2,0.9,completed\n";
/// std::fs::write(&path, jobs).unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let found = reclaimed(&setup, &trace, &record, &Demands::new(&setup, &trace)).unwrap();
/// assert_eq!(found, Reclaimed { jobs: 1, gpu_hours: 4.0, usd: Some(2.0), false_kills: Some(1) });
/// ```
#[must_use]
pub fn reclaimed(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Option<Reclaimed> {
    let mut sums = Sums::default();
    sums.add(setup, trace, record, demands);
    sums.reclaimed(setup)
}

/// The same of jobs that come in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    jobs: u64,
    /// Milli-GPU × ms.
    gpu: u128,
    money: Exact,
    false_kills: u64,
    /// There is a reaper, and the trace says of some job how it ended.
    says: bool,
}

impl Sums {
    /// Adds the jobs of a part.
    pub(crate) fn add(&mut self, setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) {
        for (&row, &spared_ms) in &record.reaped {
            let (row, outcome) = (row as usize, &record.outcomes[row as usize]);
            if outcome.fate != Fate::Ended {
                continue;
            }
            self.jobs += 1;
            let place = record.place(outcome);
            let demand = demands.of(trace, row, usize::from(place.alternative));
            self.gpu += u128::from(demand[ResourceKind::GPU].get()) * u128::from(spared_ms);
            if let Some(tariff) = &setup.tariffs[place.pool as usize] {
                let until = outcome.end_ms.saturating_add_unsigned(spared_ms);
                self.money += tariff.charge(demand[tariff.kind()].get(), outcome.end_ms, until);
            }
            self.false_kills += u64::from(trace.jobs[row].status == Status::Completed);
        }
        let says = |job: &TraceJob| job.status != Status::Unspecified;
        self.says = self.says || setup.reaper.is_some() && trace.jobs.iter().any(says);
    }

    /// What was reclaimed in all; nothing where the scenario has no reaper.
    pub(crate) fn reclaimed(&self, setup: &Setup) -> Option<Reclaimed> {
        setup.reaper.as_ref()?;
        Some(Reclaimed {
            jobs: self.jobs,
            gpu_hours: ratio(self.gpu, GPU_HOUR).unwrap_or(0.0),
            usd: setup.is_priced().then(|| crate::summary::dollars(setup.money.to_micro(self.money))),
            false_kills: self.says.then_some(self.false_kills),
        })
    }
}
