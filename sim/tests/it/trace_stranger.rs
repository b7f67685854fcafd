//! What a stranger does to traces: files that hold nothing, or too little, or two things; and what is said of it.

use std::path::Path;

use crate::support::{Ran, sim};
use crate::trace::{folder, gzip, load, message, write};
use fairshare_sim::trace::{CPU, GPU, Status, Trace};

const HEADER: &str = "job_id,submit_s,run_s,team,gpu\n";
const POOL: &str = "[[pool]]\nname = \"l4\"\nnodes = 4\nnode = { gpu = 4 }\n";

/// A trace of this text under a name.
fn trace(name: &str, text: &str) -> Trace {
    let folder = folder();
    load(&write(&folder, name, text.as_bytes())).unwrap()
}

/// The refusal of a file of this text under a name.
fn refusal(name: &str, text: &[u8]) -> String {
    let folder = folder();
    message(load(&write(&folder, name, text)))
}

fn counts(trace: &Trace) -> Vec<(&'static str, u64, Vec<u64>)> {
    let repairs = trace.sources[0].repairs.iter();
    repairs.map(|(key, repair)| (*key, repair.count, repair.first_lines.clone())).collect()
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let ran = sim(folder, arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_trace_without_jobs_is_said() {
    let none = trace("jobs.csv", HEADER);
    assert!(none.warnings[0].ends_with("jobs.csv`: the file has no rows"), "{:?}", none.warnings);
    let senseless = trace("jobs.csv", &format!("{HEADER}1,0,-5,t,1\n"));
    let said = "jobs.csv`: no row of the file is a job that can be counted";
    assert!(senseless.warnings[0].ends_with(said), "{:?}", senseless.warnings);
}

#[test]
fn what_holds_no_jobs_is_not_replayed() {
    let folder = folder();
    write(&folder, "pools.toml", POOL.as_bytes());
    write(&folder, "nodes.csv", b"sn,cpu_milli,memory_mib,gpu,model\nn1,96000,786432,8,V100M32\n");
    let expected = Ran {
        code: 2,
        stdout: String::new(),
        stderr: "error: `nodes.csv` holds no jobs (format openb-nodes): there is nothing to replay\n\
                 hint: name the list of jobs that belongs to it; `sim trace convert --scenario` makes pools of it\n"
            .to_owned(),
    };
    assert_eq!(sim(folder.path(), &["run", "pools.toml", "--trace", "nodes.csv"]), expected);
}

/// One row of SWF by its fields one to five, then status, and partition.
fn swf(rows: &[(&str, i32, i32)]) -> String {
    let row = |&(first, status, partition): &(&str, i32, i32)| {
        format!("{first} 0 10 1 1 1 1 10 1 {status} 1 1 1 1 {partition} -1 -1\n")
    };
    "; UnixStartTime: 843476431\n".to_owned() + &rows.iter().map(row).collect::<String>()
}

/// The state of a job has six words and one for unknown.
#[test]
fn an_unknown_state_of_swf_is_counted() {
    let text = swf(&[("1 0", 1, -1), ("2 5", 9, -1), ("3 6", -1, -1), ("4 7", 2, -1), ("5 8", -2, -1)]);
    let trace = trace("jobs.swf", &text);
    assert_eq!(counts(&trace), [("unknown_state", 2, vec![3, 6])]);
    assert_eq!(trace.jobs.len(), 3);
}

#[test]
fn what_native_cannot_say_is_said() {
    let folder = folder();
    write(&folder, "jobs.swf", swf(&[("1 0", 1, 3)]).as_bytes());
    let ran = sim(folder.path(), &["trace", "convert", "jobs.swf", "--out", "jobs.csv"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            0,
            "format: `jobs.swf` reads as swf\n\
             warning: `jobs.swf`: its clock begins at 1996-09-23 11:00:31 (UTC), which the native format does not say; times \
             stay as they are\n\
             warning: `jobs.swf`: partitions and queues are not written, the native format has no columns for them\n\
             1 job written\n"
        )
    );
}

/// A date means what the head of the file says, and nothing where no file says it.
#[test]
fn dates_cut_a_trace_whose_clock_is_known() {
    let folder = folder();
    // 1996-09-23 11:00:31, the day after, and the first of October.
    write(&folder, "jobs.swf", swf(&[("1 0", 1, -1), ("2 86400", 1, -1), ("3 700000", 1, -1)]).as_bytes());
    let shape = |file: &str, from: &str| sim(folder.path(), &["trace", "shape", file, "--from", from, "-q"]);
    let of = |ran: Ran| ran.stdout.lines().skip(1).map(|line| line[..1].to_owned()).collect::<String>();
    assert_eq!(of(shape("jobs.swf", "1996-10-01")), "3");
    assert_eq!(of(shape("jobs.swf", "1996-09-24T11:00:31Z")), "23");
    assert_eq!(of(shape("jobs.swf", "86401")), "3");
    write(&folder, "jobs.csv", format!("{HEADER}1,0,5,t,1\n2,9,5,t,1\n").as_bytes());
    assert_eq!(of(shape("jobs.csv", "9")), "2");
    let refused = |from: &str, said: &str| {
        let expected = Ran { code: 2, stdout: String::new(), stderr: said.to_owned() };
        assert_eq!(shape("jobs.csv", from), expected);
    };
    refused(
        "1996-10-01",
        "error: `--from`: the trace counts time from a zero of its own, and no file says when that is\n\
         hint: give seconds on its clock instead of a date\n",
    );
    refused(
        "noon",
        "error: `--from`: expected seconds or a date like `2026-01-31` or `2026-01-31T12:00:00Z`, found `noon`\n",
    );
    write(&folder, "unix.csv", format!("{HEADER}1,1700000000,5,t,1\n2,1700100000,5,t,1\n").as_bytes());
    assert_eq!(of(shape("unix.csv", "2023-11-15")), "2");
}

/// A date with an offset is one instant, whatever clock the machine has; one without is a time by the machine's clock.
#[test]
fn dates_with_an_offset_are_instants() {
    let folder = folder();
    let shape = |file: &str, ends: &[&str]| {
        let ran = sim(folder.path(), &[&["trace", "shape", file, "-q"], ends].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let ids =
            ran.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().to_owned());
        ids.collect::<Vec<_>>()
    };
    let head = "; UnixStartTime: 1272639895\n; StartTime: Sat May 01 00:04:55 JST 2010\n";
    // Midnight by the clock of the machine, then by UTC; each a second after its neighbour.
    let rows = [("1 86104", 1, -1), ("2 86105", 1, -1), ("3 118504", 1, -1), ("4 118505", 1, -1)];
    write(&folder, "jobs.swf", (head.to_owned() + swf(&rows).split_once('\n').unwrap().1).as_bytes());
    for (from, left) in [
        ("2010-05-02", "234"),
        ("2010-05-02T00:00:00", "234"),
        ("2010-05-02T00:00:00+09:00", "234"),
        ("2010-05-01T15:00:00Z", "234"),
        ("2010-05-02 00:00:00Z", "4"),
        ("2010-05-02T09:00:00+09:00", "4"),
        ("2010-05-01T19:00:00-05:00", "4"),
    ] {
        assert_eq!(shape("jobs.swf", &["--from", from]).concat(), left, "{from}");
    }
    assert_eq!(shape("jobs.swf", &["--until", "2010-05-02T00:00:00Z"]).concat(), "123");
    assert_eq!(shape("jobs.swf", &["--until", "2010-05-02"]).concat(), "1");
    let Some(traces) = crate::traces_dir() else { return };
    for (file, from, first) in [
        ("RICC-2010-2", "2010-06-01", "47699"),
        ("RICC-2010-2", "2010-06-01T00:00:00+09:00", "47699"),
        ("RICC-2010-2", "2010-06-01T00:00:00Z", "47803"),
        ("KTH-SP2-1996-2.1-cln", "1996-10-01", "107"),
        ("KTH-SP2-1996-2.1-cln", "1996-10-01T00:00:00+02:00", "107"),
        ("KTH-SP2-1996-2.1-cln", "1996-10-01T00:00:00Z", "109"),
    ] {
        let path = traces.join(format!("swf/{file}.swf.gz"));
        let left = shape(path.to_str().unwrap(), &["--from", from]);
        assert_eq!(left.first().map(String::as_str), Some(first), "{file} {from}");
    }
}

/// A row is out of order where the row above it came later, whatever came before that.
#[test]
fn rows_out_of_order_are_those_below_a_later_one() {
    let text = format!("{HEADER}1,0,5,t,1\n2,10,5,t,1\n3,5,5,t,1\n4,7,5,t,1\n5,6,5,t,1\n6,10,5,t,1\n");
    assert_eq!(counts(&trace("jobs.csv", &text)), [("unsorted", 2, vec![4, 6])]);
    let Some(traces) = crate::traces_dir() else { return };
    let philly = load(&traces.join("philly-2017/philly.csv.gz")).unwrap();
    assert_eq!(philly.sources[0].repairs["unsorted"].count, 44_878);
}

#[test]
fn checking_lists_what_is_assumed() {
    let folder = folder();
    let header = "timestamp,duration,num_gpus,gpu_time,cluster\n";
    let clean = "2017-10-09 07:01:55,10,8,80,a\n";
    let assumed = "2017-10-09 07:01:56,10,12,120,a\n";
    write(&folder, "clean.csv", (header.to_owned() + clean).as_bytes());
    write(&folder, "assumed.csv", (header.to_owned() + clean + assumed).as_bytes());
    let ran = sim(folder.path(), &["trace", "check", "clean.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "clean.csv: 1 row, philly-list, clean\n"));
    let ran = sim(folder.path(), &["trace", "check", "assumed.csv"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            0,
            "assumed.csv: 2 rows, philly-list, nothing left out or sorted in, but assumed\n  1 row, GPUs not divisible by \
             eight: workers of one GPU (line 3)\n"
        )
    );
}

/// A job that is numbered by its row is not lost to a job of another file that has this number for an id.
#[test]
fn numbered_jobs_stand_beside_named_ones() {
    let folder = folder();
    write(&folder, "named.csv", format!("{HEADER}3,0,5,t,1\n4,1,5,t,1\n").as_bytes());
    let list = "timestamp,duration,num_gpus,gpu_time,cluster\n2017-10-09 07:01:55,10,8,80,a\n2017-10-09 07:01:56,10,8,80,a\n";
    write(&folder, "list.csv", list.as_bytes());
    let found = json(folder.path(), &["trace", "inspect", "named.csv", "list.csv", "-o", "json"]);
    assert_eq!(
        (&found["rows"], &found["jobs"], &found["repairs"]),
        (&4.into(), &4.into(), &serde_json::json!({}))
    );
    let warning =
        "`named.csv` counts time from a zero of its own and `list.csv` from 1970: their jobs do not overlap";
    assert_eq!(found["warnings"], serde_json::json!([warning]));
    let native = sim(folder.path(), &["trace", "convert", "named.csv", "list.csv", "-q"]);
    let names: Vec<&str> = native.stdout.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(names, ["3", "4", "#3", "#4"]);
}

/// Every SWF log numbers its jobs from one: those of a second file are other jobs.
#[test]
fn job_numbers_of_swf_are_those_of_their_file() {
    let folder = folder();
    write(&folder, "a.swf", swf(&[("1 0", 1, 3), ("2 5", 1, 3)]).as_bytes());
    write(&folder, "b.swf", swf(&[("1 1", 1, 3), ("2 6", 1, 3), ("2 7", 1, 3)]).as_bytes());
    write(&folder, "named.csv", format!("{HEADER}1,843476434,5,t,1\nx,843476435,5,t,1\n").as_bytes());
    let names = |files: &[&str]| {
        let ran = sim(folder.path(), &[&["trace", "convert", "-q"], files].concat());
        let rows = ran.stdout.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(names(&["a.swf", "b.swf"]), ["1", "2#1", "2", "2#2"]);
    assert_eq!(names(&["b.swf", "a.swf"]), ["2#1", "1", "2#2", "2"]);
    assert_eq!(names(&["a.swf", "b.swf", "a.swf"]), ["1", "3#1", "2#1", "2", "3#2", "2#2"]);
    // Within one file a number is repeated, and other formats keep their ids.
    let found = json(folder.path(), &["trace", "inspect", "a.swf", "b.swf", "-o", "json"]);
    assert_eq!((&found["jobs"], &found["repairs"]), (&4.into(), &serde_json::json!({ "duplicate_id": 1 })));
    let mixed = names(&["a.swf", "b.swf", "named.csv"]);
    assert_eq!(mixed, ["1", "2#1", "2", "2#2", "x"]);
}

/// Lists without times have no span and no arrivals; beside a file with times they count, and their times do not.
#[test]
fn lists_without_times_are_inspected_without_them() {
    let folder = folder();
    write(
        &folder,
        "tasks.yaml",
        b"name: a\nresources:\n  accelerators: H200:8\n---\nname: b\nresources:\n  cpus: 4\n",
    );
    write(&folder, "jobs.csv", format!("{HEADER}1,0,5,t,1\n2,90000,15,t,1\n").as_bytes());
    let found = json(folder.path(), &["trace", "inspect", "tasks.yaml", "-o", "json"]);
    assert_eq!(found["jobs"], 2);
    for absent in ["span_s", "run_s", "interarrival_s", "arrivals_by_hour", "arrivals_by_weekday"] {
        assert!(found.get(absent).is_none(), "{absent}");
    }
    let table = sim(folder.path(), &["trace", "inspect", "tasks.yaml"]).stdout;
    assert!(table.contains("\nspan          unknown: the source has no times\n"), "{table}");
    assert!(!table.contains("arrivals"), "{table}");
    for files in [["tasks.yaml", "jobs.csv"], ["jobs.csv", "tasks.yaml"]] {
        let found = json(folder.path(), &["trace", "inspect", files[0], files[1], "-o", "json"]);
        assert_eq!(
            (&found["rows"], &found["jobs"], &found["span_s"]),
            (&4.into(), &4.into(), &90_000.0.into())
        );
        assert_eq!((&found["run_s"]["count"], &found["run_s"]["mean"]), (&2.into(), &10.0.into()));
        assert_eq!(found["interarrival_s"]["count"], 1);
        let hours: u64 =
            found["arrivals_by_hour"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(hours, 2);
    }
}

/// Four nodes until 100 s, then one: an inspection and a run say the same of the load.
#[test]
fn the_offered_load_is_that_of_a_run() {
    let folder = folder();
    let scenario = format!(
        "{POOL}[[pool]]\nname = \"a100\"\naccelerator = \"A100\"\nnodes = 2\nnode = {{ gpu = 8 }}\n\
         [[capacity]]\npool = \"l4\"\nfrom = 100\nnodes = 1\n"
    );
    write(&folder, "pools.toml", scenario.as_bytes());
    let row = |job: u32| {
        format!("{job},{},100,t,2,{}\n", job * 10, if job.is_multiple_of(4) { "A100" } else { "" })
    };
    let text = "job_id,submit_s,run_s,team,gpu,accelerators\n".to_owned();
    write(&folder, "jobs.csv", (text + &(0..40).map(row).collect::<String>()).as_bytes());
    let run = json(folder.path(), &["run", "pools.toml", "--trace", "jobs.csv", "-o", "json"]);
    let inspected =
        json(folder.path(), &["trace", "inspect", "jobs.csv", "--scenario", "pools.toml", "-o", "json"]);
    assert_eq!(inspected["offered_load"]["pools"], run["offered_load"]);
    // 40 jobs ask for 200 GPU-seconds each; 390 s have 16 A100s, and 16 L4s for 100 s, then 4.
    let all = inspected["offered_load"]["gpu"].as_f64().unwrap();
    assert!((all - 8_000.0 / (390.0 * 16.0 + 1_600.0 + 290.0 * 4.0)).abs() < 1e-12, "{all}");
}

#[test]
fn bytes_behind_packed_data_are_told() {
    let mut bytes = gzip(format!("{HEADER}1,0,5,t,1\n").as_bytes());
    bytes.extend(gzip(b"2,0,5,t,1\n"));
    let folder = folder();
    assert_eq!(load(&write(&folder, "two.gz", &bytes)).unwrap().jobs.len(), 2);
    // Tapes pad with zeros.
    assert_eq!(load(&write(&folder, "padded.gz", &[&bytes[..], &[0; 700]].concat())).unwrap().jobs.len(), 2);
    assert_eq!(
        refusal("jobs.csv.gz", &[&bytes[..], b"garbage\n"].concat()),
        "failed to read trace `jobs.csv.gz`\nline 4: expected the end of the file behind the gzip data, found other \
         bytes\nhint: the file was cut off or changed on its way: fetch it again"
    );
}

#[test]
fn a_header_that_is_no_text_is_told_with_its_column() {
    assert_eq!(
        refusal("jobs.csv", b"job_id,submit_s,run_s,team,gr\xf6\xdfe\n1,0,5,t,1\n"),
        "failed to read trace `jobs.csv`\nline 1, column `5`: expected UTF-8 text, found `gr\\xf6\\xdfe`"
    );
}

/// Weights that cannot be compared exactly are underlined; they reached the scheduler, which knows no places.
#[test]
fn weights_that_are_too_unlike_are_underlined() {
    let team = |name: &str, weight: &str| format!("[[team]]\nname = \"{name}\"\nweight = {weight}\n");
    let refused = |scenario: &str, line: usize, name: &str, weight: &str| {
        let mark = "^".repeat(weight.len());
        let expected = format!(
            "error: the weight of team `{name}` cannot be compared with those beside it\n  --> scenario.toml:{line}:10\n   |\n\
             {line} | weight = {weight}\n   |          {mark} as whole numbers the weights of siblings would pass 1048576\n   \
             |\n   = hint: write weights that are closer to each other, or with fewer decimals"
        );
        crate::cli::refused(scenario, crate::cli::JOBS.as_bytes(), &[], &expected);
    };
    let fill = "# The places below have two digits.\n".repeat(6);
    for weight in ["9223372036854775807", "0.0000001", "1048577"] {
        refused(&(fill.clone() + POOL + &team("a", weight)), 13, "a", weight);
    }
    // Each alone would do.
    let both = fill + POOL + &team("a", "1048576") + &team("b", "0.5");
    refused(&both, 13, "a", "1048576");
}

#[test]
fn every_attempt_of_philly_has_times() {
    let log = |time: &str| {
        format!(
            "[{{\"status\": \"Pass\", \"vc\": \"a\", \"jobid\": \"j\", \"attempts\": [{{\"start_time\": \"2017-10-07 \
             01:00:00\", \"end_time\": \"{time}\", \"detail\": [{{\"ip\": \"m\", \"gpus\": [\"gpu0\"]}}]}}, \
             {{\"start_time\": \"2017-10-07 02:00:00\", \"end_time\": \"2017-10-07 03:00:00\", \"detail\": [{{\"ip\": \
             \"m\", \"gpus\": [\"gpu0\"]}}]}}], \"submitted_time\": \"2017-10-07 00:00:00\", \"user\": \"u\"}}]\n"
        )
    };
    assert_eq!(trace("log.json", &log("None")).jobs[0].run_ms, 7_200_000);
    assert_eq!(
        refusal("log.json", log("soon").as_bytes()),
        "failed to read trace `log.json`\nline 1, character 109, column `attempts[0].end_time`: expected \
         a date like `2017-10-09 07:01:55`, found `soon`\nhint: it is in the job `j`"
    );
}

/// A job with two types of GPU needs both; it counts as one of the type that it has more of, and that is counted.
#[test]
fn jobs_of_several_types_are_counted() {
    let sacct = "JobIDRaw|State|Submit|Start|End|ElapsedRaw|Account|AllocTRES\n\
                 1|COMPLETED|0|5|9|4|t|cpu=8,gres/gpu:a100=2,gres/gpu:h200=6,gres/gpu=8,node=1\n\
                 2|COMPLETED|1|5|9|4|t|cpu=8,gres/gpu:a100=2,gres/gpu=2,node=1\n";
    let trace = trace("sacct.txt", sacct);
    assert_eq!(counts(&trace), [("mixed_types", 1, vec![2])]);
    let first = |job: usize| &trace.shapes[trace.jobs[job].shape as usize].alternatives;
    assert_eq!(
        (first(0).len(), first(0)[0].accelerator.as_deref(), first(0)[0].total(GPU)),
        (1, Some("h200"), 8_000)
    );
    assert_eq!(first(1)[0].accelerator.as_deref(), Some("a100"));

    let folder = folder();
    let jobs = write(&folder, "jobs.csv", b"j,i,u,Terminated,100,200\n");
    let tasks = "j,ps,1,Terminated,110,200,100,1,100,P100\nj,worker,3,Terminated,110,200,100,1,100,T4\n";
    let tasks = write(&folder, "tasks.csv", tasks.as_bytes());
    let inputs = [jobs, tasks].map(|path| fairshare_sim::trace::Input { path, format: None });
    let pai = Trace::load(&inputs, &fairshare_sim::trace::TraceOptions::default()).unwrap();
    let source = pai.sources.iter().find(|source| source.jobs > 0).unwrap();
    assert_eq!(source.repairs.keys().collect::<Vec<_>>(), [&"mixed_types"]);
    assert_eq!(pai.shapes[0].alternatives[0].accelerator.as_deref(), Some("T4"));
}

/// Containers side by side add up, those before them count where one asks for more, one that stays runs beside all after it,
/// and the runtime takes its part.
#[test]
fn pods_take_what_their_runtime_takes_too() {
    let container =
        |cpu: &str, more: &str| format!("{{ resources: {{ requests: {{ cpu: {cpu} }} }}{more} }}");
    let pod = |first: &str, containers: &str, overhead: &str| {
        let condition = |kind: &str, at: u32| {
            format!("{{ type: {kind}, status: 'True', lastTransitionTime: '2026-01-01T00:00:0{at}Z' }}")
        };
        let text = format!(
            "apiVersion: kueue.x-k8s.io/v1beta2\nkind: Workload\nmetadata: {{ namespace: n, name: w, creationTimestamp: \
             '2026-01-01T00:00:00Z' }}\nspec:\n  queueName: q\n  podSets:\n  - count: 1\n    template: {{ spec: {{ \
             initContainers: [{first}], containers: [{containers}]{overhead} }} }}\nstatus:\n  conditions: [{}, {}]\n",
            condition("Admitted", 1),
            condition("Finished", 5)
        );
        let trace = trace("w.yaml", &text);
        trace.shapes[0].alternatives[0].amount(CPU)
    };
    let (one, two) = (container("1", ""), container("2", ""));
    let stays = container("3", ", restartPolicy: Always");
    assert_eq!(pod("", &format!("{one}, {two}"), ""), 3_000);
    assert_eq!(pod("", &one, ", overhead: { cpu: 250m }"), 1_250);
    assert_eq!(pod(&container("7", ""), &one, ""), 7_000);
    assert_eq!(pod(&stays, &one, ""), 4_000);
    // What comes after the one that stays runs beside it: 3 + 2 is more than 3 + 1.
    assert_eq!(pod(&format!("{stays}, {two}"), &one, ", overhead: { cpu: 500m }"), 5_500);
    assert_eq!(pod(&format!("{two}, {stays}"), &one, ""), 4_000);
}

/// Spreadsheets leave empty columns behind and write words in capitals.
#[test]
fn what_spreadsheets_write_is_read() {
    let text =
        "job_id,submit_s,run_s,team,preemptible,status,,\n1,0,5,t,True,COMPLETED,,\n2,0,5,t,FALSE,Failed,,\n";
    let trace = trace("jobs.csv", text);
    assert_eq!(counts(&trace), []);
    let of = |job: usize| (trace.shapes[trace.jobs[job].shape as usize].preemptible, trace.jobs[job].status);
    assert_eq!([of(0), of(1)], [(Some(true), Status::Completed), (Some(false), Status::Failed)]);
    let ignored = "columns that the native format does not know are ignored: one without a name";
    assert!(trace.warnings[0].ends_with(ignored), "{:?}", trace.warnings);
    // Two columns of one known name say two things.
    let twice = "job_id,submit_s,run_s,team,res_disk,res_disk\n1,0,5,t,1,1\n";
    let message = refusal("jobs.csv", twice.as_bytes());
    assert_eq!(message, "failed to read trace `jobs.csv`\nline 1: the column `res_disk` stands there twice");
}
