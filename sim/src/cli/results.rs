//! Commands on a folder that `sim run --out DIR` has written.

use std::path::PathBuf;

use clap::Args;

use super::OutputFormat;

/// `sim report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim report results

The run is done again from the folder's manifest, in the folder where it was done first: the same version, \
scenario and traces give the same report.")]
pub struct Report {
    /// The folder.
    #[arg(value_name = "RUN_DIR")]
    pub folder: PathBuf,
    /// Where to write the report; into the folder unless given.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// `sim replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim replay results/manifest.json

Paths are those of the recorded command line, so run it where that was run. A scenario or trace that has \
changed is named with both digests.")]
pub struct Replay {
    /// The manifest, or its folder.
    #[arg(value_name = "MANIFEST")]
    pub manifest: PathBuf,
    /// Keep the results in this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `sim diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim diff monday tuesday -o json")]
pub struct Diff {
    /// The results folder that the other is compared with.
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other results folder.
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}

/// `sim explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sim explain results 17

The run is done again from the folder's manifest, and the job watched: after every cycle of decisions the \
scheduler says what stops it. Cycles in a row with the same reasons are one interval.")]
pub struct Explain {
    /// The results folder.
    #[arg(value_name = "RUN_DIR")]
    pub folder: PathBuf,
    /// The job, by its name in the trace.
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}
