//! Adopt: jobs that run already when the scheduler is told of them.
//!
//! Absent on purpose: jobs that wait, and whole states at once. Layer 6; uses `state`.

use super::Scheduler;
use crate::error::{Error, ErrorKind};
use crate::id::JobId;
use crate::job::{JobSpec, Placed};
use crate::ledger::{PoolState, Span};
use crate::placement;
use crate::room::Room;
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
    /// O(depth + nodes of the job x log nodes). With preemption a job that started neither before nor after all others of its team
    /// and shape there takes a step for each that started later: tell them in the order in which they started.
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
    let route = state.routes.route(route);
    let pool = state.ledger.pool(placed.pool);
    let mut found = Vec::new();
    let spans = if !placed.devices.is_empty() {
        on_devices(placed)
    } else if !placed.nodes.is_empty() {
        on_nodes(pool, route, placed)
    } else {
        placement::find(pool, route, &[], &mut found).then_some(found)
    };
    let spans = spans.filter(|spans| placement::seats_beside(pool, route, spans));
    spans.ok_or_else(|| ErrorKind::NoRoom(placed.pool).into())
}

/// Its workers on the nodes that are told, on devices as placement has it; each node has room for its own.
fn on_nodes(pool: &PoolState, route: &Route, placed: &Placed) -> Option<Vec<Span>> {
    let mut named = placed.nodes.clone();
    named.sort_unstable();
    let mut spans = Vec::new();
    for (at, (node, workers)) in named.iter().copied().enumerate() {
        let is_first = at == 0 || named[at - 1].0 != node;
        let has_room = |free: &&Room| free.times(&route.request) >= u64::from(workers);
        let free = pool.free_on(node).filter(has_room).filter(|_| is_first && workers > 0)?;
        placement::seat(pool, &route.request, (node, free), workers, &mut spans);
    }
    Some(spans)
}

/// Its workers on the devices that are told.
fn on_devices(placed: &Placed) -> Option<Vec<Span>> {
    let mut named = placed.devices.clone();
    named.sort_unstable();
    let on = |(node, device, workers)| Span { node, workers, device: Some(device) };
    placed.nodes.is_empty().then(|| named.into_iter().map(on).collect())
}
