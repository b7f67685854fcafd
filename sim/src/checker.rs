//! Checker: asserts after every event, on with `--check`.
//!
//! Two independent accounts must agree: the scheduler's own, recomputed from scratch by itself, and one kept here
//! from the transitions alone. Absent on purpose: repair. A difference is a bug and ends the run.

use fairshare::{PoolId, Quantity, ResourceKind, Resources, Scheduler};

use crate::error::SimError;
use crate::observer::{Observer, Transition, What};
use crate::setup::Setup;
use crate::trace::Trace;

/// Watches a run and ends it at the first broken invariant.
#[derive(Debug)]
pub struct Checker<'a> {
    setup: &'a Setup,
    trace: &'a Trace,
    /// What running jobs hold, by pool, as the transitions add up.
    held: Vec<Resources>,
    /// The latest time seen, ms.
    last_at: i64,
}

impl<'a> Checker<'a> {
    /// A checker for one run.
    #[must_use]
    pub fn new(setup: &'a Setup, trace: &'a Trace) -> Self {
        let held = vec![Resources::new(); setup.config.pools.len()];
        Self { setup, trace, held, last_at: i64::MIN }
    }

    fn demand(&self, transition: &Transition) -> Option<Resources> {
        let shape = self.trace.jobs[transition.row as usize].shape as usize;
        let alternative = &self.trace.shapes[shape].alternatives[usize::from(transition.alternative)];
        self.setup.request(alternative)?.checked_mul(u64::from(alternative.workers))
    }

    fn bug(&self, what: impl Into<String>) -> SimError {
        SimError::Bug { at_s: fairshare::Timestamp::from_millis(self.last_at).to_string(), what: what.into() }
    }
}

impl Observer for Checker<'_> {
    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        if transition.at < self.last_at {
            return Err(self.bug("time runs backwards"));
        }
        self.last_at = transition.at;
        let demand = match transition.what {
            What::Rejected => return Ok(()),
            _ => self.demand(&transition).ok_or_else(|| self.bug("a job holds what cannot be counted"))?,
        };
        let held = &self.held[transition.pool as usize];
        let next = match transition.what {
            What::Started => held.checked_add(&demand),
            _ => held.checked_sub(&demand),
        };
        self.held[transition.pool as usize] =
            next.ok_or_else(|| self.bug("a pool gives back more than it gave"))?;
        Ok(())
    }

    fn event(&mut self, at: i64, scheduler: &Scheduler) -> Result<(), SimError> {
        self.last_at = at;
        scheduler.check_invariants().map_err(|difference| self.bug(difference))?;
        for (index, held) in (0_u32..).zip(&self.held) {
            let pool = PoolId::new(index);
            let (Some(capacity), Some(free)) = (scheduler.capacity(pool), scheduler.free(pool)) else {
                return Err(self.bug("a configured pool is gone"));
            };
            for kind in self.setup.config.kinds.iter() {
                let sum = held[kind].checked_add(free[kind]);
                if sum != Some(capacity[kind]) {
                    return Err(self.bug(self.unequal(
                        index,
                        kind,
                        [held[kind], free[kind], capacity[kind]],
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Checker<'_> {
    fn unequal(&self, pool: u32, kind: ResourceKind, [held, free, capacity]: [Quantity; 3]) -> String {
        let pool = &self.setup.config.pools[pool as usize].name;
        let kind = self.setup.config.kinds.name(kind);
        format!(
            "pool `{pool}`, {kind}: {} held and {} free do not add up to {}",
            held.get(),
            free.get(),
            capacity.get()
        )
    }
}
