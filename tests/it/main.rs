//! Tests of the core, as one binary.

#![expect(clippy::unwrap_used, reason = "a test stops where its premises fail")]

mod adopt;
mod alternatives;
mod ask;
mod at_rest;
mod bounds;
mod cases;
mod conformance;
mod counterexamples;
mod data;
mod deep;
mod defended;
mod differential;
mod discrete_properties;
mod domains;
mod eviction_properties;
mod fluid;
mod fluid_properties;
#[cfg(feature = "lp")]
mod fluid_speeds;
mod kueue;
mod kueue_oracle;
mod kueue_rules;
mod kueue_swarm;
mod lived;
mod livelock;
mod missed;
mod optimum;
mod optimum_properties;
mod oracle;
mod own_policy;
mod properties;
mod refused;
mod remedy;
mod remedy_beside;
mod reservation;
mod scenario;
mod snapshot;
mod snapshot_changed;
mod snapshot_refused;
#[cfg(feature = "lp")]
mod speed_properties;
mod strategy;
mod swarm;
mod tidy;
mod work;
