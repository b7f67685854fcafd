//! The fluid optima: what must hold of every one (the fluid columns of the table of properties), and a comparison with
//! a linear program that knows nothing of sweeps.
//!
//! A failure of a property means that the rule is wrong; a failure against the linear program that the sweep is.

use fairshare::{Entitlement, Exact, Fluid, FluidTeam, PoolTeam, TeamId, Weight, pool_entitlements};
use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fluid::weight;

const CLOSE: f64 = 1e-9;

/// What a linear program may miss of a bound. A row may magnify it a thousandfold: a team that asks nine of one GPU and
/// one of a hundred cores has nine hundred times as much of the first.
const SLACK: f64 = 1e-13;

/// What a generated case may contain.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent corners, each on or off")]
pub(crate) struct Corners {
    pub(crate) zeros: bool,
    pub(crate) caps: bool,
    pub(crate) floors: bool,
    pub(crate) tree: bool,
}

pub(crate) fn weights() -> impl Strategy<Value = Weight> {
    prop_oneof![
        4 => Just(weight(1, 1)),
        1 => Just(weight(1, 1024)),
        1 => Just(weight(1024, 1)),
        4 => (1_u64..=9, 1_u64..=9).prop_map(|(n, d)| weight(n, d)),
    ]
}

/// `None` where the corner is not asked for.
pub(crate) fn maybe<T: core::fmt::Debug>(
    asked: bool,
    probability: f64,
    some: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(probability, some).prop_map(move |value| value.filter(|_| asked))
}

fn team(groups: usize, corners: Corners) -> impl Strategy<Value = FluidTeam> {
    let least = u64::from(!corners.zeros);
    let amount = prop_oneof![6 => least..=9, 1 => 100_000_u64..=999_983, 2 => Just(least)];
    let tasks = maybe(corners.caps, 0.5, 0_u64..=12);
    let limit = vec(maybe(corners.caps, 0.2, 0_u64..=40), groups);
    (vec(amount, groups), weights(), tasks, limit).prop_map(|(request, weight, tasks, limit)| {
        let mut team = FluidTeam::new(request).with_weight(weight).with_limit(limit);
        team.tasks = tasks;
        team
    })
}

/// Quotas that fit the capacity: each team's part in sixteenths of what is still free.
fn with_quotas(mut fluid: Fluid, parts: &[Option<u64>]) -> Fluid {
    let mut free = fluid.capacity.clone();
    for (at, team) in fluid.teams.iter_mut().enumerate() {
        let Some(part) = parts[at % parts.len()] else { continue };
        let quota = free.iter_mut().map(|free| {
            let quota = *free * part / 16;
            *free -= quota;
            Some(quota)
        });
        team.quota = quota.collect();
    }
    fluid
}

pub(crate) fn case(corners: Corners) -> impl Strategy<Value = Fluid> {
    (1_usize..=3).prop_flat_map(move |groups| {
        let capacity = prop_oneof![8 => 1_u64..=100, 1 => Just((1_u64 << 53) - 111), 1 => Just(u64::from(!corners.zeros))];
        let parts = vec(maybe(corners.floors, 0.6, 0_u64..=16), 6);
        let parents = vec(maybe(corners.tree, 0.6, 0_u32..6), 6);
        (vec(capacity, groups), vec(team(groups, corners), 1..=6), parts, parents).prop_map(
            |(capacity, mut teams, parts, parents)| {
                for (at, parent) in parents.into_iter().enumerate().take(teams.len()) {
                    teams[at].parent = parent.map(TeamId::new).filter(|parent| parent.index() < at);
                }
                with_quotas(Fluid::new(capacity, teams), &parts)
            },
        )
    })
}

pub(crate) const ANY: Corners = Corners { zeros: true, caps: true, floors: true, tree: false };
pub(crate) const NO_FLOORS: Corners = Corners { floors: false, ..ANY };
pub(crate) const TREE: Corners = Corners { tree: true, floors: false, ..ANY };

pub(crate) fn solve(fluid: &Fluid) -> Vec<Entitlement> {
    fluid.entitlements().unwrap()
}

pub(crate) fn decimal(value: &Exact) -> f64 {
    value.to_f64()
}

#[expect(clippy::cast_precision_loss, reason = "compared with a margin")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

pub(crate) fn ratio(weight: Weight) -> f64 {
    float(weight.numerator()) / float(weight.denominator())
}

/// The most tasks of a team, by its tasks and its limit; none where a group is missing.
pub(crate) fn most(fluid: &Fluid, team: &FluidTeam) -> f64 {
    let named = team.request.iter().enumerate().filter(|(_, need)| **need > 0);
    let bounds = named.map(|(group, need)| match team.limit.get(group).copied().flatten() {
        _ if fluid.capacity[group] == 0 => 0.0,
        Some(limit) => float(limit) / float(*need),
        None => f64::INFINITY,
    });
    bounds.chain(team.tasks.map(float)).fold(f64::INFINITY, f64::min)
}

/// The dominant share of one task.
pub(crate) fn per_task(fluid: &Fluid, team: &FluidTeam) -> f64 {
    let share =
        |(need, capacity): (&u64, &u64)| if *need == 0 { 0.0 } else { float(*need) / float(*capacity) };
    team.request.iter().zip(&fluid.capacity).map(share).fold(0.0, f64::max)
}

/// Whether a linear program in floats can take the weight beside others.
fn moderate(weight: Weight) -> bool {
    weight.numerator() <= 9 && weight.denominator() <= 9
}

/// The same case with numbers that a program in floats can take: one unit of 2^53 is nothing to it, and may yet
/// decide which group runs out first.
pub(crate) fn tamed(mut fluid: Fluid) -> Fluid {
    for capacity in &mut fluid.capacity {
        *capacity %= 101;
    }
    for team in &mut fluid.teams {
        for need in &mut team.request {
            *need %= 11;
        }
        for (quota, capacity) in team.quota.iter_mut().zip(&fluid.capacity) {
            *quota = quota.map(|quota| quota.min(*capacity));
        }
        team.weight = if moderate(team.weight) { team.weight } else { Weight::ONE };
    }
    fluid
}

pub(crate) fn is_leaf(fluid: &Fluid, at: usize) -> bool {
    fluid.teams.iter().all(|team| team.parent != TeamId::new(u32::try_from(at).unwrap()).into())
}

/// Amounts of the teams directly under the root.
fn used(fluid: &Fluid, optimum: &[Entitlement], group: usize) -> Exact {
    let roots = fluid.teams.iter().zip(optimum).filter(|(team, _)| team.parent.is_none());
    roots.map(|(_, team)| &team.amounts[group]).sum()
}

/// Conservation and limits, exactly; and that nobody can have more without somebody having less.
fn check_frame(fluid: &Fluid) -> Result<(), TestCaseError> {
    let optimum = solve(fluid);
    let all: Vec<Exact> = (0..fluid.capacity.len()).map(|group| used(fluid, &optimum, group)).collect();
    for (used, capacity) in all.iter().zip(&fluid.capacity) {
        prop_assert!(*used <= Exact::from(*capacity), "{used} of {capacity}");
    }
    let full = |at: usize, group: usize| {
        let mut above = Some(at);
        while let Some(team) = above {
            let limit = fluid.teams[team].limit.get(group).copied().flatten();
            if limit.is_some_and(|limit| optimum[team].amounts[group] >= Exact::from(limit)) {
                return true;
            }
            above = fluid.teams[team].parent.map(TeamId::index);
        }
        all[group] == Exact::from(fluid.capacity[group])
    };
    for (at, (team, entitled)) in fluid.teams.iter().zip(&optimum).enumerate() {
        if let Some(tasks) = team.tasks {
            prop_assert!(entitled.tasks <= Exact::from(tasks));
        }
        for (held, limit) in entitled.amounts.iter().zip(&team.limit) {
            prop_assert!(limit.is_none_or(|limit| *held <= Exact::from(limit)), "{held} of {limit:?}");
        }
        let asks = |group: &usize| team.request.get(*group).is_some_and(|need| *need > 0);
        let enough = team.tasks.is_some_and(|tasks| entitled.tasks == Exact::from(tasks));
        let idle = !(0..fluid.capacity.len()).any(|group| asks(&group));
        let stopped = (0..fluid.capacity.len()).filter(asks).any(|group| full(at, group));
        prop_assert!(idle || enough || stopped, "team {at} could have more than {}", entitled.tasks);
        if is_leaf(fluid, at) {
            for (held, need) in entitled.amounts.iter().zip(&team.request) {
                let expected = decimal(&entitled.tasks) * float(*need);
                prop_assert!((decimal(held) - expected).abs() <= CLOSE * expected.max(1.0));
            }
        }
    }
    Ok(())
}

/// Whether less than floats can tell apart decides about shares: whose resource runs out first.
fn is_decided_by_rounding(fluid: &Fluid) -> bool {
    let shares = |fluid: &Fluid| solve(fluid).iter().map(|team| decimal(&team.share)).collect::<Vec<f64>>();
    let large = (0..fluid.capacity.len()).filter(|group| fluid.capacity[*group] > 1 << 50);
    large.into_iter().any(|group| {
        let mut less = fluid.clone();
        less.capacity[group] -= less.capacity[group] >> 46;
        shares(fluid).iter().zip(shares(&less)).any(|(a, b)| (a - b).abs() > CLOSE)
    })
}

/// Shares within a billionth of those in floats.
fn check_rounded(fluid: &Fluid) -> Result<(), TestCaseError> {
    if is_decided_by_rounding(fluid) {
        return Ok(());
    }
    for (exact, rounded) in solve(fluid).iter().zip(fluid.rounded_entitlements().unwrap()) {
        prop_assert!(
            (decimal(&exact.share) - rounded.share).abs() < CLOSE,
            "{} {}",
            exact.share,
            rounded.share
        );
        for ((a, b), capacity) in exact.amounts.iter().zip(&rounded.amounts).zip(&fluid.capacity) {
            prop_assert!((decimal(a) - b).abs() <= CLOSE * float(*capacity));
        }
    }
    Ok(())
}

/// What a quota holds of a team's request, in tasks.
pub(crate) fn floor(fluid: &Fluid, team: &FluidTeam) -> f64 {
    let named = team.request.iter().zip(&team.quota).filter(|(need, quota)| **need > 0 && quota.is_some());
    let tasks = named.map(|(need, quota)| float(quota.unwrap()) / float(*need)).fold(f64::INFINITY, f64::min);
    if tasks.is_finite() { tasks.min(most(fluid, team)) } else { 0.0 }
}

proptest! {
    #[test]
    fn nothing_is_exceeded_and_nothing_is_wasted(fluid in case(ANY)) {
        check_frame(&fluid)?;
    }

    #[test]
    fn nothing_is_exceeded_and_nothing_is_wasted_down_a_tree(fluid in case(TREE)) {
        check_frame(&fluid)?;
    }

    #[test]
    fn floats_stay_close(fluid in case(ANY)) {
        check_rounded(&fluid)?;
    }

    #[test]
    fn floats_stay_close_down_a_tree(fluid in case(Corners { floors: true, ..TREE })) {
        check_rounded(&tamed(fluid))?;
    }

    /// At least the smaller of the request and the quota, and of the request and the fraction by weight of what the
    /// quotas leave.
    #[test]
    fn sharing_is_worth_it(fluid in case(ANY)) {
        let all: f64 = fluid.teams.iter().map(|team| ratio(team.weight)).sum();
        let left = (0..fluid.capacity.len()).filter(|group| fluid.capacity[*group] > 0).map(|group| {
            let floors = fluid.teams.iter().map(|team| floor(&fluid, team) * float(team.request[group]));
            1.0 - floors.sum::<f64>() / float(fluid.capacity[group])
        });
        let left = left.fold(1.0, f64::min).max(0.0);
        for (team, entitled) in fluid.teams.iter().zip(solve(&fluid)) {
            let (one, cap) = (per_task(&fluid, team), most(&fluid, team));
            if one > 0.0 && one.is_finite() {
                let due = (cap * one).min(left * ratio(team.weight) / all);
                prop_assert!(decimal(&entitled.share) >= due - CLOSE, "{} of {due}", entitled.share);
                prop_assert!(decimal(&entitled.tasks) >= floor(&fluid, team) * (1.0 - CLOSE));
            }
        }
    }

    #[test]
    fn nobody_envies_another_by_weight(fluid in case(NO_FLOORS)) {
        let optimum = solve(&fluid);
        for (mine, own) in fluid.teams.iter().zip(&optimum) {
            for (theirs, other) in fluid.teams.iter().zip(&optimum) {
                let scale = ratio(mine.weight) / ratio(theirs.weight);
                let asked = mine.request.iter().zip(&other.amounts).filter(|(need, _)| **need > 0);
                let tasks = asked.map(|(need, amount)| scale * decimal(amount) / float(*need));
                let tasks = tasks.fold(most(&fluid, mine), f64::min);
                let idle = mine.request.iter().all(|need| *need == 0);
                prop_assert!(idle || tasks <= decimal(&own.tasks) * (1.0 + CLOSE) + CLOSE);
            }
        }
    }

    #[test]
    fn asking_for_something_else_gains_nothing(fluid in case(NO_FLOORS), lie in vec(0_u64..=12, 3)) {
        let honest = solve(&fluid);
        let mut changed = fluid.clone();
        let groups = fluid.capacity.len();
        changed.teams[0].request = lie[..groups].to_vec();
        // A limit in amounts binds the lie as well; tasks are what is counted, so the lie asks without end.
        changed.teams[0].tasks = None;
        let got = &solve(&changed)[0];
        let truth = &fluid.teams[0];
        let asked = truth.request.iter().zip(&got.amounts).filter(|(need, _)| **need > 0);
        let useful = asked.map(|(need, amount)| decimal(amount) / float(*need));
        let useful = useful.fold(most(&fluid, truth), f64::min);
        let idle = truth.request.iter().all(|need| *need == 0);
        prop_assert!(idle || useful <= decimal(&honest[0].tasks) * (1.0 + CLOSE) + CLOSE);
    }

    #[test]
    fn nobody_loses_when_another_leaves(fluid in case(Corners { zeros: false, ..ANY })) {
        let before = solve(&fluid);
        let mut fewer = fluid.clone();
        fewer.teams.pop();
        for (before, after) in before.iter().zip(solve(&fewer)) {
            prop_assert!(after.tasks >= before.tasks, "{} to {}", before.tasks, after.tasks);
        }
    }

    #[test]
    fn more_weight_never_means_less(fluid in case(ANY), factor in 1_u64..=50) {
        let before = solve(&fluid);
        let mut heavier = fluid.clone();
        let weight = heavier.teams[0].weight;
        heavier.teams[0].weight = Weight::new(weight.numerator() * factor, weight.denominator()).unwrap();
        prop_assert!(solve(&heavier)[0].tasks >= before[0].tasks);
    }

    #[test]
    fn units_do_not_matter(fluid in case(Corners { floors: true, ..TREE }), factor in 2_u64..=1000) {
        let before = solve(&fluid);
        let mut scaled = fluid.clone();
        scaled.capacity[0] *= factor;
        for team in &mut scaled.teams {
            team.request[0] *= factor;
            for bound in [&mut team.quota, &mut team.limit] {
                if let Some(Some(amount)) = bound.first_mut() {
                    *amount *= factor;
                }
            }
        }
        for (before, after) in before.iter().zip(solve(&scaled)) {
            prop_assert_eq!((&before.tasks, &before.share), (&after.tasks, &after.share));
        }
    }

    #[test]
    fn the_order_of_the_teams_does_not_matter(fluid in case(ANY)) {
        let mut reversed = fluid.clone();
        reversed.teams.reverse();
        prop_assert!(solve(&fluid).iter().eq(solve(&reversed).iter().rev()));
    }

    #[test]
    fn the_sweep_agrees_with_a_linear_program(fluid in case(ANY)) {
        let fluid = tamed(fluid);
        let expected = by_linear_programs(&fluid);
        for ((team, entitled), expected) in fluid.teams.iter().zip(solve(&fluid)).zip(expected) {
            let share = expected * per_task(&fluid, team).min(1e9);
            prop_assert!((decimal(&entitled.share) - share).abs() < CLOSE, "{} {share}", entitled.share);
        }
    }

    #[test]
    fn pools_agree_with_a_linear_program(capacity in vec(0_u64..=30, 1..=4), seeds in vec((0_usize..16, weights(), prop::option::of(0_u64..=20), 0_u64..=6), 1..=6)) {
        let teams: Vec<PoolTeam> = seeds
            .into_iter()
            .map(|(mask, weight, demand, floor)| {
                let weight = if moderate(weight) { weight } else { Weight::ONE };
                let eligible = (0..capacity.len()).filter(|pool| mask >> pool & 1 == 1).collect();
                let mut team = PoolTeam::new(eligible).with_weight(weight).with_floor(floor);
                team.demand = demand;
                team
            })
            .collect();
        let optimum = pool_entitlements(&capacity, &teams).unwrap();
        for (pool, capacity) in capacity.iter().enumerate() {
            prop_assert!(optimum.iter().map(|row| &row[pool]).sum::<Exact>() <= Exact::from(*capacity));
        }
        let expected = pools_by_linear_programs(&capacity, &teams);
        for ((team, row), expected) in teams.iter().zip(&optimum).zip(expected) {
            let total = row.iter().sum::<Exact>();
            prop_assert!((decimal(&total) - expected).abs() < 1e-7, "{total} {expected}");
            prop_assert!(row.iter().enumerate().all(|(pool, x)| *x == Exact::from(0) || team.eligible.contains(&pool)));
        }
    }
}

#[test]
fn a_quota_can_be_envied() {
    // Sixteen GPUs, half of them guaranteed to one of three teams: the others hold four each and would like its eight.
    let teams = vec![
        FluidTeam::new(vec![1]).with_quota(vec![Some(8)]),
        FluidTeam::new(vec![1]),
        FluidTeam::new(vec![1]),
    ];
    let optimum = solve(&Fluid::new(vec![16], teams));
    assert!(optimum[0].tasks > optimum[1].tasks);
}

/// Leximin by linear programs: raise all together as far as it goes, fix who cannot have more, and again.
///
/// `rows` are the constraints, a coefficient for each variable and a bound; `goal(team)` are the variables that sum to
/// what a team has, one unit of level being worth `worth` of it; between `least` and `most`.
pub(crate) struct Program {
    pub(crate) variables: usize,
    pub(crate) rows: Vec<(Vec<f64>, f64)>,
    pub(crate) teams: Vec<Competitor>,
}

#[derive(Clone)]
pub(crate) struct Competitor {
    pub(crate) goal: Vec<usize>,
    pub(crate) worth: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Program {
    fn build(
        &self,
        direction: OptimizationDirection,
        objective: Option<usize>,
    ) -> (Problem, Vec<Variable>, Variable) {
        let mut problem = Problem::new(direction);
        let goal = |at: usize| objective.is_some_and(|team| self.teams[team].goal.contains(&at));
        let x: Vec<_> = (0..self.variables)
            .map(|at| problem.add_var(if goal(at) { 1.0 } else { 0.0 }, (0.0, f64::INFINITY)))
            .collect();
        let level = problem.add_var(if objective.is_none() { 1.0 } else { 0.0 }, (0.0, f64::INFINITY));
        for (row, bound) in &self.rows {
            let mut expr = LinearExpr::empty();
            for (x, factor) in x.iter().zip(row) {
                expr.add(*x, *factor);
            }
            problem.add_constraint(expr, ComparisonOp::Le, *bound);
        }
        (problem, x, level)
    }

    pub(crate) fn solve(&self) -> Vec<f64> {
        // First the floors, as far as they go; then the rest above them.
        let floors: Vec<_> = self.teams.iter().map(|team| team.least.min(team.most)).collect();
        let base = self.raise(&vec![0.0; floors.len()], &floors);
        let most: Vec<_> = self.teams.iter().map(|team| team.most).collect();
        self.raise(&base, &most)
    }

    /// Raises the level for teams that hold at least `base`, at most `most`.
    fn raise(&self, base: &[f64], most: &[f64]) -> Vec<f64> {
        let mut fixed: Vec<Option<f64>> = most.iter().map(|most| (*most <= 0.0).then_some(0.0)).collect();
        let mut level = 0.0_f64;
        while fixed.contains(&None) {
            level = level.max(self.highest(base, most, &fixed, level));
            let target = |at: usize| {
                let held = if level.is_finite() { level * self.teams[at].worth } else { f64::INFINITY };
                held.max(base[at]).min(most[at])
            };
            let free: Vec<usize> = (0..fixed.len()).filter(|at| fixed[*at].is_none()).collect();
            let gaps: Vec<f64> =
                free.iter().map(|at| self.reach(*at, &fixed, &target) - target(*at)).collect();
            let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
            for (at, gap) in free.into_iter().zip(gaps) {
                if gap <= least.max(0.0) + 1e-6 {
                    fixed[at] = Some(target(at));
                }
            }
        }
        fixed.into_iter().map(Option::unwrap).collect()
    }

    /// The highest level that fits: by halving, as caps and floors make a team's part of it bend.
    fn highest(&self, base: &[f64], most: &[f64], fixed: &[Option<f64>], from: f64) -> f64 {
        // From bend to bend the program is linear: the highest level before the next bend.
        let mut bends: Vec<f64> = (0..base.len())
            .filter(|at| fixed[*at].is_none())
            .flat_map(|at| [base[at] / self.teams[at].worth, most[at] / self.teams[at].worth])
            .filter(|bend| bend.is_finite() && *bend > from + 1e-12)
            .collect();
        bends.sort_by(f64::total_cmp);
        bends.push(f64::INFINITY);
        let mut low = from;
        for high in bends {
            let (mut problem, x, level) = self.build(OptimizationDirection::Maximize, None);
            for (at, team) in self.teams.iter().enumerate() {
                let mut expr = LinearExpr::empty();
                for part in &team.goal {
                    expr.add(x[*part], 1.0);
                }
                let (start, end) = (base[at] / team.worth, most[at] / team.worth);
                match fixed[at] {
                    Some(value) => {
                        problem.add_constraint(expr, ComparisonOp::Ge, value - SLACK);
                    }
                    None if end <= low + 1e-12 => {
                        problem.add_constraint(expr, ComparisonOp::Ge, most[at] - SLACK);
                    }
                    None if start >= low + 1e-12 => {
                        problem.add_constraint(expr, ComparisonOp::Ge, base[at] - SLACK);
                    }
                    None => {
                        expr.add(level, -team.worth);
                        problem.add_constraint(expr, ComparisonOp::Ge, -SLACK);
                    }
                }
            }
            if high.is_finite() {
                problem.add_constraint([(level, 1.0)], ComparisonOp::Le, high);
            }
            let Ok(solution) = problem.solve().map(|outcome| outcome.into_solution().unwrap()) else {
                return low;
            };
            let reached = solution[level];
            if !high.is_finite() || reached < high - 1e-9 * high.max(1e-3) {
                return reached.max(low);
            }
            low = high;
        }
        low
    }

    /// The most that one team can have while the others have what they are due.
    fn reach(&self, team: usize, fixed: &[Option<f64>], target: &impl Fn(usize) -> f64) -> f64 {
        let (mut problem, x, _) = self.build(OptimizationDirection::Maximize, Some(team));
        for at in (0..self.teams.len()).filter(|at| *at != team) {
            let mut expr = LinearExpr::empty();
            for part in &self.teams[at].goal {
                expr.add(x[*part], 1.0);
            }
            problem.add_constraint(expr, ComparisonOp::Ge, fixed[at].unwrap_or_else(|| target(at)) - SLACK);
        }
        let Ok(solution) = problem.solve().map(|outcome| outcome.into_solution().unwrap()) else {
            return 0.0;
        };
        self.teams[team].goal.iter().map(|part| solution[x[*part]]).sum::<f64>().min(self.teams[team].most)
    }
}

/// Variables are dominant shares, which keeps the numbers near one.
fn by_linear_programs(fluid: &Fluid) -> Vec<f64> {
    let share = |team: &FluidTeam| per_task(fluid, team);
    let runs = |team: &FluidTeam| share(team) > 0.0 && share(team).is_finite();
    let rows = (0..fluid.capacity.len()).filter(|group| fluid.capacity[*group] > 0).map(|group| {
        let factor = |team: &FluidTeam| {
            if runs(team) {
                float(team.request[group]) / float(fluid.capacity[group]) / share(team)
            } else {
                0.0
            }
        };
        (fluid.teams.iter().map(factor).collect(), 1.0)
    });
    let teams = fluid.teams.iter().enumerate().map(|(at, team)| Competitor {
        goal: vec![at],
        worth: ratio(team.weight),
        least: if runs(team) { floor(fluid, team) * share(team) } else { 0.0 },
        most: if runs(team) { (most(fluid, team) * share(team)).min(2.0) } else { 0.0 },
    });
    let program = Program { variables: fluid.teams.len(), rows: rows.collect(), teams: teams.collect() };
    let shares = program.solve();
    fluid.teams.iter().zip(shares).map(|(team, x)| if runs(team) { x / share(team) } else { 0.0 }).collect()
}

fn pools_by_linear_programs(capacity: &[u64], teams: &[PoolTeam]) -> Vec<f64> {
    let pools = capacity.len();
    let mut rows: Vec<_> = (0..pools)
        .map(|pool| {
            let row = (0..teams.len() * pools).map(|at| if at % pools == pool { 1.0 } else { 0.0 });
            (row.collect::<Vec<_>>(), float(capacity[pool]))
        })
        .collect();
    for (at, team) in teams.iter().enumerate() {
        for pool in (0..pools).filter(|pool| !team.eligible.contains(pool)) {
            let mut row = vec![0.0; teams.len() * pools];
            row[at * pools + pool] = 1.0;
            rows.push((row, 0.0));
        }
    }
    let all = float(capacity.iter().sum());
    let competitors = teams.iter().enumerate().map(|(at, team)| Competitor {
        goal: (at * pools..(at + 1) * pools).collect(),
        worth: ratio(team.weight),
        least: float(team.floor),
        most: team.demand.map_or(all + 1.0, float),
    });
    Program { variables: teams.len() * pools, rows, teams: competitors.collect() }.solve()
}
