//! Fair tree: the team that has used least for its weight comes first, by decayed usage down the tree.
//!
//! Source: Slurm's fair-tree algorithm (see `history`, which works out the ranks). Jobs are served by the rank of their
//! team, then by age. Deviations: ranks alone order the jobs, without Slurm's other factors (see `multifactor`); a
//! priority class comes first, as under every order. Absent on purpose: usage and ranks. Layer 4; uses `history`.

use core::cmp::Ordering;

use super::{Contender, Order};

/// Points of the first rank: enough that no two ranks of different value round to the same number of points.
const FIRST: u64 = 1 << 40;

/// By the rank of the team, then by submit time.
#[derive(Debug)]
pub(super) struct FairTree;

impl Order for FairTree {
    fn by_shares(&self) -> bool {
        false
    }

    fn history_points(&self) -> Option<u64> {
        Some(FIRST)
    }

    #[expect(clippy::cast_precision_loss, reason = "an ordering hint")]
    fn hint(&self, contender: &Contender<'_>) -> f64 {
        -(contender.history_points() as f64)
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        b.history_points().cmp(&a.history_points()).then_with(|| a.place().cmp(&b.place()))
    }
}
