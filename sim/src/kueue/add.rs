//! One more job for a snapshot: a Workload, a `batch/v1` Job, or a `SkyPilot` task.
//!
//! Absent on purpose: what becomes of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::KueueError;
use super::field::{Field, Object};
use super::objects::{Objects, is_foreign};
use super::quantity::Quantity;
use super::workload::{Class, Exact, Pods, Workload, counted};
use crate::trace::{
    ACCELERATORS, ACCELERATORS_EXPECTED, Documents, MemoryUnit, Opened, accelerators, is_head_of_pipeline,
    memory_parts, printable,
};

const EXPECTED: &str = "a Workload, a batch/v1 Job or a SkyPilot task";
const NODES: &str = "a number of nodes, at least one";
const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

impl Objects {
    /// Adds the jobs of a file; `queue` is the local queue of those that name none.
    ///
    /// The tasks of a pipeline run one after another, so that the first of them alone is added.
    pub(crate) fn add_jobs(
        &mut self,
        file: &str,
        opened: Opened,
        queue: Option<&str>,
    ) -> Result<(), KueueError> {
        let bytes = |fault| KueueError::bytes(file, fault);
        let mut documents = Documents::new(opened, "it should be YAML or JSON").map_err(bytes)?;
        let (mut some, mut tasks) = (false, 0_usize);
        while let Some(value) = documents.next("job").map_err(bytes)? {
            let value: Value = value;
            if value.is_null() || is_head_of_pipeline(&value) {
                continue;
            }
            some = true;
            let is_task = is_task(&value);
            tasks += usize::from(is_task);
            if !is_task || tasks == 1 {
                self.add_job(file, &documents, &value, queue).map_err(|error| error.located(&documents))?;
            }
        }
        if tasks > 1 {
            let note = format!(
                "`{file}` is a pipeline of {tasks} tasks, which run one after another: the first alone is added"
            );
            self.noted.borrow_mut().odd.insert(note);
        }
        if some { Ok(()) } else { Err(KueueError::file(file, format!("expected {EXPECTED}, found nothing"))) }
    }

    /// Adds the current one of `documents`, of which this is the value.
    fn add_job(
        &mut self,
        file: &str,
        documents: &Documents,
        value: &Value,
        queue: Option<&str>,
    ) -> Result<(), KueueError> {
        let expected = |found: &str| KueueError::file(file, format!("expected {EXPECTED}, found {found}"));
        if !value.is_object() {
            return Err(expected("no object"));
        }
        let kind = value["kind"].as_str();
        let version = value["apiVersion"].as_str();
        let foreign = version.filter(|version| match kind {
            Some("Job") => *version != "batch/v1",
            Some(kind) => is_foreign(kind, version),
            None => false,
        });
        if let (Some(kind), Some(version)) = (kind, foreign) {
            return Err(expected(&format!("a `{}` of `{}`", printable(kind), printable(version))));
        }
        let metadata = &value["metadata"];
        let names = [&metadata["name"], &metadata["generateName"], &value["name"]];
        let name = names.into_iter().find_map(Value::as_str).unwrap_or_default();
        let name = match metadata["namespace"].as_str() {
            Some(namespace) if !namespace.is_empty() => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        };
        let noted = std::mem::take(&mut self.noted);
        let object = Object { file, kind: kind.unwrap_or("SkyPilot task"), name, noted: &noted };
        let root = Field::root(&object, value);
        let read = match kind {
            Some("Workload") => Workload::read(&root),
            Some("Job") => Workload::of_job(&root),
            Some(kind) => Err(expected(&format!("an object of kind `{}`", printable(kind)))),
            None if is_task(value) => task(&root, documents),
            None => Err(expected("an object without `kind`")),
        };
        let placed = read.and_then(|workload| self.place_job(workload, &root, queue));
        self.noted = noted;
        self.workloads.push(placed?);
        Ok(())
    }

    /// Gives a job its queue, and what is called otherwise there than where it was written.
    fn place_job(
        &self,
        mut workload: Workload,
        root: &Field<'_>,
        queue: Option<&str>,
    ) -> Result<Workload, KueueError> {
        workload.conditions.clear();
        workload.admission = None;
        workload.requeue_ms = None;
        workload.reclaimable.clear();
        if workload.queue.is_empty() {
            let (namespace, name) = queue.map_or((None, None), |queue| match queue.split_once('/') {
                Some((namespace, name)) => (Some(namespace), Some(name)),
                None => (None, Some(queue)),
            });
            let Some(name) = name else {
                let what = "expected a label that names its LocalQueue, found none";
                let label = root.get("metadata").get("labels").get(QUEUE_LABEL);
                return Err(label.sentence(what).hint("name the queue with `--queue [NAMESPACE/]NAME`"));
            };
            name.clone_into(&mut workload.queue);
            if let Some(namespace) = namespace {
                namespace.clone_into(&mut workload.namespace);
            }
        }
        let fits = |(namespace, name): &&(String, String)| {
            *name == workload.queue && (workload.namespace.is_empty() || *namespace == workload.namespace)
        };
        let found: Vec<&(String, String)> = self.local_queues.keys().filter(fits).collect();
        let [(namespace, _)] = found[..] else {
            let what = match found.len() {
                0 => format!("there is no LocalQueue `{}` for it among the objects", workload.queue),
                _ => format!("there is a LocalQueue `{}` in several namespaces", workload.queue),
            };
            return Err(root.sentence(what).hint("name the queue with `--queue [NAMESPACE/]NAME`"));
        };
        namespace.clone_into(&mut workload.namespace);
        workload.added = true;
        let taken = |name: &str| {
            let same = |known: &Workload| known.namespace == workload.namespace && known.name == name;
            self.workloads.iter().any(same)
        };
        if taken(&workload.name) {
            let metadata = root.get("metadata");
            // Who has a name is not given another.
            if metadata.get("name").name()?.is_some() || metadata.get("generateName").name()?.is_none() {
                return Err(root.sentence("there is a Workload of this name already"));
            }
            let mut numbered = (2_u32..).map(|number| format!("{}{number}", workload.name));
            let free = numbered.find(|name| !taken(name));
            workload.name = free.unwrap_or_default();
            workload.uid.clone_from(&workload.name);
        }
        let gpu = self.gpu_resource(&workload);
        for set in &mut workload.pods {
            if let Some(count) = set.requests.remove(GPU) {
                set.requests.insert(gpu.clone(), count);
            }
        }
        Ok(workload)
    }

    /// What GPUs are called where the job is queued.
    fn gpu_resource(&self, workload: &Workload) -> String {
        let key = (workload.namespace.clone(), workload.queue.clone());
        let queue = self.local_queues.get(&key).map(|local| local.cluster_queue.as_str());
        let quotas = self
            .queues
            .iter()
            .filter(|(_, known, _)| Some(known.name.as_str()) == queue)
            .flat_map(|(_, known, _)| &known.groups)
            .flat_map(|group| &group.rows)
            .flat_map(|row| &row.quotas);
        let mut names = quotas.map(|quota| quota.resource.as_str());
        names.find(|name| *name == "gpu" || name.ends_with("/gpu")).unwrap_or("nvidia.com/gpu").to_owned()
    }
}

/// Whether a document is a task of `SkyPilot`.
fn is_task(value: &Value) -> bool {
    let keys = ["resources", "run", "setup", "num_nodes"];
    value["kind"].is_null() && keys.iter().any(|key| !value[*key].is_null())
}

/// Stands for GPUs until it is known what the queue calls them; nobody's resource has such a name.
const GPU: &str = "GPUs of the task";

/// A task of `SkyPilot`, with the first of its choices; it is the current one of `documents`.
fn task(root: &Field<'_>, documents: &Documents) -> Result<Workload, KueueError> {
    let resources = root.get("resources");
    let choice = ["ordered", "any_of"]
        .iter()
        .find_map(|key| resources.get(key).items().ok()?.into_iter().next())
        .unwrap_or_else(|| resources.clone());
    let pick = |key: &str| {
        let own = choice.get(key);
        if own.is_absent() { resources.get(key) } else { own }
    };
    let mut requests = Exact::new();
    let cpus = cpus(&pick("cpus"))?;
    if let Some(milli) = cpus {
        requests.insert("cpu".to_owned(), milli);
    }
    if let Some(bytes) = memory(&pick("memory"), cpus)? {
        requests.insert("memory".to_owned(), bytes);
    }
    for part in [&choice, &resources] {
        let named = ACCELERATORS.into_iter().map(|key| part.get(key)).find(|types| !types.is_absent());
        let Some(named) = named else { continue };
        let types = accelerators(documents.json(named.way()));
        let types = types.ok_or_else(|| named.fault(ACCELERATORS_EXPECTED))?;
        if let Some((_, milli)) = types.first() {
            requests.insert(GPU.to_owned(), (i128::from(*milli) + 999) / 1_000);
            break;
        }
    }
    let nodes = root.get("num_nodes");
    let count: u32 = nodes.integer(NODES)?.unwrap_or(1);
    if count == 0 {
        return Err(nodes.fault(NODES));
    }
    let name = root.get("name").name()?.unwrap_or_else(|| "task".to_owned());
    let queues = [
        resources.get("labels").get(QUEUE_LABEL),
        root.get("config").get("kubernetes").get("kueue").get("local_queue_name"),
    ];
    let mut queue = String::new();
    for field in &queues {
        if let Some(named) = field.name()? {
            queue = named;
        }
    }
    let class = resources.get("labels").get("kueue.x-k8s.io/priority-class").name()?;
    let mut workload = Workload::blank(root.object().file, &name);
    workload.queue = queue;
    workload.class = class.map(|name| Class { kind: Some("WorkloadPriorityClass"), name });
    workload.pods.push(Pods {
        name: "main".to_owned(),
        count,
        min_count: None,
        requests: counted(&resources, requests, count),
        nodes: BTreeMap::new(),
    });
    Ok(workload)
}

/// `4`, `4+`, in thousandths.
fn cpus(field: &Field<'_>) -> Result<Option<i128>, KueueError> {
    let Some(text) = field.plain_text()? else { return Ok(None) };
    let text = text.trim().trim_end_matches('+');
    let count = Quantity::parse(text).filter(|count| !count.is_negative());
    let count = count.ok_or_else(|| field.fault("a number of CPUs like `4` or `4+`"))?;
    Ok(Some(count.units("cpu")))
}

/// `32`, `32+`, `512MB` in bytes, rounded up; `4x` is so many GiB for each CPU, of which there are so many thousandths.
fn memory(field: &Field<'_>, cpus: Option<i128>) -> Result<Option<i128>, KueueError> {
    let Some(text) = field.plain_text()? else { return Ok(None) };
    let (number, unit) = memory_parts(&text);
    let amount = Quantity::parse(number).filter(|amount| !amount.is_negative());
    let amount = amount.ok_or_else(|| field.fault("an amount of memory in GB like `32` or `32+`"))?;
    let milli = amount.units("cpu");
    let milli_bytes = match (unit, cpus) {
        (MemoryUnit::Bytes(shift), _) => milli.saturating_mul(1 << shift),
        (MemoryUnit::PerCpu, Some(cpus)) => milli.saturating_mul(1 << 30).saturating_mul(cpus) / 1_000,
        (MemoryUnit::PerCpu, None) => return Ok(None),
    };
    Ok(Some(milli_bytes.saturating_add(999) / 1_000))
}
