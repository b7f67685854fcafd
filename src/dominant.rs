//! Dominant shares: comparing what two members hold, exactly.
//!
//! Shares are computed fresh from integer usage. A float decides only where two values are so far apart that rounding
//! cannot have swapped them; everything closer is settled by cross products in 128 bits.
//! Absent on purpose: who is compared with whom, and why. Layer 3; uses `tree`.

use core::cmp::Ordering;

use crate::resources::MAX_KINDS;
use crate::tree::{Scale, hint};

/// Relative distance beyond which two hints cannot stand in the wrong order, 2^-46: each carries a few roundings of
/// 2^-53.
const HINT_MARGIN: f64 = 1.0 / 70_368_744_177_664.0;

/// What a member holds, what it would be granted, and what that is divided by; one entry a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding<'a> {
    pub(crate) usage: &'a [u64],
    pub(crate) charge: &'a [u64],
    pub(crate) scale: Scale<'a>,
}

/// Whether two ordering hints are far enough apart to be believed.
#[inline]
pub(crate) fn is_apart(a: f64, b: f64) -> bool {
    let (distance, a, b) = ((a - b).abs(), a.abs(), b.abs());
    let larger = if a > b { a } else { b };
    distance > larger * HINT_MARGIN
}

/// `Some` where two ordering hints are far enough apart to be believed.
#[inline]
pub(crate) fn decide_by_hint(a: f64, b: f64) -> Option<Ordering> {
    if is_apart(a, b) { a.partial_cmp(&b) } else { None }
}

/// Whether an ordering hint is more than another, by enough to be believed.
#[inline]
pub(crate) fn is_plainly_more(a: f64, b: f64) -> bool {
    a - b > a * HINT_MARGIN
}

impl Holding<'_> {
    /// What is held in a group, after the grant or before it.
    #[inline]
    fn held(&self, group: usize, after: bool) -> u64 {
        if after { self.usage[group] + self.charge[group] } else { self.usage[group] }
    }

    /// The share of a group as a fraction.
    #[inline]
    fn share(&self, group: usize, after: bool) -> (u64, u128) {
        (self.held(group, after), self.scale.divisors[group])
    }

    /// The weighted dominant share, rounded; after the grant or before it.
    #[inline]
    pub(crate) fn hint(&self, after: bool) -> f64 {
        hint((0..self.usage.len()).map(|group| self.held(group, after)), self.scale.reciprocals)
    }

    /// Compares the keys K of two members, after the grant or before it.
    ///
    /// Most pairs that a hint cannot tell apart hold exactly the same, and of the others most differ in the dominant
    /// share already: only the rest is sorted.
    pub(crate) fn compare(&self, other: &Self, after: bool) -> Ordering {
        let groups = self.usage.len();
        if (0..groups).all(|group| self.share(group, after) == other.share(group, after)) {
            return Ordering::Equal;
        }
        let order = compare_fractions(self.largest(after), other.largest(after));
        if order == Ordering::Equal { self.compare_all(other, after) } else { order }
    }

    /// The weighted dominant share as a fraction.
    #[inline]
    pub(crate) fn largest(&self, after: bool) -> (u64, u128) {
        let shares = (0..self.usage.len()).map(|group| self.share(group, after));
        shares.reduce(|a, b| if compare_fractions(a, b) == Ordering::Less { b } else { a }).unwrap_or((0, 1))
    }

    #[cold]
    fn compare_all(&self, other: &Self, after: bool) -> Ordering {
        let mut mine = [(0, 1); MAX_KINDS];
        let mut theirs = [(0, 1); MAX_KINDS];
        self.sort_descending(after, &mut mine);
        other.sort_descending(after, &mut theirs);
        let orders = mine.iter().zip(&theirs).map(|(a, b)| compare_fractions(*a, *b));
        orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }

    /// The group shares as fractions, largest first.
    fn sort_descending(&self, after: bool, sorted: &mut [(u64, u128); MAX_KINDS]) {
        for group in 0..self.usage.len().min(MAX_KINDS) {
            let share = self.share(group, after);
            let mut at = group;
            while at > 0 && compare_fractions(sorted[at - 1], share) == Ordering::Less {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = share;
        }
    }
}

/// Numerators below 2^53 and divisors below 2^73: the cross products fit in 128 bits.
#[inline]
fn compare_fractions(a: (u64, u128), b: (u64, u128)) -> Ordering {
    (u128::from(a.0) * b.1).cmp(&(u128::from(b.0) * a.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale<'a, const N: usize>(divisors: &'a [u128; N], reciprocals: &'a mut [f64; N]) -> Scale<'a> {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        for (reciprocal, divisor) in reciprocals.iter_mut().zip(divisors) {
            *reciprocal = 1.0 / *divisor as f64;
        }
        Scale { divisors, reciprocals }
    }

    #[test]
    fn the_second_share_decides_where_the_first_ties() {
        let mut reciprocals = [0.0; 2];
        let scale = scale(&[100, 100], &mut reciprocals);
        let a = Holding { usage: &[10, 20], charge: &[0, 0], scale };
        let b = Holding { usage: &[20, 5], charge: &[0, 0], scale };
        assert_eq!(a.compare(&b, false), Ordering::Greater);
        assert_eq!(b.compare(&a, false), Ordering::Less);
    }

    #[test]
    fn shares_that_floats_cannot_tell_apart_are_told_apart() {
        let scale = Scale { divisors: &[(1 << 73) - 1], reciprocals: &[2.0_f64.powi(-73)] };
        let (a, b) = ([(1_u64 << 53) - 1], [(1_u64 << 53) - 2]);
        let a = Holding { usage: &a, charge: &[0], scale };
        let b = Holding { usage: &b, charge: &[0], scale };
        assert_eq!(decide_by_hint(a.hint(false), b.hint(false)), None);
        assert_eq!(a.compare(&b, false), Ordering::Greater);
    }

    #[test]
    fn the_charge_counts_only_after_the_grant() {
        let mut reciprocals = [0.0; 2];
        let scale = scale(&[4, 10], &mut reciprocals);
        let big = Holding { usage: &[0, 0], charge: &[4, 5], scale };
        let small = Holding { usage: &[0, 0], charge: &[2, 5], scale };
        assert_eq!(big.compare(&small, false), Ordering::Equal);
        assert_eq!(big.compare(&small, true), Ordering::Greater);
        assert_eq!(decide_by_hint(big.hint(true), small.hint(true)), Some(Ordering::Greater));
    }
}
