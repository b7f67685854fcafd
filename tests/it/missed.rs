//! Missed: how often the search finds no plan though there is one, where lending limits, the ratio, a minimum run or the GPU
//! time by the hour bind.
//!
//! In a pool of eight GPUs every set of running jobs can be tried. Each case is replayed beside the slow scheduler, which
//! also checks every plan that is taken. Absent on purpose: cases without such bounds (see `livelock` and `differential`).

use fairshare::{
    Allowance, Alternative, Backfill, Config, EvictionBounds, Millis, OrderName, PolicySpec, PoolId,
    PoolSpec, Preemption, Quantity, ResourceKind, Resources, ShapeSpec, TeamSpec,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::differential::replay_and;
use crate::strategy::{Case, Op};

/// What binds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bound {
    Lending,
    Budget,
    Ratio,
    MinimumRun,
}

/// Four nodes of two GPUs, or eight in one.
fn pool(divisible: bool) -> PoolSpec {
    let nodes = if divisible { 1 } else { 4 };
    let pool =
        PoolSpec::new("p", nodes, Resources::new().gpu(8 / u64::from(nodes)).cpu(16 / u64::from(nodes)));
    if divisible { pool.as_divisible() } else { pool }
}

fn policy(bound: Bound, amount: u64) -> PolicySpec {
    let mut bounds = EvictionBounds::default();
    bounds.ratio_milli = (bound == Bound::Ratio).then_some(1_000 + amount * 250);
    bounds.gpu_seconds_per_hour = (bound == Bound::Budget).then_some(4 + amount * 4);
    if bound == Bound::MinimumRun {
        bounds.minimum_run = Millis::new(1_000 + amount * 500);
    }
    let policy = PolicySpec::new(OrderName::Drf).with_backfill(Backfill::BestEffort);
    policy.with_preemption(Preemption::Reclaim).with_bounds(bounds)
}

/// Three teams with quotas, of which they lend some where that binds.
fn teams(bound: Bound, quotas: &[(u64, u64)]) -> Vec<TeamSpec> {
    let gpus = |units: u64| Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(units * 1_000));
    let team = |(number, (quota, lent)): (usize, &(u64, u64))| {
        let mut team = TeamSpec::new(format!("t{number}"));
        if *quota > 0 {
            team.quota.push(gpus(*quota));
            team.lend.extend((bound == Bound::Lending).then(|| gpus(*lent.min(quota))));
        }
        team
    };
    quotas.iter().enumerate().map(team).collect()
}

fn op() -> impl Strategy<Value = Op> {
    let submit = (0_usize..3, 0_usize..4);
    prop_oneof![
        6 => submit.prop_map(|(team, shape)| Op::Submit { team, shape, length: None, limit: None, fixed: false }),
        2 => (0_usize..8).prop_map(Op::Complete),
        4 => Just(Op::Schedule),
        3 => (500_i64..3_000).prop_map(Op::Wait),
    ]
}

fn case(bound: Bound, divisible: bool) -> impl Strategy<Value = Case> {
    let shape = (1_u64..=4, 0_u64..=8, -1_i32..=1).prop_map(move |(gpus, cores, class)| {
        let (each, workers) = if divisible { (gpus, 1) } else { (1 + gpus % 2, 1 + cores % 2) };
        let asks = Resources::new().gpu(each).cpu(if divisible { cores } else { cores % 5 });
        let workers = u32::try_from(workers).unwrap();
        ShapeSpec::new(Alternative::new(asks).with_workers(workers)).with_class(class)
    });
    let quotas = vec((0_u64..=3, 0_u64..=2), 3);
    (quotas, vec(shape, 4), vec(op(), 20..=60), 0_u64..=4).prop_map(
        move |(mut quotas, shapes, ops, amount)| {
            // Not more than there is.
            quotas[2].0 = quotas[2].0.min(8 - quotas[0].0 - quotas[1].0);
            let config = Config::new(vec![pool(divisible)], teams(bound, &quotas));
            Case { config: config.with_policy(policy(bound, amount)), shapes, ops }
        },
    )
}

/// Plans taken and missed over many cases.
fn measure(bound: Bound, divisible: bool) -> (usize, usize) {
    let mut runner = TestRunner::deterministic();
    let (mut taken, mut missed) = (0, 0);
    for _ in 0..400 {
        let seen = replay_and(&case(bound, divisible).new_tree(&mut runner).unwrap().current(), true);
        (taken, missed) = (taken + seen.plans.0, missed + seen.plans.1);
    }
    (taken, missed)
}

#[test]
fn where_bounds_bind_few_plans_are_missed() {
    let mut wrong = Vec::new();
    for bound in [Bound::Lending, Bound::Budget, Bound::Ratio, Bound::MinimumRun] {
        for divisible in [true, false] {
            let (taken, missed) = measure(bound, divisible);
            println!("{bound:?}, divisible {divisible}: plans taken {taken} and missed {missed}");
            // Of forty plans one at most.
            if taken < 200 || missed * 40 > taken {
                wrong.push(format!("{bound:?}, divisible {divisible}: {taken} taken, {missed} missed"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
