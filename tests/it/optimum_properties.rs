//! What the fluid optima beyond one domain keep: down a tree, over pools with eligibility, and where speeds differ; and
//! that one resource, or one that runs out first for all, is divided by weight. Those of one domain are in
//! `fluid_properties`, what none keeps in `counterexamples`; `tests/properties.md` is the table.
//!
//! A failure means that the rule is wrong, or a premise of the table is.

use fairshare::{Fluid, FluidTeam, PoolTeam, TeamId, Weight};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::fluid_properties::{
    ANY, Corners, TREE, case, decimal, float, floor, is_leaf, maybe, most, per_task, ratio, solve, tamed,
    weights,
};
use crate::optimum::{
    Optimum, Pools, better_alone, by_chance, change_by_units, envy, gain_of_a_lie, loss_by_leaving,
    loss_by_more, loss_by_weight, unlawful,
};

/// What numbers printed as decimals may miss.
const CLOSE: f64 = 1e-9;

/// Work without end, so that requests alone say what a department asks.
const ENDLESS: Corners = Corners { caps: false, ..TREE };

fn holds(gap: f64, close: f64) -> Result<(), TestCaseError> {
    prop_assert!(gap <= close, "missed by {gap}");
    Ok(())
}

/// Departments that are nothing but their teams.
fn departments(corners: Corners) -> impl Strategy<Value = Fluid> {
    case(corners).prop_map(of_departments)
}

fn of_departments(mut fluid: Fluid) -> Fluid {
    for at in 0..fluid.teams.len() {
        if !is_leaf(&fluid, at) {
            let team = &mut fluid.teams[at];
            (team.request, team.limit, team.tasks) = (Vec::new(), Vec::new(), None);
        }
    }
    fluid
}

fn of_one_resource(mut fluid: Fluid) -> Fluid {
    fluid.capacity.truncate(1);
    for team in &mut fluid.teams {
        team.request.truncate(1);
        team.limit.truncate(1);
    }
    fluid
}

/// The same where the first resource is the dominant one of every team.
fn with_bottleneck(fluid: Fluid) -> Fluid {
    let mut fluid = tamed(fluid);
    let capacity = fluid.capacity.clone();
    // Smaller numbers, and quotas that fit together again.
    let mut free = capacity.clone();
    for team in &mut fluid.teams {
        for (quota, free) in team.quota.iter_mut().zip(&mut free) {
            *quota = quota.map(|quota| quota.min(*free));
            *free -= quota.unwrap_or(0);
        }
    }
    for team in fluid.teams.iter_mut().filter(|team| !team.request.is_empty()) {
        for (need, capacity) in team.request.iter_mut().zip(&capacity) {
            *need = if *capacity == 0 { 0 } else { *need };
        }
        let shares = team.request.iter().zip(&capacity).filter(|(need, _)| **need > 0);
        let needed = shares.map(|(need, all)| (need * capacity[0]).div_ceil(*all)).max();
        team.request[0] = needed.unwrap_or(0);
    }
    fluid
}

/// A room divided among weights, each part between two bounds: the level is found by halving.
fn by_weight(room: f64, parts: &[(f64, f64, f64)]) -> Vec<f64> {
    let at =
        |level: f64| parts.iter().map(move |(weight, least, most)| (level * weight).max(*least).min(*most));
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..120 {
        let middle = f64::midpoint(low, high);
        if at(middle).sum::<f64>() <= room { low = middle } else { high = middle }
    }
    at(low).collect()
}

/// What each team would hold of the first resource, level by level.
fn level_by_level(fluid: &Fluid) -> Vec<f64> {
    let capacity = float(fluid.capacity[0]);
    let children = |parent: Option<usize>| {
        let of = move |at: &usize| fluid.teams[*at].parent.map(TeamId::index) == parent;
        (0..fluid.teams.len()).filter(of).collect::<Vec<_>>()
    };
    let mut bounds = vec![(0.0, 0.0); fluid.teams.len()];
    for at in (0..bounds.len()).rev() {
        let team = &fluid.teams[at];
        let own = team.request.first().map_or(0.0, |need| float(*need));
        bounds[at] = if is_leaf(fluid, at) {
            let least = if own > 0.0 { floor(fluid, team) * own } else { 0.0 };
            (least, if own > 0.0 { (most(fluid, team) * own).min(capacity) } else { 0.0 })
        } else {
            let sum = |a: (f64, f64), b: usize| (a.0 + bounds[b].0, a.1 + bounds[b].1);
            children(Some(at)).into_iter().fold((0.0, 0.0), sum)
        };
    }
    let mut held = vec![0.0; bounds.len()];
    let mut rooms = vec![(None, capacity)];
    while let Some((parent, room)) = rooms.pop() {
        let siblings = children(parent);
        let parts: Vec<_> = siblings
            .iter()
            .map(|at| (ratio(fluid.teams[*at].weight), bounds[*at].0, bounds[*at].1))
            .collect();
        for (at, amount) in siblings.into_iter().zip(by_weight(room, &parts)) {
            held[at] = amount;
            rooms.push((Some(at), amount));
        }
    }
    held
}

fn check_bottleneck(fluid: &Fluid) -> Result<(), TestCaseError> {
    for (entitled, expected) in solve(fluid).iter().zip(level_by_level(fluid)) {
        let held = decimal(&entitled.amounts[0]);
        prop_assert!((held - expected).abs() <= 1e-6, "{held}, expected {expected}");
    }
    Ok(())
}

/// One leaf says that it asks something else, without end.
fn lie_of_a_leaf(fluid: &Fluid, which: usize, request: &[u64]) -> f64 {
    let leaves: Vec<usize> = (0..fluid.teams.len()).filter(|at| is_leaf(fluid, *at)).collect();
    let at = leaves[which % leaves.len()];
    let mut lie = fluid.teams[at].clone();
    (lie.request, lie.tasks) = (request[..fluid.capacity.len()].to_vec(), None);
    gain_of_a_lie(fluid, at, &lie)
}

fn amounts() -> impl Strategy<Value = Vec<u64>> {
    vec(prop_oneof![5 => 1_u64..=30, 1 => Just(0)], 1..=4)
}

fn eligible() -> impl Strategy<Value = Vec<usize>> {
    (0_usize..16).prop_map(|mask| (0..4).filter(|pool| mask >> pool & 1 == 1).collect())
}

fn pools() -> impl Strategy<Value = Pools> {
    let team = (eligible(), weights(), maybe(true, 0.5, 0_u64..=20));
    (amounts(), vec(team, 1..=6)).prop_map(|(capacity, teams)| {
        let team = |(mut eligible, weight, demand): (Vec<usize>, _, _)| {
            eligible.retain(|pool| *pool < capacity.len());
            let mut team = PoolTeam::new(eligible).with_weight(weight);
            team.demand = demand;
            team
        };
        let teams = teams.into_iter().map(team).collect();
        Pools { capacity, teams }
    })
}

/// What all teams could hold together: the least that some pools have and those ask who may use another.
fn together(case: &Pools) -> f64 {
    let pools = case.capacity.len();
    let bound = |set: usize| {
        let inside = |pool: &usize| set >> pool & 1 == 1;
        let room: u64 = (0..pools).filter(inside).map(|pool| case.capacity[pool]).sum();
        let others = case.teams.iter().filter(|team| !team.eligible.iter().all(inside));
        others.map(|team| team.demand.map_or(f64::INFINITY, float)).sum::<f64>() + float(room)
    };
    (0..1 << pools).map(bound).fold(f64::INFINITY, f64::min)
}

proptest! {
    /// One resource, or one that runs out first for everybody, goes by weight between quota and what is asked.
    #[test]
    fn one_bottleneck_is_divided_by_weight(fluid in case(ANY)) {
        check_bottleneck(&with_bottleneck(fluid))?;
    }

    #[test]
    fn one_bottleneck_is_divided_by_weight_at_every_level(fluid in departments(ENDLESS)) {
        check_bottleneck(&with_bottleneck(fluid))?;
    }

    #[test]
    fn one_resource_is_divided_by_weight_at_every_level(fluid in departments(TREE)) {
        check_bottleneck(&with_bottleneck(of_one_resource(fluid)))?;
    }

    #[test]
    fn nothing_is_exceeded_and_order_means_nothing_down_a_tree(fluid in departments(TREE)) {
        holds(unlawful(&fluid), CLOSE)?;
        holds(by_chance(&fluid), CLOSE)?;
    }

    /// A part of everything at every level: what a department asks follows from its teams only if none is soon content.
    #[test]
    fn sharing_is_worth_it_down_a_tree(fluid in departments(ENDLESS)) {
        holds(better_alone(&fluid), CLOSE)?;
    }

    #[test]
    fn sharing_one_resource_is_worth_it_down_a_tree(fluid in departments(TREE)) {
        holds(better_alone(&of_one_resource(fluid)), CLOSE)?;
    }

    #[test]
    fn nobody_envies_a_sibling(fluid in departments(TREE)) {
        holds(envy(&fluid), CLOSE)?;
    }

    #[test]
    fn asking_for_something_else_gains_nothing_down_a_tree(
        fluid in departments(ENDLESS), which in 0_usize..6, lie in vec(0_u64..=12, 3)
    ) {
        holds(lie_of_a_leaf(&fluid, which, &lie), CLOSE)?;
    }

    #[test]
    fn no_sibling_loses_when_another_leaves(fluid in departments(Corners { zeros: false, ..ENDLESS })) {
        holds(loss_by_leaving(&fluid), CLOSE)?;
    }

    /// The same of departments, by their shares.
    #[test]
    fn no_department_loses_when_another_leaves(fluid in departments(Corners { zeros: false, ..ENDLESS })) {
        let last = (0..fluid.teams.len()).rfind(|at| fluid.teams[*at].parent.is_none()).unwrap();
        let mut fewer = fluid.clone();
        for at in last..fluid.teams.len() {
            let mut top = at;
            while let Some(parent) = fluid.teams[top].parent {
                top = parent.index();
            }
            if top == last {
                fewer.teams[at].request.clear();
            }
        }
        let (before, after) = (solve(&fluid), solve(&fewer));
        for at in (0..last).filter(|at| fluid.teams[*at].parent.is_none()) {
            prop_assert!(after[at].share >= before[at].share, "{} to {}", before[at].share, after[at].share);
        }
    }

    #[test]
    fn more_weight_never_means_less_down_a_tree(
        fluid in departments(Corners { zeros: false, ..ENDLESS }), team in 0_usize..6, factor in 1_u64..=50
    ) {
        let team = team % fluid.teams.len();
        let mut heavier = fluid.clone();
        let weight = heavier.teams[team].weight;
        heavier.teams[team].weight = Weight::new(weight.numerator() * factor, weight.denominator()).unwrap();
        prop_assert!(solve(&heavier)[team].share >= solve(&fluid)[team].share);
    }

    #[test]
    fn pools_are_not_exceeded_and_order_means_nothing(case in pools()) {
        holds(unlawful(&case), CLOSE)?;
        holds(by_chance(&case), CLOSE)?;
    }

    #[test]
    fn nothing_in_pools_is_wasted(case in pools()) {
        let held: f64 = case.divide().iter().map(|held| held.use_of).sum();
        let all = together(&case);
        prop_assert!((held - all).abs() <= CLOSE * all.max(1.0), "{held} of {all}");
    }

    #[test]
    fn sharing_pools_is_worth_it(case in pools()) {
        holds(better_alone(&case), CLOSE)?;
    }

    #[test]
    fn nobody_envies_another_in_pools(case in pools()) {
        holds(envy(&case), CLOSE)?;
    }

    #[test]
    fn saying_that_other_pools_will_do_gains_nothing(case in pools(), lie in eligible(), demand in maybe(true, 0.5, 0_u64..=30)) {
        let pools = lie.into_iter().filter(|pool| *pool < case.capacity.len()).collect();
        let mut lie = PoolTeam::new(pools).with_weight(case.teams[0].weight);
        lie.demand = demand;
        holds(gain_of_a_lie(&case, 0, &lie), CLOSE)?;
    }

    /// Where all may use all pools, they are one.
    #[test]
    fn pools_for_everybody_are_divided_by_weight(mut case in pools()) {
        for team in &mut case.teams {
            team.eligible = (0..case.capacity.len()).collect();
        }
        let room = float(case.capacity.iter().sum());
        let part = |team: &PoolTeam| (ratio(team.weight), 0.0, team.demand.map_or(room, float));
        let parts: Vec<_> = case.teams.iter().map(part).collect();
        for (held, expected) in case.divide().iter().zip(by_weight(room, &parts)) {
            prop_assert!((held.use_of - expected).abs() <= 1e-6, "{} of {expected}", held.use_of);
        }
    }

    #[test]
    fn nobody_in_pools_loses_when_another_leaves(case in pools()) {
        holds(loss_by_leaving(&case), CLOSE)?;
    }

    #[test]
    fn nobody_loses_when_a_pool_grows(case in pools(), pool in 0_usize..4, more in 1_u64..=30) {
        holds(loss_by_more(&case, pool % case.capacity.len(), more), CLOSE)?;
    }

    #[test]
    fn more_weight_never_means_less_of_pools(case in pools(), team in 0_usize..6, factor in 1_u64..=50) {
        holds(loss_by_weight(&case, team % case.teams.len(), factor), CLOSE)?;
    }

    #[test]
    fn the_unit_of_pools_does_not_matter(case in pools(), factor in 2_u64..=1000) {
        holds(change_by_units(&case, 0, factor), CLOSE)?;
    }
}

/// Where some teams below a department are soon content, the department asks in proportions that are not theirs. Of
/// 60,000 such cases a lie gained in 47, at most 0.46 of what it got, and a part by weight was missed in 86, by at most
/// 0.72 of it. It can be more where more departments share: one in n may be held back to an n-th of what it wants.
#[test]
fn who_is_soon_content_below_a_department_is_seldom_held_back() {
    let mut runner = TestRunner::deterministic();
    let team = (vec(0_u64..=4, 2), prop::option::of(0_u32..4), prop::option::of(1_u64..=4), 1_u64..=3);
    let cases = (vec(1_u64..=9, 2), vec(team, 5)).prop_map(|(capacity, teams)| {
        let team = |(at, (request, parent, tasks, weight)): (usize, (Vec<u64>, Option<u32>, _, u64))| {
            let mut team = FluidTeam::new(request).with_weight(Weight::new(weight, 1).unwrap());
            (team.tasks, team.parent) = (tasks, parent.map(TeamId::new).filter(|parent| parent.index() < at));
            team
        };
        of_departments(Fluid::new(capacity, teams.into_iter().enumerate().map(team).collect()))
    });
    let lies = (0_usize..6, vec(0_u64..=4, 2));
    let (mut lied, mut missed) = ((0, 0.0_f64), (0, 0.0_f64));
    for _ in 0..2_000 {
        let ((which, lie), case) =
            (lies.new_tree(&mut runner).unwrap().current(), cases.new_tree(&mut runner).unwrap().current());
        for (gap, seen) in
            [(lie_of_a_leaf(&case, which, &lie), &mut lied), (better_alone(&case), &mut missed)]
        {
            *seen = (seen.0 + usize::from(gap > CLOSE), seen.1.max(gap));
        }
    }
    println!("of 2,000 cases: a lie gained {lied:?}, sharing was not worth it {missed:?}");
    assert!(lied.0 <= 10 && missed.0 <= 100 && lied.1.max(missed.1) <= 0.6, "{lied:?} {missed:?}");
}

/// The generators reach what is hard, often enough that a fault there would be seen.
#[test]
fn generated_divisions_reach_the_corners() {
    let mut runner = TestRunner::deterministic();
    let mut count = |corners: &mut [usize], judge: &mut dyn FnMut(&mut TestRunner) -> Vec<bool>| {
        for _ in 0..512 {
            for (corner, seen) in corners.iter_mut().zip(judge(&mut runner)) {
                *corner += usize::from(seen);
            }
        }
    };
    let mut over_pools = [0; 5];
    count(&mut over_pools, &mut |runner| {
        let case = pools().new_tree(runner).unwrap().current();
        let want = |team: &PoolTeam| team.demand.map_or(f64::INFINITY, float);
        let held = case.divide();
        vec![
            case.teams.iter().zip(&held).any(|(team, held)| held.use_of < want(team)),
            case.capacity.contains(&0),
            case.teams.iter().any(|team| team.eligible.is_empty()),
            case.teams.iter().any(|team| team.demand == Some(0)),
            held.iter().any(|one| one.amounts.iter().filter(|amount| **amount > 0.0).count() > 1),
        ]
    });
    let mut down_a_tree = [0; 5];
    count(&mut down_a_tree, &mut |runner| {
        let case = departments(TREE).new_tree(runner).unwrap().current();
        let held = case.divide();
        let depth = |team: &FluidTeam| team.parent.map(|parent| case.teams[parent.index()].parent);
        vec![
            case.teams.iter().zip(&held).any(|(team, held)| held.use_of < most(&case, team)),
            case.capacity.contains(&0),
            case.teams.iter().any(|team| depth(team).flatten().is_some()),
            case.teams.iter().any(|team| team.limit.contains(&Some(0)) || team.tasks == Some(0)),
            case.teams.iter().any(|team| per_task(&case, team) > 1.0),
        ]
    });
    println!("of 512 over pools {over_pools:?}, down a tree {down_a_tree:?}");
    for corners in [over_pools, down_a_tree] {
        assert!(corners[0] >= 256 && corners.iter().all(|seen| *seen >= 11), "{corners:?}");
    }
}
