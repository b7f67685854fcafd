//! Helios (2020): `cluster_log.csv`, and the daily GPU quotas of its virtual clusters.
//!
//! Virtual cluster = team. `gpu_num` 0 is a job of CPUs. Jobs submitted before April 2020 and those still running
//! are left out, as by the source's own tools; its cut at fourteen days is not applied. Times are local without
//! zone, read as if UTC.

use std::collections::BTreeMap;

use super::slurm::{share, state};
use super::table::{CSV, Table};
use crate::trace::cluster::{Cluster, QuotaSeries};
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::repairs::Repairs;
use crate::trace::row::{Reason, RowSource, TraceRow};
use crate::trace::time;

/// 2020-04-01 00:00, where the published record begins.
const FIRST_MS: i64 = 1_585_699_200_000;

/// Reader of `cluster_log.csv`.
pub(crate) struct Helios {
    table: Table,
    at: Columns,
}

struct Columns {
    job_id: usize,
    user: usize,
    vc: usize,
    gpu_num: usize,
    cpu_num: usize,
    node_num: usize,
    state: usize,
    submit: usize,
    start: usize,
    end: usize,
    duration: usize,
}

impl Helios {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, CSV)?;
        let at = Columns {
            job_id: table.require("job_id")?,
            user: table.require("user")?,
            vc: table.require("vc")?,
            gpu_num: table.require("gpu_num")?,
            cpu_num: table.require("cpu_num")?,
            node_num: table.require("node_num")?,
            state: table.require("state")?,
            submit: table.require("submit_time")?,
            start: table.require("start_time")?,
            end: table.require("end_time")?,
            duration: table.require("duration")?,
        };
        Ok(Self { table, at })
    }
}

impl RowSource for Helios {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        let (table, at) = (&self.table, &self.at);
        row.line = table.line();
        row.name.push_str(table.text(at.job_id));
        row.user.push_str(table.text(at.user));
        row.team.push_str(table.text(at.vc));
        row.submit_ms = instant(table, at.submit)?;
        row.start_ms = instant(table, at.start)?;
        row.end_ms = instant(table, at.end)?;
        row.run_ms = seconds(table, at.duration)?;
        if row.run_ms.is_none() {
            row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
        }
        let gpus = table.whole(at.gpu_num, "a whole number of GPUs")?.unwrap_or(0);
        let cpus = table.thousandths(at.cpu_num)?;
        let nodes = table.whole(at.node_num, "a whole number of nodes")?.unwrap_or(1);
        request(row, gpus, cpus, nodes);
        row.reject = match state(table.text(at.state)) {
            Err(reason) => Some(reason),
            Ok(_) if row.name.is_empty() => Some(Reason::MissingId),
            Ok(_) if row.submit_ms.is_some_and(|submit| submit < FIRST_MS) => Some(Reason::BeforeStart),
            Ok(status) => {
                row.status = status;
                None
            }
        };
        Ok(true)
    }
}

/// GPUs by the rule for GPU clusters; a job of CPUs alone is a worker per node.
pub(super) fn request(row: &mut TraceRow, gpus: i64, cpu_milli: i64, nodes: i64) {
    row.request_gpus(gpus);
    if gpus == 0 && nodes > 1 && cpu_milli > 0 {
        row.workers = Some(nodes);
    }
    row.cpu_milli = share(cpu_milli, row.workers.unwrap_or(1));
}

/// A time that may be written as a word for "none".
pub(super) fn instant(table: &Table, at: usize) -> Result<Option<i64>, Fault> {
    if is_none(table, at) { Ok(None) } else { table.instant(at) }
}

/// The same for a length of time.
pub(super) fn seconds(table: &Table, at: usize) -> Result<Option<i64>, Fault> {
    if is_none(table, at) { Ok(None) } else { table.seconds(at) }
}

fn is_none(table: &Table, at: usize) -> bool {
    matches!(table.text(at), "None" | "nan" | "NaN" | "NULL" | "null")
}

/// Reads `date,<virtual clusters>,total`. A day without all its quotas, with another total than theirs, or that came
/// before is left out: the quotas of the day before it go on.
pub(super) fn read_quotas(
    opened: Opened,
    cluster: &mut Cluster,
    repairs: &mut Repairs,
) -> Result<u64, Fault> {
    if cluster.quotas.is_some() {
        return Err(Fault::other(0, "another file of quotas is named already")
            .hint("name one: each is of a cluster of its own"));
    }
    let mut table = Table::with_header(opened, CSV)?;
    let (date, total) = (table.require("date")?, table.find("total"));
    let columns: Vec<usize> =
        (0..table.header().len()).filter(|&at| at != date && Some(at) != total).collect();
    let teams = columns.iter().map(|&at| table.header()[at].clone()).collect();
    let mut days: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    let mut rows = 0;
    while table.next()? {
        rows += 1;
        let midnight = [table.bytes(date), b" 00:00:00"].concat();
        let Some(day) = time::timestamp_ms(&midnight) else {
            return Err(table.fault(date, "a date like `2020-04-01`"));
        };
        let gpus = columns.iter().map(|&at| quota(&table, at)).collect::<Result<Option<Vec<u64>>, _>>()?;
        let Some(gpus) = gpus else {
            repairs.note(Reason::MissingQuota, table.line())?;
            continue;
        };
        let sum = gpus.iter().sum::<u64>();
        let said = total.map(|at| table.whole(at, "a whole number of GPUs")).transpose()?.flatten();
        if said.is_some_and(|said| u64::try_from(said) != Ok(sum)) {
            repairs.note(Reason::WrongTotal, table.line())?;
        } else if days.contains_key(&day) {
            repairs.note(Reason::DuplicateDay, table.line())?;
        } else {
            if days.last_key_value().is_some_and(|(last, _)| day < *last) {
                repairs.note(Reason::UnsortedDay, table.line())?;
            }
            days.insert(day, gpus);
        }
    }
    cluster.quotas = Some(QuotaSeries { teams, days: days.into_iter().collect() });
    Ok(rows)
}

/// The GPUs of one team on a day; nothing where the cell is empty.
fn quota(table: &Table, at: usize) -> Result<Option<u64>, Fault> {
    let expected = "a whole number of GPUs";
    let Some(count) = table.whole(at, expected)? else { return Ok(None) };
    // No more than a pool can have, so that the sum of all teams can be counted.
    let count = u64::try_from(count).ok().filter(|count| u32::try_from(*count).is_ok());
    count.map(Some).ok_or_else(|| table.fault(at, expected))
}
