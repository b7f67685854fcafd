//! Pool: what the caller says of nodes of one kind at one place.
//!
//! Data sets are told here too, which lie at pools. Absent on purpose: what is free or taken (see `ledger`). Layer 1; uses `resources`, `money`.

use crate::money::{MicroUsd, Price};
use crate::resources::Resources;

/// How fast data sets come to a pool that does not say it: ten gigabits a second, in megabits.
pub const DEFAULT_LINK_MBPS: u32 = 10_000;

/// A data set of known size.
///
/// # Examples
///
/// ```
/// use fairshare::{Config, DatasetSpec};
/// let config = Config::default().with_datasets(vec![DatasetSpec::new("web-2025", 500_000_000_000)]);
/// assert_eq!(config.datasets[0].bytes, 500_000_000_000);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DatasetSpec {
    /// Its name.
    pub name: String,
    /// How large it is.
    pub bytes: u64,
}

impl DatasetSpec {
    /// A data set of so many bytes.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: u64) -> Self {
        Self { name: name.into(), bytes }
    }
}

/// A pool: nodes of one accelerator type at one place.
///
/// # Examples
///
/// ```
/// use fairshare::{PoolSpec, Resources};
/// let pool = PoolSpec::new("nebius-h200", 16, Resources::new().gpu(8).cpu(128)).with_accelerator("H200");
/// assert_eq!(pool.nodes, 16);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolSpec {
    /// Unique name.
    pub name: String,
    /// The accelerator type that jobs ask for by name.
    pub accelerator: Option<String>,
    /// How many nodes; at least one.
    pub nodes: u32,
    /// What one node has.
    pub node: Resources,
    /// Whether the capacity is one amount, `nodes` times `node`, without node boundaries.
    pub divisible: bool,
    /// What the capacity costs by the hour.
    pub price: Option<Price>,
    /// What joins the nodes, such as `infiniband`.
    pub fabric: Option<String>,
    /// How many nodes are in each fabric domain: the first so many are in the first one, and so on. Empty: the pool is one
    /// domain. A gang lies in one domain, unless its [alternative](crate::Alternative::across_domains) says otherwise.
    pub domains: Vec<u32>,
    /// The data sets of which there is a replica here; `*` stands for all.
    pub datasets: Vec<String>,
    /// Whose it is: data sets move between pools of one cloud for nothing.
    pub cloud: Option<String>,
    /// What a GB of a data set costs that leaves for another cloud.
    pub egress_gb: MicroUsd,
    /// How fast data sets come here, in megabits a second.
    pub link_mbps: u32,
    /// What a GPU counts in a share under [`ShareValue::Table`](crate::ShareValue::Table), against those of other pools.
    pub gpu_value: Option<u64>,
}

impl PoolSpec {
    /// A pool of `nodes` nodes with `node` each.
    #[must_use]
    pub fn new(name: impl Into<String>, nodes: u32, node: Resources) -> Self {
        Self {
            name: name.into(),
            accelerator: None,
            nodes,
            node,
            divisible: false,
            price: None,
            fabric: None,
            domains: Vec::new(),
            datasets: Vec::new(),
            cloud: None,
            egress_gb: MicroUsd::new(0),
            link_mbps: DEFAULT_LINK_MBPS,
            gpu_value: None,
        }
    }

    /// With an accelerator type.
    #[must_use]
    pub fn with_accelerator(mut self, accelerator: impl Into<String>) -> Self {
        self.accelerator = Some(accelerator.into());
        self
    }

    /// With replicas of some data sets; `*` stands for all.
    #[must_use]
    pub fn with_datasets<T: Into<String>>(mut self, datasets: impl IntoIterator<Item = T>) -> Self {
        self.datasets = datasets.into_iter().map(Into::into).collect();
        self
    }

    /// In a cloud, where a GB of a data set that leaves it costs so much.
    #[must_use]
    pub fn with_cloud(mut self, cloud: impl Into<String>, egress_gb: MicroUsd) -> Self {
        self.cloud = Some(cloud.into());
        self.egress_gb = egress_gb;
        self
    }

    /// With data sets that come at another speed than [`DEFAULT_LINK_MBPS`], in megabits a second.
    #[must_use]
    pub const fn with_link_mbps(mut self, link_mbps: u32) -> Self {
        self.link_mbps = link_mbps;
        self
    }

    /// Whether it lies in the cloud of another pool.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        self.cloud.is_some() && self.cloud == other.cloud
    }

    /// Whether there is a replica of a data set.
    pub(crate) fn has_replica(&self, dataset: &str) -> bool {
        self.datasets.iter().any(|name| name == "*" || name == dataset)
    }

    /// With a price.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// With fabric domains of so many nodes each, the first nodes in the first one.
    ///
    /// # Examples
    ///
    /// Twelve nodes on two switches; a gang of seven fits on neither:
    ///
    /// ```
    /// use fairshare::{Alternative, Config, PoolSpec, Rejection, Resources, Scheduler, ShapeSpec, TeamSpec};
    /// use fairshare::{JobSpec, PoolId, Submission, TeamId, Timestamp};
    /// let node = Resources::new().gpu(8);
    /// let pool = PoolSpec::new("h200", 12, node).with_domains([6, 6]);
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("search")])).unwrap();
    /// let mut submit = |gang: Alternative| {
    ///     let shape = scheduler.intern(&ShapeSpec::new(gang)).unwrap();
    ///     scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO)).unwrap()
    /// };
    /// let gang = Alternative::new(node).with_workers(7);
    /// let too_large = Rejection::LargerThanDomain { pool: PoolId::new(0), workers: 7, most: 6 };
    /// assert_eq!(submit(gang.clone()), Submission::Rejected(too_large));
    /// assert!(matches!(submit(gang.across_domains()), Submission::Queued(_)));
    /// ```
    #[must_use]
    pub fn with_domains(mut self, nodes: impl IntoIterator<Item = u32>) -> Self {
        self.domains = nodes.into_iter().collect();
        self
    }

    /// Whether its domains are its nodes: none is empty, and together they have every node. Nodes are told apart.
    pub(crate) fn has_sound_domains(&self) -> bool {
        let sum = self.domains.iter().fold(0_u64, |sum, nodes| sum.saturating_add(u64::from(*nodes)));
        self.domains.is_empty()
            || !self.divisible && !self.domains.contains(&0) && sum == u64::from(self.nodes)
    }

    /// The most nodes in one domain.
    pub(crate) fn largest_domain(&self) -> u32 {
        self.domains.iter().copied().max().unwrap_or(self.nodes)
    }

    /// As one capacity without node boundaries.
    #[must_use]
    pub fn as_divisible(mut self) -> Self {
        self.divisible = true;
        self
    }
}
