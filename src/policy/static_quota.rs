//! Static partition: every team has its quota and no more, and serves its own jobs in order of submission.
//!
//! Source: hard partitions such as the virtual clusters of Hu et al., "Characterization and Prediction of Deep Learning
//! Workloads in Large-Scale GPU Datacenters", SC 2021. It is here to be compared with: what nobody uses stays idle.
//! Deviations: a team without a quota shares that of the team above it, oldest job first; a team without any, above or
//! below, may hold nothing. Nodes are not divided among the teams, only amounts.
//! Absent on purpose: the limits themselves (see `quota`, which takes a quota for one under this order). Layer 4.

use core::cmp::Ordering;

use super::by_time::Fifo;
use super::{Contender, Order};

/// By submit time, each team in a line of its own.
#[derive(Debug)]
pub(super) struct Static;

impl Order for Static {
    fn by_shares(&self) -> bool {
        false
    }

    fn one_line(&self) -> bool {
        false
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        Fifo.hint(contender)
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        Fifo.compare(a, b)
    }
}
