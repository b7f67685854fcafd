//! Settings beside the scenario: `SIM_*` variables, `--set`, `--policy`, and the seed.
//!
//! Others may use the prefix of variables as well, so one that is none of ours is said and not refused, unless it is
//! likely to be a misspelling. Absent on purpose: the variables of the process, which [`World`] carries.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::error::SimError;
use crate::nearest::did_you_mean;
use crate::scenario::{Override, SECTIONS};

const PREFIX: &str = "SIM_";
const POLICY: &str = "SIM_POLICY";
const SEED: &str = "SIM_SEED";
/// Between the parts of a setting's key.
const INSIDE: &str = "__";

/// Variables, then `--set`, then `--policy`.
pub(super) fn overrides(
    settings: &[String],
    policy: Option<&str>,
    world: &World<'_>,
) -> Result<Vec<Override>, SimError> {
    let mut overrides = variables(world)?;
    let set = |setting: &String| Override { origin: "--set".to_owned(), setting: setting.clone() };
    overrides.extend(settings.iter().map(set));
    if let Some(policy) = policy {
        overrides.extend(policy_overrides("--policy", policy)?);
    }
    Ok(overrides)
}

/// `NAME[,key=value…]` as settings of `[policy]`; `origin` is what it was given by.
pub(super) fn policy_overrides(origin: &str, policy: &str) -> Result<Vec<Override>, SimError> {
    let mut parts = policy.split(',');
    let name = parts.next().unwrap_or_default().trim();
    if name.is_empty() || name.contains('=') {
        let hint = "write NAME[,key=value…], such as `drf,backfill=none`";
        return Err(SimError::usage_with_hint(format!("{} names no policy", given(origin, policy)), hint));
    }
    let setting = |setting: String| Override { origin: origin.to_owned(), setting };
    let mut overrides = vec![setting(format!("policy.order={name}"))];
    let mut keys = BTreeSet::new();
    for part in parts {
        if let Some((key, _)) = part.split_once('=')
            && !keys.insert(key.trim())
        {
            let message = format!("{} sets `{}` twice", given(origin, policy), key.trim());
            return Err(SimError::usage(message));
        }
        if let Some((key, order)) = part.split_once('=')
            && key.trim() == "order"
        {
            let message = format!("{} names two orders", given(origin, policy));
            let hint = format!("the name is the order: write `{name}` or `{}` first", order.trim());
            return Err(SimError::usage_with_hint(message, hint));
        }
        overrides.push(setting(format!("policy.{}", part.trim())));
    }
    Ok(overrides)
}

/// A policy as it was given: an option and its value, or a variable and its value.
fn given(origin: &str, policy: &str) -> String {
    let between = if origin.starts_with('-') { ' ' } else { '=' };
    format!("`{origin}{between}{policy}`")
}

/// The settings that variables make, in the order of their names: `SIM_POLICY` comes before `SIM_POLICY__ORDER`.
pub(super) fn variables(world: &World<'_>) -> Result<Vec<Override>, SimError> {
    let mut overrides = Vec::new();
    for (name, value) in &world.variables {
        if name == POLICY && !value.is_empty() {
            overrides.extend(policy_overrides(POLICY, value)?);
        } else if let Some(key) = key(name) {
            overrides.push(Override { origin: name.clone(), setting: format!("{key}={value}") });
        }
    }
    Ok(overrides)
}

/// The variables that make settings: what a run is done again with, whatever is set by then. The seed stands elsewhere.
pub(super) fn given_by_variables(world: &World<'_>) -> BTreeMap<String, String> {
    let sets =
        |(name, value): &&(String, String)| (name == POLICY && !value.is_empty()) || key(name).is_some();
    world.variables.iter().filter(sets).cloned().collect()
}

/// The key that a variable sets, as in a scenario, if it is one of those.
fn key(name: &str) -> Option<String> {
    let path = name.strip_prefix(PREFIX)?;
    path.contains(INSIDE).then(|| path.to_lowercase().replace(INSIDE, "."))
}

/// The seed of the command line, else that of `SIM_SEED`, else zero.
pub(super) fn seed(given: Option<u64>, world: &World<'_>) -> Result<u64, SimError> {
    let variable = world.variables.iter().find(|(name, value)| name == SEED && !value.is_empty());
    match (given, variable) {
        (Some(seed), _) => Ok(seed),
        (None, None) => Ok(0),
        (None, Some((_, text))) => text.parse().map_err(|_| {
            SimError::usage(format!("`{SEED}`: expected a whole number from 0 to 2^64 - 1, found `{text}`"))
        }),
    }
}

/// What is to be said of the variables that mean nothing here.
///
/// # Errors
///
/// [`SimError::Usage`] for one that is nearly a name of ours.
pub fn unused(world: &World<'_>) -> Result<Vec<String>, SimError> {
    let mut notes = Vec::new();
    for (name, _) in &world.variables {
        if name == POLICY || name == SEED || key(name).is_some() {
            continue;
        }
        if let Some(hint) = meant(name) {
            return Err(SimError::usage_with_hint(format!("unknown variable `{name}`"), hint));
        }
        notes.push(format!("note: the variable `{name}` sets nothing here"));
    }
    Ok(notes)
}

/// What somebody who writes `name` may have wanted.
fn meant(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?.to_lowercase();
    let near = did_you_mean(name, [POLICY, SEED]);
    let mut sections = SECTIONS.into_iter().filter_map(|section| {
        let inside = rest.strip_prefix(section)?.strip_prefix('_')?;
        let key = format!("{PREFIX}{}{INSIDE}{}", section.to_uppercase(), inside.to_uppercase());
        Some(format!("did you mean `{key}`? Two underscores stand between the parts of a key"))
    });
    near.or_else(|| sections.next())
}
