//! CSV: `jobs.csv`, and `decisions.csv` while a run goes on.
//!
//! Times are seconds with up to three decimals on the trace's own clock. Absent on purpose: measures.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fairshare::ResourceKind;

use crate::error::SimError;
use crate::metrics::Demands;
use crate::metrics::cost::Costs;
use crate::metrics::money::Money;
use crate::observer::{Observer, Transition, What};
use crate::record::Record;
use crate::setup::Setup;
pub(crate) use crate::trace::csv_field as field;
use crate::trace::{JobName, Trace};

/// What the cells of a column hold, as far as they are not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// Whole numbers.
    Whole,
    /// Numbers with decimals: seconds, amounts, money.
    Number,
}

/// All columns of a file in their order, those of one kind that follow each other with commas between them.
pub(super) type Columns = &'static [(Kind, &'static str)];

/// The first line of a file.
pub(super) fn header(columns: Columns) -> String {
    let names: Vec<&str> = columns.iter().map(|(_, names)| *names).collect();
    names.join(",") + "\n"
}

/// Columns of `jobs.csv`.
pub(super) const JOBS: Columns = &[
    (Kind::Text, "job_id,team,user,cost_owner,pool"),
    (Kind::Whole, "nodes,workers"),
    (Kind::Number, "gpu,cpu,memory_gib"),
    (Kind::Text, "priority"),
    (Kind::Number, "submit_s,start_s,end_s,wait_s,run_s"),
    (Kind::Text, "status"),
    (Kind::Whole, "preemptions"),
    (Kind::Number, "lost_s,cost_usd"),
    (Kind::Text, "reason"),
];

/// Writes `jobs.csv`: one row per submitted job, in order of submission.
///
/// # Errors
///
/// What the writer says.
pub fn jobs(setup: &Setup, trace: &Trace, record: &Record, out: &mut impl Write) -> io::Result<()> {
    let ledger = Ledger::new(setup, trace, record);
    let rejected = record
        .rejected
        .iter()
        .flat_map(|(reason, rejected)| rejected.rows.iter().map(move |row| (*row as usize, reason.as_str())));
    let reasons: BTreeMap<usize, &str> = rejected.collect();
    out.write_all(header(JOBS).as_bytes())?;
    let mut line = String::new();
    for row in 0..trace.jobs.len() {
        let status = record.status(trace, row);
        if status.is_empty() {
            continue;
        }
        line.clear();
        who(trace, row, &mut line);
        what(setup, trace, record, row, &mut line);
        when(trace, record, row, &mut line);
        line.push_str(status);
        line.push(',');
        whole(&mut line, u64::from(record.preemptions(row)));
        line.push(',');
        units(&mut line, ledger.lost_ms[row]);
        line.push(',');
        if let Some(micro) = &ledger.micro {
            push(
                &mut line,
                format_args!("{}", fairshare::MicroUsd::new(u64::try_from(micro[row]).unwrap_or(u64::MAX))),
            );
        }
        line.push(',');
        field(&mut line, reasons.get(&row).copied().unwrap_or_default());
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// Appends formatted text.
pub(crate) fn push(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = line.write_fmt(arguments);
}

/// Appends a whole number.
fn whole(line: &mut String, number: u64) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends thousandths as units, as [`Millis`] are shown: with up to three decimals.
fn units(line: &mut String, thousandths: u64) {
    whole(line, thousandths / 1_000);
    let rest = thousandths % 1_000;
    if rest > 0 {
        // The one keeps the zeros in front.
        let mut buffer = itoa::Buffer::new();
        line.push('.');
        line.push_str(buffer.format(1_000 + rest)[1..].trim_end_matches('0'));
    }
}

/// Appends an instant in seconds.
fn seconds(line: &mut String, at_ms: i64) {
    if at_ms < 0 {
        line.push('-');
    }
    units(line, at_ms.unsigned_abs());
}

/// Appends the name of a job.
fn name(line: &mut String, trace: &Trace, row: usize) {
    match trace.names.get(row) {
        JobName::Number(number) => whole(line, number),
        JobName::Text(name) => field(line, name),
    }
}

fn who(trace: &Trace, row: usize, line: &mut String) {
    let job = &trace.jobs[row];
    name(line, trace, row);
    for text in [trace.teams.text(job.team), trace.users.text(job.user), trace.owners.text(job.owner)] {
        line.push(',');
        field(line, text);
    }
    line.push(',');
}

/// Pool, nodes, workers, amounts per worker, priority.
fn what(setup: &Setup, trace: &Trace, record: &Record, row: usize, line: &mut String) {
    let (job, outcome) = (&trace.jobs[row], &record.outcomes[row]);
    let shape = &trace.shapes[job.shape as usize];
    let place = record.place(outcome);
    if outcome.started() {
        let pool = &setup.config.pools[place.pool as usize];
        field(line, &pool.name);
        line.push(',');
        if !pool.divisible {
            whole(line, u64::from(place.nodes));
        }
    } else {
        line.push(',');
    }
    let alternative = &shape.alternatives[usize::from(place.alternative)];
    line.push(',');
    whole(line, u64::from(alternative.workers));
    for kind in [ResourceKind::GPU, ResourceKind::CPU] {
        line.push(',');
        units(line, alternative.amount(kind.index()));
    }
    line.push(',');
    let bytes = alternative.amount(ResourceKind::MEMORY.index());
    if bytes.is_multiple_of(1 << 30) {
        whole(line, bytes >> 30);
    } else {
        #[expect(clippy::cast_precision_loss, reason = "GiB for people; below 2^53 bytes it is exact")]
        let gib = bytes as f64 / f64::from(1 << 30);
        push(line, format_args!("{gib}"));
    }
    line.push(',');
    field(line, setup.classes.name_of(shape));
    line.push(',');
}

/// Submission, start, end, wait, run.
fn when(trace: &Trace, record: &Record, row: usize, line: &mut String) {
    use crate::record::Fate;
    // Of the last attempt, if there was one: an eviction ends it too.
    let (job, outcome) = (&trace.jobs[row], &record.outcomes[row]);
    seconds(line, job.submit_ms);
    line.push(',');
    if outcome.started() {
        seconds(line, outcome.start_ms);
    }
    line.push(',');
    if outcome.started() && outcome.fate != Fate::Running {
        seconds(line, outcome.end_ms);
    }
    line.push(',');
    if outcome.holds() {
        units(line, record.wait_ms(trace, row));
    }
    line.push(',');
    units(line, job.run_ms);
    line.push(',');
}

/// What every job lost and cost, over all its attempts.
struct Ledger {
    lost_ms: Vec<u64>,
    /// Micro-USD; jobs add up to the allocated cost, and those of a team to the team's. Nothing without prices.
    micro: Option<Vec<u128>>,
}

impl Ledger {
    fn new(setup: &Setup, trace: &Trace, record: &Record) -> Self {
        let demands = Demands::new(setup, trace);
        let mut lost_ms = vec![0; trace.jobs.len()];
        for stretch in record.stretches().filter(|stretch| stretch.lost) {
            lost_ms[stretch.row] += stretch.length_ms();
        }
        let micro = setup.is_priced().then(|| {
            let costs = Costs::new(setup, trace, record, &demands, record.window(trace));
            Money::new(&costs, setup, trace).of_jobs(setup, trace, record, &demands)
        });
        Self { lost_ms, micro }
    }
}

/// Columns of `decisions.csv`.
pub(super) const DECISIONS: Columns = &[
    (Kind::Number, "time_s"),
    (Kind::Text, "action,job_id"),
    (Kind::Whole, "attempt"),
    (Kind::Text, "pool"),
    (Kind::Whole, "workers"),
    (Kind::Text, "reason,for_job"),
    (Kind::Number, "lost_s"),
];

/// Writes `decisions.csv` while a run goes on: starts, evictions, rejections and what the reaper stops, in the order
/// in which they were made.
#[derive(Debug)]
pub struct DecisionLog<'a, W> {
    trace: &'a Trace,
    setup: &'a Setup,
    path: std::path::PathBuf,
    out: W,
    line: String,
    /// Why the job of the next line is rejected, if it is.
    rejection: String,
}

impl<'a, W: Write> DecisionLog<'a, W> {
    /// A log into `out`, which is the file at `path`.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the header cannot be written.
    pub fn new(
        setup: &'a Setup,
        trace: &'a Trace,
        path: std::path::PathBuf,
        mut out: W,
    ) -> Result<Self, SimError> {
        out.write_all(header(DECISIONS).as_bytes()).map_err(|error| SimError::write(&path, error))?;
        Ok(Self { trace, setup, path, out, line: String::new(), rejection: String::new() })
    }

    /// The writer, all lines written.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the last lines cannot be written.
    pub fn finish(mut self) -> Result<W, SimError> {
        self.out.flush().map_err(|error| SimError::write(&self.path, error))?;
        Ok(self.out)
    }
}

impl<W: Write> Observer for DecisionLog<'_, W> {
    fn rejected(&mut self, _row: u32, reason: &str) {
        self.rejection.clear();
        self.rejection.push_str(reason);
    }

    fn transition(&mut self, transition: Transition) -> Result<(), SimError> {
        if transition.what == What::Ended {
            return Ok(());
        }
        let line = &mut self.line;
        line.clear();
        let row = transition.row as usize;
        seconds(line, transition.at);
        line.push(',');
        line.push_str(transition.what.as_str());
        line.push(',');
        name(line, self.trace, row);
        if transition.what == What::Rejected {
            line.push_str(",,,");
        } else {
            line.push(',');
            whole(line, u64::from(transition.attempt));
            line.push(',');
            field(line, &self.setup.config.pools[transition.pool as usize].name);
            let shape = &self.trace.shapes[self.trace.jobs[row].shape as usize];
            line.push(',');
            whole(line, u64::from(shape.alternatives[usize::from(transition.alternative)].workers));
        }
        if let Some(cause) = transition.cause {
            line.push(',');
            line.push_str(cause.reason.as_str());
            line.push(',');
            if let Some(by) = cause.by {
                name(line, self.trace, by as usize);
            }
            line.push(',');
            units(line, cause.lost_ms);
        } else if transition.what == What::Reaped {
            line.push_str(",idle,,");
        } else if transition.what == What::Rejected {
            line.push(',');
            field(line, &self.rejection);
            line.push_str(",,");
        } else {
            line.push_str(",,,");
        }
        line.push('\n');
        self.out.write_all(line.as_bytes()).map_err(|error| SimError::write(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use fairshare::{Millis, Timestamp};

    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_shown() {
        let written = |append: &dyn Fn(&mut String)| {
            let mut line = String::new();
            append(&mut line);
            line
        };
        for thousandths in [0, 1, 10, 90, 100, 120, 999, 1_000, 1_001, 1_010, 12_345_600, u64::MAX] {
            assert_eq!(written(&|line| units(line, thousandths)), Millis::new(thousandths).to_string());
        }
        for at in [i64::MIN, -1_001, -1_000, -999, -1, 0, 1, 86_400_500, i64::MAX] {
            assert_eq!(written(&|line| seconds(line, at)), Timestamp::from_millis(at).to_string());
        }
    }
}
