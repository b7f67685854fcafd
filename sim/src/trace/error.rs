//! What can go wrong while a trace is read, said with file, place, what was expected and what stood there.
//!
//! Absent on purpose: exit codes as numbers (the binary maps [`TraceError::is_machine`]).

use std::fmt;
use std::io;

use super::format::Place;

/// A trace could not be read. The [source](std::error::Error::source) says where and why.
#[derive(Debug, thiserror::Error)]
#[error("failed to read trace `{path}`")]
pub struct TraceError {
    /// The path as given; `-` is standard input.
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
    /// The column by name, or a field by number and meaning; empty where the whole line is meant.
    pub column: String,
    /// Where in the line it stands, in characters from 1; 0 where that says no more than the column.
    pub character: u64,
    /// What is wrong.
    pub kind: FaultKind,
    /// What to do about it.
    pub hint: Option<String>,
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
        let kind = FaultKind::Unreadable { expected: expected.into(), found: found.into() };
        Self { line, column: String::new(), character: 0, kind, hint: None }
    }

    /// A sentence about the line, or about the file at line 0.
    pub(crate) fn other(line: u64, sentence: impl Into<String>) -> Self {
        let kind = FaultKind::Other(sentence.into());
        Self { line, column: String::new(), character: 0, kind, hint: None }
    }

    pub(crate) fn open(error: io::Error) -> Self {
        Self { kind: FaultKind::Open(error), ..Self::other(0, "") }
    }

    #[must_use]
    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.column = column.into();
        self
    }

    /// Puts the fault at a character of a line.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        (self.line, self.character) = (place.line, place.character);
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column.as_str(), self.character) {
            (0, "", _) => {}
            (0, column, _) => write!(f, "column `{column}`: ")?,
            (line, "", 0) => write!(f, "line {line}: ")?,
            (line, "", character) => write!(f, "line {line}, column `character {character}`: ")?,
            (line, column, 0) => write!(f, "line {line}, column `{column}`: ")?,
            (line, column, character) => {
                write!(f, "line {line}, column `{column}` (character {character}): ")?;
            }
        }
        match &self.kind {
            FaultKind::Open(error) => f.write_str(open_reason(error)),
            FaultKind::Machine(error) => write!(f, "reading stopped: {}", plain_reason(error)),
            FaultKind::Unreadable { expected, found } => write!(f, "expected {expected}, found {found}"),
            FaultKind::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for Fault {}

fn open_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "permission to read it is denied",
        io::ErrorKind::IsADirectory => "this is a folder, not a file",
        _ => "it cannot be opened",
    }
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
