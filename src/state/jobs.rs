//! Jobs: who is alive, slot by slot; the slot of one that is gone is given to another.
//!
//! What is looked at whenever a job starts or stops is kept small and apart from what it was submitted as, since many wait and
//! those that are decided about are seldom near each other.
//! Absent on purpose: what follows from a start or a stop (see `state`). Layer 3; uses `job`, `line`, `route`.

use core::ops::{Index, IndexMut};

use crate::chunks::Chunks;
use crate::error::{Error, ErrorKind};
use crate::id::{JobId, ShapeId, TeamId, position};
use crate::job::JobSpec;
use crate::line::Place;
use crate::quota::Guaranteed;
use crate::route::RouteId;
use crate::time::{Millis, Timestamp};
use crate::tree::MemberId;

/// What a job is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// The slot is free.
    Gone,
    Waiting,
    Running {
        route: RouteId,
        since: Timestamp,
        /// The first of its spans in the arena.
        spans: u32,
    },
}

/// A job that is alive, or a free slot: one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Job {
    pub(crate) shape: ShapeId,
    pub(crate) leaf: MemberId,
    /// Starts so far.
    pub(crate) attempt: u32,
    /// Where it counts as guaranteed, while it runs.
    pub(crate) guaranteed: Guaranteed,
    pub(crate) status: Status,
    serial: u32,
}

const _: () = assert!(size_of::<Job>() == 64, "a job takes one line of the cache");

/// What a job was submitted as, but for its shape: one line of the cache, since it is written for every job and read for few.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Submitted {
    place: Place,
    /// Time limit, estimate, interval of checkpoints and restart; zero where it was not told.
    lengths: [Millis; 4],
    /// Which of them were told, one bit each.
    told: u8,
    preemptible: bool,
    team: TeamId,
}

const _: () =
    assert!(size_of::<Submitted>() == 64, "what a job was submitted as takes one line of the cache");

impl Submitted {
    fn new(spec: &JobSpec, rank: u64, number: u64) -> Self {
        let JobSpec { team, shape: _, submit, time_limit, estimate, preemptible, checkpoint, restart } =
            *spec;
        let lengths = [time_limit, estimate, checkpoint, restart];
        let bit = |(at, length): (usize, &Option<Millis>)| u8::from(length.is_some()) << at;
        Self {
            place: Place { rank, submit, number },
            lengths: lengths.map(Option::unwrap_or_default),
            told: lengths.iter().enumerate().map(bit).sum(),
            preemptible,
            team,
        }
    }

    #[expect(clippy::inline_always, reason = "as below")]
    #[inline(always)]
    fn spec(&self, shape: ShapeId) -> JobSpec {
        let length = |at: usize| (self.told >> at & 1 == 1).then_some(self.lengths[at]);
        let mut spec = JobSpec::new(self.team, shape, self.place.submit);
        (spec.time_limit, spec.estimate, spec.checkpoint, spec.restart) =
            (length(0), length(1), length(2), length(3));
        spec.preemptible = self.preemptible;
        spec
    }
}

/// All jobs that are alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    slots: Chunks<Job>,
    submitted: Chunks<Submitted>,
    free: Vec<u32>,
    /// How many there have been.
    pub(crate) count: u64,
}

impl Jobs {
    /// The job of that id, alive.
    pub(crate) fn get(&self, id: JobId) -> Option<&Job> {
        let job = self.slots.get(id.slot());
        job.filter(|job| job.serial == id.serial() && job.status != Status::Gone)
    }

    /// What a job that is known to be alive was submitted as.
    #[expect(
        clippy::inline_always,
        reason = "hardly anybody asks for more than one part of it: the rest is not put together"
    )]
    #[inline(always)]
    pub(crate) fn spec(&self, id: JobId) -> JobSpec {
        self.submitted[id.slot()].spec(self.slots[id.slot()].shape)
    }

    /// The place in its team's own order of a job that is known to be alive.
    #[inline]
    pub(crate) fn place(&self, id: JobId) -> Place {
        self.submitted[id.slot()].place
    }

    /// All jobs that are alive, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> {
        let alive = self.slots.iter().enumerate().filter(|(_, job)| job.status != Status::Gone);
        alive.map(|(slot, job)| (JobId::new(position(slot), job.serial), job))
    }

    /// A new waiting job.
    pub(super) fn add(&mut self, spec: JobSpec, leaf: MemberId, rank: u64) -> Result<JobId, Error> {
        let id = match self.free.pop() {
            Some(slot) => JobId::new(slot, self.slots[slot as usize].serial.wrapping_add(1)),
            None => self.new_slot()?,
        };
        let number = self.count;
        self.count += 1;
        self.put(id, leaf, (spec, rank, number));
        Ok(id)
    }

    fn new_slot(&mut self) -> Result<JobId, Error> {
        let slot = u32::try_from(self.slots.len()).ok().filter(|slot| *slot < u32::MAX);
        let slot = slot.ok_or(ErrorKind::TooMany("jobs alive"))?;
        self.resize(self.slots.len() + 1);
        Ok(JobId::new(slot, 0))
    }

    /// As many slots, new ones without a job.
    pub(super) fn resize(&mut self, slots: usize) {
        let spec = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::MIN);
        let (shape, leaf, guaranteed) = (spec.shape, MemberId::ROOT, Guaranteed::default());
        let job = Job { shape, leaf, attempt: 0, guaranteed, status: Status::Gone, serial: 0 };
        for _ in self.slots.len()..slots {
            self.slots.push(job.clone());
            self.submitted.push(Submitted::new(&spec, 0, 0));
        }
    }

    /// A job waits in its slot: what it was submitted as, its rank, and the number of its submission.
    pub(super) fn put(&mut self, id: JobId, leaf: MemberId, (spec, rank, number): (JobSpec, u64, u64)) {
        let (shape, status, guaranteed) = (spec.shape, Status::Waiting, Guaranteed::default());
        self.slots[id.slot()] = Job { shape, leaf, attempt: 0, guaranteed, status, serial: id.serial() };
        self.submitted[id.slot()] = Submitted::new(&spec, rank, number);
    }

    /// The slot of a job that is gone is free for another.
    pub(super) fn free(&mut self, id: JobId) {
        self.slots[id.slot()].status = Status::Gone;
        self.slots[id.slot()].serial = id.serial();
        self.free.push(position(id.slot()));
    }

    /// Free slots, that which is given away next last; each as the job that was there.
    pub(super) fn all_free(&self) -> impl Iterator<Item = JobId> {
        self.free.iter().map(|slot| JobId::new(*slot, self.slots[*slot as usize].serial))
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// A job that is known to be alive.
impl Index<JobId> for Jobs {
    type Output = Job;

    #[inline]
    fn index(&self, id: JobId) -> &Job {
        &self.slots[id.slot()]
    }
}

impl IndexMut<JobId> for Jobs {
    #[inline]
    fn index_mut(&mut self, id: JobId) -> &mut Job {
        &mut self.slots[id.slot()]
    }
}
