//! Alike: the candidates of a divisible pool, in bunches of those who differ in nothing but what would be lost.
//!
//! There only amounts count, so that all jobs of one team that run by one route make the same room. Who gives way next is
//! found by comparing the teams, and of each the bunches, instead of everybody who runs; who is in a bunch is asked only of
//! those from which one could be taken.
//! Absent on purpose: what is legal, and pools of nodes (see `search`). Layer 3; uses `state`, `tree`.

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

use super::groups::Group;
use super::{Fairness, Loss, compare_leaves};
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
    /// Those that have not been chosen, the one that loses least first.
    left: BinaryHeap<Reverse<(Loss, usize)>>,
    chosen: Vec<Reverse<(Loss, usize)>>,
}

/// The bunch of a team whose first gives way first, by its position, and how well it fits where that counts.
type First = (Option<Fit>, usize);

/// A bunch, by the position of its team and its own there.
pub(super) type BunchAt = (usize, usize);

/// All candidates of a pool, by class and team.
#[derive(Debug, Default)]
pub(super) struct Teams(Vec<Team>);

/// What comes of choosing.
#[derive(Debug)]
pub(super) enum Next {
    /// The candidate of this number.
    Candidate(usize),
    /// First it has to be known who is in a bunch.
    Unknown(BunchAt),
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
    /// The candidates of groups, whoever they are.
    pub(super) fn of(state: &State, groups: &[Group<'_>]) -> Self {
        let mut teams: Vec<Team> = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let (class, leaf, side, equal) = (group.class, group.leaf, group.against.side, group.equal);
            let held = state.routes.route(group.route).total;
            let bunch = Bunch {
                route: group.route,
                held,
                group: number,
                most: group.most,
                known: false,
                left: BinaryHeap::new(),
                chosen: Vec::new(),
            };
            // The groups of a leaf follow each other.
            let mut same = teams.iter_mut().rev().take_while(|team| team.leaf == leaf);
            if let Some(team) = same.find(|team| team.class == class) {
                team.bunches.push(bunch);
            } else {
                teams.push(Team { class, leaf, side, equal, bunches: vec![bunch] });
            }
        }
        teams.sort_by_key(|team| team.class);
        Self(teams)
    }

    /// A bunch of which it is not known who is in it.
    pub(super) fn unknown(&self) -> Option<BunchAt> {
        let mut teams = self.0.iter().enumerate();
        teams.find_map(|(number, team)| Some((number, team.bunches.iter().position(|bunch| !bunch.known)?)))
    }

    /// The group of a bunch.
    pub(super) fn group(&self, (team, bunch): BunchAt) -> usize {
        self.0[team].bunches[bunch].group
    }

    /// Those of a bunch by their numbers, and what each would lose.
    pub(super) fn know(&mut self, (team, bunch): BunchAt, left: BinaryHeap<Reverse<(Loss, usize)>>) {
        let bunch = &mut self.0[team].bunches[bunch];
        (bunch.known, bunch.left) = (true, left);
    }

    /// Nobody is chosen but these.
    pub(super) fn begin(&mut self, is_chosen: &[bool]) {
        let some_are = is_chosen.contains(&true);
        for bunch in self.0.iter_mut().flat_map(|team| &mut team.bunches) {
            bunch.left.extend(bunch.chosen.drain(..));
            if some_are {
                bunch.left.retain(|known| {
                    let stays = !is_chosen[known.0.1];
                    if !stays {
                        bunch.chosen.push(*known);
                    }
                    stays
                });
            }
        }
    }

    /// Whether there could be room once all are gone.
    pub(super) fn suffice(&self, choice: &Choice<'_>) -> bool {
        let mut free = choice.free.clone();
        for team in self.0.iter().filter(|team| choice.allows(team)) {
            for bunch in &team.bunches {
                let left = if bunch.known { bunch.left.len() } else { bunch.most };
                free.give(&bunch.held, u32::try_from(left).unwrap_or(u32::MAX), None);
            }
        }
        free.times(choice.request) > 0
    }

    /// Chooses the one that gives way first of those that hold something that is lacking.
    pub(super) fn choose(&mut self, tree: &Tree, choice: &Choice<'_>) -> Next {
        let lacking = choice.lacking();
        let mut best: Option<(usize, First)> = None;
        for (number, team) in self.0.iter().enumerate() {
            let known = best.map(|(known, first)| (&self.0[known], first));
            let rank = |team: &Team| if choice.snug == Snug::Never { team.leaf } else { team.side };
            let by_rank = known.map_or(Ordering::Less, |(known, _)| {
                let by_team = || compare_leaves(tree, rank(team), rank(known)).reverse();
                team.class.cmp(&known.class).then_with(by_team)
            });
            let comes_after = by_rank == Ordering::Greater && choice.snug != Snug::OfAll;
            if comes_after || !choice.allows(team) {
                continue;
            }
            if let Some(bunch) = team.unknown(tree, choice, &lacking) {
                return Next::Unknown((number, bunch));
            }
            let Some(its) = team.first(tree, choice, &lacking) else { continue };
            let loss = |team: &Team, at: usize| team.bunches[at].left.peek().map(|known| known.0);
            let precedes = known.is_none_or(|(known, first)| {
                let by_fit = its.0.cmp(&first.0);
                let by_loss = || loss(team, its.1).cmp(&loss(known, first.1));
                let order =
                    if choice.snug == Snug::OfAll { by_fit.then(by_rank) } else { by_rank.then(by_fit) };
                order.then_with(by_loss) == Ordering::Less
            });
            if precedes {
                best = Some((number, its));
            }
        }
        let taken = best.and_then(|(team, (_, at))| {
            let bunch = &mut self.0[team].bunches[at];
            let taken = bunch.left.pop()?;
            bunch.chosen.push(taken);
            Some(taken.0.1)
        });
        taken.map_or(Next::Nobody, Next::Candidate)
    }
}

/// Whether it does not make the room alone; then how much it makes, or how much is left to make.
type Fit = (bool, u64);

impl Team {
    /// The bunches from which may be taken, of those that hold something that is lacking.
    fn open<'a>(
        &'a self,
        tree: &'a Tree,
        choice: &'a Choice<'_>,
        lacking: &'a [ResourceKind],
    ) -> impl Iterator<Item = (usize, &'a Bunch)> {
        let fairness = choice.fairness.filter(|_| self.equal);
        let helps = |bunch: &Bunch| lacking.iter().any(|kind| bunch.held[*kind].get() > 0);
        let may =
            move |bunch: &Bunch| fairness.is_none_or(|fair| fair.may_lose(tree, self.leaf, bunch.route));
        // Whoever loses least of a bunch stands first in it.
        let is_cheap = |bunch: &Bunch| {
            let first = bunch.left.peek().map(|known| known.0.0.0);
            first.zip(choice.below).is_none_or(|(loss, below)| loss < below)
        };
        self.bunches
            .iter()
            .enumerate()
            .filter(move |(_, bunch)| helps(bunch) && may(bunch) && is_cheap(bunch))
    }

    /// One of them of which it is not known who is in it.
    fn unknown(&self, tree: &Tree, choice: &Choice<'_>, lacking: &[ResourceKind]) -> Option<usize> {
        if self.bunches.iter().all(|bunch| bunch.known) {
            return None;
        }
        self.open(tree, choice, lacking).find(|(_, bunch)| !bunch.known).map(|(at, _)| at)
    }

    /// The bunch from which is taken first, with how it fits where that counts.
    fn first(&self, tree: &Tree, choice: &Choice<'_>, lacking: &[ResourceKind]) -> Option<First> {
        let keys = self.open(tree, choice, lacking).filter_map(|(at, bunch)| {
            let fit = (choice.snug != Snug::Never).then(|| choice.fit(&bunch.held));
            Some((fit, bunch.left.peek()?.0.0, at))
        });
        keys.min_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1))).map(|(fit, _, at)| (fit, at))
    }
}

impl Choice<'_> {
    fn allows(&self, team: &Team) -> bool {
        !(team.equal && self.banned.contains(&team.side))
    }

    fn lacking(&self) -> Vec<ResourceKind> {
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
