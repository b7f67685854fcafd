//! Caution: what a statistician would say of a run's figures.
//!
//! Said from 1,000 jobs on; below it every figure is anecdote, and the number of jobs is printed beside it. A load above
//! 1 has no steady state: waits grow for as long as jobs come. Unfinished jobs are in no mean, so that means are too
//! small. The first jobs meet an empty cluster: where the first tenth of the jobs, in order of submission, waited less
//! than half as long as the others on average, the mean depends on how much of this beginning the trace holds.

use super::ratio;
use crate::duration::human_s;
use crate::record::{Fate, Record};
use crate::summary::Jobs;

/// Jobs below which nothing is said.
const JOBS: u64 = 1_000;

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

/// What is to be said of offered loads by pool, and of unfinished jobs.
#[must_use]
pub fn of_counts<'a>(loads: impl Iterator<Item = (&'a str, Option<f64>)>, jobs: &Jobs) -> Vec<String> {
    let mut cautions = Vec::new();
    if jobs.submitted < JOBS {
        return cautions;
    }
    for (pool, load) in loads {
        if let Some(load) = load.filter(|load| *load > 1.0) {
            cautions.push(format!(
                "pool `{pool}` is offered {load:.2} times what it has: its queue grows as long as jobs come, and waits with it"
            ));
        }
    }
    if jobs.unfinished > 0 {
        let count = jobs.unfinished;
        let unfinished = if count == 1 { "1 job is".to_owned() } else { format!("{count} jobs are") };
        cautions.push(format!("{unfinished} unfinished and in no mean, so means are too small"));
    }
    cautions
}

/// What is to be said of the beginning of a run that was not trimmed; it takes every job's wait, in order.
#[must_use]
pub fn of_beginning(record: &Record) -> Option<String> {
    if (record.outcomes.len() as u64) < JOBS {
        return None;
    }
    let ended = record.outcomes.iter().filter(|outcome| outcome.fate == Fate::Ended);
    let waits: Vec<u64> = ended.map(|outcome| outcome.wait_ms).collect();
    let (first, others) = warm_up(&waits)?;
    Some(format!(
        "the first tenth of the jobs waited {} on average, the others {}: the cluster begins empty (see `--trim`)",
        human_s(first),
        human_s(others)
    ))
}
