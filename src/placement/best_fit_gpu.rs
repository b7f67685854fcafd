//! Best fit by GPUs: the node with the fewest free GPUs that holds a worker, then the fewest free cores.
//!
//! Where nodes have no GPUs, the fewest whole free cores and then the least free memory. Unless parts of GPUs are taken, the
//! ledger keeps the nodes in this order, so that one worker costs O(log nodes). Layer 3; uses `ledger`.

use super::Rank;
use crate::id::NodeId;
use crate::ledger::PoolState;
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;

/// Free GPUs (or whole cores), then free cores (or memory).
pub(super) fn rank(pool: &PoolState, free: &Resources) -> Rank {
    let (shelf, within) = pool.fit_key(free);
    let first = match free[ResourceKind::GPU].get() {
        0 => shelf as u128,
        gpus => u128::from(gpus),
    };
    (0, first << 64 | u128::from(within.get()))
}

/// Nodes that hold a worker, the best first: shelf by shelf, and each in order where its nodes have not the same free.
pub(super) fn nodes<'a>(
    pool: &'a PoolState,
    request: &'a Resources,
) -> impl Iterator<Item = (NodeId, &'a Room)> {
    let within = pool.within_shelf(request);
    (pool.fit_key(request).0..pool.shelf_count()).flat_map(move |shelf| {
        let here = pool.shelf_from(shelf, within);
        let here = here.filter_map(|(_, node)| Some((*node, pool.free_on(*node)?)));
        let mut here = here.filter(|(_, free)| free.fits(request));
        let mut sorted = Vec::new();
        if !pool.shelves_are_sorted() {
            sorted.extend(here.by_ref());
            sorted.sort_unstable_by_key(|(node, free)| (rank(pool, free.amounts()), *node));
        }
        sorted.into_iter().chain(here)
    })
}
