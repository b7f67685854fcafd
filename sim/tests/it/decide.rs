//! `sim decide` on scenarios: what is decided, and every kind of snapshot that makes no sense.

use serde_json::{Value, json};

use crate::support::{Ran, sim};

const CLUSTER: &str = "\
[[pool]]
name = 'a'
nodes = 2
node = { gpu = 4 }

[[pool]]
name = 'b'
nodes = 1
node = { gpu = 4 }
divisible = true

[[team]]
name = 'x'
quota = { a = { gpu = 2 } }

[[team]]
name = 'y'

[snapshot]
now_s = 100

";

fn decide_with(text: &str, added: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cluster.toml"), format!("{CLUSTER}{text}")).unwrap();
    std::fs::write(folder.path().join("job.toml"), added).unwrap();
    let mut arguments = vec!["decide", "cluster.toml", "-q", "-o", "json"];
    arguments.extend(more);
    sim(folder.path(), &arguments)
}

fn decide(text: &str) -> Value {
    let ran = decide_with(text, "", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn actions(value: &Value) -> Vec<(&str, &str)> {
    let decisions = value["decisions"].as_array().unwrap();
    decisions.iter().map(|one| (one["job"].as_str().unwrap(), one["action"].as_str().unwrap())).collect()
}

const RUNNING: &str = "\
[[running]]
job_id = 'r1'
team = 'x'
gpu = 2
workers = 2
pool = 'a'
start_s = 40
nodes = [0, 1]

[[running]]
job_id = 'r2'
team = 'y'
gpu = 3
pool = 'b'

";

/// `y` holds two GPUs of eight and `z` six; a job of `y` came before one of `x`, and is shorter.
const TWO_WAIT: &str = "\
[[pool]]
name = 'a'
nodes = 1
node = { gpu = 8 }

[[team]]
name = 'x'
[[team]]
name = 'y'
[[team]]
name = 'z'

[[priority]]
classes = 'four'

[snapshot]
now_s = 100

[[running]]
job_id = 'r1'
team = 'y'
gpu = 2
pool = 'a'
[[running]]
job_id = 'r2'
team = 'z'
gpu = 6
pool = 'a'

[[pending]]
job_id = 'p1'
team = 'y'
gpu = 1
submit_s = 10
estimate_s = 60

[[pending]]
job_id = 'p2'
team = 'x'
gpu = 1
submit_s = 20
estimate_s = 90
";

/// What a scenario says under a policy of why another job comes before one.
fn first(scenario: &str, policy: &str, job: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cluster.toml"), scenario).unwrap();
    let ran = sim(folder.path(), &["decide", "cluster.toml", "-q", "-o", "json", "--policy", policy]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    let decisions = value["decisions"].as_array().unwrap();
    let why = decisions.iter().find(|one| one["job"] == job).unwrap()["why"].as_str().unwrap();
    let first = why.split("; ").find(|part| part.contains("comes first"));
    first.unwrap_or_else(|| panic!("{policy}: {why}")).to_owned()
}

#[test]
fn who_comes_first_is_told_by_what_the_order_compares() {
    let by_time = "it was submitted at 10 s, this one at 20 s";
    for (policy, expected) in [
        ("fifo", by_time),
        ("priority", by_time),
        ("sjf", "it is thought to run for 60 s, this one for 90 s"),
        ("fair-tree", "by the fair-tree ranks of the teams, then by submit time"),
        ("multifactor", "by the weighted sum of age, fair-tree rank, size and class, then by submit time"),
    ] {
        assert_eq!(first(TWO_WAIT, policy, "p2"), format!("`p1` comes first: {expected}"), "{policy}");
    }
    let shares = "`p2` comes first: team `x` holds 0 over its weight, `y` 1/4";
    for policy in ["drf", "drf-current", "hdrf"] {
        assert_eq!(first(TWO_WAIT, policy, "p1"), shares, "{policy}");
    }
    let alike = TWO_WAIT.replace("submit_s = 20", "submit_s = 10");
    let by_name = "`p1` comes first: both were submitted at 10 s, and it is named before this one";
    assert_eq!(first(&alike, "fifo", "p2"), by_name);
    let unknown = TWO_WAIT.replace("estimate_s = 90\n", "");
    let by_length = "`p1` comes first: it is thought to run for 60 s, and this one does not say for how long";
    assert_eq!(first(&unknown, "sjf", "p2"), by_length);
    let equal = TWO_WAIT.replace("team = 'y'\ngpu = 2", "team = 'z'\ngpu = 2");
    let tie = "`p2` comes first: teams `x` and `y` hold 0 over their weights alike";
    assert_eq!(first(&equal, "drf", "p1"), tie);
}

#[test]
fn classes_and_quotas_are_told_where_they_come_before_the_order() {
    let classes = TWO_WAIT.replace("submit_s = 20", "submit_s = 20\npriority = 'interactive'");
    let interactive = fairshare_sim::Scenario::parse("classes", &classes, &[]).unwrap().priorities[1].1;
    let by_class = format!("`p2` comes first: its class has the value {interactive}, that of this one 0");
    for policy in ["fifo", "sjf", "fair-tree", "priority", "drf"] {
        assert_eq!(first(&classes, policy, "p1"), by_class, "{policy}");
    }
    // Where it counts within teams alone, it does not decide between them.
    let within = first(&classes, "fifo,priority=within-team", "p2");
    assert_eq!(within, "`p1` comes first: it was submitted at 10 s, this one at 20 s");
    let quota = TWO_WAIT.replace("name = 'y'\n", "name = 'y'\nquota = { a = { gpu = 4 } }\n");
    let by_quota = "`p1` comes first: it is within a quota of its team, this one beyond";
    assert_eq!(first(&quota, "drf", "p2"), by_quota);
}

#[test]
fn one_cycle_says_who_starts_and_why_the_others_wait() {
    let pending = "\
[[pending]]
job_id = 'p1'
team = 'y'
gpu = 4
submit_s = 10

[[pending]]
job_id = 'p2'
team = 'y'
gpu = 2
submit_s = 20

[[pending]]
job_id = 'p3'
team = 'y'
gpu = 5
submit_s = 30

[[pending]]
job_id = 'p4'
team = 'x'
gpu = 1
workers = 3
pools = ['a']
submit_s = 50
";
    let value = decide(&format!("{RUNNING}{pending}"));
    assert_eq!(value["schema"], "sim.decision/1");
    assert_eq!(value["policy"], "drf");
    assert_eq!(value["now_s"], 100);
    let shares = json!([
        {"name": "x", "kind": "team", "weighted_share": 4.0 / 12.0, "dominant_resource": "gpu", "within_quota": false},
        {"name": "y", "kind": "team", "weighted_share": 0.25, "dominant_resource": "gpu", "within_quota": false},
    ]);
    assert_eq!(value["shares"], shares, "before the cycle");
    // y holds 3 of 12 GPUs and x 4. After the grant y would hold 5 (p2), x 7 (p4): p2 is first and leaves two GPUs in `a`.
    let expected = [("p2", "start"), ("p4", "wait"), ("p1", "wait"), ("p3", "reject")];
    assert_eq!(actions(&value), expected);
    assert_eq!(value["order"], json!(["p2", "p4", "p1", "p3"]));
    assert_eq!(value["decisions"][0]["pool"], "a");
    let why = "pool `a`: the job asks 3 gpu, the pool has 2 free; `p2` came first: team `y` held 5/12 over its \
        weight with it, `x` would hold 7/12 with this one; it could start with pool `a`: 1 gpu more free on node 0";
    assert_eq!(value["decisions"][1]["why"], why);
    let why = value["decisions"][2]["why"].as_str().unwrap();
    assert!(
        why.starts_with("pool `a`: the job asks 4 gpu, the pool has 2 free; pool `b`: the job asks 4"),
        "{why}"
    );
}

#[test]
fn a_job_is_asked_about_without_touching_the_file() {
    let added = "job_id = 'new'\nteam = 'x'\ngpu = 1\n";
    let ran = decide_with(RUNNING, added, &["--add", "job.toml"]);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(actions(&value), [("new", "start")], "{}", ran.stderr);
    let added =
        "[[pending]]\njob_id = 'n1'\nteam = 'x'\ngpu = 4\n[[pending]]\njob_id = 'n2'\nteam = 'z'\ngpu = 1\n";
    let ran = decide_with(RUNNING, added, &["--add", "job.toml", "--policy", "fifo"]);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(actions(&value), [("n2", "start"), ("n1", "wait")], "{}", ran.stderr);
    assert_eq!(value["policy"], "fifo");
}

#[test]
fn an_empty_queue_decides_nothing() {
    let value = decide(RUNNING);
    assert_eq!((&value["decisions"], &value["order"]), (&json!([]), &json!([])));
}

#[test]
fn lines_fit_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let job = |job| format!("[[pending]]\njob_id = 'p{job}'\nteam = 'y'\ngpu = 4\nworkers = 2\n");
    let jobs = (0..5).map(job).collect::<Vec<_>>().concat();
    std::fs::write(folder.path().join("cluster.toml"), format!("{CLUSTER}{RUNNING}{jobs}")).unwrap();
    let ran = sim(folder.path(), &["decide", "cluster.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(ran.stdout.contains("p4"), "{}", ran.stdout);
}

#[test]
fn a_scenario_without_a_snapshot_is_not_decided() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cluster.toml"), CLUSTER.replace("[snapshot]\nnow_s = 100\n", ""))
        .unwrap();
    let message = "\
error: scenario `cluster.toml` has no `[[pending]]` and no `[[running]]` job
hint: to replay a trace there is `sim run`
";
    let expected = Ran { code: 2, stdout: String::new(), stderr: message.to_owned() };
    assert_eq!(sim(folder.path(), &["decide", "cluster.toml"]), expected);
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let ran = decide_with(text, "", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert_eq!(ran.stderr.trim_end(), message);
}

#[test]
fn a_snapshot_that_makes_no_sense_is_refused() {
    refused(
        &format!("{RUNNING}[[running]]\njob_id = 'r3'\nteam = 'y'\ngpu = 2\npool = 'b'\n"),
        "error: cluster.toml:38:10: job `r3` cannot run in pool `b`: beside the other jobs there is no room for it",
    );
    refused(
        "[[running]]\njob_id = 'r3'\nteam = 'y'\ngpu = 5\npool = 'a'\n",
        "error: cluster.toml:23:10: job `r3` cannot run in pool `a`: what it asks does not fit there",
    );
    refused(
        "[[running]]\njob_id = 'r3'\nteam = 'y'\ngpu = 1\npool = 'a'\nnodes = [2]\n",
        "error: cluster.toml:23:10: job `r3` cannot run in pool `a`: beside the other jobs there is no room for it",
    );
    refused(
        "[[running]]\njob_id = 'r3'\nteam = 'y'\ngpu = 1\npool = 'a'\nsubmit_s = 20\nstart_s = 10\n",
        "error: cluster.toml:23:10: job `r3` makes no sense: recorded start and end out of order",
    );
    refused(
        "[[running]]\njob_id = 'r3'\nteam = 'y'\ngpu = 1\npool = 'a'\nsubmit_s = 20\nstart_s = 110\n",
        "error: cluster.toml:23:10: job `r3` cannot run since 110 s: it was submitted at 20 s, and it is 100 s",
    );
    refused(
        "[[pending]]\njob_id = 'p'\nteam = 'y'\ngpu = 'one'\n",
        "error: cluster.toml:23:10: job `p`: column `gpu`: expected a number, found `one`",
    );
    refused(
        "[[pending]]\njob_id = 'p'\nteam = 'y'\ngpu = 1\n[[pending]]\njob_id = 'p'\nteam = 'y'\ngpu = 1\n",
        "\
error: job `p` is there twice
  --> cluster.toml:27:10
   |
27 | job_id = 'p'
   |          ^^^ this name is taken by a job above",
    );
    refused(
        "[[running]]\njob_id = 'p'\nteam = 'y'\ngpu = 1\npool = 'c'\n",
        "\
error: unknown pool `c`
  --> cluster.toml:26:8
   |
26 | pool = 'c'
   |        ^^^ the scenario has no pool of this name
   |
   = hint: did you mean `a`?",
    );
    refused(
        "[[pending]]\njob_id = 'p'\nteam = 'y'\npool = 'a'\n",
        "\
error: unknown key `pool` in a pending job
  --> cluster.toml:25:1
   |
25 | pool = 'a'
   | ^^^^ expected a column of the native trace, such as `gpu`
   |
   = hint: did you mean `pools`?",
    );
    refused(
        "[[pending]]\njob_id = 'p'\nteam = 'y'\nsubmit_s = 200\n",
        "error: the scheduler refuses job `p`: a job enters at 200 s, after 100 s, the time given",
    );
}

/// What a job is by itself is no reason where others of its own team stand before it.
#[test]
fn no_reason_is_given_that_its_numbers_refute() {
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[[team]]\nname = 'a'\n[[team]]\nname = 'c'\n\
                    [[priority]]\nname = 'hi'\nvalue = 7\n[policy]\npriority = 'within-team'\n\
                    [[running]]\njob_id = 'r'\nteam = 'a'\ngpu = 4\npool = 'p'\n\
                    [[pending]]\njob_id = 'w4'\nteam = 'a'\ngpu = 2\nsubmit_s = 100\nestimate_s = 10\n\
                    [[pending]]\njob_id = 'w6'\nteam = 'a'\ngpu = 1\nsubmit_s = 3000\npriority = 'hi'\n\
                    [[pending]]\njob_id = 'w7'\nteam = 'c'\ngpu = 1\nsubmit_s = 200\nestimate_s = 20\n";
    for policy in ["fifo,priority=within-team", "sjf,priority=within-team"] {
        let said = first(scenario, policy, "w4");
        assert_eq!(said, "`w7` comes first: this one stands behind others of its team", "{policy}");
    }
    let rescaled = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 20 }\n[[team]]\nname = 'a'\n[[team]]\nname = 'b'\n\
                    [[team]]\nname = 'd'\nparent = 'b'\n[[running]]\njob_id = 'r'\nteam = 'd'\ngpu = 15\npool = 'p'\n\
                    [[pending]]\njob_id = 'w1'\nteam = 'a'\ngpu = 5\n[[pending]]\njob_id = 'w4'\nteam = 'b'\ngpu = 5\n\
                    [[pending]]\njob_id = 'w5'\nteam = 'a'\ngpu = 2\n";
    let said = first(rescaled, "hdrf", "w5");
    assert!(!said.contains("quota"), "{said}");
    let two = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 10, cpu = 100 }\n[[team]]\nname = 'a'\n[[team]]\nname = 'b'\n\
               [[running]]\njob_id = 'ra'\nteam = 'a'\ngpu = 5\ncpu = 10\npool = 'p'\n\
               [[running]]\njob_id = 'rb'\nteam = 'b'\ngpu = 5\ncpu = 1\npool = 'p'\n\
               [[pending]]\njob_id = 'wa'\nteam = 'a'\ngpu = 1\n[[pending]]\njob_id = 'wb'\nteam = 'b'\ngpu = 1\n";
    let alike = "`wb` comes first: teams `b` and `a` hold 1/2 over their weights alike, and `b` less of the next resource";
    assert_eq!(first(two, "drf", "wa"), alike);
}

/// Nobody is stopped without being named: whose turn is over stands with whoever has the room.
#[cfg(feature = "lp")]
#[test]
fn whose_turn_is_over_is_a_victim() {
    let text = "[[running]]\njob_id = 'r'\nteam = 'x'\npool = 'b'\npools = 'b'\ngpu = 3\nstart_s = 0\n\
                [[pending]]\njob_id = 'g'\nteam = 'y'\npools = 'b'\ngpu = 3\nsubmit_s = 50\n";
    let ran = decide_with(text, "", &["--policy", "gavel"]);
    let decided: Value = serde_json::from_str(&ran.stdout).unwrap();
    let decisions = decided["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 1, "{decided:#}");
    assert_eq!((&decisions[0]["job"], &decisions[0]["action"]), (&json!("g"), &json!("evict-for")));
    assert_eq!(decisions[0]["victims"], json!([{ "job": "r", "reason": "round" }]));
}

#[test]
fn a_part_of_no_job_is_told_where_it_is_said() {
    let part = "[[running]]\njob_id = 'r'\npart_of = 'nope'\nteam = 'x'\npool = 'b'\ngpu = 1\nstart_s = 0\n";
    let ran = decide_with(part, "", &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("job `r` is part of no running job: `nope`"), "{}", ran.stderr);
    assert!(ran.stderr.contains(" part_of = 'nope'\n") && ran.stderr.contains("^^^^^^"), "{}", ran.stderr);
}

/// Room that a reservation keeps is no room, and a bound that protects who runs is named.
#[test]
fn a_job_is_told_of_what_is_kept_for_another() {
    let running = |job: &str, gpus: u32, node: u32, limit: u32| {
        format!(
            "[[running]]\njob_id = '{job}'\nteam = 'research'\ngpu = {gpus}\npool = 'a'\nnodes = [{node}]\n\
             start_s = 0\nsubmit_s = 0\ntime_limit_s = {limit}\n"
        )
    };
    let text = format!(
        "[policy]\norder = 'drf'\nbackfill = 'easy'\npreemption = 'reclaim'\n\
         eviction = {{ minimum_run = '10m' }}\n\
         [[pool]]\nname = 'a'\nnodes = 3\nnode = {{ gpu = 4, cpu = 64 }}\n\
         [[team]]\nname = 'research'\n[[team]]\nname = 'vision'\n[[team]]\nname = 'speech'\n{}{}{}\
         [[pending]]\njob_id = 'gang'\nteam = 'vision'\ngpu = 4\nworkers = 2\nsubmit_s = 50\ntime_limit_s = 600\n\
         [[pending]]\njob_id = 'wide'\nteam = 'speech'\ngpu = 3\nsubmit_s = 60\ntime_limit_s = 90000\n",
        running("r1", 4, 0, 1_000),
        running("r2", 2, 1, 1_000),
        running("r3", 2, 2, 90_000),
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kept.toml"), text).unwrap();
    let ran = sim(folder.path(), &["decide", "kept.toml", "-q", "-o", "json"]);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!(actions(&value), [("gang", "wait"), ("wide", "wait")]);
    let why = value["decisions"][1]["why"].as_str().unwrap();
    let bound = "pool `a`: whom it could stop has run for too short a time, until 600 s; ";
    assert!(why.contains(bound), "{why}");
    let helps = "it could start with pool `a`: 1 gpu more free on node 1, job `gang` out of its way, or pool `a`: 1 gpu more \
        free on node 2, beside what is kept for job `gang`";
    assert!(why.ends_with(helps), "{why}");
}

/// What would help is tried with everybody who waits: it is told of the first hundred, and of whom is asked about.
#[test]
fn what_would_help_is_told_of_the_first_and_of_whom_is_added() {
    let waits = |name: &str| {
        format!("[[pending]]\njob_id = '{name}'\nteam = 'x'\npools = 'b'\ngpu = 4\nsubmit_s = 50\n")
    };
    let taken = "[[running]]\njob_id = 'r'\nteam = 'x'\npool = 'b'\ngpu = 4\nstart_s = 0\n";
    let text: String = (0..101).map(|number| waits(&format!("w{number:03}"))).collect();
    let added = waits("added").replace("submit_s = 50", "submit_s = 60");
    let ran = decide_with(&format!("{taken}{text}"), &added, &["--add", "job.toml"]);
    let decided: Value = serde_json::from_str(&ran.stdout).unwrap();
    let helped = |decision: &&Value| decision["why"].as_str().unwrap().contains("it could start with ");
    let decisions = decided["decisions"].as_array().unwrap();
    let names: Vec<&str> =
        decisions.iter().filter(|decision| !helped(decision)).map(|d| d["job"].as_str().unwrap()).collect();
    assert_eq!((decisions.len(), names), (102, vec!["w100"]));
    let warnings = decided["warnings"].to_string();
    assert!(warnings.contains("102 jobs wait: what would help is said of the first 100"), "{warnings}");
}
