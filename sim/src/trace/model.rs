//! A trace in memory: columns of small integers, every text once.
//!
//! Jobs are sorted by submit time, then by name. Absent on purpose: anything of the core; the engine turns
//! these records into job specifications and keeps the true run times to itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::Cluster;
use super::guess::Format;
use super::interner::{Interner, NameArena};
use super::row::{RepairAction, Status};

/// Index of GPUs in [`TraceAlternative::amounts`]; milli-GPU.
pub const GPU: usize = 0;
/// Index of CPUs in [`TraceAlternative::amounts`]; milli-CPU.
pub const CPU: usize = 1;
/// Index of memory in [`TraceAlternative::amounts`]; bytes.
pub const MEMORY: usize = 2;
/// Index of the first further resource in [`TraceAlternative::amounts`]; thousandths.
pub const FIRST_OTHER: usize = 3;

/// Stands for an absent duration inside [`Lengths`].
const NO_DURATION: u64 = u64::MAX;
/// Stands for an absent time inside [`Recorded`].
const NO_TIME: i64 = i64::MIN;

/// A validated trace in memory.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// All jobs, sorted by submit time, then name.
    pub jobs: Vec<TraceJob>,
    /// Name of every job, by job index.
    pub names: NameArena,
    /// Teams by number.
    pub teams: Interner,
    /// Users by number; a job without one has the number of the empty text.
    pub users: Interner,
    /// Cost owners by number.
    pub owners: Interner,
    /// Priority classes by number; number 0 is the empty text: none.
    pub priorities: Interner,
    /// Requests by number: jobs that ask the same share one.
    pub shapes: Vec<TraceShape>,
    /// Names of the resources after GPU, CPU and memory.
    pub resources: Vec<String>,
    /// What jobs say of their lengths, by number: jobs that follow each other and say the same share one.
    pub lengths: Vec<Lengths>,
    /// Recorded starts and ends, by job index, where the source has any.
    pub recorded: Option<Vec<Recorded>>,
    /// Rare columns, for the jobs that use them.
    pub extras: Extras,
    /// Machines and quotas, where a file of the set says.
    pub cluster: Cluster,
    /// The files, in the order given.
    pub sources: Vec<Source>,
    /// What should be said once.
    pub warnings: Vec<String>,
}

/// One job as recorded: 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceJob {
    /// Submission, ms on the trace's own clock.
    pub submit_ms: i64,
    /// True run time at speed 1, ms.
    pub run_ms: u64,
    /// Index in [`Trace::lengths`].
    pub lengths: u32,
    /// Number in [`Trace::teams`].
    pub team: u32,
    /// Number in [`Trace::users`].
    pub user: u32,
    /// Number in [`Trace::owners`].
    pub owner: u32,
    /// Whether the source names one; else the team pays.
    pub has_owner: bool,
    /// Index in [`Trace::shapes`].
    pub shape: u32,
    /// Recorded outcome.
    pub status: Status,
}

/// What a job says of its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    limit_ms: u64,
    estimate_ms: u64,
}

impl Default for Lengths {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl Lengths {
    pub(crate) fn new(limit_ms: Option<u64>, estimate_ms: Option<u64>) -> Self {
        let [limit_ms, estimate_ms] = [limit_ms, estimate_ms].map(|length| length.unwrap_or(NO_DURATION));
        Self { limit_ms, estimate_ms }
    }

    /// Time limit, ms.
    #[must_use]
    pub fn limit_ms(&self) -> Option<u64> {
        (self.limit_ms != NO_DURATION).then_some(self.limit_ms)
    }

    /// Estimate of the run time, ms.
    #[must_use]
    pub fn estimate_ms(&self) -> Option<u64> {
        (self.estimate_ms != NO_DURATION).then_some(self.estimate_ms)
    }
}

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceShape {
    /// The ways to serve it, best first as the source has them; at least one.
    pub alternatives: Vec<TraceAlternative>,
    /// Number in [`Trace::priorities`].
    pub priority: u32,
    /// May be evicted; absent: the scenario decides.
    pub preemptible: Option<bool>,
    /// A development session.
    pub dev: bool,
    /// The data sets that it reads, as written.
    pub datasets: Vec<String>,
}

/// One way to serve a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceAlternative {
    /// Accelerator type; absent: any.
    pub accelerator: Option<String>,
    /// Eligible pools, the same list for all alternatives; empty: any.
    pub pools: Arc<[String]>,
    /// Gang size, at least 1.
    pub workers: u32,
    /// Per worker: (resource index, amount), ascending, without zeros.
    pub amounts: Vec<(usize, u64)>,
    /// Speed against the recorded run time, thousandths, at least 1.
    pub speed_milli: u32,
}

impl TraceAlternative {
    /// Amount of one resource per worker.
    #[must_use]
    pub fn amount(&self, resource: usize) -> u64 {
        self.amounts.iter().find(|(index, _)| *index == resource).map_or(0, |(_, amount)| *amount)
    }

    /// Amount of one resource over all workers.
    #[must_use]
    pub fn total(&self, resource: usize) -> u64 {
        self.amount(resource).saturating_mul(u64::from(self.workers))
    }
}

/// When a job really started and ended, where the source says; ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    start_ms: i64,
    end_ms: i64,
}

impl Recorded {
    pub(crate) const NONE: Self = Self { start_ms: NO_TIME, end_ms: NO_TIME };

    pub(crate) fn new(start_ms: Option<i64>, end_ms: Option<i64>) -> Self {
        Self { start_ms: start_ms.unwrap_or(NO_TIME), end_ms: end_ms.unwrap_or(NO_TIME) }
    }

    /// Recorded start, ms.
    #[must_use]
    pub fn start_ms(&self) -> Option<i64> {
        (self.start_ms != NO_TIME).then_some(self.start_ms)
    }

    /// Recorded end, ms.
    #[must_use]
    pub fn end_ms(&self) -> Option<i64> {
        (self.end_ms != NO_TIME).then_some(self.end_ms)
    }
}

/// Rare columns: only jobs that have one of them are in here, ascending by job index.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    pub(crate) entries: Vec<(u32, Extra)>,
}

impl Extras {
    /// The rare columns of job `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Extra> {
        let index = u32::try_from(index).ok()?;
        let at = self.entries.binary_search_by_key(&index, |(job, _)| *job).ok()?;
        Some(&self.entries[at].1)
    }

    /// All entries, ascending by job index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Extra)> {
        self.entries.iter().map(|(job, extra)| (*job as usize, extra))
    }

    /// Whether no job has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The rare columns of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// A readable name beside the id; empty: none.
    pub title: String,
    /// Checkpoint interval, ms.
    pub checkpoint_ms: Option<u64>,
    /// How long it takes after an eviction until the job is where it was, ms.
    pub restart_ms: Option<u64>,
    /// Deadline, ms on the trace's clock.
    pub deadline_ms: Option<i64>,
    /// Mean utilization of the GPUs while running, thousandths.
    pub gpu_utilization_milli: Option<u32>,
    /// Ids of jobs that must end before.
    pub after: Vec<String>,
}

impl Trace {
    /// What a job says of its length.
    #[must_use]
    pub fn lengths(&self, job: &TraceJob) -> Lengths {
        self.lengths.get(job.lengths as usize).copied().unwrap_or_default()
    }

    /// The number of what the next job says of its length.
    pub(crate) fn number_lengths(&mut self, lengths: Lengths) -> u32 {
        if self.lengths.last() != Some(&lengths) {
            self.lengths.push(lengths);
        }
        u32::try_from(self.lengths.len() - 1).unwrap_or(u32::MAX)
    }

    /// Forgets what no job says any longer.
    pub(crate) fn renumber_lengths(&mut self) {
        let mut jobs = std::mem::take(&mut self.jobs);
        let known = std::mem::take(&mut self.lengths);
        for job in &mut jobs {
            job.lengths = self.number_lengths(known.get(job.lengths as usize).copied().unwrap_or_default());
        }
        self.jobs = jobs;
    }
}

/// One file of a trace.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The path as given.
    pub path: String,
    /// How it was read.
    pub format: Format,
    /// Whether the format was told from the content rather than named.
    pub guessed: bool,
    /// SHA-256 of the file's bytes as given (compressed, if it is), in hex.
    pub digest: String,
    /// Records read.
    pub rows: u64,
    /// Jobs kept.
    pub jobs: u64,
    /// The trace's time zero, ms since 1970 by the clock of the machine, where the head of the file says so.
    pub epoch_ms: Option<i64>,
    /// The clock of that zero against UTC, s: that of the machine, where the head of the file tells it.
    pub offset_s: Option<i64>,
    /// First and last submission, ms on the trace's clock; nothing where the file has no times.
    pub submits: Option<(i64, i64)>,
    /// Whether rows name partitions or queues.
    pub statistics: bool,
    /// What was repaired, by [`Reason::key`](super::Reason::key).
    pub repairs: BTreeMap<&'static str, Repair>,
}

impl Repair {
    /// How many rows, why, and where first.
    #[must_use]
    pub fn in_words(&self) -> String {
        let lines: Vec<String> = self.first_lines.iter().map(u64::to_string).collect();
        let more = if self.count > lines.len() as u64 { ", …" } else { "" };
        let (rows, at) = if self.count == 1 { ("row", "line") } else { ("rows", "lines") };
        format!("{} {rows}, {} ({at} {}{more})", self.count, self.text, lines.join(", "))
    }
}

/// How often one repair was made, and where first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What happens to such a row.
    pub action: RepairAction,
    /// The reason as a clause.
    pub text: &'static str,
    /// How many rows.
    pub count: u64,
    /// The lines of the first five.
    pub first_lines: Vec<u64>,
}
