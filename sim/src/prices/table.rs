//! The table of our own: `table.csv`, read when it is asked for.
//!
//! Absent on purpose: prices from memory; a row says which stored file it was read from, and when.

use std::collections::BTreeMap;

use fairshare::MicroUsd;

use super::{Dollars, Offer, Origin, Prices};
use crate::digest::sha256;

const TABLE: &str = include_str!("table.csv");

/// All prices of the table.
///
/// # Examples
///
/// ```
/// let prices = fairshare_sim::prices::own();
/// let cheapest = prices.prices.iter().find(|offer| offer.accelerator == "H200").unwrap();
/// assert_eq!((cheapest.gpu_hour.0, cheapest.region.as_str()), (3_500_000, "eu-north1"));
/// assert!(prices.prices.iter().all(|offer| !offer.source.is_empty()));
/// ```
#[must_use]
pub fn own() -> Prices {
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    let mut prices = Vec::new();
    for row in reader.records().filter_map(Result::ok) {
        let cell = |index: usize| row.get(index).unwrap_or_default();
        // The test below sees to it that no row is left out.
        let Some(price) = MicroUsd::parse(cell(4)) else { continue };
        prices.push(Offer {
            accelerator: cell(0).to_owned(),
            instance: cell(1).to_owned(),
            region: cell(2).to_owned(),
            gpus: cell(3).parse().unwrap_or(0),
            gpu_hour: Dollars(price.get()),
            spot_gpu_hour: MicroUsd::parse(cell(5)).map(|spot| Dollars(spot.get())),
            covers: if cell(6) == "gpu" { "gpu" } else { "machine" },
            source: format!("{}, read {}", cell(8), cell(7)),
        });
    }
    let digest = sha256(TABLE.as_bytes());
    let origin = Origin { path: "the table of this program".to_owned(), digest, rows: prices.len() as u64 };
    Prices::new(vec![origin], prices, BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_price_with_a_source() {
        let prices = own().prices;
        assert_eq!(prices.len(), TABLE.lines().count() - 1);
        for offer in &prices {
            assert!(offer.gpus > 0 && offer.gpu_hour.0 > 0, "{offer:?}");
            assert!(offer.spot_gpu_hour.is_none_or(|spot| spot < offer.gpu_hour), "{offer:?}");
            assert!(offer.source.contains('@') && offer.source.ends_with("read 2026-11"), "{offer:?}");
        }
    }
}
