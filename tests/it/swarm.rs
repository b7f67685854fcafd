//! Swarms: every policy of the registry lives through the same generated histories, with every invariant recomputed after
//! each event, twice side by side; at the end, when nothing happens any more, nobody is stopped.

use std::collections::BTreeMap;

use fairshare::{
    Allowance, Backfill, Config, Decision, EvictReason, EvictionBounds, JobId, JobSpec, Millis, OrderName,
    PolicySpec, PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources, Scheduler, Submission,
    TeamId, Timestamp,
};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::strategy::{Case, Op, case};

/// Two schedulers that are told the same, and who runs.
struct Twins {
    one: Scheduler,
    two: Scheduler,
    now: Timestamp,
    /// Whether each job that is alive runs.
    alive: BTreeMap<JobId, bool>,
    evictions: usize,
    starts: usize,
}

impl Twins {
    fn new(config: &Config) -> Self {
        let [one, two] = [(); 2].map(|()| Scheduler::new(config.clone()).unwrap());
        Self { one, two, now: Timestamp::ZERO, alive: BTreeMap::new(), evictions: 0, starts: 0 }
    }

    fn submit(&mut self, case: &Case, op: &Op) {
        let Op::Submit { team, shape, length, limit, fixed } = *op else { return };
        let shape = &case.shapes[shape % case.shapes.len()];
        let team = TeamId::new(u32::try_from(team % case.config.teams.len()).unwrap());
        let submitted = [&mut self.one, &mut self.two].map(|scheduler| {
            let mut job = JobSpec::new(team, scheduler.intern(shape).unwrap(), self.now);
            (job.estimate, job.time_limit) = (length.map(Millis::new), limit.map(Millis::new));
            job.preemptible = !fixed;
            scheduler.submit(self.now, job).unwrap()
        });
        assert_eq!(submitted[0], submitted[1]);
        if let Submission::Queued(job) = submitted[0] {
            self.alive.insert(job, false);
        }
    }

    fn apply(&mut self, case: &Case, op: &Op) {
        match *op {
            Op::Submit { .. } => self.submit(case, op),
            Op::Complete(which) | Op::Cancel(which) => {
                let running_only = matches!(op, Op::Complete(_));
                let known: Vec<JobId> = self
                    .alive
                    .iter()
                    .filter(|(_, runs)| **runs || !running_only)
                    .map(|(job, _)| *job)
                    .collect();
                if let Some(job) = known.get(which % known.len().max(1)) {
                    self.one.cancel(self.now, *job).unwrap();
                    self.two.cancel(self.now, *job).unwrap();
                    self.alive.remove(job);
                }
            }
            Op::SetUp { pool, up } => {
                let pool = PoolId::new(u32::try_from(pool % case.config.pools.len()).unwrap());
                self.one.set_capacity(self.now, pool, up).unwrap();
                self.two.set_capacity(self.now, pool, up).unwrap();
                self.decide();
            }
            Op::Turn { .. } => {}
            Op::Schedule => {
                self.decide();
                assert!(self.decide().is_empty(), "a second cycle at one instant decides something");
            }
            Op::Wait(millis) => self.now = Timestamp::from_millis(self.now.as_millis() + millis),
        }
        self.one.check_invariants().unwrap();
    }

    fn decide(&mut self) -> Vec<Decision> {
        let decisions = self.one.schedule(self.now).unwrap().to_vec();
        assert_eq!(decisions, self.two.schedule(self.now).unwrap(), "the same calls give other decisions");
        for decision in &decisions {
            let (job, runs) = match *decision {
                Decision::Start { job, .. } => (job, true),
                Decision::Evict { job, .. } => (job, false),
                ref other => panic!("no such decision: {other:?}"),
            };
            self.alive.insert(job, runs);
            self.starts += usize::from(runs);
            self.evictions += usize::from(!runs);
        }
        self.one.check_invariants().unwrap();
        decisions
    }

    /// Nothing happens any more but time.
    fn rest(&mut self) {
        self.decide();
        // Ranks by history change whose turn it is, and whoever comes first may then take back a quota.
        let policy = &self.one.config().policy;
        let by_history = matches!(policy.order, OrderName::FairTree | OrderName::Multifactor);
        let turns_change = by_history && policy.backfill == Backfill::None;
        for _ in 0..20 {
            let later = Timestamp::from_millis(self.now.as_millis() + 1);
            self.now = self.one.next_wakeup().map_or(later, |wakeup| wakeup.max(later));
            let stopped = self.decide().into_iter().find(|decision| match decision {
                // Where time is shared, turns change.
                Decision::Evict { reason, .. } => *reason != EvictReason::Round && !turns_change,
                _ => false,
            });
            assert_eq!(stopped, None, "at {} somebody is stopped and nothing has happened", self.now);
        }
    }
}

/// The generated organisation under a policy, without what would make time alone an event: budgets, bounds that run out.
fn under(case: &Case, order: OrderName, backfill: Backfill, preemption: Preemption) -> Config {
    let mut config = case.config.clone();
    config.policy.order = order;
    config.policy.backfill = backfill;
    config.policy.preemption = preemption;
    config.policy.bounds = EvictionBounds::default();
    config.teams.iter_mut().for_each(|team| team.budget = None);
    if order == OrderName::Static {
        divide(&mut config);
    } else if config.teams.iter().all(|team| team.quota.is_empty()) {
        let half = config.pools[0].node[ResourceKind::CPU].get() / 2;
        let quota = Allowance::new(PoolId::new(0), ResourceKind::CPU, Quantity::new(half));
        config.teams.iter_mut().find(|team| team.parent.is_none()).unwrap().quota.push(quota);
    }
    config
}

/// An equal part of every pool for each team at the top: under `static` a team without one could hold nothing.
fn divide(config: &mut Config) {
    let tops = config.teams.iter().filter(|team| team.parent.is_none()).count();
    let parts = |(number, pool): (usize, &PoolSpec)| {
        let capacity = pool.node.checked_mul(u64::from(pool.nodes)).unwrap_or_default();
        let pool = PoolId::new(u32::try_from(number).unwrap());
        let part = |(kind, amount): (ResourceKind, Quantity)| {
            Allowance::new(pool, kind, Quantity::new(amount.get() / u64::try_from(tops).unwrap()))
        };
        capacity.iter().map(part).collect::<Vec<_>>()
    };
    let parts: Vec<Allowance> = config.pools.iter().enumerate().flat_map(parts).collect();
    for team in &mut config.teams {
        team.quota = if team.parent.is_none() { parts.clone() } else { Vec::new() };
    }
}

#[test]
fn every_policy_lives_through_the_same_histories() {
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Case> = (0..16).map(|_| case().new_tree(&mut runner).unwrap().current()).collect();
    let settings = [
        (Backfill::None, Preemption::Priority),
        (Backfill::BestEffort, Preemption::Reclaim),
        (Backfill::Conservative, Preemption::None),
    ];
    for order in OrderName::ALL {
        if cfg!(not(feature = "lp")) && order == OrderName::Gavel {
            continue;
        }
        let (mut starts, mut evictions) = (0, 0);
        for case in &cases {
            for (backfill, preemption) in settings {
                let mut twins = Twins::new(&under(case, order, backfill, preemption));
                for op in &case.ops {
                    twins.apply(case, op);
                }
                twins.rest();
                starts += twins.starts;
                evictions += twins.evictions;
            }
        }
        assert!(starts > 200 && evictions > 20, "{order:?}: {starts} starts, {evictions} evictions");
    }
}

/// No policy needs that there is anything to give.
#[test]
fn every_policy_lives_where_there_is_nothing() {
    let mut runner = TestRunner::deterministic();
    let mut jobs = 0;
    for _ in 0..8 {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        for pool in &mut case.config.pools {
            (pool.node, pool.divisible) = (Resources::new(), true);
            (pool.fabric, pool.domains) = (None, Vec::new());
        }
        for team in &mut case.config.teams {
            (team.quota, team.limit, team.budget) = (Vec::new(), Vec::new(), None);
            (team.borrow, team.lend) = (Vec::new(), Vec::new());
        }
        for order in OrderName::ALL {
            // Hard quotas are refused where nobody can have any.
            if cfg!(not(feature = "lp")) && order == OrderName::Gavel || order == OrderName::Static {
                continue;
            }
            let mut config = case.config.clone();
            config.policy = PolicySpec::new(order);
            let mut twins = Twins::new(&config);
            for op in &case.ops {
                twins.apply(&case, op);
                jobs += usize::from(matches!(op, Op::Submit { .. }));
            }
            twins.rest();
            assert!(twins.alive.is_empty(), "{order:?}: a job waits that can never start");
            assert!(twins.one.shares().iter().all(|share| share.dominant.is_none()));
        }
    }
    assert!(jobs > 1_000, "{jobs}");
}
