//! Sums: what must add up after every run, each side computed in its own way.
//!
//! Σ teams = Σ owners = Σ users = Σ classes = Σ pools allocated, allocated ≤ total; the same as they are printed, where
//! also pools = held + idle, `cost.csv` = pools and teams, `jobs.csv` = teams and allocated; area under utilization = Σ what
//! jobs held × how long, by resource; area under the queue depth = Σ all waiting as the engine counted it = Σ waits of jobs = that of
//! the same in slices from the first submission to the last end, as `jobs_over_time` and `series.csv` have them, in all and over
//! teams, and the same in GPUs. Exact integers. Asserted under `--check`.

use super::Demands;
use super::cost::{Costs, Whose};
use super::money::Money;
use super::queue::{self, asking, depth};
use super::series::{self, Slices};
use super::utilization::Usage;
use crate::error::SimError;
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// Compares all sums.
///
/// # Errors
///
/// [`SimError::Bug`] naming the first that does not add up.
pub fn check(setup: &Setup, trace: &Trace, record: &Record) -> Result<(), SimError> {
    let demands = Demands::new(setup, trace);
    let window = record.window(trace).filter(|(from, to)| from < to);
    let costs = Costs::new(setup, trace, record, &demands, window);
    let allocated: u128 = costs.allocated_by_pool.iter().sum();
    for (who, account) in [
        ("teams", &costs.teams),
        ("owners", &costs.owners),
        ("users", &costs.users),
        ("classes", &costs.classes),
    ] {
        let what = format!("cost of all {who} and cost allocated");
        equal(record, &what, account.money.iter().sum(), allocated)?;
    }
    for (pool, (total, held)) in costs.total_by_pool().iter().zip(&costs.allocated_by_pool).enumerate() {
        if held > total {
            let name = &setup.config.pools[pool].name;
            return Err(bug(record, format!("pool `{name}` costs {total} and {held} of it is allocated")));
        }
    }
    if setup.is_priced() {
        printed(setup, trace, record, &demands, &costs)?;
    }
    let usage = Usage::new(setup, trace, record, &demands, window);
    for kind in setup.config.kinds.iter() {
        let held = |row: usize, alternative: u16, from: i64, to: i64| {
            let demand = demands.of(trace, row, usize::from(alternative));
            u128::from(demand[kind].get()) * u128::from(to.abs_diff(from))
        };
        let mut jobs: u128 = record
            .lost
            .iter()
            .map(|lost| held(lost.row as usize, lost.alternative, lost.start_ms, lost.end_ms))
            .sum();
        for (row, outcome) in record.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.holds()) {
            let end = if outcome.fate == Fate::Running { record.end_ms } else { outcome.end_ms };
            jobs += held(row, record.place(outcome).alternative, outcome.start_ms, end);
        }
        let name = setup.config.kinds.name(kind);
        equal(record, &format!("{name} under utilization and {name} held by jobs"), usage.held(kind), jobs)?;
    }
    let mut waits = Vec::new();
    asking(trace, record, &demands, |_, from, to, asked| waits.push((from, to, asked)));
    let depth = depth(&mut waits);
    equal(record, "area under the queue depth and all waiting", depth.jobs, record.waited_ms)?;
    let of_jobs = (0..trace.jobs.len()).map(|row| u128::from(record.wait_ms(trace, row))).sum();
    equal(record, "all waiting and the waits of all jobs", record.waited_ms, of_jobs)?;
    let Some((from, to)) = window else { return Ok(()) };
    for slices in [series::SLICES, queue::SLICES] {
        let over_time = queue::over_time(setup, trace, record, &demands, &Slices::new(from, to, slices));
        let areas = |resource: usize| over_time.iter().map(move |both| both[resource].area().unsigned_abs());
        for (resource, (what, area)) in
            [("jobs", 1_000 * depth.jobs), ("GPUs", depth.amount)].into_iter().enumerate()
        {
            let all = areas(resource).take(1).sum();
            equal(
                record,
                &format!("area under the queue depth in {what} and in {slices} slices"),
                area,
                all,
            )?;
            let teams = areas(resource).skip(1).sum();
            equal(record, &format!("area of {what} that wait and those of all teams"), all, teams)?;
        }
    }
    Ok(())
}

/// The same in micro-USD.
fn printed(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    costs: &Costs,
) -> Result<(), SimError> {
    let money = Money::new(costs, setup, trace);
    let same = |what: &str, one: u128, other: u128| equal(record, &format!("printed {what}"), one, other);
    same("total and allocated + idle", money.total, money.allocated + money.idle)?;
    for (what, parts, whole) in [
        ("cost of all pools and total", &money.total_by_pool, money.total),
        ("allocated of all pools and allocated", &money.allocated_by_pool, money.allocated),
        ("idle of all pools and idle", &money.idle_by_pool, money.idle),
        ("cost of all owners and allocated", &money.by_owner, money.allocated),
        ("cost of all users and allocated", &money.by_user, money.allocated),
        ("cost of all classes and allocated", &money.by_class, money.allocated),
        ("cost of all teams and allocated", &money.by_team, money.allocated),
    ] {
        same(what, parts.iter().sum(), whole)?;
    }
    let mut by_pool = vec![0; money.total_by_pool.len()];
    for ((pool, _), part) in &money.parts {
        by_pool[*pool] += part.money;
        if part.lost > part.money {
            return Err(bug(record, format!("{} is lost of a part that costs {}", part.lost, part.money)));
        }
    }
    let mut by_team = vec![0; money.by_team.len()];
    for (row, job) in money.of_jobs(setup, trace, record, demands).into_iter().enumerate() {
        by_team[setup.team_of[Whose::of(setup, trace, row).team as usize].index()] += job;
    }
    for (pool, rows) in by_pool.into_iter().enumerate() {
        let (cost, held, idle) =
            (money.total_by_pool[pool], money.allocated_by_pool[pool], money.idle_by_pool[pool]);
        same("cost of a pool and its allocated + idle", cost, held + idle)?;
        same("allocated of a pool and its rows of `cost.csv`", held, rows)?;
    }
    by_team
        .into_iter()
        .zip(&money.by_team)
        .try_for_each(|(jobs, team)| same("cost of a team and of its jobs in `jobs.csv`", *team, jobs))
}

fn bug(record: &Record, what: String) -> SimError {
    SimError::Bug { at_s: fairshare::Timestamp::from_millis(record.end_ms).to_string(), what }
}

fn equal(record: &Record, what: &str, one: u128, other: u128) -> Result<(), SimError> {
    if one == other { Ok(()) } else { Err(bug(record, format!("{what} differ: {one} and {other}"))) }
}
