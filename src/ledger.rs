//! Ledger: what is free and what is taken in every pool, and on every node of it.
//!
//! The only file that moves quantities. Nodes stand on *shelves* by how many units of the pool's scarce resource (GPUs,
//! else cores) they have free, in the order of their free cores, so that the node that fits best is found among few.
//!
//! Invariant: for every pool, free + taken = capacity of the nodes that are up, in total and on every node.
//! Absent on purpose: time, prices, teams, and who the jobs are. Layer 2; uses `id`, `room`, `pool`, `config`.
#![warn(clippy::arithmetic_side_effects)]

use core::ops::Range;
use std::collections::btree_set;
use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Placement, PolicySpec};
use crate::id::{IdVec, NodeId, PoolId};
use crate::pool::PoolSpec;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room};

/// So many counts a node are kept of shelves by domain at most.
const COUNTS_PER_NODE: usize = 16;
/// Most shelves of a pool; a node with more units shares shelves.
const MAX_SHELVES: u64 = 1024;

/// Some workers on one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) node: NodeId,
    pub(crate) workers: u32,
    /// The device on which the parts of GPUs lie that they ask; `None` where they ask whole ones.
    pub(crate) device: Option<u32>,
}

/// One node.
#[derive(Clone, Debug)]
struct Node {
    free: Room,
    up: bool,
}

/// What is true of one pool now.
#[derive(Clone, Debug)]
pub(crate) struct PoolState {
    /// What one node has.
    node: Resources,
    divisible: bool,
    configured: u32,
    up: u32,
    /// What is free in all; negative amounts cannot occur, because capacity is taken away only after eviction.
    free: Resources,
    taken: Resources,
    nodes: IdVec<NodeId, Node>,
    /// The resource that shelves count.
    scarce: ResourceKind,
    /// Amount of it that makes one shelf.
    unit: u64,
    /// Nodes that are up, by (free scarce units, free cores, number).
    shelves: Vec<BTreeSet<(Quantity, NodeId)>>,
    /// The number after the last node of each fabric domain; one where the pool is one domain.
    domain_ends: Vec<u32>,
    /// How many nodes of each domain stand on which shelf, domain by domain; none where the pool is one domain, and where
    /// domains are so small that the counts would be more than what they are about.
    by_domain: Vec<u32>,
    /// How many nodes have a device of which a part is taken.
    broken: usize,
    /// Counts allocations: what fitted at an equal count still fits.
    allocations: u64,
    placement: Placement,
    /// What nodes are drawn by: the seed, the number of the pool, and how many jobs have started.
    draw: [u64; 3],
    /// How many workers asked for what, where placement depends on it.
    demand: BTreeMap<Resources, u64>,
}

impl PoolState {
    fn new(spec: &PoolSpec, number: u64, policy: &PolicySpec) -> Option<Self> {
        let capacity = spec.node.checked_mul(u64::from(spec.nodes))?;
        let kinds = [ResourceKind::GPU, ResourceKind::CPU];
        let scarce =
            kinds.into_iter().find(|kind| spec.node[*kind] > Quantity::ZERO).unwrap_or(ResourceKind::MEMORY);
        let most = spec.node[scarce].get();
        let unit = if scarce.is_bytes() { most } else { 1_000 }.max(most.div_ceil(MAX_SHELVES)).max(1);
        let mut pool = Self {
            node: spec.node,
            divisible: spec.divisible,
            configured: spec.nodes,
            up: spec.nodes,
            free: capacity,
            taken: Resources::new(),
            nodes: IdVec::new(),
            scarce,
            unit,
            shelves: Vec::new(),
            domain_ends: domain_ends(spec),
            by_domain: Vec::new(),
            broken: 0,
            allocations: 0,
            placement: policy.placement,
            draw: [policy.seed, number, 0],
            demand: BTreeMap::new(),
        };
        if !spec.divisible {
            let shelves = usize::try_from(most.checked_div(unit)?).ok()?.checked_add(1)?;
            pool.shelves.resize_with(shelves, BTreeSet::new);
            let counts = shelves.checked_mul(pool.domain_count())?;
            if pool.domain_count() > 1 && counts <= (spec.nodes as usize).saturating_mul(COUNTS_PER_NODE) {
                pool.by_domain = vec![0; counts];
            }
            pool.nodes =
                (0..spec.nodes).map(|_| Node { free: Room::of_node(&spec.node), up: true }).collect();
            for number in 0..spec.nodes {
                pool.shelve(NodeId::new(number));
            }
        }
        Some(pool)
    }

    pub(crate) fn is_divisible(&self) -> bool {
        self.divisible
    }

    /// What one node has, or a divisible pool's part of that size.
    pub(crate) fn node_capacity(&self) -> &Resources {
        &self.node
    }

    /// Nodes that are up.
    pub(crate) fn nodes_up(&self) -> u32 {
        self.up
    }

    /// Whether a node is up.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.nodes.get(node).is_some_and(|node| node.up)
    }

    /// Every node that is up with what is free on it, and the first `more` of those that are down, in order.
    pub(crate) fn nodes_and_more(&self, more: u32) -> impl Iterator<Item = (NodeId, Option<&Room>)> {
        let mut left = more;
        let numbered = self.nodes.iter().enumerate().map(|(number, node)| (NodeId::at(number), node));
        numbered.filter_map(move |(number, node)| {
            if node.up {
                return Some((number, Some(&node.free)));
            }
            left = left.checked_sub(1)?;
            Some((number, None))
        })
    }

    /// Takes a node up or down that is empty; whether it was not so before. A divisible pool has no nodes.
    fn turn(&mut self, node: NodeId, up: bool) -> bool {
        if self.nodes.get(node).is_none_or(|known| known.up == up) {
            return false;
        }
        debug_assert!(*self.nodes[node].free.amounts() == self.node, "a node goes down under a job");
        if !up {
            self.unshelve(node);
        }
        self.nodes[node].up = up;
        if up {
            self.shelve(node);
        }
        true
    }

    /// From now on so many nodes are up.
    fn count_up(&mut self, up: u32) {
        let capacity = self.node.checked_mul(u64::from(up)).unwrap_or_default();
        debug_assert!(self.taken.fits_in(&capacity), "capacity falls below what is taken");
        self.free = capacity.checked_sub(&self.taken).unwrap_or_default();
        self.up = up;
        self.allocations = self.allocations.wrapping_add(1);
    }

    /// Nodes that the configuration names.
    pub(crate) fn nodes_configured(&self) -> u32 {
        self.configured
    }

    /// What is free in all.
    pub(crate) fn free(&self) -> &Resources {
        &self.free
    }

    /// What is taken in all.
    pub(crate) fn taken(&self) -> &Resources {
        &self.taken
    }

    /// What is free on one node.
    pub(crate) fn free_on(&self, node: NodeId) -> Option<&Room> {
        self.nodes.get(node).filter(|node| node.up).map(|node| &node.free)
    }

    /// Counts allocations; an unchanged count means that whatever fitted still fits.
    pub(crate) fn allocations(&self) -> u64 {
        self.allocations
    }

    /// Every node that is up with what is free on it, in order.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Room)> {
        let up = self.nodes.iter().enumerate().filter(|(_, node)| node.up);
        up.map(|(number, node)| (NodeId::at(number), &node.free))
    }

    /// How many fabric domains there are.
    pub(crate) fn domain_count(&self) -> usize {
        self.domain_ends.len()
    }

    /// In which domain a node is.
    #[inline]
    pub(crate) fn domain_of(&self, node: NodeId) -> usize {
        self.domain_ends.partition_point(|end| NodeId::new(*end) <= node)
    }

    /// The numbers of the nodes in a domain, up or not.
    pub(crate) fn domain(&self, domain: usize) -> Range<u32> {
        let end = |domain: Option<usize>| domain.and_then(|at| self.domain_ends.get(at)).copied();
        let from = end(domain.checked_sub(1)).unwrap_or(0);
        from..end(Some(domain)).unwrap_or(from)
    }

    /// Every node of a domain that is up with what is free on it, in order.
    pub(crate) fn nodes_of(&self, domain: usize) -> impl Iterator<Item = (NodeId, &Room)> {
        self.domain(domain).map(NodeId::new).filter_map(|node| Some((node, self.free_on(node)?)))
    }

    /// How many workers have room together, by how many have on each node, in order: in one domain where they must lie in
    /// one, else on all nodes. Counts no further than to `enough`.
    pub(crate) fn together(
        &self,
        confined: bool,
        enough: u64,
        rooms: impl Iterator<Item = (NodeId, u64)>,
    ) -> u64 {
        let (mut most, mut here, mut domain) = (0_u64, 0_u64, 0);
        for (node, room) in rooms {
            if confined {
                let its = self.domain_of(node);
                if its != domain {
                    (domain, here) = (its, 0);
                }
            }
            here = here.saturating_add(room);
            most = most.max(here);
            if most >= enough {
                break;
            }
        }
        most
    }

    /// Which nodes workers go to.
    pub(crate) fn placement(&self) -> Placement {
        self.placement
    }

    /// What the next draw of a node depends on.
    pub(crate) fn draw(&self) -> [u64; 3] {
        self.draw
    }

    /// How many jobs have started.
    pub(crate) fn starts(&self) -> u64 {
        self.draw[2]
    }

    /// What was asked for, and by how many workers.
    pub(crate) fn demand(&self) -> impl Iterator<Item = (&Resources, u64)> {
        self.demand.iter().map(|(request, times)| (request, *times))
    }

    /// How many shelves there are.
    pub(crate) fn shelf_count(&self) -> usize {
        self.shelves.len()
    }

    /// The nodes of a shelf from a key within it on.
    pub(crate) fn shelf_from(
        &self,
        shelf: usize,
        within: Quantity,
    ) -> btree_set::Range<'_, (Quantity, NodeId)> {
        self.shelves[shelf].range((within, NodeId::new(0))..)
    }

    /// What nodes on a shelf have at least: the resource that shelves count.
    pub(crate) fn least_on(&self, shelf: usize) -> (ResourceKind, Quantity) {
        let least = u64::try_from(shelf).unwrap_or(u64::MAX).saturating_mul(self.unit);
        (self.scarce, Quantity::new(least))
    }

    fn shelf_of(&self, free: &Resources) -> usize {
        usize::try_from(free[self.scarce].get().checked_div(self.unit).unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// The key within a shelf: free cores, or free memory where the shelves count cores.
    pub(crate) fn within_shelf(&self, amounts: &Resources) -> Quantity {
        amounts[if self.scarce == ResourceKind::GPU { ResourceKind::CPU } else { ResourceKind::MEMORY }]
    }

    /// Where a node with so much free stands: its shelf, and the key within it.
    pub(crate) fn fit_key(&self, free: &Resources) -> (usize, Quantity) {
        (self.shelf_of(free), self.within_shelf(free))
    }

    fn shelve(&mut self, node: NodeId) {
        let room = &self.nodes[node].free;
        self.broken = self.broken.saturating_add(usize::from(!room.shared().is_empty()));
        let free = room.amounts();
        let (shelf, key) = (self.shelf_of(free), self.within_shelf(free));
        self.shelves[shelf].insert((key, node));
        if let Some(count) = self.in_domain(node, shelf) {
            *count = count.saturating_add(1);
        }
    }

    fn unshelve(&mut self, node: NodeId) {
        let room = &self.nodes[node].free;
        self.broken = self.broken.saturating_sub(usize::from(!room.shared().is_empty()));
        let free = room.amounts();
        let (shelf, key) = (self.shelf_of(free), self.within_shelf(free));
        let was_there = self.shelves[shelf].remove(&(key, node));
        debug_assert!(was_there, "a node is not on its shelf");
        if let Some(count) = self.in_domain(node, shelf) {
            *count = count.saturating_sub(1);
        }
    }

    /// How many nodes of a node's domain stand on a shelf.
    #[inline]
    fn in_domain(&mut self, node: NodeId, shelf: usize) -> Option<&mut u32> {
        if self.by_domain.is_empty() {
            return None;
        }
        let first = self.domain_of(node).checked_mul(self.shelves.len())?;
        self.by_domain.get_mut(first.checked_add(shelf)?)
    }

    /// Nodes that can hold a worker: from the shelves of those with the most scarce units free down.
    pub(crate) fn most_free(&self, request: &Resources) -> impl Iterator<Item = (NodeId, &Room)> {
        let from = self.shelf_of(request).min(self.shelves.len());
        let request = *request;
        let start = (self.within_shelf(&request), NodeId::new(0));
        let nodes = self.shelves[from..].iter().rev().flat_map(move |shelf| shelf.range(start..));
        nodes.map(|(_, node)| (*node, &self.nodes[*node].free)).filter(move |(_, free)| free.fits(&request))
    }

    /// Whether all nodes of a shelf have as much of the scarce resource free.
    pub(crate) fn shelves_are_sorted(&self) -> bool {
        self.scarce != ResourceKind::GPU || self.broken == 0 && self.unit == DEVICE
    }

    /// Whether the nodes on the shelves could hold so many workers if only the scarce resource counted: a quick no.
    pub(crate) fn may_hold(&self, request: &Resources, workers: u64) -> bool {
        let counts = self.shelves.iter().map(|shelf| u64::try_from(shelf.len()).unwrap_or(u64::MAX));
        self.might_hold(request, workers, counts)
    }

    /// The same of the nodes of one domain, where there are several; yes where they are not counted.
    pub(crate) fn may_hold_in(&self, domain: usize, request: &Resources, workers: u64) -> bool {
        if self.by_domain.is_empty() {
            return true;
        }
        let first = domain.saturating_mul(self.shelves.len());
        let counts = self.by_domain.iter().skip(first).take(self.shelves.len());
        self.might_hold(request, workers, counts.map(|count| u64::from(*count)))
    }

    /// The same of so many nodes on each shelf.
    #[inline]
    fn might_hold(&self, request: &Resources, workers: u64, counts: impl Iterator<Item = u64>) -> bool {
        let each = request[self.scarce].get().checked_div(self.unit).unwrap_or(0);
        let Some(each) = usize::try_from(each).ok().filter(|each| *each > 0) else { return true };
        let mut slots = 0_u64;
        for (units, count) in counts.enumerate().skip(each) {
            let a_node = u64::try_from(units.checked_div(each).unwrap_or(0)).unwrap_or(u64::MAX);
            slots = slots.saturating_add(a_node.saturating_mul(count));
            if slots >= workers {
                return true;
            }
        }
        false
    }

    /// What a job took is free again.
    pub(crate) fn give_back(&mut self, request: &Resources, total: &Resources, spans: &[Span]) {
        debug_assert!(total.fits_in(&self.taken), "more is given back than was taken");
        self.free = self.free.checked_add(total).unwrap_or(self.free);
        self.taken = self.taken.checked_sub(total).unwrap_or(self.taken);
        for span in spans {
            self.unshelve(span.node);
            let node = &mut self.nodes[span.node];
            node.free.give(request, span.workers, span.device);
            debug_assert!(node.free.amounts().fits_in(&self.node), "a node has more free than it has");
            self.shelve(span.node);
        }
    }
}

/// The number after the last node of each domain.
fn domain_ends(spec: &PoolSpec) -> Vec<u32> {
    if spec.domains.is_empty() {
        return vec![spec.nodes];
    }
    let end = |end: &mut u32, nodes: &u32| {
        *end = end.saturating_add(*nodes);
        Some(*end)
    };
    spec.domains.iter().scan(0, end).collect()
}

/// All pools.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pools: IdVec<PoolId, PoolState>,
}

impl Ledger {
    /// A ledger with everything free; `None` where a pool's capacity overflows.
    pub(crate) fn new(pools: &[PoolSpec], policy: &PolicySpec) -> Option<Self> {
        let pools = (0..).zip(pools).map(|(number, spec)| PoolState::new(spec, number, policy));
        Some(Self { pools: pools.collect::<Option<_>>()? })
    }

    /// So many workers ask for something in a pool.
    pub(crate) fn note_demand(&mut self, pool: PoolId, request: &Resources, workers: u32) {
        let asked = self.pools[pool].demand.entry(*request).or_default();
        *asked = asked.saturating_add(u64::from(workers));
    }

    /// From now on so many jobs have started in a pool, and so many workers have asked for what.
    pub(crate) fn set_past(
        &mut self,
        pool: PoolId,
        starts: u64,
        asked: impl Iterator<Item = (Resources, u64)>,
    ) {
        let pool = &mut self.pools[pool];
        pool.draw[2] = starts;
        pool.demand = asked.collect();
    }

    #[inline]
    pub(crate) fn pool(&self, pool: PoolId) -> &PoolState {
        &self.pools[pool]
    }

    /// Takes `request` for every worker of the spans, or `workers` times from a divisible pool. The room was checked.
    pub(crate) fn allocate(&mut self, pool: PoolId, request: &Resources, total: &Resources, spans: &[Span]) {
        let pool = &mut self.pools[pool];
        debug_assert!(total.fits_in(&pool.free), "more is taken than is free");
        pool.allocations = pool.allocations.wrapping_add(1);
        pool.draw[2] = pool.draw[2].wrapping_add(1);
        pool.free = pool.free.checked_sub(total).unwrap_or(pool.free);
        pool.taken = pool.taken.checked_add(total).unwrap_or(pool.taken);
        for span in spans {
            pool.unshelve(span.node);
            let node = &mut pool.nodes[span.node];
            let taken = node.up && node.free.take(request, span.workers, span.device);
            debug_assert!(taken, "more is taken from a node than is free there");
            pool.shelve(span.node);
        }
    }

    /// Gives back what `allocate` took.
    pub(crate) fn release(&mut self, pool: PoolId, request: &Resources, total: &Resources, spans: &[Span]) {
        self.pools[pool].give_back(request, total, spans);
    }

    /// More is free on a node, or in a divisible pool, and on shared devices of it, whoever had it: to try what follows.
    pub(crate) fn free_up(
        &mut self,
        pool: PoolId,
        node: Option<NodeId>,
        amounts: &Resources,
        devices: &[(u32, Quantity)],
    ) {
        let pool = &mut self.pools[pool];
        let on_devices = devices.iter().fold(0, |sum: u64, (_, amount)| sum.saturating_add(amount.get()));
        let gpus = amounts[ResourceKind::GPU].get().saturating_add(on_devices);
        let all = amounts.with(ResourceKind::GPU, Quantity::new(gpus));
        pool.free = pool.free.checked_add(&all).unwrap_or(pool.free);
        pool.taken = pool.taken.checked_sub(&all).unwrap_or(pool.taken);
        let Some(node) = node.filter(|node| pool.nodes.get(*node).is_some_and(|node| node.up)) else {
            return;
        };
        pool.unshelve(node);
        let free = &mut pool.nodes[node].free;
        for (kind, amount) in amounts.iter() {
            free.gain(kind, amount);
        }
        for (device, amount) in devices {
            free.gain_on(*device, *amount);
        }
        pool.shelve(node);
    }

    /// From now on the first `up` nodes are up. Nodes that go down are empty, and a divisible pool has the room: the
    /// caller has evicted.
    pub(crate) fn set_nodes_up(&mut self, pool: PoolId, up: u32) {
        let pool = &mut self.pools[pool];
        let up = up.min(pool.configured);
        // A divisible pool has none, however many it counts.
        for node in (0..pool.nodes.len()).map(NodeId::at) {
            pool.turn(node, node < NodeId::new(up));
        }
        pool.count_up(up);
    }

    /// From now on a node is up or down. It is empty if it goes down: the caller has evicted.
    pub(crate) fn set_node(&mut self, pool: PoolId, node: NodeId, up: bool) {
        let pool = &mut self.pools[pool];
        if pool.turn(node, up) {
            pool.count_up(if up { pool.up.saturating_add(1) } else { pool.up.saturating_sub(1) });
        }
    }

    /// Recomputes totals and shelves; the first difference, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (number, pool) in self.pools.iter().enumerate() {
            let capacity = pool.node.checked_mul(u64::from(pool.up)).unwrap_or_default();
            if pool.free.checked_add(&pool.taken) != Some(capacity) {
                return Err(format!(
                    "pool {number}: free {:?} and taken {:?} are not capacity {capacity:?}",
                    pool.free, pool.taken
                ));
            }
            if pool.divisible {
                continue;
            }
            let mut free = Resources::new();
            let mut shelved = 0_usize;
            let mut by_domain = vec![0_u32; pool.by_domain.len()];
            for (node, room) in pool.nodes() {
                let amounts = room.amounts();
                free = free.checked_add(amounts).unwrap_or_default();
                let entry = (pool.within_shelf(amounts), node);
                if !pool.shelves.get(pool.shelf_of(amounts)).is_some_and(|shelf| shelf.contains(&entry)) {
                    return Err(format!("pool {number}: node {node} is not on its shelf"));
                }
                shelved = shelved.saturating_add(1);
                let first = pool.domain_of(node).saturating_mul(pool.shelves.len());
                if let Some(count) = by_domain.get_mut(first.saturating_add(pool.shelf_of(amounts))) {
                    *count = count.saturating_add(1);
                }
            }
            if by_domain != pool.by_domain {
                return Err(format!("pool {number}: a domain has other nodes on a shelf than are counted"));
            }
            if free != pool.free {
                return Err(format!("pool {number}: the nodes have {free:?} free, the pool {:?}", pool.free));
            }
            if shelved != pool.shelves.iter().map(BTreeSet::len).sum::<usize>() {
                return Err(format!("pool {number}: a shelf holds a node that is down"));
            }
        }
        Ok(())
    }
}
