//! Fair preemption: from the subtree with the largest share, as long as that makes shares fairer.

use core::cmp::Ordering;

use super::cluster::Cluster;
use super::share::DominantShare;
use super::spec::{Reach, Strategy};
use super::tree::NodeIndex;
use super::victims::{Incoming, Reason, Victim, compare};
use crate::id::Id as _;

/// The queues from which to take victims, the one with the largest share first, as shares are at each call.
pub(super) struct Targets {
    own: NodeIndex,
    root: NodeIndex,
    /// Candidates of each queue, the next one last; sorted once the queue is looked at.
    lists: Vec<(bool, Vec<usize>)>,
    pruned: Vec<bool>,
}

impl Targets {
    pub(super) fn new(cluster: &Cluster, own: NodeIndex, candidates: &[usize]) -> Self {
        let nodes = cluster.tree.nodes.len();
        let mut lists: Vec<(bool, Vec<usize>)> = vec![(false, Vec::new()); nodes];
        for workload in candidates {
            lists[cluster.admitted[*workload].queue.index()].1.push(*workload);
        }
        Self { own, root: cluster.tree.root(own), lists, pruned: vec![false; nodes] }
    }

    fn has_some(&self, queue: NodeIndex) -> bool {
        !self.lists[queue.index()].1.is_empty()
    }

    /// The next queue.
    pub(super) fn next(&mut self, cluster: &Cluster) -> Option<NodeIndex> {
        if self.own == self.root {
            return self.has_some(self.own).then_some(self.own);
        }
        while !self.pruned[self.root.index()] {
            if let Some(queue) = self.descend(cluster, self.root) {
                return Some(queue);
            }
        }
        None
    }

    fn descend(&mut self, cluster: &Cluster, at: NodeIndex) -> Option<NodeIndex> {
        let mut queue: Option<(DominantShare, NodeIndex)> = None;
        for child in cluster.tree.node(at).queues.iter().copied() {
            if self.pruned[child.index()] {
                continue;
            }
            let share = cluster.share(child);
            let idle = !share.is_borrowing() && child != self.own;
            if idle || !self.has_some(child) {
                self.pruned[child.index()] = true;
                continue;
            }
            let precedes = match queue {
                None => true,
                Some((best, known)) => match share.compare(&best) {
                    Ordering::Equal => match (self.head(cluster, child), self.head(cluster, known)) {
                        (Some(first), Some(its)) => {
                            compare(self.own, &cluster.admitted[first], &cluster.admitted[its]).is_lt()
                        }
                        (_, None) => true,
                        (None, _) => false,
                    },
                    order => order.is_gt(),
                },
            };
            if precedes {
                queue = Some((share, child));
            }
        }
        let mut cohort: Option<(DominantShare, NodeIndex)> = None;
        for child in cluster.tree.node(at).cohorts.iter().copied() {
            if self.pruned[child.index()] {
                continue;
            }
            let share = cluster.share(child);
            if !share.is_borrowing() && !cluster.tree.above(self.own).any(|above| above == child) {
                self.pruned[child.index()] = true;
            } else if cohort.is_none_or(|(best, _)| share.compare(&best).is_gt()) {
                cohort = Some((share, child));
            }
        }
        match (cohort, queue) {
            // Of equals the cohort, in which somebody may hold still more.
            (Some((share, child)), best) if best.is_none_or(|(best, _)| share.compare(&best).is_ge()) => {
                self.descend(cluster, child)
            }
            (_, Some((_, queue))) => Some(queue),
            _ => {
                self.pruned[at.index()] = true;
                None
            }
        }
    }

    /// The next candidate of a queue, who stays.
    fn head(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<usize> {
        let (sorted, list) = self.lists.get_mut(queue.index())?;
        if !*sorted {
            cluster.sort(self.own, list);
            list.reverse();
            *sorted = true;
        }
        list.last().copied()
    }

    /// The next candidate of a queue.
    pub(super) fn pop(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<usize> {
        self.head(cluster, queue)?;
        self.lists.get_mut(queue.index())?.1.pop()
    }

    /// All candidates of a queue.
    fn drain(&mut self, queue: NodeIndex) -> Vec<usize> {
        core::mem::take(&mut self.lists[queue.index()].1)
    }

    /// No more of this queue.
    pub(super) fn drop_queue(&mut self, queue: NodeIndex) {
        self.lists[queue.index()].1.clear();
    }
}

impl Strategy {
    fn allows(self, preemptor: &DominantShare, before: &DominantShare, after: &DominantShare) -> bool {
        match self {
            Self::LessThanOrEqualToFinalShare => preemptor.compare(after).is_le(),
            Self::LessThanInitialShare => preemptor.compare(before).is_lt(),
        }
    }
}

/// The child of a cohort with the largest share, and the largest share of the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    first: (NodeIndex, DominantShare),
    second: Option<DominantShare>,
}

/// The search as it stands.
struct Search<'a> {
    cluster: &'a mut Cluster,
    incoming: &'a Incoming,
    victims: Vec<Victim>,
}

impl Search<'_> {
    /// Takes a victim; whether the workload fits then.
    fn take(&mut self, workload: usize, reason: Reason) -> bool {
        self.cluster.remove(workload);
        self.victims.push(Victim { workload, reason });
        self.cluster.add_requests(self.incoming, -1);
        let fits = self.cluster.fits(self.incoming, true);
        self.cluster.add_requests(self.incoming, 1);
        fits
    }

    /// The children of the lowest cohort above both queues.
    fn sides(&self, queue: NodeIndex) -> (NodeIndex, NodeIndex) {
        let tree = &self.cluster.tree;
        let below = |from: NodeIndex, other: NodeIndex| {
            let mut side = from;
            for node in tree.above(from) {
                if tree.above(other).any(|its| its == node) {
                    break;
                }
                side = node;
            }
            side
        };
        let own = self.incoming.queue;
        (below(own, queue), below(queue, own))
    }

    fn first_strategy(&mut self, strategy: Strategy, candidates: &[usize]) -> (bool, Vec<usize>) {
        let own = self.incoming.queue;
        let mut retry = Vec::new();
        let mut targets = Targets::new(self.cluster, own, candidates);
        while let Some(queue) = targets.next(self.cluster) {
            let within = || self.cluster.tree.within_nominal(own, &self.incoming.contested);
            let reason = match queue {
                queue if queue == own => Some(Reason::InClusterQueue),
                _ if within() => Some(Reason::InCohortReclamation),
                _ => None,
            };
            if let Some(reason) = reason {
                if targets.pop(self.cluster, queue).is_some_and(|workload| self.take(workload, reason)) {
                    return (true, retry);
                }
                continue;
            }
            let (mine, its) = self.sides(queue);
            let (preemptor, before) = (self.cluster.share(mine), self.cluster.share(its));
            if preemptor.compare(&before).is_gt() {
                // No strategy allows anybody, for without a victim its side has no more than before.
                retry.extend(targets.drain(queue));
                continue;
            }
            while let Some(workload) = targets.pop(self.cluster, queue) {
                self.cluster.remove(workload);
                let after = self.cluster.share(its);
                self.cluster.put_back(workload);
                if strategy.allows(&preemptor, &before, &after) {
                    if self.take(workload, Reason::InCohortFairSharing) {
                        return (true, retry);
                    }
                    break;
                }
                retry.push(workload);
            }
        }
        (false, retry)
    }

    /// At most one victim of each queue.
    fn second_strategy(&mut self, strategy: Strategy, retry: &[usize]) -> bool {
        let own = self.incoming.queue;
        let mut targets = Targets::new(self.cluster, own, retry);
        while let Some(queue) = targets.next(self.cluster) {
            let (mine, its) = self.sides(queue);
            let (preemptor, before) = (self.cluster.share(mine), self.cluster.share(its));
            if strategy.allows(&preemptor, &before, &before)
                && targets
                    .pop(self.cluster, queue)
                    .is_some_and(|workload| self.take(workload, Reason::InCohortFairSharing))
            {
                return true;
            }
            targets.drop_queue(queue);
        }
        false
    }
}

impl Cluster {
    /// The queues from which fair preemption would take all workloads of some queues one by one, as shares are now, for a
    /// workload of the queue `own`.
    #[must_use]
    pub fn queues_by_share(&self, own: &str, from: &[&str]) -> Vec<String> {
        let Some(own) = self.queue(own) else { return Vec::new() };
        let candidates: Vec<usize> = from
            .iter()
            .filter_map(|name| self.queue(name))
            .flat_map(|queue| self.workloads_of(queue))
            .collect();
        let mut targets = Targets::new(self, own, &candidates);
        let mut found = Vec::new();
        while let Some(queue) = targets.next(self) {
            targets.pop(self, queue);
            found.push(self.tree.node(queue).name.clone());
        }
        found
    }

    /// The largest shares among the children of each cohort, for as long as nothing is admitted or removed for good.
    pub(super) fn note_peaks(&mut self) {
        let mut peaks: Vec<Option<Peak>> = vec![None; self.tree.nodes.len()];
        for at in (0..self.tree.nodes.len()).map(NodeIndex::at) {
            let node = self.tree.node(at);
            let mut shares: Vec<(NodeIndex, DominantShare)> =
                node.cohorts.iter().chain(&node.queues).map(|child| (*child, self.share(*child))).collect();
            shares.sort_by(|a, b| b.1.compare(&a.1));
            let first = shares.first().copied();
            peaks[at.index()] =
                first.map(|first| Peak { first, second: shares.get(1).map(|(_, share)| *share) });
        }
        self.peaks = peaks;
    }

    /// Whether nobody can be preempted, since on every level the workload would make its side's share larger than that of
    /// any other side, and there is nobody of its own queue. The requests count as used.
    fn is_hopeless(&self, incoming: &Incoming) -> bool {
        let own = incoming.queue;
        if self.peaks.is_empty() || self.tree.within_nominal(own, &incoming.contested) {
            return false;
        }
        let within = self.queues[own].preemption.within_cluster_queue;
        let may = |workload: usize| {
            within.reaches(incoming, &self.admitted[workload]) && self.uses(workload, &incoming.contested)
        };
        if self.workloads_of(own).any(may) {
            return false;
        }
        let mut side = own;
        for cohort in self.tree.above(own) {
            let Some(peak) = &self.peaks[cohort.index()] else { return false };
            let other = if peak.first.0 == side { peak.second } else { Some(peak.first.1) };
            if other.is_some_and(|other| other.is_borrowing() && self.share(side).compare(&other).is_le()) {
                return false;
            }
            side = cohort;
        }
        true
    }

    pub(super) fn fair_targets(&mut self, incoming: &Incoming) -> Vec<Victim> {
        if !self.peaks.is_empty() {
            self.add_requests(incoming, 1);
            let hopeless = self.is_hopeless(incoming);
            self.add_requests(incoming, -1);
            if hopeless {
                return Vec::new();
            }
        }
        let candidates = self.fair_candidates(incoming);
        if candidates.is_empty() {
            return Vec::new();
        }
        let strategies = self.settings.strategies.clone();
        self.add_requests(incoming, 1);
        let mut search = Search { cluster: &mut *self, incoming, victims: Vec::new() };
        let (mut fits, mut retry) = (false, Vec::new());
        if let Some(first) = strategies.first() {
            (fits, retry) = search.first_strategy(*first, &candidates);
        }
        if let (false, Some(second)) = (fits, strategies.get(1)) {
            fits = search.second_strategy(*second, &retry);
        }
        let mut victims = search.victims;
        self.add_requests(incoming, -1);
        if fits {
            self.fill_back(incoming, &mut victims, true);
        }
        for victim in &victims {
            self.put_back(victim.workload);
        }
        if fits { victims } else { Vec::new() }
    }

    /// Adds what the workload asks to its queue, or takes it away.
    fn add_requests(&mut self, incoming: &Incoming, sign: i64) {
        for (pair, amount) in &incoming.requests {
            self.tree.add(incoming.queue, *pair, sign.saturating_mul(*amount));
        }
    }

    /// Those of the own queue that may be preempted, and those of others that borrow what is contested.
    fn fair_candidates(&self, incoming: &Incoming) -> Vec<usize> {
        let preemption = self.queues[incoming.queue].preemption;
        let root = self.tree.root(incoming.queue);
        let mut found = Vec::new();
        for queue in self.queue_nodes() {
            let own = queue == incoming.queue;
            let borrows =
                || !self.tree.within_nominal(queue, &incoming.contested) && self.tree.root(queue) == root;
            let reach = if own { preemption.within_cluster_queue } else { preemption.reclaim_within_cohort };
            if reach == Reach::Never || !own && !borrows() {
                continue;
            }
            let may = |workload: &usize| {
                reach.reaches(incoming, &self.admitted[*workload])
                    && self.uses(*workload, &incoming.contested)
            };
            found.extend(self.workloads_of(queue).filter(may));
        }
        found
    }
}
