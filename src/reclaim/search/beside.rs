//! Beside: what a job lacks beside room where it would run: its teams may hold too little, or others keep too much.
//!
//! Of the first, whoever runs below the team that holds too much makes good; of the second, whoever runs in the pool. In a
//! divisible pool, which has no other room than amounts, what others keep counts as asked from the beginning.
//! Absent on purpose: how much that is (see `quota`), and room on nodes (see `search`). Layer 3; uses `quota`, `tree`.

use super::Search;
use crate::resources::ResourceKind;
use crate::tree::MemberId;

impl Search<'_, '_> {
    /// How much too much a member would hold of a resource, the chosen victims gone.
    pub(super) fn excess(&self) -> Option<(MemberId, ResourceKind)> {
        let (state, route) = (self.state, self.state.routes.route(self.wanted.route));
        if !state.quotas.any() {
            return None;
        }
        state.tree.path(self.wanted.leaf).find_map(|member| {
            let mut over = state.quotas.excess(member, route).into_iter();
            let found = over.find(|(kind, over)| self.freed(*kind, member, 0) < over.get());
            found.map(|(kind, _)| (member, kind))
        })
    }

    fn is_below(&self, candidate: usize, member: MemberId) -> bool {
        self.state.tree.path(self.candidates[candidate].victim.leaf).any(|at| at == member)
    }

    /// A resource of which too little is free in the pool beside what others keep, the chosen victims gone.
    pub(super) fn kept(&self) -> Option<ResourceKind> {
        if self.divisible || !self.others_keep() {
            return None;
        }
        let route = self.state.routes.route(self.wanted.route);
        let free = self.state.ledger.pool(route.pool).free();
        let is_short =
            |kind: ResourceKind| self.freed(kind, MemberId::ROOT, free[kind].get()) < self.needs[kind].get();
        self.needs.iter().map(|(kind, _)| kind).find(|kind| is_short(*kind))
    }

    /// Whether others keep any of what the job asks.
    pub(super) fn others_keep(&self) -> bool {
        self.needs != self.state.routes.route(self.wanted.route).total
    }

    /// What the chosen victims below a member hold of a resource, added to an amount.
    fn freed(&self, kind: ResourceKind, member: MemberId, amount: u64) -> u64 {
        let below = self.chosen.iter().filter(|chosen| self.is_below(**chosen, member));
        let freed =
            below.map(|chosen| self.state.routes.route(self.candidates[*chosen].route).total[kind].get());
        freed.fold(amount, u64::saturating_add)
    }

    /// Chooses the one who gives way first of those that hold a resource below a member.
    pub(super) fn take_below(&mut self, member: MemberId, kind: ResourceKind) -> Option<()> {
        self.know_all();
        let holds = |candidate: &usize| {
            let route = self.state.routes.route(self.candidates[*candidate].route);
            route.total[kind].get() > 0 && self.is_below(*candidate, member)
        };
        let next = self.first((0..self.candidates.len()).filter(holds))?;
        self.take(next);
        Some(())
    }
}
