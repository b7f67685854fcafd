//! Noted: members of whom something has changed, noted as often as it does and each told once.
//!
//! Absent on purpose: what follows from it. Layer 3; uses `tree`.

use crate::tree::MemberId;

/// Members, some perhaps more than once.
#[derive(Clone, Default, Debug)]
pub(super) struct Noted(Vec<MemberId>);

impl Noted {
    /// Constant time, amortised; never more room than for a few times as many as there are.
    #[inline]
    pub(super) fn note(&mut self, member: MemberId) {
        if self.0.last() == Some(&member) {
            return;
        }
        if self.0.len() == self.0.capacity() {
            self.make_room();
        }
        self.0.push(member);
    }

    #[cold]
    fn make_room(&mut self) {
        self.settle();
        self.0.reserve(self.0.len() + 4);
    }

    /// Them all, each once, and forgets them.
    pub(super) fn take(&mut self) -> Vec<MemberId> {
        self.settle();
        core::mem::take(&mut self.0)
    }

    /// Those that `take` gave, so that their room is used again.
    pub(super) fn reuse(&mut self, mut taken: Vec<MemberId>) {
        taken.clear();
        self.0 = taken;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn settle(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }
}
