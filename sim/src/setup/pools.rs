//! Pools: those of a scenario as the scheduler wants them, the data sets that they have, and how long these take to others.
//!
//! Absent on purpose: how many of their nodes are up (see `capacity`), and what they charge over time (see `tariff`).

use fairshare::{Config, DatasetSpec, PoolSpec, ResourceKind, ResourceKinds, Resources};

use super::{Setup, pool_id};
use crate::scenario::{Pool, Scenario};
use crate::tariff::Tariff;
use crate::trace::{Trace, TraceShape};

impl Setup {
    /// What tells the sizes of jobs: GPUs, or CPUs where no pool has any.
    pub(crate) fn measured_by(&self) -> ResourceKind {
        let has_gpus = self.config.pools.iter().any(|pool| pool.node[ResourceKind::GPU].get() > 0);
        if has_gpus { ResourceKind::GPU } else { ResourceKind::CPU }
    }

    /// How long an attempt of a job moves data sets to a pool before it computes, ms.
    pub(crate) fn moving_ms(&self, trace: &Trace, row: u32, pool: usize) -> u64 {
        if self.moving.is_empty() {
            return 0;
        }
        let times = self.moving.get(trace.jobs[row as usize].shape as usize);
        times.and_then(|times| times.get(pool)).copied().unwrap_or(0)
    }
}

/// How long jobs of each shape move data sets to each pool before they compute, ms: those of the shapes from number `known`
/// on. Nothing for those that never do.
pub(super) fn moving(
    config: &Config,
    reads_remotely: bool,
    shapes: &[TraceShape],
    known: usize,
) -> impl Iterator<Item = Vec<u64>> {
    let of_shape = |shape: &TraceShape| {
        let pools = 0..if shape.datasets.is_empty() { 0 } else { config.pools.len() };
        pools.map(|pool| config.transfer_time(&shape.datasets, pool_id(pool)).get()).collect()
    };
    let shapes = shapes.iter().skip(known);
    shapes.take(if reads_remotely { usize::MAX } else { 0 }).map(of_shape)
}

/// Data sets of known size, by name.
pub(super) fn datasets(scenario: &Scenario) -> Vec<DatasetSpec> {
    scenario.dataset_sizes.iter().map(|(name, bytes)| DatasetSpec::new(name, *bytes)).collect()
}

/// The pools in order, each with what its GPUs count where the policy says so.
pub(super) fn specs(scenario: &Scenario, kinds: &mut ResourceKinds) -> Vec<PoolSpec> {
    let values = scenario.policy.gpu_values.as_deref().unwrap_or(&[]);
    let pools = scenario.pools.iter().enumerate();
    pools
        .map(|(index, pool)| {
            let mut spec = spec(pool, kinds);
            spec.gpu_value = values.get(index).copied();
            spec
        })
        .collect()
}

fn spec(pool: &Pool, kinds: &mut ResourceKinds) -> PoolSpec {
    let mut node = Resources::new();
    for (name, amount) in &pool.node {
        if let Some(kind) = kinds.add(name) {
            node = node.with(kind, *amount);
        }
    }
    let mut spec = PoolSpec::new(&pool.name, pool.nodes, node);
    spec.accelerator.clone_from(&pool.accelerator);
    spec.divisible = pool.divisible;
    spec.price = pool.tariff.as_ref().map(Tariff::first);
    spec.fabric.clone_from(&pool.fabric);
    spec.domains.clone_from(&pool.domains);
    spec.datasets.clone_from(&pool.datasets);
    spec.cloud.clone_from(&pool.cloud);
    spec.egress_gb = pool.tariff.as_ref().and_then(|tariff| tariff.egress_gb).unwrap_or_default();
    spec.link_mbps = pool.link_mbps;
    spec
}
