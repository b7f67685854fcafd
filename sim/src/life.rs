//! Life: what one job did and what stopped it, interval by interval.
//!
//! An observer that asks the scheduler after every cycle of decisions why the job waits; under Kueue's rules the replay
//! tells it. Nothing is told of the time after the run's end, as nothing of it is measured. Cycles in a row that name the
//! same kinds of reasons, of the same pools, jobs and teams, and the same team that comes first, are one interval; an
//! amount that moves meanwhile is told from its least to its most. What would have unblocked the job is that of the
//! interval's first cycle. Starts of other jobs meanwhile are counted by team: they are what the room went to. Absent on
//! purpose: formatting (see `report`).

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use fairshare::{Blocked, EvictionBound, Explanation, JobId, JobState, Scheduler, TeamId};
use serde::Serialize;

use crate::error::SimError;
use crate::observer::{Observer, Transition, What};
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// One interval of a job's life.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// From, seconds on the trace's clock.
    pub from_s: f64,
    /// To; the end of the run where it still waits or runs then.
    pub to_s: Option<f64>,
    /// `waits`, `runs`, `rejected`.
    pub state: &'static str,
    /// The attempt, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The pool, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What stopped it, where it waits; why it can never start, where it is rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The comparison of shares that its team lost, where another team's jobs came first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// What would have let it start, one way each; at the beginning of the interval.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unblocked_by: Vec<String>,
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
    /// All that it waited, seconds: the sum of the intervals in which it does.
    pub wait_s: f64,
    /// The end of the run, where the job still waits or runs then: nothing after it is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_s: Option<f64>,
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
        let mut intervals = intervals;
        let why = record.rejected.iter().find(|(_, rejected)| rejected.rows.contains(&row));
        if let Some((why, last)) = why.zip(intervals.last_mut().filter(|last| last.state == "rejected")) {
            last.reasons = vec![why.0.clone()];
        }
        // What it waited for at an instant at which it went on is no wait.
        let last = intervals.len().saturating_sub(1);
        let mut at = 0..;
        intervals.retain(|interval| {
            at.next() == Some(last) || interval.state != "waits" || interval.to_s != Some(interval.from_s)
        });
        let outcome = &record.outcomes[index];
        let submit_s = seconds(trace.jobs[index].submit_ms);
        let open = matches!(outcome.fate, Fate::Waiting | Fate::Running);
        let until_s = open.then(|| seconds(record.end_ms));
        if let Some(until_s) = until_s {
            // One that comes after the end is told what stopped it then.
            let until_s = until_s.max(submit_s);
            intervals.retain(|interval| interval.from_s <= until_s);
            for interval in &mut intervals {
                interval.to_s = Some(interval.to_s.map_or(until_s, |to| to.min(until_s)));
            }
        }
        // Measures leave out what is rejected; under Kueue it may have waited for its turn until then.
        let rejected =
            intervals.last().filter(|last| last.state == "rejected").map(|last| last.from_s - submit_s);
        let team = setup.team_of[trace.jobs[index].team as usize].index();
        Self {
            schema: "sim.explanation/1",
            policy: policy.to_owned(),
            job: trace.names.get(index).to_string(),
            team: setup.config.teams[team].name.clone(),
            status: record.status(trace, index),
            submit_s,
            wait_s: rejected.unwrap_or_else(|| crate::summary::seconds(record.wait_ms(trace, index))),
            until_s,
            intervals,
        }
    }
}

/// Whose a reason is, and which bound.
type Holder = (Option<JobId>, Option<TeamId>, Option<EvictionBound>);

/// What makes two cycles tell the same: their reasons, and the team that comes first.
type Kind = (Vec<(Discriminant<Blocked>, Option<usize>, Holder)>, Option<(TeamId, bool)>);

/// A text with a number that moves from cycle to cycle: the words with its least and with its most.
#[derive(Debug)]
struct Moving {
    least: (f64, String),
    most: (f64, String),
}

impl Moving {
    fn new(value: f64, words: String) -> Self {
        Self { least: (value, words.clone()), most: (value, words) }
    }

    fn add(&mut self, value: f64, words: String) {
        if value < self.least.0 {
            self.least = (value, words);
        } else if value > self.most.0 {
            self.most = (value, words);
        }
    }

    fn told(&self) -> String {
        spanned(&self.least.1, &self.most.1)
    }
}

/// A comparison of shares that was lost, cycle after cycle: of the team that came first, then of the job's own.
#[derive(Debug)]
struct Comparison {
    teams: [String; 2],
    /// From the least to the most, each for itself: either may move while the other does not.
    shares: [[f64; 2]; 2],
    /// The first job that it was lost to.
    to: String,
    /// Then to others of the same team.
    to_others: bool,
    after_grant: bool,
}

impl Comparison {
    fn add(&mut self, next: &Self) {
        self.to_others |= next.to != self.to;
        for ([least, most], [low, high]) in self.shares.iter_mut().zip(next.shares) {
            (*least, *most) = (least.min(low), most.max(high));
        }
    }

    fn told(&self) -> String {
        let [theirs, own] = self.shares.map(|share| {
            let [least, most] = share.map(|share| format!("{:.1}%", share * 100.0));
            if least == most { least } else { format!("{least} to {most}") }
        });
        let [their_team, own_team] = &self.teams;
        if !self.after_grant {
            return format!(
                "team `{their_team}` comes first: it holds {theirs} over its weight, `{own_team}` {own}"
            );
        }
        let to = format!("{} {}", if self.to_others { "jobs such as" } else { "job" }, self.to);
        format!(
            "team `{their_team}` came first: {theirs} over its weight with {to}, `{own_team}` would hold {own} with this one"
        )
    }
}

/// One text for two that differ in some words, such as numbers: `0 free` and `3 free` are `0 to 3 free`.
///
/// # Examples
///
/// ```
/// use fairshare_sim::life::spanned;
/// assert_eq!(spanned("asks 4, has 0 free", "asks 4, has 3 free"), "asks 4, has 0 to 3 free");
/// assert_eq!(spanned("holds 3, 1 free", "holds 1, 3 free"), "holds 1 to 3, 1 to 3 free");
/// assert_eq!(spanned("one of them", "both"), "one of them; then both");
/// ```
#[must_use]
pub fn spanned(least: &str, most: &str) -> String {
    if least == most {
        return least.to_owned();
    }
    let [a, b] = [least, most].map(|text| text.split(' ').collect::<Vec<_>>());
    if a.len() != b.len() {
        return format!("{least}; then {most}");
    }
    let bare = |word: &str| word.trim_end_matches([',', ';']).to_owned();
    let number = |word: &str| bare(word).trim_end_matches('%').parse::<f64>().ok();
    let word = |(a, b): (&&str, &&str)| {
        if a == b {
            return (*a).to_owned();
        }
        // A number that falls while the first one rises is told from its least as well.
        let falls = number(a).zip(number(b)).is_some_and(|(a, b)| a > b);
        let (low, high) = if falls { (b, a) } else { (a, b) };
        let end = &b[bare(b).len()..];
        format!("{} to {}{end}", bare(low), bare(high))
    };
    a.iter().zip(&b).map(word).collect::<Vec<_>>().join(" ")
}

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
    /// What the last cycle told, while the job waits.
    kind: Option<Kind>,
    /// What it was told last, and who is ahead, while the job waits under rules without a scheduler.
    said: Option<(String, Option<u32>)>,
    reasons: Vec<Moving>,
    lost: Option<Comparison>,
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
            kind: None,
            said: None,
            reasons: Vec::new(),
            lost: None,
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
        let (reasons, lost) = (std::mem::take(&mut self.reasons), self.lost.take());
        let Some(last) = self.intervals.last_mut().filter(|last| last.state == "waits") else { return };
        let mut teams: Vec<(u64, u32)> = started.into_iter().map(|(team, jobs)| (jobs, team)).collect();
        teams.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let name = |(jobs, team): (u64, u32)| Started { team: self.trace.teams.text(team).to_owned(), jobs };
        last.others_started = teams.into_iter().map(name).collect();
        last.reasons = reasons.iter().map(Moving::told).collect();
        last.lost = lost.as_ref().map(Comparison::told);
    }

    fn name(&self, job: JobId) -> String {
        let row = self.rows.get(job.slot()).copied().unwrap_or(u32::MAX) as usize;
        if row < self.trace.jobs.len() { self.trace.names.get(row).to_string() } else { job.to_string() }
    }

    /// The comparison of shares that was lost in a cycle.
    fn comparison(&self, explanation: &Explanation) -> Option<Comparison> {
        use fairshare::OrderName::{Drf, DrfCurrent, Hdrf};
        let lost = explanation.lost.as_ref()?;
        // Who comes first by another rule has not come first by its share.
        if !matches!(self.setup.config.policy.order, Drf | DrfCurrent | Hdrf) || lost.key > lost.own_key {
            return None;
        }
        let team = |team: TeamId| self.setup.config.teams[team.index()].name.clone();
        let share = |share: f64| [share, share];
        Some(Comparison {
            teams: [team(lost.team), team(lost.own_team)],
            shares: [lost.key.dominant().to_f64(), lost.own_key.dominant().to_f64()].map(share),
            to: self.name(lost.to),
            to_others: false,
            after_grant: lost.after_grant,
        })
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
            lost: None,
            unblocked_by: Vec::new(),
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
        | Blocked::Reservation { pool, .. }
        | Blocked::Bound { pool, .. } => Some(pool.index()),
        _ => None,
    }
}

/// Another job, a team, or a bound.
const fn holder_of(reason: &Blocked) -> Holder {
    match reason {
        Blocked::Limit { team, .. } | Blocked::Budget { team, .. } => (None, *team, None),
        Blocked::Reservation { behind, .. } | Blocked::Line { behind } => (Some(*behind), None, None),
        Blocked::Bound { bound, .. } => (None, None, Some(*bound)),
        _ => (None, None, None),
    }
}

/// The amount of a reason that moves.
#[expect(clippy::cast_precision_loss, reason = "only compared")]
fn amount_of(reason: &Blocked) -> f64 {
    match reason {
        Blocked::Room { free, .. } | Blocked::Kept { free, .. } => free.get() as f64,
        Blocked::Device { on_device, .. } => on_device.get() as f64,
        Blocked::Scattered { room_for, .. } | Blocked::AcrossDomains { room_for, .. } => *room_for as f64,
        Blocked::Limit { used, .. } => used.get() as f64,
        Blocked::Reservation { until, .. }
        | Blocked::Budget { until, .. }
        | Blocked::BackOff { until }
        | Blocked::Round { until } => until.as_millis() as f64,
        Blocked::Bound { until, .. } => until.map_or(0.0, |until| until.as_millis() as f64),
        Blocked::Team { ahead } => *ahead as f64,
        _ => 0.0,
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
        (self.kind, self.said) = (None, None);
        match what {
            What::Rejected => {
                self.waiting = false;
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
                    let rule = format!("stopped by {rule}");
                    last.ended_by = Some(by.map_or(rule.clone(), |by| format!("{rule}, for job {by}")));
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
        let kind: Kind = (
            reasons.iter().map(|reason| (discriminant(reason), pool_of(reason), holder_of(reason))).collect(),
            explanation.lost.as_ref().map(|lost| (lost.team, lost.after_grant)),
        );
        let words = explanation.reasons(&|job| self.name(job));
        let amounts = reasons.iter().map(amount_of);
        let lost = self.comparison(&explanation);
        if self.kind.as_ref() != Some(&kind) {
            let helps = scheduler.remedies(job).unwrap_or_default();
            let helps = helps.iter().filter(|remedy| !remedy.needs.is_empty());
            let helps = helps.map(|remedy| remedy.words(&|job| self.name(job))).collect();
            self.begin(at, "waits").unblocked_by = helps;
            self.kind = Some(kind);
            self.reasons = amounts.zip(words).map(|(amount, words)| Moving::new(amount, words)).collect();
            self.lost = lost;
            return;
        }
        for (moving, (amount, words)) in self.reasons.iter_mut().zip(amounts.zip(words)) {
            moving.add(amount, words);
        }
        if let (Some(told), Some(lost)) = (&mut self.lost, lost) {
            told.add(&lost);
        }
    }

    fn watched(&self) -> Option<u32> {
        Some(self.row)
    }

    fn waits(&mut self, at: i64, row: u32, why: &str, ahead: Option<u32>) {
        if row != self.row || self.said.as_ref().is_some_and(|said| (said.0.as_str(), said.1) == (why, ahead))
        {
            return;
        }
        self.begin(at, "waits");
        let such = |row: u32| format!(", such as job {}", self.trace.names.get(row as usize));
        let words = format!("{why}{}", ahead.map(such).unwrap_or_default());
        (self.waiting, self.said) = (true, Some((why.to_owned(), ahead)));
        self.reasons = vec![Moving::new(0.0, words)];
    }
}
