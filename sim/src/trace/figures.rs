//! Exact sums as numbers for people: hours, ratios, distributions.
//!
//! Absent on purpose: counting (see `inspect`).

use super::inspection::Distribution;
use super::sketch::Sketch;

/// Threshold below which a run time does not count for the slowdown: 10 s.
const BOUND_MS: u64 = 10_000;

/// `max(1, (wait + run) / max(run, 10 s))`.
#[expect(clippy::cast_precision_loss, reason = "a ratio of times; the error is below 2^-52")]
pub(super) fn bounded_slowdown(wait_ms: u64, run_ms: u64) -> f64 {
    ((wait_ms as f64 + run_ms as f64) / run_ms.max(BOUND_MS) as f64).max(1.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
pub(super) fn thousandths_of(value: f64) -> u64 {
    (value * 1000.0).round().clamp(0.0, 1e18) as u64
}

#[expect(clippy::cast_precision_loss, reason = "for people: three decimals of a second")]
pub(super) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Thousandths to units.
#[expect(clippy::cast_precision_loss, reason = "for people: three decimals")]
pub(super) fn units(milli: u128) -> f64 {
    milli as f64 / 1000.0
}

/// Milli-units x ms to units x hours.
#[expect(clippy::cast_precision_loss, reason = "for people: sixteen digits")]
pub(super) fn hours(work: u128) -> f64 {
    work as f64 / 3_600_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
pub(super) fn ratio(part: u128, whole: u128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A distribution of thousandths, in units.
pub(super) fn distribution(sketch: &Sketch) -> Distribution {
    if sketch.count() == 0 {
        return Distribution::default();
    }
    let at = |percent: u64| Some(seconds(sketch.percentile(percent)));
    Distribution {
        mean: ratio(sketch.sum(), u128::from(sketch.count()) * 1000),
        p50: at(50),
        p90: at(90),
        p95: at(95),
        p99: at(99),
        max: Some(seconds(sketch.max())),
        count: sketch.count(),
    }
}
