//! Synthetic traces: a description of an organisation's teams, and the jobs that a seed draws from it.
//!
//! A [`SynthSpec`] (TOML, or fitted to a recorded trace) says how often each team submits, when, in which bursts, and
//! from which families sizes and run times come; [`Generator`] yields the rows in order of time, in constant memory;
//! [`write_csv`] writes them with the native columns.
//! Invariant: the same specification and seed give the same bytes on every platform and in every release.
//! Invariant: each team draws from streams of its own, so that a further team leaves the jobs of the others as they were.
//! Absent on purpose: pools and policies, which are the scenario's; waits, which are a result.

mod arrivals;
mod fit;
mod generator;
mod length;
mod spec;
mod write;

pub use generator::{Generator, Outcome, SynthRow};
pub use length::{Family, Length};
pub use spec::{Bursts, Choice, DayShape, JobKind, Size, SynthError, SynthSpec, TeamMix, TimeLimit};
pub use write::{GeneratedTrace, write_csv, write_gzip};
