//! Objects from files, each kind into its own list: what `kubectl get … -o yaml` or `-o json` prints.
//!
//! Absent on purpose: what they mean together (see `snapshot`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fairshare::kueue::{ClusterQueue, Cohort};
use serde_json::Value;

use super::config::{Configuration, configuration};
use super::error::KueueError;
use super::field::{Field, MAPPING, Noted, Object};
use super::queue::{self, LocalQueue};
use super::workload::{Class, Workload};
use crate::trace::{Documents, Input, Opened, open, open_bytes, printable, timestamp_ms};

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Objects {
    /// Each with its file, and whether its head blocks those behind it.
    pub(super) queues: Vec<(String, ClusterQueue, bool)>,
    pub(super) cohorts: Vec<(String, Cohort)>,
    /// Cohorts that name the one above them in `parent`, as older versions did, if they do.
    pub(super) by_old_name: BTreeSet<String>,
    pub(super) local_queues: BTreeMap<(String, String), LocalQueue>,
    /// With the labels of their nodes.
    pub(super) flavors: BTreeMap<String, BTreeMap<String, String>>,
    /// Values of classes, by kind and name.
    pub(super) classes: BTreeMap<(&'static str, String), i32>,
    /// The value of the class for those who name none.
    pub(super) default_priority: Option<i32>,
    pub(super) workloads: Vec<Workload>,
    pub(super) configuration: Configuration,
    /// The latest time that stands anywhere in the objects.
    pub(super) latest_ms: Option<i64>,
    pub(super) noted: RefCell<Noted>,
    passed_over: BTreeSet<String>,
    /// File and line of each object, by kind and name.
    seen: BTreeMap<(String, String), (String, u64)>,
}

impl Objects {
    /// Whether anybody has quota to give.
    #[must_use]
    pub fn have_queues(&self) -> bool {
        !self.queues.is_empty()
    }

    /// What was passed over, for messages that miss something; empty where nothing was.
    pub(crate) fn passed_over(&self) -> String {
        let kinds: Vec<String> =
            self.passed_over.iter().map(|kind| format!("`{}`", printable(kind))).collect();
        if kinds.is_empty() { String::new() } else { format!(": passed over are {}", kinds.join(", ")) }
    }
}

/// The kinds that are read, with the versions of them; one that ends in a slash stands for all of its group.
const VERSIONS: [(&str, &[&str]); 9] = [
    ("ClusterQueue", &KUEUE),
    ("Cohort", &["kueue.x-k8s.io/v1alpha1", KUEUE[0], KUEUE[1]]),
    ("LocalQueue", &KUEUE),
    ("ResourceFlavor", &KUEUE),
    ("Workload", &KUEUE),
    ("WorkloadPriorityClass", &KUEUE),
    ("PriorityClass", &["scheduling.k8s.io/"]),
    ("Configuration", &["config.kueue.x-k8s.io/"]),
    ("ConfigMap", &["v1"]),
];
const KUEUE: [&str; 2] = ["kueue.x-k8s.io/v1beta1", "kueue.x-k8s.io/v1beta2"];

/// Whether an object of a kind that is read is of another group or version than that kind.
pub(super) fn is_foreign(kind: &str, version: &str) -> bool {
    let is = |known: &&str| version == *known || known.ends_with('/') && version.starts_with(known);
    VERSIONS.iter().any(|(known, versions)| *known == kind && !versions.iter().any(is))
}

/// How to get objects that can be read.
const HINT: &str = "kubectl prints them with `-o yaml` or `-o json`";

/// Whether a file holds Kubernetes objects rather than a scenario: JSON, or YAML that names a kind or a version.
#[must_use]
pub fn are_objects(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    if matches!(text.first(), Some(b'{')) || text.starts_with(b"---") {
        return true;
    }
    let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let written = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    written.into_iter().any(|line| {
        let line = line.strip_prefix(b"- ").unwrap_or(line);
        line.starts_with(b"apiVersion:") || line.starts_with(b"kind:")
    })
}

/// Opens a file of objects, of which the first bytes tell what it is.
///
/// # Errors
///
/// [`KueueError`] if it cannot be opened.
pub(crate) fn opened(path: &Path) -> Result<Opened, KueueError> {
    let input = Input { path: path.to_owned(), format: None };
    open(&input).map_err(|fault| KueueError::bytes(&input.shown(), fault))
}

/// Files of objects by their names, each opened when its turn comes: there may be more than can be open at once.
pub(crate) fn files<P: AsRef<Path>>(
    paths: &[P],
) -> impl Iterator<Item = Result<(String, Opened), KueueError>> + '_ {
    paths.iter().map(|path| Ok((path.as_ref().display().to_string(), opened(path.as_ref())?)))
}

impl Objects {
    /// Reads all objects of some files.
    ///
    /// # Errors
    ///
    /// [`KueueError`], naming the file, the object and the field.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, KueueError> {
        let mut objects = Self::default();
        for file in files(paths) {
            let (name, opened) = file?;
            objects.add(&name, opened)?;
        }
        Ok(objects)
    }

    /// Reads all objects of a text.
    ///
    /// # Errors
    ///
    /// [`KueueError`], naming the object and the field.
    pub fn parse(file: &str, text: &str) -> Result<Self, KueueError> {
        let mut objects = Self::default();
        let bytes = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        objects.add(file, open_bytes(bytes).map_err(|fault| KueueError::bytes(file, fault))?)?;
        Ok(objects)
    }

    pub(crate) fn add(&mut self, file: &str, opened: Opened) -> Result<(), KueueError> {
        let bytes = |fault| KueueError::bytes(file, fault);
        let mut documents = Documents::new(opened, HINT).map_err(bytes)?;
        while let Some(value) = documents.next("Kubernetes object").map_err(bytes)? {
            let value: Value = value;
            // A document of comments alone.
            if !value.is_null() {
                self.take(file, &value, documents.line()).map_err(|error| error.located(&documents))?;
            }
        }
        Ok(())
    }

    /// Reads one object of a file; false where it is of a kind that is passed over.
    pub(super) fn take(&mut self, file: &str, value: &Value, line: u64) -> Result<bool, KueueError> {
        let Some(kind) = value["kind"].as_str() else {
            let at = if line > 0 { format!("line {line}: ") } else { String::new() };
            let what = format!("{at}expected a `kind` such as `ClusterQueue`, found none");
            return Err(KueueError::file(file, what).hint(HINT));
        };
        let metadata = &value["metadata"];
        let part = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let (namespace, own) = (part("namespace"), part("name"));
        let name = if namespace.is_empty() { own.clone() } else { format!("{namespace}/{own}") };
        // Taken out for as long as `self` is changed, and put back with what was noted.
        let noted = std::mem::take(&mut self.noted);
        let object = Object { file, kind, name: name.clone(), noted: &noted };
        let root = Field::root(&object, value);
        let version = root.get("apiVersion").text();
        let known = version.and_then(|version| {
            if let Some(version) = version.filter(|version| is_foreign(kind, version)) {
                self.passed_over.insert(format!("{kind} of {version}"));
                return Ok(false);
            }
            let known = self.read(&root, kind, &namespace, &own)?;
            if !known {
                self.passed_over.insert(kind.to_owned());
            }
            Ok(known)
        });
        drop(root);
        drop(object);
        self.noted = noted;
        if !known? {
            return Ok(false);
        }
        self.note_times(value);
        if kind == "Configuration" || kind == "ConfigMap" {
            return Ok(true);
        }
        let before = self.seen.insert((kind.to_owned(), name.clone()), (file.to_owned(), line));
        if let Some((other, line)) = before {
            let what = if other == file && line == 0 {
                "there are two of this name".to_owned()
            } else if other == file {
                format!("there are two of this name: the other is in line {line}")
            } else {
                format!("there are two of this name: the other is in line {line} of `{other}`")
            };
            let object = Object { file, kind, name, noted: &self.noted };
            return Err(Field::root(&object, value).get("metadata").get("name").sentence(what));
        }
        Ok(true)
    }

    /// The line in which an object begins, by its kind and its name with the namespace.
    pub(super) fn line(&self, kind: &str, name: &str) -> Option<u64> {
        let known = self.seen.get(&(kind.to_owned(), name.to_owned()));
        known.map(|(_, line)| *line).filter(|line| *line > 0)
    }

    /// Reads one object; false for a kind that is not for Kueue.
    fn read(
        &mut self,
        root: &Field<'_>,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<bool, KueueError> {
        let file = root.object().file;
        let class = match kind {
            "WorkloadPriorityClass" => Some("WorkloadPriorityClass"),
            "PriorityClass" => Some("PriorityClass"),
            _ => None,
        };
        if let Some(class) = class {
            let value = root.get("value").integer("a priority of 32 bits")?;
            let value = value.ok_or_else(|| root.get("value").fault("a priority of 32 bits"))?;
            self.classes.insert((class, root.get("metadata").get("name").required_name()?), value);
            if class == "PriorityClass" && root.get("globalDefault").flag()? == Some(true) {
                self.default_priority = Some(value);
            }
            return Ok(true);
        }
        match kind {
            "ClusterQueue" | "Cohort" | "LocalQueue" | "ResourceFlavor" | "Workload" => {
                root.known(&["apiVersion", "kind", "metadata", "spec", "status"])?;
                root.get("metadata").get("name").required_name()?;
                for part in ["spec", "status"] {
                    root.get(part).entries()?;
                }
                if kind == "ClusterQueue" && root.get("spec").is_absent() && root.has("spec") {
                    return Err(root.get("spec").fault(MAPPING));
                }
            }
            "Configuration" => {
                self.configuration = configuration(root)?;
                return Ok(true);
            }
            "ConfigMap" => return self.config_map(root),
            _ => return Ok(false),
        }
        match kind {
            "ClusterQueue" => {
                let (queue, strict) = queue::cluster_queue(root, name)?;
                self.queues.push((file.to_owned(), queue, strict));
            }
            "Cohort" => {
                self.cohorts.push((file.to_owned(), queue::cohort(root, name)?));
                if root.get("spec").get("parentName").is_absent() {
                    self.by_old_name.insert(name.to_owned());
                }
            }
            "LocalQueue" => {
                self.local_queues.insert((namespace.to_owned(), name.to_owned()), queue::local_queue(root)?);
            }
            "ResourceFlavor" => {
                let spec = root.get("spec");
                for key in ["nodeTaints", "tolerations", "topologyName"] {
                    spec.get(key).unheeded();
                }
                let mut labels = BTreeMap::new();
                for (label, value) in spec.get("nodeLabels").entries()? {
                    labels.extend(value.plain_text()?.map(|value| (label.to_owned(), value)));
                }
                self.flavors.insert(name.to_owned(), labels);
            }
            _ => self.workloads.push(Workload::read(root)?),
        }
        Ok(true)
    }

    /// Kueue's configuration lies in a `ConfigMap` of its namespace.
    fn config_map(&mut self, root: &Field<'_>) -> Result<bool, KueueError> {
        let field = root.get("data").get("controller_manager_config.yaml");
        let Some(text) = field.text()? else { return Ok(false) };
        let file = format!("{}:controller_manager_config.yaml", root.object().file);
        let inner = Self::parse(&file, text)?;
        self.configuration = inner.configuration;
        Ok(true)
    }

    /// Remembers the latest time of an object.
    fn note_times(&mut self, value: &Value) {
        const KEYS: [&str; 4] =
            ["creationTimestamp", "lastTransitionTime", "lastUpdate", "deletionTimestamp"];
        match value {
            Value::Array(list) => list.iter().for_each(|value| self.note_times(value)),
            Value::Object(map) => {
                for (key, value) in map {
                    let time = value.as_str().filter(|_| KEYS.contains(&key.as_str()));
                    match time.and_then(|text| timestamp_ms(text.as_bytes())) {
                        Some(at) => self.latest_ms = self.latest_ms.max(Some(at)),
                        None => self.note_times(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// The value of a class, of either kind where it does not say which.
    pub(super) fn class_value(&self, class: &Class) -> Option<i32> {
        let kinds: &[&'static str] = match &class.kind {
            Some(kind) => &[*kind],
            None => &["WorkloadPriorityClass", "PriorityClass"],
        };
        kinds.iter().find_map(|kind| self.classes.get(&(*kind, class.name.clone())).copied())
    }

    /// What is worth saying about what was read, each once.
    pub(super) fn notes(&self) -> Vec<String> {
        let quoted = |names: &BTreeSet<String>| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ")
        };
        let mut notes = Vec::new();
        if !self.passed_over.is_empty() {
            notes.push(format!("kinds that are passed over: {}", quoted(&self.passed_over)));
        }
        let noted = self.noted.borrow();
        if !noted.unknown.is_empty() {
            notes.push(format!("fields that are not known are ignored: {}", quoted(&noted.unknown)));
        }
        if !noted.unheeded.is_empty() {
            notes.push(format!("fields at which Kueue looks and this does not: {}", quoted(&noted.unheeded)));
        }
        notes.extend(noted.odd.iter().cloned());
        notes
    }
}
