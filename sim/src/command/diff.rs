//! `sim diff`: what changed between two results folders.

use super::Output;
use crate::cli::{self, OutputFormat};
use crate::diff::Diff;
use crate::error::SimError;
use crate::report;
use crate::results::Results;

/// Compares two folders.
///
/// # Errors
///
/// [`SimError`] if either is no folder of results.
pub fn diff(arguments: &cli::results::Diff) -> Result<Output, SimError> {
    let diff = Diff::new(&Results::open(&arguments.a)?, &Results::open(&arguments.b)?)?;
    Ok(Output::new(match arguments.output {
        OutputFormat::Table => report::folders::diff(&diff),
        OutputFormat::Json => report::json::pretty(&diff),
        OutputFormat::Csv => report::json::flat(&diff),
    }))
}
