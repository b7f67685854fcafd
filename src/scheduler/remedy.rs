//! Remedy: what would let a waiting job start, and which comparison it lost.
//!
//! For each route an amount of room and of allowance that is enough is put together, and then each amount is made as
//! small as it can be while some route of the pool would do.
//! Absent on purpose: whose turn it is. Layer 6; uses `state`, `quota`.

use std::collections::BTreeSet;

use super::Scheduler;
use crate::error::Error;
use crate::explain::{Lost, Names, Need, Remedy};
use crate::id::{JobId, NodeId, PoolId, ShapeId};
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room};
use crate::route::Route;
use crate::state::{State, Status};
use crate::tree::MemberId;

impl Scheduler {
    /// What would let a waiting job start when its turn comes: one remedy for each of its pools and alternatives that could
    /// hold it as many nodes are up. Each is enough by itself, and with any of its amounts one unit less it is not. None for
    /// a running job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`](crate::ErrorKind::UnknownJob).
    ///
    /// # Complexity
    ///
    /// O(routes^2 x (nodes + workers log nodes) x amounts x log of the largest): for a question, not for every decision.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(3)))).unwrap();
    /// let spec = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    /// let _ = scheduler.submit(Timestamp::ZERO, spec).unwrap();
    /// let Submission::Queued(second) = scheduler.submit(Timestamp::ZERO, spec).unwrap() else { unreachable!() };
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// assert_eq!(scheduler.remedies(second).unwrap()[0].to_string(), "pool `l4`: 2 gpu more free on node 0");
    /// ```
    pub fn remedies(&self, job: JobId) -> Result<Vec<Remedy>, Error> {
        let state = &self.state;
        let known = state.job(job)?;
        if known.status != Status::Waiting {
            return Ok(Vec::new());
        }
        let names = self.names();
        let mut found: Vec<Remedy> = Vec::new();
        for id in state.routes.shape(known.spec.shape).routes() {
            let route = state.routes.route(id);
            let Some(mut needs) = enough(state, known.leaf, route) else { continue };
            minimize(state, known.leaf, known.spec.shape, route.pool, &mut needs);
            let (alternative, pool) = (route.alternative, route.pool);
            if !found.iter().any(|other| other.pool == pool && other.needs == needs) {
                found.push(Remedy { alternative, pool, needs, names: names.clone() });
            }
        }
        let short = state.budgets.short(&state.tree, known.leaf, state.now);
        if !short.is_empty() && found.iter().any(|remedy| remedy.needs.is_empty()) {
            // A budget is one for all routes: where it alone is in the way of one, no other needs more than that.
            found.retain(|remedy| remedy.needs.is_empty());
        }
        for remedy in &mut found {
            let named = |(member, more)| Some(Need::Budget { team: state.tree.member(member).team?, more });
            remedy.needs.extend(short.iter().copied().filter_map(named));
        }
        Ok(found)
    }

    pub(super) fn names(&self) -> Names {
        let config = &self.state.config;
        let pools = config.pools.iter().map(|pool| pool.name.clone()).collect();
        let teams = config.teams.iter().map(|team| team.name.clone()).collect();
        Names { pools, teams, kinds: config.kinds.clone() }
    }

    /// The comparison that a waiting job lost, if the first job that waits for one of its pools is another team's.
    pub(super) fn lost_to(&self, job: JobId) -> Option<Lost> {
        let state = &self.state;
        let known = state.job(job).ok()?;
        let pools =
            |shape: ShapeId| state.routes.shape(shape).routes().map(|route| state.routes.route(route).pool);
        let competes =
            |shape: ShapeId| pools(shape).any(|pool| pools(known.spec.shape).any(|own| own == pool));
        let mut first = job;
        for (id, other) in state.jobs() {
            let waits = other.status == Status::Waiting && id != first && competes(other.spec.shape);
            if waits && self.policy.precedes(state, id, first) {
                first = id;
            }
        }
        let other = state.alive(first);
        if known.status != Status::Waiting || other.leaf == known.leaf {
            return None;
        }
        let (theirs, own) = state.tree.rivals(other.leaf, known.leaf);
        let team = |member| state.tree.member(member).team;
        let key = |member| state.tree.key(member, &[]);
        Some(Lost {
            to: first,
            team: team(theirs)?,
            key: key(theirs),
            own_team: team(own)?,
            own_key: key(own),
        })
    }
}

/// What is enough for a route: room for all workers, what others keep beside it, and allowance at every level. `None` where
/// the nodes that are up could not hold it if they were empty.
fn enough(state: &State, leaf: MemberId, route: &Route) -> Option<Vec<Need>> {
    let pool = state.ledger.pool(route.pool);
    let mut more = Resources::new();
    for (kind, amount) in route.total.iter() {
        let kept = state.quotas.withheld_from(&state.tree, leaf, route.pool, kind);
        let wanted = amount.checked_add(kept)?;
        let short = wanted.checked_sub(pool.free()[kind]).unwrap_or_default();
        if short > pool.taken()[kind] {
            return None;
        }
        more = more.with(kind, short);
    }
    let mut needs = Vec::new();
    if pool.is_divisible() {
        needs.extend(more.iter().map(|(kind, amount)| Need::Room { node: None, kind, amount }));
    } else {
        on_nodes(state, route, more, &mut needs)?;
    }
    for member in state.tree.path(leaf) {
        for (kind, amount) in state.quotas.excess(member, route) {
            let team = state.tree.member(member).team?;
            needs.push(Need::Limit { team, kind, amount });
        }
    }
    Some(needs)
}

/// What a node must have free beside what it has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Given {
    amounts: Resources,
    /// Of the GPUs among the amounts, those on shared devices.
    devices: Vec<(u32, u64)>,
}

impl Given {
    /// More GPUs, the fullest of what is free first: shared devices wholly, then devices that are taken as a whole one by
    /// one, until it is enough; `None` where it never is.
    fn gain_devices(
        &mut self,
        node: &Resources,
        room: &mut Room,
        enough: impl Fn(&Room) -> bool,
    ) -> Option<()> {
        let capacity = Room::of_node(node);
        let mut shared: Vec<(u64, u32)> = room
            .shared()
            .iter()
            .map(|shared| (capacity.free_on(shared.device) - shared.free, shared.device))
            .collect();
        shared.sort_unstable();
        for (missing, device) in shared.into_iter().filter(|(missing, _)| *missing > 0) {
            if enough(room) {
                return Some(());
            }
            room.gain_on(device, Quantity::new(missing));
            self.devices.push((device, missing));
            self.add(ResourceKind::GPU, missing);
        }
        let one = Quantity::new(DEVICE);
        while !enough(room) {
            let gpus = room.amounts()[ResourceKind::GPU].checked_add(one);
            if gpus.is_none_or(|gpus| gpus > node[ResourceKind::GPU]) {
                return None;
            }
            room.gain(ResourceKind::GPU, one);
            self.add(ResourceKind::GPU, DEVICE);
        }
        Some(())
    }

    fn add(&mut self, kind: ResourceKind, more: u64) {
        let sum = self.amounts[kind].get().saturating_add(more);
        self.amounts = self.amounts.with(kind, Quantity::new(sum));
    }

    /// So that a node that has this room free holds so many workers; `None` where it cannot.
    fn for_workers(node: &Resources, free: &Room, request: &Resources, workers: u64) -> Option<Self> {
        let wanted = request.checked_mul(workers)?;
        if !wanted.fits_in(node) {
            return None;
        }
        let mut given = Self::default();
        let mut room = free.clone();
        for (kind, amount) in wanted.iter().filter(|(kind, _)| *kind != ResourceKind::GPU) {
            let missing = amount.checked_sub(free.amounts()[kind]).unwrap_or_default();
            given.amounts = given.amounts.with(kind, missing);
        }
        given.gain_devices(node, &mut room, |room| room.by_devices(request) >= workers)?;
        Some(given)
    }

    fn needs(&self, node: NodeId) -> impl Iterator<Item = Need> + '_ {
        let shared: u64 = self.devices.iter().map(|(_, amount)| amount).sum();
        let whole = Quantity::new(self.amounts[ResourceKind::GPU].get().saturating_sub(shared));
        let amounts = self.amounts.with(ResourceKind::GPU, whole);
        let amounts = amounts.iter().collect::<Vec<_>>().into_iter();
        let rooms = amounts.map(move |(kind, amount)| Need::Room { node: Some(node), kind, amount });
        let devices = self.devices.iter().map(move |(device, amount)| Need::Device {
            node,
            device: *device,
            amount: Quantity::new(*amount),
        });
        rooms.chain(devices)
    }
}

/// A node, what it has free, for how many workers, and what it is given.
type Host<'a> = (NodeId, &'a Room, u64, Given);

/// Gives nodes what they lack, where least is missing first, until all workers have room on them; for how many there was
/// none. `None` where there can be none.
fn make_room(node: &Resources, route: &Route, hosts: &mut [Host<'_>]) -> Option<u64> {
    let short = |free: &Room, workers: u64| Given::for_workers(node, free, &route.request, workers);
    let hosted = hosts.iter().map(|(_, _, workers, _)| *workers).fold(0, u64::saturating_add);
    let missing = u64::from(route.workers).saturating_sub(hosted);
    let mut next: BTreeSet<(Given, usize)> = BTreeSet::new();
    for (at, (_, free, workers, _)) in hosts.iter().enumerate().filter(|_| missing > 0) {
        next.extend(short(free, workers + 1).map(|missing| (missing, at)));
    }
    for _ in 0..missing {
        let (missing, at) = next.pop_first()?;
        let (_, free, workers, given) = &mut hosts[at];
        *workers += 1;
        *given = missing;
        next.extend(short(free, *workers + 1).map(|missing| (missing, at)));
    }
    Some(missing)
}

/// Room for all workers where least is missing, in the domain with room for most of them if they must lie in one, and then
/// anywhere until so much `more` is free in all.
fn on_nodes(state: &State, route: &Route, mut more: Resources, needs: &mut Vec<Need>) -> Option<()> {
    let pool = state.ledger.pool(route.pool);
    let node = pool.node_capacity();
    let mut hosted: Vec<Host<'_>> =
        pool.nodes().map(|(node, free)| (node, free, free.times(&route.request), Given::default())).collect();
    if route.confined {
        let domains = hosted.chunk_by(|(a, ..), (b, ..)| pool.domain_of(*a) == pool.domain_of(*b));
        let with_room = domains.filter_map(|hosts| {
            let mut hosts = hosts.to_vec();
            Some((make_room(node, route, &mut hosts)?, hosts))
        });
        for host in with_room.min_by_key(|(missing, _)| *missing)?.1 {
            if let Ok(at) = hosted.binary_search_by_key(&host.0, |(node, ..)| *node) {
                hosted[at] = host;
            }
        }
    } else {
        make_room(node, route, &mut hosted)?;
    }
    for (_, free, _, given) in &mut hosted {
        for (kind, wanted) in more.iter().collect::<Vec<_>>() {
            let taken = node[kind].checked_sub(free.amounts()[kind]).unwrap_or_default();
            let also = wanted.min(taken).max(given.amounts[kind]);
            if kind == ResourceKind::GPU && also > given.amounts[kind] {
                let least = free.amounts()[kind].checked_add(also)?;
                *given = Given { amounts: given.amounts.with(kind, Quantity::ZERO), devices: Vec::new() };
                given.gain_devices(node, &mut (*free).clone(), |room| room.amounts()[kind] >= least)?;
            } else {
                given.amounts = given.amounts.with(kind, also);
            }
            let gained = given.amounts[kind].max(also);
            more = more.with(kind, wanted.checked_sub(gained).unwrap_or_default());
        }
    }
    for (node, _, _, given) in hosted {
        needs.extend(given.needs(node));
    }
    Some(())
}

/// Makes each amount as small as it can be, one after the other: what is enough stays so when more is given.
fn minimize(state: &State, leaf: MemberId, shape: ShapeId, pool: PoolId, needs: &mut Vec<Need>) {
    for at in 0..needs.len() {
        let (mut low, mut high) = (0, needs[at].amount().get());
        // Mostly it is as small as it can be already.
        let mut middle = high.saturating_sub(1);
        while low < high {
            needs[at].set_amount(Quantity::new(middle));
            if is_enough(state, leaf, shape, pool, needs) {
                high = middle;
            } else {
                low = middle + 1;
            }
            middle = low + (high - low) / 2;
        }
        needs[at].set_amount(Quantity::new(high));
    }
    needs.retain(|need| need.amount() > Quantity::ZERO);
}

/// Whether a shape could start in a pool by any route if so much more were free and allowed.
fn is_enough(state: &State, leaf: MemberId, shape: ShapeId, pool: PoolId, needs: &[Need]) -> bool {
    let routes = state.routes.shape(shape).routes().map(|route| state.routes.route(route));
    routes.filter(|route| route.pool == pool).any(|route| {
        has_room(state, leaf, route, needs)
            && state.tree.path(leaf).all(|member| {
                let mut excess = state.quotas.excess(member, route);
                let raised = |need: &Need, wanted| match need {
                    Need::Limit { team, kind, amount } => {
                        state.tree.member(member).team == Some(*team)
                            && state.tree.node(*team) == Some(member)
                            && *kind == wanted
                            && *amount > Quantity::ZERO
                    }
                    Need::Room { .. } | Need::Device { .. } | Need::Budget { .. } => false,
                };
                excess
                    .all(|(kind, over)| needs.iter().any(|need| raised(need, kind) && need.amount() >= over))
            })
    })
}

fn has_room(state: &State, leaf: MemberId, route: &Route, needs: &[Need]) -> bool {
    let pool = state.ledger.pool(route.pool);
    let mut free = *pool.free();
    for need in needs {
        let (kind, amount) = match need {
            Need::Room { kind, amount, .. } => (*kind, *amount),
            Need::Device { amount, .. } => (ResourceKind::GPU, *amount),
            Need::Limit { .. } | Need::Budget { .. } => continue,
        };
        free = free.with(kind, free[kind].checked_add(amount).unwrap_or(free[kind]));
    }
    let leaves_kept = route.total.iter().all(|(kind, amount)| {
        let kept = state.quotas.withheld_from(&state.tree, leaf, route.pool, kind);
        amount.checked_add(kept).is_some_and(|wanted| wanted <= free[kind])
    });
    if !leaves_kept || pool.is_divisible() {
        return leaves_kept;
    }
    let rooms = pool.nodes().map(|(node, free)| {
        let workers = match given_to(needs, node) {
            [] => free.times(&route.request),
            given => {
                let mut free = free.clone();
                for need in given {
                    match need {
                        Need::Room { kind, amount, .. } => free.gain(*kind, *amount),
                        Need::Device { device, amount, .. } => free.gain_on(*device, *amount),
                        Need::Limit { .. } | Need::Budget { .. } => {}
                    }
                }
                free.times(&route.request)
            }
        };
        (node, workers)
    });
    let workers = u64::from(route.workers);
    pool.together(route.confined, workers, rooms) >= workers
}

/// What is needed on a node: the needs stand by node, and those of no node behind them.
fn given_to(needs: &[Need], node: NodeId) -> &[Need] {
    let on = |need: &Need| match need {
        Need::Room { node, .. } => *node,
        Need::Device { node, .. } => Some(*node),
        Need::Limit { .. } | Need::Budget { .. } => None,
    };
    let from = needs.partition_point(|need| on(need).is_some_and(|at| at < node));
    let until = needs.partition_point(|need| on(need).is_some_and(|at| at <= node));
    &needs[from..until]
}
