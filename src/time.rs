//! Time: integer milliseconds, points and lengths kept apart.
//!
//! The epoch is the caller's; the core never asks a clock. Layer 0; uses nothing.
#![warn(clippy::arithmetic_side_effects)]

use core::fmt;

/// A point in time: milliseconds since the caller's epoch, which may lie after it (negative).
///
/// # Examples
///
/// ```
/// use fairshare::{Millis, Timestamp};
/// let noon = Timestamp::from_secs(43_200).unwrap();
/// assert_eq!(noon.checked_add(Millis::new(500)), Some(Timestamp::from_millis(43_200_500)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The caller's epoch.
    pub const ZERO: Self = Self(0);
    /// Before every other point in time.
    pub const MIN: Self = Self(i64::MIN);
    /// After every other point in time.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The point `seconds` seconds after the epoch; `None` where milliseconds would overflow.
    #[must_use]
    pub fn from_secs(seconds: i64) -> Option<Self> {
        seconds.checked_mul(1_000).map(Self)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The point `length` later; `None` on overflow.
    #[must_use]
    pub fn checked_add(self, length: Millis) -> Option<Self> {
        self.0.checked_add_unsigned(length.0).map(Self)
    }

    /// The length from `earlier` to here; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Millis {
        if self.0 <= earlier.0 { Millis(0) } else { Millis(self.0.abs_diff(earlier.0)) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Millis(self.0.unsigned_abs()))
    }
}

/// A length of time in milliseconds.
///
/// # Display format
///
/// Seconds with up to three decimals: `90`, `0.25`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Millis(u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length of `millis` milliseconds.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// A length of `seconds` seconds; `None` where milliseconds would overflow.
    #[must_use]
    pub fn from_secs(seconds: u64) -> Option<Self> {
        seconds.checked_mul(1_000).map(Self)
    }

    /// Milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum; `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::quantity::write_thousandths(f, self.0)
    }
}
