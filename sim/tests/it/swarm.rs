//! Swarms: every policy that a scenario can name replays the same generated traces, checked after every event: all jobs
//! run, each as long as it must, and a second replay is the same.

use std::fmt::Write as _;

use fairshare::OrderName;

use crate::support::{Numbers, simulate};

const SCENARIO: &str = "[[pool]]\nname = 'p'\nnodes = 4\nnode = { gpu = 4, cpu = 32 }\ndivisible = DIVISIBLE\n\
    [[team]]\nname = 'x'\n[[team]]\nname = 'a'\nparent = 'x'\nweight = 2\nquota = { p = { gpu = 8, cpu = 64 } }\n\
    [[team]]\nname = 'b'\nparent = 'x'\nquota = { p = { gpu = 4, cpu = 32 } }\n\
    [[team]]\nname = 'c'\nparent = 'x'\nquota = { p = { gpu = 4, cpu = 32 } }\n";

/// A hundred jobs, no larger than the smallest quota, so that every policy can run them all.
fn trace(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut rows = String::from("job_id,submit_s,run_s,team,gpu,cpu,estimate_s\n");
    for job in 0..100 {
        let (submit, run) = (numbers.below(2_000), 1 + numbers.below(300));
        let team = ["a", "b", "c"][numbers.index(3)];
        let (gpus, estimate) = (1 + numbers.below(4), run + numbers.below(100));
        writeln!(rows, "{job},{submit},{run},{team},{gpus},{},{estimate}", gpus * 8).unwrap();
    }
    rows
}

#[test]
fn every_policy_replays_every_trace_to_its_end() {
    let orders = OrderName::ALL.map(OrderName::as_str).into_iter().chain(["kueue"]);
    for order in orders.filter(|order| cfg!(feature = "lp") || *order != "gavel") {
        for (seed, more) in [
            (1, "preemption = 'none'\n"),
            (2, "preemption = 'reclaim'\n"),
            (3, "preemption = 'reclaim'\nbackfill = 'none'\n"),
        ] {
            let scenario = SCENARIO.replacen("DIVISIBLE", if order == "kueue" { "true" } else { "false" }, 1);
            let scenario = format!("{scenario}[policy]\norder = '{order}'\n{more}");
            let finished = simulate(&scenario, &trace(seed));
            let summary = finished.summary();
            assert_eq!(summary.jobs.completed, 100, "{order} {more}");
            let again = simulate(&scenario, &trace(seed));
            assert_eq!(finished.times(), again.times(), "{order} {more}");
        }
    }
}

/// Teams of two cohorts with weights and quotas that follow from a seed, and jobs of three classes, some of which take no time.
fn organisation(seed: u64) -> (String, String) {
    let mut numbers = Numbers(seed);
    let mut teams = String::new();
    let names = ["a", "b", "c", "d"];
    for (at, name) in names.iter().enumerate() {
        let (weight, quota) = (1 + numbers.below(3), numbers.below(7));
        let parent = if at == 0 { "y" } else { "x" };
        write!(teams, "[[team]]\nname = '{name}'\nweight = {weight}\nparent = '{parent}'\n").unwrap();
        writeln!(teams, "quota = {{ p = {{ gpu = {} }} }}", quota.min(4)).unwrap();
    }
    let scenario = format!(
        "[[pool]]\nname = 'p'\nnodes = 1\nnode = {{ gpu = 16 }}\ndivisible = true\n[[team]]\nname = 'x'\n[[team]]\nname = \
         'y'\n{teams}[policy]\norder = 'kueue'\npreemption = 'reclaim'\n"
    );
    let mut rows = String::from("job_id,submit_s,run_s,team,gpu,priority\n");
    for job in 0..60 {
        let (submit, run, gpus) = (numbers.below(600), numbers.below(400), 1 + numbers.below(8));
        let team = names[usize::try_from(numbers.below(4)).unwrap()];
        let run = if numbers.below(8) == 0 { 0 } else { run };
        writeln!(rows, "{job},{submit},{run},{team},{gpus},{}", numbers.below(3)).unwrap();
    }
    (scenario, rows)
}

#[test]
fn preemption_under_kueue_comes_to_rest() {
    let mut held = 0;
    for seed in 0..60 {
        let (scenario, rows) = organisation(seed);
        let finished = simulate(&scenario, &rows);
        let summary = finished.summary();
        assert_eq!(summary.jobs.completed, 60, "seed {seed}");
        // At most three for each job that is alive between two of the 120 times that one comes or ends.
        assert!(finished.record.lost.len() <= 120 * 3 * 60, "seed {seed}: {}", finished.record.lost.len());
        held += finished.record.held;
    }
    assert!(held > 0, "no seed in which preemption goes round");
}
