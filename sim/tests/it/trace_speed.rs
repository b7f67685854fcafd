//! Speed of reading, against the least that the same rows can take: only optimised and without debug assertions, as in
//! `.ci/run long`.
//!
//! Both are measured in one run, in turns, and the fastest of each counts, so that what else the machine does hardly
//! shows.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fairshare_sim::trace::synthetic::{SynthSpec, write_csv};
use fairshare_sim::trace::{Input, TraceOptions, inspect};

use crate::trace::{folder, write};

const ROWS: u64 = 300_000;
const TURNS: usize = 15;
/// Inspecting may take so many times as long as splitting into fields and reading the numbers.
const MOST: f64 = 4.0;

/// The columns that hold numbers.
const NUMBERS: [&str; 9] =
    ["job_id", "submit_s", "run_s", "workers", "gpu", "cpu", "memory_gib", "estimate_s", "time_limit_s"];

/// The floor: records as bytes, and the digits of the numbers added up; of all else not a byte is looked at.
fn floor(bytes: &[u8]) -> u64 {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().unwrap().clone();
    let numbers: Vec<usize> = (0..header.len()).filter(|&at| NUMBERS.contains(&&header[at])).collect();
    let mut record = csv::ByteRecord::new();
    let (mut rows, mut sum) = (0, 0_u64);
    while reader.read_byte_record(&mut record).unwrap() {
        for &at in &numbers {
            let digits = record[at].iter().map(|digit| u64::from(digit.wrapping_sub(b'0')));
            let number = digits.fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(digit));
            sum = sum.wrapping_add(number);
        }
        sum = sum.wrapping_add(record.len() as u64);
        rows += 1;
    }
    black_box(sum);
    rows
}

#[expect(clippy::disallowed_methods, reason = "the one thing that is measured here is time")]
fn timed(act: impl FnOnce() -> u64) -> Duration {
    let begun = Instant::now();
    assert_eq!(act(), ROWS);
    begun.elapsed()
}

/// Few columns, mostly numbers: the cheapest rows to split. `id` stands before the number of each row, and so many kinds of
/// requests are drawn.
fn narrow(id: &str, kinds: u64) -> Vec<u8> {
    let mut text = String::from("job_id,submit_s,team,accelerators,gpu,run_s,pools\n");
    let mut state = 1_u64;
    for row in 0..ROWS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = state >> 33;
        let (run, gpu) = (drawn % 100_000_000, 1 + drawn % kinds);
        let (team, accelerator) = (drawn % 64, ["H200", "L4", "A100"][(drawn % 3) as usize]);
        let submit = 1_600_000_000_000 + row * 977;
        writeln!(text, "{id}{row},{submit},team-{team},{accelerator},{gpu},{run},us-east{}", drawn % 5)
            .unwrap();
    }
    text.into_bytes()
}

/// All that the generator writes.
fn wide() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_csv(&SynthSpec::preset("demo").unwrap().with_jobs(ROWS), 1, &mut bytes).unwrap();
    bytes
}

#[test]
fn native_csv_is_inspected_within_four_times_its_floor() {
    let folder = folder();
    let mut slow = Vec::new();
    for (name, bytes, most) in [
        ("narrow.csv", narrow("", 4), Some(MOST)),
        ("wide.csv", wide(), Some(MOST)),
        // What these cost besides is told, not bounded: each id is remembered, and each request that is new is built.
        ("texts.csv", narrow("job-", 4), None),
        ("unlike.csv", narrow("", 100_000), None),
    ] {
        let input = [Input::parse(write(&folder, name, &bytes).to_str().unwrap())];
        let inspected = || inspect(&input, &TraceOptions::default(), None).unwrap().jobs;
        let (mut least, mut own) = (Duration::MAX, Duration::MAX);
        for _ in 0..TURNS {
            least = least.min(timed(|| floor(&bytes)));
            own = own.min(timed(inspected));
        }
        let (least, own) = (least.as_secs_f64(), own.as_secs_f64());
        let per_row = 1e9 / f64::from(u32::try_from(ROWS).unwrap());
        let ratio = own / least;
        println!(
            "{name}: floor {:.0} ns a row, inspected in {:.0}: {ratio:.2} times",
            least * per_row,
            own * per_row
        );
        if most.is_some_and(|most| ratio > most) {
            slow.push(format!("{name}: {ratio:.2} times the floor"));
        }
    }
    assert_eq!(slow, Vec::<String>::new());
}
