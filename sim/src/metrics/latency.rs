//! Latency: how long until something is decided about a job.
//!
//! Formula: latency = first decision − submission, where the first decision is the first start, evicted later or not, or
//! the rejection. Unit: seconds, to the millisecond: the scheduler looks at every job in the instant in which it comes,
//! and at all that wait whenever anything changes, so that deciding itself takes no simulated time. It is what somebody
//! in front of a development session waits; `wait` goes on over evictions. Population: jobs that started or were
//! rejected, never trimmed; those about which nothing was decided are in none. By class and by size it is the same jobs,
//! so that the counts add up to that of all; by pool it is those that started, since a rejected job has none. Estimator:
//! see `distribution`. Source: what operators of interactive jobs ask for ("sub-second scheduling").

use crate::record::{Fate, Outcome, Record};
use crate::trace::Trace;

/// The first decision about a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum First {
    /// It started so many ms after it came.
    Start(u64),
    /// It was rejected when it came.
    Rejection,
    /// None was made.
    None,
}

impl First {
    /// How long until it, ms; `None` where none was made.
    ///
    /// # Examples
    ///
    /// A job that starts 2 s after it came, one that starts after 3 s, is evicted and starts again after 60 s, one that is
    /// rejected, and one that never starts:
    ///
    /// ```
    /// use fairshare_sim::metrics::{distribution::Distribution, latency::First};
    /// let firsts = [First::Start(2_000), First::Start(3_000), First::Rejection, First::None];
    /// let mut millis: Vec<u64> = firsts.into_iter().filter_map(First::millis).collect();
    /// assert_eq!(millis, [2_000, 3_000, 0]);
    /// assert_eq!(Distribution::of_millis(&mut millis).mean, Some(5.0 / 3.0));
    /// ```
    #[must_use]
    pub fn millis(self) -> Option<u64> {
        match self {
            Self::Start(millis) => Some(millis),
            Self::Rejection => Some(0),
            Self::None => None,
        }
    }
}

/// The first decision about every job.
#[derive(Clone, Debug)]
pub struct Firsts {
    /// By row, where any job was evicted: the first start of one that was, ms; of others the last time that there is.
    evicted: Vec<i64>,
}

impl Firsts {
    /// Those of a run.
    #[must_use]
    pub fn new(record: &Record) -> Self {
        let rows = if record.lost.is_empty() { 0 } else { record.outcomes.len() };
        let mut evicted = vec![i64::MAX; rows];
        for lost in &record.lost {
            if let Some(first) = evicted.get_mut(lost.row as usize) {
                *first = lost.start_ms.min(*first);
            }
        }
        Self { evicted }
    }

    /// The first decision about job `row`.
    ///
    /// # Panics
    ///
    /// Only on a bug: a row that the trace does not have.
    #[must_use]
    pub fn of(&self, trace: &Trace, record: &Record, row: usize) -> First {
        let (job, outcome) = (&trace.jobs[row], &record.outcomes[row]);
        let after =
            |start: i64| First::Start(u64::try_from(start.saturating_sub(job.submit_ms)).unwrap_or(0));
        match outcome.fate {
            _ if outcome.evicted => self.evicted.get(row).map_or(First::None, |start| after(*start)),
            Fate::Running | Fate::Ended => after(outcome.start_ms),
            Fate::Rejected => First::Rejection,
            Fate::Unseen | Fate::Waiting => First::None,
        }
    }

    /// Whether the first decision about each of `rows`, which ended, is the end of its wait, and they are all about whom one
    /// was made: nobody was evicted, rejected or is still running, so that both measures are one.
    #[must_use]
    pub fn end_waits(&self, record: &Record, rows: &[u32]) -> bool {
        let decided = |outcome: &&Outcome| !matches!(outcome.fate, Fate::Unseen | Fate::Waiting);
        self.evicted.is_empty() && record.outcomes.iter().filter(decided).count() == rows.len()
    }

    /// The rows of the jobs about which one was made, ascending.
    pub fn decided(&self, trace: &Trace, record: &Record) -> impl Iterator<Item = u32> {
        let rows = 0..u32::try_from(trace.jobs.len()).unwrap_or(u32::MAX);
        rows.filter(|row| self.of(trace, record, *row as usize) != First::None)
    }
}
