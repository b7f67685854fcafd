//! Placement: on which nodes of a pool the workers of a job go.
//!
//! All workers find room or none does; nothing is changed here. Whether there is room is the same under every rule; the
//! rules differ in which nodes with room are tried first, and one node after the other is filled in that order. They differ
//! too in the device that a worker gets which asks a part of a GPU, and in the fabric domain that a gang gets where a pool
//! has several: all of it lies in one, unless it may leave it.
//! Absent on purpose: which pool, and whose job. Layer 3; uses `config`, `ledger`, `room`, `route`.

mod best_fit;
mod best_fit_gpu;
mod device;
mod domain;
mod first_fit;
mod fragmentation;
mod random;

use std::collections::BTreeSet;

use crate::config::Placement;
use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room, part_of};
use crate::route::Route;

/// Memory for so many nodes is asked for at once.
const AT_ONCE: usize = 64;

/// Nodes are tried by this, the smallest first, and then by their number.
pub(crate) type Rank = (i128, u128);

/// Whether all workers of `route` have room now on other nodes than those in `avoid`, which is sorted: the same under every
/// rule, and quicker than to choose.
#[inline]
pub(crate) fn has_room(pool: &PoolState, route: &Route, avoid: &[NodeId]) -> bool {
    if !route.total.fits_in(pool.free()) || pool.is_divisible() {
        return route.total.fits_in(pool.free());
    }
    if route.confined {
        return domain::has_room(pool, route, avoid);
    }
    let mut left = u64::from(route.workers);
    if left > 1 && !pool.may_hold(&route.request, left) {
        return false;
    }
    for (node, free) in pool.most_free(&route.request) {
        if avoid.is_empty() || avoid.binary_search(&node).is_err() {
            left = left.saturating_sub(if left == 1 { 1 } else { free.times(&route.request) });
            if left == 0 {
                return true;
            }
        }
    }
    false
}

/// Puts into `spans` where the workers of `route` would go now; whether there is room for all of them. A divisible pool
/// has no nodes: the list stays empty. The nodes in `avoid`, which is sorted, are left alone.
#[inline]
pub(crate) fn find(pool: &PoolState, route: &Route, avoid: &[NodeId], spans: &mut Vec<Span>) -> bool {
    spans.clear();
    if !route.total.fits_in(pool.free()) {
        return false;
    }
    if pool.is_divisible() {
        return true;
    }
    if route.workers > 1 && !pool.may_hold(&route.request, u64::from(route.workers)) {
        return false;
    }
    let is_allowed = |node: NodeId| avoid.is_empty() || avoid.binary_search(&node).is_err();
    let seats = Seats { pool, request: &route.request, workers: route.workers };
    if route.confined {
        let nodes: Vec<_> = domain::nodes(pool, route).filter(|(node, _)| is_allowed(*node)).collect();
        return domain::fill(&seats, &nodes, spans);
    }
    match pool.placement() {
        Placement::BestFit if route.workers == 1 => {
            seats.fill(best_fit::best(pool, &route.request, is_allowed), spans)
        }
        Placement::BestFit => {
            let nodes = best_fit::nodes(pool, &route.request);
            seats.fill(nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::BestFitGpu => {
            let nodes = best_fit_gpu::nodes(pool, &route.request);
            seats.fill(nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::FirstFit => {
            let nodes = pool.nodes().filter(|(_, free)| free.fits(&route.request));
            seats.fill(nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::Fragmentation | Placement::Random => {
            seats.fill_ranked(pool.nodes().filter(|(node, _)| is_allowed(*node)), spans)
        }
    }
}

/// Where the workers of `route` would go among nodes, in order, that have so much free, now or at another time.
pub(crate) fn find_among<'a>(
    pool: &PoolState,
    route: &Route,
    nodes: impl Iterator<Item = (NodeId, &'a Room)>,
) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    let seats = Seats { pool, request: &route.request, workers: route.workers };
    let found = if route.confined {
        let nodes: Vec<_> = nodes.filter(|(_, free)| free.fits(&route.request)).collect();
        domain::fill(&seats, &nodes, &mut spans)
    } else {
        seats.fill_ranked(nodes, &mut spans)
    };
    found.then_some(spans)
}

/// Puts into `spans` on which devices of a node that has room for them so many workers go.
pub(crate) fn seat(
    pool: &PoolState,
    request: &Resources,
    (node, free): (NodeId, &Room),
    workers: u32,
    spans: &mut Vec<Span>,
) {
    Seats { pool, request, workers }.seat(node, free, workers, spans);
}

/// Whether all workers of `route` have room where they are said to run, beside the others there. As where they are put, each
/// node comes once, and on it each device.
pub(crate) fn seats_beside(pool: &PoolState, route: &Route, spans: &[Span]) -> bool {
    if pool.is_divisible() {
        return spans.is_empty() && route.total.fits_in(pool.free());
    }
    let on_devices = part_of(&route.request) > 0;
    let devices_of_node = pool.node_capacity()[ResourceKind::GPU].get().div_ceil(DEVICE);
    let workers: u64 = spans.iter().map(|span| u64::from(span.workers)).sum();
    let (mut nodes, mut devices) = (BTreeSet::new(), BTreeSet::new());
    let mut have_room = |on_node: &[Span]| {
        let node = on_node[0].node;
        let Some(mut free) = pool.free_on(node).filter(|_| nodes.insert(node)).cloned() else { return false };
        on_node.iter().all(|span| {
            let is_there = match span.device {
                Some(device) => on_devices && u64::from(device) < devices_of_node && free.can_share(device),
                None => !on_devices,
            };
            let is_first = devices.insert((node, span.device));
            is_there && is_first && span.workers > 0 && free.take(&route.request, span.workers, span.device)
        })
    };
    workers == u64::from(route.workers) && spans.chunk_by(|a, b| a.node == b.node).all(&mut have_room)
}

/// When a node that has room for a worker is tried; `free` is what the node has free, now or at another time.
pub(crate) fn rank(pool: &PoolState, request: &Resources, node: NodeId, free: &Room) -> Rank {
    match pool.placement() {
        Placement::BestFit => best_fit::rank(pool, free.amounts()),
        Placement::BestFitGpu => best_fit_gpu::rank(pool, free.amounts()),
        Placement::FirstFit => first_fit::rank(),
        Placement::Fragmentation => fragmentation::rank(pool, request, free),
        Placement::Random => random::rank(pool, node),
    }
}

/// Workers that are alike, to be put somewhere in a pool.
struct Seats<'a> {
    pool: &'a PoolState,
    request: &'a Resources,
    workers: u32,
}

impl Seats<'_> {
    /// Fills one node after the other, in the order in which the rule tries them; whether all workers have room.
    fn fill_ranked<'a>(
        &self,
        nodes: impl Iterator<Item = (NodeId, &'a Room)>,
        spans: &mut Vec<Span>,
    ) -> bool {
        let with_room = nodes.filter(|(_, free)| free.fits(self.request));
        let ranked = with_room.map(|(node, free)| (rank(self.pool, self.request, node, free), node, free));
        let unranked = |(_, node, free)| (node, free);
        if self.workers == 1 {
            return self.fill(ranked.min_by_key(|(rank, node, _)| (*rank, *node)).map(unranked), spans);
        }
        // Each has room for one at least: no more are needed.
        let most = self.workers as usize;
        let mut first = Vec::with_capacity(AT_ONCE);
        first.extend(ranked);
        let order = |(rank, node, _): &(Rank, NodeId, &Room)| (*rank, *node);
        if most < first.len() {
            first.select_nth_unstable_by_key(most, order);
            first.truncate(most);
        }
        first.sort_unstable_by_key(order);
        self.fill(first.into_iter().map(unranked), spans)
    }

    /// Fills one node after the other; whether all workers have room.
    fn fill<'a>(&self, nodes: impl IntoIterator<Item = (NodeId, &'a Room)>, spans: &mut Vec<Span>) -> bool {
        let mut left = self.workers;
        for (node, free) in nodes {
            let room = if left == 1 { 1 } else { free.times(self.request) };
            let here = u32::try_from(room).unwrap_or(u32::MAX).min(left);
            self.seat(node, free, here, spans);
            left -= here;
            if left == 0 {
                return true;
            }
        }
        spans.clear();
        false
    }

    /// Puts so many workers on a node that has room for them, each on the device that the rule chooses for it.
    #[inline]
    fn seat(&self, node: NodeId, free: &Room, workers: u32, spans: &mut Vec<Span>) {
        if part_of(self.request) == 0 {
            spans.push(Span { node, workers, device: None });
        } else {
            device::seat(self.pool, self.request, (node, free), workers, spans);
        }
    }
}
