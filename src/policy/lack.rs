//! Lack: what stops a job on a route.
//!
//! Absent on purpose: other jobs that wait. Layer 4; uses `state`, `quota`, `explain`.

use crate::explain::Blocked;
use crate::ledger::PoolState;
use crate::quantity::Quantity;
use crate::quota::Denied;
use crate::resources::{ResourceKind, Resources};
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::tree::MemberId;

/// What stops a job of a leaf on a route, if anything does: room, or else what its team may hold.
pub(super) fn lack(state: &State, leaf: MemberId, id: RouteId) -> Option<Blocked> {
    let route = state.routes.route(id);
    lack_of_room(state, route).or_else(|| {
        let (alternative, pool) = (route.alternative, route.pool);
        Some(match state.denies(leaf, id)? {
            Denied::Limit { member, kind, used, most } => {
                let (team, requested) = (state.tree.member(member).team, route.total[kind]);
                Blocked::Limit { alternative, pool, kind, team, requested, used, most }
            }
            Denied::Budget { member, until } => {
                Blocked::Budget { team: state.tree.member(member).team, until }
            }
            Denied::Kept { kind, free, kept } => {
                Blocked::Kept { alternative, pool, kind, requested: route.total[kind], free, kept }
            }
        })
    })
}

/// What stops a route, whoever waits for it.
pub(super) fn lack_of_room(state: &State, route: &Route) -> Option<Blocked> {
    let pool = state.ledger.pool(route.pool);
    let (alternative, id) = (route.alternative, route.pool);
    let short = route.total.iter().find(|(kind, amount)| *amount > pool.free()[*kind]);
    if let Some((kind, requested)) = short {
        let free = pool.free()[kind];
        return Some(Blocked::Room { alternative, pool: id, kind, requested, free, per_node: false });
    }
    if pool.is_divisible() {
        return None;
    }
    let most = pool.nodes().fold(Resources::new(), |most, (_, free)| most.max_each(free));
    if let Some((kind, requested)) = route.request.iter().find(|(kind, amount)| *amount > most[*kind]) {
        return Some(Blocked::Room {
            alternative,
            pool: id,
            kind,
            requested,
            free: most[kind],
            per_node: true,
        });
    }
    let room_for = pool.nodes().map(|(_, free)| route.request.times_in(free)).fold(0, u64::saturating_add);
    let workers = route.workers;
    (room_for < u64::from(workers)).then_some(Blocked::Scattered { alternative, pool: id, workers, room_for })
}

/// What to wait for: a kind, and how much of it must become free at once.
pub(super) fn lacking(pool: &PoolState, route: &Route) -> (ResourceKind, Quantity) {
    if pool.is_divisible() {
        let short = route.total.iter().find(|(kind, amount)| *amount > pool.free()[*kind]);
        return short.unwrap_or((ResourceKind::CPU, Quantity::ZERO));
    }
    route.request.iter().next().unwrap_or((ResourceKind::CPU, Quantity::ZERO))
}
