//! Remedy: what would let a waiting job start.
//!
//! For each route an amount of room and of allowance that is enough is put together, and then each amount is made as
//! small as it can be while some route of the pool would do. Whose turn it is is asked only of a job that has room: a copy
//! of the scheduler decides without those that come before it.
//! Absent on purpose: who may be stopped for a job, and which comparison it lost (see `lost`). Layer 6; uses `state`, `quota`.

mod trial;

use std::collections::BTreeSet;

use self::trial::minimize;
use super::Scheduler;
use crate::decision::Decision;
use crate::error::Error;
use crate::explain::{Names, Need, Remedy};
use crate::id::{JobId, NodeId, ShapeId};
use crate::ledger::PoolState;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room};
use crate::route::Route;
use crate::state::{State, Status};
use crate::tree::MemberId;

impl Scheduler {
    /// What would let a waiting job start without stopping anybody: one remedy for each of its pools and alternatives. Each is
    /// enough by itself when the turn of the job comes, and with any of its amounts one unit less it is not. Of a job that
    /// has room and may have it, the remedy says how many others must be out of its way ([`Need::Turn`]). None for a running
    /// job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`](crate::ErrorKind::UnknownJob).
    ///
    /// # Complexity
    ///
    /// O(routes^2 x (nodes x log of the largest amount + workers log nodes)), times the log of the nodes where nodes are down;
    /// for a job that has room, [`queue`](Self::queue) and O(log of those that wait) copies of everything with a cycle
    /// each. For a question, not for every decision.
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
        if let Some(until) = self.policy.backs_off_until(state, job) {
            let left = until.as_millis().saturating_sub(state.now.as_millis());
            let amount = Quantity::new(u64::try_from(left).unwrap_or(0));
            for remedy in &mut found {
                remedy.needs.push(Need::Wait { amount });
            }
        } else if short.is_empty()
            && found.iter().any(|remedy| remedy.needs.is_empty())
            && let Some(jobs) = self.turn(job).filter(|jobs| *jobs > 0)
        {
            let turn = Need::Turn { amount: Quantity::new(jobs) };
            found
                .iter_mut()
                .filter(|remedy| remedy.needs.is_empty())
                .for_each(|remedy| remedy.needs.push(turn));
        }
        for remedy in &mut found {
            let named = |(member, more)| Some(Need::Budget { team: state.tree.member(member).team?, more });
            remedy.needs.extend(short.iter().copied().filter_map(named));
        }
        Ok(found)
    }

    /// How many of the others that wait for its pools, first of all those that come first, must be gone for a job that has
    /// room to start; `None` where it would not start without any of them.
    fn turn(&self, job: JobId) -> Option<u64> {
        let state = &self.state;
        let shape = state.alive(job).spec.shape;
        let others = self.queue().into_iter();
        let others: Vec<JobId> = others
            .filter(|other| *other != job && self.competes(shape, state.alive(*other).spec.shape))
            .collect();
        let starts = |without: usize| {
            let mut trial = self.clone();
            let withdrawn = others.iter().take(without).all(|other| trial.cancel(state.now, *other).is_ok());
            let decided = trial.schedule(state.now);
            let starts =
                |decision: &Decision| matches!(decision, Decision::Start { job: id, .. } if *id == job);
            withdrawn && decided.is_ok_and(|decided| decided.iter().any(starts))
        };
        if starts(0) {
            return Some(0);
        }
        let (mut lower, mut upper) = (0, others.len());
        if !starts(upper) {
            return None;
        }
        while upper - lower > 1 {
            let middle = lower + (upper - lower) / 2;
            if starts(middle) {
                upper = middle;
            } else {
                lower = middle;
            }
        }
        u64::try_from(upper).ok()
    }

    /// Whether two shapes may run in one pool.
    pub(super) fn competes(&self, a: ShapeId, b: ShapeId) -> bool {
        let routes = &self.state.routes;
        let pools = |shape: ShapeId| routes.shape(shape).routes().map(|route| routes.route(route).pool);
        pools(a).any(|pool| pools(b).any(|other| other == pool))
    }

    pub(super) fn names(&self) -> Names {
        let config = &self.state.config;
        let pools = config.pools.iter().map(|pool| pool.name.clone()).collect();
        let teams = config.teams.iter().map(|team| team.name.clone()).collect();
        Names { pools, teams, kinds: config.kinds.clone() }
    }
}

/// What is enough for a route: room for all workers, what others keep beside it, and allowance at every level; and where
/// the nodes that are up could not hold it if they were empty, as few more of them as can. `None` where all could not.
fn enough(state: &State, leaf: MemberId, route: &Route) -> Option<Vec<Need>> {
    let pool = state.ledger.pool(route.pool);
    if let Some(needs) = enough_with(state, leaf, route, 0) {
        return Some(needs);
    }
    let (mut lower, mut upper) = (0, pool.nodes_configured().saturating_sub(pool.nodes_up()));
    let mut best = enough_with(state, leaf, route, upper).filter(|_| upper > 0)?;
    while upper - lower > 1 {
        let middle = lower + (upper - lower) / 2;
        match enough_with(state, leaf, route, middle) {
            Some(needs) => (upper, best) = (middle, needs),
            None => lower = middle,
        }
    }
    best.push(Need::Nodes { amount: Quantity::new(u64::from(upper)) });
    Some(best)
}

/// The same if so many nodes more were up, which are empty.
fn enough_with(state: &State, leaf: MemberId, route: &Route, nodes: u32) -> Option<Vec<Need>> {
    let pool = state.ledger.pool(route.pool);
    let free = free_with(pool, nodes)?;
    let mut more = Resources::new();
    for (kind, amount) in route.total.iter() {
        let kept = state.quotas.withheld_from(&state.tree, leaf, route.pool, kind);
        let wanted = amount.checked_add(kept)?;
        let short = wanted.checked_sub(free[kind]).unwrap_or_default();
        if short > pool.taken()[kind] {
            return None;
        }
        more = more.with(kind, short);
    }
    let mut needs = Vec::new();
    if pool.is_divisible() {
        needs.extend(more.iter().map(|(kind, amount)| Need::Room { node: None, kind, amount }));
    } else {
        on_nodes(state, route, nodes, more, &mut needs)?;
    }
    for member in state.tree.path(leaf) {
        for (kind, amount) in state.quotas.excess(member, route) {
            let team = state.tree.member(member).team?;
            needs.push(Need::Limit { team, kind, amount });
        }
    }
    Some(needs)
}

/// What is free in a pool if so many nodes more were up.
fn free_with(pool: &PoolState, nodes: u32) -> Option<Resources> {
    pool.free().checked_add(&pool.node_capacity().checked_mul(u64::from(nodes))?)
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
fn on_nodes(
    state: &State,
    route: &Route,
    nodes: u32,
    mut more: Resources,
    needs: &mut Vec<Need>,
) -> Option<()> {
    let pool = state.ledger.pool(route.pool);
    let node = pool.node_capacity();
    let empty = Room::of_node(node);
    let rooms = pool.nodes_and_more(nodes).map(|(node, free)| (node, free.unwrap_or(&empty)));
    let mut hosted: Vec<Host<'_>> =
        rooms.map(|(node, free)| (node, free, free.times(&route.request), Given::default())).collect();
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
