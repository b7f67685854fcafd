//! Tally: the measures of a run whose jobs are not kept, summed up as they end.
//!
//! The same formulas and populations as in `metrics`; sums, counts, means and maxima are exact, quantiles come from
//! sketches. What needs all jobs at once is absent: shares over time, groups, the queue's depth over time, whether it begins
//! with a warm-up or its record breaks off. Absent on purpose: the loop (see `streamed`).

use crate::metrics::caution;
use crate::metrics::cost::Costs;
use crate::metrics::counts::Counts;
use crate::metrics::distribution::Distribution;
use crate::metrics::division::Figures;
use crate::metrics::latency::Firsts;
use crate::metrics::money::Money;
use crate::metrics::queue::{Areas, Deepest};
use crate::metrics::utilization::{Usage, offered_load};
use crate::metrics::{Demands, egress, eviction, ratio, reclaimed, routing, slowdown};
use crate::record::{Fate, Record};
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::summary::{self, CostUsd, RunInfo, Summary};
use crate::trace::Trace;
use crate::trace::sketch::Sketch;

/// What the summary says of its quantiles.
const QUANTILES: &str = "sketch, off by at most 0.4 %";

/// Lengths in ms.
#[derive(Clone, Debug, Default)]
struct Lengths(Sketch);

impl Lengths {
    fn distribution(&self) -> Distribution {
        let seconds = |ms: u64| Some(summary::seconds(ms));
        self.figures(ratio(self.0.sum(), 1_000 * u128::from(self.0.count())), seconds)
    }

    fn figures(&self, mean: Option<f64>, shown: impl Fn(u64) -> Option<f64>) -> Distribution {
        let sketch = &self.0;
        if sketch.count() == 0 {
            return Distribution::default();
        }
        let at = |percent: u64| shown(sketch.percentile(percent));
        let max = shown(sketch.max());
        Distribution { mean, p50: at(50), p90: at(90), p95: at(95), p99: at(99), max, count: sketch.count() }
    }
}

/// All that is measured of the jobs that are over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    first_submit_ms: Option<i64>,
    last_submit_ms: Option<i64>,
    last_end_ms: Option<i64>,
    wait: Lengths,
    response: Lengths,
    first_decision: Lengths,
    /// Thousandths.
    slowdown: Lengths,
    slowdown_sum: f64,
    slowdown_max: f64,
    /// The waits of each team.
    waits: Vec<Lengths>,
    usage: Option<Usage>,
    costs: Costs,
    reclaimed: reclaimed::Sums,
    egress: egress::Sums,
    evictions: eviction::Sums,
    routed: routing::Sums,
    waiting: Areas,
}

impl Tally {
    /// Adds jobs with which nothing more happens.
    pub(crate) fn add(&mut self, setup: &Setup, trace: &Trace, record: &Record) {
        let demands = Demands::new(setup, trace);
        let usage = Usage::new(setup, trace, record, &demands, None);
        match &mut self.usage {
            Some(all) => all.add(&usage),
            None => self.usage = Some(usage),
        }
        let costs = Costs::new(setup, trace, record, &demands, None);
        if self.costs.teams.money.is_empty() {
            self.costs = costs;
        } else {
            self.costs.add(&costs);
        }
        self.reclaimed.add(setup, trace, record, &demands);
        self.egress.add(setup, trace, record);
        self.evictions.add(record);
        self.routed.add(setup, trace, record);
        self.waiting.add(trace, record, &demands);
        let firsts = Firsts::new(record);
        let decided = (0..trace.jobs.len()).filter_map(|row| firsts.of(trace, record, row).millis());
        decided.for_each(|ms| self.first_decision.0.add(ms));
        self.last_end_ms = self.last_end_ms.max(record.last_end_ms());
        self.counts.add(setup, trace, record);
        self.waits.resize_with(setup.config.teams.len(), Lengths::default);
        for (row, (job, outcome)) in (0_u32..).zip(trace.jobs.iter().zip(&record.outcomes)) {
            if outcome.fate != Fate::Unseen {
                self.first_submit_ms = Some(self.first_submit_ms.unwrap_or(job.submit_ms).min(job.submit_ms));
                self.last_submit_ms = self.last_submit_ms.max(Some(job.submit_ms));
            }
            if outcome.fate == Fate::Ended {
                let wait_ms = record.wait_ms(trace, row as usize);
                self.waits[setup.team_of[job.team as usize].index()].0.add(wait_ms);
                self.wait.0.add(wait_ms);
            }
            if outcome.fate == Fate::Ended && record.ran_through(row) {
                let response = outcome.end_ms.abs_diff(job.submit_ms);
                self.response.0.add(response);
                let slowdown = slowdown::bounded(response, job.run_ms);
                self.slowdown_sum += slowdown;
                self.slowdown_max = self.slowdown_max.max(slowdown);
                self.slowdown.0.add(thousandths(slowdown));
            }
        }
    }

    /// The last end of an attempt of those jobs, ms.
    pub(crate) fn last_end_ms(&self) -> Option<i64> {
        self.last_end_ms
    }

    /// The summary of the run; `trace` has what all jobs have in common, and `record` what became of none.
    pub(crate) fn summary(
        &self,
        scenario: &Scenario,
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        deepest: &Deepest,
        info: &RunInfo,
    ) -> Summary {
        let between = |from: Option<i64>, to: Option<i64>| {
            from.zip(to).map_or(0, |(from, to)| if to > from { to.abs_diff(from) } else { 0 })
        };
        let span_ms = between(self.first_submit_ms, self.last_submit_ms);
        let makespan_ms = between(self.first_submit_ms, self.last_end_ms);
        let window = self.first_submit_ms.zip(self.last_end_ms);
        let demands = Demands::new(setup, trace);
        let mut usage = Usage::new(setup, trace, record, &demands, window);
        usage.add(self.usage.as_ref().unwrap_or(&usage.clone()));
        let mut costs = Costs::new(setup, trace, record, &demands, window);
        costs.add(&self.costs);
        let priced = setup.is_priced();
        let money = priced.then(|| Money::new(&costs, setup, trace));
        let waits = self.wait.distribution();
        let of_team = |waits: &Lengths| Figures { wait: waits.distribution(), ..Figures::default() };
        let figures: Vec<Figures> = self.waits.iter().map(of_team).collect();
        let mut teams = summary::teams(setup, &self.counts.teams, &figures, &costs, money.as_ref());
        for shown in &mut teams {
            (shown.response_s, shown.bounded_slowdown) = (None, None);
        }
        let submissions = self.first_submit_ms.zip(self.last_submit_ms);
        let load = offered_load(setup, &trace.shapes, &self.counts.run_of_shape, submissions);
        let named = || setup.config.pools.iter().map(|pool| pool.name.as_str()).zip(load.iter().copied());
        let mut warnings = summary::warnings(setup, trace, record, &waits);
        let egress = self.egress.egress(setup, trace);
        warnings.extend(egress.as_ref().and_then(egress::Egress::caution));
        warnings.extend(caution::of_counts(named(), &self.counts.jobs, waits.max));
        let lengths = [span_ms, makespan_ms].map(summary::seconds);
        warnings.extend(caution::of_emptying(self.counts.jobs.submitted, lengths[0], lengths[1]));
        warnings.extend(caution::of_stopped(self.wait.0.count() - self.response.0.count()));
        warnings.push(caution::OF_SKETCH.to_owned());
        Summary {
            quantiles: Some(QUANTILES),
            jobs: self.counts.jobs,
            span_s: summary::seconds(span_ms),
            makespan_s: summary::seconds(makespan_ms),
            offered_load: named().map(|(name, load)| (name.to_owned(), load)).collect(),
            wait_s: waits,
            response_s: self.response.distribution(),
            bounded_slowdown: self.slowdown(),
            utilization: summary::by_kind(setup, |kind| usage.overall(kind)),
            first_decision_s: Some(self.first_decision.distribution()),
            routing: self.routed.routed(),
            groups: None,
            evictions: self.evictions.evictions(&usage),
            reaper: self.reclaimed.reclaimed(setup),
            goodput: summary::by_kind(setup, |kind| usage.good(kind)),
            cost_usd: money.as_ref().map(CostUsd::new),
            cost_by_owner: money.as_ref().map(|money| summary::owners(trace, &costs, &money.by_owner)),
            cost_by_user: money.as_ref().and_then(|money| summary::users(trace, &costs, &money.by_user)),
            cost_by_class: money.as_ref().and_then(|money| summary::classes(setup, &costs, &money.by_class)),
            queue: (makespan_ms > 0).then(|| self.waiting.queue(trace, deepest, makespan_ms)),
            egress,
            fairness: None,
            pools: summary::pools(setup, &usage, money.as_ref()),
            teams,
            warnings,
            ..Summary::new(scenario, setup, trace, record, info)
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of jobs is far below 2^53")]
    fn slowdown(&self) -> Distribution {
        let mean = self.slowdown_sum / self.slowdown.0.count().max(1) as f64;
        let shown = self.slowdown.figures(Some(mean), |thousandths| Some(thousandths as f64 / 1_000.0));
        Distribution { max: shown.max.map(|_| self.slowdown_max), ..shown }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn thousandths(value: f64) -> u64 {
    (value * 1_000.0).round().clamp(0.0, 1e18) as u64
}
