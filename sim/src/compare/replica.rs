//! Replicas: traces that might as well have come, drawn from one that did.
//!
//! Block bootstrap (Carlstein 1986): the time of submissions is cut into whole blocks, and a replica is as many blocks,
//! drawn with replacement and put one after the other. What happens within a block, bursts and the rhythm of a day, is
//! kept; how busy a day follows a quiet one is not. A block is a week where ten fit, else a day where five fit, else a
//! tenth of the time. What is left after the last whole block is in no replica. Recorded starts and deadlines move with
//! their jobs. Absent on purpose: names that differ, since nothing is looked up by them in a replay.

use crate::rng::Stream;
use crate::trace::{Recorded, Trace};

const DAY_MS: u64 = 86_400_000;

/// How long a block of a trace is, ms.
///
/// # Examples
///
/// Seventy days, a week, and ten minutes:
///
/// ```
/// use fairshare_sim::compare::block_ms;
/// let day = 86_400_000;
/// assert_eq!([block_ms(70 * day), block_ms(7 * day), block_ms(600_000)], [7 * day, day, 60_000]);
/// ```
#[must_use]
pub fn block_ms(span_ms: u64) -> u64 {
    let fits = [(7 * DAY_MS, 10), (DAY_MS, 5)].into_iter().find(|(length, count)| span_ms / length >= *count);
    fits.map_or((span_ms / 10).max(1), |(length, _)| length)
}

/// First to last submission, ms.
#[must_use]
pub(super) fn span_ms(trace: &Trace) -> u64 {
    let ends = trace.jobs.first().zip(trace.jobs.last());
    ends.map_or(0, |(first, last)| last.submit_ms.abs_diff(first.submit_ms))
}

/// One replica.
#[must_use]
pub(super) fn draw(trace: &Trace, stream: &mut Stream) -> Trace {
    let span = span_ms(trace);
    let block = block_ms(span);
    let blocks = (span / block).max(1);
    let origin = trace.jobs.first().map_or(0, |job| job.submit_ms);
    let at = |block_number: u64| origin.saturating_add_unsigned(block_number * block);
    let row_at = |time: i64| trace.jobs.partition_point(|job| job.submit_ms < time);
    let mut picks: Vec<(u32, i64)> = Vec::with_capacity(trace.jobs.len());
    for place in 0..blocks {
        let from = at(stream.below(blocks));
        let rows = row_at(from)..row_at(from.saturating_add_unsigned(block));
        let shift = at(place) - from;
        picks.extend(rows.map(|row| (u32::try_from(row).unwrap_or(u32::MAX), shift)));
    }
    picked(trace, &picks)
}

/// The rows picked, each moved by so many ms.
fn picked(trace: &Trace, picks: &[(u32, i64)]) -> Trace {
    let rows: Vec<u32> = picks.iter().map(|(row, _)| *row).collect();
    let mut replica = Trace {
        teams: trace.teams.clone(),
        users: trace.users.clone(),
        owners: trace.owners.clone(),
        priorities: trace.priorities.clone(),
        shapes: trace.shapes.clone(),
        lengths: trace.lengths.clone(),
        resources: trace.resources.clone(),
        names: trace.names.kept(&rows),
        ..Trace::default()
    };
    for (number, &(row, shift)) in (0_u32..).zip(picks) {
        let mut job = trace.jobs[row as usize];
        job.submit_ms = job.submit_ms.saturating_add(shift);
        replica.jobs.push(job);
        if let Some(extra) = trace.extras.get(row as usize) {
            let mut extra = extra.clone();
            extra.deadline_ms = extra.deadline_ms.map(|deadline| deadline.saturating_add(shift));
            replica.extras.entries.push((number, extra));
        }
    }
    replica.recorded = trace.recorded.as_ref().map(|recorded| {
        let moved = |(row, shift): &(u32, i64)| {
            let recorded = recorded[*row as usize];
            let [start, end] = [recorded.start_ms(), recorded.end_ms()]
                .map(|time| time.map(|time| time.saturating_add(*shift)));
            Recorded::new(start, end)
        };
        picks.iter().map(moved).collect()
    });
    replica
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;
    use crate::trace::TraceJob;

    /// Eleven jobs, the one numbered n submitted at 100·n + n ms: ten blocks of 101 ms, the last job in none of them.
    fn trace() -> Trace {
        let job = |number: i64| TraceJob {
            submit_ms: 101 * number,
            run_ms: number.unsigned_abs(),
            lengths: 0,
            team: 0,
            user: 0,
            owner: 0,
            has_owner: false,
            shape: 0,
            status: crate::trace::Status::Unspecified,
        };
        let mut trace = Trace { jobs: (0..11).map(job).collect(), ..Trace::default() };
        trace.recorded =
            Some(trace.jobs.iter().map(|job| Recorded::new(Some(job.submit_ms + 7), None)).collect());
        for number in 0..11_u64 {
            trace.names.push_number(number);
        }
        trace
    }

    #[test]
    fn a_replica_is_made_of_whole_blocks_in_new_places() {
        let trace = trace();
        let streams = Streams::new(3);
        let replica = draw(&trace, &mut streams.stream("one"));
        let submits: Vec<i64> = replica.jobs.iter().map(|job| job.submit_ms).collect();
        assert_eq!(submits, (0..10).map(|number| 101 * number).collect::<Vec<_>>(), "one job a block");
        let drawn: Vec<u64> = replica.jobs.iter().map(|job| job.run_ms).collect();
        assert!(drawn.iter().all(|number| *number < 10), "the rest is in none: {drawn:?}");
        assert!((1..10).any(|place| drawn[place] <= drawn[place - 1]), "drawn with replacement: {drawn:?}");
        for (job, recorded) in replica.jobs.iter().zip(replica.recorded.as_ref().unwrap()) {
            assert_eq!(recorded.start_ms(), Some(job.submit_ms + 7));
        }
        let again = draw(&trace, &mut streams.stream("one"));
        assert_eq!(replica.jobs, again.jobs);
        assert_ne!(replica.jobs, draw(&trace, &mut streams.stream("two")).jobs);
    }

    #[test]
    fn a_trace_without_time_is_drawn_whole() {
        let mut trace = trace();
        trace.jobs.truncate(1);
        let replica = draw(&trace, &mut Streams::new(0).stream("x"));
        assert_eq!(replica.jobs, trace.jobs);
        assert!(draw(&Trace::default(), &mut Streams::new(0).stream("x")).jobs.is_empty());
    }
}
