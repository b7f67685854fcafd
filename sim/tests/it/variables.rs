//! `SIM_*` variables: what they set, in which order, and what is said of those that set nothing.

use serde_json::Value;

use crate::cli::{JOBS, SCENARIO, set_up};
use crate::support::{Ran, sim_with};

const RUN: [&str; 6] = ["run", "scenario.toml", "--trace", "jobs.csv", "-o", "json"];

fn run(variables: &[(&str, &str)], more: &[&str]) -> Ran {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    sim_with(folder.path(), &[&RUN[..], more].concat(), variables)
}

fn summary(variables: &[(&str, &str)], more: &[&str]) -> Value {
    let ran = run(variables, more);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("variable"), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn refused(variables: &[(&str, &str)], message: &str) {
    let refusal = Ran { code: 2, stdout: String::new(), stderr: format!("{message}\n") };
    assert_eq!(run(variables, &[]), refusal);
}

#[test]
fn the_policy_comes_from_the_file_then_variables_then_options() {
    let policy = |variables: &[(&str, &str)], more: &[&str]| {
        summary(variables, more)["policy"].as_str().unwrap().to_owned()
    };
    let whole = ("SIM_POLICY", "fifo,backfill=none");
    assert_eq!(policy(&[whole], &[]), "fifo,backfill=none");
    assert_eq!(policy(&[whole, ("SIM_POLICY__ORDER", "sjf")], &[]), "sjf,backfill=none");
    assert_eq!(policy(&[whole], &["--set", "policy.order=hdrf"]), "hdrf,backfill=none");
    assert_eq!(policy(&[whole], &["--policy", "drf,backfill=best-effort"]), policy(&[], &[]));
    assert_eq!(policy(&[("SIM_POLICY", "")], &[]), policy(&[], &[]));
}

#[test]
fn the_seed_comes_from_the_option_then_the_variable() {
    let seed = |variables: &[(&str, &str)], more: &[&str]| {
        summary(variables, more)["provenance"]["seed"].as_u64().unwrap()
    };
    assert_eq!(seed(&[], &[]), 0);
    assert_eq!(seed(&[("SIM_SEED", "7")], &[]), 7);
    assert_eq!(seed(&[("SIM_SEED", "7")], &["--seed", "0"]), 0);
    assert_eq!(seed(&[("SIM_SEED", "")], &[]), 0);
    let folder = tempfile::tempdir().unwrap();
    let demo = sim_with(folder.path(), &["demo", "-o", "json"], &[("SIM_SEED", "4")]);
    let demo: Value = serde_json::from_str(&demo.stdout).unwrap();
    assert_eq!(demo["provenance"]["seed"], 4);
    let synth = |variables: &[(&str, &str)], seed: &[&str]| {
        let ran =
            sim_with(folder.path(), &[&["trace", "synth", "demo", "--jobs", "20"], seed].concat(), variables);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    };
    assert_eq!(synth(&[("SIM_SEED", "7")], &[]), synth(&[], &["--seed", "7"]));
    assert_ne!(synth(&[("SIM_SEED", "7")], &[]), synth(&[], &[]));
}

/// A manifest repeats the seed of then, whatever the variable says now.
#[test]
fn a_replay_keeps_its_seed() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let out = [&RUN[..], &["--out", "results", "--policy", "drf,placement=random"]].concat();
    let ran = sim_with(folder.path(), &out, &[("SIM_SEED", "7")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for variables in [&[][..], &[("SIM_SEED", "8")]] {
        let again = sim_with(folder.path(), &["replay", "results"], variables);
        assert_eq!(again.code, 0, "{}", again.stderr);
    }
}

/// What variables set is part of what was run: a folder is done again with those of then, whatever is set by now.
#[test]
fn a_folder_is_done_again_with_the_variables_of_then() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let out = |name: &'static str| [&RUN[..], &["--out", name]].concat();
    let set = [("SIM_POLICY", "fifo"), ("SIM_POOL__L4__NODES", "2"), ("SIM_SEED", "7")];
    for (name, variables) in [("with", &set[..]), ("without", &[])] {
        let ran = sim_with(folder.path(), &out(name), variables);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let manifest = std::fs::read_to_string(folder.path().join("with/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let kept = serde_json::json!({"SIM_POLICY": "fifo", "SIM_POOL__L4__NODES": "2"});
    assert_eq!(manifest["provenance"]["variables"], kept);
    for name in ["with", "without"] {
        for now in [&[][..], &set[..], &[("SIM_POOL__L4__NODES", "9"), ("SIM_POLICY", "sjf")]] {
            for command in [&["replay", name][..], &["report", name], &["explain", name, "a"]] {
                let again = sim_with(folder.path(), command, now);
                assert_eq!(again.code, 0, "{command:?} under {now:?}: {}", again.stderr);
            }
        }
    }
}

#[test]
fn pools_and_teams_are_named_as_a_variable_can() {
    let scenario = SCENARIO.replace("\"l4\"", "\"Nebius-l4\"");
    assert_ne!(scenario, SCENARIO);
    let folder = set_up(&scenario, JOBS.as_bytes());
    let ran = sim_with(
        folder.path(),
        &RUN,
        &[("SIM_POOL__NEBIUS_L4__NODES", "5"), ("SIM_TEAM__SEARCH__WEIGHT", "3")],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["pools"][0]["nodes"], 5);
    assert_eq!(summary["teams"][0]["name"], "search");
    assert_eq!(summary["teams"][0]["weight"].as_f64(), Some(3.0));
}

#[test]
fn what_a_variable_cannot_set_is_refused() {
    refused(
        &[("SIM_SEED", "x7")],
        "error: `SIM_SEED`: expected a whole number from 0 to 2^64 - 1, found `x7`",
    );
    refused(
        &[("SIM_POLICY", "backfill=none")],
        "error: `SIM_POLICY=backfill=none` names no policy\n\
         hint: write NAME[,key=value…], such as `drf,backfill=none`",
    );
    refused(
        &[("SIM_POOL__L5__NODES", "3")],
        "\
error: unknown pool `l5`
 --> SIM_POOL__L5__NODES:1:6
  |
1 | pool.l5.nodes = 3
  |      ^^ the scenario has no pool of this name
  |
  = hint: did you mean `l4`?",
    );
    refused(
        &[("SIM_POLICY__ORDR", "fifo")],
        "\
error: unknown key `ordr` in `[policy]`
 --> SIM_POLICY__ORDR:1:8
  |
1 | policy.ordr = \"fifo\"
  |        ^^^^ expected one of `order`, `value`, `priority`, `preemption`, `eviction`, `backfill`, \
`default_time_limit`, `default_checkpoint`, `default_restart`, `placement`, `gangs`, `fair_sharing`, `strategies`, `tree`, `gpu_resource`, `half_life`, `rank_period`, `factors`, `datasets` or `enforce_time_limit`
  |
  = hint: did you mean `order`?",
    );
}

#[test]
fn misspelt_variables_are_refused_and_foreign_ones_are_said() {
    refused(&[("SIM_SEDE", "7")], "error: unknown variable `SIM_SEDE`\nhint: did you mean `SIM_SEED`?");
    refused(
        &[("SIM_POLCY", "fifo")],
        "error: unknown variable `SIM_POLCY`\nhint: did you mean `SIM_POLICY`?",
    );
    refused(
        &[("SIM_POLICY_ORDER", "fifo")],
        "error: unknown variable `SIM_POLICY_ORDER`\n\
         hint: did you mean `SIM_POLICY__ORDER`? Two underscores stand between the parts of a key",
    );
    let foreign = run(&[("SIM_HOME", "/opt"), ("SIMULATOR", "x")], &[]);
    let plain = run(&[], &[]);
    let said = "note: the variable `SIM_HOME` sets nothing here\n";
    assert_eq!(foreign, Ran { stderr: format!("{said}{}", plain.stderr), ..plain });
}

/// Where a run is done again, the variables of then count, and those of now are not looked at.
#[test]
fn misspelt_variables_of_now_are_nothing_to_what_is_done_again() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let now = [("SIM_HOME", "/opt"), ("SIM_POLCY", "fifo"), ("SIM_SEDE", "x")];
    let done = |arguments: &[&str], variables: &[(&str, &str)]| {
        let ran = sim_with(folder.path(), arguments, variables);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran
    };
    done(&[&RUN[..], &["--out", "out"]].concat(), &[]);
    let job = std::fs::read_to_string(folder.path().join("out/jobs.csv")).unwrap();
    let job = job.lines().nth(1).unwrap().split(',').next().unwrap();
    for arguments in [&["report", "out"][..], &["replay", "out"], &["explain", "out", job]] {
        assert_eq!(done(arguments, &now), done(arguments, &[]));
    }
    let refused = sim_with(folder.path(), &RUN, &now);
    assert_eq!((refused.code, refused.stderr.contains("unknown variable `SIM_POLCY`")), (2, true));
}

/// What is no text may be anybody's.
#[cfg(unix)]
#[test]
fn variables_that_are_no_text_are_left_alone() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_sim"))
        .current_dir(folder.path())
        .args(RUN)
        .env("SIM_PHOTO", std::ffi::OsStr::from_bytes(b"\xff"))
        .env("PHOTO", std::ffi::OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0));
}
