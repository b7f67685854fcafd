//! Errors of the simulator: one type per reason to end, each with its exit code and, where one helps, a hint.
//!
//! Absent on purpose: the errors of traces and scenarios themselves; they stand next to the code that raises them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::exit_code::ExitCode;
use crate::scenario::ScenarioError;
use crate::trace::TraceError;

/// Why a command ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The scenario cannot be read, or contradicts itself.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The command line asks for something that is not there.
    #[error("{message}")]
    Usage {
        /// What is wrong, without a final dot.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The scheduler refuses the configuration or the jobs.
    #[error("the scheduler refuses {what}: {source}")]
    Refused {
        /// What it was given.
        what: String,
        /// Why it refuses.
        source: fairshare::Error,
    },
    /// The machine failed while a file was read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// What the machine says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write `{path}`")]
    Write {
        /// The file.
        path: String,
        /// What the machine says.
        source: io::Error,
    },
    /// It was stopped from outside before there was a result.
    #[error("interrupted while {during}: there is no result")]
    Interrupted {
        /// What was being done.
        during: &'static str,
    },
    /// An invariant broke: a bug of this program.
    #[error("an invariant broke at {at_s} s: {what}")]
    Bug {
        /// Simulated time, seconds.
        at_s: String,
        /// The difference, in words.
        what: String,
    },
}

impl SimError {
    /// A wrong command line, without a hint.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// A wrong command line, and what to do about it.
    #[must_use]
    pub fn usage_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.display().to_string(), source }
    }

    /// The code that the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Scenario(error) if error.is_machine() => ExitCode::Machine,
            Self::Trace(error) if error.is_machine() => ExitCode::Machine,
            Self::Scenario(_) | Self::Trace(_) | Self::Usage { .. } | Self::Refused { .. } => ExitCode::Usage,
            Self::Read { .. } | Self::Write { .. } => ExitCode::Machine,
            Self::Bug { .. } => ExitCode::Bug,
            Self::Interrupted { .. } => ExitCode::Interrupted,
        }
    }

    /// The whole message: causes outermost first, then the hint. Colours as ANSI codes where the scenario is quoted.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Scenario(error) => error.render(),
            Self::Trace(error) => format!("error: {}", error.message()),
            Self::Usage { message, hint: Some(hint) } => format!("error: {message}\nhint: {hint}"),
            Self::Read { source, .. } | Self::Write { source, .. } => {
                format!("error: {self}\n{}", plain_reason(source))
            }
            Self::Bug { .. } => {
                let mut text = format!("error: {self}");
                let _ = write!(
                    text,
                    "\nhint: this is a bug of `sim`, not of the input; please report the command line"
                );
                text
            }
            Self::Interrupted { .. } => self.to_string(),
            Self::Usage { .. } | Self::Refused { .. } => format!("error: {self}"),
        }
    }
}

/// The operating system's words without the error number that the standard library appends.
pub(crate) fn plain_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
