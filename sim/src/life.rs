//! Life: what one job did and what stopped it, interval by interval.
//!
//! An observer that asks the scheduler after every cycle of decisions why the job waits. Cycles in a row that name the
//! same kinds of reasons in the same pools are one interval, told in the words of its first cycle. Starts of other jobs
//! meanwhile are counted by team: they are what the room went to. Absent on purpose: formatting (see `report`).

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use fairshare::{Blocked, JobId, JobState, Scheduler};
use serde::Serialize;

use crate::error::SimError;
use crate::observer::{Observer, Transition, What};
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::Trace;

/// One interval of a job's life.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// From, seconds on the trace's clock.
    pub from_s: f64,
    /// To; null where it has no end in the run.
    pub to_s: Option<f64>,
    /// `waits`, `runs`, `rejected`.
    pub state: &'static str,
    /// The attempt, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The pool, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What stopped it, where it waits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Jobs of each team that started meanwhile, most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others_started: Vec<Started>,
    /// How it ended, where it ran: `ended`, or the rule by which it was stopped and for whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// Starts of one team.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Started {
    /// The team.
    pub team: String,
    /// How many of its jobs.
    pub jobs: u64,
}

/// A job's life (schema `sim.explanation/1`).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Life {
    schema: &'static str,
    /// The policy.
    pub policy: String,
    /// The job.
    pub job: String,
    /// Its team.
    pub team: String,
    /// What became of it.
    pub status: &'static str,
    /// When it came, seconds on the trace's clock.
    pub submit_s: f64,
    /// All that it waited, seconds.
    pub wait_s: f64,
    /// From its submission on.
    pub intervals: Vec<Interval>,
}

impl Life {
    /// The life of the job of `row`.
    ///
    /// # Panics
    ///
    /// Only on a bug: a row that the trace does not have.
    #[must_use]
    pub fn new(
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        row: u32,
        policy: &str,
        intervals: Vec<Interval>,
    ) -> Self {
        let index = row as usize;
        let team = setup.team_of[trace.jobs[index].team as usize].index();
        Self {
            schema: "sim.explanation/1",
            policy: policy.to_owned(),
            job: trace.names.get(index).to_string(),
            team: setup.config.teams[team].name.clone(),
            status: record.status(trace, index),
            submit_s: seconds(trace.jobs[index].submit_ms),
            wait_s: crate::summary::seconds(record.outcomes[index].wait_ms),
            intervals,
        }
    }
}

/// What makes two cycles tell the same.
type Kind = Vec<(Discriminant<Blocked>, Option<usize>)>;

/// Watches one job.
#[derive(Debug)]
pub struct Watch<'a> {
    setup: &'a Setup,
    trace: &'a Trace,
    row: u32,
    job: Option<JobId>,
    /// Rows of all jobs that are alive, by slot: names for reasons.
    rows: Vec<u32>,
    waiting: bool,
    kind: Kind,
    started: BTreeMap<u32, u64>,
    intervals: Vec<Interval>,
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people, from exact ms")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

impl<'a> Watch<'a> {
    /// Watches the job of `row`.
    #[must_use]
    pub fn new(setup: &'a Setup, trace: &'a Trace, row: u32) -> Self {
        Self {
            setup,
            trace,
            row,
            job: None,
            rows: Vec::new(),
            waiting: false,
            kind: Kind::new(),
            started: BTreeMap::new(),
            intervals: Vec::new(),
        }
    }

    /// All intervals so far.
    #[must_use]
    pub fn intervals(mut self) -> Vec<Interval> {
        self.settle();
        self.intervals
    }

    /// Writes down who started during the last interval.
    fn settle(&mut self) {
        let started = std::mem::take(&mut self.started);
        let Some(last) = self.intervals.last_mut().filter(|last| last.state == "waits") else { return };
        let mut teams: Vec<(u64, u32)> = started.into_iter().map(|(team, jobs)| (jobs, team)).collect();
        teams.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let name = |(jobs, team): (u64, u32)| Started { team: self.trace.teams.text(team).to_owned(), jobs };
        last.others_started = teams.into_iter().map(name).collect();
    }

    fn begin(&mut self, at: i64, state: &'static str) -> &mut Interval {
        self.settle();
        if let Some(last) = self.intervals.last_mut().filter(|last| last.to_s.is_none()) {
            last.to_s = Some(seconds(at));
        }
        self.intervals.push(Interval {
            from_s: seconds(at),
            to_s: None,
            state,
            attempt: None,
            pool: None,
            reasons: Vec::new(),
            others_started: Vec::new(),
            ended_by: None,
        });
        let index = self.intervals.len() - 1;
        &mut self.intervals[index]
    }
}

/// Where a reason holds.
fn pool_of(reason: &Blocked) -> Option<usize> {
    match reason {
        Blocked::Room { pool, .. }
        | Blocked::Device { pool, .. }
        | Blocked::Scattered { pool, .. }
        | Blocked::AcrossDomains { pool, .. }
        | Blocked::Limit { pool, .. }
        | Blocked::Kept { pool, .. }
        | Blocked::Reservation { pool, .. } => Some(pool.index()),
        _ => None,
    }
}

impl Observer for Watch<'_> {
    fn queued(&mut self, row: u32, job: JobId) {
        if self.rows.len() <= job.slot() {
            self.rows.resize(job.slot() + 1, u32::MAX);
        }
        self.rows[job.slot()] = row;
        if row == self.row {
            self.job = Some(job);
            self.waiting = true;
        }
    }

    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        let Transition { at, what, row, attempt, pool, cause, .. } = transition;
        if row != self.row {
            if self.waiting && what == What::Started {
                *self.started.entry(self.trace.jobs[row as usize].team).or_insert(0) += 1;
            }
            return Ok(());
        }
        self.kind.clear();
        match what {
            What::Rejected => {
                self.begin(at, "rejected").to_s = Some(seconds(at));
            }
            What::Started => {
                self.waiting = false;
                let name = self.setup.config.pools[pool as usize].name.clone();
                let interval = self.begin(at, "runs");
                interval.attempt = Some(attempt);
                interval.pool = Some(name);
            }
            What::Evicted => {
                self.waiting = true;
                let by = cause
                    .and_then(|cause| cause.by)
                    .map(|row| self.trace.names.get(row as usize).to_string());
                let rule = cause.map_or("eviction", |cause| cause.reason.as_str());
                if let Some(last) = self.intervals.last_mut() {
                    last.to_s = Some(seconds(at));
                    last.ended_by = Some(by.map_or(rule.to_owned(), |by| format!("{rule}, for job {by}")));
                }
            }
            What::Ended | What::Reaped => {
                let how = if what == What::Ended { "ended" } else { "stopped for idling" };
                if let Some(last) = self.intervals.last_mut() {
                    last.to_s = Some(seconds(at));
                    last.ended_by = Some(how.to_owned());
                }
            }
        }
        Ok(())
    }

    fn decided(&mut self, at: i64, scheduler: &Scheduler) {
        let Some(job) = self.job.filter(|_| self.waiting) else { return };
        let Ok(explanation) = scheduler.explain_without_entitlements(job) else { return };
        let JobState::Waiting(reasons) = &explanation.state else { return };
        let kind: Kind = reasons.iter().map(|reason| (discriminant(reason), pool_of(reason))).collect();
        if kind == self.kind {
            return;
        }
        let name = |job: JobId| {
            let row = self.rows.get(job.slot()).copied().unwrap_or(u32::MAX) as usize;
            if row < self.trace.jobs.len() { self.trace.names.get(row).to_string() } else { job.to_string() }
        };
        let words = explanation.reasons(&name);
        self.kind = kind;
        self.begin(at, "waits").reasons = words;
    }
}
