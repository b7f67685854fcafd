//! Latency: how long until something is decided about a job.
//!
//! latency = first decision − submission, where the first decision is the first start, evicted later or not, or the
//! rejection. Seconds, to the millisecond: the scheduler looks at every job in the instant in which it comes, and at all
//! that wait whenever anything changes, so that deciding itself takes no simulated time. It is what somebody in front of a
//! development session waits; `wait` goes on over evictions. Population: jobs that started or were rejected, never
//! trimmed; those that never started are in none. Estimator: see `distribution`. Source: what operators of interactive
//! jobs ask for ("sub-second scheduling").

use std::collections::BTreeMap;

use super::distribution::Distribution;
use crate::record::{Fate, Record};
use crate::trace::Trace;

/// The latencies of all jobs about which anything was decided.
///
/// # Examples
///
/// A job that starts 2 s after it came, one that starts after 3 s, is evicted and starts again after 60 s, one that is
/// rejected, and one that never starts: 2 s, 3 s and 0 s.
///
/// ```
/// use fairshare_sim::metrics::latency::{First, latencies};
/// let firsts = [First::Start(2_000), First::Start(3_000), First::Rejection, First::None];
/// let latencies = latencies(firsts.into_iter());
/// assert_eq!((latencies.count, latencies.mean, latencies.max), (3, Some(5.0 / 3.0), Some(3.0)));
/// ```
#[must_use]
pub fn latencies(firsts: impl Iterator<Item = First>) -> Distribution {
    let millis = firsts.filter_map(|first| match first {
        First::Start(millis) => Some(millis),
        First::Rejection => Some(0),
        First::None => None,
    });
    Distribution::of_millis(&mut millis.collect::<Vec<_>>())
}

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

/// The first decision about every job.
#[must_use]
pub fn firsts(trace: &Trace, record: &Record) -> Vec<First> {
    let mut evicted: BTreeMap<u32, i64> = BTreeMap::new();
    for lost in &record.lost {
        let first = evicted.entry(lost.row).or_insert(lost.start_ms);
        *first = (*first).min(lost.start_ms);
    }
    let first = |(row, (job, outcome)): (u32, (&crate::trace::TraceJob, &crate::record::Outcome))| {
        let after =
            |start: i64| First::Start(u64::try_from(start.saturating_sub(job.submit_ms)).unwrap_or(0));
        match (evicted.get(&row), outcome.fate) {
            (Some(start), _) => after(*start),
            (None, Fate::Running | Fate::Ended) => after(outcome.start_ms),
            (None, Fate::Rejected) => First::Rejection,
            (None, Fate::Unseen | Fate::Waiting) => First::None,
        }
    };
    (0_u32..).zip(trace.jobs.iter().zip(&record.outcomes)).map(first).collect()
}
