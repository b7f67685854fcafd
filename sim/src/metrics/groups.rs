//! Groups: wait, response and bounded slowdown by class, size and pool.
//!
//! class: that in which a job is served, its own or that of development jobs (`[admission] dev`); size: the GPUs that the
//! whole job holds (CPUs where no pool has GPUs), in classes that double, each named by its largest; pool: that of the last
//! attempt. Formulas as in `wait` and `slowdown`, population as in `population`, quantiles as in `distribution`.

use serde::Serialize;

use super::Demands;
use super::distribution::Distribution;
use super::division::{Division, Figures};
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
    /// By the priority class in which they are served.
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

/// The figures of the parts that class, size and pool make of `rows`, one division after the other.
#[must_use]
pub fn divided(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    rows: &[u32],
    figures: impl Fn(&Division) -> Vec<Figures>,
) -> [Vec<Figures>; 3] {
    let kind = setup.measured_by();
    let class = |row: usize| setup.classes.of(&trace.shapes[trace.jobs[row].shape as usize]) as usize;
    let size = |row: usize| {
        let alternative = usize::from(record.outcomes[row].alternative);
        let class = size_class(demands.of(trace, row, alternative)[kind].get());
        (u64::BITS - class.leading_zeros()) as usize
    };
    let pool = |row: usize| record.outcomes[row].pool as usize;
    [
        figures(&Division::new(rows, 0, class)),
        figures(&Division::new(rows, 0, size)),
        figures(&Division::new(rows, 0, pool)),
    ]
}

/// The groups, from the figures of [`divided`].
#[must_use]
pub fn groups(setup: &Setup, [class, size, pool]: &[Vec<Figures>; 3]) -> Groups {
    let class_name = |label: usize| match setup.classes.names().text(u32::try_from(label).unwrap_or(u32::MAX))
    {
        "" => "none".to_owned(),
        name => name.to_owned(),
    };
    let size_name = |label: usize| label.checked_sub(1).map_or(0, |power| 1_u64 << power).to_string();
    let pool_name = |label: usize| setup.config.pools[label].name.clone();
    Groups { class: named(class, class_name), size: named(size, size_name), pool: named(pool, pool_name) }
}

/// The parts that have any jobs, by name.
fn named(parts: &[Figures], name: impl Fn(usize) -> String) -> Vec<Group> {
    let group = |(label, part): (usize, &Figures)| Group {
        name: name(label),
        wait_s: part.wait,
        response_s: part.response,
        bounded_slowdown: part.slowdown,
        first_decision_s: part.first_decision,
    };
    let parts = parts.iter().enumerate().filter(|(_, part)| part.wait.count > 0);
    let mut groups: Vec<Group> = parts.map(group).collect();
    groups.sort_by(|a, b| compare_names(&a.name, &b.name));
    groups
}
