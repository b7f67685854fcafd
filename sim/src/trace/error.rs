//! What can go wrong while a trace is read, said with file, place, what was expected and what stood there.
//!
//! Absent on purpose: exit codes as numbers (the binary maps [`TraceError::is_machine`]).

use std::fmt;
use std::io;

use super::format::Place;

/// A trace could not be read. The [source](std::error::Error::source) says where and why.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {}", if path.is_empty() { "the traces".to_owned() } else { format!("trace `{path}`") })]
pub struct TraceError {
    /// The path as given; `-` is standard input. Empty where it is one of several files.
    pub path: String,
    /// Where and why.
    #[source]
    pub fault: Box<Fault>,
}

impl TraceError {
    pub(crate) fn new(path: impl Into<String>, fault: Fault) -> Self {
        Self { path: path.into(), fault: Box::new(fault) }
    }

    /// Whether the machine failed (disk, device) rather than the file being unreadable as a trace.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        matches!(self.fault.kind, FaultKind::Machine(_))
    }

    /// What to do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.fault.hint.as_deref()
    }

    /// The whole message: the causes, outermost first, one per line, then the hint.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = format!("{self}\n{}", self.fault);
        if let Some(hint) = self.hint() {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text
    }
}

/// One fault in one file: the place, the reason, perhaps a hint.
#[derive(Debug)]
pub struct Fault {
    /// Line of the record's first byte, from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Where in text that is no table, as far as that is known.
    pub inside: Option<Box<Inside>>,
    /// The column by name, or a field by number and meaning; empty where the whole line is meant.
    pub column: String,
    /// What is wrong.
    pub kind: FaultKind,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place in text that is no table.
#[derive(Debug, Default)]
pub struct Inside {
    /// Which letter of the line, from 1; 0 where that is not known.
    pub letter: u64,
    /// The kind and the name of the object that is meant; empty where the format has none.
    pub object: String,
}

/// What is wrong at a place.
#[derive(Debug)]
pub enum FaultKind {
    /// The file cannot be opened, or is a folder.
    Open(io::Error),
    /// The machine failed while reading.
    Machine(io::Error),
    /// A field or a line is not what the format says.
    Unreadable {
        /// What stands there in a readable file.
        expected: String,
        /// What stands there instead.
        found: String,
    },
    /// Anything else, as one sentence.
    Other(String),
}

impl Fault {
    /// A field or line that cannot be read.
    pub(crate) fn unreadable(line: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(line, FaultKind::Unreadable { expected: expected.into(), found: found.into() })
    }

    /// A sentence about the line, or about the file at line 0.
    pub(crate) fn other(line: u64, sentence: impl Into<String>) -> Self {
        Self::new(line, FaultKind::Other(sentence.into()))
    }

    pub(crate) fn open(error: io::Error) -> Self {
        Self::new(0, FaultKind::Open(error))
    }

    pub(crate) fn new(line: u64, kind: FaultKind) -> Self {
        Self { line, inside: None, column: String::new(), kind, hint: None }
    }

    #[must_use]
    pub(crate) fn letter(mut self, letter: u64) -> Self {
        self.inside.get_or_insert_default().letter = letter;
        self
    }

    /// It is in an object, whose field the column is.
    #[must_use]
    pub(crate) fn of(mut self, object: String) -> Self {
        self.inside.get_or_insert_default().object = object;
        self
    }

    #[must_use]
    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.column = column.into();
        self
    }

    /// Puts the fault at a character of a line.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.line = place.line;
        self.letter(place.character)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(printable(&hint.into()));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, object) =
            self.inside.as_ref().map_or((0, ""), |inside| (inside.letter, inside.object.as_str()));
        let field = if object.is_empty() { "column" } else { "field" };
        let parts = [
            (self.line > 0).then(|| format!("line {}", self.line)),
            (self.line > 0 && letter > 0).then(|| format!("character {letter}")),
            (!object.is_empty()).then(|| object.to_owned()),
            (!self.column.is_empty()).then(|| format!("{field} `{}`", self.column)),
        ];
        let place: Vec<String> = parts.into_iter().flatten().collect();
        let place = if place.is_empty() { String::new() } else { place.join(", ") + ": " };
        let what = match &self.kind {
            FaultKind::Open(error) => open_reason(error),
            FaultKind::Machine(error) => format!("reading stopped: {}", plain_reason(error)),
            FaultKind::Unreadable { expected, found } => format!("expected {expected}, found {found}"),
            FaultKind::Other(sentence) => sentence.clone(),
        };
        // Names of columns, keys and objects come from the file.
        f.write_str(&printable(&(place + &what)))
    }
}

impl std::error::Error for Fault {}

fn open_reason(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "permission to read it is denied",
        io::ErrorKind::IsADirectory => "this is a folder, not a file",
        _ => return format!("it cannot be opened: {}", plain_reason(error)),
    };
    known.to_owned()
}

/// The operating system's words without the error number that the standard library appends.
fn plain_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// A name as people see it: control characters are escaped, so that no trace can steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, letter| {
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
        shown
    })
}

/// Shows bytes from a file in a message: printable, cut at 40 characters, in backticks.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let shown = match std::str::from_utf8(bytes) {
        Ok(text) => printable(text),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    if shown.chars().count() > 40 {
        format!("`{}…`", shown.chars().take(39).collect::<String>())
    } else {
        format!("`{shown}`")
    }
}
