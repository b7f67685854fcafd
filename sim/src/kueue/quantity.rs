//! Quantities of Kubernetes (`500m`, `2Gi`, `1e3`), exact to a billionth, which is as fine as Kubernetes keeps them.
//!
//! Absent on purpose: which resource is counted in which unit (see [`Quantity::amount`]) beyond Kueue's one rule.

/// An exact quantity in billionths; amounts past what fits saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity {
    nano: i128,
}

const NANO: i128 = 1_000_000_000;
/// More digits than this stand in no quantity that anybody means.
const MAX_DIGITS: usize = 36;
/// Digits of a fraction before a power of two that are told apart; later ones round up.
const FRACTION_DIGITS: usize = 18;

/// What stands behind the digits.
enum Scale {
    /// Times ten to this.
    Decimal(i32),
    /// Times two to this.
    Binary(u32),
}

impl Quantity {
    /// Reads a quantity; nothing where the text is none.
    ///
    /// ```
    /// use fairshare_sim::kueue::Quantity;
    /// assert_eq!(Quantity::parse("1500m").unwrap().amount("cpu"), 1500);
    /// assert_eq!(Quantity::parse("2Gi").unwrap().amount("memory"), 2 << 30);
    /// assert_eq!(Quantity::parse("1.5.0"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (digits, suffix) = rest.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !number(whole) || !number(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > MAX_DIGITS {
            return None;
        }
        let nano = match scale(suffix)? {
            Scale::Decimal(exponent) => decimal(whole, fraction, exponent),
            Scale::Binary(shift) => binary(whole, fraction, shift),
        };
        Some(Self { nano: if negative { -nano } else { nano } })
    }

    /// In thousandths of a CPU, and whole units of everything else, rounded up: the integers that Kueue computes with.
    #[must_use]
    pub fn amount(self, resource: &str) -> i64 {
        let up = self.units(resource);
        i64::try_from(up).unwrap_or(if up < 0 { i64::MIN } else { i64::MAX })
    }

    /// The same, further than Kueue counts.
    pub(super) fn units(self, resource: &str) -> i128 {
        let unit = if resource == "cpu" { NANO / 1_000 } else { NANO };
        self.nano.div_euclid(unit) + i128::from(self.nano.rem_euclid(unit) > 0)
    }

    /// As a fraction in billionths: numerator and denominator.
    #[must_use]
    pub fn ratio(self) -> Option<(u64, u64)> {
        Some((u64::try_from(self.nano).ok()?, 1_000_000_000))
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// The nearest float: for usage over time, which Kueue keeps as one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an approximation by definition")]
    pub fn approximate(self) -> f64 {
        self.nano as f64 / 1e9
    }
}

fn scale(suffix: &str) -> Option<Scale> {
    let plain = |exponent| Some(Scale::Decimal(exponent));
    let power = |shift| Some(Scale::Binary(shift));
    match suffix {
        "n" => plain(-9),
        "u" => plain(-6),
        "m" => plain(-3),
        "" => plain(0),
        "k" => plain(3),
        "M" => plain(6),
        "G" => plain(9),
        "T" => plain(12),
        "P" => plain(15),
        "E" => plain(18),
        "Ki" => power(10),
        "Mi" => power(20),
        "Gi" => power(30),
        "Ti" => power(40),
        "Pi" => power(50),
        "Ei" => power(60),
        other => {
            let digits = other.strip_prefix(['e', 'E'])?;
            let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            let number = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
            let exponent: i32 = number.then(|| digits.parse().ok())??;
            plain(exponent.clamp(-1_000, 1_000))
        }
    }
}

fn integer(digits: &str) -> i128 {
    digits.bytes().fold(0, |value, byte| value * 10 + i128::from(byte - b'0'))
}

/// The digits times a power of ten, in billionths, rounded up.
fn decimal(whole: &str, fraction: &str, exponent: i32) -> i128 {
    let mut value = integer(&format!("{whole}{fraction}"));
    let mut shift = exponent + 9 - i32::try_from(fraction.len()).unwrap_or(0);
    while shift > 0 && value != 0 {
        value = value.saturating_mul(10);
        shift -= 1;
    }
    let mut rest = false;
    while shift < 0 && value != 0 {
        rest |= value % 10 != 0;
        value /= 10;
        shift += 1;
    }
    value + i128::from(rest)
}

/// The digits times a power of two, in billionths, rounded up.
fn binary(whole: &str, fraction: &str, shift: u32) -> i128 {
    let factor = 1_i128 << shift;
    let whole = integer(whole).saturating_mul(factor).saturating_mul(NANO);
    let kept = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let places = u32::try_from(kept.len()).unwrap_or(0);
    let part = integer(kept) * factor;
    let part = match places.checked_sub(9) {
        None | Some(0) => part * 10_i128.pow(9 - places),
        Some(more) => {
            let unit = 10_i128.pow(more);
            part / unit + i128::from(part % unit > 0)
        }
    };
    whole.saturating_add(part).saturating_add(i128::from(kept.len() < fraction.len()))
}

/// Whole units of a power of 1024 where they are.
pub(super) fn bytes(amount: i64) -> String {
    const UNITS: [(&str, u32); 4] = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let unit = UNITS.iter().find(|(_, shift)| amount > 0 && amount.trailing_zeros() >= *shift);
    unit.map_or_else(|| amount.to_string(), |(name, shift)| format!("{}{name}", amount >> shift))
}

/// An amount of [`Quantity::amount`] as people write it.
pub(super) fn written(resource: &str, amount: i64) -> String {
    match resource {
        "cpu" if amount % 1_000 == 0 => (amount / 1_000).to_string(),
        "cpu" => format!("{amount}m"),
        "memory" => bytes(amount),
        _ => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (text, cpu, other) in [
            ("500m", 500, 1),
            ("2Gi", 2_000 << 30, 2 << 30),
            ("1e3", 1_000_000, 1_000),
            ("1E3", 1_000_000, 1_000),
            ("1E", 1_000_000_000_000_000_000_i64.saturating_mul(1_000), 1_000_000_000_000_000_000),
            ("1.5", 1_500, 2),
            (".5", 500, 1),
            ("5.", 5_000, 5),
            ("1e-3", 1, 1),
            ("1u", 1, 1),
            ("0", 0, 0),
            ("-1", -1_000, -1),
            ("1.5Ki", 1_536_000, 1_536),
            ("0.000000000000000001Ei", 1_153, 2),
            ("100000E", i64::MAX, i64::MAX),
            ("9999999999Ei", i64::MAX, i64::MAX),
            ("0e99999", 0, 0),
        ] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!((quantity.amount("cpu"), quantity.amount("memory")), (cpu, other), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity() {
        let long = "9".repeat(50);
        for text in
            ["", "1.5.0", "Gi", "1ki", "1K", "1 Gi", "e3", "1e", "1e+", "lots", ".", "--1", "1mm", &long]
        {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
