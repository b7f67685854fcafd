//! Classical preemption: by priority and by quota, without shares.
//!
//! Walking up from the queue, once a subtree has quota enough for the workload, everything outside of it gives way
//! whether or not the queue then borrows; before that only to a queue that does not, or by priority.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::spec::Reach;
use super::tree::{NodeIndex, Pair};
use super::victims::{Incoming, Reason, Victim};

/// How a candidate may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    WithinQueue,
    Hierarchical,
    WithoutBorrowing,
    WhileBorrowing,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    workload: usize,
    /// The lowest cohort above both queues.
    above: NodeIndex,
    variant: Variant,
}

/// Candidates by how they may be taken.
#[derive(Default)]
struct Candidates {
    hierarchical: Vec<Candidate>,
    by_priority: Vec<Candidate>,
    own: Vec<Candidate>,
}

impl Cluster {
    pub(super) fn classical_targets(&mut self, incoming: &Incoming) -> Vec<Victim> {
        let forbidden = self.queues[incoming.queue].preemption.borrow_within_cohort.is_none();
        // It will have to borrow, so nobody is a candidate who may be taken only by those who do not.
        let must_borrow = forbidden && !self.is_under_nominal(incoming);
        let candidates = self.candidates(incoming, must_borrow);
        let alone = candidates.hierarchical.is_empty() && candidates.by_priority.is_empty();
        let attempts: &[bool] = if alone || must_borrow {
            &[true]
        } else if forbidden && candidates.hierarchical.is_empty() {
            &[false, true]
        } else {
            &[true, false]
        };
        let never_within = attempts.contains(&false) && !self.could_stay_within(incoming, &candidates.own);
        let hopeful: Vec<bool> =
            attempts.iter().copied().filter(|may_borrow| *may_borrow || !never_within).collect();
        let ordered = self.in_order(incoming.queue, candidates);
        for may_borrow in &hopeful {
            let mut victims = Vec::new();
            let mut found = false;
            for candidate in &ordered {
                if !self.is_valid(incoming, candidate, *may_borrow) {
                    continue;
                }
                self.remove(candidate.workload);
                let reason = match candidate.variant {
                    Variant::WithinQueue => Reason::InClusterQueue,
                    Variant::Hierarchical | Variant::WithoutBorrowing => Reason::InCohortReclamation,
                    Variant::WhileBorrowing => Reason::InCohortReclaimWhileBorrowing,
                };
                victims.push(Victim { workload: candidate.workload, reason });
                if self.fits(incoming, *may_borrow) {
                    self.fill_back(incoming, &mut victims, *may_borrow);
                    found = true;
                    break;
                }
            }
            for victim in &victims {
                self.put_back(victim.workload);
            }
            if found {
                return victims;
            }
        }
        Vec::new()
    }

    /// Whether the queue would be within its quota with the workload, if all candidates of its own were gone. Those of other
    /// queues do not matter.
    fn could_stay_within(&self, incoming: &Incoming, own: &[Candidate]) -> bool {
        incoming.requests.iter().all(|(pair, amount)| {
            let usage = own.iter().flat_map(|candidate| &self.admitted[candidate.workload].usage);
            let gone = usage.filter(|(known, _)| known == pair).map(|(_, amount)| *amount);
            let gone = gone.fold(0_i64, i64::saturating_add);
            !self.tree.would_borrow(incoming.queue, *pair, amount.saturating_sub(gone))
        })
    }

    fn is_under_nominal(&self, incoming: &Incoming) -> bool {
        let nominal = |pair: Pair| self.tree.node(incoming.queue).quota[pair];
        incoming.contested.iter().all(|pair| self.tree.usage(incoming.queue, *pair) < nominal(*pair))
    }

    /// Evicted ones first; then those over whom the workload has the advantage of quota, by priority, its own queue's.
    fn in_order(&self, own: NodeIndex, candidates: Candidates) -> Vec<Candidate> {
        let mut ordered: Vec<(bool, usize, Candidate)> = Vec::new();
        let lists = [candidates.hierarchical, candidates.by_priority, candidates.own];
        for (kind, list) in lists.into_iter().enumerate() {
            let mut workloads: Vec<usize> = list.iter().map(|candidate| candidate.workload).collect();
            self.sort(own, &mut workloads);
            let known: BTreeMap<usize, Candidate> = list.into_iter().map(|c| (c.workload, c)).collect();
            let sorted = workloads.iter().filter_map(|workload| known.get(workload).copied());
            ordered.extend(sorted.map(|c| (!self.admitted[c.workload].evicted, kind, c)));
        }
        ordered.sort_by_key(|(running, kind, _)| (*running, *kind));
        ordered.into_iter().map(|(.., candidate)| candidate).collect()
    }

    /// Whether a candidate's queue, and all cohorts below the one that it shares, still hold more than their quota.
    fn is_valid(&self, incoming: &Incoming, candidate: &Candidate, may_borrow: bool) -> bool {
        if candidate.variant == Variant::WithinQueue {
            return true;
        }
        if may_borrow && candidate.variant == Variant::WithoutBorrowing {
            return false;
        }
        let queue = self.admitted[candidate.workload].queue;
        let below = self.tree.above(queue).take_while(|node| *node != candidate.above);
        let mut nodes = core::iter::once(queue).chain(below);
        nodes.all(|node| !self.tree.within_nominal(node, &incoming.contested))
    }

    fn candidates(&self, incoming: &Incoming, must_borrow: bool) -> Candidates {
        let mut found = Candidates::default();
        let preemption = self.queues[incoming.queue].preemption;
        for workload in self.workloads_of(incoming.queue) {
            let reaches = preemption.within_cluster_queue.reaches(incoming, &self.admitted[workload]);
            if reaches && self.uses(workload, &incoming.contested) {
                found.own.push(Candidate { workload, above: incoming.queue, variant: Variant::WithinQueue });
            }
        }
        if preemption.reclaim_within_cohort == Reach::Never {
            return found;
        }
        let mut left = incoming.requests.clone();
        let mut advantage = self.fits_in_quota(incoming.queue, &mut left);
        let mut seen = incoming.queue;
        for cohort in self.tree.above(incoming.queue) {
            if advantage || !must_borrow {
                let list = if advantage { &mut found.hierarchical } else { &mut found.by_priority };
                self.collect(incoming, cohort, cohort, seen, advantage, list);
            }
            advantage |= self.fits_in_quota(cohort, &mut left);
            seen = cohort;
        }
        found
    }

    /// Whether what is left of the request fits into the quota of a subtree; what the node has to itself is taken off it.
    fn fits_in_quota(&self, node: NodeIndex, left: &mut [(Pair, i64)]) -> bool {
        let mut fits = true;
        for (pair, amount) in left {
            fits &= !self.tree.would_borrow(node, *pair, *amount);
            *amount = amount.saturating_sub(self.tree.local(node, *pair)).max(0);
        }
        fits
    }

    /// Candidates below a cohort, outside of the subtree that was seen already.
    fn collect(
        &self,
        incoming: &Incoming,
        at: NodeIndex,
        above: NodeIndex,
        seen: NodeIndex,
        advantage: bool,
        found: &mut Vec<Candidate>,
    ) {
        let node = self.tree.node(at);
        let exceeds = |child: &NodeIndex| !self.tree.within_nominal(*child, &incoming.contested);
        for child in node.cohorts.iter().copied().filter(|child| *child != seen).filter(exceeds) {
            self.collect(incoming, child, above, seen, advantage, found);
        }
        for queue in node.queues.iter().copied().filter(|queue| *queue != incoming.queue).filter(exceeds) {
            for workload in self.workloads_of(queue) {
                if let Some(variant) = self.variant(incoming, workload, advantage) {
                    found.push(Candidate { workload, above, variant });
                }
            }
        }
    }

    /// How a workload of another queue may be taken, if it may.
    fn variant(&self, incoming: &Incoming, workload: usize, advantage: bool) -> Option<Variant> {
        let preemption = self.queues[incoming.queue].preemption;
        let candidate = &self.admitted[workload];
        let reaches = preemption.reclaim_within_cohort.reaches(incoming, candidate);
        if !reaches || !self.uses(workload, &incoming.contested) {
            return None;
        }
        if advantage {
            return Some(Variant::Hierarchical);
        }
        let may = preemption.borrow_within_cohort.is_some_and(|borrow| {
            let below = borrow.max_priority_threshold.is_none_or(|most| candidate.priority <= most);
            below && candidate.priority < incoming.priority
        });
        Some(if may { Variant::WhileBorrowing } else { Variant::WithoutBorrowing })
    }
}
