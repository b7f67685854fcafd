//! Kueue Workloads as `kubectl get workloads -A -o json` (or yaml) prints them, and nodes in the same list.
//!
//! Submission is the creation, start the admission, end the Finished condition; team is the `ClusterQueue`, before
//! admission the `LocalQueue`; pools are all flavors that were assigned; the priority is the class, without one the number.
//! Pods and amounts are those that were admitted,
//! else those that are asked for. Workloads that have not finished are left out. Several pod sets become one gang of equal
//! parts, as for PAI. Queues, flavors and cohorts are not jobs: the import of Kueue objects reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::documents::Documents;
use super::kubernetes::{Kind, add_node, kind, labels};
use super::member::{Member, Misread};
use crate::trace::cluster::Cluster;
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;
use crate::trace::interner::ResourceNames;
use crate::trace::row::{Reason, RowSource, Status, TraceRow};

/// Reader of Workloads and nodes.
pub(crate) struct Kueue {
    documents: Documents,
    resources: ResourceNames,
    passed_over: BTreeSet<String>,
    cluster: Cluster,
    cordoned: u64,
}

impl Kueue {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        Ok(Self {
            documents: Documents::new(opened, "kubectl prints it with `-o yaml`")?,
            resources: ResourceNames::default(),
            passed_over: BTreeSet::new(),
            cluster: Cluster::default(),
            cordoned: 0,
        })
    }

    /// Reads one object; whether it is a job.
    fn take(&mut self, object: &Value, row: &mut TraceRow) -> Result<bool, Misread> {
        let root = Member::root(object);
        match root.get("kind")?.text()? {
            "" if object.is_null() => {}
            "" => return Err(root.get("kind")?.misread("a kind such as `Workload`")),
            "Workload" => {
                row.clear();
                row.line = self.documents.line();
                self.fill(object, row)?;
                return Ok(true);
            }
            "Node" => self.cordoned += u64::from(!add_node(object, &mut self.cluster)?),
            "ResourceFlavor" => {
                let name = root.get("metadata")?.get("name")?.text()?;
                let labels = labels(&root.get("spec")?.get("nodeLabels")?)?;
                self.cluster.flavors.insert(name.to_owned(), labels);
            }
            kind => _ = self.passed_over.insert(kind.to_owned()),
        }
        Ok(false)
    }

    fn fill(&mut self, object: &Value, row: &mut TraceRow) -> Result<(), Misread> {
        let root = Member::root(object);
        let (metadata, spec) = (root.get("metadata")?, root.get("spec")?);
        let (namespace, name) = (metadata.get("namespace")?.text()?, metadata.get("name")?.text()?);
        if !namespace.is_empty() {
            row.name.push_str(namespace);
            row.name.push('/');
        }
        row.name.push_str(name);
        row.submit_ms = metadata.get("creationTimestamp")?.instant()?;
        let admission = root.get("status")?;
        let admission = admission.get("admission")?;
        let queue = admission.get("clusterQueue")?.text()?;
        let local = spec.get("queueName")?.text()?;
        if queue.is_empty() {
            row.team.push_str(namespace);
            row.team.push('/');
            row.team.push_str(local);
        } else {
            row.team.push_str(queue);
        }
        // Local queues of two namespaces may have one name.
        if !local.is_empty() {
            let _ = write!(row.queue, "{namespace}/{local}");
            // Who a job is of is nowhere else: usage is kept by local queue.
            row.user.clone_from(&row.queue);
        }
        let number = spec.get("priority")?.whole::<i32>("a priority of 32 bits")?;
        let class = spec.get("priorityClassRef")?.get("name")?.text()?;
        let by_name = spec.get("priorityClassName")?.text()?;
        row.priority.push_str(if class.is_empty() { by_name } else { class });
        // The scenario gives classes their numbers; without one the number is all there is, and nothing is as zero.
        if let (true, Some(number)) = (row.priority.is_empty(), number.filter(|number| *number != 0)) {
            let _ = write!(row.priority, "{number}");
        }
        row.limit_ms = limit(&spec.get("maximumExecutionTimeSeconds")?)?;
        conditions(&root, row)?;
        let assigned = admission.get("podSetAssignments")?;
        self.request(&spec.get("podSets")?, &assigned, row)?;
        row.pools.push_str(&flavors(&assigned)?);
        if name.is_empty() {
            row.reject = Some(Reason::MissingId);
        }
        Ok(())
    }

    /// Pod sets summed, as they were admitted; each worker has an equal part.
    fn request(
        &mut self,
        sets: &Member<'_, '_>,
        assigned: &Member<'_, '_>,
        row: &mut TraceRow,
    ) -> Result<(), Misread> {
        let mut admitted = admitted(assigned)?;
        let mut totals: BTreeMap<String, i128> = BTreeMap::new();
        let (mut pods, mut gpu_pods, mut first) = (0_i64, 0_i64, None);
        for set in sets.elements()? {
            let asked: i32 = set.get("count")?.whole(PODS)?.unwrap_or(1);
            let one = pod(&set.get("template")?.get("spec")?)?;
            let held = admitted.remove(set_name(&set)?).unwrap_or_default();
            let count = held.count.unwrap_or(asked);
            if asked < 0 || count < 0 {
                row.reject = Some(Reason::NoWorkers);
            }
            let usage = held.usage.unwrap_or_default();
            if one.negative || usage.negative {
                row.reject = Some(Reason::NegativeRequest);
            }
            let (one, count) = (one.amounts, i64::from(count.max(0)));
            pods = pods.saturating_add(count);
            let each = one.iter().map(|(name, milli)| (name, i128::from(*milli) * i128::from(count)));
            let mut all: BTreeMap<&String, i128> = each.collect();
            all.extend(usage.amounts.iter().map(|(name, milli)| (name, i128::from(*milli))));
            if all.iter().any(|(name, milli)| kind(name) == Kind::Gpu && *milli > 0) {
                gpu_pods = gpu_pods.saturating_add(count);
            }
            for (name, milli) in all {
                let total = totals.entry(name.clone()).or_default();
                *total = total.saturating_add(milli);
            }
            match &first {
                None => first = Some(one),
                Some(first) if *first != one => row.note(Reason::UnlikeTasks),
                Some(_) => {}
            }
        }
        let workers = if gpu_pods > 0 { gpu_pods } else { pods };
        row.workers = Some(workers);
        for (name, total) in totals {
            // Memory is counted in bytes, the rest in thousandths.
            let unit = if kind(&name) == Kind::Memory { 1000 } else { 1 };
            let parts = i128::from(workers.max(1)) * unit;
            let part = i64::try_from((total + parts - 1).div_euclid(parts)).unwrap_or(i64::MAX);
            match kind(&name) {
                Kind::Gpu => row.gpu_milli = row.gpu_milli.saturating_add(part),
                Kind::Cpu => row.cpu_milli = part,
                Kind::Memory => row.memory_bytes = part,
                Kind::Other if part > 0 => {
                    let position = self.resources.number(&name).ok_or_else(|| Misread {
                        found: quoted(name.as_bytes()),
                        ..sets.misread(ResourceNames::EXPECTED)
                    })?;
                    row.others.push((u32::try_from(position).unwrap_or(u32::MAX), part));
                }
                Kind::Other | Kind::Ignored => {}
            }
        }
        row.others.sort_unstable();
        Ok(())
    }
}

/// What one pod asks for, by resource in thousandths.
#[derive(Debug, Default)]
struct Asked {
    amounts: BTreeMap<String, i64>,
    /// Something in it was below zero.
    negative: bool,
}

impl Asked {
    fn add(&mut self, other: Self) {
        self.negative |= other.negative;
        for (name, milli) in other.amounts {
            let total = self.amounts.entry(name).or_default();
            *total = total.saturating_add(milli);
        }
    }
}

/// Requests of one pod: of the containers that run side by side, or of those before them where one asks for more;
/// and what the pod's runtime takes beside. A first container that is restarted for ever runs beside all after it.
fn pod(spec: &Member<'_, '_>) -> Result<Asked, Misread> {
    let mut sum = Asked::default();
    let mut first: BTreeMap<String, i64> = BTreeMap::new();
    let raise = |to: &mut BTreeMap<String, i64>, name: String, milli: i64| {
        let most = to.entry(name).or_default();
        *most = (*most).max(milli);
    };
    for one in spec.get("initContainers")?.elements()? {
        let asked = container(&one)?;
        let beside = one.get("restartPolicy")?.text()? == "Always";
        sum.negative |= asked.negative;
        for (name, milli) in asked.amounts {
            let before = sum.amounts.get(&name).copied().unwrap_or(0);
            let with = before.saturating_add(milli);
            raise(&mut first, name.clone(), with);
            if beside {
                sum.amounts.insert(name, with);
            }
        }
    }
    for one in spec.get("containers")?.elements()? {
        sum.add(container(&one)?);
    }
    for (name, milli) in first {
        raise(&mut sum.amounts, name, milli);
    }
    sum.add(quantities(&spec.get("overhead")?)?);
    Ok(sum)
}

fn container(container: &Member<'_, '_>) -> Result<Asked, Misread> {
    let resources = container.get("resources")?;
    // A limit without a request is the request.
    let mut asked = quantities(&resources.get("limits")?)?;
    let requests = quantities(&resources.get("requests")?)?;
    asked.negative |= requests.negative;
    asked.amounts.extend(requests.amounts);
    Ok(asked)
}

fn quantities(amounts: &Member<'_, '_>) -> Result<Asked, Misread> {
    let mut asked = Asked::default();
    for (name, quantity) in amounts.entries()? {
        let milli = quantity.milli()?;
        asked.negative |= milli < 0;
        asked.amounts.insert(name.to_owned(), milli);
    }
    Ok(asked)
}

/// The longest time that the job may run, ms.
fn limit(seconds: &Member<'_, '_>) -> Result<Option<i64>, Misread> {
    const EXPECTED: &str = "a whole number of seconds";
    let Some(number) = seconds.whole::<i64>(EXPECTED)? else { return Ok(None) };
    number.checked_mul(1000).map(Some).ok_or_else(|| seconds.misread(EXPECTED))
}

/// A condition that holds.
struct Condition<'v> {
    at_ms: Option<i64>,
    reason: &'v str,
    message: &'v str,
}

/// Start, end and outcome from the conditions.
fn conditions(root: &Member<'_, '_>, row: &mut TraceRow) -> Result<(), Misread> {
    let mut found: [Option<Condition<'_>>; 3] = [None, None, None];
    for condition in root.get("status")?.get("conditions")?.elements()? {
        let one = Condition {
            at_ms: condition.get("lastTransitionTime")?.instant()?,
            reason: condition.get("reason")?.text()?,
            message: condition.get("message")?.text()?,
        };
        let holds = condition.get("status")?.text()? == "True";
        let kind = condition.get("type")?.text()?;
        let known = ["Admitted", "QuotaReserved", "Finished"].iter().position(|known| *known == kind);
        if let (true, Some(place)) = (holds, known) {
            found[place].get_or_insert(one);
        }
    }
    let [admitted, reserved, finished] = found;
    row.start_ms = admitted.or(reserved).and_then(|condition| condition.at_ms);
    row.end_ms = finished.as_ref().and_then(|condition| condition.at_ms);
    row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
    let active = root.get("spec")?.get("active")?.flag()?;
    match finished {
        Some(Condition { reason, message, .. }) => {
            let failed = reason.contains("Fail") || message.contains("ailed");
            row.status = if failed { Status::Failed } else { Status::Completed };
        }
        None if active == Some(false) => row.reject = Some(Reason::Inactive),
        None => row.reject = Some(Reason::StillRunning),
    }
    Ok(())
}

/// The kind of an object and its name, for messages.
fn called(object: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, metadata) = (part(&object["kind"]), &object["metadata"]);
    let kind = if kind.is_empty() { "object".to_owned() } else { kind };
    match (part(&metadata["namespace"]), part(&metadata["name"])) {
        (_, name) if name.is_empty() => format!("{kind} without name"),
        (namespace, name) if namespace.is_empty() => format!("{kind} `{name}`"),
        (namespace, name) => format!("{kind} `{namespace}/{name}`"),
    }
}

const PODS: &str = "a number of pods";

/// What was admitted of one pod set.
#[derive(Default)]
struct Admitted {
    count: Option<i32>,
    usage: Option<Asked>,
}

/// What was admitted, by pod set.
fn admitted<'v>(sets: &Member<'_, 'v>) -> Result<BTreeMap<&'v str, Admitted>, Misread> {
    let mut admitted = BTreeMap::new();
    for set in sets.elements()? {
        let count = set.get("count")?.whole(PODS)?;
        let usage = set.get("resourceUsage")?;
        let usage = if usage.is_absent() { None } else { Some(quantities(&usage)?) };
        admitted.insert(set_name(&set)?, Admitted { count, usage });
    }
    Ok(admitted)
}

/// What a pod set is called, which the only one need not be.
fn set_name<'v>(set: &Member<'_, 'v>) -> Result<&'v str, Misread> {
    let name = set.get("name")?.text()?;
    Ok(if name.is_empty() { "main" } else { name })
}

/// All flavors that were assigned, as a list of pools: where CPUs are of another flavor than GPUs, a job needs both.
fn flavors(sets: &Member<'_, '_>) -> Result<String, Misread> {
    let mut flavors = BTreeSet::new();
    for set in sets.elements()? {
        for (_, flavor) in set.get("flavors")?.entries()? {
            flavors.insert(flavor.text()?);
        }
    }
    Ok(flavors.into_iter().collect::<Vec<&str>>().join("|"))
}

impl RowSource for Kueue {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        while let Some(object) = self.documents.next("Kubernetes object")? {
            let read = self.take(&object, row);
            if read.map_err(|misread| self.documents.refuse(misread).of(called(&object)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn resources(&self) -> &[String] {
        self.resources.names()
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
