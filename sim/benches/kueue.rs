//! Kueue's load test: 15,000 jobs on 30 queues as it has them, and 50,000 on 1,000, replayed under its rules.
//!
//! What is timed is a whole replay of a trace that was read before. Every replay's decisions are compared with a digest, so
//! that a fast wrong answer fails.

#[path = "../tests/it/kueue_load.rs"]
mod kueue_load;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare_sim::trace::{Input, Trace, TraceOptions};
use fairshare_sim::{Scenario, Setup, simulate};

use kueue_load::{LARGE, Load, SMALL};

/// A name, the load, whether shares decide, and the digest of all decisions.
const SHAPES: [(&str, Load, bool, &str); 4] = [
    ("30 queues", SMALL, false, "e384a24716f5e14751b4deccf67922ba"),
    ("30 queues, fair", SMALL, true, "9379d8a8d34bdd7e3b6f35815736c677"),
    ("1,000 queues", LARGE, false, "f69c0cc1a7091a290a7ce7b86560a28e"),
    ("1,000 queues, fair", LARGE, true, "617e138e70e0863225afc6a9d9326075"),
];

fn load_test(c: &mut Criterion) {
    let mut group = c.benchmark_group("Kueue's load test");
    group.sample_size(10);
    for (name, load, fair_sharing, digest) in SHAPES {
        let (scenario, jobs) = load.write(fair_sharing);
        let folder = tempfile::tempdir().expect("a folder for the trace");
        let path = folder.path().join("jobs.csv");
        std::fs::write(&path, jobs).expect("room for the trace");
        let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).expect("a trace");
        let scenario = Scenario::parse("kueue.toml", &scenario, &[]).expect("a scenario");
        let setup = Setup::new(&scenario, &trace).expect("a trace of the scenario's teams");
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let record = simulate(&setup, &trace, &mut (), &|| false).expect("nobody interrupts");
                assert_eq!(record.outcomes.len(), load.jobs());
                assert_eq!(record.digest, digest);
                black_box(record);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load_test);
criterion_main!(benches);
