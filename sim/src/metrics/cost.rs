//! Cost: what the pools charge, and who pays.
//!
//! Formula: a pool that is owned or reserved charges price × capacity of what its price names, from the first submission
//! to the last end; one that is bought on demand or at spot prices charges what jobs held. allocated = Σ price × amount
//! held × time; idle = total − allocated; lost = the part of allocated for what evicted jobs had to run again, and for
//! what they did until they were where they had been. Sums are integers (see `tariff`); how they are rounded so that
//! printed parts add up, see `money`. Unit: US dollars. Population: all jobs that started, never trimmed. Estimator: none,
//! the sums are exact. Source: what is charged and to whom after FOCUS 1.0, the open specification of bills for clouds; idle and lost are definitions of
//! this project. Accounts of whoever allocated (teams, owners, users, classes) each add up to allocated. Absent on
//! purpose: prices over time (see `tariff`); what data sets cost that are read from elsewhere (see `egress`).

use std::collections::BTreeMap;

use fairshare::ResourceKind;

use super::Demands;
use crate::record::{Record, Stretch};
use crate::setup::Setup;
use crate::tariff::{Exact, Tariff, Unit};
use crate::trace::Trace;

/// All accounts of a run; exact.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// By pool, what it charges whether it is held or not; nothing where it charges what is held.
    accrued_by_pool: Vec<Option<Exact>>,
    /// By pool, what jobs held.
    pub allocated_by_pool: Vec<Exact>,
    /// What jobs of each team held, by the scheduler's number of the team.
    pub teams: Account,
    /// By the trace's number of the owner; like the next two, all zero where nothing has a price.
    pub owners: Account,
    /// By the trace's number of the user.
    pub users: Account,
    /// By the number of the class in which jobs are served.
    pub classes: Account,
    /// What evicted jobs held in time that they had to run again, or until they were where they had been.
    pub lost: Exact,
    /// What was held of pools that charge, by pool and by whose it was.
    pub held: BTreeMap<(usize, Whose), Held>,
}

/// Whose a job is, by the trace's numbers and that of its class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Whose {
    /// Its team.
    pub team: u32,
    /// Who pays for it.
    pub owner: u32,
    /// Who submitted it.
    pub user: u32,
    /// The class in which it is served.
    pub class: u32,
}

impl Whose {
    /// Those of a row.
    #[must_use]
    pub fn of(setup: &Setup, trace: &Trace, row: usize) -> Self {
        let job = &trace.jobs[row];
        let class = setup.classes.of(&trace.shapes[job.shape as usize]);
        Self { team: job.team, owner: job.owner, user: job.user, class }
    }

    /// Team, owner, user and class.
    #[must_use]
    pub fn numbers(&self) -> [u32; 4] {
        [self.team, self.owner, self.user, self.class]
    }

    /// Their names.
    #[must_use]
    pub fn names<'a>(&self, setup: &'a Setup, trace: &'a Trace) -> [&'a str; 4] {
        let class = setup.classes.names().text(self.class);
        [trace.teams.text(self.team), trace.owners.text(self.owner), trace.users.text(self.user), class]
    }
}

/// What some jobs held of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Money.
    pub money: Exact,
    /// The part of it for what evicted jobs had to run again, or until they were where they had been.
    pub lost: Exact,
    /// Thousandths of a unit of what the pool charges for × ms.
    pub amount: u128,
}

impl Held {
    fn add(&mut self, other: Self) {
        self.money += other.money;
        self.lost += other.lost;
        self.amount += other.amount;
    }
}

/// What jobs held, by whose they are.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Money.
    pub money: Vec<Exact>,
    /// Milli-GPU × ms.
    pub gpu: Vec<u128>,
}

impl Account {
    fn new(parts: usize) -> Self {
        Self { money: vec![0; parts], gpu: vec![0; parts] }
    }

    fn add(&mut self, part: usize, money: Exact, gpu: u128) {
        self.money[part] += money;
        self.gpu[part] += gpu;
    }

    fn add_all(&mut self, other: &Self) {
        for (sums, more) in [(&mut self.money, &other.money), (&mut self.gpu, &other.gpu)] {
            sums.resize(sums.len().max(more.len()), 0);
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += more;
            }
        }
    }
}

/// What a stretch costs, in internal units.
#[must_use]
pub fn of_stretch(setup: &Setup, trace: &Trace, demands: &Demands, stretch: &Stretch) -> Exact {
    let Some(tariff) = &setup.tariffs[stretch.pool] else { return 0 };
    let amount = demands.of(trace, stretch.row, stretch.alternative)[tariff.kind()].get();
    tariff.charge(amount, stretch.start_ms, stretch.end_ms)
}

impl Costs {
    /// All accounts; pools charge from the first time of `window` to the second.
    #[must_use]
    pub fn new(
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        demands: &Demands,
        window: Option<(i64, i64)>,
    ) -> Self {
        let accrued = |(index, tariff): (usize, &Option<Tariff>)| {
            let (pool, tariff) = (&setup.config.pools[index], tariff.as_ref()?);
            let each = pool.node[tariff.kind()].get();
            let charge = |window| {
                let up = setup.capacities.stretches(index, pool.nodes, window).into_iter();
                up.map(|(from, to, nodes)| tariff.charge(each * u64::from(nodes), from, to)).sum()
            };
            tariff.bought.accrues().then(|| window.map_or(0, charge))
        };
        let pools = &setup.config.pools;
        let mut costs = Self {
            accrued_by_pool: setup.tariffs.iter().enumerate().map(accrued).collect(),
            allocated_by_pool: vec![0; pools.len()],
            teams: Account::new(setup.config.teams.len()),
            owners: Account::new(trace.owners.len()),
            users: Account::new(trace.users.len()),
            classes: Account::new(setup.classes.names().len()),
            lost: 0,
            held: BTreeMap::new(),
        };
        let priced = setup.is_priced();
        record.stretches().for_each(|stretch| {
            let job = &trace.jobs[stretch.row];
            let demand = demands.of(trace, stretch.row, stretch.alternative);
            let gpu = u128::from(demand[ResourceKind::GPU].get()) * u128::from(stretch.length_ms());
            let team = setup.team_of[job.team as usize].index();
            if !priced {
                costs.teams.add(team, 0, gpu);
                return;
            }
            let cost = of_stretch(setup, trace, demands, &stretch);
            costs.allocated_by_pool[stretch.pool] += cost;
            costs.teams.add(team, cost, gpu);
            costs.owners.add(job.owner as usize, cost, gpu);
            costs.users.add(job.user as usize, cost, gpu);
            costs.classes.add(setup.classes.of(&trace.shapes[job.shape as usize]) as usize, cost, gpu);
            let lost = if stretch.lost { cost } else { 0 };
            costs.lost += lost;
            if let Some(tariff) = &setup.tariffs[stretch.pool] {
                let amount = u128::from(demand[tariff.kind()].get()) * u128::from(stretch.length_ms());
                let key = (stretch.pool, Whose::of(setup, trace, stretch.row));
                costs.held.entry(key).or_default().add(Held { money: cost, lost, amount });
            }
        });
        costs
    }

    /// By pool, what it charges in all.
    #[must_use]
    pub fn total_by_pool(&self) -> Vec<Exact> {
        let pools = self.accrued_by_pool.iter().zip(&self.allocated_by_pool);
        pools.map(|(accrued, allocated)| accrued.unwrap_or(*allocated)).collect()
    }

    /// Adds what jobs of another part of the same run held; what the pools charge is that of the whole.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.allocated_by_pool.iter_mut().zip(&other.allocated_by_pool) {
            *sum += more;
        }
        for (account, more) in [
            (&mut self.teams, &other.teams),
            (&mut self.owners, &other.owners),
            (&mut self.users, &other.users),
            (&mut self.classes, &other.classes),
        ] {
            account.add_all(more);
        }
        self.lost += other.lost;
        for (key, held) in &other.held {
            self.held.entry(*key).or_default().add(*held);
        }
    }
}

/// Micro-USD of each part, such that they add up to `whole` micro-USD: each is rounded down, then the largest
/// remainders (ties: the first) are rounded up.
///
/// # Examples
///
/// Three jobs of a third of a micro-USD each, together one:
///
/// ```
/// use fairshare_sim::{Unit, metrics::cost::apportion};
/// let (unit, third) = (Unit::default(), 1_200_000_000);
/// assert_eq!(unit.to_micro(3 * third), 1);
/// assert_eq!(apportion(&[third; 3], unit, 1), [1, 0, 0]);
/// ```
#[must_use]
pub fn apportion(parts: &[Exact], unit: Unit, whole: u128) -> Vec<u128> {
    apportion_by(parts, unit.per_micro(), whole)
}

/// The same for another size of unit.
#[must_use]
pub fn apportion_by(parts: &[u128], unit: u128, whole: u128) -> Vec<u128> {
    let mut rounded: Vec<u128> = parts.iter().map(|part| part / unit).collect();
    let missing = whole.saturating_sub(rounded.iter().sum());
    let missing = usize::try_from(missing).unwrap_or(usize::MAX).min(parts.len());
    if missing > 0 {
        let mut order: Vec<usize> = (0..parts.len()).collect();
        let key = |index: &usize| (std::cmp::Reverse(parts[*index] % unit), *index);
        order.select_nth_unstable_by_key(missing - 1, key);
        for index in &order[..missing] {
            rounded[*index] += 1;
        }
    }
    rounded
}
