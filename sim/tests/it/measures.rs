//! Measures on runs of a few jobs, computed by hand: groups, the queue's depth, evictions; and that sums are checked.

use std::fmt::Write as _;

use fairshare_sim::metrics::{Demands, caution, shares::Shares, sums};
use fairshare_sim::summary::Jobs;

use crate::cli::{run_with, set_up};
use crate::support::{Finished, sim, simulate, simulate_part};

/// One node of four GPUs; `urgent` stops others.
pub(crate) const SCENARIO: &str = "\
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
    // The same area, in 40 slices of 4.75 s.
    let slices = queue["jobs_over_time"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
    assert!((slices.sum::<f64>() * 4.75 - 170.0).abs() < 1e-9, "{queue}");
    // b asks 2 GPUs for 150 s, a 4 for 20 s.
    assert!((queue["gpus_mean"].as_f64().unwrap() - 380.0 / 190.0).abs() < 1e-9, "{queue}");
    assert_eq!(queue["gpus_max"].as_f64(), Some(6.0));
    // Four starts, one eviction; 4 GPUs for 40 s are lost.
    let evictions = &summary["evictions"];
    assert_eq!(evictions["by_rule"], serde_json::json!({"priority": 1}));
    assert_eq!(evictions["ratio"].as_f64(), Some(0.25));
    assert!((evictions["lost_gpu_hours"].as_f64().unwrap() - 160.0 / 3600.0).abs() < 1e-12);
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
    // a and c start when they come, b after 150 s; that a is stopped and starts again changes nothing.
    let first = &summary["first_decision_s"];
    assert_eq!(
        (first["mean"].as_f64(), first["max"].as_f64(), &first["count"]),
        (Some(50.0), Some(150.0), &3.into())
    );
    // b waits from 10 to 160 of 190 s; x holds all until 40, nothing until 60, then all again, where it asks for more
    // than everything but for the 20 s in which y asks for as much.
    let blocked = &summary["teams"][0]["blocked"];
    assert!((blocked["time"].as_f64().unwrap() - 150.0 / 190.0).abs() < 2e-3, "{blocked}");
    assert_eq!(blocked["smallest_waiting"].as_f64(), Some(2.0));
    let expected = 130.0 / (130.0 + 20.0 * 0.5);
    assert!((blocked["held_over_entitled"].as_f64().unwrap() - expected).abs() < 1e-2, "{blocked}");
    assert!(summary["teams"][1].get("blocked").is_none(), "y never waited");
}

#[test]
fn an_eviction_counts_in_every_measure_as_computed_by_hand() {
    let run = simulate(SCENARIO, JOBS);
    let summary = serde_json::to_value(run.summary()).unwrap();
    let near = |path: &str, expected: f64| {
        let found = summary.pointer(path).and_then(serde_json::Value::as_f64);
        assert!(
            found.is_some_and(|found| (found - expected).abs() < 1e-9),
            "{path}: {found:?}, not {expected}"
        );
    };
    // Ends less submissions: a 160 s, b 180 s, c 20 s; over run times of 100, 30 and 20 s.
    near("/response_s/mean", 120.0);
    near("/bounded_slowdown/mean", (1.6 + 6.0 + 1.0) / 3.0);
    near("/teams/0/response_s/mean", 170.0);
    near("/teams/0/bounded_slowdown/max", 6.0);
    near("/teams/1/response_s/mean", 20.0);
    // 4 GPUs for 40 + 20 + 100 s and 2 for 30 s are held, of 4 for 190 s; those of the first 40 s were in vain.
    near("/utilization/gpu", 700.0 / 760.0);
    near("/pools/0/utilization/gpu", 700.0 / 760.0);
    near("/goodput/gpu", 540.0 / 760.0);
    near("/pools/0/goodput/gpu", 540.0 / 760.0);
    let series = series(&run);
    // Slices begin and end at whole ms, so that not all are of one length.
    let lost = series.lines().filter(|line| line.contains(",lost,l4,gpu,,")).map(|line| {
        let number = |column: usize| line.split(',').nth(column).unwrap().parse::<f64>().unwrap();
        (number(1) - number(0), number(6))
    });
    let lost: Vec<(f64, f64)> = lost.collect();
    let sum: f64 = lost.iter().map(|(length, amount)| length * amount).sum();
    assert!((sum - 160.0).abs() < 1e-6 && lost[0].1 > 3.99 && lost[239].1 < 1e-9, "{sum}");
    let area = |begin: &str| {
        let rows = series.lines().filter(|line| line.splitn(3, ',').nth(2).unwrap().starts_with(begin));
        let number = |line: &str, column: usize| line.split(',').nth(column).unwrap().parse::<f64>().unwrap();
        rows.map(|line| (number(line, 1) - number(line, 0)) * number(line, 6)).sum::<f64>()
    };
    let area_is = |begin: &str, expected: f64, off: f64| {
        let found = area(begin);
        assert!((found - expected).abs() < off, "{begin}: {found}, not {expected}");
    };
    // `b` waits 150 s for two GPUs and `a`, after it was stopped, 20 s for four.
    area_is("waiting,,jobs,,", 170.0, 1e-3);
    area_is("waiting,,gpu,x,", 380.0, 2e-3);
    // `x` holds all for 140 s and half for 30; it is entitled to all but for half of the 20 s of `y`, and at the end to the
    // half that it asks.
    area_is("share,,,x,", 155.0, 0.5);
    area_is("entitlement,,,x,", 40.0 + 10.0 + 100.0 + 15.0, 0.5);
    area_is("share,,,y,", 20.0, 0.5);
    // One of two teams holds everything at every instant.
    area_is("jain,,,,", 95.0, 0.5);
    // A GPU and second costs a thousandth of a dollar.
    near("/cost_usd/total", 0.76);
    near("/cost_usd/allocated", 0.7);
    near("/cost_usd/idle", 0.06);
    near("/cost_usd/lost", 0.16);
    near("/teams/0/cost_usd", 0.62);
    near("/teams/0/gpu_hours", 620.0 / 3_600.0);
    // What is asked while jobs come, 540 GPU-seconds in 40 s.
    near("/offered_load/l4", 540.0 / 160.0);
    // Alone on two GPUs `a` would take 200 s and takes 160, `b` 30 s and takes 180, `c` 40 s and takes 20.
    near("/fairness/finish_time_ratio_max", 6.0);
    near("/fairness/finish_time_above_one", 1.0 / 3.0);
    assert_eq!(
        (&summary["teams"][0]["preemptions"], &summary["jobs"]["preemptions"]),
        (&1.into(), &1.into())
    );
    // x holds all for 140 s and half for 30, y all for 20; sampled at a thousand instants.
    let shares = [(40.0 + 100.0 + 15.0) / 190.0, 20.0 / 190.0];
    for (team, share) in shares.iter().enumerate() {
        let found = summary["teams"][team]["share_mean"].as_f64().unwrap();
        assert!((found - share).abs() < 2e-3, "{found} {share}");
    }
    let jain = (shares[0] + shares[1]).powi(2) / (2.0 * (shares[0].powi(2) + shares[1].powi(2)));
    assert!((summary["fairness"]["jain"].as_f64().unwrap() - jain).abs() < 5e-3, "{jain}");
    // While `c` runs x is entitled to half of four GPUs for 20 s, and holds none.
    let deficit = summary["fairness"]["deficit_gpu_hours"].as_f64().unwrap();
    assert!((deficit - 40.0 / 3_600.0).abs() < 5e-4, "{deficit}");
}

#[test]
fn sums_that_do_not_add_up_are_named() {
    let mut run = simulate(SCENARIO, JOBS);
    run.record.waited_ms += 1;
    let message = sums::check(&run.setup, &run.trace, &run.record).unwrap_err().message();
    let expected = "error: an invariant broke at 190 s: area under the queue depth and all waiting differ: 170000 and 170001";
    assert!(message.starts_with(expected), "{message}");
    run.record.waited_ms -= 1;
    run.record.evicted.get_mut(&0).unwrap().held_ms += 1;
    let message = sums::check(&run.setup, &run.trace, &run.record).unwrap_err().message();
    let expected =
        "error: an invariant broke at 190 s: all waiting and the waits of all jobs differ: 170000 and 169999";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn loads_above_one_and_unfinished_jobs_are_said_of_any_number_of_jobs() {
    let said = |submitted, unfinished, longest_s| {
        let loads = [("a", Some(1.0)), ("b", Some(1.5)), ("c", None)];
        caution::of_counts(loads.into_iter(), &Jobs { submitted, unfinished, ..Jobs::default() }, longest_s)
    };
    let fact = "pool `b` is offered 1.50 times what it has while jobs come";
    assert_eq!(said(999, 1, Some(0.0)), [fact, "1 job is unfinished and in no mean, so means are too small"]);
    // A few jobs may be done before they would have to wait.
    assert!(said(999, 0, Some(0.0)).is_empty());
    assert_eq!(said(999, 0, Some(0.5)), [fact]);
    let load =
        "pool `b` is offered 1.50 times what it has: its queue grows as long as jobs come, and waits with it";
    assert_eq!(said(1_000, 0, None), [load]);
    assert_eq!(said(1_000, 5, None), [load, "5 jobs are unfinished and in no mean, so means are too small"]);
}

/// Three jobs of 100 s on one GPU that goes after 250 s, all of them there after 10 s: 30 times what there is, said of a run
/// whether its jobs are kept or not.
#[test]
fn so_are_they_of_a_run_of_three_jobs() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 1 }\n[[capacity]]\npool = 'p'\nfrom = 250\nnodes = 0\n\
                    [policy]\norder = 'fifo'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,100,x,1\n2,10,100,x,1\n3,10,100,x,1\n";
    for more in [&[][..], &["--quantiles", "sketch"]] {
        let ran = run_with(scenario, jobs.as_bytes(), &[&["-o", "json"], more].concat());
        let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        for said in [
            "pool `p` is offered 30.00 times what it has while jobs come",
            "1 job is unfinished and in no mean, so means are too small",
        ] {
            assert!(summary["warnings"].as_array().unwrap().iter().any(|warning| warning == said), "{ran:?}");
        }
    }
}

/// Four GPUs; jobs that idle are stopped after a minute, those of class `urgent` and development jobs are not.
pub(crate) const REAPER: &str =
    "\n[reaper]\ngpu_utilization_below = 0.2\nwindow = \"1m\"\nexempt = [\"urgent\"]\n";

#[test]
fn idle_jobs_are_stopped_and_what_that_saved_is_counted() {
    let jobs = "\
job_id,submit_s,run_s,team,priority,gpu,gpu_utilization,status,dev
idle,0,100,x,,2,0.05,completed,
busy,0,100,x,,1,0.5,completed,
short,0,50,x,,1,0.05,failed,
next,10,80,x,,2,0.19,failed,
exempt,60,100,x,urgent,1,0.05,failed,
dev,100,100,x,,1,0.05,failed,true
";
    let run = simulate(&format!("{SCENARIO}{REAPER}"), jobs);
    let expected = [
        ("busy", 0, 100),
        ("idle", 0, 60),
        ("short", 0, 50),
        ("next", 60, 120),
        ("exempt", 60, 160),
        ("dev", 100, 200),
    ];
    assert_eq!(run.times(), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    let summary = serde_json::to_value(run.summary()).unwrap();
    // 2 GPUs for 40 s and 2 for 20 s were spared, at 0.001 dollars each; only `idle` would have ended well.
    let reaper = &summary["reaper"];
    assert_eq!((&reaper["jobs"], &reaper["false_kills"]), (&2.into(), &1.into()));
    assert_eq!((reaper["gpu_hours"].as_f64(), reaper["usd"].as_f64()), (Some(120.0 / 3_600.0), Some(0.12)));
    let jobs = &summary["jobs"];
    assert_eq!((&jobs["completed"], &jobs["failed"], &jobs["cancelled"]), (&1.into(), &3.into(), &2.into()));
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
}

#[test]
fn an_evicted_job_idles_from_its_next_start_on() {
    // `a` would be stopped at 60, is evicted at 40, starts again at 60 and is stopped at 120.
    let jobs = "\
job_id,submit_s,run_s,team,priority,gpu,gpu_utilization
a,0,100,x,,4,0.05
c,40,20,y,urgent,4,0.9
";
    let run = simulate(&format!("{SCENARIO}{REAPER}"), jobs);
    assert_eq!(run.times()[0], ("a".to_owned(), 60, 120));
    assert_eq!(
        serde_json::to_value(run.summary()).unwrap()["reaper"]["gpu_hours"].as_f64(),
        Some(160.0 / 3_600.0)
    );
}

/// A reader of a figure is told five things about it; files that only help to work figures out have none of their own.
#[test]
fn every_family_of_measures_tells_its_formula_unit_population_estimator_and_source() {
    const HELP: [&str; 9] =
        ["caution", "distribution", "division", "mod", "money", "population", "series", "shares", "sums"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/metrics");
    let mut told = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if HELP.iter().any(|help| path.ends_with(format!("{help}.rs"))) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        for word in ["Formula", "nit", "opulation", "stimator", "ource"] {
            assert!(head.contains(word), "{}: no {word} in {head}", path.display());
        }
        told += 1;
    }
    assert!(told >= 16, "{told}");
}

/// As `an_evicted_job_idles_from_its_next_start_on`, under Kueue's rules: `a` is stopped at 40 for its quota's owner, starts
/// again at 60 and idles until 120.
#[test]
fn the_reaper_stops_jobs_under_kueue_too() {
    let scenario = "\
[[pool]]
name = 'gpu'
nodes = 4
node = { gpu = 1 }
divisible = true
[[team]]
name = 'y'
quota = { gpu = { gpu = 4 } }
[[team]]
name = 'x'
[policy]
order = 'kueue'
preemption = 'reclaim'
[reaper]
gpu_utilization_below = 0.2
window = '1m'
";
    let jobs = "\
job_id,submit_s,run_s,team,gpu,gpu_utilization
a,0,100,x,4,0.05
c,40,20,y,4,0.9
";
    let run = simulate(scenario, jobs);
    assert_eq!(run.times(), [("a".to_owned(), 60, 120), ("c".to_owned(), 40, 60)]);
    let summary = serde_json::to_value(run.summary()).unwrap();
    assert_eq!(summary["reaper"]["jobs"], 1);
    assert_eq!(summary["reaper"]["gpu_hours"].as_f64(), Some(160.0 / 3_600.0));
    let warnings = summary["warnings"].as_array().unwrap();
    assert!(warnings.iter().all(|warning| !warning.as_str().unwrap().contains("reaper")), "{warnings:?}");
}

#[test]
fn what_the_reaper_stops_is_in_the_file_of_decisions_and_in_the_life_of_the_job() {
    let jobs = "job_id,submit_s,run_s,team,priority,gpu,gpu_utilization\nidle,0,100,x,,2,0.05\nbusy,0,100,x,,2,0.5\n";
    let folder = set_up(&format!("{SCENARIO}{REAPER}"), jobs.as_bytes());
    let ran =
        sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--check", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(folder.path().join("out/decisions.csv")).unwrap();
    let expected = "\
time_s,action,job_id,attempt,pool,workers,reason,for_job,lost_s
0,start,busy,1,l4,1,,,
0,start,idle,1,l4,1,,,
60,reap,idle,1,l4,1,idle,,
";
    assert_eq!(text, expected);
    let ran = sim(folder.path(), &["explain", "out", "idle", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&value["status"], &value["intervals"][0]["ended_by"]),
        (&"reaped".into(), &"stopped for idling".into())
    );
}

#[test]
fn a_record_that_breaks_off_is_said_from_a_thousand_jobs_on() {
    let said = |jobs: u64, together: u64, apart_s: u64| {
        let mut text = String::from("job_id,submit_s,run_s,team,gpu,start_s,end_s\n");
        for job in 0..jobs {
            let start = job * apart_s;
            let end = if jobs - job <= together { jobs * apart_s } else { start + 1 };
            let _ = writeln!(text, "{job},{start},{},x,1,{start},{end}", end - start);
        }
        let run = simulate(SCENARIO, &text);
        let warnings = run.summary().warnings;
        warnings
            .into_iter()
            .filter(|warning| warning.contains("record") || warning.contains("last submission"))
            .collect()
    };
    let none: [&str; 0] = [];
    let found: Vec<String> = said(1_000, 1, 10);
    assert_eq!(found, none);
    let found: Vec<String> = said(999, 3, 10);
    assert_eq!(found, none);
    let found: Vec<String> = said(1_000, 3, 10);
    let breaks_off = "3 jobs end at the last instant of the record: they probably still ran when it ended, and so for \
                      longer than it says";
    assert_eq!(found, [breaks_off]);
    // A thousand jobs of 1 s at once on four GPUs take 250 s.
    let text: String =
        (0..1_000).map(|job| format!("{job},{},1,x,1\n", job / 500)).collect::<Vec<_>>().concat();
    let run = simulate(SCENARIO, &format!("job_id,submit_s,run_s,team,gpu\n{text}"));
    let empties = "100% of the run come after the last submission, when the cluster only empties: utilization, goodput and \
                   idle cost are of that time too";
    assert!(run.summary().warnings.iter().any(|warning| warning == empties), "{:?}", run.summary().warnings);
}

#[test]
fn a_reaper_without_utilization_says_so_and_bad_settings_are_refused() {
    let run = simulate(&format!("{SCENARIO}{REAPER}"), JOBS);
    let said = "no job says how busy its GPUs were (`gpu_utilization`): the reaper stops nothing";
    assert!(run.summary().warnings.iter().any(|warning| warning == said));
    let refused = |settings: &str, title: &str| {
        let text = format!("{SCENARIO}\n[reaper]\n{settings}\n");
        let error = fairshare_sim::Scenario::parse("s", &text, &[]).unwrap_err();
        let error = fairshare_sim::SimError::from(error).message();
        assert!(error.contains(title), "{error}");
    };
    refused("gpu_utilization_below = 0.2", "`[reaper]` has no `window`");
    refused("gpu_utilization_below = 20\nwindow = \"1h\"", "`gpu_utilization_below` is no part");
    refused("gpu_utilization_below = 0.2\nwindow = \"1h\"\nexempt = [\"calm\"]", "unknown class `calm`");
}

#[test]
fn a_rejected_job_says_why_in_its_row() {
    let run = simulate(SCENARIO, "job_id,submit_s,run_s,team,gpu\na,0,10,x,5\nb,0,10,x,4\n");
    let mut csv = Vec::new();
    fairshare_sim::report::csv::jobs(&run.setup, &run.trace, &run.record, &mut csv).unwrap();
    let text = String::from_utf8(csv).unwrap();
    let last = |row: usize| text.lines().nth(row).unwrap().rsplit(',').next().unwrap().to_owned();
    let why = "a worker asks for more than a node has in any eligible pool";
    assert_eq!([last(0), last(1), last(2)], ["reason".to_owned(), why.to_owned(), String::new()]);
    let (path, out) = (std::path::PathBuf::from("decisions.csv"), Vec::new());
    let mut log = fairshare_sim::report::csv::DecisionLog::new(&run.setup, &run.trace, path, out).unwrap();
    fairshare_sim::simulate(&run.setup, &run.trace, &mut log, &|| false).unwrap();
    let text = String::from_utf8(log.finish().unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines, [format!("0,reject,a,,,,{why},,").as_str(), "0,start,b,1,l4,1,,,"]);
}

#[test]
fn the_end_of_a_run_is_there_under_kueues_names() {
    let run = simulate(SCENARIO, JOBS);
    let text = fairshare_sim::report::openmetrics::text(&run.setup, &run.trace, &run.record);
    // Waits: a 20 s, b 150 s, c 0 s; a started twice.
    for line in [
        "kueue_pending_workloads{cluster_queue=\"x\",status=\"active\"} 0",
        "kueue_admitted_workloads_total{cluster_queue=\"x\"} 3",
        "kueue_admitted_workloads_total{cluster_queue=\"y\"} 1",
        "kueue_evicted_workloads_total{cluster_queue=\"x\",reason=\"priority\"} 1",
        "kueue_admission_wait_time_seconds_bucket{cluster_queue=\"x\",le=\"10\"} 0",
        "kueue_admission_wait_time_seconds_bucket{cluster_queue=\"x\",le=\"20\"} 1",
        "kueue_admission_wait_time_seconds_bucket{cluster_queue=\"x\",le=\"+Inf\"} 2",
        "kueue_admission_wait_time_seconds_bucket{cluster_queue=\"y\",le=\"1\"} 1",
        "kueue_admission_wait_time_seconds_sum{cluster_queue=\"x\"} 170",
        "kueue_admission_wait_time_seconds_count{cluster_queue=\"x\"} 2",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

/// Under `fifo`: `a1` holds three of four GPUs until 100 and `c0` the fourth until 200; `b1` waits for two until 100, `c1` from
/// 20 until 200 for all.
#[test]
fn users_who_wait_are_measured_against_their_part_of_what_their_team_is_entitled_to() {
    let jobs = "\
job_id,submit_s,run_s,team,user,gpu
a1,0,100,x,a,3
b1,0,100,x,b,2
c0,0,200,x,,1
c1,20,100,x,,4
";
    let run = simulate(&SCENARIO.replace("preemption = \"priority\"", "order = \"fifo\""), jobs);
    let expected = [("a1", 0, 100), ("b1", 100, 200), ("c0", 0, 200), ("c1", 200, 300)];
    assert_eq!(run.times(), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    let summary = serde_json::to_value(run.summary()).unwrap();
    let users = summary["teams"][0]["blocked_users"].as_array().unwrap();
    let names: Vec<&str> = users.iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "none"], "`a` never waited");
    let near = |user: usize, field: &str, expected: f64| {
        let found = users[user][field].as_f64().unwrap();
        assert!((found - expected).abs() < 5e-3, "{user} {field}: {found}, not {expected}");
    };
    near(0, "time", 100.0 / 300.0);
    near(0, "held_over_entitled", 0.0);
    near(0, "smallest_waiting", 2.0);
    // The team is entitled to all four. Until 100 a third each, of which `none` holds one; then it and `b` to two each.
    near(1, "time", 180.0 / 300.0);
    near(1, "held_over_entitled", 180.0 / (80.0 * 4.0 / 3.0 + 100.0 * 2.0));
    near(1, "smallest_waiting", 4.0);
    let text = fairshare_sim::report::text::summary(&run.summary());
    let table = "\nuser below its part team     waiting  held of part  smallest job\n\
                 b                   x          33.3%          0.0%             2\n\
                 none                x          60.0%         58.7%             4\n";
    assert!(text.ends_with(table), "{text}");
}

/// A user who is alone in a team is measured as the team is, evictions and restarts included.
#[test]
fn a_user_alone_in_a_team_is_measured_as_the_team() {
    let mut text = String::from("job_id,submit_s,run_s,team,user,priority,gpu,checkpoint_s,restart_s\n");
    for job in 0..300_u32 {
        let team = job * 7 % 3;
        let priority = if job % 5 == 0 { "urgent" } else { "" };
        let (run, gpu) = (20 + job * 13 % 170, 1 + job % 4);
        let (checkpoint, restart) = ([0, 15][job as usize % 2], [0, 4, 9][job as usize % 3]);
        let _ = writeln!(
            text,
            "{job},{},{run},t{team},u{team},{priority},{gpu},{checkpoint},{restart}",
            job * 40
        );
    }
    let run = simulate(SCENARIO, &text);
    assert!(run.record.lost.len() > 20 && run.record.restarts.len() > 5, "the case is to have evictions");
    let mut seen = 0;
    for team in &run.summary().teams {
        let [user] = &team.blocked_users[..] else { panic!("{:?}", team.blocked_users) };
        let (user, team) = (&user.blocked, team.blocked.as_ref().unwrap());
        assert_eq!((user.time, user.smallest_waiting), (team.time, team.smallest_waiting));
        let [user, team] = [user, team].map(|blocked| blocked.held_over_entitled.unwrap());
        assert!((user - team).abs() < 1e-9, "{user} {team}");
        seen += 1;
    }
    assert_eq!(seen, 3);
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
}

/// `y` holds seven of ten CPUs, `a` five of ten GPUs, and `b` three CPUs while it waits for two: half of the GPUs and half of
/// the CPUs is what `x` is entitled to, and what its users ask.
#[test]
fn users_whose_dominant_shares_are_of_different_kinds_have_a_part_each() {
    let scenario =
        "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 10, cpu = 10 }\n[policy]\norder = 'fifo'\n";
    let jobs = "\
job_id,submit_s,run_s,team,user,gpu,cpu
1,0,100,y,c,,7
2,0,100,x,a,5,
3,0,100,x,b,,3
4,0,100,x,b,,2
";
    let run = simulate(scenario, jobs);
    let expected = [("1", 0, 100), ("2", 0, 100), ("3", 0, 100), ("4", 100, 200)];
    assert_eq!(run.times(), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    let summary = run.summary();
    let team = summary.teams.iter().find(|team| team.name == "x").unwrap();
    let [user] = &team.blocked_users[..] else { panic!("{:?}", team.blocked_users) };
    let [user, team] = [&user.blocked, team.blocked.as_ref().unwrap()];
    assert_eq!((user.time, team.time), (0.5, 0.5));
    let [user, team] = [user, team].map(|blocked| blocked.held_over_entitled.unwrap());
    assert!((user - 0.6).abs() < 1e-9, "three of the five CPUs that are `b`'s, not {user}");
    assert!((team - 1.0).abs() < 1e-9, "{team}");
    assert!(fairshare_sim::report::text::summary(&summary).contains("user below its part"));
}

#[test]
fn too_many_users_to_be_measured_are_said() {
    let warned = |users: u32| {
        let mut text = String::from("job_id,submit_s,run_s,team,user,gpu\n");
        (0..users).for_each(|user| {
            let _ = writeln!(text, "{user},0,5,x,u{user},1");
        });
        let summary = simulate(SCENARIO, &text).summary();
        let said = summary.warnings.into_iter().find(|warning| warning.contains("users who had to wait"));
        (said, summary.teams[0].blocked_users.len(), summary.teams[0].blocked.is_some())
    };
    // Four jobs start when they come.
    assert_eq!(warned(1_000), (None, 996, true));
    let said = "users who had to wait are not measured: there are 1001 pairs of team and user, at most 1000 are looked at";
    assert_eq!(warned(1_001), (Some(said.to_owned()), 0, true));
}

/// `series.csv` of a run.
pub(crate) fn series(run: &Finished) -> String {
    let Finished { setup, trace, record, .. } = run;
    let shares = Shares::new(setup, trace, record, &Demands::new(setup, trace));
    let mut series = Vec::new();
    fairshare_sim::report::series::write(setup, trace, record, &shares, &mut series).unwrap();
    String::from_utf8(series).unwrap()
}

/// Of two teams one has not come when the run is interrupted.
#[test]
fn evenness_over_time_is_of_the_teams_that_came() {
    let mut text = String::from("job_id,submit_s,run_s,team,gpu\n");
    (0..1_000).for_each(|job| {
        let _ = writeln!(text, "{job},{},5,{},1", job * 10, if job < 999 { "x" } else { "y" });
    });
    let part = simulate_part(SCENARIO, &text, 2);
    assert_eq!(part.summary().fairness.as_ref().and_then(|fairness| fairness.jain), Some(1.0));
    let series = series(&part);
    let jain: Vec<&str> = series.lines().filter(|line| line.contains(",jain,")).collect();
    assert!(jain.len() == 240 && jain.iter().all(|line| line.ends_with(",1")), "{jain:?}");
}

/// What was submitted when a run is interrupted is what its span is about.
#[test]
fn an_interrupted_run_spans_the_submissions_that_came() {
    let mut text = String::from("job_id,submit_s,run_s,team,gpu\n");
    (0..1_000).for_each(|job| {
        let _ = writeln!(text, "{job},{},5,x,1", job * 10);
    });
    let summary = simulate_part(SCENARIO, &text, 2).summary();
    assert!(summary.incomplete && summary.jobs.submitted < 1_000 && summary.jobs.submitted > 100);
    #[expect(clippy::cast_precision_loss, reason = "a number of jobs")]
    let last = (summary.jobs.submitted - 1) as f64 * 10.0;
    assert_eq!(summary.span_s.to_bits(), last.to_bits());
    assert!(summary.span_s <= summary.makespan_s, "{} {}", summary.span_s, summary.makespan_s);
    let load = summary.offered_load["l4"].unwrap();
    // Five seconds of one GPU in ten, of four.
    assert!((load - 0.125).abs() < 1e-3, "{load}");
}

#[test]
fn no_gpu_time_is_due_where_there_are_no_gpus() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { cpu = 4 }\n";
    let summary = simulate(scenario, "job_id,submit_s,run_s,team,cpu\na,0,100,x,4\nb,0,100,y,4\n").summary();
    let fairness = summary.fairness.unwrap();
    assert!(fairness.share_deviation.is_some());
    assert_eq!(fairness.deficit_gpu_hours, None);
}
