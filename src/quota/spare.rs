//! Spare: a copy of all quotas on which victims are taken away.
//!
//! Whoever tries names the members of which anything will change, so that only those are copied again.
//! Absent on purpose: who is taken away (see `reclaim`). Layer 3.

use super::Quotas;
use crate::tree::MemberId;

/// The copy, once it was asked for.
#[derive(Clone, Default, Debug)]
pub(crate) struct SpareQuotas(Option<Quotas>);

impl SpareQuotas {
    /// Quotas in which some members are as in others, to change nothing but these. Who is beyond a quota they do not know.
    pub(crate) fn of(&mut self, quotas: &Quotas, members: &[MemberId]) -> &mut Quotas {
        let spare = self.0.get_or_insert_with(|| quotas.without_borrowers());
        for member in members.iter().copied() {
            spare.entries[member].clone_from(&quotas.entries[member]);
        }
        spare
    }
}
