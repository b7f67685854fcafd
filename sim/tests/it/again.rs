//! What is said where a run cannot be done again from its folder: its scenario or trace came from standard input, or lies
//! elsewhere, or it is a comparison; and that a run does not write over its own scenario.

use std::fs;

use crate::cli::{JOBS, SCENARIO, set_up};
use crate::support::{sim, sim_fed};

/// A run whose scenario came from standard input.
fn made() -> tempfile::TempDir {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let run = ["run", "-", "--trace", "jobs.csv", "-q", "--out", "out"];
    let ran = sim_fed(folder.path(), &run, SCENARIO.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    folder
}

#[test]
fn a_scenario_from_standard_input_is_asked_for_again() {
    let folder = made();
    let message = "error: the scenario of `out` came from standard input, and what comes from there now is not the same\n\
                   hint: give it once more: put `< SCENARIO` behind this command\n";
    for command in [&["replay", "out"][..], &["explain", "out", "a"], &["report", "out"]] {
        let other = format!("{SCENARIO}# changed\n");
        for input in ["", "no scenario", &other] {
            let ran = sim_fed(folder.path(), command, input.as_bytes());
            assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{command:?} < {input}");
        }
        let ran = sim_fed(folder.path(), command, SCENARIO.as_bytes());
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.stderr);
    }
}

#[test]
fn a_run_from_another_folder_is_told_whose_paths_these_are() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    for command in [&["replay", "../out"][..], &["report", "../out"], &["explain", "../out", "a"]] {
        let ran = sim(&inside, command);
        let message = "error: the run's scenario `scenario.toml` is not here\n\
                       hint: paths are those of the first run: do this in the folder where it was done\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{command:?}");
    }
}

/// The scenario comes from standard input, so that the trace is the first that is not there.
#[test]
fn so_is_one_whose_trace_is_not_there() {
    let folder = made();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    for command in [&["replay", "../out"][..], &["report", "../out"], &["explain", "../out", "a"]] {
        let ran = sim_fed(&inside, command, SCENARIO.as_bytes());
        let message = "error: the run's trace `jobs.csv` is not here\n\
                       hint: paths are those of the first run: do this in the folder where it was done\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{command:?}");
    }
}

#[test]
fn a_run_does_not_write_over_its_scenario() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let scenario = folder.path().join("w/summary.json");
    fs::create_dir(folder.path().join("w")).unwrap();
    fs::write(&scenario, SCENARIO).unwrap();
    let ran = sim(folder.path(), &["run", "w/summary.json", "--trace", "jobs.csv", "-q", "--out", "w"]);
    let message = "error: `--out w` would write over `w/summary.json`\nhint: name another folder\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
    assert_eq!(fs::read_to_string(scenario).unwrap(), SCENARIO);
}

/// Folders of another schema or version, and of runs that were interrupted, are none that this program can do anything with.
#[test]
fn results_that_would_be_refused_are_not_named() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    for out in ["out", "schema", "version", "part"] {
        let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", out]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    for (out, from, to) in [
        ("schema", "sim.manifest/1", "sim.manifest/9"),
        ("version", version.as_str(), "\"version\": \"0.0.9\""),
        ("part", "\"complete\": true", "\"complete\": false"),
    ] {
        let path = folder.path().join(out).join("manifest.json");
        let manifest = fs::read_to_string(&path).unwrap();
        assert!(manifest.contains(from), "{manifest}");
        fs::write(path, manifest.replacen(from, to, 1)).unwrap();
    }
    let hint = |name: &str| {
        let ran = sim(folder.path(), &["report", name]);
        ran.stderr.split("hint: ").nth(1).map(str::to_owned)
    };
    assert_eq!(hint("nothing").as_deref(), Some("results are in `out`\n"));
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    assert_eq!(hint("nothing").as_deref(), Some("`sim run SCENARIO --out DIR` writes one\n"));
}

/// Nothing comes, or something else does.
#[test]
fn a_trace_from_standard_input_is_to_be_given_once_more() {
    for input in ["-", "-:native"] {
        let folder = set_up(SCENARIO, JOBS.as_bytes());
        let run = ["run", "scenario.toml", "--trace", input, "-q", "--out", "out"];
        let ran = sim_fed(folder.path(), &run, JOBS.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for command in [&["replay", "out"][..], &["report", "out"], &["explain", "out", "a"]] {
            let again = sim_fed(folder.path(), command, JOBS.as_bytes());
            assert_eq!(again.code, 0, "{}", again.stderr);
            for other in ["", "job_id\n", "job_id,submit_s,run_s,team,gpu\na,0,11,search,1\n"] {
                let ran = sim_fed(folder.path(), command, other.as_bytes());
                let message = "error: the trace of `out` came from standard input, and what comes from there now is not the same\n\
                           hint: give it once more: put `< TRACE` behind this command\n";
                assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{command:?} {other}");
            }
        }
    }
}

#[test]
fn a_comparison_is_no_run_and_is_said_to_be_one() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let compare = ["compare", "scenario.toml", "--trace", "jobs.csv", "--policy", "drf", "--policy", "fifo"];
    let ran = sim(folder.path(), &[&compare[..], &["-q", "--out", "both"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for command in
        [&["replay", "both"][..], &["report", "both"], &["explain", "both", "a"], &["diff", "both", "both"]]
    {
        let ran = sim(folder.path(), command);
        let message = "error: `both` holds a comparison, and this is for the results of one run\n\
                       hint: its figures are in `compare.json`, its page is `report.html`; `sim run SCENARIO --out DIR` leaves \
                       a run\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (2, message), "{command:?}");
    }
}
