//! Best fit by GPUs: the node with the fewest free GPUs that holds a worker, then the fewest free cores.
//!
//! Where nodes have no GPUs, the fewest free cores and then the least free memory. The ledger keeps the nodes in this
//! order, so that one worker costs O(log nodes). Layer 3; uses `ledger`.

use super::Rank;
use crate::ledger::PoolState;
use crate::resources::Resources;

/// Whole free GPUs (or cores), then free cores (or memory).
pub(super) fn rank(pool: &PoolState, free: &Resources) -> Rank {
    let (shelf, within) = pool.fit_key(free);
    (0, (shelf as u128) << 64 | u128::from(within.get()))
}
