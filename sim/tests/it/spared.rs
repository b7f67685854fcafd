//! Nothing is written over what it is made from, whichever links lead there. Hard links are not seen.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::cli::{JOBS, SCENARIO, set_up};
use crate::support::{sim, sim_fed};

/// A folder with a scenario, a trace, and a folder for results.
fn made() -> tempfile::TempDir {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    fs::create_dir(folder.path().join("out")).unwrap();
    folder
}

/// Refused with these words before anything was written; all files are as they were.
fn refused(folder: &Path, command: &[&str], option: &str, input: &str, other: &str) {
    let all = |folder: &Path| {
        let out = folder.join("out");
        let entries =
            [folder, &out].map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        let mut files: Vec<_> = entries.into_iter().flatten().filter(|path| path.is_file()).collect();
        files.sort();
        files.into_iter().map(|path| (path.is_symlink(), fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = all(folder);
    let ran = sim(folder, command);
    let message = format!("error: `{option}` would write over `{input}`\nhint: name another {other}\n");
    assert_eq!((ran.code, ran.stderr), (2, message), "{command:?}");
    assert!(all(folder) == before, "{command:?} has written");
}

fn run(folder: &Path, scenario: &str, trace: &str) {
    let input = if trace == "jobs.csv" { scenario } else { trace };
    refused(folder, &["run", scenario, "--trace", trace, "-q", "--out", "out"], "--out out", input, "folder");
}

#[test]
fn a_run_spares_a_trace_that_a_link_outside_of_the_folder_leads_to() {
    let folder = made();
    fs::write(folder.path().join("out/jobs.csv"), JOBS).unwrap();
    symlink("out/jobs.csv", folder.path().join("other.csv")).unwrap();
    symlink("other.csv", folder.path().join("again.csv")).unwrap();
    run(folder.path(), "scenario.toml", "other.csv");
    run(folder.path(), "scenario.toml", "again.csv");
}

#[test]
fn a_run_spares_a_link_in_the_folder_that_leads_to_the_trace() {
    let folder = made();
    fs::rename(folder.path().join("jobs.csv"), folder.path().join("mine.csv")).unwrap();
    for name in ["jobs.csv", "series.parquet", "timings.json", ".report.html.partial"] {
        let link = folder.path().join("out").join(name);
        symlink("../mine.csv", &link).unwrap();
        run(folder.path(), "scenario.toml", "mine.csv");
        // Under its own name, of a folder that is reached by a link.
        let there = format!("out/{name}");
        run(folder.path(), "scenario.toml", &there);
        fs::remove_file(link).unwrap();
    }
    symlink("../mine.csv", folder.path().join("out/mine.csv")).unwrap();
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "out/mine.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_run_spares_a_scenario_behind_a_link() {
    let folder = made();
    fs::rename(folder.path().join("scenario.toml"), folder.path().join("out/summary.json")).unwrap();
    symlink("out/summary.json", folder.path().join("scenario.toml")).unwrap();
    run(folder.path(), "scenario.toml", "jobs.csv");
}

#[test]
fn a_comparison_spares_what_it_is_made_from() {
    let folder = made();
    let compare = |scenario: &str, trace: &str, input: &str| {
        let command = [
            "compare", scenario, "--trace", trace, "--policy", "drf", "--policy", "fifo", "-q", "--out",
            "out",
        ];
        refused(folder.path(), &command, "--out out", input, "folder");
    };
    let place = |name: &str| folder.path().join("out").join(name);
    fs::write(place("report.html"), SCENARIO).unwrap();
    compare("out/report.html", "jobs.csv", "out/report.html");
    fs::remove_file(place("report.html")).unwrap();
    for name in ["waits-3.svg", "front.svg", "report.html"] {
        symlink("../jobs.csv", place(name)).unwrap();
        compare("scenario.toml", "jobs.csv", "jobs.csv");
        fs::remove_file(place(name)).unwrap();
    }
    fs::write(place("teams.svg"), JOBS).unwrap();
    symlink("out/teams.svg", folder.path().join("link.csv")).unwrap();
    compare("scenario.toml", "link.csv", "link.csv");
    // What a run would write, a comparison does not.
    let command = ["compare", "scenario.toml", "--trace", "jobs.csv", "--policy", "drf", "--policy", "fifo"];
    let ran = sim(folder.path(), &[&command[..], &["--out", "."]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn what_is_done_again_spares_what_it_was_made_from() {
    let folder = set_up(SCENARIO, JOBS.as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    symlink("out", folder.path().join("same")).unwrap();
    refused(folder.path(), &["replay", "out", "--out", "same"], "--out same", "out/manifest.json", "folder");
    refused(
        folder.path(),
        &["report", "out", "--report", "jobs.csv"],
        "--report jobs.csv",
        "jobs.csv",
        "file",
    );
    let manifest = "out/manifest.json";
    refused(
        folder.path(),
        &["report", "out", "--report", manifest],
        &format!("--report {manifest}"),
        manifest,
        "file",
    );
    fs::remove_file(folder.path().join("out/report.html")).unwrap();
    symlink("../scenario.toml", folder.path().join("out/report.html")).unwrap();
    refused(folder.path(), &["report", "out"], "sim report out", "scenario.toml", "folder");
}

#[test]
fn commands_that_write_one_file_spare_what_they_read() {
    let folder = made();
    symlink("jobs.csv", folder.path().join("link.csv")).unwrap();
    symlink("link.csv", folder.path().join("more.csv")).unwrap();
    let refused = |command: &str, option: &str, input: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        refused(folder.path(), &words, option, input, "file");
    };
    refused("trace convert jobs.csv --out jobs.csv", "--out jobs.csv", "jobs.csv");
    refused("trace convert jobs.csv:native --out link.csv", "--out link.csv", "jobs.csv");
    refused("trace convert more.csv --out link.csv", "--out link.csv", "more.csv");
    refused("trace convert jobs.csv --out new.csv --scenario link.csv", "--scenario link.csv", "jobs.csv");
    let import = "trace convert jobs.csv --import scenario.toml --out scenario.toml";
    refused(import, "--out scenario.toml", "scenario.toml");
    refused("trace shape jobs.csv --compress 0.5 --out more.csv", "--out more.csv", "jobs.csv");
    refused("trace synth --like link.csv --jobs 1 --out jobs.csv", "--out jobs.csv", "link.csv");
    refused("trace synth scenario.toml --out scenario.toml", "--out scenario.toml", "scenario.toml");
    refused("kueue export scenario.toml --out scenario.toml", "--out scenario.toml", "scenario.toml");
    refused("kueue import link.csv --out jobs.csv", "--out jobs.csv", "link.csv");
    refused("kueue import link.csv --trace jobs.csv", "--trace jobs.csv", "link.csv");
}

/// What is no file loses nothing; a name that stands for standard input is nobody's file; a preset is none.
#[test]
fn what_is_no_file_need_not_be_spared() {
    let folder = made();
    let convert = sim(folder.path(), &["trace", "convert", "jobs.csv", "--out", "/dev/stdout"]);
    assert!(convert.code == 0 && convert.stdout.contains("\na,0,"), "{convert:?}");
    fs::write(folder.path().join("-"), "").unwrap();
    let fed = sim_fed(folder.path(), &["trace", "convert", "-", "--out", "./-"], JOBS.as_bytes());
    assert_eq!(fed.code, 0, "{}", fed.stderr);
    assert!(fs::read_to_string(folder.path().join("-")).unwrap().contains("\na,0,"));
    fs::write(folder.path().join("demo"), "").unwrap();
    let preset = sim(folder.path(), &["trace", "synth", "demo", "--jobs", "1", "--out", "demo"]);
    assert_eq!(preset.code, 0, "{}", preset.stderr);
    let null = sim(folder.path(), &["kueue", "export", "/dev/null", "--out", "/dev/null"]);
    assert!(!null.stderr.contains("would write over"), "{}", null.stderr);
}

/// A manifest may have any name, that of another result too.
#[test]
fn a_replay_spares_its_manifest_under_another_name() {
    let folder = made();
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "first"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs::rename(folder.path().join("first/manifest.json"), folder.path().join("out/jobs.csv")).unwrap();
    let command = ["replay", "out/jobs.csv", "--out", "out"];
    refused(folder.path(), &command, "--out out", "out/jobs.csv", "folder");
}
