//! Cycle: one pass over the heads of all queues, in which some are admitted and some preempt others.
//!
//! A workload that preempts is not admitted in the same cycle: its victims have to end first. What it asks counts as used
//! for those that come after it.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::order::{Entry, in_queue};
use super::spec::{Mode, Pending, Reach};
use super::tree::NodeIndex;
use super::victims::Victim;

/// What is decided about one pending workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is admitted.
    Start {
        /// For each pod set the flavor of each resource.
        flavors: Vec<BTreeMap<String, String>>,
        /// With how many pods each.
        counts: Vec<u32>,
    },
    /// Others are preempted for it; it waits until they have ended.
    EvictFor {
        /// For each pod set the flavor of each resource.
        flavors: Vec<BTreeMap<String, String>>,
        /// With how many pods each.
        counts: Vec<u32>,
        /// Who is preempted, those included that are being evicted already.
        victims: Vec<Victim>,
    },
    /// It waits.
    Wait {
        /// Why, in words.
        why: String,
        /// Whether another cycle may decide otherwise though nothing has happened in between.
        again: bool,
    },
    /// A head that cannot fit under the present quotas, even if nothing were used.
    Reject {
        /// Why, in words.
        why: String,
    },
}

/// What one cycle decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The heads in the order in which they were looked at, by position among the pending workloads.
    pub order: Vec<usize>,
    /// One for each pending workload.
    pub verdicts: Vec<Verdict>,
}

/// What the entries before have done to those that follow.
#[derive(Default)]
struct Progress {
    preempted: BTreeSet<usize>,
}

impl Cluster {
    /// Decides once about the pending workloads; the cluster is as before afterwards.
    ///
    /// Of each queue the head alone is looked at, even if it cannot fit; all others wait.
    pub fn cycle(&mut self, pending: &[Pending]) -> Outcome {
        let mut verdicts: Vec<Verdict> = pending.iter().map(|known| self.first_verdict(known)).collect();
        let entries = self.entries(pending);
        let mut heads = self.line_up(entries, pending);
        let mut order = Vec::new();
        let mut charged: Vec<Entry> = Vec::new();
        let mut progress = Progress::default();
        while let Some(entry) = self.next_entry(&mut heads, pending) {
            order.push(entry.pending);
            let before = charged.len();
            verdicts[entry.pending] = self.process(&entry, &mut progress, &mut charged);
            if charged.len() == before && entry.assignment.mode() == Mode::NoFit {
                let known = &pending[entry.pending];
                let why = entry.assignment.lack.clone().unwrap_or_default();
                verdicts[entry.pending] =
                    self.impossible(entry.queue, known).unwrap_or(Verdict::Wait { why, again: false });
            }
        }
        for entry in charged {
            self.charge(&entry, -1);
        }
        Outcome { order, verdicts }
    }

    /// What is known before anybody is compared with anybody.
    fn first_verdict(&self, pending: &Pending) -> Verdict {
        let Some(queue) = self.queue(&pending.queue) else {
            return Verdict::Reject { why: format!("there is no cluster queue `{}`", pending.queue) };
        };
        if self.queues[queue].stopped {
            let why = format!("cluster queue `{}` is stopped", pending.queue);
            return Verdict::Wait { why, again: false };
        }
        Verdict::Wait { why: "others of its queue come first".to_owned(), again: true }
    }

    /// Why a workload could not fit even if nothing were used, where that is so.
    fn impossible(&self, queue: NodeIndex, pending: &Pending) -> Option<Verdict> {
        if self.could_ever_fit(queue, pending) {
            return None;
        }
        let mut asked = pending.pod_sets.iter().flat_map(|set| set.requests.iter());
        let missing = asked.find(|(resource, each)| {
            let covers = |(covered, _): &(BTreeSet<String>, Vec<String>)| covered.contains(*resource);
            **each > 0 && !self.queues[queue].groups.iter().any(covers)
        });
        let why = match missing {
            Some((resource, _)) => {
                format!("resource {resource} unavailable in cluster queue `{}`", pending.queue)
            }
            None => "it asks for more than its queue could ever use".to_owned(),
        };
        Some(Verdict::Reject { why })
    }

    /// The heads with their flavors and victims.
    fn entries(&mut self, pending: &[Pending]) -> Vec<Entry> {
        let mut heads: BTreeMap<_, usize> = BTreeMap::new();
        for (at, known) in pending.iter().enumerate() {
            let Some(queue) = self.queue(&known.queue).filter(|queue| !self.queues[*queue].stopped) else {
                continue;
            };
            let by_local_usage = self.queues[queue].by_local_usage;
            let head = heads.entry(queue).or_insert(at);
            if in_queue(by_local_usage, known, &pending[*head]).is_lt() {
                *head = at;
            }
        }
        if self.settings.fair_sharing {
            self.note_peaks();
        }
        let mut entries = Vec::new();
        for (queue, at) in heads {
            let (assignment, victims) = self.nominate(queue, &pending[at]);
            entries.push(Entry { pending: at, queue, assignment, victims });
        }
        self.peaks.clear();
        entries
    }

    /// Admits an entry, or preempts for it, or says why not.
    fn process(&mut self, entry: &Entry, progress: &mut Progress, charged: &mut Vec<Entry>) -> Verdict {
        let wait = |why: &str, again: bool| Verdict::Wait { why: why.to_owned(), again };
        let mode = entry.assignment.mode();
        if mode == Mode::NoFit {
            return wait("no flavor fits", false);
        }
        if mode == Mode::Preempt && entry.victims.is_empty() {
            self.reserve(entry, charged);
            return wait("too little quota is free, and nobody may be preempted for it", false);
        }
        if entry.victims.iter().any(|victim| progress.preempted.contains(&victim.workload)) {
            return wait("another workload preempts some of those whom it would preempt", true);
        }
        let gone: BTreeSet<usize> = progress
            .preempted
            .iter()
            .copied()
            .chain(entry.victims.iter().map(|victim| victim.workload))
            .collect();
        for workload in &gone {
            self.remove(*workload);
        }
        let fits = entry
            .assignment
            .usage
            .iter()
            .all(|(pair, amount)| *amount <= self.tree.available(entry.queue, *pair).max(0));
        for workload in &gone {
            self.put_back(*workload);
        }
        if !fits {
            return wait("it no longer fits after others in this cycle", true);
        }
        progress.preempted = gone;
        self.charge(entry, 1);
        charged.push(entry.clone());
        let (flavors, counts) = (entry.assignment.flavors.clone(), entry.assignment.counts.clone());
        if mode == Mode::Preempt {
            return Verdict::EvictFor { flavors, counts, victims: entry.victims.clone() };
        }
        Verdict::Start { flavors, counts }
    }

    /// Keeps what a blocked head could use of its own quota, unless it can always reclaim that.
    fn reserve(&mut self, entry: &Entry, charged: &mut Vec<Entry>) {
        if self.queues[entry.queue].preemption.reclaim_within_cohort == Reach::Any {
            return;
        }
        let borrows = entry.assignment.level > 0;
        let mut kept = entry.clone();
        for (pair, amount) in &mut kept.assignment.usage {
            let node = self.tree.node(entry.queue);
            let cell = node.cells[*pair].unwrap_or_default();
            let used = self.tree.usage(entry.queue, *pair);
            let own = cell.nominal.saturating_sub(used);
            *amount = match (borrows, cell.borrowing_limit) {
                (true, None) => *amount,
                (true, Some(limit)) => (*amount).min(own.saturating_add(limit)),
                (false, _) => (*amount).min(own).max(0),
            };
        }
        self.charge(&kept, 1);
        charged.push(kept);
    }
}
