//! The machines that a trace ran on: node lists, and quotas over time.
//!
//! Absent on purpose: pools of a scenario (see `pools`).

use std::collections::BTreeMap;

/// GPUs of a node where only quotas are known.
pub(super) const GPUS_PER_NODE: u64 = 8;

/// Nodes of equal make, and quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// How many nodes there are of each make.
    pub nodes: BTreeMap<NodeMake, u64>,
    /// Quotas by day, where the source has them.
    pub quotas: Option<QuotaSeries>,
    /// Labels of the nodes of each flavor, where the source has flavors.
    pub flavors: BTreeMap<String, BTreeMap<String, String>>,
}

/// What one node has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeMake {
    /// Accelerator type; empty: none.
    pub accelerator: String,
    /// Milli-GPU.
    pub gpu_milli: u64,
    /// Milli-CPU.
    pub cpu_milli: u64,
    /// Bytes.
    pub memory_bytes: u64,
    /// Further resources by name, thousandths.
    pub others: BTreeMap<String, u64>,
    /// Labels, by which flavors find their nodes.
    pub labels: BTreeMap<String, String>,
}

/// GPUs per team as a daily series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaSeries {
    /// Teams, in the order of the file's columns.
    pub teams: Vec<String>,
    /// Start of the day (ms since 1970) and the GPUs of every team.
    pub days: Vec<(i64, Vec<u64>)>,
}

impl QuotaSeries {
    /// The days on which the quota of team number `team` began or changed, and the GPUs from then on.
    ///
    /// ```
    /// use fairshare_sim::trace::QuotaSeries;
    /// let days = vec![(0, vec![8]), (1, vec![8]), (2, vec![0]), (3, vec![16])];
    /// let series = QuotaSeries { teams: vec!["a".to_owned()], days };
    /// assert_eq!(series.changes(0), [(0, 8), (2, 0), (3, 16)]);
    /// ```
    #[must_use]
    pub fn changes(&self, team: usize) -> Vec<(i64, u64)> {
        let mut changes: Vec<(i64, u64)> = Vec::new();
        for (day, gpus) in &self.days {
            let gpus = gpus.get(team).copied().unwrap_or(0);
            if changes.last().is_none_or(|(_, before)| *before != gpus) {
                changes.push((*day, gpus));
            }
        }
        changes
    }

    /// All quotas together, summed over the time between two instants: milli-GPU x ms. Before the first day its own
    /// quotas count, as in a scenario that is made of them.
    pub(super) fn milli_gpu_ms(&self, from_ms: i64, until_ms: i64) -> u128 {
        let mut sum = 0;
        for (index, (day, gpus)) in self.days.iter().enumerate() {
            let begin = if index == 0 { from_ms } else { from_ms.max(*day) };
            let end = self.days.get(index + 1).map_or(until_ms, |(next, _)| until_ms.min(*next));
            let length = u128::try_from(end.saturating_sub(begin)).unwrap_or(0);
            sum += length * u128::from(gpus.iter().sum::<u64>()) * 1000;
        }
        sum
    }

    /// The days on which the number of nodes that all quotas together need began or changed, and that number from then on.
    pub(super) fn nodes(&self) -> Vec<(i64, u64)> {
        let mut changes: Vec<(i64, u64)> = Vec::new();
        for (day, gpus) in &self.days {
            let nodes = gpus.iter().sum::<u64>().div_ceil(GPUS_PER_NODE);
            if changes.last().is_none_or(|(_, before)| *before != nodes) {
                changes.push((*day, nodes));
            }
        }
        changes
    }
}

impl Cluster {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.quotas.is_none() && self.flavors.is_empty()
    }

    /// Adds one node.
    pub(crate) fn add(&mut self, make: NodeMake) {
        *self.nodes.entry(make).or_default() += 1;
    }

    /// Adds what another file says.
    pub(crate) fn merge(&mut self, other: Self) {
        for (make, count) in other.nodes {
            *self.nodes.entry(make).or_default() += count;
        }
        self.quotas = other.quotas.or(self.quotas.take());
        self.flavors.extend(other.flavors);
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> u64 {
        self.nodes.values().sum()
    }

    /// GPUs by type, in milli-GPU; types without GPUs are absent.
    #[must_use]
    pub fn gpus_by_type(&self) -> BTreeMap<&str, u64> {
        let mut types: BTreeMap<&str, u64> = BTreeMap::new();
        for (make, count) in &self.nodes {
            if make.gpu_milli > 0 {
                // Two thousand nodes of the largest amount that can be read would be more than can be counted.
                let total = types.entry(make.accelerator.as_str()).or_default();
                *total = total.saturating_add(make.gpu_milli.saturating_mul(*count));
            }
        }
        types
    }
}
