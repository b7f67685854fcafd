//! Hierarchy: the rescaled shares of H-DRF, for the teams that have children.
//!
//! Source: Bhattacharya et al., "Hierarchical Scheduling for Diverse Datacenter Workloads", SOCC 2013. A plain sum lets
//! one child that holds much of one resource starve a sibling that asks for another. So a parent counts V = B + M·D: B
//! sums the vectors of its *blocked* children as they are, D those of the others, each scaled so that its dominant share
//! equals its weight, and M is the least dominant share over the weight among those others.
//!
//! A share group is *saturated* while no pool has any of it free; it is left out of V. A member is blocked while no job
//! waits below it that asks for no saturated group. Both are judged before a grant, for all members alike.
//!
//! Deviations: a child without jobs that wait is blocked, so what it holds counts in full; a job that backs off waits.
//! Every term is rounded once, to a multiple of 2^-60, and depends only on what the child counts now, so that it is added
//! and taken away exactly. Keys at a level where a member with children competes are rounded to 2^-40, so that equal
//! shares tie.
//!
//! The root is compared with nobody: what those below it count for is not kept, and a tree without levels has nothing to judge.
//!
//! Invariant: what is true now equals what is recomputed from usage and the jobs that wait; what is kept of other saturated groups
//! does once it has caught up.
//! Absent on purpose: who is served next, and plain sums (see `tree`). Layer 3; uses `tree`, `value`, `route`.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use crate::id::{IdVec, ShapeId};
use crate::resources::MAX_KINDS;
use crate::route::Routes;
use crate::tree::{MemberId, Tree};
use crate::value::Values;

/// Binary digits of vectors and terms.
const TERM_BITS: u32 = 60;

/// Binary digits of a dominant share over the weight.
const RATIO_BITS: u32 = 74;

/// Binary digits of a key.
const KEY_BITS: u32 = 40;

/// Of so many other sets of saturated groups what all members come to is kept.
const KEPT: usize = 3;

/// One number for each share group.
type Vector = [u128; MAX_KINDS];

/// A key of one level: weighted shares in units of 2^-40, largest first.
pub(crate) type RoundedKey = [u128; MAX_KINDS];

/// What a member counts for in its parent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Counted {
    blocked: bool,
    /// What is added to B where it is blocked, else to D.
    term: Vector,
    /// Its dominant share over its weight, in units of 2^-74.
    ratio: u128,
}

/// One member, whatever is saturated.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Node {
    children: Vec<MemberId>,
    /// A member with children is among them.
    is_rounded: bool,
    /// Among its siblings, as an integer; and what that was multiplied by.
    weight: u128,
    common: u128,
    /// How many jobs of its own wait, by shape.
    waiting: Vec<(ShapeId, u32)>,
}

/// What a member comes to while certain groups are saturated.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Sums {
    counted: Counted,
    /// Sum over the blocked children, and over the others.
    fixed: Vector,
    scaled: Vector,
    /// The children that are not blocked, the least ratio first.
    ratios: BTreeSet<(u128, MemberId)>,
}

/// What all members come to while certain groups are saturated.
#[derive(Clone, Debug)]
struct Judged {
    /// One bit for each saturated group.
    saturated: u32,
    sums: IdVec<MemberId, Sums>,
    /// Members without children of which something has changed since these groups were saturated last.
    behind: Vec<MemberId>,
}

/// The rescaled shares of all members.
#[derive(Clone, Debug)]
pub(crate) struct Hierarchy {
    nodes: IdVec<MemberId, Node>,
    /// Members that are counted, children before their parents.
    upward: Vec<MemberId>,
    /// Valued capacity by group.
    capacity: Vec<u128>,
    now: Judged,
    /// The same of other saturated groups; those that were saturated last stand last.
    kept: Vec<Judged>,
    /// How often the set of saturated groups has changed, so that all keys have.
    pub(crate) reordered: u64,
}

impl Hierarchy {
    /// The hierarchy of a tree in which nothing runs and nobody waits.
    pub(crate) fn new(tree: &Tree, values: &Values) -> Self {
        let mut nodes: IdVec<MemberId, Node> = tree.ids().map(|_| Node::default()).collect();
        for member in tree.ids() {
            nodes[member].weight = tree.weight(member);
            nodes[member].common = tree.common(member);
            if member != MemberId::ROOT {
                let parent = tree.member(member).parent;
                nodes[parent].children.push(member);
                if parent != MemberId::ROOT {
                    nodes[tree.member(parent).parent].is_rounded = true;
                }
            }
        }
        let mut upward: Vec<MemberId> = tree.ids().filter(|member| is_counted(tree, *member)).collect();
        upward.sort_by_cached_key(|member| Reverse(tree.path(*member).count()));
        let capacity = (0..values.count()).map(|group| u128::from(values.capacity(group))).collect();
        let sums = tree.ids().map(|_| Sums::default()).collect();
        let now = Judged { saturated: 0, sums, behind: Vec::new() };
        let mut hierarchy = Self { nodes, upward, capacity, now, kept: Vec::new(), reordered: 0 };
        for at in 0..hierarchy.upward.len() {
            let member = hierarchy.upward[at];
            hierarchy.insert(
                tree.member(member).parent,
                member,
                Counted { blocked: true, ..Counted::default() },
            );
        }
        hierarchy
    }

    /// A copy that keeps nothing of other saturated groups.
    pub(crate) fn now_alone(&self) -> Self {
        let Self { nodes, upward, capacity, now, .. } = self;
        let (nodes, upward, capacity, now) = (nodes.clone(), upward.clone(), capacity.clone(), now.clone());
        Self { nodes, upward, capacity, now, kept: Vec::new(), reordered: self.reordered }
    }

    /// The groups that were saturated when it was last judged, one bit each.
    pub(crate) fn saturated(&self) -> u32 {
        self.now.saturated
    }

    /// The members that compete below one.
    fn children(&self, parent: MemberId) -> &[MemberId] {
        &self.nodes[parent].children
    }

    /// Whether a member with children competes below this one: its keys are rescaled, and all there are rounded.
    pub(crate) fn is_rounded(&self, parent: MemberId) -> bool {
        self.nodes[parent].is_rounded
    }

    // ---- what a member counts for -------------------------------------------------------------------------------

    /// What a member without children counts for, holding `usage` and `charge`.
    fn count_leaf(&self, member: MemberId, usage: &[u64], charge: &[u64], blocked: bool) -> Counted {
        let weight = self.nodes[member].weight;
        let held = |group: usize| u128::from(usage[group] + charge.get(group).copied().unwrap_or(0));
        let groups = 0..self.capacity.len();
        // The dominant group: the largest share, by cross products below 2^106.
        let larger =
            |a: usize, b: usize| if held(b) * self.capacity[a] > held(a) * self.capacity[b] { b } else { a };
        let mut counted = Counted { blocked, ..Counted::default() };
        let Some(dominant) = groups.clone().reduce(larger) else { return counted };
        let (top, bottom) = (held(dominant), self.capacity[dominant]);
        if top == 0 {
            return counted;
        }
        counted.ratio = divide(top, bottom * weight, RATIO_BITS);
        for group in groups {
            counted.term[group] = if blocked {
                divide(held(group), self.capacity[group], TERM_BITS)
            } else {
                divide(weight * held(group) * bottom, self.capacity[group] * top, TERM_BITS)
            };
        }
        counted
    }

    /// What a member with children counts for, holding the rescaled `vector`.
    fn count_inner(&self, member: MemberId, vector: &Vector, blocked: bool) -> Counted {
        let weight = self.nodes[member].weight;
        let top = vector.iter().copied().max().unwrap_or(0);
        let mut counted = Counted { blocked, ..Counted::default() };
        if top == 0 {
            return counted;
        }
        counted.ratio = divide(top, weight, RATIO_BITS - TERM_BITS);
        for (term, amount) in counted.term.iter_mut().zip(vector) {
            *term = if blocked { *amount } else { divide(weight * amount, top, TERM_BITS) };
        }
        counted
    }

    /// V = B + M·D, without the saturated groups.
    fn rescale(&self, fixed: &Vector, scaled: &Vector, least: u128) -> Vector {
        let mut vector = Vector::default();
        for group in (0..self.capacity.len()).filter(|group| self.now.saturated & (1 << group) == 0) {
            vector[group] = fixed[group] + multiply(scaled[group], least);
        }
        vector
    }

    /// The rescaled vector of a member with children.
    fn vector(&self, member: MemberId) -> Vector {
        let node = &self.now.sums[member];
        let least = node.ratios.first().map_or(0, |(ratio, _)| *ratio);
        self.rescale(&node.fixed, &node.scaled, least)
    }

    /// The rescaled vector of a member if `charge` were granted to a leaf below it. Who is blocked stays as judged.
    fn vector_after(&self, tree: &Tree, member: MemberId, leaf: MemberId, charge: &[u64]) -> Vector {
        let mut at = leaf;
        let sums = &self.now.sums;
        let blocked = sums[leaf].counted.blocked;
        let mut counted = self.count_leaf(leaf, tree.usage(leaf), charge, blocked);
        loop {
            let parent = tree.member(at).parent;
            let node = &sums[parent];
            let (mut fixed, mut scaled) = (node.fixed, node.scaled);
            let before = &sums[at].counted;
            let sum = if before.blocked { &mut fixed } else { &mut scaled };
            for (group, sum) in sum.iter_mut().enumerate() {
                *sum = *sum - before.term[group] + counted.term[group];
            }
            let others = node.ratios.iter().find(|(_, child)| *child != at).map(|(ratio, _)| *ratio);
            let own = (!before.blocked).then_some(counted.ratio);
            let least = others.into_iter().chain(own).min().unwrap_or(0);
            let vector = self.rescale(&fixed, &scaled, least);
            if parent == member || parent == MemberId::ROOT {
                return vector;
            }
            counted = self.count_inner(parent, &vector, node.ratios.is_empty());
            at = parent;
        }
    }

    /// The rounded key of a member, as it is or if `grant`, a leaf at or below it and a charge, were carried out.
    pub(crate) fn key(&self, tree: &Tree, member: MemberId, grant: Option<(MemberId, &[u64])>) -> RoundedKey {
        let node = &self.nodes[member];
        let mut key = RoundedKey::default();
        if node.children.is_empty() {
            let charge = grant.map_or(&[][..], |(_, charge)| charge);
            for (group, usage) in tree.usage(member).iter().enumerate() {
                let held = u128::from(usage + charge.get(group).copied().unwrap_or(0));
                key[group] = divide(held * node.common, self.capacity[group] * node.weight, KEY_BITS);
            }
        } else {
            let vector = match grant {
                Some((leaf, charge)) => self.vector_after(tree, member, leaf, charge),
                None => self.vector(member),
            };
            for (entry, amount) in key.iter_mut().zip(&vector) {
                *entry = divide(amount * node.common, node.weight << (TERM_BITS - KEY_BITS), 0);
            }
        }
        key.sort_unstable_by(|a, b| b.cmp(a));
        key
    }

    // ---- what changes ---------------------------------------------------------------------------------------------

    fn insert(&mut self, parent: MemberId, member: MemberId, counted: Counted) {
        let sums = &mut self.now.sums;
        sums[member].counted = counted;
        let above = &mut sums[parent];
        let sum = if counted.blocked { &mut above.fixed } else { &mut above.scaled };
        for (sum, term) in sum.iter_mut().zip(&counted.term) {
            *sum += term;
        }
        if !counted.blocked {
            above.ratios.insert((counted.ratio, member));
        }
    }

    fn replace(&mut self, parent: MemberId, member: MemberId, counted: Counted) {
        let sums = &mut self.now.sums;
        let before = sums[member].counted;
        let above = &mut sums[parent];
        let sum = if before.blocked { &mut above.fixed } else { &mut above.scaled };
        for (sum, term) in sum.iter_mut().zip(&before.term) {
            debug_assert!(*sum >= *term, "a member takes away more than it counted for");
            *sum -= term;
        }
        if !before.blocked {
            above.ratios.remove(&(before.ratio, member));
        }
        self.insert(parent, member, counted);
    }

    /// Whether it counts for something else than before.
    fn replace_if_changed(&mut self, tree: &Tree, member: MemberId, counted: Counted) -> bool {
        let has_changed = counted != self.now.sums[member].counted;
        if has_changed {
            self.replace(tree.member(member).parent, member, counted);
        }
        has_changed
    }

    fn settle_leaf(&mut self, tree: &Tree, leaf: MemberId, blocked: bool) -> bool {
        let counted = self.count_leaf(leaf, tree.usage(leaf), &[], blocked);
        self.replace_if_changed(tree, leaf, counted)
    }

    fn settle_inner(&mut self, tree: &Tree, member: MemberId) -> bool {
        let blocked = self.now.sums[member].ratios.is_empty();
        let counted = self.count_inner(member, &self.vector(member), blocked);
        self.replace_if_changed(tree, member, counted)
    }

    /// What a leaf holds, or whether it is blocked, has changed: so may all above it, as far up as something does.
    fn settle_path(&mut self, tree: &Tree, leaf: MemberId, blocked: bool) {
        let mut above = tree.path(leaf).skip(1).take_while(|member| is_counted(tree, *member));
        let mut has_changed = self.settle_leaf(tree, leaf, blocked);
        while let Some(member) = above.next().filter(|_| has_changed) {
            has_changed = self.settle_inner(tree, member);
        }
    }

    /// Notes that something of a leaf has changed, for what is kept of other saturated groups; what has more changes to catch up
    /// with than there are members is dropped.
    fn falls_behind(&mut self, leaf: MemberId) {
        let most = self.upward.len();
        self.kept.retain_mut(|judged| {
            if judged.behind.last() != Some(&leaf) {
                judged.behind.push(leaf);
            }
            judged.behind.len() <= most
        });
    }

    /// What a leaf holds has changed.
    pub(crate) fn refresh(&mut self, tree: &Tree, leaf: MemberId) {
        if is_counted(tree, leaf) {
            self.settle_path(tree, leaf, self.now.sums[leaf].counted.blocked);
            self.falls_behind(leaf);
        }
    }

    /// One more job of a leaf waits, or one less.
    pub(crate) fn waits(&mut self, tree: &Tree, routes: &Routes, leaf: MemberId, shape: ShapeId, more: bool) {
        if !is_counted(tree, leaf) {
            return;
        }
        let waiting = &mut self.nodes[leaf].waiting;
        match (waiting.binary_search_by_key(&shape, |(known, _)| *known), more) {
            (Ok(at), true) => {
                waiting[at].1 += 1;
                return;
            }
            (Ok(at), false) if waiting[at].1 > 1 => {
                waiting[at].1 -= 1;
                return;
            }
            (Err(at), true) => waiting.insert(at, (shape, 1)),
            (Ok(at), false) => {
                waiting.remove(at);
            }
            (Err(_), false) => debug_assert!(false, "a job leaves a line in which it does not stand"),
        }
        self.falls_behind(leaf);
        let blocked = self.is_blocked(routes, leaf);
        if blocked != self.now.sums[leaf].counted.blocked {
            self.settle_path(tree, leaf, blocked);
        }
    }

    /// Whether no job of a leaf waits that asks for no saturated group.
    fn is_blocked(&self, routes: &Routes, leaf: MemberId) -> bool {
        let can_go_on = |charge: &[u64]| {
            let mut groups = charge.iter().enumerate();
            groups.all(|(group, amount)| *amount == 0 || self.now.saturated & (1 << group) == 0)
        };
        let mut shapes = self.nodes[leaf].waiting.iter().map(|(shape, _)| *shape);
        !shapes.any(|shape| routes.shape(shape).routes().any(|route| can_go_on(routes.charge(route))))
    }

    /// Judges who is blocked by the groups that are saturated, one bit each; where they are others than before, every
    /// key at a level with rescaled members is another.
    ///
    /// A resource is used up and free again many times an hour: what the members came to with the same groups saturated is
    /// kept, and catches up with those of whom something has changed since.
    pub(crate) fn judge(&mut self, tree: &Tree, routes: &Routes, saturated: u32) {
        if saturated == self.now.saturated {
            return;
        }
        self.reordered += 1;
        if let Some(at) = self.kept.iter().position(|judged| judged.saturated == saturated) {
            let known = self.kept.remove(at);
            self.kept.push(core::mem::replace(&mut self.now, known));
            let mut behind = core::mem::take(&mut self.now.behind);
            behind.sort_unstable();
            behind.dedup();
            for leaf in behind {
                self.settle_path(tree, leaf, self.is_blocked(routes, leaf));
            }
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push(self.now.clone());
        self.now.saturated = saturated;
        for at in 0..self.upward.len() {
            let member = self.upward[at];
            if self.nodes[member].children.is_empty() {
                let blocked = self.is_blocked(routes, member);
                if blocked != self.now.sums[member].counted.blocked {
                    self.settle_leaf(tree, member, blocked);
                }
            } else {
                self.settle_inner(tree, member);
            }
        }
    }

    /// Compares everything, and what is kept of other saturated groups once it has caught up, with what is recomputed from usage
    /// and the jobs that wait; the difference, in words.
    pub(crate) fn check(
        &self,
        tree: &Tree,
        values: &Values,
        routes: &Routes,
        waiting: impl Iterator<Item = (MemberId, ShapeId)>,
    ) -> Result<(), String> {
        let mut again = Self::new(tree, values);
        for (leaf, shape) in waiting {
            again.waits(tree, routes, leaf, shape, true);
        }
        for member in tree.ids().filter(|member| self.children(*member).is_empty()) {
            again.refresh(tree, member);
        }
        let known = self.kept.iter().chain([&self.now]).map(|judged| judged.saturated);
        for saturated in known {
            let (mut known, mut again) = (self.clone(), again.clone());
            known.judge(tree, routes, saturated);
            again.judge(tree, routes, saturated);
            if !known.is_same(&again) {
                return Err("rescaled shares differ from those recomputed".to_owned());
            }
        }
        Ok(())
    }

    /// Whether two have come to the same, whatever they keep.
    fn is_same(&self, other: &Self) -> bool {
        self.now.saturated == other.now.saturated
            && self.nodes == other.nodes
            && self.now.sums == other.now.sums
    }
}

/// Whether what a member counts for is asked by anybody: the root has nobody to be compared with, so that nothing is counted
/// for it, and a tree without levels has nothing to judge.
fn is_counted(tree: &Tree, member: MemberId) -> bool {
    member != MemberId::ROOT && tree.member(member).parent != MemberId::ROOT
}

/// `top / bottom`, rounded to the nearest multiple of 2^-bits, in units of that. The bottom is below 2^110.
fn divide(top: u128, bottom: u128, bits: u32) -> u128 {
    let (mut quotient, mut rest, mut left) = (top / bottom, top % bottom, bits);
    while left > 0 {
        let step = bottom.leading_zeros().min(left).max(1);
        quotient = (quotient << step) + (rest << step) / bottom;
        rest = (rest << step) % bottom;
        left -= step;
    }
    quotient + u128::from(rest >= bottom - rest)
}

/// A sum of terms times a ratio, rounded to the nearest unit of the terms. The ratio is below 2^76.
fn multiply(sum: u128, ratio: u128) -> u128 {
    const HALF: u128 = u64::MAX as u128;
    const SHIFT: u32 = RATIO_BITS - 64;
    let (high, low) = (sum >> 64, sum & HALF);
    let (ratio_high, ratio_low) = (ratio >> 64, ratio & HALF);
    let middle = high * ratio_low + low * ratio_high + ((low * ratio_low) >> 64);
    ((high * ratio_high) << (128 - RATIO_BITS)) + ((middle + (1 << (SHIFT - 1))) >> SHIFT)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::id::TeamId;
    use crate::job::{Alternative, ShapeSpec};
    use crate::pool::PoolSpec;
    use crate::resources::Resources;
    use crate::share::Weight;
    use crate::team::TeamSpec;

    fn config(teams: &[(u64, Option<u32>)]) -> Config {
        let pool = PoolSpec::new("all", 7, Resources::new().cpu(13).gpu(8).memory_gib(11));
        let team = |(index, (weight, parent)): (usize, &(u64, Option<u32>))| {
            let mut team = TeamSpec::new(index.to_string()).with_weight(Weight::new(*weight, 3).unwrap());
            team.parent = parent.map(TeamId::new).filter(|parent| parent.index() < index);
            team
        };
        Config::new(vec![pool], teams.iter().enumerate().map(team).collect())
    }

    #[test]
    fn quotients_and_products_are_rounded_to_the_nearest() {
        assert_eq!(divide(1, 3, 2), 1);
        assert_eq!(divide(1, 2, 0), 1);
        assert_eq!(divide(2, 3, 60), ((2_u128 << 60) + 1) / 3);
        assert_eq!(divide((1 << 53) - 1, (1 << 100) + 1, 74), 1 << 27);
        let third = divide(1, 3, RATIO_BITS);
        assert_eq!(multiply(3 << TERM_BITS, third), 1 << TERM_BITS);
        assert_eq!(multiply(u128::from(u64::MAX) << 40, 1 << RATIO_BITS), u128::from(u64::MAX) << 40);
    }

    proptest! {
        #[test]
        fn a_grant_taken_back_leaves_no_trace(
            teams in vec((1_u64..2_000, prop::option::of(0_u32..8)), 2..9),
            waits in vec((0_usize..9, 0_usize..3), 0..8),
            grants in vec((0_usize..9, 0_u64..5_000, 0_u64..5_000, 0_u64..5_000), 1..20),
            saturated in 0_u32..8,
        ) {
            let config = config(&teams);
            let values = Values::new(&config).unwrap();
            let mut tree = Tree::new(&config, &values).unwrap();
            let mut routes = Routes::new(values.count());
            let mut hierarchy = Hierarchy::new(&tree, &values);
            let leaf = |tree: &Tree, team: usize| tree.leaf(TeamId::at(team % teams.len())).unwrap();
            for (team, kind) in waits {
                let request = [Resources::new().gpu(1), Resources::new().cpu(1), Resources::new().memory_gib(1)][kind];
                let shape = ShapeSpec::new(Alternative::new(request));
                let shape = routes.intern(&shape, &config, &values).unwrap();
                hierarchy.waits(&tree, &routes, leaf(&tree, team), shape, true);
            }
            hierarchy.judge(&tree, &routes, saturated);
            let mut trail = Vec::new();
            for (team, a, b, c) in grants {
                let (leaf, charge) = (leaf(&tree, team), [a, b, c]);
                let (key, parent) = (hierarchy.key(&tree, leaf, Some((leaf, &charge))), tree.member(leaf).parent);
                let above = (parent != MemberId::ROOT).then(|| hierarchy.key(&tree, parent, Some((leaf, &charge))));
                trail.push((leaf, charge, hierarchy.clone()));
                tree.grant(leaf, &charge);
                hierarchy.refresh(&tree, leaf);
                prop_assert_eq!(key, hierarchy.key(&tree, leaf, None), "the key after is the key then");
                prop_assert_eq!(above, (parent != MemberId::ROOT).then(|| hierarchy.key(&tree, parent, None)));
            }
            for (leaf, charge, before) in trail.into_iter().rev() {
                tree.release(leaf, &charge);
                hierarchy.refresh(&tree, leaf);
                prop_assert!(hierarchy.is_same(&before));
            }
        }
    }
}
