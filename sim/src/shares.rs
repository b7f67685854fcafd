//! Shares: what each team of a scenario is entitled to if capacity could be divided at will, exactly.
//!
//! Two optima. *Fluid*: dominant-resource fairness over share groups, all pools one domain, down the tree of teams.
//! A group adds up the amounts of all pools by value, and nothing in it says which pool an amount is of; so the amounts
//! of a team are spread over the pools that it may use, in proportion to what they have. Where one pool alone has a
//! kind, that is the whole amount. Where teams that may use some pools only crowd in one, they are entitled to more of
//! it than it has, which a warning says: the optimum is an upper bound. *Pools*: constrained max-min of one kind over
//! the pools that each team may use; no bound, but what can be. *Speeds* (in `speeds`): the same where pools run a team's
//! tasks at different speeds.
//! Absent on purpose: jobs, nodes, lending limits.

#[cfg(feature = "lp")]
mod speeds;

use std::collections::{BTreeMap, BTreeSet};

use fairshare::{
    Config, Exact, Fluid, FluidTeam, PoolTeam, Quantity, ResourceKind, Scheduler, Share, ShareGroup, TeamId,
    pool_entitlements,
};
use serde::Serialize;

use crate::error::SimError;
use crate::scenario::{Amount, Request, Scenario, Team};
use crate::setup;

/// The name and version of the fields.
pub const SCHEMA: &str = "sim.shares/1";

const BYTES_PER_GIB: u128 = 1 << 30;
const MILLI: u128 = 1_000;

/// Entitlements of all teams.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shares {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which optimum.
    pub optimum: Optimum,
    /// The teams in the order of the scenario; what a team holds includes the teams below it.
    pub teams: Vec<TeamShare>,
    /// What should be said once.
    pub warnings: Vec<String>,
}

/// What is optimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimum {
    /// All pools as one domain.
    Fluid,
    /// One kind over the pools that each team may use.
    Pools,
    /// Throughput over the pools that each team may use, at the speeds of its tasks there.
    Speeds,
}

/// What one team is entitled to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeamShare {
    /// Its name.
    pub name: String,
    /// Its weight among its siblings.
    pub weight: f64,
    /// Its dominant share, not divided by the weight.
    pub share: Figure,
    /// Amounts by pool and resource: memory in GiB, everything else in units.
    pub entitlement: BTreeMap<String, BTreeMap<String, Figure>>,
    /// Tasks of the team itself; absent where its tasks ask nothing of what is divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Figure>,
}

/// A number as a fraction and as the nearest float or a neighbour of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Such as `400/33` or `12`; absent where the optimum is a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// The same, rounded.
    pub decimal: f64,
}

impl From<&Exact> for Figure {
    fn from(value: &Exact) -> Self {
        Self { exact: Some(value.to_string()), decimal: value.to_f64() }
    }
}

impl Shares {
    /// The fluid optimum over share groups, quotas in max form.
    ///
    /// A GPU of a request counts what the pools that the team may use are worth on average by capacity.
    ///
    /// # Errors
    ///
    /// [`SimError`] if no team asks anything, or the scheduler would refuse the scenario.
    pub fn fluid(scenario: &Scenario) -> Result<Self, SimError> {
        let mut domain = Domain::new(scenario)?;
        let groups = domain.config.share_groups().map_err(refused)?;
        let mut fluid = Fluid::new(Vec::new(), scenario.teams.iter().map(bare).collect());
        for group in &groups {
            domain.add_group(group, &mut fluid)?;
        }
        let optimum = fluid.entitlements().map_err(|error| SimError::usage(error.to_string()))?;
        let mut teams = Vec::new();
        for (index, (team, held)) in scenario.teams.iter().zip(&optimum).enumerate() {
            let below: Vec<usize> =
                (0..scenario.teams.len()).filter(|at| domain.is_within(*at, index)).collect();
            let mut entitlement: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
            for group in &groups {
                for (pool, capacity) in domain.pools_with(group.kind) {
                    let part = |at: &usize| {
                        optimum[*at].tasks.scaled(domain.per_task_in(*at, group.kind, pool, capacity))
                    };
                    let parts: Vec<Exact> = below.iter().map(part).collect();
                    let amount = in_units(&parts.iter().sum(), group.kind);
                    let amounts = entitlement.entry(scenario.pools[pool].name.clone()).or_default();
                    amounts.insert(domain.name(group.kind), Figure::from(&amount));
                }
            }
            let (share, tasks) = (Figure::from(&held.share), Some(Figure::from(&held.tasks)));
            teams.push(TeamShare { share, entitlement, tasks, ..named(team) });
        }
        let roots: Vec<&TeamShare> = teams
            .iter()
            .zip(&scenario.teams)
            .filter(|(_, team)| team.parent.is_none())
            .map(|(held, _)| held)
            .collect();
        domain.warn_of_crowds(&roots, groups.iter().map(|group| group.kind));
        Ok(domain.shares(Optimum::Fluid, teams))
    }

    /// The constrained max-min optimum of one kind over pools: GPUs where a task asks for some, else the only kind.
    ///
    /// Units count alike in every pool, whatever they cost.
    ///
    /// # Errors
    ///
    /// [`SimError`] as [`fluid`](Self::fluid), where teams form a tree, and where it is not clear what to divide.
    pub fn over_pools(scenario: &Scenario) -> Result<Self, SimError> {
        let mut domain = Domain::new(scenario)?;
        let kind = domain.divided_kind("--pools")?;
        let capacity = domain.capacities(kind);
        let asked: Vec<u64> = scenario.teams.iter().map(|team| domain.per_task(team, kind)).collect();
        let pool_teams = scenario.teams.iter().zip(&asked).enumerate().map(|(index, (team, asked))| {
            let eligible = if *asked > 0 { domain.usable(team, kind) } else { Vec::new() };
            domain.pool_team(index, kind, *asked, eligible, &capacity)
        });
        let pool_teams: Vec<PoolTeam> = pool_teams.collect();
        let optimum = pool_entitlements(&capacity, &pool_teams);
        let optimum = optimum.map_err(|error| SimError::usage(error.to_string()))?;
        let whole: u128 = capacity.iter().map(|amount| u128::from(*amount)).sum();
        let mut teams = Vec::new();
        for ((team, held), asked) in scenario.teams.iter().zip(&optimum).zip(asked) {
            let total: Exact = held.iter().sum();
            let mut entitlement: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
            for (pool, _) in domain.pools_with(kind) {
                let figure = Figure::from(&in_units(&held[pool], kind));
                entitlement.insert(scenario.pools[pool].name.clone(), [(domain.name(kind), figure)].into());
            }
            let share = Figure::from(&total.scaled(inverse(whole)));
            let tasks = (asked > 0).then(|| Figure::from(&total.scaled(inverse(u128::from(asked)))));
            teams.push(TeamShare { share, entitlement, tasks, ..named(team) });
        }
        domain.warn_of_other_kinds(kind);
        Ok(domain.shares(Optimum::Pools, teams))
    }
}

/// A scenario as the core sees it.
struct Domain<'a> {
    scenario: &'a Scenario,
    config: Config,
    /// Knows the quotas that follow from others.
    scheduler: Scheduler,
    warnings: Vec<String>,
}

impl<'a> Domain<'a> {
    /// Checks the scenario as a scheduler would, and that somebody asks for something.
    fn new(scenario: &'a Scenario) -> Result<Self, SimError> {
        let config = setup::config(scenario);
        let scheduler = Scheduler::new(config.clone()).map_err(refused)?;
        if scenario.teams.iter().all(|team| team.request.is_none()) {
            let message = format!("no team of scenario `{}` says what it asks", scenario.path);
            let hint = "give teams a `request = { per_task = { gpu = 1 }, tasks = 10 }`";
            return Err(SimError::usage_with_hint(message, hint));
        }
        let mut warnings = Vec::new();
        for (index, team) in scenario.teams.iter().enumerate() {
            let inner = scenario.teams.iter().any(|other| other.parent == Some(index));
            if team.request.is_none() && !inner {
                warnings.push(format!("team `{}` has no `request` and is entitled to nothing", team.name));
            }
        }
        if scenario.teams.iter().any(|team| !team.lend.is_empty()) {
            warnings.push("lending limits are not looked at: idle quotas are lent as a whole".to_owned());
        }
        Ok(Self { scenario, config, scheduler, warnings })
    }

    fn shares(self, optimum: Optimum, teams: Vec<TeamShare>) -> Shares {
        Shares { schema: SCHEMA, optimum, teams, warnings: self.warnings }
    }

    fn name(&self, kind: ResourceKind) -> String {
        self.config.kinds.name(kind).to_owned()
    }

    /// The pools that have some of a kind, and how much, in smallest units.
    fn pools_with(&self, kind: ResourceKind) -> impl Iterator<Item = (usize, u64)> + '_ {
        // The scenario was read only if no pool passes the largest amount.
        let capacity =
            move |pool: &fairshare::PoolSpec| pool.node[kind].get().saturating_mul(u64::from(pool.nodes));
        let pools = self.config.pools.iter().map(capacity).enumerate();
        pools.filter(|(_, capacity)| *capacity > 0)
    }

    /// The pools that a team may use and that have some of a kind.
    fn usable(&self, team: &Team, kind: ResourceKind) -> Vec<usize> {
        let named = |pool: &usize| team.request.as_ref().is_some_and(|request| request.pools.contains(pool));
        self.pools_with(kind).map(|(pool, _)| pool).filter(named).collect()
    }

    /// What one task of a team asks of a kind, in smallest units.
    fn per_task(&self, team: &Team, kind: ResourceKind) -> u64 {
        let asks = |request: &Request| {
            let mut amounts = request.per_task.iter();
            amounts
                .find(|(name, _)| self.config.kinds.find(name) == Some(kind))
                .map(|(_, amount)| amount.get())
        };
        team.request.as_ref().and_then(asks).unwrap_or(0)
    }

    /// The part of a task that falls on a pool where its amounts are spread as the capacity of the team's pools is.
    fn per_task_in(&self, team: usize, kind: ResourceKind, pool: usize, capacity: u64) -> Share {
        let team = &self.scenario.teams[team];
        let usable = self.usable(team, kind);
        if !usable.contains(&pool) {
            return Share::ZERO;
        }
        let pools = self.pools_with(kind).filter(|(pool, _)| usable.contains(pool));
        let whole: u128 = pools.map(|(_, capacity)| u128::from(capacity)).sum();
        let asked = u128::from(self.per_task(team, kind)) * u128::from(capacity);
        Share::new(asked, whole).unwrap_or(Share::ZERO)
    }

    /// Whether a team is another one or lies below it.
    fn is_within(&self, team: usize, other: usize) -> bool {
        std::iter::successors(Some(team), |at| self.scenario.teams[*at].parent).any(|at| at == other)
    }

    fn amount(&self, amounts: &[Amount], pool: usize, kind: ResourceKind) -> Option<u64> {
        let mut named = amounts.iter().filter(|amount| amount.pool == pool);
        named.find(|amount| self.config.kinds.find(&amount.resource) == Some(kind)).map(|a| a.amount.get())
    }

    /// What is guaranteed to a team in a pool: of an inner team that names no quota the sum of its children's.
    fn quota(&self, team: usize, pool: usize, kind: ResourceKind) -> Option<u64> {
        self.scheduler.quota(setup::team_id(team), setup::pool_id(pool), kind).map(Quantity::get)
    }

    /// The most that a team may hold in a pool: its limit, or its quota and what it may borrow; `None`: all.
    fn most(&self, team: usize, pool: usize, kind: ResourceKind) -> Option<u64> {
        let quota = self.quota(team, pool, kind).unwrap_or(0);
        let team = &self.scenario.teams[team];
        let borrowed = self.amount(&team.borrow, pool, kind).map(|more| quota.saturating_add(more));
        [self.amount(&team.limit, pool, kind), borrowed].into_iter().flatten().min()
    }

    /// Adds a group to the domain, in the coarsest unit in which every amount of it is whole.
    fn add_group(&self, group: &ShareGroup, fluid: &mut Fluid) -> Result<(), SimError> {
        let too_large = || {
            let name = self.name(group.kind);
            SimError::usage(format!(
                "the amounts of `{name}` have no common unit that exact arithmetic can hold"
            ))
        };
        let means: Vec<(u128, u128)> =
            self.scenario.teams.iter().map(|team| self.mean_value(team, group)).collect();
        let scale = means
            .iter()
            .try_fold(1_u128, |scale, (_, below)| scale.checked_mul(below / gcd(scale, *below).max(1)));
        let scale = scale.ok_or_else(too_large)?;
        let valued = |pool: usize, amount: u64| {
            u128::from(group.values[pool]).checked_mul(u128::from(amount))?.checked_mul(scale)
        };
        let sum = |amount: &dyn Fn(usize, u64) -> u64| {
            let mut pools = self.pools_with(group.kind);
            pools.try_fold(0_u128, |sum, (pool, whole)| sum.checked_add(valued(pool, amount(pool, whole))?))
        };
        let whole = sum(&|_, whole| whole).ok_or_else(too_large)?;
        let mut rows = Vec::new();
        for (index, (team, (above, below))) in self.scenario.teams.iter().zip(&means).enumerate() {
            let asked = u128::from(self.per_task(team, group.kind)).checked_mul(*above);
            let asked = asked.and_then(|asked| asked.checked_mul(scale / below));
            let any = |amount: &dyn Fn(usize) -> Option<u64>| {
                self.pools_with(group.kind).any(|(pool, _)| amount(pool).is_some())
            };
            let quota = |pool| self.quota(index, pool, group.kind);
            let most = |pool| self.most(index, pool, group.kind);
            let floor = any(&quota).then(|| sum(&|pool, _| quota(pool).unwrap_or(0)));
            let limit =
                any(&most).then(|| sum(&|pool, whole| most(pool).map_or(whole, |most| most.min(whole))));
            rows.push(
                [Some(asked), floor, limit].map(|amount| amount.map(|amount| amount.ok_or_else(too_large))),
            );
        }
        let rows = rows
            .into_iter()
            .map(|[asked, floor, limit]| Ok([asked.transpose()?, floor.transpose()?, limit.transpose()?]));
        let rows = rows.collect::<Result<Vec<[Option<u128>; 3]>, SimError>>()?;
        let unit = rows.iter().flatten().flatten().fold(whole, |unit, amount| gcd(unit, *amount)).max(1);
        let in_unit = |amount: u128| u64::try_from(amount / unit).map_err(|_| too_large());
        for (team, [asked, floor, limit]) in fluid.teams.iter_mut().zip(rows) {
            team.request.push(in_unit(asked.unwrap_or(0))?);
            team.quota.push(floor.map(in_unit).transpose()?);
            team.limit.push(limit.map(in_unit).transpose()?);
        }
        fluid.capacity.push(in_unit(whole)?);
        Ok(())
    }

    /// What a unit counts on average, by capacity, over the pools that the team may use: a fraction in lowest terms.
    fn mean_value(&self, team: &Team, group: &ShareGroup) -> (u128, u128) {
        let usable = self.usable(team, group.kind);
        let (mut valued, mut counted) = (0_u128, 0_u128);
        for (pool, capacity) in self.pools_with(group.kind).filter(|(pool, _)| usable.contains(pool)) {
            // The valued capacity of a group is below 2^53.
            valued += u128::from(group.values[pool]) * u128::from(capacity);
            counted += u128::from(capacity);
        }
        let common = gcd(valued, counted);
        (valued / common.max(1), (counted / common.max(1)).max(1))
    }

    /// What each pool has of a kind.
    fn capacities(&self, kind: ResourceKind) -> Vec<u64> {
        let mut capacity = vec![0; self.scenario.pools.len()];
        for (pool, amount) in self.pools_with(kind) {
            capacity[pool] = amount;
        }
        capacity
    }

    /// The one kind that an option divides among teams under the root.
    fn divided_kind(&self, option: &str) -> Result<ResourceKind, SimError> {
        if let Some(team) = self.scenario.teams.iter().find(|team| team.parent.is_some()) {
            let message =
                format!("`{option}` divides among teams under the root, and `{}` has a parent", team.name);
            return Err(SimError::usage_with_hint(message, format!("leave out `{option}`, or the parents")));
        }
        let kinds = self.asked_kinds();
        match kinds.iter().copied().collect::<Vec<_>>()[..] {
            [only] => Ok(only),
            _ if kinds.contains(&ResourceKind::GPU) => Ok(ResourceKind::GPU),
            _ => {
                let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", self.name(*kind))).collect();
                let message =
                    format!("`{option}` divides one resource, and tasks ask for {}", names.join(", "));
                Err(SimError::usage_with_hint(message, "leave one of them in the requests"))
            }
        }
    }

    fn asked_kinds(&self) -> BTreeSet<ResourceKind> {
        let asked =
            |kind: &ResourceKind| self.scenario.teams.iter().any(|team| self.per_task(team, *kind) > 0);
        self.config.kinds.iter().filter(asked).collect()
    }

    /// Says which pools are overrun, if any.
    fn warn_of_crowds(&mut self, roots: &[&TeamShare], kinds: impl Iterator<Item = ResourceKind>) {
        let mut crowds = Vec::new();
        for kind in kinds {
            let name = self.name(kind);
            for (pool, capacity) in self.pools_with(kind) {
                let pool = &self.scenario.pools[pool].name;
                let figure =
                    |team: &&TeamShare| team.entitlement.get(pool)?.get(&name).map(|held| held.decimal);
                let held: f64 = roots.iter().filter_map(figure).sum();
                let has = in_units(&Exact::from(capacity), kind).to_f64();
                // A margin for rounding: this is a remark, not a decision.
                if held > has * (1.0 + 1e-9) {
                    crowds.push(format!("`{name}` of `{pool}`"));
                }
            }
        }
        if !crowds.is_empty() {
            let crowds = crowds.join(", ");
            self.warnings
                .push(format!("teams that may use few pools are entitled to more than there is: {crowds}"));
        }
    }

    fn warn_of_other_kinds(&mut self, kind: ResourceKind) {
        let others: Vec<String> = self
            .asked_kinds()
            .into_iter()
            .filter(|other| *other != kind)
            .map(|other| format!("`{}`", self.name(other)))
            .collect();
        if !others.is_empty() {
            let (name, others) = (self.name(kind), others.join(", "));
            self.warnings
                .push(format!("`{name}` alone is divided; what tasks ask of {others} is not looked at"));
        }
    }

    fn pool_team(
        &self,
        index: usize,
        kind: ResourceKind,
        asked: u64,
        eligible: Vec<usize>,
        capacity: &[u64],
    ) -> PoolTeam {
        let sum = |amount: &dyn Fn(usize) -> u64| {
            eligible.iter().fold(0_u64, |sum, pool| sum.saturating_add(amount(*pool)))
        };
        let team = &self.scenario.teams[index];
        let floor = sum(&|pool| self.quota(index, pool, kind).unwrap_or(0));
        let most =
            sum(&|pool| self.most(index, pool, kind).map_or(capacity[pool], |most| most.min(capacity[pool])));
        let tasks = team.request.as_ref().and_then(|request| request.tasks);
        let demand = tasks.map_or(most, |tasks| most.min(tasks.saturating_mul(asked)));
        PoolTeam::new(eligible).with_weight(team.weight).with_demand(demand).with_floor(floor)
    }
}

/// A team that asks of no group yet.
fn bare(team: &Team) -> FluidTeam {
    let mut fluid = FluidTeam::new(Vec::new()).with_weight(team.weight);
    fluid.parent = team.parent.map(|parent| TeamId::new(u32::try_from(parent).unwrap_or(u32::MAX)));
    fluid.tasks = team.request.as_ref().and_then(|request| request.tasks);
    fluid
}

fn named(team: &Team) -> TeamShare {
    let (above, below) = (u128::from(team.weight.numerator()), u128::from(team.weight.denominator()));
    let weight = Exact::new(above, below).map_or(0.0, |weight| weight.to_f64());
    let share = Figure::from(&Exact::from(0));
    TeamShare { name: team.name.clone(), weight, share, entitlement: BTreeMap::new(), tasks: None }
}

/// Smallest units as units, bytes as GiB.
fn in_units(amount: &Exact, kind: ResourceKind) -> Exact {
    amount.scaled(inverse(if kind.is_bytes() { BYTES_PER_GIB } else { MILLI }))
}

/// One part in so many; zero for zero.
fn inverse(value: u128) -> Share {
    Share::new(1, value).unwrap_or(Share::ZERO)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn refused(source: fairshare::Error) -> SimError {
    SimError::Refused { what: "the scenario".to_owned(), source }
}
