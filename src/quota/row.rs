//! Row: what a member may hold in each pool, and holds, resource by resource.
//!
//! A member names few amounts, so that they stand side by side.
//! Absent on purpose: what follows from them (see `quota`). Layer 3.

use crate::id::PoolId;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};

/// What a member may hold of one resource in one pool, and what it holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) quota: Option<Quantity>,
    pub(super) limit: Option<Quantity>,
    pub(super) borrow: Option<Quantity>,
    pub(super) lend: Option<Quantity>,
    /// The least of the limit and quota plus borrowing limit.
    pub(super) most: Option<Quantity>,
    /// The part of the quota that others may not use while it is idle.
    pub(super) kept: Quantity,
    pub(super) used: Quantity,
    pub(super) guaranteed: Quantity,
    /// What is withheld from everybody else for this member now: idle amounts that it, or members below it, keep.
    pub(super) withheld: Quantity,
    /// The same, summed over its children.
    pub(super) below: Quantity,
    /// Both while nothing runs: more is never withheld.
    pub(super) withheld_idle: Quantity,
    pub(super) below_idle: Quantity,
}

/// The amounts of one member, sorted by pool and resource.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<(Pair, Entry)>);

/// What an amount is of.
pub(super) type Pair = (PoolId, ResourceKind);

impl Clone for Row {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    fn clone_from(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }
}

impl Row {
    #[inline]
    pub(super) fn get(&self, pair: Pair) -> Option<&Entry> {
        let at = self.0.binary_search_by_key(&pair, |(known, _)| *known).ok()?;
        Some(&self.0[at].1)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, pair: Pair) -> Option<&mut Entry> {
        let at = self.0.binary_search_by_key(&pair, |(known, _)| *known).ok()?;
        Some(&mut self.0[at].1)
    }

    /// The entry of a pair, a new one if there is none.
    pub(super) fn entry(&mut self, pair: Pair) -> &mut Entry {
        let at = self.0.binary_search_by_key(&pair, |(known, _)| *known).unwrap_or_else(|at| {
            self.0.insert(at, (pair, Entry::default()));
            at
        });
        &mut self.0[at].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Pair, &Entry)> {
        self.0.iter().map(|(pair, entry)| (*pair, entry))
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut().map(|(_, entry)| entry)
    }

    /// Those of one pool.
    #[inline]
    pub(super) fn in_pool(&self, pool: PoolId) -> impl Iterator<Item = (ResourceKind, &Entry)> {
        let here = self.0.partition_point(|((its, _), _)| *its < pool);
        let here = self.0[here..].iter().take_while(move |((its, _), _)| *its == pool);
        here.map(|((_, kind), entry)| (*kind, entry))
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn in_pool_mut(&mut self, pool: PoolId) -> impl Iterator<Item = (ResourceKind, &mut Entry)> {
        let here = self.0.partition_point(|((its, _), _)| *its < pool);
        let here = self.0[here..].iter_mut().take_while(move |((its, _), _)| *its == pool);
        here.map(|((_, kind), entry)| (*kind, entry))
    }

    /// Whether enough of the quota in a pool is left to count so much more as guaranteed.
    #[inline]
    pub(super) fn has_left(&self, pool: PoolId, asked: &Resources) -> bool {
        let mut named = false;
        for (kind, entry) in self.in_pool(pool) {
            let Some(quota) = entry.quota else { continue };
            named = true;
            if entry.guaranteed.checked_add(asked[kind]).is_none_or(|sum| sum > quota) {
                return false;
            }
        }
        named
    }

    /// So much more counts as guaranteed in a pool.
    pub(super) fn take(&mut self, pool: PoolId, asked: &Resources) {
        for (kind, entry) in self.in_pool_mut(pool) {
            entry.guaranteed = entry.guaranteed.checked_add(asked[kind]).unwrap_or(entry.guaranteed);
        }
    }
}
