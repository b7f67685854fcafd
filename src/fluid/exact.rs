//! Exact: non-negative fractions of any size, and the arithmetic that the optima are written in.
//!
//! Invariant: numerator and denominator have nothing in common; the denominator is not zero.
//! Absent on purpose: signs; the optima only ever take a part away from a whole. Layer 0; uses `natural`, `share`.

use core::cmp::Ordering;
use core::fmt;

use super::natural::Natural;
use crate::share::Share;

/// The arithmetic of a fluid optimum: exact fractions, or floats where thousands of optima are sampled.
pub(super) trait Number: Clone + PartialOrd {
    fn ratio(numerator: u64, denominator: u64) -> Self;
    fn plus(&self, other: &Self) -> Self;
    /// The difference; zero where `other` is larger (which only rounding can bring about).
    fn minus(&self, other: &Self) -> Self;
    fn times(&self, other: &Self) -> Self;
    /// The quotient. The caller has made sure that `other` is not zero; where it is, the result is zero.
    fn over(&self, other: &Self) -> Self;
    fn is_zero(&self) -> bool;

    fn whole(value: u64) -> Self {
        Self::ratio(value, 1)
    }

    fn zero() -> Self {
        Self::ratio(0, 1)
    }

    fn smaller(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

/// What a few hundred roundings may add up to, relative to the amount: 2^-40.
const ROUNDING: f64 = 1.0 / 1_099_511_627_776.0;

/// An exact non-negative fraction of any size, in lowest terms.
///
/// A fluid optimum of many teams has denominators beyond 128 bits; [`to_share`](Self::to_share) gives the usual type
/// where they are not.
///
/// # Units
///
/// Those of what it counts: tasks, smallest units of a resource, or shares of capacity. `{}` prints `54/13`, `{:.4}`
/// prints `4.1538`.
///
/// # Examples
///
/// ```
/// use fairshare::Exact;
/// let tasks = Exact::new(108, 26).unwrap();
/// assert_eq!(tasks.to_string(), "54/13");
/// assert_eq!(format!("{tasks:.4}"), "4.1538");
/// assert!(tasks > Exact::from(4));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Exact {
    numerator: Natural,
    denominator: Natural,
}

impl Exact {
    /// `numerator / denominator`; `None` for a zero denominator.
    #[must_use]
    pub fn new(numerator: u128, denominator: u128) -> Option<Self> {
        let share = Share::new(numerator, denominator)?;
        Some(Self::from(share))
    }

    /// The same value as a [`Share`]; `None` where it takes more than 128 bits.
    #[must_use]
    pub fn to_share(&self) -> Option<Share> {
        Share::new(self.numerator.to_u128()?, self.denominator.to_u128()?)
    }

    /// The nearest float or a neighbour of it, for printing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
    pub fn to_f64(&self) -> f64 {
        let ((above, up), (below, down)) = (self.numerator.leading(), self.denominator.leading());
        let exponent = i32::try_from(up).unwrap_or(i32::MAX).saturating_sub(i32::try_from(down).unwrap_or(0));
        // Powers of two are exact; two steps, so that neither leaves the range of a float.
        let half = exponent / 2;
        above as f64 / below as f64 * 2.0_f64.powi(half) * 2.0_f64.powi(exponent - half)
    }

    /// The value times a fraction, exactly: another unit, or a part of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Exact, Share};
    /// let milli = Exact::new(400_000, 33).unwrap();
    /// assert_eq!(milli.scaled(Share::new(1, 1_000).unwrap()).to_string(), "400/33");
    /// ```
    #[must_use]
    pub fn scaled(&self, by: Share) -> Self {
        self.times(&Self::from(by))
    }

    /// The largest whole number that is no larger; the largest of all where that takes more than 128 bits.
    pub(crate) fn floor(&self) -> u128 {
        self.numerator.divided(&self.denominator).0.to_u128().unwrap_or(u128::MAX)
    }

    /// `numerator / denominator` where only the factors of `common` can be in common.
    fn reduced(numerator: &Natural, denominator: &Natural) -> Self {
        if numerator.is_zero() {
            return Self::from(0);
        }
        let common = numerator.gcd(denominator);
        if common.is_one() {
            return Self { numerator: numerator.clone(), denominator: denominator.clone() };
        }
        Self { numerator: numerator.divided(&common).0, denominator: denominator.divided(&common).0 }
    }

    /// Sum or difference. Whatever numerator and denominator have in common divides the common part of the two
    /// denominators (Knuth, volume 2, section 4.5.1), so that no large greatest common divisor is taken.
    fn combined(&self, other: &Self, op: impl Fn(&Natural, &Natural) -> Natural) -> Self {
        let common = self.denominator.gcd(&other.denominator);
        let rest = other.denominator.divided(&common).0;
        let own_rest = self.denominator.divided(&common).0;
        let numerator = op(&self.numerator.times(&rest), &other.numerator.times(&own_rest));
        if numerator.is_zero() {
            return Self::from(0);
        }
        let divisor = numerator.gcd(&common);
        Self {
            numerator: numerator.divided(&divisor).0,
            denominator: own_rest.times(&other.denominator.divided(&divisor).0),
        }
    }
}

impl Number for Exact {
    fn ratio(numerator: u64, denominator: u64) -> Self {
        Self::new(u128::from(numerator), u128::from(denominator)).unwrap_or_else(|| Self::from(0))
    }

    fn plus(&self, other: &Self) -> Self {
        if self.is_zero() {
            return other.clone();
        }
        self.combined(other, Natural::plus)
    }

    fn minus(&self, other: &Self) -> Self {
        self.combined(other, Natural::minus)
    }

    fn times(&self, other: &Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::from(0);
        }
        let left = Self::reduced(&self.numerator, &other.denominator);
        let right = Self::reduced(&other.numerator, &self.denominator);
        Self {
            numerator: left.numerator.times(&right.numerator),
            denominator: left.denominator.times(&right.denominator),
        }
    }

    fn over(&self, other: &Self) -> Self {
        if other.is_zero() {
            return Self::from(0);
        }
        let inverse = Self { numerator: other.denominator.clone(), denominator: other.numerator.clone() };
        self.times(&inverse)
    }

    fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }
}

impl Number for f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded by definition")]
    fn ratio(numerator: u64, denominator: u64) -> Self {
        numerator as Self / denominator as Self
    }

    fn plus(&self, other: &Self) -> Self {
        self + other
    }

    /// A rest that rounding alone can explain is none: whether a group is full or a request is met must not hang on it.
    fn minus(&self, other: &Self) -> Self {
        let rest = self - other;
        if rest <= self * ROUNDING { 0.0 } else { rest }
    }

    fn times(&self, other: &Self) -> Self {
        self * other
    }

    fn over(&self, other: &Self) -> Self {
        if other.is_zero() { 0.0 } else { self / other }
    }

    fn is_zero(&self) -> bool {
        *self <= 0.0
    }
}

impl<'a> core::iter::Sum<&'a Self> for Exact {
    fn sum<I: Iterator<Item = &'a Self>>(parts: I) -> Self {
        parts.fold(Self::from(0), |sum, part| sum.plus(part))
    }
}

impl From<u64> for Exact {
    fn from(value: u64) -> Self {
        Self { numerator: Natural::from(u128::from(value)), denominator: Natural::one() }
    }
}

impl From<Share> for Exact {
    fn from(share: Share) -> Self {
        Self { numerator: Natural::from(share.numerator()), denominator: Natural::from(share.denominator()) }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numerator.times(&other.denominator).cmp(&other.numerator.times(&self.denominator))
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(precision) = f.precision() {
            write!(f, "{:.precision$}", self.to_f64())
        } else if self.denominator.is_one() {
            f.write_str(&self.numerator.to_decimal())
        } else {
            write!(f, "{}/{}", self.numerator.to_decimal(), self.denominator.to_decimal())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_many_fractions_are_exact_and_in_lowest_terms() {
        // 1/(1 2) + 1/(2 3) + ... + 1/(n (n + 1)) = n/(n + 1); its partial sums need no large denominator.
        let sum = (1..=500).fold(Exact::from(0), |sum, k| sum.plus(&Exact::ratio(1, k * (k + 1))));
        assert_eq!(sum.to_string(), "500/501");
        // The harmonic number of 100 has 41 digits above and below; taking all terms away again leaves nothing.
        let harmonic = (1..=100).fold(Exact::from(0), |sum, k| sum.plus(&Exact::ratio(1, k)));
        assert_eq!(
            harmonic.to_string(),
            "14466636279520351160221518043104131447711/2788815009188499086581352357412492142272"
        );
        assert_eq!(harmonic.to_share(), None);
        assert_eq!(format!("{harmonic:.12}"), "5.187377517640");
        assert!((1..=100).fold(harmonic, |rest, k| rest.minus(&Exact::ratio(1, k))).is_zero());
    }

    #[test]
    fn products_and_quotients_cancel() {
        let product = (2..=200).fold(Exact::from(1), |all, k| all.times(&Exact::ratio(k, k + 3)));
        let back = (2..=200).fold(product.clone(), |all, k| all.over(&Exact::ratio(k, k + 3)));
        assert_eq!(product.to_string(), "4/1373701");
        assert_eq!(back, Exact::from(1));
        let tiny = (0..40).fold(Exact::from(1), |all, _| all.over(&Exact::from(u64::MAX)));
        assert!(tiny.to_f64() < 1e-300 && tiny.over(&tiny) == Exact::from(1));
    }
}
