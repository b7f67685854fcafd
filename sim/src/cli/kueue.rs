//! `sim kueue`: definitions and help texts only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `sim kueue`.
#[derive(Debug, Subcommand)]
pub enum KueueCommand {
    /// Write Kueue's objects as a scenario: pools, teams, what runs and what waits.
    Import(Import),
    /// Write a scenario as Kueue's objects, ready for kubectl.
    Export(Export),
}

/// `sim kueue import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_AFTER)]
pub struct Import {
    /// Objects as kubectl prints them, YAML or JSON, plain, .gz or .zst; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write Workloads that have finished as a trace, which the scenario names.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Whether shares decide; else as the objects' configuration says, else not.
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub fair_sharing: Option<bool>,
    /// Make one pool of flavors that are always used together, for policies other than kueue.
    #[arg(long)]
    pub join_flavors: bool,
    /// Where to write the scenario; stdout unless given.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

const IMPORT_AFTER: &str = "\
Examples:
  sim kueue import traces/scenarios/kueue.yaml > scenario.toml
  kinds=clusterqueues,cohorts,localqueues,resourceflavors,workloads
  kubectl get $kinds,workloadpriorityclasses -A -o yaml |
    sim kueue import - --trace jobs.csv --out scenario.toml

A flavor becomes a divisible pool, a ClusterQueue or Cohort a team with its quota and limits, a Workload that \
holds quota a running job, one that waits a pending one. What a scenario has no word for stands beside it as \
`kueue = { .. }` or `[[kueue]]`, in Kueue's words, so that `sim decide` on the scenario decides as on the \
objects. What cannot be said even so is named on stderr.";

/// `sim kueue export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_AFTER)]
pub struct Export {
    /// The scenario (TOML); `-` is standard input.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// A setting over the file: `policy.fair_sharing=false`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where to write the objects; stdout unless given.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

const EXPORT_AFTER: &str = "\
Examples:
  sim kueue export traces/scenarios/decide.toml
  sim kueue import traces/scenarios/kueue.yaml | sim kueue export -

Written are ResourceFlavors, Cohorts, ClusterQueues, LocalQueues, WorkloadPriorityClasses, and a Workload for \
each `[[running]]` and `[[pending]]` job, as kueue.x-k8s.io/v1beta2, after the Configuration that turns fair \
sharing on or off. GPUs are nvidia.com/gpu unless `gpu_resource` of `[policy]` says otherwise. What has no \
counterpart is named on stderr.";
