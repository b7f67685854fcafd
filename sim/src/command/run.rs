//! `sim run`: replays a trace under a scenario.

use std::path::{Path, PathBuf};

use super::settings::{given_by_variables, overrides, seed};
use super::{Output, World, warnings};
use crate::checker::Checker;
use crate::cli::{OutputFormat, Quantiles, Run};
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::gate::Gate;
use crate::metrics::{self, population::Trim, shares::Shares};
use crate::observer::Observer;
use crate::progress::{self, Progress};
use crate::record::Record;
use crate::report::{self, files::Folder};
use crate::results::Results;
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::simulate::simulate;
use crate::streamed;
use crate::summary::{RunInfo, Summary};
use crate::timings::Timings;
use crate::trace::{Input, Source, Trace};

/// Replays, measures, prints and writes.
///
/// # Errors
///
/// [`SimError`] if anything named cannot be read, results cannot be written, or an invariant broke.
pub fn run(arguments: &Run, world: &World<'_>) -> Result<Output, SimError> {
    run_for(arguments, world).map(|(_, output)| output)
}

/// The same, with the summary itself.
pub(crate) fn run_for(arguments: &Run, world: &World<'_>) -> Result<(Summary, Output), SimError> {
    check_parquet(arguments)?;
    let gates = arguments.fail_if.iter().map(|text| Gate::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let info = RunInfo {
        argv: without_out(&world.argv),
        variables: given_by_variables(world),
        seed: seed(arguments.seed, world)?,
        trim: trim(arguments.trim.as_deref())?,
    };
    let mut scenario = Scenario::load(
        &arguments.scenario,
        &overrides(&arguments.settings, arguments.policy.as_deref(), world)?,
    )?;
    scenario.policy.spec.seed = info.seed;
    let mut timings = Timings::new(world.clock);
    let folder = match arguments.quantiles {
        Quantiles::Exact => arguments.out.as_deref().map(Folder::of_run).transpose()?,
        Quantiles::Sketch => None,
    };
    if let Some(folder) = &folder {
        folder.spare(&read(&arguments.traces, &arguments.scenario, &scenario)?)?;
    }
    let done = match arguments.quantiles {
        Quantiles::Exact => whole(arguments, world, &scenario, &info, folder.as_ref(), &mut timings)?,
        Quantiles::Sketch => parts(arguments, world, &scenario, &info, &mut timings)?,
    };
    let mut output = conclude(arguments, world, &gates, folder.as_ref(), &done, &timings)?;
    // A trace that is held whole was read to its end before it was replayed.
    output.settled = arguments.quantiles == Quantiles::Exact;
    Ok((done.summary, output))
}

/// Parquet lies beside the CSV files of a folder, and only some builds write it. The parser is not asked, since the command
/// line in a manifest is without its folder.
fn check_parquet(arguments: &Run) -> Result<(), SimError> {
    if arguments.parquet && arguments.out.is_none() {
        let message = "`--parquet` writes beside the CSV files of `--out`, which is not given";
        return Err(SimError::usage_with_hint(message, "add `--out DIR`"));
    }
    if arguments.parquet && !cfg!(feature = "parquet") {
        let hint = "build it with `cargo build --release --bin sim --features parquet`";
        return Err(SimError::usage_with_hint("`--parquet`: this program was built without Parquet", hint));
    }
    Ok(())
}

/// A run that is to be done again from its manifest.
pub(crate) struct Again<'a> {
    results: &'a Results,
    scenario: Scenario,
    info: RunInfo,
    /// Every file that it reads.
    pub(crate) read: Vec<PathBuf>,
    pub(crate) trace: Trace,
    pub(crate) setup: Setup,
}

impl<'a> Again<'a> {
    /// Reads what the manifest names.
    pub(crate) fn new(results: &'a Results, world: &World<'_>) -> Result<Self, SimError> {
        let arguments = results.run()?;
        let then = world.of(results);
        let info = RunInfo {
            argv: then.argv.clone(),
            variables: given_by_variables(&then),
            seed: seed(arguments.seed, &then)?,
            trim: trim(arguments.trim.as_deref())?,
        };
        let overrides = overrides(&arguments.settings, arguments.policy.as_deref(), &then)?;
        let scenario = Scenario::load(&arguments.scenario, &overrides)
            .map_err(|error| results.fault(&arguments, error.into()))?;
        let mut files = read(&arguments.traces, &arguments.scenario, &scenario)?;
        files.push(results.manifest_path());
        let trace = load(&arguments.traces, arguments.strict, &scenario, world)
            .map_err(|error| results.fault(&arguments, error))?;
        let digests = trace.sources.iter().map(|source| (source.path.as_str(), source.digest.as_str()));
        results.check_inputs(digests, &scenario.digest)?;
        let setup = Setup::new(&scenario, &trace)?;
        Ok(Self { results, scenario, info, read: files, trace, setup })
    }

    /// Runs with `observer` watching; the decisions must be those of then.
    pub(crate) fn run<O: Observer>(
        &self,
        world: &World<'_>,
        observer: &mut O,
    ) -> Result<(Record, Summary, Shares), SimError> {
        let mut progress = Progress::new(self.trace.jobs.len(), world.watched, (world.clock)());
        let watching = &mut (progress.as_mut(), observer);
        let record = simulate(&self.setup, &self.trace, watching, world.interrupted)?;
        drop(progress);
        let _stage = world.stage("measuring");
        let (summary, shares) =
            Summary::and_shares(&self.scenario, &self.setup, &self.trace, &record, &self.info);
        if !record.interrupted {
            self.results.check_decisions(&summary.digest)?;
        }
        Ok((record, summary, shares))
    }
}

/// A run that is over. Where jobs were not kept, the trace holds only what they had in common.
struct Done {
    summary: Summary,
    trace: Trace,
    interrupted: bool,
}

/// Replays a trace that is held whole.
fn whole(
    arguments: &Run,
    world: &World<'_>,
    scenario: &Scenario,
    info: &RunInfo,
    folder: Option<&Folder>,
    timings: &mut Timings<'_>,
) -> Result<Done, SimError> {
    let trace = load(&arguments.traces, arguments.strict, scenario, world)?;
    timings.phase("load");
    let setup = Setup::new(scenario, &trace)?;
    let record = replay(arguments, world, &setup, &trace, folder, timings)?;
    timings.phase("simulate");
    let stage = world.stage("measuring");
    let (summary, shares) = Summary::and_shares(scenario, &setup, &trace, &record, info);
    if arguments.check {
        metrics::sums::check(&setup, &trace, &record)?;
    }
    timings.phase("measure");
    if let Some(folder) = folder {
        if let Some(stage) = &stage {
            stage.now("writing");
        }
        folder.results(&setup, &trace, &record, &summary, &shares, arguments.parquet)?;
        timings.phase("write");
    }
    Ok(Done { summary, trace, interrupted: record.interrupted })
}

/// Replays a trace as it comes.
fn parts(
    arguments: &Run,
    world: &World<'_>,
    scenario: &Scenario,
    info: &RunInfo,
    timings: &mut Timings<'_>,
) -> Result<Done, SimError> {
    for (given, option) in [
        (arguments.out.is_some(), "--out"),
        (arguments.check, "--check"),
        (arguments.trim.is_some(), "--trim"),
    ] {
        if given {
            let message = format!("`{option}` needs every job, and `--quantiles sketch` keeps none");
            return Err(SimError::usage_with_hint(message, "leave one of the two out"));
        }
    }
    if scenario.policy.kueue.is_some() {
        let message = "`--quantiles sketch` replays in parts, which policy `kueue` does not do";
        return Err(SimError::usage_with_hint(message, "leave one of the two out"));
    }
    let inputs = inputs(&arguments.traces, scenario)?;
    let options = scenario.trace_options(arguments.strict);
    let mut progress = Progress::new(0, world.watched, (world.clock)());
    let mut watcher = progress.as_mut();
    let rows = streamed::PART;
    let streamed = streamed::run(scenario, &inputs, &options, info, rows, &mut watcher, world.interrupted)?;
    timings.phase("read and simulate");
    Ok(Done { summary: streamed.summary, trace: streamed.trace, interrupted: streamed.interrupted })
}

/// What is said of a run that is over, and how it ends.
fn conclude(
    arguments: &Run,
    world: &World<'_>,
    gates: &[Gate],
    folder: Option<&Folder>,
    done: &Done,
    timings: &Timings<'_>,
) -> Result<Output, SimError> {
    let Done { summary, trace, interrupted } = done;
    let mut output = Output::new(render(summary, arguments.output));
    output.notes.extend(report::text::guesses(&trace.sources));
    if world.verbose {
        output.notes.extend(report::text::provenance(summary));
    }
    output.notes.extend(report::text::repairs(trace).iter().map(|note| format!("repaired: {note}")));
    output.notes.extend(warnings(&summary.warnings, arguments.output));
    if arguments.timings {
        let jobs = usize::try_from(summary.jobs.submitted).unwrap_or(usize::MAX);
        output.notes.push(timings.text(jobs));
        if let Some(folder) = folder {
            folder.text("timings.json", &timings.json(jobs))?;
        }
    }
    let value = report::json::value(summary);
    for gate in gates {
        if let Some(failure) = gate.check(&value)? {
            output.failures.push(failure);
            output.exit = ExitCode::Gate;
        }
    }
    if *interrupted {
        output.exit = ExitCode::Interrupted;
    }
    Ok(output)
}

/// The result on stdout.
#[must_use]
pub fn render(summary: &Summary, format: OutputFormat) -> String {
    match format {
        OutputFormat::Table => report::text::summary(summary),
        OutputFormat::Json => report::json::text(summary),
        OutputFormat::Csv => report::json::flat(summary),
    }
}

pub(crate) fn trim(text: Option<&str>) -> Result<Option<Trim>, SimError> {
    let Some(text) = text else { return Ok(None) };
    let trim = Trim::parse(text).ok_or_else(|| {
        SimError::usage_with_hint(
            format!("`--trim {text}` is no share"),
            "write a percentage below 100, such as `1%`",
        )
    })?;
    Ok(Some(trim))
}

/// The command line without `--out DIR`: where results go does not change them.
pub(crate) fn without_out(argv: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = argv.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--out" {
            arguments.next();
        } else if !argument.starts_with("--out=") {
            kept.push(argument.clone());
        }
    }
    kept
}

/// The traces of the command line, else that of the scenario.
fn inputs(traces: &[String], scenario: &Scenario) -> Result<Vec<Input>, SimError> {
    if !traces.is_empty() {
        return Ok(traces.iter().map(|text| Input::parse(text)).collect());
    }
    let missing = || {
        let message = format!("scenario `{}` names no trace", scenario.path);
        SimError::usage_with_hint(message, "give one with `--trace FILE`, or set `path` in `[trace]`")
    };
    Ok(vec![scenario.trace.clone().ok_or_else(missing)?])
}

/// Every file that a run reads.
pub(crate) fn read(traces: &[String], path: &Path, scenario: &Scenario) -> Result<Vec<PathBuf>, SimError> {
    let traces = inputs(traces, scenario)?.into_iter().map(|input| input.path);
    Ok(traces.chain([path.to_path_buf()]).chain(scenario.gavel_throughputs.clone()).collect())
}

pub(crate) fn load(
    traces: &[String],
    strict: bool,
    scenario: &Scenario,
    world: &World<'_>,
) -> Result<Trace, SimError> {
    let inputs = inputs(traces, scenario)?;
    let mut options = scenario.trace_options(strict);
    options.watch = progress::reading(world.watched);
    let mut trace = Trace::load(&inputs, &options)?;
    if (world.interrupted)() {
        // The end that was met may be that of a pipe that the same interrupt closed.
        return Err(SimError::Interrupted { during: "the trace was read" });
    }
    let lists = !trace.cluster.is_empty();
    let jobless = |source: &Source| !source.format.holds_jobs() || (lists && source.rows == 0);
    if let (true, Some(source)) = (trace.sources.iter().all(jobless), trace.sources.first()) {
        let message =
            format!("`{}` holds no jobs (format {}): there is nothing to replay", source.path, source.format);
        let hint =
            "name the list of jobs that belongs to it; `sim trace convert --scenario` makes pools of it";
        return Err(SimError::usage_with_hint(message, hint));
    }
    if scenario.snapshot.is_some() {
        let warning =
            "`[snapshot]`, `[[running]]` and `[[pending]]` are for `sim decide`: a replay starts empty";
        trace.warnings.push(warning.to_owned());
    }
    trace.select(&scenario.selection).map_err(|team| {
        SimError::usage(format!(
            "scenario `{}`: `[trace] teams` names `{team}`, which the trace does not have",
            scenario.path
        ))
    })?;
    Ok(trace)
}

fn replay(
    arguments: &Run,
    world: &World<'_>,
    setup: &Setup,
    trace: &Trace,
    folder: Option<&Folder>,
    timings: &mut Timings<'_>,
) -> Result<Record, SimError> {
    let mut progress = Progress::new(trace.jobs.len(), world.watched, (world.clock)());
    timings.start_tenths(trace.jobs.len());
    let tenths = arguments.timings.then_some(&mut *timings);
    if !arguments.check && folder.is_none() {
        // The usual case: nothing watches but the clock.
        return simulate(setup, trace, &mut (tenths, progress.as_mut()), world.interrupted);
    }
    let checker = arguments.check.then(|| Checker::new(setup, trace));
    let log = folder.map(|folder| folder.decisions(setup, trace)).transpose()?;
    let mut observers = ((tenths, progress.as_mut()), (checker, log));
    let record = simulate(setup, trace, &mut observers, world.interrupted)?;
    if let (Some(log), Some(folder)) = (observers.1.1, folder) {
        folder.end_decisions(log)?;
    }
    Ok(record)
}
