//! Bill: the money of a summary in cents that add up as they are printed.
//!
//! Parts of a whole are rounded by largest remainder: allocated and idle add up to the total, teams to allocated, the
//! idle parts of pools to idle. Every table and chart takes its figures from here, so that none says another cent than
//! the other. Absent on purpose: what is charged (see `metrics::cost`) and letters (see `text`).

use crate::metrics::cost::apportion_by;
use crate::summary::Summary;

/// Micro-USD in a cent.
const CENT: u128 = 10_000;

/// Cents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bill {
    /// What the pools charge.
    pub(super) total: u128,
    /// The part for what jobs held.
    pub(super) allocated: u128,
    /// The part for what nobody held.
    pub(super) idle: u128,
    /// What of the allocated part was for attempts that were evicted.
    pub(super) lost: u128,
    /// What each team's jobs held.
    pub(super) teams: Vec<u128>,
    /// What nobody held of each pool.
    pub(super) idle_by_pool: Vec<u128>,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "micro-USD of a printed sum")]
fn micro(usd: f64) -> u128 {
    (usd * 1_000_000.0).round() as u128
}

/// Cents of parts that add up to the cents of the whole.
fn cents(parts: impl Iterator<Item = Option<f64>>, whole: u128) -> Vec<u128> {
    let parts: Vec<u128> = parts.map(|part| part.map_or(0, micro)).collect();
    apportion_by(&parts, CENT, whole)
}

impl Bill {
    /// The bill of a run; nothing without prices.
    pub(super) fn new(summary: &Summary) -> Option<Self> {
        let cost = summary.cost_usd?;
        let rounded = |usd: f64| (micro(usd) + CENT / 2) / CENT;
        let total = rounded(cost.total);
        let parts = cents([Some(cost.allocated), Some(cost.idle)].into_iter(), total);
        let (allocated, idle) = (parts[0], parts[1]);
        Some(Self {
            total,
            allocated,
            idle,
            lost: rounded(cost.lost).min(allocated),
            teams: cents(summary.teams.iter().map(|team| team.cost_usd), allocated),
            idle_by_pool: cents(summary.pools.iter().map(|pool| pool.idle_usd), idle),
        })
    }
}
