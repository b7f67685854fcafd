//! Alike: the candidates of a divisible pool, in bunches of those who differ in nothing but what would be lost.
//!
//! There only amounts count, so that all jobs of one team that run by one route make the same room. Who gives way next is
//! found by comparing the teams, and of each the bunches, instead of everybody who runs; who is in a bunch is asked only of
//! those from which one could be taken.
//! Absent on purpose: what is legal, and pools of nodes (see `search`). Layer 3; uses `state`, `tree`.

use core::cmp::Ordering;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::groups::Groups;
use super::{Fairness, Loss, compare_leaves, is_whole};
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::{MemberId, Tree};

/// The candidates of one team and class.
#[derive(Debug)]
struct Team {
    class: i32,
    leaf: MemberId,
    /// What they are taken from.
    side: MemberId,
    /// By R2.
    equal: bool,
    bunches: Vec<Bunch>,
}

/// Candidates of one team and route.
#[derive(Debug)]
struct Bunch {
    route: RouteId,
    /// What each of them holds.
    held: Resources,
    /// The number of their group, and how many they are at most.
    group: usize,
    most: usize,
    /// It is known who they are.
    known: bool,
    /// Those that have not been chosen, the one that loses least last.
    left: Vec<(Loss, usize)>,
    chosen: Vec<(Loss, usize)>,
}

/// The bunch of a team whose first gives way first, by its position, and how well it fits where that counts.
type First = (Option<Fit>, usize);

/// A bunch, by the position of its team and its own there.
pub(super) type BunchAt = (usize, usize);

/// The candidates of a pool, in the order in which their teams give way while nobody is chosen, as far as anybody has asked.
#[derive(Debug, Default)]
pub(super) struct Teams {
    known: Vec<Team>,
    /// The first group that is of none of them.
    next: usize,
}

/// What comes of choosing.
#[derive(Debug)]
pub(super) enum Next {
    /// The candidate of this number.
    Candidate(usize),
    /// First it has to be known who is in some bunches.
    Unknown(SmallVec<[BunchAt; 4]>),
    Nobody,
}

/// How much it counts that a candidate leaves little room unused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Snug {
    /// Whoever loses least of a team gives way first.
    #[default]
    Never,
    /// Whoever leaves least room unused of his side does.
    OfSide,
    /// Whoever leaves least room unused of all does, whatever his class and team.
    OfAll,
}

/// How the next one is chosen.
pub(super) struct Choice<'a> {
    pub(super) request: &'a Resources,
    pub(super) free: &'a Room,
    pub(super) snug: Snug,
    /// From whom no equals are taken.
    pub(super) banned: &'a BTreeSet<MemberId>,
    /// Only those who lose less GPU time are chosen.
    pub(super) below: Option<u128>,
    /// What R2 says of each beside those that were chosen, where that is asked before the set is judged.
    pub(super) fairness: Option<Fairness<'a>>,
}

impl Teams {
    /// The team of a number.
    fn get(&mut self, state: &State, groups: &mut Groups<'_>, number: usize) -> Option<&Team> {
        while self.known.len() <= number {
            let first = groups.get(self.next)?;
            let mut bunches = Vec::new();
            // The groups of a leaf follow each other.
            while let Some(group) = groups.get(self.next)
                && (group.leaf, group.class) == (first.leaf, first.class)
            {
                bunches.push(Bunch {
                    route: group.route,
                    held: state.routes.route(group.route).total,
                    group: self.next,
                    most: group.most,
                    known: false,
                    left: Vec::new(),
                    chosen: Vec::new(),
                });
                self.next += 1;
            }
            let (class, leaf, side, equal) = (first.class, first.leaf, first.against.side, first.equal);
            self.known.push(Team { class, leaf, side, equal, bunches });
        }
        self.known.get(number)
    }

    /// A bunch of which it is not known who is in it.
    pub(super) fn unknown(&mut self, state: &State, groups: &mut Groups<'_>) -> Option<BunchAt> {
        let mut number = 0;
        while let Some(team) = self.get(state, groups, number) {
            if let Some(bunch) = team.bunches.iter().position(|bunch| !bunch.known) {
                return Some((number, bunch));
            }
            number += 1;
        }
        None
    }

    /// The group of a bunch.
    pub(super) fn group(&self, (team, bunch): BunchAt) -> usize {
        self.known[team].bunches[bunch].group
    }

    /// Those of a bunch by their numbers, and what each would lose, whoever loses least last.
    pub(super) fn know(&mut self, (team, bunch): BunchAt, left: Vec<(Loss, usize)>) {
        debug_assert!(left.is_sorted_by(|a, b| a > b), "those of a bunch do not come in their order");
        let bunch = &mut self.known[team].bunches[bunch];
        (bunch.known, bunch.left) = (true, left);
    }

    /// Nobody is chosen but these.
    pub(super) fn begin(&mut self, is_chosen: &[bool]) {
        let some_are = is_chosen.contains(&true);
        for bunch in self.known.iter_mut().flat_map(|team| &mut team.bunches) {
            let Bunch { left, chosen, .. } = bunch;
            if !chosen.is_empty() {
                left.append(chosen);
                left.sort_unstable_by(|a, b| b.cmp(a));
            }
            if some_are {
                chosen.extend(left.extract_if(.., |known| is_chosen[known.1]));
            }
        }
    }

    /// Whether there could be room once all are gone.
    pub(super) fn suffice(&mut self, state: &State, groups: &mut Groups<'_>, choice: &Choice<'_>) -> bool {
        let mut free = choice.free.clone();
        let mut number = 0;
        while free.times(choice.request) == 0 {
            let Some(team) = self.get(state, groups, number) else { return false };
            number += 1;
            for bunch in team.bunches.iter().filter(|_| choice.allows(team)) {
                let left = if bunch.known { bunch.left.len() } else { bunch.most };
                free.give(&bunch.held, u32::try_from(left).unwrap_or(u32::MAX), None);
            }
        }
        true
    }

    /// Chooses the one that gives way first of those that hold something that is lacking; `tree` has what the teams hold
    /// without those that were chosen.
    pub(super) fn choose(
        &mut self,
        (state, tree): (&State, &Tree),
        groups: &mut Groups<'_>,
        choice: &Choice<'_>,
    ) -> Next {
        let lacking = choice.lacking();
        let rank = |team: &Team| choice.rank(team.leaf, team.side);
        let is_whole = |team: &Team| choice.snug != Snug::OfAll && is_whole(&state.tree, tree, rank(team));
        let mut best: Option<(usize, First)> = None;
        let mut number = 0;
        loop {
            let first = best.map(|(known, _)| &self.known[known]);
            let mut next = || {
                let known =
                    self.known.get(number).map(|next| (next.class, choice.rank(next.leaf, next.side)));
                let new = || {
                    groups.get(self.next).map(|next| (next.class, choice.rank(next.leaf, next.against.side)))
                };
                known.or_else(new)
            };
            // Who has lost nobody stands where he stood, and nobody comes forward by what he loses: so all who follow give way
            // later.
            if first.is_some_and(|first| is_whole(first) && next() != Some((first.class, rank(first)))) {
                break;
            }
            if self.get(state, groups, number).is_none() {
                break;
            }
            let (at, team) = (number, &self.known[number]);
            number += 1;
            let known = best.map(|(known, first)| (&self.known[known], first));
            let by_rank = known.map_or(Ordering::Less, |(known, _)| {
                let by_team = || compare_leaves(tree, rank(team), rank(known)).reverse();
                team.class.cmp(&known.class).then_with(by_team)
            });
            if by_rank == Ordering::Greater && choice.snug != Snug::OfAll {
                if is_whole(team) {
                    break;
                }
                continue;
            }
            if !choice.allows(team) {
                continue;
            }
            if team.bunches.iter().any(|bunch| !bunch.known) {
                let unknown: SmallVec<[BunchAt; 4]> =
                    team.unknown(tree, choice, &lacking).map(|bunch| (at, bunch)).collect();
                if !unknown.is_empty() {
                    return Next::Unknown(unknown);
                }
            }
            let Some(its) = team.first(tree, choice, &lacking) else { continue };
            let loss = |team: &Team, at: usize| team.bunches[at].left.last().map(|known| known.0);
            let precedes = known.is_none_or(|(known, first)| {
                let by_fit = its.0.cmp(&first.0);
                let by_loss = || loss(team, its.1).cmp(&loss(known, first.1));
                let order =
                    if choice.snug == Snug::OfAll { by_fit.then(by_rank) } else { by_rank.then(by_fit) };
                order.then_with(by_loss) == Ordering::Less
            });
            if precedes {
                best = Some((at, its));
            }
        }
        let taken = best.and_then(|(team, (_, at))| {
            let bunch = &mut self.known[team].bunches[at];
            let taken = bunch.left.pop()?;
            bunch.chosen.push(taken);
            Some(taken.1)
        });
        taken.map_or(Next::Nobody, Next::Candidate)
    }
}

/// Whether it does not make the room alone; then how much it makes, or how much is left to make.
type Fit = (bool, u64);

impl Team {
    /// Whether may be taken from a bunch by what R2 says of it.
    fn allows(&self, tree: &Tree, choice: &Choice<'_>, bunch: &Bunch) -> bool {
        let fairness = choice.fairness.filter(|_| self.equal);
        fairness.is_none_or(|fair| fair.may_lose(tree, self.leaf, bunch.route))
    }

    /// The bunches from which may be taken, and of which it is not known who is in them.
    fn unknown(
        &self,
        tree: &Tree,
        choice: &Choice<'_>,
        lacking: &[ResourceKind],
    ) -> impl Iterator<Item = usize> {
        let unknown = self.bunches.iter().enumerate().filter(|(_, bunch)| !bunch.known);
        let open = unknown.filter(|(_, bunch)| bunch.helps(lacking) && self.allows(tree, choice, bunch));
        open.map(|(at, _)| at)
    }

    /// The bunch from which is taken first, with how it fits where that counts.
    fn first(&self, tree: &Tree, choice: &Choice<'_>, lacking: &[ResourceKind]) -> Option<First> {
        let mut best: Option<((Option<Fit>, Loss), usize)> = None;
        for (at, bunch) in self.bunches.iter().enumerate().filter(|(_, bunch)| bunch.helps(lacking)) {
            // Whoever loses least of a bunch stands last in it.
            let Some((loss, _)) = bunch.left.last() else { continue };
            let fit = (choice.snug != Snug::Never).then(|| choice.fit(&bunch.held));
            let is_cheap = choice.below.is_none_or(|below| loss.0 < below);
            let precedes = best.as_ref().is_none_or(|(known, _)| (fit, *loss) < *known);
            if is_cheap && precedes && self.allows(tree, choice, bunch) {
                best = Some(((fit, *loss), at));
            }
        }
        best.map(|((fit, _), at)| (fit, at))
    }
}

impl Bunch {
    /// Whether they hold something that is lacking.
    fn helps(&self, lacking: &[ResourceKind]) -> bool {
        lacking.iter().any(|kind| self.held[*kind].get() > 0)
    }
}

impl Choice<'_> {
    /// By which member a team is compared with others.
    fn rank(&self, leaf: MemberId, side: MemberId) -> MemberId {
        if self.snug == Snug::Never { leaf } else { side }
    }

    fn allows(&self, team: &Team) -> bool {
        !(team.equal && self.banned.contains(&team.side))
    }

    fn lacking(&self) -> SmallVec<[ResourceKind; 4]> {
        let asked = self.request.iter().map(|(kind, _)| kind);
        asked.filter(|kind| self.free.lacks(self.request, 1, *kind)).collect()
    }

    fn fit(&self, held: &Resources) -> Fit {
        let mut short = self.request.iter().filter_map(|(kind, amount)| {
            let lacking = amount.get().checked_sub(self.free.amounts()[kind].get())?;
            (lacking > 0).then_some((lacking, held[kind].get()))
        });
        let (lacking, makes) = short.next().unwrap_or((0, 0));
        let mut then = self.free.clone();
        then.give(held, 1, None);
        let alone = then.times(self.request) > 0;
        (!alone, if alone { makes } else { lacking.saturating_sub(makes) })
    }
}
