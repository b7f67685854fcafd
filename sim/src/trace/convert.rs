//! Any format to native CSV.
//!
//! Sorted files are read twice and written as they are read, in constant memory: the first pass learns which
//! columns are used and whether the order holds. Unsorted ones, and standard input, go through memory.

use std::cmp::Ordering;
use std::io::{self, Write};

use super::check::{Checked, Reading};
use super::clock::CALENDAR_FROM_MS;
use super::error::TraceError;
use super::input::Input;
use super::interner::compare_names;
use super::load::extra;
use super::model::{Source, Trace};
use super::reader::{self, Sink, TraceOptions};
use super::row::{Facts, TraceRow};
use super::shapes::ShapeTable;
use super::write::{Columns, Line, NativeWriter};
use super::{Asks, Cluster};

/// Why a conversion stopped.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The trace cannot be read.
    #[error(transparent)]
    Read(#[from] TraceError),
    /// The output cannot be written.
    #[error("failed to write the native trace")]
    Write(#[source] io::Error),
}

/// What a conversion did.
#[derive(Debug, Clone, Default)]
pub struct Conversion {
    /// The files read, with their repairs.
    pub sources: Vec<Source>,
    /// What should be said once.
    pub warnings: Vec<String>,
    /// Machines and quotas of the set; [`Cluster::scenario_for`] makes them a scenario.
    pub cluster: Cluster,
    /// What the jobs ask of machines.
    pub asks: Asks,
    /// Jobs written.
    pub jobs: u64,
}

impl Conversion {
    /// What the sources say and the native format has no word for.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for source in self.sources.iter().filter(|source| source.jobs > 0) {
            let path = &source.path;
            let utc = source.offset_s.map(|offset_s| offset_s * 1000);
            // Where they are those of a calendar already, they are Unix times in both.
            let unix = source.submits.is_some_and(|(_, last_ms)| last_ms >= CALENDAR_FROM_MS);
            let clock = super::time::clock_name(source.offset_s.unwrap_or(0));
            match source.epoch_ms {
                Some(epoch_ms) if !unix || Some(epoch_ms) != utc => {
                    let zero = super::time::date_and_time(epoch_ms);
                    lost.push(format!(
                        "`{path}`: its clock begins at {zero} ({clock}), which the native format does not say; times stay as they are"
                    ));
                }
                Some(1.. | ..=-1) => lost.push(format!(
                    "`{path}`: its machine's clock is {clock}, which the native format does not say; its hours and weekdays \
                     become those of UTC"
                )),
                _ => {}
            }
            if source.statistics {
                lost.push(format!(
                    "`{path}`: partitions and queues are not written, the native format has no columns for them"
                ));
            }
        }
        lost
    }
}

/// Writes the jobs of all inputs as native CSV, sorted.
///
/// # Errors
///
/// [`ConvertError::Read`] as [`Trace::load`]; [`ConvertError::Write`] with what the output says.
pub fn convert(
    inputs: &[Input],
    options: &TraceOptions,
    output: impl Write,
) -> Result<Conversion, ConvertError> {
    if inputs.iter().any(|input| input.path.as_os_str() == "-") {
        return through_memory(inputs, options, output);
    }
    let mut survey = Survey::default();
    let reading = reader::read(inputs, options, &mut survey)?;
    if survey.disordered {
        return through_memory(inputs, options, output);
    }
    let columns = survey.columns.with_resources(reading.shapes.resources.names());
    let writer = NativeWriter::new(output, columns).map_err(ConvertError::Write)?;
    let mut streaming = Streaming { writer, failed: None };
    reader::read(inputs, options, &mut streaming)?;
    if let Some(error) = streaming.failed {
        return Err(ConvertError::Write(error));
    }
    streaming.writer.finish().map_err(ConvertError::Write)?;
    let jobs = reading.sources.iter().map(|source| source.jobs).sum();
    let Reading { sources, warnings, cluster, .. } = reading;
    Ok(Conversion { sources, warnings, cluster, asks: survey.asks, jobs })
}

fn through_memory(
    inputs: &[Input],
    options: &TraceOptions,
    output: impl Write,
) -> Result<Conversion, ConvertError> {
    let trace = Trace::load(inputs, options)?;
    trace.write_native(output).map_err(ConvertError::Write)?;
    let jobs = trace.jobs.len() as u64;
    let mut used = vec![false; trace.shapes.len()];
    trace.jobs.iter().for_each(|job| used[job.shape as usize] = true);
    let shapes = trace.shapes.iter().zip(&used).filter(|(_, used)| **used).map(|(shape, _)| shape);
    let asks = Asks::new(shapes, &trace.resources);
    Ok(Conversion { sources: trace.sources, warnings: trace.warnings, cluster: trace.cluster, asks, jobs })
}

/// First pass: which columns are used, and is the order that of a trace?
#[derive(Debug, Default)]
struct Survey {
    columns: Columns,
    asks: Asks,
    /// Shapes that jobs have, as long as their numbers mean the same.
    used: Vec<bool>,
    forgotten: u64,
    last: Option<(i64, String)>,
    disordered: bool,
}

impl Sink for Survey {
    fn job(&mut self, row: &TraceRow, checked: &Checked, shapes: &ShapeTable, _: &Facts) {
        with_line(row, checked, shapes, |line| self.columns.note(line));
        if self.forgotten != shapes.forgotten() {
            self.forgotten = shapes.forgotten();
            self.used.clear();
        }
        self.used.resize(shapes.shapes.len(), false);
        if !std::mem::replace(&mut self.used[checked.shape as usize], true) {
            let shape = &shapes.shapes[checked.shape as usize];
            self.columns.note_shape(shape);
            self.asks.note(shape, shapes.resources.names());
        }
        match &mut self.last {
            None => self.last = Some((checked.submit_ms, row.name.clone())),
            Some((submit_ms, name)) => {
                self.disordered |= match checked.submit_ms.cmp(submit_ms) {
                    Ordering::Less => true,
                    Ordering::Equal => compare_names(&row.name, name).is_lt(),
                    Ordering::Greater => false,
                };
                *submit_ms = checked.submit_ms;
                name.clone_from(&row.name);
            }
        }
    }

    fn keeps_shapes(&self) -> bool {
        false
    }
}

/// Second pass: rows to lines.
struct Streaming<W: Write> {
    writer: NativeWriter<W>,
    failed: Option<io::Error>,
}

impl<W: Write> Sink for Streaming<W> {
    fn job(&mut self, row: &TraceRow, checked: &Checked, shapes: &ShapeTable, _: &Facts) {
        if self.failed.is_none() {
            let written = with_line(row, checked, shapes, |line| self.writer.write(line, &shapes.priorities));
            self.failed = written.err();
        }
    }

    fn keeps_shapes(&self) -> bool {
        false
    }
}

fn with_line<T>(
    row: &TraceRow,
    checked: &Checked,
    shapes: &ShapeTable,
    act: impl FnOnce(&Line<'_>) -> T,
) -> T {
    let extra = extra(row);
    act(&Line {
        name: &row.name,
        submit_ms: checked.submit_ms,
        run_ms: checked.run_ms,
        limit_ms: checked.limit_ms,
        estimate_ms: checked.estimate_ms,
        start_ms: checked.start_ms,
        end_ms: checked.end_ms,
        team: &row.team,
        user: &row.user,
        owner: if row.owner.is_empty() { &row.team } else { &row.owner },
        status: row.status,
        shape: &shapes.shapes[checked.shape as usize],
        extra: extra.as_ref(),
    })
}
