//! Decide: one cycle on a cluster as it stands, and what became of every waiting job.
//!
//! Here: the result, which every kind of snapshot comes to, and the snapshot of a scenario. Absent on purpose: layout
//! (see `report::decision`), and the objects of other systems.

mod first;

use std::collections::{BTreeMap, BTreeSet};

use fairshare::{
    Decision, EvictReason, JobId, JobSpec, Millis, NodeId, Placed, PoolId, Scheduler, Submission, TeamShare,
    Timestamp,
};
use serde::Serialize;
use serde_json::Value;

use crate::error::SimError;
use crate::scenario::{Scenario, Snapshot, SnapshotJob, policy_label};
use crate::setup::{Setup, pool_id};
use crate::trace::{Instant, RepairAction, Trace, TraceError, TraceOptions};

/// The name and version of the fields.
pub const SCHEMA: &str = "sim.decision/1";

/// What one cycle decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decided {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The policy, as `--policy` takes it.
    pub policy: String,
    /// The time of the snapshot, seconds.
    pub now_s: Value,
    /// What everybody held before the cycle.
    pub shares: Vec<ShareLine>,
    /// Names of the jobs, as they were considered.
    pub order: Vec<String>,
    /// One for each waiting job, in that order.
    pub decisions: Vec<JobDecision>,
    /// What should be said once.
    pub warnings: Vec<String>,
}

/// What one team, queue or cohort held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShareLine {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ShareKind,
    /// Its dominant share over its weight: a number, or `inf`.
    pub weighted_share: Value,
    /// The resource of that share; null where it holds nothing.
    pub dominant_resource: Option<String>,
    /// Whether it held no more than is guaranteed to it.
    pub within_quota: bool,
}

/// What a line of shares is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareKind {
    /// A team of a scenario.
    Team,
    /// A queue of Kueue.
    Queue,
    /// A cohort of Kueue.
    Cohort,
}

/// What became of one waiting job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobDecision {
    /// Its name.
    pub job: String,
    /// What happens to it.
    pub action: Action,
    /// Where it starts; null where pools have another meaning, or it does not start.
    pub pool: Option<String>,
    /// The flavor of each resource, where there are flavors.
    pub flavors: Value,
    /// Who is stopped for it.
    pub victims: Vec<VictimLine>,
    /// Why.
    pub why: String,
}

/// What happens to a waiting job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It starts.
    Start,
    /// Others are stopped for it.
    EvictFor,
    /// It waits.
    Wait,
    /// It can never start.
    Reject,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::EvictFor => "evict-for",
            Self::Wait => "wait",
            Self::Reject => "reject",
        }
    }
}

/// A job that is stopped for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VictimLine {
    /// Its name.
    pub job: String,
    /// By which rule.
    pub reason: String,
}

/// Of how many that wait it is told what would help: each is tried with everybody else.
const HELPED: usize = 100;

/// Seconds as a number: whole where they are.
#[must_use]
pub fn seconds(millis: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "an instant is printed; the fraction is of milliseconds")]
    let value =
        if millis % 1_000 == 0 { Value::from(millis / 1_000) } else { Value::from(millis as f64 / 1_000.0) };
    value
}

/// One cycle on the snapshot of a scenario.
///
/// # Errors
///
/// [`SimError`] where a job cannot be read, contradicts the others, or the scheduler refuses it.
///
/// # Examples
///
/// ```
/// use fairshare_sim::Scenario;
/// use fairshare_sim::decide::{Action, of_scenario};
/// let text = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 4 }\n\
///     [[running]]\njob_id = 'a'\nteam = 'x'\ngpu = 3\npool = 'l4'\n\
///     [[pending]]\njob_id = 'b'\nteam = 'y'\ngpu = 2\n";
/// let decided = of_scenario(&Scenario::parse("demo", text, &[]).unwrap()).unwrap();
/// assert_eq!(decided.decisions[0].action, Action::Wait);
/// assert!(decided.decisions[0].why.starts_with("pool `l4`: the job asks 2 gpu, the pool has 1 free; "));
/// ```
pub fn of_scenario(scenario: &Scenario) -> Result<Decided, SimError> {
    let Some(snapshot) = &scenario.snapshot else {
        let message = format!("scenario `{}` has no `[[pending]]` and no `[[running]]` job", scenario.path);
        return Err(SimError::usage_with_hint(message, "to replay a trace there is `sim run`"));
    };
    if scenario.policy.kueue.is_some() {
        return crate::kueue::decide(scenario);
    }
    let now_ms = now(snapshot);
    let trace = snapshot_trace(snapshot, now_ms)?;
    let setup = Setup::new(scenario, &trace)?;
    let mut cluster = Cluster::new(&setup, &trace, now_ms)?;
    for (part, whole) in snapshot.jobs.iter().filter_map(|job| Some((&job.name, job.part_of.as_ref()?))) {
        cluster.in_parts.extend([part.as_str(), whole.as_str()]);
    }
    cluster.added.extend(snapshot.jobs.iter().rev().take(snapshot.added).map(|job| job.name.as_str()));
    let by_name: BTreeMap<&str, &SnapshotJob> =
        snapshot.jobs.iter().map(|job| (job.name.as_str(), job)).collect();
    let names: Vec<String> = (0..trace.jobs.len()).map(|row| trace.names.get(row).to_string()).collect();
    for runs_on_named_nodes in [true, false] {
        for (row, name) in names.iter().enumerate() {
            if let Some(job) = by_name.get(name.as_str())
                && let Some((pool, nodes)) = &job.running
                && nodes.is_empty() != runs_on_named_nodes
            {
                cluster.adopt(row, name, *pool, nodes).map_err(|error| at(&job.place, error))?;
            }
        }
    }
    for (row, name) in names.iter().enumerate() {
        if by_name.get(name.as_str()).is_some_and(|job| job.running.is_none()) {
            cluster.submit(row, name)?;
        }
    }
    let priced = scenario.pools.iter().any(|pool| pool.tariff.is_some());
    cluster.decide(policy_label(setup.config.policy, priced))
}

/// The time of the snapshot; the latest time that is named unless it says.
pub(crate) fn now(snapshot: &Snapshot) -> i64 {
    let times = snapshot.jobs.iter().flat_map(|job| &job.columns);
    let times = times.filter(|(key, _)| key == "submit_s" || key == "start_s");
    let latest = times.filter_map(|(_, text)| Some(Instant::parse(text)?.since_1970())).max();
    snapshot.now_ms.or(latest).unwrap_or(0)
}

/// The jobs as a trace: read by the reader of the native format, so that a key means what a column means.
pub(crate) fn snapshot_trace(snapshot: &Snapshot, now_ms: i64) -> Result<Trace, SimError> {
    let required = ["job_id", "submit_s", "run_s", "team"];
    let mut header: Vec<&str> = required.to_vec();
    for (key, _) in snapshot.jobs.iter().flat_map(|job| &job.columns) {
        if !header.contains(&key.as_str()) {
            header.push(key);
        }
    }
    let mut text = header.join(",");
    text.push('\n');
    for job in &snapshot.jobs {
        for (position, name) in header.iter().enumerate() {
            let given = job.columns.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
            let value = match (given, *name) {
                (Some(value), _) => value.to_owned(),
                (None, "submit_s") => {
                    let start = job.columns.iter().find(|(key, _)| key == "start_s" && job.running.is_some());
                    start.map_or_else(
                        || Timestamp::from_millis(now_ms).to_string(),
                        |(_, value)| value.clone(),
                    )
                }
                // Nobody asks how long it will run.
                (None, "run_s") => "1".to_owned(),
                (None, _) => String::new(),
            };
            if position > 0 {
                text.push(',');
            }
            crate::report::csv::field(&mut text, &value);
        }
        text.push('\n');
    }
    let described = |line: u64| {
        let job = usize::try_from(line).ok().and_then(|line| snapshot.jobs.get(line.checked_sub(2)?));
        job.map_or_else(|| "a job".to_owned(), |job| format!("{}: job `{}`", job.place, job.name))
    };
    let trace = Trace::from_native("the snapshot", text.into_bytes(), &TraceOptions::default());
    let trace = trace.map_err(|error| misread(error, &described))?;
    for repair in trace.sources.iter().flat_map(|source| source.repairs.values()) {
        if repair.action != RepairAction::Sorted {
            let line = repair.first_lines.first().copied().unwrap_or_default();
            // What a trace does about it is not done here.
            let what = repair.text.trim_end_matches(": not used");
            return Err(SimError::usage(format!("{} makes no sense: {what}", described(line))));
        }
    }
    Ok(trace)
}

/// What is wrong with a job, said with the place of the job.
fn at(place: &str, error: SimError) -> SimError {
    match error {
        SimError::Usage { message, hint } => SimError::Usage { message: format!("{place}: {message}"), hint },
        other => other,
    }
}

/// What the reader could not read, said of the job and not of a line that nobody has written.
fn misread(mut error: TraceError, described: &dyn Fn(u64) -> String) -> SimError {
    let line = core::mem::take(&mut error.fault.line);
    let hint = error.fault.hint.take();
    let message = format!("{}: {}", described(line), error.fault);
    SimError::Usage { message, hint }
}

/// The scheduler, told of the jobs.
struct Cluster<'a> {
    setup: &'a Setup,
    trace: &'a Trace,
    scheduler: Scheduler,
    now_ms: i64,
    /// Jobs that hold something in several pools, and their parts: none is stopped, since the others would go on.
    in_parts: BTreeSet<&'a str>,
    /// Jobs that were added to those of the scenario.
    added: BTreeSet<&'a str>,
    /// In the trace.
    rows: BTreeMap<JobId, usize>,
    rejected: Vec<JobDecision>,
}

impl<'a> Cluster<'a> {
    fn new(setup: &'a Setup, trace: &'a Trace, now_ms: i64) -> Result<Self, SimError> {
        let refused = |source| SimError::Refused { what: "the scenario".to_owned(), source };
        let mut scheduler = Scheduler::new(setup.config.clone()).map_err(refused)?;
        for change in (0..).map_while(|number| setup.capacities.get(number)) {
            if change.at_ms <= now_ms {
                let at = Timestamp::from_millis(change.at_ms);
                scheduler.set_capacity(at, pool_id(change.pool), change.nodes).map_err(refused)?;
            }
        }
        Ok(Self {
            setup,
            trace,
            scheduler,
            now_ms,
            in_parts: BTreeSet::new(),
            added: BTreeSet::new(),
            rows: BTreeMap::new(),
            rejected: Vec::new(),
        })
    }

    /// What the scheduler is to know of a job, or why it is rejected.
    fn spec(&mut self, row: usize, name: &str) -> Result<Result<(JobSpec, usize), String>, SimError> {
        let job = &self.trace.jobs[row];
        let known = &self.trace.shapes[job.shape as usize];
        if let Some(reason) = self.setup.refuses(job) {
            return Ok(Err(reason));
        }
        let shape = match self.setup.shape(known) {
            Ok((shape, _)) => shape,
            Err(reason) => return Ok(Err(reason)),
        };
        let alternatives = shape.alternatives.len();
        let refused = |source| SimError::Refused { what: format!("job `{name}`"), source };
        let shape = self.scheduler.intern(&shape).map_err(refused)?;
        let team = self.setup.team_of[job.team as usize];
        let mut spec = JobSpec::new(team, shape, Timestamp::from_millis(job.submit_ms));
        let lengths = self.trace.lengths(job);
        spec.time_limit = lengths.limit_ms().or(self.setup.default_time_limit_ms).map(Millis::new);
        spec.estimate = lengths.estimate_ms().map(Millis::new);
        spec.preemptible = known.preemptible.unwrap_or(true) && !self.in_parts.contains(name);
        let recovery = self.setup.recovery.of(self.trace, row);
        spec.checkpoint = recovery.checkpoint_ms.map(Millis::new);
        spec.restart = recovery.restart_ms.map(Millis::new);
        Ok(Ok((spec, alternatives)))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms)
    }

    /// A job that runs, by the first of its alternatives that has room there.
    fn adopt(&mut self, row: usize, name: &str, pool: usize, nodes: &[u32]) -> Result<(), SimError> {
        let what = || format!("job `{name}`");
        let place = &self.setup.config.pools[pool].name;
        let (spec, alternatives) = match self.spec(row, name)? {
            Ok(known) => known,
            Err(reason) => {
                return Err(SimError::usage(format!("{} cannot run in pool `{place}`: {reason}", what())));
            }
        };
        let recorded = self.trace.recorded.as_ref().and_then(|recorded| recorded[row].start_ms());
        let since = recorded.map_or(spec.submit, Timestamp::from_millis);
        let mut on: BTreeMap<NodeId, u32> = BTreeMap::new();
        for node in nodes {
            *on.entry(NodeId::new(*node)).or_default() += 1;
        }
        let pool = PoolId::new(u32::try_from(pool).unwrap_or(u32::MAX));
        let mut refusal = None;
        for alternative in (0..alternatives).filter_map(|index| u32::try_from(index).ok()) {
            let placed = Placed::new(pool, since).by_alternative(alternative);
            let placed = placed.on_nodes(on.iter().map(|(node, workers)| (*node, *workers)).collect());
            match self.scheduler.adopt(self.now(), spec, &placed) {
                Ok(id) => {
                    self.rows.insert(id, row);
                    return Ok(());
                }
                Err(source) => refusal = Some(source),
            }
        }
        Err(self.cannot_run(name, place, refusal.as_ref()))
    }

    fn cannot_run(&self, name: &str, pool: &str, refusal: Option<&fairshare::Error>) -> SimError {
        use fairshare::ErrorKind::{NoRoom, NoRoute, Since};
        let message = match refusal.map(fairshare::Error::kind) {
            Some(NoRoom(_)) => {
                format!(
                    "job `{name}` cannot run in pool `{pool}`: beside the other jobs there is no room for it"
                )
            }
            Some(NoRoute { .. }) => {
                format!("job `{name}` cannot run in pool `{pool}`: what it asks does not fit there")
            }
            Some(Since { since, submit, .. }) => format!(
                "job `{name}` cannot run since {since} s: it was submitted at {submit} s, and it is {} s",
                self.now()
            ),
            Some(other) => format!("job `{name}` cannot run in pool `{pool}`: {other}"),
            None => format!("job `{name}` cannot run in pool `{pool}`"),
        };
        SimError::usage(message)
    }

    fn submit(&mut self, row: usize, name: &str) -> Result<(), SimError> {
        let reason = match self.spec(row, name)? {
            Err(reason) => reason,
            Ok((spec, _)) => {
                let refused = |source| SimError::Refused { what: format!("job `{name}`"), source };
                match self.scheduler.submit(self.now(), spec).map_err(refused)? {
                    Submission::Rejected(reason) => reason.to_string(),
                    Submission::Queued(id) => {
                        self.rows.insert(id, row);
                        return Ok(());
                    }
                }
            }
        };
        self.rejected.push(decision(name.to_owned(), Action::Reject, reason));
        Ok(())
    }

    fn decide(mut self, policy: String) -> Result<Decided, SimError> {
        let shares = self.scheduler.shares().iter().map(|share| self.share_line(share)).collect();
        let decided = self.scheduler.schedule(self.now());
        let decided =
            decided.map_err(|source| SimError::Refused { what: "to decide".to_owned(), source })?.to_vec();
        let mut victims: BTreeMap<JobId, Vec<VictimLine>> = BTreeMap::new();
        // Whose turn is over, by pool: whoever starts there first has their room.
        let mut turns: BTreeMap<PoolId, Vec<(JobId, VictimLine)>> = BTreeMap::new();
        let mut stopped = Vec::new();
        let mut lost = Vec::new();
        let mut decisions = Vec::new();
        for decided in decided {
            match decided {
                Decision::Evict { job, reason, by, pool, .. } => {
                    stopped.push(job);
                    let line = VictimLine { job: self.name(job), reason: reason.as_str().to_owned() };
                    match by {
                        Some(by) => victims.entry(by).or_default().push(line),
                        None if reason == EvictReason::Round => {
                            turns.entry(pool).or_default().push((job, line));
                        }
                        None => lost.push(line),
                    }
                }
                Decision::Start { job, pool, .. } => {
                    let mut victims = victims.remove(&job).unwrap_or_default();
                    let over = turns.remove(&pool).into_iter().flatten().filter(|(other, _)| *other != job);
                    victims.extend(over.map(|(_, line)| line));
                    decisions.push(self.started(job, pool, victims));
                }
                _ => {}
            }
        }
        // Nobody has the room of these.
        lost.extend(turns.into_values().flatten().map(|(_, line)| line));
        for VictimLine { job, reason } in lost {
            decisions.push(decision(job, Action::Wait, format!("it is stopped: {reason}")));
        }
        let mut warnings = self.setup.warnings.clone();
        let waiting: Vec<JobId> =
            self.scheduler.queue().into_iter().filter(|job| !stopped.contains(job)).collect();
        for (position, job) in waiting.iter().enumerate() {
            let name = self.name(*job);
            let helps = position < HELPED || self.added.contains(name.as_str());
            let why = self.why(*job, helps);
            decisions.push(decision(name, Action::Wait, why));
        }
        if waiting.len() > HELPED {
            let of_whom =
                format!("what would help is said of the first {HELPED} and of those added by `--add`");
            warnings.push(format!("{} jobs wait: {of_whom}", waiting.len()));
        }
        decisions.append(&mut self.rejected);
        Ok(Decided {
            schema: SCHEMA,
            policy,
            now_s: seconds(self.now_ms),
            shares,
            order: decisions.iter().map(|decision| decision.job.clone()).collect(),
            decisions,
            warnings,
        })
    }

    /// What keeps a job waiting, who comes first, and, where that is wanted, what would help.
    fn why(&self, job: JobId, helps: bool) -> String {
        let Ok(explanation) = self.scheduler.explain_without_entitlements(job) else { return String::new() };
        let mut parts = explanation.reasons(&|other| format!("`{}`", self.name(other)));
        if let Some(lost) = &explanation.lost {
            parts.push(self.comes_first(job, lost));
        }
        let remedies = if helps { self.scheduler.remedies(job).unwrap_or_default() } else { Vec::new() };
        let name = |other: JobId| format!("`{}`", self.name(other));
        let helps =
            remedies.iter().filter(|remedy| !remedy.needs.is_empty()).map(|remedy| remedy.words(&name));
        let helps: Vec<String> = helps.collect();
        if !helps.is_empty() {
            parts.push(format!("it could start with {}", helps.join(", or ")));
        }
        parts.join("; ")
    }

    fn name(&self, job: JobId) -> String {
        self.rows.get(&job).map_or_else(|| job.to_string(), |row| self.trace.names.get(*row).to_string())
    }

    fn started(&self, job: JobId, pool: PoolId, victims: Vec<VictimLine>) -> JobDecision {
        let name = &self.setup.config.pools[pool.index()].name;
        let nodes: Vec<String> = self.scheduler.placement(job).map(|(node, _)| node.to_string()).collect();
        let on = match nodes.len() {
            0 => String::new(),
            1 => format!(", on node {}", nodes[0]),
            _ => format!(", on nodes {}", nodes.join(", ")),
        };
        let (action, gone) = if victims.is_empty() {
            (Action::Start, "")
        } else {
            (Action::EvictFor, ", once its victims are gone")
        };
        let why = format!("it comes first of those that fit, and starts in `{name}`{on}{gone}");
        JobDecision { pool: Some(name.clone()), victims, ..decision(self.name(job), action, why) }
    }

    fn share_line(&self, share: &TeamShare) -> ShareLine {
        ShareLine {
            name: self.setup.config.teams[share.team.index()].name.clone(),
            kind: ShareKind::Team,
            weighted_share: Value::from(share.key.dominant().to_f64()),
            dominant_resource: share.dominant.map(|kind| self.setup.config.kinds.name(kind).to_owned()),
            within_quota: share.within_quota,
        }
    }
}

fn decision(job: String, action: Action, why: String) -> JobDecision {
    JobDecision { job, action, pool: None, flavors: Value::Null, victims: Vec::new(), why }
}
