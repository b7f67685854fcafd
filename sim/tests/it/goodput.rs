//! Work that came to nothing: what failed, and what the reaper stopped, which has no response either. Goodput over time is
//! that of the summary.

use fairshare_sim::metrics::distribution::Distribution;

use crate::measures::{REAPER, SCENARIO, series};
use crate::support::{Finished, simulate};

/// Unit-seconds of every resource of every pool under one measure of the file of series, all teams together.
fn area(series: &str, measure: &str, pool: &str, resource: &str) -> f64 {
    let mut reader = csv::Reader::from_reader(series.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    let rows =
        rows.filter(|row| &row[2] == measure && &row[3] == pool && &row[4] == resource && row[5].is_empty());
    let number = |text: &str| text.parse::<f64>().unwrap();
    // Slices begin and end at whole ms, so that not all are of one length.
    rows.map(|row| number(&row[6]) * (number(&row[1]) - number(&row[0]))).sum()
}

/// What was held to some good, slice by slice, is in all what the summary's goodput says, in every pool; what, by pool and
/// resource, in unit-seconds.
pub(crate) fn good_over_time(run: &Finished) -> Vec<f64> {
    let (series, summary) = (series(run), run.summary());
    let mut areas = Vec::new();
    for pool in &summary.pools {
        for (resource, goodput) in &pool.goodput {
            let [good, whole] =
                ["good", "capacity"].map(|measure| area(&series, measure, &pool.name, resource));
            assert!((good / whole - goodput).abs() < 1e-9, "{resource} of {}: {good} of {whole}", pool.name);
            areas.push(good);
        }
    }
    areas
}

/// `a` idles, and is stopped after a minute of its 100 s; `c`, which fails, waits for it, and `b` for `c`.
#[test]
fn what_the_reaper_stops_has_a_wait_and_no_response_and_its_work_is_lost() {
    let jobs = "job_id,submit_s,run_s,team,gpu,gpu_utilization,status\n\
                a,0,100,x,4,0.1,completed\nb,0,30,x,4,0.9,completed\nc,0,60,y,4,0.9,failed\n";
    let run = simulate(&format!("{SCENARIO}{REAPER}"), jobs);
    let times = [("a", 0, 60), ("b", 120, 150), ("c", 60, 120)];
    assert_eq!(run.times(), times.map(|(name, start, end)| (name.to_owned(), start, end)));
    let summary = run.summary();
    let figures = |one: Distribution| (one.count, one.mean);
    assert_eq!(figures(summary.wait_s), (3, Some(60.0)));
    assert_eq!(figures(summary.response_s), (2, Some(135.0)));
    assert_eq!(figures(summary.bounded_slowdown), (2, Some(3.5)));
    let [x, y] = [0, 1].map(|team| figures(summary.teams[team].response_s.unwrap()));
    assert_eq!((x, y), ((1, Some(150.0)), (1, Some(120.0))));
    // Half of the four GPUs is each team's part: b and c took 2.5 times and as long as on it.
    let fairness = summary.fairness.unwrap();
    assert_eq!((fairness.finish_time_ratio_max, fairness.finish_time_above_one), (Some(2.5), Some(0.5)));
    // All four GPUs are held for 150 s, for 30 s of them to some good.
    assert_eq!((summary.utilization["gpu"], summary.goodput["gpu"]), (1.0, 0.2));
    let said = "1 job was stopped for idling: its wait counts, and no response, slowdown or finish time";
    assert!(summary.warnings.iter().any(|warning| warning == said), "{:?}", summary.warnings);
}

/// Half of four GPUs is each team's, who takes it back.
const HALVES: &str = "[[pool]]\nname = 'h200'\nnodes = 1\nnode = { gpu = 4 }\n\
    [[team]]\nname = 'a'\nquota = { h200 = { gpu = 2 } }\n\
    [[team]]\nname = 'b'\nquota = { h200 = { gpu = 2 } }\n\
    [policy]\npreemption = 'reclaim'\nbackfill = 'best-effort'\n";

/// Of 840 GPU-seconds jobs hold 680: 100 in an attempt that gives way to a quota, and 30 in one that fails.
#[test]
fn what_failed_held_its_gpus_to_no_good() {
    let jobs = "job_id,submit_s,run_s,team,gpu,status\n\
                1,0,100,a,2,completed\n2,0,100,a,2,completed\n3,50,40,b,2,completed\n\
                4,60,30,b,1,failed\n5,60,30,b,1,completed\n6,70,10,a,4,cancelled\n";
    let summary = simulate(HALVES, jobs).summary();
    assert_eq!(summary.jobs.preemptions, 1);
    assert!((summary.utilization["gpu"] - 680.0 / 840.0).abs() < 1e-12, "{:?}", summary.utilization);
    for goodput in [&summary.goodput, &summary.pools[0].goodput] {
        assert!((goodput["gpu"] - 550.0 / 840.0).abs() < 1e-12, "{goodput:?}");
    }
}

/// As before; then a job comes that idles, and is stopped after a minute.
#[test]
fn what_was_held_to_some_good_is_told_over_time() {
    let jobs = "job_id,submit_s,run_s,team,gpu,status,gpu_utilization\n\
                1,0,100,a,2,completed,0.9\n2,0,100,a,2,completed,0.9\n3,50,40,b,2,completed,0.9\n\
                4,60,30,b,1,failed,0.9\n5,60,30,b,1,completed,0.9\n6,70,10,a,4,cancelled,0.9\n\
                7,210,100,a,4,completed,0.1\n";
    let reaper = REAPER.replace("exempt = [\"urgent\"]\n", "");
    let run = simulate(&format!("{HALVES}{reaper}"), jobs);
    assert_eq!(run.times()[6], ("7".to_owned(), 210, 270));
    let jobs = run.summary().jobs;
    assert_eq!((jobs.preemptions, jobs.failed), (1, 1));
    let good = good_over_time(&run);
    assert!(good.len() == 1 && (good[0] - 550.0).abs() < 1e-6, "{good:?}");
    let series = series(&run);
    let areas = ["allocated", "lost"].map(|measure| area(&series, measure, "h200", "gpu"));
    assert!((areas[0] - 920.0).abs() < 1e-6 && (areas[1] - 100.0).abs() < 1e-6, "{areas:?}");
}
