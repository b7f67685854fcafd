//! What the job of an imported scenario asks: what its Workload was given, else what that asks for, in equal workers.
//!
//! A running job is in one pool; what its Workload holds in another is a part of it there. How
//! amounts are written stands here, too. Absent on purpose: how jobs are (see `plain`).

use std::collections::BTreeMap;

use super::snapshot::{held, pods_left};
use super::workload::Workload;
use crate::trace::is_countable;

/// What a scenario can hold of anything but memory, in whole units.
const MOST: i64 = 18_446_744_073_709_550;

/// So many workers, and of each so much.
pub(super) struct Ask<'a> {
    pub(super) workers: i64,
    pub(super) each: BTreeMap<&'a str, i64>,
}

impl<'a> Ask<'a> {
    /// What was admitted of a workload that holds quota, what others ask for. Several pod sets become equal workers, or
    /// fewer where that does not come out even. `is_here` is whether what is held of a flavor counts, or of none.
    pub(super) fn of(workload: &'a Workload, holds: bool, is_here: impl Fn(Option<&str>) -> bool) -> Self {
        let (count, total) = totals(workload, holds, is_here);
        let count = count.max(1);
        let is_even = total.values().all(|all| all % count == 0);
        let even = || total.values().fold(count, |even, all| greatest_divisor(even, *all));
        let workers = if is_even { count } else { even() };
        Self { workers, each: total.into_iter().map(|(resource, all)| (resource, all / workers)).collect() }
    }

    /// Why it cannot be a job of a scenario.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        if self.each.values().all(|each| *each == 0) {
            return Some("asks for nothing");
        }
        let counted = |(resource, each): (&&str, &i64)| {
            let unit = if ["cpu", "memory"].contains(resource) { 1 } else { 1_000 };
            each.unsigned_abs().saturating_mul(unit)
        };
        let is_countable = is_countable(self.workers, self.each.iter().map(counted));
        (!is_countable).then_some("asks for more than a scenario can count")
    }
}

/// Pods and what all of them ask, or what of it a workload that holds quota was given.
fn totals(
    workload: &Workload,
    holds: bool,
    is_here: impl Fn(Option<&str>) -> bool,
) -> (i64, BTreeMap<&str, i64>) {
    let mut count = 0_i64;
    let mut total: BTreeMap<&str, i64> = BTreeMap::new();
    let mut add = |resource, all: i64| {
        let sum = total.entry(resource).or_default();
        *sum = sum.saturating_add(all);
    };
    let admission = workload.admission.as_ref().filter(|_| holds);
    for set in admission.iter().flat_map(|admission| &admission.sets) {
        count = count.saturating_add(i64::from(pods_left(workload, set).1));
        let here = |(resource, _): &(&str, i64)| is_here(set.flavors.get(*resource).map(String::as_str));
        for (resource, all) in held(workload, set).into_iter().filter(here) {
            add(resource, all);
        }
    }
    for set in workload.pods.iter().filter(|_| admission.is_none()) {
        count = count.saturating_add(i64::from(set.count));
        for (resource, each) in &set.requests {
            add(resource, each.saturating_mul(i64::from(set.count)));
        }
    }
    (count, total)
}

fn greatest_divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// An amount as scenarios write it: thousandths of a CPU, bytes, whole units of everything else.
pub(super) fn amount_text(resource: &str, amount: i64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match resource {
        "cpu" => {
            let (whole, part) = (amount / 1_000, amount % 1_000);
            let digits = format!("{whole}.{part:03}");
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        "memory" => {
            let unit = UNITS.iter().find(|(_, shift)| amount > 0 && amount.trailing_zeros() >= *shift);
            unit.map_or_else(
                || format!("\"{amount}\""),
                |(name, shift)| format!("\"{}{name}\"", amount >> shift),
            )
        }
        _ => amount.min(MOST).to_string(),
    }
}
