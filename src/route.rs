//! Routes: the ways in which the jobs of a shape can start, best first.
//!
//! A route is one alternative of a shape in one pool. Routes are worked out once, when a shape is interned: which pools
//! are eligible, which could hold the job if they were empty, and in which order they are tried: the fewest data sets that
//! are elsewhere, then the highest speed for the share that is charged, then the lowest price for the work, then the
//! scenario's order.
//!
//! Where data sets of known size are moved, what counts instead is the cost of all, egress and GPUs that wait for data
//! included, and then the share that is charged times the time for which it is held: the same for one whose data are there
//! as its speed for that share. That order depends on how long a job is thought to run. Each order that a submitted job asks
//! for is a shape of its own then, a *variant* of the one that was interned, so that a decision knows of routes in one order
//! only. Two routes change places at one length, but for rounding: of R routes there are hardly more than R (R - 1) / 2
//! variants. Absent on purpose: what is free now. Layer 3; uses the specifications, `transfer` and `value`.

use core::cmp::{Ordering, Reverse};
use core::ops::Range;
use std::collections::BTreeMap;

use crate::config::Config;
use crate::decision::Rejection;
use crate::error::{Error, ErrorKind};
use crate::id::{Id, IdVec, PoolId, ShapeId};
use crate::job::{Alternative, Eligible, ShapeSpec};
use crate::money::PriceUnit;
use crate::pool::PoolSpec;
use crate::resources::{ResourceKind, ResourceKinds, Resources};
use crate::room::Room;
use crate::time::Millis;
use crate::transfer::Transfer;
use crate::value::Values;

/// One alternative of one shape in one pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RouteId(u32);

impl RouteId {
    pub(crate) fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

impl Id for RouteId {
    #[inline]
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// One way in which the jobs of a shape can start.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) shape: ShapeId,
    pub(crate) alternative: u32,
    pub(crate) pool: PoolId,
    /// What each worker asks.
    pub(crate) request: Resources,
    pub(crate) workers: u32,
    /// Whether they must lie in one of several fabric domains of the pool.
    pub(crate) confined: bool,
    /// What all workers ask.
    pub(crate) total: Resources,
    /// Speed in thousandths.
    pub(crate) speed_milli: u32,
    /// How long it moves data sets to the pool before it computes.
    pub(crate) moving: Millis,
}

impl Route {
    /// For how many milliseconds a job computes that would for so many at full speed.
    fn computes(&self, length: u64) -> u128 {
        if self.speed_milli == crate::job::FULL_SPEED {
            return u128::from(length);
        }
        let work = u128::from(length) * u128::from(crate::job::FULL_SPEED);
        work.div_ceil(u128::from(self.speed_milli.max(1)))
    }

    /// How long it takes with the time that it moves data, ms; `None`: longer than can be said.
    pub(crate) fn takes(&self, length: u64) -> Option<u64> {
        u64::try_from(self.computes(length) + u128::from(self.moving.get())).ok()
    }
}

/// What decides about the order of the routes of a shape that reads data sets from elsewhere.
#[derive(Clone, Debug)]
struct Costs {
    transfer: Transfer,
    /// By the hour, in thousandths of micro-USD; `None`: no price.
    hourly: Option<u128>,
    /// The largest share that is charged: an amount and the capacity that it is a part of.
    share: (u128, u128),
}

impl Costs {
    /// Who comes first, for a job that would run so long at full speed: data sets of which nothing is known, the cost of all
    /// in thousandths of micro-USD, the share times the time for which it is held, the time and the number of moves; a pool
    /// without a price comes last.
    fn rank(&self, route: &Route, length: Millis) -> (usize, u128, Ratio, Millis, usize, PoolId, u32) {
        let Transfer { missing, unknown, time, egress } = self.transfer;
        let held = route.computes(length.get()) + u128::from(time.get());
        let cost = self.hourly.map_or(u128::MAX, |hourly| {
            (hourly.saturating_mul(held) / u128::from(HOUR.get())).saturating_add(egress)
        });
        let held = held.min(u128::from(u64::MAX));
        let share_time = Ratio(self.share.0 * held, self.share.1);
        (unknown, cost, share_time, time, missing, route.pool, route.alternative)
    }
}

/// A fraction with a positive denominator. Both are below 2^128, and the denominators that are compared below 2^64.
#[derive(Clone, Copy, Debug)]
struct Ratio(u128, u128);

impl Ord for Ratio {
    /// Whole parts first, so that no product passes 128 bits.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rest = || ((self.0 % self.1) * other.1).cmp(&((other.0 % other.1) * self.1));
        (self.0 / self.1).cmp(&(other.0 / other.1)).then_with(by_rest)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ratio {}

/// The largest share that is charged by a route: an amount and the capacity of its group, both below 2^64.
fn largest_share(route: &Route, values: &Values) -> (u128, u128) {
    let charged = values.charge(route.pool, &route.total).enumerate();
    let shares = charged.map(|(group, charge)| (u128::from(charge), u128::from(values.capacity(group))));
    let larger = |a: (u128, u128), b: (u128, u128)| if a.0 * b.1 >= b.0 * a.1 { a } else { b };
    let (charge, capacity) = shares.reduce(larger).unwrap_or((0, 1));
    (charge, capacity.max(1))
}

/// How fast a job is by a route for what it is charged, its speed over its largest share, and nothing charged worth most:
/// `Greater` is better.
fn worth(route: &Route, (charge, capacity): (u128, u128)) -> (bool, Ratio) {
    (charge == 0, Ratio(u128::from(route.speed_milli) * capacity, charge.max(1)))
}

/// How long a job is thought to run that says nothing of it.
const HOUR: Millis = Millis::new(3_600_000);

/// An interned shape.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) class: i32,
    /// The class as far as it comes before everything else.
    pub(crate) precedence: i32,
    /// Its routes, best first: a range of ids.
    routes: Range<u32>,
    /// Why it has none.
    pub(crate) rejection: Option<Rejection>,
    /// Of each route, where some of them move data.
    costs: Vec<Costs>,
    /// Of which shape it is a variant, and the length for which it was found.
    varies: Option<(ShapeId, Millis)>,
}

impl Shape {
    /// Its routes, best first.
    #[inline]
    pub(crate) fn routes(&self) -> impl DoubleEndedIterator<Item = RouteId> + Clone + use<> {
        self.routes.clone().map(RouteId)
    }
}

/// All shapes and their routes.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    shapes: IdVec<ShapeId, Shape>,
    interned: BTreeMap<ShapeSpec, ShapeId>,
    /// Shapes with their routes in another order: the numbers of these among its own.
    variants: BTreeMap<(ShapeId, Vec<u32>), ShapeId>,
    all: IdVec<RouteId, Route>,
    /// Valued charge of each route, `groups` entries each.
    charges: Vec<u64>,
    groups: usize,
    /// Whether the order weighs a class against other things, so that it comes before nothing by itself.
    classes_weighed: bool,
}

impl Routes {
    pub(crate) fn new(groups: usize) -> Self {
        Self {
            shapes: IdVec::new(),
            interned: BTreeMap::new(),
            variants: BTreeMap::new(),
            all: IdVec::new(),
            charges: Vec::new(),
            groups,
            classes_weighed: false,
        }
    }

    /// The order weighs classes. No shape is known yet.
    pub(crate) fn weigh_classes(&mut self) {
        self.classes_weighed = true;
    }

    /// The id of a shape, new or known.
    pub(crate) fn intern(
        &mut self,
        spec: &ShapeSpec,
        config: &Config,
        values: &Values,
    ) -> Result<ShapeId, Error> {
        if let Some(known) = self.interned.get(spec) {
            return Ok(*known);
        }
        let mut found = Vec::new();
        let mut rejection = Rejection::NoPool;
        let shape = ShapeId::at(self.shapes.len());
        let pools = &config.pools;
        let transfers: Vec<Transfer> =
            pools.iter().map(|pool| Transfer::new(&spec.datasets, pool, pools, &config.datasets)).collect();
        for (number, alternative) in spec.alternatives.iter().enumerate() {
            check(alternative, &config.kinds, pools.len())?;
            let number = u32::try_from(number).map_err(|_| ErrorKind::TooMany("alternatives"))?;
            let known = pools.iter().enumerate().zip(&transfers);
            for ((index, pool), transfer) in
                known.filter(|((index, pool), _)| is_eligible(alternative, *index, pool))
            {
                match route(shape, number, alternative, PoolId::at(index), pool) {
                    Ok(_) if transfer.missing > 0 && !spec.reads_remotely => rejection = Rejection::NoReplica,
                    Ok(route) => {
                        let hourly = pool.price.map(|_| cost(&route, crate::job::FULL_SPEED, pool));
                        let share = largest_share(&route, values);
                        let costs = Costs { transfer: *transfer, hourly, share };
                        let cost = cost(&route, alternative.speed_milli, pool);
                        found.push((cost, Route { moving: transfer.time, ..route }, costs));
                    }
                    Err(too_large) => rejection = nearer(rejection, too_large),
                }
            }
        }
        if spec.alternatives.is_empty() {
            return Err(ErrorKind::EmptyShape { what: "alternatives" }.into());
        }
        let moves = found.iter().any(|(_, _, costs)| costs.transfer.missing > costs.transfer.unknown);
        if moves {
            found.sort_by_key(|(_, route, costs)| costs.rank(route, HOUR));
        } else {
            found.sort_by_key(|(cost, route, _)| (*cost, route.pool, route.alternative));
            found.sort_by_key(|(_, route, costs)| Reverse(worth(route, costs.share)));
            found.sort_by_key(|(_, _, costs)| costs.transfer.missing);
        }
        let first = u32::try_from(self.all.len()).map_err(|_| ErrorKind::TooMany("routes"))?;
        let count = u32::try_from(found.len()).map_err(|_| ErrorKind::TooMany("routes"))?;
        let end = first.checked_add(count).ok_or(ErrorKind::TooMany("routes"))?;
        let mut kept = Vec::new();
        for (_, route, costs) in found {
            self.charges.extend(values.charge(route.pool, &route.total));
            self.all.push(route);
            kept.extend(moves.then_some(costs));
        }
        let rejection = (first == end).then_some(rejection);
        let precedence = if self.classes_weighed { 0 } else { spec.class };
        self.shapes.push(Shape {
            class: spec.class,
            precedence,
            routes: first..end,
            rejection,
            costs: kept,
            varies: None,
        });
        self.interned.insert(spec.clone(), shape);
        Ok(shape)
    }

    /// The shape whose routes are those of a known one in the order for a job that is thought to run so long: mostly the
    /// same.
    pub(crate) fn for_length(&mut self, shape: ShapeId, length: Option<Millis>) -> ShapeId {
        let shape = self.shapes[shape].varies.map_or(shape, |(of, _)| of);
        let known = &self.shapes[shape];
        if known.costs.is_empty() {
            return shape;
        }
        let length = length.unwrap_or(HOUR);
        let order = self.order(shape, length);
        if order.is_sorted() {
            return shape;
        }
        if let Some(variant) = self.variants.get(&(shape, order)) {
            return *variant;
        }
        // More routes than can be told apart: the order for an hour is as good as any.
        self.vary(shape, length).unwrap_or(shape)
    }

    /// The numbers of a shape's routes among its own, in the order for a job that is thought to run so long.
    fn order(&self, shape: ShapeId, length: Millis) -> Vec<u32> {
        let known = &self.shapes[shape];
        let mut order: Vec<u32> = (0..).take(known.routes.len()).collect();
        if !known.costs.is_empty() {
            let id = |number: u32| RouteId(known.routes.start.saturating_add(number));
            order.sort_by_key(|number| known.costs[*number as usize].rank(&self.all[id(*number)], length));
        }
        order
    }

    /// A new shape with the routes of another in the order for a length; `None` where there are too many routes.
    pub(crate) fn vary(&mut self, shape: ShapeId, length: Millis) -> Option<ShapeId> {
        let order = self.order(shape, length);
        let known = &self.shapes[shape];
        let first = u32::try_from(self.all.len()).ok()?;
        let end = u32::try_from(self.all.len() + order.len()).ok()?;
        let routes: Vec<RouteId> =
            order.iter().map(|number| RouteId(known.routes.start.saturating_add(*number))).collect();
        let costs = order.iter().filter_map(|number| known.costs.get(*number as usize).cloned()).collect();
        let varied = Shape { routes: first..end, costs, varies: Some((shape, length)), ..known.clone() };
        let variant = ShapeId::at(self.shapes.len());
        for id in routes {
            let charge = self.charge(id).to_vec();
            self.charges.extend(charge);
            self.all.push(Route { shape: variant, ..self.all[id].clone() });
        }
        self.shapes.push(varied);
        self.variants.entry((shape, order)).or_insert(variant);
        Some(variant)
    }

    #[inline]
    pub(crate) fn route(&self, route: RouteId) -> &Route {
        &self.all[route]
    }

    /// What a start by this route adds to each share group.
    #[inline]
    pub(crate) fn charge(&self, route: RouteId) -> &[u64] {
        let start = route.index() * self.groups;
        &self.charges[start..start + self.groups]
    }

    #[inline]
    pub(crate) fn shape(&self, shape: ShapeId) -> &Shape {
        &self.shapes[shape]
    }

    pub(crate) fn get(&self, shape: ShapeId) -> Option<&Shape> {
        self.shapes.get(shape)
    }

    /// What every shape asks, in order; a variant what its shape does.
    pub(crate) fn specs(&self) -> Vec<ShapeSpec> {
        let by_id: BTreeMap<ShapeId, &ShapeSpec> =
            self.interned.iter().map(|(spec, shape)| (*shape, spec)).collect();
        let ids = (0..self.shapes.len()).map(ShapeId::at);
        let of = |id: ShapeId| self.shapes[id].varies.map_or(id, |(of, _)| of);
        ids.filter_map(|id| by_id.get(&of(id)).map(|spec| (*spec).clone())).collect()
    }

    /// The variants, each with the length for which it was found.
    pub(crate) fn lengths(&self) -> Vec<(ShapeId, Millis)> {
        let ids = (0..self.shapes.len()).map(ShapeId::at);
        ids.filter_map(|id| self.shapes[id].varies.map(|(_, length)| (id, length))).collect()
    }

    /// How many routes there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// All routes in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RouteId> + use<> {
        (0..self.all.len()).map(RouteId::at)
    }
}

/// An alternative asks for something, of kinds that exist, in pools that do.
fn check(alternative: &Alternative, kinds: &ResourceKinds, pools: usize) -> Result<(), Error> {
    if let Eligible::Pools(named) = &alternative.pools
        && let Some(unknown) = named.iter().find(|pool| pool.index() >= pools)
    {
        return Err(ErrorKind::UnknownPool(*unknown).into());
    }
    let what = match alternative {
        Alternative { workers: 0, .. } => "workers",
        Alternative { speed_milli: 0, .. } => "speed",
        _ if alternative.request.is_empty() => "requested amounts",
        _ if alternative.request.iter().any(|(kind, _)| kind.index() >= kinds.count()) => {
            "name for a requested resource"
        }
        _ => return Ok(()),
    };
    Err(ErrorKind::EmptyShape { what }.into())
}

/// Whether an alternative may use a pool, by its number.
pub(crate) fn is_eligible(alternative: &Alternative, index: usize, pool: &PoolSpec) -> bool {
    match &alternative.pools {
        Eligible::Any => true,
        Eligible::Accelerator(name) => pool.accelerator.as_ref() == Some(name),
        Eligible::Pools(pools) => pools.contains(&PoolId::at(index)),
    }
}

/// The route of an alternative in a pool, or why it does not fit even when all of the pool is free.
fn route(
    shape: ShapeId,
    number: u32,
    alternative: &Alternative,
    id: PoolId,
    pool: &PoolSpec,
) -> Result<Route, Rejection> {
    let Alternative { request, workers, .. } = alternative;
    let capacity = pool.node.checked_mul(u64::from(pool.nodes)).unwrap_or(pool.node);
    if !pool.divisible {
        exceeds(id, request, &pool.node, true)?;
    }
    // An overflow asks for more than any pool has.
    let mut total = Resources::new();
    for (kind, amount) in request.iter() {
        let sum = amount.checked_mul(u64::from(*workers)).unwrap_or(crate::Quantity::new(u64::MAX));
        total = total.with(kind, sum);
    }
    exceeds(id, &total, &capacity, false)?;
    if !pool.divisible
        && Room::of_node(&pool.node).times(request).saturating_mul(u64::from(pool.nodes))
            < u64::from(*workers)
    {
        let binding = request.iter().min_by_key(|(kind, need)| pool.node[*kind].get() / need.get().max(1));
        let (kind, requested) = binding.unwrap_or((ResourceKind::GPU, crate::Quantity::ZERO));
        let requested = requested.checked_mul(u64::from(*workers)).unwrap_or(requested);
        return Err(Rejection::TooLarge {
            pool: id,
            kind,
            requested,
            capacity: capacity[kind],
            per_node: false,
        });
    }
    let confined = *workers > 1 && pool.domains.len() > 1 && !alternative.across_domains;
    let most = Room::of_node(&pool.node).times(request).saturating_mul(u64::from(pool.largest_domain()));
    if confined && most < u64::from(*workers) {
        return Err(Rejection::LargerThanDomain { pool: id, workers: *workers, most });
    }
    let speed_milli = alternative.speed_milli;
    Ok(Route {
        shape,
        alternative: number,
        pool: id,
        request: *request,
        workers: *workers,
        confined,
        total,
        speed_milli,
        moving: Millis::ZERO,
    })
}

/// The first kind of which more is asked than there is.
fn exceeds(pool: PoolId, asked: &Resources, room: &Resources, per_node: bool) -> Result<(), Rejection> {
    match asked.iter().find(|(kind, amount)| *amount > room[*kind]) {
        Some((kind, requested)) => {
            Err(Rejection::TooLarge { pool, kind, requested, capacity: room[kind], per_node })
        }
        None => Ok(()),
    }
}

/// The rejection by the pool that comes closest to what is asked of it: where only its domains fall short before the others,
/// then where the pool as a whole does rather than its nodes; the first of equals.
fn nearer(known: Rejection, new: Rejection) -> Rejection {
    let reach = |rejection: &Rejection| match rejection {
        Rejection::TooLarge { requested, capacity, per_node, .. } => {
            Some((u8::from(!per_node), u128::from(capacity.get()), u128::from(requested.get())))
        }
        Rejection::LargerThanDomain { workers, most, .. } => {
            Some((2, u128::from(*most), u128::from(*workers)))
        }
        _ => None,
    };
    let is_nearer = match (reach(&known), reach(&new)) {
        // Where there is room and no data, that is what is lacking.
        (None, _) => known == Rejection::NoPool,
        (Some(_), None) => false,
        // Capacity over request, by cross product.
        (Some((whole, has, asks)), Some((its, also_has, also_asks))) => {
            (its, also_has * asks) > (whole, has * also_asks)
        }
    };
    if is_nearer { new } else { known }
}

/// What a job costs by this route in an hour, in thousandths of micro-USD.
pub(crate) fn hourly(route: &Route, pool: &PoolSpec) -> u128 {
    if pool.price.is_some() { cost(route, crate::job::FULL_SPEED, pool) } else { 0 }
}

/// What the job costs by this route for an hour of work at full speed, in micro-USD times 1,000; a pool without a price
/// comes last.
fn cost(route: &Route, speed_milli: u32, pool: &PoolSpec) -> u128 {
    let Some(price) = pool.price else { return u128::MAX };
    let hour = u128::from(price.hour.get());
    let thousandths = match price.unit {
        PriceUnit::Gpu => u128::from(route.total[ResourceKind::GPU].get()),
        PriceUnit::Cpu => u128::from(route.total[ResourceKind::CPU].get()),
        PriceUnit::Node => {
            let fraction = |(kind, amount): (ResourceKind, crate::Quantity)| {
                u128::from(amount.get()) * 1_000 / u128::from(pool.node[kind].get().max(1))
            };
            route.total.iter().map(fraction).max().unwrap_or(0)
        }
    };
    hour.saturating_mul(thousandths).saturating_mul(1_000) / u128::from(speed_milli.max(1))
}
