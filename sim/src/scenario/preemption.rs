//! `preemption` and `eviction` of `[policy]`: whom a waiting job may stop, and how much may be lost by that.
//!
//! Absent on purpose: the rules themselves (they are the scheduler's).

use fairshare::{Backfill, EvictionBounds, Millis, PolicySpec, Preemption, Quantity};

use super::document::{Node, Table, Value};
use super::fault::Fault;
use super::value::Faults;

const EVICTION: [&str; 5] = ["minimum_run", "hysteresis", "ratio", "gpu_seconds_per_hour", "back_off"];

/// Reads both keys into a policy of which everything else is known.
pub(super) fn preemption(table: &Table, spec: &mut PolicySpec, faults: &mut Faults) {
    if let Some(node) = table.get("preemption") {
        let names = Preemption::ALL.map(Preemption::as_str);
        let word = faults.word(node, "preemption", &names, &[]);
        spec.preemption = word.and_then(Preemption::parse).unwrap_or_default();
        if spec.preemption != Preemption::None && spec.backfill == Backfill::Conservative {
            let label = "it would void the plans that `conservative` backfill makes for every job";
            let fault =
                Fault::new(&node.place, "preemption and conservative backfill exclude each other", label);
            faults.push(fault.hint("set `backfill = \"easy\"`"));
        }
    }
    let Some(eviction) = table.get("eviction").and_then(|node| faults.table(node, "eviction")) else {
        return;
    };
    faults.keys(eviction, "`eviction` of `[policy]`", &EVICTION, &[]);
    let bounds = &mut spec.bounds;
    if let Some(millis) = eviction.get("minimum_run").and_then(|node| faults.duration(node, "minimum_run")) {
        bounds.minimum_run = Millis::new(millis);
    }
    if let Some(millis) = eviction.get("back_off").and_then(|node| faults.duration(node, "back_off")) {
        bounds.back_off = Millis::new(millis);
    }
    if let Some(share) = eviction.get("hysteresis").and_then(|node| faults.amount(node, "hysteresis")) {
        bounds.hysteresis_milli = u32::try_from(share.get()).unwrap_or(u32::MAX);
    }
    if let Some(node) = eviction.get("ratio") {
        bounds.ratio_milli = ratio(node, faults).or(bounds.ratio_milli).filter(|_| !is_any(node));
    }
    if let Some(node) = eviction.get("gpu_seconds_per_hour") {
        let most = faults.whole(node, "gpu_seconds_per_hour", 0..=i64::MAX);
        bounds.gpu_seconds_per_hour = most.and_then(|most| u64::try_from(most).ok());
    }
}

/// `"any"` lifts the bound.
fn is_any(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text == "any")
}

fn ratio(node: &Node, faults: &mut Faults) -> Option<u64> {
    if is_any(node) { None } else { faults.amount(node, "ratio").map(Quantity::get) }
}

/// What differs from the defaults, as `--policy` takes it.
pub(super) fn label(spec: PolicySpec) -> String {
    let (bounds, usual) = (spec.bounds, EvictionBounds::default());
    let mut label = String::new();
    let mut add = |key: &str, value: String| {
        label.extend([",", key, "=", value.as_str()]);
    };
    if spec.preemption == Preemption::None {
        return label;
    }
    add("preemption", spec.preemption.as_str().to_owned());
    if bounds.minimum_run != usual.minimum_run {
        add("eviction.minimum_run", format!("{}s", bounds.minimum_run));
    }
    if bounds.hysteresis_milli != usual.hysteresis_milli {
        add("eviction.hysteresis", Millis::new(u64::from(bounds.hysteresis_milli)).to_string());
    }
    match bounds.ratio_milli {
        _ if bounds.ratio_milli == usual.ratio_milli => {}
        Some(milli) => add("eviction.ratio", Millis::new(milli).to_string()),
        None => add("eviction.ratio", "any".to_owned()),
    }
    if let Some(most) = bounds.gpu_seconds_per_hour {
        add("eviction.gpu_seconds_per_hour", most.to_string());
    }
    if bounds.back_off != usual.back_off {
        add("eviction.back_off", format!("{}s", bounds.back_off));
    }
    label
}
