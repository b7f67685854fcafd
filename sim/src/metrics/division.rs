//! Division: the figures of the jobs that count, and of parts of them, as teams, classes, sizes and pools make them.
//!
//! The jobs of a division are put in order by their part once, by counting; every measure is worked out once for every job
//! and taken part by part through one buffer. Formulas are those of `wait`, `slowdown` and `latency`; population and
//! quantiles as in `population` and `distribution`. Absent on purpose: what the parts are (see `groups`).

use super::distribution::Distribution;
use super::latency::Firsts;
use super::slowdown::bounded;
use super::wait;
use crate::record::Record;
use crate::trace::Trace;

/// Jobs in the order of their parts; those of one part stay in the order in which they came.
#[derive(Clone, Debug)]
pub struct Division {
    /// Places among the jobs that count.
    order: Vec<u32>,
    /// Where each part ends.
    ends: Vec<usize>,
}

impl Division {
    /// Divides `rows` by their label, into `least` parts or more.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::metrics::division::Division;
    /// let division = Division::new(&[10, 11, 12, 13], 3, |row| row % 2);
    /// let parts: Vec<&[u32]> = division.parts().collect();
    /// assert_eq!(parts, [&[0, 2][..], &[1, 3], &[]]);
    /// ```
    #[must_use]
    pub fn new(rows: &[u32], least: usize, label: impl Fn(usize) -> usize) -> Self {
        let mut ends = vec![0_usize; least];
        for row in rows {
            let label = label(*row as usize);
            if ends.len() <= label {
                ends.resize(label + 1, 0);
            }
            ends[label] += 1;
        }
        let mut before = 0;
        for end in &mut ends {
            // Where the part begins, for now: it moves to the end as the part is filled.
            before += std::mem::replace(end, before);
        }
        let mut order = vec![0_u32; rows.len()];
        for (place, row) in (0_u32..).zip(rows) {
            let next = &mut ends[label(*row as usize)];
            order[*next] = place;
            *next += 1;
        }
        Self { order, ends }
    }

    /// The places of each part's jobs among those that were divided.
    pub fn parts(&self) -> impl Iterator<Item = &[u32]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.order[begin..*end])
    }
}

/// The figures of some jobs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Figures {
    /// Waits, seconds.
    pub wait: Distribution,
    /// Responses, seconds.
    pub response: Distribution,
    /// Bounded slowdowns.
    pub slowdown: Distribution,
    /// Submission to first start, seconds.
    pub first_decision: Distribution,
}

/// The figures of all `rows`, and of each part of each division of them.
#[must_use]
pub fn figures(
    trace: &Trace,
    record: &Record,
    firsts: &Firsts,
    rows: &[u32],
    divisions: &[Division],
) -> (Figures, Vec<Vec<Figures>>) {
    let none = |division: &Division| vec![Figures::default(); division.ends.len()];
    let mut found = (Figures::default(), divisions.iter().map(none).collect());
    let response = |row: usize| wait::response(trace.jobs[row].submit_ms, record.outcomes[row].end_ms);
    let mut measure = |value: &dyn Fn(usize) -> u64, field: fn(&mut Figures) -> &mut Distribution| {
        let values = rows.iter().map(|row| value(*row as usize)).collect();
        spread(values, divisions, Distribution::of_millis, field, &mut found);
    };
    measure(&|row| record.outcomes[row].wait_ms, |figures| &mut figures.wait);
    measure(&response, |figures| &mut figures.response);
    // Whoever counts has started.
    measure(&|row| firsts.of(trace, record, row).millis().unwrap_or(0), |figures| {
        &mut figures.first_decision
    });
    let slowdown = |row: &u32| bounded(response(*row as usize), trace.jobs[*row as usize].run_ms);
    let slowdowns = rows.iter().map(slowdown).collect();
    spread(slowdowns, divisions, Distribution::of_numbers, |figures| &mut figures.slowdown, &mut found);
    found
}

/// Works out one measure everywhere, from its values by place.
fn spread<T: Copy>(
    mut values: Vec<T>,
    divisions: &[Division],
    of: fn(&mut [T]) -> Distribution,
    field: fn(&mut Figures) -> &mut Distribution,
    (all, parts): &mut (Figures, Vec<Vec<Figures>>),
) {
    let mut buffer = Vec::new();
    for (division, parts) in divisions.iter().zip(parts) {
        for (places, part) in division.parts().zip(parts) {
            buffer.clear();
            buffer.extend(places.iter().map(|place| values[*place as usize]));
            *field(part) = of(&mut buffer);
        }
    }
    *field(all) = of(&mut values);
}
