//! Enough: whether a job could have room on nodes at all once all are gone who may be stopped for it, before any of them is looked
//! at alone.
//!
//! Mostly a search on nodes finds nobody because nobody could make the room on any node. Counted is the first resource that the
//! job asks alone, which is GPUs where it asks any. Absent on purpose: who may be stopped (see `groups`), and what they could
//! make of a pool as a whole (there too). Layer 3; uses `state`, `ledger`.

use crate::id::NodeId;
use crate::reclaim::groups::Groups;
use crate::route::RouteId;
use crate::state::State;

/// Whether all workers of a job could have room by a route on nodes that are not left alone; in the memory of `free`, which
/// is empty before and after.
pub(super) fn could_have_room(
    state: &State,
    groups: &mut Groups<'_>,
    (route, avoid): (RouteId, &[NodeId]),
    free: &mut Vec<u64>,
) -> bool {
    let route = state.routes.route(route);
    let pool = state.ledger.pool(route.pool);
    let Some((kind, asked)) = route.request.iter().next().filter(|_| !pool.is_divisible()) else {
        return true;
    };
    let is_left_alone = |node: NodeId| avoid.binary_search(&node).is_ok();
    free.resize(pool.nodes_configured() as usize, 0);
    let mut seats = 0_u64;
    for (node, room) in pool.nodes().filter(|(node, _)| !is_left_alone(*node)) {
        let amount = room.amounts()[kind].get();
        free[node.index()] = amount;
        seats = seats.saturating_add(amount / asked.get());
    }
    let mut number = 0;
    while seats < u64::from(route.workers)
        && let Some(group) = groups.get(number)
    {
        number += 1;
        let held = state.routes.route(group.route).request[kind].get();
        let jobs = group.alike.jobs(state).filter(|_| held > 0);
        for span in jobs.flat_map(|job| state.spans(job)).filter(|span| !is_left_alone(span.node)) {
            let here = &mut free[span.node.index()];
            let before = *here / asked.get();
            *here = here.saturating_add(held.saturating_mul(u64::from(span.workers)));
            seats = seats.saturating_add(*here / asked.get() - before);
        }
    }
    free.clear();
    seats >= u64::from(route.workers)
}
