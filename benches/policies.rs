//! Every policy on the same three workloads: a thousand teams side by side, a tree four levels deep, and one in which what
//! was borrowed is taken back.
//!
//! What is timed is a whole replay. Every replay's decisions are compared with a digest, so that a change that makes a
//! policy faster by deciding otherwise is seen. A policy of your own is a line in `OWN`; `cargo bench -p fairshare --bench
//! policies -- NAME` times one. `gavel` is there with `--features lp`.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{
    Allowance, Alternative, Config, Decision, Error, EvictReason, JobId, JobSpec, Millis, OrderName, Policy,
    PolicySpec, PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec,
    Submission, TeamId, TeamSpec, Timestamp, Txn,
};

/// How a scheduler is made.
type Make = fn(Config) -> Result<Scheduler, Error>;

/// Policies beside the crate's: a name and how to make a scheduler with it. Yours goes here, an order or a whole policy.
const OWN: [(&str, Make); 1] = [("in-turn", |config| Scheduler::with_policy(config, Box::new(InTurn)))];

/// Whoever came first and fits. What nobody may pass is not kept for anybody.
#[derive(Clone, Debug)]
struct InTurn;

impl Policy for InTurn {
    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
        txn.waiting().collect::<Vec<_>>().into_iter().try_for_each(|job| txn.start_anywhere(job).map(|_| ()))
    }
}

/// One job of a workload.
struct Load {
    /// When it enters and how long it runs, ms.
    submit: i64,
    run: i64,
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

fn seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(0) * 1_000
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
            submit: seconds(numbers.below(span)),
            run: seconds(60 + numbers.below(1_200)),
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
    early.extend(late.into_iter().map(|load| Load { submit: load.submit + 400_000, ..load }));
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
        let mut jobs: BTreeMap<JobId, Life> = BTreeMap::new();
        let mut ends: BTreeSet<(i64, JobId, u32)> = BTreeSet::new();
        let mut loads = self.loads.iter().peekable();
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        loop {
            let arrival = loads.peek().map(|load| load.submit);
            let end = ends.first().map(|(end, ..)| *end);
            let wakeup = scheduler.next_wakeup().map(Timestamp::as_millis);
            let wakeup = wakeup.filter(|_| arrival.is_some() || !jobs.is_empty());
            let Some(at) = [arrival, end, wakeup].into_iter().flatten().min() else { break };
            let now = Timestamp::from_millis(at);
            while let Some((_, job, attempt)) = ends.first().copied().filter(|(end, ..)| *end == at) {
                ends.pop_first();
                if jobs.get(&job).is_some_and(|life| life.attempt == attempt) {
                    scheduler.complete(now, job).expect("it runs");
                    jobs.remove(&job);
                }
            }
            while let Some(load) = loads.next_if(|load| load.submit == at) {
                let mut spec = JobSpec::new(TeamId::new(load.team), shapes[load.shape], now);
                spec.estimate = Some(Millis::new(load.run.unsigned_abs()));
                if let Submission::Queued(job) = scheduler.submit(now, spec).expect("a known team") {
                    jobs.insert(job, Life { left: load.run, since: 0, attempt: 0 });
                }
            }
            for decision in scheduler.schedule(now).expect("time goes on") {
                let (kind, job) = match *decision {
                    Decision::Start { job, attempt, .. } => {
                        let life = jobs.get_mut(&job).expect("a job that is alive");
                        (life.since, life.attempt) = (at, attempt);
                        ends.insert((at + life.left, job, attempt));
                        (1, job)
                    }
                    Decision::Evict { job, reason, .. } => {
                        let life = jobs.get_mut(&job).expect("a job that is alive");
                        life.attempt = 0;
                        // Who gives way at the end of a round keeps the work; all others begin anew.
                        life.left -= if reason == EvictReason::Round { at - life.since } else { 0 };
                        (2, job)
                    }
                    ref other => panic!("no such decision here: {other:?}"),
                };
                for word in [at.unsigned_abs(), kind, job.slot() as u64] {
                    digest = (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
        }
        assert_eq!(scheduler.waiting(), 0, "every job has run");
        digest
    }
}

/// A job that is alive: how long it has to run, ms, since when it runs, and which attempt that is, none while it waits.
struct Life {
    left: i64,
    since: i64,
    attempt: u32,
}

/// The decisions on every workload of every policy: those of `OrderName::ALL`, then of `OWN` as far as they are known.
/// Others are compared with their own first replay.
const DIGESTS: [[u64; OrderName::ALL.len() + 1]; 3] = [
    [
        0x8c54_28ce_7d2a_d8a9,
        0x059e_d00b_7e3a_d9ea,
        0x8c54_28ce_7d2a_d8a9,
        0xe55a_2612_5ee1_f468,
        0xeb21_14da_bd64_bc8a,
        0xe55a_2612_5ee1_f468,
        0x6c79_3e4c_10c6_8235,
        0x4018_8a66_c4f4_9235,
        0x2f36_1074_9b49_873a,
        0xdb94_d8b1_c921_dcdb,
        0xe55a_2612_5ee1_f468,
    ],
    [
        0x60e8_78d9_b577_049c,
        0xb348_b305_9f50_010a,
        0x8f5a_5025_4ee9_1324,
        0x85e5_3ccf_85c1_b3e1,
        0xc2a8_a3b4_b421_4142,
        0x85e5_3ccf_85c1_b3e1,
        0x4f52_947c_538d_8e38,
        0xbb4e_f6c4_903e_aa37,
        0x79d7_4e48_9835_f3f9,
        0x7c3c_afb7_a9e0_6bd5,
        0x85e5_3ccf_85c1_b3e1,
    ],
    [
        0xa285_f1d5_30c9_6368,
        0xacab_9dd7_c4a4_8f0f,
        0xa285_f1d5_30c9_6368,
        0xc14c_2664_9f32_eafc,
        0x079c_403b_32ca_fd36,
        0xc14c_2664_9f32_eafc,
        0xcaca_51eb_37e0_f5b8,
        0xa3cc_8907_1ab7_3962,
        0x2e3a_b748_d8c7_6e76,
        0xe89a_272c_3e87_8d67,
        0xce05_05e5_61af_1b1c,
    ],
];

fn policies(c: &mut Criterion) {
    for (workload, digests) in [flat(), deep(), reclaim()].iter().zip(DIGESTS) {
        let mut group = c.benchmark_group(workload.name);
        group.sample_size(10);
        let mut row = |name: &str, digest: Option<u64>, make: &dyn Fn() -> Result<Scheduler, Error>| {
            let mut expected = digest;
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    let digest = black_box(workload.replay(make().expect("a valid configuration")));
                    let expected = *expected.get_or_insert(digest);
                    assert_eq!(digest, expected, "{digest:#018x} is the digest of `{name}`");
                });
            });
        };
        let mut digests = digests.into_iter();
        for (order, expected) in OrderName::ALL.into_iter().zip(digests.by_ref()) {
            if cfg!(feature = "lp") || order != OrderName::Gavel {
                row(order.as_str(), Some(expected), &|| Scheduler::new(workload.config(order)));
            }
        }
        for (name, make) in OWN {
            row(name, digests.next(), &|| make(workload.config(OrderName::Drf)));
        }
        group.finish();
    }
}

criterion_group!(benches, policies);
criterion_main!(benches);
