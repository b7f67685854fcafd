//! The tree of settings to a [`Scenario`]: all sections, all faults.

use std::path::{Component, Path, PathBuf};

use fairshare::{Backfill, ClassScope, OrderName, Placement, PolicySpec};

use super::document::{Document, Node, Table, Value};
use super::fault::{Fault, Place};
use super::valuation;
use super::value::{Faults, Later};
use super::{
    Policy, Pool, Scenario, SnapshotJob, capacity, dataset, history, kueue, pool, preemption, reaper, rules,
    snapshot, team,
};
use crate::kueue::KueueRules;
use crate::saved::Recovery;
use crate::tariff::Tariff;
use crate::trace::{Format, Input, Selection, SwfOptions};

pub(crate) const SECTIONS: [&str; 15] = [
    "pool",
    "capacity",
    "dataset",
    "team",
    "teams",
    "priority",
    "policy",
    "admission",
    "route",
    "reaper",
    "trace",
    "snapshot",
    "running",
    "pending",
    "kueue",
];
const SECTIONS_LATER: [Later; 1] = [Later("fault")];
const POLICY: [&str; 20] = [
    "order",
    "value",
    "priority",
    "preemption",
    "eviction",
    "backfill",
    "default_time_limit",
    "default_checkpoint",
    "default_restart",
    "placement",
    "gangs",
    "fair_sharing",
    "strategies",
    "tree",
    "gpu_resource",
    "half_life",
    "rank_period",
    "factors",
    "datasets",
    "enforce_time_limit",
];
/// No order of the scheduler, but another way to decide.
const KUEUE: &str = "kueue";
const SWF: [&str; 5] = ["run", "unusable", "processors", "pools", "memory"];

/// Reads the whole tree.
pub(super) fn scenario(document: &Document) -> Result<Scenario, Vec<Fault>> {
    let root = &document.root;
    let mut faults = Faults::default();
    faults.keys(root, "a scenario", &SECTIONS, &SECTIONS_LATER);
    let pools = pool::pools(root, &mut faults);
    if root.get("pool").is_none() {
        let place = Place { source: 0, span: 0..0 };
        let fault = Fault::new(&place, "the scenario has no pool", "expected at least one `[[pool]]`");
        faults.push(fault.hint("`sim init` writes a commented scenario to start from"));
    }
    let capacities = capacity::capacities(root, &pools, &mut faults);
    let dataset_sizes = dataset::sizes(root, &pools, &mut faults);
    let teams = team::teams(root, &pools, &mut faults);
    let unknown_teams = team::unknown_teams(root, &mut faults);
    let priorities = team::priorities(root, &mut faults);
    let policy = policy(root, &pools, &mut faults);
    if let (Some(_), Some(node)) = (policy.kueue, root.get("capacity")) {
        let title = "the order `kueue` does not follow changes of capacity";
        let fault = Fault::new(&node.place, title, "quota alone counts there");
        faults.push(fault.hint("remove the tables, or take another order"));
    }
    if policy.spec.order == OrderName::Static && teams.iter().all(|team| team.quota.is_empty()) {
        without_quotas(root, &mut faults);
    }
    let rules = rules::rules(root, &priorities, &pools, &mut faults);
    let reaper = reaper::reaper(root, &priorities, &mut faults);
    let (trace, swf) = trace(root, &mut faults);
    let gavel_throughputs = gavel_throughputs(root, &mut faults);
    let selection = selection(root, &mut faults);
    let snapshot = snapshot::snapshot(document, &pools, &mut faults);
    let kueue = kueue::words(root, &mut faults);
    if !faults.list.is_empty() {
        return Err(faults.list);
    }
    let (path, digest) = (String::new(), String::new());
    Ok(Scenario {
        path,
        digest,
        pools,
        capacities,
        dataset_sizes,
        teams,
        cautions: team::cautions(root, &document.sources),
        unknown_teams,
        priorities,
        policy,
        rules,
        reaper,
        trace,
        swf,
        gavel_throughputs,
        selection,
        snapshot,
        kueue,
    })
}

/// Reads the waiting jobs of a file beside the scenario.
pub(super) fn pending(document: &Document, pools: &[Pool]) -> Result<Vec<SnapshotJob>, Vec<Fault>> {
    let mut faults = Faults::default();
    let jobs = snapshot::pending(document, pools, &mut faults);
    if faults.list.is_empty() { Ok(jobs) } else { Err(faults.list) }
}

fn policy(root: &Table, pools: &[Pool], faults: &mut Faults) -> Policy {
    let mut policy = Policy::default();
    let Some(table) = root.get("policy").and_then(|node| faults.table(node, "policy")) else { return policy };
    faults.keys(table, "`[policy]`", &POLICY, &[]);
    let mut spec = PolicySpec::default();
    if let Some(node) = table.get("order") {
        let mut names = OrderName::ALL.map(OrderName::as_str).to_vec();
        names.push(KUEUE);
        let word = faults.word(node, "order", &names, &[]);
        if matches!(&node.value, Value::Text(text) if text == "recorded") {
            faults.hint("what was recorded is not decided again: `sim compare` takes `--policy recorded`");
        }
        policy.kueue = (word == Some(KUEUE)).then(KueueRules::default);
        spec.order = word.and_then(OrderName::parse).unwrap_or_default();
    }
    if let Some(node) = table.get("backfill") {
        let names = Backfill::ALL.map(Backfill::as_str);
        let word = faults.word(node, "backfill", &names, &["easy", "conservative"]);
        spec.backfill = word.and_then(Backfill::parse).unwrap_or_default();
        policy.backfill_given = true;
    }
    history::history(table, &mut spec, faults);
    if let Some(node) = table.get("priority") {
        let word = faults.word(node, "priority", &ClassScope::ALL.map(ClassScope::as_str), &[]);
        spec.priority = word.and_then(ClassScope::parse).unwrap_or_default();
    }
    if let Some(node) = table.get("gangs") {
        policy.across_domains =
            faults.word(node, "gangs", &["one-domain", "across-domains"], &[]) == Some("across-domains");
    }
    if let Some(node) = table.get("placement") {
        let word = faults.word(node, "placement", &Placement::ALL.map(Placement::as_str), &[]);
        spec.placement = word.and_then(Placement::parse).unwrap_or_default();
    }
    kueue::rules(table, &mut policy.kueue, faults);
    preemption::preemption(table, &mut spec, faults);
    policy.spec = spec;
    if let Some(node) = table.get("value") {
        valuation::value(node, pools, &mut policy, faults);
    }
    data(table, &mut policy, faults);
    let mut length = |key: &str| table.get(key).and_then(|node| faults.duration(node, key));
    policy.default_time_limit_ms = length("default_time_limit");
    policy.recovery =
        Recovery { checkpoint_ms: length("default_checkpoint"), restart_ms: length("default_restart") };
    policy
}

/// Where jobs may start that read data sets, and whether a time limit is more than a promise.
fn data(table: &Table, policy: &mut Policy, faults: &mut Faults) {
    if let Some(node) = table.get("datasets") {
        policy.reads_remotely =
            faults.word(node, "datasets", &["required", "preferred"], &[]) == Some("preferred");
    }
    if let Some(node) = table.get("enforce_time_limit")
        && faults.bool(node, "enforce_time_limit") == Some(true)
    {
        let title = "a replay cannot enforce time limits: recorded jobs run as long as they ran";
        let fault = Fault::new(&node.place, title, "expected `false`, which is the default");
        faults.push(fault.hint("for SWF, `run = \"min(run, request)\"` in `[trace.swf]` cuts run times"));
    }
}

/// The order `static` is a division by quotas.
fn without_quotas(root: &Table, faults: &mut Faults) {
    let Some(Value::Table(policy)) = root.get("policy").map(|node| &node.value) else { return };
    let Some(order) = policy.get("order") else { return };
    let title = "the order `static` gives each team its quota, and no team has one";
    let fault = Fault::new(&order.place, title, "expected a `quota` at one `[[team]]` or more");
    faults.push(fault.hint("write `quota = { POOL = { gpu = 8 } }`, or take another order, such as `drf`"));
}

impl Pool {
    pub(crate) fn has_gpus(&self) -> bool {
        self.node.iter().any(|(name, amount)| name == "gpu" && amount.get() > 0)
    }

    /// Whether its price says what a GPU costs: that of its CPUs does too, which its GPUs then share.
    pub(crate) fn has_gpu_price(&self) -> bool {
        self.tariff.as_ref().is_some_and(Tariff::begins_above_zero)
    }
}

/// The part of the trace that the scenario is about.
fn selection(root: &Table, faults: &mut Faults) -> Selection {
    let mut selection = Selection::default();
    let Some(Value::Table(table)) = root.get("trace").map(|node| &node.value) else { return selection };
    if let Some(node) = table.get("teams") {
        match &node.value {
            Value::Array(names) => {
                let texts = names.iter().filter_map(|name| faults.text(name, "teams"));
                selection.teams = texts.map(str::to_owned).collect();
            }
            _ => faults.push(Fault::new(&node.place, "`teams` is no list", "expected names of teams")),
        }
    }
    let mut instant = |key: &str| capacity::instant(table.get(key)?, key, faults);
    selection.from = instant("from");
    selection.until = instant("until");
    selection
}

fn trace(root: &Table, faults: &mut Faults) -> (Option<Input>, SwfOptions) {
    let mut swf = SwfOptions::default();
    let Some(table) = root.get("trace").and_then(|node| faults.table(node, "trace")) else {
        return (None, swf);
    };
    faults.keys(table, "`[trace]`", &["path", "format", "teams", "from", "until", "swf", "gavel"], &[]);
    let format = table.get("format").and_then(|node| {
        let word = faults.word(node, "format", &Format::names(), &[])?;
        Format::from_name(word)
    });
    let input = table.get("path").and_then(|node| {
        let path = inside(node, "path", "the trace", faults)?;
        Some(Input { path, format })
    });
    if let Some(options) = table.get("swf").and_then(|node| faults.table(node, "swf")) {
        faults.keys(options, "`[trace.swf]`", &SWF, &[]);
        for entry in options.entries.iter().filter(|entry| SWF.contains(&entry.key.as_str())) {
            let Some(word) = faults.text(&entry.node, &entry.key) else { continue };
            if let Err(expected) = swf.set(&entry.key, word) {
                let title = format!("unknown {} `{word}`", entry.key);
                faults.push(Fault::new(&entry.node.place, title, expected));
            }
        }
    }
    (input, swf)
}

/// A file in the scenario's folder.
fn inside(node: &Node, key: &str, what: &str, faults: &mut Faults) -> Option<PathBuf> {
    let path = Path::new(faults.text(node, key)?);
    if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Some(path.to_path_buf());
    }
    let label = "expected a relative path that stays inside it";
    let fault = Fault::new(&node.place, format!("{what} lies outside the scenario's folder"), label);
    faults.push(fault.hint("name it on the command line instead: `--trace FILE`"));
    None
}

/// `[trace.gavel] throughputs`; a table outside of the folder is named with the trace.
fn gavel_throughputs(root: &Table, faults: &mut Faults) -> Option<PathBuf> {
    let Some(Value::Table(trace)) = root.get("trace").map(|node| &node.value) else { return None };
    let options = trace.get("gavel").and_then(|node| faults.table(node, "gavel"))?;
    faults.keys(options, "`[trace.gavel]`", &["throughputs"], &[]);
    inside(options.get("throughputs")?, "throughputs", "the throughput table", faults)
}
