//! Reclaim: stopping running jobs for a blocked one.
//!
//! After nothing more can start in a cycle, the first jobs of their lines are tried in the order in which reservations are
//! given: tier, class, keys now. The first legal plan is carried out at once, victims and start together, so that the room
//! is nobody else's; then the cycle goes on. Who was stopped since the last event from outside may take what is free, but
//! stops nobody (R3), so that a cycle ends. The end of a bound lifts that from a job once until the next event from outside:
//! ranks go round between the levels of a tree, and if each end did, time alone would. A job whose search failed, or would for
//! certain, is tried again once something has happened that may let it succeed: a start or a stop in one of its pools, more
//! that others hold, less that its own teams do (see `again`), or a bound on waste that has run out. Lines for which plainly nobody
//! can be stopped are not looked at (see `asleep`). Whoever is told to be hopeless stands before nobody, nor does he hide that
//! another job of his team is within the quota.
//!
//! Without preemption there is no state here, and nothing is done.
//! Absent on purpose: which plans are legal (see `reclaim`). Layer 5; uses `reclaim`, `pending`, `state`.

mod again;
mod asleep;
mod bound;
mod memory;
mod turn;

use core::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use self::again::{AtMost, Failed, Version};
use self::asleep::Asleep;
use super::Engine;
use super::back_off::BackOffs;
use super::holds::Holds;
use super::waste::{Waste, gpu_time, next_checkpoint, next_hour};
use crate::config::Preemption;
use crate::id::{IdVec, JobId, PoolId, ShapeId};
use crate::line::Waiter;
use crate::reclaim::{Bounds, Hopeless, Plainly, Plan, Prepared, Rules, Running, Wanted, hopeless, search};
use crate::route::RouteId;
use crate::snapshot::Memory;
use crate::state::{State, Stopped};
use crate::time::{Millis, Timestamp};
use crate::tree::MemberId;

/// What is kept for reclaim.
#[derive(Clone, Debug)]
pub(super) struct Reclaim {
    rules: Rules,
    back_off: Millis,
    running: Running,
    prepared: Prepared,
    /// Counts what has started and stopped in each pool, and, where equal ranks are compared, what has started anywhere of those
    /// who hold something there.
    versions: IdVec<PoolId, u64>,
    /// Counts what has stopped below each member.
    shrunk: IdVec<MemberId, u64>,
    /// Jobs whose search failed, with the counts of their pools then.
    failed: BTreeMap<JobId, Failed>,
    asleep: Asleep,
    /// By line: the first job, if it was hopeless or its search failed without a reservation in its way, and the version then.
    in_vain: Vec<Option<(JobId, Version)>>,
    /// By line: what rivals could lose at most, if that was found at one of the last looks.
    at_most: Vec<Option<AtMost>>,
    /// How often reservations had changed at the last search that found nothing.
    reservations: u64,
    /// Who was stopped for another job since the last event from outside.
    stopped: BTreeSet<JobId>,
    /// Who of those was let stop others again by time alone since then: that is done once.
    freed: BTreeSet<JobId>,
    /// Who was stopped and may not borrow again before some instant.
    pub(super) backing_off: BackOffs,
    pub(super) waste: Waste,
    /// When a bound that stood in the way of a plan runs out.
    wake: Option<Timestamp>,
    /// Something has happened since the last search that found nothing.
    changed: bool,
}

/// The first job of a line.
#[derive(Clone, Copy, Debug)]
struct Head {
    leaf: MemberId,
    shape: ShapeId,
    /// The class, as far as it comes before everything else.
    class: i32,
    waiter: Waiter,
}

/// Those that are tried: mostly one or two.
type Heads = SmallVec<[Head; 4]>;

impl Reclaim {
    pub(super) fn new(state: &State) -> Option<Self> {
        let policy = &state.config.policy;
        let same_rank = match policy.preemption {
            Preemption::None => return None,
            Preemption::Priority => false,
            Preemption::Reclaim => true,
        };
        let bounds = policy.bounds;
        let pools = state.config.pools.len();
        Some(Self {
            rules: Rules {
                same_rank,
                hysteresis_milli: bounds.hysteresis_milli,
                ratio_milli: bounds.ratio_milli,
            },
            back_off: bounds.back_off,
            running: Running::new(pools, &state.tree),
            prepared: Prepared::default(),
            versions: (0..pools).map(|_| 0).collect(),
            shrunk: state.tree.ids().map(|_| 0).collect(),
            failed: BTreeMap::new(),
            asleep: Asleep::new(&state.tree),
            in_vain: Vec::new(),
            at_most: Vec::new(),
            reservations: 0,
            stopped: BTreeSet::new(),
            freed: BTreeSet::new(),
            backing_off: BackOffs::default(),
            waste: Waste::new(bounds, pools),
            wake: None,
            changed: false,
        })
    }

    /// Something has happened outside.
    #[inline]
    pub(super) fn event(&mut self) {
        if !self.stopped.is_empty() || !self.freed.is_empty() {
            self.stopped.clear();
            self.freed.clear();
        }
        self.changed = true;
    }

    /// Time alone has lifted a bound: who was stopped may stop others again, each once until the next event from outside.
    pub(super) fn expired(&mut self) {
        let freed = &mut self.freed;
        self.stopped.retain(|job| !freed.insert(*job));
        self.changed = true;
    }

    /// Whether time alone lets a job that was stopped stop others again.
    fn is_freed_by_time(&self, job: JobId) -> bool {
        !self.freed.contains(&job)
    }

    /// Something has happened in a pool.
    fn changed_in(&mut self, pool: PoolId) {
        self.versions[pool] += 1;
        self.changed = true;
    }

    fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        let wake = self.wake.filter(|at| *at > now);
        self.backing_off.first_end_after(now).into_iter().chain(wake).min()
    }

    fn notes_wake(&mut self, at: Option<Timestamp>) {
        self.wake = [self.wake, at].into_iter().flatten().min();
    }

    /// The first plan in the order of the heads.
    fn find(&mut self, engine: &Engine, state: &State) -> Option<(Head, RouteId, Plan)> {
        let holds = engine.holds.as_ref();
        let reservations = holds.map_or(0, Holds::changes);
        let moved = core::mem::replace(&mut self.reservations, reservations) != reservations;
        if !core::mem::take(&mut self.changed) && !moved {
            return None;
        }
        let (mut heads, mut at) = (Heads::new(), 0);
        while let Some((line, leaf, shape)) = self.asleep.awake(at) {
            let Some((class, waiter)) = engine.pending.head_of(line) else {
                self.asleep.close(line);
                continue;
            };
            let head = Head { leaf, shape, class, waiter };
            at += 1;
            if !engine.is_shown(state, head) || self.stopped.contains(&waiter.job) {
                continue;
            }
            match self.plainly(state, (line, head)) {
                Plainly::NobodyHasMore => {
                    self.asleep.sleep(state, line);
                    at -= 1;
                }
                Plainly::TooLittle => {}
                Plainly::Unknown if self.is_in_vain(holds, state, (line, head)) => {}
                Plainly::Unknown => heads.push(head),
            }
        }
        self.prepared.has_looked();
        engine.put_in_order(state, &mut heads);
        for head in heads.iter().copied() {
            // Whoever has one route is here because that is not hopeless.
            let only = state.routes.shape(head.shape).routes().nth(1).is_none();
            for route in state.routes.shape(head.shape).routes() {
                let hopeless = !only && self.hopeless(state, head, route).is_some();
                if let Some(plan) = (!hopeless).then(|| self.plan(engine, state, head, route)).flatten() {
                    return Some((head, route, plan));
                }
            }
            if !engine.waits_in_line(state, head) {
                let in_its_way = holds.filter(|holds| {
                    let mut routes = state.routes.shape(head.shape).routes();
                    routes.any(|route| holds.obstacle(state, head.waiter, route).is_some())
                });
                self.has_failed(in_its_way, state, (engine.pending.number(head.leaf, head.shape), head));
            }
        }
        None
    }

    fn hopeless(&mut self, state: &State, head: Head, route: RouteId) -> Option<Hopeless> {
        let wanted = Wanted { job: head.waiter.job, leaf: head.leaf, class: class_of(state, head), route };
        hopeless(state, (&self.running, &mut self.prepared), self.rules, wanted)
    }

    /// A plan for a job by a route that keeps every bound on waste.
    fn plan(&mut self, engine: &Engine, state: &State, head: Head, route: RouteId) -> Option<Plan> {
        if !engine.is_first_in(state, head, route) {
            return None;
        }
        let avoid = match &engine.holds {
            Some(holds) if !holds.leaves_room(state, head.waiter, route) => return None,
            Some(holds) => holds.avoid(state, head.waiter, route),
            None => &[],
        };
        let pool = state.routes.route(route).pool;
        let (waste, left) = (&self.waste, self.waste.left(pool, state.now));
        // When something may be stopped that may not be now.
        let later = Cell::new(None::<Timestamp>);
        let notes = |at: Option<Timestamp>| later.set([later.get(), at].into_iter().flatten().min());
        let is_dear = |lost: u128| {
            let Some((_, most)) = left.filter(|(left, _)| lost > *left) else { return false };
            notes(next_hour(state.now).filter(|_| lost <= most));
            true
        };
        // When some of those who are too dear together lose less.
        let (saved, too_dear) = (Cell::new(None::<Timestamp>), Cell::new(false));
        let affords = |lost: u128| {
            let dear = is_dear(lost);
            too_dear.set(too_dear.get() || dear);
            !dear
        };
        let may_stop = |job: JobId, own: bool| {
            let until = if own { None } else { waste.protects_until(job) };
            notes(until);
            if until.is_some() || left.is_none() {
                return until.is_none();
            }
            let (dear, saves) = (is_dear(gpu_time(state, job)), next_checkpoint(state, job));
            if dear {
                notes(saves);
            } else {
                saved.set([saved.get(), saves].into_iter().flatten().min());
            }
            !dear
        };
        let wanted = Wanted { job: head.waiter.job, leaf: head.leaf, class: class_of(state, head), route };
        let ask_all = self.waste.any();
        let bounds = Bounds { rules: self.rules, avoid, may_stop: &may_stop, affords: &affords, ask_all };
        let found = search(state, (&self.running, &mut self.prepared), wanted, &bounds);
        if found.is_none() {
            self.notes_wake(later.get());
            self.notes_wake(saved.get().filter(|_| too_dear.get()));
        }
        found
    }

    /// Compares the running jobs with those of the state; the first difference, in words.
    fn check(&self, state: &State) -> Result<(), String> {
        if !self.running.is_right(state) {
            return Err("reclaim knows of other running jobs than there are".to_owned());
        }
        if !self.prepared.is_right(&state.tree, &self.running) {
            return Err("reclaim takes the teams to hold something else than they do".to_owned());
        }
        if self.asleep.strays() > 0 {
            return Err("reclaim would wake lines that do not sleep".to_owned());
        }
        if !self.waste.is_right(state) {
            return Err("reclaim protects others than who has run for too short a time".to_owned());
        }
        if !self.backing_off.is_in_order() {
            return Err("reclaim knows other ends of back-offs than there are".to_owned());
        }
        let kept = self.stopped.iter().chain(&self.freed).chain(self.failed.keys()).copied();
        match kept.chain(self.backing_off.jobs()).find(|id| state.job(*id).is_err()) {
            Some(id) => Err(format!("reclaim remembers job {id}, which is gone")),
            None => Ok(()),
        }
    }
}

impl Engine {
    pub(super) fn write_reclaim(&self, state: &State, memory: &mut Memory) {
        if let Some(reclaim) = &self.reclaim {
            reclaim.write(self.holds.as_ref(), state, memory);
        }
    }

    /// Takes over what a memory has; who stands in no line.
    pub(super) fn read_reclaim(&mut self, state: &State, memory: &Memory) -> Vec<JobId> {
        self.reclaim.as_mut().map_or_else(Vec::new, |reclaim| reclaim.read(state, memory))
    }

    /// The same of what depends on the reservations.
    pub(super) fn read_tried(&mut self, state: &State, memory: &Memory) {
        if let Some(reclaim) = &mut self.reclaim {
            reclaim.read_tried(self.holds.as_ref(), state, memory);
        }
    }

    /// Whether the first job of a line could start if it had room.
    fn is_shown(&self, state: &State, head: Head) -> bool {
        let closes = || {
            let mut pools =
                state.routes.shape(head.shape).routes().map(|route| state.routes.route(route).pool);
            pools.any(|pool| self.watches[pool].closed_by == Some(head.waiter.job))
        };
        let shown = !self.head_only || self.shown[head.leaf] == Some(head.shape);
        shown && (!self.one_line || closes())
    }

    /// Whether nobody stands before a head in the pool of a route.
    fn is_first_in(&self, state: &State, head: Head, route: RouteId) -> bool {
        let pool = state.routes.route(route).pool;
        !self.one_line || self.watches[pool].closed_by == Some(head.waiter.job)
    }

    /// Whether somebody stands before a head in any of its pools.
    fn waits_in_line(&self, state: &State, head: Head) -> bool {
        state.routes.shape(head.shape).routes().any(|route| !self.is_first_in(state, head, route))
    }

    /// Finds and carries out a plan; whether there was one.
    #[inline]
    pub(super) fn reclaim(&mut self, state: &mut State) -> bool {
        self.reclaim.is_some() && self.stop_for_others(state)
    }

    #[inline(never)]
    fn stop_for_others(&mut self, state: &mut State) -> bool {
        let Some(mut reclaim) = self.reclaim.take() else { return false };
        let found = reclaim.find(self, state);
        self.reclaim = Some(reclaim);
        let Some((head, route, plan)) = found else { return false };
        self.carry_out(state, head, route, &plan);
        true
    }

    /// Stops the victims and starts the job in their room.
    fn carry_out(&mut self, state: &mut State, head: Head, route: RouteId, plan: &Plan) {
        let pool = state.routes.route(route).pool;
        let lost = plan.victims.iter().map(|(id, _)| gpu_time(state, *id)).fold(0, u128::saturating_add);
        let first = state.evictions.len();
        state.note_evictions(&plan.victims, head.waiter.job);
        for (victim, _) in &plan.victims {
            if let Some(stopped) = state.stop_for_another(*victim) {
                self.has_stopped(state, &stopped);
            }
        }
        state.promote_after(&plan.victims, pool);
        let started = self.start_beside(state, head.leaf, head.waiter, route);
        debug_assert!(started, "a plan makes no room");
        if started {
            self.has_started(state, head.leaf, head.shape, head.waiter);
        }
        state.settle_evictions(first);
        for (victim, _) in &plan.victims {
            let own = state.alive(*victim).leaf == head.leaf;
            let now = state.now;
            let Some(reclaim) = &mut self.reclaim else { return };
            reclaim.stopped.insert(*victim);
            let until = now.checked_add(reclaim.back_off).filter(|until| *until > now && !own);
            if let Some(until) = until {
                reclaim.backing_off.insert(state, *victim, until);
            } else {
                self.queue(state, *victim);
            }
        }
        if let Some(reclaim) = &mut self.reclaim {
            reclaim.waste.spend(pool, state.now, lost);
        }
        if self.lists.anybody_held() {
            self.unhold(state, pool);
        }
        self.wake::<false>(state, pool);
        self.refresh_holds(state);
    }

    /// Somebody may start who was not allowed to before: whoever found no plan may find one now.
    pub(super) fn retry_reclaim(&mut self) {
        let Some(reclaim) = &mut self.reclaim else { return };
        reclaim.forget_failed();
        reclaim.expired();
    }

    /// Something has happened outside: a job came, went or ended, or a pool has another size.
    pub(super) fn reclaim_event(&mut self, pool: Option<PoolId>) {
        let Some(reclaim) = &mut self.reclaim else { return };
        reclaim.event();
        if let Some(pool) = pool {
            reclaim.changed_in(pool);
        }
    }

    /// A line is not empty any more, for reclaim.
    pub(super) fn opened_for_reclaim(&mut self, leaf: MemberId, shape: ShapeId) {
        if let (Some(reclaim), Some(line)) = (&mut self.reclaim, self.pending.number(leaf, shape)) {
            reclaim.asleep.opened(line, leaf, shape);
        }
    }

    /// A job has started, for reclaim.
    #[inline]
    pub(super) fn started_for_reclaim(&mut self, state: &State, job: JobId) {
        if self.reclaim.is_some() {
            self.runs_for_reclaim(state, job);
        }
    }

    #[inline(never)]
    fn runs_for_reclaim(&mut self, state: &State, job: JobId) {
        let Some(reclaim) = &mut self.reclaim else { return };
        let leaf = state.alive(job).leaf;
        reclaim.running.started(state, job);
        reclaim.waste.started(state, job);
        if !reclaim.failed.is_empty() {
            reclaim.failed.remove(&job);
        }
        // Whoever is stopped once more is noted once more.
        if !reclaim.stopped.is_empty() {
            reclaim.stopped.remove(&job);
        }
        let _: Option<bool> = reclaim.backing_off.remove(state, job);
        reclaim.backing_off.touch(state, job);
        if let Some(route) = state.route_of(job) {
            reclaim.changed_in(state.routes.route(route).pool);
        }
        reclaim.prepared.changed(&state.tree, leaf, true);
        reclaim.asleep.started(state, &reclaim.running, leaf);
        let top = state.tree.below_root(leaf);
        let grows = |pool: usize| reclaim.rules.same_rank && reclaim.running.has_below(PoolId::at(pool), top);
        for (pool, version) in reclaim.versions.iter_mut().enumerate() {
            *version += u64::from(grows(pool));
        }
    }

    /// A job has stopped, for reclaim.
    #[inline(never)]
    pub(super) fn stopped_for_reclaim(&mut self, state: &State, stopped: &Stopped) {
        let Some(reclaim) = &mut self.reclaim else { return };
        let (job, pool, leaf) = (stopped.job, stopped.pool, state.alive(stopped.job).leaf);
        reclaim.running.stopped(state, stopped);
        reclaim.waste.stopped(state, job);
        reclaim.backing_off.touch(state, job);
        reclaim.changed_in(pool);
        reclaim.prepared.changed(&state.tree, leaf, false);
        reclaim.asleep.stopped(state, &reclaim.running, leaf);
        for member in state.tree.path(leaf) {
            reclaim.shrunk[member] += 1;
        }
    }

    /// A waiting job is withdrawn; whether it stood in no line.
    pub(super) fn withdrawn_for_reclaim(&mut self, state: &State, job: JobId) -> bool {
        let Some(reclaim) = &mut self.reclaim else { return false };
        reclaim.failed.remove(&job);
        reclaim.backing_off.remove(state, job) == Some(false)
    }

    /// Bounds that have run out let whoever was stopped stop others again, once.
    #[inline]
    pub(super) fn expire_bounds(&mut self, state: &State) {
        if self.reclaim.as_ref().is_some_and(|reclaim| reclaim.wake.is_some() || reclaim.waste.protects()) {
            self.expire_some_bounds(state);
        }
    }

    #[inline(never)]
    fn expire_some_bounds(&mut self, state: &State) {
        let Some(reclaim) = &mut self.reclaim else { return };
        // Whose search met somebody who has run for too short a time has noted when that ends.
        let expired = reclaim.waste.expire(state.now);
        if reclaim.wake.is_some_and(|at| at <= state.now) {
            reclaim.wake = None;
            reclaim.forget_failed();
            reclaim.expired();
        } else if expired && reclaim.stopped.iter().any(|job| reclaim.is_freed_by_time(*job)) {
            reclaim.expired();
        }
    }

    /// When a bound runs out next.
    #[inline]
    pub(super) fn bounds_wakeup(&self, state: &State) -> Option<Timestamp> {
        let reclaim = self.reclaim.as_ref()?;
        let waits = reclaim.wake.is_some() || reclaim.waste.protects() || !reclaim.backing_off.is_idle();
        if waits { Self::bounds_end(reclaim, state) } else { None }
    }

    #[inline(never)]
    fn bounds_end(reclaim: &Reclaim, state: &State) -> Option<Timestamp> {
        // Whoever was stopped himself may stop others as soon as any of them has run for long enough.
        let stands = |job: &JobId| reclaim.backing_off.outside_until(state, *job).is_none();
        let any = reclaim.stopped.iter().any(|job| reclaim.is_freed_by_time(*job) && stands(job));
        let end = reclaim.waste.first_end_after(state.now).filter(|_| any);
        reclaim.next_wakeup(state.now).into_iter().chain(end).min()
    }

    pub(super) fn check_reclaim(&self, state: &State) -> Result<(), String> {
        let Some(reclaim) = &self.reclaim else { return Ok(()) };
        reclaim.check(state)?;
        let mut again = reclaim.clone();
        let lines = self.pending.some_waiting().flat_map(|leaf| {
            self.pending
                .numbered_heads(leaf)
                .map(move |(line, (shape, class, waiter))| (line, Head { leaf, shape, class, waiter }))
        });
        for (line, head) in lines {
            let mut routes = state.routes.shape(head.shape).routes();
            let Some(sleeps) = again.asleep.sleeps(&state.tree, line) else {
                return Err(format!("reclaim never looks at job {}", head.waiter.job));
            };
            if (sleeps || again.plainly(state, (line, head)) != Plainly::Unknown)
                && !routes.all(|route| again.hopeless(state, head, route).is_some())
            {
                return Err(format!("reclaim takes job {} to be hopeless, and it is not", head.waiter.job));
            }
        }
        Ok(())
    }
}

/// The class by which the job that is wanted may stop others, whatever the order makes of it.
fn class_of(state: &State, head: Head) -> i32 {
    state.routes.shape(head.shape).class
}
