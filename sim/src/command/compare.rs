//! `sim compare`: the same trace under several policies.

use super::run::{load, trim, without_out};
use super::settings::{overrides, seed};
use super::{Output, World};
use crate::cli::{Compare, OutputFormat};
use crate::compare::Comparison;
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::record::Record;
use crate::report;
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::simulate::simulate;
use crate::summary::{RunInfo, Summary};
use crate::trace::Trace;

/// Runs every policy on as many cores as there are, and compares.
///
/// # Errors
///
/// [`SimError`] if anything named cannot be read or an invariant broke.
pub fn compare(arguments: &Compare, world: &World<'_>) -> Result<Output, SimError> {
    let baseline = baseline(arguments)?;
    let info = RunInfo {
        argv: without_out(&world.argv),
        seed: seed(arguments.seed, world)?,
        trim: trim(arguments.trim.as_deref())?,
    };
    let scenario = |policy: &String| {
        let settings = overrides(&arguments.settings, Some(policy), world)?;
        let mut scenario = Scenario::load(&arguments.scenario, &settings)?;
        scenario.policy.spec.seed = info.seed;
        Ok::<_, SimError>(scenario)
    };
    let scenarios = arguments.policies.iter().map(scenario).collect::<Result<Vec<_>, _>>()?;
    // What a policy sets lies in `[policy]`, so all scenarios ask for the same trace.
    let trace = load(&arguments.traces, arguments.strict, &scenarios[0], world)?;
    let runs = run_all(&scenarios, &trace, &info, world)?;
    let comparison = Comparison::new(&trace, &runs, baseline);
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::text::comparison(&comparison),
        OutputFormat::Json => report::json::pretty(&comparison),
        OutputFormat::Csv => report::json::flat(&comparison),
    });
    output.notes.extend(report::text::guesses(&trace.sources));
    output.notes.extend(report::text::repairs(&trace).iter().map(|note| format!("repaired: {note}")));
    output.notes.extend(comparison.warnings.iter().map(|warning| format!("warning: {warning}")));
    if runs.iter().any(|(_, record)| record.interrupted) {
        output.exit = ExitCode::Interrupted;
    }
    Ok(output)
}

/// Which of the policies the others are compared with.
fn baseline(arguments: &Compare) -> Result<usize, SimError> {
    let Some(name) = &arguments.baseline else { return Ok(0) };
    arguments.policies.iter().position(|policy| policy == name).ok_or_else(|| {
        let hint = "name it as it stands after one `--policy`";
        SimError::usage_with_hint(format!("`--baseline {name}` is none of the policies"), hint)
    })
}

/// The runs in the order of the scenarios, whatever order they finish in.
fn run_all(
    scenarios: &[Scenario],
    trace: &Trace,
    info: &RunInfo,
    world: &World<'_>,
) -> Result<Vec<(Summary, Record)>, SimError> {
    let interrupted = world.interrupted;
    let one = |scenario: &Scenario| {
        let setup = Setup::new(scenario, trace)?;
        let record = simulate(&setup, trace, &mut (), &interrupted)?;
        Ok((Summary::new(scenario, &setup, trace, &record, info), record))
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut runs = Vec::with_capacity(scenarios.len());
    for group in scenarios.chunks(cores) {
        let results: Vec<Result<(Summary, Record), SimError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = group.iter().map(|scenario| scope.spawn(|| one(scenario))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        for result in results {
            runs.push(result?);
        }
    }
    Ok(runs)
}
