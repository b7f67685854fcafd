//! What holds for any rows and any bytes: round trips, and errors instead of panics.

use std::path::{Path, PathBuf};

use fairshare_sim::trace::{Format, Input, Trace, TraceOptions, convert, inspect};
use proptest::prelude::*;

use crate::trace::{folder, load, write};
use crate::trace_tools::listing;

/// A field of seconds: usually sensible, sometimes missing, negative or fractional.
fn seconds() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..100_000_i64).prop_map(|value| value.to_string()),
        2 => (0..100_000_000_i64).prop_map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000)),
        1 => Just(String::new()),
        1 => (-5..0_i64).prop_map(|value| value.to_string()),
        1 => Just("1e3".to_owned()),
        1 => Just("1000000000000000".to_owned()),
    ]
}

/// A text that must survive quoting.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]",
        1 => "[a-z0-9 ,\"é-]{0,6}".prop_map(|text| format!("\"{}\"", text.replace('"', "\"\""))),
        1 => Just(String::new()),
    ]
}

fn amount() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..64_u32).prop_map(|value| value.to_string()),
        1 => (0..10_000_u32).prop_map(|milli| format!("{}.{:03}", milli / 1000, milli % 1000)),
        1 => Just("-1".to_owned()),
        1 => Just(String::new()),
    ]
}

pub(crate) fn row() -> impl Strategy<Value = String> {
    let id = prop_oneof![(0..30_u32).prop_map(|id| id.to_string()), "[0-9a-f]{1,4}"];
    let alternatives = prop_oneof![
        3 => Just(""),
        1 => Just("H200"),
        1 => Just("H200:1|A100:0.5"),
        1 => Just("H200*1x8:1|A100*2x8:0.125"),
        1 => Just("L4*3x0.5"),
    ];
    let workers = prop_oneof![Just(""), Just("1"), Just("4"), Just("0"), Just("12.0")];
    let status = prop_oneof![Just(""), Just("completed"), Just("failed"), Just("cancelled"), Just("lost")];
    let flag = prop_oneof![Just(""), Just("true"), Just("false")];
    (
        (id, seconds(), seconds(), text(), text(), text()),
        (workers, amount(), amount(), amount(), alternatives, amount()),
        (seconds(), seconds(), seconds(), status, flag, text(), seconds()),
    )
        .prop_map(
            |((id, submit, run, team, user, priority), (workers, gpu, cpu, memory, kinds, nic), rest)| {
                let (limit, start, end, status, flag, title, deadline) = rest;
                format!(
                    "{id},{submit},{run},{team},{user},{priority},{workers},{gpu},{cpu},{memory},{kinds},{nic},\
                     {limit},{start},{end},{status},{flag},{title},{deadline}\n"
                )
            },
        )
}

pub(crate) const HEADER: &str = "job_id,submit_s,run_s,team,user,priority,workers,gpu,cpu,memory_gib,accelerators,res_nic,\
                      time_limit_s,start_s,end_s,status,preemptible,name,deadline_s\n";

/// Every fixture with its format.
pub(crate) fn fixtures() -> Vec<(Format, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    [
        ("native", "native.csv"),
        ("philly-log", "philly-log.json"),
        ("philly-machines", "philly-machines.csv"),
        ("helios", "helios.csv"),
        ("acme", "acme-kalos.csv"),
        ("pai", "pai_job_table.csv"),
        ("pai-tasks", "pai_task_table.csv"),
        ("pai-machines", "pai_machine_spec.csv"),
        ("gavel", "gavel.tsv"),
        ("gavel-throughputs", "gavel-throughputs.json"),
        ("sacct", "sacct.txt"),
        ("kueue", "kueue.json"),
        ("kueue", "kueue.yaml"),
        ("skypilot", "skypilot.json"),
        ("skypilot-task", "skypilot-task.yaml"),
        ("swf", "small.swf"),
        ("openb", "openb-pods.csv"),
        ("openb-nodes", "openb-nodes.csv"),
        ("helios-quotas", "helios-quotas.csv"),
        ("philly-list", "philly-list.csv"),
    ]
    .into_iter()
    .map(|(format, file)| (Format::from_name(format).unwrap(), folder.join(file)))
    .collect()
}

/// Loads, inspects and converts; whatever comes out, it must not be a panic, and an error must say something.
pub(crate) fn survive(path: &Path, format: Option<Format>) {
    let input = [Input { path: path.to_owned(), format }];
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    match Trace::load(&input, &options) {
        Ok(trace) => {
            let jobs = trace.sources.iter().map(|source| source.jobs).sum::<u64>();
            assert_eq!(jobs, trace.jobs.len() as u64);
            assert!(trace.jobs.is_sorted_by_key(|job| job.submit_ms));
            assert_eq!(inspect(&input, &options, None).unwrap().jobs, jobs);
            assert_eq!(convert(&input, &options, std::io::sink()).unwrap().jobs, jobs);
        }
        Err(error) => {
            assert!(!error.is_machine(), "{}", error.message());
            assert!(error.message().lines().count() >= 2, "{}", error.message());
        }
    }
}

#[test]
fn every_fixture_is_told_from_its_content() {
    for (format, path) in fixtures() {
        let options = TraceOptions { partial: true, ..TraceOptions::default() };
        let input = [Input::parse(path.to_str().unwrap())];
        let trace = Trace::load(&input, &options).unwrap();
        assert_eq!(trace.sources[0].format, format, "{}", path.display());
        assert!(trace.sources[0].rows > 0);
    }
}

proptest! {
    #[test]
    fn any_rows_come_back_from_native(rows in prop::collection::vec(row(), 0..40)) {
        let folder = folder();
        let first = load(&write(&folder, "a.csv", (HEADER.to_owned() + &rows.concat()).as_bytes())).unwrap();
        let mut bytes = Vec::new();
        first.write_native(&mut bytes).unwrap();
        let second = load(&write(&folder, "b.csv", &bytes)).unwrap();
        prop_assert_eq!(listing(&first), listing(&second));
        // What was repaired once needs no repair again.
        prop_assert!(second.sources[0].repairs.is_empty(), "{:?}", second.sources[0].repairs);
        let mut again = Vec::new();
        second.write_native(&mut again).unwrap();
        prop_assert_eq!(bytes, again);
    }

    #[test]
    fn any_bytes_end_in_jobs_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0..20_usize) {
        let folder = folder();
        let path = write(&folder, "any", &bytes);
        survive(&path, None);
        survive(&path, Some(fixtures()[which].0));
    }

    #[test]
    fn a_damaged_file_ends_in_jobs_or_an_error(
        which in 0..20_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8),
        format in 0..20_usize,
    ) {
        let all = fixtures();
        let mut bytes = std::fs::read(&all[which].1).unwrap();
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        let folder = folder();
        let path = write(&folder, "damaged", &bytes);
        survive(&path, Some(all[which].0));
        survive(&path, None);
        // Another format's reader gets the file as well.
        survive(&path, Some(all[format].0));
    }
}
