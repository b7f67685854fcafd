//! Fragmentation gradient: the node where a worker turns the fewest free GPUs into ones that typical workers cannot use.
//!
//! Typical are the workers of all jobs submitted so far, each as often as it was asked for. For one of them the free GPUs
//! of a node are fragments if the node cannot hold it, and else what is free on devices that have too little for it. A
//! node without a record of its devices counts its free GPUs as whole ones and one rest.
//! After: Weng et al., Beware of Fragmentation, USENIX ATC 2023. Layer 3; uses `ledger`.

use super::{Rank, best_fit};
use crate::ledger::PoolState;
use crate::resources::{ResourceKind, Resources};

/// One device.
const DEVICE: u64 = 1_000;

/// How much the fragments of a node grow by a worker, weighed by how often workers are asked for; then best fit.
pub(super) fn rank(pool: &PoolState, request: &Resources, free: &Resources) -> Rank {
    let left = free.checked_sub(request).unwrap_or_default();
    let growth = |(typical, times): (&Resources, u64)| {
        let grown = i128::from(fragments(&left, typical)) - i128::from(fragments(free, typical));
        grown.saturating_mul(i128::from(times))
    };
    let gradient = pool.demand().map(growth).fold(0, i128::saturating_add);
    // Best fit decides between equals; its first part orders all that matters in practice.
    (gradient, u128::try_from(best_fit::rank(pool, free).0).unwrap_or(0))
}

/// How many thousandths of the free GPUs are of no use to a worker.
fn fragments(free: &Resources, typical: &Resources) -> u64 {
    let (gpus, asked) = (free[ResourceKind::GPU].get(), typical[ResourceKind::GPU].get());
    if !typical.fits_in(free) {
        return gpus;
    }
    let rest = gpus % DEVICE;
    if rest < asked.min(DEVICE) { rest } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of a node that lacks cores: all of its 2,700 are fragments, at a popularity of 0.0933.
    #[test]
    fn all_is_fragments_where_cores_are_lacking() {
        let free = Resources::new().cpu(1).with(ResourceKind::GPU, crate::Quantity::new(2_700));
        let task = Resources::new().cpu(6).with(ResourceKind::GPU, crate::Quantity::new(465));
        assert_eq!(fragments(&free, &task) * 933, 2_519_100);
    }

    /// Half of the workers ask one GPU, half eight: an empty node of eight loses 3,500 by a small one, one with four free
    /// gains 500.
    #[test]
    fn an_empty_node_is_not_broken() {
        let typical = [Resources::new().gpu(1), Resources::new().gpu(8)];
        let sum = |gpus: u64| {
            let free = Resources::new().gpu(gpus);
            typical.iter().map(|typical| fragments(&free, typical)).sum::<u64>()
        };
        assert_eq!((sum(8), sum(7)), (0, 7_000));
        assert_eq!((sum(4), sum(3)), (4_000, 3_000));
    }
}
