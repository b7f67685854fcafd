//! Money of a summary: dollars by name.
//!
//! total = allocated + idle; owners, users, classes and teams each add up to allocated. Absent on purpose: what is charged
//! (see `tariff` and `metrics::cost`), and rounding (see `metrics::money`).

use serde::Serialize;

use super::GPU_HOUR;
use crate::metrics::cost::{Account, Costs};
use crate::metrics::money::Money;
use crate::metrics::ratio;
use crate::setup::Setup;
use crate::trace::{Interner, Trace, compare_names};

/// Dollars: total = allocated + idle; lost is a part of allocated.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct CostUsd {
    /// What the pools charge.
    pub total: f64,
    /// For what jobs held.
    pub allocated: f64,
    /// For what nobody held.
    pub idle: f64,
    /// For attempts that were evicted.
    pub lost: f64,
}

/// One who pays.
#[derive(Clone, Debug, Serialize)]
pub struct OwnerCost {
    /// Name.
    pub owner: String,
    /// Dollars.
    pub usd: f64,
    /// GPU-hours held.
    pub gpu_hours: f64,
}

/// One user or class.
#[derive(Clone, Debug, Serialize)]
pub struct NamedCost {
    /// Name; `none` for jobs that name none, `(none)` where somebody is called so.
    pub name: String,
    /// Dollars.
    pub usd: f64,
    /// GPU-hours held.
    pub gpu_hours: f64,
}

impl CostUsd {
    pub(crate) fn new(money: &Money) -> Self {
        let [total, allocated, idle, lost] =
            [money.total, money.allocated, money.idle, money.lost].map(dollars);
        Self { total, allocated, idle, lost }
    }
}

/// Dollars of micro-USD; exact up to nine billion dollars.
#[expect(clippy::cast_precision_loss, reason = "micro-USD below 2^53 are exact, and printed as they are")]
pub(crate) fn dollars(micro: u128) -> f64 {
    micro as f64 / 1_000_000.0
}

pub(crate) fn owners(trace: &Trace, costs: &Costs, micro: &[u128]) -> Vec<OwnerCost> {
    let rows = trace.owners.iter().zip(micro).zip(&costs.owners.gpu);
    let mut owners: Vec<OwnerCost> = rows
        .map(|((owner, micro), gpu)| OwnerCost {
            owner: owner.to_owned(),
            usd: dollars(*micro),
            gpu_hours: ratio(*gpu, GPU_HOUR).unwrap_or(0.0),
        })
        .collect();
    owners.sort_by(|a, b| compare_names(&a.owner, &b.owner));
    owners
}

pub(crate) fn users(trace: &Trace, costs: &Costs, micro: &[u128]) -> Option<Vec<NamedCost>> {
    named_costs(&trace.users, &costs.users, micro)
}

pub(crate) fn classes(setup: &Setup, costs: &Costs, micro: &[u128]) -> Option<Vec<NamedCost>> {
    named_costs(setup.classes.names(), &costs.classes, micro)
}

/// By name; nothing where there is no name but the empty one. Whoever held nothing is left out.
fn named_costs(names: &Interner, account: &Account, micro: &[u128]) -> Option<Vec<NamedCost>> {
    if names.iter().all(str::is_empty) {
        return None;
    }
    let rows = names.iter().zip(micro).zip(&account.gpu).zip(&account.money);
    let held = rows.filter(|((_, gpu), exact)| **gpu > 0 || **exact > 0);
    let unnamed = names.unnamed();
    let mut costs: Vec<NamedCost> = held
        .map(|(((name, micro), gpu), _)| NamedCost {
            name: if name.is_empty() { &unnamed } else { name }.to_owned(),
            usd: dollars(*micro),
            gpu_hours: ratio(*gpu, GPU_HOUR).unwrap_or(0.0),
        })
        .collect();
    costs.sort_by(|a, b| compare_names(&a.name, &b.name));
    Some(costs)
}
