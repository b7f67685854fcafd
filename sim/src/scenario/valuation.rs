//! `value` of `[policy]`: what a GPU counts in a share, by price, by number, by speed, or as a table says.
//!
//! Absent on purpose: the shares themselves (they are the scheduler's).

use fairshare::ShareValue;

use super::document::{Node, Table, Value};
use super::fault::Fault;
use super::value::Faults;
use super::{Policy, Pool};
use crate::nearest::did_you_mean;

const WORDS: [&str; 3] = ["price", "count", "speed"];

/// Reads `value` into a policy.
pub(super) fn value(node: &Node, pools: &[Pool], policy: &mut Policy, faults: &mut Faults) {
    if let Value::Table(table) = &node.value {
        policy.spec.value = ShareValue::Table;
        policy.gpu_values = values(node, table, pools, faults);
        return;
    }
    match faults.word(node, "value", &WORDS, &[]) {
        Some("count") => policy.spec.value = ShareValue::Count,
        Some("speed") => {
            policy.spec.value = ShareValue::Table;
            policy.gpu_values = Some(pools.iter().map(|pool| pool.speed_milli).collect());
        }
        Some(_) => {
            policy.spec.value = ShareValue::Price;
            if let Some(pool) = pools.iter().find(|pool| pool.has_gpus() && !pool.has_gpu_price()) {
                let label = format!("pool `{}` has GPUs and no price above zero for them", pool.name);
                faults.push(Fault::new(&node.place, "shares cannot be valued by price", label));
            }
        }
        None => {}
    }
}

/// The value of a GPU by pool, from a table by the names of pools or of accelerators.
fn values(node: &Node, table: &Table, pools: &[Pool], faults: &mut Faults) -> Option<Vec<u64>> {
    let is_of = |key: &str, pool: &Pool| pool.name == key || pool.accelerator.as_deref() == Some(key);
    let known = || pools.iter().flat_map(|pool| [Some(&pool.name), pool.accelerator.as_ref()]).flatten();
    let mut given = Vec::new();
    for entry in &table.entries {
        let value = faults.thousandths(&entry.node, &entry.key)?;
        if !pools.iter().any(|pool| is_of(&entry.key, pool)) {
            let label = "expected the name of a pool or of an accelerator";
            let near = did_you_mean(&entry.key, known().map(String::as_str));
            let title = format!("no pool is or has `{}`", entry.key);
            faults.push(Fault::new(&entry.key_place, title, label).hint_if(near));
            return None;
        }
        given.push((entry.key.as_str(), value));
    }
    // The name of the pool says more than its accelerator.
    let of = |pool: &Pool| {
        let by = |key: &str| given.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        by(&pool.name).or_else(|| by(pool.accelerator.as_deref()?))
    };
    let missing = pools.iter().find(|pool| pool.has_gpus() && of(pool).is_none());
    if let Some(pool) = missing {
        let title = "the table of values leaves out a pool that has GPUs";
        let label = format!("expected a value for `{}`", pool.name);
        faults.push(Fault::new(&node.place, title, label));
        return None;
    }
    Some(pools.iter().map(|pool| of(pool).unwrap_or(0)).collect())
}
