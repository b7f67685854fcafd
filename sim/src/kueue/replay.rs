//! Replay of a trace under Kueue's rules: pools as flavors, teams as cluster queues, quota alone decides.
//!
//! At every instant: completions, then arrivals, then cycles until one changes nothing: the next would be the same. A victim gives its quota back at
//! once and waits again from the next instant on, at the latest a second later, so that no instant lasts for ever. Kueue's
//! fair preemption can go round: two that take turns in preempting each other would do so for as long as nothing else
//! happens. So whoever has been preempted several times since the last job came or ended waits until the next one does. The
//! first alternative of a job that is not refused counts. Absent on purpose: nodes, reservations, and Kueue's rules (see the
//! library).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::Write as _;

use fairshare::kueue::{
    Cluster, Cohort, Pending, PodSet, Quota, Reason, ResourceGroup, Strategy, Verdict, Workload,
};
use fairshare::{Eligible, EvictReason, LogDigest, PoolId, Timestamp};

use super::export::GPU_HERE;
use super::lines::{Lines, QueueLines, Waiting};
use super::local::Locals;
use super::said::{Said, Stand};
use super::tree::{ROOT, Tree, pool_names, settings, signed};
use crate::error::SimError;
use crate::observer::{Cause, Observer, Transition, What};
use crate::record::{Fate, LostAttempt, Outcome, Place, Record, Rejected};
use crate::saved::{Begin, Saved, speed};
use crate::setup::Setup;
use crate::trace::Trace;

/// How many cycles pass between two looks at the flag that interrupts.
const CYCLES_PER_LOOK: u32 = 256;
/// When a victim is looked at again, if nothing happens before.
const BACK_AFTER_MS: i64 = 1_000;
/// So often may a job be preempted while no job comes or ends.
const PREEMPTIONS_AT_REST: u32 = 3;

/// Kueue's part of `[policy]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KueueRules {
    /// Whether shares decide: the order of heads, and who is preempted.
    pub fair_sharing: bool,
    /// The strategies of fair preemption.
    pub strategies: &'static [Strategy],
    /// The tree is as the teams say: those without parent share nothing, and a team has the flavors that its quota names.
    /// Else every pool is everybody's flavor, and one cohort is above all.
    pub as_written: bool,
}

impl Default for KueueRules {
    fn default() -> Self {
        let strategies = &[Strategy::LessThanOrEqualToFinalShare, Strategy::LessThanInitialShare];
        Self { fair_sharing: true, strategies, as_written: false }
    }
}

impl KueueRules {
    /// The policy as `--policy` takes it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        if self.fair_sharing { "kueue" } else { "kueue,fair_sharing=false" }
    }
}

/// A shape of the trace as pods, or why jobs of it are rejected.
pub(super) type Shape = Result<(Pending, u16), String>;

/// A job that is alive.
#[derive(Debug, Clone, Copy, Default)]
struct Live {
    attempt: u32,
    /// Its position in the cluster, while it runs.
    at: Option<usize>,
    /// It has waited since, or runs since, ms.
    since: i64,
    /// How often it was preempted since the event of this number.
    preempted: (u32, u64),
}

struct Replay<'a, O: Observer> {
    setup: &'a Setup,
    trace: &'a Trace,
    observer: &'a mut O,
    cluster: Cluster,
    pools: BTreeMap<&'a str, PoolId>,
    shapes: Vec<Shape>,
    /// The first shape that asks the same, by shape: jobs of both wait in one line.
    line_of: Vec<u32>,
    /// What the last head of each queue and shape asked.
    asked: Vec<BTreeMap<u32, Pending>>,
    lines: Lines,
    locals: Locals,
    /// The queue of each team.
    queue_of: Vec<Option<usize>>,
    queue_names: Vec<String>,
    /// Queues that may gain from what ends in others.
    gainers: Gainers,
    /// Groups of queues in which something has ended since the last cycle.
    freed: BTreeSet<usize>,
    live: Vec<Live>,
    /// Rows by position in the cluster.
    running: Vec<u32>,
    ends: BinaryHeap<Reverse<(i64, u32, u32)>>,
    /// Victims that wait for the next instant.
    back: Vec<u32>,
    back_at: i64,
    /// Victims that wait until a job comes or ends.
    held: Vec<u32>,
    /// Of the job that somebody watches.
    said: Option<Said>,
    /// How many instants had jobs that came or ended.
    events: u64,
    saved: Saved,
    digest: LogDigest,
    record: Record,
}

/// Replays everything; ends early, with a record marked as interrupted, once `interrupted` says so.
pub(crate) fn replay<O: Observer>(
    setup: &Setup,
    rules: KueueRules,
    trace: &Trace,
    observer: &mut O,
    interrupted: &dyn Fn() -> bool,
) -> Result<Record, SimError> {
    let tree = Tree::new(&setup.config, rules, &setup.kueue_parts)?;
    let cluster = Cluster::new(settings(rules), &tree.cohorts, &tree.queues, Vec::new());
    let cluster = cluster.map_err(|error| SimError::usage(error.to_string()))?;
    let mut record = Record::default();
    record.outcomes.resize(trace.jobs.len(), Outcome::default());
    let by_usage = tree.queues.iter().map(|queue| queue.admission_fair_sharing);
    let gainers = gainers(&tree);
    let shapes = shapes(setup, trace);
    let rules = tree.queues.iter().zip(&tree.strict).zip(&gainers.group).map(|((queue, strict), tree)| {
        QueueLines { strict: *strict, by_usage: queue.admission_fair_sharing, tree: *tree }
    });
    let mut replay = Replay {
        setup,
        trace,
        observer,
        cluster,
        pools: pool_names(&setup.config),
        line_of: first_of_equals(&shapes),
        shapes,
        asked: tree.queues.iter().map(|_| BTreeMap::new()).collect(),
        lines: Lines::new(rules.collect()),
        locals: Locals::new(by_usage.collect(), &setup.local_queues, &setup.config.policy, trace),
        queue_of: tree.queue_of.clone(),
        queue_names: tree.queues.iter().map(|queue| queue.name.clone()).collect(),
        gainers,
        freed: BTreeSet::new(),
        live: vec![Live::default(); trace.jobs.len()],
        running: Vec::new(),
        ends: BinaryHeap::new(),
        back: Vec::new(),
        back_at: 0,
        held: Vec::new(),
        said: None,
        events: 0,
        saved: Saved::default(),
        digest: LogDigest::new(),
        record,
    };
    let watched = replay.observer.watched().and_then(|row| Some((row, replay.queue(row)?)));
    let line = |row: u32| replay.line_of[trace.jobs[row as usize].shape as usize];
    replay.said = watched.map(|(row, queue)| Said::new(row, queue, line(row)));
    replay.run(interrupted)
}

/// A head of which it is not known what it asks.
fn unasked(now: i64) -> SimError {
    let at_s = Timestamp::from_millis(now).to_string();
    SimError::Bug { at_s, what: "the head of a line asks nothing".to_owned() }
}

/// The scheduler's word for Kueue's reason.
fn rule(reason: Reason) -> EvictReason {
    match reason {
        Reason::InClusterQueue => EvictReason::OwnTeam,
        Reason::InCohortReclamation => EvictReason::Quota,
        Reason::InCohortFairSharing => EvictReason::FairShare,
        Reason::InCohortReclaimWhileBorrowing => EvictReason::Priority,
    }
}

/// Every shape as pods of the first alternative that is not refused, with that alternative's position in the trace.
pub(super) fn shapes(setup: &Setup, trace: &Trace) -> Vec<Shape> {
    let shape = |shape| {
        let (spec, kept) = setup.shape(shape)?;
        let first = &spec.alternatives[0];
        let named = |(index, pool): (usize, &fairshare::PoolSpec)| {
            let eligible = match &first.pools {
                Eligible::Any => true,
                Eligible::Accelerator(name) => pool.accelerator.as_ref() == Some(name),
                Eligible::Pools(pools) => pools.iter().any(|pool| pool.index() == index),
            };
            eligible.then(|| pool.name.clone())
        };
        let flavors: Vec<String> = setup.config.pools.iter().enumerate().filter_map(named).collect();
        let kinds = &setup.config.kinds;
        let asks = first.request.iter().map(|(kind, each)| (kinds.name(kind), signed(each.get())));
        let mut pending = Pending::new("", "", vec![PodSet::new("main", first.workers, asks.collect())]);
        pending.priority = spec.class;
        pending.pod_sets[0].flavors = (flavors.len() < setup.config.pools.len()).then_some(flavors);
        Ok((pending, kept.first().copied().unwrap_or(0)))
    };
    trace.shapes.iter().map(shape).collect()
}

/// For each shape the first that asks the same at the same priority, whatever words say either.
fn first_of_equals(shapes: &[Shape]) -> Vec<u32> {
    let mut first = BTreeMap::new();
    let mut of_shape = Vec::with_capacity(shapes.len());
    for (at, shape) in (0..).zip(shapes) {
        of_shape.push(shape.as_ref().map_or(at, |(pending, _)| {
            let sets = pending.pod_sets.iter().map(|set| (set.count, &set.requests, &set.flavors));
            let asks: Vec<_> = sets.collect();
            *first.entry((pending.priority, asks)).or_insert(at)
        }));
    }
    of_shape
}

/// Who gains when something ends: all of the same tree. Below the cohort that this program puts above all, whoever borrows
/// nothing is a tree of its own, unless another could take what it lends.
struct Gainers {
    /// The group of each queue.
    group: Vec<usize>,
    /// The queues that gain from each group.
    gain: Vec<Vec<usize>>,
}

fn gainers(tree: &Tree) -> Gainers {
    let cohorts: BTreeMap<&str, &Cohort> =
        tree.cohorts.iter().map(|cohort| (cohort.name.as_str(), cohort)).collect();
    // The highest that teams or objects name, with its quotas, and whether the cohort above all is above it.
    let tops = tree.queues.iter().map(|queue| {
        let mut top = (queue.name.as_str(), queue.groups.as_slice());
        let mut above = queue.cohort.as_deref();
        while let Some(cohort) = above.filter(|name| *name != ROOT).and_then(|name| cohorts.get(name)) {
            top = (cohort.name.as_str(), cohort.groups.as_slice());
            above = cohort.parent.as_deref();
        }
        (top.0, top.1, above.is_some())
    });
    let tops: Vec<(&str, &[ResourceGroup], bool)> = tops.collect();
    let all = |groups: &[ResourceGroup], is: fn(&Quota) -> bool| {
        groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.quotas).all(is)
    };
    let borrows_nothing = |groups: &[ResourceGroup]| all(groups, |quota| quota.borrowing_limit == Some(0));
    let lends_nothing = |groups: &[ResourceGroup]| all(groups, |quota| quota.lending_limit == Some(0));
    let nobody_borrows = tops.iter().all(|(_, groups, _)| borrows_nothing(groups));
    let group = |(name, groups, below): &(&str, &[ResourceGroup], bool)| {
        let apart = !below || nobody_borrows || borrows_nothing(groups) && lends_nothing(groups);
        apart.then(|| (*name).to_owned())
    };
    let groups: Vec<Option<String>> = tops.iter().map(group).collect();
    let names: BTreeSet<&Option<String>> = groups.iter().collect();
    let gain = |group: &&Option<String>| {
        let gains = |at: &usize| groups[*at].is_none() || groups[*at] == **group;
        (0..groups.len()).filter(gains).collect()
    };
    let position = |group: &Option<String>| names.iter().position(|name| *name == group).unwrap_or(0);
    Gainers { group: groups.iter().map(position).collect(), gain: names.iter().map(gain).collect() }
}

impl<O: Observer> Replay<'_, O> {
    fn run(mut self, interrupted: &dyn Fn() -> bool) -> Result<Record, SimError> {
        let (mut next_row, mut cycles) = (0, 0_u32);
        while let Some(now) = self.next_instant(next_row) {
            self.record.end_ms = now;
            if let Some(sampled) = self.locals.sample(now) {
                self.note_usage(&sampled);
                self.lines.stir_by_usage();
            }
            for row in std::mem::take(&mut self.back) {
                self.wait(row);
            }
            let (came, mut ended) = (next_row, false);
            while let Some((at, row, attempt)) = self.next_end().filter(|end| end.0 <= now) {
                self.ends.pop();
                self.end(at, row, attempt)?;
                ended = true;
            }
            while let Some(job) = self.trace.jobs.get(next_row).filter(|job| job.submit_ms <= now) {
                let row = u32::try_from(next_row).unwrap_or(u32::MAX);
                if next_row == 0 {
                    self.record.begin_ms = job.submit_ms;
                }
                next_row += 1;
                self.live[row as usize].since = job.submit_ms;
                if let Some(reason) = self.refuses(row) {
                    self.reject(now, row, &reason)?;
                    continue;
                }
                self.record.outcomes[row as usize] = Outcome::waiting(job.submit_ms, None);
                self.wait(row);
            }
            if ended || came < next_row {
                self.events += 1;
                for row in std::mem::take(&mut self.held) {
                    self.wait(row);
                }
            }
            while self.cycle(now)? {
                cycles = cycles.wrapping_add(1);
                if cycles.is_multiple_of(CYCLES_PER_LOOK) && interrupted() {
                    self.record.interrupted = true;
                    break;
                }
            }
            self.tell_wait(now);
            self.observer.instant(now, next_row);
            if self.record.interrupted {
                break;
            }
        }
        self.record.close(None);
        let end = self.record.end_ms;
        for (live, outcome) in self.live.iter().zip(&self.record.outcomes) {
            if outcome.fate == Fate::Waiting {
                self.record.waited_ms += u128::try_from(end.saturating_sub(live.since)).unwrap_or(0);
            }
        }
        self.record.digest = self.digest.to_string();
        Ok(self.record)
    }

    fn next_instant(&mut self, next_row: usize) -> Option<i64> {
        let arrival = self.trace.jobs.get(next_row).map(|job| job.submit_ms);
        let end = self.next_end().map(|(at, ..)| at);
        if arrival.or(end).is_none() {
            // Nothing else will happen, so that nobody has to wait for it.
            self.back.append(&mut self.held);
        }
        let back = (!self.back.is_empty()).then_some(self.back_at);
        [arrival, end, back].into_iter().flatten().min()
    }

    /// The next end of an attempt that runs: when, whose, and which. Those of attempts that were preempted are forgotten.
    fn next_end(&mut self) -> Option<(i64, u32, u32)> {
        loop {
            let (at, row, attempt) = self.ends.peek()?.0;
            let live = &self.live[row as usize];
            if live.attempt == attempt && live.at.is_some() {
                return Some((at, row, attempt));
            }
            self.ends.pop();
        }
    }

    /// Where a job waits; cohorts that are as written have nobody of their own.
    fn queue(&self, row: u32) -> Option<usize> {
        self.queue_of[self.setup.team_of[self.trace.jobs[row as usize].team as usize].index()]
    }

    /// Why a job is rejected when it comes.
    fn refuses(&self, row: u32) -> Option<String> {
        let job = &self.trace.jobs[row as usize];
        let by_rules =
            self.setup.refuses(job).or_else(|| self.shapes[job.shape as usize].as_ref().err().cloned());
        let homeless = || "its team is a cohort, in which no job can wait".to_owned();
        by_rules.or_else(|| self.queue(row).is_none().then(homeless))
    }

    /// The cluster queue and the local queue of a job.
    fn local(&self, row: u32) -> Option<(usize, u32)> {
        let queue = self.queue(row)?;
        Some((queue, self.locals.of(queue, self.trace.jobs[row as usize].user)))
    }

    /// Puts a job in its line.
    fn wait(&mut self, row: u32) {
        let job = &self.trace.jobs[row as usize];
        let priority = self.shapes[job.shape as usize].as_ref().map_or(0, |(asks, _)| asks.priority);
        if let Some(queue) = self.queue(row) {
            let local = self.locals.of(queue, job.user);
            let (shape, submit_ms) = (self.line_of[job.shape as usize], job.submit_ms);
            self.lines.join(Waiting { queue, shape, local, submit_ms, row }, priority);
        }
    }

    /// Tells the cluster what local queues have used.
    fn note_usage(&mut self, running: &[(usize, f64)]) {
        for (at, usage) in running {
            self.cluster.note_local_usage(*at, Some(*usage));
        }
    }

    /// One cycle over the heads of all trees in which something has happened; whether there was one.
    fn cycle(&mut self, now: i64) -> Result<bool, SimError> {
        for group in std::mem::take(&mut self.freed) {
            for gainer in &self.gainers.gain[group] {
                self.lines.wake(*gainer);
            }
        }
        let locals = &self.locals;
        let heads = self.lines.heads(|queue, user| locals.usage(queue, user));
        if heads.is_empty() {
            return Ok(false);
        }
        for head in &heads {
            self.ask(*head);
        }
        let asked = |head: &Waiting| self.asked[head.queue].get(&head.shape).ok_or_else(|| unasked(now));
        let pending: Vec<&Pending> = heads.iter().map(asked).collect::<Result<_, _>>()?;
        let outcome = self.cluster.cycle(&pending);
        if let Some(said) = &mut self.said {
            for (head, verdict) in heads.iter().zip(&outcome.verdicts) {
                said.note(head, verdict);
            }
        }
        for at in outcome.order {
            let head = heads[at];
            let row = head.row;
            match &outcome.verdicts[at] {
                Verdict::Start { flavors, .. } => {
                    self.lines.leave(head);
                    self.start(now, head, flavors)?;
                }
                Verdict::EvictFor { victims, .. } => {
                    for victim in victims {
                        self.evict(now, self.running[victim.workload], victim.reason, row)?;
                    }
                    self.lines.stir(head.queue);
                }
                // Looked at again once somebody has done something, as whoever stood in its way has.
                Verdict::Wait { again: true, .. } => {}
                Verdict::Wait { again: false, .. } => self.lines.park(head.queue, head.shape),
                Verdict::Reject { why } => {
                    self.lines.leave(head);
                    self.reject(now, row, why)?;
                }
            }
        }
        Ok(true)
    }

    /// The head of a line as Kueue sees it: what all of its line ask, and who it is.
    fn ask(&mut self, head: Waiting) {
        let Waiting { queue, shape, local, submit_ms, row } = head;
        let Ok((asks, _)) = &self.shapes[shape as usize] else { return };
        let pending = self.asked[queue].entry(shape).or_insert_with(|| {
            let mut pending = asks.clone();
            pending.queue.clone_from(&self.queue_names[queue]);
            pending
        });
        pending.created_ms = submit_ms;
        pending.local_usage = self.locals.usage_if_it_counts(queue, local);
        // Rows are in the order of time and name.
        pending.uid.clear();
        let _ = write!(pending.uid, "{row:010}");
    }

    fn start(
        &mut self,
        now: i64,
        head: Waiting,
        flavors: &[BTreeMap<String, String>],
    ) -> Result<(), SimError> {
        let row = head.row;
        let pending = self.asked[head.queue].get(&head.shape).ok_or_else(|| unasked(now))?;
        let mut usage = Vec::new();
        for (set, flavors) in pending.pod_sets.iter().zip(flavors) {
            for (resource, each) in &set.requests {
                let Some(flavor) = flavors.get(resource) else { continue };
                usage.push((flavor.clone(), resource.clone(), each.saturating_mul(i64::from(set.count))));
            }
        }
        let pool = self.measured_in(&usage);
        let local = Some((head.queue, head.local)).filter(|(queue, _)| self.locals.count(*queue));
        let asks = if local.is_some() { usage.clone() } else { Vec::new() };
        let at = self.cluster.admit(Workload {
            name: String::new(),
            uid: pending.uid.clone(),
            queue: pending.queue.clone(),
            priority: pending.priority,
            created_ms: pending.created_ms,
            reserved_ms: now,
            evicted: false,
            usage,
            local_usage: None,
        });
        let at = at.map_err(|error| SimError::usage(error.to_string()))?;
        if let Some(local) = local {
            let running = self.locals.admit(local, at, &asks);
            self.note_usage(&running);
        }
        if self.running.len() <= at {
            self.running.resize(at + 1, u32::MAX);
        }
        self.running[at] = row;
        let job = &self.trace.jobs[row as usize];
        let alternative = self.shapes[job.shape as usize].as_ref().map_or(0, |(_, alternative)| *alternative);
        let live = &mut self.live[row as usize];
        let waited_ms = now.abs_diff(live.since);
        *live = Live { attempt: live.attempt + 1, at: Some(at), since: now, ..*live };
        let attempt = live.attempt;
        let (place, run_ms) = (Place { pool, alternative, nodes: 0 }, job.run_ms);
        let begin = Begin { now, waited_ms, place, run_ms, speed_milli: speed(self.trace, row, alternative) };
        let end = self.saved.begin((self.setup, self.trace, row), begin, &mut self.record)?;
        self.ends.push(Reverse((end, row, attempt)));
        self.tell(Transition { at: now, what: What::Started, row, attempt, pool, alternative, cause: None })
    }

    /// The pool in which a job is measured, which may draw on several: that of its GPUs, else of its first resource.
    fn measured_in(&self, usage: &[(String, String, i64)]) -> u32 {
        let of_gpus = usage.iter().find(|(_, resource, _)| resource == GPU_HERE);
        let flavor = of_gpus.or(usage.first()).map(|(flavor, ..)| flavor.as_str());
        let pool = flavor.and_then(|flavor| self.pools.get(flavor));
        pool.map_or(0, |pool| u32::try_from(pool.index()).unwrap_or(u32::MAX))
    }

    /// What a job held is free, and others may gain from it.
    fn release(&mut self, row: u32) {
        let at = self.live[row as usize].at.take();
        if let Some((at, (queue, user))) = at.zip(self.local(row)) {
            self.cluster.release(at);
            self.locals.release(queue, user, at);
        }
        if let Some(queue) = self.queue(row) {
            self.freed.insert(self.gainers.group[queue]);
        }
    }

    fn end(&mut self, now: i64, row: u32, attempt: u32) -> Result<(), SimError> {
        self.release(row);
        let outcome = &mut self.record.outcomes[row as usize];
        outcome.end_ms = now;
        outcome.fate = Fate::Ended;
        let Place { pool, alternative, .. } = self.record.places.get(outcome.place);
        let what = self.record.ending(row);
        self.tell(Transition { at: now, what, row, attempt, pool, alternative, cause: None })
    }

    fn evict(&mut self, now: i64, row: u32, reason: Reason, by: u32) -> Result<(), SimError> {
        self.release(row);
        let live = &mut self.live[row as usize];
        live.since = now;
        let (times, since) = live.preempted;
        live.preempted = (if since == self.events { times + 1 } else { 1 }, self.events);
        let attempt = live.attempt;
        if live.preempted.0 < PREEMPTIONS_AT_REST {
            self.back.push(row);
        } else {
            self.held.push(row);
            self.record.held += 1;
        }
        self.back_at = now.saturating_add(BACK_AFTER_MS);
        let cause = |lost_ms| Cause { reason: rule(reason), by: Some(by), lost_ms };
        let job = (self.setup, self.trace, row);
        let lost = self.saved.stop(job, (now, false), &mut self.record, cause);
        let LostAttempt { pool, alternative, cause, .. } = lost;
        let cause = Some(cause);
        self.tell(Transition { at: now, what: What::Evicted, row, attempt, pool, alternative, cause })
    }

    fn reject(&mut self, at: i64, row: u32, reason: &str) -> Result<(), SimError> {
        self.record.outcomes[row as usize].fate = Fate::Rejected;
        let first = self.trace.names.get(row as usize).to_string();
        let known = self.record.rejected.entry(reason.to_owned());
        let rejected = known.or_insert(Rejected { first, ..Rejected::default() });
        rejected.count += 1;
        rejected.rows.push(row);
        self.observer.rejected(row, reason);
        let what = What::Rejected;
        self.tell(Transition { at, what, row, attempt: 0, pool: 0, alternative: 0, cause: None })
    }

    /// Tells why the job waits that somebody watches, where it does.
    fn tell_wait(&mut self, now: i64) {
        let Some(said) = &self.said else { return };
        let row = said.row;
        if self.record.outcomes[row as usize].fate != Fate::Waiting {
            return;
        }
        let stand = if self.back.contains(&row) {
            Stand::Back
        } else if self.held.contains(&row) {
            Stand::Held
        } else if self.lines.is_parked(said.queue, said.shape) {
            Stand::Parked
        } else {
            Stand::InLine
        };
        let (why, ahead) = said.why(stand);
        self.observer.waits(now, row, &why, ahead);
    }

    fn tell(&mut self, transition: Transition) -> Result<(), SimError> {
        if let Some(entry) = transition.entry(transition.row) {
            self.digest.add(&entry);
        }
        self.observer.transition(transition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::trace::TraceOptions;

    #[test]
    fn jobs_that_ask_the_same_in_other_words_wait_in_one_line() {
        let text = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 8, cpu = 8 }\n[[pool]]\nname = 't4'\nnodes = 1\n\
                    node = { gpu = 8 }\n[[priority]]\nname = 'p1'\nvalue = 1\n[policy]\norder = 'kueue'\n";
        let rows = "job_id,submit_s,run_s,team,gpu,priority,pools,workers\na,0,1,x,1,p1,,1\nb,0,1,x,1,1,,1\n\
                    c,0,1,x,1,01,l4|t4,1\nd,0,1,x,1,2,,1\ne,0,1,x,1,,,1\nf,0,1,x,1,0,,1\ng,0,1,x,1,1,l4,1\nh,0,1,x,1,1,,2\n";
        let trace = Trace::from_native("jobs", rows.as_bytes().to_vec(), &TraceOptions::default()).unwrap();
        let setup = Setup::new(&Scenario::parse("demo", text, &[]).unwrap(), &trace).unwrap();
        let line_of = first_of_equals(&shapes(&setup, &trace));
        let lines: Vec<u32> = trace.jobs.iter().map(|job| line_of[job.shape as usize]).collect();
        let of = |name: usize| lines[name];
        assert_eq!([of(1), of(2), of(5)], [of(0), of(0), of(4)], "{lines:?}");
        let different: BTreeSet<u32> = [0, 3, 4, 6, 7].map(of).into();
        assert_eq!(different.len(), 5, "{lines:?}");
    }
}
