//! Reclaim: who gives way first, who may be stopped for whom, and which set of running jobs makes room.
//!
//! Victims are taken in a total order: those that are not guaranteed, the lowest class, those whose team would be served
//! last, the least lost work, the latest start, the last place.
//! Absent on purpose: when anybody is looked for. Layer 3; uses `state`, `tree`, `dominant`.

mod alike;
mod groups;
mod hopeless;
mod legal;
mod noted;
mod ranks;
mod running;
mod search;
mod spare;

pub(crate) use self::hopeless::{Hopeless, Plainly, hopeless, plainly, would_hold};
pub(crate) use self::legal::{Fairness, Rules, Wanted, judge};
use self::ranks::Ranks;
pub(crate) use self::running::Running;
use self::search::Buffers;
pub(crate) use self::search::{Bounds, Plan, search};
use self::spare::Spare;
use core::cmp::{Ordering, Reverse};

use crate::dominant::{Holding, decide_by_hint};
use crate::id::{JobId, NodeId, PoolId};
use crate::line::Place;
use crate::quota::SpareQuotas;
use crate::resources::{MAX_KINDS, ResourceKind};
use crate::state::{State, Status};
use crate::time::{Millis, Timestamp};
use crate::tree::{MemberId, Tree};

/// What is kept from one search to the next, as what is held changes.
#[derive(Clone, Default, Debug)]
pub(crate) struct Prepared {
    ranks: Ranks,
    spare: Spare,
    quotas: SpareQuotas,
    buffers: Buffers,
}

impl Prepared {
    /// Something of a leaf has started, so that it holds more, or stopped.
    pub(crate) fn changed(&mut self, tree: &Tree, leaf: MemberId, more: bool) {
        self.ranks.changed(tree, leaf, more);
        self.spare.changed(leaf);
    }

    /// All lines have been gone through.
    pub(crate) fn has_looked(&mut self) {
        self.ranks.looks += 1;
    }

    /// How often they have been.
    pub(crate) fn looks(&self) -> u64 {
        self.ranks.looks
    }

    /// Whether it is as if it were made anew.
    pub(crate) fn is_right(&self, tree: &Tree, running: &Running) -> bool {
        self.ranks.are_right(tree, running) && self.spare.is_right(tree)
    }
}

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
        let Status::Running { route, since, .. } = known.status() else { return None };
        let route = state.routes.route(route);
        let (lost, gpus) = (state.lost(job), route.total[ResourceKind::GPU]);
        let gpu_time = u128::from(lost.get()) * u128::from(gpus.get());
        let loss = (gpu_time, lost, Reverse(since), Reverse(state.place(job)));
        Some(Self { job, leaf: known.leaf, class: state.routes.shape(route.shape).class, guaranteed, loss })
    }

    /// `Less` gives way first.
    pub(crate) fn compare(&self, tree: &Tree, other: &Self) -> Ordering {
        let rank = (self.guaranteed, self.class).cmp(&(other.guaranteed, other.class));
        let by_team = || compare_leaves(tree, self.leaf, other.leaf).reverse();
        rank.then_with(by_team).then_with(|| self.loss.cmp(&other.loss))
    }
}

fn holding(tree: &Tree, member: MemberId) -> Holding<'_> {
    let usage = tree.usage(member);
    Holding { usage, charge: &[0; MAX_KINDS][..usage.len()], scale: tree.scale(member) }
}

/// Compares the keys K now of two members.
#[inline]
fn compare_now(tree: &Tree, a: MemberId, b: MemberId) -> Ordering {
    decide_by_hint(tree.hint(a), tree.hint(b))
        .unwrap_or_else(|| holding(tree, a).compare(&holding(tree, b), false))
}

/// Which of two leaves is served first by the keys K now of the members that compete for them.
pub(crate) fn compare_leaves(tree: &Tree, a: MemberId, b: MemberId) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = tree.rivals(a, b);
    compare_siblings(tree, a, b)
}

/// The same of two children of one member.
fn compare_siblings(tree: &Tree, a: MemberId, b: MemberId) -> Ordering {
    let ties = |member| {
        let member = tree.member(member);
        (member.running, member.served, member.tie)
    };
    compare_now(tree, a, b).then_with(|| ties(a).cmp(&ties(b)))
}

/// Whether nothing was taken away in a tree from a member, nor from any above it below the root, so that none of those who stood
/// behind it comes forward.
fn is_whole(before: &Tree, tree: &Tree, member: MemberId) -> bool {
    let mut above = tree.path(member).take_while(|at| *at != MemberId::ROOT);
    above.all(|at| tree.member(at).running == before.member(at).running)
}

/// The jobs that run in a pool.
pub(crate) fn running_in(state: &State, pool: PoolId) -> Vec<JobId> {
    let here = |status: Status| match status {
        Status::Running { route, .. } => state.routes.route(route).pool == pool,
        _ => false,
    };
    state.jobs().filter(|(_, job)| here(job.status())).map(|(id, _)| id).collect()
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
        match state.alive(id).status() {
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
