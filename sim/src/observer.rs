//! Observer: what may watch a run while it happens.
//!
//! Observers are known at compile time, so that one that does nothing costs nothing. Most measures need none: they
//! are computed from the `record` afterwards. Absent on purpose: anything that could change a decision.

use fairshare::{Entry, EntryKind, EvictReason, JobId, PoolId, Scheduler, Timestamp};

use crate::error::SimError;

/// What happened to a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It can never start.
    Rejected,
    /// All its workers started.
    Started,
    /// It was stopped, and waits again.
    Evicted,
    /// It ran to its end.
    Ended,
    /// It was stopped for idling, and is over.
    Reaped,
}

impl What {
    /// The word in `decisions.csv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "reject",
            Self::Started => "start",
            Self::Evicted => "evict",
            Self::Ended => "end",
            Self::Reaped => "reap",
        }
    }
}

/// A change of one job's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// When, ms.
    pub at: i64,
    /// What happened.
    pub what: What,
    /// The job's row.
    pub row: u32,
    /// The attempt, from one; zero for a rejection.
    pub attempt: u32,
    /// Index of the pool; zero for a rejection.
    pub pool: u32,
    /// Index of the alternative, in the trace's shape; zero for a rejection.
    pub alternative: u16,
    /// Why it was stopped, of an eviction.
    pub cause: Option<Cause>,
}

impl Transition {
    /// What the digest of decisions counts of it, the job's row having the number; nothing where the job is over, which
    /// follows from its start.
    pub(crate) fn entry(&self, number: u32) -> Option<Entry> {
        let kind = match self.what {
            What::Rejected => EntryKind::Refused,
            What::Started => EntryKind::Start,
            What::Evicted => EntryKind::Evict,
            What::Ended | What::Reaped => return None,
        };
        let Self { attempt, alternative, .. } = *self;
        let (at, pool) = (Timestamp::from_millis(self.at), PoolId::new(self.pool));
        Some(Entry { at, kind, number, attempt, pool, alternative })
    }
}

/// Why a job was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    /// By which rule.
    pub reason: EvictReason,
    /// The row of the job that needed the room; none where capacity was lost.
    pub by: Option<u32>,
    /// Run time since the last checkpoint, ms.
    pub lost_ms: u64,
}

/// Watches a run.
pub trait Observer {
    /// A job came and waits; the scheduler knows it by `job`.
    #[inline]
    fn queued(&mut self, _row: u32, _job: JobId) {}

    /// A job can never start, for this reason; its transition follows.
    #[inline]
    fn rejected(&mut self, _row: u32, _reason: &str) {}

    /// A job changed its state.
    ///
    /// # Errors
    ///
    /// Any error ends the run.
    #[inline]
    fn transition(&mut self, _transition: Transition) -> Result<(), SimError> {
        Ok(())
    }

    /// An event was applied, or a cycle is over.
    ///
    /// # Errors
    ///
    /// Any error ends the run.
    #[inline]
    fn event(&mut self, _at: i64, _scheduler: &Scheduler) -> Result<(), SimError> {
        Ok(())
    }

    /// A cycle of decisions is over.
    #[inline]
    fn decided(&mut self, _at: i64, _scheduler: &Scheduler) {}

    /// The row of the job of which it wants to hear why it waits, under rules that have no scheduler to ask.
    #[inline]
    fn watched(&self) -> Option<u32> {
        None
    }

    /// At the end of an instant that job waits, why, and behind which row where that is why.
    #[inline]
    fn waits(&mut self, _at: i64, _row: u32, _why: &str, _ahead: Option<u32>) {}

    /// All of an instant is done; so many jobs have been submitted so far.
    #[inline]
    fn instant(&mut self, _at: i64, _submitted: usize) {}
}

impl Observer for () {}

/// Lets a borrowed observer stand where an owned one does.
impl<O: Observer> Observer for &mut O {
    #[inline]
    fn queued(&mut self, row: u32, job: JobId) {
        (**self).queued(row, job);
    }

    #[inline]
    fn rejected(&mut self, row: u32, reason: &str) {
        (**self).rejected(row, reason);
    }

    #[inline]
    fn decided(&mut self, at: i64, scheduler: &Scheduler) {
        (**self).decided(at, scheduler);
    }

    #[inline]
    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        (**self).transition(transition)
    }

    #[inline]
    fn event(&mut self, at: i64, scheduler: &Scheduler) -> Result<(), SimError> {
        (**self).event(at, scheduler)
    }

    #[inline]
    fn watched(&self) -> Option<u32> {
        (**self).watched()
    }

    #[inline]
    fn waits(&mut self, at: i64, row: u32, why: &str, ahead: Option<u32>) {
        (**self).waits(at, row, why, ahead);
    }

    #[inline]
    fn instant(&mut self, at: i64, submitted: usize) {
        (**self).instant(at, submitted);
    }
}

impl<O: Observer> Observer for Option<O> {
    #[inline]
    fn queued(&mut self, row: u32, job: JobId) {
        if let Some(observer) = self {
            observer.queued(row, job);
        }
    }

    #[inline]
    fn rejected(&mut self, row: u32, reason: &str) {
        if let Some(observer) = self {
            observer.rejected(row, reason);
        }
    }

    #[inline]
    fn decided(&mut self, at: i64, scheduler: &Scheduler) {
        if let Some(observer) = self {
            observer.decided(at, scheduler);
        }
    }

    #[inline]
    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        self.as_mut().map_or(Ok(()), |observer| observer.transition(transition))
    }

    #[inline]
    fn event(&mut self, at: i64, scheduler: &Scheduler) -> Result<(), SimError> {
        self.as_mut().map_or(Ok(()), |observer| observer.event(at, scheduler))
    }

    #[inline]
    fn watched(&self) -> Option<u32> {
        self.as_ref().and_then(Observer::watched)
    }

    #[inline]
    fn waits(&mut self, at: i64, row: u32, why: &str, ahead: Option<u32>) {
        if let Some(observer) = self {
            observer.waits(at, row, why, ahead);
        }
    }

    #[inline]
    fn instant(&mut self, at: i64, submitted: usize) {
        if let Some(observer) = self {
            observer.instant(at, submitted);
        }
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn queued(&mut self, row: u32, job: JobId) {
        self.0.queued(row, job);
        self.1.queued(row, job);
    }

    #[inline]
    fn rejected(&mut self, row: u32, reason: &str) {
        self.0.rejected(row, reason);
        self.1.rejected(row, reason);
    }

    #[inline]
    fn decided(&mut self, at: i64, scheduler: &Scheduler) {
        self.0.decided(at, scheduler);
        self.1.decided(at, scheduler);
    }

    #[inline]
    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        self.0.transition(transition)?;
        self.1.transition(transition)
    }

    #[inline]
    fn event(&mut self, at: i64, scheduler: &Scheduler) -> Result<(), SimError> {
        self.0.event(at, scheduler)?;
        self.1.event(at, scheduler)
    }

    #[inline]
    fn watched(&self) -> Option<u32> {
        self.0.watched().or_else(|| self.1.watched())
    }

    #[inline]
    fn waits(&mut self, at: i64, row: u32, why: &str, ahead: Option<u32>) {
        self.0.waits(at, row, why, ahead);
        self.1.waits(at, row, why, ahead);
    }

    #[inline]
    fn instant(&mut self, at: i64, submitted: usize) {
        self.0.instant(at, submitted);
        self.1.instant(at, submitted);
    }
}
