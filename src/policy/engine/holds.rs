//! Holds: what is kept for the reservations of all pools, and what they let pass.
//!
//! What is free at the instant of a reservation is kept up to date with every start and stop, so that working it out again
//! looks only at the jobs that end where it moves to.
//! Absent on purpose: who gets a reservation (see `backfill`). Layer 5; uses `outlook`, `reservation`, `state`.

use std::collections::BTreeMap;

use super::Stage;
use super::behind::Behind;
use super::change::class;
use crate::config::Placement;
use crate::id::{IdVec, JobId, NodeId, PoolId, ShapeId};
use crate::line::Waiter;
use crate::outlook::Outlook;
use crate::reservation::{Reservation, Timetable, next_instant};
use crate::route::RouteId;
use crate::state::{State, Stopped};
use crate::time::Timestamp;

/// Who may start by a route that has room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    /// Everybody.
    All,
    /// Jobs up to this length, in milliseconds at full speed, if any, and the job whose reservation it is.
    Within(Option<u64>),
}

/// Who may pass a reservation as it is now who could not before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loosened {
    /// Nobody.
    No,
    /// Who ends before it, if anybody.
    InTime,
    /// Anybody.
    Altogether,
}

impl Loosened {
    /// Where a reservation leaves no more beside it than before.
    fn by_start(before: Timestamp, now: Timestamp) -> Self {
        if now > before { Self::InTime } else { Self::No }
    }

    /// Where another reservation of the same job, or none, stands for one; `None` where it is the same.
    fn between(before: &Reservation, now: Option<&Reservation>) -> Option<Self> {
        match now {
            Some(now) if now == before => None,
            Some(now) if now.leaves_no_more_than(before) => Some(Self::by_start(before.start, now.start)),
            _ => Some(Self::Altogether),
        }
    }
}

/// What is kept for a pool.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) timetable: Timetable,
    pub(super) reservation: Option<Reservation>,
    /// What is free at its instant, as far as is known now; `None` where that must be worked out from the beginning.
    outlook: Option<Outlook>,
    /// Counts changes of the reservation.
    pub(super) version: u64,
    /// Something has started or stopped since the reservation was worked out.
    pub(super) stale: bool,
    /// Another job may have to hold the reservation.
    pub(super) look: bool,
    /// The reservation has been taken away for a job of a higher rank since something happened outside.
    pub(super) moved: bool,
    /// Routes that have room, and by which nobody may pass the reservation.
    pub(super) behind: Behind,
}

impl Hold {
    /// A job runs from now on.
    fn runs(&mut self, state: &State, job: JobId, route: RouteId) {
        let end = self.timetable.started(state, job);
        self.stale = true;
        if let Some(outlook) = &mut self.outlook {
            outlook.started(state, job, route, end);
        }
    }

    /// Another reservation, or none.
    pub(super) fn replace(&mut self, reservation: Option<Reservation>) {
        self.version = self.version.wrapping_add(1);
        self.reservation = reservation;
        self.stale = false;
    }

    /// Whether anything has happened that may move the reservation.
    pub(super) fn may_differ(&self, state: &State) -> bool {
        self.stale || by_demand(state)
    }

    /// Works out the reservation again if anything has happened that may move it; where that made it another, or none since
    /// its holder has no foreseeable start any longer, who may pass now.
    pub(super) fn work_out(&mut self, state: &State) -> Option<Loosened> {
        let may_differ = self.may_differ(state);
        let Self { outlook, timetable, reservation, .. } = self;
        let held = reservation.as_mut()?;
        // Time alone moves only a start that has come: who is late is taken to end before any other.
        if !may_differ && held.start > next_instant(state.now) {
            return None;
        }
        let ahead = outlook.get_or_insert_with(|| Outlook::new(state, held.route));
        let has_room = ahead.settle(state, timetable);
        let loosened = if has_room && ahead.is_unchanged() && by_room_alone(state) {
            let before = core::mem::replace(&mut held.start, ahead.start(state));
            (held.start != before).then(|| Loosened::by_start(before, held.start))
        } else {
            let again = if has_room { ahead.reservation(state, held.job) } else { None };
            let loosened = Loosened::between(held, again.as_ref());
            *reservation = again;
            loosened
        };
        if loosened.is_some() {
            self.version = self.version.wrapping_add(1);
        }
        self.forget_what_has_come(state);
        loosened
    }

    /// Whether what is kept is what follows from the jobs that run.
    pub(super) fn foresees(&self, state: &State) -> bool {
        self.outlook.as_ref().is_none_or(|outlook| outlook.is_true(state, &self.timetable))
    }

    /// Keeps what is free at the instant of a reservation that is ahead. Of a start that is due, who is late has not made room,
    /// and of one that is ahead, has: the next one is worked out from the beginning. The reservation is up to date now.
    fn forget_what_has_come(&mut self, state: &State) {
        let is_ahead = |outlook: &Outlook| outlook.at().is_some_and(|at| at > state.now);
        if self.reservation.is_none() || !self.outlook.as_ref().is_some_and(is_ahead) {
            self.outlook = None;
        }
        self.stale = false;
    }
}

/// The reservations of all pools.
#[derive(Clone, Debug)]
pub(super) struct Holds {
    pub(super) pools: IdVec<PoolId, Hold>,
    /// How many waiting jobs of a shape have which length.
    pub(super) lengths: IdVec<ShapeId, BTreeMap<u64, u32>>,
    /// The shortest of them, by shape: it is asked for far more often than it changes.
    pub(super) shortest: IdVec<ShapeId, Option<u64>>,
}

impl Holds {
    pub(super) fn new(pools: usize) -> Self {
        let hold = |_| Hold {
            timetable: Timetable::default(),
            reservation: None,
            outlook: None,
            version: 0,
            stale: false,
            look: false,
            moved: false,
            behind: Behind::default(),
        };
        Self { pools: (0..pools).map(hold).collect(), lengths: IdVec::new(), shortest: IdVec::new() }
    }

    /// Counts changes of a pool's reservation.
    pub(super) fn version(&self, pool: PoolId) -> u64 {
        self.pools[pool].version
    }

    /// Counts changes of all of them.
    pub(super) fn changes(&self) -> u64 {
        self.pools.iter().map(|hold| hold.version).fold(0, u64::wrapping_add)
    }

    /// The next instant at which time alone may change a reservation.
    pub(super) fn next_change(&self, state: &State) -> Option<Timestamp> {
        let held = self.pools.iter().filter(|hold| hold.reservation.is_some());
        held.filter_map(|hold| hold.timetable.next_change(state.now)).min()
    }

    /// Something has happened outside: a job came, went or ended, or a pool has another size.
    pub(super) fn event(&mut self) {
        self.pools.iter_mut().for_each(|hold| hold.moved = false);
    }

    /// A job runs that never waited.
    pub(super) fn adopted(&mut self, state: &State, job: JobId) {
        if let Some(route) = state.route_of(job) {
            self.pools[state.routes.route(route).pool].runs(state, job, route);
        }
    }

    /// A job stopped that ran in a pool, or the pool has another size.
    pub(super) fn changed(&mut self, state: &State, pool: PoolId, stopped: Option<&Stopped>) {
        let hold = &mut self.pools[pool];
        hold.stale = true;
        let end = stopped.map(|stopped| (stopped.route, hold.timetable.stopped(state, stopped)));
        match (&mut hold.outlook, end) {
            (Some(outlook), Some((route, end))) => outlook.stopped(state, route, end),
            _ => hold.outlook = None,
        }
    }

    /// Nothing is expected any more of the ends of some jobs that run in a pool.
    pub(super) fn forget(&mut self, pool: PoolId, jobs: &[JobId]) {
        self.pools[pool].timetable.forget(jobs);
    }

    pub(super) fn joined(&mut self, state: &State, waiter: Waiter) {
        let shape = state.alive(waiter.job).shape;
        while self.lengths.get(shape).is_none() {
            self.lengths.push(BTreeMap::new());
            self.shortest.push(None);
        }
        *self.lengths[shape].entry(waiter.length).or_insert(0) += 1;
        let shortest = &mut self.shortest[shape];
        *shortest = Some(shortest.map_or(waiter.length, |known| known.min(waiter.length)));
        for route in state.routes.shape(shape).routes() {
            let hold = &mut self.pools[state.routes.route(route).pool];
            let holder = hold.reservation.as_ref().map(|held| class(state, held.job));
            hold.look |= holder.is_none_or(|holder| class(state, waiter.job) > holder);
        }
    }

    /// A job waits no longer; the pool in which it held the reservation.
    pub(super) fn left(&mut self, shape: ShapeId, waiter: Waiter) -> Option<PoolId> {
        if let Some(count) = self.lengths[shape].get_mut(&waiter.length) {
            *count -= 1;
            if *count == 0 {
                self.lengths[shape].remove(&waiter.length);
                self.shortest[shape] = self.lengths[shape].first_key_value().map(|(length, _)| *length);
            }
        }
        let pool = self.held_by(waiter.job)?;
        self.take(pool);
        self.pools[pool].look = true;
        Some(pool)
    }

    pub(super) fn held_by(&self, job: JobId) -> Option<PoolId> {
        let holds = |hold: &Hold| hold.reservation.as_ref().is_some_and(|held| held.job == job);
        self.pools.iter().position(holds).map(PoolId::at)
    }

    /// Gives the reservation of a pool to a job.
    pub(super) fn give(
        &mut self,
        state: &State,
        pool: PoolId,
        (reservation, outlook): (Reservation, Outlook),
    ) {
        let hold = &mut self.pools[pool];
        hold.replace(Some(reservation));
        hold.outlook = Some(outlook);
        hold.forget_what_has_come(state);
    }

    /// Takes the reservation of a pool away.
    pub(super) fn take(&mut self, pool: PoolId) {
        self.pools[pool].replace(None);
        self.pools[pool].outlook = None;
    }

    /// The reservation that stands in the way of a job by a route: there is one, and the job neither holds it nor ends
    /// before it.
    pub(super) fn obstacle(&self, state: &State, waiter: Waiter, route: RouteId) -> Option<&Reservation> {
        let what = state.routes.route(route);
        let held = self.pools[what.pool].reservation.as_ref()?;
        let ends_before = || held.longest_before(state.now, what).is_some_and(|most| waiter.length <= most);
        (held.job != waiter.job && !ends_before()).then_some(held)
    }

    /// The nodes that a job must leave alone when it starts by a route.
    pub(super) fn avoid(&self, state: &State, waiter: Waiter, route: RouteId) -> &[NodeId] {
        self.obstacle(state, waiter, route).map_or(&[], |held| &held.nodes)
    }

    /// Whether a job could start by a route beside the reservation, if it had room on the nodes that it need not avoid.
    pub(super) fn leaves_room(&self, state: &State, waiter: Waiter, route: RouteId) -> bool {
        self.obstacle(state, waiter, route).is_none_or(|held| leaves_amount(state, held, route))
    }

    /// Whether a job can start now, by any route.
    pub(super) fn can_start(&self, state: &mut State, waiter: Waiter) -> bool {
        let (leaf, shape) = (state.alive(waiter.job).leaf, state.alive(waiter.job).shape);
        let mut routes = state.routes.shape(shape).routes();
        routes.any(|route| {
            state.denies(leaf, route).is_none()
                && state.fits_beside(route, self.avoid(state, waiter, route))
                && self.obstacle(state, waiter, route).is_none_or(|held| leaves_amount(state, held, route))
        })
    }

    /// Who may start by a route that has room; `None`: nobody who waits.
    pub(super) fn gate(&self, state: &mut State, route: RouteId) -> Option<Gate> {
        let what = state.routes.route(route);
        let Some(held) = &self.pools[what.pool].reservation else { return Some(Gate::All) };
        if leaves_amount(state, held, route) && state.fits_beside(route, &held.nodes) {
            return Some(Gate::All);
        }
        let longest = held.longest_before(state.now, state.routes.route(route));
        self.somebody_passes(state, held, route).then_some(Gate::Within(longest))
    }

    /// Whether somebody who waits for a route ends before a reservation, or has it.
    fn somebody_passes(&self, state: &State, held: &Reservation, route: RouteId) -> bool {
        let what = state.routes.route(route);
        let longest = held.longest_before(state.now, what);
        let is_short = self.shortest[what.shape]
            .is_some_and(|shortest| longest.is_some_and(|longest| shortest <= longest));
        is_short || state.alive(held.job).shape == what.shape
    }

    /// Nobody may pass by a route of a pool with a reservation.
    pub(super) fn put_behind(&mut self, state: &State, id: RouteId) -> Stage {
        let route = state.routes.route(id);
        Stage::Behind { at: self.pools[route.pool].behind.insert(id, route, self.shortest[route.shape]) }
    }

    /// The routes behind the reservation of a pool by which somebody may pass now that it is looser, if they have room.
    pub(super) fn passing(&self, state: &State, pool: PoolId, loosened: Loosened) -> Vec<RouteId> {
        let Hold { behind, reservation, .. } = &self.pools[pool];
        let is_divisible = state.ledger.pool(pool).is_divisible();
        match reservation {
            Some(held) if is_divisible || loosened == Loosened::InTime => {
                // On nodes, whoever leaves those of the reservation alone may pass it no more than before.
                let beside = |route| is_divisible && leaves_amount(state, held, route);
                let hopeful = behind.hopeful(state.now, held, state.alive(held.job).shape);
                hopeful.filter(|route| beside(*route) || self.somebody_passes(state, held, *route)).collect()
            }
            _ => behind.routes().collect(),
        }
    }

    /// A job has started by a route; the pool whose reservation it held.
    pub(super) fn started(&mut self, state: &State, waiter: Waiter, route: RouteId) -> Option<PoolId> {
        let what = state.routes.route(route);
        let eats = self.obstacle(state, waiter, route).is_some();
        let hold = &mut self.pools[what.pool];
        hold.runs(state, waiter.job, route);
        if let Some(held) = hold.reservation.as_mut().filter(|_| eats) {
            held.spare = held.spare.checked_sub(&what.total).unwrap_or_default();
            hold.version = hold.version.wrapping_add(1);
        }
        self.left(what.shape, waiter)
    }
}

/// Whether placement goes by what was asked for: then every submission may move a reservation.
fn by_demand(state: &State) -> bool {
    state.config.policy.placement == Placement::Fragmentation
}

/// Whether placement goes by nothing but the room on the nodes, not by how often something was placed either.
fn by_room_alone(state: &State) -> bool {
    !by_demand(state) && state.config.policy.placement != Placement::Random
}

/// Whether a job that does not end in time leaves the amount of a reservation in a divisible pool.
pub(super) fn leaves_amount(state: &State, held: &Reservation, route: RouteId) -> bool {
    let what = state.routes.route(route);
    !state.ledger.pool(what.pool).is_divisible() || what.total.fits_in(&held.spare)
}
