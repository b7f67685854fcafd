//! Placement: on which nodes of a pool the workers of a job go.
//!
//! All workers find room or none does; nothing is changed here. Whether there is room is the same under every rule; the
//! rules differ in which nodes with room are tried first, and one node after the other is filled in that order.
//! Absent on purpose: which pool, and whose job. Layer 3; uses `config`, `ledger`, `route`.

mod best_fit;
mod best_fit_gpu;
mod first_fit;
mod fragmentation;
mod random;

use crate::config::Placement;
use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::resources::Resources;
use crate::route::Route;

/// Nodes are tried by this, the smallest first, and then by their number.
pub(crate) type Rank = (i128, u128);

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
    match pool.placement() {
        Placement::BestFit if route.workers == 1 => {
            fill(route, best_fit::best(pool, &route.request, is_allowed), spans)
        }
        Placement::BestFit => {
            let nodes = best_fit::nodes(pool, &route.request);
            fill(route, nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::BestFitGpu => {
            let nodes = pool.fewest_free(&route.request);
            fill(route, nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::FirstFit => {
            let nodes = pool.nodes().filter(|(_, free)| route.request.fits_in(free));
            fill(route, nodes.filter(|(node, _)| is_allowed(*node)), spans)
        }
        Placement::Fragmentation | Placement::Random => {
            let with_room =
                |(node, free): &(NodeId, &Resources)| route.request.fits_in(free) && is_allowed(*node);
            let nodes = pool.nodes().filter(with_room);
            let ranked = nodes.map(|(node, free)| (rank(pool, &route.request, node, free), node, free));
            if route.workers == 1 {
                return fill(route, ranked.min_by_key(|(rank, node, _)| (*rank, *node)).map(unranked), spans);
            }
            let mut ranked: Vec<_> = ranked.collect();
            ranked.sort_unstable_by_key(|(rank, node, _)| (*rank, *node));
            fill(route, ranked.into_iter().map(unranked), spans)
        }
    }
}

/// When a node that has room for a worker is tried; `free` is what the node has free, now or at another time.
pub(crate) fn rank(pool: &PoolState, request: &Resources, node: NodeId, free: &Resources) -> Rank {
    match pool.placement() {
        Placement::BestFit => best_fit::rank(pool, free),
        Placement::BestFitGpu => best_fit_gpu::rank(pool, free),
        Placement::FirstFit => first_fit::rank(),
        Placement::Fragmentation => fragmentation::rank(pool, request, free),
        Placement::Random => random::rank(pool, node),
    }
}

fn unranked((_, node, free): (Rank, NodeId, &Resources)) -> (NodeId, &Resources) {
    (node, free)
}

/// Fills one node after the other; whether all workers have room.
fn fill<'a>(
    route: &Route,
    nodes: impl IntoIterator<Item = (NodeId, &'a Resources)>,
    spans: &mut Vec<Span>,
) -> bool {
    let mut left = route.workers;
    for (node, free) in nodes {
        let room = if left == 1 { 1 } else { route.request.times_in(free) };
        let here = u32::try_from(room).unwrap_or(u32::MAX).min(left);
        spans.push(Span { node, workers: here });
        left -= here;
        if left == 0 {
            return true;
        }
    }
    spans.clear();
    false
}
