//! Adopt: jobs that run already when the scheduler is told of them.
//!
//! Absent on purpose: jobs that wait, and whole states at once. Layer 6; uses `state`.

use super::Scheduler;
use crate::error::{Error, ErrorKind};
use crate::id::{JobId, NodeId};
use crate::job::{JobSpec, Placed};
use crate::ledger::{PoolState, Span};
use crate::placement;
use crate::resources::ResourceKind;
use crate::room::{DEVICE, Room, part_of};
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::time::Timestamp;

impl Scheduler {
    /// A job that runs already, whoever started it: after a restart, or for a question about a cluster as it stands.
    ///
    /// It holds what it asks from now on, whatever limits, quotas and fabric domains say, and ends like any other. Of several jobs those
    /// told first count as guaranteed first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTeam`], [`ErrorKind::UnknownShape`], [`ErrorKind::UnknownPool`], [`ErrorKind::NoRoute`] where
    /// that alternative can never run in the pool, [`ErrorKind::NoRoom`] where it has no room there now,
    /// [`ErrorKind::Since`], [`ErrorKind::TimeBackwards`].
    ///
    /// # Complexity
    ///
    /// O(depth + nodes of the job x log nodes).
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, Placed, PoolId, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId, TeamSpec,
    ///     Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(3)))).unwrap();
    /// let (then, now) = (Timestamp::ZERO, Timestamp::from_millis(60_000));
    /// let spec = JobSpec::new(TeamId::new(0), shape, then);
    /// let job = scheduler.adopt(now, spec, &Placed::new(PoolId::new(0), then)).unwrap();
    /// assert_eq!(scheduler.free(PoolId::new(0)), Some(Resources::new().gpu(1)));
    /// scheduler.complete(now, job).unwrap();
    /// ```
    pub fn adopt(&mut self, now: Timestamp, mut job: JobSpec, placed: &Placed) -> Result<JobId, Error> {
        let leaf = self.state.leaf(job.team)?;
        let route = self.state.route_in(job.shape, placed.pool, placed.alternative)?;
        let spans = find_spans(&self.state, route, placed)?;
        if placed.since > now || placed.since < job.submit {
            let Placed { since, .. } = *placed;
            return Err(ErrorKind::Since { since, submit: job.submit, now }.into());
        }
        self.happens(now)?;
        job.shape = self.state.routes.for_length(job.shape, job.estimate_or_limit());
        let route = self.state.route_in(job.shape, placed.pool, placed.alternative)?;
        let id = self.state.add(job, leaf, self.rank(&job))?;
        self.state.adopt(id, route, &spans, placed.since);
        self.policy.adopted(&self.state, id);
        Ok(id)
    }
}

/// Where its workers are, as told or as placement has it.
fn find_spans(state: &State, route: RouteId, placed: &Placed) -> Result<Vec<Span>, Error> {
    let no_room = || Error::from(ErrorKind::NoRoom(placed.pool));
    let route = state.routes.route(route);
    let pool = state.ledger.pool(placed.pool);
    let mut spans = Vec::new();
    if !placed.devices.is_empty() {
        return on_devices(pool, route, placed).ok_or_else(no_room);
    }
    if placed.nodes.is_empty() {
        return if placement::find(pool, route, &[], &mut spans) { Ok(spans) } else { Err(no_room()) };
    }
    let mut named: Vec<(NodeId, u32)> = placed.nodes.clone();
    named.sort_unstable();
    let twice = named.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let workers: u64 = named.iter().map(|(_, workers)| u64::from(*workers)).sum();
    let has_room = |(node, workers): &(NodeId, u32)| {
        let free = pool.free_on(*node);
        *workers > 0 && free.is_some_and(|free| free.times(&route.request) >= u64::from(*workers))
    };
    if twice || pool.is_divisible() || workers != u64::from(route.workers) || !named.iter().all(has_room) {
        return Err(no_room());
    }
    for (node, workers) in named {
        let free = pool.free_on(node).ok_or_else(no_room)?;
        placement::seat(pool, &route.request, (node, free), workers, &mut spans);
    }
    Ok(spans)
}

/// Its workers on the devices that are told, if each has room beside the others.
fn on_devices(pool: &PoolState, route: &Route, placed: &Placed) -> Option<Vec<Span>> {
    let mut named = placed.devices.clone();
    named.sort_unstable();
    let twice = named.windows(2).any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    let workers: u64 = named.iter().map(|(_, _, workers)| u64::from(*workers)).sum();
    let beside = placed.nodes.is_empty() && part_of(&route.request) > 0 && !pool.is_divisible();
    if twice || !beside || workers != u64::from(route.workers) {
        return None;
    }
    let devices = pool.node_capacity()[ResourceKind::GPU].get().div_ceil(DEVICE);
    let mut spans: Vec<Span> = Vec::new();
    let mut free = Room::default();
    for (node, device, workers) in named {
        if spans.last().is_none_or(|last| last.node != node) {
            free = pool.free_on(node)?.clone();
        }
        let is_there = workers > 0 && u64::from(device) < devices && free.can_share(device);
        if !is_there || !free.take(&route.request, workers, Some(device)) {
            return None;
        }
        spans.push(Span { node, workers, device: Some(device) });
    }
    Some(spans)
}
