//! Transaction: what a policy of the caller's own sees during one cycle, and what it may do.
//!
//! It reads whatever is true and asks for starts and stops; the ledger checks each and books it at once, so that what is
//! read next is true after it. What would break a rule is refused, and nothing has changed.
//! Absent on purpose: whom to serve. Layer 4; uses `state`, `lack`.

use std::collections::BTreeSet;

use super::lack::lacks;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::id::{JobId, PoolId, TeamId};
use crate::job::JobSpec;
use crate::line::Place;
use crate::resources::Resources;
use crate::route::RouteId;
use crate::share::ShareKey;
use crate::state::{State, Status};
use crate::time::Timestamp;

/// One way to start a job: one of its alternatives in one pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct JobRoute {
    /// Where.
    pub pool: PoolId,
    /// Which of the shape's alternatives.
    pub alternative: u32,
    /// What all workers ask together.
    pub total: Resources,
    /// How many workers there are.
    pub workers: u32,
    /// The speed, in thousandths.
    pub speed_milli: u32,
    id: RouteId,
}

/// One cycle in the hands of a [`Policy`](crate::Policy).
///
/// # Determinism
///
/// Jobs and routes come in an order that depends only on the calls made to the scheduler so far.
#[derive(Debug)]
pub struct Txn<'a> {
    state: &'a mut State,
    /// The jobs that wait, in order of submission.
    waiting: &'a mut BTreeSet<(Place, JobId)>,
}

impl<'a> Txn<'a> {
    pub(super) fn new(state: &'a mut State, waiting: &'a mut BTreeSet<(Place, JobId)>) -> Self {
        Self { state, waiting }
    }

    /// The time of this cycle.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.state.now
    }

    /// What the scheduler was built from: pools, teams and their weights.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// The jobs that wait, in order of submission.
    pub fn waiting(&self) -> impl Iterator<Item = JobId> + '_ {
        self.waiting.iter().map(|(_, job)| *job)
    }

    /// The jobs that run, in no order that means anything.
    pub fn running(&self) -> impl Iterator<Item = JobId> + '_ {
        let running = self.state.jobs().filter(|(_, job)| matches!(job.status(), Status::Running { .. }));
        running.map(|(id, _)| id)
    }

    /// What a job that is alive said of itself when it was submitted; of a shape that may read data sets from elsewhere, one
    /// that has its routes in the order for a job of this length.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    pub fn spec(&self, job: JobId) -> Result<JobSpec, Error> {
        self.state.job(job).map(|_| self.state.spec(job))
    }

    /// The priority class of a job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    pub fn class(&self, job: JobId) -> Result<i32, Error> {
        Ok(self.state.routes.shape(self.state.job(job)?.shape).class)
    }

    /// Since when a job runs, and by which route; `None` while it waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    pub fn runs(&self, job: JobId) -> Result<Option<(Timestamp, JobRoute)>, Error> {
        Ok(match self.state.job(job)?.status() {
            Status::Running { route, since, .. } => Some((since, self.route(route))),
            _ => None,
        })
    }

    /// The ways to start a job, the cheapest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    pub fn routes(&self, job: JobId) -> Result<Vec<JobRoute>, Error> {
        let shape = self.state.job(job)?.shape;
        Ok(self.state.routes.shape(shape).routes().map(|id| self.route(id)).collect())
    }

    fn route(&self, id: RouteId) -> JobRoute {
        let route = self.state.routes.route(id);
        let (pool, alternative, workers, speed_milli) =
            (route.pool, route.alternative, route.workers, route.speed_milli);
        JobRoute { pool, alternative, total: route.total, workers, speed_milli, id }
    }

    /// What is free in a pool.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownPool`].
    pub fn free(&self, pool: PoolId) -> Result<Resources, Error> {
        self.state.config.pools.get(pool.index()).ok_or(ErrorKind::UnknownPool(pool))?;
        Ok(*self.state.ledger.pool(pool).free())
    }

    /// The comparison key K of a team now, exact.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTeam`].
    pub fn share_key(&self, team: TeamId) -> Result<ShareKey, Error> {
        let member = self.state.tree.node(team).ok_or(ErrorKind::UnknownTeam(team))?;
        Ok(self.state.tree.key(member, &[]))
    }

    /// Whether a waiting job would start by a route now: there is room for all its workers, and no limit binds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], or [`ErrorKind::NoRoute`] for a route of another shape.
    pub fn fits(&self, job: JobId, route: &JobRoute) -> Result<bool, Error> {
        let leaf = self.own_route(job, route)?;
        Ok(lacks(self.state, leaf, route.id).is_empty() && self.state.fits_beside(route.id, &[]))
    }

    /// Starts a waiting job by a route, all workers or none; whether it has started.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], [`ErrorKind::NotWaiting`], or [`ErrorKind::NoRoute`] for a route of another shape.
    pub fn start(&mut self, job: JobId, route: &JobRoute) -> Result<bool, Error> {
        let leaf = self.own_route(job, route)?;
        let known = self.state.job(job)?;
        if known.status() != Status::Waiting {
            return Err(ErrorKind::NotWaiting(job).into());
        }
        let waiter = self.state.waiter(job);
        let starts =
            self.state.denies(leaf, route.id).is_none() && self.state.start(leaf, waiter, route.id, &[]);
        if starts {
            self.waiting.remove(&(waiter.place, job));
        }
        Ok(starts)
    }

    /// Starts a waiting job by the cheapest route that has room for it; whether there was one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`] or [`ErrorKind::NotWaiting`].
    pub fn start_anywhere(&mut self, job: JobId) -> Result<bool, Error> {
        for route in self.routes(job)? {
            if self.start(job, &route)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Stops a running job, which waits again in its old place.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], [`ErrorKind::NotRunning`], or [`ErrorKind::NotPreemptible`].
    pub fn stop(&mut self, job: JobId) -> Result<(), Error> {
        let known = self.state.job(job)?;
        if known.status() == Status::Waiting {
            return Err(ErrorKind::NotRunning(job).into());
        }
        if !self.state.preemptible(job) {
            return Err(ErrorKind::NotPreemptible(job).into());
        }
        let place = self.state.place(job);
        self.state.stop_by_policy(job);
        self.waiting.insert((place, job));
        Ok(())
    }

    /// The leaf of a job whose route this is.
    fn own_route(&self, job: JobId, route: &JobRoute) -> Result<crate::tree::MemberId, Error> {
        let known = self.state.job(job)?;
        if self.state.routes.shape(known.shape).routes().any(|id| id == route.id) {
            return Ok(known.leaf);
        }
        Err(ErrorKind::NoRoute { pool: route.pool, alternative: route.alternative }.into())
    }
}
