//! `[reaper]`: when jobs whose GPUs idle are stopped.
//!
//! Absent on purpose: what it does (see `reaper`).

use super::document::{Table, Value};
use super::fault::Fault;
use super::value::Faults;
use crate::reaper::Reaper;

const KEYS: [&str; 4] = ["gpu_utilization_below", "window", "exempt", "dev"];
/// All of a GPU, in thousandths.
const WHOLE: u64 = 1_000;

/// Reads `[reaper]`; every class that it exempts is one of `priorities`.
pub(super) fn reaper(root: &Table, priorities: &[(String, i32)], faults: &mut Faults) -> Option<Reaper> {
    let node = root.get("reaper")?;
    let table = faults.table(node, "reaper")?;
    faults.keys(table, "`[reaper]`", &KEYS, &[]);
    let mut required = |key: &str| faults.required(table, &node.place, "`[reaper]`", key, &KEYS);
    let (below, window) = (required("gpu_utilization_below"), required("window"));
    let below = below.and_then(|node| {
        let milli = faults.amount(node, "gpu_utilization_below")?.get();
        if milli == 0 || milli > WHOLE {
            let label = "expected a part above 0 and at most 1, such as `0.2`";
            faults.push(Fault::new(&node.place, "`gpu_utilization_below` is no part", label));
            return None;
        }
        u32::try_from(milli).ok()
    });
    let window_ms = window.and_then(|node| faults.duration(node, "window"));
    let dev = table.get("dev").and_then(|node| faults.word(node, "dev", &["exempt", "included"], &[]));
    let mut exempt = Vec::new();
    if let Some(node) = table.get("exempt") {
        let Value::Array(names) = &node.value else {
            faults.push(Fault::new(&node.place, "`exempt` is no list", "expected names of classes"));
            return None;
        };
        for node in names {
            let Some(name) = faults.text(node, "exempt") else { continue };
            if !priorities.iter().any(|(known, _)| known == name) {
                let label = "expected the name of a `[[priority]]`";
                faults.push(Fault::new(&node.place, format!("unknown class `{name}`"), label));
            }
            exempt.push(name.to_owned());
        }
    }
    Some(Reaper { below_milli: below?, window_ms: window_ms?, exempt, includes_dev: dev == Some("included") })
}
