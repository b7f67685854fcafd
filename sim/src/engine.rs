//! Engine: replays a trace against the scheduler.
//!
//! At every instant: completions, then changes of capacity, then arrivals are told to the scheduler, then it decides
//! once, then its decisions are applied. A job of run time zero ends in a further cycle at the same instant. The
//! engine alone knows true run times. Invariant: an event of an attempt that is over is recognised by the row and
//! the attempt's number. Absent on purpose: measures (see `record` and `metrics`).

mod clock;
mod live;

use std::collections::BTreeMap;

use fairshare::{
    Amount, Decision, EvictReason, JobId, JobSpec, LogDigest, Millis, Rejection, Scheduler, ShapeId,
    Submission, Timestamp,
};

use self::live::{Live, NO_ROW, Shape, plain_run_ms, runs_by};
use crate::error::SimError;
use crate::event::{Completion, EventQueue};
use crate::observer::{Cause, Observer, Transition, What};
use crate::record::{Fate, LostAttempt, Outcome, Place, Record, Rejected};
use crate::saved::{Begin, Saved};
use crate::setup::{Setup, pool_id};
use crate::trace::{Trace, TraceJob};

/// How many cycles pass between two looks at the flag that interrupts.
const CYCLES_PER_LOOK: u32 = 256;

/// One replay of one trace.
///
/// # Examples
///
/// ```
/// use fairshare_sim::{Scenario, Setup, Simulation, trace::Trace};
/// let text = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 4 }\n";
/// let scenario = Scenario::parse("demo", text, &[]).unwrap();
/// let trace = Trace::default();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = Simulation::new(&setup, &trace).unwrap().run(&mut (), &|| false).unwrap();
/// assert!(record.outcomes.is_empty());
/// ```
#[derive(Debug)]
pub struct Simulation<'a> {
    setup: &'a Setup,
    trace: &'a Trace,
    scheduler: Scheduler,
    shapes: Vec<Shape>,
    live: Vec<Live>,
    completions: EventQueue<Completion>,
    decisions: Vec<Decision>,
    next_row: usize,
    /// Number of the first change of capacity that has not happened.
    next_change: usize,
    saved: Saved,
    digest: LogDigest,
    record: Record,
    /// Of a trace that comes in parts: the number of each row among all. Empty for a whole trace.
    numbers: Vec<u32>,
    /// Rows of earlier parts that are over.
    passed: usize,
    /// Since when nothing has run and nothing is to come, but for what time alone may change.
    idle_since: Option<i64>,
}

/// A replay between two parts of its trace.
#[derive(Debug)]
pub(crate) struct Suspended {
    scheduler: Scheduler,
    shapes: Vec<Shape>,
    live: Vec<Live>,
    completions: EventQueue<Completion>,
    decisions: Vec<Decision>,
    next_row: usize,
    next_change: usize,
    saved: Saved,
    digest: LogDigest,
    numbers: Vec<u32>,
    passed: usize,
    /// What became of the rows of the part.
    pub(crate) record: Record,
}

impl Suspended {
    /// Forgets all rows but `kept`, which are numbered anew in this order. Nothing may be left to happen to the others but the ends
    /// of attempts that were lost.
    pub(crate) fn forget_all_but(&mut self, kept: &[u32]) {
        let mut numbers = vec![None; self.record.outcomes.len()];
        for (number, row) in (0_u32..).zip(kept) {
            numbers[*row as usize] = Some(number);
        }
        let renumbered = |row: u32| numbers.get(row as usize).copied().flatten();
        let rows = self.live.iter_mut().map(|live| &mut live.row);
        let rows = rows.chain(self.completions.events_mut().map(|event| &mut event.row));
        rows.for_each(|row| *row = renumbered(*row).unwrap_or(NO_ROW));
        let record = &mut self.record;
        record.rejected.values_mut().for_each(|rejected| rejected.rows.clear());
        record.lost.retain_mut(|lost| {
            let Some(row) = renumbered(lost.row) else { return false };
            lost.row = row;
            lost.cause.by = lost.cause.by.and_then(renumbered);
            true
        });
        self.saved.renumber(renumbered);
        for by_row in [&mut record.reaped, &mut record.restarts, &mut record.moving] {
            renumber(by_row, renumbered);
        }
        renumber(&mut record.evicted, renumbered);
        self.passed += record.outcomes.len() - kept.len();
        self.next_row = kept.len();
        record.outcomes = kept.iter().map(|row| record.outcomes[*row as usize]).collect();
        self.numbers = kept.iter().map(|row| self.numbers[*row as usize]).collect();
    }

    /// How many jobs have come so far.
    pub(crate) fn submitted(&self) -> usize {
        self.passed + self.next_row
    }
}

impl<'a> Simulation<'a> {
    /// A replay that has not begun.
    ///
    /// # Errors
    ///
    /// [`SimError::Refused`] if the scheduler refuses the configuration.
    pub fn new(setup: &'a Setup, trace: &'a Trace) -> Result<Self, SimError> {
        let scheduler = Scheduler::new(setup.config.clone())
            .map_err(|source| SimError::Refused { what: "the scenario".to_owned(), source })?;
        let mut record = Record::default();
        record.outcomes.resize(trace.jobs.len(), Outcome::default());
        Ok(Self {
            setup,
            trace,
            scheduler,
            shapes: vec![Shape::Unseen; trace.shapes.len()],
            live: Vec::new(),
            completions: EventQueue::new(),
            decisions: Vec::new(),
            next_row: 0,
            next_change: 0,
            saved: Saved::default(),
            digest: LogDigest::new(),
            record,
            numbers: Vec::new(),
            passed: 0,
            idle_since: None,
        })
    }

    /// Goes on with a trace that has further rows after those of `suspended`.
    pub(crate) fn resume(setup: &'a Setup, trace: &'a Trace, suspended: Suspended) -> Self {
        let Suspended { scheduler, mut shapes, live, completions, decisions, .. } = suspended;
        let Suspended { next_row, next_change, saved, digest, mut numbers, passed, mut record, .. } =
            suspended;
        shapes.resize(trace.shapes.len(), Shape::Unseen);
        record.outcomes.resize(trace.jobs.len(), Outcome::default());
        number_rows(&mut numbers, passed, trace.jobs.len());
        Self {
            setup,
            trace,
            scheduler,
            shapes,
            live,
            completions,
            decisions,
            next_row,
            next_change,
            saved,
            digest,
            record,
            numbers,
            passed,
            idle_since: None,
        }
    }

    /// Lets the trace go; every row of it has come.
    pub(crate) fn suspend(self) -> Suspended {
        let Self { scheduler, shapes, live, completions, decisions, .. } = self;
        let Self { next_row, next_change, saved, digest, mut numbers, passed, record, .. } = self;
        number_rows(&mut numbers, passed, record.outcomes.len());
        Suspended {
            scheduler,
            shapes,
            live,
            completions,
            decisions,
            next_row,
            next_change,
            saved,
            digest,
            numbers,
            passed,
            record,
        }
    }

    /// Replays everything; ends early, with a record marked as interrupted, once `interrupted` says so.
    ///
    /// # Errors
    ///
    /// [`SimError`] if an observer ends the run, or the scheduler refuses a job.
    pub fn run<O: Observer>(
        mut self,
        observer: &mut O,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Record, SimError> {
        self.run_part(false, observer, interrupted)?;
        self.finish(None);
        Ok(self.record)
    }

    /// The same up to the last arrival, where there are `more` to come; else to the end.
    pub(crate) fn run_part<O: Observer>(
        &mut self,
        more: bool,
        observer: &mut O,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), SimError> {
        let mut cycles = 0_u32;
        while let Some(now) = self.next_instant() {
            if more && self.next_row == self.trace.jobs.len() {
                break;
            }
            if cycles.is_multiple_of(CYCLES_PER_LOOK) && interrupted() {
                self.record.interrupted = true;
                break;
            }
            cycles = cycles.wrapping_add(1);
            self.record.end_ms = now;
            self.apply_completions(now, observer)?;
            let resized = self.apply_capacity(now)?;
            self.apply_arrivals(now, !resized, observer)?;
            self.decide(now, observer)?;
            observer.instant(now, self.passed + self.next_row);
        }
        Ok(())
    }

    /// Whether it stopped because it was asked to.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.record.interrupted
    }

    /// Settles what is open at the end; of what is not kept, the last attempt ended `before`.
    pub(crate) fn finish(&mut self, before: Option<i64>) {
        self.record.close(before);
        self.settle_waits();
        self.record.digest = self.digest.to_string();
    }

    /// The number of a row among those of all parts.
    fn number(&self, row: u32) -> u32 {
        self.numbers.get(row as usize).copied().unwrap_or(row)
    }

    /// Lets nodes come and go, and says whether any did. Who loses them is stopped by the decisions of the same instant,
    /// and holds them for everybody who watches until then.
    fn apply_capacity(&mut self, now: i64) -> Result<bool, SimError> {
        if self.setup.capacities.get(self.next_change).is_none() {
            return Ok(false);
        }
        self.change_capacity(now)
    }

    #[inline(never)]
    fn change_capacity(&mut self, now: i64) -> Result<bool, SimError> {
        let first = self.next_change;
        while let Some(change) = self.setup.capacities.get(self.next_change) {
            if change.at_ms > now {
                break;
            }
            self.next_change += 1;
            let (at, pool) = (Timestamp::from_millis(now), pool_id(change.pool));
            let changed = self.scheduler.set_capacity(at, pool, change.nodes);
            changed
                .map_err(|source| SimError::Refused { what: "a change of capacity".to_owned(), source })?;
        }
        Ok(self.next_change > first)
    }

    fn apply_completions<O: Observer>(&mut self, now: i64, observer: &mut O) -> Result<(), SimError> {
        while let Some((_, Completion { job, row, attempt })) = self.completions.pop_until(now) {
            let Some(outcome) = self.record.outcomes.get_mut(row as usize) else {
                debug_assert_eq!(row, NO_ROW, "only of an attempt that was lost the row may be forgotten");
                continue;
            };
            // Who never was evicted has no attempt but this.
            if outcome.evicted && !self.live[job.slot()].is_at(row, attempt) {
                continue;
            }
            let completed = self.scheduler.complete(Timestamp::from_millis(now), job);
            completed.map_err(|error| refused(self.trace, row, error))?;
            outcome.end_ms = now;
            outcome.fate = Fate::Ended;
            let Place { pool, alternative, .. } = self.record.places.get(outcome.place);
            observer.transition(Transition {
                at: now,
                what: self.record.ending(row),
                row,
                attempt,
                pool,
                alternative,
                cause: None,
            })?;
            observer.event(now, &self.scheduler)?;
        }
        Ok(())
    }

    fn apply_arrivals<O: Observer>(
        &mut self,
        now: i64,
        settled: bool,
        observer: &mut O,
    ) -> Result<(), SimError> {
        while let Some(job) = self.trace.jobs.get(self.next_row).filter(|job| job.submit_ms <= now) {
            let row = u32::try_from(self.next_row).unwrap_or(u32::MAX);
            if self.passed + self.next_row == 0 {
                self.record.begin_ms = job.submit_ms;
            }
            self.next_row += 1;
            if let Some(reason) = self.setup.refuses(job) {
                self.reject(now, row, &reason, String::new(), observer)?;
                continue;
            }
            let shape = match self.shape(job.shape as usize, row)? {
                Ok(shape) => shape,
                Err(reason) => {
                    self.reject(now, row, &reason, String::new(), observer)?;
                    continue;
                }
            };
            let team = self.setup.team_of[job.team as usize];
            let mut spec = JobSpec::new(team, shape, Timestamp::from_millis(job.submit_ms));
            let lengths = self.trace.lengths(job);
            spec.time_limit = lengths.limit_ms().or(self.setup.default_time_limit_ms).map(Millis::new);
            spec.estimate = lengths.estimate_ms().map(Millis::new);
            spec.preemptible = self.trace.shapes[job.shape as usize].preemptible.unwrap_or(true);
            let recovery = self.setup.recovery.of(self.trace, row as usize);
            spec.checkpoint = recovery.checkpoint_ms.map(Millis::new);
            spec.restart = recovery.restart_ms.map(Millis::new);
            let submission = self.scheduler.submit(Timestamp::from_millis(now), spec);
            match submission.map_err(|error| refused(self.trace, row, error))? {
                Submission::Queued(id) => {
                    self.queue(id, row, job);
                    observer.queued(row, id);
                }
                Submission::Rejected(reason) => {
                    let detail = self.detail(&reason);
                    self.reject(now, row, &reason.to_string(), detail, observer)?;
                }
            }
            if settled {
                observer.event(now, &self.scheduler)?;
            }
        }
        Ok(())
    }

    fn queue(&mut self, id: JobId, row: u32, job: &TraceJob) {
        if self.live.len() <= id.slot() {
            self.more_slots(id);
        }
        self.live[id.slot()] = Live { row, attempt: 0 };
        let run_ms = plain_run_ms(job, &self.shapes[job.shape as usize]);
        self.record.outcomes[row as usize] = Outcome::waiting(job.submit_ms, run_ms);
    }

    #[cold]
    fn more_slots(&mut self, id: JobId) {
        self.live.resize(id.slot() + 1, Live::NOBODY);
    }

    #[cold]
    #[inline(never)]
    fn reject<O: Observer>(
        &mut self,
        at: i64,
        row: u32,
        reason: &str,
        detail: String,
        observer: &mut O,
    ) -> Result<(), SimError> {
        self.record.outcomes[row as usize].fate = Fate::Rejected;
        if let Some(rejected) = self.record.rejected.get_mut(reason) {
            rejected.count += 1;
            rejected.rows.push(row);
        } else {
            let first = self.trace.names.get(row as usize).to_string();
            self.record
                .rejected
                .insert(reason.to_owned(), Rejected { count: 1, first, detail, rows: vec![row] });
        }
        observer.rejected(row, reason);
        let what = What::Rejected;
        let transition = Transition { at, what, row, attempt: 0, pool: 0, alternative: 0, cause: None };
        self.tell(transition, observer)
    }

    /// Counts a decision and tells it.
    #[inline]
    fn tell<O: Observer>(&mut self, transition: Transition, observer: &mut O) -> Result<(), SimError> {
        if let Some(entry) = transition.entry(self.number(transition.row)) {
            self.digest.add(&entry);
        }
        observer.transition(transition)
    }

    /// What a job asks and what the closest pool has.
    fn detail(&self, reason: &Rejection) -> String {
        let name_of = |pool: &fairshare::PoolId| &self.setup.config.pools[pool.index()].name;
        let (pool, kind, requested, capacity) = match reason {
            Rejection::TooLarge { pool, kind, requested, capacity, .. } => (pool, kind, requested, capacity),
            Rejection::LargerThanDomain { pool, workers, most } => {
                return format!(", {workers} workers, {most} in a domain of `{}`", name_of(pool));
            }
            _ => return String::new(),
        };
        let (pool, name) = (name_of(pool), self.setup.config.kinds.name(*kind));
        let [requested, capacity] = [requested, capacity].map(|amount| Amount(*kind, *amount));
        format!(", {name} {requested} asked, {capacity} in `{pool}`")
    }

    /// The scheduler's id of a trace shape, interned when the first job of it comes, or why its jobs are rejected.
    #[inline]
    fn shape(&mut self, shape: usize, row: u32) -> Result<Result<ShapeId, String>, SimError> {
        if let Shape::Known(id, _) = &self.shapes[shape] {
            return Ok(Ok(*id));
        }
        self.first_of_shape(shape, row)
    }

    #[cold]
    fn first_of_shape(&mut self, shape: usize, row: u32) -> Result<Result<ShapeId, String>, SimError> {
        if matches!(self.shapes[shape], Shape::Unseen) {
            self.shapes[shape] = match self.setup.shape(&self.trace.shapes[shape]) {
                Err(reason) => Shape::Refused(reason),
                Ok((spec, kept)) => {
                    let id = self.scheduler.intern(&spec).map_err(|error| refused(self.trace, row, error))?;
                    Shape::known(id, kept, &self.trace.shapes[shape])
                }
            };
        }
        match &self.shapes[shape] {
            Shape::Known(id, _) => Ok(Ok(*id)),
            Shape::Refused(reason) => Ok(Err(reason.clone())),
            Shape::Unseen => Ok(Err(String::new())),
        }
    }

    fn decide<O: Observer>(&mut self, now: i64, observer: &mut O) -> Result<(), SimError> {
        let decided = self.scheduler.schedule(Timestamp::from_millis(now));
        let decided = decided.map_err(|source| SimError::Refused { what: "to decide".to_owned(), source })?;
        self.decisions.clear();
        self.decisions.extend_from_slice(decided);
        let mut evictions = 0;
        for index in 0..self.decisions.len() {
            let transition = match self.decisions[index] {
                Decision::Start { job, attempt, pool, alternative } => {
                    self.start(now, job, attempt, pool.index(), alternative as usize)?
                }
                Decision::Evict { job, attempt, reason, by, .. } => {
                    evictions += 1;
                    self.evict(now, job, attempt, (evictions - 1, reason, by))
                }
                _ => continue,
            };
            self.tell(transition, observer)?;
        }
        observer.decided(now, &self.scheduler);
        observer.event(now, &self.scheduler)
    }

    fn start(
        &mut self,
        now: i64,
        id: JobId,
        attempt: u32,
        pool: usize,
        alternative: usize,
    ) -> Result<Transition, SimError> {
        let live = &mut self.live[id.slot()];
        live.attempt = attempt;
        let row = live.row;
        let outcome = &self.record.outcomes[row as usize];
        let waited_ms = now.abs_diff(outcome.waits_since());
        let (alternative, run_ms, speed_milli) =
            runs_by((self.trace, row), outcome, &self.shapes, alternative);
        let divisible = self.setup.config.pools[pool].divisible;
        let nodes = if divisible { 0 } else { self.scheduler.placement(id).count() };
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        let pool = u32::try_from(pool).unwrap_or(u32::MAX);
        let place = Place { pool, alternative, nodes };
        let begin = Begin { now, waited_ms, place, run_ms, speed_milli };
        let at = self.saved.begin((self.setup, self.trace, row), begin, &mut self.record)?;
        self.completions.push(at, Completion { job: id, row, attempt });
        Ok(Transition { at: now, what: What::Started, row, attempt, pool, alternative, cause: None })
    }

    #[inline(never)]
    fn evict(
        &mut self,
        now: i64,
        id: JobId,
        attempt: u32,
        (number, reason, by): (usize, EvictReason, Option<JobId>),
    ) -> Transition {
        let lost = self.scheduler.evictions().get(number).map_or(Millis::ZERO, |known| known.lost);
        let by = by.map(|by| self.live[by.slot()].row);
        let cause = Cause { reason, by, lost_ms: lost.get() };
        let live = &mut self.live[id.slot()];
        live.attempt = 0;
        let row = live.row;
        let when = (now, cause.reason == EvictReason::Round);
        let lost = self.saved.stop((self.setup, self.trace, row), when, &mut self.record, |_| cause);
        let LostAttempt { pool, alternative, .. } = lost;
        let cause = Some(cause);
        Transition { at: now, what: What::Evicted, row, attempt, pool, alternative, cause }
    }

    /// Adds the waiting of jobs that still wait at the end.
    fn settle_waits(&mut self) {
        let end = self.record.end_ms;
        for live in &self.live {
            let Some(outcome) = self.record.outcomes.get(live.row as usize) else { continue };
            if outcome.fate == Fate::Waiting {
                let waited_ms = end.saturating_sub(outcome.waits_since());
                self.record.waited_ms += u128::try_from(waited_ms).unwrap_or(0);
            }
        }
    }
}

/// Gives rows their new numbers, and forgets those that have none.
fn renumber<T>(by_row: &mut BTreeMap<u32, T>, new: impl Fn(u32) -> Option<u32>) {
    let old = std::mem::take(by_row).into_iter();
    by_row.extend(old.filter_map(|(row, what)| Some((new(row)?, what))));
}

/// Numbers the rows that have none yet, up to `rows`, after all that came before.
fn number_rows(numbers: &mut Vec<u32>, passed: usize, rows: usize) {
    let number = |row: usize| u32::try_from(passed + row).unwrap_or(u32::MAX);
    numbers.extend((numbers.len()..rows).map(number));
}

#[cold]
fn refused(trace: &Trace, row: u32, source: fairshare::Error) -> SimError {
    SimError::Refused { what: format!("job `{}`", trace.names.get(row as usize)), source }
}
