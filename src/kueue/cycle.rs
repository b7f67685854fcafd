//! Cycle: one pass over the heads of all queues, in which some are admitted and some preempt others.
//!
//! A workload that preempts is not admitted in the same cycle: its victims have to end first. What it asks counts as used
//! for those that come after it.

use core::borrow::Borrow;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::order::{Entry, in_queue};
use super::spec::{Mode, Pending, Reach};
use super::tree::{NodeIndex, Pair, Usage};
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
        why: Cow<'static, str>,
        /// Whether another cycle may decide otherwise though nothing has happened in between.
        again: bool,
    },
    /// A head that cannot fit under the present quotas, even if nothing were used: no choice of flavors holds it with as
    /// few pods as it allows.
    ///
    /// One that some choice would hold waits, though on an empty cluster the flavors are tried in an order that may not come
    /// to that choice: the order is another while something is used.
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
    /// What is used without those who are preempted; `None` while nobody is.
    relieved: Option<Usage>,
    /// What counts as used beside what is admitted.
    charged: Vec<(NodeIndex, Vec<(Pair, i64)>)>,
}

impl Cluster {
    /// Decides once about the pending workloads; the cluster is as before afterwards.
    ///
    /// Of each queue the head alone is looked at, even if it cannot fit; all others wait.
    pub fn cycle<P: Borrow<Pending>>(&mut self, pending: &[P]) -> Outcome {
        let pending: Vec<&Pending> = pending.iter().map(Borrow::borrow).collect();
        self.decide(&pending)
    }

    fn decide(&mut self, pending: &[&Pending]) -> Outcome {
        let queues: Vec<Option<NodeIndex>> = pending.iter().map(|known| self.queue(&known.queue)).collect();
        let mut verdicts: Vec<Option<Verdict>> = pending.iter().map(|_| None).collect();
        let entries = self.entries(pending, &queues);
        let mut heads = self.line_up(entries, pending);
        let mut order = Vec::new();
        let mut progress = Progress::default();
        while let Some(entry) = self.next_entry(&mut heads, pending) {
            order.push(entry.pending);
            let at = entry.pending;
            verdicts[at] = Some(self.process(entry, pending[at], &mut progress));
        }
        for (queue, usage) in progress.charged {
            self.charge(queue, &usage, -1);
        }
        let known = verdicts.into_iter().zip(pending.iter().zip(&queues));
        let verdicts = known.map(|(verdict, (pending, queue))| {
            verdict.unwrap_or_else(|| self.verdict_of_no_head(pending, *queue))
        });
        Outcome { order, verdicts: verdicts.collect() }
    }

    /// What is said of somebody who is no head.
    fn verdict_of_no_head(&self, pending: &Pending, queue: Option<NodeIndex>) -> Verdict {
        let Some(queue) = queue else {
            return Verdict::Reject { why: format!("there is no cluster queue `{}`", pending.queue) };
        };
        if self.queues[queue].stopped {
            let why = format!("cluster queue `{}` is stopped", pending.queue);
            return Verdict::Wait { why: why.into(), again: false };
        }
        Verdict::Wait { why: "others of its queue come first".into(), again: true }
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
                let queue = &pending.queue;
                format!("resource unavailable: cluster queue `{queue}` has no quota of {resource}")
            }
            None => "it asks for more than its queue could ever use".to_owned(),
        };
        Some(Verdict::Reject { why })
    }

    /// The heads with their flavors and victims.
    fn entries(&mut self, pending: &[&Pending], queues: &[Option<NodeIndex>]) -> Vec<Entry> {
        let mut heads: BTreeMap<NodeIndex, usize> = BTreeMap::new();
        for (at, (known, queue)) in pending.iter().zip(queues).enumerate() {
            let Some(queue) = queue.filter(|queue| !self.queues[*queue].stopped) else { continue };
            let by_local_usage = self.queues[queue].by_local_usage;
            let head = heads.entry(queue).or_insert(at);
            if in_queue(by_local_usage, known, pending[*head]).is_lt() {
                *head = at;
            }
        }
        let mut entries = Vec::new();
        for (queue, at) in heads {
            let (assignment, victims) = self.nominate(queue, pending[at]);
            entries.push(Entry { pending: at, queue, assignment, victims });
        }
        entries
    }

    /// Admits an entry, or preempts for it, or says why not.
    fn process(&mut self, entry: Entry, pending: &Pending, progress: &mut Progress) -> Verdict {
        let wait = |why: &'static str, again: bool| Verdict::Wait { why: why.into(), again };
        let mode = entry.assignment.mode();
        if mode == Mode::NoFit {
            let why = entry.assignment.lack.unwrap_or_default();
            return self
                .impossible(entry.queue, pending)
                .unwrap_or(Verdict::Wait { why: why.into(), again: false });
        }
        if mode == Mode::Preempt && entry.victims.is_empty() {
            self.reserve(entry, progress);
            return wait("too little quota is free, and nobody may be preempted for it", false);
        }
        if entry.victims.iter().any(|victim| progress.preempted.contains(&victim.workload)) {
            return wait("another workload preempts some of those whom it would preempt", true);
        }
        if !self.fits_without(&entry, &mut progress.relieved) {
            return wait("it no longer fits after others in this cycle", true);
        }
        progress.preempted.extend(entry.victims.iter().map(|victim| victim.workload));
        let flavors = self.flavors(&entry.assignment);
        self.charge_all(entry.queue, entry.assignment.usage, progress);
        let counts = entry.assignment.counts;
        if mode == Mode::Preempt {
            return Verdict::EvictFor { flavors, counts, victims: entry.victims };
        }
        Verdict::Start { flavors, counts }
    }

    /// Whether an entry fits once its victims and those of others are gone; its victims are gone from then on if so.
    fn fits_without(&mut self, entry: &Entry, relieved: &mut Option<Usage>) -> bool {
        let fits = |cluster: &Self| {
            let mut usage = entry.assignment.usage.iter();
            usage.all(|(pair, amount)| *amount <= cluster.tree.available(entry.queue, *pair).max(0))
        };
        if relieved.is_none() && entry.victims.is_empty() {
            return fits(self);
        }
        let mut usage = relieved.take().unwrap_or_else(|| self.tree.all_usage());
        self.tree.exchange_usage(&mut usage);
        self.relieve(entry, -1);
        let fits = fits(self);
        if !fits {
            self.relieve(entry, 1);
        }
        self.tree.exchange_usage(&mut usage);
        *relieved = Some(usage);
        fits
    }

    /// Takes the usage of an entry's victims away, or puts it back.
    fn relieve(&mut self, entry: &Entry, sign: i64) {
        for victim in &entry.victims {
            let known = &self.admitted[victim.workload];
            for (pair, amount) in &known.usage {
                self.tree.add(known.queue, *pair, sign.saturating_mul(*amount));
            }
        }
    }

    /// Keeps what a blocked head could use of its own quota, unless it can always reclaim that.
    fn reserve(&mut self, entry: Entry, progress: &mut Progress) {
        if self.queues[entry.queue].preemption.reclaim_within_cohort == Reach::Any {
            return;
        }
        let borrows = entry.assignment.level > 0;
        let mut kept = entry.assignment.usage;
        for (pair, amount) in &mut kept {
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
        self.charge_all(entry.queue, kept, progress);
    }

    /// Counts amounts as used for all that follow in the cycle.
    fn charge_all(&mut self, queue: NodeIndex, usage: Vec<(Pair, i64)>, progress: &mut Progress) {
        self.charge(queue, &usage, 1);
        if let Some(relieved) = &mut progress.relieved {
            self.tree.exchange_usage(relieved);
            self.charge(queue, &usage, 1);
            self.tree.exchange_usage(relieved);
        }
        progress.charged.push((queue, usage));
    }
}
