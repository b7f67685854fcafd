//! `budget` of a team: GPU-hours or dollars in a period.
//!
//! Absent on purpose: what is spent (it is the scheduler's to count).

use fairshare::{Budget, Millis, Quantity, Spending};

use super::Pool;
use super::document::{Node, Table};
use super::fault::Fault;
use super::value::Faults;

const KEYS: [&str; 3] = ["gpu_hours", "usd", "period"];

/// Milliseconds in a thousandth of an hour.
const MILLIHOUR_MS: u64 = 3_600;

/// `{ gpu_hours = NUMBER, period = TIME }`, or `usd` in place of `gpu_hours`.
pub(super) fn budget(team: &Table, pools: &[Pool], faults: &mut Faults) -> Option<Budget> {
    let node = team.get("budget")?;
    let table = faults.table(node, "budget")?;
    faults.keys(table, "a budget", &KEYS, &[]);
    let most = match (table.get("gpu_hours"), table.get("usd")) {
        (Some(hours), None) => gpu_time(hours, faults),
        (None, Some(usd)) => {
            if let Some(pool) = pools.iter().find(|pool| pool.tariff.is_none()) {
                let label = format!("pool `{}` has no price", pool.name);
                faults.push(Fault::new(&usd.place, "a budget in dollars cannot be counted", label));
            }
            faults.money(usd, "usd").map(Spending::Usd)
        }
        _ => {
            let label = "expected either `gpu_hours` or `usd`";
            faults.push(Fault::new(&node.place, "a budget counts one thing", label));
            None
        }
    };
    let period = faults.required(table, &node.place, "a budget", "period", &KEYS)?;
    let period = Millis::new(faults.duration(period, "period")?);
    Some(Budget { most: most?, period })
}

fn gpu_time(node: &Node, faults: &mut Faults) -> Option<Spending> {
    let hours = faults.amount(node, "gpu_hours").map(Quantity::get)?;
    let millis = hours.checked_mul(MILLIHOUR_MS);
    if millis.is_none() {
        let label = "expected less than 5 million million GPU-hours";
        faults.push(Fault::new(&node.place, "the budget is too large", label));
    }
    millis.map(Spending::GpuMillis)
}
