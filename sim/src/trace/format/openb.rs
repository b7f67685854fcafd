//! openb (Alibaba, 2023): nodes, and pods that ask for whole GPUs or parts of one.
//!
//! QOS class = team, for there is no other grouping. `gpu_spec` lists the types that a pod accepts. A pod that
//! was never scheduled is given the time from creation to deletion, which is noted. Pods that run when the record ends
//! have its end as their deletion. The multi-GPU list has no times at all and can only be inspected.

use super::machines::Machines;
use super::table::{CSV, Table};
use crate::trace::cluster::NodeMake;
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::row::{Missing, Reason, RowSource, Status, TraceRow};

const MIB: i64 = 1 << 20;

/// Reader of a pod list.
pub(crate) struct OpenbPods {
    table: Table,
    name: usize,
    cpu: usize,
    memory: usize,
    num_gpu: usize,
    gpu_milli: usize,
    spec: Option<usize>,
    qos: Option<usize>,
    phase: Option<usize>,
    times: Option<[usize; 3]>,
    /// The latest end of all pods, and how many were running then.
    last: (i64, u64),
}

impl OpenbPods {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, CSV)?;
        let times = match table.find("creation_time") {
            Some(creation) => {
                Some([creation, table.require("scheduled_time")?, table.require("deletion_time")?])
            }
            None => None,
        };
        Ok(Self {
            name: table.require("name")?,
            cpu: table.require("cpu_milli")?,
            memory: table.require("memory_mib")?,
            num_gpu: table.require("num_gpu")?,
            gpu_milli: table.require("gpu_milli")?,
            spec: table.find("gpu_spec"),
            qos: table.find("qos"),
            phase: table.find("pod_phase"),
            times,
            last: (i64::MIN, 0),
            table,
        })
    }
}

impl RowSource for OpenbPods {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        let table = &self.table;
        row.line = table.line();
        row.name.push_str(table.text(self.name));
        // Written in thousandths already.
        row.cpu_milli = table.thousandths(self.cpu)? / 1000;
        row.memory_bytes = (table.thousandths(self.memory)? / 1000).saturating_mul(MIB);
        let gpus = table.whole(self.num_gpu, "a whole number of GPUs")?.unwrap_or(0);
        let part = table.whole(self.gpu_milli, "a whole number of thousandths")?.unwrap_or(1000);
        row.gpu_milli = gpus.saturating_mul(if gpus == 1 { part } else { 1000 });
        row.accelerators.push_str(self.spec.map_or("", |at| table.text(at)));
        let qos = self.qos.map_or("", |at| table.text(at));
        row.team.push_str(if qos.is_empty() { "unknown" } else { qos });
        if let Some([creation, scheduled, deletion]) = self.times {
            row.submit_ms = table.seconds(creation)?;
            row.start_ms = table.seconds(scheduled)?;
            row.end_ms = table.seconds(deletion)?;
            let from = row.start_ms.or(row.submit_ms);
            row.run_ms = row.end_ms.zip(from).map(|(end, from)| end - from);
            if row.start_ms.is_none() {
                row.note(Reason::NeverStarted);
                row.end_ms = None;
            }
        }
        let phase = self.phase.map_or("", |at| table.text(at));
        if let Some(end) = row.end_ms {
            let count = if end > self.last.0 { 0 } else { self.last.1 };
            if end >= self.last.0 {
                self.last = (end, count + u64::from(phase == "Running"));
            }
        }
        match phase {
            "Succeeded" => row.status = Status::Completed,
            "Failed" => row.status = Status::Failed,
            "" | "Running" | "Pending" | "Unknown" => {}
            _ => row.reject = Some(Reason::UnknownState),
        }
        Ok(true)
    }

    fn missing(&self) -> Missing {
        let none = self.times.is_none();
        Missing { submit: none, run: none, ..Missing::default() }
    }

    fn warnings(&mut self) -> Vec<String> {
        // One pod has to be the last, whatever became of it.
        let (_, running) = self.last;
        let warning = format!(
            "{running} pods were running when the record ends, which is taken for the end of their run"
        );
        if running > 1 { vec![warning] } else { Vec::new() }
    }
}

/// Reads a node list.
pub(super) fn read_nodes(opened: Opened, machines: &mut Machines<'_>) -> Result<u64, Fault> {
    let mut table = Table::with_header(opened, CSV)?;
    let (cpu, memory) = (table.require("cpu_milli")?, table.require("memory_mib")?);
    let (gpu, model) = (table.require("gpu")?, table.require("model")?);
    let name = table.find("sn");
    let mut rows = 0;
    while table.next()? {
        let amount = |at: usize, unit: i64| {
            let value = table.whole(at, "a whole number")?.unwrap_or(0);
            value
                .checked_mul(unit)
                .and_then(|value| u64::try_from(value).ok())
                .ok_or_else(|| table.fault(at, "a whole number within the range of this program"))
        };
        let make = NodeMake {
            accelerator: table.text(model).to_owned(),
            gpu_milli: amount(gpu, 1000)?,
            cpu_milli: amount(cpu, 1)?,
            memory_bytes: amount(memory, MIB)?,
            ..NodeMake::default()
        };
        machines.add(name.map_or("", |at| table.text(at)), table.line(), make)?;
        rows += 1;
    }
    Ok(rows)
}
