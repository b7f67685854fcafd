//! `[admission]` and `[[route]]`: which jobs are let in, and to which pools they go.
//!
//! Absent on purpose: what the rules do (the core's `Rules`).

use fairshare::{Asks, Dev, Quantity, RouteRule, Rules};

use super::Pool;
use super::document::{Node, Table, Value};
use super::fault::{Fault, Place};
use super::value::Faults;
use crate::nearest::did_you_mean;
use crate::setup::pool_id;

const KEYS: [&str; 4] = ["cost_owner", "classes", "max_gpus", "dev"];
const DEV: [&str; 2] = ["class", "max_gpus"];
const ROUTE: [&str; 3] = ["accelerator", "pools", "clouds"];
/// What a rule about jobs without GPUs names in place of a type.
const NO_GPUS: &str = "none";
/// What a development job may ask unless told otherwise.
const ONE_GPU: Quantity = Quantity::new(1_000);

/// Reads `[admission]` and every `[[route]]`, in order; every class that they name is one of `priorities`.
pub(super) fn rules(
    root: &Table,
    priorities: &[(String, i32)],
    pools: &[Pool],
    faults: &mut Faults,
) -> Rules {
    let mut rules = Rules::default();
    if let Some(table) = root.get("admission").and_then(|node| faults.table(node, "admission")) {
        admission(table, priorities, &mut rules, faults);
    }
    let tables = faults.tables(root, "route");
    rules.routes =
        tables.into_iter().filter_map(|(table, place)| route(table, place, pools, faults)).collect();
    rules
}

fn admission(table: &Table, priorities: &[(String, i32)], rules: &mut Rules, faults: &mut Faults) {
    faults.keys(table, "`[admission]`", &KEYS, &[]);
    if let Some(node) = table.get("cost_owner") {
        rules.owner_required =
            faults.word(node, "cost_owner", &["required", "team"], &[]) == Some("required");
    }
    if let Some(node) = table.get("classes") {
        let names = texts(node, "classes", faults);
        for (name, place) in &names {
            check_class(name, place, priorities, faults);
        }
        rules.classes = Some(names.into_iter().map(|(name, _)| name.to_owned()).collect());
    }
    if let Some(most) = table.get("max_gpus").and_then(|node| faults.table(node, "max_gpus")) {
        for entry in &most.entries {
            check_class(&entry.key, &entry.key_place, priorities, faults);
            let gpus = faults.amount(&entry.node, "gpu").unwrap_or_default();
            rules.most_gpus.push((entry.key.clone(), gpus));
        }
    }
    rules.dev = table.get("dev").and_then(|node| dev(node, priorities, faults));
}

fn dev(node: &Node, priorities: &[(String, i32)], faults: &mut Faults) -> Option<Dev> {
    let table = faults.table(node, "dev")?;
    faults.keys(table, "`dev` of `[admission]`", &DEV, &[]);
    let class = table.get("class").and_then(|node| {
        let name = faults.text(node, "class")?;
        check_class(name, &node.place, priorities, faults);
        Some(name.to_owned())
    });
    let most = table.get("max_gpus").and_then(|node| faults.amount(node, "gpu"));
    Some(Dev { class, most_gpus: most.unwrap_or(ONE_GPU) })
}

fn route(table: &Table, place: &Place, pools: &[Pool], faults: &mut Faults) -> Option<RouteRule> {
    faults.keys(table, "a route", &ROUTE, &[]);
    let asks = match table.get("accelerator") {
        None => Asks::Anything,
        Some(node) => match faults.text(node, "accelerator")? {
            NO_GPUS => Asks::NoGpus,
            name => Asks::Accelerator(name.to_owned()),
        },
    };
    let (key, node) = match (table.get("pools"), table.get("clouds")) {
        (Some(node), None) => ("pools", node),
        (None, Some(node)) => ("clouds", node),
        (None, None) => {
            faults.push(Fault::new(place, "a route leads nowhere", "expected `pools` or `clouds`"));
            return None;
        }
        (Some(_), Some(node)) => {
            let title = "a route names both pools and clouds";
            faults.push(Fault::new(&node.place, title, "expected one of `pools` and `clouds`"));
            return None;
        }
    };
    let mut to = Vec::new();
    for (name, place) in texts(node, key, faults) {
        let named = |pool: &&(usize, &Pool)| match key {
            "pools" => pool.1.name == name,
            _ => pool.1.cloud.as_deref() == Some(name),
        };
        let numbered: Vec<(usize, &Pool)> = pools.iter().enumerate().collect();
        let found: Vec<&(usize, &Pool)> = numbered.iter().filter(named).collect();
        if found.is_empty() {
            let known = pools.iter().filter_map(|pool| match key {
                "pools" => Some(pool.name.as_str()),
                _ => pool.cloud.as_deref(),
            });
            let (what, label) = match key {
                "pools" => ("pool", "no `[[pool]]` has this name"),
                _ => ("cloud", "no `[[pool]]` is of this cloud"),
            };
            let fault = Fault::new(place, format!("unknown {what} `{name}`"), label);
            faults.push(fault.hint_if(did_you_mean(name, known)));
        }
        // A cloud has pools of several types: those of another type are not meant.
        let of_type = |pool: &&&(usize, &Pool)| match &asks {
            Asks::Accelerator(asked) => pool.1.accelerator.as_ref() == Some(asked),
            _ => true,
        };
        let fitting: Vec<usize> = found.iter().filter(of_type).map(|pool| pool.0).collect();
        if let (false, true, Asks::Accelerator(asked)) = (found.is_empty(), fitting.is_empty(), &asks) {
            let title = format!("jobs for `{asked}` cannot run there");
            faults.push(Fault::new(place, title, format!("no pool of `{name}` has this accelerator")));
        }
        to.extend(fitting.into_iter().map(pool_id));
    }
    Some(RouteRule::new(asks, to))
}

/// The texts of a list, with their places.
fn texts<'a>(node: &'a Node, key: &str, faults: &mut Faults) -> Vec<(&'a str, &'a Place)> {
    match &node.value {
        Value::Array(names) if !names.is_empty() => {
            names.iter().filter_map(|name| Some((faults.text(name, key)?, &name.place))).collect()
        }
        _ => {
            let title = format!("`{key}` is no list of names");
            faults.push(Fault::new(&node.place, title, "expected at least one name, such as `[\"a\"]`"));
            Vec::new()
        }
    }
}

fn check_class(name: &str, place: &Place, priorities: &[(String, i32)], faults: &mut Faults) {
    if priorities.iter().all(|(known, _)| known != name) {
        let known = priorities.iter().map(|(known, _)| known.as_str());
        let fault = Fault::new(place, format!("unknown class `{name}`"), "no `[[priority]]` has this name");
        faults.push(fault.hint_if(did_you_mean(name, known)));
    }
}
