//! Summary: the result of a run, as the schema `sim.summary/1` promises it.
//!
//! A field that this version does not measure is absent; one without a value here (a cost without prices, a mean of
//! nothing) is null. Field order is the order of printing. Absent on purpose: formatting (see `report`).

mod money;

use std::collections::BTreeMap;

use fairshare::ResourceKind;
use serde::Serialize;

use crate::metrics::blocked::{self, Blocked};
use crate::metrics::blocked_users::{self, BlockedUser, Unmeasured, blocked_users};
use crate::metrics::caution;
use crate::metrics::cost::Costs;
pub use crate::metrics::counts::Jobs;
use crate::metrics::counts::{Counts, OfTeam};
use crate::metrics::distribution::Distribution;
use crate::metrics::division::{Counted, Division, Figures, figures};
use crate::metrics::egress::{Egress, egress};
use crate::metrics::entitlement::Entitlements;
use crate::metrics::eviction::{Evictions, evictions};
use crate::metrics::groups::{self, Groups, Labels, Parts};
use crate::metrics::latency::Firsts;
use crate::metrics::money::Money;
use crate::metrics::population::{self, Trim};
use crate::metrics::queue::{Queue, queue};
use crate::metrics::reclaimed::{self, Reclaimed};
use crate::metrics::routing::{self, Routed};
use crate::metrics::shares::Shares;
use crate::metrics::utilization::{Usage, offered_load};
use crate::metrics::{Demands, fairness, finish_time, ratio};
use crate::record::Record;
use crate::scenario::{Scenario, kueue_label, policy_label};
use crate::setup::Setup;
use crate::trace::{Trace, printable};
pub use money::{CostUsd, NamedCost, OwnerCost};
pub(crate) use money::{classes, dollars, owners, users};

/// Milli-GPU × ms in a GPU-hour.
pub(crate) const GPU_HOUR: u128 = 1_000 * 3_600_000;

/// The schema's name and version.
pub const SCHEMA: &str = "sim.summary/1";

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Name and version of this format.
    pub schema: &'static str,
    /// Digest of the decision log.
    pub digest: String,
    /// The policy, as `--policy` takes it.
    pub policy: String,
    /// The run was interrupted: everything here is partial. Absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// What was run.
    pub provenance: Provenance,
    /// Counts.
    pub jobs: Jobs,
    /// How quantiles were computed; absent where they are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<&'static str>,
    /// First to last submission, seconds.
    pub span_s: f64,
    /// First submission to last end, seconds.
    pub makespan_s: f64,
    /// Requested over available capacity while jobs came, by pool.
    pub offered_load: BTreeMap<String, Option<f64>>,
    /// Waiting until the start that counted.
    pub wait_s: Distribution,
    /// Submission to end.
    pub response_s: Distribution,
    /// See `metrics::slowdown`.
    pub bounded_slowdown: Distribution,
    /// Submission to first start or rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_decision_s: Option<Distribution>,
    /// What the rules of routing sent where; absent without rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Vec<Routed>>,
    /// Waits, responses and slowdowns by class, size and pool; absent where jobs are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// How many wait; absent where jobs are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Evictions by rule; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evictions: Option<Evictions>,
    /// What stopping idle jobs saved; absent without a reaper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaper: Option<Reclaimed>,
    /// Held over available, by resource.
    pub utilization: BTreeMap<String, f64>,
    /// The same without work that an eviction undid or that failed: see `metrics::utilization`.
    pub goodput: BTreeMap<String, f64>,
    /// What it cost; null without prices.
    pub cost_usd: Option<CostUsd>,
    /// Who pays; null without prices.
    pub cost_by_owner: Option<Vec<OwnerCost>>,
    /// The same by user; absent where the trace names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_by_user: Option<Vec<NamedCost>>,
    /// The same by priority class; absent where the trace names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_by_class: Option<Vec<NamedCost>>,
    /// Data sets read where they are not; absent where the scenario says no sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// How evenly the whole was shared; absent where no time passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// By pool, in the scenario's order.
    pub pools: Vec<PoolSummary>,
    /// By team, in the scenario's order, then by name.
    pub teams: Vec<TeamSummary>,
    /// What should be known about these numbers.
    pub warnings: Vec<String>,
}

/// What was run.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Version of the simulator.
    pub version: &'static str,
    /// The root seed.
    pub seed: u64,
    /// The command line without the program and without where results go.
    pub argv: Vec<String>,
    /// The `SIM_*` variables that set something, but the seed's. Absent where there were none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// SHA-256 of the scenario and its overrides.
    pub scenario_digest: String,
    /// The trace files.
    pub traces: Vec<TraceProvenance>,
}

/// One trace file.
#[derive(Clone, Debug, Serialize)]
pub struct TraceProvenance {
    /// As given.
    pub path: String,
    /// How it was read.
    pub format: &'static str,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Records read.
    pub rows: u64,
    /// Jobs kept.
    pub jobs: u64,
    /// What was repaired, how often.
    pub repairs: BTreeMap<&'static str, u64>,
}

/// How evenly the whole was shared; see `metrics::fairness`, `entitlement` and `finish_time`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Fairness {
    /// Jain's index of share over weight; null where nobody held anything.
    pub jain: Option<f64>,
    /// How far from their entitlements teams were; absent where not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_deviation: Option<f64>,
    /// The largest ratio of a job's response to what it would be alone on its team's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time_ratio_max: Option<f64>,
    /// 99 % of these ratios are at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time_ratio_p99: Option<f64>,
    /// The part of the jobs whose ratio is above one: alone they would have been better off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time_above_one: Option<f64>,
    /// GPU-hours that teams with waiting jobs were entitled to and did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deficit_gpu_hours: Option<f64>,
}

/// One pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolSummary {
    /// Name.
    pub name: String,
    /// Type.
    pub accelerator: Option<String>,
    /// Nodes.
    pub nodes: u32,
    /// Held over available, by resource.
    pub utilization: BTreeMap<String, f64>,
    /// The same without work that an eviction undid or that failed: see `metrics::utilization`.
    pub goodput: BTreeMap<String, f64>,
    /// Dollars that it charges, held or not; null without prices.
    pub cost_usd: Option<f64>,
    /// The part for what jobs held.
    pub allocated_usd: Option<f64>,
    /// The part for what nobody held.
    pub idle_usd: Option<f64>,
}

/// One team: its own jobs, without those of teams below it.
#[derive(Clone, Debug, Serialize)]
pub struct TeamSummary {
    /// Name.
    pub name: String,
    /// Weight.
    pub weight: f64,
    /// Jobs submitted.
    pub jobs: u64,
    /// Its waits.
    pub wait_s: Distribution,
    /// Its responses; absent where quantiles are sketched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_s: Option<Distribution>,
    /// Its bounded slowdowns; absent where quantiles are sketched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounded_slowdown: Option<Distribution>,
    /// GPU-hours held.
    pub gpu_hours: f64,
    /// Dollars for what its jobs held; null without prices. All teams add up to `allocated`.
    pub cost_usd: Option<f64>,
    /// Its mean share of the whole; absent where no time passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_mean: Option<f64>,
    /// Its mean entitlement by the fluid optimum; absent where not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entitlement_mean: Option<f64>,
    /// What it was like to wait; absent where none of its jobs did, or entitlements are not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// The same for each of its users, those who had to wait; absent where there are none, the trace names no users, or there
    /// are too many of them, which is a warning.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked_users: Vec<BlockedUser>,
    /// Evictions of its jobs.
    pub preemptions: u64,
}

/// How a run was asked for.
#[derive(Clone, Debug, Default)]
pub struct RunInfo {
    /// The command line.
    pub argv: Vec<String>,
    /// The variables that set something.
    pub variables: BTreeMap<String, String>,
    /// The root seed.
    pub seed: u64,
    /// What to leave out of wait, response and slowdown.
    pub trim: Option<Trim>,
}

impl Summary {
    /// All measures of a run.
    #[must_use]
    pub fn new(scenario: &Scenario, setup: &Setup, trace: &Trace, record: &Record, info: &RunInfo) -> Self {
        Self::and_shares(scenario, setup, trace, record, info).0
    }

    /// The same, with what teams held and were entitled to over time.
    #[must_use]
    pub fn and_shares(
        scenario: &Scenario,
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        info: &RunInfo,
    ) -> (Self, Shares) {
        let demands = Demands::new(setup, trace);
        let first = record.first_submit_ms(trace);
        let last_submit = record.came(trace).last().map(|job| job.submit_ms);
        let between = |from: Option<i64>, to: Option<i64>| {
            from.zip(to).map_or(0, |(from, to)| if to > from { to.abs_diff(from) } else { 0 })
        };
        let span_ms = between(first, last_submit);
        let window = record.window(trace);
        let makespan_ms = window.map_or(0, |(from, to)| if to > from { to.abs_diff(from) } else { 0 });
        let usage = Usage::new(setup, trace, record, &demands, window);
        let costs = Costs::new(setup, trace, record, &demands, window);
        let firsts = Firsts::new(record);
        let Divided { all, by_team, by_group, first_decision, beginning } =
            divided(setup, trace, record, &firsts, info.trim);
        let Counts { jobs, teams: of_teams, run_of_shape } = Counts::of(setup, trace, record);
        let load = offered_load(setup, &trace.shapes, &run_of_shape, first.zip(last_submit));
        let (policy, priced) = (setup.config.policy, setup.is_priced());
        let money = priced.then(|| Money::new(&costs, setup, trace));
        let mut teams = teams(setup, &of_teams, &by_team, &costs, money.as_ref());
        let shares = Shares::new(setup, trace, record, &demands);
        let (fairness, unmeasured) = fairness(setup, trace, record, &demands, &firsts, &shares, &mut teams);
        let mut warnings = warnings(setup, trace, record, &all.wait);
        let egress = egress(setup, trace, record);
        warnings.extend(egress.as_ref().and_then(Egress::caution));
        let named = || setup.config.pools.iter().map(|pool| pool.name.as_str()).zip(load.iter().copied());
        warnings.extend(caution::of_counts(named(), &jobs, all.wait.max));
        warnings.extend(caution::of_emptying(jobs.submitted, seconds(span_ms), seconds(makespan_ms)));
        warnings.extend(caution::of_end(trace));
        warnings.extend(caution::of_circles(record.held));
        warnings.extend(caution::of_stopped(all.wait.count - all.response.count));
        warnings.extend(beginning);
        warnings.extend(unmeasured.and_then(Unmeasured::caution));
        warnings.extend(crate::metrics::entitlement::caution(setup.config.teams.len()));
        let summary = Self {
            schema: SCHEMA,
            digest: record.digest.clone(),
            policy: setup
                .kueue
                .map_or_else(|| policy_label(policy, priced), |rules| kueue_label(rules, policy)),
            incomplete: record.interrupted,
            provenance: provenance(scenario, trace, info),
            jobs,
            quantiles: None,
            span_s: seconds(span_ms),
            makespan_s: seconds(makespan_ms),
            offered_load: named().map(|(name, load)| (name.to_owned(), load)).collect(),
            wait_s: all.wait,
            response_s: all.response,
            bounded_slowdown: all.slowdown,
            first_decision_s: Some(first_decision),
            routing: routing::routed(setup, trace, record),
            groups: Some(groups::groups(setup, &by_group)),
            queue: window.filter(|(from, to)| from < to).map(|window| queue(trace, record, &demands, window)),
            evictions: evictions(record, &usage),
            reaper: reclaimed::reclaimed(setup, trace, record, &demands),
            utilization: by_kind(setup, |kind| usage.overall(kind)),
            goodput: by_kind(setup, |kind| usage.good(kind)),
            cost_usd: money.as_ref().map(CostUsd::new),
            cost_by_owner: money.as_ref().map(|money| owners(trace, &costs, &money.by_owner)),
            cost_by_user: money.as_ref().and_then(|money| users(trace, &costs, &money.by_user)),
            cost_by_class: money.as_ref().and_then(|money| classes(setup, &costs, &money.by_class)),
            egress,
            fairness,
            pools: pools(setup, &usage, money.as_ref()),
            teams,
            warnings,
        };
        (summary, shares)
    }
}

/// What is worked out job by job.
struct Divided {
    /// Of all jobs that count.
    all: Figures,
    by_team: Vec<Figures>,
    by_group: [Parts; 3],
    /// The first decisions about all.
    first_decision: Distribution,
    /// What is to be said of the beginning of the run.
    beginning: Option<String>,
}

fn divided(setup: &Setup, trace: &Trace, record: &Record, firsts: &Firsts, trim: Option<Trim>) -> Divided {
    let rows = population::rows(trace, record, trim);
    let team_of = |row: usize| setup.team_of[trace.jobs[row].team as usize].index();
    let labels = Labels::new(setup, trace, record);
    let mut waits = Vec::with_capacity(rows.len());
    let of = |row| {
        waits.push(record.wait_ms(trace, row));
        let [class, size, pool] = labels.of(row);
        [team_of(row), class, size, pool]
    };
    let counted = Counted { trace, record, rows: &rows };
    let [team, class, size, pool] = Division::several(&rows, [setup.config.teams.len(), 0, 0, 0], of);
    let whole = Division::undivided(rows.len());
    let divisions = [&whole, &team, &class, &size, &pool];
    let beginning = if trim.is_none() { caution::of_beginning(record.outcomes.len(), &waits) } else { None };
    let [all, by_team, class, size, pool] = figures(counted, waits, divisions);
    let all = all[0];
    let [_, _, of_class, of_size, of_pool] = divisions;
    let figures = [class, size, pool];
    let (by_group, first_decision) =
        groups::parts(counted, firsts, &labels, (all.wait, figures, [of_class, of_size, of_pool]));
    Divided { all, by_team, by_group, first_decision, beginning }
}

/// Over the teams that submitted a job; each is told its mean share and entitlement. Beside it, why users are not measured.
fn fairness(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    firsts: &Firsts,
    shares: &Shares,
    teams: &mut [TeamSummary],
) -> (Option<Fairness>, Option<Unmeasured>) {
    let Shares { held: Some(points), entitled } = shares else { return (None, None) };
    let entitled = entitled.as_ref();
    for (team, share) in teams.iter_mut().zip(fairness::means(points)) {
        team.share_mean = Some(share);
    }
    for (team, mean) in teams.iter_mut().zip(entitled.iter().flat_map(|entitled| &entitled.means)) {
        team.entitlement_mean = Some(*mean);
    }
    let of = |entitled: &Entitlements| blocked_users(setup, trace, record, demands, firsts, entitled);
    let (users, unmeasured) = match entitled.map(of) {
        Some(Ok(users)) => (Some(users), None),
        Some(Err(unmeasured)) => (None, Some(unmeasured)),
        None => (None, None),
    };
    let smallest = match &users {
        Some(users) => users.iter().map(|users| blocked_users::smallest_waiting(users)).collect(),
        // It is told only where what teams are entitled to is measured.
        None if entitled.is_none() => Vec::new(),
        None => blocked::smallest_waiting(setup, trace, record, demands, firsts),
    };
    let instants = entitled.iter().flat_map(|entitled| &entitled.blocked);
    for ((team, instants), smallest) in teams.iter_mut().zip(instants).zip(smallest) {
        team.blocked = instants.blocked(fairness::INSTANTS, smallest);
    }
    for (team, users) in teams.iter_mut().zip(users.into_iter().flatten()) {
        team.blocked_users = users;
    }
    let active = teams.iter().filter(|team| team.jobs > 0);
    let shares: Vec<f64> = active.filter_map(|team| Some(team.share_mean? / team.weight)).collect();
    let times = finish_time::finish_times(setup, trace, record, demands);
    let has_gpus = setup.measured_by() == ResourceKind::GPU;
    let fairness = (!shares.is_empty()).then(|| Fairness {
        jain: fairness::jain(&shares),
        share_deviation: entitled.and_then(|entitled| entitled.share_deviation),
        finish_time_ratio_max: times.map(|times| times.max),
        finish_time_ratio_p99: times.map(|times| times.p99),
        finish_time_above_one: times.map(|times| times.above_one),
        deficit_gpu_hours: entitled.filter(|_| has_gpus).map(|entitled| entitled.deficit_gpu_hours),
    });
    (fairness, unmeasured)
}

#[expect(clippy::cast_precision_loss, reason = "ms below 2^53 are exact")]
pub(crate) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}

pub(crate) fn by_kind(setup: &Setup, value: impl Fn(ResourceKind) -> Option<f64>) -> BTreeMap<String, f64> {
    let kinds = setup.config.kinds.iter();
    kinds.filter_map(|kind| Some((setup.config.kinds.name(kind).to_owned(), value(kind)?))).collect()
}

fn provenance(scenario: &Scenario, trace: &Trace, info: &RunInfo) -> Provenance {
    let traces = trace.sources.iter().map(|source| TraceProvenance {
        path: source.path.clone(),
        format: source.format.name(),
        digest: source.digest.clone(),
        rows: source.rows,
        jobs: source.jobs,
        repairs: source.repairs.iter().map(|(reason, repair)| (*reason, repair.count)).collect(),
    });
    Provenance {
        version: env!("CARGO_PKG_VERSION"),
        seed: info.seed,
        argv: info.argv.clone(),
        variables: info.variables.clone(),
        scenario_digest: scenario.digest.clone(),
        traces: traces.collect(),
    }
}

pub(crate) fn pools(setup: &Setup, usage: &Usage, money: Option<&Money>) -> Vec<PoolSummary> {
    let summary = |(index, pool): (usize, &fairshare::PoolSpec)| PoolSummary {
        name: pool.name.clone(),
        accelerator: pool.accelerator.clone(),
        nodes: pool.nodes,
        utilization: by_kind(setup, |kind| usage.of_pool(index, kind)),
        goodput: by_kind(setup, |kind| usage.good_of_pool(index, kind)),
        cost_usd: money.map(|money| dollars(money.total_by_pool[index])),
        allocated_usd: money.map(|money| dollars(money.allocated_by_pool[index])),
        idle_usd: money.map(|money| dollars(money.idle_by_pool[index])),
    };
    setup.config.pools.iter().enumerate().map(summary).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a weight for people; the exact one is in the scenario")]
pub(crate) fn teams(
    setup: &Setup,
    counts: &[OfTeam],
    figures: &[Figures],
    costs: &Costs,
    money: Option<&Money>,
) -> Vec<TeamSummary> {
    let summary = |(index, team): (usize, &fairshare::TeamSpec)| TeamSummary {
        name: team.name.clone(),
        weight: team.weight.numerator() as f64 / team.weight.denominator() as f64,
        jobs: counts[index].jobs,
        wait_s: figures[index].wait,
        response_s: Some(figures[index].response),
        bounded_slowdown: Some(figures[index].slowdown),
        gpu_hours: ratio(costs.teams.gpu[index], GPU_HOUR).unwrap_or(0.0),
        cost_usd: money.map(|money| dollars(money.by_team[index])),
        share_mean: None,
        entitlement_mean: None,
        blocked: None,
        blocked_users: Vec::new(),
        preemptions: counts[index].preemptions,
    };
    setup.config.teams.iter().enumerate().map(summary).collect()
}

pub(crate) fn warnings(setup: &Setup, trace: &Trace, record: &Record, waits: &Distribution) -> Vec<String> {
    // With one file its name says nothing; without it, equal jobs give equal bytes outside `provenance`.
    let prefix = match trace.sources.as_slice() {
        [source] => format!("`{}`: ", source.path),
        _ => String::new(),
    };
    let bare = |warning: &String| warning.strip_prefix(&prefix).unwrap_or(warning).to_owned();
    let mut warnings: Vec<String> = trace.warnings.iter().map(bare).collect();
    warnings.extend(setup.warnings.iter().cloned());
    for (reason, rejected) in &record.rejected {
        let jobs = if rejected.count == 1 { "1 job".to_owned() } else { format!("{} jobs", rejected.count) };
        let first = printable(&rejected.first);
        warnings.push(format!("{jobs} rejected: {reason} (first: job `{first}`{})", rejected.detail));
    }
    if (1..100).contains(&waits.count) {
        let jobs = if waits.count == 1 { "1 job is".to_owned() } else { format!("{} jobs are", waits.count) };
        warnings.push(format!("{jobs} too few for a 99th percentile: it is the largest value"));
    }
    if record.interrupted {
        warnings.push("the run was interrupted: all figures are partial".to_owned());
    }
    warnings
}
