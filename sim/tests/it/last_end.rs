//! A run is measured until its last end, whatever moves the clock on after it while jobs wait that never start.

use fairshare_sim::Scenario;
use fairshare_sim::metrics::sums;

use crate::cli::set_up;
use crate::measures::series;
use crate::streamed::same_in_parts;
use crate::support::{Finished, sim, simulate};

/// Two nodes of four GPUs, of which one goes at 50 and which change again when all is over.
const CAPACITY: &str = "\
[[pool]]
name = \"p\"
nodes = 2
node = { gpu = 4 }
[[capacity]]
pool = \"p\"
from = 50
nodes = 1
[[capacity]]
pool = \"p\"
from = 500
nodes = 1
[[capacity]]
pool = \"p\"
from = 1000
nodes = 1
[policy]
order = \"fifo\"
backfill = \"best-effort\"
";

/// 1 runs until 100; 2, a gang of two nodes, waits from 60 and never starts.
const GANG: &str = "job_id,submit_s,run_s,team,gpu,workers\n1,0,100,a,4,1\n2,60,100,b,4,2\n";

/// The same; 1 spends its team's budget and ends at 3600, and 2, which waits from 60 on, finds no room in the next period
/// either, which begins a month later.
const BUDGET: &str = "\
[[pool]]
name = \"p\"
nodes = 2
node = { gpu = 4 }
[[capacity]]
pool = \"p\"
from = 50
nodes = 1
[[team]]
name = \"a\"
budget = { gpu_hours = 1, period = \"30d\" }
[policy]
order = \"drf\"
backfill = \"best-effort\"
";

/// The mean depth in jobs and GPUs, and the largest, by every place that tells it.
fn depth(run: &Finished) -> ([f64; 2], [f64; 2]) {
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
    let summary = serde_json::to_value(run.summary()).unwrap();
    let queue = &summary["queue"];
    let number = |name: &str| queue[name].as_f64().unwrap();
    let mean = [number("jobs_mean"), number("gpus_mean")];
    let slices: Vec<f64> =
        queue["jobs_over_time"].as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    #[expect(clippy::cast_precision_loss, reason = "40")]
    let of_slices = slices.iter().sum::<f64>() / slices.len() as f64;
    assert!((of_slices - mean[0]).abs() < 1e-9, "{of_slices} {mean:?}");
    let makespan = summary["makespan_s"].as_f64().unwrap();
    for (resource, mean) in ["jobs", "gpu"].into_iter().zip(mean) {
        let series = series(run);
        let rows = series.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let rows = rows.filter(|row| row[2..6] == ["waiting", "", resource, ""]);
        let number = |text: &str| text.parse::<f64>().unwrap();
        let area: f64 = rows.map(|row| number(row[6]) * (number(row[1]) - number(row[0]))).sum();
        assert!((area / makespan - mean).abs() < 1e-9, "{resource}: {area} over {makespan}, not {mean}");
    }
    (mean, [number("jobs_max"), number("gpus_max")])
}

#[test]
fn a_change_of_capacity_after_the_last_end_adds_no_waiting() {
    let run = simulate(CAPACITY, GANG);
    // 2 waits 40 s of 100 for 8 GPUs.
    assert_eq!(depth(&run), ([0.4, 3.2], [1.0, 8.0]));
    assert_eq!((run.record.end_ms, run.record.wait_ms(&run.trace, 1)), (100_000, 40_000));
}

#[test]
fn a_period_that_begins_after_the_last_end_adds_no_waiting() {
    let run = simulate(BUDGET, &GANG.replace("1,0,100,a", "1,0,3600,a").replace("100,b", "100,a"));
    // 3,540 s of 3,600.
    assert_eq!(depth(&run), ([3_540.0 / 3_600.0, 8.0 * 3_540.0 / 3_600.0], [1.0, 8.0]));
}

#[test]
fn who_comes_after_the_last_end_waits_for_nothing_that_is_measured() {
    let late = "3,200,100,a,4,2\n4,200,100,b,4,2\n";
    let run = simulate(CAPACITY, &format!("{GANG}{late}"));
    assert_eq!(depth(&run), ([0.4, 3.2], [1.0, 8.0]));
    assert_eq!(run.record.wait_ms(&run.trace, 2), 0);
    assert_eq!(run.summary().jobs.unfinished, 3);
}

#[test]
fn jobs_that_are_forgotten_are_measured_until_the_same_end() {
    for (scenario, jobs) in [
        (CAPACITY, GANG.to_owned()),
        (CAPACITY, format!("{GANG}3,200,100,a,4,2\n4,200,100,b,4,2\n")),
        (BUDGET, GANG.replace("1,0,100,a", "1,0,3600,a").replace("100,b", "100,a")),
    ] {
        let folder = set_up(scenario, jobs.as_bytes());
        let scenario = Scenario::parse("scenario.toml", scenario, &[]).unwrap();
        same_in_parts(&scenario, &folder.path().join("jobs.csv"), &[1, 2, 100]);
    }
}

#[test]
fn waiting_after_the_last_end_is_found_by_the_sums() {
    let mut run = simulate(CAPACITY, GANG);
    run.record.end_ms = 1_000_000;
    run.record.waited_ms = 940_000;
    let message = sums::check(&run.setup, &run.trace, &run.record).unwrap_err().message();
    let expected =
        "error: an invariant broke at 1000 s: area under the queue depth in jobs and in 240 slices";
    assert!(message.starts_with(expected), "{message}");
}

/// The last attempt of who was evicted and still waits has a start, and an end: that of the eviction.
#[test]
fn of_a_job_that_never_starts_again_the_last_end_is_its_eviction() {
    let scenario = CAPACITY.replace("nodes = 1", "nodes = 0");
    let folder =
        set_up(&scenario, b"job_id,submit_s,run_s,team,gpu\n1,0,100,a,1\n2,60,100,b,1\n3,5,10,a,1\n");
    let ran =
        sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--check", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = std::fs::read_to_string(folder.path().join("out/jobs.csv")).unwrap();
    for (job, end) in [
        ("1,", ",0,0,50,,100,unfinished,1,50,,"),
        ("2,", ",60,,,,100,unfinished,0,0,,"),
        ("3,", ",5,5,15,0,10,completed,0,0,,"),
    ] {
        assert!(rows.lines().any(|row| row.starts_with(job) && row.ends_with(end)), "{job}{end}: {rows}");
    }
}
