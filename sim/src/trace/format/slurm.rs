//! Slurm accounting: `sacct -P` (or `-p`) with a header, one line per job.
//!
//! Account = team, QOS = priority class. Times are Unix seconds (`SLURM_TIME_FORMAT=%s`) or local without zone, read
//! as if UTC. Steps (`15.batch`) are left out; of a requeued job, whose attempts `-D` lists in an order of their own and
//! far from each other, the last one by its times counts: the file is kept packed and read again. The partition is for
//! statistics, the node list is not read: nothing binds to them. Also the states that Helios and Acme share.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::table::{Dialect, MAX_TIME_MS, Table};
use crate::trace::error::Fault;
use crate::trace::input::{Opened, open_bytes};
use crate::trace::interner::SeenNames;
use crate::trace::number;
use crate::trace::row::{Reason, RowSource, Status, TraceRow};

/// A Slurm job state, as spelled by Slurm and by the traces that come from it.
pub(super) fn state(text: &str) -> Result<Status, Reason> {
    // "CANCELLED by 1234", "FAILED+"
    let word = text.split([' ', '+']).next().unwrap_or_default();
    match word.to_ascii_uppercase().as_str() {
        "COMPLETED" | "CD" => Ok(Status::Completed),
        "CANCELLED" | "CANCELED" | "CA" | "REVOKED" | "PREEMPTED" | "PR" => Ok(Status::Cancelled),
        "FAILED" | "F" | "TIMEOUT" | "TO" | "NODE_FAIL" | "NF" | "OUT_OF_MEMORY" | "OOM" | "BOOT_FAIL"
        | "BF" | "DEADLINE" | "DL" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => Ok(Status::Failed),
        "RUNNING" | "R" | "SUSPENDED" | "S" | "PENDING" | "PD" | "COMPLETING" | "RESIZING"
        | "CONFIGURING" => Err(Reason::StillRunning),
        "REQUEUED" | "RQ" => Err(Reason::Requeued),
        _ => Err(Reason::UnknownState),
    }
}

const PIPES: Dialect = Dialect { delimiter: b'|', quoting: false };

/// Reader of `sacct -P`.
pub(crate) struct Sacct {
    table: Table,
    at: Columns,
    /// Of the jobs whose id comes again, the last attempt.
    last: BTreeMap<String, Attempt>,
}

/// When an attempt was, the later the greater: one that was requeued is never the last, and one without a start comes after
/// all that have one. What started at one instant is one attempt; where starts are not known, the other times decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Attempt {
    kept: bool,
    start_ms: i64,
    submit_ms: i64,
    end_ms: i64,
}

struct Columns {
    id: usize,
    state: usize,
    submit: usize,
    start: Option<usize>,
    end: Option<usize>,
    elapsed: Option<usize>,
    elapsed_raw: Option<usize>,
    limit: Option<usize>,
    limit_raw: Option<usize>,
    account: usize,
    user: Option<usize>,
    qos: Option<usize>,
    partition: Option<usize>,
    name: Option<usize>,
    nodes: Option<usize>,
    cpus: Option<usize>,
    tres: [Option<usize>; 2],
}

impl Sacct {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let (opened, kept) = opened.keeping()?;
        let mut first = Self::over(opened)?;
        let (mut seen, mut last) = (SeenNames::default(), BTreeMap::new());
        while first.table.next()? {
            let id = first.table.text(first.at.id);
            if names_a_job(id) && !seen.insert(id) {
                last.insert(id.to_owned(), Attempt::default());
            }
        }
        drop((first, seen));
        let packed = kept.packed()?;
        let again = || Self::over(open_bytes(Box::new(Cursor::new(packed.clone())))?);
        if !last.is_empty() {
            let mut second = again()?;
            while second.table.next()? {
                if let Some(last) = last.get_mut(second.table.text(second.at.id)) {
                    *last = second.attempt()?.max(*last);
                }
            }
        }
        Ok(Self { last, ..again()? })
    }

    fn over(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, PIPES)?;
        let find = |name: &str| table.header().iter().position(|known| known.eq_ignore_ascii_case(name));
        let require = |name: &str| match find(name) {
            Some(at) => Ok(at),
            None => table.require(name),
        };
        let at = Columns {
            id: find("JobIDRaw").map_or_else(|| require("JobID"), Ok)?,
            state: require("State")?,
            submit: require("Submit")?,
            start: find("Start"),
            end: find("End"),
            elapsed: find("Elapsed"),
            elapsed_raw: find("ElapsedRaw"),
            limit: find("Timelimit"),
            limit_raw: find("TimelimitRaw"),
            account: require("Account")?,
            user: find("User"),
            qos: find("QOS"),
            partition: find("Partition"),
            name: find("JobName"),
            nodes: find("NNodes").or_else(|| find("AllocNodes")),
            cpus: find("AllocCPUS").or_else(|| find("NCPUS")),
            tres: [find("AllocTRES"), find("ReqTRES")],
        };
        Ok(Self { table, at, last: BTreeMap::new() })
    }

    /// When the attempt of the current line was.
    fn attempt(&self) -> Result<Attempt, Fault> {
        let kept = state(self.table.text(self.at.state)) != Err(Reason::Requeued);
        if let Some(start_ms) = self.instant(self.at.start)? {
            return Ok(Attempt { kept, start_ms, ..Attempt::default() });
        }
        Ok(Attempt {
            kept,
            start_ms: i64::MAX,
            submit_ms: self.instant(Some(self.at.submit))?.unwrap_or(i64::MIN),
            end_ms: self.instant(self.at.end)?.unwrap_or(i64::MAX),
        })
    }

    fn text(&self, at: Option<usize>) -> &str {
        at.map_or("", |at| self.table.text(at))
    }

    /// A time that may be written as a word for "none".
    fn instant(&self, at: Option<usize>) -> Result<Option<i64>, Fault> {
        match at {
            Some(at) if !matches!(self.table.text(at), "Unknown" | "None" | "N/A" | "NONE") => {
                self.table.instant(at)
            }
            _ => Ok(None),
        }
    }

    /// A duration of Slurm (`[D-]HH:MM:SS`) in ms.
    fn duration(&self, at: usize) -> Result<Option<i64>, Fault> {
        match self.table.text(at) {
            "" | "UNLIMITED" | "Partition_Limit" | "INVALID" | "Unknown" | "None" => Ok(None),
            text => match slurm_duration_ms(text) {
                Some(value) => Ok(Some(value)),
                None => Err(self.table.fault(at, "a duration like `1-12:30:00`")),
            },
        }
    }

    fn limit(&self) -> Result<Option<i64>, Fault> {
        if let Some(at) = self.at.limit_raw {
            // Minutes.
            return match self.table.text(at) {
                "" | "UNLIMITED" | "Partition_Limit" | "INVALID" => Ok(None),
                _ => {
                    let expected = "a whole number of minutes";
                    let Some(minutes) = self.table.whole(at, expected)? else { return Ok(None) };
                    let beyond =
                        || self.table.fault(at, &format!("{expected} within the range of this program"));
                    minutes.checked_mul(60_000).ok_or_else(beyond).map(Some)
                }
            };
        }
        self.at.limit.map_or(Ok(None), |at| self.duration(at))
    }

    fn run(&self, row: &TraceRow) -> Result<Option<i64>, Fault> {
        // Elapsed leaves out suspended time, end - start does not.
        if let Some(at) = self.at.elapsed_raw {
            return self.table.seconds(at);
        }
        if let Some(at) = self.at.elapsed {
            return self.duration(at);
        }
        Ok(row.end_ms.zip(row.start_ms).and_then(|(end, start)| end.checked_sub(start)))
    }

    fn request(&self, row: &mut TraceRow) -> Result<(), Fault> {
        let mut tres = Tres::default();
        let at = self.at.tres.into_iter().flatten().find(|&at| !self.table.text(at).is_empty());
        if let Some(at) = at {
            tres = Tres::parse(self.table.text(at)).ok_or_else(|| {
                self.table.fault(at, "trackable resources like `cpu=8,gres/gpu:h200=8,mem=100G,node=1`")
            })?;
        }
        if tres.cpu_milli == 0
            && let Some(at) = self.at.cpus
        {
            tres.cpu_milli =
                self.table.whole(at, "a whole number of CPUs")?.unwrap_or(0).saturating_mul(1000);
        }
        if tres.nodes == 0
            && let Some(at) = self.at.nodes
        {
            tres.nodes = self.table.whole(at, "a whole number of nodes")?.unwrap_or(0);
        }
        if tres.nodes > 1 && tres.nodes.checked_mul(1000).is_some_and(|unit| tres.gpu_milli % unit == 0) {
            row.workers = Some(tres.nodes);
            row.gpu_milli = tres.gpu_milli / tres.nodes;
        } else {
            row.request_gpus(tres.gpu_milli / 1000);
        }
        let workers = row.workers.unwrap_or(1).max(1);
        row.cpu_milli = share(tres.cpu_milli, workers);
        row.memory_bytes = share(tres.memory_bytes, workers);
        row.accelerators.push_str(&tres.accelerator);
        if tres.mixed {
            row.note(Reason::MixedTypes);
        }
        Ok(())
    }
}

/// One of `workers` equal parts, rounded up.
pub(super) fn share(total: i64, workers: i64) -> i64 {
    if total <= 0 || workers <= 1 { total } else { (total - 1) / workers + 1 }
}

impl RowSource for Sacct {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.read(row)? {
            return Ok(false);
        }
        // Equal attempts are one that is listed twice, which is no other than any other job of this kind.
        if let Some(last) = self.last.get(&row.name)
            && self.attempt()? < *last
        {
            row.reject = Some(Reason::Requeued);
        }
        Ok(true)
    }
}

/// Whether an id is neither missing nor that of a step.
fn names_a_job(id: &str) -> bool {
    !id.is_empty() && !id.contains('.')
}

impl Sacct {
    /// The next line of the file; false at its end.
    fn read(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        row.line = self.table.line();
        row.name.push_str(self.table.text(self.at.id));
        if row.name.is_empty() {
            row.reject = Some(Reason::MissingId);
            return Ok(true);
        }
        if row.name.contains('.') {
            row.reject = Some(Reason::JobStep);
            return Ok(true);
        }
        match state(self.table.text(self.at.state)) {
            Ok(status) => row.status = status,
            Err(reason) => row.reject = Some(reason),
        }
        row.submit_ms = self.instant(Some(self.at.submit))?;
        row.start_ms = self.instant(self.at.start)?;
        row.end_ms = self.instant(self.at.end)?;
        row.limit_ms = self.limit()?;
        row.run_ms = self.run(row)?;
        row.team.push_str(self.table.text(self.at.account));
        row.user.push_str(self.text(self.at.user));
        row.priority.push_str(self.text(self.at.qos));
        row.partition.push_str(self.text(self.at.partition));
        row.title.push_str(self.text(self.at.name));
        self.request(row)?;
        Ok(true)
    }
}

/// Totals of a job's trackable resources.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tres {
    cpu_milli: i64,
    gpu_milli: i64,
    memory_bytes: i64,
    nodes: i64,
    /// The type of most of the GPUs.
    accelerator: String,
    /// There are GPUs of other types beside.
    mixed: bool,
}

impl Tres {
    fn parse(text: &str) -> Option<Self> {
        let mut tres = Self::default();
        let (mut typed, mut most, mut types) = (0_i64, 0_i64, 0);
        for part in text.split(',') {
            let (key, value) = part.split_once('=')?;
            match key {
                "cpu" => tres.cpu_milli = number::scaled(value.as_bytes(), 3).ok()?,
                "node" => tres.nodes = number::whole(value.as_bytes()).ok()?,
                "mem" => tres.memory_bytes = slurm_memory(value)?,
                "gres/gpu" => tres.gpu_milli = number::scaled(value.as_bytes(), 3).ok()?,
                _ => {
                    if let Some(kind) = key.strip_prefix("gres/gpu:") {
                        // A type is one word of Slurm's, and of alternatives.
                        if kind.is_empty() || kind.contains([':', '*', '|']) {
                            return None;
                        }
                        let gpus = number::scaled(value.as_bytes(), 3).ok()?;
                        typed = typed.checked_add(gpus)?;
                        types += i32::from(gpus > 0);
                        if gpus > most || tres.accelerator.is_empty() {
                            most = gpus;
                            kind.clone_into(&mut tres.accelerator);
                        }
                    }
                }
            }
        }
        // The plain count is the sum of the typed ones where both are given.
        tres.gpu_milli = tres.gpu_milli.max(typed);
        tres.mixed = types > 1;
        Some(tres)
    }
}

/// `100G`, `4000M`, `1.5T`, `4.50P`, `1024K`; without a letter: MiB.
fn slurm_memory(text: &str) -> Option<i64> {
    let (number, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        b'P' => (&text[..text.len() - 1], 50),
        b'E' => (&text[..text.len() - 1], 60),
        _ => (text, 20),
    };
    let thousandths = number::scaled(number.as_bytes(), 3).ok()?;
    i64::try_from((i128::from(thousandths) << shift) / 1000).ok()
}

/// `[D-]HH:MM:SS`, `MM:SS[.mmm]`.
fn slurm_duration_ms(text: &str) -> Option<i64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (number::whole(days.as_bytes()).ok()?, clock),
        None => (0, text),
    };
    let mut total = 0_i64;
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for part in parts {
        total = total.checked_mul(60)?.checked_add(number::scaled(part.as_bytes(), 3).ok()?)?;
    }
    let duration = days.checked_mul(86_400_000)?.checked_add(total)?;
    (duration.abs() <= MAX_TIME_MS).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tres_units() {
        let tres = Tres::parse("billing=8,cpu=8,gres/gpu:h200=8,gres/gpu=8,mem=100G,node=2").unwrap();
        let expected = Tres {
            cpu_milli: 8000,
            gpu_milli: 8000,
            memory_bytes: 100 << 30,
            nodes: 2,
            accelerator: "h200".into(),
            mixed: false,
        };
        assert_eq!(tres, expected);
        let mixed = Tres::parse("gres/gpu:a100=2,gres/gpu:h200=6,gres/gpu=8").unwrap();
        assert_eq!((mixed.accelerator.as_str(), mixed.gpu_milli, mixed.mixed), ("h200", 8000, true));
        assert_eq!(slurm_memory("1.5T"), Some(3 << 39));
        assert_eq!(Tres::parse("cpu"), None);
    }

    #[test]
    fn parts_are_rounded_up() {
        assert_eq!([share(10, 4), share(8, 4), share(0, 4), share(7, 1)], [3, 2, 0, 7]);
        assert_eq!(share(-5, 4), -5);
    }

    #[test]
    fn durations() {
        assert_eq!(slurm_duration_ms("1-12:30:00"), Some(131_400_000));
        assert_eq!(slurm_duration_ms("05:06.250"), Some(306_250));
        assert_eq!(slurm_duration_ms("99999999999999-00:00:00"), None);
        assert_eq!(slurm_duration_ms("99999999999-00:00:00"), None);
        assert_eq!(slurm_duration_ms("soon"), None);
    }
}
