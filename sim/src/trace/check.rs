//! Rows to jobs: the only place that validates and repairs.
//!
//! A record that cannot be read is an error; one that makes no sense is left out and counted; one out of order
//! is sorted in and counted; `strict` turns the last two into errors. Absent on purpose: files (see `reader`) and formats.

use std::fmt::Write as _;

use super::clock::Clocks;
use super::cluster::Cluster;
use super::error::{Fault, printable};
use super::guess::Format;
use super::interner::SeenNames;
use super::model::Source;
use super::repairs::Repairs;
use super::row::{Missing, Reason, TraceRow};
use super::shapes::ShapeTable;

/// All of what there is, in thousandths.
const WHOLE: i64 = 1_000;

/// What is submitted from here on, in the year 5138, came in milliseconds that were taken for seconds, more likely than not.
const FAR_MS: i64 = 100_000_000_000_000;

/// A row that makes sense, in its final types.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checked {
    pub(crate) submit_ms: i64,
    pub(crate) run_ms: u64,
    pub(crate) limit_ms: Option<u64>,
    pub(crate) estimate_ms: Option<u64>,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    /// Index in the shape table.
    pub(crate) shape: u32,
}

/// What is known when all files are read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) shapes: ShapeTable,
    pub(crate) sources: Vec<Source>,
    pub(crate) warnings: Vec<String>,
    pub(crate) cluster: Cluster,
    pub(crate) missing: Missing,
}

/// State of the validation over all files.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    partial: bool,
    pub(crate) reading: Reading,
    pub(crate) source: Source,
    repairs: Repairs,
    pub(crate) missing: Missing,
    seen: SeenNames,
    /// Rows of all files so far: the names of jobs in formats without ids.
    pub(crate) numbered: u64,
    /// The files that hold jobs are of several formats.
    mixed: bool,
    /// Submission of the row above, ms.
    above: Option<i64>,
    clocks: Clocks,
    above_limit: u64,
    /// Run times of all jobs of all files, ms: below 2^63, so that no sum of times and amounts passes 128 bits.
    run_ms: u64,
    /// The same of recorded starts to ends.
    recorded_ms: u64,
}

impl Checker {
    /// Of no rows yet: whether repairs are errors, files that do not say enough may be read, and files are of several formats.
    pub(crate) fn new(strict: bool, partial: bool, mixed: bool) -> Self {
        Self { repairs: Repairs::new(strict), partial, mixed, ..Self::default() }
    }

    pub(crate) fn begin(&mut self, source: Source, missing: Missing) -> Result<(), Fault> {
        if let Some(words) = missing.words() {
            if !self.partial {
                let hint = match source.format {
                    Format::Gavel => "name the throughput table together with the job list",
                    Format::PaiJobs | Format::PaiTasks => "name the job table and the task table together",
                    _ => "it can be inspected, not run",
                };
                return Err(Fault::other(0, format!("this file alone has no {words}")).hint(hint));
            }
            let path = &source.path;
            self.reading.warnings.push(format!("`{path}`: this file alone has no {words}"));
        }
        self.missing = missing;
        self.reading.missing = missing;
        self.source = source;
        self.above = None;
        self.above_limit = 0;
        Ok(())
    }

    /// Whether a row is a job, and what it comes to then, in `checked`; where it is none that is noted.
    pub(crate) fn check(
        &mut self,
        row: &mut TraceRow,
        resources: &[String],
        checked: &mut Checked,
    ) -> Result<bool, Fault> {
        self.source.rows += 1;
        self.numbered += 1;
        if self.missing.submit {
            row.submit_ms = Some(0);
        }
        if self.missing.run {
            row.run_ms = Some(0);
        }
        if let Some(value) = row.beyond() {
            let found = format!("`{value}` ms");
            return Err(Fault::unreadable(row.line, "times within the range of this program", found));
        }
        if let Some(value) = row.too_much() {
            let found = format!("`{value}` thousandths or bytes");
            return Err(Fault::unreadable(row.line, "amounts within the range of this program", found));
        }
        if let Some(reason) = Self::senseless(row) {
            return self.repairs.note(reason, row.line).map(|()| false);
        }
        let shape = self.reading.shapes.intern(row, resources)?;
        if self.reading.shapes.is_empty_request(shape) && !self.missing.request {
            return self.repairs.note(Reason::NoRequest, row.line).map(|()| false);
        }
        if row.name.is_empty() {
            self.number(&mut row.name);
        } else if !self.seen.insert(&row.name) {
            return self.repairs.note(Reason::DuplicateId, row.line).map(|()| false);
        }
        let submit_ms = row.submit_ms.unwrap_or_default();
        if self.above.replace(submit_ms).is_some_and(|above| submit_ms < above) {
            self.repairs.note(Reason::Unsorted, row.line)?;
        }
        if !self.missing.submit {
            let (first, last) = self.source.submits.unwrap_or((submit_ms, submit_ms));
            self.source.submits = Some((first.min(submit_ms), last.max(submit_ms)));
        }
        self.source.statistics |= !row.partition.is_empty() || !row.queue.is_empty();
        for note in &row.notes {
            self.repairs.note(*note, row.line)?;
        }
        let backwards = row.start_ms.is_some_and(|start| start < submit_ms)
            || row.start_ms.zip(row.end_ms).is_some_and(|(start, end)| end < start);
        if backwards {
            self.repairs.note(Reason::RecordedBackwards, row.line)?;
            (row.start_ms, row.end_ms) = (None, None);
        }
        if row.gpu_utilization_milli.is_some_and(|part| part > WHOLE) {
            self.repairs.note(Reason::BeyondAll, row.line)?;
            row.gpu_utilization_milli = None;
        }
        let run_ms = duration(row.run_ms).unwrap_or_default();
        self.run_ms = total(self.run_ms, run_ms, row.line)?;
        if let Some((start, end)) = row.start_ms.zip(row.end_ms) {
            self.recorded_ms = total(self.recorded_ms, end.abs_diff(start), row.line)?;
        }
        let limit_ms = duration(row.limit_ms);
        self.above_limit += u64::from(limit_ms.is_some_and(|limit| run_ms > limit));
        self.source.jobs += 1;
        *checked = Checked {
            submit_ms,
            run_ms,
            limit_ms,
            estimate_ms: duration(row.estimate_ms),
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            shape,
        };
        Ok(true)
    }

    /// Names a job by the number of its row. Beside files that name their jobs a sign stands before it: a number may be an
    /// id there, and neither job is to be lost for that.
    fn number(&mut self, name: &mut String) {
        let sign = if self.mixed { "#" } else { "" };
        let mut copy = String::new();
        let _ = write!(name, "{sign}{}", self.numbered);
        while !self.seen.insert(name) {
            copy.push('#');
            name.clear();
            let _ = write!(name, "{sign}{}{copy}", self.numbered);
        }
    }

    /// Why a row makes no sense, if it does not.
    fn senseless(row: &TraceRow) -> Option<Reason> {
        if row.reject.is_some() {
            return row.reject;
        }
        let negative = |value: Option<i64>| value.is_some_and(|value| value < 0);
        Some(match row {
            TraceRow { submit_ms: None, .. } => Reason::MissingSubmit,
            TraceRow { run_ms: None, .. } => Reason::MissingRun,
            row if negative(row.run_ms) => Reason::NegativeRun,
            row if row.team.trim_ascii().is_empty() => Reason::MissingTeam,
            row if row.workers.is_some_and(|workers| workers < 1) => Reason::NoWorkers,
            row if row.gpu_milli < 0 || row.cpu_milli < 0 || row.memory_bytes < 0 => Reason::NegativeRequest,
            row if row.others.iter().any(|(_, amount)| *amount < 0) => Reason::NegativeRequest,
            row if negative(row.limit_ms) || negative(row.estimate_ms) => Reason::NegativeLimit,
            row if [row.checkpoint_ms, row.restart_ms, row.gpu_utilization_milli]
                .into_iter()
                .any(negative) =>
            {
                Reason::NegativeLimit
            }
            _ => return None,
        })
    }

    pub(crate) fn end(&mut self, digest: String, warnings: Vec<String>, lists_machines: bool) {
        let mut source = std::mem::take(&mut self.source);
        source.digest = digest;
        source.repairs = self.repairs.take();
        let prefix = format!("`{}`: ", source.path);
        for warning in warnings {
            self.reading.warnings.push(prefix.clone() + &printable(&warning));
        }
        let jobs = |count: u64| if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") };
        if self.above_limit > 0 {
            let jobs = jobs(self.above_limit);
            self.reading.warnings.push(format!("{prefix}{jobs} ran longer than the time limit"));
        }
        if let Some(repair) = source.repairs.get(Reason::StillRunning.key()) {
            let jobs = jobs(repair.count);
            self.reading.warnings.push(format!("{prefix}{jobs} left out that had not ended in the record"));
        }
        if source.submits.is_some_and(|(first, _)| first >= FAR_MS) {
            let said =
                "all jobs come later than the year 5000: are its times milliseconds? seconds are expected";
            self.reading.warnings.push(format!("{prefix}{said}"));
        }
        if source.rows == 0 && !lists_machines {
            self.reading.warnings.push(format!("{prefix}the file has no rows"));
        } else if source.rows > 0 && source.jobs == 0 {
            self.reading.warnings.push(format!("{prefix}no row of the file is a job that can be counted"));
        }
        self.reading.warnings.extend(self.clocks.note(&source));
        self.reading.sources.push(source);
    }
}

/// The sum of times up to `line`, unless it passes the range of a time.
fn total(sum: u64, more_ms: u64, line: u64) -> Result<u64, Fault> {
    sum.checked_add(more_ms).filter(|sum| i64::try_from(*sum).is_ok()).ok_or_else(|| {
        Fault::other(line, "all jobs up to here ran for longer than can be summed, 292 million years")
    })
}

fn duration(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}
