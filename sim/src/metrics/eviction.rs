//! Eviction: how often running jobs were stopped, by which rule, and what was lost.
//!
//! Formula: by rule: evictions. lost GPU-hours = Σ GPUs × time of evicted attempts that has to be run again, and time
//! that goes by in later attempts until a job is where it had been. ratio = evictions / starts. Unit: counts, GPU-hours,
//! a ratio. Population: all attempts, never trimmed. Estimator: exact counts; hours from exact thousandths × ms. Source:
//! a definition of this project.

use std::collections::BTreeMap;

use fairshare::ResourceKind;
use serde::Serialize;

use super::ratio;
use super::utilization::Usage;
use crate::record::Record;

/// Evictions of a run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evictions {
    /// Evictions by rule.
    pub by_rule: BTreeMap<&'static str, u64>,
    /// GPU-hours that have to be run again, or went by until jobs were where they had been.
    pub lost_gpu_hours: f64,
    /// Evictions over starts.
    pub ratio: f64,
}

/// Evictions over starts.
///
/// # Examples
///
/// Three jobs started; one of them was stopped once and started again: one of four starts.
///
/// ```
/// assert_eq!(fairshare_sim::metrics::eviction::share_of_starts(1, 3), Some(0.25));
/// ```
#[must_use]
pub fn share_of_starts(evictions: u64, last_starts: u64) -> Option<f64> {
    // Every eviction ended an attempt that had started.
    ratio(u128::from(evictions), u128::from(evictions) + u128::from(last_starts))
}

/// All evictions; nothing where there are none.
#[must_use]
pub fn evictions(record: &Record, usage: &Usage) -> Option<Evictions> {
    if record.lost.is_empty() {
        return None;
    }
    let mut sums = Sums::default();
    sums.add(record);
    sums.evictions(usage)
}

/// The same of jobs that come in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    by_rule: BTreeMap<&'static str, u64>,
    evictions: u64,
    last_starts: u64,
}

impl Sums {
    /// Adds the attempts of a part.
    pub(crate) fn add(&mut self, record: &Record) {
        for lost in &record.lost {
            *self.by_rule.entry(lost.cause.reason.as_str()).or_insert(0) += 1;
        }
        self.evictions += record.lost.len() as u64;
        self.last_starts += record.outcomes.iter().filter(|outcome| outcome.holds()).count() as u64;
    }

    /// All evictions, of which `usage` says what was lost; nothing where there are none.
    #[expect(clippy::cast_precision_loss, reason = "hours for people, from exact sums")]
    pub(crate) fn evictions(&self, usage: &Usage) -> Option<Evictions> {
        let by_rule = self.by_rule.clone();
        let ratio = share_of_starts(self.evictions, self.last_starts).filter(|_| !by_rule.is_empty())?;
        let lost_gpu = usage.lost(ResourceKind::GPU);
        Some(Evictions { by_rule, lost_gpu_hours: lost_gpu as f64 / (1_000.0 * 3_600_000.0), ratio })
    }
}
