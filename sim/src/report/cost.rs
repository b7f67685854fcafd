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
use crate::metrics::cost::{Costs, Whose, apportion_by};
use crate::metrics::money::{Money, Part};
use crate::metrics::{Demands, egress};
use crate::record::Record;
use crate::setup::Setup;
use crate::tariff::Bought;
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
    let money = Money::new(&costs, setup, trace);
    let mut rows: Vec<Row<Part>> = money.parts.iter().map(|(key, part)| (*key, *part)).collect();
    sort_by_name(setup, trace, &mut rows);
    let mut writer = Lines { setup, trace, window, out, line: String::new() };
    for (key, part) in &rows {
        writer.held(key.0, Some(key.1), *part, costs.held[key].amount)?;
    }
    for (pool, micro) in money.idle_by_pool.iter().enumerate() {
        let Some(tariff) = setup.tariffs[pool].as_ref().filter(|tariff| tariff.bought.accrues()) else {
            continue;
        };
        let there = setup.available(pool, tariff.kind(), Some(window));
        let of_pool = costs.held.iter().filter(|((of, _), _)| *of == pool);
        let held: u128 = of_pool.map(|(_, held)| held.amount).sum();
        writer.held(pool, None, Part { money: *micro, lost: 0 }, there.saturating_sub(held))?;
    }
    writer.egress(record)
}

/// A row: pool, and whose it is.
type Row<T> = ((usize, Whose), T);

/// By pool, then names: numbers are in the order of the trace's rows.
fn sort_by_name<T>(setup: &Setup, trace: &Trace, rows: &mut [Row<T>]) {
    rows.sort_by(|((pool_a, a), _), ((pool_b, b), _)| {
        let pairs = names(setup, trace, *a).into_iter().zip(names(setup, trace, *b));
        let by_name = pairs.map(|(a, b)| compare_names(a, b)).find(|order| order.is_ne());
        pool_a.cmp(pool_b).then(by_name.unwrap_or(std::cmp::Ordering::Equal))
    });
}

/// In the order of the columns.
fn names<'a>(setup: &'a Setup, trace: &'a Trace, whose: Whose) -> [&'a str; 4] {
    let [team, owner, user, class] = whose.names(setup, trace);
    [owner, team, user, class]
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
        whose: Option<Whose>,
        Part { money: micro, lost }: Part,
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
        let mut sums: BTreeMap<(usize, Whose), [u128; 2]> = BTreeMap::new();
        for one in egress::moves(self.setup, self.trace, record) {
            let charged =
                self.setup.tariffs[one.from].as_ref().is_some_and(|tariff| tariff.egress_gb.is_some());
            if one.size.is_some() && charged {
                let sum = sums.entry((one.from, Whose::of(self.setup, self.trace, one.row))).or_default();
                sum[0] += u128::from(one.size.unwrap_or(0));
                sum[1] += one.money();
            }
        }
        let mut sums: Vec<Row<[u128; 2]>> = sums.into_iter().collect();
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

    fn row(&mut self, pool: usize, whose: Option<Whose>, charge: &Charge) -> io::Result<()> {
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
