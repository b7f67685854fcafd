//! Hopeless: what is certain before anybody who runs is looked at: that nobody may be stopped for a job, or that all who may
//! do not make its room.
//!
//! Most jobs that wait end here. What R2 lets a side lose is bounded by what it holds of its dominant resource beyond the
//! job's side, as if jobs could be stopped in part; where that is less than the least of its jobs that are not
//! guaranteed, it is nothing.
//! What is plain without putting anybody in order is told first: it never says more than that.
//! Absent on purpose: bounds that look at all that the teams run (see `groups`). Layer 3; uses `state`, `tree`, `dominant`.

use super::legal::{Fairness, Rules, Wanted, would_pass};
use super::ranks::Ranks;
use super::{Prepared, Running};
use crate::dominant::{Holding, is_plainly_more};
use crate::id::{PoolId, ShapeId};
use crate::resources::{MAX_KINDS, ResourceKind};
use crate::route::{Route, RouteId};
use crate::state::State;
use crate::tree::{MemberId, hint};

/// Why it is certain that no victims exist for a job by a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hopeless {
    /// Nobody may be stopped for it.
    Nobody,
    /// Of this resource they lose no more than so much before they hold less than the job's side would, and it lacks more.
    LosesAtMost(ResourceKind, u64),
}

/// Why it is certain that no victims exist for a job by a route, if it is: nobody of a lower rank runs in the pool, and nobody of
/// an equal rank can have more than the job's side would, or they cannot lose enough.
pub(crate) fn hopeless(
    state: &State,
    (running, prepared): (&Running, &mut Prepared),
    rules: Rules,
    wanted: Wanted,
) -> Option<Hopeless> {
    let route = state.routes.route(wanted.route);
    let Some(lowest) = running.lowest_class(route.pool) else { return Some(Hopeless::Nobody) };
    if lowest < wanted.class {
        return None;
    }
    let (tree, ranks) = (&state.tree, &mut prepared.ranks);
    if state.quotas.any() && is_guaranteed(state, wanted.leaf, route) {
        return None;
    }
    if !rules.same_rank || lowest > wanted.class {
        return Some(Hopeless::Nobody);
    }
    // Usage of a lower rank does not count, so that a side may hold less than it seems to.
    if running.any_below_class(wanted.class) {
        return None;
    }
    let mut sides = tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT);
    if !sides.any(|mine| somebody_has_more(state, (running, &mut *ranks), (wanted.route, route.pool), mine)) {
        return Some(Hopeless::Nobody);
    }
    let fair = Fairness::of(state, running, rules, wanted)?;
    // Of what nobody's share counts all may be lost.
    state.values.groups().iter().enumerate().find_map(|(group, kind)| {
        let lacking = lacking(state, wanted.leaf, route, *kind);
        if lacking == 0 {
            return None;
        }
        let most = lose_at_most(state, (running, &mut *ranks), &fair, wanted, (group, lacking))?;
        Some(Hopeless::LosesAtMost(*kind, most))
    })
}

/// Whether a job counts as guaranteed at any of its teams.
fn is_guaranteed(state: &State, leaf: MemberId, route: &Route) -> bool {
    state.tree.path(leaf).any(|member| state.quotas.is_guaranteed(member, route))
}

/// How much of a resource must become free for a job.
fn lacking(state: &State, leaf: MemberId, route: &Route, kind: ResourceKind) -> u64 {
    let needs = state.quotas.needs(&state.tree, leaf, route);
    needs[kind].get().saturating_sub(state.ledger.pool(route.pool).free()[kind].get())
}

/// What is plain of a line before anybody is put in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Plainly {
    /// Nothing.
    Unknown,
    /// What they lose at most is what was found once, and too little.
    TooLittle,
    /// No rival of any of its teams has had as much of late as that team would.
    NobodyHasMore,
}

/// What is plain of a leaf's jobs of a shape, where all that run are of its class or above; of what the rivals could lose at most,
/// if that was found once and its own teams have lost nothing since. It stays so until one of the rivals who hold as much as the
/// job's side would starts something: who holds less loses nothing, and who stops something loses less.
#[inline]
pub(crate) fn plainly(
    state: &State,
    (running, prepared): (&Running, &Prepared),
    (leaf, shape): (MemberId, ShapeId),
    known: Option<(ResourceKind, u64)>,
) -> Plainly {
    let shape = state.routes.shape(shape);
    if running.any_below_class(shape.class) {
        return Plainly::Unknown;
    }
    let mut routes = shape.routes();
    let by = |id: RouteId| plainly_by(state, prepared, (leaf, id), known);
    let first = routes.next().map_or(Plainly::Unknown, by);
    routes.fold(first, |all, id| if all == Plainly::Unknown { all } else { all.min(by(id)) })
}

/// The same by one route.
#[inline(never)]
fn plainly_by(
    state: &State,
    prepared: &Prepared,
    (leaf, id): (MemberId, RouteId),
    known: Option<(ResourceKind, u64)>,
) -> Plainly {
    let (tree, route) = (&state.tree, state.routes.route(id));
    let parent = tree.member(leaf).parent;
    let Some((most, risen)) = prepared.ranks.most(route.pool, parent) else { return Plainly::Unknown };
    let own = would_hold(state, id, (leaf, leaf));
    let mut has_most = is_plainly_more(own, most);
    // What the rivals may lose is told by what the job's own team would hold.
    let mut as_known = known.is_some() && is_plainly_more(own, risen);
    if parent != MemberId::ROOT && (has_most || as_known) {
        for mine in tree.path(parent).take_while(|member| *member != MemberId::ROOT) {
            let line = prepared.ranks.most(route.pool, tree.member(mine).parent);
            let Some((most, risen)) = line else { return Plainly::Unknown };
            has_most = has_most && is_plainly_more(would_hold(state, id, (mine, mine)), most);
            as_known = as_known && is_plainly_more(would_hold(state, id, (leaf, mine)), risen);
        }
    }
    if !has_most && !as_known || state.quotas.any() && is_guaranteed(state, leaf, route) {
        return Plainly::Unknown;
    }
    if has_most {
        return Plainly::NobodyHasMore;
    }
    let too_little = known.is_some_and(|(kind, most)| most < lacking(state, leaf, route, kind));
    if too_little { Plainly::TooLittle } else { Plainly::Unknown }
}

/// What a member would hold with one more job by a route, for the weight of another, rounded.
#[inline]
pub(crate) fn would_hold(state: &State, route: RouteId, (holds, by): (MemberId, MemberId)) -> f64 {
    let held = state.tree.usage(holds).iter().zip(state.routes.charge(route));
    hint(held.map(|(now, more)| now + more), state.tree.scale(by).reciprocals)
}

/// Whether a rival of a side has more in a pool than it would have with one more job by a route. Apart, since most of what it
/// takes would otherwise be made ready before the first side is looked at.
#[inline(never)]
fn somebody_has_more(
    state: &State,
    (running, ranks): (&Running, &mut Ranks),
    (route, pool): (RouteId, PoolId),
    mine: MemberId,
) -> bool {
    let line = ranks.line(&state.tree, running, pool, state.tree.member(mine).parent);
    let rival = line.iter().copied().find(|side| *side != mine);
    rival.is_some_and(|rival| !would_pass(state, route, (mine, rival)))
}

/// How much of a group's resource all sides together could lose at most before they hold less than the job's side would, by
/// the dominant share; `None` if that may be as much as is lacking.
fn lose_at_most(
    state: &State,
    (running, ranks): (&Running, &mut Ranks),
    fair: &Fairness<'_>,
    wanted: Wanted,
    (group, lacking): (usize, u64),
) -> Option<u64> {
    let tree = &state.tree;
    let pool = state.routes.route(wanted.route).pool;
    let value = u128::from(state.values.value(pool, state.values.groups()[group]).max(1));
    let (none, mut lost) = ([0; MAX_KINDS], 0_u64);
    for mine in tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT) {
        if fair.says_nothing_of(mine) {
            return None;
        }
        let (ours, scale) = (fair.ours(), tree.scale(mine));
        let (part, whole) = Holding { usage: ours, charge: &none[..ours.len()], scale }.largest(false);
        let line = ranks.line(tree, running, pool, tree.member(mine).parent);
        for side in line.iter().copied().filter(|side| *side != mine) {
            if fair.is_below(tree, (mine, side)) {
                // So are all who follow.
                break;
            }
            let has_nobody =
                || !running.has_own(pool, side) && running.children_in(pool, side).next().is_none();
            if state.quotas.any() && state.quotas.borrowers(side, pool) == Some(0)
                || !fair.may_lose_any(running, pool, (mine, side))
                || has_nobody()
            {
                continue;
            }
            let held = || tree.usage(side).iter().zip(tree.scale(side).divisors).enumerate();
            let keeps = |divisor: u128| (u128::from(part) * divisor).div_ceil(whole);
            // Whoever holds as much of something else may lose all of this.
            if held().any(|(other, (held, divisor))| other != group && u128::from(*held) >= keeps(*divisor)) {
                return None;
            }
            let beyond = held()
                .nth(group)
                .map_or(0, |(_, (held, divisor))| u128::from(*held).saturating_sub(keeps(*divisor)));
            // What is held fits 64 bits.
            lost = lost.saturating_add(u64::try_from(beyond / value).unwrap_or(u64::MAX));
            if lost >= lacking {
                return None;
            }
        }
    }
    Some(lost)
}
