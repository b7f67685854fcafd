//! Running: who runs where, for reclaim: by pool, team and route in the order in which they give way, and by class.
//!
//! Kept with each start and stop, so that a search looks at those alone who may be its victims.
//! Absent on purpose: who may be stopped for whom (see `groups`). Layer 3; uses `state`, `tree`.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

use super::Victim;
use crate::id::{IdVec, JobId, PoolId, position};
use crate::line::Place;
use crate::resources::Resources;
use crate::route::RouteId;
use crate::state::{State, Status, Stopped};
use crate::time::Timestamp;
use crate::tree::{MemberId, Tree};

/// A running job among those that differ in nothing but what would be lost, if that is all that they ran: whoever started
/// last gives way first.
type Turn = (Timestamp, Place, JobId);

/// The jobs of one leaf that run in a pool by one route and may be stopped.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Alike {
    by_start: BTreeSet<Turn>,
    /// How many of them would lose something else than the time for which they ran.
    uneven: usize,
}

impl Alike {
    /// Them all, whoever started last first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.by_start.iter().rev().map(|(.., job)| *job)
    }

    pub(super) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// The first of those that are wanted, in the order in which they give way, in the memory of `victims`.
    pub(super) fn first(
        &self,
        state: &State,
        most: usize,
        wanted: impl Fn(JobId) -> bool,
        victims: &mut Vec<Victim>,
    ) {
        let all = self.jobs().filter(|job| wanted(*job)).filter_map(|job| Victim::new(state, job, false));
        victims.clear();
        if self.uneven == 0 {
            victims.extend(all.take(most));
            return;
        }
        victims.extend(all);
        victims.sort_unstable_by_key(|victim| victim.loss);
        victims.truncate(most);
    }
}

/// What runs in one pool and may be stopped, of one leaf.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Own {
    /// By route, sorted.
    alike: Vec<(RouteId, Alike)>,
    /// What any of them holds at least, of every resource.
    least: Resources,
}

impl Own {
    fn find(&self, route: RouteId) -> Result<usize, usize> {
        self.alike.binary_search_by_key(&route, |(known, _)| *known)
    }

    /// There are other routes than before.
    fn settle(&mut self, state: &State) {
        let held = self.alike.iter().map(|(route, _)| state.routes.route(*route).total);
        self.least = held.reduce(|a, b| a.min_each(&b)).unwrap_or_default();
    }
}

/// What runs in one pool.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Here {
    own: IdVec<MemberId, Own>,
    /// How many jobs run below each member.
    below: IdVec<MemberId, u32>,
    /// The members below which any runs, each with the one above it.
    members: BTreeSet<(MemberId, MemberId)>,
    /// How many of a class run that may be stopped.
    preemptible: BTreeMap<i32, u32>,
    /// The lowest of them.
    lowest: Option<i32>,
}

/// The running jobs by pool and class.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pools: IdVec<PoolId, Here>,
    /// Those of one class, in no order that matters.
    classes: BTreeMap<i32, Vec<JobId>>,
    /// The lowest of them.
    lowest: Option<i32>,
    /// By slot: where a job stands among those of its class.
    at: Vec<u32>,
}

impl Running {
    pub(crate) fn new(pools: usize, tree: &Tree) -> Self {
        let here = Here {
            own: tree.ids().map(|_| Own::default()).collect(),
            below: tree.ids().map(|_| 0).collect(),
            members: BTreeSet::new(),
            preemptible: BTreeMap::new(),
            lowest: None,
        };
        Self {
            pools: (0..pools).map(|_| here.clone()).collect(),
            classes: BTreeMap::new(),
            lowest: None,
            at: Vec::new(),
        }
    }

    /// A job has started.
    pub(crate) fn started(&mut self, state: &State, job: JobId) {
        let known = state.alive(job);
        let Status::Running { route: id, since, .. } = known.status() else { return };
        let route = state.routes.route(id);
        let class = state.routes.shape(route.shape).class;
        let here = &mut self.pools[route.pool];
        for member in state.tree.path(known.leaf) {
            here.below[member] += 1;
            if here.below[member] == 1 {
                here.members.insert((state.tree.member(member).parent, member));
            }
        }
        self.lowest = Some(self.lowest.map_or(class, |lowest| lowest.min(class)));
        let jobs = self.classes.entry(class).or_default();
        if job.slot() >= self.at.len() {
            self.at.resize(job.slot() + 1, 0);
        }
        self.at[job.slot()] = position(jobs.len());
        jobs.push(job);
        if state.spec(job).preemptible {
            let own = &mut here.own[known.leaf];
            let at = own.find(id).unwrap_or_else(|at| {
                own.alike.insert(at, (id, Alike::default()));
                own.settle(state);
                at
            });
            let (_, alike) = &mut own.alike[at];
            alike.by_start.insert((since, state.place(job), job));
            alike.uneven += usize::from(state.spec(job).saves());
            *here.preemptible.entry(class).or_insert(0) += 1;
            here.lowest = Some(here.lowest.map_or(class, |lowest| lowest.min(class)));
        }
    }

    /// A job that ran in a pool has stopped.
    pub(crate) fn stopped(&mut self, state: &State, stopped: &Stopped) {
        let Stopped { job, pool, route: id, since, .. } = *stopped;
        let class = state.routes.shape(state.routes.route(id).shape).class;
        let known = state.alive(job);
        let here = &mut self.pools[pool];
        for member in state.tree.path(known.leaf) {
            here.below[member] -= 1;
            if here.below[member] == 0 {
                here.members.remove(&(state.tree.member(member).parent, member));
            }
        }
        if let Some(jobs) = self.classes.get_mut(&class) {
            let at = self.at[job.slot()];
            jobs.swap_remove(at as usize);
            match jobs.get(at as usize) {
                Some(moved) => self.at[moved.slot()] = at,
                None if jobs.is_empty() => {
                    self.classes.remove(&class);
                    self.lowest = self.classes.first_key_value().map(|(class, _)| *class);
                }
                None => {}
            }
        }
        if state.spec(job).preemptible {
            let own = &mut here.own[known.leaf];
            if let Ok(at) = own.find(id) {
                let (_, alike) = &mut own.alike[at];
                alike.by_start.remove(&(since, state.place(job), job));
                alike.uneven -= usize::from(state.spec(job).saves());
                if alike.by_start.is_empty() {
                    own.alike.remove(at);
                    own.settle(state);
                }
            }
            if let Some(count) = here.preemptible.get_mut(&class) {
                *count -= 1;
                if *count == 0 {
                    here.preemptible.remove(&class);
                    here.lowest = here.preemptible.first_key_value().map(|(class, _)| *class);
                }
            }
        }
    }

    /// The jobs of a leaf that run in a pool and may be stopped, those that run by one route together.
    pub(super) fn alike(&self, pool: PoolId, leaf: MemberId) -> impl Iterator<Item = (RouteId, &Alike)> + '_ {
        self.pools[pool].own[leaf].alike.iter().map(|(route, alike)| (*route, alike))
    }

    /// What a member loses at least of every resource that loses any job in a pool, if it has jobs there and no members below it.
    #[inline]
    pub(super) fn least(&self, pool: PoolId, member: MemberId) -> Option<&Resources> {
        let own = &self.pools[pool].own[member];
        (!own.alike.is_empty()).then_some(&own.least)
    }

    /// Whether a member itself has jobs in a pool that may be stopped.
    #[inline]
    pub(super) fn has_own(&self, pool: PoolId, member: MemberId) -> bool {
        !self.pools[pool].own[member].alike.is_empty()
    }

    /// The children of a member below which any job runs in a pool.
    pub(crate) fn children_in(&self, pool: PoolId, parent: MemberId) -> impl Iterator<Item = MemberId> + '_ {
        let known = self.pools[pool].members.range((parent, MemberId::ROOT)..);
        let children = known.take_while(move |(above, _)| *above == parent).map(|(_, member)| *member);
        // The root is its own parent.
        children.filter(|member| *member != MemberId::ROOT)
    }

    /// Whether any job runs in a pool below a member.
    #[inline]
    pub(crate) fn has_below(&self, pool: PoolId, member: MemberId) -> bool {
        self.pools[pool].below[member] > 0
    }

    /// The jobs that run in a pool and may be stopped.
    pub(crate) fn in_pool(&self, pool: PoolId) -> impl Iterator<Item = JobId> + '_ {
        let alike = self.pools[pool].own.iter().flat_map(|own| &own.alike);
        alike.flat_map(|(_, alike)| alike.jobs())
    }

    /// The lowest class of the jobs in a pool that may be stopped.
    #[inline]
    pub(crate) fn lowest_class(&self, pool: PoolId) -> Option<i32> {
        self.pools[pool].lowest
    }

    /// The lowest class above one, or of all, of the jobs in a pool that may be stopped.
    #[inline]
    pub(super) fn next_class(&self, pool: PoolId, after: Option<i32>) -> Option<i32> {
        let Some(after) = after else { return self.lowest_class(pool) };
        let above = (Bound::Excluded(after), Bound::Unbounded);
        self.pools[pool].preemptible.range(above).next().map(|(class, _)| *class)
    }

    /// The lowest class of the jobs that run anywhere.
    #[inline]
    pub(crate) fn lowest(&self) -> Option<i32> {
        self.lowest
    }

    /// Whether any job of a lower class runs anywhere.
    #[inline]
    pub(crate) fn any_below_class(&self, class: i32) -> bool {
        self.lowest.is_some_and(|lowest| lowest < class)
    }

    /// The running jobs of lower classes, anywhere, in no order that matters.
    pub(crate) fn below_class(&self, class: i32) -> impl Iterator<Item = JobId> + '_ {
        self.classes.range(..class).flat_map(|(_, jobs)| jobs.iter().copied())
    }

    /// Whether these are the jobs that run.
    pub(crate) fn is_right(&self, state: &State) -> bool {
        let mut new = Self::new(self.pools.len(), &state.tree);
        for (id, _) in state.jobs() {
            new.started(state, id);
        }
        let sorted = |running: &Self| {
            let mut classes = running.classes.clone();
            for jobs in classes.values_mut() {
                jobs.sort_unstable();
            }
            classes
        };
        new.pools == self.pools && sorted(&new) == sorted(self)
    }
}
