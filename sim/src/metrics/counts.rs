//! Counts: how many jobs came, how they ended, and what came of each team and shape; in one pass over all jobs.
//!
//! Formula: numbers of jobs and of evictions, and Σ run time at speed 1 by shape. Unit: one, and ms. Population: all jobs that
//! came, rejected ones too. Estimator: exact. Source: how they ended is what the trace says of it, or completed.
//! Absent on purpose: what follows from them (see `utilization`, `caution`).

use serde::Serialize;

use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// Counts: completed + failed + cancelled + rejected + unfinished = submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Jobs {
    /// All that came.
    pub submitted: u64,
    /// That ran at least once.
    pub started: u64,
    /// That ended well, or whose trace does not say otherwise.
    pub completed: u64,
    /// That ended, recorded as failed.
    pub failed: u64,
    /// That ended, recorded as cancelled, or were stopped for idling.
    pub cancelled: u64,
    /// That could never start.
    pub rejected: u64,
    /// That waited or ran when the run was over.
    pub unfinished: u64,
    /// Evictions.
    pub preemptions: u64,
}

/// One team's jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OfTeam {
    /// All that came.
    pub jobs: u64,
    /// Their evictions.
    pub preemptions: u64,
}

/// What is counted of all jobs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// How they ended.
    pub jobs: Jobs,
    /// By the scheduler's number of the team.
    pub teams: Vec<OfTeam>,
    /// How long the jobs of each shape run at speed 1, together, ms.
    pub run_of_shape: Vec<u128>,
}

impl Counts {
    /// Those of a run.
    #[must_use]
    pub fn of(setup: &Setup, trace: &Trace, record: &Record) -> Self {
        let mut counts = Self::default();
        counts.add(setup, trace, record);
        counts
    }

    /// Adds the jobs of a part of a run.
    pub(crate) fn add(&mut self, setup: &Setup, trace: &Trace, record: &Record) {
        self.teams.resize(setup.config.teams.len(), OfTeam::default());
        self.run_of_shape.resize(trace.shapes.len(), 0);
        let team_of = |team: u32| setup.team_of[team as usize].index();
        for (row, (job, outcome)) in trace.jobs.iter().zip(&record.outcomes).enumerate() {
            if outcome.fate == Fate::Unseen {
                continue;
            }
            self.jobs.submitted += 1;
            self.jobs.started += u64::from(outcome.started());
            self.teams[team_of(job.team)].jobs += 1;
            self.run_of_shape[job.shape as usize] += u128::from(job.run_ms);
            match record.status(trace, row) {
                "completed" => self.jobs.completed += 1,
                "failed" => self.jobs.failed += 1,
                "cancelled" | "reaped" => self.jobs.cancelled += 1,
                "rejected" => self.jobs.rejected += 1,
                "unfinished" => self.jobs.unfinished += 1,
                // No other word is told of a job that came.
                _ => {}
            }
        }
        for (row, evicted) in &record.evicted {
            let times = u64::from(evicted.times);
            self.jobs.preemptions += times;
            self.teams[team_of(trace.jobs[*row as usize].team)].preemptions += times;
        }
    }
}
