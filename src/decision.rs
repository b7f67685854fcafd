//! Decisions: what the scheduler wants done, as values that the caller carries out.
//!
//! Absent on purpose: how decisions are reached. Layer 1; uses `id`, `quantity`, `resources`, `share`, `time`.

use core::fmt;

use crate::id::{JobId, PoolId, TeamId};
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::share::ShareKey;
use crate::time::Millis;

/// One thing to do, in the order in which it was decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Decision {
    /// Start all workers of a waiting job. [`Scheduler::placement`](crate::Scheduler::placement) names the nodes.
    Start {
        /// The job.
        job: JobId,
        /// One for the first start of a job, and one more for each start after an eviction.
        attempt: u32,
        /// Where.
        pool: PoolId,
        /// Which of the shape's alternatives.
        alternative: u32,
    },
    /// Stop a running job; it waits again, in its old place.
    Evict {
        /// The job.
        job: JobId,
        /// The attempt that ends.
        attempt: u32,
        /// Where it ran.
        pool: PoolId,
        /// As which of the shape's alternatives.
        alternative: u32,
        /// Why.
        reason: EvictReason,
        /// For which waiting job, which the same answer of [`schedule`](crate::Scheduler::schedule) starts; `None` where
        /// capacity was lost, a round is over, or a policy of the caller's own stopped it.
        by: Option<JobId>,
    },
}

/// Why a running job was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EvictReason {
    /// The pool lost capacity that the job used, or more than the others could give way for.
    CapacityLost,
    /// It ran on borrowed room, and a job that is guaranteed against it needs that room.
    Quota,
    /// A job of a higher priority class, of another team, needs its room.
    Priority,
    /// A job of its own tier and class, whose team holds no more with it than the victim's team without its victims.
    FairShare,
    /// A job of a higher priority class of its own team needs its room.
    OwnTeam,
    /// Its turn is over: under a policy that shares time, others run in the next round. No work is lost.
    Round,
    /// A policy of the caller's own stopped it.
    Policy,
}

impl EvictReason {
    /// All reasons, in the order in which they are documented.
    pub const ALL: [Self; 7] = [
        Self::CapacityLost,
        Self::Quota,
        Self::Priority,
        Self::FairShare,
        Self::OwnTeam,
        Self::Round,
        Self::Policy,
    ];

    /// The word for it in files and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapacityLost => "capacity-lost",
            Self::Quota => "quota",
            Self::Priority => "priority",
            Self::FairShare => "fair-share",
            Self::OwnTeam => "own-team",
            Self::Round => "round",
            Self::Policy => "policy",
        }
    }
}

/// What is known of an eviction: who, for whom, by which rule, what both sides hold, and the work lost.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Eviction {
    /// Who was stopped.
    pub job: JobId,
    /// The attempt that ended.
    pub attempt: u32,
    /// Where it ran.
    pub pool: PoolId,
    /// By which rule.
    pub reason: EvictReason,
    /// The job that needed the room, if it was stopped for one.
    pub by: Option<JobId>,
    /// The side that lost the job.
    pub victim: Side,
    /// The side that the room was for, if it was for one.
    pub preemptor: Option<Side>,
    /// For how long the job had run since its last checkpoint: what will be done again.
    pub lost: Millis,
}

/// One side of an eviction: the team that was compared, a child of the lowest team above both jobs, and its key K before
/// anything was stopped and after the room was taken. Where capacity was lost, it is the team below the root, and the key
/// after that job had gone.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Side {
    /// The team.
    pub team: TeamId,
    /// Its key before.
    pub before: ShareKey,
    /// Its key after.
    pub after: ShareKey,
}

/// What became of a submitted job.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Submission {
    /// It waits until a decision starts it.
    Queued(JobId),
    /// It can never start: nothing was queued, and no other job is held up.
    Rejected(Rejection),
}

/// Why a job can never start, whatever else runs.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Rejection {
    /// No pool is of the type, or in the list, that the job names.
    NoPool,
    /// No pool that the job may use holds all data sets that it reads.
    NoReplica,
    /// No pool that the job may use is large enough, however empty.
    TooLarge {
        /// The eligible pool that comes closest.
        pool: PoolId,
        /// The resource that falls short there.
        kind: ResourceKind,
        /// How much the gang, or one worker, asks of it.
        requested: Quantity,
        /// How much the whole pool, or one node, has.
        capacity: Quantity,
        /// Whether the amounts are those of one worker and one node.
        per_node: bool,
    },
    /// No fabric domain of a pool that the job may use holds all of its workers, however empty.
    LargerThanDomain {
        /// The eligible pool that comes closest.
        pool: PoolId,
        /// How many workers the gang has.
        workers: u32,
        /// How many of them the largest domain holds.
        most: u64,
    },
    /// Its team, or one above it, may never hold as much.
    Limit {
        /// The pool that is tried first.
        pool: PoolId,
        /// Of which resource.
        kind: ResourceKind,
        /// The team whose limit it is.
        team: Option<TeamId>,
        /// How much the job asks.
        requested: Quantity,
        /// The most that the team may hold.
        most: Quantity,
    },
    /// Other teams keep so much for themselves that the rest is never enough.
    Kept {
        /// The pool that is tried first.
        pool: PoolId,
        /// Of which resource.
        kind: ResourceKind,
        /// How much the job asks.
        requested: Quantity,
        /// How much others keep.
        kept: Quantity,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPool => f.write_str("no pool is of the type that the job asks for"),
            Self::NoReplica => f.write_str("no pool that the job may use has all data sets that it reads"),
            Self::LargerThanDomain { .. } => {
                f.write_str("the gang is larger than any fabric domain of an eligible pool")
            }
            Self::Limit { .. } => f.write_str("the job asks for more than its team may ever hold"),
            Self::Kept { .. } => f.write_str("the job asks for more than other teams ever leave"),
            Self::TooLarge { per_node, .. } => {
                let (what, of) =
                    if *per_node { ("a worker asks", "a node has") } else { ("the job asks", "a pool has") };
                write!(f, "{what} for more than {of} in any eligible pool")
            }
        }
    }
}
