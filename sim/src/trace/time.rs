//! Written times into milliseconds: `2017-10-09 07:01:55`, RFC 3339, Unix seconds.
//!
//! A time without an offset is read as if it were UTC: formats that write local time say so in their head.
//! Absent on purpose: zones by name, clocks.

/// Reads `YYYY-MM-DD[ T]HH:MM:SS[.fff][Z|±HH[:]MM]` as milliseconds since 1970.
///
/// A space may stand before the offset. Digits past the millisecond are cut off.
pub(crate) fn timestamp_ms(text: &[u8]) -> Option<i64> {
    timestamp_and_zone(text).map(|(ms, _)| ms)
}

/// The same, and whether an offset is written.
pub(crate) fn timestamp_and_zone(text: &[u8]) -> Option<(i64, bool)> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let days = days_from_civil(digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..10])?)?;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b' ' | b'T' | b't') {
        return None;
    }
    let (clock, mut rest) = rest.split_at_checked(8)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..8])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut milliseconds = 0;
    if let [b'.', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        for digit in fraction[..length].iter().chain(b"00").take(3) {
            milliseconds = milliseconds * 10 + i64::from(digit - b'0');
        }
        rest = &fraction[length..];
    }
    let local = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(((local - offset_seconds(rest)?) * 1000 + milliseconds, !rest.is_empty()))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (sign, rest) = match text {
        [] | b"Z" | b"z" | b"UTC" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest)?, 0),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &[u8]) -> Option<i64> {
    let mut value = 0;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

/// A clock by how far it is from UTC: `UTC`, `UTC+09:00`.
pub(crate) fn clock_name(offset_s: i64) -> String {
    let (sign, minutes) = (if offset_s < 0 { '-' } else { '+' }, offset_s.abs() / 60);
    match minutes {
        0 => "UTC".to_owned(),
        _ => format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60),
    }
}

/// A Unix time in ms as `2017-10-09 07:01:55`.
pub(crate) fn date_and_time(unix_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, the year counted from March.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let shifted_year = if month > 2 { year } else { year - 1 };
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leap_days = shifted_year.div_euclid(4) - shifted_year.div_euclid(100) + shifted_year.div_euclid(400);
    Some(shifted_year * 365 + leap_days + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_jiff_on_every_tenth_day() {
        let mut seconds = -2_208_988_800_i64;
        while seconds < 7_258_118_400 {
            let text = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            assert_eq!(timestamp_ms(text.as_bytes()), Some(seconds * 1000), "{text}");
            seconds += 864_000 + 3_607;
        }
    }

    #[test]
    fn offsets_and_fractions() {
        let base = timestamp_ms(b"2023-05-17 11:00:58").unwrap();
        assert_eq!(timestamp_ms(b"2023-05-17 11:00:58+00:00"), Some(base));
        assert_eq!(timestamp_ms(b"2023-05-17 19:00:58 +0800"), Some(base));
        assert_eq!(timestamp_ms(b"2023-05-17T11:00:58.1239Z"), Some(base + 123));
        for text in [&b"2023-02-29 00:00:00"[..], b"2023-13-01 00:00:00", b"2023-01-01", b"None", b""] {
            assert_eq!(timestamp_ms(text), None, "{}", text.escape_ascii());
        }
    }
}
