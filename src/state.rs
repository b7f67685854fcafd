//! State: everything that is true now, and the only ways to change it.
//!
//! A policy reads it freely and changes it through `start` and `evict`, which move the quantities in the ledger and the
//! usage in the tree together. Decisions are recorded here in the order in which they are made.
//! Absent on purpose: which job should start. Layer 3; uses `ledger`, `tree`, `route`, `placement`.

mod check;
mod evict;
mod guaranteed;
mod jobs;
mod snapshot;

use self::jobs::Jobs;
pub(crate) use self::jobs::{Job, Status};
pub(crate) use self::snapshot::inside;
use crate::budget::Budgets;
use crate::config::{Config, Placement};
use crate::decision::{Decision, Eviction, Rejection};
use crate::error::{Error, ErrorKind};
use crate::hierarchy::Hierarchy;
use crate::history::History;
use crate::id::{JobId, NodeId, PoolId, ShapeId, TeamId};
use crate::job::JobSpec;
use crate::ledger::{Ledger, Span};
use crate::line::{Place, Waiter};
use crate::placement;
use crate::quantity::Quantity;
use crate::quota::{Denied, Quotas};
use crate::resources::Resources;
use crate::route::{Route, RouteId, Routes, Shape};
use crate::seldom::seldom;
use crate::time::{Millis, Timestamp};
use crate::tree::{MemberId, Tree};
use crate::value::Values;

/// A job that has stopped, where and since when it ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    pub(crate) job: JobId,
    pub(crate) pool: PoolId,
    pub(crate) route: RouteId,
    pub(crate) since: Timestamp,
    /// The most that a node on which it ran, or the pool, has free now.
    pub(crate) room: Resources,
}

/// No further span.
const END: u32 = u32::MAX;

/// Spans of running jobs as linked lists in one vector, so that starting a gang allocates nothing.
#[derive(Clone, Debug, Default)]
struct SpanArena {
    spans: Vec<(Span, u32)>,
    free: Vec<u32>,
}

impl SpanArena {
    fn store(&mut self, spans: &[Span]) -> u32 {
        let mut next = END;
        for span in spans.iter().rev() {
            next = if let Some(at) = self.free.pop() {
                self.spans[at as usize] = (*span, next);
                at
            } else {
                self.spans.push((*span, next));
                u32::try_from(self.spans.len() - 1).unwrap_or(END)
            };
        }
        next
    }

    fn iter(&self, first: u32) -> impl Iterator<Item = Span> + '_ {
        let mut at = first;
        core::iter::from_fn(move || {
            let (span, next) = *self.spans.get(at as usize)?;
            at = next;
            Some(span)
        })
    }

    fn drop_list(&mut self, first: u32) {
        let mut at = first;
        while let Some((_, next)) = self.spans.get(at as usize) {
            self.free.push(at);
            at = *next;
        }
    }
}

/// Everything that is true now.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) values: Values,
    pub(crate) tree: Tree,
    /// Rescaled shares, where the order asks for them.
    pub(crate) hierarchy: Option<Hierarchy>,
    /// What teams have used, where the order asks for it.
    pub(crate) history: Option<History>,
    pub(crate) quotas: Quotas,
    pub(crate) budgets: Budgets,
    pub(crate) ledger: Ledger,
    pub(crate) routes: Routes,
    jobs: Jobs,
    arena: SpanArena,
    scratch: Vec<Span>,
    pub(crate) now: Timestamp,
    pub(crate) decisions: Vec<Decision>,
    /// One for each eviction among the decisions, in their order.
    pub(crate) evictions: Vec<Eviction>,
}

impl State {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        let values = Values::new(&config)?;
        let tree = Tree::new(&config, &values)?;
        let quotas = Quotas::new(&config, &tree)?;
        let budgets = Budgets::new(&config, &tree)?;
        let too_large = || ErrorKind::TooLarge { what: "the capacity of a pool".to_owned() };
        let ledger = Ledger::new(&config.pools, &config.policy).ok_or_else(too_large)?;
        Ok(Self {
            routes: Routes::new(values.count()),
            config,
            values,
            tree,
            hierarchy: None,
            history: None,
            quotas,
            budgets,
            ledger,
            jobs: Jobs::default(),
            arena: SpanArena::default(),
            scratch: Vec::new(),
            now: Timestamp::MIN,
            decisions: Vec::new(),
            evictions: Vec::new(),
        })
    }

    /// Keeps rescaled shares from now on. Nothing runs or waits yet.
    pub(crate) fn rescale(&mut self) {
        self.hierarchy = Some(Hierarchy::new(&self.tree, &self.values));
    }

    /// Keeps what teams use from now on; the first of all ranks is worth so many points.
    pub(crate) fn remember(&mut self, points: u64) {
        self.history = Some(History::new(&self.tree, &self.config.policy, points));
    }

    /// Works out anew what follows from history, where it is time to; whether anything has changed.
    pub(crate) fn tick(&mut self) -> bool {
        self.history.as_mut().is_some_and(|history| history.tick(self.now))
    }

    /// When ranks by history are worked out anew.
    pub(crate) fn next_ranks(&self) -> Option<Timestamp> {
        self.history.as_ref().map(History::next).filter(|next| *next > self.now)
    }

    /// Judges which teams are blocked, where shares are rescaled: before a grant, for all alike.
    pub(crate) fn judge(&mut self) {
        let Some(hierarchy) = &mut self.hierarchy else { return };
        let pools = || (0..self.config.pools.len()).map(PoolId::at);
        let mut saturated = 0;
        for group in 0..self.values.count() {
            let kind = self.values.kind(group);
            let is_free = pools().any(|pool| self.ledger.pool(pool).free()[kind] > Quantity::ZERO);
            saturated |= u32::from(!is_free) << group;
        }
        hierarchy.judge(&self.tree, &self.routes, saturated);
    }

    /// One more job waits, or one less.
    #[inline]
    fn counts_waiting(&mut self, id: JobId, more: bool) {
        if self.history.is_some() || self.hierarchy.is_some() {
            self.count_waiting(id, more);
        }
    }

    /// The same where anybody asks for it.
    #[inline(never)]
    fn count_waiting(&mut self, id: JobId, more: bool) {
        if let Some(history) = self.history.as_mut().filter(|_| more) {
            history.joins(&self.tree, self.jobs[id].leaf);
        }
        if let Some(hierarchy) = &mut self.hierarchy {
            let job = &self.jobs[id];
            hierarchy.waits(&self.tree, &self.routes, job.leaf, job.shape, more);
        }
    }

    /// Time moves on, never back.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<(), Error> {
        self.check_time(now)?;
        self.now = now;
        Ok(())
    }

    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), Error> {
        let seen = self.now;
        if now < seen { Err(ErrorKind::TimeBackwards { now, seen }.into()) } else { Ok(()) }
    }

    /// The job of that id, alive.
    pub(crate) fn job(&self, id: JobId) -> Result<&Job, Error> {
        self.jobs.get(id).ok_or_else(|| ErrorKind::UnknownJob(id).into())
    }

    /// A job that is known to be alive.
    #[inline]
    pub(crate) fn alive(&self, id: JobId) -> &Job {
        &self.jobs[id]
    }

    /// What a job that is known to be alive was submitted as.
    #[expect(clippy::inline_always, reason = "as of the jobs: no more than is asked for is put together")]
    #[inline(always)]
    pub(crate) fn spec(&self, id: JobId) -> JobSpec {
        self.jobs.spec(id, self.tree.owner(self.jobs[id].leaf))
    }

    /// Whether a job that is known to be alive may be stopped.
    #[inline]
    pub(crate) fn preemptible(&self, id: JobId) -> bool {
        self.jobs.preemptible(id)
    }

    /// The place in its team's own order of a job that is known to be alive.
    #[inline]
    pub(crate) fn place(&self, id: JobId) -> Place {
        self.jobs.place(id)
    }

    /// The job of a slot that is known to be in use.
    #[inline]
    pub(crate) fn in_slot(&self, slot: u32) -> JobId {
        self.jobs.in_slot(slot)
    }

    /// All jobs that are alive, by slot.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.jobs.iter()
    }

    /// A new waiting job. The specification was checked.
    pub(crate) fn add(&mut self, spec: JobSpec, leaf: MemberId, rank: u64) -> Result<JobId, Error> {
        let id = self.jobs.add(spec, leaf, rank)?;
        self.counts_waiting(id, true);
        Ok(id)
    }

    /// A job asks for something, and not because it was put somewhere already.
    #[inline]
    pub(crate) fn note_demand(&mut self, shape: ShapeId) {
        if self.config.policy.placement == Placement::Fragmentation {
            seldom(move || {
                for route in self.routes.shape(shape).routes().map(|id| self.routes.route(id)) {
                    self.ledger.note_demand(route.pool, &route.request, route.workers);
                }
            });
        }
    }

    /// The job with its place, as a line holds it.
    pub(crate) fn waiter(&self, id: JobId) -> Waiter {
        let length = self.spec(id).limit_or_estimate().map_or(u64::MAX, crate::Millis::get);
        Waiter { place: self.place(id), job: id, attempt: self.alive(id).attempt, length }
    }

    /// Whether all workers of a route have room now. O(1) in a divisible pool and for a single worker that fits.
    #[inline]
    pub(crate) fn fits(&self, route: RouteId) -> bool {
        self.fits_beside(route, &[])
    }

    /// Whether all workers of a route have room now on other nodes than those in `avoid`, which is sorted.
    pub(crate) fn fits_beside(&self, route: RouteId, avoid: &[NodeId]) -> bool {
        let route = self.routes.route(route);
        placement::has_room(self.ledger.pool(route.pool), route, avoid)
    }

    /// Starts a waiting job of a leaf by a route, on other nodes than those in `avoid`; whether there was room.
    pub(crate) fn start(
        &mut self,
        leaf: MemberId,
        waiter: Waiter,
        route_id: RouteId,
        avoid: &[NodeId],
    ) -> bool {
        let route = self.routes.route(route_id);
        let fits = placement::find(self.ledger.pool(route.pool), route, avoid, &mut self.scratch);
        if fits {
            self.start_on_scratch(leaf, waiter, route_id);
        }
        fits
    }

    /// Starts a waiting job of a leaf by a route on nodes that have room for it.
    pub(crate) fn start_on(&mut self, leaf: MemberId, waiter: Waiter, route: RouteId, spans: &[Span]) {
        self.scratch.clear();
        self.scratch.extend_from_slice(spans);
        self.start_on_scratch(leaf, waiter, route);
    }

    /// A waiting job runs by a route on these nodes since a time, whoever started it: no decision is recorded.
    pub(crate) fn adopt(&mut self, id: JobId, route: RouteId, spans: &[Span], since: Timestamp) {
        let decisions = self.decisions.len();
        self.start_on(self.alive(id).leaf, self.waiter(id), route, spans);
        self.decisions.truncate(decisions);
        if let Status::Running { route, spans, .. } = self.jobs[id].status() {
            self.jobs[id].set_status(Status::Running { route, since, spans });
        }
    }

    /// Nothing is read of the job's own record, which is seldom near: its line has told what is asked here.
    #[expect(
        clippy::inline_always,
        reason = "a part of what every job passes through, which takes less room there than as a function"
    )]
    #[inline(always)]
    fn start_on_scratch(&mut self, leaf: MemberId, waiter: Waiter, route_id: RouteId) {
        let Waiter { place, job: id, attempt, .. } = waiter;
        let attempt = attempt.saturating_add(1);
        let route = self.routes.route(route_id);
        let class = self.routes.shape(route.shape).class;
        let guaranteed = self.quotas.grant(&self.tree, leaf, route, (class, place, id));
        let job = &mut self.jobs[id];
        debug_assert!((job.leaf, job.attempt) == (leaf, waiter.attempt), "a line does not know its job");
        (job.attempt, job.guaranteed) = (attempt, guaranteed);
        let (pool, alternative) = (route.pool, route.alternative);
        self.decisions.push(Decision::Start { job: id, attempt, pool, alternative });
        self.runs_on_scratch(leaf, id, route_id, self.now);
    }

    /// A job that waited runs since a time; where it counts as guaranteed is booked.
    fn runs_on_scratch(&mut self, leaf: MemberId, id: JobId, route_id: RouteId, since: Timestamp) {
        let route = self.routes.route(route_id);
        self.ledger.allocate(route.pool, &route.request, &route.total, &self.scratch);
        let spans = self.arena.store(&self.scratch);
        let job = &mut self.jobs[id];
        debug_assert!(job.status() == Status::Waiting, "a job starts that does not wait");
        job.set_status(Status::Running { route: route_id, since, spans });
        self.tree.grant(leaf, self.routes.charge(route_id));
        self.accounts(leaf, route_id, true);
        self.counts_waiting(id, false);
    }

    /// Books elsewhere than in the tree what a job of a leaf holds from now on, or no longer.
    #[inline]
    fn accounts(&mut self, leaf: MemberId, route: RouteId, starts: bool) {
        if self.history.is_some() || self.hierarchy.is_some() || self.budgets.any() {
            self.account(leaf, route, starts);
        }
    }

    /// The same where there is anything to book.
    #[inline(never)]
    fn account(&mut self, leaf: MemberId, route: RouteId, starts: bool) {
        if let Some(hierarchy) = &mut self.hierarchy {
            hierarchy.refresh(&self.tree, leaf);
        }
        if let Some(history) = &mut self.history {
            let rate = History::rate(&self.values, self.routes.charge(route));
            history.changes(&self.tree, leaf, self.now, rate, starts);
        }
        let route = self.routes.route(route);
        self.budgets.changes(&self.config, &self.tree, (leaf, route), self.now, starts);
    }

    /// Stops a running job and frees what it held; `None` if it was not running.
    fn stop(&mut self, id: JobId, then: Status) -> Option<Stopped> {
        let stopped = self.stop_alone(id, then)?;
        self.promote(id, stopped.pool);
        Some(stopped)
    }

    /// Like `stop`, but nobody is promoted yet.
    fn stop_alone(&mut self, id: JobId, then: Status) -> Option<Stopped> {
        let job = &mut self.jobs[id];
        let Status::Running { route: route_id, since, spans } = job.status() else { return None };
        let charge = self.routes.charge(route_id);
        let route = self.routes.route(route_id);
        self.scratch.clear();
        self.scratch.extend(self.arena.iter(spans));
        self.arena.drop_list(spans);
        self.ledger.release(route.pool, &route.request, &route.total, &self.scratch);
        self.tree.release(job.leaf, charge);
        job.set_status(then);
        let leaf = job.leaf;
        self.accounts(leaf, route_id, false);
        if self.quotas.any() {
            self.gives_back_quota(id, route_id);
        }
        let route = self.routes.route(route_id);
        let pool = self.ledger.pool(route.pool);
        let room = if pool.is_divisible() {
            *pool.free()
        } else {
            let free_there = self.scratch.iter().filter_map(|span| pool.free_on(span.node));
            free_there.fold(Resources::new(), |most, free| most.max_each(free.amounts()))
        };
        Some(Stopped { job: id, pool: route.pool, route: route_id, since, room })
    }

    /// What a job held that has stopped no longer counts for the quotas.
    #[inline(never)]
    fn gives_back_quota(&mut self, id: JobId, route: RouteId) {
        let (leaf, bits) = (self.jobs[id].leaf, self.jobs[id].guaranteed);
        let route = self.routes.route(route);
        let runs = (self.routes.shape(route.shape).class, self.jobs.place(id), id);
        let counts = |quotas: &Quotas, at| quotas.counts(bits, at, route, runs);
        self.quotas.release(&self.tree, leaf, route, runs, counts);
    }

    /// On which nodes the job ran that has stopped last, until another is started or stopped, or found no room.
    pub(crate) fn spans_of_stopped(&self) -> impl Iterator<Item = Span> + '_ {
        self.scratch.iter().copied()
    }

    /// Whether any team may not start what has room.
    #[inline]
    pub(crate) fn can_deny(&self) -> bool {
        self.quotas.can_deny() || self.budgets.any()
    }

    /// Why a team may not start a job by a route, whatever is free.
    #[inline]
    pub(crate) fn denies(&self, leaf: MemberId, route: RouteId) -> Option<Denied> {
        if self.can_deny() { self.denied_by(leaf, route) } else { None }
    }

    #[inline(never)]
    fn denied_by(&self, leaf: MemberId, route: RouteId) -> Option<Denied> {
        let route = self.routes.route(route);
        if let Some((member, until)) = self.budgets.over(&self.tree, leaf) {
            return Some(Denied::Budget { member, until });
        }
        self.quotas.denies(&self.tree, leaf, route, self.ledger.pool(route.pool).free())
    }

    /// Why no job of a leaf and shape could ever start, if limits or what others keep are why on every route.
    pub(crate) fn forbids(&self, leaf: MemberId, shape: &Shape) -> Option<Rejection> {
        let mut first = None;
        for id in shape.routes() {
            let route = self.routes.route(id);
            let spec = &self.config.pools[route.pool.index()];
            let capacity = spec.node.checked_mul(u64::from(spec.nodes)).unwrap_or_default();
            let denied = self.quotas.forbids(&self.tree, leaf, route, &capacity)?;
            first.get_or_insert(match denied {
                Denied::Limit { member, kind, most, .. } => {
                    let team = self.tree.member(member).team;
                    Rejection::Limit { pool: route.pool, kind, team, requested: route.total[kind], most }
                }
                // What is spent now may be spent again in the next period.
                Denied::Budget { .. } => return None,
                Denied::Kept { kind, kept, .. } => {
                    Rejection::Kept { pool: route.pool, kind, requested: route.total[kind], kept }
                }
            });
        }
        first
    }

    /// A running job has ended: its slot is free for another.
    pub(crate) fn finish(&mut self, id: JobId) -> Option<Stopped> {
        let stopped = self.stop(id, Status::Gone)?;
        self.jobs.free(id);
        Some(stopped)
    }

    /// A waiting job is withdrawn: its slot is free for another.
    pub(crate) fn forget(&mut self, id: JobId) {
        self.counts_waiting(id, false);
        self.jobs.free(id);
    }

    /// The route by which a job of a shape starts in a pool.
    pub(crate) fn route_in(&self, shape: ShapeId, pool: PoolId, alternative: u32) -> Result<RouteId, Error> {
        let shape = self.routes.get(shape).ok_or(ErrorKind::UnknownShape(shape))?;
        if pool.index() >= self.config.pools.len() {
            return Err(ErrorKind::UnknownPool(pool).into());
        }
        let is_it = |route: &Route| route.pool == pool && route.alternative == alternative;
        let route = shape.routes().find(|route| is_it(self.routes.route(*route)));
        route.ok_or_else(|| ErrorKind::NoRoute { pool, alternative }.into())
    }

    /// When a running job started.
    pub(crate) fn started_at(&self, id: JobId) -> Option<Timestamp> {
        match self.alive(id).status() {
            Status::Running { since, .. } => Some(since),
            _ => None,
        }
    }

    /// The route of a running job.
    pub(crate) fn route_of(&self, id: JobId) -> Option<RouteId> {
        match self.alive(id).status() {
            Status::Running { route, .. } => Some(route),
            _ => None,
        }
    }

    /// Whether all workers of a route would have room, on other nodes than those in `avoid`, if some jobs that run in its
    /// pool were gone.
    pub(crate) fn fits_without(&self, gone: &[JobId], route: RouteId, avoid: &[NodeId]) -> bool {
        let (route, known) = (self.routes.route(route), self.ledger.pool(self.routes.route(route).pool));
        let held = gone.iter().filter_map(|id| match self.alive(*id).status() {
            Status::Running { route, spans, .. } => Some((self.routes.route(route), spans)),
            Status::Waiting | Status::Gone => None,
        });
        let free = held.clone().try_fold(*known.free(), |free, (its, _)| free.checked_add(&its.total));
        let is_enough = free.is_some_and(|free| route.total.fits_in(&free));
        if known.is_divisible() || !is_enough {
            return is_enough;
        }
        let mut pool = known.clone();
        for (its, spans) in held {
            pool.give_back(&its.request, &its.total, &self.arena.iter(spans).collect::<Vec<_>>());
        }
        placement::has_room(&pool, route, avoid)
    }

    /// What a running job would have to do again if it were stopped now.
    pub(crate) fn lost(&self, id: JobId) -> Millis {
        let job = self.alive(id);
        match job.status() {
            Status::Running { since, route, .. } => {
                // Data that were moved are moved again.
                let ran = self.now.since(since).get();
                let moved = ran.min(self.routes.route(route).moving.get());
                Millis::new(self.spec(id).lost_after(Millis::new(ran - moved)).get().saturating_add(moved))
            }
            _ => Millis::ZERO,
        }
    }

    /// Where a running job is; its spans on one node stand side by side.
    pub(crate) fn spans(&self, id: JobId) -> impl Iterator<Item = Span> + '_ {
        let first = match self.job(id).map(Job::status) {
            Ok(Status::Running { spans, .. }) => spans,
            _ => END,
        };
        self.arena.iter(first)
    }

    /// The member that holds the jobs of a team.
    pub(crate) fn leaf(&self, team: TeamId) -> Result<MemberId, Error> {
        self.tree.leaf(team).ok_or_else(|| ErrorKind::UnknownTeam(team).into())
    }
}
