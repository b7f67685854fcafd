//! Kueue's own configuration, as far as it decides: fair sharing and the weights of admission fair sharing.
//!
//! Absent on purpose: everything about how Kueue runs.

use std::collections::BTreeMap;

use fairshare::kueue::Strategy;

use super::error::KueueError;
use super::field::Field;

/// What the configuration says; `None` where it is silent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Configuration {
    pub(super) fair_sharing: Option<bool>,
    pub(super) strategies: Option<Vec<Strategy>>,
    pub(super) resource_weights: BTreeMap<String, f64>,
}

/// The strategies by Kueue's names.
const STRATEGIES: [(&str, Strategy); 2] = [
    ("LessThanOrEqualToFinalShare", Strategy::LessThanOrEqualToFinalShare),
    ("LessThanInitialShare", Strategy::LessThanInitialShare),
];

/// What lists of strategies there may be.
pub(crate) const LISTS: &str = "`LessThanOrEqualToFinalShare`, `LessThanInitialShare`, or both in this order";

/// The legal lists, the first what Kueue does unless told otherwise.
const LEGAL: [&[Strategy]; 3] = [
    &[Strategy::LessThanOrEqualToFinalShare, Strategy::LessThanInitialShare],
    &[Strategy::LessThanOrEqualToFinalShare],
    &[Strategy::LessThanInitialShare],
];

/// The list of these names; nothing where Kueue would not take it.
pub(crate) fn legal_strategies(names: &[&str]) -> Option<&'static [Strategy]> {
    LEGAL.into_iter().find(|list| strategy_names(list).iter().eq(names))
}

/// The names of a list.
pub(crate) fn strategy_names(list: &[Strategy]) -> Vec<&'static str> {
    let name =
        |strategy: &Strategy| STRATEGIES.iter().find(|(_, known)| known == strategy).map(|(name, _)| *name);
    list.iter().filter_map(name).collect()
}

/// Reads `A` or `A,B`; nothing where Kueue would not take it.
pub(crate) fn parse_strategies(text: &str) -> Option<Vec<Strategy>> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    legal_strategies(&names).map(<[Strategy]>::to_vec)
}

/// Whether Kueue takes such a list.
fn is_legal(strategies: &[Strategy]) -> bool {
    LEGAL.contains(&strategies)
}

/// Reads a `Configuration`, of which `v1beta1` says `enable` and later versions say it by being there.
pub(super) fn configuration(root: &Field<'_>) -> Result<Configuration, KueueError> {
    let mut configuration = Configuration::default();
    let sharing = root.get("fairSharing");
    if !sharing.is_absent() {
        sharing.known(&["enable", "preemptionStrategies"])?;
        let early = root.get("apiVersion").text()?.is_some_and(|version| version.ends_with("/v1beta1"));
        configuration.fair_sharing = Some(sharing.get("enable").flag()?.unwrap_or(!early));
        let list = sharing.get("preemptionStrategies");
        if !list.is_absent() {
            let standard = Strategy::LessThanOrEqualToFinalShare;
            let strategies = list
                .items()?
                .iter()
                .map(|one| one.word(&STRATEGIES, standard))
                .collect::<Result<Vec<Strategy>, KueueError>>()?;
            if !is_legal(&strategies) {
                return Err(list.fault(LISTS));
            }
            configuration.strategies = Some(strategies);
        }
    }
    for (resource, weight) in root.get("admissionFairSharing").get("resourceWeights").entries()? {
        let weight = weight.quantity()?.unwrap_or_default().approximate();
        configuration.resource_weights.insert(resource.to_owned(), weight);
    }
    Ok(configuration)
}
