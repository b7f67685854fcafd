//! A place inside an object: its value, its path, and the faults that are told with both.
//!
//! Absent on purpose: what the fields mean.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::error::KueueError;
use super::quantity::Quantity;
use crate::trace::{printable, quoted, timestamp_ms};

/// What an amount looks like, for messages.
pub(super) const QUANTITY: &str = "a quantity like `500m` or `2Gi`";

/// An object of a file, by kind and name.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) file: &'a str,
    pub(super) kind: &'a str,
    /// With its namespace, where it has one.
    pub(super) name: String,
    /// Fields that nobody knows, by kind and path without positions: noted once.
    pub(super) unknown: &'a RefCell<BTreeSet<String>>,
}

/// A value inside an object; null where it is absent.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    object: &'a Object<'a>,
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn root(object: &'a Object<'a>, value: &'a Value) -> Self {
        Self { object, path: String::new(), value }
    }

    pub(super) fn get(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { object: self.object, path, value: &self.value[key] }
    }

    /// The first of several names that is there: versions name some fields differently.
    pub(super) fn either(&self, keys: [&str; 2]) -> Self {
        let first = self.get(keys[0]);
        if first.is_absent() && !self.value[keys[1]].is_null() { self.get(keys[1]) } else { first }
    }

    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn object(&self) -> &'a Object<'a> {
        self.object
    }

    /// Notes every key that is not among these.
    pub(super) fn known(&self, keys: &[&str]) {
        for key in self.value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !keys.contains(&key.as_str()) {
                self.get(key).ignored();
            }
        }
    }

    /// Notes that what stands here is not looked at.
    pub(super) fn ignored(&self) {
        let mut plain = String::new();
        let mut inside = false;
        for letter in self.path.chars() {
            inside |= letter == '[';
            if !inside {
                plain.push(letter);
            }
            inside &= letter != ']';
        }
        let note = format!("{} {}", self.object.kind, printable(&plain));
        self.object.unknown.borrow_mut().insert(note);
    }

    /// The fault that something else was expected here.
    pub(super) fn fault(&self, expected: impl Into<String>) -> KueueError {
        let found = match self.value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => quoted(text.as_bytes()),
            other => quoted(other.to_string().as_bytes()),
        };
        self.sentence(format!("expected {}, found {found}", expected.into()))
    }

    /// A fault in other words.
    pub(super) fn sentence(&self, what: impl Into<String>) -> KueueError {
        KueueError::at(self.object, &self.path, what)
    }

    /// A fault in other words, of a place below.
    pub(super) fn sentence_at(&self, path: &str, what: impl Into<String>) -> KueueError {
        KueueError::at(self.object, path, what)
    }

    /// A text, or a number as it is written.
    pub(super) fn plain_text(&self) -> Result<Option<String>, KueueError> {
        match self.value {
            Value::Number(number) => Ok(Some(number.to_string())),
            _ => Ok(self.text()?.map(str::to_owned)),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, KueueError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) => Ok(list
                .iter()
                .enumerate()
                .map(|(index, value)| Self { path: format!("{}[{index}]", self.path), value, ..self.clone() })
                .collect()),
            _ => Err(self.fault("a list")),
        }
    }

    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, KueueError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(map) => Ok(map.iter().map(|(key, _)| (key.as_str(), self.get(key))).collect()),
            _ => Err(self.fault("a mapping")),
        }
    }

    pub(super) fn text(&self) -> Result<Option<&'a str>, KueueError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.fault("a text")),
        }
    }

    /// A text that names something; an empty one is as good as none.
    pub(super) fn name(&self) -> Result<Option<String>, KueueError> {
        Ok(self.text()?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    pub(super) fn required_name(&self) -> Result<String, KueueError> {
        self.name()?.ok_or_else(|| self.fault("a name"))
    }

    pub(super) fn flag(&self) -> Result<Option<bool>, KueueError> {
        match self.value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.fault("`true` or `false`")),
        }
    }

    pub(super) fn integer<T: TryFrom<i64>>(&self, expected: &str) -> Result<Option<T>, KueueError> {
        if self.is_absent() {
            return Ok(None);
        }
        let value = self.value.as_i64().and_then(|value| T::try_from(value).ok());
        value.map(Some).ok_or_else(|| self.fault(expected))
    }

    /// A quantity that is not negative.
    pub(super) fn quantity(&self) -> Result<Option<Quantity>, KueueError> {
        let read = match self.value {
            Value::Null => return Ok(None),
            Value::String(text) => Quantity::parse(text),
            Value::Number(number) => Quantity::parse(&number.to_string()),
            _ => None,
        };
        let quantity = read.ok_or_else(|| self.fault(QUANTITY))?;
        if quantity.is_negative() {
            return Err(self.fault("a quantity that is not negative"));
        }
        Ok(Some(quantity))
    }

    /// A time in milliseconds since 1970.
    pub(super) fn time(&self) -> Result<Option<i64>, KueueError> {
        let Some(text) = self.text()? else { return Ok(None) };
        let read = timestamp_ms(text.as_bytes());
        read.map(Some).ok_or_else(|| self.fault("a time like `2026-01-31T12:00:00Z`"))
    }

    /// One of several words; the default where it is absent.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)], default: T) -> Result<T, KueueError> {
        let Some(text) = self.text()? else { return Ok(default) };
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.fault(format!("one of {}", names.join(", ")))
        })
    }
}
