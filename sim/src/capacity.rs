//! Capacity over time: from which instant on how many nodes of a pool are up.
//!
//! Until the first change of a pool all its nodes are. Absent on purpose: which nodes go, and who has to leave them (the
//! scheduler decides that).

/// So many nodes of a pool are up from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapacityChange {
    /// The instant, ms on the trace's clock.
    pub at_ms: i64,
    /// Index of the pool.
    pub pool: usize,
    /// How many nodes are up; never more than the pool has.
    pub nodes: u32,
}

/// All changes, in the order in which they happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capacities(Vec<CapacityChange>);

impl Capacities {
    /// The changes of all pools, in any order.
    #[must_use]
    pub fn new(mut changes: Vec<CapacityChange>) -> Self {
        changes.sort_unstable();
        Self(changes)
    }

    /// Whether every pool keeps what it has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The change with this number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<CapacityChange> {
        self.0.get(number).copied()
    }

    /// Stretches of time in which the number of nodes that are up does not change, of a pool with `all` nodes: from,
    /// to, nodes.
    ///
    /// # Examples
    ///
    /// Four nodes for a second, then one for two:
    ///
    /// ```
    /// use fairshare_sim::{Capacities, CapacityChange};
    /// let one = CapacityChange { at_ms: 1_000, pool: 0, nodes: 1 };
    /// let capacities = Capacities::new(vec![one]);
    /// assert_eq!(capacities.stretches(0, 4, (0, 3_000)), [(0, 1_000, 4), (1_000, 3_000, 1)]);
    /// assert_eq!(capacities.node_ms(0, 4, (0, 3_000)), 4 * 1_000 + 2_000);
    /// assert_eq!(capacities.node_ms(1, 4, (0, 3_000)), 12_000);
    /// ```
    #[must_use]
    pub fn stretches(&self, pool: usize, all: u32, (from_ms, to_ms): (i64, i64)) -> Vec<(i64, i64, u32)> {
        let mut stretches = Vec::new();
        let (mut since, mut nodes) = (from_ms, all);
        for change in self.0.iter().filter(|change| change.pool == pool && change.at_ms < to_ms) {
            if change.at_ms > since {
                stretches.push((since, change.at_ms, nodes));
                since = change.at_ms;
            }
            nodes = change.nodes;
        }
        stretches.push((since, to_ms.max(since), nodes));
        stretches
    }

    /// Nodes of such a pool that are up, times ms, from the first time of `window` to the second.
    #[must_use]
    pub fn node_ms(&self, pool: usize, all: u32, window: (i64, i64)) -> u128 {
        let stretches = self.stretches(pool, all, window).into_iter();
        stretches.map(|(from, to, nodes)| u128::from(nodes) * u128::from(to.abs_diff(from))).sum()
    }
}
