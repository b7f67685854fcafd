//! Stage: where each route is, and how it gets elsewhere.
//!
//! Absent on purpose: what is behind a reservation (see `backfill`), and what is set aside in one line (see `one_line`). Layer 5;
//! uses `ledger`, `route`, `state`, `lack`.

use super::Engine;
use super::holds::Gate;
use crate::id::PoolId;
use crate::policy::lack::lacking;
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::route::RouteId;
use crate::state::State;

/// Where a route is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nobody waits for it.
    Idle,
    /// It may have room; it had when the pool had made so many allocations.
    Open { at: u32, fitted: Option<u64>, gate: Gate },
    /// It lacks room.
    Parked { kind: ResourceKind, need: Quantity },
    /// Its pool is closed.
    SetAside,
    /// It has room, which a reservation keeps from all who wait for it.
    Behind { at: u32 },
}

impl Engine {
    pub(super) fn open_route(&mut self, route: RouteId) {
        // There are no more open routes than routes, which fit 32 bits.
        let at = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.stages[route] = Stage::Open { at, fitted: None, gate: Gate::All };
        self.open.push(route);
    }

    /// Takes a route from where it is; it is idle then.
    #[inline]
    pub(super) fn take_from_stage(&mut self, state: &State, route: RouteId) {
        if let Stage::Open { at, .. } = self.stages[route] {
            self.stages[route] = Stage::Idle;
            self.open.swap_remove(at as usize);
            if let Some(moved) = self.open.get(at as usize).copied()
                && let Stage::Open { at: its, .. } = &mut self.stages[moved]
            {
                *its = at;
            }
        } else {
            self.take_from_other_stage(state, route);
        }
    }

    #[inline(never)]
    fn take_from_other_stage(&mut self, state: &State, route: RouteId) {
        let pool = state.routes.route(route).pool;
        match core::mem::replace(&mut self.stages[route], Stage::Idle) {
            Stage::Idle | Stage::Open { .. } => {}
            Stage::Parked { kind, need } => {
                self.watches[pool].parked[kind.index()].remove(&(need, route));
            }
            Stage::SetAside => {
                self.watches[pool].set_aside.remove(&route);
            }
            Stage::Behind { at } => self.leaves_behind(pool, at),
        }
    }

    /// Sets a route aside until as much is free as it lacks.
    pub(super) fn park(&mut self, state: &State, route: RouteId) {
        self.take_from_stage(state, route);
        let what = state.routes.route(route);
        let (kind, need) = lacking(state.ledger.pool(what.pool), what);
        self.stages[route] = Stage::Parked { kind, need };
        self.watches[what.pool].parked[kind.index()].insert((need, route));
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
            self.open_behind(state, pool, Some(&room));
        }
        for kind in state.config.kinds.iter() {
            while let Some((need, route)) = self.watches[pool].parked[kind.index()].first().copied() {
                if need > room[kind] {
                    break;
                }
                self.watches[pool].parked[kind.index()].pop_first();
                self.open_route(route);
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
