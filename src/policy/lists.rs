//! Lists: for every inner member and every route, its children that wait for that route, as a heap by the order.
//!
//! A *stand* is one child's entry in one list. It carries a copy of what the order looks at, so that a heap stays
//! consistent while its members change: a change is noted in a log of the parent, and a list catches up with that log
//! only when it is looked at. A start or a completion therefore costs the same however many lists its team stands in,
//! and lists of routes that have no room are never touched. By shares a start moves a team only back, so that it is not
//! even noted: its stands go by their earlier keys until it is their turn, and are put in their places then.
//!
//! Invariant: in a list that has caught up no child goes by a later key than its own, and one that has not moved back goes by
//! its own.
//! Absent on purpose: whether a route has room (see `engine`). Layer 4; uses `tree`, `route`, `quota`, `dominant`.

mod check;
mod sift;

use core::cmp::Ordering;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{Contender, Order};
use crate::dominant::Holding;
use crate::history::History;
use crate::id::{Id as _, IdVec, position};
use crate::line::Place;
use crate::quota::Quotas;
use crate::resources::MAX_KINDS;
use crate::route::{RouteId, Routes};
use crate::seldom::seldom;
use crate::tree::{MemberId, Tree};

/// Children a heap node; four keep siblings on one cache line.
const ARITY: usize = 4;

/// Log entries kept at least, before old ones are dropped and lists that missed them are rebuilt.
const LOG_KEPT: usize = 64;

/// What a list needs to know to compare.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) order: &'a dyn Order,
    pub(super) tree: &'a Tree,
    pub(super) routes: &'a Routes,
    pub(super) quotas: &'a Quotas,
    /// Whether a higher class comes first between teams.
    pub(super) by_class: bool,
    /// What teams have used, where the order asks for it.
    pub(super) history: Option<&'a History>,
    /// Whether teams are compared as if they were granted what they wait for, and not as they are.
    pub(super) is_granted: bool,
}

impl<'a> View<'a> {
    /// What a start by a route adds to what a team is compared by.
    #[inline]
    fn charge(&self, route: RouteId, groups: usize) -> &'a [u64] {
        if self.is_granted { self.routes.charge(route) } else { &[0; MAX_KINDS][..groups] }
    }

    /// Whether a start by a route would go beyond a member's quota.
    #[inline(never)]
    fn borrows(&self, member: MemberId, route: RouteId) -> bool {
        !self.quotas.is_guaranteed(member, self.routes.route(route))
    }

    /// The priority class of those who wait for a route, as far as it decides between teams.
    pub(super) fn class(&self, route: RouteId) -> i32 {
        self.class_of(self.routes.shape(self.routes.route(route).shape).precedence)
    }

    /// A priority class as far as it decides between teams.
    pub(super) fn class_of(&self, class: i32) -> i32 {
        if self.by_class { class } else { 0 }
    }
}

/// One child's entry in one list: one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Stand {
    member: MemberId,
    route: RouteId,
    /// The version of the member that the copy below was made from.
    version: u32,
    running: u32,
    served: u64,
    place: Place,
}

const _: () = assert!(size_of::<Stand>() == 64, "a stand takes one line of the cache");

/// A heap entry: the hint beside the number of the stand.
#[derive(Clone, Copy, Debug)]
struct Item {
    hint: f64,
    stand: u32,
    /// Whether a start would go beyond the quota: behind all that would not.
    borrows: bool,
}

#[derive(Clone, Debug, Default)]
struct List {
    items: Vec<Item>,
    /// How much of the parent's log it has caught up with.
    seen: u64,
}

/// One member as a child; two lie in one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(32))]
struct Rival {
    /// Where it competes.
    parent: MemberId,
    version: u32,
    /// Its stands, by route.
    stands: SmallVec<[(RouteId, u32); 2]>,
}

const _: () = assert!(size_of::<Rival>() == 32, "a rival takes half of a line of the cache");

impl Rival {
    /// Its stand in the list of a route.
    #[inline]
    fn stand(&self, route: RouteId) -> Option<u32> {
        let slot = self.stands.binary_search_by_key(&route, |(known, _)| *known).ok()?;
        Some(self.stands[slot].1)
    }
}

/// One member as a parent.
#[derive(Clone, Debug)]
struct Parent {
    /// Its children's lists, by route.
    lists: Vec<List>,
    /// Children whose keys have changed, oldest first.
    log: Vec<MemberId>,
    /// Log entries that are kept when old ones are dropped: as many as there are children.
    kept: usize,
    /// Entries dropped from the front of the log.
    dropped: u64,
}

/// All lists of all members.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    rivals: IdVec<MemberId, Rival>,
    parents: IdVec<MemberId, Parent>,
    stands: Vec<Stand>,
    /// Where each stand is in its list: apart, since a heap moves many that it does not look at.
    at: Vec<u32>,
    free: Vec<u32>,
    groups: usize,
    by_shares: bool,
    /// Stands that are taken out of their lists for a while.
    held: BTreeSet<(MemberId, RouteId)>,
    /// Copies of usage, `groups` entries a stand.
    usage: Vec<u64>,
    pub(super) comparisons: u64,
}

impl Lists {
    /// Empty lists. Without `by_shares` every leaf competes at the root.
    pub(super) fn new(tree: &Tree, groups: usize, by_shares: bool) -> Self {
        let rival = |member| Rival {
            parent: if by_shares { tree.member(member).parent } else { MemberId::ROOT },
            version: 0,
            stands: SmallVec::new(),
        };
        let rivals: IdVec<MemberId, Rival> = tree.ids().map(rival).collect();
        let mut children: IdVec<MemberId, usize> = tree.ids().map(|_| 0).collect();
        for rival in rivals.iter() {
            children[rival.parent] += 1;
        }
        let above = |children: &usize| Parent {
            lists: Vec::new(),
            log: Vec::new(),
            kept: LOG_KEPT.max(*children),
            dropped: 0,
        };
        Self {
            parents: children.iter().map(above).collect(),
            rivals,
            stands: Vec::new(),
            at: Vec::new(),
            free: Vec::new(),
            groups,
            by_shares,
            held: BTreeSet::new(),
            usage: Vec::new(),
            comparisons: 0,
        }
    }

    /// How many children wait for a route below a member.
    #[inline]
    pub(super) fn len(&self, parent: MemberId, route: RouteId) -> usize {
        self.parents[parent].lists.get(route.index()).map_or(0, |list| list.items.len())
    }

    /// The member at a heap position.
    #[inline]
    pub(super) fn member(&self, parent: MemberId, route: RouteId, at: usize) -> MemberId {
        self.stands[self.parents[parent].lists[route.index()].items[at].stand as usize].member
    }

    /// How often a member has changed.
    #[inline]
    pub(super) fn version(&self, member: MemberId) -> u32 {
        self.rivals[member].version
    }

    /// The heap positions below one.
    #[inline]
    pub(super) fn below(&self, parent: MemberId, route: RouteId, at: usize) -> core::ops::Range<usize> {
        let first = at * ARITY + 1;
        let len = self.len(parent, route);
        first.min(len)..(first + ARITY).min(len)
    }

    /// Compares two entries of two lists, both caught up: tier, class, then the order.
    pub(super) fn compare(
        &mut self,
        view: View<'_>,
        a: (MemberId, RouteId, usize),
        b: (MemberId, RouteId, usize),
    ) -> Ordering {
        let by_class = view.class(b.1).cmp(&view.class(a.1));
        let item = |(parent, route, at): (MemberId, RouteId, usize)| {
            self.parents[parent].lists[route.index()].items[at]
        };
        let (a, b) = (item(a), item(b));
        let by_tier = a.borrows.cmp(&b.borrows);
        by_tier.then(by_class).then_with(|| self.compare_keys(&view, a, b))
    }

    /// The place that an entry goes by, as of the last time that its list caught up.
    pub(super) fn place(&self, (parent, route, at): (MemberId, RouteId, usize)) -> Place {
        self.stands[self.parents[parent].lists[route.index()].items[at].stand as usize].place
    }

    /// Compares two entries of two lists, both caught up, as if their jobs had other places.
    pub(super) fn compare_at(
        &mut self,
        view: View<'_>,
        a: ((MemberId, RouteId, usize), Place),
        b: ((MemberId, RouteId, usize), Place),
    ) -> Ordering {
        self.comparisons += 1;
        let contender = |((parent, route, at), place): ((MemberId, RouteId, usize), Place)| {
            let stand = self.parents[parent].lists[route.index()].items[at].stand;
            Contender { place, ..self.contender(&view, stand) }
        };
        view.order.compare(&contender(a), &contender(b))
    }

    /// A leaf waits for a route from now on; `place` is that of the first who does.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    pub(super) fn enter(&mut self, view: View<'_>, member: MemberId, route: RouteId, place: Place) {
        let mut child = member;
        loop {
            if self.is_held(child, route) {
                return;
            }
            let parent = self.rivals[child].parent;
            let stand = self.new_stand(child, route, place);
            let slot = self.rivals[child].stands.partition_point(|(known, _)| *known < route);
            self.rivals[child].stands.insert(slot, (route, stand));
            let item = self.refresh_stand(&view, stand, place);
            let above = &mut self.parents[parent];
            if above.lists.len() <= route.index() {
                let lists = &mut above.lists;
                seldom(move || lists.resize_with(route.index() + 1, List::default));
            }
            let end = above.dropped + above.log.len() as u64;
            let list = &mut above.lists[route.index()];
            let was_empty = list.items.is_empty();
            if was_empty {
                list.seen = end;
            }
            list.items.push(item);
            self.with_items(parent, route, |lists, items| {
                let last = items.len() - 1;
                lists.sift_up(&view, items, last);
            });
            if !was_empty || parent == MemberId::ROOT {
                return;
            }
            child = parent;
        }
    }

    /// A leaf waits for a route no longer.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    pub(super) fn leave(&mut self, view: View<'_>, member: MemberId, route: RouteId) {
        let mut child = member;
        loop {
            if self.anybody_held() && seldom(|| self.held.remove(&(child, route))) {
                return;
            }
            let parent = self.rivals[child].parent;
            let Ok(slot) = self.rivals[child].stands.binary_search_by_key(&route, |(known, _)| *known) else {
                return;
            };
            let (_, stand) = self.rivals[child].stands.remove(slot);
            let at = self.at[stand as usize] as usize;
            self.free.push(stand);
            self.with_items(parent, route, |lists, items| {
                items.swap_remove(at);
                if at < items.len() {
                    lists.sift(&view, items, at);
                }
            });
            if self.len(parent, route) > 0 || parent == MemberId::ROOT {
                return;
            }
            child = parent;
        }
    }

    /// A member waits for a route, but may not start by it: its stand is taken out until `unhold`.
    pub(super) fn hold(&mut self, view: View<'_>, member: MemberId, route: RouteId) {
        self.leave(view, member, route);
        self.held.insert((member, route));
    }

    /// A member may start by a route again, if it still waits for it.
    pub(super) fn unhold(&mut self, view: View<'_>, member: MemberId, route: RouteId, place: Place) {
        if self.held.remove(&(member, route)) {
            self.enter(view, member, route, place);
        }
    }

    /// Whether a member waits for a route without standing in its list.
    #[inline]
    pub(super) fn is_held(&self, member: MemberId, route: RouteId) -> bool {
        self.anybody_held() && seldom(|| self.held.contains(&(member, route)))
    }

    /// Whether anybody is held on any route.
    #[inline]
    pub(super) fn anybody_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Everybody who is held, with the route.
    pub(super) fn held(&self) -> impl Iterator<Item = (MemberId, RouteId)> + '_ {
        self.held.iter().copied()
    }

    /// A job of a leaf has started: by shares, the leaf and all above it come no earlier than before. Other orders go by the place
    /// of the next job, of which they may make what they like.
    #[inline]
    pub(super) fn moves_back(&mut self, leaf: MemberId) {
        if !self.by_shares {
            self.touch(leaf);
            return;
        }
        let mut child = leaf;
        while child != MemberId::ROOT {
            let rival = &mut self.rivals[child];
            rival.version = rival.version.wrapping_add(1);
            child = rival.parent;
        }
    }

    /// What the order looks at has changed for a leaf, and for all above it if usage did.
    #[inline]
    pub(super) fn touch(&mut self, leaf: MemberId) {
        let mut child = leaf;
        while child != MemberId::ROOT {
            let rival = &mut self.rivals[child];
            rival.version = rival.version.wrapping_add(1);
            let parent = rival.parent;
            if !rival.stands.is_empty() {
                let above = &mut self.parents[parent];
                above.log.push(child);
                if above.log.len() >= 2 * above.kept {
                    seldom(move || {
                        above.log.drain(..above.kept);
                        above.dropped += above.kept as u64;
                    });
                }
            }
            child = parent;
        }
    }

    /// What the order looks at has changed for everybody: every list is made anew when it is next looked at.
    pub(super) fn touch_all(&mut self) {
        for rival in self.rivals.iter_mut() {
            rival.version = rival.version.wrapping_add(1);
        }
        for above in self.parents.iter_mut() {
            above.dropped += above.log.len() as u64 + 1;
            above.log.clear();
        }
    }

    /// Lets a list catch up with what has changed since it was last looked at.
    #[inline]
    pub(super) fn catch_up<'a>(
        &mut self,
        view: impl FnOnce() -> View<'a>,
        parent: MemberId,
        route: RouteId,
        place: impl Fn(MemberId) -> Place,
    ) {
        let above = &mut self.parents[parent];
        let end = above.dropped + above.log.len() as u64;
        let Some(list) = above.lists.get_mut(route.index()) else { return };
        let seen = core::mem::replace(&mut list.seen, end);
        if seen != end && !list.items.is_empty() {
            self.go_through(view(), (parent, route), (seen, end), place);
        }
    }

    /// The same of what has happened between two counts. Apart, since a list seldom has anything to catch up with.
    #[inline(never)]
    fn go_through(
        &mut self,
        view: View<'_>,
        (parent, route): (MemberId, RouteId),
        (seen, end): (u64, u64),
        place: impl Fn(MemberId) -> Place,
    ) {
        let above = &self.parents[parent];
        let Some(list) = above.lists.get(route.index()) else { return };
        if seen < above.dropped || end - seen > list.items.len() as u64 {
            self.rebuild(view, parent, route, place);
            return;
        }
        let mut at = usize::try_from(seen - above.dropped).unwrap_or(0);
        self.with_items(parent, route, |lists, items| {
            while let Some(child) = lists.parents[parent].log.get(at).copied() {
                at += 1;
                let rival = &lists.rivals[child];
                let Some(stand) = rival.stand(route) else { continue };
                if lists.stands[stand as usize].version == rival.version {
                    continue;
                }
                let position = lists.at[stand as usize] as usize;
                items[position] = lists.refresh_stand(&view, stand, place(child));
                lists.sift(&view, items, position);
            }
        });
    }

    /// Puts an entry whose member has moved back since where it belongs; whether it had. The heap position is another's then, as
    /// may be any below it.
    #[inline]
    pub(super) fn puts_back<'a>(
        &mut self,
        view: impl FnOnce() -> View<'a>,
        (parent, route, at): (MemberId, RouteId, usize),
        place: impl Fn(MemberId) -> Place,
    ) -> bool {
        let stand = &self.stands[self.parents[parent].lists[route.index()].items[at].stand as usize];
        let has_moved = stand.version != self.rivals[stand.member].version;
        if has_moved {
            let place = place(stand.member);
            self.put_back(&view(), (parent, route, at), place);
        }
        has_moved
    }

    #[inline(never)]
    fn put_back(&mut self, view: &View<'_>, (parent, route, at): (MemberId, RouteId, usize), place: Place) {
        self.with_items(parent, route, |lists, items| {
            items[at] = lists.refresh_stand(view, items[at].stand, place);
            lists.sift_down(view, items, at);
        });
    }

    /// Makes every entry of a list anew, then the heap.
    fn rebuild(
        &mut self,
        view: View<'_>,
        parent: MemberId,
        route: RouteId,
        place: impl Fn(MemberId) -> Place,
    ) {
        self.with_items(parent, route, |lists, items| {
            for item in items.iter_mut() {
                let member = lists.stands[item.stand as usize].member;
                if lists.stands[item.stand as usize].version != lists.rivals[member].version {
                    *item = lists.refresh_stand(&view, item.stand, place(member));
                }
            }
            for at in (0..items.len().div_ceil(ARITY)).rev() {
                lists.sift_down(&view, items, at);
            }
        });
    }

    fn new_stand(&mut self, member: MemberId, route: RouteId, place: Place) -> u32 {
        let version = self.rivals[member].version;
        let stand = Stand { member, route, version, running: 0, served: 0, place };
        if let Some(free) = self.free.pop() {
            self.stands[free as usize] = stand;
            return free;
        }
        self.stands.push(stand);
        self.at.push(0);
        self.usage.resize(self.stands.len() * self.groups, 0);
        position(self.stands.len() - 1)
    }

    /// Copies what the order looks at into a stand; its heap entry.
    fn refresh_stand(&mut self, view: &View<'_>, number: u32, place: Place) -> Item {
        let start = number as usize * self.groups;
        let stand = &mut self.stands[number as usize];
        let member = view.tree.member(stand.member);
        stand.version = self.rivals[stand.member].version;
        stand.running = member.running;
        stand.served = member.served;
        stand.place = place;
        for (group, held) in view.tree.usage(stand.member).iter().enumerate() {
            self.usage[start + group] = *held;
        }
        let Stand { member, route, .. } = *stand;
        let borrows = view.quotas.any() && self.by_shares && view.borrows(member, route);
        Item { hint: view.order.hint(&self.contender(view, number)), stand: number, borrows }
    }

    fn contender<'a>(&'a self, view: &View<'a>, number: u32) -> Contender<'a> {
        let stand = &self.stands[number as usize];
        let start = number as usize * self.groups;
        Contender {
            holding: Holding {
                usage: &self.usage[start..start + self.groups],
                charge: view.charge(stand.route, self.groups),
                scale: view.tree.scale(stand.member),
            },
            running: stand.running,
            served: stand.served,
            tie: view.tree.member(stand.member).tie,
            place: stand.place,
            points: view.history.map_or(0, |history| seldom(|| history.points(stand.member))),
        }
    }

    /// Lends the entries of a list, so that they can be moved while stands are compared.
    #[inline]
    fn with_items<R>(
        &mut self,
        parent: MemberId,
        route: RouteId,
        f: impl FnOnce(&mut Self, &mut Vec<Item>) -> R,
    ) -> R {
        let mut items = core::mem::take(&mut self.parents[parent].lists[route.index()].items);
        let result = f(self, &mut items);
        self.parents[parent].lists[route.index()].items = items;
        result
    }
}
