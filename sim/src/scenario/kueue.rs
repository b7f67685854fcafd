//! What a scenario says in Kueue's words: `[[kueue]]`, `kueue` of teams and jobs, and Kueue's keys of `[policy]`.
//!
//! Values become those of Kubernetes' objects as they stand. Absent on purpose: what they mean there (see `kueue`).

use fairshare::{Backfill, PolicySpec, Preemption};
use serde_json::{Map, Value as Json};

use super::KueueWords;
use super::document::{Node, Table, Value};
use super::fault::Fault;
use super::value::Faults;
use crate::kueue::{KueueRules, LISTS, legal_strategies, strategy_names};

/// The parts of an object that may be given.
const PARTS: [&str; 4] = ["kind", "metadata", "spec", "status"];
const TREES: [&str; 2] = ["pools", "as-written"];

/// `[[kueue]]`, and what GPUs are called.
pub(super) fn words(root: &Table, faults: &mut Faults) -> KueueWords {
    let mut words = KueueWords::default();
    for (table, place) in faults.tables(root, "kueue") {
        for key in ["kind", "metadata"] {
            faults.required(table, place, "an object of Kueue", key, &["apiVersion", "kind", "metadata"]);
        }
        words.objects.push(object(table));
    }
    let policy = root.get("policy").map(|node| &node.value);
    if let Some(Value::Table(policy)) = policy {
        let name = policy.get("gpu_resource").and_then(|node| faults.text(node, "gpu_resource"));
        words.gpu_resource = name.map(str::to_owned);
    }
    words
}

/// `kueue = { metadata = { .. }, spec = { .. } }` of a team or a job.
pub(super) fn parts(table: &Table, faults: &mut Faults) -> Map<String, Json> {
    let Some(table) = table.get("kueue").and_then(|node| faults.table(node, "kueue")) else {
        return Map::new();
    };
    faults.keys(table, "`kueue`", &PARTS, &[]);
    for entry in table.entries.iter().filter(|entry| entry.key != "kind") {
        faults.table(&entry.node, &entry.key);
    }
    match object(table) {
        Json::Object(parts) => parts,
        _ => Map::new(),
    }
}

/// Kueue's keys of `[policy]`, which mean nothing under other orders. Where another order was put in the place of the file's,
/// as `--policy` does, they say how Kueue would decide, and are no fault.
pub(super) fn rules(table: &Table, rules: &mut Option<KueueRules>, faults: &mut Faults) {
    let order = table.get("order").map(|order| order.place.source);
    for key in ["fair_sharing", "strategies", "tree", "gpu_resource"] {
        let Some(node) = table.get(key) else { continue };
        let Some(rules) = rules else {
            if order.is_some_and(|order| order > node.place.source) {
                continue;
            }
            let label = "expected with `order = \"kueue\"`";
            faults.push(Fault::new(&node.place, format!("`{key}` is Kueue's"), label));
            continue;
        };
        match key {
            "fair_sharing" => match node.value {
                Value::Bool(fair_sharing) => rules.fair_sharing = fair_sharing,
                _ => faults.push(Fault::new(
                    &node.place,
                    "`fair_sharing` is no truth",
                    "expected `true` or `false`",
                )),
            },
            "strategies" => strategies(node, rules, faults),
            "tree" => {
                rules.as_written = faults.word(node, "tree", &TREES, &[]) == Some("as-written");
            }
            _ => {}
        }
    }
}

fn strategies(node: &Node, rules: &mut KueueRules, faults: &mut Faults) {
    let names: Vec<&str> = match &node.value {
        Value::Array(items) => items.iter().filter_map(|item| faults.text(item, "strategies")).collect(),
        _ => Vec::new(),
    };
    match legal_strategies(&names) {
        Some(strategies) => rules.strategies = strategies,
        None => faults.push(Fault::new(
            &node.place,
            "Kueue does not take these `strategies`",
            format!("expected a list of {LISTS}"),
        )),
    }
}

/// Kueue's rules as `--policy` takes them: what differs from the defaults of a replay.
pub(crate) fn label(rules: KueueRules, spec: PolicySpec) -> String {
    let mut label = rules.label().to_owned();
    let mut add = |key: &str, value: &str| label.extend([",", key, "=", value]);
    if spec.backfill == Backfill::None {
        add("backfill", spec.backfill.as_str());
    }
    if spec.preemption != Preemption::None {
        add("preemption", spec.preemption.as_str());
    }
    // Nothing but shares asks for strategies.
    if rules.fair_sharing && rules.strategies != KueueRules::default().strategies {
        let names: Vec<String> =
            strategy_names(rules.strategies).iter().map(|name| format!("\"{name}\"")).collect();
        add("strategies", &format!("[{}]", names.join(",")));
    }
    label
}

fn object(table: &Table) -> Json {
    Json::Object(table.entries.iter().map(|entry| (entry.key.clone(), json(&entry.node))).collect())
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) | Value::Date(text) => Json::from(text.as_str()),
        Value::Integer(digits) | Value::Float(digits) => {
            let plain = digits.replace('_', "");
            serde_json::from_str(plain.trim_start_matches('+')).unwrap_or(Json::String(plain))
        }
        Value::Bool(value) => Json::from(*value),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Table(table) => object(table),
    }
}
