//! Division: the figures of the jobs that count, and of parts of them, as teams, classes, sizes and pools make them.
//!
//! Every measure is worked out once for all jobs, and sorted by part, by counting, for one division after the other; those
//! of one part stay in the order in which they came. Formulas are those of `wait`, `slowdown` and `latency`; population and
//! quantiles as in `population` and `distribution`. Absent on purpose: what the parts are (see `groups`).

use super::distribution::Distribution;
use super::latency::Firsts;
use super::slowdown::bounded;
use super::wait;
use crate::record::Record;
use crate::trace::Trace;

/// Which part each of some jobs is in.
#[derive(Clone, Debug)]
pub struct Division {
    /// By place among those that are divided; none where one part has them all.
    labels: Vec<u32>,
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
    /// let sorted = division.sorted([10, 11, 12, 13]);
    /// let parts: Vec<&[u32]> = division.parts(&sorted).collect();
    /// assert_eq!(parts, [&[10, 12][..], &[11, 13], &[]]);
    /// ```
    #[must_use]
    pub fn new(rows: &[u32], least: usize, label: impl Fn(usize) -> usize) -> Self {
        let [division] = Self::several(rows, [least], |row| [label(row)]);
        division
    }

    /// Divides `rows` in several ways at once, each as [`new`](Self::new) does.
    #[must_use]
    pub fn several<const N: usize>(
        rows: &[u32],
        least: [usize; N],
        mut labels: impl FnMut(usize) -> [usize; N],
    ) -> [Self; N] {
        let empty =
            |least| Self { labels: Vec::with_capacity(rows.len()), ends: vec![0; least], whole: None };
        let mut divisions = least.map(empty);
        for row in rows {
            for (Self { labels, ends, .. }, label) in divisions.iter_mut().zip(labels(*row as usize)) {
                if ends.len() <= label {
                    ends.resize(label + 1, 0);
                }
                ends[label] += 1;
                labels.push(u32::try_from(label).unwrap_or(u32::MAX));
            }
        }
        for Self { labels, ends, whole } in &mut divisions {
            *whole = ends.iter().position(|size| *size == rows.len());
            if whole.is_some() {
                *labels = Vec::new();
            }
            let mut end = 0;
            for size in ends {
                end += *size;
                *size = end;
            }
        }
        divisions
    }

    /// One part that has so many jobs.
    #[must_use]
    pub fn undivided(jobs: usize) -> Self {
        Self { labels: Vec::new(), ends: vec![jobs], whole: Some(0) }
    }

    /// One value of each job by part, from those in the order in which the jobs were divided.
    #[must_use]
    pub fn sorted<T: Copy + Default>(&self, values: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut sorted = Vec::new();
        self.sort(values, &mut sorted);
        sorted
    }

    /// The same, in the memory of `sorted`.
    fn sort<T: Copy + Default>(&self, values: impl IntoIterator<Item = T>, sorted: &mut Vec<T>) {
        let size = self.ends.last().copied().unwrap_or(0);
        if self.whole.is_some() {
            sorted.clear();
            sorted.extend(values.into_iter().take(size));
            return;
        }
        // Each place is written below, so that what is there from before may stay.
        sorted.resize(size, T::default());
        let mut next: Vec<usize> = self.begins().collect();
        for (value, label) in values.into_iter().zip(&self.labels) {
            let next = &mut next[*label as usize];
            sorted[*next] = value;
            *next += 1;
        }
    }

    /// Each part of what was [`sorted`](Self::sorted).
    pub fn parts<'a, T>(&'a self, sorted: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        self.begins().zip(&self.ends).map(|(begin, end)| &sorted[begin..*end])
    }

    fn begins(&self) -> impl Iterator<Item = usize> {
        std::iter::once(0).chain(self.ends.iter().copied())
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

/// The figures of each part of the jobs that count, division after division, from how long they waited, ms.
#[must_use]
pub fn figures<const N: usize>(
    counted: Counted<'_>,
    waits: Vec<u64>,
    divisions: [&Division; N],
) -> [Vec<Figures>; N] {
    let Counted { trace, record, rows } = counted;
    let mut found = divisions.map(|division| vec![Figures::default(); division.ends.len()]);
    fill(spread(waits, divisions, None, Distribution::of_millis), |one| &mut one.wait, &mut found);
    // How long a job would have taken that was stopped for idling is not known.
    let through = |place: u32| record.ran_through(rows[place as usize]);
    let through: Option<&dyn Fn(u32) -> bool> = if record.reaped.is_empty() { None } else { Some(&through) };
    let response = |row: &u32| {
        let row = *row as usize;
        wait::response(trace.jobs[row].submit_ms, record.outcomes[row].end_ms)
    };
    let responses = rows.iter().map(response).collect();
    let responses = spread(responses, divisions, through, Distribution::of_millis);
    fill(responses, |one| &mut one.response, &mut found);
    let slowdown = |row: &u32| bounded(response(row), trace.jobs[*row as usize].run_ms);
    let slowdowns = rows.iter().map(slowdown).collect();
    let slowdowns = spread(slowdowns, divisions, through, Distribution::of_numbers);
    fill(slowdowns, |one| &mut one.slowdown, &mut found);
    found
}

/// How long until the first decision about the jobs of each part of `rows`, about all of which one was made.
#[must_use]
pub fn first_decisions<const N: usize>(
    (trace, record, firsts): (&Trace, &Record, &Firsts),
    rows: &[u32],
    divisions: [&Division; N],
) -> [Vec<Distribution>; N] {
    let first = |row: &u32| firsts.of(trace, record, *row as usize).millis().unwrap_or(0);
    spread(rows.iter().map(first).collect(), divisions, None, Distribution::of_millis)
}

/// Puts one measure of every part where it belongs.
fn fill<const N: usize>(
    measured: [Vec<Distribution>; N],
    field: fn(&mut Figures) -> &mut Distribution,
    found: &mut [Vec<Figures>; N],
) {
    let parts = found.iter_mut().flatten().zip(measured.into_iter().flatten());
    parts.for_each(|(figures, one)| *field(figures) = one);
}

/// Works out one measure for every part of every division, from its values by place, of those that `counts`, or of all.
fn spread<T: Copy + Default, const N: usize>(
    mut values: Vec<T>,
    divisions: [&Division; N],
    counts: Option<&dyn Fn(u32) -> bool>,
    of: fn(&mut [T]) -> Distribution,
) -> [Vec<Distribution>; N] {
    let mut found = divisions.map(|division| vec![Distribution::default(); division.ends.len()]);
    let mut sorted = Vec::new();
    for (division, found) in divisions.iter().zip(&mut found).filter(|(division, _)| division.whole.is_none())
    {
        debug_assert_eq!(values.len(), division.labels.len(), "a value of each job");
        division.sort(values.iter().copied(), &mut sorted);
        let kept = counts.map(|counts| division.sorted((0..).take(values.len()).map(counts)));
        for (part, (begin, end)) in found.iter_mut().zip(division.begins().zip(&division.ends)) {
            let values = &mut sorted[begin..*end];
            let size = kept.as_ref().map_or(values.len(), |kept| keep(values, &kept[begin..*end]));
            *part = of(&mut values[..size]);
        }
    }
    drop(sorted);
    if let Some(counts) = counts {
        let mut places = 0_u32..;
        values.retain(|_| places.next().is_some_and(counts));
    }
    let all = divisions.iter().zip(&mut found).filter_map(|(division, found)| found.get_mut(division.whole?));
    let mut all = all.peekable();
    if all.peek().is_some() {
        let measured = of(&mut values);
        all.for_each(|one| *one = measured);
    }
    found
}

/// Moves the values that count to the front, in their order; how many there are.
fn keep<T: Copy>(values: &mut [T], counts: &[bool]) -> usize {
    let mut kept = 0;
    for at in (0..values.len()).filter(|at| counts[*at]) {
        values[kept] = values[at];
        kept += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_has_all_has_the_figures_of_all() {
        let divisions =
            Division::several(&[0, 1, 2], [2, 2, 0], |row| [usize::from(row > 0), 1, usize::from(row == 1)]);
        let ends = divisions.each_ref().map(|division| (division.whole, division.ends.clone()));
        assert_eq!(ends, [(None, vec![1, 3]), (Some(1), vec![0, 3]), (None, vec![2, 3])]);
        let found = |counts: Option<&dyn Fn(u32) -> bool>| {
            let values = vec![1_000, 2_000, 6_000];
            let found = spread(values, divisions.each_ref(), counts, Distribution::of_millis);
            found.map(|parts| parts.iter().map(|part| (part.count, part.mean)).collect::<Vec<_>>())
        };
        let all = [
            vec![(1, Some(1.0)), (2, Some(4.0))],
            vec![(0, None), (3, Some(3.0))],
            vec![(2, Some(3.5)), (1, Some(2.0))],
        ];
        assert_eq!(found(None), all);
        // The second does not count, in its parts or in the whole.
        let without = [
            vec![(1, Some(1.0)), (1, Some(6.0))],
            vec![(0, None), (2, Some(3.5))],
            vec![(2, Some(3.5)), (0, None)],
        ];
        assert_eq!(found(Some(&|place| place != 1)), without);
    }
}
