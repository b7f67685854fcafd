//! Prices of accelerators: a small table of our own, and `SkyPilot`'s catalogs with their known faults caught.
//!
//! Prices are facts of one place and day: every one has its source. Nothing here is a default of a scenario, which has
//! prices only where it says so. Absent on purpose: charging (see `tariff`).

mod catalog;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub use catalog::read;
pub use table::own;

/// Prices from one place (schema `sim.prices/1`).
#[derive(Debug, Clone, Serialize)]
pub struct Prices {
    schema: &'static str,
    /// Where they come from.
    pub sources: Vec<Origin>,
    /// The prices, by accelerator, then price.
    pub prices: Vec<Offer>,
    /// What was wrong with rows, and what was done about it.
    pub faults: BTreeMap<&'static str, Faulty>,
}

impl Prices {
    /// Prices of sources, in order.
    fn new(sources: Vec<Origin>, mut prices: Vec<Offer>, faults: BTreeMap<&'static str, Faulty>) -> Self {
        prices.sort_by(|a, b| {
            let key = |offer: &Offer| (offer.accelerator.clone(), offer.gpu_hour, offer.region.clone());
            key(a).cmp(&key(b)).then_with(|| a.instance.cmp(&b.instance)).then(a.gpus.cmp(&b.gpus))
        });
        Self { schema: "sim.prices/1", sources, prices, faults }
    }

    /// Only those of an accelerator and in a region, where these are given.
    pub fn retain(&mut self, accelerator: Option<&str>, region: Option<&str>) {
        let is = |wanted: Option<&str>, value: &str| {
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        self.prices.retain(|offer| is(accelerator, &offer.accelerator) && is(region, &offer.region));
    }
}

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file as given, or the name of the table.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Rows read.
    pub rows: u64,
}

/// One price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Name of the accelerator.
    pub accelerator: String,
    /// Provider and type of machine, as far as the source says.
    pub instance: String,
    /// Region; may be empty.
    pub region: String,
    /// Accelerators of the machine.
    pub gpus: u32,
    /// Dollars for one accelerator and hour, on demand.
    pub gpu_hour: Dollars,
    /// The same at the spot market.
    pub spot_gpu_hour: Option<Dollars>,
    /// `machine`: all of it; `gpu`: the accelerator without its host, which costs extra.
    pub covers: &'static str,
    /// Where it was read, if that is more than the path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// Rows with one fault.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Faulty {
    /// What was done.
    pub done: &'static str,
    /// How many rows.
    pub count: u64,
    /// The lines of the first five.
    pub first_lines: Vec<u64>,
}

/// Millionths of a dollar, printed as dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub u64);

impl Serialize for Dollars {
    #[expect(clippy::cast_precision_loss, reason = "micro-USD below 2^53 are exact")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1_000_000.0)
    }
}
