//! Gavel (Stanford, 2020): jobs in training steps, and the measured steps per second by accelerator type.
//!
//! Lines are tab-separated without header: ten fields, or seven in the older Microsoft-derived lists. With a
//! throughput table a job's run time is that on its fastest type (speed 1); the others are alternatives with
//! their speed against it, in thousandths. Without one the jobs can be counted, not run. There are no teams: all
//! jobs are of the team `all`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use super::locate::{Place, json_fault};
use super::table::{Dialect, Table};
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::row::{Missing, Reason, RowSource, TraceRow};

const TABS: Dialect = Dialect { delimiter: b'\t', quoting: false };

const TEN: [&str; 10] = [
    "job_type",
    "command",
    "working_directory",
    "num_steps_arg",
    "needs_data_dir",
    "total_steps",
    "scale_factor",
    "priority_weight",
    "SLO",
    "arrival_time",
];
const SEVEN: [&str; 7] =
    ["job_type", "command", "num_steps_arg", "needs_data_dir", "total_steps", "arrival_time", "scale_factor"];

/// A throughput table is far smaller than this.
const MAX_TABLE: u64 = 64 << 20;

/// Steps per second by accelerator type (upper case), by `('job type', scale)`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Throughputs {
    types: Vec<(String, BTreeMap<String, f64>)>,
}

/// One entry of the table; the columns for pairs of jobs are passed over.
#[derive(serde::Deserialize)]
struct Entry {
    #[serde(rename = "null")]
    alone: Option<f64>,
}

/// Reads a throughput table: `{type: {"('job type', scale)": {"null": steps per second}}}`.
pub(crate) fn read_throughputs(opened: Opened) -> Result<Throughputs, Fault> {
    opened.flow.allow_records_of(MAX_TABLE);
    let mut bytes = Vec::new();
    let flow = std::rc::Rc::clone(&opened.flow);
    opened.bytes.take(MAX_TABLE).read_to_end(&mut bytes).map_err(|error| flow.fault(1, error))?;
    let types: BTreeMap<String, BTreeMap<String, Entry>> =
        serde_json::from_slice(&bytes).map_err(|error| {
            let fault = Fault::other(0, "this is no throughput table")
                .hint("expected `{type: {\"('job type', scale)\": {\"null\": steps per second}}}`");
            json_fault(fault, &error, &bytes, Place::START)
        })?;
    let mut table = Throughputs::default();
    for (name, entries) in types {
        // Rates for gangs spread over nodes are left out: placement is not known here.
        if name.ends_with("_unconsolidated") {
            continue;
        }
        let rates = entries
            .into_iter()
            .filter_map(|(job, entry)| {
                Some((job, entry.alone.filter(|rate| rate.is_finite() && *rate > 0.0)?))
            })
            .collect();
        table.types.push((name.to_ascii_uppercase(), rates));
    }
    Ok(table)
}

/// Reader of Gavel's job lists.
pub(crate) struct Gavel {
    table: Table,
    throughputs: Option<Throughputs>,
    key: String,
    /// (rate, position of the type), fastest first; reused.
    rates: Vec<(f64, usize)>,
}

impl Gavel {
    pub(crate) fn new(opened: Opened, throughputs: Option<Throughputs>) -> Self {
        let first = opened.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let fields = first.split(|&byte| byte == b'\t').count();
        let columns: &[&str] = if fields == 7 { &SEVEN } else { &TEN };
        let table = Table::with_columns(opened, TABS, columns);
        Self { table, throughputs, key: String::new(), rates: Vec::new() }
    }

    fn run_time(&mut self, row: &mut TraceRow, scale: i64) -> Result<(), Fault> {
        let at = self.table.find("total_steps").unwrap_or_default();
        let steps = self.table.whole(at, "a whole number of steps")?.unwrap_or(-1);
        let Some(throughputs) = &self.throughputs else { return Ok(()) };
        self.key.clear();
        let _ = write!(self.key, "('{}', {scale})", self.table.text(0));
        self.rates.clear();
        for (position, (_, rates)) in throughputs.types.iter().enumerate() {
            if let Some(&rate) = rates.get(&self.key) {
                self.rates.push((rate, position));
            }
        }
        self.rates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let Some(&(fastest, _)) = self.rates.first() else {
            row.reject = Some(Reason::UnknownThroughput);
            return Ok(());
        };
        row.run_ms = Some(run_ms(steps, fastest));
        for (rate, position) in &self.rates {
            let speed = speed_milli(*rate, fastest);
            let separator = if row.accelerators.is_empty() { "" } else { "|" };
            let name = &throughputs.types[*position].0;
            let _ = write!(row.accelerators, "{separator}{name}:{}.{:03}", speed / 1000, speed % 1000);
        }
        Ok(())
    }
}

/// Steps at a rate, in ms, rounded up. The rate is a measured float; this is the one place where it enters.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "bounded before the cast")]
fn run_ms(steps: i64, rate: f64) -> i64 {
    (steps as f64 / rate * 1000.0).ceil().clamp(-1.0, 1e18) as i64
}

/// Speed against the fastest, in thousandths, at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both rates are positive")]
fn speed_milli(rate: f64, fastest: f64) -> u32 {
    (rate / fastest * 1000.0).round().clamp(1.0, 1000.0) as u32
}

impl RowSource for Gavel {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        row.line = self.table.line();
        let find = |name: &str| self.table.find(name).unwrap_or_default();
        let scale = self.table.whole(find("scale_factor"), "a whole number of GPUs")?.unwrap_or(0);
        row.submit_ms = self.table.seconds(find("arrival_time"))?;
        let slo = self.table.find("SLO").map_or(Ok(0), |at| self.table.thousandths(at))?;
        row.request_gpus(scale);
        row.team.push_str("all");
        row.title.push_str(self.table.text(0));
        self.run_time(row, scale)?;
        if slo > 0
            && let (Some(submit), Some(run)) = (row.submit_ms, row.run_ms)
        {
            // A service level is a multiple of the run time.
            row.deadline_ms =
                run.checked_mul(slo).map(|time| time / 1000).and_then(|time| submit.checked_add(time));
        }
        Ok(true)
    }

    fn missing(&self) -> Missing {
        Missing { run: self.throughputs.is_none(), ..Missing::default() }
    }
}
