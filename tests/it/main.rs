//! Tests of the core, as one binary.

#![expect(clippy::unwrap_used, reason = "a test stops where its premises fail")]

mod adopt;
mod conformance;
mod differential;
mod fluid;
mod fluid_properties;
#[cfg(feature = "lp")]
mod fluid_speeds;
mod kueue;
mod oracle;
mod reservation;
mod scenario;
mod strategy;
mod tidy;
