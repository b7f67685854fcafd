//! Bounded slowdown: how much longer a job took than its work, short jobs guarded.
//!
//! Formula: max(1, response / max(run, τ)) with τ = 10 s; run is the true run time at speed 1, once. Unit: a ratio.
//! Population: see `population`. Estimator: see `distribution`. Source: Feitelson, "Metrics for parallel job scheduling
//! and their convergence", 2001.

/// τ, ms.
pub const BOUND_MS: u64 = 10_000;

/// The bounded slowdown of one job.
///
/// # Examples
///
/// A job of 60 s that took 180 s; one of 1 s that took 20 s; one of 1 s that took 5 s:
///
/// ```
/// use fairshare_sim::metrics::slowdown::bounded;
/// assert_eq!([bounded(180_000, 60_000), bounded(20_000, 1_000), bounded(5_000, 1_000)], [3.0, 2.0, 1.0]);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a ratio for people, from exact ms")]
pub fn bounded(response_ms: u64, run_ms: u64) -> f64 {
    (response_ms as f64 / run_ms.max(BOUND_MS) as f64).max(1.0)
}
