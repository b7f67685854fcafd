//! Multifactor: a weighted sum of the job's age, its team's fair-tree rank, its size and its class.
//!
//! Source: Slurm's `priority_multifactor`. The priority of a job is
//! age·min(…) + fairshare·F + size·S + class·C with one weight for each factor:
//! age is the time since submission over `max_age`; F the fair-tree rank over the number of leaves (see `history`);
//! S the largest share of the capacity of a group that the job asks, by its cheapest route; C its class in thousandths.
//! The highest priority is served first, then the oldest.
//!
//! Deviations: the age factor goes on growing past one, where Slurm's stops at `max_age`, so that the order of a team's own
//! jobs never changes while they wait; size is a share of capacity, not a mean of parts of nodes and of cores; classes
//! stand in for QOS, on a fixed scale; there are no partition, association, site, nice or TRES factors.
//! Absent on purpose: usage and ranks. Layer 4; uses `history`.

use core::cmp::Ordering;

use super::{Contender, Demand, Order};
use crate::config::FactorWeights;
use crate::job::JobSpec;

/// Binary digits of a priority after the point.
const DIGITS: u32 = 20;

/// A class of this value counts as one.
const WHOLE_CLASS: i128 = 1_000;

/// By priority, then by submit time.
#[derive(Debug)]
pub(super) struct Multifactor {
    pub(super) weights: FactorWeights,
}

impl Multifactor {
    /// What the job's team adds to its priority, the job's own part taken away: the smaller, the sooner.
    fn key(contender: &Contender<'_>) -> i128 {
        i128::from(contender.place().rank) - i128::from(contender.history_points())
    }
}

impl Order for Multifactor {
    fn by_shares(&self) -> bool {
        false
    }

    fn history_points(&self) -> Option<u64> {
        Some(u64::from(self.weights.fairshare) << DIGITS)
    }

    fn weighs_classes(&self) -> bool {
        true
    }

    /// The middle of the numbers, less what the job itself adds to its priority. All ages grow alike: an earlier submit
    /// time stands for a greater age.
    fn rank(&self, job: &JobSpec, demand: &Demand<'_>) -> u64 {
        let weight = |weight: u32| i128::from(weight) << DIGITS;
        let max_age = i128::from(self.weights.max_age.get().max(1));
        let age = -(i128::from(job.submit.as_millis()) * weight(self.weights.age)).div_euclid(max_age);
        let size = demand.largest_share_of(u64::from(self.weights.size) << DIGITS);
        let class = (i128::from(demand.class()) * weight(self.weights.class)).div_euclid(WHOLE_CLASS);
        let rank = (1_i128 << 63) - age - i128::from(size) - class;
        u64::try_from(rank.max(0)).unwrap_or(u64::MAX)
    }

    #[expect(clippy::cast_precision_loss, reason = "an ordering hint")]
    fn hint(&self, contender: &Contender<'_>) -> f64 {
        Self::key(contender) as f64
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        let age = |contender: &Contender<'_>| (contender.place().submit, contender.place().number);
        Self::key(a).cmp(&Self::key(b)).then_with(|| age(a).cmp(&age(b)))
    }
}
