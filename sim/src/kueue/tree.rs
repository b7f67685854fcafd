//! Pools and teams of a scenario as Kueue's flavors, cohorts and cluster queues.
//!
//! A pool is a flavor, counted as one amount. A team without children is a cluster queue, one with children a cohort, and
//! a queue of the same name beside its children where it has jobs of its own. Above all is a cohort without name that owns
//! what no quota guarantees. Absent on purpose: time.

use std::collections::BTreeMap;

use fairshare::kueue::{ClusterQueue, Cohort, Preemption, Quota, QuotaRow, Reach, ResourceGroup, Settings};
use fairshare::{Allowance, Config, PoolId, PoolSpec, ResourceKind, TeamSpec};

/// The name of the cohort above all.
const ROOT: &str = "";

/// What the library is built from.
pub(crate) struct Tree {
    pub(crate) cohorts: Vec<Cohort>,
    pub(crate) queues: Vec<ClusterQueue>,
}

/// An amount of one resource in one pool; what is not named is nothing.
type Amounts = BTreeMap<(usize, ResourceKind), i64>;

fn amounts(list: &[Allowance]) -> Amounts {
    let amount = |one: &Allowance| ((one.pool.index(), one.kind), signed(one.amount.get()));
    list.iter().map(amount).collect()
}

/// Amounts of Kueue have a sign.
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// All that a pool has.
fn capacity(pool: &PoolSpec) -> impl Iterator<Item = (ResourceKind, i64)> + '_ {
    pool.node.iter().map(|(kind, each)| (kind, signed(each.get()).saturating_mul(i64::from(pool.nodes))))
}

impl Tree {
    pub(crate) fn new(config: &Config) -> Self {
        let mut columns: Vec<ResourceKind> =
            config.pools.iter().flat_map(|pool| pool.node.iter().map(|(kind, _)| kind)).collect();
        columns.sort_by_key(|kind| kind.index());
        columns.dedup();
        let teams = &config.teams;
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); teams.len()];
        let mut roots = Vec::new();
        for (at, team) in teams.iter().enumerate() {
            match team.parent {
                Some(parent) => children[parent.index()].push(at),
                None => roots.push(at),
            }
        }
        let quotas = quotas(teams, &children);
        let sum = |list: &[usize]| {
            let mut total = Amounts::new();
            for (pair, amount) in list.iter().flat_map(|at| &quotas[*at]) {
                let sum = total.entry(*pair).or_default();
                *sum = sum.saturating_add(*amount);
            }
            total
        };
        let mut left: Amounts = BTreeMap::new();
        let guaranteed = sum(&roots);
        for (at, pool) in config.pools.iter().enumerate() {
            for (kind, all) in capacity(pool) {
                let given = guaranteed.get(&(at, kind)).copied().unwrap_or(0);
                left.insert((at, kind), all.saturating_sub(given).max(0));
            }
        }
        let rows = Rows { config, columns: &columns };
        let mut cohorts = vec![Cohort { groups: rows.groups(&left, None), ..Cohort::new(ROOT) }];
        let mut queues = Vec::new();
        for (at, team) in teams.iter().enumerate() {
            let above = team.parent.map_or(ROOT, |parent| &teams[parent.index()].name);
            let mut queue = ClusterQueue::new(&team.name);
            queue.preemption = preemption(config);
            if children[at].is_empty() {
                queue.cohort = Some(above.to_owned());
                queue.weight = Some(team.weight);
                queue.groups = rows.groups(&quotas[at], Some((team, &quotas[at])));
            } else {
                let given = sum(&children[at]);
                let own = quotas[at].iter().map(|(pair, amount)| {
                    (*pair, amount.saturating_sub(given.get(pair).copied().unwrap_or(0)).max(0))
                });
                cohorts.push(Cohort {
                    parent: Some(above.to_owned()),
                    weight: Some(team.weight),
                    groups: rows.groups(&own.collect(), Some((team, &quotas[at]))),
                    ..Cohort::new(&team.name)
                });
                queue.cohort = Some(team.name.clone());
                queue.groups = rows.groups(&Amounts::new(), None);
            }
            queues.push(queue);
        }
        Self { cohorts, queues }
    }
}

/// Whom queues may preempt, as the scenario's `preemption` says.
fn preemption(config: &Config) -> Preemption {
    let mut preemption = Preemption::default();
    if config.policy.preemption != fairshare::Preemption::None {
        preemption.within_cluster_queue = Reach::LowerPriority;
        preemption.reclaim_within_cohort = Reach::LowerPriority;
    }
    if config.policy.preemption == fairshare::Preemption::Reclaim {
        preemption.reclaim_within_cohort = Reach::Any;
    }
    preemption
}

/// The quota of every team; that of one that names none is the sum of its children's.
fn quotas(teams: &[TeamSpec], children: &[Vec<usize>]) -> Vec<Amounts> {
    let mut depths: Vec<(usize, usize)> = (0..teams.len())
        .map(|at| {
            let above = std::iter::successors(teams[at].parent, |parent| teams[parent.index()].parent);
            (above.take(teams.len()).count(), at)
        })
        .collect();
    depths.sort_unstable_by(|a, b| b.cmp(a));
    let mut quotas: Vec<Amounts> = teams.iter().map(|team| amounts(&team.quota)).collect();
    for (_, at) in depths {
        if quotas[at].is_empty() {
            for child in &children[at] {
                for (pair, amount) in quotas[*child].clone() {
                    let sum = quotas[at].entry(pair).or_default();
                    *sum = sum.saturating_add(amount);
                }
            }
        }
    }
    quotas
}

struct Rows<'a> {
    config: &'a Config,
    columns: &'a [ResourceKind],
}

impl Rows<'_> {
    /// One group of all flavors and resources; `bounds`: the team whose limits hold, with its whole quota.
    fn groups(&self, nominal: &Amounts, bounds: Option<(&TeamSpec, &Amounts)>) -> Vec<ResourceGroup> {
        let limits = bounds
            .map(|(team, quota)| (amounts(&team.limit), amounts(&team.borrow), amounts(&team.lend), quota));
        let rows = self.config.pools.iter().enumerate().map(|(at, pool)| {
            let quotas = self.columns.iter().map(|kind| {
                let pair = (at, *kind);
                let mut row =
                    Quota::new(self.config.kinds.name(*kind), nominal.get(&pair).copied().unwrap_or(0));
                if let Some((limit, borrow, lend, quota)) = &limits {
                    let guaranteed = quota.get(&pair).copied().unwrap_or(0);
                    let beyond = limit.get(&pair).map(|limit| limit.saturating_sub(guaranteed).max(0));
                    row.borrowing_limit = match (beyond, borrow.get(&pair)) {
                        (Some(beyond), Some(borrow)) => Some(beyond.min(*borrow)),
                        (beyond, borrow) => beyond.or(borrow.copied()),
                    };
                    row.lending_limit = lend.get(&pair).copied();
                }
                row
            });
            QuotaRow { flavor: pool.name.clone(), quotas: quotas.collect() }
        });
        vec![ResourceGroup { rows: rows.collect() }]
    }
}

/// Kueue's settings for a scenario.
pub(crate) fn settings(fair_sharing: bool) -> Settings {
    Settings { fair_sharing, ..Settings::default() }
}

/// The pools by their names.
pub(super) fn pool_names(config: &Config) -> BTreeMap<&str, PoolId> {
    (0_u32..).zip(&config.pools).map(|(index, pool)| (pool.name.as_str(), PoolId::new(index))).collect()
}
