//! Local: what the local queues of a replay have used, where a cluster queue admits by it.
//!
//! A local queue is the user of a job within its team. Usage is sampled as Kueue does: at every multiple of the sampling
//! interval it moves towards what is held at that instant, and what was added at admissions since the last sample is
//! forgotten, for it shows in the usage then. In between it stands still, so that no sample is an event of its own.
//! Absent on purpose: the formulas (see `fairshare::kueue`), and who waits.

use std::collections::BTreeMap;

use fairshare::kueue::{Usage, decayed, entry_penalty};
use fairshare::{Millis, PolicySpec, Weight};
use serde_json::Value;

use super::error::KueueError;
use super::objects::Objects;
use crate::trace::Trace;

/// How local queues are weighed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weights {
    /// Of local queues, by namespace and name with a slash between them; one where none is said, `None` for zero.
    of_queue: BTreeMap<String, Option<Weight>>,
    /// Of resources; one where none is said.
    of_resource: BTreeMap<String, f64>,
}

impl Weights {
    /// What `[[kueue]]` of a scenario says.
    pub(crate) fn new(objects: &[Value]) -> Result<Self, KueueError> {
        let objects = Objects::of_values("the scenario", objects)?;
        let named = |((namespace, name), queue): (&(String, String), &super::queue::LocalQueue)| {
            (format!("{namespace}/{name}"), queue.weight)
        };
        let of_queue = objects.local_queues.iter().map(named).collect();
        Ok(Self { of_queue, of_resource: objects.configuration.resource_weights.clone() })
    }
}

/// One local queue.
#[derive(Debug, Default)]
struct Local {
    weight: Option<Weight>,
    usage: Usage,
    held: BTreeMap<String, i64>,
    /// What those of it that run hold, by position in the cluster.
    running: BTreeMap<usize, Vec<(String, i64)>>,
}

/// All local queues that have held something.
#[derive(Debug)]
pub(super) struct Locals {
    /// For each queue whether its heads go by usage.
    by_usage: Vec<bool>,
    /// By queue and user.
    known: BTreeMap<(usize, u32), Local>,
    /// Of each user.
    weights: Vec<Option<Weight>>,
    of_resource: BTreeMap<String, f64>,
    half_life_s: f64,
    interval_ms: i64,
    /// How many intervals had passed at the last instant; all are sampled together.
    samples: i64,
}

fn whole(length: Millis) -> i64 {
    i64::try_from(length.get()).unwrap_or(i64::MAX)
}

fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact to a millisecond for a quarter of a million years")]
    let ms = ms as f64;
    ms / 1_000.0
}

fn amount(held: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "usage is a float as in Kueue")]
    let held = held as f64;
    held
}

impl Locals {
    pub(super) fn new(by_usage: Vec<bool>, weights: &Weights, policy: &PolicySpec, trace: &Trace) -> Self {
        let weight = |name: &str| weights.of_queue.get(name).copied().unwrap_or(Some(Weight::ONE));
        Self {
            by_usage,
            known: BTreeMap::new(),
            weights: trace.users.iter().map(weight).collect(),
            of_resource: weights.of_resource.clone(),
            half_life_s: seconds(whole(policy.half_life)),
            interval_ms: whole(policy.rank_period).max(1),
            samples: i64::MIN,
        }
    }

    /// Whether usage counts in a queue.
    pub(super) fn count(&self, queue: usize) -> bool {
        self.by_usage[queue]
    }

    /// The number under which a job's user is known in the lines of a queue.
    pub(super) fn of(&self, queue: usize, user: u32) -> u32 {
        if self.by_usage[queue] { user } else { 0 }
    }

    /// What heads are compared by first; nothing where usage does not matter, or nothing was used.
    pub(super) fn usage(&self, queue: usize, user: u32) -> f64 {
        if !self.by_usage[queue] {
            return 0.0;
        }
        match self.known.get(&(queue, user)) {
            Some(local) => local.usage.scalar(&self.of_resource, local.weight),
            None => Usage::default().scalar(&self.of_resource, self.weight(user)),
        }
    }

    /// One for jobs of which no user is known.
    fn weight(&self, user: u32) -> Option<Weight> {
        self.weights.get(user as usize).copied().unwrap_or(Some(Weight::ONE))
    }

    /// The same for the library.
    pub(super) fn usage_if_it_counts(&self, queue: usize, user: u32) -> Option<f64> {
        self.by_usage[queue].then(|| self.usage(queue, user))
    }

    /// Takes all samples up to an instant, before anything happens at it; who runs in a queue whose usage counts, if there
    /// was a sample to take.
    pub(super) fn sample(&mut self, now: i64) -> Option<Vec<(usize, f64)>> {
        let samples = now.div_euclid(self.interval_ms);
        let passed = samples.saturating_sub(std::mem::replace(&mut self.samples, samples));
        if passed == 0 {
            return None;
        }
        let mut running = Vec::new();
        // Nothing has changed hands in between, so that all of them are one.
        let elapsed_s = seconds(passed.saturating_mul(self.interval_ms));
        for local in self.known.values_mut() {
            local.usage.penalty.clear();
            for (resource, held) in &local.held {
                let consumed = local.usage.consumed.entry(resource.clone()).or_default();
                *consumed = decayed(*consumed, amount(*held), elapsed_s, self.half_life_s);
            }
            let usage = local.usage.scalar(&self.of_resource, local.weight);
            running.extend(local.running.keys().map(|at| (*at, usage)));
        }
        Some(running)
    }

    /// A job is admitted; who runs in its local queue, with what that has used now.
    pub(super) fn admit(
        &mut self,
        (queue, user): (usize, u32),
        at: usize,
        asks: &[(String, String, i64)],
    ) -> Vec<(usize, f64)> {
        let weight = self.weight(user);
        let fresh = || Local { weight, ..Local::default() };
        let local = self.known.entry((queue, user)).or_insert_with(fresh);
        for (_, resource, asked) in asks {
            *local.held.entry(resource.clone()).or_default() += asked;
            let penalty = entry_penalty(amount(*asked), seconds(self.interval_ms), self.half_life_s);
            *local.usage.penalty.entry(resource.clone()).or_default() += penalty;
        }
        let held = asks.iter().map(|(_, resource, asked)| (resource.clone(), *asked));
        local.running.insert(at, held.collect());
        let usage = local.usage.scalar(&self.of_resource, local.weight);
        local.running.keys().map(|at| (*at, usage)).collect()
    }

    /// A job has given back what it held.
    pub(super) fn release(&mut self, queue: usize, user: u32, at: usize) {
        let Some(local) = self.known.get_mut(&(queue, user)) else { return };
        for (resource, amount) in local.running.remove(&at).unwrap_or_default() {
            if let Some(known) = local.held.get_mut(&resource) {
                *known -= amount;
            }
        }
    }
}
