//! Setup: a scenario and a trace to what the scheduler is built from.
//!
//! Teams that only the trace names are created here, and its numbers of teams, priorities and resources are turned
//! into those of the core. Absent on purpose: time (see `engine`).

mod classes;
mod clock;
mod known;
mod pools;

use std::collections::BTreeMap;

use fairshare::{
    Allowance, Alternative, Ask, Backfill, Config, Eligible, PolicySpec, PoolId, Quantity, Refusal,
    ResourceKind, ResourceKinds, Resources, Rules, ShapeSpec, ShareValue, TeamId, TeamSpec,
};

use self::classes::Classes;
pub(crate) use self::known::Known;
use crate::capacity::Capacities;
use crate::error::SimError;
use crate::kueue::{KueueRules, Weights, unheeded, unheeded_alternatives};
use crate::nearest::did_you_mean;
use crate::reaper::{Reaped, Reaper, Suspect};
use crate::saved::Recovery;
use crate::scenario::{Amount, Scenario, Team, UnknownTeams};
use crate::tariff::{Tariff, Unit, countable_ms};
use crate::trace::{FIRST_OTHER, Trace, TraceAlternative, TraceJob, TraceShape, compare_names, printable};

/// The trace's number of the GPUs.
const GPU: usize = 0;
const NO_POOL: &str = "no pool is of the type, or in the list, that the job asks for";
const YEAR_MS: u64 = 31_557_600_000;
/// How many names a warning spells out.
const NAMES_SHOWN: usize = 5;

/// What a simulation starts from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Pools, teams and policy for the scheduler.
    pub config: Config,
    /// The scheduler's team by the trace's number.
    pub team_of: Vec<TeamId>,
    /// Class by the trace's number of a priority.
    pub class_of: Vec<i32>,
    /// Kind by the trace's number of a resource; `None`: more kinds than can be told apart.
    pub kind_of: Vec<Option<ResourceKind>>,
    /// Time limit of jobs that have none, ms.
    pub default_time_limit_ms: Option<u64>,
    /// Checkpoints and restarts of jobs that say nothing of them.
    pub recovery: Recovery,
    /// Whether any pool says which data sets it has.
    knows_data: bool,
    /// Whether jobs may start where their data sets are not.
    reads_remotely: bool,
    /// How long that moves them first, by shape and pool, ms.
    moving: Vec<Vec<u64>>,
    across_domains: bool,
    /// Which jobs are let in, and where those go that name no pools.
    pub rules: Rules,
    /// Kueue's rules instead of the scheduler's order.
    pub kueue: Option<KueueRules>,
    /// What the scenario's teams say in Kueue's words, by team.
    pub(crate) kueue_parts: Vec<serde_json::Map<String, serde_json::Value>>,
    /// How local queues are weighed, under `order = "kueue"`.
    pub(crate) local_queues: Weights,
    /// What each pool charges.
    pub tariffs: Vec<Option<Tariff>>,
    /// What they charge in.
    pub money: Unit,
    /// Bytes of data sets, by name.
    pub dataset_sizes: BTreeMap<String, u64>,
    /// Cloud and region of each pool, where the scenario says.
    pub places: Vec<(Option<String>, Option<String>)>,
    /// How many nodes are up, and when.
    pub capacities: Capacities,
    /// How long a run may be for its costs to be exact, ms.
    countable_ms: u64,
    /// When jobs that idle are stopped.
    pub reaper: Option<Reaper>,
    /// Those in which jobs are served.
    pub(crate) classes: Classes,
    /// Class of development jobs, where they have one of their own.
    dev_class: Option<i32>,
    /// What should be said once.
    pub warnings: Vec<String>,
}

impl Setup {
    /// Learns the numbers of what a trace names that has grown since.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] for a team that is new: the scheduler's teams are fixed when a run begins.
    pub(crate) fn grow(&mut self, scenario: &Scenario, trace: &Trace) -> Result<(), SimError> {
        for name in trace.teams.iter().skip(self.team_of.len()) {
            let found = self.config.teams.iter().position(|team| team.name == name);
            let index = found.ok_or_else(|| {
                let message = format!("team `{}` comes after the run has begun", printable(name));
                let hint = "name it in a `[[team]]` of the scenario: a pipe cannot be read twice";
                SimError::usage_with_hint(message, hint)
            })?;
            self.team_of.push(team_id(index));
        }
        if self.class_of.len() < trace.priorities.len() {
            // What has no class was said when the first of them came.
            self.class_of = classes(scenario, trace, &mut Vec::new());
        }
        self.classes.grow(&self.rules, trace);
        let known = self.moving.len();
        self.moving.extend(pools::moving(&self.config, self.reads_remotely, &trace.shapes, known));
        let known = self.kind_of.len() - FIRST_OTHER;
        self.kind_of.extend(trace.resources.iter().skip(known).map(|name| self.config.kinds.find(name)));
        Ok(())
    }

    /// Warns of what `all` jobs have where it was said of those that the run began with.
    pub(crate) fn learned(&mut self, begun_with: Known, all: Known) {
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for (known, warnings) in [(begun_with, &mut before), (all, &mut now)] {
            ignored_columns(known, self.knows_data, self.reaper.is_some(), warnings);
        }
        self.warnings.retain(|warning| !before.contains(warning));
        self.warnings.extend(now);
    }

    /// Joins a scenario and a trace.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] where the trace names a team that the scenario does not allow.
    pub fn new(scenario: &Scenario, trace: &Trace) -> Result<Self, SimError> {
        let mut setup = Self::of_known(scenario, trace, Known::of(trace))?;
        setup.warn_of_late(scenario, trace);
        Ok(setup)
    }

    /// The same where `known` was seen in more jobs than the trace holds.
    pub(crate) fn of_known(scenario: &Scenario, trace: &Trace, known: Known) -> Result<Self, SimError> {
        let mut warnings = Vec::new();
        let (mut teams, team_of) = teams(scenario, trace, &mut warnings)?;
        let class_of = classes(scenario, trace, &mut warnings);
        let mut kinds = ResourceKinds::default();
        let pools = pools::specs(scenario, &mut kinds);
        let mut kind_of: Vec<Option<ResourceKind>> = (0..FIRST_OTHER).map(ResourceKind::new).collect();
        kind_of.extend(trace.resources.iter().map(|name| kinds.add(name)));
        warnings.extend(counts_alike(scenario));
        warnings.extend(scenario.pools.iter().filter_map(|pool| pool.caution.clone()));
        warnings.extend(scenario.cautions.iter().cloned());
        let knows_data = scenario.pools.iter().any(|pool| !pool.datasets.is_empty());
        ignored_columns(known, knows_data, scenario.reaper.is_some(), &mut warnings);
        for (team, spec) in scenario.teams.iter().zip(&mut teams) {
            allow(team, spec, &kinds);
        }
        let policy = policy(scenario, known, &mut warnings)?;
        let config = Config::new(pools, teams).with_policy(policy).with_kinds(kinds);
        let config = config.with_datasets(pools::datasets(scenario));
        let default_time_limit_ms = scenario.policy.default_time_limit_ms;
        let kueue = scenario.policy.kueue;
        let objects = if kueue.is_some() { scenario.kueue.objects.as_slice() } else { &[] };
        let local_queues = Weights::new(objects)?;
        warnings.extend(unheeded(scenario, &config, known));
        let rules = scenario.rules.clone();
        let dev_class = rules.dev.as_ref().and_then(|dev| dev.class.as_ref());
        let value = |name: &String| scenario.priorities.iter().find(|(known, _)| known == name);
        let dev_class = dev_class.and_then(value).map(|(_, value)| *value);
        let mut served = Classes::new();
        served.grow(&rules, trace);
        let (mut tariffs, capacities) = clock::placed(scenario, trace, &mut warnings)?;
        let money = Unit::common(&mut tariffs)?;
        let priced = config.pools.iter().zip(&tariffs);
        let priced = priced.filter_map(|(pool, tariff)| Some((pool, tariff.as_ref()?)));
        let countable_ms = countable_ms(priced.map(|(pool, tariff)| (tariff, tariff.charged(pool))));
        let mut setup = Self {
            moving: pools::moving(&config, scenario.policy.reads_remotely, &trace.shapes, 0).collect(),
            config,
            team_of,
            class_of,
            kind_of,
            default_time_limit_ms,
            recovery: scenario.policy.recovery,
            knows_data,
            reads_remotely: scenario.policy.reads_remotely,
            across_domains: scenario.policy.across_domains,
            rules,
            kueue,
            reaper: scenario.reaper.clone(),
            kueue_parts: scenario.teams.iter().map(|team| team.kueue.clone()).collect(),
            local_queues,
            tariffs,
            money,
            dataset_sizes: scenario.dataset_sizes.clone(),
            countable_ms,
            places: scenario.pools.iter().map(|pool| (pool.cloud.clone(), pool.region.clone())).collect(),
            capacities,
            classes: served,
            dev_class,
            warnings,
        };
        let choosy = unheeded_alternatives(&setup, trace);
        setup.warnings.extend(choosy);
        Ok(setup)
    }

    /// Whether an attempt that would run for `run_ms` is stopped for idling, and when.
    #[inline]
    pub(crate) fn reaps(&self, trace: &Trace, row: u32, run_ms: Option<u64>) -> Option<Reaped> {
        if self.reaper.is_none() { None } else { self.would_reap(trace, row, run_ms) }
    }

    #[inline(never)]
    fn would_reap(&self, trace: &Trace, row: u32, run_ms: Option<u64>) -> Option<Reaped> {
        let reaper = self.reaper.as_ref()?;
        let after_ms = reaper.window_ms;
        let spared_ms = run_ms?.checked_sub(after_ms).filter(|spared| *spared > 0)?;
        let shape = &trace.shapes[trace.jobs[row as usize].shape as usize];
        let gpus = shape.alternatives.first().map_or(0, |alternative| alternative.total(GPU));
        let utilization_milli = trace.extras.get(row as usize).and_then(|extra| extra.gpu_utilization_milli);
        let class = self.classes.name_of(shape);
        let suspect = Suspect { class, dev: shape.dev, gpus, utilization_milli };
        reaper.stops(suspect).then_some(Reaped { after_ms, spared_ms })
    }

    /// Whether anything has a price.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        self.tariffs.iter().any(Option::is_some)
    }

    /// What of a kind is up in a pool, times ms, from the first time of `window` to the second.
    #[must_use]
    pub fn available(&self, pool: usize, kind: ResourceKind, window: Option<(i64, i64)>) -> u128 {
        let (Some(spec), Some(window)) = (self.config.pools.get(pool), window) else { return 0 };
        u128::from(spec.node[kind].get()) * self.capacities.node_ms(pool, spec.nodes, window)
    }

    /// When a job that starts now ends, ms, in a run that began with the submission at `began_ms`.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] where that is after the last time that can be counted, or the pools would by then have charged
    /// more than can be.
    pub(crate) fn end(
        &self,
        trace: &Trace,
        row: u32,
        (began_ms, now): (i64, i64),
        run_ms: Option<u64>,
    ) -> Result<i64, SimError> {
        let end = run_ms.and_then(|run| now.checked_add_unsigned(run));
        match end.filter(|end| end.abs_diff(began_ms) <= self.countable_ms) {
            Some(end) => Ok(end),
            None => Err(self.too_late(trace, row, end.is_some())),
        }
    }

    /// Why a job may not start that would end after the last time that can be counted, or to which costs can be.
    #[cold]
    fn too_late(&self, trace: &Trace, row: u32, is_counted: bool) -> SimError {
        let late = |last: &str| {
            let name = printable(&trace.names.get(row as usize).to_string());
            format!("job `{name}` would end after the last time {last}")
        };
        if is_counted {
            self.uncountable(late("to which costs can be counted"))
        } else {
            SimError::usage(late("that can be counted"))
        }
    }

    /// Whether jobs that run for `run_ms` in all, each in a pool that it fits, can be charged.
    pub(crate) fn charges(&self, run_ms: u128) -> Result<(), SimError> {
        if run_ms <= u128::from(self.countable_ms) {
            return Ok(());
        }
        Err(self.uncountable("the recorded jobs ran for longer than costs can be counted".to_owned()))
    }

    fn uncountable(&self, message: String) -> SimError {
        let years = self.countable_ms / YEAR_MS;
        let dearest = self.config.pools.iter().zip(&self.tariffs).max_by_key(|(pool, tariff)| {
            tariff.as_ref().map(|tariff| u64::MAX - countable_ms([(tariff, tariff.charged(pool))]))
        });
        let pool = dearest.map_or("", |(pool, _)| pool.name.as_str());
        let hint = format!(
            "at the prices of the scenario, above all of pool `{pool}`, that is {years} years: leave prices out, or \
             make the pool smaller"
        );
        SimError::usage_with_hint(message, hint)
    }

    /// Why a job is rejected whatever it asks.
    pub(crate) fn refuses(&self, job: &TraceJob) -> Option<String> {
        let missing = self.rules.owner_required && !job.has_owner;
        missing.then(|| Refusal::NoOwner.to_string())
    }

    /// What the rules look at of one way to run a job that names its owner.
    pub(crate) fn ask<'a>(&'a self, shape: &TraceShape, alternative: &'a TraceAlternative) -> Ask<'a> {
        Ask {
            class: self.classes.named(shape),
            dev: shape.dev,
            has_owner: true,
            gpus: Quantity::new(alternative.total(GPU)),
            accelerator: alternative.accelerator.as_deref(),
            names_pools: !alternative.pools.is_empty(),
        }
    }

    /// What the core is to know of a shape, and which of the trace's alternatives are in it; or why jobs of it are
    /// rejected. An alternative that asks more than its class allows is left out.
    pub(crate) fn shape(&self, shape: &TraceShape) -> Result<(ShapeSpec, Vec<u16>), String> {
        let mut kept = Vec::new();
        let mut spec: Option<ShapeSpec> = None;
        let mut refusal = None;
        for (index, alternative) in shape.alternatives.iter().enumerate() {
            let sent = match self.rules.admit(&self.ask(shape, alternative)) {
                Ok(admitted) => admitted.pools,
                Err(reason) => {
                    refusal.get_or_insert_with(|| printable(&reason.to_string()));
                    continue;
                }
            };
            let (Some(alternative), Ok(index)) = (self.alternative(alternative, sent), u16::try_from(index))
            else {
                continue;
            };
            kept.push(index);
            spec = Some(match spec {
                Some(spec) => spec.or(alternative),
                None => ShapeSpec::new(alternative),
            });
        }
        let class = self.class_of.get(shape.priority as usize).copied().unwrap_or(0);
        let class = self.dev_class.filter(|_| shape.dev).unwrap_or(class);
        let spec = spec.ok_or_else(|| refusal.unwrap_or_else(|| NO_POOL.to_owned()))?;
        let mut spec = spec.with_class(class);
        if self.knows_data {
            spec = spec.reading(&shape.datasets);
            spec.reads_remotely = self.reads_remotely;
        }
        Ok((spec, kept))
    }

    /// An alternative as the scheduler is told of it, sent to these pools by a rule; `None` where no pool is left.
    fn alternative(&self, alternative: &TraceAlternative, sent: Option<&[PoolId]>) -> Option<Alternative> {
        let request = self.request(alternative)?;
        let mut spec = Alternative::new(request)
            .with_workers(alternative.workers)
            .with_speed_milli(alternative.speed_milli);
        spec.across_domains = self.across_domains;
        if !alternative.pools.is_empty() {
            let pools = self.named_pools(alternative);
            if pools.is_empty() {
                return None;
            }
            spec.pools = Eligible::Pools(pools);
        } else if let Some(pools) = sent {
            let typed = |pool: &&PoolId| {
                alternative.accelerator.is_none()
                    || alternative.accelerator == self.config.pools[pool.index()].accelerator
            };
            let pools: Vec<PoolId> = pools.iter().filter(typed).copied().collect();
            if pools.is_empty() {
                return None;
            }
            spec.pools = Eligible::Pools(pools);
        } else if let Some(accelerator) = &alternative.accelerator {
            spec.pools = Eligible::Accelerator(accelerator.clone());
        }
        Some(spec)
    }

    /// What one worker asks, in the core's kinds.
    pub(crate) fn request(&self, alternative: &TraceAlternative) -> Option<Resources> {
        let mut request = Resources::new();
        for &(resource, amount) in &alternative.amounts {
            let kind = self.kind_of.get(resource).copied().flatten()?;
            request = request.with(kind, fairshare::Quantity::new(amount));
        }
        Some(request)
    }

    fn named_pools(&self, alternative: &TraceAlternative) -> Vec<PoolId> {
        let mut pools = Vec::new();
        for (index, pool) in (0_u32..).zip(&self.config.pools) {
            let typed = alternative.accelerator.is_none() || alternative.accelerator == pool.accelerator;
            if typed && alternative.pools.contains(&pool.name) {
                pools.push(PoolId::new(index));
            }
        }
        pools
    }
}

/// Pools and teams of a scenario without any trace, for what asks about entitlements alone.
pub(crate) fn config(scenario: &Scenario) -> Config {
    let mut kinds = ResourceKinds::default();
    let pools = pools::specs(scenario, &mut kinds);
    let team = |team: &Team| {
        let mut spec = team_spec(team);
        allow(team, &mut spec, &kinds);
        spec
    };
    let teams = scenario.teams.iter().map(team).collect();
    Config::new(pools, teams).with_policy(scenario.policy.spec).with_kinds(kinds)
}

pub(crate) fn pool_id(index: usize) -> PoolId {
    PoolId::new(u32::try_from(index).unwrap_or(u32::MAX))
}

pub(crate) fn team_id(index: usize) -> TeamId {
    TeamId::new(u32::try_from(index).unwrap_or(u32::MAX))
}

/// Name, weight and parent; quotas and limits need the kinds (see `allow`).
fn team_spec(team: &Team) -> TeamSpec {
    let mut spec = TeamSpec::new(&team.name).with_weight(team.weight);
    spec.parent = team.parent.map(team_id);
    spec.budget = team.budget;
    spec
}

/// The policy, with what may pass a blocked job decided by what is known of run times.
fn policy(scenario: &Scenario, known: Known, warnings: &mut Vec<String>) -> Result<PolicySpec, SimError> {
    let given = &scenario.policy;
    if given.kueue.is_some() {
        // Whatever fits may pass, or nothing; there are no reservations to be had.
        let mut spec = given.spec;
        if !given.backfill_given || spec.backfill != Backfill::None {
            spec.backfill = Backfill::BestEffort;
        }
        return Ok(spec);
    }
    let unknown = || if given.default_time_limit_ms.is_some() { 0 } else { known.bare };
    let reserves = !matches!(given.spec.backfill, Backfill::None | Backfill::BestEffort);
    if given.backfill_given && reserves {
        let unknown = unknown();
        if unknown > 0 {
            let name = given.spec.backfill.as_str();
            let message = format!(
                "backfill `{name}` needs to know how long jobs may run, and {unknown} jobs do not say"
            );
            let hint = "set `default_time_limit` in `[policy]`, or `backfill = \"best-effort\"`";
            return Err(SimError::usage_with_hint(message, hint));
        }
    }
    let mut spec = given.spec;
    if let (false, Some(easy)) = (given.backfill_given, Backfill::parse("easy")) {
        if unknown() == 0 {
            spec.backfill = easy;
        } else {
            spec.backfill = Backfill::BestEffort;
            warnings.push(
                "backfill is best-effort, since not every job has a time limit or an estimate: large gangs can starve"
                    .to_owned(),
            );
        }
    }
    Ok(spec)
}

/// Quotas and limits, in the core's numbers.
fn allow(team: &Team, spec: &mut TeamSpec, kinds: &ResourceKinds) {
    let allowance = |amount: &Amount| {
        let pool = PoolId::new(u32::try_from(amount.pool).unwrap_or(u32::MAX));
        kinds.find(&amount.resource).map(|kind| Allowance::new(pool, kind, amount.amount))
    };
    let all = |amounts: &[Amount]| amounts.iter().filter_map(allowance).collect();
    spec.quota = all(&team.quota);
    spec.limit = all(&team.limit);
    spec.borrow = all(&team.borrow);
    spec.lend = all(&team.lend);
}

/// The scenario's teams in order, then those that only the trace names, by name; and the id of each trace team.
fn teams(
    scenario: &Scenario,
    trace: &Trace,
    warnings: &mut Vec<String>,
) -> Result<(Vec<TeamSpec>, Vec<TeamId>), SimError> {
    let mut specs: Vec<TeamSpec> = Vec::new();
    let mut index: BTreeMap<&str, TeamId> = BTreeMap::new();
    for team in &scenario.teams {
        index.insert(&team.name, team_id(specs.len()));
        specs.push(team_spec(team));
    }
    let mut unknown: Vec<&str> = trace.teams.iter().filter(|name| !index.contains_key(name)).collect();
    unknown.sort_unstable_by(|a, b| compare_names(a, b));
    if let (UnknownTeams::Error, Some(first)) = (scenario.unknown_teams, unknown.first()) {
        let known = scenario.teams.iter().map(|team| team.name.as_str());
        let hint = did_you_mean(first, known)
            .unwrap_or_else(|| "add a `[[team]]`, or set `teams.unknown = \"create\"`".to_owned());
        let message =
            format!("the trace names team `{}`, which the scenario does not have", printable(first));
        return Err(SimError::usage_with_hint(message, hint));
    }
    if !unknown.is_empty() {
        let created = format!("created under the root with weight 1: {}", some_of(&unknown));
        let teams = if unknown.len() == 1 { "1 team".to_owned() } else { format!("{} teams", unknown.len()) };
        warnings.push(format!("{teams} named only by jobs, {created}"));
    }
    for name in unknown {
        index.insert(name, team_id(specs.len()));
        specs.push(TeamSpec::new(name));
    }
    let team_of = trace.teams.iter().map(|name| index.get(name).copied().unwrap_or(TeamId::new(0))).collect();
    Ok((specs, team_of))
}

/// The class of each priority of the trace: by the scenario, else as a number, else zero.
fn classes(scenario: &Scenario, trace: &Trace, warnings: &mut Vec<String>) -> Vec<i32> {
    let mut unknown = Vec::new();
    let class = |name: &str, unknown: &mut Vec<String>| {
        if name.is_empty() {
            return 0;
        }
        if let Some((_, value)) = scenario.priorities.iter().find(|(known, _)| known == name) {
            return *value;
        }
        name.parse().unwrap_or_else(|_| {
            unknown.push(name.to_owned());
            0
        })
    };
    let classes = trace.priorities.iter().map(|name| class(name, &mut unknown)).collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        warnings.push(format!("priorities without a `[[priority]]` count as 0: {}", some_of(&names)));
    }
    classes
}

/// What is said where GPUs count alike in shares because they have no prices.
fn counts_alike(scenario: &Scenario) -> Option<String> {
    if scenario.pools.iter().all(|pool| pool.tariff.is_none()) {
        return Some(
            "no pool has a price: costs are not measured, and GPUs count alike in shares".to_owned(),
        );
    }
    let is_default =
        scenario.policy.spec.value == ShareValue::PriceElseCount && scenario.policy.kueue.is_none();
    let pool = scenario.pools.iter().find(|pool| is_default && pool.has_gpus() && !pool.has_gpu_price())?;
    let name = &pool.name;
    Some(format!("pool `{name}` has GPUs and no price above zero for them: GPUs count alike in shares"))
}

/// What is said of columns that change nothing, or are missing.
fn ignored_columns(known: Known, knows_data: bool, reaps: bool, warnings: &mut Vec<String>) {
    if known.after > 0 {
        let jobs =
            if known.after == 1 { "1 job has".to_owned() } else { format!("{} jobs have", known.after) };
        warnings.push(format!("column `after` is not acted on by this version ({jobs} it)"));
    }
    if known.datasets > 0 && !knows_data {
        let jobs = known.datasets;
        warnings
            .push(format!("no pool says which `datasets` it has: those of {jobs} jobs are not looked at"));
    }
    if reaps && known.utilized == 0 {
        let warning = "no job says how busy its GPUs were (`gpu_utilization`): the reaper stops nothing";
        warnings.push(warning.to_owned());
    }
}

/// The first names, and how many more there are.
fn some_of(names: &[&str]) -> String {
    let shown: Vec<String> =
        names.iter().take(NAMES_SHOWN).map(|name| format!("`{}`", printable(name))).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
