//! Fill: what everybody's entitlement costs, exactly and in floats, by the number of teams, flat and in a tree.
//!
//! Every optimum is checked: some group is used up, and none beyond what there is.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{Fluid, FluidTeam, TeamId, Weight};

/// Teams that ask for one to eight GPUs with CPUs and memory in several proportions; below departments of ten, if any.
fn domain(teams: u32, tree: bool) -> Fluid {
    let departments = if tree { teams.div_ceil(10) } else { 0 };
    let mut all: Vec<FluidTeam> = (0..departments).map(|_| FluidTeam::new(vec![0, 0, 0])).collect();
    for team in 0..teams {
        let gpus = 1 + u64::from(team % 8);
        let asks = FluidTeam::new(vec![gpus, 4 + u64::from(team % 5) * 8, 16 * gpus])
            .with_weight(Weight::new(1 + u64::from(team % 3), 1).expect("a weight"));
        all.push(if tree { asks.under(TeamId::new(team % departments)) } else { asks });
    }
    Fluid::new(vec![8_000, 96_000, 250_000], all)
}

/// Whether the leaves use up a group and no more than there is.
fn is_full(fluid: &Fluid, tasks: &[f64]) -> bool {
    let used = (0..fluid.capacity.len()).map(|group| {
        let asked = fluid.teams.iter().zip(tasks).map(|(team, tasks)| asks(team, group) * tasks);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let capacity = fluid.capacity[group] as f64;
        asked.sum::<f64>() / capacity
    });
    let used: Vec<f64> = used.collect();
    used.iter().all(|part| *part <= 1.0 + 1e-9) && used.iter().any(|part| *part >= 1.0 - 1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn asks(team: &FluidTeam, group: usize) -> f64 {
    team.request[group] as f64
}

fn fill(c: &mut Criterion) {
    let mut group = c.benchmark_group("entitlements");
    for tree in [false, true] {
        let shape = if tree { "tree" } else { "flat" };
        for teams in [10, 100, 1_000, 10_000] {
            let fluid = domain(teams, tree);
            let optimum = fluid.rounded_entitlements().expect("a valid domain");
            let tasks: Vec<f64> = optimum.iter().map(|team| team.tasks).collect();
            assert!(is_full(&fluid, &tasks), "something is left, or too much is given");
            let name = BenchmarkId::new(format!("{shape}, floats"), teams);
            group.bench_function(name, |b| b.iter(|| black_box(&fluid).rounded_entitlements()));
        }
        for teams in [10, 100] {
            let fluid = domain(teams, tree);
            let optimum = fluid.entitlements().expect("a valid domain");
            let tasks: Vec<f64> = optimum.iter().map(|team| team.tasks.to_f64()).collect();
            assert!(is_full(&fluid, &tasks), "something is left, or too much is given");
            let name = BenchmarkId::new(format!("{shape}, exact"), teams);
            group.bench_function(name, |b| b.iter(|| black_box(&fluid).entitlements()));
        }
    }
    group.finish();
}

criterion_group!(benches, fill);
criterion_main!(benches);
