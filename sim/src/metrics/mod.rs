//! Metrics: numbers computed from the record of a run, each with its formula, unit and population.
//!
//! They are computed after the run rather than by observers during it: what became of a job is 24 bytes, and one pass
//! over that costs less than a call per event. Sums are integers, in whatever order; floats come from them by one
//! division. Absent on purpose: formatting (see `report`).

pub mod blocked;
pub mod blocked_users;
pub mod caution;
pub mod cost;
pub mod counts;
pub mod distribution;
pub mod division;
pub mod egress;
pub mod entitlement;
pub mod eviction;
pub mod fairness;
pub mod finish_time;
pub mod groups;
pub mod latency;
pub mod money;
pub mod population;
pub mod queue;
pub mod reclaimed;
pub mod routing;
pub mod series;
pub mod shares;
pub mod slowdown;
pub mod sums;
pub mod utilization;
pub mod wait;

use fairshare::Resources;

use crate::setup::Setup;
use crate::trace::Trace;

/// What a whole gang holds, by shape and alternative of the trace.
#[derive(Clone, Debug)]
pub struct Demands {
    by_shape: Vec<Vec<Resources>>,
}

impl Demands {
    /// The demands of all shapes of a trace.
    #[must_use]
    pub fn new(setup: &Setup, trace: &Trace) -> Self {
        let by_shape = trace.shapes.iter().map(|shape| {
            let gangs = shape.alternatives.iter().map(|alternative| {
                let request = setup.request(alternative);
                let gang = request.and_then(|request| request.checked_mul(u64::from(alternative.workers)));
                // What cannot be counted can never have started, so nobody asks for it.
                gang.unwrap_or_default()
            });
            gangs.collect()
        });
        Self { by_shape: by_shape.collect() }
    }

    /// What job `row` holds with one of its alternatives.
    ///
    /// # Panics
    ///
    /// Only on a bug: a row or alternative that the trace does not have.
    #[must_use]
    pub fn of(&self, trace: &Trace, row: usize, alternative: usize) -> &Resources {
        &self.by_shape[trace.jobs[row].shape as usize][alternative]
    }
}

/// `numerator / denominator`; `None` where there is nothing to divide by.
#[must_use]
pub fn ratio(numerator: u128, denominator: u128) -> Option<f64> {
    (denominator > 0).then(|| float(numerator) / float(denominator))
}

/// Rounded to the nearest; far quicker where 64 bits hold it, with the same result.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
fn float(value: u128) -> f64 {
    u64::try_from(value).map_or_else(|_| value as f64, |value| value as f64)
}
