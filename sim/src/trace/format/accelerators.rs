//! Which accelerators `SkyPilot` is asked for: every way to write it, in task files, in records and in what is added to a
//! snapshot.
//!
//! A mapping is a set of candidates, as a list is one, of which the first that is written counts: so they are read from the
//! text, for the values of JSON do not keep the order of keys. Absent on purpose: where they are written.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::trace::number;

/// What they look like, for messages.
pub(crate) const EXPECTED: &str = "accelerators like `H200:8`";

/// Types with their count for each node, in thousandths, in the order in which they are written; none where none is named.
/// `json` is a text that begins with the value. Nothing where that is anything else.
pub(crate) fn accelerators(json: &[u8]) -> Option<Vec<(String, i64)>> {
    let mut types = Vec::new();
    Named::deserialize(&mut serde_json::Deserializer::from_slice(json)).ok()?.add_to(&mut types)?;
    Some(types)
}

/// What may name accelerators.
enum Named {
    Nothing,
    Text(String),
    Set(Vec<(String, Value)>),
    List(Vec<Self>),
    /// A number or the like, which names none.
    Other,
}

impl Named {
    /// Adds the types; nothing where something else is written.
    fn add_to(self, types: &mut Vec<(String, i64)>) -> Option<()> {
        match self {
            Self::Nothing => {}
            Self::Text(text) => {
                // A map that was written as text: `{'H200': 8}`.
                let text = text.trim().trim_matches(['{', '}']).replace(['\'', '"', ' '], "");
                for part in text.split(',').filter(|part| !part.is_empty()) {
                    types.push(accelerator(part)?);
                }
            }
            Self::Set(set) => {
                for (name, count) in set {
                    // In YAML `{H200:8}` without a blank is a key without a value, so that there is nothing beside it.
                    types.push(match count {
                        Value::Null => accelerator(&name)?,
                        Value::String(count) => counted(&name, &count)?,
                        count => counted(&name, &count.to_string())?,
                    });
                }
            }
            Self::List(list) => {
                for one in list {
                    match one {
                        Self::Text(_) | Self::Set(_) => one.add_to(types)?,
                        _ => return None,
                    }
                }
            }
            Self::Other => return None,
        }
        Some(())
    }
}

/// `1xH200`, or as [`accelerator`].
pub(super) fn counted_first(text: &str) -> Option<(String, i64)> {
    match text.split_once('x') {
        Some((count, name)) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => {
            counted(name, count)
        }
        _ => accelerator(text),
    }
}

/// `H200:8`, `H200`.
pub(super) fn accelerator(text: &str) -> Option<(String, i64)> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    counted(name, count)
}

/// A type with its count for each node, in thousandths, where its name says nothing else in the syntax of alternatives.
fn counted(name: &str, count: &str) -> Option<(String, i64)> {
    let name = name.trim();
    let plain = !name.is_empty() && !name.contains(['|', '*', ':', '[', ']', '(', ')']);
    let count = number::scaled(count.trim().as_bytes(), 3).ok().filter(|count| plain && *count >= 0)?;
    Some((name.to_owned(), count))
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<Named, E> {
        Ok(Named::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Named, E> {
        Ok(Named::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Named, E> {
        Ok(Named::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Named, E> {
        Ok(Named::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Named, E> {
        Ok(Named::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Named, E> {
        Ok(Named::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Named, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = parts.next_element()? {
            list.push(part);
        }
        Ok(Named::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Named, A::Error> {
        let mut set = Vec::new();
        while let Some(part) = parts.next_entry()? {
            set.push(part);
        }
        Ok(Named::Set(set))
    }
}
