//! Typed ids: small numbers that stand for teams, pools, shapes, nodes and jobs.
//!
//! Names are turned into ids once, at the edge; inside, everything is a vector indexed by an id.
//! Absent on purpose: names, and any meaning beyond "which one". Layer 0; uses nothing.

use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};

/// An id that indexes a vector.
pub(crate) trait Id: Copy {
    /// The position that this id stands for.
    fn index(self) -> usize;
}

macro_rules! define_id {
    ($(#[$meta:meta])* $name:ident, $letter:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(u32);

        impl $name {
            /// The id at position `index`, in the order in which things were configured.
            #[must_use]
            pub const fn new(index: u32) -> Self {
                Self(index)
            }

            /// The position that this id stands for.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of position `index` of a vector that is known to be shorter than 2^32.
            pub(crate) fn at(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }

        impl Id for $name {
            #[inline]
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

define_id!(
    /// A team: a node of the team tree, numbered in the order of [`Config::teams`](crate::Config::teams).
    TeamId, "t"
);
define_id!(
    /// A pool, numbered in the order of [`Config::pools`](crate::Config::pools).
    PoolId, "p"
);
define_id!(
    /// An interned shape: what jobs ask, shared by all jobs that ask the same.
    ShapeId, "s"
);
define_id!(
    /// A node of one pool, numbered from zero within the pool.
    NodeId, "n"
);

/// A job that the scheduler knows: a slot, and a serial number that tells the slot's users apart.
///
/// The slot of a finished job is used again for a later one, so that memory follows the jobs that are alive;
/// the serial number makes a stale id an error instead of another job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "WrittenJobId", into = "WrittenJobId"))]
pub struct JobId {
    /// One more than the slot, so that a place for nobody takes no more than one for a job.
    beyond: NonZeroU32,
    serial: u32,
}

const _: () = assert!(size_of::<Option<JobId>>() == 8, "a place for nobody takes no more than one for a job");

impl JobId {
    /// The slot is below `u32::MAX`.
    pub(crate) const fn new(slot: u32, serial: u32) -> Self {
        debug_assert!(slot < u32::MAX, "there is no such slot");
        Self { beyond: NonZeroU32::MIN.saturating_add(slot), serial }
    }

    /// A small number, unique among the jobs that are alive: an index for the caller's own tables.
    #[must_use]
    pub const fn slot(self) -> usize {
        (self.beyond.get() - 1) as usize
    }

    pub(crate) const fn serial(self) -> u32 {
        self.serial
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "j{}#{}", self.slot(), self.serial)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot(), self.serial)
    }
}

/// A job's id as it is written down.
#[cfg(feature = "serde")]
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename = "JobId", expecting = "struct JobId")]
struct WrittenJobId {
    slot: u32,
    serial: u32,
}

#[cfg(feature = "serde")]
impl TryFrom<WrittenJobId> for JobId {
    type Error = &'static str;

    fn try_from(WrittenJobId { slot, serial }: WrittenJobId) -> Result<Self, Self::Error> {
        if slot < u32::MAX { Ok(Self::new(slot, serial)) } else { Err("a job's slot is below 4294967295") }
    }
}

#[cfg(feature = "serde")]
impl From<JobId> for WrittenJobId {
    fn from(id: JobId) -> Self {
        Self { slot: position(id.slot()), serial: id.serial }
    }
}

/// A position as it is kept where there are many; there are never more than it can count.
#[inline]
pub(crate) fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A vector indexed by one kind of id only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdVec<I, T> {
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Id, T> IdVec<I, T> {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), id: PhantomData }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, T> {
        self.items.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }
}

impl<I, T> FromIterator<T> for IdVec<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(items: A) -> Self {
        Self { items: items.into_iter().collect(), id: PhantomData }
    }
}

impl<I: Id, T> Index<I> for IdVec<I, T> {
    type Output = T;

    #[inline]
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for IdVec<I, T> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}
