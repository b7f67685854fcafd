//! The generator: merges the submissions of all teams and draws each job, one row at a time, in constant memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::arrivals::{Arrival, Arrivals};
use super::spec::{JobKind, Size, SynthSpec, TeamMix, TimeLimit};
use crate::rng::{Stream, Streams};

/// How a generated job ended, had it really run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// To its own end.
    Completed,
    /// By an error of its own.
    Failed,
    /// By its user.
    Cancelled,
}

impl Outcome {
    /// The word of the native column `status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One generated job.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthRow<'s> {
    /// Counted from one, in the order of submission.
    pub job: u64,
    /// Submission, ms, `start_s` included.
    pub submit_ms: u64,
    /// True run time, ms.
    pub run_ms: u64,
    /// The team.
    pub team: &'s TeamMix,
    /// The user of the team, counted from one.
    pub user: u32,
    /// The kind.
    pub kind: &'s JobKind,
    /// What is asked for.
    pub size: &'s Size,
    /// The data set, where the kind reads one.
    pub dataset: Option<&'s str>,
    /// What the user expects, s.
    pub estimate_s: Option<u64>,
    /// When the job would be stopped, s; never below the run time.
    pub time_limit_s: Option<u64>,
    /// How it ends.
    pub outcome: Outcome,
}

/// Draws the jobs of a specification, in order of submission.
///
/// # Examples
///
/// ```
/// use fairshare_sim::trace::synthetic::{Generator, SynthSpec};
///
/// let spec = SynthSpec::preset("demo").unwrap();
/// let jobs: Vec<_> = Generator::new(&spec, 1).take(100).collect();
/// assert!(jobs.is_sorted_by_key(|job| job.submit_ms));
/// ```
#[derive(Debug)]
pub struct Generator<'s> {
    spec: &'s SynthSpec,
    teams: Vec<TeamState<'s>>,
    /// The next submission of every team that has one: time in units of the resolution, then the team.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    jobs: u64,
}

/// A team's tables and streams.
#[derive(Debug)]
struct TeamState<'s> {
    team: &'s TeamMix,
    arrivals: Arrivals,
    pending: Arrival,
    stream: Stream,
    users: Cumulative,
    kinds: Cumulative,
    sizes: Vec<Cumulative>,
    datasets: Vec<Cumulative>,
    burst: Option<BurstChoice>,
}

/// What the jobs of one burst have in common.
#[derive(Debug, Clone, Copy)]
struct BurstChoice {
    number: u64,
    user: u32,
    size: usize,
}

impl<'s> Generator<'s> {
    /// Prepares the tables; `spec` must have passed [`SynthSpec::validate`], as every constructor sees to.
    #[must_use]
    pub fn new(spec: &'s SynthSpec, seed: u64) -> Self {
        let streams = Streams::new(seed);
        let mut generator = Self { spec, teams: Vec::new(), next: BinaryHeap::new(), jobs: 0 };
        for team in &spec.teams {
            let state = TeamState::new(team, &streams);
            generator.teams.push(state);
            generator.enqueue(generator.teams.len() - 1);
        }
        generator
    }

    /// Notes the pending submission of a team, if it lies within the trace.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "times are finite, positive and below 2^53 here"
    )]
    fn enqueue(&mut self, index: usize) {
        let time_ms = self.teams[index].pending.time_ms;
        let end_ms = self.spec.days.map_or(MAX_TIME_MS, |days| days * 86_400_000.0);
        if time_ms < end_ms.min(MAX_TIME_MS) {
            let tick = (time_ms / self.spec.resolution_ms as f64) as u64;
            self.next.push(Reverse((tick, index)));
        }
    }
}

/// Submissions end here at the latest, whatever was asked: a thousand years.
const MAX_TIME_MS: f64 = 1000.0 * 366.0 * 86_400_000.0;

impl<'s> Iterator for Generator<'s> {
    type Item = SynthRow<'s>;

    fn next(&mut self) -> Option<SynthRow<'s>> {
        if self.spec.jobs.is_some_and(|jobs| self.jobs >= jobs) {
            return None;
        }
        let Reverse((tick, index)) = self.next.pop()?;
        self.jobs += 1;
        let state = &mut self.teams[index];
        let arrival = state.pending;
        state.pending = state.arrivals.next();
        let mut row = state.draw(arrival, self.spec.resolution_ms);
        row.job = self.jobs;
        row.submit_ms = self.spec.start_s * 1000 + tick * self.spec.resolution_ms;
        self.enqueue(index);
        Some(row)
    }
}

impl<'s> TeamState<'s> {
    fn new(team: &'s TeamMix, streams: &Streams) -> Self {
        let mut arrivals = Arrivals::new(team, streams);
        Self {
            team,
            pending: arrivals.next(),
            arrivals,
            stream: streams.stream(&format!("synth/{}/jobs", team.name)),
            users: Cumulative::new((1..=u64::from(team.users)).map(|rank| 1_000_000 / rank)),
            kinds: Cumulative::new(team.kinds.iter().map(|kind| u64::from(kind.weight))),
            sizes: team
                .kinds
                .iter()
                .map(|kind| Cumulative::new(kind.sizes.iter().map(|size| u64::from(size.weight))))
                .collect(),
            datasets: team
                .kinds
                .iter()
                .map(|kind| Cumulative::new(kind.datasets.iter().map(|choice| u64::from(choice.weight))))
                .collect(),
            burst: None,
        }
    }

    /// Draws everything about a job but its number and time.
    fn draw(&mut self, arrival: Arrival, resolution_ms: u64) -> SynthRow<'s> {
        let (user, kind, size) = self.draw_identity(arrival.burst);
        let kind_spec = &self.team.kinds[kind];
        let full_s = kind_spec.run.draw(&mut self.stream);
        let (outcome, part) = draw_outcome(kind_spec, &mut self.stream);
        let run_ms = to_ms(full_s * part, resolution_ms);
        let estimate_s = kind_spec.estimate_error.map(|error| {
            let factor = libm::exp(error * self.stream.standard_normal());
            to_ms(full_s * factor, 60_000).max(60_000) / 1000
        });
        let time_limit_s =
            kind_spec.time_limit.as_ref().map(|limit| draw_limit(limit, full_s, &mut self.stream));
        let dataset = (!kind_spec.datasets.is_empty())
            .then(|| kind_spec.datasets[self.datasets[kind].draw(&mut self.stream)].name.as_str());
        SynthRow {
            job: 0,
            submit_ms: 0,
            run_ms,
            team: self.team,
            user,
            kind: kind_spec,
            size: &kind_spec.sizes[size],
            dataset,
            estimate_s,
            time_limit_s,
            outcome,
        }
    }

    /// Draws user, kind and size; the jobs of one burst share all three.
    fn draw_identity(&mut self, burst: u64) -> (u32, usize, usize) {
        let burst_kind = match &self.team.bursts {
            Some(bursts) if burst > 0 => self.team.kinds.iter().position(|kind| kind.name == bursts.kind),
            _ => None,
        };
        let Some(kind) = burst_kind else {
            let user = self.draw_user();
            let kind = self.kinds.draw(&mut self.stream);
            return (user, kind, self.sizes[kind].draw(&mut self.stream));
        };
        let choice = match self.burst {
            Some(choice) if choice.number == burst => choice,
            _ => {
                let user = self.draw_user();
                BurstChoice { number: burst, user, size: self.sizes[kind].draw(&mut self.stream) }
            }
        };
        self.burst = Some(choice);
        (choice.user, kind, choice.size)
    }

    fn draw_user(&mut self) -> u32 {
        u32::try_from(self.users.draw(&mut self.stream) + 1).unwrap_or(u32::MAX)
    }
}

/// Draws how a job ends and which part of its full run it reaches by then.
fn draw_outcome(kind: &JobKind, stream: &mut Stream) -> (Outcome, f64) {
    let fate = stream.unit();
    let point = if kind.cut_short { stream.unit() } else { 1.0 };
    if fate < kind.failed {
        // Errors show early: half of the failures come in the first eighth of the run.
        (Outcome::Failed, point * point * point)
    } else if fate < kind.failed + kind.cancelled {
        (Outcome::Cancelled, point)
    } else {
        (Outcome::Completed, 1.0)
    }
}

/// Draws the limit of a job that would run for `full_s`: the next one of the menu above what its user thinks is safe.
fn draw_limit(limit: &TimeLimit, full_s: f64, stream: &mut Stream) -> u64 {
    let multiple = limit.margin * libm::exp(limit.spread * stream.standard_normal());
    let wanted_s = to_ms(full_s * multiple.max(1.0), 1).div_ceil(1000);
    let index = limit.menu_s.partition_point(|&entry_s| entry_s < wanted_s);
    limit.menu_s[index.min(limit.menu_s.len() - 1)]
}

/// Seconds as milliseconds, cut to a multiple of `step_ms`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths are positive; beyond u64 the conversion stops at its end"
)]
fn to_ms(seconds: f64, step_ms: u64) -> u64 {
    let whole = (seconds * 1000.0) as u64;
    whole - whole % step_ms
}

/// A table for drawing an index by whole weights.
#[derive(Debug)]
struct Cumulative {
    sums: Vec<u64>,
}

impl Cumulative {
    fn new(weights: impl Iterator<Item = u64>) -> Self {
        let sums = weights
            .scan(0, |sum: &mut u64, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Self { sums }
    }

    /// Draws an index with the probability of its weight; zero where nothing has a weight.
    fn draw(&self, stream: &mut Stream) -> usize {
        let point = stream.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|&sum| sum <= point).min(self.sums.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::DayShape;
    use super::*;

    fn spec(text: &str) -> SynthSpec {
        SynthSpec::from_toml(text).unwrap()
    }

    const ONE_TEAM: &str = r#"
        days = 30
        resolution_ms = 1
        [[team]]
        name = "a"
        users = 4
        jobs_per_day = 200
        [[team.kind]]
        name = "k"
        sizes = [{ gpu = 1, weight = 3 }, { workers = 2, gpu = 8 }]
        run = { family = "lognormal", median_s = 600, shape = 1.5, max_s = 7200 }
        failed = 0.2
        cancelled = 0.1
        estimate_error = 0.5
        time_limit = { margin = 1.5, spread = 0.5, menu_s = [600, 3600, 7200] }
    "#;

    #[test]
    fn rows_are_ordered_and_obey_the_specification() {
        let spec = spec(ONE_TEAM);
        let rows: Vec<_> = Generator::new(&spec, 1).collect();
        assert!((5_700..6_300).contains(&rows.len()), "{} jobs, expected about 6000", rows.len());
        assert!(rows.is_sorted_by_key(|row| row.submit_ms));
        assert!(rows.iter().zip(1..).all(|(row, number)| row.job == number));
        assert!(rows.iter().all(|row| row.run_ms <= 7_200_000));
        assert!(rows.iter().all(|row| row.run_ms <= row.time_limit_s.unwrap() * 1000));
        let part = |test: &dyn Fn(&SynthRow<'_>) -> bool| {
            rows.iter().filter(|row| test(row)).count() * 100 / rows.len()
        };
        assert!((18..=22).contains(&part(&|row| row.outcome == Outcome::Failed)));
        assert!((23..=27).contains(&part(&|row| row.size.workers == 2)));
        // Harmonic weights of four users: the first has 12 parts of 25.
        assert!((46..=50).contains(&part(&|row| row.user == 1)));
    }

    #[test]
    fn a_further_team_leaves_the_jobs_of_the_others_alone() {
        let alone = spec(ONE_TEAM);
        let mut both = alone.clone();
        both.teams
            .insert(0, TeamMix { name: "b".to_owned(), day: DayShape::Night, ..alone.teams[0].clone() });
        let of_a = |spec: &SynthSpec| -> Vec<(u64, u64, u32)> {
            Generator::new(spec, 9)
                .filter(|row| row.team.name == "a")
                .map(|row| (row.submit_ms, row.run_ms, row.user))
                .collect()
        };
        assert_eq!(of_a(&alone), of_a(&both));
    }

    #[test]
    fn a_burst_is_of_one_user_and_size() {
        let mut spec = spec(ONE_TEAM);
        spec.teams[0].jobs_per_day = 0.0;
        spec.teams[0].bursts = Some(super::super::spec::Bursts {
            per_week: 7.0,
            jobs: 50.0,
            span_s: 600.0,
            kind: "k".to_owned(),
        });
        let rows: Vec<_> = Generator::new(&spec, 1).collect();
        assert!((900..2_300).contains(&rows.len()), "{} jobs in about 30 bursts of 50", rows.len());
        let together = rows.windows(2).filter(|pair| pair[1].submit_ms - pair[0].submit_ms < 100_000);
        let alike =
            together.clone().filter(|pair| pair[0].user == pair[1].user && pair[0].size == pair[1].size);
        assert!(alike.count() * 100 >= together.count() * 98);
    }

    #[test]
    fn the_number_of_jobs_can_be_the_end() {
        let spec = spec(ONE_TEAM).with_jobs(17);
        assert_eq!(Generator::new(&spec, 1).count(), 17);
    }
}
