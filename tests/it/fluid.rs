//! The fluid optima: worked examples with exact answers. Their properties are in `fluid_properties`.
//!
//! A failure here means that an entitlement is wrong, not merely imprecise: every comparison is exact.

use fairshare::{
    Entitlement, Exact, FloorForm, Fluid, FluidError, FluidTeam, PoolTeam, TeamId, Weight, pool_entitlements,
};

pub(crate) fn weight(numerator: u64, denominator: u64) -> Weight {
    Weight::new(numerator, denominator).unwrap()
}

fn teams<const N: usize>(requests: &[[u64; N]]) -> Vec<FluidTeam> {
    requests.iter().map(|request| FluidTeam::new(request.to_vec())).collect()
}

fn tasks(optimum: &[Entitlement]) -> Vec<String> {
    optimum.iter().map(|team| team.tasks.to_string()).collect()
}

fn shares(optimum: &[Entitlement]) -> Vec<String> {
    optimum.iter().map(|team| team.share.to_string()).collect()
}

fn amounts(optimum: &[Entitlement], group: usize) -> Vec<String> {
    optimum.iter().map(|team| team.amounts[group].to_string()).collect()
}

#[test]
fn the_example_of_the_paper() {
    let optimum = Fluid::new(vec![9, 18], teams(&[[1, 4], [3, 1]])).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["3", "2"]);
    assert_eq!(shares(&optimum), ["2/3", "2/3"]);
    assert_eq!(
        (amounts(&optimum, 0), amounts(&optimum, 1)),
        (vec!["3".into(), "6".into()], vec!["12".into(), "2".into()])
    );
}

#[test]
fn a_team_can_lose_when_a_resource_grows() {
    let before = Fluid::new(vec![1, 1], teams(&[[2, 1], [1, 2]])).entitlements().unwrap();
    let after = Fluid::new(vec![1, 2], teams(&[[2, 1], [1, 2]])).entitlements().unwrap();
    assert_eq!(
        (tasks(&before), shares(&before)),
        (vec!["1/3".into(), "1/3".into()], vec!["2/3".into(), "2/3".into()])
    );
    assert_eq!(
        (tasks(&after), shares(&after)),
        (vec!["1/4".into(), "1/2".into()], vec!["1/2".into(), "1/2".into()])
    );
}

#[test]
fn twice_the_weight_is_twice_the_share() {
    for (heavy, light) in
        [(weight(2, 1), Weight::ONE), (Weight::ONE, weight(1, 2)), (weight(2, 3), weight(1, 3))]
    {
        let mut two = teams(&[[1, 4], [3, 1]]);
        (two[0].weight, two[1].weight) = (heavy, light);
        let optimum = Fluid::new(vec![9, 18], two).entitlements().unwrap();
        assert_eq!(tasks(&optimum), ["54/13", "18/13"]);
        assert_eq!(shares(&optimum), ["12/13", "6/13"]);
    }
}

#[test]
fn who_does_not_need_what_ran_out_goes_on() {
    let optimum = Fluid::new(vec![10, 10], teams(&[[1, 0], [2, 1], [0, 1]])).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["5", "5/2", "15/2"]);
    assert_eq!(shares(&optimum), ["1/2", "1/2", "3/4"]);
}

#[test]
fn a_team_can_lose_when_another_leaves_if_requests_may_be_zero() {
    let three = teams(&[[2, 3], [3, 0], [0, 2]]);
    let before = Fluid::new(vec![6, 5], three.clone()).entitlements().unwrap();
    let after = Fluid::new(vec![6, 5], three[..2].to_vec()).entitlements().unwrap();
    assert_eq!(tasks(&before), ["5/6", "13/9", "5/4"]);
    assert_eq!(tasks(&after), ["15/14", "9/7"]);
}

#[test]
fn a_quota_is_a_floor_or_comes_on_top() {
    let mut three = teams(&[[1], [1], [1]]);
    three[0].quota = vec![Some(8)];
    let fluid = Fluid::new(vec![16], three);
    assert_eq!(amounts(&fluid.entitlements().unwrap(), 0), ["8", "4", "4"]);
    let fluid = fluid.with_form(FloorForm::Additive);
    assert_eq!(amounts(&fluid.entitlements().unwrap(), 0), ["32/3", "8/3", "8/3"]);
}

/// Peers' cases of one resource: capacity 100, teams with weight and demand.
#[test]
fn demands_cap_the_shares_of_one_resource() {
    type Case = (&'static [(u64, u64)], &'static [&'static str]);
    let cases: [Case; 6] = [
        (&[(1, 1000)], &["1"]),
        (&[(1, 1)], &["1/100"]),
        (&[(1, 1000), (1, 1000)], &["1/2", "1/2"]),
        (&[(1, 1), (1, 1)], &["1/100", "1/100"]),
        (&[(1, 1), (3, 1000)], &["1/100", "99/100"]),
        (&[(1, 1000), (3, 1)], &["99/100", "1/100"]),
    ];
    for (teams, expected) in cases {
        let teams: Vec<_> = teams
            .iter()
            .map(|(w, d)| FluidTeam::new(vec![1]).with_weight(weight(*w, 1)).with_tasks(*d))
            .collect();
        // The nominal share is that of endless demands.
        let all: u64 = teams.iter().map(|team| team.weight.numerator()).sum();
        let nominal: Vec<_> = teams
            .iter()
            .map(|team| Exact::new(team.weight.numerator().into(), all.into()).unwrap())
            .collect();
        let endless = teams.iter().map(|team| FluidTeam::new(vec![1]).with_weight(team.weight)).collect();
        let optimum = Fluid::new(vec![100], endless).entitlements().unwrap();
        assert_eq!(optimum.into_iter().map(|team| team.share).collect::<Vec<_>>(), nominal);
        assert_eq!(shares(&Fluid::new(vec![100], teams).entitlements().unwrap()), expected);
    }
}

#[test]
fn without_capacity_nobody_is_entitled_to_anything() {
    let optimum = Fluid::new(vec![0], teams(&[[1], [1], [1]])).entitlements().unwrap();
    assert_eq!(shares(&optimum), ["0", "0", "0"]);
    // A group that is missing stops who asks for it, and nobody else.
    let optimum = Fluid::new(vec![4, 0], teams(&[[1, 1], [1, 0], [0, 0]])).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["0", "4", "0"]);
}

#[test]
fn one_percent_of_48_cores_is_not_nothing() {
    let mut two = teams(&[[1000], [1000]]);
    (two[0].weight, two[1].weight) = (weight(1, 100), weight(99, 100));
    let optimum = Fluid::new(vec![48_000], two).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["12/25", "1188/25"]);
}

#[test]
fn limits_and_tasks_cap_a_team() {
    let mut three = teams(&[[1, 2], [1, 1], [1, 0]]);
    three[0].limit = vec![None, Some(4)];
    three[1].tasks = Some(3);
    let optimum = Fluid::new(vec![30, 30], three).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["2", "3", "25"]);
}

#[test]
fn quotas_beyond_the_capacity_are_met_as_far_as_it_goes() {
    let mut three = teams(&[[1], [1], [1]]);
    (three[0].quota, three[1].quota) = (vec![Some(8)], vec![Some(3)]);
    let optimum = Fluid::new(vec![8], three).entitlements().unwrap();
    assert_eq!(amounts(&optimum, 0), ["5", "3", "0"]);
}

#[test]
fn a_quota_guarantees_what_it_names_only() {
    // The first team's quota names the GPUs, which it does not ask for.
    let mut two = teams(&[[0, 1], [1, 1]]);
    two[0].quota = vec![Some(8), None];
    let optimum = Fluid::new(vec![8, 16], two).entitlements().unwrap();
    assert_eq!(amounts(&optimum, 1), ["32/3", "16/3"]);
}

#[test]
fn a_department_counts_as_one_among_its_siblings() {
    // Flat, by collapsed weights, the department would get a third only.
    let capacity = vec![10, 10];
    let tree = vec![
        FluidTeam::new(vec![1, 1]),
        FluidTeam::default(),
        FluidTeam::new(vec![1, 0]).under(TeamId::new(1)),
        FluidTeam::new(vec![0, 1]).under(TeamId::new(1)),
    ];
    let optimum = Fluid::new(capacity.clone(), tree).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["5", "0", "5", "5"]);
    assert_eq!(shares(&optimum), ["1/2", "1/2", "1/2", "1/2"]);
    let mut flat = teams(&[[1, 1], [1, 0], [0, 1]]);
    for (team, part) in flat.iter_mut().zip([weight(1, 2), weight(1, 4), weight(1, 4)]) {
        team.weight = part;
    }
    assert_eq!(tasks(&Fluid::new(capacity, flat).entitlements().unwrap()), ["20/3", "10/3", "10/3"]);
}

#[test]
fn a_department_goes_on_with_the_teams_that_can() {
    let third = TeamId::new(2);
    let tree = vec![
        FluidTeam::new(vec![1, 0]),
        FluidTeam::new(vec![1, 0]),
        FluidTeam::default(),
        FluidTeam::new(vec![1, 0]).under(third),
        FluidTeam::new(vec![0, 1]).under(third),
        FluidTeam::new(vec![0, 1]),
    ];
    let optimum = Fluid::new(vec![30, 30], tree).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["10", "10", "0", "10", "15", "15"]);
}

#[test]
fn a_department_defends_its_teams_and_they_share_inside() {
    let mut tree = vec![
        FluidTeam::default().with_quota(vec![Some(12)]),
        FluidTeam::new(vec![1]).under(TeamId::new(0)),
        FluidTeam::new(vec![1]).under(TeamId::new(0)).with_weight(weight(2, 1)),
        FluidTeam::new(vec![1]),
    ];
    let optimum = Fluid::new(vec![16], tree.clone()).entitlements().unwrap();
    assert_eq!(amounts(&optimum, 0), ["12", "4", "8", "4"]);
    // Named by the teams instead, the same quota is the sum of theirs.
    tree[0].quota.clear();
    tree[1].quota = vec![Some(9)];
    tree[2].quota = vec![Some(3)];
    let optimum = Fluid::new(vec![16], tree).entitlements().unwrap();
    assert_eq!(amounts(&optimum, 0), ["12", "9", "3", "4"]);
}

#[test]
fn a_department_may_have_jobs_of_its_own() {
    let tree = vec![
        FluidTeam::new(vec![2]).with_limit(vec![Some(12)]),
        FluidTeam::new(vec![1]).under(TeamId::new(0)).with_weight(weight(3, 1)),
        FluidTeam::new(vec![1]).with_tasks(2),
    ];
    let optimum = Fluid::new(vec![16], tree).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["3/2", "9", "2"]);
    assert_eq!(amounts(&optimum, 0), ["12", "9", "2"]);
}

#[test]
fn what_a_department_cannot_use_goes_to_others() {
    // Alone, the teams of the department would take 10 and 40 of the groups; of half of that, (5, 20), they can use
    // only a part in their own proportions, because each of them stands still at the first group.
    let tree = vec![
        FluidTeam::default(),
        FluidTeam::new(vec![1, 1]).with_tasks(10).under(TeamId::new(0)),
        FluidTeam::new(vec![1, 3]).with_tasks(10).under(TeamId::new(0)),
        FluidTeam::new(vec![3, 3]),
    ];
    let optimum = Fluid::new(vec![30, 60], tree).entitlements().unwrap();
    let used = |group: usize| optimum[0].amounts[group].to_f64() + optimum[3].amounts[group].to_f64();
    assert!((used(0) - 30.0).abs() < 1e-9 || (used(1) - 60.0).abs() < 1e-9);
}

/// The price of going level by level: a department asks in fixed proportions, here 10 to 1, until a group runs out. The
/// team that wants ten, of the sixth that it would be due, gets less than five.
#[test]
fn a_department_in_fixed_proportions_can_hold_a_modest_team_back() {
    let tree = vec![
        FluidTeam::default(),
        FluidTeam::new(vec![0, 1]).with_tasks(10).under(TeamId::new(0)),
        FluidTeam::new(vec![1, 0]).under(TeamId::new(0)),
        FluidTeam::new(vec![1, 1]),
        FluidTeam::new(vec![0, 1]),
    ];
    let optimum = Fluid::new(vec![100, 100], tree).entitlements().unwrap();
    assert_eq!(tasks(&optimum), ["0", "100/21", "1100/21", "1000/21", "1000/21"]);
}

#[test]
fn eligibility_bounds_what_is_shared() {
    let three = [PoolTeam::new(vec![0]), PoolTeam::new(vec![1, 0]), PoolTeam::new(vec![1])];
    let optimum = pool_entitlements(&[8, 4], &three).unwrap();
    let expected = [[4, 0], [4, 0], [0, 4]].map(|row| row.map(Exact::from).to_vec());
    assert_eq!(optimum, expected);
}

#[test]
fn weights_demands_and_floors_hold_over_pools() {
    let totals = |capacity: &[u64], teams: &[PoolTeam]| -> Vec<String> {
        let optimum = pool_entitlements(capacity, teams).unwrap();
        optimum.iter().map(|row| row.iter().sum::<Exact>().to_string()).collect()
    };
    let both = || PoolTeam::new(vec![0, 1]);
    let first = || PoolTeam::new(vec![0]);
    assert_eq!(totals(&[6, 6], &[both().with_weight(weight(2, 1)), both()]), ["8", "4"]);
    assert_eq!(totals(&[6, 6], &[both().with_demand(2), both(), first()]), ["2", "5", "5"]);
    assert_eq!(totals(&[6, 6], &[both().with_floor(9), first(), first()]), ["9", "3/2", "3/2"]);
    // Two floors for one pool of six: met as far as it goes, and the other pool makes room.
    assert_eq!(totals(&[6, 6], &[first().with_floor(5), first().with_floor(4), both()]), ["3", "3", "6"]);
    assert_eq!(totals(&[6, 6], &[PoolTeam::new(vec![]), both()]), ["0", "12"]);
    assert_eq!(totals(&[6, 6], &[both().with_demand(3), first().with_demand(0)]), ["3", "0"]);
}

#[test]
fn bad_input_is_named() {
    let error = |teams: Vec<FluidTeam>| Fluid::new(vec![1, 1], teams).entitlements().unwrap_err().to_string();
    assert_eq!(error(teams(&[[1]])), "the request of team 0 has 1 groups, and there are 2");
    assert_eq!(
        error(vec![FluidTeam::new(vec![1, 1]), FluidTeam::new(vec![1, 1]).with_quota(vec![None; 3])]),
        "the quota of team 1 has 3 groups, and there are 2"
    );
    let cycle = vec![FluidTeam::default().under(TeamId::new(1)), FluidTeam::default().under(TeamId::new(0))];
    assert_eq!(error(cycle), "team 0 has a parent that is no team or lies below it");
    assert_eq!(
        error(vec![FluidTeam::default().under(TeamId::new(7))]),
        "team 0 has a parent that is no team or lies below it"
    );
    let error = pool_entitlements(&[1], &[PoolTeam::new(vec![0]), PoolTeam::new(vec![1])]).unwrap_err();
    assert_eq!(error, FluidError::Pool { team: 1, pool: 1 });
    assert_eq!(error.to_string(), "team 1 may use pool 1, and there is no such pool");
}

#[test]
fn a_chain_of_departments_as_deep_as_it_gets_and_no_teams_at_all() {
    assert!(Fluid::default().entitlements().unwrap().is_empty());
    let mut chain: Vec<_> = (0..60)
        .map(|i| if i == 0 { FluidTeam::default() } else { FluidTeam::default().under(TeamId::new(i - 1)) })
        .collect();
    chain.push(FluidTeam::new(vec![1]).under(TeamId::new(59)));
    let optimum = Fluid::new(vec![7], chain).entitlements().unwrap();
    assert!(optimum.iter().all(|team| team.amounts == [Exact::from(7)]));
}
