//! Speeds: max-min over pools of one resource kind where pools run a team's tasks at different speeds.
//!
//! A team's *part* is its throughput over what it would have with every pool to itself. The smallest part over the
//! weight is made as large as it can be, then the second smallest, and so on, by one linear program a round. Teams
//! whose dual price is not zero can have no more and keep what they have; teams that are alike are one in the program.
//! Solved by interior points in floats: decimals, good to 1e-5, and not fractions.
//!
//! Absent on purpose: several resources, trees of teams, and rounds of time (an amount may be a part of the time).
//! Layer 3; uses `share`.

use std::collections::BTreeMap;

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::NonnegativeConeT;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver as _, SolverStatus};

use super::FluidError;
use crate::share::Weight;

/// What one team asks of pools of one kind, and how fast its tasks run in each.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SpeedTeam {
    /// Weight among the teams.
    pub weight: Weight,
    /// Speed in thousandths by pool; zero: it may not use the pool.
    pub speeds_milli: Vec<u32>,
    /// The most it can use over all pools, in the unit of the capacities; `None`: endless.
    pub demand: Option<u64>,
    /// What it is guaranteed, by pool: it gets at least the throughput of that. Empty: nothing.
    pub quota: Vec<u64>,
}

impl SpeedTeam {
    /// A team of weight one with endless demand.
    #[must_use]
    pub fn new(speeds_milli: Vec<u32>) -> Self {
        Self { weight: Weight::ONE, speeds_milli, demand: None, quota: Vec::new() }
    }

    /// With another weight.
    #[must_use]
    pub fn with_weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// With at most so much to use.
    #[must_use]
    pub fn with_demand(mut self, demand: u64) -> Self {
        self.demand = Some(demand);
        self
    }

    /// With a guarantee by pool.
    #[must_use]
    pub fn with_quota(mut self, quota: Vec<u64>) -> Self {
        self.quota = quota;
        self
    }
}

/// What a team is entitled to where speeds differ.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct SpeedEntitlement {
    /// Its throughput over that with every pool to itself: from zero to one.
    pub part: f64,
    /// Amounts by pool, in the unit of the capacities.
    pub amounts: Vec<f64>,
}

/// The leximin of throughput over weight, by pool.
///
/// The parts are unique; how they are made up of pools is not always.
///
/// # Units
///
/// Capacities, demands and quotas in one unit of the caller's; speeds in thousandths. Only the ratios of a team's own
/// speeds count: a team that is twice as fast everywhere is entitled to the same.
///
/// # Errors
///
/// [`FluidError::Pool`] where a team names more pools than there are; [`FluidError::Solver`] where the solver gives up.
///
/// # Complexity
///
/// At most one linear program for each distinct team, with a variable for each distinct team and pool.
///
/// # Determinism
///
/// The same calls give the same floats on one machine and build. Across machines the last digits may differ: nothing
/// that the scheduler decides rests on them.
///
/// # Examples
///
/// Four H200 and eight L4 for teams that gain four times, twice and 1.2 times from the faster ones. Everybody has 20/17
/// of what a third of every pool would give, which is the sharing incentive:
///
/// ```
/// use fairshare::{SpeedTeam, speed_entitlements};
/// let teams = [[4_000, 1_000], [2_000, 1_000], [1_200, 1_000]].map(|speeds| SpeedTeam::new(speeds.to_vec()));
/// let optimum = speed_entitlements(&[4, 8], &teams).unwrap();
/// for team in &optimum {
///     assert!((team.part * 3.0 - 20.0 / 17.0).abs() < 1e-6);
/// }
/// assert!((optimum[0].amounts[0] - 40.0 / 17.0).abs() < 1e-6);
/// ```
///
/// # References
///
/// Narayanan et al., "Heterogeneity-aware cluster scheduling policies for deep learning workloads", OSDI 2020, section
/// 4.1. There a team is a job and the part is divided by that of an equal share, which is the same up to a factor.
pub fn speed_entitlements(
    capacity: &[u64],
    teams: &[SpeedTeam],
) -> Result<Vec<SpeedEntitlement>, FluidError> {
    let mut counts: BTreeMap<Likeness<'_>, (&SpeedTeam, usize)> = BTreeMap::new();
    for (index, team) in teams.iter().enumerate() {
        let named = team.speeds_milli.len().max(team.quota.len());
        if named > capacity.len() {
            return Err(FluidError::Pool { team: index, pool: capacity.len() });
        }
        counts.entry(likeness(team)).or_insert((team, 0)).1 += 1;
    }
    let capacity: Vec<f64> = capacity.iter().map(|amount| float(*amount)).collect();
    let classes: Vec<Class> =
        counts.values().map(|(team, count)| Class::new(team, *count, &capacity)).collect();
    let solved = Program::new(&capacity, &classes).leximin()?;
    let of_class: BTreeMap<Likeness<'_>, SpeedEntitlement> = counts.into_keys().zip(solved).collect();
    Ok(teams.iter().filter_map(|team| of_class.get(&likeness(team)).cloned()).collect())
}

/// What makes two teams alike: all that they say.
type Likeness<'a> = (u64, u64, &'a [u32], Option<u64>, &'a [u64]);

fn likeness(team: &SpeedTeam) -> Likeness<'_> {
    let SpeedTeam { weight, speeds_milli, demand, quota } = team;
    (weight.numerator(), weight.denominator(), speeds_milli, *demand, quota)
}

/// Jobs that are alike, and what one of them needs and does in each pool.
pub(crate) struct AlikeJobs {
    pub(crate) count: usize,
    /// By pool: how much one job holds while it runs there, and how fast it runs; `None` where it cannot.
    pub(crate) pools: Vec<Option<(f64, f64)>>,
}

/// The part of its time that a job of each kind runs in each pool, so that the smallest throughput over that with every
/// pool to itself is as large as it can be. Nothing where there is no solution.
pub(crate) fn time_parts(capacity: &[f64], jobs: &[AlikeJobs]) -> Option<Vec<Vec<f64>>> {
    let classes: Vec<Class> = jobs.iter().map(|alike| Class::of_jobs(alike, capacity)).collect();
    let program = Program::new(capacity, &classes);
    let most: Vec<f64> = classes.iter().map(|class| class.most(capacity)).collect();
    let fixed: Vec<Option<f64>> = most.iter().map(|most| (*most <= 0.0).then_some(0.0)).collect();
    let (_, _, used) = program.raise(&fixed, &most).ok()?;
    let mut parts = vec![vec![0.0; capacity.len()]; jobs.len()];
    for ((class, pool), fraction) in program.uses.iter().zip(used) {
        if let Some((held, _)) = jobs[*class].pools[*pool] {
            parts[*class][*pool] = fraction.max(0.0) * capacity[*pool] / (classes[*class].count * held);
        }
    }
    Some(parts)
}

/// Dual prices above this are not zero: those that are come out at a millionth of it.
const PRICED: f64 = 1e-5;

/// What a float may miss of a part that is fixed already.
const SLACK: f64 = 1e-8;

#[expect(clippy::cast_precision_loss, reason = "decimals are what is asked for")]
fn float(value: u64) -> f64 {
    value as f64
}

/// Teams that are alike.
struct Class {
    count: f64,
    weight: f64,
    /// What a whole pool contributes to the part of one team.
    gains: Vec<f64>,
    /// The most that all of them use together of each pool if they use no other, in the unit of the capacities.
    demand: Option<Vec<f64>>,
    /// The part that each is guaranteed.
    floor: f64,
}

impl Class {
    fn new(team: &SpeedTeam, count: usize, capacity: &[f64]) -> Self {
        let count = float(count as u64);
        let speed = |pool: usize| f64::from(team.speeds_milli.get(pool).copied().unwrap_or(0));
        let all: f64 = capacity.iter().enumerate().map(|(pool, amount)| speed(pool) * amount).sum();
        let part = |pool: usize, amount: f64| if all > 0.0 { speed(pool) * amount / all } else { 0.0 };
        Self {
            count,
            weight: float(team.weight.numerator()) / float(team.weight.denominator()),
            gains: capacity.iter().enumerate().map(|(pool, amount)| part(pool, *amount)).collect(),
            demand: team.demand.map(|demand| vec![float(demand) * count; capacity.len()]),
            floor: team.quota.iter().enumerate().map(|(pool, quota)| part(pool, float(*quota))).sum(),
        }
    }

    fn of_jobs(alike: &AlikeJobs, capacity: &[f64]) -> Self {
        let count = float(alike.count as u64);
        let rate = |pool: usize| alike.pools[pool].map_or(0.0, |(held, speed)| speed / held * capacity[pool]);
        let all: f64 = (0..capacity.len()).map(rate).sum();
        let gain = |pool: usize| if all > 0.0 { rate(pool) / all } else { 0.0 };
        let held = |pool: usize| alike.pools[pool].map_or(0.0, |(held, _)| held * count);
        Self {
            count,
            weight: 1.0,
            gains: (0..capacity.len()).map(gain).collect(),
            demand: Some((0..capacity.len()).map(held).collect()),
            floor: 0.0,
        }
    }

    fn may_use(&self, pool: usize) -> bool {
        self.gains[pool] > 0.0 && self.demand.as_ref().is_none_or(|demand| demand[pool] > 0.0)
    }

    /// The largest part that its demand allows to each: first the pools that give most for the same part of it.
    fn most(&self, capacity: &[f64]) -> f64 {
        let Some(demand) = &self.demand else { return self.gains.iter().sum() };
        let mut pools: Vec<usize> = (0..capacity.len()).filter(|pool| self.may_use(*pool)).collect();
        let rate = |pool: usize| self.gains[pool] * demand[pool] / capacity[pool];
        pools.sort_by(|a, b| rate(*b).total_cmp(&rate(*a)).then(a.cmp(b)));
        let (mut part, mut left) = (0.0, 1.0_f64);
        for pool in pools {
            let here = left.min(capacity[pool] * self.count / demand[pool]);
            part += rate(pool) * here / self.count;
            left -= here;
        }
        part
    }
}

/// Variables: for each class and pool that it may use the fraction of the pool, and last the level.
struct Program<'a> {
    capacity: &'a [f64],
    classes: &'a [Class],
    /// (class, pool) of each variable.
    uses: Vec<(usize, usize)>,
}

/// Rows `sum of factor times variable <= bound`, column by column.
struct Rows {
    columns: Vec<Vec<(usize, f64)>>,
    bounds: Vec<f64>,
}

impl Rows {
    fn push(&mut self, row: impl Iterator<Item = (usize, f64)>, bound: f64) {
        for (column, factor) in row {
            self.columns[column].push((self.bounds.len(), factor));
        }
        self.bounds.push(bound);
    }
}

impl<'a> Program<'a> {
    fn new(capacity: &'a [f64], classes: &'a [Class]) -> Self {
        let usable = |class: usize| {
            (0..capacity.len())
                .filter(move |pool| classes[class].may_use(*pool))
                .map(move |pool| (class, pool))
        };
        Self { capacity, classes, uses: (0..classes.len()).flat_map(usable).collect() }
    }

    fn leximin(&self) -> Result<Vec<SpeedEntitlement>, FluidError> {
        // Who can use nothing has nothing; floors are lowered to what demand allows.
        let most: Vec<f64> = self.classes.iter().map(|class| class.most(self.capacity)).collect();
        let mut fixed: Vec<Option<f64>> = most.iter().map(|most| (*most <= 0.0).then_some(0.0)).collect();
        let mut used = vec![0.0; self.uses.len()];
        while fixed.contains(&None) {
            let (level, prices, found) = self.raise(&fixed, &most)?;
            used = found;
            let open = prices.into_iter().enumerate().filter(|(class, _)| fixed[*class].is_none());
            let open: Vec<(usize, f64)> = open.collect();
            // Of those that are left at least one can have no more, so that every round fixes somebody.
            let highest = open.iter().map(|(_, price)| *price).fold(f64::NEG_INFINITY, f64::max);
            for (class, _) in open.into_iter().filter(|(_, price)| *price >= PRICED.min(highest)) {
                let part = level * self.classes[class].weight;
                fixed[class] = Some(part.max(self.classes[class].floor.min(most[class])));
            }
        }
        Ok(self.entitlements(&used))
    }

    /// The highest level for the classes that are not fixed, the price of each class in it, and what is used.
    fn raise(&self, fixed: &[Option<f64>], most: &[f64]) -> Result<(f64, Vec<f64>, Vec<f64>), FluidError> {
        let level = self.uses.len();
        let mut rows = Rows { columns: vec![Vec::new(); level + 1], bounds: Vec::new() };
        let of = |class: usize| self.uses.iter().enumerate().filter(move |(_, (its, _))| *its == class);
        let useful = |class: &usize| most[*class] > 0.0;
        // First the rows whose prices are asked for: minus the part, plus the level.
        let mut prices = vec![0.0; self.classes.len()];
        let priced: Vec<usize> = (0..prices.len()).filter(useful).collect();
        for class in priced.iter().copied() {
            let spec = &self.classes[class];
            let part = of(class).map(|(at, (_, pool))| (at, -spec.gains[*pool] / spec.count));
            match fixed[class] {
                Some(part_fixed) => rows.push(part, SLACK - part_fixed),
                None => rows.push(part.chain([(level, spec.weight)]), 0.0),
            }
        }
        for class in priced.iter().copied() {
            let spec = &self.classes[class];
            let floor = spec.floor.min(most[class]);
            if fixed[class].is_none() && floor > 0.0 {
                let part = of(class).map(|(at, (_, pool))| (at, -spec.gains[*pool] / spec.count));
                rows.push(part, SLACK - floor);
            }
            if let Some(demand) = &spec.demand {
                rows.push(of(class).map(|(at, (_, pool))| (at, self.capacity[*pool] / demand[*pool])), 1.0);
            }
        }
        for pool in 0..self.capacity.len() {
            let here = self.uses.iter().enumerate().filter(|(_, (_, its))| *its == pool);
            // A row without variables says nothing.
            if here.clone().next().is_some() {
                rows.push(here.map(|(at, _)| (at, 1.0)), 1.0);
            }
        }
        for at in 0..=level {
            rows.push([(at, -1.0)].into_iter(), 0.0);
        }
        let (x, z) = solve(&rows)?;
        for (class, price) in priced.into_iter().zip(z) {
            prices[class] = price * self.classes[class].weight;
        }
        Ok((x[level], prices, x[..level].to_vec()))
    }

    fn entitlements(&self, used: &[f64]) -> Vec<SpeedEntitlement> {
        let empty = SpeedEntitlement { part: 0.0, amounts: vec![0.0; self.capacity.len()] };
        let mut found = vec![empty; self.classes.len()];
        for ((class, pool), fraction) in self.uses.iter().zip(used) {
            // What is within a rounding of nothing is nothing.
            let each = if *fraction < 1e-8 { 0.0 } else { fraction / self.classes[*class].count };
            found[*class].part += each * self.classes[*class].gains[*pool];
            found[*class].amounts[*pool] = each * self.capacity[*pool];
        }
        found
    }
}

/// The variables that make the last one as large as the rows allow, and the price of each row.
fn solve(rows: &Rows) -> Result<(Vec<f64>, Vec<f64>), FluidError> {
    let (variables, constraints) = (rows.columns.len(), rows.bounds.len());
    let mut starts = vec![0];
    let (mut at, mut factors) = (Vec::new(), Vec::new());
    for column in &rows.columns {
        for (row, factor) in column {
            at.push(*row);
            factors.push(*factor);
        }
        starts.push(at.len());
    }
    let a = CscMatrix::new(constraints, variables, starts, at, factors);
    let p = CscMatrix::zeros((variables, variables));
    let mut goal = vec![0.0; variables];
    goal[variables - 1] = -1.0;
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .max_threads(1)
        .tol_gap_abs(1e-9)
        .tol_gap_rel(1e-9)
        .tol_feas(1e-9)
        .build()
        .map_err(|_| FluidError::Solver)?;
    let mut solver =
        DefaultSolver::new(&p, &goal, &a, &rows.bounds, &[NonnegativeConeT(constraints)], settings)
            .map_err(|_| FluidError::Solver)?;
    solver.solve();
    match solver.solution.status {
        SolverStatus::Solved | SolverStatus::AlmostSolved => Ok((solver.solution.x, solver.solution.z)),
        _ => Err(FluidError::Solver),
    }
}
