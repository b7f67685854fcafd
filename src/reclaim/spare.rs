//! Spare: a copy of the team tree from which victims are taken away on trial.
//!
//! A search borrows it and returns it as it was; between two searches only those members are copied again of which anything has
//! started or stopped.
//! Absent on purpose: whom a search takes away (see `search`). Layer 3; uses `tree`.

use super::noted::Noted;
use crate::tree::{MemberId, Tree};

/// The copy, once it was asked for.
#[derive(Clone, Default, Debug)]
pub(crate) struct Spare {
    tree: Option<Tree>,
    /// Leaves of which something has started or stopped since it was returned.
    changed: Noted,
}

impl Spare {
    /// Something of a leaf has started or stopped.
    pub(super) fn changed(&mut self, leaf: MemberId) {
        if self.tree.is_some() {
            self.changed.note(leaf);
        }
    }

    /// A tree like this one, to be returned as it is.
    pub(super) fn lend(&mut self, tree: &Tree) -> &mut Tree {
        let spare = self.tree.get_or_insert_with(|| tree.clone());
        let changed = self.changed.take();
        for leaf in &changed {
            spare.follow(tree, *leaf);
        }
        self.changed.reuse(changed);
        spare
    }

    /// Whether everything in it is as in the tree that it follows, but what has changed since.
    pub(super) fn is_right(&self, tree: &Tree) -> bool {
        let mut spare = self.clone();
        self.tree.is_none() || spare.lend(tree).holds_the_same(tree)
    }
}
