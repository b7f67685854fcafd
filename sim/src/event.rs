//! Events: what happens at an instant, in a total order.
//!
//! Order: time, then rank (completion, change of capacity, arrival, tick), then sequence number; a decision never
//! depends on chance. Arrivals are sorted already and never enter the heap. Absent on purpose: what an event does.

use std::collections::VecDeque;

use fairshare::JobId;

/// What kind of event: earlier variants come first within an instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// A running job ends.
    Completion = 0,
    /// Nodes come or go.
    CapacityChange = 1,
    /// A job is submitted.
    Arrival = 2,
    /// Time alone may change a decision.
    Tick = 3,
}

/// The end of one attempt of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The job.
    pub job: JobId,
    /// Its row.
    pub row: u32,
    /// The attempt that ends then; another one by that time makes the event stale.
    pub attempt: u32,
}

const _: () = assert!(
    size_of::<(i64, Completion)>() == 24,
    "all that is to come is moved some dozen times, and no more of it than must be"
);

/// What is to come, earliest first, what comes at one instant in the order in which it was pushed.
///
/// A radix heap: time only goes on, so that what is to come lies in buckets by the highest bit in which its time differs
/// from that of the last event taken. The first bucket that has any has the earliest, and is spread over those before it
/// when that is its turn: nothing is compared but the times of one bucket with each other, and what lies far ahead is not
/// touched at all. Source: Ahuja, Mehlhorn, Orlin, Tarjan, "Faster algorithms for the shortest path problem", JACM 1990.
///
/// # Complexity
///
/// O(1) time per push and look; a pop O(1) amortised over the at most 64 buckets through which an event can move.
#[derive(Clone, Debug)]
pub struct EventQueue<T> {
    /// What happens at the instant of the last event taken; each with its time, ms.
    due: VecDeque<(i64, T)>,
    /// What happens later, by the highest bit in which its time differs from that instant.
    later: [Bucket<T>; BITS],
    /// The buckets that have any, as bits.
    filled: u64,
    /// That instant, counted from the first of all.
    now: u64,
}

const BITS: usize = u64::BITS as usize;

/// Events whose times begin with the same bits.
#[derive(Clone, Debug)]
struct Bucket<T> {
    events: Vec<(i64, T)>,
    /// The earliest time of them.
    first: i64,
}

/// Shifts the signed range onto the unsigned one, keeping the order.
fn unsigned(at: i64) -> u64 {
    at.abs_diff(i64::MIN)
}

fn signed(at: u64) -> i64 {
    i64::MIN.wrapping_add_unsigned(at)
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> EventQueue<T> {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        let later = [const { Bucket { events: Vec::new(), first: i64::MAX } }; BITS];
        Self { due: VecDeque::new(), later, filled: 0, now: 0 }
    }

    /// When the first event happens, ms.
    #[must_use]
    pub fn next_time(&self) -> Option<i64> {
        if self.due.is_empty() { Some(self.first_later()?.1) } else { Some(signed(self.now)) }
    }

    /// How many events are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len() + self.later.iter().map(|bucket| bucket.events.len()).sum::<usize>()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.filled == 0
    }

    /// Adds what happens at a time, ms. What should have happened before the last one taken happens at once.
    pub fn push(&mut self, at: i64, event: T) {
        let differs = unsigned(at).max(self.now) ^ self.now;
        let Some(bit) = differs.checked_ilog2() else { return self.due.push_back((at, event)) };
        let bucket = &mut self.later[bit as usize];
        bucket.first = bucket.first.min(at);
        bucket.events.push((at, event));
        self.filled |= 1 << bit;
    }

    /// All that is to come, in no order that matters.
    pub(crate) fn events_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let later = self.later.iter_mut().flat_map(|bucket| &mut bucket.events);
        self.due.iter_mut().chain(later).map(|(_, event)| event)
    }

    /// Takes the first event, with its time, if it happens at `now` or before.
    pub fn pop_until(&mut self, now: i64) -> Option<(i64, T)> {
        if self.due.is_empty() {
            let (bit, first) = self.first_later()?;
            if first > now {
                return None;
            }
            self.spread(bit, first);
        }
        if signed(self.now) > now { None } else { self.due.pop_front() }
    }

    /// The first bucket that has any events, and the earliest time of them.
    fn first_later(&self) -> Option<(usize, i64)> {
        let bit = self.filled.trailing_zeros() as usize;
        Some((bit, self.later.get(bit)?.first))
    }

    /// Moves the clock on to the earliest time of the first bucket, all of whose events then belong to those before it.
    fn spread(&mut self, bit: usize, first: i64) {
        self.now = unsigned(first);
        self.filled &= !(1 << bit);
        let bucket = &mut self.later[bit];
        bucket.first = i64::MAX;
        let mut events = core::mem::take(&mut bucket.events);
        events.drain(..).for_each(|(at, event)| self.push(at, event));
        self.later[bit].events = events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_times_keep_the_order() {
        for (a, b) in [(i64::MIN, -1), (-1, 0), (0, 1), (1, i64::MAX)] {
            assert!(unsigned(a) < unsigned(b), "{a} {b}");
            assert_eq!((signed(unsigned(a)), signed(unsigned(b))), (a, b));
        }
    }

    #[test]
    fn events_come_in_order_of_time_then_of_pushing() {
        let mut queue = EventQueue::new();
        let mut expected = Vec::new();
        let (mut now, mut popped) = (-5_000_i64, 0);
        let mut state = 12_345_u64;
        for attempt in 0..5_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Mostly few instants, so that many events share one; some far ahead; some pops in between.
            let ahead = if attempt % 7 == 0 { state >> (20 + attempt % 44) } else { state >> 59 };
            let at = now.saturating_add_unsigned(ahead);
            queue.push(at, attempt);
            expected.push((at, attempt));
            if attempt % 5 >= 3 {
                expected.sort_unstable();
                let first = expected.remove(0);
                assert_eq!(queue.next_time(), Some(first.0));
                assert_eq!(queue.pop_until(first.0 - 1), None);
                assert_eq!(queue.pop_until(first.0), Some(first));
                (now, popped) = (first.0, popped + 1);
                assert_eq!(queue.len(), expected.len());
            }
        }
        assert_eq!(popped, 2_000);
        // What should have happened already happens next.
        queue.push(i64::MIN, 5_000);
        assert_eq!(queue.next_time(), Some(now));
        let event = queue.pop_until(now);
        expected.sort_unstable();
        if expected[0].0 == now {
            assert_eq!(event, Some(expected.remove(0)));
            expected.insert(expected.partition_point(|(at, _)| *at == now), (i64::MIN, 5_000));
        } else {
            assert_eq!(event, Some((i64::MIN, 5_000)));
        }
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop_until(i64::MAX)).collect();
        assert_eq!(rest, expected);
        assert!(queue.is_empty() && queue.next_time().is_none());
    }

    #[test]
    fn ranks_are_in_the_documented_order() {
        assert!(Rank::Completion < Rank::CapacityChange);
        assert!(Rank::CapacityChange < Rank::Arrival);
        assert!(Rank::Arrival < Rank::Tick);
    }
}
