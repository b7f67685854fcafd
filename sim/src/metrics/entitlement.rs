//! Entitlement: what each team was entitled to, and how far from it was what it held.
//!
//! Formula: entitlement of a team at an instant = its part of the fluid optimum over the share groups (all pools one
//! domain, quotas as floors, limits as caps, down the tree), where it asks what all its waiting and running jobs ask by
//! their first alternative that is not refused; as a dominant share, not divided by the weight, without the teams below
//! it. A GPU of a job that may use several pools counts what these are worth on average by capacity. An upper bound:
//! eligibility and speeds are not looked at. `entitlement_mean` = its mean at the middles of 1,000 equal slices from the
//! first submission to the last end.
//!
//! share deviation = mean, over the instants at which anybody is entitled to anything, of Σ |share − entitlement| / Σ
//! entitlement over the teams: 0 where everybody holds what it is entitled to. Dimensionless.
//!
//! deficit = Σ over instants and teams with a waiting job of (entitled GPUs − held GPUs, where positive) × the length of
//! a slice, in GPU-hours.
//!
//! Unit: parts of one; GPU-hours. Population: all jobs that wait or run at the instant, never trimmed; rejected jobs ask
//! nothing. Estimator: plain means of the sampled instants. Source: Ghodsi et al., "Dominant resource fairness", NSDI
//! 2011, with weights, for what is divided; deviation and deficit are definitions of this project. Not measured beyond
//! 256 teams: it is an optimum for each instant. Absent on purpose: shares that are held (see `fairness`).

use fairshare::{Eligible, Fluid, FluidTeam, PoolSpec, ResourceKind, Resources, ShareGroup, TeamId};

use super::Demands;
use super::blocked::Instants;
use super::fairness::{Grid, POINTS, change, held, means, running_sums};
use super::utilization::capacity;
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::{Trace, TraceShape};

/// Most teams for which an optimum is worked out at every instant.
const TEAMS: usize = 256;

/// What is to be said of an organisation with so many teams.
///
/// # Examples
///
/// ```
/// use fairshare_sim::metrics::entitlement::caution;
/// assert_eq!(caution(256), None);
/// assert!(caution(257).unwrap().starts_with("what teams are entitled to is not measured"));
/// ```
#[must_use]
pub fn caution(teams: usize) -> Option<String> {
    (teams > TEAMS).then(|| {
        format!(
            "what teams are entitled to is not measured: there are {teams}, and an optimum at every instant is worked out for {TEAMS} \
             at most; deficit, share deviation and blocked teams are left out with it"
        )
    })
}

/// What teams were entitled to.
#[derive(Clone, PartialEq, Debug)]
pub struct Entitlements {
    /// The mean entitlement of every team, by the scheduler's number.
    pub means: Vec<f64>,
    /// The entitlement at every instant, team after team.
    pub points: Vec<f64>,
    /// How far from it what they held was; nothing where nobody was entitled to anything.
    pub share_deviation: Option<f64>,
    /// What teams with waiting jobs were entitled to and did not hold.
    pub deficit_gpu_hours: f64,
    /// By team, what it held and was entitled to while a job of it waited.
    pub blocked: Vec<Instants>,
    /// What every team asks at every instant, as a dominant share, team after team.
    pub asked: Vec<f64>,
    /// What a job of each shape asks of each share group.
    pub(super) by_shape: Vec<Vec<i128>>,
}

/// What every team asks at every point, in all and of each group.
struct Asked {
    /// By group.
    valued: Vec<Vec<u128>>,
    /// Thousandths of GPUs.
    gpus: Vec<u128>,
    /// Jobs that wait or run.
    alive: Vec<u128>,
}

/// Compares what teams held, `shares` at every point, with what they were entitled to.
///
/// # Examples
///
/// `a` holds both GPUs for 100 s, while `b` waits for one; then `b` holds one for 100 s. Half of them each in the first half
/// of the time; then `a` asks nothing:
///
/// ```
/// use fairshare_sim::metrics::{Demands, entitlement::entitlements, fairness::share_points};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 2 }\n[policy]\norder = 'fifo'\n";
/// let scenario = Scenario::parse("entitlement", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// std::fs::write(&path, "job_id,submit_s,run_s,team,gpu\n1,0,100,a,2\n2,0,100,b,1\n").unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let demands = Demands::new(&setup, &trace);
/// let shares = share_points(&setup, &trace, &record, &demands).unwrap();
/// let found = entitlements(&setup, &trace, &record, &demands, &shares).unwrap();
/// assert_eq!(found.means, [0.25, 0.5]);
/// assert_eq!(found.share_deviation, Some((0.5 + 0.5) / 2.0), "nobody holds more or less in the second half");
/// assert!((found.deficit_gpu_hours - 100.0 / 3_600.0).abs() < 1e-12, "one GPU of `b` for 100 s");
/// ```
#[must_use]
pub fn entitlements(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    shares: &[f64],
) -> Option<Entitlements> {
    let teams = setup.config.teams.len();
    let grid = Grid::of(trace, record).filter(|_| teams <= TEAMS)?;
    let groups = setup.config.share_groups().ok()?;
    let whole: Vec<u64> = groups.iter().map(|group| group.capacity).collect();
    let firsts: Vec<Asking> = trace.shapes.iter().map(|shape| Asking::of(setup, shape)).collect();
    let by_shape = asked_by_shape(setup, demands, &firsts, &groups);
    let asked = asked(setup, trace, record, demands, grid, (groups.len(), &by_shape, &firsts));
    let held_gpus =
        held(setup, trace, record, demands, grid, (ResourceKind::GPU, &vec![1; setup.config.pools.len()]));
    let running = running(setup, trace, record, grid);
    let bare: Vec<FluidTeam> = (0..teams).map(|team| bare(setup, &groups, team)).collect();
    let mut competition = Competition::new(&whole, &bare);
    let mut blocked = vec![Instants::default(); teams];
    let (mut points, mut asks) = (vec![0.0; teams * POINTS], vec![0.0; teams * POINTS]);
    let (mut deviation, mut counted, mut deficit) = (0.0, 0_u32, 0.0);
    for point in 0..POINTS {
        let request = |team: usize| asked.valued.iter().map(move |group| group[team * POINTS + point]);
        competition.ask(request);
        let Competition { members, fluid, .. } = &competition;
        let optimum = fluid.rounded_entitlements().ok()?;
        let (mut apart, mut sum) = (0.0, 0.0);
        for (team, member) in members.iter().enumerate() {
            let at = team * POINTS + point;
            let (mut tasks, mut entitlement) = (0.0, 0.0);
            if let Some(member) = *member {
                let parts = fluid.teams[member].request.iter().zip(&whole);
                let dominant =
                    parts.filter_map(|(asks, has)| super::ratio(u128::from(*asks), u128::from(*has)));
                tasks = optimum[member].tasks;
                asks[at] = dominant.fold(0.0, f64::max);
                entitlement = tasks * asks[at];
            }
            points[at] = entitlement;
            apart += (shares[at] - entitlement).abs();
            sum += entitlement;
            if asked.alive[at] > running[at] {
                let instants = &mut blocked[team];
                instants.count += 1;
                instants.held += shares[at];
                instants.entitled += entitlement;
                deficit += (tasks * float(asked.gpus[at]) - float(held_gpus[at])).max(0.0);
            }
        }
        if sum > 0.0 {
            deviation += apart / sum;
            counted += 1;
        }
    }
    let slice_hours = float(u128::from(grid.span)) / float(POINTS as u128) / 3_600_000.0;
    Some(Entitlements {
        means: means(&points),
        points,
        share_deviation: (counted > 0).then(|| deviation / f64::from(counted)),
        deficit_gpu_hours: deficit / 1_000.0 * slice_hours,
        blocked,
        asked: asks,
        by_shape,
    })
}

/// The teams that ask anything, and those above them: whoever asks nothing changes nobody's part. What does not change from
/// one point to the next stays.
struct Competition<'a> {
    bare: &'a [FluidTeam],
    /// Which of all teams compete.
    competes: Vec<bool>,
    /// Which do so at the point that is looked at.
    now: Vec<bool>,
    /// The number that each team has among them.
    members: Vec<Option<usize>>,
    fluid: Fluid,
}

impl<'a> Competition<'a> {
    fn new(whole: &[u64], bare: &'a [FluidTeam]) -> Self {
        let [competes, now] = [(); 2].map(|()| vec![false; bare.len()]);
        let members = vec![None; bare.len()];
        Self { bare, competes, now, members, fluid: Fluid::new(whole.to_vec(), Vec::new()) }
    }

    /// Lets every team ask what it does at a point.
    fn ask<R: Iterator<Item = u128>>(&mut self, request: impl Fn(usize) -> R) {
        self.now.fill(false);
        for team in 0..self.bare.len() {
            if !self.now[team] && request(team).any(|amount| amount > 0) {
                let mut at = Some(team);
                while let Some(team) = at.filter(|team| !self.now[*team]) {
                    self.now[team] = true;
                    at = self.bare[team].parent.map(TeamId::index);
                }
            }
        }
        if self.now != self.competes {
            std::mem::swap(&mut self.now, &mut self.competes);
            self.admit();
        }
        for (team, member) in self.members.iter().enumerate() {
            let Some(member) = member else { continue };
            let amounts = request(team).map(|amount| u64::try_from(amount).unwrap_or(u64::MAX));
            let asked = &mut self.fluid.teams[*member].request;
            asked.clear();
            asked.extend(amounts);
        }
    }

    /// Numbers those who compete.
    fn admit(&mut self) {
        let mut count = 0..;
        let number = |competes: &bool| competes.then(|| count.next()).flatten();
        self.members = self.competes.iter().map(number).collect();
        let competing = self.bare.iter().zip(&self.competes).filter(|(_, competes)| **competes);
        let teams = competing.map(|(bare, _)| {
            let mut fluid = bare.clone();
            let parent = bare.parent.and_then(|parent| self.members[parent.index()]);
            fluid.parent = parent.and_then(|parent| u32::try_from(parent).ok()).map(TeamId::new);
            fluid
        });
        self.fluid.teams = teams.collect();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
pub(super) fn float(value: u128) -> f64 {
    value as f64
}

/// A team with its quota and limit by group, that asks nothing yet.
fn bare(setup: &Setup, groups: &[ShareGroup], team: usize) -> FluidTeam {
    let spec = &setup.config.teams[team];
    let mut fluid = FluidTeam::new(Vec::new()).with_weight(spec.weight).with_tasks(1);
    fluid.parent = spec.parent;
    for group in groups {
        let pools = || setup.config.pools.iter().enumerate().zip(&group.values);
        let named = |list: &[fairshare::Allowance], pool: usize| {
            let here = list.iter().find(|known| known.pool.index() == pool && known.kind == group.kind);
            here.map(|known| known.amount.get())
        };
        let most = |pool: usize| {
            let quota = named(&spec.quota, pool).unwrap_or(0);
            let borrowed = named(&spec.borrow, pool).map(|more| quota.saturating_add(more));
            [named(&spec.limit, pool), borrowed].into_iter().flatten().min()
        };
        let quotas =
            pools().filter_map(|((pool, _), value)| Some(named(&spec.quota, pool)?.saturating_mul(*value)));
        let quotas: Vec<u64> = quotas.collect();
        fluid.quota.push((!quotas.is_empty()).then(|| quotas.iter().sum()));
        let limited = pools().any(|((pool, _), _)| most(pool).is_some());
        let limit = pools().fold(0_u64, |sum, ((pool, known), value)| {
            let whole = capacity(known)[group.kind].get();
            let part = most(pool).map_or(whole, |most| most.min(whole));
            sum.saturating_add(part.saturating_mul(*value))
        });
        fluid.limit.push(limited.then_some(limit));
    }
    fluid
}

/// What the jobs that are alive ask, team after team.
fn asked(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    grid: Grid,
    (groups, by_shape, firsts): (usize, &[Vec<i128>], &[Asking]),
) -> Asked {
    let size = setup.config.teams.len() * POINTS;
    let mut valued = vec![vec![0_i128; size]; groups];
    let (mut gpus, mut alive) = (vec![0_i128; size], vec![0_i128; size]);
    for (row, outcome) in record.outcomes.iter().enumerate() {
        let Some(end) = record.leaves_ms(outcome) else { continue };
        let job = &trace.jobs[row];
        let (from, to) = (grid.before(job.submit_ms), grid.before(end));
        if from == to {
            continue;
        }
        let start = setup.team_of[job.team as usize].index() * POINTS;
        let request = demands.of(trace, row, firsts[job.shape as usize].index);
        let add = |changes: &mut [i128], amount: i128| {
            change(&mut changes[start..][..POINTS], from, to, amount);
        };
        add(&mut alive, 1);
        add(&mut gpus, i128::from(request[ResourceKind::GPU].get()));
        for (changes, amount) in valued.iter_mut().zip(&by_shape[job.shape as usize]) {
            add(changes, *amount);
        }
    }
    Asked {
        valued: valued.into_iter().map(running_sums).collect(),
        gpus: running_sums(gpus),
        alive: running_sums(alive),
    }
}

/// By what a job of a shape asks: the first alternative that is not refused.
struct Asking {
    /// Its index in the trace's shape.
    index: usize,
    /// Where it may run; nothing where jobs of the shape are rejected.
    eligible: Option<Eligible>,
}

impl Asking {
    fn of(setup: &Setup, shape: &TraceShape) -> Self {
        let Ok((spec, kept)) = setup.shape(shape) else { return Self { index: 0, eligible: None } };
        let eligible = spec.alternatives.first().map(|first| first.pools.clone());
        Self { index: kept.first().copied().map_or(0, usize::from), eligible }
    }
}

/// What a job of each shape asks of each group, a unit counting what it does on average.
fn asked_by_shape(
    setup: &Setup,
    demands: &Demands,
    firsts: &[Asking],
    groups: &[ShareGroup],
) -> Vec<Vec<i128>> {
    let of_shape = |(first, demands): (&Asking, &Vec<Resources>)| {
        let of_group = |group: &ShareGroup| {
            let amount = demands.get(first.index).map_or(0, |request| request[group.kind].get());
            rounded(float(u128::from(amount)) * mean_value(setup, first.eligible.as_ref(), group))
        };
        groups.iter().map(of_group).collect()
    };
    firsts.iter().zip(&demands.by_shape).map(of_shape).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "amounts are below 2^64")]
fn rounded(value: f64) -> i128 {
    value.round() as i128
}

/// What a unit of a group counts on average, by capacity, over the pools that are eligible.
fn mean_value(setup: &Setup, eligible: Option<&Eligible>, group: &ShareGroup) -> f64 {
    let may = |at: usize, pool: &PoolSpec| match eligible {
        None => false,
        Some(Eligible::Any) => true,
        Some(Eligible::Accelerator(name)) => pool.accelerator.as_ref() == Some(name),
        Some(Eligible::Pools(pools)) => pools.iter().any(|pool| pool.index() == at),
    };
    let (mut valued, mut counted) = (0_u128, 0_u128);
    for (at, pool) in setup.config.pools.iter().enumerate().filter(|(at, pool)| may(*at, pool)) {
        let amount = u128::from(capacity(pool)[group.kind].get());
        valued += amount * u128::from(group.values[at]);
        counted += amount;
    }
    super::ratio(valued, counted).unwrap_or(0.0)
}

/// How many jobs of each team run, team after team.
fn running(setup: &Setup, trace: &Trace, record: &Record, grid: Grid) -> Vec<u128> {
    let mut changes = vec![0_i128; setup.config.teams.len() * POINTS];
    record.stretches().for_each(|stretch| {
        let (from, to) = (grid.before(stretch.start_ms), grid.before(stretch.end_ms));
        let start = setup.team_of[trace.jobs[stretch.row].team as usize].index() * POINTS;
        change(&mut changes[start..][..POINTS], from, to, 1);
    });
    running_sums(changes)
}
