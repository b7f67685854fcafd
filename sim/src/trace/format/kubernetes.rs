//! Quantities, times and objects of Kubernetes, as far as traces need them.
//!
//! Absent on purpose: Kueue's own objects (its adapter) and writing.

use serde_json::Value;

use super::table::MAX_AMOUNT;
use crate::trace::cluster::{Cluster, NodeMake};
use crate::trace::error::{Fault, quoted};
use crate::trace::number;
use crate::trace::time;

/// Labels that name a node's accelerator, best known first.
const ACCELERATOR_LABELS: [&str; 4] = [
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "skypilot.co/accelerator",
    "k8s.amazonaws.com/accelerator",
];

/// What an amount looks like, for messages.
pub(super) const QUANTITY: &str = "a quantity like `500m` or `2Gi`";

/// A quantity (`500m`, `2Gi`, `1e3`, `7`) in thousandths, rounded up as Kubernetes does.
pub(super) fn quantity_milli(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let (digits, suffix) = if digits.len() < text.len() && number::scaled(text.as_bytes(), 0).is_ok() {
        // `1e3`: the letter belongs to the number.
        (text.as_str(), "")
    } else {
        (digits, &text[digits.len()..])
    };
    let factor: i128 = match suffix {
        "n" | "u" => 0,
        "m" => 1,
        "" => 1000,
        "k" => 1000 * 1000,
        "M" => 1_000_000 * 1000,
        "G" => 1_000_000_000 * 1000,
        "T" => 1_000_000_000_000 * 1000,
        "P" => 1_000_000_000_000_000 * 1000,
        "Ki" => (1 << 10) * 1000,
        "Mi" => (1 << 20) * 1000,
        "Gi" => (1 << 30) * 1000,
        "Ti" => (1 << 40) * 1000,
        "Pi" => (1 << 50) * 1000,
        _ => return None,
    };
    if factor == 0 {
        let per_unit = if suffix == "n" { 1_000_000 } else { 1000 };
        let value = number::scaled(digits.as_bytes(), 0).ok()?;
        return Some(value.div_euclid(per_unit) + i64::from(value.rem_euclid(per_unit) > 0));
    }
    let millionths = i128::from(number::scaled(digits.as_bytes(), 6).ok()?).checked_mul(factor)?;
    i64::try_from(millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) > 0)).ok()
}

/// What a resource name means to a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gpu,
    Cpu,
    Memory,
    /// Counted by its own name.
    Other,
    /// Nothing that jobs compete for.
    Ignored,
}

/// GPUs of any vendor are GPUs; CPU and memory are themselves.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "cpu" => Kind::Cpu,
        "memory" => Kind::Memory,
        "pods" | "ephemeral-storage" => Kind::Ignored,
        name if name.ends_with("/gpu") => Kind::Gpu,
        name if name.starts_with("hugepages-") => Kind::Ignored,
        _ => Kind::Other,
    }
}

/// A string somewhere inside an object.
pub(super) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).as_str().unwrap_or_default()
}

/// A value somewhere inside an object; null where it is absent.
pub(super) fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, key| &value[*key])
}

/// A time somewhere inside the object of `line`, ms; nothing where it is absent.
pub(super) fn instant(object: &Value, path: &[&str], line: u64) -> Result<Option<i64>, Fault> {
    let value = at(object, path);
    if value.is_null() {
        return Ok(None);
    }
    let read = value.as_str().and_then(|text| time::timestamp_ms(text.as_bytes()));
    read.map(Some).ok_or_else(|| unreadable(value, "a time like `2026-01-31T12:00:00Z`", path, line))
}

/// A value that is not what it should be.
pub(super) fn unreadable(value: &Value, expected: &str, path: &[&str], line: u64) -> Fault {
    let found = quoted(value.as_str().unwrap_or(&value.to_string()).as_bytes());
    Fault::unreadable(line, expected, found).column(path.join("."))
}

/// Adds the node object of `line` (`kubectl get nodes -o json`) to the cluster; false for a cordoned one, left out.
pub(super) fn add_node(object: &Value, cluster: &mut Cluster, line: u64) -> Result<bool, Fault> {
    if at(object, &["spec", "unschedulable"]).as_bool() == Some(true) {
        return Ok(false);
    }
    let allocatable = at(object, &["status", "allocatable"]);
    let resources = if allocatable.is_object() { allocatable } else { at(object, &["status", "capacity"]) };
    let mut make = NodeMake::default();
    for (name, quantity) in resources.as_object().into_iter().flatten() {
        let milli = quantity_milli(quantity).and_then(|milli| u64::try_from(milli).ok());
        let milli = milli.ok_or_else(|| unreadable(quantity, QUANTITY, &["status", name], line))?;
        let countable = !matches!(kind(name), Kind::Gpu | Kind::Cpu) || milli <= MAX_AMOUNT.unsigned_abs();
        if !countable {
            let expected = format!("{QUANTITY} within the range of this program");
            return Err(unreadable(quantity, &expected, &["status", name], line));
        }
        match kind(name) {
            Kind::Gpu => make.gpu_milli += milli,
            Kind::Cpu => make.cpu_milli = milli,
            Kind::Memory => make.memory_bytes = milli / 1000,
            Kind::Other if milli > 0 => _ = make.others.insert(name.clone(), milli),
            Kind::Other | Kind::Ignored => {}
        }
    }
    let labels = at(object, &["metadata", "labels"]).as_object().into_iter().flatten();
    // The name of its host tells a node from all others of its make.
    let labels = labels.filter(|(key, _)| *key != "kubernetes.io/hostname");
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    make.labels = labels.collect();
    if make.gpu_milli > 0 {
        let label = ACCELERATOR_LABELS.iter().find_map(|label| make.labels.get(*label));
        make.accelerator = label.cloned().unwrap_or_default();
    }
    cluster.add(make);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_kubernetes_writes_them() {
        for (text, milli) in [
            ("500m", 500),
            ("2Gi", (2_i64 << 30) * 1000),
            ("1.5", 1500),
            ("1e3", 1_000_000),
            ("1500u", 2),
            ("4k", 4_000_000),
            ("0.1m", 1),
            ("1E", 0),
        ] {
            let expected = (milli != 0).then_some(milli);
            assert_eq!(quantity_milli(&Value::String(text.into())), expected, "{text}");
        }
        assert_eq!(quantity_milli(&serde_json::json!(8)), Some(8000));
        assert_eq!(quantity_milli(&serde_json::json!("lots")), None);
        assert_eq!(quantity_milli(&serde_json::json!(null)), None);
    }
}
