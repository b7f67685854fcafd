//! Backfill: which job holds the reservation of a pool, and what may pass it.
//!
//! At most one waiting job holds a reservation in a pool, and a job holds at most one. Before every decision, a pool
//! without a reservation gives it to its first waiting job, in the order of service by the keys *now*, unless that
//! job can start; where the job could start earliest decides which of its pools it is, once nobody who could start now
//! stands before it in any of them. It is kept until the job starts, is withdrawn, has no foreseeable start any longer,
//! or comes behind a blocked job of a higher tier or class: the first of all, or the first of its own team where classes
//! decide only there. This last only once until something happens outside: three jobs of two teams can each be of a higher
//! rank than the next, since inside a team the class decides and between teams the tier does, and would pass two
//! reservations round for ever. A job that its team's limit, or what other teams keep, stops as things are now holds
//! none, and loses the one that it holds: it could not start by it, and would only keep others waiting.
//!
//! Where and when is worked out at the beginning of a cycle if anything in the pool has changed, and once more when
//! nothing else can start, so that a second cycle would find nothing to do. Another job may start in the pool if it ends
//! by that time or leaves that room alone; a route by which nobody may is *behind* the reservation until that changes, so
//! that no decision looks at it.
//!
//! Invariant: the holder of a reservation waits, and a route is behind a reservation only where there is one.
//! Absent on purpose: when a job could start (see `reservation`). Layer 5; uses `reservation`, `pending`, `state`.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use super::change::class;
use super::holds::{Gate, Holds, Loosened, leaves_amount};
use super::{Engine, Pick, Spot, Stage};
use crate::explain::Blocked;
use crate::id::{JobId, PoolId, ShapeId};
use crate::line::Waiter;
use crate::outlook::{self, Outlook};
use crate::policy::first::{Front, Present};
use crate::policy::lack::lacks;
use crate::reservation::{Reservation, Timetable, next_instant};
use crate::resources::Resources;
use crate::route::RouteId;
use crate::state::{State, Status};
use crate::tree::MemberId;

impl Engine {
    /// The first job of a line that may start, with the best route for it.
    #[inline(never)]
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
            if self.is_held(state, leaf, route) {
                continue;
            }
            let mut waiter = match gate {
                Gate::All => self.pending.head(leaf, shape),
                Gate::Within(longest) => {
                    longest.and_then(|longest| self.pending.first_within(leaf, shape, longest))
                }
            };
            if let Some(held) = &holds.pools[state.routes.route(route).pool].reservation {
                let job = state.alive(held.job);
                if job.leaf == leaf && job.shape == shape {
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
    #[inline(never)]
    pub(super) fn cannot_lead(
        &mut self,
        state: &State,
        spot: Spot,
        leaf: MemberId,
        best: Option<Pick>,
    ) -> bool {
        let Some(holds) = self.holds.as_ref().filter(|_| self.pending.lines(leaf) > 0) else { return false };
        if state.quotas.any() {
            // Which of its jobs may start is known once it is known which routes are denied to it.
            return false;
        }
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
            && best.is_some_and(|best| !self.precedes::<false>(state, spot, Some(waiter.place), best))
    }

    /// Starts a job by a route, beside the reservation where it must be; whether there was room.
    pub(super) fn start_beside(
        &mut self,
        state: &mut State,
        leaf: MemberId,
        waiter: Waiter,
        route: RouteId,
    ) -> bool {
        let Some(holds) = &mut self.holds else { return state.start(leaf, waiter, route, &[]) };
        let avoid = holds.avoid(state, waiter, route).to_vec();
        if !state.start(leaf, waiter, route, &avoid) {
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
            self.open_behind(state, pool, Loosened::Altogether);
        }
        true
    }

    /// A job waits from now on.
    #[inline(never)]
    pub(super) fn joins_holds(&mut self, state: &State, job: JobId) {
        let Some(holds) = &mut self.holds else { return };
        holds.joined(state, state.waiter(job));
        for route in state.routes.shape(state.alive(job).shape).routes() {
            if matches!(self.stages[route], Stage::Behind { .. }) {
                self.take_from_stage(state, route);
                self.open_route(route);
            }
        }
    }

    /// A waiting job is withdrawn.
    pub(super) fn leaves_holds(&mut self, state: &State, job: JobId) {
        let Some(holds) = &mut self.holds else { return };
        if let Some(pool) = holds.left(state.alive(job).shape, state.waiter(job)) {
            self.open_behind(state, pool, Loosened::Altogether);
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
                let behind = holds.put_behind(state, route);
                self.take_from_stage(state, route);
                self.stages[route] = behind;
            }
        }
        found.is_some()
    }

    /// Routes stay open by which nobody starts: some who wait would end before the reservation, and a limit stops all of
    /// them. They are behind it until somebody may pass, as if they were longer.
    #[inline(never)]
    pub(super) fn leave_nothing_open(&mut self, state: &State) {
        while let Some(route) = self.open.last().copied() {
            let Some(holds) = &mut self.holds else { return };
            if holds.pools[state.routes.route(route).pool].reservation.is_none() {
                return;
            }
            let behind = holds.put_behind(state, route);
            self.take_from_stage(state, route);
            self.stages[route] = behind;
        }
    }

    /// The route that stands there among those behind a reservation is no longer.
    pub(super) fn leaves_behind(&mut self, pool: PoolId, at: u32) {
        let moved = self.holds.as_mut().and_then(|holds| holds.pools[pool].behind.remove(at));
        if let Some(moved) = moved {
            self.stages[moved] = Stage::Behind { at };
        }
    }

    /// Opens the routes behind a reservation by which somebody may pass now that it is looser.
    #[inline(never)]
    pub(super) fn open_behind(&mut self, state: &State, pool: PoolId, loosened: Loosened) {
        let Some(holds) = &self.holds else { return };
        self.open_again(state, holds.passing(state, pool, loosened));
    }

    /// Opens the routes behind a reservation of which a worker fits into the room that is free.
    #[inline(never)]
    pub(super) fn wake_behind(&mut self, state: &State, pool: PoolId, room: &Resources) {
        let Some(holds) = &self.holds else { return };
        if state.ledger.pool(pool).is_divisible() {
            // What is free now has always been enough for them there.
            return;
        }
        let fits = |route: &RouteId| state.routes.route(*route).request.fits_in(room);
        self.open_again(state, holds.pools[pool].behind.routes().filter(fits).collect());
    }

    /// Opens routes that stand elsewhere.
    fn open_again(&mut self, state: &State, routes: Vec<RouteId>) {
        for route in routes {
            self.take_from_stage(state, route);
            self.open_route(route);
        }
    }

    /// Works out again the reservations of pools in which something has changed; whether somebody may start who could
    /// not before.
    #[inline]
    pub(super) fn refresh_holds(&mut self, state: &State) -> bool {
        self.holds.is_some() && self.work_out_holds(state)
    }

    #[inline(never)]
    fn work_out_holds(&mut self, state: &State) -> bool {
        let Some(mut holds) = self.holds.take() else { return false };
        let (mut changed, mut loosened) = (false, SmallVec::<[(PoolId, Loosened); 8]>::new());
        for pool in (0..holds.pools.len()).map(PoolId::at) {
            let hold = &mut holds.pools[pool];
            let Some(how) = hold.work_out(state) else { continue };
            let is_lost = hold.reservation.is_none();
            changed = true;
            if how != Loosened::No && !hold.behind.is_empty() {
                loosened.push((pool, how));
            }
            if is_lost {
                holds.pools.iter_mut().for_each(|hold| hold.look = true);
            }
        }
        self.holds = Some(holds);
        for (pool, how) in loosened {
            self.open_behind(state, pool, how);
        }
        changed
    }

    /// Gives reservations to the blocked jobs that come first.
    #[inline(never)]
    pub(super) fn assign_holds(&mut self, state: &mut State) {
        let Some(mut holds) = self.holds.take() else { return };
        let mut loosened = Vec::new();
        // Every start may change who is denied what, and which jobs are within a quota.
        let look = state.quotas.any();
        holds.pools.iter_mut().for_each(|hold| hold.look |= look);
        let mut at = 0;
        while at < holds.pools.len() {
            let pool = PoolId::at(at);
            let changed = holds.pools[pool].look && self.assign(state, &mut holds, pool, &mut loosened);
            at = if changed { 0 } else { at + 1 };
        }
        self.holds = Some(holds);
        for pool in loosened {
            self.open_behind(state, pool, Loosened::Altogether);
        }
    }

    /// Gives, moves or takes away one reservation because of the first job that waits for a pool; whether it did.
    fn assign(
        &mut self,
        state: &mut State,
        holds: &mut Holds,
        pool: PoolId,
        loosened: &mut Vec<PoolId>,
    ) -> bool {
        let held = holds.pools[pool].reservation.as_ref().map(|held| (held.job, held.route));
        let mut drop = |holds: &mut Holds| {
            holds.take(pool);
            holds.pools.iter_mut().for_each(|hold| hold.look = true);
            loosened.push(pool);
        };
        if held.is_some_and(|(job, route)| state.denies(state.alive(job).leaf, route).is_some()) {
            drop(holds);
            return true;
        }
        let Some(front) = self.first_waiting(state, holds, pool) else {
            holds.pools[pool].look = false;
            return false;
        };
        let first = front.waiter;
        if let Some((job, route)) = held {
            let leaf = state.alive(job).leaf;
            let holder = Front { leaf, waiter: state.waiter(job), class: class(state, job), route };
            let outranked = Present::of(state, &*self.order).outranks(front, holder)
                || self.own_team_outranks(state, holds, pool, holder);
            let hold = &mut holds.pools[pool];
            if !outranked || hold.moved {
                // Inside a team alone, a class may decide once another team's start has made this one first.
                hold.look = outranked || !state.config.policy.classes_cross_teams();
                return false;
            }
            if holds.can_start(state, first) {
                return false;
            }
            drop(holds);
            holds.pools[pool].moved = true;
            return true;
        }
        if holds.can_start(state, first) {
            return false;
        }
        let shape = state.alive(first.job).shape;
        let mut best: Option<(Reservation, Outlook)> = None;
        for route in state.routes.shape(shape).routes() {
            let at = state.routes.route(route).pool;
            let vacant = holds.pools[at].reservation.is_none() && state.denies(front.leaf, route).is_none();
            if !vacant {
                continue;
            }
            if at != pool
                && let Some(other) =
                    self.first_waiting(state, holds, at).filter(|other| other.waiter != first)
            {
                // Once who stands before it there has started, it may be first there, and start earlier.
                if holds.can_start(state, other.waiter) {
                    return false;
                }
                continue;
            }
            let found = outlook::earliest(state, first.job, route, &holds.pools[at].timetable);
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| found.0.start < best.0.start)
            {
                best = Some(found);
            }
        }
        let Some(best) = best else { return false };
        let at = state.routes.route(best.0.route).pool;
        holds.give(state, at, best);
        // Who is first elsewhere now may be of a higher rank than the one who holds this was.
        let look = state.quotas.any();
        holds.pools.iter_mut().for_each(|hold| hold.look |= look);
        holds.pools[at].look = false;
        true
    }

    /// Whether a job of the holder's own team, of a higher class and blocked in the pool, has come before the holder while
    /// another team's job is first: inside a team the class decides whoever else waits.
    fn own_team_outranks(&self, state: &mut State, holds: &Holds, pool: PoolId, holder: Front) -> bool {
        if state.config.policy.classes_cross_teams() {
            return false;
        }
        let own = self.front_of(state, holds, pool, holder.leaf).filter(|own| own.class > holder.class);
        own.is_some_and(|own| !holds.can_start(state, own.waiter))
    }

    /// The reservations that alone stop a waiting job from starting by routes that have room.
    pub(super) fn behind_reservations(&self, state: &State, job: JobId) -> Vec<Blocked> {
        let Some(holds) = &self.holds else { return Vec::new() };
        let waiter = state.waiter(job);
        let mut found = Vec::new();
        for route in state.routes.shape(state.alive(job).shape).routes() {
            let what = state.routes.route(route);
            if !lacks(state, state.alive(job).leaf, route).is_empty() {
                continue;
            }
            let Some(held) = holds.obstacle(state, waiter, route) else { return Vec::new() };
            if leaves_amount(state, held, route) && state.fits_beside(route, &held.nodes) {
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
            if let Status::Running { route, .. } = job.status() {
                timetables[state.routes.route(route).pool.index()].started(state, id);
            } else if self.out_of_line_until(state, id).is_none() {
                *lengths.entry(job.shape).or_default().entry(state.waiter(id).length).or_insert(0) += 1;
            }
        }
        let known = holds.lengths.iter().enumerate().filter(|(_, lengths)| !lengths.is_empty());
        if !known.eq(lengths.iter().map(|(shape, lengths)| (shape.index(), lengths))) {
            return Err("the lengths that wait are not those of the jobs".to_owned());
        }
        let first = holds.lengths.iter().map(|lengths| lengths.first_key_value().map(|(length, _)| *length));
        if !first.eq(holds.shortest.iter().copied()) {
            return Err("the shortest length that waits is another".to_owned());
        }
        let mut holders = BTreeSet::new();
        for (index, hold) in holds.pools.iter().enumerate() {
            if hold.timetable != timetables[index] {
                return Err(format!("pool {index}: its jobs end at other times than it expects"));
            }
            if !hold.behind.is_true(&state.routes, &holds.shortest) {
                return Err(format!("pool {index}: somebody needs less to pass than is kept of its route"));
            }
            let stands = |(at, route)| self.stages[route] == Stage::Behind { at };
            if !(0..).zip(hold.behind.routes()).all(stands) {
                return Err(format!(
                    "pool {index}: a route stands elsewhere behind its reservation than it says"
                ));
            }
            let Some(held) = &hold.reservation else {
                if hold.behind.is_empty() {
                    continue;
                }
                return Err(format!("pool {index}: a route is behind a reservation that is not there"));
            };
            let job = state.job(held.job).map_err(|error| error.to_string())?;
            let its_pool = state.routes.route(held.route).pool.index();
            if job.status() != Status::Waiting || its_pool != index || !holders.insert(held.job) {
                return Err(format!("pool {index}: job {} cannot hold its reservation", held.job));
            }
            let again =
                outlook::earliest(state, held.job, held.route, &hold.timetable).map(|(again, _)| again);
            if !hold.may_differ(state) && held.start > next_instant(state.now) && again.as_ref() != Some(held)
            {
                return Err(format!("pool {index}: the reservation is {held:?}, worked out again {again:?}"));
            }
            if !hold.foresees(state) {
                return Err(format!("pool {index}: what is free at the reservation is not what it expects"));
            }
        }
        Ok(())
    }
}
