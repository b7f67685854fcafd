//! Workloads from objects: what they ask, what they hold, and in which state they are.
//!
//! A job of `batch/v1` or a `SkyPilot` task becomes one that is pending. Absent on purpose: queues and classes.

use std::collections::{BTreeMap, BTreeSet};

use super::error::KueueError;
use super::field::{Field, PODS};

/// Equal pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pods {
    pub(super) name: String,
    pub(super) count: u32,
    pub(super) min_count: Option<u32>,
    /// What one pod asks, by resource.
    pub(super) requests: BTreeMap<String, i64>,
    /// Labels of nodes with the values of which they must have one.
    pub(super) nodes: BTreeMap<String, BTreeSet<String>>,
}

/// A condition that is true.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) reason: String,
    pub(super) at_ms: Option<i64>,
}

/// What a workload holds for one of its pod sets.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    pub(super) pods: String,
    pub(super) flavors: BTreeMap<String, String>,
    /// `None`: as many pods as it has, with what each asks.
    pub(super) usage: Option<BTreeMap<String, i64>>,
    pub(super) count: Option<u32>,
}

/// Where a workload holds quota.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pub(super) cluster_queue: String,
    pub(super) sets: Vec<Assigned>,
}

/// A class that a workload names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    /// `WorkloadPriorityClass` or `PriorityClass`; absent: whichever is there.
    pub(super) kind: Option<&'static str>,
    pub(super) name: String,
}

/// A workload as its object says.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) file: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// `None`: it came with the snapshot.
    pub(super) created_ms: Option<i64>,
    pub(super) queue: String,
    pub(super) priority: Option<i32>,
    pub(super) class: Option<Class>,
    pub(super) active: bool,
    pub(super) pods: Vec<Pods>,
    /// Conditions that are true, by type.
    pub(super) conditions: BTreeMap<String, Condition>,
    pub(super) admission: Option<Admission>,
    /// It is not looked at before this instant.
    pub(super) requeue_ms: Option<i64>,
    /// Pods that have ended and gave back their quota, by pod set.
    pub(super) reclaimable: BTreeMap<String, u32>,
    /// Somebody asks what would become of it.
    pub(super) added: bool,
}

const TRUTHS: [(&str, bool); 3] = [("True", true), ("False", false), ("Unknown", false)];

impl Workload {
    /// Its name with the namespace, as `kubectl` asks for it.
    pub(super) fn full_name(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }

    /// Reads the metadata that every kind has.
    pub(super) fn named(root: &Field<'_>) -> Result<Self, KueueError> {
        let metadata = root.get("metadata");
        // What is only about to be created may leave the end of its name to the cluster.
        let begins = metadata.get("generateName").name()?;
        let name = match (metadata.get("name").name()?, begins) {
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => metadata.get("name").required_name()?,
        };
        let mut workload = Self::blank(root.object().file, &name);
        workload.namespace = metadata.get("namespace").name()?.unwrap_or_default();
        workload.uid = metadata.get("uid").name()?.unwrap_or(name);
        workload.created_ms = metadata.get("creationTimestamp").time()?;
        Ok(workload)
    }

    /// One that asks for nothing.
    pub(super) fn blank(file: &str, name: &str) -> Self {
        Self {
            file: file.to_owned(),
            namespace: String::new(),
            uid: name.to_owned(),
            name: name.to_owned(),
            created_ms: None,
            queue: String::new(),
            priority: None,
            class: None,
            active: true,
            pods: Vec::new(),
            conditions: BTreeMap::new(),
            admission: None,
            requeue_ms: None,
            reclaimable: BTreeMap::new(),
            added: false,
        }
    }

    /// Reads a `Workload` of Kueue.
    pub(super) fn read(root: &Field<'_>) -> Result<Self, KueueError> {
        let mut workload = Self::named(root)?;
        let spec = root.get("spec");
        spec.known(&[
            "queueName",
            "podSets",
            "priority",
            "priorityClassName",
            "priorityClassSource",
            "priorityClassRef",
            "active",
            "maximumExecutionTimeSeconds",
        ])?;
        workload.queue = spec.get("queueName").name()?.unwrap_or_default();
        workload.priority = spec.get("priority").integer("a priority of 32 bits")?;
        workload.class = class(&spec)?;
        workload.active = spec.get("active").flag()?.unwrap_or(true);
        for set in spec.get("podSets").items()? {
            workload.pods.push(pods(&set)?);
        }
        workload.read_status(&root.get("status"))?;
        if workload.admission.is_none() && !workload.conditions.contains_key("Finished") {
            asks_for_pods(&spec.get("podSets"))?;
        }
        Ok(workload)
    }

    fn read_status(&mut self, status: &Field<'_>) -> Result<(), KueueError> {
        for condition in status.get("conditions").items()? {
            let at_ms = condition.get("lastTransitionTime").time()?;
            let holds = condition.get("status").word(&TRUTHS, false)?;
            let kind = condition.get("type").required_name()?;
            let reason = condition.get("reason").name()?.unwrap_or_default();
            if holds {
                self.conditions.insert(kind, Condition { reason, at_ms });
            }
        }
        self.requeue_ms = status.get("requeueState").get("requeueAt").time()?;
        for part in status.get("reclaimablePods").items()? {
            let count = part.get("count").pods()?.unwrap_or(0);
            self.reclaimable.insert(part.get("name").required_name()?, count);
        }
        let admission = status.get("admission");
        if admission.is_absent() {
            return Ok(());
        }
        let mut sets = Vec::new();
        for set in admission.get("podSetAssignments").items()? {
            let mut flavors = BTreeMap::new();
            for (resource, flavor) in set.get("flavors").entries()? {
                flavors.insert(resource.to_owned(), flavor.required_name()?);
            }
            let usage = set.get("resourceUsage");
            let amounts = usage
                .entries()?
                .into_iter()
                .map(|(resource, field)| Ok((resource.to_owned(), field.amount(resource)?.unwrap_or(0))));
            let amounts = amounts.collect::<Result<BTreeMap<_, _>, KueueError>>()?;
            let pods = set.get("name").name()?.unwrap_or_else(|| "main".to_owned());
            let of = self.pods.iter().find(|known| known.name == pods);
            // What it holds follows from the pod set of this name, unless it says so itself.
            if of.is_none() && usage.is_absent() {
                return Err(set.get("name").fault("the name of one of its pod sets"));
            }
            if of.is_none() && !self.pods.is_empty() {
                set.get("name").odd("none of its pod sets is called so");
            }
            let count = set.get("count").pods()?;
            if let Some(most) = of.map(|of| of.count).filter(|most| count > Some(*most)) {
                set.get("count").odd(&format!("more pods than the {most} of its pod set"));
            }
            sets.push(Assigned { pods, flavors, usage: (!usage.is_absent()).then_some(amounts), count });
        }
        let cluster_queue = admission.get("clusterQueue").required_name()?;
        self.admission = Some(Admission { cluster_queue, sets });
        Ok(())
    }

    /// Reads a `Job` of `batch/v1` as the workload that Kueue would make of it.
    pub(super) fn of_job(root: &Field<'_>) -> Result<Self, KueueError> {
        let mut workload = Self::named(root)?;
        let labels = root.get("metadata").get("labels");
        workload.queue = labels.get("kueue.x-k8s.io/queue-name").name()?.unwrap_or_default();
        let spec = root.get("spec");
        let template = spec.get("template").get("spec");
        workload.class = match labels.get("kueue.x-k8s.io/priority-class").name()? {
            Some(name) => Some(Class { kind: Some("WorkloadPriorityClass"), name }),
            None => template
                .get("priorityClassName")
                .name()?
                .map(|name| Class { kind: Some("PriorityClass"), name }),
        };
        let parallelism = spec.get("parallelism").pods()?.unwrap_or(1);
        let completions = spec.get("completions").pods()?;
        let least = root.get("metadata").get("annotations").get("kueue.x-k8s.io/job-min-parallelism");
        let min_count = match least.text()? {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| least.fault(PODS))?),
        };
        let count = completions.map_or(parallelism, |completions| completions.min(parallelism));
        workload.pods.push(Pods {
            name: "main".to_owned(),
            count,
            min_count,
            requests: counted(&template, requests(&template)?, count),
            nodes: nodes(&template)?,
        });
        Ok(workload)
    }
}

/// The class by its reference (v1beta2) or by name and source (v1beta1).
fn class(spec: &Field<'_>) -> Result<Option<Class>, KueueError> {
    let kinds =
        [("WorkloadPriorityClass", Some("WorkloadPriorityClass")), ("PriorityClass", Some("PriorityClass"))];
    let reference = spec.get("priorityClassRef");
    if let Some(name) = reference.get("name").name()? {
        return Ok(Some(Class { kind: reference.get("kind").word(&kinds, None)?, name }));
    }
    let Some(name) = spec.get("priorityClassName").name()? else { return Ok(None) };
    let sources = [
        ("kueue.x-k8s.io/workloadpriorityclass", Some("WorkloadPriorityClass")),
        ("scheduling.k8s.io/priorityclass", Some("PriorityClass")),
        ("", None),
    ];
    Ok(Some(Class { kind: spec.get("priorityClassSource").word(&sources, None)?, name }))
}

/// What waits for quota has pods, and each of them says what it runs.
fn asks_for_pods(sets: &Field<'_>) -> Result<(), KueueError> {
    let pods = sets.items()?;
    if pods.is_empty() {
        return Err(sets.fault("at least one pod set"));
    }
    for set in pods {
        let containers = set.get("template").get("spec").get("containers");
        if containers.is_absent() {
            return Err(containers.fault("a list of containers"));
        }
    }
    Ok(())
}

fn pods(set: &Field<'_>) -> Result<Pods, KueueError> {
    set.known(&["name", "count", "minCount", "template", "topologyRequest"])?;
    set.get("topologyRequest").unheeded();
    let template = set.get("template");
    template.known(&["metadata", "spec"])?;
    template.get("spec").get("tolerations").unheeded();
    let count = set.get("count").pods()?.unwrap_or(1);
    let field = set.get("minCount");
    let min_count = field.pods()?;
    if min_count.is_some_and(|least| least > count) {
        return Err(field.fault(format!("at most the count, {count}")));
    }
    Ok(Pods {
        name: set.get("name").name()?.unwrap_or_else(|| "main".to_owned()),
        count,
        min_count,
        requests: counted(set, requests(&template.get("spec"))?, count),
        nodes: nodes(&template.get("spec"))?,
    })
}

/// The nodes on which pods may run: their selector, and one required affinity, as far as it lists values of labels.
fn nodes(spec: &Field<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, KueueError> {
    let mut nodes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (label, value) in spec.get("nodeSelector").entries()? {
        nodes.insert(label.to_owned(), value.plain_text()?.into_iter().collect());
    }
    let affinity = spec.get("affinity").get("nodeAffinity");
    let required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.get("nodeSelectorTerms").items()?;
    let [term] = &terms[..] else {
        if terms.len() > 1 {
            affinity.ignored();
        }
        return Ok(nodes);
    };
    for expression in term.get("matchExpressions").items()? {
        if expression.get("operator").text()? != Some("In") {
            affinity.ignored();
            continue;
        }
        let label = expression.get("key").required_name()?;
        let mut values = BTreeSet::new();
        for value in expression.get("values").items()? {
            values.extend(value.plain_text()?);
        }
        match nodes.get_mut(&label) {
            Some(known) => known.retain(|value| values.contains(value)),
            None => {
                nodes.insert(label, values);
            }
        }
    }
    Ok(nodes)
}

/// Amounts before they are bounded.
pub(super) type Exact = BTreeMap<String, i128>;

/// What one of so many pods asks, as Kueue counts it; where that is too little for all of them together, it is told.
pub(super) fn counted(set: &Field<'_>, requests: Exact, count: u32) -> BTreeMap<String, i64> {
    let one = |(resource, each): (String, i128)| {
        set.counted(&resource, each.saturating_mul(i128::from(count)));
        let each = i64::try_from(each).unwrap_or(i64::MAX);
        (resource, each)
    };
    requests.into_iter().map(one).collect()
}

/// What one pod asks: its containers and sidecars together, or at least the largest of those that run before, and its
/// overhead.
fn requests(spec: &Field<'_>) -> Result<Exact, KueueError> {
    let mut sum = Exact::new();
    for one in spec.get("containers").items()? {
        add(&mut sum, &container(&one)?);
    }
    let mut sidecars = Exact::new();
    let mut before = Exact::new();
    for one in spec.get("initContainers").items()? {
        let mut asks = container(&one)?;
        if one.get("restartPolicy").text()? == Some("Always") {
            add(&mut sidecars, &asks);
            asks.clone_from(&sidecars);
        } else {
            add(&mut asks, &sidecars);
        }
        most(&mut before, asks);
    }
    add(&mut sum, &sidecars);
    most(&mut sum, before);
    add(&mut sum, &amounts(&spec.get("overhead"))?);
    Ok(sum)
}

fn add(sum: &mut Exact, more: &Exact) {
    for (resource, amount) in more {
        let total = sum.entry(resource.clone()).or_default();
        *total = total.saturating_add(*amount);
    }
}

fn most(sum: &mut Exact, other: Exact) {
    for (resource, amount) in other {
        let total = sum.entry(resource).or_default();
        *total = amount.max(*total);
    }
}

/// A limit without a request is the request.
fn container(one: &Field<'_>) -> Result<Exact, KueueError> {
    let resources = one.get("resources");
    let mut asks = amounts(&resources.get("limits"))?;
    asks.extend(amounts(&resources.get("requests"))?);
    Ok(asks)
}

fn amounts(field: &Field<'_>) -> Result<Exact, KueueError> {
    let entries = field.entries()?;
    let read = entries.into_iter().map(|(resource, field)| {
        Ok((resource.to_owned(), field.quantity()?.unwrap_or_default().units(resource)))
    });
    read.collect()
}
