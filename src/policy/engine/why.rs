//! Why: what stops a waiting job.
//!
//! Absent on purpose: each of the reasons (see `lack`, `backfill`, `reclaim`). Layer 5; uses `lack`, `explain`, `pending`.

use super::Engine;
use super::change::class;
use crate::error::Error;
use crate::explain::Blocked;
use crate::id::JobId;
use crate::policy::lack::{lacks, lacks_everywhere, once_each};
use crate::state::State;

impl Engine {
    /// Every reason why a job waits.
    pub(super) fn reasons(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error> {
        let waiting = state.job(job)?;
        if let Some(until) = self.out_of_line_until(state, job) {
            let routes = state.routes.shape(waiting.shape).routes();
            let lacks = routes.flat_map(|route| lacks(state, waiting.leaf, route));
            return Ok(once_each(core::iter::once(Blocked::BackOff { until }).chain(lacks)));
        }
        let mut reasons = lacks_everywhere(state, waiting.leaf, waiting.shape);
        let closed = state.routes.shape(waiting.shape).routes().find_map(|route| {
            self.watches[state.routes.route(route).pool].closed_by.filter(|blocked| *blocked != job)
        });
        reasons.extend(closed.map(|behind| Blocked::Line { behind }));
        reasons.extend(self.behind_reservations(state, job));
        reasons.extend(self.bounds_in_the_way(state, job));
        let ahead = self.pending.ahead_of(waiting.leaf, class(state, job), state.place(job));
        if ahead > 0 {
            reasons.push(Blocked::Team { ahead });
        }
        if reasons.is_empty() {
            reasons.push(Blocked::Nothing);
        }
        Ok(reasons)
    }
}
