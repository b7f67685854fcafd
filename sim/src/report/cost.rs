//! `cost.csv`: who pays for what, in the columns of FOCUS 1.0, the open specification of bills for clouds.
//!
//! One row for each pool and each of its cost owners, teams, users and priority classes that held something together; and
//! one for each pool that charges for what nobody held (`x_Line` is `idle`). Rows of one kind add up to the summary's
//! `allocated` and `idle`, to the millionth of a dollar. `x_` marks columns that are ours; `x_LostCost` is the part for
//! what evicted jobs had to run again. The period is from the first submission to the last end; a trace whose clock
//! starts at zero starts in 1970. Absent on purpose: rows for single jobs (see `jobs.csv`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use fairshare::{MicroUsd, PriceUnit};

use super::csv::{field, push};
use crate::metrics::Demands;
use crate::metrics::cost::{Costs, apportion, of_stretch, to_micro};
use crate::record::Record;
use crate::setup::Setup;
use crate::tariff::{Bought, Exact};
use crate::trace::{Trace, compare_names};

const COLUMNS: &str = "BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ChargeDescription,ChargePeriodStart,\
                       ChargePeriodEnd,PricingCategory,PricingQuantity,PricingUnit,ConsumedQuantity,ConsumedUnit,\
                       ServiceCategory,ServiceName,ProviderName,RegionId,ResourceId,ResourceType,SubAccountName,\
                       x_Line,x_CostOwner,x_Team,x_User,x_Class,x_LostCost\n";

/// Whose a row is: pool, then numbers of owner, team, user and class.
type Whose = (usize, [u32; 4]);

/// What they held.
#[derive(Default)]
struct Held {
    money: Exact,
    lost: Exact,
    /// Thousandths of a unit × ms.
    amount: u128,
}

/// Writes the file; only the header where nothing has a price.
///
/// # Errors
///
/// What the writer says.
pub fn write(setup: &Setup, trace: &Trace, record: &Record, out: &mut impl Write) -> io::Result<()> {
    out.write_all(COLUMNS.as_bytes())?;
    let window = record.first_submit_ms(trace).zip(record.last_end_ms());
    let (Some(window), true) = (window, setup.is_priced()) else { return Ok(()) };
    let demands = Demands::new(setup, trace);
    let costs = Costs::new(setup, trace, record, &demands, Some(window));
    let rows = rows(setup, trace, record, &demands);
    let exact: Vec<Exact> = rows.iter().map(|(_, held)| held.money).collect();
    let lost: Vec<Exact> = rows.iter().map(|(_, held)| held.lost).collect();
    let totals = costs.total_by_pool();
    let idle: Vec<Exact> = totals
        .iter()
        .zip(&costs.allocated_by_pool)
        .map(|(total, held)| total.saturating_sub(*held))
        .collect();
    let (allocated, unused) = (exact.iter().sum(), idle.iter().sum());
    let whole = apportion(&[allocated, unused], to_micro(allocated + unused));
    let micro = apportion(&exact, whole[0]);
    let lost = apportion(&lost, to_micro(lost.iter().sum()));
    let mut writer = Lines { setup, trace, window, out, line: String::new() };
    for (((whose, held), micro), lost) in rows.iter().zip(&micro).zip(&lost) {
        writer.row(whose.0, Some(whose.1), *micro, *lost, held.amount)?;
    }
    for (pool, micro) in apportion(&idle, whole[1]).into_iter().enumerate() {
        let Some(tariff) = setup.tariffs[pool].as_ref().filter(|tariff| tariff.bought.accrues()) else {
            continue;
        };
        let there = setup.available(pool, tariff.kind(), Some(window));
        let held: u128 = rows.iter().filter(|(whose, _)| whose.0 == pool).map(|(_, held)| held.amount).sum();
        writer.row(pool, None, micro, 0, there.saturating_sub(held))?;
    }
    Ok(())
}

/// All rows of what was held, by pool, then names.
fn rows(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Vec<(Whose, Held)> {
    let mut rows: BTreeMap<Whose, Held> = BTreeMap::new();
    for stretch in record.stretches() {
        let Some(tariff) = &setup.tariffs[stretch.pool] else { continue };
        let job = &trace.jobs[stretch.row];
        let class = trace.shapes[job.shape as usize].priority;
        let held = rows.entry((stretch.pool, [job.owner, job.team, job.user, class])).or_default();
        let money = of_stretch(setup, trace, demands, &stretch);
        held.money += money;
        held.lost += if stretch.lost { money } else { 0 };
        let amount = demands.of(trace, stretch.row, stretch.alternative)[tariff.kind()].get();
        held.amount += u128::from(amount) * u128::from(stretch.length_ms());
    }
    let mut rows: Vec<(Whose, Held)> = rows.into_iter().collect();
    // Numbers are in the order of the trace's rows; names are not.
    rows.sort_by(|((pool_a, a), _), ((pool_b, b), _)| {
        let names = |whose: &[u32; 4]| names(trace, *whose);
        let pairs = names(a).into_iter().zip(names(b));
        let by_name = pairs.map(|(a, b)| compare_names(a, b)).find(|order| order.is_ne());
        pool_a.cmp(pool_b).then(by_name.unwrap_or(std::cmp::Ordering::Equal))
    });
    rows
}

fn names(trace: &Trace, [owner, team, user, class]: [u32; 4]) -> [&str; 4] {
    [trace.owners.text(owner), trace.teams.text(team), trace.users.text(user), trace.priorities.text(class)]
}

struct Lines<'a, W> {
    setup: &'a Setup,
    trace: &'a Trace,
    window: (i64, i64),
    out: &'a mut W,
    line: String,
}

impl<W: Write> Lines<'_, W> {
    fn row(
        &mut self,
        pool: usize,
        whose: Option<[u32; 4]>,
        micro: u128,
        lost: u128,
        amount: u128,
    ) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        let Some(tariff) = &self.setup.tariffs[pool] else { return Ok(()) };
        let money = |micro: u128| MicroUsd::new(u64::try_from(micro).unwrap_or(u64::MAX));
        let kind = if whose.is_some() { "used" } else { "idle" };
        push(line, format_args!("{0},{0},USD,Usage,", money(micro)));
        let spec = &self.setup.config.pools[pool];
        field(line, &format!("{kind} capacity of {}", spec.name));
        for time in [self.window.0, self.window.1] {
            push(line, format_args!(",{}", rfc3339(time)));
        }
        let category = match tariff.bought {
            Bought::Owned | Bought::Reserved => "Committed",
            Bought::OnDemand => "Standard",
            Bought::Spot => "Dynamic",
        };
        let unit = if tariff.unit == PriceUnit::Cpu { "CPU Hours" } else { "GPU Hours" };
        // Thousandths × ms to thousandths of an hour's unit, rounded to the nearest.
        let thousandths = u64::try_from((amount + 1_800_000) / 3_600_000).unwrap_or(u64::MAX);
        let hours = fairshare::Millis::new(thousandths);
        push(line, format_args!(",{category},{hours},{unit},{hours},{unit},Compute,"));
        field(line, spec.accelerator.as_deref().unwrap_or("CPU"));
        let (cloud, region) = &self.setup.places[pool];
        let accelerator = spec.accelerator.as_deref().unwrap_or("");
        for text in [cloud.as_deref().unwrap_or(""), region.as_deref().unwrap_or(""), &spec.name, accelerator]
        {
            line.push(',');
            field(line, text);
        }
        let [owner, team, user, class] = whose.map_or([""; 4], |whose| names(self.trace, whose));
        for text in [team, kind, owner, team, user, class] {
            line.push(',');
            field(line, text);
        }
        push(line, format_args!(",{}\n", money(lost)));
        self.out.write_all(line.as_bytes())
    }
}

/// A time of the trace as a date; empty where no calendar reaches.
fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |time| time.to_string())
}
