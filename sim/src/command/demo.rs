//! `sim demo`: the main job on a built-in scenario and trace, no file needed.

use super::run::render;
use super::settings::{given_by_variables, overrides, seed};
use super::{Output, World, warnings};
use crate::cli::{Demo, OutputFormat};
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::report;
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::simulate::simulate;
use crate::summary::{RunInfo, Summary};
use crate::trace::{Trace, TraceOptions};
use crate::whole;

const SCENARIO: &str = include_str!("../../../traces/demo/scenario.toml");
const TRACE: &[u8] = include_bytes!("../../../traces/demo/trace.csv.gz");

/// Runs the demo and writes its report.
///
/// # Errors
///
/// [`SimError`] if the policy is unknown or the report cannot be written.
pub fn demo(arguments: &Demo, world: &World<'_>) -> Result<Output, SimError> {
    let overrides = overrides(&[], arguments.policy.as_deref(), world)?;
    let mut scenario = Scenario::parse("traces/demo/scenario.toml", SCENARIO, &overrides)?;
    let variables = given_by_variables(world);
    let info =
        RunInfo { argv: world.argv.clone(), variables, seed: seed(None, world)?, ..RunInfo::default() };
    scenario.policy.spec.seed = info.seed;
    let trace = Trace::from_bytes("traces/demo/trace.csv.gz", TRACE, &TraceOptions::default())?;
    let setup = Setup::new(&scenario, &trace)?;
    let record = simulate(&setup, &trace, &mut (), world.interrupted)?;
    let (summary, shares) = Summary::and_shares(&scenario, &setup, &trace, &record, &info);
    let page = report::html::page(&setup, &trace, &record, &summary, &shares);
    whole::write(&arguments.report, |out| std::io::Write::write_all(out, page.as_bytes()))?;
    let mut output = Output::new(render(&summary, arguments.output));
    output.notes.extend(warnings(&summary.warnings, arguments.output));
    let written = format!("wrote `{}`: who holds what, who waits, what it costs", arguments.report.display());
    output.notes.push(written);
    if arguments.output == OutputFormat::Table {
        output
            .notes
            .push("next: `sim demo --policy fifo`, or `sim init > scenario.toml` for your own".to_owned());
    }
    output.settled = true;
    if record.interrupted {
        output.exit = ExitCode::Interrupted;
    }
    Ok(output)
}
