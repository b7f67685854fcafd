//! `price` of a pool: what it charges, how it is bought, and from when it charges something else.
//!
//! One of `gpu_hour`, `cpu_hour` and `node_hour`; beside it the same with `spot_` or `reserved_` before it, of which
//! `bought` says which one holds. A price by the node is charged by its GPUs (its CPUs where it has none), exactly.
//! `egress_gb` is for data sets that leave
//! the pool. Absent on purpose: charging (see `tariff`).

use fairshare::{MicroUsd, Price, PriceUnit, Quantity};

use super::document::{Node, Table, Value};
use super::fault::Fault;
use super::value::{Faults, dollars};
use crate::tariff::{Bought, Tariff};
use crate::trace::Instant;

const UNITS: [&str; 3] = ["gpu_hour", "cpu_hour", "node_hour"];
const PRICES: [&str; 9] = [
    "gpu_hour",
    "cpu_hour",
    "node_hour",
    "spot_gpu_hour",
    "spot_cpu_hour",
    "spot_node_hour",
    "reserved_gpu_hour",
    "reserved_cpu_hour",
    "reserved_node_hour",
];

/// The highest price of a GB, so that all that a run moves can be counted.
const MOST_EGRESS: MicroUsd = MicroUsd::new(1_000_000_000);

/// What a pool charges first, and from when it charges other prices.
type Priced = (Tariff, Vec<(Instant, MicroUsd)>);

/// The tariff of a pool whose nodes have `amounts`.
pub(super) fn tariff(node: &Node, amounts: &[(String, Quantity)], faults: &mut Faults) -> Option<Priced> {
    let table = faults.table(node, "price")?;
    let keys = [&PRICES[..], &["bought", "changes", "egress_gb"]].concat();
    faults.keys(table, "a price", &keys, &[]);
    let mut found = UNITS.iter().filter_map(|key| Some((*key, table.get(key)?)));
    let first = found.next();
    if let (Some(_), Some((key, node))) = (first, found.next()) {
        let label = "a pool charges for one thing only";
        faults.push(Fault::new(&node.place, format!("`{key}` is a second price"), label));
    }
    let bought = match table.get("bought") {
        None => Bought::default(),
        Some(node) => {
            let words = Bought::WORDS.map(|(word, _)| word);
            let word = faults.word(node, "bought", &words, &[])?;
            Bought::WORDS.into_iter().find(|(known, _)| *known == word)?.1
        }
    };
    let prefix = match bought {
        Bought::Owned | Bought::OnDemand => "",
        Bought::Reserved => "reserved_",
        Bought::Spot => "spot_",
    };
    let unit = UNITS.into_iter().find(|unit| table.get(&format!("{prefix}{unit}")).is_some());
    let Some(unit) = unit else {
        let expected = if prefix.is_empty() {
            "expected `{ gpu_hour = 3.50 }`, `{ cpu_hour = .. }` or `{ node_hour = .. }`".to_owned()
        } else {
            format!(
                "what is bought so is charged by `{prefix}gpu_hour`, `{prefix}cpu_hour` or `{prefix}node_hour`"
            )
        };
        // A misspelt key is told as such, not once more as a missing one.
        if table.entries.iter().all(|entry| keys.contains(&entry.key.as_str())) {
            faults.push(Fault::new(&node.place, "a price has no price in it", expected));
        }
        return None;
    };
    let key = format!("{prefix}{unit}");
    // What is not bought today may be tomorrow, by one word.
    for other in PRICES.into_iter().filter(|other| *other != key) {
        if let Some(node) = table.get(other) {
            faults.money(node, other)?;
        }
    }
    let (price, each) = price(table, &key, unit, amounts, faults)?;
    let changes = changes(table, &key, unit, amounts, faults)?;
    let egress_gb = match table.get("egress_gb") {
        Some(node) => Some(egress(node, faults)?),
        None => None,
    };
    let mut tariff = Tariff::new(price, bought).for_each(each);
    tariff.egress_gb = egress_gb;
    Some((tariff, changes))
}

/// What is odd about the prices of a pool: that at the spot market is above that on demand, from the beginning or from a
/// change on.
pub(super) fn caution(pool: &str, node: &Node, amounts: &[(String, Quantity)]) -> Option<String> {
    let Value::Table(first) = &node.value else { return None };
    let changes = match first.get("changes").map(|node| &node.value) {
        Some(Value::Array(elements)) => elements.as_slice(),
        _ => &[],
    };
    let mut tables = vec![first];
    for change in changes {
        if let Value::Table(table) = &change.value {
            tables.push(table);
        }
    }
    // What a change does not name stays.
    let price = |key: &str, until: usize| {
        let known = tables[..=until].iter().rev().find_map(|table| table.get(key));
        known.and_then(dollars)
    };
    // Of all that a node has, so that prices by one thing and by another can be compared.
    let of_node = |unit: &str, price: MicroUsd| {
        let amount = match unit.strip_suffix("_hour") {
            Some("node") => Some(1_000),
            resource => {
                amounts.iter().find(|(known, _)| Some(known.as_str()) == resource).map(|known| known.1.get())
            }
        };
        Some(u128::from(price.get()) * u128::from(amount?))
    };
    for (until, table) in tables.iter().enumerate() {
        let pairs = UNITS.into_iter().flat_map(|spot| UNITS.map(|unit| (spot, unit)));
        for (spot, unit) in pairs {
            let key = format!("spot_{spot}");
            let Some((dear, cheap)) = price(&key, until).zip(price(unit, until)) else { continue };
            let (Some(high), Some(low)) = (of_node(spot, dear), of_node(unit, cheap)) else { continue };
            if high > low {
                let since = table.get("from").and_then(instant).filter(|_| until > 0);
                let since = since.map_or(String::new(), |from| format!(" from {from} on"));
                return Some(format!(
                    "pool `{pool}`: the spot price (`{key}` {dear}) is above that on demand (`{unit}` {cheap}){since}: one \
                     of the two is probably wrong"
                ));
            }
        }
    }
    None
}

/// An instant as it is written.
fn instant(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) | Value::Date(text) | Value::Integer(text) => Some(text),
        _ => None,
    }
}

/// The price of a GB of a data set that leaves the pool for another cloud.
fn egress(node: &Node, faults: &mut Faults) -> Option<MicroUsd> {
    let price = faults.money(node, "egress_gb")?;
    if price > MOST_EGRESS {
        return faults.expected(
            node,
            "egress_gb",
            "dollars: a number from 0 to 1000 with at most six decimals",
        );
    }
    Some(price)
}

/// The price under a key, and for how many thousandths of a GPU or CPU it is.
fn price(
    table: &Table,
    key: &str,
    unit: &str,
    amounts: &[(String, Quantity)],
    faults: &mut Faults,
) -> Option<(Price, u64)> {
    let node = table.get(key)?;
    let hour = faults.money(node, key)?;
    let (unit, resource) = match unit {
        "gpu_hour" => (PriceUnit::Gpu, "gpu"),
        "cpu_hour" => (PriceUnit::Cpu, "cpu"),
        _ => return by_node(node, key, hour, amounts, faults),
    };
    // Where what a node has cannot be read, that is said alone.
    if !amounts.is_empty()
        && !amounts.iter().any(|(known, amount)| known == resource && *amount != Quantity::ZERO)
    {
        let label = format!("the node has no `{resource}` to charge it by");
        faults.push(Fault::new(&node.place, format!("`{key}` charges for nothing"), label));
        return None;
    }
    Some((Price { unit, hour }, 1_000))
}

/// A price by the node, and how many thousandths of what is charged the node has.
fn by_node(
    node: &Node,
    key: &str,
    hour: MicroUsd,
    amounts: &[(String, Quantity)],
    faults: &mut Faults,
) -> Option<(Price, u64)> {
    let amount = |name: &str| {
        let found = amounts.iter().find(|(known, amount)| known == name && *amount != Quantity::ZERO);
        found.map(|(_, amount)| amount.get())
    };
    let (unit, thousandths) = match (amount("gpu"), amount("cpu")) {
        (Some(gpus), _) => (PriceUnit::Gpu, gpus),
        (None, Some(cpus)) => (PriceUnit::Cpu, cpus),
        (None, None) if amounts.is_empty() => return None,
        (None, None) => {
            let label = "the node has neither `gpu` nor `cpu` to charge it by";
            faults.push(Fault::new(&node.place, format!("`{key}` cannot be shared out"), label));
            return None;
        }
    };
    Some((Price { unit, hour }, thousandths))
}

/// Later prices under the same key.
fn changes(
    table: &Table,
    key: &str,
    unit: &str,
    amounts: &[(String, Quantity)],
    faults: &mut Faults,
) -> Option<Vec<(Instant, MicroUsd)>> {
    let keys = [&PRICES[..], &["from"]].concat();
    let mut changes: Vec<(Instant, MicroUsd)> = Vec::new();
    for (change, place) in faults.tables(table, "changes") {
        faults.keys(change, "a change of price", &keys, &[]);
        let from = faults.required(change, place, "a change of price", "from", &keys)?;
        let Some(instant) = Instant::parse(instant(from).unwrap_or_default()) else {
            let label = "expected seconds, or a date with a time such as `2017-10-01 00:00:00`";
            faults.push(Fault::new(&from.place, "`from` is no instant", label));
            return None;
        };
        if changes.last().is_some_and(|(before, _)| before.since_1970() >= instant.since_1970()) {
            let label = "expected a later instant than that of the change above";
            faults.push(Fault::new(&from.place, "changes of price are out of order", label));
            return None;
        }
        faults.required(change, place, "a change of price", key, &keys)?;
        changes.push((instant, price(change, key, unit, amounts, faults)?.0.hour));
    }
    Some(changes)
}
