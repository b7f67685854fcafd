//! Buffers: the memory of a search, kept from one to the next, so that hardly any asks for it anew.
//!
//! Nothing is in it between two searches. Absent on purpose: what it is used for (see `search`). Layer 3; uses
//! `ledger`, `room`, `tree`.

use super::nodes::OnNodes;
use super::{Candidate, Search};
use crate::ledger::Span;
use crate::reclaim::Victim;
use crate::room::Room;
use crate::tree::MemberId;

/// As [`Search`] names its parts.
#[derive(Clone, Default, Debug)]
pub(crate) struct Buffers {
    pub(super) leaves: Vec<MemberId>,
    pub(super) positions: Vec<u32>,
    pub(super) free: Vec<Option<Room>>,
    pub(super) seats: Vec<u64>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) coming: Vec<Victim>,
    pub(super) spans: Vec<Span>,
    pub(super) on_nodes: OnNodes,
    pub(super) chosen: Vec<usize>,
    pub(super) is_chosen: Vec<bool>,
}

impl Search<'_, '_> {
    /// The memory that was lent to a search that is over, emptied.
    pub(super) fn give_back(self) -> Buffers {
        let Self { mut leaves, mut positions, mut free, mut seats, mut candidates, .. } = self;
        let Self { coming, mut spans, mut on_nodes, mut chosen, mut is_chosen, .. } = self;
        leaves.clear();
        positions.clear();
        free.clear();
        seats.clear();
        candidates.clear();
        spans.clear();
        on_nodes.clear();
        chosen.clear();
        is_chosen.clear();
        Buffers { leaves, positions, free, seats, candidates, coming, spans, on_nodes, chosen, is_chosen }
    }
}
