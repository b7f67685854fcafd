//! `SkyPilot`: job records as its SDK returns them (JSON), and task files (YAML).
//!
//! Records: workspace = team, times are Unix seconds, a pipeline's tasks follow each other. A task file says what
//! is asked for, not when: it can only be inspected. Places (`infra`, `cloud`, `region`) are not read, since the
//! names of a scenario's pools are its own.

use std::fmt::Write as _;

use serde_json::Value;

use super::documents::Documents;
use super::items::{Items, plain};
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;
use crate::trace::number;
use crate::trace::row::{Missing, Reason, RowSource, Status, TraceRow};

/// One managed job or cluster job; fields that neither knows are passed over.
#[derive(serde::Deserialize)]
struct Record {
    job_id: Option<i64>,
    task_id: Option<i64>,
    job_name: Option<String>,
    task_name: Option<String>,
    job_duration: Option<serde_json::Number>,
    workspace: Option<String>,
    status: Option<String>,
    resources: Option<Value>,
    user_name: Option<String>,
    username: Option<String>,
    user_hash: Option<String>,
    submitted_at: Option<serde_json::Number>,
    start_at: Option<serde_json::Number>,
    end_at: Option<serde_json::Number>,
    priority: Option<i64>,
    accelerators: Option<Value>,
}

/// Reader of job records.
pub(crate) struct Records {
    items: Items,
}

impl Records {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { items: Items::new(opened) }
    }

    fn fill(&self, record: &Record, row: &mut TraceRow) -> Result<(), Fault> {
        if let Some(id) = record.job_id {
            let _ = write!(row.name, "{id}");
            if let Some(task @ 1..) = record.task_id {
                let _ = write!(row.name, ".{task}");
                let _ = if task == 1 {
                    write!(row.after, "{id}")
                } else {
                    write!(row.after, "{id}.{}", task - 1)
                };
            }
        }
        let title = record.task_name.as_deref().or(record.job_name.as_deref());
        row.title.push_str(title.unwrap_or_default());
        let user = record.user_name.as_deref().or(record.username.as_deref()).or(record.user_hash.as_deref());
        row.user.push_str(user.unwrap_or_default());
        row.team.push_str(record.workspace.as_deref().unwrap_or("default"));
        if let Some(priority) = record.priority {
            let _ = write!(row.priority, "{priority}");
        }
        row.submit_ms = self.seconds("submitted_at", record.submitted_at.as_ref())?;
        row.start_ms = self.seconds("start_at", record.start_at.as_ref())?;
        row.end_ms = self.seconds("end_at", record.end_at.as_ref())?;
        // The duration leaves out recoveries; the span from start to end does not.
        row.run_ms = match self.seconds("job_duration", record.job_duration.as_ref())? {
            Some(duration) if duration > 0 => Some(duration),
            _ => row.end_ms.zip(row.start_ms).map(|(end, start)| end - start),
        };
        match record.status.as_deref().unwrap_or_default() {
            "SUCCEEDED" => row.status = Status::Completed,
            "CANCELLED" => row.status = Status::Cancelled,
            status if status.starts_with("FAILED") => row.status = Status::Failed,
            "INIT"
            | "PENDING"
            | "SUBMITTED"
            | "STARTING"
            | "RUNNING"
            | "RECOVERING"
            | "CANCELLING"
            | "SETTING_UP"
            | "DEPRECATED_SUBMITTED" => row.reject = Some(Reason::StillRunning),
            _ => row.reject = Some(Reason::UnknownState),
        }
        if record.job_id.is_none() {
            row.reject = Some(Reason::MissingId);
        }
        self.request(record, row)
    }

    /// `1x[H200:8]`, `2x(H200:8, cpus=4+)`, `H200:8`, or the accelerators as a map.
    fn request(&self, record: &Record, row: &mut TraceRow) -> Result<(), Fault> {
        let written = record.resources.as_ref().and_then(Value::as_str).unwrap_or_default();
        let (nodes, inside) = match written.split_once('x') {
            Some((nodes, inside)) if nodes.bytes().all(|byte| byte.is_ascii_digit()) && !nodes.is_empty() => {
                (number::whole(nodes.as_bytes()).unwrap_or(1), inside)
            }
            _ => (1, written),
        };
        row.workers = Some(nodes);
        let mut types = Vec::new();
        for part in inside.trim_matches(['[', ']', '(', ')']).split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("cpus", count)) => row.cpu_milli = plus(count, 3).unwrap_or(0),
                Some(("mem" | "memory", gib)) => row.memory_bytes = memory(gib).unwrap_or(0),
                Some(_) => {}
                None => types.extend(accelerator(part).filter(|_| part.contains(':'))),
            }
        }
        if let Some(value) = record.accelerators.as_ref().filter(|value| !value.is_null()) {
            types = accelerators(value).ok_or_else(|| {
                let found = quoted(value.to_string().as_bytes());
                Fault::unreadable(self.items.object_line(), "accelerators like `{\"H200\": 8}`", found)
                    .column("accelerators")
            })?;
        }
        write_alternatives(&types, nodes, row);
        Ok(())
    }

    fn seconds(&self, key: &str, value: Option<&serde_json::Number>) -> Result<Option<i64>, Fault> {
        let Some(value) = value else { return Ok(None) };
        let text = value.to_string();
        match number::scaled(text.as_bytes(), 3) {
            Ok(ms) if ms.abs() <= super::table::MAX_TIME_MS => Ok(Some(ms)),
            _ => {
                let found = quoted(text.as_bytes());
                Err(Fault::unreadable(
                    self.items.object_line(),
                    "Unix seconds within the range of this program",
                    found,
                )
                .column(key))
            }
        }
    }
}

impl RowSource for Records {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        let Some(record) = self.items.next::<Record>("SkyPilot job record")? else { return Ok(false) };
        row.clear();
        row.line = self.items.object_line();
        self.fill(&record, row)?;
        Ok(true)
    }
}

/// Reader of task files: one job per document.
pub(crate) struct Tasks {
    documents: Documents,
}

#[derive(serde::Deserialize)]
struct Task {
    name: Option<String>,
    num_nodes: Option<i64>,
    resources: Option<Value>,
}

impl Tasks {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        Ok(Self {
            documents: Documents::new(
                opened,
                "a task file is a mapping with `resources`; `---` stands between tasks",
            )?,
        })
    }

    fn fault(&self, expected: &str, value: &Value) -> Fault {
        let found = match value.as_str() {
            Some(text) => quoted(text.as_bytes()),
            None => quoted(value.to_string().as_bytes()),
        };
        Fault::unreadable(self.documents.line(), expected, found)
    }

    fn fill(&self, task: &Task, row: &mut TraceRow) -> Result<(), Fault> {
        row.title.push_str(task.name.as_deref().unwrap_or_default());
        row.team.push_str("unknown");
        let nodes = task.num_nodes.unwrap_or(1);
        row.workers = Some(nodes);
        let none = Value::Null;
        let resources = task.resources.as_ref().unwrap_or(&none);
        let mut types = Vec::new();
        // Alternatives inherit what stands beside them.
        let choices = ["ordered", "any_of"].iter().find_map(|key| resources[*key].as_array());
        let base = self.types(&resources["accelerators"])?;
        match choices {
            None => types = base,
            Some(choices) => {
                for choice in choices {
                    let own = self.types(&choice["accelerators"])?;
                    types.extend(if own.is_empty() { base.clone() } else { own });
                }
            }
        }
        types.dedup();
        let amount = |key: &str| {
            let of_choice = choices.and_then(|choices| choices.first()).map_or(&Value::Null, |one| &one[key]);
            if resources[key].is_null() { of_choice.clone() } else { resources[key].clone() }
        };
        let (cpus, gib) = (amount("cpus"), amount("memory"));
        if !cpus.is_null() {
            let count = plus(&plain_text(&cpus), 3);
            row.cpu_milli = count.ok_or_else(|| self.fault("a number of CPUs like `4` or `4+`", &cpus))?;
        }
        if !gib.is_null() {
            let bytes = memory(&plain_text(&gib));
            row.memory_bytes =
                bytes.ok_or_else(|| self.fault("an amount of memory like `32` or `32+`", &gib))?;
        }
        write_alternatives(&types, nodes, row);
        Ok(())
    }

    fn types(&self, value: &Value) -> Result<Vec<(String, i64)>, Fault> {
        if value.is_null() {
            return Ok(Vec::new());
        }
        accelerators(value).ok_or_else(|| self.fault("accelerators like `H200:8`", value))
    }
}

impl RowSource for Tasks {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        let Some(document) = self.documents.next("SkyPilot task")? else { return Ok(false) };
        row.clear();
        row.line = self.documents.line();
        let task: Task = serde_json::from_value(document).map_err(|error| {
            Fault::other(self.documents.line(), format!("this is no SkyPilot task: {}", plain(&error)))
        })?;
        self.fill(&task, row)?;
        Ok(true)
    }

    fn missing(&self) -> Missing {
        Missing { submit: true, run: true, team: true, ..Missing::default() }
    }
}

/// Types with their count per node, in thousandths.
fn accelerators(value: &Value) -> Option<Vec<(String, i64)>> {
    match value {
        Value::String(text) => {
            // A map that was written as text: `{'H200': 8}`.
            let text = text.trim_matches(['{', '}']).replace(['\'', '"', ' '], "");
            text.split(',').filter(|part| !part.is_empty()).map(accelerator).collect()
        }
        Value::Object(map) => map
            .iter()
            .map(|(name, count)| {
                let count = if count.is_null() { "1".to_owned() } else { plain_text(count) };
                Some((name.clone(), number::scaled(count.as_bytes(), 3).ok()?))
            })
            .collect(),
        Value::Array(list) => list.iter().map(|one| accelerator(one.as_str()?)).collect(),
        _ => None,
    }
}

/// `H200:8`, `H200`.
fn accelerator(text: &str) -> Option<(String, i64)> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    let name = name.trim();
    let count = number::scaled(count.trim().as_bytes(), 3).ok()?;
    let plain = !name.is_empty() && !name.contains(['|', '*', ':']);
    (plain && count >= 0).then(|| (name.to_owned(), count))
}

/// Alternatives in native syntax: the first sets what a worker asks for, the others say where they differ.
fn write_alternatives(types: &[(String, i64)], nodes: i64, row: &mut TraceRow) {
    let Some((_, first)) = types.first() else { return };
    row.gpu_milli = *first;
    for (index, (name, count)) in types.iter().enumerate() {
        let separator = if index == 0 { "" } else { "|" };
        let _ = write!(row.accelerators, "{separator}{name}");
        if count != first {
            let _ = write!(row.accelerators, "*{nodes}x{}.{:03}", count / 1000, count % 1000);
        }
    }
}

/// `4`, `4+` in thousandths.
fn plus(text: &str, scale: usize) -> Option<i64> {
    let text = text.trim().trim_end_matches('+');
    number::scaled(text.as_bytes(), scale).ok().filter(|value| *value >= 0)
}

/// `32`, `32+`, `32GB` in GiB, as bytes.
fn memory(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('+');
    let text = text.trim_end_matches("GiB").trim_end_matches("GB").trim_end_matches("gb");
    number::gibibytes(text.as_bytes()).ok().filter(|value| *value >= 0)
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
