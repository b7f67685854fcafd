//! Share: how much a queue or a cohort has borrowed, as the largest part of what it could borrow, over its weight.
//!
//! Exact fractions, compared as continued fractions, so that no product overflows.

use core::cmp::Ordering;

use super::tree::{NodeIndex, Pair, Tree};
use crate::share::Weight;

/// The dominant share of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DominantShare {
    borrowed: u128,
    lendable: u128,
    weight: Option<Weight>,
    /// Whether anything is used beyond the quota, though nobody may have lent it.
    is_borrowing: bool,
    /// The resource, by its position in alphabetical order.
    pub(super) resource: Option<usize>,
}

/// A weighted share as Kueue prints it: thousandths, rounded up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WeightedShare {
    /// So many thousandths.
    Thousandths(u64),
    /// The weight is zero, and something is borrowed.
    Infinite,
}

impl DominantShare {
    pub(super) const ZERO: Self =
        Self { borrowed: 0, lendable: 1, weight: None, is_borrowing: false, resource: None };

    /// Whether anything is used beyond the quota. The share is zero all the same where nobody could have lent it.
    #[must_use]
    pub fn is_borrowing(&self) -> bool {
        self.is_borrowing
    }

    /// In thousandths, rounded up.
    #[must_use]
    pub fn weighted(&self) -> WeightedShare {
        let Some(weight) = self.weight else {
            return if self.borrowed > 0 { WeightedShare::Infinite } else { WeightedShare::Thousandths(0) };
        };
        let above = self.borrowed.saturating_mul(1_000).saturating_mul(u128::from(weight.denominator()));
        let below = self.lendable.saturating_mul(u128::from(weight.numerator()));
        WeightedShare::Thousandths(u64::try_from(above.div_ceil(below.max(1))).unwrap_or(u64::MAX))
    }

    /// Smaller shares come first; borrowing without weight comes last. That asks whether anything is borrowed, and not
    /// whether there is a share: one without weight comes last also where nobody could have lent anything, though its
    /// share is zero and printed as that.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if self.weight.is_some() && (self.lendable, self.weight) == (other.lendable, other.weight) {
            // Nearly always, in a cohort of queues that are alike.
            return self.borrowed.cmp(&other.borrowed);
        }
        let endless = |share: &Self| share.weight.is_none() && share.is_borrowing();
        match (endless(self), endless(other)) {
            (true, true) => {
                compare_fractions((self.borrowed, self.lendable), (other.borrowed, other.lendable))
            }
            (false, false) => compare_fractions(self.over_weight(), other.over_weight()),
            (infinite, _) => infinite.cmp(&!infinite),
        }
    }

    /// The same, and of equal shares those that borrow come last.
    pub(super) fn compare_borrowing(&self, other: &Self) -> Ordering {
        self.compare(other).then(self.is_borrowing.cmp(&other.is_borrowing))
    }

    fn over_weight(&self) -> (u128, u128) {
        let weight = self.weight.unwrap_or(Weight::ONE);
        let above = self.borrowed.saturating_mul(u128::from(weight.denominator()));
        (above, self.lendable.saturating_mul(u128::from(weight.numerator())))
    }
}

/// Compares fractions with positive denominators, by their parts where products could overflow.
fn compare_fractions(mut a: (u128, u128), mut b: (u128, u128)) -> Ordering {
    let small = u128::from(u64::MAX);
    if a.0.max(a.1).max(b.0).max(b.1) <= small {
        // Nearly always: products that cannot overflow.
        return (a.0 * b.1).cmp(&(b.0 * a.1));
    }
    let mut flipped = false;
    loop {
        let by_whole = (a.0 / a.1).cmp(&(b.0 / b.1));
        let (rest_a, rest_b) = (a.0 % a.1, b.0 % b.1);
        let order = match (by_whole, rest_a, rest_b) {
            (Ordering::Equal, 0, 0) => return Ordering::Equal,
            (Ordering::Equal, 0, _) => Ordering::Less,
            (Ordering::Equal, _, 0) => Ordering::Greater,
            (Ordering::Equal, ..) => {
                // The rests compare as their inverses do, the other way round.
                (a, b, flipped) = ((a.1, rest_a), (b.1, rest_b), !flipped);
                continue;
            }
            (other, ..) => other,
        };
        return if flipped { order.reverse() } else { order };
    }
}

/// The pairs of each resource, by its position in alphabetical order.
pub(super) type Resources = Vec<Vec<Pair>>;

impl Tree {
    /// Works out what shares are parts of; potentials are known.
    pub(super) fn settle_shares(&mut self, resources: &Resources) {
        for at in (0..self.nodes.len()).map(NodeIndex::at) {
            let Some(parent) = self.node(at).parent else { continue };
            let root = self.node(self.root(at));
            let lent = |pair: &Pair| u128::try_from(self.potential(parent, *pair)).unwrap_or(0);
            let sum = |pairs: &Vec<Pair>| pairs.iter().filter(|pair| root.in_table[**pair]).map(lent).sum();
            let lendable = resources.iter().map(sum).collect();
            self.nodes[at].lendable = lendable;
        }
    }

    /// The dominant share of a node as it is; zero for a root.
    pub(super) fn dominant_share(&self, at: NodeIndex, resources: &Resources) -> DominantShare {
        self.share_if_used(at, resources, |pair| self.usage(at, pair))
    }

    /// The same if the node used so much of every pair.
    pub(super) fn share_if_used(
        &self,
        at: NodeIndex,
        resources: &Resources,
        used: impl Fn(Pair) -> i64,
    ) -> DominantShare {
        let node = self.node(at);
        if node.parent.is_none() {
            return DominantShare::ZERO;
        }
        let mut best = DominantShare { weight: node.weight, ..DominantShare::ZERO };
        for (resource, (pairs, lendable)) in resources.iter().zip(&node.lendable).enumerate() {
            let beyond = |pair: &Pair| used(*pair).saturating_sub(node.quota[*pair]);
            let in_table = pairs.iter().filter(|pair| node.in_table[**pair]);
            let borrowed: u128 = in_table.map(|pair| u128::try_from(beyond(pair)).unwrap_or(0)).sum();
            best.is_borrowing |= borrowed > 0;
            let known = (best.borrowed, best.lendable);
            if *lendable > 0 && borrowed > 0 && compare_fractions((borrowed, *lendable), known).is_gt() {
                best = DominantShare { borrowed, lendable: *lendable, resource: Some(resource), ..best };
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A share of zero needs no weight to be zero; to come last, borrowing is enough.
    #[test]
    fn borrowing_without_weight_comes_last_even_where_nobody_lends() {
        let unlent = DominantShare { is_borrowing: true, ..DominantShare::ZERO };
        assert_eq!(unlent.weighted(), WeightedShare::Thousandths(0));
        let large = DominantShare { borrowed: 9, weight: Some(Weight::ONE), ..unlent };
        assert_eq!((unlent.compare(&large), large.compare(&unlent)), (Ordering::Greater, Ordering::Less));
        // Of two without weight the part of what could be lent decides, and without borrowing there is nothing to decide.
        let lent = DominantShare { borrowed: 1, ..unlent };
        assert_eq!((unlent.compare(&lent), lent.weighted()), (Ordering::Less, WeightedShare::Infinite));
        assert_eq!(DominantShare::ZERO.compare(&large), Ordering::Less);
    }

    #[test]
    fn fractions_compare_as_their_values_do() {
        let values =
            [(0, 1), (1, 3), (333, 1_000), (2, 6), (1, 2), (3, 2), (u128::MAX, u128::MAX - 1), (7, 3)];
        for a in values {
            for b in values {
                let exact = a.0.checked_mul(b.1).zip(b.0.checked_mul(a.1));
                if let Some((left, right)) = exact {
                    assert_eq!(compare_fractions(a, b), left.cmp(&right), "{a:?} {b:?}");
                }
            }
        }
    }
}
