//! Lists of machines: each counts once. Absent on purpose: the columns, which are each format's.

use crate::trace::cluster::{Cluster, NodeMake};
use crate::trace::error::Fault;
use crate::trace::interner::SeenNames;
use crate::trace::repairs::Repairs;
use crate::trace::row::Reason;

/// Where the machines of one list go.
pub(super) struct Machines<'a> {
    /// The names of those of all lists so far.
    pub(super) seen: &'a mut SeenNames,
    pub(super) cluster: &'a mut Cluster,
    pub(super) repairs: &'a mut Repairs,
}

impl Machines<'_> {
    /// Adds the machine of a row, unless one of its name came before; those without a name are all told apart.
    pub(super) fn add(&mut self, name: &str, line: u64, make: NodeMake) -> Result<(), Fault> {
        if name.is_empty() || self.seen.insert(name) {
            self.cluster.add(make);
            return Ok(());
        }
        self.repairs.note(Reason::DuplicateMachine, line)
    }
}
