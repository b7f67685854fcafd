//! Hoped: room in the quotas of which a job has none as things are, and would have once others are gone.
//!
//! Against whom a job counts as guaranteed there depends on who is stopped. So it is hoped for, in all quotas that are large
//! enough for it, and the set is judged like any; at last those are chosen first who fill these quotas.
//! Absent on purpose: what a quota is filled with (see `quota`). Layer 3; uses `quota`, `tree`.

use super::Search;
use crate::quantity::Quantity;
use crate::reclaim::{Running, Wanted};
use crate::resources::ResourceKind;
use crate::state::State;
use crate::tree::MemberId;

/// Where a job is taken to be guaranteed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::reclaim) enum Hope {
    /// Where it is as things are.
    Nothing,
    /// Wherever a quota is large enough for it.
    Room,
    /// The same, and whoever fills these quotas is chosen first.
    RoomFirst,
}

/// Whether a member's quota is large enough for the job, whoever fills it now.
pub(in crate::reclaim) fn could_cover(state: &State, member: MemberId, wanted: Wanted) -> bool {
    let route = state.routes.route(wanted.route);
    let covers = |(kind, amount): (ResourceKind, Quantity)| {
        state.quotas.covers(member, route.pool, kind, u128::from(amount.get()))
    };
    route.total.iter().all(covers)
}

/// Whether a job that does not count as guaranteed somewhere could, once others are gone: of its own team those of lower
/// classes, of a team above it any.
pub(super) fn may_be_guaranteed(state: &State, running: &Running, wanted: Wanted) -> bool {
    if !state.quotas.any() {
        return false;
    }
    let route = state.routes.route(wanted.route);
    let any_lower = running.lowest_class(route.pool).is_some_and(|lowest| lowest < wanted.class);
    let mut path = state.tree.path(wanted.leaf).skip(usize::from(!any_lower));
    path.any(|member| {
        let is_team = member != MemberId::ROOT;
        is_team && !state.quotas.is_guaranteed(member, route) && could_cover(state, member, wanted)
    })
}

impl Search<'_, '_> {
    /// Chooses of those who fill a quota in which the job hopes for room, as far as they may be stopped.
    pub(super) fn make_room_in_quotas(&mut self) {
        if self.hope != Hope::RoomFirst {
            return;
        }
        let (state, wanted) = (self.state, self.wanted);
        let route = state.routes.route(wanted.route);
        for member in state.tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT) {
            if !could_cover(state, member, wanted) {
                continue;
            }
            for (kind, beyond) in state.quotas.beyond(member, route) {
                while self.freed_in_quota(kind, member) < beyond.get() {
                    self.know_all();
                    let those = (0..self.candidates.len()).filter(|other| self.fills(*other, member, kind));
                    let Some(next) = self.first(those) else { break };
                    self.take(next);
                }
            }
        }
    }

    /// What the chosen victims hold of a resource that counts as guaranteed at a member.
    fn freed_in_quota(&self, kind: ResourceKind, member: MemberId) -> u64 {
        let those = self.chosen.iter().filter(|chosen| self.fills(**chosen, member, kind));
        let held =
            those.map(|chosen| self.state.routes.route(self.candidates[*chosen].route).total[kind].get());
        held.fold(0, u64::saturating_add)
    }

    /// Whether a candidate holds some of a resource that counts as guaranteed at a member.
    fn fills(&self, candidate: usize, member: MemberId, kind: ResourceKind) -> bool {
        let known = &self.candidates[candidate];
        let at = self.state.tree.path(known.victim.leaf).enumerate().find(|(_, at)| *at == member);
        self.state.routes.route(known.route).total[kind].get() > 0
            && at.is_some_and(|at| self.state.is_guaranteed_at(known.victim.job, at))
    }
}
