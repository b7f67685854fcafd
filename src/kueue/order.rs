//! Order: whose head is looked at next in a cycle.
//!
//! Classically by how far up the quota comes from, priority and age; with fair sharing by a tournament in the tree.

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Debug, Default)]
struct Contest {
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
    contests: BTreeMap<NodeIndex, Contest>,
    /// The queue of whom was taken last: what is above it may have changed.
    last: Option<NodeIndex>,
    /// Nobody is left before this one.
    first: usize,
}

impl Cluster {
    /// Puts the entries in an order from which `next_entry` takes them.
    pub(super) fn line_up(&mut self, mut entries: Vec<Entry>, pending: &[&Pending]) -> Heads {
        entries.sort_by_key(|entry| self.tree.node(entry.queue).rank);
        let mut heads = Heads {
            entries: entries.into_iter().map(Some).collect(),
            order: Vec::new(),
            contests: BTreeMap::new(),
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
    pub(super) fn next_entry(&mut self, heads: &mut Heads, pending: &[&Pending]) -> Option<Entry> {
        if !self.settings.fair_sharing {
            let at = heads.order.pop()?;
            return heads.entries[at].take();
        }
        if let Some(queue) = heads.last.take() {
            let mut above = self.tree.node(queue).parent;
            while let Some(cohort) = above {
                self.judge(cohort, heads, pending);
                above = self.tree.node(cohort).parent;
            }
        }
        // The tree of the first queue by name that has an entry left.
        let next = heads.entries[heads.first..].iter().position(Option::is_some)?;
        heads.first += next;
        let first = heads.entries[heads.first].as_ref()?.queue;
        let winner = match heads.contests.get(&self.tree.root(first)) {
            Some(contest) => contest.winner?.entry,
            None => heads.first,
        };
        let entry = heads.entries[winner].take()?;
        if let Some(contest) = self.tree.node(entry.queue).parent.and_then(|at| heads.contests.get_mut(&at)) {
            // Whoever wins higher up has won here.
            contest.queues.pop();
        }
        heads.last = Some(entry.queue);
        Some(entry)
    }

    /// Works out who wins at every cohort, those below before those above.
    fn begin_tournament(&mut self, heads: &mut Heads, pending: &[&Pending]) {
        let mut cohorts: BTreeSet<(Reverse<usize>, NodeIndex)> = BTreeSet::new();
        for at in 0..heads.entries.len() {
            let Some(queue) = heads.entries[at].as_ref().map(|entry| entry.queue) else { continue };
            let Some(parent) = self.tree.node(queue).parent else { continue };
            if !heads.contests.contains_key(&parent) {
                let depth = self.tree.above(queue).count();
                let above = self.tree.above(queue);
                cohorts.extend((0..).zip(above).map(|(steps, node)| (Reverse(depth - steps), node)));
            }
            let standing = self.standing(queue, at, heads);
            heads.contests.entry(parent).or_default().queues.extend(standing);
        }
        let mut contests = core::mem::take(&mut heads.contests);
        for contest in contests.values_mut() {
            // Of equals the first by name comes last, which is where the next one is taken.
            contest.queues.sort_by(|a, b| heads.compare(a, b, pending));
            contest.queues.reverse();
        }
        heads.contests = contests;
        for (_, cohort) in cohorts {
            self.judge(cohort, heads, pending);
        }
    }

    /// What an entry is compared by at a node above its queue, or at the queue.
    fn standing(&mut self, node: NodeIndex, at: usize, heads: &Heads) -> Option<Standing> {
        let entry = heads.entries[at].as_ref()?;
        self.charge(entry.queue, &entry.assignment.usage, 1);
        let mut asked = entry.assignment.usage.iter().map(|(pair, _)| *pair);
        let borrows = asked.any(|pair| self.tree.would_borrow(node, pair, 0));
        let share = self.share(node);
        self.charge(entry.queue, &entry.assignment.usage, -1);
        Some(Standing { entry: at, borrows, share })
    }

    /// Finds the winner among the children of a cohort.
    fn judge(&mut self, cohort: NodeIndex, heads: &mut Heads, pending: &[&Pending]) {
        let below = self.tree.node(cohort).cohorts.iter();
        let of_cohorts = below.filter_map(|child| heads.contests.get(child)?.winner.as_ref());
        let of_queues = heads.contests.get(&cohort).and_then(|contest| contest.queues.last());
        let mut best: Option<&Standing> = None;
        for standing in of_cohorts.chain(of_queues) {
            if best.is_none_or(|best| heads.compare(standing, best, pending).is_lt()) {
                best = Some(standing);
            }
        }
        let winner = best.map(|best| best.entry);
        let winner = winner.and_then(|winner| self.standing(cohort, winner, heads));
        heads.contests.entry(cohort).or_default().winner = winner;
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
