//! Replays under `order = "kueue"`: steady states, what quota reclaims, and Kueue's own load test.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::kueue_load::{CLASSES, LARGE, SMALL};
use crate::support::{Finished, simulate};

/// How many GPUs each team holds at an instant.
fn held(finished: &Finished, at_ms: i64) -> BTreeMap<&str, u64> {
    let mut held = BTreeMap::new();
    for stretch in finished.record.stretches() {
        if stretch.start_ms <= at_ms && at_ms < stretch.end_ms {
            let team = finished.trace.jobs[stretch.row].team;
            *held.entry(finished.trace.teams.text(team)).or_default() += 1;
        }
    }
    held
}

/// KEP-1714, story 3: 300 GPUs of a queue that is idle are shared by two cohorts, and in one of them by weight.
const STORY_3: &str = "
[[pool]]
name = 'gpu'
nodes = 300
node = { gpu = 1 }
divisible = true
[[team]]
name = 'CS'
[[team]]
name = 'C1'
[[team]]
name = 'C2'
[[team]]
name = 'shared'
parent = 'CS'
quota = { gpu = { gpu = 300 } }
[[team]]
name = '1A'
parent = 'C1'
[[team]]
name = '1B'
parent = 'C1'
[[team]]
name = '1C'
parent = 'C1'
weight = 3
[[team]]
name = '2A'
parent = 'C2'
[policy]
backfill = 'best-effort'
";

#[test]
fn story_3_comes_to_its_steady_state() {
    let mut jobs = String::from("job_id,submit_s,run_s,team,gpu\n");
    for (index, team) in ["1A", "1B", "1C", "2A"].into_iter().enumerate() {
        for number in 0..1_000 {
            // No two jobs end together: where there is room for every head, a cycle of Kueue does not have to choose.
            let run_ms = 500_000 + (number * 4 + index) * 7_919 % 1_000_003;
            let _ = writeln!(jobs, "{team}-{number},0,{}.{:03},{team},1", run_ms / 1_000, run_ms % 1_000);
        }
    }
    for order in ["kueue", "drf"] {
        let finished = simulate(&format!("{STORY_3}order = '{order}'\n"), &jobs);
        // By then whatever ran since the beginning has ended.
        for at_s in [2_000, 2_733, 3_500, 4_000] {
            let expected = BTreeMap::from([("1A", 30), ("1B", 30), ("1C", 90), ("2A", 150)]);
            assert_eq!(held(&finished, at_s * 1_000), expected, "{order} at {at_s} s");
        }
        assert!(finished.record.lost.is_empty(), "{order}: nobody is evicted at a steady state");
    }
}

#[test]
fn quota_is_reclaimed_and_the_victim_waits_again() {
    let scenario = "
[[pool]]
name = 'gpu'
nodes = 4
node = { gpu = 1 }
divisible = true
[[team]]
name = 'a'
quota = { gpu = { gpu = 4 } }
[[team]]
name = 'b'
[policy]
order = 'kueue'
preemption = 'reclaim'
";
    let jobs = "job_id,submit_s,run_s,team,gpu\nlong,0,100,b,3\nmine,10,50,a,2\nlate,11,5,b,2\n";
    let finished = simulate(scenario, jobs);
    // `late` borrows what is left beside `mine`, and `long` starts over when both have ended.
    let times = [("late", 11, 16), ("long", 60, 160), ("mine", 10, 60)];
    let mut found = finished.times();
    found.sort();
    let found: Vec<(&str, i64, i64)> =
        found.iter().map(|(name, start, end)| (name.as_str(), *start, *end)).collect();
    assert_eq!(found, times);
    assert_eq!(finished.record.lost.len(), 1);
}

#[test]
fn a_strict_head_keeps_its_quota_for_as_long_as_it_waits() {
    let starts = |strategy: &str| {
        let scenario = format!(
            "
[[pool]]
name = 'cpu'
nodes = 8
node = {{ cpu = 1 }}
divisible = true
[[team]]
name = 'a'
quota = {{ cpu = {{ cpu = 4 }} }}
kueue = {{ spec = {{ queueingStrategy = '{strategy}' }} }}
[[team]]
name = 'b'
quota = {{ cpu = {{ cpu = 4 }} }}
[policy]
order = 'kueue'
preemption = 'none'
"
        );
        let jobs =
            "job_id,submit_s,run_s,team,cpu\na0,0,1000,a,2\nb0,0,5000,b,4\na1,10,100,a,4\nb1,20,4000,b,2\n";
        let times = simulate(&scenario, jobs).times();
        times.into_iter().map(|(name, start, _)| (name, start)).collect::<Vec<_>>()
    };
    let named =
        |a1, b1| [("a0", 0), ("b0", 0), ("a1", a1), ("b1", b1)].map(|(name, at)| (name.to_owned(), at));
    // `b1` would borrow what `a1` lacks; in the other case `a1` is not looked at when `b1` comes.
    assert_eq!(starts("StrictFIFO"), named(1_000, 1_100));
    assert_eq!(starts("BestEffortFIFO"), named(4_020, 20));
}

/// When each job starts, by name, where one GPU of a queue is shared by two users whose usage counts or not.
fn starts_of_users(mode: &str, weight: &str) -> Vec<(String, i64)> {
    let scenario = format!(
        "
[[pool]]
name = 'gpu'
nodes = 1
node = {{ gpu = 1 }}
divisible = true
[[team]]
name = 'a'
quota = {{ gpu = {{ gpu = 1 }} }}
kueue = {{ spec = {{ admissionScope = {{ admissionMode = '{mode}' }} }} }}
[[kueue]]
apiVersion = 'kueue.x-k8s.io/v1beta2'
kind = 'LocalQueue'
metadata = {{ namespace = 'ns', name = 'u1' }}
spec = {{ clusterQueue = 'a', fairSharing = {{ weight = '{weight}' }} }}
[policy]
order = 'kueue'
half_life = '1000s'
rank_period = '60s'
"
    );
    let jobs = "job_id,submit_s,run_s,team,user,gpu\n1-a,0,100,a,ns/u1,1\n1-b,1,100,a,ns/u1,1\n1-c,2,100,a,ns/u1,1\n\
                2-a,3,100,a,ns/u2,1\n2-b,4,100,a,ns/u2,1\n";
    let finished = simulate(&scenario, jobs);
    let mut starts: Vec<_> = finished.times().into_iter().map(|(name, start, _)| (name, start)).collect();
    starts.sort_by_key(|(_, start)| *start);
    starts
}

#[test]
fn users_whose_usage_counts_take_turns() {
    let names = |mode, weight| -> Vec<String> {
        starts_of_users(mode, weight).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("NoAdmissionFairSharing", "1"), ["1-a", "1-b", "1-c", "2-a", "2-b"]);
    // In parts of a GPU, with 1 - 2^(-60/1000) = 0.0407 a sample: at 200 s the first user has 0.0375 and the second, who
    // was sampled twice, 0.0798; at 300 s they have 0.1143 and 0.0734.
    assert_eq!(names("UsageBasedAdmissionFairSharing", "1"), ["1-a", "2-a", "1-b", "2-b", "1-c"]);
    // A quarter of 0.1143 is less than 0.0734.
    assert_eq!(names("UsageBasedAdmissionFairSharing", "4"), ["1-a", "2-a", "1-b", "1-c", "2-b"]);
    // Whoever has no weight comes last.
    assert_eq!(names("UsageBasedAdmissionFairSharing", "0"), ["1-a", "2-a", "2-b", "1-b", "1-c"]);
}

/// How long small, medium and large jobs waited on average, ms, rounded down.
fn mean_waits(finished: &Finished) -> [u64; 3] {
    let Finished { trace, record, .. } = finished;
    CLASSES.map(|class| {
        let of_class = |row: &usize| trace.names.get(*row).to_string().contains(class);
        let waits: Vec<u64> =
            (0..trace.jobs.len()).filter(of_class).map(|row| record.wait_ms(trace, row)).collect();
        waits.iter().sum::<u64>() / waits.len() as u64
    })
}

#[test]
fn kueues_load_test() {
    for (load, waits, end_ms) in [(SMALL, [55_434, 40_660, 0], 75_900), (LARGE, [4_442, 3_650, 0], 7_400)] {
        let (scenario, text) = load.write(false);
        let finished = simulate(&scenario, &text);
        assert_eq!(finished.record.outcomes.len(), load.jobs());
        assert!(finished.record.outcomes.iter().all(|outcome| outcome.fate == fairshare_sim::Fate::Ended));
        assert_eq!(mean_waits(&finished), waits);
        assert_eq!(finished.record.end_ms, end_ms);
    }
}
