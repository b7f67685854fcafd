//! Standard Workload Format: 18 numbers a line, `;` lines before them.
//!
//! Group (13) = team, user (12) = user, processors = allocated (5), where unknown requested (8). Requested time
//! (9) is the time limit. Queue, partition and memory bind only where [`SwfOptions`] asks for it. Header lines
//! may hold any bytes; fields after the 18th are ignored.

use std::fmt::Write as _;

use super::lines::Lines;
use super::table::{MAX_AMOUNT, MAX_TIME_MS};
use crate::trace::clock::CALENDAR_FROM_MS;
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;
use crate::trace::number::{self, NumberFault};
use crate::trace::row::{Facts, Reason, RowSource, Status, TraceRow};
use crate::trace::time;

/// What the run time of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SwfRun {
    /// Field 4.
    #[default]
    Recorded,
    /// Field 4, cut at the requested time (field 9).
    CutAtRequest,
}

/// What happens to a row without a usable run time or processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SwfUnusable {
    /// Left out and counted.
    #[default]
    Drop,
    /// A job of one second on max(1, allocated) processors.
    OneSecond,
}

/// What a processor becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SwfProcessors {
    /// All are the CPUs of one worker.
    #[default]
    Cpu,
    /// Each is a worker of one CPU.
    Workers,
}

/// Which field names the eligible pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SwfPools {
    /// None: any pool.
    #[default]
    Any,
    /// Field 16.
    Partition,
    /// Field 15.
    Queue,
}

/// Whether requested memory binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SwfMemory {
    /// It does not.
    #[default]
    Ignore,
    /// Field 10 (KB per processor) is asked for.
    Request,
}

/// Import options of the format: `[trace.swf]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SwfOptions {
    /// `run`.
    pub run: SwfRun,
    /// `unusable`.
    pub unusable: SwfUnusable,
    /// `processors`.
    pub processors: SwfProcessors,
    /// `pools`.
    pub pools: SwfPools,
    /// `memory`.
    pub memory: SwfMemory,
}

impl SwfOptions {
    /// Sets one option by the words of the scenario.
    ///
    /// # Errors
    ///
    /// What is allowed, if `key` is no option or `value` none of its values.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, value) {
            ("run", "run") => self.run = SwfRun::Recorded,
            ("run", "min(run, request)") => self.run = SwfRun::CutAtRequest,
            ("run", _) => return Err("expected `run` or `min(run, request)`".into()),
            ("unusable", "drop") => self.unusable = SwfUnusable::Drop,
            ("unusable", "one-second") => self.unusable = SwfUnusable::OneSecond,
            ("unusable", _) => return Err("expected `drop` or `one-second`".into()),
            ("processors", "cpu") => self.processors = SwfProcessors::Cpu,
            ("processors", "workers") => self.processors = SwfProcessors::Workers,
            ("processors", _) => return Err("expected `cpu` or `workers`".into()),
            ("pools", "partition") => self.pools = SwfPools::Partition,
            ("pools", "queue") => self.pools = SwfPools::Queue,
            ("pools", _) => return Err("expected `partition` or `queue`".into()),
            ("memory", "request") => self.memory = SwfMemory::Request,
            ("memory", _) => return Err("expected `request`".into()),
            _ => return Err("expected `run`, `unusable`, `processors`, `pools` or `memory`".into()),
        }
        Ok(())
    }
}

const FIELDS: [&str; 18] = [
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
];

/// What stands for unknown in every field.
const UNKNOWN: i64 = -1;

/// Reader of SWF.
pub(crate) struct Swf {
    lines: Lines,
    options: SwfOptions,
    extra_fields: bool,
    head: Head,
    /// A submission is a Unix time, whatever the head says of when time starts.
    epoch_submits: bool,
    /// The first one is: so no time counts from a beginning that the head tells.
    unix: Option<bool>,
}

/// What the lines before the jobs say.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    unix_start: Option<i64>,
    zone_s: Option<i64>,
    /// What the clock on the wall showed at the start, as if that were UTC.
    wall_start: Option<i64>,
    max_processors: Option<u64>,
    max_nodes: Option<u64>,
}

impl Head {
    fn line(&mut self, line: &[u8]) {
        // Header text may be in any encoding; only the keys read here are ASCII.
        let line = line.trim_ascii_start();
        let Some(at) = line.iter().position(|&byte| byte == b':') else { return };
        let key = line[..at].trim_ascii_start().strip_prefix(b";").unwrap_or(&line[..at]).trim_ascii();
        let value = || {
            // Some files add words after the number.
            let text = line[at + 1..].trim_ascii();
            let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
            number::whole(&text[..end]).ok()
        };
        match key {
            b"UnixStartTime" => self.unix_start = value(),
            b"TimeZone" => self.zone_s = value().map(|zone| zone.clamp(-86_400, 86_400)),
            b"StartTime" => self.wall_start = wall_s(&line[at + 1..]),
            b"MaxProcs" => self.max_processors = value().and_then(|count| u64::try_from(count).ok()),
            b"MaxNodes" => self.max_nodes = value().and_then(|count| u64::try_from(count).ok()),
            _ => {}
        }
    }

    /// The machine's own clock against UTC, s. Where the head tells the start on both, that is exact; `TimeZone` leaves out
    /// the summer's hour, and some heads have none.
    fn offset_s(&self) -> i64 {
        let stated = self.wall_start.zip(self.unix_start).and_then(|(wall, unix)| wall.checked_sub(unix));
        let stated = stated.filter(|offset| offset.abs() <= 14 * 3600 && offset % 900 == 0);
        stated.or(self.zone_s).unwrap_or(0)
    }

    /// When the clock of the jobs begins, ms since 1970, where it does not begin then.
    fn begin_ms(&self) -> Option<i64> {
        self.unix_start.filter(|&start| start > 0).and_then(|start| start.checked_mul(1000))
    }
}

/// When the clock of a file begins, ms since 1970, by the lines up to its first job.
pub(crate) fn swf_begin_ms(bytes: &[u8]) -> Option<i64> {
    let mut head = Head::default();
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_start);
    let job = lines.find(|line| {
        let job = line.first().is_some_and(|&byte| byte != b';');
        if !job {
            head.line(line);
        }
        job
    });
    let submit =
        job.and_then(|job| job.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).nth(1));
    let submit = submit.and_then(|submit| number::scaled(submit, 3).ok());
    head.begin_ms().filter(|_| submit.is_none_or(|submit| submit < CALENDAR_FROM_MS))
}

impl Swf {
    pub(crate) fn new(opened: Opened, options: SwfOptions) -> Self {
        let lines = Lines::new(opened);
        Self { lines, options, extra_fields: false, head: Head::default(), epoch_submits: false, unix: None }
    }

    /// Splits the line into the ranges of its first 18 fields.
    fn split(&mut self) -> Result<[(usize, usize); 18], Fault> {
        let line = self.lines.line();
        let mut fields = [(0, 0); 18];
        let (mut count, mut at) = (0, 0);
        while at < line.len() {
            if line[at].is_ascii_whitespace() {
                at += 1;
                continue;
            }
            let start = at;
            while at < line.len() && !line[at].is_ascii_whitespace() {
                at += 1;
            }
            if let Some(field) = fields.get_mut(count) {
                *field = (start, at);
            }
            count += 1;
        }
        if count < 18 {
            let fault = Fault::unreadable(self.lines.number(), "18 fields", count.to_string());
            return Err(fault.column((count + 1).to_string()));
        }
        self.extra_fields |= count > 18;
        Ok(fields)
    }

    fn whole(&self, fields: &[(usize, usize); 18], field: usize) -> Result<i64, Fault> {
        self.number(fields, field, number::whole, "a whole number")
    }

    /// A number of seconds in ms; -1 and the like stay negative.
    fn seconds(&self, fields: &[(usize, usize); 18], field: usize) -> Result<i64, Fault> {
        let parse = |text: &[u8]| match number::scaled(text, 3) {
            Ok(value) if value.abs() > MAX_TIME_MS => Err(NumberFault::OutOfRange),
            other => other,
        };
        self.number(fields, field, parse, "a number of seconds")
    }

    fn number(
        &self,
        fields: &[(usize, usize); 18],
        field: usize,
        parse: impl Fn(&[u8]) -> Result<i64, NumberFault>,
        expected: &str,
    ) -> Result<i64, Fault> {
        let (start, end) = fields[field - 1];
        let text = &self.lines.line()[start..end];
        parse(text).map_err(|fault| {
            let expected = match fault {
                NumberFault::OutOfRange => format!("{expected} within the range of this program"),
                _ => expected.to_owned(),
            };
            Fault::unreadable(self.lines.number(), expected, quoted(text))
                .column(format!("{} (field {field})", FIELDS[field - 1]))
        })
    }

    fn fill(&mut self, row: &mut TraceRow) -> Result<(), Fault> {
        let fields = self.split()?;
        row.line = self.lines.number();
        match self.whole(&fields, 1)? {
            UNKNOWN => row.reject = Some(Reason::MissingId),
            number => _ = write!(row.name, "{number}"),
        }
        let submit = self.seconds(&fields, 2)?;
        let wait = self.seconds(&fields, 3)?;
        let mut run = self.seconds(&fields, 4)?;
        let allocated = self.whole(&fields, 5)?;
        let requested = self.whole(&fields, 8)?;
        let request = self.seconds(&fields, 9)?;
        self.epoch_submits |= submit >= CALENDAR_FROM_MS;
        self.unix.get_or_insert(self.epoch_submits);
        // -1 stands for unknown; any other time before the log is kept for the reader to judge.
        row.submit_ms = (submit != UNKNOWN * 1000).then_some(submit);
        row.limit_ms = (request > 0).then_some(request);
        if self.options.run == SwfRun::CutAtRequest && request > 0 {
            run = run.min(request);
        }
        let mut processors = if allocated > 0 { allocated } else { requested };
        if self.options.unusable == SwfUnusable::OneSecond && (run <= 0 || allocated <= 0) {
            run = 1000;
            row.limit_ms = Some(1000);
            processors = allocated.max(1);
        }
        row.run_ms = (run != UNKNOWN * 1000).then_some(run);
        if wait >= 0 && run >= 0 {
            row.start_ms = row.submit_ms.and_then(|submit| submit.checked_add(wait));
            row.end_ms = row.start_ms.and_then(|start| start.checked_add(run));
        }
        self.request(row, &fields, processors.max(0))?;
        row.status = match self.whole(&fields, 11)? {
            1 | 3 => Status::Completed,
            0 | 4 => Status::Failed,
            5 => Status::Cancelled,
            // A part that goes on (2) has no end of its own.
            -1 | 2 => Status::Unspecified,
            _ => {
                row.reject = Some(Reason::UnknownState);
                Status::Unspecified
            }
        };
        for (text, field) in [(&mut row.user, 12), (&mut row.team, 13)] {
            match self.whole(&fields, field)? {
                number if number < 0 => text.push_str("unknown"),
                number => _ = write!(text, "{number}"),
            }
        }
        // Fields that nothing uses must still be numbers: else the line is no SWF.
        for field in [6, 7, 14, 17, 18] {
            self.number(&fields, field, |text| number::scaled(text, 0), "a number")?;
        }
        Ok(())
    }

    fn request(
        &self,
        row: &mut TraceRow,
        fields: &[(usize, usize); 18],
        processors: i64,
    ) -> Result<(), Fault> {
        if processors > MAX_AMOUNT / 1000 {
            let number = self.lines.number();
            let fault = Fault::unreadable(number, "a number of processors", format!("`{processors}`"));
            return Err(fault.column("processors (fields 5 and 8)"));
        }
        let workers = self.options.processors == SwfProcessors::Workers;
        let (workers, cpus) = if workers && processors > 0 { (processors, 1) } else { (1, processors) };
        row.workers = Some(workers);
        row.cpu_milli = cpus * 1000;
        let memory = self.number(fields, 10, |text| number::scaled(text, 0), "a number of KB")?;
        if self.options.memory == SwfMemory::Request && memory > 0 {
            let bytes = memory.checked_mul(1024).and_then(|each| each.checked_mul(cpus));
            row.memory_bytes = bytes.filter(|bytes| *bytes <= MAX_AMOUNT).ok_or_else(|| {
                let expected = "an amount of memory within the range of this program";
                let found = format!("`{memory}` KB for each of {cpus} processors");
                let fault = Fault::unreadable(self.lines.number(), expected, found);
                fault.column("requested memory (field 10)")
            })?;
        }
        let (queue, partition) = (self.whole(fields, 15)?, self.whole(fields, 16)?);
        let pool = match self.options.pools {
            SwfPools::Any => -1,
            SwfPools::Partition => partition,
            SwfPools::Queue => queue,
        };
        for (text, number) in
            [(&mut row.pools, pool), (&mut row.queue, queue), (&mut row.partition, partition)]
        {
            if number >= 0 {
                let _ = write!(text, "{number}");
            }
        }
        Ok(())
    }
}

/// `Sat May 01 00:04:55 JST 2010` in seconds since 1970, as if it were UTC; the zone may be missing.
fn wall_s(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let ([_, month, day, clock, year] | [_, month, day, clock, _, year]) = words[..] else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? + 1;
    let written = format!("{year}-{month:02}-{day:0>2} {clock}");
    time::timestamp_ms(written.as_bytes()).map(|ms| ms / 1000)
}

impl RowSource for Swf {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        row.clear();
        while self.lines.advance()? {
            match self.lines.line().trim_ascii_start().first() {
                None => {}
                Some(b';') => self.head.line(self.lines.line()),
                Some(_) => {
                    self.fill(row)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn facts(&self) -> Facts {
        let offset_s = self.head.offset_s();
        // Times of a head that does not say when they begin may be Unix times, by whose clock a zone tells.
        let unix = self.epoch_submits && self.head.zone_s.is_some();
        let begin_ms = self.head.begin_ms().filter(|_| self.unix != Some(true)).or(unix.then_some(0));
        Facts {
            epoch_ms: begin_ms.and_then(|begin| begin.checked_add(offset_s * 1000)),
            offset_s: begin_ms.map(|_| offset_s),
            max_processors: self.head.max_processors.or(self.head.max_nodes).filter(|&count| count > 0),
            ..Facts::default()
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.extra_fields {
            warnings.push("fields after the 18th are ignored".into());
        }
        let look = "submit times look like Unix times although the header";
        match self.head.begin_ms() {
            None if self.epoch_submits => warnings.push(format!("{look} does not say when time starts")),
            Some(_) if self.unix == Some(true) => {
                warnings
                    .push(format!("{look} says when time starts: they are taken for what they look like"));
            }
            _ => {}
        }
        warnings
    }
}
