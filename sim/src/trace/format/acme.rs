//! Acme (Shanghai AI Laboratory, 2023): the job logs of Seren and Kalos.
//!
//! There is no team column: user = team. Run time is end - start: Kalos writes end - submit as its duration.
//! Memory of Kalos is per pod, in GB; a pod is a node's part of the job.

use super::helios::{instant, request, seconds};
use super::slurm::state;
use super::table::{CSV, Table};
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::number;
use crate::trace::row::{Reason, RowSource, TraceRow};

/// Reader of `trace_seren.csv` and `trace_kalos.csv`.
pub(crate) struct Acme {
    table: Table,
    at: Columns,
}

struct Columns {
    job_id: usize,
    user: usize,
    node_num: usize,
    gpu_num: usize,
    cpu_num: usize,
    kind: usize,
    state: usize,
    submit: usize,
    start: usize,
    end: usize,
    duration: Option<usize>,
    memory: Option<usize>,
}

impl Acme {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, CSV)?;
        let at = Columns {
            job_id: table.require("job_id")?,
            user: table.require("user")?,
            node_num: table.require("node_num")?,
            gpu_num: table.require("gpu_num")?,
            cpu_num: table.require("cpu_num")?,
            kind: table.require("type")?,
            state: table.require("state")?,
            submit: table.require("submit_time")?,
            start: table.require("start_time")?,
            end: table.require("end_time")?,
            duration: table.find("duration"),
            memory: table.find("mem_per_pod_GB"),
        };
        Ok(Self { table, at })
    }
}

impl RowSource for Acme {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        let (table, at) = (&self.table, &self.at);
        row.line = table.line();
        row.name.push_str(table.text(at.job_id));
        row.user.push_str(table.text(at.user));
        row.team.push_str(table.text(at.user));
        row.title.push_str(table.text(at.kind));
        row.submit_ms = instant(table, at.submit)?;
        row.start_ms = instant(table, at.start)?;
        row.end_ms = instant(table, at.end)?;
        row.run_ms = row.end_ms.zip(row.start_ms).map(|(end, start)| end - start);
        if let (None, Some(at)) = (row.start_ms, at.duration) {
            // Without a start only zero is sure to be no wait.
            row.run_ms = seconds(table, at)?.filter(|duration| *duration == 0);
        }
        let gpus = table.whole(at.gpu_num, "a whole number of GPUs")?.unwrap_or(0);
        let nodes = table.whole(at.node_num, "a whole number of nodes")?.unwrap_or(1).max(1);
        request(row, gpus, table.thousandths(at.cpu_num)?, nodes);
        if let Some(at) = self.at.memory
            && !table.bytes(at).is_empty()
        {
            let per_pod =
                number::scaled(table.bytes(at), 9).map_err(|_| table.fault(at, "a number of GB"))?;
            row.memory_bytes = super::slurm::share(per_pod.saturating_mul(nodes), row.workers.unwrap_or(1));
        }
        row.reject = match state(table.text(at.state)) {
            Err(reason) => Some(reason),
            Ok(_) if row.name.is_empty() => Some(Reason::MissingId),
            Ok(status) => {
                row.status = status;
                None
            }
        };
        Ok(true)
    }
}
