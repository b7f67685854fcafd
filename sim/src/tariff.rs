//! Tariff: what a pool charges, when, and whether it charges for what nobody holds.
//!
//! Owned and reserved capacity is paid for whether it is used or not; what is bought on demand or at spot prices is paid
//! for while jobs hold it. A price holds from its instant until the next; the first one also before. Invariant: charges
//! are exact, in micro-USD × thousandths of a unit × ms per hour, and stretches that meet add up to the stretch of both.
//! Absent on purpose: accounts (see `metrics::cost`).

use fairshare::{MicroUsd, Price, PriceUnit, ResourceKind};

/// The most that all pools of a run may charge in all, in internal units: half of what can be counted, so that it can
/// also be rounded.
const MOST: Exact = 1 << 127;

/// An exact sum of money, in micro-USD × thousandths of a unit × ms per hour.
pub type Exact = u128;

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
    first: MicroUsd,
    /// From when another price holds, ms on the trace's clock, ascending.
    changes: Vec<(i64, MicroUsd)>,
}

impl Tariff {
    /// A price that never changes.
    #[must_use]
    pub const fn new(price: Price, bought: Bought) -> Self {
        Self { unit: price.unit, bought, egress_gb: None, first: price.hour, changes: Vec::new() }
    }

    /// The same with other prices from later instants on; they must ascend.
    #[must_use]
    pub fn with_changes(mut self, changes: Vec<(i64, MicroUsd)>) -> Self {
        self.changes = changes;
        self
    }

    /// The price that holds first.
    #[must_use]
    pub const fn first(&self) -> Price {
        Price { unit: self.unit, hour: self.first }
    }

    /// What `amount` thousandths of a unit cost in a ms at the highest price that ever holds.
    fn highest_rate(&self, amount: u64) -> Exact {
        let highest = self.changes.iter().map(|(_, price)| *price).fold(self.first, MicroUsd::max);
        u128::from(highest.get()) * u128::from(amount)
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
    /// use fairshare_sim::metrics::cost::to_micro;
    /// use fairshare_sim::{Bought, Tariff};
    /// let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(1_000_000) };
    /// let tariff = Tariff::new(price, Bought::Owned).with_changes(vec![(3_600_000, MicroUsd::new(4_000_000))]);
    /// assert_eq!(to_micro(tariff.charge(2_000, 0, 10_800_000)), 2 * (1 + 4 + 4) * 1_000_000);
    /// ```
    #[must_use]
    pub fn charge(&self, amount: u64, from_ms: i64, to_ms: i64) -> Exact {
        if self.changes.is_empty() {
            return piece(self.first, amount, from_ms, to_ms);
        }
        let starts = [(i64::MIN, self.first)].into_iter().chain(self.changes.iter().copied());
        let ends = self.changes.iter().map(|(at, _)| *at).chain([i64::MAX]);
        starts.zip(ends).fold(0, |sum, ((begin, price), end)| {
            sum + piece(price, amount, from_ms.max(begin), to_ms.min(end))
        })
    }
}

fn piece(price: MicroUsd, amount: u64, from_ms: i64, to_ms: i64) -> Exact {
    if from_ms >= to_ms {
        return 0;
    }
    // No replay comes to the end of the range: it ends before, see `countable_ms`.
    let hour = u128::from(price.get()) * u128::from(amount);
    hour.saturating_mul(u128::from(to_ms.abs_diff(from_ms)))
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
