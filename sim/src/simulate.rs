//! Simulate: replays a trace under whatever rules the scenario names.
//!
//! Absent on purpose: the rules.

use crate::engine::Simulation;
use crate::error::SimError;
use crate::kueue;
use crate::observer::Observer;
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::Trace;

/// Replays everything; ends early, with a record marked as interrupted, once `interrupted` says so.
///
/// # Errors
///
/// [`SimError`] if an observer ends the run, or what is configured is refused.
pub fn simulate<O: Observer>(
    setup: &Setup,
    trace: &Trace,
    observer: &mut O,
    interrupted: &dyn Fn() -> bool,
) -> Result<Record, SimError> {
    match setup.kueue {
        Some(rules) => kueue::replay(setup, rules, trace, observer, interrupted),
        None => Simulation::new(setup, trace)?.run(observer, interrupted),
    }
}
