//! Files to rows that make sense, one file after the other.
//!
//! Absent on purpose: what makes sense (see `check`), and formats.

use std::path::PathBuf;
use std::rc::Rc;

use super::check::{Checked, Checker, Reading};
use super::clock;
use super::error::{Fault, TraceError};
use super::format::{Companions, SwfOptions, adapter, read_throughputs, swf_begin_ms};
use super::guess::{Format, guess};
use super::input::{self, Flow, Input, Opened};
use super::model::Source;
use super::repairs::Repairs;
use super::row::{Facts, Reason, RowSource, TraceRow};
use super::shapes::ShapeTable;
use super::watch::Watch;

/// Switches of the reading.
#[derive(Debug, Clone, Default)]
pub struct TraceOptions {
    /// Rows that would be repaired are errors.
    pub strict: bool,
    /// `[trace.swf]`.
    pub swf: SwfOptions,
    /// `[trace.gavel] throughputs`: where the steps per second of Gavel's job types are.
    pub gavel_throughputs: Option<PathBuf>,
    /// Files that do not say enough to be run may be read, to inspect them: what is missing becomes zero.
    pub partial: bool,
    /// Who is told how far the reading is.
    pub watch: Watch,
}

/// What takes the jobs, one by one, in the order of the file.
pub(crate) trait Sink {
    /// One job.
    fn job(&mut self, row: &TraceRow, checked: &Checked, shapes: &ShapeTable, facts: &Facts);

    /// Whether the numbers of shapes are looked up after the next job; where not, those of long ago are forgotten.
    fn keeps_shapes(&self) -> bool {
        true
    }
}

/// An open file of the set, until it is read.
struct Part {
    path: String,
    format: Format,
    guessed: bool,
    /// Of the file, where the bytes that are read are not its own.
    digest: Option<String>,
    opened: Option<Opened>,
    /// How much later than the clock of the set its own begins, ms.
    later_ms: i64,
    /// What stands before the numbers of its jobs, which are those of other files too.
    sign: String,
}

/// Reads all inputs into `sink`.
pub(crate) fn read(
    inputs: &[Input],
    options: &TraceOptions,
    sink: &mut dyn Sink,
) -> Result<Reading, TraceError> {
    Rows::open(inputs, options)?.pour(sink)
}

/// Reads one file that is in memory; `name` stands for its path.
pub(crate) fn read_bytes(
    name: &str,
    format: Option<Format>,
    bytes: Box<dyn std::io::Read>,
    options: &TraceOptions,
    sink: &mut dyn Sink,
) -> Result<Reading, TraceError> {
    let opened = input::open_bytes(bytes);
    let part = opened.and_then(|opened| part(name.to_owned(), format, opened));
    let part = part.map_err(|fault| TraceError::new(name, fault))?;
    Rows::of_parts(vec![part], options)?.pour(sink)
}

/// The rows of all inputs that make sense, one after the other.
pub(crate) struct Rows {
    options: TraceOptions,
    parts: std::vec::IntoIter<(Part, Option<Source>)>,
    companions: Companions,
    checker: Checker,
    open: Option<Open>,
    row: TraceRow,
    found: Found,
}

/// What a row comes to once it is checked, and what its file says of all.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    checked: Checked,
    facts: Facts,
}

/// A file that is being read.
struct Open {
    path: String,
    rows: Box<dyn RowSource>,
    flow: Rc<Flow>,
    digest: Option<String>,
    later_ms: i64,
    sign: String,
}

impl Rows {
    pub(crate) fn open(inputs: &[Input], options: &TraceOptions) -> Result<Self, TraceError> {
        let named = inputs.iter().map(|input| input.path.as_path());
        if named.chain(options.gavel_throughputs.as_deref()).filter(|path| path.as_os_str() == "-").count()
            > 1
        {
            let fault = Fault::other(0, "standard input is named twice, and can be read once");
            return Err(TraceError::new("-", fault.hint("name files")));
        }
        let mut parts = Vec::with_capacity(inputs.len());
        for input in inputs {
            parts.push(open(input).map_err(|fault| TraceError::new(input.shown(), fault))?);
        }
        Self::of_parts(parts, options)
    }

    fn of_parts(mut parts: Vec<Part>, options: &TraceOptions) -> Result<Self, TraceError> {
        let mut companions = Companions {
            pai_jobs: parts.iter().any(|part| part.format == Format::PaiJobs),
            ..Companions::default()
        };
        if let Some(path) = &options.gavel_throughputs {
            let input = Input { path: path.clone(), format: Some(Format::GavelThroughputs) };
            let table = input::open(&input).and_then(read_throughputs);
            companions.throughputs = Some(table.map_err(|fault| TraceError::new(input.shown(), fault))?);
        }
        // Files that say something about others come first, whatever the order on the command line.
        let mut taken = Vec::with_capacity(parts.len());
        for part in &mut parts {
            let source = take(part, &mut companions, options.strict);
            taken.push(source.map_err(|fault| TraceError::new(part.path.clone(), fault))?);
        }
        let mut formats =
            parts.iter().zip(&taken).filter(|(_, taken)| taken.is_none()).map(|(part, _)| part.format);
        let first = formats.next();
        let mixed = formats.any(|format| Some(format) != first);
        let begin = |part: &Part| {
            let head = part.opened.as_ref().filter(|_| part.format == Format::Swf).map(|opened| &opened.head);
            (part.path.clone(), head.and_then(|head| swf_begin_ms(head)))
        };
        let (later, warnings) = clock::aligned(&parts.iter().map(begin).collect::<Vec<_>>());
        parts.iter_mut().zip(later).for_each(|(part, later_ms)| part.later_ms = later_ms);
        // Every log of SWF numbers its jobs from one.
        let logs = parts.iter_mut().filter(|part| part.format == Format::Swf);
        logs.enumerate().skip(1).for_each(|(log, part)| part.sign = format!("{}#", log + 1));
        let mut checker = Checker::new(options.strict, options.partial, mixed);
        checker.reading.warnings = warnings;
        Ok(Self {
            options: options.clone(),
            parts: parts.into_iter().zip(taken).collect::<Vec<_>>().into_iter(),
            companions,
            checker,
            open: None,
            row: TraceRow::default(),
            found: Found::default(),
        })
    }

    /// Goes on to the next row, of which [`row`](Self::row) and [`checked`](Self::checked) then tell; false at the end, where
    /// they are worth nothing.
    pub(crate) fn next(&mut self) -> Result<bool, TraceError> {
        loop {
            let Some(open) = &mut self.open else {
                if self.open_next()? {
                    continue;
                }
                return self.settle().map(|()| false);
            };
            match advance(open, &mut self.row, &mut self.found, &mut self.checker) {
                Ok(None) => self.end(),
                Ok(Some(is_job)) => {
                    self.options.watch.row(self.checker.numbered);
                    if is_job {
                        return Ok(true);
                    }
                }
                Err(fault) => return Err(TraceError::new(open.path.clone(), fault)),
            }
        }
    }

    /// Goes on to the next file; false where there is none.
    #[cold]
    fn open_next(&mut self) -> Result<bool, TraceError> {
        match self.parts.next() {
            None => return Ok(false),
            Some((_, Some(source))) => self.checker.reading.sources.push(source),
            Some((part, None)) => {
                let path = part.path.clone();
                self.open = self.begin(part).map_err(|fault| TraceError::new(path, fault))?;
            }
        }
        Ok(true)
    }

    fn begin(&mut self, part: Part) -> Result<Option<Open>, Fault> {
        let Some(opened) = part.opened else { return Ok(None) };
        let flow = Rc::clone(&opened.flow);
        let rows = adapter(part.format, opened, &self.options, &mut self.companions)?;
        let path = part.path.clone();
        let source =
            Source { path: part.path, format: part.format, guessed: part.guessed, ..Source::default() };
        self.checker.begin(source, rows.missing())?;
        Ok(Some(Open { path, rows, flow, digest: part.digest, later_ms: part.later_ms, sign: part.sign }))
    }

    fn end(&mut self) {
        if let Some(mut open) = self.open.take() {
            let digest = open.digest.unwrap_or_else(|| open.flow.digest());
            let cluster = open.rows.cluster();
            self.companions.pai_tasks = open.rows.tasks().or(self.companions.pai_tasks.take());
            let lists = !cluster.is_empty();
            self.companions.cluster.merge(cluster);
            self.checker.end(digest, open.rows.warnings(), lists);
        }
    }

    /// Counts rows of lists for which none of the files that they belong to had use.
    fn settle(&mut self) -> Result<(), TraceError> {
        let Some(tasks) = self.companions.pai_tasks.take() else { return Ok(()) };
        for (path, lines) in tasks.unused() {
            let mut repairs = Repairs::new(self.options.strict);
            for line in lines {
                let noted = repairs.note(Reason::Unmatched, line);
                noted.map_err(|fault| TraceError::new(path, fault))?;
            }
            let mut sources = self.checker.reading.sources.iter_mut();
            if let Some(source) = sources.find(|source| source.path == path) {
                source.repairs.extend(repairs.take());
            }
        }
        Ok(())
    }

    /// The row that [`next`](Self::next) found.
    pub(crate) fn row(&self) -> &TraceRow {
        &self.row
    }

    /// The same in its final types.
    pub(crate) fn checked(&self) -> &Checked {
        &self.found.checked
    }

    /// All shapes so far.
    pub(crate) fn shapes(&self) -> &ShapeTable {
        &self.checker.reading.shapes
    }

    /// The files so far, the last one as far as it was read.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.checker.reading.sources.iter().chain(self.open.is_some().then_some(&self.checker.source))
    }

    /// A fault at the row that [`next`](Self::next) found.
    pub(crate) fn refuse(&self, sentence: &str, hint: &str) -> TraceError {
        let path = self.open.as_ref().map_or_else(String::new, |open| open.path.clone());
        TraceError::new(path, Fault::other(self.row.line, sentence).hint(hint))
    }

    /// What is known when all rows are read.
    pub(crate) fn finish(mut self) -> Reading {
        // A file of which no more is wanted counts as far as it was read.
        self.end();
        self.checker.reading.cluster = self.companions.cluster;
        self.checker.reading
    }

    fn pour(mut self, sink: &mut dyn Sink) -> Result<Reading, TraceError> {
        if !sink.keeps_shapes() {
            self.checker.reading.shapes.forget_old();
        }
        while self.next()? {
            sink.job(&self.row, &self.found.checked, &self.checker.reading.shapes, &self.found.facts);
        }
        Ok(self.finish())
    }
}

/// Goes on to the next row of one file: whether it is a job; nothing at its end. One row without a loop, so that what only
/// rare rows need is not made ready for each.
#[inline(never)]
fn advance(
    open: &mut Open,
    row: &mut TraceRow,
    found: &mut Found,
    checker: &mut Checker,
) -> Result<Option<bool>, Fault> {
    if !open.rows.next_row(row)? {
        return Ok(None);
    }
    if open.later_ms != 0 {
        row.move_by(open.later_ms);
    }
    if !open.sign.is_empty() {
        row.name.insert_str(0, &open.sign);
    }
    let is_job = checker.check(row, open.rows.resources(), &mut found.checked)?;
    if is_job {
        found.facts = Facts { missing: checker.missing, ..open.rows.facts().moved_by(open.later_ms) };
        (checker.source.epoch_ms, checker.source.offset_s) = (found.facts.epoch_ms, found.facts.offset_s);
    }
    Ok(Some(is_job))
}

/// Opens a file and tells its format.
fn open(input: &Input) -> Result<Part, Fault> {
    part(input.shown(), input.format, input::open(input)?)
}

fn part(path: String, format: Option<Format>, opened: Opened) -> Result<Part, Fault> {
    let guessed = format.is_none();
    if opened.head.is_empty() {
        return Err(Fault::other(0, "the file is empty").hint("a trace has at least a header line"));
    }
    let Some(format) = format.or_else(|| guess(&opened.head)) else {
        // Where the data breaks off in the head already, that is what is wrong.
        if opened.head.len() < input::HEAD {
            let mut opened = opened;
            opened.flow.drain(&mut opened.bytes)?;
        }
        return Err(Fault::other(0, "the content does not tell the format")
            .hint(format!("name it as `FILE:FORMAT`, with one of {}", Format::names().join(", "))));
    };
    if matches!(format, Format::Parquet | Format::OpenDc) {
        return columnar(path, guessed, opened);
    }
    Ok(Part { path, format, guessed, digest: None, opened: Some(opened), later_ms: 0, sign: String::new() })
}

/// A Parquet file becomes the bytes of a native CSV; the digest is that of the file.
#[cfg(feature = "parquet")]
fn columnar(path: String, guessed: bool, mut opened: Opened) -> Result<Part, Fault> {
    if path == "-" {
        return Err(Fault::other(0, "Parquet cannot be read from standard input").hint("name the file"));
    }
    let (format, rows) = super::format::parquet::open(std::path::Path::new(&path), &opened)?;
    opened.flow.drain(&mut opened.bytes)?;
    let digest = Some(opened.flow.digest());
    let opened = Some(input::open_bytes(Box::new(rows))?);
    Ok(Part { path, format, guessed, digest, opened, later_ms: 0, sign: String::new() })
}

/// The Parquet file whose reading has just panicked in a library, if any: for the hook of a program that aborts.
#[must_use]
pub fn panicked_on() -> Option<String> {
    #[cfg(feature = "parquet")]
    return super::format::parquet::panicked_on();
    #[cfg(not(feature = "parquet"))]
    None
}

/// The same without the feature: says how to get it.
#[cfg(not(feature = "parquet"))]
fn columnar(_: String, _: bool, _: Opened) -> Result<Part, Fault> {
    Err(Fault::other(0, "this is a Parquet file, which this build does not read")
        .hint("build with `--features parquet`, or convert it to CSV"))
}

/// Reads a file that belongs to others; nothing if it holds jobs.
fn take(part: &mut Part, companions: &mut Companions, strict: bool) -> Result<Option<Source>, Fault> {
    let Some(opened) = part.opened.take() else { return Ok(None) };
    let flow = Rc::clone(&opened.flow);
    let mut repairs = Repairs::new(strict);
    match companions.take(part.format, opened, &part.path, &mut repairs)? {
        Ok(rows) => Ok(Some(Source {
            path: part.path.clone(),
            format: part.format,
            guessed: part.guessed,
            digest: flow.digest(),
            rows,
            repairs: repairs.take(),
            ..Source::default()
        })),
        Err(opened) => {
            part.opened = Some(opened);
            Ok(None)
        }
    }
}
