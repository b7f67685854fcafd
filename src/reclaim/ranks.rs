//! Ranks: the children of a member that have jobs in a pool, by what they hold for their weights, wherever they hold it: who
//! holds most comes first.
//!
//! Equals are taken only from those who hold more than the job's side would, which stand in front. A line is made when it is
//! asked for first; from then on whoever has started or stopped something is noted, and takes his new place when it is asked
//! for again.
//!
//! Invariant: once settled, every line stands in the order of `compare_siblings`, the last served first.
//! Absent on purpose: what follows from it (see `groups`). Layer 3; uses `tree`.

use std::collections::BTreeMap;

use super::{Running, compare_siblings};
use crate::id::PoolId;
use crate::tree::{MemberId, Tree};

/// The lines that were asked for.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ranks(BTreeMap<(MemberId, PoolId), Line>);

/// The children of one member that have jobs in one pool.
#[derive(Clone, Default, Debug)]
struct Line {
    order: Vec<MemberId>,
    /// Who may stand in a wrong place, or nowhere.
    moved: Vec<MemberId>,
}

impl Ranks {
    /// What is held below a leaf is more or less than before.
    pub(crate) fn changed(&mut self, tree: &Tree, leaf: MemberId) {
        if self.0.is_empty() {
            return;
        }
        for member in tree.path(leaf).filter(|member| *member != MemberId::ROOT) {
            let parent = tree.member(member).parent;
            let lines = self.0.range_mut((parent, PoolId::new(0))..);
            for (_, line) in lines.take_while(|((above, _), _)| *above == parent) {
                if !line.moved.contains(&member) {
                    line.moved.push(member);
                }
            }
        }
    }

    /// The children of a member that have jobs in a pool, whoever holds most first.
    pub(crate) fn line(
        &mut self,
        tree: &Tree,
        running: &Running,
        pool: PoolId,
        parent: MemberId,
    ) -> &[MemberId] {
        let new = || Line { order: sorted(tree, running, pool, parent), moved: Vec::new() };
        let line = self.0.entry((parent, pool)).or_insert_with(new);
        line.settle(tree, running, pool);
        &line.order
    }

    /// Whether everybody stands where sorting puts him, once settled.
    pub(crate) fn are_right(&self, tree: &Tree, running: &Running) -> bool {
        self.0.iter().all(|((parent, pool), line)| {
            let mut line = line.clone();
            line.settle(tree, running, *pool);
            line.order == sorted(tree, running, *pool, *parent)
        })
    }
}

impl Line {
    /// Everybody takes his place.
    fn settle(&mut self, tree: &Tree, running: &Running, pool: PoolId) {
        // Those who stay where they are stand in order, once all are gone that may not.
        for member in &self.moved {
            if let Some(at) = self.order.iter().position(|other| other == member) {
                self.order.remove(at);
            }
        }
        for member in self.moved.drain(..).filter(|member| running.has_below(tree, pool, *member)) {
            let at = self.order.partition_point(|other| compare_siblings(tree, *other, member).is_gt());
            self.order.insert(at, member);
        }
    }
}

fn sorted(tree: &Tree, running: &Running, pool: PoolId, parent: MemberId) -> Vec<MemberId> {
    let mut line: Vec<MemberId> = running.children_in(pool, parent).collect();
    line.sort_unstable_by(|a, b| compare_siblings(tree, *b, *a));
    line
}
