//! Limits: routes that a team may not take although they have room.
//!
//! Whether a limit, or what other teams keep, stands in a team's way is found out when the team is looked at. It is held
//! then: the member that stands for most teams leaves the list of the route, until usage in the pool falls.
//! Absent on purpose: what the limits are (see `quota`). Layer 5; uses `lists`, `quota`, `state`.

use super::{Engine, Stage};
use crate::id::PoolId;
use crate::line::NO_PLACE;
use crate::quota::Denied;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::MemberId;

impl Engine {
    /// Notes the open routes that a leaf may not start by; whether there are any.
    #[inline(never)]
    pub(super) fn find_denied(&mut self, state: &State, leaf: MemberId) -> bool {
        let before = self.denied.len();
        for (shape, _, _) in self.pending.heads(leaf) {
            if self.shown[leaf].is_none_or(|shown| shown == shape) {
                let open = self.open_to(state, leaf, shape);
                let denied = open.filter_map(|route| Some((leaf, route, state.denies(leaf, route)?)));
                self.denied.extend(denied.collect::<Vec<_>>());
            }
        }
        self.denied.len() > before
    }

    /// Holds whoever was found to be denied a route; whether anybody was. The search for the best team is then made
    /// again: another job of the same team may be its head now.
    #[inline(never)]
    pub(super) fn hold_denied(&mut self, state: &State) -> bool {
        let mut denied = core::mem::take(&mut self.denied);
        let any = !denied.is_empty();
        for (leaf, route, why) in denied.drain(..) {
            self.hold(state, leaf, route, why);
        }
        self.denied = denied;
        any
    }

    /// Takes a route away from the member that may not hold more, or from a leaf where others keep what is free.
    fn hold(&mut self, state: &State, leaf: MemberId, route: RouteId, denied: Denied) {
        let member = match denied {
            Denied::Limit { member, .. } | Denied::Budget { member, .. } if self.order.by_shares() => member,
            _ => leaf,
        };
        if self.is_held(state, leaf, route) {
            return;
        }
        self.lists.hold(Self::view(&*self.order, state), member, route);
        debug_assert!(self.is_held(state, leaf, route), "a team is held and yet may start");
        if self.lists.len(MemberId::ROOT, route) == 0 {
            self.take_from_stage(state, route);
        }
    }

    /// Whether a leaf, or a member above it, is held on a route.
    #[inline]
    pub(super) fn is_held(&self, state: &State, leaf: MemberId, route: RouteId) -> bool {
        self.lists.anybody_held() && self.is_held_on(state, leaf, route)
    }

    #[inline(never)]
    fn is_held_on(&self, state: &State, leaf: MemberId, route: RouteId) -> bool {
        state.tree.path(leaf).any(|member| self.lists.is_held(member, route))
    }

    /// Finds out who has spent a budget; who may go on gets back what it was held on.
    pub(super) fn renew_budgets(&mut self, state: &mut State) {
        if state.budgets.tick(state.now).any {
            self.retry_reclaim();
            for pool in (0..self.watches.len()).map(PoolId::at) {
                self.unhold(state, pool);
                if self.one_line {
                    self.reopen(state, pool);
                }
            }
        }
    }

    /// Gives back the routes in a pool that teams were held on: usage has fallen there.
    #[inline(never)]
    pub(super) fn unhold(&mut self, state: &State, pool: PoolId) {
        let here = |(_, route): &(MemberId, RouteId)| state.routes.route(*route).pool == pool;
        for (member, route) in self.lists.held().filter(here).collect::<Vec<_>>() {
            if state.denies(member, route).is_some() {
                continue;
            }
            let shape = state.routes.route(route).shape;
            let place = self.pending.head(member, shape).map_or(NO_PLACE, |head| head.place);
            self.lists.unhold(Self::view(&*self.order, state), member, route, place);
            if matches!(self.stages[route], Stage::Behind { .. }) {
                self.take_from_stage(state, route);
            }
            if self.stages[route] == Stage::Idle && self.lists.len(MemberId::ROOT, route) > 0 {
                self.open_route(route);
            }
        }
    }
}
