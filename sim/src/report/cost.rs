//! `cost.csv`: who pays for what, in the columns of FOCUS 1.0, the open specification of bills for clouds.
//!
//! One row for each pool and each of its cost owners, teams, users and priority classes that held something together;
//! and one for each pool that charges for what nobody held (`x_Line` is `idle`). Rows of one kind add up to the
//! summary's `allocated` and `idle`, to the millionth of a dollar; so do those of `egress`, data sets that left a
//! pool (see `metrics::egress`), where the scenario says sizes and prices. `x_` marks columns that are ours;
//! `x_LostCost` is the part for what evicted jobs had to run again, and for what they did until they were where they
//! had been. The period is from the first submission to the last end; a trace whose clock starts at zero starts in 1970.
//! Absent on purpose: rows for single jobs (see `jobs.csv`).

use std::collections::BTreeMap;
use std::io::{self, Write};

use fairshare::{MicroUsd, PriceUnit};

use super::csv::{Columns, Kind, field, header, push};
use crate::metrics::cost::{Costs, apportion, apportion_by, of_stretch};
use crate::metrics::{Demands, egress};
use crate::record::Record;
use crate::setup::Setup;
use crate::tariff::{Bought, Exact};
use crate::trace::{Trace, compare_names};

/// Columns of the file.
pub(super) const COLUMNS: Columns = &[
    (Kind::Number, "BilledCost,EffectiveCost"),
    (Kind::Text, "BillingCurrency,ChargeCategory,ChargeDescription,ChargePeriodStart,ChargePeriodEnd"),
    (Kind::Text, "PricingCategory"),
    (Kind::Number, "PricingQuantity"),
    (Kind::Text, "PricingUnit"),
    (Kind::Number, "ConsumedQuantity"),
    (Kind::Text, "ConsumedUnit,ServiceCategory,ServiceName,ProviderName,RegionId,ResourceId,ResourceType"),
    (Kind::Text, "SubAccountName,x_Line,x_CostOwner,x_Team,x_User,x_Class"),
    (Kind::Number, "x_LostCost"),
];

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
    out.write_all(header(COLUMNS).as_bytes())?;
    let window = record.window(trace);
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
    let whole = apportion(&[allocated, unused], setup.money, setup.money.to_micro(allocated + unused));
    let micro = apportion(&exact, setup.money, whole[0]);
    let lost = apportion(&lost, setup.money, setup.money.to_micro(lost.iter().sum()));
    let mut writer = Lines { setup, trace, window, out, line: String::new() };
    for (((whose, held), micro), lost) in rows.iter().zip(&micro).zip(&lost) {
        writer.held(whose.0, Some(whose.1), *micro, *lost, held.amount)?;
    }
    for (pool, micro) in apportion(&idle, setup.money, whole[1]).into_iter().enumerate() {
        let Some(tariff) = setup.tariffs[pool].as_ref().filter(|tariff| tariff.bought.accrues()) else {
            continue;
        };
        let there = setup.available(pool, tariff.kind(), Some(window));
        let held: u128 = rows.iter().filter(|(whose, _)| whose.0 == pool).map(|(_, held)| held.amount).sum();
        writer.held(pool, None, micro, 0, there.saturating_sub(held))?;
    }
    writer.egress(record)
}

/// All rows of what was held, by pool, then names.
fn rows(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Vec<(Whose, Held)> {
    let mut rows: BTreeMap<Whose, Held> = BTreeMap::new();
    for stretch in record.stretches() {
        let Some(tariff) = &setup.tariffs[stretch.pool] else { continue };
        let held = rows.entry((stretch.pool, whose(setup, trace, stretch.row))).or_default();
        let money = of_stretch(setup, trace, demands, &stretch);
        held.money += money;
        held.lost += if stretch.lost { money } else { 0 };
        let amount = demands.of(trace, stretch.row, stretch.alternative)[tariff.kind()].get();
        held.amount += u128::from(amount) * u128::from(stretch.length_ms());
    }
    let mut rows: Vec<(Whose, Held)> = rows.into_iter().collect();
    sort_by_name(setup, trace, &mut rows);
    rows
}

fn whose(setup: &Setup, trace: &Trace, row: usize) -> [u32; 4] {
    let job = &trace.jobs[row];
    [job.owner, job.team, job.user, setup.classes.of(&trace.shapes[job.shape as usize])]
}

/// Numbers are in the order of the trace's rows; names are not.
fn sort_by_name<T>(setup: &Setup, trace: &Trace, rows: &mut [(Whose, T)]) {
    rows.sort_by(|((pool_a, a), _), ((pool_b, b), _)| {
        let pairs = names(setup, trace, *a).into_iter().zip(names(setup, trace, *b));
        let by_name = pairs.map(|(a, b)| compare_names(a, b)).find(|order| order.is_ne());
        pool_a.cmp(pool_b).then(by_name.unwrap_or(std::cmp::Ordering::Equal))
    });
}

fn names<'a>(setup: &'a Setup, trace: &'a Trace, [owner, team, user, class]: [u32; 4]) -> [&'a str; 4] {
    [
        trace.owners.text(owner),
        trace.teams.text(team),
        trace.users.text(user),
        setup.classes.names().text(class),
    ]
}

struct Lines<'a, W> {
    setup: &'a Setup,
    trace: &'a Trace,
    window: (i64, i64),
    out: &'a mut W,
    line: String,
}

/// What a row says beside whose it is.
struct Charge {
    /// `used`, `idle` or `egress`.
    line: &'static str,
    what: String,
    category: &'static str,
    /// Billionths of the unit, so that the price times the quantity is the cost to the millionth of a dollar.
    quantity: u128,
    unit: &'static str,
    service: [String; 2],
    micro: u128,
    lost: u128,
}

impl<W: Write> Lines<'_, W> {
    /// What was held of a pool, or by nobody; `amount` is in thousandths of a unit × ms.
    fn held(
        &mut self,
        pool: usize,
        whose: Option<[u32; 4]>,
        micro: u128,
        lost: u128,
        amount: u128,
    ) -> io::Result<()> {
        let Some(tariff) = &self.setup.tariffs[pool] else { return Ok(()) };
        let spec = &self.setup.config.pools[pool];
        let line = if whose.is_some() { "used" } else { "idle" };
        let category = match tariff.bought {
            Bought::Owned | Bought::Reserved => "Committed",
            Bought::OnDemand => "Standard",
            Bought::Spot => "Dynamic",
        };
        let kind = if tariff.unit == PriceUnit::Cpu { "CPU" } else { "GPU" };
        let charge = Charge {
            line,
            what: format!("{line} capacity of {}", spec.name),
            category,
            // Of an hour, rounded to the nearest.
            quantity: (amount * 10 + 18) / 36,
            unit: if tariff.unit == PriceUnit::Cpu { "CPU Hours" } else { "GPU Hours" },
            service: ["Compute".to_owned(), spec.accelerator.clone().unwrap_or_else(|| kind.to_owned())],
            micro,
            lost,
        };
        self.row(pool, whose, &charge)
    }

    /// Data sets that left pools which say what that costs; the rows add up to the summary's `egress`.
    fn egress(&mut self, record: &Record) -> io::Result<()> {
        let mut sums: BTreeMap<Whose, [u128; 2]> = BTreeMap::new();
        for one in egress::moves(self.setup, self.trace, record) {
            let charged =
                self.setup.tariffs[one.from].as_ref().is_some_and(|tariff| tariff.egress_gb.is_some());
            if one.size.is_some() && charged {
                let sum = sums.entry((one.from, whose(self.setup, self.trace, one.row))).or_default();
                sum[0] += u128::from(one.size.unwrap_or(0));
                sum[1] += one.money();
            }
        }
        let mut sums: Vec<(Whose, [u128; 2])> = sums.into_iter().collect();
        sort_by_name(self.setup, self.trace, &mut sums);
        let exact: Vec<u128> = sums.iter().map(|(_, [_, money])| *money).collect();
        let micro = apportion_by(&exact, egress::GB, egress::micro(exact.iter().sum()));
        for (((pool, whose), [bytes, _]), micro) in sums.into_iter().zip(micro) {
            let charge = Charge {
                line: "egress",
                what: format!("data sets that left {}", self.setup.config.pools[pool].name),
                category: "Standard",
                quantity: bytes * BILLION / egress::GB,
                unit: "GB",
                service: ["Networking".to_owned(), "Egress".to_owned()],
                micro,
                lost: 0,
            };
            self.row(pool, Some(whose), &charge)?;
        }
        Ok(())
    }

    fn row(&mut self, pool: usize, whose: Option<[u32; 4]>, charge: &Charge) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        let money = |micro: u128| MicroUsd::new(u64::try_from(micro).unwrap_or(u64::MAX));
        push(line, format_args!("{0},{0},USD,Usage,", money(charge.micro)));
        field(line, &charge.what);
        for time in [self.window.0, self.window.1] {
            push(line, format_args!(",{}", rfc3339(time)));
        }
        let quantity = billionths(charge.quantity);
        let unit = charge.unit;
        push(line, format_args!(",{},{quantity},{unit},{quantity},{unit}", charge.category));
        let spec = &self.setup.config.pools[pool];
        let (cloud, region) = &self.setup.places[pool];
        let accelerator = spec.accelerator.as_deref().unwrap_or("");
        let [cloud, region] = [cloud, region].map(|place| place.as_deref().unwrap_or(""));
        let [category, service] = &charge.service;
        let [owner, team, user, class] = whose.map_or([""; 4], |whose| names(self.setup, self.trace, whose));
        for text in [
            category,
            service,
            cloud,
            region,
            &spec.name,
            accelerator,
            team,
            charge.line,
            owner,
            team,
            user,
            class,
        ] {
            line.push(',');
            field(line, text);
        }
        push(line, format_args!(",{}\n", money(charge.lost)));
        self.out.write_all(line.as_bytes())
    }
}

/// Billionths in a unit.
const BILLION: u128 = 1_000_000_000;

/// Billionths of a unit, without zeros at the end.
fn billionths(quantity: u128) -> String {
    let text = format!("{}.{:09}", quantity / BILLION, quantity % BILLION);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time of the trace as a date; empty where no calendar reaches.
fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |time| time.to_string())
}
