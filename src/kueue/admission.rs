//! Admission fair sharing: among the local queues of one cluster queue, by usage that decays.

use std::collections::BTreeMap;

use crate::share::Weight;

/// What remains of a usage after a while in which the use was constant: exponential decay with a half-life.
///
/// # Examples
///
/// ```
/// use fairshare::kueue::decayed;
/// assert_eq!(decayed(0.0, 2.0, 600.0, 600.0), 1.0);
/// ```
#[must_use]
pub fn decayed(consumed: f64, current: f64, elapsed_s: f64, half_life_s: f64) -> f64 {
    let part = part(elapsed_s, half_life_s);
    consumed * (1.0 - part) + current * part
}

/// What an admission adds at once, before it shows in samples of the usage.
#[must_use]
pub fn entry_penalty(request: f64, sample_s: f64, half_life_s: f64) -> f64 {
    request * part(sample_s, half_life_s)
}

/// How much of the way to the current use is gone.
fn part(elapsed_s: f64, half_life_s: f64) -> f64 {
    if half_life_s > 0.0 { 1.0 - libm::exp2(-elapsed_s / half_life_s) } else { 1.0 }
}

/// What a local queue has used, by resource.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Usage {
    /// Decayed usage.
    pub consumed: BTreeMap<String, f64>,
    /// Penalties of admissions that do not show in it yet.
    pub penalty: BTreeMap<String, f64>,
}

impl Usage {
    /// One number to order local queues by: weighted by resource (one where none is named), over the queue's weight. A queue
    /// of weight zero comes last.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use fairshare::{Weight, kueue::Usage};
    /// let usage = Usage { consumed: BTreeMap::from([("gpu".to_owned(), 2.0)]), ..Usage::default() };
    /// let weights = BTreeMap::from([("gpu".to_owned(), 3.0)]);
    /// assert_eq!(usage.scalar(&weights, Some(Weight::ONE)), 6.0);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a weight is a small fraction")]
    pub fn scalar(&self, resource_weights: &BTreeMap<String, f64>, weight: Option<Weight>) -> f64 {
        let Some(weight) = weight else { return f64::INFINITY };
        let weighted = |(resource, amount): (&String, &f64)| {
            amount * resource_weights.get(resource).copied().unwrap_or(1.0)
        };
        let sum: f64 = self.consumed.iter().chain(&self.penalty).map(weighted).sum();
        sum * weight.denominator() as f64 / weight.numerator() as f64
    }
}
