//! Seldom: what most runs never do, out of the way of what every job passes through.
//!
//! A submission, a start and a completion pass through some thirty kilobytes of code, about as much as the first cache has
//! room for: whatever of it is there for features that a run does not use pushes out what it does.
//! Absent on purpose: what is done. Layer 0.

/// Does it, from a place of its own.
#[cold]
#[inline(never)]
pub(crate) fn seldom<T>(what: impl FnOnce() -> T) -> T {
    what()
}
