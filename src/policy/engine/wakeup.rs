//! Wakeup: when time alone may change a decision.
//!
//! Absent on purpose: bounds on evictions, and when they run out (see `reclaim`). Layer 5; uses `pending`, `holds`, `budget`.

use super::Engine;
use crate::config::Preemption;
use crate::state::State;
use crate::time::Timestamp;

impl Engine {
    /// The next instant at which it may.
    pub(super) fn wakeup(&self, state: &State) -> Option<Timestamp> {
        self.bounds_wakeup(state).into_iter().chain(self.lines_wakeup(state)).min()
    }

    /// When time alone may change who of those in line may start.
    fn lines_wakeup(&self, state: &State) -> Option<Timestamp> {
        if self.pending.waiting() == 0 {
            return None;
        }
        let holds = self.holds.as_ref().and_then(|holds| holds.next_change(state));
        // Where whatever fits may pass and nobody is stopped, who comes first changes nothing while nobody fits.
        let stops = state.config.policy.preemption != Preemption::None;
        let ranked = self.holds.is_some() || self.head_only || self.one_line || stops;
        let ranks = ranked.then(|| state.next_ranks()).flatten();
        // A holder whose team has spent its budget loses the reservation; nobody else gains by it.
        let spent = self.holds.is_some().then(|| state.budgets.next_spent()).flatten();
        [holds, ranks, state.budgets.next_renewal(), spent].into_iter().flatten().min()
    }
}
