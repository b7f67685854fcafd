//! Speeds: worked cases, and a comparison with another linear program solver that is told the same in other words.
//!
//! A failure means that a team is entitled to another throughput than the model says. Parts are compared, not amounts:
//! those need not be unique.

use fairshare::{SpeedEntitlement, SpeedTeam, Weight, speed_entitlements};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fluid_properties::{Competitor, Program};

const CLOSE: f64 = 1e-5;

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < CLOSE
}

fn team(speeds: &[u32]) -> SpeedTeam {
    SpeedTeam::new(speeds.to_vec())
}

fn solve(capacity: &[u64], teams: &[SpeedTeam]) -> Vec<SpeedEntitlement> {
    speed_entitlements(capacity, teams).unwrap()
}

/// Narayanan et al., OSDI 2020, section 4.1: one V100 and one K80, each job at most a whole one at a time.
#[test]
fn three_jobs_on_two_types() {
    // In thousandths of a device, so that a job's time is a demand of 1,000.
    let rows = [[40_000, 10_000], [12_000, 4_000], [100_000, 50_000]];
    let teams = rows.map(|row| team(&row).with_demand(1_000));
    let optimum = solve(&[1_000, 1_000], &teams);
    let expected = [[5.0 / 11.0, 0.0], [5.0 / 11.0, 1.0 / 11.0], [1.0 / 11.0, 10.0 / 11.0]];
    for (held, expected) in optimum.iter().zip(expected) {
        assert!(close(held.part * 3.0, 12.0 / 11.0), "{held:?}");
        for (amount, expected) in held.amounts.iter().zip(expected) {
            assert!(close(amount / 1_000.0, expected), "{held:?}");
        }
    }
}

#[test]
fn everybody_gains_over_a_third_of_every_pool() {
    let teams = [team(&[4_000, 1_000]), team(&[2_000, 1_000]), team(&[1_200, 1_000])];
    let optimum = solve(&[4, 8], &teams);
    let expected = [[40.0 / 17.0, 0.0], [28.0 / 17.0, 152.0 / 51.0], [0.0, 256.0 / 51.0]];
    for (held, expected) in optimum.iter().zip(expected) {
        assert!(close(held.part * 3.0, 20.0 / 17.0));
        assert!(held.amounts.iter().zip(expected).all(|(amount, expected)| close(*amount, expected)));
    }
}

#[test]
fn who_has_enough_leaves_the_rest_to_the_others() {
    let teams = [team(&[1_000, 0]).with_demand(1), team(&[1_000, 0]), team(&[0, 1_000])];
    let optimum = solve(&[8, 4], &teams);
    assert!(close(optimum[0].amounts[0], 1.0) && close(optimum[1].amounts[0], 7.0), "{optimum:?}");
    assert!(close(optimum[2].part, 1.0), "nobody else can use the second pool");
}

#[test]
fn a_quota_is_a_floor_under_the_throughput() {
    let teams = [team(&[1_000]).with_quota(vec![8]), team(&[1_000]), team(&[1_000])];
    let parts: Vec<f64> = solve(&[16], &teams).iter().map(|held| held.part * 16.0).collect();
    assert!(close(parts[0], 8.0) && close(parts[1], 4.0) && close(parts[2], 4.0), "{parts:?}");
}

#[test]
fn a_team_without_pools_or_demand_has_nothing() {
    let optimum =
        solve(&[4, 0], &[team(&[0, 0]), team(&[0, 1_000]), team(&[1_000]).with_demand(0), team(&[1])]);
    let parts: Vec<f64> = optimum.iter().map(|held| held.part).collect();
    assert!(parts[..3].iter().all(|part| *part == 0.0), "{parts:?}");
    assert!(close(parts[3], 1.0));
    assert!(speed_entitlements(&[4], &[team(&[1, 1])]).is_err());
}

fn weights() -> impl Strategy<Value = Weight> {
    (1_u64..=9, 1_u64..=9).prop_map(|(n, d)| Weight::new(n, d).unwrap())
}

fn teams(pools: usize) -> impl Strategy<Value = Vec<SpeedTeam>> {
    let speed = prop_oneof![1 => Just(0_u32), 4 => 1_u32..=10];
    let one = (vec(speed, pools), weights(), prop::option::of(0_u64..=20));
    let team = |(speeds, weight, demand): (Vec<u32>, _, _)| {
        let speeds = speeds.iter().map(|speed| speed * 250).collect();
        {
            let mut team = SpeedTeam::new(speeds).with_weight(weight);
            team.demand = demand;
            team
        }
    };
    vec(one.prop_map(team), 1..=6)
}

/// Variables are contributions to a team's part, so that a part is a plain sum.
fn by_another_solver(capacity: &[u64], teams: &[SpeedTeam]) -> Vec<f64> {
    let pools = capacity.len();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let capacity: Vec<f64> = capacity.iter().map(|amount| *amount as f64).collect();
    let gain = |team: &SpeedTeam, pool: usize| {
        let all: f64 = (0..pools).map(|pool| f64::from(team.speeds_milli[pool]) * capacity[pool]).sum();
        if all > 0.0 { f64::from(team.speeds_milli[pool]) * capacity[pool] / all } else { 0.0 }
    };
    let variables = teams.len() * pools;
    let mut rows = Vec::new();
    for pool in 0..pools {
        let mut row = vec![0.0; variables];
        for (at, team) in teams.iter().enumerate().filter(|(_, team)| gain(team, pool) > 0.0) {
            row[at * pools + pool] = 1.0 / gain(team, pool);
        }
        rows.push((row, 1.0));
    }
    for (at, team) in teams.iter().enumerate() {
        let mut demand = vec![0.0; variables];
        for pool in 0..pools {
            let mut none = vec![0.0; variables];
            if gain(team, pool) > 0.0 {
                demand[at * pools + pool] = capacity[pool] / gain(team, pool);
            } else {
                none[at * pools + pool] = 1.0;
                rows.push((none, 0.0));
            }
        }
        if let Some(most) = team.demand {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            rows.push((demand, most as f64));
        }
    }
    let competitors = teams.iter().enumerate().map(|(at, team)| Competitor {
        goal: (at * pools..(at + 1) * pools).collect(),
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        worth: team.weight.numerator() as f64 / team.weight.denominator() as f64,
        least: 0.0,
        most: if team.demand == Some(0) { 0.0 } else { (0..pools).map(|pool| gain(team, pool)).sum() },
    });
    Program { variables, rows, teams: competitors.collect() }.solve()
}

proptest! {
    #[test]
    fn speeds_agree_with_another_solver(
        (capacity, teams) in (1_usize..=4).prop_flat_map(|pools| (vec(0_u64..=12, pools), teams(pools)))
    ) {
        let optimum = solve(&capacity, &teams);
        for (pool, capacity) in capacity.iter().enumerate() {
            let held: f64 = optimum.iter().map(|held| held.amounts[pool]).sum();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let capacity = *capacity as f64;
            prop_assert!(held <= capacity + CLOSE, "{held} of {capacity}");
        }
        for (held, expected) in optimum.iter().zip(by_another_solver(&capacity, &teams)) {
            prop_assert!(close(held.part, expected), "{held:?}, expected {expected}");
        }
    }

    #[test]
    fn many_alike_share_as_one(count in 1_usize..=40, speed in 1_u32..=9) {
        let mut teams = vec![team(&[1_000, 250]); count];
        teams.push(team(&[speed * 250, 1_000]));
        let optimum = solve(&[16, 64], &teams);
        prop_assert!(optimum[..count].iter().all(|held| held == &optimum[0]));
        let least = optimum.iter().map(|held| held.part).fold(f64::INFINITY, f64::min);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let equal = 1.0 / teams.len() as f64;
        prop_assert!(least >= equal - CLOSE, "{least} is worse than one part of every pool");
    }
}
