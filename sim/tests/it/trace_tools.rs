//! What is done with traces: inspected, converted, shaped.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fairshare_sim::rng::Streams;
use fairshare_sim::trace::{
    Capacity, Factor, Input, Inspection, PartStatistics, Trace, TraceOptions, Transform, convert, inspect,
};
use sha2::{Digest as _, Sha256};

use crate::support::sim;
use crate::trace::{folder, load, write};
use crate::traces_dir;

fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    paths.iter().map(|path| Input::parse(path.to_str().unwrap())).collect()
}

fn inspect_files(paths: &[PathBuf]) -> Inspection {
    inspect(&inputs(paths), &TraceOptions::default(), None).unwrap()
}

/// All that a trace says about its jobs, as text.
pub(crate) fn listing(trace: &Trace) -> Vec<String> {
    let line = |index: usize| {
        let job = &trace.jobs[index];
        let shape = &trace.shapes[job.shape as usize];
        let recorded = trace.recorded.as_ref().map(|recorded| recorded[index]);
        format!(
            "{} {} {} {:?} {:?} {} {} {} {:?} {:?} {} {:?} {} {:?} {:?}",
            trace.names.get(index),
            job.submit_ms,
            job.run_ms,
            trace.lengths(job).limit_ms(),
            trace.lengths(job).estimate_ms(),
            trace.teams.text(job.team),
            trace.users.text(job.user),
            trace.owners.text(job.owner),
            job.status,
            shape.alternatives,
            trace.priorities.text(shape.priority),
            shape.preemptible,
            shape.dev,
            recorded.map(|recorded| (recorded.start_ms(), recorded.end_ms())).filter(|r| *r != (None, None)),
            trace.extras.get(index),
        )
    };
    (0..trace.jobs.len()).map(line).collect()
}

/// Converts to native and reads back: the same jobs, and the same bytes whichever way it went.
pub(crate) fn round_trip(paths: &[PathBuf], options: &TraceOptions) -> usize {
    let before = Trace::load(&inputs(paths), options).unwrap();
    let mut streamed = Vec::new();
    let conversion = convert(&inputs(paths), options, &mut streamed).unwrap();
    assert_eq!(conversion.jobs, before.jobs.len() as u64);
    let mut written = Vec::new();
    before.write_native(&mut written).unwrap();
    assert!(streamed == written, "{paths:?}: streaming and memory differ");
    let folder = folder();
    let after = load(&write(&folder, "native.csv", &streamed)).unwrap();
    let (before, after) = (listing(&before), listing(&after));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "{paths:?}");
    }
    assert_eq!(before.len(), after.len());
    before.len()
}

fn close(value: Option<f64>, expected: f64, tolerance: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
}

#[test]
fn inspect_ricc() {
    let Some(traces) = traces_dir() else { return };
    let found = inspect_files(&[traces.join("swf/RICC-2010-2.swf.gz")]);
    assert_eq!((found.rows, found.jobs, found.teams, found.users), (447_794, 447_794, 121, 176));
    let recorded = found.recorded.unwrap();
    close(recorded.utilization, 0.872, 0.0005);
    close(recorded.wait_s.mean.map(|wait| wait / 3600.0), 4.44, 0.005);
    close(recorded.wait_s.p50, 10.0, 0.0);
    assert!(
        found.warnings.iter().any(|warning| warning.ends_with("7092 jobs ran longer than the time limit"))
    );
}

#[test]
fn inspect_kth() {
    let Some(traces) = traces_dir() else { return };
    let found = inspect_files(&[traces.join("swf/KTH-SP2-1996-2.1-cln.swf.gz")]);
    assert_eq!((found.rows, found.jobs), (28_476, 28_475));
    let recorded = found.recorded.unwrap();
    close(recorded.bounded_slowdown.mean, 193.4, 0.05);
    close(recorded.utilization, 0.701, 0.0005);
    close(recorded.wait_s.mean.map(|wait| wait / 3600.0), 4.25, 0.005);
}

/// One row of KTH-SP2 names no processors, neither allocated nor requested: it is a row and no job, unless the import
/// options that backfilling studies use make it one. All tools say the same with the same options.
#[test]
fn a_row_of_kth_is_a_job_under_the_options_of_its_scenario() {
    let Some(traces) = traces_dir() else { return };
    let path = traces.join("swf/KTH-SP2-1996-2.1-cln.swf.gz");
    let found = inspect_files(std::slice::from_ref(&path));
    let [repair] = &found.sources[0].repairs.iter().collect::<Vec<_>>()[..] else { panic!("one repair") };
    assert_eq!((*repair.0, repair.1.count, &repair.1.first_lines[..]), ("no_request", 1, &[27_323][..]));
    let folder = folder();
    let path = path.to_str().unwrap();
    let scenario = format!("{}/../traces/scenarios/kth.toml", env!("CARGO_MANIFEST_DIR"));
    for (options, jobs) in [(&[][..], 28_475), (&["--import", &scenario], 28_476)] {
        let said = format!("{jobs} jobs written\n");
        for command in ["convert", "shape"] {
            let out = folder.path().join("jobs.csv");
            let arguments = [&["trace", command, path, "--out", "jobs.csv"], options].concat();
            let ran = sim(folder.path(), &arguments);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(ran.stderr.ends_with(&said), "{}", ran.stderr);
            assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), jobs + 1);
        }
        let checked = sim(folder.path(), &[&["trace", "check", path], options].concat());
        assert_eq!(checked.code, if options.is_empty() { 2 } else { 0 }, "{}", checked.stderr);
    }
    let inspected = sim(folder.path(), &["trace", "inspect", path, "--scenario", &scenario, "-o", "json"]);
    let inspected: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!((&inspected["rows"], &inspected["jobs"]), (&28_476.into(), &28_476.into()));
}

#[test]
fn inspect_lcg() {
    let Some(traces) = traces_dir() else { return };
    let path = traces.join("swf/LCG-2005-1.swf.gz");
    let found = inspect_files(std::slice::from_ref(&path));
    assert_eq!((found.rows, found.jobs, found.partitions), (188_041, 188_041, Some(170)));
    assert_eq!((found.by_partition.len(), found.queues), (170, None));
    assert_eq!(found.by_partition.iter().map(|part| part.jobs).sum::<u64>(), 188_041);
    close(Some(found.by_partition.iter().map(|part| part.core_hours).sum()), found.core_hours, 0.01);
    let folder = folder();
    let table = sim(folder.path(), &["trace", "inspect", path.to_str().unwrap()]).stdout;
    let line = "\npartitions    170, most jobs: 30,966 in 40, 13,895 in 52 and 168 more\n";
    assert!(table.contains(line), "{table}");
    let json = sim(folder.path(), &["trace", "inspect", path.to_str().unwrap(), "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["partitions"], 170);
    assert_eq!(json["by_partition"].as_array().unwrap().len(), 170);
    assert_eq!(json.get("queues"), None);
}

/// Partitions and queues are counted where the source has them, whatever the pools are bound to.
#[test]
fn partitions_and_queues_of_small_sources() {
    let swf = "1 0 0 3600 2 0 0 2 9 0 1 1 1 1 4 7 -1 -1\n2 5 0 3600 8 0 0 8 9 0 1 1 1 1 5 7 -1 -1\n\
               3 6 0 3600 1 0 0 1 9 0 1 1 1 1 -1 8 -1 -1\n4 7 0 3600 1 0 0 0 9 0 1 1 1 1 5 -1 -1 -1\n";
    let sacct = "JobID|State|Submit|Account|ElapsedRaw|AllocCPUS|Partition\n1|COMPLETED|0|a|3600|4|gpu\n\
                 2|COMPLETED|5|a|3600|1|gpu\n3|COMPLETED|9|a|3600|1|debug,gpu\n";
    let workload = |name: &str, namespace: &str, queue: &str| {
        format!(
            "apiVersion: kueue.x-k8s.io/v1beta1\nkind: Workload\nmetadata: {{ name: {name}, namespace: {namespace}, \
             creationTimestamp: \"2026-01-01T00:00:00Z\" }}\nspec: {{ queueName: {queue}, podSets: [{{ count: 1, \
             template: {{ spec: {{ containers: [{{ resources: {{ requests: {{ cpu: 1 }} }} }}] }} }} }}] }}\nstatus: {{ \
             conditions: [{{ type: Admitted, status: \"True\", lastTransitionTime: \"2026-01-01T00:00:00Z\" }}, \
             {{ type: Finished, status: \"True\", lastTransitionTime: \"2026-01-01T01:00:00Z\" }}] }}\n---\n"
        )
    };
    let kueue =
        [("a", "one", "q"), ("b", "two", "q"), ("c", "two", "q")].map(|(a, b, c)| workload(a, b, c)).concat();
    let folder = folder();
    let parts = |name: &str, text: &str| {
        let found = inspect_files(&[write(&folder, name, text.as_bytes())]);
        let list = |parts: Vec<PartStatistics>| {
            parts.into_iter().map(|part| (part.name, part.jobs)).collect::<Vec<_>>()
        };
        assert_eq!(found.partitions.unwrap_or(0), found.by_partition.len() as u64);
        assert_eq!(found.queues.unwrap_or(0), found.by_queue.len() as u64);
        (list(found.by_partition), list(found.by_queue))
    };
    let named =
        |parts: &[(&str, u64)]| parts.iter().map(|&(name, jobs)| (name.to_owned(), jobs)).collect::<Vec<_>>();
    assert_eq!(parts("old.swf", swf), (named(&[("7", 2), ("8", 1)]), named(&[("5", 2), ("4", 1)])));
    assert_eq!(parts("sacct.txt", sacct), (named(&[("gpu", 2), ("debug,gpu", 1)]), named(&[])));
    assert_eq!(parts("workloads.yaml", &kueue), (named(&[]), named(&[("two/q", 2), ("one/q", 1)])));
    assert_eq!(parts("jobs.csv", "job_id,submit_s,run_s,team\n1,0,1,a\n"), (named(&[]), named(&[])));
}

#[test]
fn inspect_philly() {
    let Some(traces) = traces_dir() else { return };
    let capacity = Some(Capacity { gpu_milli: 480_000, cpu_milli: 0 });
    let paths = inputs(&[traces.join("philly-2017/philly.csv.gz")]);
    let found = inspect(&paths, &TraceOptions::default(), capacity).unwrap();
    assert_eq!((found.rows, found.jobs, found.teams), (82_247, 82_247, 15));
    close(Some(found.gpu_hours), 978_078.0, 0.5);
    assert_eq!(found.gpu_hours_by_type.keys().collect::<Vec<_>>(), ["any"]);
    assert_eq!(found.arrivals_by_hour.iter().sum::<u64>(), 82_247);
    assert!(found.calendar);
    let load = found.offered_load.as_ref().unwrap();
    close(load.gpu, found.gpu_hours * 3600.0 / (480.0 * found.span_s), 1e-9);
    assert_eq!(load.cpu, None);
    // An unsorted source is read again for the times between submissions.
    close(found.interarrival_s.unwrap().mean, found.span_s / 82_246.0, 1e-6);
}

#[test]
fn inspect_openb_set() {
    let Some(traces) = traces_dir() else { return };
    let folder = traces.join("openb-2023");
    let found = inspect_files(&[
        folder.join("openb_node_list_all_node.csv.gz"),
        folder.join("openb_pod_list_gpuspec33.csv.gz"),
    ]);
    assert_eq!((found.format, found.rows, found.nodes), ("openb", 8152, Some(1523)));
    assert_eq!((found.constrained_jobs, found.size.count), (2388, 7064));
    assert_eq!((found.gpus_by_type.len(), found.gpus_by_type["G2"]), (7, 4392.0));
    let [warning] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
    let said = ": 34 pods were running when the record ends, which is taken for the end of their run";
    assert!(warning.ends_with(said), "{warning}");
    let alone = inspect_files(&[folder.join("openb_node_list_all_node.csv.gz")]);
    assert_eq!((alone.format, alone.rows, alone.jobs), ("openb-nodes", 1523, 0));
}

#[test]
fn inspect_is_the_same_bytes_and_schema() {
    let folder = folder();
    let text =
        "job_id,submit_s,run_s,team,user,gpu,start_s,end_s\n1,0,100,a,u,1,10,110\n2,60,200,b,u,2,60,260\n";
    let path = write(&folder, "jobs.csv", text.as_bytes());
    let found = inspect_files(std::slice::from_ref(&path));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["schema"], "sim.inspect/1");
    assert_eq!(json["recorded"]["wait_s"]["mean"], 5.0);
    // (100 + 10) / 100 and 1.
    assert_eq!(json["recorded"]["bounded_slowdown"]["mean"], 1.05);
    assert_eq!(json["gpu_hours"], 500.0 / 3600.0);
    assert_eq!(json["by_team"][0]["name"], "b");
    assert_eq!(json["run_s"]["p50"], 100.0);
    let table = found.table();
    let name = path.display().to_string();
    let expected = include_str!("../fixtures/inspect.txt");
    assert_eq!(table.replace(&name, "jobs.csv"), expected);
}

#[test]
fn convert_comes_back_as_the_same_jobs() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let fixture = |names: &[&str]| names.iter().map(|name| fixtures.join(name)).collect::<Vec<_>>();
    let plain = TraceOptions::default();
    for (names, jobs) in [
        (&["helios.csv"][..], 5),
        (&["acme-kalos.csv"], 1),
        (&["acme-seren.csv"], 2),
        (&["sacct.txt"], 4),
        (&["pai_job_table.csv", "pai_task_table.csv"], 3),
        (&["gavel.tsv", "gavel-throughputs.json"], 2),
        (&["native.csv"], 4),
        (&["philly-log.json"], 2),
        (&["kueue.json"], 2),
        (&["kueue.yaml"], 1),
        (&["skypilot.json"], 3),
        (&["philly-list.csv"], 2),
        (&["openb-pods.csv", "openb-nodes.csv"], 2),
        (&["small.swf"], 3),
        (&["sacct-p.txt"], 1),
    ] {
        assert_eq!(round_trip(&fixture(names), &plain), jobs, "{names:?}");
    }
}

#[test]
fn convert_real_files() {
    let Some(traces) = traces_dir() else { return };
    let mut workers = TraceOptions::default();
    workers.swf.set("processors", "workers").unwrap();
    workers.swf.set("memory", "request").unwrap();
    workers.swf.set("pools", "partition").unwrap();
    let plain = TraceOptions::default();
    for (file, options) in [
        ("swf/KTH-SP2-1996-2.1-cln.swf.gz", &plain),
        ("swf/KTH-SP2-1996-2.1-cln.swf.gz", &workers),
        ("swf/RICC-2010-2.swf.gz", &plain),
        ("swf/LCG-2005-1.swf.gz", &workers),
        ("philly-2017/philly.csv.gz", &plain),
        ("openb-2023/openb_pod_list_gpuspec33.csv.gz", &plain),
    ] {
        round_trip(&[Path::new(&traces).join(file)], options);
    }
}

/// Ten jobs of two teams, a minute apart, the sixth after the second.
fn ten() -> Trace {
    let mut text = "job_id,submit_s,run_s,team,gpu,deadline_s,after,start_s,end_s\n".to_owned();
    for job in 0..10 {
        let after = if job == 5 { "1" } else { "" };
        let team = ["a", "b"][job % 2];
        let submit = 100 + job * 60;
        let end = submit + 40;
        writeln!(text, "{job},{submit},30,{team},1,{},{after},{},{end}", submit + 100, submit + 10).unwrap();
    }
    let folder = folder();
    load(&write(&folder, "ten.csv", text.as_bytes())).unwrap()
}

fn shaped(steps: &[Transform], seed: u64) -> Trace {
    let mut trace = ten();
    trace.shape(steps, &Streams::new(seed));
    assert!(trace.jobs.is_sorted_by_key(|job| job.submit_ms));
    assert_eq!(trace.names.len(), trace.jobs.len());
    trace
}

fn submits(trace: &Trace) -> Vec<i64> {
    trace.jobs.iter().map(|job| job.submit_ms / 1000).collect()
}

fn names(trace: &Trace) -> Vec<String> {
    (0..trace.jobs.len()).map(|index| trace.names.get(index).to_string()).collect()
}

#[test]
fn compress_keeps_the_first_submission_and_deadlines_near() {
    let trace = shaped(&[Transform::Compress(Factor::parse("0.3").unwrap())], 0);
    assert_eq!(submits(&trace)[..3], [100, 118, 136]);
    assert_eq!(trace.extras.get(2).unwrap().deadline_ms, Some(236_000));
    assert!(trace.recorded.is_none());
    // Everything at once: in the order of the names.
    let trace = shaped(&[Transform::Compress(Factor::parse("0").unwrap())], 0);
    assert_eq!((submits(&trace), names(&trace)[9].as_str()), (vec![100; 10], "9"));
}

#[test]
fn window_cuts_and_drops_dependencies_on_what_is_gone() {
    let trace = shaped(&[Transform::Window(220_000, 460_000)], 0);
    assert_eq!(names(&trace), ["2", "3", "4", "5"]);
    assert!(trace.extras.get(3).unwrap().after.is_empty());
    // The record still holds: nothing moved.
    assert_eq!(trace.recorded.as_ref().unwrap()[0].start_ms(), Some(230_000));
    assert_eq!(shaped(&[Transform::Window(0, 460_000)], 0).extras.get(5).unwrap().after, ["1"]);
}

#[test]
fn thinning_and_scaling_count() {
    let half = Factor::parse("0.5").unwrap();
    assert_eq!(shaped(&[Transform::Thin(Factor::parse("0").unwrap())], 0).jobs.len(), 0);
    assert_eq!(shaped(&[Transform::Thin(Factor::parse("1").unwrap())], 0).jobs.len(), 10);
    let kept: usize = (0..400).map(|seed| shaped(&[Transform::Thin(half)], seed).jobs.len()).sum();
    // 4,000 draws of a half: 2,000 and five standard deviations of 31.6.
    assert!((1842..=2158).contains(&kept), "{kept}");
    let trace = shaped(&[Transform::ScaleTeam("b".into(), Factor::parse("2").unwrap())], 3);
    let of = |team: &str| trace.jobs.iter().filter(|job| trace.teams.text(job.team) == team).count();
    assert_eq!((of("a"), of("b")), (5, 10));
    assert!(names(&trace).contains(&"1~1".to_owned()));
    assert_eq!(shaped(&[Transform::ScaleTeam("nobody".into(), half)], 0).jobs.len(), 10);
}

#[test]
fn clones_are_drawn_from_the_trace() {
    let trace = shaped(&[Transform::Clone(3)], 1);
    assert_eq!(trace.jobs.len(), 30);
    let unique: std::collections::BTreeSet<String> = names(&trace).into_iter().collect();
    assert_eq!(unique.len(), 30);
    assert!(submits(&trace).iter().all(|submit| (100..=640).contains(submit)));
    // Copies of copies find names of their own.
    let twice = shaped(&[Transform::Clone(3), Transform::Clone(2)], 1);
    assert_eq!(names(&twice).into_iter().collect::<std::collections::BTreeSet<String>>().len(), 60);
    assert_eq!(shaped(&[Transform::Clone(1)], 1).jobs.len(), 10);
    assert_eq!(shaped(&[Transform::Clone(0)], 1).jobs.len(), 0);
}

/// Shaping is a promise across releases: a changed digest is a changed meaning of a seed.
#[test]
fn shaping_is_stable_across_releases() {
    let steps = [
        Transform::Clone(4),
        Transform::Thin(Factor::parse("0.7").unwrap()),
        Transform::ScaleTeam("a".into(), Factor::parse("1.5").unwrap()),
        Transform::Compress(Factor::parse("0.25").unwrap()),
    ];
    let trace = shaped(&steps, 42);
    let unique: std::collections::BTreeSet<String> = names(&trace).into_iter().collect();
    assert_eq!(unique.len(), trace.jobs.len());
    let mut bytes = Vec::new();
    shaped(&steps, 42).write_native(&mut bytes).unwrap();
    let digest =
        Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(digest, "1e908dbc67133e0f94abdfae18496451d6bb4003942fa330303323857d4f31ea");
    let mut again = Vec::new();
    shaped(&steps, 43).write_native(&mut again).unwrap();
    assert_ne!(bytes, again);
}

#[test]
fn windows_are_read_as_written() {
    assert_eq!(Transform::window(None, Some("-5")), Some(Transform::Window(i64::MIN, -5000)));
    assert_eq!(Transform::window(Some("soon"), None), None);
}
