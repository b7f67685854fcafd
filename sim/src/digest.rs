//! Digest of the decision log: 128 bits that differ when any decision does.
//!
//! Each decision is a record of fixed width, little-endian: time (8 bytes), row, attempt, pool (4 each), alternative
//! (2), kind (1), padded to 24. Ends of jobs are no decisions and are left out. Absent on purpose: names; rows stand
//! for jobs, in the order of submit time and name.

use xxhash_rust::xxh3::Xxh3;

use crate::observer::{Transition, What};

const WIDTH: usize = 24;
const BUFFERED: usize = 128;

/// Collects decisions into a digest.
#[derive(Clone)]
pub(crate) struct Digest {
    hasher: Xxh3,
    buffer: [u8; WIDTH * BUFFERED],
    filled: usize,
}

impl Digest {
    pub(crate) fn new() -> Self {
        Self { hasher: Xxh3::new(), buffer: [0; WIDTH * BUFFERED], filled: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, decision: &Transition) {
        // Ends follow from the starts.
        if matches!(decision.what, What::Ended | What::Reaped) {
            return;
        }
        let record = &mut self.buffer[self.filled..self.filled + WIDTH];
        record[0..8].copy_from_slice(&decision.at.to_le_bytes());
        record[8..12].copy_from_slice(&decision.row.to_le_bytes());
        record[12..16].copy_from_slice(&decision.attempt.to_le_bytes());
        record[16..20].copy_from_slice(&decision.pool.to_le_bytes());
        record[20..22].copy_from_slice(&decision.alternative.to_le_bytes());
        record[22] = decision.what as u8;
        self.filled += WIDTH;
        if self.filled == self.buffer.len() {
            self.hasher.update(&self.buffer);
            self.filled = 0;
        }
    }

    pub(crate) fn hex(mut self) -> String {
        self.hasher.update(&self.buffer[..self.filled]);
        format!("{:032x}", self.hasher.digest128())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digest").finish_non_exhaustive()
    }
}
