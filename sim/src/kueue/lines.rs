//! Lines: who waits in which cluster queue, and who of them is looked at.
//!
//! Waiting jobs of one queue that ask the same stand in one line, oldest first. Where the head of a line finds no quota,
//! the whole line is parked until something in its cohorts ends, since whoever asks the same finds none either. Absent on
//! purpose: quota.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Jobs of one queue that ask the same.
#[derive(Debug, Default)]
struct Line {
    priority: i32,
    parked: bool,
    /// When they were submitted, and their rows.
    waiting: BTreeSet<(i64, u32)>,
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

    pub(super) fn join(&mut self, queue: usize, shape: u32, priority: i32, submit_ms: i64, row: u32) {
        let line = self.of_queue[queue].entry(shape).or_default();
        line.priority = priority;
        line.waiting.insert((submit_ms, row));
        if !line.parked {
            self.active.insert(queue);
        }
    }

    pub(super) fn leave(&mut self, queue: usize, shape: u32, submit_ms: i64, row: u32) {
        if let Some(line) = self.of_queue[queue].get_mut(&shape) {
            line.waiting.remove(&(submit_ms, row));
            if line.waiting.is_empty() && !line.parked {
                self.of_queue[queue].remove(&shape);
            }
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

    /// The head of every queue that has one: queue, shape and row.
    pub(super) fn heads(&mut self) -> Vec<(usize, u32, u32)> {
        let (lines, strict) = (&self.of_queue, &self.strict);
        let mut heads = Vec::new();
        self.active.retain(|queue| {
            let first = |(shape, line): (&u32, &Line)| {
                let (submit_ms, row) = line.waiting.first()?;
                Some(((Reverse(line.priority), *submit_ms, *row), *shape, line.parked))
            };
            let looked_at = lines[*queue].iter().filter(|(_, line)| strict[*queue] || !line.parked);
            let head = looked_at.filter_map(first).min_by_key(|(key, ..)| *key);
            let Some((key, shape, _)) = head.filter(|(.., parked)| !parked) else { return false };
            heads.push((*queue, shape, key.2));
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
            lines.join(0, 7, 5, 10, 1);
            lines.join(0, 8, 0, 0, 2);
            assert_eq!(lines.heads(), [(0, 7, 1)]);
            lines.park(0, 7);
            lines.join(0, 7, 5, 11, 3);
            assert_eq!(lines.heads().first().map(|head| head.2), second, "strict {strict}");
            lines.wake(0);
            assert_eq!(lines.heads(), [(0, 7, 1)]);
            lines.leave(0, 7, 10, 1);
            assert_eq!(lines.heads(), [(0, 7, 3)]);
        }
    }
}
