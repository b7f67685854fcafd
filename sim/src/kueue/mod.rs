//! Kueue's objects, as `kubectl get … -o yaml` or `-o json` prints them: read, put together, decided upon.
//!
//! One file for each concept: [`Quantity`] is an amount, `field` a place in an object with the faults that are told
//! of it, `queue`, `workload` and `config` are the kinds, [`Objects`] is everything that was read, [`Snapshot`] what
//! it means together, `overuse` what cohorts hold beyond their means, `add` one more job, `decide` the cycle. The other
//! way round, `tree` makes a scenario's teams Kueue's queues, `export` writes them and the jobs (`job`) as objects, and
//! `replay` runs a trace with the jobs in `lines`, what users have used in `local`, what cycles say of a job in `said`, and what it does not follow in
//! `unheeded`. `import` makes objects a scenario: `plain` what it says in its own words, with the flavors
//! that are one pool (`joined`), what cohorts have in all (`subtree`) and what was admitted (`asked`), `same` what it still lacks.
//! `text` is YAML and TOML. Absent on purpose: Kueue's rules (see `fairshare::kueue`).

mod add;
mod asked;
mod config;
mod decide;
mod error;
mod export;
mod field;
mod import;
mod job;
mod joined;
mod lines;
mod local;
mod objects;
mod overuse;
mod plain;
mod quantity;
mod queue;
mod replay;
mod said;
mod same;
mod snapshot;
mod subtree;
mod text;
mod tree;
mod unheeded;
mod workload;

pub(crate) use config::{LISTS, legal_strategies, parse_strategies, strategy_names};
pub use error::KueueError;
pub(crate) use export::decide;
pub(crate) use export::note_of_time;
pub use export::{Exported, export};
pub use import::{Imported, import, import_text};
pub(crate) use import::{Wanted, import_opened};
pub(crate) use local::Weights;
pub use objects::{Objects, are_objects};
pub(crate) use objects::{files, opened};
pub use quantity::Quantity;
pub use replay::KueueRules;
pub(crate) use replay::replay;
pub use snapshot::{Options, Snapshot};
pub use text::yaml;
pub(crate) use unheeded::{unheeded, unheeded_alternatives};
