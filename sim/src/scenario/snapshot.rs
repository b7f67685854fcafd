//! `[snapshot]`, `[[running]]` and `[[pending]]`: a cluster as it stands, for `sim decide`.
//!
//! A job's keys are the columns of the native trace. Their values are kept as that format writes them, so that its
//! reader alone says what they mean; a running job also says where it runs and since when.
//! Absent on purpose: what is decided (see `decide`).

use std::collections::BTreeSet;

use super::document::{Document, Entry, Node, Table, Value};
use super::fault::{Fault, Place};
use super::value::{Faults, list};
use super::{Pool, Snapshot, SnapshotJob, kueue};
use crate::nearest::did_you_mean;
use crate::trace::{Instant, NATIVE_COLUMNS};

/// Keys of a running job beyond the native columns.
const WHERE: [&str; 3] = ["pool", "nodes", PART_OF];
/// The running job of which this one is a part in another pool.
const PART_OF: &str = "part_of";
/// Parts of its Workload.
const KUEUE: &str = "kueue";
/// The further resources of the native format: `res_NAME`.
const RESOURCE: &str = "res_";

/// The snapshot of a scenario, if it has one.
pub(super) fn snapshot(document: &Document, pools: &[Pool], faults: &mut Faults) -> Option<Snapshot> {
    let root = &document.root;
    let table = root.get("snapshot").and_then(|node| faults.table(node, "snapshot"));
    let mut now_ms = None;
    if let Some(table) = table {
        faults.keys(table, "`[snapshot]`", &["now_s"], &[]);
        now_ms = table.get("now_s").and_then(|node| instant(node, "now_s", faults));
    }
    let mut jobs = Vec::new();
    for key in ["running", "pending"] {
        jobs.extend(read_jobs(root, key, pools, faults));
    }
    let mut names = BTreeSet::new();
    for (job, place) in &jobs {
        if !names.insert(job.name.as_str()) {
            let label = "this name is taken by a job above";
            faults.push(Fault::new(&place.name, format!("job `{}` is there twice", job.name), label));
        }
    }
    for (job, place) in &jobs {
        let Some(whole) = &job.part_of else { continue };
        let is_whole = |other: &&(SnapshotJob, Places)| {
            other.0.name == *whole && other.0.part_of.is_none() && other.0.running.is_some()
        };
        let team = |job: &SnapshotJob| {
            job.columns.iter().find(|(key, _)| key == "team").map(|(_, team)| team.clone())
        };
        let (title, label) = match jobs.iter().find(is_whole) {
            None => ("no running job", "expected the name of a `[[running]]` job that is no part itself"),
            Some((other, _)) if team(other) != team(job) => {
                ("a job of another team", "all of a job is of one team")
            }
            Some(_) => continue,
        };
        let title = format!("job `{}` is part of {title}: `{whole}`", job.name);
        faults.push(Fault::new(place.part_of.as_ref().unwrap_or(&place.name), title, label));
    }
    let any = table.is_some() || !jobs.is_empty();
    any.then(|| Snapshot { now_ms, jobs: placed(jobs, document), added: 0 })
}

/// The waiting jobs of a file beside the scenario: `[[pending]]` tables, or the keys of one.
pub(super) fn pending(document: &Document, pools: &[Pool], faults: &mut Faults) -> Vec<SnapshotJob> {
    let root = &document.root;
    if root.get("pending").is_some() {
        faults.keys(root, "a file of jobs to add", &["pending"], &[]);
        return placed(read_jobs(root, "pending", pools, faults), document);
    }
    let place = Place { source: 0, span: 0..0 };
    placed(job(root, &place, "pending", pools, faults).into_iter().collect(), document)
}

/// Jobs that know where they stand, for what is only found once they are put together.
fn placed(jobs: Vec<(SnapshotJob, Places)>, document: &Document) -> Vec<SnapshotJob> {
    let with = |(job, place): (SnapshotJob, Places)| SnapshotJob {
        place: place.name.shown(&document.sources),
        ..job
    };
    jobs.into_iter().map(with).collect()
}

fn read_jobs(root: &Table, key: &str, pools: &[Pool], faults: &mut Faults) -> Vec<(SnapshotJob, Places)> {
    let tables = faults.tables(root, key);
    tables.into_iter().filter_map(|(table, place)| job(table, place, key, pools, faults)).collect()
}

/// Where parts of a job stand.
struct Places {
    name: Place,
    part_of: Option<Place>,
}

/// One job, and where parts of it stand.
fn job(
    table: &Table,
    place: &Place,
    section: &str,
    pools: &[Pool],
    faults: &mut Faults,
) -> Option<(SnapshotJob, Places)> {
    let runs = section == "running";
    let what = format!("a {section} job");
    let mut known: Vec<&str> = NATIVE_COLUMNS.to_vec();
    if runs {
        known.extend(WHERE);
    }
    known.push(KUEUE);
    let mut columns = Vec::new();
    for Entry { key, key_place, node } in &table.entries {
        let is_resource = key.strip_prefix(RESOURCE).is_some_and(|name| !name.is_empty());
        if !known.contains(&key.as_str()) && !is_resource {
            let near = did_you_mean(key, known.iter().copied());
            let label = "expected a column of the native trace, such as `gpu`";
            let fault = Fault::new(key_place, format!("unknown key `{key}` in {what}"), label);
            faults.push(fault.hint_if(near));
        } else if key != KUEUE && !(runs && WHERE.contains(&key.as_str())) {
            columns.extend(text(node, key, faults).map(|text| (key.clone(), text)));
        }
    }
    let name_node = faults.required(table, place, &what, "job_id", &known);
    let team = faults.required(table, place, &what, "team", &known);
    let name = columns.iter().find(|(key, _)| key == "job_id").map(|(_, name)| name.clone());
    let (mut running, mut part_of) = (None, None);
    if runs {
        part_of = table.get(PART_OF).and_then(|node| faults.text(node, PART_OF)).map(String::from);
        let pool = faults.required(table, place, &what, "pool", &known)?;
        let pool_name = faults.text(pool, "pool")?;
        let found = pools.iter().position(|pool| pool.name == pool_name);
        if found.is_none() {
            let near = did_you_mean(pool_name, pools.iter().map(|pool| pool.name.as_str()));
            let label = "the scenario has no pool of this name";
            faults.push(Fault::new(&pool.place, format!("unknown pool `{pool_name}`"), label).hint_if(near));
        }
        running = Some((found?, table.get("nodes").map_or(Vec::new(), |node| nodes(node, faults))));
    }
    team?;
    let part_of_place = table.get(PART_OF).map(|node| node.place.clone());
    let places = Places { name: name_node?.place.clone(), part_of: part_of_place };
    let kueue = kueue::parts(table, faults);
    Some((SnapshotJob { name: name?, place: String::new(), columns, running, part_of, kueue }, places))
}

/// The node of each worker, by number.
fn nodes(node: &Node, faults: &mut Faults) -> Vec<u32> {
    let Value::Array(numbers) = &node.value else {
        let label = "expected the number of the node of each worker, such as `[0, 0, 1]`";
        faults.push(Fault::new(&node.place, "`nodes` is no list", label));
        return Vec::new();
    };
    let number = |node| faults.whole(node, "nodes", 0..=i64::from(u32::MAX));
    numbers.iter().filter_map(number).filter_map(|number| u32::try_from(number).ok()).collect()
}

/// A value as the native trace writes it.
fn text(node: &Node, key: &str, faults: &mut Faults) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Date(text) => Some(text.clone()),
        Value::Integer(digits) | Value::Float(digits) => Some(digits.replace('_', "")),
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| text_of_item(item, key, faults)).collect();
            Some(items?.join("|"))
        }
        Value::Table(_) => text_of_item(node, key, faults),
    }
}

fn text_of_item(node: &Node, key: &str, faults: &mut Faults) -> Option<String> {
    match &node.value {
        Value::Array(_) | Value::Table(_) => {
            let forms = list(&["a text", "a number", "a list of texts"]).replace('`', "");
            let label = format!("expected {forms}");
            faults.push(Fault::new(&node.place, format!("`{key}` is not what it should be"), label));
            None
        }
        _ => text(node, key, faults),
    }
}

/// An instant as the native trace writes it, ms.
fn instant(node: &Node, key: &str, faults: &mut Faults) -> Option<i64> {
    let text = text(node, key, faults)?;
    let instant = Instant::parse(&text).map(Instant::since_1970);
    if instant.is_none() {
        let label = "expected seconds, or a date with a time such as `2017-10-01 00:00:00`";
        faults.push(Fault::new(&node.place, format!("`{key}` is no instant"), label));
    }
    instant
}
