//! `sim explain`: the life of one job of a run.

use super::run::Again;
use super::{Output, World};
use crate::cli::OutputFormat;
use crate::cli::results::Explain;
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::life::{Life, Watch};
use crate::report;
use crate::results::Results;

/// Runs again and tells what the job did, and what stopped it when it waited.
///
/// # Errors
///
/// [`SimError`] if the folder is none of results, an input has changed, or no job has the name.
pub fn explain(arguments: &Explain, world: &World<'_>) -> Result<Output, SimError> {
    let results = Results::open(&arguments.folder)?;
    let again = Again::new(&results, world)?;
    let trace = &again.trace;
    let named = (0_u32..).zip(&trace.jobs).map(|(row, _)| row);
    let mut named = named.filter(|row| trace.names.get(*row as usize).to_string() == arguments.job);
    let row = named.next().ok_or_else(|| {
        let message = format!("no job of `{}` is named `{}`", arguments.folder.display(), arguments.job);
        SimError::usage_with_hint(message, "names stand in the first column of `jobs.csv`")
    })?;
    let mut watch = Watch::new(&again.setup, trace, row);
    let (record, summary, _) = again.run(world, &mut watch)?;
    let _stage = world.stage("telling");
    let life = Life::new(&again.setup, trace, &record, row, &summary.policy, watch.intervals());
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::folders::life(&life),
        OutputFormat::Json => report::json::pretty(&life),
        OutputFormat::Csv => report::json::flat(&life),
    });
    output.settled = true;
    if record.interrupted {
        output.notes.push("interrupted: the life of the job is told as far as the run came".to_owned());
        output.exit = ExitCode::Interrupted;
    }
    Ok(output)
}
