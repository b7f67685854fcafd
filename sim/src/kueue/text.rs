//! Values as text: YAML documents for objects, inline TOML for parts of a scenario.
//!
//! Absent on purpose: what the values mean.

use std::fmt::Write as _;

use serde_json::Value;

/// Objects as documents of YAML.
#[must_use]
pub fn yaml(objects: &[Value]) -> String {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        // The order in which people write them.
        for key in ["apiVersion", "kind", "metadata"] {
            if !object[key].is_null() {
                entry(&mut text, key, &object[key], 0);
            }
        }
        let rest = object.as_object().into_iter().flatten();
        for (key, value) in
            rest.filter(|(key, _)| !["apiVersion", "kind", "metadata"].contains(&key.as_str()))
        {
            entry(&mut text, key, value, 0);
        }
    }
    text
}

fn entry(text: &mut String, key: &str, value: &Value, indent: usize) {
    let _ = write!(text, "{:indent$}{}:", "", word(key));
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            for (key, value) in map {
                entry(text, key, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                list_item(text, item, indent);
            }
        }
        plain => {
            let _ = writeln!(text, " {}", scalar(plain));
        }
    }
}

fn list_item(text: &mut String, item: &Value, indent: usize) {
    let begin = text.len();
    match item {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                entry(text, key, value, indent + 2);
            }
            // The first key stands behind the dash.
            text.replace_range((begin + indent)..=(begin + indent), "-");
        }
        // Lists of lists, and what is empty, on one line.
        other => {
            let _ = writeln!(text, "{:indent$}- {}", "", scalar(other));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => word(string),
        other => json(other),
    }
}

/// A text without quotes where nobody could take it for anything else.
fn word(text: &str) -> String {
    const TAKEN: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let inside = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(inside)
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { json(&Value::from(text)) }
}

/// A value on one line of TOML, without what is null.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let parts: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{} = {}", toml_key(key), toml(value)))
                .collect();
            if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::String(text) => toml_text(text),
        other => other.to_string(),
    }
}

pub(super) fn toml_text(text: &str) -> String {
    // A basic string of TOML has the escapes of JSON.
    json(&Value::from(text))
}

/// JSON in which everything is escaped that YAML and TOML take for no letter: it is YAML, and its strings are TOML.
fn json(value: &Value) -> String {
    let mut text = String::new();
    for letter in value.to_string().chars() {
        match u32::from(letter) {
            code @ 0x7f..=0x9f => {
                let _ = write!(text, "\\u{code:04x}");
            }
            _ => text.push(letter),
        }
    }
    text
}

pub(super) fn toml_key(key: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { toml_text(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_reads_back() {
        let object = json!({
            "kind": "Odd", "metadata": {"name": "on", "labels": {}},
            "list": [{"a": [], "b": [1, "1", true, "true"]}, [1, [2]], {}, "x: y", null],
            "n": {"deep": {"er": "\u{7f}\n\""}, "500m": "500m", "1e3": "1e3", "~": "-"},
        });
        let text = yaml(std::slice::from_ref(&object));
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, object, "{text}");
    }

    #[test]
    fn toml_reads_back() {
        let value = json!({"a b": [1, -2.5, "x\"\u{7f}\n"], "c": {"d": true, "e/f": {}}});
        let read: toml::Value = toml::from_str(&format!("v = {}", toml(&value))).unwrap();
        assert_eq!(serde_json::to_value(&read["v"]).unwrap(), value);
    }
}
