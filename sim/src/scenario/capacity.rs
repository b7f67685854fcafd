//! `[[capacity]]`: how many nodes of a pool are up from an instant on.

use std::collections::BTreeSet;

use super::document::{Node, Table, Value};
use super::fault::{Fault, Place};
use super::value::Faults;
use super::{PlannedCapacity, Pool};
use crate::nearest::did_you_mean;
use crate::trace::Instant;

const KEYS: [&str; 3] = ["pool", "from", "nodes"];

/// All changes of capacity.
pub(super) fn capacities(root: &Table, pools: &[Pool], faults: &mut Faults) -> Vec<PlannedCapacity> {
    let mut changes = Vec::new();
    let mut seen = BTreeSet::new();
    for (table, place) in faults.tables(root, "capacity") {
        faults.keys(table, "a change of capacity", &KEYS, &[]);
        let Some(change) = change(table, place, pools, faults) else { continue };
        if !seen.insert((change.from.since_1970(), change.pool)) {
            let name = &pools[change.pool].name;
            let title = format!("the capacity of `{name}` is given twice for one instant");
            faults.push(Fault::new(place, title, "a table above has this pool and this instant"));
        }
        changes.push(change);
    }
    changes
}

fn change(table: &Table, place: &Place, pools: &[Pool], faults: &mut Faults) -> Option<PlannedCapacity> {
    let mut required = |key: &str| faults.required(table, place, "a change of capacity", key, &KEYS);
    let (pool, from, nodes) = (required("pool"), required("from"), required("nodes"));
    let pool = pool.and_then(|node| named(node, pools, faults));
    let from = from.and_then(|node| instant(node, "from", faults));
    let nodes = nodes.and_then(|node| {
        let most = pool.map_or(u32::MAX, |pool| pools[pool].nodes);
        let nodes = faults.whole(node, "nodes", 0..=i64::from(u32::MAX))?;
        let nodes = u32::try_from(nodes).ok()?;
        if nodes > most {
            let name = pool.map_or("", |pool| pools[pool].name.as_str());
            let label = format!("`{name}` has {most} nodes");
            let fault = Fault::new(&node.place, "more nodes are up than the pool has", label);
            faults.push(fault.hint("`nodes` of the pool is the most that are ever up"));
        }
        Some(nodes)
    });
    Some(PlannedCapacity { from: from?, pool: pool?, nodes: nodes? })
}

/// The pool of a name.
fn named(node: &Node, pools: &[Pool], faults: &mut Faults) -> Option<usize> {
    let name = faults.text(node, "pool")?;
    let found = pools.iter().position(|pool| pool.name == name);
    if found.is_none() {
        let near = did_you_mean(name, pools.iter().map(|pool| pool.name.as_str()));
        let label = "the scenario has no pool of this name";
        faults.push(Fault::new(&node.place, format!("unknown pool `{name}`"), label).hint_if(near));
    }
    found
}

/// An instant as it is written; what it is on the trace's clock is known once there is a trace.
pub(super) fn instant(node: &Node, key: &str, faults: &mut Faults) -> Option<Instant> {
    let text = match &node.value {
        Value::Text(text) | Value::Date(text) | Value::Integer(text) => text.as_str(),
        _ => "",
    };
    let instant = Instant::parse(text);
    if instant.is_none() {
        let label = "expected seconds, or a date with a time such as `2017-10-01 00:00:00`";
        faults.push(Fault::new(&node.place, format!("`{key}` is no instant"), label));
    }
    instant
}
