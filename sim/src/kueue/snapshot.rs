//! Objects as one cluster at one instant: who holds quota, who waits for it, and what contradicts itself.
//!
//! Absent on purpose: decisions, and the reading of single objects.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{
    Cluster, ClusterError, ClusterQueue, Cohort, Pending, PodSet, ResourceGroup, Settings, Strategy, Usage,
};

use super::error::KueueError;
use super::objects::Objects;
use super::overuse::overused_cohorts;
use super::workload::{Assigned, Workload};
use crate::trace::printable;

/// What the command line says over the objects' own configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Whether shares decide.
    pub fair_sharing: Option<bool>,
    /// The strategies of fair preemption.
    pub strategies: Option<Vec<Strategy>>,
    /// The time of the snapshot; else the latest in the objects.
    pub now_ms: Option<i64>,
    /// What resources count in the usage of local queues, one unless given.
    pub resource_weights: BTreeMap<String, f64>,
}

/// A workload that is not looked at in this cycle, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) why: String,
}

/// One cluster at one instant.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) cluster: Cluster,
    /// The names of those that hold quota, by position in the cluster.
    pub(super) admitted: Vec<String>,
    pub(super) pending: Vec<Pending>,
    /// The names of those that wait, by position.
    pub(super) names: Vec<String>,
    pub(super) held: Vec<Held>,
    pub(super) now_ms: i64,
    pub(super) warnings: Vec<String>,
}

/// What a workload is told against.
struct Context<'a> {
    objects: &'a Objects,
    queues: BTreeMap<&'a str, &'a ClusterQueue>,
    weights: BTreeMap<String, f64>,
    now_ms: i64,
    /// Names carry their namespace.
    several_namespaces: bool,
    unknown_classes: BTreeSet<String>,
}

impl Snapshot {
    /// Puts the objects together.
    ///
    /// # Errors
    ///
    /// [`KueueError`], naming the object that contradicts others, and its field.
    pub fn new(objects: &Objects, options: &Options) -> Result<Self, KueueError> {
        Self::put_together(objects, options)
            .map_err(|error| error.near(|kind, name| objects.line(kind, name)))
    }

    fn put_together(objects: &Objects, options: &Options) -> Result<Self, KueueError> {
        let namespaces: BTreeSet<&str> = objects.workloads.iter().map(|w| w.namespace.as_str()).collect();
        let mut weights = objects.configuration.resource_weights.clone();
        weights.extend(options.resource_weights.clone());
        let mut context = Context {
            objects,
            queues: objects.queues.iter().map(|(_, queue, _)| (queue.name.as_str(), queue)).collect(),
            weights,
            now_ms: options.now_ms.or(objects.latest_ms).unwrap_or(0),
            several_namespaces: namespaces.len() > 1,
            unknown_classes: BTreeSet::new(),
        };
        context.check_local_queues()?;
        let mut parts = Parts::default();
        for workload in &objects.workloads {
            context.place(workload, &mut parts)?;
        }
        let settings = Settings {
            fair_sharing: options.fair_sharing.or(objects.configuration.fair_sharing).unwrap_or(false),
            strategies: options
                .strategies
                .clone()
                .or_else(|| objects.configuration.strategies.clone())
                .unwrap_or_else(|| Settings::default().strategies),
        };
        let cohorts: Vec<Cohort> = objects.cohorts.iter().map(|(_, cohort)| cohort.clone()).collect();
        let queues: Vec<ClusterQueue> = objects.queues.iter().map(|(_, queue, _)| queue.clone()).collect();
        let admitted = parts.admitted.iter().map(|workload| workload.name.clone()).collect();
        let cluster = Cluster::new(settings, &cohorts, &queues, parts.admitted.clone())
            .map_err(|error| contradiction(objects, &error))?;
        let mut warnings = objects.notes();
        warnings.extend(context.warnings());
        warnings.extend(cluster.overused().into_iter().map(|(queue, flavor, resource)| {
            format!(
                "ClusterQueue `{queue}` holds more {resource} of flavor `{flavor}` than it could ever use"
            )
        }));
        warnings.extend(overused_cohorts(objects, &parts.admitted));
        let names = parts.pending.iter().map(|workload| workload.name.clone()).collect();
        Ok(Self {
            cluster,
            admitted,
            pending: parts.pending,
            names,
            held: parts.held,
            now_ms: context.now_ms,
            // Names in them come from the files.
            warnings: warnings.iter().map(|warning| printable(warning)).collect(),
        })
    }
}

/// The workloads, by what they are.
#[derive(Default)]
struct Parts {
    admitted: Vec<fairshare::kueue::Workload>,
    pending: Vec<Pending>,
    held: Vec<Held>,
}

/// The error of a tree, told of the object.
fn contradiction(objects: &Objects, error: &ClusterError) -> KueueError {
    let first = objects.queues.first().map(|(file, ..)| file.as_str());
    match error {
        ClusterError::Cycle { cohort } => {
            let file = objects.cohorts.iter().find(|(_, known)| known.name == *cohort);
            let file = file.map_or("-", |(file, _)| file.as_str());
            let what =
                format!("expected a cohort above it, found one below it: `{cohort}` would be above itself");
            let old = objects.by_old_name.contains(cohort);
            let path = if old { "spec.parent" } else { "spec.parentName" };
            KueueError::new(file, "Cohort", cohort, path, what)
        }
        other => KueueError::file(first.unwrap_or("-"), other.to_string()),
    }
}

fn groups(objects: &Objects) -> impl Iterator<Item = &ResourceGroup> {
    let of_queues = objects.queues.iter().flat_map(|(_, queue, _)| &queue.groups);
    of_queues.chain(objects.cohorts.iter().flat_map(|(_, cohort)| &cohort.groups))
}

impl Context<'_> {
    fn check_local_queues(&self) -> Result<(), KueueError> {
        for ((namespace, name), queue) in &self.objects.local_queues {
            if !self.queues.contains_key(queue.cluster_queue.as_str()) {
                let full = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
                let what = format!(
                    "expected the name of a ClusterQueue among the objects, found `{}`",
                    queue.cluster_queue
                );
                return Err(KueueError::new(&queue.file, "LocalQueue", &full, "spec.clusterQueue", what));
            }
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for class in &self.unknown_classes {
            warnings.push(format!("priority class `{class}` is not among the objects: taken as priority 0"));
        }
        let used: BTreeSet<&str> =
            groups(self.objects).flat_map(|group| &group.rows).map(|row| row.flavor.as_str()).collect();
        for flavor in self.objects.flavors.keys() {
            if !used.contains(flavor.as_str()) {
                warnings
                    .push(format!("ResourceFlavor `{flavor}` has no quota in any ClusterQueue or Cohort"));
            }
        }
        if !self.objects.flavors.is_empty() {
            for flavor in used.iter().filter(|flavor| !self.objects.flavors.contains_key(**flavor)) {
                warnings.push(format!("flavor `{flavor}` has quota and no ResourceFlavor among the objects"));
            }
        }
        warnings
    }

    /// Where a workload belongs: holding quota, waiting, or out of it.
    fn place(&mut self, workload: &Workload, parts: &mut Parts) -> Result<(), KueueError> {
        if workload.conditions.contains_key("Finished") {
            return Ok(());
        }
        let name = if self.several_namespaces { workload.full_name() } else { workload.name.clone() };
        if ["QuotaReserved", "Admitted"].iter().any(|kind| workload.conditions.contains_key(*kind)) {
            parts.admitted.push(self.admitted(workload, name)?);
            return Ok(());
        }
        if !workload.active {
            if workload.added {
                parts.held.push(Held { name, why: "it is not active: nobody looks at it".to_owned() });
            }
            return Ok(());
        }
        let priority = self.priority(workload);
        let key = (workload.namespace.clone(), workload.queue.clone());
        let Some(local) = self.objects.local_queues.get(&key) else {
            let why = if workload.queue.is_empty() {
                "it names no LocalQueue".to_owned()
            } else {
                format!("LocalQueue `{}` is not among the objects", workload.queue)
            };
            parts.held.push(Held { name, why });
            return Ok(());
        };
        if local.stopped {
            parts.held.push(Held { name, why: format!("LocalQueue `{}` is stopped", workload.queue) });
            return Ok(());
        }
        if workload.requeue_ms.is_some_and(|at| at > self.now_ms) {
            parts.held.push(Held { name, why: "it was put back, and may not be looked at yet".to_owned() });
            return Ok(());
        }
        parts.pending.push(Pending {
            name,
            uid: age_tie(workload, parts.pending.len()),
            queue: local.cluster_queue.clone(),
            priority,
            created_ms: queued_ms(workload).unwrap_or(self.now_ms),
            pod_sets: self.pod_sets(workload, &local.cluster_queue),
            local_usage: self.local_usage(workload, &local.cluster_queue),
        });
        Ok(())
    }

    /// Pods as they are asked for; a queue that counts pods counts each as one.
    fn pod_sets(&self, workload: &Workload, queue: &str) -> Vec<PodSet> {
        let counts_pods = self.queues.get(queue).is_some_and(|queue| {
            let mut quotas = queue.groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.quotas);
            quotas.any(|quota| quota.resource == "pods")
        });
        let set = |set: &super::workload::Pods| {
            let mut requests = set.requests.clone();
            if counts_pods {
                requests.insert("pods".to_owned(), 1);
            }
            let ended = workload.reclaimable.get(&set.name).copied().unwrap_or(0);
            let count = set.count.saturating_sub(ended);
            let min_count = set.min_count.map(|least| least.min(count));
            PodSet { name: set.name.clone(), count, min_count, requests, flavors: self.flavors(queue, set) }
        };
        workload.pods.iter().map(set).collect()
    }

    /// The flavors of a queue on whose nodes pods may run; `None`: all. A label that no flavor of a resource group names is
    /// no matter in that group.
    fn flavors(&self, queue: &str, pods: &super::workload::Pods) -> Option<Vec<String>> {
        let label = |flavor: &str, label: &String| self.objects.flavors.get(flavor)?.get(label);
        let mut allowed = Vec::new();
        let mut any_matters = false;
        for group in &self.queues.get(queue)?.groups {
            let flavors = || group.rows.iter().map(|row| row.flavor.as_str());
            let matters = |name: &String| flavors().any(|flavor| label(flavor, name).is_some());
            let asked: Vec<_> = pods.nodes.iter().filter(|(name, _)| matters(name)).collect();
            any_matters |= !asked.is_empty();
            let may = |flavor: &&str| {
                let has = |(name, values): &(&String, &BTreeSet<String>)| {
                    label(flavor, name).is_some_and(|value| values.contains(value))
                };
                asked.iter().all(has)
            };
            allowed.extend(flavors().filter(may).map(str::to_owned));
        }
        any_matters.then_some(allowed)
    }

    fn admitted(
        &mut self,
        workload: &Workload,
        name: String,
    ) -> Result<fairshare::kueue::Workload, KueueError> {
        let fault = |path: &str, what: String| {
            KueueError::new(&workload.file, "Workload", &workload.full_name(), path, what)
        };
        let Some(admission) = &workload.admission else {
            let what = "expected an admission, because the condition `QuotaReserved` is true, found nothing";
            return Err(fault("status.admission", what.to_owned()));
        };
        if !self.queues.contains_key(admission.cluster_queue.as_str()) {
            let found = &admission.cluster_queue;
            let what = format!("expected the name of a ClusterQueue among the objects, found `{found}`");
            return Err(fault("status.admission.clusterQueue", what));
        }
        let mut total: BTreeMap<(String, String), i64> = BTreeMap::new();
        for (at, set) in admission.sets.iter().enumerate() {
            for (resource, amount) in held(workload, set) {
                let Some(flavor) = set.flavors.get(resource) else {
                    // Zero of something needs no flavor.
                    if amount == 0 {
                        continue;
                    }
                    let path = format!("status.admission.podSetAssignments[{at}].flavors");
                    return Err(fault(
                        &path,
                        format!("expected a flavor for resource `{resource}`, found none"),
                    ));
                };
                let sum = total.entry((flavor.clone(), resource.to_owned())).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        let reserved = workload.conditions.get("QuotaReserved").and_then(|condition| condition.at_ms);
        Ok(fairshare::kueue::Workload {
            name,
            uid: workload.uid.clone(),
            queue: admission.cluster_queue.clone(),
            priority: self.priority(workload),
            created_ms: queued_ms(workload).unwrap_or(self.now_ms),
            reserved_ms: reserved.unwrap_or(self.now_ms),
            evicted: workload.conditions.contains_key("Evicted"),
            usage: total.into_iter().map(|((flavor, resource), amount)| (flavor, resource, amount)).collect(),
            local_usage: self.local_usage(workload, &admission.cluster_queue),
        })
    }

    /// The usage of its local queue, where its cluster queue goes by that.
    fn local_usage(&self, workload: &Workload, queue: &str) -> Option<f64> {
        if !self.queues.get(queue)?.admission_fair_sharing {
            return None;
        }
        let key = (workload.namespace.clone(), workload.queue.clone());
        let local = self.objects.local_queues.get(&key)?;
        let consumed =
            local.consumed.iter().map(|(resource, amount)| (resource.clone(), amount.approximate()));
        let usage = Usage { consumed: consumed.collect(), ..Usage::default() };
        Some(usage.scalar(&self.weights, local.weight))
    }

    /// Its own number, else that of its class.
    fn priority(&mut self, workload: &Workload) -> i32 {
        if let Some(priority) = workload.priority {
            return priority;
        }
        let Some(class) = &workload.class else {
            return self.objects.default_priority.unwrap_or(0);
        };
        self.objects.class_value(class).unwrap_or_else(|| {
            self.unknown_classes.insert(class.name.clone());
            0
        })
    }
}

/// Since when it counts as waiting: its creation, or its last eviction where its pods were not ready in time.
fn queued_ms(workload: &Workload) -> Option<i64> {
    let late = workload.conditions.get("Evicted").filter(|condition| condition.reason == "PodsReadyTimeout");
    late.and_then(|condition| condition.at_ms).or(workload.created_ms)
}

/// By what a workload that waits is told from others of its age. One more comes after all that are there, whatever it is
/// called, and of several the first that was named comes first.
fn age_tie(workload: &Workload, at: usize) -> String {
    if workload.added { format!("{}{at:010}", char::MAX) } else { workload.uid.clone() }
}

/// The pods of a pod set that were admitted, and how many of them have not ended.
pub(super) fn pods_left(workload: &Workload, set: &Assigned) -> (u32, u32) {
    let pods = workload.pods.iter().find(|pods| pods.name == set.pods);
    let count = set.count.or_else(|| pods.map(|pods| pods.count)).unwrap_or(1);
    (count, count.saturating_sub(workload.reclaimable.get(&set.pods).copied().unwrap_or(0)))
}

/// What a workload holds for one pod set: as its admission says, without the pods that have ended.
pub(super) fn held<'a>(workload: &'a Workload, set: &'a Assigned) -> Vec<(&'a str, i64)> {
    let (count, left) = pods_left(workload, set);
    if let Some(usage) = &set.usage {
        let part = |amount: i64| {
            if left == count { amount } else { amount / i64::from(count) * i64::from(left) }
        };
        return usage.iter().map(|(resource, amount)| (resource.as_str(), part(*amount))).collect();
    }
    let pods = workload.pods.iter().find(|pods| pods.name == set.pods);
    let each = pods.into_iter().flat_map(|pods| &pods.requests);
    each.map(|(resource, each)| (resource.as_str(), each.saturating_mul(i64::from(left)))).collect()
}
