//! Money that is printed adds up, whatever is added to what: the summary, its pools, teams and owners, `cost.csv` and
//! `jobs.csv`, to the millionth of a dollar.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fairshare_sim::metrics::sums;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{Finished, simulate};

/// Micro-USD of a number as it is printed.
fn micro(value: &Value) -> u64 {
    let usd = value.as_f64().unwrap_or_else(|| panic!("{value} is no money"));
    of_text(&format!("{usd:.6}"))
}

fn of_text(usd: &str) -> u64 {
    let (whole, part) = usd.split_once('.').unwrap_or((usd, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// The rows of a file, by column.
fn rows(text: Vec<u8>) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

/// The sums of one column by another, of the rows that are of the kind.
fn sums_by(rows: &[BTreeMap<String, String>], line: &str, by: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| row["x_Line"] == line) {
        *sums.entry(row[by].clone()).or_insert(0) += of_text(&row["BilledCost"]);
    }
    sums
}

/// Compares everything that says what something costs.
fn adds_up(run: &Finished) {
    sums::check(&run.setup, &run.trace, &run.record).unwrap();
    let summary = serde_json::to_value(run.summary()).unwrap();
    let cost = |name: &str| micro(&summary["cost_usd"][name]);
    let (total, allocated, idle, lost) = (cost("total"), cost("allocated"), cost("idle"), cost("lost"));
    assert_eq!(total, allocated + idle, "total and its parts");
    assert!(lost <= allocated, "{lost} lost of {allocated}");
    let (mut jobs, mut costs) = (Vec::new(), Vec::new());
    fairshare_sim::report::csv::jobs(&run.setup, &run.trace, &run.record, &mut jobs).unwrap();
    fairshare_sim::report::cost::write(&run.setup, &run.trace, &run.record, &mut costs).unwrap();
    let (jobs, costs) = (rows(jobs), rows(costs));
    let (used, unused) = (sums_by(&costs, "used", "ResourceId"), sums_by(&costs, "idle", "ResourceId"));
    let of =
        |sums: &BTreeMap<String, u64>, name: &Value| sums.get(name.as_str().unwrap()).copied().unwrap_or(0);
    let mut pools = [0; 3];
    for pool in summary["pools"].as_array().unwrap() {
        let name = &pool["name"];
        let [all, held, free] = ["cost_usd", "allocated_usd", "idle_usd"].map(|field| micro(&pool[field]));
        assert_eq!(all, held + free, "the parts of pool {name}");
        assert_eq!((held, free), (of(&used, name), of(&unused, name)), "pool {name} and `cost.csv`");
        pools = [pools[0] + all, pools[1] + held, pools[2] + free];
    }
    assert_eq!(pools, [total, allocated, idle], "all pools");
    let mut by_team: BTreeMap<String, u64> = BTreeMap::new();
    for job in &jobs {
        *by_team.entry(job["team"].clone()).or_insert(0) += of_text(&job["cost_usd"]);
    }
    assert_eq!(by_team.values().sum::<u64>(), allocated, "`jobs.csv` and allocated");
    let teams = sums_by(&costs, "used", "x_Team");
    for team in summary["teams"].as_array().unwrap() {
        let (name, usd) = (&team["name"], micro(&team["cost_usd"]));
        assert_eq!((usd, usd), (of(&teams, name), of(&by_team, name)), "team {name}, `cost.csv`, `jobs.csv`");
    }
    let owners = sums_by(&costs, "used", "x_CostOwner");
    for owner in summary["cost_by_owner"].as_array().unwrap() {
        assert_eq!(micro(&owner["usd"]), of(&owners, &owner["owner"]), "{owner}");
    }
    let users: u64 =
        summary["cost_by_user"].as_array().into_iter().flatten().map(|user| micro(&user["usd"])).sum();
    assert_eq!(users, allocated, "all users");
    let mut lost_in_parts = 0;
    for row in &costs {
        let [part, all] = ["x_LostCost", "BilledCost"].map(|column| of_text(&row[column]));
        assert!(part <= all, "{part} lost of {all}");
        lost_in_parts += part;
    }
    assert_eq!(lost_in_parts, lost, "lost");
}

/// A few small pools at odd prices.
fn pools() -> impl Strategy<Value = String> {
    let pool = (any::<bool>(), 1_u32..999_999, 0_u32..3);
    prop::collection::vec(pool, 1..5).prop_map(|pools| {
        let mut text = String::new();
        for (number, (owned, price, dollars)) in pools.into_iter().enumerate() {
            let (key, bought) = if owned { ("gpu_hour", "owned") } else { ("spot_gpu_hour", "spot") };
            let _ = write!(
                text,
                "[[pool]]\nname = 'p{number}'\nnodes = 1\nnode = {{ gpu = 4 }}\n\
                 price = {{ {key} = {dollars}.{price:06}, bought = '{bought}' }}\n"
            );
        }
        text + "[[priority]]\nname = 'urgent'\nvalue = 10\n[policy]\npreemption = 'priority'\n\
                backfill = 'best-effort'\n"
    })
}

/// A few short jobs of two teams, three users and two owners.
fn jobs() -> impl Strategy<Value = String> {
    let job = (0_u32..3_000, 1_u32..9_999, 0..2_usize, 0..3_usize, 0..2_usize, 1_u32..4, any::<bool>());
    prop::collection::vec(job, 1..12).prop_map(|mut jobs| {
        jobs.sort_by_key(|job| job.0);
        let mut text = "job_id,submit_s,run_s,team,user,cost_owner,gpu,priority\n".to_owned();
        for (number, (submit, run, team, user, owner, gpu, urgent)) in jobs.into_iter().enumerate() {
            let [submit, run] = [submit, run].map(|ms| format!("{}.{:03}", ms / 1_000, ms % 1_000));
            let (team, user, owner) =
                (["a", "b"][team], ["ann", "bob", "eve"][user], ["east", "west"][owner]);
            let class = if urgent { "urgent" } else { "" };
            let _ = writeln!(text, "{number},{submit},{run},{team},{user},{owner},{gpu},{class}");
        }
        text
    })
}

proptest! {
    #[test]
    fn whatever_is_printed_adds_up(pools in pools(), jobs in jobs()) {
        adds_up(&simulate(&pools, &jobs));
    }
}

/// Of four GPUs at a dollar one is held for 1.802 s: 500.56 millionths of 2,002.22, of which three quarters are idle.
#[test]
fn jobs_add_up_to_the_allocated_part_as_it_is_printed() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 1 }\n";
    adds_up(&simulate(scenario, "job_id,submit_s,run_s,team,user,gpu\n1,0,1.802,a,ann,1\n"));
}

/// Three pools stand idle, and one is never charged for that: none may be idle for more than it costs.
#[test]
fn no_pool_is_idle_for_more_than_it_costs() {
    let mut scenario = String::new();
    for (name, price) in [
        ("p0", "gpu_hour = 0.418031, bought = 'owned'"),
        ("p1", "gpu_hour = 0.856250, bought = 'owned'"),
        ("p2", "spot_gpu_hour = 0.602140, bought = 'spot'"),
        ("p3", "gpu_hour = 0.194476, bought = 'owned'"),
    ] {
        let _ = write!(
            scenario,
            "[[pool]]\nname = '{name}'\nnodes = 1\nnode = {{ gpu = 4 }}\nprice = {{ {price} }}\n"
        );
    }
    adds_up(&simulate(&scenario, "job_id,submit_s,run_s,team,user,gpu,pools\n0,0,1.511,b,bob,1,p1\n"));
}
