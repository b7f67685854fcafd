//! Groups: wait, response, bounded slowdown and first decision by class, size and pool.
//!
//! Formulas are those of `wait`, `slowdown` and `latency`, with their units and sources. class: that in which a job is
//! served, its own or that of development jobs (`[admission] dev`); size: the GPUs that the whole job asks (CPUs where
//! no pool has GPUs), in classes that double, each named by its largest; pool: that of the last attempt. Estimator: see
//! `distribution`. Population of wait, response and slowdown as in `population`, of first decisions as in `latency`: a
//! class of which all jobs are rejected has these alone.

use serde::Serialize;

use super::distribution::Distribution;
use super::division::{Counted, Division, Figures, first_decisions};
use super::latency::Firsts;
use crate::record::{Fate, Place, Record};
use crate::setup::Setup;
use crate::trace::{Trace, TraceAlternative, TraceShape, compare_names};

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

/// How jobs are divided: by class, size and pool.
#[derive(Debug)]
pub struct Labels<'a> {
    trace: &'a Trace,
    record: &'a Record,
    class_of_shape: Vec<usize>,
    /// By shape and alternative.
    sizes_of_shape: Vec<Vec<usize>>,
    pools: usize,
}

impl<'a> Labels<'a> {
    /// Those of a run.
    #[must_use]
    pub fn new(setup: &Setup, trace: &'a Trace, record: &'a Record) -> Self {
        let kind = setup.measured_by();
        let size = |alternative: &TraceAlternative| {
            (u64::BITS - size_class(alternative.total(kind.index())).leading_zeros()) as usize
        };
        let sizes = |shape: &TraceShape| shape.alternatives.iter().map(size).collect();
        Self {
            trace,
            record,
            class_of_shape: trace.shapes.iter().map(|shape| setup.classes.of(shape) as usize).collect(),
            sizes_of_shape: trace.shapes.iter().map(sizes).collect(),
            pools: setup.config.pools.len(),
        }
    }

    /// The class, size and pool of a job; behind the pools, none, where it was rejected.
    ///
    /// # Panics
    ///
    /// Only on a bug: a row that the trace does not have.
    #[must_use]
    pub fn of(&self, row: usize) -> [usize; 3] {
        let shape = self.trace.jobs[row].shape as usize;
        let outcome = &self.record.outcomes[row];
        let Place { pool, alternative, .. } = self.record.place(outcome);
        let size = self.sizes_of_shape[shape][usize::from(alternative)];
        [
            self.class_of_shape[shape],
            size,
            if outcome.fate == Fate::Rejected { self.pools } else { pool as usize },
        ]
    }
}

/// The parts that class, size and pool make, from the waits of all jobs that count and the figures of each division; and the
/// first decisions about all.
#[must_use]
pub fn parts(
    Counted { trace, record, rows }: Counted<'_>,
    firsts: &Firsts,
    labels: &Labels<'_>,
    (waits, figures, divisions): (Distribution, [Vec<Figures>; 3], [&Division; 3]),
) -> ([Parts; 3], Distribution) {
    let (first_decision, first_decisions) = if firsts.end_waits(record, rows) {
        (waits, figures.each_ref().map(|parts| parts.iter().map(|part| part.wait).collect()))
    } else {
        let decided: Vec<u32> = firsts.decided(trace, record).collect();
        // About all that count one was made: mostly there are no others.
        let others =
            (decided.len() > rows.len()).then(|| Division::several(&decided, [0; 3], |row| labels.of(row)));
        let [class, size, pool] = others.as_ref().map_or(divisions, <[Division; 3]>::each_ref);
        let whole = Division::undivided(decided.len());
        let [all, class, size, mut pool] =
            first_decisions((trace, record, firsts), &decided, [&whole, class, size, pool]);
        pool.truncate(labels.pools);
        (all[0], [class, size, pool])
    };
    let mut first_decisions = first_decisions.into_iter();
    let parts =
        figures.map(|figures| Parts { figures, first_decisions: first_decisions.next().unwrap_or_default() });
    (parts, first_decision)
}

/// The groups, from their [`parts`].
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
