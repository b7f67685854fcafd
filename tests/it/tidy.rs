//! The rules of the house that a reader would otherwise have to enforce: layers, file sizes, heads, floats, digests.
//!
//! A failure names the file, the line and the rule. Function length, bans and missing documentation are left to clippy
//! and rustdoc, which know the language. Absent on purpose: anything about behaviour.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The layers of the core, lowest first. A module uses modules of its own layer and of lower ones, never in a circle.
/// The head of each file says the same number.
const LAYERS: &[&[&str]] = &[
    &["chunks", "error", "id", "money", "quantity", "resources", "room", "seldom", "share", "time"],
    &[
        "config",
        "decision",
        "explain",
        "explain/remedy",
        "job",
        "pool",
        "rules",
        "snapshot",
        "team",
        "transfer",
    ],
    &["ledger", "line", "line/by_length", "log", "tree", "value"],
    &[
        "budget",
        "dominant",
        "fluid",
        "hierarchy",
        "history",
        "kueue",
        "outlook",
        "pending",
        "placement",
        "profile",
        "quota",
        "reclaim",
        "reservation",
        "route",
        "state",
        "state/check",
        "state/guaranteed",
        "state/snapshot",
    ],
    &[
        "policy",
        "policy/by_time",
        "policy/drf",
        "policy/fair_tree",
        "policy/first",
        "policy/hdrf",
        "policy/lack",
        "policy/lists",
        "policy/multifactor",
        "policy/static_quota",
        "policy/txn",
    ],
    &[
        "policy/conservative",
        "policy/engine",
        "policy/engine/backfill",
        "policy/engine/change",
        "policy/engine/check",
        "policy/engine/deep",
        "policy/engine/holds",
        "policy/engine/limits",
        "policy/engine/memory",
        "policy/engine/one_line",
        "policy/engine/rescaled",
        "policy/engine/reclaim",
        "policy/engine/reclaim/bound",
        "policy/engine/reclaim/memory",
        "policy/engine/reclaim/turn",
        "policy/engine/wakeup",
        "policy/engine/waste",
        "policy/engine/why",
        "policy/gavel",
        "policy/own",
    ],
    &["conformance", "scheduler"],
];

/// Modules that must not know each other, although their layers would allow it.
const STRANGERS: &[(&str, &str)] = &[("policy", "placement"), ("placement", "policy")];

/// Code lines of the lower layers that may hold a float, and for what. The layers are those of vocabulary, model and
/// state: quantities, money and shares are exact there.
const FLOATS: &[(&str, usize, &str)] = &[
    ("share", 3, "a share is printed as a decimal number"),
    ("snapshot", 3, "past use and parts of time are floats above this layer, and are written exactly"),
    ("tree", 7, "an ordering hint that is settled exactly"),
];

/// The layers without floats are those below this one.
const FIRST_LAYER_WITH_FLOATS: usize = 3;

/// Past this a file is two concepts. Tests at its end are not counted.
const FILE_LINES_MAX: usize = 600;

/// What a visitor sees first should fit one look; the two licence files count as one.
const ROOT_ENTRIES_MAX: usize = 16;

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A text file of the project: its path from the root with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The numbered lines before the file's own tests.
    fn body(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// The numbered lines before the tests that are not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.body().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The module of the core that this file is: `id`, `policy/lists`; a folder's `mod.rs` is the folder.
    fn module(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        (name != "lib").then(|| name.strip_suffix("/mod").unwrap_or(name))
    }
}

/// All files below the given folders whose names end in one of `endings`, sorted by path.
fn sources(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push(Source { path: shown, text: fs::read_to_string(&path).unwrap() });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no file below {folders:?}");
    found
}

fn rust_sources() -> Vec<Source> {
    sources(
        &["src", "sim/src", "sim/tests", "sim/benches", "tests", "benches", "examples"].map(existing),
        &[".rs"],
    )
}

/// The folder itself, or one that is always there, so that a part of the project may still be absent.
fn existing(folder: &'static str) -> &'static str {
    if root().join(folder).exists() { folder } else { "tests/it/main.rs" }
}

/// Stops with all violations of one rule, one a line.
fn refuse(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The module in which each item of the crate's root is defined, from the `pub use` lines of `src/lib.rs`.
fn homes_of_items() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut homes = BTreeMap::new();
    for statement in text.split(';') {
        let Some((_, path)) = statement.rsplit_once("pub use ") else { continue };
        let Some((module, items)) = path.rsplit_once("::") else { continue };
        for item in items.trim_matches(['{', '}']).split(',').map(str::trim) {
            homes.insert(item.to_owned(), module.replace("::", "/"));
        }
    }
    homes
}

/// The modules of the core that one line names after `crate::` or `super::`, an item of the root by its home.
fn modules_named(module: &str, line: &str, homes: &BTreeMap<String, String>) -> Vec<String> {
    let mut named = Vec::new();
    for (start, _) in line.match_indices("crate::") {
        let path = &line[start + "crate::".len()..];
        let names: Vec<&str> = match path.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').map(str::trim).collect(),
            None => vec![path],
        };
        for name in names {
            let mut parts = name.split("::").map(leading_word);
            let first = parts.next().unwrap_or("");
            let inner = format!("{first}/{}", parts.next().unwrap_or(""));
            let outer = homes.get(first).map_or(first, String::as_str);
            named.push(if layer_of(&inner).is_some() { inner } else { outer.to_owned() });
        }
    }
    if let Some((folder, _)) = module.split_once('/') {
        for (start, _) in line.match_indices("super::") {
            let inner = format!("{folder}/{}", leading_word(&line[start + "super::".len()..]));
            named.push(if layer_of(&inner).is_some() { inner } else { folder.to_owned() });
        }
    }
    named
}

/// The identifier at the beginning of `text`.
fn leading_word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn modules_use_only_their_own_layer_and_lower_ones() {
    let homes = homes_of_items();
    let mut violations = Vec::new();
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources(&["src"], &[".rs"]) {
        let Some(module) = source.module() else { continue };
        let Some(layer) = layer_of(module).or_else(|| layer_of(module.split('/').next()?)) else {
            violations.push(format!("{}: stands in no layer; give it a place in LAYERS", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for named in modules_named(module, line, &homes) {
                let place = format!("{}:{number}: `{module}` (layer {layer}) uses `{named}`", source.path);
                let top = |name: &str| name.split('/').next().unwrap_or("").to_owned();
                if layer_of(&named).is_none_or(|used| used > layer) {
                    violations.push(format!("{place}, which is not below it"));
                }
                if STRANGERS.contains(&(top(module).as_str(), top(&named).as_str())) {
                    violations.push(format!("{place}: the two must not know each other"));
                }
                if named != module {
                    uses.entry(module.to_owned()).or_default().push(named);
                }
            }
        }
    }
    violations.extend(circle(&uses));
    refuse(&violations);
}

/// A circle of modules that use each other, if there is one. A folder and its own files are one module here: a file of
/// the folder names the traits of its `mod.rs`, which names the file.
fn circle(uses: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let top = |name: &str| name.split('/').next().unwrap_or("").to_owned();
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (from, to) in uses.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        if top(from) != top(to) {
            edges.entry(top(from)).or_default().push(top(to));
        }
    }
    // Modules that use nothing that is left are taken away until none can be; what stays is a circle.
    loop {
        let free: Vec<String> = edges
            .iter()
            .filter(|(_, used)| used.iter().all(|name| !edges.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            edges.remove(&name);
        }
    }
    (!edges.is_empty()).then(|| format!("modules use each other in a circle: {:?}", edges.keys()))
}

#[test]
fn heads_say_the_layer_of_the_table() {
    let mut violations = Vec::new();
    for source in sources(&["src"], &[".rs"]) {
        let head: String =
            source.text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        let said = head.split("Layer ").nth(1).map(|rest| leading_word(rest).to_owned());
        let listed = source.module().and_then(layer_of).map(|layer| layer.to_string());
        if let (Some(said), Some(listed)) = (said, listed)
            && said != listed
        {
            violations.push(format!("{}: its head says layer {said}, LAYERS says {listed}", source.path));
        }
    }
    refuse(&violations);
}

#[test]
fn every_file_begins_with_what_belongs_in_it() {
    let sources = rust_sources();
    let headless = sources.iter().filter(|source| !source.text.starts_with("//! "));
    refuse(&headless.map(|source| format!("{}:1: no `//!` head", source.path)).collect::<Vec<_>>());
}

#[test]
fn files_are_one_concept_long() {
    let sources = rust_sources();
    let long = sources
        .iter()
        .map(|source| (source, source.body().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX);
    refuse(
        &long
            .map(|(source, lines)| format!("{}: {lines} lines without tests", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn quantities_and_shares_are_exact() {
    let mut violations = Vec::new();
    for source in sources(&["src"], &[".rs"]) {
        let Some(module) = source.module() else { continue };
        if layer_of(module).is_none_or(|layer| layer >= FIRST_LAYER_WITH_FLOATS) {
            continue;
        }
        let allowed = FLOATS.iter().find(|(name, ..)| *name == module).map_or(0, |(_, lines, _)| *lines);
        let lines: Vec<usize> = source
            .code()
            .filter(|(_, line)| line.contains("f64") || line.contains("f32"))
            .map(|(number, _)| number)
            .collect();
        if lines.len() > allowed {
            violations.push(format!("{}: floats in lines {lines:?}, {allowed} allowed", source.path));
        }
    }
    refuse(&violations);
}

#[test]
fn nothing_is_left_for_later() {
    // Written in parts, so that this file does not break its own rule.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let mut violations = Vec::new();
    for source in rust_sources() {
        for (number, line) in (1..).zip(source.text.lines()) {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                violations.push(format!("{}:{number}: `{mark}`", source.path));
            }
        }
    }
    refuse(&violations);
}

#[test]
fn randomness_enters_through_one_file() {
    let crates = ["rand::", "rand_chacha::", "rand_distr::", "rand_core::"];
    let mut violations = Vec::new();
    for source in sources(&["src", "sim/src"], &[".rs"]) {
        for (number, line) in source.code().filter(|_| source.path != "sim/src/rng.rs") {
            if crates.iter().any(|name| line.trim_start().starts_with(&format!("use {name}"))) {
                violations.push(format!("{}:{number}: draw from a stream of `sim/src/rng.rs`", source.path));
            }
        }
    }
    refuse(&violations);
}

#[test]
fn readers_of_traces_do_not_know_the_scheduler() {
    let mut violations = Vec::new();
    for source in sources(&["sim/src/trace"], &[".rs"]) {
        for (number, line) in source.code().filter(|(_, line)| line.contains("fairshare::")) {
            violations.push(format!("{}:{number}: `{}`", source.path, line.trim()));
        }
    }
    refuse(&violations);
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let roots = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let mut texts = rust_sources();
    // Results too: they name the files that they were made from.
    texts.extend(sources(&["docs", ".ci"].map(existing), &[""]));
    texts.extend(sources(&["traces"].map(existing), &[".md", ".toml", ".csv"]));
    texts.extend(sources(&["README.md", "Cargo.toml", "sim/Cargo.toml"], &[""]));
    let mut violations = Vec::new();
    for source in texts.iter().filter(|source| has_ending(&source.path, "json")) {
        for (number, line) in (1..).zip(source.text.lines()).filter(|(_, line)| line.contains("\"../")) {
            violations.push(format!("{}:{number}: {} is beside the tree", source.path, line.trim()));
        }
    }
    for source in texts {
        for (number, line) in (1..).zip(source.text.lines()) {
            if roots.iter().any(|start| line.contains(start)) {
                violations.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    refuse(&violations);
}

/// Recorded traces, and what other programs make of them job by job, stay outside: only `traces` holds rows of jobs, which
/// the seeded generator made.
#[test]
fn documents_hold_no_trace() {
    let endings = ["json", "md", "py", "svg", "toml", "txt", "run"];
    let documents = sources(&["docs"].map(existing), &[""]);
    let strange = documents.iter().filter(|source| {
        let (_, name) = source.path.rsplit_once('/').unwrap_or_default();
        !endings.contains(&name.rsplit_once('.').map_or(name, |(_, ending)| ending))
    });
    refuse(&strange.map(|source| format!("{}: not a document", source.path)).collect::<Vec<_>>());
}

/// The rows of the table of files in `traces/README.md`: path, digest, row count.
fn bundled_traces() -> Vec<(String, String, u64)> {
    let readme = fs::read_to_string(root().join("traces/README.md")).unwrap();
    readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            match cells[..] {
                [path, digest, rows] if digest.len() == 64 => {
                    Some((path.to_owned(), digest.to_owned(), rows.parse().unwrap()))
                }
                _ => None,
            }
        })
        .collect()
}

#[test]
fn bundled_traces_have_the_digests_of_their_readme() {
    let listed = bundled_traces();
    let mut violations = Vec::new();
    for (path, digest, rows) in &listed {
        let bytes = fs::read(root().join("traces").join(path)).unwrap();
        let found =
            Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        if found != *digest {
            violations.push(format!("traces/{path}: digest {found}, the README says {digest}"));
        }
        if has_ending(path, "csv") {
            let lines = String::from_utf8(bytes).unwrap().lines().count() as u64;
            if lines != rows + 1 {
                violations
                    .push(format!("traces/{path}: {lines} lines, the README says {rows} rows and a header"));
            }
        }
    }
    for folder in ["demo", "sample"] {
        for entry in fs::read_dir(root().join("traces").join(folder)).unwrap() {
            let path = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            let is_data = !has_ending(&path, "toml") && !has_ending(&path, "md");
            if is_data && !listed.iter().any(|(known, ..)| *known == path) {
                violations.push(format!("traces/{path}: not in the table of traces/README.md"));
            }
        }
    }
    refuse(&violations);
}

#[test]
fn the_root_fits_one_look() {
    // Of the build and of runs, not of the project.
    let made = ["target", "out", "report.html"];
    let mut entries: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !made.contains(&name.as_str()))
        .map(|name| if name.starts_with("LICENSE-") { "LICENSE".to_owned() } else { name })
        .collect();
    entries.sort();
    entries.dedup();
    assert!(entries.len() <= ROOT_ENTRIES_MAX, "{} entries: {entries:?}", entries.len());
}
