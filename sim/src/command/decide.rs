//! `sim decide`: one cycle on a cluster as it stands.
//!
//! One file that is a scenario with `[[running]]` and `[[pending]]`, or files of Kueue objects: told by their first bytes.

use std::io::Read as _;
use std::path::Path;

use super::settings::overrides;
use super::{Output, World};
use crate::cli::{self, OutputFormat};
use crate::decide::{Decided, of_scenario};
use crate::error::SimError;
use crate::kueue::{self, KueueError, Objects, Options, Quantity, Snapshot};
use crate::report;
use crate::scenario::{Scenario, ScenarioError};
use crate::trace::{Instant, Opened};

/// Decides once and prints what became of every waiting job.
///
/// # Errors
///
/// [`SimError`] if a file cannot be read, or the snapshot contradicts itself.
pub fn decide(arguments: &cli::Decide, world: &World<'_>) -> Result<Output, SimError> {
    let decided = decided(arguments, world)?;
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => report::decision::text(&decided),
        OutputFormat::Json => report::json::pretty(&decided),
        OutputFormat::Csv => report::json::flat(&decided),
    });
    output.notes.extend(decided.warnings.iter().map(|warning| format!("warning: {warning}")));
    Ok(output)
}

/// By what the first file is. Standard input is read once, so what was looked at is handed on.
fn decided(arguments: &cli::Decide, world: &World<'_>) -> Result<Decided, SimError> {
    let path = &arguments.files[0];
    let inputs = arguments.files.iter().chain(&arguments.add);
    if inputs.filter(|path| *path == Path::new("-")).count() > 1 {
        return Err(SimError::usage("`-` is given twice, and standard input can be read once"));
    }
    // What cannot be opened is told in the words of scenarios.
    let first = kueue::opened(path).ok();
    match first {
        Some(first) if kueue::are_objects(&first.head) || is_no_toml(path) => {
            objects(arguments, first, world)
        }
        first => {
            if let Some(name) = only_for_objects(arguments) {
                let message =
                    format!("`--{name}` is for Kueue objects, and `{}` is a scenario", path.display());
                return Err(SimError::usage(message));
            }
            let mut text = String::new();
            let standard_input = first.filter(|_| path == Path::new("-"));
            if let Some(mut first) = standard_input {
                let read = first.bytes.read_to_string(&mut text);
                read.map_err(|error| ScenarioError::open("-", error))?;
            }
            scenario(arguments, &text, world)
        }
    }
}

/// Whether a file is called as no scenario is.
fn is_no_toml(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    Path::new(plain).extension().is_some_and(|extension| {
        ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// An option that is given and means nothing to a scenario.
fn only_for_objects(arguments: &cli::Decide) -> Option<&'static str> {
    [
        ("fair-sharing", arguments.fair_sharing.is_some()),
        ("strategies", arguments.strategies.is_some()),
        ("now", arguments.now.is_some()),
        ("resource-weights", arguments.resource_weights.is_some()),
        ("queue", arguments.queue.is_some()),
    ]
    .into_iter()
    .find_map(|(name, given)| given.then_some(name))
}

/// A scenario of our own; `text` is that of standard input, where it came from there.
fn scenario(arguments: &cli::Decide, text: &str, world: &World<'_>) -> Result<Decided, SimError> {
    let [path] = &arguments.files[..] else {
        let message = format!("{} files are given, and a scenario is one", arguments.files.len());
        return Err(SimError::usage_with_hint(message, "name jobs to add with `--add FILE`"));
    };
    let overrides = overrides(&arguments.settings, arguments.policy.as_deref(), world)?;
    let mut scenario = if path == Path::new("-") {
        Scenario::parse("-", text, &overrides)?
    } else {
        Scenario::load(path, &overrides)?
    };
    for path in &arguments.add {
        let name = path.display().to_string();
        let text = read(path).map_err(|error| ScenarioError::open(&name, error))?;
        scenario.add_pending(&name, &text)?;
    }
    of_scenario(&scenario)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Objects of Kueue.
fn objects(arguments: &cli::Decide, first: Opened, world: &World<'_>) -> Result<Decided, SimError> {
    let (path, others) = arguments.files.split_first().ok_or_else(|| SimError::usage("no file is given"))?;
    let files = std::iter::once(Ok((path.display().to_string(), first))).chain(kueue::files(others));
    if let Some(policy) = arguments.policy.as_deref().filter(|policy| *policy != "kueue") {
        return by_other_policy(arguments, policy, files, world);
    }
    if !arguments.settings.is_empty() {
        let message = format!("`--set` is for scenarios, and `{}` holds Kueue objects", path.display());
        return Err(SimError::usage_with_hint(message, "`sim kueue import` makes them a scenario"));
    }
    let options = options(arguments)?;
    let mut objects = Objects::default();
    for file in files {
        let (name, opened) = file?;
        objects.add(&name, opened)?;
    }
    for path in &arguments.add {
        let opened = kueue::opened(path)?;
        objects.add_jobs(&path.display().to_string(), opened, arguments.queue.as_deref())?;
    }
    let snapshot = Snapshot::new(&objects, &options)?;
    if !objects.have_queues() {
        let message = format!(
            "the objects in `{}` have no ClusterQueue that is read, so nobody has quota{}",
            path.display(),
            objects.passed_over()
        );
        let hint = if objects.passed_over().contains("ClusterQueue of ") {
            "those of `kueue.x-k8s.io/v1beta1` and `kueue.x-k8s.io/v1beta2` are read"
        } else {
            "print the queues as well, see `sim decide --help`; what Workloads did is told by `sim trace inspect`"
        };
        return Err(SimError::usage_with_hint(message, hint));
    }
    Ok(snapshot.decide())
}

/// Objects of Kueue as the scenario that they come to, under a policy that is not Kueue's own.
fn by_other_policy(
    arguments: &cli::Decide,
    policy: &str,
    files: impl Iterator<Item = Result<(String, Opened), KueueError>>,
    world: &World<'_>,
) -> Result<Decided, SimError> {
    let added = (!arguments.add.is_empty()).then_some("add");
    if let Some(name) = only_for_objects(arguments).or(added) {
        let message = format!("`--{name}` goes with Kueue's own rules, and policy `{policy}` is to decide");
        let hint = "write the scenario with `sim kueue import`, and change that";
        return Err(SimError::usage_with_hint(message, hint));
    }
    let overrides = overrides(&arguments.settings, Some(policy), world)?;
    // In no other policy does a job use pools together.
    let wanted = kueue::Wanted { joins_flavors: true, ..kueue::Wanted::default() };
    let imported = kueue::import_opened(files, &wanted)?;
    let scenario = Scenario::parse("the imported scenario", &imported.scenario, &overrides)?;
    let mut decided = of_scenario(&scenario)?;
    decided.warnings.splice(0..0, imported.notes);
    Ok(decided)
}

/// What the command line says over the objects' own configuration.
fn options(arguments: &cli::Decide) -> Result<Options, SimError> {
    let mut options = Options { fair_sharing: arguments.fair_sharing, ..Options::default() };
    if let Some(text) = &arguments.strategies {
        let strategies = kueue::parse_strategies(text);
        let message = || format!("`--strategies {text}`: expected {}", kueue::LISTS);
        options.strategies = Some(strategies.ok_or_else(|| SimError::usage(message()))?);
    }
    if let Some(text) = &arguments.now {
        let message =
            || format!("`--now {text}`: expected a time like `2026-01-31T12:00:00Z`, or Unix seconds");
        let now = Instant::parse(text).ok_or_else(|| SimError::usage(message()))?;
        options.now_ms = Some(now.since_1970());
    }
    for part in arguments.resource_weights.iter().flat_map(|text| text.split(',')) {
        let weight = part.split_once('=').and_then(|(resource, weight)| {
            let weight = Quantity::parse(weight.trim()).filter(|weight| !weight.is_negative())?;
            Some((resource.trim().to_owned(), weight.approximate()))
        });
        let message = || format!("`--resource-weights`: expected weights like `cpu=0,gpu=1`, found `{part}`");
        let (resource, weight) = weight.ok_or_else(|| SimError::usage(message()))?;
        options.resource_weights.insert(resource, weight);
    }
    Ok(options)
}
