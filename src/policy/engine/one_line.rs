//! One line for all: a blocked job closes its pools.
//!
//! Where nothing may pass a blocked job and teams do not compete by shares, the routes of its pools are set aside until
//! it starts, is withdrawn, or is preceded by another.
//! Absent on purpose: which job comes first. Layer 5; uses `state`.

use core::cmp::Reverse;

use super::change::class;
use super::{Engine, Stage};
use crate::id::{JobId, PoolId};
use crate::route::RouteId;
use crate::state::State;

impl Engine {
    /// A pool has more room than before, and opens if the job that has closed it fits now.
    #[inline(never)]
    pub(super) fn reopen_if_it_fits(&mut self, state: &mut State, job: JobId, pool: PoolId) {
        if Self::fits_here(state, job, pool) {
            self.reopen(state, pool);
        }
    }

    fn fits_here(state: &mut State, job: JobId, pool: PoolId) -> bool {
        let (leaf, shape) = (state.alive(job).leaf, state.alive(job).shape);
        let here = |state: &State, route| {
            state.routes.route(route).pool == pool && state.denies(leaf, route).is_none()
        };
        let mut routes = state.routes.shape(shape).routes();
        routes.any(|route| here(state, route) && state.fits(route))
    }

    /// Sets aside the routes of all pools that a job is blocked in, by room or by a limit: nothing may pass it there.
    pub(super) fn close(&mut self, state: &State, job: JobId) {
        for route in state.routes.shape(state.alive(job).shape).routes() {
            let pool = state.routes.route(route).pool;
            if self.watches[pool].closed_by.is_none() {
                self.close_pool(state, job, pool);
            }
        }
    }

    /// Sets aside the routes of an open pool.
    pub(super) fn close_pool(&mut self, state: &State, job: JobId, pool: PoolId) {
        self.watches[pool].closed_by = Some(job);
        let here = |route: &RouteId| state.routes.route(*route).pool == pool;
        for route in self.open.iter().copied().filter(here).collect::<Vec<_>>() {
            self.take_from_stage(state, route);
            self.stages[route] = Stage::SetAside;
            self.watches[pool].set_aside.insert(route);
        }
    }

    pub(super) fn reopen(&mut self, state: &State, pool: PoolId) {
        self.watches[pool].closed_by = None;
        while let Some(route) = self.watches[pool].set_aside.pop_first() {
            debug_assert!(state.routes.route(route).pool == pool, "a route is set aside in another pool");
            self.open_route(route);
        }
    }

    /// Where a class decides inside a team only, or what teams have used decides between them, the line is merged from
    /// those of the teams, and who comes first in it changes whenever the first job of any team does: what is closed is
    /// found out anew.
    #[inline(never)]
    pub(super) fn reopen_where_lines_merge(&mut self, state: &State) {
        if self.one_line && (state.history.is_some() || !state.config.policy.classes_cross_teams()) {
            for pool in (0..self.watches.len()).map(PoolId::at) {
                self.reopen(state, pool);
            }
        }
    }

    /// Opens the pools that a job has closed.
    pub(super) fn reopen_all(&mut self, state: &State, job: JobId) {
        for route in state.routes.shape(state.alive(job).shape).routes() {
            let pool = state.routes.route(route).pool;
            if self.watches[pool].closed_by == Some(job) {
                self.reopen(state, pool);
            }
        }
    }

    /// A job that comes before the one that closed a pool opens it again.
    pub(super) fn reopen_if_preceded(&mut self, state: &State, job: JobId) {
        let rank = |job: JobId| (Reverse(class(state, job)), state.place(job));
        for route in state.routes.shape(state.alive(job).shape).routes() {
            let pool = state.routes.route(route).pool;
            if self.watches[pool].closed_by.is_some_and(|blocked| rank(job) < rank(blocked)) {
                self.reopen(state, pool);
            }
        }
    }
}
