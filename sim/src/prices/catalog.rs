//! `SkyPilot`'s catalogs: `vms.csv` of one cloud, its known faults caught.
//!
//! Prices in a catalog are for a whole machine; here they are for one accelerator. Zones of a region are one offer, at
//! their lowest prices. What is wrong and what is done about it:
//! - no price, or zero: the row is left out;
//! - an accelerator of which there are none: the row is left out;
//! - spot above on demand: the row is left out, since another tariff has leaked into one of the two;
//! - spot equal to on demand: the spot price is dropped, since it stands for one that is not known;
//! - host and accelerator in separate rows (a row without a machine type): joined where the machine's name says which it
//!   hosts, else the accelerator's part alone, marked as such;
//! - less than half of the median of its accelerator in the file: kept, and counted.
//!
//! What is no catalog at all, or holds a letter in a number, is an error with its line. Absent on purpose: memory of
//! accelerators, whose units differ between catalogs.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use fairshare::MicroUsd;

use super::{Dollars, Faulty, Offer, Origin, Prices};
use crate::error::{SimError, plain_reason};
use crate::trace::{Flow, Guard, Opened, open_bytes};

/// Machines whose accelerators stand in rows of their own: beginning of the machine's name, and the accelerator.
const HOSTS: [(&str, &str); 9] = [
    ("a2-highgpu-", "A100"),
    ("a2-megagpu-", "A100"),
    ("a2-ultragpu-", "A100-80GB"),
    ("a3-highgpu-", "H100"),
    ("a3-megagpu-", "H100-MEGA"),
    ("a3-ultragpu-", "H200"),
    ("a4-highgpu-", "B200"),
    ("a4x-highgpu-", "GB200"),
    ("g2-standard-", "L4"),
];
/// CPUs of a g2-standard machine, and its accelerators.
const G2: [(&str, u32); 8] =
    [("4", 1), ("8", 1), ("12", 1), ("16", 1), ("24", 2), ("32", 1), ("48", 4), ("96", 8)];

const EMPTY: (&str, &str) = ("no price", "left out");
const ZERO: (&str, &str) = ("price of zero", "left out");
const NONE: (&str, &str) = ("accelerators of number zero", "left out");
const ABOVE: (&str, &str) = ("spot above on demand", "left out");
const EQUAL: (&str, &str) = ("spot equal to on demand", "spot price dropped");
const ALONE: (&str, &str) = ("accelerator without its host", "kept, without the host's price");
const LOW: (&str, &str) = ("less than half of the median of its accelerator", "kept");

/// Where one row is, and what it offers.
#[derive(Debug)]
struct Row {
    line: u64,
    instance: String,
    accelerator: String,
    count: u32,
    region: String,
    /// Micro-USD for the whole of it.
    price: u64,
    spot: Option<u64>,
}

#[derive(Debug, Default)]
struct Found {
    faults: BTreeMap<&'static str, Faulty>,
}

impl Found {
    fn note(&mut self, (reason, done): (&'static str, &'static str), line: u64) {
        let faulty = self.faults.entry(reason).or_default();
        faulty.done = done;
        faulty.count += 1;
        if faulty.first_lines.len() < 5 {
            faulty.first_lines.push(line);
        }
    }
}

/// Where lines begin that are not empty, of the bytes that have come and not been left behind. The reader of CSV skips empty
/// lines and counts what ends a line as part of the next where that is two bytes, so that its own numbers may be too low.
#[derive(Debug)]
struct Lines {
    /// Offsets of first bytes, with the numbers of their lines.
    begins: VecDeque<(u64, u64)>,
    offset: u64,
    line: u64,
    last: u8,
}

impl Lines {
    const fn new() -> Self {
        Self { begins: VecDeque::new(), offset: 0, line: 1, last: b'\n' }
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match (self.last, byte) {
                (b'\r', b'\n') => {}
                (_, b'\r' | b'\n') => self.line += 1,
                (b'\r' | b'\n', _) => self.begins.push_back((self.offset, self.line)),
                _ => {}
            }
            (self.last, self.offset) = (byte, self.offset + 1);
        }
    }

    /// The line of the first record from `offset` on; those before are forgotten.
    fn of(&mut self, offset: u64) -> u64 {
        while self.begins.front().is_some_and(|(begin, _)| *begin < offset) {
            self.begins.pop_front();
        }
        self.begins.front().map_or(self.line, |(_, line)| *line)
    }
}

/// Bytes of which the lines are counted.
struct Counted {
    inner: Guard,
    lines: Rc<RefCell<Lines>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.lines.borrow_mut().add(&buffer[..count]);
        Ok(count)
    }
}

/// The offers of a catalog file.
///
/// # Errors
///
/// [`SimError::Usage`] if it cannot be opened, is no catalog, or a number in it is none.
pub fn read(path: &Path) -> Result<Prices, SimError> {
    let shown = path.display().to_string();
    let unreadable = |why: &dyn Display| SimError::usage(format!("failed to read catalog `{shown}`: {why}"));
    let raw: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| unreadable(&plain_reason(&error)))?)
    };
    let Opened { flow, bytes, .. } = open_bytes(raw).map_err(|fault| unreadable(&fault))?;
    let mut found = Found::default();
    let lines = Rc::new(RefCell::new(Lines::new()));
    let mut reader = csv::Reader::from_reader(Counted { inner: bytes, lines: Rc::clone(&lines) });
    let (machines, count) = machines(&shown, &mut reader, (&flow, &lines), &mut found)?;
    let offers = offers(&machines, &mut found);
    let origin = Origin { path: shown, digest: flow.digest(), rows: count };
    Ok(Prices::new(vec![origin], offers, found.faults))
}

/// Rows by machine, accelerator, region and number.
type Machines = BTreeMap<(String, String, String, u32), Row>;

/// All rows with a price, of the zones of a region one at their lowest prices, and how many rows there are. As many are held
/// as are unlike, however long the file is.
fn machines(
    shown: &str,
    reader: &mut csv::Reader<Counted>,
    (flow, lines): (&Flow, &RefCell<Lines>),
    found: &mut Found,
) -> Result<(Machines, u64), SimError> {
    let broken = |error: csv::Error, line: u64| {
        let said = error.to_string();
        SimError::usage(match error.into_kind() {
            csv::ErrorKind::Io(error) => {
                format!("failed to read catalog `{shown}`: {}", flow.fault(line, error))
            }
            _ => format!("catalog `{shown}` is no CSV: {said}"),
        })
    };
    let header = reader.headers().map_err(|error| broken(error, lines.borrow_mut().of(0)))?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            let message = format!("`{shown}` is no catalog of SkyPilot: it has no column `{name}`");
            SimError::usage_with_hint(message, "a catalog is the `vms.csv` of one cloud")
        })
    };
    let [instance, accelerator, number, price, region] =
        ["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"].map(needed);
    let (instance, accelerator, number, price, region) = (instance?, accelerator?, number?, price?, region?);
    let spot = column("SpotPrice");
    let (mut machines, mut count) = (Machines::new(), 0);
    let mut record = csv::StringRecord::new();
    loop {
        let start = reader.position().byte();
        flow.record_starts(start);
        let more = reader.read_record(&mut record);
        let line = lines.borrow_mut().of(start);
        if !more.map_err(|error| broken(error, line))? {
            break;
        }
        count += 1;
        let cell = |index: usize| record.get(index).unwrap_or_default().trim();
        let money = |index: usize| amount(shown, line, header.get(index).unwrap_or_default(), cell(index));
        let number = amount(shown, line, "AcceleratorCount", cell(number))?.unwrap_or(0) / 1_000_000;
        let spot = spot.map(money).transpose()?.flatten().filter(|spot| *spot > 0);
        let Some(price) = money(price)? else {
            found.note(EMPTY, line);
            continue;
        };
        if price == 0 {
            found.note(ZERO, line);
            continue;
        }
        let spot = match spot {
            Some(spot) if spot > price => {
                found.note(ABOVE, line);
                continue;
            }
            Some(spot) if spot == price => {
                found.note(EQUAL, line);
                None
            }
            spot => spot,
        };
        let row = Row {
            line,
            instance: cell(instance).to_owned(),
            accelerator: cell(accelerator).to_owned(),
            count: u32::try_from(number).unwrap_or(u32::MAX),
            region: cell(region).to_owned(),
            price,
            spot,
        };
        let key = (row.instance.clone(), row.accelerator.clone(), row.region.clone(), row.count);
        let known = machines.entry(key).or_insert(row);
        known.price = known.price.min(price);
        known.spot = [known.spot, spot].into_iter().flatten().min();
    }
    Ok((machines, count))
}

/// A number of a cell in millionths; nothing where it is empty. Further decimals are cut.
fn amount(shown: &str, line: u64, column: &str, text: &str) -> Result<Option<u64>, SimError> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = if fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        fraction.get(..6).unwrap_or(fraction)
    } else {
        fraction
    };
    match MicroUsd::parse(&format!("{whole}.{fraction}")) {
        Some(amount) => Ok(Some(amount.get())),
        None => Err(SimError::usage(format!(
            "catalog `{shown}`, line {line}, column `{column}`: expected a number from 0, found `{text}`"
        ))),
    }
}

/// Offers for one accelerator, of machines and of joined parts.
fn offers(machines: &Machines, found: &mut Found) -> Vec<Offer> {
    let hosts: Vec<&Row> = machines.values().filter(|row| row.accelerator.is_empty()).collect();
    for row in machines.values().filter(|row| !row.accelerator.is_empty() && row.count == 0) {
        found.note(NONE, row.line);
    }
    let mut offers: Vec<(u64, Offer)> = Vec::new();
    for row in machines.values().filter(|row| !row.accelerator.is_empty() && row.count > 0) {
        if !row.instance.is_empty() {
            offers.push((row.line, offer(row, None)));
            continue;
        }
        let host = hosts
            .iter()
            .filter(|host| host.region == row.region && hosted(host) == Some((&row.accelerator, row.count)));
        let host = host.min_by_key(|host| host.price).copied();
        if host.is_none() {
            found.note(ALONE, row.line);
        }
        offers.push((row.line, offer(row, host)));
    }
    note_low(&offers, found);
    offers.into_iter().map(|(_, offer)| offer).collect()
}

/// Which accelerators a machine without any in its row is made for.
fn hosted(host: &Row) -> Option<(&'static str, u32)> {
    let (rest, accelerator) = HOSTS
        .iter()
        .find_map(|(name, accelerator)| Some((host.instance.strip_prefix(name)?, *accelerator)))?;
    let count = match rest.strip_suffix('g') {
        Some(count) => count.parse().ok(),
        None => G2.iter().find(|(cpus, _)| *cpus == rest).map(|(_, count)| *count),
    };
    Some((accelerator, count?))
}

fn offer(row: &Row, host: Option<&Row>) -> Offer {
    // Rounded to the nearest millionth.
    let each = |whole: u64| (whole + u64::from(row.count) / 2) / u64::from(row.count);
    let spot = match host {
        Some(host) => row.spot.zip(host.spot).map(|(gpu, host)| gpu + host),
        None => row.spot,
    };
    Offer {
        accelerator: row.accelerator.clone(),
        instance: host.map_or(&row.instance, |host| &host.instance).clone(),
        region: row.region.clone(),
        gpus: row.count,
        gpu_hour: Dollars(each(row.price + host.map_or(0, |host| host.price))),
        spot_gpu_hour: spot.map(|spot| Dollars(each(spot))),
        covers: if row.instance.is_empty() && host.is_none() { "gpu" } else { "machine" },
        source: String::new(),
    }
}

/// Notes what is far below others of its kind: another tariff may have leaked in.
fn note_low(offers: &[(u64, Offer)], found: &mut Found) {
    let mut by_name: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for (_, offer) in offers {
        by_name.entry((&offer.accelerator, offer.covers)).or_default().push(offer.gpu_hour.0);
    }
    for prices in by_name.values_mut() {
        prices.sort_unstable();
    }
    for (line, offer) in offers {
        let prices = &by_name[&(offer.accelerator.as_str(), offer.covers)];
        if offer.gpu_hour.0 * 2 < prices[prices.len() / 2] {
            found.note(LOW, *line);
        }
    }
}
