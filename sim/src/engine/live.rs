//! Live: what a replay keeps of a job that waits or runs, and of a shape of which one came.
//!
//! Behind a backlog whoever starts came long ago: all that a start needs of a job is here and in its outcome, so that nothing
//! is read of its row in the trace.
//! Absent on purpose: what becomes of the job (see `engine`).

use fairshare::{FULL_SPEED, ShapeId};

use crate::record::Outcome;
use crate::saved::speed;
use crate::trace::{Trace, TraceJob, TraceShape};

/// A shape of the trace, as the scheduler knows it.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// No job of it came yet.
    Unseen,
    /// Its jobs are rejected, and why.
    Refused(String),
    /// Interned, with the trace's index of each alternative; `None` where the scheduler knows all of them, each of full speed.
    Known(ShapeId, Option<Vec<u16>>),
}

impl Shape {
    /// One that the scheduler knows with these of its alternatives.
    pub(super) fn known(id: ShapeId, kept: Vec<u16>, shape: &TraceShape) -> Self {
        let has_all = kept.len() == shape.alternatives.len();
        let is_plain = has_all && shape.alternatives.iter().all(|one| one.speed_milli == FULL_SPEED);
        Self::Known(id, (!is_plain).then_some(kept))
    }
}

/// The last job that had a slot; eight lie in one line of the cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) row: u32,
    /// Its last attempt; zero before the first, and between two.
    pub(super) attempt: u32,
}

const _: () = assert!(size_of::<Live>() == 8, "eight jobs lie in one line of the cache");

impl Live {
    /// A slot of nobody, or of somebody whose row is forgotten.
    pub(super) const NOBODY: Self = Self { row: NO_ROW, attempt: 0 };

    /// Whether the last attempt is this one of the job of a row.
    pub(super) fn is_at(self, row: u32, attempt: u32) -> bool {
        self.row == row && self.attempt == attempt
    }
}

/// The number of no row.
pub(super) const NO_ROW: u32 = u32::MAX;

/// How long a job runs wherever it starts, ms, where the scheduler knows all alternatives of its shape, each of full speed.
#[inline]
pub(super) fn plain_run_ms(job: &TraceJob, shape: &Shape) -> Option<u64> {
    matches!(shape, Shape::Known(_, None)).then_some(job.run_ms)
}

/// The trace's index of the scheduler's alternative; how long the job of a row runs at full speed, ms, and its speed there,
/// thousandths.
#[inline]
pub(super) fn runs_by(
    (trace, row): (&Trace, u32),
    outcome: &Outcome,
    shapes: &[Shape],
    alternative: usize,
) -> (u16, u64, u32) {
    match outcome.will_run_ms() {
        Some(run_ms) => (u16::try_from(alternative).unwrap_or(0), run_ms, FULL_SPEED),
        None => looked_up((trace, row), shapes, alternative),
    }
}

#[inline(never)]
fn looked_up((trace, row): (&Trace, u32), shapes: &[Shape], alternative: usize) -> (u16, u64, u32) {
    let job = &trace.jobs[row as usize];
    let kept = match &shapes[job.shape as usize] {
        Shape::Known(_, Some(kept)) => kept.get(alternative).copied(),
        _ => u16::try_from(alternative).ok(),
    };
    let alternative = kept.unwrap_or(0);
    (alternative, job.run_ms, speed(trace, row, alternative))
}
