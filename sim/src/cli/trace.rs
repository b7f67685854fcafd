//! `sim trace`: definitions and help texts of its commands.
//!
//! Absent on purpose: what a command does (see `command::trace`).

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Statistics of a trace and of its repairs.
    Inspect(Inspect),
    /// Read a trace and refuse whatever would be repaired.
    Check(Check),
    /// Write a trace of any format as native CSV.
    Convert(Convert),
    /// Draw a trace from a description of teams and a seed.
    Synth(Synth),
    /// Compress, thin, multiply or cut a trace.
    Shape(Shape),
}

/// `sim trace inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim trace inspect jobs.csv.gz
  sim trace inspect old.log:swf --scenario scenario.toml
  sim trace inspect nodes.csv pods.csv -o json
  sim trace synth demo | sim trace inspect -")]
pub struct Inspect {
    /// The trace: `FILE[:FORMAT]`, plain, .gz or .zst; `-` is standard input. Files of a set are named together.
    #[arg(required = true, value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// Offered load against the pools of this scenario, read with its import options.
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// Rows that would be repaired are errors.
    #[arg(long)]
    pub strict: bool,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: InspectFormat,
}

/// Form of an inspection on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum InspectFormat {
    /// For people.
    #[default]
    Table,
    /// Schema `sim.inspect/1`.
    Json,
    /// The same, a value a line: its path in the JSON, and what it is.
    Csv,
}

/// `sim trace check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim trace check jobs.csv

Whatever other commands would leave out or sort in is an error here: exit code 2, with the line. What is kept
by an assumption, as of GPUs that do not divide by eight, is no error, and is listed.")]
pub struct Check {
    /// The trace: `FILE[:FORMAT]`; files of a set are named together.
    #[arg(required = true, value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// Import options as `[trace]` of this scenario says.
    #[arg(long, value_name = "SCENARIO")]
    pub import: Option<PathBuf>,
}

/// `sim trace convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim trace convert old.log.gz:swf --out jobs.csv.gz
  sim trace convert nodes.csv pods.csv --scenario pools.toml --out native.csv

Sorted files are written as they are read; unsorted ones and standard input are sorted in memory.")]
pub struct Convert {
    /// The trace: `FILE[:FORMAT]`; files of a set are named together.
    #[arg(required = true, value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// Where to write; packed if the name ends in `.gz` or `.zst`. Absent: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the machines that the trace lists as a scenario.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Import options as `[trace]` of this scenario says.
    #[arg(long, value_name = "SCENARIO")]
    pub import: Option<PathBuf>,
    /// Rows that would be repaired are errors.
    #[arg(long)]
    pub strict: bool,
}

/// `sim trace synth`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sim trace synth demo --seed 8 --out jobs.csv.gz
  sim trace synth demo --jobs 1000000 --out million.csv
  sim trace synth --like recorded.csv --seed 1 --out similar.csv
  sim trace synth --like recorded.csv --describe > similar.toml

The same description and seed give the same bytes on every platform and in every release.")]
pub struct Synth {
    /// The preset `demo`, or else the file of a description (TOML). A file called `demo` is `./demo`; `-` is standard
    /// input.
    #[arg(value_name = "SPEC", required_unless_present = "like")]
    pub spec: Option<String>,
    /// Describe this trace instead: as many jobs, its teams, hours, campaigns, sizes, run times, outcomes and limits.
    /// `FILE[:FORMAT]`; files of a set each after a `--like` of its own.
    #[arg(long, value_name = "FILE[:FORMAT]", conflicts_with = "spec")]
    pub like: Vec<String>,
    /// The root seed of everything that is drawn; else the variable `SIM_SEED`, else 0.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End after this many jobs, and not by time; the load per day stays.
    #[arg(long, value_name = "N")]
    pub jobs: Option<u64>,
    /// Where to write; packed if the name ends in `.gz` or `.zst`. Absent: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the description and draw nothing.
    #[arg(long, conflicts_with_all = ["out"])]
    pub describe: bool,
}

/// `sim trace shape`.
#[derive(Debug, Args)]
#[command(after_help = "\
The steps are taken in this order, whatever the order of the options: window, thin, scale-team, clone, \
compress. Recorded starts and ends stay where only a window is cut: jobs that come at other times, or beside \
others, did not run like that.

Examples:
  sim trace shape jobs.csv --compress 0.3 --out busier.csv
  sim trace shape jobs.csv --from 2017-10-01T00:00:00Z --out rest.csv
  sim trace shape jobs.csv --scale-team search=1.5 --seed 7")]
pub struct Shape {
    /// The trace: `FILE[:FORMAT]`; files of a set are named together.
    #[arg(required = true, value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// Import options as `[trace]` of this scenario says.
    #[arg(long, value_name = "SCENARIO")]
    pub import: Option<PathBuf>,
    /// Keep jobs submitted at or after this time: seconds on the trace's clock, or a date (without an offset: by the clock
    /// of the machine).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Keep jobs submitted before this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Keep every job with this probability.
    #[arg(long, value_name = "P")]
    pub thin: Option<String>,
    /// Multiply the jobs of a team.
    #[arg(long, value_name = "TEAM=FACTOR")]
    pub scale_team: Vec<String>,
    /// The trace and N - 1 samples of it, drawn with replacement.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub clone: Option<u32>,
    /// Multiply the time between submissions.
    #[arg(long, value_name = "FACTOR")]
    pub compress: Option<String>,
    /// The root seed of everything that is drawn; else the variable `SIM_SEED`, else 0.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where to write; packed if the name ends in `.gz` or `.zst`. Absent: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Rows that would be repaired are errors.
    #[arg(long)]
    pub strict: bool,
}
