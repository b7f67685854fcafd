//! Where data sets let jobs start, and what GPUs count in shares by a table or by speed.

use fairshare_sim::Scenario;

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
