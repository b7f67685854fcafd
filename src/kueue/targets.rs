//! Targets: the queues from which fair preemption takes victims, the one with the largest share first.
//!
//! The children of a cohort are put in the order of their shares once for all heads of a cycle, since nothing counts then
//! but what is admitted. A search goes down that order, and keeps beside it whoever has another share by now: the queue
//! of the workload, and those from which it has taken. Absent on purpose: whether a victim makes shares fairer.

use core::cmp::Ordering;

use super::cluster::Cluster;
use super::share::DominantShare;
use super::spec::Reach;
use super::tree::NodeIndex;
use super::victims::{Incoming, compare};
use crate::id::Id as _;

/// The children of a cohort with their shares as of the last admission or release.
#[derive(Clone, Debug, Default)]
pub(super) struct Siblings {
    /// The largest share last.
    queues: Vec<(NodeIndex, DominantShare)>,
    /// By name.
    cohorts: Vec<(NodeIndex, DominantShare)>,
}

impl Siblings {
    fn of(cluster: &Cluster, cohort: NodeIndex) -> Self {
        let node = cluster.tree.node(cohort);
        let with_share = |child: &NodeIndex| (*child, cluster.share(*child));
        let mut queues: Vec<(NodeIndex, DominantShare)> = node.queues.iter().map(with_share).collect();
        queues.sort_by(|(_, a), (_, b)| a.compare_borrowing(b));
        Self { queues, cohorts: node.cohorts.iter().map(with_share).collect() }
    }

    /// The largest share of those beside a child.
    pub(super) fn largest_beside(&self, child: NodeIndex) -> Option<&DominantShare> {
        let queue = self.queues.iter().rev().find(|(known, _)| *known != child);
        let cohorts = self.cohorts.iter().filter(|(known, _)| *known != child);
        let shares = queue.into_iter().chain(cohorts).map(|(_, share)| share);
        shares.max_by(|a, b| a.compare_borrowing(b))
    }
}

impl Cluster {
    /// The children of a cohort as of the last admission or release.
    pub(super) fn siblings(&mut self, cohort: NodeIndex) -> &Siblings {
        let siblings = self.siblings[cohort.index()].take().unwrap_or_else(|| Siblings::of(self, cohort));
        self.siblings[cohort.index()].insert(siblings)
    }

    /// Shares below the cohorts above a queue have changed for good.
    pub(super) fn forget_siblings(&mut self, queue: NodeIndex) {
        let mut above = self.tree.node(queue).parent;
        while let Some(cohort) = above {
            self.siblings[cohort.index()] = None;
            above = self.tree.node(cohort).parent;
        }
    }
}

/// Whose workloads may be taken.
#[derive(Clone, Copy)]
pub(super) enum Candidates<'a> {
    /// Those whom a workload may preempt: of its own queue, and of queues that borrow what is contested.
    Of(&'a Incoming),
    /// The same, but for its own queue; of those queues some have gone already.
    Left(&'a Incoming, &'a [NodeIndex]),
    /// All of some queues.
    All(&'a [NodeIndex]),
}

impl Candidates<'_> {
    /// The position of the first one in a queue's order that is not before `from`.
    pub(super) fn first(self, cluster: &Cluster, queue: NodeIndex, from: usize) -> Option<usize> {
        let (incoming, taken): (_, &[NodeIndex]) = match self {
            Self::All(queues) if queues.contains(&queue) => return cluster.next_in(queue, from, |_| true),
            Self::All(_) => return None,
            Self::Left(incoming, _) if queue == incoming.queue => return None,
            Self::Left(incoming, taken) => (incoming, taken),
            Self::Of(incoming) => (incoming, &[]),
        };
        let preemption = cluster.queues[incoming.queue].preemption;
        let (reach, borrows) = if queue == incoming.queue {
            (preemption.within_cluster_queue, true)
        } else {
            // A queue from which somebody was taken did borrow, and all of it were candidates then.
            let looked_at = from > 0 || taken.contains(&queue);
            let borrows = || !cluster.tree.within_nominal(queue, &incoming.contested);
            (preemption.reclaim_within_cohort, looked_at || borrows())
        };
        if reach == Reach::Never || !borrows {
            return None;
        }
        let may = |workload: usize| {
            let known = &cluster.admitted[workload];
            reach.reaches(incoming, known) && cluster.uses(workload, &incoming.contested)
        };
        cluster.next_in(queue, from, may)
    }
}

/// A queue that has candidates.
#[derive(Clone, Copy)]
struct Entry {
    queue: NodeIndex,
    share: DominantShare,
    /// The position of the next candidate in the queue's order.
    next: usize,
}

/// The children of a cohort among whom victims may be.
struct Level {
    /// `None`: above the queue of the workload is none.
    cohort: Option<NodeIndex>,
    siblings: Siblings,
    /// So many queues of the siblings have not been looked at.
    left: usize,
    /// Others that have been looked at, the largest share last.
    moved: Vec<Entry>,
    /// Those with the largest share of all, the next one last.
    front: Vec<Entry>,
    cohorts: Vec<(NodeIndex, DominantShare)>,
}

/// The queues from which to take victims, as shares are at each call.
pub(super) struct Targets<'a> {
    own: NodeIndex,
    candidates: Candidates<'a>,
    /// The queues that do not have the shares that were noted.
    stale: Vec<NodeIndex>,
    /// Of the cohorts that were looked at.
    levels: Vec<Level>,
}

impl<'a> Targets<'a> {
    pub(super) fn new(own: NodeIndex, candidates: Candidates<'a>) -> Self {
        let mut stale = vec![own];
        if let Candidates::Left(_, taken) = candidates {
            stale.extend(taken);
        }
        Self { own, candidates, stale, levels: Vec::new() }
    }

    /// Gives back what was noted of shares, which holds again once the cluster is as it was.
    pub(super) fn close(self, cluster: &mut Cluster) {
        for level in self.levels {
            if let Some(cohort) = level.cohort {
                cluster.siblings[cohort.index()] = Some(level.siblings);
            }
        }
    }

    /// The next queue.
    pub(super) fn next(&mut self, cluster: &mut Cluster) -> Option<NodeIndex> {
        let top = cluster.tree.above(self.own).last();
        self.descend(cluster, top)
    }

    fn descend(&mut self, cluster: &mut Cluster, at: Option<NodeIndex>) -> Option<NodeIndex> {
        let known = self.levels.iter().position(|level| level.cohort == at);
        let number = known.unwrap_or_else(|| {
            let level = self.unfold(cluster, at);
            self.levels.push(level);
            self.levels.len() - 1
        });
        loop {
            let queue = self.largest_queue(cluster, number);
            let (own, level) = (self.own, &mut self.levels[number]);
            level.cohorts.retain(|(child, share)| {
                share.is_borrowing() || cluster.tree.above(own).any(|above| above == *child)
            });
            let mut cohort: Option<(NodeIndex, DominantShare)> = None;
            for (child, share) in &level.cohorts {
                if cohort.is_none_or(|(_, best)| share.compare(&best).is_gt()) {
                    cohort = Some((*child, *share));
                }
            }
            // Of equals the cohort, in which somebody may hold still more.
            let cohort =
                cohort.filter(|(_, share)| queue.is_none_or(|(_, best)| share.compare(&best).is_ge()));
            let Some((child, _)) = cohort else { return queue.map(|(queue, _)| queue) };
            if let Some(queue) = self.descend(cluster, Some(child)) {
                return Some(queue);
            }
            self.levels[number].cohorts.retain(|(known, _)| *known != child);
        }
    }

    fn unfold(&self, cluster: &mut Cluster, at: Option<NodeIndex>) -> Level {
        let siblings = at.map_or_else(Siblings::default, |cohort| {
            cluster.siblings[cohort.index()].take().unwrap_or_else(|| Siblings::of(cluster, cohort))
        });
        let cluster = &*cluster;
        let changed = |child: NodeIndex| {
            let mut nodes = self.stale.iter().flat_map(|queue| cluster.tree.above(*queue));
            nodes.any(|node| node == child)
        };
        let now = |(child, share): &(NodeIndex, DominantShare)| {
            (*child, if changed(*child) { cluster.share(*child) } else { *share })
        };
        let cohorts = siblings.cohorts.iter().map(now).collect();
        let left = siblings.queues.len();
        let (moved, front) = (Vec::new(), Vec::new());
        let mut level = Level { cohort: at, siblings, left, moved, front, cohorts };
        for queue in self.stale.iter().copied().filter(|queue| cluster.tree.node(*queue).parent == at) {
            if let Some(next) = self.candidates.first(cluster, queue, 0) {
                level.insert(Entry { queue, share: cluster.share(queue), next });
            }
        }
        level
    }

    /// Of those that have candidates the one with the largest share, and of equals the one whose candidate comes first.
    fn largest_queue(&mut self, cluster: &Cluster, level: usize) -> Option<(NodeIndex, DominantShare)> {
        let Self { own, candidates, stale, levels } = self;
        let level = &mut levels[level];
        while level.front.is_empty() {
            let noted = level.siblings.queues[..level.left].last().map(|(_, share)| *share);
            let moved = level.moved.last().map(|entry| entry.share);
            let share = noted.into_iter().chain(moved).max_by(DominantShare::compare)?;
            while let Some((queue, known)) = level.siblings.queues[..level.left].last().copied()
                && known.compare(&share).is_eq()
            {
                level.left -= 1;
                if known.is_borrowing()
                    && !stale.contains(&queue)
                    && let Some(next) = candidates.first(cluster, queue, 0)
                {
                    level.front.push(Entry { queue, share: known, next });
                }
            }
            while let Some(entry) = level.moved.pop_if(|entry| entry.share.compare(&share).is_eq()) {
                if entry.share.is_borrowing() || entry.queue == *own {
                    level.front.push(entry);
                }
            }
            level.front.sort_by(|a, b| precedes(cluster, *own, b, a));
        }
        level.front.last().map(|first| (first.queue, first.share))
    }

    /// The level of a queue that came last from `next`.
    fn level(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<&mut Level> {
        let cohort = cluster.tree.node(queue).parent;
        self.levels.iter_mut().find(|level| level.cohort == cohort)
    }

    /// The next candidate of the queue that came last.
    pub(super) fn pop(&mut self, cluster: &Cluster, queue: NodeIndex) -> Option<usize> {
        let candidates = self.candidates;
        let front = &mut self.level(cluster, queue)?.front;
        let first = front.last_mut().filter(|first| first.queue == queue)?;
        let workload = cluster.queues[queue].workloads[first.next];
        match candidates.first(cluster, queue, first.next + 1) {
            Some(next) => first.next = next,
            None => drop(front.pop()),
        }
        Some(workload)
    }

    /// A workload of the queue that came last has been taken, so that the queue and what is above it have other shares.
    pub(super) fn settle(&mut self, cluster: &Cluster, queue: NodeIndex) {
        let mut at = queue;
        for parent in cluster.tree.above(queue) {
            if let Some(level) = self.levels.iter_mut().find(|level| level.cohort == Some(parent))
                && let Some((_, share)) = level.cohorts.iter_mut().find(|(child, _)| *child == at)
            {
                *share = cluster.share(at);
            }
            at = parent;
        }
        let Some(level) = self.level(cluster, queue) else { return };
        if let Some(first) = level.front.pop_if(|first| first.queue == queue) {
            level.insert(Entry { share: cluster.share(queue), ..first });
        }
    }

    /// No more of the queue that came last.
    pub(super) fn drop_queue(&mut self, cluster: &Cluster, queue: NodeIndex) {
        if let Some(level) = self.level(cluster, queue) {
            level.front.pop_if(|first| first.queue == queue);
        }
    }

    /// Nobody beside a child of a cohort that has a larger share than the largest of the others: no strategy allows any of
    /// them, for without a victim a side has no more than before. Below the child nobody is left, or somebody there would
    /// come first.
    pub(super) fn give_up(&mut self, cluster: &Cluster, child: NodeIndex) {
        if let Some(level) = self.level(cluster, child) {
            level.left = 0;
            level.moved.clear();
            level.front.clear();
            level.cohorts.clear();
        }
    }
}

/// `Less` for the one from which is taken first, of two with equal shares.
fn precedes(cluster: &Cluster, own: NodeIndex, a: &Entry, b: &Entry) -> Ordering {
    let next = |entry: &Entry| &cluster.admitted[cluster.queues[entry.queue].workloads[entry.next]];
    let rank = |entry: &Entry| cluster.tree.node(entry.queue).rank;
    compare(own, next(a), next(b)).then_with(|| rank(a).cmp(&rank(b)))
}

impl Level {
    /// Puts a queue where its share belongs. If that is among the first, all of them are put in order anew.
    fn insert(&mut self, entry: Entry) {
        let at = self.moved.partition_point(|known| known.share.compare(&entry.share).is_lt());
        self.moved.insert(at, entry);
        if self.front.last().is_some_and(|first| first.share.compare(&entry.share).is_le()) {
            self.moved.append(&mut self.front);
            self.moved.sort_by(|a, b| a.share.compare(&b.share));
        }
    }
}
