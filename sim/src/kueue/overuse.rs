//! Cohorts that hold more than they could ever use, as they do in real clusters after quotas were cut.
//!
//! Absent on purpose: queues by themselves (the library tells those), and what follows for decisions.

use std::collections::BTreeMap;

use fairshare::kueue::{Quota, ResourceGroup, Workload};

use super::objects::Objects;
use super::quantity::written;

/// A flavor and a resource.
type Pair<'a> = (&'a str, &'a str);
type Amounts<'a> = BTreeMap<Pair<'a>, i64>;

/// A queue or a cohort, with what it and all below it have and hold, as far as it reaches this place.
#[derive(Default)]
struct Node<'a> {
    name: &'a str,
    is_queue: bool,
    parent: Option<usize>,
    said: BTreeMap<Pair<'a>, &'a Quota>,
    quota: Amounts<'a>,
    usage: Amounts<'a>,
    /// The most that it could use if nobody else used anything.
    potential: Amounts<'a>,
    /// By how much those below it exceed that, where it is told of them.
    told: Amounts<'a>,
}

impl<'a> Node<'a> {
    fn new(name: &'a str, is_queue: bool, groups: &'a [ResourceGroup]) -> Self {
        let rows = groups.iter().flat_map(|group| &group.rows);
        let quotas = rows.flat_map(|row| row.quotas.iter().map(|quota| (row.flavor.as_str(), quota)));
        let said = quotas.map(|(flavor, quota)| ((flavor, quota.resource.as_str()), quota)).collect();
        Self { name, is_queue, said, ..Self::default() }
    }

    /// What of its quota it does not lend.
    fn kept(&self, pair: &Pair<'a>) -> i64 {
        let limit = self.said.get(pair).and_then(|quota| quota.lending_limit);
        limit.map_or(0, |limit| amount(&self.quota, pair).saturating_sub(limit).max(0))
    }
}

fn amount<'a>(amounts: &Amounts<'a>, pair: &Pair<'a>) -> i64 {
    amounts.get(pair).copied().unwrap_or(0)
}

fn raise<'a>(amounts: &mut Amounts<'a>, pair: Pair<'a>, by: i64) {
    let sum = amounts.entry(pair).or_default();
    *sum = sum.saturating_add(by);
}

/// A sentence for each cohort that holds more than it could use, and more so than what is below it explains.
///
/// No cohort of the objects may be above itself.
pub(super) fn overused_cohorts(objects: &Objects, admitted: &[Workload]) -> Vec<String> {
    let mut nodes = nodes(objects);
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    let depth = |at: &usize| std::iter::successors(nodes[*at].parent, |above| nodes[*above].parent).count();
    order.sort_by_cached_key(|at| (std::cmp::Reverse(depth(at)), nodes[*at].name));
    let queues: BTreeMap<&str, usize> =
        (0..nodes.len()).filter(|at| nodes[*at].is_queue).map(|at| (nodes[at].name, at)).collect();
    for workload in admitted {
        let Some(queue) = queues.get(workload.queue.as_str()) else { continue };
        for (flavor, resource, held) in &workload.usage {
            raise(&mut nodes[*queue].usage, (flavor, resource), *held);
        }
    }
    sum_up(&mut nodes, &order);
    for at in order.iter().rev().copied() {
        nodes[at].potential = potential(&nodes, at);
    }
    let mut sentences = Vec::new();
    for at in order {
        let pairs: Vec<Pair<'_>> = nodes[at].usage.keys().copied().collect();
        for pair in pairs {
            let node = &nodes[at];
            let (held, most) = (amount(&node.usage, &pair), amount(&node.potential, &pair));
            let excess = held.saturating_sub(most);
            let told = amount(&node.told, &pair);
            if !node.is_queue && excess > told {
                sentences.push(format!(
                    "Cohort `{}` holds {} {} of flavor `{}`, and could never use more than {}",
                    node.name,
                    written(pair.1, held),
                    pair.1,
                    pair.0,
                    written(pair.1, most)
                ));
            }
            if let Some(parent) = node.parent {
                raise(&mut nodes[parent].told, pair, excess.max(told));
            }
        }
    }
    sentences
}

/// All queues and cohorts, also those that are only named.
fn nodes(objects: &Objects) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut cohorts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, cohort) in &objects.cohorts {
        cohorts.insert(&cohort.name, nodes.len());
        nodes.push(Node::new(&cohort.name, false, &cohort.groups));
    }
    let parents = objects.cohorts.iter().map(|(_, cohort)| cohort.parent.as_deref());
    let above = objects.queues.iter().map(|(_, queue, _)| queue.cohort.as_deref());
    for name in parents.clone().chain(above.clone()).flatten() {
        cohorts.entry(name).or_insert_with(|| {
            nodes.push(Node::new(name, false, &[]));
            nodes.len() - 1
        });
    }
    for (at, parent) in parents.enumerate() {
        nodes[at].parent = parent.map(|name| cohorts[name]);
    }
    for ((_, queue, _), cohort) in objects.queues.iter().zip(above) {
        let parent = cohort.map(|name| cohorts[name]);
        nodes.push(Node { parent, ..Node::new(&queue.name, true, &queue.groups) });
    }
    nodes
}

/// Quota and usage of each node from those below it; `order` names every child before its parent.
fn sum_up(nodes: &mut [Node<'_>], order: &[usize]) {
    for at in order.iter().copied() {
        let node = &mut nodes[at];
        for (pair, quota) in &node.said {
            raise(&mut node.quota, *pair, quota.nominal);
        }
        let Some(parent) = node.parent else { continue };
        let node = &nodes[at];
        let lent = node.quota.iter().map(|(pair, all)| (*pair, all.saturating_sub(node.kept(pair))));
        let lent: Vec<(Pair<'_>, i64)> = lent.collect();
        let beyond = node.usage.iter().map(|(pair, all)| (*pair, all.saturating_sub(node.kept(pair)).max(0)));
        let beyond: Vec<(Pair<'_>, i64)> = beyond.collect();
        for (pair, by) in lent {
            raise(&mut nodes[parent].quota, pair, by);
        }
        for (pair, by) in beyond {
            raise(&mut nodes[parent].usage, pair, by);
        }
    }
}

/// The most that a node could use of whatever it uses or has a quota of; that of its parent is known.
fn potential<'a>(nodes: &[Node<'a>], at: usize) -> Amounts<'a> {
    let node = &nodes[at];
    let Some(parent) = node.parent else { return node.quota.clone() };
    let pairs = node.quota.keys().chain(nodes[parent].potential.keys());
    let most = |pair: &Pair<'a>| {
        let with_above = node.kept(pair).saturating_add(amount(&nodes[parent].potential, pair));
        let limit = node.said.get(pair).and_then(|quota| quota.borrowing_limit);
        limit.map_or(with_above, |limit| with_above.min(amount(&node.quota, pair).saturating_add(limit)))
    };
    pairs.map(|pair| (*pair, most(pair))).collect()
}
