//! Where data sets let jobs start, and what GPUs count in shares by a table or by speed.

use fairshare_sim::Scenario;

use crate::goodput::good_over_time;
#[cfg(feature = "lp")]
use crate::support::simulate_part;
use crate::support::{Finished, simulate};

const NEAR_AND_FAR: &str = "[[pool]]
name = 'far'
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 1 }
fabric = 'ethernet'
[[pool]]
name = 'near'
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 2 }
fabric = 'infiniband'
datasets = ['web-2025', 'books']
[[pool]]
name = 'archive'
nodes = 1
node = { gpu = 1 }
price = { gpu_hour = 3 }
datasets = ['*']
";

fn run(policy: &str, rows: &str) -> Finished {
    let header = "job_id,submit_s,run_s,team,gpu,datasets\n";
    simulate(&format!("{NEAR_AND_FAR}[policy]\n{policy}"), &format!("{header}{rows}"))
}

fn fault(scenario: &str) -> String {
    Scenario::parse("s.toml", scenario, &[]).unwrap_err().render()
}

#[test]
fn a_job_starts_only_where_all_its_data_sets_are() {
    let rows =
        "1,0,10,a,1,\n2,0,10,a,1,web-2025\n3,0,10,a,1,web-2025|laws\n4,0,10,a,4,web-2025\n5,0,10,a,2,laws\n";
    let finished = run("order = 'fifo'\n", rows);
    // Nobody may leave the data for a cheaper pool: 4 waits for the one that is near, and of the laws only one GPU
    // can be had.
    assert_eq!(
        finished.times().iter().take(4).map(|(_, start, _)| *start).collect::<Vec<_>>(),
        [0, 0, 0, 10]
    );
    let summary = finished.summary();
    assert_eq!((summary.jobs.completed, summary.jobs.rejected), (4, 1));
    assert!(summary.warnings.iter().all(|warning| !warning.contains("datasets")), "{:?}", summary.warnings);
}

#[test]
fn a_job_that_prefers_its_data_goes_elsewhere_where_it_must() {
    let rows = "1,0,10,a,4,web-2025\n2,0,10,a,1,web-2025\n3,0,10,a,1,web-2025\n";
    let finished = run("order = 'fifo'\ndatasets = 'preferred'\n", rows);
    // The near pool is taken by the first, the archive by the second; the third reads from far away.
    assert!(finished.times().iter().all(|(_, start, _)| *start == 0));
    let summary = finished.summary();
    let used: Vec<f64> =
        summary.pools.iter().map(|pool| pool.cost_usd.unwrap() - pool.idle_usd.unwrap()).collect();
    let micro: Vec<String> = used.iter().map(|usd| format!("{:.0}", usd * 3_600.0)).collect();
    assert_eq!(micro, ["10", "80", "30"]);
}

#[test]
fn without_replicas_anywhere_data_sets_are_not_looked_at_and_this_is_said() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 4 }\n";
    let finished = simulate(scenario, "job_id,submit_s,run_s,team,gpu,datasets\n1,0,10,a,1,web-2025\n");
    let summary = finished.summary();
    assert_eq!(summary.jobs.completed, 1);
    let said = "no pool says which `datasets` it has: those of 1 jobs are not looked at";
    assert!(summary.warnings.iter().any(|warning| warning == said), "{:?}", summary.warnings);
}

#[test]
fn a_table_says_what_a_gpu_counts_in_shares() {
    // One GPU of the first pool counts as five of the second, so that the second team is served twice before the first is
    // again: jobs start in the order of the shares after each grant.
    let pools = "[[pool]]\nname = 'big'\naccelerator = 'A100'\nnodes = 1\nnode = { gpu = 2 }\n\
                 [[pool]]\nname = 'small'\naccelerator = 'T4'\nspeed = 0.2\nnodes = 1\nnode = { gpu = 10 }\n";
    let rows = "job_id,submit_s,run_s,team,gpu,accelerators\n1,0,10,a,1,A100\n2,0,10,b,5,T4\n3,0,10,b,5,T4\n4,0,10,a,1,A100\n";
    let shares = |policy: &str| -> Vec<String> {
        let finished = simulate(&format!("{pools}[policy]\n{policy}"), rows);
        finished.summary().teams.iter().map(|team| format!("{:.4}", team.share_mean.unwrap())).collect()
    };
    assert_eq!(shares("value = 'count'\n"), ["0.1667", "0.8333"]);
    for value in ["value = { A100 = 1, T4 = 0.2 }\n", "value = { A100 = 5, small = 1 }\n"] {
        assert_eq!(shares(value), ["0.5000", "0.5000"], "{value}");
    }
    let faster = pools.replacen("accelerator = 'A100'", "accelerator = 'A100'\nspeed = 1", 1);
    let finished = simulate(&format!("{faster}[policy]\nvalue = 'speed'\n"), rows);
    assert_eq!(
        finished.summary().teams[0].share_mean.map(|share| format!("{share:.4}")).as_deref(),
        Some("0.5000")
    );
}

/// A GPU of the second pool costs 10 CPUs over 8 GPUs at half a dollar, 0.625 dollars: said or by default, shares are by that.
#[test]
fn a_price_by_the_cpu_is_one_of_gpus_too() {
    let pools = |price: &str| {
        format!(
            "[[pool]]\nname = 'h'\nnodes = 1\nnode = {{ gpu = 8, cpu = 10 }}\nprice = {{ gpu_hour = 3.5 }}\n\
             [[pool]]\nname = 'l'\nnodes = 1\nnode = {{ gpu = 8, cpu = 10 }}\nprice = {{ {price} }}\n"
        )
    };
    let rows = "job_id,submit_s,run_s,team,gpu,pools\n1,0,100,a,8,h\n2,0,100,b,8,l\n";
    let shares = |text: &str| {
        let summary = simulate(text, rows).summary();
        summary.teams.iter().map(|team| team.share_mean.unwrap()).collect::<Vec<f64>>()
    };
    let default = shares(&pools("cpu_hour = 0.5"));
    assert_eq!(default, shares(&format!("{}[policy]\nvalue = 'price'\n", pools("cpu_hour = 0.5"))));
    assert!((default[0] - 28.0 / 33.0).abs() < 1e-12, "{default:?}");
    let free = pools("gpu_hour = 0");
    assert_eq!(shares(&free), [0.5, 0.5]);
    let said = "pool `l` has GPUs and no price above zero for them";
    let warnings = simulate(&free, rows).summary().warnings;
    assert!(warnings.iter().any(|warning| warning.starts_with(said)), "{warnings:?}");
    assert!(fault(&format!("{free}[policy]\nvalue = 'price'\n")).contains(said));
}

/// What a node has cannot be read: nothing is said of a price for what it has not.
#[test]
fn a_node_that_cannot_be_read_is_told_alone() {
    let text =
        "[[pool]]\nname = 'a'\nnodes = 1\nnode = { gpu = 8, memory = 100 }\nprice = { gpu_hour = 1 }\n";
    assert!(!fault(text).contains("charges for nothing"), "{}", fault(text));
    assert!(!fault(&text.replace("gpu_hour", "node_hour")).contains("cannot be shared out"));
}

#[test]
fn values_and_data_sets_that_say_nothing_are_refused() {
    let pool = "[[pool]]\nname = 'l4'\naccelerator = 'L4'\nnodes = 1\nnode = { gpu = 4 }\n";
    let refused = |policy: &str| fault(&format!("{pool}[policy]\n{policy}\n"));
    assert!(refused("value = { L5 = 1 }").contains("no pool is or has `L5`"));
    assert!(refused("value = { L5 = 1 }").contains("did you mean `L4`?"));
    assert!(refused("value = {}").contains("expected a value for `l4`"));
    assert!(refused("value = { l4 = 0 }").contains("from 0.001 to 1000000"));
    assert!(refused("datasets = 'near'").contains("expected one of `required` or `preferred`"));
    assert!(refused("enforce_time_limit = true").contains("cannot enforce time limits"));
    assert!(fault(&format!("{pool}datasets = 'web'\n")).contains("a list of texts"));
}

/// 450 GB are near, at 4 dollars a GPU-hour; they cost 9 dollars to leave, and come to the far pool, at 1 dollar, in 360 s.
const MOVING: &str = "[[dataset]]
name = 'web'
size = '450GB'
[[pool]]
name = 'near'
cloud = 'a'
nodes = 1
node = { gpu = 2 }
price = { gpu_hour = 4, egress_gb = 0.02 }
datasets = ['web']
[[pool]]
name = 'far'
cloud = 'b'
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 1 }
[policy]
order = 'fifo'
datasets = 'preferred'
backfill = 'best-effort'
";

/// By what it is thought to take: two hours are cheaper near (8 against 11.1 dollars), four far away (16 against 13.1); who
/// says nothing is thought to take one. What a job really takes is another thing.
#[test]
fn a_job_goes_where_it_costs_least_in_all() {
    let rows = "job_id,submit_s,run_s,team,gpu,datasets,estimate_s,time_limit_s\n\
                1,0,100,a,1,web,7200,\n2,0,100,a,1,web,14400,\n3,0,100,a,1,web,,14400\n4,0,100,a,1,web,,\n";
    let finished = simulate(MOVING, rows);
    let record = &finished.record;
    let pools: Vec<u32> = record.outcomes.iter().map(|outcome| record.place(outcome).pool).collect();
    assert_eq!(pools, [0, 1, 1, 0]);
    let ends: Vec<i64> = finished.times().iter().map(|(_, _, end)| *end).collect();
    assert_eq!(ends, [100, 460, 460, 100], "who moves its data holds its GPU for 360 s longer");
    let summary = finished.summary();
    let egress = summary.egress.unwrap();
    assert_eq!((egress.moves, egress.usd, egress.moving_s), (2, Some(18.0), 720.0));
    assert_eq!(summary.response_s.max, Some(460.0));
    // Two GPUs held for 100 s near and two for 460 s far away, of six for 460 s; of that, 4 x 100 s are work.
    let gpu = |figures: &std::collections::BTreeMap<String, f64>| (figures["gpu"] * 6.0 * 460.0).round();
    assert_eq!((gpu(&summary.utilization), gpu(&summary.goodput)), (1_120.0, 400.0));
    let good = good_over_time(&finished);
    assert!(good.iter().all(|good| (good - 200.0).abs() < 1e-6), "{good:?}");
}

/// At a quarter of the speed, four times as long.
#[test]
fn the_link_of_a_pool_says_how_long_data_take() {
    let slow = MOVING.replace("price = { gpu_hour = 1 }\n", "price = { gpu_hour = 1 }\nlink_gbps = 2.5\n");
    let rows = "job_id,submit_s,run_s,team,gpu,datasets,estimate_s\n1,0,100,a,1,web,36000\n";
    assert_eq!(simulate(&slow, rows).times()[0].2, 4 * 360 + 100);
    assert_eq!(simulate(MOVING, rows).times()[0].2, 360 + 100);
    let required = MOVING.replace("'preferred'", "'required'");
    assert_eq!(simulate(&required, rows).times()[0].2, 100);
    assert!(fault(&slow.replace("2.5", "0")).contains("from 0.001 to 1000000"));
    assert!(fault(&slow.replace("link_gbps", "link_gpbs")).contains("did you mean `link_gbps`?"));
}

/// A job that saves every 60 s of work is stopped at 500 s, 140 s of work after its data have come: 120 s are kept, and it
/// moves its data anew for the other 180.
#[test]
fn data_are_moved_anew_after_an_eviction() {
    let scenario = MOVING.replace("backfill", "preemption = 'priority'\nbackfill")
        + "[[priority]]\nname = 'urgent'\nvalue = 1\n";
    let rows = "job_id,submit_s,run_s,team,gpu,datasets,estimate_s,checkpoint_s,priority,pools\n\
                1,0,300,a,4,web,36000,60,,\n2,500,50,b,4,,,,urgent,far\n";
    let finished = simulate(&scenario, rows);
    let times: Vec<(i64, i64)> = finished.times().iter().map(|(_, start, end)| (*start, *end)).collect();
    assert_eq!(times, [(550, 550 + 360 + 180), (500, 550)]);
    let lost = finished.record.lost[0];
    assert_eq!((lost.kept_ms, lost.cause.lost_ms), (120_000, 360_000 + 20_000));
    let egress = finished.summary().egress.unwrap();
    assert_eq!((egress.moves, egress.moving_s), (2, 720.0));
}

/// Two jobs that share a GPU in rounds read, beside what takes a while to come, what nobody knows the size of: once each.
#[cfg(feature = "lp")]
#[test]
fn what_has_no_size_is_read_once_for_all_rounds() {
    let scenario = MOVING.replace("fifo", "gavel").replace("backfill = 'best-effort'\n", "");
    for (datasets, moves) in [("books", 0), ("web|books", 2)] {
        let jobs = format!(
            "job_id,submit_s,run_s,team,gpu,pools,datasets\n1,0,2000,a,4,far,{datasets}\n2,0,2000,b,4,far,{datasets}\n"
        );
        let finished = simulate(&scenario, &jobs);
        assert!(finished.record.lost.len() > 4, "the case is to have rounds");
        let egress = finished.summary().egress.unwrap();
        assert_eq!((egress.unknown, egress.moves), (2, moves), "{datasets}");
    }
}

/// Two jobs share the only pool that holds them in rounds of six minutes; their data take twelve to come there.
#[cfg(feature = "lp")]
#[test]
fn data_sets_that_take_longer_than_a_round_come_in_several() {
    let scenario =
        MOVING.replace("450GB", "900GB").replace("gpu = 2", "gpu = 1").replace("gpu = 4", "gpu = 2");
    let scenario = scenario.replace("fifo", "gavel").replace("backfill = 'best-effort'\n", "");
    let jobs = "job_id,submit_s,run_s,team,gpu,datasets\n1,0,500,a,2,web\n2,0,500,a,2,web\n";
    let finished = simulate_part(&scenario, jobs, 4);
    assert!(!finished.record.interrupted, "it goes on for ever");
    // Two rounds of each move data and one works; what is left of 500 s then follows.
    let name = |name: &str, start, end| (name.to_owned(), start, end);
    assert_eq!(finished.times(), [name("1", 2_160, 2_300), name("2", 2_300, 2_440)]);
    let lost = &finished.record.lost;
    let starts: Vec<(u32, i64)> = lost.iter().map(|lost| (lost.row, lost.start_ms / 360_000)).collect();
    assert_eq!(starts, [(0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (1, 5)]);
    let still: Vec<u64> = lost.iter().map(|lost| lost.moving_ms / 1_000).collect();
    assert_eq!(still, [720, 720, 360, 360, 0, 0]);
    let summary = finished.summary();
    let (egress, evictions) = (summary.egress.unwrap(), summary.evictions.unwrap());
    assert_eq!((egress.moves, egress.usd, egress.moving_s), (2, Some(36.0), 1_440.0));
    assert_eq!(evictions.lost_gpu_hours.to_bits(), 0.0_f64.to_bits(), "data sets stay when a round ends");
    // Two GPUs work for 500 s twice, of three for 2,440 s.
    assert!((summary.goodput["gpu"] * 3.0 * 2_440.0 - 2_000.0).abs() < 1e-6);
    let good: f64 = good_over_time(&finished).iter().sum();
    assert!((good - 2_000.0).abs() < 1e-6, "{good}");
}
