//! Supposed: whether a waiting job starts once it has what it needs, and who must be out of its way, found out on copies.
//!
//! Room that is needed is given as if those had ended that end first, each of whom all is covered of what is needed where he
//! runs: nothing is expected of their ends any more. What is left is free for good. What their teams hold stays as it is.
//! Absent on purpose: what is needed at first (see `remedy`). Layer 6; uses `scheduler`, `state`, `ledger`.

use std::collections::BTreeMap;

use super::{Kept, needs_of};
use crate::decision::Decision;
use crate::explain::{Need, Remedy};
use crate::id::{JobId, NodeId, PoolId};
use crate::ledger::Span;
use crate::quantity::Quantity;
use crate::reservation::{Reservation, end_after};
use crate::resources::{ResourceKind, Resources};
use crate::room::part_of;
use crate::route::{Route, RouteId};
use crate::scheduler::Scheduler;
use crate::scheduler::standing::own_order;
use crate::state::Status;
use crate::time::{Millis, Timestamp};

/// More amounts than this are not tried one by one.
const MANY: usize = 32;

/// What is to become free at one place: amounts, and on shared devices.
#[derive(Clone, Default, Debug)]
struct Gain {
    amounts: Resources,
    devices: BTreeMap<u32, u64>,
}

impl Gain {
    fn add(&mut self, need: &Need) {
        match *need {
            Need::Room { kind, amount, .. } => {
                let sum = self.amounts[kind].checked_add(amount).unwrap_or(amount);
                self.amounts = self.amounts.with(kind, sum);
            }
            Need::Device { device, amount, .. } => {
                let sum = self.devices.entry(device).or_default();
                *sum = sum.saturating_add(amount.get());
            }
            _ => {}
        }
    }

    /// What is left of it without what a job has here, of what was to become free at first; `None` where the job has more.
    fn without(mut self, at_first: &Self, request: &Resources, span: Span) -> Option<Self> {
        let part = span.device.map_or(0, |_| part_of(request)).saturating_mul(u64::from(span.workers));
        let mut held = request.checked_mul(u64::from(span.workers))?;
        if let Some(device) = span.device {
            let whole = held[ResourceKind::GPU].get().saturating_sub(part);
            held = held.with(ResourceKind::GPU, Quantity::new(whole));
            if at_first.devices.contains_key(&device) {
                let left = self.devices.get_mut(&device)?;
                *left = left.checked_sub(part)?;
            }
        }
        for (kind, amount) in held.iter().filter(|(kind, _)| at_first.amounts[*kind] > Quantity::ZERO) {
            self.amounts = self.amounts.with(kind, self.amounts[kind].checked_sub(amount)?);
        }
        Some(self)
    }
}

type Gains = BTreeMap<Option<NodeId>, Gain>;

/// What is left of gains, where a job runs, without what it has; `None` where it has more than is to become free there, or
/// nothing of it.
fn covered(gains: &Gains, at_first: &Gains, route: &Route, spans: &[Span]) -> Option<Gains> {
    let mut left = Gains::new();
    let whole = [Span { node: NodeId::new(0), workers: route.workers, device: None }];
    let is_divisible = gains.contains_key(&None);
    let mut has_any = false;
    for span in if is_divisible { &whole } else { spans } {
        let place = Some(span.node).filter(|_| !is_divisible);
        let here = left.get(&place).or_else(|| gains.get(&place))?;
        let rest = here.clone().without(at_first.get(&place)?, &route.request, *span)?;
        has_any |= rest.amounts != here.amounts || rest.devices != here.devices;
        left.insert(place, rest);
    }
    has_any.then_some(left)
}

impl Scheduler {
    /// From now on so much more is free, allowed and up as is needed in a pool.
    fn give(&mut self, pool: PoolId, needs: &[Need]) -> Option<Timestamp> {
        let mut at = self.state.now;
        let mut gains = Gains::new();
        for need in needs {
            match *need {
                Need::Room { node, .. } => gains.entry(node).or_default().add(need),
                Need::Device { node, .. } => gains.entry(Some(node)).or_default().add(need),
                Need::Limit { team, kind, amount } => {
                    self.state.quotas.allow(self.state.tree.node(team)?, (pool, kind), amount);
                }
                Need::Budget { team, more } => self.state.budgets.allow(self.state.tree.node(team)?, more),
                Need::Nodes { amount } => self.bring_up(pool, u32::try_from(amount.get()).ok()?),
                Need::Wait { amount } => at = at.checked_add(Millis::new(amount.get()))?,
                Need::Turn { .. } => {}
            }
        }
        self.free_up(pool, &gains);
        // Time that passes, and others who are gone, are no event of the pool: whoever was stopped stops nobody yet.
        if needs.iter().any(|need| !matches!(need, Need::Wait { .. } | Need::Turn { .. })) {
            self.policy.resized(&self.state, pool);
        }
        Some(at)
    }

    /// The first nodes that are down come up.
    fn bring_up(&mut self, pool: PoolId, more: u32) {
        let known = self.state.ledger.pool(pool);
        if known.is_divisible() {
            let up = known.nodes_up().saturating_add(more);
            self.state.ledger.set_nodes_up(pool, up);
            return;
        }
        let nodes = (0..known.nodes_configured()).map(NodeId::new);
        let down: Vec<NodeId> = nodes.filter(|node| !known.is_up(*node)).take(more as usize).collect();
        for node in down {
            self.state.ledger.set_node(pool, node, true);
        }
    }

    fn free_up(&mut self, pool: PoolId, at_first: &Gains) {
        let state = &mut self.state;
        let mut running: Vec<(Timestamp, JobId, RouteId)> = Vec::new();
        for (id, job) in state.jobs() {
            let Status::Running { route, since, .. } = job.status() else { continue };
            let its = state.routes.route(route);
            if its.pool == pool {
                let end = end_after(since, state.spec(id).limit_or_estimate(), its);
                running.push((end.unwrap_or(Timestamp::MAX), id, route));
            }
        }
        running.sort_unstable();
        let (mut left, mut gone, mut others) = (at_first.clone(), Vec::new(), Vec::new());
        for (_, job, route) in running {
            let spans: Vec<Span> = state.spans(job).collect();
            let its = state.routes.route(route);
            if let Some(rest) = covered(&left, at_first, its, &spans) {
                left.extend(rest);
                state.ledger.release(pool, &its.request, &its.total, &spans);
                gone.push(job);
            } else {
                others.push((job, its.request, spans));
            }
        }
        for (node, gain) in left {
            // Whose part of a device is free in part has nothing to give back.
            for (device, amount) in &gain.devices {
                let on_it = |span: &&Span| Some(span.node) == node && span.device == Some(*device);
                let mut parts = 0;
                for (job, request, spans) in &others {
                    let workers: u32 = spans.iter().filter(on_it).map(|span| span.workers).sum();
                    if workers > 0 && parts < *amount {
                        parts += part_of(request) * u64::from(workers);
                        gone.push(*job);
                    }
                }
            }
            let devices: Vec<(u32, Quantity)> =
                gain.devices.into_iter().map(|(device, amount)| (device, Quantity::new(amount))).collect();
            state.ledger.free_up(pool, node, &gain.amounts, &devices);
        }
        self.policy.suppose(pool, &gone);
    }

    /// Whether a job starts in the next cycle, before anybody is stopped for another, with what it needs in a pool and
    /// without some of those that wait.
    fn starts_with(&self, job: JobId, gone: &[JobId], pool: PoolId, needs: &[Need]) -> bool {
        let mut trial = self.clone();
        let withdrawn = gone.iter().all(|other| trial.cancel(self.state.now, *other).is_ok());
        let at = if self.policy.can_suppose() { trial.give(pool, needs) } else { Some(self.state.now) };
        let Some(at) = at.filter(|_| withdrawn) else { return false };
        let decided = trial.schedule(at);
        let starts = |decision: &Decision| matches!(decision, Decision::Start { job: id, .. } if *id == job);
        decided.is_ok_and(|decided| decided.iter().any(starts))
    }

    /// Those that may be in the way of a job, the first first: who waits for its pools, and where nothing may pass a job of its
    /// own team, who stands before it there.
    fn in_front_of(&self, job: JobId) -> Vec<JobId> {
        let state = &self.state;
        let known = state.alive(job);
        let stands_before = |other: JobId| {
            self.policy.first_alone()
                && state.alive(other).leaf == known.leaf
                && own_order(state, other) < own_order(state, job)
        };
        let counts =
            |other: JobId| self.competes(known.shape, state.alive(other).shape) || stands_before(other);
        self.queue().into_iter().filter(|other| *other != job && counts(*other)).collect()
    }

    /// Who must be out of the way of a job, of those that may be, and what it needs beside what is kept.
    pub(super) fn order_remedies(&self, job: JobId, found: &mut Vec<Remedy>) {
        let others = self.in_front_of(job);
        if !self.policy.can_suppose() {
            for remedy in found.iter_mut().filter(|remedy| remedy.needs.is_empty()) {
                if let Some(gone) = self.gone_for(job, &others, remedy) {
                    remedy.needs.extend(turn(&others, gone));
                }
            }
            return;
        }
        let mut beside = Vec::new();
        found.retain_mut(|remedy| {
            let Some(gone) = self.gone_for(job, &others, remedy) else { return false };
            if gone > 0 {
                beside.extend(self.beside(job, remedy));
            }
            remedy.needs.extend(turn(&others, gone));
            true
        });
        self.drop_what_helps_elsewhere(job, &others, found);
        for remedy in beside {
            if !found.contains(&remedy) {
                found.push(remedy);
            }
        }
    }

    /// How many of the others, the first first, must be gone; `None` where it would not start without any of them.
    fn gone_for(&self, job: JobId, others: &[JobId], remedy: &Remedy) -> Option<usize> {
        let starts = |without: usize| self.starts_with(job, &others[..without], remedy.pool, &remedy.needs);
        if starts(0) {
            return Some(0);
        }
        let (mut lower, mut upper) = (0, others.len());
        if upper == 0 || !starts(upper) {
            return None;
        }
        while upper - lower > 1 {
            let middle = lower + (upper - lower) / 2;
            if starts(middle) {
                upper = middle;
            } else {
                lower = middle;
            }
        }
        Some(upper)
    }

    /// Where a job has room in one pool, more of it in another may help only because others go there: as much of that as is
    /// needed is found by trying, and what helps no more than the others being gone is no remedy.
    fn drop_what_helps_elsewhere(&self, job: JobId, others: &[JobId], found: &mut Vec<Remedy>) {
        let room = |need: &Need| !matches!(need, Need::Turn { .. } | Need::Wait { .. } | Need::Budget { .. });
        let has_room: Vec<PoolId> =
            found.iter().filter(|remedy| !remedy.needs.iter().any(room)).map(|remedy| remedy.pool).collect();
        found.retain_mut(|remedy| {
            if has_room.is_empty() || has_room.contains(&remedy.pool) {
                return true;
            }
            let mut gone = gone_in(&remedy.needs);
            loop {
                let Remedy { pool, needs, .. } = &mut *remedy;
                if !self.lower(job, &others[..gone], *pool, needs) || !needs.iter().any(room) {
                    return false;
                }
                // With less room fewer must be gone: they cannot take it either.
                let fewer = &others[..gone.saturating_sub(1)];
                if gone == 0 || !self.starts_with(job, fewer, *pool, needs) {
                    return true;
                }
                let Some(again) = self.gone_for(job, fewer, remedy) else { return false };
                gone = again;
                remedy.needs.retain(|need| !matches!(need, Need::Turn { .. }));
                remedy.needs.extend(turn(others, gone));
            }
        });
    }

    /// Makes each amount as small as it can be with the others as they are; `false` where there are too many to be tried.
    fn lower(&self, job: JobId, gone: &[JobId], pool: PoolId, needs: &mut Vec<Need>) -> bool {
        if needs.len() > MANY {
            return false;
        }
        loop {
            let mut is_lower = false;
            for at in 0..needs.len() {
                let amount = needs[at].amount().get();
                if amount == 0 || matches!(needs[at], Need::Turn { .. }) {
                    continue;
                }
                let mut starts = |amount: u64| {
                    needs[at].set_amount(Quantity::new(amount));
                    self.starts_with(job, gone, pool, needs)
                };
                let (mut lower, mut upper) = (0, amount);
                if starts(amount - 1) {
                    upper = if starts(0) { 0 } else { amount - 1 };
                    while upper > 0 && upper - lower > 1 {
                        let middle = lower + (upper - lower) / 2;
                        if starts(middle) {
                            upper = middle;
                        } else {
                            lower = middle;
                        }
                    }
                    is_lower = true;
                }
                needs[at].set_amount(Quantity::new(upper));
            }
            needs.retain(|need| need.amount() > Quantity::ZERO);
            if !is_lower {
                return true;
            }
        }
    }

    /// What a job needs in the pool of a remedy beside what is kept there for another, so that nobody need be gone.
    fn beside(&self, job: JobId, remedy: &Remedy) -> Option<Remedy> {
        let state = &self.state;
        let known = state.alive(job);
        let mut routes = state.routes.shape(known.shape).routes();
        let (route, held) = routes.find_map(|id| {
            let route = state.routes.route(id);
            let here = route.pool == remedy.pool && route.alternative == remedy.alternative;
            Some((route, self.policy.in_the_way(state, job, id).filter(|_| here)?))
        })?;
        for kept in self.kept_for(held, route) {
            let Some(mut needs) = needs_of(state, known.leaf, route, &kept) else { continue };
            needs.extend(self.common(job));
            if self.starts_with(job, &[], remedy.pool, &needs)
                && self.lower(job, &[], remedy.pool, &mut needs)
            {
                return Some(Remedy { needs, beside: Some(held.job), ..remedy.clone() });
            }
        }
        None
    }

    /// What is kept by a reservation: its nodes; in a divisible pool what it needs then of what is free now, or, where it
    /// starts sooner by what becomes free, all of it, or, where others do too, whatever there is.
    fn kept_for(&self, held: &Reservation, route: &Route) -> Vec<Kept> {
        let pool = self.state.ledger.pool(route.pool);
        if !pool.is_divisible() {
            return vec![Kept { nodes: held.nodes.clone(), amounts: Resources::new() }];
        }
        let mut then = Resources::new();
        for (kind, _) in route.total.iter() {
            then = then.with(kind, pool.free()[kind].checked_sub(held.spare[kind]).unwrap_or_default());
        }
        let all = self.state.routes.route(held.route).total;
        let any = pool.free().checked_add(pool.taken()).and_then(|any| any.checked_sub(&route.total));
        [then, all, any.unwrap_or_default()].map(|amounts| Kept { nodes: Vec::new(), amounts }).into()
    }
}

/// That so many of the others must be gone, if any.
fn turn(others: &[JobId], gone: usize) -> Option<Need> {
    let last = *others.get(gone.checked_sub(1)?)?;
    Some(Need::Turn { amount: Quantity::new(u64::try_from(gone).ok()?), last })
}

/// How many others must be gone.
fn gone_in(needs: &[Need]) -> usize {
    let turns = needs.iter().map(|need| match need {
        Need::Turn { amount, .. } => usize::try_from(amount.get()).unwrap_or(usize::MAX),
        _ => 0,
    });
    turns.max().unwrap_or(0)
}
