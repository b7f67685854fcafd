//! Who gives way: classical and fair preemption, all lists made anew for every question.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{Reach, Strategy};

use super::{Incoming, Node, Oracle, Pair, Share, Victims};

/// The workload; 0 by the hierarchy, 1 by priority, 2 of the own queue; the lowest common cohort; the reason; whether it may
/// be taken only by who does not borrow.
type Candidate = (usize, u8, Node, &'static str, bool);

impl Oracle<'_> {
    pub(super) fn reaches(&self, reach: Reach, incoming: &Incoming, at: usize) -> bool {
        let candidate = &self.world.running[at];
        let lower = candidate.priority < incoming.priority;
        let newer = candidate.priority == incoming.priority && candidate.created_ms > incoming.created_ms;
        match reach {
            Reach::Never => false,
            Reach::LowerPriority => lower,
            Reach::LowerOrNewerEqualPriority => lower || newer,
            Reach::Any => true,
        }
    }

    pub(super) fn uses(&self, at: usize, contested: &BTreeSet<Pair>) -> bool {
        let mut usage = self.world.running[at].usage.iter();
        usage.any(|(flavor, resource, amount)| {
            *amount > 0 && contested.contains(&(flavor.clone(), resource.clone()))
        })
    }

    /// Who of two victims goes first.
    pub(super) fn victim_order(&self, own: &str, a: usize, b: usize) -> Ordering {
        let [first, second] = [a, b].map(|at| &self.world.running[at]);
        let by_usage = if first.queue == second.queue {
            second.local_usage.unwrap_or(0.0).total_cmp(&first.local_usage.unwrap_or(0.0))
        } else {
            Ordering::Equal
        };
        second
            .evicted
            .cmp(&first.evicted)
            .then((first.queue == own).cmp(&(second.queue == own)))
            .then(by_usage)
            .then(first.priority.cmp(&second.priority))
            .then(second.reserved_ms.cmp(&first.reserved_ms))
            .then(first.uid.cmp(&second.uid))
    }

    /// Of the first ones of all queues the first.
    pub(super) fn next_victim(&self, own: &str, among: &[usize]) -> usize {
        let firsts = self.world.queues.iter().filter_map(|queue| {
            let mine = among.iter().filter(|at| self.world.running[**at].queue == queue.name);
            mine.copied().min_by(|a, b| self.victim_order(own, *a, *b))
        });
        firsts.min_by(|a, b| self.victim_order(own, *a, *b)).unwrap()
    }

    pub(super) fn targets(&mut self, incoming: &Incoming) -> Victims {
        if self.world.settings.fair_sharing { self.fair(incoming) } else { self.classical(incoming) }
    }

    pub(super) fn fill_back(
        &mut self,
        incoming: &Incoming,
        mut victims: Victims,
        may_borrow: bool,
    ) -> Victims {
        for index in (0..victims.len().saturating_sub(1)).rev() {
            let at = victims[index].0;
            self.gone.remove(&at);
            if self.fits(incoming, may_borrow) {
                victims.remove(index);
            } else {
                self.gone.insert(at);
            }
        }
        for (at, _) in &victims {
            self.gone.remove(at);
        }
        victims
    }

    pub(super) fn classical(&mut self, incoming: &Incoming) -> Victims {
        let rules = self.queue(&incoming.queue).preemption;
        let own = Node::Queue(incoming.queue.clone());
        let candidates = self.in_order(incoming, self.candidates(incoming));
        let forbidden = rules.borrow_within_cohort.is_none();
        let under = incoming.contested.iter().all(|pair| self.usage(&own, pair) < self.subtree(&own, pair));
        let any = |kind: u8| candidates.iter().any(|candidate| candidate.1 == kind);
        let attempts = match (any(0), any(1)) {
            (false, false) => vec![true],
            _ if forbidden && !under => vec![true],
            (false, _) if forbidden => vec![false, true],
            _ => vec![true, false],
        };
        for may_borrow in attempts {
            let mut victims = Victims::new();
            for (at, kind, above, reason, only_without) in &candidates {
                let path = self.path(&Node::Queue(self.world.running[*at].queue.clone()));
                let mut below = path.iter().take_while(|node| *node != above);
                let valid = *kind == 2 || below.all(|node| !self.within(node, &incoming.contested));
                if !valid || may_borrow && *only_without {
                    continue;
                }
                self.gone.insert(*at);
                victims.push((*at, reason));
                if self.fits(incoming, may_borrow) {
                    return self.fill_back(incoming, victims, may_borrow);
                }
            }
            for (at, _) in victims {
                self.gone.remove(&at);
            }
        }
        Victims::new()
    }

    fn candidates(&self, incoming: &Incoming) -> Vec<Candidate> {
        let rules = self.queue(&incoming.queue).preemption;
        let own = Node::Queue(incoming.queue.clone());
        let mut candidates: Vec<Candidate> = Vec::new();
        let all: Vec<usize> = (0..self.world.running.len()).filter(|at| !self.gone.contains(at)).collect();
        let usable = |oracle: &Self, at: usize, reach: Reach| {
            oracle.reaches(reach, incoming, at) && oracle.uses(at, &incoming.contested)
        };
        for at in all.iter().copied().filter(|at| self.world.running[*at].queue == incoming.queue) {
            if usable(self, at, rules.within_cluster_queue) {
                candidates.push((at, 2, own.clone(), "InClusterQueue", false));
            }
        }
        let mut left = incoming.requests.clone();
        let mut advantage = self.quota_holds(&own, &mut left);
        let mut seen: BTreeSet<Node> = BTreeSet::from([own.clone()]);
        for cohort in self.path(&own).into_iter().skip(1) {
            for at in all.iter().copied() {
                let path = self.path(&Node::Queue(self.world.running[at].queue.clone()));
                let Some(depth) = path.iter().position(|node| *node == cohort) else { continue };
                let below = &path[..depth];
                let new = !below.iter().any(|node| seen.contains(node));
                let borrows = below.iter().all(|node| !self.within(node, &incoming.contested));
                if !new || !borrows || !usable(self, at, rules.reclaim_within_cohort) {
                    continue;
                }
                let priority = self.world.running[at].priority;
                let borrowing = rules.borrow_within_cohort.is_some_and(|rule| {
                    priority < incoming.priority
                        && rule.max_priority_threshold.is_none_or(|most| priority <= most)
                });
                candidates.push(match (advantage, borrowing) {
                    (true, _) => (at, 0, cohort.clone(), "InCohortReclamation", false),
                    (false, true) => (at, 1, cohort.clone(), "InCohortReclaimWhileBorrowing", false),
                    (false, false) => (at, 1, cohort.clone(), "InCohortReclamation", true),
                });
            }
            advantage |= self.quota_holds(&cohort, &mut left);
            seen.insert(cohort);
        }
        candidates
    }

    /// Evicted ones, then by kind; among those the first of all queues' first ones.
    fn in_order(&self, incoming: &Incoming, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        let mut ordered = Vec::new();
        while !candidates.is_empty() {
            let group = |candidate: &Candidate| (!self.world.running[candidate.0].evicted, candidate.1);
            let first = candidates.iter().map(group).min().unwrap();
            let here = candidates.iter().filter(|candidate| group(candidate) == first);
            let here: Vec<usize> = here.map(|candidate| candidate.0).collect();
            let next = self.next_victim(&incoming.queue, &here);
            let index = candidates.iter().position(|candidate| candidate.0 == next).unwrap();
            ordered.push(candidates.remove(index));
        }
        ordered
    }

    /// Whether a subtree's quota holds what is left of the request; its own idle part is taken off.
    pub(super) fn quota_holds(&self, node: &Node, left: &mut BTreeMap<Pair, i64>) -> bool {
        let holds =
            left.iter().all(|(pair, amount)| self.usage(node, pair) + amount <= self.subtree(node, pair));
        for (pair, amount) in left {
            let idle = (self.never_lent(node, pair) - self.usage(node, pair)).max(0);
            *amount = (*amount - idle).max(0);
        }
        holds
    }

    pub(super) fn fair(&mut self, incoming: &Incoming) -> Victims {
        let rules = self.queue(&incoming.queue).preemption;
        let own = Node::Queue(incoming.queue.clone());
        let candidate = |oracle: &Self, at: usize| {
            let queue = Node::Queue(oracle.world.running[at].queue.clone());
            if oracle.gone.contains(&at) || !oracle.uses(at, &incoming.contested) {
                return false;
            }
            if queue == own {
                return oracle.reaches(rules.within_cluster_queue, incoming, at);
            }
            oracle.root(&queue) == oracle.root(&own)
                && !oracle.within(&queue, &incoming.contested)
                && oracle.reaches(rules.reclaim_within_cohort, incoming, at)
        };
        let candidates: Vec<usize> =
            (0..self.world.running.len()).filter(|at| candidate(self, *at)).collect();
        self.charge(&incoming.queue, &incoming.requests, 1);
        let mut victims = Victims::new();
        let strategies = self.world.settings.strategies.clone();
        let mut retry = Vec::new();
        let mut fitted = self.first_strategy(strategies[0], incoming, candidates, &mut victims, &mut retry);
        if !fitted && strategies.len() > 1 {
            fitted = self.second_strategy(incoming, retry, &mut victims);
        }
        self.charge(&incoming.queue, &incoming.requests, -1);
        if fitted {
            return self.fill_back(incoming, victims, true);
        }
        for (at, _) in victims {
            self.gone.remove(&at);
        }
        Victims::new()
    }

    /// Takes a victim; whether the incoming one, which is charged, fits.
    pub(super) fn take(
        &mut self,
        incoming: &Incoming,
        at: usize,
        reason: &'static str,
        victims: &mut Victims,
    ) -> bool {
        self.gone.insert(at);
        victims.push((at, reason));
        self.charge(&incoming.queue, &incoming.requests, -1);
        let fits = self.fits(incoming, true);
        self.charge(&incoming.queue, &incoming.requests, 1);
        fits
    }

    /// The queue with candidates that is reached from the root by the highest shares.
    pub(super) fn target(
        &self,
        own: &Node,
        left: &BTreeMap<Node, Vec<usize>>,
        pruned: &mut BTreeSet<Node>,
    ) -> Option<Node> {
        let root = self.root(own);
        if root == *own {
            return left.get(own).filter(|list| !list.is_empty()).map(|_| own.clone());
        }
        let path = self.path(own);
        'again: while !pruned.contains(&root) {
            let mut at = root.clone();
            loop {
                let (mut queue, mut cohort): (Option<Node>, Option<Node>) = (None, None);
                for child in self.children(&at) {
                    if pruned.contains(&child) {
                        continue;
                    }
                    let share = self.share(&child);
                    let borrows = self.borrows(&child);
                    let has_some = left.get(&child).is_some_and(|list| !list.is_empty());
                    let is_queue = matches!(child, Node::Queue(_));
                    if !borrows && !path.contains(&child) || is_queue && !has_some {
                        pruned.insert(child);
                        continue;
                    }
                    let best = if is_queue { &mut queue } else { &mut cohort };
                    let better = best.as_ref().is_none_or(|best| {
                        let by_share = share.against(self.share(best));
                        let by_head = || {
                            let Node::Queue(name) = own else { return false };
                            is_queue && self.victim_order(name, left[&child][0], left[best][0]).is_lt()
                        };
                        by_share.is_gt() || by_share.is_eq() && by_head()
                    });
                    if better {
                        *best = Some(child);
                    }
                }
                match (cohort, queue) {
                    (None, None) => {
                        pruned.insert(at);
                        continue 'again;
                    }
                    (Some(cohort), Some(queue))
                        if self.share(&cohort).against(self.share(&queue)).is_lt() =>
                    {
                        return Some(queue);
                    }
                    (Some(cohort), _) => at = cohort,
                    (None, queue) => return queue,
                }
            }
        }
        None
    }

    pub(super) fn by_queue(&self, own: &str, candidates: Vec<usize>) -> BTreeMap<Node, Vec<usize>> {
        let mut lists: BTreeMap<Node, Vec<usize>> = BTreeMap::new();
        for at in candidates {
            lists.entry(Node::Queue(self.world.running[at].queue.clone())).or_default().push(at);
        }
        for list in lists.values_mut() {
            list.sort_by(|a, b| self.victim_order(own, *a, *b));
        }
        lists
    }

    /// The children of the lowest common cohort.
    pub(super) fn sides(&self, own: &Node, target: &Node) -> (Node, Node) {
        let (mine, its) = (self.path(own), self.path(target));
        let below = |path: &[Node], other: &[Node]| {
            path.iter().take_while(|node| !other.contains(node)).last().unwrap().clone()
        };
        (below(&mine, &its), below(&its, &mine))
    }

    pub(super) fn allows(strategy: Strategy, mine: Share, before: Share, after: Share) -> bool {
        match strategy {
            Strategy::LessThanOrEqualToFinalShare => mine.against(after).is_le(),
            Strategy::LessThanInitialShare => mine.against(before).is_lt(),
        }
    }

    pub(super) fn first_strategy(
        &mut self,
        strategy: Strategy,
        incoming: &Incoming,
        candidates: Vec<usize>,
        victims: &mut Victims,
        retry: &mut Vec<usize>,
    ) -> bool {
        let own = Node::Queue(incoming.queue.clone());
        let mut left = self.by_queue(&incoming.queue, candidates);
        let mut pruned = BTreeSet::new();
        while let Some(target) = self.target(&own, &left, &mut pruned) {
            let reason = if target == own {
                Some("InClusterQueue")
            } else {
                self.within(&own, &incoming.contested).then_some("InCohortReclamation")
            };
            if let Some(reason) = reason {
                let at = left.get_mut(&target).unwrap().remove(0);
                if self.take(incoming, at, reason, victims) {
                    return true;
                }
                continue;
            }
            let (mine, its) = self.sides(&own, &target);
            while !left[&target].is_empty() {
                let at = left.get_mut(&target).unwrap().remove(0);
                let (preemptor, before) = (self.share(&mine), self.share(&its));
                self.gone.insert(at);
                let after = self.share(&its);
                self.gone.remove(&at);
                if Self::allows(strategy, preemptor, before, after) {
                    if self.take(incoming, at, "InCohortFairSharing", victims) {
                        return true;
                    }
                    break;
                }
                retry.push(at);
            }
        }
        false
    }

    pub(super) fn second_strategy(
        &mut self,
        incoming: &Incoming,
        retry: Vec<usize>,
        victims: &mut Victims,
    ) -> bool {
        let own = Node::Queue(incoming.queue.clone());
        let mut left = self.by_queue(&incoming.queue, retry);
        let mut pruned = BTreeSet::new();
        while let Some(target) = self.target(&own, &left, &mut pruned) {
            let (mine, its) = self.sides(&own, &target);
            let list = std::mem::take(left.get_mut(&target).unwrap());
            let less = self.share(&mine).against(self.share(&its)).is_lt();
            if less && self.take(incoming, list[0], "InCohortFairSharing", victims) {
                return true;
            }
        }
        false
    }
}
