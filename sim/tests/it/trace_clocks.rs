//! Clocks: which day a time falls on, what a date of a scenario means, and files that begin at unlike times.

use std::fmt::Write as _;

use fairshare_sim::trace::synthetic::{SynthSpec, write_csv};
use fairshare_sim::trace::{Input, Trace, TraceOptions};
use serde_json::Value;

use crate::support::{Ran, sim};
use crate::trace::{folder, write};

const HEADER: &str = "job_id,submit_s,run_s,team,gpu\n";
const DAY: i64 = 86_400;

/// An SWF file that begins at this Unix time; its jobs take one processor for ten seconds.
fn swf(start: Option<i64>, jobs: &[(u32, i64)]) -> String {
    let head =
        start.map_or_else(|| "; Version: 2\n".to_owned(), |start| format!("; UnixStartTime: {start}\n"));
    let row = |(job, submit): &(u32, i64)| format!("{job} {submit} 0 10 1 1 1 1 10 1 1 1 1 1 1 1 -1 -1\n");
    head + &jobs.iter().map(row).collect::<Vec<_>>().concat()
}

fn done(folder: &tempfile::TempDir, arguments: &[&str]) -> Ran {
    let ran = sim(folder.path(), arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn json(folder: &tempfile::TempDir, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(folder, &[arguments, &["-o", "json"]].concat()).stdout).unwrap()
}

fn warned(value: &Value) -> Vec<String> {
    let texts = value["warnings"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Nobody knows the weekday of a relative clock: its day 0 counts as a Monday, as generated traces and fits have it.
#[test]
fn day_zero_of_a_relative_clock_is_a_monday() {
    let folder = folder();
    let rows = [(1, 0), (2, 3_600), (3, DAY), (4, 6 * DAY), (5, 7 * DAY)];
    let rows = rows.map(|(job, submit)| format!("{job},{submit},5,t,1\n")).concat();
    write(&folder, "jobs.csv", (HEADER.to_owned() + &rows).as_bytes());
    let found = json(&folder, &["trace", "inspect", "jobs.csv"]);
    assert_eq!(found["arrivals_by_weekday"], serde_json::json!([3, 1, 0, 0, 0, 0, 1]));
    assert_eq!((&found["calendar"], &found["clock"]), (&false.into(), &"the trace's own clock".into()));
    let table = done(&folder, &["trace", "inspect", "jobs.csv"]).stdout;
    assert!(table.contains("arrivals by weekday (day 0 counted as a Monday)  Mo █▃    ▃  Su"), "{table}");
    // A date is one of the calendar: Thursday the first of January.
    write(&folder, "dates.csv", format!("{HEADER}1,2026-01-01T00:00:00Z,5,t,1\n").as_bytes());
    let found = json(&folder, &["trace", "inspect", "dates.csv"]);
    assert_eq!(found["arrivals_by_weekday"], serde_json::json!([0, 0, 0, 1, 0, 0, 0]));
    let table = done(&folder, &["trace", "inspect", "dates.csv"]).stdout;
    assert!(table.contains("arrivals by weekday (UTC, or as written)"), "{table}");
    // The bundled trace begins on a Monday.
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../traces/demo/trace.csv.gz");
    let found = json(&folder, &["trace", "inspect", demo]);
    assert_eq!(found["arrivals_by_weekday"], serde_json::json!([1484, 1308, 942, 951, 989, 383, 301]));
}

/// 2001-09-09 01:46:40, a Sunday.
const START: i64 = 1_000_000_000;

/// One processor that charges a dollar an hour.
const POOL: &str = "[[pool]]\nname = \"cpu\"\nnodes = 1\nnode = { cpu = 1 }\nprice = { cpu_hour = 1 }\n";

/// Waits and costs of two jobs, with what is warned of.
fn replayed(folder: &tempfile::TempDir, scenario: &str, more: &[&str]) -> (Value, Vec<String>) {
    write(folder, "scenario.toml", scenario.as_bytes());
    let found = json(folder, &[&["run", "scenario.toml", "--trace", "jobs.swf"], more].concat());
    let warned =
        warned(&found).into_iter().filter(|text| text.contains("clock") || text.contains("after the last"));
    let warned = warned.collect();
    (found, warned)
}

/// A date of a scenario is that date also where the trace counts from a zero of its own that its head tells.
#[test]
fn dates_of_a_scenario_follow_the_clock_of_the_trace() {
    let folder = folder();
    write(&folder, "jobs.swf", swf(Some(START), &[(1, 0), (2, DAY), (3, 2 * DAY)]).as_bytes());
    let submitted = |ends: &str| {
        let (found, _) = replayed(&folder, &format!("{POOL}[trace]\n{ends}\n"), &[]);
        found["jobs"]["submitted"].as_u64().unwrap()
    };
    for (ends, jobs) in [
        ("from = \"2001-09-10\"", 2),
        ("from = 2001-09-10T01:46:40Z", 2),
        ("from = \"2001-09-10 01:46:41\"", 1),
        ("from = \"2001-09-10 03:46:40+02:00\"", 2),
        ("until = \"2001-09-11\"", 2),
        ("from = 86400\nuntil = 172800", 1),
    ] {
        assert_eq!(submitted(ends), jobs, "{ends}");
    }
    // No node from midnight after the first job until that after the second one.
    let change = |from: &str, nodes: u32| {
        format!("[[capacity]]\npool = \"cpu\"\nfrom = \"{from}\"\nnodes = {nodes}\n")
    };
    let gone = [POOL, &change("2001-09-10", 0), &change("2001-09-11 00:00:00", 1)].concat();
    for more in [&[][..], &["--quantiles", "sketch"]] {
        let (found, warned) = replayed(&folder, &gone, more);
        assert_eq!(found["wait_s"]["max"].as_f64(), Some(80_000.0), "{more:?}");
        assert_eq!(warned, Vec::<String>::new());
    }
    // The load is of what is there: a day of the two between the first and the last submission but for 6,400 s.
    let load = json(&folder, &["trace", "inspect", "jobs.swf", "--scenario", "scenario.toml"]);
    let load = load["offered_load"]["pools"]["cpu"].as_f64().unwrap();
    assert!((load - 30.0 / 86_400.0).abs() < 1e-9, "{load}");
    // Nobody pays for the second day.
    let dearer = "changes = [{ from = \"2001-09-10 01:46:40\", cpu_hour = 0 }]";
    let priced = POOL.replace("cpu_hour = 1 }", &format!("cpu_hour = 1, {dearer} }}"));
    let (found, warned) = replayed(&folder, &priced, &[]);
    assert_eq!((found["cost_usd"]["total"].as_f64(), warned), (Some(24.0), Vec::new()));
}

/// What a scenario says of a time that the trace does not reach is told, and so is a date that nobody can place.
#[test]
fn dates_beyond_the_trace_are_told() {
    let folder = folder();
    write(&folder, "jobs.swf", swf(Some(START), &[(1, 0), (2, DAY)]).as_bytes());
    let change = "[[capacity]]\npool = \"cpu\"\nfrom = \"2010-05-02 00:00:00\"\nnodes = 0\n";
    let late = "every `[[capacity]]` of pool `cpu` comes after the last submission (2001-09-10 01:46:40)";
    for more in [&[][..], &["--quantiles", "sketch"]] {
        assert_eq!(replayed(&folder, &[POOL, change].concat(), more).1, [late]);
    }
    let price = "cpu_hour = 1, changes = [{ from = 2000000000, cpu_hour = 9 }] }";
    let late =
        "every change of the price of pool `cpu` comes after the last submission (2001-09-10 01:46:40)";
    assert_eq!(replayed(&folder, &POOL.replace("cpu_hour = 1 }", price), &[]).1, [late]);
    for (ends, what) in [
        ("from = \"2001-09-11\"", "`from` comes after the last submission (2001-09-10 01:46:40)"),
        ("until = \"2001-09-09\"", "`until` comes before the first submission (2001-09-09 01:46:40)"),
    ] {
        let (found, _) = replayed(&folder, &format!("{POOL}[trace]\n{ends}\n"), &[]);
        let told = format!("2 of 2 jobs are left out by `teams`, `from` and `until` of `[trace]`: {what}");
        assert!(warned(&found).contains(&told), "{found}");
    }
    // A trace whose zero nobody knows: its dates count from 1970, as they are written.
    write(&folder, "jobs.swf", swf(None, &[(1, 0), (2, DAY)]).as_bytes());
    let unknown =
        "the scenario names dates, and no file says when the clock of the trace begins: they count from 1970";
    let change = change.replace("2010-05-02", "1970-01-01");
    for more in [&[][..], &["--quantiles", "sketch"]] {
        assert_eq!(replayed(&folder, &[POOL, &change].concat(), more).1, [unknown]);
    }
    assert_eq!(replayed(&folder, &format!("{POOL}[trace]\nfrom = \"1970-01-02\"\n"), &[]).1, [unknown]);
    assert_eq!(replayed(&folder, &format!("{POOL}[trace]\nfrom = 60\n"), &[]).1, Vec::<String>::new());
}

/// Files that say when they begin are put on one clock, that of the first of them.
#[test]
fn files_that_begin_at_unlike_times_are_put_on_one_clock() {
    let folder = folder();
    write(&folder, "a.swf", swf(Some(START), &[(1, 0), (2, 60)]).as_bytes());
    write(&folder, "b.swf", swf(Some(START + DAY), &[(3, 0), (4, 60)]).as_bytes());
    let said = "`b.swf` begins 86400 s after `a.swf`: its times count from the beginning of that";
    for order in [["a.swf", "b.swf"], ["b.swf", "a.swf"]] {
        let found = json(&folder, &[&["trace", "inspect"], &order[..]].concat());
        assert_eq!(found["span_s"].as_f64(), Some(86_460.0));
        assert_eq!(found["arrivals_by_weekday"], serde_json::json!([2, 0, 0, 0, 0, 0, 2]));
        assert_eq!(warned(&found), [said]);
        let written = done(&folder, &[&["trace", "convert"], &order[..]].concat());
        let times = |text: &str| {
            text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(times(&written.stdout), ["0", "60", "86400", "86460"]);
        assert!(written.stderr.contains(said), "{}", written.stderr);
        // A date means the same in all of them.
        let cut = done(&folder, &[&["trace", "shape", "--from", "2001-09-10"], &order[..]].concat());
        assert_eq!(times(&cut.stdout), ["86400", "86460"]);
    }
    // Each at its own hours, by the clocks of unlike machines: seven o'clock on Sunday, and on Monday.
    let zone = |name: &str, zone: i64, start: i64| {
        let text = format!("; TimeZone: {zone}\n{}", swf(Some(start), &[(9, 0)]));
        write(&folder, name, text.replace("9 0 0", &format!("{zone} 0 0")).as_bytes());
    };
    zone("west.swf", -18_000, START + 10 * 3600 + 800);
    zone("east.swf", 3_600, START + DAY + 4 * 3600 + 800);
    let found = json(&folder, &["trace", "inspect", "west.swf", "east.swf"]);
    assert_eq!((found["arrivals_by_hour"][7].as_u64(), found["span_s"].as_f64()), (Some(2), Some(64_800.0)));
    assert_eq!(found["clock"], "each file's own clock");
    // Of two with the same beginning nothing is said, nor of one that was cut into two.
    for start in [Some(START), None] {
        write(&folder, "a.swf", swf(start, &[(1, 0)]).as_bytes());
        write(&folder, "b.swf", swf(start, &[(2, 60)]).as_bytes());
        assert_eq!(warned(&json(&folder, &["trace", "inspect", "a.swf", "b.swf"])), Vec::<String>::new());
    }
    write(&folder, "a.swf", swf(Some(START), &[(1, 0)]).as_bytes());
    let told = warned(&json(&folder, &["trace", "inspect", "a.swf", "b.swf"]));
    assert_eq!(
        told,
        [
            "`b.swf` does not say when its clock begins and `a.swf` does: their jobs may not belong side by side"
        ]
    );
}

/// Unix times below a head that says that time starts at zero are told, those of the last century too, and `TimeZone` is
/// then the machine's clock.
#[test]
fn unix_times_of_swf_are_told_whatever_their_century() {
    let folder = folder();
    let head = "; UnixStartTime: 0\n; TimeZone: 3600\n";
    // On Monday 1996-09-23 at 23:30 by UTC, which is Tuesday where the machine stands.
    write(&folder, "jobs.swf", (head.to_owned() + &swf(None, &[(1, 843_521_400)])).as_bytes());
    let found = json(&folder, &["trace", "inspect", "jobs.swf"]);
    assert_eq!(
        warned(&found),
        ["`jobs.swf`: submit times look like Unix times although the header does not say when time starts"]
    );
    assert_eq!((&found["clock"], &found["calendar"]), (&"UTC+01:00".into(), &true.into()));
    assert_eq!(found["arrivals_by_weekday"], serde_json::json!([0, 1, 0, 0, 0, 0, 0]));
    assert_eq!(found["arrivals_by_hour"][0], 1);
    // Nearly ten years are still a clock of its own.
    write(&folder, "jobs.swf", (head.to_owned() + &swf(None, &[(1, 3_649 * DAY)])).as_bytes());
    let found = json(&folder, &["trace", "inspect", "jobs.swf"]);
    assert_eq!((warned(&found), &found["calendar"]), (Vec::new(), &false.into()));
}

/// The zero of PAI's tables keeps the hours and weekdays of China's clock.
#[test]
fn pai_counts_by_the_clock_of_china() {
    let folder = folder();
    write(&folder, "jobs.csv", b"j1,i1,u1,Terminated,100,200\nj2,i2,u2,Terminated,57700,57800\n");
    write(
        &folder,
        "tasks.csv",
        b"j1,t,1,Terminated,100,200,600,10,100,V100\nj2,t,1,Terminated,57700,57800,600,10,100,V100\n",
    );
    let files = ["jobs.csv:pai", "tasks.csv:pai-tasks"];
    for files in [&files[..], &files[..1], &files[1..]] {
        let found = json(&folder, &[&["trace", "inspect"], files].concat());
        assert_eq!((&found["clock"], &found["calendar"]), (&"UTC+08:00".into(), &true.into()), "{files:?}");
        // Thursday at eight, and Friday at midnight.
        assert_eq!(found["arrivals_by_weekday"], serde_json::json!([0, 0, 0, 1, 1, 0, 0]));
        let hours = &found["arrivals_by_hour"];
        assert_eq!((&hours[8], &hours[0]), (&1.into(), &1.into()));
    }
    let converted = done(&folder, &[&["trace", "convert"], &files[..]].concat());
    assert!(converted.stdout.contains("j1,100,"), "{}", converted.stdout);
    let lost = "`jobs.csv`: its clock begins at 1970-01-01 08:00:00 (UTC+08:00), which the native format does not say";
    assert!(converted.stderr.contains(lost), "{}", converted.stderr);
}

/// A fit of PAI has the weekdays of its inspection, and what is drawn has them again.
#[test]
fn a_fit_of_pai_keeps_its_weekdays() {
    let folder = folder();
    let (mut jobs, mut tasks) = (String::new(), String::new());
    // Four weeks from the second Thursday on, with forty jobs on each Thursday from eight o'clock on, and two on other days.
    for (day, row) in
        (7..35).flat_map(|day| (0..if day % 7 == 0 { 40 } else { 2 }).map(move |row| (day, row)))
    {
        let (start, name) = (day * DAY + row * 600, format!("j{day}-{row}"));
        writeln!(jobs, "{name},i,u{},Terminated,{start},{}", row % 2, start + 60).unwrap();
        writeln!(tasks, "{name},t,1,Terminated,{start},{},600,10,100,V100", start + 60).unwrap();
    }
    write(&folder, "jobs.csv", jobs.as_bytes());
    write(&folder, "tasks.csv", tasks.as_bytes());
    let most = |found: &Value| {
        let counts =
            found["arrivals_by_weekday"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap());
        counts.enumerate().max_by_key(|&(_, count)| count).unwrap().0
    };
    assert_eq!(most(&json(&folder, &["trace", "inspect", "jobs.csv:pai", "tasks.csv:pai-tasks"])), 3);
    let inputs = ["jobs.csv:pai", "tasks.csv:pai-tasks"]
        .map(|name| Input::parse(folder.path().join(name).to_str().unwrap()));
    let spec = SynthSpec::like(&Trace::load(&inputs, &TraceOptions::default()).unwrap()).unwrap();
    for team in &spec.teams {
        let days = team.weekdays.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(days.0, 3, "{:?}", team.weekdays);
    }
    let drawn = std::fs::File::create(folder.path().join("drawn.csv")).unwrap();
    write_csv(&spec, 1, drawn).unwrap();
    assert_eq!(most(&json(&folder, &["trace", "inspect", "drawn.csv"])), 3);
}

/// PAI does not say when its clock begins: it tells hours and weekdays alone.
#[test]
fn pai_beside_other_clocks_is_told() {
    let folder = folder();
    write(&folder, "jobs.csv", b"j1,i1,u1,Terminated,100,200\nj2,i2,u2,Terminated,57700,57800\n");
    write(&folder, "more.csv", b"j3,i1,u1,Terminated,300,400\n");
    write(&folder, "jobs.swf", swf(Some(START), &[(1, 0), (2, DAY)]).as_bytes());
    write(&folder, "native.csv", format!("{HEADER}1,0,5,t,1\n").as_bytes());
    write(&folder, "dates.csv", format!("{HEADER}1,2026-01-01T00:00:00Z,5,t,1\n").as_bytes());
    let told = |files: &[&str]| {
        let warned = warned(&json(&folder, &[&["trace", "inspect"], files].concat()));
        warned.into_iter().filter(|text| !text.contains("this file alone")).collect::<Vec<_>>()
    };
    let unlike = "`jobs.csv` does not say when its clock begins and `jobs.swf` does: their jobs may not belong side by side";
    assert_eq!(told(&["jobs.csv:pai", "jobs.swf"]), [unlike]);
    assert_eq!(told(&["jobs.swf", "jobs.csv:pai", "more.csv:pai"]), [unlike]);
    assert_eq!(told(&["jobs.csv:pai", "native.csv"]), Vec::<String>::new());
    assert_eq!(told(&["jobs.csv:pai", "more.csv:pai"]), Vec::<String>::new());
    let apart =
        "`jobs.csv` counts time from a zero of its own and `dates.csv` from 1970: their jobs do not overlap";
    assert_eq!(told(&["jobs.csv:pai", "dates.csv"]), [apart]);
}

/// Unix times have no clock of a machine in the native format: what converting loses of it is said.
#[test]
fn a_zone_that_converting_loses_is_told() {
    let folder = folder();
    let lost = |head: &str| {
        let text = head.to_owned() + &swf(None, &[(1, 830_908_800), (2, 830_912_400)]);
        write(&folder, "jobs.swf", text.as_bytes());
        let ran = done(&folder, &["trace", "convert", "jobs.swf", "--out", "jobs.csv"]);
        let mut lines = ran.stderr.lines().filter(|line| line.contains("clock"));
        let line = lines.next().map(str::to_owned);
        assert_eq!(lines.next(), None);
        line
    };
    let said = |clock: &str| {
        Some(format!(
            "warning: `jobs.swf`: its machine's clock is {clock}, which the native format does not say; its hours and \
             weekdays become those of UTC"
        ))
    };
    assert_eq!(lost("; UnixStartTime: 0\n; TimeZone: -28800\n"), said("UTC-08:00"));
    assert_eq!(lost("; TimeZone: 19800\n"), said("UTC+05:30"));
    assert_eq!(lost("; UnixStartTime: 0\n; TimeZone: 0\n"), None);
    assert_eq!(lost("; UnixStartTime: 0\n"), None);
}

/// Submissions that are Unix times already are not counted from the beginning that a head tells, and it is said.
#[test]
fn unix_times_are_not_counted_from_a_beginning() {
    let folder = folder();
    let look = "`jobs.swf`: submit times look like Unix times although the header";
    for (start, said) in [
        (830_908_800, format!("{look} says when time starts: they are taken for what they look like")),
        (-1, format!("{look} does not say when time starts")),
    ] {
        let head = "; TimeZone: -28800\n".to_owned();
        let text = head + &swf(Some(start), &[(1, 830_908_800), (2, 830_912_400)]);
        write(&folder, "jobs.swf", text.as_bytes());
        let found = json(&folder, &["trace", "inspect", "jobs.swf"]);
        assert_eq!(warned(&found), [said], "{start}");
        assert_eq!((&found["clock"], &found["calendar"]), (&"UTC-08:00".into(), &true.into()));
        // Midnight of a Wednesday by UTC, and Tuesday afternoon where the machine stands.
        assert_eq!(found["arrivals_by_weekday"], serde_json::json!([0, 2, 0, 0, 0, 0, 0]));
        assert_eq!((&found["arrivals_by_hour"][16], &found["arrivals_by_hour"][17]), (&1.into(), &1.into()));
        // A date is one of the calendar.
        let cut = done(&folder, &["trace", "shape", "--from", "1996-04-30T16:30:00", "jobs.swf"]).stdout;
        assert_eq!(cut.lines().count(), 2, "{cut}");
    }
    // Beside a file that counts from its beginning they stay where they are.
    write(&folder, "late.swf", swf(Some(START), &[(1, 0)]).as_bytes());
    write(&folder, "jobs.swf", swf(Some(830_908_800), &[(2, 830_908_800)]).as_bytes());
    let found = json(&folder, &["trace", "inspect", "jobs.swf", "late.swf"]);
    assert!(!warned(&found).iter().any(|text| text.contains("begins")), "{found}");
}
