//! PAI (Alibaba, 2020): job, task and machine tables, without header lines (one is skipped where it stands).
//!
//! A job's submission is its `start_time`, its start the earliest of its tasks. Plans are in percent of a CPU or
//! GPU and in GB. User = team. Tasks of one job (parameter server and workers) become one gang: as many workers
//! as its GPU tasks have instances, each with an equal part of the whole; unlike tasks are noted.
//! Job and task table belong together; each alone can only be inspected.

use std::collections::BTreeMap;

use super::slurm::share;
use super::table::{CSV, Table};
use crate::trace::cluster::{Cluster, NodeMake};
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::number;
use crate::trace::row::{Missing, Reason, RowSource, Status, TraceRow};

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
}

/// The task table by job.
pub(crate) type Tasks = BTreeMap<String, TaskSum>;

/// Reads the whole task table.
pub(crate) fn read_tasks(opened: Opened) -> Result<(Tasks, u64), Fault> {
    let mut table = Table::with_columns(opened, CSV, &TASK);
    let (mut tasks, mut rows) = (Tasks::new(), 0);
    while table.next()? {
        if table.bytes(0) != b"job_name" {
            rows += 1;
            let sum = tasks.entry(table.text(0).to_owned()).or_default();
            add_task(&table, sum)?;
        }
    }
    Ok((tasks, rows))
}

fn add_task(table: &Table, sum: &mut TaskSum) -> Result<(), Fault> {
    let instances = table.whole(2, "a whole number of instances")?.unwrap_or(1).max(0);
    let start = table.seconds(4)?;
    // Percent of one to thousandths: 600 is six CPUs, 50 half a GPU.
    let (cpu, gpu) = (table.thousandths(6)? / 100, table.thousandths(8)? / 100);
    let memory = gigabytes(table, 7)?;
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
    Ok(())
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
        if self.mixed {
            row.note = Some(Reason::MixedTypes);
        } else if self.unlike {
            row.note = Some(Reason::UnlikeTasks);
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
        match &self.tasks {
            None => row.start_ms = row.submit_ms,
            Some(tasks) => match tasks.get(table.text(0)) {
                Some(sum) => {
                    sum.fill(row);
                    row.start_ms = sum.start_ms;
                }
                None => row.reject = row.reject.or(Some(Reason::Unmatched)),
            },
        }
        row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
        if self.tasks.is_none() {
            row.start_ms = None;
            row.end_ms = None;
        }
        if row.name.is_empty() {
            row.reject = Some(Reason::MissingId);
        }
        if row.run_ms.is_none() && row.reject.is_none() {
            row.reject = Some(Reason::StillRunning);
        }
        Ok(true)
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
        row.run_ms = table.seconds(5)?.zip(row.submit_ms).map(|(end, start)| end - start);
        let mut sum = TaskSum::default();
        add_task(table, &mut sum)?;
        sum.fill(row);
        if row.run_ms.is_none() && row.reject.is_none() {
            row.reject = Some(Reason::StillRunning);
        }
        Ok(true)
    }

    fn missing(&self) -> Missing {
        Missing { team: true, ..Missing::default() }
    }
}

/// Reads the machine table.
pub(crate) fn read_machines(opened: Opened, cluster: &mut Cluster) -> Result<u64, Fault> {
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
        cluster.add(NodeMake {
            accelerator,
            gpu_milli,
            cpu_milli: positive(2, table.thousandths(2)?)?,
            memory_bytes: positive(3, gigabytes(&table, 3)?)?,
            ..NodeMake::default()
        });
        rows += 1;
    }
    Ok(rows)
}
