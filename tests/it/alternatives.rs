//! In which order the ways to run a job are tried where several have room: model.md §3 (5).

use fairshare::{
    Alternative, Config, DatasetSpec, Decision, JobSpec, MicroUsd, PoolSpec, Price, PriceUnit, Resources,
    Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
};

fn gpus(amount: u64) -> Resources {
    Resources::new().gpu(amount)
}

fn pool(name: &str, price: Option<u64>) -> PoolSpec {
    let pool = PoolSpec::new(name, 4, gpus(8)).with_accelerator(name);
    let priced = |micro| Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(micro) };
    match price {
        Some(micro) => pool.with_price(priced(micro)),
        None => pool,
    }
}

/// The number of the pool and the alternative that one job takes of empty pools.
fn taken(pools: Vec<PoolSpec>, alternatives: [Alternative; 2], count: bool) -> (usize, u32) {
    let now = Timestamp::ZERO;
    let mut config = Config::new(pools, vec![TeamSpec::new("a")]);
    if count {
        config.policy.value = fairshare::ShareValue::Count;
    }
    let mut scheduler = Scheduler::new(config).unwrap();
    let [first, second] = alternatives;
    let shape = scheduler.intern(&ShapeSpec::new(first).or(second)).unwrap();
    let submitted = scheduler.submit(now, JobSpec::new(TeamId::new(0), shape, now)).unwrap();
    assert!(matches!(submitted, Submission::Queued(_)));
    match scheduler.schedule(now).unwrap() {
        [Decision::Start { pool, alternative, .. }] => (pool.index(), *alternative),
        other => panic!("{other:?}"),
    }
}

/// Whole nodes of eight GPUs, or a part of one.
fn on(name: &str, amount: u64, speed_milli: u32) -> Alternative {
    let mut alternative = Alternative::new(gpus(amount.min(8))).on(name);
    alternative.workers = u32::try_from(amount.div_ceil(8)).unwrap();
    alternative.speed_milli = speed_milli;
    alternative
}

#[test]
fn the_fastest_for_its_share_is_tried_first() {
    let either = || [on("h200", 8, 1_000), on("a100", 16, 500)];
    // Whatever the order of the pools: half as fast on twice as many is worth a quarter.
    assert_eq!(taken(vec![pool("a100", None), pool("h200", None)], either(), false), (1, 0));
    assert_eq!(taken(vec![pool("h200", None), pool("a100", None)], either(), false), (0, 0));
    // A cheap one is not better where GPUs are counted.
    let priced = || vec![pool("a100", Some(100_000)), pool("h200", Some(3_500_000))];
    assert_eq!(taken(priced(), either(), true), (1, 0));
    // Valued by price, 16 at a tenth of a dollar are less of a share than half of 8 at 3.50.
    assert_eq!(taken(priced(), either(), false), (0, 1));
}

/// The number of the pool that a job takes which reads a data set of a terabyte, with or without a way to run it where the
/// data set is not.
fn taken_with_data(elsewhere: bool) -> usize {
    let (now, name) = (Timestamp::ZERO, || "corpus".to_owned());
    let mut pools = vec![pool("a100", None), pool("h200", None), pool("l4", None)];
    for pool in &mut pools[..2] {
        pool.datasets = vec![name()];
    }
    let config = Config::new(pools, vec![TeamSpec::new("a")]);
    let known = DatasetSpec::new(name(), 1_000_000_000_000);
    let mut scheduler = Scheduler::new(config.with_datasets(vec![known])).unwrap();
    let mut shape = ShapeSpec::new(on("h200", 8, 1_000)).or(on("a100", 16, 500)).reading(&[name()]);
    if elsewhere {
        shape = shape.or(on("l4", 32, 100));
    }
    shape.reads_remotely = true;
    let shape = scheduler.intern(&shape).unwrap();
    let _ = scheduler.submit(now, JobSpec::new(TeamId::new(0), shape, now)).unwrap();
    match scheduler.schedule(now).unwrap() {
        [Decision::Start { pool, .. }] => pool.index(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worse_way_without_the_data_changes_nothing_between_better_ones() {
    assert_eq!([taken_with_data(false), taken_with_data(true)], [1, 1]);
}

#[test]
fn of_two_in_one_pool_the_fewer_are_tried_first() {
    let both = [on("h200", 8, 100), on("h200", 4, 1_000)];
    assert_eq!(taken(vec![pool("h200", None)], both, false), (0, 1));
}

#[test]
fn of_equals_the_cheapest_is_tried_first_and_then_the_first() {
    let either = || [on("h200", 8, 1_000), on("a100", 8, 1_000)];
    let priced = |h200, a100| vec![pool("h200", Some(h200)), pool("a100", Some(a100))];
    assert_eq!(taken(priced(2, 1), either(), true), (1, 1));
    assert_eq!(taken(priced(1, 1), either(), true), (0, 0));
}
