//! One adapter per format: records in, [`TraceRow`](super::row::TraceRow)s out.
//!
//! An adapter knows columns, units and the traps of its format. Absent on purpose: validation and repair, which
//! are those of `check` for all formats alike.

mod accelerators;
mod acme;
mod documents;
mod gavel;
mod helios;
mod items;
mod kubernetes;
mod kueue;
mod lines;
mod locate;
mod machines;
mod member;
mod native;
mod openb;
mod pai;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
mod philly;
mod records;
mod skypilot;
mod slurm;
mod swf;
mod table;

pub(crate) use swf::swf_begin_ms;
pub use swf::{SwfMemory, SwfOptions, SwfPools, SwfProcessors, SwfRun, SwfUnusable};

pub(crate) use accelerators::{EXPECTED as ACCELERATORS_EXPECTED, accelerators};
pub(crate) use documents::Documents;
pub(crate) use gavel::{Throughputs, read_throughputs};
pub(crate) use locate::{Place, Way};
pub(crate) use native::NAMES as NATIVE_COLUMNS;
pub(crate) use pai::Tasks as PaiTaskTable;
pub(crate) use skypilot::{ACCELERATORS, MemoryUnit, is_head_of_pipeline, memory_parts};
pub(crate) use table::{MAX_AMOUNT, MAX_TIME_MS};

use super::cluster::Cluster;
use super::error::Fault;
use super::guess::Format;
use super::input::Opened;
use super::interner::SeenNames;
use super::reader::TraceOptions;
use super::repairs::Repairs;
use super::row::RowSource;

/// What other files of the same set say.
#[derive(Debug, Default)]
pub(crate) struct Companions {
    pub(crate) throughputs: Option<Throughputs>,
    pub(crate) pai_tasks: Option<pai::Tasks>,
    /// A job table is in the set, so the task table belongs to it.
    pub(crate) pai_jobs: bool,
    pub(crate) cluster: Cluster,
    /// The machines of the lists so far, by name.
    pub(crate) machines: SeenNames,
}

impl Companions {
    /// Reads a file that belongs to others; its number of records, or the file back if it stands for itself.
    pub(crate) fn take(
        &mut self,
        format: Format,
        opened: Opened,
        path: &str,
        repairs: &mut Repairs,
    ) -> Result<Result<u64, Opened>, Fault> {
        let cluster = &mut self.cluster;
        let mut machines = machines::Machines { seen: &mut self.machines, cluster, repairs };
        Ok(Ok(match format {
            Format::HeliosQuotas => helios::read_quotas(opened, machines.cluster, machines.repairs)?,
            Format::OpenbNodes => openb::read_nodes(opened, &mut machines)?,
            Format::PaiMachines => pai::read_machines(opened, &mut machines)?,
            Format::PhillyMachines => philly::read_machines(opened, &mut machines)?,
            Format::GavelThroughputs => {
                self.throughputs = Some(read_throughputs(opened)?);
                1
            }
            Format::PaiTasks if self.pai_jobs => {
                self.pai_tasks.get_or_insert_default().read(opened, path, machines.repairs)?
            }
            _ => return Ok(Err(opened)),
        }))
    }
}

/// The adapter for an open file of jobs.
pub(crate) fn adapter(
    format: Format,
    opened: Opened,
    options: &TraceOptions,
    companions: &mut Companions,
) -> Result<Box<dyn RowSource>, Fault> {
    Ok(match format {
        // The rows of a Parquet file come here as native CSV.
        Format::Native | Format::Parquet | Format::OpenDc => Box::new(native::Native::new(opened)?),
        Format::Swf => Box::new(swf::Swf::new(opened, options.swf)),
        Format::PhillyList => Box::new(philly::PhillyList::new(opened)?),
        Format::PhillyLog => Box::new(philly::PhillyLog::new(opened)),
        Format::Kueue => Box::new(kueue::Kueue::new(opened)?),
        Format::SkyPilot => Box::new(skypilot::Records::new(opened)),
        Format::SkyPilotTask => Box::new(skypilot::Tasks::new(opened)?),
        Format::Helios => Box::new(helios::Helios::new(opened)?),
        Format::Acme => Box::new(acme::Acme::new(opened)?),
        Format::OpenbPods => Box::new(openb::OpenbPods::new(opened)?),
        Format::PaiJobs => Box::new(pai::PaiJobs::new(opened, companions.pai_tasks.take())),
        Format::PaiTasks => Box::new(pai::PaiTasks::new(opened)),
        Format::Gavel => Box::new(gavel::Gavel::new(opened, companions.throughputs.clone())),
        Format::Sacct => Box::new(slurm::Sacct::new(opened)?),
        Format::HeliosQuotas
        | Format::OpenbNodes
        | Format::PaiMachines
        | Format::PhillyMachines
        | Format::GavelThroughputs => {
            return Err(Fault::other(0, "this file holds no jobs"));
        }
    })
}
