//! Victims: who may be preempted, and in which order they are looked at.

use core::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::cluster::{Admitted, Cluster};
use super::spec::{Pending, Reach};
use super::tree::{NodeIndex, Pair};

/// Why a workload is preempted, by Kueue's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// For one of its own queue.
    InClusterQueue,
    /// For quota that another queue lent.
    InCohortReclamation,
    /// For a fairer share.
    InCohortFairSharing,
    /// For a queue that borrows itself.
    InCohortReclaimWhileBorrowing,
}

impl Reason {
    /// The name that Kueue gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InClusterQueue => "InClusterQueue",
            Self::InCohortReclamation => "InCohortReclamation",
            Self::InCohortFairSharing => "InCohortFairSharing",
            Self::InCohortReclaimWhileBorrowing => "InCohortReclaimWhileBorrowing",
        }
    }
}

/// A workload that is preempted, by its position among the admitted ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Victim {
    /// Which.
    pub workload: usize,
    /// Why.
    pub reason: Reason,
}

/// The workload that needs quota.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) queue: NodeIndex,
    pub(super) priority: i32,
    pub(super) created_ms: i64,
    /// What it asks in the flavors that it was assigned.
    pub(super) requests: Vec<(Pair, i64)>,
    /// The pairs of which too little is available.
    pub(super) contested: Vec<Pair>,
}

impl Reach {
    pub(super) fn reaches(self, incoming: &Incoming, candidate: &Admitted) -> bool {
        match self {
            Self::Never => false,
            Self::LowerPriority => incoming.priority > candidate.priority,
            Self::LowerOrNewerEqualPriority => {
                incoming.priority > candidate.priority
                    || incoming.priority == candidate.priority && incoming.created_ms < candidate.created_ms
            }
            Self::Any => true,
        }
    }
}

/// `Less` is preempted first: those being evicted, those of other queues, then by usage of the local queue, priority, the
/// time of admission and the uid. An order of the workloads of one queue, and of those of different ones, but not of all
/// together where local queues have usage; see [`Cluster::sort`].
pub(super) fn compare(own: NodeIndex, a: &Admitted, b: &Admitted) -> Ordering {
    let by_queue = (!a.evicted, a.queue == own).cmp(&(!b.evicted, b.queue == own));
    // One that has none comes after those that have some.
    let usage = |workload: &Admitted| workload.local_usage.unwrap_or(f64::NEG_INFINITY);
    let by_local_usage = || {
        if a.queue == b.queue { usage(b).total_cmp(&usage(a)) } else { Ordering::Equal }
    };
    let rest = |w: &Admitted| (w.priority, Reverse(w.reserved_ms));
    by_queue.then_with(by_local_usage).then_with(|| rest(a).cmp(&rest(b))).then_with(|| a.uid.cmp(&b.uid))
}

/// What decides of workloads of different queues, both evicted or neither: priority, the time of admission and the uid.
pub(super) type Rank = (i32, Reverse<i64>, Arc<str>);

impl Admitted {
    pub(super) fn rank(&self) -> Rank {
        (self.priority, Reverse(self.reserved_ms), Arc::clone(&self.uid))
    }
}

/// The positions of admitted workloads in the order in which a queue's workload would preempt them, if it may.
#[must_use]
pub fn victim_order(cluster: &Cluster, queue: &str) -> Vec<usize> {
    let mut order = cluster.positions();
    if let Some(own) = cluster.queue(queue) {
        cluster.sort(own, &mut order);
    }
    order
}

impl Cluster {
    /// Whether a workload uses something of a contested pair.
    pub(super) fn uses(&self, workload: usize, contested: &[Pair]) -> bool {
        self.admitted[workload].usage.iter().any(|(pair, amount)| *amount > 0 && contested.contains(pair))
    }

    /// Puts workloads in the order in which they are preempted. Usage of local queues counts inside a cluster queue alone:
    /// each queue's workloads come in their own order, and of the first ones left in all queues always the one that comes
    /// before the others.
    pub(super) fn sort(&self, own: NodeIndex, candidates: &mut [usize]) {
        let known = |at: usize| &self.admitted[at];
        if candidates.iter().all(|at| known(*at).local_usage.is_none()) {
            candidates.sort_by(|a, b| compare(own, known(*a), known(*b)));
            return;
        }
        let queue_first = |a: usize, b: usize| {
            known(a).queue.cmp(&known(b).queue).then_with(|| compare(own, known(a), known(b)))
        };
        candidates.sort_by(|a, b| queue_first(*a, *b));
        let by_queue = candidates.chunk_by(|a, b| known(*a).queue == known(*b).queue);
        let mut left: Vec<Vec<usize>> = by_queue.map(|list| list.iter().rev().copied().collect()).collect();
        for place in candidates {
            let heads = left.iter_mut().filter(|list| !list.is_empty());
            let first = heads.min_by(|a, b| match (a.last(), b.last()) {
                (Some(a), Some(b)) => compare(own, known(*a), known(*b)),
                _ => Ordering::Equal,
            });
            *place = first.and_then(Vec::pop).unwrap_or(*place);
        }
    }

    /// Whether the workload fits now.
    pub(super) fn fits(&self, incoming: &Incoming, may_borrow: bool) -> bool {
        incoming.requests.iter().all(|(pair, amount)| {
            let borrows = !may_borrow && self.tree.would_borrow(incoming.queue, *pair, *amount);
            !borrows && *amount <= self.tree.available(incoming.queue, *pair).max(0)
        })
    }

    /// Searches for those who have to go so that the workload fits; nothing where nobody can.
    pub(super) fn search(&mut self, incoming: &Incoming) -> Vec<Victim> {
        if self.settings.fair_sharing {
            self.fair_targets(incoming)
        } else {
            self.classical_targets(incoming)
        }
    }

    /// Whom a workload would preempt that was assigned these amounts by flavor and resource, where too little is
    /// available of those marked; nothing where it does not fit even so. The cluster is as before afterwards.
    pub fn victims_of(&mut self, pending: &Pending, assigned: &[(&str, &str, i64, bool)]) -> Vec<Victim> {
        let Some(queue) = self.queue(&pending.queue) else { return Vec::new() };
        let mut incoming = Incoming {
            queue,
            priority: pending.priority,
            created_ms: pending.created_ms,
            requests: Vec::new(),
            contested: Vec::new(),
        };
        for (flavor, resource, amount, contested) in assigned {
            let Some(pair) = self.pairs.get(*flavor).and_then(|pairs| pairs.get(*resource)) else {
                return Vec::new();
            };
            incoming.requests.push((*pair, *amount));
            if *contested {
                incoming.contested.push(*pair);
            }
        }
        self.targets(&incoming)
    }

    /// Puts back whoever need not have gone, the last but one first.
    pub(super) fn fill_back(&mut self, incoming: &Incoming, victims: &mut Vec<Victim>, may_borrow: bool) {
        for at in (0..victims.len().saturating_sub(1)).rev() {
            self.put_back(victims[at].workload);
            if self.fits(incoming, may_borrow) {
                victims.remove(at);
            } else {
                self.remove(victims[at].workload);
            }
        }
    }
}
