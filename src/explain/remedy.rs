//! Remedy: what would let a waiting job start, as plain values with words.
//!
//! Absent on purpose: how it is found (see `scheduler`). Layer 1; uses `id`, `quantity`, `team`.

use core::fmt;

use super::{Amount, Names};
use crate::id::{JobId, NodeId, PoolId, TeamId};
use crate::money::MicroUsd;
use crate::quantity::{Quantity, write_thousandths};
use crate::resources::ResourceKind;
use crate::team::Spending;

/// What lets a waiting job start by one alternative in one pool: with all of the amounts it does, and with any of them one
/// unit less it does not. What is claimed exactly is told by [`Scheduler::remedies`](crate::Scheduler::remedies).
///
/// # Display format
///
/// One line, with the names of the pool and of resources, and the numbers of jobs.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Remedy {
    /// Which of the shape's alternatives.
    pub alternative: u32,
    /// Where.
    pub pool: PoolId,
    /// What is needed; nothing where the next cycle starts the job, or where the policy serves others in turn.
    pub needs: Vec<Need>,
    /// The job for which room is kept that is left alone: what is needed is needed beside it.
    pub beside: Option<JobId>,
    pub(crate) names: Names,
}

/// One amount that is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Need {
    /// So much more must be free.
    Room {
        /// On this node; `None` in a divisible pool.
        node: Option<NodeId>,
        /// Of which resource.
        kind: ResourceKind,
        /// How much.
        amount: Quantity,
    },
    /// So much more must be free on a GPU of which a part is taken.
    Device {
        /// On this node.
        node: NodeId,
        /// Its number there, as [`Scheduler::devices`](crate::Scheduler::devices) tells it.
        device: u32,
        /// How much, in thousandths.
        amount: Quantity,
    },
    /// A team must be allowed to hold so much more.
    Limit {
        /// The team.
        team: TeamId,
        /// Of which resource.
        kind: ResourceKind,
        /// How much.
        amount: Quantity,
    },
    /// A team must be allowed to spend so much more in this period.
    Budget {
        /// The team.
        team: TeamId,
        /// How much.
        more: Spending,
    },
    /// More nodes must be up.
    Nodes {
        /// How many: a plain count.
        amount: Quantity,
    },
    /// Time must pass: the job was stopped for another, and may not run beyond its team's quota again so soon.
    Wait {
        /// How much, in milliseconds.
        amount: Quantity,
    },
    /// Others must be out of its way: so many of the jobs that wait for any of its pools, in the order of
    /// [`Scheduler::queue`](crate::Scheduler::queue), without itself, must wait no longer. Where nothing may pass the first job of
    /// a team ([`Backfill::None`](crate::Backfill::None)), those of its team that stand before it count whatever they wait for.
    Turn {
        /// How many: a plain count.
        amount: Quantity,
        /// The last of them.
        last: JobId,
    },
}

impl Need {
    /// How much is needed; of budgets, GPU milliseconds or micro-USD; of time, milliseconds.
    #[must_use]
    pub const fn amount(&self) -> Quantity {
        match self {
            Self::Room { amount, .. }
            | Self::Device { amount, .. }
            | Self::Limit { amount, .. }
            | Self::Nodes { amount }
            | Self::Wait { amount }
            | Self::Turn { amount, .. } => *amount,
            Self::Budget { more: Spending::GpuMillis(more), .. } => Quantity::new(*more),
            Self::Budget { more: Spending::Usd(more), .. } => Quantity::new(more.get()),
        }
    }

    pub(crate) fn set_amount(&mut self, new: Quantity) {
        match self {
            Self::Room { amount, .. }
            | Self::Device { amount, .. }
            | Self::Limit { amount, .. }
            | Self::Nodes { amount }
            | Self::Wait { amount }
            | Self::Turn { amount, .. } => *amount = new,
            Self::Budget { more: Spending::GpuMillis(more), .. } => *more = new.get(),
            Self::Budget { more: Spending::Usd(more), .. } => *more = MicroUsd::new(new.get()),
        }
    }
}

impl Need {
    fn describe(&self, f: &mut impl fmt::Write, names: &Names, job: &dyn Fn(JobId) -> String) -> fmt::Result {
        match self {
            Self::Room { node, kind, amount } => {
                write!(f, "{} {} more free", Amount(*kind, *amount), names.kind(*kind))?;
                node.map_or(Ok(()), |node| write!(f, " on node {node}"))
            }
            Self::Device { node, device, amount } => {
                let amount = Amount(ResourceKind::GPU, *amount);
                write!(f, "{amount} gpu more free on device {device} of node {node}")
            }
            Self::Budget { team, more: Spending::GpuMillis(more) } => {
                write_thousandths(f, *more)?;
                write!(f, " GPU-seconds more in the budget of team `{}`", names.team(*team))
            }
            Self::Budget { team, more: Spending::Usd(more) } => {
                write!(f, "{more} USD more in the budget of team `{}`", names.team(*team))
            }
            Self::Limit { team, kind, amount } => {
                let (amount, kind) = (Amount(*kind, *amount), names.kind(*kind));
                write!(f, "{amount} {kind} more for team `{}`", names.team(*team))
            }
            Self::Nodes { amount } => match amount.get() {
                1 => f.write_str("one node more up"),
                nodes => write!(f, "{nodes} nodes more up"),
            },
            Self::Wait { amount } => {
                write_thousandths(f, amount.get())?;
                f.write_str(" s until it may run beyond the quota again")
            }
            Self::Turn { amount, last } => {
                write!(f, "job {}", job(*last))?;
                match amount.get() {
                    1 => f.write_str(" out of its way"),
                    jobs => write!(f, " and the {} before it out of its way", jobs - 1),
                }
            }
        }
    }
}

impl Remedy {
    /// In words, with the caller's names of jobs.
    #[must_use]
    pub fn words(&self, job: &dyn Fn(JobId) -> String) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = self.describe(&mut text, job);
        text
    }

    fn describe(&self, f: &mut impl fmt::Write, job: &dyn Fn(JobId) -> String) -> fmt::Result {
        write!(f, "pool `{}`: ", self.names.pool(self.pool))?;
        if self.needs.is_empty() {
            return f.write_str("nothing but its turn");
        }
        for (position, need) in self.needs.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { ", " })?;
            need.describe(f, &self.names, job)?;
        }
        self.beside.map_or(Ok(()), |other| write!(f, ", beside what is kept for job {}", job(other)))
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, &|job| job.to_string())
    }
}
