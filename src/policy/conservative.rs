//! Conservative backfill: every waiting job has a slot, in order, and starts when its slot has come.
//!
//! A pass plans the waiting jobs one by one, in the order of service by the keys now, where planned jobs count as
//! held: each gets the earliest slot that is free beside the jobs that run and those planned before it. The slots
//! that begin now are starts. A job gets no slot by a route that its team's limit, or what others keep, stops now, or
//! that those planned before it leave no room for below the limit: limits are those of now, not of the time of the
//! slot. Passes are repeated until one starts nothing, and are broken off when nothing that waits has room.
//!
//! Costs grow with the number of jobs that wait times the steps of the profiles: for backlogs of thousands, not more.
//! Absent on purpose: what a reservation of one job alone lets pass (see `engine`). Layer 5; uses `profile`, `pending`.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::first::{Front, Present, first_of};
use super::lack::lacks_everywhere;
use super::{Demand, Incremental, Order};
use crate::error::Error;
use crate::explain::Blocked;
use crate::hierarchy::Hierarchy;
use crate::id::{IdVec, JobId, NodeId, PoolId, ShapeId};
use crate::job::JobSpec;
use crate::ledger::Span;
use crate::line::Waiter;
use crate::pending::Pending;
use crate::profile::{Profile, Slot};
use crate::quota::{Denied, Guaranteed, Quotas};
use crate::reservation::Timetable;
use crate::resources::Resources;
use crate::route::RouteId;
use crate::snapshot::Memory;
use crate::state::{State, Status, Stopped};
use crate::time::Timestamp;
use crate::tree::{MemberId, Tree};

/// The policy that plans every waiting job.
#[derive(Clone, Debug)]
pub(crate) struct Conservative {
    order: Arc<dyn Order>,
    pending: Pending,
    timetables: IdVec<PoolId, Timetable>,
    /// Something has happened since the last cycle.
    changed: bool,
}

/// The jobs of one leaf that are not planned yet, the first last.
type Unplanned = (MemberId, Vec<(Reverse<i32>, Waiter)>);

/// One pass over the waiting jobs.
struct Pass<'a> {
    order: &'a dyn Order,
    /// Who would hold what if all planned jobs ran.
    tree: Tree,
    hierarchy: Option<Hierarchy>,
    quotas: Quotas,
    profiles: IdVec<PoolId, Profile>,
    lines: Vec<Unplanned>,
    /// By route and length: before when no job of that length or a longer one has a slot. Room is only taken in a pass.
    floors: BTreeMap<RouteId, BTreeMap<u64, Timestamp>>,
}

impl Pass<'_> {
    /// The next job in order, with its slot; the slot is taken.
    fn next(&mut self, state: &State) -> Option<(MemberId, Waiter, Option<Slot>)> {
        let present = Present {
            tree: &self.tree,
            hierarchy: self.hierarchy.as_ref(),
            quotas: &self.quotas,
            ..Present::of(state, self.order)
        };
        let fronts = self.lines.iter().filter_map(|(leaf, line)| {
            let (Reverse(class), waiter) = *line.last()?;
            let route = self.routes(state, waiter.job).next();
            let route = route.or_else(|| state.routes.shape(state.alive(waiter.job).shape).routes().next());
            Some(Front { leaf: *leaf, waiter, class, route: route? })
        });
        let Front { leaf, waiter, .. } = present.first(fronts)?;
        let at = self.lines.binary_search_by_key(&leaf, |(leaf, _)| *leaf).ok()?;
        self.lines[at].1.pop();
        let slot = self.earliest(state, waiter.job);
        if let Some(slot) = &slot {
            self.raise_floor(slot, waiter.length);
            let route = state.routes.route(slot.route);
            self.profiles[route.pool].take(route, slot);
            self.tree.grant(leaf, state.routes.charge(slot.route));
            let class = state.routes.shape(route.shape).class;
            let _: Guaranteed = self.quotas.grant(&self.tree, leaf, route, (class, waiter.place, waiter.job));
            if let Some(hierarchy) = &mut self.hierarchy {
                hierarchy.refresh(&self.tree, leaf);
            }
        }
        Some((leaf, waiter, slot))
    }

    /// The routes of a job that nothing denies it, best first.
    fn routes<'a>(&'a self, state: &'a State, job: JobId) -> impl Iterator<Item = RouteId> + 'a {
        let (leaf, shape) = (state.alive(job).leaf, state.alive(job).shape);
        state.routes.shape(shape).routes().filter(move |id| {
            let route = state.routes.route(*id);
            let none = Resources::new();
            let limited =
                || matches!(self.quotas.denies(&self.tree, leaf, route, &none), Some(Denied::Limit { .. }));
            state.denies(leaf, *id).is_none() && !limited()
        })
    }

    /// The earliest slot of a job over all its routes; the best route of equals.
    fn earliest(&self, state: &State, job: JobId) -> Option<Slot> {
        let length = state.spec(job).limit_or_estimate();
        let slots = self.routes(state, job).filter_map(|id| {
            let route = state.routes.route(id);
            let not_before = self.floor(id, state.waiter(job).length).unwrap_or(state.now);
            self.profiles[route.pool].earliest(state, id, route, length, not_before)
        });
        slots.min_by_key(|slot| slot.start)
    }

    /// No slot by a route begins before it for a job of a length.
    fn floor(&self, route: RouteId, length: u64) -> Option<Timestamp> {
        let (_, floor) = self.floors.get(&route)?.range(..=length).next_back()?;
        Some(*floor)
    }

    /// The earliest slot of a job was this one.
    fn raise_floor(&mut self, slot: &Slot, length: u64) {
        if self.floor(slot.route, length).is_none_or(|floor| floor < slot.start) {
            let floors = self.floors.entry(slot.route).or_default();
            // Longer jobs have floors at least as high, so that the last one up to a length is the highest.
            let lower = floors.range(length..).take_while(|(_, floor)| **floor <= slot.start);
            let lower: Vec<u64> = lower.map(|(length, _)| *length).collect();
            for length in lower {
                floors.remove(&length);
            }
            floors.insert(length, slot.start);
        }
    }
}

impl Conservative {
    pub(crate) fn new(state: &State, order: Arc<dyn Order>) -> Self {
        let timetables = state.config.pools.iter().map(|_| Timetable::default()).collect();
        Self { order, pending: Pending::new(&state.tree, true), timetables, changed: false }
    }

    fn pass<'a>(&'a self, state: &State) -> Pass<'a> {
        let pools = (0..self.timetables.len()).map(PoolId::at);
        let profiles = pools.map(|pool| Profile::new(state, pool, &self.timetables[pool])).collect();
        let mut lines: Vec<Unplanned> =
            self.pending.leaves_waiting().map(|leaf| (leaf, Vec::new())).collect();
        for (leaf, shape, waiter) in self.pending.iter() {
            if let Ok(at) = lines.binary_search_by_key(&leaf, |(leaf, _)| *leaf) {
                lines[at].1.push((Reverse(state.routes.shape(shape).precedence), waiter));
            }
        }
        for (_, line) in &mut lines {
            line.sort_unstable_by(|a, b| b.cmp(a));
        }
        let (tree, hierarchy) = (state.tree.clone(), state.hierarchy.as_ref().map(Hierarchy::now_alone));
        let quotas = state.quotas.clone();
        Pass { order: &*self.order, tree, hierarchy, quotas, profiles, lines, floors: BTreeMap::new() }
    }

    /// Whether any shape that waits has room now, planned jobs or not.
    fn anything_fits(&self, state: &mut State) -> bool {
        let leaves = self.pending.leaves_waiting();
        let heads = leaves.flat_map(|leaf| self.pending.heads(leaf));
        let shapes: BTreeSet<ShapeId> = heads.map(|(shape, ..)| shape).collect();
        shapes.into_iter().any(|shape| state.routes.shape(shape).routes().any(|route| state.fits(route)))
    }

    /// Plans all waiting jobs and starts those whose slots have come; whether there are any.
    fn start_due(&mut self, state: &mut State) -> bool {
        let mut started = Vec::new();
        let mut room = self.anything_fits(state);
        if !room {
            return false;
        }
        state.judge();
        let mut pass = self.pass(state);
        let mut broken = Broken::default();
        while room {
            let Some((leaf, waiter, slot)) = pass.next(state) else { break };
            let Some(slot) = slot.filter(|slot| slot.start == state.now) else { continue };
            let spans = broken.renumber(state, &slot);
            state.start_on(leaf, waiter, slot.route, &spans);
            started.push((leaf, waiter, state.routes.route(slot.route).pool));
            room = self.anything_fits(state);
        }
        for (leaf, waiter, pool) in &started {
            let shape = state.alive(waiter.job).shape;
            self.pending.remove(*leaf, shape, *waiter);
            self.timetables[*pool].started(state, waiter.job);
        }
        !started.is_empty()
    }

    /// The first planned job that takes the room in which a job could start now: where, and when it starts.
    fn behind(&self, state: &State, job: JobId) -> Option<Blocked> {
        let mut pass = self.pass(state);
        let now = |pass: &Pass<'_>| pass.earliest(state, job).filter(|slot| slot.start == state.now);
        let mut could = now(&pass)?;
        loop {
            let (_, waiter, slot) = pass.next(state)?;
            if waiter.job == job {
                return None;
            }
            let (Some(slot), None) = (slot, now(&pass)) else {
                could = now(&pass).unwrap_or(could);
                continue;
            };
            let pool = state.routes.route(could.route).pool;
            return Some(Blocked::Reservation { behind: waiter.job, pool, until: slot.start });
        }
    }
}

/// The devices that are broken in a pass. A plan tells apart all that are shared at any time, so that it may number more than
/// there are; whoever starts gets the lowest number that nobody shares now.
#[derive(Debug, Default)]
struct Broken {
    /// The numbers that they have, by pool, node and number in the plan.
    numbers: BTreeMap<(PoolId, NodeId, u32), u32>,
    /// Those that were given, by pool and node.
    given: BTreeSet<(PoolId, NodeId, u32)>,
}

impl Broken {
    /// Where a job starts whose slot has come.
    fn renumber(&mut self, state: &State, slot: &Slot) -> Vec<Span> {
        let route = state.routes.route(slot.route);
        let mut spans = slot.spans.clone();
        for here in spans.chunk_by_mut(|a, b| a.node == b.node) {
            let room = here.first().and_then(|span| state.ledger.pool(route.pool).free_on(span.node));
            let Some(mut room) = room.cloned() else { continue };
            for span in here.iter_mut() {
                let Some(planned) = span.device else { continue };
                let is_known = |device| room.shared().iter().any(|shared| shared.device == device);
                let in_plan = (route.pool, span.node, planned);
                let is_new = self.given.contains(&in_plan);
                let device = match self.numbers.get(&in_plan) {
                    Some(real) => *real,
                    None if is_known(planned) && !is_new => planned,
                    None => {
                        let lowest = room.next_device();
                        self.numbers.insert(in_plan, lowest);
                        self.given.insert((route.pool, span.node, lowest));
                        lowest
                    }
                };
                let taken = room.take(&route.request, span.workers, Some(device));
                debug_assert!(taken, "a plan starts a worker on a device without room");
                span.device = Some(device);
            }
        }
        spans
    }
}

impl Incremental for Conservative {
    fn copy(&self) -> Box<dyn Incremental> {
        Box::new(self.clone())
    }

    fn rank(&self, job: &JobSpec, demand: &Demand<'_>) -> u64 {
        self.order.rank(job, demand)
    }

    fn waits(&mut self, state: &State, job: JobId) {
        let known = state.alive(job);
        let class = state.routes.shape(known.shape).precedence;
        self.pending.push(known.leaf, known.shape, class, state.waiter(job));
        self.changed = true;
    }

    fn adopted(&mut self, state: &State, job: JobId) {
        if let Some(route) = state.route_of(job) {
            self.timetables[state.routes.route(route).pool].started(state, job);
        }
        self.changed = true;
    }

    fn withdrawn(&mut self, state: &State, job: JobId) {
        let known = state.alive(job);
        self.pending.remove(known.leaf, known.shape, state.waiter(job));
        self.changed = true;
    }

    fn stopped(&mut self, state: &State, stopped: &Stopped) {
        self.timetables[stopped.pool].stopped(state, stopped);
        self.changed = true;
    }

    fn resized(&mut self, _: &State, _: PoolId) {
        self.changed = true;
    }

    fn cycle(&mut self, state: &mut State) -> Result<(), Error> {
        self.changed |= state.tick() | state.budgets.tick(state.now).changed;
        let overdue = self.timetables.iter().any(|timetable| timetable.is_overdue(state.now));
        if !core::mem::take(&mut self.changed) && !overdue {
            return Ok(());
        }
        while self.pending.waiting() > 0 && self.start_due(state) {}
        Ok(())
    }

    fn firsts(&self, _: &State) -> Vec<JobId> {
        self.pending.firsts(false)
    }

    fn first_of(&self, state: &State, heads: &[(JobId, RouteId)]) -> Option<usize> {
        first_of(state, &*self.order, heads)
    }

    fn can_suppose(&self) -> bool {
        true
    }

    fn suppose(&mut self, pool: PoolId, gone: &[JobId]) {
        self.timetables[pool].forget(gone);
    }

    fn blocked(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error> {
        let waiting = state.job(job)?;
        let shape = state.routes.shape(waiting.shape);
        let mut reasons = lacks_everywhere(state, waiting.leaf, waiting.shape);
        if reasons.is_empty() {
            reasons.extend(self.behind(state, job));
        }
        let ahead = self.pending.ahead_of(waiting.leaf, shape.precedence, state.place(job));
        if ahead > 0 {
            reasons.push(Blocked::Team { ahead });
        }
        if reasons.is_empty() {
            reasons.push(Blocked::Nothing);
        }
        Ok(reasons)
    }

    fn check(&self, state: &State) -> Result<(), String> {
        let mut timetables: IdVec<PoolId, Timetable> =
            self.timetables.iter().map(|_| Timetable::default()).collect();
        let mut waiting = 0;
        for (id, job) in state.jobs() {
            if let Status::Running { route, .. } = job.status() {
                timetables[state.routes.route(route).pool].started(state, id);
            } else {
                waiting += 1;
            }
        }
        if !timetables.iter().eq(self.timetables.iter()) {
            return Err("running jobs end at other times than a pool expects".to_owned());
        }
        for (leaf, shape, waiter) in self.pending.iter() {
            let job = state.job(waiter.job).map_err(|error| error.to_string())?;
            if job.status() != Status::Waiting || job.leaf != leaf || job.shape != shape {
                return Err(format!("job {} stands in a line without waiting there", waiter.job));
            }
        }
        if waiting != self.pending.waiting() || waiting != self.pending.iter().count() {
            return Err(format!("{waiting} jobs wait, {} stand in lines", self.pending.waiting()));
        }
        Ok(())
    }

    fn next_wakeup(&self, state: &State) -> Option<Timestamp> {
        if self.pending.waiting() == 0 {
            return None;
        }
        let changes = self.timetables.iter().filter_map(|timetable| timetable.next_change(state.now));
        let budgets = state.budgets.next_renewal().into_iter().chain(state.budgets.next_spent());
        changes.chain(state.next_ranks()).chain(budgets).min()
    }

    fn memory(&self, _: &State) -> Memory {
        // A pass more starts nobody, unless more has changed than is told.
        Memory { changed: true, ..Memory::default() }
    }

    fn remember(&mut self, _: &State, _: &Memory) {
        self.changed = true;
    }

    fn waiting(&self) -> usize {
        self.pending.waiting()
    }

    fn comparisons(&self) -> u64 {
        0
    }
}
