//! Log: every decision as a line that a person reads and a program compares, and one number for all of them.
//!
//! Nothing is kept here: the caller writes lines where it likes, and a digest is as large after a million decisions as
//! after one. Absent on purpose: what nobody decides, such as that a job has ended.
//! Layer 2; uses `decision`, `id`, `time`.

use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::decision::{Decision, Eviction};
use crate::id::PoolId;
use crate::time::Timestamp;

/// A decision with all that is known of it.
///
/// # Display format
///
/// One line: the time in seconds, what is done, and of an eviction its rule, for whom, the work lost, and both sides' keys
/// before and after.
///
/// # Examples
///
/// See [`Scheduler::log`](crate::Scheduler::log).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Logged<'a> {
    /// When it was decided.
    pub at: Timestamp,
    /// What.
    pub decision: Decision,
    /// What is known of it if it is an eviction.
    pub eviction: Option<&'a Eviction>,
}

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        match self.decision {
            Decision::Start { job, attempt, pool, alternative } => {
                write!(f, "start {job} attempt {attempt} in pool {pool} by alternative {alternative}")?;
            }
            Decision::Evict { job, attempt, pool, reason, by, .. } => {
                write!(f, "evict {job} attempt {attempt} in pool {pool}: {}", reason.as_str())?;
                if let Some(by) = by {
                    write!(f, " for {by}")?;
                }
            }
        }
        let Some(Eviction { lost, victim, preemptor, .. }) = self.eviction else { return Ok(()) };
        write!(f, ", {lost} s lost")?;
        for (side, name) in [(Some(victim), "victim"), (preemptor.as_ref(), "preemptor")] {
            let Some(side) = side else { continue };
            write!(f, ", {name} team {} from {} to {}", side.team, side.before, side.after)?;
        }
        Ok(())
    }
}

/// A decision as a digest counts it: in numbers of the caller's, since a [`JobId`](crate::JobId) ends with its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub kind: EntryKind,
    /// The caller's number of the job: the line of a trace, the key of a table.
    pub number: u32,
    /// The attempt that starts or ends, from one; zero of a job that is refused.
    pub attempt: u32,
    /// Where; the first pool of a job that is refused.
    pub pool: PoolId,
    /// Which of the shape's alternatives; zero of a job that is refused.
    pub alternative: u16,
}

/// What was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// A job never starts: the scheduler or rules of the caller's refuse it.
    Refused = 0,
    /// All workers of a job start.
    Start = 1,
    /// A job is stopped.
    Evict = 2,
}

impl Entry {
    /// A decision of the scheduler's about the job with this number.
    #[must_use]
    pub fn decided(at: Timestamp, number: u32, decision: &Decision) -> Self {
        let (kind, attempt, pool, alternative) = match *decision {
            Decision::Start { attempt, pool, alternative, .. } => {
                (EntryKind::Start, attempt, pool, alternative)
            }
            Decision::Evict { attempt, pool, alternative, .. } => {
                (EntryKind::Evict, attempt, pool, alternative)
            }
        };
        let alternative = u16::try_from(alternative).unwrap_or(u16::MAX);
        Self { at, kind, number, attempt, pool, alternative }
    }

    /// The job with this number is refused.
    #[must_use]
    pub const fn refused(at: Timestamp, number: u32) -> Self {
        Self { at, kind: EntryKind::Refused, number, attempt: 0, pool: PoolId::new(0), alternative: 0 }
    }
}

/// One number for a whole log: 128 bits that differ when any decision does.
///
/// # Format
///
/// XXH3 with 128 bits over 24 bytes for each entry, little-endian: time in milliseconds (8), number, attempt and pool (4
/// each), alternative (2), kind (1), zero (1). The same in every release.
///
/// # Complexity
///
/// O(1) an entry and in memory, without allocation.
///
/// # Examples
///
/// ```
/// use fairshare::{Entry, LogDigest, Timestamp};
/// let mut digest = LogDigest::new();
/// assert_eq!(digest.to_string(), "99aa06d3014798d86001c324468d497f");
/// digest.add(&Entry::refused(Timestamp::ZERO, 7));
/// assert_eq!(digest.to_string(), "d09833f59cdda159e8293290bc5cda5d");
/// ```
///
/// [`Scheduler::log`](crate::Scheduler::log) shows decisions that are added.
#[derive(Clone)]
pub struct LogDigest {
    hasher: Xxh3,
    buffer: [u8; WIDTH * BUFFERED],
    filled: usize,
}

const WIDTH: usize = 24;
const BUFFERED: usize = 128;

impl LogDigest {
    /// The digest of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self { hasher: Xxh3::new(), buffer: [0; WIDTH * BUFFERED], filled: 0 }
    }

    /// Adds an entry.
    #[inline]
    pub fn add(&mut self, entry: &Entry) {
        let Entry { at, kind, number, attempt, pool, alternative } = *entry;
        let pool = u32::try_from(pool.index()).unwrap_or(u32::MAX);
        let bytes = &mut self.buffer[self.filled..self.filled + WIDTH];
        bytes[0..8].copy_from_slice(&at.as_millis().to_le_bytes());
        bytes[8..12].copy_from_slice(&number.to_le_bytes());
        bytes[12..16].copy_from_slice(&attempt.to_le_bytes());
        bytes[16..20].copy_from_slice(&pool.to_le_bytes());
        bytes[20..22].copy_from_slice(&alternative.to_le_bytes());
        bytes[22] = kind as u8;
        self.filled += WIDTH;
        if self.filled == self.buffer.len() {
            self.hasher.update(&self.buffer);
            self.filled = 0;
        }
    }

    /// The digest of all that was added so far.
    #[must_use]
    pub fn get(&self) -> u128 {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.buffer[..self.filled]);
        hasher.digest128()
    }
}

impl Default for LogDigest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for LogDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.get())
    }
}

impl fmt::Debug for LogDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogDigest").field(&format_args!("{self}")).finish()
    }
}
