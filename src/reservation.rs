//! Reservation: where and when a blocked job can start, if every running job ends when it said it would.
//!
//! A job ends at its start plus its time limit, else its estimate, at the speed of the alternative by which it runs and
//! rounded up; one that is past that ends at the next instant, and one without either never does.
//! Absent on purpose: which job is blocked, and what may pass it (see `policy`). Layer 3; uses `state`, `ledger`.

use std::collections::BTreeMap;

use crate::id::{JobId, NodeId};
use crate::placement;
use crate::resources::Resources;
use crate::room::Room;
use crate::route::{Route, RouteId};
use crate::state::{State, Status};
use crate::time::{Millis, Timestamp};

/// The running jobs of one pool by when they end, and all of them by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Timetable {
    ends: BTreeMap<(Timestamp, JobId), RouteId>,
    /// When each ends, if ever, and what it holds.
    runs: BTreeMap<JobId, (Option<Timestamp>, RouteId)>,
}

impl Timetable {
    /// Notes a job that has started; when it ends, if ever.
    pub(crate) fn started(&mut self, state: &State, job: JobId) -> Option<Timestamp> {
        let Status::Running { route, since, .. } = state.alive(job).status else { return None };
        let end = end_after(since, state.alive(job).spec.limit_or_estimate(), state.routes.route(route));
        self.runs.insert(job, (end, route));
        if let Some(end) = end {
            self.ends.insert((end, job), route);
        }
        end
    }

    /// Forgets a job that runs no longer; when it would have ended, and what it held.
    pub(crate) fn stopped(&mut self, job: JobId) -> Option<(Option<Timestamp>, RouteId)> {
        let (end, route) = self.runs.remove(&job)?;
        if let Some(end) = end {
            self.ends.remove(&(end, job));
        }
        Some((end, route))
    }

    /// Whether a job has run past its end.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.ends.first_key_value().is_some_and(|((end, _), _)| *end <= now)
    }

    /// The next instant at which time alone may change a plan: the end of a job, or, while another is overdue and so
    /// taken to end at the next instant, the instant before.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_overdue(now) {
            return self.ends.first_key_value().map(|((end, _), _)| *end);
        }
        let later = next_instant(next_instant(now));
        let ((end, _), _) = self.ends.range((later, JobId::new(0, 0))..).next()?;
        Some(Timestamp::from_millis(end.as_millis().saturating_sub(1)))
    }

    /// The jobs by when they end, from now on.
    pub(crate) fn ends(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, JobId, RouteId)> + '_ {
        let next = next_instant(now);
        self.ends.iter().map(move |((end, job), route)| ((*end).max(next), *job, *route))
    }

    /// What the jobs hold together that end after one instant and not after another.
    fn held_until(&self, state: &State, after: Timestamp, until: Timestamp) -> Option<Resources> {
        let from = (next_instant(after), JobId::new(0, 0));
        let here = self.ends.range(from..).take_while(|((end, _), _)| *end <= until);
        let mut totals = here.map(|(_, route)| state.routes.route(*route).total);
        totals.try_fold(Resources::new(), |sum, total| sum.checked_add(&total))
    }

    /// The last end before an instant.
    fn last_before(&self, at: Timestamp) -> Option<Timestamp> {
        self.ends.range(..(at, JobId::new(0, 0))).next_back().map(|((end, _), _)| *end)
    }
}

/// The instant after one.
pub(crate) fn next_instant(now: Timestamp) -> Timestamp {
    now.checked_add(Millis::new(1)).unwrap_or(Timestamp::MAX)
}

/// When a job ends that starts at `since`; `None`: never.
pub(crate) fn end_after(since: Timestamp, length: Option<Millis>, route: &Route) -> Option<Timestamp> {
    let work = u128::from(length?.get()) * u128::from(crate::FULL_SPEED);
    let length = work.div_ceil(u128::from(route.speed_milli.max(1)));
    since.checked_add(Millis::new(u64::try_from(length).ok()?))
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
    /// The earliest start of a job by a route; `None` where running jobs that never end leave no room.
    pub(crate) fn earliest(
        state: &State,
        job: JobId,
        route_id: RouteId,
        timetable: &Timetable,
    ) -> Option<Self> {
        let route = state.routes.route(route_id);
        let made = |(start, nodes, spare)| Self { job, route: route_id, start, nodes, spare };
        if state.ledger.pool(route.pool).is_divisible() {
            earliest_amount(state, route, timetable).map(made)
        } else {
            earliest_nodes(state, route, timetable).map(made)
        }
    }

    /// The same in a divisible pool where jobs have started and stopped, but its capacity is as it was: `free_then` is what
    /// is free now at the instant of this one. Looks only at the jobs that end where it moves to; `None` where it must be
    /// worked out from the beginning.
    pub(crate) fn moved(&self, state: &State, timetable: &Timetable, free_then: Resources) -> Option<Self> {
        let route = state.routes.route(self.route);
        let free = *state.ledger.pool(route.pool).free();
        let next = next_instant(state.now);
        let (mut start, mut free_then) = (self.start, free_then);
        if start < next {
            // Whoever should have ended by now is taken to end at the next instant.
            free_then = free_then.checked_add(&timetable.held_until(state, start, next)?)?;
            start = next;
        }
        let fits = |free: &Resources| route.total.fits_in(free);
        while fits(&free_then) {
            if start == next {
                (start, free_then) = if fits(&free) { (state.now, free) } else { (start, free_then) };
                break;
            }
            let just_before = Timestamp::from_millis(start.as_millis().saturating_sub(1));
            let before = free_then.checked_sub(&timetable.held_until(state, just_before, start)?)?;
            if !fits(&before) {
                break;
            }
            let earlier = timetable.last_before(start).map(|end| (end.max(next), before));
            (start, free_then) = earlier.unwrap_or((state.now, free));
            if start == state.now {
                break;
            }
        }
        let spare = free_then.checked_sub(&route.total)?;
        Some(Self { start, spare, ..self.clone() })
    }

    /// Whether somebody may pass it who may not pass `other`.
    pub(crate) fn is_looser_than(&self, other: &Self) -> bool {
        let covers = other.nodes.iter().all(|node| self.nodes.binary_search(node).is_ok());
        self.job != other.job || self.start > other.start || !covers || !self.spare.fits_in(&other.spare)
    }

    /// The greatest length at full speed, in milliseconds, of a job that ends before the start when it starts now by
    /// `route`; `None` where no job does.
    pub(crate) fn longest_before(&self, now: Timestamp, route: &Route) -> Option<u64> {
        let window = self.start.since(now).get();
        let longest = if route.speed_milli == crate::FULL_SPEED {
            window
        } else {
            let longest = u128::from(window) * u128::from(route.speed_milli) / u128::from(crate::FULL_SPEED);
            u64::try_from(longest).unwrap_or(u64::MAX)
        };
        // The largest number stands for a job that never ends.
        (window > 0).then_some(longest.min(u64::MAX - 1))
    }
}

type Found = (Timestamp, Vec<NodeId>, Resources);

/// When a divisible pool has the amount free.
fn earliest_amount(state: &State, route: &Route, timetable: &Timetable) -> Option<Found> {
    let mut free = *state.ledger.pool(route.pool).free();
    let mut at = state.now;
    let mut ends = timetable.ends(state.now).peekable();
    loop {
        // All that ends at one instant is free from then on.
        while let Some((_, _, route)) = ends.next_if(|(end, ..)| *end <= at) {
            free = free.checked_add(&state.routes.route(route).total)?;
        }
        if let Some(spare) = free.checked_sub(&route.total) {
            return Some((at, Vec::new(), spare));
        }
        at = ends.peek()?.0;
    }
}

/// When enough nodes have room for a worker each, or several.
fn earliest_nodes(state: &State, route: &Route, timetable: &Timetable) -> Option<Found> {
    let pool = state.ledger.pool(route.pool);
    // Nodes on which somebody has ended by then.
    let mut freed: Vec<(NodeId, Room)> = Vec::new();
    // How many workers have room together: by domain, where all must be in one.
    let group = |node: NodeId| if route.confined { pool.domain_of(node) } else { 0 };
    let mut slots = vec![0_u64; if route.confined { pool.domain_count() } else { 1 }];
    for (node, free) in pool.nodes() {
        let here = &mut slots[group(node)];
        *here = here.saturating_add(free.times(&route.request));
    }
    let mut most = slots.iter().copied().max().unwrap_or(0);
    let mut at = state.now;
    let mut ends = timetable.ends(state.now).peekable();
    loop {
        while let Some((_, job, its)) = ends.next_if(|(end, ..)| *end <= at) {
            let request = state.routes.route(its).request;
            for span in state.spans(job) {
                let at = match freed.binary_search_by_key(&span.node, |(node, _)| *node) {
                    Ok(known) => known,
                    Err(new) => {
                        freed.insert(new, (span.node, pool.free_on(span.node)?.clone()));
                        new
                    }
                };
                let free = &mut freed[at].1;
                let before = free.times(&route.request);
                free.give(&request, span.workers, span.device);
                let here = &mut slots[group(span.node)];
                *here = here.saturating_sub(before).saturating_add(free.times(&route.request));
                most = most.max(*here);
            }
        }
        if most >= u64::from(route.workers) {
            let mut later = freed.iter().peekable();
            let free = pool.nodes().map(|(node, now)| match later.next_if(|(freed, _)| *freed == node) {
                Some((_, then)) => (node, then),
                None => (node, now),
            });
            let spans = placement::find_among(pool, route, free)?;
            let mut nodes: Vec<NodeId> = spans.iter().map(|span| span.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            return Some((at, nodes, Resources::new()));
        }
        at = ends.peek()?.0;
    }
}
