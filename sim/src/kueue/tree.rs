//! Pools and teams of a scenario as Kueue's flavors, cohorts and cluster queues.
//!
//! A pool is a flavor, counted as one amount. A team without children is a cluster queue, one with children a cohort, and
//! a queue of the same name beside its children where it has jobs of its own. Above all is a cohort without name that owns
//! what no quota guarantees. A tree that is as written has neither that cohort nor such queues, and a team has the flavors
//! that its quota names. What teams say in Kueue's words is over all that. Absent on purpose: time.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fairshare::kueue::{ClusterQueue, Cohort, Preemption, Quota, QuotaRow, Reach, ResourceGroup, Settings};
use fairshare::{Allowance, Backfill, Config, PoolId, PoolSpec, ResourceKind, TeamSpec};
use serde_json::{Map, Value};

use super::error::KueueError;
use super::field::{Field, Object};
use super::queue;
use super::replay::KueueRules;

/// The name of the cohort above all.
pub(super) const ROOT: &str = "";

/// What teams say in Kueue's words.
pub(crate) type Parts = Map<String, Value>;

/// What the library is built from.
pub(crate) struct Tree {
    pub(crate) cohorts: Vec<Cohort>,
    pub(crate) queues: Vec<ClusterQueue>,
    /// For each queue whether its head blocks those behind it.
    pub(crate) strict: Vec<bool>,
    /// The queue of each team, if it has one.
    pub(crate) queue_of: Vec<Option<usize>>,
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

/// Adds up what some teams have.
fn sum(quotas: &[Amounts], of: &[usize]) -> Amounts {
    let mut total = Amounts::new();
    for (pair, amount) in of.iter().flat_map(|at| &quotas[*at]) {
        let sum = total.entry(*pair).or_default();
        *sum = sum.saturating_add(*amount);
    }
    total
}

/// What a cohort owns itself: its quota beyond its children's.
fn beyond(whole: &Amounts, given: &Amounts) -> Amounts {
    let own = |(pair, amount): (&(usize, ResourceKind), &i64)| {
        (*pair, amount.saturating_sub(given.get(pair).copied().unwrap_or(0)).max(0))
    };
    whole.iter().map(own).collect()
}

impl Tree {
    /// `parts` of the teams that have some, by team.
    pub(crate) fn new(config: &Config, rules: KueueRules, parts: &[Parts]) -> Result<Self, KueueError> {
        let teams = &config.teams;
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); teams.len()];
        for (at, team) in teams.iter().enumerate() {
            if let Some(parent) = team.parent {
                children[parent.index()].push(at);
            }
        }
        let quotas = quotas(teams, &children, rules.as_written);
        let none = Parts::new();
        let mut tree = Self {
            cohorts: Vec::new(),
            queues: Vec::new(),
            strict: Vec::new(),
            queue_of: vec![None; teams.len()],
        };
        let rows = Rows { config, columns: columns(config), as_written: rules.as_written };
        if !rules.as_written {
            let left = unguaranteed(config, &quotas);
            tree.cohorts.push(Cohort { groups: rows.groups(&left, None), ..Cohort::new(ROOT) });
        }
        for (at, team) in teams.iter().enumerate() {
            let parts = parts.get(at).unwrap_or(&none);
            let above = match team.parent {
                Some(parent) => Some(teams[parent.index()].name.clone()),
                None => (!rules.as_written).then(|| ROOT.to_owned()),
            };
            let is_cohort =
                !children[at].is_empty() || parts.get("kind").is_some_and(|kind| kind == "Cohort");
            let mut queue = ClusterQueue::new(&team.name);
            queue.preemption = preemption(config);
            if is_cohort {
                let own = beyond(&quotas[at], &sum(&quotas, &children[at]));
                let mut cohort =
                    Cohort { parent: above, weight: Some(team.weight), ..Cohort::new(&team.name) };
                cohort.groups = rows.groups(&own, Some((team, &quotas[at])));
                over_cohort(&mut cohort, parts)?;
                tree.cohorts.push(cohort);
                if rules.as_written {
                    continue;
                }
                queue.cohort = Some(team.name.clone());
                queue.groups = rows.groups(&Amounts::new(), None);
            } else {
                queue.cohort = above;
                queue.weight = Some(team.weight);
                queue.groups = rows.groups(&quotas[at], Some((team, &quotas[at])));
            }
            let mut strict = config.policy.backfill == Backfill::None;
            if !is_cohort {
                over_queue(&mut queue, &mut strict, parts)?;
            }
            tree.queue_of[at] = Some(tree.queues.len());
            tree.queues.push(queue);
            tree.strict.push(strict);
        }
        Ok(tree)
    }
}

/// All resources of all pools.
fn columns(config: &Config) -> Vec<ResourceKind> {
    let mut columns: Vec<ResourceKind> =
        config.pools.iter().flat_map(|pool| pool.node.iter().map(|(kind, _)| kind)).collect();
    columns.sort_by_key(|kind| kind.index());
    columns.dedup();
    columns
}

/// What of the pools no quota guarantees.
fn unguaranteed(config: &Config, quotas: &[Amounts]) -> Amounts {
    let roots: Vec<usize> = (0..config.teams.len()).filter(|at| config.teams[*at].parent.is_none()).collect();
    let all = config
        .pools
        .iter()
        .enumerate()
        .flat_map(|(at, pool)| capacity(pool).map(move |(kind, all)| ((at, kind), all)));
    beyond(&all.collect(), &sum(quotas, &roots))
}

/// Reads what a team says in Kueue's words with the reader of objects.
fn read<T>(
    kind: &str,
    name: &str,
    parts: &Parts,
    read: impl FnOnce(&Field<'_>) -> Result<T, KueueError>,
) -> Result<T, KueueError> {
    let noted = RefCell::default();
    let object = Object { file: "the scenario", kind, name: name.to_owned(), noted: &noted };
    read(&Field::root(&object, &Value::Object(parts.clone())))
}

fn over_cohort(cohort: &mut Cohort, parts: &Parts) -> Result<(), KueueError> {
    if !parts.get("spec").is_none_or(|spec| spec["fairSharing"].is_null()) {
        let name = cohort.name.clone();
        cohort.weight = read("Cohort", &name, parts, |root| queue::cohort(root, &name))?.weight;
    }
    Ok(())
}

fn over_queue(queue: &mut ClusterQueue, strict: &mut bool, parts: &Parts) -> Result<(), KueueError> {
    let Some(spec) = parts.get("spec") else { return Ok(()) };
    let name = queue.name.clone();
    let (said, said_strict) = read("ClusterQueue", &name, parts, |root| queue::cluster_queue(root, &name))?;
    let says = |key: &str| !spec[key].is_null();
    if says("preemption") {
        queue.preemption = said.preemption;
    }
    if says("fairSharing") {
        queue.weight = said.weight;
    }
    if says("queueingStrategy") {
        *strict = said_strict;
    }
    // Nothing but these words says anything of the following.
    queue.fungibility = said.fungibility;
    queue.stopped = said.stopped;
    queue.admission_fair_sharing = said.admission_fair_sharing;
    Ok(())
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

/// The quota of every team; that of one that names none is the sum of its children's. As written, so is each amount that
/// it does not name.
fn quotas(teams: &[TeamSpec], children: &[Vec<usize>], as_written: bool) -> Vec<Amounts> {
    let mut depths: Vec<(usize, usize)> = (0..teams.len())
        .map(|at| {
            let above = std::iter::successors(teams[at].parent, |parent| teams[parent.index()].parent);
            (above.take(teams.len()).count(), at)
        })
        .collect();
    depths.sort_unstable_by(|a, b| b.cmp(a));
    let mut quotas: Vec<Amounts> = teams.iter().map(|team| amounts(&team.quota)).collect();
    for (_, at) in depths {
        if as_written || quotas[at].is_empty() {
            for (pair, amount) in sum(&quotas, &children[at]) {
                quotas[at].entry(pair).or_insert(amount);
            }
        }
    }
    quotas
}

struct Rows<'a> {
    config: &'a Config,
    columns: Vec<ResourceKind>,
    as_written: bool,
}

/// Flavors, each with its resources.
type Named = Vec<(usize, Vec<ResourceKind>)>;

impl Rows<'_> {
    /// The flavors and resources of a node: all of them, or those that the quota of its team names, in that order and apart
    /// where they have nothing to do with each other.
    fn named(&self, team: Option<&TeamSpec>) -> Vec<Named> {
        let (true, Some(team)) = (self.as_written, team) else {
            return vec![(0..self.config.pools.len()).map(|pool| (pool, self.columns.clone())).collect()];
        };
        let mut groups: Vec<Named> = Vec::new();
        for one in &team.quota {
            let pool = one.pool.index();
            let meets =
                |group: &Named| group.iter().any(|(at, kinds)| *at == pool || kinds.contains(&one.kind));
            let (mut met, apart): (Vec<Named>, Vec<Named>) = groups.into_iter().partition(meets);
            let mut group: Named = met.drain(..).flatten().collect();
            match group.iter_mut().find(|(at, _)| *at == pool) {
                Some((_, kinds)) => kinds.push(one.kind),
                None => group.push((pool, vec![one.kind])),
            }
            groups = apart;
            groups.push(group);
        }
        groups
    }

    /// `bounds`: the team whose limits hold, with its whole quota.
    fn groups(&self, nominal: &Amounts, bounds: Option<(&TeamSpec, &Amounts)>) -> Vec<ResourceGroup> {
        let limits = bounds
            .map(|(team, quota)| (amounts(&team.limit), amounts(&team.borrow), amounts(&team.lend), quota));
        let quota = |pair: (usize, ResourceKind)| {
            let mut row =
                Quota::new(self.config.kinds.name(pair.1), nominal.get(&pair).copied().unwrap_or(0));
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
        };
        let row = |(pool, kinds): (usize, Vec<ResourceKind>)| QuotaRow {
            flavor: self.config.pools[pool].name.clone(),
            quotas: kinds.into_iter().map(|kind| quota((pool, kind))).collect(),
        };
        let group = |named: Named| ResourceGroup { rows: named.into_iter().map(row).collect() };
        self.named(bounds.map(|(team, _)| team)).into_iter().map(group).collect()
    }
}

/// Kueue's settings for a scenario.
pub(crate) fn settings(rules: KueueRules) -> Settings {
    Settings { fair_sharing: rules.fair_sharing, strategies: rules.strategies.to_vec() }
}

/// The pools by their names.
pub(super) fn pool_names(config: &Config) -> BTreeMap<&str, PoolId> {
    (0_u32..).zip(&config.pools).map(|(index, pool)| (pool.name.as_str(), PoolId::new(index))).collect()
}
