//! Spec: what the caller says of cohorts, queues and workloads, in Kueue's words.
//!
//! Amounts are whole numbers of the caller's unit, one for each resource; sums saturate. Times are milliseconds.
//! Absent on purpose: what follows from it.

use std::collections::BTreeMap;

use crate::share::Weight;

/// Which workloads may be preempted: compared by priority, then by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Reach {
    /// None.
    #[default]
    Never,
    /// Those of a lower priority.
    LowerPriority,
    /// Those of a lower priority, and newer ones of the same.
    LowerOrNewerEqualPriority,
    /// All.
    Any,
}

/// That a queue may borrow while it preempts others in its cohort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BorrowWithinCohort {
    /// Only workloads of at most this priority are preempted then.
    pub max_priority_threshold: Option<i32>,
}

/// Whom the workloads of a queue may preempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Preemption {
    /// In their own queue.
    pub within_cluster_queue: Reach,
    /// In queues of the same tree that borrow.
    pub reclaim_within_cohort: Reach,
    /// Whether to borrow while preempting; `None`: never.
    pub borrow_within_cohort: Option<BorrowWithinCohort>,
}

/// Whether the search for a flavor may stop at one that is not the best.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search {
    /// It may.
    MayStop,
    /// The next flavor is tried.
    TryNext,
}

/// Which of two flavors is better that are both not the best.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preference {
    /// The one where nobody is preempted.
    #[default]
    BorrowingOverPreemption,
    /// The one where less is borrowed.
    PreemptionOverBorrowing,
}

/// How flavors stand in for one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fungibility {
    /// At a flavor that fits by borrowing.
    pub when_can_borrow: Search,
    /// At a flavor that fits by preempting.
    pub when_can_preempt: Search,
    /// Which of the flavors that were tried is taken.
    pub preference: Preference,
}

impl Default for Fungibility {
    fn default() -> Self {
        let preference = Preference::default();
        Self { when_can_borrow: Search::MayStop, when_can_preempt: Search::TryNext, preference }
    }
}

/// The amounts of one resource in one flavor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The resource.
    pub resource: String,
    /// What is guaranteed.
    pub nominal: i64,
    /// The most beyond it; `None`: no limit.
    pub borrowing_limit: Option<i64>,
    /// How much of it others may use while it is idle; `None`: all.
    pub lending_limit: Option<i64>,
}

impl Quota {
    /// A quota without limits.
    #[must_use]
    pub fn new(resource: &str, nominal: i64) -> Self {
        Self { resource: resource.to_owned(), nominal, borrowing_limit: None, lending_limit: None }
    }
}

/// One flavor with its quotas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaRow {
    /// The flavor.
    pub flavor: String,
    /// One for each resource of the group.
    pub quotas: Vec<Quota>,
}

/// Resources that get their flavor together, and the flavors in the order in which they are tried.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResourceGroup {
    /// The flavors.
    pub rows: Vec<QuotaRow>,
}

/// An inner node of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// The cohort above.
    pub parent: Option<String>,
    /// Its weight among its siblings; `None` is a weight of zero.
    pub weight: Option<Weight>,
    /// What it owns itself.
    pub groups: Vec<ResourceGroup>,
}

impl Cohort {
    /// A root of weight one without quota.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), parent: None, weight: Some(Weight::ONE), groups: Vec::new() }
    }
}

/// A leaf of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterQueue {
    /// Its name.
    pub name: String,
    /// The cohort above.
    pub cohort: Option<String>,
    /// Its weight among its siblings; `None` is a weight of zero.
    pub weight: Option<Weight>,
    /// Its quotas.
    pub groups: Vec<ResourceGroup>,
    /// Whom it may preempt.
    pub preemption: Preemption,
    /// How its flavors stand in for one another.
    pub fungibility: Fungibility,
    /// Nothing is admitted.
    pub stopped: bool,
    /// Heads go by the usage of their local queues first.
    pub admission_fair_sharing: bool,
}

impl ClusterQueue {
    /// A queue of weight one without cohort and quota.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cohort: None,
            weight: Some(Weight::ONE),
            groups: Vec::new(),
            preemption: Preemption::default(),
            fungibility: Fungibility::default(),
            stopped: false,
            admission_fair_sharing: false,
        }
    }

    /// In a cohort.
    #[must_use]
    pub fn in_cohort(mut self, cohort: &str) -> Self {
        self.cohort = Some(cohort.to_owned());
        self
    }

    /// With one more resource group of a single flavor.
    #[must_use]
    pub fn with_quotas(mut self, flavor: &str, quotas: Vec<Quota>) -> Self {
        self.groups.push(ResourceGroup { rows: vec![QuotaRow { flavor: flavor.to_owned(), quotas }] });
        self
    }

    /// With other rules for preemption.
    #[must_use]
    pub fn with_preemption(mut self, preemption: Preemption) -> Self {
        self.preemption = preemption;
        self
    }
}

/// A workload that holds quota.
#[derive(Clone, PartialEq, Debug)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// What tells equals apart.
    pub uid: String,
    /// The cluster queue.
    pub queue: String,
    /// The higher, the more important.
    pub priority: i32,
    /// When it was created, or last evicted: its age in a queue.
    pub created_ms: i64,
    /// Since when it has held quota.
    pub reserved_ms: i64,
    /// Whether it is being evicted already.
    pub evicted: bool,
    /// Flavor, resource and amount.
    pub usage: Vec<(String, String, i64)>,
    /// The usage of its local queue, where heads go by it.
    pub local_usage: Option<f64>,
}

impl Workload {
    /// A workload of priority zero that has held quota since time zero.
    #[must_use]
    pub fn new(name: &str, queue: &str, usage: Vec<(&str, &str, i64)>) -> Self {
        let own =
            |(flavor, resource, amount): (&str, &str, i64)| (flavor.to_owned(), resource.to_owned(), amount);
        Self {
            name: name.to_owned(),
            uid: name.to_owned(),
            queue: queue.to_owned(),
            priority: 0,
            created_ms: 0,
            reserved_ms: 0,
            evicted: false,
            usage: usage.into_iter().map(own).collect(),
            local_usage: None,
        }
    }
}

/// Equal pods of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodSet {
    /// Its name.
    pub name: String,
    /// How many pods.
    pub count: u32,
    /// With how few it may start; `None`: with all.
    pub min_count: Option<u32>,
    /// What one pod asks.
    pub requests: BTreeMap<String, i64>,
    /// The flavors on which the pods could run; `None`: all.
    pub flavors: Option<Vec<String>>,
}

impl PodSet {
    /// So many pods that ask this much each.
    #[must_use]
    pub fn new(name: &str, count: u32, requests: Vec<(&str, i64)>) -> Self {
        let requests = requests.into_iter().map(|(resource, amount)| (resource.to_owned(), amount)).collect();
        Self { name: name.to_owned(), count, min_count: None, requests, flavors: None }
    }
}

/// A workload that waits for quota.
#[derive(Clone, PartialEq, Debug)]
pub struct Pending {
    /// Its name.
    pub name: String,
    /// What tells equals apart.
    pub uid: String,
    /// The cluster queue.
    pub queue: String,
    /// The higher, the sooner.
    pub priority: i32,
    /// When it was created, or last evicted.
    pub created_ms: i64,
    /// What it asks; the pod sets get their flavors in this order.
    pub pod_sets: Vec<PodSet>,
    /// The usage of its local queue, where heads go by it.
    pub local_usage: Option<f64>,
}

impl Pending {
    /// A workload of priority zero created at time zero.
    #[must_use]
    pub fn new(name: &str, queue: &str, pod_sets: Vec<PodSet>) -> Self {
        Self {
            name: name.to_owned(),
            uid: name.to_owned(),
            queue: queue.to_owned(),
            priority: 0,
            created_ms: 0,
            pod_sets,
            local_usage: None,
        }
    }
}

/// When a victim may be taken for fairness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// The preemptor's share with the workload is at most the victim's without it.
    LessThanOrEqualToFinalShare,
    /// The preemptor's share with the workload is below the victim's.
    LessThanInitialShare,
}

/// What is configured for the whole cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whether shares decide: the order within a cohort, and who is preempted.
    pub fair_sharing: bool,
    /// The strategies of fair preemption, the second only where there are two.
    pub strategies: Vec<Strategy>,
}

impl Default for Settings {
    fn default() -> Self {
        let strategies = vec![Strategy::LessThanOrEqualToFinalShare, Strategy::LessThanInitialShare];
        Self { fair_sharing: false, strategies }
    }
}

/// How well a flavor, or a whole workload, fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Not at all.
    NoFit,
    /// By preempting others.
    Preempt,
    /// As it is.
    Fit,
}
