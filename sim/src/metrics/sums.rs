//! Sums: what must add up after every run, each side computed in its own way.
//!
//! Σ teams = Σ owners = Σ users = Σ classes = Σ pools allocated, allocated ≤ total; area under utilization = Σ what
//! jobs held × how long, by resource; area under the queue depth = Σ all waiting as the engine counted it. Exact
//! integers. Asserted under `--check`.

use super::Demands;
use super::cost::Costs;
use super::queue::{depth, waits};
use super::utilization::Usage;
use crate::error::SimError;
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// Compares all sums.
///
/// # Errors
///
/// [`SimError::Bug`] naming the first that does not add up.
pub fn check(setup: &Setup, trace: &Trace, record: &Record) -> Result<(), SimError> {
    let demands = Demands::new(setup, trace);
    let window = record.first_submit_ms(trace).zip(record.last_end_ms()).filter(|(from, to)| from < to);
    let costs = Costs::new(setup, trace, record, &demands, window);
    let allocated: u128 = costs.allocated_by_pool.iter().sum();
    for (who, account) in [
        ("teams", &costs.teams),
        ("owners", &costs.owners),
        ("users", &costs.users),
        ("classes", &costs.classes),
    ] {
        let what = format!("cost of all {who} and cost allocated");
        equal(record, &what, account.money.iter().sum(), allocated)?;
    }
    for (pool, (total, held)) in costs.total_by_pool().iter().zip(&costs.allocated_by_pool).enumerate() {
        if held > total {
            let name = &setup.config.pools[pool].name;
            return Err(bug(record, format!("pool `{name}` costs {total} and {held} of it is allocated")));
        }
    }
    let usage = Usage::new(setup, trace, record, &demands, window);
    for kind in setup.config.kinds.iter() {
        let held = |row: usize, alternative: u16, from: i64, to: i64| {
            let demand = demands.of(trace, row, usize::from(alternative));
            u128::from(demand[kind].get()) * u128::from(to.abs_diff(from))
        };
        let mut jobs: u128 = record
            .lost
            .iter()
            .map(|lost| held(lost.row as usize, lost.alternative, lost.start_ms, lost.end_ms))
            .sum();
        for (row, outcome) in record.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.holds()) {
            let end = if outcome.fate == Fate::Running { record.end_ms } else { outcome.end_ms };
            jobs += held(row, outcome.alternative, outcome.start_ms, end);
        }
        let name = setup.config.kinds.name(kind);
        equal(record, &format!("{name} under utilization and {name} held by jobs"), usage.held(kind), jobs)?;
    }
    let mut waits: Vec<(i64, i64, u64)> =
        waits(trace, record).into_iter().map(|(_, from, to)| (from, to, 1)).collect();
    let counted = record.outcomes.iter().filter(|outcome| outcome.fate != Fate::Unseen);
    let counted = counted.map(|outcome| u128::from(outcome.wait_ms)).sum();
    equal(record, "area under the queue depth and all waiting", depth(&mut waits).jobs, counted)
}

fn bug(record: &Record, what: String) -> SimError {
    SimError::Bug { at_s: fairshare::Timestamp::from_millis(record.end_ms).to_string(), what }
}

fn equal(record: &Record, what: &str, one: u128, other: u128) -> Result<(), SimError> {
    if one == other { Ok(()) } else { Err(bug(record, format!("{what} differ: {one} and {other}"))) }
}
