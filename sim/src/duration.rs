//! Lengths of time as people write them: `90s`, `1h 30m`, `2 days`.
//!
//! Absent on purpose: points in time, and months or years, whose length depends on a calendar.

/// Reads a length of time, ms; `None` if it is anything else, negative, or too long.
///
/// # Examples
///
/// ```
/// use fairshare_sim::duration::parse_ms;
/// assert_eq!(parse_ms("1h 30m"), Some(5_400_000));
/// assert_eq!(parse_ms("2d"), Some(172_800_000));
/// assert_eq!(parse_ms("250ms"), Some(250));
/// assert_eq!(parse_ms("12"), None, "a unit is needed");
/// ```
#[must_use]
pub fn parse_ms(text: &str) -> Option<u64> {
    let span: jiff::Span = text.trim().parse().ok()?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    u64::try_from(length.as_millis()).ok()
}

/// Writes a length of time for people: at most two units, `1 h 30 min`.
///
/// # Examples
///
/// ```
/// use fairshare_sim::duration::human_s;
/// assert_eq!(human_s(5_400.0), "1 h 30 min");
/// assert_eq!(human_s(0.25), "0.25 s");
/// assert_eq!(human_s(200_000.0), "2 d 8 h");
/// ```
#[must_use]
pub fn human_s(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_owned();
    }
    if seconds < 60.0 {
        let text = if seconds >= 10.0 { format!("{seconds:.0}") } else { format!("{seconds:.2}") };
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return format!("{text} s");
    }
    let units = [(86_400.0, "d", 3_600.0, "h"), (3_600.0, "h", 60.0, "min"), (60.0, "min", 1.0, "s")];
    for (large, large_name, small, small_name) in units {
        let rounded = (seconds / small).round() * small;
        if rounded >= large {
            let whole = (rounded / large).floor();
            if whole >= 1_000.0 {
                return format!("{whole} {large_name}");
            }
            let rest = ((rounded - whole * large) / small).round();
            return if rest > 0.0 {
                format!("{whole} {large_name} {rest} {small_name}")
            } else {
                format!("{whole} {large_name}")
            };
        }
    }
    format!("{seconds:.0} s")
}
