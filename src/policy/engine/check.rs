//! Check: what the engine keeps of who waits for what, compared with the jobs that wait.
//!
//! Absent on purpose: what is kept for reservations and reclaim (checked beside them). Layer 5; uses `pending`,
//! `lists`, `state`.

use std::collections::BTreeSet;

use super::{Engine, Stage};
use crate::line::NO_PLACE;
use crate::route::RouteId;
use crate::state::{State, Status};
use crate::tree::MemberId;

impl Engine {
    /// Compares lines, lists and stages with the jobs that wait; the first difference, in words.
    pub(super) fn check_lines(&self, state: &State) -> Result<(), String> {
        let mut waiting = 0;
        let mut expected = BTreeSet::new();
        for (leaf, shape, waiter) in self.pending.iter() {
            waiting += 1;
            let job = state.job(waiter.job).map_err(|error| error.to_string())?;
            if job.status() != Status::Waiting || state.place(waiter.job) != waiter.place || job.leaf != leaf
            {
                return Err(format!("job {} stands in a line without waiting there", waiter.job));
            }
            if !self.head_only || self.shown[leaf] == Some(shape) {
                expected.extend(state.routes.shape(shape).routes().map(|route| (leaf, route)));
            }
        }
        let alive = state.jobs().filter(|(_, job)| job.status() == Status::Waiting).count();
        let alive = alive.saturating_sub(self.backing_off());
        if alive != waiting || waiting != self.pending.waiting() {
            return Err(format!("{alive} jobs wait, {waiting} stand in lines"));
        }
        let is_leaf = |member: &(MemberId, RouteId)| self.pending.lines(member.0) > 0;
        let standing = self.lists.all_stands().into_iter().chain(self.lists.held());
        let standing: BTreeSet<_> = standing.filter(is_leaf).collect();
        if standing != expected {
            return Err("a team stands in other lists than it waits for".to_owned());
        }
        for route in (0..self.stages.len()).filter_map(|index| state.routes.ids().nth(index)) {
            let idle = self.stages[route] == Stage::Idle;
            if idle != (self.lists.len(MemberId::ROOT, route) == 0) {
                return Err(format!("{route:?} is idle while somebody waits for it, or the reverse"));
            }
            self.check_note(state, route)?;
        }
        let listed = self.watches.iter().flat_map(|watch| &watch.lacking).map(BTreeSet::len).sum::<usize>();
        let noted = self.notes.iter().flatten().count();
        if listed != noted {
            return Err(format!("of {noted} routes it is noted what they lack, {listed} are found by that"));
        }
        let place = |member, route: RouteId| {
            let head = self.pending.head(member, state.routes.route(route).shape);
            head.map_or(NO_PLACE, |head| head.place)
        };
        self.lists.check(Self::view(&*self.order, state), place)
    }

    /// Whether what a route lacks is noted where it is parked, or else open, and is where others look for it.
    fn check_note(&self, state: &State, route: RouteId) -> Result<(), String> {
        let lacking = &self.watches[state.routes.route(route).pool].lacking;
        let is_right = match (self.notes[route], self.stages[route]) {
            (None, stage) => stage != Stage::Parked,
            (Some((kind, need)), Stage::Open { .. } | Stage::Parked) => {
                lacking[kind.index()].contains(&(need, route))
            }
            (Some(_), _) => false,
        };
        if is_right { Ok(()) } else { Err(format!("what {route:?} lacks is noted wrongly")) }
    }
}
