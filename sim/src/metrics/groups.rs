//! Groups: wait, response, bounded slowdown and first decision by class, size and pool.
//!
//! Formulas are those of `wait`, `slowdown` and `latency`, with their units and sources. class: that in which a job is
//! served, its own or that of development jobs (`[admission] dev`); size: the GPUs that the whole job asks (CPUs where
//! no pool has GPUs), in classes that double, each named by its largest; pool: that of the last attempt. Estimator: see
//! `distribution`. Population of wait, response and slowdown as in `population`, of first decisions as in `latency`: a
//! class of which all jobs are rejected has these alone.

use std::borrow::Cow;

use serde::Serialize;

use super::distribution::Distribution;
use super::division::{Counted, Division, Figures, first_decisions};
use super::latency::Firsts;
use crate::record::Fate;
use crate::setup::Setup;
use crate::trace::{TraceAlternative, compare_names};

/// One group of jobs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    /// Its name; `none` for jobs without a class, `(none)` where one is called so.
    pub name: String,
    /// Waits.
    pub wait_s: Distribution,
    /// Responses.
    pub response_s: Distribution,
    /// Bounded slowdowns.
    pub bounded_slowdown: Distribution,
    /// Submission to first start or rejection; see `latency`.
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

/// The parts that one way to divide jobs makes.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Of the jobs that count, by label.
    figures: Vec<Figures>,
    /// Of the jobs about which anything was decided, by label.
    first_decisions: Vec<Distribution>,
}

/// The parts that class, size and pool make, one division after the other; `figures` are those of the jobs that count.
#[must_use]
pub fn divided(
    setup: &Setup,
    counted: Counted<'_>,
    firsts: &Firsts,
    figures: impl Fn(&Division) -> Vec<Figures>,
) -> [Parts; 3] {
    let Counted { trace, record, rows } = counted;
    let kind = setup.measured_by();
    let class_of_shape: Vec<usize> =
        trace.shapes.iter().map(|shape| setup.classes.of(shape) as usize).collect();
    let size = |alternative: &TraceAlternative| {
        (u64::BITS - size_class(alternative.total(kind.index())).leading_zeros()) as usize
    };
    let sizes_of_shape: Vec<Vec<usize>> =
        trace.shapes.iter().map(|shape| shape.alternatives.iter().map(size).collect()).collect();
    let shape = |row: usize| trace.jobs[row].shape as usize;
    let place = |row: usize| record.place(&record.outcomes[row]);
    let class = |row: usize| class_of_shape[shape(row)];
    let size = |row: usize| sizes_of_shape[shape(row)][usize::from(place(row).alternative)];
    let pool = |row: usize| place(row).pool as usize;
    if firsts.end_waits(record, rows) {
        let parts = |label: &dyn Fn(usize) -> usize| {
            let figures = figures(&Division::new(rows, 0, label));
            let first_decisions = figures.iter().map(|part| part.wait).collect();
            Parts { figures, first_decisions }
        };
        return [parts(&class), parts(&size), parts(&pool)];
    }
    // Often the same jobs, which are then listed and divided once.
    let is_same = firsts.decided(trace, record).eq(rows.iter().copied());
    let decided = if is_same { Cow::Borrowed(rows) } else { firsts.decided(trace, record).collect() };
    let parts = |label: &dyn Fn(usize) -> usize, decided: &[u32]| {
        let division = Division::new(rows, 0, label);
        let figures = figures(&division);
        let division = if decided == rows {
            division
        } else {
            drop(division);
            Division::new(decided, 0, label)
        };
        Parts { figures, first_decisions: first_decisions((trace, record, firsts), decided, &division) }
    };
    let [by_class, by_size] = [parts(&class, &decided), parts(&size, &decided)];
    let is_rejected = |row: &u32| record.outcomes[*row as usize].fate == Fate::Rejected;
    let mut started = decided;
    if started.iter().any(is_rejected) {
        started.to_mut().retain(|row| !is_rejected(row));
    }
    [by_class, by_size, parts(&pool, &started)]
}

/// The groups, from the parts of [`divided`].
#[must_use]
pub fn groups(setup: &Setup, [class, size, pool]: &[Parts; 3]) -> Groups {
    let class_name = |label: usize| match setup.classes.names().text(u32::try_from(label).unwrap_or(u32::MAX))
    {
        "" => setup.classes.names().unnamed(),
        name => name.to_owned(),
    };
    let size_name = |label: usize| label.checked_sub(1).map_or(0, |power| 1_u64 << power).to_string();
    let pool_name = |label: usize| setup.config.pools[label].name.clone();
    Groups { class: named(class, class_name), size: named(size, size_name), pool: named(pool, pool_name) }
}

/// The parts that have any jobs, by name.
fn named(parts: &Parts, name: impl Fn(usize) -> String) -> Vec<Group> {
    let Parts { figures, first_decisions } = parts;
    let group = |label: usize| {
        let part = figures.get(label).copied().unwrap_or_default();
        let first_decision_s = first_decisions.get(label).copied().unwrap_or_default();
        (part.wait.count > 0 || first_decision_s.count > 0).then(|| Group {
            name: name(label),
            wait_s: part.wait,
            response_s: part.response,
            bounded_slowdown: part.slowdown,
            first_decision_s,
        })
    };
    let labels = figures.len().max(first_decisions.len());
    let mut groups: Vec<Group> = (0..labels).filter_map(group).collect();
    groups.sort_by(|a, b| compare_names(&a.name, &b.name));
    groups
}
