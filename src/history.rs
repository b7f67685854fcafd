//! History: what teams have used, decayed, and the fair-tree ranks that follow from it.
//!
//! The usage H of a member halves in every half-life and grows by what its running jobs hold: over a time Δ in which they
//! hold a, H becomes H·2^(−Δ/h) + a·(h/ln 2)·(1 − 2^(−Δ/h)), exactly. What a job holds is one number: its largest share
//! of the capacity of a group.
//!
//! Source: Slurm's multifactor priority with its fair-tree algorithm (`priority_multifactor`, `fair_tree`, the documents of
//! version 24). A team's level is its part of the weight among its siblings over its part of their usage, infinite without
//! usage. Siblings are gone through by falling level, each with all below it before the next; those whose levels tie are
//! merged, the children of one beside those of the other. The first of n leaves gets n, and ties share a rank.
//! Deviations: usage is a share of the capacity and not billed units; levels that agree in 32 binary digits tie. As in
//! Slurm, ranks are worked out anew once in a period and stand still between.
//!
//! Invariant: the rate of a member is the sum over the running jobs below it.
//! Absent on purpose: shares now (see `tree`), and evictions, which history never decides. Layer 3; uses `tree`, `value`.

use core::f64::consts::LN_2;

use crate::config::PolicySpec;
use crate::id::IdVec;
use crate::snapshot::{Float, Usage};
use crate::time::Timestamp;
use crate::tree::{MemberId, Tree};
use crate::value::Values;

/// A rate of one whole capacity.
const WHOLE: u64 = 1 << 40;

/// Lowest binary digits of a level that do not count.
const LEVEL_NOISE: u32 = 20;

/// More than anybody can use of all that there is for as long as there is time; sums of it are no infinity.
const USED_MAX: f64 = 1e40;

/// What one member has used.
#[derive(Clone, Copy, Debug)]
struct Account {
    /// Decayed usage as of `since`, in `WHOLE` times milliseconds.
    used: f64,
    /// What its running jobs hold, in parts of `WHOLE`.
    rate: u64,
    since: Timestamp,
}

/// The usage of all members, and the points of the leaves.
#[derive(Clone, Debug)]
pub(crate) struct History {
    half_life_ms: u64,
    period_ms: u64,
    /// What the first rank is worth.
    most: u64,
    accounts: IdVec<MemberId, Account>,
    children: IdVec<MemberId, Vec<MemberId>>,
    /// Integer weight among the siblings.
    weights: IdVec<MemberId, u128>,
    points: IdVec<MemberId, u64>,
    /// When ranks are worked out again.
    next: Timestamp,
}

impl History {
    /// A history without any use; the first of all leaves will have `most` points.
    pub(crate) fn new(tree: &Tree, policy: &PolicySpec, most: u64) -> Self {
        let mut children: IdVec<MemberId, Vec<MemberId>> = tree.ids().map(|_| Vec::new()).collect();
        // The jobs that a team with children holds itself are counted from its first such job on (see `joins`).
        let is_team =
            |member: &MemberId| tree.member(*member).team.and_then(|team| tree.node(team)) == Some(*member);
        for member in tree.ids().filter(is_team) {
            children[tree.member(member).parent].push(member);
        }
        Self {
            half_life_ms: policy.half_life.get().max(1),
            period_ms: policy.rank_period.get().max(1),
            most,
            accounts: tree.ids().map(|_| Account { used: 0.0, rate: 0, since: Timestamp::MIN }).collect(),
            children,
            weights: tree.ids().map(|member| tree.weight(member)).collect(),
            points: tree.ids().map(|_| 0).collect(),
            next: Timestamp::MIN,
        }
    }

    /// What a start adds to the rate of its team: the largest share of what it is charged.
    pub(crate) fn rate(values: &Values, charge: &[u64]) -> u64 {
        let part = |(group, amount): (usize, &u64)| {
            u128::from(*amount) * u128::from(WHOLE) / u128::from(values.capacity(group))
        };
        let most = charge.iter().enumerate().map(part).max().unwrap_or(0);
        u64::try_from(most).unwrap_or(WHOLE)
    }

    /// A leaf has a job.
    pub(crate) fn joins(&mut self, tree: &Tree, leaf: MemberId) {
        let siblings = &mut self.children[tree.member(leaf).parent];
        if let Err(at) = siblings.binary_search(&leaf) {
            siblings.insert(at, leaf);
            self.next = Timestamp::MIN;
        }
    }

    /// A job of a leaf has started, or stopped.
    pub(crate) fn changes(&mut self, tree: &Tree, leaf: MemberId, now: Timestamp, rate: u64, starts: bool) {
        for member in tree.path(leaf) {
            let used = self.used(member, now);
            let account = &mut self.accounts[member];
            let rate = if starts { account.rate + rate } else { account.rate - rate };
            *account = Account { used, rate, since: now };
        }
    }

    /// What a leaf or a team has used as it was last counted; nothing for a leaf that has never had a job.
    pub(crate) fn usage(&self, tree: &Tree, member: MemberId) -> Option<Usage> {
        self.children[tree.member(member).parent].binary_search(&member).ok()?;
        let Account { used, since, .. } = self.accounts[member];
        let counted = Some(since).filter(|since| *since > Timestamp::MIN);
        Some(Usage { used: Float::of(used), counted })
    }

    /// From now on a member has used so much; whether that is an amount.
    pub(crate) fn set_usage(&mut self, tree: &Tree, member: MemberId, usage: Usage) -> bool {
        let used = usage.used.get();
        if !(0.0..=USED_MAX).contains(&used) {
            return false;
        }
        self.joins(tree, member);
        let since = usage.counted.unwrap_or(Timestamp::MIN);
        self.accounts[member] = Account { used, since, ..self.accounts[member] };
        true
    }

    /// From now on the ranks are these, until some instant.
    pub(crate) fn set_ranks(&mut self, points: impl Iterator<Item = (MemberId, u64)>, next: Timestamp) {
        for (leaf, points) in points {
            self.points[leaf] = points;
        }
        self.next = next;
    }

    /// The decayed usage of a member.
    fn used(&self, member: MemberId, now: Timestamp) -> f64 {
        let Account { used, rate, since } = self.accounts[member];
        decay(used, rate, now.since(since).get(), self.half_life_ms)
    }

    /// The points of a leaf, as of the last time that ranks were worked out.
    #[inline]
    pub(crate) fn points(&self, leaf: MemberId) -> u64 {
        self.points[leaf]
    }

    /// When ranks are worked out again.
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// Works the ranks out anew where it is time to; whether any has changed.
    pub(crate) fn tick(&mut self, now: Timestamp) -> bool {
        if now < self.next {
            return false;
        }
        let period = i64::try_from(self.period_ms).unwrap_or(i64::MAX);
        let next = now.as_millis().div_euclid(period).checked_add(1).and_then(|n| n.checked_mul(period));
        self.next = next.map_or(Timestamp::MAX, Timestamp::from_millis);
        let used: Vec<f64> =
            (0..self.accounts.len()).map(|index| self.used(MemberId::at(index), now)).collect();
        let before = self.points.clone();
        let levels = self.levels(&used);
        let is_leaf = |member: &&MemberId| self.children[**member].is_empty();
        let leaves = self.children.iter().flatten().filter(is_leaf).count() as u64;
        let (children, rank, left) = (&self.children, leaves, leaves);
        let mut ranking = Ranking { levels: &levels, children, rank, left, ranks: Vec::new() };
        ranking.descend(self.children[MemberId::ROOT].clone());
        for (leaf, rank) in core::mem::take(&mut ranking.ranks) {
            let points = u128::from(self.most) * u128::from(rank) / u128::from(leaves.max(1));
            self.points[leaf] = u64::try_from(points).unwrap_or(u64::MAX);
        }
        before != self.points
    }

    /// The level of every member: the larger, the less it has used for its weight.
    #[expect(
        clippy::cast_precision_loss,
        reason = "levels order admissions only, and tie by design where they are close"
    )]
    fn levels(&self, used: &[f64]) -> IdVec<MemberId, u64> {
        let mut levels: IdVec<MemberId, u64> = self.accounts.iter().map(|_| 0).collect();
        for siblings in self.children.iter() {
            let weight: u128 = siblings.iter().map(|member| self.weights[*member]).sum();
            let usage: f64 = siblings.iter().map(|member| used[crate::id::Id::index(*member)]).sum();
            for member in siblings {
                let own = used[crate::id::Id::index(*member)];
                let part = self.weights[*member] as f64 / weight as f64;
                let level = if own > 0.0 { part / (own / usage) } else { f64::INFINITY };
                levels[*member] = (level.to_bits() + (1 << (LEVEL_NOISE - 1))) >> LEVEL_NOISE;
            }
        }
        levels
    }

    /// Compares the rates with those of the jobs that run; the difference, in words.
    pub(crate) fn check(
        &self,
        tree: &Tree,
        running: impl Iterator<Item = (MemberId, u64)>,
    ) -> Result<(), String> {
        let mut rates: IdVec<MemberId, u64> = self.accounts.iter().map(|_| 0).collect();
        for (leaf, rate) in running {
            tree.path(leaf).for_each(|member| rates[member] += rate);
        }
        if self.accounts.iter().map(|account| account.rate).eq(rates.iter().copied()) {
            return Ok(());
        }
        Err("the rates of use are not those of the running jobs".to_owned())
    }
}

/// The walk through the tree that hands out ranks.
struct Ranking<'a> {
    levels: &'a IdVec<MemberId, u64>,
    children: &'a IdVec<MemberId, Vec<MemberId>>,
    /// The rank handed out last.
    rank: u64,
    /// Leaves without a rank.
    left: u64,
    ranks: Vec<(MemberId, u64)>,
}

impl Ranking<'_> {
    /// Ranks all leaves at or below `siblings`.
    fn descend(&mut self, siblings: Vec<MemberId>) {
        // The siblings at each level that are left, and the usage of those ranked before them there.
        let mut stack = vec![(self.sorted(siblings), None)];
        // Whether the next are tied with the last one ranked.
        let mut tied = false;
        while let Some((siblings, before)) = stack.last_mut() {
            let Some(first) = siblings.last().copied() else {
                stack.pop();
                continue;
            };
            let level = self.levels[first];
            tied = before.map_or(tied, |before| before == level);
            *before = Some(level);
            if self.children[first].is_empty() {
                if !tied {
                    self.rank = self.left;
                }
                self.ranks.push((first, self.rank));
                self.left -= 1;
                siblings.pop();
            } else {
                let merged =
                    siblings.iter().rev().take_while(|member| self.levels[**member] == level).count();
                let merged = siblings.split_off(siblings.len() - merged);
                let below = merged.iter().rev().flat_map(|member| self.children[*member].iter().copied());
                let below = self.sorted(below.collect());
                stack.push((below, None));
            }
        }
    }

    /// Siblings in the order of their ranks, the first last.
    fn sorted(&self, mut siblings: Vec<MemberId>) -> Vec<MemberId> {
        let has_children = |member: MemberId| !self.children[member].is_empty();
        siblings.sort_by_key(|member| (core::cmp::Reverse(self.levels[*member]), has_children(*member)));
        siblings.reverse();
        siblings
    }
}

/// Usage after `passed_ms` in which jobs held `rate`.
#[expect(clippy::cast_precision_loss, reason = "usage orders admissions only")]
fn decay(used: f64, rate: u64, passed_ms: u64, half_life_ms: u64) -> f64 {
    let half_lives = passed_ms as f64 / half_life_ms as f64;
    // What decays of the whole, without subtracting from one: beside a long half-life it is next to nothing.
    let gone = -libm::expm1(-half_lives * LN_2);
    used * libm::exp2(-half_lives) + rate as f64 * (half_life_ms as f64 / LN_2) * gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::id::TeamId;
    use crate::pool::PoolSpec;
    use crate::resources::Resources;
    use crate::share::Weight;
    use crate::team::TeamSpec;

    /// The leaves by rank, and the rank of each, for rows of (name, parent, shares, usage).
    fn ranks(rows: &[(&str, &str, u64, u32)]) -> Vec<(String, u64)> {
        let at = |name: &str| rows.iter().position(|row| row.0 == name);
        let team = |row: &(&str, &str, u64, u32)| {
            let mut team = TeamSpec::new(row.0).with_weight(Weight::new(row.2, 1).unwrap());
            team.parent = at(row.1).map(TeamId::at);
            team
        };
        let pool = PoolSpec::new("all", 1, Resources::new().cpu(1));
        let config = Config::new(vec![pool], rows.iter().map(team).collect());
        let values = Values::new(&config).unwrap();
        let tree = Tree::new(&config, &values).unwrap();
        let parents: Vec<MemberId> = tree.ids().map(|member| tree.member(member).parent).collect();
        let leaves = (1..=rows.len()).map(MemberId::at).filter(|member| !parents.contains(member));
        let leaves: Vec<MemberId> = leaves.collect();
        let mut history = History::new(&tree, &PolicySpec::default(), leaves.len() as u64);
        for (index, row) in rows.iter().enumerate() {
            history.accounts[tree.node(TeamId::at(index)).unwrap()].used = f64::from(row.3);
        }
        history.accounts.iter_mut().for_each(|account| account.since = Timestamp::ZERO);
        history.tick(Timestamp::ZERO);
        let name = |leaf: MemberId| rows[crate::id::Id::index(leaf) - 1].0.to_owned();
        let mut ranks: Vec<_> = leaves.into_iter().map(|leaf| (name(leaf), history.points(leaf))).collect();
        ranks.sort_by_key(|(_, rank)| core::cmp::Reverse(*rank));
        ranks
    }

    fn names(ranks: &[(String, u64)]) -> Vec<&str> {
        ranks.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn usage_halves_in_a_half_life_and_nothing_is_linearised() {
        assert!((decay(1.0, 0, 60_000, 60_000) - 0.5).abs() < 1e-15);
        // From nothing, a rate held for ever comes to rate·h/ln 2; for one half-life, to half of that.
        let whole = 60_000.0 / LN_2;
        assert!((decay(0.0, 1, 60_000, 60_000) - whole / 2.0).abs() < 1e-9);
        // Without decay, as much as was held: to the last digits.
        assert!((decay(0.0, 1, 7, u64::MAX) - 7.0).abs() < 1e-12);
        // Two steps are as good as one.
        let (once, first) = (decay(3.0, 5, 7_000, 60_000), decay(3.0, 5, 2_500, 60_000));
        assert!((decay(first, 5, 4_500, 60_000) - once).abs() < 1e-9);
    }

    #[test]
    fn the_ranks_of_the_worked_example() {
        // d2 has used nothing; D is above A; a1 has used less than a2: 1, 3/4, 1/2, 1/4.
        let rows = [
            ("A", "", 40, 45),
            ("D", "", 60, 25),
            ("a1", "A", 1, 20),
            ("a2", "A", 1, 25),
            ("d1", "D", 25, 25),
            ("d2", "D", 35, 0),
        ];
        let expected = [("d2", 4), ("d1", 3), ("a1", 2), ("a2", 1)];
        assert_eq!(ranks(&rows), expected.map(|(name, rank)| (name.to_owned(), rank)));
    }

    #[test]
    fn a_leaf_comes_before_the_account_that_it_ties_with() {
        let rows = [
            ("leaf.0.1", "", 100, 12),
            ("account1", "", 1000, 120),
            ("leaf.1.1", "account1", 10_000, 100),
            ("leaf.1.2", "account1", 1000, 10),
            ("leaf.1.3", "account1", 100_000, 10),
            ("account3", "", 10, 1),
            ("leaf.3.1", "account3", 100, 0),
            ("leaf.3.2", "account3", 10, 1),
        ];
        let ranks = ranks(&rows);
        assert_eq!(names(&ranks), ["leaf.3.1", "leaf.3.2", "leaf.0.1", "leaf.1.3", "leaf.1.1", "leaf.1.2"]);
        // The last two tie; so does the best of the account with the leaf beside it.
        assert_eq!(ranks.iter().map(|(_, rank)| *rank).collect::<Vec<_>>(), [6, 5, 4, 4, 2, 2]);
    }

    #[test]
    fn accounts_are_gone_through_one_after_the_other() {
        let rows = [
            ("account1", "", 1000, 121),
            ("leaf.1.1", "account1", 10_000, 100),
            ("leaf.1.2", "account1", 1000, 11),
            ("leaf.1.3", "account1", 100_000, 10),
            ("account2", "", 100, 11),
            ("leaf.2.1", "account2", 100_000, 8),
            ("leaf.2.2", "account2", 10_000, 3),
            ("account3", "", 10, 1),
            ("leaf.3.1", "account3", 100, 0),
            ("leaf.3.2", "account3", 10, 1),
        ];
        let expected = ["leaf.3.1", "leaf.3.2", "leaf.2.1", "leaf.2.2", "leaf.1.3", "leaf.1.1", "leaf.1.2"];
        assert_eq!(names(&ranks(&rows)), expected);
    }

    #[test]
    fn the_children_of_accounts_that_tie_are_merged() {
        let rows = [
            ("one", "", 1, 10),
            ("two", "", 1, 10),
            ("one.busy", "one", 1, 8),
            ("one.idle", "one", 1, 2),
            ("two.busy", "two", 1, 7),
            ("two.idle", "two", 1, 3),
        ];
        assert_eq!(names(&ranks(&rows)), ["one.idle", "two.idle", "two.busy", "one.busy"]);
    }
}
