//! Search: the cheapest running jobs that make room for a waiting one.
//!
//! Node by node: for each node the first victims, in their order, that free one more worker's room; the node whose last
//! victim comes first is taken, then the least lost work, then the lowest number, until all workers have room. On the
//! node itself one victim is chosen after the other, each by what its team would hold by then. Whoever proves unnecessary
//! is put back, the dearest first, and what is left is judged; where it is not legal, another node, or in a divisible pool
//! another team, is tried; on nodes at last without the sides that R2 has protected. In a divisible pool nobody is chosen at
//! first whom R2 protects beside those chosen before. Where nothing is found, all is done again as if the job counted as
//! guaranteed, if it may once others are gone (see `hoped`). A legal set can be missed; how often is measured by the tests.
//! Absent on purpose: what is legal (see `legal`), who is a candidate at all (see `groups`), what is lacking beside room (see
//! `beside`), in which fabric domain (see `domains`), which node comes next (see `nodes`), and what is tried after a set was
//! refused (see `otherwise`). Layer 3; uses `state`, `tree`.

mod beside;
mod buffers;
mod domains;
mod enough;
mod hoped;
mod nodes;
mod otherwise;

use core::cmp::Ordering;
use core::ops::Range;
use std::collections::BTreeSet;

use smallvec::SmallVec;

pub(super) use buffers::Buffers;
use domains::InDomain;
use enough::could_have_room;
use hoped::may_be_guaranteed;
pub(super) use hoped::{Hope, could_cover};
use nodes::OnNodes;
use otherwise::Refused;

use super::alike::{BunchAt, Choice, Next, Snug, Teams};
use super::groups::Groups;
use super::{Fairness, Prepared, Rules, Running, Victim, Wanted, compare_leaves, judge};
use crate::decision::EvictReason;
use crate::id::{JobId, NodeId};
use crate::ledger::Span;
use crate::quota::SpareQuotas;
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::{MemberId, Tree};

/// How many sets are judged before a search is given up.
const SETS_JUDGED: usize = 32;

/// What may be stopped, and where the job may go.
pub(crate) struct Bounds<'a> {
    pub(crate) rules: Rules,
    /// Nodes that are left alone, sorted.
    pub(crate) avoid: &'a [NodeId],
    /// Whether a running job may be stopped now, of the job's own team or another.
    pub(crate) may_stop: &'a dyn Fn(JobId, bool) -> bool,
    /// Whether so much GPU time may be lost, in thousandths of a GPU times milliseconds.
    pub(crate) affords: &'a dyn Fn(u128) -> bool,
    /// All candidates are asked whether they may be stopped, also those who are not needed.
    pub(crate) ask_all: bool,
}

/// Whom to stop, and by which rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) victims: Vec<(JobId, EvictReason)>,
}

/// A running job that may be stopped for the wanted one, as far as can be told without knowing the others.
#[derive(Clone, Debug)]
struct Candidate {
    victim: Victim,
    route: RouteId,
    /// The side that it would be taken from.
    side: MemberId,
    /// By R2.
    equal: bool,
    /// Its part of the spans.
    spans: Range<usize>,
}

/// The state of one search.
struct Search<'s, 'a> {
    state: &'a State,
    groups: &'s mut Groups<'a>,
    bounds: &'a Bounds<'a>,
    wanted: Wanted,
    hope: Hope,
    /// What R2 says of one victim, where that can be told.
    fairness: Option<Fairness<'a>>,
    /// What one worker asks; in a divisible pool, which counts as one node, what must be free for all of the job.
    request: Resources,
    /// What must be free in the pool, beside what others keep.
    needs: Resources,
    workers: u64,
    /// The nodes on which victims are chosen for the job: those of one domain, if it must lie in one.
    within: Range<usize>,
    /// What was chosen in each domain, where the job must lie in one.
    domains: Vec<InDomain>,
    /// The leaves of the candidates.
    leaves: Vec<MemberId>,
    /// Where each of them stands among the others.
    positions: Vec<u32>,
    /// What the teams hold without the chosen victims: lent.
    tree: &'s mut Tree,
    /// What is free on each node without them; `None`: left alone.
    free: Vec<Option<Room>>,
    /// For how many workers there is room then; for none where it is left alone.
    seats: Vec<u64>,
    candidates: Vec<Candidate>,
    /// Who becomes a candidate next: nobody, in between.
    coming: Vec<Victim>,
    /// A pool without nodes.
    divisible: bool,
    /// The candidates in a divisible pool.
    teams: Teams,
    spans: Vec<Span>,
    /// The candidates by node.
    on_nodes: OnNodes,
    chosen: Vec<usize>,
    is_chosen: Vec<bool>,
    /// The node that was chosen first.
    first_node: Option<usize>,
    excluded: BTreeSet<usize>,
    snug: Snug,
    /// Nobody is chosen whom R2 protects beside those chosen before, of whom some may be put back: in a divisible pool, at
    /// first.
    strict: bool,
    banned: BTreeSet<MemberId>,
    /// On nodes, the sides that R2 has protected in a set.
    protected: BTreeSet<MemberId>,
    /// Those of them from which no equals are taken any more.
    left_alone: BTreeSet<MemberId>,
    below: Option<u128>,
    /// Some that were chosen held too much together.
    too_much: bool,
}

/// The victims that make room for a job by a route, if the search finds any that are legal.
pub(crate) fn search(
    state: &State,
    (running, prepared): (&Running, &mut Prepared),
    wanted: Wanted,
    bounds: &Bounds<'_>,
) -> Option<Plan> {
    let fairness = Fairness::of(state, running, bounds.rules, wanted);
    for hope in [Hope::Nothing, Hope::Room, Hope::RoomFirst] {
        if hope == Hope::Room && !may_be_guaranteed(state, running, wanted) {
            break;
        }
        let found = search_among(state, (running, prepared), wanted, bounds, (fairness, hope));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The same among those who may be stopped for a job that counts as guaranteed where it does, or hopes to.
fn search_among(
    state: &State,
    (running, prepared): (&Running, &mut Prepared),
    wanted: Wanted,
    bounds: &Bounds<'_>,
    (fairness, hope): (Option<Fairness<'_>>, Hope),
) -> Option<Plan> {
    let Prepared { ranks, spare, quotas, buffers } = prepared;
    let mut groups = Groups::new(state, (running, ranks), bounds.rules, (wanted, hope), fairness)?;
    // Who is protected for now is asked until when, even where all would not be enough.
    let is_open = |groups: &mut Groups<'_>, buffers: &mut Buffers| {
        bounds.ask_all || could_have_room(state, groups, (wanted.route, bounds.avoid), &mut buffers.seats)
    };
    if !groups.suffice() || !is_open(&mut groups, buffers) {
        return None;
    }
    let lent = (spare.lend(&state.tree), core::mem::take(buffers));
    let mut search = Search::new(state, &mut groups, lent, fairness, (wanted, hope), bounds);
    let mut found = search.judged(running, quotas);
    if found.is_none() && !search.protected.is_empty() {
        search.leave_alone();
        found = search.judged(running, quotas);
    }
    search.put_back_all();
    *buffers = search.give_back();
    found
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(
        state: &'a State,
        groups: &'s mut Groups<'a>,
        (tree, buffers): (&'s mut Tree, Buffers),
        fairness: Option<Fairness<'a>>,
        (wanted, hope): (Wanted, Hope),
        bounds: &'a Bounds<'a>,
    ) -> Self {
        let route = state.routes.route(wanted.route);
        let pool = state.ledger.pool(route.pool);
        let needs = state.quotas.needs(&state.tree, wanted.leaf, route);
        let Buffers { mut free, mut seats, .. } = buffers;
        let (request, workers) = if pool.is_divisible() {
            free.push(Some(Room::of_amount(pool.free())));
            (needs, 1)
        } else {
            free.resize(pool.nodes_configured() as usize, None);
            for (node, room) in pool.nodes() {
                if bounds.avoid.binary_search(&node).is_err() {
                    free[node.index()] = Some(room.clone());
                }
            }
            (route.request, u64::from(route.workers))
        };
        seats.extend(free.iter().map(|free| free.as_ref().map_or(0, |free| free.times(&request))));
        let mut search = Self {
            state,
            groups,
            bounds,
            wanted,
            hope,
            fairness,
            request,
            needs,
            workers,
            within: 0..free.len(),
            seats,
            domains: Vec::new(),
            leaves: buffers.leaves,
            positions: buffers.positions,
            tree,
            free,
            candidates: buffers.candidates,
            coming: buffers.coming,
            divisible: pool.is_divisible(),
            teams: Teams::default(),
            spans: buffers.spans,
            on_nodes: buffers.on_nodes,
            chosen: buffers.chosen,
            is_chosen: buffers.is_chosen,
            first_node: None,
            excluded: BTreeSet::new(),
            snug: Snug::Never,
            strict: pool.is_divisible(),
            banned: BTreeSet::new(),
            protected: BTreeSet::new(),
            left_alone: BTreeSet::new(),
            below: None,
            too_much: false,
        };
        if bounds.ask_all {
            search.know_all();
        }
        search
    }

    /// The first legal set of those that are tried.
    fn judged(&mut self, running: &Running, quotas: &mut SpareQuotas) -> Option<Plan> {
        let (state, bounds, wanted) = (self.state, self.bounds, self.wanted);
        for _ in 0..SETS_JUDGED {
            self.put_back_all();
            self.first_node = None;
            if self.choose().is_none() {
                self.try_otherwise()?;
                continue;
            }
            self.put_back_unnecessary();
            let victims = self.victims();
            let refused = match judge(state, (running, &mut *quotas), bounds.rules, wanted, &victims) {
                Ok(reasons) if state.fits_without(&victims, wanted.route, bounds.avoid) => {
                    if (bounds.affords)(self.lost()) {
                        return Some(Plan { victims: victims.into_iter().zip(reasons).collect() });
                    }
                    Refused::Lost
                }
                Ok(_) => Refused::NoRoom,
                Err(refusal) => Refused::NotLegal(refusal),
            };
            self.try_after(refused)?;
        }
        None
    }

    /// Those of a group who may be stopped are candidates from now on; their numbers.
    fn add_candidates(&mut self, group: usize) -> Range<usize> {
        let (state, bounds, from) = (self.state, self.bounds, self.candidates.len());
        let Some(group) = self.groups.get(group) else { return from..from };
        let (own, side, route, equal) = (group.own, group.against.side, group.route, group.equal);
        let may_stop = |job: JobId| group.is_open(state, job) && (bounds.may_stop)(job, own);
        let mut coming = core::mem::take(&mut self.coming);
        group.alike.first(state, group.most, may_stop, &mut coming);
        for victim in coming.drain(..) {
            let spans = self.spans.len();
            if self.divisible {
                self.spans.push(Span { node: NodeId::new(0), workers: 1, device: None });
            } else {
                self.spans.extend(state.spans(victim.job));
            }
            let spans = spans..self.spans.len();
            self.candidates.push(Candidate { victim, route, side, equal, spans });
        }
        self.coming = coming;
        if self.candidates.len() > from && self.leaves.last() != Some(&group.leaf) {
            self.leaves.push(group.leaf);
        }
        self.is_chosen.resize(self.candidates.len(), false);
        from..self.candidates.len()
    }

    /// From now on it is known who is in a bunch.
    fn know(&mut self, bunch: BunchAt) {
        let new = self.add_candidates(self.teams.group(bunch));
        let left = new.rev().map(|number| (self.candidates[number].victim.loss, number)).collect();
        self.teams.know(bunch, left);
    }

    /// From now on it is known who all candidates are.
    fn know_all(&mut self) {
        if !self.divisible {
            while self.know_next_team().is_some() {}
            return;
        }
        while let Some(bunch) = self.teams.unknown(self.state, self.groups) {
            self.know(bunch);
        }
    }

    /// What a worker holds that runs by a route; all of the job in a divisible pool.
    fn held_by(&self, route: RouteId) -> &'a Resources {
        let route = self.state.routes.route(route);
        if self.divisible { &route.total } else { &route.request }
    }

    /// The same of a candidate.
    fn held_by_one(&self, candidate: usize) -> &'a Resources {
        self.held_by(self.candidates[candidate].route)
    }

    /// The spans of a candidate on a node.
    fn spans_on(&self, candidate: usize, node: usize) -> impl Iterator<Item = Span> + use<'_, 's, 'a> {
        let spans = self.spans[self.candidates[candidate].spans.clone()].iter().copied();
        spans.filter(move |span| span.node.index() == node)
    }

    /// How much a candidate holds on a node.
    fn held_on(&self, candidate: usize, node: usize) -> Resources {
        let workers = self.spans_on(candidate, node).map(|span| u64::from(span.workers)).sum();
        self.held_by_one(candidate).checked_mul(workers).unwrap_or_default()
    }

    /// What is free on a node once a candidate is gone from there.
    fn give_on(&self, free: &mut Room, candidate: usize, node: usize) {
        let each = self.held_by_one(candidate);
        self.spans_on(candidate, node).for_each(|span| free.give(each, span.workers, span.device));
    }

    fn is_free_to_choose(&self, candidate: usize) -> bool {
        if self.is_chosen[candidate] {
            return false;
        }
        if self.below.is_none() && !self.strict && self.banned.is_empty() {
            return true;
        }
        let Candidate { victim, route, side, equal, .. } = &self.candidates[candidate];
        let takes = || !self.strict || self.may_lose(victim.leaf, *route);
        let is_cheap = self.below.is_none_or(|below| victim.loss.0 < below);
        is_cheap && (!equal || !self.banned.contains(side) && takes())
    }

    /// Whether R2 lets a side lose what runs by a route beside what was chosen of it.
    fn may_lose(&self, leaf: MemberId, route: RouteId) -> bool {
        self.fairness.is_none_or(|fair| fair.may_lose(self.tree, leaf, route))
    }

    /// A candidate is stopped.
    fn take(&mut self, candidate: usize) {
        self.free_up(candidate, true);
        let Candidate { victim, route, .. } = &self.candidates[candidate];
        self.tree.release(victim.leaf, self.state.routes.charge(*route));
        self.is_chosen[candidate] = true;
        self.chosen.push(candidate);
    }

    /// The candidate that was chosen as number `at` runs on.
    fn put_back(&mut self, at: usize) -> usize {
        let candidate = self.chosen.remove(at);
        self.free_up(candidate, false);
        let Candidate { victim, route, .. } = &self.candidates[candidate];
        self.tree.take_back(victim.leaf, self.state.routes.charge(*route));
        self.is_chosen[candidate] = false;
        candidate
    }

    fn free_up(&mut self, candidate: usize, up: bool) {
        let each = self.held_by_one(candidate);
        for span in &self.spans[self.candidates[candidate].spans.clone()] {
            let node = span.node.index();
            let Some(free) = &mut self.free[node] else { continue };
            if up {
                free.give(each, span.workers, span.device);
            } else {
                let taken = free.take(each, span.workers, span.device);
                debug_assert!(taken, "a job that is put back has no room");
            }
            self.seats[node] = free.times(&self.request);
        }
    }

    fn put_back_all(&mut self) {
        while !self.chosen.is_empty() {
            self.put_back(self.chosen.len() - 1);
        }
    }

    fn victims(&self) -> Vec<JobId> {
        self.chosen.iter().map(|candidate| self.candidates[*candidate].victim.job).collect()
    }

    /// Whether all workers have room, together where they must be, on some nodes.
    fn fits(&self, nodes: Range<usize>) -> bool {
        let route = self.state.routes.route(self.wanted.route);
        let pool = self.state.ledger.pool(route.pool);
        let rooms = nodes.map(|node| (NodeId::at(node), self.seats[node]));
        pool.together(route.confined, self.workers, rooms) >= self.workers
    }

    /// Whether they have anywhere in the pool.
    fn fits_anywhere(&self) -> bool {
        self.fits(0..self.free.len())
    }

    fn choose_within(&mut self) -> Option<()> {
        while let Some((member, kind)) = self.excess() {
            self.take_below(member, kind)?;
        }
        self.make_room_in_quotas();
        if self.divisible {
            return self.choose_amounts();
        }
        while !self.fits(self.within.clone()) {
            let node = self.cheapest_node()?;
            self.first_node.get_or_insert(node);
            let target = self.seats[node] + 1;
            while self.seats[node] < target {
                let next = self.next_on(node, target)?;
                self.take(next);
            }
        }
        while let Some(kind) = self.kept() {
            self.take_below(MemberId::ROOT, kind)?;
        }
        Some(())
    }

    /// Chooses victims until a divisible pool has room.
    fn choose_amounts(&mut self) -> Option<()> {
        self.teams.begin(&self.is_chosen);
        let mut first = true;
        while !self.fits_anywhere() {
            let free = self.free[0].as_ref()?;
            let fairness = self.fairness.filter(|_| self.strict);
            let (request, snug, banned, below) = (&self.request, self.snug, &self.banned, self.below);
            let choice = Choice { request, free, snug, banned, below, fairness };
            if core::mem::take(&mut first) && !self.teams.suffice(self.state, self.groups, &choice) {
                return None;
            }
            let next = match self.teams.choose((self.state, self.tree), self.groups, &choice) {
                Next::Candidate(candidate) => candidate,
                Next::Unknown(bunches) => {
                    for bunch in bunches {
                        self.know(bunch);
                    }
                    continue;
                }
                Next::Nobody => return None,
            };
            debug_assert_eq!(Some(next), self.next_of_all(), "not the one who gives way first");
            self.take(next);
        }
        Some(())
    }

    /// Who gives way next in a divisible pool, found by asking everybody.
    fn next_of_all(&mut self) -> Option<usize> {
        self.know_all();
        self.index_new();
        self.next_known_on(0, 1)
    }

    /// The candidate that alone makes the room that is lacking and leaves least of it unused; if none does, the one that makes
    /// most: of the lowest class and the side that gives way first, or of all.
    fn snuggest(&self, among: impl Iterator<Item = usize>, node: usize, workers: u64) -> Option<usize> {
        let free = self.free[node].as_ref()?;
        let fit = |candidate: usize| {
            let held = self.held_on(candidate, node);
            let mut short = self.request.iter().filter_map(|(kind, amount)| {
                let lacking = amount.get().saturating_mul(workers).checked_sub(free.amounts()[kind].get())?;
                (lacking > 0).then_some((lacking, held[kind].get()))
            });
            let (lacking, makes) = short.next().unwrap_or((0, 0));
            let mut then = free.clone();
            self.give_on(&mut then, candidate, node);
            let alone = then.times(&self.request) >= workers;
            (!alone, if alone { makes } else { lacking.saturating_sub(makes) })
        };
        let order = |a: &usize, b: &usize| {
            let (first, second) = (&self.candidates[*a], &self.candidates[*b]);
            let by_side = || compare_leaves(self.tree, first.side, second.side).reverse();
            let by_rank = || first.victim.class.cmp(&second.victim.class).then_with(by_side);
            let by_fit = || fit(*a).cmp(&fit(*b));
            let order = if self.snug == Snug::OfAll {
                by_fit().then_with(by_rank)
            } else {
                by_rank().then_with(by_fit)
            };
            order.then_with(|| first.victim.loss.cmp(&second.victim.loss))
        };
        among.filter(|candidate| self.is_free_to_choose(*candidate)).min_by(order)
    }

    /// The candidate that gives way first.
    fn first(&self, among: impl Iterator<Item = usize>) -> Option<usize> {
        let order =
            |a: &usize, b: &usize| self.candidates[*a].victim.compare(self.tree, &self.candidates[*b].victim);
        among.filter(|candidate| self.is_free_to_choose(*candidate)).min_by(order)
    }

    /// Whether a candidate holds something on a node that so many workers lack there.
    fn helps(&self, candidate: usize, node: usize, workers: u64) -> bool {
        let Some(free) = &self.free[node] else { return false };
        let held = self.held_on(candidate, node);
        let short = |(kind, _): (ResourceKind, crate::Quantity)| {
            held[kind].get() > 0 && free.lacks(&self.request, workers, kind)
        };
        self.request.iter().any(short)
    }

    /// Whether a divisible pool would have no room if a chosen candidate were put back.
    fn lacks_without(&self, candidate: usize) -> bool {
        let Some(free) = self.free[0].as_ref().map(Room::amounts) else { return false };
        let held = self.held_by_one(candidate);
        let needed = &self.state.routes.route(self.wanted.route).total;
        needed
            .iter()
            .any(|(kind, needed)| free[kind].checked_sub(held[kind]).is_none_or(|left| left < needed))
    }

    /// Puts back whoever is not needed, the dearest first.
    fn put_back_unnecessary(&mut self) {
        let mut order = SmallVec::<[usize; 8]>::from_slice(&self.chosen);
        order.sort_by(|a, b| {
            let (a, b) = (&self.candidates[*a].victim, &self.candidates[*b].victim);
            a.compare(&self.state.tree, b).reverse()
        });
        for candidate in order {
            if self.divisible && self.lacks_without(candidate) {
                continue;
            }
            let Some(at) = self.chosen.iter().position(|chosen| *chosen == candidate) else { continue };
            self.put_back(at);
            if !self.fits_anywhere() || self.excess().is_some() || self.kept().is_some() {
                self.take(candidate);
            }
        }
        // What is kept stands in the order in which it was chosen, whatever was tried.
        let state = self.state;
        let candidates = &self.candidates;
        self.chosen.sort_by(|a, b| -> Ordering {
            candidates[*a].victim.compare(&state.tree, &candidates[*b].victim)
        });
    }
}
