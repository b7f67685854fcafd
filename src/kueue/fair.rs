//! Fair preemption: from the subtree with the largest share, as long as that makes shares fairer.

use super::cluster::Cluster;
use super::share::DominantShare;
use super::spec::Strategy;
use super::targets::{Candidates, Targets};
use super::tree::NodeIndex;
use super::victims::{Incoming, Reason, Victim};

impl Strategy {
    fn allows(self, preemptor: &DominantShare, before: &DominantShare, after: &DominantShare) -> bool {
        match self {
            Self::LessThanOrEqualToFinalShare => preemptor.compare(after).is_le(),
            Self::LessThanInitialShare => preemptor.compare(before).is_lt(),
        }
    }
}

/// The search as it stands.
struct Search<'a> {
    cluster: &'a mut Cluster,
    incoming: &'a Incoming,
    victims: Vec<Victim>,
}

impl Search<'_> {
    /// Takes a victim; whether the workload fits then.
    fn take(&mut self, workload: usize, reason: Reason, targets: &mut Targets<'_>) -> bool {
        self.cluster.remove(workload);
        targets.settle(self.cluster, self.cluster.admitted[workload].queue);
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

    fn first_strategy(&mut self, strategy: Strategy) -> bool {
        let mut targets = Targets::new(self.incoming.queue, Candidates::Of(self.incoming));
        let fits = self.take_while_allowed(strategy, &mut targets);
        targets.close(self.cluster);
        fits
    }

    fn take_while_allowed(&mut self, strategy: Strategy, targets: &mut Targets<'_>) -> bool {
        let own = self.incoming.queue;
        // What the preemptor's side holds, until somebody is taken.
        let mut held: Option<(NodeIndex, DominantShare)> = None;
        while let Some(queue) = targets.next(self.cluster) {
            let within = || self.cluster.tree.within_nominal(own, &self.incoming.contested);
            let reason = match queue {
                queue if queue == own => Some(Reason::InClusterQueue),
                _ if within() => Some(Reason::InCohortReclamation),
                _ => None,
            };
            if let Some(reason) = reason {
                let victim = targets.pop(self.cluster, queue);
                if victim.is_some_and(|workload| self.take(workload, reason, targets)) {
                    return true;
                }
                held = None;
                continue;
            }
            let (mine, its) = self.sides(queue);
            let preemptor = held.filter(|(side, _)| *side == mine).map(|(_, share)| share);
            let (preemptor, before) =
                (preemptor.unwrap_or_else(|| self.cluster.share(mine)), self.cluster.share(its));
            held = Some((mine, preemptor));
            if preemptor.compare(&before).is_gt() {
                targets.give_up(self.cluster, mine);
                continue;
            }
            let mut failed: Option<usize> = None;
            while let Some(workload) = targets.pop(self.cluster, queue) {
                let usage = |at: usize| &self.cluster.admitted[at].usage;
                if failed.is_some_and(|failed| usage(failed) == usage(workload)) {
                    continue;
                }
                self.cluster.remove(workload);
                let after = self.cluster.share(its);
                self.cluster.put_back(workload);
                if strategy.allows(&preemptor, &before, &after) {
                    if self.take(workload, Reason::InCohortFairSharing, targets) {
                        return true;
                    }
                    held = None;
                    break;
                }
                failed = Some(workload);
            }
        }
        false
    }

    /// Of those that are left in other queues, at most one of each queue.
    ///
    /// Those are the ones that failed before: the first strategy looks at everybody in queues that borrow, and who borrows
    /// nothing when it ends borrows nothing now.
    fn second_strategy(&mut self, strategy: Strategy) -> bool {
        let queue_of = |victim: &Victim| self.cluster.admitted[victim.workload].queue;
        let mut taken: Vec<NodeIndex> = self.victims.iter().map(queue_of).collect();
        // Each queue stands once among the targets, however many of it have gone.
        taken.sort_unstable();
        taken.dedup();
        let mut targets = Targets::new(self.incoming.queue, Candidates::Left(self.incoming, &taken));
        let fits = self.take_one_of_each(strategy, &mut targets);
        targets.close(self.cluster);
        fits
    }

    fn take_one_of_each(&mut self, strategy: Strategy, targets: &mut Targets<'_>) -> bool {
        while let Some(queue) = targets.next(self.cluster) {
            let (mine, its) = self.sides(queue);
            let (preemptor, before) = (self.cluster.share(mine), self.cluster.share(its));
            let victim = targets.pop(self.cluster, queue);
            targets.drop_queue(self.cluster, queue);
            if preemptor.compare(&before).is_gt() {
                targets.give_up(self.cluster, mine);
            }
            if strategy.allows(&preemptor, &before, &before) {
                let reason = Reason::InCohortFairSharing;
                if victim.is_some_and(|workload| self.take(workload, reason, targets)) {
                    return true;
                }
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
        let from: Vec<NodeIndex> = from.iter().filter_map(|name| self.queue(name)).collect();
        let mut cluster = self.clone();
        let mut targets = Targets::new(own, Candidates::All(&from));
        let mut found = Vec::new();
        while let Some(queue) = targets.next(&mut cluster) {
            targets.pop(&cluster, queue);
            targets.settle(&cluster, queue);
            found.push(self.tree.node(queue).name.clone());
        }
        found
    }

    /// Whether nobody can be preempted, since on every level the workload would make its side's share larger than that of
    /// any other side, and there is nobody of its own queue. The requests count as used.
    ///
    /// Shares of other sides are as after the last admission or release, since nothing but the workload itself counts in
    /// addition, so that what was noted for one head holds for the others.
    fn is_hopeless(&mut self, incoming: &Incoming) -> bool {
        let own = incoming.queue;
        if self.tree.within_nominal(own, &incoming.contested) {
            return false;
        }
        if Candidates::Of(incoming).first(self, own, 0).is_some() {
            return false;
        }
        let mut side = own;
        while let Some(cohort) = self.tree.node(side).parent {
            let share = self.share(side);
            let other = self.siblings(cohort).largest_beside(side);
            if other.is_some_and(|other| other.is_borrowing() && share.compare(other).is_le()) {
                return false;
            }
            side = cohort;
        }
        true
    }

    pub(super) fn fair_targets(&mut self, incoming: &Incoming) -> Vec<Victim> {
        let mut strategies = self.settings.strategies.iter().copied();
        let (first, second) = (strategies.next(), strategies.next());
        let Some(first) = first else { return Vec::new() };
        let mut above = self.tree.node(incoming.queue).parent;
        while let Some(cohort) = above {
            self.siblings(cohort);
            above = self.tree.node(cohort).parent;
        }
        self.add_requests(incoming, 1);
        let mut search = Search { cluster: &mut *self, incoming, victims: Vec::new() };
        let fits = !search.cluster.is_hopeless(incoming)
            && (search.first_strategy(first) || second.is_some_and(|second| search.second_strategy(second)));
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
}
