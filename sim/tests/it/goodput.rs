//! Work that came to nothing: what failed, and what the reaper stopped, which has no response either.

use fairshare_sim::metrics::distribution::Distribution;

use crate::measures::{REAPER, SCENARIO};
use crate::support::simulate;

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

/// Of 840 GPU-seconds jobs hold 680: 100 in an attempt that gives way to a quota, and 30 in one that fails.
#[test]
fn what_failed_held_its_gpus_to_no_good() {
    let scenario = "[[pool]]\nname = 'h200'\nnodes = 1\nnode = { gpu = 4 }\n\
                    [[team]]\nname = 'a'\nquota = { h200 = { gpu = 2 } }\n\
                    [[team]]\nname = 'b'\nquota = { h200 = { gpu = 2 } }\n\
                    [policy]\npreemption = 'reclaim'\nbackfill = 'best-effort'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu,status\n\
                1,0,100,a,2,completed\n2,0,100,a,2,completed\n3,50,40,b,2,completed\n\
                4,60,30,b,1,failed\n5,60,30,b,1,completed\n6,70,10,a,4,cancelled\n";
    let summary = simulate(scenario, jobs).summary();
    assert_eq!(summary.jobs.preemptions, 1);
    assert!((summary.utilization["gpu"] - 680.0 / 840.0).abs() < 1e-12, "{:?}", summary.utilization);
    for goodput in [&summary.goodput, &summary.pools[0].goodput] {
        assert!((goodput["gpu"] - 550.0 / 840.0).abs() < 1e-12, "{goodput:?}");
    }
}
