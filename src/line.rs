//! Line: the waiting jobs of one team and one shape, in the team's own order.
//!
//! Jobs nearly always join at the end; those that do not (evicted ones, and all under an order by length) stand in a
//! heap beside the line. Where reservations are kept, a line is searchable by length instead.
//! Absent on purpose: what the jobs ask, and whether it fits. Layer 2; uses `id`, `time`.

mod by_length;

use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use self::by_length::ByLength;
use crate::id::JobId;
use crate::seldom::seldom;
use crate::time::Timestamp;

/// A job's place in its team's own order within a priority class: rank, submit time, number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// What the order of service sorts by before time: zero, or an estimated length.
    pub rank: u64,
    /// When the job entered.
    pub submit: Timestamp,
    /// The number of its submission: the order in which the caller submitted.
    pub number: u64,
}

/// The place of whoever has no job in particular: an inner member, or one without a job.
pub(crate) const NO_PLACE: Place = Place { rank: 0, submit: Timestamp::MIN, number: 0 };

/// A waiting job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Waiter {
    pub(crate) place: Place,
    pub(crate) job: JobId,
    /// Its starts so far.
    pub(crate) attempt: u32,
    /// How long it may run at full speed, in milliseconds: its limit, else its estimate, else `u64::MAX`.
    pub(crate) length: u64,
}

/// The waiting jobs of one team and one shape.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// First in first out.
    Queue(Queue),
    /// Searchable by length.
    ByLength(ByLength),
}

impl Line {
    /// An empty line.
    pub(crate) fn new(by_length: bool) -> Self {
        if by_length { Self::ByLength(ByLength::default()) } else { Self::Queue(Queue::default()) }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Queue(line) => line.len(),
            Self::ByLength(line) => line.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first job.
    #[inline]
    pub(crate) fn head(&self) -> Option<Waiter> {
        match self {
            Self::Queue(line) => line.first,
            Self::ByLength(line) => line.head(),
        }
    }

    /// The number of a job behind the first, if that is near at hand: mostly the second's.
    #[inline]
    pub(crate) fn second(&self) -> Option<u64> {
        match self {
            Self::Queue(line) => line.sorted.front().map(|waiter| waiter.place.number),
            Self::ByLength(_) => None,
        }
    }

    /// The first job, in order, of which `wanted` is true.
    pub(crate) fn first_where(&self, wanted: impl Fn(Waiter) -> bool) -> Option<Waiter> {
        match self {
            Self::Queue(line) => line.iter().copied().filter(|waiter| wanted(*waiter)).min(),
            Self::ByLength(line) => line.first_where(wanted),
        }
    }

    /// The first job, in order, that is no longer than `length`.
    pub(crate) fn first_within(&self, length: u64) -> Option<Waiter> {
        match self {
            Self::Queue(_) => self.first_where(|waiter| waiter.length <= length),
            Self::ByLength(line) => line.first_within(length),
        }
    }

    /// Adds a job at its place: O(1) at the end of a queue, O(log n) elsewhere.
    #[inline]
    pub(crate) fn push(&mut self, waiter: Waiter) {
        match self {
            Self::Queue(line) => line.push(waiter),
            Self::ByLength(line) => line.push(waiter),
        }
    }

    /// Takes any job; whether it was the first, if it was there. O(n) inside a queue.
    #[inline]
    pub(crate) fn remove(&mut self, waiter: Waiter) -> Option<bool> {
        let was_head = self.head().is_some_and(|head| head.job == waiter.job);
        let was_there = match self {
            Self::Queue(line) if was_head => line.pop().is_some(),
            Self::Queue(line) => seldom(|| line.remove(waiter)),
            Self::ByLength(line) => line.remove(waiter),
        };
        was_there.then_some(was_head)
    }

    /// How many jobs stand before `place`.
    pub(crate) fn ahead_of(&self, place: Place) -> usize {
        match self {
            Self::Queue(line) => line.ahead_of(place),
            Self::ByLength(line) => line.ahead_of(place),
        }
    }

    /// All jobs, in no particular order.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = &Waiter> + '_> {
        match self {
            Self::Queue(line) => Box::new(line.iter()),
            Self::ByLength(line) => Box::new(line.iter()),
        }
    }
}

/// Jobs that join at the end as a rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// The first of all, apart: whoever asks for it alone looks nowhere else.
    first: Option<Waiter>,
    sorted: VecDeque<Waiter>,
    others: BinaryHeap<Reverse<Waiter>>,
}

impl Queue {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.sorted.len() + self.others.len()
    }

    #[inline]
    fn push(&mut self, waiter: Waiter) {
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.push_beside(waiter);
        }
    }

    /// The same where somebody stands there.
    #[inline(never)]
    fn push_beside(&mut self, waiter: Waiter) {
        match &mut self.first {
            Some(first) if waiter < *first => self.sorted.push_front(core::mem::replace(first, waiter)),
            _ if self.sorted.back().is_none_or(|last| *last < waiter) => self.sorted.push_back(waiter),
            _ => self.others.push(Reverse(waiter)),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Waiter> {
        let next = if self.others.is_empty() { self.sorted.pop_front() } else { self.pop_merged() };
        core::mem::replace(&mut self.first, next)
    }

    /// The next behind the first, where some stand beside the line.
    #[inline(never)]
    fn pop_merged(&mut self) -> Option<Waiter> {
        match (self.sorted.front(), self.others.peek()) {
            (Some(a), Some(Reverse(b))) if b < a => self.others.pop().map(|Reverse(waiter)| waiter),
            (None, Some(_)) => self.others.pop().map(|Reverse(waiter)| waiter),
            _ => self.sorted.pop_front(),
        }
    }

    /// Takes whoever is not the first; whether it was there.
    fn remove(&mut self, waiter: Waiter) -> bool {
        if let Ok(at) = self.sorted.binary_search(&waiter) {
            return self.sorted.remove(at).is_some();
        }
        let before = self.others.len();
        self.others.retain(|Reverse(other)| *other != waiter);
        self.others.len() < before
    }

    fn ahead_of(&self, place: Place) -> usize {
        usize::from(self.first.is_some_and(|first| first.place < place))
            + self.sorted.partition_point(|waiter| waiter.place < place)
            + self.others.iter().filter(|Reverse(waiter)| waiter.place < place).count()
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        let rest = self.sorted.iter().chain(self.others.iter().map(|Reverse(waiter)| waiter));
        self.first.iter().chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(submit: i64, number: u64) -> Waiter {
        let place = Place { rank: 0, submit: Timestamp::from_millis(submit), number };
        Waiter { place, job: JobId::new(u32::try_from(number).unwrap(), 0), attempt: 0, length: 0 }
    }

    #[test]
    fn jobs_come_out_in_order_however_they_went_in() {
        let mut line = Line::new(false);
        for (submit, number) in [(5, 1), (7, 2), (3, 3), (7, 0), (4, 4)] {
            line.push(waiter(submit, number));
        }
        assert_eq!(line.ahead_of(waiter(7, 2).place), 4);
        assert_eq!(
            [(4, 4), (5, 1), (5, 9)].map(|(submit, number)| line.remove(waiter(submit, number))),
            [Some(false), Some(false), None]
        );
        let mut order = Vec::new();
        while let Some(head) = line.head() {
            assert_eq!(line.remove(head), Some(true));
            order.push(head.place.number);
        }
        assert_eq!(order, [3, 0, 2]);
    }
}
