//! Turn: in which order the first jobs of lines are tried.
//!
//! The order of reservations: down the tree, or all teams at once where shares do not count; of one team in its own order.
//! Mostly there are two, each the only one of a team.
//! Absent on purpose: whom is worth a try (see `reclaim`). Layer 5; uses `first`, `tree`.

use core::cmp::{Ordering, Reverse};

use super::Head;
use crate::policy::engine::Engine;
use crate::policy::first::{Front, Present, merge};
use crate::state::State;
use crate::tree::MemberId;

impl Engine {
    /// Puts heads in the order in which they are tried.
    #[inline(never)]
    pub(super) fn put_in_order(&self, state: &State, heads: &mut [Head]) {
        heads.sort_unstable_by_key(|head| (head.leaf, Reverse(head.class), head.waiter));
        if heads.first().map(|head| head.leaf) == heads.last().map(|head| head.leaf) {
            return;
        }
        let present = Present::of(state, &*self.order);
        let own = heads.chunk_by(|a, b| a.leaf == b.leaf);
        let merged = if self.order.by_shares() {
            // Where each is the only one of its team, nobody comes forward when another's turn has come.
            let parent = |head: &Head| state.tree.member(head.leaf).parent;
            if heads.windows(2).all(|two| two[0].leaf != two[1].leaf && parent(&two[0]) == parent(&two[1])) {
                heads.sort_by(|a, b| compare_beside(&present, a, b));
                return;
            }
            in_turn(&present, own.map(|own| (own[0].leaf, own.to_vec())).collect())
        } else {
            let class_of = |head: &Head| Self::view(&*self.order, state).class_of(head.class);
            merge(own.map(<[Head]>::to_vec).collect(), |a, b| {
                let contender = |head: &Head| present.contender(head.leaf, head.waiter);
                let by_class = class_of(b).cmp(&class_of(a));
                by_class.then_with(|| self.order.compare(&contender(a), &contender(b)))
            })
        };
        heads.copy_from_slice(&merged);
    }
}

/// Compares heads of two leaves by those of their teams that compete.
fn compare_beside(present: &Present<'_>, a: &Head, b: &Head) -> Ordering {
    let front = |head: &Head| {
        let Head { leaf, waiter, class, shape } = *head;
        present.routes.shape(shape).routes().next().map(|route| Front { leaf, waiter, class, route })
    };
    let (mine, its) = present.tree.rivals(a.leaf, b.leaf);
    let (Some(a), Some(b)) = (front(a), front(b)) else { return Ordering::Equal };
    present.compare_siblings((mine, a), (its, b))
}

/// The heads of several leaves, each leaf's in its own order, in one: at every member, again and again that of the child whose
/// first head has the highest tier and class there, then the smallest key now. The deepest members are settled first.
fn in_turn(present: &Present<'_>, mut lines: Vec<(MemberId, Vec<Head>)>) -> Vec<Head> {
    let depth = |member: MemberId| present.tree.path(member).skip(1).count();
    let parent = |member: MemberId| present.tree.member(member).parent;
    let deepest = lines.iter().map(|(member, _)| depth(*member)).max().unwrap_or(0);
    for level in (1..=deepest).rev() {
        let (mut here, above): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|(member, _)| depth(*member) == level);
        here.sort_unstable_by_key(|(member, _)| (parent(*member), *member));
        let mut here = here.into_iter().peekable();
        lines = above;
        while let Some((first, line)) = here.next() {
            let siblings = core::iter::from_fn(|| {
                here.next_if(|(member, _)| parent(*member) == parent(first)).map(|(_, line)| line)
            });
            let of_all = core::iter::once(line).chain(siblings).collect();
            lines.push((parent(first), merge(of_all, |a, b| compare_beside(present, a, b))));
        }
    }
    lines.pop().map(|(_, heads)| heads).unwrap_or_default()
}
