//! Team: what the caller says of one node of the team tree.
//!
//! Absent on purpose: what the team holds (see `tree`). Layer 1; uses `id`, `quantity`, `resources`, `share`.

use crate::id::{PoolId, TeamId};
use crate::money::MicroUsd;
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::share::Weight;
use crate::time::Millis;

/// An amount of one resource in one pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Allowance {
    /// The pool.
    pub pool: PoolId,
    /// The resource.
    pub kind: ResourceKind,
    /// How much.
    pub amount: Quantity,
}

impl Allowance {
    /// `amount` of `kind` in `pool`.
    #[must_use]
    pub const fn new(pool: PoolId, kind: ResourceKind, amount: Quantity) -> Self {
        Self { pool, kind, amount }
    }
}

/// What a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Spending {
    /// Milliseconds of one GPU: an hour of one is 3,600,000.
    GpuMillis(u64),
    /// Money, by the prices of the pools.
    Usd(MicroUsd),
}

/// How much a team, with all below it, may spend in each period. When it has, its jobs wait until the period ends; those
/// that run go on. Periods are counted from the caller's epoch.
///
/// # Examples
///
/// ```
/// use fairshare::{Budget, MicroUsd, Millis, Spending, TeamSpec};
/// let week = Millis::new(7 * 86_400_000);
/// let budget = Budget { most: Spending::Usd(MicroUsd::new(500_000_000)), period: week };
/// assert_eq!(TeamSpec::new("search").with_budget(budget).budget, Some(budget));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Budget {
    /// How much.
    pub most: Spending,
    /// In which time.
    pub period: Millis,
}

/// A team: any node of the tree that is treated fairly among its siblings.
///
/// An inner node may have jobs of its own: they compete with its children as one more child of weight one.
///
/// # Examples
///
/// ```
/// use fairshare::{TeamId, TeamSpec, Weight};
/// let ml = TeamSpec::new("ml");
/// let search = TeamSpec::new("search").under(TeamId::new(0)).with_weight(Weight::new(2, 1).unwrap());
/// assert_eq!((ml.parent, search.parent), (None, Some(TeamId::new(0))));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TeamSpec {
    /// Unique name.
    pub name: String,
    /// The team above; `None`: directly under the root.
    pub parent: Option<TeamId>,
    /// Weight among its siblings.
    pub weight: Weight,
    /// What is guaranteed to it. A pool that is not named is not guaranteed; a resource that is not named is not
    /// tested. Without any: the sum of its children's.
    pub quota: Vec<Allowance>,
    /// The most that it may hold.
    pub limit: Vec<Allowance>,
    /// The most that it may hold beyond its quota.
    pub borrow: Vec<Allowance>,
    /// How much of its idle quota others may use; what is not named, all of it.
    pub lend: Vec<Allowance>,
    /// What it may spend in a period; `None`: as much as it gets.
    pub budget: Option<Budget>,
}

impl TeamSpec {
    /// A team of weight one directly under the root.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            parent: None,
            weight: Weight::ONE,
            quota: Vec::new(),
            limit: Vec::new(),
            borrow: Vec::new(),
            lend: Vec::new(),
            budget: None,
        }
    }

    /// With a budget.
    #[must_use]
    pub const fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
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

    /// With a guaranteed amount.
    #[must_use]
    pub fn with_quota(mut self, quota: Allowance) -> Self {
        self.quota.push(quota);
        self
    }

    /// With a borrowing limit.
    #[must_use]
    pub fn with_borrow(mut self, borrow: Allowance) -> Self {
        self.borrow.push(borrow);
        self
    }

    /// With a lending limit.
    #[must_use]
    pub fn with_lend(mut self, lend: Allowance) -> Self {
        self.lend.push(lend);
        self
    }

    /// With a limit.
    #[must_use]
    pub fn with_limit(mut self, limit: Allowance) -> Self {
        self.limit.push(limit);
        self
    }
}
