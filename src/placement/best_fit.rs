//! Best fit: the node with the fewest free GPUs that holds a worker, then the fewest free cores, then the lowest number.
//!
//! A gang fills one node after the other in that order, so that whole free nodes stay whole for as long as possible.

use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::route::Route;

/// Where the workers go: O(log n) for one worker that fits the first node tried, O(nodes) for a gang.
pub(super) fn find(pool: &PoolState, route: &Route, avoid: &[NodeId], spans: &mut Vec<Span>) -> bool {
    let mut nodes = pool
        .best_fit(&route.request)
        .filter(|(node, _)| avoid.is_empty() || avoid.binary_search(node).is_err());
    if route.workers == 1 {
        let Some((node, _)) = nodes.next() else { return false };
        spans.push(Span { node, workers: 1 });
        return true;
    }
    if !pool.may_hold(&route.request, u64::from(route.workers)) {
        return false;
    }
    let mut left = route.workers;
    for (node, free) in nodes {
        let here = u32::try_from(route.request.times_in(free)).unwrap_or(u32::MAX).min(left);
        spans.push(Span { node, workers: here });
        left -= here;
        if left == 0 {
            return true;
        }
    }
    spans.clear();
    false
}
