//! PAI (Alibaba, 2020): job, task and machine tables, without header lines (one is skipped where it stands).
//!
//! A job's submission is its `start_time`, its start the earliest of its tasks. Plans are in percent of a CPU or
//! GPU and in GB. User = team. Tasks of one job (parameter server and workers) become one gang: as many workers
//! as its GPU tasks have instances, each with an equal part of the whole; unlike tasks are noted.
//! Job and task table belong together; each alone can only be inspected. Times are off by an amount that nobody knows, which
//! keeps hours and weekdays: those of China's clock, as if zero were the beginning of 1970.

use std::collections::BTreeMap;

use super::machines::Machines;
use super::slurm::share;
use super::table::{CSV, Table};
use crate::trace::cluster::NodeMake;
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::interner::SeenNames;
use crate::trace::number;
use crate::trace::repairs::Repairs;
use crate::trace::row::{Facts, Missing, Reason, RowSource, Status, TraceRow};

const JOB: [&str; 6] = ["job_name", "inst_id", "user", "status", "start_time", "end_time"];
const TASK: [&str; 10] = [
    "job_name",
    "task_name",
    "inst_num",
    "status",
    "start_time",
    "end_time",
    "plan_cpu",
    "plan_mem",
    "plan_gpu",
    "gpu_type",
];
const MACHINE: [&str; 5] = ["machine", "gpu_type", "cap_cpu", "cap_mem", "cap_gpu"];

/// China's clock against UTC, s.
const CHINA_S: i64 = 8 * 3_600;

/// What the publisher says of the times in all tables.
fn facts() -> Facts {
    Facts { epoch_ms: Some(CHINA_S * 1_000), offset_s: Some(CHINA_S), ..Facts::default() }
}

/// What the tasks of one job ask for together.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskSum {
    start_ms: Option<i64>,
    instances: i64,
    gpu_instances: i64,
    cpu_milli: i64,
    gpu_milli: i64,
    memory_bytes: i64,
    /// Plan of the first task: (cpu, memory, gpu) per instance.
    first: (i64, i64, i64),
    unlike: bool,
    /// The type of most of the GPUs, by task, and how many that are.
    accelerator: String,
    most: i64,
    /// Tasks with GPUs of other types.
    mixed: bool,
    /// Why the job makes no sense, if a task of it makes none.
    reject: Option<Reason>,
    /// File and line of the tasks, until somebody asks for the job.
    rows: Vec<(usize, u64)>,
}

/// The task tables of a set by job.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    jobs: BTreeMap<String, TaskSum>,
    /// Names of the tasks with their jobs.
    seen: SeenNames,
    /// The files.
    paths: Vec<String>,
}

impl Tasks {
    /// Adds a whole task table; how many rows it has.
    pub(crate) fn read(&mut self, opened: Opened, path: &str, repairs: &mut Repairs) -> Result<u64, Fault> {
        let mut table = Table::with_columns(opened, CSV, &TASK);
        let file = self.paths.len();
        self.paths.push(path.to_owned());
        let mut rows = 0;
        while table.next()? {
            if table.bytes(0) == b"job_name" {
                continue;
            }
            rows += 1;
            // What stands between the two is in no name.
            let name = format!("{}\0{}", table.text(0), table.text(1));
            if !table.text(1).is_empty() && !self.seen.insert(&name) {
                repairs.note(Reason::DuplicateTask, table.line())?;
                continue;
            }
            let sum = self.jobs.entry(table.text(0).to_owned()).or_default();
            if let Some(reason) = add_task(&table, sum)? {
                // A job of which one part makes no sense makes none, and is left out at its own line too.
                repairs.note(reason, table.line())?;
                sum.reject = sum.reject.or(Some(reason));
            } else {
                sum.rows.push((file, table.line()));
            }
        }
        Ok(rows)
    }

    /// The tasks of a job, which then has been asked for.
    fn of(&mut self, job: &str) -> Option<&TaskSum> {
        let sum = self.jobs.get_mut(job)?;
        sum.rows.clear();
        Some(sum)
    }

    /// The lines of those rows for whose jobs nobody has asked, file by file.
    pub(crate) fn unused(&self) -> Vec<(&str, Vec<u64>)> {
        let mut lines: Vec<(&str, Vec<u64>)> =
            self.paths.iter().map(|path| (path.as_str(), Vec::new())).collect();
        for &(file, line) in self.jobs.values().flat_map(|sum| &sum.rows) {
            lines[file].1.push(line);
        }
        for (_, lines) in &mut lines {
            lines.sort_unstable();
        }
        lines
    }
}

/// Adds one task to those of its job, unless it makes no sense.
fn add_task(table: &Table, sum: &mut TaskSum) -> Result<Option<Reason>, Fault> {
    let instances = table.whole(2, "a whole number of instances")?.unwrap_or(1);
    let start = table.seconds(4)?;
    table.seconds(5)?;
    // Percent of one to thousandths: 600 is six CPUs, 50 half a GPU.
    let (cpu, gpu) = (table.thousandths(6)? / 100, table.thousandths(8)? / 100);
    let memory = gigabytes(table, 7)?;
    if !matches!(table.text(3), "Terminated" | "Failed" | "Running" | "Waiting") {
        return Ok(Some(Reason::UnknownState));
    }
    if instances < 1 {
        return Ok(Some(Reason::NoWorkers));
    }
    if cpu < 0 || gpu < 0 || memory < 0 {
        return Ok(Some(Reason::NegativeRequest));
    }
    if sum.instances == 0 {
        sum.first = (cpu, memory, gpu);
    } else {
        sum.unlike |= sum.first != (cpu, memory, gpu);
    }
    sum.start_ms = match (sum.start_ms, start) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let total = |amount: i64| amount.saturating_mul(instances);
    sum.instances = sum.instances.saturating_add(instances);
    if gpu > 0 {
        sum.gpu_instances = sum.gpu_instances.saturating_add(instances);
    }
    sum.cpu_milli = sum.cpu_milli.saturating_add(total(cpu));
    sum.gpu_milli = sum.gpu_milli.saturating_add(total(gpu));
    sum.memory_bytes = sum.memory_bytes.saturating_add(total(memory));
    let kind = table.text(9);
    if gpu > 0 && !kind.is_empty() {
        let gpus = total(gpu);
        sum.mixed |= !sum.accelerator.is_empty() && sum.accelerator != kind;
        if gpus > sum.most || sum.accelerator.is_empty() {
            sum.most = gpus;
            kind.clone_into(&mut sum.accelerator);
        }
    }
    Ok(None)
}

fn gigabytes(table: &Table, at: usize) -> Result<i64, Fault> {
    match table.bytes(at) {
        b"" => Ok(0),
        field => number::scaled(field, 9).map_err(|_| table.fault(at, "a number of GB")),
    }
}

impl TaskSum {
    fn fill(&self, row: &mut TraceRow) {
        let workers = if self.gpu_instances > 0 { self.gpu_instances } else { self.instances };
        row.workers = Some(workers);
        row.gpu_milli = share(self.gpu_milli, workers);
        row.cpu_milli = share(self.cpu_milli, workers);
        row.memory_bytes = share(self.memory_bytes, workers);
        row.accelerators.push_str(&self.accelerator);
        row.reject = row.reject.or(self.reject);
        if self.mixed {
            row.note(Reason::MixedTypes);
        }
        if self.unlike {
            row.note(Reason::UnlikeTasks);
        }
    }
}

/// Reader of the job table, with or without its tasks.
pub(crate) struct PaiJobs {
    table: Table,
    tasks: Option<Tasks>,
}

impl PaiJobs {
    pub(crate) fn new(opened: Opened, tasks: Option<Tasks>) -> Self {
        Self { table: Table::with_columns(opened, CSV, &JOB), tasks }
    }
}

/// Outcome of a job or task; the trace knows four words.
fn status(text: &str, row: &mut TraceRow) {
    match text {
        "Terminated" => row.status = Status::Completed,
        "Failed" => row.status = Status::Failed,
        "Running" | "Waiting" => row.reject = Some(Reason::StillRunning),
        _ => row.reject = Some(Reason::UnknownState),
    }
}

impl RowSource for PaiJobs {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        if self.table.bytes(0) == b"job_name" && !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        let table = &self.table;
        row.line = table.line();
        row.name.push_str(table.text(0));
        row.user.push_str(table.text(2));
        row.team.push_str(table.text(2));
        status(table.text(3), row);
        row.submit_ms = table.seconds(4)?;
        row.end_ms = table.seconds(5)?;
        match &mut self.tasks {
            None => row.start_ms = row.submit_ms,
            Some(tasks) => match tasks.of(table.text(0)) {
                Some(sum) => {
                    sum.fill(row);
                    row.start_ms = sum.start_ms;
                }
                None => row.reject = row.reject.or(Some(Reason::Unmatched)),
            },
        }
        row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
        if row.name.is_empty() {
            row.reject = Some(Reason::MissingId);
        }
        if row.end_ms.is_none() && row.reject.is_none() {
            row.reject = Some(Reason::StillRunning);
        }
        if self.tasks.is_none() {
            row.start_ms = None;
            row.end_ms = None;
        }
        Ok(true)
    }

    fn tasks(&mut self) -> Option<Tasks> {
        self.tasks.take()
    }

    fn facts(&self) -> Facts {
        facts()
    }

    fn missing(&self) -> Missing {
        let request = self.tasks.is_none();
        Missing { request, ..Missing::default() }
    }
}

/// Reader of the task table alone: every task a job.
pub(crate) struct PaiTasks {
    table: Table,
}

impl PaiTasks {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { table: Table::with_columns(opened, CSV, &TASK) }
    }
}

impl RowSource for PaiTasks {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        if self.table.bytes(0) == b"job_name" && !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        let table = &self.table;
        row.line = table.line();
        row.name.push_str(table.text(0));
        row.name.push('/');
        row.name.push_str(table.text(1));
        row.team.push_str("unknown");
        status(table.text(3), row);
        row.submit_ms = table.seconds(4)?;
        let end_ms = table.seconds(5)?;
        row.run_ms = end_ms.zip(row.submit_ms).map(|(end, start)| end - start);
        let mut sum = TaskSum::default();
        sum.reject = add_task(table, &mut sum)?;
        sum.fill(row);
        if end_ms.is_none() && row.reject.is_none() {
            row.reject = Some(Reason::StillRunning);
        }
        Ok(true)
    }

    fn facts(&self) -> Facts {
        facts()
    }

    fn missing(&self) -> Missing {
        Missing { team: true, ..Missing::default() }
    }
}

/// Reads the machine table.
pub(super) fn read_machines(opened: Opened, machines: &mut Machines<'_>) -> Result<u64, Fault> {
    let mut table = Table::with_columns(opened, CSV, &MACHINE);
    let mut rows = 0;
    while table.next()? {
        if table.bytes(0) == b"machine" {
            continue;
        }
        let positive = |at: usize, value: i64| {
            u64::try_from(value).map_err(|_| table.fault(at, "a number of zero or more"))
        };
        let gpu_milli = positive(4, table.thousandths(4)?)?;
        let accelerator = if gpu_milli > 0 { table.text(1).to_owned() } else { String::new() };
        let make = NodeMake {
            accelerator,
            gpu_milli,
            cpu_milli: positive(2, table.thousandths(2)?)?,
            memory_bytes: positive(3, gigabytes(&table, 3)?)?,
            ..NodeMake::default()
        };
        machines.add(table.text(0), table.line(), make)?;
        rows += 1;
    }
    Ok(rows)
}
