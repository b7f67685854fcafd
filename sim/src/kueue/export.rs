//! A scenario as Kueue's objects: pools as flavors, teams as queues and cohorts, jobs as Workloads.
//!
//! What a team or a job says in Kueue's words is laid over what follows from its other keys, section by section. What
//! cannot be said in objects is noted. Absent on purpose: text (see `yaml`), and the tree itself (see `tree`).

use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{ClusterQueue, Preemption, Quota, Reach, ResourceGroup};
use serde_json::{Map, Value, json};

use super::error::KueueError;
use super::job::{self, Names};
use super::objects::Objects;
use super::quantity::bytes;
use super::queue::REACHES;
use super::replay::{KueueRules, shapes};
use super::snapshot::{Options, Snapshot};
use super::subtree::filled;
use super::tree::{Parts, ROOT, Tree};
use crate::decide::{Decided, now, snapshot_trace};
use crate::error::SimError;
use crate::scenario::{Scenario, SnapshotJob};
use crate::setup::Setup;
use crate::trace::printable;

const API: &str = "kueue.x-k8s.io/v1beta2";
/// The label by which a job's pools become a choice of nodes.
pub(super) const POOL_LABEL: &str = "fairshare/pool";
/// Where queues of a scenario are that names no namespace.
const NAMESPACE: &str = "default";
/// What Kueue calls GPUs unless the scenario says.
pub(super) const GPU: &str = "nvidia.com/gpu";
/// What scenarios call them.
pub(super) const GPU_HERE: &str = "gpu";

/// Objects, and what they do not say.
#[derive(Debug, Default)]
pub struct Exported {
    /// In the order in which they should be created.
    pub objects: Vec<Value>,
    /// What of the scenario has no counterpart, each once.
    pub notes: BTreeSet<String>,
}

/// Writes a scenario as objects.
///
/// # Errors
///
/// [`SimError`] where a job cannot be read, or a team says in Kueue's words what Kueue would not take.
///
/// # Examples
///
/// ```
/// use fairshare_sim::{Scenario, kueue};
/// let text = "[[pool]]\nname = 'l4'\nnodes = 2\nnode = { gpu = 4 }\ndivisible = true\n[[team]]\nname = 'a'\n[policy]\norder = 'kueue'\n";
/// let exported = kueue::export(&Scenario::parse("demo", text, &[]).unwrap()).unwrap();
/// let kinds: Vec<&str> = exported.objects.iter().filter_map(|object| object["kind"].as_str()).collect();
/// assert_eq!(kinds, ["Configuration", "ResourceFlavor", "Cohort", "ClusterQueue", "LocalQueue"]);
/// ```
pub fn export(scenario: &Scenario) -> Result<Exported, SimError> {
    let mut snapshot = scenario.snapshot.clone().unwrap_or_default();
    // Under Kueue's rules a job is one, and says in its words what it holds where.
    snapshot.jobs.retain(|job| job.part_of.is_none());
    let trace = snapshot_trace(&snapshot, now(&snapshot))?;
    let setup = Setup::new(scenario, &trace)?;
    let rules = scenario.policy.kueue.unwrap_or_default();
    let tree = Tree::new(&setup.config, rules, &setup.kueue_parts)?;
    let shapes = shapes(&setup, &trace);
    let mut exporter = Exporter::new(scenario, &setup);
    exporter.say_what_is_lost();
    exporter.configuration(rules);
    exporter.flavors(&shapes);
    exporter.cohorts(&tree);
    exporter.queues(&tree);
    exporter.classes();
    exporter.as_they_stand();
    if tree.queues.is_empty() {
        exporter.note("no team has a ClusterQueue, so that no job can wait: teams are those of `[[team]]` and of jobs that run or wait");
    }
    let locals = exporter.local_queues();
    let names = Names { api: API, namespace: NAMESPACE, locals: &locals, setup: &setup };
    for row in 0..trace.jobs.len() {
        let name = trace.names.get(row).to_string();
        let Some(job) = snapshot.jobs.iter().find(|job| job.name == name) else { continue };
        let ask = shapes[trace.jobs[row].shape as usize].as_ref().ok().map(|(pending, _)| pending);
        let object = job::workload(job, &trace, row, ask, &names, &mut |resource, amount| {
            exporter.quantity(&format!("job `{name}`"), resource, amount)
        });
        exporter.out.objects.push(over(object, &job.kueue));
    }
    Ok(exporter.out)
}

/// What is to be said where objects are of another time than the scenario: they have none of their own.
pub(crate) fn note_of_time(scenario: &Scenario, exported: &Exported) -> Result<Option<String>, KueueError> {
    let Some(now_ms) = scenario.snapshot.as_ref().and_then(|snapshot| snapshot.now_ms) else {
        return Ok(None);
    };
    let latest_ms = Objects::of_values(&scenario.path, &exported.objects)?.latest_ms;
    let now = fairshare::Timestamp::from_millis(now_ms);
    let note = format!(
        "objects are of the latest time in them: `sim decide --now {now}` decides as the scenario does"
    );
    Ok((latest_ms != Some(now_ms)).then_some(note))
}

/// One cycle on the snapshot of a scenario under Kueue's rules: on the objects that it is exported as.
pub(crate) fn decide(scenario: &Scenario) -> Result<Decided, SimError> {
    let exported = export(scenario)?;
    let objects = Objects::of_values(&scenario.path, &exported.objects)?;
    let now_ms = scenario.snapshot.as_ref().map(now);
    let options = Options { now_ms, ..Options::default() };
    let mut decided = Snapshot::new(&objects, &options)?.decide();
    decided.warnings.splice(0..0, exported.notes);
    Ok(decided)
}

impl Objects {
    /// The same objects without a text.
    pub(super) fn of_values(file: &str, values: &[Value]) -> Result<Self, KueueError> {
        let mut objects = Self::default();
        for value in values {
            objects.take(file, value, 0)?;
        }
        Ok(objects)
    }
}

/// Lays parts over an object: of each section the keys that are given.
fn over(mut object: Value, parts: &Parts) -> Value {
    for (section, keys) in parts.iter().filter(|(section, _)| *section != "kind") {
        if object[section].is_null() {
            object[section] = Value::Object(Map::new());
        }
        if let (Value::Object(into), Some(keys)) = (&mut object[section], keys.as_object()) {
            into.extend(keys.clone());
        }
    }
    object
}

struct Exporter<'a> {
    scenario: &'a Scenario,
    setup: &'a Setup,
    gpu: &'a str,
    /// What the cohort above all is called.
    root: String,
    none: Parts,
    out: Exported,
}

impl<'a> Exporter<'a> {
    fn new(scenario: &'a Scenario, setup: &'a Setup) -> Self {
        let taken = |name: &str| setup.config.teams.iter().any(|team| team.name == name);
        let mut root = "root".to_owned();
        while taken(&root) {
            root.push_str("-above");
        }
        let gpu = scenario.kueue.gpu_resource.as_deref().unwrap_or(GPU);
        Self { scenario, setup, gpu, root, none: Parts::new(), out: Exported::default() }
    }

    /// Notes something. Names in it come from the scenario.
    fn note(&mut self, text: impl AsRef<str>) {
        self.out.notes.insert(printable(text.as_ref()));
    }

    fn say_what_is_lost(&mut self) {
        let scenario = self.scenario;
        if scenario.policy.kueue.is_none() {
            let order = scenario.policy.spec.order.as_str();
            self.note(format!("order `{order}` has no objects: they are for Kueue's fair sharing"));
        }
        for pool in scenario.pools.iter().filter(|pool| !pool.divisible) {
            self.note(format!("pool `{}` is one amount in objects, without nodes", pool.name));
        }
        if scenario.pools.iter().any(|pool| pool.tariff.is_some()) {
            self.note("prices have no objects");
        }
        if !scenario.rules.routes.is_empty() {
            self.note("`[[route]]` has no objects, but for the pools that jobs of the snapshot may use");
        }
        if scenario.trace.is_some() {
            self.note("the trace is left out: objects are of jobs that run or wait");
        }
        let jobs = || scenario.snapshot.iter().flat_map(|snapshot| &snapshot.jobs);
        for part in jobs() {
            let whole = part.part_of.as_ref().and_then(|whole| jobs().find(|job| job.name == *whole));
            let says =
                |whole: &SnapshotJob| whole.kueue.get("status").is_some_and(|it| !it["admission"].is_null());
            if let Some(whole) = whole.filter(|whole| !says(whole)) {
                let (part, whole) = (&part.name, &whole.name);
                self.note(format!(
                    "`{part}` is left out: `{whole}` does not say in Kueue's words what it holds"
                ));
            }
        }
        let jobs = || jobs().filter(|job| job.part_of.is_none());
        let columns = jobs().flat_map(|job| &job.columns);
        let lost: BTreeSet<&str> =
            columns.map(|(key, _)| key.as_str()).filter(|key| !job::has_counterpart(key)).collect();
        for column in lost {
            self.note(format!("`{column}` of jobs has no objects"));
        }
        let jobs = jobs().filter(|job| job.kueue.get("metadata").is_none_or(|it| it["name"].is_null()));
        let teams = scenario.teams.iter().map(|team| ("team", team.name.as_str()));
        let pools = scenario.pools.iter().map(|pool| ("pool", pool.name.as_str()));
        let all = jobs.map(|job| ("job", job.name.as_str())).chain(teams).chain(pools);
        let odd: Vec<String> = all
            .filter(|(_, name)| !is_kubernetes_name(name))
            .map(|(what, name)| format!("Kubernetes takes no object of the name of {what} `{name}`"))
            .collect();
        for note in odd {
            self.note(note);
        }
    }

    fn configuration(&mut self, rules: KueueRules) {
        let mut strategies = Vec::new();
        if rules.fair_sharing {
            strategies = super::config::strategy_names(rules.strategies);
        }
        let mut object = json!({
            "apiVersion": "config.kueue.x-k8s.io/v1beta1",
            "kind": "Configuration",
            "fairSharing": {"enable": rules.fair_sharing},
        });
        if !strategies.is_empty() {
            object["fairSharing"]["preemptionStrategies"] = strategies.into();
        }
        let kept = self.scenario.kueue.objects.iter().find(|object| object["kind"] == "Configuration");
        if let Some(kept) = kept {
            object["admissionFairSharing"] = kept["admissionFairSharing"].clone();
        }
        self.out.objects.push(object);
    }

    /// Whether `[[kueue]]` has an object of this kind and name.
    fn stands(&self, kind: &str, name: &str) -> bool {
        let is = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
        self.scenario.kueue.objects.iter().any(is)
    }

    fn flavors(&mut self, shapes: &[super::replay::Shape]) {
        let sets = shapes.iter().flatten().flat_map(|(pending, _)| &pending.pod_sets);
        let chosen =
            sets.filter(|set| set.flavors.is_some()).count() > 0 || shapes.iter().any(Result::is_err);
        for pool in &self.scenario.pools {
            if self.stands("ResourceFlavor", &pool.name) {
                if chosen {
                    self.note(format!(
                        "flavor `{}` stands in `[[kueue]]`: its labels decide who uses it",
                        pool.name
                    ));
                }
                continue;
            }
            let mut object = new("ResourceFlavor", &pool.name, None, json!({}));
            if chosen {
                object["spec"]["nodeLabels"] = json!({POOL_LABEL: pool.name});
            }
            self.out.objects.push(object);
        }
    }

    /// What a cohort is called: in its own words, where its team has them.
    fn cohort_name(&self, name: &str) -> String {
        if name == ROOT {
            return self.root.clone();
        }
        let team = self.scenario.teams.iter().find(|team| team.name == name);
        let own = team.and_then(|team| team.kueue.get("metadata")?.get("name")?.as_str());
        own.unwrap_or(name).to_owned()
    }

    fn cohorts(&mut self, tree: &Tree) {
        for cohort in &tree.cohorts {
            let name = self.cohort_name(&cohort.name);
            let mut spec = json!({});
            if let Some(parent) = &cohort.parent {
                spec["parentName"] = self.cohort_name(parent).into();
            }
            let (scenario, none) = (self.scenario, self.none.clone());
            let team = scenario.teams.iter().find(|team| team.name == cohort.name);
            let parts = team.map_or(&none, |team| &team.kueue);
            if cohort.weight.is_none_or(|weight| weight != fairshare::Weight::ONE) {
                spec["fairSharing"] = json!({"weight": weight(cohort.weight)});
            }
            self.groups(&format!("cohort `{name}`"), &filled(&cohort.groups), &mut spec);
            self.out.objects.push(over(new("Cohort", &name, None, spec), parts));
        }
    }

    fn queues(&mut self, tree: &Tree) {
        for (queue, strict) in tree.queues.iter().zip(&tree.strict) {
            let mut spec = json!({"namespaceSelector": {}});
            if let Some(cohort) = &queue.cohort {
                spec["cohortName"] = self.cohort_name(cohort).into();
            }
            if queue.weight.is_none_or(|weight| weight != fairshare::Weight::ONE) {
                spec["fairSharing"] = json!({"weight": weight(queue.weight)});
            }
            if *strict {
                spec["queueingStrategy"] = json!("StrictFIFO");
            }
            if queue.preemption != Preemption::default() {
                spec["preemption"] = preemption(queue);
            }
            self.groups(&format!("queue `{}`", queue.name), &queue.groups, &mut spec);
            let scenario = self.scenario;
            let is_cohort = tree.cohorts.iter().any(|cohort| cohort.name == queue.name);
            let team = scenario.teams.iter().find(|team| team.name == queue.name && !is_cohort);
            let none = self.none.clone();
            let parts = team.map_or(&none, |team| &team.kueue);
            self.out.objects.push(over(new("ClusterQueue", &queue.name, None, spec), parts));
        }
    }

    fn groups(&mut self, whose: &str, groups: &[ResourceGroup], spec: &mut Value) {
        let mut list = Vec::new();
        for group in groups.iter().filter(|group| !group.rows.is_empty()) {
            let names = group.rows[0].quotas.iter().map(|quota| self.resource(&quota.resource));
            let names: Vec<String> = names.collect();
            let mut flavors = Vec::new();
            for row in &group.rows {
                let quotas: Vec<Value> = row.quotas.iter().map(|quota| self.quota(whose, quota)).collect();
                flavors.push(json!({"name": row.flavor, "resources": quotas}));
            }
            list.push(json!({"coveredResources": names, "flavors": flavors}));
        }
        if !list.is_empty() {
            spec["resourceGroups"] = list.into();
        }
    }

    fn quota(&mut self, whose: &str, quota: &Quota) -> Value {
        let mut object = json!({"name": self.resource(&quota.resource)});
        let amounts = [
            ("nominalQuota", Some(quota.nominal)),
            ("borrowingLimit", quota.borrowing_limit),
            ("lendingLimit", quota.lending_limit),
        ];
        for (key, amount) in amounts {
            if let Some(amount) = amount {
                object[key] = self.quantity(whose, &quota.resource, amount).1.into();
            }
        }
        object
    }

    fn resource(&self, name: &str) -> String {
        if name == GPU_HERE { self.gpu } else { name }.to_owned()
    }

    /// A resource and an amount as objects write them: memory in bytes, everything else from thousandths.
    fn quantity(&mut self, whose: &str, resource: &str, amount: i64) -> (String, String) {
        let name = self.resource(resource);
        if resource == "memory" {
            return (name, bytes(amount));
        }
        if amount % 1_000 == 0 {
            return (name, (amount / 1_000).to_string());
        }
        if resource != "cpu" {
            self.note(format!(
                "{whose} has a part of one {resource}: Kueue counts whole ones, and rounds up"
            ));
        }
        (name, format!("{amount}m"))
    }

    fn classes(&mut self) {
        for (name, value) in &self.scenario.priorities {
            if !self.stands("WorkloadPriorityClass", name) {
                let mut object = new("WorkloadPriorityClass", name, None, Value::Null);
                object["value"] = json!(value);
                self.out.objects.push(object);
            }
        }
    }

    fn as_they_stand(&mut self) {
        let kept = self.scenario.kueue.objects.iter().filter(|object| object["kind"] != "Configuration");
        self.out.objects.extend(kept.cloned());
    }

    /// The local queue of each cluster queue: the first that there is, else a new one of its name.
    fn local_queues(&mut self) -> BTreeMap<String, (String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_local = |object: &&Value| object["kind"] == "LocalQueue";
        let mut locals = BTreeMap::new();
        for object in self.scenario.kueue.objects.iter().filter(is_local) {
            let place = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
            locals.entry(text(&object["spec"]["clusterQueue"])).or_insert(place);
        }
        let some = !locals.is_empty();
        let queues: Vec<String> = self
            .out
            .objects
            .iter()
            .filter(|object| object["kind"] == "ClusterQueue")
            .map(|object| text(&object["metadata"]["name"]))
            .collect();
        for queue in queues.into_iter().filter(|_| !some) {
            let spec = json!({"clusterQueue": queue});
            self.out.objects.push(new("LocalQueue", &queue, Some(NAMESPACE), spec));
            locals.insert(queue.clone(), (NAMESPACE.to_owned(), queue));
        }
        for team in &self.setup.config.teams {
            if !locals.contains_key(&team.name) {
                locals.insert(team.name.clone(), (NAMESPACE.to_owned(), team.name.clone()));
            }
        }
        locals
    }
}

/// A new object; without a specification where that is null.
pub(super) fn new(kind: &str, name: &str, namespace: Option<&str>, spec: Value) -> Value {
    let mut object = json!({"apiVersion": API, "kind": kind, "metadata": {"name": name}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    if !spec.is_null() {
        object["spec"] = spec;
    }
    object
}

/// A weight as a quantity: exact to a billionth, as fine as Kubernetes keeps it.
fn weight(weight: Option<fairshare::Weight>) -> String {
    let Some(weight) = weight else { return "0".to_owned() };
    let nano = u128::from(weight.numerator()) * 1_000_000_000 / u128::from(weight.denominator());
    if nano.is_multiple_of(1_000_000_000) {
        return (nano / 1_000_000_000).to_string();
    }
    let digits = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    digits.trim_end_matches('0').to_owned()
}

fn preemption(queue: &ClusterQueue) -> Value {
    let word =
        |reach: Reach| REACHES.iter().find(|(_, known)| *known == reach).map_or("Never", |(word, _)| word);
    json!({
        "withinClusterQueue": word(queue.preemption.within_cluster_queue),
        "reclaimWithinCohort": word(queue.preemption.reclaim_within_cohort),
    })
}

/// Small letters, digits, hyphens and dots, with letters or digits at both ends.
fn is_kubernetes_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let inside = name.chars().all(|letter| plain(letter) || letter == '-' || letter == '.');
    inside && name.len() <= 253 && name.starts_with(plain) && name.ends_with(plain)
}
