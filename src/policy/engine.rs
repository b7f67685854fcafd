//! Engine: one cycle of decisions under an order.
//!
//! A route is *open* while it may have room, and *parked* under the amount that it lacks otherwise: room that is freed
//! wakes only the routes that ask for no more than it. A decision looks at the lists of open routes alone; a completion
//! that helps nobody looks at none.
//!
//! Where nothing may pass a blocked job and teams do not compete by shares, a blocked job *closes* its pools: their
//! routes are set aside until the job starts, is withdrawn, or is preceded by another.
//!
//! What is `PLAIN` is compiled apart for where nothing but room and the order counts: nothing is reserved, stopped, denied,
//! rescaled or remembered, and whatever fits may pass.
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
mod stage;
mod wakeup;
mod waste;
mod why;

use core::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use self::fronts::Fronts;
use self::holds::Holds;
use self::reclaim::Reclaim;
use self::stage::{Note, Stage};
use super::first::first_of;
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
use crate::resources::{MAX_KINDS, Resources};
use crate::route::RouteId;
use crate::seldom::seldom;
use crate::snapshot::Memory;
use crate::state::{State, Stopped};
use crate::time::Timestamp;
use crate::tree::MemberId;

/// What the engine keeps for a pool.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Routes of which it is noted what they lack, by kind and the amount that they need of it: all that are parked, and open ones
    /// that were.
    lacking: [BTreeSet<(Quantity, RouteId)>; MAX_KINDS],
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
    /// What each route lacks: of all that are parked, and of open ones that were. Apart from the stages, since a route keeps it
    /// from one to the next.
    notes: IdVec<RouteId, Option<Note>>,
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
            notes: IdVec::new(),
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
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn show(&mut self, state: &State, leaf: MemberId, shape: ShapeId, place: Place) {
        while self.stages.len() < state.routes.count() {
            self.stages.push(Stage::Idle);
            self.notes.push(None);
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
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn hide(&mut self, state: &State, leaf: MemberId, shape: ShapeId) {
        for route in state.routes.shape(shape).routes() {
            self.lists.leave(Self::view(&*self.order, state), leaf, route);
            if self.lists.len(MemberId::ROOT, route) == 0 {
                self.take_from_stage(state, route);
            }
        }
    }

    /// Shows the shape of the leaf's first job, and hides the one shown before.
    #[inline(never)]
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

    #[inline(never)]
    fn front_changed(&mut self, state: &State, leaf: MemberId, shape: ShapeId, change: Change) {
        if let Some(fronts) = &mut self.fronts {
            fronts.line_changed(state, &self.pending, (leaf, shape), change);
        }
    }

    /// The line of a leaf and shape has changed.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn line_changed(&mut self, state: &State, leaf: MemberId, shape: ShapeId, change: Change) {
        if self.fronts.is_some() {
            self.front_changed(state, leaf, shape, change);
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

    // ---- who is served next -------------------------------------------------------------------------------------

    /// The best served of a member's children, at the list of the route that its head would start by.
    fn best<const PLAIN: bool>(&mut self, state: &State, parent: MemberId) -> Option<Pick> {
        if !PLAIN
            && let Some(hierarchy) = &state.hierarchy
            && hierarchy.is_rounded(parent)
        {
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
                if best.is_some_and(|best| !self.precedes::<PLAIN>(state, spot, None, best)) {
                    continue;
                }
                let view = || Self::view(&*self.order, state);
                if self.lists.puts_back(view, spot, |member| Self::place_in(&self.pending, member, shape)) {
                    self.stack.push(heap_at);
                    continue;
                }
                let member = self.lists.member(parent, route, heap_at);
                self.ask_early(state, member, shape);
                let found = if !PLAIN && self.cannot_lead(state, spot, member, best) {
                    None
                } else {
                    self.head_of::<PLAIN>(state, member).filter(|(_, _, its)| *its == route)
                };
                // Where the first job of a line may not start, the entry goes by an earlier place than the one that may.
                let exact = found.is_some_and(|(_, waiter, _)| PLAIN || self.goes_by(spot, waiter.place));
                if let Some((leaf, waiter, _)) = found
                    && best.is_none_or(|best| {
                        exact || self.precedes::<PLAIN>(state, spot, Some(waiter.place), best)
                    })
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
    fn head_of<const PLAIN: bool>(&mut self, state: &State, member: MemberId) -> Option<Head> {
        let once = self.open.len() == 1 && self.pending.lines(member) > 0;
        if !once && self.heads_found[member].0 == self.search {
            return self.heads_found[member].1;
        }
        let found = self.find_head::<PLAIN>(state, member);
        if !once {
            self.heads_found[member] = (self.search, found);
        }
        found
    }

    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn find_head<const PLAIN: bool>(&mut self, state: &State, member: MemberId) -> Option<Head> {
        if self.pending.lines(member) > 0 {
            if !PLAIN && state.can_deny() && !self.one_line && self.find_denied(state, member) {
                return None;
            }
            let (waiter, route) = self.candidate::<PLAIN>(state, member)?;
            return Some((member, waiter, route));
        }
        self.best::<PLAIN>(state, member).map(|pick| (pick.leaf, pick.waiter, pick.spot.1))
    }

    /// Whether an entry of a list is compared as one for a job at `place` would be.
    fn goes_by(&self, spot: Spot, place: Place) -> bool {
        self.holds.is_none() || self.order.by_shares() || self.lists.place(spot) == place
    }

    /// Whether an entry, for the job at `place` if it is given, is served before a pick.
    fn precedes<const PLAIN: bool>(
        &mut self,
        state: &State,
        a: Spot,
        place: Option<Place>,
        than: Pick,
    ) -> bool {
        let view = Self::view(&*self.order, state);
        if PLAIN || self.holds.is_none() || self.order.by_shares() {
            return self.lists.compare(view, a, than.spot) == Ordering::Less;
        }
        let place = place.unwrap_or_else(|| self.lists.place(a));
        let by_class = view.class(than.spot.1).cmp(&view.class(a.1));
        by_class.then_with(|| self.lists.compare_at(view, (a, place), (than.spot, than.waiter.place)))
            == Ordering::Less
    }

    /// Starts the job that is picked, or closes its pools; whether anything changed.
    fn serve<const PLAIN: bool>(&mut self, state: &mut State, pick: Pick) -> bool {
        let shape = state.routes.route(pick.spot.1).shape;
        let head = pick.waiter;
        // In one line a route is open without having been found to fit: the job's other routes may.
        let routes = state.routes.shape(shape).routes().filter(|route| *route >= pick.spot.1);
        for route in routes {
            let may_start = self.is_open(route) && (PLAIN || state.denies(pick.leaf, route).is_none());
            let starts = may_start
                && if PLAIN {
                    state.start(pick.leaf, head, route, &[])
                } else {
                    self.start_beside(state, pick.leaf, head, route)
                };
            if starts {
                self.has_started(state, pick.leaf, shape, head);
                return true;
            }
        }
        debug_assert!(self.one_line, "an open route had no room");
        seldom(|| self.close(state, head.job));
        self.one_line
    }

    // ---- a cycle ------------------------------------------------------------------------------------------------

    /// Whether nothing but room and the order decides who starts.
    fn is_plain(&self, state: &State) -> bool {
        let in_turn = self.head_only || self.one_line;
        let stops = self.holds.is_some() || self.reclaim.is_some();
        let counts = state.hierarchy.is_some() || state.history.is_some() || state.quotas.any();
        !in_turn && !stops && !counts
    }

    /// Everything that can be decided now. Where nothing else counts it is compiled apart, without what would be asked for
    /// each decision.
    fn decide<const PLAIN: bool>(&mut self, state: &mut State) {
        if !PLAIN {
            self.before_decisions(state);
        }
        for pool in (0..self.watches.len()).map(PoolId::at) {
            if !PLAIN && self.watches[pool].freed && self.lists.anybody_held() {
                self.unhold(state, pool);
            }
            self.wake::<PLAIN>(state, pool);
        }
        if !PLAIN {
            self.refresh_holds(state);
        }
        loop {
            if !PLAIN {
                self.before_decision(state);
            }
            if PLAIN || !self.one_line {
                self.settle_open::<PLAIN>(state);
            }
            // Most that ends helps nobody.
            if self.open.is_empty() && (PLAIN || self.holds.is_none() && self.reclaim.is_none()) {
                break;
            }
            let pick = self.best_of_all::<PLAIN>(state);
            if !PLAIN && !self.denied.is_empty() && self.hold_denied(state) {
                continue;
            }
            let served = pick.is_some_and(|pick| self.serve::<PLAIN>(state, pick));
            if !served && (PLAIN || !self.refresh_holds(state) && (self.supposes || !self.reclaim(state))) {
                break;
            }
        }
        if !PLAIN {
            self.leave_nothing_open(state);
        }
        debug_assert!(self.one_line || self.open.is_empty(), "a route stays open that nobody starts by");
    }

    /// What time has changed since the last cycle.
    fn before_decisions(&mut self, state: &mut State) {
        if state.tick() {
            self.lists.touch_all();
            self.fronts.iter_mut().for_each(Fronts::touch_all);
        }
        self.renew_budgets(state);
        self.reopen_where_lines_merge(state);
        self.expire_bounds(state);
        self.expire_back_off(state);
    }

    /// What the last decision has changed.
    fn before_decision(&mut self, state: &mut State) {
        self.keep_back_off(state);
        state.judge();
        self.assign_holds(state);
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
        if self.is_plain(state) {
            self.decide::<true>(state);
        } else {
            self.decide::<false>(state);
        }
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
