//! Nodes: on which node room for one more worker is cheapest, and who gives way there.
//!
//! By the one who gives way last there, then what all of them lose, then the lowest number. Teams are asked who runs for them
//! one after the other, in the order in which they give way, until who is not known yet would give way later.
//! Absent on purpose: how often a node is looked for (see `search`). Layer 3; uses `room`, `tree`.

use core::cmp::Ordering;
use core::ops::Range;

use smallvec::SmallVec;

use super::{Candidate, Search, Snug};
use crate::id::{Id as _, position};
use crate::ledger::Span;
use crate::reclaim::{compare_leaves, is_whole};
use crate::route::RouteId;
use crate::tree::MemberId;

/// A candidate on a node, with what is asked of him most.
#[derive(Clone, Copy, Debug)]
struct Here {
    number: u32,
    class: i32,
    leaf: MemberId,
    route: RouteId,
    /// How many of its workers run there.
    workers: u32,
    /// The one that was found before him there, counted from one; zero for none.
    before: u32,
}

/// The candidates by node, as far as anybody has asked.
#[derive(Clone, Default, Debug)]
pub(super) struct OnNodes {
    here: Vec<Here>,
    /// By node: the one that was found last, counted from one; zero for none.
    last: Vec<u32>,
    /// The nodes on which any is, in no order that matters.
    taken: Vec<usize>,
    /// How many candidates are among them.
    candidates: usize,
    /// The first group of which it is not known who is in it.
    next: usize,
}

impl OnNodes {
    /// Nobody is known any more.
    pub(super) fn clear(&mut self) {
        let Self { here, last, taken, candidates, next } = self;
        here.clear();
        last.clear();
        taken.clear();
        (*candidates, *next) = (0, 0);
    }

    /// The candidates on a node.
    fn on(&self, node: usize) -> impl Iterator<Item = &Here> {
        let at = |number: u32| (number > 0).then(|| &self.here[number as usize - 1]);
        let last = self.last.get(node).copied().unwrap_or(0);
        core::iter::successors(at(last), move |here| at(here.before))
    }
}

impl Search<'_, '_> {
    /// The node on which room for one more worker is cheapest, by what the teams hold now.
    pub(super) fn cheapest_node(&mut self) -> Option<usize> {
        // Once a set was refused others mostly are, until everybody was asked.
        if self.snug != Snug::Never || !self.excluded.is_empty() {
            self.know_all();
        }
        loop {
            let found = self.cheapest_known();
            if let Some((node, last)) = found
                && !self.unknown_precede(last)
            {
                return Some(node);
            }
            // Whoever precedes the last one on that node may make another one cheaper; where there is none, whoever could
            // make room on one.
            loop {
                let Some(new) = self.know_next_team() else {
                    return self.cheapest_known().map(|(node, _)| node);
                };
                let is_enough = match found {
                    Some((_, last)) => !self.unknown_precede(last),
                    None => self.could_help(new),
                };
                if is_enough {
                    break;
                }
            }
        }
    }

    /// Whether any of the teams that were not asked gives way before a class and leaf.
    fn unknown_precede(&mut self, (class, leaf): (i32, MemberId)) -> bool {
        let mut number = self.on_nodes.next;
        while let Some(next) = self.groups.get(number) {
            let by_team = || compare_leaves(self.tree, next.leaf, leaf).reverse();
            if next.class.cmp(&class).then_with(by_team) == Ordering::Less {
                return true;
            }
            // Who has lost nobody stands before all who stood behind him. Others may have fallen behind, with their siblings.
            if is_whole(&self.state.tree, self.tree, next.leaf) {
                return false;
            }
            number += 1;
        }
        false
    }

    /// The next team's jobs are known from now on; their numbers.
    pub(super) fn know_next_team(&mut self) -> Option<Range<usize>> {
        let first = self.groups.get(self.on_nodes.next)?;
        let from = self.candidates.len();
        // The groups of a leaf follow each other.
        while let Some(group) = self.groups.get(self.on_nodes.next)
            && (group.leaf, group.class) == (first.leaf, first.class)
        {
            self.add_candidates(self.on_nodes.next);
            self.on_nodes.next += 1;
        }
        self.index_new();
        Some(from..self.candidates.len())
    }

    /// The candidates that are new stand on their nodes.
    pub(super) fn index_new(&mut self) {
        let OnNodes { here, last, taken, candidates: known, .. } = &mut self.on_nodes;
        last.resize(self.free.len(), 0);
        let new = self.candidates.iter().enumerate().skip(*known);
        for (number, Candidate { victim, route, spans, .. }) in new {
            let (number, class, leaf, route) = (position(number), victim.class, victim.leaf, *route);
            for (node, workers) in nodes_of(&self.spans[spans.clone()]) {
                if last[node] == 0 {
                    taken.push(node);
                }
                here.push(Here { number, class, leaf, route, workers, before: last[node] });
                last[node] = position(here.len());
            }
        }
        *known = self.candidates.len();
    }

    /// Whether some candidates run where there could be room once all that are known are gone.
    fn could_help(&self, candidates: Range<usize>) -> bool {
        let theirs = candidates.map(|number| self.candidates[number].spans.clone());
        let mut nodes = theirs.flat_map(|spans| nodes_of(&self.spans[spans]));
        nodes.any(|(node, _)| {
            let is_open = self.within.contains(&node) && !self.excluded.contains(&node);
            is_open && self.could_free(node, self.seats[node] + 1, |_| true)
        })
    }

    /// Who gives way next on a node that is to have room for so many workers.
    pub(super) fn next_on(&mut self, node: usize, target: u64) -> Option<usize> {
        loop {
            let next = self.next_known_on(node, target);
            let last = next.map(|next| &self.candidates[next].victim).map(|next| (next.class, next.leaf));
            let unknown = self.snug == Snug::Never && last.is_none_or(|last| self.unknown_precede(last));
            if !unknown || self.know_next_team().is_none() {
                return next;
            }
        }
    }

    /// The same among those who are known.
    pub(super) fn next_known_on(&self, node: usize, target: u64) -> Option<usize> {
        let here = self.on_nodes.on(node).map(|here| here.number as usize);
        let helping = here.filter(|c| self.helps(*c, node, target));
        match self.snug {
            Snug::Never => self.first(helping),
            _ => self.snuggest(helping, node, target),
        }
    }

    /// The node that is cheapest by those who are known, and the class and leaf of whoever gives way last there.
    fn cheapest_known(&mut self) -> Option<(usize, (i32, MemberId))> {
        self.settle_positions();
        let positions = &self.positions;
        let mut order: SmallVec<[(i32, u32, usize); 16]> = SmallVec::new();
        // By class and place of whoever gives way last there, what is lost, and the number of the node.
        let mut best: Option<(i32, u32, u128, usize)> = None;
        for node in self.on_nodes.taken.iter().copied() {
            if !self.within.contains(&node) || self.excluded.contains(&node) {
                continue;
            }
            let Some(free) = &self.free[node] else { continue };
            let target = self.seats[node] + 1;
            // Whoever gives way later than the last of the best node is not waited for: nobody need be put in order where the
            // others do not make the room.
            let counts = |known| best.is_none_or(|(class, place, ..)| known <= (class, place));
            if !self.could_free(node, target, counts) {
                continue;
            }
            let mut free = free.clone();
            order.clear();
            for here in self.on_nodes.on(node) {
                let candidate = here.number as usize;
                let (class, place) = (here.class, positions[here.leaf.index()]);
                if counts((class, place)) && self.is_free_to_choose(candidate) {
                    order.push((class, place, candidate));
                }
            }
            order.sort_unstable_by(|a, b| {
                let loss = |candidate: usize| self.candidates[candidate].victim.loss;
                (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| loss(a.2).cmp(&loss(b.2)))
            });
            let mut lost = 0_u128;
            for (class, place, candidate) in &order {
                self.give_on(&mut free, *candidate, node);
                lost = lost.saturating_add(self.candidates[*candidate].victim.loss.0);
                let cost = (*class, *place, lost, node);
                if best.is_some_and(|best| cost > best) {
                    break;
                }
                if free.times(&self.request) >= target {
                    best = Some(cost);
                    break;
                }
            }
        }
        best.map(|(class, place, _, node)| (node, (class, self.leaves[place as usize])))
    }

    /// Whether a node could have room for so many workers once all are gone of whom, by class and place of their team, `goes`.
    fn could_free(&self, node: usize, workers: u64, goes: impl Fn((i32, u32)) -> bool) -> bool {
        let Some(free) = &self.free[node] else { return false };
        let goes = |here: &&Here| {
            let place = || self.positions.get(here.leaf.index()).copied().unwrap_or(0);
            goes((here.class, place())) && self.is_free_to_choose(here.number as usize)
        };
        self.request.iter().all(|(kind, asked)| {
            let gone = self.on_nodes.on(node).filter(goes);
            let held =
                gone.map(|here| self.held_by(here.route)[kind].get().saturating_mul(here.workers.into()));
            let room = held.fold(free.amounts()[kind].get(), u64::saturating_add);
            room >= asked.get().saturating_mul(workers)
        })
    }

    /// The leaves of the candidates stand in the order in which they give way.
    fn settle_positions(&mut self) {
        // Hardly any has moved since they stood so before.
        self.leaves.sort_by(|a, b| compare_leaves(self.tree, *a, *b).reverse());
        self.leaves.dedup();
        self.positions.resize(self.tree.len(), 0);
        for (position, leaf) in (0..).zip(&self.leaves) {
            self.positions[leaf.index()] = position;
        }
    }
}

/// The nodes of a job, each once, with how many workers run there: its spans on one node stand side by side.
fn nodes_of(spans: &[Span]) -> impl Iterator<Item = (usize, u32)> + '_ {
    spans.chunk_by(|a, b| a.node == b.node).filter_map(|here| {
        let workers = here.iter().map(|span| span.workers).sum();
        Some((here.first()?.node.index(), workers))
    })
}
