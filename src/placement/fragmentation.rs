//! Fragmentation gradient: the node and the device where a worker turns the fewest free GPUs into ones that typical
//! workers cannot use.
//!
//! Typical are the workers of all jobs submitted so far, each as often as it was asked for; those of jobs that were
//! put somewhere by others are not. For one of them the free GPUs of a node are fragments if it asks no GPUs or the
//! node cannot hold it, and else what is free on devices that have too little for it.
//!
//! Nodes are compared by a score from 0 to 99: the hundredths of the logistic function of how many GPUs fewer are
//! fragments to a typical worker on average. Small differences are none, as in the program of the authors: that packs
//! better than to follow each of them (95.4 % of the GPUs of openb in place of 94.9 %).
//! After: Weng et al., Beware of Fragmentation, USENIX ATC 2023. Layer 3; uses `ledger`, `room`.

use super::{Rank, best_fit, device};
use crate::ledger::PoolState;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room, part_of};

/// How much the fragments of a node grow by a worker, weighed by how often workers are asked for; then best fit.
pub(super) fn rank(pool: &PoolState, request: &Resources, free: &Room) -> Rank {
    let gradient = if part_of(request) == 0 {
        growth(pool, request, free, None)
    } else {
        best(pool, request, free).map_or(0, |(gradient, _)| gradient)
    };
    // Best fit decides between equals; its first part orders all that matters in practice.
    let asked = pool.demand().map(|(_, times)| i128::from(times)).fold(0, i128::saturating_add);
    (-score(gradient, asked), u128::try_from(best_fit::rank(pool, free.amounts()).0).unwrap_or(0))
}

/// The device on which a worker makes the fragments of a node grow least, the fullest of equals; with that growth.
pub(super) fn best(pool: &PoolState, request: &Resources, free: &Room) -> Option<(i128, u32)> {
    let grown = |device| (growth(pool, request, free, Some(device)), free.free_on(device), device);
    let least = device::possible(request, free).map(grown).min();
    least.map(|(gradient, _, device)| (gradient, device))
}

fn growth(pool: &PoolState, request: &Resources, free: &Room, device: Option<u32>) -> i128 {
    let mut left = free.clone();
    if !left.take(request, 1, device) {
        return i128::MAX;
    }
    let growth = |(typical, times): (&Resources, u64)| {
        let before = fragments(free, typical);
        // For whom nothing was of use, what is left is not either.
        let is_useless = before == free.amounts()[ResourceKind::GPU].get();
        let after =
            if is_useless { left.amounts()[ResourceKind::GPU].get() } else { fragments(&left, typical) };
        (i128::from(after) - i128::from(before)).saturating_mul(i128::from(times))
    };
    pool.demand().map(growth).fold(0, i128::saturating_add)
}

/// From how many millionths of a GPU on the logistic function has 51, 52, ... 99 hundredths.
const LOGISTIC: [i128; 49] = [
    40_005, 80_043, 120_144, 160_343, 200_671, 241_162, 281_851, 322_773, 363_965, 405_465, 447_312, 489_548,
    532_217, 575_364, 619_039, 663_294, 708_185, 753_772, 800_119, 847_298, 895_384, 944_462, 994_623,
    1_045_969, 1_098_612, 1_152_680, 1_208_311, 1_265_666, 1_324_925, 1_386_294, 1_450_010, 1_516_347,
    1_585_627, 1_658_228, 1_734_601, 1_815_290, 1_900_959, 1_992_430, 2_090_741, 2_197_225, 2_313_635,
    2_442_347, 2_586_689, 2_751_535, 2_944_439, 3_178_054, 3_476_099, 3_891_820, 4_595_120,
];

/// The hundredths of the logistic function of how much fragments shrink for each of the workers that were asked for.
fn score(growth: i128, asked: i128) -> i128 {
    // Growth is in thousandths, the table in millionths.
    let size = growth.saturating_abs().saturating_mul(1_000);
    let reached = LOGISTIC.partition_point(|least| least.saturating_mul(asked) <= size);
    let above = 50 + i128::try_from(reached).unwrap_or(0);
    // The function is not a whole number of hundredths anywhere but in the middle.
    if growth <= 0 { above } else { 99 - above }
}

/// How many thousandths of the free GPUs are of no use to a worker.
fn fragments(free: &Room, typical: &Resources) -> u64 {
    let asked = typical[ResourceKind::GPU].get();
    if asked == 0 || !free.fits(typical) {
        return free.amounts()[ResourceKind::GPU].get();
    }
    let too_small = free.shared().iter().filter(|shared| shared.free < asked.min(DEVICE));
    too_small.map(|shared| shared.free).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A GPU fewer is 73 hundredths, one more 26; no change is 50.
    #[test]
    fn the_score_is_that_of_the_logistic_function() {
        assert_eq!([-10_000, 0, 10_000].map(|growth| score(growth, 10)), [73, 50, 26]);
        for growth in (-60_000..60_000_i32).step_by(7) {
            let exact = 100.0 / (1.0 + (f64::from(growth) / 10_000.0).exp());
            assert_eq!(score(growth.into(), 10).to_string(), exact.floor().min(99.0).to_string(), "{growth}");
        }
    }

    /// The published example of a node that lacks cores: all of its 2,700 are fragments, at a popularity of 0.0933.
    #[test]
    fn all_is_fragments_where_cores_are_lacking() {
        let mut free = Room::of_node(&Resources::new().cpu(1).gpu(4));
        for (device, taken) in (0..).zip([800, 500]) {
            let taken = Resources::new().with(ResourceKind::GPU, crate::Quantity::new(taken));
            assert!(free.take(&taken, 1, Some(device)));
        }
        let task = Resources::new().cpu(6).with(ResourceKind::GPU, crate::Quantity::new(465));
        assert_eq!(fragments(&free, &task) * 933, 2_519_100);
    }

    /// Half of the workers ask one GPU, half eight: an empty node of eight loses 3,500 by a small one, one with four free
    /// gains 500.
    #[test]
    fn an_empty_node_is_not_broken() {
        let typical = [Resources::new().gpu(1), Resources::new().gpu(8)];
        let sum = |gpus: u64| {
            let free = Room::of_node(&Resources::new().gpu(gpus));
            typical.iter().map(|typical| fragments(&free, typical)).sum::<u64>()
        };
        assert_eq!((sum(8), sum(7)), (0, 7_000));
        assert_eq!((sum(4), sum(3)), (4_000, 3_000));
    }
}
