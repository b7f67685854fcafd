//! What the fluid optima do not keep: for each such cell of the table of properties the smallest case known, exactly.
//! Those of speeds are in `speed_properties`, those of indivisible jobs in `discrete_properties` and, where jobs may be
//! stopped, in `eviction_properties`.
//!
//! A failure is good news or a change of the rule: the table in `tests/properties.md` says what the model promises.

use fairshare::{Fluid, FluidTeam, TeamId};

use crate::fluid::weight;
use crate::optimum::gain_of_a_lie;

fn tasks(fluid: &Fluid) -> Vec<String> {
    fluid.entitlements().unwrap().iter().map(|team| team.tasks.to_string()).collect()
}

fn team(request: [u64; 2]) -> FluidTeam {
    FluidTeam::new(request.to_vec())
}

/// A weight is set by whoever runs the cluster, not claimed: this is why.
#[test]
fn who_claims_more_weight_gets_more() {
    let fluid = Fluid::new(vec![12], vec![FluidTeam::new(vec![1]); 2]);
    let lie = FluidTeam::new(vec![1]).with_weight(weight(2, 1));
    assert_eq!(tasks(&fluid), ["6", "6"]);
    assert!((gain_of_a_lie(&fluid, 0, &lie) - 0.25).abs() < 1e-12, "8 instead of 6");
}

/// A quota tests what it names only. It names GPUs, and the team asks for cores: that it wants a GPU as well makes the
/// quota hold, for the cores too.
#[test]
fn who_claims_what_its_quota_names_gets_more_of_the_rest() {
    let quota = vec![Some(2), None];
    let fluid = Fluid::new(vec![4, 4], vec![team([0, 1]).with_quota(quota.clone()), team([0, 1])]);
    assert_eq!(tasks(&fluid), ["2", "2"]);
    let lie = team([1, 2]).with_quota(quota);
    assert!((gain_of_a_lie(&fluid, 0, &lie) - 0.5).abs() < 1e-12, "all four cores instead of two");
}

/// Its department asks ten of one against a hundred of the other, and takes a twenty-first of that. A team of it that
/// says that it wants as much as everybody has all ten that it wants.
#[test]
fn who_claims_not_to_be_content_so_soon_gets_more_of_its_department() {
    let fluid = Fluid::new(
        vec![100, 100],
        vec![
            FluidTeam::default(),
            team([0, 1]).with_tasks(10).under(TeamId::new(0)),
            team([1, 0]).under(TeamId::new(0)),
            team([1, 1]),
            team([0, 1]),
        ],
    );
    assert_eq!(tasks(&fluid)[1], "100/21");
    let lie = team([0, 1]).under(TeamId::new(0));
    assert!((gain_of_a_lie(&fluid, 1, &lie) - 11.0 / 21.0).abs() < 1e-12);
}

/// Nobody in the same department does: a team that leaves changes what its department asks.
#[test]
fn who_is_in_another_department_can_lose_when_a_team_leaves() {
    let department = TeamId::new(0);
    let mut fluid = Fluid::new(
        vec![6, 6],
        vec![
            FluidTeam::default(),
            team([1, 2]),
            team([1, 1]).under(department),
            team([3, 1]).under(department),
        ],
    );
    assert_eq!(tasks(&fluid), ["0", "9/5", "9/5", "3/5"]);
    fluid.teams.pop();
    assert_eq!(tasks(&fluid), ["0", "3/2", "3"]);
}

/// Where requests may be zero; with weights and caps, and with a quota, as without.
#[test]
fn who_stays_can_lose_with_weights_caps_and_floors_too() {
    let plain = vec![team([2, 3]), team([3, 0]), team([0, 2])];
    let mut weighted = plain.clone();
    weighted[2] = weighted[2].clone().with_weight(weight(2, 1)).with_tasks(9);
    let mut floored = plain;
    floored[1].quota = vec![Some(1), None];
    for (teams, before, after) in [(weighted, "44/27", "9/7"), (floored, "13/9", "9/7")] {
        let mut fluid = Fluid::new(vec![6, 5], teams);
        assert_eq!(tasks(&fluid)[1], before);
        fluid.teams.pop();
        assert_eq!(tasks(&fluid)[1], after);
    }
}

/// With a weight, a cap that does not bind, a quota, and below a department: twice as much of the second resource, and
/// the first team, whose the first resource is, has less of that.
#[test]
fn who_needs_what_stays_scarce_can_lose_when_another_resource_grows() {
    let two = |first: FluidTeam, second: FluidTeam| vec![first, second];
    let cases = [
        (two(team([2, 1]), team([1, 2]).with_weight(weight(2, 1))), 0, "12/5", "2"),
        (two(team([2, 1]).with_tasks(20), team([1, 2])), 0, "4", "3"),
        (two(team([2, 1]), team([1, 2]).with_quota(vec![Some(1), Some(2)])), 0, "4", "3"),
        (
            vec![
                FluidTeam::default(),
                team([2, 1]).under(TeamId::new(0)),
                team([1, 2]).under(TeamId::new(0)),
                team([1, 2]),
            ],
            1,
            "2",
            "3/2",
        ),
    ];
    for (teams, loser, before, after) in cases {
        assert_eq!(tasks(&Fluid::new(vec![12, 12], teams.clone()))[loser], before);
        assert_eq!(tasks(&Fluid::new(vec![12, 24], teams))[loser], after);
    }
}

/// Where requests may be zero. The heavier the second team, the less its department asks of the second resource, so that
/// the team beside the department gets further, with the first resource too.
#[test]
fn more_weight_can_mean_less_below_a_department() {
    let second_of = |own: u64| {
        let department = TeamId::new(0);
        let teams = vec![
            FluidTeam::default(),
            team([1, 1]).under(department),
            team([1, 0]).under(department).with_weight(weight(own, 1)),
            team([2, 1]),
        ];
        tasks(&Fluid::new(vec![8, 2], teams))[2].clone()
    };
    assert_eq!([second_of(1), second_of(2), second_of(4)], ["44/9", "128/27", "256/51"]);
}

/// GPUs are what everybody is short of, and half of them the department's. Of the cores, which nobody is short of, it asks
/// one in two GPUs, as it would alone; so it has half a core, and the team that wants a whole one half of that.
#[test]
fn a_department_can_be_short_of_what_is_plentiful() {
    let department = TeamId::new(0);
    let teams = vec![
        FluidTeam::default(),
        team([1, 2]).under(department).with_limit(vec![None, Some(1)]),
        team([1, 0]).under(department),
        team([1, 1]),
    ];
    assert_eq!(tasks(&Fluid::new(vec![2, 8], teams)), ["0", "1/4", "3/4", "1"]);
}
