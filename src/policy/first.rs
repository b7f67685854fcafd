//! First: which of several waiting jobs comes first, by the keys *now*.
//!
//! Level by level, as a decision descends: tier, class where it decides between teams, key as it is, ties. Orders that
//! know no shares compare the jobs of all teams at once. Reservations and plans are given in this order, since by the key
//! after the grant a gang larger than its team's share would never be first.
//! Absent on purpose: who may start (see `engine`). Layer 4; uses `tree`, `hierarchy`, `history`, `quota`.

use core::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

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

/// Lines as one: again and again the one whose first head comes first, of equal ones the first line. O(n log n) comparisons.
pub(super) fn merge<T: Copy>(lines: Vec<Vec<T>>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let total = lines.iter().map(Vec::len).sum();
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    if lines.len() == 1 {
        return lines.into_iter().next().unwrap_or_default();
    }
    // The next of every line, as a heap.
    let mut heads: Vec<Head> = (0..lines.len()).map(|line| Head { line, at: 0 }).collect();
    let head = |head: &Head| lines[head.line][head.at];
    let precedes = |a: &Head, b: &Head| compare(&head(a), &head(b)).then(a.line.cmp(&b.line)).is_lt();
    let sift_down = |heads: &mut [Head], mut at: usize| {
        loop {
            let below = (2 * at + 1)..(2 * at + 3).min(heads.len());
            let least = below.reduce(|a, b| if precedes(&heads[b], &heads[a]) { b } else { a });
            let Some(least) = least.filter(|least| precedes(&heads[*least], &heads[at])) else { return };
            heads.swap(at, least);
            at = least;
        }
    };
    for at in (0..heads.len() / 2).rev() {
        sift_down(&mut heads, at);
    }
    let mut merged = Vec::with_capacity(total);
    while let Some(first) = heads.first_mut() {
        merged.push(lines[first.line][first.at]);
        first.at += 1;
        if first.at == lines[first.line].len() {
            heads.swap_remove(0);
        }
        sift_down(&mut heads, 0);
    }
    merged
}

/// How far a merge has come in a line.
#[derive(Clone, Copy)]
struct Head {
    line: usize,
    at: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_takes_again_and_again_the_first_head() {
        // Lines need not be in order themselves: who stands behind another waits for it.
        let lines = vec![vec![5, 1, 9], vec![], vec![4], vec![5, 0], vec![7, 7, 2]];
        let by_looking = |mut lines: Vec<Vec<i32>>| {
            let mut merged = Vec::new();
            while let Some(at) =
                (0..lines.len()).filter(|at| !lines[*at].is_empty()).min_by_key(|at| lines[*at][0])
            {
                merged.push(lines[at].remove(0));
            }
            merged
        };
        assert_eq!(merge(lines.clone(), Ord::cmp), by_looking(lines));
        assert_eq!(merge(vec![vec![3, 1, 2]], Ord::cmp), [3, 1, 2]);
        assert!(merge(Vec::<Vec<i32>>::new(), Ord::cmp).is_empty());
    }

    #[test]
    fn merging_many_lines_compares_each_head_with_few() {
        let compared = core::cell::Cell::new(0_u32);
        let lines = (0..1_000_i64).map(|line| vec![line * 7 % 1_000]).collect();
        let merged = merge(lines, |a, b| {
            compared.set(compared.get() + 1);
            a.cmp(b)
        });
        assert!(merged.is_sorted() && merged.len() == 1_000);
        assert!(compared.get() < 25_000, "{} comparisons", compared.get());
    }
}
