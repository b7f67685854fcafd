//! What is done with a results folder: replay, report, explain, diff; and every way in which it can be none.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use fairshare_sim::diff::Diff;
use fairshare_sim::results::Results;
use fairshare_sim::trace::Watch;

use crate::cli::{SCENARIO, set_up};
use crate::support::{Ran, sim};

/// Eight GPUs: `a` holds six of them, so `b` waits for its four; `c` takes what is left.
const JOBS: &str =
    "job_id,submit_s,run_s,team,gpu,workers\na,0,10,search,3,2\nb,1,10,ads,4,1\nc,2,4,search,1,1\n";

fn run(folder: &Path, out: &str, more: &[&str]) {
    let mut arguments = vec!["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", out];
    arguments.extend(more);
    let ran = sim(folder, &arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

fn made() -> tempfile::TempDir {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    run(folder.path(), "out", &["--seed", "3"]);
    folder
}

/// Of two folders of 9,000 jobs, each with as many decisions.
#[test]
fn a_diff_tells_how_many_rows_it_has_read() {
    let row = |job: u32| format!("{job},{job},1,search,1\n");
    let jobs = format!("job_id,submit_s,run_s,team,gpu\n{}", (0..9_000).map(row).collect::<String>());
    let folder = set_up(SCENARIO, jobs.as_bytes());
    run(folder.path(), "out", &[]);
    let results = Results::open(&folder.path().join("out")).unwrap();
    let told = Rc::new(RefCell::new(Vec::new()));
    let watch = Watch::new({
        let told = Rc::clone(&told);
        move |rows| told.borrow_mut().push(rows)
    });
    Diff::new(&results, &results, &watch).unwrap();
    assert_eq!(*told.borrow(), [1 << 14, 1 << 15]);
}

/// Two and three digits more than few jobs have.
#[test]
fn a_diff_of_thousands_of_jobs_fits_the_terminal() {
    let row = |job: u32| format!("{job},{job},{0},search,4,{0}\n", 1 + job % 7);
    let jobs =
        format!("job_id,submit_s,run_s,team,gpu,estimate_s\n{}", (0..6_000).map(row).collect::<String>());
    let folder = set_up(SCENARIO, jobs.as_bytes());
    run(folder.path(), "out", &["--policy", "fifo,backfill=none"]);
    run(folder.path(), "other", &["--policy", "sjf,backfill=none"]);
    let ran = sim(folder.path(), &["diff", "out", "other"]);
    let table = ran.stdout;
    assert!(table.contains("\n6,000 jobs in both: ") && table.contains(" changed\notherwise\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

fn refused(ran: &Ran, message: &str) {
    assert_eq!((ran.code, ran.stderr.trim_end()), (2, message));
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_manifest_is_replayed_to_the_same_bytes() {
    let folder = made();
    for named in ["out/manifest.json", "out"] {
        let ran = sim(folder.path(), &["replay", named, "--out", "again"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stdout.matches(" same\n").count(), 6, "{}", ran.stdout);
        for name in
            ["summary.json", "jobs.csv", "decisions.csv", "series.csv", "report.html", "manifest.json"]
        {
            let [one, two] =
                ["out", "again"].map(|out| fs::read(folder.path().join(out).join(name)).unwrap());
            assert!(one == two, "{name}");
        }
    }
}

#[test]
fn what_has_changed_since_is_named() {
    let folder = made();
    let manifest = fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let then = manifest["provenance"]["traces"][0]["digest"].as_str().unwrap();
    fs::write(folder.path().join("jobs.csv"), JOBS.replace("b,1,10", "b,1,11")).unwrap();
    for command in [&["replay", "out"][..], &["report", "out"], &["explain", "out", "b"]] {
        let ran = sim(folder.path(), command);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        let message = "error: trace `jobs.csv` has changed: sha256 is ";
        assert!(ran.stderr.starts_with(message) && ran.stderr.contains(then), "{command:?}: {}", ran.stderr);
    }
    fs::write(folder.path().join("jobs.csv"), JOBS).unwrap();
    fs::write(folder.path().join("scenario.toml"), format!("{SCENARIO}# changed\n")).unwrap();
    let ran = sim(folder.path(), &["replay", "out"]);
    assert!(
        ran.code == 2 && ran.stderr.starts_with("error: the scenario has changed: sha256 is "),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_is_no_results_folder_is_refused_by_name() {
    let folder = made();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let hint = "\nhint: results are in `out`";
    for command in [
        &["report", "empty"][..],
        &["explain", "empty", "a"],
        &["replay", "empty"],
        &["diff", "empty", "out"],
    ] {
        let message = format!("error: `empty` is no folder of results: it has no `manifest.json`{hint}");
        refused(&sim(folder.path(), command), &message);
    }
    let message = format!("error: `gone` is no folder of results: there is no such folder{hint}");
    refused(&sim(folder.path(), &["report", "gone"]), &message);
    refused(&sim(folder.path(), &["replay", "gone"]), &message);
    let message = "error: `jobs.csv` is no folder of results: it is a file\nhint: results are in `out`";
    refused(&sim(folder.path(), &["explain", "jobs.csv", "a"]), message);
    refused_without_near_results(folder.path());
    let manifest = fs::read_to_string(folder.path().join("out/manifest.json")).unwrap();
    let with = |text: &str| fs::write(folder.path().join("out/manifest.json"), text).unwrap();
    with(&manifest.replace("sim.manifest/1", "sim.manifest/9"));
    let message = "error: `out/manifest.json` is no manifest that is known here: its schema is `sim.manifest/9`, not \
                   `sim.manifest/1`";
    refused(&sim(folder.path(), &["report", "out"]), message);
    with(&manifest.replacen(
        &format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")),
        "\"version\": \"0.0.7\"",
        1,
    ));
    let message = format!(
        "error: `out/manifest.json` was written by version 0.0.7, and this is {}\nhint: use that version, or run again",
        env!("CARGO_PKG_VERSION")
    );
    refused(&sim(folder.path(), &["replay", "out"]), &message);
    with(&manifest.replace("\"complete\": true", "\"complete\": false"));
    let message = "error: `out/manifest.json` is of a run that was interrupted, which nothing can repeat\nhint: run it again";
    refused(&sim(folder.path(), &["report", "out"]), message);
    with("{");
    let ran = sim(folder.path(), &["diff", "out", "out"]);
    assert!(
        ran.code == 2 && ran.stderr.starts_with("error: `out/manifest.json` is no manifest: "),
        "{}",
        ran.stderr
    );
}

/// A name that is nearly one of results, names among several results, and none anywhere.
fn refused_without_near_results(folder: &Path) {
    let refused = |name: &str, hint: &str| {
        let message =
            format!("error: `{name}` is no folder of results: there is no such folder\nhint: {hint}");
        refused(&sim(folder, &["report", name]), &message);
    };
    refused("ouT", "did you mean `out`?");
    let runs = folder.join("runs");
    fs::create_dir(&runs).unwrap();
    refused("runs/monday", "`sim run SCENARIO --out DIR` writes one");
    for number in 1..=6 {
        let run = runs.join(format!("run-number-{number}"));
        fs::create_dir(&run).unwrap();
        fs::copy(folder.join("out/manifest.json"), run.join("manifest.json")).unwrap();
    }
    let some =
        "`runs/run-number-1`, `runs/run-number-2`, `runs/run-number-3`, `runs/run-number-4` and 2 more";
    refused("runs/monday", &format!("results are in {some}"));
    let inside = sim(folder, &["report", "runs"]).stderr;
    let message = "error: `runs` is no folder of results: it has no `manifest.json`\n";
    assert_eq!(inside, format!("{message}hint: results are in {some}\n"));
    fs::remove_dir_all(&runs).unwrap();
}

#[test]
fn the_report_is_written_again() {
    let folder = made();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let then = read("out/report.html");
    fs::write(folder.path().join("out/report.html"), "gone").unwrap();
    let ran = sim(folder.path(), &["report", "out"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "wrote `out/report.html`\n"));
    assert!(read("out/report.html") == then);
    assert_eq!(sim(folder.path(), &["report", "out", "--report", "other.html"]).code, 0);
    assert!(read("other.html") == then);
}

#[test]
fn a_job_is_told_interval_by_interval() {
    let folder = made();
    let ran = sim(folder.path(), &["explain", "out", "b", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&value["schema"], &value["team"]), (&"sim.explanation/1".into(), &"ads".into()));
    let expected = serde_json::json!([
        {"from_s": 1.0, "to_s": 10.0, "state": "waits",
         "reasons": ["pool `l4`: the job asks 4 gpu, the pool has 1 to 2 free"],
         "unblocked_by": ["pool `l4`: 3 gpu more free on node 0"],
         "others_started": [{"team": "search", "jobs": 1}]},
        {"from_s": 10.0, "to_s": 20.0, "state": "runs", "attempt": 1, "pool": "l4", "ended_by": "ended"},
    ]);
    assert_eq!(value["intervals"], expected, "{value}");
    let message = "error: no job of `out` is named `z`\nhint: names stand in the first column of `jobs.csv`";
    refused(&sim(folder.path(), &["explain", "out", "z"]), message);
}

#[test]
fn two_runs_are_compared_job_by_job() {
    let folder = made();
    run(folder.path(), "large", &["--set", "pool.l4.nodes=4"]);
    let ran = sim(folder.path(), &["diff", "out", "large", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = serde_json::json!({"both": 3, "same": 2, "sooner": 1, "later": 0, "otherwise": 0, "only_a": 0, "only_b": 0});
    assert_eq!(value["jobs"], counts);
    let first = serde_json::json!({"line": 3, "a": "2,start,c,1,l4,1,,,", "b": "1,start,b,1,l4,1,,,"});
    assert_eq!(value["first_difference"], first);
    let why = "1 job starts now after it that started before it (search 1)";
    let moved = serde_json::json!([{
        "job": "b", "team": "ads", "wait_change_s": -9.0, "what": "start 10 > 1, end 20 > 11", "why": why
    }]);
    assert_eq!(value["moved"], moved);
    let same = sim(folder.path(), &["diff", "out", "out"]);
    assert!(same.stdout.contains("3 jobs in both: 3 as they were"), "{}", same.stdout);
}

/// Under another policy one job passes another: both say which, and a job that is stopped says for whom.
#[test]
fn why_a_job_moved_is_told() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n\
                    [[priority]]\nname = 'urgent'\nvalue = 10\n[policy]\nbackfill = 'none'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu,priority,estimate_s\nx,0,100,a,1,,100\nlong,1,500,a,1,,500\nshort,2,10,b,1,,10\nurgent,105,20,b,1,urgent,20\n";
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "fifo", &["--policy", "fifo"]);
    run(folder.path(), "sjf", &["--policy", "sjf"]);
    run(folder.path(), "stops", &["--policy", "fifo,preemption=priority"]);
    let moved = |a: &str, b: &str| {
        let ran = sim(folder.path(), &["diff", a, b, "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let moved = value["moved"].as_array().unwrap().iter();
        moved
            .map(|one| format!("{}: {}", one["job"].as_str().unwrap(), one["why"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let why = moved("fifo", "sjf");
    assert!(
        why.contains(&"short: 2 jobs start now after it that started before it (a 1, b 1)".to_owned()),
        "{why:?}"
    );
    assert!(
        why.contains(&"long: 2 jobs start now before it that started after it (b 2)".to_owned()),
        "{why:?}"
    );
    let why = moved("fifo", "stops");
    assert!(why.contains(&"long: it is stopped by priority for job urgent".to_owned()), "{why:?}");
    let why = moved("stops", "fifo");
    assert!(why.contains(&"long: it is no longer stopped by priority for job urgent".to_owned()), "{why:?}");
    let table = sim(folder.path(), &["diff", "fifo", "sjf"]).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

/// Why the jobs moved from one trace and setting to another.
fn why_moved(scenario: &str, jobs: [&str; 2], setting: &str) -> Vec<String> {
    let folder = set_up(scenario, jobs[0].as_bytes());
    run(folder.path(), "before", &[]);
    fs::write(folder.path().join("jobs.csv"), jobs[1]).unwrap();
    run(folder.path(), "after", &["--set", setting]);
    let ran = sim(folder.path(), &["diff", "before", "after", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
    let moved = value["moved"].as_array().unwrap().iter();
    moved.map(|one| format!("{}: {}", text(one, "job"), text(one, "why"))).collect()
}

/// Another pool gives a job no room, and neither does one that is gone before it could start.
#[test]
fn jobs_that_hold_no_room_are_no_cause() {
    let scenario = "[[pool]]\nname = 'a'\nnodes = 1\nnode = { gpu = 2 }\n\
                    [[pool]]\nname = 'b'\nnodes = 1\nnode = { cpu = 1 }\n[policy]\norder = 'fifo'\n";
    let jobs = |early: u32, cpu: u32| {
        format!(
            "job_id,submit_s,run_s,team,gpu,cpu\nearly,0,{early},x,1,0\nlong,0,100,x,1,0\ncpu,0,{cpu},x,0,1\n\
             waits,10,10,x,2,0\n"
        )
    };
    let why = why_moved(scenario, [&jobs(5, 50), &jobs(6, 60)], "pool.a.nodes=2");
    let told = |job: &str| why.iter().find(|why| why.starts_with(job)).map_or("", String::as_str);
    assert_eq!(told("waits"), "waits: no job passes it: other room is free", "{why:?}");
    assert_eq!(told("cpu"), "cpu: it runs for another time", "{why:?}");
    let why = why_moved(scenario, [&jobs(5, 50), &jobs(5, 50).replace("0,100,", "0,90,")], "pool.a.nodes=1");
    assert!(
        why.contains(&"waits: no job passes it: jobs before it end at another time".to_owned()),
        "{why:?}"
    );
}

/// Where the start and the end are those of before, what differs is all that there is to say.
#[test]
fn a_job_of_another_team_does_not_run_for_another_time() {
    let why = why_moved(SCENARIO, [JOBS, &JOBS.replace("4,search", "4,ads")], "pool.l4.nodes=2");
    assert_eq!(why, ["c: "]);
}

#[test]
fn files_that_are_not_those_of_the_run_are_no_side_of_a_difference() {
    let folder = made();
    run(folder.path(), "other", &[]);
    let path = |name: &str| folder.path().join("other").join(name);
    for name in ["jobs.csv", "summary.json", "decisions.csv"] {
        let whole = fs::read_to_string(path(name)).unwrap();
        for damaged in ["garbage\n", &whole[..whole.len() * 3 / 4], ""] {
            fs::write(path(name), damaged).unwrap();
            let ran = sim(folder.path(), &["diff", "out", "other"]);
            let start = format!("error: `other/{name}` has changed: sha256 is ");
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
            assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
        }
        fs::write(path(name), whole).unwrap();
    }
    let manifest = fs::read_to_string(path("manifest.json")).unwrap();
    fs::write(path("manifest.json"), manifest.replace("\"complete\": true", "\"complete\": false")).unwrap();
    let ran = sim(folder.path(), &["diff", "out", "other"]);
    assert!(
        ran.stdout.contains("\nINCOMPLETE: the second was interrupted: what it holds is partial\n"),
        "{}",
        ran.stdout
    );
}

/// What an earlier run left and this one does not is gone.
#[test]
fn a_run_leaves_no_file_of_the_run_before() {
    let priced = format!("{SCENARIO}\n");
    let folder = set_up(&priced.replace("node = {", "price = { gpu_hour = 2 }\nnode = {"), JOBS.as_bytes());
    run(folder.path(), "out", &["--timings"]);
    let there = |name: &str| folder.path().join("out").join(name).exists();
    assert!(there("cost.csv") && there("timings.json"));
    fs::write(folder.path().join("scenario.toml"), SCENARIO).unwrap();
    run(folder.path(), "out", &[]);
    assert!(!there("cost.csv") && !there("timings.json") && there("jobs.csv"));
}

/// What no run left is nobody's to remove, and what a run is made from is not written over.
#[test]
fn a_run_leaves_the_files_of_others_alone() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let others = ["cost.csv", "timings.json", "jobs.parquet", "waits-7.svg"];
    fs::create_dir(folder.path().join("out")).unwrap();
    for name in others {
        fs::write(folder.path().join("out").join(name), "mine").unwrap();
    }
    let all = |when: &str| {
        for name in others {
            let text = fs::read_to_string(folder.path().join("out").join(name));
            assert_eq!(text.as_deref().ok(), Some("mine"), "{when}: {name}");
        }
    };
    run(folder.path(), "out", &[]);
    all("a run");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "."]);
    let message = "error: `--out .` would write over `jobs.csv`\nhint: name another folder\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
    assert_eq!(fs::read_to_string(folder.path().join("jobs.csv")).unwrap(), JOBS);
}

#[test]
fn a_rejected_job_and_an_evicted_one_are_told_why() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n\
                    [[priority]]\nname = 'urgent'\nvalue = 10\n[policy]\norder = 'fifo'\npreemption = 'priority'\n";
    let start = 1_735_689_600;
    let jobs = format!(
        "job_id,submit_s,run_s,team,gpu,priority\nlong,{start},500,a,1,\nbig,{},10,b,2,\nurgent,{},20,b,1,urgent\n",
        start + 2,
        start + 150
    );
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "out", &[]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = sim(folder.path(), &["explain", "out", "big"]).stdout;
    assert!(told.contains("\nsubmitted at 2025-01-01T00:00:02Z (1735689602 s)\n"), "{told}");
    let reason = fs::read_to_string(folder.path().join("out/jobs.csv")).unwrap();
    let reason =
        reason.lines().find(|line| line.starts_with("big,")).unwrap().rsplit(',').next().unwrap().to_owned();
    assert!(
        !reason.is_empty() && told.contains("  rejected\n") && words(&told).contains(&reason),
        "{told} {reason}"
    );
    let told = sim(folder.path(), &["explain", "out", "long"]).stdout;
    assert!(
        words(&told).contains("runs in l4, attempt 1; stopped by priority, for job urgent 2 min"),
        "{told}"
    );
}

/// Behind another holder of a reservation it is another interval, and a share comparison that was lost is told.
#[test]
fn the_lost_comparison_of_shares_is_told_with_what_would_have_helped() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 4 }\n[policy]\norder = 'drf'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu\na1,0,1000,a,2\na2,0,1000,a,2\na3,1,100,a,2\nb1,2,100,b,2\nb2,2,100,b,2\n";
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "out", &[]);
    let ran = sim(folder.path(), &["explain", "out", "a3", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let intervals = value["intervals"].as_array().unwrap();
    let lost = intervals.iter().find_map(|one| one["lost"].as_str()).unwrap_or_default();
    assert!(lost.contains("team `b`") && lost.contains("`a`") && lost.contains('%'), "{value}");
    assert!(intervals[0]["unblocked_by"].as_array().is_some_and(|ways| !ways.is_empty()), "{value}");
    let table = sim(folder.path(), &["explain", "out", "a3"]).stdout;
    assert!(table.contains("it could have started with pool `l4`: "), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

/// The team that comes first does so with one job after the other, each with a share of its own.
#[test]
fn shares_that_move_are_told_from_the_least_to_the_most() {
    let scenario = "[[team]]\nname = 'b'\nweight = 8\n[[team]]\nname = 'a'\n\
                    [[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 8 }\n[policy]\norder = 'drf'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu\na,0,10,a,4\nb0,0,100,b,5\nb2,1,100,b,6\nb3,2,100,b,8\n";
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "out", &[]);
    let ran = sim(folder.path(), &["explain", "out", "a", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    // Six and eight of eight GPUs over a weight of eight, against four of eight over one.
    let expected = "team `b` came first: 9.4% to 12.5% over its weight with jobs such as b2, `a` would hold 50.0% with this one";
    let lost: Vec<&str> =
        value["intervals"].as_array().unwrap().iter().filter_map(|one| one["lost"].as_str()).collect();
    assert!(lost.contains(&expected), "{value}");
}

/// By order of submission no share decides; another holder of a reservation is another interval.
#[test]
fn who_is_waited_for_is_told_anew_when_it_changes() {
    let scenario =
        "[[pool]]\nname = 'h'\nnodes = 1\nnode = { gpu = 4 }\n[policy]\norder = 'fifo'\nbackfill = 'easy'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu,time_limit_s\n1,0,3600,a,3,7200\n6,1,100,c,2,100\n7,2,100,c,4,100\n8,3,50,b,1,20000\n";
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "out", &[]);
    let ran = sim(folder.path(), &["explain", "out", "8", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let waits: Vec<&serde_json::Value> =
        value["intervals"].as_array().unwrap().iter().filter(|one| one["state"] == "waits").collect();
    assert!(waits.len() > 1, "{value}");
    let held = |one: &serde_json::Value| one["reasons"].to_string();
    assert!(
        held(waits[0]).contains("job 6,") && waits[1..].iter().all(|one| !held(one).contains("job 6,")),
        "{value}"
    );
    assert!(waits.iter().all(|one| one["lost"].is_null()), "{value}");
}

/// A disk that is full after some kilobytes, by the limit that a shell can set on files.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_half_written_under_its_name() {
    let folder = made();
    let before = fs::read_to_string(folder.path().join("out/series.csv")).unwrap();
    let refused = sim_on_little_room(folder.path(), 8, "run scenario.toml --trace jobs.csv -q --out out");
    assert_eq!(refused, (Some(4), "error: failed to write `out/series.csv`\nfile too large\n".to_owned()));
    let left = |name: &str| fs::read_to_string(folder.path().join("out").join(name));
    assert!(left("manifest.json").is_err(), "the folder is no result any more");
    assert_eq!(left("series.csv").unwrap(), before, "that of the run before is whole");
    assert!(left("jobs.csv").unwrap().ends_with('\n'));
    let files = fs::read_dir(folder.path().join("out")).unwrap();
    let hidden =
        files.map(|file| file.unwrap().file_name()).find(|name| name.to_string_lossy().starts_with('.'));
    assert_eq!(hidden, None, "what is worth nothing takes no room");
}

/// Runs `sim` where no file may grow beyond some blocks of 512 bytes: its exit code and what it says.
fn sim_on_little_room(folder: &std::path::Path, blocks: u32, arguments: &str) -> (Option<i32>, String) {
    let sim = env!("CARGO_BIN_EXE_sim");
    let run = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{sim}' {arguments}");
    let output = std::process::Command::new("sh").current_dir(folder).args(["-c", &run]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Every file of a folder of results in turn cannot be replaced, since a folder that is not empty stands under its name: what
/// was there is left, no half file is beside it, and what is not whole has no manifest. Unlike a mode, this stops root too.
#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing_half() {
    let folder = made();
    let out = folder.path().join("out");
    for name in ["decisions.csv", "jobs.csv", "series.csv", "summary.json", "report.html", "metrics.txt"] {
        fs::remove_dir_all(&out).unwrap();
        fs::create_dir_all(out.join(name).join("inside")).unwrap();
        let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{name}: {}", ran.stderr);
        let message = format!("error: failed to write `out/{name}`\n");
        assert!(ran.stderr.starts_with(&message), "{name}: {}", ran.stderr);
        let left: Vec<String> = fs::read_dir(&out)
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert!(out.join(name).join("inside").is_dir(), "{name}");
        assert!(
            left.iter().all(|file| !file.starts_with('.') && file != "manifest.json"),
            "{name}: {left:?}"
        );
    }
}

/// A folder in which nobody may write: by its mode, where that counts; for root by the attribute that a file system may keep,
/// and where neither is to be had there is nothing to test.
#[cfg(unix)]
#[test]
fn a_read_only_folder_is_said_and_stays_empty() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = made();
    let out = folder.path().join("locked");
    fs::create_dir(&out).unwrap();
    let attribute = |change: &str| {
        let ran = std::process::Command::new("chattr").arg(change).arg(&out).output();
        ran.is_ok_and(|output| output.status.success())
    };
    fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).unwrap();
    let locked = attribute("+i") || fs::write(out.join("probe"), "").is_err();
    if locked {
        let ran =
            sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "locked"]);
        let files = fs::read_dir(&out).unwrap().count();
        let _ = attribute("-i");
        assert_eq!((ran.code, ran.stdout.as_str(), files), (4, "", 0), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: failed to write `locked/decisions.csv`\n"), "{}", ran.stderr);
    } else {
        println!("skipped: root writes here whatever the mode, and there is no chattr");
    }
    fs::set_permissions(&out, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_scenario_of_machines_or_objects_is_whole_or_not_there() {
    let folder = made();
    let nodes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openb-nodes.csv");
    fs::copy(nodes, folder.path().join("nodes.csv")).unwrap();
    for arguments in
        ["trace convert nodes.csv --scenario made.toml", "kueue export scenario.toml --out made.yaml"]
    {
        let (code, said) = sim_on_little_room(folder.path(), 0, arguments);
        assert_eq!(code, Some(4), "{said}");
        let made = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let made: Vec<_> = made.filter(|name| name.to_string_lossy().contains("made.")).collect();
        assert_eq!(made, [""; 0], "{arguments}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said_before_anything_runs() {
    let folder = made();
    for command in [&["run"][..], &["compare", "--policy", "fifo", "--policy", "drf"]] {
        let more = ["scenario.toml", "--trace", "jobs.csv", "-q", "--out", "jobs.csv/out"];
        let ran = sim(folder.path(), &[command, &more].concat());
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (4, "", "error: failed to write `jobs.csv/out`\nnot a directory\n")
        );
    }
}

#[test]
fn parquet_lies_in_a_folder() {
    let message = "error: `--parquet` writes beside the CSV files of `--out`, which is not given\nhint: add `--out DIR`";
    let run = ["run", "scenario.toml", "--trace", "jobs.csv", "--parquet"];
    let folder = made();
    refused(&sim(folder.path(), &run), message);
    refused(&sim(folder.path(), &[&run[..], &["--quantiles", "sketch"]].concat()), message);
}

/// Before anything runs, and when it is to run again.
#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_without_the_feature_is_refused() {
    let message = "error: `--parquet`: this program was built without Parquet\n\
                   hint: build it with `cargo build --release --bin sim --features parquet`";
    let folder = made();
    let run = ["run", "scenario.toml", "--trace", "jobs.csv", "--parquet", "--out", "new"];
    refused(&sim(folder.path(), &run), message);
    assert!(!folder.path().join("new").exists());
    let path = folder.path().join("out/manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    assert!(manifest.contains("\"-q\""), "{manifest}");
    fs::write(&path, manifest.replace("\"-q\"", "\"--parquet\"")).unwrap();
    refused(&sim(folder.path(), &["replay", "out"]), message);
}
