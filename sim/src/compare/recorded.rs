//! What really happened, as a record: the starts and ends that the trace itself has.
//!
//! A job ran from its recorded start to its recorded end, or for its run time where no end is recorded; what it waited
//! is the time from submission to start. Where it ran is not recorded: it counts in the first pool, in the order of the
//! scenario, that its first alternative fits. Population: jobs with a recorded start; the others are not counted at
//! all, and how many there are is said. Absent on purpose: whether the scenario's cluster could have done the same.

use fairshare::{Entry, EntryKind, LogDigest, PoolId, Timestamp};

use crate::error::SimError;
use crate::metrics::utilization::fitting;
use crate::record::{Fate, Outcome, Place, Record};
use crate::setup::Setup;
use crate::trace::{Recorded, Trace, TraceShape};

/// The name under which it stands beside policies.
pub const NAME: &str = "recorded";

/// What the trace says of itself, and what should be known about it.
///
/// # Errors
///
/// [`SimError::Usage`] if no job of the trace has a recorded start.
pub(super) fn record(setup: &Setup, trace: &Trace) -> Result<(Record, Vec<String>), SimError> {
    let starts = trace.recorded.iter().flatten().filter(|recorded| recorded.start_ms().is_some()).count();
    if starts == 0 {
        let message =
            "policy `recorded` needs a trace that says when its jobs started, and this one does not";
        let hint = "the native columns are `start_s` and `end_s`";
        return Err(SimError::usage_with_hint(message, hint));
    }
    let homes: Vec<Option<Home>> = trace.shapes.iter().map(|shape| Home::new(setup, shape)).collect();
    let mut record = Record::default();
    let mut digest = LogDigest::new();
    let (mut unsure, mut homeless, mut held_ms) = (0_u64, 0_u64, 0_u128);
    for (row, job) in trace.jobs.iter().enumerate() {
        let recorded = trace.recorded.as_ref().and_then(|recorded| recorded.get(row));
        let Some(start_ms) = recorded.and_then(Recorded::start_ms) else {
            record.outcomes.push(Outcome::default());
            continue;
        };
        let Some(home) = homes.get(job.shape as usize).copied().flatten() else {
            homeless += 1;
            record.outcomes.push(Outcome::default());
            continue;
        };
        unsure += u64::from(!home.only);
        let run_end = start_ms.saturating_add_unsigned(job.run_ms);
        let end_ms = recorded.and_then(Recorded::end_ms).filter(|end| *end >= start_ms);
        let place = Place { pool: home.pool, alternative: home.alternative, nodes: 0 };
        let place = record.places.number(place);
        let end_ms = end_ms.unwrap_or(run_end);
        let outcome = Outcome { start_ms, end_ms, place, fate: Fate::Ended, evicted: false };
        // What the record says may be more than the pools could hold at once, so it is counted job by job.
        held_ms += u128::from(outcome.end_ms.abs_diff(outcome.start_ms));
        record.end_ms = record.end_ms.max(outcome.end_ms);
        let (at, number) = (Timestamp::from_millis(start_ms), u32::try_from(row).unwrap_or(u32::MAX));
        let moving_ms = setup.moving_ms(trace, number, home.pool as usize);
        if moving_ms > 0 {
            record.moving.insert(number, moving_ms);
        }
        let (kind, pool) = (EntryKind::Start, PoolId::new(home.pool));
        digest.add(&Entry { at, kind, number, attempt: 0, pool, alternative: home.alternative });
        record.outcomes.push(outcome);
    }
    setup.charges(held_ms)?;
    record.digest = digest.to_string();
    Ok((record, cautions(trace.jobs.len() - starts, homeless, unsure)))
}

/// Where the jobs of a shape are counted.
#[derive(Clone, Copy)]
struct Home {
    pool: u32,
    alternative: u16,
    /// Whether there is no other pool for them.
    only: bool,
}

impl Home {
    fn new(setup: &Setup, shape: &TraceShape) -> Option<Self> {
        let (spec, kept) = setup.shape(shape).ok()?;
        let pools = fitting(setup, spec.alternatives.first()?);
        let pool = u32::try_from(*pools.first()?).ok()?;
        Some(Self { pool, alternative: *kept.first()?, only: pools.len() == 1 })
    }
}

/// What should be known, in words.
fn cautions(unstarted: usize, homeless: u64, unsure: u64) -> Vec<String> {
    let jobs = |count: u64| if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") };
    let mut cautions = Vec::new();
    for (count, what) in [
        (unstarted as u64, "without a recorded start: not counted"),
        (homeless, "for which the scenario has no pool: not counted"),
        (unsure, "that could have run in several pools: counted in the first"),
    ] {
        if count > 0 {
            cautions.push(format!("recorded: {} {what}", jobs(count)));
        }
    }
    cautions
}
