//! The slow scheduler's rescaled shares of H-DRF: exact fractions, worked out from the running jobs at every question.

use std::cmp::Ordering;

use fairshare::ResourceKind;

use super::{Oracle, Run, kinds, times};

/// A fraction in lowest terms.
#[derive(Clone, Copy, Debug)]
struct Q(u128, u128);

impl Q {
    const ZERO: Self = Self(0, 1);

    fn new(top: u128, bottom: u128) -> Self {
        let (mut a, mut b) = (top, bottom);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self(top / a, bottom / a)
    }

    fn plus(self, other: Self) -> Self {
        let top = self.0.checked_mul(other.1).unwrap() + other.0.checked_mul(self.1).unwrap();
        Self::new(top, self.1.checked_mul(other.1).unwrap())
    }

    fn times(self, other: Self) -> Self {
        let (a, b) = (Self::new(self.0, other.1), Self::new(other.0, self.1));
        Self::new(a.0.checked_mul(b.0).unwrap(), a.1.checked_mul(b.1).unwrap())
    }

    fn over(self, other: Self) -> Self {
        self.times(Self(other.1, other.0))
    }

    fn compare(self, other: Self) -> Ordering {
        super::compare((self.0, self.1), (other.0, other.1))
    }

    /// The nearest multiple of 2^-40, in units of that.
    fn rounded(self) -> u128 {
        let (whole, rest) = (self.0 / self.1, self.0 % self.1);
        let scaled = rest.checked_mul(1 << 41).unwrap() / self.1;
        // One digit more than is kept: half of it, rounded up.
        (whole << 40) + scaled.div_ceil(2)
    }
}

impl Oracle {
    /// The kinds of which no pool has anything free.
    fn saturated(&self) -> Vec<ResourceKind> {
        let running = self.judged.as_ref().map_or(&self.running, |(_, running)| running);
        let free = |kind: ResourceKind| {
            (0..self.config.pools.len()).any(|pool| self.free_in_pool(pool, running)[kind].get() > 0)
        };
        kinds().filter(|kind| !free(*kind)).collect()
    }

    /// Whether no job waits at or below a member that some way to run spares every saturated kind.
    fn is_blocked(&self, member: usize, saturated: &[ResourceKind]) -> bool {
        let waiting = self.judged.as_ref().map_or(&self.waiting, |(waiting, _)| waiting);
        // Who backs off stands in no line, and waits all the same.
        let backing_off = self.backing_off.iter().map(|(index, _)| index);
        let waiting = waiting.iter().chain(backing_off).map(|index| &self.jobs[*index]);
        let mut here = waiting.filter(|job| self.path(self.leaf(job.team)).contains(&member));
        !here.any(|job| {
            self.routes(job).into_iter().any(|(_, alternative)| {
                let what = &job.alternatives[alternative];
                let total = times(&what.request, u64::from(what.workers)).unwrap();
                saturated.iter().all(|kind| total[*kind].get() == 0)
            })
        })
    }

    /// Shares of a member by kind, rescaled where it has children.
    fn vector(&self, member: usize, extra: Option<&Run>, saturated: &[ResourceKind]) -> Vec<Q> {
        let children = self.children(member);
        let kinds: Vec<(ResourceKind, u128)> =
            kinds().map(|kind| (kind, self.valued_capacity(kind))).filter(|(_, c)| *c > 0).collect();
        if children.is_empty() {
            let share = |(kind, capacity): &(ResourceKind, u128)| {
                Q::new(self.holding(member, extra, *kind), *capacity)
            };
            return kinds.iter().map(share).collect();
        }
        let mut sum = vec![Q::ZERO; kinds.len()];
        let mut others = Vec::new();
        for child in children {
            let vector = self.vector(child, extra, saturated);
            if self.is_blocked(child, saturated) {
                sum = sum.iter().zip(&vector).map(|(a, b)| a.plus(*b)).collect();
            } else {
                let (weight, over) = self.weight(child);
                let most = vector.iter().copied().max_by(|a, b| a.compare(*b)).unwrap();
                others.push((vector, most.over(Q::new(weight, over))));
            }
        }
        let least = others.iter().map(|(_, level)| *level).min_by(|a, b| a.compare(*b));
        for (vector, level) in others.iter().filter(|(_, level)| level.0 > 0) {
            let scale = least.unwrap().over(*level);
            sum = sum.iter().zip(vector).map(|(a, b)| a.plus(b.times(scale))).collect();
        }
        for (share, (kind, _)) in sum.iter_mut().zip(&kinds) {
            if saturated.contains(kind) {
                *share = Q::ZERO;
            }
        }
        sum
    }

    /// The key at a level where a member with children competes.
    fn rounded_key(&self, member: usize, extra: Option<&Run>) -> Vec<u128> {
        let (weight, over) = self.weight(member);
        let vector = self.vector(member, extra, &self.saturated());
        let mut key: Vec<u128> =
            vector.into_iter().map(|share| share.over(Q::new(weight, over)).rounded()).collect();
        key.sort_unstable_by(|a, b| b.cmp(a));
        key
    }

    /// Compares the keys of two siblings, as they are or after a grant to each.
    pub(super) fn compare_rescaled(&self, a: (usize, Option<&Run>), b: (usize, Option<&Run>)) -> Ordering {
        let siblings = self.children(self.parent(a.0));
        if siblings.iter().any(|member| !self.children(*member).is_empty()) {
            return self.rounded_key(a.0, a.1).cmp(&self.rounded_key(b.0, b.1));
        }
        super::compare_keys(&self.key(a.0, a.1), &self.key(b.0, b.1))
    }
}
