//! Reclaim: who gives way first, who may be stopped for whom, and which set of running jobs makes room.
//!
//! Victims are taken in a total order: those that are not guaranteed, the lowest class, those whose team would be served
//! last, the least lost work, the latest start, the last place.
//! Absent on purpose: when anybody is looked for. Layer 3; uses `state`, `tree`, `dominant`.

mod alike;
mod legal;
mod search;

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::legal::{Fairness, Refusal, Rules, Wanted, is_hopeless, judge};
pub(crate) use self::search::{Bounds, Plan, search};

use crate::dominant::Holding;
use crate::id::{JobId, NodeId, PoolId};
use crate::line::Place;
use crate::resources::{MAX_KINDS, ResourceKind};
use crate::route::RouteId;
use crate::state::{State, Status};
use crate::time::{Millis, Timestamp};
use crate::tree::{MemberId, Tree};

/// What a job loses: GPU time, then time, then what tells equals apart.
pub(crate) type Loss = (u128, Millis, Reverse<Timestamp>, Reverse<Place>);

/// A running job that may have to give way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Victim {
    pub(crate) job: JobId,
    pub(crate) leaf: MemberId,
    pub(crate) class: i32,
    /// Counts as guaranteed, where that is looked at.
    pub(crate) guaranteed: bool,
    pub(crate) loss: Loss,
}

impl Victim {
    /// A running job, guaranteed or not.
    pub(crate) fn new(state: &State, job: JobId, guaranteed: bool) -> Option<Self> {
        let known = state.alive(job);
        let Status::Running { route, since, .. } = known.status else { return None };
        let route = state.routes.route(route);
        let (lost, gpus) = (state.lost(job), route.total[ResourceKind::GPU]);
        let gpu_time = u128::from(lost.get()) * u128::from(gpus.get());
        let loss = (gpu_time, lost, Reverse(since), Reverse(known.place));
        Some(Self { job, leaf: known.leaf, class: state.routes.shape(route.shape).class, guaranteed, loss })
    }

    /// `Less` gives way first.
    pub(crate) fn compare(&self, tree: &Tree, other: &Self) -> Ordering {
        let rank = (self.guaranteed, self.class).cmp(&(other.guaranteed, other.class));
        let by_team = || compare_leaves(tree, self.leaf, other.leaf).reverse();
        rank.then_with(by_team).then_with(|| self.loss.cmp(&other.loss))
    }
}

/// Whether one of two siblings holds less than the other, by their keys K now.
pub(crate) fn holds_less(tree: &Tree, a: MemberId, b: MemberId) -> bool {
    holding(tree, a).compare_now(&holding(tree, b)) == Ordering::Less
}

fn holding(tree: &Tree, member: MemberId) -> Holding<'_> {
    let usage = tree.usage(member);
    Holding { usage, charge: &[0; MAX_KINDS][..usage.len()], scale: tree.scale(member) }
}

/// Which of two leaves is served first by the keys K now of the members that compete for them.
pub(crate) fn compare_leaves(tree: &Tree, a: MemberId, b: MemberId) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = tree.rivals(a, b);
    let ties = |member| {
        let member = tree.member(member);
        (member.running, member.served, member.tie)
    };
    holding(tree, a).compare_now(&holding(tree, b)).then_with(|| ties(a).cmp(&ties(b)))
}

/// The running jobs by pool and class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Running {
    /// By pool: by which route each runs.
    pools: Vec<BTreeMap<JobId, RouteId>>,
    /// By pool: those of one leaf that run by one route.
    alike: Vec<BTreeMap<(MemberId, RouteId), BTreeSet<JobId>>>,
    /// By pool: how many of a class run that may be stopped.
    preemptible: Vec<BTreeMap<i32, u32>>,
    classes: BTreeMap<i32, BTreeSet<JobId>>,
}

impl Running {
    pub(crate) fn new(pools: usize) -> Self {
        let (alike, preemptible) = (vec![BTreeMap::new(); pools], vec![BTreeMap::new(); pools]);
        Self { pools: vec![BTreeMap::new(); pools], alike, preemptible, classes: BTreeMap::new() }
    }

    /// A job has started.
    pub(crate) fn started(&mut self, state: &State, job: JobId) {
        let Some(id) = state.route_of(job) else { return };
        let route = state.routes.route(id);
        let class = state.routes.shape(route.shape).class;
        let (pool, known) = (route.pool.index(), state.alive(job));
        self.pools[pool].insert(job, id);
        self.alike[pool].entry((known.leaf, id)).or_default().insert(job);
        self.classes.entry(class).or_default().insert(job);
        if known.spec.preemptible {
            *self.preemptible[pool].entry(class).or_insert(0) += 1;
        }
    }

    /// A job that ran in a pool has stopped.
    pub(crate) fn stopped(&mut self, state: &State, pool: PoolId, job: JobId) {
        let Some(route) = self.pools[pool.index()].remove(&job) else { return };
        let class = state.routes.shape(state.routes.route(route).shape).class;
        let known = state.alive(job);
        let key = (known.leaf, route);
        remove_of(&mut self.alike[pool.index()], &key, job);
        remove_of(&mut self.classes, &class, job);
        if let Some(count) = self.preemptible[pool.index()].get_mut(&class).filter(|_| known.spec.preemptible)
        {
            *count -= 1;
            if *count == 0 {
                self.preemptible[pool.index()].remove(&class);
            }
        }
    }

    /// The jobs that run in a pool, those of one leaf that run by one route together.
    pub(crate) fn alike_in(
        &self,
        pool: PoolId,
    ) -> impl Iterator<Item = (MemberId, RouteId, &BTreeSet<JobId>)> + '_ {
        self.alike[pool.index()].iter().map(|((leaf, route), jobs)| (*leaf, *route, jobs))
    }

    /// The lowest class of the jobs in a pool that may be stopped.
    pub(crate) fn lowest_class(&self, pool: PoolId) -> Option<i32> {
        self.preemptible[pool.index()].first_key_value().map(|(class, _)| *class)
    }

    /// The lowest class of all running jobs, anywhere, that may be stopped or not.
    pub(crate) fn lowest_of_all(&self) -> Option<i32> {
        self.classes.first_key_value().map(|(class, _)| *class)
    }

    /// The running jobs of lower classes, anywhere.
    pub(crate) fn below_class(&self, class: i32) -> impl Iterator<Item = JobId> + '_ {
        self.classes.range(..class).flat_map(|(_, jobs)| jobs.iter().copied())
    }
}

/// Takes a job out of a set, and the set away where it was the last.
fn remove_of<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<JobId>>, key: &K, job: JobId) {
    if let Some(jobs) = sets.get_mut(key) {
        jobs.remove(&job);
        if jobs.is_empty() {
            sets.remove(key);
        }
    }
}

/// The jobs that run in a pool.
pub(crate) fn running_in(state: &State, pool: PoolId) -> Vec<JobId> {
    let here = |status: Status| match status {
        Status::Running { route, .. } => state.routes.route(route).pool == pool,
        _ => false,
    };
    state.jobs().filter(|(_, job)| here(job.status)).map(|(id, _)| id).collect()
}

/// Which of the jobs that run in a pool gives way next when only `nodes_up` nodes of it are left: one on a node that is lost;
/// in a divisible pool, one that holds some of what is short, until the rest fits.
pub(crate) fn first_without_room(
    state: &State,
    pool: PoolId,
    nodes_up: u32,
    is_lost: &dyn Fn(NodeId) -> bool,
    running: &[JobId],
) -> Option<JobId> {
    let known = state.ledger.pool(pool);
    let capacity = known.node_capacity().checked_mul(u64::from(nodes_up)).unwrap_or_default();
    let is_over = |kind: ResourceKind| known.taken()[kind] > capacity[kind];
    let must_go = |id: JobId| {
        if !known.is_divisible() {
            return state.spans(id).any(|span| is_lost(span.node));
        }
        match state.alive(id).status {
            Status::Running { route, .. } => {
                state.routes.route(route).total.iter().any(|(kind, _)| is_over(kind))
            }
            _ => false,
        }
    };
    let victims = running.iter().copied().filter(|id| must_go(*id));
    let victims = victims.filter_map(|id| Victim::new(state, id, state.is_guaranteed_at_top(id)));
    victims.min_by(|a, b| a.compare(&state.tree, b)).map(|victim| victim.job)
}
