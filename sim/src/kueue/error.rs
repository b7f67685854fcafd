//! What is wrong with Kueue objects: file, object, field, what was expected.
//!
//! Absent on purpose: exit codes.

use std::fmt::Write as _;

use super::field::Object;
use crate::error::SimError;
use crate::trace::{Documents, Fault, FaultKind, Place, TraceError, Way, printable};

/// Why objects cannot be read, or contradict each other.
#[derive(Debug)]
pub struct KueueError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    file: String,
    /// Line and character, as far as they are known.
    place: Place,
    reason: Reason,
    hint: Option<String>,
}

#[derive(Debug)]
enum Reason {
    /// The bytes are no objects.
    Bytes(Box<Fault>),
    /// An object says something that cannot be; the path is empty where the whole object is meant.
    Object { kind: String, name: String, path: String, what: String },
    /// The same of one that is being read.
    Field { kind: String, name: String, way: Way, what: String },
    /// The file as a whole.
    Sentence(String),
}

impl KueueError {
    pub(super) fn at(object: &Object<'_>, way: &Way, what: impl Into<String>) -> Self {
        let (kind, name) = (object.kind.to_owned(), object.name.clone());
        Self::because(object.file, Reason::Field { kind, name, way: way.clone(), what: what.into() })
    }

    /// `path` is empty where the whole object is meant.
    pub(super) fn new(file: &str, kind: &str, name: &str, path: &str, what: impl Into<String>) -> Self {
        let [kind, name, path] = [kind, name, path].map(str::to_owned);
        Self::because(file, Reason::Object { kind, name, path, what: what.into() })
    }

    pub(super) fn bytes(file: &str, fault: Fault) -> Self {
        let hint = fault.hint.clone();
        let error = Self::because(file, Reason::Bytes(Box::new(fault)));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// A sentence about the file as a whole.
    pub(super) fn file(file: &str, sentence: impl Into<String>) -> Self {
        Self::because(file, Reason::Sentence(sentence.into()))
    }

    fn because(file: &str, reason: Reason) -> Self {
        Self(Box::new(Inner { file: file.to_owned(), place: Place::default(), reason, hint: None }))
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Its field is one of the object that was read last.
    #[must_use]
    pub(super) fn located(mut self, documents: &Documents) -> Self {
        if self.0.place.line == 0 {
            self.0.place = match &self.0.reason {
                Reason::Field { way, .. } => documents.locate(way),
                Reason::Object { .. } => documents.locate(&Way::default()),
                Reason::Bytes(_) | Reason::Sentence(_) => return self,
            };
        }
        self
    }

    /// Puts it at a line, by the kind and the name of its object, where it has none.
    #[must_use]
    pub(super) fn near(mut self, line: impl FnOnce(&str, &str) -> Option<u64>) -> Self {
        if let (Reason::Object { kind, name, .. }, 0) = (&self.0.reason, self.0.place.line) {
            self.0.place.line = line(kind, name).unwrap_or(0);
        }
        self
    }
}

impl Inner {
    /// What is wrong, without the file.
    fn what(&self) -> String {
        let (kind, name, path, what) = match &self.reason {
            Reason::Bytes(fault) => return fault.to_string(),
            Reason::Sentence(sentence) => return sentence.clone(),
            Reason::Object { kind, name, path, what } => (kind, name, path.clone(), what),
            Reason::Field { kind, name, way, what } => (kind, name, way.to_string(), what),
        };
        let mut text = String::new();
        if self.place.line > 0 {
            let _ = write!(text, "line {}, ", self.place.line);
        }
        if self.place.line > 0 && self.place.character > 0 {
            let _ = write!(text, "character {}, ", self.place.character);
        }
        text.push_str(&printable(kind));
        // What has no name is told by its place.
        if !name.is_empty() {
            let _ = write!(text, " `{}`", printable(name));
        }
        if !path.is_empty() {
            let _ = write!(text, ", field `{}`", printable(&path));
        }
        let _ = write!(text, ": {what}");
        text
    }
}

impl From<KueueError> for SimError {
    fn from(KueueError(error): KueueError) -> Self {
        let message = format!("failed to read Kueue objects `{}`\n{}", error.file, error.what());
        match error.reason {
            Reason::Bytes(fault) if matches!(fault.kind, FaultKind::Machine(_)) => {
                Self::Trace(TraceError { path: error.file, fault })
            }
            _ => Self::Usage { message, hint: error.hint },
        }
    }
}
