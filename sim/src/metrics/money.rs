//! Money: the accounts of a run in micro-USD, as everything that prints them has them.
//!
//! Rounded from the top down: the total → what each pool charges → what of it was held and what idle → what of the held
//! part each team, in it each cost owner, user, class and job held. Each step is rounded by largest remainder, so that every
//! part is its exact sum rounded down or up, and parts add up to what they are parts of. Every other figure is a sum of such
//! parts (a team's over all pools, a user's over all teams), so that no two files contradict each other; it is off from its
//! exact sum by less than a micro-USD for each of its parts. What is lost is rounded within what its part cost; all that is lost
//! is the sum of these, which is not its rounded exact sum where the rounding of what parts cost leaves no other choice. Absent
//! on purpose: exact sums (see `cost`) and letters (see `summary` and `report`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Demands;
use super::cost::{Costs, Whose, apportion, of_stretch};
use crate::record::Record;
use crate::setup::Setup;
use crate::tariff::{Exact, Unit};
use crate::trace::{Trace, compare_names};

/// Micro-USD of what some jobs held of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// All of it.
    pub money: u128,
    /// The part for what evicted jobs had to run again.
    pub lost: u128,
}

/// All accounts in micro-USD.
#[derive(Clone, Debug)]
pub struct Money {
    /// What the pools charge.
    pub total: u128,
    /// For what jobs held.
    pub allocated: u128,
    /// For what nobody held.
    pub idle: u128,
    /// For what evicted jobs had to run again.
    pub lost: u128,
    /// By pool: what it charges.
    pub total_by_pool: Vec<u128>,
    /// By pool: for what jobs held.
    pub allocated_by_pool: Vec<u128>,
    /// By pool: for what nobody held.
    pub idle_by_pool: Vec<u128>,
    /// By the scheduler's number of the team.
    pub by_team: Vec<u128>,
    /// By the trace's number of the owner.
    pub by_owner: Vec<u128>,
    /// By the trace's number of the user.
    pub by_user: Vec<u128>,
    /// By the number of the class in which jobs are served.
    pub by_class: Vec<u128>,
    /// By pool and by whose it was.
    pub parts: BTreeMap<(usize, Whose), Part>,
}

impl Money {
    /// Those of a run.
    ///
    /// # Panics
    ///
    /// Only on a bug: costs of another run.
    #[must_use]
    pub fn new(costs: &Costs, setup: &Setup, trace: &Trace) -> Self {
        let unit = setup.money;
        let exact = costs.total_by_pool();
        let held = &costs.allocated_by_pool;
        let unused: Vec<Exact> =
            exact.iter().zip(held).map(|(all, held)| all.saturating_sub(*held)).collect();
        let total = unit.to_micro(exact.iter().sum());
        let wanted = apportion(&[held.iter().sum(), unused.iter().sum()], unit, total)[0];
        let total_by_pool = apportion(&exact, unit, total);
        let allocated_by_pool = within(&total_by_pool, [held, &unused], unit, wanted);
        let idle = |(all, held): (&u128, &u128)| all.saturating_sub(*held);
        let idle_by_pool: Vec<u128> = total_by_pool.iter().zip(&allocated_by_pool).map(idle).collect();
        let allocated = allocated_by_pool.iter().sum();
        let parts = parts(costs, setup, trace, &allocated_by_pool);
        let mut money = Self {
            total,
            allocated,
            idle: idle_by_pool.iter().sum(),
            lost: parts.values().map(|part| part.lost).sum(),
            total_by_pool,
            allocated_by_pool,
            idle_by_pool,
            by_team: vec![0; setup.config.teams.len()],
            by_owner: vec![0; trace.owners.len()],
            by_user: vec![0; trace.users.len()],
            by_class: vec![0; setup.classes.names().len()],
            parts,
        };
        for ((_, whose), part) in &money.parts {
            money.by_team[setup.team_of[whose.team as usize].index()] += part.money;
            money.by_owner[whose.owner as usize] += part.money;
            money.by_user[whose.user as usize] += part.money;
            money.by_class[whose.class as usize] += part.money;
        }
        money
    }

    /// What each job cost, over all its attempts: every part is divided among its jobs.
    #[must_use]
    pub fn of_jobs(&self, setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Vec<u128> {
        let mut micro = vec![0; trace.jobs.len()];
        let numbers: BTreeMap<&(usize, Whose), u32> = self.parts.keys().zip(0..).collect();
        let wholes: Vec<u128> = self.parts.values().map(|part| part.money).collect();
        let mut held: Vec<(u32, usize, Exact)> = Vec::new();
        for stretch in record.stretches() {
            if let Some(number) = numbers.get(&(stretch.pool, Whose::of(setup, trace, stretch.row))) {
                held.push((*number, stretch.row, of_stretch(setup, trace, demands, &stretch)));
            }
        }
        held.sort_unstable();
        held.dedup_by(|next, sum| {
            let same = (next.0, next.1) == (sum.0, sum.1);
            sum.2 += if same { next.2 } else { 0 };
            same
        });
        for jobs in held.chunk_by(|one, other| one.0 == other.0) {
            let exact: Vec<Exact> = jobs.iter().map(|job| job.2).collect();
            let divided = apportion(&exact, setup.money, wholes[jobs[0].0 as usize]);
            for ((_, row, _), part) in jobs.iter().zip(divided) {
                micro[*row] += part;
            }
        }
        micro
    }
}

/// What is held of every pool, divided among whose it is.
fn parts(costs: &Costs, setup: &Setup, trace: &Trace, by_pool: &[u128]) -> BTreeMap<(usize, Whose), Part> {
    let unit = setup.money;
    let mut held: Vec<_> = costs.held.iter().collect();
    // Numbers are in the order of the trace's rows; names are not.
    held.sort_by(|((pool_a, a), _), ((pool_b, b), _)| {
        let pairs = a.names(setup, trace).into_iter().zip(b.names(setup, trace));
        let by_name = pairs.map(|(a, b)| compare_names(a, b)).find(|order| order.is_ne());
        pool_a.cmp(pool_b).then(by_name.unwrap_or(std::cmp::Ordering::Equal))
    });
    let keys: Vec<(usize, [u32; 4])> =
        held.iter().map(|((pool, whose), _)| (*pool, whose.numbers())).collect();
    let exact: Vec<Exact> = held.iter().map(|(_, held)| held.money).collect();
    let (mut money, mut from) = (Vec::with_capacity(exact.len()), 0);
    for of_pool in keys.chunk_by(|one, other| one.0 == other.0) {
        let to = from + of_pool.len();
        divide(of_pool, &exact[from..to], (unit, by_pool[of_pool[0].0]), 0, &mut money);
        from = to;
    }
    let lost: Vec<Exact> = held.iter().map(|(_, held)| held.lost).collect();
    let kept: Vec<Exact> = held.iter().map(|(_, held)| held.money.saturating_sub(held.lost)).collect();
    let lost = within(&money, [&lost, &kept], unit, unit.to_micro(costs.lost));
    let parts = held.iter().zip(money.into_iter().zip(lost));
    parts.map(|((whose, _), (money, lost))| (**whose, Part { money, lost })).collect()
}

/// Divides a whole among those with the same first number, and the part of each among them by the next number.
fn divide(
    keys: &[(usize, [u32; 4])],
    exact: &[Exact],
    (unit, whole): (Unit, u128),
    depth: usize,
    micro: &mut Vec<u128>,
) {
    if keys.len() == 1 {
        micro.push(whole);
        return;
    }
    let ends = keys.chunk_by(|(_, one), (_, other)| one[depth] == other[depth]).scan(0, |end, group| {
        *end += group.len();
        Some((*end - group.len(), *end))
    });
    let ends: Vec<(usize, usize)> = ends.collect();
    let sums: Vec<Exact> = ends.iter().map(|(from, to)| exact[*from..*to].iter().sum()).collect();
    for ((from, to), whole) in ends.into_iter().zip(apportion(&sums, unit, whole)) {
        divide(&keys[from..to], &exact[from..to], (unit, whole), depth + 1, micro);
    }
}

/// Divides rounded wholes into two parts each, whose exact sums are told: how much of each whole is the first part. Both are
/// rounded down or up, and the first ones add up to what is `wanted` wherever they can.
///
/// # Examples
///
/// Of two pools that charge ten, each is held for 6.4 and idle for 3.6; together they are held for 13, not for 12.8:
///
/// ```
/// use fairshare_sim::{Unit, metrics::money::within};
/// let unit = Unit::default();
/// let tenths = |tenths: u128| tenths * unit.per_micro() / 10;
/// let exact = [[tenths(64); 2], [tenths(36); 2]];
/// assert_eq!(within(&[10, 10], [&exact[0], &exact[1]], unit, 13), [7, 6]);
/// // Of a whole that is rounded down, 0.4 + 0.5, neither is left.
/// assert_eq!(within(&[0], [&[tenths(4)], &[tenths(5)]], unit, 1), [0]);
/// ```
#[must_use]
pub fn within(wholes: &[u128], [first, second]: [&[Exact]; 2], unit: Unit, wanted: u128) -> Vec<u128> {
    let unit = unit.per_micro();
    let range = |((whole, first), second): ((&u128, &Exact), &Exact)| {
        let least = (first / unit).max(whole.saturating_sub(second.div_ceil(unit))).min(*whole);
        (least, first.div_ceil(unit).min(whole.saturating_sub(second / unit)).max(least))
    };
    let ranges: Vec<(u128, u128)> = wholes.iter().zip(first).zip(second).map(range).collect();
    let mut parts: Vec<u128> = ranges.iter().map(|(least, _)| *least).collect();
    let missing = wanted.saturating_sub(parts.iter().sum());
    let mut free: Vec<usize> = (0..parts.len()).filter(|at| ranges[*at].0 < ranges[*at].1).collect();
    free.sort_by_key(|at| Reverse(first[*at] % unit));
    for at in free.into_iter().take(usize::try_from(missing).unwrap_or(usize::MAX)) {
        parts[at] += 1;
    }
    parts
}
