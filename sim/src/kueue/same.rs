//! Whether two readings of one object mean the same, and if not, which of its parts say what the other lacks; and an
//! object without what means nothing.
//!
//! Absent on purpose: where the second reading comes from (see `import`).

use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{ClusterQueue, Cohort, Quota, ResourceGroup};
use serde_json::{Map, Value, json};

use super::objects::Objects;
use super::plain::Plain;
use super::snapshot::held;
use super::tree::Parts;
use super::workload::{Pods, Workload};

/// Parts of an object, section by section.
#[derive(Default)]
struct Kept {
    parts: Parts,
}

impl Kept {
    /// Keeps a key as the object has it, or what stands for its absence.
    fn keep(&mut self, value: &Value, section: &str, key: &str, absent: Value) {
        let own = &value[section][key];
        let own = if own.is_null() { absent } else { own.clone() };
        let into = self.parts.entry(section.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        into[key] = own;
    }

    fn some(self) -> Option<Parts> {
        (!self.parts.is_empty()).then_some(self.parts)
    }
}

/// Groups without the order of resources, which means nothing.
fn plainly(groups: &[ResourceGroup]) -> Vec<ResourceGroup> {
    let mut groups = groups.to_vec();
    for row in groups.iter_mut().flat_map(|group| &mut group.rows) {
        row.quotas.sort_by(|a, b| a.resource.cmp(&b.resource));
    }
    groups.sort_by_cached_key(|group| {
        group.rows.first().and_then(|row| row.quotas.first()).map(|quota| quota.resource.clone())
    });
    groups
}

/// What of a queue the other reading lacks.
pub(super) fn queue(value: &Value, own: &ClusterQueue, strict: bool, again: &Objects) -> Option<Parts> {
    let mut kept = Kept::default();
    let other = again.queues.iter().find(|(_, other, _)| other.name == own.name);
    let Some((_, other, other_strict)) = other else {
        kept.keep(value, "metadata", "name", Value::Null);
        return kept.some();
    };
    let none = || json!({});
    let checks = [
        (own.weight == other.weight, "fairSharing", none()),
        (own.preemption == other.preemption, "preemption", none()),
        (own.fungibility == other.fungibility, "flavorFungibility", none()),
        (own.stopped == other.stopped, "stopPolicy", json!("None")),
        (own.admission_fair_sharing == other.admission_fair_sharing, "admissionScope", none()),
        (strict == *other_strict, "queueingStrategy", json!("BestEffortFIFO")),
        (plainly(&own.groups) == plainly(&other.groups), "resourceGroups", Value::Null),
    ];
    for (same, key, absent) in checks {
        if !same {
            kept.keep(value, "spec", key, absent);
        }
    }
    kept.some()
}

/// What of a cohort the other reading lacks.
pub(super) fn cohort(value: &Value, own: &Cohort, plain: &Plain<'_>, again: &Objects) -> Option<Parts> {
    let mut kept = Kept::default();
    let name = plain.team_of_cohort(&own.name);
    let is = |other: &&(String, Cohort)| other.1.name == name || other.1.name == own.name;
    let (_, other) = again.cohorts.iter().find(is)?;
    if own.weight != other.weight {
        kept.keep(value, "spec", "fairSharing", json!({}));
    }
    if stated(&own.groups) != stated(&other.groups) {
        kept.keep(value, "spec", "resourceGroups", Value::Null);
    }
    kept.some()
}

/// What a cohort adds to its queues or bounds: no quota of its own and no limit is as if nothing were said.
fn stated(groups: &[ResourceGroup]) -> BTreeMap<(&str, &str), &Quota> {
    let rows = groups.iter().flat_map(|group| &group.rows);
    let all = rows.flat_map(|row| row.quotas.iter().map(|quota| (row.flavor.as_str(), quota)));
    let some = all.filter(|(_, quota)| **quota != Quota::new(&quota.resource, 0));
    some.map(|(flavor, quota)| ((flavor, quota.resource.as_str()), quota)).collect()
}

/// A workload among its objects.
pub(super) struct Side<'a> {
    pub(super) objects: &'a Objects,
    pub(super) workload: &'a Workload,
}

impl Side<'_> {
    fn priority(&self) -> i32 {
        let class = self.workload.class.as_ref();
        self.workload.priority.or_else(|| self.objects.class_value(class?)).unwrap_or(0)
    }

    fn class(&self) -> Option<&str> {
        self.workload.class.as_ref().map(|class| class.name.as_str())
    }

    /// What is held where, since when, and whether it is being given back.
    fn hold(&self) -> Value {
        let workload = self.workload;
        let mut total: BTreeMap<String, i64> = BTreeMap::new();
        let sets = workload.admission.iter().flat_map(|admission| &admission.sets);
        for set in sets {
            for (resource, amount) in held(workload, set).into_iter().filter(|(_, amount)| *amount != 0) {
                let flavor = set.flavors.get(resource).map_or("", String::as_str);
                let sum = total.entry(format!("{flavor} {resource}")).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        json!({"queue": workload.admission.as_ref().map(|admission| &admission.cluster_queue), "amounts": total})
    }

    fn state(&self) -> Value {
        let conditions = &self.workload.conditions;
        let at = |kind: &str| conditions.get(kind).map(|condition| condition.at_ms);
        let reserved = conditions.contains_key("QuotaReserved") || conditions.contains_key("Admitted");
        json!({
            "reserved": reserved.then(|| at("QuotaReserved")),
            "evicted": conditions.get("Evicted").map(|condition| (&condition.reason, condition.at_ms)),
        })
    }
}

/// What of a workload the other reading lacks.
pub(super) fn workload(value: &Value, own: &Side<'_>, other: &Side<'_>) -> Option<Parts> {
    let mut kept = Kept::default();
    let (mine, its) = (own.workload, other.workload);
    for (same, key) in [
        (mine.name == its.name, "name"),
        (mine.namespace == its.namespace, "namespace"),
        (mine.uid == its.uid || value["metadata"]["uid"].is_null(), "uid"),
        (mine.created_ms == its.created_ms, "creationTimestamp"),
    ] {
        if !same {
            kept.keep(value, "metadata", key, json!(""));
        }
    }
    if own.priority() != other.priority() || own.class() != other.class() {
        kept.keep(value, "spec", "priority", own.priority().into());
        if let Some(class) = &mine.class {
            let spec = kept.parts.get_mut("spec");
            let kind = class.kind.unwrap_or("WorkloadPriorityClass");
            let group = if kind == "PriorityClass" { "scheduling.k8s.io" } else { "kueue.x-k8s.io" };
            if let Some(spec) = spec {
                spec["priorityClassRef"] = json!({"group": group, "kind": kind, "name": class.name});
            }
        }
    }
    // Zero of something is given a flavor, too.
    let same_pods = mine.pods == its.pods;
    if !same_pods {
        // What containers run is nobody's business here.
        kept.keep(&json!({"spec": {"podSets": pod_sets(&mine.pods)}}), "spec", "podSets", Value::Null);
    }
    // An admission is of the pod sets by their names, of which some may have ended.
    let of_the_same = same_pods && mine.reclaimable == its.reclaimable;
    let same_hold = own.hold() == other.hold() && (of_the_same || mine.admission.is_none());
    for (same, section, key) in [
        (mine.queue == its.queue, "spec", "queueName"),
        (mine.active == its.active, "spec", "active"),
        (own.state() == other.state(), "status", "conditions"),
        (same_hold, "status", "admission"),
        (mine.requeue_ms == its.requeue_ms, "status", "requeueState"),
        (mine.reclaimable == its.reclaimable, "status", "reclaimablePods"),
    ] {
        if !same {
            kept.keep(value, section, key, if key == "queueName" { json!("") } else { json!({}) });
        }
    }
    kept.some()
}

/// Pods as objects write them, with nothing but what decides.
fn pod_sets(pods: &[Pods]) -> Value {
    let amount = |(resource, amount): (&String, &i64)| {
        let text = if resource == "cpu" { format!("{amount}m") } else { amount.to_string() };
        (resource.clone(), Value::from(text))
    };
    let set = |set: &Pods| {
        let requests: Map<String, Value> = set.requests.iter().map(amount).collect();
        let mut spec = json!({"containers": [{"name": "main", "resources": {"requests": requests}}]});
        let label = |(label, values): (&String, &BTreeSet<String>)| json!({"key": label, "operator": "In", "values": values});
        if !set.nodes.is_empty() {
            let labels: Vec<Value> = set.nodes.iter().map(label).collect();
            let terms = json!({"nodeSelectorTerms": [{"matchExpressions": labels}]});
            spec["affinity"] =
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
        }
        let mut object = json!({"name": set.name, "count": set.count, "template": {"spec": spec}});
        if let Some(least) = set.min_count {
            object["minCount"] = least.into();
        }
        object
    };
    pods.iter().map(set).collect()
}

/// Whether a Workload has ended, by its condition.
pub(super) fn is_finished(value: &Value) -> bool {
    let conditions = value["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Finished" && it["status"] == "True")
}

/// Without what a cluster keeps for itself.
pub(super) fn tidy(value: &Value) -> Value {
    let mut object = value.clone();
    if let Value::Object(metadata) = &mut object["metadata"] {
        metadata.retain(|key, _| {
            ["name", "namespace", "uid", "creationTimestamp", "labels"].contains(&key.as_str())
        });
    }
    if object["kind"] == "LocalQueue" {
        let usage = object["status"]["fairSharing"].clone();
        object["status"] = if usage.is_null() { Value::Null } else { json!({"fairSharing": usage}) };
    }
    object
}
