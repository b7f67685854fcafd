//! Faults of a scenario: each with the place, what was expected, and a suggestion where one is near.
//!
//! Absent on purpose: what is a fault (see `read`).

use std::fmt::Write as _;
use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// At most so many faults are shown at once.
const SHOWN: usize = 12;

/// A text that settings come from: the file, or one override.
#[derive(Debug, Clone)]
pub(super) struct SourceText {
    /// What to call it: the path, `--set`, `--policy` or the name of a variable.
    pub(super) name: String,
    pub(super) text: String,
}

/// A place in one of the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) span: Range<usize>,
}

impl Place {
    /// What stands there.
    pub(super) fn text<'a>(&self, sources: &'a [SourceText]) -> &'a str {
        let source = sources.get(self.source);
        source.and_then(|source| source.text.get(self.span.clone())).unwrap_or_default()
    }

    /// File, line and column, both from 1.
    pub(super) fn shown(&self, sources: &[SourceText]) -> String {
        let Some(source) = sources.get(self.source) else { return String::new() };
        let before = source.text.get(..self.span.start).unwrap_or(&source.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let (number, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
        format!("{}:{number}:{column}", source.name)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    title: String,
    label: String,
    place: Place,
    hint: Option<String>,
}

impl Fault {
    pub(super) fn new(place: &Place, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { title: title.into(), label: label.into(), place: place.clone(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// A scenario could not be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to read scenario `{name}`")]
pub struct ScenarioError {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The file cannot be opened or read.
    Open(io::Error),
    /// What it says makes no sense.
    Faults { sources: Vec<SourceText>, faults: Vec<Fault> },
}

impl ScenarioError {
    pub(crate) fn open(name: impl Into<String>, error: io::Error) -> Self {
        Self { name: name.into(), kind: Kind::Open(error) }
    }

    pub(super) fn faults(sources: Vec<SourceText>, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.place.source, fault.place.span.start));
        let name = sources.first().map_or(String::new(), |source| source.name.clone());
        Self { name, kind: Kind::Faults { sources, faults } }
    }

    /// Whether the machine failed rather than the file being no scenario.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        let Kind::Open(error) = &self.kind else { return false };
        !matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
        )
    }

    /// The whole message, with ANSI colours: every fault with its line and a caret.
    #[must_use]
    pub fn render(&self) -> String {
        match &self.kind {
            Kind::Open(error) => format!("error: {self}\n{}", open_reason(error)),
            Kind::Faults { sources, faults } => {
                let groups: Vec<Group<'_>> =
                    faults.iter().take(SHOWN).map(|fault| group(fault, sources)).collect();
                let mut text = groups
                    .into_iter()
                    .map(|group| Renderer::styled().render(&[group]))
                    .collect::<Vec<_>>()
                    .join("\n\n");
                if faults.len() > SHOWN {
                    let _ = write!(text, "\n\nand {} more", faults.len() - SHOWN);
                }
                text
            }
        }
    }
}

fn group<'a>(fault: &'a Fault, sources: &'a [SourceText]) -> Group<'a> {
    let source = &sources[fault.place.source];
    let end = fault.place.span.end.min(source.text.len());
    let span = fault.place.span.start.min(end)..end;
    let annotation = AnnotationKind::Primary.span(span).label(fault.label.as_str());
    let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation);
    let group = Level::ERROR.primary_title(fault.title.as_str()).element(snippet);
    match &fault.hint {
        Some(hint) => group.element(Level::HELP.with_name("hint").message(hint.as_str())),
        None => group,
    }
}

fn open_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "permission to read it is denied",
        io::ErrorKind::IsADirectory => "this is a folder, not a file",
        io::ErrorKind::InvalidData => "it is not valid UTF-8",
        _ => "it cannot be read",
    }
}
