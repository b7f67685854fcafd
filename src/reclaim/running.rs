//! Running: who runs where, for reclaim: by pool, team and route in the order in which they give way, and by class.
//!
//! Kept with each start and stop, so that a search looks at those alone who may be its victims.
//! Absent on purpose: who may be stopped for whom (see `groups`). Layer 3; uses `state`, `tree`.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

use super::Victim;
use crate::id::{IdVec, JobId, PoolId, position};
use crate::resources::Resources;
use crate::route::RouteId;
use crate::state::{State, Status, Stopped};
use crate::tree::{MemberId, Tree};

/// No slot.
const NOBODY: u32 = u32::MAX;

/// Where a running job stands, by slot.
#[derive(Clone, Copy, Debug)]
struct Stands {
    /// Among those of its class.
    at: u32,
    /// Who started next after it of those that differ in nothing but what would be lost, and who before it: their slots. Of a
    /// job that may not be stopped nothing is said.
    later: u32,
    earlier: u32,
}

/// Running jobs that differ in nothing but what would be lost: if that is all that they ran, whoever started last gives way
/// first, and of those that started at once whoever has the last place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Chain {
    /// The slots of whoever gives way first, and last.
    last: u32,
    first: u32,
    len: u32,
    /// How many of them would lose something else than the time for which they ran.
    uneven: u32,
}

/// Nobody.
const EMPTY: Chain = Chain { last: NOBODY, first: NOBODY, len: 0, uneven: 0 };

impl Chain {
    /// A job has started: as a rule after all others, or, where those that run are told one after the other, before them. In
    /// between it takes a step for each that started later.
    fn link(&mut self, state: &State, stands: &mut [Stands], job: JobId) {
        let key = |slot: u32| {
            let job = state.in_slot(slot);
            (state.started_at(job), state.place(job))
        };
        let slot = position(job.slot());
        let precedes = |other: u32| other != NOBODY && key(slot) < key(other);
        let (mut later, mut earlier) = (NOBODY, self.last);
        if precedes(self.last) && precedes(self.first) {
            (later, earlier) = (self.first, NOBODY);
        }
        while precedes(earlier) {
            (later, earlier) = (earlier, stands[earlier as usize].earlier);
        }
        self.join(stands, (earlier, slot));
        self.join(stands, (slot, later));
        self.len += 1;
        self.uneven += u32::from(state.spec(job).saves());
    }

    /// A job is gone.
    fn unlink(&mut self, state: &State, stands: &mut [Stands], job: JobId) {
        let Stands { later, earlier, .. } = stands[job.slot()];
        self.join(stands, (earlier, later));
        self.len -= 1;
        self.uneven -= u32::from(state.spec(job).saves());
    }

    /// The second of two follows the first.
    fn join(&mut self, stands: &mut [Stands], (earlier, later): (u32, u32)) {
        match stands.get_mut(earlier as usize) {
            Some(its) => its.later = later,
            None => self.first = later,
        }
        match stands.get_mut(later as usize) {
            Some(its) => its.earlier = earlier,
            None => self.last = earlier,
        }
    }
}

/// The jobs of one leaf that run in a pool by one route and may be stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alike<'a> {
    chain: Chain,
    stands: &'a [Stands],
}

impl<'a> Alike<'a> {
    /// Them all, whoever started last first.
    pub(super) fn jobs(&self, state: &'a State) -> impl Iterator<Item = JobId> + use<'a> {
        let (stands, last) = (self.stands, self.chain.last);
        let one = |slot: u32| (slot != NOBODY).then_some(slot);
        let slots = core::iter::successors(one(last), move |slot| one(stands[*slot as usize].earlier));
        slots.map(|slot| state.in_slot(slot))
    }

    pub(super) fn len(&self) -> usize {
        self.chain.len as usize
    }

    /// Whether both ways lead through the same jobs.
    fn is_linked(&self) -> bool {
        let one = |slot: u32| (slot != NOBODY).then_some(slot);
        let back =
            core::iter::successors(one(self.chain.last), |slot| one(self.stands[*slot as usize].earlier));
        let on = core::iter::successors(one(self.chain.first), |slot| one(self.stands[*slot as usize].later));
        let mut back: Vec<u32> = back.collect();
        back.reverse();
        back.len() == self.len() && on.eq(back)
    }

    /// The first of those that are wanted, in the order in which they give way, in the memory of `victims`.
    pub(super) fn first(
        &self,
        state: &'a State,
        most: usize,
        wanted: impl Fn(JobId) -> bool,
        victims: &mut Vec<Victim>,
    ) {
        let all =
            self.jobs(state).filter(|job| wanted(*job)).filter_map(|job| Victim::new(state, job, false));
        victims.clear();
        if self.chain.uneven == 0 {
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
    alike: Vec<(RouteId, Chain)>,
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
    /// By slot.
    stands: Vec<Stands>,
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
            stands: Vec::new(),
        }
    }

    /// A job has started.
    pub(crate) fn started(&mut self, state: &State, job: JobId) {
        let known = state.alive(job);
        let Status::Running { route: id, .. } = known.status() else { return };
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
        if job.slot() >= self.stands.len() {
            self.stands.resize(job.slot() + 1, Stands { at: 0, later: NOBODY, earlier: NOBODY });
        }
        self.stands[job.slot()].at = position(jobs.len());
        jobs.push(job);
        if state.preemptible(job) {
            let own = &mut here.own[known.leaf];
            let at = own.find(id).unwrap_or_else(|at| {
                own.alike.insert(at, (id, EMPTY));
                own.settle(state);
                at
            });
            let (_, alike) = &mut own.alike[at];
            alike.link(state, &mut self.stands, job);
            *here.preemptible.entry(class).or_insert(0) += 1;
            here.lowest = Some(here.lowest.map_or(class, |lowest| lowest.min(class)));
        }
    }

    /// A job that ran in a pool has stopped.
    pub(crate) fn stopped(&mut self, state: &State, stopped: &Stopped) {
        let Stopped { job, pool, route: id, .. } = *stopped;
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
            let at = self.stands[job.slot()].at;
            jobs.swap_remove(at as usize);
            match jobs.get(at as usize) {
                Some(moved) => self.stands[moved.slot()].at = at,
                None if jobs.is_empty() => {
                    self.classes.remove(&class);
                    self.lowest = self.classes.first_key_value().map(|(class, _)| *class);
                }
                None => {}
            }
        }
        if state.preemptible(job) {
            let own = &mut here.own[known.leaf];
            if let Ok(at) = own.find(id) {
                let (_, alike) = &mut own.alike[at];
                alike.unlink(state, &mut self.stands, job);
                if alike.len == 0 {
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
    pub(super) fn alike(
        &self,
        pool: PoolId,
        leaf: MemberId,
    ) -> impl Iterator<Item = (RouteId, Alike<'_>)> + '_ {
        let stands = &self.stands[..];
        self.pools[pool].own[leaf]
            .alike
            .iter()
            .map(|(route, chain)| (*route, Alike { chain: *chain, stands }))
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
    pub(crate) fn in_pool<'a>(&'a self, state: &'a State, pool: PoolId) -> impl Iterator<Item = JobId> + 'a {
        let leaves = state.tree.ids().flat_map(move |leaf| self.alike(pool, leaf));
        leaves.flat_map(|(_, alike)| alike.jobs(state))
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

    /// Whether these are the jobs that run, each where it belongs.
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
        let jobs = |running: &Self| {
            let pools = (0..self.pools.len()).map(PoolId::at);
            pools.map(|pool| running.in_pool(state, pool).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let pools = (0..self.pools.len()).map(PoolId::at);
        let mut alike = pools.flat_map(|pool| state.tree.ids().flat_map(move |leaf| self.alike(pool, leaf)));
        alike.all(|(_, alike)| alike.is_linked())
            && new.pools == self.pools
            && sorted(&new) == sorted(self)
            && jobs(&new) == jobs(self)
    }
}
