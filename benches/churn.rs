//! Churn: jobs that come and go while nothing waits, and while everything does; what a submission and a completion cost
//! beside the decision between them.
//!
//! Every turn asserts that as many jobs run as before.

#[path = "common.rs"]
mod common;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{JobId, PolicySpec, PoolSpec, Resources, ShapeId};

use common::{Bed, NOW};

/// A pool of which half is used for good, and the rest by jobs that come and go.
struct Churn {
    bed: Bed,
    shape: ShapeId,
    running: Vec<JobId>,
}

impl Churn {
    /// With so many teams and as much room as `room` jobs a team.
    fn new(teams: u32, room: u32) -> Self {
        let pool = PoolSpec::new("gpu", teams * room, Resources::new().gpu(1)).as_divisible();
        let mut bed = Bed::new(pool, teams, PolicySpec::default());
        let shape = bed.shape(Resources::new().gpu(1), 1);
        bed.submit_in_turn(teams, shape);
        let (running, _) = bed.cycle();
        assert_eq!(running.len(), teams as usize, "every team has a job");
        Self { bed, shape, running }
    }

    /// One job ends, one comes and starts.
    fn turn(&mut self, at: usize) {
        let at = at % self.running.len();
        self.bed.scheduler.complete(NOW, self.running[at]).expect("it runs");
        self.bed.submit_in_turn(1, self.shape);
        let (started, _) = self.bed.cycle();
        assert_eq!(started.len(), 1, "a job that comes finds room");
        self.running[at] = started[0];
    }
}

fn turns(c: &mut Criterion) {
    let mut group = c.benchmark_group("complete, submit and start, nothing waits");
    for teams in [10, 1_000, 10_000] {
        let mut churn = Churn::new(teams, 2);
        let mut at = 0_usize;
        group.bench_function(BenchmarkId::from_parameter(format!("{teams} teams")), |b| {
            b.iter(|| {
                at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                churn.turn(black_box(at >> 33));
            });
        });
        churn.bed.scheduler.check_invariants().expect("the state is consistent");
    }
    group.finish();
}

/// A submission that changes nothing but the end of a line, and its withdrawal.
fn submissions(c: &mut Criterion) {
    let mut group = c.benchmark_group("submit and cancel behind a backlog");
    for backlog in [1_000, 100_000] {
        let mut churn = Churn::new(1_000, 1);
        churn.bed.submit_in_turn(backlog, churn.shape);
        assert_eq!(churn.bed.cycle().0, [], "the pool is full");
        group.bench_function(BenchmarkId::from_parameter(format!("{backlog} waiting")), |b| {
            b.iter(|| {
                let job = churn.bed.submit(black_box(7), churn.shape);
                churn.bed.scheduler.cancel(NOW, job).expect("it waits");
            });
        });
        assert_eq!(churn.bed.scheduler.waiting(), backlog as usize);
    }
    group.finish();
}

criterion_group!(benches, turns, submissions);
criterion_main!(benches);
