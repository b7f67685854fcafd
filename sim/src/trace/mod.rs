//! Traces: recorded formats in, one clean columnar trace out.
//!
//! Bytes go through [`Input`] (plain, gzip or zstd), an adapter per format and the one place that validates and
//! repairs, into a [`Trace`]. Absent on purpose: the core crate; the engine makes job specifications.
//!
//! Bounds, each a typed error: a record has at most 1 MiB, an object of JSON 16 MiB, a file of YAML 64 MiB and
//! 16 million parts; a row at most
//! 64 alternatives and 1000 pools, a trace 1000 further resources.
//!
//! ```no_run
//! use fairshare_sim::trace::{Input, Trace, TraceOptions};
//!
//! let trace = Trace::load(&[Input::parse("jobs.csv.gz")], &TraceOptions::default())?;
//! assert!(trace.jobs.is_sorted_by_key(|job| job.submit_ms));
//! # Ok::<(), fairshare_sim::trace::TraceError>(())
//! ```

mod check;
mod clock;
mod cluster;
mod convert;
mod error;
mod figures;
mod format;
mod guess;
mod input;
mod inspect;
mod inspect_text;
mod inspection;
mod interner;
mod links;
mod load;
mod model;
mod number;
mod pools;
mod reader;
mod repairs;
mod row;
mod select;
mod shape;
mod shapes;
pub(crate) mod sketch;
mod stream;
pub mod synthetic;
mod time;
mod watch;
mod write;

pub use clock::Instant;
pub use cluster::{Cluster, NodeMake, QuotaSeries};
pub use convert::{Conversion, ConvertError, convert};
pub use error::{Fault, FaultKind, Inside, TraceError};
pub(crate) use error::{printable, quoted};
pub(crate) use format::{
    ACCELERATORS, ACCELERATORS_EXPECTED, Documents, MAX_TIME_MS, MemoryUnit, NATIVE_COLUMNS, Place, Way,
    accelerators, is_head_of_pipeline, memory_parts,
};
pub use format::{SwfMemory, SwfOptions, SwfPools, SwfProcessors, SwfRun, SwfUnusable};
pub use guess::Format;
pub use input::Input;
pub(crate) use input::{Flow, Guard, Opened, STDIN_MARK, open, open_bytes};
pub use inspect::{Capacity, Demand, inspect, inspect_against};
pub use inspection::{
    Distribution, Inspection, OfferedLoad, PartStatistics, QuotaChange, QuotaStatistics, RecordedStatistics,
    RepairStatistics, SourceStatistics,
};
pub(crate) use interner::beside;
pub use interner::{Interner, JobName, NameArena, compare_names};
pub(crate) use load::reorder;
pub use model::{
    CPU, Extra, Extras, FIRST_OTHER, GPU, Lengths, MEMORY, Recorded, Repair, Source, Trace, TraceAlternative,
    TraceJob, TraceShape,
};
pub use pools::Asks;
pub use reader::{TraceOptions, panicked_on};
pub use row::{Reason, RepairAction, Status};
pub use select::Selection;
pub use shape::{Factor, Transform};
pub(crate) use shapes::is_countable;
pub use stream::Stream;
pub(crate) use time::timestamp_ms;
pub use watch::Watch;
pub(crate) use write::{csv_field, gibibytes as gibibytes_text};
