//! Real traces against published numbers. A difference means that the semantics of the replay changed.

use fairshare_sim::Scenario;
use fairshare_sim::trace::{Input, Trace, TraceOptions};

use crate::support::{Finished, replay};
use crate::traces_dir;

fn run(scenario: &str, file: &str) -> Option<Finished> {
    run_with(scenario, file, None)
}

fn run_with(scenario: &str, file: &str, throughputs: Option<&str>) -> Option<Finished> {
    let folder = traces_dir()?;
    let path = folder.join(file);
    let scenario = Scenario::parse("scenario.toml", scenario, &[]).unwrap();
    let gavel_throughputs = throughputs.map(|file| folder.join(file));
    let options = TraceOptions { swf: scenario.swf, gavel_throughputs, ..TraceOptions::default() };
    let trace = Trace::load(&[Input { path, format: None }], &options).unwrap();
    Some(replay(scenario, trace, false))
}

const KTH: &str = "
[[pool]]
name = 'sp2'
nodes = 100
node = { cpu = 1 }
divisible = true
[policy]
order = 'fifo'
backfill = 'none'
[trace.swf]
run = 'min(run, request)'
unusable = 'one-second'
";

/// Jobs counted, mean wait and response in minutes, mean bounded slowdown, between the first 284 finishes and the first
/// finish past the last submission, without the three one-processor jobs that the file records with no run time.
fn statistics(finished: &Finished) -> (usize, f64, f64, f64) {
    let (trace, record) = (&finished.trace, &finished.record);
    assert_eq!(trace.jobs.len(), 28_476);
    let mut finishes: Vec<(i64, usize)> =
        record.outcomes.iter().enumerate().map(|(row, outcome)| (outcome.end_ms, row)).collect();
    finishes.sort_unstable();
    let last_submit = trace.jobs.last().unwrap().submit_ms;
    let end = finishes.iter().position(|(end, _)| *end > last_submit).unwrap();
    let left_out = ["4360", "25200", "27313"];
    let counted: Vec<usize> = finishes[284..end]
        .iter()
        .map(|(_, row)| *row)
        .filter(|row| !left_out.contains(&trace.names.get(*row).to_string().as_str()))
        .collect();
    let minutes = |millis: u64| f64::from(u32::try_from(millis).unwrap()) / 60_000.0;
    let count = f64::from(u32::try_from(counted.len()).unwrap());
    let mean = |value: &dyn Fn(usize) -> f64| counted.iter().map(|row| value(*row)).sum::<f64>() / count;
    let response = |row: usize| record.outcomes[row].end_ms.abs_diff(trace.jobs[row].submit_ms);
    let slowdown =
        |row: usize| fairshare_sim::metrics::slowdown::bounded(response(row), trace.jobs[row].run_ms);
    let wait = mean(&|row| minutes(record.wait_ms(trace, row)));
    (counted.len(), wait, mean(&|row| minutes(response(row))), mean(&slowdown))
}

/// Two independent programs agree on these digits.
#[test]
fn kth_first_come_first_served() {
    let Some(finished) = run(KTH, "swf/KTH-SP2-1996-2.1-cln.swf.gz") else { return };
    let (count, wait, response, slowdown) = statistics(&finished);
    assert_eq!(count, 28_187);
    let shown = format!("{wait:.4} {response:.4} {slowdown:.3}");
    assert_eq!(shown, "5960.7599 6109.4823 6894.645");
}

/// Two independent programs differ by 0.03 % in wait and 0.12 % in slowdown, so half a percent is asked for.
#[test]
fn kth_easy_backfilling() {
    let scenario = KTH.replace("backfill = 'none'", "backfill = 'easy'");
    let Some(finished) = run(&scenario, "swf/KTH-SP2-1996-2.1-cln.swf.gz") else { return };
    let (count, wait, _, slowdown) = statistics(&finished);
    assert_eq!(count, 28_188);
    assert!((wait / 115.5535 - 1.0).abs() < 0.005, "{wait}");
    assert!((slowdown / 93.189 - 1.0).abs() < 0.005, "{slowdown}");
}

const PHILLY: &str = "
[[pool]]
name = 'gpu'
nodes = 60
node = { gpu = 8 }
[policy]
backfill = 'best-effort'
order = ";

/// Orientation: a mean wait of about 122,000 s first come first served, and 28,800 s shared fairly.
#[test]
fn philly_is_served_sooner_when_shared_fairly() {
    let mut means = Vec::new();
    for order in ["'fifo'", "'drf'"] {
        let Some(finished) = run(&format!("{PHILLY}{order}"), "philly-2017/philly.csv.gz") else { return };
        let summary = finished.summary();
        assert_eq!((summary.jobs.submitted, summary.jobs.completed), (82_247, 82_247));
        assert_eq!(summary.teams.len(), 15);
        means.push(summary.wait_s.mean.unwrap());
    }
    assert!((120_000.0..124_000.0).contains(&means[0]), "{means:?}");
    assert!((27_500.0..30_000.0).contains(&means[1]), "{means:?}");
}

/// Gavel's own simulator reports a mean completion time of 19,406 s for its max-min fairness with throughputs.
#[cfg(feature = "lp")]
#[test]
fn gavel_completes_its_jobs_as_soon_as_its_authors_say() {
    let mean = |order: &str| -> Option<f64> {
        let pool = |name: &str| {
            format!(
                "[[pool]]\nname = '{name}'\naccelerator = '{name}'\nnodes = 36\nnode = {{ gpu = 1 }}\ndivisible = true\n"
            )
        };
        let pools: String = ["V100", "P100", "K80"].map(pool).concat();
        let finished = run_with(
            &format!("{pools}[policy]\norder = '{order}'\n"),
            "gavel-2020/generated-1000-jobs.trace.gz",
            Some("gavel-2020/simulation_throughputs.json.gz"),
        )?;
        let summary = finished.summary();
        println!("{order}: {:?} {:?} {:?}", summary.response_s, summary.utilization, summary.goodput);
        assert_eq!(summary.jobs.completed, 1_000);
        summary.response_s.mean
    };
    let (Some(gavel), Some(fifo)) = (mean("gavel"), mean("fifo")) else { return };
    assert!((gavel / 19_406.352 - 1.0).abs() < 0.02, "{gavel}");
    // Its authors' first come, first served takes types at random; ours takes the fastest that has room.
    assert!(gavel < 0.75 * fifo, "{gavel} {fifo}");
}
