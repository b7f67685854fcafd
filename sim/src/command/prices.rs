//! `sim prices`: what accelerators cost, by our own table or by a catalog.

use std::fmt::Write as _;

use super::Output;
use crate::cli::{OutputFormat, Prices as Arguments};
use crate::error::SimError;
use crate::prices::{self, Dollars, Prices};
use crate::report;
use crate::report::csv::field;

/// Rows of the table for people.
const SHOWN: usize = 40;

/// Reads and prints prices.
///
/// # Errors
///
/// [`SimError`] if a catalog cannot be read, or nothing is left of it.
pub fn prices(arguments: &Arguments) -> Result<Output, SimError> {
    let mut prices = match &arguments.catalog {
        Some(path) => prices::read(path)?,
        None => prices::own(),
    };
    prices.retain(arguments.accelerator.as_deref(), arguments.region.as_deref());
    if prices.prices.is_empty() {
        let source = prices.sources.first().map_or("", |source| source.path.as_str());
        return Err(SimError::usage(format!("`{source}` has no price for what was asked")));
    }
    let mut output = Output::new(match arguments.output {
        OutputFormat::Table => table(&prices),
        OutputFormat::Json => report::json::pretty(&prices),
        OutputFormat::Csv => csv(&prices),
    });
    for (reason, faulty) in &prices.faults {
        let lines: Vec<String> = faulty.first_lines.iter().map(u64::to_string).collect();
        let more = if faulty.count > faulty.first_lines.len() as u64 { ", …" } else { "" };
        let rows = if faulty.count == 1 { "1 row".to_owned() } else { format!("{} rows", faulty.count) };
        let lines = lines.join(", ");
        output.notes.push(format!("warning: {rows} with {reason}: {} (line {lines}{more})", faulty.done));
    }
    Ok(output)
}

fn table(prices: &Prices) -> String {
    let mut text =
        format!("{:<12}{:<16}{:<24}{:>9}{:>9}\n", "accelerator", "region", "machine", "gpu_hour", "spot");
    for offer in prices.prices.iter().take(SHOWN) {
        let price = |dollars: Dollars| fairshare::MicroUsd::new(dollars.0).to_string();
        let _ = writeln!(
            text,
            "{:<12}{:<16}{:<24}{:>9}{:>9}{}",
            report::text::cut(&offer.accelerator, 12),
            report::text::cut(&offer.region, 16),
            report::text::cut(&format!("{}x {}", offer.gpus, offer.instance), 24),
            price(offer.gpu_hour),
            offer.spot_gpu_hour.map_or("-".to_owned(), price),
            if offer.covers == "gpu" { "  no host" } else { "" },
        );
    }
    if let Some(more) = prices.prices.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more (all of them with `-o csv`)");
    }
    text
}

fn csv(prices: &Prices) -> String {
    let mut text = "accelerator,instance,region,gpus,gpu_hour,spot_gpu_hour,covers,source\n".to_owned();
    for offer in &prices.prices {
        for name in [&offer.accelerator, &offer.instance, &offer.region] {
            field(&mut text, name);
            text.push(',');
        }
        let spot =
            offer.spot_gpu_hour.map_or(String::new(), |spot| fairshare::MicroUsd::new(spot.0).to_string());
        let price = fairshare::MicroUsd::new(offer.gpu_hour.0);
        let _ = write!(text, "{},{price},{spot},{},", offer.gpus, offer.covers);
        field(&mut text, &offer.source);
        text.push('\n');
    }
    text
}
