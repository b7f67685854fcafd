//! Measures on runs of a few jobs, computed by hand: groups, the queue's depth, evictions; and that sums are checked.

use fairshare_sim::metrics::{caution, sums};
use fairshare_sim::summary::Jobs;

use crate::support::simulate;

/// One node of four GPUs; `urgent` stops others.
const SCENARIO: &str = "\
[[pool]]
name = \"l4\"
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 3.6 }

[[priority]]
name = \"urgent\"
value = 10

[policy]
preemption = \"priority\"
backfill = \"best-effort\"
";

/// `a` holds all four GPUs from 0; `b` asks two at 10 and waits until `a` ends at 100; `c`, urgent, asks four at 40 and
/// stops `a`, which waits until 60 and runs its 100 s again until 160.
const JOBS: &str = "\
job_id,submit_s,run_s,team,priority,gpu
a,0,100,x,,4
b,10,30,x,,2
c,40,20,y,urgent,4
";

#[test]
fn groups_queue_and_evictions_are_those_computed_by_hand() {
    let run = simulate(SCENARIO, JOBS);
    let times = run.times();
    let expected = [("a", 60, 160), ("b", 160, 190), ("c", 40, 60)];
    assert_eq!(times, expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    let summary = serde_json::to_value(run.summary()).unwrap();
    // a waits 0 s, then 20 s after it was stopped; b 150 s; c 0 s.
    let wait = |group: &str, name: &str| {
        let groups = summary["groups"][group].as_array().unwrap();
        let group = groups.iter().find(|group| group["name"] == name).unwrap();
        (group["wait_s"]["count"].as_u64().unwrap(), group["wait_s"]["mean"].as_f64().unwrap())
    };
    assert_eq!(wait("class", "none"), (2, 85.0));
    assert_eq!(wait("class", "urgent"), (1, 0.0));
    assert_eq!(wait("size", "4"), (2, 10.0));
    assert_eq!(wait("size", "2"), (1, 150.0));
    assert!((wait("pool", "l4").1 - 170.0 / 3.0).abs() < 1e-9);
    // 170 job-seconds of waiting over 190 s; b alone until 40, then a and b until 60, then b.
    let queue = &summary["queue"];
    assert!((queue["jobs_mean"].as_f64().unwrap() - 170.0 / 190.0).abs() < 1e-9, "{queue}");
    assert_eq!(queue["jobs_max"], 2);
    // b asks 2 GPUs for 150 s, a 4 for 20 s.
    assert!((queue["gpus_mean"].as_f64().unwrap() - 380.0 / 190.0).abs() < 1e-9, "{queue}");
    assert_eq!(queue["gpus_max"].as_f64(), Some(6.0));
    // Four starts, one eviction; 4 GPUs for 40 s are lost.
    let evictions = &summary["evictions"];
    assert_eq!(evictions["by_rule"], serde_json::json!({"priority": 1}));
    assert_eq!(evictions["ratio"].as_f64(), Some(0.25));
    assert!((evictions["lost_gpu_hours"].as_f64().unwrap() - 160.0 / 3600.0).abs() < 1e-12);
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
}

#[test]
fn sums_that_do_not_add_up_are_named() {
    let mut run = simulate(SCENARIO, JOBS);
    run.record.outcomes[1].wait_ms += 1;
    let message = sums::check(&run.setup, &run.trace, &run.record).unwrap_err().message();
    let expected = "error: an invariant broke at 190 s: area under the queue depth and all waiting differ: 170000 and 170001";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn loads_above_one_and_unfinished_jobs_are_said_from_a_thousand_jobs_on() {
    let said = |submitted, unfinished| {
        let loads = [("a", Some(1.0)), ("b", Some(1.5)), ("c", None)];
        caution::of_counts(loads.into_iter(), &Jobs { submitted, unfinished, ..Jobs::default() })
    };
    assert!(said(999, 5).is_empty());
    let load =
        "pool `b` is offered 1.50 times what it has: its queue grows as long as jobs come, and waits with it";
    assert_eq!(said(1_000, 0), [load]);
    assert_eq!(said(1_000, 5), [load, "5 jobs are unfinished and in no mean, so means are too small"]);
}
