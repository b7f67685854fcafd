//! Exact fractions: weights, shares, and the key by which teams are compared.
//!
//! The hot path compares the integers behind these (see `dominant`); the types here are what callers see: in
//! explanations, in eviction records, in tests. Absent on purpose: floats as state. Layer 0; uses nothing.

use core::cmp::Ordering;
use core::fmt;

/// A positive rational weight: a team of weight 2 is entitled to twice what its sibling of weight 1 is.
///
/// # Examples
///
/// ```
/// use fairshare::Weight;
/// assert_eq!(Weight::parse("0.1"), Weight::new(1, 10));
/// assert_eq!(Weight::new(4, 2), Weight::new(2, 1));
/// assert_eq!(Weight::new(0, 1), None, "zero is no weight");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "(u64, u64)", into = "(u64, u64)"))]
pub struct Weight {
    numerator: u64,
    denominator: u64,
}

impl Weight {
    /// Weight one.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator` in lowest terms; `None` where either is zero.
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let divisor = gcd(u128::from(numerator), u128::from(denominator));
        let reduce = |n: u64| u64::try_from(u128::from(n) / divisor).ok();
        Some(Self { numerator: reduce(numerator)?, denominator: reduce(denominator)? })
    }

    /// A decimal number as written: `0.1` is one tenth. `None` for zero, negative numbers and anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let dangling = text.contains('.') && fraction.is_empty();
        if whole.is_empty() || dangling || !digits(whole) || !digits(fraction) {
            return None;
        }
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        Self::new(whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)?, scale)
    }

    /// The numerator in lowest terms.
    #[must_use]
    pub const fn numerator(self) -> u64 {
        self.numerator
    }

    /// The denominator in lowest terms.
    #[must_use]
    pub const fn denominator(self) -> u64 {
        self.denominator
    }
}

impl TryFrom<(u64, u64)> for Weight {
    type Error = &'static str;

    fn try_from((numerator, denominator): (u64, u64)) -> Result<Self, Self::Error> {
        Self::new(numerator, denominator).ok_or("a weight is above zero")
    }
}

impl From<Weight> for (u64, u64) {
    fn from(weight: Weight) -> Self {
        (weight.numerator, weight.denominator)
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

/// An exact non-negative fraction of capacity, possibly divided by a weight.
///
/// # Units
///
/// Dimensionless: `1` is one full capacity at weight one. Compare with `Ord`; `{}` prints `2/3`, `{:.4}` prints
/// `0.6667`.
///
/// # Examples
///
/// ```
/// use fairshare::Share;
/// let third = Share::new(3, 9).unwrap();
/// assert_eq!(third.to_string(), "1/3");
/// assert_eq!(format!("{third:.4}"), "0.3333");
/// assert!(third < Share::new(1, 2).unwrap());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Share {
    numerator: u128,
    denominator: u128,
}

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator / denominator` in lowest terms; `None` for a zero denominator.
    #[must_use]
    pub fn new(numerator: u128, denominator: u128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator, denominator).max(1);
        Some(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// The numerator in lowest terms.
    #[must_use]
    pub const fn numerator(self) -> u128 {
        self.numerator
    }

    /// The denominator in lowest terms.
    #[must_use]
    pub const fn denominator(self) -> u128 {
        self.denominator
    }

    /// The nearest float, for printing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

#[cfg(feature = "serde")]
impl TryFrom<String> for Share {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (numerator, denominator) = text.split_once('/').unwrap_or((&text, "1"));
        let parsed = numerator.parse().ok().zip(denominator.parse().ok());
        let share = parsed.and_then(|(numerator, denominator)| Self::new(numerator, denominator));
        share.ok_or("a share is a whole number, or two with `/` between them")
    }
}

#[cfg(feature = "serde")]
impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl Ord for Share {
    /// Exact for all values: whole parts first, then the reciprocals of what remains.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = ((self.numerator, self.denominator), (other.numerator, other.denominator));
        loop {
            if let (Some(left), Some(right)) = (a.0.checked_mul(b.1), b.0.checked_mul(a.1)) {
                return left.cmp(&right);
            }
            let whole = (a.0 / a.1).cmp(&(b.0 / b.1));
            if whole != Ordering::Equal {
                return whole;
            }
            // a = q + ra/da and b = q + rb/db: the larger remainder has the smaller reciprocal.
            (a, b) = ((b.1, b.0 % b.1), (a.1, a.0 % a.1));
            if a.1 == 0 || b.1 == 0 {
                return b.1.cmp(&a.1).reverse();
            }
        }
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(precision) = f.precision() {
            write!(f, "{:.precision$}", self.to_f64())
        } else if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

/// The comparison key K: the shares of all groups divided by the weight, in descending order, compared
/// lexicographically.
///
/// The largest one is the weighted dominant share. The whole vector is compared, because it grows strictly with every
/// grant and the largest entry alone does not.
///
/// # Examples
///
/// Two teams whose dominant shares tie are told apart by the next share:
///
/// ```
/// use fairshare::{Share, ShareKey};
/// let share = |n, d| Share::new(n, d).unwrap();
/// let left = ShareKey::new(vec![share(10, 100), share(20, 100)]);
/// let right = ShareKey::new(vec![share(20, 100), share(5, 100)]);
/// assert_eq!(left.dominant(), right.dominant());
/// assert!(left > right);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Vec<Share>", into = "Vec<Share>"))]
pub struct ShareKey {
    /// The shares in descending order, where they are as few as mostly; nothing in place of those that are not.
    few: [Share; FEW],
    count: usize,
    /// The shares where they are more.
    many: Vec<Share>,
}

/// So many shares are kept without asking for memory: every eviction is recorded with four keys.
const FEW: usize = 2;

impl ShareKey {
    /// The key of a team with these weighted group shares, in any order.
    #[must_use]
    pub fn new(mut shares: Vec<Share>) -> Self {
        if shares.len() <= FEW {
            return shares.into_iter().collect();
        }
        shares.sort_unstable_by(|a, b| b.cmp(a));
        Self { few: [Share::ZERO; FEW], count: shares.len(), many: shares }
    }

    /// The weighted dominant share: the largest entry.
    #[must_use]
    pub fn dominant(&self) -> Share {
        self.shares().first().copied().unwrap_or(Share::ZERO)
    }

    /// All entries, largest first.
    #[must_use]
    pub fn shares(&self) -> &[Share] {
        if self.count > FEW { &self.many } else { &self.few[..self.count] }
    }
}

impl FromIterator<Share> for ShareKey {
    fn from_iter<T: IntoIterator<Item = Share>>(shares: T) -> Self {
        let mut key = Self { few: [Share::ZERO; FEW], count: 0, many: Vec::new() };
        let mut shares = shares.into_iter();
        while let Some(share) = shares.next() {
            if key.count == FEW {
                return Self::new(key.few.into_iter().chain([share]).chain(shares).collect());
            }
            let at = key.few[..key.count].partition_point(|other| *other >= share);
            key.few[at..=key.count].rotate_right(1);
            key.few[at] = share;
            key.count += 1;
        }
        key
    }
}

impl Ord for ShareKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.shares().cmp(other.shares())
    }
}

impl PartialOrd for ShareKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Vec<Share>> for ShareKey {
    fn from(shares: Vec<Share>) -> Self {
        Self::new(shares)
    }
}

impl From<ShareKey> for Vec<Share> {
    fn from(key: ShareKey) -> Self {
        key.shares().to_vec()
    }
}

impl fmt::Display for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (position, share) in self.shares().iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{share}")?;
        }
        f.write_str(")")
    }
}

/// Greatest common divisor; `gcd(0, n) = n`.
pub(crate) fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        if let (Ok(a), Ok(b)) = (u64::try_from(a), u64::try_from(b)) {
            return gcd_of_small(a, b).into();
        }
        (a, b) = (b, a % b);
    }
    a
}

/// The same, by a cheaper division.
fn gcd_of_small(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_compare_exactly_where_cross_products_overflow() {
        let big = u128::MAX;
        let share = |n, d| Share::new(n, d).unwrap();
        assert_eq!(share(big, big - 1).cmp(&share(big - 1, big - 2)), Ordering::Less);
        assert_eq!(share(big - 2, big - 1).cmp(&share(big - 1, big)), Ordering::Less);
        assert_eq!(share(big - 1, big).cmp(&share(big - 2, big - 1)), Ordering::Greater);
        assert_eq!(share(big, 1).cmp(&share(big, 2)), Ordering::Greater);
        assert_eq!(share(big, big - 1).cmp(&share(1, 1)), Ordering::Greater);
        assert_eq!(share(0, big).cmp(&share(1, big)), Ordering::Less);
        assert_eq!(share(big, 3).cmp(&share(big, 3)), Ordering::Equal);
    }

    #[test]
    fn a_key_is_the_same_however_many_shares_it_has_and_in_whatever_order() {
        for count in 0..=5_u128 {
            let shares: Vec<Share> = (0..count).map(|at| Share::new((at * 3) % 5, 7).unwrap()).collect();
            let mut sorted = shares.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let backwards: ShareKey = shares.iter().rev().copied().collect();
            assert_eq!(backwards.shares(), sorted);
            assert_eq!(ShareKey::new(shares.clone()), backwards);
            assert_eq!(Vec::from(backwards.clone()), sorted);
            let more: ShareKey = shares.into_iter().chain([Share::ZERO]).collect();
            assert!(backwards < more);
        }
    }

    #[test]
    fn weights_are_read_as_written() {
        for (text, expected) in [
            ("2", Weight::new(2, 1)),
            ("0.25", Weight::new(1, 4)),
            ("1.50", Weight::new(3, 2)),
            ("0", None),
            ("0.0", None),
            ("-1", None),
            ("1.", None),
            ("", None),
            ("nan", None),
            ("1e3", None),
        ] {
            assert_eq!(Weight::parse(text), expected, "{text:?}");
        }
    }
}
