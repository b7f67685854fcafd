//! Replays that forget jobs as they end say the same as those that keep them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fairshare_sim::metrics::queue::Queue;
use fairshare_sim::trace::{Input, Trace, TraceOptions};
use fairshare_sim::{Override, RunInfo, Scenario, streamed};
use serde_json::Value;

use crate::support::{replay, sim};
use crate::trace::folder;

fn bundled(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces").join(file)
}

fn scenario(settings: &[&str]) -> Scenario {
    let text = std::fs::read_to_string(bundled("demo/scenario.toml")).unwrap();
    let set = |setting: &&str| Override { origin: "--set".to_owned(), setting: (*setting).to_owned() };
    Scenario::parse("scenario.toml", &text, &settings.iter().map(set).collect::<Vec<_>>()).unwrap()
}

/// The parts of a summary that are not the same by design: sketched quantiles are compared apart.
fn bare(value: &mut Value, quantiles: &mut Vec<f64>) {
    match value {
        Value::Object(fields) => {
            for key in [
                "quantiles",
                "fairness",
                "share_mean",
                "entitlement_mean",
                "blocked",
                "blocked_users",
                "groups",
                "jobs_over_time",
            ] {
                fields.remove(key);
            }
            // Of each team waits alone are sketched.
            if fields.contains_key("weight") {
                fields.remove("response_s");
                fields.remove("bounded_slowdown");
            }
            for key in ["p50", "p90", "p95", "p99"] {
                quantiles.extend(fields.remove(key).and_then(|value| value.as_f64()));
            }
            fields.values_mut().for_each(|value| bare(value, quantiles));
        }
        Value::Array(values) => {
            // Whether a run begins with a warm-up takes every job's wait; the other says what is left out here.
            let begin = ["the first tenth of the jobs", "with `--quantiles sketch`"];
            let differs = |value: &Value| {
                value.as_str().is_some_and(|text| begin.iter().any(|begin| text.starts_with(begin)))
            };
            values.retain(|value| !differs(value));
            for value in values {
                bare(value, quantiles);
            }
        }
        // Sums of slowdowns are floats, added up in another order.
        Value::Number(number) if number.is_f64() => {
            *value = format!("{:.9e}", number.as_f64().unwrap()).into();
        }
        _ => {}
    }
}

/// Both ways; the quantiles may be off by 0.4 %.
pub(crate) fn same_in_parts(scenario: &Scenario, path: &Path, rows: &[usize]) {
    let input = [Input::parse(path.to_str().unwrap())];
    let trace = Trace::load(&input, &TraceOptions::default()).unwrap();
    let mut expected = serde_json::to_value(replay(scenario.clone(), trace, false).summary()).unwrap();
    let mut exact = Vec::new();
    bare(&mut expected, &mut exact);
    for &rows in rows {
        let done = streamed::run(
            scenario,
            &input,
            &TraceOptions::default(),
            &RunInfo::default(),
            rows,
            &mut (),
            &|| false,
        )
        .unwrap();
        assert_eq!(done.trace.jobs.len(), 0);
        let mut found = serde_json::to_value(done.summary).unwrap();
        assert_eq!(found["quantiles"], "sketch, off by at most 0.4 %");
        let mut said = found["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
        assert!(said.next_back().unwrap().contains("fairness, and the responses"), "{}", found["warnings"]);
        let mut sketched = Vec::new();
        bare(&mut found, &mut sketched);
        assert_eq!(found, expected, "parts of {rows}");
        assert_eq!(sketched.len(), exact.len());
        for (sketched, exact) in sketched.iter().zip(&exact) {
            // A thousandth is the unit of slowdowns.
            assert!((sketched - exact).abs() <= exact * 0.004 + 0.0011, "{sketched} for {exact}");
        }
    }
}

#[test]
fn parts_of_any_size_give_the_same_run() {
    let trace = bundled("demo/trace.csv.gz");
    // Half of the pools: many jobs wait across parts.
    let few = ["pool.north-h200.nodes=8", "pool.south-l4.nodes=20"];
    for settings in [&few[..], &[few[0], few[1], "policy.order=\"fifo\"", "policy.backfill=\"none\""]] {
        same_in_parts(&scenario(settings), &trace, &[1, 97, 1000, 1 << 16]);
    }
}

#[test]
fn rejected_jobs_names_as_text_and_shuffled_instants() {
    let folder = folder();
    let path = folder.path().join("jobs.csv");
    let mut text = "job_id,submit_s,run_s,team,gpu,priority,status\n".to_owned();
    for job in 0..600_u32 {
        // Six jobs an instant, in no order of their names; some ask for too much, some run for no time.
        let (name, team) = (job * 7 % 600, ["search", "ads", "new"][job as usize % 3]);
        let gpu = if job % 50 == 49 { 9 } else { 1 + job % 4 };
        let status = ["completed", "failed", "cancelled", ""][job as usize % 4];
        writeln!(text, "job-{name},{},{},{team},{gpu},,{status}", job / 6 * 3, job % 40).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let pools = "[[pool]]\nname = \"l4\"\nnodes = 3\nnode = { gpu = 4 }\nprice = { gpu_hour = 0.7 }\n";
    let scenario = Scenario::parse("scenario.toml", pools, &[]).unwrap();
    same_in_parts(&scenario, &path, &[1, 10, 100]);
}

/// Evictions span parts: an attempt is lost in one, and what it saved is used in another.
#[test]
fn evicted_jobs_keep_what_they_saved() {
    let folder = folder();
    let path = folder.path().join("jobs.csv");
    let mut text = "job_id,submit_s,run_s,team,gpu,priority,checkpoint_s,time_limit_s\n".to_owned();
    for job in 0..400_u32 {
        let (team, priority) =
            (["search", "ads"][job as usize % 2], if job % 7 == 0 { "high" } else { "low" });
        let checkpoint = if job % 3 == 0 { "" } else { "20" };
        writeln!(
            text,
            "{job},{},{},{team},{},{priority},{checkpoint},900",
            job * 9,
            30 + job % 90,
            1 + job % 4
        )
        .unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let text = "[[pool]]\nname = \"l4\"\nnodes = 2\nnode = { gpu = 4 }\nprice = { gpu_hour = 0.7 }\n\
                [[priority]]\nname = \"high\"\nvalue = 10\n[[priority]]\nname = \"low\"\nvalue = 1\n\
                [policy]\npreemption = \"priority\"\nbackfill = \"best-effort\"\n";
    let scenario = Scenario::parse("scenario.toml", text, &[]).unwrap();
    let input = [Input::parse(path.to_str().unwrap())];
    let trace = Trace::load(&input, &TraceOptions::default()).unwrap();
    let record = replay(scenario.clone(), trace, false).record;
    assert!(record.lost.iter().any(|lost| lost.kept_ms > 0), "the case is to have evictions");
    same_in_parts(&scenario, &path, &[1, 10, 100]);
}

/// The reaper stops jobs of one part while others come in the next; attempts move data, evicted ones too; jobs restart, and
/// rules send them.
#[test]
fn what_is_reclaimed_moved_restarted_and_sent_is_the_same_in_parts() {
    let folder = folder();
    let path = folder.path().join("jobs.csv");
    let header = "job_id,submit_s,run_s,team,user,gpu,priority,checkpoint_s,restart_s,gpu_utilization,status,datasets,\
                  accelerators,cost_owner\n";
    let mut text = header.to_owned();
    for job in 0..500_u32 {
        let at = |list: &[&'static str], step: u32| list[(job / step) as usize % list.len()];
        let fields = [
            job.to_string(),
            (job * 11).to_string(),
            (20 + job * 37 % 140).to_string(),
            at(&["search", "ads", "new"], 1).to_owned(),
            at(&["u", "v", ""], 2).to_owned(),
            (1 + job % 3).to_string(),
            at(&["low", "low", "low", "high"], 1).to_owned(),
            at(&["", "20"], 3).to_owned(),
            at(&["", "7", "30"], 1).to_owned(),
            at(&["", "0.05", "0.5", "0.19"], 1).to_owned(),
            at(&["completed", "failed", ""], 5).to_owned(),
            at(&["", "web", "books|web", "unknown"], 1).to_owned(),
            at(&["", "L4"], 4).to_owned(),
            at(&["", "a", "b"], 7).to_owned(),
        ];
        let _ = writeln!(text, "{}", fields.join(","));
    }
    std::fs::write(&path, text).unwrap();
    let text = "[[dataset]]\nname = 'web'\nsize = '3GB'\n[[dataset]]\nname = 'books'\nsize = '1.5GB'\n\
                [[pool]]\nname = 'near'\ncloud = 'a'\naccelerator = 'L4'\nnodes = 2\nnode = { gpu = 4 }\ndatasets = ['web']\n\
                price = { gpu_hour = 0.7, egress_gb = 0.12 }\n\
                [[pool]]\nname = 'far'\ncloud = 'b'\nnodes = 1\nnode = { gpu = 4 }\ndatasets = ['books']\n\
                price = { spot_gpu_hour = 0.3, bought = 'spot', egress_gb = 0.02, changes = [{ from = 2000, spot_gpu_hour = 0.9 }] }\n\
                [[priority]]\nname = 'high'\nvalue = 10\n[[priority]]\nname = 'low'\nvalue = 1\n\
                [[route]]\naccelerator = 'L4'\npools = ['near']\n\
                [reaper]\ngpu_utilization_below = 0.2\nwindow = '1m'\n\
                [policy]\npreemption = 'priority'\nbackfill = 'best-effort'\ndatasets = 'preferred'\n";
    let scenario = Scenario::parse("scenario.toml", text, &[]).unwrap();
    let input = [Input::parse(path.to_str().unwrap())];
    let trace = Trace::load(&input, &TraceOptions::default()).unwrap();
    let run = replay(scenario.clone(), trace, false);
    let summary = run.summary();
    let (reaper, egress) = (summary.reaper.unwrap(), summary.egress.as_ref().unwrap());
    assert!(reaper.jobs > 20 && reaper.false_kills.unwrap() > 5, "{reaper:?}");
    assert!(egress.moves > 50 && egress.unknown > 50 && egress.usd.unwrap() > 0.0, "{egress:?}");
    assert!(run.record.lost.len() > 20 && run.record.restarts.len() > 5, "the case is to have evictions");
    assert!(summary.routing.as_ref().unwrap().len() == 2 && summary.evictions.is_some());
    same_in_parts(&scenario, &path, &[1, 10, 100]);
}

/// Waits that last no time are none: three jobs run for no time, one after the other in one instant. While 4 runs, 5 and 6
/// wait; and where 5 may ask for less, nobody knows while it waits how much it asks.
#[test]
fn the_depth_of_the_queue_is_measured_while_jobs_are_forgotten() {
    let folder = folder();
    let path = folder.path().join("jobs.csv");
    let pool = "[[pool]]\nname = 'l4'\naccelerator = 'L4'\nnodes = 1\nnode = { gpu = 4 }\n";
    let scenario = Scenario::parse("scenario.toml", pool, &[]).unwrap();
    let input = [Input::parse(path.to_str().unwrap())];
    let of_both = |ways: &str| {
        let rows = format!(
            "job_id,submit_s,run_s,team,accelerators\n1,0,0,a,L4*1x4\n2,0,0,a,L4*1x4\n3,0,0,a,L4*1x4\n\
             4,5,10,a,L4*1x4\n5,6,10,a,{ways}\n6,7,1,a,L4*1x1\n"
        );
        std::fs::write(&path, rows).unwrap();
        let (options, info) = (TraceOptions::default(), RunInfo::default());
        let trace = Trace::load(&input, &options).unwrap();
        let whole = replay(scenario.clone(), trace, false).summary().queue.unwrap();
        let parts = streamed::run(&scenario, &input, &options, &info, 2, &mut (), &|| false).unwrap();
        (whole, parts.summary.queue.unwrap())
    };
    let (whole, parts) = of_both("L4*1x3");
    // 5 waits from 6 to 15 and 6 from 7 on, of 25 s.
    assert_eq!((whole.jobs_mean, whole.gpus_mean), (Some(17.0 / 25.0), Some(35.0 / 25.0)));
    assert_eq!((whole.jobs_max, whole.gpus_max), (2, Some(4.0)));
    assert_eq!(parts, Queue { jobs_over_time: Vec::new(), ..whole });
    let (whole, parts) = of_both("L4*1x3|L4*1x2");
    // It starts in its second way in the end.
    assert_eq!((whole.jobs_max, whole.gpus_max), (2, Some(3.0)));
    assert_eq!(parts, Queue { jobs_over_time: Vec::new(), gpus_max: None, ..whole });
}

/// Runs with what `text` holds at standard input.
fn piped(folder: &Path, arguments: &[&str], text: &str) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["run", "scenario.toml", "--quantiles", "sketch", "--trace"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses does not read on.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn what_cannot_be_streamed_is_said() {
    let folder = folder();
    let pools = "[[pool]]\nname = \"l4\"\nnodes = 3\nnode = { gpu = 4 }\n";
    std::fs::write(folder.path().join("scenario.toml"), pools).unwrap();
    let header = "job_id,submit_s,run_s,team,gpu,time_limit_s\n";
    let rows = (0..70_000).fold(header.to_owned(), |mut text, job| {
        let _ = writeln!(text, "{job},{job},1,search,1,60");
        text
    });
    let team = format!("{rows}70000,70000,1,ads,1,60\n");
    let (code, _, stderr) = piped(folder.path(), &["-"], &team);
    let message = "error: team `ads` comes after the run has begun\n\
                   hint: name it in a `[[team]]` of the scenario: a pipe cannot be read twice\n";
    assert_eq!((code, stderr.as_str()), (Some(2), message));
    // A file is read for its teams first, and a scenario may name them.
    std::fs::write(folder.path().join("jobs.csv"), &team).unwrap();
    let (code, stdout, _) = piped(folder.path(), &["jobs.csv"], "");
    assert_eq!(code, Some(0));
    assert!(stdout.contains("\njobs      70,001 submitted, 70,001 completed\n"), "{stdout}");
    assert!(stdout.contains("\nquantiles: sketch, off by at most 0.4 %\n"), "{stdout}");
    let (code, again, _) = piped(folder.path(), &["-", "--set", "team.ads.weight=1"], &team);
    assert_eq!(code, Some(2), "{again}");
    std::fs::write(folder.path().join("scenario.toml"), format!("{pools}[[team]]\nname = \"ads\"\n"))
        .unwrap();
    assert_eq!(piped(folder.path(), &["-"], &team).0, Some(0));

    let late = format!("{rows}70000,5,1,search,1,60\n");
    let (code, _, stderr) = piped(folder.path(), &["-"], &late);
    let message = "error: failed to read trace `-`\nline 70002: submitted before rows that are over already\n\
                   hint: sort the file by time, or leave out `--quantiles sketch`: it is then sorted in memory\n";
    assert_eq!((code, stderr.as_str()), (Some(2), message));

    let unlimited = format!("{rows}70000,70000,1,search,1,\n");
    let (code, _, stderr) = piped(folder.path(), &["-"], &unlimited);
    let message = "error: backfill `easy` needs to know how long jobs may run, and some jobs of the pipe do not say\n\
                   hint: set `default_time_limit` in `[policy]`, or `backfill = \"best-effort\"`\n";
    assert_eq!((code, stderr.as_str()), (Some(2), message));

    for option in [&["--out", "results"][..], &["--trim", "1%"], &["--check"]] {
        let (code, _, stderr) = piped(folder.path(), &[&["jobs.csv"], option].concat(), "");
        let message = format!(
            "error: `{}` needs every job, and `--quantiles sketch` keeps none\nhint: leave one of the two out\n",
            option[0]
        );
        assert_eq!((code, stderr), (Some(2), message));
    }
    let part = ["--set", "trace.teams=[\"search\"]"];
    let (code, _, stderr) = piped(folder.path(), &[&["jobs.csv"][..], &part].concat(), "");
    let message = "error: `--quantiles sketch` replays whole traces, and `[trace]` asks for a part of one\n\
                   hint: write the part to a file of its own with `sim trace shape`\n";
    assert_eq!((code, stderr.as_str()), (Some(2), message));
}

#[test]
fn gates_hold_for_sketches_too() {
    let folder = folder();
    let demo = bundled("demo/scenario.toml");
    let trace = bundled("sample/jobs.csv");
    let arguments =
        ["run", demo.to_str().unwrap(), "--trace", trace.to_str().unwrap(), "--quantiles", "sketch", "-q"];
    let gate =
        |condition: &str| sim(folder.path(), &[&arguments[..], &["--fail-if", condition]].concat()).code;
    assert_eq!((gate("jobs.submitted >= 200"), gate("jobs.submitted > 200")), (1, 0));
    // What is not measured has no value, rather than zero.
    assert_eq!(gate("fairness.jain > 0"), 2);
}
