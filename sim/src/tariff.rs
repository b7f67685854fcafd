//! Tariff: what a pool charges, when, and whether it charges for what nobody holds.
//!
//! Owned and reserved capacity is paid for whether it is used or not; what is bought on demand or at spot prices is paid
//! for while jobs hold it. A price holds from its instant until the next; the first one also before. A price by the node is
//! shared out over what the node has. Invariant: charges are exact, in micro-USD × thousandths of a unit × ms per hour, or
//! in such parts of that in which the shares of all nodes are whole, and stretches that meet add up to the stretch of both.
//! Absent on purpose: accounts (see `metrics::cost`).

use fairshare::{MicroUsd, PoolSpec, Price, PriceUnit, ResourceKind};

use crate::error::SimError;

/// The most that all pools of a run may charge in all, in internal units: half of what can be counted, so that it can
/// also be rounded.
const MOST: Exact = 1 << 127;

/// An exact sum of money, in the [`Unit`] of its run.
pub type Exact = u128;

/// Thousandths in a unit.
const ONE: u64 = 1_000;
/// Internal units in a micro-USD where no node's price leaves a rest: thousandths of a unit, times the ms of an hour.
const PER_MICRO: u128 = 1_000 * 3_600_000;

/// What exact sums of money are counted in.
///
/// # Examples
///
/// A node of three GPUs for ten dollars: each GPU costs a third of that, exactly.
///
/// ```
/// use fairshare::{MicroUsd, Price, PriceUnit};
/// use fairshare_sim::{Bought, Tariff, Unit};
/// let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(10_000_000) };
/// let mut tariffs = [Some(Tariff::new(price, Bought::Owned).for_each(3_000))];
/// let unit = Unit::common(&mut tariffs).unwrap();
/// let hours = |gpus: u64| tariffs[0].as_ref().unwrap().charge(gpus * 1_000, 0, 3_600_000);
/// assert_eq!((unit.to_micro(hours(1)), unit.to_micro(hours(2))), (3_333_333, 6_666_667));
/// assert_eq!((hours(1) + hours(2), unit.to_micro(hours(3))), (hours(3), 10_000_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit(u128);

impl Default for Unit {
    fn default() -> Self {
        Self(PER_MICRO)
    }
}

impl Unit {
    /// The coarsest in which all that these tariffs charge is whole, which they charge in from now on.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] where it would be too fine to be counted in.
    pub fn common(tariffs: &mut [Option<Tariff>]) -> Result<Self, SimError> {
        let mut rests = tariffs.iter().flatten().map(Tariff::rests);
        let parts = rests.try_fold(1_u64, |all, one| (all / gcd(all, one)).checked_mul(one));
        let parts = parts.ok_or_else(|| {
            let message = "prices by the node of so many sizes cannot be added up exactly";
            SimError::usage_with_hint(message, "give some pools a `gpu_hour` or `cpu_hour` instead")
        })?;
        tariffs.iter_mut().flatten().for_each(|tariff| tariff.parts = parts);
        Ok(Self(PER_MICRO * u128::from(parts)))
    }

    /// How many of them are a micro-USD.
    #[must_use]
    pub const fn per_micro(self) -> u128 {
        self.0
    }

    /// Micro-USD of an exact sum, rounded to the nearest, halves up.
    #[must_use]
    pub const fn to_micro(self, exact: Exact) -> u128 {
        (exact + self.0 / 2) / self.0
    }
}

/// The greatest common divisor.
pub(crate) const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How capacity is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bought {
    /// It is there and costs the same, used or not.
    #[default]
    Owned,
    /// The same, at the price of a commitment.
    Reserved,
    /// Paid for while a job holds it.
    OnDemand,
    /// The same, at the price of the spot market.
    Spot,
}

impl Bought {
    /// All of them, with their words in a scenario.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("owned", Self::Owned),
        ("reserved", Self::Reserved),
        ("on-demand", Self::OnDemand),
        ("spot", Self::Spot),
    ];

    /// Whether it is paid for while nobody holds it.
    #[must_use]
    pub const fn accrues(self) -> bool {
        matches!(self, Self::Owned | Self::Reserved)
    }
}

/// What a pool charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// What is charged: each GPU or each CPU.
    pub unit: PriceUnit,
    /// How the capacity is bought.
    pub bought: Bought,
    /// What a GB of a data set costs that leaves the pool for another cloud; nothing where that is not said.
    pub egress_gb: Option<MicroUsd>,
    /// For how many thousandths of a unit the prices are.
    each: u64,
    /// Into how many parts the unit of charges is divided.
    parts: u64,
    first: MicroUsd,
    /// From when another price holds, ms on the trace's clock, ascending.
    changes: Vec<(i64, MicroUsd)>,
}

impl Tariff {
    /// A price that never changes.
    #[must_use]
    pub const fn new(price: Price, bought: Bought) -> Self {
        Self {
            unit: price.unit,
            bought,
            egress_gb: None,
            each: ONE,
            parts: 1,
            first: price.hour,
            changes: Vec::new(),
        }
    }

    /// Whether its first price is more than nothing.
    #[must_use]
    pub const fn begins_above_zero(&self) -> bool {
        self.first.get() > 0
    }

    /// The same where the prices are for so many thousandths of a unit: a node's.
    #[must_use]
    pub const fn for_each(mut self, thousandths: u64) -> Self {
        self.each = if thousandths == 0 { ONE } else { thousandths };
        self
    }

    /// The same with other prices from later instants on; they must ascend.
    #[must_use]
    pub fn with_changes(mut self, changes: Vec<(i64, MicroUsd)>) -> Self {
        self.changes = changes;
        self
    }

    /// The price of a unit that holds first, to the nearest millionth of a dollar: what shares, choices and budgets of
    /// dollars go by.
    #[must_use]
    pub fn first(&self) -> Price {
        let each = u128::from(self.each);
        let hour = (u128::from(self.first.get()) * u128::from(ONE) + each / 2) / each;
        Price { unit: self.unit, hour: MicroUsd::new(u64::try_from(hour).unwrap_or(u64::MAX)) }
    }

    /// Into how many parts the unit of charges must be divided for those of this tariff to be whole.
    fn rests(&self) -> u64 {
        let prices = self.changes.iter().map(|(_, price)| price.get());
        let common = prices.fold(self.first.get(), gcd);
        // A price is at most a million dollars, so that this is far below the range.
        self.each / gcd(self.each, common.saturating_mul(ONE))
    }

    /// What a thousandth of a unit costs in a ms.
    fn rate(&self, price: MicroUsd) -> Exact {
        let whole = u128::from(price.get()) * u128::from(self.parts);
        if self.each == ONE { whole } else { whole * u128::from(ONE) / u128::from(self.each) }
    }

    /// How much of what is charged a pool has, thousandths.
    #[must_use]
    pub(crate) fn charged(&self, pool: &PoolSpec) -> u64 {
        pool.node[self.kind()].get().saturating_mul(u64::from(pool.nodes))
    }

    /// What `amount` thousandths of a unit cost in a ms at the highest price that ever holds.
    fn highest_rate(&self, amount: u64) -> Exact {
        let highest = self.changes.iter().map(|(_, price)| *price).fold(self.first, MicroUsd::max);
        self.rate(highest).saturating_mul(u128::from(amount))
    }

    /// What is charged, as a kind of resource.
    #[must_use]
    pub const fn kind(&self) -> ResourceKind {
        match self.unit {
            PriceUnit::Cpu => ResourceKind::CPU,
            PriceUnit::Gpu | PriceUnit::Node => ResourceKind::GPU,
        }
    }

    /// What `amount` thousandths of a unit cost from one time to another, ms.
    ///
    /// Within [`countable_ms`] no sum over jobs or pools passes what can be counted.
    ///
    /// # Examples
    ///
    /// Two GPUs for three hours; one dollar an hour until the first hour is over, then four:
    ///
    /// ```
    /// use fairshare::{MicroUsd, Price, PriceUnit};
    /// use fairshare_sim::{Bought, Tariff, Unit};
    /// let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(1_000_000) };
    /// let tariff = Tariff::new(price, Bought::Owned).with_changes(vec![(3_600_000, MicroUsd::new(4_000_000))]);
    /// assert_eq!(Unit::default().to_micro(tariff.charge(2_000, 0, 10_800_000)), 2 * (1 + 4 + 4) * 1_000_000);
    /// ```
    #[must_use]
    pub fn charge(&self, amount: u64, from_ms: i64, to_ms: i64) -> Exact {
        if self.changes.is_empty() {
            return piece(self.rate(self.first), amount, from_ms, to_ms);
        }
        let starts = [(i64::MIN, self.first)].into_iter().chain(self.changes.iter().copied());
        let ends = self.changes.iter().map(|(at, _)| *at).chain([i64::MAX]);
        starts.zip(ends).fold(0, |sum, ((begin, price), end)| {
            sum + piece(self.rate(price), amount, from_ms.max(begin), to_ms.min(end))
        })
    }
}

fn piece(rate: Exact, amount: u64, from_ms: i64, to_ms: i64) -> Exact {
    if from_ms >= to_ms {
        return 0;
    }
    // No replay comes to the end of the range: it ends before, see `countable_ms`.
    rate.saturating_mul(u128::from(amount)).saturating_mul(u128::from(to_ms.abs_diff(from_ms)))
}

/// For how long, ms, pools with these tariffs and so many thousandths of what they charge can be replayed with every sum
/// exact: what jobs hold at an instant is never more than what the pools have, so nothing comes to more than the highest
/// rate of all pools together times the length of the run.
///
/// # Examples
///
/// A million dollars an hour can be counted for longer than time; the same for each of four billion GPUs for 1,255 years:
///
/// ```
/// use fairshare::{MicroUsd, Price, PriceUnit};
/// use fairshare_sim::{Bought, Tariff, countable_ms};
/// let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(1_000_000_000_000) };
/// let tariff = Tariff::new(price, Bought::Owned);
/// assert_eq!(countable_ms([(&tariff, 1_000)]), u64::MAX);
/// assert_eq!(countable_ms([(&tariff, 4_294_967_295_000)]) / 31_557_600_000, 1_255);
/// ```
#[must_use]
pub fn countable_ms<'a>(pools: impl IntoIterator<Item = (&'a Tariff, u64)>) -> u64 {
    let rates = pools.into_iter().map(|(tariff, amount)| tariff.highest_rate(amount));
    let rate = rates.fold(0, Exact::saturating_add);
    u64::try_from(MOST / rate.max(1)).unwrap_or(u64::MAX)
}
