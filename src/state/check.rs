//! The state recomputed from the jobs that are alive: what every figure that is kept up to date must be equal to.
//!
//! Absent on purpose: what the policies keep (see `policy`). Layer 3; uses `state`.

use std::collections::BTreeMap;

use super::{State, Status};
use crate::history::History;
use crate::id::{IdVec, NodeId, PoolId};
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room};
use crate::tree::MemberId;

impl State {
    /// Recomputes the ledger and the tree from the jobs that run; the first difference, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.ledger.check()?;
        self.check_nodes()?;
        let groups = self.values.count();
        let mut usage: Vec<u64> = vec![0; self.tree.len() * groups];
        let mut running = vec![0_u32; self.tree.len()];
        let mut taken: IdVec<PoolId, Resources> =
            self.config.pools.iter().map(|_| Resources::new()).collect();
        for (id, job) in self.jobs() {
            let Status::Running { route: route_id, .. } = job.status() else { continue };
            let route = self.routes.route(route_id);
            taken[route.pool] = taken[route.pool].checked_add(&route.total).ok_or("usage overflows")?;
            let workers: u64 = self.spans(id).map(|span| u64::from(span.workers)).sum();
            if !self.ledger.pool(route.pool).is_divisible() && workers != u64::from(route.workers) {
                return Err(format!("job {id}: {workers} workers are placed, of {}", route.workers));
            }
            let mut at = job.leaf;
            loop {
                let index = crate::id::Id::index(at);
                running[index] += 1;
                for (group, charge) in self.routes.charge(route_id).iter().enumerate() {
                    usage[index * groups + group] += charge;
                }
                if at == MemberId::ROOT {
                    break;
                }
                at = self.tree.member(at).parent;
            }
        }
        for (index, member) in self.tree.ids().enumerate() {
            let expected = &usage[index * groups..(index + 1) * groups];
            if self.tree.usage(member) != expected || self.tree.member(member).running != running[index] {
                return Err(format!(
                    "member {index}: usage {:?}, recomputed {expected:?}",
                    self.tree.usage(member)
                ));
            }
        }
        if let Some(history) = &self.history {
            let running = self.jobs().filter_map(|(_, job)| match job.status() {
                Status::Running { route, .. } => {
                    Some((job.leaf, History::rate(&self.values, self.routes.charge(route))))
                }
                _ => None,
            });
            history.check(&self.tree, running)?;
        }
        let running = self.jobs().filter_map(|(_, job)| match job.status() {
            Status::Running { route, .. } => Some((job.leaf, self.routes.route(route))),
            _ => None,
        });
        self.budgets.check(&self.config, &self.tree, running)?;
        if let Some(hierarchy) = &self.hierarchy {
            let waiting = self.jobs().filter(|(_, job)| job.status() == Status::Waiting);
            let waiting = waiting.map(|(_, job)| (job.leaf, job.shape));
            hierarchy.check(&self.tree, &self.values, &self.routes, waiting)?;
        }
        self.check_quotas()?;
        for (index, expected) in taken.iter().enumerate() {
            let booked = self.ledger.pool(PoolId::at(index)).taken();
            if booked != expected {
                return Err(format!("pool {index}: {booked:?} is taken, its jobs hold {expected:?}"));
            }
        }
        Ok(())
    }

    /// Recomputes what is free on every node, device by device, from the jobs that run; the first difference, in words.
    fn check_nodes(&self) -> Result<(), String> {
        let mut rooms: BTreeMap<(PoolId, NodeId), Room> = BTreeMap::new();
        for (id, job) in self.jobs() {
            let Status::Running { route, .. } = job.status() else { continue };
            let route = self.routes.route(route);
            let node = self.ledger.pool(route.pool).node_capacity();
            let devices = node[ResourceKind::GPU].get().div_ceil(DEVICE);
            for span in self.spans(id) {
                if span.device.is_some_and(|device| u64::from(device) >= devices) {
                    return Err(format!("job {id} runs on a device that node {} does not have", span.node));
                }
                let room = rooms.entry((route.pool, span.node)).or_insert_with(|| Room::of_node(node));
                if !room.take(&route.request, span.workers, span.device) {
                    return Err(format!("job {id} has no room on node {} beside the others", span.node));
                }
            }
        }
        for ((pool, node), expected) in rooms {
            let found = self.ledger.pool(pool).free_on(node);
            if found != Some(&expected) {
                return Err(format!("node {node} of {pool}: {found:?} is free, its jobs leave {expected:?}"));
            }
        }
        Ok(())
    }

    /// Recomputes what is used of every quota from the jobs that run; the first difference, in words.
    fn check_quotas(&self) -> Result<(), String> {
        for (member, pool, kind, used, guaranteed) in self.quotas.usage() {
            let mut expected = (Quantity::ZERO, Quantity::ZERO);
            for (id, job) in self.jobs() {
                let Status::Running { route, .. } = job.status() else { continue };
                let route = self.routes.route(route);
                let Some(level) = self.tree.path(job.leaf).position(|above| above == member) else {
                    continue;
                };
                if route.pool == pool {
                    let add = |sum: Quantity| sum.checked_add(route.total[kind]).unwrap_or(sum);
                    expected.0 = add(expected.0);
                    expected.1 =
                        if self.is_guaranteed_at(id, (level, member)) { add(expected.1) } else { expected.1 };
                }
            }
            if (used, guaranteed) != expected {
                return Err(format!(
                    "quota of {member:?}: {used:?} and {guaranteed:?} used, recomputed {expected:?}"
                ));
            }
        }
        Ok(())
    }
}
