//! Lines: who waits in which cluster queue, and who of them is looked at.
//!
//! Waiting jobs of one queue that ask the same stand in one line, oldest first. Where the head of a line finds no quota,
//! the whole line is parked until something in its cohorts ends, since whoever asks the same finds none either. In a strict
//! queue nobody is parked: its head is looked at in every cycle, and keeps quota from others while it waits. A cycle in
//! which nothing happens to a tree of queues would be the same again, so that its heads are taken again only after something
//! has happened there. Where a queue goes by the usage of its local queues, those of each stand apart in the line. Absent on
//! purpose: quota, and usage.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) queue: usize,
    /// The first shape that asks what it asks.
    pub(super) shape: u32,
    /// Its local queue; one number for all where usage does not matter.
    pub(super) local: u32,
    pub(super) submit_ms: i64,
    pub(super) row: u32,
}

/// Jobs of one queue that ask the same.
#[derive(Debug, Default)]
struct Line {
    priority: i32,
    parked: bool,
    /// For each local queue with somebody: when they were submitted, and their rows.
    waiting: BTreeMap<u32, BTreeSet<(i64, u32)>>,
}

/// By what the jobs of a queue are compared, usage apart.
type Place = (Reverse<i32>, i64, u32);

/// What lines go by in one queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueLines {
    /// Its head blocks those behind it.
    pub(super) strict: bool,
    /// Usage of local queues counts.
    pub(super) by_usage: bool,
    /// Queues of different trees have nothing to do with each other.
    pub(super) tree: usize,
}

/// The lines of all queues.
#[derive(Debug)]
pub(super) struct Lines {
    /// By queue and shape.
    of_queue: Vec<BTreeMap<u32, Line>>,
    rules: Vec<QueueLines>,
    /// Queues in which somebody may be looked at, by tree.
    active: BTreeSet<(usize, usize)>,
    /// Trees in which something has happened since their heads were taken.
    stirred: BTreeSet<usize>,
    /// The head that each queue had then.
    last: Vec<Option<Place>>,
}

impl Lines {
    pub(super) fn new(rules: Vec<QueueLines>) -> Self {
        let of_queue = rules.iter().map(|_| BTreeMap::new()).collect();
        let last = vec![None; rules.len()];
        Self { of_queue, rules, active: BTreeSet::new(), stirred: BTreeSet::new(), last }
    }

    pub(super) fn join(&mut self, job: Waiting, priority: i32) {
        let line = self.of_queue[job.queue].entry(job.shape).or_default();
        line.priority = priority;
        line.waiting.entry(job.local).or_default().insert((job.submit_ms, job.row));
        if line.parked {
            return;
        }
        let QueueLines { by_usage, tree, .. } = self.rules[job.queue];
        self.active.insert((tree, job.queue));
        let place = (Reverse(priority), job.submit_ms, job.row);
        // Whoever comes behind a head changes nothing.
        if by_usage || self.last[job.queue].is_none_or(|last| place < last) {
            self.stirred.insert(tree);
        }
    }

    pub(super) fn leave(&mut self, job: Waiting) {
        self.stir(job.queue);
        let Some(line) = self.of_queue[job.queue].get_mut(&job.shape) else { return };
        if let Some(waiting) = line.waiting.get_mut(&job.local) {
            waiting.remove(&(job.submit_ms, job.row));
            if waiting.is_empty() {
                line.waiting.remove(&job.local);
            }
        }
        if line.waiting.is_empty() && !line.parked {
            self.of_queue[job.queue].remove(&job.shape);
        }
    }

    /// The head of this line found no quota: nobody of it is looked at until the queue is woken, unless the queue is strict.
    pub(super) fn park(&mut self, queue: usize, shape: u32) {
        if self.rules[queue].strict {
            return;
        }
        if let Some(line) = self.of_queue[queue].get_mut(&shape) {
            line.parked = true;
            self.stir(queue);
        }
    }

    /// Whether nobody of this line is looked at.
    pub(super) fn is_parked(&self, queue: usize, shape: u32) -> bool {
        self.of_queue[queue].get(&shape).is_some_and(|line| line.parked)
    }

    /// Something has ended from which the queue may gain.
    pub(super) fn wake(&mut self, queue: usize) {
        self.of_queue[queue].retain(|_, line| {
            line.parked = false;
            !line.waiting.is_empty()
        });
        if !self.of_queue[queue].is_empty() {
            self.active.insert((self.rules[queue].tree, queue));
            self.stir(queue);
        }
    }

    /// Something has happened in the tree of a queue.
    pub(super) fn stir(&mut self, queue: usize) {
        self.stirred.insert(self.rules[queue].tree);
    }

    /// The usage of local queues is another than it was.
    pub(super) fn stir_by_usage(&mut self) {
        let by_usage = self.rules.iter().filter(|rules| rules.by_usage);
        self.stirred.extend(by_usage.map(|rules| rules.tree));
    }

    /// The head of every queue that has one, in trees where something has happened since they were last taken: by the usage
    /// of its local queue, then by priority and age.
    pub(super) fn heads(&mut self, usage: impl Fn(usize, u32) -> f64) -> Vec<Waiting> {
        let mut heads = Vec::new();
        for tree in std::mem::take(&mut self.stirred) {
            let mut idle = Vec::new();
            for (_, queue) in self.active.range((tree, 0)..=(tree, usize::MAX)).copied() {
                let head = self.head(queue, &usage);
                self.last[queue] = head.map(|(_, place)| place);
                match head {
                    Some((job, _)) => heads.push(job),
                    None => idle.push(queue),
                }
            }
            for queue in idle {
                self.active.remove(&(tree, queue));
            }
        }
        heads
    }

    fn head(&self, queue: usize, usage: impl Fn(usize, u32) -> f64) -> Option<(Waiting, Place)> {
        let looked_at = self.of_queue[queue].iter().filter(|(_, line)| !line.parked);
        let firsts = looked_at.flat_map(|(shape, line)| {
            line.waiting.iter().filter_map(|(local, waiting)| {
                let (submit_ms, row) = waiting.first().copied()?;
                let job = Waiting { queue, shape: *shape, local: *local, submit_ms, row };
                Some((usage(queue, *local), (Reverse(line.priority), submit_ms, row), job))
            })
        });
        let head = firsts.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        head.map(|(_, place, job)| (job, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: QueueLines = QueueLines { strict: false, by_usage: false, tree: 0 };

    #[test]
    fn a_line_without_quota_lets_others_pass_unless_the_queue_is_strict() {
        for strict in [false, true] {
            let mut lines = Lines::new(vec![QueueLines { strict, ..PLAIN }]);
            let job = |shape, submit_ms, row| Waiting { queue: 0, shape, local: 0, submit_ms, row };
            let (urgent, usual, later) = (job(7, 10, 1), job(8, 0, 2), job(7, 11, 3));
            lines.join(urgent, 5);
            lines.join(usual, 0);
            assert_eq!(lines.heads(|_, _| 0.0), [urgent]);
            lines.park(0, 7);
            lines.join(later, 5);
            lines.stir(0);
            assert_eq!(lines.heads(|_, _| 0.0), [if strict { urgent } else { usual }], "strict {strict}");
            lines.wake(0);
            assert_eq!(lines.heads(|_, _| 0.0), [urgent]);
            lines.leave(urgent);
            assert_eq!(lines.heads(|_, _| 0.0), [later]);
        }
    }

    #[test]
    fn heads_are_taken_again_only_where_something_has_happened() {
        let rules = |tree| QueueLines { strict: true, tree, ..PLAIN };
        let mut lines = Lines::new(vec![rules(0), rules(0), rules(1)]);
        let job = |queue, submit_ms, row| Waiting { queue, shape: 7, local: 0, submit_ms, row };
        let heads = [job(0, 0, 1), job(2, 0, 2)];
        for head in &heads {
            lines.join(*head, 0);
        }
        assert_eq!(lines.heads(|_, _| 0.0), heads);
        lines.park(0, 7);
        assert_eq!(lines.heads(|_, _| 0.0), []);
        // Behind the head, in another queue of its tree, before the head.
        lines.join(job(0, 1, 3), 0);
        assert_eq!(lines.heads(|_, _| 0.0), []);
        lines.join(job(1, 1, 4), 0);
        assert_eq!(lines.heads(|_, _| 0.0), [job(0, 0, 1), job(1, 1, 4)]);
        lines.join(job(0, 0, 0), 0);
        assert_eq!(lines.heads(|_, _| 0.0), [job(0, 0, 0), job(1, 1, 4)]);
    }

    #[test]
    fn usage_of_local_queues_comes_before_priority_and_age() {
        let mut lines = Lines::new(vec![QueueLines { by_usage: true, ..PLAIN }]);
        let job = |local, row| Waiting { queue: 0, shape: 7, local, submit_ms: 0, row };
        lines.join(job(1, 1), 0);
        lines.join(job(2, 2), 0);
        let usage = |_: usize, local: u32| if local == 1 { 3.0 } else { 2.5 };
        assert_eq!(lines.heads(usage), [job(2, 2)]);
        assert_eq!(lines.heads(usage), []);
        lines.stir_by_usage();
        assert_eq!(lines.heads(|_, _| 0.0), [job(1, 1)]);
    }
}
