//! Known: what the jobs of a trace say, or do not.
//!
//! Absent on purpose: what follows from it (see `setup`).

use crate::trace::{Extra, Lengths, Trace, TraceJob, TraceShape};

/// What the jobs of a trace say, or do not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// Jobs with neither a time limit nor an estimate.
    pub(crate) bare: usize,
    /// Jobs that must wait for others.
    pub(crate) after: usize,
    /// Jobs that read data sets.
    pub(crate) datasets: usize,
    /// Jobs that say that nobody may stop them.
    pub(crate) spared: usize,
    /// Jobs that say how busy their GPUs were.
    pub(super) utilized: usize,
}

impl Known {
    /// What the jobs of `trace` say.
    pub(crate) fn of(trace: &Trace) -> Self {
        Self::of_rows(trace, 0)
    }

    /// What its jobs from row `first` on say.
    pub(crate) fn of_rows(trace: &Trace, first: usize) -> Self {
        let jobs = &trace.jobs[first..];
        let bare = |lengths: &Lengths| *lengths == Lengths::default();
        let bare = if trace.lengths.iter().all(bare) {
            jobs.len()
        } else if trace.lengths.iter().any(bare) {
            jobs.iter().filter(|job| bare(&trace.lengths(job))).count()
        } else {
            0
        };
        // Hardly any shape is asked about: then nobody looks at the jobs.
        let of_shapes = |is: fn(&TraceShape) -> bool| {
            let is_one = |job: &&TraceJob| is(&trace.shapes[job.shape as usize]);
            if trace.shapes.iter().any(is) { jobs.iter().filter(is_one).count() } else { 0 }
        };
        let count = |has: fn(&Extra) -> bool| {
            trace.extras.iter().filter(|(row, extra)| *row >= first && has(extra)).count()
        };
        Self {
            bare,
            after: count(|extra| !extra.after.is_empty()),
            datasets: of_shapes(|shape| !shape.datasets.is_empty()),
            spared: of_shapes(|shape| shape.preemptible == Some(false)),
            utilized: count(|extra| extra.gpu_utilization_milli.is_some()),
        }
    }

    /// The jobs of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            bare: self.bare + other.bare,
            after: self.after + other.after,
            datasets: self.datasets + other.datasets,
            spared: self.spared + other.spared,
            utilized: self.utilized + other.utilized,
        }
    }
}
