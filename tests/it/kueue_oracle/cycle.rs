//! Flavors, fewer pods, the order of heads, and what becomes of each.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{Fungibility, Pending, Preference, Reach, ResourceGroup, Search};

use super::{Assigned, Decided, Grade, Incoming, Node, Oracle, Pair, Share, Victims};

/// How well a flavor fits, its name, and the parts: what, how much, how well.
type Try = ((Grade, usize), String, Vec<(Pair, i64, (Grade, usize))>);

impl Oracle<'_> {
    /// The height of the lowest subtree that holds so much more, and whether it is below another.
    pub(super) fn level(&self, queue: &Node, pair: &Pair, amount: i64) -> (usize, bool) {
        let path = self.path(queue);
        let mut left = amount;
        for node in &path {
            if self.usage(node, pair) + left <= self.subtree(node, pair) || path.len() == 1 {
                return (self.height(node), self.parent(node).is_some());
            }
            left -= (self.never_lent(node, pair) - self.usage(node, pair)).max(0);
        }
        (self.height(path.last().unwrap()), false)
    }

    pub(super) fn rate(&mut self, pending: &Pending, pair: &Pair, amount: i64) -> (Grade, usize) {
        let queue = Node::Queue(pending.queue.clone());
        if !self.pairs().contains(pair) || amount > self.potential(&queue, pair) {
            return (Grade::NoFit, usize::MAX);
        }
        let (level, below) = self.level(&queue, pair, amount);
        if amount <= self.available(&queue, pair).max(0) {
            return (Grade::Fit, level);
        }
        let rules = self.queue(&pending.queue).preemption;
        let nominal = self.quota(&queue, pair).map_or(0, |quota| quota.nominal);
        let fair = self.world.settings.fair_sharing && rules.reclaim_within_cohort != Reach::Never;
        if !(nominal >= amount || below || rules.borrow_within_cohort.is_some() || fair) {
            return (Grade::NoFit, usize::MAX);
        }
        let incoming = Incoming {
            queue: pending.queue.clone(),
            priority: pending.priority,
            created_ms: pending.created_ms,
            requests: BTreeMap::from([(pair.clone(), amount)]),
            contested: BTreeSet::from([pair.clone()]),
        };
        let victims = self.targets(&incoming);
        if victims.is_empty() {
            return (Grade::NoCandidates, level);
        }
        self.gone.extend(victims.iter().map(|(at, _)| *at));
        let (level, _) = self.level(&queue, pair, amount);
        for (at, _) in &victims {
            self.gone.remove(at);
        }
        let own = victims.iter().any(|(at, _)| self.world.running[*at].queue == pending.queue);
        (if own { Grade::Preempt } else { Grade::Reclaim }, level)
    }

    /// Whether the first rating is preferred to the second.
    pub(super) fn better(rules: Fungibility, a: (Grade, usize), b: (Grade, usize)) -> bool {
        let class = |rating: (Grade, usize)| rating.0.min(Grade::Preempt);
        let order = class(a).cmp(&class(b)).then_with(|| match rules.preference {
            _ if a.0 == Grade::NoFit => Ordering::Equal,
            Preference::BorrowingOverPreemption => (a.0, Reverse(a.1)).cmp(&(b.0, Reverse(b.1))),
            Preference::PreemptionOverBorrowing => (Reverse(a.1), a.0).cmp(&(Reverse(b.1), b.0)),
        });
        order.is_gt()
    }

    pub(super) fn is_enough(rules: Fungibility, (grade, level): (Grade, usize)) -> bool {
        let borrowing = level == 0 || rules.when_can_borrow == Search::MayStop;
        match grade {
            Grade::NoFit | Grade::NoCandidates => false,
            Grade::Preempt | Grade::Reclaim => borrowing && rules.when_can_preempt == Search::MayStop,
            Grade::Fit => borrowing,
        }
    }

    fn best_flavor(
        &mut self,
        pending: &Pending,
        assigned: &Assigned,
        group: &ResourceGroup,
        asked: &[(&String, i64)],
    ) -> Option<Try> {
        let rules = self.queue(&pending.queue).fungibility;
        let mut best: Option<Try> = None;
        for row in &group.rows {
            let mut worst = (Grade::Fit, 0);
            let mut parts = Vec::new();
            for (resource, amount) in asked {
                let pair = (row.flavor.clone(), (*resource).clone());
                let all = assigned.usage.get(&pair).copied().unwrap_or(0) + amount;
                let rating = self.rate(pending, &pair, all);
                if Self::better(rules, worst, rating) {
                    worst = rating;
                }
                parts.push((pair, *amount, rating));
            }
            if parts.iter().any(|(.., rating)| rating.0 == Grade::NoFit) {
                continue;
            }
            let enough = Self::is_enough(rules, worst);
            if enough || best.as_ref().is_none_or(|best| Self::better(rules, worst, best.0)) {
                best = Some((worst, row.flavor.clone(), parts));
            }
            if enough {
                break;
            }
        }
        best
    }

    pub(super) fn assign(&mut self, pending: &Pending, counts: &[u32]) -> Assigned {
        let groups = self.queue(&pending.queue).groups.clone();
        let mut assigned = Assigned {
            fits_nowhere: false,
            flavors: Vec::new(),
            counts: counts.to_vec(),
            usage: BTreeMap::new(),
            contested: BTreeSet::new(),
            level: 0,
            victims: Victims::new(),
        };
        for (set, count) in pending.pod_sets.iter().zip(counts) {
            let mut flavors = BTreeMap::new();
            let before = assigned.clone();
            for group in &groups {
                let covered: BTreeSet<&String> =
                    group.rows.iter().flat_map(|row| &row.quotas).map(|quota| &quota.resource).collect();
                let asked: Vec<(&String, i64)> = set
                    .requests
                    .iter()
                    .filter(|(resource, _)| covered.contains(resource))
                    .map(|(resource, each)| (resource, each * i64::from(*count)))
                    .collect();
                if asked.is_empty() {
                    continue;
                }
                let best = self.best_flavor(pending, &assigned, group, &asked);
                let Some((_, flavor, parts)) = best else {
                    return Assigned { fits_nowhere: true, ..before };
                };
                for (pair, amount, rating) in parts {
                    flavors.insert(pair.1.clone(), flavor.clone());
                    assigned.level = assigned.level.max(rating.1);
                    *assigned.usage.entry(pair.clone()).or_default() += amount;
                    if rating.0 != Grade::Fit {
                        assigned.contested.insert(pair);
                    }
                }
            }
            let known = |resource: &String| {
                let mut quotas = groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.quotas);
                quotas.any(|quota| quota.resource == *resource)
            };
            let unknown =
                |(resource, each): (&String, &i64)| *each * i64::from(*count) != 0 && !known(resource);
            if set.requests.iter().any(unknown) {
                return Assigned { fits_nowhere: true, ..before };
            }
            assigned.flavors.push(flavors);
        }
        if !assigned.contested.is_empty() {
            assigned.victims = self.targets(&Incoming {
                queue: pending.queue.clone(),
                priority: pending.priority,
                created_ms: pending.created_ms,
                requests: assigned.usage.clone(),
                contested: assigned.contested.clone(),
            });
        }
        assigned
    }

    /// With all pods, else with as many as fit.
    pub(super) fn nominate(&mut self, pending: &Pending) -> Assigned {
        let full: Vec<u32> = pending.pod_sets.iter().map(|set| set.count).collect();
        let all = self.assign(pending, &full);
        let good = |assigned: &Assigned| assigned.is_fit() || !assigned.victims.is_empty();
        let spare: Vec<u32> =
            pending.pod_sets.iter().map(|set| set.count - set.min_count.unwrap_or(set.count)).collect();
        let total: u32 = spare.iter().sum();
        if good(&all) || total == 0 {
            return all;
        }
        let reduced = |oracle: &mut Self, step: u32| {
            let counts: Vec<u32> =
                full.iter().zip(&spare).map(|(full, spare)| full - spare * step / total).collect();
            oracle.assign(pending, &counts)
        };
        // As Go's sort.Search over 0..=total.
        let (mut low, mut high) = (0, total + 1);
        let mut found = None;
        while low < high {
            let step = u32::midpoint(low, high);
            let assigned = (step <= total).then(|| reduced(self, step));
            match assigned {
                Some(assigned) if good(&assigned) => (found, high) = (Some(assigned), step),
                _ => low = step + 1,
            }
        }
        found.unwrap_or(all)
    }

    pub(super) fn cycle(&mut self) -> (Vec<usize>, BTreeMap<usize, Decided>) {
        let pending = &self.world.pending;
        let age = |at: usize| (pending[at].created_ms, &pending[at].uid);
        let mut heads: Vec<(usize, Assigned)> = Vec::new();
        for queue in &self.world.queues {
            let usage = |at: usize| {
                if queue.admission_fair_sharing { pending[at].local_usage.unwrap_or(0.0) } else { 0.0 }
            };
            let mine = (0..pending.len()).filter(|at| pending[*at].queue == queue.name && !queue.stopped);
            let first = mine.min_by(|a, b| {
                let by_usage = usage(*a).total_cmp(&usage(*b));
                by_usage
                    .then(pending[*b].priority.cmp(&pending[*a].priority))
                    .then_with(|| age(*a).cmp(&age(*b)))
            });
            if let Some(at) = first {
                let assigned = self.nominate(&pending[at]);
                heads.push((at, assigned));
            }
        }
        heads.sort_by(|a, b| pending[a.0].queue.cmp(&pending[b.0].queue));
        let (mut order, mut decided) = (Vec::new(), BTreeMap::new());
        let mut preempted: BTreeSet<usize> = BTreeSet::new();
        while !heads.is_empty() {
            let next = if self.world.settings.fair_sharing {
                let root = self.root(&Node::Queue(pending[heads[0].0].queue.clone()));
                self.winner(&root, &heads).unwrap()
            } else {
                (0..heads.len())
                    .min_by_key(|index| {
                        let (at, assigned) = &heads[*index];
                        (assigned.level, Reverse(pending[*at].priority), age(*at))
                    })
                    .unwrap()
            };
            let (at, assigned) = heads.remove(next);
            order.push(at);
            decided.insert(at, self.decide(&pending[at], assigned, &mut preempted));
        }
        (order, decided)
    }

    /// The head that wins the tournament below a node, by position.
    pub(super) fn winner(&mut self, node: &Node, heads: &[(usize, Assigned)]) -> Option<usize> {
        if let Node::Queue(name) = node {
            return heads.iter().position(|(at, _)| self.world.pending[*at].queue == *name);
        }
        let mut best: Option<(bool, Share, usize)> = None;
        for child in self.children(node) {
            let Some(index) = self.winner(&child, heads) else { continue };
            let (at, assigned) = &heads[index];
            let head = &self.world.pending[*at];
            self.charge(&head.queue, &assigned.usage, 1);
            let asked: BTreeSet<Pair> = assigned.usage.keys().cloned().collect();
            let (borrows, share) = (!self.within(&child, &asked), self.share(&child));
            self.charge(&head.queue, &assigned.usage, -1);
            let precedes = best.is_none_or(|(its, other, known)| {
                let rival = &self.world.pending[heads[known].0];
                let order = borrows.cmp(&its).then(share.against(other));
                let by_job = (Reverse(head.priority), head.created_ms, &head.uid).cmp(&(
                    Reverse(rival.priority),
                    rival.created_ms,
                    &rival.uid,
                ));
                order.then(by_job).is_lt()
            });
            if precedes {
                best = Some((borrows, share, index));
            }
        }
        best.map(|(.., index)| index)
    }

    pub(super) fn decide(
        &mut self,
        head: &Pending,
        assigned: Assigned,
        preempted: &mut BTreeSet<usize>,
    ) -> Decided {
        if assigned.fits_nowhere {
            return Decided::Wait;
        }
        let queue = Node::Queue(head.queue.clone());
        if !assigned.is_fit() && assigned.victims.is_empty() {
            if self.queue(&head.queue).preemption.reclaim_within_cohort != Reach::Any {
                let kept = |(pair, amount): (&Pair, &i64)| {
                    let quota = self.quota(&queue, pair);
                    let nominal = quota.map_or(0, |quota| quota.nominal);
                    let free = nominal - self.usage(&queue, pair);
                    let limit = quota.and_then(|quota| quota.borrowing_limit);
                    let kept = match (assigned.level, limit) {
                        (0, _) => (*amount).min(free).max(0),
                        (_, None) => *amount,
                        (_, Some(limit)) => (*amount).min(free + limit),
                    };
                    (pair.clone(), kept)
                };
                let kept = assigned.usage.iter().map(kept).collect();
                self.charge(&head.queue, &kept, 1);
            }
            return Decided::Wait;
        }
        if assigned.victims.iter().any(|(at, _)| preempted.contains(at)) {
            return Decided::Wait;
        }
        let gone: BTreeSet<usize> =
            preempted.iter().copied().chain(assigned.victims.iter().map(|(at, _)| *at)).collect();
        self.gone.clone_from(&gone);
        let fits = assigned.usage.iter().all(|(pair, amount)| *amount <= self.available(&queue, pair).max(0));
        self.gone.clear();
        if !fits {
            return Decided::Wait;
        }
        *preempted = gone;
        self.charge(&head.queue, &assigned.usage, 1);
        if assigned.is_fit() {
            Decided::Start(assigned.flavors, assigned.counts)
        } else {
            Decided::EvictFor(assigned.flavors, assigned.counts, assigned.victims)
        }
    }
}
