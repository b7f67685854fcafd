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

/// Nodes that hold a worker, the best first, found one by one: a heap holds for each shelf that was opened its next node by
/// a bound of its rank, so that one worker looks into one or two shelves.
pub(super) fn nodes<'a>(
    pool: &'a PoolState,
    request: &'a Resources,
) -> impl Iterator<Item = (NodeId, &'a Resources)> {
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

/// What is looked at next, in the order of its rank.
type Queued = (Rank, (NodeId, u8), Next);

struct Search<'a> {
    pool: &'a PoolState,
    request: &'a Resources,
    /// The rest of each open shelf, from the shelf number `first` on.
    open: Vec<Range<'a, (Quantity, NodeId)>>,
    first: usize,
    next: BinaryHeap<Reverse<Queued>>,
}

impl Search<'_> {
    /// The smallest rank that a node on a shelf can have if shelves are sorted by `within` there.
    fn bound(&self, shelf: usize, within: Quantity) -> Rank {
        let (scarce, least) = self.pool.least_on(shelf);
        let least = least.max(self.request[scarce]);
        let (gpu, cpu) = match scarce {
            ResourceKind::GPU => (least, within),
            ResourceKind::CPU => (Quantity::ZERO, least),
            _ => (Quantity::ZERO, Quantity::ZERO),
        };
        (score(self.pool, gpu, cpu), u128::from(within.get()))
    }

    fn push(&mut self, rank: Rank, what: Next) {
        self.next.push(Reverse((rank, what.order(), what)));
    }

    fn announce(&mut self, shelf: usize) {
        if shelf < self.pool.shelf_count() {
            let within = self.pool.within_shelf(self.request);
            self.push(self.bound(shelf, within), Next::Shelf(shelf));
        }
    }

    fn advance(&mut self, shelf: usize) {
        let head = self.open.get_mut(shelf - self.first).and_then(Iterator::next).copied();
        if let Some((within, node)) = head {
            self.push(self.bound(shelf, within), Next::Head(node, shelf));
        }
    }
}

impl<'a> Iterator for Search<'a> {
    type Item = (NodeId, &'a Resources);

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
                    let free = self.pool.free_on(node).filter(|free| self.request.fits_in(free));
                    if let Some(free) = free {
                        self.push(rank(self.pool, free), Next::Found(node));
                    }
                }
                Next::Found(node) => return Some((node, self.pool.free_on(node)?)),
            }
        }
    }
}
