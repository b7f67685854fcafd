//! Clocks: from when a trace counts, what a written time is on its clock, and which day that is.
//!
//! A trace counts from 1970, or from a zero of its own that the heads of its files tell or nobody knows. Absent on purpose:
//! how times are written (see `time`).

use super::guess::Format;
use super::model::{Source, Trace};
use super::number;
use super::time;

/// A day, ms.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Times from 1979-12-30 on are Unix times: no trace that counts from a zero of its own lasts for ten years.
pub(crate) const CALENDAR_FROM_MS: i64 = 3_650 * DAY_MS;

/// Whether a time of a clock is one of the calendar: a file tells when the clock begins, or it is a Unix time by itself.
pub(crate) fn is_of_calendar(told: bool, clock_ms: i64) -> bool {
    told || clock_ms >= CALENDAR_FROM_MS
}

/// The weekday of a day since the zero of a clock, Monday = 0. 1970 began on a Thursday; of a clock that is not the
/// calendar's nobody knows it, and its day 0 counts as a Monday.
pub(crate) fn weekday(day: i64, calendar: bool) -> usize {
    let first = if calendar { 3 } else { 0 };
    usize::try_from((day + first).rem_euclid(7)).unwrap_or(0)
}

/// A time as written on the command line or in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    /// Seconds on the trace's own clock, in ms.
    OfTrace(i64),
    /// A date without an offset, on the clock of the machine whose jobs they are: ms since 1970 by that clock.
    OfMachine(i64),
    /// A date with an offset, ms since 1970.
    Date(i64),
}

impl Instant {
    /// Reads seconds, a date with a time, or a date alone, which is its first instant.
    ///
    /// ```
    /// use fairshare_sim::trace::Instant;
    /// assert_eq!(Instant::parse("60.5"), Some(Instant::OfTrace(60_500)));
    /// assert_eq!(Instant::parse("1970-01-02"), Some(Instant::OfMachine(86_400_000)));
    /// assert_eq!(Instant::parse("1970-01-02T00:00:00Z"), Some(Instant::Date(86_400_000)));
    /// assert_eq!(Instant::parse("1970-01-02T09:00:00+09:00"), Instant::parse("1970-01-02T00:00:00Z"));
    /// assert_eq!(Instant::parse("noon"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        let date = time::timestamp_and_zone(bytes)
            .or_else(|| time::timestamp_and_zone(&[bytes, b" 00:00:00"].concat()));
        match date {
            Some((ms, true)) => Some(Self::Date(ms)),
            Some((ms, false)) => Some(Self::OfMachine(ms)),
            None => number::scaled(bytes, 3).ok().map(Self::OfTrace),
        }
    }

    /// The same on the clock of a trace whose zero is `epoch_ms` after 1970 by the clock of its machine, which is
    /// `offset_s` ahead of UTC.
    ///
    /// ```
    /// use fairshare_sim::trace::Instant;
    /// let (nine_o_clock, nine_hours) = (9 * 3_600_000, 9 * 3600);
    /// let clock = |text: &str| Instant::parse(text).map(|instant| instant.on_clock(nine_o_clock, nine_hours));
    /// assert_eq!(clock("1970-01-01T10:00:00"), Some(3_600_000));
    /// assert_eq!(clock("1970-01-01T10:00:00+09:00"), Some(3_600_000));
    /// assert_eq!(clock("1970-01-01T01:00:00Z"), Some(3_600_000));
    /// ```
    #[must_use]
    pub fn on_clock(self, epoch_ms: i64, offset_s: i64) -> i64 {
        match self {
            Self::OfTrace(ms) => ms,
            Self::OfMachine(ms) => ms.saturating_sub(epoch_ms),
            Self::Date(ms) => ms.saturating_add(offset_s.saturating_mul(1000)).saturating_sub(epoch_ms),
        }
    }

    /// The same where the clock counts from 1970, or nobody knows from when it does.
    ///
    /// ```
    /// use fairshare_sim::trace::Instant;
    /// let read = |text: &str| Instant::parse(text).map(Instant::since_1970);
    /// assert_eq!(read("90"), Some(90_000));
    /// assert_eq!(read("2017-10-01 00:00:45"), Some(1_506_816_045_000));
    /// assert_eq!(read("2017-10-01"), read("2017-10-01 00:00:00"));
    /// ```
    #[must_use]
    pub fn since_1970(self) -> i64 {
        self.on_clock(0, 0)
    }

    /// Whether it is a date, which means something only where somebody knows when the clock begins.
    #[must_use]
    pub fn is_date(self) -> bool {
        !matches!(self, Self::OfTrace(_))
    }
}

impl Trace {
    /// The zero of the trace's clock, ms since 1970 by the clock of the machine: zero where it counts from 1970. Nothing
    /// where no file says it, or two say different things.
    #[must_use]
    pub fn epoch_ms(&self) -> Option<i64> {
        self.zero().map(|(epoch_ms, _)| epoch_ms)
    }

    /// The same, with how far that clock is ahead of UTC, s. Of machines whose clocks are unlike, it is by UTC.
    #[must_use]
    pub fn zero(&self) -> Option<(i64, i64)> {
        let mut zeros: Vec<Option<(i64, i64)>> =
            self.sources.iter().filter(|source| source.jobs > 0).map(zero_of).collect();
        zeros.dedup();
        let utc = |(epoch_ms, offset_s): (i64, i64)| epoch_ms.saturating_sub(offset_s.saturating_mul(1000));
        match zeros[..] {
            [] => self.jobs.last().is_none_or(|job| job.submit_ms >= CALENDAR_FROM_MS).then_some((0, 0)),
            [zero] => zero,
            _ => {
                let mut zeros: Vec<Option<i64>> = zeros.into_iter().map(|zero| zero.map(utc)).collect();
                zeros.dedup();
                if let [Some(epoch_ms)] = zeros[..] { Some((epoch_ms, 0)) } else { None }
            }
        }
    }

    /// An instant of its clock as people write it: a date by the clock of the machine, where the zero is known.
    #[must_use]
    pub(crate) fn shown(&self, ms: i64) -> String {
        match self.zero() {
            Some((epoch_ms, _)) => time::date_and_time(ms.saturating_add(epoch_ms)),
            None => format!("{} s", ms / 1000),
        }
    }
}

/// The zero of one file and its clock against UTC, s.
fn zero_of(source: &Source) -> Option<(i64, i64)> {
    match (source.epoch_ms, source.submits) {
        (Some(epoch_ms), _) => Some((epoch_ms, source.offset_s.unwrap_or(0))),
        (None, Some((_, last_ms))) if last_ms >= CALENDAR_FROM_MS => Some((0, 0)),
        _ => None,
    }
}

/// From when the files of one set count, one of each kind.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// From a zero that nobody knows.
    unknown: Option<String>,
    /// From one that the head tells.
    known: Option<String>,
    /// From 1970.
    calendar: Option<String>,
}

impl Clocks {
    /// Notes the clock of a file with these first and last submissions; what there is to say where it is another than
    /// those of the files before.
    pub(super) fn note(&mut self, source: &Source) -> Option<String> {
        let (first_ms, last_ms) = source.submits?;
        let path = source.path.clone();
        let own = |clocks: &Self| clocks.unknown.clone().or(clocks.known.clone());
        let before = (own(self), self.unknown.clone(), self.known.clone(), self.calendar.clone());
        // PAI tells hours and weekdays, and not of which year.
        let dated = source.epoch_ms.filter(|_| !matches!(source.format, Format::PaiJobs | Format::PaiTasks));
        let kind = match (first_ms >= CALENDAR_FROM_MS, dated) {
            (true, _) => &mut self.calendar,
            (false, Some(_)) => &mut self.known,
            (false, None) if last_ms < CALENDAR_FROM_MS => &mut self.unknown,
            (false, None) => return None,
        };
        if kind.is_some() {
            return None;
        }
        *kind = Some(path);
        if let (Some(own), Some(unix)) = (own(self), &self.calendar)
            && (before.0.is_none() || before.3.is_none())
        {
            return Some(format!(
                "`{own}` counts time from a zero of its own and `{unix}` from 1970: their jobs do not overlap"
            ));
        }
        let (unknown, known) = (self.unknown.as_ref()?, self.known.as_ref()?);
        (before.1.is_none() || before.2.is_none()).then(|| {
            format!(
                "`{unknown}` does not say when its clock begins and `{known}` does: their jobs may not belong side by side"
            )
        })
    }
}

/// Puts files whose heads tell when they begin on the clock of the one that begins first: how much later than that each of
/// them begins, ms, and what there is to say of it.
pub(super) fn aligned(begin: &[(String, Option<i64>)]) -> (Vec<i64>, Vec<String>) {
    let known = |(path, begin): &(String, Option<i64>)| Some(((*begin)?, path.clone()));
    let Some((first_ms, first)) = begin.iter().filter_map(known).min_by_key(|(begin, _)| *begin) else {
        return (vec![0; begin.len()], Vec::new());
    };
    let later = |begin: Option<i64>| begin.map_or(0, |begin| begin.saturating_sub(first_ms));
    let said = |(path, begin): &(String, Option<i64>)| {
        let seconds = Some(later(*begin) / 1000).filter(|seconds| *seconds > 0)?;
        Some(format!(
            "`{path}` begins {seconds} s after `{first}`: its times count from the beginning of that"
        ))
    };
    (begin.iter().map(|(_, begin)| later(*begin)).collect(), begin.iter().filter_map(said).collect())
}
