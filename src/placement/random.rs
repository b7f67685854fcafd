//! Random: any node that holds a worker, each with the same chance.
//!
//! The chance is a hash of the seed, of the pool and how many jobs have started there, and of the node: the same
//! calls give the same nodes. Layer 3; uses `ledger`.

use super::Rank;
use crate::id::NodeId;
use crate::ledger::PoolState;

/// Steps of a sequence that visits every number of 64 bits once.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The rank of a node in the draw for the next job.
pub(super) fn rank(pool: &PoolState, node: NodeId) -> Rank {
    (0, u128::from(number(pool, node, None)))
}

/// What a node draws for the next job, or a worker on it does.
pub(super) fn number(pool: &PoolState, node: NodeId, worker: Option<u32>) -> u64 {
    let node = u64::try_from(node.index()).unwrap_or(u64::MAX);
    let numbers = pool.draw().into_iter().chain([node]).chain(worker.map(u64::from));
    numbers.fold(0, |hash, number| scramble(hash ^ number))
}

/// What a domain draws for the next gang: as its number among the nodes does for a worker that no gang has.
pub(super) fn of_domain(pool: &PoolState, domain: usize) -> u64 {
    number(pool, NodeId::at(domain), Some(u32::MAX))
}

/// A number that looks nothing like the one before it; different ones for different numbers.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(STEP);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
