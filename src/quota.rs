//! Quota: what is guaranteed to each team, the most that it may hold, and what it keeps for itself.
//!
//! Per member, pool and resource that any of this names: the configured amounts, and how much is used. A running job
//! counts as *guaranteed* at an ancestor if that ancestor's guaranteed jobs, this one included, stay within its quota;
//! it carries one bit for each of the first ancestors, and is promoted when quota frees up.
//!
//! Invariant: `used` is the sum over the running jobs below a member, `guaranteed` over those with the bit.
//! Absent on purpose: shares and order. Layer 3; uses `tree`, `route`.

mod borrowers;
mod row;
mod spare;

use core::cmp::Reverse;
use std::collections::BTreeMap;

use self::borrowers::Borrowers;
use self::row::{Entry, Row};
pub(crate) use self::spare::SpareQuotas;
use crate::config::{Config, OrderName};
use crate::error::{Error, ErrorKind};
use crate::id::{IdVec, JobId, PoolId, TeamId};
use crate::line::Place;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::route::Route;
use crate::team::{Allowance, TeamSpec};
use crate::time::Timestamp;
use crate::tree::{MemberId, Tree};

/// One bit for each of the first members on the way from a leaf to the root, the leaf first: whether a job is guaranteed there.
/// Further up, where hardly any tree goes, whoever is not is found among those who borrow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Guaranteed(u32);

/// Levels that have a bit.
const BITS: usize = 32;

/// Why a route is denied to a team although there is room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Denied {
    /// The member may not hold more.
    Limit { member: MemberId, kind: ResourceKind, used: Quantity, most: Quantity },
    /// The member has spent its budget.
    Budget { member: MemberId, until: Timestamp },
    /// Other teams keep what is free for themselves.
    Kept { kind: ResourceKind, free: Quantity, kept: Quantity },
}

/// A running job with its class and its place.
type Runs = (i32, Place, JobId);

/// All quotas and what is used of them.
#[derive(Clone, Debug)]
pub(crate) struct Quotas {
    entries: IdVec<MemberId, Row>,
    /// Running jobs that are not guaranteed, for members and pools that have a quota.
    borrowing: IdVec<MemberId, Vec<(PoolId, Borrowers)>>,
    any: bool,
    /// Whether any member may hold no more than so much.
    limits: bool,
    keeps: bool,
}

impl Quotas {
    /// Checks and compiles the quotas of a configuration.
    pub(crate) fn new(config: &Config, tree: &Tree) -> Result<Self, Error> {
        let mut entries: IdVec<MemberId, Row> = tree.ids().map(|_| Row::default()).collect();
        let mut any = false;
        for (index, team) in config.teams.iter().enumerate() {
            let Some(member) = tree.node(TeamId::at(index)) else { continue };
            let quota = named(config, team, "quota", &team.quota)?;
            let limit = named(config, team, "limit", &team.limit)?;
            let borrow = named(config, team, "borrow", &team.borrow)?;
            let lend = named(config, team, "lend", &team.lend)?;
            for pair in quota.keys().chain(limit.keys()).chain(borrow.keys()).chain(lend.keys()) {
                any = true;
                let [quota, limit, borrow, lend] =
                    [&quota, &limit, &borrow, &lend].map(|map| map.get(pair).copied());
                *entries[member].entry(*pair) = Entry { quota, limit, borrow, lend, ..Entry::default() };
            }
        }
        any |= config.teams.iter().any(|team| team.budget.is_some());
        let borrowing = tree.ids().map(|_| Vec::new()).collect();
        let mut quotas = Self { entries, borrowing, any, limits: false, keeps: false };
        let hard = config.policy.order == OrderName::Static;
        if hard && config.teams.iter().all(|team| team.quota.is_empty()) {
            return Err(ErrorKind::StaticWithoutQuota.into());
        }
        if any {
            quotas.settle(config, tree)?;
        }
        Ok(quotas)
    }

    /// Works out everything that follows from the amounts that the teams name.
    fn settle(&mut self, config: &Config, tree: &Tree) -> Result<(), Error> {
        self.inherit(config, tree)?;
        for entry in self.entries.iter_mut().flat_map(Row::entries_mut) {
            let quota = entry.quota.unwrap_or_default();
            let borrowed = entry.borrow.and_then(|more| quota.checked_add(more));
            entry.most = [entry.limit, borrowed].into_iter().flatten().min();
            entry.kept = entry.lend.and_then(|lent| quota.checked_sub(lent)).unwrap_or_default();
            self.keeps |= entry.kept > Quantity::ZERO;
        }
        if config.policy.order == OrderName::Static {
            self.harden(config, tree);
        }
        self.limits = self.entries.iter_mut().flat_map(Row::entries_mut).any(|entry| entry.most.is_some());
        for member in tree.ids() {
            let pairs: Vec<_> = self.entries[member].iter().map(|(pair, _)| pair).collect();
            for (pool, kind) in pairs {
                self.settle_withheld(tree, member, pool, kind);
            }
        }
        for entry in self.entries.iter_mut().flat_map(Row::entries_mut) {
            (entry.withheld_idle, entry.below_idle) = (entry.withheld, entry.below);
        }
        Ok(())
    }

    /// Makes every quota a limit too. What a team's quota does not name in a pool that it names is not limited; a pool
    /// that it does not name is closed to the team, and so is every pool to a team that has no part in any quota.
    fn harden(&mut self, config: &Config, tree: &Tree) {
        let has_any = |row: &Row| row.iter().any(|(_, entry)| entry.quota.is_some());
        let teams = (0..config.teams.len()).filter_map(|team| tree.node(TeamId::at(team)));
        for member in teams.collect::<Vec<_>>() {
            let shares_one = tree.path(member).skip(1).any(|above| has_any(&self.entries[above]));
            if !has_any(&self.entries[member]) && shares_one {
                continue;
            }
            for (index, spec) in config.pools.iter().enumerate() {
                let pool = PoolId::at(index);
                let closed = !self.has_quota(member, pool);
                for (kind, _) in spec.node.iter() {
                    let entry = self.entries[member].entry((pool, kind));
                    let most = if closed { Some(Quantity::ZERO) } else { entry.quota };
                    entry.most = [entry.most, most].into_iter().flatten().min();
                }
            }
        }
    }

    /// Gives inner members without a quota the sum of their children's, and checks that quotas add up.
    fn inherit(&mut self, config: &Config, tree: &Tree) -> Result<(), Error> {
        let mut children: IdVec<MemberId, Vec<MemberId>> = tree.ids().map(|_| Vec::new()).collect();
        for member in tree.ids().filter(|member| *member != MemberId::ROOT) {
            children[tree.member(member).parent].push(member);
        }
        // Children stand behind their parents only by accident of configuration: go by depth, deepest first.
        let mut members: Vec<MemberId> = tree.ids().collect();
        members.sort_by_cached_key(|member| Reverse(tree.path(*member).count()));
        for parent in members {
            let mut sums: BTreeMap<(PoolId, ResourceKind), u128> = BTreeMap::new();
            for child in &children[parent] {
                for (pair, entry) in self.entries[*child].iter() {
                    if let Some(quota) = entry.quota {
                        *sums.entry(pair).or_default() += u128::from(quota.get());
                    }
                }
            }
            let names_none = self.entries[parent].iter().all(|(_, entry)| entry.quota.is_none());
            for ((pool, kind), sum) in sums {
                let own = self.entries[parent].get((pool, kind)).and_then(|entry| entry.quota);
                let capacity = config
                    .pools
                    .get(pool.index())
                    .map_or(0, |spec| u128::from(spec.node[kind].get()) * u128::from(spec.nodes));
                // A resource that a quota does not name is not tested; a pool that it does not name is not guaranteed.
                let names_pool = self.has_quota(parent, pool);
                let most = match own {
                    Some(quota) => u128::from(quota.get()),
                    None if parent == MemberId::ROOT || names_none || names_pool => capacity,
                    None => 0,
                };
                if sum > most {
                    let team = tree.member(parent).team.filter(|_| own.is_some() || !names_none);
                    let parent = team.and_then(|team| config.teams.get(team.index()));
                    return Err(ErrorKind::Quota {
                        parent: parent.map_or_else(String::new, |team| team.name.clone()),
                        pool: config
                            .pools
                            .get(pool.index())
                            .map_or_else(String::new, |pool| pool.name.clone()),
                        kind: config.kinds.name(kind).to_owned(),
                    }
                    .into());
                }
                if names_none && parent != MemberId::ROOT {
                    let quota = u64::try_from(sum).map(Quantity::new).ok();
                    self.entries[parent].entry((pool, kind)).quota = quota;
                }
            }
        }
        Ok(())
    }

    fn without_borrowers(&self) -> Self {
        let Self { entries, any, limits, keeps, .. } = self;
        let borrowing = entries.iter().map(|_| Vec::new()).collect();
        Self { entries: entries.clone(), borrowing, any: *any, limits: *limits, keeps: *keeps }
    }

    /// How much too much a member would hold of each resource of a route after one more start by it.
    pub(crate) fn excess(&self, member: MemberId, route: &Route) -> Vec<(ResourceKind, Quantity)> {
        if !self.limits {
            return Vec::new();
        }
        self.over(member, route, |entry| (entry.used, entry.most))
    }

    /// How much more than its quota would count as guaranteed at a member after one more start by a route.
    pub(crate) fn beyond(&self, member: MemberId, route: &Route) -> Vec<(ResourceKind, Quantity)> {
        self.over(member, route, |entry| (entry.guaranteed, entry.quota))
    }

    fn over<F>(&self, member: MemberId, route: &Route, of: F) -> Vec<(ResourceKind, Quantity)>
    where
        F: Fn(&Entry) -> (Quantity, Option<Quantity>),
    {
        let over = |(kind, amount): (ResourceKind, Quantity)| {
            let (used, most) = of(self.entries[member].get((route.pool, kind))?);
            let sum = used.checked_add(amount)?;
            Some((kind, sum.checked_sub(most?).filter(|over| *over > Quantity::ZERO)?))
        };
        route.total.iter().filter_map(over).collect()
    }

    /// What a member holds of a resource in a pool, and the most that it may; `None` without a limit.
    pub(crate) fn limit(
        &self,
        member: MemberId,
        pool: PoolId,
        kind: ResourceKind,
    ) -> Option<(Quantity, Quantity)> {
        let entry = self.entries[member].get((pool, kind))?;
        Some((entry.used, entry.most?))
    }

    /// A member may hold so much more of a resource in a pool, if that is limited: to try what follows.
    pub(crate) fn allow(&mut self, member: MemberId, pair: (PoolId, ResourceKind), more: Quantity) {
        if let Some(most) = self.entries[member].get_mut(pair).and_then(|entry| entry.most.as_mut()) {
            *most = most.checked_add(more).unwrap_or(*most);
        }
    }

    /// Whether any team has a quota, a limit, a borrowing or a lending limit, or a budget.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Whether any team may be denied a start although there is room: by a limit, or by what others keep.
    #[inline]
    pub(crate) fn can_deny(&self) -> bool {
        self.limits || self.keeps
    }

    /// Whether a member has enough quota left to count one more start by a route as guaranteed.
    #[inline]
    pub(crate) fn is_guaranteed(&self, member: MemberId, route: &Route) -> bool {
        self.entries[member].has_left(route.pool, &route.total)
    }

    /// Why a team may not start a job by a route, if anything stops it; `free` is what the pool has.
    pub(crate) fn denies(
        &self,
        tree: &Tree,
        leaf: MemberId,
        route: &Route,
        free: &Resources,
    ) -> Option<Denied> {
        if !self.can_deny() {
            return None;
        }
        // The member nearest to the root is the one that stands for most teams.
        let mut limit = None;
        for member in tree.path(leaf) {
            for (kind, amount) in route.total.iter() {
                let Some(entry) = self.entries[member].get((route.pool, kind)) else { continue };
                let Some(most) = entry.most else { continue };
                if entry.used.checked_add(amount).is_none_or(|sum| sum > most) {
                    limit = Some(Denied::Limit { member, kind, used: entry.used, most });
                }
            }
        }
        if limit.is_some() || !self.keeps {
            return limit;
        }
        let short = |(kind, amount): (ResourceKind, Quantity)| {
            let kept = self.withheld_from(tree, leaf, route.pool, kind);
            let free = free[kind];
            let open = free.checked_sub(kept).unwrap_or_default();
            (amount > open && amount <= free).then_some(Denied::Kept { kind, free, kept })
        };
        route.total.iter().find_map(short)
    }

    /// Why no job of a leaf could ever start by a route, if that is so: a limit below what it asks, or what others keep
    /// even of an empty pool.
    pub(crate) fn forbids(
        &self,
        tree: &Tree,
        leaf: MemberId,
        route: &Route,
        capacity: &Resources,
    ) -> Option<Denied> {
        if !self.can_deny() {
            return None;
        }
        route.total.iter().find_map(|(kind, amount)| {
            let pair = (route.pool, kind);
            let (mut kept, mut own) = (Quantity::ZERO, Quantity::ZERO);
            for member in tree.path(leaf) {
                let Some(entry) = self.entries[member].get(pair) else {
                    own = Quantity::ZERO;
                    continue;
                };
                if let Some(most) = entry.most.filter(|most| amount > *most) {
                    return Some(Denied::Limit { member, kind, used: Quantity::ZERO, most });
                }
                let beside = entry.below_idle.checked_sub(own).unwrap_or_default();
                kept = kept.checked_add(beside).unwrap_or(kept);
                own = entry.withheld_idle;
            }
            let free = capacity[kind];
            let open = free.checked_sub(kept).unwrap_or_default();
            (amount > open).then_some(Denied::Kept { kind, free, kept })
        })
    }

    /// What the members beside the path of a member keep for themselves.
    pub(crate) fn withheld_from(
        &self,
        tree: &Tree,
        leaf: MemberId,
        pool: PoolId,
        kind: ResourceKind,
    ) -> Quantity {
        let pair = (pool, kind);
        let mut sum = Quantity::ZERO;
        // What is kept below the member itself is kept for its own teams.
        let mut own = self.entries[leaf].get(pair).map_or(Quantity::ZERO, |entry| entry.below);
        for member in tree.path(leaf) {
            let entry = self.entries[member].get(pair);
            let beside = entry.and_then(|entry| entry.below.checked_sub(own)).unwrap_or_default();
            sum = sum.checked_add(beside).unwrap_or(sum);
            own = entry.map_or(Quantity::ZERO, |entry| entry.withheld);
        }
        sum
    }

    /// What must be free in a pool for one more start of a leaf's by a route: what it asks, and of that what others keep.
    pub(crate) fn needs(&self, tree: &Tree, leaf: MemberId, route: &Route) -> Resources {
        let mut needs = route.total;
        if self.keeps {
            for (kind, asked) in route.total.iter() {
                let kept = self.withheld_from(tree, leaf, route.pool, kind);
                needs = needs.with(kind, asked.checked_add(kept).unwrap_or(asked));
            }
        }
        needs
    }

    /// Recomputes what is withheld for a member, and passes the change on to the root.
    fn settle_withheld(&mut self, tree: &Tree, member: MemberId, pool: PoolId, kind: ResourceKind) {
        let mut at = member;
        while at != MemberId::ROOT {
            let Some(entry) = self.entries[at].get_mut((pool, kind)) else { return };
            let idle = entry.kept.checked_sub(entry.used).unwrap_or_default();
            let before = core::mem::replace(&mut entry.withheld, idle.max(entry.below));
            let now = entry.withheld;
            if before == now {
                return;
            }
            at = tree.member(at).parent;
            let above = self.entries[at].entry((pool, kind));
            let rest = above.below.checked_sub(before).unwrap_or_default();
            above.below = rest.checked_add(now).unwrap_or(rest);
        }
    }

    /// A job starts by a route: where it counts as guaranteed.
    #[inline]
    pub(crate) fn grant(&mut self, tree: &Tree, leaf: MemberId, route: &Route, job: Runs) -> Guaranteed {
        if self.any { self.count(tree, leaf, route, job) } else { Guaranteed::default() }
    }

    /// The same where there are any.
    #[inline(never)]
    fn count(&mut self, tree: &Tree, leaf: MemberId, route: &Route, job: Runs) -> Guaranteed {
        self.book(tree, leaf, route, job, |quotas, member| quotas.is_guaranteed(member, route))
    }

    /// A job runs by a route, guaranteed where it is told.
    pub(crate) fn book(
        &mut self,
        tree: &Tree,
        leaf: MemberId,
        route: &Route,
        job: Runs,
        is_guaranteed: impl Fn(&Self, MemberId) -> bool,
    ) -> Guaranteed {
        let mut bits = Guaranteed::default();
        for (level, member) in tree.path(leaf).enumerate() {
            let guaranteed = is_guaranteed(self, member);
            if guaranteed {
                bits.set(level);
            }
            for (kind, entry) in self.entries[member].in_pool_mut(route.pool) {
                let amount = route.total[kind];
                entry.used = entry.used.checked_add(amount).unwrap_or(entry.used);
                if guaranteed {
                    entry.guaranteed = entry.guaranteed.checked_add(amount).unwrap_or(entry.guaranteed);
                }
            }
            if !guaranteed && self.has_quota(member, route.pool) {
                let known = &mut self.borrowing[member];
                let at = known.iter().position(|(pool, _)| *pool == route.pool).unwrap_or_else(|| {
                    known.push((route.pool, Borrowers::default()));
                    known.len() - 1
                });
                known[at].1.insert(job, &route.total);
            }
        }
        self.settle_path(tree, leaf, route);
        bits
    }

    /// Whether a running job counts as guaranteed at a member so many levels above its leaf.
    pub(crate) fn counts(
        &self,
        bits: Guaranteed,
        (level, member): (usize, MemberId),
        route: &Route,
        job: Runs,
    ) -> bool {
        bits.get(level).unwrap_or_else(|| {
            let borrows =
                self.borrowers_in(member, route.pool).is_some_and(|jobs| jobs.contains(job, &route.total));
            self.has_quota(member, route.pool) && !borrows
        })
    }

    /// A job that ran by a route has stopped.
    pub(crate) fn release(
        &mut self,
        tree: &Tree,
        leaf: MemberId,
        route: &Route,
        job: Runs,
        is_guaranteed: impl Fn(&Self, (usize, MemberId)) -> bool,
    ) {
        if !self.any {
            return;
        }
        for (level, member) in tree.path(leaf).enumerate() {
            let guaranteed = is_guaranteed(self, (level, member));
            for (kind, entry) in self.entries[member].in_pool_mut(route.pool) {
                let amount = route.total[kind];
                entry.used = entry.used.checked_sub(amount).unwrap_or_default();
                if guaranteed {
                    entry.guaranteed = entry.guaranteed.checked_sub(amount).unwrap_or_default();
                }
            }
            if !guaranteed && let Some(waiting) = self.borrowers_in_mut(member, route.pool) {
                waiting.remove(job, &route.total);
            }
        }
        self.settle_path(tree, leaf, route);
    }

    fn settle_path(&mut self, tree: &Tree, leaf: MemberId, route: &Route) {
        if self.keeps {
            for member in tree.path(leaf) {
                for (kind, _) in route.total.iter() {
                    self.settle_withheld(tree, member, route.pool, kind);
                }
            }
        }
    }

    #[inline]
    fn borrowers_in(&self, member: MemberId, pool: PoolId) -> Option<&Borrowers> {
        self.borrowing[member].iter().find(|(its, _)| *its == pool).map(|(_, borrowers)| borrowers)
    }

    fn borrowers_in_mut(&mut self, member: MemberId, pool: PoolId) -> Option<&mut Borrowers> {
        self.borrowing[member].iter_mut().find(|(its, _)| *its == pool).map(|(_, borrowers)| borrowers)
    }

    fn has_quota(&self, member: MemberId, pool: PoolId) -> bool {
        self.entries[member].in_pool(pool).any(|(_, entry)| entry.quota.is_some())
    }

    /// The quota of a member for a resource in a pool: its own, or what follows from its children's.
    pub(crate) fn quota(&self, member: MemberId, pool: PoolId, kind: ResourceKind) -> Option<Quantity> {
        self.entries[member].get((pool, kind)).and_then(|entry| entry.quota)
    }

    /// Whether so much of a resource in a pool is within the quota of a member: it has one in that pool, which names no
    /// less of it or does not name it.
    pub(crate) fn covers(&self, member: MemberId, pool: PoolId, kind: ResourceKind, amount: u128) -> bool {
        let named = self.quota(member, pool, kind);
        self.has_quota(member, pool) && named.is_none_or(|quota| amount <= u128::from(quota.get()))
    }

    /// How many running jobs are not guaranteed at a member; `None` where it has no quota, so that nobody is.
    pub(crate) fn borrowers(&self, member: MemberId, pool: PoolId) -> Option<usize> {
        // Nobody ever was where there is none.
        let known = self.borrowers_in(member, pool).map(Borrowers::count);
        known.or_else(|| self.has_quota(member, pool).then_some(0))
    }

    /// What a member loses at least of every resource that loses somebody in a pool who is not guaranteed at it; `None` without a
    /// quota, and where nobody is beyond it (see `borrowers`).
    #[inline]
    pub(crate) fn least_borrowed(&self, member: MemberId, pool: PoolId) -> Option<&Resources> {
        self.borrowers_in(member, pool).and_then(Borrowers::least)
    }

    /// Quota may have become free at a member: who of those beyond it counts as guaranteed there from now on, the highest class
    /// first, then the oldest.
    pub(crate) fn promote(&mut self, member: MemberId, pool: PoolId) -> Vec<JobId> {
        let borrowers = self.borrowing[member].iter_mut().find(|(its, _)| *its == pool);
        borrowers.map_or_else(Vec::new, |(_, borrowers)| borrowers.promote(&mut self.entries[member], pool))
    }

    /// The same on a part of other quotas, which know who is beyond them, but for those of whom `is_out` is true.
    pub(crate) fn promote_of(
        &mut self,
        other: &Self,
        (member, pool): (MemberId, PoolId),
        is_out: impl Fn(JobId) -> bool,
    ) -> Vec<JobId> {
        let Some(borrowers) = other.borrowers_in(member, pool) else { return Vec::new() };
        let promoted = borrowers.promotions(&mut self.entries[member], pool, is_out);
        promoted.into_iter().map(|((.., job), _)| job).collect()
    }

    /// What is used, in all and guaranteed, by member and pair: for comparison with a recomputation.
    pub(crate) fn usage(
        &self,
    ) -> impl Iterator<Item = (MemberId, PoolId, ResourceKind, Quantity, Quantity)> + '_ {
        self.entries.iter().enumerate().flat_map(|(index, entries)| {
            entries.iter().map(move |((pool, kind), entry)| {
                (MemberId::at(index), pool, kind, entry.used, entry.guaranteed)
            })
        })
    }
}

impl Guaranteed {
    /// Whether the job is guaranteed so many levels above its leaf, where that has a bit.
    #[inline]
    pub(crate) fn get(self, level: usize) -> Option<bool> {
        (level < BITS).then(|| self.0 >> level & 1 == 1)
    }

    /// From now on it is.
    pub(crate) fn set(&mut self, level: usize) {
        self.0 |= if level < BITS { 1 << level } else { 0 };
    }
}

/// The amounts by pool and resource; each pair exists and is named once.
fn named(
    config: &Config,
    team: &TeamSpec,
    what: &'static str,
    allowances: &[Allowance],
) -> Result<BTreeMap<(PoolId, ResourceKind), Quantity>, Error> {
    let mut named = BTreeMap::new();
    for allowance in allowances {
        let Allowance { pool, kind, amount } = *allowance;
        let spec = config.pools.get(pool.index());
        if spec.is_none()
            || kind.index() >= config.kinds.count()
            || named.insert((pool, kind), amount).is_some()
        {
            return Err(ErrorKind::Allowance {
                team: team.name.clone(),
                what,
                pool: spec.map_or_else(|| pool.to_string(), |spec| spec.name.clone()),
                kind: config.kinds.name(kind).to_owned(),
            }
            .into());
        }
    }
    Ok(named)
}
