//! Wait and response.
//!
//! wait = all time spent waiting, over all attempts, until the first start that was not evicted; response = end −
//! submit. Seconds, from exact ms. Population: see `population`. Absent on purpose: jobs that still wait; they are
//! counted as unfinished.

use super::distribution::Distribution;
use crate::record::Record;
use crate::trace::Trace;

/// Waits of all jobs that count, and of each team's.
#[derive(Clone, Debug)]
pub struct Waits {
    /// Over all teams.
    pub all: Distribution,
    /// By the scheduler's number of the team.
    pub by_team: Vec<Distribution>,
}

/// The waits of `rows`; `team_of` gives the team of a row, below `teams`.
#[must_use]
pub fn waits(record: &Record, rows: &[u32], teams: usize, team_of: impl Fn(usize) -> usize) -> Waits {
    let wait = |row: u32| record.outcomes[row as usize].wait_ms;
    // One buffer, sorted into the teams by counting: no allocation per team.
    let mut starts = vec![0_usize; teams + 1];
    for &row in rows {
        starts[team_of(row as usize) + 1] += 1;
    }
    for team in 0..teams {
        starts[team + 1] += starts[team];
    }
    let mut next = starts.clone();
    let mut values = vec![0_u64; rows.len()];
    for &row in rows {
        let at = &mut next[team_of(row as usize)];
        values[*at] = wait(row);
        *at += 1;
    }
    let by_team = (0..teams).map(|team| Distribution::of_millis(&mut values[starts[team]..starts[team + 1]]));
    let by_team = by_team.collect();
    Waits { all: Distribution::of_millis(&mut values), by_team }
}

/// The waits of `rows`, undivided.
#[must_use]
pub fn of(record: &Record, rows: &[u32]) -> Distribution {
    let wait = |row: &u32| record.outcomes[*row as usize].wait_ms;
    Distribution::of_millis(&mut rows.iter().map(wait).collect::<Vec<_>>())
}

/// The responses of `rows`.
#[must_use]
pub fn response(trace: &Trace, record: &Record, rows: &[u32]) -> Distribution {
    let response = |row: &u32| {
        let row = *row as usize;
        record.outcomes[row].end_ms.abs_diff(trace.jobs[row].submit_ms)
    };
    Distribution::of_millis(&mut rows.iter().map(response).collect::<Vec<_>>())
}
