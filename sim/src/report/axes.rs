//! Axes of the report's charts: time, waits by powers of ten, and the units of resources.
//!
//! Absent on purpose: what is drawn on them (see `over_time`, `by_job`).

use super::chart::{Axis, Tick};
use crate::setup::Setup;

/// The part of the sorted waits that are at most ten to the power `place`, in seconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a chart shows far fewer digits"
)]
pub(super) fn below(waits: &[u64], place: f64) -> f64 {
    // Rounded, so that the place of the longest wait, which is a logarithm, does not fall short of it.
    let limit = libm::round(libm::pow(10.0, place) * 1_000.0) as u64;
    waits.partition_point(|wait| *wait <= limit) as f64 / waits.len().max(1) as f64
}

/// Points on a line of waits.
const POINTS: usize = 160;

/// Where a line of waits has its points, on the axis of waits: the last at its end.
#[expect(clippy::cast_precision_loss, reason = "160 points")]
pub(super) fn wait_places(axis: &Axis) -> Vec<f64> {
    let place = |index: usize| axis.from + (axis.to - axis.from) * (index as f64 + 1.0) / POINTS as f64;
    (0..POINTS).map(place).collect()
}

/// None to all of the jobs.
pub(super) fn part_axis() -> Axis {
    let percents = [0.0, 0.25, 0.5, 0.75, 1.0];
    Axis {
        from: 0.0,
        to: 1.0,
        ticks: percents.map(|at| Tick { at, label: format!("{:.0} %", at * 100.0) }).to_vec(),
        label: "part of the jobs".to_owned(),
        is_log: false,
    }
}

/// One second to at least `most` ms, by powers of ten.
#[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
pub(super) fn log_axis(most: u64) -> Axis {
    const MARKS: [(f64, &str); 9] = [
        (1.0, "1 s"),
        (10.0, "10 s"),
        (60.0, "1 min"),
        (600.0, "10 min"),
        (3_600.0, "1 h"),
        (21_600.0, "6 h"),
        (86_400.0, "1 d"),
        (604_800.0, "7 d"),
        (2_592_000.0, "30 d"),
    ];
    let to = libm::log10(most as f64 / 1_000.0);
    let ticks =
        MARKS.iter().map(|(seconds, label)| Tick { at: libm::log10(*seconds), label: (*label).to_owned() });
    let ticks = ticks.filter(|tick| tick.at <= to).collect();
    Axis {
        from: 0.0,
        to,
        ticks,
        label: "wait (logarithmic; shorter waits at the left edge)".to_owned(),
        is_log: true,
    }
}

/// Time since the first submission, ms.
#[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
pub(super) fn time_axis(from: i64, to: i64) -> Axis {
    const STEPS: [(u64, u64, &str); 12] = [
        (1_000, 1, "s"),
        (60_000, 1, "min"),
        (600_000, 10, "min"),
        (3_600_000, 1, "h"),
        (21_600_000, 6, "h"),
        (86_400_000, 1, "d"),
        (172_800_000, 2, "d"),
        (604_800_000, 7, "d"),
        (2_592_000_000, 30, "d"),
        (7_776_000_000, 90, "d"),
        (31_536_000_000, 365, "d"),
        (315_360_000_000, 3_650, "d"),
    ];
    let length = to.abs_diff(from);
    let (step, number, unit) =
        STEPS.into_iter().find(|(step, _, _)| length / step <= 14).unwrap_or(STEPS[STEPS.len() - 1]);
    let mut ticks = Vec::new();
    let mut index = 0;
    while index * step <= length && index < 100 {
        ticks.push(Tick { at: (index * step) as f64, label: format!("{} {unit}", index * number) });
        index += 1;
    }
    Axis {
        from: 0.0,
        to: length as f64,
        ticks,
        label: "time since the first submission".to_owned(),
        is_log: false,
    }
}

/// Smallest units in a unit of a kind, and the unit's name.
pub(super) fn unit(setup: &Setup, kind: fairshare::ResourceKind) -> (f64, &str) {
    match kind {
        fairshare::ResourceKind::GPU => (1_000.0, "GPUs"),
        fairshare::ResourceKind::CPU => (1_000.0, "CPUs"),
        kind if kind.is_bytes() => (f64::from(1 << 30), "GiB"),
        kind => (1_000.0, setup.config.kinds.name(kind)),
    }
}
