//! Philly (Microsoft, 2017): the full job log, its machine list, and the reduced list of later artifacts.
//!
//! Times are local and read as if UTC, as the published numbers do; team = virtual cluster. The reduced list has
//! no job ids.

use super::items::Items;
use super::locate::Way;
use super::machines::Machines;
use super::table::{CSV, Table};
use crate::trace::cluster::NodeMake;
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;
use crate::trace::row::{Reason, RowSource, Status, TraceRow};
use crate::trace::time;

/// Reader of `timestamp,duration,num_gpus,gpu_time,cluster`.
pub(crate) struct PhillyList {
    table: Table,
    timestamp: usize,
    duration: usize,
    num_gpus: usize,
    cluster: usize,
}

impl PhillyList {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, CSV)?;
        Ok(Self {
            timestamp: table.require("timestamp")?,
            duration: table.require("duration")?,
            num_gpus: table.require("num_gpus")?,
            cluster: table.require("cluster")?,
            table,
        })
    }
}

impl RowSource for PhillyList {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        row.line = self.table.line();
        row.submit_ms = self.table.instant(self.timestamp)?;
        row.run_ms = self.table.seconds(self.duration)?;
        row.request_gpus(self.table.whole(self.num_gpus, "a whole number of GPUs")?.unwrap_or(0));
        row.team.push_str(self.table.text(self.cluster));
        Ok(true)
    }
}

/// Reader of `cluster_job_log`: a JSON array of jobs with their attempts.
///
/// GPUs are those of the last attempt that has any; start is the first attempt's, end the last one's, so that the
/// run time holds the gaps between attempts.
pub(crate) struct PhillyLog {
    items: Items,
}

#[derive(serde::Deserialize)]
struct Job {
    status: String,
    vc: String,
    jobid: String,
    #[serde(default)]
    attempts: Vec<Attempt>,
    submitted_time: Option<String>,
    #[serde(default)]
    user: Option<String>,
}

#[derive(serde::Deserialize)]
struct Attempt {
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(default)]
    detail: Vec<Detail>,
}

#[derive(serde::Deserialize)]
struct Detail {
    #[serde(default)]
    gpus: Vec<serde::de::IgnoredAny>,
}

impl PhillyLog {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { items: Items::new(opened, "") }
    }

    /// The local time at `way` of a job; `None` and the like stand for no time.
    fn time(&self, job: &str, way: impl Fn() -> Way, text: Option<&str>) -> Result<Option<i64>, Fault> {
        let Some(text) = text.filter(|text| !matches!(*text, "" | "None" | "null")) else { return Ok(None) };
        let unreadable = || {
            let way = way();
            let place = self.items.locate(&way);
            Fault::unreadable(0, "a date like `2017-10-09 07:01:55`", quoted(text.as_bytes()))
                .column(way.to_string())
                .at(place)
                .hint(format!("it is in the job {}", quoted(job.as_bytes())))
        };
        time::timestamp_ms(text.as_bytes()).map(Some).ok_or_else(unreadable)
    }
}

impl RowSource for PhillyLog {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        let Some(job) = self.items.next::<Job>("Philly job")? else { return Ok(false) };
        row.clear();
        row.line = self.items.object_line();
        row.name.push_str(&job.jobid);
        row.team.push_str(&job.vc);
        row.user.push_str(job.user.as_deref().unwrap_or_default());
        let way = || Way::default().key("submitted_time");
        row.submit_ms = self.time(&job.jobid, way, job.submitted_time.as_deref())?;
        let gpus = |attempt: &Attempt| attempt.detail.iter().map(|detail| detail.gpus.len()).sum::<usize>();
        let count = job.attempts.iter().rev().map(gpus).find(|&count| count > 0).unwrap_or(0);
        row.request_gpus(i64::try_from(count).unwrap_or(i64::MAX));
        for (index, attempt) in job.attempts.iter().enumerate() {
            // Those between the first start and the last end say nothing more, but must be times.
            let way = |name: &str| Way::default().key("attempts").index(index).key(name);
            let start_ms = self.time(&job.jobid, || way("start_time"), attempt.start_time.as_deref())?;
            row.start_ms = if index == 0 { start_ms } else { row.start_ms };
            row.end_ms = self.time(&job.jobid, || way("end_time"), attempt.end_time.as_deref())?;
        }
        row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
        match job.status.as_str() {
            "Pass" => row.status = Status::Completed,
            "Killed" => row.status = Status::Cancelled,
            "Failed" => row.status = Status::Failed,
            _ => row.reject = Some(Reason::UnknownState),
        }
        if job.attempts.is_empty() {
            // Without an attempt nobody knows how many GPUs it asked for.
            row.reject = Some(Reason::NoAttempt);
        } else if row.end_ms.is_none() && row.reject.is_none() {
            row.reject = Some(Reason::StillRunning);
        }
        Ok(true)
    }
}

/// Reads `cluster_machine_list`: `machineId, number of GPUs, single GPU mem`.
pub(super) fn read_machines(opened: Opened, machines: &mut Machines<'_>) -> Result<u64, Fault> {
    let mut table = Table::with_header(opened, CSV)?;
    let count = table.require("number of GPUs")?;
    let name = table.find("machineId");
    let mut rows = 0;
    while table.next()? {
        let gpus = table.thousandths(count)?;
        let Ok(gpu_milli) = u64::try_from(gpus) else {
            return Err(table.fault(count, "a number of GPUs of zero or more"));
        };
        let make = NodeMake { gpu_milli, ..NodeMake::default() };
        machines.add(name.map_or("", |at| table.text(at)), table.line(), make)?;
        rows += 1;
    }
    Ok(rows)
}
