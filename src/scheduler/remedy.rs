//! Remedy: what would let a waiting job start.
//!
//! For each route an amount of room and of allowance that is enough is put together, and then each amount is made as
//! small as it can be while some route of the pool would do: with less the job does not start, whoever else waits. Then a
//! copy of the scheduler is given that and decides, without as many of the others as must be gone. Where room is kept for
//! another job, it is tried beside that too, so that nobody need be gone.
//! Absent on purpose: who may be stopped for a job, and which comparison it lost (see `lost`). Layer 6; uses `state`, `quota`.

mod supposed;
mod trial;

use std::collections::BTreeSet;

use self::trial::minimize;
use super::Scheduler;
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
    /// What would let a waiting job start in the next cycle, before anybody is stopped for another: one remedy for each of its
    /// pools and alternatives, with those of the others that must be out of its way ([`Need::Turn`]), and where room is kept
    /// for another job, one [beside](Remedy::beside) that. With any of its amounts one unit less the job does not start so.
    /// None for a running job.
    ///
    /// Room becomes free as if those jobs there had ended that end first, by their limits, as far as each is covered; whatever
    /// is left is free for good. What teams hold is taken to stay as it is. Nodes that are down come up in order.
    ///
    /// The policy `gavel`, and one of the caller's own, let nothing be tried but whose turn it is: there, what is needed beside
    /// that is enough when the policy gives the job its turn.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`](crate::ErrorKind::UnknownJob).
    ///
    /// # Complexity
    ///
    /// O(routes^2 x (nodes x log of the largest amount + workers log nodes)), times the log of the nodes where nodes are down;
    /// [`queue`](Self::queue), and for each route O(log of those that wait) copies of everything with a cycle each, beside what
    /// is kept about as many as there are amounts. For a question, not for every decision.
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
        if known.status() != Status::Waiting {
            return Ok(Vec::new());
        }
        let mut found = self.without_others(job);
        self.order_remedies(job, &mut found);
        Ok(found)
    }

    /// What a job lacks as if nobody else waited.
    fn without_others(&self, job: JobId) -> Vec<Remedy> {
        let state = &self.state;
        let known = state.alive(job);
        let mut found: Vec<Remedy> = Vec::new();
        for id in state.routes.shape(known.shape).routes() {
            let route = state.routes.route(id);
            let Some(needs) = needs_of(state, known.leaf, route, &Kept::default()) else { continue };
            let (alternative, pool) = (route.alternative, route.pool);
            if !found.iter().any(|other| other.pool == pool && other.needs == needs) {
                found.push(Remedy { alternative, pool, needs, beside: None, names: self.names() });
            }
        }
        let common = self.common(job);
        let is_spent = common.iter().any(|need| matches!(need, Need::Budget { .. }));
        if is_spent && found.iter().any(|remedy| remedy.needs.is_empty()) {
            // A budget is one for all routes: where it alone is in the way of one, no other needs more than that.
            found.retain(|remedy| remedy.needs.is_empty());
        }
        for remedy in &mut found {
            remedy.needs.extend(common.iter().copied());
        }
        found
    }

    /// What a job needs whatever it starts by: time, and that its teams may spend more.
    fn common(&self, job: JobId) -> Vec<Need> {
        let state = &self.state;
        let until = self.policy.backs_off_until(state, job).filter(|until| *until > state.now);
        let wait = until.map(|until| Need::Wait { amount: Quantity::new(until.since(state.now).get()) });
        // While it waits, what runs goes on spending.
        let at = until.unwrap_or(state.now);
        let short = state.budgets.short(&state.tree, state.alive(job).leaf, at);
        let budget = |(member, more)| Some(Need::Budget { team: state.tree.member(member).team?, more });
        wait.into_iter().chain(short.into_iter().filter_map(budget)).collect()
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

/// What is left alone because it is kept for another job.
#[derive(Clone, Default, Debug)]
struct Kept {
    /// Sorted.
    nodes: Vec<NodeId>,
    /// In a divisible pool.
    amounts: Resources,
}

impl Kept {
    /// How much of a resource must be free for a route: what it asks, beside what other teams keep or is kept for a job.
    fn wanted(
        &self,
        state: &State,
        (leaf, route): (MemberId, &Route),
        (kind, amount): (ResourceKind, Quantity),
    ) -> Option<Quantity> {
        let by_teams = state.quotas.withheld_from(&state.tree, leaf, route.pool, kind);
        amount.checked_add(by_teams.max(self.amounts[kind]))
    }

    fn has(&self, node: NodeId) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }
}

/// What is enough for a route and not too much: with any of it one unit less no route of its pool would do.
fn needs_of(state: &State, leaf: MemberId, route: &Route, kept: &Kept) -> Option<Vec<Need>> {
    let mut needs = enough(state, leaf, route, kept)?;
    minimize(state, leaf, route, kept, &mut needs);
    Some(needs)
}

/// What is enough for a route: room for all workers, what others keep beside it, and allowance at every level; and where
/// the nodes that are up could not hold it if they were empty, as few more of them as can. `None` where all could not.
fn enough(state: &State, leaf: MemberId, route: &Route, kept: &Kept) -> Option<Vec<Need>> {
    let pool = state.ledger.pool(route.pool);
    if let Some(needs) = enough_with(state, leaf, (route, kept), 0) {
        return Some(needs);
    }
    let (mut lower, mut upper) = (0, pool.nodes_configured().saturating_sub(pool.nodes_up()));
    let mut best = enough_with(state, leaf, (route, kept), upper).filter(|_| upper > 0)?;
    while upper - lower > 1 {
        let middle = lower + (upper - lower) / 2;
        match enough_with(state, leaf, (route, kept), middle) {
            Some(needs) => (upper, best) = (middle, needs),
            None => lower = middle,
        }
    }
    best.push(Need::Nodes { amount: Quantity::new(u64::from(upper)) });
    Some(best)
}

/// The same if so many nodes more were up, which are empty.
fn enough_with(
    state: &State,
    leaf: MemberId,
    (route, kept): (&Route, &Kept),
    nodes: u32,
) -> Option<Vec<Need>> {
    let pool = state.ledger.pool(route.pool);
    let free = free_with(pool, nodes)?;
    let mut more = Resources::new();
    for asked in route.total.iter() {
        let (kind, _) = asked;
        let wanted = kept.wanted(state, (leaf, route), asked)?;
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
        on_nodes(state, (route, kept), nodes, more, &mut needs)?;
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
    (route, kept): (&Route, &Kept),
    nodes: u32,
    mut more: Resources,
    needs: &mut Vec<Need>,
) -> Option<()> {
    let pool = state.ledger.pool(route.pool);
    let node = pool.node_capacity();
    let empty = Room::of_node(node);
    let rooms = pool.nodes_and_more(nodes).filter(|(node, _)| !kept.has(*node));
    let rooms = rooms.map(|(node, free)| (node, free.unwrap_or(&empty)));
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
