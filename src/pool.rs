//! Pool: what the caller says of nodes of one kind at one place.
//!
//! Absent on purpose: what is free or taken (see `ledger`). Layer 1; uses `resources`, `money`.

use crate::money::Price;
use crate::resources::Resources;

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
    /// What joins the nodes, such as `infiniband`. A pool is one fabric domain: no gang leaves its pool.
    pub fabric: Option<String>,
    /// The data sets of which there is a replica here; `*` stands for all.
    pub datasets: Vec<String>,
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
            datasets: Vec::new(),
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

    /// As one capacity without node boundaries.
    #[must_use]
    pub fn as_divisible(mut self) -> Self {
        self.divisible = true;
        self
    }
}
