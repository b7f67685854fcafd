//! Borrowers: running jobs that are not guaranteed at a member, by what they ask.
//!
//! Jobs that ask the same may be promoted or may not, all of them: who is promoted next is found without a look at each.
//! Absent on purpose: how much of a quota is left (see `quota`). Layer 3.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use super::Runs;
use super::row::Row;
use crate::id::{JobId, PoolId};
use crate::resources::Resources;
use crate::time::Timestamp;

/// A job in the order of promotion: by class, then the oldest.
pub(super) type Candidate = (Reverse<i32>, Timestamp, u64, JobId);

fn candidate((class, place, id): Runs) -> Candidate {
    (Reverse(class), place.submit, place.number, id)
}

/// Who is not guaranteed at one member in one pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Borrowers {
    /// By what they ask, those who ask the same in the order of promotion; nobody's entry is not kept.
    alike: Vec<(Resources, BTreeSet<Candidate>)>,
    count: usize,
}

impl Borrowers {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, job: Runs, asked: &Resources) -> bool {
        let at = self.alike.binary_search_by_key(asked, |(known, _)| *known);
        at.is_ok_and(|at| self.alike[at].1.contains(&candidate(job)))
    }

    pub(super) fn insert(&mut self, job: Runs, asked: &Resources) {
        let at = self.alike.binary_search_by_key(asked, |(known, _)| *known).unwrap_or_else(|at| {
            self.alike.insert(at, (*asked, BTreeSet::new()));
            at
        });
        self.count += usize::from(self.alike[at].1.insert(candidate(job)));
    }

    pub(super) fn remove(&mut self, job: Runs, asked: &Resources) {
        self.take(&candidate(job), asked);
    }

    fn take(&mut self, job: &Candidate, asked: &Resources) {
        let Ok(at) = self.alike.binary_search_by_key(asked, |(known, _)| *known) else { return };
        let alike = &mut self.alike[at].1;
        self.count -= usize::from(alike.remove(job));
        if alike.is_empty() {
            self.alike.remove(at);
        }
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
        let mut open = Vec::new();
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
