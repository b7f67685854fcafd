//! Decimal numbers from bytes into integers: no float ever touches a time or an amount.
//!
//! What belongs here: text to scaled integer. Absent on purpose: which numbers make sense (see `check`).

/// Why a field is no number of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// The text is not a decimal number.
    NotANumber,
    /// The value does not fit the range that this program computes with.
    OutOfRange,
    /// The value has a fraction where only whole numbers are meant.
    Fraction,
}

const POWERS: [i64; 19] = {
    let mut powers = [1_i64; 19];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Reads a decimal number times `10^scale`, rounded half away from zero.
///
/// Accepts a sign, a fraction and an exponent (`1.5e3`), as exports of data frames write them.
pub(crate) fn scaled(text: &[u8], scale: usize) -> Result<i64, NumberFault> {
    match digits(text, SHORT) {
        // So many digits cannot overflow with scale 3.
        Some(value) if scale <= 3 => Ok(value * POWERS[scale]),
        _ => scaled_slow(text, scale),
    }
}

/// So many digits can be multiplied by a thousand.
pub(crate) const SHORT: usize = 15;

/// The value of a short run of digits, as nearly every field is one: at most so many, and never more than 18.
#[inline]
pub(crate) fn digits(text: &[u8], most: usize) -> Option<i64> {
    if text.is_empty() || text.len() > most.min(18) {
        return None;
    }
    let mut value = 0_i64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Reads a whole number; `12.0` counts as one, `12.5` does not.
pub(crate) fn whole(text: &[u8]) -> Result<i64, NumberFault> {
    if let Some(value) = digits(text, SHORT) {
        return Ok(value);
    }
    match scaled_slow(text, 0) {
        Ok(value) if !text.contains(&b'.') && !text.contains(&b'e') && !text.contains(&b'E') => Ok(value),
        Ok(_) => match wide(text, 6)? {
            value if value % 1_000_000 == 0 => {
                i64::try_from(value / 1_000_000).map_err(|_| NumberFault::OutOfRange)
            }
            _ => Err(NumberFault::Fraction),
        },
        Err(fault) => Err(fault),
    }
}

/// Reads a decimal number of GiB as bytes; ten decimals tell every byte apart.
pub(crate) fn gibibytes(text: &[u8]) -> Result<i64, NumberFault> {
    const UNIT: i128 = 1_000_000_000_000;
    let value = wide(text, 12)?.checked_mul(1 << 30).ok_or(NumberFault::OutOfRange)?;
    let half = if value < 0 { -UNIT / 2 } else { UNIT / 2 };
    i64::try_from((value + half) / UNIT).map_err(|_| NumberFault::OutOfRange)
}

fn scaled_slow(text: &[u8], scale: usize) -> Result<i64, NumberFault> {
    i64::try_from(wide(text, scale)?).map_err(|_| NumberFault::OutOfRange)
}

/// The general case: mantissa digits, then one shift by exponent and scale together.
fn wide(text: &[u8], scale: usize) -> Result<i128, NumberFault> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&digits[..at], exponent(&digits[at + 1..])?),
        None => (digits, 0),
    };
    let mut value = 0_i128;
    let mut seen = 0_usize;
    let mut shift = exponent + i32::try_from(scale).map_err(|_| NumberFault::OutOfRange)?;
    let mut fraction = false;
    for &byte in mantissa {
        match byte {
            b'0'..=b'9' => {
                seen += 1;
                // Past 30 significant digits a fraction changes nothing; a whole number is out of range.
                if value >= 1_000_000_000_000_000_000_000_000_000_000 {
                    shift += i32::from(!fraction);
                } else {
                    value = value * 10 + i128::from(byte - b'0');
                    shift -= i32::from(fraction);
                }
            }
            b'.' if !fraction => fraction = true,
            _ => return Err(NumberFault::NotANumber),
        }
    }
    if seen == 0 {
        return Err(NumberFault::NotANumber);
    }
    let value = shifted(value, shift)?;
    Ok(if negative { -value } else { value })
}

fn shifted(mut value: i128, shift: i32) -> Result<i128, NumberFault> {
    if value == 0 {
        return Ok(0);
    }
    for _ in 0..shift.max(0) {
        value = value.checked_mul(10).ok_or(NumberFault::OutOfRange)?;
    }
    if shift < 0 {
        // One digit more than needed is kept for the rounding.
        for _ in 1..(-shift).min(45) {
            value /= 10;
        }
        value = (value + 5) / 10;
    }
    Ok(value)
}

fn exponent(text: &[u8]) -> Result<i32, NumberFault> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberFault::NotANumber);
    }
    let mut value = 0_i32;
    for &byte in digits {
        value = (value * 10 + i32::from(byte - b'0')).min(10_000);
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_scaled_integers() {
        assert_eq!(scaled(b"66.0", 3), Ok(66_000));
        assert_eq!(scaled(b"-1", 3), Ok(-1_000));
        assert_eq!(scaled(b"0.0005", 3), Ok(1));
        assert_eq!(scaled(b"0.0004999", 3), Ok(0));
        assert_eq!(scaled(b"1.5e3", 3), Ok(1_500_000));
        assert_eq!(scaled(b"2E-3", 3), Ok(2));
        assert_eq!(scaled(b"9223372036854775807", 0), Ok(i64::MAX));
        assert_eq!(scaled(b"9223372036854775808", 0), Err(NumberFault::OutOfRange));
        assert_eq!(scaled(b"9223372036854775807", 3), Err(NumberFault::OutOfRange));
        assert_eq!(scaled(b"1e999999999999", 3), Err(NumberFault::OutOfRange));
        for text in [&b""[..], b"-", b".", b"1x", b"1.2.3", b"NaN", b"e5", b"1e", b" 1"] {
            assert_eq!(scaled(text, 3), Err(NumberFault::NotANumber), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        assert_eq!(whole(b"12.0"), Ok(12));
        assert_eq!(whole(b"12"), Ok(12));
        assert_eq!(whole(b"12.5"), Err(NumberFault::Fraction));
    }

    #[test]
    fn gibibytes_are_exact_to_the_byte() {
        assert_eq!(gibibytes(b"1600"), Ok(1600 << 30));
        assert_eq!(gibibytes(b"93.1322574615"), Ok(100_000_000_000));
    }
}
