//! Alike: the candidates of a divisible pool, in bunches of those who differ in nothing but what would be lost.
//!
//! There only amounts count, so that all jobs of one team that run by one route make the same room. Who gives way next is
//! found by comparing the teams, and of each the bunches, instead of everybody who runs.
//! Absent on purpose: what is legal, and pools of nodes (see `search`). Layer 3; uses `state`, `tree`.

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::{Fairness, Loss, compare_leaves};
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;
use crate::route::RouteId;
use crate::state::State;
use crate::tree::{MemberId, Tree};

/// The candidates of one team and class.
#[derive(Debug)]
struct Team {
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
    /// Those that have not been chosen, the one that loses least first.
    left: BinaryHeap<Reverse<(Loss, usize)>>,
    chosen: Vec<Reverse<(Loss, usize)>>,
}

/// The bunch of a team whose first gives way first, by its position, and how well it fits where that counts.
type First = (Option<Fit>, usize);

/// All candidates of a pool, by class and team.
#[derive(Debug, Default)]
pub(super) struct Teams(BTreeMap<(i32, MemberId), Team>);

/// How the next one is chosen.
pub(super) struct Choice<'a> {
    pub(super) request: &'a Resources,
    pub(super) free: &'a Room,
    /// Who leaves least room unused of its team, in place of who loses least.
    pub(super) snug: bool,
    /// From whom no equals are taken.
    pub(super) banned: &'a BTreeSet<MemberId>,
    /// What R2 says of each beside those that were chosen, where that is asked before the set is judged.
    pub(super) fairness: Option<Fairness<'a>>,
}

impl Teams {
    /// Candidates of a class and leaf that run by a route, by their numbers, and the side that they are taken from.
    pub(super) fn add(
        &mut self,
        state: &State,
        (class, leaf): (i32, MemberId),
        (side, equal): (MemberId, bool),
        route: RouteId,
        left: Vec<Reverse<(Loss, usize)>>,
    ) {
        let new = || Team { leaf, side, equal, bunches: Vec::new() };
        let held = state.routes.route(route).total;
        let bunch = Bunch { route, held, left: BinaryHeap::from(left), chosen: Vec::new() };
        self.0.entry((class, leaf)).or_insert_with(new).bunches.push(bunch);
    }

    /// Nobody is chosen but these.
    pub(super) fn begin(&mut self, is_chosen: &[bool]) {
        let some_are = is_chosen.contains(&true);
        for bunch in self.0.values_mut().flat_map(|team| &mut team.bunches) {
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

    /// Whether there is room once all are gone.
    pub(super) fn suffice(&self, choice: &Choice<'_>) -> bool {
        let mut free = choice.free.clone();
        for team in self.0.values().filter(|team| choice.allows(team)) {
            for bunch in &team.bunches {
                free.give(&bunch.held, u32::try_from(bunch.left.len()).unwrap_or(u32::MAX), None);
            }
        }
        free.times(choice.request) > 0
    }

    /// Chooses the one that gives way first of those that hold something that is lacking.
    pub(super) fn choose(&mut self, tree: &Tree, choice: &Choice<'_>) -> Option<usize> {
        let lacking = choice.lacking();
        let mut best: Option<(i32, &mut Team, First)> = None;
        for ((class, _), team) in &mut self.0 {
            if best.as_ref().is_some_and(|(lowest, ..)| lowest < class) {
                break;
            }
            let rank = |team: &Team| if choice.snug { team.side } else { team.leaf };
            let by_team = best.as_ref().map_or(Ordering::Less, |(_, known, _)| {
                compare_leaves(tree, rank(team), rank(known)).reverse()
            });
            if by_team == Ordering::Greater || !choice.allows(team) {
                continue;
            }
            let Some(its) = team.first(tree, choice, &lacking) else { continue };
            let loss = |team: &Team, at: usize| team.bunches[at].left.peek().map(|known| known.0);
            let precedes = by_team == Ordering::Less
                || best.as_ref().is_none_or(|(_, known, first)| {
                    (its.0, loss(team, its.1)) < (first.0, loss(known, first.1))
                });
            if precedes {
                best = Some((*class, team, its));
            }
        }
        let (_, team, (_, at)) = best?;
        let bunch = &mut team.bunches[at];
        let chosen = bunch.left.pop()?;
        bunch.chosen.push(chosen);
        Some(chosen.0.1)
    }
}

/// Whether it does not make the room alone; then how much it makes, or how much is left to make.
type Fit = (bool, u64);

impl Team {
    /// The bunch from which is taken first, with how it fits where that counts.
    fn first(&self, tree: &Tree, choice: &Choice<'_>, lacking: &[ResourceKind]) -> Option<First> {
        let helps = |bunch: &Bunch| lacking.iter().any(|kind| bunch.held[*kind].get() > 0);
        let fairness = choice.fairness.filter(|_| self.equal);
        let may = |bunch: &Bunch| fairness.is_none_or(|fair| fair.may_lose(tree, self.leaf, bunch.route));
        let helping = self.bunches.iter().enumerate().filter(|(_, bunch)| helps(bunch));
        let keys = helping.filter_map(|(at, bunch)| {
            let first = bunch.left.peek().filter(|_| may(bunch))?;
            let fit = choice.snug.then(|| choice.fit(&bunch.held));
            Some((fit, first.0.0, at))
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
