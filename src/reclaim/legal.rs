//! Legal: whether running jobs may be stopped for a waiting one.
//!
//! Ranks, tiers and usage are those of the state in which the victims are gone and the job runs. A job's rank against
//! another's is (guaranteed, class) at the child, on its path, of the lowest team above both; within one team it is the
//! class alone. R0: nobody of a higher rank is stopped, nobody of another team who is guaranteed, and of the own team
//! only a lower rank. R1: a lower rank needs nothing else. R2: an equal rank is stopped only if the job's side then holds
//! no more than the victim's, both without usage of lower rank, by the vector of shares.
//! Absent on purpose: which victims to try. Layer 3; uses `state`, `quota`, `dominant`.

use core::cmp::Ordering;

use smallvec::SmallVec;

use super::Running;
use crate::decision::EvictReason;
use crate::dominant::{Holding, decide_by_hint};
use crate::id::{JobId, PoolId};
use crate::quota::SpareQuotas;
use crate::resources::{MAX_KINDS, Resources};
use crate::route::RouteId;
use crate::state::{Job, State};
use crate::tree::{MemberId, Tree, hint};

/// Victims or teams of one set, hardly ever more than eight: one is judged at every search, without asking for memory.
type Few<T> = SmallVec<[T; 8]>;

/// A waiting job and the route by which it would start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) job: JobId,
    pub(crate) leaf: MemberId,
    pub(crate) class: i32,
    pub(crate) route: RouteId,
}

/// What is allowed beyond R0 and R1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Equal ranks, by R2.
    pub(crate) same_rank: bool,
    /// By how much the victim's side must hold more, in thousandths of what the job's side holds.
    pub(crate) hysteresis_milli: u32,
    /// The most that may be stopped, in thousandths of what the job asks.
    pub(crate) ratio_milli: Option<u64>,
}

/// Why a set of victims is not legal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// A victim's rank, or its guarantee, protects it.
    Rank,
    /// The job's side would hold more than this member, which it would take from.
    Share(MemberId),
    /// Too much would be stopped for what the job asks.
    Ratio,
    /// The job's team may not hold more, whoever is stopped.
    Denied,
}

/// What is true once the victims are gone and the job runs.
struct After<'a> {
    state: &'a State,
    wanted: Wanted,
    victims: &'a [JobId],
    /// The members on its path at which the job counts as guaranteed.
    guaranteed: Few<MemberId>,
    /// Who counts as guaranteed, and where, only since then; sorted.
    promoted: Few<(MemberId, JobId)>,
}

/// The rule by which each victim may be stopped for the job, or why one may not.
pub(crate) fn judge(
    state: &State,
    (running, quotas): (&Running, &mut SpareQuotas),
    rules: Rules,
    wanted: Wanted,
    victims: &[JobId],
) -> Result<Few<EvictReason>, Refusal> {
    let held = victims.iter().filter_map(|id| Some(&state.routes.route(state.route_of(*id)?).total));
    if exceeds_ratio(state, rules, wanted, held) {
        return Err(Refusal::Ratio);
    }
    let after = After::new(state, quotas, wanted, victims)?;
    let mut sides: Few<(MemberId, MemberId)> = Few::new();
    let mut reasons = Few::new();
    for id in victims {
        let victim = state.alive(*id);
        let class = class_of(state, victim);
        if victim.leaf == wanted.leaf {
            if class >= wanted.class {
                return Err(Refusal::Rank);
            }
            reasons.push(EvictReason::OwnTeam);
            continue;
        }
        let (mine, its) = state.tree.rivals(wanted.leaf, victim.leaf);
        if is_guaranteed_at(state, *id, its) {
            return Err(Refusal::Rank);
        }
        reasons.push(if after.is_guaranteed(mine) {
            EvictReason::Quota
        } else {
            match class.cmp(&wanted.class) {
                Ordering::Less => EvictReason::Priority,
                Ordering::Equal if rules.same_rank => {
                    sides.push((mine, its));
                    EvictReason::FairShare
                }
                _ => return Err(Refusal::Rank),
            }
        });
    }
    sides.sort_unstable();
    sides.dedup();
    for (mine, its) in sides {
        if !after.holds_no_more(running, rules, mine, its) {
            return Err(Refusal::Share(its));
        }
    }
    Ok(reasons)
}

pub(super) fn class_of(state: &State, job: &Job) -> i32 {
    state.routes.shape(job.shape).class
}

/// Whether a running job counts as guaranteed at a member on its path.
fn is_guaranteed_at(state: &State, job: JobId, member: MemberId) -> bool {
    let mut path = state.tree.path(state.alive(job).leaf).enumerate();
    path.find(|(_, at)| *at == member).is_some_and(|at| state.is_guaranteed_at(job, at))
}

/// Whether what some hold is more than may be stopped for the wanted job. The first resource that it asks stands for
/// all: the scarcest of them.
pub(super) fn exceeds_ratio<'a>(
    state: &State,
    rules: Rules,
    wanted: Wanted,
    stopped: impl Iterator<Item = &'a Resources>,
) -> bool {
    let Some(ratio) = rules.ratio_milli else { return false };
    let Some((kind, asked)) = state.routes.route(wanted.route).total.iter().next() else { return false };
    let stopped: u128 = stopped.map(|held| u128::from(held[kind].get())).sum();
    stopped * 1_000 > u128::from(asked.get()) * u128::from(ratio)
}

impl<'a> After<'a> {
    fn new(
        state: &'a State,
        quotas: &mut SpareQuotas,
        wanted: Wanted,
        victims: &'a [JobId],
    ) -> Result<Self, Refusal> {
        let mut after = Self { state, wanted, victims, guaranteed: Few::new(), promoted: Few::new() };
        if !state.quotas.any() {
            return Ok(after);
        }
        let tree = &state.tree;
        let route = state.routes.route(wanted.route);
        let (mut members, mut promoting): (Few<_>, Few<_>) = (tree.path(wanted.leaf).collect(), Few::new());
        for id in victims {
            for (level, member) in tree.path(state.alive(*id).leaf).enumerate() {
                members.push(member);
                if state.is_guaranteed_at(*id, (level, member)) {
                    promoting.push(member);
                }
            }
        }
        for members in [&mut members, &mut promoting] {
            members.sort_unstable();
            members.dedup();
        }
        let quotas = quotas.of(&state.quotas, &members);
        let mut free = *state.ledger.pool(route.pool).free();
        for id in victims {
            let victim = state.alive(*id);
            let Some(its) = state.route_of(*id) else { continue };
            let its = state.routes.route(its);
            let key = (class_of(state, victim), state.place(*id), *id);
            quotas.release(tree, victim.leaf, its, key, |_, at| state.is_guaranteed_at(*id, at));
            free = free.checked_add(&its.total).unwrap_or(free);
        }
        for member in promoting {
            let is_victim = |id: JobId| victims.contains(&id);
            let promoted = quotas.promote_of(&state.quotas, (member, route.pool), is_victim);
            after.promoted.extend(promoted.into_iter().map(|id| (member, id)));
        }
        after.promoted.sort_unstable();
        let spent = state.budgets.over(tree, wanted.leaf).is_some();
        if spent || quotas.denies(tree, wanted.leaf, route, &free).is_some() {
            return Err(Refusal::Denied);
        }
        let counts = |member: &MemberId| quotas.is_guaranteed(*member, route);
        after.guaranteed = tree.path(wanted.leaf).filter(counts).collect();
        Ok(after)
    }

    /// Whether the job counts as guaranteed at a member on its path.
    fn is_guaranteed(&self, member: MemberId) -> bool {
        self.guaranteed.contains(&member)
    }

    /// R2: whether the job's side holds no more than the side that it takes from.
    fn holds_no_more(&self, running: &Running, rules: Rules, mine: MemberId, its: MemberId) -> bool {
        let (ours, theirs) = (self.usage(running, mine), self.usage(running, its));
        let hint = hint(ours.iter().copied(), self.state.tree.scale(mine).reciprocals);
        let groups = self.state.values.count();
        holds_no_more(self.state, rules, (mine, &ours[..groups], hint), (its, &theirs[..groups]))
    }

    /// What a member holds then, without what is of lower rank there than a job of the wanted class beyond the quota.
    fn usage(&self, running: &Running, member: MemberId) -> [u64; MAX_KINDS] {
        let state = self.state;
        let mut usage = [0; MAX_KINDS];
        usage[..state.values.count()].copy_from_slice(state.tree.usage(member));
        let is_below = |leaf| state.tree.path(leaf).any(|at| at == member);
        let mut less = |id: JobId| {
            if let Some(route) = state.route_of(id).filter(|_| is_below(state.alive(id).leaf)) {
                for (held, less) in usage.iter_mut().zip(state.routes.charge(route)) {
                    *held = held.saturating_sub(*less);
                }
            }
        };
        self.victims.iter().for_each(|id| less(*id));
        for id in running.below_class(self.wanted.class) {
            let guaranteed = is_guaranteed_at(state, id, member);
            if !guaranteed
                && self.promoted.binary_search(&(member, id)).is_err()
                && !self.victims.contains(&id)
            {
                less(id);
            }
        }
        if is_below(self.wanted.leaf) {
            for (held, more) in usage.iter_mut().zip(state.routes.charge(self.wanted.route)) {
                *held += more;
            }
        }
        usage
    }
}

/// Whether a member that holds so much, with the hint that follows from it, holds no more than another that does, which must
/// hold more by the hysteresis.
fn holds_no_more(
    state: &State,
    rules: Rules,
    (mine, ours, our_hint): (MemberId, &[u64], f64),
    (its, theirs): (MemberId, &[u64]),
) -> bool {
    let mut reduced = [0; MAX_KINDS];
    let theirs = if rules.hysteresis_milli > 0 {
        for (reduced, held) in reduced.iter_mut().zip(theirs) {
            let less = u128::from(*held) * 1_000 / (1_000 + u128::from(rules.hysteresis_milli));
            *reduced = u64::try_from(less).unwrap_or(*held);
        }
        &reduced[..theirs.len()]
    } else {
        theirs
    };
    let by_hint = decide_by_hint(our_hint, hint(theirs.iter().copied(), state.tree.scale(its).reciprocals));
    by_hint.unwrap_or_else(|| compare(state, (mine, ours), (its, theirs))) != Ordering::Greater
}

/// Compares two members by their keys if they held so much.
fn compare(state: &State, (mine, ours): (MemberId, &[u64]), (its, theirs): (MemberId, &[u64])) -> Ordering {
    let (tree, charge) = (&state.tree, &[0; MAX_KINDS][..ours.len()]);
    let ours = Holding { usage: ours, charge, scale: tree.scale(mine) };
    ours.compare(&Holding { usage: theirs, charge, scale: tree.scale(its) }, false)
}

/// Whether a member, if it lost nobody, would hold more with one more job by a route than a rival does.
#[inline]
pub(super) fn would_pass(state: &State, route: RouteId, (mine, its): (MemberId, MemberId)) -> bool {
    let tree = &state.tree;
    let held = || tree.usage(mine).iter().zip(state.routes.charge(route)).map(|(now, more)| now + more);
    let by_hint = decide_by_hint(hint(held(), tree.scale(mine).reciprocals), tree.hint(its));
    let exactly = || {
        let mut ours = [0; MAX_KINDS];
        ours.iter_mut().zip(held()).for_each(|(ours, held)| *ours = held);
        compare(state, (mine, &ours[..tree.usage(mine).len()]), (its, tree.usage(its)))
    };
    by_hint.unwrap_or_else(exactly) == Ordering::Greater
}

/// What R2 alone says of one victim of equal rank, where all that runs counts for it: nobody of a lower class does. Whoever
/// it forbids is in no legal set, since a side that loses more holds less, and the job's side never less than its own team.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fairness<'a> {
    state: &'a State,
    rules: Rules,
    wanted: Wanted,
    /// What the job's own team would hold.
    ours: [u64; MAX_KINDS],
    /// The hint that follows from it at the leaf.
    hint: f64,
}

impl<'a> Fairness<'a> {
    /// Where it can be told.
    #[inline]
    pub(crate) fn of(state: &'a State, running: &Running, rules: Rules, wanted: Wanted) -> Option<Self> {
        if running.any_below_class(wanted.class) {
            return None;
        }
        let mut ours = [0; MAX_KINDS];
        let charged = state.tree.usage(wanted.leaf).iter().zip(state.routes.charge(wanted.route));
        for (held, (now, more)) in ours.iter_mut().zip(charged) {
            *held = now + more;
        }
        let hint = hint(ours.iter().copied(), state.tree.scale(wanted.leaf).reciprocals);
        Some(Self { state, rules, wanted, ours, hint })
    }

    /// Whether the side of a leaf may lose what runs there by a route, beside what it has lost already in a tree.
    pub(crate) fn may_lose(&self, tree: &Tree, leaf: MemberId, route: RouteId) -> bool {
        self.may_lose_by(tree, tree.rivals(self.wanted.leaf, leaf), route)
    }

    /// The same for the side itself, a rival of the job's side.
    pub(super) fn may_lose_by(&self, tree: &Tree, rivals: (MemberId, MemberId), route: RouteId) -> bool {
        let charge = self.state.routes.charge(route);
        self.may_lose_of(tree, rivals, |group| charge[group])
    }

    /// Whether a rival of the job's side may lose anybody in a pool, as far as can be told beforehand: of those who are not guaranteed
    /// at it, or of all where nobody is beyond a quota of its.
    pub(super) fn may_lose_any(&self, running: &Running, pool: PoolId, rivals: (MemberId, MemberId)) -> bool {
        let State { values, quotas, tree, .. } = self.state;
        let borrowed = quotas.least_borrowed(rivals.1, pool);
        borrowed.or_else(|| running.least(pool, rivals.1)).is_none_or(|least| {
            let charge = |group: usize| {
                let kind = values.kind(group);
                least[kind].get().saturating_mul(values.value(pool, kind))
            };
            !exceeds_ratio(self.state, self.rules, self.wanted, [least].into_iter())
                && self.may_lose_of(tree, rivals, charge)
        })
    }

    /// What the job's own team would hold.
    pub(super) fn ours(&self) -> &[u64] {
        &self.ours[..self.state.values.count()]
    }

    /// The hint that follows from it at one of its teams.
    #[inline]
    fn hint_at(&self, mine: MemberId) -> f64 {
        if mine == self.wanted.leaf {
            self.hint
        } else {
            hint(self.ours.iter().copied(), self.state.tree.scale(mine).reciprocals)
        }
    }

    /// Whether a rival of the job's side holds less already than that side would, so that it may lose nothing.
    #[inline]
    pub(super) fn is_below(&self, tree: &Tree, (mine, its): (MemberId, MemberId)) -> bool {
        if self.says_nothing_of(mine) {
            return false;
        }
        let by_hint = decide_by_hint(self.hint_at(mine), tree.hint(its));
        by_hint.unwrap_or_else(|| compare(self.state, (mine, self.ours()), (its, tree.usage(its))))
            == Ordering::Greater
    }

    /// Whoever is stopped below a side may leave room in its quota.
    pub(super) fn says_nothing_of(&self, mine: MemberId) -> bool {
        mine != self.wanted.leaf && self.state.quotas.any()
    }

    /// Whether a rival of the job's side may lose so much, by share group.
    pub(super) fn may_lose_of(
        &self,
        tree: &Tree,
        (mine, its): (MemberId, MemberId),
        less: impl Fn(usize) -> u64,
    ) -> bool {
        if self.says_nothing_of(mine) {
            return true;
        }
        let held = tree.usage(its);
        let mut theirs = [0; MAX_KINDS];
        for (group, (left, now)) in theirs.iter_mut().zip(held).enumerate() {
            *left = now.saturating_sub(less(group));
        }
        let ours = (mine, self.ours(), self.hint_at(mine));
        holds_no_more(self.state, self.rules, ours, (its, &theirs[..held.len()]))
    }
}
