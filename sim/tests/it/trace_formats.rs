//! Every format's traps, one row each, and the real files where they are at hand.

use std::path::PathBuf;

use fairshare_sim::trace::{CPU, GPU, Input, MEMORY, Status, Trace, TraceError, TraceOptions};

use crate::trace::{folder, load, message, write};
use crate::traces_dir;

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn load_all(paths: &[PathBuf], options: &TraceOptions) -> Result<Trace, TraceError> {
    let inputs: Vec<Input> = paths.iter().map(|path| Input::parse(path.to_str().unwrap())).collect();
    Trace::load(&inputs, options)
}

pub(crate) fn names(trace: &Trace) -> Vec<String> {
    (0..trace.jobs.len()).map(|index| trace.names.get(index).to_string()).collect()
}

/// Key, count and first lines of every repair of a source.
pub(crate) fn repairs(trace: &Trace, source: usize) -> Vec<(&'static str, u64, Vec<u64>)> {
    let repairs = trace.sources[source].repairs.iter();
    repairs.map(|(key, repair)| (*key, repair.count, repair.first_lines.clone())).collect()
}

/// Workers and (GPU, CPU, memory) per worker of a job's first alternative.
pub(crate) fn request(trace: &Trace, job: usize) -> (u32, u64, u64, u64) {
    let first = &trace.shapes[trace.jobs[job].shape as usize].alternatives[0];
    (first.workers, first.amount(GPU), first.amount(CPU), first.amount(MEMORY))
}

/// Recorded (start, end) in seconds.
pub(crate) fn recorded(trace: &Trace, job: usize) -> (Option<i64>, Option<i64>) {
    let recorded = trace.recorded.as_ref().unwrap()[job];
    (recorded.start_ms().map(|ms| ms / 1000), recorded.end_ms().map(|ms| ms / 1000))
}

#[test]
fn helios_traps() {
    let trace = load(&fixture("helios.csv")).unwrap();
    assert_eq!(trace.sources[0].format.name(), "helios");
    assert_eq!(names(&trace), ["1", "2", "3", "5", "9"]);
    assert_eq!(
        repairs(&trace, 0),
        [
            ("before_start", 1, vec![7]),
            ("one_gpu_workers", 1, vec![6]),
            ("still_running", 2, vec![5, 8]),
            ("unknown_state", 1, vec![9]),
        ]
    );
    // A CPU job on two nodes, a job above eight GPUs, one that eight does not divide.
    assert_eq!(request(&trace, 0), (2, 0, 8000, 0));
    assert_eq!(request(&trace, 2), (2, 8000, 48_000, 0));
    assert_eq!(request(&trace, 3), (12, 1000, 3000, 0));
    // The source's cut at fourteen days is not applied.
    assert_eq!(trace.jobs[2].run_ms, 1_296_000_000);
    let statuses: Vec<Status> = trace.jobs.iter().map(|job| job.status).collect();
    assert_eq!(
        statuses,
        [Status::Completed, Status::Cancelled, Status::Failed, Status::Failed, Status::Failed]
    );
    assert_eq!(recorded(&trace, 1), (Some(1_585_699_212), Some(1_585_699_242)));
}

#[test]
fn acme_traps() {
    let trace = load(&fixture("acme-seren.csv")).unwrap();
    assert_eq!(trace.sources[0].format.name(), "acme");
    assert_eq!(names(&trace), ["dlc1", "dlc2"]);
    assert_eq!(repairs(&trace, 0), [("still_running", 1, vec![4])]);
    // 08:00 at +08:00 is midnight.
    assert_eq!(trace.jobs[0].submit_ms, 1_677_628_800_000);
    assert_eq!(request(&trace, 0), (1, 8000, 96_000, 0));
    assert_eq!(trace.extras.get(0).unwrap().title, "Pretrain");

    let trace = load(&fixture("acme-kalos.csv")).unwrap();
    // The column says 18 s, which is end - submit; it ran for 8.
    assert_eq!(trace.jobs[0].run_ms, 8000);
    assert_eq!(request(&trace, 0), (2, 8000, 120_000, 1_000_000_000_000));
}

#[test]
fn pai_tables_belong_together() {
    let paths = ["pai_job_table.csv", "pai_task_table.csv", "pai_machine_spec.csv"].map(fixture);
    let trace = load_all(&paths, &TraceOptions::default()).unwrap();
    let formats: Vec<&str> = trace.sources.iter().map(|source| source.format.name()).collect();
    assert_eq!(formats, ["pai", "pai-tasks", "pai-machines"]);
    assert_eq!(names(&trace), ["job1", "job3", "job6"]);
    assert_eq!(
        repairs(&trace, 0),
        [("still_running", 2, vec![2, 5]), ("unlike_tasks", 1, vec![1]), ("unmatched", 1, vec![4])]
    );
    // Four workers of half a GPU share the CPUs of two parameter servers: (2 x 6 + 4 x 12) / 4.
    assert_eq!(request(&trace, 0), (4, 500, 15_000, 34_500_000_000));
    assert_eq!((trace.jobs[0].submit_ms, trace.jobs[0].run_ms), (100_000, 95_000));
    assert_eq!(recorded(&trace, 0), (Some(105), Some(200)));
    let shape = &trace.shapes[trace.jobs[0].shape as usize];
    assert_eq!(shape.alternatives[0].accelerator.as_deref(), Some("V100"));
    assert_eq!(request(&trace, 2), (1, 0, 6000, 30_000_000_000));
    assert_eq!((trace.cluster.node_count(), trace.cluster.gpus_by_type()["V100"]), (4, 16_000));
}

#[test]
fn pai_tables_alone_can_only_be_inspected() {
    assert_eq!(
        message(load(&fixture("pai_job_table.csv"))),
        "failed to read trace `pai_job_table.csv`\nthis file alone has no requests\n\
         hint: name the job table and the task table together"
    );
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    let jobs = load_all(&[fixture("pai_job_table.csv")], &options).unwrap();
    assert_eq!((jobs.sources[0].rows, jobs.jobs.len()), (6, 4));
    let tasks = load_all(&[fixture("pai_task_table.csv")], &options).unwrap();
    assert_eq!(names(&tasks)[..2], ["job1/ps", "job1/worker"]);
    assert_eq!(request(&tasks, 1), (4, 500, 12_000, 29_500_000_000));
}

#[test]
fn pai_machines_real() {
    let Some(traces) = traces_dir() else { return };
    let folder = tempfile::tempdir().unwrap();
    let packed = std::fs::read(traces.join("pai-2020/pai_machine_spec.tar.gz")).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain).unwrap();
    // A tar header is 512 bytes; the size of the one file stands in octal at 124.
    let size = std::str::from_utf8(&plain[124..135]).unwrap();
    let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap();
    let path = folder.path().join("pai_machine_spec.csv");
    std::fs::write(&path, &plain[512..512 + size]).unwrap();
    let trace = load(&path).unwrap();
    assert_eq!(trace.cluster.node_count(), 1897);
    let types = trace.cluster.gpus_by_type();
    assert_eq!(types.values().sum::<u64>(), 6_742_000);
    assert_eq!((types["MISC"], types["P100"], types["V100M32"]), (2_240_000, 1_596_000, 1_080_000));
}

#[test]
fn openb_real() {
    let Some(traces) = traces_dir() else { return };
    let folder = traces.join("openb-2023");
    let nodes = folder.join("openb_node_list_all_node.csv.gz");
    let pods = folder.join("openb_pod_list_gpuspec33.csv.gz");
    // The pods first: the order on the command line does not matter.
    let trace = load_all(&[pods, nodes], &TraceOptions::default()).unwrap();
    assert_eq!(trace.cluster.node_count(), 1523);
    let types = trace.cluster.gpus_by_type();
    assert_eq!((types.len(), types.values().sum::<u64>()), (7, 6_212_000));
    assert_eq!(trace.jobs.len(), 8152);
    let shape = |job: &fairshare_sim::trace::TraceJob| &trace.shapes[job.shape as usize].alternatives;
    let gpu = trace.jobs.iter().filter(|job| shape(job)[0].amount(GPU) > 0).count();
    let constrained = trace.jobs.iter().filter(|job| shape(job)[0].accelerator.is_some()).count();
    assert_eq!((gpu, constrained), (7064, 2388));
    assert_eq!(trace.sources[0].repairs["never_started"].count, 897);
    let scenario = trace.cluster.scenario();
    assert!(scenario.starts_with("[[pool]]\nname = \"cpu\"\nnodes = "), "{scenario}");
    assert!(scenario.contains("accelerator = \"V100M16\""), "{scenario}");
    assert!(toml::from_str::<toml::Table>(&scenario).is_ok());
}

#[test]
fn openb_list_without_times_can_only_be_inspected() {
    let Some(traces) = traces_dir() else { return };
    let path = traces.join("openb-2023/openb_pod_list_multigpu50.csv.gz");
    assert_eq!(
        message(load(&path)),
        "failed to read trace `openb_pod_list_multigpu50.csv.gz`\n\
         this file alone has no submit times and run times\nhint: it can be inspected, not run"
    );
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    assert_eq!(load_all(&[path], &options).unwrap().jobs.len(), 9061);
}

#[test]
fn helios_quotas_real() {
    let Some(traces) = traces_dir() else { return };
    let trace = load(&traces.join("helios-2020/Earth_gpu_number.csv")).unwrap();
    let quotas = trace.cluster.quotas.as_ref().unwrap();
    assert_eq!((quotas.teams.len(), quotas.teams[0].as_str()), (25, "vchbv"));
    assert_eq!((quotas.days[0].0, quotas.days[0].1[0]), (1_585_699_200_000, 112));
    let scenario = trace.cluster.scenario();
    assert!(scenario.contains("name = \"vchbv\"\nweight = "), "{scenario}");
    assert!(toml::from_str::<toml::Table>(&scenario).is_ok());
}

#[test]
fn sacct_traps() {
    let trace = load(&fixture("sacct.txt")).unwrap();
    assert_eq!(trace.sources[0].format.name(), "sacct");
    assert_eq!(names(&trace), ["1853", "1854", "1855", "1856_0"]);
    assert_eq!(
        repairs(&trace, 0),
        [
            ("duplicate_id", 1, vec![8]),
            ("job_step", 1, vec![3]),
            ("still_running", 1, vec![7]),
            ("unknown_state", 1, vec![9]),
        ]
    );
    assert_eq!(request(&trace, 0), (1, 8000, 8000, 100 << 30));
    assert_eq!(request(&trace, 1), (2, 8000, 32_000, 4000 << 20));
    // Cancelled while it waited: it ran for no time.
    assert_eq!((trace.jobs[2].run_ms, recorded(&trace, 2).0), (0, None));
    assert_eq!(request(&trace, 3), (1, 0, 4000, 3 << 29));
    let first = &trace.shapes[trace.jobs[0].shape as usize];
    assert_eq!(first.alternatives[0].accelerator.as_deref(), Some("h200"));
    assert_eq!(trace.priorities.text(first.priority), "normal");
    let limits: Vec<Option<u64>> = trace.jobs.iter().map(|job| trace.lengths(job).limit_ms()).collect();
    assert_eq!(limits, [Some(7_200_000), None, None, Some(60_000)]);
    assert_eq!(trace.jobs[1].status, Status::Cancelled);
    assert_eq!(trace.teams.text(trace.jobs[3].team), "bio");
}

/// A job that was cancelled while it waited ran for no time, whatever the format.
#[test]
fn cancelled_while_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let helios = "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n\
                  a,u,v,1,1,1,CANCELLED,2020-05-01 00:00:00,None,2020-05-01 00:01:00,0,60\n";
    let acme = "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time\n\
                a,u,1,1,1,Other,CANCELLED,2023-03-01 08:00:00+08:00,,2023-03-01 08:01:00+08:00,0,60,0\n\
                b,u,1,1,1,Other,CANCELLED,2023-03-01 08:00:00+08:00,,2023-03-01 08:01:00+08:00,60,0,0\n";
    let sacct = "JobID|State|Account|Submit|Start|End|ElapsedRaw|AllocCPUS\n\
                 a|CANCELLED by 1|x|2026-01-01T00:00:00|None|2026-01-01T00:01:00|0|4\n\
                 b|CANCELLED by 1|x|2026-01-01T00:00:00|None|2026-01-01T00:01:00||4\n";
    let skypilot = "[{\"job_id\": 1, \"status\": \"CANCELLED\", \"submitted_at\": 5, \"start_at\": null, \"end_at\": 65, \
                    \"job_duration\": 0, \"resources\": \"1x[H200:8]\"}, {\"job_id\": 2, \"status\": \"CANCELLED\", \
                    \"submitted_at\": 5, \"end_at\": 65, \"resources\": \"1x[H200:8]\"}]";
    for (name, text, missing) in
        [("helios", helios, 0), ("acme", acme, 1), ("sacct", sacct, 1), ("skypilot", skypilot, 1)]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let trace = load(&path).unwrap();
        let job = &trace.jobs[0];
        assert_eq!((trace.jobs.len(), job.run_ms, job.status), (1, 0, Status::Cancelled), "{name}");
        assert_eq!(recorded(&trace, 0).0, None, "{name}");
        // Nobody says how long the others ran.
        let left_out =
            repairs(&trace, 0).iter().map(|(reason, count, _)| (*reason, *count)).collect::<Vec<_>>();
        assert_eq!(left_out, [("missing_run", 1)][..missing], "{name}");
    }
}

#[test]
fn sacct_with_trailing_bar_and_written_times() {
    let trace = load(&fixture("sacct-p.txt")).unwrap();
    let job = trace.jobs[0];
    assert_eq!((job.submit_ms, job.run_ms), (1_767_225_600_000, 86_400_000));
    assert_eq!((trace.lengths(&job).limit_ms(), request(&trace, 0)), (Some(172_800_000), (1, 0, 4000, 0)));
}

/// A job that was suspended for a minute ran for less than its end minus its start.
#[test]
fn sacct_elapsed_leaves_out_suspended_time() {
    let text = "JobID|Account|State|Submit|Start|End|Elapsed|AllocTRES\n\
                7_[1-3]|ml|COMPLETED|100|100|400|00:04:00|cpu=2\n\
                7+0|ml|OUT_OF_MEMORY|101|101|161|00:01:00|cpu=2\n\
                7+0.extern||COMPLETED|101|101|161|00:01:00|\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sacct.txt");
    std::fs::write(&path, text).unwrap();
    let trace = load(&path).unwrap();
    assert_eq!((names(&trace), trace.jobs[0].run_ms), (vec!["7_[1-3]".into(), "7+0".into()], 240_000));
    assert_eq!(recorded(&trace, 0), (Some(100), Some(400)));
    assert_eq!(trace.jobs[1].status, Status::Failed);
    assert_eq!(repairs(&trace, 0), [("job_step", 1, vec![4])]);
}

/// The published tables have no header; whoever adds the one that is published beside them reads the same.
#[test]
fn pai_tables_may_have_headers() {
    let folder = tempfile::tempdir().unwrap();
    let headers = [
        ("pai_job_table.csv", "job_name,inst_id,user,status,start_time,end_time\n"),
        (
            "pai_task_table.csv",
            "job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type\n",
        ),
        ("pai_machine_spec.csv", "machine,gpu_type,cap_cpu,cap_mem,cap_gpu\n"),
    ];
    let paths = headers.map(|(name, header)| {
        let path = folder.path().join(name);
        std::fs::write(&path, header.to_owned() + &std::fs::read_to_string(fixture(name)).unwrap()).unwrap();
        path
    });
    let with = load_all(&paths, &TraceOptions::default()).unwrap();
    let without = load_all(&headers.map(|(name, _)| fixture(name)), &TraceOptions::default()).unwrap();
    assert_eq!((with.jobs.len(), &with.jobs), (3, &without.jobs));
    assert_eq!(with.cluster, without.cluster);
}

#[test]
fn gavel_steps_become_speeds() {
    let options = TraceOptions {
        gavel_throughputs: Some(fixture("gavel-throughputs.json")),
        ..TraceOptions::default()
    };
    let trace = load_all(&[fixture("gavel.tsv")], &options).unwrap();
    assert_eq!(
        (names(&trace), repairs(&trace, 0)),
        (vec!["1".to_owned(), "3".to_owned()], vec![("unknown_throughput", 1, vec![2])])
    );
    assert_eq!(trace.jobs[0].run_ms, 3_250_000);
    let speeds = |job: usize| -> Vec<(String, u32)> {
        let alternatives = &trace.shapes[trace.jobs[job].shape as usize].alternatives;
        alternatives.iter().map(|one| (one.accelerator.clone().unwrap(), one.speed_milli)).collect()
    };
    assert_eq!(speeds(0), [("V100".to_owned(), 1000), ("K80".to_owned(), 250)]);
    // A throughput of zero means that the type cannot run it.
    assert_eq!(speeds(1), [("V100".to_owned(), 1000)]);
    assert_eq!(trace.extras.get(0).unwrap().deadline_ms, Some(18_000 + 6_500_000));
}

#[test]
fn gavel_without_throughputs_can_only_be_inspected() {
    assert_eq!(
        message(load(&fixture("gavel.tsv"))),
        "failed to read trace `gavel.tsv`\nthis file alone has no run times\n\
         hint: name the throughput table together with the job list"
    );
}

#[test]
fn gavel_real() {
    let Some(traces) = traces_dir() else { return };
    let folder = traces.join("gavel-2020");
    let table = folder.join("simulation_throughputs.json.gz");
    let options = TraceOptions { gavel_throughputs: Some(table.clone()), ..TraceOptions::default() };
    let trace = load_all(&[folder.join("generated-1000-jobs.trace.gz")], &options).unwrap();
    assert_eq!((trace.jobs.len(), trace.sources[0].repairs.len()), (1000, 0));
    let types = |index: usize| trace.shapes[trace.jobs[index].shape as usize].alternatives.len();
    // The one kind of job that the table cannot run on a K80 in a gang.
    for index in 0..1000 {
        let title = &trace.extras.get(index).unwrap().title;
        assert!((2..=3).contains(&types(index)), "{title}");
        assert!(types(index) == 3 || title == "ResNet-50 (batch size 128)", "{title}");
    }
    // The older lists of seven fields, and the throughput table as a file of the set.
    let old = folder.join("traces/msr/seed=0/23dbec.trace");
    let trace = load_all(&[old, table], &TraceOptions::default()).unwrap();
    assert!(!trace.jobs.is_empty());
}

#[test]
fn philly_log_traps() {
    let trace = load_all(&["philly-log.json", "philly-machines.csv"].map(fixture), &TraceOptions::default());
    let trace = trace.unwrap();
    assert_eq!(trace.sources[0].format.name(), "philly-log");
    assert_eq!(names(&trace), ["application_1", "application_6"]);
    assert_eq!(
        repairs(&trace, 0),
        [("no_attempt", 1, vec![6]), ("no_request", 1, vec![13]), ("still_running", 2, vec![7, 10]),]
    );
    // The last attempt's GPUs; from the first start to the last end, the gap included.
    assert_eq!(request(&trace, 0), (1, 4000, 0, 0));
    assert_eq!(trace.jobs[0].run_ms, 600_000);
    assert_eq!(recorded(&trace, 0).0.unwrap() * 1000 - trace.jobs[0].submit_ms, 5000);
    assert_eq!(trace.jobs[1].status, Status::Cancelled);
    assert_eq!((trace.cluster.node_count(), trace.cluster.gpus_by_type()[""]), (3, 18_000));
}

#[test]
fn swf_traps() {
    let trace = load(&fixture("small.swf")).unwrap();
    assert_eq!(names(&trace), ["1", "5", "2"]);
    assert_eq!(
        repairs(&trace, 0),
        [("missing_run", 1, vec![8]), ("no_request", 1, vec![9]), ("unsorted", 1, vec![10])]
    );
    // Requested processors where the allocated ones are unknown; a wait of -1 is no record.
    assert_eq!((request(&trace, 2), recorded(&trace, 2)), ((1, 0, 16_000, 0), (None, None)));
    assert_eq!((trace.jobs[2].run_ms, trace.jobs[2].status), (100_000, Status::Cancelled));
    let warnings: Vec<&str> =
        trace.warnings.iter().map(|text| text.split("swf`: ").nth(1).unwrap()).collect();
    assert_eq!(
        warnings,
        [
            "fields after the 18th are ignored",
            "submit times look like Unix times although the header does not say when time starts",
            "1 job ran longer than the time limit"
        ]
    );
}

/// -1 is unknown in the fields of the number and of the submission too: such jobs are left out and counted, each for itself.
#[test]
fn a_job_of_unknown_number_or_time_is_counted() {
    let folder = folder();
    let rest = "5 10 4 -1 -1 4 50 -1 1 3 7 -1 2 1 -1 -1";
    let text = format!("-1 0 {rest}\n-1 2 {rest}\n1 -1 {rest}\n2 0 {rest}\n");
    let path = write(&folder, "log.swf", text.as_bytes());
    let trace = load(&path).unwrap();
    assert_eq!(names(&trace), ["2"]);
    assert_eq!(repairs(&trace, 0), [("missing_id", 2, vec![1, 2]), ("missing_submit", 1, vec![3])]);
}

/// A job that never started is told to start at -1 by some records: it has no run time, and not one of 54 years.
#[test]
fn a_skypilot_job_that_never_started_has_no_run_time() {
    let folder = folder();
    let records = |submit: &str, start: &str| {
        format!(
            r#"[{{"job_id":2,"username":"u","submitted_at":{submit},"start_at":{start},"end_at":1700000005.0,
            "resources":"1x[H200:8]","status":"CANCELLED"}}]"#
        )
    };
    let load = |text: String| load(&write(&folder, "jobs.json", text.as_bytes())).unwrap();
    assert_eq!(repairs(&load(records("1700000000.0", "-1")), 0), [("missing_run", 1, vec![1])]);
    assert_eq!(repairs(&load(records("-1", "1700000001")), 0), [("missing_submit", 1, vec![1])]);
}

#[test]
fn openb_traps() {
    let trace =
        load_all(&["openb-pods.csv", "openb-nodes.csv"].map(fixture), &TraceOptions::default()).unwrap();
    assert_eq!(names(&trace), ["p0", "p1"]);
    assert_eq!(repairs(&trace, 0), [("never_started", 1, vec![3]), ("unknown_state", 1, vec![4])]);
    assert_eq!(request(&trace, 0), (1, 460, 12_000, 16_384 << 20));
    assert_eq!(trace.shapes[trace.jobs[0].shape as usize].alternatives.len(), 2);
    assert_eq!((request(&trace, 1).1, trace.jobs[1].run_ms), (8000, 49_000));
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_without_the_feature_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.parquet");
    std::fs::write(&path, b"PAR1....PAR1").unwrap();
    assert_eq!(
        message(load(&path)),
        "failed to read trace `tasks.parquet`\nthis is a Parquet file, which this build does not read\n\
         hint: build with `--features parquet`, or convert it to CSV"
    );
}

/// The documentation says of every format whether it was read from real files or from fixtures alone.
#[test]
fn the_documentation_says_what_each_format_was_checked_against() {
    let path = format!("{}/../docs/trace-formats.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for name in fairshare_sim::trace::Format::names() {
        let quoted = format!("`{name}`");
        let row = rows.iter().find(|row| row[0].split(", ").any(|format| format == quoted));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
        let against = row.last().unwrap();
        let known = ["a real file", "real files", "fixtures", "files made by the tests"];
        assert!(known.iter().any(|words| against.contains(words)), "{name}: {against}");
    }
}
