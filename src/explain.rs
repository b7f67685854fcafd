//! Explanation: why a job waits, and what would unblock it, as plain values with words.
//!
//! Absent on purpose: how the facts are found (see `policy` and `scheduler`). What would help a job is in
//! `remedy`. Layer 1; uses `id`, `quantity`, `share`.

mod remedy;

use core::fmt;

pub use self::remedy::{Need, Remedy};
use crate::id::{JobId, PoolId, TeamId};
use crate::quantity::{Quantity, write_thousandths};
use crate::resources::ResourceKind;
use crate::share::ShareKey;
use crate::time::Timestamp;

/// One thing that stops a waiting job.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Blocked {
    /// Too little of a resource is free, in the whole pool or on every node.
    Room {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// What falls short.
        kind: ResourceKind,
        /// How much is asked: by the whole job, or by one worker.
        requested: Quantity,
        /// How much is free: in the whole pool, or on the node that has most.
        free: Quantity,
        /// Whether the amounts are those of one worker and one node.
        per_node: bool,
    },
    /// Enough GPUs are free on a node, but no single device, or not enough of them, has what a worker asks of it.
    Device {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// How much a worker asks.
        requested: Quantity,
        /// How much is free on the node that has most.
        free: Quantity,
        /// How much of that on the device that has most.
        on_device: Quantity,
    },
    /// There is enough of everything, but no node, or not enough nodes, with all of it together.
    Scattered {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// How many workers the job has.
        workers: u32,
        /// How many of them would find room.
        room_for: u64,
    },
    /// The nodes have room for all workers, but those of no fabric domain have.
    AcrossDomains {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// How many workers the job has.
        workers: u32,
        /// How many of them would find room in the domain that has most.
        room_for: u64,
    },
    /// Its team, or one above it, may not hold more.
    Limit {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// Of which resource.
        kind: ResourceKind,
        /// The team whose limit it is.
        team: Option<TeamId>,
        /// How much the job asks.
        requested: Quantity,
        /// How much that team holds.
        used: Quantity,
        /// The most that it may hold.
        most: Quantity,
    },
    /// Its team, or one above it, has spent its budget.
    Budget {
        /// The team whose budget it is.
        team: Option<TeamId>,
        /// When its next period begins.
        until: Timestamp,
    },
    /// What is free is kept by other teams for themselves.
    Kept {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// Of which resource.
        kind: ResourceKind,
        /// How much the job asks.
        requested: Quantity,
        /// How much is free.
        free: Quantity,
        /// How much of it others keep.
        kept: Quantity,
    },
    /// A job before it is blocked, and nothing may pass that job.
    Line {
        /// The job that is blocked.
        behind: JobId,
    },
    /// It would fit, but a job before it has a reservation, which it would delay.
    Reservation {
        /// The job that has it.
        behind: JobId,
        /// Where.
        pool: PoolId,
        /// When that job starts at the latest, if all jobs end when they said they would.
        until: Timestamp,
    },
    /// It was stopped for another team's job, and may not run beyond its team's quota again so soon.
    BackOff {
        /// When it may.
        until: Timestamp,
    },
    /// Others could be stopped for it, but for a bound on what is lost by that, or a rule against going round.
    Bound {
        /// Which of the shape's alternatives.
        alternative: u32,
        /// Where.
        pool: PoolId,
        /// What keeps them running. Where there are several, with all but this one lifted they still would.
        bound: EvictionBound,
        /// When it ceases to do so, if nothing else happens until then and the others in the way are gone. `None` where time
        /// alone is not known to end it.
        until: Option<Timestamp>,
    },
    /// Jobs of its own team come before it in the line.
    Team {
        /// How many.
        ahead: usize,
    },
    /// Time is shared in rounds, and others have their turn.
    Round {
        /// When the next round begins at the latest.
        until: Timestamp,
    },
    /// It would fit, and a policy of the caller's own has not started it.
    Policy,
    /// Nothing: the next cycle starts it unless a team with a smaller key takes the room.
    Nothing,
}

/// What keeps running jobs from being stopped for one that might stop them by their ranks and shares: see
/// [`EvictionBounds`](crate::EvictionBounds).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum EvictionBound {
    /// They have run for too short a time.
    MinimumRun,
    /// Too much GPU time would be lost in this hour.
    GpuTime,
    /// They hold too much for what it asks.
    Ratio,
    /// Their team does not hold enough more than its own would.
    Hysteresis,
    /// It was itself stopped for another since the last event from outside, and stops nobody until the next, or until a bound
    /// on evictions runs out, which helps each job once between two such events.
    Stopped,
}

impl EvictionBound {
    const fn describe(self) -> &'static str {
        match self {
            Self::MinimumRun => "whom it could stop has run for too short a time",
            Self::GpuTime => "whom it could stop would lose more GPU time than is left for evictions",
            Self::Ratio => "whom it could stop holds too much for what it asks",
            Self::Hysteresis => "whom it could stop is of a team that holds too little more than its own",
            Self::Stopped => "it was stopped itself, and stops nobody before something else happens",
        }
    }
}

impl Blocked {
    /// What stops the workers of a gang though there is enough of everything.
    fn describe_scattered(&self, f: &mut impl fmt::Write, names: &Names) -> fmt::Result {
        match self {
            Self::Scattered { pool, workers: 1, .. } => {
                write!(f, "pool `{}`: no node has all that a worker asks together", names.pool(*pool))
            }
            Self::Scattered { pool, workers, room_for, .. } => {
                let pool = names.pool(*pool);
                write!(f, "pool `{pool}`: {workers} workers, the nodes have room for {room_for} of them")
            }
            Self::AcrossDomains { pool, workers, room_for, .. } => {
                let pool = names.pool(*pool);
                write!(
                    f,
                    "pool `{pool}`: {workers} workers, the emptiest fabric domain has room for {room_for} of them"
                )
            }
            _ => Ok(()),
        }
    }

    fn describe(&self, f: &mut impl fmt::Write, names: &Names, job: &dyn Fn(JobId) -> String) -> fmt::Result {
        match self {
            Self::Room { pool, kind, requested, free, per_node, .. } => {
                let (who, place) =
                    if *per_node { ("a worker", "the emptiest node") } else { ("the job", "the pool") };
                let (pool, kind_name) = (names.pool(*pool), names.kind(*kind));
                let (requested, free) = (Amount(*kind, *requested), Amount(*kind, *free));
                write!(f, "pool `{pool}`: {who} asks {requested} {kind_name}, {place} has {free} free")
            }
            Self::Device { pool, requested, free, on_device, .. } => {
                let pool = names.pool(*pool);
                let [requested, free, on_device] =
                    [*requested, *free, *on_device].map(|amount| Amount(ResourceKind::GPU, amount));
                write!(
                    f,
                    "pool `{pool}`: a worker asks {requested} gpu, the emptiest node has {free} free, at most {on_device} \
                     of it on one device"
                )
            }
            Self::Scattered { .. } | Self::AcrossDomains { .. } => self.describe_scattered(f, names),
            Self::Limit { pool, kind, team, requested, used, most, .. } => {
                let (pool, team) = (names.pool(*pool), team.map_or("?", |team| names.team(team)));
                let [requested, used, most] = [*requested, *used, *most].map(|amount| Amount(*kind, amount));
                let kind = names.kind(*kind);
                write!(
                    f,
                    "pool `{pool}`: it asks {requested} {kind}, team `{team}` holds {used} of at most {most}"
                )
            }
            Self::Budget { team, until } => {
                let team = team.map_or("?", |team| names.team(team));
                write!(f, "team `{team}` has spent its budget; the next period begins at {until} s")
            }
            Self::Kept { pool, kind, requested, free, kept, .. } => {
                let pool = names.pool(*pool);
                let [requested, free, kept] = [*requested, *free, *kept].map(|amount| Amount(*kind, amount));
                let kind = names.kind(*kind);
                write!(
                    f,
                    "pool `{pool}`: it asks {requested} {kind}, other teams keep {kept} of the {free} free"
                )
            }
            Self::Line { behind } => {
                write!(f, "job {} is blocked before it, and nothing may pass", job(*behind))
            }
            Self::Reservation { behind, pool, until } => {
                let (pool, behind) = (names.pool(*pool), job(*behind));
                write!(
                    f,
                    "pool `{pool}`: it would delay job {behind}, which has room reserved from {until} s on"
                )
            }
            Self::BackOff { until } => {
                write!(
                    f,
                    "it was stopped for another team's job, and may run beyond the quota from {until} s on"
                )
            }
            Self::Bound { pool, bound, until, .. } => {
                write!(f, "pool `{}`: {}", names.pool(*pool), bound.describe())?;
                match (bound, until) {
                    (_, None) => Ok(()),
                    (EvictionBound::Stopped, Some(until)) => write!(f, ", at {until} s at the latest"),
                    (_, Some(until)) => write!(f, ", until {until} s"),
                }
            }
            Self::Team { ahead } => write!(f, "{ahead} of its team's jobs come first"),
            Self::Round { until } => write!(f, "others have their turn; the next round begins at {until}"),
            Self::Policy => f.write_str("it fits, and the policy has not chosen it"),
            Self::Nothing => f.write_str("it fits: the next cycle starts it unless another team comes first"),
        }
    }
}

/// What a waiting job asks by one alternative in one pool of one resource, beside what there is of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// Which of the shape's alternatives.
    pub alternative: u32,
    /// Where.
    pub pool: PoolId,
    /// Of which resource.
    pub kind: ResourceKind,
    /// How much all workers ask.
    pub requested: Quantity,
    /// How much is free in the pool.
    pub free: Quantity,
    /// How much its team holds in the pool, with the teams below it.
    pub held: Quantity,
    /// How much its team is entitled to, if it had all of that in this pool; rounded down. An upper bound: see
    /// [`TeamShare::entitlement`](crate::TeamShare).
    pub entitled: Quantity,
}

/// A comparison of two teams that a waiting job's side lost: children of the lowest team above both.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Lost {
    /// The job that comes first, or came.
    pub to: JobId,
    /// The team on its side.
    pub team: TeamId,
    /// The key K of that team.
    pub key: ShareKey,
    /// The team on the side of the job that waits.
    pub own_team: TeamId,
    /// The key K of that team.
    pub own_key: ShareKey,
    /// Whether the keys are those after the grant, of the start in the last cycle and of the waiting job in its place: it is
    /// what a job lost that comes first again by what is held now. A scheduler that is built again from a snapshot does not
    /// know of it. Otherwise the keys are those now.
    pub after_grant: bool,
}

/// Names of pools, teams and resource kinds, for words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Names {
    pub(crate) pools: Vec<String>,
    pub(crate) teams: Vec<String>,
    pub(crate) kinds: crate::resources::ResourceKinds,
}

impl Names {
    pub(crate) fn pool(&self, pool: PoolId) -> &str {
        self.pools.get(pool.index()).map_or("?", String::as_str)
    }

    pub(crate) fn team(&self, team: TeamId) -> &str {
        self.teams.get(team.index()).map_or("?", String::as_str)
    }

    pub(crate) fn kind(&self, kind: ResourceKind) -> &str {
        self.kinds.name(kind)
    }
}

/// An amount of a resource, as people say it.
///
/// # Display format
///
/// Exact: of bytes the largest of TiB, GiB, MiB and KiB that divides them, of everything else units with up to three decimals.
///
/// # Examples
///
/// ```
/// use fairshare::{Amount, Quantity, ResourceKind};
/// let said = |kind, amount| Amount(kind, Quantity::new(amount)).to_string();
/// assert_eq!(said(ResourceKind::GPU, 1_500), "1.5");
/// assert_eq!(said(ResourceKind::MEMORY, 48 << 30), "48 GiB");
/// assert_eq!(said(ResourceKind::MEMORY, (48 << 30) + 1), "51539607553 bytes");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amount(pub ResourceKind, pub Quantity);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.1.get();
        if !self.0.is_bytes() {
            return write_thousandths(f, amount);
        }
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(bits, _)| amount > 0 && amount.is_multiple_of(1 << bits)) {
            Some((bits, unit)) => write!(f, "{} {unit}", amount >> bits),
            None => write!(f, "{amount} bytes"),
        }
    }
}

/// What a job is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JobState {
    /// It runs.
    Running {
        /// Where.
        pool: PoolId,
    },
    /// It waits, for every one of these reasons.
    Waiting(Vec<Blocked>),
}

/// What a job is doing, and why it waits if it does.
///
/// # Display format
///
/// One line for each reason, with the names of pools and resources and the amounts asked and free.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// Its team.
    pub team: TeamId,
    /// What it does, and why it waits.
    pub state: JobState,
    /// The key K of its team now.
    pub key: ShareKey,
    /// The team whose waiting jobs for the same pools come first by what is held now. Of the job that comes first itself, the
    /// team whose start in the last cycle took the room that the job had, by a smaller key after the grant. `None` where
    /// others of its own team come first, for a running job, for one that may not borrow yet, and where the keys may not have
    /// decided: where the order goes by other things, under reservations, where somebody was stopped in that cycle, where
    /// the start was of another tier or class, and as soon as anything has happened since.
    pub lost: Option<Lost>,
    /// What it asks by each alternative in each pool, with what is free and what its team is entitled to; nothing for a
    /// running job.
    pub asked: Vec<Asked>,
    pub(crate) names: Names,
}

impl Explanation {
    /// The reasons in words, with the caller's names of other jobs; none for a running job.
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
    /// let reasons = scheduler.explain(second).unwrap().reasons(&|job| job.to_string());
    /// assert_eq!(reasons, ["pool `l4`: the job asks 3 gpu, the pool has 1 free"]);
    /// ```
    #[must_use]
    pub fn reasons(&self, job: &dyn Fn(JobId) -> String) -> Vec<String> {
        let JobState::Waiting(reasons) = &self.state else { return Vec::new() };
        let words = |reason: &Blocked| {
            let mut text = String::new();
            // Writing into a string does not fail.
            let _ = reason.describe(&mut text, &self.names, job);
            text
        };
        reasons.iter().map(words).collect()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            JobState::Running { pool } => {
                write!(f, "job {} runs in pool `{}`", self.job, self.names.pool(*pool))
            }
            JobState::Waiting(_) => {
                write!(f, "job {} waits", self.job)?;
                let reasons = self.reasons(&|job| job.to_string());
                reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
            }
        }
    }
}
