//! Rescaled shares: the search at a level where a team with children competes under H-DRF.
//!
//! What such a team would count after a grant depends on which of its teams is granted, and need not grow with a grant:
//! no heap can hold it. So every child is asked for its head, and the least is taken. Below, where only teams without
//! children compete, the heaps decide as under any other order.
//! Absent on purpose: the shares themselves (see `hierarchy`). Layer 5; uses `lists`, `hierarchy`.

use core::cmp::Reverse;

use super::{Engine, Pick};
use crate::hierarchy::{Hierarchy, RoundedKey};
use crate::state::State;
use crate::tree::MemberId;

/// What children are compared by: tier, class, key after the grant, key now, then what decides ties.
type Standing = (bool, Reverse<i32>, RoundedKey, RoundedKey, (u32, u64, u32));

impl Engine {
    /// The best served of a member's children.
    pub(super) fn best_rescaled(
        &mut self,
        state: &State,
        hierarchy: &Hierarchy,
        parent: MemberId,
    ) -> Option<Pick> {
        let mut best: Option<(Standing, Pick)> = None;
        for child in hierarchy.children(parent) {
            let Some((leaf, waiter, route)) = self.head_of(state, *child) else { continue };
            let (tree, charge) = (&state.tree, state.routes.charge(route));
            let borrows =
                state.quotas.any() && !state.quotas.is_guaranteed(*child, state.routes.route(route));
            let class = Reverse(Self::view(&*self.order, state).class(route));
            let member = tree.member(*child);
            let after = hierarchy.key(tree, *child, Some((leaf, charge)));
            let now = hierarchy.key(tree, *child, None);
            let standing = (borrows, class, after, now, (member.running, member.served, member.tie));
            self.lists.comparisons += 1;
            if best.as_ref().is_none_or(|(least, _)| standing < *least) {
                best = Some((standing, Pick { spot: (parent, route, 0), leaf, waiter }));
            }
        }
        best.map(|(_, pick)| pick)
    }
}
