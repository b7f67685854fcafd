//! The program from outside: whole messages, exit codes, files, equal bytes.

use std::path::Path;

use crate::support::{Ran, sim};
use crate::trace::{folder, gzip, write};

pub(crate) const SCENARIO: &str = "\
[[pool]]
name = \"l4\"
nodes = 2
node = { gpu = 4 }

[[team]]
name = \"search\"
";
pub(crate) const JOBS: &str = "job_id,submit_s,run_s,team,gpu\na,0,10,search,1\nb,5,10,ads,4\n";

/// A folder with a scenario, and a trace of these rows.
pub(crate) fn set_up(scenario: &str, jobs: &[u8]) -> tempfile::TempDir {
    let folder = folder();
    write(&folder, "scenario.toml", scenario.as_bytes());
    write(&folder, "jobs.csv", jobs);
    folder
}

pub(crate) fn run_with(scenario: &str, jobs: &[u8], more: &[&str]) -> Ran {
    let folder = set_up(scenario, jobs);
    let mut arguments = vec!["run", "scenario.toml", "--trace", "jobs.csv"];
    arguments.extend(more);
    sim(folder.path(), &arguments)
}

/// A refusal: nothing on stdout, exit code 2, and this message.
pub(crate) fn refused(scenario: &str, jobs: &[u8], more: &[&str], message: &str) {
    let ran = run_with(scenario, jobs, more);
    let expected = Ran { code: 2, stdout: String::new(), stderr: format!("{message}\n") };
    assert_eq!(ran.stderr, expected.stderr);
    assert_eq!(ran, expected);
}

pub(crate) fn scenario_refused(from: &str, to: &str, message: &str) {
    assert!(SCENARIO.contains(from), "{from}");
    refused(&SCENARIO.replace(from, to), JOBS.as_bytes(), &[], message);
}

#[test]
fn unknown_keys_and_values_are_shown_with_a_suggestion() {
    scenario_refused(
        "nodes",
        "ndoes",
        "\
error: unknown key `ndoes` in a pool
 --> scenario.toml:3:1
  |
3 | ndoes = 2
  | ^^^^^ expected one of `name`, `accelerator`, `cloud`, `region`, `nodes`, `node`, `divisible`, `price`, `fabric`, `domains`, `domain_nodes`, `datasets`, `link_gbps` or `speed`
  |
  = hint: did you mean `nodes`?",
    );
    scenario_refused(
        "[[team]]\n",
        "[policy]\norder = \"fiffo\"\n\n[[team]]\n",
        "\
error: unknown order `fiffo`
 --> scenario.toml:7:9
  |
7 | order = \"fiffo\"
  |         ^^^^^^^ expected one of `drf`, `drf-current`, `hdrf`, `fifo`, `sjf`, `priority`, `static`, `fair-tree`, `multifactor`, `gavel` or `kueue`
  |
  = hint: did you mean `fifo`?",
    );
    scenario_refused(
        "name = \"search\"",
        "name = \"search\"\nparent = \"serach\"",
        "\
error: unknown parent `serach`
 --> scenario.toml:8:10
  |
8 | parent = \"serach\"
  |          ^^^^^^^^ there is no team of this name
  |
  = hint: did you mean `search`?",
    );
}

#[test]
fn weights_are_above_zero() {
    for weight in ["0", "-2.5", "0.0"] {
        let carets = "^".repeat(weight.len());
        scenario_refused(
            "name = \"search\"",
            &format!("name = \"search\"\nweight = {weight}"),
            &format!(
                "\
error: `weight` is not what it should be
 --> scenario.toml:8:10
  |
8 | weight = {weight}
  |          {carets} expected a decimal number above zero, such as `2` or `0.1`, found `{weight}`"
            ),
        );
    }
}

#[test]
fn pools_have_nodes_and_amounts_that_can_be_counted() {
    scenario_refused(
        "nodes = 2",
        "nodes = 0",
        "\
error: `nodes` is not what it should be
 --> scenario.toml:3:9
  |
3 | nodes = 0
  |         ^ expected a whole number from 1 to 4294967295, found `0`",
    );
    scenario_refused(
        "nodes = 2",
        "nodes = 9223372036854775808",
        "\
error: `nodes` is not what it should be
 --> scenario.toml:3:9
  |
3 | nodes = 9223372036854775808
  |         ^^^^^^^^^^^^^^^^^^^ expected a whole number from 1 to 4294967295, found `9223372036854775808`",
    );
    scenario_refused(
        "gpu = 4",
        "gpu = 18446744073709551",
        "\
error: the pool has too much `gpu`
 --> scenario.toml:4:16
  |
4 | node = { gpu = 18446744073709551 }
  |                ^^^^^^^^^^^^^^^^^ 2 nodes of it pass the largest amount that can be counted",
    );
}

#[test]
fn names_are_unique_and_parents_form_a_tree() {
    scenario_refused(
        "name = \"search\"",
        "name = \"search\"\n\n[[team]]\nname = \"search\"",
        "\
error: team `search` is defined twice
  --> scenario.toml:10:8
   |
10 | name = \"search\"
   |        ^^^^^^^^ this name is taken by a team above",
    );
    scenario_refused(
        "name = \"search\"",
        "name = \"search\"\nparent = \"search\"",
        "\
error: the parents of team `search` form a cycle
 --> scenario.toml:8:10
  |
8 | parent = \"search\"
  |          ^^^^^^^^ this team is its own ancestor",
    );
}

#[test]
fn quotas_name_pools_and_resources_that_are_there() {
    scenario_refused(
        "name = \"search\"",
        "name = \"search\"\nquota = { l5 = { gpu = 3 } }\nlimit = { l4 = { disk = 3 } }",
        "\
error: unknown pool `l5` in `quota`
 --> scenario.toml:8:11
  |
8 | quota = { l5 = { gpu = 3 } }
  |           ^^ the scenario has no pool of this name
  |
  = hint: did you mean `l4`?

error: pool `l4` has no `disk`
 --> scenario.toml:9:18
  |
9 | limit = { l4 = { disk = 3 } }
  |                  ^^^^ a node of the pool does not name this resource",
    );
    scenario_refused(
        "name = \"search\"",
        "name = \"search\"\nquota = { l4 = { gpu = 9 } }",
        "error: the scheduler refuses the scenario: the quotas of `gpu` in pool `l4` add up to more than the pool has",
    );
}

#[test]
fn prices_are_for_all_pools_or_for_none() {
    scenario_refused(
        "[[team]]\n",
        "[[pool]]\nname = \"h200\"\nnodes = 1\nnode = { gpu = 8 }\nprice = { gpu_hour = 3.5 }\n\n[[team]]\n",
        "\
error: some pools have a price and some have none
 --> scenario.toml:2:8
  |
2 | name = \"l4\"
  |        ^^^^ `l4` has no `price`
  |
  = hint: price every pool, or none: a cost that leaves pools out would mislead",
    );
}

#[test]
fn the_scenario_must_be_there_and_be_toml() {
    let folder = folder();
    let ran = sim(folder.path(), &["run", "none.toml", "--trace", "jobs.csv"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (2, "error: failed to read scenario `none.toml`\nthere is no such file\n")
    );
    refused(
        "a = = b\n",
        JOBS.as_bytes(),
        &[],
        "\
error: the text is not valid TOML
 --> scenario.toml:1:5
  |
1 | a = = b
  |     ^ extra `=`, expected nothing",
    );
}

#[test]
fn overrides_are_shown_where_they_were_written() {
    let pool = "\
error: unknown pool `l5`
 --> --set:1:6
  |
1 | pool.l5.nodes = 3
  |      ^^ the scenario has no pool of this name
  |
  = hint: did you mean `l4`?";
    refused(SCENARIO, JOBS.as_bytes(), &["--set", "pool.l5.nodes=3"], pool);
    let policy = "\
error: unknown backfill `some`
 --> --policy:1:19
  |
1 | policy.backfill = \"some\"
  |                   ^^^^^^ expected one of `none` or `best-effort`";
    let ran = run_with(SCENARIO, JOBS.as_bytes(), &["--policy", "fifo,backfill=some"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.starts_with(policy.split(" expected").next().unwrap()), "{}", ran.stderr);
    let more = run_with(SCENARIO, JOBS.as_bytes(), &["--set", "pool.l4.nodes=1", "-o", "json"]);
    assert_eq!(more.code, 0, "{}", more.stderr);
    assert!(more.stdout.contains("\"nodes\": 1,"), "{}", more.stdout);
}

#[test]
fn traces_that_cannot_be_read_are_refused() {
    let cut = gzip(JOBS.as_bytes());
    let cases: [(&[u8], &str); 6] = [
        (b"", "the file is empty\nhint: a trace has at least a header line"),
        (b"job_id,submit_s,team\na,0,x\n", "line 1: the column `run_s` is missing"),
        (b"job_id,submit_s,run_s,team\na,0,1o,x\n", "line 2, column `run_s`: expected"),
        (b"job_id,submit_s,run_s,team\na,0,10,x,y\n", "line 2"),
        (b"job_id,submit_s,run_s,team\na,0,10,\xff\n", "line 2, column `team`"),
        (
            &cut[..cut.len() - 9],
            "line 3, character 13, column `gpu`: expected more gzip data, found the end of the file\nhint: ",
        ),
    ];
    for (bytes, part) in cases {
        let ran = run_with(SCENARIO, bytes, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: failed to read trace `jobs.csv`\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "expected `{part}` in {}", ran.stderr);
    }
    let folder = set_up(SCENARIO, b"");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "none.csv"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (2, "error: failed to read trace `none.csv`\nthere is no such file\n")
    );
    let ran = sim(folder.path(), &["run", "scenario.toml"]);
    let message = "error: scenario `scenario.toml` names no trace\n\
                   hint: give one with `--trace FILE`, or set `path` in `[trace]`\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
}

#[test]
fn rows_without_sense_are_counted_and_shown_and_refused_under_strict() {
    let jobs = "job_id,submit_s,run_s,team,gpu\na,5,10,search,1\nb,0,10,search,1\nb,7,10,search,1\nc,8,-3,search,1\n";
    let ran = run_with(SCENARIO, jobs.as_bytes(), &["-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for line in [
        "repaired: `jobs.csv`, 1 row: the job id came before (line 4)",
        "repaired: `jobs.csv`, 1 row: the run time is negative (line 5)",
        "repaired: `jobs.csv`, 1 row: submitted before the row above it (line 3)",
    ] {
        assert!(ran.stderr.lines().any(|said| said == line), "{line}\n{}", ran.stderr);
    }
    assert!(ran.stdout.contains("\"submitted\": 2,"), "{}", ran.stdout);
    refused(
        SCENARIO,
        jobs.as_bytes(),
        &["--strict"],
        "error: failed to read trace `jobs.csv`\nline 3: submitted before the row above it\n\
         hint: without --strict such rows are sorted in and counted",
    );
}

#[test]
fn teams_only_in_the_trace_are_created_or_refused() {
    let ran = run_with(SCENARIO, JOBS.as_bytes(), &[]);
    let warning = "warning: 1 team named only by jobs, created under the root with weight 1: `ads`";
    assert!(ran.stderr.lines().any(|line| line == warning), "{}", ran.stderr);
    refused(
        &format!("{SCENARIO}\n[teams]\nunknown = \"error\"\n"),
        JOBS.as_bytes(),
        &[],
        "error: the trace names team `ads`, which the scenario does not have\n\
         hint: add a `[[team]]`, or set `teams.unknown = \"create\"`",
    );
}

#[test]
fn gates_end_with_one_and_wrong_gates_with_two() {
    let ran = run_with(SCENARIO, JOBS.as_bytes(), &["--fail-if", "jobs.submitted >= 2", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "gate failed: jobs.submitted >= 2: it is 2\n"));
    assert!(ran.stdout.starts_with("policy "), "the result is printed all the same");
    let ran = run_with(SCENARIO, JOBS.as_bytes(), &["--fail-if", "jobs.submitted > 2", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    refused(
        SCENARIO,
        JOBS.as_bytes(),
        &["--fail-if", "jobs.submited > 2"],
        "error: `--fail-if jobs.submited > 2`: the summary has no `jobs.submited`\nhint: did you mean `submitted`?",
    );
    refused(
        SCENARIO,
        JOBS.as_bytes(),
        &["--fail-if", "cost.total > 2"],
        "error: `--fail-if cost.total > 2`: `cost.total` has no value in this run\nhint: give every pool a `price`",
    );
}

#[test]
fn results_are_the_same_bytes_twice_and_wherever_they_go() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let run = |out: &str| {
        let ran =
            sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "--check", "--out", out]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    };
    run("one");
    run("two");
    let read = |out: &str, name: &str| std::fs::read_to_string(folder.path().join(out).join(name)).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder.path().join("one"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "decisions.csv",
            "jobs.csv",
            "manifest.json",
            "metrics.txt",
            "report.html",
            "series.csv",
            "summary.json"
        ]
    );
    for name in &names {
        assert_eq!(read("one", name), read("two", name), "{name}");
    }
    let jobs = "\
job_id,team,user,cost_owner,pool,nodes,workers,gpu,cpu,memory_gib,priority,submit_s,start_s,end_s,wait_s,run_s,status,\
preemptions,lost_s,cost_usd,reason
a,search,,search,l4,1,1,1,0,0,,0,0,10,0,10,completed,0,0,,
b,ads,,ads,l4,1,1,4,0,0,,5,5,15,0,10,completed,0,0,,
";
    assert_eq!(read("one", "jobs.csv"), jobs);
    let decisions = "time_s,action,job_id,attempt,pool,workers,reason,for_job,lost_s\n0,start,a,1,l4,1,,,\n5,start,b,1,l4,1,,,\n";
    assert_eq!(read("one", "decisions.csv"), decisions);
    let page = read("one", "report.html");
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("http://") && !page.contains("https://"));
}

#[test]
fn rows_of_one_instant_may_come_in_any_order() {
    let header = "job_id,submit_s,run_s,team,priority,gpu\n";
    let mut rows: Vec<String> = (0..40)
        .map(|job| format!("{job},{},{},t{},,{}\n", job / 10, 5 + job % 7, job % 3, 1 + job % 4))
        .collect();
    let result = |rows: &[String]| {
        let ran = run_with(SCENARIO, format!("{header}{}", rows.concat()).as_bytes(), &["-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        value.as_object_mut().unwrap().remove("provenance").unwrap();
        value.to_string()
    };
    let sorted = result(&rows);
    // Any permutation within an instant: here each ten are reversed and then rotated.
    for ten in rows.chunks_mut(10) {
        ten.reverse();
        ten.rotate_left(3);
    }
    assert_eq!(result(&rows), sorted);
}

/// Who cannot be told is told by the exit code alone.
#[test]
fn a_full_disk_under_standard_error_changes_no_exit_code() {
    use std::os::unix::fs::FileTypeExt as _;
    let full = Path::new("/dev/full");
    if !std::fs::metadata(full).is_ok_and(|meta| meta.file_type().is_char_device()) {
        return;
    }
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let run = ["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--fail-if"];
    for (arguments, code) in [
        (&[&run[..], &["wait.mean >= 0s"]].concat()[..], 1),
        (&[&run[..], &["wait.mean < 0s"]].concat(), 0),
        (&["run", "scenario.toml", "--trace", "jobs.csv"], 0),
        (&["run", "nowhere.toml"], 2),
        (&["run", "--no-such-option"], 2),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sim"));
        command.current_dir(folder.path()).args(arguments).stdout(std::process::Stdio::null());
        let status =
            command.stderr(std::fs::File::options().write(true).open(full).unwrap()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_and_a_folder_in_the_way_end_with_four() {
    use std::os::unix::fs::FileTypeExt as _;
    let full = Path::new("/dev/full");
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    if std::fs::metadata(full).is_ok_and(|meta| meta.file_type().is_char_device()) {
        let ran = sim(folder.path(), &["demo", "-q", "--report", "/dev/full"]);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (4, "error: failed to write `/dev/full`\nno space left on device\n")
        );
        assert!(std::fs::metadata(full).unwrap().file_type().is_char_device(), "a device is not replaced");
    }
    write(&folder, "taken", b"");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "taken"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (4, "error: failed to write `taken`\nfile exists\n"));
}

#[test]
fn a_static_partition_needs_quotas_and_classes_may_stay_within_a_team() {
    let message = "\
error: the order `static` gives each team its quota, and no team has one
 --> --policy:1:16
  |
1 | policy.order = \"static\"
  |                ^^^^^^^^ expected a `quota` at one `[[team]]` or more
  |
  = hint: write `quota = { POOL = { gpu = 8 } }`, or take another order, such as `drf`";
    refused(SCENARIO, JOBS.as_bytes(), &["--policy", "static"], message);
    let message = "\
error: `--policy drf,order=static` names two orders
hint: the name is the order: write `drf` or `static` first";
    refused(SCENARIO, JOBS.as_bytes(), &["--policy", "drf,order=static"], message);
    let within = ["--policy", "drf,priority=within-team,backfill=none", "-o", "json"];
    let ran = run_with(SCENARIO, JOBS.as_bytes(), &within);
    let label = "\"policy\": \"drf,backfill=none,priority=within-team\"";
    assert!(ran.stdout.contains(label), "{}", ran.stdout);
}
