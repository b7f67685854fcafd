//! What a scenario and its jobs say that a replay under Kueue's rules does not follow, so that nobody takes it for like.
//!
//! Absent on purpose: what no policy follows (see `setup`).

use fairshare::kueue::{ClusterQueue, Reach};
use fairshare::{Config, EvictionBounds};

use super::replay::KueueRules;
use super::tree::Tree;
use crate::scenario::Scenario;
use crate::setup::{Known, Setup};
use crate::trace::Trace;

/// A warning for each thing that is there and not followed.
pub(crate) fn unheeded(scenario: &Scenario, config: &Config, known: Known) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(rules) = scenario.policy.kueue else { return warnings };
    if scenario.pools.iter().any(|pool| !pool.divisible) {
        warnings
            .push("kueue looks at quota alone: pools are counted as one amount, not node by node".to_owned());
    }
    let knows_data = scenario.pools.iter().any(|pool| !pool.datasets.is_empty());
    if knows_data && known.datasets > 0 {
        let jobs = known.datasets;
        warnings.push(format!("kueue does not look at `datasets`: those of {jobs} jobs may be elsewhere"));
    }
    if known.spared > 0 && preempts(scenario, config, rules) {
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

/// A warning where jobs have alternatives after the first of those that are not refused.
pub(crate) fn unheeded_alternatives(setup: &Setup, trace: &Trace) -> Option<String> {
    setup.kueue?;
    let has_others = |shape| setup.shape(shape).is_ok_and(|(_, kept)| kept.len() > 1);
    let choosy: Vec<bool> = trace.shapes.iter().map(has_others).collect();
    let jobs = trace.jobs.iter().filter(|job| choosy[job.shape as usize]).count();
    let who = if jobs == 1 { "1 job has".to_owned() } else { format!("{jobs} jobs have") };
    (jobs > 0).then(|| format!("kueue tries the first alternative alone: {who} others after it"))
}

/// Whether any queue may preempt, as the policy or its own words say. What these say wrongly is told where they are followed.
fn preempts(scenario: &Scenario, config: &Config, rules: KueueRules) -> bool {
    let parts: Vec<_> = scenario.teams.iter().map(|team| team.kueue.clone()).collect();
    let Ok(tree) = Tree::new(config, rules, &parts) else { return false };
    let may = |queue: &ClusterQueue| {
        let reaches = [queue.preemption.within_cluster_queue, queue.preemption.reclaim_within_cohort];
        reaches.iter().any(|reach| *reach != Reach::Never)
    };
    tree.queues.iter().any(may)
}
