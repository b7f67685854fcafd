//! Pools: those of a scenario as the scheduler wants them.
//!
//! Absent on purpose: how many of their nodes are up (see `capacity`), and what they charge over time (see `tariff`).

use fairshare::{DatasetSpec, PoolSpec, ResourceKinds, Resources};

use super::{Setup, pool_id};
use crate::scenario::{Pool, Scenario};
use crate::tariff::Tariff;
use crate::trace::Trace;

impl Setup {
    /// How long an attempt of a job moves data sets to a pool before it computes, ms.
    pub(crate) fn moving_ms(&self, trace: &Trace, row: u32, pool: usize) -> u64 {
        let datasets = &trace.shapes[trace.jobs[row as usize].shape as usize].datasets;
        if !self.reads_remotely || datasets.is_empty() {
            return 0;
        }
        self.config.transfer_time(datasets, pool_id(pool)).get()
    }
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
