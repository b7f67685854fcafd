//! Engine: one cycle of decisions under an order.
//!
//! A route is *open* while it may have room, and *parked* under the amount that it lacks otherwise: room that is freed
//! wakes only the routes that ask for no more than it. A decision looks at the lists of open routes alone; a completion
//! that helps nobody looks at none.
//!
//! Where nothing may pass a blocked job and teams do not compete by shares, a blocked job *closes* its pools: their
//! routes are set aside until the job starts, is withdrawn, or is preceded by another.
//!
//! Invariant: a route that somebody waits for is open, parked or set aside; at the end of a cycle none is open.
//! Absent on purpose: what makes a team come first (see the orders). Layer 5; uses `lists`, `pending`, `state`.

mod back_off;
mod backfill;
mod behind;
mod candidate;
mod change;
mod check;
mod deep;
mod early;
mod fronts;
mod holds;
mod limits;
mod memory;
mod one_line;
mod reclaim;
mod rescaled;
mod wakeup;
mod waste;
mod why;

use core::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use self::fronts::Fronts;
use self::holds::{Gate, Holds};
use self::reclaim::Reclaim;
use super::first::first_of;
use super::lack::lacking;
use super::lists::{Lists, View};
use super::{Demand, Incremental, Order};
use crate::config::Backfill;
use crate::error::Error;
use crate::explain::Blocked;
use crate::id::{IdVec, JobId, PoolId, ShapeId};
use crate::job::JobSpec;
use crate::line::{NO_PLACE, Place, Waiter};
use crate::pending::{Change, Pending};
use crate::quantity::Quantity;
use crate::quota::Denied;
use crate::reservation::Reservation;
use crate::resources::{MAX_KINDS, ResourceKind, Resources};
use crate::route::RouteId;
use crate::snapshot::Memory;
use crate::state::{State, Stopped};
use crate::time::Timestamp;
use crate::tree::MemberId;

/// Where a route is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nobody waits for it.
    Idle,
    /// It may have room; it had when the pool had made so many allocations.
    Open { at: u32, fitted: Option<u64>, gate: Gate },
    /// It lacks room.
    Parked { kind: ResourceKind, need: Quantity },
    /// Its pool is closed.
    SetAside,
    /// It has room, which a reservation keeps from all who wait for it.
    Behind,
}

/// What the engine keeps for a pool.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Routes that lack room, by kind and the amount that they need of it.
    parked: [BTreeSet<(Quantity, RouteId)>; MAX_KINDS],
    /// The most that has become free on a node, or in the pool, since the last cycle.
    room: Resources,
    freed: bool,
    /// The blocked job that nothing may pass here.
    closed_by: Option<JobId>,
    set_aside: BTreeSet<RouteId>,
}

/// A place in a list: below whom, for which route, at which heap position.
type Spot = (MemberId, RouteId, usize);

/// The job that a member would start: its leaf, the job, and by which route.
type Head = (MemberId, Waiter, RouteId);

/// The team that is served next.
#[derive(Clone, Copy, Debug)]
struct Pick {
    spot: Spot,
    leaf: MemberId,
    waiter: Waiter,
}

/// The policy that serves teams by an [`Order`].
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    order: Arc<dyn Order>,
    /// Nothing passes a blocked job of its own team.
    head_only: bool,
    /// Nothing passes a blocked job in its pools.
    one_line: bool,
    pending: Pending,
    lists: Lists,
    stages: IdVec<RouteId, Stage>,
    open: Vec<RouteId>,
    watches: IdVec<PoolId, Watch>,
    /// Which shape each leaf shows to the lists, where only its first job counts.
    shown: IdVec<MemberId, Option<ShapeId>>,
    stack: Vec<usize>,
    search: u64,
    /// The head of each member, with the number of the search that found it: who is in many lists is looked at once.
    heads_found: IdVec<MemberId, (u64, Option<Head>)>,
    /// The last search that asked each member for its head where shares are rescaled.
    asked: IdVec<MemberId, u64>,
    /// Routes that leaves were found to be denied during a search.
    denied: Vec<(MemberId, RouteId, Denied)>,
    /// The reservations, where blocked jobs have them.
    holds: Option<Holds>,
    /// Who comes first by the keys now, where reservations are given by that and lists tell it.
    fronts: Option<Fronts>,
    /// What is kept for stopping jobs, where that is allowed.
    reclaim: Option<Box<Reclaim>>,
    /// A copy on which something is tried, and nobody is stopped.
    supposes: bool,
}

impl Engine {
    pub(crate) fn new(state: &State, order: Arc<dyn Order>, backfill: Backfill) -> Self {
        let by_shares = order.by_shares();
        let strict = backfill == Backfill::None;
        let easy = backfill == Backfill::Easy;
        Self {
            head_only: strict && !order.one_line(),
            one_line: strict && order.one_line(),
            pending: Pending::new(&state.tree, easy),
            lists: Lists::new(&state.tree, state.values.count(), by_shares),
            fronts: easy.then(|| Fronts::new(state, &order)).flatten(),
            order,
            stages: IdVec::new(),
            open: Vec::new(),
            watches: state.config.pools.iter().map(|_| Watch::default()).collect(),
            shown: state.tree.ids().map(|_| None).collect(),
            stack: Vec::new(),
            search: 0,
            heads_found: state.tree.ids().map(|_| (0, None)).collect(),
            asked: state.tree.ids().map(|_| 0).collect(),
            denied: Vec::new(),
            holds: easy.then(|| Holds::new(state.config.pools.len())),
            reclaim: Reclaim::new(state).map(Box::new),
            supposes: false,
        }
    }

    fn view<'a>(order: &'a dyn Order, state: &'a State) -> View<'a> {
        let by_class = state.config.policy.classes_cross_teams();
        let State { tree, routes, quotas, .. } = state;
        let history = state.history.as_ref();
        View { order, tree, routes, quotas, by_class, history, is_granted: true }
    }

    // ---- who waits for which route ------------------------------------------------------------------------------

    /// A leaf waits for the routes of a shape from now on.
    fn show(&mut self, state: &State, leaf: MemberId, shape: ShapeId, place: Place) {
        while self.stages.len() < state.routes.count() {
            self.stages.push(Stage::Idle);
        }
        for route in state.routes.shape(shape).routes() {
            self.lists.enter(Self::view(&*self.order, state), leaf, route, place);
            if self.stages[route] == Stage::Idle && self.lists.len(MemberId::ROOT, route) > 0 {
                let pool = state.routes.route(route).pool;
                if self.watches[pool].closed_by.is_some() {
                    self.stages[route] = Stage::SetAside;
                    self.watches[pool].set_aside.insert(route);
                } else {
                    self.open_route(route);
                }
            }
        }
    }

    /// A leaf waits for the routes of a shape no longer.
    fn hide(&mut self, state: &State, leaf: MemberId, shape: ShapeId) {
        for route in state.routes.shape(shape).routes() {
            self.lists.leave(Self::view(&*self.order, state), leaf, route);
            if self.lists.len(MemberId::ROOT, route) == 0 {
                self.take_from_stage(state, route);
            }
        }
    }

    /// Shows the shape of the leaf's first job, and hides the one shown before.
    fn show_first(&mut self, state: &State, leaf: MemberId) {
        let first = self.pending.first(leaf);
        if self.shown[leaf] != first.map(|(shape, _)| shape) {
            if let Some(shape) = self.shown[leaf].take() {
                self.hide(state, leaf, shape);
            }
            if let Some((shape, waiter)) = first {
                self.show(state, leaf, shape, waiter.place);
                self.shown[leaf] = Some(shape);
            }
        }
        self.touch(leaf);
    }

    /// The line of a leaf and shape has changed.
    fn line_changed(&mut self, state: &State, leaf: MemberId, shape: ShapeId, change: Change) {
        if let Some(fronts) = &mut self.fronts {
            fronts.line_changed(state, &self.pending, (leaf, shape), change);
        }
        if self.head_only {
            if change != Change::Rest {
                self.show_first(state, leaf);
            }
            return;
        }
        match change {
            Change::Opened(first) => self.show(state, leaf, shape, first),
            Change::Closed => self.hide(state, leaf, shape),
            Change::Head => self.touch(leaf),
            Change::Rest => {}
        }
    }

    // ---- where routes are ---------------------------------------------------------------------------------------

    fn open_route(&mut self, route: RouteId) {
        // There are no more open routes than routes, which fit 32 bits.
        let at = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.stages[route] = Stage::Open { at, fitted: None, gate: Gate::All };
        self.open.push(route);
    }

    /// Takes a route from where it is; it is idle then.
    fn take_from_stage(&mut self, state: &State, route: RouteId) {
        let pool = state.routes.route(route).pool;
        match core::mem::replace(&mut self.stages[route], Stage::Idle) {
            Stage::Idle => {}
            Stage::Open { at, .. } => {
                self.open.swap_remove(at as usize);
                if let Some(moved) = self.open.get(at as usize).copied()
                    && let Stage::Open { at: its, .. } = &mut self.stages[moved]
                {
                    *its = at;
                }
            }
            Stage::Parked { kind, need } => {
                self.watches[pool].parked[kind.index()].remove(&(need, route));
            }
            Stage::SetAside => {
                self.watches[pool].set_aside.remove(&route);
            }
            Stage::Behind => self.leaves_behind(pool, route),
        }
    }

    /// Sets a route aside until as much is free as it lacks.
    fn park(&mut self, state: &State, route: RouteId) {
        self.take_from_stage(state, route);
        let what = state.routes.route(route);
        let (kind, need) = lacking(state.ledger.pool(what.pool), what);
        self.stages[route] = Stage::Parked { kind, need };
        self.watches[what.pool].parked[kind.index()].insert((need, route));
    }

    /// Opens the routes of a pool that ask for no more than has become free.
    fn wake(&mut self, state: &mut State, pool: PoolId) {
        let watch = &mut self.watches[pool];
        if !core::mem::take(&mut watch.freed) {
            return;
        }
        let room = core::mem::take(&mut watch.room);
        if let Some(job) = watch.closed_by {
            if Self::fits_here(state, job, pool) {
                self.reopen(state, pool);
            }
            return;
        }
        self.open_behind(state, pool, Some(&room));
        for kind in ResourceKind::all() {
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
    fn settle_open(&mut self, state: &mut State) {
        let mut at = 0;
        while let Some(route) = self.open.get(at).copied() {
            let pool = state.routes.route(route).pool;
            let version = self.holds.as_ref().map_or(0, |holds| holds.version(pool));
            let now = state.ledger.pool(pool).allocations().wrapping_add(version);
            let Stage::Open { fitted, .. } = &mut self.stages[route] else { break };
            if fitted.replace(now) == Some(now) {
                at += 1;
            } else if !state.fits(route) {
                self.park(state, route);
            } else if self.passes_gate(state, route) {
                at += 1;
            }
        }
    }

    fn is_open(&self, route: RouteId) -> bool {
        matches!(self.stages[route], Stage::Open { .. })
    }

    // ---- who is served next -------------------------------------------------------------------------------------

    /// The best served of a member's children, at the list of the route that its head would start by.
    fn best(&mut self, state: &State, parent: MemberId) -> Option<Pick> {
        if let Some(hierarchy) = state.hierarchy.as_ref().filter(|hierarchy| hierarchy.is_rounded(parent)) {
            return self.best_rescaled(state, hierarchy, parent);
        }
        let mut best: Option<Pick> = None;
        for at in 0..self.open.len() {
            let route = self.open[at];
            if self.lists.len(parent, route) == 0 || !self.is_preferred(state, route) {
                continue;
            }
            let shape = state.routes.route(route).shape;
            let place = |member| Self::place_in(&self.pending, member, shape);
            self.lists.catch_up(|| Self::view(&*self.order, state), parent, route, place);
            let base = self.stack.len();
            self.stack.push(0);
            while self.stack.len() > base {
                let Some(heap_at) = self.stack.pop() else { break };
                let spot = (parent, route, heap_at);
                if best.is_some_and(|best| !self.precedes(state, spot, None, best)) {
                    continue;
                }
                let view = || Self::view(&*self.order, state);
                if self.lists.puts_back(view, spot, |member| Self::place_in(&self.pending, member, shape)) {
                    self.stack.push(heap_at);
                    continue;
                }
                let member = self.lists.member(parent, route, heap_at);
                self.ask_early(state, member, shape);
                let found = if self.cannot_lead(state, spot, member, best) {
                    None
                } else {
                    self.head_of(state, member).filter(|(_, _, its)| *its == route)
                };
                // Where the first job of a line may not start, the entry goes by an earlier place than the one that may.
                let exact = found.is_some_and(|(_, waiter, _)| self.goes_by(spot, waiter.place));
                if let Some((leaf, waiter, _)) = found
                    && best.is_none_or(|best| exact || self.precedes(state, spot, Some(waiter.place), best))
                {
                    best = Some(Pick { spot, leaf, waiter });
                }
                if !exact {
                    self.stack.extend(self.lists.below(parent, route, heap_at));
                }
            }
        }
        best
    }

    /// The place that a member goes by in the lists of a shape.
    #[inline]
    fn place_in(pending: &Pending, member: MemberId, shape: ShapeId) -> Place {
        pending.head(member, shape).map_or(NO_PLACE, |head| head.place)
    }

    /// The leaf below a member whose job is its head, and the route that this job would start by; whoever stands in several
    /// lists is looked at once.
    fn head_of(&mut self, state: &State, member: MemberId) -> Option<Head> {
        if self.open.len() == 1 && self.pending.lines(member) > 0 {
            return self.find_head(state, member);
        }
        if self.heads_found[member].0 != self.search {
            self.heads_found[member] = (self.search, self.find_head(state, member));
        }
        self.heads_found[member].1
    }

    fn find_head(&mut self, state: &State, member: MemberId) -> Option<Head> {
        if self.pending.lines(member) > 0 {
            if state.quotas.any() && !self.one_line && self.find_denied(state, member) {
                return None;
            }
            let (waiter, route) = self.candidate(state, member)?;
            return Some((member, waiter, route));
        }
        self.best(state, member).map(|pick| (pick.leaf, pick.waiter, pick.spot.1))
    }

    /// Whether an entry of a list is compared as one for a job at `place` would be.
    fn goes_by(&self, spot: Spot, place: Place) -> bool {
        self.holds.is_none() || self.order.by_shares() || self.lists.place(spot) == place
    }

    /// Whether an entry, for the job at `place` if it is given, is served before a pick.
    fn precedes(&mut self, state: &State, a: Spot, place: Option<Place>, than: Pick) -> bool {
        let view = Self::view(&*self.order, state);
        if self.holds.is_none() || view.order.by_shares() {
            return self.lists.compare(view, a, than.spot) == Ordering::Less;
        }
        let place = place.unwrap_or_else(|| self.lists.place(a));
        let by_class = view.class(than.spot.1).cmp(&view.class(a.1));
        by_class.then_with(|| self.lists.compare_at(view, (a, place), (than.spot, than.waiter.place)))
            == Ordering::Less
    }

    /// Starts the job that is picked, or closes its pools; whether anything changed.
    fn serve(&mut self, state: &mut State, pick: Pick) -> bool {
        let shape = state.routes.route(pick.spot.1).shape;
        let head = pick.waiter;
        // In one line a route is open without having been found to fit: the job's other routes may.
        let routes = state.routes.shape(shape).routes().filter(|route| *route >= pick.spot.1);
        for route in routes {
            let may_start = self.is_open(route) && state.denies(pick.leaf, route).is_none();
            if may_start && self.start_beside(state, pick.leaf, head, route) {
                self.has_started(state, pick.leaf, shape, head);
                return true;
            }
        }
        debug_assert!(self.one_line, "an open route had no room");
        self.close(state, head.job);
        self.one_line
    }
}

impl Incremental for Engine {
    fn copy(&self) -> Box<dyn Incremental> {
        Box::new(self.clone())
    }

    fn rank(&self, job: &JobSpec, demand: &Demand<'_>) -> u64 {
        self.order.rank(job, demand)
    }

    fn waits(&mut self, state: &State, job: JobId) {
        self.queue(state, job);
        self.event(None);
    }

    fn adopted(&mut self, state: &State, job: JobId) {
        self.touch(state.alive(job).leaf);
        if let Some(holds) = &mut self.holds {
            holds.adopted(state, job);
        }
        self.started_for_reclaim(state, job);
        self.event(None);
    }

    fn withdrawn(&mut self, state: &State, job: JobId) {
        self.event(None);
        if !self.withdrawn_for_reclaim(state, job) {
            self.leaves_line(state, job);
        }
    }

    fn stopped(&mut self, state: &State, stopped: &Stopped) {
        self.has_stopped(state, stopped);
        self.event(None);
    }

    fn resized(&mut self, state: &State, pool: PoolId) {
        let pool_state = state.ledger.pool(pool);
        let room = if pool_state.is_divisible() { *pool_state.free() } else { *pool_state.node_capacity() };
        self.note_room(pool, &room);
        if let Some(holds) = &mut self.holds {
            holds.changed(state, pool, None);
        }
        self.event(Some(pool));
    }

    fn cycle(&mut self, state: &mut State) -> Result<(), Error> {
        if state.tick() {
            self.lists.touch_all();
            self.fronts.iter_mut().for_each(Fronts::touch_all);
        }
        self.renew_budgets(state);
        self.reopen_where_lines_merge(state);
        self.expire_bounds(state);
        self.expire_back_off(state);
        for pool in (0..self.watches.len()).map(PoolId::at) {
            if self.watches[pool].freed && state.quotas.any() {
                self.unhold(state, pool);
            }
            self.wake(state, pool);
        }
        self.refresh_holds(state);
        loop {
            self.keep_back_off(state);
            state.judge();
            self.assign_holds(state);
            if !self.one_line {
                self.settle_open(state);
            }
            // Most that ends helps nobody.
            if self.open.is_empty() && self.holds.is_none() && self.reclaim.is_none() {
                break;
            }
            let pick = self.best_of_all(state);
            if self.hold_denied(state) {
                continue;
            }
            let served = pick.is_some_and(|pick| self.serve(state, pick));
            if !served && !self.refresh_holds(state) && (self.supposes || !self.reclaim(state)) {
                break;
            }
        }
        self.leave_nothing_open(state);
        debug_assert!(self.one_line || self.open.is_empty(), "a route stays open that nobody starts by");
        Ok(())
    }

    fn firsts(&self, _: &State) -> Vec<JobId> {
        self.pending.firsts(self.head_only)
    }

    fn first_of(&self, state: &State, heads: &[(JobId, RouteId)]) -> Option<usize> {
        first_of(state, &*self.order, heads)
    }

    fn after_grant(&self) -> bool {
        self.order.after_grant()
    }

    fn first_alone(&self) -> bool {
        self.head_only
    }

    fn backs_off_until(&self, state: &State, job: JobId) -> Option<Timestamp> {
        self.out_of_line_until(state, job)
    }

    fn blocked(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error> {
        self.reasons(state, job)
    }

    fn can_suppose(&self) -> bool {
        true
    }

    fn suppose(&mut self, pool: PoolId, gone: &[JobId]) {
        self.supposes = true;
        if let Some(holds) = &mut self.holds {
            holds.forget(pool, gone);
        }
    }

    fn in_the_way<'a>(&'a self, state: &State, job: JobId, route: RouteId) -> Option<&'a Reservation> {
        self.holds.as_ref()?.obstacle(state, state.waiter(job), route)
    }

    fn check(&self, state: &State) -> Result<(), String> {
        self.check_lines(state)?;
        self.fronts
            .iter()
            .zip(&self.holds)
            .try_for_each(|(fronts, holds)| fronts.check(state, &self.pending, holds))?;
        self.check_reclaim(state)?;
        self.check_holds(state)
    }

    fn next_wakeup(&self, state: &State) -> Option<Timestamp> {
        self.wakeup(state)
    }

    fn memory(&self, state: &State) -> Memory {
        self.remembered(state)
    }

    fn remember(&mut self, state: &State, memory: &Memory) {
        self.resume(state, memory);
    }

    fn waiting(&self) -> usize {
        self.pending.waiting() + self.backing_off()
    }

    fn comparisons(&self) -> u64 {
        self.lists.comparisons + self.fronts.as_ref().map_or(0, Fronts::comparisons)
    }
}
