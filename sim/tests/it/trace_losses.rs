//! Nothing of a trace is lost, or counted twice, without a word: quotes that never close, tables that belong together,
//! lists of machines and quotas, and what shaping and converting cannot keep.

use std::collections::BTreeMap;

use crate::support::{sim, sim_fed};
use crate::trace::{folder, load, message, write};
use fairshare_sim::trace::{Input, Trace, TraceOptions, inspect};

/// The repairs of one file of several, which are loaded together.
fn repairs(files: &[(&str, &str)], of: usize) -> Vec<(&'static str, u64, Vec<u64>)> {
    let trace = together(files, false).unwrap();
    let repairs = trace.sources[of].repairs.iter();
    repairs.map(|(key, repair)| (*key, repair.count, repair.first_lines.clone())).collect()
}

fn together(files: &[(&str, &str)], strict: bool) -> Result<Trace, fairshare_sim::trace::TraceError> {
    let folder = folder();
    let input = |(name, text): &(&str, &str)| {
        let (file, format) =
            name.split_once(':').map_or((*name, None), |(file, format)| (file, Some(format)));
        let path = write(&folder, file, text.as_bytes()).to_str().unwrap().to_owned();
        Input::parse(&format.map_or(path.clone(), |format| format!("{path}:{format}")))
    };
    let inputs: Vec<Input> = files.iter().map(input).collect();
    Trace::load(&inputs, &TraceOptions { strict, ..TraceOptions::default() })
}

/// What strict reading of the files says: the name of the file, and why.
fn strictly(files: &[(&str, &str)]) -> String {
    let shown = message(together(files, true));
    let lines: Vec<&str> = shown.lines().collect();
    format!("{}: {}", lines[0].trim_start_matches("failed to read trace "), lines[1])
}

#[test]
fn a_quote_that_never_closes_is_told() {
    let hint =
        "hint: a quote that belongs to the text is written twice, in a field that begins and ends with one";
    let closing = "expected a quote that closes the one at the start of the field, found the end of the file";
    let behind = "expected the end of the field behind its closing quote, found";
    let native = "job_id,submit_s,run_s,gpu,team\n";
    let rows = "3,3,1,1,a\n".repeat(1998);
    let list = "timestamp,duration,num_gpus,gpu_time,cluster\n2017-10-03 00:00:00,10,1,0,a\n";
    for (text, expected) in [
        (format!("{native}1,0,1,1,a\n2,1,1,1,\"a\n{rows}"), format!("line 3, column `team`: {closing}")),
        (format!("{native}1,0,1,1,\"a"), format!("line 2, column `team`: {closing}")),
        (format!("{native}1,0,1,1,\""), format!("line 2, column `team`: {closing}")),
        (format!("\"job_id,submit_s\n{rows}"), format!("line 1, column `1`: {closing}")),
        (format!("{native}1,0,1,1,\"a\n2,1,1,1,\"b\n"), format!("line 2, column `team`: {behind} `b`")),
        (format!("{native}1,0,1,\"1\" ,a\n"), format!("line 2, column `gpu`: {behind} ` `")),
        (
            format!("{list}2017-10-03 00:00:00,10,1,0,\"a\n2017-10-03 00:00:00,10,1,0,b\n"),
            format!("line 3, column `cluster`: {closing}"),
        ),
    ] {
        let folder = folder();
        let named = if text.starts_with('"') { "jobs.csv:native" } else { "jobs.csv" };
        write(&folder, "jobs.csv", text.as_bytes());
        let ran = sim(folder.path(), &["trace", "check", named]);
        let shown = format!("error: failed to read trace `jobs.csv`\n{expected}\n{hint}\n");
        assert_eq!((ran.code, ran.stderr), (2, shown), "{text:.120}");
    }
    // What is in quotes as it should be, lines and quotes too, stays as it is.
    let kept = together(
        &[("jobs.csv", "job_id,submit_s,run_s,team\n1,0,1,\"a \"\"b\"\",\nc\"\n2,0,1,a\"b\n")],
        true,
    );
    let teams: Vec<String> = kept.unwrap().teams.iter().map(str::to_owned).collect();
    assert_eq!(teams, ["a \"b\",\nc", "a\"b"]);
}

#[test]
fn standard_input_is_named_once() {
    let folder = folder();
    let jobs = "job_id,submit_s,run_s,team\n1,0,1,a\n2,0,1,a\n";
    write(&folder, "pool.toml", b"[[pool]]\nname = \"l4\"\nnodes = 4\nnode = { gpu = 4 }\n");
    for arguments in [
        &["trace", "inspect", "-", "-"][..],
        &["trace", "inspect", "-", "-:native"],
        &["trace", "check", "-", "-"],
        &["trace", "convert", "-", "-"],
        &["trace", "shape", "-", "-"],
        &["trace", "synth", "--like", "-", "--like", "-"],
        &["run", "pool.toml", "--trace", "-", "--trace", "-"],
        &["run", "pool.toml", "--quantiles", "sketch", "--trace", "-", "--trace", "-"],
    ] {
        let ran = sim_fed(folder.path(), arguments, jobs.as_bytes());
        let expected = "failed to read trace `-`\nstandard input is named twice, and can be read once\nhint: name files\n";
        assert_eq!((ran.code, ran.stderr), (2, format!("error: {expected}")), "{arguments:?}");
    }
}

const PAI_JOBS: &str = "j1,i1,u1,Terminated,100,200\nj2,i2,u1,Terminated,110,200\nj3,i3,u1,Terminated,,200\n";

#[test]
fn tasks_are_not_lost() {
    let jobs = ("jobs.csv:pai", PAI_JOBS);
    let fine = "j1,ps,2,Terminated,105,200,600,10,0,\nj1,worker,4,Terminated,110,200,1200,29,50,V100\n";
    let tasks = |more: &'static str| format!("{fine}{more}");
    for (more, of_tasks, of_jobs) in [
        ("j9,w,1,Terminated,1,2,600,1,0,\nj9,v,1,Failed,1,2,600,1,0,\n", ("unmatched", 2, vec![3, 4]), None),
        ("j1,w,1,Terminated,1,2,-600,1,0,\n", ("negative_request", 1, vec![3]), Some("negative_request")),
        ("j1,w,1,Terminated,1,2,600,-1,0,\n", ("negative_request", 1, vec![3]), Some("negative_request")),
        ("j1,w,-1,Terminated,1,2,600,1,0,\n", ("no_workers", 1, vec![3]), Some("no_workers")),
        ("j1,w,1,Weird,1,2,600,1,0,\n", ("unknown_state", 1, vec![3]), Some("unknown_state")),
        ("j1,ps,2,Terminated,105,200,600,10,0,\n", ("duplicate_task", 1, vec![3]), None),
    ] {
        let tasks = tasks(more);
        // The table of tasks may come first or last.
        for files in [[jobs, ("tasks.csv:pai-tasks", &tasks)], [("tasks.csv:pai-tasks", &tasks), jobs]] {
            let at = files.iter().position(|(name, _)| name.starts_with("tasks")).unwrap();
            assert_eq!(repairs(&files, at), std::slice::from_ref(&of_tasks), "{more}");
            let left_out: BTreeMap<&str, Vec<u64>> =
                repairs(&files, 1 - at).into_iter().map(|(key, _, lines)| (key, lines)).collect();
            let mut expected = BTreeMap::from([("unmatched", vec![2, 3])]);
            expected.extend(of_jobs.map(|key| (key, vec![1])));
            expected.extend(of_jobs.is_none().then_some(("unlike_tasks", vec![1])));
            assert_eq!(left_out, expected, "{more}");
        }
    }
    let clean = ("jobs.csv:pai", "j1,i1,u1,Terminated,100,200\n");
    assert!(together(&[clean, ("tasks.csv:pai-tasks", fine)], true).is_ok());
    let unused = tasks("j9,w,1,Terminated,1,2,600,1,0,\n");
    assert_eq!(
        strictly(&[clean, ("tasks.csv:pai-tasks", &unused)]),
        "`tasks.csv`: line 3: no partner in the other table"
    );
    let negative = tasks("j1,w,1,Terminated,1,2,-600,1,0,\n");
    assert_eq!(
        strictly(&[clean, ("tasks.csv:pai-tasks", &negative)]),
        "`tasks.csv`: line 3: a negative amount is asked for"
    );
}

/// Two tables of jobs and two of tasks are one of each.
#[test]
fn tables_of_pai_may_be_in_parts() {
    let files = [
        ("tasks-1.csv:pai-tasks", "a,w,1,Terminated,1,2,600,1,0,\n"),
        ("jobs-1.csv:pai", "a,i,u,Terminated,1,2\n"),
        ("jobs-2.csv:pai", "b,i,u,Terminated,1,2\n"),
        ("tasks-2.csv:pai-tasks", "b,w,1,Terminated,1,2,600,1,0,\nc,w,1,Terminated,1,2,600,1,0,\n"),
    ];
    assert_eq!(together(&files, false).unwrap().jobs.len(), 2);
    assert_eq!(repairs(&files, 3), [("unmatched", 1, vec![2])]);
    assert_eq!(strictly(&files), "`tasks-2.csv`: line 2: no partner in the other table");
}

/// Without a start there is no submission; that is something else than a job that goes on.
#[test]
fn a_job_of_pai_with_an_end_has_ended() {
    let folder = folder();
    let path = write(&folder, "jobs.csv", PAI_JOBS.as_bytes());
    let inspected =
        inspect(&[Input::parse(&format!("{}:pai", path.display()))], &TraceOptions::default(), None).unwrap();
    assert_eq!(inspected.repairs, BTreeMap::from([("missing_submit", 1)]));
}

#[test]
fn each_machine_counts_once() {
    for (name, text) in [
        (
            "nodes.csv:openb-nodes",
            "sn,cpu_milli,memory_mib,gpu,model\na,32000,1000,8,V100\na,32000,1000,8,V100\nb,1,1,8,T4\n",
        ),
        (
            "nodes.csv:pai-machines",
            "machine,gpu_type,cap_cpu,cap_mem,cap_gpu\na,V100,96,512,8\na,V100,96,512,8\nb,T4,1,1,8\n",
        ),
        (
            "nodes.csv:philly-machines",
            "machineId,number of GPUs,single GPU mem\na,8,24GB\na,8,24GB\nb,8,12GB\n",
        ),
    ] {
        assert_eq!(repairs(&[(name, text)], 0), [("duplicate_machine", 1, vec![3])], "{name}");
        let trace = together(&[(name, text)], false).unwrap();
        let gpus: u64 = trace.cluster.gpus_by_type().values().sum();
        assert_eq!((trace.cluster.node_count(), gpus), (2, 16_000), "{name}");
        assert_eq!(strictly(&[(name, text)]), "`nodes.csv`: line 3: the machine came before", "{name}");
        // The same machine in two lists of one set is one.
        let copy = name.replacen("nodes", "again", 1);
        assert_eq!(repairs(&[(name, text), (&copy, text)], 1), [("duplicate_machine", 3, vec![2, 3, 4])]);
    }
}

#[test]
fn each_day_has_its_quotas_once() {
    let of = |rows: &str| format!("date,vc1,vc2,total\n2020-04-01,16,8,24\n{rows}");
    for (rows, key, text) in [
        ("2020-04-02,,16,32\n", "missing_quota", "a quota is missing"),
        ("2020-04-02,16,16,33\n", "wrong_total", "the total is not the sum of the quotas"),
        ("2020-04-01,99,8,107\n", "duplicate_day", "the day came before"),
        ("2020-03-31,8,8,16\n", "unsorted_day", "a day before that of a row above it"),
    ] {
        let files = [("quotas.csv:helios-quotas", &*of(rows))];
        assert_eq!(repairs(&files, 0), [(key, 1, vec![3])]);
        assert_eq!(strictly(&files), format!("`quotas.csv`: line 3: {text}"));
        let days = together(&files, false).unwrap().cluster.quotas.unwrap().days;
        assert_eq!(days.len(), if key == "unsorted_day" { 2 } else { 1 }, "{key}");
        assert!(days.is_sorted() && days.iter().any(|(_, gpus)| *gpus == [16, 8]), "{days:?}");
    }
    let quotas = of("2020-04-02,16,16,32\n");
    assert!(together(&[("quotas.csv:helios-quotas", &quotas)], true).is_ok());
    let twice = [("quotas.csv:helios-quotas", &*quotas), ("others.csv:helios-quotas", &*quotas)];
    assert_eq!(
        message(together(&twice, false)),
        "failed to read trace `others.csv`\nanother file of quotas is named already\n\
         hint: name one: each is of a cluster of its own"
    );
}

/// What converting writes can be read: an amount beyond the range is refused where it stands.
#[test]
fn amounts_beyond_the_range_are_refused_and_others_come_back() {
    let pods = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,\
                scheduled_time\n";
    for (name, text, line) in [
        ("pods.csv:openb", format!("{pods}a,12000,16384,9999999999999,1000,,LS,Running,0,100,10\n"), 2),
        ("pods.csv:openb", format!("{pods}a,12000,9007199254740,1,1000,,LS,Running,0,100,10\n"), 2),
        ("list.csv:philly-list", "timestamp,duration,num_gpus,gpu_time,cluster\n0,10,1,0,a\n".to_owned(), 0),
        ("jobs.swf:swf", "1 0 0 5 1 0 0 1 9 9007199254740992 1 1 1 1 1 1 -1 -1\n".to_owned(), 0),
    ] {
        let folder = folder();
        let file = name.split(':').next().unwrap();
        write(&folder, file, text.as_bytes());
        let ran = sim(folder.path(), &["trace", "convert", name, "--out", "native.csv"]);
        if line > 0 {
            let expected =
                format!("\nline {line}: expected amounts within the range of this program, found `");
            assert!(ran.code == 2 && ran.stderr.contains(&expected), "{name}: {}", ran.stderr);
        } else {
            assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
            load(&folder.path().join("native.csv")).unwrap();
        }
    }
}

#[test]
fn shaping_says_what_it_cannot_keep() {
    let folder = folder();
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,start_s,end_s\n1,0,1,a,5,6\n2,9,1,a,9,10\n");
    let lost = "warning: recorded starts and ends are not written";
    for (step, value, said) in [
        ("--compress", "0.5", true),
        ("--thin", "1", true),
        ("--clone", "2", true),
        ("--scale-team", "a=2", true),
        ("--from", "1", false),
    ] {
        let ran = sim(folder.path(), &["trace", "shape", "jobs.csv", step, value]);
        let kept = ran.stdout.lines().next().unwrap().contains("start_s");
        assert_eq!((ran.code, kept, ran.stderr.contains(lost)), (0, !said, said), "{step}: {}", ran.stderr);
    }
    let help = sim(folder.path(), &["trace", "shape", "--help"]).stdout;
    assert!(help.contains("Recorded starts and ends stay where only"), "{help}");
}

#[test]
fn utilization_above_the_whole_is_not_used() {
    let text = "job_id,submit_s,run_s,team,gpu,gpu_utilization\n1,0,9,a,1,10\n2,0,9,a,1,1\n3,0,9,a,1,0.05\n";
    let files = [("jobs.csv", text)];
    assert_eq!(repairs(&files, 0), [("beyond_all", 1, vec![2])]);
    let trace = together(&files, false).unwrap();
    let parts = (0..3).map(|row| trace.extras.get(row).and_then(|extra| extra.gpu_utilization_milli));
    assert_eq!(parts.collect::<Vec<_>>(), [None, Some(1_000), Some(50)]);
}
