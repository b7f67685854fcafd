//! Wakeup: when time alone may change a decision.
//!
//! Absent on purpose: bounds on evictions, and when they run out (see `reclaim`). Layer 5; uses `pending`, `holds`, `budget`.

use super::Engine;
use crate::config::Preemption;
use crate::state::State;
use crate::time::Timestamp;

impl Engine {
    /// The next instant at which it may.
    #[inline]
    pub(super) fn wakeup(&self, state: &State) -> Option<Timestamp> {
        // Else time alone changes nothing.
        let depends = self.is_ranked(state) || state.budgets.any();
        if depends { self.next_change(state) } else { None }
    }

    #[inline(never)]
    fn next_change(&self, state: &State) -> Option<Timestamp> {
        self.bounds_wakeup(state).into_iter().chain(self.lines_wakeup(state)).min()
    }

    /// Whether who comes first may change something while nobody fits: not where whatever fits may pass and nobody is stopped.
    fn is_ranked(&self, state: &State) -> bool {
        let stops = state.config.policy.preemption != Preemption::None;
        self.holds.is_some() || self.head_only || self.one_line || stops
    }

    /// When time alone may change who of those in line may start.
    fn lines_wakeup(&self, state: &State) -> Option<Timestamp> {
        if self.pending.waiting() == 0 {
            return None;
        }
        let holds = self.holds.as_ref().and_then(|holds| holds.next_change(state));
        let ranks = self.is_ranked(state).then(|| state.next_ranks()).flatten();
        // A holder whose team has spent its budget loses the reservation; nobody else gains by it.
        let spent = self.holds.is_some().then(|| state.budgets.next_spent()).flatten();
        [holds, ranks, state.budgets.next_renewal(), spent].into_iter().flatten().min()
    }
}
