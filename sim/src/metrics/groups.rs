//! Groups: wait, response and bounded slowdown by class, size and pool.
//!
//! class: the priority that the trace names; size: the GPUs that the whole job holds (CPUs where no pool has GPUs), in
//! classes that double, each named by its largest; pool: that of the last attempt. Formulas as in `wait` and
//! `slowdown`, population as in `population`, quantiles as in `distribution`.

use fairshare::ResourceKind;
use serde::Serialize;

use super::Demands;
use super::distribution::Distribution;
use super::latency::{First, latencies};
use super::slowdown::bounded_slowdown;
use super::wait;
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::{Trace, compare_names};

/// One group of jobs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    /// Its name; `none` for jobs without a class.
    pub name: String,
    /// Waits.
    pub wait_s: Distribution,
    /// Responses.
    pub response_s: Distribution,
    /// Bounded slowdowns.
    pub bounded_slowdown: Distribution,
    /// Submission to first start; see `latency`.
    pub first_decision_s: Distribution,
}

/// All three divisions.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Groups {
    /// By priority class.
    pub class: Vec<Group>,
    /// By size.
    pub size: Vec<Group>,
    /// By pool.
    pub pool: Vec<Group>,
}

/// The class of a size in thousandths: the power of two that it does not exceed.
///
/// # Examples
///
/// Nothing, half a GPU, two, three and eight GPUs:
///
/// ```
/// use fairshare_sim::metrics::groups::size_class;
/// assert_eq!([0, 500, 2_000, 3_000, 8_000].map(size_class), [0, 1, 2, 4, 8]);
/// ```
#[must_use]
pub fn size_class(thousandths: u64) -> u64 {
    match thousandths.div_ceil(1_000) {
        0 => 0,
        units => units.next_power_of_two(),
    }
}

/// The groups of `rows`.
#[must_use]
pub fn groups(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    rows: &[u32],
    firsts: &[First],
) -> Groups {
    let has_gpus = setup.config.pools.iter().any(|pool| pool.node[ResourceKind::GPU].get() > 0);
    let kind = if has_gpus { ResourceKind::GPU } else { ResourceKind::CPU };
    let class = |row: usize| trace.shapes[trace.jobs[row].shape as usize].priority as usize;
    let class_name = |label: usize| match trace.priorities.text(u32::try_from(label).unwrap_or(u32::MAX)) {
        "" => "none".to_owned(),
        name => name.to_owned(),
    };
    let size = |row: usize| {
        let alternative = usize::from(record.outcomes[row].alternative);
        let class = size_class(demands.of(trace, row, alternative)[kind].get());
        (u64::BITS - class.leading_zeros()) as usize
    };
    let size_name = |label: usize| label.checked_sub(1).map_or(0, |power| 1_u64 << power).to_string();
    let pool = |row: usize| record.outcomes[row].pool as usize;
    let pool_name = |label: usize| setup.config.pools[label].name.clone();
    Groups {
        class: divided(trace, record, (rows, firsts), class, class_name),
        size: divided(trace, record, (rows, firsts), size, size_name),
        pool: divided(trace, record, (rows, firsts), pool, pool_name),
    }
}

/// The groups of one division: jobs with the same label.
fn divided(
    trace: &Trace,
    record: &Record,
    (rows, firsts): (&[u32], &[First]),
    label: impl Fn(usize) -> usize,
    name: impl Fn(usize) -> String,
) -> Vec<Group> {
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for &row in rows {
        let label = label(row as usize);
        if parts.len() <= label {
            parts.resize_with(label + 1, Vec::new);
        }
        parts[label].push(row);
    }
    let group = |(label, rows): (usize, Vec<u32>)| Group {
        name: name(label),
        wait_s: wait::of(record, &rows),
        response_s: wait::response(trace, record, &rows),
        bounded_slowdown: bounded_slowdown(trace, record, &rows),
        first_decision_s: latencies(rows.iter().map(|row| firsts[*row as usize])),
    };
    let parts = parts.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
    let mut groups: Vec<Group> = parts.map(group).collect();
    groups.sort_by(|a, b| compare_names(&a.name, &b.name));
    groups
}
