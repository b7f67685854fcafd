//! Objects from JSON or YAML: JSON object by object, YAML documents all at once, bounded.
//!
//! A YAML list (`kind: List`) gives its items. Absent on purpose: what the objects mean.

use std::io::Read as _;
use std::rc::Rc;

use serde_json::Value;

use super::items::Items;
use crate::trace::error::Fault;
use crate::trace::input::Opened;

/// YAML is held whole; a longer file should be exported as JSON.
const MAX_YAML: u64 = 64 << 20;

/// More parts than this do not fit into so much text.
const MANY: usize = 1 << 26;

/// A stream of objects with the line where each begins (YAML: its number).
pub(crate) enum Documents {
    Json(Items),
    Yaml { objects: std::vec::IntoIter<Value>, number: u64 },
}

impl Documents {
    /// `hint` says how to get YAML that can be read.
    pub(crate) fn new(opened: Opened, hint: &str) -> Result<Self, Fault> {
        if is_json(&opened.head) {
            return Ok(Self::Json(Items::new(opened)));
        }
        let flow = Rc::clone(&opened.flow);
        flow.allow_records_of(MAX_YAML);
        let mut text = String::new();
        opened.bytes.take(MAX_YAML + 1).read_to_string(&mut text).map_err(|error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                Fault::other(0, "the YAML is no UTF-8 text")
            } else {
                flow.fault(0, error)
            }
        })?;
        if text.len() as u64 > MAX_YAML {
            return Err(Fault::other(0, "this YAML is longer than 64 MiB").hint("export it as JSON"));
        }
        // The text is bounded above, and so is whatever may stand in it. Of the words that YAML 1.1 took for booleans,
        // Kubernetes means two: a queue may be called `y`.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            budget: serde_saphyr::budget! {
                max_documents: MANY,
                max_events: MANY,
                max_nodes: MANY,
            },
        };
        let documents: Vec<Value> =
            serde_saphyr::from_multiple_with_options(&text, options).map_err(|error| {
                let (line, letter) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
                Fault::other(line, "this is no YAML of objects").letter(letter).hint(hint)
            })?;
        let mut objects = Vec::new();
        for document in documents {
            match document {
                Value::Object(mut fields) if fields.get("items").is_some_and(Value::is_array) => {
                    if let Some(Value::Array(items)) = fields.remove("items") {
                        objects.extend(items);
                    }
                }
                Value::Array(items) => objects.extend(items),
                other => objects.push(other),
            }
        }
        Ok(Self::Yaml { objects: objects.into_iter(), number: 0 })
    }

    /// The next object; nothing at the end.
    pub(crate) fn next(&mut self, what: &str) -> Result<Option<Value>, Fault> {
        match self {
            Self::Json(items) => items.next(what),
            Self::Yaml { objects, number } => {
                *number += 1;
                Ok(objects.next())
            }
        }
    }

    /// Whether objects have lines, and no mere numbers.
    pub(crate) fn know_lines(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// Line of the current object; in YAML its number.
    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::Json(items) => items.object_line(),
            Self::Yaml { number, .. } => *number,
        }
    }
}

/// Whether text that begins so is JSON. A mapping whose first key has no quotes is YAML on one line.
fn is_json(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    match text.split_first() {
        Some((b'[', _)) => true,
        Some((b'{', rest)) => matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}')),
        _ => false,
    }
}
