//! Gavel: time shared in rounds, so that the smallest normalised throughput is as large as it can be.
//!
//! A linear program says for what part of its time each job should run in each pool. Every round the jobs run that are
//! furthest behind that: by part over the part of the pool's time that they have had. Between rounds nobody starts; a job
//! that gives way keeps all its work.
//!
//! After Narayanan et al., "Heterogeneity-aware cluster scheduling policies for deep learning workloads", OSDI 2020, with
//! its program's round of six minutes and at least 32 minutes between two allocations. It deviates: jobs of one shape are
//! one variable, a job that may not be preempted stays where it runs, limits of teams hold, and only the scarce resource
//! of a pool (its GPUs, else its cores) is in the program. Weights of teams are not looked at.
//!
//! Absent on purpose: packing of several jobs on one GPU. Layer 5; uses `fluid`, `state`.

use std::collections::{BTreeMap, BTreeSet};

use super::lack::lacks;
use super::{Demand, Incremental};
use crate::error::Error;
use crate::explain::Blocked;
use crate::fluid::{AlikeJobs, time_parts};
use crate::id::{JobId, PoolId, ShapeId};
use crate::job::JobSpec;
use crate::line::Place;
use crate::resources::{ResourceKind, Resources};
use crate::route::RouteId;
use crate::snapshot::{Float, Memory, Rounds, Turn};
use crate::state::{State, Stopped};
use crate::time::{Millis, Timestamp};

/// How long a round lasts.
const ROUND: Millis = Millis::new(360_000);
/// How long an allocation is kept at least.
const ALLOCATION: Millis = Millis::new(1_920_000);
/// Parts below this are nothing: the program leaves so much where nothing is due.
const LEAST_PART: f64 = 1e-6;

#[expect(
    clippy::cast_precision_loss,
    reason = "parts of time are decimals, and rounding them decides nothing exact"
)]
fn float(value: u64) -> f64 {
    value as f64
}

/// What one job is due and has had, by pool; times in ms.
#[derive(Clone, Debug)]
struct Entry {
    job: JobId,
    /// Nothing before the first allocation that knows of it.
    parts: Option<Vec<f64>>,
    had: Vec<f64>,
    /// What it was due under earlier allocations and did not have.
    owed: Vec<f64>,
}

/// The policy that shares time in rounds.
#[derive(Clone, Debug)]
pub(crate) struct Gavel {
    entries: BTreeMap<Place, Entry>,
    /// What all jobs together had in each pool under this allocation.
    had: Vec<f64>,
    pools: usize,
    /// When the round began that runs, if any.
    begun: Option<Timestamp>,
    /// How many of the entries run.
    running: usize,
    allocated: Option<Timestamp>,
    /// Somebody came or went since the last allocation.
    changed: bool,
}

/// The resource of a pool that the program divides.
fn scarce(state: &State, pool: PoolId) -> ResourceKind {
    let node = state.ledger.pool(pool).node_capacity();
    if node[ResourceKind::GPU].get() > 0 { ResourceKind::GPU } else { ResourceKind::CPU }
}

/// The fastest route of a shape in each pool.
fn routes(state: &State, shape: ShapeId, pools: usize) -> Vec<Option<RouteId>> {
    let mut best = vec![None; pools];
    for id in state.routes.shape(shape).routes() {
        let route = state.routes.route(id);
        let slot: &mut Option<RouteId> = &mut best[route.pool.index()];
        if slot.is_none_or(|known| state.routes.route(known).speed_milli < route.speed_milli) {
            *slot = Some(id);
        }
    }
    best
}

impl Gavel {
    pub(crate) fn new(state: &State) -> Self {
        let pools = state.config.pools.len();
        Self {
            entries: BTreeMap::new(),
            had: vec![0.0; pools],
            pools,
            begun: None,
            running: 0,
            allocated: None,
            changed: false,
        }
    }

    fn add(&mut self, state: &State, job: JobId) {
        let none = vec![0.0; self.pools];
        // Half a round that nobody had keeps the first priorities finite.
        let had = vec![float(ROUND.get()) / 2.0; self.pools];
        self.entries.insert(state.place(job), Entry { job, parts: None, had, owed: none });
        self.changed = true;
    }

    /// Books the time that running jobs have had since the round began.
    fn settle(&mut self, state: &State) {
        for entry in self.entries.values_mut() {
            if let (Some(route), Some(since)) = (state.route_of(entry.job), state.started_at(entry.job)) {
                let pool = state.routes.route(route).pool.index();
                let from = self.begun.map_or(since, |begun| begun.max(since));
                let ran = float(state.now.since(from).get());
                entry.had[pool] += ran;
                self.had[pool] += ran;
            }
        }
    }

    /// Works out anew what every job is due, if anybody came or went and the last time is long ago, or
    /// nobody who is here had a part in it.
    fn allocate(&mut self, state: &State) {
        let since = self.allocated.map(|at| state.now.since(at));
        // Where nobody has a part yet, whoever comes need not wait for the next time.
        let some_have = self.entries.values().any(|entry| entry.parts.is_some());
        if !self.changed || some_have && since.is_some_and(|since| since < ALLOCATION) {
            return;
        }
        let mut shapes: BTreeMap<ShapeId, usize> = BTreeMap::new();
        for entry in self.entries.values() {
            *shapes.entry(state.alive(entry.job).shape).or_insert(0) += 1;
        }
        let pools = (0..self.pools).map(PoolId::at);
        let capacity: Vec<f64> = pools
            .clone()
            .map(|pool| {
                let known = state.ledger.pool(pool);
                let node = known.node_capacity()[scarce(state, pool)].get();
                float(node.saturating_mul(u64::from(known.nodes_up())))
            })
            .collect();
        let jobs: Vec<AlikeJobs> = shapes
            .iter()
            .map(|(shape, count)| {
                let needs = |(pool, route): (PoolId, Option<RouteId>)| {
                    let route = state.routes.route(route?);
                    let held = float(route.total[scarce(state, pool)].get().max(1));
                    Some((held, f64::from(route.speed_milli)))
                };
                let routes = routes(state, *shape, self.pools);
                AlikeJobs { count: *count, pools: pools.clone().zip(routes).map(needs).collect() }
            })
            .collect();
        let Some(parts) = time_parts(&capacity, &jobs) else { return };
        let of_shape: BTreeMap<ShapeId, Vec<f64>> = shapes.into_keys().zip(parts).collect();
        let elapsed = since.map_or(0.0, |since| float(since.get()));
        let start = float(ROUND.get()) / 2.0;
        for entry in self.entries.values_mut() {
            for pool in 0..self.pools {
                let due = entry.parts.as_ref().map_or(0.0, |parts| parts[pool] * elapsed);
                entry.owed[pool] += due - (entry.had[pool] - start);
                entry.had[pool] = start;
            }
            entry.parts = of_shape.get(&state.alive(entry.job).shape).cloned();
        }
        self.had = vec![start * float(self.entries.len() as u64); self.pools];
        self.allocated = Some(state.now);
        self.changed = false;
    }

    /// Who runs in the round that begins, in order of service, with the route.
    fn chosen(&self, state: &State) -> Vec<(JobId, RouteId)> {
        let mut free: Vec<Resources> = (0..self.pools)
            .map(|pool| {
                let known = state.ledger.pool(PoolId::at(pool));
                known.node_capacity().checked_mul(u64::from(known.nodes_up())).unwrap_or_default()
            })
            .collect();
        let mut chosen: Vec<(JobId, RouteId)> = Vec::new();
        let mut take = |free: &mut Vec<Resources>, job: JobId, id: RouteId| {
            let route = state.routes.route(id);
            let left = free[route.pool.index()].checked_sub(&route.total);
            if let Some(left) = left {
                free[route.pool.index()] = left;
                chosen.push((job, id));
            }
            left.is_some()
        };
        let mut candidates: Vec<(f64, f64, f64, Place, JobId, RouteId)> = Vec::new();
        for (place, entry) in &self.entries {
            let known = state.alive(entry.job);
            if let (false, Some(route)) = (state.preemptible(entry.job), state.route_of(entry.job)) {
                take(&mut free, entry.job, route);
                continue;
            }
            let Some(parts) = &entry.parts else { continue };
            let routes = routes(state, known.shape, self.pools);
            for (pool, route) in routes.into_iter().enumerate() {
                let Some(route) = route.filter(|_| parts[pool] > LEAST_PART) else { continue };
                let behind = parts[pool] * self.had[pool] / entry.had[pool];
                candidates.push((behind, entry.owed[pool], parts[pool], *place, entry.job, route));
            }
        }
        candidates.sort_by(|a, b| {
            b.0.total_cmp(&a.0)
                .then(b.1.total_cmp(&a.1))
                .then(b.2.total_cmp(&a.2))
                .then((a.3, a.5).cmp(&(b.3, b.5)))
        });
        let mut served: BTreeSet<JobId> = BTreeSet::new();
        for (.., job, route) in candidates {
            if !served.contains(&job) && take(&mut free, job, route) {
                served.insert(job);
            }
        }
        chosen
    }

    fn round_end(&self) -> Option<Timestamp> {
        self.begun?.checked_add(ROUND)
    }
}

impl Incremental for Gavel {
    fn copy(&self) -> Box<dyn Incremental> {
        Box::new(self.clone())
    }

    fn rank(&self, _: &JobSpec, _: &Demand<'_>) -> u64 {
        0
    }

    fn waits(&mut self, state: &State, job: JobId) {
        self.add(state, job);
    }

    fn adopted(&mut self, state: &State, job: JobId) {
        self.add(state, job);
        self.running += 1;
    }

    fn withdrawn(&mut self, state: &State, job: JobId) {
        self.entries.remove(&state.place(job));
        self.changed = true;
    }

    fn stopped(&mut self, state: &State, stopped: &Stopped) {
        self.entries.remove(&state.place(stopped.job));
        self.running -= 1;
        self.changed = true;
    }

    fn resized(&mut self, _: &State, _: PoolId) {
        self.changed = true;
        self.begun = None;
    }

    fn cycle(&mut self, state: &mut State) -> Result<(), Error> {
        state.budgets.tick(state.now);
        let over = self.running == 0 || self.round_end().is_none_or(|end| end <= state.now);
        if self.entries.is_empty() || !over {
            return Ok(());
        }
        self.settle(state);
        self.allocate(state);
        let chosen = self.chosen(state);
        let stays: BTreeMap<JobId, RouteId> = chosen.iter().copied().collect();
        let stopped: Vec<JobId> = self
            .entries
            .values()
            .filter(|entry| {
                let runs = state.route_of(entry.job);
                runs.is_some() && runs.as_ref() != stays.get(&entry.job)
            })
            .map(|entry| entry.job)
            .collect();
        for job in stopped {
            state.pause(job);
            self.running -= 1;
        }
        for (job, route) in chosen {
            let (leaf, waits) = (state.alive(job).leaf, state.route_of(job).is_none());
            if waits && state.denies(leaf, route).is_none() {
                self.running += usize::from(state.start(leaf, state.waiter(job), route, &[]));
            }
        }
        self.begun = Some(state.now);
        Ok(())
    }

    fn blocked(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error> {
        let waiting = state.job(job)?;
        let routes = state.routes.shape(waiting.shape).routes();
        let mut reasons: Vec<Blocked> = routes.flat_map(|route| lacks(state, waiting.leaf, route)).collect();
        if let Some(until) = self.round_end().filter(|end| *end > state.now) {
            reasons.push(Blocked::Round { until });
        }
        if reasons.is_empty() {
            reasons.push(Blocked::Nothing);
        }
        Ok(reasons)
    }

    fn check(&self, state: &State) -> Result<(), String> {
        let alive = state.jobs().count();
        let known = self
            .entries
            .iter()
            .filter(|(place, entry)| state.job(entry.job).is_ok() && state.place(entry.job) == **place);
        let known = known.count();
        let running = self.entries.values().filter(|entry| state.route_of(entry.job).is_some()).count();
        if running != self.running {
            return Err(format!("{running} jobs run, {} are known to", self.running));
        }
        if alive == known && known == self.entries.len() {
            return Ok(());
        }
        Err(format!("{alive} jobs are alive, {} share time, {known} of them alive", self.entries.len()))
    }

    fn next_wakeup(&self, _: &State) -> Option<Timestamp> {
        self.round_end().filter(|_| !self.entries.is_empty())
    }

    fn memory(&self, _: &State) -> Memory {
        let written = |amounts: &[f64]| amounts.iter().copied().map(Float::of).collect::<Vec<_>>();
        let turn = |entry: &Entry| Turn {
            job: entry.job,
            parts: entry.parts.as_deref().map(written),
            had: written(&entry.had),
            owed: written(&entry.owed),
        };
        let turns = self.entries.values().map(turn).collect();
        let rounds = Rounds { begun: self.begun, allocated: self.allocated, had: written(&self.had), turns };
        Memory { changed: self.changed, rounds: Some(rounds), ..Memory::default() }
    }

    fn remember(&mut self, state: &State, memory: &Memory) {
        let Some(rounds) = &memory.rounds else { return };
        let read = |amounts: &[Float]| amounts.iter().copied().map(Float::get).collect::<Vec<_>>();
        (self.begun, self.allocated, self.changed) = (rounds.begun, rounds.allocated, memory.changed);
        self.had = read(&rounds.had);
        for turn in &rounds.turns {
            if let Some(entry) = self.entries.get_mut(&state.place(turn.job)) {
                entry.parts = turn.parts.as_deref().map(read);
                (entry.had, entry.owed) = (read(&turn.had), read(&turn.owed));
            }
        }
    }

    fn waiting(&self) -> usize {
        self.entries.len() - self.running
    }

    fn comparisons(&self) -> u64 {
        0
    }
}
