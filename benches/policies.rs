//! Every policy on the same three workloads (`workloads.rs`).
//!
//! What is timed is a whole replay. Every replay's decisions are compared with a digest, so that a change that makes a
//! policy faster by deciding otherwise is seen. A policy of your own is a line in `OWN`; `cargo bench -p fairshare --bench
//! policies -- NAME` times one. `gavel` is there with `--features lp`; `kueue`, which is in the simulator, is timed by its
//! bench of this name.

mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{
    Allowance, Config, Decision, Error, EvictReason, JobId, JobSpec, Millis, OrderName, Policy, PolicySpec,
    PoolId, Quantity, ResourceKind, Scheduler, Submission, TeamId, Timestamp, Txn,
};

use workloads::{Workload, workloads};

/// How a scheduler is made.
type Make = fn(Config) -> Result<Scheduler, Error>;

/// Policies beside the crate's: a name and how to make a scheduler with it. Yours goes behind the last, an order or a whole policy.
const OWN: &[(&str, Make)] = &[("in-turn", |config| Scheduler::with_policy(config, Box::new(InTurn)))];

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

impl Workload {
    fn config(&self, order: OrderName) -> Config {
        let mut teams = self.teams.clone();
        if order == OrderName::Static {
            let leaves: Vec<bool> = (0..teams.len())
                .map(|team| {
                    teams.iter().all(|other| other.parent.is_none_or(|parent| parent.index() != team))
                })
                .collect();
            // An equal part of the pool for each.
            let count = leaves.iter().filter(|is_leaf| **is_leaf).count() as u64;
            let all = self.pool.node[ResourceKind::GPU].get() * u64::from(self.pool.nodes);
            let part = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(all / count));
            for (team, _) in teams.iter_mut().zip(leaves).filter(|(_, is_leaf)| *is_leaf) {
                team.quota = vec![part];
            }
        }
        let policy = PolicySpec::new(order).with_preemption(self.preemption);
        Config::new(vec![self.pool.clone()], teams).with_policy(policy)
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
        0xf5f3_d4a0_af8b_04ea,
        0xd71d_0d4e_b758_2864,
        0xf5f3_d4a0_af8b_04ea,
        0xcaca_51eb_37e0_f5b8,
        0x55c4_847a_a749_4491,
        0x6d0b_7549_fdc1_a629,
        0xe89a_272c_3e87_8d67,
        0xce05_05e5_61af_1b1c,
    ],
];

fn policies(c: &mut Criterion) {
    for (workload, digests) in workloads().iter().zip(DIGESTS) {
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
        for &(name, make) in OWN {
            row(name, digests.next(), &|| make(workload.config(OrderName::Drf)));
        }
        group.finish();
    }
}

criterion_group!(benches, policies);
criterion_main!(benches);
