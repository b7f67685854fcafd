//! Best fit: the node with the least left of its cores and its GPUs, each as a part of what a node has, half and half.
//!
//! Equal: the fewest free cores, then the lowest number. Where nodes have no GPUs: the fewest free cores, then the least
//! free memory. What a worker takes is the same on every node, so that what is free stands for what would be left.
//! Layer 3; uses `ledger`.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::btree_set::Range;

use super::Rank;
use crate::id::NodeId;
use crate::ledger::PoolState;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;

/// Free cores and GPUs over what a node has, by cross products, then what shelves are sorted by.
pub(super) fn rank(pool: &PoolState, free: &Resources) -> Rank {
    let (gpu, cpu) = (free[ResourceKind::GPU], free[ResourceKind::CPU]);
    (score(pool, gpu, cpu), u128::from(pool.within_shelf(free).get()))
}

/// Twice what is free over what there is, times both capacities: the order of 0.5 cpu + 0.5 gpu.
fn score(pool: &PoolState, gpu: Quantity, cpu: Quantity) -> i128 {
    let whole = pool.node_capacity();
    let capacity = |kind: ResourceKind| i128::from(whole[kind].get().max(1));
    let by_gpu = i128::from(gpu.get()).saturating_mul(capacity(ResourceKind::CPU));
    by_gpu.saturating_add(i128::from(cpu.get()).saturating_mul(capacity(ResourceKind::GPU)))
}

/// The best node for one worker, of those allowed: shelves, and nodes on a shelf, are left where none behind can be better.
pub(super) fn best<'a>(
    pool: &'a PoolState,
    request: &Resources,
    is_allowed: impl Fn(NodeId) -> bool,
) -> Option<(NodeId, &'a Room)> {
    let within = pool.within_shelf(request);
    let mut best: Option<(Rank, NodeId)> = None;
    for shelf in pool.fit_key(request).0..pool.shelf_count() {
        if best.is_some_and(|(rank, _)| rank < bound(pool, request, shelf, within)) {
            break;
        }
        for (within, node) in pool.shelf_from(shelf, within) {
            if best.is_some_and(|best| best < (bound(pool, request, shelf, *within), *node)) {
                break;
            }
            let free = pool.free_on(*node).filter(|free| is_allowed(*node) && free.fits(request));
            if let Some(free) = free {
                let found = (rank(pool, free.amounts()), *node);
                best = Some(best.map_or(found, |best| best.min(found)));
            }
        }
    }
    best.and_then(|(_, node)| Some((node, pool.free_on(node)?)))
}

/// The smallest rank that a node on a shelf can have whose key there is `within`, if it holds a worker.
fn bound(pool: &PoolState, request: &Resources, shelf: usize, within: Quantity) -> Rank {
    let (scarce, least) = pool.least_on(shelf);
    let least = least.max(request[scarce]);
    let (gpu, cpu) = match scarce {
        ResourceKind::GPU => (least, within),
        ResourceKind::CPU => (Quantity::ZERO, least),
        _ => (Quantity::ZERO, Quantity::ZERO),
    };
    (score(pool, gpu, cpu), u128::from(within.get()))
}

/// Nodes that hold a worker, the best first, found one by one: a heap holds for each shelf that was opened its next node by
/// a bound of its rank.
pub(super) fn nodes<'a>(
    pool: &'a PoolState,
    request: &'a Resources,
) -> impl Iterator<Item = (NodeId, &'a Room)> {
    let first = pool.fit_key(request).0;
    let mut search = Search { pool, request, open: Vec::new(), first, next: BinaryHeap::new() };
    search.announce(first);
    search
}

/// What is looked at next. Of equal ranks a bound comes before a node, so that nothing is overlooked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// A shelf that is not open.
    Shelf(usize),
    /// The next node of an open shelf.
    Head(NodeId, usize),
    /// A node that holds a worker.
    Found(NodeId),
}

impl Next {
    /// Bounds first at an equal rank, but for a node before the heads that stand behind it.
    fn order(self) -> (NodeId, u8) {
        match self {
            Self::Shelf(_) => (NodeId::new(0), 0),
            Self::Head(node, _) => (node, 1),
            Self::Found(node) => (node, 2),
        }
    }
}

/// What is looked at next by its rank; equal ones by [`Next::order`].
type Entry = (Rank, (NodeId, u8), Next);

struct Search<'a> {
    pool: &'a PoolState,
    request: &'a Resources,
    /// The rest of each open shelf, from the shelf number `first` on.
    open: Vec<Range<'a, (Quantity, NodeId)>>,
    first: usize,
    next: BinaryHeap<Reverse<Entry>>,
}

impl Search<'_> {
    fn push(&mut self, rank: Rank, what: Next) {
        self.next.push(Reverse((rank, what.order(), what)));
    }

    fn announce(&mut self, shelf: usize) {
        if shelf < self.pool.shelf_count() {
            let within = self.pool.within_shelf(self.request);
            self.push(bound(self.pool, self.request, shelf, within), Next::Shelf(shelf));
        }
    }

    fn advance(&mut self, shelf: usize) {
        let head = self.open.get_mut(shelf - self.first).and_then(Iterator::next).copied();
        if let Some((within, node)) = head {
            self.push(bound(self.pool, self.request, shelf, within), Next::Head(node, shelf));
        }
    }
}

impl<'a> Iterator for Search<'a> {
    type Item = (NodeId, &'a Room);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Reverse((_, _, what)) = self.next.pop()?;
            match what {
                Next::Shelf(shelf) => {
                    self.open.push(self.pool.shelf_from(shelf, self.pool.within_shelf(self.request)));
                    self.advance(shelf);
                    self.announce(shelf + 1);
                }
                Next::Head(node, shelf) => {
                    self.advance(shelf);
                    let free = self.pool.free_on(node).filter(|free| free.fits(self.request));
                    if let Some(free) = free {
                        self.push(rank(self.pool, free.amounts()), Next::Found(node));
                    }
                }
                Next::Found(node) => return Some((node, self.pool.free_on(node)?)),
            }
        }
    }
}
