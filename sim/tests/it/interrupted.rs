//! Interrupts, at instants that are chosen by how often a command has looked: what is said of what there is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser as _;
use fairshare_sim::cli::{Cli, Command};
use fairshare_sim::command::{self, Output, World};
use fairshare_sim::compare::{Comparison, Runs};
use fairshare_sim::{ExitCode, SimError, report};

use crate::cli::set_up;
use crate::support::{Finished, simulate_part};

const SCENARIO: &str = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n";

fn jobs() -> String {
    let rows = (0..3_000).map(|job| format!("{job},{job},{},t{},1\n", 1 + job % 7, job % 3));
    format!("job_id,submit_s,run_s,team,gpu\n{}", rows.collect::<String>())
}

/// What a command leaves that is interrupted from its look number `look` on.
fn interrupted(arguments: &[&str], look: usize) -> Result<Output, SimError> {
    let folder = set_up(SCENARIO, jobs().as_bytes());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [scenario, jobs] = ["scenario.toml", "jobs.csv"].map(path);
    let argv: Vec<&str> = [&["sim", arguments[0], &scenario, "--trace", &jobs], &arguments[1..]].concat();
    let looks = AtomicUsize::new(0);
    let world = World {
        argv: Vec::new(),
        variables: Vec::new(),
        interrupted: &|| looks.fetch_add(1, Ordering::Relaxed) >= look,
        clock: &|| Duration::ZERO,
        watched: false,
        verbose: false,
    };
    match Cli::try_parse_from(argv).unwrap().command {
        Command::Run(arguments) => command::run::run(&arguments, &world),
        Command::Compare(arguments) => command::compare::compare(&arguments, &world),
        _ => unreachable!(),
    }
}

#[test]
fn what_is_interrupted_while_its_trace_is_read_says_so() {
    for arguments in [&["run"][..], &["compare", "--policy", "fifo", "--policy", "drf"]] {
        let error = interrupted(arguments, 0).unwrap_err();
        let told = (error.exit_code(), error.message());
        let message = "interrupted while the trace was read: there is no result".to_owned();
        assert_eq!(told, (ExitCode::Interrupted, message), "{arguments:?}");
    }
}

#[test]
fn a_partial_comparison_says_so_first() {
    let output =
        interrupted(&["compare", "--policy", "fifo", "--policy", "drf", "--replicas", "40"], 60).unwrap();
    assert_eq!(output.exit, ExitCode::Interrupted);
    let first = "INCOMPLETE: the comparison was interrupted, and everything here is partial\n";
    assert!(output.result.starts_with(first), "{}", output.result);
    assert!(output.notes.iter().any(|note| note.starts_with("interrupted: ")), "{:?}", output.notes);
}

/// What ended before an interrupt came early: differences to it have no interval and no word, and it is not drawn among
/// those that saw everything.
#[test]
fn an_interrupted_policy_has_no_interval_and_no_place_on_the_front() {
    let scenario = |order: &str| format!("{SCENARIO}[policy]\norder = '{order}'\n");
    let run = |order: &str, looks: usize| simulate_part(&scenario(order), &jobs(), looks);
    let (whole, other, part) = (run("fifo", usize::MAX), run("sjf", usize::MAX), run("drf", 12));
    let compared = |finished: [&Finished; 3]| {
        let runs = finished.map(|one| (one.summary(), one.record.clone())).to_vec();
        let [Finished { trace, setup, .. }, ..] = finished;
        let runs = Runs { trace, team_of: &setup.team_of, trim: None, runs, baseline: 0 };
        let comparison = Comparison::new(&runs, &[], Vec::new());
        let page = report::versus::page(&comparison, &runs).page;
        (report::comparison::text(&comparison), page, comparison)
    };
    let (table, page, comparison) = compared([&whole, &other, &part]);
    let [sjf, drf] = [0, 1].map(|index| comparison.differences[index].wait_s);
    assert!(drf.jobs > 300 && sjf.jobs == 3_000, "as many as batches need: {drf:?}");
    assert!(sjf.low.is_some(), "{sjf:?}");
    assert_eq!((drf.low, drf.high, drf.verdict), (None, None, "undecided"));
    assert_eq!(table.matches("[interrupted]  undecided").count(), 1, "{table}");
    let front = page.split_once("id=\"front\"").unwrap().1.split_once("</section>").unwrap().0;
    let drawn = [("fifo", true), ("sjf", true), ("drf", false)];
    for (policy, is_drawn) in drawn {
        assert_eq!(front.contains(&format!(">{policy}<")), is_drawn, "{policy}: {front}");
    }
    // Nothing is sure beside a baseline that was cut short either.
    let (table, page, _) = compared([&part, &whole, &other]);
    assert_eq!(table.matches("[interrupted]  undecided").count(), 2, "{table}");
    assert!(page.contains("id=\"front\""));
}

/// A report that is written again and interrupted meanwhile is none: the one that is there stays.
#[test]
fn a_report_that_is_whole_is_not_replaced_by_a_partial_one() {
    let folder = set_up(SCENARIO, jobs().as_bytes());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [scenario, jobs, out] = ["scenario.toml", "jobs.csv", "out"].map(path);
    let world = |argv: Vec<String>, interrupted| World {
        argv,
        variables: Vec::new(),
        interrupted,
        clock: &|| Duration::ZERO,
        watched: false,
        verbose: false,
    };
    let argv = ["run", &scenario, "--trace", &jobs, "--out", &out].map(str::to_owned);
    let line = std::iter::once("sim".to_owned()).chain(argv.clone());
    let Command::Run(arguments) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    command::run::run(&arguments, &world(argv.to_vec(), &|| false)).unwrap();
    let report = folder.path().join("out/report.html");
    let whole = std::fs::read(&report).unwrap();
    let line = ["sim", "report", &out];
    let Command::Report(arguments) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    let looks = AtomicUsize::new(0);
    let later = || looks.fetch_add(1, Ordering::Relaxed) >= 1;
    let error = command::report::report(&arguments, &world(Vec::new(), &later)).unwrap_err();
    assert_eq!(error.message(), "interrupted while the run was done again: there is no result");
    assert!(std::fs::read(&report).unwrap() == whole);
    let done = command::report::report(&arguments, &world(Vec::new(), &|| false)).unwrap();
    assert!(done.settled && std::fs::read(&report).unwrap() == whole);
}

#[test]
fn a_run_that_is_interrupted_says_so_first() {
    let output = interrupted(&["run"], 1).unwrap();
    assert_eq!(output.exit, ExitCode::Interrupted);
    assert!(output.result.contains("INCOMPLETE: the run was interrupted\n"), "{}", output.result);
    assert_eq!(output.clone().at_end(true), output, "that says it already");
}

/// What comes when the work is done takes nothing from it; where it may have cut off what was read, nothing is left.
#[test]
fn an_interrupt_that_the_command_has_not_seen_is_told_at_the_end() {
    let whole = interrupted(&["run"], usize::MAX).unwrap();
    assert!(whole.settled && whole.exit == ExitCode::Ok && !whole.result.contains("INCOMPLETE"));
    assert_eq!(whole.clone().at_end(false), whole);
    let late = whole.clone().at_end(true);
    let said = "interrupted when the work was done: its result is whole".to_owned();
    let expected = Output { failures: vec![said], exit: ExitCode::Interrupted, ..whole.clone() };
    assert_eq!(late, expected);
    let unread = Output { settled: false, ..whole }.at_end(true);
    let said = "interrupted: there is no result".to_owned();
    let expected = Output { failures: vec![said], exit: ExitCode::Interrupted, ..Output::new(String::new()) };
    assert_eq!(unread, expected);
}
