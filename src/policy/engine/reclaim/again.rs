//! Again: when a search that has found nobody, or would for certain, is made again: once something has happened that may let it
//! succeed.
//!
//! Counters tell: each only grows, so that what is as it was then has not changed since.
//! What rivals could lose at most holds from look to look instead, as long as it is told at each that it still does.
//! Absent on purpose: the searches (see `reclaim`). Layer 5; uses `state`, `holds`.

use super::super::holds::Holds;
use super::{Head, Reclaim};
use crate::id::{JobId, ShapeId};
use crate::reclaim::{Hopeless, Plainly, plainly};
use crate::resources::ResourceKind;
use crate::state::State;
use crate::tree::MemberId;

/// What has happened until a search, as far as it counts for it: of everything anywhere, or else of what concerns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Version {
    anywhere: bool,
    /// Somebody of a lower class runs: then less is certain beforehand, and a search is made that was not before.
    below: bool,
    changes: u64,
}

/// What the rivals of a line's jobs could lose of a resource at most, as it was found once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct AtMost {
    kind: ResourceKind,
    amount: u64,
    /// The next look at which it can be told whether it is still so: it must be told at each.
    look: u64,
    /// What had stopped of the line's own teams.
    lost: u64,
}

/// Until what has happened a search need not be made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Failed {
    version: Version,
    /// How often the reservations in its pools had changed, if any stood in its way.
    pub(super) reservations: Option<u64>,
}

impl Reclaim {
    /// Counts what may let a search succeed that failed: whatever has happened in the pools of a shape and, where equal ranks
    /// are compared by all that they hold, what others hold more who have jobs there, and the leaf's own teams less. Where
    /// lower ranks do not count for it unless they are guaranteed, anything may.
    fn version(&self, state: &State, leaf: MemberId, shape: ShapeId) -> Version {
        let shape = state.routes.shape(shape);
        let is_compared = self.rules.same_rank;
        let below = is_compared && self.running.any_below_class(shape.class);
        if below && state.quotas.any() {
            return Version { anywhere: true, below, changes: self.versions.iter().sum() };
        }
        let pools = shape.routes().map(|route| state.routes.route(route).pool);
        let mut changes: u64 = pools.map(|pool| self.versions[pool]).sum();
        if is_compared {
            changes += self.lost_by(state, leaf);
        }
        Version { anywhere: false, below, changes }
    }

    /// Counts what has stopped of each of a leaf's teams.
    #[inline]
    fn lost_by(&self, state: &State, leaf: MemberId) -> u64 {
        let own = state.tree.path(leaf).filter(|member| *member != MemberId::ROOT);
        own.map(|member| self.shrunk[member]).sum()
    }

    /// What is noted of a job that waits when its search has failed; of the reservations, if any stood in its way.
    pub(super) fn failed(&self, in_its_way: Option<&Holds>, state: &State, job: JobId) -> Failed {
        let known = state.alive(job);
        let (leaf, shape) = (known.leaf, known.shape);
        let reservations = in_its_way.map(|holds| reservations(holds, state, shape));
        Failed { version: self.version(state, leaf, shape), reservations }
    }

    /// Whether nothing has happened since a search failed that may let it succeed.
    pub(super) fn still_fails(
        &self,
        holds: Option<&Holds>,
        state: &State,
        job: JobId,
        failed: Failed,
    ) -> bool {
        let known = state.alive(job);
        let (leaf, shape) = (known.leaf, known.shape);
        let now = || holds.map(|holds| reservations(holds, state, shape));
        failed.version == self.version(state, leaf, shape)
            && (failed.reservations.is_none() || failed.reservations == now())
    }

    /// Whether nobody can be stopped for the first job of a line by any of its routes: it is hopeless, or its search has failed,
    /// and since then nothing has happened that counts.
    pub(super) fn is_in_vain(
        &mut self,
        holds: Option<&Holds>,
        state: &State,
        (line, head): (usize, Head),
    ) -> bool {
        let (job, version) = (head.waiter.job, self.version(state, head.leaf, head.shape));
        if self.in_vain.get(line) == Some(&Some((job, version))) {
            return true;
        }
        let mut routes = state.routes.shape(head.shape).routes();
        if let Some(first) = routes.next().and_then(|route| self.hopeless(state, head, route)) {
            let mut only = true;
            let all = routes.all(|route| {
                only = false;
                self.hopeless(state, head, route).is_some()
            });
            if all {
                self.remember(line, job, version);
                if let (true, Hopeless::LosesAtMost(kind, amount)) = (only, first) {
                    self.lose_at_most(state, (line, head.leaf), kind, amount);
                }
                return true;
            }
        }
        let failed = self.failed.get(&job).copied();
        failed.is_some_and(|failed| self.still_fails(holds, state, job, failed))
    }

    /// The search for the first job of a line has found nothing.
    pub(super) fn has_failed(
        &mut self,
        in_its_way: Option<&Holds>,
        state: &State,
        (line, head): (Option<usize>, Head),
    ) {
        let job = head.waiter.job;
        let failed = self.failed(in_its_way, state, job);
        if let (Some(line), None) = (line, failed.reservations) {
            self.remember(line, job, failed.version);
        }
        self.failed.insert(job, failed);
    }

    /// What is known already of whom could be stopped for any job of a line.
    #[inline]
    pub(super) fn plainly(&mut self, state: &State, (line, head): (usize, Head)) -> Plainly {
        let look = self.prepared.looks();
        let known = self.at_most.get(line).copied().flatten();
        let known = known.filter(|known| known.look == look && known.lost == self.lost_by(state, head.leaf));
        let at_most = known.map(|known| (known.kind, known.amount));
        let told = plainly(state, (&self.running, &self.prepared), (head.leaf, head.shape), at_most);
        if let (Plainly::TooLittle, Some(known)) = (told, known) {
            self.at_most[line] = Some(AtMost { look: look + 1, ..known });
        }
        told
    }

    /// It is found what the rivals of a line's jobs could lose at most.
    fn lose_at_most(
        &mut self,
        state: &State,
        (line, leaf): (usize, MemberId),
        kind: ResourceKind,
        amount: u64,
    ) {
        if self.at_most.len() <= line {
            self.at_most.resize(line + 1, None);
        }
        let (look, lost) = (self.prepared.looks() + 1, self.lost_by(state, leaf));
        self.at_most[line] = Some(AtMost { kind, amount, look, lost });
    }

    fn remember(&mut self, line: usize, job: JobId, version: Version) {
        if self.in_vain.len() <= line {
            self.in_vain.resize(line + 1, None);
        }
        self.in_vain[line] = Some((job, version));
    }

    /// Whatever search has failed may succeed now.
    pub(super) fn forget_failed(&mut self) {
        self.failed.clear();
        self.in_vain.clear();
        self.at_most.clear();
    }
}

/// How often the reservations in the pools of a shape have changed.
fn reservations(holds: &Holds, state: &State, shape: ShapeId) -> u64 {
    let pools = state.routes.shape(shape).routes().map(|route| state.routes.route(route).pool);
    pools.map(|pool| holds.version(pool)).fold(0, u64::wrapping_add)
}
