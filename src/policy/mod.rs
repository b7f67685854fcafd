//! Policy: who is served next.
//!
//! Two seams. An [`Order`] compares two teams that could be served; the engine does the rest. A `Policy` (see `own`) is a
//! whole cycle over a transaction. Inside the crate a policy is `Incremental`: kept up to date with every change.
//! Absent on purpose: how quantities move (see `state`). Layer 4; uses `state`, `dominant`.

mod by_time;
pub(crate) mod conservative;
mod drf;
pub(crate) mod engine;
mod fair_tree;
mod first;
#[cfg(feature = "lp")]
pub(crate) mod gavel;
mod hdrf;
mod lack;
mod lists;
mod multifactor;
pub(crate) mod own;
mod static_quota;
pub(crate) mod txn;

use core::cmp::Ordering;

use crate::config::{OrderName, PolicySpec};
use crate::dominant::Holding;
use crate::error::Error;
use crate::explain::Blocked;
use crate::history::History;
use crate::id::{JobId, PoolId, ShapeId};
use crate::job::JobSpec;
use crate::line::Place;
use crate::reservation::Reservation;
use crate::resources::MAX_KINDS;
use crate::route::RouteId;
use crate::snapshot::Memory;
use crate::state::{State, Status, Stopped};
use crate::time::Timestamp;
use crate::tree::{Member, MemberId, Tree};
use crate::value::Values;

/// One whole way of deciding: told of every change, asked for one cycle at a time.
pub(crate) trait Incremental: core::fmt::Debug + Send {
    /// The same policy in the same state, for a question that must change nothing.
    fn copy(&self) -> Box<dyn Incremental>;
    /// What a job is sorted by, before its submit time, in its team's own order.
    fn rank(&self, job: &JobSpec, demand: &Demand<'_>) -> u64;
    /// A job waits: it is new, or was evicted.
    fn waits(&mut self, state: &State, job: JobId);
    /// A job runs that this policy has not started, and that never waited.
    fn adopted(&mut self, state: &State, job: JobId);

    /// A waiting job is about to be withdrawn.
    fn withdrawn(&mut self, state: &State, job: JobId);
    /// A job has stopped: what it held was returned, and what its team holds has changed.
    fn stopped(&mut self, state: &State, stopped: &Stopped);
    /// A pool has more room, or less.
    fn resized(&mut self, state: &State, pool: PoolId);
    /// Makes every decision that can be made now.
    fn cycle(&mut self, state: &mut State) -> Result<(), Error>;
    /// Waiting jobs, among them the first of each team and shape, where it may come first.
    fn firsts(&self, state: &State) -> Vec<JobId> {
        state.jobs().filter(|(_, job)| job.status() == Status::Waiting).map(|(id, _)| id).collect()
    }
    /// Which of some waiting jobs comes first by what their teams hold now; each is the first of its team, with the route that
    /// tells its tier.
    fn first_of(&self, state: &State, heads: &[(JobId, RouteId)]) -> Option<usize> {
        (0..heads.len()).min_by_key(|at| state.place(heads[*at].0))
    }
    /// Whether teams are served by their keys after the grant.
    fn after_grant(&self) -> bool {
        false
    }
    /// Whether only the first job of each team may start, whichever pools the others wait for.
    fn first_alone(&self) -> bool {
        false
    }
    /// Until when a waiting job may not run beyond its team's quota, and is passed over.
    fn backs_off_until(&self, _state: &State, _job: JobId) -> Option<Timestamp> {
        None
    }
    /// Whether a copy of it can go on from what is supposed to be true, and stop nobody.
    fn can_suppose(&self) -> bool {
        false
    }
    /// Of a copy on which something is tried: from now on it stops nobody, and expects nothing of the ends of jobs that run
    /// in a pool and whose room is supposed to be free.
    fn suppose(&mut self, _pool: PoolId, _gone: &[JobId]) {}
    /// The reservation that stands in the way of a waiting job by a route, if there is any.
    fn in_the_way<'a>(&'a self, _: &State, _: JobId, _: RouteId) -> Option<&'a Reservation> {
        None
    }
    /// What stops a waiting job.
    fn blocked(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error>;
    /// Compares the policy's own state with one made from scratch; the first difference, in words.
    fn check(&self, state: &State) -> Result<(), String>;
    /// The next instant at which time alone may change a decision.
    fn next_wakeup(&self, state: &State) -> Option<Timestamp>;
    /// What it remembers that does not follow from the jobs.
    fn memory(&self, state: &State) -> Memory;
    /// It has been told of all jobs, and remembers this from now on.
    fn remember(&mut self, state: &State, memory: &Memory);
    /// How many jobs wait.
    fn waiting(&self) -> usize;
    /// How often two teams were compared so far: the cost of deciding, whatever the machine.
    fn comparisons(&self) -> u64;
}

/// A team that could be served next, with the head of its line.
///
/// For an inner node of the tree, `place` is that of no job in particular: orders by shares do not look at it.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    holding: Holding<'a>,
    running: u32,
    served: u64,
    tie: u32,
    place: Place,
    points: u64,
}

impl<'a> Contender<'a> {
    /// A member as it is, granted nothing.
    fn now(tree: &'a Tree, history: Option<&History>, member: MemberId, place: Place) -> Self {
        let Member { running, served, tie, .. } = *tree.member(member);
        let usage = tree.usage(member);
        let holding = Holding { usage, charge: &[0; MAX_KINDS][..usage.len()], scale: tree.scale(member) };
        let points = history.map_or(0, |history| history.points(member));
        Self { holding, running, served, tie, place, points }
    }

    /// One that stands for no team, for checks of an order; `counts`: running jobs, last service, tie.
    pub(crate) fn made_up(
        holding: Holding<'a>,
        (running, served, tie): (u32, u64, u32),
        place: Place,
        points: u64,
    ) -> Self {
        Self { holding, running, served, tie, place, points }
    }

    /// Compares the keys K of two teams as they would be after the grant: exact.
    #[must_use]
    pub fn compare_after(&self, other: &Self) -> Ordering {
        self.holding.compare(&other.holding, true)
    }

    /// Compares the keys K of two teams as they are now: exact.
    #[must_use]
    pub fn compare_now(&self, other: &Self) -> Ordering {
        self.holding.compare(&other.holding, false)
    }

    /// The weighted dominant share after the grant, rounded: a hint, never a decision.
    #[must_use]
    pub fn dominant_after(&self) -> f64 {
        self.holding.hint(true)
    }

    /// The weighted dominant share now, rounded: a hint, never a decision.
    #[must_use]
    pub fn dominant_now(&self) -> f64 {
        self.holding.hint(false)
    }

    /// The place of the head of the line.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// What the fair-tree rank of the team is worth, by decayed usage: the more, the less it has used for its weight.
    /// Zero unless the order asks for a history.
    #[must_use]
    pub fn history_points(&self) -> u64 {
        self.points
    }

    /// What decides where all else ties: fewer running jobs, then least recently served, then configured first.
    #[must_use]
    pub fn compare_ties(&self, other: &Self) -> Ordering {
        (self.running, self.served, self.tie).cmp(&(other.running, other.served, other.tie))
    }
}

/// An order of service: which of two teams is served first.
///
/// # Determinism
///
/// `compare` must be a total order that depends on nothing but its arguments, and a grant must never move a team
/// forward in it. `hint` must never contradict it: where two hints differ by more than a few roundings, the smaller is
/// served first.
///
/// # Examples
///
/// The team with the fewest running jobs first:
///
/// ```
/// use std::cmp::Ordering;
/// use fairshare::{Contender, Order};
///
/// #[derive(Debug)]
/// struct FewestRunning;
///
/// impl Order for FewestRunning {
///     fn by_shares(&self) -> bool {
///         true
///     }
///     fn hint(&self, _: &Contender<'_>) -> f64 {
///         0.0
///     }
///     fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
///         a.compare_ties(b)
///     }
/// }
/// ```
pub trait Order: core::fmt::Debug + Send + Sync {
    /// Whether teams compete level by level by what they hold. Otherwise all teams compete at once by their jobs.
    fn by_shares(&self) -> bool;

    /// Whether all teams stand in one line, where nothing may pass a blocked job. Otherwise each has its own.
    fn one_line(&self) -> bool {
        !self.by_shares()
    }

    /// What the first fair-tree rank by decayed usage is worth in [`Contender::history_points`]. `None`: no history is kept.
    fn history_points(&self) -> Option<u64> {
        None
    }

    /// Whether a priority class is weighed against other things in [`rank`](Self::rank). Otherwise a higher class comes
    /// first whatever the order says.
    fn weighs_classes(&self) -> bool {
        false
    }

    /// Whether teams with children are compared by the rescaled shares of H-DRF, in place of `compare`.
    fn rescales(&self) -> bool {
        false
    }

    /// Whether teams are compared by their keys after the grant, so that an explanation of who came first tells those.
    fn after_grant(&self) -> bool {
        false
    }

    /// What a job is sorted by, before its submit time, in its team's own order.
    fn rank(&self, job: &JobSpec, demand: &Demand<'_>) -> u64 {
        let _ = (job, demand);
        0
    }

    /// A number that sorts as `compare` does, as far as a float can tell.
    fn hint(&self, contender: &Contender<'_>) -> f64;

    /// The exact order: `Less` is served first.
    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering;
}

/// What a job asks, for an order that ranks jobs by it.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    class: i32,
    charge: &'a [u64],
    values: &'a Values,
}

impl<'a> Demand<'a> {
    /// What a job of a shape asks, by its best route.
    pub(crate) fn new(state: &'a State, shape: ShapeId) -> Self {
        let what = state.routes.shape(shape);
        let charge = what.routes().next().map_or(&[][..], |route| state.routes.charge(route));
        Self { class: what.class, charge, values: &state.values }
    }

    /// The priority class.
    #[must_use]
    pub fn class(&self) -> i32 {
        self.class
    }

    /// The largest share of the capacity of a group that the job asks, times `of`, rounded down.
    #[must_use]
    pub fn largest_share_of(&self, of: u64) -> u64 {
        let share = |(group, amount): (usize, &u64)| {
            u128::from(*amount) * u128::from(of) / u128::from(self.values.capacity(group))
        };
        let most = self.charge.iter().enumerate().map(share).max().unwrap_or(0);
        u64::try_from(most).unwrap_or(u64::MAX)
    }
}

impl PolicySpec {
    /// The order that the policy names, for checks and comparisons.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{OrderName, PolicySpec};
    /// assert!(PolicySpec::new(OrderName::Drf).order().by_shares());
    /// ```
    #[must_use]
    pub fn order(&self) -> Box<dyn Order> {
        order(self)
    }
}

/// The order of that name.
pub(crate) fn order(policy: &PolicySpec) -> Box<dyn Order> {
    match policy.order {
        OrderName::FairTree => Box::new(fair_tree::FairTree),
        OrderName::Multifactor => Box::new(multifactor::Multifactor { weights: policy.factors }),
        OrderName::Drf => Box::new(drf::Drf),
        OrderName::Hdrf => Box::new(hdrf::Hdrf),
        OrderName::DrfCurrent => Box::new(drf::DrfCurrent),
        // A class comes before any order; whether it does so between teams too is a rule of the policy. Gavel is a whole
        // policy, which asks no order.
        OrderName::Fifo | OrderName::Priority | OrderName::Gavel => Box::new(by_time::Fifo),
        OrderName::Sjf => Box::new(by_time::Sjf),
        OrderName::Static => Box::new(static_quota::Static),
    }
}
