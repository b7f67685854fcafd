//! Config: everything that a scheduler is built from.
//!
//! Absent on purpose: files and their syntax (the simulator reads those). Layer 1; uses the other specifications.

use crate::id::PoolId;
use crate::pool::{DatasetSpec, PoolSpec};
use crate::resources::ResourceKinds;
use crate::team::TeamSpec;
use crate::time::Millis;
use crate::transfer::Transfer;

/// Which order the teams and their jobs are served in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OrderName {
    /// Weighted dominant-resource fairness, by the key after the grant.
    #[default]
    Drf,
    /// The rule as published in NSDI'11: by the key before the grant.
    DrfCurrent,
    /// Hierarchical weighted dominant-resource fairness: a team with children is compared by rescaled shares, so that one
    /// child does not starve another that asks for other resources.
    Hdrf,
    /// By submit time, whoever the team is.
    Fifo,
    /// By estimate, else time limit, else last; then by submit time.
    Sjf,
    /// By decayed usage down the tree, with Slurm's fair-tree ranks; then by submit time.
    FairTree,
    /// By a weighted sum of age, fair-tree rank, size and class, as Slurm's multifactor priority; then by submit time.
    Multifactor,
    /// By priority class, whatever [`ClassScope`] says; then by submit time.
    Priority,
    /// Hard quotas: a quota is a limit too, and each team stands in a line of its own, by submit time.
    Static,
    /// Rounds of time that make the smallest normalised throughput as large as it can be. A whole policy and no order:
    /// [`Backfill`] and [`Preemption`] do not count. Under the feature `lp`.
    Gavel,
}

impl OrderName {
    /// All orders, in the order in which they are documented.
    pub const ALL: [Self; 10] = [
        Self::Drf,
        Self::DrfCurrent,
        Self::Hdrf,
        Self::Fifo,
        Self::Sjf,
        Self::Priority,
        Self::Static,
        Self::FairTree,
        Self::Multifactor,
        Self::Gavel,
    ];

    /// The name in scenarios and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drf => "drf",
            Self::DrfCurrent => "drf-current",
            Self::Hdrf => "hdrf",
            Self::Fifo => "fifo",
            Self::Sjf => "sjf",
            Self::Priority => "priority",
            Self::Static => "static",
            Self::FairTree => "fair-tree",
            Self::Multifactor => "multifactor",
            Self::Gavel => "gavel",
        }
    }

    /// The order of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == name)
    }
}

/// What may pass a job that is blocked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Backfill {
    /// Nothing: under an order by shares in its team, under any other order in all its pools.
    None,
    /// Whatever fits. A large gang can starve.
    #[default]
    BestEffort,
    /// What does not delay the first blocked job of a pool, as far as limits and estimates tell.
    Easy,
    /// What delays no job that comes before it, as far as limits and estimates tell.
    Conservative,
}

impl Backfill {
    /// All rules, in the order in which they are documented.
    pub const ALL: [Self; 4] = [Self::None, Self::BestEffort, Self::Easy, Self::Conservative];

    /// The name in scenarios and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BestEffort => "best-effort",
            Self::Easy => "easy",
            Self::Conservative => "conservative",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// Whom a waiting job may stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Preemption {
    /// Nobody.
    #[default]
    None,
    /// Jobs of lower rank: those of other teams that run beyond a quota, if it is within its own or of a higher class, and
    /// those of its own team that are of a lower class.
    Priority,
    /// Also jobs of equal rank of teams that hold no less without them than its own team does with it.
    Reclaim,
}

impl Preemption {
    /// All rules, in the order in which they are documented.
    pub const ALL: [Self; 3] = [Self::None, Self::Priority, Self::Reclaim];

    /// The name in scenarios and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Priority => "priority",
            Self::Reclaim => "reclaim",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// On which nodes of a pool the workers of a job go. Whether there is room does not depend on it.
///
/// A gang fills one node after the other in the order of the rule; equal nodes come in the order of their numbers. Where it
/// must lie in one of several fabric domains, it gets the tightest: of those with room for all workers the one with room for
/// the fewest; under [`FirstFit`](Self::FirstFit) the first with room for all, under [`Random`](Self::Random) any of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Placement {
    /// The node with the least left of its cores and its GPUs, each as a part of what a node has, half and half.
    #[default]
    BestFit,
    /// The node with the lowest number.
    FirstFit,
    /// The node with the fewest free GPUs, then the fewest free cores.
    BestFitGpu,
    /// The node where the fewest free GPUs become useless to the workers that were asked for so far.
    Fragmentation,
    /// Any node, drawn by [`PolicySpec::seed`].
    Random,
}

impl Placement {
    /// All rules, in the order in which they are documented.
    pub const ALL: [Self; 5] =
        [Self::BestFit, Self::FirstFit, Self::BestFitGpu, Self::Fragmentation, Self::Random];

    /// The name in scenarios and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BestFit => "best-fit",
            Self::FirstFit => "first-fit",
            Self::BestFitGpu => "best-fit-gpu",
            Self::Fragmentation => "fragmentation",
            Self::Random => "random",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// How much may be lost by stopping jobs for others.
///
/// # Examples
///
/// ```
/// use fairshare::{EvictionBounds, Millis, PolicySpec, Preemption};
/// let mut bounds = EvictionBounds::default();
/// assert_eq!(bounds.ratio_milli, Some(2_000));
/// bounds.minimum_run = Millis::new(600_000);
/// let policy = PolicySpec::default().with_preemption(Preemption::Reclaim).with_bounds(bounds);
/// assert_eq!(policy.bounds, bounds);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EvictionBounds {
    /// How long a job runs at least before another team's job may stop it. Default: nothing.
    pub minimum_run: Millis,
    /// By how much more the victim's team must hold, of equal ranks, in thousandths of what the other holds. Default: 0.
    pub hysteresis_milli: u32,
    /// The most that may be stopped for a job, in thousandths of what it asks, by the scarcest resource that it asks.
    /// Default: 2,000, twice as much. `None`: whatever is needed.
    pub ratio_milli: Option<u64>,
    /// The most GPU time that may be lost in a pool in any full hour. Default: `None`, whatever is needed.
    pub gpu_seconds_per_hour: Option<u64>,
    /// How long a job that another team stopped waits before it may run beyond its team's quota again: until then it is in
    /// line only while each of its ways to run would be within the quota of its team below the root. Default: nothing.
    pub back_off: Millis,
}

impl Default for EvictionBounds {
    fn default() -> Self {
        Self {
            minimum_run: Millis::ZERO,
            hysteresis_milli: 0,
            ratio_milli: Some(2_000),
            gpu_seconds_per_hour: None,
            back_off: Millis::ZERO,
        }
    }
}

/// What a unit of a GPU pool counts in a share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ShareValue {
    /// Its price where every GPU pool has one, else one.
    #[default]
    PriceElseCount,
    /// Its price.
    Price,
    /// One.
    Count,
    /// What the pool says: [`PoolSpec::gpu_value`](crate::PoolSpec::gpu_value).
    Table,
}

/// Between whom a priority class decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ClassScope {
    /// Between all jobs: a job of a higher class comes first, whatever the shares.
    #[default]
    AcrossTeams,
    /// Between jobs of one team only. Which team comes first is decided without it.
    WithinTeam,
}

impl ClassScope {
    /// All scopes, in the order in which they are documented.
    pub const ALL: [Self; 2] = [Self::AcrossTeams, Self::WithinTeam];

    /// The name in scenarios and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AcrossTeams => "across-teams",
            Self::WithinTeam => "within-team",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// What each factor of [`OrderName::Multifactor`] is worth where it is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FactorWeights {
    /// The time since submission, over `max_age`.
    pub age: u32,
    /// The fair-tree rank of the team: one for the first, 1/n for the last of n.
    pub fairshare: u32,
    /// The largest share of the capacity that the job asks: large jobs come first.
    pub size: u32,
    /// The priority class, in thousandths.
    pub class: u32,
    /// The age that counts as one.
    pub max_age: Millis,
}

impl Default for FactorWeights {
    fn default() -> Self {
        Self { age: 1_000, fairshare: 10_000, size: 1_000, class: 1_000, max_age: Millis::new(7 * DAY_MS) }
    }
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// How a scheduler decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PolicySpec {
    /// Who is served first.
    pub order: OrderName,
    /// What may pass a blocked job.
    pub backfill: Backfill,
    /// What a GPU counts.
    pub value: ShareValue,
    /// Between whom a priority class decides.
    pub priority: ClassScope,
    /// Whom a waiting job may stop.
    pub preemption: Preemption,
    /// How much may be lost by that.
    pub bounds: EvictionBounds,
    /// On which nodes of a pool workers go.
    pub placement: Placement,
    /// What nodes are drawn by, where placement draws them.
    pub seed: u64,
    /// The time in which what a team has used comes to count half: seven days. Only orders with a history look at it.
    pub half_life: Millis,
    /// How often ranks by history are worked out anew: every five minutes.
    pub rank_period: Millis,
    /// What the factors of [`OrderName::Multifactor`] are worth.
    pub factors: FactorWeights,
}

impl Default for PolicySpec {
    fn default() -> Self {
        Self {
            order: OrderName::default(),
            backfill: Backfill::default(),
            value: ShareValue::default(),
            priority: ClassScope::default(),
            preemption: Preemption::default(),
            bounds: EvictionBounds::default(),
            placement: Placement::default(),
            seed: 0,
            half_life: Millis::new(7 * DAY_MS),
            rank_period: Millis::new(300_000),
            factors: FactorWeights::default(),
        }
    }
}

impl PolicySpec {
    /// The default policy with another order.
    #[must_use]
    pub fn new(order: OrderName) -> Self {
        Self { order, ..Self::default() }
    }

    /// With another rule for what may pass a blocked job.
    #[must_use]
    pub const fn with_backfill(mut self, backfill: Backfill) -> Self {
        self.backfill = backfill;
        self
    }

    /// With another rule for whom a waiting job may stop.
    #[must_use]
    pub const fn with_preemption(mut self, preemption: Preemption) -> Self {
        self.preemption = preemption;
        self
    }

    /// With other bounds on what may be lost by stopping jobs.
    #[must_use]
    pub const fn with_bounds(mut self, bounds: EvictionBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// With workers placed by another rule.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Placement, PolicySpec};
    /// let policy = PolicySpec::default().with_placement(Placement::Random).with_seed(7);
    /// assert_eq!((policy.placement, policy.seed), (Placement::Random, 7));
    /// ```
    #[must_use]
    pub const fn with_placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// With another seed for what is drawn.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With GPUs valued otherwise.
    #[must_use]
    pub const fn with_value(mut self, value: ShareValue) -> Self {
        self.value = value;
        self
    }

    /// With priority classes that decide between other jobs.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{ClassScope, OrderName, PolicySpec};
    /// let policy = PolicySpec::new(OrderName::Drf).with_priority(ClassScope::WithinTeam);
    /// assert!(!policy.classes_cross_teams());
    /// ```
    #[must_use]
    pub const fn with_priority(mut self, priority: ClassScope) -> Self {
        self.priority = priority;
        self
    }

    /// Whether a higher class comes first between jobs of different teams too.
    #[must_use]
    pub fn classes_cross_teams(&self) -> bool {
        self.priority == ClassScope::AcrossTeams || self.order == OrderName::Priority
    }
}

/// Everything that a scheduler is built from.
///
/// # Examples
///
/// ```
/// use fairshare::{Config, PoolSpec, Resources, Scheduler, TeamSpec};
/// let config = Config::new(vec![PoolSpec::new("l4", 4, Resources::new().gpu(4))], vec![TeamSpec::new("search")]);
/// assert!(Scheduler::new(config).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Config {
    /// Names of the resource kinds.
    pub kinds: ResourceKinds,
    /// The pools; their order breaks ties of price.
    pub pools: Vec<PoolSpec>,
    /// The teams; their order breaks ties of service.
    pub teams: Vec<TeamSpec>,
    /// How large data sets are, as far as that is known: where jobs may read them from elsewhere, what that costs and how
    /// long it takes decides between pools.
    pub datasets: Vec<DatasetSpec>,
    /// How to decide.
    pub policy: PolicySpec,
}

impl Config {
    /// Pools and teams under the default policy.
    #[must_use]
    pub fn new(pools: Vec<PoolSpec>, teams: Vec<TeamSpec>) -> Self {
        Self { pools, teams, ..Self::default() }
    }

    /// Under another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: PolicySpec) -> Self {
        self.policy = policy;
        self
    }

    /// How long a job that reads these data sets and starts in a pool moves what is not there before it computes: their bits
    /// over the speed of the pool's link, rounded up. Nothing for data sets of unknown size, or without any replica.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Config, DatasetSpec, Millis, PoolId, PoolSpec, Resources};
    /// let node = Resources::new().gpu(8);
    /// let pools = vec![PoolSpec::new("near", 1, node).with_datasets(["web"]), PoolSpec::new("far", 1, node)];
    /// let config = Config::new(pools, Vec::new()).with_datasets(vec![DatasetSpec::new("web", 450_000_000_000)]);
    /// let time = |pool| config.transfer_time(&["web".to_owned()], PoolId::new(pool));
    /// assert_eq!([0, 1, 2].map(time), [Millis::ZERO, Millis::new(360_000), Millis::ZERO]);
    /// ```
    #[must_use]
    pub fn transfer_time(&self, datasets: &[String], to: PoolId) -> Millis {
        let to = self.pools.get(to.index());
        to.map_or(Millis::ZERO, |to| Transfer::new(datasets, to, &self.pools, &self.datasets).time)
    }

    /// With data sets of known size.
    #[must_use]
    pub fn with_datasets(mut self, datasets: Vec<DatasetSpec>) -> Self {
        self.datasets = datasets;
        self
    }

    /// With these resource kinds.
    #[must_use]
    pub fn with_kinds(mut self, kinds: ResourceKinds) -> Self {
        self.kinds = kinds;
        self
    }
}
