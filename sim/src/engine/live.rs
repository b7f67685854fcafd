//! Live: what a replay keeps of a job that waits or runs, and of a shape of which one came.
//!
//! Behind a backlog whoever starts came long ago: what a start needs of a job lies here side by side, so that nothing else is
//! read of its row. Absent on purpose: what becomes of the job (see `engine`).

use fairshare::{FULL_SPEED, JobId, ShapeId};

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

/// A job that is alive, by slot; two lie in one line of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub(super) struct Live {
    /// Whose slot it is: an event of an earlier user of the slot is stale.
    pub(super) job: Option<JobId>,
    pub(super) row: u32,
    pub(super) attempt: u32,
    /// It has waited since, or runs since, ms.
    pub(super) since: i64,
    /// How long it runs, whichever alternative it starts by, ms; [`LOOKED_UP`] where that is not all there is to know.
    run_ms: u64,
}

const _: () = assert!(size_of::<Live>() == 32, "a job takes half of a line of the cache");

/// How long a job runs, and by which alternative, is looked up in the trace.
const LOOKED_UP: u64 = u64::MAX;

impl Live {
    /// A job of a row that waits from now on.
    pub(super) fn new(id: JobId, row: u32, job: &TraceJob, shape: &Shape) -> Self {
        let run_ms = if matches!(shape, Shape::Known(_, None)) { job.run_ms } else { LOOKED_UP };
        Self { job: Some(id), row, attempt: 0, since: job.submit_ms, run_ms }
    }

    /// The trace's index of the scheduler's alternative; how long the job runs at full speed, ms, and its speed there,
    /// thousandths.
    #[inline]
    pub(super) fn runs_by(&self, trace: &Trace, shapes: &[Shape], alternative: usize) -> (u16, u64, u32) {
        if self.run_ms == LOOKED_UP {
            return self.looked_up(trace, shapes, alternative);
        }
        (u16::try_from(alternative).unwrap_or(0), self.run_ms, FULL_SPEED)
    }

    #[inline(never)]
    fn looked_up(&self, trace: &Trace, shapes: &[Shape], alternative: usize) -> (u16, u64, u32) {
        let job = &trace.jobs[self.row as usize];
        let kept = match &shapes[job.shape as usize] {
            Shape::Known(_, Some(kept)) => kept.get(alternative).copied(),
            _ => u16::try_from(alternative).ok(),
        };
        let alternative = kept.unwrap_or(0);
        (alternative, job.run_ms, speed(trace, self.row, alternative))
    }
}
