//! Outlook: what is free in a pool at one instant to come, if every job ends when it should.
//!
//! It is kept up to date with every start and stop, and moved along the ends of running jobs to the first instant that has
//! room for a job, so that a reservation costs what has changed since it was worked out, and not the whole future anew.
//!
//! Invariant: it is what is free now, and what the jobs hold that end by its instant.
//! Absent on purpose: who holds a reservation, and everything between now and then (see `profile`). Layer 3; uses
//! `reservation`, `state`, `placement`.

use crate::id::{IdVec, JobId, NodeId};
use crate::ledger::{PoolState, Span};
use crate::placement;
use crate::reservation::{Reservation, Timetable, next_instant};
use crate::resources::Resources;
use crate::room::Room;
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::time::Timestamp;

/// What is free.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Free {
    /// In a divisible pool.
    Amount(Resources),
    /// On each node, `None` where it is down; and how many workers have room together: in each domain, where all must be in one.
    Nodes { rooms: IdVec<NodeId, Option<Room>>, slots: Vec<u64> },
}

/// What is free in a pool for one job at one instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outlook {
    route: RouteId,
    /// Jobs that end by then have ended; `None`: it is as now.
    at: Option<Timestamp>,
    free: Free,
    /// The reservation that was made of it last may be another now.
    changed: bool,
    /// On nodes: the last of those that it was made of, by when they are tried. It is made of all that have room and are tried
    /// no later, and of no others.
    last: Option<(placement::Rank, NodeId)>,
}

impl Outlook {
    /// What is free now, for a job that would start by a route.
    pub(crate) fn new(state: &State, id: RouteId) -> Self {
        let route = state.routes.route(id);
        let pool = state.ledger.pool(route.pool);
        let free = if pool.is_divisible() {
            Free::Amount(*pool.free())
        } else {
            let numbers = (0..pool.nodes_configured()).map(NodeId::new);
            let rooms = numbers.map(|node| pool.free_on(node).cloned()).collect();
            let mut slots = vec![0_u64; if route.confined { pool.domain_count() } else { 1 }];
            for (node, room) in pool.nodes() {
                let here = &mut slots[group(pool, route, node)];
                *here = here.saturating_add(room.times(&route.request));
            }
            Free::Nodes { rooms, slots }
        };
        Self { route: id, at: None, free, changed: true, last: None }
    }

    /// The instant, if it is not now.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// A job has started, and ends then, if ever.
    pub(crate) fn started(&mut self, state: &State, job: JobId, route: RouteId, end: Option<Timestamp>) {
        if !self.has_ended(end) {
            self.change(state, route, state.spans(job), false);
        }
    }

    /// A job that ran by a route has stopped just now; when it would have ended, if ever.
    pub(crate) fn stopped(&mut self, state: &State, route: RouteId, end: Option<Timestamp>) {
        if !self.has_ended(end) {
            self.change(state, route, state.spans_of_stopped(), true);
        }
    }

    fn has_ended(&self, end: Option<Timestamp>) -> bool {
        end.is_some_and(|end| self.at.is_some_and(|at| end <= at))
    }

    /// Moves to the first instant that has room for the job; whether there is one.
    pub(crate) fn settle(&mut self, state: &State, timetable: &Timetable) -> bool {
        let next = next_instant(state.now);
        if self.at.is_some_and(|at| at < next) {
            // Whoever should have ended by now is taken to end at the next instant.
            self.advance(state, timetable, next);
        }
        if self.has_room(state) {
            while self.go_back(state, timetable, next) {}
            return true;
        }
        self.go_on(state, timetable, next)
    }

    /// Moves from end to end until there is room; whether there is some at last.
    fn go_on(&mut self, state: &State, timetable: &Timetable, next: Timestamp) -> bool {
        let mut ends = timetable.after(self.at).peekable();
        while !self.has_room(state) {
            let Some((end, ..)) = ends.peek() else { return false };
            let to = next.max(*end);
            while let Some((_, job, route)) = ends.next_if(|(end, ..)| *end <= to) {
                self.change(state, route, state.spans(job), true);
            }
            self.at = Some(to);
        }
        true
    }

    fn has_room(&self, state: &State) -> bool {
        let route = state.routes.route(self.route);
        match &self.free {
            Free::Amount(free) => route.total.fits_in(free),
            Free::Nodes { slots, .. } => slots.iter().any(|here| *here >= u64::from(route.workers)),
        }
    }

    fn advance(&mut self, state: &State, timetable: &Timetable, to: Timestamp) {
        for (_, job, route) in timetable.after(self.at).take_while(|(end, ..)| *end <= to) {
            self.change(state, route, state.spans(job), true);
        }
        self.at = Some(to);
    }

    /// Moves to the end before, if there is room then already; whether it did.
    fn go_back(&mut self, state: &State, timetable: &Timetable, next: Timestamp) -> bool {
        let Some(at) = self.at else { return false };
        // Whoever is late ends at the next instant, together with all others that do; before that, it is as now.
        let before = if at > next { timetable.last_before(at) } else { None };
        let Some(before) = before.map(|end| end.max(next)) else {
            if state.fits(self.route) {
                *self = Self::new(state, self.route);
            }
            return false;
        };
        let changed = self.changed;
        let between = || timetable.after(Some(before)).take_while(|(end, ..)| *end <= at);
        for (_, job, route) in between() {
            self.change(state, route, state.spans(job), false);
        }
        if self.has_room(state) {
            self.at = Some(before);
            return true;
        }
        for (_, job, route) in between() {
            self.change(state, route, state.spans(job), true);
        }
        self.changed = changed;
        false
    }

    /// What a job holds by a route is free then, or is not. Where nothing but the room decides when a node is tried, the reservation
    /// is another only if a node of it is, before or after.
    fn change(&mut self, state: &State, route: RouteId, spans: impl Iterator<Item = Span>, is_free: bool) {
        let its: &Route = state.routes.route(route);
        match &mut self.free {
            Free::Amount(free) => {
                self.changed = true;
                let by = if is_free { Resources::checked_add } else { Resources::checked_sub };
                let changed = by(free, &its.total);
                debug_assert!(changed.is_some(), "a job holds more than is taken");
                *free = changed.unwrap_or(*free);
            }
            Free::Nodes { rooms, slots } => {
                let wanted = state.routes.route(self.route);
                let pool = state.ledger.pool(wanted.pool);
                for span in spans {
                    // No job is on a node that is down.
                    let Some(room) = &mut rooms[span.node] else { continue };
                    let is_of_it = |room: &Room| {
                        let key = || (placement::rank(pool, &wanted.request, span.node, room), span.node);
                        self.last.is_none_or(|last| room.fits(&wanted.request) && key() <= last)
                    };
                    let (before, was_of_it) = (room.times(&wanted.request), is_of_it(room));
                    if is_free {
                        room.give(&its.request, span.workers, span.device);
                    } else {
                        let taken = room.take(&its.request, span.workers, span.device);
                        debug_assert!(taken, "a job holds more than was free");
                    }
                    self.changed |= was_of_it || is_of_it(room);
                    let here = &mut slots[group(pool, wanted, span.node)];
                    *here = here.saturating_sub(before).saturating_add(room.times(&wanted.request));
                }
            }
        }
    }

    /// Whether it is what is worked out from the beginning for its instant.
    pub(crate) fn is_true(&self, state: &State, timetable: &Timetable) -> bool {
        let mut again = Self::new(state, self.route);
        if let Some(at) = self.at {
            again.advance(state, timetable, at);
        }
        (again.changed, again.last) = (self.changed, self.last);
        again == *self
    }

    /// Whether the reservation that it gave last is what it would give now, but for when it starts.
    pub(crate) fn is_unchanged(&self) -> bool {
        !self.changed
    }

    /// When the job starts for which there is room now.
    pub(crate) fn start(&self, state: &State) -> Timestamp {
        self.at.unwrap_or(state.now)
    }

    /// The reservation of a job, now that there is room for it.
    pub(crate) fn reservation(&mut self, state: &State, job: JobId) -> Option<Reservation> {
        self.changed = false;
        let route = state.routes.route(self.route);
        let (nodes, spare) = match &self.free {
            Free::Amount(free) => (Vec::new(), free.checked_sub(&route.total)?),
            Free::Nodes { rooms, .. } => {
                let pool = state.ledger.pool(route.pool);
                let free = rooms.iter().enumerate();
                let free = free.filter_map(|(node, room)| Some((NodeId::at(node), room.as_ref()?)));
                let spans = placement::find_among(pool, route, free)?;
                let last = spans.last().filter(|_| !route.confined).map(|span| span.node);
                self.last = last.and_then(|last| {
                    let room = rooms[last].as_ref()?;
                    Some((placement::rank(pool, &route.request, last, room), last))
                });
                let mut nodes: Vec<NodeId> = spans.iter().map(|span| span.node).collect();
                nodes.sort_unstable();
                nodes.dedup();
                (nodes, Resources::new())
            }
        };
        Some(Reservation { job, route: self.route, start: self.start(state), nodes, spare })
    }
}

/// Which workers count together with those on a node.
fn group(pool: &PoolState, route: &Route, node: NodeId) -> usize {
    if route.confined { pool.domain_of(node) } else { 0 }
}

/// The earliest start of a job by a route, and what is free then; `None` where running jobs that never end leave no room.
pub(crate) fn earliest(
    state: &State,
    job: JobId,
    route: RouteId,
    timetable: &Timetable,
) -> Option<(Reservation, Outlook)> {
    let mut outlook = Outlook::new(state, route);
    if !outlook.settle(state, timetable) {
        return None;
    }
    Some((outlook.reservation(state, job)?, outlook))
}
