//! The simulator around the `fairshare` scheduler, as a library.

mod capacity;
mod checker;
pub mod cli;
pub mod command;
pub mod compare;
pub mod decide;
pub mod diff;
mod digest;
pub mod duration;
mod engine;
mod error;
pub mod event;
mod exit_code;
mod gate;
pub mod kueue;
pub mod life;
pub mod metrics;
mod nearest;
mod observer;
pub mod prices;
pub mod progress;
mod reaper;
mod record;
pub mod report;
pub mod results;
pub mod rng;
mod saved;
mod scenario;
mod setup;
pub mod shares;
mod simulate;
mod speed;
pub mod streamed;
pub mod summary;
mod tally;
mod tariff;
pub mod timings;
pub mod trace;
pub mod whole;

pub use capacity::{Capacities, CapacityChange};
pub use checker::Checker;
pub use engine::Simulation;
pub use error::SimError;
pub use exit_code::ExitCode;
pub use gate::Gate;
pub use observer::{Cause, Observer, Transition, What};
pub use reaper::{Reaper, Suspect};
pub use record::{Evicted, Fate, LostAttempt, Outcome, Place, PlaceId, Places, Record, Rejected, Stretch};
pub use saved::Recovery;
pub use scenario::{
    Amount, Override, PlannedCapacity, Policy, Pool, Request, Scenario, ScenarioError, Snapshot, SnapshotJob,
    Team, UnknownTeams, policy_label,
};
pub use setup::Setup;
pub use simulate::simulate;
pub use summary::{RunInfo, Summary};
pub use tariff::{Bought, Exact, Tariff, Unit, countable_ms};
