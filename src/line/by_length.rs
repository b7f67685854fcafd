//! By length: waiting jobs in the order of their places, which also know the first of at most a given length.
//!
//! A search tree by place in which every node knows the shortest length below it, balanced by pseudo-random priorities
//! that depend on nothing but the job's number. What may pass a reservation is found in O(log n) however many wait.
//! Absent on purpose: what the jobs ask, and whether it fits. Layer 2; uses `line`.

use super::{Place, Waiter};

/// No node.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Node {
    waiter: Waiter,
    priority: u64,
    left: u32,
    right: u32,
    /// Jobs below it, itself included.
    size: u32,
    /// The shortest length below it, itself included.
    shortest: u64,
}

/// Waiting jobs, searchable by place and by length.
#[derive(Clone, Debug)]
pub(crate) struct ByLength {
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: u32,
    first: Option<Waiter>,
}

impl Default for ByLength {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: NONE, first: None }
    }
}

impl ByLength {
    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    pub(crate) fn len(&self) -> usize {
        self.node(self.root).map_or(0, |node| node.size as usize)
    }

    /// The shortest length of any job; `u64::MAX` without jobs.
    fn shortest(&self, at: u32) -> u64 {
        self.node(at).map_or(u64::MAX, |node| node.shortest)
    }

    /// The first job: O(1).
    #[inline]
    pub(crate) fn head(&self) -> Option<Waiter> {
        self.first
    }

    fn leftmost(&self) -> Option<Waiter> {
        let mut first = None;
        let mut at = self.root;
        while let Some(node) = self.node(at) {
            first = Some(node.waiter);
            at = node.left;
        }
        first
    }

    /// The first job, in order, of which `wanted` is true: O(log n) beyond those of which it is not.
    pub(crate) fn first_where(&self, wanted: impl Fn(Waiter) -> bool) -> Option<Waiter> {
        let mut above = Vec::new();
        let mut at = self.root;
        loop {
            while let Some(node) = self.node(at) {
                above.push(at);
                at = node.left;
            }
            let node = self.node(above.pop()?)?;
            if wanted(node.waiter) {
                return Some(node.waiter);
            }
            at = node.right;
        }
    }

    /// The first job, in order, that is no longer than `length`.
    pub(crate) fn first_within(&self, length: u64) -> Option<Waiter> {
        let mut at = self.root;
        while let Some(node) = self.node(at).filter(|node| node.shortest <= length) {
            if self.shortest(node.left) <= length {
                at = node.left;
            } else if node.waiter.length <= length {
                return Some(node.waiter);
            } else {
                at = node.right;
            }
        }
        None
    }

    /// Adds a job at its place.
    #[inline(never)]
    pub(crate) fn push(&mut self, waiter: Waiter) {
        let node = Node {
            waiter,
            priority: scatter(waiter.place.number),
            left: NONE,
            right: NONE,
            size: 1,
            shortest: waiter.length,
        };
        let at = if let Some(at) = self.free.pop() {
            self.nodes[at as usize] = node;
            at
        } else {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
        };
        self.first = Some(self.first.map_or(waiter, |first| first.min(waiter)));
        let (before, after) = self.split(self.root, waiter);
        let before = self.join(before, at);
        self.root = self.join(before, after);
    }

    /// Takes any job; whether it was there.
    #[inline(never)]
    pub(crate) fn remove(&mut self, waiter: Waiter) -> bool {
        let mut path = Vec::new();
        let mut at = self.root;
        while let Some(node) = self.node(at).filter(|node| node.waiter != waiter) {
            path.push(at);
            at = if waiter < node.waiter { node.left } else { node.right };
        }
        let Some(found) = self.node(at) else { return false };
        let mut below = self.join(found.left, found.right);
        self.free.push(at);
        for above in path.into_iter().rev() {
            let node = &mut self.nodes[above as usize];
            if waiter < node.waiter {
                node.left = below;
            } else {
                node.right = below;
            }
            self.sum_up(above);
            below = above;
        }
        self.root = below;
        if self.first == Some(waiter) {
            self.first = self.leftmost();
        }
        true
    }

    /// How many jobs stand before `place`.
    pub(crate) fn ahead_of(&self, place: Place) -> usize {
        let (mut at, mut ahead) = (self.root, 0);
        while let Some(node) = self.node(at) {
            if node.waiter.place < place {
                ahead += 1 + self.node(node.left).map_or(0, |left| left.size as usize);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        ahead
    }

    /// All jobs, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        let mut open = vec![self.root];
        core::iter::from_fn(move || {
            loop {
                if let Some(node) = self.node(open.pop()?) {
                    open.extend([node.left, node.right]);
                    return Some(&node.waiter);
                }
            }
        })
    }

    /// Makes two trees of one: the jobs before `waiter`, and the others.
    fn split(&mut self, at: u32, waiter: Waiter) -> (u32, u32) {
        let Some(node) = self.node(at) else { return (NONE, NONE) };
        if node.waiter < waiter {
            let (before, after) = self.split(node.right, waiter);
            self.nodes[at as usize].right = before;
            self.sum_up(at);
            (at, after)
        } else {
            let (before, after) = self.split(node.left, waiter);
            self.nodes[at as usize].left = after;
            self.sum_up(at);
            (before, at)
        }
    }

    /// Makes one tree of two, all jobs of the first standing before those of the second.
    fn join(&mut self, before: u32, after: u32) -> u32 {
        let (Some(first), Some(second)) = (self.node(before), self.node(after)) else {
            return if before == NONE { after } else { before };
        };
        if first.priority > second.priority {
            let joined = self.join(first.right, after);
            self.nodes[before as usize].right = joined;
            self.sum_up(before);
            before
        } else {
            let joined = self.join(before, second.left);
            self.nodes[after as usize].left = joined;
            self.sum_up(after);
            after
        }
    }

    fn sum_up(&mut self, at: u32) {
        let Some(node) = self.node(at) else { return };
        let shortest = node.waiter.length.min(self.shortest(node.left)).min(self.shortest(node.right));
        let below = [node.left, node.right].map(|child| self.node(child).map_or(0, |child| child.size));
        let node = &mut self.nodes[at as usize];
        node.shortest = shortest;
        node.size = 1 + below[0] + below[1];
    }
}

/// Spreads numbers over all 64-bit values: the finalizer of `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::id::JobId;

    fn waiter(number: u64) -> Waiter {
        let mixed = scatter(number);
        let submit = Timestamp::from_millis(i64::try_from(mixed % 50).unwrap());
        let place = Place { rank: 0, submit, number };
        Waiter {
            place,
            job: JobId::new(u32::try_from(number).unwrap(), 0),
            attempt: 0,
            length: mixed / 64 % 40,
        }
    }

    #[test]
    fn every_answer_is_that_of_a_sorted_vector() {
        let (mut tree, mut sorted) = (ByLength::default(), Vec::new());
        for step in 0..600_u64 {
            if step % 3 == 2 {
                let victim: Waiter =
                    sorted.remove(usize::try_from(scatter(step) % 64).unwrap() % sorted.len());
                assert!(tree.remove(victim) && !tree.remove(victim));
            } else {
                tree.push(waiter(step));
                sorted.push(waiter(step));
                sorted.sort_unstable();
            }
            assert_eq!((tree.len(), tree.head()), (sorted.len(), sorted.first().copied()));
            for length in 0..41 {
                let expected = sorted.iter().find(|waiter| waiter.length <= length);
                assert_eq!(tree.first_within(length), expected.copied());
            }
            let place = waiter(step).place;
            assert_eq!(tree.ahead_of(place), sorted.iter().filter(|other| other.place < place).count());
            let odd = |waiter: Waiter| waiter.place.number % 2 == 1;
            assert_eq!(tree.first_where(odd), sorted.iter().copied().find(|waiter| odd(*waiter)));
        }
        let mut all: Vec<Waiter> = tree.iter().copied().collect();
        all.sort_unstable();
        assert_eq!(all, sorted);
    }
}
