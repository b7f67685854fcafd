//! Tree: quota and usage of cohorts and queues, and what of it is available where.
//!
//! Columns are (flavor, resource) pairs. A node keeps to itself what it does not lend; the rest of its quota is its
//! parent's too, and so is the usage that its own part does not cover.
//! Absent on purpose: workloads, shares.

use crate::id::{Id, IdVec};
use crate::share::Weight;

/// A cohort or a cluster queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct NodeIndex(u32);

impl Id for NodeIndex {
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeIndex {
    pub(super) fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// A (flavor, resource) pair.
pub(super) type Pair = usize;

/// What a node says of one pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Cell {
    pub(super) nominal: i64,
    pub(super) borrowing_limit: Option<i64>,
    pub(super) lending_limit: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    /// Its place among all nodes by name.
    pub(super) rank: usize,
    pub(super) parent: Option<NodeIndex>,
    /// Children, by name.
    pub(super) cohorts: Vec<NodeIndex>,
    pub(super) queues: Vec<NodeIndex>,
    pub(super) weight: Option<Weight>,
    /// Zero for queues, one for cohorts that hold queues alone.
    pub(super) height: usize,
    pub(super) cells: Vec<Option<Cell>>,
    /// Whether the node or one below it has a quota of the pair.
    pub(super) in_table: Vec<bool>,
    /// The quota of the whole subtree, as far as it reaches the node.
    pub(super) quota: Vec<i64>,
    /// What of it is not lent.
    kept: Vec<i64>,
    /// The most that could be available if nobody used anything.
    potential: Vec<i64>,
    /// Of each resource, what the node and its siblings could use in all; empty for a root.
    pub(super) lendable: Vec<u128>,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: IdVec<NodeIndex, Node>,
    /// How many pairs there are.
    pairs: usize,
    /// Of every node every pair.
    usage: Usage,
}

/// What is used of every pair at every node, in one piece, so that what would be used can stand in for it.
#[derive(Clone, Debug)]
pub(super) struct Usage(Vec<i64>);

impl Node {
    pub(super) fn new(name: &str, weight: Option<Weight>, pairs: usize) -> Self {
        Self {
            name: name.to_owned(),
            rank: 0,
            parent: None,
            cohorts: Vec::new(),
            queues: Vec::new(),
            weight,
            height: 0,
            cells: vec![None; pairs],
            in_table: vec![false; pairs],
            quota: vec![0; pairs],
            kept: vec![0; pairs],
            potential: vec![0; pairs],
            lendable: Vec::new(),
        }
    }

    fn borrowing_limit(&self, pair: Pair) -> Option<i64> {
        self.cells[pair].and_then(|cell| cell.borrowing_limit)
    }
}

impl Tree {
    pub(super) fn new(pairs: usize) -> Self {
        Self { nodes: IdVec::new(), pairs, usage: Usage(Vec::new()) }
    }

    pub(super) fn push(&mut self, node: Node) -> NodeIndex {
        self.nodes.push(node);
        self.usage.0.resize(self.nodes.len() * self.pairs, 0);
        NodeIndex::at(self.nodes.len() - 1)
    }

    /// All usage as it is.
    pub(super) fn all_usage(&self) -> Usage {
        self.usage.clone()
    }

    /// Puts other usage in the place of what there is.
    pub(super) fn exchange_usage(&mut self, usage: &mut Usage) {
        core::mem::swap(&mut self.usage, usage);
    }

    fn place(&self, node: NodeIndex, pair: Pair) -> usize {
        node.index() * self.pairs + pair
    }

    /// What a node has to itself and does not use.
    pub(super) fn local(&self, node: NodeIndex, pair: Pair) -> i64 {
        self.nodes[node].kept[pair].saturating_sub(self.usage(node, pair)).max(0)
    }

    pub(super) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node]
    }

    /// The node above, and so on to the root.
    pub(super) fn above(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        core::iter::successors(self.nodes[node].parent, |at| self.nodes[*at].parent)
    }

    pub(super) fn root(&self, node: NodeIndex) -> NodeIndex {
        self.above(node).last().unwrap_or(node)
    }

    /// Works out all that follows from the cells; `order` names every child before its parent.
    pub(super) fn settle(&mut self, order: &[NodeIndex]) {
        for at in order.iter().copied() {
            let node = &mut self.nodes[at];
            for pair in 0..node.cells.len() {
                let Some(cell) = node.cells[pair] else { continue };
                node.in_table[pair] = true;
                node.quota[pair] = node.quota[pair].saturating_add(cell.nominal);
            }
            for pair in 0..node.cells.len() {
                let limit = node.cells[pair].and_then(|cell| cell.lending_limit);
                node.kept[pair] = limit.map_or(0, |lent| node.quota[pair].saturating_sub(lent).max(0));
            }
            let Some(parent) = node.parent else { continue };
            let (height, is_queue) = (node.height, node.cohorts.is_empty() && node.queues.is_empty());
            let (table, lent): (Vec<bool>, Vec<i64>) = (0..node.cells.len())
                .map(|pair| (node.in_table[pair], node.quota[pair].saturating_sub(node.kept[pair])))
                .unzip();
            let above = &mut self.nodes[parent];
            above.height = above.height.max(if is_queue { 1 } else { height + 1 });
            for pair in 0..above.cells.len() {
                above.in_table[pair] |= table[pair];
                above.quota[pair] = above.quota[pair].saturating_add(lent[pair]);
            }
        }
        for at in order.iter().rev().copied() {
            for pair in 0..self.nodes[at].cells.len() {
                let node = &self.nodes[at];
                let potential = match node.parent {
                    None => node.quota[pair],
                    Some(parent) => {
                        let most = node.kept[pair].saturating_add(self.nodes[parent].potential[pair]);
                        match node.borrowing_limit(pair) {
                            Some(limit) => most.min(node.quota[pair].saturating_add(limit)),
                            None => most,
                        }
                    }
                };
                self.nodes[at].potential[pair] = potential;
            }
        }
    }

    pub(super) fn potential(&self, node: NodeIndex, pair: Pair) -> i64 {
        self.nodes[node].potential[pair]
    }

    pub(super) fn usage(&self, node: NodeIndex, pair: Pair) -> i64 {
        self.usage.0[self.place(node, pair)]
    }

    /// What a node uses of every pair.
    pub(super) fn usage_of(&self, node: NodeIndex) -> &[i64] {
        let first = self.place(node, 0);
        &self.usage.0[first..first + self.pairs]
    }

    /// Adds to the usage of a queue what may be negative; what its own part does not cover goes up.
    pub(super) fn add(&mut self, queue: NodeIndex, pair: Pair, amount: i64) {
        let (mut at, mut amount) = (queue, amount);
        while amount != 0 {
            let place = self.place(at, pair);
            let node = &self.nodes[at];
            let beyond = |usage: i64| usage.saturating_sub(node.kept[pair]).max(0);
            let usage = &mut self.usage.0[place];
            let before = beyond(*usage);
            *usage = usage.saturating_add(amount);
            amount = beyond(*usage).saturating_sub(before);
            let Some(parent) = node.parent else { break };
            at = parent;
        }
    }

    /// What a node at or above a queue would use of a pair if the queue used so much more.
    pub(super) fn usage_with(&self, node: NodeIndex, queue: NodeIndex, pair: Pair, more: i64) -> i64 {
        let (mut at, mut more) = (queue, more);
        while at != node && more != 0 {
            let (below, used) = (&self.nodes[at], self.usage(at, pair));
            let beyond = |usage: i64| usage.saturating_sub(below.kept[pair]).max(0);
            more = beyond(used.saturating_add(more)).saturating_sub(beyond(used));
            let Some(parent) = below.parent else { break };
            at = parent;
        }
        self.usage(node, pair).saturating_add(more)
    }

    /// What a node could still use now; may be negative.
    pub(super) fn available(&self, at: NodeIndex, pair: Pair) -> i64 {
        let (node, used) = (&self.nodes[at], self.usage(at, pair));
        let Some(parent) = node.parent else { return node.quota[pair].saturating_sub(used) };
        let mut above = self.available(parent, pair);
        if let Some(limit) = node.borrowing_limit(pair) {
            let lent = node.quota[pair].saturating_sub(node.kept[pair]);
            let used = used.saturating_sub(node.kept[pair]).max(0);
            above = above.min(lent.saturating_sub(used).saturating_add(limit));
        }
        self.local(at, pair).saturating_add(above)
    }

    /// Whether so much more would exceed the node's quota.
    pub(super) fn would_borrow(&self, node: NodeIndex, pair: Pair, amount: i64) -> bool {
        self.usage(node, pair).saturating_add(amount) > self.nodes[node].quota[pair]
    }

    /// Whether the node uses no more than its quota of all these pairs.
    pub(super) fn within_nominal(&self, node: NodeIndex, pairs: &[Pair]) -> bool {
        pairs.iter().all(|pair| !self.would_borrow(node, *pair, 0))
    }

    /// The height of the lowest subtree whose quota holds so much more, and whether it has a parent.
    pub(super) fn lowest_that_fits(&self, queue: NodeIndex, pair: Pair, amount: i64) -> (usize, bool) {
        let has_parent = |node: NodeIndex| self.nodes[node].parent.is_some();
        if !has_parent(queue) || !self.would_borrow(queue, pair, amount) {
            return (0, has_parent(queue));
        }
        let mut left = amount.saturating_sub(self.local(queue, pair));
        for node in self.above(queue) {
            if !self.would_borrow(node, pair, left) {
                return (self.nodes[node].height, has_parent(node));
            }
            left = left.saturating_sub(self.local(node, pair));
        }
        (self.nodes[self.root(queue)].height, false)
    }
}
