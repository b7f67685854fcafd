//! Cluster: the tree with what is admitted, built and checked from what the caller says.
//!
//! Invariant: the usage of the tree is that of the workloads that are not removed.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::found::Found;
use super::share::{DominantShare, Resources, WeightedShare};
use super::spec::{ClusterQueue, Cohort, Fungibility, Preemption, ResourceGroup, Settings, Workload};
use super::targets::Siblings;
use super::tree::{Cell, Node, NodeIndex, Pair, Tree};
use super::victims::compare;
use crate::id::IdVec;
use crate::share::Weight;

/// What makes a tree impossible.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClusterError {
    /// Two nodes of one name.
    Twice {
        /// `cluster queue` or `cohort`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A cohort that is above itself.
    Cycle {
        /// The cohort.
        cohort: String,
    },
    /// A workload of a queue that there is not.
    UnknownQueue {
        /// The workload.
        workload: String,
        /// The queue that it names.
        queue: String,
    },
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { what, name } => write!(f, "there are two of {what} `{name}`"),
            Self::Cycle { cohort } => write!(f, "cohort `{cohort}` is above itself"),
            Self::UnknownQueue { workload, queue } => {
                write!(f, "workload `{workload}` is in cluster queue `{queue}`, and there is no such queue")
            }
        }
    }
}

impl core::error::Error for ClusterError {}

/// A workload that holds quota.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) uid: Arc<str>,
    pub(super) queue: NodeIndex,
    pub(super) priority: i32,
    pub(super) created_ms: i64,
    pub(super) reserved_ms: i64,
    pub(super) evicted: bool,
    pub(super) usage: Vec<(Pair, i64)>,
    pub(super) local_usage: Option<f64>,
    removed: bool,
}

/// What a queue says beside its quotas.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueRules {
    is_queue: bool,
    pub(super) preemption: Preemption,
    pub(super) fungibility: Fungibility,
    pub(super) stopped: bool,
    pub(super) by_local_usage: bool,
    /// For each group the resources, and the flavors in order.
    pub(super) groups: Vec<(BTreeSet<String>, Vec<String>)>,
    /// The positions of its workloads, in the order in which they would be preempted.
    pub(super) workloads: Vec<usize>,
}

/// A tree of cohorts and cluster queues with the workloads that hold quota.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) settings: Settings,
    pub(super) tree: Tree,
    /// Of every node, those of cohorts being nothing.
    pub(super) queues: IdVec<NodeIndex, QueueRules>,
    pub(super) admitted: Vec<Admitted>,
    /// Positions that nobody has.
    free: Vec<usize>,
    /// By flavor and resource.
    pub(super) pairs: BTreeMap<String, BTreeMap<String, Pair>>,
    /// The flavor and the resource of each pair, in their order.
    pub(super) pair_names: Vec<(String, String)>,
    names: BTreeMap<String, NodeIndex>,
    resource_names: Vec<String>,
    pub(super) resources: Resources,
    /// Of cohorts, as of the last admission or release; `None` where one has happened below since it was noted.
    pub(super) siblings: Vec<Option<Siblings>>,
    pub(super) found: Found,
}

/// The share of one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeShare {
    /// Its name.
    pub name: String,
    /// Whether it is a cluster queue; a cohort otherwise.
    pub is_queue: bool,
    /// Thousandths, rounded up.
    pub weighted: WeightedShare,
    /// The resource of which most is borrowed; `None` where nothing is.
    pub dominant_resource: Option<String>,
    /// Whether no usage is above the quota of the subtree.
    pub within_quota: bool,
}

impl Cluster {
    /// Builds the tree and books what is admitted.
    ///
    /// A cohort that only a queue or another cohort names is a root of weight one without quota. Usage may exceed quota, as
    /// it does in real clusters.
    ///
    /// # Errors
    ///
    /// [`ClusterError`], naming the object.
    pub fn new(
        settings: Settings,
        cohorts: &[Cohort],
        queues: &[ClusterQueue],
        admitted: Vec<Workload>,
    ) -> Result<Self, ClusterError> {
        let mut known: BTreeSet<(String, String)> = BTreeSet::new();
        let groups = cohorts.iter().flat_map(|c| &c.groups).chain(queues.iter().flat_map(|q| &q.groups));
        for row in groups.flat_map(|group| &group.rows) {
            known.extend(row.quotas.iter().map(|quota| (row.flavor.clone(), quota.resource.clone())));
        }
        let used = admitted.iter().flat_map(|workload| &workload.usage);
        known.extend(used.map(|(flavor, resource, _)| (flavor.clone(), resource.clone())));
        let names: BTreeSet<&String> = known.iter().map(|(_, resource)| resource).collect();
        let resource_names: Vec<String> = names.into_iter().cloned().collect();
        let mut resources: Resources = vec![Vec::new(); resource_names.len()];
        let mut pairs: BTreeMap<String, BTreeMap<String, Pair>> = BTreeMap::new();
        for (pair, (flavor, resource)) in known.iter().enumerate() {
            pairs.entry(flavor.clone()).or_default().insert(resource.clone(), pair);
            if let Ok(at) = resource_names.binary_search(resource) {
                resources[at].push(pair);
            }
        }
        let mut cluster = Self {
            settings,
            tree: Tree::new(known.len()),
            queues: IdVec::new(),
            admitted: Vec::new(),
            free: Vec::new(),
            pairs,
            pair_names: known.into_iter().collect(),
            names: BTreeMap::new(),
            resource_names,
            resources,
            siblings: Vec::new(),
            found: Found::default(),
        };
        cluster.plant(cohorts, queues)?;
        cluster.book(admitted)?;
        Ok(cluster)
    }

    /// Builds the tree.
    fn plant(&mut self, cohorts: &[Cohort], queues: &[ClusterQueue]) -> Result<(), ClusterError> {
        let mut above: BTreeMap<&str, NodeIndex> = BTreeMap::new();
        for cohort in cohorts {
            let at = self.add_node(&cohort.name, cohort.weight, &cohort.groups);
            if above.insert(&cohort.name, at).is_some() {
                return Err(ClusterError::Twice { what: "cohort", name: cohort.name.clone() });
            }
        }
        let named = cohorts.iter().filter_map(|cohort| cohort.parent.as_ref());
        for name in named.chain(queues.iter().filter_map(|queue| queue.cohort.as_ref())) {
            if !above.contains_key(name.as_str()) {
                above.insert(name, self.add_node(name, Some(Weight::ONE), &[]));
            }
        }
        for cohort in cohorts {
            if let Some(parent) = &cohort.parent {
                self.tree.nodes[above[cohort.name.as_str()]].parent = Some(above[parent.as_str()]);
            }
        }
        for (name, at) in &above {
            let mut steps = self.tree.above(*at).take(self.tree.nodes.len() + 1);
            if steps.any(|node| node == *at) {
                return Err(ClusterError::Cycle { cohort: (*name).to_owned() });
            }
        }
        for queue in queues {
            let at = self.add_node(&queue.name, queue.weight, &queue.groups);
            self.tree.nodes[at].parent = queue.cohort.as_ref().map(|cohort| above[cohort.as_str()]);
            if self.names.insert(queue.name.clone(), at).is_some() {
                return Err(ClusterError::Twice { what: "cluster queue", name: queue.name.clone() });
            }
            let group = |group: &ResourceGroup| {
                let names = group.rows.iter().flat_map(|row| &row.quotas).map(|quota| quota.resource.clone());
                (names.collect(), group.rows.iter().map(|row| row.flavor.clone()).collect())
            };
            let rules = QueueRules {
                is_queue: true,
                preemption: queue.preemption,
                fungibility: queue.fungibility,
                stopped: queue.stopped,
                by_local_usage: queue.admission_fair_sharing,
                groups: queue.groups.iter().map(group).collect(),
                workloads: Vec::new(),
            };
            self.queues[at] = rules;
        }
        self.link();
        Ok(())
    }

    fn add_node(&mut self, name: &str, weight: Option<Weight>, groups: &[ResourceGroup]) -> NodeIndex {
        let mut node = Node::new(name, weight, self.pair_names.len());
        for row in groups.iter().flat_map(|group| &group.rows) {
            for quota in &row.quotas {
                let pair = self.pairs[&row.flavor][&quota.resource];
                node.cells[pair] = Some(Cell {
                    nominal: quota.nominal,
                    borrowing_limit: quota.borrowing_limit,
                    lending_limit: quota.lending_limit,
                });
            }
        }
        self.queues.push(QueueRules::default());
        self.tree.push(node)
    }

    /// Tells every node its children, by name, and works out the quotas.
    fn link(&mut self) {
        let mut order: Vec<NodeIndex> = (0..self.tree.nodes.len()).map(NodeIndex::at).collect();
        order.sort_by(|a, b| self.tree.nodes[*a].name.cmp(&self.tree.nodes[*b].name));
        for (rank, at) in order.iter().copied().enumerate() {
            self.tree.nodes[at].rank = rank;
            let is_queue = self.queues[at].is_queue;
            let Some(parent) = self.tree.nodes[at].parent else { continue };
            let above = &mut self.tree.nodes[parent];
            if is_queue { above.queues.push(at) } else { above.cohorts.push(at) }
        }
        order.sort_by_cached_key(|at| core::cmp::Reverse(self.tree.above(*at).count()));
        self.tree.settle(&order);
        self.tree.settle_shares(&self.resources);
        self.siblings = vec![None; order.len()];
        self.found = Found::new(self);
    }

    fn book(&mut self, admitted: Vec<Workload>) -> Result<(), ClusterError> {
        for workload in admitted {
            self.admit(workload)?;
        }
        Ok(())
    }

    /// Books a workload, and says by which position it is known from now on: that of the last one that was released, else
    /// a new one.
    ///
    /// Amounts of a flavor and resource of which nobody has a quota, and nobody had usage when the cluster was built, do
    /// not count anywhere.
    ///
    /// # Errors
    ///
    /// [`ClusterError::UnknownQueue`] if there is no such queue; nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::kueue::{Cluster, ClusterQueue, Quota, Settings, Workload};
    /// let queue = ClusterQueue::new("a").with_quotas("default", vec![Quota::new("cpu", 3)]);
    /// let mut cluster = Cluster::new(Settings::default(), &[], &[queue], Vec::new()).unwrap();
    /// let job = cluster.admit(Workload::new("j", "a", vec![("default", "cpu", 4)])).unwrap();
    /// assert_eq!(cluster.overused().len(), 1);
    /// assert!(cluster.release(job));
    /// assert!(cluster.overused().is_empty());
    /// assert!(!cluster.release(job));
    /// ```
    pub fn admit(&mut self, workload: Workload) -> Result<usize, ClusterError> {
        let Some(queue) = self.names.get(&workload.queue).copied() else {
            return Err(ClusterError::UnknownQueue { workload: workload.name, queue: workload.queue });
        };
        let usage = workload.usage.into_iter().filter_map(|(flavor, resource, amount)| {
            Some((*self.pairs.get(&flavor)?.get(&resource)?, amount))
        });
        let usage: Vec<(Pair, i64)> = usage.collect();
        for (pair, amount) in &usage {
            self.tree.add(queue, *pair, *amount);
        }
        let admitted = Admitted {
            uid: workload.uid.into(),
            queue,
            priority: workload.priority,
            created_ms: workload.created_ms,
            reserved_ms: workload.reserved_ms,
            evicted: workload.evicted,
            usage,
            local_usage: workload.local_usage,
            removed: false,
        };
        let at = self.free.pop().unwrap_or(self.admitted.len());
        match self.admitted.get_mut(at) {
            Some(slot) => *slot = admitted,
            None => self.admitted.push(admitted),
        }
        self.line_up_workload(at);
        self.forget(queue);
        Ok(at)
    }

    /// Gives back what a workload holds; false where nobody is known by that position.
    pub fn release(&mut self, workload: usize) -> bool {
        let Some(known) = self.admitted.get(workload).filter(|known| !known.removed) else { return false };
        let queue = known.queue;
        self.leave_line(workload);
        self.remove(workload);
        self.forget(queue);
        self.free.push(workload);
        true
    }

    /// Says what the local queue of a workload that holds quota has used by now; false where nobody is known by that
    /// position.
    pub fn note_local_usage(&mut self, workload: usize, usage: Option<f64>) -> bool {
        let Some(known) = self.admitted.get(workload).filter(|known| !known.removed) else { return false };
        if known.local_usage != usage {
            self.leave_line(workload);
            self.admitted[workload].local_usage = usage;
            self.line_up_workload(workload);
            self.found.forget();
        }
        true
    }

    /// Somebody of a queue was admitted or released.
    fn forget(&mut self, queue: NodeIndex) {
        self.forget_siblings(queue);
        self.found.forget();
    }

    /// Puts a workload where it belongs in its queue's order.
    fn line_up_workload(&mut self, workload: usize) {
        let (queue, place) = self.place_in_line(workload);
        self.queues[queue].workloads.insert(place, workload);
    }

    fn leave_line(&mut self, workload: usize) {
        let (queue, place) = self.place_in_line(workload);
        self.queues[queue].workloads.remove(place);
    }

    /// The queue of a workload, and how many others come before it there.
    fn place_in_line(&self, workload: usize) -> (NodeIndex, usize) {
        let known = &self.admitted[workload];
        let before = |other: &usize| {
            compare(known.queue, &self.admitted[*other], known).then(other.cmp(&workload)).is_lt()
        };
        (known.queue, self.queues[known.queue].workloads.partition_point(before))
    }

    /// The place of the first workload in a queue's order, not before `from`, that is not removed and may be taken.
    pub(super) fn next_in(
        &self,
        queue: NodeIndex,
        from: usize,
        may: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let left = self.queues[queue].workloads.get(from..)?;
        let found = left.iter().position(|workload| !self.admitted[*workload].removed && may(*workload));
        found.map(|ahead| from + ahead)
    }

    pub(super) fn queue(&self, name: &str) -> Option<NodeIndex> {
        self.names.get(name).copied()
    }

    pub(super) fn is_queue(&self, node: NodeIndex) -> bool {
        self.queues[node].is_queue
    }

    /// The nodes that are queues.
    pub(super) fn queue_nodes(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        (0..self.tree.nodes.len()).map(NodeIndex::at).filter(|at| self.queues[*at].is_queue)
    }

    /// The positions of all workloads.
    pub(super) fn positions(&self) -> Vec<usize> {
        let mut all: Vec<usize> =
            self.queue_nodes().flat_map(|queue| self.queues[queue].workloads.iter().copied()).collect();
        all.sort_unstable();
        all
    }

    /// Takes a workload's usage away, for a while.
    pub(super) fn remove(&mut self, workload: usize) {
        self.move_usage(workload, true);
    }

    /// Undoes `remove`.
    pub(super) fn put_back(&mut self, workload: usize) {
        self.move_usage(workload, false);
    }

    fn move_usage(&mut self, workload: usize, away: bool) {
        let known = &mut self.admitted[workload];
        debug_assert!(known.removed != away, "a workload is moved twice");
        known.removed = away;
        for (pair, amount) in &known.usage {
            self.tree.add(known.queue, *pair, if away { amount.saturating_neg() } else { *amount });
        }
    }

    pub(super) fn share(&self, node: NodeIndex) -> DominantShare {
        self.tree.dominant_share(node, &self.resources)
    }

    /// The shares of all cluster queues and cohorts as they are: cohorts first, each kind by name.
    #[must_use]
    pub fn shares(&self) -> Vec<NodeShare> {
        let mut shares: Vec<NodeShare> = (0..self.tree.nodes.len())
            .map(NodeIndex::at)
            .map(|at| {
                let (share, node) = (self.share(at), self.tree.node(at));
                let table = (0..node.in_table.len()).filter(|pair| node.in_table[*pair]);
                NodeShare {
                    name: node.name.clone(),
                    is_queue: self.queues[at].is_queue,
                    weighted: share.weighted(),
                    dominant_resource: share.resource.map(|known| self.resource_names[known].clone()),
                    within_quota: self.tree.within_nominal(at, &table.collect::<Vec<_>>()),
                }
            })
            .collect();
        shares.sort_by(|a, b| (a.is_queue, &a.name).cmp(&(b.is_queue, &b.name)));
        shares
    }

    /// How much of each resource, summed over flavors, a queue and its siblings could use in all: what the shares of
    /// what they borrow are parts of. Empty for a queue without cohort.
    #[must_use]
    pub fn lendable(&self, queue: &str) -> BTreeMap<String, i64> {
        let Some(parent) = self.queue(queue).and_then(|at| self.tree.node(at).parent) else {
            return BTreeMap::new();
        };
        let sum = |pairs: &Vec<Pair>| {
            let amounts = pairs.iter().map(|pair| self.tree.potential(parent, *pair));
            amounts.fold(0_i64, i64::saturating_add)
        };
        self.resource_names.iter().cloned().zip(self.resources.iter().map(sum)).collect()
    }

    /// Queues whose usage exceeds what they could ever use, with the flavor and the resource.
    #[must_use]
    pub fn overused(&self) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for queue in self.queue_nodes() {
            for (pair, (flavor, resource)) in self.pair_names.iter().enumerate() {
                if self.tree.usage(queue, pair) > self.tree.potential(queue, pair) {
                    found.push((self.tree.node(queue).name.clone(), flavor.clone(), resource.clone()));
                }
            }
        }
        found
    }
}
