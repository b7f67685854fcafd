//! Ranks: the children of a member that have jobs in a pool, by what they hold for their weights, wherever they hold it: who
//! holds most comes first.
//!
//! Equals are taken only from those who hold more than the job's side would, which stand in front. A line is made when it is
//! asked for first; from then on whoever has started or stopped something is noted, and takes his new place when it is asked
//! for again.
//!
//! The most that anybody in a line has had of late, and the most of those who have started something since a look, are kept beside
//! it without putting anybody in order.
//!
//! Invariant: once settled, every line stands in the order of `compare_siblings`, the last served first.
//! Absent on purpose: what follows from it (see `groups`). Layer 3; uses `tree`.

use super::noted::Noted;
use super::{Running, compare_siblings};
use crate::dominant::is_plainly_more;
use crate::id::{Id as _, PoolId};
use crate::tree::{MemberId, Tree};

/// The lines that were asked for, by member.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ranks {
    lines: Vec<Vec<(PoolId, Line)>>,
    /// How often all lines of who waits were gone through.
    pub(super) looks: u64,
}

/// The children of one member that have jobs in one pool.
#[derive(Clone, Default, Debug)]
struct Line {
    order: Vec<MemberId>,
    /// Who may stand in a wrong place, or nowhere.
    moved: Noted,
    /// Nobody holds more than this, rounded, nor has since the line stood in order.
    most: f64,
    /// Whoever has started something since a look holds no more than this, rounded; and the number of that look.
    risen: (u64, f64),
}

impl Ranks {
    /// What is held below a leaf is more, since something has started, or less.
    pub(super) fn changed(&mut self, tree: &Tree, leaf: MemberId, more: bool) {
        for member in tree.path(leaf).take_while(|member| *member != MemberId::ROOT) {
            let Some(lines) = self.lines.get_mut(tree.member(member).parent.index()) else { continue };
            for (_, line) in lines {
                line.moved.note(member);
                if more {
                    let hint = tree.hint(member);
                    line.most = line.most.max(hint);
                    let risen = line.risen_since(self.looks).max(hint);
                    line.risen = (self.looks, risen);
                }
            }
        }
    }

    /// What no child of a member with jobs in a pool holds more than, rounded, and what none of those does who have started
    /// something since everybody was looked at; if they were ever asked for.
    #[inline]
    pub(super) fn most(&self, pool: PoolId, parent: MemberId) -> Option<(f64, f64)> {
        let lines = self.lines.get(parent.index())?;
        let (_, line) = lines.iter().find(|(its, _)| *its == pool)?;
        Some((line.most, line.risen_since(self.looks)))
    }

    /// The children of a member that have jobs in a pool, whoever holds most first.
    #[inline]
    pub(crate) fn line(
        &mut self,
        tree: &Tree,
        running: &Running,
        pool: PoolId,
        parent: MemberId,
    ) -> &[MemberId] {
        let known = self.lines.get(parent.index()).into_iter().flatten().position(|(its, _)| *its == pool);
        let at = known.unwrap_or_else(|| self.new_line(tree, running, pool, parent));
        let (_, line) = &mut self.lines[parent.index()][at];
        if !line.moved.is_empty() {
            line.settle(tree, running, pool);
        }
        &line.order
    }

    #[cold]
    fn new_line(&mut self, tree: &Tree, running: &Running, pool: PoolId, parent: MemberId) -> usize {
        if self.lines.len() <= parent.index() {
            self.lines.resize_with(parent.index() + 1, Vec::new);
        }
        let order = sorted(tree, running, pool, parent);
        let lines = &mut self.lines[parent.index()];
        let mut line = Line { order, ..Line::default() };
        line.note_most(tree);
        lines.push((pool, line));
        lines.len() - 1
    }

    /// Whether everybody stands where sorting puts him, once settled.
    pub(crate) fn are_right(&self, tree: &Tree, running: &Running) -> bool {
        let lines = self.lines.iter().enumerate();
        lines.flat_map(|(parent, lines)| lines.iter().map(move |line| (parent, line))).all(
            |(parent, (pool, line))| {
                let exceeds = |member| is_plainly_more(tree.hint(member), line.most);
                if running.children_in(*pool, MemberId::at(parent)).any(exceeds) {
                    return false;
                }
                let mut line = line.clone();
                line.settle(tree, running, *pool);
                line.order == sorted(tree, running, *pool, MemberId::at(parent))
            },
        )
    }
}

impl Line {
    /// Everybody takes his place.
    fn settle(&mut self, tree: &Tree, running: &Running, pool: PoolId) {
        let moved = self.moved.take();
        // Those who stay where they are stand in order, once all are gone that may not.
        for member in &moved {
            if let Some(at) = self.order.iter().position(|other| other == member) {
                self.order.remove(at);
            }
        }
        for member in moved.iter().copied().filter(|member| running.has_below(pool, *member)) {
            let at = self.order.partition_point(|other| compare_siblings(tree, *other, member).is_gt());
            self.order.insert(at, member);
        }
        self.moved.reuse(moved);
        self.note_most(tree);
    }

    /// What nobody holds more than, rounded, who has started something since a look.
    #[inline]
    fn risen_since(&self, look: u64) -> f64 {
        if self.risen.0 == look { self.risen.1 } else { 0.0 }
    }

    /// All stand in order: nobody holds more than the first.
    fn note_most(&mut self, tree: &Tree) {
        self.most = self.order.first().map_or(0.0, |first| tree.hint(*first));
    }
}

fn sorted(tree: &Tree, running: &Running, pool: PoolId, parent: MemberId) -> Vec<MemberId> {
    let mut line: Vec<MemberId> = running.children_in(pool, parent).collect();
    line.sort_unstable_by(|a, b| compare_siblings(tree, *b, *a));
    line
}
