//! Traces bent on purpose: time compressed, jobs thinned or multiplied, a window cut out, one team scaled.
//!
//! Every step is seeded and leaves a sorted trace. A step that changes when or how many jobs arrive drops the
//! recorded starts and ends, for what was recorded did not happen to this trace. Absent on purpose: making traces
//! from nothing (the generator), and fitting one to another.

use super::clock::Instant;
use super::interner::{NameArena, SeenNames};
use super::load::{reorder, sort};
use super::model::{Trace, TraceJob};
use super::number;
use crate::rng::{Stream, Streams};

/// One step of shaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// Multiplies the distance of every submission from the first.
    Compress(Factor),
    /// Keeps every job with this probability.
    Thin(Factor),
    /// The trace and N - 1 bootstrap samples of it: as many jobs each, drawn with replacement.
    Clone(u32),
    /// Keeps jobs submitted at or after the first and before the second time, ms on the trace's clock.
    Window(i64, i64),
    /// Multiplies the jobs of one team: below one they are thinned, above one some come again.
    ScaleTeam(String, Factor),
}

impl Transform {
    /// A window from and until a time as written: seconds on the trace's clock or a date; absent ends are open.
    ///
    /// ```
    /// use fairshare_sim::trace::Transform;
    /// assert_eq!(Transform::window(Some("60"), Some("1970-01-01T00:02:00Z")), Some(Transform::Window(60_000, 120_000)));
    /// assert_eq!(Transform::window(Some("noon"), None), None);
    /// ```
    #[must_use]
    pub fn window(from: Option<&str>, until: Option<&str>) -> Option<Self> {
        let read = |text: &str| Some(Instant::parse(text)?.since_1970());
        let from = from.map_or(Some(i64::MIN), read)?;
        let until = until.map_or(Some(i64::MAX), read)?;
        Some(Self::Window(from, until))
    }
}

/// A factor of zero or more, exact to the millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor {
    millionths: u64,
}

const ONE: u64 = 1_000_000;

impl Factor {
    /// Reads a decimal such as `0.3`.
    ///
    /// ```
    /// use fairshare_sim::trace::Factor;
    /// assert!(Factor::parse("0.3") < Factor::parse("0.31"));
    /// assert_eq!(Factor::parse("-1"), None);
    /// assert_eq!(Factor::parse("much"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let millionths = number::scaled(text.trim().as_bytes(), 6).ok()?;
        // A thousandfold trace is a slip of the keyboard.
        let millionths = u64::try_from(millionths).ok().filter(|&value| value <= 1000 * ONE)?;
        Some(Self { millionths })
    }

    fn times(self, value: u64) -> u64 {
        let product = u128::from(value) * u128::from(self.millionths);
        u64::try_from((product + u128::from(ONE / 2)) / u128::from(ONE)).unwrap_or(u64::MAX)
    }

    /// A whole number that is this factor on average.
    fn draw(self, stream: &mut Stream) -> u64 {
        self.millionths / ONE + u64::from(stream.below(ONE) < self.millionths % ONE)
    }
}

impl Trace {
    /// Applies the steps in order; each draws from its own stream, so that a step more leaves the earlier ones
    /// as they were.
    ///
    /// Dependencies on jobs that are gone are dropped. Copies are named after their original with `~` and a number;
    /// they arrive somewhere between it and the next submission, so that bursts stay bursts.
    pub fn shape(&mut self, steps: &[Transform], streams: &Streams) {
        for (index, step) in steps.iter().enumerate() {
            let mut stream = streams.stream(&format!("trace-shape/{index}"));
            match step {
                Transform::Compress(factor) => self.compress(*factor),
                Transform::Thin(factor) => self.multiply(*factor, |_| true, &mut stream),
                Transform::Clone(count) => self.bootstrap(*count, &mut stream),
                Transform::Window(from, until) => self.window(*from, *until),
                Transform::ScaleTeam(team, factor) => {
                    if let Some(team) = self.teams.find(team) {
                        self.multiply(*factor, |job| job.team == team, &mut stream);
                    }
                }
            }
        }
    }

    fn compress(&mut self, factor: Factor) {
        let Some(first) = self.jobs.first().map(|job| job.submit_ms) else { return };
        let mut moved = Vec::with_capacity(self.extras.entries.len());
        for (index, _) in &self.extras.entries {
            let before = self.jobs[*index as usize].submit_ms;
            let after = first.saturating_add_unsigned(factor.times(before.abs_diff(first)));
            moved.push(after.saturating_sub(before));
        }
        for job in &mut self.jobs {
            let distance = factor.times(job.submit_ms.abs_diff(first));
            job.submit_ms = first.saturating_add_unsigned(distance);
        }
        // A deadline stays as far from its job's submission as it was.
        for ((_, extra), shift) in self.extras.entries.iter_mut().zip(moved) {
            extra.deadline_ms = extra.deadline_ms.map(|deadline| deadline.saturating_add(shift));
        }
        self.recorded = None;
        // Jobs that now arrive at once stand in the order of their names.
        sort(self);
    }

    fn window(&mut self, from: i64, until: i64) {
        let inside = |job: &TraceJob| (from..until).contains(&job.submit_ms);
        let order: Vec<u32> =
            (0..).zip(&self.jobs).filter(|(_, job)| inside(job)).map(|(index, _)| index).collect();
        reorder(self, &order);
        self.drop_missing_dependencies();
    }

    fn multiply(&mut self, factor: Factor, chosen: impl Fn(&TraceJob) -> bool, stream: &mut Stream) {
        let mut picks = Vec::with_capacity(self.jobs.len());
        for (index, job) in (0_u32..).zip(&self.jobs) {
            let count = if chosen(job) { factor.draw(stream) } else { 1 };
            for copy in 0..count {
                picks.push(Pick {
                    index,
                    copy,
                    shift_ms: if copy == 0 { 0 } else { self.gap(index, stream) },
                });
            }
        }
        self.pick(&picks);
    }

    fn bootstrap(&mut self, count: u32, stream: &mut Stream) {
        let length = self.jobs.len() as u64;
        let mut picks: Vec<Pick> =
            (0_u32..).take(self.jobs.len()).map(|index| Pick { index, copy: 0, shift_ms: 0 }).collect();
        if count == 0 {
            picks.clear();
        }
        let mut copies = vec![0_u64; self.jobs.len()];
        for _ in 0..u64::from(count.saturating_sub(1)) * length {
            let index = u32::try_from(stream.below(length)).unwrap_or(0);
            copies[index as usize] += 1;
            picks.push(Pick { index, copy: copies[index as usize], shift_ms: self.gap(index, stream) });
        }
        self.pick(&picks);
    }

    /// A time between a submission and the next one.
    fn gap(&self, index: u32, stream: &mut Stream) -> u64 {
        let this = self.jobs[index as usize].submit_ms;
        let next = self.jobs.get(index as usize + 1).map_or(this, |job| job.submit_ms);
        stream.below(next.abs_diff(this).max(1))
    }

    /// Replaces the jobs by copies of them.
    fn pick(&mut self, picks: &[Pick]) {
        let names = self.copy_names(picks);
        let order: Vec<u32> = picks.iter().map(|pick| pick.index).collect();
        reorder(self, &order);
        self.names = names;
        self.recorded = None;
        for (job, pick) in self.jobs.iter_mut().zip(picks) {
            job.submit_ms = job.submit_ms.saturating_add_unsigned(pick.shift_ms);
        }
        for (index, extra) in &mut self.extras.entries {
            let shift = picks[*index as usize].shift_ms;
            extra.deadline_ms = extra.deadline_ms.map(|deadline| deadline.saturating_add_unsigned(shift));
        }
        sort(self);
        self.drop_missing_dependencies();
    }

    /// Names of the picked jobs, each once: an earlier step may have used the name of a copy already.
    fn copy_names(&self, picks: &[Pick]) -> NameArena {
        let mut seen = SeenNames::default();
        for pick in picks.iter().filter(|pick| pick.copy == 0) {
            seen.insert(&self.names.get(pick.index as usize).to_string());
        }
        let mut names = NameArena::default();
        for pick in picks {
            let mut name = self.names.get(pick.index as usize).to_string();
            if pick.copy > 0 {
                let original = name;
                let mut number = pick.copy;
                name = format!("{original}~{number}");
                while !seen.insert(&name) {
                    number += 1;
                    name = format!("{original}~{number}");
                }
            }
            names.push(&name);
        }
        names
    }

    fn drop_missing_dependencies(&mut self) {
        if self.extras.entries.iter().all(|(_, extra)| extra.after.is_empty()) {
            return;
        }
        let names: std::collections::BTreeSet<String> =
            (0..self.names.len()).map(|index| self.names.get(index).to_string()).collect();
        for (_, extra) in &mut self.extras.entries {
            extra.after.retain(|name| names.contains(name));
        }
        self.extras.entries.retain(|(_, extra)| *extra != super::model::Extra::default());
    }
}

/// One job of the shaped trace: whose copy it is, the how-manyth, and how much later it arrives.
#[derive(Debug, Clone, Copy)]
struct Pick {
    index: u32,
    /// Zero is the original.
    copy: u64,
    shift_ms: u64,
}
