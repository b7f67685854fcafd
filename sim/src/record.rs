//! Record: what became of every job, as the engine writes it down and the metrics read it.
//!
//! All measures are computed from here after the run, so that the loop does nothing per event but schedule. There may be
//! millions of jobs: what few of them have is in maps by row, what many have in common is written once, and what follows
//! from the trace is not written at all. Absent on purpose: formulas (see `metrics`).

use std::collections::BTreeMap;

use fairshare::EvictReason;

use crate::observer::{Cause, What};
use crate::trace::{Status, Trace, TraceJob};

/// How far a job came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Fate {
    /// Not submitted before the run was interrupted.
    #[default]
    Unseen,
    /// It can never start.
    Rejected,
    /// It still waits.
    Waiting,
    /// It still runs.
    Running,
    /// It ran for its whole run time, or until the reaper stopped it.
    Ended,
}

/// Where an attempt runs, and as what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// Index of the pool.
    pub pool: u32,
    /// Index of the alternative, in the trace's shape.
    pub alternative: u16,
    /// How many nodes; zero in a divisible pool.
    pub nodes: u32,
}

/// The number of a place in its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PlaceId(u32);

/// The places of a run, each once: there are few, however many jobs.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// By number, from one on: zero is the place of those that have not started.
    known: Vec<Place>,
    numbers: BTreeMap<Place, PlaceId>,
    /// The one that was asked for last: often the next one too.
    last: (Place, PlaceId),
}

impl Places {
    /// The number of a place, which it keeps.
    #[inline]
    pub(crate) fn number(&mut self, place: Place) -> PlaceId {
        if place == Place::default() {
            return PlaceId::default();
        }
        if place == self.last.0 {
            return self.last.1;
        }
        self.look_up(place)
    }

    #[inline(never)]
    fn look_up(&mut self, place: Place) -> PlaceId {
        let known = &mut self.known;
        let number = *self.numbers.entry(place).or_insert_with(|| {
            known.push(place);
            PlaceId(u32::try_from(known.len()).unwrap_or(u32::MAX))
        });
        self.last = (place, number);
        number
    }

    /// The place of a number.
    pub(crate) fn get(&self, number: PlaceId) -> Place {
        let index = (number.0 as usize).checked_sub(1);
        index.and_then(|index| self.known.get(index)).copied().unwrap_or_default()
    }
}

/// What became of one job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Start of the last attempt, ms; before one, of a job that waits, when it came.
    pub start_ms: i64,
    /// End of the last attempt, ms; before one, of a job that waits, when it would have ended if it had started when it came, at
    /// full speed, or `i64::MAX` where that is not known.
    pub end_ms: i64,
    /// Where the last attempt ran; see [`Record::place`].
    pub place: PlaceId,
    /// How far it came.
    pub fate: Fate,
    /// It was evicted; how often is in [`Record::evicted`].
    pub evicted: bool,
}

// Every job has one until the end of the run.
const _: () = assert!(size_of::<Outcome>() == 24, "an outcome takes 24 bytes");

impl Outcome {
    /// A job that has come, and waits; how long it runs wherever it starts, ms, if that is known.
    pub(crate) fn waiting(submit_ms: i64, run_ms: Option<u64>) -> Self {
        let end_ms = run_ms.and_then(|run_ms| submit_ms.checked_add_unsigned(run_ms)).unwrap_or(i64::MAX);
        Self { start_ms: submit_ms, end_ms, fate: Fate::Waiting, ..Self::default() }
    }

    /// Since when a job waits, ms.
    #[inline]
    pub(crate) fn waits_since(&self) -> i64 {
        debug_assert!(self.fate == Fate::Waiting, "only who waits does so since some time");
        if self.evicted { self.end_ms } else { self.start_ms }
    }

    /// How long a job that waits runs wherever it starts, ms, if it has not started yet and that is known.
    #[inline]
    pub(crate) fn will_run_ms(&self) -> Option<u64> {
        debug_assert!(self.fate == Fate::Waiting, "only of who waits it is kept how long he will run");
        (!self.evicted && self.end_ms != i64::MAX).then(|| self.end_ms.abs_diff(self.start_ms))
    }

    /// Whether an attempt of it ran to the end or still runs.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.fate, Fate::Running | Fate::Ended)
    }

    /// Whether it ran at least once.
    #[must_use]
    pub fn started(&self) -> bool {
        self.holds() || self.evicted
    }
}

/// The evictions of one job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evicted {
    /// How many.
    pub times: u32,
    /// For how long it held resources in the attempts that they ended, ms.
    pub held_ms: u64,
}

/// An attempt that ended in an eviction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostAttempt {
    /// The job's row.
    pub row: u32,
    /// Index of its pool.
    pub pool: u32,
    /// Index of its alternative, in the trace's shape.
    pub alternative: u16,
    /// From, ms.
    pub start_ms: i64,
    /// To, ms.
    pub end_ms: i64,
    /// How long of it the job did what leads to where it had been, ms.
    pub restart_ms: u64,
    /// How long it would have moved data sets, from the start, before that, ms.
    pub moving_ms: u64,
    /// How long of it need not be run again, counted from then on, though data may have been moved before, ms.
    pub kept_ms: u64,
    /// Why it was stopped, and for whom.
    pub cause: Cause,
}

impl LostAttempt {
    /// How long of it data sets were moved, ms.
    pub(crate) fn moved_ms(&self) -> u64 {
        self.moving_ms.min(self.end_ms.abs_diff(self.start_ms))
    }

    /// The part of that which need not be done again: a round's end leaves data sets where they came.
    pub(crate) fn stays_ms(&self) -> u64 {
        if self.cause.reason == EvictReason::Round { self.moved_ms() } else { 0 }
    }

    /// All of it, as work that has to be done again.
    pub(crate) fn whole(&self) -> Stretch {
        Stretch {
            row: self.row as usize,
            pool: self.pool as usize,
            alternative: usize::from(self.alternative),
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            moving_ms: 0,
            lost: true,
        }
    }
}

/// Jobs that can never start, by reason.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// The first one's name.
    pub first: String,
    /// What the first one asks and what there is, as a clause after a comma; may be empty.
    pub detail: String,
    /// Their rows, of those that are kept.
    pub rows: Vec<u32>,
}

/// What a simulation leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// By row of the trace.
    pub outcomes: Vec<Outcome>,
    /// Where the last attempts ran.
    pub places: Places,
    /// How often jobs were evicted, of those that were.
    pub evicted: BTreeMap<u32, Evicted>,
    /// All attempts that ended in an eviction, in order of their ends.
    pub lost: Vec<LostAttempt>,
    /// Why jobs were rejected.
    pub rejected: BTreeMap<String, Rejected>,
    /// Jobs that the reaper stops in their last attempt, and how long they would have gone on, ms.
    pub reaped: BTreeMap<u32, u64>,
    /// Jobs whose last attempt follows an eviction, and how long it takes from its start until they are where they were, ms.
    pub restarts: BTreeMap<u32, u64>,
    /// Jobs whose last attempt moves data sets first, and for how long, ms.
    pub moving: BTreeMap<u32, u64>,
    /// All waiting of all jobs, added up as they started and at the end, ms: what single jobs waited must add up to it.
    pub waited_ms: u128,
    /// How often a job was held back since preemption went round: it had been preempted again and again, and nothing else
    /// happened.
    pub held: u64,
    /// Simulated time at the first submission, ms; meaningless before one.
    pub begin_ms: i64,
    /// Simulated time at the end of the run, ms: the last end of an attempt, or the last instant where a job still runs or
    /// none ever ran. What is only waited for after that belongs to no measure.
    pub end_ms: i64,
    /// The run was interrupted: what is here is partial.
    pub interrupted: bool,
    /// Digest of the decision log, in hex.
    pub digest: String,
}

impl Record {
    /// Where the last attempt of a job ran; meaningless before one, but for its alternative, which is the first.
    #[must_use]
    pub fn place(&self, outcome: &Outcome) -> Place {
        self.places.get(outcome.place)
    }

    /// How often a job was evicted.
    #[must_use]
    pub fn preemptions(&self, row: usize) -> u32 {
        self.evictions(row).times
    }

    /// All waiting of a job, over all attempts: from its submission until its last start, or the end of the run where it
    /// still waits, without the time in which it held resources, ms. Nothing for one that was rejected.
    #[must_use]
    pub fn wait_ms(&self, trace: &Trace, row: usize) -> u64 {
        let outcome = &self.outcomes[row];
        let until_ms = match outcome.fate {
            Fate::Unseen | Fate::Rejected => return 0,
            Fate::Waiting => self.end_ms,
            Fate::Running | Fate::Ended => outcome.start_ms,
        };
        // A trace may say that a job started before it came.
        let submit_ms = trace.jobs[row].submit_ms.min(until_ms);
        until_ms.abs_diff(submit_ms).saturating_sub(self.evictions(row).held_ms)
    }

    fn evictions(&self, row: usize) -> Evicted {
        if !self.outcomes[row].evicted {
            return Evicted::default();
        }
        u32::try_from(row).ok().and_then(|row| self.evicted.get(&row)).copied().unwrap_or_default()
    }

    /// How a job that ran to its end is counted: as recorded, or completed where the trace does not say; reaped where it
    /// was stopped for idling.
    #[must_use]
    pub fn status(&self, trace: &Trace, row: usize) -> &'static str {
        match self.outcomes[row].fate {
            Fate::Unseen => "",
            Fate::Rejected => "rejected",
            Fate::Waiting | Fate::Running => "unfinished",
            Fate::Ended if !self.ran_through(u32::try_from(row).unwrap_or(u32::MAX)) => "reaped",
            Fate::Ended => match trace.jobs[row].status {
                Status::Unspecified | Status::Completed => "completed",
                Status::Failed => "failed",
                Status::Cancelled => "cancelled",
            },
        }
    }

    /// Whether a job that ended did so by itself: the reaper stops others before.
    #[must_use]
    pub fn ran_through(&self, row: u32) -> bool {
        !self.reaped.contains_key(&row)
    }

    /// Whether what a job did is of no use: it ended as failed, or the reaper stopped it.
    #[must_use]
    pub fn came_to_nothing(&self, trace: &Trace, row: usize) -> bool {
        self.outcomes[row].fate == Fate::Ended
            && (trace.jobs[row].status == Status::Failed
                || !self.ran_through(u32::try_from(row).unwrap_or(u32::MAX)))
    }

    /// What the end of a job is: its own, or the reaper's.
    pub(crate) fn ending(&self, row: u32) -> What {
        if self.ran_through(row) { What::Ended } else { What::Reaped }
    }

    /// First submission, ms; `None` for an empty trace.
    #[must_use]
    pub fn first_submit_ms(&self, trace: &Trace) -> Option<i64> {
        trace.jobs.first().map(|job| job.submit_ms)
    }

    /// From the first submission to the last end, ms: the time that all measures are about. Nothing where nobody ever ran.
    #[must_use]
    pub fn window(&self, trace: &Trace) -> Option<(i64, i64)> {
        self.first_submit_ms(trace).zip(self.last_end_ms())
    }

    /// Ends the run with the last end of an attempt, of which there was one `before` in what is not kept. A renewed budget
    /// or a change of capacity that lets nobody start moves the clock on, but there is nothing left to measure.
    pub(crate) fn close(&mut self, before: Option<i64>) {
        self.end_ms = before.max(self.last_end_ms()).unwrap_or(self.end_ms);
    }

    /// The jobs that came before the run ended: all of them, unless it was interrupted. They come in the order of their rows.
    #[must_use]
    pub fn came<'a>(&self, trace: &'a Trace) -> &'a [TraceJob] {
        let seen = || self.outcomes.partition_point(|outcome| outcome.fate != Fate::Unseen);
        &trace.jobs[..if self.interrupted { seen() } else { trace.jobs.len() }]
    }

    /// Until when a job waits or runs, ms; nothing for one that never does.
    pub(crate) fn leaves_ms(&self, outcome: &Outcome) -> Option<i64> {
        match outcome.fate {
            Fate::Unseen | Fate::Rejected => None,
            Fate::Ended => Some(outcome.end_ms),
            Fate::Waiting | Fate::Running => Some(self.end_ms),
        }
    }

    /// How long the last attempt of a job has held resources, ms.
    pub(crate) fn attempt_ms(&self, row: u32) -> u64 {
        let outcome = &self.outcomes[row as usize];
        let end_ms = if outcome.fate == Fate::Running { self.end_ms } else { outcome.end_ms };
        end_ms.abs_diff(outcome.start_ms)
    }

    /// The last end of a job, or the end of the run where a job still runs, ms.
    #[must_use]
    pub fn last_end_ms(&self) -> Option<i64> {
        let ends = self.outcomes.iter().filter_map(|outcome| match outcome.fate {
            Fate::Ended => Some(outcome.end_ms),
            Fate::Running => Some(self.end_ms),
            _ => None,
        });
        ends.chain(self.lost.iter().map(|lost| lost.end_ms)).max()
    }

    /// The last attempt of a job that holds or held to its end, whole.
    pub(crate) fn last_attempt(&self, row: u32, outcome: &Outcome) -> Stretch {
        let Place { pool, alternative, .. } = self.place(outcome);
        Stretch {
            row: row as usize,
            pool: pool as usize,
            alternative: usize::from(alternative),
            start_ms: outcome.start_ms,
            end_ms: if outcome.fate == Fate::Running { self.end_ms } else { outcome.end_ms },
            moving_ms: self.moving.get(&row).copied().unwrap_or(0),
            lost: false,
        }
    }

    /// Every stretch of time in which a job held resources, in no order that means anything. What an evicted attempt had
    /// saved is a stretch of its own, and so is what a job does to be where it was.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        // Few jobs come back from an eviction: what they do until they are where they were follows the attempts of all.
        let last = (0_u32..).zip(&self.outcomes).filter(|(_, outcome)| outcome.holds());
        let last = last.map(|(row, outcome)| {
            let restart_ms = self.restarts.get(&row).copied().unwrap_or(0);
            self.last_attempt(row, outcome).after(restart_ms)
        });
        let back = self.restarts.iter().filter_map(|(row, restart_ms)| {
            let outcome = self.outcomes.get(*row as usize).filter(|outcome| outcome.holds())?;
            Some(self.last_attempt(*row, outcome).before(*restart_ms))
        });
        let lost = self.lost.iter().flat_map(|lost| {
            let rest = lost.whole().after(lost.restart_ms);
            let saved_ms = lost.kept_ms.saturating_add(lost.stays_ms());
            let saved_until = rest.start_ms.saturating_add_unsigned(saved_ms).min(rest.end_ms);
            let kept = Stretch { end_ms: saved_until, moving_ms: lost.stays_ms(), lost: false, ..rest };
            let again = Stretch { start_ms: saved_until, ..rest };
            let back = (lost.restart_ms > 0).then(|| lost.whole().before(lost.restart_ms));
            back.into_iter().chain((saved_ms > 0).then_some(kept)).chain([again])
        });
        last.chain(back).chain(lost)
    }

    /// The part of a stretch that was held to some good: nothing of work that has to be done again or came to nothing, and
    /// of other work not the time in which data sets were moved.
    #[must_use]
    pub fn good(&self, trace: &Trace, stretch: Stretch) -> Option<Stretch> {
        let counts = !stretch.lost && !self.came_to_nothing(trace, stretch.row);
        counts.then(|| stretch.after(stretch.moving_ms))
    }
}

/// A stretch of time in which a job held resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The job's row.
    pub row: usize,
    /// Index of its pool.
    pub pool: usize,
    /// Index of its alternative, in the trace's shape.
    pub alternative: usize,
    /// From, ms.
    pub start_ms: i64,
    /// To, ms.
    pub end_ms: i64,
    /// For how long of its beginning data sets are moved, unless it is lost with them; may be more than all of it, ms.
    pub moving_ms: u64,
    /// It is done because of an eviction alone: it has to be run again, or leads to where the job was.
    pub lost: bool,
}

impl Stretch {
    /// The part in which a job that was stopped gets to where it was.
    fn before(self, restart_ms: u64) -> Self {
        Self { end_ms: self.after(restart_ms).start_ms, lost: true, ..self }
    }

    /// The rest.
    fn after(self, restart_ms: u64) -> Self {
        Self { start_ms: self.start_ms.saturating_add_unsigned(restart_ms).min(self.end_ms), ..self }
    }

    /// How long, ms.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        self.end_ms.abs_diff(self.start_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::TraceOptions;

    /// A trace of jobs that came at these times, ms, and one outcome of each.
    fn run(jobs: &[(i64, Outcome)]) -> (Trace, Record) {
        let row = |(index, (submit_ms, _)): (usize, &(i64, Outcome))| {
            format!("{index},{},1,a,1", submit_ms / 1_000)
        };
        let rows: Vec<String> = jobs.iter().enumerate().map(row).collect();
        let text = format!("job_id,submit_s,run_s,team,gpu\n{}\n", rows.join("\n"));
        let trace = Trace::from_native("jobs", text.into_bytes(), &TraceOptions::default()).unwrap();
        let outcomes = jobs.iter().map(|(_, outcome)| *outcome).collect();
        (trace, Record { outcomes, end_ms: 100_000, ..Record::default() })
    }

    #[test]
    fn a_wait_is_until_the_last_start_without_what_was_held_before() {
        let at = |start_ms, fate, evicted| Outcome { start_ms, fate, evicted, ..Outcome::default() };
        let (trace, mut record) = run(&[
            (0, at(7_000, Fate::Ended, false)),
            (1_000, at(31_000, Fate::Running, true)),
            (2_000, at(5_000, Fate::Waiting, true)),
            (3_000, at(0, Fate::Waiting, false)),
            (4_000, at(0, Fate::Rejected, false)),
            // Recorded as started before it came.
            (5_000, at(4_000, Fate::Ended, false)),
            (6_000, at(0, Fate::Unseen, false)),
        ]);
        record.evicted.insert(1, Evicted { times: 2, held_ms: 10_000 });
        record.evicted.insert(2, Evicted { times: 1, held_ms: 8_000 });
        let waits: Vec<u64> = (0..7).map(|row| record.wait_ms(&trace, row)).collect();
        assert_eq!(waits, [7_000, 20_000, 90_000, 97_000, 0, 0, 0]);
        let times: Vec<u32> = (0..7).map(|row| record.preemptions(row)).collect();
        assert_eq!(times, [0, 2, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn a_place_is_written_once() {
        let mut places = Places::default();
        let place = |pool, nodes| Place { pool, alternative: 1, nodes };
        let asked = [place(0, 2), place(0, 2), place(1, 2), place(0, 2), Place::default()];
        let numbers = asked.map(|one| places.number(one));
        assert_eq!(numbers.map(|number| number.0), [1, 1, 2, 1, 0]);
        assert_eq!(numbers.map(|number| places.get(number).pool), [0, 0, 1, 0, 0]);
        assert_eq!(places.get(PlaceId::default()), Place::default(), "of those that have not started");
    }
}
