//! Candidate: which of a leaf's jobs would start.
//!
//! Behind a backlog a team waits for many shapes of which few have room, elsewhere few wait where much is open: the fewer of
//! the two are gone through, lines or open routes.
//! Absent on purpose: which leaf is asked (see `engine`). Layer 5; uses `pending`, `lists`, `route`.

use core::cmp::Reverse;

use super::holds::Gate;
use super::{Engine, Stage};
use crate::id::ShapeId;
use crate::line::Waiter;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::MemberId;

impl Engine {
    /// The first of the leaf's jobs, in the team's own order, that may start by an open route; with that route.
    pub(super) fn candidate<const PLAIN: bool>(
        &self,
        state: &State,
        leaf: MemberId,
    ) -> Option<(Waiter, RouteId)> {
        if !PLAIN && self.head_only {
            return self.candidate_shown(state, leaf);
        }
        if self.open.len() < self.pending.lines(leaf) {
            return self.candidate_by_route::<PLAIN>(state, leaf);
        }
        let lines = self.pending.heads(leaf);
        first(
            lines.filter_map(|(shape, class, head)| self.passing::<PLAIN>(state, leaf, (shape, class, head))),
        )
    }

    /// The same, where only its first job counts.
    #[inline(never)]
    fn candidate_shown(&self, state: &State, leaf: MemberId) -> Option<(Waiter, RouteId)> {
        let shape = self.shown[leaf]?;
        Some((self.pending.head(leaf, shape)?, self.open_to(state, leaf, shape).next()?))
    }

    /// The same, where fewer routes are open than the leaf has lines.
    #[inline(never)]
    fn candidate_by_route<const PLAIN: bool>(
        &self,
        state: &State,
        leaf: MemberId,
    ) -> Option<(Waiter, RouteId)> {
        first(self.open.iter().filter_map(|route| {
            let shape = state.routes.route(*route).shape;
            let head = self.pending.head(leaf, shape)?;
            self.passing::<PLAIN>(state, leaf, (shape, state.routes.shape(shape).precedence, head))
        }))
    }

    /// The first job of a line that may start by an open route, with its class and that route.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn passing<const PLAIN: bool>(
        &self,
        state: &State,
        leaf: MemberId,
        (shape, class, head): (ShapeId, i32, Waiter),
    ) -> Option<(i32, Waiter, RouteId)> {
        let (waiter, route) = if PLAIN {
            (head, state.routes.shape(shape).routes().find(|route| self.is_open(*route))?)
        } else {
            match &self.holds {
                Some(holds) => self.first_passing(state, holds, leaf, shape)?,
                None => (head, self.open_to(state, leaf, shape).next()?),
            }
        };
        Some((class, waiter, route))
    }

    /// The routes of a shape that are open, and that the leaf is not held on; best first.
    pub(super) fn open_to<'a>(
        &'a self,
        state: &'a State,
        leaf: MemberId,
        shape: ShapeId,
    ) -> impl Iterator<Item = RouteId> + 'a {
        let routes = state.routes.shape(shape).routes();
        routes.filter(move |route| self.is_open(*route) && !self.is_held(state, leaf, *route))
    }

    /// Whether a route is the best open one of its shape: the others' lists need not be looked at. Where teams have
    /// limits, some may be denied the best one.
    pub(super) fn is_preferred(&self, state: &State, route: RouteId) -> bool {
        let shape = state.routes.route(route).shape;
        let open_to_all = |route| matches!(self.stages[route], Stage::Open { gate: Gate::All, .. });
        let mut better = state.routes.shape(shape).routes().take_while(|other| *other < route);
        state.quotas.any() || better.all(|better| !open_to_all(better))
    }
}

/// The first in a team's own order.
#[inline]
fn first(open: impl Iterator<Item = (i32, Waiter, RouteId)>) -> Option<(Waiter, RouteId)> {
    let first = open.min_by_key(|(class, waiter, _)| (Reverse(*class), *waiter));
    first.map(|(_, waiter, route)| (waiter, route))
}
