//! `sim init`: a commented scenario to start from.

use super::Output;

const SCENARIO: &str = include_str!("init.toml");

/// The scenario's text.
#[must_use]
pub fn init() -> Output {
    Output::new(SCENARIO.to_owned())
}
