//! Fronts: who comes first of all who wait for a pool, by the keys now.
//!
//! Whoever waits for a pool stands in lists of its own, beside those by which decisions are made: one for each pool and
//! class, as far as a class decides between teams. There a route of the pool stands for all of them, since keys as they are
//! do not ask what would be granted. The first of all is then found as a decision finds who is served.
//!
//! Where teams have limits or quotas, what a job asks decides its tier and whether it may have it at all; every team is
//! looked at then, as in trees of very many levels, and under rescaled shares every child of a member whose children are
//! compared by those.
//! Invariant: a leaf stands in a list for as long as one of its lines waits for the pool.
//! Absent on purpose: what a reservation is (see `backfill`). Layer 5; uses `lists`, `pending`, `first`.

use core::cmp::{Ordering, Reverse};
use std::sync::Arc;

use smallvec::SmallVec;

use super::holds::Holds;
use super::{Engine, Spot};
use crate::id::{IdVec, PoolId, ShapeId};
use crate::line::{NO_PLACE, Place, Waiter};
use crate::pending::{Change, Pending};
use crate::policy::first::{Front, Present};
use crate::policy::lists::{Lists, View};
use crate::policy::{Order, drf::DrfCurrent};
use crate::route::RouteId;
use crate::state::State;
use crate::tree::MemberId;

/// The lists of all pools.
#[derive(Clone, Debug)]
pub(super) struct Fronts {
    /// What the lists are in: the keys now where teams compete by shares.
    order: Arc<dyn Order>,
    lists: Lists,
    /// The route that stands for all of the same pool and class, by route.
    stands_for: IdVec<RouteId, RouteId>,
    /// Those of a pool, the highest class first.
    of_pool: IdVec<PoolId, Vec<(Reverse<i32>, RouteId)>>,
    /// How many lines of a leaf wait for each of them.
    lines: IdVec<MemberId, SmallVec<[(RouteId, u32); 2]>>,
    stack: Vec<usize>,
}

/// What a search looks at.
#[derive(Clone, Copy)]
struct Asked<'a> {
    state: &'a State,
    pending: &'a Pending,
    holds: &'a Holds,
    /// The pool, and the route that stands for it.
    pool: PoolId,
    route: RouteId,
}

impl Asked<'_> {
    /// A line that waits for the pool, if it does: its first job that holds no reservation elsewhere.
    fn front(&self, leaf: MemberId, shape: ShapeId, class: i32, head: Waiter) -> Option<Front> {
        let routes = &self.state.routes;
        let here = |route: &RouteId| routes.route(*route).pool == self.pool;
        let may = |route: &RouteId| here(route) && self.state.denies(leaf, *route).is_none();
        let route = routes.shape(shape).routes().find(may)?;
        let elsewhere = |waiter: Waiter| self.holds.held_by(waiter.job).is_some_and(|at| at != self.pool);
        let waiter = if elsewhere(head) {
            self.pending.first_where(leaf, shape, |waiter| !elsewhere(waiter))?
        } else {
            head
        };
        Some(Front { leaf, waiter, class, route })
    }

    /// The first of a leaf's jobs, of all classes or of one.
    fn front_of(&self, leaf: MemberId, class: Option<i32>) -> Option<Front> {
        let lines = self.pending.heads(leaf).filter(|(_, its, _)| class.is_none_or(|class| class == *its));
        let fronts = lines.filter_map(|(shape, class, head)| self.front(leaf, shape, class, head));
        fronts.min_by_key(|front| (Reverse(front.class), front.waiter))
    }
}

impl Fronts {
    /// Empty lists, where they tell who comes first.
    pub(super) fn new(state: &State, order: &Arc<dyn Order>) -> Option<Self> {
        let is_plain = !state.quotas.any() && state.tree.landings().is_empty();
        let by_shares = order.by_shares();
        is_plain.then(|| Self {
            order: if by_shares { Arc::new(DrfCurrent) } else { Arc::clone(order) },
            lists: Lists::new(&state.tree, state.values.count(), by_shares),
            stands_for: IdVec::new(),
            of_pool: state.config.pools.iter().map(|_| Vec::new()).collect(),
            lines: state.tree.ids().map(|_| SmallVec::new()).collect(),
            stack: Vec::new(),
        })
    }

    fn view<'a>(order: &'a dyn Order, state: &'a State) -> View<'a> {
        View { is_granted: false, ..Engine::view(order, state) }
    }

    /// The class of which alone the list of a route tells, if classes have lists of their own.
    fn class(state: &State, route: RouteId) -> Option<i32> {
        let class = state.routes.shape(state.routes.route(route).shape).precedence;
        state.config.policy.classes_cross_teams().then_some(class)
    }

    /// The earliest place of a job of a leaf by which it may go in the list of a route, where an order asks for it.
    fn place(by_shares: bool, (state, pending): (&State, &Pending), leaf: MemberId, route: RouteId) -> Place {
        if by_shares {
            return NO_PLACE;
        }
        let (pool, class) = (state.routes.route(route).pool, Self::class(state, route));
        let here = |shape: &ShapeId| {
            state.routes.shape(*shape).routes().any(|route| state.routes.route(route).pool == pool)
        };
        let lines = pending.heads(leaf).filter(|(_, its, _)| class.is_none_or(|class| class == *its));
        // None of its jobs comes earlier, whichever of them is its first: that may hold a reservation elsewhere.
        let places = lines.filter(|(shape, ..)| here(shape)).map(|(_, _, waiter)| waiter.place);
        places.min().unwrap_or(NO_PLACE)
    }

    /// The line of a leaf and shape has changed.
    pub(super) fn line_changed(
        &mut self,
        state: &State,
        pending: &Pending,
        (leaf, shape): (MemberId, ShapeId),
        change: Change,
    ) {
        if matches!(change, Change::Opened(_) | Change::Closed) {
            self.know_routes(state);
            let mut seen: SmallVec<[RouteId; 4]> = SmallVec::new();
            for route in state.routes.shape(shape).routes() {
                let route = self.stands_for[route];
                if !seen.contains(&route) {
                    seen.push(route);
                    self.count(state, pending, (leaf, route), change != Change::Closed);
                }
            }
        }
        if change != Change::Rest && !self.order.by_shares() {
            self.lists.touch(leaf);
        }
    }

    /// One more line of a leaf waits, or one less.
    fn count(&mut self, state: &State, pending: &Pending, (leaf, route): (MemberId, RouteId), more: bool) {
        let lines = &mut self.lines[leaf];
        let at = lines.iter().position(|(known, _)| *known == route).unwrap_or_else(|| {
            lines.push((route, 0));
            lines.len() - 1
        });
        let count = &mut lines[at].1;
        *count = if more { *count + 1 } else { *count - 1 };
        let view = Self::view(&*self.order, state);
        match (more, *count) {
            (true, 1) => self.lists.enter(
                view,
                leaf,
                route,
                Self::place(self.order.by_shares(), (state, pending), leaf, route),
            ),
            (false, 0) => self.lists.leave(view, leaf, route),
            _ => {}
        }
    }

    /// Finds out which route stands for each that is new.
    fn know_routes(&mut self, state: &State) {
        for route in state.routes.ids().skip(self.stands_for.len()) {
            let class = Reverse(Self::class(state, route).unwrap_or(0));
            let of_pool = &mut self.of_pool[state.routes.route(route).pool];
            let at = of_pool.binary_search_by_key(&class, |(known, _)| *known);
            let at = at.unwrap_or_else(|at| {
                of_pool.insert(at, (class, route));
                at
            });
            self.stands_for.push(of_pool[at].1);
        }
    }

    #[inline(never)]
    fn touch(&mut self, leaf: MemberId) {
        self.lists.touch(leaf);
    }

    #[inline(never)]
    fn moves_back(&mut self, leaf: MemberId) {
        self.lists.moves_back(leaf);
    }

    /// What the order looks at has changed for everybody.
    pub(super) fn touch_all(&mut self) {
        self.lists.touch_all();
    }

    /// How often two teams were compared so far.
    pub(super) fn comparisons(&self) -> u64 {
        self.lists.comparisons
    }

    /// The first of all who wait for a pool.
    fn first(&mut self, state: &State, pending: &Pending, holds: &Holds, pool: PoolId) -> Option<Front> {
        for at in 0..self.of_pool[pool].len() {
            let route = self.of_pool[pool][at].1;
            let first = self.first_below(Asked { state, pending, holds, pool, route }, MemberId::ROOT);
            if first.is_some() {
                return first;
            }
        }
        None
    }

    fn first_below(&mut self, asked: Asked<'_>, parent: MemberId) -> Option<Front> {
        let Asked { state, pending, route, .. } = asked;
        if self.lists.len(parent, route) == 0 {
            return None;
        }
        if state.hierarchy.as_ref().is_some_and(|hierarchy| hierarchy.is_rounded(parent)) {
            return self.first_rescaled(asked, parent);
        }
        let by_shares = self.order.by_shares();
        let place = |member| Self::place(by_shares, (state, pending), member, route);
        self.lists.catch_up(|| Self::view(&*self.order, state), parent, route, place);
        let mut best: Option<(Spot, Front)> = None;
        let base = self.stack.len();
        self.stack.push(0);
        while self.stack.len() > base {
            let Some(at) = self.stack.pop() else { break };
            let spot = (parent, route, at);
            if best.is_some_and(|best| !self.precedes(state, (spot, self.lists.place(spot)), best)) {
                continue;
            }
            if self.lists.puts_back(|| Self::view(&*self.order, state), spot, place) {
                self.stack.push(at);
                continue;
            }
            let front = self.front(asked, self.lists.member(parent, route, at));
            // A class decides inside a team, and whoever holds a reservation elsewhere is passed over: the first of a leaf's jobs
            // may have a later place than the entry.
            let is_exact = front
                .is_some_and(|front| self.order.by_shares() || self.lists.place(spot) == front.waiter.place);
            if let Some(front) = front
                && best.is_none_or(|best| is_exact || self.precedes(state, (spot, front.waiter.place), best))
            {
                best = Some((spot, front));
            }
            if !is_exact {
                self.stack.extend(self.lists.below(parent, route, at));
            }
        }
        best.map(|(_, front)| front)
    }

    /// The same where children are compared by rescaled shares: every child is looked at.
    fn first_rescaled(&mut self, asked: Asked<'_>, parent: MemberId) -> Option<Front> {
        let order = Arc::clone(&self.order);
        let present = Present::of(asked.state, &*order);
        let mut best: Option<(MemberId, Front)> = None;
        for at in 0..self.lists.len(parent, asked.route) {
            let child = self.lists.member(parent, asked.route, at);
            let Some(front) = self.front(asked, child) else { continue };
            let new = (child, front);
            if best.is_none_or(|best| present.compare_siblings(new, best) == Ordering::Less) {
                best = Some(new);
            }
        }
        best.map(|(_, front)| front)
    }

    /// The first of the jobs of a member, or below it.
    fn front(&mut self, asked: Asked<'_>, member: MemberId) -> Option<Front> {
        if asked.pending.lines(member) > 0 {
            return asked.front_of(member, Self::class(asked.state, asked.route));
        }
        self.first_below(asked, member)
    }

    /// Whether an entry, for a job at a place, comes before the best so far.
    fn precedes(
        &mut self,
        state: &State,
        (spot, place): (Spot, Place),
        (best, front): (Spot, Front),
    ) -> bool {
        let view = Self::view(&*self.order, state);
        let compared = if view.order.by_shares() {
            self.lists.compare(view, spot, best)
        } else {
            self.lists.compare_at(view, (spot, place), (best, front.waiter.place))
        };
        compared == Ordering::Less
    }

    /// Compares the lists with the jobs that wait, and the first of every pool with who is found by a look at every team; the first
    /// difference, in words.
    pub(super) fn check(&self, state: &State, pending: &Pending, holds: &Holds) -> Result<(), String> {
        for pool in (0..self.of_pool.len()).map(PoolId::at) {
            let first = self.clone().first(state, pending, holds, pool).map(|front| front.waiter);
            let found = first_of_all(state, pending, holds, pool, &*self.order).map(|front| front.waiter);
            if first != found {
                return Err(format!("{pool}: {first:?} comes first by the lists, {found:?} by the keys"));
            }
        }
        for leaf in state.tree.ids() {
            for (route, count) in &self.lines[leaf] {
                let (pool, class) = (state.routes.route(*route).pool, Self::class(state, *route));
                let waits = |(shape, its, _): &(ShapeId, i32, Waiter)| {
                    let mut routes = state.routes.shape(*shape).routes();
                    class.is_none_or(|class| class == *its)
                        && routes.any(|route| state.routes.route(route).pool == pool)
                };
                if pending.heads(leaf).filter(waits).count() != *count as usize {
                    return Err(format!("{leaf:?} does not wait for {pool} by {count} lines"));
                }
            }
        }
        let known = |leaf: MemberId| self.lines[leaf].iter().filter(|(_, count)| *count > 0);
        let expected =
            pending.leaves_waiting().flat_map(|leaf| known(leaf).map(move |(route, _)| (leaf, *route)));
        let mut expected: Vec<_> = expected.collect();
        expected.sort_unstable();
        let mut standing = self.lists.all_stands();
        standing.retain(|(member, _)| pending.lines(*member) > 0);
        standing.sort_unstable();
        if standing != expected {
            return Err("a team stands in other lists of pools than it waits for".to_owned());
        }
        let by_shares = self.order.by_shares();
        let place = |leaf, route| Self::place(by_shares, (state, pending), leaf, route);
        self.lists.check(Self::view(&*self.order, state), place)
    }
}

impl Engine {
    /// The first job that waits for a pool, by the keys now, among those that hold no reservation elsewhere and may take
    /// what they ask there.
    pub(super) fn first_waiting(&mut self, state: &State, holds: &Holds, pool: PoolId) -> Option<Front> {
        let Self { fronts, pending, .. } = self;
        if let Some(fronts) = fronts {
            return fronts.first(state, pending, holds, pool);
        }
        first_of_all(state, pending, holds, pool, &*self.order)
    }

    /// The first job of a leaf that waits for a pool, as in [`first_waiting`](Self::first_waiting).
    pub(super) fn front_of(
        &self,
        state: &State,
        holds: &Holds,
        pool: PoolId,
        leaf: MemberId,
    ) -> Option<Front> {
        Asked { state, pending: &self.pending, holds, pool, route: any_route(state)? }.front_of(leaf, None)
    }

    /// What the orders look at has changed for a leaf.
    pub(super) fn touch(&mut self, leaf: MemberId) {
        self.lists.touch(leaf);
        if let Some(fronts) = &mut self.fronts {
            fronts.touch(leaf);
        }
    }

    /// A job of a leaf has started: by no order does the leaf come earlier than before.
    pub(super) fn moves_back(&mut self, leaf: MemberId) {
        self.lists.moves_back(leaf);
        if let Some(fronts) = &mut self.fronts {
            fronts.moves_back(leaf);
        }
    }
}

/// The same by a look at every team.
fn first_of_all(
    state: &State,
    pending: &Pending,
    holds: &Holds,
    pool: PoolId,
    order: &dyn Order,
) -> Option<Front> {
    let asked = Asked { state, pending, holds, pool, route: any_route(state)? };
    let fronts = pending.leaves_waiting().filter_map(|leaf| asked.front_of(leaf, None));
    Present::of(state, order).first(fronts)
}

/// Any route does, where all classes are looked at.
fn any_route(state: &State) -> Option<RouteId> {
    state.routes.ids().next()
}
