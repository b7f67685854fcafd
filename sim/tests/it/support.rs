//! Support: runs the program, and simulations from texts.

use std::path::Path;
use std::process::Command;

use fairshare_sim::trace::{Input, Trace, TraceOptions};
use fairshare_sim::{Checker, Record, RunInfo, Scenario, Setup, Summary};

/// What the program printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `sim` in a folder.
pub(crate) fn sim(folder: &Path, arguments: &[&str]) -> Ran {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sim")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A finished simulation and everything it came from.
pub(crate) struct Finished {
    pub(crate) scenario: Scenario,
    pub(crate) setup: Setup,
    pub(crate) trace: Trace,
    pub(crate) record: Record,
}

impl Finished {
    pub(crate) fn summary(&self) -> Summary {
        Summary::new(&self.scenario, &self.setup, &self.trace, &self.record, &RunInfo::default())
    }

    /// Start and end of every job in seconds, by name.
    pub(crate) fn times(&self) -> Vec<(String, i64, i64)> {
        let row = |row: usize| {
            let outcome = &self.record.outcomes[row];
            (self.trace.names.get(row).to_string(), outcome.start_ms / 1_000, outcome.end_ms / 1_000)
        };
        (0..self.trace.jobs.len()).map(row).collect()
    }
}

/// Simulates a scenario and a native trace given as texts, every invariant checked after every event.
pub(crate) fn simulate(scenario: &str, jobs: &str) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.csv");
    std::fs::write(&path, jobs).unwrap();
    let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
    replay(Scenario::parse("scenario.toml", scenario, &[]).unwrap(), trace, true)
}

/// Simulates, with every invariant checked or not.
pub(crate) fn replay(scenario: Scenario, trace: Trace, check: bool) -> Finished {
    let setup = Setup::new(&scenario, &trace).unwrap();
    let mut checker = check.then(|| Checker::new(&setup, &trace));
    let record = fairshare_sim::simulate(&setup, &trace, &mut checker, &|| false).unwrap();
    Finished { scenario, setup, trace, record }
}
