//! Fitting: a recorded trace as a description from which similar ones can be drawn.
//!
//! Kept: how many jobs there are in all. Kept of each team: jobs a day, the course of day and week, how many people
//! submit, what they ask for (accelerators, pools, priority, data sets; the 24 most frequent sizes of each) and how
//! long that runs (by quantiles), campaigns of equal jobs, how many fail and are cancelled, how far estimates are
//! off, habits with time limits, and who pays where that is one for the team. Lost: who follows whom, trends over
//! weeks, names of people and jobs, resources other than GPU, CPU and memory, deadlines, checkpoints, utilization,
//! and what may be evicted. Run times are those recorded, so that jobs which failed are not cut short once more.

use std::collections::{BTreeMap, BTreeSet};

use super::arrivals::WeekProfile;
use super::length::{Family, Length};
use super::spec::{Bursts, Choice, DayShape, JobKind, Size, SynthError, SynthSpec, TeamMix, TimeLimit};
use crate::trace::clock::{DAY_MS, is_of_calendar, weekday};
use crate::trace::write::accelerators;
use crate::trace::{CPU, GPU, MEMORY, Status, Trace, TraceJob, TraceShape};

/// Equal jobs of one user belong together while no gap is longer than this.
const BURST_GAP_MS: i64 = 300_000;

/// So many together are a campaign.
const BURST_JOBS_MIN: usize = 20;

/// Fewer jobs say nothing about the hours of a team.
const HOURS_JOBS_MIN: usize = 100;

/// Steps between the quantiles that are kept of a kind's run times.
const QUANTILE_STEPS: usize = 40;

/// So many of a kind's sizes are kept, the most frequent first.
const SIZES_MAX: usize = 24;

/// So many of a kind's time limits are kept, the most frequent first.
const MENU_MAX: usize = 12;

const BURST_KIND: &str = "campaign";

impl SynthSpec {
    /// Describes `trace`, so that [`Generator`](super::Generator) draws similar ones.
    ///
    /// # Errors
    ///
    /// [`SynthError::Invalid`] if the trace holds no job that asks for anything.
    pub fn like(trace: &Trace) -> Result<Self, SynthError> {
        let calendar = Calendar::of(trace)
            .ok_or_else(|| SynthError::invalid("trace", "jobs", "at least one job to describe"))?;
        let mut by_team: BTreeMap<u32, Vec<&TraceJob>> = BTreeMap::new();
        for job in &trace.jobs {
            if size_of(&trace.shapes[job.shape as usize]).is_some() {
                by_team.entry(job.team).or_default().push(job);
            }
        }
        let mut taken = BTreeSet::new();
        let teams = by_team
            .iter()
            .map(|(team, jobs)| {
                let name = fresh_name(trace.teams.text(*team), &mut taken);
                fit_team(name, jobs, trace, &calendar)
            })
            .collect();
        // The trace ends by its number of jobs: where it ended by time, campaigns would make it a matter of luck.
        let spec = Self {
            days: None,
            jobs: Some(by_team.values().map(|jobs| jobs.len() as u64).sum()),
            start_s: calendar.start_s(),
            resolution_ms: if trace.jobs.iter().all(|job| job.submit_ms % 1000 == 0) { 1000 } else { 1 },
            teams,
        };
        spec.validate()?;
        Ok(spec)
    }
}

/// When the trace took place, and which of its days are Mondays.
struct Calendar {
    /// Unix time of the zero of the trace's clock, ms, on the clock of the machine; zero where nobody knows it.
    zero: i64,
    /// A file tells that zero.
    told: bool,
    /// First and last submission from there on.
    first_ms: i64,
    last_ms: i64,
}

impl Calendar {
    fn of(trace: &Trace) -> Option<Self> {
        let epoch_ms = trace.epoch_ms();
        let told = epoch_ms.is_some() && trace.sources.iter().any(|source| source.epoch_ms.is_some());
        let zero = epoch_ms.unwrap_or(0);
        let on_clock = |job: &TraceJob| job.submit_ms.saturating_add(zero);
        let (first_ms, last_ms) = (on_clock(trace.jobs.first()?), on_clock(trace.jobs.last()?));
        Some(Self { zero, told, first_ms, last_ms })
    }

    /// Submission of a job, ms, on the clock by which hours and weekdays are told.
    fn submitted(&self, job: &TraceJob) -> i64 {
        job.submit_ms.saturating_add(self.zero)
    }

    /// The weekday of a day, Monday = 0; on a relative clock the day at zero is a Monday.
    fn weekday(&self, day: i64) -> usize {
        weekday(day, is_of_calendar(self.told, day.saturating_mul(DAY_MS)))
    }

    /// First to last submission in days; an hour at least, so that a rate exists.
    #[expect(clippy::cast_precision_loss, reason = "a span of milliseconds is far below 2^53")]
    fn days(&self) -> f64 {
        let span_ms = (self.last_ms - self.first_ms).max(3_600_000);
        (span_ms as f64 / DAY_MS as f64).min(36_600.0)
    }

    /// The Monday on or before the first submission, where times themselves say of which calendar they are: what is drawn has
    /// no head to say it. Else zero, where such a clock has a Monday.
    fn start_s(&self) -> u64 {
        if !is_of_calendar(false, self.first_ms) {
            return 0;
        }
        let day = self.first_ms.div_euclid(DAY_MS);
        let monday = day - i64::try_from(self.weekday(day)).unwrap_or(0);
        u64::try_from(monday * DAY_MS / 1000).unwrap_or(0)
    }
}

fn fit_team(name: String, jobs: &[&TraceJob], trace: &Trace, calendar: &Calendar) -> TeamMix {
    let (bursts, single) = split_bursts(jobs);
    let mut names = BTreeSet::from([BURST_KIND.to_owned()]);
    let mut kinds: Vec<JobKind> = by_kind(&single, trace)
        .into_iter()
        .map(|(kind, jobs)| fit_kind(fresh_name(&kind, &mut names), count(jobs.len()), &jobs, trace))
        .collect();
    let users: BTreeSet<u32> = jobs.iter().map(|job| job.user).collect();
    let owners: BTreeSet<Option<u32>> = jobs.iter().map(|job| job.has_owner.then_some(job.owner)).collect();
    let owner = if owners.len() == 1 { owners.first().copied().flatten() } else { None };
    let burst_jobs: Vec<&TraceJob> = bursts.iter().flatten().copied().collect();
    if !burst_jobs.is_empty() {
        kinds.push(fit_kind(BURST_KIND.to_owned(), 0, &burst_jobs, trace));
    }
    let mut team = TeamMix {
        name,
        cost_owner: owner.and_then(|owner| as_it_stands(trace.owners.text(owner))),
        users: count(users.len()).clamp(1, 100_000),
        jobs_per_day: 0.0,
        day: DayShape::Flat,
        hours: fit_hours(&single, calendar),
        weekdays: fit_weekdays(&single, calendar),
        shift_hours: 0,
        bursts: None,
        kinds,
    };
    // What is drawn begins on a Monday, and may see other days than the trace did.
    let days = calendar.days();
    let busy = WeekProfile::new(&team.hour_weights(), &team.weekday_weights(), 0).mean(days);
    team.jobs_per_day = (ratio(single.len(), days * busy)).min(1e9);
    team.bursts = fit_bursts(&bursts, days, busy);
    team
}

/// Parts a team's jobs into campaigns and all others. A campaign is many equal jobs of one user in short sequence.
fn split_bursts<'t>(jobs: &[&'t TraceJob]) -> (Vec<Vec<&'t TraceJob>>, Vec<&'t TraceJob>) {
    let mut open: BTreeMap<(u32, u32), Vec<&TraceJob>> = BTreeMap::new();
    let (mut bursts, mut single) = (Vec::new(), Vec::new());
    let mut close = |group: Vec<&'t TraceJob>| {
        if group.len() >= BURST_JOBS_MIN {
            bursts.push(group);
        } else {
            single.extend(group);
        }
    };
    for &job in jobs {
        let group = open.entry((job.user, job.shape)).or_default();
        if group.last().is_some_and(|last| job.submit_ms - last.submit_ms > BURST_GAP_MS) {
            close(std::mem::take(group));
        }
        group.push(job);
    }
    open.into_values().for_each(close);
    (bursts, single)
}

/// Campaigns of a team. The generator waits from the end of one to the beginning of the next, and opens each with a job
/// before it counts time: so the pauses are what the span leaves, and a campaign has a job less than it seems. Where several
/// ran at once, they are made shorter, for only one runs at a time.
fn fit_bursts(bursts: &[Vec<&TraceJob>], days: f64, busy: f64) -> Option<Bursts> {
    let jobs: usize = bursts.iter().map(Vec::len).sum();
    let span_ms: i64 = bursts.iter().map(|burst| burst[burst.len() - 1].submit_ms - burst[0].submit_ms).sum();
    let spans_s = usize::try_from(span_ms / 1000).unwrap_or(usize::MAX);
    let share_s = days * 86_400.0 / as_float(bursts.len().max(1));
    let span_s = ratio(spans_s, as_float(bursts.len())).clamp(1.0, 604_800.0).min((share_s / 2.0).max(1.0));
    let pause_s = (share_s - span_s).max(1.0);
    (!bursts.is_empty()).then(|| Bursts {
        per_week: (604_800.0 / pause_s / busy).clamp(1e-6, 10_000.0),
        jobs: (ratio(jobs, as_float(bursts.len())) - 1.0).clamp(1.0, 1e7),
        span_s,
        kind: BURST_KIND.to_owned(),
    })
}

/// Submissions by hour of the day, one added to each so that no hour is impossible; nothing where too few say anything.
fn fit_hours(jobs: &[&TraceJob], calendar: &Calendar) -> Vec<f64> {
    if jobs.len() < HOURS_JOBS_MIN || calendar.days() < 2.0 {
        return Vec::new();
    }
    let mut hours = vec![1.0; 24];
    for job in jobs {
        let hour = calendar.submitted(job).rem_euclid(DAY_MS) / 3_600_000;
        hours[usize::try_from(hour).unwrap_or(0)] += 1.0;
    }
    hours
}

/// Submissions by weekday over how often the trace saw that weekday.
fn fit_weekdays(jobs: &[&TraceJob], calendar: &Calendar) -> Vec<f64> {
    if jobs.len() < HOURS_JOBS_MIN || calendar.days() < 7.0 {
        return Vec::new();
    }
    let mut seen = [0.0_f64; 7];
    for day in calendar.first_ms.div_euclid(DAY_MS)..=calendar.last_ms.div_euclid(DAY_MS) {
        seen[calendar.weekday(day)] += 1.0;
    }
    let mut weekdays = [1.0; 7];
    for job in jobs {
        weekdays[calendar.weekday(calendar.submitted(job).div_euclid(DAY_MS))] += 1.0;
    }
    weekdays.iter().zip(seen).map(|(jobs, days)| jobs / days.max(1.0)).collect()
}

/// Groups jobs by what they may use and by order of size, because both go along with how long a job runs.
fn by_kind<'t>(jobs: &[&'t TraceJob], trace: &Trace) -> BTreeMap<String, Vec<&'t TraceJob>> {
    let mut kinds: BTreeMap<String, Vec<&TraceJob>> = BTreeMap::new();
    for job in jobs {
        let shape = &trace.shapes[job.shape as usize];
        let first = &shape.alternatives[0];
        let mut kind = match first.total(GPU) {
            0 => "cpu",
            1..=1_000 => "gpu-1",
            1_001..=7_999 => "gpu-2-to-7",
            8_000 => "gpu-8",
            _ => "gpu-many",
        }
        .to_owned();
        let (accelerators, pools) = (accelerators(&shape.alternatives), first.pools.join("|"));
        let datasets = if shape.datasets.is_empty() { "" } else { "data" };
        for part in [&accelerators, &pools, trace.priorities.text(shape.priority), datasets] {
            if !part.is_empty() {
                kind.push('-');
                kind.push_str(part);
            }
        }
        kinds.entry(kind).or_default().push(job);
    }
    kinds
}

fn fit_kind(name: String, weight: u32, jobs: &[&TraceJob], trace: &Trace) -> JobKind {
    let mut by_shape: BTreeMap<u32, usize> = BTreeMap::new();
    for job in jobs {
        *by_shape.entry(job.shape).or_default() += 1;
    }
    let mut shapes: Vec<(usize, u32)> = by_shape.into_iter().map(|(shape, jobs)| (jobs, shape)).collect();
    shapes.sort_by_key(|&(jobs, shape)| (std::cmp::Reverse(jobs), shape));
    shapes.truncate(SIZES_MAX);
    let sized = |&(jobs, shape): &(usize, u32)| {
        Some(Size { weight: count(jobs), ..size_of(&trace.shapes[shape as usize])? })
    };
    // All jobs of a kind may use the same, but for campaigns, where the most frequent decides.
    let shape = &trace.shapes[shapes[0].1 as usize];
    let run = fit_run(jobs);
    let ended = |status: Status| jobs.iter().filter(|job| job.status == status).count();
    let (failed, cancelled) = (ended(Status::Failed), ended(Status::Cancelled));
    JobKind {
        name,
        weight,
        accelerators: as_it_stands(&accelerators(&shape.alternatives))
            .or_else(|| shape.alternatives[0].accelerator.as_deref().map(plain_name)),
        pools: as_it_stands(&shape.alternatives[0].pools.join("|")),
        priority: as_it_stands(trace.priorities.text(shape.priority)),
        datasets: fit_datasets(jobs, trace),
        sizes: shapes.iter().filter_map(sized).collect(),
        failed: ratio(failed, as_float(jobs.len())),
        cancelled: ratio(cancelled, as_float(jobs.len())),
        cut_short: failed + cancelled == 0,
        estimate_error: fit_estimate(jobs, trace),
        time_limit: fit_limit(jobs, trace, run.max_s),
        run,
    }
}

/// The data sets that jobs read, each set of them as one choice, the most frequent first.
fn fit_datasets(jobs: &[&TraceJob], trace: &Trace) -> Vec<Choice> {
    let mut sets: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs {
        if let Some(set) = as_it_stands(&trace.shapes[job.shape as usize].datasets.join("|")) {
            *sets.entry(set).or_default() += 1;
        }
    }
    let mut sets: Vec<(usize, String)> = sets.into_iter().map(|(name, jobs)| (jobs, name)).collect();
    sets.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    sets.truncate(SIZES_MAX);
    sets.into_iter().map(|(jobs, name)| Choice { name, weight: count(jobs) }).collect()
}

/// The standard deviation of the logarithm of estimate over run time, where at least half of the jobs have one.
fn fit_estimate(jobs: &[&TraceJob], trace: &Trace) -> Option<f64> {
    let estimates = jobs.iter().filter_map(|job| Some((trace.lengths(job).estimate_ms()?, job.run_ms)));
    let logs: Vec<f64> = estimates
        .filter(|(estimate, run)| *estimate > 0 && *run > 0)
        .map(|(estimate, run)| libm::log(seconds(estimate) / seconds(run)))
        .collect();
    let known = !logs.is_empty() && logs.len() * 2 >= jobs.len();
    let squares: f64 = logs.iter().map(|log| log * log).sum();
    known.then(|| libm::sqrt(squares / as_float(logs.len())).min(10.0))
}

/// A shape's request as a size of weight one; nothing where it asks for nothing or too much.
fn size_of(shape: &TraceShape) -> Option<Size> {
    let first = shape.alternatives.first()?;
    let gpu = as_float(usize::try_from(first.amount(GPU)).ok()?) / 1000.0;
    let cpu = as_float(usize::try_from(first.amount(CPU)).ok()?) / 1000.0;
    let gib = as_float(usize::try_from(first.amount(MEMORY)).ok()?) / 1_073_741_824.0;
    let memory_gib = libm::round(gib * 1000.0) / 1000.0;
    let amounts = [gpu, cpu, memory_gib];
    let sane = amounts.iter().all(|amount| *amount <= 1e6) && amounts.iter().any(|amount| *amount >= 0.001);
    sane.then_some(Size { workers: first.workers, gpu, cpu, memory_gib, weight: 1 })
}

/// The run times by quantiles.
fn fit_run(jobs: &[&TraceJob]) -> Length {
    let mut runs_ms: Vec<u64> = jobs.iter().map(|job| job.run_ms).collect();
    runs_ms.sort_unstable();
    let quantiles_s = quantiles_of(&runs_ms);
    let steps = quantiles_s.len() - 1;
    let tail = &runs_ms[(runs_ms.len() - 1) * (steps - 1) / steps..];
    let tail_s = if tail.len() > 2 { quantiles_of(tail) } else { Vec::new() };
    let max_s = quantiles_s[steps];
    Length { family: Family::Empirical, median_s: None, shape: None, min_s: 0.0, max_s, quantiles_s, tail_s }
}

/// At most [`QUANTILE_STEPS`] equal steps through sorted run times; no more than there are.
fn quantiles_of(runs_ms: &[u64]) -> Vec<f64> {
    let last = runs_ms.len() - 1;
    let steps = last.clamp(1, QUANTILE_STEPS);
    (0..=steps).map(|step| seconds(runs_ms[last * step / steps]).min(LONGEST_S)).collect()
}

/// A century: what a length may be at most.
const LONGEST_S: f64 = 100.0 * 366.0 * 86_400.0;

/// The menu of limits and how generously it is used, where at least half of the jobs have one.
fn fit_limit(jobs: &[&TraceJob], trace: &Trace, longest_run_s: f64) -> Option<TimeLimit> {
    let mut logs = Vec::new();
    let mut menu: BTreeMap<u64, usize> = BTreeMap::new();
    for job in jobs {
        let Some(limit_ms) = trace.lengths(job).limit_ms() else { continue };
        *menu.entry(limit_ms.div_ceil(1000)).or_default() += 1;
        if job.run_ms > 0 {
            logs.push(libm::log(seconds(limit_ms.max(1)) / seconds(job.run_ms)));
        }
    }
    if logs.is_empty() || menu.values().sum::<usize>() * 2 < jobs.len() {
        return None;
    }
    logs.sort_by(f64::total_cmp);
    let at = |quarter: usize| logs[(logs.len() - 1) * quarter / 4];
    let mut entries: Vec<(usize, u64)> = menu.into_iter().map(|(limit_s, jobs)| (jobs, limit_s)).collect();
    entries.sort_by_key(|&(jobs, limit_s)| (std::cmp::Reverse(jobs), limit_s));
    let mut menu_s: BTreeSet<u64> = entries.iter().take(MENU_MAX).map(|&(_, limit_s)| limit_s).collect();
    if menu_s.last().is_none_or(|&last_s| as_float(usize::try_from(last_s).unwrap_or(0)) < longest_run_s) {
        menu_s.insert(ceiling(longest_run_s));
    }
    Some(TimeLimit {
        margin: libm::exp(at(2)).clamp(1.0, 1e6),
        // Half of a normal distribution lies within 0.6745 standard deviations of its middle.
        spread: ((at(3) - at(1)) / (2.0 * 0.6745)).clamp(0.0, 10.0),
        menu_s: menu_s.into_iter().filter(|&limit_s| limit_s < 1 << 40).collect(),
    })
}

/// A name without what would need quotes in a CSV field.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_control() || matches!(letter, ',' | '"' | '\\') { '_' } else { letter })
        .take(60)
        .collect();
    let trimmed = plain.trim();
    if trimmed.is_empty() { "none".to_owned() } else { trimmed.to_owned() }
}

/// A text that others refer to, unless a description cannot hold it.
fn as_it_stands(text: &str) -> Option<String> {
    super::spec::is_plain(text).then(|| text.to_owned())
}

/// As [`plain_name`], with a number where another team's name has become the same.
fn fresh_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = plain_name(name);
    let mut fresh = plain.clone();
    let mut number = 2;
    while !taken.insert(fresh.clone()) {
        fresh = format!("{plain}-{number}");
        number += 1;
    }
    fresh
}

fn count(jobs: usize) -> u32 {
    u32::try_from(jobs).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts and amounts below 2^53, or rounded on purpose")]
fn as_float(value: usize) -> f64 {
    value as f64
}

fn ratio(value: usize, by: f64) -> f64 {
    as_float(value) / by
}

#[expect(clippy::cast_precision_loss, reason = "a century in milliseconds is far below 2^53")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a century, and positive"
)]
fn ceiling(length_s: f64) -> u64 {
    libm::ceil(length_s) as u64
}
