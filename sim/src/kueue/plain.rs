//! The plain part of an imported scenario: what pools, teams and jobs say without Kueue's words.
//!
//! Absent on purpose: what Kueue's words are needed for (see `import`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use fairshare::kueue::{Quota, ResourceGroup};
use serde_json::{Map, Value, json};

use super::asked::{Ask, amount_text};
use super::config::strategy_names;
use super::export::{GPU, GPU_HERE};
use super::import::{Words, is_number};
use super::job::time;
use super::joined::{Amounts, split, together};
use super::objects::Objects;
use super::same::{is_finished, tidy};
use super::snapshot::held;
use super::subtree::{complete, totals};
use super::text::{toml, toml_key, toml_text};
use super::tree::Parts;
use super::workload::Workload;
use crate::trace::gibibytes_text;

const HEAD: &str = "\
# Imported from Kueue's objects by `sim kueue import`: flavors are pools, counted as one amount; cohorts and queues
# are teams; `kueue` says in Kueue's words what a scenario has none for. Containers, states of queues, and whatever
# else decides nothing are left out. `sim decide` decides on it, `sim kueue export` writes it back as objects.
";

/// Objects by kind, namespace and name.
type ByName<'a> = BTreeMap<(&'a str, &'a str, &'a str), &'a Value>;

/// Objects on their way to a scenario.
pub(super) struct Plain<'a> {
    objects: &'a Objects,
    values: ByName<'a>,
    now_ms: i64,
    several_namespaces: bool,
    /// What of a cohort's name is taken by a queue.
    renamed: BTreeMap<String, String>,
    gpu: Option<String>,
    /// The pool of each flavor that is one with others.
    pool_of: BTreeMap<String, String>,
    /// How much there is of each resource: what has quota, and no less than is held.
    pools: Amounts,
    /// What is held beyond quotas: pool, resource, quota and what is held.
    excess: Vec<(String, String, i64, i64)>,
    /// Flavors that could be one pool, and are not.
    apart: Vec<BTreeSet<String>>,
}

impl<'a> Plain<'a> {
    /// `joins`: whether flavors that are always used together are one pool.
    pub(super) fn new(objects: &'a Objects, values: &'a [Value], now_ms: i64, joins: bool) -> Self {
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        let key = |value: &'a Value| {
            let metadata = &value["metadata"];
            ((text(&value["kind"]), text(&metadata["namespace"]), text(&metadata["name"])), value)
        };
        let namespaces: BTreeSet<&str> =
            objects.workloads.iter().map(|workload| workload.namespace.as_str()).collect();
        let mut plain = Self {
            objects,
            values: values.iter().map(key).collect(),
            now_ms,
            several_namespaces: namespaces.len() > 1,
            renamed: BTreeMap::new(),
            gpu: None,
            pool_of: BTreeMap::new(),
            pools: BTreeMap::new(),
            excess: Vec::new(),
            apart: Vec::new(),
        };
        let queues: BTreeSet<&str> = objects.queues.iter().map(|(_, queue, _)| queue.name.as_str()).collect();
        for name in plain.cohort_names() {
            let mut new = name.clone();
            while queues.contains(new.as_str()) {
                new.push_str(".cohort");
            }
            if new != name {
                plain.renamed.insert(name, new);
            }
        }
        plain.pools = plain.amounts();
        plain.gpu = plain.gpu_resource();
        plain.apart = together(objects, &plain.pools);
        if joins {
            plain.join();
        }
        plain.make_room();
        plain
    }

    /// Makes one pool of flavors that are always used together, by the name of that of the GPUs.
    fn join(&mut self) {
        for set in std::mem::take(&mut self.apart) {
            let has_gpus = |flavor: &&String| {
                let node = self.pools.get(*flavor);
                self.gpu.as_ref().is_some_and(|gpu| node.is_some_and(|node| node.contains_key(gpu)))
            };
            let Some(name) = set.iter().find(has_gpus).or_else(|| set.first()).cloned() else { continue };
            let nodes: Vec<_> = set.iter().filter_map(|flavor| self.pools.remove(flavor)).collect();
            self.pools.insert(name.clone(), nodes.into_iter().flatten().collect());
            self.pool_of.extend(set.into_iter().map(|flavor| (flavor, name.clone())));
        }
    }

    /// No pool is smaller than what is held of it: quotas are cut while jobs run.
    fn make_room(&mut self) {
        let mut held_of: BTreeMap<(String, String), i64> = BTreeMap::new();
        for workload in self.objects.workloads.iter().filter(|it| self.pool_of_running(it).is_some()) {
            for set in workload.admission.iter().flat_map(|admission| &admission.sets) {
                for (resource, amount) in held(workload, set) {
                    let Some(flavor) = set.flavors.get(resource) else { continue };
                    let sum = held_of.entry((self.pool(flavor).to_owned(), resource.to_owned())).or_default();
                    *sum = sum.saturating_add(amount);
                }
            }
        }
        for ((pool, resource), held) in held_of {
            let amount = self.pools.entry(pool.clone()).or_default().entry(resource.clone()).or_default();
            if held > *amount {
                self.excess.push((pool, resource, *amount, held));
                *amount = held;
            }
        }
    }

    fn pool<'b>(&'b self, flavor: &'b str) -> &'b str {
        self.pool_of.get(flavor).map_or(flavor, String::as_str)
    }

    /// Where a job runs, if it does: where its GPUs are, else the first of its flavors.
    fn home(&self, workload: &'a Workload) -> Option<&str> {
        self.seat(workload).filter(|(_, holds)| *holds)?;
        let mut flavors = holdings(workload);
        let first = flavors.clone().map(|(_, flavor)| flavor).next();
        let of_gpus = flavors.find(|(resource, _)| self.gpu.as_deref() == Some(*resource));
        let flavor = of_gpus.map(|(_, flavor)| flavor).or(first);
        flavor.map(|flavor| self.pool(flavor)).or_else(|| self.pools.keys().next().map(String::as_str))
    }

    fn pool_of_running(&self, workload: &'a Workload) -> Option<&str> {
        self.job_of(workload)?;
        self.home(workload)
    }

    /// What a running job holds in other pools than its own.
    fn parts<'b>(&'b self, workload: &'a Workload) -> Vec<(&'b str, Ask<'a>)> {
        let Some(home) = self.pool_of_running(workload) else { return Vec::new() };
        let pools: BTreeSet<&str> = holdings(workload).map(|(_, flavor)| self.pool(flavor)).collect();
        let others = pools.into_iter().filter(|pool| *pool != home);
        let ask =
            |pool| Ask::of(workload, true, |flavor| flavor.is_some_and(|flavor| self.pool(flavor) == pool));
        others.map(|pool| (pool, ask(pool))).filter(|(_, ask)| ask.refusal().is_none()).collect()
    }

    pub(super) fn value(&self, kind: &str, namespace: &str, name: &str) -> &Value {
        self.values.get(&(kind, namespace, name)).copied().unwrap_or(&Value::Null)
    }

    pub(super) fn has_no_pool(&self) -> bool {
        self.pools.is_empty()
    }

    pub(super) fn team_of_cohort(&self, name: &str) -> String {
        self.renamed.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// The teams of cohorts that are called otherwise, by the cohort's name.
    pub(super) fn renamed(&self) -> &BTreeMap<String, String> {
        &self.renamed
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let renamed = self.renamed.iter().map(|(old, new)| {
            format!("cohort `{old}` is team `{new}`: a ClusterQueue has its name, and teams have names of their own")
        });
        let objects = self.objects.workloads.iter().filter(|workload| self.seat(workload).is_some());
        let objects = objects.filter_map(|workload| {
            let (refusal, name) = (self.ask(workload).refusal()?, workload.full_name());
            Some(format!(
                "workload `{name}` {refusal}: it stays an object, at which Kueue's rules alone look"
            ))
        });
        let mut split = self.objects.workloads.iter().filter(|workload| !self.parts(workload).is_empty());
        let split = split.next().map(|first| {
            let more = Some(split.count()).filter(|more| *more > 0).map(|more| format!(" and {more} more"));
            format!(
                "workload `{}`{} holds resources in several pools: it runs in that of its GPUs, or else of its first \
                 resource, and what it holds in others is `part_of` it, so that other policies than Kueue's do not stop it",
                first.full_name(),
                more.unwrap_or_default()
            )
        });
        renamed.chain(objects).chain(split).chain(self.notes_of_pools()).collect()
    }

    /// What pools are that flavors are not.
    fn notes_of_pools(&self) -> Vec<String> {
        let quoted = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ")
        };
        let mut notes = Vec::new();
        for (pool, resource, quota, held) in &self.excess {
            let (quota, held) = (amount_text(resource, *quota), amount_text(resource, *held));
            notes.push(format!(
                "pool `{pool}` has {held} {resource}, since so much of it is held: quotas come to {quota}"
            ));
        }
        let pools: BTreeSet<&String> = self.pool_of.values().collect();
        for pool in pools {
            let mut flavors =
                self.pool_of.iter().filter(|(_, of)| *of == pool).map(|(flavor, _)| flavor.as_str());
            notes.push(format!(
                "pool `{pool}` is of the flavors {}: they are used together",
                quoted(&mut flavors)
            ));
        }
        let several = split(self.objects, &|flavor| self.pool(flavor));
        if let Some((kind, name)) = several.first() {
            let more =
                if several.len() > 1 { format!(" and {} more", several.len() - 1) } else { String::new() };
            let mut note = format!(
                "{kind} `{name}`{more}: jobs take resources of several flavors at once, which Kueue's rules alone can do; \
                 other policies find no pool for them"
            );
            for set in &self.apart {
                let flavors = quoted(&mut set.iter().map(String::as_str));
                let _ = write!(note, "; `--join-flavors` makes one pool of {flavors}");
            }
            notes.push(note);
        }
        notes
    }

    /// All cohorts, also those that are only named.
    fn cohort_names(&self) -> BTreeSet<String> {
        let objects = self.objects;
        let own = objects.cohorts.iter().flat_map(|(_, cohort)| [Some(&cohort.name), cohort.parent.as_ref()]);
        let named = objects.queues.iter().map(|(_, queue, _)| queue.cohort.as_ref());
        own.chain(named).flatten().cloned().collect()
    }

    pub(super) fn is_childless(&self, cohort: &str) -> bool {
        let is = |parent: &Option<String>| parent.as_deref() == Some(cohort);
        let objects = self.objects;
        !objects.queues.iter().any(|(_, queue, _)| is(&queue.cohort))
            && !objects.cohorts.iter().any(|(_, other)| is(&other.parent))
    }

    fn groups(&self) -> impl Iterator<Item = &'a ResourceGroup> {
        let of_queues = self.objects.queues.iter().flat_map(|(_, queue, _)| &queue.groups);
        of_queues.chain(self.objects.cohorts.iter().flat_map(|(_, cohort)| &cohort.groups))
    }

    fn amounts(&self) -> Amounts {
        let mut pools = Amounts::new();
        for row in self.groups().flat_map(|group| &group.rows) {
            let node = pools.entry(row.flavor.clone()).or_default();
            for quota in &row.quotas {
                let sum = node.entry(quota.resource.clone()).or_default();
                *sum = sum.saturating_add(quota.nominal);
            }
        }
        let sets = |workload: &'a Workload| {
            workload.admission.iter().flat_map(|admission| &admission.sets).map(move |set| (workload, set))
        };
        for (workload, set) in self.objects.workloads.iter().flat_map(sets) {
            for (resource, _) in held(workload, set) {
                if let Some(flavor) = set.flavors.get(resource) {
                    pools.entry(flavor.clone()).or_default().entry(resource.to_owned()).or_default();
                }
            }
        }
        pools
    }

    /// What is called `gpu` in a scenario.
    fn gpu_resource(&self) -> Option<String> {
        let pods = self.objects.workloads.iter().flat_map(|workload| &workload.pods);
        let asked = pods.flat_map(|set| set.requests.keys());
        let names: BTreeSet<&String> = self.pools.values().flat_map(BTreeMap::keys).chain(asked).collect();
        let first =
            |is: &dyn Fn(&str) -> bool| names.iter().find(|name| is(name)).map(|name| (*name).clone());
        first(&|name| name == GPU_HERE)
            .or_else(|| first(&|name| name == GPU))
            .or_else(|| first(&|name| name.ends_with("/gpu")))
    }

    fn resource<'b>(&'b self, name: &'b str) -> &'b str {
        if self.gpu.as_deref() == Some(name) { GPU_HERE } else { name }
    }

    /// `{ resource = amount }`.
    fn table<'b>(&'b self, amounts: impl Iterator<Item = (&'b String, i64)>) -> String {
        let parts: Vec<String> = amounts
            .map(|(resource, amount)| {
                format!("{} = {}", toml_key(self.resource(resource)), amount_text(resource, amount))
            })
            .collect();
        format!("{{ {} }}", parts.join(", "))
    }

    /// The scenario, with words laid over teams and jobs.
    pub(super) fn text(&self, words: &Words, trace: Option<&Path>) -> String {
        let mut text = HEAD.to_owned();
        self.policy(&mut text);
        for (flavor, node) in &self.pools {
            let table = self.table(node.iter().map(|(resource, amount)| (resource, *amount)));
            let _ = write!(
                text,
                "\n[[pool]]\nname = {}\nnodes = 1\nnode = {table}\ndivisible = true\n",
                toml_text(flavor)
            );
        }
        self.teams(&mut text, words);
        for ((kind, name), value) in &self.objects.classes {
            if *kind == "WorkloadPriorityClass" && !is_number(name) {
                let _ = write!(text, "\n[[priority]]\nname = {}\nvalue = {value}\n", toml_text(name));
            }
        }
        if let Some(path) = trace {
            let _ = write!(text, "\n[trace]\npath = {}\n", toml_text(&path.to_string_lossy()));
        }
        let _ = write!(text, "\n[snapshot]\nnow_s = {}\n", toml_text(&time(self.now_ms)));
        for runs in [true, false] {
            for workload in &self.objects.workloads {
                self.job(&mut text, workload, runs, words);
            }
        }
        for value in self.kept() {
            let _ = writeln!(text, "\n[[kueue]]");
            for (key, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null())
            {
                let _ = writeln!(text, "{} = {}", toml_key(key), toml(value));
            }
        }
        text
    }

    fn policy(&self, text: &mut String) {
        let configuration = &self.objects.configuration;
        let fair = configuration.fair_sharing.unwrap_or(false);
        let _ = write!(text, "\n[policy]\norder = \"kueue\"\nfair_sharing = {fair}\ntree = \"as-written\"\n");
        if let Some(strategies) = &configuration.strategies {
            let _ = writeln!(text, "strategies = {}", toml(&strategy_names(strategies).into()));
        }
        if let Some(gpu) = self.gpu.as_ref().filter(|gpu| *gpu != GPU) {
            let _ = writeln!(text, "gpu_resource = {}", toml_text(gpu));
        }
    }

    fn teams(&self, text: &mut String, words: &Words) {
        let totals = totals(self.objects);
        for name in self.cohort_names() {
            let team = self.team_of_cohort(&name);
            let _ = write!(text, "\n[[team]]\nname = {}\n", toml_text(&team));
            if let Some((_, cohort)) = self.objects.cohorts.iter().find(|(_, cohort)| cohort.name == name) {
                self.place(text, cohort.parent.as_ref(), cohort.weight);
                let total = totals.get(&name).cloned().unwrap_or_default();
                self.quotas(text, &complete(&cohort.groups, &total), &|flavor, quota| {
                    let pair = (flavor.to_owned(), quota.resource.clone());
                    total.get(&pair).copied().unwrap_or(quota.nominal)
                });
            }
            said(text, words.teams.get(&team));
        }
        for (_, queue, _) in &self.objects.queues {
            let _ = write!(text, "\n[[team]]\nname = {}\n", toml_text(&queue.name));
            self.place(text, queue.cohort.as_ref(), queue.weight);
            self.quotas(text, &queue.groups, &|_, quota| quota.nominal);
            said(text, words.teams.get(&queue.name));
        }
    }

    fn place(&self, text: &mut String, parent: Option<&String>, weight: Option<fairshare::Weight>) {
        if let Some(parent) = parent {
            let _ = writeln!(text, "parent = {}", toml_text(&self.team_of_cohort(parent)));
        }
        match weight {
            Some(weight) if weight == fairshare::Weight::ONE => {}
            Some(weight) if weight.denominator() == 1 => {
                let _ = writeln!(text, "weight = {}", weight.numerator());
            }
            Some(weight) => {
                let _ = writeln!(text, "weight = \"{}/{}\"", weight.numerator(), weight.denominator());
            }
            None => {}
        }
    }

    /// Quota, borrowing and lending limits by flavor, in the order in which flavors are tried.
    fn quotas(&self, text: &mut String, groups: &[ResourceGroup], nominal: &dyn Fn(&str, &Quota) -> i64) {
        type Amount<'f> = &'f dyn Fn(&str, &Quota) -> Option<i64>;
        let quota = |flavor: &str, quota: &Quota| Some(nominal(flavor, quota));
        let keys: [(&str, Amount<'_>); 3] = [
            ("quota", &quota),
            ("borrow", &|_, quota| quota.borrowing_limit),
            ("lend", &|_, quota| quota.lending_limit),
        ];
        for (key, amount) in keys {
            let mut pools: Vec<(&str, Vec<(&String, i64)>)> = Vec::new();
            for row in groups.iter().flat_map(|group| &group.rows) {
                let amounts =
                    row.quotas.iter().filter_map(|it| Some((&it.resource, amount(&row.flavor, it)?)));
                let pool = self.pool(&row.flavor);
                match pools.iter_mut().find(|(known, _)| *known == pool) {
                    Some((_, known)) => known.extend(amounts),
                    None => pools.push((pool, amounts.collect())),
                }
            }
            let pools = pools.into_iter().filter(|(_, amounts)| !amounts.is_empty());
            let pools = pools
                .map(|(pool, amounts)| format!("{} = {}", toml_key(pool), self.table(amounts.into_iter())));
            let pools: Vec<String> = pools.collect();
            if !pools.is_empty() {
                let _ = writeln!(text, "{key} = {{ {} }}", pools.join(", "));
            }
        }
    }

    /// The queue in which a workload is, and whether it holds quota; nothing for one that is in none.
    fn seat(&self, workload: &Workload) -> Option<(String, bool)> {
        if workload.conditions.contains_key("Finished") {
            return None;
        }
        let reserved =
            ["QuotaReserved", "Admitted"].iter().any(|kind| workload.conditions.contains_key(*kind));
        if let Some(admission) = workload.admission.as_ref().filter(|_| reserved) {
            return Some((admission.cluster_queue.clone(), true));
        }
        let key = (workload.namespace.clone(), workload.queue.clone());
        let local = self.objects.local_queues.get(&key).filter(|_| workload.active)?;
        Some((local.cluster_queue.clone(), false))
    }

    /// What its job is called, where it can be one.
    pub(super) fn job_of(&self, workload: &'a Workload) -> Option<String> {
        self.seat(workload).filter(|_| self.ask(workload).refusal().is_none())?;
        Some(if self.several_namespaces { workload.full_name() } else { workload.name.clone() })
    }

    fn job(&self, text: &mut String, workload: &'a Workload, runs: bool, words: &Words) {
        if self.seat(workload).is_none_or(|(_, holds)| holds != runs) {
            return;
        }
        let Some(job) = self.job_of(workload) else { return };
        let pool = self.pool_of_running(workload).filter(|_| runs);
        self.write_job(text, workload, &job, pool, None);
        self.write_ask(text, self.ask(workload));
        said(text, words.jobs.get(&job));
        for (pool, ask) in self.parts(workload) {
            self.write_job(text, workload, &format!("{job}@{pool}"), Some(pool), Some(&job));
            self.write_ask(text, ask);
        }
    }
    /// A job in the pool in which it runs, or waiting; or the part of one there.
    fn write_job(
        &self,
        text: &mut String,
        workload: &Workload,
        job: &str,
        pool: Option<&str>,
        whole: Option<&str>,
    ) {
        let Some((queue, _)) = self.seat(workload) else { return };
        let reserved = workload.conditions.get("QuotaReserved").filter(|_| pool.is_some());
        let since = reserved.and_then(|condition| condition.at_ms);
        let section = if pool.is_some() { "running" } else { "pending" };
        let _ = write!(text, "\n[[{section}]]\njob_id = {}\nteam = {}\n", toml_text(job), toml_text(&queue));
        if let Some(pool) = pool {
            let _ = writeln!(text, "pool = {}", toml_text(pool));
        }
        if let Some(whole) = whole {
            let _ = writeln!(text, "part_of = {}", toml_text(whole));
        }
        if let Some(since) = since {
            let _ = writeln!(text, "start_s = {}", toml_text(&time(since)));
        }
        if let Some(created) = workload.created_ms {
            // Clocks of a cluster differ, and a scenario takes no start before the submission: what that was is said
            // in Kueue's words then.
            let submit = since.map_or(created, |since| since.min(created));
            let _ = writeln!(text, "submit_s = {}", toml_text(&time(submit)));
        }
        let own = workload.class.as_ref();
        let number = workload.priority.or_else(|| self.objects.class_value(own?));
        let class = own.filter(|class| {
            let value = self.objects.classes.get(&("WorkloadPriorityClass", class.name.clone()));
            value.is_some_and(|value| number == Some(*value)) && !is_number(&class.name)
        });
        match (class, number) {
            (Some(class), _) => {
                let _ = writeln!(text, "priority = {}", toml_text(&class.name));
            }
            (None, Some(priority)) => {
                let _ = writeln!(text, "priority = {priority}");
            }
            (None, None) => {}
        }
    }

    fn ask(&self, workload: &'a Workload) -> Ask<'a> {
        let home = self.home(workload);
        let is_home = |flavor: &str| home.is_none_or(|home| self.pool(flavor) == home);
        Ask::of(workload, home.is_some(), |flavor| flavor.is_none_or(is_home))
    }

    fn write_ask(&self, text: &mut String, ask: Ask<'_>) {
        let _ = writeln!(text, "workers = {}", ask.workers);
        for (resource, each) in ask.each {
            let (key, amount) = match self.resource(resource) {
                GPU_HERE => (GPU_HERE.to_owned(), each.to_string()),
                "cpu" => ("cpu".to_owned(), amount_text("cpu", each)),
                "memory" => ("memory_gib".to_owned(), gibibytes_text(each.unsigned_abs())),
                other => (format!("res_{other}"), each.to_string()),
            };
            let _ = writeln!(text, "{} = {amount}", toml_key(&key));
        }
    }

    /// Objects that a scenario has no word for, without what decides nothing.
    fn kept(&self) -> Vec<Value> {
        let mut kept = Vec::new();
        for (kind, namespace, name) in self.values.keys() {
            let value = self.value(kind, namespace, name);
            let keep = match *kind {
                "LocalQueue" | "PriorityClass" => true,
                "WorkloadPriorityClass" => is_number(name),
                "ResourceFlavor" => {
                    let plain = value["spec"].as_object().is_none_or(Map::is_empty);
                    !plain || !self.pools.contains_key(*name)
                }
                "Workload" => {
                    let same = |it: &&Workload| it.namespace == *namespace && it.name == *name;
                    let workload = self.objects.workloads.iter().find(same);
                    workload.is_some_and(|workload| self.job_of(workload).is_none()) && !is_finished(value)
                }
                _ => false,
            };
            if keep {
                kept.push(tidy(value));
            }
        }
        let weights = &self.objects.configuration.resource_weights;
        if !weights.is_empty() {
            let weights: Map<String, Value> =
                weights.iter().map(|(name, weight)| (name.clone(), json!(weight))).collect();
            kept.push(json!({
                "kind": "Configuration",
                "metadata": {"name": "kueue"},
                "admissionFairSharing": {"resourceWeights": weights},
            }));
        }
        kept
    }
}

fn said(text: &mut String, parts: Option<&Parts>) {
    if let Some(parts) = parts {
        let _ = writeln!(text, "kueue = {}", toml(&Value::Object(parts.clone())));
    }
}

/// What of a workload's resources is held of which flavor; without amounts, where nothing is.
fn holdings(workload: &Workload) -> impl Iterator<Item = (&str, &str)> + Clone {
    let sets = workload.admission.iter().flat_map(|admission| &admission.sets);
    let all = sets.flat_map(|set| {
        held(workload, set)
            .into_iter()
            .filter_map(|(resource, amount)| Some((resource, set.flavors.get(resource)?.as_str(), amount)))
    });
    let mut all: Vec<(&str, &str, i64)> = all.collect();
    if all.iter().any(|(.., amount)| *amount != 0) {
        all.retain(|(.., amount)| *amount != 0);
    }
    all.into_iter().map(|(resource, flavor, _)| (resource, flavor))
}
