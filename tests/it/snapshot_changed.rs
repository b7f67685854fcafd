//! A snapshot under another configuration: what was true stays so, and what was decided is decided anew.

use fairshare::snapshot::SpentUnit;
use fairshare::{
    Allowance, Alternative, Backfill, Budget, Config, Decision, Error, JobId, JobSpec, MicroUsd, Millis,
    OrderName, Policy, PolicySpec, PoolSpec, Preemption, Price, PriceUnit, Quantity, ResourceKind, Resources,
    Scheduler, ShapeSpec, Snapshot, Spending, Submission, TeamId, TeamSpec, Txn,
};
use proptest::prelude::*;

use crate::lived::{live, submit};
use crate::snapshot_refused::{NOW, POOL, go_on, written};
use crate::strategy::{case, policy};

/// A configuration may change while nobody runs: whoever has a larger quota keeps more, and a smaller one lets go.
#[test]
fn quotas_may_change_between_two_lives() {
    let guaranteed =
        |snapshot: &Snapshot| snapshot.running.iter().map(|run| run.guaranteed.clone()).collect::<Vec<_>>();
    let (a, none) = (vec![TeamId::new(0)], vec![]);
    let before = written();
    assert_eq!(guaranteed(&before), [a.clone(), a.clone(), none.clone(), none.clone()]);
    for (gpus, expected) in [
        (1_000, [a.clone(), none.clone(), none.clone(), none.clone()]),
        (4_000, [a.clone(), a.clone(), none.clone(), none.clone()]),
    ] {
        let mut snapshot = before.clone();
        snapshot.config.teams[0].quota[0].amount = Quantity::new(gpus);
        let scheduler = Scheduler::restore(&snapshot).unwrap();
        scheduler.check_invariants().unwrap();
        assert_eq!(guaranteed(&scheduler.snapshot()), expected);
    }
    let mut snapshot = before;
    snapshot.config.teams[0].quota[0].amount = Quantity::new(1_000);
    let mut snapshot = Scheduler::restore(&snapshot).unwrap().snapshot();
    snapshot.config.teams[0].quota[0].amount = Quantity::new(2_000);
    let grown = Scheduler::restore(&snapshot).unwrap().snapshot();
    assert_eq!(
        guaranteed(&grown),
        [a.clone(), a, none.clone(), none],
        "who borrowed is within the quota again"
    );
}

/// A budget that has become one in another unit begins from nothing, and so does one that was taken away in between.
#[test]
fn what_was_spent_is_not_read_in_another_unit() {
    let spent = |snapshot: &Snapshot| snapshot.teams[2].budget.map(|spent| (spent.unit, spent.amount));
    let before = written();
    assert_eq!(spent(&before), Some((SpentUnit::GpuTime, 10_000_000)), "a GPU for ten seconds");
    let mut config = before.config.clone();
    for (pool, unit) in [(0, PriceUnit::Gpu), (1, PriceUnit::Cpu)] {
        config.pools[pool] =
            config.pools[pool].clone().with_price(Price { unit, hour: MicroUsd::new(3_600) });
    }
    let again = |snapshot: &Snapshot, budget: Option<Spending>| {
        let mut config = config.clone();
        config.teams[2].budget = budget.map(|most| Budget { most, period: Millis::new(100_000) });
        Scheduler::restore(&snapshot.clone().with_config(config)).unwrap().snapshot()
    };
    let (gpus, money) = (Spending::GpuMillis(2_000_000), Spending::Usd(MicroUsd::new(1_000_000)));
    assert_eq!(spent(&again(&before, Some(gpus))), spent(&before));
    let in_money = again(&before, Some(money));
    assert_eq!(spent(&in_money), Some((SpentUnit::Money, 0)));
    assert_eq!(spent(&again(&in_money, Some(gpus))), Some((SpentUnit::GpuTime, 0)));
    let without = again(&before, None);
    assert_eq!(spent(&without), None);
    assert_eq!(spent(&again(&without, Some(gpus))), Some((SpentUnit::GpuTime, 0)));
}

/// One pool of four GPUs, and two teams of which the first may hold one.
pub(crate) fn limited(policy: PolicySpec) -> Config {
    let one = Allowance::new(POOL, ResourceKind::GPU, Quantity::new(1_000));
    let teams = vec![TeamSpec::new("a").with_limit(one), TeamSpec::new("b")];
    Config::new(vec![PoolSpec::new("l4", 1, Resources::new().gpu(4))], teams).with_policy(policy)
}

pub(crate) fn wait(scheduler: &mut Scheduler, team: u32, gpus: u64) -> JobId {
    submit(scheduler, team, &ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus))), NOW)
}

fn starts(mut scheduler: Scheduler) -> Vec<JobId> {
    let decided = scheduler.schedule(NOW).unwrap().iter().filter_map(|decision| match decision {
        Decision::Start { job, .. } => Some(*job),
        _ => None,
    });
    let decided = decided.collect();
    scheduler.check_invariants().unwrap();
    decided
}

/// Whoever a limit stopped before starts in the first cycle after it was raised, though nothing else happens.
#[test]
fn whoever_may_start_under_another_configuration_does() {
    let best_effort = PolicySpec::new(OrderName::Drf);
    let conservative = best_effort.with_backfill(Backfill::Conservative);
    let easy = best_effort.with_backfill(Backfill::Easy);
    let mut pairs = vec![
        (conservative, conservative),
        (best_effort, conservative),
        (conservative, easy),
        (easy, best_effort),
    ];
    if cfg!(feature = "lp") {
        let rounds = PolicySpec::new(OrderName::Gavel);
        pairs.extend([(rounds, conservative), (rounds, easy), (rounds, best_effort)]);
    }
    for (before, after) in pairs {
        let mut scheduler = Scheduler::new(limited(before)).unwrap();
        let [_, second] = [(); 2].map(|()| wait(&mut scheduler, 0, 1));
        assert_eq!(scheduler.schedule(NOW).unwrap().len(), 1);
        let mut raised = limited(after);
        raised.teams[0].limit[0].amount = Quantity::new(4_000);
        let snapshot = scheduler.snapshot().with_config(raised);
        assert_eq!(starts(Scheduler::restore(&snapshot).unwrap()), [second], "{before:?} {after:?}");
        let with_order = Scheduler::restore_with_order(&snapshot, after.order()).unwrap();
        assert_eq!(starts(with_order), [second]);
    }
}

/// A policy of the caller's own left everything to the order that comes after it.
#[test]
fn an_order_goes_on_after_a_policy_of_the_callers_own() {
    #[derive(Clone, Debug)]
    struct Idle;
    impl Policy for Idle {
        fn copy(&self) -> Box<dyn Policy> {
            Box::new(self.clone())
        }
        fn cycle(&mut self, _: &mut Txn<'_>) -> Result<(), Error> {
            Ok(())
        }
    }
    for backfill in [Backfill::None, Backfill::BestEffort, Backfill::Easy, Backfill::Conservative] {
        let policy = PolicySpec::new(OrderName::Drf).with_backfill(backfill);
        let mut scheduler = Scheduler::with_policy(limited(policy), Box::new(Idle)).unwrap();
        let first = wait(&mut scheduler, 1, 4);
        assert_eq!(scheduler.schedule(NOW).unwrap(), []);
        let restored = Scheduler::restore_with_order(&scheduler.snapshot(), policy.order()).unwrap();
        assert_eq!(starts(restored), [first], "{backfill:?}");
    }
}

/// A pool was closed by the oldest job; by length, another comes first.
#[test]
fn another_order_opens_what_was_closed() {
    let fifo = PolicySpec::new(OrderName::Fifo).with_backfill(Backfill::None);
    let mut scheduler = Scheduler::new(limited(fifo)).unwrap();
    let _ = wait(&mut scheduler, 1, 3);
    scheduler.schedule(NOW).unwrap();
    let large = wait(&mut scheduler, 1, 4);
    let short = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    let short = JobSpec::new(TeamId::new(1), short, NOW).with_estimate(Millis::new(1));
    let Submission::Queued(short) = scheduler.submit(NOW, short).unwrap() else { unreachable!() };
    assert_eq!(scheduler.schedule(NOW).unwrap(), []);
    let snapshot = scheduler.snapshot();
    assert_eq!(snapshot.memory.pools[0].closed_by, Some(large));
    let sjf = PolicySpec::new(OrderName::Sjf).with_backfill(Backfill::None);
    let another = snapshot.clone().with_config(limited(sjf));
    assert_eq!(starts(Scheduler::restore(&another).unwrap()), [short]);
    let own = Scheduler::restore_with_order(&snapshot, sjf.order()).unwrap();
    assert_eq!(starts(own), [short]);
}

/// A search for victims that failed is made again under another quota.
#[test]
fn another_quota_lets_a_job_search_again() {
    let policy = PolicySpec::new(OrderName::Fifo).with_preemption(Preemption::Reclaim);
    let mut scheduler = Scheduler::new(limited(policy)).unwrap();
    // Of these either the small one could go, which is too little, or the large one, which is too much.
    let _ = [3, 1].map(|gpus| wait(&mut scheduler, 1, gpus));
    scheduler.schedule(NOW).unwrap();
    let mut config = limited(policy);
    config.teams[0].limit.clear();
    let snapshot = scheduler.snapshot().with_config(config.clone());
    let mut scheduler = Scheduler::restore(&snapshot).unwrap();
    let large = wait(&mut scheduler, 0, 2);
    let before = scheduler.schedule(NOW).unwrap().len();
    let snapshot = scheduler.snapshot();
    assert_eq!((before, snapshot.memory.tried.as_slice(), snapshot.memory.changed), (0, &[large][..], false));
    config.teams[0].quota = vec![Allowance::new(POOL, ResourceKind::GPU, Quantity::new(4_000))];
    assert_eq!(starts(Scheduler::restore(&snapshot.with_config(config)).unwrap()), [large]);
}

/// Who was stopped since the last event from outside searches for nobody; another configuration is such an event.
#[test]
fn another_quota_lets_one_that_was_stopped_search() {
    let quota = || vec![Allowance::new(POOL, ResourceKind::GPU, Quantity::new(4_000))];
    let policy = PolicySpec::new(OrderName::Fifo).with_preemption(Preemption::Reclaim);
    let mut config = limited(policy);
    config.teams[0].limit.clear();
    config.teams[1].quota = quota();
    let mut scheduler = Scheduler::new(config.clone()).unwrap();
    let stopped = wait(&mut scheduler, 0, 4);
    scheduler.schedule(NOW).unwrap();
    let _ = wait(&mut scheduler, 1, 4);
    assert_eq!(scheduler.schedule(NOW).unwrap().len(), 2);
    (config.teams[0].quota, config.teams[1].quota) = (quota(), Vec::new());
    assert_eq!(starts(Scheduler::restore(&scheduler.snapshot().with_config(config)).unwrap()), [stopped]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(64), ..ProptestConfig::default() })]

    /// Another policy goes on with what there is.
    #[test]
    fn the_policy_may_change_between_two_lives(case in case(), policy in policy()) {
        let (scheduler, now) = live(&case, case.ops.len());
        let mut snapshot = scheduler.snapshot();
        snapshot.config.policy = policy;
        match Scheduler::restore(&snapshot) {
            Ok(restored) => go_on(restored, now),
            Err(error) => prop_assert_eq!(Some(error), Scheduler::new(snapshot.config).err()),
        }
    }
}
