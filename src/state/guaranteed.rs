//! Guaranteed: at which members running jobs count as guaranteed.
//!
//! Absent on purpose: how much of a quota is used (see `quota`). Layer 3; uses `state`.

use super::{State, Status};
use crate::id::{JobId, PoolId};
use crate::tree::MemberId;

impl State {
    /// Quota has become free above a leaf: jobs beyond it are promoted, the highest class first, then the oldest.
    pub(super) fn promote(&mut self, leaf: MemberId, pool: PoolId) {
        if self.quotas.any() {
            let members: Vec<MemberId> = self.tree.path(leaf).collect();
            self.promote_at(&members, pool);
        }
    }

    pub(super) fn promote_at(&mut self, members: &[MemberId], pool: PoolId) {
        for member in members.iter().copied() {
            for id in self.quotas.borrowing(member, pool).collect::<Vec<_>>() {
                let job = &mut self.jobs[id.slot()];
                let Status::Running { route, .. } = job.status else { continue };
                let route = self.routes.route(route);
                if self.quotas.is_guaranteed(member, route) {
                    let class = self.routes.shape(route.shape).class;
                    self.quotas.promote(member, route, (class, job.place, id));
                    let level = self.tree.path(job.leaf).position(|other| other == member);
                    job.guaranteed.set(level.unwrap_or(usize::MAX));
                }
            }
        }
    }

    /// Whether a running job counts as guaranteed at a member so many levels above its leaf.
    pub(crate) fn is_guaranteed_at(&self, id: JobId, (level, member): (usize, MemberId)) -> bool {
        let job = self.alive(id);
        if let Some(bit) = job.guaranteed.get(level) {
            return bit;
        }
        let Status::Running { route, .. } = job.status else { return false };
        let route = self.routes.route(route);
        let class = self.routes.shape(route.shape).class;
        self.quotas.counts(job.guaranteed, (level, member), route.pool, (class, job.place, id))
    }

    /// Whether a running job counts as guaranteed against jobs of other members below the root.
    pub(crate) fn is_guaranteed_at_top(&self, id: JobId) -> bool {
        let path = self.tree.path(self.alive(id).leaf).enumerate();
        // The root is the last of the path, its child the one before.
        let top = path.take_while(|(_, member)| *member != MemberId::ROOT).last();
        top.is_some_and(|at| self.is_guaranteed_at(id, at))
    }
}
