//! Groups: who may be stopped for a waiting job, those of one team that run by one route together, and whether they could
//! make its room at all, before anybody is looked at alone.
//!
//! Whoever is in no legal set, because R2 protects him whoever else is stopped, is in no group: sides are looked at from
//! the one that holds most to the first that holds less than the job's. Most searches end here, with nobody or with less
//! than what is lacking; of a side that bound counts what R2 lets it lose of each resource by the cheapest of its routes, so
//! that it is never too small.
//! Absent on purpose: who of a group is stopped (see `search`). Layer 3; uses `state`, `tree`.

use super::legal::{Fairness, Rules, Wanted, exceeds_ratio};
use super::ranks::Ranks;
use super::running::{Alike, Running};
use super::search::{Hope, could_cover};
use crate::id::JobId;
use crate::resources::ResourceKind;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::MemberId;

/// The running jobs of one team that run by one route in the pool that is wanted.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) leaf: MemberId,
    pub(super) route: RouteId,
    pub(super) class: i32,
    pub(super) alike: &'a Alike,
    /// How many of them are chosen at most.
    pub(super) most: usize,
    /// Where they compete with the wanted one.
    pub(super) against: Against,
    pub(super) own: bool,
    /// They may be stopped by R2 alone.
    pub(super) equal: bool,
}

impl Group<'_> {
    /// Whether one of them is not protected by being guaranteed.
    pub(super) fn is_open(&self, state: &State, job: JobId) -> bool {
        self.own || !state.is_guaranteed_at(job, (self.against.level, self.against.side))
    }
}

/// Where a leaf's jobs compete with the wanted one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Against {
    /// How far above the leaf: at the leaf itself for jobs of the own team.
    pub(super) level: usize,
    /// Of the two that compete there, the one above the wanted job.
    mine: MemberId,
    /// The one from which they would be taken.
    pub(super) side: MemberId,
    /// Whether the wanted job would be guaranteed against it as things are, or as is hoped.
    guaranteed: bool,
    /// How many of its jobs at most are not guaranteed there.
    open: usize,
}

/// Who might be stopped; where the job hopes to be guaranteed, and enough might be stopped below, as if it were. Nobody, where
/// there is nothing to hope for.
pub(super) fn groups<'a>(
    state: &State,
    (running, ranks): (&'a Running, &mut Ranks),
    rules: Rules,
    (wanted, hope): (Wanted, Hope),
    fairness: Option<&Fairness<'_>>,
) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    let mut hopes = hope == Hope::Nothing;
    let tree = &state.tree;
    let route = state.routes.route(wanted.route);
    let own = Against { level: 0, mine: wanted.leaf, side: wanted.leaf, guaranteed: false, open: usize::MAX };
    add(state, (running, rules, (wanted, hope), fairness), (wanted.leaf, own), &mut groups);
    for mine in tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT) {
        let mut guaranteed = state.quotas.any() && state.quotas.is_guaranteed(mine, route);
        // Whoever is a candidate by now is below this team.
        if !guaranteed && hope != Hope::Nothing && could_become(state, mine, wanted, &groups) {
            (guaranteed, hopes) = (true, true);
        }
        for side in ranks.line(tree, running, route.pool, tree.member(mine).parent).iter().copied() {
            if side == mine {
                continue;
            }
            if !guaranteed && fairness.is_some_and(|fair| fair.is_below(tree, (mine, side))) {
                // So are all who follow.
                break;
            }
            let open = state.quotas.borrowers(side, route.pool).unwrap_or(usize::MAX);
            if open == 0 {
                continue;
            }
            running.each_leaf(route.pool, side, &mut |leaf| {
                let level = tree.path(leaf).position(|at| at == side).unwrap_or(usize::MAX);
                let against = Against { level, mine, side, guaranteed, open };
                add(state, (running, rules, (wanted, hope), fairness), (leaf, against), &mut groups);
            });
        }
    }
    if !hopes {
        groups.clear();
    }
    groups
}

/// Whether a job would be guaranteed at a member if enough of those groups below it were stopped.
fn could_become(state: &State, member: MemberId, wanted: Wanted, below: &[Group<'_>]) -> bool {
    let beyond = || state.quotas.beyond(member, state.routes.route(wanted.route));
    could_cover(state, member, wanted)
        && beyond().iter().all(|(kind, amount)| most_made(state, below, *kind) >= amount.get())
}

/// Adds the groups of a leaf.
fn add<'a>(
    state: &State,
    (running, rules, (wanted, hope), fairness): (&'a Running, Rules, (Wanted, Hope), Option<&Fairness<'_>>),
    (leaf, against): (MemberId, Against),
    groups: &mut Vec<Group<'a>>,
) {
    let own = leaf == wanted.leaf;
    for (route, alike) in running.alike(state.routes.route(wanted.route).pool, leaf) {
        let class = state.routes.shape(state.routes.route(route).shape).class;
        let equal = !own && !against.guaranteed && class == wanted.class;
        let lower = class < wanted.class || !own && against.guaranteed;
        let may_lose = || {
            let rivals = (against.mine, against.side);
            fairness.is_none_or(|fair| fair.may_lose_by(&state.tree, rivals, route))
        };
        let may = lower || equal && rules.same_rank && may_lose();
        if !may || exceeds_ratio(state, rules, wanted, [route].into_iter()) {
            continue;
        }
        let most = alike.len().min(against.open).min(most_taken(state, (wanted, hope), route));
        let mut group = Group { leaf, route, class, alike, most, against, own, equal };
        if state.quotas.any() {
            group.most = alike.jobs().filter(|job| group.is_open(state, *job)).take(most).count();
        }
        if group.most > 0 {
            groups.push(group);
        }
    }
}

/// How many who run by a route are chosen at most in a divisible pool, each for what he makes of what is lacking, of what
/// the job's teams would hold too much, or of what fills their quotas.
fn most_taken(state: &State, (wanted, hope): (Wanted, Hope), route: RouteId) -> usize {
    let (held, wanted, leaf) =
        (&state.routes.route(route).total, state.routes.route(wanted.route), wanted.leaf);
    let pool = state.ledger.pool(wanted.pool);
    if !pool.is_divisible() {
        return usize::MAX;
    }
    let by_one = |kind: ResourceKind, amount: u64| {
        let needed = if held[kind].get() == 0 { 0 } else { amount.div_ceil(held[kind].get()) };
        usize::try_from(needed).unwrap_or(usize::MAX)
    };
    let needs = state.quotas.needs(&state.tree, leaf, wanted);
    let lacking = needs.iter();
    let lacking =
        lacking.map(|(kind, needed)| by_one(kind, needed.get().saturating_sub(pool.free()[kind].get())));
    let mut most = lacking.max().unwrap_or(0);
    if state.quotas.any() {
        for member in state.tree.path(leaf) {
            let over = state.quotas.excess(member, wanted).into_iter();
            let filled =
                if hope == Hope::RoomFirst { state.quotas.beyond(member, wanted) } else { Vec::new() };
            let by_one = over.chain(filled).map(|(kind, over)| by_one(kind, over.get()));
            most = by_one.fold(most, usize::saturating_add);
        }
    }
    most
}

/// Whether there could be room once all are gone that R2 lets go.
pub(super) fn suffice(
    state: &State,
    wanted: Wanted,
    groups: &[Group<'_>],
    fairness: Option<&Fairness<'_>>,
) -> bool {
    let route = state.routes.route(wanted.route);
    let free = state.ledger.pool(route.pool).free();
    // Together where one share counts for them; `None`: they may be stopped whatever is held then.
    let side = |group: &Group<'_>| group.equal.then_some(group.against.side);
    let needs = state.quotas.needs(&state.tree, wanted.leaf, route);
    needs.iter().all(|(kind, needed)| {
        let Some(lacking) = needed.get().checked_sub(free[kind].get()).filter(|lacking| *lacking > 0) else {
            return true;
        };
        let mut made = 0_u64;
        // Sides that R2 lets lose some, and fewer than so much: what would be enough is asked first.
        let mut fewer = Vec::new();
        for groups in groups.chunk_by(|a, b| side(a) == side(b)) {
            let most = most_made(state, groups, kind).min(lacking - made);
            match fairness.zip(groups.first().and_then(side)) {
                Some((fair, side)) => {
                    let loses = Loses::new(state, fair, (wanted.leaf, side), groups, kind);
                    if most == 0 || loses.may(most) { made += most } else { fewer.push((loses, most)) }
                }
                None => made += most,
            }
            if made == lacking {
                return true;
            }
        }
        let mut at_most: u64 = fewer.iter().map(|(_, most)| most - 1).fold(0, u64::saturating_add);
        fewer.iter().any(|(loses, most)| {
            if made.saturating_add(at_most) < lacking {
                return false;
            }
            at_most -= most - 1;
            made = made.saturating_add(loses.below(*most));
            made >= lacking
        })
    })
}

/// What groups hold of a resource.
fn most_made(state: &State, groups: &[Group<'_>], kind: ResourceKind) -> u64 {
    let held = |group: &Group<'_>| {
        let each = state.routes.route(group.route).total[kind].get();
        each.saturating_mul(u64::try_from(group.most).unwrap_or(u64::MAX))
    };
    groups.iter().map(held).fold(0, u64::saturating_add)
}

/// What R2 lets a side lose of a resource, if each part of it came from whichever of its routes is charged least for it.
struct Loses<'a> {
    state: &'a State,
    fair: &'a Fairness<'a>,
    rivals: (MemberId, MemberId),
    groups: &'a [Group<'a>],
    kind: ResourceKind,
}

impl<'a> Loses<'a> {
    fn new(
        state: &'a State,
        fair: &'a Fairness<'a>,
        (leaf, side): (MemberId, MemberId),
        groups: &'a [Group<'a>],
        kind: ResourceKind,
    ) -> Self {
        Self { state, fair, rivals: state.tree.rivals(leaf, side), groups, kind }
    }

    /// What is charged at least in a share group for an amount.
    fn least(&self, group: usize, amount: u64) -> u64 {
        let charged = self.groups.iter().filter_map(|known| {
            let held = self.state.routes.route(known.route).total[self.kind].get();
            let charge = u128::from(self.state.routes.charge(known.route)[group]);
            (u128::from(amount) * charge).checked_div(u128::from(held))
        });
        charged.min().and_then(|charge| u64::try_from(charge).ok()).unwrap_or(0)
    }

    /// Whether it may be so much.
    fn may(&self, amount: u64) -> bool {
        self.fair.may_lose_of(&self.state.tree, self.rivals, |group| self.least(group, amount))
    }

    /// The most that it may be, below what it may not.
    fn below(&self, mut may_not: u64) -> u64 {
        let mut may = 0;
        while may_not - may > 1 {
            let middle = may + (may_not - may) / 2;
            if self.may(middle) {
                may = middle;
            } else {
                may_not = middle;
            }
        }
        may
    }
}
