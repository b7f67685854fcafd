//! Ask: what would become of one more job, without submitting it.
//!
//! A copy of the scheduler is asked, which decides as the scheduler itself would: the answer is exact, and costs as much as
//! copying everything. Absent on purpose: forecasts of later cycles. Layer 6; uses `scheduler`.

use super::Scheduler;
use crate::decision::{Decision, EvictReason, Rejection, Submission};
use crate::error::Error;
use crate::explain::Explanation;
use crate::id::{JobId, PoolId};
use crate::job::{Alternative, JobSpec, ShapeSpec};
use crate::quantity::Quantity;
use crate::resources::ResourceKind;
use crate::room::{DEVICE, Room};
use crate::route::is_eligible;
use crate::time::Timestamp;

/// What would become of a job that is submitted now.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// What would become of it.
    pub verdict: Verdict,
    /// Who would be stopped for it: also where it waits because it would be stopped itself in the same cycle.
    pub victims: Vec<JobId>,
    /// The largest size at which the alternative by which the job would start would do so by itself, without stopping
    /// anybody; of a job that would not start, the first alternative that would at some size. `None` if none was found.
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
    /// So many workers, each as asked: for gangs, and for workers that ask no GPU or a part of one.
    Workers(u32),
    /// A single worker with so many whole GPUs, and everything else as asked: for a single worker that asks whole GPUs.
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
    /// A copy of everything and a cycle, once for the verdict and O(log of the largest size that the pools could hold) times
    /// for each alternative that is sized: for a person who asks, not for every job. The size that is told was tried, and
    /// the next one was too, and did not start, or not to stay. A larger one may all the same where it comes first for its
    /// size (`multifactor`), where it is given a reservation in place of another job, which a smaller one would not be, or
    /// where some sizes are stopped again in the same cycle; then some more are tried.
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
        let Tried { verdict, victims, .. } = self.clone().try_one(now, job, shape)?;
        let starts_by = match verdict {
            Verdict::Starts { alternative, .. } => usize::try_from(alternative).ok(),
            Verdict::Waits(_) | Verdict::Rejected(_) => None,
        };
        for (at, alternative) in shape.alternatives.iter().enumerate() {
            if starts_by.is_none_or(|by| by == at)
                && let Some(largest) = self.largest(now, job, shape, alternative)?
            {
                return Ok(Admission { verdict, victims, largest: Some(largest) });
            }
        }
        Ok(Admission { verdict, victims, largest: None })
    }

    /// Submits a job and decides.
    fn try_one(mut self, now: Timestamp, mut job: JobSpec, shape: &ShapeSpec) -> Result<Tried, Error> {
        job.shape = self.intern(shape)?;
        let id = match self.submit(now, job)? {
            Submission::Rejected(reason) => {
                let verdict = Verdict::Rejected(reason);
                return Ok(Tried { verdict, victims: Vec::new(), started: false });
            }
            Submission::Queued(id) => id,
        };
        let mut victims = Vec::new();
        let (mut verdict, mut started) = (None, false);
        for decision in self.schedule(now)? {
            match decision {
                // It has to give way in the same cycle.
                Decision::Evict { job, .. } if *job == id => verdict = None,
                Decision::Evict { job, by, reason, .. }
                    if *by == Some(id) || *reason == EvictReason::Policy =>
                {
                    victims.push(*job);
                }
                Decision::Start { job, pool, alternative, .. } if *job == id => {
                    started = true;
                    verdict = Some(Verdict::Starts { pool: *pool, alternative: *alternative });
                }
                _ => {}
            }
        }
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => Verdict::Waits(Box::new(self.explain(id)?)),
        };
        Ok(Tried { verdict, victims, started })
    }

    /// The largest size of an alternative that starts now and stops nobody.
    fn largest(
        &self,
        now: Timestamp,
        job: JobSpec,
        shape: &ShapeSpec,
        one: &Alternative,
    ) -> Result<Option<Size>, Error> {
        let gpus = one.request[ResourceKind::GPU].get();
        let by_gpus = one.workers == 1 && gpus > 0 && gpus.is_multiple_of(DEVICE);
        let sized: Sized = if by_gpus { whole_gpus } else { with_workers };
        let asked = if by_gpus { gpus / DEVICE } else { u64::from(one.workers) };
        let tried = |size: u64| -> Result<Option<Tried>, Error> {
            let Some((alternative, _)) = sized(one, size) else { return Ok(None) };
            let alone = ShapeSpec { alternatives: vec![alternative], ..shape.clone() };
            self.clone().try_one(now, job, &alone).map(Some)
        };
        let alone = |tried: &Tried| tried.victims.is_empty();
        let starts = |size: u64| Ok(tried(size)?.is_some_and(|tried| tried.started && alone(&tried)));
        let stays = |size: u64| -> Result<bool, Error> {
            let stays = |tried: &Tried| matches!(tried.verdict, Verdict::Starts { .. });
            Ok(tried(size)?.is_some_and(|tried| stays(&tried) && alone(&tried)))
        };
        let most = last(self.bound(one, by_gpus), starts)?;
        // Where the largest is stopped again, so may be some that are smaller, others not.
        let mut size = most;
        if most > 0 && !stays(most)? {
            size = last(most - 1, stays)?;
        }
        if asked > size && stays(asked)? {
            size = asked;
        }
        while size != most && stays(size.saturating_add(1))? {
            size += 1;
        }
        Ok(if size == 0 { None } else { sized(one, size).map(|(_, size)| size) })
    }

    /// No larger size could start whatever ran: whole GPUs on a node, or workers in a pool.
    fn bound(&self, one: &Alternative, by_gpus: bool) -> u64 {
        let state = &self.state;
        let pools = state.config.pools.iter().enumerate();
        let eligible = pools.filter(|(index, spec)| is_eligible(one, *index, spec));
        let most = eligible.map(|(index, _)| {
            let pool = state.ledger.pool(PoolId::at(index));
            let nodes = u64::from(pool.nodes_up());
            let node = pool.node_capacity();
            let whole = if pool.is_divisible() { node.checked_mul(nodes).unwrap_or_default() } else { *node };
            if by_gpus {
                whole[ResourceKind::GPU].get() / DEVICE
            } else if pool.is_divisible() {
                one.request.times_in(&whole)
            } else {
                Room::of_node(node).times(&one.request).saturating_mul(nodes)
            }
        });
        let most = most.max().unwrap_or(0);
        if by_gpus { most } else { most.min(u64::from(u32::MAX)) }
    }
}

/// What became of a job on a copy.
struct Tried {
    verdict: Verdict,
    victims: Vec<JobId>,
    /// It started, whether or not it was stopped again.
    started: bool,
}

/// The last size up to `most` that does something, if all smaller ones do it; zero if none does.
fn last(most: u64, does: impl Fn(u64) -> Result<bool, Error>) -> Result<u64, Error> {
    let (mut lower, mut upper) = (0, most.saturating_add(1));
    while upper - lower > 1 {
        let middle = lower + (upper - lower) / 2;
        if does(middle)? {
            lower = middle;
        } else {
            upper = middle;
        }
    }
    Ok(lower)
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
