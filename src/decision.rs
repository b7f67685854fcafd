//! Decisions: what the scheduler wants done, as values that the caller carries out.
//!
//! Absent on purpose: how decisions are reached. Layer 1; uses `id`, `quantity`, `resources`.

use core::fmt;

use crate::id::{JobId, PoolId, TeamId};
use crate::quantity::Quantity;
use crate::resources::ResourceKind;

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
        /// Why.
        reason: EvictReason,
    },
}

/// Why a running job was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EvictReason {
    /// The pool lost capacity that the job used, or more than the others could give way for.
    CapacityLost,
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
