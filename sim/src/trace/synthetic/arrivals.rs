//! Instants of submission of one team: a Poisson process whose rate follows the hours of the week, and bursts upon it.
//!
//! The changing rate is drawn by thinning (Lewis and Shedler 1979): candidates come at the highest rate of the week and
//! each is kept with the probability that its own hour deserves.

use super::spec::TeamMix;
use crate::rng::{Stream, Streams};

pub(super) const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;
const WEEK_MS: f64 = 7.0 * DAY_MS;
const HOURS_PER_WEEK: usize = 168;

/// How busy each hour of the week is, relative to the average hour; the week begins on Monday at 00:00.
#[derive(Debug, Clone)]
pub(super) struct WeekProfile {
    by_hour: Vec<f64>,
    highest: f64,
}

impl WeekProfile {
    /// Combines the weights of the hours with those of the days; `shift_hours` moves the whole to a later clock.
    pub(super) fn new(hours: &[f64], weekdays: &[f64], shift_hours: i32) -> Self {
        let shift = usize::try_from(shift_hours.rem_euclid(24 * 7)).unwrap_or(0);
        let mut by_hour = vec![0.0; HOURS_PER_WEEK];
        for hour in 0..HOURS_PER_WEEK {
            by_hour[(hour + shift) % HOURS_PER_WEEK] = weekdays[hour / 24] * hours[hour % 24];
        }
        let mean = by_hour.iter().sum::<f64>() / 168.0;
        let mut highest = 0.0;
        for weight in &mut by_hour {
            *weight /= mean;
            highest = f64::max(highest, *weight);
        }
        Self { by_hour, highest }
    }

    /// The mean relative rate from the beginning of the first week until `days` later; one over whole weeks.
    pub(super) fn mean(&self, days: f64) -> f64 {
        let weeks = libm::floor(days / 7.0);
        let rest_hours = (days - weeks * 7.0) * 24.0;
        let mut sum = weeks * 168.0;
        for (hour, weight) in (0_u8..).zip(&self.by_hour) {
            sum += weight * (rest_hours - f64::from(hour)).clamp(0.0, 1.0);
        }
        sum / (days * 24.0)
    }

    /// The relative rate at `time_ms`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the hour of a week is between 0 and 167"
    )]
    fn at(&self, time_ms: f64) -> f64 {
        let hour = (time_ms % WEEK_MS / HOUR_MS) as usize;
        self.by_hour[hour.min(HOURS_PER_WEEK - 1)]
    }

    /// Draws the first event after `time_ms` of a process with `per_day` events on the average day.
    fn next_after(&self, mut time_ms: f64, per_day: f64, stream: &mut Stream) -> f64 {
        if per_day <= 0.0 {
            return f64::INFINITY;
        }
        let candidates_per_ms = per_day * self.highest / DAY_MS;
        loop {
            time_ms += stream.exponential() / candidates_per_ms;
            if stream.unit() * self.highest < self.at(time_ms) {
                return time_ms;
            }
        }
    }
}

/// One submission of a team.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arrival {
    /// Since the beginning of the trace.
    pub(super) time_ms: f64,
    /// The number of the burst that it belongs to, counted from one; zero: no burst.
    pub(super) burst: u64,
}

/// The submissions of one team in order of time, without end.
#[derive(Debug)]
pub(super) struct Arrivals {
    profile: WeekProfile,
    jobs_per_day: f64,
    regular: Stream,
    regular_next_ms: f64,
    bursts: Option<BurstState>,
}

/// Where the bursts of a team stand: the one that runs or comes next, and its next submission.
#[derive(Debug)]
struct BurstState {
    stream: Stream,
    per_day: f64,
    gap_ms: f64,
    span_ms: f64,
    number: u64,
    end_ms: f64,
    next_ms: f64,
}

impl Arrivals {
    /// Sets up the two processes of `team`, each with a stream of its own.
    pub(super) fn new(team: &TeamMix, streams: &Streams) -> Self {
        let profile = WeekProfile::new(&team.hour_weights(), &team.weekday_weights(), team.shift_hours);
        let mut regular = streams.stream(&format!("synth/{}/arrivals", team.name));
        let regular_next_ms = profile.next_after(0.0, team.jobs_per_day, &mut regular);
        let bursts = team.bursts.as_ref().map(|bursts| {
            let span_ms = bursts.span_s * 1000.0;
            let mut state = BurstState {
                stream: streams.stream(&format!("synth/{}/bursts", team.name)),
                per_day: bursts.per_week / 7.0,
                gap_ms: span_ms / bursts.jobs,
                span_ms,
                number: 0,
                end_ms: 0.0,
                next_ms: 0.0,
            };
            state.begin_next(&profile);
            state
        });
        Self { profile, jobs_per_day: team.jobs_per_day, regular, regular_next_ms, bursts }
    }

    /// Yields the next submission; at infinity where the team submits nothing more.
    pub(super) fn next(&mut self) -> Arrival {
        if let Some(bursts) = &mut self.bursts
            && bursts.next_ms <= self.regular_next_ms
        {
            let arrival = Arrival { time_ms: bursts.next_ms, burst: bursts.number };
            bursts.advance(&self.profile);
            return arrival;
        }
        let arrival = Arrival { time_ms: self.regular_next_ms, burst: 0 };
        if arrival.time_ms.is_finite() {
            self.regular_next_ms =
                self.profile.next_after(arrival.time_ms, self.jobs_per_day, &mut self.regular);
        }
        arrival
    }
}

impl BurstState {
    /// Moves to the next submission of this burst, or to the first of the next one.
    fn advance(&mut self, profile: &WeekProfile) {
        self.next_ms += self.stream.exponential() * self.gap_ms;
        if self.next_ms > self.end_ms {
            self.begin_next(profile);
        }
    }

    /// Draws the beginning of the next burst, which opens with a submission.
    fn begin_next(&mut self, profile: &WeekProfile) {
        self.number += 1;
        self.next_ms = profile.next_after(self.end_ms, self.per_day, &mut self.stream);
        self.end_ms = self.next_ms + self.span_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    #[test]
    fn the_mean_rate_survives_the_modulation() {
        let mut hours = [0.1; 24];
        hours[9..18].fill(1.0);
        let profile = WeekProfile::new(&hours, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.0], 0);
        let mut stream = Streams::new(4).stream("rate");
        let (mut time_ms, mut count, mut at_night, mut on_sunday) = (0.0, 0_u32, 0_u32, 0_u32);
        loop {
            time_ms = profile.next_after(time_ms, 100.0, &mut stream);
            if time_ms > 70.0 * DAY_MS {
                break;
            }
            count += 1;
            at_night += u32::from(time_ms % DAY_MS < 9.0 * HOUR_MS);
            on_sunday += u32::from(time_ms % WEEK_MS > 6.0 * DAY_MS);
        }
        assert!((6_750..7_250).contains(&count), "{count} events, expected about 7000");
        // Nine night hours of weight 0.1 in a day of weight 10.5: 8.6 %.
        assert!((500..700).contains(&at_night), "{at_night} at night, expected about 600");
        assert_eq!(on_sunday, 0);
    }

    #[test]
    fn the_mean_of_a_part_of_the_week() {
        let profile = WeekProfile::new(&[1.0; 24], &[2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], 0);
        for (days, mean) in
            [(7.0, 1.0), (14.0, 1.0), (1.0, 2.0), (0.5, 2.0), (1.5, 2.5 / 1.5), (8.0, 9.0 / 8.0)]
        {
            assert!((profile.mean(days) - mean).abs() < 1e-12, "{days}: {}", profile.mean(days));
        }
    }

    #[test]
    fn a_shift_moves_the_week() {
        let mut hours = [0.0; 24];
        hours[0] = 1.0;
        let profile = WeekProfile::new(&hours, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], -3);
        let busy: Vec<usize> = (0..HOURS_PER_WEEK).filter(|&hour| profile.by_hour[hour] > 0.0).collect();
        assert_eq!(busy, [165]);
    }
}
