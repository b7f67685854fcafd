//! Stage: where each route is, and how it gets elsewhere.
//!
//! Absent on purpose: what is behind a reservation (see `backfill`), and what is set aside in one line (see `one_line`). Layer 5;
//! uses `ledger`, `route`, `state`, `lack`.

use super::Engine;
use super::holds::Gate;
use crate::id::{IdVec, PoolId};
use crate::policy::lack::lacking;
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::route::RouteId;
use crate::seldom::seldom;
use crate::state::State;

/// Where a route is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nobody waits for it.
    Idle,
    /// It may have room; it had when the pool had made so many allocations.
    Open { at: u32, fitted: Option<u64>, gate: Gate },
    /// It lacks room; how much is in its note.
    Parked,
    /// Its pool is closed.
    SetAside,
    /// It has room, which a reservation keeps from all who wait for it.
    Behind { at: u32 },
}

/// How much of what a route lacks, or did when it had no room last.
pub(super) type Note = (ResourceKind, Quantity);

impl Engine {
    pub(super) fn open_route(&mut self, route: RouteId) {
        push_open(&mut self.stages, &mut self.open, route);
    }

    /// Takes a route from where it is; it is idle then, and nothing is noted of it.
    #[inline]
    pub(super) fn take_from_stage(&mut self, state: &State, route: RouteId) {
        self.leave_open(route);
        if self.stages[route] != Stage::Idle || self.notes[route].is_some() {
            self.leave_other_stage(state, route);
        }
    }

    /// A route that is open is idle from now on.
    #[inline]
    fn leave_open(&mut self, route: RouteId) {
        let Stage::Open { at, .. } = self.stages[route] else { return };
        self.stages[route] = Stage::Idle;
        self.open.swap_remove(at as usize);
        if let Some(moved) = self.open.get(at as usize).copied()
            && let Stage::Open { at: its, .. } = &mut self.stages[moved]
        {
            *its = at;
        }
    }

    /// The same of a route that is not open, and of what is noted of it.
    #[inline(never)]
    fn leave_other_stage(&mut self, state: &State, route: RouteId) {
        let pool = state.routes.route(route).pool;
        if let Some((kind, need)) = self.notes[route].take() {
            self.watches[pool].lacking[kind.index()].remove(&(need, route));
        }
        match core::mem::replace(&mut self.stages[route], Stage::Idle) {
            Stage::Idle | Stage::Open { .. } | Stage::Parked => {}
            Stage::SetAside => {
                self.watches[pool].set_aside.remove(&route);
            }
            Stage::Behind { at } => self.leaves_behind(pool, at),
        }
    }

    /// Sets an open route aside until as much is free as it lacks. Mostly it lacks what it did last, and is noted so still.
    fn park(&mut self, state: &State, route: RouteId) {
        self.leave_open(route);
        self.stages[route] = Stage::Parked;
        let what = state.routes.route(route);
        let note = lacking(state.ledger.pool(what.pool), what);
        if self.notes[route] != Some(note) {
            seldom(|| self.note_lack(what.pool, route, note));
        }
    }

    /// Notes what a route lacks, in place of what it did.
    fn note_lack(&mut self, pool: PoolId, route: RouteId, note: Note) {
        let lacking = &mut self.watches[pool].lacking;
        if let Some((kind, need)) = self.notes[route].replace(note) {
            lacking[kind.index()].remove(&(need, route));
        }
        lacking[note.0.index()].insert((note.1, route));
    }

    /// Opens the routes of a pool that ask for no more than has become free.
    pub(super) fn wake<const PLAIN: bool>(&mut self, state: &mut State, pool: PoolId) {
        let watch = &mut self.watches[pool];
        if !core::mem::take(&mut watch.freed) {
            return;
        }
        let room = core::mem::take(&mut watch.room);
        if !PLAIN && let Some(job) = watch.closed_by {
            self.reopen_if_it_fits(state, job, pool);
            return;
        }
        if !PLAIN && self.holds.is_some() {
            self.wake_behind(state, pool, &room);
        }
        let Self { watches, stages, open, .. } = self;
        for kind in state.config.kinds.iter() {
            let enough =
                watches[pool].lacking[kind.index()].iter().take_while(|(need, _)| *need <= room[kind]);
            for (_, route) in enough {
                if stages[*route] == Stage::Parked {
                    push_open(stages, open, *route);
                }
            }
        }
    }

    /// Checks the open routes of pools that have changed, and parks those that lack room.
    pub(super) fn settle_open<const PLAIN: bool>(&mut self, state: &mut State) {
        let mut at = 0;
        while let Some(route) = self.open.get(at).copied() {
            let pool = state.routes.route(route).pool;
            let version = self.holds.as_ref().filter(|_| !PLAIN).map_or(0, |holds| holds.version(pool));
            let now = state.ledger.pool(pool).allocations().wrapping_add(version);
            let Stage::Open { fitted, .. } = &mut self.stages[route] else { break };
            if fitted.replace(now) == Some(now) {
                at += 1;
            } else if !state.fits(route) {
                self.park(state, route);
            } else if PLAIN || self.passes_gate(state, route) {
                at += 1;
            }
        }
    }

    pub(super) fn is_open(&self, route: RouteId) -> bool {
        matches!(self.stages[route], Stage::Open { .. })
    }
}

/// A route is open from now on.
fn push_open(stages: &mut IdVec<RouteId, Stage>, open: &mut Vec<RouteId>, route: RouteId) {
    // There are no more open routes than routes, which fit 32 bits.
    let at = u32::try_from(open.len()).unwrap_or(u32::MAX);
    stages[route] = Stage::Open { at, fitted: None, gate: Gate::All };
    open.push(route);
}
