//! The canonical row: what every format is turned into, before anything is validated.
//!
//! One row is filled again and again, so nothing is allocated per record in steady state. Absent on purpose:
//! judgement (`check` decides which rows make sense) and numbers of teams (the trace interns).

use super::cluster::Cluster;
use super::error::Fault;
use super::format::{MAX_AMOUNT, MAX_TIME_MS, PaiTaskTable};

/// How a recorded job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Status {
    /// The source does not say; counted as completed after its run time.
    #[default]
    Unspecified,
    /// Ended by itself, successfully.
    Completed,
    /// Ended with an error, by its time limit or with its node.
    Failed,
    /// Ended by its owner.
    Cancelled,
}

impl Status {
    /// The native word; empty where unspecified.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a row was repaired: left out, sorted in, or noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Left out: the run time is negative.
    NegativeRun,
    /// Left out: there is no run time.
    MissingRun,
    /// Left out: the job has not ended in the record.
    StillRunning,
    /// Left out: there is no submit time.
    MissingSubmit,
    /// Left out: submitted before the format's record begins.
    BeforeStart,
    /// Left out: the job asks for no processor, GPU or memory.
    NoRequest,
    /// Left out: a negative amount is asked for.
    NegativeRequest,
    /// Left out: fewer than one worker.
    NoWorkers,
    /// Left out: there is no team.
    MissingTeam,
    /// Left out: there is no job id in a format that has them.
    MissingId,
    /// Left out: a negative time limit, estimate, checkpoint interval or restart.
    NegativeLimit,
    /// Left out: an outcome that the format does not know.
    UnknownState,
    /// Left out: a row with this job id came before.
    DuplicateId,
    /// Left out: an attempt to run a job that was tried again.
    Requeued,
    /// Left out: a machine of this name came before.
    DuplicateMachine,
    /// Left out: quotas of this day came before.
    DuplicateDay,
    /// Left out: a team has no quota on this day.
    MissingQuota,
    /// Left out: the total of the day is not the sum of its quotas.
    WrongTotal,
    /// Left out: a task of this job and name came before.
    DuplicateTask,
    /// Left out: a step inside a job, not a job.
    JobStep,
    /// Left out: the run time cannot be told (no throughput for this kind of job).
    UnknownThroughput,
    /// Left out: a row of one table without its partner in another.
    Unmatched,
    /// Left out: no attempt to run it, so nobody knows what it asked for.
    NoAttempt,
    /// Left out: the job is switched off in the source.
    Inactive,
    /// Sorted in: submitted before the row above it.
    Unsorted,
    /// Sorted in: a day before that of a row above it.
    UnsortedDay,
    /// Kept: the GPUs do not divide into workers of eight, so each worker has one.
    OneGpuWorkers,
    /// Kept: never scheduled; the run time is counted from creation to deletion.
    NeverStarted,
    /// Kept: tasks that ask for unlike amounts; each worker has an equal part of the whole.
    UnlikeTasks,
    /// Kept: GPUs of several types in one job; all are taken to be of the type that it has most of.
    MixedTypes,
    /// Kept: a choice without GPUs beside others that have some; only those with GPUs count.
    ChoiceWithoutGpus,
    /// Kept: recorded times go backwards, so the recorded start and end are not used.
    RecordedBackwards,
    /// Kept: of GPUs more than all is used, as in per cent, so that how much is used is not known.
    BeyondAll,
}

impl Reason {
    /// The key under `repairs` in machine output.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::NegativeRun => "negative_run",
            Self::MissingRun => "missing_run",
            Self::StillRunning => "still_running",
            Self::MissingSubmit => "missing_submit",
            Self::BeforeStart => "before_start",
            Self::NoRequest => "no_request",
            Self::NegativeRequest => "negative_request",
            Self::NoWorkers => "no_workers",
            Self::MissingTeam => "missing_team",
            Self::MissingId => "missing_id",
            Self::NegativeLimit => "negative_limit",
            Self::UnknownState => "unknown_state",
            Self::DuplicateId => "duplicate_id",
            Self::Requeued => "requeued",
            Self::DuplicateMachine => "duplicate_machine",
            Self::DuplicateDay => "duplicate_day",
            Self::MissingQuota => "missing_quota",
            Self::WrongTotal => "wrong_total",
            Self::DuplicateTask => "duplicate_task",
            Self::JobStep => "job_step",
            Self::UnknownThroughput => "unknown_throughput",
            Self::Unmatched => "unmatched",
            Self::NoAttempt => "no_attempt",
            Self::Inactive => "inactive",
            Self::Unsorted => "unsorted",
            Self::UnsortedDay => "unsorted_day",
            Self::OneGpuWorkers => "one_gpu_workers",
            Self::NeverStarted => "never_started",
            Self::MixedTypes => "mixed_types",
            Self::ChoiceWithoutGpus => "choice_without_gpus",
            Self::UnlikeTasks => "unlike_tasks",
            Self::RecordedBackwards => "recorded_backwards",
            Self::BeyondAll => "beyond_all",
        }
    }

    /// The reason as a clause, for tables and errors.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NegativeRun => "the run time is negative",
            Self::MissingRun => "the run time is missing",
            Self::StillRunning => "the job has not ended in the record",
            Self::MissingSubmit => "the submit time is missing",
            Self::BeforeStart => "submitted before the record begins",
            Self::NoRequest => "nothing is asked for",
            Self::NegativeRequest => "a negative amount is asked for",
            Self::NoWorkers => "fewer than one worker",
            Self::MissingTeam => "the team is missing",
            Self::MissingId => "the job id is missing",
            Self::NegativeLimit => "a time limit, estimate or interval is negative",
            Self::UnknownState => "the state is unknown",
            Self::DuplicateId => "the job id came before",
            Self::Requeued => "an attempt before the job was tried again",
            Self::DuplicateMachine => "the machine came before",
            Self::DuplicateDay => "the day came before",
            Self::MissingQuota => "a quota is missing",
            Self::WrongTotal => "the total is not the sum of the quotas",
            Self::DuplicateTask => "the task came before",
            Self::JobStep => "a step inside a job",
            Self::UnknownThroughput => "the run time cannot be told without a throughput",
            Self::Unmatched => "no partner in the other table",
            Self::NoAttempt => "no attempt to run it",
            Self::Inactive => "switched off in the source",
            Self::Unsorted => "submitted before the row above it",
            Self::UnsortedDay => "a day before that of a row above it",
            Self::OneGpuWorkers => "GPUs not divisible by eight: workers of one GPU",
            Self::NeverStarted => "never scheduled: run time from creation to deletion",
            Self::UnlikeTasks => "tasks ask for unlike amounts: equal parts",
            Self::MixedTypes => "GPUs of several types in one job: all of the most frequent",
            Self::ChoiceWithoutGpus => "a choice without GPUs beside others: only those with GPUs count",
            Self::RecordedBackwards => "recorded start and end out of order: not used",
            Self::BeyondAll => "GPU utilization above 1, the whole: not used",
        }
    }

    /// What happened to the row.
    #[must_use]
    pub fn action(self) -> RepairAction {
        match self {
            Self::Unsorted | Self::UnsortedDay => RepairAction::Sorted,
            Self::OneGpuWorkers
            | Self::NeverStarted
            | Self::UnlikeTasks
            | Self::MixedTypes
            | Self::ChoiceWithoutGpus
            | Self::RecordedBackwards
            | Self::BeyondAll => RepairAction::Kept,
            _ => RepairAction::LeftOut,
        }
    }
}

/// What a repair does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairAction {
    /// The row is not part of the trace.
    LeftOut,
    /// The row is part of the trace, at its place in time.
    Sorted,
    /// The row is part of the trace as it stands; the count says how often an assumption was made.
    Kept,
}

/// One record of a trace, as read: times in ms, amounts per worker, texts empty where absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TraceRow {
    /// Line of the record's first byte, from 1 (formats without lines: the record's number).
    pub line: u64,
    /// Job id; empty: numbered by row.
    pub name: String,
    /// A readable name beside the id.
    pub title: String,
    /// Team.
    pub team: String,
    /// User.
    pub user: String,
    /// Who pays; empty: the team.
    pub owner: String,
    /// Priority class.
    pub priority: String,
    /// Alternatives in native syntax (`H200:1|A100*2x8:0.5`); empty: any accelerator.
    pub accelerators: String,
    /// Eligible pools, separated by `|`; empty: any.
    pub pools: String,
    /// Partition of the source, for statistics; pools are what binds.
    pub partition: String,
    /// Queue of the source, for statistics.
    pub queue: String,
    /// Data sets, separated by `|`.
    pub datasets: String,
    /// Ids of jobs that must end before, separated by `|`.
    pub after: String,
    /// Submission, ms.
    pub submit_ms: Option<i64>,
    /// Run time at speed 1, ms.
    pub run_ms: Option<i64>,
    /// Time limit, ms.
    pub limit_ms: Option<i64>,
    /// Estimate of the run time, ms.
    pub estimate_ms: Option<i64>,
    /// Checkpoint interval, ms.
    pub checkpoint_ms: Option<i64>,
    /// How long it takes after an eviction until the job is where it was, ms.
    pub restart_ms: Option<i64>,
    /// Deadline, ms on the clock of the submit times.
    pub deadline_ms: Option<i64>,
    /// Mean utilization of the GPUs while running, thousandths.
    pub gpu_utilization_milli: Option<i64>,
    /// Recorded start, ms.
    pub start_ms: Option<i64>,
    /// Recorded end, ms.
    pub end_ms: Option<i64>,
    /// Gang size; absent: 1.
    pub workers: Option<i64>,
    /// Milli-GPU per worker.
    pub gpu_milli: i64,
    /// Milli-CPU per worker.
    pub cpu_milli: i64,
    /// Bytes per worker.
    pub memory_bytes: i64,
    /// Further resources per worker: (position in the source's list, thousandths).
    pub others: Vec<(u32, i64)>,
    /// May be evicted; absent: the scenario decides.
    pub preemptible: Option<bool>,
    /// A development session.
    pub dev: bool,
    /// Recorded outcome.
    pub status: Status,
    /// Set by the adapter where the row makes no sense in its format.
    pub reject: Option<Reason>,
    /// Set by the adapter where assumptions were made, each once.
    pub notes: Vec<Reason>,
}

impl TraceRow {
    /// A time that is outside of what this program computes with: sums of a few must fit 64 bits.
    pub(crate) fn beyond(&self) -> Option<i64> {
        let times = [
            self.submit_ms,
            self.run_ms,
            self.limit_ms,
            self.estimate_ms,
            self.checkpoint_ms,
            self.restart_ms,
            self.deadline_ms,
            self.start_ms,
            self.end_ms,
        ];
        let beyond = |value: i64| value.unsigned_abs() > MAX_TIME_MS.unsigned_abs();
        // Hardly ever any: all are looked at together first.
        let any = times.iter().fold(false, |any, time| any | beyond(time.unwrap_or(0)));
        if any { times.into_iter().flatten().find(|value| beyond(*value)) } else { None }
    }

    /// An amount that is outside of what can be compared exactly, and that the native format refuses.
    pub(crate) fn too_much(&self) -> Option<i64> {
        let is_beyond = |amount: &i64| amount.unsigned_abs() > MAX_AMOUNT.unsigned_abs();
        let first = [self.gpu_milli, self.cpu_milli, self.memory_bytes].into_iter().find(is_beyond);
        let others = || self.others.iter().map(|(_, amount)| *amount).find(is_beyond);
        let used = || self.gpu_utilization_milli.filter(|&value| value > i64::from(u32::MAX));
        first.or_else(others).or_else(used)
    }

    /// Empties every field and keeps the memory of the texts.
    pub(crate) fn clear(&mut self) {
        for text in [
            &mut self.name,
            &mut self.title,
            &mut self.team,
            &mut self.user,
            &mut self.owner,
            &mut self.priority,
            &mut self.accelerators,
            &mut self.pools,
            &mut self.partition,
            &mut self.queue,
            &mut self.datasets,
            &mut self.after,
        ] {
            text.clear();
        }
        self.others.clear();
        self.line = 0;
        self.submit_ms = None;
        self.run_ms = None;
        self.limit_ms = None;
        self.estimate_ms = None;
        self.checkpoint_ms = None;
        self.restart_ms = None;
        self.deadline_ms = None;
        self.gpu_utilization_milli = None;
        self.start_ms = None;
        self.end_ms = None;
        self.workers = None;
        self.gpu_milli = 0;
        self.cpu_milli = 0;
        self.memory_bytes = 0;
        self.preemptible = None;
        self.dev = false;
        self.status = Status::Unspecified;
        self.reject = None;
        self.notes.clear();
    }

    /// Moves all instants of the row.
    pub(crate) fn move_by(&mut self, ms: i64) {
        for instant in [&mut self.submit_ms, &mut self.start_ms, &mut self.end_ms, &mut self.deadline_ms] {
            *instant = instant.map(|at| at.saturating_add(ms));
        }
    }

    /// Notes an assumption.
    pub(crate) fn note(&mut self, reason: Reason) {
        if !self.notes.contains(&reason) {
            self.notes.push(reason);
        }
    }

    /// Asks for `count` GPUs the way GPU clusters of eight-GPU nodes hand them out.
    ///
    /// Up to eight: one worker. Above: workers of eight where that divides, else of one GPU, which is noted.
    pub(crate) fn request_gpus(&mut self, count: i64) {
        if count <= 8 {
            self.workers = Some(1);
            self.gpu_milli = count.saturating_mul(1000);
        } else if count % 8 == 0 {
            self.workers = Some(count / 8);
            self.gpu_milli = 8000;
        } else {
            self.workers = Some(count);
            self.gpu_milli = 1000;
            self.note(Reason::OneGpuWorkers);
        }
    }
}

/// What a source does not say at all, so that its rows can be counted but not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
pub(crate) struct Missing {
    pub(crate) submit: bool,
    pub(crate) run: bool,
    pub(crate) request: bool,
    pub(crate) team: bool,
}

impl Missing {
    /// The missing parts in words; nothing where all are there.
    pub(crate) fn words(self) -> Option<String> {
        let parts = [
            (self.submit, "submit times"),
            (self.run, "run times"),
            (self.request, "requests"),
            (self.team, "teams"),
        ];
        let words: Vec<&str> = parts.iter().filter(|(missing, _)| *missing).map(|(_, word)| *word).collect();
        (!words.is_empty()).then(|| words.join(" and "))
    }
}

/// What the head of a file says about all of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// Unix time in ms of the trace's time zero, in the machine's own zone.
    pub(crate) epoch_ms: Option<i64>,
    /// That zone against UTC, s, where the zero is known.
    pub(crate) offset_s: Option<i64>,
    /// Processors of the machine.
    pub(crate) max_processors: Option<u64>,
    /// What the file does not say of any row.
    pub(crate) missing: Missing,
}

impl Facts {
    /// The same for rows that were [moved](TraceRow::move_by): their clock begins so much earlier.
    pub(crate) fn moved_by(self, ms: i64) -> Self {
        Self { epoch_ms: self.epoch_ms.map(|epoch_ms| epoch_ms.saturating_sub(ms)), ..self }
    }
}

/// One format's way to its rows.
pub(crate) trait RowSource {
    /// Fills `row` with the next record; false at the end.
    ///
    /// # Errors
    ///
    /// A [`Fault`] where the record cannot be read as the format says, or reading fails.
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault>;

    /// Names of further resources, in the order of the positions in [`TraceRow::others`].
    fn resources(&self) -> &[String] {
        &[]
    }

    /// Machines found among the rows, known after the last one.
    fn cluster(&mut self) -> Cluster {
        Cluster::default()
    }

    /// The tasks that the rows were looked up in, back after the last one.
    fn tasks(&mut self) -> Option<PaiTaskTable> {
        None
    }

    /// What the head of the file says, once the first row is read.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// What this file alone does not say.
    fn missing(&self) -> Missing {
        Missing::default()
    }

    /// What the reader should say once about this file, known after the last row.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}
