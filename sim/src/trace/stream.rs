//! A trace in parts, for what reads more jobs than it can hold.
//!
//! A part is a number of rows and the rest of the last one's instant, sorted like a whole trace; what is out of order
//! across parts is refused. Absent on purpose: what becomes of the jobs; recorded times, which need a pass of their own.

use super::error::TraceError;
use super::input::Input;
use super::load::Builder;
use super::model::Trace;
use super::reader::{Rows, TraceOptions};

/// Jobs that come part by part.
pub struct Stream {
    rows: Rows,
    /// The row that was read last belongs to the next part.
    held: bool,
    /// The last instant of the parts so far, ms.
    passed_ms: Option<i64>,
    ended: bool,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("passed_ms", &self.passed_ms).finish_non_exhaustive()
    }
}

impl Stream {
    /// Opens files to be read one after the other.
    ///
    /// # Errors
    ///
    /// [`TraceError`] where a file cannot be opened as what it should be.
    pub fn open(inputs: &[Input], options: &TraceOptions) -> Result<Self, TraceError> {
        Ok(Self { rows: Rows::open(inputs, options)?, held: false, passed_ms: None, ended: false })
    }

    /// Appends the next part, of at least `rows` jobs if there are so many; false once nothing is left.
    ///
    /// # Errors
    ///
    /// [`TraceError`] as [`Trace::load`], and where a job was submitted before the parts so far ended.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fairshare_sim::trace::{Input, Stream, Trace, TraceOptions};
    ///
    /// let mut stream = Stream::open(&[Input::parse("-")], &TraceOptions::default())?;
    /// let mut trace = Trace::default();
    /// while stream.append(&mut trace, 100_000)? {
    ///     trace.jobs.clear();
    ///     trace.names = Default::default();
    /// }
    /// # Ok::<(), fairshare_sim::trace::TraceError>(())
    /// ```
    pub fn append(&mut self, trace: &mut Trace, rows: usize) -> Result<bool, TraceError> {
        let mut builder = Builder::onto(std::mem::take(trace));
        let (mut added, mut last_ms) = (0, i64::MIN);
        while std::mem::take(&mut self.held) || self.rows.next()? {
            let mut checked = *self.rows.checked();
            if added >= rows && checked.submit_ms > last_ms {
                self.held = true;
                break;
            }
            if self.passed_ms.is_some_and(|passed| checked.submit_ms <= passed) {
                return Err(self.rows.refuse(
                    "submitted before rows that are over already",
                    "sort the file by time, or leave out `--quantiles sketch`: it is then sorted in memory",
                ));
            }
            last_ms = last_ms.max(checked.submit_ms);
            (checked.start_ms, checked.end_ms) = (None, None);
            builder.add(self.rows.row(), &checked);
            added += 1;
        }
        self.passed_ms = self.passed_ms.max((added > 0).then_some(last_ms));
        self.ended = !self.held;
        *trace = builder.finish();
        trace.sources = self.rows.sources().cloned().collect();
        let shapes = self.rows.shapes();
        trace.shapes.extend_from_slice(&shapes.shapes[trace.shapes.len()..]);
        if trace.priorities.len() < shapes.priorities.len() {
            trace.priorities.clone_from(&shapes.priorities);
        }
        let resources = shapes.resources.names();
        trace.resources.extend_from_slice(resources.get(trace.resources.len()..).unwrap_or_default());
        Ok(!self.ended)
    }

    /// Adds what is known when all is read: files, warnings, machines.
    pub fn finish(self, trace: &mut Trace) {
        let reading = self.rows.finish();
        trace.cluster = reading.cluster;
        trace.sources = reading.sources;
        trace.warnings = reading.warnings;
    }
}
