//! Deep: searches in trees of very many levels.
//!
//! A search goes down the tree by calls of itself, level by level. Where there are too many levels for that, it starts at
//! members far down, the deepest first, whose heads it then finds there when it comes to them from above.
//! Absent on purpose: the search (see `engine`). Layer 5; uses `tree`.

use super::{Engine, Pick};
use crate::seldom::seldom;
use crate::state::State;
use crate::tree::MemberId;

impl Engine {
    /// The team that is served next.
    pub(super) fn best_of_all<const PLAIN: bool>(&mut self, state: &State) -> Option<Pick> {
        self.search += 1;
        for member in state.tree.landings() {
            seldom(|| self.head_of::<PLAIN>(state, *member));
        }
        self.best::<PLAIN>(state, MemberId::ROOT)
    }
}
