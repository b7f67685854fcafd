//! JSON: the summary, and every figure of it as `path,value`.
//!
//! Floats are printed by their shortest form that reads back the same, so equal results are equal bytes.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::summary::Summary;

/// The summary as a value.
#[must_use]
pub fn value(summary: &Summary) -> Value {
    serde_json::to_value(summary).unwrap_or_default()
}

/// The summary as text, fields in the order of the schema.
#[must_use]
pub fn text(summary: &Summary) -> String {
    pretty(summary)
}

/// Any result as text, fields in the order of its schema.
#[must_use]
pub fn pretty(result: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(result).unwrap_or_default();
    text.push('\n');
    text
}

/// Every figure as a line `path,value`, elements of lists by name.
#[must_use]
pub fn flat(result: &impl Serialize) -> String {
    let mut text = String::from("path,value\n");
    flatten(&serde_json::to_value(result).unwrap_or_default(), "", &mut text);
    text
}

fn flatten(value: &Value, path: &str, text: &mut String) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(value, &join(key), text)),
        Value::Array(list) => {
            for (index, element) in list.iter().enumerate() {
                let named = ["name", "owner", "policy"].iter().find_map(|key| element.get(key)?.as_str());
                let name = named.map_or_else(|| index.to_string(), str::to_owned);
                flatten(element, &join(&name), text);
            }
        }
        Value::Null => line(text, path, ""),
        Value::String(word) => line(text, path, word),
        other => line(text, path, &other.to_string()),
    }
}

fn line(text: &mut String, path: &str, value: &str) {
    super::csv::field(text, path);
    text.push(',');
    super::csv::field(text, value);
    let _ = writeln!(text);
}
