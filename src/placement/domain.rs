//! Domain: in which fabric domain of a pool a gang goes that may not leave one.
//!
//! Best fit, by either measure, and the fragmentation gradient take the tightest domain: of those with room for all workers
//! the one with room for the fewest. First fit takes the first with room for all, and random gives each of them the same
//! chance. Equal: the first. Inside the domain nodes are tried as everywhere else.
//! Layer 3; uses `ledger`, `room`, `route`.

use super::{Seats, random};
use crate::config::Placement;
use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::room::Room;
use crate::route::Route;

/// Whether a domain has room for all workers now on other nodes than those in `avoid`, which is sorted.
pub(super) fn has_room(pool: &PoolState, route: &Route, avoid: &[NodeId]) -> bool {
    let workers = u64::from(route.workers);
    candidates(pool, route).any(|domain| {
        let nodes = pool.nodes_of(domain).filter(|(node, _)| avoid.binary_search(node).is_err());
        let rooms = nodes.map(|(node, free)| (node, free.times(&route.request)));
        pool.together(true, workers, rooms) >= workers
    })
}

/// The nodes that hold a worker, of the domains that may have room for all of them, in order.
pub(super) fn nodes<'a>(
    pool: &'a PoolState,
    route: &'a Route,
) -> impl Iterator<Item = (NodeId, &'a Room)> + 'a {
    let nodes = candidates(pool, route).flat_map(|domain| pool.nodes_of(domain));
    nodes.filter(|(_, free)| free.fits(&route.request))
}

fn candidates<'a>(pool: &'a PoolState, route: &'a Route) -> impl Iterator<Item = usize> + 'a {
    let workers = u64::from(route.workers);
    (0..pool.domain_count()).filter(move |domain| pool.may_hold_in(*domain, &route.request, workers))
}

/// Chooses the domain, of nodes in order that hold a worker each, and fills it; whether all workers have room in one.
pub(super) fn fill(seats: &Seats<'_>, nodes: &[(NodeId, &Room)], spans: &mut Vec<Span>) -> bool {
    let pool = seats.pool;
    let domains = nodes.chunk_by(|(a, _), (b, _)| pool.domain_of(*a) == pool.domain_of(*b));
    let ranked = domains.filter_map(|here| {
        let rooms = here.iter().map(|(_, free)| free.times(seats.request));
        let room = rooms.fold(0, u64::saturating_add);
        let rank = match pool.placement() {
            Placement::BestFit | Placement::BestFitGpu | Placement::Fragmentation => room,
            Placement::FirstFit => 0,
            Placement::Random => random::of_domain(pool, pool.domain_of(here.first()?.0)),
        };
        (room >= u64::from(seats.workers)).then_some((rank, here))
    });
    let first = ranked.min_by_key(|(rank, _)| *rank).map(|(_, here)| here);
    seats.fill_ranked(first.unwrap_or_default().iter().copied(), spans)
}
