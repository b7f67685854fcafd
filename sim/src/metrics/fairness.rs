//! Fairness: what share of the whole each team held, and how evenly.
//!
//! Formula: share of a team at an instant = the largest over resource kinds of Σ value·held / Σ value·capacity over all
//! pools (model: one group per kind; a GPU counts its price where shares are valued so, else one). `share_mean` = its
//! mean at the middles of 1,000 equal slices from the first submission to the last end; not divided by the weight.
//! Jain's index = (Σx)² / (n·Σx²) with x = `share_mean` / weight, over the n teams that submitted a job: 1 where all are
//! equal, 1/n where one has everything. Unit: parts of one. Population: all jobs that hold anything at the instant,
//! never trimmed. Estimator: plain means of the sampled instants. Source: shares, Ghodsi et al., "Dominant resource
//! fairness", NSDI 2011; the index, Jain, Chiu, Hawe, DEC-TR-301, 1984.

use fairshare::ResourceKind;

use super::Demands;
use super::utilization::capacity;
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::Trace;

/// How many instants are looked at.
pub(crate) const INSTANTS: u32 = 1_000;
/// The same, to count with.
pub(super) const POINTS: usize = INSTANTS as usize;
/// Most teams for which shares are measured; beyond it the table would be larger than the trace.
const TEAMS: usize = 20_000;

/// Middles of equal slices of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    from: i64,
    /// ms; not zero.
    pub(super) span: u64,
}

impl Grid {
    /// From the first submission to the last end; nothing where no time passed.
    pub(super) fn of(trace: &Trace, record: &Record) -> Option<Self> {
        let (from, to) = record.window(trace)?;
        (to > from).then(|| Self { from, span: to.abs_diff(from) })
    }

    /// How many of the points lie before `at`.
    pub(super) fn before(self, at: i64) -> usize {
        let passed = at.abs_diff(self.from);
        // Point k lies before it if (2k + 1)·span < 2·points·passed. Two thousand times what passes in a run is below 2^64 but
        // for clocks that nobody has.
        let odd = match passed.checked_mul(2 * u64::from(INSTANTS)) {
            Some(offset) => u128::from(offset.div_ceil(self.span)),
            None => (u128::from(passed) * 2 * u128::from(INSTANTS)).div_ceil(u128::from(self.span)),
        };
        usize::try_from(odd / 2).unwrap_or(POINTS).min(POINTS)
    }
}

/// The share of every team at every point, team after team by the scheduler's number; nothing where no time passed or
/// there are too many teams.
#[must_use]
pub fn share_points(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Option<Vec<f64>> {
    let teams = setup.config.teams.len();
    let grid = Grid::of(trace, record)?;
    if teams > TEAMS {
        return None;
    }
    let mut largest = vec![0.0_f64; teams * POINTS];
    for kind in setup.config.kinds.iter() {
        let values = values(setup, kind);
        let pools = setup.config.pools.iter().zip(&values);
        let whole: u128 = pools.map(|(pool, value)| value * u128::from(capacity(pool)[kind].get())).sum();
        if whole == 0 {
            continue;
        }
        let held = held(setup, trace, record, demands, grid, (kind, &values));
        for (largest, held) in largest.iter_mut().zip(held) {
            let share = super::ratio(held, whole).unwrap_or(0.0);
            *largest = largest.max(share);
        }
    }
    Some(largest)
}

/// The mean over the points, team after team.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a thousand")]
pub fn means(points: &[f64]) -> Vec<f64> {
    points.chunks(POINTS).map(|points| points.iter().sum::<f64>() / POINTS as f64).collect()
}

/// What each team holds of a kind at each point, times its value: point after point, team after team.
pub(super) fn held(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    grid: Grid,
    (kind, values): (ResourceKind, &[u128]),
) -> Vec<u128> {
    // First the changes, then their running sums; a sum is never negative.
    let mut changes = vec![0_i128; setup.config.teams.len() * POINTS];
    record.stretches().for_each(|stretch| {
        let amount = demands.of(trace, stretch.row, stretch.alternative)[kind].get();
        if amount == 0 {
            return;
        }
        let (start, end) = (grid.before(stretch.start_ms), grid.before(stretch.end_ms));
        let team = setup.team_of[trace.jobs[stretch.row].team as usize].index();
        let value = i128::try_from(values[stretch.pool] * u128::from(amount)).unwrap_or(i128::MAX);
        change(&mut changes[team * POINTS..][..POINTS], start, end, value);
    });
    running_sums(changes)
}

/// Adds an amount from one point on, and takes it away from another on.
pub(super) fn change(changes: &mut [i128], from: usize, to: usize, amount: i128) {
    if from < to {
        changes[from] += amount;
        if to < changes.len() {
            changes[to] -= amount;
        }
    }
}

/// From changes at points to what holds at them, team after team; in the memory of the changes.
pub(super) fn running_sums(changes: Vec<i128>) -> Vec<u128> {
    let mut level = 0_i128;
    let sums = changes.into_iter().enumerate().map(|(at, change)| {
        level = if at % POINTS == 0 { change } else { level + change };
        level.unsigned_abs()
    });
    sums.collect()
}

/// What a unit of a kind counts in each pool.
fn values(setup: &Setup, kind: ResourceKind) -> Vec<u128> {
    // The configuration was accepted, and a kind of which there is nothing is in no group.
    let groups = setup.config.share_groups().unwrap_or_default();
    let group = groups.into_iter().find(|group| group.kind == kind);
    let values = group.map_or_else(|| vec![1; setup.config.pools.len()], |group| group.values);
    values.into_iter().map(u128::from).collect()
}

/// Jain's index of `values`; nothing where there are none, or all are zero.
///
/// # Examples
///
/// Three teams of which one holds everything; three with the same; shares of 1, 2 and 3:
///
/// ```
/// use fairshare_sim::metrics::fairness::jain;
/// assert_eq!(jain(&[1.0, 0.0, 0.0]), Some(1.0 / 3.0));
/// assert_eq!(jain(&[0.5, 0.5, 0.5]), Some(1.0));
/// assert_eq!(jain(&[1.0, 2.0, 3.0]), Some(36.0 / 42.0));
/// assert_eq!(jain(&[]), None);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a number of teams")]
pub fn jain(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    (squares > 0.0).then(|| sum * sum / (values.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_the_middles_of_slices() {
        // Slices of 10 ms: middles at 5, 15, 25 …
        let grid = Grid { from: -100, span: 10_000 };
        let before = [-100, -95, -94, -85, -84, 9_894, 9_895, 9_896, 9_900].map(|at| grid.before(at));
        assert_eq!(before, [0, 0, 1, 1, 2, 999, 999, 1_000, 1_000]);
        let all = Grid { from: i64::MIN, span: u64::MAX };
        assert_eq!([i64::MIN, 0, i64::MAX].map(|at| all.before(at)), [0, 500, 1_000]);
    }
}
