//! Queue: how many jobs wait, and how many GPUs they ask.
//!
//! Formula: depth at an instant = jobs that wait; in GPUs: Σ what they ask. Mean = area under the depth / time from the
//! first submission to the last end; the largest value at any instant. Unit: jobs, GPUs. Population: all jobs that were
//! not rejected, over all their attempts, those that never started included until the last end; a job that runs in several
//! ways asks what its last attempt, or its first way, asks. Estimator: exact, from the instants at which the depth changes.
//! Source: Little, "A proof for the queuing formula L = λW", 1961: the area under the depth is all waiting.

use fairshare::ResourceKind;
use serde::Serialize;

use super::series::Slices;
use super::{Demands, ratio};
use crate::event::EventQueue;
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::{Trace, TraceAlternative, TraceShape};

/// The depth of the queue.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Queue {
    /// Mean number of waiting jobs.
    pub jobs_mean: Option<f64>,
    /// Most waiting jobs.
    pub jobs_max: u64,
    /// Mean of the GPUs that waiting jobs ask.
    pub gpus_mean: Option<f64>,
    /// Most GPUs asked by waiting jobs; absent where jobs are not kept and some ask more in one way than in another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus_max: Option<f64>,
    /// Mean numbers of waiting jobs in equal slices of the time; absent where jobs are not kept, since where a slice ends is
    /// known at the end alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs_over_time: Vec<f64>,
}

/// Slices of the time.
pub(super) const SLICES: usize = 40;

/// Areas under the depth, in job-ms and amount × ms, and the largest values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depth {
    /// Jobs × ms.
    pub jobs: u128,
    /// Most jobs at once.
    pub jobs_max: u64,
    /// Amount × ms.
    pub amount: u128,
    /// Largest amount at once.
    pub amount_max: u64,
}

/// The depth of a queue from stretches of waiting: from, to, and the amount that the job asks.
///
/// # Examples
///
/// Three jobs wait from 0 to 4, from 1 to 3 and from 3 to 5 ms: 8 job-ms, never more than two at once, since the second
/// leaves as the third comes.
///
/// ```
/// use fairshare_sim::metrics::queue::depth;
/// let depth = depth(&mut [(0, 4, 1), (1, 3, 2), (3, 5, 1)]);
/// assert_eq!((depth.jobs, depth.jobs_max), (8, 2));
/// assert_eq!((depth.amount, depth.amount_max), (10, 3));
/// ```
#[must_use]
pub fn depth(waits: &mut [(i64, i64, u64)]) -> Depth {
    // Jobs come in order, and so do those that come back: two runs that only have to be merged.
    waits.sort_by_key(|(from, ..)| *from);
    let (mut depth, mut level) = (Depth::default(), Level::default());
    let mut leaves = EventQueue::new();
    for (from, to, asked) in waits.iter().filter(|(from, to, _)| from < to) {
        // Who leaves at an instant does so before who comes.
        while let Some((at, asked)) = leaves.pop_until(*from) {
            depth.pass(&mut level, at);
            (level.jobs, level.amount) = (level.jobs - 1, level.amount - asked);
        }
        depth.pass(&mut level, *from);
        (level.jobs, level.amount) = (level.jobs + 1, level.amount + asked);
        leaves.push(*to, *asked);
    }
    while let Some((at, asked)) = leaves.pop_until(i64::MAX) {
        depth.pass(&mut level, at);
        (level.jobs, level.amount) = (level.jobs - 1, level.amount - asked);
    }
    depth
}

/// How deep a queue is, and since when, ms.
#[derive(Clone, Copy, Default)]
struct Level {
    jobs: u64,
    amount: u64,
    since: i64,
}

impl Depth {
    /// Adds the time that a level has lasted until `at`.
    fn pass(&mut self, level: &mut Level, at: i64) {
        let Level { jobs, amount, since } = *level;
        let length_ms = at.abs_diff(since);
        if length_ms > 0 {
            level.since = at;
            self.jobs += u128::from(jobs) * u128::from(length_ms);
            self.amount += u128::from(amount) * u128::from(length_ms);
            self.jobs_max = self.jobs_max.max(jobs);
            self.amount_max = self.amount_max.max(amount);
        }
    }
}

/// Tells every stretch of waiting that lasted, until the end of the run: row, from, to. First those that began with a
/// submission, in the order in which they did, then those that began with an eviction, in theirs.
pub fn waits(trace: &Trace, record: &Record, mut tell: impl FnMut(usize, i64, i64)) {
    let mut lost: Vec<(usize, i64, i64)> =
        record.lost.iter().map(|lost| (lost.row as usize, lost.start_ms, lost.end_ms)).collect();
    lost.sort_unstable();
    let mut lost = lost.into_iter().peekable();
    let mut again: Vec<(i64, usize, i64)> = Vec::new();
    let mut add = |row: usize, from: i64, to: i64| {
        if from < to {
            tell(row, from, to);
        }
    };
    for (row, (job, outcome)) in trace.jobs.iter().zip(&record.outcomes).enumerate() {
        if matches!(outcome.fate, Fate::Unseen | Fate::Rejected) {
            continue;
        }
        let last = if outcome.holds() { outcome.start_ms } else { record.end_ms };
        let Some((_, start, end)) = lost.next_if(|lost| lost.0 == row) else {
            add(row, job.submit_ms, last);
            continue;
        };
        add(row, job.submit_ms, start);
        let mut since = end;
        while let Some((_, start, end)) = lost.next_if(|lost| lost.0 == row) {
            again.push((since, row, start));
            since = end;
        }
        again.push((since, row, last));
    }
    again.sort_unstable();
    for (from, row, to) in again {
        add(row, from, to);
    }
}

/// The same with the GPUs that the job asks, in thousandths.
pub(super) fn asking(
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    mut tell: impl FnMut(usize, i64, i64, u64),
) {
    waits(trace, record, |row, from, to| {
        let alternative = usize::from(record.place(&record.outcomes[row]).alternative);
        tell(row, from, to, demands.of(trace, row, alternative)[ResourceKind::GPU].get());
    });
}

/// The depth over time, in thousandths of jobs and of the GPUs that they ask: of all, then of each team.
#[must_use]
pub fn over_time(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    empty: &Slices,
) -> Vec<[Slices; 2]> {
    let mut all = vec![[empty.clone(), empty.clone()]; 1 + setup.config.teams.len()];
    asking(trace, record, demands, |row, from, to, asked| {
        let team = setup.team_of[trace.jobs[row].team as usize].index();
        for place in [0, 1 + team] {
            for (slices, amount) in all[place].iter_mut().zip([1_000, asked]) {
                slices.add(from, to, amount);
            }
        }
    });
    all
}

/// The depth over a `window` of time, ms; it must be longer than nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "GPUs for people, from exact thousandths")]
pub fn queue(trace: &Trace, record: &Record, demands: &Demands, window: (i64, i64)) -> Queue {
    let span_ms = window.1.abs_diff(window.0);
    let mut slices = Slices::new(window.0, window.1, SLICES);
    let mut waits = Vec::new();
    asking(trace, record, demands, |_, from, to, asked| {
        slices.add(from, to, 1);
        waits.push((from, to, asked));
    });
    let depth = depth(&mut waits);
    Queue {
        jobs_over_time: slices.averages(),
        jobs_mean: ratio(depth.jobs, u128::from(span_ms)),
        jobs_max: depth.jobs_max,
        gpus_mean: ratio(depth.amount, 1_000 * u128::from(span_ms)),
        gpus_max: Some(depth.amount_max as f64 / 1_000.0),
    }
}

/// Areas under the depth, of jobs that are looked at part by part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Areas {
    jobs: u128,
    amount: u128,
}

impl Areas {
    /// Adds all waiting of further jobs.
    pub fn add(&mut self, trace: &Trace, record: &Record, demands: &Demands) {
        asking(trace, record, demands, |_, from, to, asked| {
            self.jobs += u128::from(to.abs_diff(from));
            self.amount += u128::from(asked) * u128::from(to.abs_diff(from));
        });
    }

    /// The depth over a time of `span_ms`, which must be longer than nothing. What a job asks while it
    /// waits is known at the time only where all ways to run it ask the same.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "GPUs for people, from exact thousandths")]
    pub fn queue(&self, trace: &Trace, deepest: &Deepest, span_ms: u64) -> Queue {
        let gpus = |way: &TraceAlternative| way.total(ResourceKind::GPU.index());
        let is_one =
            |shape: &TraceShape| shape.alternatives.windows(2).all(|two| gpus(&two[0]) == gpus(&two[1]));
        Queue {
            jobs_over_time: Vec::new(),
            jobs_mean: ratio(self.jobs, u128::from(span_ms)),
            jobs_max: deepest.jobs_max,
            gpus_mean: ratio(self.amount, 1_000 * u128::from(span_ms)),
            gpus_max: trace.shapes.iter().all(is_one).then(|| deepest.amount_max as f64 / 1_000.0),
        }
    }
}

/// The largest depth of a run that is watched, for jobs that are not kept.
///
/// # Examples
///
/// The jobs of [`depth`]: what comes and goes in an instant counts as it is when all of the instant is done. The first two end
/// as soon as they start; what comes after the last end, and never starts, does not count.
///
/// ```
/// use fairshare_sim::metrics::queue::Deepest;
/// let mut deepest = Deepest::default();
/// deepest.enters(1);
/// deepest.instant(0);
/// deepest.enters(2);
/// deepest.instant(1);
/// deepest.leaves(2);
/// deepest.ends();
/// deepest.enters(1);
/// deepest.instant(3);
/// deepest.leaves(1);
/// deepest.ends();
/// deepest.instant(4);
/// deepest.enters(5);
/// deepest.enters(5);
/// deepest.instant(5);
/// deepest.instant(6);
/// assert_eq!((deepest.jobs_max, deepest.amount_max), (2, 3));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Deepest {
    /// Most jobs at once.
    pub jobs_max: u64,
    /// Largest amount at once.
    pub amount_max: u64,
    /// The same, what came after the last end included: whether there will be another is not known yet.
    open: (u64, u64),
    /// Something ended since the last instant.
    ended: bool,
    jobs: u64,
    amount: u64,
    /// What has held since the last instant, ms.
    settled: Option<(i64, u64, u64)>,
}

impl Deepest {
    /// A job waits from now on.
    pub fn enters(&mut self, asked: u64) {
        self.jobs += 1;
        self.amount = self.amount.saturating_add(asked);
    }

    /// A job waits no longer.
    pub fn leaves(&mut self, asked: u64) {
        self.jobs = self.jobs.saturating_sub(1);
        self.amount = self.amount.saturating_sub(asked);
    }

    /// An attempt ends now: what was waited for until then counts.
    pub fn ends(&mut self) {
        self.ended = true;
    }

    /// All of an instant is done; there may be more of the same.
    pub fn instant(&mut self, at: i64) {
        if let Some((since, jobs, amount)) = self.settled
            && since < at
        {
            self.open = (self.open.0.max(jobs), self.open.1.max(amount));
        }
        if std::mem::take(&mut self.ended) {
            (self.jobs_max, self.amount_max) = self.open;
        }
        self.settled = Some((at, self.jobs, self.amount));
    }
}
