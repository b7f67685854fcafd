//! Blocked: teams that had to wait, what they held meanwhile, and their smallest job that had to.
//!
//! Formula: a team is blocked at an instant at which one of its jobs waits. time = blocked instants / all instants;
//! held over entitled = Σ share / Σ entitlement over its blocked instants (see `fairness`, `entitlement`): below 1 it waited
//! although it held less than it was entitled to, above 1 it waited for more than that. smallest = the least GPUs (CPUs
//! where no pool has GPUs) of a job that did not start when it came, so that a team of small jobs behind large ones is
//! seen. Unit: parts of one, and GPUs. Population: all jobs that were not rejected, those that never started included.
//! Estimator: sums over the sampled instants of `fairness`. Source: a definition of this project. Absent on purpose: users
//! (see `blocked_users`); why (see `sim explain`).

use fairshare::ResourceKind;
use serde::Serialize;

use super::Demands;
use super::latency::{First, Firsts};
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// What it was to be blocked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Blocked {
    /// The part of the time in which a job of the team waited.
    pub time: f64,
    /// What it held then over what it was entitled to; null where that is nothing.
    pub held_over_entitled: Option<f64>,
    /// What its smallest job asked that did not start when it came, in GPUs, or CPUs where there are none.
    pub smallest_waiting: Option<f64>,
}

/// Sums over the instants at which one team was blocked.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Instants {
    /// How many.
    pub count: u32,
    /// What it held, summed.
    pub held: f64,
    /// What it was entitled to, summed.
    pub entitled: f64,
}

impl Instants {
    /// The measures of a team, over `all` instants.
    ///
    /// # Examples
    ///
    /// Of four instants two are blocked, with shares of 1/8 and 3/8 where 1/2 is deserved:
    ///
    /// ```
    /// use fairshare_sim::metrics::blocked::Instants;
    /// let blocked = Instants { count: 2, held: 0.5, entitled: 1.0 }.blocked(4, Some(2.0)).unwrap();
    /// assert_eq!((blocked.time, blocked.held_over_entitled), (0.5, Some(0.5)));
    /// assert_eq!(Instants::default().blocked(4, None), None);
    /// ```
    #[must_use]
    pub fn blocked(self, all: u32, smallest_waiting: Option<f64>) -> Option<Blocked> {
        (self.count > 0 || smallest_waiting.is_some()).then(|| Blocked {
            time: f64::from(self.count) / f64::from(all.max(1)),
            held_over_entitled: (self.entitled > 0.0).then(|| self.held / self.entitled),
            smallest_waiting,
        })
    }
}

/// By team: the smallest job that did not start when it came.
#[must_use]
pub fn smallest_waiting(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    firsts: &Firsts,
) -> Vec<Option<f64>> {
    let waited = Waited::new(setup);
    let mut smallest: Vec<Option<u64>> = vec![None; setup.config.teams.len()];
    for row in 0..record.outcomes.len() {
        if let Some(asked) = waited.asked(trace, record, demands, firsts, row) {
            let known = &mut smallest[setup.team_of[trace.jobs[row].team as usize].index()];
            *known = Some(known.map_or(asked, |known| known.min(asked)));
        }
    }
    smallest.into_iter().map(|asked| asked.map(units)).collect()
}

/// Jobs that did not start when they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waited {
    /// What they are measured by.
    kind: ResourceKind,
}

impl Waited {
    /// By GPUs, or by CPUs where no pool has any.
    pub(super) fn new(setup: &Setup) -> Self {
        Self { kind: setup.measured_by() }
    }

    /// What a job asked, in thousandths; nothing where it started when it came.
    pub(super) fn asked(
        self,
        trace: &Trace,
        record: &Record,
        demands: &Demands,
        firsts: &Firsts,
        row: usize,
    ) -> Option<u64> {
        let outcome = &record.outcomes[row];
        let waited = match firsts.of(trace, record, row) {
            First::Start(millis) => millis > 0,
            First::Rejection => false,
            First::None => outcome.fate == Fate::Waiting,
        };
        waited
            .then(|| demands.of(trace, row, usize::from(record.place(outcome).alternative))[self.kind].get())
    }
}

/// Units for people, from exact thousandths.
#[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
pub(super) fn units(thousandths: u64) -> f64 {
    thousandths as f64 / 1_000.0
}
