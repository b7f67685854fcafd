//! Budget: how much a team may spend in a period, and who has spent it.
//!
//! What running jobs cost is integrated exactly, in integers. A team that has spent its budget, or a team above it that
//! has, starts nothing more until the period ends; what runs goes on. Periods are counted from the caller's epoch.
//!
//! Invariant: the rate of a member is the sum over the running jobs below it.
//! Absent on purpose: evictions, which a budget never causes, and shares. Layer 3; uses `tree`, `route`.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::id::TeamId;
use crate::money::MicroUsd;
use crate::money::PriceUnit;
use crate::resources::{MAX_KINDS, ResourceKind};
use crate::route::{Route, hourly};
use crate::snapshot::{Spent, SpentUnit};
use crate::team::Spending;
use crate::time::{Millis, Timestamp};
use crate::tree::{MemberId, Tree};

/// Milliseconds of an hour.
const HOUR_MS: u128 = 3_600_000;

/// What one team may spend, and has.
#[derive(Clone, Debug)]
struct Account {
    money: bool,
    /// What it may spend in a period, in the unit of `spent`: thousandths of a GPU, or of micro-USD an hour, times
    /// milliseconds.
    most: u128,
    period_ms: i64,
    spent: u128,
    rate: u128,
    since: Timestamp,
    over: bool,
}

impl Account {
    fn begin(&self, at: Timestamp) -> Timestamp {
        let into = at.as_millis().rem_euclid(self.period_ms);
        Timestamp::from_millis(at.as_millis().saturating_sub(into))
    }

    /// The end of the period that `since` lies in.
    fn end(&self) -> Timestamp {
        Timestamp::from_millis(self.begin(self.since).as_millis().saturating_add(self.period_ms))
    }

    /// When what runs will have spent the budget; the end of the period, if it does not in this one.
    fn spent_at(&self) -> Option<Timestamp> {
        if self.over || self.rate == 0 {
            return None;
        }
        let left = self.most.saturating_sub(self.spent).div_ceil(self.rate);
        let at = u64::try_from(left).ok().and_then(|left| self.since.checked_add(Millis::new(left)));
        Some(at.map_or(self.end(), |at| at.min(self.end())))
    }

    /// Counts what was spent until now; what a period before this one has seen is forgotten.
    fn settle(&mut self, now: Timestamp) {
        let begin = self.begin(now);
        if self.since < begin {
            (self.spent, self.since) = (0, begin);
        }
        let more = self.rate.saturating_mul(u128::from(now.since(self.since).get()));
        self.spent = self.spent.saturating_add(more);
        self.since = now;
    }
}

/// What has changed since who has spent what was last found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renewed {
    /// Somebody may go on who might not before.
    pub(crate) any: bool,
    /// That, or the reverse.
    pub(crate) changed: bool,
}

/// What everything that can run costs in an hour fits 64 bits, so that what is spent fits 128 for ever.
fn check_rates(config: &Config) -> Result<(), Error> {
    let mut left = u64::MAX;
    for pool in &config.pools {
        let most = pool.price.and_then(|price| {
            let per_node = match price.unit {
                PriceUnit::Gpu => pool.node[ResourceKind::GPU].get(),
                PriceUnit::Cpu => pool.node[ResourceKind::CPU].get(),
                // Each job pays for the kind of which it takes most.
                PriceUnit::Node => 1_000 * MAX_KINDS as u64,
            };
            price.hour.get().checked_mul(u64::from(pool.nodes))?.checked_mul(per_node)
        });
        left = most.and_then(|most| left.checked_sub(most)).ok_or_else(|| ErrorKind::TooLarge {
            what: format!("what all of pool `{}` costs, in a budget of money,", pool.name),
        })?;
    }
    Ok(())
}

/// All budgets.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    accounts: BTreeMap<MemberId, Account>,
}

impl Budgets {
    pub(crate) fn new(config: &Config, tree: &Tree) -> Result<Self, Error> {
        let mut accounts = BTreeMap::new();
        for (index, team) in config.teams.iter().enumerate() {
            let (Some(budget), Some(member)) = (team.budget, tree.node(TeamId::at(index))) else { continue };
            let period_ms = i64::try_from(budget.period.get()).unwrap_or(i64::MAX);
            let (money, most) = match budget.most {
                Spending::GpuMillis(millis) => (false, u128::from(millis) * 1_000),
                Spending::Usd(usd) => (true, u128::from(usd.get()) * 1_000 * HOUR_MS),
            };
            if period_ms == 0 || money && config.pools.iter().any(|pool| pool.price.is_none()) {
                return Err(ErrorKind::Budget { team: team.name.clone() }.into());
            }
            let account =
                Account { money, most, period_ms, spent: 0, rate: 0, since: Timestamp::MIN, over: most == 0 };
            accounts.insert(member, account);
        }
        if accounts.values().any(|account| account.money) {
            check_rates(config)?;
        }
        Ok(Self { accounts })
    }

    /// Whether any team has one.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.accounts.is_empty()
    }

    fn rate(money: bool, config: &Config, route: &Route) -> u128 {
        if money {
            hourly(route, &config.pools[route.pool.index()])
        } else {
            u128::from(route.total[ResourceKind::GPU].get())
        }
    }

    /// A job of a leaf has started by a route, or stopped.
    #[inline]
    pub(crate) fn changes(
        &mut self,
        config: &Config,
        tree: &Tree,
        job: (MemberId, &Route),
        now: Timestamp,
        starts: bool,
    ) {
        if self.any() {
            self.count(config, tree, job, now, starts);
        }
    }

    /// The same where there are any budgets.
    #[inline(never)]
    fn count(
        &mut self,
        config: &Config,
        tree: &Tree,
        (leaf, route): (MemberId, &Route),
        now: Timestamp,
        starts: bool,
    ) {
        for member in tree.path(leaf) {
            let Some(account) = self.accounts.get_mut(&member) else { continue };
            account.settle(now);
            let rate = Self::rate(account.money, config, route);
            account.rate = if starts { account.rate + rate } else { account.rate.saturating_sub(rate) };
        }
    }

    /// Finds out who has spent what it may.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Renewed {
        let mut renewed = Renewed { any: false, changed: false };
        for account in self.accounts.values_mut() {
            account.settle(now);
            let before = core::mem::replace(&mut account.over, account.spent >= account.most);
            renewed.any |= before && !account.over;
            renewed.changed |= before != account.over;
        }
        renewed
    }

    /// What a member has spent, if it has a budget.
    pub(crate) fn spent(&self, member: MemberId) -> Option<Spent> {
        let account = self.accounts.get(&member)?;
        let counted = Some(account.since).filter(|since| *since > Timestamp::MIN);
        let unit = if account.money { SpentUnit::Money } else { SpentUnit::GpuTime };
        Some(Spent { unit, amount: account.spent, counted, over: account.over })
    }

    /// From now on a member that has a budget has spent so much of it, in its unit.
    pub(crate) fn set_spent(&mut self, member: MemberId, spent: Spent) {
        if let Some(account) = self.accounts.get_mut(&member) {
            account.spent = spent.amount;
            account.since = spent.counted.unwrap_or(Timestamp::MIN);
            account.over = spent.over;
        }
    }

    /// The highest team at or above a leaf that has spent its budget, with the end of its period.
    pub(crate) fn over(&self, tree: &Tree, leaf: MemberId) -> Option<(MemberId, Timestamp)> {
        if self.accounts.is_empty() {
            return None;
        }
        let over = tree.path(leaf).filter_map(|member| {
            let account = self.accounts.get(&member).filter(|account| account.over)?;
            Some((member, account.end()))
        });
        over.last()
    }

    /// The least by which the budgets at or above a leaf must be raised, so that none is spent at an instant.
    pub(crate) fn short(&self, tree: &Tree, leaf: MemberId, now: Timestamp) -> Vec<(MemberId, Spending)> {
        let raise = |member: MemberId| {
            let mut account = self.accounts.get(&member)?.clone();
            account.settle(now);
            let unit = if account.money { 1_000 * HOUR_MS } else { 1_000 };
            let over = account.spent.checked_sub(account.most)?;
            let more = u64::try_from(over / unit + 1).unwrap_or(u64::MAX);
            let usd = Spending::Usd(MicroUsd::new(more));
            Some((member, if account.money { usd } else { Spending::GpuMillis(more) }))
        };
        tree.path(leaf).filter_map(raise).collect()
    }

    /// A member may spend so much more, if it has a budget: to try what follows.
    pub(crate) fn allow(&mut self, member: MemberId, more: Spending) {
        if let Some(account) = self.accounts.get_mut(&member) {
            let more = match more {
                Spending::GpuMillis(millis) => u128::from(millis) * 1_000,
                Spending::Usd(usd) => u128::from(usd.get()) * 1_000 * HOUR_MS,
            };
            account.most = account.most.saturating_add(more);
        }
    }

    /// When the first period ends of those whose budget is spent.
    pub(crate) fn next_renewal(&self) -> Option<Timestamp> {
        self.accounts.values().filter(|account| account.over && account.most > 0).map(Account::end).min()
    }

    /// When the first budget will be spent by what runs.
    pub(crate) fn next_spent(&self) -> Option<Timestamp> {
        self.accounts.values().filter_map(Account::spent_at).min()
    }

    /// Compares the rates with those of the jobs that run; the difference, in words.
    pub(crate) fn check<'a>(
        &self,
        config: &Config,
        tree: &Tree,
        running: impl Iterator<Item = (MemberId, &'a Route)>,
    ) -> Result<(), String> {
        let mut rates: BTreeMap<MemberId, u128> = self.accounts.keys().map(|member| (*member, 0)).collect();
        for (leaf, route) in running {
            for member in tree.path(leaf) {
                if let (Some(rate), Some(account)) = (rates.get_mut(&member), self.accounts.get(&member)) {
                    *rate += Self::rate(account.money, config, route);
                }
            }
        }
        let same = self.accounts.values().map(|account| account.rate).eq(rates.into_values());
        if same { Ok(()) } else { Err("the rates of spending are not those of the running jobs".to_owned()) }
    }
}
