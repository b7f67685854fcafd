//! What a source says is told as it says it, and what it does not say is not made up.

use std::fmt::Write as _;

use fairshare_sim::trace::synthetic::SynthSpec;
use fairshare_sim::trace::{CPU, GPU, Input, Inspection, Trace, TraceOptions, inspect};

use crate::support::{sim, sim_fed};
use crate::trace::{folder, gzip, load, message, write};
use crate::trace_formats::{fixture, names, repairs, request};

/// The statistics of one file.
fn inspected(name: &str, text: &str) -> Inspection {
    let folder = folder();
    let path = write(&folder, name.split(':').next().unwrap(), text.as_bytes());
    let format = name.split_once(':').map(|(_, format)| format!(":{format}")).unwrap_or_default();
    let input = Input::parse(&format!("{}{format}", path.display()));
    inspect(&[input], &TraceOptions::default(), None).unwrap()
}

fn trace(name: &str, text: &str) -> Trace {
    let folder = folder();
    load(&write(&folder, name, text.as_bytes())).unwrap()
}

/// `sacct -D` lists all attempts at a job: what it did in the end is its run.
#[test]
fn of_a_requeued_job_the_last_attempt_counts() {
    let head = "JobID|Account|State|Submit|Start|End|Elapsed|AllocTRES\n";
    let row = |id: &str, state: &str, start: u32, seconds: u32| {
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{id}|ml|{state}|100|{start}|{}|{clock}|cpu=2\n", start + seconds)
    };
    let first = row("7", "NODE_FAIL", 100, 100) + &row("7.batch", "CANCELLED", 100, 100);
    let all = [head, &first, &row("7", "COMPLETED", 300, 10_000), &row("8", "COMPLETED", 400, 1)].concat();
    let found = trace("jobs.txt", &all);
    assert_eq!((names(&found), found.jobs[0].run_ms), (vec!["7".into(), "8".into()], 10_000_000));
    assert_eq!(repairs(&found, 0), [("job_step", 1, vec![3]), ("requeued", 1, vec![2])]);
    let running = trace("jobs.txt", &[head, &first, &row("7", "RUNNING", 300, 1)].concat());
    assert_eq!(names(&running), Vec::<String>::new());
    let left_out = [("job_step", 1, vec![3]), ("requeued", 1, vec![2]), ("still_running", 1, vec![4])];
    assert_eq!(repairs(&running, 0), left_out);
    // It waits to be run once more, and its next attempt was cancelled before it began.
    let waits = "7|ml|PENDING|200|Unknown|Unknown|00:00:00|cpu=2\n";
    let waiting = trace("jobs.txt", &[head, waits, &row("7", "NODE_FAIL", 100, 100)].concat());
    assert_eq!(repairs(&waiting, 0), [("requeued", 1, vec![3]), ("still_running", 1, vec![2])]);
    let cancelled = "7|ml|CANCELLED|200|None|250|00:00:00|cpu=2\n";
    let found = trace("jobs.txt", &[head, &row("7", "NODE_FAIL", 100, 100), cancelled].concat());
    assert_eq!((found.jobs[0].run_ms, repairs(&found, 0)), (0, vec![("requeued", 1, vec![2])]));
}

/// The last attempt is told by its times, for the list has an order of its own and other jobs between them.
#[test]
fn attempts_may_stand_anywhere() {
    let head = "JobID|Account|State|Submit|Start|End|Elapsed|AllocTRES\n";
    let row = |id: u32, state: &str, start: u32, seconds: u32| {
        format!("{id}|ml|{state}|{start}|{start}|{}|00:00:{seconds:02}|cpu=2\n", start + seconds)
    };
    let (failed, other, done) =
        (row(15, "NODE_FAIL", 100, 50), row(14, "COMPLETED", 90, 5), row(15, "COMPLETED", 300, 20));
    let requeued = row(15, "REQUEUED", 100, 50);
    for (rows, line) in [
        ([&failed, &other, &done], 2),
        ([&requeued, &other, &done], 2),
        ([&other, &done, &requeued], 4),
        ([&done, &failed, &other], 3),
    ] {
        let found = trace("jobs.txt", &[head, rows[0], rows[1], rows[2]].concat());
        assert_eq!(names(&found), ["14", "15"]);
        assert_eq!((found.jobs[1].submit_ms, found.jobs[1].run_ms), (300_000, 20_000));
        assert_eq!(found.sources[0].repairs["requeued"].first_lines, [line]);
        assert!(!found.sources[0].repairs.contains_key("still_running"));
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    }
    // Whatever its times say, an attempt that was requeued is not the last.
    let late = trace("jobs.txt", &[head, &done, &row(15, "REQUEUED", 400, 1)].concat());
    assert_eq!((late.jobs[0].run_ms, repairs(&late, 0)), (20_000, vec![("requeued", 1, vec![3])]));
    // One attempt that is listed twice is no other one.
    let twice = trace("jobs.txt", &[head, &done, &other, &done, &failed].concat());
    let left_out = [("duplicate_id", 1, vec![4]), ("requeued", 1, vec![5]), ("unsorted", 1, vec![3])];
    assert_eq!((twice.jobs[1].run_ms, repairs(&twice, 0)), (20_000, left_out.to_vec()));
    let folder = folder();
    let path = write(&folder, "jobs.txt.gz", &gzip([head, &failed, &other, &done].concat().as_bytes()));
    let packed = load(&path).unwrap();
    assert_eq!((packed.sources[0].rows, packed.jobs[1].run_ms), (3, 20_000));
}

/// One job may rest on several assumptions.
#[test]
fn every_assumption_of_a_job_is_counted() {
    let folder = folder();
    let jobs = write(&folder, "jobs.csv", b"j,i,u,Terminated,0,10\n");
    let tasks = "j,ps,1,Terminated,0,10,600,10,,\nj,worker,2,Terminated,0,10,600,10,100,V100\n\
                 j,eval,1,Terminated,0,10,600,10,100,P100\n";
    let tasks = write(&folder, "tasks.csv", tasks.as_bytes());
    let inputs = [jobs, tasks].map(|path| Input::parse(path.to_str().unwrap()));
    let found = Trace::load(&inputs, &TraceOptions::default()).unwrap();
    assert_eq!(repairs(&found, 0), [("mixed_types", 1, vec![1]), ("unlike_tasks", 1, vec![1])]);
}

#[test]
fn resources_of_skypilot_are_read_or_refused() {
    let record = |resources: &str| {
        format!(
            "[{{\"job_id\": 1, \"status\": \"SUCCEEDED\", \"submitted_at\": 5, \"start_at\": 6, \"end_at\": 65, \
             \"resources\": \"{resources}\"}}]"
        )
    };
    for (resources, workers, gpu, cpu) in [
        ("2x[H200:8]", 2, 8000, 0),
        ("1x(gpus=1xH200, cpus=8)", 1, 1000, 8000),
        ("1x(gpus=H200:2, cpus=8+, ...)", 1, 2000, 8000),
        ("1x[L4:1][Spot]", 1, 1000, 0),
        ("1x[H200:8][On-demand|Spot]", 1, 8000, 0),
        ("2x[H200:8][Spot|On-demand]", 2, 8000, 0),
        ("1x[H200:8] (On-demand)", 1, 8000, 0),
        ("1x[n2-standard-8, CPU:8]", 1, 0, 8000),
    ] {
        let found = trace("jobs.json", &record(resources));
        assert_eq!(request(&found, 0), (workers, gpu, cpu, 0), "{resources}");
        let shape = &found.shapes[found.jobs[0].shape as usize].alternatives[0];
        assert!(shape.accelerator.as_deref().is_none_or(|name| ["H200", "L4"].contains(&name)));
        assert_eq!((shape.amount(GPU), shape.amount(CPU)), (gpu, cpu));
    }
    for resources in [
        "1x[H200 8]",
        "1x(8x H200)",
        "1x[foo bar]",
        "1x[H200:8] and more",
        "1x(gpus=(H200))",
        "1x[H200:8][On-demand|Leased]",
        "1x[H200:8][]",
        "1x[H200:8][Spot",
        "1x[H200:8][Spot][L4:1]",
    ] {
        let folder = folder();
        let path = write(&folder, "jobs.json", record(resources).as_bytes());
        assert_eq!(
            message(load(&path)),
            format!(
                "failed to read trace `jobs.json`\nline 1, character 100, column `resources`: expected resources like \
                 `2x[H200:8]` or `1x[CPU:4+]`, found `{resources}`"
            )
        );
    }
}

#[test]
fn a_type_that_slurm_does_not_have_is_told_by_its_own_column() {
    let text = "JobID|Account|State|Submit|Start|End|AllocTRES\n1|a|COMPLETED|1|1|2|gres/gpu:tesla:v100=2\n";
    let folder = folder();
    let path = write(&folder, "jobs.txt", text.as_bytes());
    assert_eq!(
        message(load(&path)),
        "failed to read trace `jobs.txt`\nline 2, column `AllocTRES`: expected trackable resources like \
         `cpu=8,gres/gpu:h200=8,mem=100G,node=1`, found `gres/gpu:tesla:v100=2`"
    );
}

#[test]
fn other_packings_are_named() {
    let folder = folder();
    let mut tar = vec![0_u8; 512];
    tar[..8].copy_from_slice(b"jobs.csv");
    let mut old = tar.clone();
    let sum: u32 = 8 * 32 + tar.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    old[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar[257..262].copy_from_slice(b"ustar");
    let unpack = "unpack it and name the file; of packed files `.gz` and `.zst` are read";
    for (bytes, what, hint) in [
        (gzip(&tar), "a tar archive", "unpack it, as with `tar -xf`, and name the files in it"),
        (tar.clone(), "a tar archive", "unpack it, as with `tar -xf`, and name the files in it"),
        (b"PK\x03\x04rest".to_vec(), "a zip archive", "unpack it and name the files in it"),
        (b"\xfd7zXZ\0rest".to_vec(), "xz data", unpack),
        (b"BZh91AY&SYrest".to_vec(), "bzip2 data", unpack),
        (old, "a tar archive", "unpack it, as with `tar -xf`, and name the files in it"),
        (b"7z\xbc\xaf\x27\x1crest".to_vec(), "a 7z archive", "unpack it and name the files in it"),
        (b"\x04\x22\x4d\x18rest".to_vec(), "lz4 data", unpack),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xffrest".to_vec(), "lzma data", unpack),
        (gzip(&gzip(b"rest")), "packed data inside of packed data", "unpack it once, and name the file"),
    ] {
        let path = write(&folder, "jobs", &bytes);
        let expected =
            format!("failed to read trace `jobs`\nthis is {what}, which is not read\nhint: {hint}");
        assert_eq!(message(load(&path)), expected);
    }
}

/// Daily quotas are the capacity of what was recorded, each for as long as it was there.
#[test]
fn quotas_give_the_recorded_utilization() {
    let quotas = |name: &str| [Input::parse(fixture("helios.csv").to_str().unwrap()), Input::parse(name)];
    let of = |inputs: &[Input]| {
        let recorded = inspect(inputs, &TraceOptions::default(), None).unwrap().recorded.unwrap();
        (recorded.utilization.unwrap(), recorded.capacity.unwrap())
    };
    // Submissions from second 10 to 17; of 24 GPUs one is used for 5 s, 16 for 5 s, 12 for one.
    let (utilization, capacity) = of(&quotas(fixture("helios-quotas.csv").to_str().unwrap()));
    assert!((utilization - 97.0 / 168.0).abs() < 1e-12, "{utilization}");
    assert!((capacity - 24.0).abs() < 1e-12, "{capacity}");
    // Two jobs a day and a half apart, the first of which runs all the time on eight GPUs: 8 for a day, then 16.
    let folder = folder();
    let log = "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n\
               1,u,a,8,8,1,COMPLETED,2020-04-01 00:00:00,2020-04-01 00:00:00,2020-04-09 00:00:00,691200,0\n\
               2,u,a,1,8,1,COMPLETED,2020-04-02 12:00:00,2020-04-02 12:00:00,2020-04-03 00:00:00,43200,0\n";
    let days = "date,a,total\n2020-04-01,8,8\n2020-04-02,16,16\n2020-04-03,64,64\n";
    let files = [("log.csv", log), ("days.csv", days)];
    let inputs =
        files.map(|(name, text)| Input::parse(write(&folder, name, text.as_bytes()).to_str().unwrap()));
    let (utilization, capacity) = of(&inputs);
    assert!((utilization - 36.0 / 48.0).abs() < 1e-12, "{utilization}");
    assert!((capacity - 32.0 / 3.0).abs() < 1e-3, "{capacity}");
}

/// What ended before the last submission counts up to its end, also where the rows after it tell no start.
#[test]
fn use_counts_up_to_the_end_of_a_job() {
    let row = |job: u32, submit: u32, wait: i32, run: u32| {
        format!("{job} {submit} {wait} {run} 10 -1 -1 10 -1 -1 1 1 1 -1 1 1 -1 -1\n")
    };
    let of = |rows: &[String]| {
        let text = format!("; MaxProcs: 10\n{}", rows.concat());
        inspected("jobs.swf", &text).recorded.unwrap().utilization
    };
    assert_eq!(of(&[row(1, 0, 0, 100), row(2, 1000, 0, 100)]), Some(0.1));
    assert_eq!(of(&[row(1, 0, 0, 100), row(2, 1000, -1, 100)]), Some(0.1));
    // Of one that ends later what lies before counts, and nothing of one that starts later.
    assert_eq!(of(&[row(1, 0, 0, 2000), row(2, 1000, -1, 100)]), Some(1.0));
    assert_eq!(of(&[row(1, 0, 1100, 100), row(2, 1000, -1, 100)]), Some(0.0));
}

/// What a source does not say is absent from the statistics, and no zero.
#[test]
fn unknown_amounts_are_absent() {
    let json = |name: &str| {
        let found = sim(fixture("").as_path(), &["trace", "inspect", "-q", "-o", "json", name]);
        assert_eq!(found.code, 0, "{}", found.stderr);
        serde_json::from_str::<serde_json::Value>(&found.stdout).unwrap()
    };
    let said = |name: &str| {
        let found = json(name);
        let team = &found["by_team"][0];
        [&found, team].map(|part| (part.get("gpu_hours").is_some(), part.get("core_hours").is_some()))
    };
    assert_eq!(said("gavel.tsv"), [(false, false); 2]);
    assert_eq!(said("philly-list.csv"), [(true, false); 2]);
    assert_eq!(said("helios.csv"), [(true, true); 2]);
    assert_eq!(said("small.swf"), [(true, true); 2]);
    assert!(inspected("g", &std::fs::read_to_string(fixture("gavel.tsv")).unwrap()).gpu_hours.is_nan());
}

/// The head of an SWF file as recorded machines have it, and jobs of unlike sizes.
fn swf(head: &str, submissions: impl Iterator<Item = i64>) -> String {
    let mut text = head.to_owned();
    for (row, submit) in submissions.enumerate() {
        let size = 1 + row % 20;
        writeln!(text, "{row} {submit} 0 10 {size} 1 1 {size} 10 1 1 1 1 1 1 1 -1 -1").unwrap();
    }
    text
}

const RICC: &str = "; UnixStartTime: 1272639895\n; TimeZoneString: Asia/Tokyo\n\
                    ; StartTime: Sat May 01 00:04:55 JST 2010\n";

/// Hours and weekdays are those of the machine's own clock, which the head tells.
#[test]
fn hours_of_swf_are_those_of_the_machine() {
    let kth = "; UnixStartTime: 843480031\n; TimeZone: 3600\n";
    let start = |text: &str| format!("{kth}; StartTime: {text}\n");
    for (head, hour, weekday, clock) in [
        (RICC.to_owned(), 0, 5, "UTC+09:00"),
        (start("Mon Sep 23 14:00:31 CEST 1996"), 14, 0, "UTC+02:00"),
        (start("Mon Sep 23 14:00:31 1996"), 14, 0, "UTC+02:00"),
        // No word of it, or one that cannot be true.
        (kth.to_owned(), 13, 0, "UTC+01:00"),
        (start("Mon Sep 23 14:00:31 CEST 1997"), 13, 0, "UTC+01:00"),
        (start("noon"), 13, 0, "UTC+01:00"),
        ("; UnixStartTime: 843480031\n".to_owned(), 12, 0, "UTC"),
        // Nobody knows the day of its zero.
        ("; Version: 2\n".to_owned(), 0, 0, "the trace's own clock"),
    ] {
        let found = inspected("jobs.swf", &swf(&head, [0].into_iter()));
        let most = |counts: &[u64]| counts.iter().position(|count| *count > 0);
        let own = (most(&found.arrivals_by_hour), most(&found.arrivals_by_weekday), found.clock.as_str());
        assert_eq!(own, (Some(hour), Some(weekday), clock), "{head}");
    }
    let table = inspected("jobs.swf", &swf(RICC, [0, 60].into_iter())).table();
    assert!(table.contains("arrivals by hour (UTC+09:00) "), "{table}");
}

/// A fit takes place on that clock too.
#[test]
fn a_fit_keeps_the_hours_of_the_machine() {
    // Twenty jobs a day from 03:00 on in Tokyo, from a Saturday on.
    let at = |row: i64| 3 * 3600 - 295 + row / 20 * 86_400 + row % 20 * 60;
    let found = trace("jobs.swf", &swf(RICC, (0..200).map(at)));
    let spec = SynthSpec::like(&found).unwrap();
    let team = &spec.teams[0];
    let most = team.hours.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    assert_eq!((most.0, spec.start_s), (3, 1_272_240_000));
    // Every day has as many, also those that the record saw twice.
    assert!(team.weekdays.iter().all(|jobs| (20.0..=21.0).contains(jobs)), "{:?}", team.weekdays);
}

/// Who waits for itself, for nobody or in a circle can never start, and `check` says so.
#[test]
fn links_that_cannot_come_true_are_told() {
    let folder = folder();
    let check = |rows: &str| {
        write(&folder, "jobs.csv", format!("job_id,submit_s,run_s,team,after\n{rows}").as_bytes());
        let ran = sim(folder.path(), &["trace", "check", "jobs.csv"]);
        (ran.code, ran.stderr.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
    };
    let hint = "hint: `after` has ids of jobs of these files that can end before, with `|` between them";
    let refused = |what: &str| (2, vec![format!("line 3: `after`: job {what}"), hint.to_owned()]);
    assert_eq!(check("1,0,5,t,\n2,0,5,t,1\n3,0,5,t,1|2\n").0, 0);
    assert_eq!(check("1,0,5,t,\n2,0,5,t,1|2\n"), refused("`2` waits for itself"));
    assert_eq!(check("1,0,5,t,\n2,0,5,t,x\n"), refused("`2` waits for `x`, which is not there"));
    let circle = refused("`2` waits for a job that waits for it, or behind such jobs");
    assert_eq!(check("1,0,5,t,\n2,0,5,t,4\n3,0,5,t,2\n4,0,5,t,3\n"), circle);
    // Of several files the one that holds the job is named; where it cannot be read again, none.
    let other = "job_id,submit_s,run_s,team,after\n8,0,5,t,\n9,0,5,t,99\n";
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,after\n1,0,5,t,\n");
    write(&folder, "other.csv", other.as_bytes());
    let ran = sim(folder.path(), &["trace", "check", "jobs.csv", "other.csv"]);
    let what = "`after`: job `9` waits for `99`, which is not there";
    assert_eq!(
        (ran.code, ran.stderr),
        (2, format!("error: failed to read trace `other.csv`\nline 3: {what}\n{hint}\n"))
    );
    let ran = sim_fed(folder.path(), &["trace", "check", "jobs.csv", "-"], other.as_bytes());
    assert_eq!((ran.code, ran.stderr), (2, format!("error: failed to read the traces\n{what}\n{hint}\n")));
    let ran = sim_fed(folder.path(), &["trace", "check", "-"], other.as_bytes());
    assert_eq!((ran.code, ran.stderr), (2, format!("error: failed to read trace `-`\n{what}\n{hint}\n")));
}

/// What replays and shapes a trace warns of them, and refuses them where it is to be strict.
#[test]
fn links_that_cannot_come_true_are_warned_of() {
    let folder = folder();
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,after\n1,0,5,t,\n2,0,5,t,x\n");
    write(&folder, "pools.toml", b"[[pool]]\nname = \"p\"\nnodes = 1\nnode = { gpu = 1 }\n");
    let what = "`after`: job `2` waits for `x`, which is not there";
    for arguments in [&["run", "pools.toml", "--trace", "jobs.csv"][..], &["trace", "shape", "jobs.csv"]] {
        let ran = sim(folder.path(), arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("warning: {what}\n")), "{}", ran.stderr);
        let ran = sim(folder.path(), &[arguments, &["--strict"]].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("line 3: {what}\n")), "{}", ran.stderr);
    }
    let ran = sim(folder.path(), &["run", "pools.toml", "--trace", "jobs.csv"]);
    assert!(ran.stderr.contains("(1 job has it)"), "{}", ran.stderr);
    // Who forgets jobs cannot know, and says so, of files and of a pipe.
    let unchecked = "warning: with `--quantiles sketch` nobody looks at whether `after` can come true: `sim trace check` does\n";
    let jobs = std::fs::read(folder.path().join("jobs.csv")).unwrap();
    for trace in ["jobs.csv", "-"] {
        for more in [&[][..], &["--strict"]] {
            let arguments = ["run", "pools.toml", "--trace", trace, "--quantiles", "sketch"];
            let ran = sim_fed(folder.path(), &[&arguments[..], more].concat(), &jobs);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(ran.stderr.contains(unchecked), "{}", ran.stderr);
        }
    }
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,after\n1,0,5,t,\n");
    let ran = sim(folder.path(), &["run", "pools.toml", "--trace", "jobs.csv", "--quantiles", "sketch"]);
    assert!(!ran.stderr.contains("`after`"), "{}", ran.stderr);
}

/// A table of jobs that does not say what they ask for says nothing of hours either.
#[test]
fn hours_of_unknown_requests_are_absent() {
    let found = inspected("pai_job.csv:pai", "j1,i,u,Terminated,10,20\n");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!((found.jobs, json["gpu_hours"].as_f64(), json["core_hours"].as_f64()), (1, None, None));
    let team = &json["by_team"][0];
    assert_eq!((team["gpu_hours"].as_f64(), team["core_hours"].as_f64()), (None, None), "{team}");
}

/// Where all jobs come at once there is no load.
#[test]
fn no_load_of_an_instant_is_shown() {
    let folder = folder();
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,gpu\n1,0,5,t,1\n");
    let pool = "[[pool]]\nname = \"p\"\nnodes = 1\nnode = { gpu = 8 }\n";
    write(&folder, "pools.toml", pool.as_bytes());
    let ran = sim(folder.path(), &["trace", "inspect", "--scenario", "pools.toml", "jobs.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains("offered load"), "{}", ran.stdout);
}

/// Slurm writes memory in the unit that keeps it short, up to E.
#[test]
fn memory_of_slurm_has_all_its_units() {
    for (written, bytes) in [
        ("4.50P", 9_u64 << 49),
        ("2T", 2 << 40),
        ("1.5G", 3 << 29),
        ("100M", 100 << 20),
        ("100", 100 << 20),
        ("64K", 64 << 10),
    ] {
        let rows = format!(
            "JobID|Account|State|Submit|Start|End|Elapsed|AllocTRES\n\
                            7|ml|COMPLETED|100|100|160|00:01:00|cpu=2,mem={written}\n"
        );
        assert_eq!(request(&trace("jobs.txt", &rows), 0), (1, 0, 2_000, bytes), "{written}");
    }
    let folder = folder();
    let rows = "JobID|Account|State|Submit|Start|End|Elapsed|AllocTRES\n\
                7|ml|COMPLETED|100|100|160|00:01:00|cpu=2,mem=1E\n";
    let found = message(load(&write(&folder, "jobs.txt", rows.as_bytes())));
    assert!(found.contains("expected amounts within the range of this program"), "{found}");
}

/// A frame of zstd to be passed over, as some tools write it first, is no word against what follows.
#[test]
fn zstd_behind_a_frame_to_be_passed_over_is_read() {
    let folder = folder();
    let rows = zstd::encode_all(&b"job_id,submit_s,run_s,team\n1,0,5,t\n"[..], 1).unwrap();
    let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..], &rows].concat();
    assert_eq!(names(&load(&write(&folder, "jobs.csv.zst", &skipped)).unwrap()), ["1"]);
}

/// What is nested too deeply is told so, in YAML as in JSON.
#[test]
fn yaml_that_is_nested_too_deeply_is_told() {
    let folder = folder();
    let text = format!("apiVersion: v1\nkind: List\nitems: {}\n", "[".repeat(200) + &"]".repeat(200));
    let found = message(load(&write(&folder, "deep.yaml", text.as_bytes())));
    assert!(found.ends_with(": this is nested too deeply to be a trace"), "{found}");
}

/// Lines without anything on them before the first job of SWF do not hide what it is.
#[test]
fn blank_lines_before_swf_are_passed_over() {
    for head in ["\n", "  \n\r\n", "\n; Version: 2\n"] {
        let found = inspected("jobs.swf", &swf(head, [0].into_iter()));
        assert_eq!((found.format, found.jobs), ("swf", 1), "{head:?}");
    }
}

/// Unix times of SWF are by the clock that its head names.
#[test]
fn a_zone_counts_for_unix_times_of_swf() {
    // Two o'clock in the night of a Saturday by UTC, eight on Friday evening by the machine's clock.
    let submit = [1_272_679_200].into_iter();
    let head = "; UnixStartTime: 0\n; TimeZone: -21600\n";
    let found = inspected("jobs.swf", &swf(head, submit.clone()));
    assert_eq!((found.arrivals_by_hour[20], found.arrivals_by_weekday[4]), (1, 1));
    assert_eq!((found.calendar, found.clock.as_str()), (true, "UTC-06:00"));
    // A date is by that clock too, and nothing is lost in conversion: times of both are Unix times.
    let folder = folder();
    write(&folder, "jobs.swf", swf(head, submit).as_bytes());
    for (from, jobs) in [("2010-04-30T20:00:00", 1), ("2010-04-30T20:00:01", 0), ("2010-05-01T02:00:00Z", 1)]
    {
        let ran = sim(folder.path(), &["trace", "shape", "jobs.swf", "--from", from, "-q"]);
        assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1 + jobs), "{from}: {}", ran.stderr);
    }
    let ran = sim(folder.path(), &["trace", "convert", "jobs.swf"]);
    assert!(!ran.stderr.contains("its clock begins"), "{}", ran.stderr);
}

/// Lengths of time are as absent as instants where a word says so.
#[test]
fn no_duration_is_no_number() {
    for none in ["None", "nan"] {
        let helios = format!(
            "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n\
             1,u,v,1,2,1,COMPLETED,2020-04-02 00:00:00,2020-04-02 00:00:10,2020-04-02 00:01:10,{none},10\n"
        );
        assert_eq!(trace("helios.csv", &helios).jobs[0].run_ms, 60_000);
        let acme = format!(
            "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time\n\
             1,u,1,1,2,Other,CANCELLED,2023-05-17 11:00:58+00:00,,2023-05-17 11:10:58+00:00,{none},0,0\n"
        );
        assert_eq!(repairs(&trace("acme.csv", &acme), 0), [("missing_run", 1, vec![2])]);
    }
}
