//! Behind: the routes of a pool that have room, and by which nobody may pass its reservation.
//!
//! In a divisible pool every start and stop changes the reservation, and hardly ever so that somebody may pass. So each route
//! is kept with the least that somebody needs who passes by it, which is compared before anything is looked up. In a pool with
//! nodes only the time of it counts, while a reservation keeps its nodes; once it has others, all routes are asked for.
//!
//! Invariant: whoever waits for a route needs no less than is kept of it.
//! Absent on purpose: who may pass (see `holds`). Layer 5; uses `route`, `reservation`.

use crate::id::{IdVec, ShapeId, position};
use crate::quantity::Quantity;
use crate::reservation::Reservation;
use crate::resources::ResourceKind;
use crate::route::{Route, RouteId, Routes};
use crate::time::Timestamp;

/// What nobody can do without who passes by a route.
#[derive(Clone, Copy, Debug)]
struct Need {
    shape: ShapeId,
    /// Of one kind, what all workers ask together.
    kind: ResourceKind,
    amount: Quantity,
    /// The time until the shortest job ends that waits, ms.
    millis: u64,
}

/// The routes behind a reservation, in no order that matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind(Vec<(RouteId, Need)>);

impl Behind {
    /// Whether no route is.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(super) fn routes(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.0.iter().map(|(route, _)| *route)
    }

    /// A route is behind the reservation from now on; the shortest job of its shape that waits has this length. Where it stands.
    pub(super) fn insert(&mut self, id: RouteId, route: &Route, shortest: Option<u64>) -> u32 {
        let (kind, amount) = route.total.iter().next().unwrap_or((ResourceKind::GPU, Quantity::ZERO));
        let at = position(self.0.len());
        self.0.push((id, Need { shape: route.shape, kind, amount, millis: least(route, shortest) }));
        at
    }

    /// Whether no job needs less now than is kept of its route.
    pub(super) fn is_true(&self, routes: &Routes, shortest: &IdVec<ShapeId, Option<u64>>) -> bool {
        self.0.iter().all(|(id, need)| need.millis <= least(routes.route(*id), shortest[need.shape]))
    }

    /// The route that stands there is no longer behind it; which one stands there instead, if any does.
    pub(super) fn remove(&mut self, at: u32) -> Option<RouteId> {
        self.0.swap_remove(at as usize);
        self.0.get(at as usize).map(|(moved, _)| *moved)
    }

    /// The routes by which somebody may pass, if anybody may: who leaves its amount alone, ends before it, or has its shape.
    pub(super) fn hopeful(
        &self,
        now: Timestamp,
        reservation: &Reservation,
        shape: ShapeId,
    ) -> impl Iterator<Item = RouteId> + '_ {
        let (spare, window) = (reservation.spare, reservation.start.since(now).get());
        let may = move |need: &Need| {
            need.amount <= spare[need.kind] || need.millis <= window || need.shape == shape
        };
        self.0.iter().filter(move |(_, need)| may(need)).map(|(route, _)| *route)
    }
}

/// How long the shortest job takes by a route, if any waits, ms.
fn least(route: &Route, shortest: Option<u64>) -> u64 {
    shortest.and_then(|length| route.takes(length)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{JobId, PoolId};
    use crate::resources::Resources;
    use crate::time::Millis;

    proptest! {
        #[test]
        fn whoever_may_pass_is_hopeful(
            (asked, spare) in ([0..4_u64, 0..4_u64], [0..4_u64, 0..4_u64]),
            (speed_milli, moving, window) in (1..2_500_u32, 0..20_u64, 0..40_u64),
            (near, far) in (prop::option::of(0..3_u64), prop::option::of(prop_oneof![0..u64::MAX, Just(u64::MAX)])),
            (shape, holders) in (0..2_u32, 0..2_u32),
        ) {
            // The longest that ends in time, one more or one less; or any.
            let just = window.saturating_sub(moving) * u64::from(speed_milli) / 1_000;
            let shortest = near.map(|near| (just + near).saturating_sub(1)).or(far);
            let amounts = |[gpu, cpu]: [u64; 2]| Resources::new().gpu(gpu).cpu(cpu);
            let route = Route {
                shape: ShapeId::new(shape),
                alternative: 0,
                pool: PoolId::new(0),
                request: amounts(asked),
                workers: 1,
                confined: false,
                total: amounts(asked),
                speed_milli,
                moving: Millis::new(moving),
            };
            let id = RouteId::at(0);
            let (now, start) = (Timestamp::ZERO, Timestamp::from_millis(window.cast_signed()));
            let held =
                Reservation { job: JobId::new(0, 0), route: id, start, nodes: Vec::new(), spare: amounts(spare) };
            let mut behind = Behind::default();
            behind.insert(id, &route, shortest);
            let hopeful = behind.hopeful(now, &held, ShapeId::new(holders)).next().is_some();
            let longest = held.longest_before(now, &route);
            let in_time = shortest.zip(longest).is_some_and(|(shortest, longest)| shortest <= longest);
            let passes = route.total.fits_in(&held.spare) || in_time || shape == holders;
            prop_assert!(hopeful || !passes);
            // And hardly anybody else is: an instant, and what is asked beside the first resource.
            let first = asked.iter().zip(spare).find(|(asked, _)| **asked > 0);
            let fits = first.is_none_or(|(asked, spare)| *asked <= spare);
            let at_once = window == 0 && least(&route, shortest) == 0;
            prop_assert_eq!(hopeful, fits || in_time || shape == holders || at_once);
        }
    }
}
