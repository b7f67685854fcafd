//! Data sets that are moved, at the calls around decisions: what a configuration may say, what time passes, what is lost.

use fairshare::{
    Alternative, Backfill, Config, DatasetSpec, Decision, Error, ErrorKind, JobId, JobSpec, MicroUsd, Millis,
    OrderName, Placed, PolicySpec, PoolId, PoolSpec, Price, PriceUnit, Resources, Scheduler, ShapeId,
    ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
};

const TEAM: TeamId = TeamId::new(0);
const NOW: Timestamp = Timestamp::ZERO;
const FAR: PoolId = PoolId::new(1);
const HOUR: u64 = 3_600_000;

/// A pool of one node in a cloud of its own, or another; its GPUs cost so many dollars an hour.
fn pool(name: &str, cloud: &str, hour: u64) -> PoolSpec {
    let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(hour * 1_000_000) };
    let egress = MicroUsd::new(20_000);
    PoolSpec::new(name, 1, Resources::new().gpu(4)).with_price(price).with_cloud(cloud, egress)
}

/// 450 GB lie in the first pool: they cost 9 dollars to leave, and take 360 s at 10 Gb/s.
fn build(pools: Vec<PoolSpec>, policy: PolicySpec) -> Result<Scheduler, Error> {
    let config = Config::new(pools, vec![TeamSpec::new("a")]).with_policy(policy);
    Scheduler::new(config.with_datasets(vec![DatasetSpec::new("web", 450_000_000_000)]))
}

fn near_and_far(policy: PolicySpec) -> Scheduler {
    build(vec![pool("near", "a", 4).with_datasets(["web"]), pool("far", "b", 1)], policy).unwrap()
}

fn reading(scheduler: &mut Scheduler, alternative: Alternative) -> ShapeId {
    scheduler.intern(&ShapeSpec::new(alternative).reading(["web"]).or_remotely()).unwrap()
}

fn one_gpu() -> Alternative {
    Alternative::new(Resources::new().gpu(1))
}

fn submit(scheduler: &mut Scheduler, spec: JobSpec) -> JobId {
    let Submission::Queued(job) = scheduler.submit(spec.submit, spec).unwrap() else { panic!("rejected") };
    job
}

/// Where a job of so many hours starts, alone.
fn chosen(pools: Vec<PoolSpec>, hours: u64) -> usize {
    let mut scheduler = build(pools, PolicySpec::default()).unwrap();
    let shape = reading(&mut scheduler, one_gpu());
    submit(&mut scheduler, JobSpec::new(TEAM, shape, NOW).with_estimate(Millis::new(hours * HOUR)));
    let decisions = scheduler.schedule(NOW).unwrap();
    let [Decision::Start { pool, .. }] = decisions else { panic!("{decisions:?}") };
    pool.index()
}

/// Near 4 an hour, far 1 and 9.1 for the data: near is cheaper up to three hours (12 against 12.1).
#[test]
fn the_cheapest_in_all_depends_on_the_length() {
    let pools = || vec![pool("near", "a", 4).with_datasets(["web"]), pool("far", "b", 1)];
    assert_eq!([1, 2, 3, 4, 5].map(|hours| chosen(pools(), hours)), [0, 0, 0, 1, 1]);
    // In the cloud in which they lie they cost nothing to move, 0.1 dollars of GPU time alone.
    let neighbour = || vec![pool("near", "a", 4).with_datasets(["web"]), pool("far", "a", 1)];
    assert_eq!(chosen(neighbour(), 1), 1);
    // A link of 10 Mb/s takes 100 hours.
    let mut slow = neighbour();
    slow[1].link_mbps = 10;
    assert_eq!([1, 33, 34].map(|hours| chosen(slow.clone(), hours)), [0, 0, 1]);
    // The cheapest of several sources.
    let mut three = pools();
    three.push(pool("archive", "c", 9).with_datasets(["*"]));
    three[2].egress_gb = MicroUsd::new(2_000);
    assert_eq!([1, 0].map(|hours| chosen(three.clone(), hours)), [1, 0], "0.9 dollars instead of 9");
}

/// Without prices the shortest way decides, and what nobody knows the size of as before: the pool that has more.
#[test]
fn without_prices_or_sizes_what_is_moved_decides() {
    let free = |name: &str| PoolSpec::new(name, 1, Resources::new().gpu(4));
    let far_first =
        || vec![free("slow").with_link_mbps(1_000), free("fast"), free("near").with_datasets(["web"])];
    assert_eq!(chosen(far_first(), 1), 2);
    let mut scheduler = build(far_first(), PolicySpec::default()).unwrap();
    let shape = reading(&mut scheduler, Alternative::new(Resources::new().gpu(4)));
    for _ in 0..3 {
        submit(&mut scheduler, JobSpec::new(TEAM, shape, NOW));
    }
    let started: Vec<usize> = scheduler.schedule(NOW).unwrap().iter().map(pool_of).collect();
    assert_eq!(started, [2, 1, 0]);
    let unknown = ShapeSpec::new(one_gpu()).reading(["books"]).or_remotely();
    let mut pools = vec![pool("cheap", "a", 1), pool("dear", "b", 9).with_datasets(["books", "web"])];
    let mut scheduler = build(pools.clone(), PolicySpec::default()).unwrap();
    let shape = scheduler.intern(&unknown).unwrap();
    let job = submit(&mut scheduler, JobSpec::new(TEAM, shape, NOW));
    assert_eq!(pool_of(&scheduler.schedule(NOW).unwrap()[0]), 1);
    assert_eq!(scheduler.moving(job).unwrap(), Millis::ZERO);
    // Nowhere a replica: nothing is known of what it takes.
    pools[1].datasets.clear();
    let mut scheduler = build(pools, PolicySpec::default()).unwrap();
    let shape = reading(&mut scheduler, one_gpu());
    submit(&mut scheduler, JobSpec::new(TEAM, shape, NOW));
    assert_eq!(pool_of(&scheduler.schedule(NOW).unwrap()[0]), 0);
}

fn pool_of(decision: &Decision) -> usize {
    let Decision::Start { pool, .. } = decision else { panic!("{decision:?}") };
    pool.index()
}

/// Data are moved for 360 s before half an hour of work: the job that needs the whole pool is reserved it at 2,160 s.
#[test]
fn a_reservation_waits_for_the_data_too() {
    let policy = PolicySpec::new(OrderName::Fifo).with_backfill(Backfill::Easy);
    let mut scheduler = near_and_far(policy);
    let reads = reading(&mut scheduler, Alternative::new(Resources::new().gpu(3)).in_pools(vec![FAR]));
    let whole = Alternative::new(Resources::new().gpu(4)).in_pools(vec![FAR]);
    let whole = scheduler.intern(&ShapeSpec::new(whole)).unwrap();
    let small = scheduler.intern(&ShapeSpec::new(one_gpu().in_pools(vec![FAR]))).unwrap();
    let limited =
        |shape, seconds: u64| JobSpec::new(TEAM, shape, NOW).with_time_limit(Millis::new(seconds * 1_000));
    let first = submit(&mut scheduler, limited(reads, 1_800));
    submit(&mut scheduler, limited(whole, 60));
    let late = submit(&mut scheduler, limited(small, 2_161));
    let started = |scheduler: &mut Scheduler| -> Vec<JobId> {
        let decisions = scheduler.schedule(NOW).unwrap().iter();
        let starts = decisions.map(|decision| match decision {
            Decision::Start { job, .. } => *job,
            other => panic!("{other:?}"),
        });
        starts.collect()
    };
    assert_eq!(started(&mut scheduler), [first]);
    assert_eq!(scheduler.next_wakeup(), Some(Timestamp::from_secs(2_160).unwrap()));
    let why = scheduler.explain(late).unwrap().to_string();
    assert!(why.contains("reserved from 2160 s on"), "{why}");
    let in_time = submit(&mut scheduler, limited(small, 2_160));
    assert_eq!(started(&mut scheduler), [in_time]);
    assert_eq!(scheduler.moving(first).unwrap(), Millis::new(360_000));
    assert_eq!(scheduler.moving(late).unwrap_err().kind(), &ErrorKind::NotRunning(late));
}

/// Of 1,000 s the first 360 moved data: those are lost, and of the 640 of work what was not saved.
#[test]
fn data_that_were_moved_are_lost_with_the_attempt() {
    let lost = |checkpoint: Option<u64>, after: u64| {
        let mut scheduler = near_and_far(PolicySpec::default());
        let reads = reading(&mut scheduler, one_gpu().in_pools(vec![FAR]));
        let mut spec = JobSpec::new(TEAM, reads, NOW);
        spec.checkpoint = checkpoint.map(|seconds| Millis::new(seconds * 1_000));
        submit(&mut scheduler, spec);
        assert_eq!(scheduler.schedule(NOW).unwrap().len(), 1);
        let later = Timestamp::from_millis(i64::try_from(after * 1_000).unwrap());
        scheduler.set_capacity(later, FAR, 0).unwrap();
        scheduler.schedule(later).unwrap();
        scheduler.evictions()[0].lost.get() / 1_000
    };
    assert_eq!([lost(None, 1_000), lost(Some(300), 1_000), lost(Some(300), 200)], [1_000, 360 + 40, 200]);
}

/// A job that is told of as running has moved its data since it began.
#[test]
fn a_job_that_runs_has_the_routes_of_its_length() {
    let mut scheduler = near_and_far(PolicySpec::default());
    let reads = reading(&mut scheduler, one_gpu());
    let spec = JobSpec::new(TEAM, reads, NOW).with_estimate(Millis::new(5 * HOUR));
    let before = format!("{scheduler:?}");
    let nowhere = Placed::new(PoolId::new(7), NOW);
    assert!(scheduler.adopt(NOW, spec, &nowhere).is_err());
    assert_eq!(format!("{scheduler:?}"), before);
    let job = scheduler.adopt(NOW, spec, &Placed::new(PoolId::new(0), NOW)).unwrap();
    assert_eq!(scheduler.moving(job).unwrap(), Millis::ZERO);
    scheduler.set_capacity(NOW, PoolId::new(0), 0).unwrap();
    scheduler.set_capacity(NOW, PoolId::new(0), 1).unwrap();
    // It comes back where it is cheapest for five hours.
    let decisions = scheduler.schedule(NOW).unwrap();
    assert!(
        matches!(decisions, [Decision::Evict { .. }, Decision::Start { pool: FAR, .. }]),
        "{decisions:?}"
    );
    scheduler.check_invariants().unwrap();
}

#[test]
fn data_that_never_come_and_names_that_are_taken_are_refused() {
    let mut pools = vec![pool("near", "a", 4), pool("far", "b", 1)];
    pools[1].link_mbps = 0;
    let error = build(pools.clone(), PolicySpec::default()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Link { pool: "far".to_owned() });
    assert_eq!(error.to_string(), "the link of pool `far` has no speed");
    pools[1].link_mbps = 1;
    let config = Config::new(pools, vec![TeamSpec::new("a")]);
    let named = |names: [&str; 2]| {
        let datasets = names.map(|name| DatasetSpec::new(name, 1)).to_vec();
        Scheduler::new(config.clone().with_datasets(datasets)).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(named(["web", "web"]), Err("data set `web` is defined twice".to_owned()));
    assert_eq!(named(["web", ""]), Err("a data set has no name".to_owned()));
    assert_eq!(named(["web", "books"]), Ok(()));
}

/// Jobs of one shape that are written down while they try their pools in two orders do so again, and shapes have the ids that
/// they had, however often that is done.
#[test]
fn what_is_written_down_keeps_its_routes() {
    let build = || {
        let mut scheduler = near_and_far(PolicySpec::default());
        let full = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(4)))).unwrap();
        for _ in 0..2 {
            submit(&mut scheduler, JobSpec::new(TEAM, full, NOW));
        }
        let full = scheduler.schedule(NOW).unwrap().to_vec();
        let reads = reading(&mut scheduler, one_gpu());
        for hours in [1, 5] {
            let spec = JobSpec::new(TEAM, reads, NOW).with_estimate(Millis::new(hours * HOUR));
            submit(&mut scheduler, spec);
        }
        // Its id comes behind that of a variant.
        let two = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(2)))).unwrap();
        submit(&mut scheduler, JobSpec::new(TEAM, two, NOW));
        (scheduler, full, two)
    };
    let (mut before, full, two) = build();
    let snapshot = before.snapshot();
    let mut after = Scheduler::restore(&snapshot).unwrap();
    for _ in 0..3 {
        assert_eq!(after.snapshot(), snapshot);
        after = Scheduler::restore(&after.snapshot()).unwrap();
        after.check_invariants().unwrap();
    }
    assert_eq!(after.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(2)))).unwrap(), two);
    for decision in full {
        let Decision::Start { job, .. } = decision else { panic!("{decision:?}") };
        before.complete(NOW, job).unwrap();
        after.complete(NOW, job).unwrap();
    }
    let decisions = before.schedule(NOW).unwrap();
    assert_eq!(after.schedule(NOW).unwrap(), decisions);
    // The short one near, the long one far away.
    assert_eq!(decisions.iter().take(2).map(pool_of).collect::<Vec<_>>(), [0, 1]);
}
