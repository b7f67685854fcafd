//! Back-off: who was stopped for another job and may not borrow again before some instant.
//!
//! Whoever could not borrow, whatever it starts by, stands in its line all the same. All jobs of one shape below one team
//! below the root have one answer to that, and it changes only when something starts or stops there: who backs off costs
//! a decision nothing otherwise, however many they are.
//! Absent on purpose: who is stopped, and for whom (see `reclaim`). Layer 5; uses `quota`, `state`.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use crate::id::{JobId, ShapeId};
use crate::snapshot::BackOff;
use crate::state::State;
use crate::time::Timestamp;
use crate::tree::MemberId;

/// All who back off, by their team below the root and what they ask.
#[derive(Clone, Debug, Default)]
pub(super) struct BackOffs {
    alike: BTreeMap<(MemberId, ShapeId), Alike>,
    /// When each of them may borrow again.
    ends: BTreeSet<(Timestamp, JobId)>,
    /// Teams below the root where something has started or stopped, or was read back, since it was last found out who stands
    /// in line.
    touched: BTreeSet<MemberId>,
}

/// Those who ask the same below the same team.
#[derive(Clone, Debug, Default)]
struct Alike {
    in_line: bool,
    until: BTreeMap<JobId, Timestamp>,
    /// Who was stopped since, and stands in no line though the others do.
    fresh: BTreeSet<JobId>,
}

/// Who joins a line, and who leaves one.
#[derive(Debug, Default)]
struct Moves {
    joining: Vec<JobId>,
    leaving: Vec<JobId>,
}

impl Alike {
    fn stands(&self, job: JobId) -> bool {
        self.in_line && !self.fresh.contains(&job)
    }

    /// From now on they stand in line, or do not.
    fn settle(&mut self, in_line: bool, moves: &mut Moves) {
        let fresh = core::mem::take(&mut self.fresh);
        match (core::mem::replace(&mut self.in_line, in_line), in_line) {
            (false, true) => moves.joining.extend(self.until.keys()),
            (true, true) => moves.joining.extend(fresh),
            (true, false) => moves.leaving.extend(self.until.keys().filter(|job| !fresh.contains(job))),
            (false, false) => {}
        }
    }
}

impl BackOffs {
    fn key(state: &State, job: JobId) -> (MemberId, ShapeId) {
        let known = state.alive(job);
        (state.tree.below_root(known.leaf), known.shape)
    }

    /// A job was stopped, and stands in no line.
    pub(super) fn insert(&mut self, state: &State, job: JobId, until: Timestamp) {
        let key = Self::key(state, job);
        let alike = self.alike.entry(key).or_default();
        alike.until.insert(job, until);
        self.ends.insert((until, job));
        if alike.in_line {
            alike.fresh.insert(job);
        }
        self.touched.extend(state.quotas.any().then_some(key.0));
    }

    /// Whether nobody backs off, and nothing is left to be found out.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.alike.is_empty() && self.ends.is_empty() && self.touched.is_empty()
    }

    /// A job backs off no longer; whether it stood in its line, if it did back off.
    #[inline]
    pub(super) fn remove(&mut self, state: &State, job: JobId) -> Option<bool> {
        if self.alike.is_empty() { None } else { self.take(state, job) }
    }

    #[inline(never)]
    fn take(&mut self, state: &State, job: JobId) -> Option<bool> {
        let key = Self::key(state, job);
        let alike = self.alike.get_mut(&key)?;
        let stood = alike.stands(job);
        let until = alike.until.remove(&job)?;
        alike.fresh.remove(&job);
        self.ends.remove(&(until, job));
        if alike.until.is_empty() {
            self.alike.remove(&key);
        }
        Some(stood)
    }

    /// A job has started, or stopped.
    #[inline]
    pub(super) fn touch(&mut self, state: &State, job: JobId) {
        if !self.alike.is_empty() {
            self.note(state, job);
        }
    }

    #[inline(never)]
    fn note(&mut self, state: &State, job: JobId) {
        if state.quotas.any() {
            self.touched.insert(state.tree.below_root(state.alive(job).leaf));
        }
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.alike.values().flat_map(|alike| alike.until.keys().copied())
    }

    /// The first instant after one at which one of them may borrow again.
    pub(super) fn first_end_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends.iter().map(|(until, _)| *until).find(|until| *until > now)
    }

    /// Whether the order of the ends is that of everybody.
    pub(super) fn is_in_order(&self) -> bool {
        let known = self.alike.values().flat_map(|alike| &alike.until);
        let known: BTreeSet<_> = known.map(|(job, until)| (*until, *job)).collect();
        known == self.ends
    }

    fn outside(&self) -> usize {
        let outside = |alike: &Alike| if alike.in_line { alike.fresh.len() } else { alike.until.len() };
        self.alike.values().map(outside).sum()
    }

    pub(super) fn outside_until(&self, state: &State, job: JobId) -> Option<Timestamp> {
        let alike = self.alike.get(&Self::key(state, job))?;
        alike.until.get(&job).copied().filter(|_| !alike.stands(job))
    }

    /// Whoever may borrow again at an instant is no longer among them; whether there was any.
    fn expire(&mut self, state: &State, moves: &mut Moves) -> bool {
        let mut any = false;
        while self.ends.first().is_some_and(|(until, _)| *until <= state.now) {
            let Some((_, job)) = self.ends.pop_first() else { break };
            any = true;
            let stood = self.remove(state, job);
            moves.joining.extend(Some(job).filter(|_| stood == Some(false)));
        }
        any
    }

    /// Finds out who stands in line below a team.
    fn settle(&mut self, state: &State, top: MemberId, moves: &mut Moves) {
        let here = self.alike.range_mut((top, ShapeId::new(0))..).take_while(|((team, _), _)| *team == top);
        for ((_, shape), alike) in here {
            let mut routes = state.routes.shape(*shape).routes();
            let could_not_borrow = state.quotas.any()
                && routes.all(|route| state.quotas.is_guaranteed(top, state.routes.route(route)));
            alike.settle(could_not_borrow, moves);
        }
    }

    /// Everybody, by job.
    pub(super) fn write(&self) -> Vec<BackOff> {
        let one = |alike: &Alike, (job, until): (&JobId, &Timestamp)| BackOff {
            job: *job,
            until: *until,
            in_line: alike.stands(*job),
        };
        let all = self.alike.values().flat_map(|alike| alike.until.iter().map(|known| one(alike, known)));
        let mut all: Vec<BackOff> = all.collect();
        all.sort_unstable_by_key(|back_off| back_off.job);
        all
    }

    /// As they were written; who stands in no line. Where some of those who are alike stood in line, all do until the next
    /// cycle.
    pub(super) fn read(&mut self, state: &State, written: &[BackOff]) -> Vec<JobId> {
        for BackOff { job, until, in_line } in written.iter().copied() {
            let alike = self.alike.entry(Self::key(state, job)).or_default();
            alike.until.insert(job, until);
            alike.in_line |= in_line;
            self.ends.insert((until, job));
        }
        // What a quota leaves may be another under another configuration.
        self.touched.extend(self.alike.keys().map(|(top, _)| *top));
        let outside = self.alike.values().filter(|alike| !alike.in_line);
        outside.flat_map(|alike| alike.until.keys().copied()).collect()
    }
}

impl Engine {
    /// At the begin of a cycle: who may borrow again, or could not borrow whatever it starts by, waits in line; who could
    /// again leaves it.
    #[inline]
    pub(super) fn expire_back_off(&mut self, state: &State) {
        if self.reclaim.as_ref().is_some_and(|reclaim| !reclaim.backing_off.is_idle()) {
            self.expire_some(state);
        }
    }

    #[inline(never)]
    fn expire_some(&mut self, state: &State) {
        let Some(reclaim) = &mut self.reclaim else { return };
        let mut moves = Moves::default();
        let back_offs = &mut reclaim.backing_off;
        let any = back_offs.expire(state, &mut moves);
        for top in core::mem::take(&mut back_offs.touched) {
            back_offs.settle(state, top, &mut moves);
        }
        if any {
            reclaim.expired();
        }
        self.move_in_lines(state, moves);
    }

    /// The same after a decision, where it may have changed: a start may use up a quota, and a stop may leave some of it.
    #[inline]
    pub(super) fn keep_back_off(&mut self, state: &State) {
        if self.reclaim.as_ref().is_some_and(|reclaim| !reclaim.backing_off.is_idle()) {
            self.keep_some(state);
        }
    }

    #[inline(never)]
    fn keep_some(&mut self, state: &State) {
        let Some(reclaim) = &mut self.reclaim else { return };
        let mut moves = Moves::default();
        for top in core::mem::take(&mut reclaim.backing_off.touched) {
            reclaim.backing_off.settle(state, top, &mut moves);
        }
        self.move_in_lines(state, moves);
    }

    fn move_in_lines(&mut self, state: &State, mut moves: Moves) {
        moves.leaving.sort_unstable();
        for job in moves.leaving {
            self.leaves_line(state, job);
        }
        moves.joining.sort_unstable();
        for job in moves.joining {
            self.queue(state, job);
        }
    }

    /// Until when a waiting job may not borrow again, and stands in no line.
    pub(super) fn out_of_line_until(&self, state: &State, job: JobId) -> Option<Timestamp> {
        self.reclaim.as_ref()?.backing_off.outside_until(state, job)
    }

    /// How many waiting jobs stand in no line.
    pub(super) fn backing_off(&self) -> usize {
        self.reclaim.as_ref().map_or(0, |reclaim| reclaim.backing_off.outside())
    }
}
