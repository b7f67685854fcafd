//! Jobs into a [`Trace`] in memory, sorted.
//!
//! Absent on purpose: validation (see `check`).

use super::check::{Checked, Reading};
use super::error::TraceError;
use super::guess::Format;
use super::input::Input;
use super::model::{Extra, Lengths, Recorded, Trace, TraceJob};
use super::reader::{self, Sink, TraceOptions};
use super::row::{Facts, TraceRow};
use super::shapes::{ShapeTable, list};

impl Trace {
    /// Reads files into one trace.
    ///
    /// Jobs of all files are sorted together by submit time, then name. In formats without job ids the rows of
    /// all files are numbered through; beside files of another format `#` stands before the number. In SWF the number
    /// of a second file stands before that of its jobs: `2#1`.
    ///
    /// # Errors
    ///
    /// [`TraceError`] where a file cannot be read as what it should be, or the machine fails; with
    /// [`TraceOptions::strict`] also where a row would be repaired, or a job waits for what cannot come true.
    pub fn load(inputs: &[Input], options: &TraceOptions) -> Result<Self, TraceError> {
        let mut builder = Builder::default();
        let reading = reader::read(inputs, options, &mut builder)?;
        let mut trace = Self::join(builder, reading);
        if options.strict {
            trace.check_links(inputs, options)?;
        } else if let Some((_, sentence)) = trace.astray_in_words() {
            trace.warnings.push(sentence);
        }
        Ok(trace)
    }

    /// Reads one file that is built into the program; `name` stands for its path.
    ///
    /// # Errors
    ///
    /// As [`Trace::load`].
    pub fn from_bytes(name: &str, bytes: &'static [u8], options: &TraceOptions) -> Result<Self, TraceError> {
        let mut builder = Builder::default();
        let reading = reader::read_bytes(name, None, Box::new(bytes), options, &mut builder)?;
        Ok(Self::join(builder, reading))
    }

    /// Reads a native trace that is in memory; `name` stands for its path.
    ///
    /// # Errors
    ///
    /// As [`Trace::load`].
    pub fn from_native(name: &str, text: Vec<u8>, options: &TraceOptions) -> Result<Self, TraceError> {
        let mut builder = Builder::default();
        let bytes = Box::new(std::io::Cursor::new(text));
        let reading = reader::read_bytes(name, Some(Format::Native), bytes, options, &mut builder)?;
        Ok(Self::join(builder, reading))
    }

    /// Reads Workloads that are in memory; `name` stands for their path.
    pub(crate) fn from_workloads(
        name: &str,
        text: Vec<u8>,
        options: &TraceOptions,
    ) -> Result<Self, TraceError> {
        let mut builder = Builder::default();
        let bytes = Box::new(std::io::Cursor::new(text));
        let reading = reader::read_bytes(name, Some(Format::Kueue), bytes, options, &mut builder)?;
        Ok(Self::join(builder, reading))
    }

    fn join(builder: Builder, reading: Reading) -> Self {
        let mut trace = builder.finish();
        trace.shapes = reading.shapes.shapes;
        trace.priorities = reading.shapes.priorities;
        trace.resources = reading.shapes.resources.names().to_vec();
        trace.cluster = reading.cluster;
        trace.sources = reading.sources;
        trace.warnings = reading.warnings;
        trace
    }
}

#[derive(Debug, Default)]
pub(crate) struct Builder {
    trace: Trace,
    recorded: Vec<Recorded>,
    any_recorded: bool,
    disordered: bool,
    /// The owner that each team is, where it has been one: mostly the team pays itself.
    owner_of_team: Vec<Option<u32>>,
}

impl Sink for Builder {
    fn job(&mut self, row: &TraceRow, checked: &Checked, _: &ShapeTable, _: &Facts) {
        self.add(row, checked);
    }
}

impl Builder {
    /// Goes on with a trace whose jobs were all submitted before.
    pub(crate) fn onto(trace: Trace) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Appends a job; its shape is known elsewhere.
    pub(crate) fn add(&mut self, row: &TraceRow, checked: &Checked) {
        let trace = &mut self.trace;
        let team = trace.teams.intern(&row.team);
        let owner = if row.owner.is_empty() {
            let at = team as usize;
            if self.owner_of_team.len() <= at {
                self.owner_of_team.resize(at + 1, None);
            }
            *self.owner_of_team[at].get_or_insert_with(|| trace.owners.intern(&row.team))
        } else {
            trace.owners.intern(&row.owner)
        };
        let lengths = Lengths::new(checked.limit_ms, checked.estimate_ms);
        let job = TraceJob {
            submit_ms: checked.submit_ms,
            run_ms: checked.run_ms,
            lengths: trace.number_lengths(lengths),
            team,
            user: trace.users.intern(&row.user),
            owner,
            has_owner: !row.owner.is_empty(),
            shape: checked.shape,
            status: row.status,
        };
        let at = trace.jobs.len();
        trace.names.push(&row.name);
        if let Some(last) = trace.jobs.last() {
            let by_name = || trace.names.get(at).cmp(&trace.names.get(at - 1));
            self.disordered |= job.submit_ms.cmp(&last.submit_ms).then_with(by_name).is_lt();
        }
        if checked.start_ms.is_some() || checked.end_ms.is_some() {
            self.any_recorded = true;
            // Sources without recorded times pay nothing for the column.
            self.recorded.resize(at, Recorded::NONE);
            self.recorded.push(Recorded::new(checked.start_ms, checked.end_ms));
        }
        if let Some(extra) = extra(row) {
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            trace.extras.entries.push((index, extra));
        }
        trace.jobs.push(job);
    }

    /// The trace, sorted.
    pub(crate) fn finish(mut self) -> Trace {
        if self.any_recorded {
            self.recorded.resize(self.trace.jobs.len(), Recorded::NONE);
            self.trace.recorded = Some(self.recorded);
        }
        if self.disordered {
            sort(&mut self.trace);
        }
        self.trace
    }
}

/// The rare columns of a row, if it has any.
pub(crate) fn extra(row: &TraceRow) -> Option<Extra> {
    let texts = [&row.title, &row.after];
    if texts.iter().all(|text| text.is_empty())
        && row.checkpoint_ms.is_none()
        && row.restart_ms.is_none()
        && row.deadline_ms.is_none()
        && row.gpu_utilization_milli.is_none()
    {
        return None;
    }
    let extra = Extra {
        title: row.title.clone(),
        checkpoint_ms: row.checkpoint_ms.and_then(|value| u64::try_from(value).ok()),
        restart_ms: row.restart_ms.and_then(|value| u64::try_from(value).ok()),
        deadline_ms: row.deadline_ms,
        gpu_utilization_milli: row.gpu_utilization_milli.and_then(|value| u32::try_from(value).ok()),
        after: list(&row.after),
    };
    (extra != Extra::default()).then_some(extra)
}

/// Sorts all columns by submit time, then name.
pub(crate) fn sort(trace: &mut Trace) {
    let count = u32::try_from(trace.jobs.len()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|&a, &b| {
        let (job_a, job_b) = (&trace.jobs[a as usize], &trace.jobs[b as usize]);
        job_a
            .submit_ms
            .cmp(&job_b.submit_ms)
            .then_with(|| trace.names.get(a as usize).cmp(&trace.names.get(b as usize)))
    });
    reorder(trace, &order);
}

/// Puts job `order[i]` at place `i`, in all columns; jobs that `order` does not name go.
pub(crate) fn reorder(trace: &mut Trace, order: &[u32]) {
    trace.jobs = order.iter().map(|&old| trace.jobs[old as usize]).collect();
    trace.renumber_lengths();
    trace.names = std::mem::take(&mut trace.names).reordered(order);
    if let Some(recorded) = &mut trace.recorded {
        *recorded = order.iter().map(|&old| recorded[old as usize]).collect();
    }
    if !trace.extras.is_empty() {
        let old = std::mem::take(&mut trace.extras);
        for (new, &index) in order.iter().enumerate() {
            if let Some(extra) = old.get(index as usize) {
                let new = u32::try_from(new).unwrap_or(u32::MAX);
                trace.extras.entries.push((new, extra.clone()));
            }
        }
    }
}
