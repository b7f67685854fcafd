//! Division: the figures of the jobs that count, and of parts of them, as teams, classes, sizes and pools make them.
//!
//! The jobs of a division are put in order by their part once, by counting, and every measure is taken part by part through
//! one buffer. One division is looked at after the other, so that the order of one alone is in memory. Formulas are those of
//! `wait`, `slowdown` and `latency`; population and quantiles as in `population` and `distribution`. Absent on purpose: what
//! the parts are (see `groups`).

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
    /// The part that has them all.
    whole: Option<usize>,
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
        let whole = ends.iter().position(|size| *size == rows.len());
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
        Self { order, ends, whole }
    }

    /// One part that has so many jobs.
    #[must_use]
    pub fn undivided(jobs: usize) -> Self {
        let places = 0..u32::try_from(jobs).unwrap_or(u32::MAX);
        Self { order: places.collect(), ends: vec![jobs], whole: Some(0) }
    }

    /// The places of each part's jobs among those that were divided.
    pub fn parts(&self) -> impl Iterator<Item = &[u32]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.order[begin..*end])
    }
}

/// The figures of some jobs that count.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Figures {
    /// Waits, seconds.
    pub wait: Distribution,
    /// Responses, seconds.
    pub response: Distribution,
    /// Bounded slowdowns.
    pub slowdown: Distribution,
}

/// The jobs that count, and what became of them.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Everything that was submitted.
    pub trace: &'a Trace,
    /// What became of it.
    pub record: &'a Record,
    /// Which of them count.
    pub rows: &'a [u32],
}

/// The figures of each part of the jobs that count.
#[must_use]
pub fn figures(counted: Counted<'_>, division: &Division) -> Vec<Figures> {
    let Counted { trace, record, rows } = counted;
    let mut found = vec![Figures::default(); division.ends.len()];
    let response = |row: usize| wait::response(trace.jobs[row].submit_ms, record.outcomes[row].end_ms);
    let waits = rows.iter().map(|row| record.wait_ms(trace, *row as usize)).collect();
    fill(spread(waits, division, None, Distribution::of_millis), |one| &mut one.wait, &mut found);
    // How long a job would have taken that was stopped for idling is not known.
    let through = |place: u32| record.ran_through(rows[place as usize]);
    let through: Option<&dyn Fn(u32) -> bool> = if record.reaped.is_empty() { None } else { Some(&through) };
    let responses = rows.iter().map(|row| response(*row as usize)).collect();
    let responses = spread(responses, division, through, Distribution::of_millis);
    fill(responses, |one| &mut one.response, &mut found);
    let slowdown = |row: &u32| bounded(response(*row as usize), trace.jobs[*row as usize].run_ms);
    let slowdowns = rows.iter().map(slowdown).collect();
    let slowdowns = spread(slowdowns, division, through, Distribution::of_numbers);
    fill(slowdowns, |one| &mut one.slowdown, &mut found);
    found
}

/// How long until the first decision about the jobs of each part of `rows`, about all of which one was made.
#[must_use]
pub fn first_decisions(
    (trace, record, firsts): (&Trace, &Record, &Firsts),
    rows: &[u32],
    division: &Division,
) -> Vec<Distribution> {
    let first = |row: &u32| firsts.of(trace, record, *row as usize).millis().unwrap_or(0);
    spread(rows.iter().map(first).collect(), division, None, Distribution::of_millis)
}

/// The same, given those of all: they are not worked out again where one part has all.
#[must_use]
pub fn figures_beside(all: &Figures, counted: Counted<'_>, division: &Division) -> Vec<Figures> {
    let Some(whole) = division.whole else { return figures(counted, division) };
    let mut found = vec![Figures::default(); division.ends.len()];
    found[whole] = *all;
    found
}

/// Puts one measure of every part where it belongs.
fn fill(measured: Vec<Distribution>, field: fn(&mut Figures) -> &mut Distribution, found: &mut [Figures]) {
    found.iter_mut().zip(measured).for_each(|(figures, one)| *field(figures) = one);
}

/// Works out one measure for every part, from its values by place, of those that `counts`, or of all.
fn spread<T: Copy>(
    mut values: Vec<T>,
    division: &Division,
    counts: Option<&dyn Fn(u32) -> bool>,
    of: fn(&mut [T]) -> Distribution,
) -> Vec<Distribution> {
    let mut found = vec![Distribution::default(); division.ends.len()];
    let is_in = |place: &&u32| counts.is_none_or(|counts| counts(**place));
    if let Some(whole) = division.whole {
        if let Some(counts) = counts {
            let mut places = 0_u32..;
            values.retain(|_| places.next().is_some_and(counts));
        }
        found[whole] = of(&mut values);
        return found;
    }
    let largest = division.parts().enumerate().max_by_key(|(_, places)| places.len()).map(|(part, _)| part);
    let mut buffer = Vec::new();
    for (part, places) in division.parts().enumerate().filter(|(part, _)| Some(*part) != largest) {
        buffer.clear();
        buffer.extend(places.iter().filter(is_in).map(|place| values[*place as usize]));
        found[part] = of(&mut buffer);
    }
    // The largest part moves to the front, so that there is no second list of nearly all values: places ascend.
    if let Some((part, places)) = largest.and_then(|part| Some((part, division.parts().nth(part)?))) {
        let mut kept = 0;
        for place in places.iter().filter(is_in) {
            values[kept] = values[*place as usize];
            kept += 1;
        }
        found[part] = of(&mut values[..kept]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_has_all_has_the_figures_of_all() {
        let halves = Division::new(&[0, 1, 2], 2, |row| usize::from(row > 0));
        let one = Division::new(&[0, 1, 2], 2, |_| 1);
        assert_eq!((one.whole, one.parts().map(<[u32]>::len).collect::<Vec<_>>()), (Some(1), vec![0, 3]));
        let found = |division: &Division| {
            let found = spread(vec![1_000, 2_000, 6_000], division, None, Distribution::of_millis);
            found.iter().map(|part| (part.count, part.mean)).collect::<Vec<_>>()
        };
        assert_eq!(found(&halves), [(1, Some(1.0)), (2, Some(4.0))]);
        assert_eq!(found(&one), [(0, None), (3, Some(3.0))]);
        // The second does not count, in its part or in the whole.
        for (division, expected) in
            [(&halves, [(1, Some(1.0)), (1, Some(6.0))]), (&one, [(0, None), (2, Some(3.5))])]
        {
            let found = spread(
                vec![1_000, 2_000, 6_000],
                division,
                Some(&|place| place != 1),
                Distribution::of_millis,
            );
            assert_eq!(found.iter().map(|part| (part.count, part.mean)).collect::<Vec<_>>(), expected);
        }
    }
}
