//! `[[pool]]`: nodes and what they have; what they cost is in `price`.

use std::collections::BTreeSet;

use fairshare::{DEFAULT_LINK_MBPS, MAX_KINDS, Quantity};

use super::Pool;
use super::document::{Node, Table, Value};
use super::fault::{Fault, Place};
use super::price;
use super::value::Faults;
use crate::nearest::did_you_mean;

const KEYS: [&str; 14] = [
    "name",
    "accelerator",
    "cloud",
    "region",
    "nodes",
    "node",
    "divisible",
    "price",
    "fabric",
    "domains",
    "domain_nodes",
    "datasets",
    "link_gbps",
    "speed",
];
/// More nodes than this only as one amount: each node that is told apart takes memory.
const MOST_NODES: u32 = 1_000_000;

/// All pools of the scenario.
pub(super) fn pools(root: &Table, faults: &mut Faults) -> Vec<Pool> {
    let mut pools = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut kinds = vec!["gpu", "cpu", "memory"];
    let mut unpriced: Option<(&str, &Place)> = None;
    let mut priced = false;
    for (table, place) in faults.tables(root, "pool") {
        faults.keys(table, "a pool", &KEYS, &[]);
        if let Some(pool) = pool(table, place, &mut kinds, faults) {
            // A price that is no price is told as such, not as one that is missing.
            let has_price = table.get("price").is_some();
            priced |= has_price;
            if let Some((name, node)) = table.get("name").and_then(|node| Some((name_of(node)?, node))) {
                if !seen.insert(name) {
                    let label = "this name is taken by a pool above";
                    faults.push(Fault::new(&node.place, format!("pool `{name}` is defined twice"), label));
                }
                if !has_price && unpriced.is_none() {
                    unpriced = Some((name, &node.place));
                }
            }
            pools.push(pool);
        }
    }
    if let (true, Some((name, place))) = (priced, unpriced) {
        let fault = Fault::new(
            place,
            "some pools have a price and some have none",
            format!("`{name}` has no `price`"),
        );
        faults.push(fault.hint("price every pool, or none: a cost that leaves pools out would mislead"));
    }
    pools
}

fn name_of(node: &Node) -> Option<&str> {
    if let Value::Text(name) = &node.value { Some(name) } else { None }
}

fn pool<'a>(table: &'a Table, place: &Place, kinds: &mut Vec<&'a str>, faults: &mut Faults) -> Option<Pool> {
    let name =
        faults.required(table, place, "a pool", "name", &KEYS).and_then(|node| faults.text(node, "name"));
    let nodes = faults.required(table, place, "a pool", "nodes", &KEYS).and_then(|node| {
        let range = 1..=i64::from(u32::MAX);
        faults.whole(node, "nodes", range).and_then(|nodes| u32::try_from(nodes).ok())
    });
    let node = faults
        .required(table, place, "a pool", "node", &KEYS)
        .and_then(|node| faults.table(node, "node"))
        .and_then(|amounts| node_amounts(amounts, nodes.unwrap_or(1), kinds, faults));
    let text = |key: &str, faults: &mut Faults| {
        table.get(key).and_then(|node| faults.text(node, key)).map(String::from)
    };
    let accelerator = text("accelerator", faults);
    let (cloud, region) = (text("cloud", faults), text("region", faults));
    let fabric = text("fabric", faults);
    let divisible = table.get("divisible").and_then(|node| faults.bool(node, "divisible")).unwrap_or(false);
    if let (false, Some(count), Some(at)) = (divisible, nodes, table.get("nodes"))
        && count > MOST_NODES
    {
        let label = format!("at most {MOST_NODES} nodes can be told apart");
        let fault = Fault::new(&at.place, "the pool has too many nodes", label);
        faults.push(fault.hint("`divisible = true` counts the pool as one amount, without nodes"));
    }
    // Of a pool with too many nodes to tell apart no list of domains is made either: it could be as long.
    let listed = nodes.filter(|nodes| divisible || *nodes <= MOST_NODES);
    let domains = listed.map_or(Vec::new(), |nodes| domains(table, nodes, divisible, faults));
    let amounts = node.as_deref().unwrap_or(&[]);
    let priced = table.get("price").and_then(|node| price::tariff(node, amounts, faults));
    let (tariff, price_changes) = priced.map_or((None, Vec::new()), |(first, later)| (Some(first), later));
    let caution = table.get("price").zip(name).and_then(|(node, name)| price::caution(name, node, amounts));
    let datasets = table.get("datasets").map(|node| faults.texts(node, "datasets")).unwrap_or_default();
    let speed_milli = table.get("speed").and_then(|node| faults.thousandths(node, "speed")).unwrap_or(1_000);
    let link_mbps = table.get("link_gbps").and_then(|node| faults.thousandths(node, "link_gbps"));
    let link_mbps = link_mbps.and_then(|link| u32::try_from(link).ok()).unwrap_or(DEFAULT_LINK_MBPS);
    // What is one amount may have none of it, if that is said.
    if amounts.iter().all(|(_, amount)| *amount == Quantity::ZERO)
        && (!divisible || amounts.is_empty())
        && let (Some(_), Some(at)) = (&node, table.get("node"))
    {
        let label = "expected an amount above zero, such as `{ gpu = 8 }`";
        faults.push(Fault::new(&at.place, "a node has nothing", label));
    }
    let (name, nodes, node) = (name?.to_owned(), nodes?, node?);
    Some(Pool {
        name,
        accelerator,
        cloud,
        region,
        nodes,
        node,
        divisible,
        tariff,
        price_changes,
        caution,
        fabric,
        domains,
        datasets,
        link_mbps,
        speed_milli,
    })
}

/// How many nodes are in each fabric domain: one by one, or the same in all but the last. Nothing where that is not said.
fn domains(table: &Table, nodes: u32, divisible: bool, faults: &mut Faults) -> Vec<u32> {
    let given = ["domains", "domain_nodes"].map(|key| Some((table.get(key)?, key)));
    let Some((node, key)) = given.into_iter().flatten().next() else { return Vec::new() };
    if let [Some(_), Some((other, _))] = given {
        let fault = Fault::new(&other.place, "fabric domains are said twice", "`domains` says it already");
        faults.push(
            fault.hint("keep one of them: `domain_nodes = 8` is short for eight nodes in every domain"),
        );
        return Vec::new();
    }
    if divisible {
        let label = "the pool is one amount, without nodes";
        let fault = Fault::new(&node.place, "a divisible pool has no fabric domains", label);
        faults.push(fault.hint(format!("remove `{key}`, or `divisible`")));
        return Vec::new();
    }
    let range = 1..=i64::from(nodes);
    let mut number = |node: &Node| faults.whole(node, key, range.clone()).and_then(|n| u32::try_from(n).ok());
    let Value::Array(elements) = &node.value else {
        if key == "domains" {
            faults.expected::<()>(node, key, "a list of numbers of nodes, such as `[8, 8, 4]`");
            return Vec::new();
        }
        let Some(each) = number(node) else { return Vec::new() };
        return (0..nodes).step_by(each as usize).map(|first| each.min(nodes - first)).collect();
    };
    if key == "domain_nodes" {
        faults.expected::<()>(node, key, "how many nodes are in a domain, such as `8`");
        return Vec::new();
    }
    let found: Vec<u32> = elements.iter().filter_map(&mut number).collect();
    let sum: u64 = found.iter().copied().map(u64::from).sum();
    if found.len() == elements.len() && sum != u64::from(nodes) {
        let label = format!("these are {sum} nodes, and the pool has {nodes}");
        faults.push(Fault::new(&node.place, "fabric domains do not add up to their pool", label));
    }
    found
}

fn node_amounts<'a>(
    amounts: &'a Table,
    nodes: u32,
    kinds: &mut Vec<&'a str>,
    faults: &mut Faults,
) -> Option<Vec<(String, Quantity)>> {
    let mut node = Vec::new();
    for entry in &amounts.entries {
        if !kinds.contains(&entry.key.as_str()) {
            if kinds.len() == MAX_KINDS {
                let label = format!("at most {MAX_KINDS} kinds of resource can be told apart");
                let near = did_you_mean(&entry.key, kinds.iter().copied());
                faults.push(Fault::new(&entry.key_place, "too many kinds of resource", label).hint_if(near));
                return None;
            }
            kinds.push(&entry.key);
        }
        let amount = faults.amount(&entry.node, &entry.key)?;
        if amount.checked_mul(u64::from(nodes)).is_none() {
            let label = format!("{nodes} nodes of it pass the largest amount that can be counted");
            faults.push(Fault::new(
                &entry.node.place,
                format!("the pool has too much `{}`", entry.key),
                label,
            ));
            return None;
        }
        node.push((entry.key.clone(), amount));
    }
    Some(node)
}
