//! Fluid: what every team is entitled to if capacity could be divided at will.
//!
//! The optimum of weighted dominant-resource fairness over share groups, with quotas as floors and limits as caps, and
//! the constrained max-min optimum of pools with eligibility. Both are exact: see [`Exact`].
//! Absent on purpose: jobs, nodes and decisions; an entitlement ignores eligibility and speeds, so it is an upper
//! bound. Layer 3; uses `id`, `share`.

mod exact;
mod level;
mod natural;
mod pools;
#[cfg(feature = "lp")]
mod speeds;
mod tree;

use core::fmt;

pub use exact::Exact;
pub use pools::{PoolTeam, pool_entitlements};
#[cfg(feature = "lp")]
pub(crate) use speeds::{AlikeJobs, time_parts};
#[cfg(feature = "lp")]
pub use speeds::{SpeedEntitlement, SpeedTeam, speed_entitlements};

use crate::id::TeamId;
use crate::share::Weight;
use exact::Number;
use tree::Members;

/// What a quota means beside the weight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum FloorForm {
    /// A team gets the larger of its quota and its share by weight: 8, 4 and 4 of 16 for quotas 8, 0 and 0.
    #[default]
    Max,
    /// What the quotas leave is divided by weight on top of them: 32/3, 8/3 and 8/3 in the same case.
    Additive,
}

/// What one team asks and is guaranteed; amounts are by share group.
///
/// # Examples
///
/// ```
/// use fairshare::{FluidTeam, Weight};
/// let team = FluidTeam::new(vec![1, 4]).with_weight(Weight::new(2, 1).unwrap()).with_tasks(10);
/// assert_eq!(team.tasks, Some(10));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct FluidTeam {
    /// The team above; `None`: directly under the root.
    pub parent: Option<TeamId>,
    /// Weight among its siblings.
    pub weight: Weight,
    /// What one task asks, by group. All zero: the team itself asks nothing.
    pub request: Vec<u64>,
    /// How many tasks there are; `None`: endless.
    pub tasks: Option<u64>,
    /// The guaranteed amounts by group; groups that are not named are not tested. Empty: nothing is guaranteed.
    pub quota: Vec<Option<u64>>,
    /// The most the team may hold, by group, where there is such a limit.
    pub limit: Vec<Option<u64>>,
}

impl FluidTeam {
    /// A team of weight one directly under the root with endless tasks that ask `request` each.
    #[must_use]
    pub fn new(request: Vec<u64>) -> Self {
        Self { request, ..Self::default() }
    }

    /// Under another team.
    #[must_use]
    pub fn under(mut self, parent: TeamId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// With another weight.
    #[must_use]
    pub fn with_weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// With so many tasks.
    #[must_use]
    pub fn with_tasks(mut self, tasks: u64) -> Self {
        self.tasks = Some(tasks);
        self
    }

    /// With a quota.
    #[must_use]
    pub fn with_quota(mut self, quota: Vec<Option<u64>>) -> Self {
        self.quota = quota;
        self
    }

    /// With a limit.
    #[must_use]
    pub fn with_limit(mut self, limit: Vec<Option<u64>>) -> Self {
        self.limit = limit;
        self
    }
}

/// What a team is entitled to; `N` is [`Exact`], or `f64` where many optima are sampled.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Entitlement<N = Exact> {
    /// Tasks of the team itself, those of its children not counted.
    pub tasks: N,
    /// The dominant share of the team with its children, not divided by its weight.
    pub share: N,
    /// Amounts by group, those of its children included.
    pub amounts: Vec<N>,
}

/// One domain of share groups, and the teams that compete for it.
///
/// # Examples
///
/// The divisible optimum of section 4.1 of the paper: 9 CPU and 18 GB; tasks of 1 CPU and 4 GB, and of 3 CPU and 1 GB.
///
/// ```
/// use fairshare::{Exact, Fluid, FluidTeam};
/// let fluid = Fluid::new(vec![9, 18], vec![FluidTeam::new(vec![1, 4]), FluidTeam::new(vec![3, 1])]);
/// let optimum = fluid.entitlements().unwrap();
/// assert_eq!((&optimum[0].tasks, &optimum[1].tasks), (&Exact::from(3), &Exact::from(2)));
/// assert_eq!(optimum[0].share.to_string(), "2/3");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Fluid {
    /// The valued capacity of each share group.
    pub capacity: Vec<u64>,
    /// The teams; inner ones may ask something themselves.
    pub teams: Vec<FluidTeam>,
    /// What a quota means beside the weight.
    pub form: FloorForm,
}

impl Fluid {
    /// Groups of these capacities and these teams, quotas in max form.
    #[must_use]
    pub fn new(capacity: Vec<u64>, teams: Vec<FluidTeam>) -> Self {
        Self { capacity, teams, form: FloorForm::Max }
    }

    /// With another meaning of quotas.
    #[must_use]
    pub fn with_form(mut self, form: FloorForm) -> Self {
        self.form = form;
        self
    }

    /// What every team is entitled to, exactly.
    ///
    /// All shares rise together in proportion to the weights. A team stops where it has all that it asks, or where a
    /// group that it asks for runs out; the others go on. A team starts to rise where the level reaches its quota
    /// (max form). Where the quotas do not fit the capacity, the level of the quotas themselves is raised as far as it
    /// goes. A team that asks for a group without capacity gets nothing.
    ///
    /// Down a tree, each level divides what the level above gave. A team that has children asks there what it would
    /// take if it were alone; where a group runs out it goes on with the children that do not need it. What a level
    /// could not use is divided among all leaves in the end, so that nothing is wasted. As a team with children asks in
    /// fixed proportions until a group runs out, one of its teams that is soon content can be held back by them.
    ///
    /// # Errors
    ///
    /// [`FluidError::Groups`] for a request, quota or limit with a wrong number of groups; [`FluidError::Parent`] for a
    /// parent that is no team or lies below the team.
    ///
    /// # Complexity
    ///
    /// O(n log n + n·R) operations a level for n teams and R groups, and R times more in teams that have children.
    /// Numbers grow with the least common multiple of what the teams ask: 1,000 teams that all ask different odd
    /// amounts need some 50,000 bits. Where that matters, and for sampling, see
    /// [`rounded_entitlements`](Self::rounded_entitlements).
    ///
    /// # Examples
    ///
    /// Sixteen GPUs, of which one team is guaranteed eight:
    ///
    /// ```
    /// use fairshare::{FloorForm, Fluid, FluidTeam};
    /// let teams = vec![
    ///     FluidTeam::new(vec![1]).with_quota(vec![Some(8)]),
    ///     FluidTeam::new(vec![1]),
    ///     FluidTeam::new(vec![1]),
    /// ];
    /// let gpus = |fluid: Fluid| -> Vec<String> {
    ///     fluid.entitlements().unwrap().iter().map(|team| team.amounts[0].to_string()).collect()
    /// };
    /// let fluid = Fluid::new(vec![16], teams);
    /// assert_eq!(gpus(fluid.clone()), ["8", "4", "4"]);
    /// assert_eq!(gpus(fluid.with_form(FloorForm::Additive)), ["32/3", "8/3", "8/3"]);
    /// ```
    ///
    /// # References
    ///
    /// Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, sections 4.1 and 4.3; Parkes, Procaccia, Shah, "Beyond
    /// Dominant Resource Fairness", EC 2012, for zero requests.
    pub fn entitlements(&self) -> Result<Vec<Entitlement>, FluidError> {
        self.solve()
    }

    /// The same in floats, for measures that sample many optima.
    ///
    /// Only sums, products and quotients are taken, in a fixed order: the same bits on every machine. Tests hold the
    /// difference from [`entitlements`](Self::entitlements) below 1e-9 of the capacity, unless something decides that
    /// rounding hides: one byte of a petabyte may say which group runs out first.
    ///
    /// # Errors
    ///
    /// As [`entitlements`](Self::entitlements).
    ///
    /// # Complexity
    ///
    /// As [`entitlements`](Self::entitlements), with numbers of constant size.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Fluid, FluidTeam};
    /// let fluid = Fluid::new(vec![9, 18], vec![FluidTeam::new(vec![1, 4]), FluidTeam::new(vec![3, 1])]);
    /// assert!((fluid.rounded_entitlements().unwrap()[0].share - 2.0 / 3.0).abs() < 1e-12);
    /// ```
    pub fn rounded_entitlements(&self) -> Result<Vec<Entitlement<f64>>, FluidError> {
        self.solve()
    }

    fn solve<N: Number>(&self) -> Result<Vec<Entitlement<N>>, FluidError> {
        let members = Members::<N>::new(self)?;
        let held = members.solve();
        let none = Entitlement { tasks: N::zero(), share: N::zero(), amounts: Vec::new() };
        let mut teams = vec![none; self.teams.len()];
        members.for_each(&held, |team, whole, tasks, share, amounts| {
            if whole {
                let share = share.unwrap_or_else(N::zero);
                teams[team] = Entitlement { tasks, share, amounts: amounts.to_vec() };
            } else {
                teams[team].tasks = tasks;
            }
        });
        Ok(teams)
    }

    fn check(&self, id: TeamId, team: &FluidTeam) -> Result<(), FluidError> {
        let expected = self.capacity.len();
        let wrong = |what, found| Err(FluidError::Groups { team: id, what, found, expected });
        // An empty quota or limit names nothing, and an empty request asks nothing.
        let lengths =
            [("request", team.request.len()), ("quota", team.quota.len()), ("limit", team.limit.len())];
        match lengths.into_iter().find(|(_, found)| *found != 0 && *found != expected) {
            Some((what, found)) => wrong(what, found),
            None => Ok(()),
        }
    }
}

/// Why an optimum was not computed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FluidError {
    /// A request, quota or limit that names more or fewer groups than there are.
    Groups {
        /// Whose.
        team: TeamId,
        /// `request`, `quota` or `limit`.
        what: &'static str,
        /// How many groups it has.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// A parent that is no team, the team itself, or one of its descendants.
    Parent(TeamId),
    /// An eligible pool that is none.
    Pool {
        /// The position of the team.
        team: usize,
        /// The position of the pool.
        pool: usize,
    },
    /// A linear program that was not solved: its numbers lie too far apart for floats.
    Solver,
}

impl fmt::Display for FluidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups { team, what, found, expected } => {
                write!(f, "the {what} of team {team} has {found} groups, and there are {expected}")
            }
            Self::Parent(team) => write!(f, "team {team} has a parent that is no team or lies below it"),
            Self::Pool { team, pool } => {
                write!(f, "team {team} may use pool {pool}, and there is no such pool")
            }
            Self::Solver => {
                f.write_str("a linear program was not solved: its amounts lie too far apart for floats")
            }
        }
    }
}

impl core::error::Error for FluidError {}
