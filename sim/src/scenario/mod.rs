//! Scenario: pools, teams, priorities and policy, validated.
//!
//! Every conflict is found here, with the place where it is written. Absent on purpose: the jobs (see `trace`), and
//! the scheduler that is built from both (see `setup`).

mod budget;
mod capacity;
mod dataset;
mod document;
mod fault;
mod history;
mod kueue;
mod pool;
mod preemption;
mod price;
mod read;
mod reaper;
mod rules;
mod snapshot;
mod team;
mod valuation;
mod value;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fairshare::{Budget, ClassScope, MicroUsd, Placement, PolicySpec, Quantity, Rules, ShareValue, Weight};
use sha2::{Digest as _, Sha256};

pub use document::Override;
pub use fault::ScenarioError;
pub(crate) use kueue::label as kueue_label;
pub(crate) use read::SECTIONS;

use crate::digest::hex;
use crate::kueue::KueueRules;
use crate::reaper::Reaper;
use crate::saved::Recovery;
use crate::tariff::Tariff;
use crate::trace::{Input, Instant, Selection, SwfOptions, TraceOptions};
use document::Document;

/// A validated scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The path as given; `-` is standard input.
    pub path: String,
    /// SHA-256 of the text and of every override, in hex.
    pub digest: String,
    /// The pools, in the order of the text.
    pub pools: Vec<Pool>,
    /// How many of their nodes are up, and when.
    pub capacities: Vec<PlannedCapacity>,
    /// Bytes of data sets, by name.
    pub dataset_sizes: BTreeMap<String, u64>,
    /// The teams, in the order of the text.
    pub teams: Vec<Team>,
    /// What is odd about their amounts, each with its place and what to do.
    pub cautions: Vec<String>,
    /// What happens to a team that only the trace names.
    pub unknown_teams: UnknownTeams,
    /// Priority classes with their values.
    pub priorities: Vec<(String, i32)>,
    /// How to decide.
    pub policy: Policy,
    /// Which jobs are let in, and where those go that name no pools.
    pub rules: Rules,
    /// When jobs that idle are stopped.
    pub reaper: Option<Reaper>,
    /// The trace that the scenario names, its path resolved against the scenario's folder.
    pub trace: Option<Input>,
    /// `[trace.swf]`.
    pub swf: SwfOptions,
    /// `[trace.gavel] throughputs`, resolved against the scenario's folder.
    pub gavel_throughputs: Option<PathBuf>,
    /// The part of the trace that is replayed: `teams`, `from` and `until` of `[trace]`.
    pub selection: Selection,
    /// The cluster as it stands, for `sim decide`.
    pub snapshot: Option<Snapshot>,
    /// What only Kueue has a word for.
    pub kueue: KueueWords,
}

/// What a scenario says in Kueue's own words, for which it has none of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KueueWords {
    /// `[[kueue]]`: objects, as they stand.
    pub objects: Vec<serde_json::Value>,
    /// What GPUs are called there.
    pub gpu_resource: Option<String>,
}

/// A cluster as it stands: what runs, and what waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// When, on the clock of the jobs' times; `None`: at the latest of them.
    pub now_ms: Option<i64>,
    /// The jobs, those that run first.
    pub jobs: Vec<SnapshotJob>,
    /// How many of them, the last ones, were added to those of the scenario.
    pub added: usize,
}

/// A job of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotJob {
    /// Its id.
    pub name: String,
    /// File, line and column of its id.
    pub place: String,
    /// Columns of the native trace, with their values as that format writes them.
    pub columns: Vec<(String, String)>,
    /// Index of the pool in which it runs, and the node of each worker where that is said; `None`: it waits.
    pub running: Option<(usize, Vec<u32>)>,
    /// The running job of which this is what it holds in another pool; `None`: it is a job of its own.
    pub part_of: Option<String>,
    /// Parts of its Workload, over what follows from the columns.
    pub kueue: serde_json::Map<String, serde_json::Value>,
}

/// Nodes of one kind at one place.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Unique name.
    pub name: String,
    /// The type that jobs ask for.
    pub accelerator: Option<String>,
    /// Whose it is; a description.
    pub cloud: Option<String>,
    /// Where it is; a description.
    pub region: Option<String>,
    /// How many nodes.
    pub nodes: u32,
    /// What one node has: resource name and amount, in the order of the text.
    pub node: Vec<(String, Quantity)>,
    /// One capacity without node boundaries.
    pub divisible: bool,
    /// What it charges first.
    pub tariff: Option<Tariff>,
    /// From when it charges other prices, in the order of the text.
    pub price_changes: Vec<(Instant, MicroUsd)>,
    /// What is odd about its prices.
    pub caution: Option<String>,
    /// What joins its nodes.
    pub fabric: Option<String>,
    /// How many nodes are in each fabric domain, which no gang leaves; none: the pool is one domain.
    pub domains: Vec<u32>,
    /// The data sets of which there is a replica here; `*`: all.
    pub datasets: Vec<String>,
    /// How fast data sets come here, in megabits a second.
    pub link_mbps: u32,
    /// What one of its GPUs counts in shares by `value = "speed"`, thousandths.
    pub speed_milli: u64,
}

/// So many nodes of a pool are up from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCapacity {
    /// The instant, as it is written.
    pub from: Instant,
    /// Index of the pool.
    pub pool: usize,
    /// How many nodes are up; never more than the pool has.
    pub nodes: u32,
}

/// A node of the team tree.
#[derive(Debug, Clone)]
pub struct Team {
    /// Unique name.
    pub name: String,
    /// Index of the team above.
    pub parent: Option<usize>,
    /// Weight among its siblings.
    pub weight: Weight,
    /// What is guaranteed to it.
    pub quota: Vec<Amount>,
    /// The most that it may hold.
    pub limit: Vec<Amount>,
    /// The most that it may hold beyond its quota.
    pub borrow: Vec<Amount>,
    /// How much of its idle quota others may use.
    pub lend: Vec<Amount>,
    /// What it may spend in a period.
    pub budget: Option<Budget>,
    /// What it asks, for `sim shares`; jobs of a trace have requests of their own.
    pub request: Option<Request>,
    /// Parts of its `ClusterQueue` or `Cohort`, over what follows from the rest.
    pub kueue: serde_json::Map<String, serde_json::Value>,
}

/// What the tasks of a team ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What one task asks: resource name and amount, in the order of the text.
    pub per_task: Vec<(String, Quantity)>,
    /// How many tasks there are; `None`: endless.
    pub tasks: Option<u64>,
    /// Indices of the pools that they may use: all, unless some are named.
    pub pools: Vec<usize>,
    /// The speed of a task by pool, in thousandths: 1,000, unless another is named.
    pub speeds_milli: Vec<u32>,
}

/// An amount of one resource in one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// Index of the pool.
    pub pool: usize,
    /// Name of the resource.
    pub resource: String,
    /// How much.
    pub amount: Quantity,
}

/// What happens to a team that only the trace names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownTeams {
    /// It is created under the root with weight one, and listed in a warning.
    #[default]
    Create,
    /// The trace is refused.
    Error,
}

/// How to decide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The scheduler's part.
    pub spec: PolicySpec,
    /// Whether the scenario says what may pass a blocked job; else the trace decides.
    pub backfill_given: bool,
    /// The time limit of jobs that have none, ms.
    pub default_time_limit_ms: Option<u64>,
    /// Checkpoints and restarts of jobs that say nothing of them.
    pub recovery: Recovery,
    /// What a GPU counts in shares, by pool, where a table or speeds say so.
    pub gpu_values: Option<Vec<u64>>,
    /// Jobs may start where their data sets are not.
    pub reads_remotely: bool,
    /// Gangs may lie in several fabric domains.
    pub across_domains: bool,
    /// Kueue's rules instead of the scheduler's order.
    pub kueue: Option<KueueRules>,
}

/// A policy as `--policy` takes it: the order, then what differs from the defaults; `priced`: GPUs have prices, so
/// that shares go by them unless told otherwise.
///
/// # Examples
///
/// ```
/// use fairshare::{Backfill, OrderName, PolicySpec};
/// use fairshare_sim::policy_label;
/// let policy = PolicySpec::new(OrderName::Fifo).with_backfill(Backfill::None);
/// assert_eq!(policy_label(policy, false), "fifo,backfill=none");
/// ```
#[must_use]
pub fn policy_label(spec: PolicySpec, priced: bool) -> String {
    let mut label = spec.order.as_str().to_owned();
    if spec.backfill != PolicySpec::new(spec.order).backfill {
        label.push_str(",backfill=");
        label.push_str(spec.backfill.as_str());
    }
    if spec.priority != ClassScope::default() {
        label.push_str(",priority=");
        label.push_str(spec.priority.as_str());
    }
    label.push_str(&preemption::label(spec));
    if spec.placement != Placement::default() {
        label.push_str(",placement=");
        label.push_str(spec.placement.as_str());
    }
    label.push_str(&history::label(spec));
    // By price is what the default comes to wherever it is allowed.
    match spec.value {
        ShareValue::Count if priced => label.push_str(",value=count"),
        ShareValue::Table => label.push_str(",value=table"),
        _ => {}
    }
    label
}

impl Scenario {
    /// Reads and validates the scenario at `path` (`-`: standard input) with `overrides` applied in order.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] if the file cannot be read, is no TOML, or contradicts itself; it shows every fault.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let mut text = String::new();
        let read = if name == "-" {
            std::io::stdin().lock().read_to_string(&mut text)
        } else {
            std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
        };
        read.map_err(|error| ScenarioError::open(name.clone(), error))?;
        Self::parse(&name, &text, overrides)
    }

    /// Validates a scenario that is in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] if the text is no TOML or contradicts itself; it shows every fault.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::Scenario;
    /// let text = "[[pool]]\nname = 'l4'\nnodes = 4\nnode = { gpu = 4 }\n";
    /// let scenario = Scenario::parse("demo", text, &[]).unwrap();
    /// assert_eq!(scenario.pools[0].nodes, 4);
    /// assert!(Scenario::parse("demo", "[[pool]]\nnmae = 'l4'\n", &[]).is_err());
    /// ```
    pub fn parse(name: &str, text: &str, overrides: &[Override]) -> Result<Self, ScenarioError> {
        let document = Document::parse(name, text, overrides)
            .map_err(|(sources, fault)| ScenarioError::faults(sources, vec![fault]))?;
        let mut scenario = read::scenario(&document)
            .map_err(|faults| ScenarioError::faults(document.sources.clone(), faults))?;
        name.clone_into(&mut scenario.path);
        scenario.digest = digest(text, overrides);
        if let Some(trace) = &mut scenario.trace {
            trace.path = beside(name, &trace.path);
        }
        if let Some(path) = &mut scenario.gavel_throughputs {
            *path = beside(name, path);
        }
        Ok(scenario)
    }
}

impl Scenario {
    /// One more file of waiting jobs: `[[pending]]` tables, or the keys of one job; `name` stands for its path.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] if the text is no TOML, or no job.
    pub fn add_pending(&mut self, name: &str, text: &str) -> Result<(), ScenarioError> {
        let document = Document::parse(name, text, &[])
            .map_err(|(sources, fault)| ScenarioError::faults(sources, vec![fault]))?;
        let jobs = read::pending(&document, &self.pools)
            .map_err(|faults| ScenarioError::faults(document.sources.clone(), faults))?;
        let snapshot = self.snapshot.get_or_insert_default();
        snapshot.added += jobs.len();
        snapshot.jobs.extend(jobs);
        Ok(())
    }

    /// How the scenario wants its trace to be read.
    #[must_use]
    pub fn trace_options(&self, strict: bool) -> TraceOptions {
        let gavel_throughputs = self.gavel_throughputs.clone();
        TraceOptions { strict, swf: self.swf, gavel_throughputs, ..TraceOptions::default() }
    }
}

/// The trace's path, relative to the folder of the scenario.
fn beside(scenario: &str, path: &Path) -> PathBuf {
    match Path::new(scenario).parent() {
        Some(folder) if scenario != "-" && folder != Path::new("") => folder.join(path),
        _ => path.to_path_buf(),
    }
}

fn digest(text: &str, overrides: &[Override]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(text.as_bytes());
    for setting in overrides {
        hasher.update([0]);
        hasher.update(setting.setting.as_bytes());
    }
    hex(&hasher.finalize())
}
