//! Transfer: what it takes to read data sets in a pool that has no replica of them.
//!
//! Each comes from the pool that charges least for it: one of the same cloud for nothing, else one that has a replica. They
//! come one after the other over the link of the pool that they go to: bytes x 8 / (megabits a second x 1,000) ms, rounded
//! up once for all of them. Absent on purpose: when it is done, and by whom. Layer 1; uses `pool`.

use std::collections::BTreeSet;

use crate::pool::{DatasetSpec, PoolSpec};
use crate::time::Millis;

/// Bytes in a GB.
const GB: u128 = 1_000_000_000;

/// What a job moves that starts in a pool.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Transfer {
    /// Data sets of which the pool has no replica.
    pub(crate) missing: usize,
    /// Those of them whose size is not known, or of which there is no replica anywhere: nothing is known of their costs.
    pub(crate) unknown: usize,
    /// How long all of it takes.
    pub(crate) time: Millis,
    /// What leaving other clouds costs, in thousandths of micro-USD, rounded down.
    pub(crate) egress: u128,
}

impl Transfer {
    /// What reading these data sets in a pool moves, of which some sizes are known.
    pub(crate) fn new(names: &[String], to: &PoolSpec, pools: &[PoolSpec], sizes: &[DatasetSpec]) -> Self {
        let mut found = Self::default();
        let (mut bytes, mut money) = (0_u128, 0_u128);
        let read: BTreeSet<&String> = names.iter().filter(|name| !to.has_replica(name)).collect();
        for name in read {
            found.missing += 1;
            let sources = pools.iter().filter(|pool| pool.has_replica(name));
            let price = sources.map(|from| if from.is_near(to) { 0 } else { from.egress_gb.get() }).min();
            let size = sizes.iter().find(|dataset| dataset.name == *name);
            let (Some(price), Some(size)) = (price, size) else {
                found.unknown += 1;
                continue;
            };
            bytes = bytes.saturating_add(size.bytes.into());
            money = money.saturating_add(u128::from(size.bytes).saturating_mul(price.into()));
        }
        let time = bytes.saturating_mul(8).div_ceil(u128::from(to.link_mbps.max(1)).saturating_mul(1_000));
        found.time = Millis::new(u64::try_from(time).unwrap_or(u64::MAX));
        found.egress = money.saturating_mul(1_000) / GB;
        found
    }
}
