//! Money: integer micro-USD, and the price of a pool's capacity by the hour.
//!
//! The core needs prices to value shares and to choose among pools; what a run costs is the simulator's business.
//! Layer 0; uses nothing.

use core::fmt;

/// An amount of money in millionths of a US dollar.
///
/// # Examples
///
/// ```
/// use fairshare::MicroUsd;
/// assert_eq!(MicroUsd::parse("3.50"), Some(MicroUsd::new(3_500_000)));
/// assert_eq!(MicroUsd::parse("-1"), None);
/// assert_eq!(MicroUsd::new(710_000).to_string(), "0.71");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MicroUsd(u64);

impl MicroUsd {
    /// `micro` millionths of a dollar.
    #[must_use]
    pub const fn new(micro: u64) -> Self {
        Self(micro)
    }

    /// Millionths of a dollar.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads dollars, a decimal number with at most six decimals; `None` if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return None;
        }
        let part = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").parse::<u64>().ok()? };
        whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part).map(Self)
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % 1_000_000);
        match part.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / 1_000_000),
            digits => write!(f, "{}.{digits}", self.0 / 1_000_000),
        }
    }
}

/// What the price of a pool is charged for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PriceUnit {
    /// Each GPU, all-in: the host is included.
    Gpu,
    /// Each CPU core.
    Cpu,
    /// Each node, shared among the jobs on it by their dominant fraction of it.
    Node,
}

/// The price of a pool's capacity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Price {
    /// What is charged.
    pub unit: PriceUnit,
    /// Micro-USD for one unit and hour.
    pub hour: MicroUsd,
}
