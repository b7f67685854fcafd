//! Lines: who waits in which cluster queue, and who of them is looked at.
//!
//! Waiting jobs of one queue that ask the same stand in one line, oldest first. Where the head of a line finds no quota,
//! the whole line is parked until something in its cohorts ends, since whoever asks the same finds none either. Where a
//! queue goes by the usage of its local queues, those of each stand apart in the line. Absent on purpose: quota, and usage.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

/// A job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) queue: usize,
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

/// The lines of all queues.
#[derive(Debug)]
pub(super) struct Lines {
    /// By queue and shape.
    of_queue: Vec<BTreeMap<u32, Line>>,
    /// Queues in which somebody may be looked at.
    active: BTreeSet<usize>,
    /// In which queues a parked head blocks those behind it.
    strict: Vec<bool>,
}

impl Lines {
    pub(super) fn new(strict: &[bool]) -> Self {
        let of_queue = strict.iter().map(|_| BTreeMap::new()).collect();
        Self { of_queue, active: BTreeSet::new(), strict: strict.to_vec() }
    }

    pub(super) fn join(&mut self, job: Waiting, priority: i32) {
        let line = self.of_queue[job.queue].entry(job.shape).or_default();
        line.priority = priority;
        line.waiting.entry(job.local).or_default().insert((job.submit_ms, job.row));
        if !line.parked {
            self.active.insert(job.queue);
        }
    }

    pub(super) fn leave(&mut self, job: Waiting) {
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

    /// Nobody of this line is looked at until the queue is woken.
    pub(super) fn park(&mut self, queue: usize, shape: u32) {
        if let Some(line) = self.of_queue[queue].get_mut(&shape) {
            line.parked = true;
        }
    }

    /// Something has ended from which the queue may gain.
    pub(super) fn wake(&mut self, queue: usize) {
        self.of_queue[queue].retain(|_, line| {
            line.parked = false;
            !line.waiting.is_empty()
        });
        if !self.of_queue[queue].is_empty() {
            self.active.insert(queue);
        }
    }

    /// The head of every queue that has one: by the usage of its local queue, then by priority and age.
    pub(super) fn heads(&mut self, usage: impl Fn(usize, u32) -> f64) -> Vec<Waiting> {
        let (lines, strict) = (&self.of_queue, &self.strict);
        let mut heads = Vec::new();
        self.active.retain(|at| {
            let queue = *at;
            let looked_at = lines[queue].iter().filter(|(_, line)| strict[queue] || !line.parked);
            let firsts = looked_at.flat_map(|(shape, line)| {
                line.waiting.iter().filter_map(|(local, waiting)| {
                    let (submit_ms, row) = waiting.first().copied()?;
                    let job = Waiting { queue, shape: *shape, local: *local, submit_ms, row };
                    Some((usage(queue, *local), Reverse(line.priority), job, line.parked))
                })
            });
            let by_rest = |priority: &Reverse<i32>, job: &Waiting| (*priority, job.submit_ms, job.row);
            let head = firsts.min_by(|a, b| -> Ordering {
                a.0.total_cmp(&b.0).then_with(|| by_rest(&a.1, &a.2).cmp(&by_rest(&b.1, &b.2)))
            });
            let Some((_, _, job, false)) = head else { return false };
            heads.push(job);
            true
        });
        heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_line_lets_others_pass_unless_the_queue_is_strict() {
        for (strict, second) in [(false, Some(2)), (true, None)] {
            let mut lines = Lines::new(&[strict]);
            let job = |shape, submit_ms, row| Waiting { queue: 0, shape, local: 0, submit_ms, row };
            let (urgent, usual, later) = (job(7, 10, 1), job(8, 0, 2), job(7, 11, 3));
            lines.join(urgent, 5);
            lines.join(usual, 0);
            assert_eq!(lines.heads(|_, _| 0.0), [urgent]);
            lines.park(0, 7);
            lines.join(later, 5);
            assert_eq!(lines.heads(|_, _| 0.0).first().map(|head| head.row), second, "strict {strict}");
            lines.wake(0);
            assert_eq!(lines.heads(|_, _| 0.0), [urgent]);
            lines.leave(urgent);
            assert_eq!(lines.heads(|_, _| 0.0), [later]);
        }
    }

    #[test]
    fn usage_of_local_queues_comes_before_priority_and_age() {
        let mut lines = Lines::new(&[false]);
        let job = |local, row| Waiting { queue: 0, shape: 7, local, submit_ms: 0, row };
        lines.join(job(1, 1), 0);
        lines.join(job(2, 2), 0);
        let usage = |_: usize, local: u32| if local == 1 { 3.0 } else { 2.5 };
        assert_eq!(lines.heads(usage), [job(2, 2)]);
        assert_eq!(lines.heads(|_, _| 0.0), [job(1, 1)]);
    }
}
