//! A place inside an object: its value, its path, and the faults that are told with both.
//!
//! Absent on purpose: what the fields mean.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::error::KueueError;
use super::quantity::{Quantity, written};
use crate::trace::{Way, quoted, timestamp_ms};

/// What an amount looks like, for messages.
pub(super) const QUANTITY: &str = "a quantity like `500m` or `2Gi`";

/// How many pods there are, for messages.
pub(super) const PODS: &str = "a number of pods";

/// What holds keys, for messages.
pub(super) const MAPPING: &str = "a mapping";

/// An object of a file, by kind and name.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) file: &'a str,
    pub(super) kind: &'a str,
    /// With its namespace, where it has one.
    pub(super) name: String,
    /// What is noted of it.
    pub(super) noted: &'a RefCell<Noted>,
}

/// Fields that decide nothing here, by kind and path without positions: each is told once. As they stand in the file.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Nobody knows them.
    pub(super) unknown: BTreeSet<String>,
    /// Kueue looks at them.
    pub(super) unheeded: BTreeSet<String>,
    /// What is allowed here and would not be in a cluster, in sentences.
    pub(super) odd: BTreeSet<String>,
}

/// A value inside an object; null where it is absent.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    object: &'a Object<'a>,
    way: Way,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn root(object: &'a Object<'a>, value: &'a Value) -> Self {
        Self { object, way: Way::default(), value }
    }

    pub(super) fn get(&self, key: &str) -> Self {
        Self { object: self.object, way: self.way.clone().key(key), value: &self.value[key] }
    }

    /// Whether a key is written, be it without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The name in a field that versions call differently.
    pub(super) fn name_in_either(&self, keys: [&str; 2]) -> Result<Option<String>, KueueError> {
        let other = self.get(keys[1]);
        match (self.get(keys[0]).name()?, other.name()?) {
            (Some(name), Some(another)) if name != another => {
                Err(other.fault(format!("{}, as `{}` says, or nothing", quoted(name.as_bytes()), keys[0])))
            }
            (first, second) => Ok(first.or(second)),
        }
    }

    /// The way to it.
    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn object(&self) -> &'a Object<'a> {
        self.object
    }

    /// Notes every key that is not among these.
    pub(super) fn known(&self, keys: &[&str]) -> Result<(), KueueError> {
        for (key, field) in self.entries()? {
            if !keys.contains(&key) {
                field.ignored();
            }
        }
        Ok(())
    }

    /// Notes that nobody knows what stands here.
    pub(super) fn ignored(&self) {
        let note = self.plain_path();
        self.object.noted.borrow_mut().unknown.insert(note);
    }

    /// Notes that Kueue would look at what stands here, if anything does.
    pub(super) fn unheeded(&self) {
        let is_empty = match self.value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !is_empty {
            let note = self.plain_path();
            self.object.noted.borrow_mut().unheeded.insert(note);
        }
    }

    /// Notes that what stands here could not stand in a cluster.
    pub(super) fn odd(&self, what: &str) {
        let object = self.object;
        let place = format!("{} `{}`, field `{}`", object.kind, object.name, self.way);
        object.noted.borrow_mut().odd.insert(format!("{place}: {what}"));
    }

    /// The kind and the path without positions.
    fn plain_path(&self) -> String {
        format!("{} {}", self.object.kind, self.way.keys())
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
        KueueError::at(self.object, &self.way, what)
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
                .map(|(index, value)| Self { way: self.way.clone().index(index), value, ..self.clone() })
                .collect()),
            _ => Err(self.fault("a list")),
        }
    }

    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, KueueError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(map) => Ok(map.iter().map(|(key, _)| (key.as_str(), self.get(key))).collect()),
            _ => Err(self.fault(MAPPING)),
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

    /// So much of a resource, in the units of [`Quantity::amount`].
    pub(super) fn amount(&self, resource: &str) -> Result<Option<i64>, KueueError> {
        Ok(self.quantity()?.map(|quantity| self.counted(resource, quantity.units(resource))))
    }

    /// An amount as Kueue counts it, in 63 bits: all that is more counts as that, and is told.
    pub(super) fn counted(&self, resource: &str, units: i128) -> i64 {
        i64::try_from(units).unwrap_or_else(|_| {
            let most = written(resource, i64::MAX);
            self.odd(&format!("more {resource} than Kueue counts, taken as {most}"));
            i64::MAX
        })
    }

    /// A number of equal pods.
    pub(super) fn pods(&self) -> Result<Option<u32>, KueueError> {
        let count: Option<i32> = self.integer(PODS)?;
        count.map(|count| u32::try_from(count).map_err(|_| self.fault(PODS))).transpose()
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
