//! Order: whose head is looked at next in a cycle.
//!
//! Classically by how far up the quota comes from, priority and age; with fair sharing by a tournament in the tree.

use core::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::flavors::Assignment;
use super::share::DominantShare;
use super::spec::Pending;
use super::tree::{NodeIndex, Pair};
use super::victims::Victim;

/// The head of one queue.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its position among the pending ones.
    pub(super) pending: usize,
    pub(super) queue: NodeIndex,
    pub(super) assignment: Assignment,
    pub(super) victims: Vec<Victim>,
}

/// Older first, then by uid.
pub(super) fn by_age(a: &Pending, b: &Pending) -> Ordering {
    (a.created_ms, &a.uid).cmp(&(b.created_ms, &b.uid))
}

/// A queue's own order: usage of the local queue where that counts, priority, age.
pub(super) fn in_queue(by_local_usage: bool, a: &Pending, b: &Pending) -> Ordering {
    let usage = |pending: &Pending| pending.local_usage.unwrap_or(0.0);
    let by_usage = if by_local_usage { usage(a).total_cmp(&usage(b)) } else { Ordering::Equal };
    by_usage.then(b.priority.cmp(&a.priority)).then_with(|| by_age(a, b))
}

/// What one head is compared by at one level of the tournament.
#[derive(Clone, Copy, Debug)]
struct Standing {
    entry: usize,
    /// Whether the child of the cohort that it comes from would borrow of what it asks.
    borrows: bool,
    share: DominantShare,
}

/// Who competes below one cohort.
#[derive(Debug)]
struct Contest {
    cohort: NodeIndex,
    /// The contest of the cohort above, and those of the cohorts below that have heads, by name.
    above: Option<usize>,
    below: Vec<usize>,
    /// The heads of its queues, the best one last. What a head is compared by here depends on its own queue alone, so that
    /// the order holds for the whole cycle.
    queues: Vec<Standing>,
    /// Who wins, and what it is compared by among the cohort's siblings.
    winner: Option<Standing>,
}

/// The heads of a cycle that have not been looked at.
pub(super) struct Heads {
    /// By queue name; taken ones are gone.
    entries: Vec<Option<Entry>>,
    /// Classically the order, the next one last.
    order: Vec<usize>,
    /// Of the cohorts above heads.
    contests: Vec<Contest>,
    /// The contest in which each entry competes first; `None` where its queue is below no cohort.
    contest_of: Vec<Option<usize>>,
    /// Where whoever was taken last competed first: what is from there on may have changed.
    last: Option<usize>,
    /// Nobody is left before this one.
    first: usize,
}

impl Cluster {
    /// Puts the entries in an order from which `next_entry` takes them.
    pub(super) fn line_up(&self, mut entries: Vec<Entry>, pending: &[&Pending]) -> Heads {
        entries.sort_by_key(|entry| self.tree.node(entry.queue).rank);
        let mut heads = Heads {
            entries: entries.into_iter().map(Some).collect(),
            order: Vec::new(),
            contests: Vec::new(),
            contest_of: Vec::new(),
            last: None,
            first: 0,
        };
        if self.settings.fair_sharing {
            self.begin_tournament(&mut heads, pending);
        } else {
            heads.order = classical_order(&heads.entries, pending);
        }
        heads
    }

    /// Takes the entry that is looked at next.
    pub(super) fn next_entry(&self, heads: &mut Heads, pending: &[&Pending]) -> Option<Entry> {
        if !self.settings.fair_sharing {
            let at = heads.order.pop()?;
            return heads.entries[at].take();
        }
        let mut changed = heads.last.take();
        while let Some(contest) = changed {
            self.judge(contest, heads, pending);
            changed = heads.contests[contest].above;
        }
        // The tree of the first queue by name that has an entry left.
        let next = heads.entries[heads.first..].iter().position(Option::is_some)?;
        heads.first += next;
        let above = |contest: &usize| heads.contests[*contest].above;
        let winner = match core::iter::successors(heads.contest_of[heads.first], above).last() {
            Some(top) => heads.contests[top].winner?.entry,
            None => heads.first,
        };
        heads.last = heads.contest_of[winner];
        if let Some(contest) = heads.last {
            // Whoever wins higher up has won here.
            heads.contests[contest].queues.pop();
        }
        heads.entries[winner].take()
    }

    /// Works out who wins at every cohort, those below before those above.
    fn begin_tournament(&self, heads: &mut Heads, pending: &[&Pending]) {
        let mut known = BTreeMap::new();
        for at in 0..heads.entries.len() {
            let queue = heads.entries[at].as_ref().map(|entry| entry.queue);
            let cohort = queue.and_then(|queue| self.tree.node(queue).parent);
            let contest = cohort.map(|cohort| self.contest(cohort, heads, &mut known));
            heads.contest_of.push(contest);
            if let (Some(queue), Some(contest)) = (queue, contest) {
                let standing = self.standing(queue, at, heads);
                heads.contests[contest].queues.extend(standing);
            }
        }
        let mut contests = core::mem::take(&mut heads.contests);
        let rank: Vec<usize> = contests.iter().map(|contest| self.tree.node(contest.cohort).rank).collect();
        for contest in &mut contests {
            contest.below.sort_by_key(|below| rank[*below]);
            // Of equals the first by name comes last, which is where the next one is taken.
            contest.queues.sort_by(|a, b| heads.compare(a, b, pending));
            contest.queues.reverse();
        }
        let depth = |at: &usize| self.tree.above(contests[*at].cohort).count();
        let mut order: Vec<usize> = (0..contests.len()).collect();
        order.sort_by_cached_key(|at| Reverse(depth(at)));
        heads.contests = contests;
        for contest in order {
            self.judge(contest, heads, pending);
        }
    }

    /// The contest at a cohort; where it is new, those above it are there from now on as well.
    fn contest(&self, cohort: NodeIndex, heads: &mut Heads, known: &mut BTreeMap<NodeIndex, usize>) -> usize {
        let first = known.get(&cohort).copied().unwrap_or(heads.contests.len());
        let (mut next, mut below): (_, Option<usize>) = (Some(cohort), None);
        while let Some(cohort) = next {
            let new = heads.contests.len();
            let contest = *known.entry(cohort).or_insert(new);
            if contest == new {
                let (below, queues) = (Vec::new(), Vec::new());
                heads.contests.push(Contest { cohort, above: None, below, queues, winner: None });
            }
            if let Some(below) = below {
                heads.contests[below].above = Some(contest);
                heads.contests[contest].below.push(below);
            }
            (next, below) = (self.tree.node(cohort).parent.filter(|_| contest == new), Some(contest));
        }
        first
    }

    /// What an entry is compared by at a node above its queue, or at the queue.
    fn standing(&self, node: NodeIndex, at: usize, heads: &Heads) -> Option<Standing> {
        let entry = heads.entries[at].as_ref()?;
        let asked = &entry.assignment.usage;
        let used = |pair: Pair| {
            let more = asked.iter().find(|(known, _)| *known == pair).map_or(0, |(_, amount)| *amount);
            self.tree.usage_with(node, entry.queue, pair, more)
        };
        let quota = &self.tree.node(node).quota;
        let borrows = asked.iter().any(|(pair, _)| used(*pair) > quota[*pair]);
        let share = self.tree.share_if_used(node, &self.resources, used);
        Some(Standing { entry: at, borrows, share })
    }

    /// Finds the winner among the children of a cohort.
    fn judge(&self, contest: usize, heads: &mut Heads, pending: &[&Pending]) {
        let Contest { cohort, below, queues, .. } = &heads.contests[contest];
        let of_cohorts = below.iter().filter_map(|below| heads.contests[*below].winner.as_ref());
        let mut best: Option<&Standing> = None;
        for standing in of_cohorts.chain(queues.last()) {
            if best.is_none_or(|best| heads.compare(standing, best, pending).is_lt()) {
                best = Some(standing);
            }
        }
        let winner = best.and_then(|best| self.standing(*cohort, best.entry, heads));
        heads.contests[contest].winner = winner;
    }

    /// Adds what was assigned to the usage of a queue, or takes it away.
    pub(super) fn charge(&mut self, queue: NodeIndex, usage: &[(Pair, i64)], sign: i64) {
        for (pair, amount) in usage {
            self.tree.add(queue, *pair, sign.saturating_mul(*amount));
        }
    }
}

impl Heads {
    /// Smaller comes first.
    fn compare(&self, a: &Standing, b: &Standing, pending: &[&Pending]) -> Ordering {
        let job =
            |standing: &Standing| self.entries[standing.entry].as_ref().map(|entry| pending[entry.pending]);
        let by_job = || match (job(a), job(b)) {
            (Some(a), Some(b)) => b.priority.cmp(&a.priority).then_with(|| by_age(a, b)),
            _ => Ordering::Equal,
        };
        a.borrows.cmp(&b.borrows).then_with(|| a.share.compare(&b.share)).then_with(by_job)
    }
}

/// By how far up the quota comes from, priority and age; the next one last.
fn classical_order(entries: &[Option<Entry>], pending: &[&Pending]) -> Vec<usize> {
    let known: Vec<(usize, &Entry)> =
        entries.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.as_ref()?))).collect();
    let key = |entry: &Entry| (entry.assignment.level, Reverse(pending[entry.pending].priority));
    let mut order = known;
    order.sort_by(|(_, b), (_, a)| {
        key(a).cmp(&key(b)).then_with(|| by_age(pending[a.pending], pending[b.pending]))
    });
    order.into_iter().map(|(at, _)| at).collect()
}
