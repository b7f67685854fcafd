//! The formulas of quota, usage and share, by recursion over the objects.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::Weight;
use fairshare::kueue::{ClusterQueue, Cohort, Quota, ResourceGroup};

use super::{Incoming, Node, Oracle, Pair, Share};

impl Oracle<'_> {
    pub(super) fn cohort(&self, name: &str) -> Option<&Cohort> {
        self.world.cohorts.iter().find(|cohort| cohort.name == name)
    }

    pub(super) fn queue(&self, name: &str) -> &ClusterQueue {
        self.world.queues.iter().find(|queue| queue.name == name).unwrap()
    }

    pub(super) fn groups(&self, node: &Node) -> &[ResourceGroup] {
        match node {
            Node::Cohort(name) => self.cohort(name).map_or(&[], |cohort| &cohort.groups),
            Node::Queue(name) => &self.queue(name).groups,
        }
    }

    pub(super) fn weight(&self, node: &Node) -> Option<Weight> {
        match node {
            Node::Cohort(name) => self.cohort(name).map_or(Some(Weight::ONE), |cohort| cohort.weight),
            Node::Queue(name) => self.queue(name).weight,
        }
    }

    pub(super) fn parent(&self, node: &Node) -> Option<Node> {
        let name = match node {
            Node::Cohort(name) => self.cohort(name)?.parent.as_ref(),
            Node::Queue(name) => self.queue(name).cohort.as_ref(),
        };
        name.map(|name| Node::Cohort(name.clone()))
    }

    pub(super) fn path(&self, node: &Node) -> Vec<Node> {
        std::iter::successors(Some(node.clone()), |node| self.parent(node)).collect()
    }

    pub(super) fn root(&self, node: &Node) -> Node {
        self.path(node).pop().unwrap()
    }

    pub(super) fn children(&self, node: &Node) -> Vec<Node> {
        let cohorts = self.world.cohorts.iter().map(|cohort| Node::Cohort(cohort.name.clone()));
        let queues = self.world.queues.iter().map(|queue| Node::Queue(queue.name.clone()));
        let mut children: Vec<Node> =
            cohorts.chain(queues).filter(|child| self.parent(child).as_ref() == Some(node)).collect();
        children.sort();
        children
    }

    pub(super) fn height(&self, node: &Node) -> usize {
        self.children(node).iter().map(|child| self.height(child) + 1).max().unwrap_or(0)
    }

    pub(super) fn quota(&self, node: &Node, pair: &Pair) -> Option<&Quota> {
        let mut rows = self.groups(node).iter().flat_map(|group| &group.rows);
        rows.find(|row| row.flavor == pair.0)?.quotas.iter().find(|quota| quota.resource == pair.1)
    }

    pub(super) fn in_table(&self, node: &Node, pair: &Pair) -> bool {
        self.quota(node, pair).is_some() || self.children(node).iter().any(|child| self.in_table(child, pair))
    }

    /// S: the quota of the subtree.
    pub(super) fn subtree(&self, node: &Node, pair: &Pair) -> i64 {
        let lent = |child: &Node| self.subtree(child, pair) - self.never_lent(child, pair);
        let below: i64 = self.children(node).iter().map(lent).sum();
        self.quota(node, pair).map_or(0, |quota| quota.nominal) + below
    }

    /// lq: what of it is never lent.
    pub(super) fn never_lent(&self, node: &Node, pair: &Pair) -> i64 {
        let limit = self.quota(node, pair).and_then(|quota| quota.lending_limit);
        limit.map_or(0, |limit| (self.subtree(node, pair) - limit).max(0))
    }

    /// U: what is used of it.
    pub(super) fn usage(&self, node: &Node, pair: &Pair) -> i64 {
        let Node::Queue(name) = node else {
            let beyond = |child: &Node| (self.usage(child, pair) - self.never_lent(child, pair)).max(0);
            return self.children(node).iter().map(beyond).sum();
        };
        let held: i64 = (0..self.world.running.len())
            .filter(|at| !self.gone.contains(at) && self.world.running[*at].queue == *name)
            .flat_map(|at| &self.world.running[at].usage)
            .filter(|(flavor, resource, _)| (flavor, resource) == (&pair.0, &pair.1))
            .map(|(.., amount)| amount)
            .sum();
        held + self.charged.get(&(name.clone(), pair.clone())).copied().unwrap_or(0)
    }

    pub(super) fn available(&self, node: &Node, pair: &Pair) -> i64 {
        let (quota, usage) = (self.subtree(node, pair), self.usage(node, pair));
        let Some(parent) = self.parent(node) else { return quota - usage };
        let kept = self.never_lent(node, pair);
        let mut above = self.available(&parent, pair);
        if let Some(limit) = self.quota(node, pair).and_then(|quota| quota.borrowing_limit) {
            above = above.min((quota - kept) - (usage - kept).max(0) + limit);
        }
        (kept - usage).max(0) + above
    }

    pub(super) fn potential(&self, node: &Node, pair: &Pair) -> i64 {
        let quota = self.subtree(node, pair);
        let Some(parent) = self.parent(node) else { return quota };
        let most = self.never_lent(node, pair) + self.potential(&parent, pair);
        let limit = self.quota(node, pair).and_then(|quota| quota.borrowing_limit);
        limit.map_or(most, |limit| most.min(quota + limit))
    }

    pub(super) fn pairs(&self) -> BTreeSet<Pair> {
        let cohorts = self.world.cohorts.iter().flat_map(|cohort| &cohort.groups);
        let groups = cohorts.chain(self.world.queues.iter().flat_map(|queue| &queue.groups));
        let rows = groups.flat_map(|group| &group.rows);
        rows.flat_map(|row| row.quotas.iter().map(|quota| (row.flavor.clone(), quota.resource.clone())))
            .collect()
    }

    /// DRS, over the weight.
    pub(super) fn share(&self, node: &Node) -> Share {
        let none = Share { infinite: false, above: 0, below: 1 };
        let Some(parent) = self.parent(node) else { return none };
        let root = self.root(node);
        let mut best = none;
        let pairs = self.pairs();
        for resource in pairs.iter().map(|pair| &pair.1).collect::<BTreeSet<_>>() {
            let (mut borrowed, mut lendable) = (0_i128, 0_i128);
            for pair in pairs.iter().filter(|pair| pair.1 == *resource) {
                if self.in_table(node, pair) {
                    borrowed += i128::from((self.usage(node, pair) - self.subtree(node, pair)).max(0));
                }
                if self.in_table(&root, pair) {
                    lendable += i128::from(self.potential(&parent, pair));
                }
            }
            let ratio = Share { infinite: false, above: borrowed, below: lendable };
            if lendable > 0 && ratio.against(best).is_gt() {
                best = ratio;
            }
        }
        match self.weight(node) {
            None => Share { infinite: self.borrows(node), ..best },
            Some(weight) => Share {
                above: best.above * i128::from(weight.denominator()),
                below: best.below * i128::from(weight.numerator()),
                ..best
            },
        }
    }

    /// Whether a node below another uses more of something than its quota, though nobody may have lent it.
    pub(super) fn borrows(&self, node: &Node) -> bool {
        let beyond =
            |pair: &Pair| self.in_table(node, pair) && self.usage(node, pair) > self.subtree(node, pair);
        self.parent(node).is_some() && self.pairs().iter().any(beyond)
    }

    pub(super) fn within(&self, node: &Node, contested: &BTreeSet<Pair>) -> bool {
        contested.iter().all(|pair| self.usage(node, pair) <= self.subtree(node, pair))
    }

    pub(super) fn charge(&mut self, queue: &str, requests: &BTreeMap<Pair, i64>, sign: i64) {
        for (pair, amount) in requests {
            *self.charged.entry((queue.to_owned(), pair.clone())).or_default() += sign * amount;
        }
    }

    pub(super) fn fits(&self, incoming: &Incoming, may_borrow: bool) -> bool {
        let queue = Node::Queue(incoming.queue.clone());
        incoming.requests.iter().all(|(pair, amount)| {
            let within = self.usage(&queue, pair) + amount <= self.subtree(&queue, pair);
            (may_borrow || within) && *amount <= self.available(&queue, pair).max(0)
        })
    }
}
