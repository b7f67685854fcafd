//! Data sets that a job reads where there is no replica: what moving them costs, and how long it takes.

use core::cmp::Ordering;

use fairshare::ResourceKind;

use super::{Job, Oracle, kinds, times};

/// What a job moves to a pool.
#[derive(Default)]
pub(super) struct Moved {
    /// Data sets that are not there, and those of them of which nothing is known.
    pub(super) missing: usize,
    pub(super) unknown: usize,
    pub(super) millis: u128,
    /// Thousandths of micro-USD.
    pub(super) egress: u128,
}

impl Oracle {
    pub(super) fn moved(&self, job: &Job, pool: usize) -> Moved {
        let mut names = job.datasets.clone();
        names.sort();
        names.dedup();
        let to = self.pool(pool);
        let (mut moved, mut bytes, mut charged) = (Moved::default(), 0, 0);
        let here =
            |pool: &fairshare::PoolSpec, name: &str| pool.datasets.iter().any(|d| d == name || d == "*");
        for name in names.iter().filter(|name| !here(to, name)) {
            moved.missing += 1;
            let known = self.config.datasets.iter().find(|dataset| dataset.name == *name);
            let from: Vec<u128> = (self.config.pools.iter())
                .filter(|pool| here(pool, name))
                .map(|from| match (&from.cloud, &to.cloud) {
                    (Some(a), Some(b)) if a == b => 0,
                    _ => u128::from(from.egress_gb.get()),
                })
                .collect();
            match (known, from.iter().min()) {
                (Some(known), Some(price)) => {
                    bytes += u128::from(known.bytes);
                    charged += u128::from(known.bytes) * price;
                }
                _ => moved.unknown += 1,
            }
        }
        let by_ms = u128::from(to.link_mbps) * 1_000;
        moved.millis = (bytes * 8).div_ceil(by_ms);
        moved.egress = charged / 1_000_000;
        moved
    }

    /// How much time passes before a job that starts in a pool computes.
    pub(super) fn moving(&self, job: &Job, pool: usize) -> u64 {
        u64::try_from(self.moved(job, pool).millis).unwrap()
    }

    /// Whether a job that said nothing of its length would try its routes in another order.
    pub(crate) fn goes_by_length(&self, job: &Job) -> bool {
        let silent = Job { length: None, limit: None, ..job.clone() };
        self.routes(job) != self.routes(&silent)
    }

    /// Routes in which a job could start, best first.
    pub(super) fn in_order(&self, job: &Job, routes: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        let moves = routes.iter().any(|(pool, _)| {
            let moved = self.moved(job, *pool);
            moved.missing > moved.unknown
        });
        let length = job.length.or(job.limit).unwrap_or(3_600_000);
        let key = |(pool, alternative): (usize, usize)| {
            let what = &job.alternatives[alternative];
            let total = times(&what.request, u64::from(what.workers)).unwrap();
            let moved = self.moved(job, pool);
            if !moves {
                return (moved.missing, self.cost(pool, &total, what.speed_milli), 0, 0, 0);
            }
            let run = (u128::from(length) * 1_000).div_ceil(u128::from(what.speed_milli));
            let priced = self.pool(pool).price.is_some();
            let hour = self.cost(pool, &total, 1_000);
            let all = if priced { hour * (run + moved.millis) / 3_600_000 + moved.egress } else { u128::MAX };
            (moved.unknown, all, run + moved.millis, moved.millis, moved.missing)
        };
        let mut sorted = routes;
        sorted.sort_by(|a, b| {
            let ((unknown, all, held, millis, missing), its) = (key(*a), key(*b));
            let (share, other) = (self.largest_share(job, *a), self.largest_share(job, *b));
            let share_time = || (share.0 * held * other.1).cmp(&(other.0 * its.2 * share.1));
            let moves = || (millis, missing, *a).cmp(&(its.3, its.4, *b));
            (unknown, all).cmp(&(its.0, its.1)).then_with(share_time).then_with(moves)
        });
        if !moves {
            sorted.sort_by(|a, b| {
                let missing = |(pool, _): (usize, usize)| self.moved(job, pool).missing;
                missing(*a).cmp(&missing(*b)).then_with(|| self.compare_worth(job, *b, *a))
            });
        }
        sorted
    }

    /// Speed over the largest share, of two routes, as fractions.
    fn compare_worth(&self, job: &Job, a: (usize, usize), b: (usize, usize)) -> Ordering {
        let of = |route: (usize, usize)| {
            let largest = self.largest_share(job, route);
            (u128::from(job.alternatives[route.1].speed_milli) * largest.1, largest.0)
        };
        let (a, b) = (of(a), of(b));
        (a.0 * b.1).cmp(&(b.0 * a.1))
    }

    /// The largest share of a route, as a fraction.
    fn largest_share(&self, job: &Job, (pool, alternative): (usize, usize)) -> (u128, u128) {
        let what = &job.alternatives[alternative];
        let share = |kind: ResourceKind| {
            let amount = u128::from(what.request[kind].get()) * u128::from(what.workers);
            (amount * self.value(pool, kind), self.valued_capacity(kind))
        };
        let all = kinds().map(share).filter(|(_, capacity)| *capacity > 0);
        all.max_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1))).unwrap()
    }
}
