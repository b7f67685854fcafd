//! Lost: which comparison of teams a waiting job lost.
//!
//! By the keys now against the job that comes first; and for the job that comes first itself, by the keys after the grant
//! against the start that took its room, which is found by taking back on a copy what the last cycle has started.
//! Absent on purpose: what stops a job otherwise (see `policy`), and what would help it (see `remedy`). Layer 6; uses
//! `state`.

use std::collections::BTreeMap;

use super::standing::{own_order, tier_route};
use super::{Answer, Scheduler};
use crate::config::Backfill;
use crate::decision::Decision;
use crate::explain::Lost;
use crate::id::JobId;
use crate::route::RouteId;
use crate::state::{State, Status};
use crate::tree::MemberId;

impl Scheduler {
    /// The comparison that a waiting job lost, if it is told: see [`Explanation::lost`](crate::Explanation).
    pub(super) fn lost_to(&self, job: JobId) -> Option<Lost> {
        let state = &self.state;
        let known = state.job(job).ok()?;
        if known.status() != Status::Waiting || self.policy.backs_off_until(state, job).is_some() {
            return None;
        }
        let mut heads: BTreeMap<MemberId, JobId> = BTreeMap::new();
        for id in self.policy.firsts(state) {
            let other = state.alive(id);
            if self.competes(known.shape, other.shape) {
                let head = heads.entry(other.leaf).or_insert(id);
                if own_order(state, id) < own_order(state, *head) {
                    *head = id;
                }
            }
        }
        if !heads.contains_key(&known.leaf) {
            // The first of its team waits for other pools, and nothing may pass it.
            return None;
        }
        let heads: Vec<(JobId, RouteId)> =
            heads.into_values().filter_map(|head| Some((head, tier_route(state, head)?))).collect();
        let first = heads.get(self.policy.first_of(state, &heads)?)?.0;
        if first == job {
            return self.lost_in_cycle(job);
        }
        let other = state.alive(first);
        if other.leaf == known.leaf {
            return None;
        }
        let (theirs, own) = state.tree.rivals(other.leaf, known.leaf);
        let team = |member| state.tree.member(member).team;
        let key = |member| state.tree.key(member, &[]);
        Some(Lost {
            to: first,
            team: team(theirs)?,
            key: key(theirs),
            own_team: team(own)?,
            own_key: key(own),
            after_grant: false,
        })
    }

    /// The comparison that the first of the waiting jobs lost in the last cycle: against the start before which it had room and
    /// might start, and after which it had not. What else than keys may have decided is told by nobody: nothing is said
    /// where somebody was stopped, where a reservation or a back-off may have kept the job from its room, where the start
    /// was of another tier or class, and where anything has happened since.
    fn lost_in_cycle(&self, job: JobId) -> Option<Lost> {
        let by_keys = self.policy.after_grant() && self.state.config.policy.backfill != Backfill::Easy;
        if !by_keys || self.answer != Answer::Told {
            return None;
        }
        let known = self.state.alive(job);
        let open = |state: &State| {
            let mut routes = state.routes.shape(known.shape).routes();
            routes.find(|route| state.fits(*route) && state.denies(known.leaf, *route).is_none())
        };
        let is_start = |decision: &Decision| matches!(decision, Decision::Start { .. });
        if open(&self.state).is_some() || !self.state.decisions.iter().all(is_start) {
            return None;
        }
        let mut past = self.state.clone();
        for decision in self.state.decisions.iter().rev() {
            let Decision::Start { job: to, .. } = *decision else { return None };
            let (leaf, route) = (past.job(to).ok()?.leaf, past.route_of(to)?);
            past.finish(to);
            if leaf == known.leaf {
                // Before it, another job of the team was its first.
                return None;
            }
            let Some(own_route) = open(&past) else { continue };
            let (theirs, own) = past.tree.rivals(leaf, known.leaf);
            let is_within = |member, route| past.quotas.is_guaranteed(member, past.routes.route(route));
            let class = |route| past.routes.shape(past.routes.route(route).shape).precedence;
            let is_first_by_rank = past.quotas.any() && is_within(theirs, route) != is_within(own, own_route)
                || past.config.policy.classes_cross_teams() && class(route) != class(own_route);
            let key = |member, route| past.tree.key(member, past.routes.charge(route));
            let (their_key, own_key) = (key(theirs, route), key(own, own_route));
            let team = |member| past.tree.member(member).team;
            let (team, own_team) = (team(theirs)?, team(own)?);
            let lost = Lost { to, team, key: their_key, own_team, own_key, after_grant: true };
            return (!is_first_by_rank && lost.key < lost.own_key).then_some(lost);
        }
        None
    }
}
