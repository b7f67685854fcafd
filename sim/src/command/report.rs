//! `sim report`: the report of a results folder, once more.

use super::run::Again;
use super::{Output, World};
use crate::cli::results::Report;
use crate::error::SimError;
use crate::report;
use crate::results::Results;
use crate::whole::{self, Target};

/// Runs again what the folder's manifest says and writes the report.
///
/// # Errors
///
/// [`SimError`] if the folder is none of results, an input has changed, or the report cannot be written.
pub fn report(arguments: &Report, world: &World<'_>) -> Result<Output, SimError> {
    let results = Results::open(&arguments.folder)?;
    let again = Again::new(&results, world)?;
    let path = arguments.report.clone().unwrap_or_else(|| arguments.folder.join("report.html"));
    let target = match &arguments.report {
        Some(path) => Target::file("--report", path),
        None => Target { by: "sim report", named: &arguments.folder, path: &path },
    };
    target.spare(&again.read)?;
    let (record, summary, shares) = again.run(world, &mut ())?;
    if record.interrupted {
        // The report that is there may be whole.
        return Err(SimError::Interrupted { during: "the run was done again" });
    }
    let _stage = world.stage("writing");
    let page = report::html::page(&again.setup, &again.trace, &record, &summary, &shares);
    whole::write(&path, |out| std::io::Write::write_all(out, page.as_bytes()))?;
    let mut output = Output::new(String::new());
    output.notes.push(format!("wrote `{}`", path.display()));
    output.settled = true;
    Ok(output)
}
