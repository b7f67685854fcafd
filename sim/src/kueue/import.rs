//! Kueue's objects as a scenario: flavors as divisible pools, queues and cohorts as teams, Workloads as a snapshot.
//!
//! The plain scenario is written first and exported again; whatever then means something else than the objects do is
//! written in Kueue's words beside it, and what still does is noted. Absent on purpose: how objects are read, and text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::KueueError;
use super::export::export;
use super::objects::{Objects, files};
use super::plain::Plain;
use super::same;
use super::snapshot::{Options, Snapshot};
use super::tree::Parts;
use super::workload::Workload;
use crate::error::SimError;
use crate::scenario::Scenario;
use crate::trace::{Documents, Opened, printable};

/// A scenario, and what else was found.
#[derive(Debug)]
pub struct Imported {
    /// The scenario as TOML.
    pub scenario: String,
    /// Workloads that have finished, as objects: a trace.
    pub finished: Vec<Value>,
    /// What was passed over, is odd, or cannot be said in a scenario.
    pub notes: Vec<String>,
}

/// The words laid over teams and jobs, by name.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) teams: BTreeMap<String, Parts>,
    pub(super) jobs: BTreeMap<String, Parts>,
}

/// Reads files of objects as a scenario; `trace` is the file of finished jobs that it is to name, as from its folder.
///
/// # Errors
///
/// [`SimError`] where objects cannot be read or contradict each other, or no queue has quota.
pub fn import<P: AsRef<Path>>(paths: &[P], trace: Option<&Path>) -> Result<Imported, SimError> {
    import_opened(files(paths), &Wanted { trace, ..Wanted::default() })
}

/// What the scenario is to be like.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Over what the configuration says.
    pub(crate) fair_sharing: Option<bool>,
    /// The file of finished jobs that it names, as from its folder.
    pub(crate) trace: Option<&'a Path>,
    /// Flavors that are always used together are one pool.
    pub(crate) joins_flavors: bool,
}

/// The same of files that are opened one after another.
pub(crate) fn import_opened(
    files: impl IntoIterator<Item = Result<(String, Opened), KueueError>>,
    wanted: &Wanted<'_>,
) -> Result<Imported, SimError> {
    let mut source = Source::default();
    for file in files {
        let (name, opened) = file?;
        source.add(&name, opened)?;
    }
    let configuration = &mut source.objects.configuration;
    configuration.fair_sharing = wanted.fair_sharing.or(configuration.fair_sharing);
    source.import(wanted)
}

/// The same of a text.
///
/// # Errors
///
/// As [`import`].
pub fn import_text(file: &str, text: &str, trace: Option<&Path>) -> Result<Imported, SimError> {
    let bytes = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
    let opened = crate::trace::open_bytes(bytes).map_err(|fault| KueueError::bytes(file, fault))?;
    import_opened([Ok((file.to_owned(), opened))], &Wanted { trace, ..Wanted::default() })
}

/// What finished workloads name and is not among the objects, with how many do.
#[derive(Default)]
struct Lost {
    queues: BTreeMap<String, usize>,
    classes: BTreeMap<String, usize>,
}

impl Lost {
    fn notes(&self) -> impl Iterator<Item = String> {
        let of = |count: &usize| format!("{count} finished workload{}", if *count == 1 { "" } else { "s" });
        let queues = self.queues.iter().map(move |(name, count)| {
            format!("{} of local queue `{name}`, which is not among the objects: team `{name}`", of(count))
        });
        let classes = self.classes.iter().map(move |(name, count)| {
            format!(
                "{} of priority class `{name}`, which is not among the objects: taken as priority 0",
                of(count)
            )
        });
        queues.chain(classes)
    }
}

/// Objects, read and as they stand.
#[derive(Debug, Default)]
struct Source {
    file: String,
    values: Vec<Value>,
    objects: Objects,
}

impl Source {
    fn add(&mut self, file: &str, opened: Opened) -> Result<(), KueueError> {
        let bytes = |fault| KueueError::bytes(file, fault);
        let hint = "kubectl prints them with `-o yaml` or `-o json`";
        let mut documents = Documents::new(opened, hint).map_err(bytes)?;
        while let Some(value) = documents.next("Kubernetes object").map_err(bytes)? {
            let value: Value = value;
            if value.is_null() {
                continue;
            }
            let read = self.objects.take(file, &value, documents.line());
            if read.map_err(|error| error.located(&documents))? {
                self.values.push(value);
            }
        }
        if self.file.is_empty() {
            file.clone_into(&mut self.file);
        }
        Ok(())
    }

    fn import(&self, wanted: &Wanted<'_>) -> Result<Imported, SimError> {
        let trace = wanted.trace;
        // Contradictions are told of the objects, not of a scenario that nobody has written.
        let snapshot = Snapshot::new(&self.objects, &Options::default())?;
        let mut notes = snapshot.warnings;
        let plain = Plain::new(&self.objects, &self.values, snapshot.now_ms, wanted.joins_flavors);
        if plain.has_no_pool() {
            let what = "no ClusterQueue and no Cohort has quota of any flavor: expected at least one";
            let what = format!("{what}{}", self.objects.passed_over());
            return Err(KueueError::file(&self.file, what).into());
        }
        notes.extend(plain.notes());
        let mut words = Words::default();
        let text = plain.text(&words, trace);
        for (name, parts) in self.differences(&plain, &text, true)?.teams {
            words.teams.insert(name, parts);
        }
        // Jobs are compared where queues are right.
        words.jobs = self.differences(&plain, &plain.text(&words, trace), true)?.jobs;
        let scenario = plain.text(&words, trace);
        let left = self.differences(&plain, &scenario, false)?;
        for (what, name, parts) in left
            .teams
            .iter()
            .map(|(name, parts)| ("queue or cohort", name, parts))
            .chain(left.jobs.iter().map(|(name, parts)| ("workload", name, parts)))
        {
            let fields: Vec<String> = paths(parts).into_iter().map(|path| format!("`{path}`")).collect();
            notes.push(format!("{what} `{name}`: a scenario does not say all of {}", fields.join(", ")));
        }
        let finished = self.finished(&mut notes);
        // Names in them come from the files.
        let notes = notes.iter().map(|note| printable(note)).collect();
        Ok(Imported { scenario, finished, notes })
    }

    /// Workloads that have finished.
    fn finished(&self, notes: &mut Vec<String>) -> Vec<Value> {
        let ended = |value: &&Value| value["kind"] == "Workload" && same::is_finished(value);
        let key = |workload: &Workload| (workload.namespace.clone(), workload.name.clone());
        let workloads = self.objects.workloads.iter().map(|workload| (key(workload), workload)).collect();
        let mut lost = Lost::default();
        let finished = self.values.iter().filter(ended).map(|value| {
            let mut value = value.clone();
            self.place(&mut value, &mut lost);
            self.weigh(&mut value, &workloads, &mut lost);
            value
        });
        let finished = finished.collect();
        notes.extend(lost.notes());
        finished
    }

    /// One that was never admitted is of the queue behind its local queue, as if it had been.
    fn place(&self, value: &mut Value, lost: &mut Lost) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text(&value["metadata"]["namespace"]), text(&value["spec"]["queueName"]));
        if !value["status"]["admission"].is_null() {
            return;
        }
        match self.objects.local_queues.get(&(namespace.clone(), name.clone())) {
            Some(local) => value["status"]["admission"] = json!({"clusterQueue": local.cluster_queue}),
            None => *lost.queues.entry(format!("{namespace}/{name}")).or_default() += 1,
        }
    }

    /// Its priority as a trace tells it: by its class where the scenario gives that the same number, else the number.
    fn weigh(&self, value: &mut Value, workloads: &BTreeMap<(String, String), &Workload>, lost: &mut Lost) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (text(&value["metadata"]["namespace"]), text(&value["metadata"]["name"]));
        let Some(workload) = workloads.get(&key) else { return };
        let class = workload.class.as_ref();
        let in_scenario = class.filter(|class| !is_number(&class.name)).and_then(|class| {
            self.objects.classes.get(&("WorkloadPriorityClass", class.name.clone())).copied()
        });
        let of_class = class.and_then(|class| self.objects.class_value(class));
        let own = workload.priority.or(of_class);
        if own.is_some() && own == in_scenario {
            return;
        }
        if let (None, Some(class)) = (own, class) {
            *lost.classes.entry(class.name.clone()).or_default() += 1;
            return;
        }
        let number = own.or(self.objects.default_priority).unwrap_or(0);
        if let Value::Object(spec) = &mut value["spec"] {
            spec.retain(|key, _| !["priorityClassRef", "priorityClassName"].contains(&key.as_str()));
            spec.insert("priority".to_owned(), number.into());
        }
    }

    /// What a scenario, exported again, says otherwise than the objects, in their words.
    fn differences(&self, plain: &Plain<'_>, text: &str, first: bool) -> Result<Words, SimError> {
        let scenario = Scenario::parse("the imported scenario", text, &[])?;
        let exported = export(&scenario)?;
        let again = Objects::of_values("the imported scenario", &exported.objects)?;
        let mut words = Words::default();
        for (_, queue, strict) in &self.objects.queues {
            let parts = same::queue(plain.value("ClusterQueue", "", &queue.name), queue, *strict, &again);
            words.teams.extend(parts.map(|parts| (queue.name.clone(), parts)));
        }
        for (_, cohort) in &self.objects.cohorts {
            let parts = same::cohort(plain.value("Cohort", "", &cohort.name), cohort, plain, &again);
            let mut parts = parts.unwrap_or_default();
            if first && plain.is_childless(&cohort.name) {
                parts.insert("kind".to_owned(), "Cohort".into());
            }
            if !parts.is_empty() {
                words.teams.insert(plain.team_of_cohort(&cohort.name), parts);
            }
        }
        for (own, team) in plain.renamed().iter().filter(|_| first) {
            let parts = words.teams.entry(team.clone()).or_default();
            parts.insert("metadata".to_owned(), json!({"name": own}));
        }
        for workload in &self.objects.workloads {
            let Some(job) = plain.job_of(workload) else { continue };
            let value = plain.value("Workload", &workload.namespace, &workload.name);
            let here = same::Side { objects: &self.objects, workload };
            let other = again.workloads.iter().find(|other| {
                if first {
                    other.name == job
                } else {
                    other.uid == workload.uid && other.name == workload.name
                }
            });
            let parts = match other {
                Some(other) => same::workload(value, &here, &same::Side { objects: &again, workload: other }),
                None => Some(parts_of("metadata", "name", &value["metadata"]["name"])),
            };
            words.jobs.extend(parts.map(|parts| (job.clone(), parts)));
        }
        Ok(words)
    }
}

/// Whether a class is called as a number is, which a scenario would take for that class.
pub(super) fn is_number(class: &str) -> bool {
    class.parse::<i32>().is_ok()
}

fn parts_of(section: &str, key: &str, value: &Value) -> Parts {
    let mut parts = Map::new();
    parts.insert(section.to_owned(), json!({key: value}));
    parts
}

fn paths(parts: &Parts) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (section, keys) in parts {
        match keys {
            Value::Object(keys) => paths.extend(keys.keys().map(|key| format!("{section}.{key}"))),
            _ => {
                paths.insert(section.clone());
            }
        }
    }
    paths
}
