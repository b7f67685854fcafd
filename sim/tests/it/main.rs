//! Integration tests of the simulator, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot set up fails, and says what it skips"
)]

mod adding_up;
mod admission;
mod again;
mod capacity;
mod cli;
mod commands;
mod compare;
mod data;
mod decide;
mod documents;
mod domains;
mod folders;
mod goodput;
mod history;
mod interrupted;
mod kueue;
mod kueue_amounts;
mod kueue_cases;
mod kueue_faults;
mod kueue_import;
mod kueue_instants;
mod kueue_load;
mod kueue_replay;
mod kueue_roundtrip;
mod kueue_told;
mod kueue_waking;
mod last_end;
mod life;
mod measures;
mod money;
mod packing;
mod preemption;
mod prices;
mod replay;
mod report;
#[cfg(feature = "parquet")]
mod results_parquet;
mod runs;
mod shares;
mod shuffled;
mod side_by_side;
#[cfg(unix)]
mod spared;
mod streamed;
mod support;
mod swarm;
mod synth;
mod trace;
mod trace_bad_input;
mod trace_clocks;
mod trace_commands;
mod trace_formats;
mod trace_fuzz;
mod trace_limits;
mod trace_losses;
mod trace_objects;
#[cfg(feature = "parquet")]
mod trace_parquet;
mod trace_properties;
mod trace_scenarios;
mod trace_skypilot;
#[cfg(not(debug_assertions))]
mod trace_speed;
mod trace_stranger;
mod trace_told;
mod trace_tools;
mod variables;

use std::path::PathBuf;

/// The folder with the real traces, or nothing (said once) where it is absent.
#[expect(clippy::disallowed_methods, reason = "the one place where tests learn where the real traces are")]
pub(crate) fn traces_dir() -> Option<PathBuf> {
    let folder = std::env::var("FAIRSHARE_TRACES").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no real traces at {}, set FAIRSHARE_TRACES", folder.display());
    None
}
