//! A value inside an object of JSON or YAML with the way to it: whatever is there and cannot be read is told, never
//! taken for absent.
//!
//! Absent on purpose: what the values mean, and their place in the file (the reader of the objects knows it).

use serde_json::Value;

use super::kubernetes::quantity_milli;
use super::locate::Way;
use crate::trace::error::quoted;
use crate::trace::time;

/// What stands somewhere in an object and is not what it should be.
#[derive(Debug)]
pub(super) struct Misread {
    /// The way to it.
    pub(super) way: Way,
    pub(super) expected: String,
    pub(super) found: String,
}

/// What an amount looks like, for messages.
pub(super) const QUANTITY: &str = "a quantity like `500m` or `2Gi`";

static ABSENT: Value = Value::Null;

#[derive(Debug, Clone, Copy)]
enum Step<'p, 'v> {
    Root,
    Key(&'p Member<'p, 'v>, &'p str),
    Index(&'p Member<'p, 'v>, usize),
}

/// A value inside an object; null where it is absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'p, 'v> {
    value: &'v Value,
    step: Step<'p, 'v>,
}

impl<'v> Member<'_, 'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Self { value, step: Step::Root }
    }

    /// The value of a key.
    pub(super) fn get<'q>(&'q self, key: &'q str) -> Result<Member<'q, 'v>, Misread> {
        let value = match self.value {
            Value::Null => None,
            Value::Object(map) => map.get(key),
            _ => return Err(self.misread("a mapping")),
        };
        Ok(Member { value: value.unwrap_or(&ABSENT), step: Step::Key(self, key) })
    }

    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn value(&self) -> &'v Value {
        self.value
    }

    pub(super) fn way(&self) -> Way {
        match self.step {
            Step::Root => Way::default(),
            Step::Key(parent, key) => parent.way().key(key),
            Step::Index(parent, index) => parent.way().index(index),
        }
    }

    pub(super) fn misread(&self, expected: impl Into<String>) -> Misread {
        let found = match self.value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => quoted(text.as_bytes()),
            other => quoted(other.to_string().as_bytes()),
        };
        Misread { way: self.way(), expected: expected.into(), found }
    }

    /// A text; empty where it is absent.
    pub(super) fn text(&self) -> Result<&'v str, Misread> {
        match self.value {
            Value::Null => Ok(""),
            Value::String(text) => Ok(text),
            _ => Err(self.misread("a text")),
        }
    }

    /// A text, or a number or truth value that somebody wrote without quotes; empty where it is absent.
    pub(super) fn plain_text(&self) -> Result<String, Misread> {
        match self.value {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(self.value.to_string()),
            _ => Err(self.misread("a text")),
        }
    }

    pub(super) fn flag(&self) -> Result<Option<bool>, Misread> {
        match self.value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.misread("`true` or `false`")),
        }
    }

    /// A whole number that fits its type; `expected` is what it counts.
    pub(super) fn whole<T: TryFrom<i64>>(&self, expected: &str) -> Result<Option<T>, Misread> {
        if self.is_absent() {
            return Ok(None);
        }
        let number = self.value.as_i64().and_then(|number| T::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.misread(expected))
    }

    /// A time, ms.
    pub(super) fn instant(&self) -> Result<Option<i64>, Misread> {
        if self.is_absent() {
            return Ok(None);
        }
        let read = self.value.as_str().and_then(|text| time::timestamp_ms(text.as_bytes()));
        read.map(Some).ok_or_else(|| self.misread("a time like `2026-01-31T12:00:00Z`"))
    }

    /// A quantity of Kubernetes in thousandths.
    pub(super) fn milli(&self) -> Result<i64, Misread> {
        quantity_milli(self.value).ok_or_else(|| self.misread(QUANTITY))
    }

    /// The elements of a list; none where it is absent.
    pub(super) fn elements(&self) -> Result<impl Iterator<Item = Member<'_, 'v>>, Misread> {
        let list: &[Value] = match self.value {
            Value::Null => &[],
            Value::Array(list) => list,
            _ => return Err(self.misread("a list")),
        };
        let element =
            move |(index, value): (usize, &'v Value)| Member { value, step: Step::Index(self, index) };
        Ok(list.iter().enumerate().map(element))
    }

    /// The keys of a mapping with their values; none where it is absent.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = (&'v str, Member<'_, 'v>)>, Misread> {
        let map = match self.value {
            Value::Null => None,
            Value::Object(map) => Some(map),
            _ => return Err(self.misread("a mapping")),
        };
        let entry = move |(key, value): (&'v String, &'v Value)| {
            (key.as_str(), Member { value, step: Step::Key(self, key) })
        };
        Ok(map.into_iter().flatten().map(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told() {
        let object = serde_json::json!({"spec": {"sets": [{}, {"count": "x"}], "labels": {"a/b": 1}}});
        let root = Member::root(&object);
        let spec = root.get("spec").unwrap();
        let sets = spec.get("sets").unwrap();
        let last = sets.elements().unwrap().last().unwrap();
        let misread = last.get("count").unwrap().whole::<i32>("a number of pods").unwrap_err();
        assert_eq!(
            (misread.way.to_string().as_str(), misread.expected.as_str(), misread.found.as_str()),
            ("spec.sets[1].count", "a number of pods", "`x`")
        );
        assert_eq!(last.get("other").unwrap().whole::<i32>("").unwrap(), None);
        assert_eq!(spec.get("labels").unwrap().elements().err().unwrap().way.to_string(), "spec.labels");
        let labels = spec.get("labels").unwrap();
        let (key, label) = labels.entries().unwrap().next().unwrap();
        assert_eq!((key, label.text().unwrap_err().way.to_string()), ("a/b", "spec.labels.a/b".to_owned()));
    }

    #[test]
    fn numbers_are_not_guessed() {
        for value in ["\"4\"", "4.5", "true", "1e30", "2147483648", "[4]", "{}"] {
            let value: Value = serde_json::from_str(value).unwrap();
            assert!(Member::root(&value).whole::<i32>("a number").is_err(), "{value}");
        }
    }
}
