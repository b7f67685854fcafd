//! Lengths of time drawn from a named family.
//!
//! All families are given by their median, so that a reader can compare them without a formula.

use serde::{Deserialize, Serialize};

use super::spec::SynthError;
use crate::rng::Stream;

/// The shape of a distribution of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Always the median.
    Constant,
    /// Memoryless: the same chance to end in every second.
    Exponential,
    /// The logarithm is normal; `shape` is its standard deviation. Near what most recorded run times look like.
    Lognormal,
    /// `shape` below one: most end early, the rest last; above one: most end near the median.
    Weibull,
    /// A power law; `shape` is the exponent of its tail. At two or less the variance, at one or less the mean is infinite.
    Pareto,
    /// Recorded lengths: `quantiles_s` at equal steps of probability, with straight lines between them.
    Empirical,
}

/// A distribution of lengths in seconds. Draws outside `min_s` and `max_s` are moved to the nearer of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// The family.
    pub family: Family,
    /// Half of the draws are shorter, s. Required by all families except `empirical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_s: Option<f64>,
    /// The family's second parameter, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<f64>,
    /// No draw is shorter, s.
    #[serde(default = "one_second")]
    pub min_s: f64,
    /// No draw is longer, s.
    #[serde(default = "thirty_days")]
    pub max_s: f64,
    /// For `empirical`: the lengths at probability 0, 1/n, 2/n, .. 1, s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles_s: Vec<f64>,
    /// For `empirical`: the last step of `quantiles_s` again, at equal steps of its own. Long runs hold most of the time,
    /// and one straight line to the longest would make far too much of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tail_s: Vec<f64>,
}

fn one_second() -> f64 {
    1.0
}

fn thirty_days() -> f64 {
    30.0 * 86_400.0
}

impl Length {
    /// Tests that the parameters are those of the family and that none of them is senseless.
    ///
    /// # Errors
    ///
    /// [`SynthError::Invalid`] with `place` and the name of the first bad key.
    pub(super) fn validate(&self, place: &str) -> Result<(), SynthError> {
        let refuse = |key: &str, expected: &str| Err(SynthError::invalid(place, key, expected));
        if !(self.min_s.is_finite() && self.min_s >= 0.0) {
            return refuse("min_s", "a length of zero or more seconds");
        }
        if !(self.max_s.is_finite() && self.max_s >= self.min_s && self.max_s <= LONGEST_S) {
            return refuse("max_s", "a length between `min_s` and a century");
        }
        if self.family == Family::Empirical {
            if self.quantiles_s.len() < 2 || !is_ascending(&self.quantiles_s) {
                return refuse("quantiles_s", "two or more lengths in ascending order");
            }
            if self.tail_s.len() == 1 || !is_ascending(&self.tail_s) {
                return refuse("tail_s", "two or more lengths in ascending order, or none");
            }
            return match (self.median_s, self.shape) {
                (None, None) => Ok(()),
                (Some(_), _) => refuse("median_s", "no such key beside `quantiles_s`"),
                (_, Some(_)) => refuse("shape", "no such key beside `quantiles_s`"),
            };
        }
        if !self.quantiles_s.is_empty() || !self.tail_s.is_empty() {
            return refuse("quantiles_s", "no such key, or `family = \"empirical\"`");
        }
        if !self.median_s.is_some_and(|median| median.is_finite() && median > 0.0) {
            return refuse("median_s", "a length above zero seconds");
        }
        let shape_needed = !matches!(self.family, Family::Constant | Family::Exponential);
        match self.shape {
            Some(_) if !shape_needed => refuse("shape", "no such key: this family has no second parameter"),
            Some(shape) if !(shape.is_finite() && shape > 0.0) => refuse("shape", "a number above zero"),
            None if shape_needed => refuse("shape", "the family's second parameter"),
            _ => Ok(()),
        }
    }

    /// Draws one length, s.
    pub(super) fn draw(&self, stream: &mut Stream) -> f64 {
        let median = self.median_s.unwrap_or(0.0);
        let shape = self.shape.unwrap_or(1.0);
        let length = match self.family {
            Family::Constant => median,
            Family::Exponential => median * stream.exponential() / core::f64::consts::LN_2,
            Family::Lognormal => median * libm::exp(shape * stream.standard_normal()),
            Family::Weibull => {
                median * libm::pow(stream.exponential() / core::f64::consts::LN_2, 1.0 / shape)
            }
            Family::Pareto => median * libm::pow(2.0 * stream.inner_unit(), -1.0 / shape),
            Family::Empirical => self.recorded(stream.unit()),
        };
        length.clamp(self.min_s, self.max_s)
    }
}

impl Length {
    /// The recorded length at `probability`.
    fn recorded(&self, probability: f64) -> f64 {
        let steps = steps_of(&self.quantiles_s);
        let into_tail = probability * steps - (steps - 1.0);
        if into_tail >= 0.0 && !self.tail_s.is_empty() {
            return between(&self.tail_s, into_tail);
        }
        between(&self.quantiles_s, probability)
    }
}

fn is_ascending(lengths: &[f64]) -> bool {
    lengths.windows(2).all(|pair| pair[0] <= pair[1])
        && lengths.iter().all(|length| length.is_finite() && *length >= 0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a list is far shorter than 2^53")]
fn steps_of(quantiles: &[f64]) -> f64 {
    (quantiles.len() - 1) as f64
}

/// Keeps every time in milliseconds far below 2^53.
const LONGEST_S: f64 = 100.0 * 366.0 * 86_400.0;

/// The quantile at `probability` by straight lines between the given ones.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the position is between zero and the number of quantiles"
)]
fn between(quantiles: &[f64], probability: f64) -> f64 {
    let position = probability * steps_of(quantiles);
    let index = (position as usize).min(quantiles.len() - 2);
    let (low, high) = (quantiles[index], quantiles[index + 1]);
    low + (high - low) * (position - index as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    fn length(family: Family, shape: Option<f64>) -> Length {
        Length {
            family,
            median_s: Some(600.0),
            shape,
            min_s: 0.0,
            max_s: LONGEST_S,
            quantiles_s: Vec::new(),
            tail_s: Vec::new(),
        }
    }

    #[test]
    fn half_of_the_draws_of_every_family_are_below_its_median() {
        for (family, shape) in [
            (Family::Exponential, None),
            (Family::Lognormal, Some(1.5)),
            (Family::Weibull, Some(0.6)),
            (Family::Pareto, Some(1.2)),
        ] {
            let length = length(family, shape);
            length.validate("here").unwrap();
            let mut stream = Streams::new(2).stream("median");
            let below = (0..40_000).filter(|_| length.draw(&mut stream) < 600.0).count();
            assert!((19_600..20_400).contains(&below), "{family:?}: {below} of 40000");
        }
    }

    #[test]
    fn the_tail_of_the_power_law_has_its_exponent() {
        let length = length(Family::Pareto, Some(1.5));
        let mut stream = Streams::new(2).stream("tail");
        // P(X > x) = 1/2 (median / x)^shape, so one in 2 * 8 = 16 exceeds four medians.
        let above = (0..64_000).filter(|_| length.draw(&mut stream) > 2_400.0).count();
        assert!((3_800..4_200).contains(&above), "{above} of 64000, expected about 4000");
    }

    #[test]
    fn recorded_quantiles_come_back() {
        assert_eq!(between(&[0.0, 10.0, 30.0], 0.25).to_bits(), 5.0_f64.to_bits());
        assert_eq!(between(&[0.0, 10.0, 30.0], 0.75).to_bits(), 20.0_f64.to_bits());
        let with_tail = Length {
            quantiles_s: vec![0.0, 10.0, 110.0],
            tail_s: vec![10.0, 20.0, 110.0],
            ..length(Family::Empirical, None)
        };
        let at = |probability: f64| with_tail.recorded(probability);
        assert_eq!(
            [at(0.25), at(0.5), at(0.75), at(0.875)].map(f64::to_bits),
            [5.0, 10.0, 20.0, 65.0_f64].map(f64::to_bits)
        );
        assert_eq!(between(&[4.0, 4.0], 0.999).to_bits(), 4.0_f64.to_bits());
    }

    #[test]
    fn senseless_parameters_are_named() {
        let text = |length: Length| length.validate("team `a`").unwrap_err().to_string();
        assert_eq!(
            text(length(Family::Lognormal, None)),
            "team `a`: `shape`: expected the family's second parameter"
        );
        assert_eq!(
            text(length(Family::Constant, Some(1.0))),
            "team `a`: `shape`: expected no such key: this family has no second parameter"
        );
        assert_eq!(
            text(Length { max_s: f64::NAN, ..length(Family::Constant, None) }),
            "team `a`: `max_s`: expected a length between `min_s` and a century"
        );
        assert_eq!(
            text(Length { median_s: None, quantiles_s: vec![2.0, 1.0], ..length(Family::Empirical, None) }),
            "team `a`: `quantiles_s`: expected two or more lengths in ascending order"
        );
    }
}
