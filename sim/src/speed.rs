//! Speed: how long work takes at a speed in thousandths, and how much is done in a time.
//!
//! Absent on purpose: which speed a job runs at (its alternative says so).

/// How long a job takes at a speed in thousandths, rounded up to ms.
pub(crate) fn run_at_speed(run_ms: u64, speed_milli: u32) -> Option<u64> {
    if speed_milli == fairshare::FULL_SPEED {
        return Some(run_ms);
    }
    let scaled = u128::from(run_ms) * u128::from(fairshare::FULL_SPEED);
    u64::try_from(scaled.div_ceil(u128::from(speed_milli.max(1)))).ok()
}

/// How much work of speed one is done at a speed in thousandths, rounded down to ms.
pub(crate) fn work_at_speed(ran_ms: u64, speed_milli: u32) -> u64 {
    let work = u128::from(ran_ms) * u128::from(speed_milli) / u128::from(fairshare::FULL_SPEED);
    u64::try_from(work).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_runs_are_rounded_up() {
        assert_eq!(run_at_speed(1_000, 1_000), Some(1_000));
        assert_eq!(run_at_speed(1_000, 300), Some(3_334));
        assert_eq!(run_at_speed(0, 300), Some(0));
        assert_eq!(run_at_speed(u64::MAX, 1), None);
    }
}
