//! Caution: what a statistician would say of a run's figures.
//!
//! What is inferred is said from 1,000 jobs on; below it every figure is anecdote, and the number of jobs is printed beside
//! it. What is exact is said of any number: a load above 1, though a few jobs may be done before anybody waits, and
//! unfinished jobs, which are in no mean, so that means are too small. A load above 1 has no steady state: of many jobs
//! waits grow for as long as they come. The first jobs meet an empty cluster: where the first tenth of the jobs, in order
//! of submission, waited less than half as long as the others on average, the mean depends on how much of this beginning
//! the trace holds. A record that is truncated shows it in two ways: jobs that share its last instant as their end probably
//! still ran when it ended, and so for longer than it says; and where more than a fifth of the run comes after the last
//! submission, what is measured to the last end (utilization, goodput, idle cost) is of a cluster that empties as much as
//! of one that jobs come to.

use super::counts::Jobs;
use super::ratio;
use crate::duration::human_s;
use crate::trace::{Recorded, Trace};

/// Jobs below which nothing is inferred.
const JOBS: u64 = 1_000;

/// Part of a run after the last submission beyond which that is said.
const EMPTYING: f64 = 0.2;
/// So many jobs that end as the last ones at one instant are no chance, where they are also one in a thousand.
const ENDING_TOGETHER: u64 = 2;

/// How many of the recorded ends are at the last instant of all, where these are too many to be chance.
///
/// # Examples
///
/// Three of five jobs end when the last one does; and of four, one alone is the last:
///
/// ```
/// use fairshare_sim::metrics::caution::cut_off;
/// assert_eq!(cut_off([10, 90, 90, 40, 90]), Some(3));
/// assert_eq!(cut_off([10, 90, 80, 80]), None);
/// ```
#[must_use]
pub fn cut_off(ends_ms: impl IntoIterator<Item = i64>) -> Option<u64> {
    let (mut last, mut at_last, mut all) = (i64::MIN, 0_u64, 0_u64);
    for end in ends_ms {
        all += 1;
        if end > last {
            (last, at_last) = (end, 0);
        }
        at_last += u64::from(end == last);
    }
    (at_last >= ENDING_TOGETHER.max(all / 1_000)).then_some(at_last)
}

/// What is to be said of jobs that have a wait, and were stopped for idling before they ended.
///
/// # Examples
///
/// ```
/// use fairshare_sim::metrics::caution::of_stopped;
/// let said = "1 job was stopped for idling: its wait counts, and no response, slowdown or finish time";
/// assert_eq!(of_stopped(1).as_deref(), Some(said));
/// assert_eq!(of_stopped(0), None);
/// ```
#[must_use]
pub fn of_stopped(jobs: u64) -> Option<String> {
    let said = match jobs {
        0 => return None,
        1 => "1 job was stopped for idling: its wait counts".to_owned(),
        _ => format!("{jobs} jobs were stopped for idling: their waits count"),
    };
    Some(format!("{said}, and no response, slowdown or finish time"))
}

/// What is to be said of where a record ends.
#[must_use]
pub fn of_end(trace: &Trace) -> Option<String> {
    if (trace.jobs.len() as u64) < JOBS {
        return None;
    }
    let together = cut_off(trace.recorded.iter().flatten().filter_map(Recorded::end_ms))?;
    Some(format!(
        "{together} jobs end at the last instant of the record: they probably still ran when it ended, and so for longer than \
         it says"
    ))
}

/// What is to be said of jobs that were held back so often since preemption went round.
///
/// # Examples
///
/// ```
/// use fairshare_sim::metrics::caution::of_circles;
/// assert_eq!(of_circles(0), None);
/// assert!(of_circles(2).unwrap().starts_with("preemption went round 2 times"));
/// ```
#[must_use]
pub fn of_circles(held: u64) -> Option<String> {
    let times = if held == 1 { "once".to_owned() } else { format!("{held} times") };
    (held > 0).then(|| {
        format!(
            "preemption went round {times}: a job that had been preempted three times while no job came or ended was held until \
             one did; `strategies = [\"LessThanOrEqualToFinalShare\"]` in `[policy]` does not go round"
        )
    })
}

/// What is to be said of a run that forgets its jobs as they end.
pub(crate) const OF_SKETCH: &str = "with `--quantiles sketch` jobs are forgotten as they end: groups, queue depth over time, fairness, and \
    the responses, slowdowns, shares and entitlements of teams are not measured";

/// The same, of one whose jobs wait for others.
pub(crate) const OF_LINKS: &str =
    "with `--quantiles sketch` nobody looks at whether `after` can come true: `sim trace check` does";

/// What is to be said of a run of `makespan_s` whose last job comes after `span_s`.
///
/// # Examples
///
/// ```
/// use fairshare_sim::metrics::caution::of_emptying;
/// assert_eq!(of_emptying(999, 60.0, 100.0), None, "too few jobs");
/// assert_eq!(of_emptying(1_000, 80.0, 100.0), None);
/// assert!(of_emptying(1_000, 60.0, 100.0).unwrap().starts_with("40% of the run come after the last submission"));
/// ```
#[must_use]
pub fn of_emptying(submitted: u64, span_s: f64, makespan_s: f64) -> Option<String> {
    let part = (submitted >= JOBS && makespan_s > 0.0).then(|| 1.0 - span_s / makespan_s)?;
    (part > EMPTYING + 1e-9).then(|| {
        format!(
            "{:.0}% of the run come after the last submission, when the cluster only empties: utilization, goodput and idle \
             cost are of that time too",
            part * 100.0
        )
    })
}

/// Whether waits in order of submission begin with a warm-up: mean of the first tenth and of the others, seconds.
///
/// # Examples
///
/// Of ten jobs the first waits 1 s and the others 3 s on average:
///
/// ```
/// use fairshare_sim::metrics::caution::warm_up;
/// let waits = [1_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000];
/// assert_eq!(warm_up(&waits), Some((1.0, 3.0)));
/// assert_eq!(warm_up(&[2_000; 10]), None);
/// ```
#[must_use]
pub fn warm_up(waits_ms: &[u64]) -> Option<(f64, f64)> {
    let (first, others) = waits_ms.split_at(waits_ms.len() / 10);
    let mean = |waits: &[u64]| {
        let sum = waits.iter().map(|wait| u128::from(*wait)).sum();
        ratio(sum, 1_000 * waits.len() as u128)
    };
    mean(first).zip(mean(others)).filter(|(first, others)| first * 2.0 < *others)
}

/// What is to be said of offered loads by pool, and of unfinished jobs; `longest_s`: the longest wait.
#[must_use]
pub fn of_counts<'a>(
    loads: impl Iterator<Item = (&'a str, Option<f64>)>,
    jobs: &Jobs,
    longest_s: Option<f64>,
) -> Vec<String> {
    let mut cautions = Vec::new();
    let many = jobs.submitted >= JOBS;
    let waited = jobs.unfinished > 0 || longest_s.is_some_and(|longest| longest > 0.0);
    let then =
        if many { ": its queue grows as long as jobs come, and waits with it" } else { " while jobs come" };
    for (pool, load) in loads.filter(|_| many || waited) {
        if let Some(load) = load.filter(|load| *load > 1.0) {
            cautions.push(format!("pool `{pool}` is offered {load:.2} times what it has{then}"));
        }
    }
    if jobs.unfinished > 0 {
        let count = jobs.unfinished;
        let unfinished = if count == 1 { "1 job is".to_owned() } else { format!("{count} jobs are") };
        cautions.push(format!("{unfinished} unfinished and in no mean, so means are too small"));
    }
    cautions
}

/// What is to be said of the beginning of a run of so many jobs that was not trimmed; it takes the wait of each that ended, in
/// order.
#[must_use]
pub fn of_beginning(jobs: usize, waits_ms: &[u64]) -> Option<String> {
    if (jobs as u64) < JOBS {
        return None;
    }
    let (first, others) = warm_up(waits_ms)?;
    Some(format!(
        "the first tenth of the jobs waited {} on average, the others {}: the cluster begins empty (see `--trim`)",
        human_s(first),
        human_s(others)
    ))
}
