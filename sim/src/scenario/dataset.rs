//! `[[dataset]]`: how large a data set is; where it lies is said at the pools. Absent on purpose: what moving it costs (see
//! `price` and `metrics::egress`).

use std::collections::BTreeMap;

use fairshare::Quantity;

use super::Pool;
use super::document::{Table, Value};
use super::fault::Fault;
use super::value::Faults;
use crate::tariff::Tariff;

const KEYS: [&str; 2] = ["name", "size"];
/// The largest data set, so that all that a run moves can be counted.
const MOST: u64 = 1 << 60;

/// Bytes of every data set that has a table.
pub(super) fn sizes(root: &Table, pools: &[Pool], faults: &mut Faults) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for (table, place) in faults.tables(root, "dataset") {
        faults.keys(table, "a data set", &KEYS, &[]);
        let mut required = |key: &str| faults.required(table, place, "a data set", key, &KEYS);
        let (name, size) = (required("name"), required("size"));
        let at = name.map(|node| &node.place);
        let name = name.and_then(|node| faults.text(node, "name"));
        let bytes = size.and_then(|node| {
            let bytes = match &node.value {
                Value::Text(text) => Quantity::parse_bytes(text).map(Quantity::get),
                _ => None,
            };
            let bytes = bytes.filter(|bytes| (1..=MOST).contains(bytes));
            if bytes.is_none() {
                return faults.expected(
                    node,
                    "size",
                    "a size up to 1 EiB with its unit, such as `\"500GB\"`",
                );
            }
            bytes
        });
        let (Some(name), Some(bytes), Some(at)) = (name, bytes, at) else { continue };
        if sizes.insert(name.to_owned(), bytes).is_some() {
            let label = "this name is taken by a data set above";
            faults.push(Fault::new(at, format!("data set `{name}` is defined twice"), label));
        }
    }
    if let (false, Some(place)) =
        (sizes.is_empty(), faults.tables(root, "dataset").first().map(|(_, at)| *at))
    {
        prices(pools, place, faults);
    }
    sizes
}

/// Pools that hold data sets all say what a GB that leaves them costs, or none does.
fn prices(pools: &[Pool], place: &super::fault::Place, faults: &mut Faults) {
    let tariffs = || pools.iter().filter_map(|pool| Some((pool, pool.tariff.as_ref()?)));
    let charged = tariffs().any(|(_, tariff)| tariff.egress_gb.is_some());
    let silent = |(pool, tariff): &(&Pool, &Tariff)| !pool.datasets.is_empty() && tariff.egress_gb.is_none();
    if let (true, Some((silent, _))) = (charged, tariffs().find(silent)) {
        let title = "some pools charge for data that leaves them and some do not say";
        let label = format!("`{}` has data sets and no `egress_gb` in its `price`", silent.name);
        faults.push(Fault::new(place, title, label).hint("where it is free, write `egress_gb = 0`"));
    }
}
