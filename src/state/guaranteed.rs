//! Guaranteed: at which members running jobs count as guaranteed.
//!
//! Absent on purpose: how much of a quota is used (see `quota`). Layer 3; uses `state`.

use smallvec::SmallVec;

use super::{State, Status};
use crate::id::{JobId, PoolId};
use crate::tree::MemberId;

impl State {
    /// A job has stopped: where it counted as guaranteed, quota has become free, and jobs beyond it are promoted. Elsewhere
    /// nobody may be who could not be before.
    #[inline]
    pub(super) fn promote(&mut self, stopped: JobId, pool: PoolId) {
        if self.quotas.any() {
            self.promote_others(stopped, pool);
        }
    }

    #[inline(never)]
    fn promote_others(&mut self, stopped: JobId, pool: PoolId) {
        let job = self.alive(stopped);
        let path = self.tree.path(job.leaf).enumerate();
        let freed = path.filter(|(level, _)| job.guaranteed.get(*level) != Some(false));
        let members: SmallVec<[MemberId; 4]> = freed.map(|(_, member)| member).collect();
        self.promote_at(&members, pool);
    }

    /// Promotes whoever may be at some members.
    pub(super) fn promote_at(&mut self, members: &[MemberId], pool: PoolId) {
        for member in members.iter().copied() {
            for id in self.quotas.promote(member, pool) {
                let job = &mut self.jobs[id];
                let level = self.tree.path(job.leaf).position(|other| other == member);
                job.guaranteed.set(level.unwrap_or(usize::MAX));
            }
        }
    }

    /// Whether a running job counts as guaranteed at a member so many levels above its leaf.
    pub(crate) fn is_guaranteed_at(&self, id: JobId, (level, member): (usize, MemberId)) -> bool {
        let job = self.alive(id);
        if let Some(bit) = job.guaranteed.get(level) {
            return bit;
        }
        let Status::Running { route, .. } = job.status() else { return false };
        let route = self.routes.route(route);
        let class = self.routes.shape(route.shape).class;
        self.quotas.counts(job.guaranteed, (level, member), route, (class, self.place(id), id))
    }

    /// Whether a running job counts as guaranteed against jobs of other members below the root.
    pub(crate) fn is_guaranteed_at_top(&self, id: JobId) -> bool {
        let path = self.tree.path(self.alive(id).leaf).enumerate();
        // The root is the last of the path, its child the one before.
        let top = path.take_while(|(_, member)| *member != MemberId::ROOT).last();
        top.is_some_and(|at| self.is_guaranteed_at(id, at))
    }
}
