//! Reservation: where and when a blocked job can start, if every running job ends when it said it would.
//!
//! A job ends at its start plus its time limit, else its estimate, at the speed of the alternative by which it runs and
//! rounded up, after the time that it moves data; one that is past that ends at the next instant, and one without either never does.
//! Absent on purpose: which job is blocked, and what may pass it (see `policy`). Layer 3; uses `state`, `ledger`.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{JobId, NodeId};
use crate::resources::Resources;
use crate::route::{Route, RouteId};
use crate::state::{State, Status, Stopped};
use crate::time::{Millis, Timestamp};

/// The running jobs of one pool by when they end, as far as they do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Timetable {
    ends: BTreeMap<(Timestamp, JobId), RouteId>,
}

impl Timetable {
    /// Notes a job that has started; when it ends, if ever.
    pub(crate) fn started(&mut self, state: &State, job: JobId) -> Option<Timestamp> {
        let Status::Running { route, since, .. } = state.alive(job).status() else { return None };
        let end = end_of(state, job, (route, since));
        if let Some(end) = end {
            self.ends.insert((end, job), route);
        }
        end
    }

    /// Forgets a job that runs no longer; when it would have ended, if ever.
    pub(crate) fn stopped(&mut self, state: &State, stopped: &Stopped) -> Option<Timestamp> {
        let end = end_of(state, stopped.job, (stopped.route, stopped.since));
        if let Some(end) = end {
            let known = self.ends.remove(&(end, stopped.job));
            debug_assert!(known.is_some(), "a job stops that was forgotten");
        }
        end
    }

    /// Forgets some jobs, whether they run or not. None of them stops any more.
    pub(crate) fn forget(&mut self, jobs: &[JobId]) {
        let jobs: BTreeSet<JobId> = jobs.iter().copied().collect();
        self.ends.retain(|(_, job), _| !jobs.contains(job));
    }

    /// Whether a job has run past its end.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.first_after(None).is_some_and(|end| end <= now)
    }

    /// The next instant at which time alone may change a plan: the end of a job, or, while another is overdue and so
    /// taken to end at the next instant, the instant before.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let first = self.first_after(None)?;
        if first > now {
            return Some(first);
        }
        let end = self.first_after(Some(next_instant(now)))?;
        Some(Timestamp::from_millis(end.as_millis().saturating_sub(1)))
    }

    /// The jobs by when they end, from now on; at the end of time, whoever is late never does.
    pub(crate) fn ends(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, JobId, RouteId)> + '_ {
        let next = next_instant(now);
        let ends = self.ends.iter().map(move |((end, job), route)| ((*end).max(next), *job, *route));
        ends.filter(move |(end, ..)| *end > now)
    }

    /// The jobs that end after an instant, if it is given, by when they do.
    pub(crate) fn after(
        &self,
        at: Option<Timestamp>,
    ) -> impl Iterator<Item = (Timestamp, JobId, RouteId)> + '_ {
        self.ends.range(from_after(at)..).map(|((end, job), route)| (*end, *job, *route))
    }

    /// The first end after an instant, or of all.
    pub(crate) fn first_after(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        let (first, _) = *self.ends.first_key_value()?.0;
        // Hardly ever does anybody run past its end.
        if at.is_none_or(|at| first > at) { Some(first) } else { self.after(at).next().map(|(end, ..)| end) }
    }

    /// The last end before an instant.
    pub(crate) fn last_before(&self, at: Timestamp) -> Option<Timestamp> {
        self.ends.range(..(at, JobId::new(0, 0))).next_back().map(|((end, _), _)| *end)
    }
}

/// Where the ends after an instant begin, or all.
fn from_after(at: Option<Timestamp>) -> (Timestamp, JobId) {
    (at.map_or(Timestamp::MIN, next_instant), JobId::new(0, 0))
}

/// The instant after one.
pub(crate) fn next_instant(now: Timestamp) -> Timestamp {
    now.checked_add(Millis::new(1)).unwrap_or(Timestamp::MAX)
}

/// When a job ends that runs, or ran, by a route since a time.
fn end_of(state: &State, job: JobId, (route, since): (RouteId, Timestamp)) -> Option<Timestamp> {
    end_after(since, state.spec(job).limit_or_estimate(), state.routes.route(route))
}

/// When a job ends that starts at `since`; `None`: never. The end of time is never too: nothing can come after it.
pub(crate) fn end_after(since: Timestamp, length: Option<Millis>, route: &Route) -> Option<Timestamp> {
    let end = since.checked_add(Millis::new(route.takes(length?.get())?));
    end.filter(|end| *end < Timestamp::MAX)
}

/// A place and a time at which a blocked job can start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reservation {
    pub(crate) job: JobId,
    pub(crate) route: RouteId,
    /// When, at the earliest.
    pub(crate) start: Timestamp,
    /// On which nodes, sorted; none in a divisible pool.
    pub(crate) nodes: Vec<NodeId>,
    /// In a divisible pool, what is free then beside the job.
    pub(crate) spare: Resources,
}

impl Reservation {
    /// Whether nobody has room beside it, however long he takes, who has none beside `other`.
    pub(crate) fn leaves_no_more_than(&self, other: &Self) -> bool {
        let keeps = |node| self.nodes.binary_search(node).is_ok();
        other.nodes.iter().all(keeps) && self.spare.fits_in(&other.spare)
    }

    /// The greatest length at full speed, in milliseconds, of a job that ends before the start when it starts now by
    /// `route`; `None` where no job does.
    pub(crate) fn longest_before(&self, now: Timestamp, route: &Route) -> Option<u64> {
        let window = self.start.since(now).get();
        // Before it computes, it moves data.
        let computes = window.checked_sub(route.moving.get())?;
        let longest = if route.speed_milli == crate::FULL_SPEED {
            computes
        } else {
            let longest =
                u128::from(computes) * u128::from(route.speed_milli) / u128::from(crate::FULL_SPEED);
            u64::try_from(longest).unwrap_or(u64::MAX)
        };
        // The largest number stands for a job that never ends.
        (window > 0).then_some(longest.min(u64::MAX - 1))
    }
}
