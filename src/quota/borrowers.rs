//! Borrowers: running jobs that are not guaranteed at a member, by what they ask.
//!
//! Jobs that ask the same may be promoted or may not, all of them: who is promoted next is found without a look at each.
//! Absent on purpose: how much of a quota is left (see `quota`). Layer 3.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::Runs;
use super::row::Row;
use crate::id::{JobId, PoolId};
use crate::resources::Resources;

/// A job in the order of promotion: by class, then the oldest.
pub(super) type Candidate = (u128, u64, JobId);

fn candidate((class, place, id): Runs) -> Candidate {
    // Both in one number, since jobs are looked for among many.
    let class = !(class.cast_unsigned() ^ (1 << 31));
    let submit = place.submit.as_millis().cast_unsigned() ^ (1 << 63);
    (u128::from(class) << 64 | u128::from(submit), place.number, id)
}

/// Who is not guaranteed at one member in one pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Borrowers {
    /// By what they ask, those who ask the same in the order of promotion; nobody's entry is not kept.
    alike: Vec<(Resources, BTreeSet<Candidate>)>,
    count: usize,
    /// What any of them asks at least, of every resource.
    least: Resources,
}

impl Borrowers {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What any of them asks at least, if there is anybody.
    #[inline]
    pub(super) fn least(&self) -> Option<&Resources> {
        (!self.alike.is_empty()).then_some(&self.least)
    }

    pub(super) fn contains(&self, job: Runs, asked: &Resources) -> bool {
        let at = self.alike.binary_search_by(|(known, _)| known.cmp(asked));
        at.is_ok_and(|at| self.alike[at].1.contains(&candidate(job)))
    }

    pub(super) fn insert(&mut self, job: Runs, asked: &Resources) {
        let at = self.alike.binary_search_by(|(known, _)| known.cmp(asked)).unwrap_or_else(|at| {
            self.alike.insert(at, (*asked, BTreeSet::new()));
            self.settle();
            at
        });
        self.count += usize::from(self.alike[at].1.insert(candidate(job)));
    }

    pub(super) fn remove(&mut self, job: Runs, asked: &Resources) {
        self.take(&candidate(job), asked);
    }

    fn take(&mut self, job: &Candidate, asked: &Resources) {
        let Ok(at) = self.alike.binary_search_by(|(known, _)| known.cmp(asked)) else { return };
        let alike = &mut self.alike[at].1;
        self.count -= usize::from(alike.remove(job));
        if alike.is_empty() {
            self.alike.remove(at);
            self.settle();
        }
    }

    /// There are others than before who ask the same.
    fn settle(&mut self) {
        let asked = self.alike.iter().map(|(asked, _)| *asked);
        self.least = asked.reduce(|a, b| a.min_each(&b)).unwrap_or_default();
    }

    /// Quota may have become free: who counts as guaranteed from now on, in order, and borrows no longer.
    pub(super) fn promote(&mut self, row: &mut Row, pool: PoolId) -> Vec<JobId> {
        let promoted = self.promotions(row, pool, |_| false);
        for (job, asked) in &promoted {
            self.take(job, asked);
        }
        promoted.into_iter().map(|((.., job), _)| job).collect()
    }

    /// Who would be promoted if those for whom `is_out` is true were not there, in order, and what each asks: again and again
    /// the first of those for whom there is quota left, which is taken.
    pub(super) fn promotions(
        &self,
        row: &mut Row,
        pool: PoolId,
        is_out: impl Fn(JobId) -> bool,
    ) -> Vec<(Candidate, Resources)> {
        let mut open = SmallVec::<[_; 2]>::new();
        for (asked, alike) in self.alike.iter().filter(|(asked, _)| row.has_left(pool, asked)) {
            let mut alike = alike.iter().filter(|(.., job)| !is_out(*job));
            open.push((alike.next(), asked, alike));
        }
        let mut promoted = Vec::new();
        loop {
            // What is left only becomes less: whoever asks too much now will.
            open.retain(|(first, asked, _)| first.is_some() && row.has_left(pool, asked));
            let Some((first, asked, alike)) = open.iter_mut().min_by_key(|(first, ..)| *first) else {
                return promoted;
            };
            let Some(job) = core::mem::replace(first, alike.next()) else { return promoted };
            row.take(pool, asked);
            promoted.push((*job, **asked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Place;
    use crate::quantity::Quantity;
    use crate::quota::row::Entry;
    use crate::resources::ResourceKind;
    use crate::time::Timestamp;

    const POOL: PoolId = PoolId::new(0);

    fn gpus(count: u64) -> Resources {
        Resources::new().with(ResourceKind::GPU, Quantity::new(count))
    }

    fn job(number: u32, class: i32) -> Runs {
        let submit = Timestamp::from_millis(i64::from(number));
        (class, Place { rank: 0, submit, number: u64::from(number) }, JobId::new(number, 0))
    }

    /// A quota with three left, and jobs that ask 4, 2, 2 and 1 by age, then one of a higher class that asks 1.
    fn beyond_three() -> (Row, Borrowers) {
        let (mut row, mut borrowers) = (Row::default(), Borrowers::default());
        *row.entry((POOL, ResourceKind::GPU)) = Entry { quota: Some(Quantity::new(3)), ..Entry::default() };
        for (number, class, asked) in [(1, 0, 4), (2, 0, 2), (3, 0, 2), (4, 0, 1), (5, 7, 1)] {
            borrowers.insert(job(number, class), &gpus(asked));
        }
        (row, borrowers)
    }

    #[test]
    fn class_decides_then_age_and_whoever_asks_too_much_is_passed_over() {
        let (mut row, mut borrowers) = beyond_three();
        let promoted = borrowers.promote(&mut row, POOL);
        assert_eq!(promoted, [JobId::new(5, 0), JobId::new(2, 0)]);
        assert_eq!(borrowers.count(), 3);
        assert!(!borrowers.contains(job(2, 0), &gpus(2)) && borrowers.contains(job(3, 0), &gpus(2)));
        assert!(borrowers.promote(&mut row, POOL).is_empty(), "the quota is used up");
    }

    #[test]
    fn who_is_not_there_leaves_his_turn_to_the_next() {
        let (mut row, borrowers) = beyond_three();
        let promoted = borrowers.promotions(&mut row, POOL, |job| job == JobId::new(2, 0));
        let promoted: Vec<JobId> = promoted.into_iter().map(|((.., job), _)| job).collect();
        assert_eq!(promoted, [JobId::new(5, 0), JobId::new(3, 0)]);
        assert_eq!(borrowers.count(), 5, "nobody was taken away");
    }
}
