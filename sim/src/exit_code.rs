//! Exit codes: what the shell learns of a run.
//!
//! Absent on purpose: texts. These numbers are a promise; scripts test them.

/// How the program ends.
///
/// # Examples
///
/// ```
/// use fairshare_sim::ExitCode;
/// assert_eq!(ExitCode::Usage.code(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitCode {
    /// All went well.
    Ok,
    /// A gate that was asked for (`--fail-if`) failed.
    Gate,
    /// The command line is wrong, or what it names cannot be read as what it should be.
    Usage,
    /// An invariant broke: a bug of this program.
    Bug,
    /// The machine failed while reading or writing.
    Machine,
    /// Interrupted from outside; partial results are marked as such.
    Interrupted,
}

impl ExitCode {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Gate => 1,
            Self::Usage => 2,
            Self::Bug => 3,
            Self::Machine => 4,
            Self::Interrupted => 130,
        }
    }
}
