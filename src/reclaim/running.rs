//! Running: who runs where, for reclaim: by pool, team and route in the order in which they give way, and by class.
//!
//! Kept with each start and stop, so that a search looks at those alone who may be its victims.
//! Absent on purpose: who may be stopped for whom (see `groups`). Layer 3; uses `state`, `tree`.

use core::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::Victim;
use crate::id::{IdVec, JobId, PoolId};
use crate::line::Place;
use crate::route::RouteId;
use crate::state::{State, Status, Stopped};
use crate::time::Timestamp;
use crate::tree::{MemberId, Tree};

/// A running job among those that differ in nothing but what would be lost, if that is all that they ran: whoever started
/// last comes first.
type Turn = (Reverse<Timestamp>, Reverse<Place>, JobId);

/// The jobs of one leaf that run in a pool by one route and may be stopped.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Alike {
    by_start: BTreeSet<Turn>,
    /// How many of them would lose something else than the time for which they ran.
    uneven: usize,
}

impl Alike {
    /// Them all, in no order that matters.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.by_start.iter().map(|(.., job)| *job)
    }

    pub(super) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// The first of those that are wanted, in the order in which they give way.
    pub(super) fn first(&self, state: &State, most: usize, wanted: impl Fn(JobId) -> bool) -> Vec<Victim> {
        let victims = self.jobs().filter(|job| wanted(*job)).filter_map(|job| Victim::new(state, job, false));
        if self.uneven == 0 {
            return victims.take(most).collect();
        }
        let mut victims: Vec<Victim> = victims.collect();
        victims.sort_unstable_by_key(|victim| victim.loss);
        victims.truncate(most);
        victims
    }
}

/// The running jobs by pool and class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Running {
    /// By pool: those of one leaf that run by one route and may be stopped.
    alike: Vec<IdVec<MemberId, BTreeMap<RouteId, Alike>>>,
    /// By pool: how many run there below each member, which stands with the one above it.
    below: Vec<BTreeMap<(MemberId, MemberId), u32>>,
    /// By pool: how many of a class run that may be stopped.
    preemptible: Vec<BTreeMap<i32, u32>>,
    classes: BTreeMap<i32, BTreeSet<JobId>>,
}

impl Running {
    pub(crate) fn new(pools: usize, tree: &Tree) -> Self {
        Self {
            alike: vec![tree.ids().map(|_| BTreeMap::new()).collect(); pools],
            below: vec![BTreeMap::new(); pools],
            preemptible: vec![BTreeMap::new(); pools],
            classes: BTreeMap::new(),
        }
    }

    /// A job has started.
    pub(crate) fn started(&mut self, state: &State, job: JobId) {
        let known = state.alive(job);
        let Status::Running { route: id, since, .. } = known.status else { return };
        let route = state.routes.route(id);
        let class = state.routes.shape(route.shape).class;
        let pool = route.pool.index();
        for member in state.tree.path(known.leaf) {
            *self.below[pool].entry((state.tree.member(member).parent, member)).or_insert(0) += 1;
        }
        self.classes.entry(class).or_default().insert(job);
        if known.spec.preemptible {
            let alike = self.alike[pool][known.leaf].entry(id).or_default();
            alike.by_start.insert((Reverse(since), Reverse(known.place), job));
            alike.uneven += usize::from(known.spec.saves());
            *self.preemptible[pool].entry(class).or_insert(0) += 1;
        }
    }

    /// A job that ran in a pool has stopped.
    pub(crate) fn stopped(&mut self, state: &State, stopped: &Stopped) {
        let Stopped { job, pool, route: id, since, .. } = *stopped;
        let pool = pool.index();
        let class = state.routes.shape(state.routes.route(id).shape).class;
        let known = state.alive(job);
        for member in state.tree.path(known.leaf) {
            remove_one(&mut self.below[pool], &(state.tree.member(member).parent, member));
        }
        if let Some(jobs) = self.classes.get_mut(&class) {
            jobs.remove(&job);
            if jobs.is_empty() {
                self.classes.remove(&class);
            }
        }
        if known.spec.preemptible {
            if let Entry::Occupied(mut alike) = self.alike[pool][known.leaf].entry(id) {
                alike.get_mut().by_start.remove(&(Reverse(since), Reverse(known.place), job));
                alike.get_mut().uneven -= usize::from(known.spec.saves());
                if alike.get().by_start.is_empty() {
                    alike.remove();
                }
            }
            remove_one(&mut self.preemptible[pool], &class);
        }
    }

    /// The jobs of a leaf that run in a pool and may be stopped, those that run by one route together.
    pub(super) fn alike(&self, pool: PoolId, leaf: MemberId) -> impl Iterator<Item = (RouteId, &Alike)> + '_ {
        self.alike[pool.index()][leaf].iter().map(|(route, alike)| (*route, alike))
    }

    /// The leaves below a member, or it alone, that have jobs in a pool.
    pub(super) fn each_leaf(&self, pool: PoolId, member: MemberId, f: &mut dyn FnMut(MemberId)) {
        // Whoever has jobs has nobody below.
        if !self.alike[pool.index()][member].is_empty() {
            return f(member);
        }
        let mut above = vec![self.children_in(pool, member)];
        let mut has_any = false;
        while let Some(children) = above.last_mut() {
            let Some(child) = children.next() else {
                above.pop();
                continue;
            };
            has_any = true;
            if self.alike[pool.index()][child].is_empty() {
                above.push(self.children_in(pool, child));
            } else {
                f(child);
            }
        }
        if !has_any {
            f(member);
        }
    }

    /// The children of a member below which any job runs in a pool.
    pub(crate) fn children_in(&self, pool: PoolId, parent: MemberId) -> impl Iterator<Item = MemberId> + '_ {
        let known = self.below[pool.index()].range((parent, MemberId::ROOT)..).map(|(key, _)| *key);
        let children = known.take_while(move |(above, _)| *above == parent).map(|(_, member)| member);
        // The root is its own parent.
        children.filter(|member| *member != MemberId::ROOT)
    }

    /// Whether any job runs in a pool below a member.
    pub(crate) fn has_below(&self, tree: &Tree, pool: PoolId, member: MemberId) -> bool {
        self.below[pool.index()].contains_key(&(tree.member(member).parent, member))
    }

    /// The jobs that run in a pool and may be stopped.
    pub(crate) fn in_pool(&self, pool: PoolId) -> impl Iterator<Item = JobId> + '_ {
        self.alike[pool.index()].iter().flat_map(BTreeMap::values).flat_map(Alike::jobs)
    }

    /// The lowest class of the jobs in a pool that may be stopped.
    pub(crate) fn lowest_class(&self, pool: PoolId) -> Option<i32> {
        self.preemptible[pool.index()].first_key_value().map(|(class, _)| *class)
    }

    /// The running jobs of lower classes, anywhere.
    pub(crate) fn below_class(&self, class: i32) -> impl Iterator<Item = JobId> + '_ {
        self.classes.range(..class).flat_map(|(_, jobs)| jobs.iter().copied())
    }
}

/// Counts one less, and forgets what is none.
fn remove_one<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
