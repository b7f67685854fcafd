//! Policies of the caller's own: a whole cycle of decisions over a transaction.
//!
//! The scheduler keeps for them who waits, in order of submission, and nothing else.
//! Absent on purpose: what a cycle sees and may do (see `txn`). Layer 5; uses `txn`, `lack`, `state`.

use core::fmt;
use std::collections::BTreeSet;

use super::lack::lacks_everywhere;
use super::txn::Txn;
use super::{Demand, Incremental};
use crate::error::Error;
use crate::explain::Blocked;
use crate::id::{JobId, PoolId};
use crate::job::JobSpec;
use crate::line::Place;
use crate::snapshot::Memory;
use crate::state::{State, Status, Stopped};
use crate::time::Timestamp;

/// A whole way of deciding, for those whom an [`Order`](crate::Order) is not enough: it may start any waiting job anywhere
/// and stop any job that may be stopped. [`Scheduler::with_policy`](crate::Scheduler::with_policy) takes it;
/// [`conformance::check_scheduler`](crate::conformance::check_scheduler) says whether it keeps what every policy must.
///
/// Quantities, limits and gangs are not its business: the [`Txn`] refuses what is not there.
///
/// # Determinism
///
/// What a cycle decides must follow from the calls made to the scheduler so far, and a second cycle at the same instant
/// must decide nothing.
///
/// # Examples
///
/// The smallest job first, whoever's it is, wherever it fits:
///
/// ```
/// use fairshare::{
///     Alternative, Config, Error, JobSpec, Policy, PoolSpec, ResourceKind, Resources, Scheduler, ShapeSpec, TeamId,
///     TeamSpec, Timestamp, Txn,
/// };
///
/// #[derive(Clone, Debug)]
/// struct SmallestFirst;
///
/// impl Policy for SmallestFirst {
///     fn copy(&self) -> Box<dyn Policy> {
///         Box::new(self.clone())
///     }
///     fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
///         let mut jobs = Vec::new();
///         for job in txn.waiting() {
///             jobs.push((txn.routes(job)?[0].total[ResourceKind::GPU], job));
///         }
///         jobs.sort_by_key(|(gpus, _)| *gpus);
///         for (_, job) in jobs {
///             txn.start_anywhere(job)?;
///         }
///         Ok(())
///     }
/// }
///
/// let config = Config::new(vec![PoolSpec::new("l4", 1, Resources::new().gpu(4))], vec![TeamSpec::new("a")]);
/// let mut scheduler = Scheduler::with_policy(config, Box::new(SmallestFirst))?;
/// for gpus in [4, 3, 1] {
///     let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus))))?;
///     let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO))?;
/// }
/// assert_eq!(scheduler.schedule(Timestamp::ZERO)?.len(), 2, "the jobs of one and of three GPUs");
/// # Ok::<(), Error>(())
/// ```
pub trait Policy: fmt::Debug + Send {
    /// The same policy in the same state, for a question that must change nothing.
    fn copy(&self) -> Box<dyn Policy>;

    /// Makes every decision that can be made now.
    ///
    /// # Errors
    ///
    /// What a call of the transaction was refused for. It ends the cycle and is the answer of
    /// [`Scheduler::schedule`](crate::Scheduler::schedule); what was decided before stands, and comes with the next answer.
    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error>;

    /// The next instant after `now` at which time alone may change a decision.
    fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        let _ = now;
        None
    }

    /// Whether what the policy keeps for itself is consistent; if not, what is wrong, in words.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A policy of the caller's own inside the scheduler.
#[derive(Debug)]
pub(crate) struct Own {
    policy: Box<dyn Policy>,
    waiting: BTreeSet<(Place, JobId)>,
}

impl Own {
    pub(crate) fn new(policy: Box<dyn Policy>) -> Self {
        Self { policy, waiting: BTreeSet::new() }
    }
}

impl Incremental for Own {
    fn copy(&self) -> Box<dyn Incremental> {
        Box::new(Self { policy: self.policy.copy(), waiting: self.waiting.clone() })
    }

    fn rank(&self, _: &JobSpec, _: &Demand<'_>) -> u64 {
        0
    }

    fn waits(&mut self, state: &State, job: JobId) {
        self.waiting.insert((state.place(job), job));
    }

    fn adopted(&mut self, _: &State, _: JobId) {}

    fn withdrawn(&mut self, state: &State, job: JobId) {
        self.waiting.remove(&(state.place(job), job));
    }

    fn stopped(&mut self, _: &State, _: &Stopped) {}

    fn resized(&mut self, _: &State, _: PoolId) {}

    fn cycle(&mut self, state: &mut State) -> Result<(), Error> {
        state.budgets.tick(state.now);
        self.policy.cycle(&mut Txn::new(state, &mut self.waiting))
    }

    fn blocked(&self, state: &State, job: JobId) -> Result<Vec<Blocked>, Error> {
        let waiting = state.job(job)?;
        let mut reasons = lacks_everywhere(state, waiting.leaf, waiting.shape);
        if reasons.is_empty() {
            reasons.push(Blocked::Policy);
        }
        Ok(reasons)
    }

    fn check(&self, state: &State) -> Result<(), String> {
        let waiting = state.jobs().filter(|(_, job)| job.status() == Status::Waiting);
        let waiting: BTreeSet<_> = waiting.map(|(id, _)| (state.place(id), id)).collect();
        if waiting != self.waiting {
            return Err("other jobs wait than are known to".to_owned());
        }
        self.policy.check()
    }

    fn next_wakeup(&self, state: &State) -> Option<Timestamp> {
        let renewed = state.budgets.next_renewal().filter(|_| !self.waiting.is_empty());
        let own = self.policy.next_wakeup(state.now);
        own.into_iter().chain(renewed).filter(|at| *at > state.now).min()
    }

    fn memory(&self, _: &State) -> Memory {
        // Whoever begins to search after it has not done so.
        Memory { changed: true, ..Memory::default() }
    }

    fn remember(&mut self, _: &State, _: &Memory) {}

    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn comparisons(&self) -> u64 {
        0
    }
}
