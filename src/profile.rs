//! Profile: what will be free in a pool, from now on for ever, if everything ends when it should.
//!
//! A row of steps; each holds from its instant until the next one what is free on every node. A divisible pool is one
//! node as large as the pool, on which a job is one worker. Costs grow with the steps, of which each planned job adds
//! at most two. Absent on purpose: who is planned, and in which order. Layer 3; uses `state`, `reservation`.

use core::ops::Range;

use crate::id::{NodeId, PoolId};
use crate::ledger::Span;
use crate::placement;
use crate::reservation::{Timetable, end_after, next_instant};
use crate::resources::Resources;
use crate::room::Room;
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// Room for a job: from when on, until when, and where.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) route: RouteId,
    pub(crate) start: Timestamp,
    /// `None`: for ever.
    end: Option<Timestamp>,
    /// Empty in a divisible pool.
    pub(crate) spans: Vec<Span>,
}

/// From an instant until that of the next step.
#[derive(Clone, Debug)]
struct Step {
    at: Timestamp,
    free: Vec<Room>,
    /// Over all nodes.
    total: Resources,
}

/// What will be free in one pool.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pool: PoolId,
    divisible: bool,
    /// The nodes that are up; none in a divisible pool.
    nodes: Vec<NodeId>,
    steps: Vec<Step>,
}

impl Profile {
    /// The profile of a pool in which nothing is planned.
    pub(crate) fn new(state: &State, pool: PoolId, timetable: &Timetable) -> Self {
        let known = state.ledger.pool(pool);
        let nodes: Vec<NodeId> = known.nodes().map(|(node, _)| node).collect();
        let free = if known.is_divisible() {
            vec![Room::of_amount(known.free())]
        } else {
            known.nodes().map(|(_, free)| free.clone()).collect()
        };
        let total = *known.free();
        let steps = vec![Step { at: state.now, free, total }];
        let mut profile = Self { pool, divisible: known.is_divisible(), nodes, steps };
        for (end, job, route) in timetable.ends(state.now) {
            let from = profile.split(end);
            let spans: Vec<Span> = state.spans(job).collect();
            let route = state.routes.route(route);
            profile.change(from..profile.steps.len(), route, &spans, true);
        }
        profile
    }

    /// The earliest slot from some instant on, for a job of a length, at full speed, by a route into this pool.
    pub(crate) fn earliest(
        &self,
        state: &State,
        id: RouteId,
        route: &Route,
        length: Option<Millis>,
        not_before: Timestamp,
    ) -> Option<Slot> {
        let mut from = self.steps.partition_point(|step| step.at < not_before);
        // The steps from `from` up to here have room, each by itself.
        let mut roomy = from;
        loop {
            let start = self.steps.get(from)?.at;
            // A job of no length holds its room for an instant; one that starts at the end of time, for ever.
            let end = end_after(start, length, route).map(|end| end.max(next_instant(start)));
            let end = end.filter(|end| *end > start);
            let until = end.map_or(self.steps.len(), |end| self.steps.partition_point(|step| step.at < end));
            roomy = roomy.max(from);
            if let Some(lacking) = (roomy..until).find(|at| !self.has_room(state, *at, route)) {
                // No slot covers a step that lacks room.
                (from, roomy) = (lacking + 1, lacking + 1);
                continue;
            }
            roomy = roomy.max(until);
            if let Some(spans) = self.spans(state, from..until, route) {
                return Some(Slot { route: id, start, end, spans });
            }
            from += 1;
        }
    }

    /// Where a job would run during steps that each have room; empty in a divisible pool.
    fn spans(&self, state: &State, steps: Range<usize>, route: &Route) -> Option<Vec<Span>> {
        if self.divisible {
            return Some(Vec::new());
        }
        let steps = &self.steps[steps];
        let mut rooms: Vec<&Room> = Vec::with_capacity(steps.len());
        let mut throughout = |at: usize| {
            rooms.clear();
            rooms.extend(steps.iter().map(|step| &step.free[at]));
            Room::throughout(&rooms, &route.request)
        };
        let free: Vec<Room> = (0..self.nodes.len()).map(&mut throughout).collect();
        let free = self.nodes.iter().copied().zip(&free);
        placement::find_among(state.ledger.pool(self.pool), route, free)
    }

    /// Whether all workers have room somewhere, together where they must be, during a step.
    fn has_room(&self, state: &State, step: usize, route: &Route) -> bool {
        let Step { free, total, .. } = &self.steps[step];
        if !route.total.fits_in(total) || self.divisible {
            return route.total.fits_in(total);
        }
        let rooms = self.nodes.iter().zip(free).map(|(node, free)| (*node, free.times(&route.request)));
        let workers = u64::from(route.workers);
        state.ledger.pool(self.pool).together(route.confined, workers, rooms) >= workers
    }

    /// Plans a job in a slot that is free.
    pub(crate) fn take(&mut self, route: &Route, slot: &Slot) {
        let from = self.split(slot.start);
        let until = slot.end.map_or(self.steps.len(), |end| self.split(end));
        self.change(from..until, route, &slot.spans, false);
    }

    /// The number of the step that begins at an instant, which is made if there is none.
    fn split(&mut self, at: Timestamp) -> usize {
        match self.steps.binary_search_by_key(&at, |step| step.at) {
            Ok(known) => known,
            Err(next) => {
                let before = self.steps[next.saturating_sub(1)].clone();
                self.steps.insert(next, Step { at, ..before });
                next
            }
        }
    }

    /// What a job holds is free, or is not, during some steps.
    fn change(&mut self, steps: Range<usize>, route: &Route, spans: &[Span], free: bool) {
        for step in &mut self.steps[steps] {
            let by = if free { Resources::checked_add } else { Resources::checked_sub };
            step.total = by(&step.total, &route.total).unwrap_or_default();
            if self.divisible {
                step.free[0] = Room::of_amount(&step.total);
            }
            for span in spans {
                let Ok(at) = self.nodes.binary_search(&span.node) else { continue };
                if free {
                    step.free[at].give(&route.request, span.workers, span.device);
                } else {
                    let taken = step.free[at].take(&route.request, span.workers, span.device);
                    debug_assert!(taken, "a plan takes more than is free");
                }
            }
        }
    }
}
