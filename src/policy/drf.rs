//! Dominant-resource fairness, by the key after the grant and by the key before it.
//!
//! Source: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, algorithm 1, which serves the team whose dominant
//! share is lowest now. Choosing by the share that a team *would have* keeps two promises that the published rule breaks
//! when jobs are large (each team gets at least what fits its own part; nobody envies by more than one job); the
//! published rule is kept beside it. Where dominant shares tie, the next shares decide, then the other key.

use core::cmp::Ordering;

use super::{Contender, Order};

/// By the key after the grant.
#[derive(Debug)]
pub(super) struct Drf;

impl Order for Drf {
    fn by_shares(&self) -> bool {
        true
    }

    fn after_grant(&self) -> bool {
        true
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        contender.dominant_after()
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        a.compare_after(b).then_with(|| a.compare_now(b)).then_with(|| a.compare_ties(b))
    }
}

/// By the key before the grant: the published rule.
#[derive(Debug)]
pub(super) struct DrfCurrent;

impl Order for DrfCurrent {
    fn by_shares(&self) -> bool {
        true
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        contender.dominant_now()
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        a.compare_now(b).then_with(|| a.compare_ties(b))
    }
}
