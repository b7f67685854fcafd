//! `sim diff`: what changed between two results folders.

use super::{Output, World};
use crate::cli::{self, OutputFormat};
use crate::diff::Diff;
use crate::error::SimError;
use crate::progress;
use crate::report;
use crate::results::Results;

/// Compares two folders.
///
/// # Errors
///
/// [`SimError`] if either is no folder of results.
pub fn diff(arguments: &cli::results::Diff, world: &World<'_>) -> Result<Output, SimError> {
    let (a, b) = (Results::open(&arguments.a)?, Results::open(&arguments.b)?);
    let diff = Diff::new(&a, &b, &progress::reading(world.watched))?;
    Ok(Output::new(match arguments.output {
        OutputFormat::Table => report::folders::diff(&diff),
        OutputFormat::Json => report::json::pretty(&diff),
        OutputFormat::Csv => report::json::flat(&diff),
    }))
}
