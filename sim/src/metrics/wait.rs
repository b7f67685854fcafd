//! Wait and response.
//!
//! Formula: wait = all time spent waiting, over all attempts, until the first start that was not evicted; response = end −
//! submit. Unit: seconds, from exact ms. Population: see `population`. Estimator: see `distribution`. Source: Feitelson and
//! Rudolph, "Metrics and benchmarking for parallel job scheduling", 1998. Absent on purpose: jobs that still wait; they are
//! counted as unfinished.

/// The response of a job, ms.
///
/// # Examples
///
/// Submitted after 2 s, ended after 7.5 s, whatever happened in between:
///
/// ```
/// use fairshare_sim::metrics::wait::response;
/// assert_eq!(response(2_000, 7_500), 5_500);
/// ```
#[must_use]
pub const fn response(submit_ms: i64, end_ms: i64) -> u64 {
    end_ms.abs_diff(submit_ms)
}
