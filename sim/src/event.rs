//! Events: what happens at an instant, in a total order.
//!
//! Order: time, then rank (completion, change of capacity, arrival, tick), then sequence number; a decision never
//! depends on chance. Arrivals are sorted already and never enter the heap. Absent on purpose: what an event does.

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
    /// When, ms.
    pub at: i64,
    /// The job.
    pub job: JobId,
    /// The attempt that ends then; another one by that time makes the event stale.
    pub attempt: u32,
}

/// An entry: the key is (time, sequence), packed so that one comparison decides.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u128,
    job: JobId,
    attempt: u32,
}

/// The completions to come, earliest first, those of one instant in the order in which they were pushed.
///
/// A heap with four children per node: half the levels of a binary one, for keys that lie next to each other.
///
/// # Complexity
///
/// O(log n) time per push and pop; 32 bytes per entry.
#[derive(Clone, Debug, Default)]
pub struct EventQueue {
    heap: Vec<Entry>,
    pushed: u64,
}

const CHILDREN: usize = 4;

fn key(at: i64, sequence: u64) -> u128 {
    // Shifts the signed range onto the unsigned one, keeping the order.
    let time = u128::from(at.abs_diff(i64::MIN));
    (time << 64) | u128::from(sequence)
}

fn time(key: u128) -> i64 {
    let shifted = u64::try_from(key >> 64).unwrap_or(u64::MAX);
    i64::MIN.wrapping_add_unsigned(shifted)
}

impl EventQueue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self { heap: Vec::new(), pushed: 0 }
    }

    /// When the first event happens, ms.
    #[must_use]
    pub fn next_time(&self) -> Option<i64> {
        self.heap.first().map(|entry| time(entry.key))
    }

    /// How many events are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Adds an event.
    pub fn push(&mut self, event: Completion) {
        let entry = Entry { key: key(event.at, self.pushed), job: event.job, attempt: event.attempt };
        self.pushed += 1;
        let mut hole = self.heap.len();
        self.heap.push(entry);
        while hole > 0 {
            let parent = (hole - 1) / CHILDREN;
            if self.heap[parent].key <= entry.key {
                break;
            }
            self.heap[hole] = self.heap[parent];
            hole = parent;
        }
        self.heap[hole] = entry;
    }

    /// Takes the first event if it happens at `now` or before.
    pub fn pop_until(&mut self, now: i64) -> Option<Completion> {
        let first = *self.heap.first()?;
        if time(first.key) > now {
            return None;
        }
        let last = self.heap.pop()?;
        if !self.heap.is_empty() {
            self.sink(last);
        }
        Some(Completion { at: time(first.key), job: first.job, attempt: first.attempt })
    }

    /// Puts `entry` into the hole at the root.
    fn sink(&mut self, entry: Entry) {
        let mut hole = 0;
        loop {
            let first = hole * CHILDREN + 1;
            let end = (first + CHILDREN).min(self.heap.len());
            let Some(least) = (first..end).min_by_key(|&child| self.heap[child].key) else { break };
            if self.heap[least].key >= entry.key {
                break;
            }
            self.heap[hole] = self.heap[least];
            hole = least;
        }
        self.heap[hole] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_time_below_zero() {
        for (a, b) in [(i64::MIN, -1), (-1, 0), (0, 1), (1, i64::MAX)] {
            assert!(key(a, 5) < key(b, 0), "{a} {b}");
            assert_eq!((time(key(a, 7)), time(key(b, 7))), (a, b));
        }
    }

    #[test]
    fn events_come_in_order_of_time_then_of_pushing() {
        use fairshare::{
            Alternative, Config, JobSpec, PoolSpec, Resources, ShapeSpec, Submission, TeamId, TeamSpec,
        };
        let node = Resources::new().gpu(1);
        let config = Config::new(vec![PoolSpec::new("p", 1, node)], vec![TeamSpec::new("t")]);
        let mut scheduler = fairshare::Scheduler::new(config).unwrap();
        let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(node))).unwrap();
        let now = fairshare::Timestamp::ZERO;
        let spec = JobSpec::new(TeamId::new(0), shape, now);
        let Submission::Queued(job) = scheduler.submit(now, spec).unwrap() else { panic!("it fits") };
        let mut queue = EventQueue::new();
        let mut expected = Vec::new();
        let mut popped = Vec::new();
        let mut state = 12_345_u64;
        for attempt in 0..2_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Few instants, so that many events share one; some pops in between.
            let at = i64::try_from(state >> 58).unwrap() - 32;
            queue.push(Completion { at, job, attempt });
            expected.push((at, attempt));
            if attempt % 5 == 4 {
                expected.sort_unstable();
                let first = expected.remove(0);
                assert_eq!(queue.next_time(), Some(first.0));
                assert_eq!(queue.pop_until(first.0 - 1), None);
                popped.push(queue.pop_until(first.0).map(|event| (event.at, event.attempt)));
                assert_eq!(popped.last().copied().flatten(), Some(first));
            }
        }
        expected.sort_unstable();
        let rest: Vec<_> =
            std::iter::from_fn(|| queue.pop_until(i64::MAX)).map(|event| (event.at, event.attempt)).collect();
        assert_eq!(rest, expected);
        assert!(queue.is_empty());
    }

    #[test]
    fn ranks_are_in_the_documented_order() {
        assert!(Rank::Completion < Rank::CapacityChange);
        assert!(Rank::CapacityChange < Rank::Arrival);
        assert!(Rank::Arrival < Rank::Tick);
    }
}
