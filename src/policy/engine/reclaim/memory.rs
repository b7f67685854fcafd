//! Memory: what of reclaim is written down with a scheduler, and read back.
//!
//! Absent on purpose: what follows from the jobs that run and wait (see `reclaim`). Layer 5; uses `snapshot`, `state`.

use super::super::holds::Holds;
use super::Reclaim;
use crate::id::JobId;
use crate::snapshot::Memory;
use crate::state::State;

impl Reclaim {
    /// Adds to a memory what does not follow from the jobs. A search that failed before something has happened is forgotten,
    /// as it is made again.
    pub(super) fn write(&self, holds: Option<&Holds>, state: &State, memory: &mut Memory) {
        memory.changed = self.changed || self.reservations != holds.map_or(0, Holds::changes);
        memory.wake = self.wake;
        memory.run_ended = self.waste.has_ended(state.now);
        memory.backing_off = self.backing_off.write();
        memory.stopped = self.stopped.iter().copied().collect();
        memory.freed = self.freed.iter().copied().collect();
        for (job, failed) in &self.failed {
            if self.still_fails(holds, state, *job, *failed) {
                let is_free = failed.reservations.is_none();
                let tried = if is_free { &mut memory.tried } else { &mut memory.tried_behind };
                tried.push(*job);
            }
        }
        for (pool, lost) in memory.pools.iter_mut().zip(self.waste.write()) {
            pool.lost = lost;
        }
    }

    /// Takes over what a memory has; who stands in no line.
    pub(super) fn read(&mut self, state: &State, memory: &Memory) -> Vec<JobId> {
        // Who remembers nothing of any pool has searched for nobody.
        self.changed = memory.changed || memory.pools.is_empty();
        self.wake = memory.wake;
        self.stopped = memory.stopped.iter().copied().collect();
        self.freed = memory.freed.iter().copied().collect();
        self.waste.read(memory.pools.iter().map(|pool| pool.lost), memory.run_ended);
        self.backing_off.read(state, &memory.backing_off)
    }

    /// The same of the searches that have failed, once it is known who holds reservations.
    pub(super) fn read_tried(&mut self, holds: Option<&Holds>, state: &State, memory: &Memory) {
        self.reservations = holds.map_or(0, Holds::changes);
        let tried = memory.tried.iter().map(|job| (*job, self.failed(None, state, *job)));
        let behind = memory.tried_behind.iter().map(|job| (*job, self.failed(holds, state, *job)));
        self.failed = tried.chain(behind).collect();
    }
}
