//! `sim replay`: what a manifest tells of, done again, byte by byte.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Output, World};
use crate::cli::results::Replay;
use crate::error::SimError;
use crate::exit_code::ExitCode;
use crate::report::files::Folder;
use crate::results::{Listed, Results};

/// A folder that is gone when it is dropped, unless somebody asked for it.
struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is left to whoever cleans the folder of temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Runs again and compares every file with the manifest.
///
/// # Errors
///
/// [`SimError`] if the manifest is none, an input has changed, results cannot be written, or, with the same inputs,
/// any byte differs.
pub fn replay(arguments: &Replay, world: &World<'_>) -> Result<Output, SimError> {
    let results = Results::of_manifest(&arguments.manifest)?;
    let mut run = results.run()?;
    if let Some(folder) = &arguments.out {
        let there = &arguments.manifest;
        let manifest = if there.is_dir() { results.manifest_path() } else { there.clone() };
        Folder::of_run(folder)?.spare(&[manifest])?;
    }
    let scratch = if let Some(path) = &arguments.out {
        Scratch { path: path.clone(), keep: true }
    } else {
        let name = format!("sim-replay-{}", std::process::id());
        Scratch { path: std::env::temp_dir().join(name), keep: false }
    };
    run.out = Some(scratch.path.clone());
    // The gates of then have had their say, and times of the wall clock are no result.
    run.fail_if.clear();
    run.timings = false;
    let then = World { verbose: false, ..world.of(&results) };
    let (summary, output) = super::run::run_for(&run, &then).map_err(|error| results.fault(&run, error))?;
    if output.exit == ExitCode::Interrupted {
        return Err(SimError::Interrupted { during: "the run was done again" });
    }
    let stage = world.stage("comparing");
    let traces = summary.provenance.traces.iter();
    let digests = traces.map(|trace| (trace.path.as_str(), trace.digest.as_str()));
    results.check_inputs(digests, &summary.provenance.scenario_digest)?;
    results.check_decisions(&summary.digest)?;
    let files = compare(&results, &scratch.path)?;
    drop(stage);
    let mut output = Output::new(String::new());
    let width = files.iter().map(|file| file.name.len() + 1).fold(16, usize::max);
    for file in files {
        let Listed { name, bytes, sha256 } = file;
        let _ = writeln!(output.result, "{name:<width$}{bytes:>12} bytes  sha256 {}  same", &sha256[..12]);
    }
    output.notes.push(format!("decisions {}: the same bytes", summary.digest));
    output.settled = true;
    Ok(output)
}

fn compare(results: &Results, again: &Path) -> Result<Vec<Listed>, SimError> {
    let now = Results::open(again)?;
    for then in &results.manifest.files {
        let file = now.manifest.files.iter().find(|file| file.name == then.name);
        if file != Some(then) {
            let other = file.map_or("absent".to_owned(), |file| file.sha256.clone());
            let what =
                format!("the same inputs give `{}` {other}, the manifest says {}", then.name, then.sha256);
            return Err(SimError::Bug { at_s: "0".to_owned(), what });
        }
    }
    Ok(now.manifest.files)
}
