//! Standing: where every team and every waiting job stands now.
//!
//! Absent on purpose: why a single job waits (see `explain`). Layer 6; uses `state`, `fluid`.

use core::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::Scheduler;
use crate::explain::Asked;
use crate::fluid::{Entitlement, Exact, Fluid, FluidTeam};
use crate::id::{JobId, PoolId, TeamId};
use crate::line::Waiter;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::route::RouteId;
use crate::share::ShareKey;
use crate::state::{State, Status};
use crate::team::{Allowance, TeamSpec};
use crate::tree::MemberId;

/// What one team holds, and what it could hold by right.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TeamShare {
    /// The team.
    pub team: TeamId,
    /// Its key K now; its dominant share over its weight is the first entry.
    pub key: ShareKey,
    /// The resource of that first entry; `None` where the team holds nothing.
    pub dominant: Option<ResourceKind>,
    /// What it would hold if jobs could be split and moved at will: the fluid optimum for all that its jobs ask, running and
    /// waiting, each at its first alternative, with its quota as a floor and its limit as a cap. Amounts are by
    /// [share group](crate::Config::share_groups), valued. Which pools its jobs may use is not looked at, so it is an
    /// upper bound.
    pub entitlement: Entitlement,
    /// Whether it holds no more than its quota of whatever it holds. A pool that no quota names is not guaranteed.
    pub within_quota: bool,
}

impl Scheduler {
    /// What every team holds and is entitled to, in the order of the configuration.
    ///
    /// # Complexity
    ///
    /// O(jobs alive x depth), and the fluid optimum in exact numbers: for reports, not for every decision.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, Exact, JobSpec, PoolSpec, ResourceKind, Resources, Scheduler, ShapeSpec, TeamId, TeamSpec,
    ///     Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a"), TeamSpec::new("b")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// for team in [0, 0, 0, 1].map(TeamId::new) {
    ///     let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(team, shape, Timestamp::ZERO)).unwrap();
    /// }
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// let shares = scheduler.shares();
    /// assert_eq!(shares[0].key.dominant().to_string(), "3/4");
    /// assert_eq!(shares[0].dominant, Some(ResourceKind::GPU));
    /// // `b` asks for less than half, and the rest is for `a`.
    /// assert_eq!(shares[0].entitlement.amounts, [Exact::from(3_000)]);
    /// ```
    #[must_use]
    pub fn shares(&self) -> Vec<TeamShare> {
        let state = &self.state;
        let groups = state.values.groups();
        let mut used: BTreeMap<(MemberId, PoolId, ResourceKind), u128> = BTreeMap::new();
        for (_, job) in state.jobs() {
            let Status::Running { route, .. } = job.status() else { continue };
            let route = state.routes.route(route);
            for member in state.tree.path(job.leaf) {
                for (kind, amount) in route.total.iter() {
                    *used.entry((member, route.pool, kind)).or_default() += u128::from(amount.get());
                }
            }
        }
        let entitlements = entitlements(state);
        let teams = (0..state.config.teams.len()).map(TeamId::at).zip(entitlements);
        let share = |(team, entitlement): (TeamId, Entitlement)| {
            let member = state.tree.node(team)?;
            let held = state.tree.usage(member).iter().zip(state.tree.scale(member).divisors).zip(groups);
            let dominant =
                held.filter(|((usage, _), _)| **usage > 0).max_by(|((a, at_a), _), ((b, at_b), _)| {
                    // The first of equals, in the order of kinds.
                    let order = (u128::from(**a) * **at_b).cmp(&(u128::from(**b) * **at_a));
                    order.then(Ordering::Greater)
                });
            let first = (member, PoolId::at(0), ResourceKind::GPU);
            let held = used.range(first..).take_while(|((at, ..), _)| *at == member);
            let within = |((_, pool, kind), amount): (&(MemberId, PoolId, ResourceKind), &u128)| {
                state.quotas.covers(member, *pool, *kind, *amount)
            };
            Some(TeamShare {
                team,
                key: state.tree.key(member, &[]),
                dominant: dominant.map(|(_, kind)| *kind),
                entitlement,
                within_quota: held.into_iter().all(within),
            })
        };
        teams.filter_map(share).collect()
    }

    /// The quota of a team for a resource in a pool: what it names or, where it names none and has teams below it, the sum of
    /// theirs. `None`: nothing is guaranteed or tested.
    ///
    /// # Complexity
    ///
    /// O(log of what its quota names).
    ///
    /// # Examples
    ///
    /// A department of which one team is guaranteed eight GPUs:
    ///
    /// ```
    /// use fairshare::{
    ///     Allowance, Config, PoolId, PoolSpec, Quantity, ResourceKind, Resources, Scheduler, TeamId, TeamSpec,
    /// };
    /// let gpus = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(8_000));
    /// let pool = PoolSpec::new("l4", 2, Resources::new().gpu(8));
    /// let teams = vec![TeamSpec::new("research"), TeamSpec::new("vision").under(TeamId::new(0)).with_quota(gpus)];
    /// let scheduler = Scheduler::new(Config::new(vec![pool], teams)).unwrap();
    /// let quota = scheduler.quota(TeamId::new(0), PoolId::new(0), ResourceKind::GPU);
    /// assert_eq!(quota, Some(Quantity::new(8_000)));
    /// ```
    #[must_use]
    pub fn quota(&self, team: TeamId, pool: PoolId, kind: ResourceKind) -> Option<Quantity> {
        self.state.quotas.quota(self.state.tree.node(team)?, pool, kind)
    }

    /// The waiting jobs in the order of service by what their teams hold now: from the root down, at each level what is
    /// within a quota first, then by class where classes decide between teams, then by team, and in each team in its own
    /// order. As teams are served the order changes.
    ///
    /// # Complexity
    ///
    /// O(n x teams that wait x depth) comparisons of teams for n waiting jobs, and where there are quotas a search for nodes
    /// for each.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a"), TeamSpec::new("b")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// let jobs = [0, 0, 1].map(TeamId::new).map(|team| {
    ///     match scheduler.submit(Timestamp::ZERO, JobSpec::new(team, shape, Timestamp::ZERO)).unwrap() {
    ///         Submission::Queued(job) => job,
    ///         Submission::Rejected(_) => unreachable!(),
    ///     }
    /// });
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// // Team `a` holds the GPU now.
    /// assert_eq!(scheduler.queue(), [jobs[2], jobs[1]]);
    /// ```
    #[must_use]
    pub fn queue(&self) -> Vec<JobId> {
        let state = &self.state;
        let mut lines: BTreeMap<MemberId, Vec<JobId>> = BTreeMap::new();
        for (id, job) in state.jobs().filter(|(_, job)| job.status() == Status::Waiting) {
            lines.entry(job.leaf).or_default().push(id);
        }
        // The lines are merged by their heads: what decides inside a team only, or below another team, may put a job behind
        // one that it would come before elsewhere, and sorting all jobs at once would be no order.
        let mut lines: Vec<Vec<JobId>> = lines.into_values().collect();
        for line in &mut lines {
            line.sort_by_key(|job| Reverse(own_order(state, *job)));
        }
        let mut heads: Vec<(JobId, RouteId)> = Vec::new();
        let last = |line: &Vec<JobId>| line.last().and_then(|job| Some((*job, tier_route(state, *job)?)));
        lines.retain(|line| last(line).map(|head| heads.push(head)).is_some());
        let mut queue = Vec::new();
        while let Some(first) = self.policy.first_of(state, &heads) {
            queue.extend(lines[first].pop());
            if let Some(head) = last(&lines[first]) {
                heads[first] = head;
            } else {
                lines.swap_remove(first);
                heads.swap_remove(first);
            }
        }
        queue
    }
}

/// Where a job stands in the order of its team.
pub(super) fn own_order(state: &State, job: JobId) -> (Reverse<i32>, Waiter) {
    let class = state.routes.shape(state.alive(job).shape).precedence;
    (Reverse(class), state.waiter(job))
}

/// The route that tells the tier of a waiting job: the best by which it may start and has room, if there is any.
pub(super) fn tier_route(state: &State, job: JobId) -> Option<RouteId> {
    let known = state.alive(job);
    let mut routes = state.routes.shape(known.shape).routes();
    let best = routes.clone().next();
    let may = |route: &RouteId| state.denies(known.leaf, *route).is_none();
    let fits = || routes.find(|route| may(route) && state.fits(*route));
    state.quotas.any().then(fits).flatten().or(best)
}

impl Scheduler {
    /// What a waiting job asks by each of its routes.
    pub(super) fn asked(&self, job: JobId) -> Vec<Asked> {
        let state = &self.state;
        let Ok(known) = state.job(job) else { return Vec::new() };
        let team = state.spec(job).team;
        let (Status::Waiting, Some(member)) = (known.status(), state.tree.node(team)) else {
            return Vec::new();
        };
        let entitlements = entitlements(state);
        let entitled = entitlements.get(team.index());
        let mut held: BTreeMap<PoolId, Resources> = BTreeMap::new();
        for (_, other) in state.jobs() {
            let Status::Running { route, .. } = other.status() else { continue };
            if state.tree.path(other.leaf).any(|above| above == member) {
                let route = state.routes.route(route);
                let sum = held.entry(route.pool).or_default();
                *sum = sum.checked_add(&route.total).unwrap_or(*sum);
            }
        }
        let mut asked = Vec::new();
        for id in state.routes.shape(known.shape).routes() {
            let route = state.routes.route(id);
            let (alternative, pool) = (route.alternative, route.pool);
            for (kind, requested) in route.total.iter() {
                let group = state.values.groups().iter().position(|other| *other == kind);
                let one = Resources::new().with(kind, Quantity::new(1));
                let value = group.and_then(|group| state.values.charge(pool, &one).nth(group));
                let amount = group.and_then(|group| entitled?.amounts.get(group));
                let units = amount.map_or(0, Exact::floor).checked_div(u128::from(value.unwrap_or(0)));
                let entitled = Quantity::new(u64::try_from(units.unwrap_or(0)).unwrap_or(u64::MAX));
                let held = held.get(&pool).map_or(Quantity::ZERO, |held| held[kind]);
                let free = state.ledger.pool(pool).free()[kind];
                asked.push(Asked { alternative, pool, kind, requested, free, held, entitled });
            }
        }
        asked
    }
}

/// The fluid optimum for all that the jobs of each team ask.
fn entitlements(state: &State) -> Vec<Entitlement> {
    let groups = state.values.count();
    let mut asked: Vec<Vec<u64>> = vec![vec![0; groups]; state.config.teams.len()];
    for (id, job) in state.jobs() {
        let mut routes = state.routes.shape(job.shape).routes();
        let first = routes.clone().find(|route| state.routes.route(*route).alternative == 0);
        let Some(route) = first.or_else(|| routes.next()) else { continue };
        for (sum, charge) in asked[state.spec(id).team.index()].iter_mut().zip(state.routes.charge(route)) {
            *sum = sum.saturating_add(*charge);
        }
    }
    let capacity = (0..groups).map(|group| state.values.capacity(group)).collect();
    let team = |(index, (spec, request)): (usize, (&TeamSpec, Vec<u64>))| {
        let quota = |pool, kind| {
            let member = state.tree.node(TeamId::at(index))?;
            state.quotas.quota(member, pool, kind)
        };
        let mut team = FluidTeam::new(request).with_weight(spec.weight).with_tasks(1);
        team.parent = spec.parent;
        let floor = by_group(state, quota, |_, _| Quantity::ZERO);
        team.with_quota(floor).with_limit(most(state, spec, quota))
    };
    let teams = state.config.teams.iter().zip(asked).enumerate().map(team).collect();
    // The parents and the numbers of groups were checked with the configuration.
    Fluid::new(capacity, teams).entitlements().unwrap_or_default()
}

/// The most that a team may hold by group: pools that no limit names count with all that they have.
fn most(
    state: &State,
    spec: &TeamSpec,
    quota: impl Fn(PoolId, ResourceKind) -> Option<Quantity>,
) -> Vec<Option<u64>> {
    let most = |pool, kind| {
        let quota = quota(pool, kind).unwrap_or_default();
        let borrowed = named(&spec.borrow, pool, kind).and_then(|more| quota.checked_add(more));
        [named(&spec.limit, pool, kind), borrowed].into_iter().flatten().min()
    };
    let all = |pool: PoolId, kind| {
        let spec = state.config.pools.get(pool.index());
        spec.and_then(|spec| spec.node[kind].checked_mul(u64::from(spec.nodes))).unwrap_or_default()
    };
    by_group(state, most, all)
}

fn named(allowances: &[Allowance], pool: PoolId, kind: ResourceKind) -> Option<Quantity> {
    let named = allowances.iter().find(|allowance| allowance.pool == pool && allowance.kind == kind);
    named.map(|allowance| allowance.amount)
}

/// Sums amounts over pools by value; `None` for a kind that is named in no pool.
fn by_group(
    state: &State,
    named: impl Fn(PoolId, ResourceKind) -> Option<Quantity>,
    other: impl Fn(PoolId, ResourceKind) -> Quantity,
) -> Vec<Option<u64>> {
    let sum = |(group, kind): (usize, &ResourceKind)| {
        let (mut any, mut sum) = (false, 0_u64);
        for pool in (0..state.config.pools.len()).map(PoolId::at) {
            let amount = named(pool, *kind);
            any |= amount.is_some();
            let amount = Resources::new().with(*kind, amount.unwrap_or_else(|| other(pool, *kind)));
            sum = sum.saturating_add(state.values.charge(pool, &amount).nth(group).unwrap_or(0));
        }
        any.then_some(sum)
    };
    state.values.groups().iter().enumerate().map(sum).collect()
}
