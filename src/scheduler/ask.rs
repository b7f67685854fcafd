//! Ask: what would become of one more job, without submitting it.
//!
//! A copy of the scheduler is asked, which decides as the scheduler itself would: the answer is exact, and costs as much as
//! copying everything. Absent on purpose: forecasts of later cycles. Layer 6; uses `scheduler`.

use super::Scheduler;
use crate::decision::{Decision, EvictReason, Rejection, Submission};
use crate::error::Error;
use crate::explain::Explanation;
use crate::id::{JobId, PoolId};
use crate::job::{Alternative, Eligible, JobSpec, ShapeSpec};
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::room::Room;
use crate::time::Timestamp;

/// What would become of a job that is submitted now.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// What would become of it.
    pub verdict: Verdict,
    /// Who would be stopped for it.
    pub victims: Vec<JobId>,
    /// The largest size at which the first alternative alone would start now without stopping anybody; `None` if none
    /// would.
    pub largest: Option<Size>,
}

/// What would become of a job in the next cycle.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It would start at once.
    Starts {
        /// Where.
        pool: PoolId,
        /// By which of the shape's alternatives.
        alternative: u32,
    },
    /// It would wait, for these reasons. Its id is that of nobody.
    Waits(Box<Explanation>),
    /// It could never start.
    Rejected(Rejection),
}

/// How large a job may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Size {
    /// So many workers, each as asked: for gangs, and for jobs without GPUs.
    Workers(u32),
    /// A single worker with so many whole GPUs, and everything else as asked.
    Gpus(u64),
}

impl Scheduler {
    /// What would become of a job in a cycle now, without changing anything: whether it would start, wait or be rejected,
    /// why, for whom others would be stopped, and how large it may be to start at once. `job.shape` is not looked at.
    ///
    /// Jobs that wait already, and come before it, are decided about first, as they would be.
    ///
    /// # Errors
    ///
    /// As [`intern`](Self::intern) and [`submit`](Self::submit).
    ///
    /// # Complexity
    ///
    /// A copy of everything and a cycle, once for the verdict and once for each size that is tried, from the largest for
    /// which there is room downwards: for a person who asks, not for every job.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Resources, Scheduler, ShapeId, ShapeSpec, Size, TeamId, TeamSpec,
    ///     Timestamp, Verdict,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    /// let scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(3)));
    /// let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::ZERO);
    /// let answer = scheduler.can_admit(Timestamp::ZERO, job, &shape).unwrap();
    /// assert!(matches!(answer.verdict, Verdict::Starts { .. }));
    /// assert_eq!(answer.largest, Some(Size::Gpus(4)));
    /// ```
    pub fn can_admit(&self, now: Timestamp, job: JobSpec, shape: &ShapeSpec) -> Result<Admission, Error> {
        let (verdict, victims) = self.clone().try_one(now, job, shape)?;
        let largest = self.largest(now, job, shape)?;
        Ok(Admission { verdict, victims, largest })
    }

    /// Submits a job and decides.
    fn try_one(
        mut self,
        now: Timestamp,
        mut job: JobSpec,
        shape: &ShapeSpec,
    ) -> Result<(Verdict, Vec<JobId>), Error> {
        job.shape = self.intern(shape)?;
        let id = match self.submit(now, job)? {
            Submission::Rejected(reason) => return Ok((Verdict::Rejected(reason), Vec::new())),
            Submission::Queued(id) => id,
        };
        let mut victims = Vec::new();
        let mut verdict = None;
        for decision in self.schedule(now)? {
            match decision {
                Decision::Evict { job, by, reason, .. }
                    if *by == Some(id) || *reason == EvictReason::Policy =>
                {
                    victims.push(*job);
                }
                Decision::Start { job, pool, alternative, .. } if *job == id => {
                    verdict = Some(Verdict::Starts { pool: *pool, alternative: *alternative });
                }
                _ => {}
            }
        }
        match verdict {
            Some(verdict) => Ok((verdict, victims)),
            None => Ok((Verdict::Waits(Box::new(self.explain(id)?)), victims)),
        }
    }

    /// The largest size of the first alternative that starts now and stops nobody.
    fn largest(&self, now: Timestamp, job: JobSpec, shape: &ShapeSpec) -> Result<Option<Size>, Error> {
        let Some(first) = shape.alternatives.first() else { return Ok(None) };
        let by_gpus = first.workers == 1 && first.request[ResourceKind::GPU] > Quantity::ZERO;
        let (sized, most) =
            if by_gpus { (whole_gpus as Sized, None) } else { (with_workers as Sized, Some(first)) };
        for size in (1..=self.bound(first, most)).rev() {
            let Some((alternative, size)) = sized(first, size) else { continue };
            let (verdict, victims) =
                self.clone().try_one(now, job, &ShapeSpec::new(alternative).with_class(shape.class))?;
            if matches!(verdict, Verdict::Starts { .. }) && victims.is_empty() {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// No larger size has room: whole GPUs on a node, or workers in a pool, or in one domain of it.
    fn bound(&self, first: &Alternative, workers: Option<&Alternative>) -> u64 {
        let state = &self.state;
        let eligible = |(index, spec): &(usize, &crate::PoolSpec)| match &first.pools {
            Eligible::Any => true,
            Eligible::Accelerator(name) => spec.accelerator.as_ref() == Some(name),
            Eligible::Pools(pools) => pools.contains(&PoolId::at(*index)),
        };
        let pools = state.config.pools.iter().enumerate().filter(eligible);
        let room = pools.map(|(index, spec)| {
            let pool = state.ledger.pool(PoolId::at(index));
            let slots = |free: &Room| match workers {
                Some(alternative) => free.times(&alternative.request),
                None => free.whole(),
            };
            if spec.divisible {
                slots(&Room::of_amount(pool.free()))
            } else if workers.is_some() {
                let confined = spec.domains.len() > 1 && !first.across_domains;
                let rooms = pool.nodes().map(|(node, free)| (node, slots(free)));
                pool.together(confined, u64::MAX, rooms)
            } else {
                pool.nodes().map(|(_, free)| slots(free)).max().unwrap_or(0)
            }
        });
        room.max().unwrap_or(0)
    }
}

/// An alternative at another size.
type Sized = fn(&Alternative, u64) -> Option<(Alternative, Size)>;

fn whole_gpus(first: &Alternative, gpus: u64) -> Option<(Alternative, Size)> {
    let mut alternative = first.clone();
    alternative.request = alternative.request.with(ResourceKind::GPU, Quantity::from_units(gpus)?);
    Some((alternative, Size::Gpus(gpus)))
}

fn with_workers(first: &Alternative, workers: u64) -> Option<(Alternative, Size)> {
    let workers = u32::try_from(workers).ok()?;
    Some((first.clone().with_workers(workers), Size::Workers(workers)))
}
