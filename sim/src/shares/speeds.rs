//! Speeds: the optimum where pools run a team's tasks at different speeds.
//!
//! Decimals and not fractions: it comes out of linear programs.

use std::collections::BTreeMap;

use fairshare::{ResourceKind, SpeedTeam, speed_entitlements};

use super::{Domain, Figure, Optimum, Shares, TeamShare, named};
use crate::error::SimError;
use crate::scenario::{Scenario, Team};

impl Shares {
    /// The leximin of throughput over weight, of one kind over pools: GPUs where a task asks for some, else the only
    /// kind. A share is the throughput over that with every pool to itself.
    ///
    /// # Errors
    ///
    /// [`SimError`] as [`over_pools`](Self::over_pools).
    pub fn by_speed(scenario: &Scenario) -> Result<Self, SimError> {
        let mut domain = Domain::new(scenario)?;
        let kind = domain.divided_kind("--speeds")?;
        let capacity = domain.capacities(kind);
        let teams: Vec<SpeedTeam> = scenario.teams.iter().map(|team| domain.speed_team(team, kind)).collect();
        let optimum =
            speed_entitlements(&capacity, &teams).map_err(|error| SimError::usage(error.to_string()))?;
        let mut shares = Vec::new();
        for (team, held) in scenario.teams.iter().zip(&optimum) {
            let mut entitlement: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
            for (pool, _) in domain.pools_with(kind) {
                let figure = rounded(held.amounts[pool] / unit(kind));
                entitlement.insert(scenario.pools[pool].name.clone(), [(domain.name(kind), figure)].into());
            }
            let asked = float(domain.per_task(team, kind));
            let tasks = (asked > 0.0).then(|| rounded(held.amounts.iter().sum::<f64>() / asked));
            shares.push(TeamShare { share: rounded(held.part), entitlement, tasks, ..named(team) });
        }
        domain.warn_of_other_kinds(kind);
        Ok(domain.shares(Optimum::Speeds, shares))
    }
}

impl Domain<'_> {
    fn speed_team(&self, team: &Team, kind: ResourceKind) -> SpeedTeam {
        let pools = 0..self.scenario.pools.len();
        let asked = self.per_task(team, kind);
        let usable = if asked > 0 { self.usable(team, kind) } else { Vec::new() };
        let speed = |pool: usize| {
            let request = team.request.as_ref().filter(|_| usable.contains(&pool));
            request.map_or(0, |request| request.speeds_milli[pool])
        };
        let quota = pools.clone().map(|pool| self.amount(&team.quota, pool, kind).unwrap_or(0));
        let mut speeds =
            SpeedTeam::new(pools.map(speed).collect()).with_weight(team.weight).with_quota(quota.collect());
        let tasks = team.request.as_ref().and_then(|request| request.tasks);
        speeds.demand = tasks.map(|tasks| tasks.saturating_mul(asked));
        speeds
    }
}

/// To nine digits: further ones are noise of the solver.
fn rounded(value: f64) -> Figure {
    Figure { exact: None, decimal: (value * 1e9).round() / 1e9 }
}

#[expect(clippy::cast_precision_loss, reason = "decimals are what is asked for")]
fn float(value: u64) -> f64 {
    value as f64
}

/// Smallest units in the unit that people use.
fn unit(kind: ResourceKind) -> f64 {
    if kind.is_bytes() { float(1 << 30) } else { 1_000.0 }
}
