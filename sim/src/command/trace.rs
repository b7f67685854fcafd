//! `sim trace`: statistics, strict reading, conversion, generation and shaping.
//!
//! Large results go straight to `stdout` or to a file that appears under its name only when it is whole.
//! Absent on purpose: what the statistics mean and how jobs are drawn (see `trace`).

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fairshare::ResourceKind;
use flate2::{Compression, GzBuilder};

use super::settings::{self, seed};
use super::{Output, World};
use crate::cli::trace::{Check, Convert, Inspect, InspectFormat, Shape, Synth, TraceCommand};
use crate::error::SimError;
use crate::metrics::ratio;
use crate::metrics::utilization::offered_load;
use crate::progress::{self, Written};
use crate::report::csv::field;
use crate::report::text::guesses;
use crate::rng::Streams;
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::trace::synthetic::{SynthError, SynthSpec, write_csv};
use crate::trace::{
    ConvertError, Demand, Factor, Input, Instant, MAX_TIME_MS, OfferedLoad, Repair, Selection, Source, Trace,
    TraceOptions, Transform, convert, inspect_against, printable,
};
use crate::whole::{self, Target, WholeFile};

/// Runs one of the commands; `stdout` takes the traces that have no file.
///
/// # Errors
///
/// [`SimError`] if an input cannot be used or an output cannot be written.
pub fn trace(command: &TraceCommand, world: &World<'_>, stdout: &mut dyn Write) -> Result<Output, SimError> {
    let watched = world.watched;
    match command {
        TraceCommand::Inspect(arguments) => inspect_trace(arguments, world),
        TraceCommand::Check(arguments) => check_trace(arguments, world),
        TraceCommand::Convert(arguments) => {
            convert_trace(arguments, world, Place { path: arguments.out.as_deref(), stdout, watched })
        }
        TraceCommand::Synth(arguments) => {
            synth(arguments, world, Place { path: arguments.out.as_deref(), stdout, watched })
        }
        TraceCommand::Shape(arguments) => {
            shape(arguments, world, Place { path: arguments.out.as_deref(), stdout, watched })
        }
    }
}

fn inputs(traces: &[String]) -> Vec<Input> {
    traces.iter().map(|text| Input::parse(text)).collect()
}

fn options(strict: bool, watched: bool) -> TraceOptions {
    TraceOptions { strict, watch: progress::reading(watched), ..TraceOptions::default() }
}

/// The same with the import options of a scenario.
fn import(path: Option<&Path>, strict: bool, world: &World<'_>) -> Result<TraceOptions, SimError> {
    let Some(path) = path else { return Ok(options(strict, world.watched)) };
    let scenario = Scenario::load(path, &settings::variables(world)?)?;
    Ok(TraceOptions { watch: progress::reading(world.watched), ..scenario.trace_options(strict) })
}

fn inspect_trace(arguments: &Inspect, world: &World<'_>) -> Result<Output, SimError> {
    let read = |path: &Path| Scenario::load(path, &settings::variables(world)?).map_err(SimError::from);
    let scenario = arguments.scenario.as_deref().map(read).transpose()?;
    let mut options = options(arguments.strict, world.watched);
    if let Some(scenario) = &scenario {
        options = TraceOptions { watch: options.watch, ..scenario.trace_options(arguments.strict) };
    }
    let load = scenario.as_ref().map(|scenario| move |demand: &Demand<'_>| load(scenario, demand));
    let load = load.as_ref().map(|load| load as _);
    let mut inspection = inspect_against(&inputs(&arguments.traces), &options, load)?;
    if scenario.is_some_and(|scenario| scenario.selection != Selection::default()) {
        let warning = "`teams`, `from` and `until` of `[trace]` are not looked at: this is the whole trace";
        inspection.warnings.push(warning.to_owned());
    }
    Ok(Output::new(match arguments.output {
        InspectFormat::Table => inspection.table(),
        InspectFormat::Json => {
            let text = serde_json::to_string_pretty(&inspection);
            text.map_err(|error| SimError::usage(format!("failed to write JSON: {error}")))? + "\n"
        }
        InspectFormat::Csv => {
            let value = serde_json::to_value(&inspection);
            let value = value.map_err(|error| SimError::usage(format!("failed to write CSV: {error}")))?;
            let mut text = "path,value\n".to_owned();
            flatten("", &value, &mut text);
            text
        }
    }))
}

/// Writes every value below a path as a line of CSV.
fn flatten(path: &str, value: &serde_json::Value, text: &mut String) {
    use serde_json::Value;
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(&below(key), value, text)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| flatten(&below(&at.to_string()), value, text));
        }
        plain => {
            let shown = match plain {
                Value::String(shown) => shown.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            field(text, path);
            text.push(',');
            field(text, &shown);
            text.push('\n');
        }
    }
}

/// What is asked for over what the pools have while jobs come: of each pool as a run measures it, and of all together.
fn load(scenario: &Scenario, demand: &Demand<'_>) -> OfferedLoad {
    let jobs = Trace {
        shapes: demand.shapes.to_vec(),
        priorities: demand.priorities.clone(),
        resources: demand.resources.to_vec(),
        sources: demand.sources.to_vec(),
        ..Trace::default()
    };
    let Ok(setup) = Setup::new(scenario, &jobs) else { return OfferedLoad::default() };
    let pools = 0..setup.config.pools.len();
    let all = |work: u128, kind: ResourceKind| {
        ratio(work, pools.clone().map(|pool| setup.available(pool, kind, demand.submissions)).sum())
    };
    let (gpu, cpu) = (all(demand.gpu, ResourceKind::GPU), all(demand.cpu, ResourceKind::CPU));
    let loads = offered_load(&setup, demand.shapes, demand.run_ms, demand.submissions);
    let names = setup.config.pools.iter().map(|pool| pool.name.clone());
    OfferedLoad { gpu, cpu, pools: names.zip(loads).collect() }
}

fn check_trace(arguments: &Check, world: &World<'_>) -> Result<Output, SimError> {
    let options = import(arguments.import.as_deref(), true, world)?;
    let inputs = inputs(&arguments.traces);
    let trace = Trace::load(&inputs, &options)?;
    let mut text = String::new();
    for source in &trace.sources {
        let (path, format) = (&source.path, source.format.name());
        let found =
            if source.repairs.is_empty() { "clean" } else { "nothing left out or sorted in, but assumed" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{path}: {}, {format}, {found}", rows(source.rows));
        for repair in source.repairs.values() {
            let _ = writeln!(text, "  {}", repair.in_words());
        }
    }
    Ok(Output { notes: warnings(&trace.warnings), ..Output::new(text) })
}

fn jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

fn warnings(warnings: &[String]) -> Vec<String> {
    warnings.iter().map(|warning| format!("warning: {warning}")).collect()
}

/// Refuses to write over what a command reads: the traces, and `others`.
fn spare(
    written: &[(&'static str, &Option<PathBuf>)],
    traces: &[String],
    others: impl IntoIterator<Item = PathBuf>,
) -> Result<(), SimError> {
    let traces = inputs(traces).into_iter().map(|input| input.path);
    let read: Vec<PathBuf> = traces.chain(others).collect();
    written.iter().try_for_each(|(option, path)| {
        path.as_deref().map_or(Ok(()), |path| Target::file(option, path).spare(&read))
    })
}

fn convert_trace(arguments: &Convert, world: &World<'_>, place: Place<'_>) -> Result<Output, SimError> {
    let options = import(arguments.import.as_deref(), arguments.strict, world)?;
    let others = arguments.import.iter().chain(&options.gavel_throughputs).cloned();
    let written = [("--out", &arguments.out), ("--scenario", &arguments.scenario)];
    spare(&written, &arguments.traces, others)?;
    let done = write_trace(place, |out| {
        convert(&inputs(&arguments.traces), &options, out).map_err(|error| match error {
            ConvertError::Read(error) => Failure::Input(error.into()),
            ConvertError::Write(error) => Failure::Output(error),
        })
    })?;
    let mut output = Output::new(String::new());
    let Some(mut conversion) = done else { return Ok(output) };
    if let Some(path) = &arguments.scenario {
        let (scenario, lacking) = conversion.cluster.scenario_for(&conversion.asks);
        if scenario.is_empty() {
            let message = "no scenario is written: the trace names no machines and no quotas";
            return Err(SimError::usage_with_hint(message, "`sim init` prints a scenario to begin with"));
        }
        whole::write(path, |out| out.write_all(scenario.as_bytes()))?;
        conversion.warnings.extend(lacking);
    }
    output.notes.extend(guesses(&conversion.sources));
    output.notes.extend(conversion.sources.iter().flat_map(repairs));
    output.notes.extend(warnings(&conversion.warnings));
    output.notes.extend(warnings(&conversion.lost()));
    output.notes.push(format!("{} written", jobs(conversion.jobs)));
    Ok(output)
}

fn repairs(source: &Source) -> Vec<String> {
    let note = |repair: &Repair| format!("repaired: {}: {}", source.path, repair.in_words());
    source.repairs.values().map(note).collect()
}

fn synth(arguments: &Synth, world: &World<'_>, place: Place<'_>) -> Result<Output, SimError> {
    let seed = seed(arguments.seed, world)?;
    let file = arguments.spec.as_ref().filter(|name| SynthSpec::preset(name).is_err());
    spare(&[("--out", &arguments.out)], &arguments.like, file.map(PathBuf::from))?;
    let mut spec = match &arguments.spec {
        Some(name) => described(name)?,
        None => SynthSpec::like(&Trace::load(&inputs(&arguments.like), &options(false, place.watched))?)
            .map_err(|error| refused(&error))?,
    };
    if let Some(jobs) = arguments.jobs {
        spec = spec.with_jobs(jobs);
    }
    if arguments.describe {
        return Ok(Output::new(spec.to_toml().map_err(|error| refused(&error))?));
    }
    let done = write_trace(place, |out| {
        write_csv(&spec, seed, out).map_err(|error| match error {
            SynthError::Write(error) => Failure::Output(error),
            other => Failure::Input(refused(&other)),
        })
    })?;
    let mut output = Output::new(String::new());
    if let Some(written) = done {
        let (rows, digest) = (written.rows, written.text_digest);
        output.notes.push(format!("{} with seed {seed}, sha256 of the text {digest}", jobs(rows)));
    }
    Ok(output)
}

fn shape(arguments: &Shape, world: &World<'_>, place: Place<'_>) -> Result<Output, SimError> {
    let seed = seed(arguments.seed, world)?;
    let mut steps = steps(arguments)?;
    let options = import(arguments.import.as_deref(), arguments.strict, world)?;
    let others = arguments.import.iter().chain(&options.gavel_throughputs).cloned();
    spare(&[("--out", &arguments.out)], &arguments.traces, others)?;
    let mut trace = Trace::load(&inputs(&arguments.traces), &options)?;
    if let Some(window) = window(arguments, &trace)? {
        steps.insert(0, window);
    }
    for step in &steps {
        if let Transform::ScaleTeam(team, _) = step
            && trace.teams.find(team).is_none()
        {
            return Err(SimError::usage(format!("the trace has no team `{team}`")));
        }
    }
    let (before, recorded) = (trace.jobs.len(), trace.recorded.is_some());
    trace.shape(&steps, &Streams::new(seed));
    if let Some(job) = trace.jobs.iter().find(|job| job.submit_ms.unsigned_abs() > MAX_TIME_MS.unsigned_abs())
    {
        let message = format!(
            "a job would be submitted at {} s, after the last time that can be read",
            job.submit_ms / 1000
        );
        return Err(SimError::usage_with_hint(message, "compress less, or cut a window out before"));
    }
    let done = write_trace(place, |out| trace.write_native(out).map_err(Failure::Output))?;
    let mut output = Output::new(String::new());
    if done.is_some() {
        output.notes.extend(guesses(&trace.sources));
        output.notes.extend(trace.sources.iter().flat_map(repairs));
        output.notes.extend(warnings(&trace.warnings));
        if recorded && trace.recorded.is_none() {
            let lost = "recorded starts and ends are not written: they did not happen to jobs that come at other times or \
                        beside others";
            output.notes.push(format!("warning: {lost}"));
        }
        let (before, after) = (jobs(before as u64), jobs(trace.jobs.len() as u64));
        output.notes.push(format!("{before} read, {after} written"));
    }
    Ok(output)
}

/// The window on the clock of the trace.
fn window(arguments: &Shape, trace: &Trace) -> Result<Option<Transform>, SimError> {
    if arguments.from.is_none() && arguments.until.is_none() {
        return Ok(None);
    }
    let read = |option: &str, text: &Option<String>, open: i64| {
        let Some(text) = text else { return Ok(open) };
        let instant = Instant::parse(text).ok_or_else(|| {
            let expected = "expected seconds or a date like `2026-01-31` or `2026-01-31T12:00:00Z`";
            SimError::usage(format!("`{option}`: {expected}, found `{}`", printable(text)))
        })?;
        match (instant, trace.zero()) {
            (Instant::OfMachine(_) | Instant::Date(_), None) => {
                let message = format!(
                    "`{option}`: the trace counts time from a zero of its own, and no file says when that is"
                );
                Err(SimError::usage_with_hint(message, "give seconds on its clock instead of a date"))
            }
            (instant, zero) => {
                let (epoch_ms, offset_s) = zero.unwrap_or_default();
                Ok(instant.on_clock(epoch_ms, offset_s))
            }
        }
    };
    let from_ms = read("--from", &arguments.from, i64::MIN)?;
    let until_ms = read("--until", &arguments.until, i64::MAX)?;
    if from_ms >= until_ms {
        return Err(SimError::usage("`--from` is not before `--until`: nothing would be left"));
    }
    Ok(Some(Transform::Window(from_ms, until_ms)))
}

/// The steps but the window, in the order that the help promises.
fn steps(arguments: &Shape) -> Result<Vec<Transform>, SimError> {
    let factor = |option: &str, text: &str| {
        Factor::parse(text).ok_or_else(|| {
            SimError::usage(format!("`{option}`: expected a number from 0 to 1000, found `{text}`"))
        })
    };
    let mut steps = Vec::new();
    if let Some(text) = &arguments.thin {
        let part = Factor::parse(text).filter(|part| Some(*part) <= Factor::parse("1")).ok_or_else(|| {
            SimError::usage(format!("`--thin`: expected a probability from 0 to 1, found `{text}`"))
        });
        steps.push(Transform::Thin(part?));
    }
    for text in &arguments.scale_team {
        let Some((team, text)) = text.rsplit_once('=') else {
            return Err(SimError::usage(format!("`--scale-team`: expected `TEAM=FACTOR`, found `{text}`")));
        };
        steps.push(Transform::ScaleTeam(team.to_owned(), factor("--scale-team", text)?));
    }
    if let Some(count) = arguments.clone {
        steps.push(Transform::Clone(count));
    }
    if let Some(text) = &arguments.compress {
        steps.push(Transform::Compress(factor("--compress", text)?));
    }
    Ok(steps)
}

/// A preset, or else the description in the file of this name; `-` is standard input.
fn described(name: &str) -> Result<SynthSpec, SimError> {
    if let Ok(preset) = SynthSpec::preset(name) {
        return Ok(preset);
    }
    let text =
        if name == "-" { io::read_to_string(io::stdin().lock()) } else { std::fs::read_to_string(name) };
    let text = text.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let message = format!("`{name}` is no preset, and there is no such file");
            SimError::usage_with_hint(
                message,
                "the preset is `demo`; another description is named by its file",
            )
        }
        io::ErrorKind::IsADirectory => {
            let message = format!("failed to read `{name}`\nthis is a folder, not a file");
            SimError::usage_with_hint(message, "name the preset `demo`, or the file of a description")
        }
        io::ErrorKind::InvalidData => {
            SimError::usage(format!("failed to read `{name}`\nit is no UTF-8 text"))
        }
        io::ErrorKind::PermissionDenied => {
            SimError::usage(format!("failed to read `{name}`\npermission to read it is denied"))
        }
        _ => SimError::Read { path: name.to_owned(), source: error },
    })?;
    SynthSpec::from_toml(&text)
        .map_err(|error| SimError::usage(format!("failed to read `{name}`\n{}", causes(&error))))
}

fn refused(error: &SynthError) -> SimError {
    SimError::usage(causes(error))
}

/// The message and its causes, outermost first, one a line.
fn causes(error: &SynthError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push('\n');
        text.push_str(inner.to_string().trim_end());
        cause = inner.source();
    }
    text
}

/// Why a trace was not written.
enum Failure {
    Input(SimError),
    Output(io::Error),
}

/// Where a trace goes.
struct Place<'a> {
    /// A file, packed if its name says so; absent: `stdout`.
    path: Option<&'a Path>,
    stdout: &'a mut dyn Write,
    /// Somebody watches, and is shown how far a file is.
    watched: bool,
}

/// Lets `write` fill the place. Nothing comes back where the reader of `stdout` went away, which is no failure.
fn write_trace<T>(
    place: Place<'_>,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<Option<T>, SimError> {
    let Place { path, stdout, watched } = place;
    let Some(path) = path else {
        return match write(stdout) {
            Ok(done) => Ok(Some(done)),
            Err(Failure::Input(error)) => Err(error),
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
            Err(Failure::Output(error)) => Err(SimError::write(Path::new("standard output"), error)),
        };
    };
    let packing = Packing::of(path)?;
    let write = |out: &mut dyn Write| write(&mut Written::new(out, watched));
    let done = fill(path, packing, write);
    done.map(Some).map_err(|failure| match failure {
        Failure::Input(error) => error,
        Failure::Output(error) => SimError::write(path, error),
    })
}

/// How a file is packed, by its name.
#[derive(Debug, Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(path: &Path) -> Result<Self, SimError> {
        let ending = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        Ok(match ending {
            "gz" => Self::Gzip,
            "zst" => Self::Zstd,
            // A file is what its name says.
            "parquet" | "bz2" | "xz" | "zip" | "lz4" | "br" => {
                let message = format!("`{}`: traces are not written as `.{ending}`", path.display());
                let hint = "they are CSV, plain, or packed where the name ends in `.gz` or `.zst`";
                return Err(SimError::usage_with_hint(message, hint));
            }
            _ => Self::Plain,
        })
    }
}

/// Gzip carries neither a time nor a name, so that equal text gives equal bytes.
fn fill<T>(
    path: &Path,
    packing: Packing,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut file = WholeFile::create(path).map_err(Failure::Output)?;
    let done = match packing {
        Packing::Plain => write(&mut file)?,
        Packing::Gzip => {
            let mut encoder = GzBuilder::new().mtime(0).write(&mut file, Compression::best());
            let done = write(&mut encoder)?;
            encoder.finish().map_err(Failure::Output)?;
            done
        }
        Packing::Zstd => {
            let encoder = zstd::Encoder::new(&mut file, zstd::DEFAULT_COMPRESSION_LEVEL);
            let mut encoder = encoder.map_err(Failure::Output)?;
            let done = write(&mut encoder)?;
            encoder.finish().map_err(Failure::Output)?;
            done
        }
    };
    file.finish().map_err(Failure::Output)?;
    Ok(done)
}
