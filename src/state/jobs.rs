//! Jobs: who is alive, slot by slot; the slot of one that is gone is given to another.
//!
//! What a job was submitted as and what it does lie in one line of the cache, since many wait and those that are decided about are
//! seldom near each other; its lengths, of which most say nothing, lie apart.
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

/// A job that is alive, or a free slot: one line of the cache, with all that most are submitted as.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Job {
    place: Place,
    /// Meaningless unless it runs.
    run: Run,
    pub(crate) shape: ShapeId,
    pub(crate) leaf: MemberId,
    /// Starts so far.
    pub(crate) attempt: u32,
    serial: u32,
    /// Where it counts as guaranteed, while it runs.
    pub(crate) guaranteed: Guaranteed,
    does: Does,
    /// Which of its lengths it says, one bit each.
    says: u8,
    preemptible: bool,
}

const _: () = assert!(size_of::<Job>() == 64, "a job takes one line of the cache");

/// Which [`Status`] it is, without what belongs to it: that takes no room of its own then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    Nothing,
    Wait,
    Run,
}

/// By which route a job runs, and since when; the first of its spans.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Timestamp,
    route: RouteId,
    spans: u32,
}

/// Time limit, estimate, interval of checkpoints and restart of a job; zero where it was not told.
type Lengths = [Millis; 4];

impl Job {
    /// Nobody's slot.
    fn gone() -> Self {
        let spec = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::MIN);
        Self { does: Does::Nothing, ..Self::waiting(0, MemberId::ROOT, (&spec, 0, 0)) }
    }

    /// A job of a leaf that has not started: what it was submitted as, its rank, and the number of its submission.
    fn waiting(serial: u32, leaf: MemberId, (spec, rank, number): (&JobSpec, u64, u64)) -> Self {
        let bit = |(at, length): (usize, &Option<Millis>)| u8::from(length.is_some()) << at;
        Self {
            place: Place { rank, submit: spec.submit, number },
            run: Run { since: Timestamp::MIN, route: RouteId::at(0), spans: 0 },
            shape: spec.shape,
            leaf,
            attempt: 0,
            serial,
            guaranteed: Guaranteed::default(),
            does: Does::Wait,
            says: lengths_of(spec).iter().enumerate().map(bit).sum(),
            preemptible: spec.preemptible,
        }
    }

    /// What it is doing.
    #[inline]
    pub(crate) fn status(&self) -> Status {
        let Run { since, route, spans } = self.run;
        match self.does {
            Does::Nothing => Status::Gone,
            Does::Wait => Status::Waiting,
            Does::Run => Status::Running { route, since, spans },
        }
    }

    /// From now on it does something else.
    #[inline]
    pub(super) fn set_status(&mut self, status: Status) {
        self.does = match status {
            Status::Gone => Does::Nothing,
            Status::Waiting => Does::Wait,
            Status::Running { route, since, spans } => {
                self.run = Run { since, route, spans };
                Does::Run
            }
        };
    }
}

/// What a job says of its lengths.
fn lengths_of(spec: &JobSpec) -> [Option<Millis>; 4] {
    [spec.time_limit, spec.estimate, spec.checkpoint, spec.restart]
}

/// All jobs that are alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    slots: Chunks<Job>,
    /// By slot: apart, since most say nothing of it.
    lengths: Chunks<Lengths>,
    free: Vec<u32>,
    /// How many there have been.
    pub(crate) count: u64,
}

impl Jobs {
    /// The job of that id, alive.
    pub(crate) fn get(&self, id: JobId) -> Option<&Job> {
        let job = self.slots.get(id.slot());
        job.filter(|job| job.serial == id.serial() && job.does != Does::Nothing)
    }

    /// What a job that is known to be alive was submitted as by a team.
    #[expect(
        clippy::inline_always,
        reason = "hardly anybody asks for more than one part of it: the rest is not put together"
    )]
    #[inline(always)]
    pub(crate) fn spec(&self, id: JobId, team: TeamId) -> JobSpec {
        let Job { place, shape, says, preemptible, .. } = self.slots[id.slot()];
        let length = |at: usize| (says >> at & 1 == 1).then(|| self.lengths[id.slot()][at]);
        let mut spec = JobSpec::new(team, shape, place.submit);
        (spec.time_limit, spec.estimate, spec.checkpoint, spec.restart) =
            (length(0), length(1), length(2), length(3));
        spec.preemptible = preemptible;
        spec
    }

    /// Whether a job that is known to be alive may be stopped.
    #[inline]
    pub(crate) fn preemptible(&self, id: JobId) -> bool {
        self.slots[id.slot()].preemptible
    }

    /// The place in its team's own order of a job that is known to be alive.
    #[inline]
    pub(crate) fn place(&self, id: JobId) -> Place {
        self.slots[id.slot()].place
    }

    /// The job of a slot that is known to be in use.
    #[inline]
    pub(crate) fn in_slot(&self, slot: u32) -> JobId {
        JobId::new(slot, self.slots[slot as usize].serial)
    }

    /// All jobs that are alive, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> {
        let alive = self.slots.iter().enumerate().filter(|(_, job)| job.does != Does::Nothing);
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
        for _ in self.slots.len()..slots {
            self.slots.push(Job::gone());
            self.lengths.push(Lengths::default());
        }
    }

    /// A job waits in its slot: what it was submitted as, its rank, and the number of its submission.
    pub(super) fn put(&mut self, id: JobId, leaf: MemberId, (spec, rank, number): (JobSpec, u64, u64)) {
        let job = Job::waiting(id.serial(), leaf, (&spec, rank, number));
        if job.says > 0 {
            self.lengths[id.slot()] = lengths_of(&spec).map(Option::unwrap_or_default);
        }
        self.slots[id.slot()] = job;
    }

    /// The slot of a job that is gone is free for another.
    pub(super) fn free(&mut self, id: JobId) {
        self.slots[id.slot()].set_status(Status::Gone);
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
