//! Placement: on which nodes of a pool the workers of a job go.
//!
//! All workers find room or none does; nothing is changed here. Absent on purpose: which pool, and whose job.
//! Layer 3; uses `ledger`, `route`.

mod best_fit;

use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::route::Route;

/// Puts into `spans` where the workers of `route` would go now; whether there is room for all of them. A divisible pool
/// has no nodes: the list stays empty. The nodes in `avoid`, which is sorted, are left alone.
#[inline]
pub(crate) fn find(pool: &PoolState, route: &Route, avoid: &[NodeId], spans: &mut Vec<Span>) -> bool {
    spans.clear();
    if !route.total.fits_in(pool.free()) {
        return false;
    }
    pool.is_divisible() || best_fit::find(pool, route, avoid, spans)
}
