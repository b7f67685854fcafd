//! Every order on the same three workloads: a thousand teams side by side, a tree four levels deep, and one in which what
//! was borrowed is taken back.
//!
//! What is timed is a whole replay. Every replay's decisions are compared with a digest, so that a change that makes an
//! order faster by deciding otherwise is seen. An order of your own is added in `own`; `cargo bench -p fairshare --bench
//! policies -- NAME` times one order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{
    Allowance, Alternative, Config, Decision, JobId, JobSpec, Millis, Order, OrderName, PolicySpec, PoolId,
    PoolSpec, Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec, Submission, TeamId,
    TeamSpec, Timestamp,
};

/// A name, and how to make an order.
type Own = (&'static str, fn() -> Box<dyn Order>);

/// Orders beside the crate's: a name and how to make one. `("mine", || Box::new(Mine))` is all that it takes.
fn own() -> Vec<Own> {
    Vec::new()
}

/// One job of a workload.
struct Load {
    submit: i64,
    run: u64,
    team: u32,
    shape: usize,
}

struct Workload {
    name: &'static str,
    pools: Vec<PoolSpec>,
    teams: Vec<TeamSpec>,
    /// A part of the pool that each leaf may call its own, for orders that need one.
    part: u64,
    preemption: Preemption,
    shapes: Vec<ShapeSpec>,
    loads: Vec<Load>,
}

/// Numbers that look random and are the same everywhere (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

fn shapes() -> Vec<ShapeSpec> {
    let shape = |gpus: u64, workers: u32| {
        ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus).cpu(gpus * 8)).with_workers(workers))
    };
    vec![shape(1, 1), shape(2, 1), shape(4, 1), shape(2, 2)]
}

fn loads(seed: u64, teams: std::ops::Range<u32>, jobs: usize, span: u64) -> Vec<Load> {
    let mut numbers = Numbers(seed);
    let mut loads: Vec<Load> = (0..jobs)
        .map(|_| Load {
            submit: i64::try_from(numbers.below(span)).unwrap_or(0),
            run: 60 + numbers.below(1_200),
            team: teams.start + u32::try_from(numbers.below(u64::from(teams.end - teams.start))).unwrap_or(0),
            shape: usize::try_from(numbers.below(4)).unwrap_or(0),
        })
        .collect();
    loads.sort_by_key(|load| load.submit);
    loads
}

fn flat() -> Workload {
    let pool = PoolSpec::new("gpu", 4_000, Resources::new().gpu(1).cpu(8)).as_divisible();
    Workload {
        name: "flat, 1000 teams",
        pools: vec![pool],
        teams: (0..1_000).map(|team| TeamSpec::new(format!("team-{team}"))).collect(),
        part: 4,
        preemption: Preemption::None,
        shapes: shapes(),
        loads: loads(1, 0..1_000, 10_000, 3_000),
    }
}

/// Five departments of five groups of five teams of eight users.
fn deep() -> Workload {
    let mut teams = Vec::new();
    let mut above: Vec<Option<TeamId>> = vec![None];
    let mut first_leaf = 0;
    for fan_out in [5, 5, 5, 8] {
        first_leaf = teams.len();
        let mut level = Vec::new();
        for parent in &above {
            for _ in 0..fan_out {
                let mut team = TeamSpec::new(format!("team-{}", teams.len()));
                team.parent = *parent;
                level.push(Some(TeamId::new(u32::try_from(teams.len()).unwrap_or(u32::MAX))));
                teams.push(team);
            }
        }
        above = level;
    }
    let range = u32::try_from(first_leaf).unwrap_or(0)..u32::try_from(teams.len()).unwrap_or(0);
    Workload {
        name: "four levels",
        pools: vec![PoolSpec::new("gpu", 500, Resources::new().gpu(8).cpu(64))],
        teams,
        part: 4,
        preemption: Preemption::None,
        shapes: shapes(),
        loads: loads(2, range, 4_000, 1_000),
    }
}

/// Eight teams with quotas on 64 nodes: half of them borrow first, the others come back for what is theirs.
fn reclaim() -> Workload {
    let mut early = loads(3, 0..4, 600, 300);
    let late = loads(4, 4..8, 600, 300);
    early.extend(late.into_iter().map(|load| Load { submit: load.submit + 400, ..load }));
    let quota = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(64_000));
    Workload {
        name: "reclaim",
        pools: vec![PoolSpec::new("gpu", 64, Resources::new().gpu(8).cpu(64))],
        teams: (0..8).map(|team| TeamSpec::new(format!("team-{team}")).with_quota(quota)).collect(),
        part: 64,
        preemption: Preemption::Reclaim,
        shapes: shapes(),
        loads: early,
    }
}

impl Workload {
    fn config(&self, order: OrderName) -> Config {
        let mut teams = self.teams.clone();
        if order == OrderName::Static {
            let leaves: Vec<bool> = (0..teams.len())
                .map(|team| {
                    teams.iter().all(|other| other.parent.is_none_or(|parent| parent.index() != team))
                })
                .collect();
            let part = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(self.part * 1_000));
            for (team, _) in teams.iter_mut().zip(leaves).filter(|(_, is_leaf)| *is_leaf) {
                team.quota = vec![part];
            }
        }
        let policy = PolicySpec::new(order).with_preemption(self.preemption);
        Config::new(self.pools.clone(), teams).with_policy(policy)
    }

    /// Replays all jobs; a digest of every decision.
    fn replay(&self, mut scheduler: Scheduler) -> u64 {
        let shapes: Vec<_> =
            self.shapes.iter().map(|shape| scheduler.intern(shape).expect("a valid shape")).collect();
        let mut jobs: BTreeMap<JobId, (u64, u32)> = BTreeMap::new();
        let mut ends: BinaryHeap<Reverse<(i64, JobId, u32)>> = BinaryHeap::new();
        let mut loads = self.loads.iter().peekable();
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        loop {
            let arrival = loads.peek().map(|load| load.submit);
            let end = ends.peek().map(|Reverse((end, ..))| *end);
            let Some(second) = [arrival, end].into_iter().flatten().min() else { break };
            let now = Timestamp::from_secs(second).expect("seconds are few");
            while let Some(Reverse((_, job, attempt))) = ends.pop_if_at(second) {
                if jobs.get(&job).is_some_and(|(_, its)| *its == attempt) {
                    scheduler.complete(now, job).expect("it runs");
                    jobs.remove(&job);
                }
            }
            while let Some(load) = loads.next_if(|load| load.submit == second) {
                let mut spec = JobSpec::new(TeamId::new(load.team), shapes[load.shape], now);
                spec.estimate = Some(Millis::new(load.run * 1_000));
                if let Submission::Queued(job) = scheduler.submit(now, spec).expect("a known team") {
                    jobs.insert(job, (load.run, 0));
                }
            }
            for decision in scheduler.schedule(now).expect("time goes on") {
                let (kind, job, attempt) = match *decision {
                    Decision::Start { job, attempt, .. } => (1, job, attempt),
                    Decision::Evict { job, .. } => (2, job, 0),
                    ref other => panic!("no such decision here: {other:?}"),
                };
                let known = jobs.get_mut(&job).expect("a job that is alive");
                known.1 = attempt;
                if kind == 1 {
                    ends.push(Reverse((second + i64::try_from(known.0).unwrap_or(0), job, attempt)));
                }
                for word in [second.unsigned_abs(), kind, job.slot() as u64] {
                    digest = (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
        }
        assert_eq!(scheduler.waiting(), 0, "every job has run");
        digest
    }
}

/// The next event of one instant.
trait PopAt {
    fn pop_if_at(&mut self, second: i64) -> Option<Reverse<(i64, JobId, u32)>>;
}

impl PopAt for BinaryHeap<Reverse<(i64, JobId, u32)>> {
    fn pop_if_at(&mut self, second: i64) -> Option<Reverse<(i64, JobId, u32)>> {
        if self.peek()?.0.0 == second { self.pop() } else { None }
    }
}

/// The decisions of every order on every workload, in the order of `workloads` and of `OrderName::ALL`.
const DIGESTS: [[u64; 9]; 3] = [
    [
        0xe15b_55a6_8221_4e1f,
        0x4ad3_7dfa_c11b_367c,
        0xe15b_55a6_8221_4e1f,
        0x67a7_2de6_6ab4_fcb2,
        0xac2c_64ce_9b49_2fe1,
        0x67a7_2de6_6ab4_fcb2,
        0x1091_eac2_6baf_80c7,
        0x8d88_d0b3_24f4_3f4e,
        0x73e7_0f93_c659_8321,
    ],
    [
        0xa9ef_bc7f_5cef_6c7b,
        0xbdc0_4f6e_cec2_32e6,
        0x46c0_6a65_39f2_9b8e,
        0xfe2b_1232_23b9_d9a4,
        0x7703_22e4_158a_de39,
        0xfe2b_1232_23b9_d9a4,
        0xa6a4_40e8_87e8_0a99,
        0x4d2f_1daa_a74c_8db9,
        0xac0e_bf9b_dcab_702a,
    ],
    [
        0xe7df_0ea3_7146_6094,
        0x587c_ae1b_07cc_8279,
        0xe7df_0ea3_7146_6094,
        0x8908_e97c_1457_ead2,
        0x1dde_1b91_6947_ebee,
        0x8908_e97c_1457_ead2,
        0x6079_d9af_ccba_0e98,
        0xe9e3_95a3_23aa_b5d9,
        0x85fd_9870_f072_8a04,
    ],
];

fn policies(c: &mut Criterion) {
    for (workload, digests) in [flat(), deep(), reclaim()].iter().zip(DIGESTS) {
        let mut group = c.benchmark_group(workload.name);
        group.sample_size(10);
        for (order, expected) in OrderName::ALL.into_iter().zip(digests) {
            group.bench_function(BenchmarkId::from_parameter(order.as_str()), |b| {
                b.iter(|| {
                    let scheduler = Scheduler::new(workload.config(order)).expect("a valid configuration");
                    let digest = black_box(workload.replay(scheduler));
                    assert_eq!(digest, expected, "{:#018x} is the digest of `{}`", digest, order.as_str());
                });
            });
        }
        for (name, order) in own() {
            let mut first = None;
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    let config = workload.config(OrderName::Drf);
                    let scheduler = Scheduler::with_order(config, order()).expect("a valid configuration");
                    let digest = black_box(workload.replay(scheduler));
                    assert_eq!(
                        *first.get_or_insert(digest),
                        digest,
                        "`{name}` decides otherwise the second time"
                    );
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, policies);
criterion_main!(benches);
