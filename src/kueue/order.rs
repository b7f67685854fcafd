//! Order: whose head is looked at next in a cycle.
//!
//! Classically by how far up the quota comes from, priority and age; with fair sharing by a tournament in the tree.

use core::cmp::Ordering;
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
#[derive(Clone, Copy)]
struct Standing<'a> {
    entry: usize,
    /// Whether the child of the cohort that it comes from would borrow of what it asks.
    borrows: bool,
    share: DominantShare,
    pending: &'a Pending,
}

impl Standing<'_> {
    fn precedes(&self, other: &Self) -> bool {
        let order = self
            .borrows
            .cmp(&other.borrows)
            .then_with(|| self.share.compare(&other.share))
            .then_with(|| other.pending.priority.cmp(&self.pending.priority))
            .then_with(|| by_age(self.pending, other.pending));
        order.is_lt()
    }
}

impl Cluster {
    /// Puts the entries in an order from which `next_entry` takes them.
    pub(super) fn arrange(&self, entries: &mut [Entry], pending: &[Pending]) {
        if self.settings.fair_sharing {
            return;
        }
        let key =
            |entry: &Entry| (entry.assignment.level, core::cmp::Reverse(pending[entry.pending].priority));
        // The next one last.
        entries.sort_by(|b, a| {
            key(a).cmp(&key(b)).then_with(|| by_age(&pending[a.pending], &pending[b.pending]))
        });
    }

    /// Takes the entry that is looked at next.
    pub(super) fn next_entry(&mut self, entries: &mut Vec<Entry>, pending: &[Pending]) -> Option<Entry> {
        if !self.settings.fair_sharing {
            return entries.pop();
        }
        let at = self.fairest(entries, pending)?;
        Some(entries.swap_remove(at))
    }

    /// The winner of the tournament in the tree of the first queue by name that has an entry left.
    fn fairest(&mut self, entries: &[Entry], pending: &[Pending]) -> Option<usize> {
        let name = |entry: &Entry| &self.tree.node(entry.queue).name;
        let first = entries.iter().min_by_key(|entry| name(entry))?;
        let root = self.tree.root(first.queue);
        let of_queue: BTreeMap<NodeIndex, usize> =
            entries.iter().enumerate().map(|(at, entry)| (entry.queue, at)).collect();
        if root == first.queue {
            return of_queue.get(&root).copied();
        }
        // For each entry what it would be compared by at each node from its queue up.
        let mut standings: BTreeMap<(NodeIndex, usize), (bool, DominantShare)> = BTreeMap::new();
        for (at, entry) in entries.iter().enumerate() {
            if self.tree.root(entry.queue) != root {
                continue;
            }
            let asked: Vec<Pair> = entry.assignment.usage.iter().map(|(pair, _)| *pair).collect();
            self.charge(entry, 1);
            for node in core::iter::once(entry.queue).chain(self.tree.above(entry.queue)) {
                let borrows = !self.tree.within_nominal(node, &asked);
                standings.insert((node, at), (borrows, self.share(node)));
            }
            self.charge(entry, -1);
        }
        self.tournament(root, &of_queue, &standings, entries, pending)
    }

    fn tournament(
        &self,
        cohort: NodeIndex,
        of_queue: &BTreeMap<NodeIndex, usize>,
        standings: &BTreeMap<(NodeIndex, usize), (bool, DominantShare)>,
        entries: &[Entry],
        pending: &[Pending],
    ) -> Option<usize> {
        let node = self.tree.node(cohort);
        let cohorts = node
            .cohorts
            .iter()
            .map(|child| (*child, self.tournament(*child, of_queue, standings, entries, pending)));
        let queues = node.queues.iter().map(|child| (*child, of_queue.get(child).copied()));
        let mut best: Option<Standing<'_>> = None;
        for (child, entry) in cohorts.chain(queues) {
            let Some(entry) = entry else { continue };
            let Some((borrows, share)) = standings.get(&(child, entry)).copied() else { continue };
            let standing = Standing { entry, borrows, share, pending: &pending[entries[entry].pending] };
            if best.is_none_or(|best| standing.precedes(&best)) {
                best = Some(standing);
            }
        }
        best.map(|best| best.entry)
    }

    /// Adds what an entry was assigned to the usage of its queue, or takes it away.
    pub(super) fn charge(&mut self, entry: &Entry, sign: i64) {
        for (pair, amount) in &entry.assignment.usage {
            self.tree.add(entry.queue, *pair, sign.saturating_mul(*amount));
        }
    }
}
