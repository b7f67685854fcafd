//! Runs under orders that look at past usage, computed by hand, and the settings that they go by.

use fairshare_sim::{Override, Scenario, policy_label};

use crate::support::simulate;

const SCENARIO: &str =
    "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[[team]]\nname = 'a'\n[[team]]\nname = 'b'\n";

const ROWS: &str = "job_id,submit_s,run_s,team,gpu,priority\n";

/// When each job starts.
fn starts(policy: &str, rows: &str) -> Vec<i64> {
    let scenario = format!("{SCENARIO}[[priority]]\nname = 'high'\nvalue = 1000\n[policy]\n{policy}");
    let finished = simulate(&scenario, &format!("{ROWS}{rows}"));
    finished.times().into_iter().map(|(_, start, _)| start).collect()
}

#[test]
fn who_has_used_less_comes_first_though_it_holds_nothing_now() {
    // a uses the pool for 1000 s, and b does not; then both ask for all of it, a first.
    let rows = "1,0,1000,a,4,\n2,500,10,a,4,\n3,600,10,b,4,\n";
    for order in ["fair-tree", "multifactor"] {
        assert_eq!(starts(&format!("order = '{order}'\n"), rows), [0, 1010, 1000], "{order}");
        // Ranks are worked out once in a period: those of the beginning stand, when nobody had used anything.
        let policy = format!("order = '{order}'\nrank_period = '1h'\n");
        assert_eq!(starts(&policy, rows), [0, 1000, 1010], "{order}");
    }
    // By age the older job comes first.
    assert_eq!(starts("order = 'fifo'\n", rows), [0, 1000, 1010]);
}

#[test]
fn ranks_change_with_time_alone() {
    // b has used the whole pool for a half-life of 10 s, a half of it since. In parts of what a pool used for ever comes to:
    // at 20 both a quarter, at 21 a more. Nothing passes the first job, which has no room; it is b's at 21, the first
    // multiple of the period from then on.
    let rows = "1,0,10,b,4,\n2,10,1000,a,2,\n3,11,10,a,3,\n4,12,10,b,1,\n";
    let policy = "order = 'fair-tree'\nbackfill = 'none'\nhalf_life = '10s'\nrank_period = '7s'\n";
    assert_eq!(starts(policy, rows), [0, 10, 1010, 21]);
    let policy = "order = 'fair-tree'\nbackfill = 'none'\nhalf_life = '10s'\nrank_period = '15s'\n";
    assert_eq!(starts(policy, rows), [0, 10, 1010, 30]);
}

#[test]
fn factors_are_weighed_against_each_other() {
    // The whole pool is busy until 100. By age job 2 leads by 30 points, by class job 3 by `priority` points.
    let rows = "1,0,100,b,4,\n2,50,10,a,4,\n3,80,10,a,4,high\n";
    let policy = |class: u32| {
        let factors = format!("age = 100, max_age = '100s', fairshare = 0, size = 0, priority = {class}");
        format!("order = 'multifactor'\nfactors = {{ {factors} }}\n")
    };
    assert_eq!(starts(&policy(29), rows), [0, 100, 110]);
    assert_eq!(starts(&policy(31), rows), [0, 110, 100]);
}

#[test]
fn settings_are_read_named_and_refused_with_their_place() {
    let with = |settings: &[&str]| {
        let setting = |text: &&str| Override { origin: "--policy".to_owned(), setting: (*text).to_owned() };
        let overrides: Vec<Override> = settings.iter().map(setting).collect();
        Scenario::parse("s.toml", SCENARIO, &overrides)
    };
    let label = |order: &str, settings: &[&str]| {
        let order = format!("policy.order={order}");
        let settings = [&[order.as_str()], settings].concat();
        policy_label(with(&settings).unwrap().policy.spec, false)
    };
    let all = [
        "policy.half_life=2d",
        "policy.rank_period=90s",
        "policy.factors.age=1",
        "policy.factors.fairshare=2",
        "policy.factors.size=3",
        "policy.factors.priority=4",
        "policy.factors.max_age=1h",
    ];
    assert_eq!(
        label("multifactor", &all),
        "multifactor,half_life=172800s,rank_period=90s,factors.age=1,factors.fairshare=2,factors.size=3,\
         factors.priority=4,factors.max_age=3600s"
    );
    assert_eq!(label("fair-tree", &all), "fair-tree,half_life=172800s,rank_period=90s");
    assert_eq!(label("drf", &all), "drf");
    assert_eq!(label("multifactor", &["policy.half_life=7d"]), "multifactor");
    for (setting, said) in [
        ("policy.half_life=0s", "expected a length of time such as `\"24h\"`"),
        ("policy.factors.age=-1", "expected a whole number from 0 to 4294967295"),
        ("policy.factors.fair=1", "unknown key `fair` in `factors` of `[policy]`"),
        ("policy.factors=3", "expected a table"),
    ] {
        let wrong = with(&[setting]).unwrap_err().render();
        assert!(wrong.contains(said) && wrong.contains("--policy:1:"), "{setting}: {wrong}");
    }
}

const BUDGET: &str = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\nprice = { gpu_hour = 3.6 }\n[[team]]\nname = 'a'\n\
    [[team]]\nname = 'b'\n";

#[test]
fn who_has_spent_the_budget_waits_for_the_next_period() {
    // Two GPUs for half an hour are one GPU-hour; a GPU costs 3.60 an hour. The job that runs goes on.
    for budget in ["{ gpu_hours = 1, period = '2h' }", "{ usd = 3.6, period = '2h' }"] {
        let scenario = BUDGET.replacen("name = 'a'\n", &format!("name = 'a'\nbudget = {budget}\n"), 1);
        let rows = "1,0,1800,a,2,\n2,0,3600,b,2,\n3,10,60,a,1,\n4,20,60,b,1,\n5,1000,1000,a,1,\n";
        let finished = simulate(&scenario, &format!("{ROWS}{rows}"));
        let starts: Vec<i64> = finished.times().into_iter().map(|(_, start, _)| start).collect();
        // At 1800 an hour is spent: of those that wait, job 3 and job 5 do until 7200 although two GPUs are free.
        assert_eq!(starts, [0, 0, 7200, 1800, 7200], "{budget}");
    }
}

#[test]
fn a_budget_that_cannot_be_counted_is_refused_with_its_place() {
    for (budget, said) in [
        ("{ gpu_hours = 1, usd = 1, period = '2h' }", "expected either `gpu_hours` or `usd`"),
        ("{ period = '2h' }", "expected either `gpu_hours` or `usd`"),
        ("{ gpu_hours = 1 }", "a budget has no `period`"),
        ("{ gpu_hours = 1, period = '0s' }", "expected a length of time"),
        ("{ gpu_hour = 1, period = '2h' }", "unknown key `gpu_hour` in a budget"),
        ("{ gpu_hours = -1, period = '2h' }", "expected a number from 0"),
    ] {
        let scenario = BUDGET.replacen("name = 'a'\n", &format!("name = 'a'\nbudget = {budget}\n"), 1);
        let wrong = Scenario::parse("s.toml", &scenario, &[]).unwrap_err().render();
        assert!(wrong.contains(said) && wrong.contains("s.toml:8:"), "{budget}: {wrong}");
    }
    let unpriced = SCENARIO.replacen("name = 'a'\n", "name = 'a'\nbudget = { usd = 1, period = '1d' }\n", 1);
    let wrong = Scenario::parse("s.toml", &unpriced, &[]).unwrap_err().render();
    assert!(wrong.contains("pool `p` has no price"), "{wrong}");
}
