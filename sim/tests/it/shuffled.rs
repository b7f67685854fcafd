//! Rows of equal time in any order: the same summary, to the last digit.
//!
//! Absent on purpose: rows out of order in time (see `trace`), which are repaired and counted.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::cli::set_up;
use crate::support::sim;

const SCENARIO: &str =
    "[[pool]]\nname = \"h\"\nnodes = 2\nnode = { gpu = 7, cpu = 97 }\nprice = { gpu_hour = 0.7 }\n";

/// Users of several kinds in one team, so that their parts are scaled and summed.
const ROWS: [&str; 13] = [
    "5,0,70,a,u3,1,21",
    "6,0,100,b,u0,2,1",
    "8,0,100,a,u6,0,13",
    "9,0,33,b,u6,1,7",
    "10,0,70,a,u8,2,1",
    "19,0,100,a,u2,3,1",
    "20,0,70,b,u8,2,7",
    "21,0,70,b,u5,0,1",
    "24,0,70,a,u2,1,21",
    "26,0,70,b,u0,3,7",
    "29,0,33,a,u0,1,13",
    "31,0,33,b,u2,0,3",
    "38,0,70,b,u3,2,21",
];

fn summary(rows: &[&str]) -> Value {
    let folder = set_up(
        SCENARIO,
        format!("job_id,submit_s,run_s,team,user,gpu,cpu\n{}\n", rows.join("\n")).as_bytes(),
    );
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(
        summary["teams"][0]["blocked_users"][0]["held_over_entitled"].is_number(),
        "users are measured: {summary}"
    );
    summary.as_object_mut().unwrap().remove("provenance");
    summary
}

#[test]
fn rows_of_equal_time_may_stand_in_any_order() {
    let expected = summary(&ROWS);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..20 {
        let mut rows = ROWS;
        rows.shuffle(&mut rng);
        assert_eq!(summary(&rows).to_string(), expected.to_string(), "{rows:?}");
    }
}
