//! Classical preemption: by priority and by quota, without shares.
//!
//! Walking up from the queue, once a subtree has quota enough for the workload, everything outside of it gives way
//! whether or not the queue then borrows; before that only to a queue that does not, or by priority. Every queue has its
//! workloads in order, so that of each only the next one is compared with those of others.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cluster::Cluster;
use super::spec::Reach;
use super::tree::{NodeIndex, Pair};
use super::victims::{Incoming, Rank, Reason, Victim};

/// Over whom a workload has an advantage, and by what, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Hierarchical,
    ByPriority,
    Own,
}

/// A queue that has candidates.
#[derive(Clone, Copy, Debug)]
struct Source {
    kind: Kind,
    queue: NodeIndex,
    /// The lowest cohort above both queues.
    above: NodeIndex,
    /// The position of the first candidate in the queue's order.
    first: usize,
}

/// The next candidate of a source: evicted ones come first; then those over whom the workload has the advantage of quota,
/// by priority, its own queue's.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    is_running: bool,
    kind: Kind,
    rank: Rank,
    source: usize,
    /// Its position in the queue's order.
    place: usize,
}

impl Cluster {
    pub(super) fn classical_targets(&mut self, incoming: &Incoming) -> Vec<Victim> {
        let forbidden = self.queues[incoming.queue].preemption.borrow_within_cohort.is_none();
        // It will have to borrow, so nobody is a candidate who may be taken only by those who do not.
        let must_borrow = forbidden && !self.is_under_nominal(incoming);
        let sources = self.sources(incoming, must_borrow);
        let is_none = |kind: Kind| sources.iter().all(|source| source.kind != kind);
        let attempts: &[bool] = if is_none(Kind::Hierarchical) && is_none(Kind::ByPriority) || must_borrow {
            &[true]
        } else if forbidden && is_none(Kind::Hierarchical) {
            &[false, true]
        } else {
            &[true, false]
        };
        let never_within = attempts.contains(&false) && !self.could_stay_within(incoming);
        for may_borrow in attempts.iter().copied().filter(|may_borrow| *may_borrow || !never_within) {
            let mut victims = Vec::new();
            let found = self.take(incoming, &sources, may_borrow, &mut victims);
            for victim in &victims {
                self.put_back(victim.workload);
            }
            if found {
                return victims;
            }
        }
        Vec::new()
    }

    /// Takes one after the other until the workload fits, and puts back whoever need not have gone; whether it fits.
    fn take(
        &mut self,
        incoming: &Incoming,
        sources: &[Source],
        may_borrow: bool,
        victims: &mut Vec<Victim>,
    ) -> bool {
        let first = |at: usize| self.next_of(incoming, sources, at, sources[at].first);
        let mut line: BinaryHeap<Reverse<Next>> = (0..sources.len()).filter_map(first).map(Reverse).collect();
        while let Some(Reverse(next)) = line.pop() {
            let source = &sources[next.source];
            if !self.gives(incoming, source) {
                // Nobody gets more while others go, so that it gives no more either.
                continue;
            }
            let workload = self.queues[source.queue].workloads[next.place];
            if let Some(reason) = self.reason(incoming, source.kind, workload, may_borrow) {
                self.remove(workload);
                victims.push(Victim { workload, reason });
                if self.fits(incoming, may_borrow) {
                    self.fill_back(incoming, victims, may_borrow);
                    return true;
                }
            }
            line.extend(self.next_of(incoming, sources, next.source, next.place + 1).map(Reverse));
        }
        false
    }

    /// The next candidate of a source that is not before `from` in its queue's order.
    fn next_of(&self, incoming: &Incoming, sources: &[Source], source: usize, from: usize) -> Option<Next> {
        let Source { kind, queue, .. } = sources[source];
        let place = self.next_candidate(incoming, queue, from)?;
        let known = &self.admitted[self.queues[queue].workloads[place]];
        Some(Next { is_running: !known.evicted, kind, rank: known.rank(), source, place })
    }

    /// The position in a queue's order of the first one, not before `from`, who may be taken.
    fn next_candidate(&self, incoming: &Incoming, queue: NodeIndex, from: usize) -> Option<usize> {
        let preemption = self.queues[incoming.queue].preemption;
        let is_own = queue == incoming.queue;
        let reach = if is_own { preemption.within_cluster_queue } else { preemption.reclaim_within_cohort };
        let may = |workload: usize| {
            reach.reaches(incoming, &self.admitted[workload]) && self.uses(workload, &incoming.contested)
        };
        if reach == Reach::Never { None } else { self.next_in(queue, from, may) }
    }

    /// Whether the queue would be within its quota with the workload, if all candidates of its own were gone. Those of other
    /// queues do not matter.
    fn could_stay_within(&self, incoming: &Incoming) -> bool {
        let next = |from: usize| self.next_candidate(incoming, incoming.queue, from);
        let own = core::iter::successors(next(0), |place| next(place + 1));
        let own: Vec<usize> = own.map(|place| self.queues[incoming.queue].workloads[place]).collect();
        incoming.requests.iter().all(|(pair, amount)| {
            let usage = own.iter().flat_map(|workload| &self.admitted[*workload].usage);
            let gone = usage.filter(|(known, _)| known == pair).map(|(_, amount)| *amount);
            let gone = gone.fold(0_i64, i64::saturating_add);
            !self.tree.would_borrow(incoming.queue, *pair, amount.saturating_sub(gone))
        })
    }

    fn is_under_nominal(&self, incoming: &Incoming) -> bool {
        let nominal = |pair: Pair| self.tree.node(incoming.queue).quota[pair];
        incoming.contested.iter().all(|pair| self.tree.usage(incoming.queue, *pair) < nominal(*pair))
    }

    /// Whether a queue, and all cohorts below the one that it shares with the workload's, still hold more than their quota.
    fn gives(&self, incoming: &Incoming, source: &Source) -> bool {
        if source.kind == Kind::Own {
            return true;
        }
        let below = self.tree.above(source.queue).take_while(|node| *node != source.above);
        let mut nodes = core::iter::once(source.queue).chain(below);
        nodes.all(|node| !self.tree.within_nominal(node, &incoming.contested))
    }

    /// The queues with candidates, by the cohort that they share with the workload's.
    fn sources(&self, incoming: &Incoming, must_borrow: bool) -> Vec<Source> {
        let mut found = Vec::new();
        let preemption = self.queues[incoming.queue].preemption;
        if let Some(first) = self.next_candidate(incoming, incoming.queue, 0) {
            found.push(Source { kind: Kind::Own, queue: incoming.queue, above: incoming.queue, first });
        }
        if preemption.reclaim_within_cohort == Reach::Never {
            return found;
        }
        let mut left = incoming.requests.clone();
        let mut advantage = self.fits_in_quota(incoming.queue, &mut left);
        let mut seen = incoming.queue;
        for cohort in self.tree.above(incoming.queue) {
            if advantage || !must_borrow {
                let kind = if advantage { Kind::Hierarchical } else { Kind::ByPriority };
                self.collect(incoming, (cohort, kind), cohort, seen, &mut found);
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

    /// Queues with candidates at a node below `above`, outside of the subtree that was seen already.
    fn collect(
        &self,
        incoming: &Incoming,
        (above, kind): (NodeIndex, Kind),
        at: NodeIndex,
        seen: NodeIndex,
        found: &mut Vec<Source>,
    ) {
        let node = self.tree.node(at);
        let exceeds = |child: &NodeIndex| !self.tree.within_nominal(*child, &incoming.contested);
        for child in node.cohorts.iter().copied().filter(|child| *child != seen).filter(exceeds) {
            self.collect(incoming, (above, kind), child, seen, found);
        }
        for queue in node.queues.iter().copied().filter(|queue| *queue != incoming.queue).filter(exceeds) {
            if let Some(first) = self.next_candidate(incoming, queue, 0) {
                found.push(Source { kind, queue, above, first });
            }
        }
    }

    /// Why a candidate may be taken, if it may.
    fn reason(&self, incoming: &Incoming, kind: Kind, workload: usize, may_borrow: bool) -> Option<Reason> {
        match kind {
            Kind::Own => return Some(Reason::InClusterQueue),
            Kind::Hierarchical => return Some(Reason::InCohortReclamation),
            Kind::ByPriority => {}
        }
        let candidate = &self.admitted[workload];
        let borrow = self.queues[incoming.queue].preemption.borrow_within_cohort;
        let while_borrowing = borrow.is_some_and(|borrow| {
            let below = borrow.max_priority_threshold.is_none_or(|most| candidate.priority <= most);
            below && candidate.priority < incoming.priority
        });
        match (while_borrowing, may_borrow) {
            (true, _) => Some(Reason::InCohortReclaimWhileBorrowing),
            (false, true) => None,
            (false, false) => Some(Reason::InCohortReclamation),
        }
    }
}
