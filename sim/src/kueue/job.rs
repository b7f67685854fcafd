//! A job of a scenario's snapshot as a Workload.
//!
//! Absent on purpose: what a job says in Kueue's words, which is laid over it (see `export`).

use std::collections::BTreeMap;

use fairshare::kueue::Pending;
use serde_json::{Map, Value, json};

use super::export::POOL_LABEL;
use crate::scenario::SnapshotJob;
use crate::setup::Setup;
use crate::trace::Trace;

/// Where queues are, and what they are called.
pub(super) struct Names<'a> {
    pub(super) api: &'a str,
    pub(super) namespace: &'a str,
    /// Namespace and name of the local queue of each cluster queue.
    pub(super) locals: &'a BTreeMap<String, (String, String)>,
    pub(super) setup: &'a Setup,
}

/// Whether a column of a job has a counterpart in a Workload.
pub(super) fn has_counterpart(column: &str) -> bool {
    const KNOWN: [&str; 12] = [
        "job_id",
        "submit_s",
        "team",
        "priority",
        "workers",
        "gpu",
        "cpu",
        "memory_gib",
        "accelerators",
        "pools",
        "time_limit_s",
        "start_s",
    ];
    KNOWN.contains(&column) || column.starts_with("res_")
}

/// An instant as Kubernetes writes it.
pub(super) fn time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |instant| instant.to_string())
}

/// `ask` is what one worker asks, or nothing where no pool could take it; `quantity` writes an amount.
pub(super) fn workload(
    job: &SnapshotJob,
    trace: &Trace,
    row: usize,
    ask: Option<&Pending>,
    names: &Names<'_>,
    quantity: &mut dyn FnMut(&str, i64) -> (String, String),
) -> Value {
    let known = &trace.jobs[row];
    let says = |column: &str| job.columns.iter().any(|(key, text)| key == column && !text.is_empty());
    let team = trace.teams.text(known.team);
    let place = names.locals.get(team).cloned();
    let (namespace, queue) = place.unwrap_or_else(|| (names.namespace.to_owned(), team.to_owned()));
    let mut metadata = json!({"name": job.name, "namespace": namespace});
    if says("submit_s") {
        metadata["creationTimestamp"] = time(known.submit_ms).into();
    }
    let mut spec = json!({"queueName": queue});
    if says("priority") {
        let class = trace.shapes[known.shape as usize].priority;
        spec["priority"] = names.setup.class_of.get(class as usize).copied().unwrap_or(0).into();
        let text = job.columns.iter().find(|(key, _)| key == "priority").map_or("", |(_, text)| text);
        if text.parse::<i32>().is_err() {
            spec["priorityClassRef"] =
                json!({"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": text});
        }
    }
    if let Some(limit_ms) = trace.lengths(known).limit_ms().filter(|_| says("time_limit_s")) {
        spec["maximumExecutionTimeSeconds"] = limit_ms.div_ceil(1_000).into();
    }
    let set = ask.and_then(|ask| ask.pod_sets.first());
    let count = set.map_or(1, |set| set.count);
    let mut requests = Map::new();
    let mut usage = Map::new();
    let mut flavors = Map::new();
    for (resource, each) in set.iter().flat_map(|set| &set.requests) {
        let (name, amount) = quantity(resource, *each);
        requests.insert(name.clone(), amount.into());
        let all = each.saturating_mul(i64::from(count));
        usage.insert(name.clone(), quantity(resource, all).1.into());
        if let Some((pool, _)) = &job.running {
            flavors.insert(name, names.setup.config.pools[*pool].name.clone().into());
        }
    }
    let mut pod = json!({"containers": [{"name": "main", "resources": {"requests": requests}}]});
    let allowed = match set {
        Some(set) => set.flavors.clone(),
        None => Some(Vec::new()),
    };
    match allowed.as_deref() {
        Some([one]) => pod["nodeSelector"] = json!({POOL_LABEL: one}),
        Some(several) => {
            let expression = json!({"key": POOL_LABEL, "operator": "In", "values": several});
            let terms = json!({"nodeSelectorTerms": [{"matchExpressions": [expression]}]});
            pod["affinity"] =
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
        }
        None => {}
    }
    spec["podSets"] = json!([{"name": "main", "count": count, "template": {"spec": pod}}]);
    let mut object = json!({"apiVersion": names.api, "kind": "Workload", "metadata": metadata, "spec": spec});
    if job.running.is_some() {
        let mut condition = json!({"type": "QuotaReserved", "status": "True", "reason": "QuotaReserved"});
        let start = trace.recorded.as_ref().and_then(|recorded| recorded[row].start_ms());
        if let Some(start_ms) = start {
            condition["lastTransitionTime"] = time(start_ms).into();
        }
        let assigned = json!({"name": "main", "count": count, "flavors": flavors, "resourceUsage": usage});
        object["status"] = json!({
            "conditions": [condition],
            "admission": {"clusterQueue": team, "podSetAssignments": [assigned]},
        });
    }
    object
}
