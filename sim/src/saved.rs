//! Saved: what a job that was stopped need not do again, and how long it takes until it is where it was.
//!
//! An attempt after an eviction begins with the job's restart cost, in which no work is done, whatever its speed. Checkpoints
//! come at multiples of their interval since the start of an attempt, and save the work that was done until then. A round's
//! end saves all, also of a restart that had not ended, and costs none. Invariant: what is saved never passes what was
//! done. Absent on purpose: who is stopped (see `engine` and `kueue::replay`).

use std::collections::BTreeMap;

use crate::setup::Setup;
use crate::speed::{run_at_speed, work_at_speed};
use crate::trace::Trace;

/// How jobs come back that say nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// How often a job saves its work, ms.
    pub checkpoint_ms: Option<u64>,
    /// How long a stopped job takes until it is where it was, ms.
    pub restart_ms: Option<u64>,
}

impl Recovery {
    /// The same for one job: its own words come first.
    pub(crate) fn of(self, trace: &Trace, row: usize) -> Self {
        let extra = trace.extras.get(row);
        let own = |field: fn(&crate::trace::Extra) -> Option<u64>| extra.and_then(field);
        let checkpoint_ms = own(|extra| extra.checkpoint_ms).or(self.checkpoint_ms);
        let restart_ms = own(|extra| extra.restart_ms).or(self.restart_ms);
        Self { checkpoint_ms: checkpoint_ms.filter(|interval| *interval > 0), restart_ms }
    }
}

/// What every stopped job has saved, by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved(BTreeMap<u32, Left>);

/// What one stopped job has saved, and must do first.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    /// Work of speed one, ms.
    done_ms: u64,
    /// ms.
    restart_ms: u64,
}

/// An attempt to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    /// How long all of it takes, ms; nothing where that cannot be counted.
    pub(crate) run_ms: Option<u64>,
    /// How long of it, from the start, goes by until the job is where it was, ms.
    pub(crate) restart_ms: u64,
}

impl Saved {
    /// The next attempt of a job at a speed in thousandths.
    pub(crate) fn attempt(&self, trace: &Trace, row: u32, speed_milli: u32) -> Attempt {
        let Left { done_ms, restart_ms } = self.0.get(&row).copied().unwrap_or_default();
        let run_ms = trace.jobs[row as usize].run_ms;
        let run = run_at_speed(run_ms - done_ms.min(run_ms), speed_milli);
        Attempt { run_ms: run.and_then(|run| run.checked_add(restart_ms)), restart_ms }
    }

    /// Notes that an attempt was stopped after `ran_ms`, of which it had `restart_ms` to come back; how long it worked, from
    /// then on, that need not be done again.
    pub(crate) fn stopped(
        &mut self,
        (setup, trace, row): (&Setup, &Trace, u32),
        speed_milli: u32,
        (ran_ms, restart_ms): (u64, u64),
        at_rounds_end: bool,
    ) -> u64 {
        let recovery = setup.recovery.of(trace, row as usize);
        let until = match recovery.checkpoint_ms {
            _ if at_rounds_end => ran_ms,
            Some(interval) => ran_ms - ran_ms % interval,
            None => 0,
        };
        let kept_ms = until.saturating_sub(restart_ms);
        let again_ms =
            if at_rounds_end { restart_ms.saturating_sub(ran_ms) } else { recovery.restart_ms.unwrap_or(0) };
        if kept_ms > 0 || again_ms > 0 || restart_ms > 0 {
            let left = self.0.entry(row).or_default();
            left.done_ms += work_at_speed(kept_ms, speed_milli);
            left.restart_ms = again_ms;
        }
        kept_ms
    }

    /// Forgets all rows but those that have a new number.
    pub(crate) fn renumber(&mut self, new: impl Fn(u32) -> Option<u32>) {
        let old = std::mem::take(&mut self.0).into_iter();
        self.0 = old.filter_map(|(row, left)| Some((new(row)?, left))).collect();
    }
}
