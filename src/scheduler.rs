//! Scheduler: the facade. Jobs go in, decisions come out; the caller carries them out.
//!
//! Checks every argument before anything changes, so that a refused call leaves the state as it was.
//! Absent on purpose: clocks, threads, I/O, randomness. Layer 6; uses everything below.

mod adopt;
mod ask;
mod capacity;
mod lost;
mod rejected;
mod remedy;
mod snapshot;
mod standing;

use std::sync::Arc;

use crate::config::{Backfill, Config, OrderName, Preemption};
use crate::decision::{Decision, Eviction, Submission};
use crate::error::{Error, ErrorKind};
use crate::explain::{Explanation, JobState};
use crate::id::{JobId, NodeId, PoolId, ShapeId, TeamId};
use crate::job::{JobSpec, ShapeSpec};
use crate::ledger::Span;
use crate::log::Logged;
use crate::policy::conservative::Conservative;
use crate::policy::engine::Engine;
#[cfg(feature = "lp")]
use crate::policy::gavel::Gavel;
use crate::policy::own::{Own, Policy};
use crate::policy::{Demand, Incremental, Order, order};
use crate::resources::Resources;
use crate::seldom::seldom;
use crate::share::ShareKey;
use crate::snapshot::Decides;
use crate::state::{State, Status};
use crate::time::{Millis, Timestamp};

pub use ask::{Admission, Size, Verdict};
pub use standing::TeamShare;

/// Most nodes of a pool that is not divisible: each is kept by itself.
const MAX_NODES: u32 = 1 << 20;

/// Shares the pools of a configuration among its teams.
///
/// # Determinism
///
/// Every answer depends only on the sequence of calls made so far. Of jobs submitted at one time the one submitted
/// first comes first; of teams in equal position the one with fewer running jobs, then the one least recently served,
/// then the one configured first.
///
/// # Examples
///
/// Two teams want a pool of four GPUs; each gets two:
///
/// ```
/// use fairshare::{
///     Alternative, Config, Decision, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec,
///     Timestamp,
/// };
/// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
/// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a"), TeamSpec::new("b")])).unwrap();
/// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
/// let now = Timestamp::ZERO;
/// for (team, jobs) in [(0, 4), (1, 4)] {
///     for _ in 0..jobs {
///         let submitted = scheduler.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap();
///         assert!(matches!(submitted, Submission::Queued(_)));
///     }
/// }
/// let started = scheduler.schedule(now).unwrap().to_vec();
/// assert_eq!(started.len(), 4);
/// assert_eq!(scheduler.running(TeamId::new(0)).unwrap(), 2);
/// assert_eq!(scheduler.running(TeamId::new(1)).unwrap(), 2);
/// # assert!(matches!(started[0], Decision::Start { attempt: 1, .. }));
/// ```
#[derive(Debug)]
pub struct Scheduler {
    state: State,
    policy: Box<dyn Incremental>,
    answer: Answer,
    /// When the last cycle was.
    answered_at: Timestamp,
    /// Whose order or policy that is.
    decides: Decides,
}

/// How far the recorded decisions are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// The next cycle returns them.
    Open,
    /// The last cycle has returned them, and nothing has happened since.
    Told,
    /// They have been returned, and something has happened since.
    Past,
}

impl Clone for Scheduler {
    fn clone(&self) -> Self {
        let Self { answer, answered_at, decides, .. } = *self;
        Self { state: self.state.clone(), policy: self.policy.copy(), answer, answered_at, decides }
    }
}

impl Scheduler {
    /// Checks a configuration and builds a scheduler with nothing running.
    ///
    /// # Errors
    ///
    /// Any contradiction in the configuration, naming the pool or team: see [`ErrorKind`].
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.policy.order == OrderName::Gavel {
            #[cfg(feature = "lp")]
            return Ok(Self::of(checked(config)?, Decides::Configured, |state| Box::new(Gavel::new(state))));
            #[cfg(not(feature = "lp"))]
            return Err(ErrorKind::NotBuilt { what: "the policy `gavel`", feature: "lp" }.into());
        }
        let order = order(&config.policy);
        Ok(Self { decides: Decides::Configured, ..Self::with_order(config, order)? })
    }

    /// Like [`new`](Self::new), with an order of the caller's own in place of the configured one.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_order(config: Config, order: Box<dyn Order>) -> Result<Self, Error> {
        let backfill = config.policy.backfill;
        if backfill == Backfill::Conservative && config.policy.preemption != Preemption::None {
            return Err(ErrorKind::PreemptionWithConservative.into());
        }
        let order: Arc<dyn Order> = Arc::from(order);
        let mut state = checked(config)?;
        if order.rescales() {
            state.rescale();
        }
        if let Some(points) = order.history_points() {
            state.remember(points);
        }
        if order.weighs_classes() {
            state.routes.weigh_classes();
        }
        Ok(Self::of(state, Decides::OwnOrder, |state| match backfill {
            Backfill::Conservative => Box::new(Conservative::new(state, order)),
            _ => Box::new(Engine::new(state, order, backfill)),
        }))
    }

    /// Like [`new`](Self::new), with a whole policy of the caller's own in place of the engine: of what the configuration
    /// says about the policy, only placement, and what counts in a share, are looked at.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// See [`Policy`].
    pub fn with_policy(config: Config, policy: Box<dyn Policy>) -> Result<Self, Error> {
        Ok(Self::of(checked(config)?, Decides::OwnPolicy, |_| Box::new(Own::new(policy))))
    }

    fn of(state: State, decides: Decides, policy: impl FnOnce(&State) -> Box<dyn Incremental>) -> Self {
        let policy = policy(&state);
        Self { state, policy, answer: Answer::Past, answered_at: Timestamp::MIN, decides }
    }

    /// What it was built from.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// The id of a shape: equal shapes have one id. Interning once and submitting many jobs costs nothing per job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyShape`] for a shape without alternatives, workers, amounts or speed, [`ErrorKind::UnknownPool`] for one
    /// that names no pool of the configuration.
    ///
    /// # Complexity
    ///
    /// O(log shapes) for a known shape, O(alternatives x pools) for a new one.
    pub fn intern(&mut self, shape: &ShapeSpec) -> Result<ShapeId, Error> {
        let State { config, routes, values, .. } = &mut self.state;
        routes.intern(shape, config, values)
    }

    /// Queues a job, or says why no state of the configured pools could ever hold it: then nothing has happened, so that
    /// [`next_wakeup`](Self::next_wakeup) is what it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTeam`], [`ErrorKind::UnknownShape`], [`ErrorKind::TimeBackwards`] where `now` lies before an
    /// earlier call, or [`ErrorKind::SubmitAfterNow`].
    ///
    /// # Complexity
    ///
    /// O(log teams) where the job's team did not wait for this shape before, else O(1).
    pub fn submit(&mut self, now: Timestamp, mut job: JobSpec) -> Result<Submission, Error> {
        let leaf = self.state.leaf(job.team)?;
        let shape = self.state.routes.get(job.shape).ok_or(ErrorKind::UnknownShape(job.shape))?;
        if job.submit > now {
            return Err(ErrorKind::SubmitAfterNow { submit: job.submit, now }.into());
        }
        if (shape.rejection.is_some() || self.state.can_deny())
            && let Some(rejection) =
                seldom(|| shape.rejection.clone().or_else(|| self.state.forbids(leaf, shape)))
        {
            self.state.check_time(now)?;
            return Ok(Submission::Rejected(rejection));
        }
        self.happens(now)?;
        job.shape = self.state.routes.for_length(job.shape, job.estimate_or_limit());
        let rank = self.rank(&job);
        let id = self.state.add(job, leaf, rank)?;
        self.state.note_demand(job.shape);
        self.policy.waits(&self.state, id);
        Ok(Submission::Queued(id))
    }

    /// What a job is sorted by, before its submit time, in its team's own order.
    pub(crate) fn rank(&self, job: &JobSpec) -> u64 {
        self.policy.rank(job, &Demand::new(&self.state, job.shape))
    }

    /// A running job has ended: what it held is free.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], [`ErrorKind::NotRunning`], [`ErrorKind::TimeBackwards`].
    ///
    /// # Complexity
    ///
    /// O(depth of the tree + nodes of the job x log nodes), however many jobs wait.
    pub fn complete(&mut self, now: Timestamp, job: JobId) -> Result<(), Error> {
        if self.state.job(job)?.status() == Status::Waiting {
            return Err(ErrorKind::NotRunning(job).into());
        }
        self.happens(now)?;
        if let Some(stopped) = self.state.finish(job) {
            self.policy.stopped(&self.state, &stopped);
        }
        Ok(())
    }

    /// Withdraws a job, waiting or running.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], [`ErrorKind::TimeBackwards`].
    pub fn cancel(&mut self, now: Timestamp, job: JobId) -> Result<(), Error> {
        if self.state.job(job)?.status() != Status::Waiting {
            return self.complete(now, job);
        }
        self.happens(now)?;
        self.policy.withdrawn(&self.state, job);
        self.state.forget(job);
        Ok(())
    }

    /// One cycle: everything that can be decided now, in the order in which it was decided, and already booked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimeBackwards`], or what a [`Policy`] of the caller's own was refused.
    ///
    /// # Complexity
    ///
    /// O(log teams) comparisons a decision, at each level of the tree, however many jobs wait.
    pub fn schedule(&mut self, now: Timestamp) -> Result<&[Decision], Error> {
        self.state.advance(now)?;
        self.forget_delivered();
        self.policy.cycle(&mut self.state)?;
        (self.answer, self.answered_at) = (Answer::Told, now);
        Ok(&self.state.decisions)
    }

    fn forget_delivered(&mut self) {
        if core::mem::replace(&mut self.answer, Answer::Open) != Answer::Open {
            self.state.decisions.clear();
            self.state.evictions.clear();
        }
    }

    /// Something happens outside at that time.
    fn happens(&mut self, now: Timestamp) -> Result<(), Error> {
        self.state.advance(now)?;
        if self.answer == Answer::Told {
            self.answer = Answer::Past;
        }
        Ok(())
    }

    /// What is known of each eviction in the answer of the last [`schedule`](Self::schedule), in the same order.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, EvictReason, JobSpec, Millis, PoolId, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId,
    ///     TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO)).unwrap();
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// let later = Timestamp::from_millis(5_000);
    /// scheduler.set_capacity(later, PoolId::new(0), 0).unwrap();
    /// scheduler.schedule(later).unwrap();
    /// let eviction = &scheduler.evictions()[0];
    /// assert_eq!((eviction.reason, eviction.lost), (EvictReason::CapacityLost, Millis::new(5_000)));
    /// ```
    #[must_use]
    pub fn evictions(&self) -> &[Eviction] {
        &self.state.evictions
    }

    /// The answer of the last [`schedule`](Self::schedule), decision by decision with what is known of the evictions: lines
    /// for a log. It is there until the next cycle, or until capacity changes.
    ///
    /// # Complexity
    ///
    /// O(1) a decision; nothing is copied.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, Entry, JobSpec, LogDigest, PoolId, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId, TeamSpec,
    ///     Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO)).unwrap();
    /// let (mut lines, mut digest) = (Vec::new(), LogDigest::new());
    /// for (at, nodes) in [(0, 1), (5_000, 0)] {
    ///     let now = Timestamp::from_millis(at);
    ///     scheduler.set_capacity(now, PoolId::new(0), nodes).unwrap();
    ///     scheduler.schedule(now).unwrap();
    ///     for logged in scheduler.log() {
    ///         lines.push(logged.to_string());
    ///         digest.add(&Entry::decided(logged.at, 1, &logged.decision));
    ///     }
    /// }
    /// assert_eq!(lines, [
    ///     "0 start 0#0 attempt 1 in pool 0 by alternative 0",
    ///     "5 evict 0#0 attempt 1 in pool 0: capacity-lost, 5 s lost, victim team 0 from (1) to (0)",
    /// ]);
    /// assert_eq!(digest.to_string(), "8935f05ac10563affdf3f814062721e7");
    /// ```
    pub fn log(&self) -> impl Iterator<Item = Logged<'_>> {
        let answer = if self.answer == Answer::Open { &[] } else { self.state.decisions.as_slice() };
        let (at, mut evictions) = (self.answered_at, self.state.evictions.iter());
        answer.iter().map(move |decision| {
            let is_eviction = matches!(decision, Decision::Evict { .. });
            Logged {
                at,
                decision: *decision,
                eviction: evictions.by_ref().take(usize::from(is_eviction)).next(),
            }
        })
    }

    /// The next instant at which time alone may change a decision: a running job's limit passes in a pool that is
    /// reserved. `None` while no decision depends on time.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.policy.next_wakeup(&self.state)
    }

    /// The nodes of a running job, with the number of its workers on each. Empty for a job that is not running and in a
    /// divisible pool.
    pub fn placement(&self, job: JobId) -> impl Iterator<Item = (NodeId, u32)> + '_ {
        let mut spans = self.state.spans(job).peekable();
        core::iter::from_fn(move || {
            let Span { node, mut workers, .. } = spans.next()?;
            while let Some(more) = spans.next_if(|span| span.node == node) {
                workers += more.workers;
            }
            Some((node, workers))
        })
    }

    /// How long a running job moves data sets to its pool before it computes: while it does, it holds what it holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`], [`ErrorKind::NotRunning`].
    pub fn moving(&self, job: JobId) -> Result<Millis, Error> {
        match self.state.job(job)?.status() {
            Status::Running { route, .. } => Ok(self.state.routes.route(route).moving),
            _ => Err(ErrorKind::NotRunning(job).into()),
        }
    }

    /// The devices on which a running job has parts of GPUs, with the number of its workers on each: jobs that hold parts of
    /// one device are told the same number. A number means one device of its node for as long as anybody has a part of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec, Submission,
    ///     TeamId, TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("t4", 1, Resources::new().gpu(2));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let part = Resources::new().with(ResourceKind::GPU, Quantity::new(400));
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(part))).unwrap();
    /// let spec = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    /// let jobs = [(); 3].map(|()| match scheduler.submit(Timestamp::ZERO, spec).unwrap() {
    ///     Submission::Queued(job) => job,
    ///     Submission::Rejected(_) => unreachable!(),
    /// });
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// let devices = jobs.map(|job| scheduler.devices(job).map(|(_, device, _)| device).next());
    /// assert_eq!(devices, [Some(0), Some(0), Some(1)], "0.8 of the first device are taken, 0.4 of the second");
    /// ```
    pub fn devices(&self, job: JobId) -> impl Iterator<Item = (NodeId, u32, u32)> + '_ {
        self.state.spans(job).filter_map(|span| Some((span.node, span.device?, span.workers)))
    }

    /// What a job is doing, and every reason why it waits, with what is free and what its team is entitled to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    ///
    /// # Complexity
    ///
    /// Of a waiting job that of [`shares`](Self::shares): for a question, not for every decision. See
    /// [`explain_without_entitlements`](Self::explain_without_entitlements) for many jobs at a time.
    pub fn explain(&self, job: JobId) -> Result<Explanation, Error> {
        let explanation = self.explain_without_entitlements(job)?;
        Ok(Explanation { asked: self.asked(job), ..explanation })
    }

    /// The same with nothing in [`asked`](Explanation::asked): teams' entitlements are an optimum over all of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownJob`].
    ///
    /// # Complexity
    ///
    /// Of a waiting job O(lines of one team and shape x pools + teams); of the first that waits for its pools O(jobs alive +
    /// starts of the last cycle x nodes) beside. Where jobs may be stopped for others, two searches for victims for each
    /// of its routes; where a bound is in the way, O(log of those that run) copies of everything and searches.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, Explanation, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId,
    ///     TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// let spec = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    /// let [_, second] = [(); 2].map(|()| match scheduler.submit(Timestamp::ZERO, spec).unwrap() {
    ///     Submission::Queued(job) => job,
    ///     Submission::Rejected(_) => unreachable!(),
    /// });
    /// scheduler.schedule(Timestamp::ZERO).unwrap();
    /// let whole = scheduler.explain(second).unwrap();
    /// assert_eq!(whole.asked.len(), 1);
    /// assert_eq!(
    ///     scheduler.explain_without_entitlements(second).unwrap(),
    ///     { let mut without: Explanation = whole; without.asked.clear(); without }
    /// );
    /// ```
    pub fn explain_without_entitlements(&self, job: JobId) -> Result<Explanation, Error> {
        let known = self.state.job(job)?;
        let team = self.state.spec(job).team;
        let state = match known.status() {
            Status::Running { route, .. } => JobState::Running { pool: self.state.routes.route(route).pool },
            _ => JobState::Waiting(self.policy.blocked(&self.state, job)?),
        };
        let names = self.names();
        let lost = self.lost_to(job);
        Ok(Explanation { job, team, state, key: self.share_key(team)?, lost, asked: Vec::new(), names })
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

    /// How many jobs of a team, and of the teams below it, run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTeam`].
    pub fn running(&self, team: TeamId) -> Result<u32, Error> {
        let member = self.state.tree.node(team).ok_or(ErrorKind::UnknownTeam(team))?;
        Ok(self.state.tree.member(member).running)
    }

    /// What the nodes of a pool that are up have; `None` for an unknown pool.
    #[must_use]
    pub fn capacity(&self, pool: PoolId) -> Option<Resources> {
        self.state.config.pools.get(pool.index())?;
        let pool = self.state.ledger.pool(pool);
        pool.node_capacity().checked_mul(u64::from(pool.nodes_up()))
    }

    /// What is free in a pool; `None` for an unknown pool.
    #[must_use]
    pub fn free(&self, pool: PoolId) -> Option<Resources> {
        self.state.config.pools.get(pool.index())?;
        Some(*self.state.ledger.pool(pool).free())
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.policy.waiting()
    }

    /// How often the lists compared two teams so far: the cost of deciding, whatever the machine. What reservations compare
    /// is not counted.
    #[must_use]
    pub fn comparisons(&self) -> u64 {
        self.policy.comparisons()
    }

    /// How often the set of exhausted share groups has changed so far, and with it the keys of all teams that compete beside
    /// one with children: zero but under [`OrderName::Hdrf`](crate::OrderName::Hdrf).
    #[must_use]
    pub fn reorderings(&self) -> u64 {
        self.state.hierarchy.as_ref().map_or(0, |hierarchy| hierarchy.reordered)
    }

    /// Recomputes everything from the jobs that are alive and compares.
    ///
    /// # Errors
    ///
    /// The first difference, in words: a bug in this crate.
    ///
    /// # Complexity
    ///
    /// O(everything): for tests, and for a simulation that checks itself.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.state.check()?;
        self.policy.check(&self.state)
    }
}

/// What is true of a configuration at first, if it contradicts itself nowhere.
fn checked(config: Config) -> Result<State, Error> {
    check_names("pool", config.pools.iter().map(|pool| &pool.name))?;
    check_names("team", config.teams.iter().map(|team| &team.name))?;
    check_names("data set", config.datasets.iter().map(|dataset| &dataset.name))?;
    if config.pools.is_empty() {
        return Err(ErrorKind::NoPool.into());
    }
    // What is one amount may have none of it.
    let mut pools = config.pools.iter();
    if let Some(pool) = pools.find(|pool| pool.nodes == 0 || !pool.divisible && pool.node.is_empty()) {
        return Err(ErrorKind::EmptyPool { pool: pool.name.clone() }.into());
    }
    if let Some(pool) = config.pools.iter().find(|pool| !pool.has_sound_domains()) {
        return Err(ErrorKind::Domains { pool: pool.name.clone() }.into());
    }
    if let Some(pool) = config.pools.iter().find(|pool| pool.link_mbps == 0) {
        return Err(ErrorKind::Link { pool: pool.name.clone() }.into());
    }
    if let Some(pool) = config.pools.iter().find(|pool| !pool.divisible && pool.nodes > MAX_NODES) {
        let what = format!("the number of nodes of pool `{}`", pool.name);
        return Err(ErrorKind::TooLarge { what }.into());
    }
    State::new(config)
}

/// Names are there and differ.
fn check_names<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let mut sorted: Vec<&String> = names.collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    match sorted.first().filter(|name| name.is_empty()).copied().or(twice) {
        Some(name) => Err(ErrorKind::Name { what, name: name.clone() }.into()),
        None => Ok(()),
    }
}
