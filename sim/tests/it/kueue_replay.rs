//! Replays under `order = "kueue"`: steady states, what quota reclaims, and Kueue's own load test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

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

/// Kueue's load test: queues of 20 that may borrow 100 in their cohort; per queue small, medium and large jobs.
fn load(cohorts: u32, queues: u32, counts: [u32; 3]) -> (String, String) {
    let mut scenario = format!(
        "[[pool]]\nname = 'cpu'\nnodes = {}\nnode = {{ cpu = 20 }}\ndivisible = true\n[policy]\norder = 'kueue'\n\
         fair_sharing = false\npreemption = 'reclaim'\n",
        cohorts * queues
    );
    let mut jobs = Vec::new();
    for cohort in 0..cohorts {
        // A cohort that may not borrow stands for one that has nothing above it.
        let all = queues * 20;
        let _ = write!(
            scenario,
            "[[team]]\nname = 'cohort-{cohort}'\nquota = {{ cpu = {{ cpu = {all} }} }}\nborrow = {{ cpu = {{ cpu = 0 }} }}\n"
        );
        for queue in 0..queues {
            let name = format!("queue-{cohort}-{queue}");
            let _ = write!(
                scenario,
                "[[team]]\nname = '{name}'\nparent = 'cohort-{cohort}'\nquota = {{ cpu = {{ cpu = 20 }} }}\n\
                 borrow = {{ cpu = {{ cpu = 100 }} }}\n"
            );
            let classes =
                [("small", 1, 200, 50, 100), ("medium", 5, 500, 100, 500), ("large", 20, 1_000, 200, 1_200)];
            for ((class, cpu, run_ms, priority, every_ms), count) in classes.into_iter().zip(counts) {
                for number in 0..count {
                    let submit_ms = number * every_ms;
                    jobs.push((
                        submit_ms,
                        format!("{name}-{class}-{number}"),
                        name.clone(),
                        cpu,
                        run_ms,
                        priority,
                    ));
                }
            }
        }
    }
    jobs.sort();
    let mut text = String::from("job_id,submit_s,run_s,team,cpu,priority\n");
    for (submit_ms, id, team, cpu, run_ms, priority) in jobs {
        let (s, ms) = (submit_ms / 1_000, submit_ms % 1_000);
        let _ = writeln!(
            text,
            "{id},{s}.{ms:03},{}.{:03},{team},{cpu},{priority}",
            run_ms / 1_000,
            run_ms % 1_000
        );
    }
    (scenario, text)
}

/// CPU time of this process so far, in the kernel's ticks of a hundredth of a second.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

#[test]
fn kueues_load_test() {
    for (cohorts, queues, counts, jobs) in [(5, 6, [350, 100, 50], 15_000), (10, 100, [35, 10, 5], 50_000)] {
        let (scenario, text) = load(cohorts, queues, counts);
        let before = cpu_time();
        let finished = simulate(&scenario, &text);
        let spent = before.zip(cpu_time()).map(|(before, after)| after.saturating_sub(before));
        assert_eq!(finished.record.outcomes.len(), jobs);
        assert!(finished.record.outcomes.iter().all(|outcome| outcome.fate == fairshare_sim::Fate::Ended));
        let mut waits: BTreeMap<&str, (f64, u32)> = BTreeMap::new();
        for (row, outcome) in finished.record.outcomes.iter().enumerate() {
            let name = finished.trace.names.get(row).to_string();
            let class = ["small", "medium", "large"].into_iter().find(|class| name.contains(class)).unwrap();
            let sum = waits.entry(class).or_default();
            *sum = (sum.0 + f64::from(u32::try_from(outcome.wait_ms).unwrap()) / 1_000.0, sum.1 + 1);
        }
        for (class, (sum, count)) in &waits {
            eprintln!("{jobs} jobs, {class}: mean wait {:.2} s", sum / f64::from(*count));
        }
        // With hardly any optimisation and with reading; a release build takes a part of it.
        assert!(spent.is_none_or(|spent| spent < Duration::from_secs(20)), "{spent:?}");
        eprintln!("{jobs} jobs: {spent:?} of CPU time with reading, until {} ms", finished.record.end_ms);
    }
}
