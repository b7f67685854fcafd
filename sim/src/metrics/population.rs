//! Population: the jobs that enter wait, response and slowdown.
//!
//! All jobs that ended, whatever their recorded status; rejected and unfinished ones are counted elsewhere. What the
//! reaper stopped has a wait, and no response or slowdown: it would have gone on (right-censored); how many these are is
//! said. With a trim of p: in order of finish (ties: submission, then row) without the first ⌊p·n⌋ and without all after
//! the first finish past the last submission, so that neither the empty start nor the draining end counts.

use crate::record::{Fate, Record};
use crate::trace::Trace;

/// A share of the first finishes to leave out, in thousandths of a percent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trim(u64);

const WHOLE: u64 = 100_000;

impl Trim {
    /// Reads `1%` or `0.5%`; `None` for anything else, or 100 % and more.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::metrics::population::Trim;
    /// assert_eq!(Trim::parse("1%").unwrap().count(28_476), 284);
    /// assert_eq!(Trim::parse("0.5%").unwrap().count(1_000), 5);
    /// assert_eq!(Trim::parse("1"), None, "the sign is needed");
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let thousandths = fairshare::Quantity::parse_units(text.trim().strip_suffix('%')?.trim())?.get();
        (thousandths < WHOLE).then_some(Self(thousandths))
    }

    /// How many of `finishes` are left out at the start, rounded down.
    #[must_use]
    pub fn count(self, finishes: usize) -> usize {
        let left_out = finishes as u128 * u128::from(self.0) / u128::from(WHOLE);
        usize::try_from(left_out).unwrap_or(finishes)
    }
}

/// The rows that count, ascending.
#[must_use]
pub fn rows(trace: &Trace, record: &Record, trim: Option<Trim>) -> Vec<u32> {
    let ended = (0_u32..).zip(&record.outcomes).filter(|(_, outcome)| outcome.fate == Fate::Ended);
    let Some(trim) = trim else { return ended.map(|(row, _)| row).collect() };
    // Rows are in order of submission already, so a stable sort by finish is enough.
    let mut finishes: Vec<(i64, u32)> = ended.map(|(row, outcome)| (outcome.end_ms, row)).collect();
    finishes.sort_unstable();
    let last_submit = trace.jobs.last().map_or(i64::MAX, |job| job.submit_ms);
    let end =
        finishes.iter().position(|(end, _)| *end > last_submit).map_or(finishes.len(), |index| index + 1);
    let start = trim.count(finishes.len()).min(end);
    let mut rows: Vec<u32> = finishes[start..end].iter().map(|(_, row)| *row).collect();
    rows.sort_unstable();
    rows
}
