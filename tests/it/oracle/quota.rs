//! The slow scheduler's quotas, limits, borrowing and lending limits, recomputed from the running jobs each time.

use fairshare::{Allowance, ResourceKind, TeamSpec};

use super::{Oracle, Rule, Run, kinds};

impl Oracle {
    pub(super) fn is_below(&self, run: &Run, member: usize) -> bool {
        self.path(self.leaf(self.jobs[self.index_of(run.number)].team)).contains(&member)
    }

    pub(super) fn asks(&self, run: &Run, kind: ResourceKind) -> u128 {
        let alternative = &self.jobs[self.index_of(run.number)].alternatives[run.alternative];
        u128::from(alternative.request[kind].get()) * u128::from(alternative.workers)
    }

    fn allowance(list: &[Allowance], pool: usize, kind: ResourceKind) -> Option<u128> {
        let named = list.iter().find(|allowance| allowance.pool.index() == pool && allowance.kind == kind);
        named.map(|allowance| u128::from(allowance.amount.get()))
    }

    fn spec(&self, member: usize) -> Option<&TeamSpec> {
        (1..=self.config.teams.len()).contains(&member).then(|| &self.config.teams[member - 1])
    }

    /// A member's quota: its own, or where it names none the sum of its children's.
    fn quota(&self, member: usize, pool: usize, kind: ResourceKind) -> Option<u128> {
        let spec = self.spec(member)?;
        if !spec.quota.is_empty() {
            return Self::allowance(&spec.quota, pool, kind);
        }
        let children = self.children(member);
        let quotas: Vec<u128> =
            children.into_iter().filter_map(|child| self.quota(child, pool, kind)).collect();
        (!quotas.is_empty()).then(|| quotas.iter().sum())
    }

    /// Under the static order: the quota; nothing in a pool that it does not name, and nothing without any quota.
    fn hard_limit(&self, member: usize, pool: usize, kind: ResourceKind) -> Option<u128> {
        let names = |member: usize, pool: usize| kinds().any(|kind| self.quota(member, pool, kind).is_some());
        let has_any = |member: usize| (0..self.config.pools.len()).any(|pool| names(member, pool));
        let below_one = self.path(member).into_iter().skip(1).any(has_any);
        if !has_any(member) && below_one {
            return None;
        }
        if names(member, pool) { self.quota(member, pool, kind) } else { Some(0) }
    }

    fn used(&self, member: usize, pool: usize, kind: ResourceKind, guaranteed_only: bool) -> u128 {
        let counts = |run: &&Run| {
            run.pool == pool
                && self.is_below(run, member)
                && (!guaranteed_only || self.guaranteed.contains(&(run.number, member)))
        };
        self.running.iter().filter(counts).map(|run| self.asks(run, kind)).sum()
    }

    /// Whether one more run counts as guaranteed at a member.
    pub(super) fn within_quota(&self, member: usize, run: &Run) -> bool {
        let named: Vec<_> =
            kinds().filter_map(|kind| Some((kind, self.quota(member, run.pool, kind)?))).collect();
        let within = |(kind, quota): &(ResourceKind, u128)| {
            self.used(member, run.pool, *kind, true) + self.asks(run, *kind) <= *quota
        };
        !named.is_empty() && named.iter().all(within)
    }

    /// What is withheld from everybody else for a member.
    fn withheld(&self, member: usize, pool: usize, kind: ResourceKind) -> u128 {
        let below = self.children(member).into_iter().map(|child| self.withheld(child, pool, kind)).sum();
        let Some(spec) = self.spec(member) else { return below };
        let Some(lend) = Self::allowance(&spec.lend, pool, kind) else { return below };
        let kept = self.quota(member, pool, kind).unwrap_or(0).saturating_sub(lend);
        kept.saturating_sub(self.used(member, pool, kind, false)).max(below)
    }

    /// Whether a limit, or what others keep, denies a run to its team.
    pub(super) fn is_denied(&self, run: &Run) -> bool {
        let path = self.path(self.leaf(self.jobs[self.index_of(run.number)].team));
        if self.has_spent(path[0]) {
            return true;
        }
        let free = self.free_in_pool(run.pool, &self.running);
        let is_kept = kinds().filter(|kind| self.asks(run, *kind) > 0).any(|kind| {
            let asks = self.asks(run, kind);
            let mut beside = 0;
            for pair in path.windows(2) {
                let siblings = self.children(pair[1]).into_iter().filter(|child| *child != pair[0]);
                beside += siblings.map(|child| self.withheld(child, run.pool, kind)).sum::<u128>();
            }
            let free = u128::from(free[kind].get());
            asks <= free && asks + beside > free
        });
        is_kept || self.is_limited(run)
    }

    /// Whether a limit denies a run to its team.
    pub(super) fn is_limited(&self, run: &Run) -> bool {
        let path = self.path(self.leaf(self.jobs[self.index_of(run.number)].team));
        kinds().filter(|kind| self.asks(run, *kind) > 0).any(|kind| {
            let asks = self.asks(run, kind);
            path.iter().any(|member| {
                let Some(spec) = self.spec(*member) else { return false };
                let after = self.used(*member, run.pool, kind, false) + asks;
                let limit = Self::allowance(&spec.limit, run.pool, kind);
                let borrow = Self::allowance(&spec.borrow, run.pool, kind);
                if self.rule == Rule::Static
                    && self.hard_limit(*member, run.pool, kind).is_some_and(|most| after > most)
                {
                    return true;
                }
                let quota = self.quota(*member, run.pool, kind).unwrap_or(0);
                limit.is_some_and(|limit| after > limit) || borrow.is_some_and(|more| after > quota + more)
            })
        })
    }
}
