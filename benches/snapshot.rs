//! Snapshot: what it costs to write a scheduler down and to build it again, while few wait and while very many do.
//!
//! Every turn asserts that as many jobs wait and run as before.

#[path = "common.rs"]
mod common;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{Backfill, OrderName, PolicySpec, PoolSpec, Resources, Scheduler, TeamId};

use common::Bed;

const TEAMS: u32 = 1_000;

/// So many jobs wait behind a full pool of nodes.
fn backlog(waiting: u32, backfill: Backfill) -> Scheduler {
    let pool = PoolSpec::new("gpu", 250, Resources::new().gpu(8));
    let mut bed = Bed::new(pool, TEAMS, PolicySpec::new(OrderName::Drf).with_backfill(backfill));
    let shape = bed.shape(Resources::new().gpu(1), 2);
    bed.submit_in_turn(TEAMS + waiting, shape);
    assert_eq!(bed.cycle().0.len(), TEAMS as usize, "the pool holds a job of every team");
    bed.scheduler
}

/// How many jobs run.
fn running(scheduler: &Scheduler) -> u32 {
    (0..TEAMS).filter_map(|team| scheduler.running(TeamId::new(team)).ok()).sum()
}

fn snapshots(c: &mut Criterion) {
    for (name, backfill) in [("best effort", Backfill::BestEffort), ("easy", Backfill::Easy)] {
        let mut group = c.benchmark_group(format!("snapshot, {name}"));
        group.sample_size(10);
        for waiting in [1_000_u32, 1_000_000] {
            let scheduler = backlog(waiting, backfill);
            group.bench_function(BenchmarkId::new("write", waiting), |b| {
                b.iter(|| {
                    let snapshot = black_box(&scheduler).snapshot();
                    assert_eq!(
                        (snapshot.waiting.len(), snapshot.running.len()),
                        (waiting as usize, TEAMS as usize)
                    );
                    snapshot
                });
            });
            let snapshot = scheduler.snapshot();
            group.bench_function(BenchmarkId::new("build", waiting), |b| {
                b.iter(|| {
                    let built =
                        Scheduler::restore(black_box(&snapshot)).expect("it was written by a scheduler");
                    assert_eq!((built.waiting(), running(&built)), (waiting as usize, TEAMS));
                    built
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, snapshots);
criterion_main!(benches);
