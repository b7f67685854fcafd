//! Error: everything that a call can refuse, naming the object that it refuses.
//!
//! A call that returns an error has changed nothing. Absent on purpose: strings built from Debug output, and variants
//! that mean "something else". Layer 0; uses `id`, `time`.

use core::fmt;

use crate::id::{JobId, NodeId, PoolId, ShapeId, TeamId};
use crate::time::Timestamp;

/// Why a call was refused. The state is as it was before the call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(Box<ErrorKind>);

impl Error {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl From<ErrorKind> for Error {
    #[cold]
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What of a snapshot is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotPart {
    /// What is true of a pool.
    Pool(PoolId),
    /// What is true of a team.
    Team(TeamId),
    /// A shape.
    Shape(ShapeId),
    /// A job, or what names it.
    Job(JobId),
    /// The rounds of `Gavel`.
    Rounds,
}

impl fmt::Display for SnapshotPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(pool) => write!(f, "pool {pool}"),
            Self::Team(team) => write!(f, "team {team}"),
            Self::Shape(shape) => write!(f, "shape {shape}"),
            Self::Job(job) => write!(f, "job {job}"),
            Self::Rounds => f.write_str("the rounds"),
        }
    }
}

/// The ways in which a snapshot can contradict itself, or this release.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotFault {
    /// It is of a version that this release does not read.
    Version {
        /// Its version.
        found: u32,
        /// The version that is read.
        known: u32,
    },
    /// It is of a scheduler that decided by an order or a policy of the caller's own, and is restored without it.
    Own {
        /// `order` or `policy`.
        what: &'static str,
    },
    /// It says of another number of pools, or of teams, what is true of them than its configuration has.
    Length {
        /// `pools`, `teams`, `remembered pools`, or what else is told pool by pool.
        what: &'static str,
        /// Of how many it says so.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// Its undelivered evictions are not those of its records.
    Evictions,
    /// Of a pool: its exceptions are not as many nodes that are down among the first as are up among the others.
    Exceptions,
    /// Some part of it cannot be true.
    In {
        /// The part.
        part: SnapshotPart,
        /// Why it is refused.
        why: Error,
    },
    /// Of a part: what there can be once only.
    Twice(&'static str),
    /// Of a job: it waits, and no pool can ever hold it.
    NeverStarts,
    /// Of a job: it counts within the quota of a team that is neither its own nor above it.
    NotGuaranteed(TeamId),
    /// Of a job: its slot comes after one of which nothing is said.
    Slot,
    /// Of a job, or of rounds: an amount that there cannot be.
    Amount(&'static str),
}

impl From<SnapshotFault> for Error {
    fn from(fault: SnapshotFault) -> Self {
        ErrorKind::Snapshot(fault).into()
    }
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found, known } => {
                write!(f, "the snapshot is of version {found}, and only version {known} is read")
            }
            Self::Own { what } => {
                write!(
                    f,
                    "the snapshot is of a scheduler with the caller's own {what}, which it does not hold"
                )
            }
            Self::Length { what, found, expected } => {
                write!(f, "the snapshot tells of {found} {what}, and its configuration has {expected}")
            }
            Self::Evictions => f.write_str(
                "the evictions of the snapshot that are not delivered are not those of its records",
            ),
            Self::Exceptions => {
                f.write_str("its exceptions are not nodes that are down and as many others that are up")
            }
            Self::In { part, why } => write!(f, "{part} of the snapshot: {why}"),
            Self::Twice(what) => write!(f, "{what} is there twice"),
            Self::NeverStarts => f.write_str("it waits, and no pool can ever hold it"),
            Self::NotGuaranteed(team) => write!(f, "team {team} is neither its own nor above it"),
            Self::Slot => f.write_str("its slot comes after one that is neither used nor free"),
            Self::Amount(what) => write!(f, "{what} is no amount that can be"),
        }
    }
}

/// The ways in which a call can be refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A pool or a team has no name, or a name is used twice.
    Name {
        /// `pool`, `team` or `data set`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The configuration has no pool.
    NoPool,
    /// A pool has no nodes, or its nodes have nothing.
    EmptyPool {
        /// Name of the pool.
        pool: String,
    },
    /// Fabric domains that are empty, do not add up to the nodes of their pool, or divide a divisible one.
    Domains {
        /// Name of the pool.
        pool: String,
    },
    /// A pool that data sets never come to: its link has no speed.
    Link {
        /// Name of the pool.
        pool: String,
    },
    /// Shares valued by price, and a GPU pool without a price.
    MissingPrice {
        /// Name of the pool.
        pool: String,
    },
    /// Shares valued by a table, and a GPU pool without a value, or with zero.
    MissingValue {
        /// Name of the pool.
        pool: String,
    },
    /// A parent that is the team itself, one of its descendants, or no team at all.
    Parent {
        /// Name of the team.
        team: String,
    },
    /// Sibling weights whose integer form, by their common denominator, passes 2^20.
    Weight {
        /// Name of the team at which the limit is passed.
        team: String,
    },
    /// A pool or resource that a team's quota, limit, borrowing or lending limit names twice, or that does not exist.
    Allowance {
        /// Name of the team.
        team: String,
        /// `quota`, `limit`, `borrow` or `lend`.
        what: &'static str,
        /// Name of the pool, or its number if there is none.
        pool: String,
        /// Name of the resource.
        kind: String,
    },
    /// Quotas that add up to more than there is to guarantee.
    Quota {
        /// Name of the team whose children's quotas they are; empty for the teams under the root.
        parent: String,
        /// Name of the pool.
        pool: String,
        /// Name of the resource.
        kind: String,
    },
    /// A budget over no time, or one in money where a pool has no price.
    Budget {
        /// Name of the team.
        team: String,
    },
    /// The order `static` where no team has a quota.
    StaticWithoutQuota,
    /// Eviction for others together with conservative backfill, whose plans it would void.
    PreemptionWithConservative,
    /// Something that this build of the crate leaves out.
    NotBuilt {
        /// What, as a phrase.
        what: &'static str,
        /// The crate feature that has it.
        feature: &'static str,
    },
    /// An amount beyond what exact arithmetic allows: a share group of 2^53 or more, or an overflow.
    TooLarge {
        /// What is too large, as a phrase.
        what: String,
    },
    /// A shape without alternatives, workers, requested amounts or speed.
    EmptyShape {
        /// What is missing, as a phrase.
        what: &'static str,
    },
    /// No team of that id.
    UnknownTeam(TeamId),
    /// No pool of that id.
    UnknownPool(PoolId),
    /// A node that its pool does not have; a divisible pool has none.
    UnknownNode {
        /// The pool's name.
        pool: String,
        /// The node.
        node: NodeId,
    },
    /// No shape of that id.
    UnknownShape(ShapeId),
    /// No such job: never submitted, or finished, or cancelled.
    UnknownJob(JobId),
    /// The job is not running, so it cannot be completed.
    NotRunning(JobId),
    /// The job is not waiting, so it cannot be started.
    NotWaiting(JobId),
    /// The job may not be stopped.
    NotPreemptible(JobId),
    /// A time before one that the scheduler has already seen.
    TimeBackwards {
        /// The time given.
        now: Timestamp,
        /// The latest time seen.
        seen: Timestamp,
    },
    /// A job that enters after it is submitted.
    SubmitAfterNow {
        /// When it is said to enter.
        submit: Timestamp,
        /// The time given.
        now: Timestamp,
    },
    /// A job that is said to run, or asked to start, in a pool in which that alternative can never start.
    NoRoute {
        /// The pool.
        pool: PoolId,
        /// Which of the shape's alternatives.
        alternative: u32,
    },
    /// A job that is said to run where there is no room for it, or on nodes that do not hold its workers.
    NoRoom(PoolId),
    /// A job that runs since a time after now, or before it was submitted.
    Since {
        /// Since when it is said to run.
        since: Timestamp,
        /// When it entered.
        submit: Timestamp,
        /// The time given.
        now: Timestamp,
    },
    /// More of something than ids can tell apart, or than there is.
    TooMany(&'static str),
    /// A snapshot from which no scheduler can be built.
    Snapshot(SnapshotFault),
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { what, name } if name.is_empty() => write!(f, "a {what} has no name"),
            Self::Name { what, name } => write!(f, "{what} `{name}` is defined twice"),
            Self::NoPool => f.write_str("there is no pool"),
            Self::EmptyPool { pool } => write!(f, "pool `{pool}` has no capacity"),
            Self::Domains { pool } => write!(
                f,
                "the fabric domains of pool `{pool}` are not its nodes, or the pool is divisible and has none"
            ),
            Self::Link { pool } => write!(f, "the link of pool `{pool}` has no speed"),
            Self::MissingPrice { pool } => {
                write!(f, "pool `{pool}` has no price above zero, and shares are valued by price")
            }
            Self::MissingValue { pool } => {
                write!(f, "pool `{pool}` has no value above zero, and shares are valued by a table")
            }
            Self::Parent { team } => write!(f, "team `{team}` has a parent that is no team or lies below it"),
            Self::Weight { team } => write!(
                f,
                "the weight of team `{team}` and those of its siblings have no common form as integers up to 2^20"
            ),
            Self::Allowance { team, what, pool, kind } => write!(
                f,
                "the {what} of team `{team}` names `{kind}` in pool `{pool}` twice, or there is no such pool or resource"
            ),
            Self::Quota { parent, pool, kind } if parent.is_empty() => {
                write!(f, "the quotas of `{kind}` in pool `{pool}` add up to more than the pool has")
            }
            Self::Quota { parent, pool, kind } => write!(
                f,
                "the quotas of `{kind}` in pool `{pool}` below team `{parent}` add up to more than its own quota"
            ),
            Self::Budget { team } => write!(
                f,
                "the budget of team `{team}` has no period, or counts money and a pool has no price"
            ),
            Self::StaticWithoutQuota => {
                f.write_str("the order `static` gives each team its quota, and no team has one")
            }
            Self::PreemptionWithConservative => f.write_str(
                "preemption cannot be combined with `conservative` backfill: it would void the plans of jobs",
            ),
            Self::NotBuilt { what, feature } => {
                write!(f, "{what} is not in this build: it needs the feature `{feature}`")
            }
            Self::TooLarge { what } => write!(f, "{what} is too large for exact arithmetic"),
            Self::EmptyShape { what } => write!(f, "a shape has no {what}"),
            Self::UnknownTeam(team) => write!(f, "there is no team {team}"),
            Self::UnknownPool(pool) => write!(f, "there is no pool {pool}"),
            Self::UnknownNode { pool, node } => write!(f, "pool `{pool}` has no node {node}"),
            Self::UnknownShape(shape) => write!(f, "there is no shape {shape}"),
            Self::UnknownJob(job) => write!(f, "there is no job {job}, or it is finished"),
            Self::NotRunning(job) => write!(f, "job {job} is not running"),
            Self::NotWaiting(job) => write!(f, "job {job} is not waiting"),
            Self::NotPreemptible(job) => write!(f, "job {job} may not be stopped"),
            Self::TimeBackwards { now, seen } => write!(f, "time {now} s lies before {seen} s, already seen"),
            Self::SubmitAfterNow { submit, now } => {
                write!(f, "a job enters at {submit} s, after {now} s, the time given")
            }
            Self::NoRoute { pool, alternative } => {
                write!(f, "alternative {alternative} of the job can never run in pool {pool}")
            }
            Self::NoRoom(pool) => write!(f, "pool {pool} has no room for the job where it is said to run"),
            Self::Since { since, submit, now } => {
                write!(f, "a job cannot run since {since} s that entered at {submit} s, at {now} s")
            }
            Self::TooMany(what) => write!(f, "there are too many {what}"),
            Self::Snapshot(fault) => fmt::Display::fmt(fault, f),
        }
    }
}
