//! The lives of jobs, as `sim explain` tells them: under every policy their intervals follow each other without a hole from
//! the submission to the end, and what they wait adds up.

use std::fmt::Write as _;

use fairshare::OrderName;
use fairshare_sim::life::{Life, Watch};
use serde_json::{Value, json};

use crate::cli::set_up;
use crate::support::{Numbers, sim, simulate};

/// Jobs of three teams and two classes; some come long after the others.
fn trace(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut rows = String::from("job_id,submit_s,run_s,team,gpu,priority,estimate_s\n");
    for job in 0..24 {
        let late = if numbers.below(8) == 0 { 3_000 } else { 0 };
        let (submit, run) = (late + numbers.below(400), numbers.below(300));
        let (team, class) = (["a", "b", "c"][numbers.index(3)], ["low", "high"][numbers.index(2)]);
        // Nobody has room for nine.
        let gpus = [1, 2, 3, 4, 4, 4, 9][numbers.index(7)];
        writeln!(rows, "{job},{submit},{run},{team},{gpus},{class},{}", run + 1).unwrap();
    }
    rows
}

fn scenario(order: &str, preemption: &str, capacity: &str) -> String {
    format!(
        "[[pool]]\nname = 'p'\nnodes = 2\nnode = {{ gpu = 4 }}\ndivisible = {}\n{capacity}\
         [[team]]\nname = 'a'\nweight = 2\nquota = {{ p = {{ gpu = 4 }} }}\n\
         [[team]]\nname = 'b'\nquota = {{ p = {{ gpu = 4 }} }}\n[[team]]\nname = 'c'\n\
         [[priority]]\nname = 'low'\nvalue = 0\n[[priority]]\nname = 'high'\nvalue = 5\n\
         [policy]\norder = '{order}'\npreemption = '{preemption}'\n",
        order == "kueue"
    )
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of whole milliseconds")]
fn millis(seconds: &Value) -> i64 {
    (seconds.as_f64().unwrap_or_else(|| panic!("{seconds} is no time")) * 1_000.0).round() as i64
}

/// Every job of a run, each watched in a replay of its own; how many waited after an attempt, and to the end.
fn all_are_covered(text: &str, jobs: &str) -> [usize; 2] {
    let run = simulate(text, jobs);
    let (mut again, mut never) = (0, 0);
    for row in 0..u32::try_from(run.trace.jobs.len()).unwrap() {
        let mut watch = Watch::new(&run.setup, &run.trace, row);
        let record = fairshare_sim::simulate(&run.setup, &run.trace, &mut watch, &|| false).unwrap();
        let life = Life::new(&run.setup, &run.trace, &record, row, "", watch.intervals());
        let life = serde_json::to_value(&life).unwrap();
        let intervals = life["intervals"].as_array().unwrap();
        let mut at = millis(&life["submit_s"]);
        let mut waited = 0;
        for interval in intervals {
            assert_eq!(millis(&interval["from_s"]), at, "a hole in {life}\n{text}");
            at = millis(&interval["to_s"]);
            if interval["state"] == "waits" {
                waited += at - millis(&interval["from_s"]);
                assert!(interval["reasons"].as_array().is_some_and(|why| !why.is_empty()), "{life}\n{text}");
            }
        }
        assert_eq!(waited, millis(&life["wait_s"]), "what {life} waits\n{text}");
        let outcome = &record.outcomes[row as usize];
        let end = match life["status"].as_str().unwrap() {
            "completed" => outcome.end_ms,
            "rejected" => millis(&intervals.last().unwrap()["from_s"]),
            _ => record.end_ms.max(run.trace.jobs[row as usize].submit_ms),
        };
        assert_eq!(at, end, "the end of {life}\n{text}");
        again += usize::from(intervals.windows(2).any(|two| two[0]["state"] == "runs"));
        never += usize::from(intervals.last().unwrap()["state"] == "waits");
    }
    [again, never]
}

#[test]
fn under_every_policy_a_life_has_no_hole_and_what_it_waits_adds_up() {
    let orders = OrderName::ALL.map(OrderName::as_str).into_iter().chain(["kueue"]);
    let mut seen = [0; 2];
    for order in orders.filter(|order| cfg!(feature = "lp") || *order != "gavel") {
        for (seed, preemption) in [(1, "none"), (2, "reclaim"), (3, "reclaim'\nbackfill = 'none")] {
            let gone = "[[capacity]]\npool = 'p'\nfrom = 500\nnodes = 0\n";
            for capacity in ["", gone].into_iter().filter(|text| order != "kueue" || text.is_empty()) {
                let found = all_are_covered(&scenario(order, preemption, capacity), &trace(seed));
                seen = [seen[0] + found[0], seen[1] + found[1]];
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

fn explained(text: &str, jobs: &str, job: &str) -> (Value, String) {
    let folder = set_up(text, jobs.as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = sim(folder.path(), &["explain", "out", job, "-o", "json"]).stdout;
    (serde_json::from_str(&told).unwrap(), sim(folder.path(), &["explain", "out", job]).stdout)
}

/// The last end is at 100 s, and from 200 s on there is no room at all.
#[test]
fn what_nothing_ends_after_is_measured_to_the_last_end() {
    let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[[capacity]]\npool = 'p'\nfrom = 200\nnodes = 0\n\
                [policy]\norder = 'fifo'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu\nends,0,100,a,4\nwaits,50,500,b,2\nlate,400,100,b,2\nlast,1000,100,a,2\n";
    let (life, table) = explained(text, jobs, "late");
    let waits = json!({"from_s": 400.0, "to_s": 400.0, "state": "waits"});
    let first = &life["intervals"][0];
    assert_eq!((&life["wait_s"], life["intervals"].as_array().unwrap().len()), (&json!(0.0), 1), "{life}");
    assert!(waits.as_object().unwrap().iter().all(|(key, value)| first[key] == *value), "{life}");
    assert_eq!(life["until_s"], 200.0, "{life}");
    assert!(table.contains("waited 0 s in all; nothing is measured after 200 s"), "{table}");
    let (life, table) = explained(text, jobs, "waits");
    let spans = life["intervals"].as_array().unwrap().iter();
    let spans: Vec<Value> = spans.map(|one| json!([one["from_s"], one["to_s"], one["state"]])).collect();
    let expected =
        [json!([50.0, 100.0, "waits"]), json!([100.0, 200.0, "runs"]), json!([200.0, 200.0, "waits"])];
    assert_eq!((spans, &life["wait_s"]), (expected.to_vec(), &json!(50.0)), "{life}\n{table}");
    let never = text.replace("from = 200", "from = 0");
    let (life, table) =
        explained(&format!("{never}[[capacity]]\npool = 'p'\nfrom = 5000\nnodes = 0\n"), jobs, "waits");
    let spans = life["intervals"].as_array().unwrap();
    let last = spans.last().unwrap();
    assert_eq!((&life["until_s"], &last["to_s"]), (&json!(5_000.0), &json!(5_000.0)), "{life}\n{table}");
    assert_eq!(life["wait_s"], 4_950.0, "{life}");
}

const KUEUE: &str = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n\
                     [[team]]\nname = 'a'\nquota = { p = { gpu = 3 } }\n[[team]]\nname = 'b'\nquota = { p = { gpu = 1 } }\n\
                     [policy]\norder = 'kueue'\n";

/// What it waits for and why, without the runs.
fn waits(life: &Value) -> Vec<Value> {
    let all = life["intervals"].as_array().unwrap();
    all.iter()
        .filter(|one| one["state"] == "waits")
        .map(|one| json!([one["from_s"], one["to_s"], one["reasons"]]))
        .collect()
}

const JOBS: &str =
    "job_id,submit_s,run_s,team,gpu\n1,0,3600,a,4\n2,50,100,b,1\n3,60,100,b,1\n4,70,10,b,2\n5,80,10,b,1\n";

#[test]
fn a_wait_under_kueue_has_the_reason_of_the_cycle() {
    let nobody = "too little quota is free, and nobody may be preempted for it";
    let lacks = "insufficient unused quota for gpu in every flavor that pod set `main` may use";
    let as_found = format!("{nobody}, as found for another of its queue that asks the same");
    for (job, expected) in [
        ("2", json!([[50.0, 3_600.0, [nobody]]])),
        ("3", json!([[60.0, 3_600.0, [as_found]]])),
        ("4", json!([[70.0, 3_600.0, [lacks]]])),
        ("5", json!([[80.0, 3_600.0, [as_found]], [3_600.0, 3_610.0, [nobody]]])),
    ] {
        let (life, table) = explained(KUEUE, JOBS, job);
        assert_eq!(json!(waits(&life)), expected, "job {job}");
        assert!(table.contains("  waits\n"), "{table}");
    }
}

/// Job 2 keeps the line: job 4 asks otherwise, and comes behind it.
#[test]
fn behind_the_head_of_a_strict_queue_a_job_is_not_looked_at() {
    let (life, _) = explained(&format!("{KUEUE}backfill = 'none'\n"), JOBS, "4");
    let behind = |job: u32| format!("not looked at: others of its queue come first, such as job {job}");
    assert_eq!(waits(&life)[0], json!([70.0, 3_600.0, [behind(2)]]), "{life}");
}

/// Job 1 is stopped for job 2, and has its GPUs again once 2 and 3 have ended.
#[test]
fn a_wait_after_an_eviction_under_kueue_has_its_reasons_too() {
    let (life, table) = explained(&format!("{KUEUE}preemption = 'reclaim'\n"), JOBS, "1");
    let expected = json!([
        [50.0, 51.0, ["it was preempted just now, and is looked at from the next instant on"]],
        [51.0, 160.0, ["too little quota is free, and nobody may be preempted for it"]],
    ]);
    assert_eq!(json!(waits(&life)), expected, "{life}");
    assert!(
        table.contains("waited 1 min 50 s in all\n") && table.contains("started meanwhile: b 3"),
        "{table}"
    );
}

/// All of a line ask the same, in whatever words: what one of them was told is so for the others.
#[test]
fn a_job_whose_like_says_it_in_other_words_is_told_of_its_line_and_not_of_who_runs() {
    let one = KUEUE
        .replace("gpu = 3", "gpu = 4")
        .replace("[[team]]\nname = 'b'\nquota = { p = { gpu = 1 } }\n", "");
    for [own, like] in [["", "p"], ["p", ""]] {
        let jobs = format!(
            "job_id,submit_s,run_s,team,gpu,pools\nfirst,0,1,a,4,{like}\nruns,10,1000,a,2,p\nbig,20,10,a,4,{own}\n\
             small,50,100,a,1,p\n"
        );
        let (life, _) = explained(&one, &jobs, "big");
        let nobody = "too little quota is free, and nobody may be preempted for it";
        assert_eq!(waits(&life), [json!([20.0, 1_010.0, [nobody]])], "{life}");
    }
}

/// Names of any length, dates on both sides, and a policy with many settings.
#[test]
fn no_line_of_a_life_is_beyond_the_terminal() {
    let (pool, stopper) = ["p", "s"].map(|letter| letter.repeat(90)).into();
    let text = format!(
        "[[pool]]\nname = '{pool}'\nnodes = 1\nnode = {{ gpu = 4 }}\n[[capacity]]\npool = '{pool}'\nfrom = 1735689800\n\
         nodes = 0\n[[team]]\nname = 'research and development'\n[[priority]]\nname = 'high'\nvalue = 5\n[policy]\n\
         order = 'drf-current'\npreemption = 'priority'\nbackfill = 'best-effort'\nvalue = 'count'\nplacement = 'fragmentation'\n"
    );
    let team = "research and development";
    let jobs = format!(
        "job_id,submit_s,run_s,team,gpu,priority\nlong,1735689600,500,{team},4,\n{stopper},1735689700,9000,{team},4,high\n"
    );
    let (life, table) = explained(&text, &jobs, "long");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}\n{life}");
    let bare: String = table.split_whitespace().collect();
    for said in
        [pool, format!("stopped by own-team, for job {stopper}"), life["policy"].as_str().unwrap().to_owned()]
    {
        assert!(bare.contains(&said.replace(' ', "")), "{said}: {table}");
    }
    assert!(bare.contains("nothingismeasuredafter2025-01-01T00:03:20Z(1735689800s)"), "{table}");
}

/// Job 2 keeps the line until it starts at 3,600 s, then job 3: each is named while it is ahead.
#[test]
fn another_head_is_another_interval() {
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,3600,a,4\n2,50,100,b,4\n3,60,100,b,3\n4,70,10,b,2\n";
    let (life, _) = explained(&format!("{KUEUE}backfill = 'none'\n"), jobs, "4");
    let behind = |job: u32| format!("not looked at: others of its queue come first, such as job {job}");
    let lacks = "insufficient unused quota for gpu in every flavor that pod set `main` may use";
    let expected =
        json!([[70.0, 3_600.0, [behind(2)]], [3_600.0, 3_700.0, [behind(3)]], [3_700.0, 3_800.0, [lacks]]]);
    assert_eq!(json!(waits(&life)), expected, "{life}");
}

/// A job that ran for no time is between two waits of others, which begin anew at its instant.
#[test]
fn a_wait_of_no_time_is_none() {
    let one = KUEUE.replace("gpu = 3 } }\n[[team]]\nname = 'b'\nquota = { p = { gpu = 1 } }", "gpu = 4 } }");
    let one = one.replace("node = { gpu = 4 }\n", "node = { gpu = 4 }\ndivisible = true\n");
    let one = format!("{one}backfill = 'none'\n");
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,3600,a,4\n2,50,0,a,4\n3,60,100,a,4\n4,70,10,a,4\n";
    let (life, _) = explained(&one, jobs, "4");
    let waits = waits(&life);
    assert!(waits.len() >= 2, "{life}");
    assert!(waits.iter().all(|wait| wait[0] != wait[1]), "{life}");
    assert_eq!((&waits[0][0], &waits[waits.len() - 1][1]), (&json!(70.0), &json!(3_700.0)), "{life}");
}
