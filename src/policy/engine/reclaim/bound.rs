//! Bound: what keeps a job from stopping others whom it might stop by their ranks and shares, for an explanation.
//!
//! The search is made again with every bound lifted. Where it finds somebody then, bounds are put back in force one after
//! the other, as long as it does: those that stay lifted are in the way, each of them beside the others.
//! Absent on purpose: deciding, which never looks here. Layer 5; uses `reclaim`, `waste`, `explain`.

use super::super::change::class;
use super::super::waste::{gpu_time, next_checkpoint, next_hour};
use super::{Engine, Head, Reclaim, class_of};
use crate::explain::{Blocked, EvictionBound};
use crate::id::{JobId, PoolId};
use crate::policy::lack::once_each;
use crate::reclaim::{Bounds, Plan, Prepared, Rules, Wanted, hopeless, search};
use crate::route::RouteId;
use crate::state::State;
use crate::time::Timestamp;

/// How many instants are tried at which somebody would lose less, before no end is told.
const INSTANTS: usize = 256;

/// The bounds as they count in one search.
#[derive(Clone, Copy)]
struct InForce {
    rules: Rules,
    /// Who has run for long enough by then may be stopped.
    run_by: Timestamp,
    /// The GPU time that may be lost; `None`: any.
    gpu_time: Option<u128>,
}

impl InForce {
    fn now(reclaim: &Reclaim, pool: PoolId, now: Timestamp) -> Self {
        let gpu_time = reclaim.waste.left(pool, now).map(|(left, _)| left);
        Self { rules: reclaim.rules, run_by: now, gpu_time }
    }

    fn lift(&mut self, bound: EvictionBound) {
        match bound {
            EvictionBound::MinimumRun => self.run_by = Timestamp::MAX,
            EvictionBound::GpuTime => self.gpu_time = None,
            EvictionBound::Ratio => self.rules.ratio_milli = None,
            EvictionBound::Hysteresis => self.rules.hysteresis_milli = 0,
            EvictionBound::Stopped => {}
        }
    }

    /// All bounds but some.
    fn without(mut self, lifted: &[EvictionBound]) -> Self {
        for bound in lifted {
            self.lift(*bound);
        }
        self
    }
}

/// A search for one job by one route.
struct Trial<'a> {
    engine: &'a Engine,
    reclaim: &'a Reclaim,
    state: &'a State,
    head: Head,
    route: RouteId,
    prepared: Prepared,
}

impl Trial<'_> {
    fn pool(&self) -> PoolId {
        self.state.routes.route(self.route).pool
    }

    fn wanted(&self) -> Wanted {
        let Head { leaf, waiter, .. } = self.head;
        Wanted { job: waiter.job, leaf, class: class_of(self.state, self.head), route: self.route }
    }

    /// Whether others could make room for the job at all by some rules, and somebody has to.
    fn is_open(&mut self, wanted: Wanted, rules: Rules) -> bool {
        let Self { engine, reclaim, state, head, route, prepared } = self;
        let (leaves_room, avoid) = match &engine.holds {
            Some(holds) => {
                (holds.leaves_room(state, head.waiter, *route), holds.avoid(state, head.waiter, *route))
            }
            None => (true, &[][..]),
        };
        let has_room = state.denies(head.leaf, *route).is_none() && state.fits_beside(*route, avoid);
        engine.is_first_in(state, *head, *route)
            && leaves_room
            && !has_room
            && hopeless(state, (&reclaim.running, prepared), rules, wanted).is_none()
    }

    fn plan(&mut self, wanted: Wanted, bounds: InForce) -> Option<Plan> {
        let (waste, state) = (&self.reclaim.waste, self.state);
        let affords = |lost: u128| bounds.gpu_time.is_none_or(|left| lost <= left);
        let may_stop = |job: JobId, own: bool| {
            let has_run = own || waste.protects_until(job).is_none_or(|until| until <= bounds.run_by);
            has_run && affords(gpu_time(state, job))
        };
        let holds = self.engine.holds.as_ref();
        let avoid = holds.map_or(&[][..], |holds| holds.avoid(state, self.head.waiter, self.route));
        let rules = bounds.rules;
        let bounds = Bounds { rules, avoid, may_stop: &may_stop, affords: &affords, ask_all: false };
        search(state, (&self.reclaim.running, &mut self.prepared), wanted, &bounds)
            .filter(|plan| !plan.victims.is_empty())
    }

    /// The bounds that must be lifted, so that somebody is stopped: none too many.
    fn in_the_way(&mut self) -> Vec<EvictionBound> {
        use EvictionBound::{GpuTime, Hysteresis, MinimumRun, Ratio, Stopped};
        let wanted = self.wanted();
        let mut lifted = vec![MinimumRun, GpuTime, Ratio, Hysteresis];
        let all = InForce::now(self.reclaim, self.pool(), self.state.now);
        let none = all.without(&lifted);
        if !self.is_open(wanted, none.rules) || self.plan(wanted, none).is_none() {
            return Vec::new();
        }
        let mut at = 0;
        while let Some(bound) = lifted.get(at).copied() {
            lifted.remove(at);
            if self.plan(wanted, all.without(&lifted)).is_none() {
                lifted.insert(at, bound);
                at += 1;
            }
        }
        // Somebody could be stopped, and the cycle that does so is yet to come, unless the job may stop nobody.
        lifted.extend(self.reclaim.stopped.contains(&wanted.job).then_some(Stopped));
        lifted
    }

    /// The same search at an instant to come, if nothing else happens until then: what would be lost grows
    /// until it is saved, and what budgets have spent grows.
    fn plans_at(&self, later: &mut State, lifted: &[EvictionBound], at: Timestamp) -> bool {
        later.now = at;
        later.budgets = self.state.budgets.clone();
        later.budgets.tick(at);
        let Self { engine, reclaim, head, route, .. } = *self;
        let mut trial = Trial { engine, reclaim, state: later, head, route, prepared: self.prepared.clone() };
        let bounds = InForce::now(reclaim, trial.pool(), at).without(lifted);
        trial.plan(trial.wanted(), bounds).is_some()
    }

    /// When a bound that is in the way ceases to be, if time does that: all others in the way lifted, it does not hold then.
    fn until(&self, bound: EvictionBound, lifted: &[EvictionBound]) -> Option<Timestamp> {
        let others: Vec<EvictionBound> = lifted.iter().copied().filter(|other| *other != bound).collect();
        let mut later = self.state.clone();
        match bound {
            EvictionBound::MinimumRun => {
                let ends = self.reclaim.waste.ends_after(self.state.now);
                let mut upper = ends.len();
                if !self.plans_at(&mut later, &others, *ends.last()?) {
                    return None;
                }
                let mut lower = 0;
                while upper - lower > 1 {
                    let middle = lower + (upper - lower) / 2;
                    if self.plans_at(&mut later, &others, ends[middle - 1]) {
                        upper = middle;
                    } else {
                        lower = middle;
                    }
                }
                ends.get(upper - 1).copied()
            }
            EvictionBound::GpuTime => {
                let jobs = self.reclaim.running.in_pool(self.state, self.pool());
                let saved = jobs.filter_map(|job| next_checkpoint(self.state, job));
                let mut instants: Vec<Timestamp> = saved.chain(next_hour(self.state.now)).collect();
                instants.sort_unstable();
                instants.dedup();
                instants.into_iter().take(INSTANTS).find(|at| self.plans_at(&mut later, &others, *at))
            }
            EvictionBound::Stopped if !self.reclaim.is_freed_by_time(self.head.waiter.job) => None,
            EvictionBound::Stopped => {
                let known = self.engine.bounds_wakeup(self.state);
                known.into_iter().chain(self.state.budgets.next_renewal()).min()
            }
            EvictionBound::Ratio | EvictionBound::Hysteresis => None,
        }
    }
}

impl Engine {
    /// What keeps others from being stopped for a waiting job that could be but for that.
    pub(in crate::policy::engine) fn bounds_in_the_way(&self, state: &State, job: JobId) -> Vec<Blocked> {
        let Some(reclaim) = &self.reclaim else { return Vec::new() };
        let known = state.alive(job);
        let (leaf, shape) = (known.leaf, known.shape);
        let is_shown = !self.head_only || self.shown[leaf] == Some(shape);
        let first = self.pending.head(leaf, shape).filter(|first| first.job == job && is_shown);
        let Some(waiter) = first else { return Vec::new() };
        let head = Head { leaf, shape, class: class(state, job), waiter };
        let mut found = Vec::new();
        for route in state.routes.shape(shape).routes() {
            let prepared = reclaim.prepared.clone();
            let mut trial = Trial { engine: self, reclaim, state, head, route, prepared };
            let lifted = trial.in_the_way();
            let (alternative, pool) = (state.routes.route(route).alternative, trial.pool());
            for bound in &lifted {
                let until = trial.until(*bound, &lifted);
                found.push(Blocked::Bound { alternative, pool, bound: *bound, until });
            }
        }
        once_each(found.into_iter())
    }
}
