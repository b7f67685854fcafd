//! Backfill: which job holds the reservation of a pool, and what may pass it.
//!
//! At most one waiting job holds a reservation in a pool, and a job holds at most one. Before every decision, a pool
//! without a reservation gives it to its first waiting job, in the order of service by the keys *now*, unless that job
//! can start; where the job could start earliest decides which of its pools it is. It is kept until the job starts, is
//! withdrawn, has no foreseeable start any longer, or comes behind a blocked job of a higher class.
//!
//! Where and when is worked out at the beginning of a cycle if anything in the pool has changed, and once more when
//! nothing else can start, so that a second cycle would find nothing to do. Another job may start in the pool if it ends
//! by that time or leaves that room alone; a route by which nobody may is *behind* the reservation until that changes, so
//! that no decision looks at it.
//!
//! Invariant: the holder of a reservation waits, and a route is behind a reservation only where there is one.
//! Absent on purpose: when a job could start (see `reservation`). Layer 5; uses `reservation`, `pending`, `state`.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Pick, Spot, Stage, class};
use crate::explain::Blocked;
use crate::id::{IdVec, JobId, NodeId, PoolId, ShapeId};
use crate::line::Waiter;
use crate::policy::lack::lack_of_room;
use crate::policy::{Facts, precedes_now};
use crate::reservation::{Reservation, Timetable, held};
use crate::resources::Resources;
use crate::route::RouteId;
use crate::state::{State, Status};
use crate::tree::MemberId;

/// Who may start by a route that has room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gate {
    /// Everybody.
    All,
    /// Jobs up to this length, in milliseconds at full speed, if any, and the job whose reservation it is.
    Within(Option<u64>),
}

/// What is kept for a pool.
#[derive(Clone, Debug)]
struct Hold {
    timetable: Timetable,
    reservation: Option<Reservation>,
    /// Counts changes of the reservation.
    version: u64,
    /// Something has started or stopped since the reservation was worked out.
    stale: bool,
    /// Another job may have to hold the reservation.
    look: bool,
    /// Routes that have room, and by which nobody may pass the reservation.
    behind: BTreeSet<RouteId>,
}

/// The reservations of all pools.
#[derive(Clone, Debug)]
pub(super) struct Holds {
    pools: IdVec<PoolId, Hold>,
    /// How many waiting jobs of a shape have which length.
    lengths: IdVec<ShapeId, BTreeMap<u64, u32>>,
}

impl Holds {
    pub(super) fn new(pools: usize) -> Self {
        let hold = |_| Hold {
            timetable: Timetable::default(),
            reservation: None,
            version: 0,
            stale: false,
            look: false,
            behind: BTreeSet::new(),
        };
        Self { pools: (0..pools).map(hold).collect(), lengths: IdVec::new() }
    }

    /// Counts changes of a pool's reservation.
    pub(super) fn version(&self, pool: PoolId) -> u64 {
        self.pools[pool].version
    }

    /// The next instant at which time alone may change a reservation.
    pub(super) fn next_change(&self, state: &State) -> Option<crate::Timestamp> {
        let held = self.pools.iter().filter(|hold| hold.reservation.is_some());
        held.filter_map(|hold| hold.timetable.next_change(state.now)).min()
    }

    /// A job runs that never waited.
    pub(super) fn adopted(&mut self, state: &State, job: JobId) {
        if let Some(route) = held(state, job) {
            let hold = &mut self.pools[route.pool];
            hold.timetable.started(state, job);
            hold.stale = true;
        }
    }

    /// A job stopped that ran in a pool, or the pool has another size.
    pub(super) fn changed(&mut self, pool: PoolId, stopped: Option<JobId>) {
        let hold = &mut self.pools[pool];
        hold.stale = true;
        if let Some(job) = stopped {
            hold.timetable.stopped(job);
        }
    }

    fn joined(&mut self, state: &State, waiter: Waiter) {
        let shape = state.alive(waiter.job).spec.shape;
        while self.lengths.get(shape).is_none() {
            self.lengths.push(BTreeMap::new());
        }
        *self.lengths[shape].entry(waiter.length).or_insert(0) += 1;
        for route in state.routes.shape(shape).routes() {
            let hold = &mut self.pools[state.routes.route(route).pool];
            let holder = hold.reservation.as_ref().map(|held| class(state, held.job));
            hold.look |= holder.is_none_or(|holder| class(state, waiter.job) > holder);
        }
    }

    /// A job waits no longer; the pool in which it held the reservation.
    fn left(&mut self, shape: ShapeId, waiter: Waiter) -> Option<PoolId> {
        if let Some(count) = self.lengths[shape].get_mut(&waiter.length) {
            *count -= 1;
            if *count == 0 {
                self.lengths[shape].remove(&waiter.length);
            }
        }
        let pool = self.held_by(waiter.job)?;
        self.replace(pool, None);
        self.pools[pool].look = true;
        Some(pool)
    }

    fn held_by(&self, job: JobId) -> Option<PoolId> {
        let holds = |hold: &Hold| hold.reservation.as_ref().is_some_and(|held| held.job == job);
        self.pools.iter().position(holds).map(PoolId::at)
    }

    fn replace(&mut self, pool: PoolId, reservation: Option<Reservation>) {
        let hold = &mut self.pools[pool];
        hold.version = hold.version.wrapping_add(1);
        hold.reservation = reservation;
        hold.stale = false;
    }

    /// The reservation that stands in the way of a job by a route: there is one, and the job neither holds it nor ends
    /// before it.
    fn obstacle(&self, state: &State, waiter: Waiter, route: RouteId) -> Option<&Reservation> {
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
    fn can_start(&self, state: &mut State, waiter: Waiter) -> bool {
        let shape = state.alive(waiter.job).spec.shape;
        let mut routes = state.routes.shape(shape).routes();
        routes.any(|route| {
            state.fits_beside(route, self.avoid(state, waiter, route))
                && self.obstacle(state, waiter, route).is_none_or(|held| leaves_amount(state, held, route))
        })
    }

    /// Who may start by a route that has room; `None`: nobody who waits.
    pub(super) fn gate(&self, state: &mut State, route: RouteId) -> Option<Gate> {
        let what = state.routes.route(route);
        let Some(held) = &self.pools[what.pool].reservation else { return Some(Gate::All) };
        let (shape, longest) = (what.shape, held.longest_before(state.now, what));
        if leaves_amount(state, held, route) && state.fits_beside(route, &held.nodes) {
            return Some(Gate::All);
        }
        let shortest = self.lengths[shape].first_key_value().map(|(length, _)| *length);
        let someone = shortest.is_some_and(|shortest| longest.is_some_and(|longest| shortest <= longest));
        let holder = state.alive(held.job).spec.shape == shape;
        (someone || holder).then_some(Gate::Within(longest))
    }

    /// A job has started by a route; the pool whose reservation it held.
    fn started(&mut self, state: &State, waiter: Waiter, route: RouteId) -> Option<PoolId> {
        let what = state.routes.route(route);
        let eats = self.obstacle(state, waiter, route).is_some();
        let hold = &mut self.pools[what.pool];
        hold.timetable.started(state, waiter.job);
        hold.stale = true;
        if let Some(held) = hold.reservation.as_mut().filter(|_| eats) {
            held.spare = held.spare.checked_sub(&what.total).unwrap_or_default();
            hold.version = hold.version.wrapping_add(1);
        }
        self.left(what.shape, waiter)
    }
}

/// Whether a job that does not end in time leaves the amount of a reservation in a divisible pool.
fn leaves_amount(state: &State, held: &Reservation, route: RouteId) -> bool {
    let what = state.routes.route(route);
    !state.ledger.pool(what.pool).is_divisible() || what.total.fits_in(&held.spare)
}

impl Engine {
    /// The first job of a line that may start, with the best route for it.
    pub(super) fn first_passing(
        &self,
        state: &State,
        holds: &Holds,
        leaf: MemberId,
        shape: ShapeId,
    ) -> Option<(Waiter, RouteId)> {
        let mut first: Option<(Waiter, RouteId)> = None;
        for route in state.routes.shape(shape).routes() {
            let Stage::Open { gate, .. } = self.stages[route] else { continue };
            let mut waiter = match gate {
                Gate::All => self.pending.head(leaf, shape),
                Gate::Within(longest) => {
                    longest.and_then(|longest| self.pending.first_within(leaf, shape, longest))
                }
            };
            if let Some(held) = &holds.pools[state.routes.route(route).pool].reservation {
                let job = state.alive(held.job);
                if job.leaf == leaf && job.spec.shape == shape {
                    let holder = state.waiter(held.job);
                    waiter = Some(waiter.map_or(holder, |waiter| waiter.min(holder)));
                }
            }
            if let Some(waiter) = waiter
                && first.is_none_or(|(before, _)| waiter < before)
            {
                first = Some((waiter, route));
            }
        }
        first
    }

    /// Whether it is plain, without a look at the leaf's other lines, that the leaf's first job that may start is not
    /// one of this list, or comes after the best found so far.
    pub(super) fn cannot_lead(
        &mut self,
        state: &State,
        spot: Spot,
        leaf: MemberId,
        best: Option<Pick>,
    ) -> bool {
        let Some(holds) = self.holds.as_ref().filter(|_| self.pending.lines(leaf) > 0) else { return false };
        let (_, route, _) = spot;
        let gated = matches!(self.stages[route], Stage::Open { gate: Gate::Within(_), .. });
        if !gated && self.order.by_shares() {
            return false;
        }
        let shape = state.routes.route(route).shape;
        let Some((waiter, _)) =
            self.first_passing(state, holds, leaf, shape).filter(|(_, best_route)| *best_route == route)
        else {
            return true;
        };
        !self.order.by_shares()
            && best.is_some_and(|best| !self.precedes(state, spot, Some(waiter.place), best))
    }

    /// Starts a job by a route, beside the reservation where it must be; whether there was room.
    pub(super) fn start_beside(&mut self, state: &mut State, waiter: Waiter, route: RouteId) -> bool {
        let Some(holds) = &mut self.holds else { return state.start(waiter.job, route, &[]) };
        let avoid = holds.avoid(state, waiter, route).to_vec();
        if !state.start(waiter.job, route, &avoid) {
            return false;
        }
        let released = holds.started(state, waiter, route);
        // Whoever else may start by the routes of the shape depends on who of it still waits.
        for route in state.routes.shape(state.routes.route(route).shape).routes() {
            if let Stage::Open { fitted, .. } = &mut self.stages[route] {
                *fitted = None;
            }
        }
        if let Some(pool) = released {
            self.open_behind(state, pool, None);
        }
        true
    }

    /// A job waits from now on.
    pub(super) fn joins_holds(&mut self, state: &State, job: JobId) {
        let Some(holds) = &mut self.holds else { return };
        holds.joined(state, state.waiter(job));
        for route in state.routes.shape(state.alive(job).spec.shape).routes() {
            if self.stages[route] == Stage::Behind {
                self.take_from_stage(state, route);
                self.open_route(route);
            }
        }
    }

    /// A waiting job is withdrawn.
    pub(super) fn leaves_holds(&mut self, state: &State, job: JobId) {
        let Some(holds) = &mut self.holds else { return };
        if let Some(pool) = holds.left(state.alive(job).spec.shape, state.waiter(job)) {
            self.open_behind(state, pool, None);
        }
    }

    /// Whether somebody may start by an open route that has room; otherwise the route is behind the reservation now.
    pub(super) fn passes_gate(&mut self, state: &mut State, route: RouteId) -> bool {
        let Some(holds) = &mut self.holds else { return true };
        let found = holds.gate(state, route);
        match (&mut self.stages[route], found) {
            (Stage::Open { gate, .. }, Some(found)) => *gate = found,
            (_, Some(_)) => {}
            (_, None) => {
                holds.pools[state.routes.route(route).pool].behind.insert(route);
                self.take_from_stage(state, route);
                self.stages[route] = Stage::Behind;
            }
        }
        found.is_some()
    }

    /// A route is no longer behind a reservation.
    pub(super) fn leaves_behind(&mut self, pool: PoolId, route: RouteId) {
        if let Some(holds) = &mut self.holds {
            holds.pools[pool].behind.remove(&route);
        }
    }

    /// Opens the routes behind a reservation that has changed, or of which a worker fits into the room that is free.
    pub(super) fn open_behind(&mut self, state: &State, pool: PoolId, room: Option<&Resources>) {
        let Some(holds) = &mut self.holds else { return };
        let opens =
            |route: &RouteId| room.is_none_or(|room| state.routes.route(*route).request.fits_in(room));
        let behind = &mut holds.pools[pool].behind;
        let opened: Vec<RouteId> = behind.iter().copied().filter(opens).collect();
        for route in opened {
            self.leaves_behind(pool, route);
            self.open_route(route);
        }
    }

    /// Works out again the reservations of pools in which something has changed; whether somebody may start who could
    /// not before.
    pub(super) fn refresh_holds(&mut self, state: &State) -> bool {
        let Some(mut holds) = self.holds.take() else { return false };
        let (mut changed, mut loosened) = (false, Vec::new());
        for pool in (0..holds.pools.len()).map(PoolId::at) {
            let hold = &holds.pools[pool];
            let overdue = hold.timetable.is_overdue(state.now);
            let Some(held) = hold.reservation.clone().filter(|_| hold.stale || overdue) else { continue };
            let again = Reservation::earliest(state, held.job, held.route, &hold.timetable);
            if again.is_none() {
                holds.pools.iter_mut().for_each(|hold| hold.look = true);
            }
            let hold = &mut holds.pools[pool];
            hold.stale = false;
            if hold.reservation != again {
                if again.as_ref().is_none_or(|again| again.is_looser_than(&held)) {
                    loosened.push(pool);
                }
                holds.replace(pool, again);
                changed = true;
            }
        }
        self.holds = Some(holds);
        for pool in loosened {
            self.open_behind(state, pool, None);
        }
        changed
    }

    /// Gives reservations to the blocked jobs that come first.
    pub(super) fn assign_holds(&mut self, state: &mut State) {
        let Some(mut holds) = self.holds.take() else { return };
        let mut loosened = Vec::new();
        loop {
            let mut changed = false;
            for pool in (0..holds.pools.len()).map(PoolId::at) {
                while holds.pools[pool].look && self.assign(state, &mut holds, pool, &mut loosened) {
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        self.holds = Some(holds);
        for pool in loosened {
            self.open_behind(state, pool, None);
        }
    }

    /// Gives, moves or takes away one reservation because of the first job that waits for a pool; whether it did.
    fn assign(&self, state: &mut State, holds: &mut Holds, pool: PoolId, loosened: &mut Vec<PoolId>) -> bool {
        let Some((_, first)) = self.first_waiting(state, holds, pool) else {
            holds.pools[pool].look = false;
            return false;
        };
        if let Some(held) = &holds.pools[pool].reservation {
            if !outranks(state, first.job, held.job) {
                // Inside a team alone, a class may decide once another team's start has made this one first.
                holds.pools[pool].look = !state.config.policy.classes_cross_teams();
                return false;
            }
            if holds.can_start(state, first) {
                return false;
            }
            holds.replace(pool, None);
            holds.pools.iter_mut().for_each(|hold| hold.look = true);
            loosened.push(pool);
            return true;
        }
        if holds.can_start(state, first) {
            return false;
        }
        let shape = state.alive(first.job).spec.shape;
        let mut best: Option<Reservation> = None;
        for route in state.routes.shape(shape).routes() {
            let at = state.routes.route(route).pool;
            let vacant = holds.pools[at].reservation.is_none();
            let is_first = || self.first_waiting(state, holds, at).is_some_and(|(_, other)| other == first);
            if !vacant || !(at == pool || is_first()) {
                continue;
            }
            let found = Reservation::earliest(state, first.job, route, &holds.pools[at].timetable);
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| found.start < best.start)
            {
                best = Some(found);
            }
        }
        let Some(best) = best else { return false };
        let at = state.routes.route(best.route).pool;
        holds.replace(at, Some(best));
        holds.pools[at].look = false;
        true
    }

    /// The first job that waits for a pool, by the keys now, among those that hold no reservation elsewhere.
    fn first_waiting(&self, state: &State, holds: &Holds, pool: PoolId) -> Option<(MemberId, Waiter)> {
        let elsewhere = |waiter: Waiter| holds.held_by(waiter.job).is_some_and(|at| at != pool);
        let by_class = state.config.policy.classes_cross_teams();
        let mut first: Option<(i32, MemberId, Waiter)> = None;
        for leaf in self.pending.leaves_waiting() {
            let lines = self.pending.heads(leaf).filter(|(shape, ..)| {
                let mut routes = state.routes.shape(*shape).routes();
                routes.any(|route| state.routes.route(route).pool == pool)
            });
            let heads = lines.filter_map(|(shape, class, head)| {
                let head = if elsewhere(head) {
                    self.pending.first_where(leaf, shape, |waiter| !elsewhere(waiter))?
                } else {
                    head
                };
                Some((Reverse(class), head))
            });
            let Some((Reverse(class), head)) = heads.min() else { continue };
            let class = if by_class { class } else { 0 };
            let precedes = |&(best_class, best_leaf, best): &(i32, MemberId, Waiter)| {
                class > best_class
                    || class == best_class
                        && precedes_now(Facts::of(state), &*self.order, (leaf, head), (best_leaf, best))
            };
            if first.as_ref().is_none_or(precedes) {
                first = Some((class, leaf, head));
            }
        }
        first.map(|(_, leaf, waiter)| (leaf, waiter))
    }

    /// The reservations that alone stop a waiting job from starting by routes that have room.
    pub(super) fn behind_reservations(&self, state: &State, job: JobId) -> Vec<Blocked> {
        let Some(holds) = &self.holds else { return Vec::new() };
        let waiter = state.waiter(job);
        let mut found = Vec::new();
        for route in state.routes.shape(state.alive(job).spec.shape).routes() {
            let what = state.routes.route(route);
            if lack_of_room(state, what).is_some() {
                continue;
            }
            let Some(held) = holds.obstacle(state, waiter, route) else { return Vec::new() };
            if leaves_amount(state, held, route) && state.has_room_beside(route, &held.nodes) {
                return Vec::new();
            }
            found.push(Blocked::Reservation { behind: held.job, pool: what.pool, until: held.start });
        }
        found
    }

    /// Compares what is kept for reservations with one made from scratch; the first difference, in words.
    pub(super) fn check_holds(&self, state: &State) -> Result<(), String> {
        let Some(holds) = &self.holds else { return Ok(()) };
        let mut lengths: BTreeMap<ShapeId, BTreeMap<u64, u32>> = BTreeMap::new();
        let mut timetables: Vec<Timetable> = holds.pools.iter().map(|_| Timetable::default()).collect();
        for (id, job) in state.jobs() {
            if let Status::Running { route, .. } = job.status {
                timetables[state.routes.route(route).pool.index()].started(state, id);
            } else if self.backs_off_until(id).is_none() {
                *lengths.entry(job.spec.shape).or_default().entry(state.waiter(id).length).or_insert(0) += 1;
            }
        }
        let known = holds.lengths.iter().enumerate().filter(|(_, lengths)| !lengths.is_empty());
        if !known.eq(lengths.iter().map(|(shape, lengths)| (shape.index(), lengths))) {
            return Err("the lengths that wait are not those of the jobs".to_owned());
        }
        let mut holders = BTreeSet::new();
        for (index, hold) in holds.pools.iter().enumerate() {
            if hold.timetable != timetables[index] {
                return Err(format!("pool {index}: its jobs end at other times than it expects"));
            }
            let Some(held) = &hold.reservation else {
                if hold.behind.is_empty() {
                    continue;
                }
                return Err(format!("pool {index}: a route is behind a reservation that is not there"));
            };
            let job = state.job(held.job).map_err(|error| error.to_string())?;
            let its_pool = state.routes.route(held.route).pool.index();
            if job.status != Status::Waiting || its_pool != index || !holders.insert(held.job) {
                return Err(format!("pool {index}: job {} cannot hold its reservation", held.job));
            }
            let again = Reservation::earliest(state, held.job, held.route, &hold.timetable);
            if !hold.stale && !hold.timetable.is_overdue(state.now) && again.as_ref() != Some(held) {
                return Err(format!("pool {index}: the reservation is {held:?}, worked out again {again:?}"));
            }
        }
        Ok(())
    }
}

/// Whether the class of a job comes before that of another, where a class decides between the two.
fn outranks(state: &State, job: JobId, other: JobId) -> bool {
    let decides =
        state.config.policy.classes_cross_teams() || state.alive(job).leaf == state.alive(other).leaf;
    decides && class(state, job) > class(state, other)
}
