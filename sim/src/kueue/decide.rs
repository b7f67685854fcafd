//! One cycle of Kueue on a snapshot, told as every other cycle is.
//!
//! Absent on purpose: Kueue's rules, and layout.

use std::collections::BTreeMap;

use fairshare::kueue::{NodeShare, Pending, Verdict, WeightedShare};
use serde_json::Value;

use super::snapshot::Snapshot;
use crate::decide::{Action, Decided, JobDecision, SCHEMA, ShareKind, ShareLine, VictimLine, seconds};

impl Snapshot {
    /// Decides once.
    ///
    /// Decisions stand in the order in which heads were looked at, then by name.
    #[must_use]
    pub fn decide(mut self) -> Decided {
        let mut shares: Vec<ShareLine> = self.cluster.shares().iter().map(share_line).collect();
        shares.sort_by(|a, b| {
            (a.kind == ShareKind::Queue, &a.name).cmp(&(b.kind == ShareKind::Queue, &b.name))
        });
        let outcome = self.cluster.cycle(&self.pending);
        let mut rank: Vec<usize> = vec![usize::MAX; self.pending.len()];
        for (position, pending) in outcome.order.iter().enumerate() {
            rank[*pending] = position;
        }
        let mut decisions: Vec<(usize, JobDecision)> = outcome
            .verdicts
            .iter()
            .enumerate()
            .map(|(at, verdict)| (rank[at], self.decision(at, verdict)))
            .collect();
        for held in &self.held {
            decisions.push((usize::MAX, line(&held.name, Action::Wait, held.why.clone())));
        }
        decisions.sort_by(|a, b| (a.0, &a.1.job).cmp(&(b.0, &b.1.job)));
        Decided {
            schema: SCHEMA,
            policy: "kueue".to_owned(),
            now_s: seconds(self.now_ms),
            shares,
            order: outcome.order.iter().map(|pending| self.names[*pending].clone()).collect(),
            decisions: decisions.into_iter().map(|(_, decision)| decision).collect(),
            warnings: self.warnings,
        }
    }

    fn decision(&self, at: usize, verdict: &Verdict) -> JobDecision {
        let name = &self.names[at];
        match verdict {
            Verdict::Start { flavors, counts } => {
                let why = format!("its quota is free{}", fewer(&self.pending[at], counts));
                JobDecision { flavors: by_set(flavors), ..line(name, Action::Start, why) }
            }
            Verdict::EvictFor { flavors, counts, victims } => {
                let why = format!(
                    "it starts in a later cycle, once its victims have ended{}",
                    fewer(&self.pending[at], counts)
                );
                let victims = victims.iter().map(|victim| VictimLine {
                    job: self.admitted[victim.workload].clone(),
                    reason: victim.reason.as_str().to_owned(),
                });
                let victims = victims.collect();
                JobDecision { flavors: by_set(flavors), victims, ..line(name, Action::EvictFor, why) }
            }
            Verdict::Wait { why, .. } => line(name, Action::Wait, why.to_string()),
            Verdict::Reject { why } => line(name, Action::Reject, why.clone()),
        }
    }
}

fn line(job: &str, action: Action, why: String) -> JobDecision {
    JobDecision { job: job.to_owned(), action, pool: None, flavors: Value::Null, victims: Vec::new(), why }
}

/// Where it is admitted with fewer pods than it asks for.
fn fewer(pending: &Pending, counts: &[u32]) -> String {
    let reduced = pending.pod_sets.iter().zip(counts).filter(|(set, count)| set.count != **count);
    let parts: Vec<String> =
        reduced.map(|(set, count)| format!("{count} of {} pods of `{}`", set.count, set.name)).collect();
    if parts.is_empty() { String::new() } else { format!(", with {}", parts.join(", ")) }
}

/// One mapping from resource to flavor, or a list of them where there are several pod sets.
fn by_set(flavors: &[BTreeMap<String, String>]) -> Value {
    let value = |set: &BTreeMap<String, String>| {
        Value::Object(
            set.iter().map(|(resource, flavor)| (resource.clone(), flavor.clone().into())).collect(),
        )
    };
    match flavors {
        [one] => value(one),
        several => several.iter().map(value).collect(),
    }
}

fn share_line(share: &NodeShare) -> ShareLine {
    ShareLine {
        name: share.name.clone(),
        kind: if share.is_queue { ShareKind::Queue } else { ShareKind::Cohort },
        weighted_share: match share.weighted {
            WeightedShare::Thousandths(value) => value.into(),
            WeightedShare::Infinite => "inf".into(),
        },
        dominant_resource: share.dominant_resource.clone(),
        within_quota: share.within_quota,
    }
}
