//! What is wrong with Kueue objects: file, object, field, what was expected.
//!
//! Absent on purpose: exit codes.

use std::fmt::Write as _;

use super::field::Object;
use crate::error::SimError;
use crate::trace::{Fault, FaultKind, TraceError, printable};

/// Why objects cannot be read, or contradict each other.
#[derive(Debug)]
pub struct KueueError {
    file: String,
    reason: Reason,
    hint: Option<String>,
}

#[derive(Debug)]
enum Reason {
    /// The bytes are no objects.
    Bytes(Box<Fault>),
    /// An object says something that cannot be.
    Object(String),
}

impl KueueError {
    pub(super) fn at(object: &Object<'_>, path: &str, what: impl Into<String>) -> Self {
        Self::new(object.file, object.kind, &object.name, path, what)
    }

    /// `path` is empty where the whole object is meant.
    pub(super) fn new(file: &str, kind: &str, name: &str, path: &str, what: impl Into<String>) -> Self {
        let mut text = format!("{kind} `{}`", printable(name));
        if !path.is_empty() {
            let _ = write!(text, ", field `{}`", printable(path));
        }
        let _ = write!(text, ": {}", what.into());
        Self { file: file.to_owned(), reason: Reason::Object(text), hint: None }
    }

    pub(super) fn bytes(file: &str, fault: Fault) -> Self {
        let hint = fault.hint.clone();
        Self { file: file.to_owned(), reason: Reason::Bytes(Box::new(fault)), hint }
    }

    /// A sentence about the file as a whole.
    pub(super) fn file(file: &str, sentence: impl Into<String>) -> Self {
        Self { file: file.to_owned(), reason: Reason::Object(sentence.into()), hint: None }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<KueueError> for SimError {
    fn from(error: KueueError) -> Self {
        let head = format!("failed to read Kueue objects `{}`", error.file);
        match error.reason {
            Reason::Bytes(fault) if matches!(fault.kind, FaultKind::Machine(_)) => {
                Self::Trace(TraceError { path: error.file, fault })
            }
            Reason::Bytes(fault) => Self::Usage { message: format!("{head}\n{fault}"), hint: error.hint },
            Reason::Object(what) => Self::Usage { message: format!("{head}\n{what}"), hint: error.hint },
        }
    }
}
