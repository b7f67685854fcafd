//! Asleep: the lines at whose first jobs reclaim need not look, since nobody can be stopped for any job of theirs.
//!
//! A line falls asleep where no rival of any of its teams has as much as that team would have with one more of its jobs, and it is
//! guaranteed nowhere. It wakes when somebody beside any of its teams has started something, has jobs in one of its pools and as
//! much then; when something stops below its own team at the top, so that this has less; and when a job of a lower class than its
//! own runs where none did. A rival that stops something has less and lets it sleep, a start of its own teams need not wake it.
//!
//! Invariant: every line that is not empty is awake or asleep; of those asleep every job is hopeless.
//! Absent on purpose: what is plain of a line (see `reclaim`). Layer 5; uses `reclaim`, `state`.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::dominant::is_plainly_more;
use crate::id::{IdVec, PoolId, ShapeId, position};
use crate::reclaim::{Running, would_hold};
use crate::state::State;
use crate::tree::{MemberId, Tree};

/// What no child of a member that has jobs in a pool may have, as the bits of a hint: in their order, since none is negative.
type Guard = (PoolId, MemberId, u64);

/// Who sleeps against the same: of the children of one member those with jobs in one pool.
type Guarded = (PoolId, BTreeSet<(u64, u32)>);

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    /// In no list: it was empty when it was looked at last, or never opened.
    Nowhere,
    /// Its position among those that are looked at.
    Awake(u32),
    /// Its position among those that sleep below its team at the top.
    Asleep(u32),
}

/// One line.
#[derive(Clone, Debug)]
struct Sleeper {
    leaf: MemberId,
    shape: ShapeId,
    stands: Stands,
    /// While it sleeps.
    guards: SmallVec<[Guard; 1]>,
}

/// All lines that have ever been opened, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Asleep {
    lines: Vec<Sleeper>,
    awake: Vec<u32>,
    /// Those that sleep, by their teams at the top.
    below: IdVec<MemberId, Vec<u32>>,
    /// By parent and pool: what wakes whom.
    guards: IdVec<MemberId, Vec<Guarded>>,
    /// The lowest class that ran after the last start or stop.
    lowest: Option<i32>,
}

impl Asleep {
    pub(super) fn new(tree: &Tree) -> Self {
        Self {
            lines: Vec::new(),
            awake: Vec::new(),
            below: tree.ids().map(|_| Vec::new()).collect(),
            guards: tree.ids().map(|_| Vec::new()).collect(),
            lowest: None,
        }
    }

    /// A line is not empty any more.
    pub(super) fn opened(&mut self, number: usize, leaf: MemberId, shape: ShapeId) {
        while self.lines.len() <= number {
            self.lines.push(Sleeper { leaf, shape, stands: Stands::Nowhere, guards: SmallVec::new() });
        }
        let line = &mut self.lines[number];
        if line.stands == Stands::Nowhere {
            (line.leaf, line.shape) = (leaf, shape);
            self.list(number);
        }
    }

    /// A line is looked at from now on.
    fn list(&mut self, number: usize) {
        self.lines[number].stands = Stands::Awake(position(self.awake.len()));
        self.awake.push(position(number));
    }

    /// One of the lines that are looked at, with its leaf and shape.
    #[inline]
    pub(super) fn awake(&self, at: usize) -> Option<(usize, MemberId, ShapeId)> {
        let number = *self.awake.get(at)? as usize;
        let line = &self.lines[number];
        Some((number, line.leaf, line.shape))
    }

    /// A line leaves those that are awake, the last of which takes its position.
    pub(super) fn close(&mut self, number: usize) {
        let Stands::Awake(at) = self.lines[number].stands else { return };
        self.awake.swap_remove(at as usize);
        if let Some(moved) = self.awake.get(at as usize) {
            self.lines[*moved as usize].stands = Stands::Awake(at);
        }
        self.lines[number].stands = Stands::Nowhere;
    }

    /// A line that is awake falls asleep, since no rival has as much as its teams would have.
    pub(super) fn sleep(&mut self, state: &State, number: usize) {
        self.close(number);
        let (tree, line) = (&state.tree, &mut self.lines[number]);
        let top = tree.below_root(line.leaf);
        let below = &mut self.below[top];
        line.stands = Stands::Asleep(position(below.len()));
        below.push(position(number));
        for route in state.routes.shape(line.shape).routes() {
            let pool = state.routes.route(route).pool;
            for mine in tree.path(line.leaf).take_while(|member| *member != MemberId::ROOT) {
                let enough = would_hold(state, route, (mine, mine)).to_bits();
                let parent = tree.member(mine).parent;
                line.guards.push((pool, parent, enough));
                let guards = &mut self.guards[parent];
                let at = guards.iter().position(|(its, _)| *its == pool).unwrap_or_else(|| {
                    guards.push((pool, BTreeSet::new()));
                    guards.len() - 1
                });
                guards[at].1.insert((enough, position(number)));
            }
        }
    }

    /// A line wakes, if it sleeps.
    fn wake(&mut self, tree: &Tree, number: usize) {
        let line = &mut self.lines[number];
        let Stands::Asleep(at) = line.stands else { return };
        for (pool, parent, enough) in line.guards.drain(..) {
            if let Some((_, guards)) = self.guards[parent].iter_mut().find(|(its, _)| *its == pool) {
                guards.remove(&(enough, position(number)));
            }
        }
        let below = &mut self.below[tree.below_root(line.leaf)];
        below.swap_remove(at as usize);
        if let Some(moved) = below.get(at as usize).copied() {
            self.lines[moved as usize].stands = Stands::Asleep(at);
        }
        self.list(number);
    }

    /// Something of a leaf has started: lines wake whose teams would not have plainly more than the leaf's teams beside them have now.
    pub(super) fn started(&mut self, state: &State, running: &Running, leaf: MemberId) {
        self.settle_lowest(state, running);
        let tree = &state.tree;
        for member in tree.path(leaf).take_while(|member| *member != MemberId::ROOT) {
            let parent = tree.member(member).parent;
            let has = tree.hint(member);
            let stays = |enough: u64| is_plainly_more(f64::from_bits(enough), has);
            for at in 0..self.guards[parent].len() {
                let pool = self.guards[parent][at].0;
                if !running.has_below(pool, member) {
                    continue;
                }
                while let Some((enough, number)) = self.guards[parent][at].1.first().copied()
                    && !stays(enough)
                {
                    self.wake(tree, number as usize);
                }
            }
        }
    }

    /// Something of a leaf has stopped: so much less do its own teams have.
    pub(super) fn stopped(&mut self, state: &State, running: &Running, leaf: MemberId) {
        self.settle_lowest(state, running);
        let tree = &state.tree;
        let top = tree.below_root(leaf);
        while let Some(number) = self.below[top].last() {
            let number = *number as usize;
            self.wake(tree, number);
        }
    }

    /// Where a job of a lower class runs than all others did, or the first of all, lines of higher classes wake.
    fn settle_lowest(&mut self, state: &State, running: &Running) {
        let before = core::mem::replace(&mut self.lowest, running.lowest());
        let Some(now) = self.lowest.filter(|now| before.is_none_or(|before| *now < before)) else { return };
        for number in 0..self.lines.len() {
            if state.routes.shape(self.lines[number].shape).class > now {
                self.wake(&state.tree, number);
            }
        }
    }

    /// Whether a line that is not empty sleeps; `None` if it is not where it says.
    pub(super) fn sleeps(&self, tree: &Tree, number: usize) -> Option<bool> {
        let (line, number) = (self.lines.get(number)?, position(number));
        let guarded = |(pool, parent, enough): &Guard| {
            let mut guards = self.guards[*parent].iter();
            guards.any(|(its, guards)| its == pool && guards.contains(&(*enough, number)))
        };
        let (sleeps, list, at) = match line.stands {
            Stands::Nowhere => return None,
            Stands::Awake(at) => (false, &self.awake, at),
            Stands::Asleep(at) => (true, &self.below[tree.below_root(line.leaf)], at),
        };
        let stands = list.get(at as usize) == Some(&number) && line.guards.is_empty() != sleeps;
        (stands && line.guards.iter().all(guarded)).then_some(sleeps)
    }

    /// How many guards belong to lines that do not sleep: none.
    pub(super) fn strays(&self) -> usize {
        let all = self.guards.iter().flatten().flat_map(|(_, guards)| guards);
        all.filter(|(_, number)| !matches!(self.lines[*number as usize].stands, Stands::Asleep(_))).count()
    }
}
