//! Memory: what the engine remembers that does not follow from the jobs, and how it goes on from there.
//!
//! Where routes are, who is held on which, and what reservations leave over is found out again: a cycle that begins with
//! every route open decides what one does that begins with them parked.
//! Absent on purpose: what is written of the state. Layer 5; uses `snapshot`, `holds`, `state`.

use super::Engine;
use crate::id::PoolId;
use crate::reservation::Reservation;
use crate::snapshot::{Memory, PoolMemory, Reserved};
use crate::state::State;

impl Engine {
    pub(super) fn remembered(&self, state: &State) -> Memory {
        let pool = |pool: PoolId| {
            let hold = self.holds.as_ref().map(|holds| &holds.pools[pool]);
            let reserved = |held: &Reservation| Reserved {
                job: held.job,
                alternative: state.routes.route(held.route).alternative,
                start: held.start,
                nodes: held.nodes.clone(),
                spare: held.spare,
            };
            PoolMemory {
                closed_by: self.watches[pool].closed_by,
                reservation: hold.and_then(|hold| hold.reservation.as_ref().map(reserved)),
                moved: hold.is_some_and(|hold| hold.moved),
                ..PoolMemory::default()
            }
        };
        let pools = (0..self.watches.len()).map(PoolId::at).map(pool).collect();
        // Where nothing is searched for, whoever begins to search has not done so.
        let mut memory = Memory { pools, changed: true, ..Memory::default() };
        self.write_reclaim(state, &mut memory);
        memory
    }

    pub(super) fn resume(&mut self, state: &State, memory: &Memory) {
        for job in self.read_reclaim(state, memory) {
            self.leaves_line(state, job);
        }
        for (pool, remembered) in (0..).map(PoolId::new).zip(&memory.pools) {
            if let Some(job) = remembered.closed_by.filter(|_| self.one_line) {
                self.close_pool(state, job, pool);
            }
            let Some(holds) = &mut self.holds else { continue };
            let held = remembered.reservation.as_ref().and_then(|held| {
                let route = state.route_in(state.alive(held.job).shape, pool, held.alternative).ok()?;
                let (nodes, spare) = (held.nodes.clone(), held.spare);
                Some(Reservation { job: held.job, route, start: held.start, nodes, spare })
            });
            let hold = &mut holds.pools[pool];
            hold.reservation = held;
            hold.moved = remembered.moved;
        }
        self.read_tried(state, memory);
        // Everything that is known only as far as nothing has happened since is worked out again.
        for pool in (0..self.watches.len()).map(PoolId::at) {
            let known = state.ledger.pool(pool);
            let room = if known.is_divisible() { *known.free() } else { *known.node_capacity() };
            self.note_room(pool, &room);
            if let Some(holds) = &mut self.holds {
                (holds.pools[pool].stale, holds.pools[pool].look) = (true, true);
            }
        }
    }
}
