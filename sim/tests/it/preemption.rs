//! Runs with eviction, computed by hand, and the settings that ask for it.

use fairshare_sim::{Override, Scenario, policy_label};

use crate::support::simulate;

const SCENARIO: &str = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 3.6 }\n\
    [[team]]\nname = 'a'\n[[team]]\nname = 'b'\nquota = { p = { gpu = 4 } }\n";

const ROWS: &str = "job_id,submit_s,run_s,team,gpu,checkpoint_s,preemptible\n";

fn scenario(policy: &str) -> String {
    format!("{SCENARIO}[policy]\n{policy}")
}

#[test]
fn an_evicted_job_starts_again_from_zero() {
    let finished =
        simulate(&scenario("preemption = 'reclaim'\n"), &format!("{ROWS}1,0,100,a,4,,\n2,70,50,b,4,,\n"));
    // Job 2 is within b's quota: job 1 stops after 70 s and has all of its 100 s before it again at 120.
    let times = finished.times();
    assert_eq!((times[0].1, times[0].2, times[1].1, times[1].2), (120, 220, 70, 120));
    let summary = finished.summary();
    assert_eq!((summary.jobs.preemptions, summary.jobs.completed), (1, 2));
    assert_eq!(finished.record.wait_ms(&finished.trace, 0), 50_000);
    // A GPU costs 0.001 USD a second.
    let cost = summary.cost_usd.unwrap();
    assert_eq!((cost.total, cost.allocated, cost.lost), (0.88, 0.88, 0.28));
    assert_eq!(summary.goodput["gpu"].to_string(), "0.6818181818181818");
}

#[test]
fn a_checkpoint_saves_what_was_done_before_it() {
    let finished =
        simulate(&scenario("preemption = 'reclaim'\n"), &format!("{ROWS}1,0,100,a,4,30,\n2,70,50,b,4,,\n"));
    // 60 s are saved, 10 s lost, 40 s left.
    let times = finished.times();
    assert_eq!((times[0].1, times[0].2), (120, 160));
    let cost = finished.summary().cost_usd.unwrap();
    assert_eq!((cost.allocated, cost.lost), (0.64, 0.04));
}

/// `1` runs for 70 s, of which two checkpoints saved 60, and is stopped until 120; it takes 25 s to be where it was, and
/// works for the 40 s that are left. The same for all jobs by the scenario.
#[test]
fn a_restart_takes_time_in_which_nothing_is_done() {
    let rows = ROWS.replace("checkpoint_s", "checkpoint_s,restart_s");
    let own = format!("{rows}1,0,100,a,4,30,25,\n2,70,50,b,4,,,\n");
    let all = format!("{rows}1,0,100,a,4,,,\n2,70,50,b,4,,,\n");
    for (settings, jobs) in [("", own), ("default_checkpoint = '30s'\ndefault_restart = '25s'\n", all)] {
        let finished = simulate(&scenario(&format!("preemption = 'reclaim'\n{settings}")), &jobs);
        let times = finished.times();
        assert_eq!((times[0].1, times[0].2), (120, 185));
        let summary = finished.summary();
        let cost = summary.cost_usd.unwrap();
        // Four GPUs at 0.001 dollars a second: 10 s after the second checkpoint and 25 s of restart are lost of 185.
        assert_eq!((cost.allocated, cost.lost), (0.74, 0.14));
        assert_eq!(summary.goodput["gpu"].to_string(), (150.0 / 185.0).to_string());
        crate::goodput::good_over_time(&finished);
        assert_eq!(summary.response_s.max, Some(185.0));
        fairshare_sim::metrics::sums::check(&finished.setup, &finished.trace, &finished.record).unwrap();
    }
}

/// Stopped again while it restarts: nothing of the second attempt is kept, and the third restarts anew.
#[test]
fn a_restart_that_is_stopped_begins_again() {
    let rows = ROWS.replace("checkpoint_s", "checkpoint_s,restart_s");
    let jobs = format!("{rows}1,0,100,a,4,30,25,\n2,70,50,b,4,,,\n3,140,10,b,4,,,\n");
    let finished = simulate(&scenario("preemption = 'reclaim'\n"), &jobs);
    // 60 s are saved; the attempt at 120 is stopped at 140; the third begins at 150, and takes 25 + 40 s.
    let times = finished.times();
    assert_eq!((times[0].1, times[0].2), (150, 215));
    let lost = finished.summary().cost_usd.unwrap().lost;
    assert_eq!(lost.to_string(), (0.004 * (10.0 + 20.0 + 25.0)).to_string());
}

#[test]
fn nobody_is_stopped_who_may_not_be_or_without_preemption() {
    for (policy, row) in
        [("preemption = 'none'\n", "1,0,100,a,4,,\n"), ("preemption = 'reclaim'\n", "1,0,100,a,4,,false\n")]
    {
        let finished = simulate(&scenario(policy), &format!("{ROWS}{row}2,70,50,b,4,,\n"));
        let times = finished.times();
        assert_eq!((times[0].2, times[1].1), (100, 100), "{policy}");
    }
}

#[test]
fn a_minimum_run_is_waited_for() {
    let policy = "preemption = 'reclaim'\neviction = { minimum_run = '90s' }\n";
    let finished = simulate(&scenario(policy), &format!("{ROWS}1,0,100,a,4,,\n2,70,50,b,4,,\n"));
    assert_eq!(finished.times()[1].1, 90);
}

#[test]
fn settings_are_read_named_and_refused_with_their_place() {
    let with = |settings: &[&str]| {
        let setting = |text: &&str| Override { origin: "--policy".to_owned(), setting: (*text).to_owned() };
        let overrides: Vec<Override> = settings.iter().map(setting).collect();
        Scenario::parse("s.toml", SCENARIO, &overrides)
    };
    let all = [
        "policy.preemption=reclaim",
        "policy.eviction.minimum_run=10m",
        "policy.eviction.hysteresis=0.05",
        "policy.eviction.ratio=any",
        "policy.eviction.gpu_seconds_per_hour=3600",
        "policy.eviction.back_off=90s",
    ];
    let scenario = with(&all).unwrap();
    assert_eq!(
        policy_label(scenario.policy.spec, true),
        "drf,preemption=reclaim,eviction.minimum_run=600s,eviction.hysteresis=0.05,eviction.ratio=any,\
         eviction.gpu_seconds_per_hour=3600,eviction.back_off=90s"
    );
    let wrong = with(&["policy.preemption=reclam"]).unwrap_err().render();
    assert!(
        wrong.contains("unknown preemption `reclam`") && wrong.contains("did you mean `reclaim`"),
        "{wrong}"
    );
    let wrong = with(&["policy.eviction.minimum=10m"]).unwrap_err().render();
    assert!(wrong.contains("unknown key `minimum` in `eviction` of `[policy]`"), "{wrong}");
    let wrong = with(&["policy.preemption=reclaim", "policy.backfill=conservative"]).unwrap_err().render();
    assert!(wrong.contains("exclude each other"), "{wrong}");
}
