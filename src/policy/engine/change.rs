//! Change: what follows for lines, lists, reservations and reclaim when a job starts, stops or waits.
//!
//! Absent on purpose: why it does. Layer 5; uses `pending`, `lists`, `state`.

use super::Engine;
use crate::id::{JobId, PoolId, ShapeId};
use crate::line::Waiter;
use crate::pending::Change;
use crate::resources::Resources;
use crate::seldom::seldom;
use crate::state::{State, Stopped};
use crate::tree::MemberId;

impl Engine {
    /// A job has started: it leaves its line.
    pub(super) fn has_started(&mut self, state: &State, leaf: MemberId, shape: ShapeId, head: Waiter) {
        let change = self.pending.remove(leaf, shape, head);
        if self.head_only || change != Change::Head {
            self.line_changed(state, leaf, shape, change);
        }
        self.moves_back(leaf);
        if self.one_line {
            seldom(|| {
                self.reopen_all(state, head.job);
                self.reopen_where_lines_merge(state);
            });
        }
        self.started_for_reclaim(state, head.job);
    }

    /// A running job has stopped.
    pub(super) fn has_stopped(&mut self, state: &State, stopped: &Stopped) {
        self.touch(state.alive(stopped.job).leaf);
        self.note_room(stopped.pool, &stopped.room);
        if self.holds.is_some() || self.reclaim.is_some() {
            self.tells_of_stop(state, stopped);
        }
    }

    #[inline(never)]
    fn tells_of_stop(&mut self, state: &State, stopped: &Stopped) {
        if let Some(holds) = &mut self.holds {
            holds.changed(state, stopped.pool, Some(stopped));
        }
        self.stopped_for_reclaim(state, stopped);
    }

    /// A job stands in its line from now on.
    pub(super) fn queue(&mut self, state: &State, job: JobId) {
        let (leaf, shape) = (state.alive(job).leaf, state.alive(job).shape);
        let change = self.pending.push(leaf, shape, class(state, job), state.waiter(job));
        self.line_changed(state, leaf, shape, change);
        if self.reclaim.is_some() && matches!(change, Change::Opened(_)) {
            self.opened_for_reclaim(leaf, shape);
        }
        if self.holds.is_some() {
            self.joins_holds(state, job);
        }
        if self.one_line {
            seldom(|| self.reopen_if_preceded(state, job));
        }
    }

    /// A waiting job stands in its line no longer.
    pub(super) fn leaves_line(&mut self, state: &State, job: JobId) {
        let (leaf, shape) = (state.alive(job).leaf, state.alive(job).shape);
        let change = self.pending.remove(leaf, shape, state.waiter(job));
        self.line_changed(state, leaf, shape, change);
        self.leaves_holds(state, job);
        if self.one_line {
            self.reopen_all(state, job);
        }
    }

    /// Something has happened outside: a job came, went or ended, or a pool has another size.
    #[inline]
    pub(super) fn event(&mut self, pool: Option<PoolId>) {
        if self.holds.is_some() || self.reclaim.is_some() {
            self.tells_of_event(pool);
        }
    }

    #[inline(never)]
    fn tells_of_event(&mut self, pool: Option<PoolId>) {
        if let Some(holds) = &mut self.holds {
            holds.event();
        }
        self.reclaim_event(pool);
    }

    pub(super) fn note_room(&mut self, pool: PoolId, room: &Resources) {
        let watch = &mut self.watches[pool];
        watch.room = watch.room.max_each(room);
        watch.freed = true;
    }
}

/// The class of a job, as far as it comes before everything else.
pub(super) fn class(state: &State, job: JobId) -> i32 {
    state.routes.shape(state.alive(job).shape).precedence
}
