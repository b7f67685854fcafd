//! Lack: what stops a job on a route.
//!
//! Absent on purpose: other jobs that wait. Layer 4; uses `state`, `quota`, `explain`.

use crate::explain::Blocked;
use crate::id::ShapeId;
use crate::ledger::PoolState;
use crate::quantity::Quantity;
use crate::quota::Denied;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room};
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::tree::MemberId;

/// Everything that stops a job of a leaf on every route of a shape; nothing where one is open to it.
pub(super) fn lacks_everywhere(state: &State, leaf: MemberId, shape: ShapeId) -> Vec<Blocked> {
    let mut found = Vec::new();
    for route in state.routes.shape(shape).routes() {
        let here = lacks(state, leaf, route);
        if here.is_empty() {
            return Vec::new();
        }
        found.extend(here);
    }
    once_each(found.into_iter())
}

/// Reasons without those that stop several routes alike, as a budget does, being told again.
pub(super) fn once_each(reasons: impl Iterator<Item = Blocked>) -> Vec<Blocked> {
    let mut found: Vec<Blocked> = Vec::new();
    for reason in reasons {
        if !found.contains(&reason) {
            found.push(reason);
        }
    }
    found
}

/// Everything that stops a job of a leaf on a route: room, and what its team may hold.
pub(super) fn lacks(state: &State, leaf: MemberId, id: RouteId) -> Vec<Blocked> {
    let route = state.routes.route(id);
    let (alternative, pool) = (route.alternative, route.pool);
    let mut found = lacks_of_room(state, route);
    for member in state.tree.path(leaf) {
        for (kind, over) in state.quotas.excess(member, route) {
            let (team, requested) = (state.tree.member(member).team, route.total[kind]);
            let Some((used, most)) = state.quotas.limit(member, pool, kind) else { continue };
            debug_assert!(over > Quantity::ZERO, "a limit binds that is not passed");
            found.push(Blocked::Limit { alternative, pool, kind, team, requested, used, most });
        }
    }
    match state.denies(leaf, id) {
        Some(Denied::Kept { kind, free, kept }) => {
            found.push(Blocked::Kept { alternative, pool, kind, requested: route.total[kind], free, kept });
        }
        Some(Denied::Budget { member, until }) => {
            found.push(Blocked::Budget { team: state.tree.member(member).team, until });
        }
        Some(Denied::Limit { .. }) | None => {}
    }
    found
}

/// What stops a route, whoever waits for it: every resource of which too little is free in all or on any node, else that
/// no node, or not enough of them, has all of it together.
fn lacks_of_room(state: &State, route: &Route) -> Vec<Blocked> {
    let pool = state.ledger.pool(route.pool);
    let (alternative, id) = (route.alternative, route.pool);
    let short = |asked: &Resources, free: &Resources, per_node: bool| -> Vec<Blocked> {
        let short = asked.iter().filter(|(kind, amount)| *amount > free[*kind]);
        let room = |(kind, requested): (ResourceKind, Quantity)| Blocked::Room {
            alternative,
            pool: id,
            kind,
            requested,
            free: free[kind],
            per_node,
        };
        short.map(room).collect()
    };
    let in_all = short(&route.total, pool.free(), false);
    if !in_all.is_empty() || pool.is_divisible() {
        return in_all;
    }
    let most = pool.nodes().fold(Resources::new(), |most, (_, free)| most.max_each(free.amounts()));
    let on_nodes = short(&route.request, &most, true);
    if !on_nodes.is_empty() {
        return on_nodes;
    }
    let room_for = pool.nodes().map(|(_, free)| free.times(&route.request)).fold(0, u64::saturating_add);
    if room_for == 0 && !pool.nodes().any(|(_, free)| free.by_devices(&route.request) > 0) {
        let (free, on_device) = most_gpus(pool);
        let requested = route.request[ResourceKind::GPU];
        return vec![Blocked::Device { alternative, pool: id, requested, free, on_device }];
    }
    let workers = route.workers;
    let scattered = Blocked::Scattered { alternative, pool: id, workers, room_for };
    if room_for < u64::from(workers) {
        return vec![scattered];
    }
    let rooms = pool.nodes().map(|(node, free)| (node, free.times(&route.request)));
    let room_for = pool.together(route.confined, u64::from(workers), rooms);
    if room_for < u64::from(workers) {
        return vec![Blocked::AcrossDomains { alternative, pool: id, workers, room_for }];
    }
    Vec::new()
}

/// The GPUs of the node that has most free, and of those on the device that has most, the most of equals.
fn most_gpus(pool: &PoolState) -> (Quantity, Quantity) {
    let of_node = |(_, free): (_, &Room)| {
        let shared = free.shared().iter().map(|shared| shared.free).max().unwrap_or(0);
        let on_device = if free.whole() > 0 { DEVICE } else { shared };
        (free.amounts()[ResourceKind::GPU], Quantity::new(on_device))
    };
    pool.nodes().map(of_node).max().unwrap_or_default()
}

/// What to wait for: a kind, and how much of it must become free at once.
pub(super) fn lacking(pool: &PoolState, route: &Route) -> (ResourceKind, Quantity) {
    if pool.is_divisible() {
        let short = route.total.iter().find(|(kind, amount)| *amount > pool.free()[*kind]);
        return short.unwrap_or((ResourceKind::CPU, Quantity::ZERO));
    }
    route.request.iter().next().unwrap_or((ResourceKind::CPU, Quantity::ZERO))
}
