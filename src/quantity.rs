//! Quantity: how much of one resource, as an integer.
//!
//! Thousandths of a GPU, of a CPU and of any named resource; bytes of memory. Never a float: 0.1 + 0.2 - 0.1 - 0.2
//! is zero here. Absent on purpose: `From<f64>`, and arithmetic that wraps. Layer 0; uses nothing.
#![warn(clippy::arithmetic_side_effects)]

use core::fmt;

/// An amount of one resource kind, in that kind's smallest unit (thousandths, or bytes of memory).
///
/// # Examples
///
/// ```
/// use fairshare::Quantity;
/// assert_eq!(Quantity::from_units(8), Some(Quantity::new(8_000)));
/// assert_eq!(Quantity::parse_units("0.5"), Some(Quantity::new(500)));
/// assert_eq!(Quantity::parse_bytes("1600GiB"), Some(Quantity::new(1600 << 30)));
/// assert_eq!(Quantity::parse_units("0.0001"), None, "finer than a thousandth");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quantity(u64);

/// Suffixes of byte amounts, binary and decimal, with their factor.
const BYTE_SUFFIXES: [(&str, u64); 13] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in the smallest unit: thousandths, or bytes of memory.
    #[must_use]
    pub const fn new(smallest_units: u64) -> Self {
        Self(smallest_units)
    }

    /// `units` whole GPUs, CPUs or named units; `None` on overflow.
    #[must_use]
    pub fn from_units(units: u64) -> Option<Self> {
        units.checked_mul(1_000).map(Self)
    }

    /// The amount in the smallest unit.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum; `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` where it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `self` times `factor`; `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// Reads a decimal number of whole units with at most three decimals; `None` if it is anything else.
    #[must_use]
    pub fn parse_units(text: &str) -> Option<Self> {
        parse_decimal(text, 1_000).map(Self)
    }

    /// Reads bytes: a decimal number with an optional suffix (`GiB`, `Gi`, `GB`, ...); `None` if it is anything else
    /// or not a whole number of bytes.
    #[must_use]
    pub fn parse_bytes(text: &str) -> Option<Self> {
        let text = text.trim();
        let split =
            BYTE_SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
        let (number, factor) = split.unwrap_or((text, 1));
        parse_decimal(number.trim_end(), factor).map(Self)
    }
}

/// Reads a non-negative decimal number times `factor`, exactly; `None` where the product is not a whole `u64`.
fn parse_decimal(text: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let dangling = text.contains('.') && fraction.is_empty();
    if whole.is_empty() || dangling || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u128 = whole.parse().ok()?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scaled = whole.checked_mul(scale)?.checked_add(part)?.checked_mul(u128::from(factor))?;
    if scaled.checked_rem(scale)? == 0 { u64::try_from(scaled.checked_div(scale)?).ok() } else { None }
}

/// Writes `thousandths` as a decimal number without trailing zeros.
pub(crate) fn write_thousandths(f: &mut impl fmt::Write, thousandths: u64) -> fmt::Result {
    let (whole, part) = (thousandths / 1_000, thousandths % 1_000);
    if part == 0 {
        write!(f, "{whole}")
    } else {
        let digits = format!("{part:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", Some(0)),
            ("8", Some(8_000)),
            ("0.125", Some(125)),
            ("1.5000", Some(1_500)),
            ("18446744073709551.615", Some(u64::MAX)),
            ("18446744073709551.616", None),
            ("1.0005", None),
            ("", None),
            (".5", None),
            ("1.", None),
            ("-1", None),
            ("1e3", None),
            ("1.5.0", None),
        ] {
            assert_eq!(Quantity::parse_units(text).map(Quantity::get), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_take_binary_and_decimal_suffixes() {
        for (text, expected) in [
            ("1", Some(1)),
            ("0.5KiB", Some(512)),
            ("1.5Gi", Some(3 << 29)),
            ("2 GB", Some(2_000_000_000)),
            ("0.3B", None),
            ("GiB", None),
            ("1Gib", None),
        ] {
            assert_eq!(Quantity::parse_bytes(text).map(Quantity::get), expected, "{text:?}");
        }
    }
}
