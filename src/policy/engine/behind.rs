//! Behind: the routes of a pool that have room, and by which nobody may pass its reservation.
//!
//! In a divisible pool every start and stop changes the reservation, and hardly ever so that somebody may pass. So each route
//! is kept with the least that somebody needs who passes by it, which is compared before anything is looked up.
//!
//! Invariant: each route is there once, in the order of their numbers, and whoever waits for it needs no less.
//! Absent on purpose: who may pass (see `holds`). Layer 5; uses `route`, `reservation`.

use crate::id::{IdVec, ShapeId};
use crate::quantity::Quantity;
use crate::reservation::Reservation;
use crate::resources::ResourceKind;
use crate::route::{Route, RouteId, Routes};
use crate::time::Timestamp;

/// What nobody can do without who passes by a route.
#[derive(Clone, Copy, Debug)]
struct Need {
    route: RouteId,
    shape: ShapeId,
    /// Of one kind, what all workers ask together.
    kind: ResourceKind,
    amount: Quantity,
    /// The time until the shortest job ends that waits, ms.
    millis: u64,
}

/// The routes behind a reservation.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind(Vec<Need>);

impl Behind {
    /// Whether no route is.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(super) fn routes(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.0.iter().map(|need| need.route)
    }

    /// A route is behind the reservation from now on; the shortest job of its shape that waits has this length.
    pub(super) fn insert(&mut self, id: RouteId, route: &Route, shortest: Option<u64>) {
        let Err(at) = self.0.binary_search_by_key(&id, |need| need.route) else { return };
        let (kind, amount) = route.total.iter().next().unwrap_or((ResourceKind::GPU, Quantity::ZERO));
        self.0
            .insert(at, Need { route: id, shape: route.shape, kind, amount, millis: least(route, shortest) });
    }

    /// Whether no job needs less now than is kept of its route.
    pub(super) fn is_true(&self, routes: &Routes, shortest: &IdVec<ShapeId, Option<u64>>) -> bool {
        self.0.iter().all(|need| need.millis <= least(routes.route(need.route), shortest[need.shape]))
    }

    /// A route is no longer behind it.
    pub(super) fn remove(&mut self, route: RouteId) {
        if let Ok(at) = self.0.binary_search_by_key(&route, |need| need.route) {
            self.0.remove(at);
        }
    }

    /// The routes by which somebody may pass, if anybody may: who leaves its amount alone, ends before it, or has its shape.
    pub(super) fn hopeful(
        &self,
        now: Timestamp,
        reservation: &Reservation,
        shape: ShapeId,
    ) -> impl Iterator<Item = RouteId> + '_ {
        let (spare, window) = (reservation.spare, reservation.start.since(now).get());
        let may = move |need: &&Need| {
            need.amount <= spare[need.kind] || need.millis <= window || need.shape == shape
        };
        self.0.iter().filter(may).map(|need| need.route)
    }
}

/// How long the shortest job takes by a route, if any waits, ms.
fn least(route: &Route, shortest: Option<u64>) -> u64 {
    shortest.and_then(|length| route.takes(length)).unwrap_or(u64::MAX)
}
