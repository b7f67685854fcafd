//! Pending: who waits, by team and shape.
//!
//! A team's jobs stand in the order: priority class (high first), then place. Jobs of one shape share a line; a team
//! that waits has at most as many lines as it waits for shapes. Absent on purpose: whether anything fits, and which
//! team comes first. Layer 3; uses `line`, `tree`.

use core::cmp::Reverse;

use smallvec::SmallVec;

use crate::id::{IdVec, JobId, ShapeId, position};
use crate::line::{Line, Place, Waiter};
use crate::seldom::seldom;
use crate::tree::{MemberId, Tree};

/// The line of one leaf and one shape. None lies in more lines of the cache than it must, nor does a leaf.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Queue {
    shape: ShapeId,
    class: i32,
    line: Line,
    /// Where it stands in its leaf's list of lines that are not empty.
    active_at: u32,
}

#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Leaf {
    by_shape: SmallVec<[(ShapeId, u32); 2]>,
    active: SmallVec<[u32; 4]>,
    /// Where it stands in the list of leaves that wait.
    waits_at: u32,
}

const _: () = assert!(size_of::<(Queue, Leaf)>() == 192, "a line takes two lines of the cache, a leaf one");

/// What adding or taking a job did to its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// The line was empty; the place of the one who has joined it.
    Opened(Place),
    /// The line is empty now.
    Closed,
    /// The line has another head.
    Head,
    /// Only the rest of the line is different.
    Rest,
}

/// All waiting jobs.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    leaves: IdVec<MemberId, Leaf>,
    queues: Vec<Queue>,
    waiting: usize,
    /// Leaves with a job that waits, in no order that matters.
    leaves_waiting: Vec<MemberId>,
    /// Whether lines are searchable by length.
    by_length: bool,
}

impl Pending {
    pub(crate) fn new(tree: &Tree, by_length: bool) -> Self {
        Self {
            leaves: tree.ids().map(|_| Leaf::default()).collect(),
            queues: Vec::new(),
            waiting: 0,
            leaves_waiting: Vec::new(),
            by_length,
        }
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The number of a line, which it keeps.
    pub(crate) fn number(&self, leaf: MemberId, shape: ShapeId) -> Option<usize> {
        let leaf = &self.leaves[leaf];
        let at = leaf.by_shape.binary_search_by_key(&shape, |(known, _)| *known).ok()?;
        Some(leaf.by_shape[at].1 as usize)
    }

    fn queue(&self, leaf: MemberId, shape: ShapeId) -> Option<&Queue> {
        Some(&self.queues[self.number(leaf, shape)?])
    }

    fn queue_index(&mut self, leaf: MemberId, shape: ShapeId, class: i32) -> usize {
        let known = &self.leaves[leaf].by_shape;
        match known.binary_search_by_key(&shape, |(known, _)| *known) {
            Ok(at) => known[at].1 as usize,
            Err(at) => seldom(|| self.new_queue(leaf, at, (shape, class))),
        }
    }

    /// An empty line of a leaf that has none of its shape, where it belongs among its lines.
    fn new_queue(&mut self, leaf: MemberId, at: usize, (shape, class): (ShapeId, i32)) -> usize {
        let index = self.queues.len();
        let line = Line::new(self.by_length);
        self.queues.push(Queue { shape, class, line, active_at: u32::MAX });
        self.leaves[leaf].by_shape.insert(at, (shape, position(index)));
        index
    }

    /// A job joins the line of its shape.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    pub(crate) fn push(&mut self, leaf: MemberId, shape: ShapeId, class: i32, waiter: Waiter) -> Change {
        let index = self.queue_index(leaf, shape, class);
        self.waiting += 1;
        let queue = &mut self.queues[index];
        let head = queue.line.head();
        queue.line.push(waiter);
        match head {
            None => {
                let Leaf { active, waits_at, .. } = &mut self.leaves[leaf];
                queue.active_at = position(active.len());
                if active.is_empty() {
                    *waits_at = position(self.leaves_waiting.len());
                    self.leaves_waiting.push(leaf);
                }
                active.push(position(index));
                Change::Opened(waiter.place)
            }
            Some(head) if waiter < head => Change::Head,
            Some(_) => Change::Rest,
        }
    }

    /// Any job leaves its line.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    pub(crate) fn remove(&mut self, leaf: MemberId, shape: ShapeId, waiter: Waiter) -> Change {
        let index = self.queue_index(leaf, shape, 0);
        let queue = &mut self.queues[index];
        let Some(was_head) = queue.line.remove(waiter) else { return Change::Rest };
        self.waiting -= 1;
        if queue.line.is_empty() {
            let at = queue.active_at;
            let active = &mut self.leaves[leaf].active;
            active.swap_remove(at as usize);
            if let Some(moved) = active.get(at as usize) {
                self.queues[*moved as usize].active_at = at;
            }
            if active.is_empty() {
                let at = self.leaves[leaf].waits_at;
                self.leaves_waiting.swap_remove(at as usize);
                if let Some(moved) = self.leaves_waiting.get(at as usize) {
                    self.leaves[*moved].waits_at = at;
                }
            }
            Change::Closed
        } else if was_head {
            Change::Head
        } else {
            Change::Rest
        }
    }

    /// The head of a line.
    #[inline]
    pub(crate) fn head(&self, leaf: MemberId, shape: ShapeId) -> Option<Waiter> {
        self.queue(leaf, shape)?.line.head()
    }

    /// The number of a job behind the head of a line, if that is near at hand: mostly the second's.
    #[inline]
    pub(crate) fn second(&self, leaf: MemberId, shape: ShapeId) -> Option<u64> {
        self.queue(leaf, shape)?.line.second()
    }

    /// The first job of a line, in order, of which `wanted` is true.
    pub(crate) fn first_where(
        &self,
        leaf: MemberId,
        shape: ShapeId,
        wanted: impl Fn(Waiter) -> bool,
    ) -> Option<Waiter> {
        self.queue(leaf, shape)?.line.first_where(wanted)
    }

    /// The first job of a line, in order, that is no longer than `length`.
    pub(crate) fn first_within(&self, leaf: MemberId, shape: ShapeId, length: u64) -> Option<Waiter> {
        self.queue(leaf, shape)?.line.first_within(length)
    }

    /// The leaves with a job that waits, in no order that matters.
    pub(crate) fn some_waiting(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.leaves_waiting.iter().copied()
    }

    /// The same in the order of their numbers.
    pub(crate) fn leaves_waiting(&self) -> impl Iterator<Item = MemberId> + '_ {
        let mut leaves = self.leaves_waiting.clone();
        leaves.sort_unstable();
        leaves.into_iter()
    }

    /// The heads of all lines of a leaf, with their shapes and classes, in no particular order.
    #[inline]
    pub(crate) fn heads(&self, leaf: MemberId) -> impl Iterator<Item = (ShapeId, i32, Waiter)> + '_ {
        self.numbered_heads(leaf).map(|(_, head)| head)
    }

    /// The same, each with the number of its line, which it keeps.
    #[inline]
    pub(crate) fn numbered_heads(
        &self,
        leaf: MemberId,
    ) -> impl Iterator<Item = (usize, (ShapeId, i32, Waiter))> + '_ {
        self.leaves[leaf].active.iter().filter_map(|index| {
            let queue = &self.queues[*index as usize];
            Some((*index as usize, (queue.shape, queue.class, queue.line.head()?)))
        })
    }

    /// The head of a line by its number, with its class.
    #[inline]
    pub(crate) fn head_of(&self, number: usize) -> Option<(i32, Waiter)> {
        let queue = self.queues.get(number)?;
        Some((queue.class, queue.line.head()?))
    }

    /// The first job of each line of each leaf, or of each leaf alone.
    pub(crate) fn firsts(&self, one_each: bool) -> Vec<JobId> {
        let leaves = self.leaves_waiting();
        if one_each {
            return leaves.filter_map(|leaf| Some(self.first(leaf)?.1.job)).collect();
        }
        leaves.flat_map(|leaf| self.heads(leaf)).map(|(_, _, waiter)| waiter.job).collect()
    }

    /// How many lines of a leaf are not empty.
    #[inline]
    pub(crate) fn lines(&self, leaf: MemberId) -> usize {
        self.leaves[leaf].active.len()
    }

    /// The shape of the leaf's first job, in the team's own order.
    pub(crate) fn first(&self, leaf: MemberId) -> Option<(ShapeId, Waiter)> {
        let first = self.heads(leaf).min_by_key(|(_, class, waiter)| (Reverse(*class), *waiter));
        first.map(|(shape, _, waiter)| (shape, waiter))
    }

    /// How many jobs of the leaf stand before a job of `class` at `place`.
    pub(crate) fn ahead_of(&self, leaf: MemberId, class: i32, place: Place) -> usize {
        let lines = self.leaves[leaf].active.iter().map(|index| &self.queues[*index as usize]);
        lines
            .map(|queue| match queue.class.cmp(&class) {
                core::cmp::Ordering::Greater => queue.line.len(),
                core::cmp::Ordering::Equal => queue.line.ahead_of(place),
                core::cmp::Ordering::Less => 0,
            })
            .sum()
    }

    /// Every waiting job with its leaf and shape, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MemberId, ShapeId, Waiter)> + '_ {
        let leaves = self.leaves.iter().enumerate();
        leaves.flat_map(move |(index, leaf)| {
            leaf.active.iter().flat_map(move |queue| {
                let queue = &self.queues[*queue as usize];
                queue.line.iter().map(move |waiter| (MemberId::at(index), queue.shape, *waiter))
            })
        })
    }
}
