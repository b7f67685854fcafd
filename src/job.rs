//! Job: what the caller says of a unit of submission, and of the shape that it shares with others.
//!
//! Absent on purpose: a true run time. A policy cannot see the future, and the type makes sure of it.
//! Layer 1; uses `id`, `resources`, `time`.

use crate::id::{NodeId, PoolId, ShapeId, TeamId};
use crate::resources::Resources;
use crate::time::{Millis, Timestamp};

/// Speed one, in thousandths.
pub const FULL_SPEED: u32 = 1_000;

/// The pools in which an alternative may start.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Eligible {
    /// Every pool.
    Any,
    /// Every pool of this accelerator type.
    Accelerator(String),
    /// These pools.
    Pools(Vec<PoolId>),
}

/// One way to run a job: a gang of equal workers in one pool.
///
/// # Examples
///
/// "8 H200, or 16 A100 at half the speed":
///
/// ```
/// use fairshare::{Alternative, Resources, ShapeSpec};
/// let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(8)).on("H200"))
///     .or(Alternative::new(Resources::new().gpu(8)).on("A100").with_workers(2).with_speed_milli(500));
/// assert_eq!(shape.alternatives.len(), 2);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Alternative {
    /// Where it may start.
    pub pools: Eligible,
    /// What each worker asks.
    pub request: Resources,
    /// How many workers; all start in one pool at one instant, or none.
    pub workers: u32,
    /// Speed in thousandths: a job that takes an hour at [`FULL_SPEED`] takes two at 500.
    pub speed_milli: u32,
    /// Whether its workers may lie in several fabric domains of their pool.
    pub across_domains: bool,
}

impl Alternative {
    /// One worker with `request`, in any pool, at full speed.
    #[must_use]
    pub const fn new(request: Resources) -> Self {
        Self { pools: Eligible::Any, request, workers: 1, speed_milli: FULL_SPEED, across_domains: false }
    }

    /// Only in pools of this accelerator type.
    #[must_use]
    pub fn on(mut self, accelerator: impl Into<String>) -> Self {
        self.pools = Eligible::Accelerator(accelerator.into());
        self
    }

    /// Only in these pools.
    #[must_use]
    pub fn in_pools(mut self, pools: Vec<PoolId>) -> Self {
        self.pools = Eligible::Pools(pools);
        self
    }

    /// As a gang of so many workers.
    #[must_use]
    pub const fn with_workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// At this speed, in thousandths.
    #[must_use]
    pub const fn with_speed_milli(mut self, speed_milli: u32) -> Self {
        self.speed_milli = speed_milli;
        self
    }

    /// With workers that talk little: they may lie in several fabric domains of their pool.
    #[must_use]
    pub const fn across_domains(mut self) -> Self {
        self.across_domains = true;
        self
    }
}

/// What a job asks, without saying whose it is: interned once, shared by every job that asks the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ShapeSpec {
    /// The ways to run, in order of preference among equals.
    pub alternatives: Vec<Alternative>,
    /// Priority class: the higher, the sooner.
    pub class: i32,
    /// The data sets that it reads: it starts only in pools with a replica of each.
    pub datasets: Vec<String>,
    /// Whether it may start elsewhere too. The pool comes first then that costs least in all: its price for as long as the
    /// job is thought to run and data sets take to come, and what these cost to leave their cloud. Before that, pools with
    /// more of the data sets of unknown size come first.
    pub reads_remotely: bool,
}

impl ShapeSpec {
    /// A shape with one way to run, in class zero.
    #[must_use]
    pub fn new(alternative: Alternative) -> Self {
        Self { alternatives: vec![alternative], class: 0, datasets: Vec::new(), reads_remotely: false }
    }

    /// With one more way to run.
    #[must_use]
    pub fn or(mut self, alternative: Alternative) -> Self {
        self.alternatives.push(alternative);
        self
    }

    /// Reading data sets, only where there is a replica of each.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Alternative, Config, PoolSpec, Rejection, Resources, Scheduler, ShapeSpec, TeamSpec};
    /// use fairshare::{JobSpec, Submission, TeamId, Timestamp};
    /// let node = Resources::new().gpu(8);
    /// let pools = vec![PoolSpec::new("near", 2, node).with_datasets(["web"]), PoolSpec::new("far", 2, node)];
    /// let mut scheduler = Scheduler::new(Config::new(pools, vec![TeamSpec::new("search")])).unwrap();
    /// let shape = ShapeSpec::new(Alternative::new(node)).reading(["web", "books"]);
    /// let shape = scheduler.intern(&shape).unwrap();
    /// let job = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    /// let submission = scheduler.submit(Timestamp::ZERO, job).unwrap();
    /// assert_eq!(submission, Submission::Rejected(Rejection::NoReplica));
    /// ```
    #[must_use]
    pub fn reading<T: Into<String>>(mut self, datasets: impl IntoIterator<Item = T>) -> Self {
        self.datasets = datasets.into_iter().map(Into::into).collect();
        self
    }

    /// Reading its data sets from elsewhere where it must, or where that costs less in all.
    ///
    /// A job moves what the pool in which it starts has no replica of, before it computes and in each attempt anew, and
    /// holds what it asks meanwhile. It is thought to run for as long as its estimate says, else its limit, else an hour.
    ///
    /// # Examples
    ///
    /// 450 GB take six minutes at 10 Gb/s and cost 9 dollars to leave their cloud. The GPU there costs 4 dollars an hour,
    /// elsewhere 1. For two hours: 8 dollars, or 2.1 + 9; for four: 16, or 4.1 + 9.
    ///
    /// ```
    /// use fairshare::{Alternative, Config, DatasetSpec, Decision, JobSpec, MicroUsd, Millis, PoolId, PoolSpec, Price};
    /// use fairshare::{PriceUnit, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp};
    /// let usd = |text: &str| MicroUsd::parse(text).unwrap();
    /// let pool = |name: &str, hour: &str| {
    ///     let price = Price { unit: PriceUnit::Gpu, hour: usd(hour) };
    ///     PoolSpec::new(name, 1, Resources::new().gpu(8)).with_price(price).with_cloud(name, usd("0.02"))
    /// };
    /// let pools = vec![pool("near", "4").with_datasets(["web"]), pool("far", "1")];
    /// let config = Config::new(pools, vec![TeamSpec::new("search")]);
    /// let config = config.with_datasets(vec![DatasetSpec::new("web", 450_000_000_000)]);
    /// let mut scheduler = Scheduler::new(config).unwrap();
    /// let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(1))).reading(["web"]).or_remotely();
    /// let shape = scheduler.intern(&shape).unwrap();
    /// let mut started_in = |hours: u64| {
    ///     let job = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO).with_estimate(Millis::new(hours * 3_600_000));
    ///     let Submission::Queued(job) = scheduler.submit(Timestamp::ZERO, job).unwrap() else { unreachable!() };
    ///     let [Decision::Start { pool, .. }] = scheduler.schedule(Timestamp::ZERO).unwrap()[..] else { unreachable!() };
    ///     (pool, scheduler.moving(job).unwrap())
    /// };
    /// assert_eq!(started_in(2), (PoolId::new(0), Millis::ZERO));
    /// assert_eq!(started_in(4), (PoolId::new(1), Millis::new(360_000)));
    /// ```
    #[must_use]
    pub fn or_remotely(mut self) -> Self {
        self.reads_remotely = true;
        self
    }

    /// In another priority class.
    #[must_use]
    pub fn with_class(mut self, class: i32) -> Self {
        self.class = class;
        self
    }
}

/// A job to be submitted: a team's wish for one shape.
///
/// # Examples
///
/// ```
/// use fairshare::{JobSpec, Millis, ShapeId, TeamId, Timestamp};
/// let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::ZERO).with_time_limit(Millis::new(3_600_000));
/// assert_eq!(job.estimate_or_limit(), Some(Millis::new(3_600_000)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct JobSpec {
    /// The team that queues.
    pub team: TeamId,
    /// What it asks.
    pub shape: ShapeId,
    /// When it entered; kept through evictions, and decisive for its place in the line.
    pub submit: Timestamp,
    /// The longest that it may run, at full speed.
    pub time_limit: Option<Millis>,
    /// How long it is thought to run, at full speed.
    pub estimate: Option<Millis>,
    /// Whether it may be stopped for another job. Lost capacity stops any job.
    pub preemptible: bool,
    /// How often it saves its work while it runs; without, an eviction loses the whole run.
    pub checkpoint: Option<Millis>,
    /// How long it takes, when it starts again after a stop, until it is where it was.
    pub restart: Option<Millis>,
}

impl JobSpec {
    /// A job without limit or estimate, which may be stopped for others.
    #[must_use]
    pub const fn new(team: TeamId, shape: ShapeId, submit: Timestamp) -> Self {
        Self {
            team,
            shape,
            submit,
            time_limit: None,
            estimate: None,
            preemptible: true,
            checkpoint: None,
            restart: None,
        }
    }

    /// May never be stopped for another job.
    #[must_use]
    pub const fn without_preemption(mut self) -> Self {
        self.preemptible = false;
        self
    }

    /// Saves its work so often while it runs.
    #[must_use]
    pub const fn with_checkpoint(mut self, interval: Millis) -> Self {
        self.checkpoint = Some(interval);
        self
    }

    /// Takes so long, when it starts again after a stop, until it is where it was.
    #[must_use]
    pub const fn with_restart(mut self, restart: Millis) -> Self {
        self.restart = Some(restart);
        self
    }

    /// What is lost if it is stopped after so long: everything since its last checkpoint, and what starting again takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{JobSpec, Millis, ShapeId, TeamId, Timestamp};
    /// let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::ZERO);
    /// assert_eq!(job.lost_after(Millis::new(2_500)), Millis::new(2_500));
    /// let saves = job.with_checkpoint(Millis::new(1_000));
    /// assert_eq!(saves.lost_after(Millis::new(2_500)), Millis::new(500));
    /// assert_eq!(saves.with_restart(Millis::new(300)).lost_after(Millis::new(2_500)), Millis::new(800));
    /// ```
    #[must_use]
    pub const fn lost_after(&self, ran: Millis) -> Millis {
        let again = match self.checkpoint {
            Some(interval) if interval.get() > 0 => ran.get() % interval.get(),
            _ => ran.get(),
        };
        let restart = match self.restart {
            Some(restart) => restart.get(),
            None => 0,
        };
        Millis::new(again.saturating_add(restart))
    }

    /// Whether it would have something else to do again than all that it did.
    pub(crate) const fn saves(&self) -> bool {
        self.checkpoint.is_some() || self.restart.is_some()
    }

    /// With a time limit.
    #[must_use]
    pub const fn with_time_limit(mut self, limit: Millis) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// With an estimate.
    #[must_use]
    pub const fn with_estimate(mut self, estimate: Millis) -> Self {
        self.estimate = Some(estimate);
        self
    }

    /// The estimate, else the limit: what an order by length goes by.
    #[must_use]
    pub const fn estimate_or_limit(&self) -> Option<Millis> {
        match self.estimate {
            Some(estimate) => Some(estimate),
            None => self.time_limit,
        }
    }

    /// The limit, else the estimate: what a reservation goes by.
    #[must_use]
    pub const fn limit_or_estimate(&self) -> Option<Millis> {
        match self.time_limit {
            Some(limit) => Some(limit),
            None => self.estimate,
        }
    }
}

/// Where and since when a job runs that the scheduler has not started itself.
///
/// # Examples
///
/// ```
/// use fairshare::{NodeId, Placed, PoolId, Timestamp};
/// let placed = Placed::new(PoolId::new(0), Timestamp::ZERO).on_nodes(vec![(NodeId::new(3), 2)]);
/// assert_eq!((placed.alternative, placed.nodes.len()), (0, 1));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Placed {
    /// Where it runs.
    pub pool: PoolId,
    /// By which of the shape's alternatives.
    pub alternative: u32,
    /// Since when.
    pub since: Timestamp,
    /// The nodes, with the number of its workers on each; empty where placement may choose, and in a divisible pool.
    pub nodes: Vec<(NodeId, u32)>,
    /// Where workers ask parts of GPUs, the devices by node and number, with the workers on each; empty where placement may
    /// choose.
    pub devices: Vec<(NodeId, u32, u32)>,
}

impl Placed {
    /// In a pool since a time, by the first alternative, on nodes that placement chooses.
    #[must_use]
    pub const fn new(pool: PoolId, since: Timestamp) -> Self {
        Self { pool, alternative: 0, since, nodes: Vec::new(), devices: Vec::new() }
    }

    /// By another alternative.
    #[must_use]
    pub const fn by_alternative(mut self, alternative: u32) -> Self {
        self.alternative = alternative;
        self
    }

    /// On these nodes, with so many workers on each.
    #[must_use]
    pub fn on_nodes(mut self, nodes: Vec<(NodeId, u32)>) -> Self {
        self.nodes = nodes;
        self
    }

    /// On these devices, by node and number, with so many workers on each: for workers that ask parts of GPUs, in place of
    /// the nodes alone.
    #[must_use]
    pub fn on_devices(mut self, devices: Vec<(NodeId, u32, u32)>) -> Self {
        self.devices = devices;
        self
    }
}
