//! Ranks: the children of a member that have jobs in a pool, by what they hold for their weights, wherever they hold it: who
//! holds most comes first.
//!
//! Equals are taken only from those who hold more than the job's side would, which stand in front. A line is made when it is
//! asked for first; from then on whoever has started or stopped something takes his new place when it is asked for again.
//!
//! Invariant: once settled, every line stands in the order of `compare_leaves`, the last served first.
//! Absent on purpose: what follows from it (see `groups`). Layer 3; uses `tree`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Running, compare_leaves};
use crate::id::PoolId;
use crate::tree::{MemberId, Tree};

/// The lines that were asked for, and who stands in a wrong place.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ranks {
    lines: BTreeMap<(MemberId, PoolId), Vec<MemberId>>,
    moved: BTreeSet<MemberId>,
}

impl Ranks {
    /// What is held below a leaf is more or less than before.
    pub(crate) fn changed(&mut self, tree: &Tree, leaf: MemberId) {
        if !self.lines.is_empty() {
            self.moved.extend(tree.path(leaf).filter(|member| *member != MemberId::ROOT));
        }
    }

    /// Everybody takes his place.
    pub(crate) fn settle(&mut self, tree: &Tree, running: &Running) {
        let moved = core::mem::take(&mut self.moved);
        let parents: BTreeSet<MemberId> = moved.iter().map(|member| tree.member(*member).parent).collect();
        for parent in parents {
            let lines = self.lines.range_mut((parent, PoolId::new(0))..);
            for ((_, pool), line) in lines.take_while(|((above, _), _)| *above == parent) {
                line.retain(|member| !moved.contains(member));
                let here = moved.iter().copied().filter(|member| running.has_below(tree, *pool, *member));
                for member in here.filter(|member| tree.member(*member).parent == parent) {
                    let at = line.partition_point(|other| compare_leaves(tree, *other, member).is_gt());
                    line.insert(at, member);
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
        self.lines.entry((parent, pool)).or_insert_with(|| sorted(tree, running, pool, parent))
    }

    /// Whether everybody stands where sorting puts him.
    pub(crate) fn are_settled(&self, tree: &Tree, running: &Running) -> bool {
        let mut settled = self.clone();
        settled.settle(tree, running);
        settled.lines.iter().all(|((parent, pool), line)| sorted(tree, running, *pool, *parent) == *line)
    }
}

fn sorted(tree: &Tree, running: &Running, pool: PoolId, parent: MemberId) -> Vec<MemberId> {
    let mut line: Vec<MemberId> = running.children_in(pool, parent).collect();
    line.sort_unstable_by(|a, b| compare_leaves(tree, *b, *a));
    line
}
