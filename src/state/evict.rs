//! Evict: running jobs that are stopped and wait again, and what is told of it.
//!
//! Absent on purpose: which jobs (see `reclaim` and `scheduler::capacity`). Layer 3; uses `tree`.

use super::{State, Status, Stopped};
use crate::decision::{Decision, EvictReason, Eviction, Side};
use crate::id::{JobId, PoolId};
use crate::route::Route;
use crate::time::Millis;
use crate::tree::{Keys, MemberId};

impl State {
    /// Stops a running job whose room is lost; it waits again in its old place.
    pub(crate) fn evict(&mut self, id: JobId) -> Option<Stopped> {
        self.evict_alone(id, EvictReason::CapacityLost, self.lost(id))
    }

    /// Stops a running job whose turn is over; it loses nothing and waits again in its old place.
    #[cfg(feature = "lp")]
    pub(crate) fn pause(&mut self, id: JobId) {
        self.evict_alone(id, EvictReason::Round, Millis::ZERO);
    }

    /// Stops a running job because a policy of the caller's own says so; it waits again in its old place.
    pub(crate) fn stop_by_policy(&mut self, id: JobId) {
        self.evict_alone(id, EvictReason::Policy, self.lost(id));
    }

    fn evict_alone(&mut self, id: JobId, reason: EvictReason, lost: Millis) -> Option<Stopped> {
        let (leaf, attempt) = (self.alive(id).leaf, self.alive(id).attempt);
        let member = self.tree.below_root(leaf);
        let before = self.tree.key(member, &[]);
        let alternative = self.routes.route(self.route_of(id)?).alternative;
        let stopped = self.stop(id, Status::Waiting)?;
        self.counts_waiting(id, true);
        let (pool, by) = (stopped.pool, None);
        self.decisions.push(Decision::Evict { job: id, attempt, pool, alternative, reason, by });
        let team = self.tree.member(member).team.unwrap_or(self.spec(id).team);
        let victim = Side { team, before, after: self.tree.key(member, &[]) };
        let eviction = Eviction { job: id, attempt, pool, reason, by, victim, preemptor: None, lost };
        self.evictions.push(eviction);
        Some(stopped)
    }

    /// Notes that running jobs are stopped for a waiting one, which is to start in their room.
    pub(crate) fn note_evictions(&mut self, victims: &[(JobId, EvictReason)], by: JobId) {
        let mut keys = Keys::default();
        for (id, reason) in victims {
            let Some(route) = self.route_of(*id) else { continue };
            let (job, leaf, for_leaf) = (*id, self.alive(*id).leaf, self.alive(by).leaf);
            let (mine, its) = self.tree.sides(for_leaf, leaf);
            let mut side = |member: MemberId| {
                let before = keys.of(&self.tree, member);
                let team = self.tree.member(member).team.unwrap_or(self.spec(by).team);
                Side { team, after: before.clone(), before }
            };
            let Route { pool, alternative, .. } = *self.routes.route(route);
            let attempt = self.alive(job).attempt;
            let (victim, preemptor, lost) = (side(its), Some(side(mine)), self.lost(job));
            let (reason, by) = (*reason, Some(by));
            self.evictions.push(Eviction { job, attempt, pool, reason, by, victim, preemptor, lost });
            self.decisions.push(Decision::Evict { job, attempt, pool, alternative, reason, by });
        }
    }

    /// Stops a running job for another: it waits again in its old place. Who is promoted is decided when all are gone.
    pub(crate) fn stop_for_another(&mut self, id: JobId) -> Option<Stopped> {
        let stopped = self.stop_alone(id, Status::Waiting)?;
        self.counts_waiting(id, true);
        Some(stopped)
    }

    /// Promotes in a pool whoever may be after jobs there were stopped for another.
    pub(crate) fn promote_after(&mut self, victims: &[(JobId, EvictReason)], pool: PoolId) {
        for (id, _) in victims {
            self.promote(*id, pool);
        }
    }

    /// The job for which others were stopped has started: the records from number `first` on say what everybody holds.
    pub(crate) fn settle_evictions(&mut self, first: usize) {
        let (tree, jobs, mut keys) = (&self.tree, &self.jobs, Keys::default());
        for eviction in self.evictions.iter_mut().skip(first) {
            let (Some(by), Some(preemptor)) = (eviction.by, &mut eviction.preemptor) else { continue };
            let (mine, its) = tree.sides(jobs[by].leaf, jobs[eviction.job].leaf);
            preemptor.after = keys.of(tree, mine);
            eviction.victim.after = keys.of(tree, its);
        }
    }
}
