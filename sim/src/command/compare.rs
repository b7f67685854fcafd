//! `sim compare`: the same trace under several policies.

use super::run::{load, read, trim, without_out};
use super::settings::{given_by_variables, overrides, seed};
use super::{Output, World, warnings};
use crate::cli::{Compare, OutputFormat};
use crate::compare::{Comparison, Contender, RECORDED, Replica, Runs, on_replica};
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::progress::Shared;
use crate::record::Record;
use crate::report::{self, files::Folder};
use crate::scenario::Scenario;
use crate::summary::{RunInfo, Summary};
use crate::trace::Trace;

/// More replicas than this say nothing that fewer do not.
const REPLICAS_MAX: u64 = 10_000;

/// Runs every policy on as many cores as there are, and compares.
///
/// # Errors
///
/// [`SimError`] if anything named cannot be read or an invariant broke.
pub fn compare(arguments: &Compare, world: &World<'_>) -> Result<Output, SimError> {
    if let [only] = arguments.policies.as_slice() {
        let message = format!("`--policy {only}` alone is compared with nothing");
        return Err(SimError::usage_with_hint(message, "name at least two policies"));
    }
    let baseline = baseline(arguments)?;
    let info = RunInfo {
        argv: without_out(&world.argv),
        variables: given_by_variables(world),
        seed: seed(arguments.seed, world)?,
        trim: trim(arguments.trim.as_deref())?,
    };
    if arguments.replicas > REPLICAS_MAX {
        let message = format!("`--replicas {}` is more than {REPLICAS_MAX}", arguments.replicas);
        return Err(SimError::usage_with_hint(message, "an interval needs about twenty"));
    }
    let scenario = |policy: &String| {
        let policy = Some(policy.as_str()).filter(|policy| *policy != RECORDED);
        let settings = overrides(&arguments.settings, policy, world)?;
        let mut scenario = Scenario::load(&arguments.scenario, &settings)?;
        scenario.policy.spec.seed = info.seed;
        Ok::<_, SimError>(scenario)
    };
    let scenarios = arguments.policies.iter().map(scenario).collect::<Result<Vec<_>, _>>()?;
    let files = read(&arguments.traces, &arguments.scenario, &scenarios[0])?;
    // What a policy sets lies in `[policy]`, so all scenarios ask for the same trace.
    let trace = load(&arguments.traces, arguments.strict, &scenarios[0], world)?;
    let contender =
        |(scenario, policy): (Scenario, &String)| Contender::new(scenario, &trace, policy == RECORDED);
    let contenders = scenarios.into_iter().zip(&arguments.policies).map(contender);
    let contenders = contenders.collect::<Result<Vec<_>, _>>()?;
    // A folder that cannot be made is said before anything is run.
    let folder = arguments.out.as_deref().map(Folder::of_comparison).transpose()?;
    if let Some(folder) = &folder {
        folder.spare(&files)?;
    }
    let (comparison, runs) = run_all(&contenders, &trace, &info, (baseline, arguments.replicas), world)?;
    if let Some(folder) = folder {
        let _stage = world.stage("writing");
        folder.comparison(&comparison, &report::versus::page(&comparison, &runs))?;
    }
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::comparison::text(&comparison),
        OutputFormat::Json => report::json::pretty(&comparison),
        OutputFormat::Csv => report::json::flat(&comparison),
    });
    output.notes.extend(report::text::guesses(&trace.sources));
    output.notes.extend(report::text::repairs(&trace).iter().map(|note| format!("repaired: {note}")));
    output.notes.extend(warnings(&comparison.warnings, arguments.output));
    output.settled = true;
    if comparison.incomplete {
        output
            .notes
            .push("interrupted: what is here is partial, and its intervals are of fewer replicas".to_owned());
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

/// Every policy on the trace, then all of them on each replica.
fn run_all<'a>(
    contenders: &'a [Contender],
    trace: &'a Trace,
    info: &RunInfo,
    (baseline, replicas): (usize, u64),
    world: &World<'_>,
) -> Result<(Comparison, Runs<'a>), SimError> {
    let jobs = (trace.jobs.len() as u64).saturating_mul(contenders.len() as u64).saturating_mul(replicas + 1);
    let progress = Shared::new(jobs, world.watched, (world.clock)());
    let interrupted = world.interrupted;
    let whole: Vec<&Contender> = contenders.iter().collect();
    let done = in_order(whole, |contender| contender.run(trace, info, &mut progress.part(), &interrupted))?;
    let (mut runs, mut cautions): (Vec<(Summary, Record)>, Vec<String>) = (Vec::new(), Vec::new());
    for (summary, record, more) in done {
        runs.push((summary, record));
        cautions.extend(more);
    }
    let numbers: Vec<u64> = (1..=replicas).collect();
    let drawn: Vec<Option<Replica>> = in_order(numbers, |number| {
        if interrupted() {
            return Ok(None);
        }
        let given = (info.seed, info.trim);
        on_replica(contenders, trace, (number, baseline), given, progress.part(), &interrupted)
    })?;
    drop(progress);
    let _stage = world.stage("comparing");
    let complete = drawn.iter().all(Option::is_some);
    let drawn: Vec<Replica> = drawn.into_iter().flatten().collect();
    let team_of = contenders.first().map_or(&[][..], Contender::team_of);
    let runs = Runs { trace, team_of, trim: info.trim, runs, baseline };
    let mut comparison = Comparison::new(&runs, &drawn, cautions);
    comparison.incomplete |= !complete;
    Ok((comparison, runs))
}

/// The results in the order of what they are of, whatever order they finish in, on as many cores as there are.
fn in_order<T: Send, R: Send>(
    tasks: Vec<T>,
    one: impl Fn(T) -> Result<R, SimError> + Sync,
) -> Result<Vec<R>, SimError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let queue = std::sync::Mutex::new(tasks.into_iter().enumerate());
    let work = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
            let Some((index, task)) = next else { return done };
            done.push((index, one(task)));
        }
    };
    let mut results: Vec<(usize, Result<R, SimError>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
