//! Money of a summary: accounts in micro-USD that add up when they are printed.
//!
//! total = allocated + idle; owners, users, classes and teams each add up to allocated. Absent on purpose: what is charged
//! (see `tariff` and `metrics::cost`).

use serde::Serialize;

use super::GPU_HOUR;
use crate::metrics::cost::{Account, Costs, apportion};
use crate::metrics::ratio;
use crate::setup::Setup;
use crate::tariff::Unit;
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
    /// Name; `none` for jobs that name none.
    pub name: String,
    /// Dollars.
    pub usd: f64,
    /// GPU-hours held.
    pub gpu_hours: f64,
}

/// All accounts in micro-USD, rounded so that parts add up.
pub(crate) struct Money {
    pub(crate) summary: CostUsd,
    pub(super) total_by_pool: Vec<u128>,
    pub(super) idle_by_pool: Vec<u128>,
    pub(super) by_team: Vec<u128>,
    pub(crate) by_owner: Vec<u128>,
    pub(crate) by_user: Vec<u128>,
    pub(crate) by_class: Vec<u128>,
}

impl Money {
    pub(crate) fn new(costs: &Costs, setup: &Setup, trace: &Trace) -> Self {
        let unit = setup.money;
        let total_by_pool = costs.total_by_pool();
        let (total, allocated): (u128, u128) =
            (total_by_pool.iter().sum(), costs.allocated_by_pool.iter().sum());
        let idle = total.saturating_sub(allocated);
        let whole = unit.to_micro(total);
        let parts = apportion(&[allocated, idle], unit, whole);
        let (allocated, idle) = (parts[0], parts[1]);
        let idle_of = |(total, allocated): (&u128, &u128)| total.saturating_sub(*allocated);
        let exact_idle: Vec<u128> = total_by_pool.iter().zip(&costs.allocated_by_pool).map(idle_of).collect();
        Self {
            summary: CostUsd {
                total: dollars(whole),
                allocated: dollars(allocated),
                idle: dollars(idle),
                lost: dollars(unit.to_micro(costs.lost).min(allocated)),
            },
            total_by_pool: apportion(&total_by_pool, unit, whole),
            idle_by_pool: apportion(&exact_idle, unit, idle),
            by_team: apportion(&costs.teams.money, unit, allocated),
            by_owner: by_name(&costs.owners.money, &trace.owners, (unit, allocated)),
            by_user: by_name(&costs.users.money, &trace.users, (unit, allocated)),
            by_class: by_name(&costs.classes.money, setup.classes.names(), (unit, allocated)),
        }
    }
}

/// Micro-USD of each. Ties go by name: the trace numbers names as they appear, which the order of its rows decides.
fn by_name(exact: &[u128], names: &Interner, (unit, whole): (Unit, u128)) -> Vec<u128> {
    let mut order: Vec<(usize, &str)> = names.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| compare_names(a, b));
    let parts: Vec<u128> = order.iter().map(|(index, _)| exact[*index]).collect();
    let mut micro = vec![0; exact.len()];
    for ((index, _), part) in order.iter().zip(apportion(&parts, unit, whole)) {
        micro[*index] = part;
    }
    micro
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
    let mut costs: Vec<NamedCost> = held
        .map(|(((name, micro), gpu), _)| NamedCost {
            name: if name.is_empty() { "none" } else { name }.to_owned(),
            usd: dollars(*micro),
            gpu_hours: ratio(*gpu, GPU_HOUR).unwrap_or(0.0),
        })
        .collect();
    costs.sort_by(|a, b| compare_names(&a.name, &b.name));
    Some(costs)
}
