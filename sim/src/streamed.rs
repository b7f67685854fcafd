//! Streamed: a replay that keeps only the jobs that wait or run, for more jobs than memory holds.
//!
//! The trace comes in parts. After each, the jobs that are over are tallied and forgotten, and the others are numbered
//! anew; what is decided is the same as with the whole trace. Teams are fixed when a run begins: files are read once
//! before for their names, and a pipe has to name them in its first part or in the scenario. Absent on purpose: formulas
//! (see `tally` and `metrics`).

use std::collections::BTreeMap;
use std::path::Path;

use fairshare::{Backfill, JobId, ResourceKind};

use crate::engine::{Simulation, Suspended};
use crate::error::SimError;
use crate::metrics::queue::Deepest;
use crate::metrics::{Demands, caution};
use crate::observer::{Cause, Observer, Transition, What};
use crate::record::{Fate, LostAttempt, Record};
use crate::scenario::Scenario;
use crate::setup::{Known, Setup};
use crate::summary::{RunInfo, Summary};
use crate::tally::Tally;
use crate::trace::{Input, Selection, Stream, Trace, TraceOptions, reorder};

/// Rows of a part in ordinary runs.
pub const PART: usize = 1 << 16;

/// What a streamed replay leaves.
#[derive(Debug)]
pub struct Streamed {
    /// All measures that need no single job.
    pub summary: Summary,
    /// What the jobs of the trace had in common; none of them is in it.
    pub trace: Trace,
    /// The run was interrupted: what is here is partial.
    pub interrupted: bool,
}

/// Replays a trace as it is read, in parts of at least `rows` rows.
///
/// A part has as many rows as are still alive, if those are more, so that numbering them anew costs each new row but a
/// share.
///
/// # Errors
///
/// [`SimError`] as for a whole trace, and where rows are out of order across parts, a pipe names a team after its first
/// part, or the scenario asks for a part of the trace.
pub fn run<O: Observer>(
    scenario: &Scenario,
    inputs: &[Input],
    options: &TraceOptions,
    info: &RunInfo,
    rows: usize,
    observer: &mut O,
    interrupted: &dyn Fn() -> bool,
) -> Result<Streamed, SimError> {
    if scenario.selection != Selection::default() {
        let message = "`--quantiles sketch` replays whole traces, and `[trace]` asks for a part of one";
        let hint = "write the part to a file of its own with `sim trace shape`";
        return Err(SimError::usage_with_hint(message, hint));
    }
    let survey = survey(inputs, options)?;
    let mut stream = Stream::open(inputs, options)?;
    let mut trace = Trace::default();
    let mut more = stream.append(&mut trace, rows)?;
    let mut known = Known::of(&trace);
    let mut setup = match &survey {
        Some((names, known)) => Setup::of_known(scenario, names, *known)?,
        None => Setup::of_known(scenario, &trace, known)?,
    };
    let begun_with = known;
    let mut tally = Tally::default();
    let mut suspended: Option<Suspended> = None;
    let mut deepest = Deepest::default();
    let record = loop {
        setup.grow(scenario, &trace)?;
        let mut simulation = match suspended.take() {
            Some(suspended) => Simulation::resume(&setup, &trace, suspended),
            None => Simulation::new(&setup, &trace)?,
        };
        let mut depth = Depth { deepest: &mut deepest, demands: Demands::new(&setup, &trace), trace: &trace };
        simulation.run_part(more, &mut (&mut depth, &mut *observer), interrupted)?;
        let last = !more || simulation.is_interrupted();
        if last {
            simulation.finish(tally.last_end_ms());
        }
        let mut state = simulation.suspend();
        if last {
            if state.record.outcomes.iter().any(|outcome| outcome.fate == Fate::Running) {
                deepest.ends();
                deepest.instant(state.record.end_ms);
            }
            tally.add(&setup, &trace, &state.record);
            break state.record;
        }
        forget(&mut trace, &mut state, &mut tally, &setup);
        if u32::try_from(state.submitted()).is_err() {
            return Err(SimError::usage("the trace has more than four billion jobs"));
        }
        let alive = trace.jobs.len();
        more = stream.append(&mut trace, rows.max(alive))?;
        let part = Known::of_rows(&trace, alive);
        limits_are_known(scenario, &setup, part)?;
        known = known.and(part);
        suspended = Some(state);
    };
    if survey.is_none() {
        setup.learned(begun_with, known);
    }
    clear(&mut trace);
    stream.finish(&mut trace);
    setup.warn_of_late(scenario, &trace);
    if known.after > 0 {
        trace.warnings.push(caution::OF_LINKS.to_owned());
    }
    let Record { rejected, end_ms, interrupted, digest, .. } = record;
    let record = Record { rejected, end_ms, interrupted, digest, ..Record::default() };
    let summary = tally.summary(scenario, &setup, &trace, &record, &deepest, info);
    Ok(Streamed { summary, trace, interrupted })
}

/// Watches how many jobs of a part wait, and how many GPUs they ask in their first way.
struct Depth<'a> {
    deepest: &'a mut Deepest,
    demands: Demands,
    trace: &'a Trace,
}

impl Depth<'_> {
    fn asked(&self, row: u32) -> u64 {
        self.demands.of(self.trace, row as usize, 0)[ResourceKind::GPU].get()
    }
}

impl Observer for Depth<'_> {
    #[inline]
    fn queued(&mut self, row: u32, _job: JobId) {
        self.deepest.enters(self.asked(row));
    }

    #[inline]
    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        match transition.what {
            What::Started => self.deepest.leaves(self.asked(transition.row)),
            What::Evicted => {
                self.deepest.ends();
                self.deepest.enters(self.asked(transition.row));
            }
            What::Ended | What::Reaped => self.deepest.ends(),
            What::Rejected => {}
        }
        Ok(())
    }

    #[inline]
    fn instant(&mut self, at: i64, _submitted: usize) {
        self.deepest.instant(at);
    }
}

/// The names in all files and what their jobs say; nothing where something cannot be read twice.
fn survey(inputs: &[Input], options: &TraceOptions) -> Result<Option<(Trace, Known)>, SimError> {
    if !inputs.iter().all(|input| Path::new(&input.path).is_file()) {
        return Ok(None);
    }
    let mut stream = Stream::open(inputs, options)?;
    let (mut trace, mut known) = (Trace::default(), Known::default());
    loop {
        let more = stream.append(&mut trace, PART)?;
        known = known.and(Known::of(&trace));
        clear(&mut trace);
        if !more {
            return Ok(Some((trace, known)));
        }
    }
}

/// Leaves what jobs have in common.
fn clear(trace: &mut Trace) {
    trace.jobs.clear();
    trace.lengths.clear();
    trace.names = trace.names.kept(&[]);
    trace.extras = crate::trace::Extras::default();
}

/// A reservation needs to know how long every job may run, also one that comes late.
fn limits_are_known(scenario: &Scenario, setup: &Setup, part: Known) -> Result<(), SimError> {
    let backfill = setup.config.policy.backfill;
    let reserves = !matches!(backfill, Backfill::None | Backfill::BestEffort);
    if part.bare == 0 || !reserves || scenario.policy.default_time_limit_ms.is_some() {
        return Ok(());
    }
    let name = backfill.as_str();
    let message = format!(
        "backfill `{name}` needs to know how long jobs may run, and some jobs of the pipe do not say"
    );
    let hint = "set `default_time_limit` in `[policy]`, or `backfill = \"best-effort\"`";
    Err(SimError::usage_with_hint(message, hint))
}

/// Tallies the jobs that are over and numbers the others anew.
fn forget(trace: &mut Trace, state: &mut Suspended, tally: &mut Tally, setup: &Setup) {
    let record = &state.record;
    let count = u32::try_from(record.outcomes.len()).unwrap_or(u32::MAX);
    let is_over = |row: &u32| matches!(record.outcomes[*row as usize].fate, Fate::Ended | Fate::Rejected);
    let (over, alive): (Vec<u32>, Vec<u32>) = (0..count).partition(is_over);
    let new = |row: &u32| u32::try_from(over.binary_search(row).ok()?).ok();
    let place = |lost: &LostAttempt| {
        let row = new(&lost.row)?;
        // Nobody asks whom it was for, and that job may be gone.
        let cause = Cause { by: None, ..lost.cause };
        Some(LostAttempt { row, cause, ..*lost })
    };
    let renumbered =
        |by_row: &BTreeMap<u32, u64>| by_row.iter().filter_map(|(row, ms)| Some((new(row)?, *ms))).collect();
    let finished = Record {
        outcomes: over.iter().map(|row| record.outcomes[*row as usize]).collect(),
        places: record.places.clone(),
        evicted: record.evicted.iter().filter_map(|(row, evicted)| Some((new(row)?, *evicted))).collect(),
        lost: record.lost.iter().filter_map(place).collect(),
        reaped: renumbered(&record.reaped),
        restarts: renumbered(&record.restarts),
        moving: renumbered(&record.moving),
        end_ms: record.end_ms,
        ..Record::default()
    };
    // The trace holds the jobs that are over alone while they are counted, then the others.
    let all = trace.jobs.clone();
    trace.jobs = over.iter().map(|row| all[*row as usize]).collect();
    tally.add(setup, trace, &finished);
    trace.jobs = all;
    // Names of jobs that are gone would stay in a mere reordering.
    let names = trace.names.kept(&alive);
    reorder(trace, &alive);
    trace.names = names;
    state.forget_all_but(&alive);
}
