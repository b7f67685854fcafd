//! What was repaired in one file, by reason, with the first lines.
//!
//! Absent on purpose: which rows are repaired (`check` and, of lists that belong to others, their formats).

use std::collections::BTreeMap;

use super::error::Fault;
use super::model::Repair;
use super::row::{Reason, RepairAction};

/// How many lines are kept of each reason.
const LINES: usize = 5;

/// The repairs of one file; none is made where `strict` is set.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    strict: bool,
    by_reason: BTreeMap<Reason, (u64, Vec<u64>)>,
}

impl Repairs {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, by_reason: BTreeMap::new() }
    }

    /// Counts one.
    ///
    /// # Errors
    ///
    /// The repair as a fault, where none is to be made and this one is more than an assumption.
    pub(crate) fn note(&mut self, reason: Reason, line: u64) -> Result<(), Fault> {
        let done = match reason.action() {
            RepairAction::LeftOut => "left out",
            RepairAction::Sorted => "sorted in",
            RepairAction::Kept => "",
        };
        if self.strict && !done.is_empty() {
            return Err(Fault::other(line, reason.text())
                .hint(format!("without --strict such rows are {done} and counted")));
        }
        let (count, lines) = self.by_reason.entry(reason).or_default();
        *count += 1;
        if lines.len() < LINES {
            lines.push(line);
        }
        Ok(())
    }

    /// What there is so far, by key; nothing is left.
    pub(crate) fn take(&mut self) -> BTreeMap<&'static str, Repair> {
        let of = |(reason, (count, first_lines)): (Reason, (u64, Vec<u64>))| {
            let repair = Repair { action: reason.action(), text: reason.text(), count, first_lines };
            (reason.key(), repair)
        };
        std::mem::take(&mut self.by_reason).into_iter().map(of).collect()
    }
}
