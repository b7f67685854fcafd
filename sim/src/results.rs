//! Results: a folder that a run has left, read back.
//!
//! The manifest says what was run; a folder without one, of another schema or of another version of the program is
//! refused by name. Absent on purpose: writing (see `report`) and running (see `command`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::{Cli, Command, Run};
use crate::digest::sha256;
use crate::error::{SimError, plain_reason};
use crate::nearest::did_you_mean;
use crate::report::manifest::SCHEMA;
use crate::trace::Input;

/// What a manifest says.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Name and version of its format.
    pub schema: String,
    /// Whether the run was not interrupted.
    pub complete: bool,
    /// Digest of the decisions.
    pub digest: String,
    /// What was run.
    pub provenance: Provenance,
    /// What lies beside it.
    pub files: Vec<Listed>,
}

/// What was run.
#[derive(Clone, Debug, Deserialize)]
pub struct Provenance {
    /// Version of the simulator.
    pub version: String,
    /// The root seed of everything that was drawn.
    pub seed: u64,
    /// The command line.
    pub argv: Vec<String>,
    /// The variables that set something.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// SHA-256 of the scenario and its overrides.
    pub scenario_digest: String,
    /// The traces.
    pub traces: Vec<Traced>,
}

/// One trace.
#[derive(Clone, Debug, Deserialize)]
pub struct Traced {
    /// As given.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Name.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: String,
}

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Results {
    /// Where it is.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// A file that cannot be opened or read: the fault of what was named, or of the machine.
fn unreadable(path: &Path, error: io::Error) -> SimError {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let reason = plain_reason(&error);
    let message = format!("failed to read `{}`: {reason}", path.display());
    match error.kind() {
        NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidData => SimError::usage(message),
        _ => SimError::Read { path: path.display().to_string(), source: error },
    }
}

const SCENARIO: &str = "scenario";
const TRACE: &str = "trace";

/// What of a run came from standard input: its scenario, or a trace.
fn from_input(run: &Run) -> Option<&'static str> {
    let is_input = |path: &Path| path == Path::new("-");
    if is_input(&run.scenario) {
        return Some(SCENARIO);
    }
    run.traces.iter().any(|text| is_input(&Input::parse(text).path)).then_some(TRACE)
}

/// Folders of results that are named in a hint.
const NAMED: usize = 4;

/// Where results are: in `folder` or beside it; else how to get some.
fn where_else(folder: &Path) -> String {
    let beside = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    for place in [folder, beside] {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let found = entries.map(|entry| entry.path()).filter(|path| path.join("manifest.json").is_file());
        // Not those of another schema or version, and not what was interrupted: they would be refused.
        let usable = |path: &PathBuf| Results::open(path).is_ok_and(|results| results.command().is_ok());
        let mut found: Vec<PathBuf> = found.filter(usable).collect();
        found.sort();
        let names = found.iter().map(|path| path.strip_prefix(".").unwrap_or(path).display().to_string());
        let names: Vec<String> = names.collect();
        if let Some(near) = did_you_mean(&folder.display().to_string(), names.iter().map(String::as_str)) {
            return near;
        }
        let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
        match names.len().saturating_sub(NAMED) {
            _ if names.is_empty() => {}
            0 => return format!("results are in {}", shown.join(", ")),
            more => return format!("results are in {} and {more} more", shown.join(", ")),
        }
    }
    "`sim run SCENARIO --out DIR` writes one".to_owned()
}

/// Why a folder has no manifest that can be read: it may be there, and not for everybody.
fn missing(folder: &Path, error: io::Error) -> SimError {
    if folder.join("compare.json").is_file() {
        let message =
            format!("`{}` holds a comparison, and this is for the results of one run", folder.display());
        let hint = "its figures are in `compare.json`, its page is `report.html`; `sim run SCENARIO --out DIR` leaves a run";
        return SimError::usage_with_hint(message, hint);
    }
    let what = match error.kind() {
        io::ErrorKind::PermissionDenied => return unreadable(&folder.join("manifest.json"), error),
        _ if folder.is_dir() => "it has no `manifest.json`",
        _ if folder.exists() => "it is a file",
        _ => "there is no such folder",
    };
    let message = format!("`{}` is no folder of results: {what}", folder.display());
    SimError::usage_with_hint(message, where_else(folder))
}

impl Results {
    /// The results in a folder.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] if it is no folder of results of this schema; [`SimError::Read`] if the machine fails.
    pub fn open(folder: &Path) -> Result<Self, SimError> {
        let manifest = folder.join("manifest.json");
        match std::fs::metadata(&manifest) {
            Ok(_) => Self::of_manifest(&manifest),
            Err(error) => Err(missing(folder, error)),
        }
    }

    /// The results that a manifest belongs to; a folder stands for the manifest in it.
    ///
    /// # Errors
    ///
    /// As [`Results::open`].
    pub fn of_manifest(path: &Path) -> Result<Self, SimError> {
        if path.is_dir() || !path.exists() {
            return Self::open(path);
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
        let shown = path.display();
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| SimError::usage(format!("`{shown}` is no manifest: {error}")))?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or("none");
        if schema != SCHEMA {
            let message = format!(
                "`{shown}` is no manifest that is known here: its schema is `{schema}`, not `{SCHEMA}`"
            );
            return Err(SimError::usage(message));
        }
        let manifest = serde_json::from_value(value)
            .map_err(|error| SimError::usage(format!("`{shown}` is no manifest: {error}")))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(Self { folder, manifest })
    }

    /// Where its manifest is.
    #[must_use]
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join("manifest.json")
    }

    /// The `sim run` that made the folder, to be done again.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] if it was made by another version, was interrupted, its command line is none of a run, or the
    /// scenario or a trace is not where that says.
    pub fn run(&self) -> Result<Run, SimError> {
        let run = self.command()?;
        let elsewhere = |what: &str, path: &Path| {
            let message = format!("the run's {what} `{}` is not here", path.display());
            let hint = "paths are those of the first run: do this in the folder where it was done";
            SimError::usage_with_hint(message, hint)
        };
        let traces = run.traces.iter().map(|text| Input::parse(text).path);
        let missing = traces.into_iter().find(|path| path != Path::new("-") && !path.exists());
        let from_input = from_input(&run);
        if let Some(what) = from_input.filter(|_| io::stdin().is_terminal()) {
            // Whoever types would wait for nothing.
            return Err(self.asks_for_input(what));
        }
        if from_input != Some(SCENARIO) && !run.scenario.exists() {
            return Err(elsewhere(SCENARIO, &run.scenario));
        }
        missing.map_or(Ok(run), |trace| Err(elsewhere("trace", &trace)))
    }

    fn asks_for_input(&self, what: &str) -> SimError {
        let folder = if self.folder == Path::new("") { Path::new(".") } else { &self.folder };
        let message = format!(
            "the {what} of `{}` came from standard input, and what comes from there now is not the same",
            folder.display()
        );
        let hint = format!("give it once more: put `< {}` behind this command", what.to_uppercase());
        SimError::usage_with_hint(message, hint)
    }

    /// Why the run could not be done again: what came from standard input and does not come now is said to.
    #[must_use]
    pub fn fault(&self, run: &Run, error: SimError) -> SimError {
        match (error, from_input(run)) {
            (SimError::Scenario(_), Some(SCENARIO)) => self.asks_for_input(SCENARIO),
            (SimError::Trace(fault), Some(TRACE)) if fault.path == "-" => self.asks_for_input(TRACE),
            (other, _) => other,
        }
    }

    /// The same wherever its inputs are.
    fn command(&self) -> Result<Run, SimError> {
        let Manifest { complete, provenance, .. } = &self.manifest;
        let shown = self.manifest_path().display().to_string();
        let own = env!("CARGO_PKG_VERSION");
        if provenance.version != own {
            let message =
                format!("`{shown}` was written by version {}, and this is {own}", provenance.version);
            return Err(SimError::usage_with_hint(message, "use that version, or run again"));
        }
        if !complete {
            let message = format!("`{shown}` is of a run that was interrupted, which nothing can repeat");
            return Err(SimError::usage_with_hint(message, "run it again"));
        }
        let argv = std::iter::once("sim").chain(provenance.argv.iter().map(String::as_str));
        match Cli::of(argv.map(OsString::from)).map(|cli| cli.command) {
            // The seed may have come from a variable.
            Ok(Command::Run(run)) => Ok(Run { seed: Some(provenance.seed), ..*run }),
            _ => Err(SimError::usage(format!("the command line in `{shown}` is none of `sim run`"))),
        }
    }

    /// Compares what is to be run again with what the manifest says was run; `traces` are paths and digests.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] naming the first input that has changed, with both digests.
    pub fn check_inputs<'a>(
        &self,
        traces: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
        scenario: &str,
    ) -> Result<(), SimError> {
        let then = &self.manifest.provenance;
        let count = traces.len();
        let from_input = self.command().ok().and_then(|run| from_input(&run));
        for (then, (path, now)) in then.traces.iter().zip(traces) {
            if then.digest != now {
                if from_input == Some(TRACE) && then.path == "-" {
                    return Err(self.asks_for_input(TRACE));
                }
                let then = &then.digest;
                let message =
                    format!("trace `{path}` has changed: sha256 is {now}, the manifest says {then}");
                return Err(SimError::usage(message));
            }
        }
        if then.traces.len() != count || then.scenario_digest != scenario {
            if from_input == Some(SCENARIO) {
                return Err(self.asks_for_input(SCENARIO));
            }
            let message = format!(
                "the scenario has changed: sha256 is {scenario}, the manifest says {}",
                then.scenario_digest
            );
            return Err(SimError::usage(message));
        }
        Ok(())
    }

    /// Compares the decisions of equal inputs.
    ///
    /// # Errors
    ///
    /// [`SimError::Bug`] where they differ.
    pub fn check_decisions(&self, digest: &str) -> Result<(), SimError> {
        if self.manifest.digest == digest {
            return Ok(());
        }
        let what =
            format!("the same inputs give decisions {digest}, the manifest says {}", self.manifest.digest);
        Err(SimError::Bug { at_s: "0".to_owned(), what })
    }

    /// The text of one of its files, which must be what the manifest says that the run left.
    ///
    /// # Errors
    ///
    /// As [`Results::open`]; [`SimError::Usage`] naming the file with both digests.
    pub fn checked_text(&self, name: &str) -> Result<String, SimError> {
        let path = self.folder.join(name);
        let shown = path.display();
        let listed = self.manifest.files.iter().find(|file| file.name == name).ok_or_else(|| {
            SimError::usage(format!("`{}` does not list `{name}`", self.manifest_path().display()))
        })?;
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
        let now = sha256(&bytes);
        if now != listed.sha256 {
            let message =
                format!("`{shown}` has changed: sha256 is {now}, the manifest says {}", listed.sha256);
            return Err(SimError::usage_with_hint(message, "run again, or fetch the folder again"));
        }
        String::from_utf8(bytes).map_err(|_| SimError::usage(format!("`{shown}` is no text")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_may_not_be_read_is_not_said_to_be_missing() {
        let said = |kind: io::ErrorKind| missing(Path::new("no/such"), kind.into()).message();
        assert!(
            said(io::ErrorKind::NotFound)
                .starts_with("error: `no/such` is no folder of results: there is no such folder\nhint: ")
        );
        let denied = said(io::ErrorKind::PermissionDenied);
        assert_eq!(denied, "error: failed to read `no/such/manifest.json`: permission denied");
    }
}
