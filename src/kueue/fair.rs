//! Fair preemption: from the subtree with the largest share, as long as that makes shares fairer.

use core::cmp::Ordering;
use std::collections::BTreeMap;

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
    /// Candidates of each queue that has some, the next one last; sorted once the queue is looked at.
    lists: BTreeMap<NodeIndex, (bool, Vec<usize>)>,
    /// Of the cohorts that were looked at.
    open: BTreeMap<NodeIndex, Open>,
}

/// The children of a cohort among whom victims may be, by name, with their shares.
struct Open {
    queues: Vec<(NodeIndex, DominantShare)>,
    cohorts: Vec<(NodeIndex, DominantShare)>,
}

impl Targets {
    pub(super) fn new(cluster: &Cluster, own: NodeIndex, candidates: &[usize]) -> Self {
        let mut lists: BTreeMap<NodeIndex, (bool, Vec<usize>)> = BTreeMap::new();
        for workload in candidates {
            lists.entry(cluster.admitted[*workload].queue).or_default().1.push(*workload);
        }
        Self { own, root: cluster.tree.root(own), lists, open: BTreeMap::new() }
    }

    /// The next queue.
    pub(super) fn next(&mut self, cluster: &Cluster) -> Option<NodeIndex> {
        if self.own == self.root {
            return self.lists.contains_key(&self.own).then_some(self.own);
        }
        self.descend(cluster, self.root)
    }

    fn descend(&mut self, cluster: &Cluster, at: NodeIndex) -> Option<NodeIndex> {
        let mut open = self.open.remove(&at).unwrap_or_else(|| self.unfold(cluster, at));
        let found = loop {
            let queue = self.largest_queue(cluster, &mut open.queues);
            open.cohorts.retain(|(child, share)| {
                share.is_borrowing() || cluster.tree.above(self.own).any(|above| above == *child)
            });
            let mut cohort: Option<(NodeIndex, DominantShare)> = None;
            for (child, share) in &open.cohorts {
                if cohort.is_none_or(|(_, best)| share.compare(&best).is_gt()) {
                    cohort = Some((*child, *share));
                }
            }
            // Of equals the cohort, in which somebody may hold still more.
            let cohort =
                cohort.filter(|(_, share)| queue.is_none_or(|(_, best)| share.compare(&best).is_ge()));
            let Some((child, _)) = cohort else { break queue.map(|(queue, _)| queue) };
            if let Some(queue) = self.descend(cluster, child) {
                break Some(queue);
            }
            open.cohorts.retain(|(known, _)| *known != child);
        };
        self.open.insert(at, open);
        found
    }

    fn unfold(&self, cluster: &Cluster, at: NodeIndex) -> Open {
        let node = cluster.tree.node(at);
        let with_share = |child: &NodeIndex| (*child, cluster.share(*child));
        let queues = node.queues.iter().filter(|child| self.lists.contains_key(*child));
        Open {
            queues: queues.map(with_share).collect(),
            cohorts: node.cohorts.iter().map(with_share).collect(),
        }
    }

    /// Of those that still have candidates.
    fn largest_queue(
        &mut self,
        cluster: &Cluster,
        queues: &mut Vec<(NodeIndex, DominantShare)>,
    ) -> Option<(NodeIndex, DominantShare)> {
        queues.retain(|(child, share)| {
            (share.is_borrowing() || *child == self.own) && self.lists.contains_key(child)
        });
        let mut best: Option<(NodeIndex, DominantShare)> = None;
        for (child, share) in queues.iter().copied() {
            let precedes = match best {
                None => true,
                Some((known, largest)) => match share.compare(&largest) {
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
                best = Some((child, share));
            }
        }
        best
    }

    /// A workload of a queue has been taken, so that the queue and what is above it have other shares.
    fn note_taken(&mut self, cluster: &Cluster, queue: NodeIndex) {
        let mut at = queue;
        for parent in cluster.tree.above(queue) {
            if let Some(open) = self.open.get_mut(&parent) {
                let mut sides = open.queues.iter_mut().chain(&mut open.cohorts);
                if let Some((_, share)) = sides.find(|(child, _)| *child == at) {
                    *share = cluster.share(at);
                }
            }
            at = parent;
        }
    }

    /// The next candidate of a queue, who stays.
    fn head(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<usize> {
        let (sorted, list) = self.lists.get_mut(&queue)?;
        if !*sorted {
            cluster.sort(self.own, list);
            list.reverse();
            *sorted = true;
        }
        list.last().copied()
    }

    /// The next candidate of a queue.
    pub(super) fn pop(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<usize> {
        let head = self.head(cluster, queue)?;
        let (_, list) = self.lists.get_mut(&queue)?;
        list.pop();
        if list.is_empty() {
            self.lists.remove(&queue);
        }
        Some(head)
    }

    /// No more of this queue.
    fn drop_queue(&mut self, queue: NodeIndex) {
        self.lists.remove(&queue);
    }

    /// All candidates beside a child of a cohort that has a larger share than the largest of the others: no strategy allows
    /// any of them, for without a victim a side has no more than before. Below the child nobody is left, or somebody there
    /// would come first.
    fn give_up(&mut self, cluster: &Cluster, child: NodeIndex) -> Vec<usize> {
        let cohort = cluster.tree.node(child).parent;
        let mut given_up = Vec::new();
        self.lists.retain(|queue, (_, list)| {
            let stays = !cluster.tree.above(*queue).any(|above| Some(above) == cohort);
            if !stays {
                given_up.append(list);
            }
            stays
        });
        given_up
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
    fn take(&mut self, workload: usize, reason: Reason, targets: &mut Targets) -> bool {
        self.cluster.remove(workload);
        targets.note_taken(self.cluster, self.cluster.admitted[workload].queue);
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
                let victim = targets.pop(self.cluster, queue);
                if victim.is_some_and(|workload| self.take(workload, reason, &mut targets)) {
                    return (true, retry);
                }
                continue;
            }
            let (mine, its) = self.sides(queue);
            let (preemptor, before) = (self.cluster.share(mine), self.cluster.share(its));
            if preemptor.compare(&before).is_gt() {
                retry.extend(targets.give_up(self.cluster, mine));
                continue;
            }
            while let Some(workload) = targets.pop(self.cluster, queue) {
                self.cluster.remove(workload);
                let after = self.cluster.share(its);
                self.cluster.put_back(workload);
                if strategy.allows(&preemptor, &before, &after) {
                    if self.take(workload, Reason::InCohortFairSharing, &mut targets) {
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
            if strategy.allows(&preemptor, &before, &before) {
                let victim = targets.pop(self.cluster, queue);
                let reason = Reason::InCohortFairSharing;
                if victim.is_some_and(|workload| self.take(workload, reason, &mut targets)) {
                    return true;
                }
            }
            if preemptor.compare(&before).is_gt() {
                targets.give_up(self.cluster, mine);
            } else {
                targets.drop_queue(queue);
            }
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

    /// The largest shares among the children of a cohort, as of the last admission or release.
    ///
    /// Shares at a level are compared while nothing but the workload itself counts in addition, so that what was noted for
    /// one head holds for the others.
    fn note_peak(&mut self, cohort: NodeIndex) {
        if self.peaks[cohort.index()].is_some() {
            return;
        }
        let node = self.tree.node(cohort);
        let mut peak: Option<Peak> = None;
        for child in node.cohorts.iter().chain(&node.queues).copied() {
            let share = self.share(child);
            let exceeds = |known: &DominantShare| share.compare(known).is_gt();
            peak = Some(match peak {
                None => Peak { first: (child, share), second: None },
                Some(Peak { first, .. }) if exceeds(&first.1) => {
                    Peak { first: (child, share), second: Some(first.1) }
                }
                Some(Peak { first, second }) if second.as_ref().is_none_or(exceeds) => {
                    Peak { first, second: Some(share) }
                }
                Some(peak) => peak,
            });
        }
        self.peaks[cohort.index()] = peak;
    }

    /// Shares below the cohorts above a queue have changed for good.
    pub(super) fn forget_peaks(&mut self, queue: NodeIndex) {
        let mut above = self.tree.node(queue).parent;
        while let Some(cohort) = above {
            self.peaks[cohort.index()] = None;
            above = self.tree.node(cohort).parent;
        }
    }

    /// Whether nobody can be preempted, since on every level the workload would make its side's share larger than that of
    /// any other side, and there is nobody of its own queue. The requests count as used.
    fn is_hopeless(&self, incoming: &Incoming) -> bool {
        let own = incoming.queue;
        if self.tree.within_nominal(own, &incoming.contested) {
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
        if self.nominates {
            let mut above = self.tree.node(incoming.queue).parent;
            while let Some(cohort) = above {
                self.note_peak(cohort);
                above = self.tree.node(cohort).parent;
            }
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
        let mut found = Vec::new();
        self.collect_of(incoming.queue, incoming, preemption.within_cluster_queue, &mut found);
        if preemption.reclaim_within_cohort != Reach::Never {
            let above: Vec<NodeIndex> = self.tree.above(incoming.queue).collect();
            for cohort in above.iter().copied() {
                self.collect_fair(cohort, &above, incoming, preemption.reclaim_within_cohort, &mut found);
            }
        }
        found
    }

    /// Candidates below a cohort, outside of the subtrees in `path`, which are looked at by themselves. From a subtree that
    /// borrows nothing nobody is taken, and it never comes to borrow while others are.
    fn collect_fair(
        &self,
        cohort: NodeIndex,
        path: &[NodeIndex],
        incoming: &Incoming,
        reach: Reach,
        found: &mut Vec<usize>,
    ) {
        let node = self.tree.node(cohort);
        for child in node.cohorts.iter().copied() {
            if !path.contains(&child) && self.share(child).is_borrowing() {
                self.collect_fair(child, path, incoming, reach, found);
            }
        }
        for queue in node.queues.iter().copied() {
            if queue != incoming.queue && !self.tree.within_nominal(queue, &incoming.contested) {
                self.collect_of(queue, incoming, reach, found);
            }
        }
    }

    fn collect_of(&self, queue: NodeIndex, incoming: &Incoming, reach: Reach, found: &mut Vec<usize>) {
        let may = |workload: &usize| {
            reach.reaches(incoming, &self.admitted[*workload]) && self.uses(*workload, &incoming.contested)
        };
        if reach != Reach::Never {
            found.extend(self.workloads_of(queue).filter(may));
        }
    }
}
