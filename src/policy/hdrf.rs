//! Hierarchical dominant-resource fairness: as `drf`, but a team with children is compared by rescaled shares.
//!
//! Source: Bhattacharya et al., "Hierarchical Scheduling for Diverse Datacenter Workloads", SOCC 2013. Deviations: the
//! key is the one after the grant, and the whole vector, as in `drf`; those of rounding are told in `hierarchy`.
//! Absent on purpose: the rescaled shares (see `hierarchy`), and the search where they decide (see `engine`). Layer 4.

use core::cmp::Ordering;

use super::drf::Drf;
use super::{Contender, Order};

/// By the rescaled key after the grant; among teams without children that is the plain key.
#[derive(Debug)]
pub(super) struct Hdrf;

impl Order for Hdrf {
    fn by_shares(&self) -> bool {
        true
    }

    fn rescales(&self) -> bool {
        true
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        Drf.hint(contender)
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        Drf.compare(a, b)
    }
}
