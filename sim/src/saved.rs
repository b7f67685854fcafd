//! Saved: how an attempt of a job begins and ends: what need not be done again, and how long it takes until the job is where
//! it was, until the reaper stops it, until its end.
//!
//! An attempt after an eviction begins with the job's restart cost, in which no work is done, whatever its speed. Checkpoints
//! come at multiples of their interval since the start of an attempt, and save the work that was done until then. A round's
//! end saves all, also of a restart that had not ended and of data sets that had not come, and costs none: data sets stay in a
//! pool until the job starts in another or is evicted. Invariant: what is saved never passes what was done. Absent on purpose:
//! who is stopped (see `engine` and `kueue::replay`).

use std::collections::BTreeMap;

use crate::error::SimError;
use crate::observer::Cause;
use crate::record::{Fate, LostAttempt, Outcome, Place, Record};
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
    /// The pool in which its data sets are, or come to be, and for how long they still move, ms.
    moving: Option<(u32, u64)>,
}

/// Where and when an attempt begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    /// ms.
    pub(crate) now: i64,
    /// How long the job waited for it, ms.
    pub(crate) waited_ms: u64,
    pub(crate) place: Place,
    /// How long the job runs in all at full speed, ms.
    pub(crate) run_ms: u64,
    /// That of its alternative, thousandths.
    pub(crate) speed_milli: u32,
}

impl Saved {
    /// Begins an attempt of a job, and writes down what it does first and whether the reaper stops it; when it ends, ms. It
    /// moves its data sets, then is where it was, then works.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] if it ends after the last time that can be counted.
    pub(crate) fn begin(
        &self,
        (setup, trace, row): (&Setup, &Trace, u32),
        begin: Begin,
        record: &mut Record,
    ) -> Result<i64, SimError> {
        let Begin { now, waited_ms, place, run_ms, speed_milli } = begin;
        let pool = place.pool;
        let Left { done_ms, restart_ms, moving } = self.left(row);
        let run = run_at_speed(run_ms - done_ms.min(run_ms), speed_milli);
        let run = run.and_then(|run| run.checked_add(restart_ms));
        let here = moving.filter(|(known, _)| *known == pool).map(|(_, left_ms)| left_ms);
        let moving_ms = here.unwrap_or_else(|| setup.moving_ms(trace, row, pool as usize));
        let reaped = setup.reaps(trace, row, run);
        // What the reaper saves is counted too, so it is the whole run that must end in time.
        let whole = run.and_then(|run| run.checked_add(moving_ms));
        let end = setup.end(trace, row, (record.begin_ms, now), whole)?;
        let end_ms = reaped
            .map_or(end, |reaped| now.saturating_add_unsigned(moving_ms.saturating_add(reaped.after_ms)));
        let spared_ms = reaped.map_or(0, |reaped| reaped.spared_ms);
        if restart_ms | moving_ms | spared_ms > 0 {
            note(record, row, [restart_ms, moving_ms, spared_ms]);
        }
        record.waited_ms += u128::from(waited_ms);
        let place = record.places.number(place);
        let outcome = &mut record.outcomes[row as usize];
        *outcome = Outcome { start_ms: now, end_ms, place, fate: Fate::Running, ..*outcome };
        Ok(end_ms)
    }

    #[inline]
    fn left(&self, row: u32) -> Left {
        if self.0.is_empty() { Left::default() } else { self.look_up(row) }
    }

    #[inline(never)]
    fn look_up(&self, row: u32) -> Left {
        self.0.get(&row).copied().unwrap_or_default()
    }

    /// Stops the attempt of a job at `now`, and writes down what of it need not be done again; why is told from how long all
    /// else took, ms.
    pub(crate) fn stop(
        &mut self,
        (setup, trace, row): (&Setup, &Trace, u32),
        (now, at_rounds_end): (i64, bool),
        record: &mut Record,
        cause: impl FnOnce(u64) -> Cause,
    ) -> LostAttempt {
        let outcome = &mut record.outcomes[row as usize];
        (outcome.fate, outcome.evicted, outcome.end_ms) = (Fate::Waiting, true, now);
        let Outcome { place, start_ms, .. } = *outcome;
        let Place { pool, alternative, .. } = record.places.get(place);
        let held_ms = now.abs_diff(start_ms);
        let evicted = record.evicted.entry(row).or_default();
        evicted.times = evicted.times.saturating_add(1);
        evicted.held_ms = evicted.held_ms.saturating_add(held_ms);
        record.reaped.remove(&row);
        let [restart_ms, moving_ms] =
            [&mut record.restarts, &mut record.moving].map(|noted| noted.remove(&row).unwrap_or(0));
        let ran_ms = held_ms.saturating_sub(moving_ms);
        let recovery = setup.recovery.of(trace, row as usize);
        let until = match recovery.checkpoint_ms {
            _ if at_rounds_end => ran_ms,
            Some(interval) => ran_ms - ran_ms % interval,
            None => 0,
        };
        let kept_ms = until.saturating_sub(restart_ms);
        let again_ms =
            if at_rounds_end { restart_ms.saturating_sub(ran_ms) } else { recovery.restart_ms.unwrap_or(0) };
        let reads = setup.moving_ms(trace, row, pool as usize) > 0;
        let moving = (at_rounds_end && reads).then(|| (pool, moving_ms.saturating_sub(held_ms)));
        if kept_ms > 0 || again_ms > 0 || self.0.contains_key(&row) || moving.is_some() {
            let left = self.0.entry(row).or_default();
            left.done_ms += work_at_speed(kept_ms, speed(trace, row, alternative));
            (left.restart_ms, left.moving) = (again_ms, moving);
        }
        let lost = LostAttempt {
            row,
            pool,
            alternative,
            start_ms,
            end_ms: now,
            restart_ms: restart_ms.min(ran_ms),
            moving_ms,
            kept_ms,
            cause: cause(held_ms.saturating_sub(kept_ms)),
        };
        record.lost.push(lost);
        lost
    }

    /// Forgets all rows but those that have a new number.
    pub(crate) fn renumber(&mut self, new: impl Fn(u32) -> Option<u32>) {
        let old = std::mem::take(&mut self.0).into_iter();
        self.0 = old.filter_map(|(row, left)| Some((new(row)?, left))).collect();
    }
}

/// Writes down for how long an attempt does something else than work, and what the reaper spares of it, ms.
#[inline(never)]
fn note(record: &mut Record, row: u32, [restart_ms, moving_ms, spared_ms]: [u64; 3]) {
    let notes = [
        (&mut record.restarts, restart_ms),
        (&mut record.moving, moving_ms),
        (&mut record.reaped, spared_ms),
    ];
    for (note, ms) in notes.into_iter().filter(|(_, ms)| *ms > 0) {
        note.insert(row, ms);
    }
}

/// The speed of an alternative of a job, thousandths.
pub(crate) fn speed(trace: &Trace, row: u32, alternative: u16) -> u32 {
    let shape = &trace.shapes[trace.jobs[row as usize].shape as usize];
    shape.alternatives[usize::from(alternative)].speed_milli
}
