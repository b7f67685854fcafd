//! `half_life`, `rank_period` and `factors` of `[policy]`: what orders that look at past usage go by.
//!
//! Absent on purpose: the orders themselves (they are the scheduler's).

use fairshare::{FactorWeights, Millis, OrderName, PolicySpec};

use super::document::Table;
use super::value::Faults;

const FACTORS: [&str; 5] = ["age", "fairshare", "size", "priority", "max_age"];

/// Reads all keys into a policy.
pub(super) fn history(table: &Table, spec: &mut PolicySpec, faults: &mut Faults) {
    length(table, "half_life", &mut spec.half_life, faults);
    length(table, "rank_period", &mut spec.rank_period, faults);
    let Some(factors) = table.get("factors").and_then(|node| faults.table(node, "factors")) else { return };
    faults.keys(factors, "`factors` of `[policy]`", &FACTORS, &[]);
    length(factors, "max_age", &mut spec.factors.max_age, faults);
    let FactorWeights { age, fairshare, size, class, .. } = &mut spec.factors;
    for (key, weight) in [("age", age), ("fairshare", fairshare), ("size", size), ("priority", class)] {
        let given = factors.get(key).and_then(|node| faults.whole(node, key, 0..=i64::from(u32::MAX)));
        *weight = given.and_then(|given| u32::try_from(given).ok()).unwrap_or(*weight);
    }
}

fn length(table: &Table, key: &str, length: &mut Millis, faults: &mut Faults) {
    let given = table.get(key).and_then(|node| faults.duration(node, key));
    *length = given.map_or(*length, Millis::new);
}

/// What differs from the defaults, as `--policy` takes it; nothing under orders that do not look at it.
pub(super) fn label(spec: PolicySpec) -> String {
    let usual = PolicySpec::default();
    let mut label = String::new();
    let mut add = |key: &str, value: String| label.extend([",", key, "=", value.as_str()]);
    if !matches!(spec.order, OrderName::FairTree | OrderName::Multifactor) {
        return label;
    }
    if spec.half_life != usual.half_life {
        add("half_life", format!("{}s", spec.half_life));
    }
    if spec.rank_period != usual.rank_period {
        add("rank_period", format!("{}s", spec.rank_period));
    }
    if spec.order == OrderName::FairTree {
        return label;
    }
    let (own, usual) = (spec.factors, usual.factors);
    for (key, weight, usual) in [
        ("age", own.age, usual.age),
        ("fairshare", own.fairshare, usual.fairshare),
        ("size", own.size, usual.size),
        ("priority", own.class, usual.class),
    ] {
        if weight != usual {
            add(&format!("factors.{key}"), weight.to_string());
        }
    }
    if own.max_age != usual.max_age {
        add("factors.max_age", format!("{}s", own.max_age));
    }
    label
}
