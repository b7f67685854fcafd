//! What a scenario and its jobs say that a replay under Kueue's rules does not follow, so that nobody takes it for like.
//!
//! Absent on purpose: what no policy follows (see `setup`).

use fairshare::{EvictionBounds, Preemption};

use crate::scenario::Scenario;
use crate::setup::Known;

/// A warning for each thing that is there and not followed; `knows_data`: some pool says which data sets it has.
pub(crate) fn unheeded(scenario: &Scenario, known: Known, knows_data: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if scenario.policy.kueue.is_none() {
        return warnings;
    }
    if scenario.pools.iter().any(|pool| !pool.divisible) {
        warnings
            .push("kueue looks at quota alone: pools are counted as one amount, not node by node".to_owned());
    }
    if knows_data && known.datasets > 0 {
        let jobs = known.datasets;
        warnings.push(format!("kueue does not look at `datasets`: those of {jobs} jobs may be elsewhere"));
    }
    // Queues may preempt by their own words too.
    let own = |parts: &serde_json::Map<String, serde_json::Value>| {
        parts.get("spec").is_some_and(|spec| !spec["preemption"].is_null())
    };
    let preempts = scenario.policy.spec.preemption != Preemption::None
        || scenario.teams.iter().any(|team| own(&team.kueue));
    if preempts && known.spared > 0 {
        let jobs = known.spared;
        warnings.push(format!(
            "kueue does not look at `preemptible`: {jobs} jobs that say `false` may be stopped all the same"
        ));
    }
    let budgets = scenario.teams.iter().filter(|team| team.budget.is_some()).count();
    if budgets > 0 {
        let whose =
            if budgets == 1 { "that of 1 team".to_owned() } else { format!("those of {budgets} teams") };
        warnings.push(format!("kueue knows no `budget`: {whose} may be overspent without end"));
    }
    if scenario.policy.spec.bounds != EvictionBounds::default() {
        warnings.push("kueue knows no bounds on evictions: `[policy.eviction]` is not followed".to_owned());
    }
    warnings
}
