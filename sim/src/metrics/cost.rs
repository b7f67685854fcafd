//! Cost: what the pools charge, and who pays.
//!
//! A pool charges price × capacity of what its price names, from the first submission to the last end. allocated =
//! Σ price × amount held × time; idle = total − allocated; lost = the part of allocated for what evicted jobs had to run again.
//! Sums are integers in micro-USD × thousandths × ms per hour, rounded once, when they become micro-USD; parts are
//! rounded by largest remainder so that printed parts add up to the printed whole. Population: all jobs that started,
//! never trimmed.

use fairshare::{PoolSpec, PriceUnit, ResourceKind};

use super::Demands;
use super::utilization::capacity;
use crate::record::{Record, Stretch};
use crate::setup::Setup;
use crate::trace::Trace;

/// Internal units in a micro-USD: thousandths of a unit, times the ms of an hour.
const PER_MICRO: u128 = 1_000 * 3_600_000;

/// The most that one charge can come to, in internal units: 3·10^14 dollars. Sums of 2^27 of them still fit.
const CEILING: Exact = 1 << 100;

/// An exact sum of money, in internal units.
pub type Exact = u128;

/// All accounts of a run; exact.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// By pool, used or not.
    pub total_by_pool: Vec<Exact>,
    /// By pool, what jobs held.
    pub allocated_by_pool: Vec<Exact>,
    /// By the scheduler's number of the team.
    pub by_team: Vec<Exact>,
    /// By the trace's number of the owner.
    pub by_owner: Vec<Exact>,
    /// What evicted jobs held in time that they had to run again.
    pub lost: Exact,
    /// Milli-GPU × ms, by the scheduler's number of the team.
    pub gpu_by_team: Vec<u128>,
    /// Milli-GPU × ms, by the trace's number of the owner.
    pub gpu_by_owner: Vec<u128>,
}

/// What a pool's price names.
#[must_use]
pub fn charged_kind(pool: &PoolSpec) -> Option<(ResourceKind, u64)> {
    let price = pool.price?;
    let kind = match price.unit {
        PriceUnit::Gpu => ResourceKind::GPU,
        PriceUnit::Cpu => ResourceKind::CPU,
        // The scenario refuses a price by the node until it can be shared out exactly.
        PriceUnit::Node => return None,
    };
    Some((kind, price.hour.get()))
}

/// What a stretch costs, in internal units.
#[must_use]
pub fn of_stretch(setup: &Setup, trace: &Trace, demands: &Demands, stretch: &Stretch) -> Exact {
    let Some((kind, price)) = charged_kind(&setup.config.pools[stretch.pool]) else { return 0 };
    let amount = demands.of(trace, stretch.row, stretch.alternative)[kind].get();
    (u128::from(price) * u128::from(amount)).saturating_mul(u128::from(stretch.length_ms())).min(CEILING)
}

impl Costs {
    /// All accounts over `span_ms`.
    #[must_use]
    pub fn new(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands, span_ms: u64) -> Self {
        let charge = |pool: &PoolSpec| match charged_kind(pool) {
            Some((kind, price)) => (u128::from(price) * u128::from(capacity(pool)[kind].get()))
                .saturating_mul(u128::from(span_ms))
                .min(CEILING),
            None => 0,
        };
        let (pools, teams, owners) = (&setup.config.pools, setup.config.teams.len(), trace.owners.len());
        let mut costs = Self {
            total_by_pool: pools.iter().map(charge).collect(),
            allocated_by_pool: vec![0; pools.len()],
            by_team: vec![0; teams],
            by_owner: vec![0; owners],
            lost: 0,
            gpu_by_team: vec![0; teams],
            gpu_by_owner: vec![0; owners],
        };
        for stretch in record.stretches() {
            let job = &trace.jobs[stretch.row];
            let (team, owner) = (setup.team_of[job.team as usize].index(), job.owner as usize);
            let demand = demands.of(trace, stretch.row, stretch.alternative);
            let gpu = u128::from(demand[ResourceKind::GPU].get()) * u128::from(stretch.length_ms());
            costs.gpu_by_team[team] += gpu;
            costs.gpu_by_owner[owner] += gpu;
            let cost = of_stretch(setup, trace, demands, &stretch);
            costs.allocated_by_pool[stretch.pool] += cost;
            costs.by_team[team] += cost;
            costs.by_owner[owner] += cost;
            if stretch.lost {
                costs.lost += cost;
            }
        }
        costs
    }
}

impl Costs {
    /// Adds what jobs of another part of the same run held; what the pools charge is that of the whole.
    pub fn add(&mut self, other: &Self) {
        let owners = self.by_owner.len().max(other.by_owner.len());
        self.by_owner.resize(owners, 0);
        self.gpu_by_owner.resize(owners, 0);
        for (sums, more) in [
            (&mut self.allocated_by_pool, &other.allocated_by_pool),
            (&mut self.by_team, &other.by_team),
            (&mut self.by_owner, &other.by_owner),
            (&mut self.gpu_by_team, &other.gpu_by_team),
            (&mut self.gpu_by_owner, &other.gpu_by_owner),
        ] {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += more;
            }
        }
        self.lost += other.lost;
    }
}

/// Micro-USD of an exact sum, rounded to the nearest, halves up.
#[must_use]
pub const fn to_micro(exact: Exact) -> u128 {
    (exact + PER_MICRO / 2) / PER_MICRO
}

/// Micro-USD of each part, such that they add up to `whole` micro-USD: each is rounded down, then the largest
/// remainders (ties: the first) are rounded up.
///
/// # Examples
///
/// Three jobs of a third of a micro-USD each, together one:
///
/// ```
/// use fairshare_sim::metrics::cost::{apportion, to_micro};
/// let third = 1_200_000_000;
/// assert_eq!(to_micro(3 * third), 1);
/// assert_eq!(apportion(&[third; 3], 1), [1, 0, 0]);
/// ```
#[must_use]
pub fn apportion(parts: &[Exact], whole: u128) -> Vec<u128> {
    apportion_by(parts, PER_MICRO, whole)
}

/// The same for another size of unit.
#[must_use]
pub fn apportion_by(parts: &[u128], unit: u128, whole: u128) -> Vec<u128> {
    let mut rounded: Vec<u128> = parts.iter().map(|part| part / unit).collect();
    let missing = whole.saturating_sub(rounded.iter().sum());
    let missing = usize::try_from(missing).unwrap_or(usize::MAX).min(parts.len());
    if missing > 0 {
        let mut order: Vec<usize> = (0..parts.len()).collect();
        let key = |index: &usize| (std::cmp::Reverse(parts[*index] % unit), *index);
        order.select_nth_unstable_by_key(missing - 1, key);
        for index in &order[..missing] {
            rounded[*index] += 1;
        }
    }
    rounded
}
