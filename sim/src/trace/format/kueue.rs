//! Kueue Workloads as `kubectl get workloads -A -o json` (or yaml) prints them, and nodes in the same list.
//!
//! Submission is the creation, start the admission, end the Finished condition; team is the `ClusterQueue`, before
//! admission the `LocalQueue`; pool is the flavor of the GPUs, else the first. Workloads that have not finished are
//! left out. Several pod sets become one gang of equal parts, as for PAI. Queues, flavors and cohorts are not
//! jobs: the import of Kueue objects reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::documents::Documents;
use super::kubernetes::{Kind, QUANTITY, add_node, at, instant, kind, quantity_milli, text, unreadable};
use super::slurm::share;
use crate::trace::cluster::Cluster;
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::row::{Reason, RowSource, Status, TraceRow};

/// Reader of Workloads and nodes.
pub(crate) struct Kueue {
    documents: Documents,
    resources: Vec<String>,
    passed_over: BTreeSet<String>,
    cluster: Cluster,
    cordoned: u64,
}

impl Kueue {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        Ok(Self {
            documents: Documents::new(opened, "kubectl prints it with `-o yaml`")?,
            resources: Vec::new(),
            passed_over: BTreeSet::new(),
            cluster: Cluster::default(),
            cordoned: 0,
        })
    }

    fn fill(&mut self, object: &Value, row: &mut TraceRow) -> Result<(), Fault> {
        let (namespace, name) =
            (text(object, &["metadata", "namespace"]), text(object, &["metadata", "name"]));
        for key in ["namespace", "name"] {
            let value = at(object, &["metadata", key]);
            if !value.is_null() && !value.is_string() {
                return Err(unreadable(value, "a text", &["metadata", key], row.line));
            }
        }
        if !namespace.is_empty() {
            row.name.push_str(namespace);
            row.name.push('/');
        }
        row.name.push_str(name);
        row.submit_ms = instant(object, &["metadata", "creationTimestamp"], row.line)?;
        let queue = text(object, &["status", "admission", "clusterQueue"]);
        if queue.is_empty() {
            row.team.push_str(namespace);
            row.team.push('/');
            row.team.push_str(text(object, &["spec", "queueName"]));
        } else {
            row.team.push_str(queue);
        }
        // Local queues of two namespaces may have one name.
        let local = text(object, &["spec", "queueName"]);
        if !local.is_empty() {
            let _ = write!(row.queue, "{namespace}/{local}");
            // Who a job is of is nowhere else: usage is kept by local queue.
            row.user.clone_from(&row.queue);
        }
        let class = text(object, &["spec", "priorityClassRef", "name"]);
        let class = if class.is_empty() { text(object, &["spec", "priorityClassName"]) } else { class };
        row.priority.push_str(class);
        row.limit_ms = limit(object, row.line)?;
        conditions(object, row)?;
        self.request(object, row)?;
        row.pools.push_str(flavor(object));
        if name.is_empty() {
            row.reject = Some(Reason::MissingId);
        }
        Ok(())
    }

    /// Pod sets summed; each worker has an equal part.
    fn request(&mut self, object: &Value, row: &mut TraceRow) -> Result<(), Fault> {
        let mut totals: BTreeMap<String, i64> = BTreeMap::new();
        let (mut pods, mut gpu_pods, mut first) = (0_i64, 0_i64, None);
        for set in at(object, &["spec", "podSets"]).as_array().into_iter().flatten() {
            let count = set["count"].as_i64().unwrap_or(1).max(0);
            let one = self.pod(at(set, &["template", "spec"]))?;
            pods = pods.saturating_add(count);
            if one.iter().any(|(name, milli)| kind(name) == Kind::Gpu && *milli > 0) {
                gpu_pods = gpu_pods.saturating_add(count);
            }
            for (name, milli) in &one {
                let total = totals.entry(name.clone()).or_default();
                *total = total.saturating_add(milli.saturating_mul(count));
            }
            match &first {
                None => first = Some(one),
                Some(first) if *first != one => row.note = Some(Reason::UnlikeTasks),
                Some(_) => {}
            }
        }
        let workers = if gpu_pods > 0 { gpu_pods } else { pods };
        row.workers = Some(workers);
        for (name, total) in totals {
            let part = share(total, workers);
            match kind(&name) {
                Kind::Gpu => row.gpu_milli = row.gpu_milli.saturating_add(part),
                Kind::Cpu => row.cpu_milli = part,
                Kind::Memory => row.memory_bytes = part / 1000,
                Kind::Other if part > 0 => {
                    let known = self.resources.iter().position(|known| *known == name);
                    let position = known.unwrap_or_else(|| {
                        self.resources.push(name);
                        self.resources.len() - 1
                    });
                    row.others.push((u32::try_from(position).unwrap_or(u32::MAX), part));
                }
                Kind::Other | Kind::Ignored => {}
            }
        }
        row.others.sort_unstable();
        Ok(())
    }

    /// Requests of one pod: of the containers that run side by side, or of those before them where one asks for more;
    /// and what the pod's runtime takes beside. A first container that is restarted for ever runs beside all after it.
    fn pod(&self, spec: &Value) -> Result<BTreeMap<String, i64>, Fault> {
        let mut sum: BTreeMap<String, i64> = BTreeMap::new();
        let mut first: BTreeMap<String, i64> = BTreeMap::new();
        let raise = |to: &mut BTreeMap<String, i64>, name: String, milli: i64| {
            let most = to.entry(name).or_default();
            *most = (*most).max(milli);
        };
        for container in spec["initContainers"].as_array().into_iter().flatten() {
            let beside = container["restartPolicy"] == "Always";
            for (name, milli) in self.container(container)? {
                let before = sum.get(&name).copied().unwrap_or(0);
                let with = before.saturating_add(milli);
                raise(&mut first, name.clone(), with);
                if beside {
                    sum.insert(name, with);
                }
            }
        }
        for container in spec["containers"].as_array().into_iter().flatten() {
            for (name, milli) in self.container(container)? {
                let total = sum.entry(name).or_default();
                *total = total.saturating_add(milli);
            }
        }
        for (name, milli) in first {
            raise(&mut sum, name, milli);
        }
        for (name, milli) in self.quantities(&spec["overhead"], "overhead")? {
            let total = sum.entry(name).or_default();
            *total = total.saturating_add(milli);
        }
        Ok(sum)
    }

    fn container(&self, container: &Value) -> Result<BTreeMap<String, i64>, Fault> {
        // A limit without a request is the request.
        let mut amounts = self.quantities(at(container, &["resources", "limits"]), "limits")?;
        amounts.extend(self.quantities(at(container, &["resources", "requests"]), "requests")?);
        Ok(amounts)
    }

    /// Amounts by name; `part` is where they stand, for messages.
    fn quantities(&self, amounts: &Value, part: &str) -> Result<BTreeMap<String, i64>, Fault> {
        let read = |(name, value): (&String, &Value)| {
            let milli = quantity_milli(value);
            let fault = || unreadable(value, QUANTITY, &[part, name], self.documents.line());
            Ok((name.clone(), milli.ok_or_else(fault)?))
        };
        amounts.as_object().into_iter().flatten().map(read).collect()
    }
}

/// The longest time that the job may run, ms.
fn limit(object: &Value, line: u64) -> Result<Option<i64>, Fault> {
    let path = ["spec", "maximumExecutionTimeSeconds"];
    let value = at(object, &path);
    if value.is_null() {
        return Ok(None);
    }
    let ms = value.as_i64().and_then(|seconds| seconds.checked_mul(1000));
    ms.map(Some).ok_or_else(|| unreadable(value, "a whole number of seconds", &path, line))
}

/// Start, end and outcome from the conditions.
fn conditions(object: &Value, row: &mut TraceRow) -> Result<(), Fault> {
    let list = at(object, &["status", "conditions"]).as_array();
    let find = |kind: &str| {
        let holds = |condition: &&Value| condition["type"] == kind && condition["status"] == "True";
        list.into_iter().flatten().find(holds)
    };
    let line = row.line;
    let time = |condition: Option<&Value>| match condition {
        Some(condition) => instant(condition, &["lastTransitionTime"], line),
        None => Ok(None),
    };
    row.start_ms = time(find("Admitted").or(find("QuotaReserved")))?;
    let finished = find("Finished");
    row.end_ms = time(finished)?;
    row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
    match finished {
        Some(condition) => {
            let reason = text(condition, &["reason"]);
            let message = text(condition, &["message"]);
            row.status = if reason.contains("Fail") || message.contains("ailed") {
                Status::Failed
            } else {
                Status::Completed
            };
        }
        None if at(object, &["spec", "active"]).as_bool() == Some(false) => {
            row.reject = Some(Reason::Inactive);
        }
        None => row.reject = Some(Reason::StillRunning),
    }
    Ok(())
}

/// A part of an object's name.
fn part<'a>(object: &'a Value, key: &str) -> &'a str {
    text(object, &["metadata", key])
}

/// The flavor of the GPUs, else the first one assigned.
fn flavor(object: &Value) -> &str {
    let sets = at(object, &["status", "admission", "podSetAssignments"]).as_array();
    let flavors = || sets.into_iter().flatten().filter_map(|set| set["flavors"].as_object()).flatten();
    let gpu = flavors().find(|(name, _)| kind(name) == Kind::Gpu);
    gpu.or_else(|| flavors().next()).and_then(|(_, flavor)| flavor.as_str()).unwrap_or_default()
}

impl RowSource for Kueue {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        while let Some(object) = self.documents.next("Kubernetes object")? {
            match object["kind"].as_str().unwrap_or("object without kind") {
                "Workload" => {
                    row.clear();
                    row.line = self.documents.line();
                    let name = match (part(&object, "namespace"), part(&object, "name")) {
                        (_, "") => "Workload without name".to_owned(),
                        ("", name) => format!("Workload `{name}`"),
                        (namespace, name) => format!("Workload `{namespace}/{name}`"),
                    };
                    self.fill(&object, row).map_err(|mut fault| {
                        if !self.documents.know_lines() {
                            fault.line = 0;
                        }
                        fault.of(name)
                    })?;
                    return Ok(true);
                }
                "Node" => {
                    let added = add_node(&object, &mut self.cluster, self.documents.line())?;
                    self.cordoned += u64::from(!added);
                }
                "ResourceFlavor" => {
                    let labels = at(&object, &["spec", "nodeLabels"]).as_object().into_iter().flatten();
                    let labels =
                        labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
                    let name = text(&object, &["metadata", "name"]).to_owned();
                    self.cluster.flavors.insert(name, labels.collect());
                }
                kind => {
                    self.passed_over.insert(kind.to_owned());
                }
            }
        }
        Ok(false)
    }

    fn resources(&self) -> &[String] {
        &self.resources
    }

    fn cluster(&mut self) -> Cluster {
        std::mem::take(&mut self.cluster)
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.passed_over.is_empty() {
            let kinds: Vec<String> = self.passed_over.iter().map(|kind| format!("`{kind}`")).collect();
            warnings.push(format!(
                "objects that are no workloads or nodes are passed over: {}",
                kinds.join(", ")
            ));
        }
        if self.cordoned > 0 {
            warnings.push(format!("nodes that take no pods are left out: {}", self.cordoned));
        }
        warnings
    }
}
