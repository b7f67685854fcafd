//! First: which of several waiting jobs comes first, by the keys *now*.
//!
//! Level by level, as a decision descends: tier, class where it decides between teams, key as it is, ties. Orders that
//! know no shares compare the jobs of all teams at once. Reservations and plans are given in this order, since by the key
//! after the grant a gang larger than its team's share would never be first.
//! Absent on purpose: who may start (see `engine`). Layer 4; uses `tree`, `hierarchy`, `history`, `quota`.

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, VecDeque};

use super::{Contender, Order};
use crate::hierarchy::Hierarchy;
use crate::history::History;
use crate::id::JobId;
use crate::line::Waiter;
use crate::quota::Quotas;
use crate::route::{RouteId, Routes};
use crate::state::State;
use crate::tree::{MemberId, Tree};

/// The first waiting job of a leaf, and the route that tells its tier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) leaf: MemberId,
    pub(super) waiter: Waiter,
    /// The class, as far as it comes before everything else.
    pub(super) class: i32,
    pub(super) route: RouteId,
}

/// What waiting jobs are compared by.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) order: &'a dyn Order,
    pub(super) tree: &'a Tree,
    pub(super) hierarchy: Option<&'a Hierarchy>,
    /// What teams have used, where the order asks for it.
    pub(super) history: Option<&'a History>,
    pub(super) quotas: &'a Quotas,
    pub(super) routes: &'a Routes,
    /// Whether a higher class comes first between teams.
    pub(super) by_class: bool,
}

impl<'a> Present<'a> {
    /// What is true in a state.
    pub(super) fn of(state: &'a State, order: &'a dyn Order) -> Self {
        let State { tree, hierarchy, history, quotas, routes, .. } = state;
        let (hierarchy, history) = (hierarchy.as_ref(), history.as_ref());
        let by_class = state.config.policy.classes_cross_teams();
        Self { order, tree, hierarchy, history, quotas, routes, by_class }
    }

    /// A member as it is, with the job that comes first below it.
    pub(super) fn contender(&self, member: MemberId, waiter: Waiter) -> Contender<'a> {
        Contender::now(self.tree, self.history, member, waiter.place)
    }

    /// The first of the fronts of some leaves, each leaf's at most once.
    pub(super) fn first(&self, fronts: impl Iterator<Item = Front>) -> Option<Front> {
        if !self.order.by_shares() {
            let contender = |front: &Front| self.contender(front.leaf, front.waiter);
            return fronts.min_by(|a, b| {
                let by_order = || self.order.compare(&contender(a), &contender(b));
                self.class(*a).cmp(&self.class(*b)).then_with(by_order)
            });
        }
        // Who came first at each depth, with the member that they came first below; the deepest is settled first.
        let mut levels: Vec<BTreeMap<MemberId, (MemberId, Front)>> = Vec::new();
        for front in fronts {
            let above = self.tree.path(front.leaf).skip(1).count();
            self.enter(&mut levels, above, (front.leaf, front));
        }
        loop {
            let level = levels.pop()?;
            let above = levels.len();
            for (member, (_, front)) in level {
                if member == MemberId::ROOT {
                    return Some(front);
                }
                self.enter(&mut levels, above, (member, front));
            }
        }
    }

    /// A member competes below its parent, which has so many members above and including itself.
    fn enter(
        &self,
        levels: &mut Vec<BTreeMap<MemberId, (MemberId, Front)>>,
        depth: usize,
        new: (MemberId, Front),
    ) {
        while levels.len() < depth {
            levels.push(BTreeMap::new());
        }
        let Some(level) = depth.checked_sub(1).and_then(|at| levels.get_mut(at)) else { return };
        let best = level.entry(self.tree.member(new.0).parent).or_insert(new);
        if best.0 != new.0 && self.compare_siblings(new, *best).is_lt() {
            *best = new;
        }
    }

    /// Whether a job is of higher rank than another: of a higher tier where their teams compete, or of the same and of a
    /// higher class. Inside a team, and under orders that know no shares, the class alone tells.
    pub(super) fn outranks(&self, a: Front, b: Front) -> bool {
        if a.leaf == b.leaf {
            return a.class > b.class;
        }
        if !self.order.by_shares() {
            return self.class(a) < self.class(b);
        }
        let (mine, its) = self.tree.rivals(a.leaf, b.leaf);
        (self.borrows(mine, a), self.class(a)) < (self.borrows(its, b), self.class(b))
    }

    /// The class as far as it decides between teams, the highest first.
    fn class(&self, front: Front) -> Reverse<i32> {
        Reverse(if self.by_class { front.class } else { 0 })
    }

    /// Whether a start would go beyond the quota of a member.
    fn borrows(&self, member: MemberId, front: Front) -> bool {
        self.quotas.any() && !self.quotas.is_guaranteed(member, self.routes.route(front.route))
    }

    /// Compares two siblings by those that come first below them: `Less` is served first.
    pub(super) fn compare_siblings(&self, a: (MemberId, Front), b: (MemberId, Front)) -> Ordering {
        let rank = |(member, front)| (self.borrows(member, front), self.class(front));
        rank(a).cmp(&rank(b)).then_with(|| self.compare_keys((a.0, a.1.waiter), (b.0, b.1.waiter)))
    }

    fn compare_keys(&self, a: (MemberId, Waiter), b: (MemberId, Waiter)) -> Ordering {
        let contender = |(member, waiter): (MemberId, Waiter)| self.contender(member, waiter);
        let parent = self.tree.member(a.0).parent;
        let by_key = match self.hierarchy.filter(|hierarchy| hierarchy.is_rounded(parent)) {
            Some(hierarchy) => hierarchy.key(self.tree, a.0, None).cmp(&hierarchy.key(self.tree, b.0, None)),
            None => contender(a).compare_now(&contender(b)),
        };
        by_key.then_with(|| contender(a).compare_ties(&contender(b)))
    }
}

/// Which of some waiting jobs, each the first of its team, comes first by the keys now; a route tells the tier of each.
pub(super) fn first_of(state: &State, order: &dyn Order, heads: &[(JobId, RouteId)]) -> Option<usize> {
    let fronts = heads.iter().map(|(id, route)| {
        let job = state.alive(*id);
        let class = state.routes.shape(job.shape).precedence;
        Front { leaf: job.leaf, waiter: state.waiter(*id), class, route: *route }
    });
    let first = Present::of(state, order).first(fronts)?;
    heads.iter().position(|(id, _)| *id == first.waiter.job)
}

/// Lines as one: again and again the one whose first head comes first.
pub(super) fn merge<T: Copy>(lines: Vec<Vec<T>>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut lines: Vec<VecDeque<T>> = lines.into_iter().map(VecDeque::from).collect();
    let mut merged = Vec::new();
    loop {
        lines.retain(|line| !line.is_empty());
        let first = |line: &VecDeque<T>| line.front().copied();
        let best = (0..lines.len()).min_by(|a, b| match (first(&lines[*a]), first(&lines[*b])) {
            (Some(a), Some(b)) => compare(&a, &b),
            _ => Ordering::Equal,
        });
        let Some(best) = best else { return merged };
        merged.extend(lines[best].pop_front());
    }
}
