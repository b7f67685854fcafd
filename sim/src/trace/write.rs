//! Jobs as native CSV: exact decimals, only the columns that are used.
//!
//! Absent on purpose: order and validation; what is written reads back as the same jobs.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::rc::Rc;

use super::interner::Interner;
use super::model::{CPU, Extra, FIRST_OTHER, GPU, MEMORY, Trace, TraceAlternative, TraceShape};
use super::row::Status;

/// Which optional columns a file needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one independent fact per column")]
pub(crate) struct Columns {
    pub(crate) user: bool,
    pub(crate) owner: bool,
    pub(crate) title: bool,
    pub(crate) priority: bool,
    pub(crate) workers: bool,
    pub(crate) gpu: bool,
    pub(crate) cpu: bool,
    pub(crate) memory: bool,
    pub(crate) accelerators: bool,
    pub(crate) pools: bool,
    pub(crate) limit: bool,
    pub(crate) estimate: bool,
    pub(crate) preemptible: bool,
    pub(crate) dev: bool,
    pub(crate) recorded: bool,
    pub(crate) status: bool,
    pub(crate) datasets: bool,
    pub(crate) checkpoint: bool,
    pub(crate) restart: bool,
    pub(crate) deadline: bool,
    pub(crate) gpu_utilization: bool,
    pub(crate) after: bool,
    /// Further resources: name, and whether any job asks for it.
    pub(crate) resources: Vec<(String, bool)>,
}

/// One job with its texts, ready to write.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a dyn std::fmt::Display,
    pub(crate) submit_ms: i64,
    pub(crate) run_ms: u64,
    pub(crate) limit_ms: Option<u64>,
    pub(crate) estimate_ms: Option<u64>,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) team: &'a str,
    pub(crate) user: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) status: Status,
    pub(crate) shape: &'a TraceShape,
    pub(crate) extra: Option<&'a Extra>,
}

impl Columns {
    /// Notes what one job needs.
    pub(crate) fn note(&mut self, line: &Line<'_>) {
        self.user |= !line.user.is_empty();
        self.owner |= line.owner != line.team;
        self.limit |= line.limit_ms.is_some();
        self.estimate |= line.estimate_ms.is_some();
        self.recorded |= line.start_ms.is_some() || line.end_ms.is_some();
        self.status |= line.status != Status::Unspecified;
        if let Some(extra) = line.extra {
            self.title |= !extra.title.is_empty();
            self.checkpoint |= extra.checkpoint_ms.is_some();
            self.restart |= extra.restart_ms.is_some();
            self.deadline |= extra.deadline_ms.is_some();
            self.gpu_utilization |= extra.gpu_utilization_milli.is_some();
            self.after |= !extra.after.is_empty();
        }
    }

    /// Notes what one shape needs.
    pub(crate) fn note_shape(&mut self, shape: &TraceShape) {
        self.priority |= shape.priority != 0;
        self.datasets |= !shape.datasets.is_empty();
        self.preemptible |= shape.preemptible.is_some();
        self.dev |= shape.dev;
        for alternative in &shape.alternatives {
            self.workers |= alternative.workers != 1;
            self.gpu |= alternative.amount(GPU) > 0;
            self.cpu |= alternative.amount(CPU) > 0;
            self.memory |= alternative.amount(MEMORY) > 0;
            self.accelerators |= alternative.accelerator.is_some();
            self.pools |= !alternative.pools.is_empty();
            for (index, _) in &alternative.amounts {
                if let Some(other) = index.checked_sub(FIRST_OTHER) {
                    if self.resources.len() <= other {
                        self.resources.resize(other + 1, (String::new(), false));
                    }
                    self.resources[other].1 = true;
                }
            }
        }
    }

    /// The same with the names of further resources.
    pub(crate) fn with_resources(mut self, resources: &[String]) -> Self {
        self.resources.resize(resources.len(), (String::new(), false));
        for ((name, _), resource) in self.resources.iter_mut().zip(resources) {
            name.clone_from(resource);
        }
        self
    }

    /// Columns for the shapes that jobs have; rows that were left out may have left some behind.
    fn of_shapes(mut self, shapes: &[TraceShape], used: impl Iterator<Item = u32>) -> Self {
        let mut seen = vec![false; shapes.len()];
        for shape in used {
            if !std::mem::replace(&mut seen[shape as usize], true) {
                self.note_shape(&shapes[shape as usize]);
            }
        }
        self
    }

    fn names(&self) -> Vec<String> {
        let optional = [
            (self.user, "user"),
            (self.owner, "cost_owner"),
            (self.title, "name"),
            (self.priority, "priority"),
            (self.workers, "workers"),
            (self.gpu, "gpu"),
            (self.cpu, "cpu"),
            (self.memory, "memory_gib"),
            (self.accelerators, "accelerators"),
            (self.pools, "pools"),
            (self.limit, "time_limit_s"),
            (self.estimate, "estimate_s"),
            (self.preemptible, "preemptible"),
            (self.dev, "dev"),
            (self.recorded, "start_s"),
            (self.recorded, "end_s"),
            (self.status, "status"),
            (self.datasets, "datasets"),
            (self.checkpoint, "checkpoint_s"),
            (self.restart, "restart_s"),
            (self.deadline, "deadline_s"),
            (self.gpu_utilization, "gpu_utilization"),
            (self.after, "after"),
        ];
        let required = ["job_id", "submit_s", "run_s", "team"].into_iter();
        let used = optional.into_iter().filter(|(used, _)| *used).map(|(_, name)| name);
        let resources =
            self.resources.iter().filter(|(_, used)| *used).map(|(name, _)| format!("res_{name}"));
        required.chain(used).map(str::to_owned).chain(resources).collect()
    }
}

/// Writes native CSV, one job at a time.
pub(crate) struct NativeWriter<W: Write> {
    output: BufWriter<W>,
    columns: Rc<Columns>,
    /// The row that is being written, with a comma behind each field.
    line: String,
    scratch: String,
}

impl<W: Write> NativeWriter<W> {
    pub(crate) fn new(output: W, mut columns: Columns) -> io::Result<Self> {
        let asks = columns.gpu || columns.cpu || columns.memory || columns.accelerators;
        // Without any such column the reader would take a GPU per worker for granted.
        columns.gpu |= !asks && !columns.resources.iter().any(|(_, used)| *used);
        let names = columns.names();
        let (output, columns) = (BufWriter::with_capacity(1 << 16, output), Rc::new(columns));
        let mut writer = Self { output, columns, line: String::new(), scratch: String::new() };
        for name in &names {
            writer.text(true, name);
        }
        writer.end_line()?;
        Ok(writer)
    }

    pub(crate) fn write(&mut self, line: &Line<'_>, priorities: &Interner) -> io::Result<()> {
        let columns = Rc::clone(&self.columns);
        self.field(line.name);
        self.text(true, &milliseconds(line.submit_ms));
        self.text(true, &thousandths(line.run_ms));
        self.text(true, line.team);
        self.text(columns.user, line.user);
        self.text(columns.owner, if line.owner == line.team { "" } else { line.owner });
        let none = Extra::default();
        let extra = line.extra.unwrap_or(&none);
        self.text(columns.title, &extra.title);
        self.text(columns.priority, priorities.text(line.shape.priority));
        self.request(line.shape, &columns);
        self.number(columns.limit, || optional(line.limit_ms));
        self.number(columns.estimate, || optional(line.estimate_ms));
        self.text(
            columns.preemptible,
            line.shape.preemptible.map_or("", |yes| if yes { "true" } else { "false" }),
        );
        self.text(columns.dev, if line.shape.dev { "true" } else { "" });
        self.number(columns.recorded, || line.start_ms.map(milliseconds).unwrap_or_default());
        self.number(columns.recorded, || line.end_ms.map(milliseconds).unwrap_or_default());
        self.text(columns.status, line.status.as_str());
        self.number(columns.datasets, || line.shape.datasets.join("|"));
        self.number(columns.checkpoint, || optional(extra.checkpoint_ms));
        self.number(columns.restart, || optional(extra.restart_ms));
        self.number(columns.deadline, || extra.deadline_ms.map(milliseconds).unwrap_or_default());
        self.number(columns.gpu_utilization, || optional(extra.gpu_utilization_milli.map(u64::from)));
        self.number(columns.after, || extra.after.join("|"));
        for (index, (_, used)) in columns.resources.iter().enumerate() {
            let amount = line.shape.alternatives[0].amount(FIRST_OTHER + index);
            self.text(*used, &if amount > 0 { thousandths(amount) } else { String::new() });
        }
        self.end_line()
    }

    fn request(&mut self, shape: &TraceShape, columns: &Columns) {
        let first = &shape.alternatives[0];
        self.number(columns.workers, || first.workers.to_string());
        self.number(columns.gpu, || thousandths(first.amount(GPU)));
        self.number(columns.cpu, || thousandths(first.amount(CPU)));
        self.number(columns.memory, || gibibytes(first.amount(MEMORY)));
        self.number(columns.accelerators, || accelerators(&shape.alternatives));
        self.number(columns.pools, || first.pools.join("|"));
    }

    fn text(&mut self, used: bool, text: &str) {
        if used {
            csv_field(&mut self.line, text);
            self.line.push(',');
        }
    }

    /// A text that is made only where its column is used.
    fn number(&mut self, used: bool, make: impl FnOnce() -> String) {
        if used {
            self.text(true, &make());
        }
    }

    fn field(&mut self, value: &dyn std::fmt::Display) {
        self.scratch.clear();
        let _ = write!(self.scratch, "{value}");
        csv_field(&mut self.line, &self.scratch);
        self.line.push(',');
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.pop();
        self.line.push('\n');
        self.output.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Appends a field of CSV, in quotes where it needs them.
pub(crate) fn csv_field(line: &mut String, text: &str) {
    if text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}

/// Alternatives in native syntax; empty where any accelerator will do.
pub(crate) fn accelerators(alternatives: &[TraceAlternative]) -> String {
    let first = &alternatives[0];
    let mut parts = Vec::new();
    for alternative in alternatives {
        let Some(name) = &alternative.accelerator else { continue };
        let mut part = name.clone();
        if alternative.workers != first.workers || alternative.amount(GPU) != first.amount(GPU) {
            let gpus = thousandths(alternative.amount(GPU));
            let _ = write!(part, "*{}x{gpus}", alternative.workers);
        }
        if alternatives.len() > 1 || alternative.speed_milli != 1000 {
            part.push(':');
            part.push_str(&thousandths(u64::from(alternative.speed_milli)));
        }
        parts.push(part);
    }
    parts.join("|")
}

fn optional(value: Option<u64>) -> String {
    value.map(thousandths).unwrap_or_default()
}

/// Milliseconds as seconds.
pub(crate) fn milliseconds(value: i64) -> String {
    let magnitude = thousandths(value.unsigned_abs());
    if value < 0 { format!("-{magnitude}") } else { magnitude }
}

/// A number of thousandths as a decimal, without trailing zeros.
pub(crate) fn thousandths(value: u64) -> String {
    let (whole, part) = (value / 1000, value % 1000);
    if part == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{part:03}");
    text.trim_end_matches('0').to_owned()
}

/// Bytes as GiB with as many decimals as tell every byte apart (ten at most).
pub(crate) fn gibibytes(bytes: u64) -> String {
    let scaled = (u128::from(bytes) * 10_000_000_000 + (1 << 29)) >> 30;
    let (whole, part) = (scaled / 10_000_000_000, scaled % 10_000_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{part:010}");
    text.trim_end_matches('0').to_owned()
}

impl Trace {
    /// Writes the trace as native CSV, which reads back as the same jobs.
    ///
    /// # Errors
    ///
    /// What the output says when it cannot be written.
    pub fn write_native(&self, output: impl Write) -> io::Result<()> {
        let used = self.jobs.iter().map(|job| job.shape);
        let mut columns = Columns::default().of_shapes(&self.shapes, used).with_resources(&self.resources);
        for index in 0..self.jobs.len() {
            self.with_line(index, |line| columns.note(line));
        }
        let mut writer = NativeWriter::new(output, columns)?;
        for index in 0..self.jobs.len() {
            self.with_line(index, |line| writer.write(line, &self.priorities))?;
        }
        writer.finish()
    }

    fn with_line<T>(&self, index: usize, act: impl FnOnce(&Line<'_>) -> T) -> T {
        let job = &self.jobs[index];
        let lengths = self.lengths(job);
        let recorded = self.recorded.as_ref().map(|recorded| recorded[index]);
        act(&Line {
            name: &self.names.get(index),
            submit_ms: job.submit_ms,
            run_ms: job.run_ms,
            limit_ms: lengths.limit_ms(),
            estimate_ms: lengths.estimate_ms(),
            start_ms: recorded.and_then(|recorded| recorded.start_ms()),
            end_ms: recorded.and_then(|recorded| recorded.end_ms()),
            team: self.teams.text(job.team),
            user: self.users.text(job.user),
            owner: self.owners.text(job.owner),
            status: job.status,
            shape: &self.shapes[job.shape as usize],
            extra: self.extras.get(index),
        })
    }
}
