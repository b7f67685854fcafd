//! Groups: who may be stopped for a waiting job, those of one team that run by one route together, and whether they could
//! make its room at all, before anybody is looked at alone.
//!
//! They are found one after the other in the order in which they give way: class by class, and of each down the tree, whoever
//! holds most first. Mostly the first few are enough, so that nobody looks for the others. Whoever is in no legal set, because
//! R2 protects him whoever else is stopped, is in no group: of the sides at one level the first that holds less than the job's
//! is the last one looked at. Of a side the bound on what they make counts what R2 lets it lose of each resource by the
//! cheapest of its routes, so that it is never too small.
//! Absent on purpose: who of a group is stopped (see `search`). Layer 3; uses `state`, `tree`.

use core::ops::Range;

use smallvec::SmallVec;

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
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) leaf: MemberId,
    pub(super) route: RouteId,
    pub(super) class: i32,
    pub(super) alike: Alike<'a>,
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

/// One of the job's teams among its siblings.
#[derive(Clone, Copy, Debug)]
struct Level {
    mine: MemberId,
    parent: MemberId,
    /// Whether the job is guaranteed there as things are, or as is hoped.
    guaranteed: bool,
}

/// Where the children of a member are looked at.
#[derive(Clone, Copy, Debug)]
struct Step {
    parent: MemberId,
    /// How many of them have been.
    done: usize,
    /// Where all below it compete with the job; `None` for the job's own teams.
    against: Option<Against>,
}

/// All groups for one job, found as they are asked for.
pub(super) struct Groups<'a> {
    state: &'a State,
    running: &'a Running,
    ranks: &'a mut Ranks,
    rules: Rules,
    wanted: Wanted,
    hope: Hope,
    fairness: Option<Fairness<'a>>,
    /// The job's teams, from the leaf up.
    levels: SmallVec<[Level; 4]>,
    /// Below whom they are looked for.
    top: MemberId,
    /// The class that is looked at; `None` before the first.
    class: Option<i32>,
    steps: SmallVec<[Step; 4]>,
    found: SmallVec<[Group<'a>; 4]>,
}

impl<'a> Groups<'a> {
    /// Who might be stopped; where the job hopes to be guaranteed, and enough might be stopped below, as if it were. `None`
    /// where there is nothing to hope for.
    pub(super) fn new(
        state: &'a State,
        (running, ranks): (&'a Running, &'a mut Ranks),
        rules: Rules,
        (wanted, hope): (Wanted, Hope),
        fairness: Option<Fairness<'a>>,
    ) -> Option<Self> {
        let (class, steps, found) = (None, SmallVec::new(), SmallVec::new());
        let (levels, top) = (SmallVec::new(), wanted.leaf);
        let mut groups =
            Self { state, running, ranks, rules, wanted, hope, fairness, levels, top, class, steps, found };
        let mut hopes = hope == Hope::Nothing;
        let route = state.routes.route(wanted.route);
        for mine in state.tree.path(wanted.leaf).filter(|member| *member != MemberId::ROOT) {
            let mut guaranteed = state.quotas.any() && state.quotas.is_guaranteed(mine, route);
            // Whoever is found by now is below this team.
            if !guaranteed && hope != Hope::Nothing && could_cover(state, mine, wanted) {
                groups.begin(mine);
                guaranteed = groups.could_fill(mine);
                hopes |= guaranteed;
            }
            groups.levels.push(Level { mine, parent: state.tree.member(mine).parent, guaranteed });
        }
        groups.begin(MemberId::ROOT);
        hopes.then_some(groups)
    }

    /// From now on they are looked for below a member.
    fn begin(&mut self, top: MemberId) {
        (self.top, self.class) = (top, None);
        self.steps.clear();
        self.found.clear();
    }

    /// Whether a job would be guaranteed at a member if enough of those below it were stopped.
    fn could_fill(&mut self, member: MemberId) -> bool {
        let state = self.state;
        let beyond = state.quotas.beyond(member, state.routes.route(self.wanted.route));
        let groups = self.all();
        beyond.iter().all(|(kind, amount)| most_made(state, groups, *kind) >= amount.get())
    }

    /// The one of a number, in the order in which they give way.
    #[inline]
    pub(super) fn get(&mut self, number: usize) -> Option<Group<'a>> {
        while self.found.len() <= number {
            self.find()?;
        }
        Some(self.found[number])
    }

    /// Them all.
    fn all(&mut self) -> &[Group<'a>] {
        while self.find().is_some() {}
        &self.found
    }

    /// The groups of the next leaf are found; `None` where there are no more leaves.
    fn find(&mut self) -> Option<()> {
        let (state, running) = (self.state, self.running);
        let (tree, pool) = (&state.tree, state.routes.route(self.wanted.route).pool);
        loop {
            let Some(step) = self.steps.last_mut() else {
                self.class = Some(self.next_class()?);
                if self.top == self.wanted.leaf {
                    self.add(self.top, None);
                    return Some(());
                }
                self.steps.push(Step { parent: self.top, done: 0, against: None });
                continue;
            };
            let (parent, mut against) = (step.parent, step.against);
            let line = self.ranks.line(tree, running, pool, parent);
            let Some(child) = line.get(step.done).copied() else {
                self.steps.pop();
                continue;
            };
            step.done += 1;
            if against.is_none()
                && let Some(level) = self.levels.iter().find(|level| level.parent == parent)
                && level.mine != child
            {
                let Level { mine, guaranteed, .. } = *level;
                let fairness = self.fairness.filter(|_| !guaranteed);
                if fairness.is_some_and(|fair| fair.is_below(tree, (mine, child))) {
                    // So are all who follow: only the own team is left.
                    let rest = line.iter().skip(step.done);
                    step.done += rest.take_while(|other| **other != mine).count();
                    continue;
                }
                let open = state.quotas.borrowers(child, pool).unwrap_or(usize::MAX);
                if open == 0 || fairness.is_some_and(|fair| !fair.may_lose_any(running, pool, (mine, child)))
                {
                    continue;
                }
                against = Some(Against { level: 0, mine, side: child, guaranteed, open });
            }
            if running.has_own(pool, child) || against.is_none() && child == self.wanted.leaf {
                self.add(child, against);
                return Some(());
            }
            if running.children_in(pool, child).next().is_some() {
                self.steps.push(Step { parent: child, done: 0, against });
            }
        }
    }

    /// The class that is looked at after this one, if any of it may be stopped.
    fn next_class(&self) -> Option<i32> {
        let pool = self.state.routes.route(self.wanted.route).pool;
        let next = self.running.next_class(pool, self.class)?;
        let any_goes = self.levels.iter().any(|level| level.guaranteed);
        (next <= self.wanted.class || any_goes).then_some(next)
    }

    /// Adds the groups of a leaf of the class that is looked at.
    fn add(&mut self, leaf: MemberId, against: Option<Against>) {
        let (state, wanted, rules) = (self.state, self.wanted, self.rules);
        let own = Against { level: 0, mine: leaf, side: leaf, guaranteed: false, open: usize::MAX };
        let mut against = against.unwrap_or(own);
        against.level = state.tree.path(leaf).position(|at| at == against.side).unwrap_or(usize::MAX);
        let own = leaf == wanted.leaf;
        for (route, alike) in self.running.alike(state.routes.route(wanted.route).pool, leaf) {
            let class = state.routes.shape(state.routes.route(route).shape).class;
            if Some(class) != self.class {
                continue;
            }
            let equal = !own && !against.guaranteed && class == wanted.class;
            let lower = class < wanted.class || !own && against.guaranteed;
            let may_lose = || {
                let rivals = (against.mine, against.side);
                self.fairness.is_none_or(|fair| fair.may_lose_by(&state.tree, rivals, route))
            };
            let may = lower || equal && rules.same_rank && may_lose();
            if !may || exceeds_ratio(state, rules, wanted, [&state.routes.route(route).total].into_iter()) {
                continue;
            }
            let most = alike.len().min(against.open).min(most_taken(state, (wanted, self.hope), route));
            let mut group = Group { leaf, route, class, alike, most, against, own, equal };
            if state.quotas.any() {
                group.most = alike.jobs(state).filter(|job| group.is_open(state, *job)).take(most).count();
            }
            if group.most > 0 {
                self.found.push(group);
            }
        }
    }

    /// The groups from a number on that one share counts for together: those of a side that are equal, or one alone.
    fn together(&mut self, from: usize) -> Option<Range<usize>> {
        let side = |group: Group<'_>| group.equal.then_some(group.against.side);
        let first = side(self.get(from)?);
        let mut end = from + 1;
        while first.is_some() && self.get(end).is_some_and(|group| side(group) == first) {
            end += 1;
        }
        Some(from..end)
    }

    /// Whether there could be room once all are gone that R2 lets go.
    pub(super) fn suffice(&mut self) -> bool {
        let (state, wanted) = (self.state, self.wanted);
        let needs = state.quotas.needs(&state.tree, wanted.leaf, state.routes.route(wanted.route));
        self.get(0).is_some() && needs.iter().all(|(kind, needed)| self.make(kind, needed.get()))
    }

    /// Whether so much of a resource could be free then.
    fn make(&mut self, kind: ResourceKind, needed: u64) -> bool {
        let (state, fairness) = (self.state, self.fairness);
        let free = state.ledger.pool(state.routes.route(self.wanted.route).pool).free();
        let lacking = needed.saturating_sub(free[kind].get());
        let (mut made, mut next) = (0_u64, 0);
        // Sides that R2 lets lose some, and fewer than so much: what would be enough is asked first.
        let mut fewer: Vec<(Loses<'_>, u64)> = Vec::new();
        while made < lacking
            && let Some(range) = self.together(next)
        {
            next = range.end;
            let groups = &self.found[range.clone()];
            let most = most_made(state, groups, kind).min(lacking - made);
            let side = groups[0].equal.then_some(groups[0].against.side);
            match fairness.zip(side) {
                Some((fair, side)) => {
                    let rivals = state.tree.rivals(self.wanted.leaf, side);
                    let loses = Loses { state, fair, rivals, range, kind };
                    if most == 0 || loses.may(groups, most) {
                        made += most;
                    } else {
                        fewer.push((loses, most));
                    }
                }
                None => made += most,
            }
        }
        let mut at_most: u64 = fewer.iter().map(|(_, most)| most - 1).fold(0, u64::saturating_add);
        made >= lacking
            || fewer.iter().any(|(loses, most)| {
                if made.saturating_add(at_most) < lacking {
                    return false;
                }
                at_most -= most - 1;
                made = made.saturating_add(loses.below(&self.found[loses.range.clone()], *most));
                made >= lacking
            })
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
    fair: Fairness<'a>,
    rivals: (MemberId, MemberId),
    /// The numbers of its groups.
    range: Range<usize>,
    kind: ResourceKind,
}

impl Loses<'_> {
    /// What is charged at least in a share group for an amount.
    fn least(&self, groups: &[Group<'_>], share: usize, amount: u64) -> u64 {
        let charged = groups.iter().filter_map(|known| {
            let held = self.state.routes.route(known.route).total[self.kind].get();
            let charge = u128::from(self.state.routes.charge(known.route)[share]);
            (u128::from(amount) * charge).checked_div(u128::from(held))
        });
        charged.min().and_then(|charge| u64::try_from(charge).ok()).unwrap_or(0)
    }

    /// Whether it may be so much.
    fn may(&self, groups: &[Group<'_>], amount: u64) -> bool {
        self.fair.may_lose_of(&self.state.tree, self.rivals, |share| self.least(groups, share, amount))
    }

    /// The most that it may be, below what it may not.
    fn below(&self, groups: &[Group<'_>], mut may_not: u64) -> u64 {
        let mut may = 0;
        while may_not - may > 1 {
            let middle = may + (may_not - may) / 2;
            if self.may(groups, middle) {
                may = middle;
            } else {
                may_not = middle;
            }
        }
        may
    }
}
