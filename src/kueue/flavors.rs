//! Flavors: which flavor each resource of a workload gets, and how well it fits there.
//!
//! All resources of a group get one flavor. Flavors are tried in their order; the search may stop at one that is good
//! enough, else the best is taken.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::spec::{Fungibility, Mode, Pending, PodSet, Preference, Reach, Search};
use super::tree::{NodeIndex, Pair};
use super::victims::{Incoming, Victim};

/// So many choices of flavors are looked at to find out whether a workload could ever fit: those of five pod sets with ten
/// flavors each.
const CHOICES: u32 = 111_110;

/// How one pair fits, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Grade {
    NoFit,
    /// By preempting, but nobody can be preempted.
    NoCandidates,
    /// By preempting in the own queue.
    Preempt,
    /// By preempting in other queues alone.
    Reclaim,
    Fit,
}

impl Grade {
    fn mode(self) -> Mode {
        match self {
            Self::NoFit => Mode::NoFit,
            Self::NoCandidates | Self::Preempt | Self::Reclaim => Mode::Preempt,
            Self::Fit => Mode::Fit,
        }
    }
}

/// How a pair fits, and from how far up the quota comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rating {
    grade: Grade,
    level: usize,
}

impl Rating {
    const BEST: Self = Self { grade: Grade::Fit, level: 0 };
    const WORST: Self = Self { grade: Grade::NoFit, level: usize::MAX };

    fn is_better(self, other: Self, preference: Preference) -> bool {
        if self.grade == Grade::NoFit || other.grade == Grade::NoFit {
            return self.grade != Grade::NoFit;
        }
        let hopeless = |rating: Self| rating.grade == Grade::NoCandidates;
        if hopeless(self) != hopeless(other) {
            return hopeless(other);
        }
        match preference {
            Preference::BorrowingOverPreemption => (self.grade, other.level) > (other.grade, self.level),
            Preference::PreemptionOverBorrowing => (other.level, self.grade) > (self.level, other.grade),
        }
    }

    /// Whether the search goes on behind a flavor that is rated so.
    fn goes_on(self, rules: Fungibility) -> bool {
        let may_borrow = self.level == 0 || rules.when_can_borrow == Search::MayStop;
        match self.grade {
            Grade::Preempt | Grade::Reclaim => !(may_borrow && rules.when_can_preempt == Search::MayStop),
            Grade::Fit => !may_borrow,
            Grade::NoFit | Grade::NoCandidates => true,
        }
    }
}

/// What a workload was assigned.
#[derive(Clone, Debug, Default)]
pub(super) struct Assignment {
    /// For each pod set the pairs that it uses.
    pairs: Vec<Vec<Pair>>,
    /// With how many pods each.
    pub(super) counts: Vec<u32>,
    pub(super) usage: Vec<(Pair, i64)>,
    /// The pairs of which too little is available.
    pub(super) contested: Vec<Pair>,
    pub(super) level: usize,
    /// Why it does not fit.
    pub(super) lack: Option<String>,
    no_fit: bool,
    /// What was found for the pair that was rated last.
    searched: Option<Searched>,
}

/// Whom so much of one pair, alone, would preempt.
#[derive(Clone, Debug)]
struct Searched {
    pair: Pair,
    amount: i64,
    victims: Vec<Victim>,
}

impl Assignment {
    pub(super) fn mode(&self) -> Mode {
        match (self.no_fit, self.contested.is_empty()) {
            (true, _) => Mode::NoFit,
            (false, false) => Mode::Preempt,
            (false, true) => Mode::Fit,
        }
    }

    fn used(&self, pair: Pair) -> i64 {
        self.usage.iter().find(|(known, _)| *known == pair).map_or(0, |(_, amount)| *amount)
    }

    fn charge(&mut self, pair: Pair, amount: i64) {
        match self.usage.iter_mut().find(|(known, _)| *known == pair) {
            Some((_, used)) => *used = used.saturating_add(amount),
            None => self.usage.push((pair, amount)),
        }
    }

    pub(super) fn incoming(&self, queue: NodeIndex, pending: &Pending) -> Incoming {
        Incoming {
            queue,
            priority: pending.priority,
            created_ms: pending.created_ms,
            requests: self.usage.clone(),
            contested: self.contested.clone(),
        }
    }
}

/// The ratings of one flavor for the resources of a group.
struct Tried {
    /// The group's position in the queue.
    group: usize,
    rating: Rating,
    /// Pair, amount, rating.
    parts: Vec<(Pair, i64, Rating)>,
    searched: Option<Searched>,
}

/// The resources of a group that a pod set asks, with their amounts.
struct Asked<'a> {
    queue: NodeIndex,
    pending: &'a Pending,
    set: &'a PodSet,
    /// The group's position in the queue.
    group: usize,
    amounts: Vec<(&'a str, i64)>,
}

impl PodSet {
    fn may_run_on(&self, flavor: &str) -> bool {
        self.flavors.as_ref().is_none_or(|flavors| flavors.iter().any(|known| known == flavor))
    }
}

impl Cluster {
    /// Assigns flavors to a workload with so many pods in each set, and finds whom it would preempt.
    pub(super) fn nominate(&mut self, queue: NodeIndex, pending: &Pending) -> (Assignment, Vec<Victim>) {
        let full = pending.pod_sets.iter().map(|set| set.count).collect();
        let whole = self.assign_with_victims(queue, pending, full);
        if whole.0.mode() == Mode::Fit || !whole.1.is_empty() {
            return whole;
        }
        let least = |set: &PodSet| set.min_count.unwrap_or(set.count).min(set.count);
        let spare: Vec<u32> = pending.pod_sets.iter().map(|set| set.count - least(set)).collect();
        let total: u64 = spare.iter().map(|spare| u64::from(*spare)).sum();
        if total == 0 {
            return whole;
        }
        let counts = |step: u64| -> Vec<u32> {
            let reduced = |(set, spare): (&PodSet, &u32)| {
                let less = u128::from(*spare) * u128::from(step) / u128::from(total);
                set.count.saturating_sub(u32::try_from(less).unwrap_or(u32::MAX))
            };
            pending.pod_sets.iter().zip(&spare).map(reduced).collect()
        };
        // The fewest steps with which it fits, as if more steps never fitted worse.
        let (mut low, mut high) = (0, total + 1);
        let mut best = None;
        while low < high {
            let step = u64::midpoint(low, high);
            if step == 0 {
                // That is the whole, which does not fit.
                low = 1;
                continue;
            }
            let found = self.assign_with_victims(queue, pending, counts(step));
            if step <= total && (found.0.mode() == Mode::Fit || !found.1.is_empty()) {
                (best, high) = (Some(found), step);
            } else {
                low = step + 1;
            }
        }
        best.unwrap_or(whole)
    }

    fn assign_with_victims(
        &mut self,
        queue: NodeIndex,
        pending: &Pending,
        counts: Vec<u32>,
    ) -> (Assignment, Vec<Victim>) {
        let mut assignment = self.assign(queue, pending, counts);
        let searched = assignment.searched.take();
        if assignment.mode() != Mode::Preempt {
            return (assignment, Vec::new());
        }
        if let Some(Searched { pair, amount, victims }) = searched
            && assignment.usage == [(pair, amount)]
            && assignment.contested == [pair]
        {
            // The search that rated the only pair was for the very same.
            return (assignment, victims);
        }
        let victims = self.targets(&assignment.incoming(queue, pending));
        (assignment, victims)
    }

    fn assign(&mut self, queue: NodeIndex, pending: &Pending, counts: Vec<u32>) -> Assignment {
        let mut assignment = Assignment { counts, ..Assignment::default() };
        for (at, set) in pending.pod_sets.iter().enumerate() {
            let count = assignment.counts.get(at).copied().unwrap_or(set.count);
            // A set that does not fit asks for nothing, and those behind it are not looked at.
            let groups = match self.assign_set(queue, pending, &assignment, set, count) {
                Ok(groups) => groups,
                Err(lack) => {
                    (assignment.no_fit, assignment.lack) = (true, Some(lack));
                    break;
                }
            };
            let mut pairs = Vec::new();
            for tried in groups {
                for (pair, amount, rating) in tried.parts {
                    assignment.charge(pair, amount);
                    assignment.level = assignment.level.max(rating.level);
                    if rating.grade.mode() != Mode::Fit && !assignment.contested.contains(&pair) {
                        assignment.contested.push(pair);
                    }
                    pairs.push(pair);
                }
                assignment.searched = tried.searched;
            }
            assignment.pairs.push(pairs);
        }
        assignment
    }

    /// For each pod set the flavor of each resource, by name.
    pub(super) fn flavors(&self, assignment: &Assignment) -> Vec<BTreeMap<String, String>> {
        let names = |pair: &Pair| {
            let (flavor, resource) = &self.pair_names[*pair];
            (resource.clone(), flavor.clone())
        };
        assignment.pairs.iter().map(|pairs| pairs.iter().map(names).collect()).collect()
    }

    /// The flavor of each group for one set beside those that are assigned, or what no flavor has.
    fn assign_set(
        &mut self,
        queue: NodeIndex,
        pending: &Pending,
        assignment: &Assignment,
        set: &PodSet,
        count: u32,
    ) -> Result<Vec<Tried>, String> {
        let requests = || {
            let amount = |each: &i64| each.saturating_mul(i64::from(count));
            set.requests.iter().map(move |(resource, each)| (resource.as_str(), amount(each)))
        };
        let mut found: Vec<Tried> = Vec::new();
        for (resource, amount) in requests() {
            let groups = &self.queues[queue].groups;
            let covers = |group: &usize| groups[*group].0.contains(resource);
            if found.iter().any(|tried| covers(&tried.group)) {
                continue;
            }
            let Some(group) = (0..groups.len()).find(covers) else {
                if amount != 0 {
                    return Err(format!(
                        "resource unavailable: the cluster queue has no quota of {resource}"
                    ));
                }
                continue;
            };
            let covered = &groups[group].0;
            let amounts = requests().filter(|(resource, _)| covered.contains(*resource)).collect();
            let asked = Asked { queue, pending, set, group, amounts };
            let Some(tried) = self.best_flavor(assignment, &asked) else {
                let wanted: Vec<&str> = asked.amounts.iter().map(|(resource, _)| *resource).collect();
                return Err(format!(
                    "insufficient unused quota for {} in every flavor that pod set `{}` may use",
                    wanted.join(", "),
                    set.name
                ));
            };
            found.push(tried);
        }
        Ok(found)
    }

    /// The flavor of a group that is taken, if any can be.
    fn best_flavor(&mut self, assignment: &Assignment, asked: &Asked<'_>) -> Option<Tried> {
        let rules = self.queues[asked.queue].fungibility;
        let mut best: Option<Tried> = None;
        for at in 0..self.queues[asked.queue].groups[asked.group].1.len() {
            let flavor = &self.queues[asked.queue].groups[asked.group].1[at];
            if !asked.set.may_run_on(flavor) {
                continue;
            }
            let tried = self.try_flavor(assignment, asked, at);
            if tried.rating.grade == Grade::NoFit {
                continue;
            }
            let stops = !tried.rating.goes_on(rules);
            if stops || best.as_ref().is_none_or(|best| tried.rating.is_better(best.rating, rules.preference))
            {
                best = Some(tried);
            }
            if stops {
                break;
            }
        }
        best
    }

    /// The pair of a resource in a flavor of the group, by its place; nobody may have a quota of it.
    fn pair(&self, asked: &Asked<'_>, flavor: usize, resource: &str) -> Option<Pair> {
        let flavor = &self.queues[asked.queue].groups[asked.group].1[flavor];
        self.pairs.get(flavor)?.get(resource).copied()
    }

    /// How a flavor of the group, by its place, holds what is asked.
    fn try_flavor(&mut self, assignment: &Assignment, asked: &Asked<'_>, flavor: usize) -> Tried {
        let preference = self.queues[asked.queue].fungibility.preference;
        let mut tried = Tried { group: asked.group, rating: Rating::BEST, parts: Vec::new(), searched: None };
        for (resource, amount) in &asked.amounts {
            let rated = self.pair(asked, flavor, resource).map(|pair| {
                let all = assignment.used(pair).saturating_add(*amount);
                (pair, self.rate(asked.queue, asked.pending, pair, all))
            });
            let rating = rated.as_ref().map_or(Rating::WORST, |(_, (rating, _))| *rating);
            if tried.rating.is_better(rating, preference) {
                tried.rating = rating;
            }
            let Some((pair, (_, searched))) = rated.filter(|_| rating.grade != Grade::NoFit) else { break };
            tried.parts.push((pair, *amount, rating));
            tried.searched = searched;
        }
        tried
    }

    /// How so much of one pair fits.
    fn rate(
        &mut self,
        queue: NodeIndex,
        pending: &Pending,
        pair: Pair,
        amount: i64,
    ) -> (Rating, Option<Searched>) {
        if amount > self.tree.potential(queue, pair) {
            return (Rating::WORST, None);
        }
        let (level, below_another) = self.tree.lowest_that_fits(queue, pair, amount);
        if amount <= self.tree.available(queue, pair).max(0) {
            return (Rating { grade: Grade::Fit, level }, None);
        }
        let preemption = self.queues[queue].preemption;
        let while_borrowing = preemption.borrow_within_cohort.is_some()
            || self.settings.fair_sharing && preemption.reclaim_within_cohort != Reach::Never;
        let nominal = self.tree.node(queue).quota[pair];
        if amount > nominal && !below_another && !while_borrowing {
            return (Rating::WORST, None);
        }
        let incoming = Incoming {
            queue,
            priority: pending.priority,
            created_ms: pending.created_ms,
            requests: vec![(pair, amount)],
            contested: vec![pair],
        };
        let victims = self.targets(&incoming);
        if victims.is_empty() {
            let rating = Rating { grade: Grade::NoCandidates, level };
            return (rating, Some(Searched { pair, amount, victims }));
        }
        for victim in &victims {
            self.remove(victim.workload);
        }
        let (level, _) = self.tree.lowest_that_fits(queue, pair, amount);
        for victim in &victims {
            self.put_back(victim.workload);
        }
        let own = victims.iter().any(|victim| self.admitted[victim.workload].queue == queue);
        let rating = Rating { grade: if own { Grade::Preempt } else { Grade::Reclaim }, level };
        (rating, Some(Searched { pair, amount, victims }))
    }

    /// Whether some choice of flavors holds a workload if nothing is used, with as few pods as it allows.
    ///
    /// Not whether the search above would come to that choice: where some quota is used, it tries others. Groups have
    /// nothing to do with each other. Where there are too many choices to look at, there may be one.
    pub(super) fn could_ever_fit(&self, queue: NodeIndex, pending: &Pending) -> bool {
        let groups = &self.queues[queue].groups;
        let count = |set: &PodSet| i64::from(set.min_count.unwrap_or(set.count).min(set.count));
        let in_no_group = |resource: &String| groups.iter().all(|(covered, _)| !covered.contains(resource));
        let asks_in_vain = |set: &PodSet| {
            let asks = |each: &i64| each.saturating_mul(count(set)) > 0;
            set.requests.iter().any(|(resource, each)| asks(each) && in_no_group(resource))
        };
        if pending.pod_sets.iter().any(asks_in_vain) {
            return false;
        }
        groups.iter().all(|(covered, order)| {
            let mut choices: Vec<Vec<Vec<(Pair, i64)>>> = Vec::new();
            for set in &pending.pod_sets {
                let of_group = |(resource, _): &(&String, &i64)| covered.contains(*resource);
                let asked = || set.requests.iter().filter(of_group);
                let in_flavor = |flavor: &String| -> Option<Vec<(Pair, i64)>> {
                    let pairs = self.pairs.get(flavor);
                    let part = |(resource, each): (&String, &i64)| {
                        let (pair, amount) = (*pairs?.get(resource)?, each.saturating_mul(count(set)));
                        (amount <= self.tree.potential(queue, pair)).then_some((pair, amount))
                    };
                    asked().map(part).collect()
                };
                if asked().next().is_some() {
                    let allowed = order.iter().filter(|flavor| set.may_run_on(flavor));
                    choices.push(allowed.filter_map(in_flavor).collect());
                }
            }
            // Those with the fewest choices first.
            choices.sort_by_key(Vec::len);
            let mut left = CHOICES;
            self.can_choose(queue, &choices, &mut Vec::new(), &mut left)
        })
    }

    /// Whether one of each choice can be taken beside what is chosen, as far as `left` looks tell.
    fn can_choose(
        &self,
        queue: NodeIndex,
        choices: &[Vec<Vec<(Pair, i64)>>],
        chosen: &mut Vec<(Pair, i64)>,
        left: &mut u32,
    ) -> bool {
        let Some((first, rest)) = choices.split_first() else { return true };
        first.iter().any(|parts| {
            let Some(fewer) = left.checked_sub(1) else { return true };
            *left = fewer;
            let fits = parts.iter().all(|(pair, amount)| {
                let of_pair = chosen.iter().filter(|(known, _)| known == pair);
                let all = of_pair.fold(*amount, |sum, (_, more)| sum.saturating_add(*more));
                all <= self.tree.potential(queue, *pair)
            });
            let before = chosen.len();
            chosen.extend(parts.iter().filter(|_| fits).copied());
            let found = fits && self.can_choose(queue, rest, chosen, left);
            chosen.truncate(before);
            found
        })
    }
}
