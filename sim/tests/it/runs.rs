//! Runs of a few jobs, computed by hand.

use fairshare_sim::metrics::Demands;
use fairshare_sim::metrics::shares::{Shares, in_slices};

use crate::support::{Finished, simulate};

const FOUR_GPUS: &str = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 3.6 }\n";
const HEADER: &str = "job_id,submit_s,run_s,team,gpu\n";

fn run(scenario: &str, rows: &str) -> Finished {
    simulate(&format!("{FOUR_GPUS}{scenario}"), &format!("{HEADER}{rows}"))
}

fn times(finished: &Finished) -> Vec<(i64, i64)> {
    finished.times().into_iter().map(|(_, start, end)| (start, end)).collect()
}

#[test]
fn fifo_without_backfill_waits_behind_the_head() {
    let rows = "1,0,100,a,3\n2,10,100,a,2\n3,20,10,b,1\n";
    let strict = run("[policy]\norder = 'fifo'\nbackfill = 'none'\n", rows);
    // Job 2 needs two GPUs, so it waits for job 1; job 3 fits at 20 and may not pass.
    assert_eq!(times(&strict), [(0, 100), (100, 200), (100, 110)]);
    let passing = run("[policy]\norder = 'fifo'\n", rows);
    assert_eq!(times(&passing), [(0, 100), (100, 200), (20, 30)]);
}

#[test]
fn measures_are_those_computed_by_hand() {
    let finished =
        run("[policy]\norder = 'fifo'\nbackfill = 'none'\n", "1,0,100,a,3\n2,10,100,a,2\n3,20,10,b,1\n");
    let summary = finished.summary();
    // Waits 0, 90, 80; responses 100, 190, 90; slowdowns 1, 1.9, 9.
    assert_eq!(summary.wait_s.mean, Some(170.0 / 3.0));
    assert_eq!((summary.wait_s.p50, summary.wait_s.max), (Some(80.0), Some(90.0)));
    assert_eq!(summary.response_s.mean, Some(380.0 / 3.0));
    assert_eq!(summary.bounded_slowdown.mean, Some((1.0 + 1.9 + 9.0) / 3.0));
    // 300 + 200 + 10 GPU-seconds of 4 x 200.
    assert_eq!(summary.utilization["gpu"].to_string(), "0.6375");
    assert_eq!((summary.span_s, summary.makespan_s), (20.0, 200.0));
    // A GPU costs 0.001 USD a second: 0.8 in all, 0.51 of it used.
    let cost = summary.cost_usd.unwrap();
    assert_eq!((cost.total, cost.allocated, cost.idle, cost.lost), (0.8, 0.51, 0.29, 0.0));
    let teams: Vec<_> =
        summary.teams.iter().map(|team| (team.name.as_str(), team.jobs, team.cost_usd)).collect();
    assert_eq!(teams, [("a", 2, Some(0.5)), ("b", 1, Some(0.01))]);
    // 510 GPU-seconds asked for while jobs came, over 4 x 20.
    assert_eq!(summary.offered_load["l4"], Some(6.375));
}

#[test]
fn a_run_time_of_zero_ends_in_a_further_cycle_of_the_same_instant() {
    let finished = run("", "1,5,0,a,4\n2,5,0,a,4\n3,5,7,a,4\n");
    assert_eq!(times(&finished), [(5, 5), (5, 5), (5, 12)]);
    let jobs = finished.summary().jobs;
    assert_eq!((jobs.submitted, jobs.completed, jobs.unfinished), (3, 3, 0));
}

#[test]
fn what_ends_at_an_instant_makes_room_for_what_comes_at_it() {
    let finished = run("", "1,0,10,a,4\n2,10,5,a,4\n");
    assert_eq!(times(&finished), [(0, 10), (10, 15)]);
    assert_eq!(finished.summary().wait_s.max, Some(0.0));
}

#[test]
fn a_job_larger_than_every_pool_is_rejected_and_blocks_nobody() {
    let finished = run("[policy]\norder = 'fifo'\nbackfill = 'none'\n", "1,0,10,a,5\n2,0,10,a,4\n");
    let summary = finished.summary();
    assert_eq!((summary.jobs.submitted, summary.jobs.rejected, summary.jobs.completed), (2, 1, 1));
    assert_eq!(times(&finished)[1], (0, 10));
    assert!(
        summary.warnings.contains(
            &"1 job rejected: a worker asks for more than a node has in any eligible pool (first: job `1`, gpu 5 \
              asked, 4 in `l4`)"
                .to_owned()
        ),
        "{:?}",
        summary.warnings
    );
}

#[test]
fn a_job_for_an_unknown_type_is_rejected_and_one_with_speeds_takes_longer() {
    let scenario = format!("{FOUR_GPUS}accelerator = 'L4'\n").replace("price", "accelerator = 'L4'\nprice");
    let scenario = scenario.trim_end_matches("accelerator = 'L4'\n").to_owned();
    let jobs = "job_id,submit_s,run_s,team,gpu,accelerators\n1,0,10,a,1,H100\n2,0,10,a,1,H100:1|L4:0.3\n";
    let finished = simulate(&scenario, jobs);
    let summary = finished.summary();
    assert_eq!((summary.jobs.rejected, summary.jobs.completed), (1, 1));
    // 10 s at speed 0.3 are 33.334 s, rounded up to ms.
    assert_eq!(finished.record.outcomes[1].end_ms, 33_334);
}

#[test]
fn a_gang_starts_whole_or_not_at_all() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 2\nnode = { gpu = 2 }\n";
    let jobs = "job_id,submit_s,run_s,team,workers,gpu\n1,0,10,a,1,1\n2,1,10,a,2,2\n3,2,30,a,1,1\n";
    let finished = simulate(scenario, jobs);
    // Job 2 needs both nodes whole; job 3 passes it and keeps one of them busy until 32.
    assert_eq!(times(&finished), [(0, 10), (32, 42), (2, 32)]);
    assert_eq!(finished.record.place(&finished.record.outcomes[1]).nodes, 2);
}

#[test]
fn shares_by_weight_decide_who_is_served() {
    let scenario = "[[team]]\nname = 'heavy'\nweight = 3\n[[team]]\nname = 'light'\n";
    let row =
        |job: usize| format!("{job},0,100,{},1\n", if job.is_multiple_of(2) { "heavy" } else { "light" });
    let rows = (0..8).map(row).collect::<Vec<_>>().concat();
    let finished = run(scenario, &rows);
    let first: Vec<String> =
        finished.times().into_iter().filter(|(_, start, _)| *start == 0).map(|(name, _, _)| name).collect();
    // Four GPUs at weights 3 and 1: three jobs of `heavy`, one of `light`.
    assert_eq!(first, ["0", "1", "2", "4"]);
}

#[test]
fn a_limit_holds_though_there_is_room() {
    let scenario = "[[team]]\nname = 'a'\nlimit = { l4 = { gpu = 2 } }\n";
    let finished = run(scenario, "1,0,10,a,2\n2,0,10,a,1\n3,0,10,b,2\n");
    // Two GPUs are left over while job 2 waits for job 1 of its own team.
    assert_eq!(times(&finished), [(0, 10), (10, 20), (0, 10)]);
}

#[test]
fn mean_shares_are_those_computed_by_hand() {
    // `a` holds half of the GPUs for the first half of the time, `b` all of them for the second.
    let summary = run("[[team]]\nname = 'a'\n", "1,0,50,a,2\n2,1,50,b,4\n").summary();
    let shares: Vec<_> = summary.teams.iter().map(|team| team.share_mean).collect();
    assert_eq!(shares, [Some(0.25), Some(0.5)]);
    // (0.75)² / (2 · (0.0625 + 0.25))
    assert_eq!(summary.fairness.unwrap().jain, Some(0.9));
}

/// A thousand instants in 240 slices: one of which the part of the time lies in two slices counts in both.
#[test]
fn shares_over_time_are_in_all_those_of_the_summary() {
    let finished = run("[[team]]\nname = 'a'\n", "1,0,50,a,2\n2,1,50,b,4\n3,60,11,a,1\n4,61,3,b,1\n");
    let summary = finished.summary();
    let (trace, record) = (&finished.trace, &finished.record);
    let shares = Shares::new(&finished.setup, trace, record, &Demands::new(&finished.setup, trace));
    let means = |points: &[f64]| -> Vec<f64> {
        in_slices(points, 240).iter().map(|team| team.iter().sum::<f64>() / 240.0).collect()
    };
    let (held, entitled) = (means(&shares.held.unwrap()), means(&shares.entitled.unwrap().points));
    for ((team, held), entitled) in summary.teams.iter().zip(held).zip(entitled) {
        assert!((held - team.share_mean.unwrap()).abs() < 1e-12, "{}: {held}", team.name);
        assert!((entitled - team.entitlement_mean.unwrap()).abs() < 1e-12, "{}: {entitled}", team.name);
    }
}

#[test]
fn entitlements_are_those_computed_by_hand() {
    // `a` holds all four GPUs for the first half, in which `b` waits for two; then `b` alone wants and holds two.
    let summary = run("[policy]\norder = 'fifo'\n", "1,0,100,a,4\n2,0,100,b,2\n").summary();
    let means: Vec<_> = summary.teams.iter().map(|team| team.entitlement_mean).collect();
    // Two GPUs each in the first half.
    assert_eq!(means, [Some(0.25), Some(0.5)]);
    let fairness = summary.fairness.unwrap();
    // |1 - 0.5| + |0 - 0.5| of 1 in the first half, nothing in the second.
    assert_eq!(fairness.share_deviation, Some(0.5));
    // Two GPUs for a hundred seconds.
    assert!((fairness.deficit_gpu_hours.unwrap() - 200.0 / 3600.0).abs() < 1e-12);
    // Alone on two GPUs each: `a` would take 200 s and takes 100, `b` would take 100 and takes 200.
    assert_eq!((fairness.finish_time_ratio_max, fairness.finish_time_ratio_p99), (Some(2.0), Some(2.0)));
    assert_eq!(fairness.finish_time_above_one, Some(0.5));
}

#[test]
fn a_quota_is_a_floor_of_the_entitlement_and_a_limit_its_cap() {
    let teams = "[[team]]\nname = 'a'\nquota = { l4 = { gpu = 3 } }\n[[team]]\nname = 'b'\nlimit = { l4 = { gpu = 1 } }\n";
    let means = |rows: &str| -> Vec<_> {
        let summary = run(teams, rows).summary();
        summary.teams.iter().map(|team| (team.entitlement_mean.unwrap() * 1e9).round() / 1e9).collect()
    };
    // `b` runs first: three GPUs and one in the first half, in which `a` waits for four; then all for `a`.
    assert_eq!(means("1,0,100,a,4\n2,0,100,b,1\n"), [0.875, 0.125]);
}

#[test]
fn counts_and_costs_add_up_on_the_demo() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/demo");
    let scenario = fairshare_sim::Scenario::load(&folder.join("scenario.toml"), &[]).unwrap();
    let input = scenario.trace.clone().unwrap();
    let trace =
        fairshare_sim::trace::Trace::load(&[input], &fairshare_sim::trace::TraceOptions::default()).unwrap();
    let summary = crate::support::replay(scenario, trace, false).summary();
    let jobs = summary.jobs;
    assert_eq!(
        jobs.submitted,
        jobs.completed + jobs.failed + jobs.cancelled + jobs.rejected + jobs.unfinished
    );
    let micro = |usd: f64| format!("{:.0}", usd * 1e6).parse::<i64>().unwrap();
    let cost = summary.cost_usd.unwrap();
    assert_eq!(micro(cost.total), micro(cost.allocated) + micro(cost.idle));
    let teams: i64 = summary.teams.iter().map(|team| micro(team.cost_usd.unwrap())).sum();
    assert_eq!(teams, micro(cost.allocated));
    let owners: i64 = summary.cost_by_owner.unwrap().iter().map(|owner| micro(owner.usd)).sum();
    assert_eq!(owners, micro(cost.allocated));
    let pools: i64 = summary.pools.iter().map(|pool| micro(pool.cost_usd.unwrap())).sum();
    assert_eq!(pools, micro(cost.total));
    let idle: i64 = summary.pools.iter().map(|pool| micro(pool.idle_usd.unwrap())).sum();
    assert_eq!(idle, micro(cost.idle));
}

#[cfg(feature = "lp")]
#[test]
fn gavel_serves_at_once_who_comes_to_an_idle_cluster() {
    let gavel = run("[policy]\norder = 'gavel'\n", "1,0,60,a,1\n2,180,60,b,1\n");
    assert_eq!(times(&gavel), [(0, 60), (180, 240)]);
}

/// Orders by decayed usage want to be called as long as anybody waits, and budgets are renewed for ever: neither brings the
/// nodes back.
#[test]
fn a_replay_ends_where_a_job_can_never_start() {
    let gone = "[[capacity]]\npool = 'l4'\nfrom = 1\nnodes = 0\n";
    for policy in [
        "order = 'multifactor'\npreemption = 'priority'\n",
        "order = 'fair-tree'\nbackfill = 'none'\n",
        "order = 'fair-tree'\n[[team]]\nname = 'a'\nbudget = { gpu_hours = 1, period = '1h' }\n",
    ] {
        let jobs = run(&format!("{gone}[policy]\n{policy}"), "1,0,3,a,2\n").summary().jobs;
        assert_eq!((jobs.completed, jobs.unfinished), (0, 1), "{policy}");
    }
    // Until then what time alone brings is waited for: two hours are spent, and the third job is of the next period.
    let budget = "[policy]\norder = 'multifactor'\nbackfill = 'none'\n[[team]]\nname = 'a'\n\
                  budget = { gpu_hours = 2, period = '7d' }\n";
    let finished = run(budget, "1,0,1800,a,4\n2,0,60,a,4\n");
    assert_eq!(times(&finished), [(0, 1_800), (604_800, 604_860)]);
}
