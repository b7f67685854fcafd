//! Capacity: nodes that come and go, and who has to give way.
//!
//! Absent on purpose: who is chosen of those who may give way (see `reclaim`). Layer 6; uses `reclaim`, `state`.

use super::Scheduler;
use crate::error::{Error, ErrorKind};
use crate::id::{NodeId, PoolId};
use crate::reclaim::{first_without_room, running_in};
use crate::time::Timestamp;

impl Scheduler {
    /// From now on the first `nodes_up` nodes of a pool are up; more than are configured count as all of them.
    ///
    /// Jobs on nodes that go down are evicted. In a divisible pool jobs are until the rest fits: those beyond the quota of
    /// their team below the root first, then the lowest class, then those of the team that would be served last, then
    /// the least work lost, then those that started last. The evictions come first in the answer of the next
    /// [`schedule`](Self::schedule), and the jobs wait again in their old places.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownPool`], [`ErrorKind::TimeBackwards`].
    ///
    /// # Complexity
    ///
    /// O(nodes of the pool + jobs alive x log): a rare event looks at all of them.
    pub fn set_capacity(&mut self, now: Timestamp, pool: PoolId, nodes_up: u32) -> Result<(), Error> {
        if pool.index() >= self.state.config.pools.len() {
            return Err(ErrorKind::UnknownPool(pool).into());
        }
        self.happens(now)?;
        let known = self.state.ledger.pool(pool);
        let nodes_up = nodes_up.min(known.nodes_configured());
        // What changes nothing is no event. As many may be up, and be others: those of a divisible pool are one like another.
        let is_up = |node: u32| known.is_divisible() || known.is_up(NodeId::new(node));
        if known.nodes_up() == nodes_up && (0..nodes_up).all(is_up) {
            return Ok(());
        }
        self.forget_delivered();
        self.make_way(pool, nodes_up, &|node| node >= NodeId::new(nodes_up));
        self.state.ledger.set_nodes_up(pool, nodes_up);
        self.policy.resized(&self.state, pool);
        Ok(())
    }

    /// From now on one node of a pool is up or down: drained, failed, taken back by who lent it. The others stay as they are.
    ///
    /// Jobs with workers on a node that goes down are evicted, as by [`set_capacity`](Self::set_capacity), which says anew
    /// which nodes are up. Remedies count on the nodes that are down coming up in order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownPool`], [`ErrorKind::UnknownNode`] (a divisible pool has no nodes), [`ErrorKind::TimeBackwards`].
    ///
    /// # Complexity
    ///
    /// O(jobs alive x log).
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, NodeId, PoolId, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId, TeamSpec, Timestamp,
    /// };
    /// let (now, pool) = (Timestamp::ZERO, PoolId::new(0));
    /// let config = Config::new(vec![PoolSpec::new("l4", 3, Resources::new().gpu(1))], vec![TeamSpec::new("a")]);
    /// let mut scheduler = Scheduler::new(config).unwrap();
    /// let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// for _ in 0..2 {
    ///     let _ = scheduler.submit(now, JobSpec::new(TeamId::new(0), shape, now)).unwrap();
    /// }
    /// scheduler.schedule(now).unwrap();
    /// scheduler.set_node(now, pool, NodeId::new(0), false).unwrap();
    /// scheduler.schedule(now).unwrap();
    /// let stopped = scheduler.evictions()[0].job;
    /// assert_eq!(scheduler.placement(stopped).next(), Some((NodeId::new(2), 1)));
    /// assert_eq!(scheduler.running(TeamId::new(0)), Ok(2));
    /// ```
    pub fn set_node(&mut self, now: Timestamp, pool: PoolId, node: NodeId, up: bool) -> Result<(), Error> {
        let spec = self.state.config.pools.get(pool.index()).ok_or(ErrorKind::UnknownPool(pool))?;
        let known = self.state.ledger.pool(pool);
        if spec.divisible || node.index() >= known.nodes_configured() as usize {
            return Err(ErrorKind::UnknownNode { pool: spec.name.clone(), node }.into());
        }
        let (was, nodes_up) = (known.is_up(node), known.nodes_up());
        self.happens(now)?;
        if was == up {
            return Ok(());
        }
        self.forget_delivered();
        if !up {
            self.make_way(pool, nodes_up - 1, &|lost| lost == node);
        }
        self.state.ledger.set_node(pool, node, up);
        self.policy.resized(&self.state, pool);
        Ok(())
    }

    /// Evicts whoever has no room left in a pool.
    fn make_way(&mut self, pool: PoolId, nodes_up: u32, is_lost: &dyn Fn(NodeId) -> bool) {
        let mut running = running_in(&self.state, pool);
        while let Some(job) = first_without_room(&self.state, pool, nodes_up, is_lost, &running) {
            running.retain(|other| *other != job);
            let Some(stopped) = self.state.evict(job) else { break };
            self.policy.stopped(&self.state, &stopped);
            self.policy.waits(&self.state, job);
        }
    }
}
