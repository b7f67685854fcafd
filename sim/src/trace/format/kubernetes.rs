//! Quantities and nodes of Kubernetes, as far as traces need them.
//!
//! Absent on purpose: Kueue's own objects (its adapter) and writing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::member::{Member, Misread, QUANTITY};
use super::table::MAX_AMOUNT;
use crate::trace::cluster::{Cluster, NodeMake};
use crate::trace::number;

/// Labels that name a node's accelerator, best known first.
const ACCELERATOR_LABELS: [&str; 4] = [
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "skypilot.co/accelerator",
    "k8s.amazonaws.com/accelerator",
];

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

/// Adds a node object (`kubectl get nodes -o json`) to the cluster; false for a cordoned one, which is left out.
pub(super) fn add_node(object: &Value, cluster: &mut Cluster) -> Result<bool, Misread> {
    let root = Member::root(object);
    if root.get("spec")?.get("unschedulable")?.flag()? == Some(true) {
        return Ok(false);
    }
    let status = root.get("status")?;
    let allocatable = status.get("allocatable")?;
    let resources = if allocatable.is_absent() { status.get("capacity")? } else { allocatable };
    let mut make = NodeMake::default();
    for (name, quantity) in resources.entries()? {
        let milli = u64::try_from(quantity.milli()?).map_err(|_| quantity.misread(QUANTITY))?;
        let countable = |amount: u64| {
            let expected = format!("{QUANTITY} within the range of this program");
            if amount > MAX_AMOUNT.unsigned_abs() { Err(quantity.misread(expected)) } else { Ok(amount) }
        };
        match kind(name) {
            Kind::Gpu => make.gpu_milli = countable(make.gpu_milli.saturating_add(milli))?,
            Kind::Cpu => make.cpu_milli = countable(milli)?,
            Kind::Memory => make.memory_bytes = milli / 1000,
            Kind::Other if milli > 0 => _ = make.others.insert(name.to_owned(), milli),
            Kind::Other | Kind::Ignored => {}
        }
    }
    make.labels = labels(&root.get("metadata")?.get("labels")?)?;
    // The name of its host tells a node from all others of its make.
    make.labels.remove("kubernetes.io/hostname");
    if make.gpu_milli > 0 {
        let label = ACCELERATOR_LABELS.iter().find_map(|label| make.labels.get(*label));
        make.accelerator = label.cloned().unwrap_or_default();
    }
    cluster.add(make);
    Ok(true)
}

/// Labels of a node.
pub(super) fn labels(labels: &Member<'_, '_>) -> Result<BTreeMap<String, String>, Misread> {
    labels.entries()?.map(|(key, value)| Ok((key.to_owned(), value.plain_text()?))).collect()
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
