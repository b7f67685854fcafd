//! `ClusterQueue`, `Cohort` and `LocalQueue` from objects.
//!
//! Absent on purpose: whether the names that they mention are there (see `snapshot`).

use std::collections::{BTreeMap, BTreeSet};

use fairshare::Weight;
use fairshare::kueue::{
    BorrowWithinCohort, ClusterQueue, Cohort, Fungibility, Preemption, Preference, Quota, QuotaRow, Reach,
    ResourceGroup, Search,
};

use super::error::KueueError;
use super::field::{Field, QUANTITY};
use super::quantity::Quantity;

/// A queue of one namespace, in which users put workloads.
#[derive(Debug, Clone)]
pub(super) struct LocalQueue {
    pub(super) file: String,
    pub(super) cluster_queue: String,
    /// Among the local queues of its cluster queue; `None` is a weight of zero.
    pub(super) weight: Option<Weight>,
    /// What it has used lately, by resource.
    pub(super) consumed: BTreeMap<String, Quantity>,
    pub(super) stopped: bool,
}

pub(super) const REACHES: [(&str, Reach); 4] = [
    ("Never", Reach::Never),
    ("LowerPriority", Reach::LowerPriority),
    ("LowerOrNewerEqualPriority", Reach::LowerOrNewerEqualPriority),
    ("Any", Reach::Any),
];
const STOPS: [(&str, bool); 3] = [("None", false), ("Hold", true), ("HoldAndDrain", true)];

/// Whether a queue is strict: its head blocks those behind it.
const STRATEGIES: [(&str, bool); 2] = [("StrictFIFO", true), ("BestEffortFIFO", false)];

/// Reads a `ClusterQueue`, and whether its head blocks those behind it.
pub(super) fn cluster_queue(root: &Field<'_>, name: &str) -> Result<(ClusterQueue, bool), KueueError> {
    let spec = root.get("spec");
    spec.known(&[
        "cohort",
        "cohortName",
        "resourceGroups",
        "fairSharing",
        "preemption",
        "flavorFungibility",
        "queueingStrategy",
        "stopPolicy",
        "namespaceSelector",
        "admissionScope",
        "admissionChecks",
        "admissionChecksStrategy",
    ])?;
    for key in ["namespaceSelector", "admissionChecks", "admissionChecksStrategy"] {
        spec.get(key).unheeded();
    }
    let mut queue = ClusterQueue::new(name);
    queue.cohort = spec.name_in_either(["cohortName", "cohort"])?;
    queue.weight = weight(&spec)?;
    let below = if queue.cohort.is_none() { Below::Nothing } else { Below::Cohort };
    queue.groups = groups(&spec.get("resourceGroups"), Some(below))?;
    queue.preemption = preemption(&spec.get("preemption"))?;
    queue.fungibility = fungibility(&spec.get("flavorFungibility"))?;
    queue.stopped = spec.get("stopPolicy").word(&STOPS, false)?;
    let scope = spec.get("admissionScope");
    scope.known(&["admissionMode"])?;
    let modes = [("UsageBasedAdmissionFairSharing", true), ("NoAdmissionFairSharing", false)];
    queue.admission_fair_sharing = scope.get("admissionMode").word(&modes, false)?;
    let strict = spec.get("queueingStrategy").word(&STRATEGIES, false)?;
    Ok((queue, strict))
}

/// Reads a `Cohort`.
pub(super) fn cohort(root: &Field<'_>, name: &str) -> Result<Cohort, KueueError> {
    let spec = root.get("spec");
    spec.known(&["parentName", "parent", "resourceGroups", "fairSharing"])?;
    let mut cohort = Cohort::new(name);
    cohort.parent = spec.name_in_either(["parentName", "parent"])?;
    cohort.weight = weight(&spec)?;
    cohort.groups = groups(&spec.get("resourceGroups"), None)?;
    Ok(cohort)
}

/// Reads a `LocalQueue`.
pub(super) fn local_queue(root: &Field<'_>) -> Result<LocalQueue, KueueError> {
    let spec = root.get("spec");
    spec.known(&["clusterQueue", "fairSharing", "stopPolicy"])?;
    let usage = root.get("status").get("fairSharing").get("admissionFairSharingStatus");
    usage.known(&["consumedResources", "lastUpdate"])?;
    usage.get("lastUpdate").time()?;
    let mut consumed = BTreeMap::new();
    for (resource, amount) in usage.get("consumedResources").entries()? {
        consumed.insert(resource.to_owned(), amount.quantity()?.unwrap_or_default());
    }
    Ok(LocalQueue {
        file: root.object().file.to_owned(),
        cluster_queue: spec.get("clusterQueue").required_name()?,
        weight: weight(&spec)?,
        consumed,
        stopped: spec.get("stopPolicy").word(&STOPS, false)?,
    })
}

/// `fairSharing.weight`: one where it is absent, `None` for zero.
fn weight(spec: &Field<'_>) -> Result<Option<Weight>, KueueError> {
    let sharing = spec.get("fairSharing");
    sharing.known(&["weight"])?;
    let field = sharing.get("weight");
    let Some(quantity) = field.quantity()? else { return Ok(Some(Weight::ONE)) };
    if quantity == Quantity::default() {
        return Ok(None);
    }
    let weight = quantity.ratio().and_then(|(above, below)| Weight::new(above, below));
    weight.map(Some).ok_or_else(|| field.fault("a weight below 2^34"))
}

fn preemption(field: &Field<'_>) -> Result<Preemption, KueueError> {
    field.known(&["withinClusterQueue", "reclaimWithinCohort", "borrowWithinCohort"])?;
    let borrow = field.get("borrowWithinCohort");
    borrow.known(&["policy", "maxPriorityThreshold"])?;
    let may = borrow.get("policy").word(&[("Never", false), ("LowerPriority", true)], false)?;
    let threshold = borrow.get("maxPriorityThreshold").integer("a priority of 32 bits")?;
    Ok(Preemption {
        within_cluster_queue: field.get("withinClusterQueue").word(&REACHES, Reach::Never)?,
        reclaim_within_cohort: field.get("reclaimWithinCohort").word(&REACHES, Reach::Never)?,
        borrow_within_cohort: may.then_some(BorrowWithinCohort { max_priority_threshold: threshold }),
    })
}

fn fungibility(field: &Field<'_>) -> Result<Fungibility, KueueError> {
    field.known(&["whenCanBorrow", "whenCanPreempt", "preference"])?;
    let standard = Fungibility::default();
    // `Borrow` and `Preempt` are what the first versions called it to stop there.
    let borrow =
        [("MayStopSearch", Search::MayStop), ("Borrow", Search::MayStop), ("TryNextFlavor", Search::TryNext)];
    let preempt = [
        ("MayStopSearch", Search::MayStop),
        ("Preempt", Search::MayStop),
        ("TryNextFlavor", Search::TryNext),
    ];
    let preferences = [
        ("BorrowingOverPreemption", Preference::BorrowingOverPreemption),
        ("PreemptionOverBorrowing", Preference::PreemptionOverBorrowing),
    ];
    Ok(Fungibility {
        when_can_borrow: field.get("whenCanBorrow").word(&borrow, standard.when_can_borrow)?,
        when_can_preempt: field.get("whenCanPreempt").word(&preempt, standard.when_can_preempt)?,
        preference: field.get("preference").word(&preferences, standard.preference)?,
    })
}

/// Where a queue is, which decides which limits a cluster would take of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    Cohort,
}

/// `below` is where the queue is whose groups they are; `None`: they are a cohort's.
fn groups(field: &Field<'_>, below: Option<Below>) -> Result<Vec<ResourceGroup>, KueueError> {
    let mut resources_seen = BTreeSet::new();
    let mut flavors_seen = BTreeSet::new();
    let mut groups = Vec::new();
    for group in field.items()? {
        group.known(&["coveredResources", "flavors"])?;
        let mut covered = BTreeSet::new();
        for resource in group.get("coveredResources").items()? {
            let name = resource.required_name()?;
            if !resources_seen.insert(name.clone()) {
                return Err(resource.sentence(format!("resource `{name}` is covered twice")));
            }
            covered.insert(name);
        }
        let mut rows = Vec::new();
        for flavor in group.get("flavors").items()? {
            let row = row(&flavor, &covered, below)?;
            if !flavors_seen.insert(row.flavor.clone()) {
                return Err(flavor
                    .get("name")
                    .sentence(format!("flavor `{}` is given quota twice", row.flavor)));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(group.get("flavors").fault("at least one flavor with its quotas"));
        }
        groups.push(ResourceGroup { rows });
    }
    Ok(groups)
}

/// One flavor with a quota for each covered resource.
fn row(flavor: &Field<'_>, covered: &BTreeSet<String>, below: Option<Below>) -> Result<QuotaRow, KueueError> {
    flavor.known(&["name", "resources"])?;
    let name = flavor.get("name").required_name()?;
    let mut quotas = Vec::new();
    let mut seen = BTreeSet::new();
    for field in flavor.get("resources").items()? {
        field.known(&["name", "nominalQuota", "borrowingLimit", "lendingLimit"])?;
        let resource = field.get("name").required_name()?;
        if !seen.insert(resource.clone()) {
            return Err(field.sentence(format!("resource `{resource}` has two quotas in flavor `{name}`")));
        }
        let amount = |key: &str| field.get(key).amount(&resource);
        let nominal = amount("nominalQuota")?.ok_or_else(|| field.get("nominalQuota").fault(QUANTITY))?;
        let (borrowing_limit, lending_limit) = (amount("borrowingLimit")?, amount("lendingLimit")?);
        for (key, limit) in [("borrowingLimit", borrowing_limit), ("lendingLimit", lending_limit)] {
            if below == Some(Below::Nothing) && limit.is_some() {
                field.get(key).odd("a limit of what is below no cohort means nothing");
            }
        }
        if below.is_some() && lending_limit.is_some_and(|limit| limit > nominal) {
            field.get("lendingLimit").odd("above the nominal quota, all of which may be lent");
        }
        quotas.push(Quota { resource, nominal, borrowing_limit, lending_limit });
    }
    let missing: Vec<String> = covered.difference(&seen).map(|resource| format!("`{resource}`")).collect();
    if !missing.is_empty() || quotas.is_empty() {
        let missing =
            if missing.is_empty() { "at least one resource".to_owned() } else { missing.join(", ") };
        let what = format!("flavor `{name}` has no quota: expected one of {missing}");
        return Err(flavor.get("resources").sentence(what));
    }
    if let Some(other) = seen.iter().find(|resource| !covered.is_empty() && !covered.contains(*resource)) {
        let what =
            format!("resource `{other}` has a quota in flavor `{name}` and is not among `coveredResources`");
        return Err(flavor.get("resources").sentence(what));
    }
    Ok(QuotaRow { flavor: name, quotas })
}
