//! The neighbours' own shapes: the sizes at which other schedulers measure themselves, here in one process.
//!
//! Armada's queue scheduler fills 1 to 1,000 nodes from one queue or ten; KAI's takes a tenth of 10 to 1,000 nodes of
//! eight GPUs back for one gang; `YuniKorn`'s core places 10,000 pods on 500 to 5,000 nodes; Mesos' allocator fills 30 to
//! 3,000 agents; Gavel's program divides the time of three kinds of GPUs among 100 to 2,000 jobs, no two of which are as
//! fast everywhere (with `--features lp`). Only the sizes are theirs: nothing here talks to an API server, and jobs are as simple as can be.
//! Every cycle asserts how much it started and stopped.

#[path = "common.rs"]
mod common;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{Alternative, OrderName, PolicySpec, PoolId, PoolSpec, Preemption, Resources, ShapeSpec};

use common::Bed;

/// Times one cycle of a bed that is made anew each time, and checks what it decided.
fn cycle(c: &mut Criterion, group: &str, name: &str, make: impl Fn() -> Bed, expected: (usize, usize)) {
    let mut group = c.benchmark_group(group);
    group.bench_function(BenchmarkId::from_parameter(name), |b| {
        let check = |bed: &mut Bed| {
            let (started, stopped) = bed.cycle();
            assert_eq!((started.len(), stopped), expected);
        };
        b.iter_batched_ref(&make, check, BatchSize::PerIteration);
    });
    group.finish();
}

fn armada(c: &mut Criterion) {
    for (nodes, queues, jobs) in [
        (1, 1, 320),
        (1, 10, 3_200),
        (100, 1, 3_200),
        (100, 10, 32_000),
        (1_000, 1, 320_000),
        (1_000, 10, 320_000),
    ] {
        let make = || {
            let pool = PoolSpec::new("nodes", nodes, Resources::new().cpu(32).memory_gib(256));
            let mut bed = Bed::new(pool, queues, PolicySpec::default());
            let shape = bed.shape(Resources::new().cpu(1).memory_gib(4), 1);
            bed.submit_in_turn(jobs, shape);
            bed
        };
        let fit = (nodes * 32).min(jobs) as usize;
        cycle(c, "Armada: nodes, queues, jobs", &format!("{nodes} x {queues} x {jobs}"), make, (fit, 0));
    }
}

fn kai(c: &mut Criterion) {
    for nodes in [10, 100, 1_000] {
        let make = || {
            let pool = PoolSpec::new("gpu", nodes, Resources::new().gpu(8));
            let mut bed = Bed::new(pool, 2, PolicySpec::default().with_preemption(Preemption::Reclaim));
            let node = bed.shape(Resources::new().gpu(8), 1);
            for _ in 0..nodes {
                bed.submit(0, node);
            }
            assert_eq!(bed.cycle().0.len(), nodes as usize, "one team has everything");
            let gang = bed.shape(Resources::new().gpu(8), nodes / 10);
            bed.submit(1, gang);
            bed
        };
        cycle(c, "KAI: nodes of 8 GPUs, reclaim a tenth", &nodes.to_string(), make, (1, nodes as usize / 10));
    }
}

fn yunikorn(c: &mut Criterion) {
    for nodes in [500, 2_000, 5_000] {
        let make = || {
            let pool = PoolSpec::new("nodes", nodes, Resources::new().cpu(32).memory_gib(64));
            let mut bed = Bed::new(pool, 5, PolicySpec::default());
            let pod = bed.shape(Resources::new().cpu(1).memory_gib(2), 1);
            bed.submit_in_turn(10_000, pod);
            bed
        };
        cycle(c, "YuniKorn: 10,000 pods on nodes", &nodes.to_string(), make, (10_000, 0));
    }
}

fn mesos(c: &mut Criterion) {
    for agents in [30, 300, 3_000] {
        let make = || {
            let pool = PoolSpec::new("agents", agents, Resources::new().cpu(24).memory_gib(16));
            let mut bed = Bed::new(pool, 50, PolicySpec::default());
            let task = bed.shape(Resources::new().cpu(2).memory_gib(1), 1);
            bed.submit_in_turn(agents * 12 + 50, task);
            bed
        };
        cycle(c, "Mesos: agents, 50 frameworks", &agents.to_string(), make, (agents as usize * 12, 0));
    }
}

/// One allocation and its first round on 36 GPUs of each of three kinds, as in Gavel's own experiments.
fn gavel(c: &mut Criterion) {
    if cfg!(not(feature = "lp")) {
        return;
    }
    for jobs in [100, 500, 2_000_u32] {
        let make = || {
            let pool = |name: &str| PoolSpec::new(name, 9, Resources::new().gpu(4));
            let pools = ["v100", "p100", "k80"].map(pool).to_vec();
            let mut bed = Bed::with_pools(pools, 1, PolicySpec::new(OrderName::Gavel));
            for job in 0..jobs {
                let fast = |pool: u32, milli: u32| {
                    let one = Alternative::new(Resources::new().gpu(1));
                    one.in_pools(vec![PoolId::new(pool)]).with_speed_milli(milli)
                };
                let shape = ShapeSpec::new(fast(0, 3_000 + job)).or(fast(1, 1_500 + job * 7 % 1_000));
                let shape = bed.intern(&shape.or(fast(2, 1_000)));
                bed.submit(0, shape);
            }
            bed
        };
        // Every GPU is somebody's in every round.
        let fit = jobs.min(3 * 36) as usize;
        cycle(c, "Gavel: jobs in a program, 108 GPUs", &jobs.to_string(), make, (fit, 0));
    }
}

criterion_group! {
    name = benches;
    // The larger beds take long to build.
    config = Criterion::default().sample_size(10);
    targets = armada, kai, yunikorn, mesos, gavel
}
criterion_main!(benches);
