//! `SkyPilot`: job records as its SDK returns them (JSON), and task files (YAML).
//!
//! Records: workspace = team, times are Unix seconds, a pipeline's tasks follow each other. A task file says what
//! is asked for, not when: it can only be inspected. Places (`infra`, `cloud`, `region`) are not read, since the
//! names of a scenario's pools are its own.

use std::fmt::Write as _;

use serde_json::Value;

use super::accelerators::{self, accelerator, accelerators, counted_first};
use super::documents::Documents;
use super::items::Items;
use super::locate::{Way, json_offset};
use super::member::{Member, Misread};
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

impl Record {
    /// Whether anything in it tells that it is one.
    fn is_one(&self) -> bool {
        self.job_id.is_some() || self.submitted_at.is_some() || self.status.is_some()
    }
}

/// Reader of job records.
pub(crate) struct Records {
    items: Items,
}

impl Records {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { items: Items::new(opened, "\"jobs\"") }
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
        // What has not come yet is -1 in some records.
        let has_come = |at: &i64| *at >= 0;
        row.submit_ms = self.seconds("submitted_at", record.submitted_at.as_ref())?.filter(has_come);
        row.start_ms = self.seconds("start_at", record.start_at.as_ref())?.filter(has_come);
        row.end_ms = self.seconds("end_at", record.end_at.as_ref())?.filter(has_come);
        // The duration leaves out recoveries; the span from start to end does not.
        row.run_ms = match self.seconds("job_duration", record.job_duration.as_ref())? {
            Some(duration) if duration > 0 => Some(duration),
            // Without a start, zero is what the record says.
            duration => row.end_ms.zip(row.start_ms).map(|(end, start)| end - start).or(duration),
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

    /// What the record says in words, and the accelerators as a map, which says the same more exactly.
    fn request(&self, record: &Record, row: &mut TraceRow) -> Result<(), Fault> {
        let mut types = Vec::new();
        row.workers = Some(1);
        if let Some(written) = &record.resources {
            let asked = written.as_str().and_then(Asked::parse);
            let expected = "resources like `2x[H200:8]` or `1x[CPU:4+]`";
            let asked = asked.ok_or_else(|| self.fault("resources", expected, written))?;
            row.workers = Some(asked.nodes);
            row.cpu_milli = asked.cpu_milli;
            row.memory_bytes = asked.memory_bytes;
            types = asked.types;
        }
        if let Some(value) = &record.accelerators {
            let expected = "accelerators like `{\"H200\": 8}`";
            let object = self.items.object();
            let written = &object[json_offset(object, &Way::default().key("accelerators"))..];
            let named = accelerators(written).ok_or_else(|| self.fault("accelerators", expected, value))?;
            // A record may name none there and tell them in words alone.
            types = if named.is_empty() { types } else { named };
        }
        write_alternatives(&types, row);
        Ok(())
    }

    fn fault(&self, key: &str, expected: &str, value: &Value) -> Fault {
        let found = quoted(plain_text(value).as_bytes());
        Fault::unreadable(0, expected, found).column(key).at(self.items.locate(&Way::default().key(key)))
    }

    fn seconds(&self, key: &str, value: Option<&serde_json::Number>) -> Result<Option<i64>, Fault> {
        let Some(value) = value else { return Ok(None) };
        let text = value.to_string();
        match number::scaled(text.as_bytes(), 3) {
            Ok(ms) if ms.abs() <= super::table::MAX_TIME_MS => Ok(Some(ms)),
            _ => {
                let expected = "Unix seconds within the range of this program";
                Err(self.fault(key, expected, &Value::Number(value.clone())))
            }
        }
    }
}

/// What one node of a job asks for, as `SkyPilot` writes it.
#[derive(Debug, Default)]
struct Asked {
    nodes: i64,
    /// Accelerators with their count, in thousandths; several are alternatives.
    types: Vec<(String, i64)>,
    cpu_milli: i64,
    memory_bytes: i64,
}

impl Asked {
    /// `2x[H200:8]`, `1x[CPU:4+]`, `1x[L4:1][On-demand|Spot]`, `2x(H200:8, cpus=4+, mem=16)`, `1x(gpus=1xH200)`,
    /// `H200:8`. A word alone is a type of machines and the like; several are nothing that is known.
    fn parse(text: &str) -> Option<Self> {
        let (nodes, inside) = match text.split_once('x') {
            Some((nodes, inside)) if nodes.bytes().all(|byte| byte.is_ascii_digit()) && !nodes.is_empty() => {
                (number::whole(nodes.as_bytes()).ok()?, inside.trim())
            }
            _ => (1, text.trim()),
        };
        let mut asked = Self { nodes, ..Self::default() };
        let inside = match inside.strip_prefix(['[', '(']) {
            Some(rest) => {
                let (inside, behind) = rest.split_once([']', ')'])?;
                if !tells_billing(behind.trim()) {
                    return None;
                }
                inside
            }
            None => inside,
        };
        for part in inside.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("cpus", count)) => asked.cpu_milli = plus(count, 3)?,
                Some(("mem" | "memory", text)) => asked.memory_bytes = memory(text, asked.cpu_milli)?,
                Some(("gpus" | "accelerators", types)) => asked.types.push(counted_first(types)?),
                Some(_) => {}
                None => match part.split_once(':') {
                    Some(("CPU", count)) => asked.cpu_milli = plus(count, 3)?,
                    Some(_) => asked.types.push(accelerator(part)?),
                    None if part.contains(char::is_whitespace) => return None,
                    None => {}
                },
            }
        }
        Some(asked)
    }
}

/// Whether what stands behind a request says how its machines may be paid for, or nothing: `[Spot]`, `[On-demand|Spot]`.
fn tells_billing(text: &str) -> bool {
    let square = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inside = square.or_else(|| text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')));
    let words = |inside: &str| inside.split('|').all(|word| matches!(word, "Spot" | "On-demand"));
    text.is_empty() || inside.is_some_and(words)
}

impl RowSource for Records {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        let Some(record) = self.items.next::<Record>("SkyPilot job record")? else { return Ok(false) };
        row.clear();
        row.line = self.items.object_line();
        if !record.is_one() {
            let sentence =
                "this is no SkyPilot job record: it has none of the keys `job_id`, `submitted_at`, `status`";
            return Err(Fault::other(0, sentence).at(self.items.locate(&Way::default())));
        }
        self.fill(&record, row)?;
        Ok(true)
    }
}

/// Reader of task files: one job per document.
pub(crate) struct Tasks {
    documents: Documents,
    /// The first document is read.
    begun: bool,
    /// Where the current task begins.
    line: u64,
}

/// What a document is called in messages.
const TASK: &str = "SkyPilot task";

/// Whether a document only names a pipeline, whose tasks follow.
pub(crate) fn is_head_of_pipeline(document: &Value) -> bool {
    document.as_object().is_some_and(|keys| keys.len() == 1 && keys.contains_key("name"))
}

impl Tasks {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        Ok(Self {
            documents: Documents::new(
                opened,
                "a task file is a mapping with `resources`; `---` stands between tasks",
            )?,
            begun: false,
            line: 0,
        })
    }

    fn fill(&self, task: &Member<'_, '_>, row: &mut TraceRow) -> Result<(), Misread> {
        row.title.push_str(task.get("name")?.text()?);
        row.team.push_str("unknown");
        row.workers = Some(task.get("num_nodes")?.whole("a number of nodes")?.unwrap_or(1));
        let resources = task.get("resources")?;
        // Alternatives inherit what stands beside them.
        let (ordered, any_of) = (resources.get("ordered")?, resources.get("any_of")?);
        let choices = if ordered.is_absent() { any_of } else { ordered };
        let base = self.alternatives(&resources)?;
        let (mut types, mut first, mut without) = (Vec::new(), None, None);
        for choice in choices.elements()? {
            let own = self.alternatives(&choice)?;
            let own = if own.is_empty() { base.clone() } else { own };
            if own.is_empty() {
                without = without.or(Some(choice));
            } else {
                first = first.or(Some(choice));
                types.extend(own);
            }
        }
        if first.is_none() && without.is_none() {
            types = base;
        } else if first.is_some() && without.is_some() {
            row.note(Reason::ChoiceWithoutGpus);
        }
        types.dedup();
        Self::processors_and_memory(&resources, &first.or(without).unwrap_or(resources), row)?;
        write_alternatives(&types, row);
        Ok(())
    }

    /// Types that a task file names, under either of the words for them; none where it names none.
    fn alternatives(&self, resources: &Member<'_, '_>) -> Result<Vec<(String, i64)>, Misread> {
        for key in ACCELERATORS {
            let types = resources.get(key)?;
            if !types.is_absent() {
                let named = accelerators(self.documents.json(&types.way()));
                return named.ok_or_else(|| types.misread(accelerators::EXPECTED));
            }
        }
        Ok(Vec::new())
    }

    /// What one node has of them: what the choice itself says counts before what stands beside all choices.
    fn processors_and_memory(
        resources: &Member<'_, '_>,
        choice: &Member<'_, '_>,
        row: &mut TraceRow,
    ) -> Result<(), Misread> {
        for part in [resources, choice] {
            let cpus = part.get("cpus")?;
            if !cpus.is_absent() {
                let count = plus(&plain_text(cpus.value()), 3);
                row.cpu_milli = count.ok_or_else(|| cpus.misread("a number of CPUs like `4` or `4+`"))?;
            }
        }
        for part in [resources, choice] {
            let amount = part.get("memory")?;
            if !amount.is_absent() {
                let bytes = memory(&plain_text(amount.value()), row.cpu_milli);
                row.memory_bytes =
                    bytes.ok_or_else(|| amount.misread("an amount of memory like `32` or `32+`"))?;
            }
        }
        Ok(())
    }

    /// The next document that is a task: the first is none where it only names the pipeline whose tasks follow it.
    fn task(&mut self) -> Result<Option<Value>, Fault> {
        let document = self.documents.next(TASK)?;
        let first = !std::mem::replace(&mut self.begun, true);
        Ok(match document {
            Some(head) if first && is_head_of_pipeline(&head) => {
                let line = self.documents.line();
                let task = self.documents.next(TASK)?;
                self.line = if task.is_some() { self.documents.line() } else { line };
                Some(task.unwrap_or(head))
            }
            document => {
                self.line = self.documents.line();
                document
            }
        })
    }
}

impl RowSource for Tasks {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        let Some(document) = self.task()? else { return Ok(false) };
        row.clear();
        row.line = self.line;
        self.fill(&Member::root(&document), row).map_err(|misread| self.documents.refuse(misread))?;
        Ok(true)
    }

    fn missing(&self) -> Missing {
        Missing { submit: true, run: true, team: true, ..Missing::default() }
    }
}

/// Alternatives in native syntax: the first sets what a worker asks for, the others say where they differ.
fn write_alternatives(types: &[(String, i64)], row: &mut TraceRow) {
    let nodes = row.workers.unwrap_or(1);
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

/// The keys under which a task file names accelerators, the first that is there.
pub(crate) const ACCELERATORS: [&str; 2] = ["accelerators", "gpus"];

/// What an amount of memory counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryUnit {
    /// So many bytes, as a power of two.
    Bytes(u32),
    /// GiB for each CPU.
    PerCpu,
}

/// `32`, `32+`, `512MB`, `4x` as a number and what it counts: GiB where that is not said.
pub(crate) fn memory_parts(text: &str) -> (&str, MemoryUnit) {
    let text = text.trim().trim_end_matches('+');
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "g" | "gb" | "gi" | "gib" => MemoryUnit::Bytes(30),
        "b" => MemoryUnit::Bytes(0),
        "k" | "kb" | "ki" | "kib" => MemoryUnit::Bytes(10),
        "m" | "mb" | "mi" | "mib" => MemoryUnit::Bytes(20),
        "t" | "tb" | "ti" | "tib" => MemoryUnit::Bytes(40),
        "p" | "pb" | "pi" | "pib" => MemoryUnit::Bytes(50),
        "x" => MemoryUnit::PerCpu,
        // What has no such unit is no number either.
        _ => return (text, MemoryUnit::Bytes(30)),
    };
    (digits, unit)
}

/// The same as bytes of a node with so many CPUs; of those that nobody names there is no multiple.
fn memory(text: &str, cpu_milli: i64) -> Option<i64> {
    let (number, unit) = memory_parts(text);
    let gibibytes = i128::from(number::gibibytes(number.as_bytes()).ok().filter(|value| *value >= 0)?);
    let bytes = match unit {
        MemoryUnit::Bytes(shift @ 0..30) => gibibytes >> (30 - shift),
        MemoryUnit::Bytes(shift) => gibibytes << (shift - 30),
        MemoryUnit::PerCpu => gibibytes * i128::from(cpu_milli) / 1000,
    };
    i64::try_from(bytes).ok()
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
