//! Value: what a unit of each resource in each pool counts in a share.
//!
//! Pairs of (pool, resource) are partitioned into groups; within a group each pair has an integer value. A group
//! without capacity is left out. Here: one group per resource kind over all pools.
//!
//! Invariant: the valued capacity of a group is below 2^53, so that cross products of shares fit in 128 bits.
//! Absent on purpose: who holds what (see `tree`). Layer 2; uses the specifications.

use crate::config::{Config, ShareValue};
use crate::error::{Error, ErrorKind};
use crate::id::{IdVec, PoolId};
use crate::money::PriceUnit;
use crate::pool::PoolSpec;
use crate::resources::{ResourceKind, Resources};
use crate::share::gcd;

/// The valued capacity of a group stays below this, checked when a scheduler is built.
const GROUP_LIMIT: u128 = 1 << 53;

/// The partition into groups, the value of each pair, and the valued capacity of each group.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// The kind whose amounts a group sums.
    groups: Vec<ResourceKind>,
    /// Valued capacity of each group: the denominator of its share.
    capacity: Vec<u64>,
    /// Value of one smallest unit of a GPU, by pool; other kinds count one.
    gpu_value: IdVec<PoolId, u64>,
}

impl Values {
    /// Compiles the groups of a configuration.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let gpu_value = gpu_values(config)?;
        let mut values = Self { groups: Vec::new(), capacity: Vec::new(), gpu_value };
        for kind in config.kinds.iter() {
            let valued = |(index, pool): (usize, &PoolSpec)| {
                let amount = u128::from(pool.node[kind].get()) * u128::from(pool.nodes);
                amount.checked_mul(u128::from(values.value(PoolId::at(index), kind)))
            };
            let mut amounts = config.pools.iter().enumerate().map(valued);
            let sum = amounts.try_fold(0_u128, |sum, amount| sum.checked_add(amount?));
            let Some(sum) = sum.filter(|sum| *sum < GROUP_LIMIT) else {
                let what = format!("the valued capacity of `{}` over all pools", config.kinds.name(kind));
                return Err(ErrorKind::TooLarge { what }.into());
            };
            if let Some(sum) = u64::try_from(sum).ok().filter(|sum| *sum > 0) {
                values.groups.push(kind);
                values.capacity.push(sum);
            }
        }
        Ok(values)
    }

    /// How many groups there are.
    pub(crate) fn count(&self) -> usize {
        self.groups.len()
    }

    /// The kind whose amounts group `group` sums.
    pub(crate) fn kind(&self, group: usize) -> ResourceKind {
        self.groups[group]
    }

    /// The kind of each group.
    pub(crate) fn groups(&self) -> &[ResourceKind] {
        &self.groups
    }

    /// The valued capacity of group `group`.
    pub(crate) fn capacity(&self, group: usize) -> u64 {
        self.capacity[group]
    }

    /// What holding `amounts` in `pool` adds to each group. The caller has checked that they fit the pool, so that no
    /// product passes 2^53.
    pub(crate) fn charge(&self, pool: PoolId, amounts: &Resources) -> impl Iterator<Item = u64> + '_ {
        let amounts = *amounts;
        self.groups.iter().map(move |kind| amounts[*kind].get().saturating_mul(self.value(pool, *kind)))
    }

    /// What one smallest unit of a kind counts in a pool.
    pub(crate) fn value(&self, pool: PoolId, kind: ResourceKind) -> u64 {
        if kind == ResourceKind::GPU { self.gpu_value[pool] } else { 1 }
    }
}

/// One share group: the amounts of a kind over all pools, each pool with its own value.
///
/// # Units
///
/// `capacity` is in value times smallest units of the kind.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ShareGroup {
    /// The kind whose amounts are summed.
    pub kind: ResourceKind,
    /// Sum of value times amount over all pools; above zero.
    pub capacity: u64,
    /// What one smallest unit counts, by pool.
    pub values: Vec<u64>,
}

impl Config {
    /// The groups whose largest share orders the teams; kinds that no pool has are left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] where a group passes exact arithmetic, [`ErrorKind::MissingPrice`] or
    /// [`ErrorKind::MissingValue`] where shares go by price or by a table and a pool with GPUs has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Config, PoolSpec, Resources};
    /// let config = Config::new(vec![PoolSpec::new("l4", 4, Resources::new().gpu(4))], Vec::new());
    /// let groups = config.share_groups().unwrap();
    /// assert_eq!((groups.len(), groups[0].capacity), (1, 16_000));
    /// ```
    pub fn share_groups(&self) -> Result<Vec<ShareGroup>, Error> {
        let values = Values::new(self)?;
        let group = |(kind, capacity): (&ResourceKind, &u64)| {
            let value = |pool| values.value(PoolId::at(pool), *kind);
            let values = (0..self.pools.len()).map(value).collect();
            ShareGroup { kind: *kind, capacity: *capacity, values }
        };
        Ok(values.groups.iter().zip(&values.capacity).map(group).collect())
    }
}

/// Value of a GPU in each pool as the pools say, in the coarsest unit that keeps all whole.
fn table(config: &Config) -> Result<IdVec<PoolId, u64>, Error> {
    let value = |pool: &PoolSpec| match pool.gpu_value.filter(|value| *value > 0) {
        Some(value) => Ok(value),
        None if pool.node[ResourceKind::GPU].get() == 0 => Ok(0),
        None => Err(Error::from(ErrorKind::MissingValue { pool: pool.name.clone() })),
    };
    let values = config.pools.iter().map(value).collect::<Result<Vec<u64>, _>>()?;
    let unit = values.iter().fold(0, |unit, value| gcd(unit, u128::from(*value))).max(1);
    let unit = u64::try_from(unit).unwrap_or(1);
    Ok(values.into_iter().map(|value| value / unit).collect())
}

/// Value of a GPU in each pool: its price in the coarsest unit that keeps all prices whole, or one.
fn gpu_values(config: &Config) -> Result<IdVec<PoolId, u64>, Error> {
    let has_gpu = |pool: &PoolSpec| pool.node[ResourceKind::GPU].get() > 0;
    let by_price = match config.policy.value {
        ShareValue::Count => false,
        ShareValue::Table => return table(config),
        ShareValue::Price => true,
        ShareValue::PriceElseCount => {
            config.pools.iter().filter(|p| has_gpu(p)).all(|p| gpu_price(p).is_some())
        }
    };
    if !by_price {
        return Ok(config.pools.iter().map(|_| 1).collect());
    }
    let mut prices = Vec::new();
    for pool in &config.pools {
        prices.push(match gpu_price(pool) {
            Some(price) => price,
            None if has_gpu(pool) => return Err(ErrorKind::MissingPrice { pool: pool.name.clone() }.into()),
            None => (0, 1),
        });
    }
    let too_large =
        || Error::from(ErrorKind::TooLarge { what: "the common unit of the prices of GPUs".to_owned() });
    let mut scale = 1_u128;
    for (_, denominator) in &prices {
        scale = scale.checked_mul(denominator / gcd(scale, *denominator)).ok_or_else(too_large)?;
    }
    let scaled = |&(price, denominator): &(u128, u128)| price.checked_mul(scale / denominator);
    let scaled = prices.iter().map(scaled).collect::<Option<Vec<u128>>>().ok_or_else(too_large)?;
    let unit = scaled.iter().fold(0, |unit, price| gcd(unit, *price)).max(1);
    scaled.iter().map(|price| u64::try_from(price / unit).map_err(|_| too_large())).collect()
}

/// Price of one GPU of the pool by the hour, as a fraction; `None` without a price or where it is free.
fn gpu_price(pool: &PoolSpec) -> Option<(u128, u128)> {
    let price = pool.price?;
    let hour = u128::from(price.hour.get());
    let gpus = u128::from(pool.node[ResourceKind::GPU].get());
    let cpus = u128::from(pool.node[ResourceKind::CPU].get());
    let (numerator, denominator) = match price.unit {
        PriceUnit::Gpu => (hour, 1),
        PriceUnit::Node => (hour * 1_000, gpus),
        PriceUnit::Cpu => (hour.checked_mul(cpus)?, gpus),
    };
    let divisor = gcd(numerator, denominator).max(1);
    (numerator > 0 && denominator > 0).then_some((numerator / divisor, denominator / divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PolicySpec;
    use crate::money::{MicroUsd, Price};

    fn pools(prices: [Option<(PriceUnit, u64)>; 2]) -> Config {
        let node = Resources::new().gpu(8).cpu(64);
        let pool = |(name, price): (&str, Option<(PriceUnit, u64)>)| PoolSpec {
            price: price.map(|(unit, micro)| Price { unit, hour: MicroUsd::new(micro) }),
            ..PoolSpec::new(name, 2, node)
        };
        Config::new(["a", "b"].into_iter().zip(prices).map(pool).collect(), Vec::new())
    }

    #[test]
    fn prices_enter_as_the_smallest_whole_numbers() {
        let config = pools([Some((PriceUnit::Gpu, 3_500_000)), Some((PriceUnit::Node, 5_600_000))]);
        let values = Values::new(&config).unwrap();
        // 3.50 and 0.70 a GPU: five to one.
        assert_eq!((values.gpu_value[PoolId::new(0)], values.gpu_value[PoolId::new(1)]), (5, 1));
        assert_eq!(values.capacity(0), 16_000 * 5 + 16_000);
    }

    #[test]
    fn one_missing_price_means_counting_unless_price_is_asked_for() {
        let config = pools([Some((PriceUnit::Gpu, 3_500_000)), None]);
        assert_eq!(Values::new(&config).unwrap().capacity(0), 32_000);
        let config = config.with_policy(PolicySpec::default().with_value(ShareValue::Price));
        let error = Values::new(&config).unwrap_err();
        assert_eq!(error.to_string(), "pool `b` has no price above zero, and shares are valued by price");
    }

    #[test]
    fn a_group_beyond_exact_arithmetic_is_refused() {
        let node = Resources::new().memory_gib(1 << 20);
        let config = Config::new(vec![PoolSpec::new("a", 1 << 3, node)], Vec::new());
        let error = Values::new(&config).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the valued capacity of `memory` over all pools is too large for exact arithmetic"
        );
    }
}
