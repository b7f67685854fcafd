//! `sim shares`: what each team is entitled to.

use super::settings::overrides;
use super::{Output, World};
use crate::cli::{self, OutputFormat};
use crate::error::SimError;
use crate::report;
use crate::scenario::Scenario;
use crate::shares::Shares;

/// Computes the optimum and prints it.
///
/// # Errors
///
/// [`SimError`] if the scenario cannot be read, or does not say what this optimum needs.
pub fn shares(arguments: &cli::Shares, world: &World<'_>) -> Result<Output, SimError> {
    let scenario = Scenario::load(&arguments.scenario, &overrides(&arguments.settings, None, world)?)?;
    let shares = match (arguments.pools, arguments.speeds) {
        (true, _) => Shares::over_pools(&scenario),
        (_, true) => by_speed(&scenario),
        _ => Shares::fluid(&scenario),
    }?;
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::shares::text(&shares),
        OutputFormat::Json => report::json::pretty(&shares),
        OutputFormat::Csv => report::json::flat(&shares),
    });
    output.notes.extend(shares.warnings.iter().map(|warning| format!("warning: {warning}")));
    Ok(output)
}

#[cfg(feature = "lp")]
fn by_speed(scenario: &Scenario) -> Result<Shares, SimError> {
    Shares::by_speed(scenario)
}

#[cfg(not(feature = "lp"))]
fn by_speed(_: &Scenario) -> Result<Shares, SimError> {
    let hint = "build it with `cargo build --release --bin sim --features lp`";
    Err(SimError::usage_with_hint("this program was built without linear programs", hint))
}
