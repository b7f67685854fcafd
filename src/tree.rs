//! Tree: the team tree as the scheduler counts in it: who holds how much, at every level.
//!
//! A *member* is whatever competes among siblings: the root, every team, and for a team that has both children and
//! jobs one more leaf of weight one, which holds those jobs. Usage is kept per member and share group as exact
//! integers, added and taken away along the path to the root.
//!
//! Invariant: the usage of a member is the sum of the charges of the running jobs below it.
//! Absent on purpose: waiting jobs (see `pending`), nodes (see `ledger`). Layer 2; uses `value` and the
//! specifications.

use core::cmp::Reverse;
use std::sync::Arc;

use crate::config::{Config, Preemption};
use crate::error::{Error, ErrorKind};
use crate::id::{Id, IdVec, TeamId};
use crate::share::{Share, ShareKey, Weight, gcd};
use crate::value::Values;

/// Largest integer that a weight may become among its siblings.
const WEIGHT_LIMIT: u128 = 1 << 20;

/// Whatever competes among siblings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct MemberId(u32);

impl MemberId {
    /// The root of the tree.
    pub(crate) const ROOT: Self = Self(0);

    pub(crate) fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

impl Id for MemberId {
    #[inline]
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the shares of one member are divided by, group by group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale<'a> {
    /// Valued capacity of the group times the member's weight as an integer among its siblings: below 2^73.
    pub(crate) divisors: &'a [u128],
    /// Their reciprocals, rounded: ordering hints only, and mostly all that is looked at.
    pub(crate) reciprocals: &'a [f64],
}

/// One member; two lie in one line of the cache.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(32))]
pub(crate) struct Member {
    /// The member above; the root is its own.
    pub(crate) parent: MemberId,
    /// The team that it stands for; `None` for the root.
    pub(crate) team: Option<TeamId>,
    /// Running jobs below it.
    pub(crate) running: u32,
    /// The number of the last grant below it; zero before the first.
    pub(crate) served: u64,
    /// Place among its siblings where all else ties.
    pub(crate) tie: u32,
}

const _: () = assert!(size_of::<Member>() == 32, "a member takes half of a line of the cache");

/// The weight of a member among its siblings, all of them multiplied by what they have in common.
#[derive(Clone, Copy, Debug)]
struct Integer {
    weight: u128,
    common: u64,
}

/// So many levels are gone down by calls, one within the other.
const FLIGHT: usize = 64;

/// The tree with what everybody holds.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    members: IdVec<MemberId, Member>,
    /// The member that holds the jobs of a team.
    leaf: IdVec<TeamId, MemberId>,
    /// The member that stands for a team among its siblings.
    node: IdVec<TeamId, MemberId>,
    groups: usize,
    /// Valued usage, `groups` entries a member.
    usage: Vec<u64>,
    /// Divisors and their reciprocals, `groups` entries a member; they never change, and copies share them.
    divisors: Arc<[u128]>,
    reciprocals: Arc<[f64]>,
    /// Weights as integers, by member; copies share them, too.
    weights: Arc<[Integer]>,
    /// Members at every so many levels, the deepest first.
    landings: Arc<[MemberId]>,
    /// Their weighted dominant shares, rounded, where they are asked for often: ordering hints only.
    hints: Vec<f64>,
    grants: u64,
}

impl Tree {
    /// Builds the tree of a configuration with nothing running.
    pub(crate) fn new(config: &Config, values: &Values) -> Result<Self, Error> {
        let teams = &config.teams;
        let mut tree = Self {
            members: IdVec::new(),
            leaf: IdVec::new(),
            node: IdVec::new(),
            groups: values.count(),
            usage: Vec::new(),
            divisors: Arc::default(),
            reciprocals: Arc::default(),
            weights: Arc::default(),
            landings: Arc::default(),
            hints: Vec::new(),
            grants: 0,
        };
        check_parents(config)?;
        tree.add(MemberId::ROOT, None);
        let mut has_children = vec![false; teams.len()];
        for (index, team) in teams.iter().enumerate() {
            let parent = team.parent.map_or(MemberId::ROOT, |parent| MemberId::at(parent.index() + 1));
            let member = tree.add(parent, Some(TeamId::at(index)));
            tree.node.push(member);
            tree.leaf.push(member);
            if let Some(flag) = team.parent.and_then(|parent| has_children.get_mut(parent.index())) {
                *flag = true;
            }
        }
        let mut weights: Vec<Weight> =
            Some(Weight::ONE).into_iter().chain(teams.iter().map(|t| t.weight)).collect();
        for index in (0..teams.len()).filter(|index| has_children[*index]) {
            let team = TeamId::at(index);
            let leaf = tree.add(tree.node[team], Some(team));
            // A team's own jobs stand where the team does: before the teams below it that are configured after it.
            tree.members[leaf].tie = tree.members[tree.node[team]].tie;
            tree.leaf[team] = leaf;
            weights.push(Weight::ONE);
        }
        tree.set_scales(config, values, &weights)?;
        if config.policy.preemption != Preemption::None {
            tree.hints = vec![0.0; tree.len()];
        }
        let levels = tree.ids().map(|member| (tree.path(member).count() - 1, member));
        let mut landings: Vec<_> = levels.filter(|(level, _)| *level > 0 && level % FLIGHT == 0).collect();
        landings.sort_by_key(|(level, member)| (Reverse(*level), *member));
        tree.landings = landings.into_iter().map(|(_, member)| member).collect();
        Ok(tree)
    }

    /// Members at every so many levels, the deepest first, for whoever goes down the tree by calls of itself.
    #[inline]
    pub(crate) fn landings(&self) -> &[MemberId] {
        &self.landings
    }

    fn add(&mut self, parent: MemberId, team: Option<TeamId>) -> MemberId {
        let member = MemberId::at(self.members.len());
        self.members.push(Member { parent, team, running: 0, served: 0, tie: member.0 });
        self.usage.resize(self.members.len() * self.groups, 0);
        member
    }

    /// Turns the weights of siblings into integers by their common denominator.
    fn set_scales(&mut self, config: &Config, values: &Values, weights: &[Weight]) -> Result<(), Error> {
        let mut common: IdVec<MemberId, u128> = self.members.iter().map(|_| 1).collect();
        let too_fine = |member: &Member| {
            let team = member.team.and_then(|team| config.teams.get(team.index()));
            Error::from(ErrorKind::Weight { team: team.map_or_else(String::new, |team| team.name.clone()) })
        };
        for (member, weight) in self.members.iter().zip(weights) {
            let (scale, denominator) = (common[member.parent], u128::from(weight.denominator()));
            let lcm = scale / gcd(scale, denominator) * denominator;
            if lcm > WEIGHT_LIMIT {
                return Err(too_fine(member));
            }
            common[member.parent] = lcm;
        }
        let mut divisors = Vec::with_capacity(self.members.len() * self.groups);
        let mut integers = Vec::with_capacity(self.members.len());
        for (member, weight) in self.members.iter().zip(weights) {
            let scale = common[member.parent];
            let integer = scale / u128::from(weight.denominator()) * u128::from(weight.numerator());
            if integer > WEIGHT_LIMIT {
                return Err(too_fine(member));
            }
            for group in 0..self.groups {
                let divisor = u128::from(values.capacity(group)) * integer;
                divisors.push(divisor);
            }
            integers.push(Integer { weight: integer, common: u64::try_from(scale).unwrap_or(u64::MAX) });
        }
        #[expect(clippy::cast_precision_loss, reason = "an ordering hint, settled exactly where it is close")]
        let reciprocals = divisors.iter().map(|divisor| 1.0 / *divisor as f64).collect();
        (self.divisors, self.reciprocals) = (divisors.into(), reciprocals);
        self.weights = integers.into();
        Ok(())
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// All members in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        (0..self.members.len()).map(MemberId::at)
    }

    #[inline]
    pub(crate) fn member(&self, member: MemberId) -> &Member {
        &self.members[member]
    }

    /// The member that holds the jobs of `team`.
    pub(crate) fn leaf(&self, team: TeamId) -> Option<MemberId> {
        self.leaf.get(team).copied()
    }

    /// The team whose jobs a leaf holds.
    #[inline]
    pub(crate) fn owner(&self, leaf: MemberId) -> TeamId {
        let team = self.members[leaf].team;
        debug_assert!(team.is_some(), "the root, which stands for no team, holds no jobs");
        team.unwrap_or(TeamId::new(0))
    }

    /// The member that stands for `team` among its siblings.
    pub(crate) fn node(&self, team: TeamId) -> Option<MemberId> {
        self.node.get(team).copied()
    }

    /// Valued usage of a member, by group.
    #[inline]
    pub(crate) fn usage(&self, member: MemberId) -> &[u64] {
        let start = member.index() * self.groups;
        &self.usage[start..start + self.groups]
    }

    /// The weighted dominant share of a member, rounded: an ordering hint only.
    #[inline]
    pub(crate) fn hint(&self, member: MemberId) -> f64 {
        let known = self.hints.get(member.index()).copied();
        known.unwrap_or_else(|| hint(self.usage(member).iter().copied(), self.scale(member).reciprocals))
    }

    /// What the weights of a member and its siblings were multiplied by to become integers.
    pub(crate) fn common(&self, member: MemberId) -> u128 {
        u128::from(self.weights[member.index()].common)
    }

    /// The weight of a member as an integer, beside those of its siblings.
    pub(crate) fn weight(&self, member: MemberId) -> u128 {
        self.weights[member.index()].weight
    }

    /// Divisors of a member, by group.
    #[inline]
    pub(crate) fn scale(&self, member: MemberId) -> Scale<'_> {
        let groups = member.index() * self.groups..(member.index() + 1) * self.groups;
        Scale { divisors: &self.divisors[groups.clone()], reciprocals: &self.reciprocals[groups] }
    }

    /// From now on the last grants to leaves have these numbers. That of any member above is the last below it.
    pub(crate) fn set_served(&mut self, served: impl Iterator<Item = (MemberId, u64)>) {
        self.members.iter_mut().for_each(|member| member.served = 0);
        for (leaf, served) in served {
            self.walk(leaf, &[], |member| member.served = member.served.max(served), |held, _| held);
        }
        self.grants = self.members[MemberId::ROOT].served;
    }

    /// A job starts below `leaf`: its charge is added at every member up to the root.
    pub(crate) fn grant(&mut self, leaf: MemberId, charge: &[u64]) {
        self.grants += 1;
        let served = self.grants;
        let starts = |member: &mut Member| {
            member.running += 1;
            member.served = served;
        };
        self.walk(leaf, charge, starts, |held, more| held + more);
    }

    /// A job below `leaf` has stopped: its charge is taken away again.
    pub(crate) fn release(&mut self, leaf: MemberId, charge: &[u64]) {
        let stops = |member: &mut Member| {
            debug_assert!(member.running > 0, "a member without running jobs releases one");
            member.running -= 1;
        };
        self.walk(leaf, charge, stops, |held, less| {
            debug_assert!(held >= less, "a member gives back more than it holds");
            held - less
        });
    }

    /// A release below `leaf` is taken back, as if it had not been.
    pub(crate) fn take_back(&mut self, leaf: MemberId, charge: &[u64]) {
        self.walk(leaf, charge, |member| member.running += 1, |held, more| held + more);
    }

    /// Whether all that is held is as in another tree of the same teams.
    pub(crate) fn holds_the_same(&self, other: &Self) -> bool {
        self.usage == other.usage && self.hints == other.hints && self.members.iter().eq(other.members.iter())
    }

    /// What is held from `leaf` to the root is as in another tree of the same teams from now on.
    pub(crate) fn follow(&mut self, other: &Self, leaf: MemberId) {
        self.grants = other.grants;
        let mut at = leaf;
        loop {
            let groups = at.index() * self.groups..(at.index() + 1) * self.groups;
            self.usage[groups.clone()].copy_from_slice(&other.usage[groups]);
            self.members[at] = other.members[at];
            if let Some((known, hint)) = self.hints.get_mut(at.index()).zip(other.hints.get(at.index())) {
                *known = *hint;
            }
            if at == MemberId::ROOT {
                return;
            }
            at = self.members[at].parent;
        }
    }

    /// The members from `leaf` to the root, both included.
    #[inline]
    pub(crate) fn path(&self, leaf: MemberId) -> impl Iterator<Item = MemberId> + '_ {
        let mut next = Some(leaf);
        core::iter::from_fn(move || {
            let at = next?;
            next = (at != MemberId::ROOT).then(|| self.members[at].parent);
            Some(at)
        })
    }

    /// Calls `f` for each member from `leaf` to the root, both included, and `of` for what it holds of each group, with the charge.
    #[inline]
    fn walk(
        &mut self,
        leaf: MemberId,
        charge: &[u64],
        mut f: impl FnMut(&mut Member),
        of: impl Fn(u64, u64) -> u64,
    ) {
        let mut at = leaf;
        loop {
            // Two groups as a rule: a loop that may end at any of them stays a short one.
            let start = at.index() * self.groups;
            for (group, charge) in charge.iter().enumerate() {
                let held = &mut self.usage[start + group];
                *held = of(*held, *charge);
            }
            if !self.hints.is_empty() {
                self.note_hint(at);
            }
            let member = &mut self.members[at];
            f(member);
            if at == MemberId::ROOT {
                return;
            }
            at = member.parent;
        }
    }

    #[inline(never)]
    fn note_hint(&mut self, member: MemberId) {
        let groups = member.index() * self.groups..(member.index() + 1) * self.groups;
        self.hints[member.index()] =
            hint(self.usage[groups.clone()].iter().copied(), &self.reciprocals[groups]);
    }

    /// The child of the root that a member is, or lies below.
    pub(crate) fn below_root(&self, member: MemberId) -> MemberId {
        self.path(member).take_while(|at| *at != MemberId::ROOT).last().unwrap_or(member)
    }

    /// The two members that compete for what is below either: children of the lowest member above both.
    pub(crate) fn rivals(&self, a: MemberId, b: MemberId) -> (MemberId, MemberId) {
        let depth = |mut at: MemberId| {
            let mut depth = 0_u32;
            while at != MemberId::ROOT {
                at = self.members[at].parent;
                depth += 1;
            }
            depth
        };
        let (mut a, mut b) = (a, b);
        let (mut depth_a, mut depth_b) = (depth(a), depth(b));
        while self.members[a].parent != self.members[b].parent {
            let (up_a, up_b) = (depth_a >= depth_b, depth_b >= depth_a);
            if up_a {
                (a, depth_a) = (self.members[a].parent, depth_a - 1);
            }
            if up_b {
                (b, depth_b) = (self.members[b].parent, depth_b - 1);
            }
        }
        (a, b)
    }

    /// The two members by which jobs of two leaves are compared: twice the leaf itself where it is one.
    pub(crate) fn sides(&self, a: MemberId, b: MemberId) -> (MemberId, MemberId) {
        if a == b { (a, b) } else { self.rivals(a, b) }
    }

    /// The exact key of a member, with `charge` added.
    pub(crate) fn key(&self, member: MemberId, charge: &[u64]) -> ShareKey {
        let usage = self.usage(member).iter().enumerate();
        let held = usage.map(|(group, usage)| usage + charge.get(group).copied().unwrap_or(0));
        self.key_if(member, held)
    }

    /// The exact key that a member would have if it held so much, by group.
    pub(crate) fn key_if(&self, member: MemberId, held: impl Iterator<Item = u64>) -> ShareKey {
        let common = self.common(member);
        let shares = held.zip(self.scale(member).divisors);
        shares.filter_map(|(held, divisor)| Share::new(u128::from(held) * common, *divisor)).collect()
    }
}

/// The keys of the two members that were asked for last: victims of one plan mostly share them.
#[derive(Default)]
pub(crate) struct Keys([Option<(MemberId, ShareKey)>; 2]);

impl Keys {
    /// The key of a member in a tree, the same for all that are asked for.
    pub(crate) fn of(&mut self, tree: &Tree, member: MemberId) -> ShareKey {
        if let Some((_, key)) = self.0.iter().flatten().find(|(known, _)| *known == member) {
            return key.clone();
        }
        let key = tree.key(member, &[]);
        self.0.rotate_right(1);
        self.0[0] = Some((member, key.clone()));
        key
    }
}

/// The weighted dominant share of what is held, rounded: an ordering hint only.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "an ordering hint; valued usage is below 2^53 in any case")]
pub(crate) fn hint(held: impl Iterator<Item = u64>, reciprocals: &[f64]) -> f64 {
    let mut largest = 0.0;
    for (held, reciprocal) in held.zip(reciprocals) {
        // Signed, since that is one instruction.
        let share = held.cast_signed() as f64 * reciprocal;
        largest = if share > largest { share } else { largest };
    }
    largest
}

/// Every parent is a team, and no team lies below itself.
fn check_parents(config: &Config) -> Result<(), Error> {
    let teams = &config.teams;
    for team in teams {
        let refuse = || ErrorKind::Parent { team: team.name.clone() };
        let (mut above, mut steps) = (team.parent, 0);
        while let Some(parent) = above {
            above = teams.get(parent.index()).ok_or_else(refuse)?.parent;
            steps += 1;
            if steps > teams.len() {
                return Err(refuse().into());
            }
        }
    }
    Ok(())
}
