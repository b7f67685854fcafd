//! Clock: the instants of a scenario on the clock of the trace, and what is odd about them.
//!
//! A date is that date whatever the trace counts from, as long as somebody knows from when it does. Absent on purpose: the
//! part of the trace that is replayed, which is cut out before (see `trace::select`).

use fairshare::MicroUsd;

use super::Setup;
use crate::capacity::{Capacities, CapacityChange};
use crate::error::SimError;
use crate::scenario::{PlannedCapacity, Pool, Scenario};
use crate::tariff::Tariff;
use crate::trace::{Instant, Trace};

/// Said where dates are read as if the clock began in 1970, because nobody knows when it does.
const UNKNOWN: &str =
    "the scenario names dates, and no file says when the clock of the trace begins: they count from 1970";

/// Prices and capacities over time on the clock of `trace`.
pub(super) fn placed(
    scenario: &Scenario,
    trace: &Trace,
    warnings: &mut Vec<String>,
) -> Result<(Vec<Option<Tariff>>, Capacities), SimError> {
    let (epoch_ms, offset_s) = trace.zero().unwrap_or_default();
    if trace.zero().is_none() && instants(scenario).any(Instant::is_date) {
        warnings.push(UNKNOWN.to_owned());
    }
    let on_clock = |instant: Instant| instant.on_clock(epoch_ms, offset_s);
    let tariff = |pool: &Pool| {
        let changes: Vec<(i64, MicroUsd)> =
            pool.price_changes.iter().map(|(from, price)| (on_clock(*from), *price)).collect();
        if !changes.is_sorted_by(|(before, _), (after, _)| before < after) {
            let message = format!("changes of the price of pool `{}` are out of order", pool.name);
            let hint = "write all of them as dates, or all as seconds on the clock of the trace";
            return Err(SimError::usage_with_hint(message, hint));
        }
        Ok(pool.tariff.clone().map(|tariff| tariff.with_changes(changes)))
    };
    let change = |planned: &PlannedCapacity| CapacityChange {
        at_ms: on_clock(planned.from),
        pool: planned.pool,
        nodes: planned.nodes,
    };
    let tariffs = scenario.pools.iter().map(tariff).collect::<Result<_, _>>()?;
    Ok((tariffs, Capacities::new(scenario.capacities.iter().map(change).collect())))
}

/// All instants that a scenario names.
fn instants(scenario: &Scenario) -> impl Iterator<Item = Instant> {
    let selection = [scenario.selection.from, scenario.selection.until].into_iter().flatten();
    let capacities = scenario.capacities.iter().map(|planned| planned.from);
    let prices = scenario.pools.iter().flat_map(|pool| pool.price_changes.iter().map(|(from, _)| *from));
    selection.chain(capacities).chain(prices)
}

impl Setup {
    /// Warns of what changes in a pool only when no job comes any longer, once the whole trace is known.
    pub(crate) fn warn_of_late(&mut self, scenario: &Scenario, trace: &Trace) {
        self.warnings.extend(late(scenario, trace));
    }
}

fn late(scenario: &Scenario, trace: &Trace) -> Vec<String> {
    let Some(last_ms) = trace.sources.iter().filter_map(|source| source.submits).map(|(_, last)| last).max()
    else {
        return Vec::new();
    };
    let (epoch_ms, offset_s) = trace.zero().unwrap_or_default();
    let all_late = |instants: &mut dyn Iterator<Item = Instant>| {
        let first = instants.map(|instant| instant.on_clock(epoch_ms, offset_s)).min();
        first.is_some_and(|first| first > last_ms)
    };
    let mut late = Vec::new();
    for (index, pool) in scenario.pools.iter().enumerate() {
        let of_pool = scenario.capacities.iter().filter(|planned| planned.pool == index);
        let mut said = |what: &str| {
            let last = trace.shown(last_ms);
            late.push(format!("{what} of pool `{}` comes after the last submission ({last})", pool.name));
        };
        if all_late(&mut of_pool.map(|planned| planned.from)) {
            said("every `[[capacity]]`");
        }
        if all_late(&mut pool.price_changes.iter().map(|(from, _)| *from)) {
            said("every change of the price");
        }
    }
    late
}
