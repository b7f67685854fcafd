//! Support: runs the program, and simulations from texts.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
    sim_with(folder, arguments, &[])
}

/// The same with bytes on standard input.
pub(crate) fn sim_fed(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.current_dir(folder).args(arguments).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    ran(child.wait_with_output().unwrap())
}

/// The same with variables set.
pub(crate) fn sim_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.current_dir(folder).args(arguments).envs(variables.iter().copied());
    ran(command.output().unwrap())
}

fn ran(output: Output) -> Ran {
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
    replay(Scenario::parse("scenario.toml", scenario, &[]).unwrap(), trace(jobs), true)
}

/// The same, interrupted when it asks more often than so many times whether it is.
pub(crate) fn simulate_part(scenario: &str, jobs: &str, looks: usize) -> Finished {
    let (scenario, trace) = (Scenario::parse("scenario.toml", scenario, &[]).unwrap(), trace(jobs));
    let setup = Setup::new(&scenario, &trace).unwrap();
    let looked = std::cell::Cell::new(0);
    let interrupted = || {
        looked.set(looked.get() + 1);
        looked.get() > looks
    };
    let record = fairshare_sim::simulate(&setup, &trace, &mut (), &interrupted).unwrap();
    Finished { scenario, setup, trace, record }
}

/// A native trace given as text.
fn trace(jobs: &str) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.csv");
    std::fs::write(&path, jobs).unwrap();
    Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap()
}

/// Simulates, with every invariant checked or not.
pub(crate) fn replay(scenario: Scenario, trace: Trace, check: bool) -> Finished {
    let setup = Setup::new(&scenario, &trace).unwrap();
    let mut checker = check.then(|| Checker::new(&setup, &trace));
    let record = fairshare_sim::simulate(&setup, &trace, &mut checker, &|| false).unwrap();
    Finished { scenario, setup, trace, record }
}

/// Numbers that follow from a seed (`SplitMix64`).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    pub(crate) fn index(&mut self, most: usize) -> usize {
        usize::try_from(self.below(most as u64)).unwrap()
    }

    /// Something in so many of a hundred cases.
    pub(crate) fn maybe(&mut self, percent: u64, most: u64) -> Option<i64> {
        let number = self.below(most);
        (self.below(100) < percent).then(|| number.cast_signed())
    }
}
