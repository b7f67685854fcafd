//! `[[capacity]]`: nodes that come and go while a trace is replayed, and what of it is refused.

use crate::cli::{JOBS, SCENARIO, refused, set_up};
use crate::support::{sim, simulate};
use crate::trace::folder;

/// Two GPUs, one of which is gone from 10 s to 20 s.
const GONE: &str = "\
[[pool]]
name = \"l4\"
nodes = 2
node = { gpu = 1 }
price = { gpu_hour = 36 }

[[capacity]]
pool = \"l4\"
from = 20
nodes = 2

[[capacity]]
pool = \"l4\"
from = 10
nodes = 1

[policy]
order = \"fifo\"
backfill = \"none\"
";

/// The job that stands last is stopped when its node goes, and begins again when it comes back.
#[test]
fn nodes_go_and_come_back() {
    let jobs = "job_id,submit_s,run_s,team,gpu\na,0,100,x,1\nb,1,15,x,1\nc,12,5,x,1\n";
    let finished = simulate(GONE, jobs);
    let expected = [("a", 0, 100), ("b", 20, 35), ("c", 35, 40)];
    assert_eq!(finished.times(), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    let [lost] = &finished.record.lost[..] else { panic!("one job is stopped") };
    assert_eq!((lost.row, lost.start_ms, lost.end_ms), (1, 1_000, 10_000));
    assert_eq!(lost.cause.reason, fairshare::EvictReason::CapacityLost);
    // From 0 to 100 s there are 2 GPUs but for 10 s with one: 190 GPU-seconds; 100 + 9 + 15 + 5 are held.
    let summary = finished.summary();
    let utilization = summary.utilization["gpu"];
    assert!((utilization - 129.0 / 190.0).abs() < 1e-9, "{utilization}");
    let cost = serde_json::to_value(&summary).unwrap()["cost_usd"].clone();
    assert_eq!((&cost["total"], &cost["allocated"]), (&1.9.into(), &1.29.into()));
    // From the first to the last submission, 12 s, there are 22 GPU-seconds; 120 are asked for.
    let load = summary.offered_load["l4"].unwrap();
    assert!((load - 120.0 / 22.0).abs() < 1e-9, "{load}");
}

/// A date alone is its first instant, as `sim init` shows it.
#[test]
fn a_date_alone_is_its_first_instant() {
    let scenario =
        GONE.replace("from = 10", "from = \"2025-01-02\"").replace("from = 20", "from = 2025-01-03");
    let jobs = "job_id,submit_s,run_s,team,gpu\na,2025-01-01T00:00:00Z,864000,x,1\n\
                b,2025-01-01T00:00:00Z,864000,x,1\n";
    let day = |day: i64| 1_735_689_600 + (day - 1) * 86_400;
    let finished = simulate(&scenario, jobs);
    let expected = [("a", day(1), day(11)), ("b", day(3), day(13))];
    assert_eq!(finished.times(), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
}

/// What is gone before the first job comes is gone, and nothing happens after the last job has ended.
#[test]
fn changes_before_and_after_all_jobs() {
    let scenario = GONE.replace("from = 20", "from = 2000000").replace("from = 10", "from = -5");
    let finished = simulate(&scenario, "job_id,submit_s,run_s,team,gpu\na,0,10,x,1\nb,0,10,x,1\n");
    assert_eq!(finished.times(), [("a".to_owned(), 0, 10), ("b".to_owned(), 10, 20)]);
    assert_eq!(finished.record.end_ms, 20_000);
    // A job that fits no node that is up waits for the change; it is not rejected.
    let none = scenario.replace("nodes = 1", "nodes = 0").replace("2000000", "300");
    let finished = simulate(&none, "job_id,submit_s,run_s,team,gpu\na,0,10,x,1\n");
    assert_eq!(finished.times(), [("a".to_owned(), 300, 310)]);
}

/// A trace that is replayed as it comes meets the same changes.
#[test]
fn a_trace_in_parts_meets_the_same_changes() {
    let row = |job: u32| format!("{job},{},{},team-{},1\n", job * 3, 1 + job % 7, job % 5);
    let rows = (0..400).map(row).collect::<Vec<_>>().concat();
    let jobs = format!("job_id,submit_s,run_s,team,gpu\n{rows}");
    let folder =
        set_up(&GONE.replace("from = 20", "from = 900").replace("from = 10", "from = 62"), jobs.as_bytes());
    let run = |more: &[&str]| {
        let arguments = [&["run", "scenario.toml", "--trace", "jobs.csv", "-q", "-o", "json"], more].concat();
        let ran = sim(folder.path(), &arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let (whole, parts) = (run(&["--check"]), run(&["--quantiles", "sketch"]));
    assert!(whole["jobs"]["preemptions"].as_u64() > Some(0), "{whole}");
    for field in ["digest", "utilization", "goodput", "cost_usd", "offered_load", "jobs"] {
        assert_eq!(whole[field], parts[field], "{field}");
    }
}

/// The daily quotas of a trace become the capacity of the days.
#[test]
fn daily_quotas_are_followed_by_a_replay() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // One node, three, one, two, three.
    let days = "2020-04-01,8,0,8\n2020-04-02,8,0,8\n2020-04-03,16,4,20\n2020-04-04,0,4,4\n2020-04-05,8,4,12\n\
                2020-04-06,16,4,20\n";
    write("quotas.csv", &format!("date,vcA,vcB,total\n{days}"));
    let ran = sim(folder.path(), &["trace", "convert", "quotas.csv", "--scenario", "pools.toml", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let job = |name: &str| format!("{name},2020-04-01T00:00:00Z,864000,other,8\n");
    let jobs = ["a", "b", "c"].map(job).concat();
    write("jobs.csv", &format!("job_id,submit_s,run_s,team,gpu\n{jobs}"));
    let run = ["run", "pools.toml", "--trace", "jobs.csv", "--check", "-q", "--out", "out"];
    assert_eq!(sim(folder.path(), &run).code, 0);
    let decisions = std::fs::read_to_string(folder.path().join("out/decisions.csv")).unwrap();
    let midnight = |day: i64| (1_585_699_200 + (day - 1) * 86_400).to_string();
    let made: Vec<(String, String)> = decisions
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[0].to_owned(), fields[1].to_owned())
        })
        .collect();
    let expected =
        [(1, "start"), (3, "start"), (3, "start"), (4, "evict"), (4, "evict"), (5, "start"), (6, "start")];
    assert_eq!(made, expected.map(|(day, what)| (midnight(day), what.to_owned())));
    let series = std::fs::read_to_string(folder.path().join("out/series.csv")).unwrap();
    let capacities: std::collections::BTreeSet<&str> = series
        .lines()
        .filter(|line| line.contains("capacity,gpu,gpu"))
        .filter_map(|line| line.rsplit(',').next())
        .collect();
    for gpus in ["8", "16", "24"] {
        assert!(capacities.contains(gpus), "{capacities:?}");
    }
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let with = |table: &str| format!("{SCENARIO}\n[[capacity]]\n{table}\n");
    let line = SCENARIO.lines().count() + 3;
    let refused = |table: &str, message: &str| refused(&with(table), JOBS.as_bytes(), &[], message);
    let place = |row: usize, column: usize| format!("scenario.toml:{}:{column}", line + row);
    let shown = |title: &str, at: (usize, usize), text: &str, marks: &str, label: &str, hint: &str| {
        let number = line + at.0;
        let blank = " ".repeat(number.to_string().len());
        let indent = " ".repeat(at.1 - 1);
        let hint =
            if hint.is_empty() { String::new() } else { format!("\n{blank} |\n{blank} = hint: {hint}") };
        format!(
            "error: {title}\n{blank}--> {}\n{blank} |\n{number} | {text}\n{blank} | {indent}{marks} {label}{hint}",
            place(at.0, at.1)
        )
    };
    refused(
        "pool = \"l5\"\nfrom = 10\nnodes = 1",
        &shown(
            "unknown pool `l5`",
            (0, 8),
            "pool = \"l5\"",
            "^^^^",
            "the scenario has no pool of this name",
            "did you mean `l4`?",
        ),
    );
    refused(
        "pool = \"l4\"\nfrom = 10\nnodes = 3",
        &shown(
            "more nodes are up than the pool has",
            (2, 9),
            "nodes = 3",
            "^",
            "`l4` has 2 nodes",
            "`nodes` of the pool is the most that are ever up",
        ),
    );
    refused(
        "pool = \"l4\"\nfrom = \"noon\"\nnodes = 1",
        &shown(
            "`from` is no instant",
            (1, 8),
            "from = \"noon\"",
            "^^^^^^",
            "expected seconds, or a date with a time such as `2017-10-01 00:00:00`",
            "",
        ),
    );
    let twice = "pool = \"l4\"\nfrom = 10\nnodes = 1\n[[capacity]]\npool = \"l4\"\nfrom = 10\nnodes = 2";
    refused(
        twice,
        &shown(
            "the capacity of `l4` is given twice for one instant",
            (3, 1),
            "[[capacity]]",
            "^^^^^^^^^^^^",
            "a table above has this pool and this instant",
            "",
        ),
    );
    let kueue = "pool = \"l4\"\nfrom = 10\nnodes = 1\n[policy]\norder = \"kueue\"";
    let ran = crate::cli::run_with(&with(kueue), JOBS.as_bytes(), &[]);
    assert_eq!(ran.code, 2);
    let title = "error: the order `kueue` does not follow changes of capacity\n";
    assert!(ran.stderr.starts_with(title), "{}", ran.stderr);
}
