//! Money, computed by hand: prices that change, capacity that is bought in other ways, who pays; and bad prices.

use crate::cli::{JOBS as TWO_JOBS, refused, set_up};
use crate::support::{Finished, sim, simulate};
use crate::trace::folder;
use fairshare_sim::metrics::sums;

/// Four GPUs, first come first served.
fn pool(price: &str) -> String {
    format!(
        "[[pool]]\nname = 'l4'\nnodes = 1\ncloud = 'north'\nregion = 'north-1'\nnode = {{ gpu = 4 }}\n\
         price = {{ {price} }}\n[policy]\norder = 'fifo'\nbackfill = 'none'\n"
    )
}

/// 1 holds three GPUs from 0 to 100 s, 2 two from 100 to 200, 3 one from 100 to 110.
const JOBS: &str = "\
job_id,submit_s,run_s,team,gpu,user,cost_owner,priority
1,0,100,a,3,ann,east,10
2,10,100,a,2,bob,west,
3,20,10,b,1,ann,west,
";

fn run(price: &str) -> Finished {
    let finished = simulate(&pool(price), JOBS);
    let times = finished.times().into_iter().map(|(_, start, end)| (start, end)).collect::<Vec<_>>();
    assert_eq!(times, [(0, 100), (100, 200), (100, 110)]);
    sums::check(&finished.setup, &finished.trace, &finished.record).unwrap();
    finished
}

/// Dollars: total = allocated + idle.
fn cost(finished: &Finished) -> String {
    let cost = finished.summary().cost_usd.unwrap();
    format!("{} = {} + {}", cost.total, cost.allocated, cost.idle)
}

#[test]
fn a_price_holds_until_the_next() {
    // 0.001 USD a GPU and second until 100 s, 0.002 until 150, then nothing.
    let price = "gpu_hour = 3.6, changes = [{ from = 100, gpu_hour = 7.2 }, { from = 150, gpu_hour = 0 }]";
    // 400 s at 0.001 and 200 at 0.002; held are 300 at 0.001, and 100 + 10 at 0.002.
    assert_eq!(cost(&run(price)), "0.8 = 0.52 + 0.28");
    // A change before the trace begins is the price of all of it.
    assert_eq!(cost(&run("gpu_hour = 3.6, changes = [{ from = -5, gpu_hour = 7.2 }]")), "1.6 = 1.02 + 0.58");
}

#[test]
fn what_is_bought_on_demand_is_never_idle() {
    assert_eq!(cost(&run("gpu_hour = 3.6")), "0.8 = 0.51 + 0.29");
    assert_eq!(cost(&run("gpu_hour = 3.6, bought = 'on-demand'")), "0.51 = 0.51 + 0");
    let both = "gpu_hour = 3.6, spot_gpu_hour = 1.8";
    assert_eq!(cost(&run(both)), "0.8 = 0.51 + 0.29", "a spot price that nobody pays");
    assert_eq!(cost(&run(&format!("{both}, bought = 'spot'"))), "0.255 = 0.255 + 0");
    assert_eq!(cost(&run("reserved_gpu_hour = 1.8, bought = 'reserved'")), "0.4 = 0.255 + 0.145");
}

#[test]
fn spot_prices_above_those_on_demand_are_warned_of() {
    let warned = |price: &str| {
        let warnings = simulate(&pool(price), JOBS).summary().warnings;
        warnings.into_iter().filter(|warning| warning.contains("on demand")).collect::<Vec<_>>()
    };
    let said =
        |prices: &str| vec![format!("pool `l4`: the spot price {prices}: one of the two is probably wrong")];
    assert_eq!(
        warned("gpu_hour = 3.6, spot_gpu_hour = 4"),
        said("(`spot_gpu_hour` 4) is above that on demand (`gpu_hour` 3.6)")
    );
    assert!(warned("gpu_hour = 3.6, spot_gpu_hour = 3.6").is_empty());
    assert!(warned("spot_gpu_hour = 4, bought = 'spot'").is_empty(), "compared with nothing");
    // A node has four GPUs.
    assert_eq!(
        warned("node_hour = 14.4, spot_gpu_hour = 3.7, bought = 'spot'"),
        said("(`spot_gpu_hour` 3.7) is above that on demand (`node_hour` 14.4)")
    );
    assert!(warned("node_hour = 14.4, spot_gpu_hour = 3.5").is_empty());
    // From the second change on: the first leaves the spot price as it is.
    let changes =
        "changes = [{ from = 50, gpu_hour = 3 }, { from = 100, gpu_hour = 2, spot_gpu_hour = 2.5 }]";
    assert_eq!(
        warned(&format!("gpu_hour = 3.6, spot_gpu_hour = 2.8, {changes}")),
        said("(`spot_gpu_hour` 2.5) is above that on demand (`gpu_hour` 2) from 100 on")
    );
}

#[test]
fn a_node_is_charged_by_its_gpus() {
    assert_eq!(cost(&run("node_hour = 14.4")), "0.8 = 0.51 + 0.29");
}

/// A node of three GPUs for ten dollars and one of 96 CPUs for 3.885: neither divides to the millionth, and both are exact.
#[test]
fn a_price_by_the_node_is_shared_out_exactly() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 3 }\n\
                    price = { node_hour = 10, changes = [{ from = 720, node_hour = 20 }] }\n\
                    [[pool]]\nname = 'cpus'\nnodes = 1\nnode = { cpu = 96 }\n\
                    price = { spot_node_hour = 3.885, bought = 'spot' }\n";
    let jobs =
        "job_id,submit_s,run_s,team,gpu,cpu\n1,0,720,a,1,0\n2,0,360,b,2,0\n3,720,180,b,1,0\n4,0,900,c,0,7\n";
    let finished = simulate(scenario, jobs);
    sums::check(&finished.setup, &finished.trace, &finished.record).unwrap();
    let summary = finished.summary();
    // A third of two dollars; two thirds of one, and a third of one at the new price; 7 of 96 parts of 0.97125 dollars. The
    // first pool costs 2 + 1.
    let usd: Vec<f64> = summary.teams.iter().map(|team| team.cost_usd.unwrap()).collect();
    assert_eq!(usd, [0.666_667, 1.0, 0.070_82]);
    assert_eq!(cost(&finished), "3.07082 = 1.737487 + 1.333333");
}

#[test]
fn prices_by_nodes_of_too_many_sizes_are_refused() {
    let sizes = [9_973, 9_967, 9_949, 9_941, 9_931, 9_929];
    let pools = sizes.map(|cpu| {
        let price = "price = { node_hour = 1.000001 }";
        format!("[[pool]]\nname = 'p{cpu}'\nnodes = 1\nnode = {{ cpu = {cpu} }}\n{price}\n")
    });
    let message = "error: prices by the node of so many sizes cannot be added up exactly\n\
                   hint: give some pools a `gpu_hour` or `cpu_hour` instead";
    refused(&pools.concat(), TWO_JOBS.as_bytes(), &[], message);
}

#[test]
fn every_account_adds_up_to_what_is_allocated() {
    let summary = serde_json::to_value(run("gpu_hour = 3.6").summary()).unwrap();
    let account = |key: &str| {
        let rows = summary[key].as_array().unwrap().iter();
        rows.map(|row| {
            let name = row.get("owner").unwrap_or(&row["name"]).as_str().unwrap().to_owned();
            (name, row["usd"].as_f64().unwrap())
        })
        .collect::<Vec<_>>()
    };
    let named =
        |rows: &[(&str, f64)]| rows.iter().map(|(name, usd)| ((*name).to_owned(), *usd)).collect::<Vec<_>>();
    assert_eq!(account("cost_by_owner"), named(&[("east", 0.3), ("west", 0.21)]));
    assert_eq!(account("cost_by_user"), named(&[("ann", 0.31), ("bob", 0.2)]));
    assert_eq!(account("cost_by_class"), named(&[("10", 0.3), ("none", 0.21)]));
    let pool = &summary["pools"][0];
    let shown = ["cost_usd", "allocated_usd", "idle_usd"].map(|key| pool[key].to_string());
    assert_eq!(shown, ["0.8", "0.51", "0.29"]);
}

/// Files by name that a checked run of a scenario and a trace writes.
fn written(scenario: &str, jobs: &str) -> impl Fn(&str) -> String + use<> {
    let folder = folder();
    std::fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
    std::fs::write(folder.path().join("jobs.csv"), jobs).unwrap();
    let ran =
        sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--check", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    move |name| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap()
}

#[test]
fn the_cost_file_has_a_row_for_all_that_pay_and_for_what_is_idle() {
    let read = written(&pool("gpu_hour = 3.6"), JOBS);
    let text = read("cost.csv");
    let period = "1970-01-01T00:00:00Z,1970-01-01T00:03:20Z";
    let row = |usd: &str, what: &str, hours: &str, whose: &str| {
        format!(
            "{usd},{usd},USD,Usage,{what} capacity of l4,{period},Committed,{hours},GPU Hours,{hours},GPU Hours,\
             Compute,GPU,north,north-1,l4,,{whose},0"
        )
    };
    let expected = [
        row("0.3", "used", "0.083333333", "a,used,east,a,ann,10"),
        row("0.2", "used", "0.055555556", "a,used,west,a,bob,"),
        row("0.01", "used", "0.002777778", "b,used,west,b,ann,"),
        row("0.29", "idle", "0.080555556", ",idle,,,,"),
    ];
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected);
    let columns = text.lines().next().unwrap().split(',').count();
    assert!(text.lines().all(|line| line.split(',').count() == columns), "{text}");
    let manifest = read("manifest.json");
    assert!(manifest.contains("\"cost.csv\""), "{manifest}");
}

/// Price times quantity is the cost, of every row, however short the job.
#[test]
fn quantities_of_the_cost_file_are_as_exact_as_its_costs() {
    let folder = folder();
    std::fs::write(folder.path().join("scenario.toml"), pool("gpu_hour = 1")).unwrap();
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,5,a,1\n2,0,1,b,1\n3,0,0.036,c,1\n";
    std::fs::write(folder.path().join("jobs.csv"), jobs).unwrap();
    let ran =
        sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--check", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = std::fs::read_to_string(folder.path().join("out/cost.csv")).unwrap();
    let mut rows = 0;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |column: usize| fields[column].parse::<f64>().unwrap();
        assert!((number(0) - number(8)).abs() < 1.1e-6 && number(8) > 0.0, "{line}");
        rows += 1;
    }
    assert_eq!(rows, 4);
}

/// Two nodes of two GPUs at 3.6 dollars, one of them gone from 50 s to 75 s. One job holds two GPUs from 0 to 100 s.
#[test]
fn capacity_that_is_gone_is_neither_charged_nor_idle() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 2\nnode = { gpu = 2 }\nprice = { gpu_hour = 3.6 }\n\
                    [[capacity]]\npool = 'l4'\nfrom = 50\nnodes = 1\n[[capacity]]\npool = 'l4'\nfrom = 75\nnodes = 2\n";
    let text = written(scenario, "job_id,submit_s,run_s,team,gpu\n1,0,100,a,2\n")("cost.csv");
    // 4 GPUs for 75 s and 2 for 25 s are there: 350 GPU-seconds, of which 200 are held, at 0.001 dollars each.
    let shown = |line: usize| {
        let fields: Vec<&str> = text.lines().nth(line).unwrap().split(',').collect();
        (fields[0].to_owned(), fields[10].to_owned(), fields[19].to_owned())
    };
    let expected = [("0.2", "0.055555556", "used"), ("0.15", "0.041666667", "idle")];
    let expected = expected.map(|(usd, hours, line)| (usd.to_owned(), hours.to_owned(), line.to_owned()));
    assert_eq!([shown(1), shown(2)], expected);
}

/// The refusal of a scenario with a pool of three GPUs at this price; `at` is what is underlined, `label` what is said
/// beside it and, after a bar, the hint.
fn price_refused(price: &str, title: &str, at: &str, label: &str) {
    let line = format!("price = {{ {price} }}");
    let scenario = format!("[[pool]]\nname = \"p\"\nnodes = 1\nnode = {{ gpu = 3 }}\n{line}\n");
    let column = line.rfind(at).unwrap();
    let mark = format!("{}{}", " ".repeat(column), "^".repeat(at.len()));
    let (label, hint) = label.split_once('|').unwrap_or((label, ""));
    let hint = if hint.is_empty() { String::new() } else { format!("\n  |\n  = hint: {hint}") };
    let place = format!(" --> scenario.toml:5:{}\n  |\n5 | {line}\n  | {mark} {label}{hint}", column + 1);
    refused(&scenario, TWO_JOBS.as_bytes(), &[], &format!("error: {title}\n{place}"));
}

#[test]
fn bad_prices_are_named_with_their_place() {
    price_refused(
        "gpu_hour = -3.5",
        "`gpu_hour` is not what it should be",
        "-3.5",
        "expected dollars: a number from 0 to 1000000 with at most six decimals, found `-3.5`",
    );
    // A price that nobody pays today is a price all the same.
    price_refused(
        "gpu_hour = 1, spot_gpu_hour = -2",
        "`spot_gpu_hour` is not what it should be",
        "-2",
        "expected dollars: a number from 0 to 1000000 with at most six decimals, found `-2`",
    );
    price_refused(
        "gpu_hour = 1, reserved_gpu_hour = \"abc\"",
        "`reserved_gpu_hour` is not what it should be",
        "\"abc\"",
        "expected dollars: a number from 0 to 1000000 with at most six decimals, found the text `abc`",
    );
    price_refused(
        "cpu_hour = 1",
        "`cpu_hour` charges for nothing",
        "1",
        "the node has no `cpu` to charge it by",
    );
    price_refused(
        "gpu_hour = 1, bought = \"spot\"",
        "a price has no price in it",
        "{ gpu_hour = 1, bought = \"spot\" }",
        "what is bought so is charged by `spot_gpu_hour`, `spot_cpu_hour` or `spot_node_hour`",
    );
    price_refused(
        "gpu_hour = 1, bought = \"leased\"",
        "unknown bought `leased`",
        "\"leased\"",
        "expected one of `owned`, `reserved`, `on-demand` or `spot`",
    );
    price_refused(
        "gpu_hour = 1, changes = [{ gpu_hour = 2, from = 5 }, { gpu_hour = 3, from = 4 }]",
        "changes of price are out of order",
        "4",
        "expected a later instant than that of the change above",
    );
    price_refused(
        "gpu_hour = 1, changes = [{ from = \"noon\", gpu_hour = 2 }]",
        "`from` is no instant",
        "\"noon\"",
        "expected seconds, or a date with a time such as `2017-10-01 00:00:00`",
    );
    price_refused(
        "gpu_hour = 1, changes = [{ from = 5, cpu_hour = 2 }]",
        "a change of price has no `gpu_hour`",
        "{ from = 5, cpu_hour = 2 }",
        "`gpu_hour` is required",
    );
}

/// 4 GPUs near 500 GB in cloud `a`, 4 elsewhere in it, 4 in cloud `b`; and a second replica that costs less to read.
const DATA: &str = "\
[[dataset]]
name = 'web'
size = '500GB'
[[dataset]]
name = 'books'
size = '1.5GB'
[[pool]]
name = 'near'
cloud = 'a'
nodes = 1
node = { gpu = 4 }
datasets = ['web', 'books']
price = { gpu_hour = 1, egress_gb = 0.12 }
[[pool]]
name = 'beside'
cloud = 'a'
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 2 }
[[pool]]
name = 'far'
cloud = 'b'
nodes = 1
node = { gpu = 4 }
price = { gpu_hour = 3 }
[[pool]]
name = 'archive'
cloud = 'c'
nodes = 1
node = { gpu = 1 }
datasets = ['web']
price = { gpu_hour = 4, egress_gb = 0.09 }
[[priority]]
name = 'urgent'
value = 1
[policy]
order = 'fifo'
datasets = 'preferred'
preemption = 'priority'
backfill = 'best-effort'
";

/// `1` is near its data. `2` runs beside it, in the same cloud, once they have come for 400 s. `3` reads `web` from the archive for 500 × 0.09 dollars and
/// `books` from near for 1.5 × 0.12; it makes way for `4`, which reads nothing, at 10 s, and reads both once more where it
/// starts again: near them, so that nothing is moved. `5` reads what nobody has.
const READERS: &str = "\
job_id,submit_s,run_s,team,gpu,datasets,cost_owner,priority,pools
1,0,100,x,4,web,,,
2,1,100,x,4,web,,,
3,2,200,x,4,web|books|web,ads,,
4,10,300,y,4,,,urgent,far
5,11,10,y,1,laws,,,
";

#[test]
fn data_sets_are_paid_for_where_they_leave_a_cloud() {
    let read = written(DATA, READERS);
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let (egress, decisions) = (&summary["egress"], read("decisions.csv"));
    assert_eq!(summary["jobs"]["preemptions"], 1, "{decisions}");
    let part = |name: &str, gb: f64, usd: f64| serde_json::json!({ "name": name, "gb": gb, "usd": usd });
    let expected = serde_json::json!({
        "moves": 3, "gb": 1_001.5, "usd": 45.18, "moving_s": 408.0, "unknown": 1,
        "by_dataset": [part("books", 1.5, 0.18), part("web", 1_000.0, 45.0)],
        "by_owner": [part("ads", 501.5, 45.18), part("x", 500.0, 0.0)],
        "by_team": [part("x", 1_001.5, 45.18)],
    });
    assert_eq!(*egress, expected, "{decisions}");
    let said = "1 read of data sets without a known size or replica: what they move is in no figure";
    assert!(summary["warnings"].as_array().unwrap().iter().any(|warning| warning == said), "{summary}");
    let text = read("cost.csv");
    let rows: Vec<&str> = text.lines().filter(|line| line.contains(",egress,")).collect();
    let row = |usd: &str, pool: &str, cloud: &str, gb: &str, owner: &str| {
        format!(
            "{usd},{usd},USD,Usage,data sets that left {pool},1970-01-01T00:00:00Z,1970-01-01T00:08:21Z,Standard,{gb},GB,\
             {gb},GB,Networking,Egress,{cloud},,{pool},,x,egress,{owner},x,,,0"
        )
    };
    let expected = [
        row("0.18", "near", "a", "1.5", "ads"),
        row("0", "near", "a", "500", "x"),
        row("45", "archive", "c", "500", "ads"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn data_sets_that_cannot_be_priced_are_refused() {
    let scenario_refused = |from: &str, to: &str, message: &str| {
        assert!(DATA.contains(from), "{from}");
        refused(&DATA.replacen(from, to, 1), READERS.as_bytes(), &[], message);
    };
    scenario_refused(
        "size = '500GB'",
        "size = 500",
        "\
error: `size` is not what it should be
 --> scenario.toml:3:8
  |
3 | size = 500
  |        ^^^ expected a size up to 1 EiB with its unit, such as `\"500GB\"`, found `500`",
    );
    scenario_refused(
        "name = 'books'",
        "name = 'web'",
        "\
error: data set `web` is defined twice
 --> scenario.toml:5:8
  |
5 | name = 'web'
  |        ^^^^^ this name is taken by a data set above",
    );
    scenario_refused(
        ", egress_gb = 0.12",
        "",
        "\
error: some pools charge for data that leaves them and some do not say
 --> scenario.toml:1:1
  |
1 | [[dataset]]
  | ^^^^^^^^^^^ `near` has data sets and no `egress_gb` in its `price`
  |
  = hint: where it is free, write `egress_gb = 0`",
    );
    scenario_refused(
        "gpu_hour = 2",
        "gpu_hour = -2",
        "\
error: `gpu_hour` is not what it should be
  --> scenario.toml:19:22
   |
19 | price = { gpu_hour = -2 }
   |                      ^^ expected dollars: a number from 0 to 1000000 with at most six decimals, found `-2`",
    );
    scenario_refused(
        "egress_gb = 0.12",
        "egress_gb = 1000.5",
        "\
error: `egress_gb` is not what it should be
  --> scenario.toml:13:37
   |
13 | price = { gpu_hour = 1, egress_gb = 1000.5 }
   |                                     ^^^^^^ expected dollars: a number from 0 to 1000 with at most six decimals, found `1000.5`",
    );
}

/// As many GPUs at the highest price as a pool can have.
const DEAREST: &str = "\
[[pool]]
name = \"p\"
nodes = 4294967295
node = { gpu = 1 }
divisible = true
price = { gpu_hour = 1000000 }
";

#[test]
fn costs_are_exact_up_to_the_end_of_what_can_be_counted() {
    let jobs = |run_s: &str| {
        let row = |job: u32| format!("{job},0,{run_s},a,8\n");
        "job_id,submit_s,run_s,team,gpu\n".to_owned() + &(0..6).map(row).collect::<String>()
    };
    // 2^127 over the rate of the pool is 39,614,081,266,355 ms, 1,255 years and some.
    let folder = folder();
    std::fs::write(folder.path().join("scenario.toml"), DEAREST).unwrap();
    std::fs::write(folder.path().join("jobs.csv"), jobs("39614081266.355")).unwrap();
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "--check", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let usd = |key: &str| summary["cost_usd"][key].as_f64().unwrap();
    assert!((usd("allocated") / (6.0 * 8.0 * 1e6 * 39_614_081_266.355 / 3_600.0) - 1.0).abs() < 1e-12);
    assert!((usd("total") / (4_294_967_295.0 * 1e6 * 39_614_081_266.355 / 3_600.0) - 1.0).abs() < 1e-12);
    for run_s in ["39614081266.356", "900000000000000"] {
        refused(
            DEAREST,
            jobs(run_s).as_bytes(),
            &["--check"],
            "error: job `0` would end after the last time to which costs can be counted\n\
             hint: at the prices of the scenario, above all of pool `p`, that is 1255 years: leave prices out, or make \
             the pool smaller",
        );
    }
}

/// Two by two: a user and a class that are called as those without are.
#[test]
fn who_is_called_none_is_not_who_has_no_name() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 3.6 }\n\
                    [[priority]]\nname = 'none'\nvalue = 3\n";
    let jobs = "job_id,submit_s,run_s,team,user,gpu,priority\n1,0,1000,a,none,1,none\n2,0,2000,a,,1,\n3,0,100,a,ann,1,\n";
    let summary = serde_json::to_value(simulate(scenario, jobs).summary()).unwrap();
    let named = |rows: &serde_json::Value| {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row["usd"].as_f64())).collect::<Vec<_>>()
    };
    let row = |name: &str, usd: f64| (name.to_owned(), Some(usd));
    let users = [row("(none)", 2.0), row("ann", 0.1), row("none", 1.0)];
    assert_eq!(named(&summary["cost_by_user"]), users);
    assert_eq!(named(&summary["cost_by_class"]), [row("(none)", 2.1), row("none", 1.0)]);
    let groups = named(&summary["groups"]["class"]);
    let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["(none)", "none"]);
}

#[test]
fn a_team_called_idle_is_not_what_idled() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 3.6 }\n";
    let folder = set_up(scenario, b"job_id,submit_s,run_s,team,gpu\n1,0,1000,idle,1\n2,0,100,b,1\n");
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("(idle)") && !page.contains("(egress)"), "the bars of the report");
}
