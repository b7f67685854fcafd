//! Commands: one file each, thin; `settings` is what they share. They return what to print; `main` prints it.

pub mod compare;
pub mod decide;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod init;
pub mod kueue;
pub mod prices;
pub mod replay;
pub mod report;
pub mod run;
pub mod settings;
pub mod shares;
pub mod trace;

use std::time::Duration;

use crate::cli::OutputFormat;
use crate::exit_code::ExitCode;
use crate::progress::Stage;
use crate::results::Results;

/// What a command may know of the world around it.
pub struct World<'a> {
    /// The command line without the program.
    pub argv: Vec<String>,
    /// The `SIM_*` variables, sorted by name.
    pub variables: Vec<(String, String)>,
    /// Whether the run is to be ended.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
    /// Time since the program began, for `--timings` only.
    pub clock: &'a dyn Fn() -> Duration,
    /// Whether somebody watches stderr.
    pub watched: bool,
    /// Whether more is to be said.
    pub verbose: bool,
}

impl World<'_> {
    /// Says what the command is at where nothing in it counts, if somebody watches.
    pub(crate) fn stage(&self, what: &'static str) -> Option<Stage> {
        Stage::new(what, self.watched, (self.clock)())
    }

    /// The same with the command line and the variables of the run that left `results`.
    pub(crate) fn of(&self, results: &Results) -> Self {
        let provenance = &results.manifest.provenance;
        Self {
            argv: provenance.argv.clone(),
            variables: provenance.variables.clone().into_iter().collect(),
            ..*self
        }
    }
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("argv", &self.argv).finish_non_exhaustive()
    }
}

/// What a command leaves to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// For stdout.
    pub result: String,
    /// For stderr, unless quiet.
    pub notes: Vec<String>,
    /// For stderr, always.
    pub failures: Vec<String>,
    /// How the process ends.
    pub exit: ExitCode,
    /// All that was to be read is known to have been read: an interrupt that came later has taken nothing from it.
    pub settled: bool,
}

impl Output {
    /// A result and nothing to say about it.
    #[must_use]
    pub fn new(result: String) -> Self {
        Self { result, notes: Vec::new(), failures: Vec::new(), exit: ExitCode::Ok, settled: false }
    }

    /// What is left of it to be printed when the process ends, where an interrupt may have arrived meanwhile that the command
    /// has not seen.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::{ExitCode, command::Output};
    /// let output = Output { settled: true, ..Output::new("done\n".to_owned()) };
    /// assert_eq!(output.clone().at_end(false), output);
    /// let late = output.at_end(true);
    /// assert_eq!((late.result.as_str(), late.exit), ("done\n", ExitCode::Interrupted));
    /// ```
    #[must_use]
    pub fn at_end(mut self, interrupted: bool) -> Self {
        if !interrupted || self.exit == ExitCode::Interrupted {
            return self;
        }
        let said = if self.settled {
            "interrupted when the work was done: its result is whole"
        } else {
            // Whether all was read that was to be is not known.
            self = Self::new(String::new());
            "interrupted: there is no result"
        };
        self.failures.push(said.to_owned());
        self.exit = ExitCode::Interrupted;
        self
    }
}

/// Warnings for stderr: a table lacks those that are not told, and the other forms have all.
fn warnings(warnings: &[String], output: OutputFormat) -> Vec<String> {
    let all = (output == OutputFormat::Table).then_some("all of them with `-o json`");
    crate::report::text::warnings(warnings, all)
}
