//! `sim kueue`: objects to a scenario and back. Absent on purpose: what becomes what (see `kueue`).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::settings::overrides;
use super::{Output, World};
use crate::cli::kueue::{Export, Import, KueueCommand};
use crate::error::SimError;
use crate::kueue;
use crate::scenario::Scenario;
use crate::trace::{Trace, TraceOptions, printable};
use crate::whole::{self, Target};

/// Runs one of the commands.
///
/// # Errors
///
/// [`SimError`] if the input cannot be used, or an output cannot be written.
pub fn kueue(command: &KueueCommand, world: &World<'_>) -> Result<Output, SimError> {
    match command {
        KueueCommand::Import(arguments) => import(arguments),
        KueueCommand::Export(arguments) => export(arguments, world),
    }
}

fn import(arguments: &Import) -> Result<Output, SimError> {
    let files = kueue::files(&arguments.files);
    let (trace, out) = (arguments.trace.as_deref(), arguments.out.as_deref());
    for (option, path) in [("--out", out), ("--trace", trace)] {
        if let Some(path) = path {
            Target::file(option, path).spare(&arguments.files)?;
        }
    }
    let named = trace.and_then(|trace| from_folder_of(out, trace));
    let wanted = kueue::Wanted {
        fair_sharing: arguments.fair_sharing,
        trace: named.as_deref(),
        joins_flavors: arguments.join_flavors,
    };
    let imported = kueue::import_opened(files, &wanted)?;
    let mut notes = imported.notes;
    match trace {
        Some(path) => {
            notes.extend(finished(&imported.finished, path)?);
            if named.is_none() {
                notes.push(format!(
                    "the scenario names no trace, since that lies outside of its folder: replay it with `--trace {}`",
                    path.display()
                ));
            }
        }
        None if imported.finished.is_empty() => {}
        None => notes.push(format!(
            "Workloads that have finished: {}; `--trace FILE` writes them as a trace",
            imported.finished.len()
        )),
    }
    written(imported.scenario, out, notes)
}

/// A file as named from the folder of the scenario, or from here where that goes to stdout; `None`: it lies elsewhere,
/// where no scenario may look.
fn from_folder_of(scenario: Option<&Path>, file: &Path) -> Option<PathBuf> {
    let folder = |path: Option<&Path>| {
        let parent = path.and_then(Path::parent).filter(|parent| *parent != Path::new(""));
        std::fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()
    };
    let inside = folder(Some(file))?.strip_prefix(folder(scenario)?).ok()?.join(file.file_name()?);
    Some(inside)
}

/// Writes the Workloads that have finished as native CSV; what should be said of them.
fn finished(workloads: &[Value], path: &Path) -> Result<Vec<String>, SimError> {
    if workloads.is_empty() {
        let message = format!("no Workload has finished: there is nothing to write to `{}`", path.display());
        return Err(SimError::usage_with_hint(message, "leave `--trace` away"));
    }
    // A line each, so that what is said of lines can be said of Workloads.
    let lines: Vec<String> = workloads.iter().map(Value::to_string).collect();
    let list = format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{}\n]}}", lines.join(",\n"));
    let name = |line: &u64| {
        let metadata = &workloads.get(usize::try_from(*line).ok()?.checked_sub(2)?)?["metadata"];
        let part = |key: &str| metadata[key].as_str().unwrap_or_default();
        let between = if part("namespace").is_empty() { "" } else { "/" };
        Some(printable(&format!("`{}{between}{}`", part("namespace"), part("name"))))
    };
    let trace = Trace::from_workloads("finished Workloads", list.into_bytes(), &TraceOptions::default())?;
    whole::write(path, |out| trace.write_native(out))?;
    let mut notes = trace.warnings;
    for repair in trace.sources.iter().flat_map(|source| source.repairs.values()) {
        let mut names: Vec<String> = repair.first_lines.iter().filter_map(name).collect();
        let more = usize::try_from(repair.count).map_or(0, |count| count.saturating_sub(names.len()));
        if more > 0 {
            names.push(format!("{more} more"));
        }
        notes.push(format!("finished Workloads, {}: {}", repair.text, names.join(", ")));
    }
    Ok(notes)
}

fn export(arguments: &Export, world: &World<'_>) -> Result<Output, SimError> {
    if let Some(path) = &arguments.out {
        Target::file("--out", path).spare(&[&arguments.scenario])?;
    }
    let scenario = Scenario::load(&arguments.scenario, &overrides(&arguments.settings, None, world)?)?;
    let mut exported = kueue::export(&scenario)?;
    exported.notes.extend(kueue::note_of_time(&scenario, &exported)?);
    written(kueue::yaml(&exported.objects), arguments.out.as_deref(), exported.notes)
}

fn written(
    text: String,
    out: Option<&Path>,
    notes: impl IntoIterator<Item = String>,
) -> Result<Output, SimError> {
    let mut output = Output::new(String::new());
    match out {
        Some(path) => whole::write(path, |out| out.write_all(text.as_bytes()))?,
        None => output.result = text,
    }
    output.notes = notes.into_iter().map(|note| format!("note: {note}")).collect();
    Ok(output)
}
