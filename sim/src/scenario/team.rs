//! `[[team]]`, `[teams]` and `[[priority]]`.

use core::cmp::Ordering;
use std::collections::BTreeMap;

use fairshare::{Quantity, Weight};

use super::document::{Entry, Node, Table, Value};
use super::fault::{Fault, Place, SourceText};
use super::kueue;
use super::value::Faults;
use super::{Amount, Pool, Request, Team, UnknownTeams, budget};
use crate::nearest::did_you_mean;
use crate::tariff::gcd;

const KEYS: [&str; 10] =
    ["name", "parent", "weight", "quota", "limit", "borrow", "lend", "budget", "request", "kueue"];
const REQUEST: [&str; 4] = ["per_task", "tasks", "pools", "speeds"];

/// The four classes of the preset `classes = "four"`.
const FOUR: [(&str, i32); 4] =
    [("emergency", 3), ("interactive", 2), ("automated-low-priority", 1), ("lowest", 0)];

/// All teams of the scenario, their parents resolved.
pub(super) fn teams(root: &Table, pools: &[Pool], faults: &mut Faults) -> Vec<Team> {
    let mut teams: Vec<Team> = Vec::new();
    let mut parents: Vec<Option<&Node>> = Vec::new();
    let mut weights: Vec<Option<&Node>> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (table, place) in faults.tables(root, "team") {
        faults.keys(table, "a team", &KEYS, &[]);
        let weight = table.get("weight").map_or(Some(Weight::ONE), |node| faults.weight(node, "weight"));
        let Some(node) = faults.required(table, place, "a team", "name", &KEYS) else { continue };
        let Some(name) = faults.text(node, "name") else { continue };
        if index.insert(name, teams.len()).is_some() {
            let label = "this name is taken by a team above";
            faults.push(Fault::new(&node.place, format!("team `{name}` is defined twice"), label));
        }
        let amounts = |key: &str, faults: &mut Faults| amounts(table, key, pools, faults);
        teams.push(Team {
            name: name.to_owned(),
            parent: None,
            weight: weight.unwrap_or(Weight::ONE),
            quota: amounts("quota", faults),
            limit: amounts("limit", faults),
            borrow: amounts("borrow", faults),
            lend: amounts("lend", faults),
            budget: budget::budget(table, pools, faults),
            request: table.get("request").and_then(|node| request(node, pools, faults)),
            kueue: kueue::parts(table, faults),
        });
        parents.push(table.get("parent"));
        weights.push(table.get("weight"));
    }
    for (team, node) in parents.iter().enumerate() {
        let Some((node, parent)) = node.and_then(|node| Some((node, faults.text(node, "parent")?))) else {
            continue;
        };
        teams[team].parent = index.get(parent).copied();
        if teams[team].parent.is_none() {
            let title = format!("unknown parent `{parent}`");
            let near = did_you_mean(parent, index.keys().copied());
            faults.push(Fault::new(&node.place, title, "there is no team of this name").hint_if(near));
        }
    }
    if let Some(team) = first_in_cycle(&teams)
        && let Some(node) = parents[team]
    {
        let label = "this team is its own ancestor";
        faults.push(Fault::new(
            &node.place,
            format!("the parents of team `{}` form a cycle", teams[team].name),
            label,
        ));
    }
    commensurable(&teams, &weights, faults);
    teams
}

/// What is odd about the amounts of teams, each with its place: a limit below the quota, and more lent than there is.
pub(super) fn cautions(root: &Table, sources: &[SourceText]) -> Vec<String> {
    let Some(Value::Array(tables)) = root.get("team").map(|node| &node.value) else { return Vec::new() };
    let mut cautions = Vec::new();
    for table in tables {
        let Value::Table(table) = &table.value else { continue };
        let Some(Value::Text(name)) = table.get("name").map(|node| &node.value) else { continue };
        for (key, is_odd) in [("limit", Ordering::Less), ("lend", Ordering::Greater)] {
            for (pool, resource, node) in named(table, key) {
                let quota = named(table, "quota").find(|(at, of, _)| (*at, *of) == (pool, resource));
                let Some((.., quota)) = quota else { continue };
                // Both have been read before.
                let read = |node| Faults::default().amount(node, resource);
                if read(node).cmp(&read(quota)) != is_odd {
                    continue;
                }
                let place = node.place.shown(sources);
                let [amount, quota] = [node, quota].map(|node| node.place.text(sources));
                cautions.push(if key == "limit" {
                    format!(
                        "{place}: team `{name}` has a limit of {amount} `{resource}` in pool `{pool}`, below its quota of \
                         {quota}: it can never use all that is guaranteed to it; raise the limit, or lower the quota"
                    )
                } else {
                    format!(
                        "{place}: team `{name}` lends {amount} `{resource}` in pool `{pool}`, more than its quota of {quota}: \
                         it lends all of it, as without `lend`; lower it, or remove it"
                    )
                });
            }
        }
    }
    cautions
}

/// The amounts that a team names under a key: pool, resource and the value.
fn named<'a>(team: &'a Table, key: &str) -> impl Iterator<Item = (&'a str, &'a str, &'a Node)> {
    let entries = |node: Option<&'a Node>| match node.map(|node| &node.value) {
        Some(Value::Table(table)) => table.entries.as_slice(),
        _ => &[],
    };
    entries(team.get(key)).iter().flat_map(move |pool| {
        entries(Some(&pool.node)).iter().map(|entry| (pool.key.as_str(), entry.key.as_str(), &entry.node))
    })
}

/// The weights of siblings must be whole numbers of one part, none more than 2^20 of it: shares are compared exactly.
fn commensurable(teams: &[Team], weights: &[Option<&Node>], faults: &mut Faults) {
    const MOST: u64 = 1 << 20;
    let mut parts: BTreeMap<Option<usize>, u64> = BTreeMap::new();
    for pass in 0..2 {
        for (team, node) in teams.iter().zip(weights) {
            let part = parts.entry(team.parent).or_insert(1);
            let (top, bottom) = (team.weight.numerator(), team.weight.denominator());
            let common = (*part / gcd(*part, bottom)).checked_mul(bottom).filter(|common| *common <= MOST);
            let fits = match (pass, common) {
                (0, None) => false,
                (0, Some(common)) => {
                    *part = common;
                    true
                }
                // What has no part in common was told in the first pass.
                (_, None) => true,
                _ => (*part / bottom).checked_mul(top).is_some_and(|whole| whole <= MOST),
            };
            if let (false, Some(node)) = (fits, node) {
                let title =
                    format!("the weight of team `{}` cannot be compared with those beside it", team.name);
                let label = format!("as whole numbers the weights of siblings would pass {MOST}");
                let fault = Fault::new(&node.place, title, label);
                faults
                    .push(fault.hint("write weights that are closer to each other, or with fewer decimals"));
            }
        }
    }
}

/// `{ POOL = { RESOURCE = AMOUNT } }`.
fn amounts(team: &Table, key: &str, pools: &[Pool], faults: &mut Faults) -> Vec<Amount> {
    let mut amounts = Vec::new();
    let Some(by_pool) = team.get(key).and_then(|node| faults.table(node, key)) else { return amounts };
    for entry in &by_pool.entries {
        let Some(pool) = pool_named(&entry.key, &entry.key_place, key, pools, faults) else { continue };
        let Some(by_resource) = faults.table(&entry.node, &entry.key) else { continue };
        for Entry { key: resource, key_place, node } in &by_resource.entries {
            let known = || pools[pool].node.iter().map(|(name, _)| name.as_str());
            if !known().any(|name| name == resource) {
                let title = format!("pool `{}` has no `{resource}`", entry.key);
                let label = "a node of the pool does not name this resource";
                faults.push(Fault::new(key_place, title, label).hint_if(did_you_mean(resource, known())));
                continue;
            }
            let Some(amount) = faults.amount(node, resource) else { continue };
            amounts.push(Amount { pool, resource: resource.clone(), amount });
        }
    }
    amounts
}

/// `{ per_task = { RESOURCE = AMOUNT }, tasks = COUNT, pools = [NAME], speeds = { POOL = SPEED } }`.
fn request(node: &Node, pools: &[Pool], faults: &mut Faults) -> Option<Request> {
    let table = faults.table(node, "request")?;
    faults.keys(table, "a request", &REQUEST, &[]);
    let tasks = table.get("tasks").and_then(|node| faults.whole(node, "tasks", 0..=i64::MAX));
    let usable = match table.get("pools") {
        Some(node) => usable_pools(node, pools, faults)?,
        None => (0..pools.len()).collect(),
    };
    let speeds_milli = speeds(table, pools, faults);
    let node = faults.required(table, &node.place, "a request", "per_task", &REQUEST)?;
    let mut per_task = Vec::new();
    for Entry { key: resource, key_place, node } in &faults.table(node, "per_task")?.entries {
        let Some(amount) = faults.amount(node, resource) else { continue };
        let has = |(_, amount): &&(String, Quantity)| *amount > Quantity::ZERO;
        let known = || {
            let nodes = usable.iter().flat_map(|pool| &pools[*pool].node);
            nodes.filter(has).map(|(name, _)| name.as_str())
        };
        if amount > Quantity::ZERO && !pools.is_empty() && !known().any(|name| name == resource) {
            let title = format!("no pool that the team may use has `{resource}`");
            let fault = Fault::new(key_place, title, "a task that asks for it could never run");
            faults.push(fault.hint_if(did_you_mean(resource, known())));
            continue;
        }
        per_task.push((resource.clone(), amount));
    }
    if faults.list.is_empty() && per_task.iter().all(|(_, amount)| *amount == Quantity::ZERO) {
        let label = "expected an amount above zero, such as `{ gpu = 1 }`";
        faults.push(Fault::new(&node.place, "a task asks nothing", label));
    }
    let tasks = tasks.and_then(|tasks| u64::try_from(tasks).ok());
    Some(Request { per_task, tasks, pools: usable, speeds_milli })
}

/// The speed of a task in each pool, in thousandths: one where none is named.
fn speeds(table: &Table, pools: &[Pool], faults: &mut Faults) -> Vec<u32> {
    let mut speeds = vec![fairshare::FULL_SPEED; pools.len()];
    let Some(by_pool) = table.get("speeds").and_then(|node| faults.table(node, "speeds")) else {
        return speeds;
    };
    for Entry { key, key_place, node } in &by_pool.entries {
        let Some(pool) = pool_named(key, key_place, "speeds", pools, faults) else { continue };
        let Some(speed) = faults.amount(node, "speed") else { continue };
        let milli = u32::try_from(speed.get());
        if milli.is_err() {
            let label = "expected a speed below 4,000,000, such as `0.5`";
            faults.push(Fault::new(&node.place, format!("the speed in `{key}` is too large"), label));
        }
        speeds[pool] = milli.unwrap_or_default();
    }
    speeds
}

/// The index of a pool that is a key, or a fault.
fn pool_named(name: &str, place: &Place, key: &str, pools: &[Pool], faults: &mut Faults) -> Option<usize> {
    let found = pools.iter().position(|pool| pool.name == name);
    if found.is_none() {
        let near = did_you_mean(name, pools.iter().map(|pool| pool.name.as_str()));
        let title = format!("unknown pool `{name}` in `{key}`");
        faults.push(Fault::new(place, title, "the scenario has no pool of this name").hint_if(near));
    }
    found
}

/// The pools that a request names, each once.
fn usable_pools(node: &Node, pools: &[Pool], faults: &mut Faults) -> Option<Vec<usize>> {
    let Value::Array(names) = &node.value else {
        faults.push(Fault::new(&node.place, "`pools` is no list", "expected names of pools"));
        return None;
    };
    let mut usable = Vec::new();
    for node in names {
        let Some(name) = faults.text(node, "pools") else { continue };
        usable.extend(pool_named(name, &node.place, "pools", pools, faults));
    }
    usable.sort_unstable();
    usable.dedup();
    if names.is_empty() {
        let label = "expected at least one name; without the key the team may use every pool";
        faults.push(Fault::new(&node.place, "`pools` is empty", label));
    }
    (!usable.is_empty()).then_some(usable)
}

/// The first team that is its own ancestor.
fn first_in_cycle(teams: &[Team]) -> Option<usize> {
    (0..teams.len()).find(|&start| {
        let mut at = teams[start].parent;
        for _ in 0..teams.len() {
            match at {
                Some(team) if team == start => return true,
                Some(team) => at = teams[team].parent,
                None => return false,
            }
        }
        false
    })
}

/// `[teams]`.
pub(super) fn unknown_teams(root: &Table, faults: &mut Faults) -> UnknownTeams {
    let Some(table) = root.get("teams").and_then(|node| faults.table(node, "teams")) else {
        return UnknownTeams::default();
    };
    faults.keys(table, "`[teams]`", &["unknown"], &[]);
    let word =
        table.get("unknown").and_then(|node| faults.word(node, "teams.unknown", &["create", "error"], &[]));
    if word == Some("error") { UnknownTeams::Error } else { UnknownTeams::Create }
}

/// All priority classes with their values.
pub(super) fn priorities(root: &Table, faults: &mut Faults) -> Vec<(String, i32)> {
    let mut classes: Vec<(String, i32)> = Vec::new();
    for (table, place) in faults.tables(root, "priority") {
        if let Some(node) = table.get("classes") {
            faults.keys(table, "a preset of priorities", &["classes"], &[]);
            if faults.word(node, "classes", &["four"], &[]).is_some() {
                classes.extend(FOUR.map(|(name, value)| (name.to_owned(), value)));
            }
            continue;
        }
        faults.keys(table, "a priority", &["name", "value", "classes"], &[]);
        let name = faults
            .required(table, place, "a priority", "name", &["name", "value"])
            .and_then(|node| faults.text(node, "name"));
        let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
        let value = faults
            .required(table, place, "a priority", "value", &["name", "value"])
            .and_then(|node| faults.whole(node, "value", range))
            .and_then(|value| i32::try_from(value).ok());
        let (Some(name), Some(value)) = (name, value) else { continue };
        if classes.iter().any(|(known, _)| known == name) {
            let place = table.get("name").map_or(place, |node| &node.place);
            let label = "this name is taken by a priority above";
            faults.push(Fault::new(place, format!("priority `{name}` is defined twice"), label));
        }
        classes.push((name.to_owned(), value));
    }
    classes
}
