//! Shares heterogeneous GPU pools among teams by weighted dominant-resource fairness: exact, deterministic, explained.
//!
//! Jobs go in, decisions come out. This is a whole scheduler for one node with four GPUs and two teams:
//!
//! ```
//! use fairshare::{
//!     Alternative, Config, Decision, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId, TeamSpec, Timestamp,
//! };
//!
//! # fn main() -> Result<(), fairshare::Error> {
//! let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
//! let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a"), TeamSpec::new("b")]))?;
//! let one_gpu = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1))))?;
//! let now = Timestamp::ZERO;
//! for team in [0, 0, 0, 0, 1, 1].map(TeamId::new) {
//!     let _ = scheduler.submit(now, JobSpec::new(team, one_gpu, now))?;
//! }
//! for decision in scheduler.schedule(now)? {
//!     println!("{decision:?}"); // Start { job: j0#0, attempt: 1, pool: p0, alternative: 0 } ...
//! }
//! assert_eq!(scheduler.running(TeamId::new(0))?, 2);
//! assert_eq!(scheduler.running(TeamId::new(1))?, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Overview
//!
//! Three nouns. A **team** is a node of a tree and has a weight. A **pool** is a set of equal nodes with one type of
//! accelerator at one place, with a price. A **job** is a gang of equal workers that start together or not at all; what
//! it asks is its **shape**, which jobs share.
//!
//! Four verbs. [`submit`](Scheduler::submit) puts a job in line, [`schedule`](Scheduler::schedule) makes every decision
//! that can be made now, [`complete`](Scheduler::complete) gives back what a job held, and
//! [`explain`](Scheduler::explain) says why a job waits.
//!
//! # Model and guarantees
//!
//! - **Exact.** Quantities are integers (thousandths, bytes), money is integer micro-USD, time is integer milliseconds.
//!   Shares are fractions of integers, compared by cross products; a float never decides what exact numbers would
//!   decide otherwise.
//! - **Deterministic.** The same calls give the same decisions on every machine. Everything chosen has a total order; no
//!   clock, no thread, no randomness, no hash map takes part.
//! - **Honest.** A job has no field for its true run time: a policy cannot see the future, in production or in the
//!   simulator, which runs this very type.
//! - **Safe to call.** A call that is refused has changed nothing and names what it refused. No `unsafe`, no panic on
//!   input.
//! - **Independent of the backlog** (but for reservations, see below). A decision looks at the routes that have room and at O(log teams) teams, not at the
//!   jobs that wait. A completion that helps nobody looks at no team.
//!
//! | call | cost |
//! |---|---|
//! | `submit` | O(1), or O(log teams) where the team did not wait for the shape before |
//! | `complete`, `cancel` of a running job | O(depth + nodes of the job × log nodes) |
//! | `cancel` of a waiting job | O(jobs of that team and shape) |
//! | `schedule`, for each start | O(depth × log teams + open routes) comparisons, and the search for nodes |
//! | `set_capacity`, `set_node` | O(nodes of the pool + jobs alive × log) |
//! | `snapshot`, `restore` | O(most jobs ever alive at a time × log + teams), with quotas also O(teams × pools) |
//! | `check_invariants` | O(everything) |
//!
//! With preemption, a blocked job that comes first and might take from somebody looks at every job that runs in its
//! pool, again after each event there. With quotas, a completion also looks at the jobs that run beyond one. Under
//! EASY backfilling a change of the first blocked job looks at every team that waits; conservative backfilling plans
//! every waiting job anew.
//!
//! What is promised of fairness: under [`OrderName::Drf`] no team is served while another of the same level, backlogged
//! with a job of the same tier and class that fits and may start, would have the smaller key after the grant. The key is
//! the whole vector of group shares, so that it grows with every grant.
//!
//! A worker that asks less than a whole GPU has it on one device, and what it asks beyond whole GPUs too: 1.5 are one whole
//! device and half of another. Divisible pools know no devices. [`devices`](Scheduler::devices) tells who shares one.
//!
//! A gang starts whole, in one pool, and in one *fabric domain* where [the pool](PoolSpec::with_domains) has several, unless
//! its alternative may lie [across domains](Alternative::across_domains): one search for nodes looks at each domain then.
//! Reservations, victims and remedies are those of one domain too.
//!
//! # Embedding
//!
//! The caller owns the event loop, the clock and the job's life; [`Scheduler`] is a value (`Send`) that is told what
//! happened and asked what to do. Tell it everything that happened at one instant, then call `schedule` once.
//! [`next_wakeup`](Scheduler::next_wakeup) says when to call again though nothing happened. `examples/embed.rs` is the
//! smallest such loop. Before the service ends, [`snapshot`](Scheduler::snapshot) writes the scheduler as a plain value;
//! [`restore`](Scheduler::restore) builds one from it that goes on with exactly the same decisions.
//!
//! # Policies
//!
//! | [`OrderName`] | who is served first |
//! |---|---|
//! | `Drf` | the team with the smallest key *after* the grant |
//! | `DrfCurrent` | the team with the smallest key *now*: the rule as published |
//! | `Hdrf` | as `Drf`, but a team with children is compared by rescaled shares: one child does not starve another |
//! | `Fifo` | the oldest job |
//! | `Sjf` | the shortest job, by estimate or limit |
//! | `Priority` | the job of the highest class, then the oldest |
//! | `FairTree` | the team that has used least for its weight, by decayed usage down the tree, with Slurm's ranks |
//! | `Multifactor` | the highest weighted sum of age, fair-tree rank, size and class, as in Slurm |
//! | `Static` | each team for itself: a quota is a limit too; then the oldest job |
//! | `Gavel` | rounds of time by max-min over normalised throughput: a whole policy, under the feature `lp` |
//!
//! [`Backfill`] says what may pass a job that is blocked: nothing, whatever fits, or what does not delay the first
//! blocked job of each pool (EASY) or any blocked job (conservative). An order of your own is an [`Order`], given to
//! [`Scheduler::with_order`]; a whole [`Policy`] of your own, for which an order is not enough, goes to
//! [`Scheduler::with_policy`]. [`conformance`] checks both.
//!
//! [`Preemption`] says whom a blocked job may stop: nobody, jobs of lower rank (what other teams have borrowed where it is
//! within its own quota, lower classes), or also jobs of equal rank of teams that hold no less without them than its own
//! team does with it. [`EvictionBounds`] limits what may be lost by that.
//!
//! # Not supported
//!
//! Not in this release: eviction for others together with conservative backfilling. `CHANGELOG.md` says what is.
//! Elastic jobs (a gang that grows or shrinks while it runs) are not planned; time is sliced by `Gavel` alone.
//!
//! # Crate features
//!
//! - `serde`: `Serialize` and `Deserialize` for specifications, decisions and snapshots. Off by default.
//! - `lp`: entitlements where pools run a team's tasks at different speeds, by linear programs. Off by default.

mod budget;
mod chunks;
mod config;
pub mod conformance;
mod decision;
mod dominant;
mod error;
mod explain;
mod fluid;
mod hierarchy;
mod history;
mod id;
mod job;
pub mod kueue;
mod ledger;
mod line;
mod log;
mod money;
mod outlook;
mod pending;
mod placement;
mod policy;
mod pool;
mod profile;
mod quantity;
mod quota;
mod reclaim;
mod reservation;
mod resources;
mod room;
mod route;
mod rules;
mod scheduler;
mod seldom;
mod share;
pub mod snapshot;
mod state;
mod team;
mod time;
mod transfer;
mod tree;
mod value;

pub use config::{
    Backfill, ClassScope, Config, EvictionBounds, FactorWeights, OrderName, Placement, PolicySpec,
    Preemption, ShareValue,
};
pub use decision::{Decision, EvictReason, Eviction, Rejection, Side, Submission};
pub use error::{Error, ErrorKind, SnapshotFault, SnapshotPart};
pub use explain::{Amount, Asked, Blocked, EvictionBound, Explanation, JobState, Lost, Need, Remedy};
pub use fluid::{Entitlement, Exact, FloorForm, Fluid, FluidError, FluidTeam, PoolTeam, pool_entitlements};
#[cfg(feature = "lp")]
pub use fluid::{SpeedEntitlement, SpeedTeam, speed_entitlements};
pub use id::{JobId, NodeId, PoolId, ShapeId, TeamId};
pub use job::{Alternative, Eligible, FULL_SPEED, JobSpec, Placed, ShapeSpec};
pub use line::Place;
pub use log::{Entry, EntryKind, LogDigest, Logged};
pub use money::{MicroUsd, Price, PriceUnit};
pub use policy::own::Policy;
pub use policy::txn::{JobRoute, Txn};
pub use policy::{Contender, Demand, Order};
pub use pool::{DEFAULT_LINK_MBPS, DatasetSpec, PoolSpec};
pub use quantity::Quantity;
pub use resources::{MAX_KINDS, ResourceKind, ResourceKinds, Resources};
pub use rules::{Admitted, Ask, Asks, Dev, Refusal, RouteRule, Rules};
pub use scheduler::{Admission, Scheduler, Size, TeamShare, Verdict};
pub use share::{Share, ShareKey, Weight};
pub use snapshot::Snapshot;
pub use team::{Allowance, Budget, Spending, TeamSpec};
pub use time::{Millis, Timestamp};
pub use value::ShareGroup;

/// The documents of the project, compiled so that their examples stay true.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../DESIGN.md")]
    mod design {}
    #[doc = include_str!("../COMPARE.md")]
    mod compare {}
    #[doc = include_str!("../CHANGELOG.md")]
    mod changelog {}
}
