//! Nodes: on which node room for one more worker is cheapest.
//!
//! By the one who gives way last there, then what all of them lose, then the lowest number.
//! Absent on purpose: who is chosen there (see `search`). Layer 3; uses `room`, `tree`.

use super::{Here, Search};
use crate::id::Id as _;
use crate::reclaim::compare_leaves;

impl Search<'_> {
    /// The node on which room for one more worker is cheapest, by what the teams hold now.
    pub(super) fn cheapest_node(&mut self) -> Option<usize> {
        self.settle_positions();
        let positions = &self.positions;
        let mut order: Vec<(i32, u32, usize)> = Vec::new();
        let mut best: Option<((i32, u32, u128), usize)> = None;
        for node in self.within.clone().filter(|node| !self.excluded.contains(node)) {
            let Some(free) = self.free[node].as_ref().filter(|_| !self.here(node).is_empty()) else {
                continue;
            };
            let target = self.seats[node] + 1;
            // Where somebody must go who gives way later than the last of the best node, nobody need be put in order.
            let is_dearer = best
                .as_ref()
                .is_some_and(|((class, position, _), _)| !self.could_free(node, target, (*class, *position)));
            if is_dearer {
                continue;
            }
            let mut free = free.clone();
            order.clear();
            for here in self.here(node) {
                let candidate = here.number as usize;
                if self.is_free_to_choose(candidate) {
                    order.push((here.class, positions[here.leaf.index()], candidate));
                }
            }
            order.sort_unstable_by(|a, b| {
                let loss = |candidate: usize| self.candidates[candidate].victim.loss;
                (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| loss(a.2).cmp(&loss(b.2)))
            });
            let (mut lost, mut worst) = (0_u128, None);
            for (class, position, candidate) in &order {
                let victim = &self.candidates[*candidate].victim;
                self.give_on(&mut free, *candidate, node);
                lost = lost.saturating_add(victim.loss.0);
                worst = Some((*class, *position, lost));
                let dearer = best.as_ref().is_some_and(|(cost, _)| worst >= Some(*cost));
                if dearer || free.times(&self.request) >= target {
                    break;
                }
            }
            if let Some(cost) = worst.filter(|_| free.times(&self.request) >= target)
                && best.as_ref().is_none_or(|(least, _)| cost < *least)
            {
                best = Some((cost, node));
            }
        }
        best.map(|(_, node)| node)
    }

    /// Whether a node could have room for so many workers once all are gone who give way no later than that.
    fn could_free(&self, node: usize, workers: u64, latest: (i32, u32)) -> bool {
        let Some(free) = &self.free[node] else { return false };
        let goes = |here: &&Here| {
            (here.class, self.positions[here.leaf.index()]) <= latest
                && self.is_free_to_choose(here.number as usize)
        };
        self.request.iter().all(|(kind, asked)| {
            let gone = self.here(node).iter().filter(goes);
            let held =
                gone.map(|here| self.held_by(here.route)[kind].get().saturating_mul(here.workers.into()));
            let room = held.fold(free.amounts()[kind].get(), u64::saturating_add);
            room >= asked.get().saturating_mul(workers)
        })
    }

    /// The leaves of the candidates stand in the order in which they give way.
    fn settle_positions(&mut self) {
        // Hardly any has moved since they stood so before.
        self.leaves.sort_by(|a, b| compare_leaves(&self.tree, *a, *b).reverse());
        self.leaves.dedup();
        self.positions.resize(self.tree.len(), 0);
        for (position, leaf) in (0..).zip(&self.leaves) {
            self.positions[leaf.index()] = position;
        }
    }
}
