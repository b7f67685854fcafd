//! Distribution: mean, quantiles and maximum of a population.
//!
//! Estimator: the quantile at p of n values is the smallest value that at least p·n values do not exceed (nearest
//! rank, type 1 of Hyndman and Fan 1996): always a value that occurred. Exact; no sketch.

use serde::Serialize;

/// Figures of one population; all but the count are null where it is empty.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Distribution {
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % are at most this.
    pub p90: Option<f64>,
    /// 95 % are at most this.
    pub p95: Option<f64>,
    /// 99 % are at most this.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Size of the population.
    pub count: u64,
}

/// Quantiles in percent, in the order of the fields.
const PERCENTS: [usize; 4] = [50, 90, 95, 99];

impl Distribution {
    /// Figures in seconds of lengths in ms. Reorders `millis`.
    ///
    /// # Examples
    ///
    /// Three jobs waited 1, 2 and 6 seconds: the median is 2 s, the mean 3 s, and every higher quantile the largest.
    ///
    /// ```
    /// use fairshare_sim::metrics::distribution::Distribution;
    /// let waits = Distribution::of_millis(&mut [6_000, 1_000, 2_000]);
    /// assert_eq!((waits.mean, waits.p50, waits.p90, waits.max), (Some(3.0), Some(2.0), Some(6.0), Some(6.0)));
    /// assert_eq!(waits.count, 3);
    /// assert_eq!(Distribution::of_millis(&mut []).mean, None);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds for people, from exact ms")]
    pub fn of_millis(millis: &mut [u64]) -> Self {
        let sum: u128 = millis.iter().map(|value| u128::from(*value)).sum();
        let mean = super::ratio(sum, 1_000 * millis.len() as u128);
        let (quantiles, max) = quantiles(millis, u64::cmp);
        let seconds = |value: Option<u64>| value.map(|value| value as f64 / 1_000.0);
        Self::new(mean, quantiles.map(seconds), seconds(max), millis.len())
    }

    /// Figures of plain numbers. The mean is summed in the order given; then `values` is reordered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "populations are far below 2^53")]
    pub fn of_numbers(values: &mut [f64]) -> Self {
        let sum: f64 = values.iter().sum();
        let mean = (!values.is_empty()).then(|| sum / values.len() as f64);
        let (quantiles, max) = quantiles(values, f64::total_cmp);
        Self::new(mean, quantiles, max, values.len())
    }

    fn new(
        mean: Option<f64>,
        [p50, p90, p95, p99]: [Option<f64>; 4],
        max: Option<f64>,
        count: usize,
    ) -> Self {
        Self { mean, p50, p90, p95, p99, max, count: count as u64 }
    }
}

/// The quantiles and the maximum, in linear time: each selection works on what lies above the one before.
fn quantiles<T: Copy>(
    values: &mut [T],
    order: impl Fn(&T, &T) -> std::cmp::Ordering + Copy,
) -> ([Option<T>; 4], Option<T>) {
    let count = values.len();
    if count == 0 {
        return ([None; 4], None);
    }
    let mut from = 0;
    let quantiles = PERCENTS.map(|percent| {
        let index = (count * percent).div_ceil(100) - 1;
        let (_, value, _) = values[from..].select_nth_unstable_by(index - from, order);
        from = index;
        Some(*value)
    });
    (quantiles, values[from..].iter().copied().max_by(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut values: Vec<u64> = (1..=200).rev().map(|value| value * 1_000).collect();
        let figures = Distribution::of_millis(&mut values);
        let quantiles = [figures.p50, figures.p90, figures.p95, figures.p99, figures.max];
        assert_eq!(quantiles, [100.0, 180.0, 190.0, 198.0, 200.0].map(Some));
        let mut one = [0.5];
        assert_eq!(Distribution::of_numbers(&mut one).p99, Some(0.5));
    }
}
