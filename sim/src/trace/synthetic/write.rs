//! Generated jobs as native CSV, plain or gzip, streamed to any writer.
//!
//! Invariant: the columns depend on the specification alone, not on what was drawn.

use std::io::{self, BufWriter, Write};

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use super::generator::{Generator, SynthRow};
use super::spec::{JobKind, SynthError, SynthSpec};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedTrace {
    /// Jobs, without the header.
    pub rows: u64,
    /// The last submission, ms.
    pub last_submit_ms: u64,
    /// SHA-256 of the CSV text before compression, in hexadecimal.
    pub text_digest: String,
}

/// Writes the jobs of `spec` as native CSV.
///
/// # Errors
///
/// [`SynthError::Write`] if `out` fails.
///
/// # Examples
///
/// ```
/// use fairshare_sim::trace::synthetic::{SynthSpec, write_csv};
///
/// let spec = SynthSpec::preset("demo").unwrap().with_jobs(3);
/// let mut text = Vec::new();
/// assert_eq!(write_csv(&spec, 1, &mut text).unwrap().rows, 3);
/// assert!(text.starts_with(b"job_id,submit_s,run_s,team,user,workers,gpu,cpu,memory_gib"));
/// ```
pub fn write_csv(spec: &SynthSpec, seed: u64, out: impl Write) -> Result<GeneratedTrace, SynthError> {
    let mut out = BufWriter::with_capacity(1 << 16, Hashing { out, hash: Sha256::new() });
    let further: Vec<Column> = Column::ALL.into_iter().filter(|column| column.is_filled_by(spec)).collect();
    out.write_all(FIRST_COLUMNS)?;
    for column in &further {
        write!(out, ",{}", column.name())?;
    }
    out.write_all(b"\n")?;
    let mut written = GeneratedTrace { rows: 0, last_submit_ms: 0, text_digest: String::new() };
    for row in Generator::new(spec, seed) {
        write_row(&row, &further, &mut out)?;
        written.rows = row.job;
        written.last_submit_ms = row.submit_ms;
    }
    let mut hashing = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    hashing.out.flush()?;
    written.text_digest = hex(&hashing.hash.finalize());
    Ok(written)
}

/// Writes the jobs of `spec` as gzip of native CSV, without a time stamp or a name, so that equal text gives equal bytes.
///
/// # Errors
///
/// [`SynthError::Write`] if `out` fails.
pub fn write_gzip(spec: &SynthSpec, seed: u64, out: impl Write) -> Result<GeneratedTrace, SynthError> {
    let mut encoder = GzBuilder::new().mtime(0).write(out, Compression::best());
    let written = write_csv(spec, seed, &mut encoder)?;
    encoder.finish()?.flush()?;
    Ok(written)
}

/// Passes bytes on and takes their digest.
struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The columns that every generated file begins with.
const FIRST_COLUMNS: &[u8] = b"job_id,submit_s,run_s,team,user,workers,gpu,cpu,memory_gib";

fn write_row(row: &SynthRow<'_>, further: &[Column], out: &mut impl Write) -> io::Result<()> {
    write!(out, "{},{},{}", row.job, Thousandths(row.submit_ms), Thousandths(row.run_ms))?;
    write!(out, ",{0},{0}-{1:02},{2}", row.team.name, row.user, row.size.workers)?;
    for amount in [row.size.gpu, row.size.cpu, row.size.memory_gib] {
        write!(out, ",{}", Thousandths(thousandths(amount)))?;
    }
    for column in further {
        out.write_all(b",")?;
        column.write(row, out)?;
    }
    out.write_all(b"\n")
}

/// A column that is written where the specification can fill it, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    CostOwner,
    Accelerators,
    Pools,
    Priority,
    Datasets,
    Estimate,
    TimeLimit,
    Status,
}

impl Column {
    const ALL: [Self; 8] = [
        Self::CostOwner,
        Self::Accelerators,
        Self::Pools,
        Self::Priority,
        Self::Datasets,
        Self::Estimate,
        Self::TimeLimit,
        Self::Status,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::CostOwner => "cost_owner",
            Self::Accelerators => "accelerators",
            Self::Pools => "pools",
            Self::Priority => "priority",
            Self::Datasets => "datasets",
            Self::Estimate => "estimate_s",
            Self::TimeLimit => "time_limit_s",
            Self::Status => "status",
        }
    }

    /// Whether some job of the specification can have a value here.
    fn is_filled_by(self, spec: &SynthSpec) -> bool {
        let any = |test: fn(&JobKind) -> bool| spec.teams.iter().flat_map(|team| &team.kinds).any(test);
        match self {
            Self::CostOwner => spec.teams.iter().any(|team| team.cost_owner.is_some()),
            Self::Accelerators => any(|kind| kind.accelerators.is_some()),
            Self::Pools => any(|kind| kind.pools.is_some()),
            Self::Priority => any(|kind| kind.priority.is_some()),
            Self::Datasets => any(|kind| !kind.datasets.is_empty()),
            Self::Estimate => any(|kind| kind.estimate_error.is_some()),
            Self::TimeLimit => any(|kind| kind.time_limit.is_some()),
            Self::Status => any(|kind| kind.failed > 0.0 || kind.cancelled > 0.0),
        }
    }

    fn write(self, row: &SynthRow<'_>, out: &mut impl Write) -> io::Result<()> {
        let text = match self {
            Self::CostOwner => row.team.cost_owner.as_deref(),
            Self::Accelerators => row.kind.accelerators.as_deref(),
            Self::Pools => row.kind.pools.as_deref(),
            Self::Priority => row.kind.priority.as_deref(),
            Self::Datasets => row.dataset,
            Self::Status => Some(row.outcome.name()),
            Self::Estimate | Self::TimeLimit => {
                let seconds = if self == Self::Estimate { row.estimate_s } else { row.time_limit_s };
                return seconds.map_or(Ok(()), |seconds| write!(out, "{seconds}"));
            }
        };
        out.write_all(text.unwrap_or("").as_bytes())
    }
}

/// An amount of a specification in thousandths, rounded to the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "validated: between zero and 1e6"
)]
fn thousandths(amount: f64) -> u64 {
    libm::round(amount * 1000.0) as u64
}

/// Prints thousandths as a decimal number without zeros at its end.
struct Thousandths(u64);

impl core::fmt::Display for Thousandths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (whole, mut part) = (self.0 / 1000, self.0 % 1000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let mut digits = 3;
        while part.is_multiple_of(10) {
            part /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{part:0digits$}")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn text_of(spec: &SynthSpec, seed: u64) -> Vec<u8> {
        let mut text = Vec::new();
        write_csv(spec, seed, &mut text).unwrap();
        text
    }

    fn digest_of(spec: &SynthSpec, seed: u64) -> String {
        write_csv(spec, seed, io::sink()).unwrap().text_digest
    }

    /// The bundled files are what the commands of `traces/README.md` write. A failure means that the generator has moved:
    /// undo that, or draw the files again and say so in the change log.
    #[test]
    fn the_bundled_traces_are_drawn_again() {
        let demo = SynthSpec::preset("demo").unwrap();
        let mut bundled = Vec::new();
        let packed: &[u8] = include_bytes!("../../../../traces/demo/trace.csv.gz");
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bundled).unwrap();
        assert!(text_of(&demo, 8) == bundled, "traces/demo/trace.csv.gz differs from the generator's text");
        let sample: &[u8] = include_bytes!("../../../../traces/sample/jobs.csv");
        assert!(text_of(&demo.with_jobs(200), 8) == sample, "traces/sample/jobs.csv differs");
    }

    #[test]
    fn gzip_holds_no_time_and_no_name() {
        let spec = SynthSpec::preset("demo").unwrap().with_jobs(5);
        let mut packed = Vec::new();
        write_gzip(&spec, 1, &mut packed).unwrap();
        assert_eq!(packed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }

    /// One digest for each family and each optional column.
    #[test]
    fn output_is_stable_across_releases() {
        let spec = SynthSpec::from_toml(EVERYTHING).unwrap();
        let text = String::from_utf8(text_of(&spec, 5)).unwrap();
        let head: Vec<&str> = text.lines().filter(|line| line.contains(",a-")).take(3).collect();
        assert_eq!(
            head,
            [
                "30,1767584007.44,737.72,a,a-01,1,0.25,1.5,0,ledger-7,H200:1|A100:0.5,,interactive,web,480,3600,completed",
                "34,1767587572.016,5064.398,a,a-01,1,0.25,1.5,0,ledger-7,H200:1|A100:0.5,,interactive,web,4320,100000,\
                 completed",
                "35,1767588810.729,1.236,a,a-03,1,0.25,1.5,0,ledger-7,H200:1|A100:0.5,,interactive,web,720,3600,failed",
            ]
        );
        assert_eq!(digest_of(&spec, 5), "cd5c9071ed4f4deb3d71f2c0b82ae68164eaf5e1c4cd73c9fb60719808f29c0d");
        assert_ne!(digest_of(&spec, 5), digest_of(&spec, 6));
        assert_eq!(
            digest_of(&SynthSpec::preset("demo").unwrap(), 8),
            "362775ced9e61f8ef7afd212c82cf7495137a0bddd88b7d0c5f1ddf1b9f3517f"
        );
    }

    const EVERYTHING: &str = r#"
        days = 20
        start_s = 1767571200
        resolution_ms = 1
        [[team]]
        name = "a"
        cost_owner = "ledger-7"
        users = 3
        jobs_per_day = 30
        day = "office"
        shift_hours = -5
        bursts = { per_week = 2, jobs = 20, span_s = 300, kind = "burst" }
        [[team.kind]]
        name = "train"
        accelerators = "H200:1|A100:0.5"
        priority = "interactive"
        datasets = [{ name = "web", weight = 3 }, { name = "code" }]
        sizes = [{ workers = 2, gpu = 8, cpu = 64, memory_gib = 512.5, weight = 2 }, { gpu = 0.25, cpu = 1.5 }]
        run = { family = "lognormal", median_s = 3600, shape = 1.4, max_s = 100000 }
        failed = 0.1
        cancelled = 0.1
        estimate_error = 0.5
        time_limit = { margin = 2, spread = 0.5, menu_s = [3600, 100000] }
        [[team.kind]]
        name = "burst"
        pools = "south"
        weight = 0
        sizes = [{ cpu = 1 }]
        run = { family = "weibull", median_s = 60, shape = 0.5 }
        [[team]]
        name = "b"
        jobs_per_day = 50
        day = "night"
        weekdays = [1, 2, 1, 2, 1, 2, 0]
        [[team.kind]]
        name = "pareto"
        sizes = [{ gpu = 1 }]
        run = { family = "pareto", median_s = 60, shape = 1.1 }
        [[team.kind]]
        name = "exponential"
        sizes = [{ gpu = 1 }]
        run = { family = "exponential", median_s = 60 }
        [[team.kind]]
        name = "constant"
        sizes = [{ gpu = 1 }]
        run = { family = "constant", median_s = 60.125 }
        [[team.kind]]
        name = "empirical"
        sizes = [{ gpu = 1 }]
        run = { family = "empirical", quantiles_s = [0, 1, 10, 100] }
    "#;

    #[test]
    fn decimals_are_short_and_exact() {
        let text = |value: u64| Thousandths(value).to_string();
        assert_eq!(
            [text(0), text(1), text(20), text(1500), text(12_000)],
            ["0", "0.001", "0.02", "1.5", "12"]
        );
    }
}
