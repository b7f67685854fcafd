//! Domains: in which fabric domain victims are taken for a gang that must lie in one.
//!
//! Each domain is tried: taken is the one whose last victim comes first by class and team, then the one with the least lost
//! work, then the first. What was found in a domain holds until a node of it is left out, so that a set that is judged and not
//! legal costs the search in one domain. Absent on purpose: how victims are chosen within one. Layer 3; uses `tree`.

use core::cmp::Ordering;
use core::ops::Range;

use super::super::compare_leaves;
use super::Search;
use crate::tree::MemberId;

/// Candidates that make room on some nodes, the node that was chosen first, and the GPU time that they lose.
#[derive(Clone)]
pub(super) struct Chosen {
    within: Range<usize>,
    victims: Vec<usize>,
    first_node: Option<usize>,
    lost: u128,
}

/// What was found in a fabric domain.
#[derive(Clone)]
pub(super) enum InDomain {
    /// Nobody has looked since something changed there.
    Unknown,
    /// Nobody can make room there.
    Nothing,
    Chosen(Chosen),
}

impl Search<'_, '_> {
    /// Chooses victims until the job has room, in the domain where that is cheapest if it must lie in one; `None` where it
    /// cannot have.
    pub(super) fn choose(&mut self) -> Option<()> {
        let route = self.state.routes.route(self.wanted.route);
        if !route.confined {
            return self.choose_within();
        }
        let pool = self.state.ledger.pool(route.pool);
        self.domains.resize(pool.domain_count(), InDomain::Unknown);
        for domain in 0..self.domains.len() {
            if !matches!(self.domains[domain], InDomain::Unknown) {
                continue;
            }
            let nodes = pool.domain(domain);
            self.within = nodes.start as usize..nodes.end as usize;
            self.put_back_all();
            self.first_node = None;
            self.domains[domain] = match self.choose_within() {
                None => InDomain::Nothing,
                Some(()) => InDomain::Chosen(Chosen {
                    within: self.within.clone(),
                    victims: self.chosen.clone(),
                    first_node: self.first_node,
                    lost: self.lost(),
                }),
            };
        }
        self.put_back_all();
        let mut best: Option<&Chosen> = None;
        for known in &self.domains {
            if let InDomain::Chosen(known) = known
                && best.is_none_or(|best| self.is_cheaper(known, best))
            {
                best = Some(known);
            }
        }
        let Chosen { within, victims, first_node, .. } = best?.clone();
        (self.within, self.first_node) = (within, first_node);
        for candidate in victims {
            self.take(candidate);
        }
        Some(())
    }

    /// No victims are chosen on this node first any more.
    pub(super) fn exclude(&mut self, node: usize) {
        self.excluded.insert(node);
        let route = self.state.routes.route(self.wanted.route);
        let pool = self.state.ledger.pool(route.pool);
        for (domain, known) in self.domains.iter_mut().enumerate() {
            let nodes = pool.domain(domain);
            if (nodes.start as usize..nodes.end as usize).contains(&node) {
                *known = InDomain::Unknown;
            }
        }
    }

    /// Whether some victims are cheaper than others.
    fn is_cheaper(&self, these: &Chosen, than: &Chosen) -> bool {
        let order = |a: &(i32, MemberId), b: &(i32, MemberId)| {
            a.0.cmp(&b.0).then_with(|| compare_leaves(&self.state.tree, a.1, b.1).reverse())
        };
        let last = |chosen: &[usize]| {
            let victims = chosen.iter().map(|candidate| &self.candidates[*candidate].victim);
            victims.map(|victim| (victim.class, victim.leaf)).max_by(order)
        };
        let by_last = match (last(&these.victims), last(&than.victims)) {
            (Some(ours), Some(theirs)) => order(&ours, &theirs),
            (ours, theirs) => ours.is_some().cmp(&theirs.is_some()),
        };
        by_last.then_with(|| these.lost.cmp(&than.lost)) == Ordering::Less
    }

    /// The GPU time that the victims chosen lose.
    pub(super) fn lost(&self) -> u128 {
        let lost = self.chosen.iter().map(|candidate| self.candidates[*candidate].victim.loss.0);
        lost.fold(0, u128::saturating_add)
    }
}
