//! Rescaled shares: the search at a level where a team with children competes under H-DRF.
//!
//! What such a team would count after a grant depends on which of its teams is granted, and need not grow with a grant:
//! no heap can hold it. So every child that waits for an open route is asked for its head, and the least is taken. Below, where
//! only teams without children compete, the heaps decide as under any other order.
//! Absent on purpose: the shares themselves (see `hierarchy`). Layer 5; uses `lists`, `hierarchy`.

use core::cmp::{Ordering, Reverse};

use super::{Engine, Pick};
use crate::hierarchy::{Hierarchy, RoundedKey};
use crate::state::State;
use crate::tree::MemberId;

/// What children are compared by at first: tier, class, key after the grant.
type Standing = (bool, Reverse<i32>, RoundedKey);

/// The child that comes first so far, with its standing and what it would start.
type Best = (MemberId, Standing, Pick);

impl Engine {
    /// The best served of a member's children.
    pub(super) fn best_rescaled(
        &mut self,
        state: &State,
        hierarchy: &Hierarchy,
        parent: MemberId,
    ) -> Option<Pick> {
        let mut best: Option<Best> = None;
        for at in 0..self.open.len() {
            let route = self.open[at];
            for place in 0..self.lists.len(parent, route) {
                let child = self.lists.member(parent, route, place);
                // Who waits for several open routes is asked once.
                if core::mem::replace(&mut self.asked[child], self.search) != self.search {
                    best = self.better(state, hierarchy, (parent, child), best);
                }
            }
        }
        best.map(|(_, _, pick)| pick)
    }

    /// The better of a child and the best one before it.
    fn better(
        &mut self,
        state: &State,
        hierarchy: &Hierarchy,
        (parent, child): (MemberId, MemberId),
        best: Option<Best>,
    ) -> Option<Best> {
        let Some((leaf, waiter, route)) = self.head_of::<false>(state, child) else { return best };
        let (tree, charge) = (&state.tree, state.routes.charge(route));
        let borrows = state.quotas.any() && !state.quotas.is_guaranteed(child, state.routes.route(route));
        let class = Reverse(Self::view(&*self.order, state).class(route));
        let standing = (borrows, class, hierarchy.key(tree, child, Some((leaf, charge))));
        self.lists.comparisons += 1;
        // Then the key now, and what decides ties.
        let now = |child: MemberId| {
            let member = tree.member(child);
            (hierarchy.key(tree, child, None), member.running, member.served, member.tie)
        };
        let comes_first = best.as_ref().is_none_or(|(other, least, _)| {
            standing.cmp(least).then_with(|| now(child).cmp(&now(*other))) == Ordering::Less
        });
        if comes_first {
            Some((child, standing, Pick { spot: (parent, route, 0), leaf, waiter }))
        } else {
            best
        }
    }
}
