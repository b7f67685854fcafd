//! Chunks: a vector that moves no more than a chunk of what it holds, so that no addition takes long however much there is.
//!
//! Absent on purpose: what is held, and taking anything away. Layer 0; uses nothing.

use core::ops::{Index, IndexMut};

/// Binary digits of a place within a chunk.
const BITS: u32 = 12;

/// How many a chunk holds.
const CHUNK: usize = 1 << BITS;

/// What is held, in chunks that are full but for the last.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * CHUNK + last.len())
    }

    /// One more, at the end. The first chunk grows with what it holds, since most have few.
    pub(crate) fn push(&mut self, value: T) {
        if self.0.last().is_none_or(|last| last.len() == CHUNK) {
            self.0.push(Vec::with_capacity(if self.0.is_empty() { 0 } else { CHUNK }));
        }
        if let Some(last) = self.0.last_mut() {
            last.push(value);
        }
    }

    /// The one at a place, if there is one.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at >> BITS)?.get(at % CHUNK)
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.0[at >> BITS][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.0[at >> BITS][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_found_at_its_place_and_does_not_move() {
        let mut chunks = Chunks::default();
        assert_eq!((chunks.len(), chunks.get(0)), (0, None));
        let mut places = Vec::new();
        let all = 3 * CHUNK + 1;
        for at in 0..all {
            chunks.push(at);
            places.push(&raw const chunks[at]);
            assert_eq!((chunks.len(), chunks.get(at), chunks.get(at + 1)), (at + 1, Some(&at), None));
        }
        assert!(chunks.iter().copied().eq(0..all));
        assert!((CHUNK..all).all(|at| core::ptr::eq(places[at], &raw const chunks[at])));
        chunks[CHUNK] = 7;
        assert_eq!(chunks[CHUNK], 7);
    }
}
