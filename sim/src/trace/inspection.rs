//! The fields of an inspection: what the schema `sim.inspect/1` promises.
//!
//! Absent on purpose: counting (see `inspect`) and showing (see `inspect_text`).

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that `sim trace inspect` says; the JSON fields of `sim.inspect/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// `sim.inspect/1`.
    pub schema: &'static str,
    /// Format of the first file that holds jobs.
    pub format: &'static str,
    /// Records read from files that hold jobs.
    pub rows: u64,
    /// Jobs kept.
    pub jobs: u64,
    /// Distinct teams.
    pub teams: u64,
    /// Distinct users.
    pub users: u64,
    /// First to last submission; not a number, and absent, where the source has no times.
    #[serde(skip_serializing_if = "f64_is_nan")]
    pub span_s: f64,
    /// GPUs asked for x run time; not a number, and absent, where the source has no run times.
    #[serde(skip_serializing_if = "f64_is_nan")]
    pub gpu_hours: f64,
    /// CPUs asked for x run time; not a number, and absent, where the source has no run times or asks for GPUs alone.
    #[serde(skip_serializing_if = "f64_is_nan")]
    pub core_hours: f64,
    /// How quantiles were computed.
    pub quantiles: &'static str,
    /// What a job's size counts: `gpu` where any job asks for one, else `cpu`.
    pub size_unit: &'static str,
    /// Size of the jobs that ask for the unit.
    pub size: Distribution,
    /// Run times; absent where the source has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_s: Option<Distribution>,
    /// Times between submissions; absent where the source has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interarrival_s: Option<Distribution>,
    /// Submissions by hour of the day; hours of the trace's own clock where it is relative.
    #[serde(skip_serializing_if = "is_nothing")]
    pub arrivals_by_hour: [u64; 24],
    /// Submissions by weekday, Monday first; where `calendar` is false, nobody knows the weekdays, and day 0 of the trace's
    /// own clock counts as a Monday.
    #[serde(skip_serializing_if = "is_nothing")]
    pub arrivals_by_weekday: [u64; 7],
    /// Whether hours and weekdays are those of a calendar.
    pub calendar: bool,
    /// Whose hours and weekdays they are: `UTC+09:00` where the head of a file tells the machine's own clock.
    pub clock: String,
    /// What really happened, where the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedStatistics>,
    /// Nodes, where a file of the set lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// GPUs of the nodes by type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gpus_by_type: BTreeMap<String, f64>,
    /// Daily quotas, where a file of the set has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quotas: Option<QuotaStatistics>,
    /// Jobs that ask for an accelerator type.
    pub constrained_jobs: u64,
    /// GPU-hours by accelerator type of the first alternative.
    pub gpu_hours_by_type: BTreeMap<String, f64>,
    /// Teams by GPU-hours, then core-hours, most first.
    pub by_team: Vec<PartStatistics>,
    /// Distinct partitions, where the source has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u64>,
    /// Partitions by GPU-hours, then core-hours, most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_partition: Vec<PartStatistics>,
    /// Distinct queues, where the source has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<u64>,
    /// Queues by GPU-hours, then core-hours, most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_queue: Vec<PartStatistics>,
    /// Requested time over capacity x span, where a capacity was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered_load: Option<OfferedLoad>,
    /// Jobs by recorded outcome.
    pub status: BTreeMap<&'static str, u64>,
    /// Repairs over all files: reason to count.
    pub repairs: BTreeMap<&'static str, u64>,
    /// The files.
    pub sources: Vec<SourceStatistics>,
    /// What should be said once.
    pub warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer passes every field by reference")]
fn f64_is_nan(value: &f64) -> bool {
    value.is_nan()
}

fn is_nothing(counts: &[u64]) -> bool {
    counts.iter().all(|count| *count == 0)
}

/// A distribution: mean, count and maximum exact, quantiles from the sketch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// Arithmetic mean; absent without values.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Number of values.
    pub count: u64,
}

/// What really happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedStatistics {
    /// Start - submit.
    pub wait_s: Distribution,
    /// max(1, (wait + run) / max(run, 10 s)).
    pub bounded_slowdown: Distribution,
    /// Used over available, first to last submission; absent where the capacity is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// The capacity that the utilization is of, in the unit of the sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
}

/// Quotas over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuotaStatistics {
    /// Days in the series.
    pub days: u64,
    /// GPUs of all teams on the first day.
    pub first_gpus: u64,
    /// GPUs of all teams on the last day.
    pub last_gpus: u64,
    /// Per team, the days on which its quota began or changed.
    pub teams: BTreeMap<String, Vec<QuotaChange>>,
}

/// A team's quota from one day on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuotaChange {
    /// Start of the day, Unix time.
    pub from_s: i64,
    /// GPUs.
    pub gpus: u64,
}

/// The part of one team, partition or queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartStatistics {
    /// Its name in the source.
    pub name: String,
    /// Jobs.
    pub jobs: u64,
    /// GPUs asked for x run time; not a number, and absent, where the source has no run times.
    #[serde(skip_serializing_if = "f64_is_nan")]
    pub gpu_hours: f64,
    /// CPUs asked for x run time; not a number, and absent, where the source has no run times or asks for GPUs alone.
    #[serde(skip_serializing_if = "f64_is_nan")]
    pub core_hours: f64,
}

/// Requested time over capacity x span.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OfferedLoad {
    /// GPUs; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<f64>,
    /// CPUs; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// By pool, of what the pool is measured by, as a run has it; null where all jobs come at once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, Option<f64>>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceStatistics {
    /// The path as given.
    pub path: String,
    /// How it was read.
    pub format: &'static str,
    /// Whether the format was told from the content.
    pub guessed: bool,
    /// SHA-256 of the bytes as given.
    pub digest: String,
    /// Records read.
    pub rows: u64,
    /// Jobs kept.
    pub jobs: u64,
    /// Repairs by reason.
    pub repairs: BTreeMap<&'static str, RepairStatistics>,
}

/// One kind of repair in one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepairStatistics {
    /// How many rows.
    pub count: u64,
    /// Lines of the first five.
    pub first_lines: Vec<u64>,
    /// The reason as a clause.
    pub reason: &'static str,
}
