//! Trial: whether what is needed is enough, and how small each amount of it can be.
//!
//! Absent on purpose: what is needed at first (see `remedy`). Layer 6; uses `state`, `quota`.

use super::{Kept, free_with};
use crate::explain::Need;
use crate::id::NodeId;
use crate::ledger::PoolState;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::Room;
use crate::route::Route;
use crate::state::State;
use crate::tree::MemberId;

/// Makes each amount as small as it can be, one after the other: what is enough stays so when more is given.
pub(super) fn minimize(state: &State, leaf: MemberId, route: &Route, kept: &Kept, needs: &mut Vec<Need>) {
    let (shape, pool) = (route.shape, route.pool);
    let routes = state.routes.shape(shape).routes().map(|route| state.routes.route(route));
    let mut trials: Vec<Trial<'_>> = routes
        .filter(|route| route.pool == pool)
        .map(|route| Trial::new(state, leaf, (route, kept), needs))
        .collect();
    let mut given = needs.iter().filter_map(room_of).fold(Resources::new(), plus);
    for at in 0..needs.len() {
        let (mut low, mut high) = (0, needs[at].amount().get());
        let own = room_of(&needs[at]).into_iter().fold(Resources::new(), plus);
        let others = given.checked_sub(&own).unwrap_or_default();
        // Mostly it is as small as it can be already.
        let mut middle = high.saturating_sub(1);
        while low < high {
            needs[at].set_amount(Quantity::new(middle));
            if trials.iter().any(|trial| trial.is_enough(needs, at, others)) {
                high = middle;
            } else {
                low = middle + 1;
            }
            middle = low + (high - low) / 2;
        }
        needs[at].set_amount(Quantity::new(high));
        for trial in &mut trials {
            trial.note(needs, at);
        }
        given = room_of(&needs[at]).into_iter().fold(others, plus);
    }
    needs.retain(|need| need.amount() > Quantity::ZERO);
}

/// Whether a route would do with what is needed, kept up to date need by need: another amount on one node is looked at
/// there alone.
struct Trial<'a> {
    state: &'a State,
    leaf: MemberId,
    route: &'a Route,
    kept: &'a Kept,
    /// What must be free in all: what is asked, and what others keep.
    wanted: Vec<(ResourceKind, Option<Quantity>)>,
    nodes: u32,
    /// Workers that have room: by node, and together in each domain, or on all nodes where they need not lie in one.
    hosted: Vec<u64>,
    together: Vec<u64>,
    /// How many of the latter hold all workers.
    hold_all: usize,
}

impl<'a> Trial<'a> {
    fn new(state: &'a State, leaf: MemberId, (route, kept): (&'a Route, &'a Kept), needs: &[Need]) -> Self {
        let wanted = route.total.iter().map(|asked| (asked.0, kept.wanted(state, (leaf, route), asked)));
        let wanted = wanted.collect();
        let (hosted, together) = (Vec::new(), Vec::new());
        let mut new = Self { state, leaf, route, kept, wanted, nodes: 0, hosted, together, hold_all: 0 };
        new.count(needs);
        new
    }

    fn pool(&self) -> &'a PoolState {
        self.state.ledger.pool(self.route.pool)
    }

    /// Counts all workers anew.
    fn count(&mut self, needs: &[Need]) {
        let pool = self.pool();
        self.nodes = nodes_needed(needs);
        if pool.is_divisible() {
            return;
        }
        let nodes = pool.nodes_and_more(self.nodes);
        let hosted: Vec<(NodeId, u64)> = nodes.map(|(node, _)| (node, self.room_on(needs, node))).collect();
        self.hosted = vec![0; pool.nodes_configured() as usize];
        self.together = vec![0; if self.route.confined { pool.domain_count().max(1) } else { 1 }];
        for (node, workers) in hosted {
            self.hosted[node.index()] = workers;
            let domain = self.domain(node);
            self.together[domain] = self.together[domain].saturating_add(workers);
        }
        self.hold_all = self.together.iter().filter(|workers| self.is_all(**workers)).count();
    }

    fn is_all(&self, workers: u64) -> bool {
        workers >= u64::from(self.route.workers)
    }

    fn domain(&self, node: NodeId) -> usize {
        if self.route.confined { self.pool().domain_of(node) } else { 0 }
    }

    /// How many workers a node has room for with what is needed on it.
    fn room_on(&self, needs: &[Need], node: NodeId) -> u64 {
        let pool = self.pool();
        if self.kept.has(node) {
            return 0;
        }
        let mut free = match (pool.free_on(node), given_to(needs, node)) {
            (Some(free), []) => return free.times(&self.route.request),
            (free, _) => free.cloned().unwrap_or_else(|| Room::of_node(pool.node_capacity())),
        };
        for need in given_to(needs, node) {
            match need {
                Need::Room { kind, amount, .. } => free.gain(*kind, *amount),
                Need::Device { device, amount, .. } => free.gain_on(*device, *amount),
                _ => {}
            }
        }
        free.times(&self.route.request)
    }

    /// What a domain holds if a node has room for so many workers.
    fn with(&self, node: NodeId, workers: u64) -> u64 {
        let others = self.together[self.domain(node)].saturating_sub(self.hosted[node.index()]);
        others.saturating_add(workers)
    }

    /// Whether the needs are enough, of which the one at a position has changed since it was noted; what the others add to
    /// what is free in all is known.
    fn is_enough(&self, needs: &[Need], at: usize, others: Resources) -> bool {
        let pool = self.pool();
        let given = room_of(&needs[at]).into_iter().fold(others, plus);
        let free = free_with(pool, nodes_needed(needs)).and_then(|free| free.checked_add(&given));
        let Some(free) = free else { return false };
        let leaves_kept =
            self.wanted.iter().all(|(kind, wanted)| wanted.is_some_and(|wanted| wanted <= free[*kind]));
        let hosts = || match (node_of(&needs[at]), needs[at]) {
            (Some(node), _) => {
                let domain = self.together[self.domain(node)];
                let elsewhere = self.hold_all > usize::from(self.is_all(domain));
                elsewhere || self.is_all(self.with(node, self.room_on(needs, node)))
            }
            (None, Need::Nodes { .. }) => {
                Trial::new(self.state, self.leaf, (self.route, self.kept), needs).hold_all > 0
            }
            _ => self.hold_all > 0,
        };
        leaves_kept && self.is_allowed(needs) && (pool.is_divisible() || hosts())
    }

    /// The need at a position stays as it is now.
    fn note(&mut self, needs: &[Need], at: usize) {
        if let Some(node) = node_of(&needs[at]) {
            let workers = self.room_on(needs, node);
            let (domain, sum) = (self.domain(node), self.with(node, workers));
            self.hold_all -= usize::from(self.is_all(self.together[domain]));
            self.hold_all += usize::from(self.is_all(sum));
            self.together[domain] = sum;
            self.hosted[node.index()] = workers;
        } else if matches!(needs[at], Need::Nodes { .. }) {
            self.count(needs);
        }
    }

    /// Whether no limit stands in the way any longer.
    fn is_allowed(&self, needs: &[Need]) -> bool {
        let Self { state, leaf, route, .. } = *self;
        state.tree.path(leaf).all(|member| {
            let mut excess = state.quotas.excess(member, route).into_iter();
            let raised = |need: &Need, wanted| match need {
                Need::Limit { team, kind, amount } => {
                    state.tree.member(member).team == Some(*team)
                        && state.tree.node(*team) == Some(member)
                        && *kind == wanted
                        && *amount > Quantity::ZERO
                }
                _ => false,
            };
            // Limits stand behind all rooms.
            let limits = needs.iter().rev().take_while(|need| room_of(need).is_none());
            excess.all(|(kind, over)| limits.clone().any(|need| raised(need, kind) && need.amount() >= over))
        })
    }
}

/// What a need adds to what is free in all.
fn room_of(need: &Need) -> Option<(ResourceKind, Quantity)> {
    match need {
        Need::Room { kind, amount, .. } => Some((*kind, *amount)),
        Need::Device { amount, .. } => Some((ResourceKind::GPU, *amount)),
        _ => None,
    }
}

/// The node on which something is needed.
fn node_of(need: &Need) -> Option<NodeId> {
    match need {
        Need::Room { node, .. } => *node,
        Need::Device { node, .. } => Some(*node),
        _ => None,
    }
}

/// How many nodes more must be up: the last need, if any are.
fn nodes_needed(needs: &[Need]) -> u32 {
    match needs.last() {
        Some(Need::Nodes { amount }) => u32::try_from(amount.get()).unwrap_or(u32::MAX),
        _ => 0,
    }
}

fn plus(sum: Resources, (kind, amount): (ResourceKind, Quantity)) -> Resources {
    sum.with(kind, sum[kind].checked_add(amount).unwrap_or(sum[kind]))
}

/// What is needed on a node: the needs stand by node, and those of no node behind them.
fn given_to(needs: &[Need], node: NodeId) -> &[Need] {
    let from = needs.partition_point(|need| node_of(need).is_some_and(|at| at < node));
    let until = needs.partition_point(|need| node_of(need).is_some_and(|at| at <= node));
    &needs[from..until]
}
