//! `sim trace …` as people meet it: help, width, colours, what is said on stderr, how it ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::support::sim;
use crate::trace::folder;

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

fn long_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.chars().count() > 80).collect()
}

#[test]
fn help_fits_a_terminal_and_its_examples_run() {
    let folder = folder();
    let copy = |from: &str, to: &str| std::fs::copy(fixture(from), folder.path().join(to)).unwrap();
    copy("native.csv", "jobs.csv");
    copy("native.csv", "recorded.csv");
    copy("openb-nodes.csv", "nodes.csv");
    copy("openb-pods.csv", "pods.csv");
    copy("small.swf", "old.log");
    let pack = |from: &str, to: &str| {
        let bytes = crate::trace::gzip(&std::fs::read(fixture(from)).unwrap());
        std::fs::write(folder.path().join(to), bytes).unwrap();
    };
    pack("native.csv", "jobs.csv.gz");
    pack("small.swf", "old.log.gz");
    let scenario = "[[pool]]\nname = \"l4\"\nnodes = 2\nnode = { gpu = 4, cpu = 32 }\n";
    std::fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
    // The fixtures have a row for every trap, so the file that `check` is shown with is a clean one.
    let clean = "job_id,submit_s,run_s,team,gpu\n1,0,5,search,1\n2,1507000000,5,ads,1\n";
    std::fs::write(folder.path().join("jobs.csv"), clean).unwrap();
    let mut ran = 0;
    for command in ["inspect", "check", "convert", "synth", "shape"] {
        let help = sim(folder.path(), &["trace", command, "--help"]).stdout;
        assert_eq!(long_lines(&help), Vec::<&str>::new(), "{command}");
        for line in help.lines().filter_map(|line| line.strip_prefix("  sim ")) {
            let program = env!("CARGO_BIN_EXE_sim");
            let line = format!("{program} {}", line.replace("| sim ", &format!("| {program} ")));
            // Ten jobs of a million show as much.
            let line = line.replace("1000000", "10");
            let shell = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
            assert!(shell.status.success(), "{line}: {}", String::from_utf8_lossy(&shell.stderr));
            ran += 1;
        }
    }
    assert_eq!(ran, 14);
    assert_eq!(long_lines(&sim(folder.path(), &["--help"]).stdout), Vec::<&str>::new());
}

#[test]
fn a_trace_is_written_as_its_name_says() {
    let folder = folder();
    std::fs::write(folder.path().join("jobs.csv"), "job_id,submit_s,run_s,team,gpu\n1,0,5,search,1\n")
        .unwrap();
    let convert = |out: &str| sim(folder.path(), &["trace", "convert", "jobs.csv", "--out", out]);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for name in ["out.csv", "out.csv.gz", "out.csv.zst", "out.txt"] {
        assert_eq!(convert(name).code, 0, "{name}");
        let back = sim(folder.path(), &["trace", "convert", name]).stdout;
        assert_eq!(back.as_bytes(), read("out.csv"), "{name}");
    }
    assert_eq!(read("out.csv.gz")[..2], [0x1f, 0x8b]);
    assert_eq!(read("out.csv.zst")[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    for ending in ["parquet", "bz2", "xz"] {
        let ran = convert(&format!("out.{ending}"));
        let expected = format!(
            "error: `out.{ending}`: traces are not written as `.{ending}`\n\
             hint: they are CSV, plain, or packed where the name ends in `.gz` or `.zst`\n"
        );
        assert_eq!((ran.code, ran.stderr), (2, expected));
        assert!(!folder.path().join(format!("out.{ending}")).exists());
    }
}

/// What was repaired and which GPUs there are fit too, however many they are.
#[test]
fn long_lines_of_an_inspection_are_folded() {
    let folder = folder();
    let mut rows = "timestamp,duration,num_gpus,gpu_time,cluster\n".to_owned();
    for row in 0..123_456 {
        rows += if row < 100_000 { "2017-10-03 00:00:00,5,9,5,a\n" } else { "2017-10-03 00:00:00,5,1,5,a\n" };
    }
    std::fs::write(folder.path().join("jobs.csv"), rows).unwrap();
    let mut nodes = "sn,cpu_milli,memory_mib,gpu,model\n".to_owned();
    for model in ["A10", "G2", "G3", "P100", "T4", "V100M16", "V100M32", "H100-SXM5-80GB", "H200-SXM5-141GB"]
    {
        nodes.extend([model, ",96000,1000,1234,", model, "\n"]);
    }
    std::fs::write(folder.path().join("nodes.csv"), nodes).unwrap();
    let shown = sim(folder.path(), &["trace", "inspect", "jobs.csv", "nodes.csv"]).stdout;
    assert_eq!(long_lines(&shown), Vec::<&str>::new());
    assert!(shown.contains("workers of one GPU\n        (lines 2, 3, 4, 5, 6, …)\n"), "{shown}");
    assert!(shown.contains(",\n              V100M32 1,234\n"), "{shown}");
}

#[test]
fn an_inspection_fits_a_terminal_without_colours() {
    let folder = folder();
    let team = "a-team-with-a-name-that-is-much-longer-than-anybody-would-want-to-type-twice";
    let row = format!("job_id,submit_s,run_s,team,gpu\n1,0,1e9,{team},900000\n2,1e9,86400,{team},8\n");
    std::fs::write(folder.path().join("jobs.csv"), row).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    let command = command.args(["trace", "inspect", "jobs.csv"]).current_dir(folder.path());
    let plain = command.output().unwrap();
    let uncoloured = command.env("NO_COLOR", "1").output().unwrap();
    assert_eq!(plain, uncoloured);
    let text = String::from_utf8(plain.stdout).unwrap();
    assert_eq!((plain.status.code(), plain.stderr), (Some(0), Vec::new()));
    assert!(!text.contains('\u{1b}'));
    assert_eq!(long_lines(&text), Vec::<&str>::new(), "{text}");
    assert!(text.contains("\na-team-with-a-name-that-is-much-lon… "), "{text}");
}

#[test]
fn lists_of_machines_and_quotas_are_shown_without_empty_tables() {
    let folder = folder();
    let nodes = sim(folder.path(), &["trace", "inspect", &fixture("openb-nodes.csv")]);
    let (_, text) = nodes.stdout.split_once("\n\n").unwrap();
    assert_eq!(
        text,
        "rows          2\njobs          0\nnodes         2\nGPUs          V100M32 8\n\nrepairs: none\n"
    );
    let path = folder.path().join("quotas.csv");
    let days = "2020-04-01,8,0,8\n2020-04-02,8,0,8\n2020-04-03,16,4,20\n2020-04-04,0,4,4\n2020-04-05,8,4,12\n\
                2020-04-06,16,4,20\n";
    std::fs::write(&path, format!("date,vcA,vcB,total\n{days}")).unwrap();
    let quotas = sim(folder.path(), &["trace", "inspect", "quotas.csv"]);
    let (_, text) = quotas.stdout.split_once("\n\n").unwrap();
    let line = "quotas        2 teams, 6 days, 8 GPUs on the first, 20 on the last";
    assert_eq!(text, format!("rows          6\njobs          0\n{line}\n\nrepairs: none\n"));
    let json = sim(folder.path(), &["trace", "inspect", "quotas.csv", "-o", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!([
        {"from_s": 1_585_699_200, "gpus": 0}, {"from_s": 1_585_872_000, "gpus": 4},
    ]);
    assert_eq!(json["quotas"]["teams"]["vcB"], expected);
    let ran = sim(folder.path(), &["trace", "convert", "quotas.csv", "--scenario", "pools.toml", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let scenario = std::fs::read_to_string(folder.path().join("pools.toml")).unwrap();
    assert_eq!(
        scenario,
        "\
[[pool]]
name = \"gpu\"
nodes = 3
node = { gpu = 8 }

[[capacity]]
pool = \"gpu\"
from = \"2020-04-01 00:00:00\"
nodes = 1

[[capacity]]
pool = \"gpu\"
from = \"2020-04-03 00:00:00\"
nodes = 3

[[capacity]]
pool = \"gpu\"
from = \"2020-04-04 00:00:00\"
nodes = 1

[[capacity]]
pool = \"gpu\"
from = \"2020-04-05 00:00:00\"
nodes = 2

[[capacity]]
pool = \"gpu\"
from = \"2020-04-06 00:00:00\"
nodes = 3

# GPUs: 8 from 2020-04-01, 16 from 2020-04-03, 0 from 2020-04-04, 8 from 2020-04-05
#       16 from 2020-04-06
[[team]]
name = \"vcA\"
weight = 16
quota = { gpu = { gpu = 16 } }

# GPUs: 0 from 2020-04-01, 4 from 2020-04-03
[[team]]
name = \"vcB\"
weight = 4
quota = { gpu = { gpu = 4 } }

"
    );
    // What was written is a scenario.
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,5,vcA,1\n";
    std::fs::write(folder.path().join("jobs.csv"), jobs).unwrap();
    let ran = sim(folder.path(), &["run", "pools.toml", "--trace", "jobs.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn hours_by_type_are_shown_most_first() {
    let folder = folder();
    let rows = (1..=9).fold("job_id,submit_s,run_s,team,gpu,accelerators\n".to_owned(), |rows, job| {
        rows + &format!("{job},{job},36000,a,{job},accelerator-{job}:1|T4:0.5\n")
    });
    std::fs::write(folder.path().join("jobs.csv"), rows).unwrap();
    let text = sim(folder.path(), &["trace", "inspect", "jobs.csv"]).stdout;
    let line = "by type       accelerator-9 90, accelerator-8 80, accelerator-7 70 and 6 more";
    assert!(text.lines().any(|shown| shown == line), "{text}");
    assert_eq!(long_lines(&text), Vec::<&str>::new());
}

/// `kubectl get nodes -o json` gives the pools of a scenario.
#[test]
fn nodes_of_a_cluster_become_pools() {
    let folder = folder();
    let node = |name: &str, extra: &str| {
        format!(
            "{{\"kind\": \"Node\", \"metadata\": {{\"name\": \"{name}\", \"labels\": {{\"nvidia.com/gpu.product\": \
             \"NVIDIA-H200\"}}}}, \"spec\": {{{extra}}}, \"status\": {{\"allocatable\": {{\"cpu\": \"191500m\", \
             \"memory\": \"2000Gi\", \"nvidia.com/gpu\": \"8\", \"pods\": \"110\"}}}}}}"
        )
    };
    let nodes = [node("a", ""), node("b", ""), node("c", "\"unschedulable\": true")].join(",\n");
    let list = format!("{{\"apiVersion\": \"v1\", \"items\": [\n{nodes}], \"kind\": \"List\"}}\n");
    std::fs::write(folder.path().join("nodes.json"), list).unwrap();
    let ran = sim(folder.path(), &["trace", "convert", "nodes.json", "--scenario", "pools.toml"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            0,
            "format: `nodes.json` reads as kueue\n\
             warning: `nodes.json`: nodes that take no pods are left out: 1\n0 jobs written\n"
        )
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("pools.toml")).unwrap(),
        "[[pool]]\nname = \"nvidia-h200\"\naccelerator = \"NVIDIA-H200\"\nnodes = 2\n\
         node = { gpu = 8, cpu = 191.5, memory = \"2000GiB\" }\n\n"
    );
}

#[test]
fn the_guessed_format_is_said() {
    let folder = folder();
    std::fs::copy(fixture("small.swf"), folder.path().join("old.log")).unwrap();
    for arguments in [&["convert", "old.log"][..], &["shape", "old.log", "--thin", "1"]] {
        let ran = sim(folder.path(), &[&["trace"], arguments].concat());
        assert!(ran.stderr.starts_with("format: `old.log` reads as swf\n"), "{}", ran.stderr);
        let named = sim(folder.path(), &[&["trace", arguments[0], "old.log:swf"], &arguments[2..]].concat());
        assert_eq!(named.stdout, ran.stdout);
        assert!(!named.stderr.contains("reads as"), "{}", named.stderr);
    }
    let ran = sim(folder.path(), &["trace", "inspect", "old.log"]);
    assert!(ran.stdout.starts_with("old.log  format swf (told from its content)\n"), "{}", ran.stdout);
}

/// `-` is standard input with a format as well, for every command that takes a trace.
#[test]
fn standard_input_may_have_a_format() {
    let folder = folder();
    std::fs::write(
        folder.path().join("scenario.toml"),
        "[[pool]]\nname = \"a\"\nnodes = 9\nnode = { cpu = 64 }\n",
    )
    .unwrap();
    let shell = |command: &str| {
        let line = format!("{} {command} < {}", env!("CARGO_BIN_EXE_sim"), fixture("small.swf"));
        let shell = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
        (
            shell.status.code(),
            String::from_utf8(shell.stdout).unwrap(),
            String::from_utf8(shell.stderr).unwrap(),
        )
    };
    let (code, stdout, _) = shell("trace inspect -:swf");
    assert_eq!((code, stdout.lines().next()), (Some(0), Some("-  format swf (as named)")));
    for command in ["trace convert -:swf", "trace shape -:swf --thin 1", "run scenario.toml --trace -:swf"] {
        assert_eq!(shell(command).0, Some(0), "{command}");
    }
    let (code, _, stderr) = shell("trace check -:swv");
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: failed to read trace `-:swv`\nunknown format `swv`\n"), "{stderr}");
}

#[test]
fn a_scenario_names_the_throughputs_of_gavels_jobs() {
    let folder = folder();
    let copy = |name: &str| std::fs::copy(fixture(name), folder.path().join(name)).unwrap();
    copy("gavel.tsv");
    copy("gavel-throughputs.json");
    let scenario = |throughputs: &str| {
        let pool = "[[pool]]\nname = \"v100\"\naccelerator = \"V100\"\nnodes = 2\nnode = { gpu = 8 }\n";
        let text = format!("{pool}\n[trace.gavel]\nthroughputs = \"{throughputs}\"\n");
        std::fs::write(folder.path().join("scenario.toml"), text).unwrap();
    };
    scenario("gavel-throughputs.json");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "gavel.tsv", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&summary["jobs"]["submitted"], &summary["jobs"]["completed"]), (&2.into(), &2.into()));
    scenario("../gavel-throughputs.json");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "gavel.tsv"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "\
error: the throughput table lies outside the scenario's folder
 --> scenario.toml:8:15
  |
8 | throughputs = \"../gavel-throughputs.json\"
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected a relative path that stays inside it
  |
  = hint: name it on the command line instead: `--trace FILE`
"
    );
}

/// The program in a folder, with the beginning of a trace on its standard input.
#[cfg(unix)]
fn begun(folder: &Path, arguments: &[&str]) -> (Child, ChildStdin) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"job_id,submit_s,run_s,team\n").unwrap();
    (child, stdin)
}

/// The same with more than a pipe holds: once that is written, somebody reads and has set up what an interrupt does.
#[cfg(unix)]
fn reading(folder: &Path, arguments: &[&str]) -> (Child, ChildStdin) {
    let (child, mut stdin) = begun(folder, arguments);
    for job in 0..30_000 {
        writeln!(stdin, "{job},{job},5,search").unwrap();
    }
    (child, stdin)
}

/// Interrupts a program; a shell holds `pipe` meanwhile, so that what is written to it ends in the very moment.
#[cfg(unix)]
fn interrupt(child: &Child, pipe: impl Into<Stdio>) {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).stdout(pipe).status().unwrap().success());
}

/// Waiting for standard input is not asked whether it wants to stop, and must end all the same; also where the pipe ends
/// with the interrupt, as one does whose writer gets the same.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_what_waits_for_standard_input() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/demo");
    let commands = [&["trace", "inspect", "-"][..], &["run", "scenario.toml", "--trace", "-"]];
    for arguments in commands.iter().cycle().take(24) {
        let (child, stdin) = reading(&demo, arguments);
        interrupt(&child, stdin);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(130), "{arguments:?}: {said}");
        // Two threads may know of it, and one says it.
        assert!(
            said.starts_with("interrupted") && said.ends_with("there is no result\n"),
            "{arguments:?}: {said}"
        );
        assert_eq!(said.matches("interrupted").count(), 1, "{arguments:?}: {said}");
    }
}

/// Nothing is left to do when the interrupt comes, so that the end of the pipe is met at once: the thread that handles
/// interrupts is not asked in time, and the program must know by itself.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_is_no_end_of_the_trace() {
    for _ in 0..16 {
        let (mut child, mut stdin) = begun(Path::new("."), &["trace", "inspect", "-"]);
        stdin.write_all(b"1,0,5,a\n").unwrap();
        // It catches interrupts, and sleeps: it waits for more.
        let waits = |status: String| {
            let field = |name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
            };
            let caught = u64::from_str_radix(&field("SigCgt:"), 16).unwrap();
            caught & 2 > 0 && field("State:").starts_with('S')
        };
        while !waits(std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap()) {
            std::thread::yield_now();
        }
        interrupt(&child, stdin);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}

/// What is not whole when the program is interrupted is gone, also what stood beside the final name meanwhile.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_half_file() {
    let folder = folder();
    let (mut child, stdin) = reading(folder.path(), &["trace", "convert", "-", "--out", "jobs.csv"]);
    assert!(folder.path().join(".jobs.csv.partial").exists(), "it is read, so it is being written");
    interrupt(&child, Stdio::null());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_trace_without_machines_makes_no_scenario_and_clones_are_bounded() {
    let folder = folder();
    std::fs::write(folder.path().join("t.csv"), "job_id,submit_s,run_s,team\n1,0,1,a\n").unwrap();
    let ran = sim(folder.path(), &["trace", "convert", "t.csv", "--scenario", "s.toml", "--out", "x.csv"]);
    let said = "error: no scenario is written: the trace names no machines and no quotas\n\
                hint: `sim init` prints a scenario to begin with\n";
    assert!(ran.code == 2 && ran.stderr.ends_with(said), "{ran:?}");
    assert!(!folder.path().join("s.toml").exists());
    for (options, said) in [
        (["--thin", "2", "--seed", "1"], "error: `--thin`: expected a probability from 0 to 1, found `2`\n"),
        (["--from", "9", "--until", "3"], "error: `--from` is not before `--until`: nothing would be left\n"),
    ] {
        let ran = sim(folder.path(), &[&["trace", "shape", "t.csv"], &options[..]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (2, said));
    }
    let ran = sim(folder.path(), &["trace", "shape", "t.csv", "--clone", "1000000000"]);
    assert!(ran.code == 2 && ran.stderr.contains("1..=1000"), "{ran:?}");
}

#[test]
fn an_inspection_as_csv_has_a_line_for_every_value() {
    let folder = folder();
    std::fs::write(folder.path().join("a, b.csv"), "job_id,submit_s,run_s,team\n1,0,1,a\n").unwrap();
    let ran = sim(folder.path(), &["trace", "inspect", "a, b.csv", "-o", "csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut rows = csv::Reader::from_reader(ran.stdout.as_bytes());
    let rows: Vec<(String, String)> = rows.deserialize().map(Result::unwrap).collect();
    assert!(rows.contains(&("schema".to_owned(), "sim.inspect/1".to_owned())), "{rows:?}");
    assert!(rows.contains(&("jobs".to_owned(), "1".to_owned())), "{rows:?}");
    let ran = sim(folder.path(), &["trace", "inspect", "a, b.csv", "-o", "json"]);
    let mut values = Vec::new();
    plain_values(&serde_json::from_str(&ran.stdout).unwrap(), &mut values);
    assert_eq!(rows.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(), values);
    let paths: std::collections::BTreeSet<&str> = rows.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths.len(), rows.len(), "{rows:?}");
}

/// The values of JSON that hold no others, in the order of their keys.
fn plain_values(value: &serde_json::Value, values: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => map.values().for_each(|value| plain_values(value, values)),
        Value::Array(list) => list.iter().for_each(|value| plain_values(value, values)),
        Value::Null => values.push(String::new()),
        Value::String(text) => values.push(text.clone()),
        other => values.push(other.to_string()),
    }
}

/// A full disk is no success, whatever was to be printed.
#[cfg(target_os = "linux")]
#[test]
fn help_onto_a_full_disk_fails() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_sim")).arg("--help").stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(4), "{}", String::from_utf8_lossy(&ran.stderr));
}
