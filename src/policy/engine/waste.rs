//! Waste: what limits the work that evictions lose, whoever they are for: a minimum run, and GPU time by the hour.
//!
//! Who has run for too short a time is known by when that ends, so that its end is an event though nobody has asked for it.
//! Absent on purpose: back-off (see `back_off`), and what is a rule of each plan (see `reclaim`). Layer 5; uses `state`.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::EvictionBounds;
use crate::id::{IdVec, JobId, PoolId};
use crate::resources::ResourceKind;
use crate::snapshot::Lost;
use crate::state::State;
use crate::time::{Millis, Timestamp};

/// The hour in which the GPU time that evictions lose is limited.
const HOUR_MS: i64 = 3_600_000;

/// GPU time in a GPU-second: thousandths of a GPU times milliseconds.
const GPU_SECOND: u128 = 1_000 * 1_000;

/// What is kept for the bounds.
#[derive(Clone, Debug)]
pub(super) struct Waste {
    minimum_run: Millis,
    /// The most GPU time that is lost in an hour, by pool.
    most: Option<u128>,
    /// GPU time lost in an hour, by pool; the hour by its number.
    spent: IdVec<PoolId, (i64, u128)>,
    /// Who may be stopped, but has run for too short a time: until when.
    protected: BTreeMap<JobId, Timestamp>,
    /// The same in the order in which it ends.
    ends: BTreeSet<(Timestamp, JobId)>,
    /// Some have ended that are no longer known, and no cycle has looked at that.
    has_ended: bool,
}

impl Waste {
    pub(super) fn new(bounds: EvictionBounds, pools: usize) -> Self {
        Self {
            minimum_run: bounds.minimum_run,
            most: bounds.gpu_seconds_per_hour.map(|most| u128::from(most) * GPU_SECOND),
            spent: (0..pools).map(|_| (0, 0)).collect(),
            protected: BTreeMap::new(),
            ends: BTreeSet::new(),
            has_ended: false,
        }
    }

    /// Whether anybody may be protected who runs where he may be stopped.
    pub(super) fn any(&self) -> bool {
        self.minimum_run > Millis::ZERO || self.most.is_some()
    }

    /// Until when a job that runs may not be stopped; `None`: it may be now.
    pub(super) fn protects_until(&self, job: JobId) -> Option<Timestamp> {
        self.protected.get(&job).copied()
    }

    /// When whoever runs has run for long enough, if that is yet to come.
    fn end_of(&self, state: &State, job: JobId) -> Option<Timestamp> {
        if self.minimum_run == Millis::ZERO || !state.preemptible(job) {
            return None;
        }
        let since = state.started_at(job)?;
        Some(since.checked_add(self.minimum_run).unwrap_or(Timestamp::MAX)).filter(|until| *until > state.now)
    }

    #[inline]
    pub(super) fn started(&mut self, state: &State, job: JobId) {
        if self.minimum_run > Millis::ZERO {
            self.protect(state, job);
        }
    }

    #[inline(never)]
    fn protect(&mut self, state: &State, job: JobId) {
        if let Some(until) = self.end_of(state, job) {
            self.protected.insert(job, until);
            self.ends.insert((until, job));
        }
    }

    #[inline]
    pub(super) fn stopped(&mut self, state: &State, job: JobId) {
        if !self.protected.is_empty() {
            self.forget(state, job);
        }
    }

    #[inline(never)]
    fn forget(&mut self, state: &State, job: JobId) {
        if let Some(until) = self.protected.remove(&job) {
            self.ends.remove(&(until, job));
            self.has_ended |= until <= state.now;
        }
    }

    /// Whether anybody has run for too short a time, or had and no cycle has looked at that.
    #[inline]
    pub(super) fn protects(&self) -> bool {
        self.has_ended || !self.ends.is_empty()
    }

    /// Whether somebody has run for long enough whom no cycle has looked at.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.has_ended || self.ends.first().is_some_and(|(until, _)| *until <= now)
    }

    /// Whoever has run for long enough is protected no longer; whether there was any.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let mut any = core::mem::take(&mut self.has_ended);
        while let Some((until, job)) = self.ends.first().copied().filter(|(until, _)| *until <= now) {
            any = true;
            self.ends.remove(&(until, job));
            self.protected.remove(&job);
        }
        any
    }

    /// When those who run have run for long enough, each instant after one once.
    pub(super) fn ends_after(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut ends: Vec<Timestamp> =
            self.ends.iter().map(|(until, _)| *until).filter(|until| *until > now).collect();
        ends.dedup();
        ends
    }

    /// When somebody has run for long enough next.
    pub(super) fn first_end_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends.iter().map(|(until, _)| *until).find(|until| *until > now)
    }

    /// The GPU time that may be lost in a pool, of this hour and of any; `None`: any.
    pub(super) fn left(&self, pool: PoolId, now: Timestamp) -> Option<(u128, u128)> {
        let most = self.most?;
        let (its, spent) = self.spent[pool];
        let spent = if its == hour(now) { spent } else { 0 };
        Some((most.saturating_sub(spent), most))
    }

    pub(super) fn spend(&mut self, pool: PoolId, now: Timestamp, gpu_time: u128) {
        let (its, spent) = self.spent[pool];
        let spent = if its == hour(now) { spent } else { 0 };
        self.spent[pool] = (hour(now), gpu_time.saturating_add(spent));
    }

    pub(super) fn write(&self) -> impl Iterator<Item = Lost> + '_ {
        self.spent.iter().map(|(hour, gpu_time)| Lost { hour: *hour, gpu_time: *gpu_time })
    }

    pub(super) fn read(&mut self, written: impl Iterator<Item = Lost>, has_ended: bool) {
        self.has_ended = has_ended;
        for (spent, lost) in self.spent.iter_mut().zip(written) {
            *spent = (lost.hour, lost.gpu_time);
        }
    }

    /// Whether those are protected whom the state's running jobs say.
    pub(super) fn is_right(&self, state: &State) -> bool {
        let known = self.protected.iter().filter(|(_, until)| **until > state.now);
        let known: BTreeMap<JobId, Timestamp> = known.map(|(job, until)| (*job, *until)).collect();
        let ends: BTreeSet<_> = self.protected.iter().map(|(job, until)| (*until, *job)).collect();
        let again = state.jobs().filter_map(|(id, _)| Some((id, self.end_of(state, id)?)));
        ends == self.ends && known == again.collect()
    }
}

/// The GPU time that a running job would lose, in thousandths of a GPU times milliseconds.
pub(super) fn gpu_time(state: &State, job: JobId) -> u128 {
    let gpus = state.route_of(job).map(|route| state.routes.route(route).total[ResourceKind::GPU]);
    u128::from(state.lost(job).get()) * u128::from(gpus.unwrap_or_default().get())
}

/// When a running job will have saved what it has done so far, so that it loses less; `None`: never.
pub(super) fn next_checkpoint(state: &State, job: JobId) -> Option<Timestamp> {
    let interval = state.spec(job).checkpoint.filter(|interval| *interval > Millis::ZERO)?;
    let computes = state.started_at(job)?.checked_add(state.routes.route(state.route_of(job)?).moving)?;
    let computed = if state.now < computes { 0 } else { state.now.since(computes).get() };
    let next = (computed / interval.get() + 1).checked_mul(interval.get())?;
    computes.checked_add(Millis::new(next))
}

fn hour(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(HOUR_MS)
}

/// When the next hour begins.
pub(super) fn next_hour(now: Timestamp) -> Option<Timestamp> {
    hour(now).checked_add(1)?.checked_mul(HOUR_MS).map(Timestamp::from_millis)
}
