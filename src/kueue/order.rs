//! Order: whose head is looked at next in a cycle.
//!
//! Classically by how far up the quota comes from, priority and age; with fair sharing by a tournament in the tree.

use core::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::flavors::Assignment;
use super::share::DominantShare;
use super::spec::Pending;
use super::tree::NodeIndex;
use super::victims::Victim;
use crate::id::Id as _;

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

/// The heads of a cycle that have not been looked at.
pub(super) struct Heads {
    /// By queue name; taken ones are gone.
    entries: Vec<Option<Entry>>,
    /// Classically the order, the next one last.
    order: Vec<usize>,
    /// Who wins among those below a node, and what it is compared by there.
    standings: Vec<Option<Standing>>,
    /// The queue of whom was taken last: what is above it may have changed.
    last: Option<NodeIndex>,
    /// Nobody is left before this one.
    first: usize,
}

impl Cluster {
    /// Puts the entries in an order from which `next_entry` takes them.
    pub(super) fn line_up(&mut self, mut entries: Vec<Entry>, pending: &[Pending]) -> Heads {
        let by_name = |entry: &Entry| &self.tree.node(entry.queue).name;
        entries.sort_by(|a, b| by_name(a).cmp(by_name(b)));
        let mut heads = Heads {
            entries: entries.into_iter().map(Some).collect(),
            order: Vec::new(),
            standings: Vec::new(),
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
    pub(super) fn next_entry(&mut self, heads: &mut Heads, pending: &[Pending]) -> Option<Entry> {
        if !self.settings.fair_sharing {
            let at = heads.order.pop()?;
            return heads.entries[at].take();
        }
        if let Some(queue) = heads.last.take() {
            let above: Vec<NodeIndex> = self.tree.above(queue).collect();
            for node in above {
                self.judge(node, heads, pending);
            }
        }
        // The tree of the first queue by name that has an entry left.
        let next = heads.entries[heads.first..].iter().position(Option::is_some)?;
        heads.first += next;
        let root = self.tree.root(heads.entries[heads.first].as_ref()?.queue);
        let winner = heads.standings[root.index()]?;
        let entry = heads.entries[winner.entry].take()?;
        heads.standings[entry.queue.index()] = None;
        heads.last = Some(entry.queue);
        Some(entry)
    }

    /// Works out who wins at every node, those below before those above.
    fn begin_tournament(&mut self, heads: &mut Heads, pending: &[Pending]) {
        heads.standings = vec![None; self.tree.nodes.len()];
        let mut cohorts: BTreeSet<(Reverse<usize>, NodeIndex)> = BTreeSet::new();
        for at in 0..heads.entries.len() {
            let Some(queue) = heads.entries[at].as_ref().map(|entry| entry.queue) else { continue };
            heads.standings[queue.index()] = self.standing(queue, at, heads);
            let above: Vec<NodeIndex> = self.tree.above(queue).collect();
            let depth = above.len();
            cohorts.extend((0..).zip(above).map(|(steps, node)| (Reverse(depth - steps), node)));
        }
        for (_, cohort) in cohorts {
            self.judge(cohort, heads, pending);
        }
    }

    /// What an entry is compared by at a node above its queue, or at the queue.
    fn standing(&mut self, node: NodeIndex, at: usize, heads: &Heads) -> Option<Standing> {
        let entry = heads.entries[at].as_ref()?;
        self.charge(entry, 1);
        let mut asked = entry.assignment.usage.iter().map(|(pair, _)| *pair);
        let borrows = asked.any(|pair| self.tree.would_borrow(node, pair, 0));
        let share = self.share(node);
        self.charge(entry, -1);
        Some(Standing { entry: at, borrows, share })
    }

    /// Finds the winner among the children of a cohort.
    fn judge(&mut self, cohort: NodeIndex, heads: &mut Heads, pending: &[Pending]) {
        let node = self.tree.node(cohort);
        let mut best: Option<&Standing> = None;
        for child in node.cohorts.iter().chain(&node.queues) {
            let Some(standing) = &heads.standings[child.index()] else { continue };
            if best.is_none_or(|best| heads.precedes(standing, best, pending)) {
                best = Some(standing);
            }
        }
        let winner = best.map(|best| best.entry);
        heads.standings[cohort.index()] = winner.and_then(|winner| self.standing(cohort, winner, heads));
    }

    /// Adds what an entry was assigned to the usage of its queue, or takes it away.
    pub(super) fn charge(&mut self, entry: &Entry, sign: i64) {
        for (pair, amount) in &entry.assignment.usage {
            self.tree.add(entry.queue, *pair, sign.saturating_mul(*amount));
        }
    }
}

impl Heads {
    fn precedes(&self, a: &Standing, b: &Standing, pending: &[Pending]) -> bool {
        let job =
            |standing: &Standing| self.entries[standing.entry].as_ref().map(|entry| &pending[entry.pending]);
        let by_job = || match (job(a), job(b)) {
            (Some(a), Some(b)) => b.priority.cmp(&a.priority).then_with(|| by_age(a, b)),
            _ => Ordering::Equal,
        };
        let order = a.borrows.cmp(&b.borrows).then_with(|| a.share.compare(&b.share)).then_with(by_job);
        order.is_lt()
    }
}

/// By how far up the quota comes from, priority and age; the next one last.
fn classical_order(entries: &[Option<Entry>], pending: &[Pending]) -> Vec<usize> {
    let known: Vec<(usize, &Entry)> =
        entries.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.as_ref()?))).collect();
    let key = |entry: &Entry| (entry.assignment.level, Reverse(pending[entry.pending].priority));
    let mut order = known;
    order.sort_by(|(_, b), (_, a)| {
        key(a).cmp(&key(b)).then_with(|| by_age(&pending[a.pending], &pending[b.pending]))
    });
    order.into_iter().map(|(at, _)| at).collect()
}
