//! Kueue's rules, with shares and without, on the workloads of the bench of the same name in the core, where all other
//! policies are.
//!
//! What is timed is a whole replay of a trace that was read before. Every replay's decisions are compared with a digest.

#[path = "../../benches/workloads.rs"]
mod workloads;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{Preemption, ResourceKind, TeamSpec};
use fairshare_sim::trace::{Input, Trace, TraceOptions};
use fairshare_sim::{Fate, Scenario, Setup, simulate};

use workloads::{Workload, workloads};

/// Whether shares decide.
const RULES: [(&str, bool); 2] = [("kueue", true), ("kueue,fair_sharing=false", false)];

/// The decisions on every workload under both.
const DIGESTS: [[&str; 2]; 3] = [
    ["9c889d4812f34fcff0a9b41b5d75ab2e", "5b643529c0fcf2e8b1c702537cf2f629"],
    ["83c6fa9d5affc1acfcc0cca060432d5e", "6cd3a24d488d9eeeab9cb1e2bea9eb2d"],
    ["1dd77b890bbf3f51821e9988269429ad", "11a46d333329882de40ede0a412e894e"],
];

/// The scenario.
fn scenario(workload: &Workload, fair_sharing: bool) -> String {
    let whole = |thousandths: u64| thousandths / 1_000;
    let (pool, node) = (&workload.pool, &workload.pool.node);
    let mut text = format!(
        "[policy]\norder = 'kueue'\nfair_sharing = {fair_sharing}\npreemption = '{}'\n[[pool]]\nname = '{}'\nnodes = {}\nnode = \
         {{ gpu = {}, cpu = {} }}\ndivisible = true\n",
        if workload.preemption == Preemption::None { "none" } else { "reclaim" },
        pool.name,
        pool.nodes,
        whole(node[ResourceKind::GPU].get()),
        whole(node[ResourceKind::CPU].get()),
    );
    for TeamSpec { name, parent, quota, .. } in &workload.teams {
        let _ = writeln!(text, "[[team]]\nname = '{name}'");
        if let Some(parent) = parent {
            let _ = writeln!(text, "parent = '{}'", workload.teams[parent.index()].name);
        }
        for quota in quota {
            let _ = writeln!(text, "quota = {{ {} = {{ gpu = {} }} }}", pool.name, whole(quota.amount.get()));
        }
    }
    text
}

/// The trace as CSV.
fn jobs(workload: &Workload) -> String {
    let mut text = String::from("job_id,submit_s,run_s,team,workers,gpu,cpu\n");
    for (number, load) in workload.loads.iter().enumerate() {
        let team = &workload.teams[load.team as usize].name;
        let shape = &workload.shapes[load.shape].alternatives[0];
        let [gpu, cpu] = [ResourceKind::GPU, ResourceKind::CPU].map(|kind| shape.request[kind].get() / 1_000);
        let (submit, run, workers) = (load.submit / 1_000, load.run / 1_000, shape.workers);
        let _ = writeln!(text, "{number:05},{submit},{run},{team},{workers},{gpu},{cpu}");
    }
    text
}

fn policies(c: &mut Criterion) {
    for (workload, digests) in workloads().iter().zip(DIGESTS) {
        let mut group = c.benchmark_group(workload.name);
        group.sample_size(10);
        let folder = tempfile::tempdir().expect("a folder for the trace");
        let path = folder.path().join("jobs.csv");
        std::fs::write(&path, jobs(workload)).expect("room for the trace");
        let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).expect("a trace");
        for ((name, fair_sharing), digest) in RULES.into_iter().zip(digests) {
            let scenario =
                Scenario::parse("kueue.toml", &scenario(workload, fair_sharing), &[]).expect("a scenario");
            let setup = Setup::new(&scenario, &trace).expect("a trace of the scenario's teams");
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    let record = simulate(&setup, &trace, &mut (), &|| false).expect("nobody interrupts");
                    assert!(record.outcomes.iter().all(|job| job.fate == Fate::Ended), "every job has run");
                    assert_eq!(record.digest, digest, "the digest of `{name}` on `{}`", workload.name);
                    black_box(record);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, policies);
criterion_main!(benches);
