//! Reaper: stops jobs whose accelerators idle.
//!
//! A job whose mean GPU utilization is below a threshold is stopped when it has run for the window, in every attempt anew;
//! what it did not run any more is spared. The mean is all that traces have, so a job that was busy at first and idled
//! later, or the other way round, is judged by its average. Jobs of exempt classes, development jobs unless included, jobs
//! without GPUs and jobs whose utilization is not known are left alone. Absent on purpose: what was reclaimed (see
//! `metrics::reclaimed`).

/// When jobs are stopped for idling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaper {
    /// Below which mean utilization, thousandths.
    pub below_milli: u32,
    /// After how long, ms.
    pub window_ms: u64,
    /// Classes that are left alone.
    pub exempt: Vec<String>,
    /// Whether development jobs are stopped as well.
    pub includes_dev: bool,
}

/// An attempt that the reaper stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reaped {
    /// After how long, ms.
    pub(crate) after_ms: u64,
    /// For how long it would have gone on, ms.
    pub(crate) spared_ms: u64,
}

/// What the reaper looks at.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// The class that it names; empty: none.
    pub class: &'a str,
    /// A development session.
    pub dev: bool,
    /// GPUs of all workers, thousandths.
    pub gpus: u64,
    /// Mean utilization of its GPUs, thousandths.
    pub utilization_milli: Option<u32>,
}

impl Reaper {
    /// Whether a job would be stopped, if it ran for longer than the window.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::{Reaper, Suspect};
    /// let exempt = vec!["interactive".to_owned()];
    /// let reaper = Reaper { below_milli: 200, window_ms: 3_600_000, exempt, includes_dev: false };
    /// let idle = Suspect { class: "low", dev: false, gpus: 8_000, utilization_milli: Some(199) };
    /// assert!(reaper.stops(idle));
    /// assert!(!reaper.stops(Suspect { utilization_milli: Some(200), ..idle }), "at the threshold it is busy");
    /// assert!(!reaper.stops(Suspect { utilization_milli: None, ..idle }));
    /// assert!(!reaper.stops(Suspect { class: "interactive", ..idle }));
    /// assert!(!reaper.stops(Suspect { dev: true, ..idle }));
    /// assert!(!reaper.stops(Suspect { gpus: 0, ..idle }));
    /// ```
    #[must_use]
    pub fn stops(&self, suspect: Suspect<'_>) -> bool {
        let is_exempt = self.exempt.iter().any(|class| class == suspect.class);
        let is_idle = suspect.utilization_milli.is_some_and(|milli| milli < self.below_milli);
        suspect.gpus > 0 && is_idle && !is_exempt && (self.includes_dev || !suspect.dev)
    }
}
