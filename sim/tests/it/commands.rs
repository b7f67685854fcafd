//! What single commands do: compare, help, init, demo; and what was mended in scenarios since.

use std::path::Path;

use clap::CommandFactory as _;
use fairshare_sim::cli::Cli;

use crate::cli::{JOBS, SCENARIO, refused, run_with, scenario_refused, set_up};
use crate::support::{Ran, sim, sim_with};
use crate::trace::folder;

/// 400 jobs of two teams on two GPUs: short ones of `b` stand behind long ones of `a`.
fn contended() -> String {
    let row = |job: usize| {
        let (team, run) = if job.is_multiple_of(4) { ("a", 40) } else { ("b", 3) };
        format!("{job},{},{run},{team},1\n", job * 7)
    };
    format!("job_id,submit_s,run_s,team,gpu\n{}", (0..400).map(row).collect::<Vec<_>>().concat())
}

#[test]
fn limits_bind_beside_reservations() {
    let limited = SCENARIO.replace("name = \"search\"", "name = \"search\"\nlimit = { l4 = { gpu = 1 } }");
    let jobs = b"job_id,submit_s,run_s,team,gpu,time_limit_s\na,0,10,search,1,20\nb,0,10,search,1,20\n";
    for backfill in ["easy", "conservative"] {
        let policy = format!("drf,backfill={backfill}");
        let waited =
            run_with(&limited, jobs, &["--check", "--policy", &policy, "--fail-if", "wait.max < 10s"]);
        assert_eq!(waited.code, 0, "the second job waits for the first: {}", waited.stderr);
    }
    let default = run_with(&limited, jobs, &["-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&default.stdout).unwrap();
    assert_eq!(value["policy"], "drf,backfill=easy", "{}", default.stderr);
    assert!(!default.stderr.contains("best-effort"), "{}", default.stderr);
}

#[test]
fn policies_are_compared_job_by_job() {
    let folder = set_up(
        &SCENARIO.replace("nodes = 2\nnode = { gpu = 4 }", "nodes = 1\nnode = { gpu = 2 }"),
        contended().as_bytes(),
    );
    let compare = |more: &[&str]| {
        let mut arguments = vec!["compare", "scenario.toml", "--trace", "jobs.csv", "-q"];
        arguments.extend(["--policy", "fifo,backfill=none", "--policy", "sjf", "--policy", "drf"]);
        arguments.extend(more);
        sim(folder.path(), &arguments)
    };
    let json = compare(&["-o", "json"]);
    assert_eq!(json.code, 0, "{}", json.stderr);
    assert_eq!(json, compare(&["-o", "json"]), "threads do not show");
    let value: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(value["schema"], "sim.compare/1");
    assert_eq!(value["baseline"], "fifo,backfill=none");
    let means: Vec<f64> =
        (0..3).map(|run| value["policies"][run]["wait_s"]["mean"].as_f64().unwrap()).collect();
    for (index, difference) in value["differences"].as_array().unwrap().iter().enumerate() {
        let mean = difference["wait_s"]["mean"].as_f64().unwrap();
        assert!((mean - (means[index + 1] - means[0])).abs() < 1e-6, "{value}");
        assert_eq!(difference["wait_s"]["jobs"], 400);
    }
    let alone = sim(
        folder.path(),
        &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--policy", "sjf", "-o", "json"],
    );
    let alone: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
    assert_eq!(alone["digest"], value["policies"][1]["digest"], "alone and beside others");
    let table = compare(&["--baseline", "drf"]);
    assert!(table.stdout.contains("mean wait per job against drf, with a 95 % interval"), "{}", table.stdout);
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 80), "{}", table.stdout);
    let wrong = compare(&["--baseline", "dfr"]);
    let message =
        "error: `--baseline dfr` is none of the policies\nhint: name it as it stands after one `--policy`\n";
    assert_eq!((wrong.code, wrong.stderr.as_str()), (2, message));
}

#[test]
fn help_names_only_what_is_built() {
    let ran = sim(Path::new("."), &["--help"]);
    assert_eq!(ran.code, 0);
    for command in ["demo", "run", "init", "completions"] {
        assert!(ran.stdout.contains(&format!("\n  {command} ")), "{}", ran.stdout);
    }
    for later in ["sweep", "forecast"] {
        assert!(!ran.stdout.contains(&format!("\n  {later} ")), "{}", ran.stdout);
    }
    assert_eq!(sim(Path::new("."), &["run"]).code, 2);
}

#[test]
fn the_scenario_of_init_runs() {
    let folder = folder();
    let scenario = sim(folder.path(), &["init"]).stdout;
    let jobs = "job_id,submit_s,run_s,team,gpu\na,0,10,vision,8\n";
    let ran = run_with(&scenario, jobs.as_bytes(), &["-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn the_demo_needs_no_file_and_writes_its_report() {
    let folder = folder();
    let ran = sim(folder.path(), &["demo"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    assert!(readme.contains(&ran.stdout), "README.md shows another table than this:\n{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(folder.path().join("report.html").is_file());
}

/// The README says how many nodes of H200 keep the demo's waits short.
#[test]
fn the_loop_over_sizes_finds_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let lines: Vec<&str> = readme.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("for nodes in ")).unwrap();
    let sizes = lines[at].trim_start_matches("for nodes in ").trim_end_matches("; do").split(' ');
    let enough = sizes.into_iter().find(|nodes| {
        let size = format!("pool.north-h200.nodes={nodes}");
        let run = ["run", "traces/demo/scenario.toml", "--set", &size, "--fail-if", "wait.p95 > 4h", "-q"];
        assert!(lines[at + 2].contains("--fail-if 'wait.p95 > 4h' -q"), "{}", lines[at + 2]);
        sim(&root, &run).code == 0
    });
    let said = format!("want {} nodes of H200", enough.unwrap());
    assert!(readme.contains(&said), "README.md does not say: {said}");
}

/// All orders of `items`.
fn permutations(items: &[&str]) -> Vec<Vec<String>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in items.iter().enumerate() {
        let mut others = items.to_vec();
        others.remove(index);
        for mut rest in permutations(&others) {
            rest.insert(0, (*first).to_owned());
            all.push(rest);
        }
    }
    all
}

#[test]
fn mixed_names_of_one_instant_run_in_one_order_however_the_rows_stand() {
    let expected = ["7", "007", "10", "12a", "a"].map(str::to_owned);
    for names in permutations(&["10", "12a", "7", "007", "a"]) {
        let rows = names.iter().fold(String::new(), |rows, name| rows + name + ",0,10,search,4\n");
        let trace = format!("job_id,submit_s,run_s,team,gpu\n{rows}");
        let finished = crate::support::simulate(&SCENARIO.replace("nodes = 2", "nodes = 1"), &trace);
        let order: Vec<String> = finished.times().into_iter().map(|(name, _, _)| name).collect();
        assert_eq!(order, expected, "{names:?}");
        let starts: Vec<i64> = finished.times().into_iter().map(|(_, start, _)| start).collect();
        assert_eq!(starts, [0, 10, 20, 30, 40], "{names:?}");
    }
    // Enough rows for the library's sort to notice an order that is none.
    let mut jobs = "job_id,submit_s,run_s,team,gpu\n".to_owned();
    for number in (1..60).rev() {
        for name in [format!("{number}a"), number.to_string()] {
            jobs = jobs + &name + ",0,10," + &name + ",1\n";
        }
    }
    let ran = run_with(SCENARIO, jobs.as_bytes(), &["-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn every_pool_needs_its_nodes_even_beside_a_key_that_looks_alike() {
    let complete = "[[pool]]\nname = \"p1\"\nnodes = 2\nnode = { gpu = 4 }\n";
    let more = "[[pool]]\nname = \"p2\"\nnode = { gpu = 4 }\n[[pool]]\nname = \"p3\"\nnodes = 2\n";
    refused(
        &format!("{complete}{more}"),
        JOBS.as_bytes(),
        &[],
        "\
error: a pool has no `nodes`
 --> scenario.toml:5:1
  |
5 | [[pool]]
  | ^^^^^^^^ `nodes` is required

error: a pool has no `node`
 --> scenario.toml:8:1
  |
8 | [[pool]]
  | ^^^^^^^^ `node` is required",
    );
}

#[test]
fn a_pool_of_very_many_nodes_has_to_be_divisible() {
    // A list of as many domains would take 16 GB.
    for domains in ["", "\ndomain_nodes = 1"] {
        scenario_refused(
            "nodes = 2",
            &format!("nodes = 4000000000{domains}"),
            "\
error: the pool has too many nodes
 --> scenario.toml:3:9
  |
3 | nodes = 4000000000
  |         ^^^^^^^^^^ at most 1000000 nodes can be told apart
  |
  = hint: `divisible = true` counts the pool as one amount, without nodes",
        );
    }
}

#[test]
fn a_format_that_does_not_exist_is_told_from_a_file_that_does_not() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv:foo"]);
    let hint = format!(
        "hint: name it as `FILE:FORMAT`, with one of {}",
        fairshare_sim::trace::Format::names().join(", ")
    );
    let stderr = format!("error: failed to read trace `jobs.csv:foo`\nunknown format `foo`\n{hint}\n");
    assert_eq!(ran, Ran { code: 2, stdout: String::new(), stderr });
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "gone.csv:foo"]);
    let stderr = "error: failed to read trace `gone.csv:foo`\nthere is no such file\n".to_owned();
    assert_eq!(ran, Ran { code: 2, stdout: String::new(), stderr });
}

#[test]
fn a_cent_that_cannot_be_shared_goes_by_name_however_the_rows_stand() {
    // Six equal jobs; a millionth of a dollar per hour and GPU leaves a rest to share out.
    let scenario = "[[pool]]\nname = \"l4\"\nnodes = 2\nnode = { gpu = 4 }\nprice = { gpu_hour = 0.001 }\n";
    let costs = |teams: &[&str]| {
        let rows = teams.iter().fold(String::new(), |rows, team| rows + team + ",0,10," + team + ",1\n");
        let trace = format!("job_id,submit_s,run_s,team,gpu\n{rows}");
        let ran = run_with(scenario, trace.as_bytes(), &["-o", "json"]);
        assert_eq!((ran.code, ran.stderr.contains("error")), (0, false), "{}", ran.stderr);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        value["cost_by_owner"].to_string()
    };
    let sorted = costs(&["a", "b", "c", "d", "e", "f"]);
    assert_ne!(sorted, "null");
    assert_eq!(costs(&["f", "c", "a", "e", "b", "d"]), sorted);
    assert_eq!(costs(&["d", "e", "f", "c", "b", "a"]), sorted);
}

#[test]
fn control_characters_of_names_do_not_reach_the_terminal() {
    let jobs = b"job_id,submit_s,run_s,team,gpu\nj\x1b[2J,0,10,t\x1b[31m,1\nk\x1b[2J,0,10,search,99\n";
    let ran = run_with(SCENARIO, jobs, &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("t\\u{1b}[31m"), "{}", ran.stdout);
    assert!(ran.stderr.contains("created under the root with weight 1: `t\\u{1b}[31m`\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(first: job `k\\u{1b}[2J`"), "{}", ran.stderr);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains('\u{1b}'));
}

/// Every page of help, long and short, on a terminal however wide: no line is longer than 80 columns, and no example is
/// broken.
#[test]
fn help_fits_80_columns() {
    let folder = folder();
    let mut pages = 0;
    let mut open = vec![(Vec::new(), Cli::command())];
    while let Some((path, mut command)) = open.pop() {
        command.build();
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for form in ["--help", "-h"] {
            let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
            arguments.push(form);
            let page = sim_with(folder.path(), &arguments, &[("COLUMNS", "200")]);
            assert_eq!((page.code, page.stderr.as_str()), (0, ""), "{arguments:?}");
            for line in page.stdout.lines() {
                assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
            }
            for example in examples.lines().filter(|line| line.starts_with("  ")) {
                assert!(page.stdout.lines().any(|line| line == example), "{arguments:?}: {example}");
            }
            pages += 1;
        }
        // The help of `help` lists the same commands once more.
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            open.push(([&path[..], &[sub.get_name().to_owned()]].concat(), sub.clone()));
        }
    }
    assert!(pages >= 36, "{pages}");
}

/// A limit below the quota, and more lent than there is, may be meant: they load, and both places are named.
#[test]
fn odd_amounts_of_a_team_are_warned_of_with_their_places() {
    let team = "\
name = \"search\"
quota = { l4 = { gpu = 4 } }
limit = { l4 = { gpu = 3 } }
lend = { l4 = { gpu = 5 } }";
    let scenario = SCENARIO.replace("name = \"search\"", team);
    let ran = run_with(&scenario, JOBS.as_bytes(), &["-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for told in [
        "scenario.toml:9:24: team `search` has a limit of 3 `gpu` in pool `l4`, below its quota of 4: it can never use all \
         that is guaranteed to it; raise the limit, or lower the quota",
        "scenario.toml:10:23: team `search` lends 5 `gpu` in pool `l4`, more than its quota of 4: it lends all of it, as \
         without `lend`; lower it, or remove it",
    ] {
        assert!(ran.stdout.contains(told) || ran.stderr.contains(told), "{}\n{}", ran.stdout, ran.stderr);
    }
    let equal = scenario.replace("gpu = 3", "gpu = 4").replace("gpu = 5", "gpu = 4");
    let ran = run_with(&equal, JOBS.as_bytes(), &["-o", "json"]);
    assert!(!ran.stdout.contains("its quota of") && !ran.stderr.contains("its quota of"), "{}", ran.stdout);
}
