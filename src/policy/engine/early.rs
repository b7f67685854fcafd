//! Early: what a start is about to need is asked for before it is.
//!
//! Among many teams little of one is near: its job, its line, what it holds and its stands lie apart, and a start comes to
//! them one after the other.
//! Absent on purpose: everything that decides. Layer 5; uses `pending`, `lists`, `tree`.

use super::Engine;
use crate::id::ShapeId;
use crate::state::State;
use crate::tree::MemberId;

impl Engine {
    /// Reads a little of everything that a start of a member's will need: what is not near comes all at once, and not one
    /// after the other. Nothing follows from it.
    #[inline]
    pub(super) fn ask_early(&self, state: &State, member: MemberId, shape: ShapeId) {
        let held = (state.tree.hint(member), state.tree.member(member).running);
        core::hint::black_box((held, self.lists.version(member), self.pending.second(member, shape)));
    }
}
