//! `sim decide`: one cycle on a cluster as it stands.
//!
//! One file that is a scenario with `[[running]]` and `[[pending]]`.

use std::io::Read as _;
use std::path::Path;

use super::run::overrides;
use super::{Output, World};
use crate::cli::{self, OutputFormat};
use crate::decide::{Decided, of_scenario};
use crate::error::SimError;
use crate::report;
use crate::scenario::{Scenario, ScenarioError};

/// Decides once and prints what became of every waiting job.
///
/// # Errors
///
/// [`SimError`] if a file cannot be read, or the snapshot contradicts itself.
pub fn decide(arguments: &cli::Decide, world: &World<'_>) -> Result<Output, SimError> {
    let decided = scenario(arguments, world)?;
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::decision::text(&decided),
        OutputFormat::Json => report::json::pretty(&decided),
        OutputFormat::Csv => report::json::flat(&decided),
    });
    output.notes.extend(decided.warnings.iter().map(|warning| format!("warning: {warning}")));
    Ok(output)
}

/// A scenario of our own.
fn scenario(arguments: &cli::Decide, world: &World<'_>) -> Result<Decided, SimError> {
    let [path] = &arguments.files[..] else {
        let message = format!("{} files are given, and a scenario is one", arguments.files.len());
        return Err(SimError::usage_with_hint(message, "name jobs to add with `--add FILE`"));
    };
    let overrides = overrides(&arguments.settings, arguments.policy.as_deref(), world)?;
    let mut scenario = Scenario::load(path, &overrides)?;
    for path in &arguments.add {
        let name = path.display().to_string();
        let text = read(path).map_err(|error| ScenarioError::open(&name, error))?;
        scenario.add_pending(&name, &text)?;
    }
    of_scenario(&scenario)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.read_to_string(&mut text)?;
    }
    Ok(text)
}
