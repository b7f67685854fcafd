//! Hopeless: what is certain before anybody who runs is looked at: that nobody may be stopped for a job, or that all who may
//! do not make its room.
//!
//! Most jobs that wait end here. What R2 lets a side lose is bounded by what it holds of its dominant resource beyond the
//! job's side, as if jobs could be stopped in part; where that is less than the least of its jobs, it is nothing.
//! Absent on purpose: bounds that look at all that the teams run (see `groups`). Layer 3; uses `state`, `tree`, `dominant`.

use core::cmp::Ordering;

use super::legal::{Fairness, Rules, Wanted, would_pass};
use super::ranks::Ranks;
use super::{Prepared, Running};
use crate::dominant::{Holding, decide_by_hint};
use crate::id::{PoolId, ShapeId};
use crate::resources::MAX_KINDS;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::{MemberId, hint};

/// Whether it is certain that no victims exist for a job by a route: nobody of a lower rank runs in the pool, and nobody of an
/// equal rank can have more than the job's side would, or they cannot lose enough.
pub(crate) fn is_hopeless(
    state: &State,
    (running, prepared): (&Running, &mut Prepared),
    rules: Rules,
    wanted: Wanted,
) -> bool {
    let route = state.routes.route(wanted.route);
    let Some(lowest) = running.lowest_class(route.pool) else { return true };
    if lowest < wanted.class {
        return false;
    }
    let (tree, ranks) = (&state.tree, &mut prepared.ranks);
    if state.quotas.any() && tree.path(wanted.leaf).any(|member| state.quotas.is_guaranteed(member, route)) {
        return false;
    }
    if !rules.same_rank || lowest > wanted.class {
        return true;
    }
    // Usage of a lower rank does not count, so that a side may hold less than it seems to.
    if running.any_below_class(wanted.class) {
        return false;
    }
    let mut sides = tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT);
    if !sides.any(|mine| somebody_has_more(state, (running, &mut *ranks), (wanted.route, route.pool), mine)) {
        return true;
    }
    let Some(fair) = Fairness::of(state, running, rules, wanted) else { return false };
    let free = state.ledger.pool(route.pool).free();
    let needs = state.quotas.needs(tree, wanted.leaf, route);
    // Of what nobody's share counts all may be lost.
    state.values.groups().iter().enumerate().any(|(group, kind)| {
        let lacking = needs[*kind].get().saturating_sub(free[*kind].get());
        lacking > 0 && !may_lose_enough(state, (running, &mut *ranks), &fair, wanted, (group, lacking))
    })
}

/// Whether that is plain of a shape by all its routes, before anybody is put in order: everybody who runs is of its class or
/// above, and no rival of any of its teams has had as much of late as that team would.
#[inline]
pub(crate) fn is_plainly_hopeless(
    state: &State,
    (running, prepared): (&Running, &Prepared),
    (leaf, shape): (MemberId, ShapeId),
) -> bool {
    let (tree, shape) = (&state.tree, state.routes.shape(shape));
    if running.any_below_class(shape.class) {
        return false;
    }
    shape.routes().all(|id| {
        let (route, charge) = (state.routes.route(id), state.routes.charge(id));
        let is_most = |mine: MemberId| {
            let most = prepared.ranks.most(route.pool, tree.member(mine).parent);
            let held = tree.usage(mine).iter().zip(charge).map(|(now, more)| now + more);
            let would = hint(held, tree.scale(mine).reciprocals);
            most.is_some_and(|most| decide_by_hint(would, most) == Some(Ordering::Greater))
        };
        tree.path(leaf).take_while(|member| *member != MemberId::ROOT).all(is_most)
            && !(state.quotas.any()
                && tree.path(leaf).any(|member| state.quotas.is_guaranteed(member, route)))
    })
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

/// Whether all sides together could lose so much of a group's resource before they hold less than the job's side would, by
/// the dominant share.
fn may_lose_enough(
    state: &State,
    (running, ranks): (&Running, &mut Ranks),
    fair: &Fairness<'_>,
    wanted: Wanted,
    (group, mut lacking): (usize, u64),
) -> bool {
    let tree = &state.tree;
    let pool = state.routes.route(wanted.route).pool;
    let value = u128::from(state.values.value(pool, state.values.groups()[group]).max(1));
    let none = [0; MAX_KINDS];
    for mine in tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT) {
        if fair.says_nothing_of(mine) {
            return true;
        }
        let (ours, scale) = (fair.ours(), tree.scale(mine));
        let (part, whole) = Holding { usage: ours, charge: &none[..ours.len()], scale }.largest(false);
        let line = ranks.line(tree, running, pool, tree.member(mine).parent);
        for side in line.iter().copied().filter(|side| *side != mine) {
            if fair.is_below(tree, (mine, side)) {
                // So are all who follow.
                break;
            }
            if state.quotas.any() && state.quotas.borrowers(side, pool) == Some(0)
                || !fair.may_lose_any(running, pool, (mine, side))
            {
                continue;
            }
            let held = || tree.usage(side).iter().zip(tree.scale(side).divisors).enumerate();
            let keeps = |divisor: u128| (u128::from(part) * divisor).div_ceil(whole);
            // Whoever holds as much of something else may lose all of this.
            if held().any(|(other, (held, divisor))| other != group && u128::from(*held) >= keeps(*divisor)) {
                return true;
            }
            let beyond = held()
                .nth(group)
                .map_or(0, |(_, (held, divisor))| u128::from(*held).saturating_sub(keeps(*divisor)));
            let most = beyond / value;
            let Some(left) = u128::from(lacking).checked_sub(most).filter(|left| *left > 0) else {
                return true;
            };
            lacking = u64::try_from(left).unwrap_or(lacking);
        }
    }
    false
}
