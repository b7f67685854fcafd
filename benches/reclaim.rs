//! What it costs to take room back: a late team stops others' jobs in a full pool of 1,000 nodes with 8 GPUs each.
//!
//! A turn is the reclaim and the way back: a job comes and stops others, then it ends and they start again. Every bench
//! asserts who is stopped, why, and that the job starts in their room.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fairshare::{
    Allowance, Alternative, Config, Decision, EvictReason, JobId, JobSpec, PolicySpec, PoolId, PoolSpec,
    Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeId, ShapeSpec, Submission, TeamId,
    TeamSpec, Timestamp,
};

const NODES: u32 = 1_000;
const GPUS: u32 = 8;
const TEAMS: u32 = 50;
const NOW: Timestamp = Timestamp::ZERO;

/// A full pool, and a team that has nothing yet.
struct Full {
    scheduler: Scheduler,
    late: TeamId,
    shape: ShapeId,
    victims: usize,
    reason: EvictReason,
}

impl Full {
    fn new(workers: u32, gpus: u32, quota: u64) -> Self {
        let pool = PoolSpec::new("gpu", NODES, Resources::new().gpu(u64::from(GPUS)));
        let mut teams: Vec<TeamSpec> = (0..TEAMS).map(|team| TeamSpec::new(format!("team-{team}"))).collect();
        let mut late = TeamSpec::new("late");
        if quota > 0 {
            let gpus = Quantity::from_units(quota).expect("a small number");
            late.quota.push(Allowance::new(PoolId::new(0), ResourceKind::GPU, gpus));
        }
        teams.push(late);
        let policy = PolicySpec::default().with_preemption(Preemption::Reclaim);
        let config = Config::new(vec![pool], teams).with_policy(policy);
        let mut scheduler = Scheduler::new(config).expect("a valid configuration");
        let one =
            scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).expect("valid");
        for number in 0..NODES * GPUS {
            let submitted = scheduler.submit(NOW, JobSpec::new(TeamId::new(number % TEAMS), one, NOW));
            assert!(matches!(submitted, Ok(Submission::Queued(_))), "the job fits the pool");
        }
        assert_eq!(scheduler.schedule(NOW).expect("time stands still").len(), (NODES * GPUS) as usize);
        let gang = Alternative::new(Resources::new().gpu(u64::from(gpus))).with_workers(workers);
        let shape = scheduler.intern(&ShapeSpec::new(gang)).expect("a valid shape");
        let reason = if quota > 0 { EvictReason::Quota } else { EvictReason::FairShare };
        Self { scheduler, late: TeamId::new(TEAMS), shape, victims: (workers * gpus) as usize, reason }
    }

    /// The late team's job stops others, and ends.
    fn turn(&mut self) -> JobId {
        let submitted = self.scheduler.submit(NOW, JobSpec::new(self.late, self.shape, NOW));
        let Ok(Submission::Queued(id)) = submitted else { panic!("the job fits the pool") };
        let decisions = self.scheduler.schedule(NOW).expect("time stands still");
        let (last, evictions) = decisions.split_last().expect("the job has a right to room");
        assert!(matches!(last, Decision::Start { job, .. } if *job == id), "{last:?}");
        assert_eq!(evictions.len(), self.victims, "no more are stopped than are needed");
        for eviction in evictions {
            let Decision::Evict { reason, by, .. } = eviction else { panic!("{eviction:?}") };
            assert_eq!((*reason, *by), (self.reason, Some(id)));
        }
        self.scheduler.complete(NOW, id).expect("it runs");
        let again = self.scheduler.schedule(NOW).expect("time stands still").len();
        assert_eq!(again, self.victims, "whoever was stopped starts again");
        id
    }
}

fn reclaim(c: &mut Criterion) {
    let mut group = c.benchmark_group("reclaim");
    for (name, workers, gpus, quota) in [
        ("one-gpu-by-share", 1, 1, 0),
        ("one-gpu-by-quota", 1, 1, 100),
        ("one-node-by-share", 1, GPUS, 0),
        ("gang-of-16-nodes-by-share", 16, GPUS, 0),
    ] {
        let mut full = Full::new(workers, gpus, quota);
        group.bench_function(name, |b| b.iter(|| black_box(full.turn())));
    }
    group.finish();
}

criterion_group!(benches, reclaim);
criterion_main!(benches);
