//! Orders that know jobs and no teams: by submit time, and by length.
//!
//! Source: what every queue does unless told otherwise; shortest first is that of Smith, "Various optimizers for
//! single-stage production", 1956. Deviations: nobody knows how long a job will run, so that shortest first goes by the
//! estimate, else the time limit; a job without either comes last. Jobs of equal length go by submit time. Classes come
//! before either where they count across teams, which alone is order `priority`.

use core::cmp::Ordering;

use super::{Contender, Demand, Order};
use crate::job::JobSpec;

/// By submit time.
#[derive(Debug)]
pub(super) struct Fifo;

impl Order for Fifo {
    fn by_shares(&self) -> bool {
        false
    }

    #[expect(clippy::cast_precision_loss, reason = "an ordering hint")]
    fn hint(&self, contender: &Contender<'_>) -> f64 {
        contender.place().submit.as_millis() as f64
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        a.place().cmp(&b.place())
    }
}

/// By length.
#[derive(Debug)]
pub(super) struct Sjf;

impl Order for Sjf {
    fn by_shares(&self) -> bool {
        false
    }

    fn rank(&self, job: &JobSpec, _: &Demand<'_>) -> u64 {
        job.estimate_or_limit().map_or(u64::MAX, crate::Millis::get)
    }

    #[expect(clippy::cast_precision_loss, reason = "an ordering hint")]
    fn hint(&self, contender: &Contender<'_>) -> f64 {
        contender.place().rank as f64
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        a.place().cmp(&b.place())
    }
}
