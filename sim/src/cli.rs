//! The command line: definitions and help texts only.
//!
//! Commands that are not built are absent, not stubs. Absent on purpose: what a command does (see `command`).

pub mod kueue;
pub mod results;
pub mod trace;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::trace::STDIN_MARK;

/// What if? Replays recorded jobs against the fairshare scheduler.
#[derive(Debug, Parser)]
#[command(name = "sim", version, about, propagate_version = true, max_term_width = 80, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to talk.
    #[command(flatten)]
    pub talk: Talk,
}

impl Cli {
    /// Reads the arguments of the process.
    ///
    /// `-:FORMAT` is standard input in a format, and no option: it is passed on with a mark before it that no argument
    /// can hold, which [`Input::parse`](crate::trace::Input::parse) takes off again.
    ///
    /// # Errors
    ///
    /// What is wrong with them, or the help or version that was asked for; it knows how to be printed.
    pub fn of_process() -> Result<Self, clap::Error> {
        Self::of(std::env::args_os())
    }

    /// The same of a command line that was noted, the name of the program first.
    ///
    /// # Errors
    ///
    /// As of those of the process.
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments.into_iter().map(|argument| match argument.to_str() {
            Some(text) if text.starts_with("-:") => format!("{STDIN_MARK}{text}").into(),
            _ => argument,
        }))
    }
}

const AFTER: &str = "\
Examples:
  sim demo                                    a built-in scenario and trace
  sim init > scenario.toml                    a commented scenario
  sim run scenario.toml --trace jobs.csv.gz   replay a trace
  sim run scenario.toml --trace jobs.csv.gz --policy fifo -o json
  sim compare scenario.toml --trace jobs.csv.gz --policy drf --policy fifo

Exit codes: 0 ok, 1 a gate failed, 2 usage or unreadable input, 3 a bug, 4 the machine failed, 130 \
interrupted. Results go to stdout, everything else to stderr.";

/// How to talk.
#[derive(Debug, Clone, Args)]
pub struct Talk {
    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on stderr.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a built-in scenario and trace: prints the table, writes report.html.
    Demo(Demo),
    /// Replay a trace under a scenario.
    Run(Box<Run>),
    /// Look at, check, convert or generate traces.
    #[command(subcommand)]
    Trace(trace::TraceCommand),
    /// Replay a trace under several policies, side by side.
    Compare(Box<Compare>),
    /// Decide once on a cluster as it stands: who starts, who waits, and why.
    Decide(Decide),
    /// Kueue's objects to a scenario and back.
    #[command(subcommand)]
    Kueue(kueue::KueueCommand),
    /// What each team is entitled to if capacity could be divided at will, exactly.
    Shares(Shares),
    /// Write the report of a results folder again.
    Report(results::Report),
    /// Run again what a manifest says, and see that every file has the same bytes.
    Replay(results::Replay),
    /// What changed between two results folders: figures, teams, jobs, and the first decision that differs.
    Diff(results::Diff),
    /// Why a job waited, interval by interval.
    Explain(results::Explain),
    /// What accelerators cost: our own table, or a catalog of `SkyPilot` with its faults caught.
    Prices(Prices),
    /// Print a commented scenario to start from.
    Init,
    /// Print the completion script of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Form of the result on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// For programs: fields as the `schema` field promises.
    Json,
    /// Every figure as `path,value`.
    Csv,
}

/// How quantiles are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Quantiles {
    /// From all jobs, which are kept until the end.
    #[default]
    Exact,
    /// From a sketch; jobs are forgotten as they end, so nothing is written or said of single ones.
    Sketch,
}

/// `sim demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The policy: `NAME[,key=value…]`.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
    /// Where to write the report.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub report: PathBuf,
}

/// `sim run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_AFTER)]
#[expect(clippy::struct_excessive_bools, reason = "one independent flag each")]
pub struct Run {
    /// The scenario (TOML); `-` is standard input.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// A trace: `FILE[:FORMAT]`, plain, .gz or .zst; `-` is standard input. Several are merged.
    #[arg(long = "trace", value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// The policy: `NAME[,key=value…]`, such as `fifo` or `drf,backfill=none`.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// A setting over the file: `policy.order=fifo`, `pool.l4.nodes=32`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// The root seed of everything that is drawn; else the variable `SIM_SEED`, else 0.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write all results into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write each CSV of --out as Parquet too; the program must be built with `--features parquet`.
    #[arg(long)]
    pub parquet: bool,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
    /// Leave the first finishes, and those after the last submission, out of wait, response and slowdown.
    #[arg(long, value_name = "PERCENT")]
    pub trim: Option<String>,
    /// Exit with 1 if this holds: 'PATH OP VALUE'.
    #[arg(long = "fail-if", value_name = "CONDITION")]
    pub fail_if: Vec<String>,
    /// Rows of the trace that would be repaired are errors.
    #[arg(long)]
    pub strict: bool,
    /// Exact, or from a sketch that is off by at most 0.4 %: memory then follows the jobs that wait or run.
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub quantiles: Quantiles,
    /// Check every invariant after every event: minutes for a trace of 100,000 jobs. Progress is shown on a terminal.
    #[arg(long)]
    pub check: bool,
    /// Report wall-clock times on stderr and, with --out, in timings.json.
    #[arg(long)]
    pub timings: bool,
}

/// `sim compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_AFTER)]
pub struct Compare {
    /// The scenario (TOML); `-` is standard input.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// A trace: `FILE[:FORMAT]`, plain, .gz or .zst. Several are merged.
    #[arg(long = "trace", value_name = "FILE[:FORMAT]")]
    pub traces: Vec<String>,
    /// A policy: `NAME[,key=value…]`, or `recorded` for what really happened; at least two.
    #[arg(long = "policy", value_name = "POLICY", required = true)]
    pub policies: Vec<String>,
    /// The policy that the others are compared with; the first one unless given.
    #[arg(long, value_name = "POLICY")]
    pub baseline: Option<String>,
    /// Take intervals from so many bootstrap replicas of the trace, the same for all policies.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub replicas: u64,
    /// Write figures, a report and pictures into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// A setting over the file: `pool.l4.nodes=32`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// The root seed of everything that is drawn; else the variable `SIM_SEED`, else 0.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
    /// Leave the first finishes, and those after the last submission, out of wait, response and slowdown.
    #[arg(long, value_name = "PERCENT")]
    pub trim: Option<String>,
    /// Rows of the trace that would be repaired are errors.
    #[arg(long)]
    pub strict: bool,
}

/// `sim prices`.
#[derive(Debug, Args)]
pub struct Prices {
    /// A catalog of one cloud (`vms.csv`), plain, .gz or .zst; `-` is standard input; the table of this program unless
    /// given.
    #[arg(value_name = "CATALOG")]
    pub catalog: Option<PathBuf>,
    /// Only this accelerator.
    #[arg(long, value_name = "NAME")]
    pub accelerator: Option<String>,
    /// Only in this region.
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}

/// `sim decide`.
#[derive(Debug, Args)]
#[command(after_help = DECIDE_AFTER)]
pub struct Decide {
    /// A scenario (TOML) with `[[running]]` and `[[pending]]`, or Kueue objects as kubectl prints them; `-` is standard
    /// input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// One more waiting job: its keys, or `[[pending]]` tables; for Kueue objects a Workload, a batch/v1 Job or a
    /// task of `SkyPilot`. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub add: Vec<PathBuf>,
    /// The policy: `NAME[,key=value…]`, such as `fifo` or `drf,backfill=none`.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Kueue objects: whether shares decide; else as their configuration says, else not.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub fair_sharing: Option<bool>,
    /// Kueue objects: the strategies of fair preemption, one or two.
    #[arg(long, value_name = "A[,B]")]
    pub strategies: Option<String>,
    /// Kueue objects: the time, as RFC 3339 or Unix seconds; else the latest in the objects.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Kueue objects: what resources count in the usage of local queues.
    #[arg(long, value_name = "cpu=0,gpu=1")]
    pub resource_weights: Option<String>,
    /// Kueue objects: the local queue of an added job that names none.
    #[arg(long, value_name = "[NAMESPACE/]NAME", requires = "add")]
    pub queue: Option<String>,
    /// A setting over the file: `policy.order=fifo`, `team.search.weight=2`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}

const DECIDE_AFTER: &str = "\
Examples:
  sim decide traces/scenarios/decide.toml
  sim decide traces/scenarios/decide.toml --policy fifo -o json
  sim decide traces/scenarios/decide.toml --add job.toml
  kinds=clusterqueues,cohorts,localqueues,resourceflavors,workloads
  kubectl get $kinds,workloadpriorityclasses -A -o yaml |
    sim decide - --fair-sharing=true --add job.yaml

A job has the columns of the native trace as keys: `job_id` and `team`, then what it asks. One that runs also \
has its `pool`, and may have `start_s` and `nodes`, the number of the node of each worker. The time is `now_s` \
of `[snapshot]`, else the latest time that a job names; a job without `submit_s` came then.

Kueue objects are decided upon by Kueue's rules; with another --policy by that, on the scenario that \
`sim kueue import` makes of them.";

/// `sim shares`.
#[derive(Debug, Args)]
#[command(after_help = SHARES_AFTER)]
pub struct Shares {
    /// The scenario (TOML), whose teams have a `request`; `-` is standard input.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Divide one resource over the pools that each team may use, counting units alike.
    #[arg(long)]
    pub pools: bool,
    /// Like --pools, by throughput, where pools run a team's tasks at different speeds.
    #[arg(long, conflicts_with = "pools")]
    pub speeds: bool,
    /// A setting over the file: `team.search.weight=2`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}

const SHARES_AFTER: &str = "\
Examples:
  sim shares traces/scenarios/shares.toml
  sim shares traces/scenarios/shares.toml --pools -o json

A team asks by `request = { per_task = { gpu = 1, cpu = 4 }, tasks = 10, pools = [\"l4\"] }`: without `tasks` \
endlessly, without `pools` of any pool. By default all pools are one domain: an upper bound, spread over the \
pools of the team in proportion to what they have. With --pools no pool is overrun; what is divided is the \
GPUs, or the one resource that everybody asks for. Memory is in GiB. With --speeds a request also says `speeds \
= { h200 = 1, l4 = 0.25 }`, 1 where it is silent; its figures are decimals, and the program must be built with \
`--features lp`.";

const COMPARE_AFTER: &str = "\
Examples:
  sim compare traces/demo/scenario.toml --policy drf \\
    --policy fifo --policy fifo,backfill=none
  sim compare traces/demo/scenario.toml --replicas 20 \\
    --policy fifo --policy drf

Differences are paired job by job; intervals are 95 %, by batch means over 30 runs of jobs, or by
replicas: traces made of whole weeks or days of this one, drawn at random.";

const RUN_AFTER: &str = "\
Examples:
  sim run scenario.toml --trace jobs.csv
  sim run scenario.toml --trace old.log.gz:swf --policy fifo --trim 1% -o json
  sim run scenario.toml --trace jobs.csv --out results --fail-if 'wait.p95 > 2h'
  sim trace synth demo --jobs 100000 |
    sim run traces/demo/scenario.toml --trace - --quantiles sketch

Settings: the file, then variables, then --set, then --policy. SIM_POLICY=fifo is --policy, SIM_SEED=1 is \
--seed, SIM_POOL__EU_L4__NODES=8 is --set pool.eu-l4.nodes=8: two underscores are a dot, and names of pools, \
teams and priorities have `_` for what a variable cannot hold.";
