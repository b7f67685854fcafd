//! Timings: how long the phases took by the wall clock, on `--timings` only.
//!
//! Never part of a result: two runs differ here. The clock is given from outside.

use std::fmt::Write as _;
use std::time::Duration;

use crate::observer::Observer;

/// Parts into which the jobs are divided.
const PARTS: usize = 10;

/// Watches the clock.
pub struct Timings<'a> {
    clock: &'a dyn Fn() -> Duration,
    last: Duration,
    phases: Vec<(&'static str, Duration)>,
    jobs: usize,
    /// When each tenth of the submissions was done.
    tenths: Vec<Duration>,
}

impl std::fmt::Debug for Timings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timings").field("phases", &self.phases).finish_non_exhaustive()
    }
}

impl<'a> Timings<'a> {
    /// Begins now.
    #[must_use]
    pub fn new(clock: &'a dyn Fn() -> Duration) -> Self {
        Self { clock, last: clock(), phases: Vec::new(), jobs: 0, tenths: Vec::new() }
    }

    /// A phase ends now.
    pub fn phase(&mut self, name: &'static str) {
        let now = (self.clock)();
        self.phases.push((name, now.saturating_sub(self.last)));
        self.last = now;
    }

    /// The tenths of `jobs` submissions begin now.
    pub fn start_tenths(&mut self, jobs: usize) {
        self.jobs = jobs;
        self.tenths = vec![(self.clock)()];
    }

    fn tenth_seconds(&self) -> Vec<f64> {
        self.tenths.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64()).collect()
    }

    fn total(&self) -> f64 {
        self.phases.iter().map(|(_, length)| length.as_secs_f64()).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn rate(&self, jobs: usize) -> f64 {
        jobs as f64 / self.total().max(1e-9)
    }

    /// One line for stderr.
    #[must_use]
    pub fn text(&self, jobs: usize) -> String {
        let mut text = String::from("timings:");
        for (name, length) in &self.phases {
            let _ = write!(text, " {name} {:.3} s,", length.as_secs_f64());
        }
        let _ = write!(text, " total {:.3} s, {:.0} jobs per second", self.total(), self.rate(jobs));
        let tenths = self.tenth_seconds();
        if let (Some(first), Some(last)) = (tenths.first(), tenths.last()) {
            let _ = write!(text, "; last tenth of the jobs {:.2} x the first", last / first.max(1e-9));
        }
        text
    }

    /// `timings.json`.
    #[must_use]
    pub fn json(&self, jobs: usize) -> String {
        let phases: serde_json::Map<String, serde_json::Value> = self
            .phases
            .iter()
            .map(|(name, length)| (format!("{name}_s"), length.as_secs_f64().into()))
            .collect();
        let value = serde_json::json!({
            "schema": "sim.timings/1",
            "phases": phases,
            "total_s": self.total(),
            "jobs_per_s": self.rate(jobs),
            "tenths_s": self.tenth_seconds(),
        });
        format!("{value:#}\n")
    }
}

impl Observer for Timings<'_> {
    #[inline]
    fn instant(&mut self, _at: i64, submitted: usize) {
        while self.tenths.len() <= PARTS && submitted * PARTS >= self.jobs * self.tenths.len() {
            self.tenths.push((self.clock)());
        }
    }
}
