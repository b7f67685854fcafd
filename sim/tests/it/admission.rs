//! Admission and routing by the rules of a scenario: who is let in, why not, and where jobs go.

use std::fs;

use fairshare_sim::metrics::groups::Group;
use fairshare_sim::metrics::population::Trim;
use fairshare_sim::{Fate, RunInfo, Summary};

use crate::cli::{JOBS, refused, set_up};
use crate::support::{Finished, sim, simulate};

const TWO_CLOUDS: &str = "
[[pool]]
name = 'nebius-h200'
accelerator = 'H200'
cloud = 'nebius'
nodes = 2
node = { gpu = 8 }

[[pool]]
name = 'gcp-l4'
accelerator = 'L4'
cloud = 'gcp'
nodes = 2
node = { gpu = 4, cpu = 8 }

[[pool]]
name = 'gcp-cpu'
cloud = 'gcp'
nodes = 1
node = { cpu = 8 }

[[priority]]
classes = 'four'
";
const HEADER: &str = "job_id,submit_s,run_s,team,gpu,cpu,accelerators,pools,priority,cost_owner,dev\n";

fn run(rules: &str, rows: &str) -> Finished {
    simulate(&format!("{TWO_CLOUDS}{rules}"), &format!("{HEADER}{rows}"))
}

/// The pool of each job by name, or why jobs like it were rejected.
fn went(finished: &Finished) -> Vec<String> {
    let outcomes = finished.record.outcomes.iter();
    let record = &finished.record;
    let pool = |outcome| finished.setup.config.pools[record.place(outcome).pool as usize].name.clone();
    outcomes
        .map(|outcome| if outcome.fate == Fate::Rejected { "-".to_owned() } else { pool(outcome) })
        .collect()
}

fn reasons(finished: &Finished) -> Vec<(&str, u64)> {
    finished.record.rejected.iter().map(|(reason, jobs)| (reason.as_str(), jobs.count)).collect()
}

#[test]
fn a_job_without_a_cost_owner_is_rejected_where_one_is_required() {
    let rows = "1,0,10,a,1,,,,,ledger-7,\n2,0,10,a,1,,,,,,\n3,0,10,a,1,,,,,a,\n";
    let required = run("[admission]\ncost_owner = 'required'\n", rows);
    assert_eq!(reasons(&required), [("a cost owner is required, and the job names none", 1)]);
    let summary = required.summary();
    assert_eq!((summary.jobs.submitted, summary.jobs.rejected, summary.jobs.completed), (3, 1, 2));
    let warning = "1 job rejected: a cost owner is required, and the job names none (first: job `2`)";
    assert!(summary.warnings.iter().any(|known| known == warning), "{:?}", summary.warnings);
    assert_eq!(reasons(&run("[admission]\ncost_owner = 'team'\n", rows)), []);
}

#[test]
fn classes_have_a_most_and_may_be_forbidden() {
    let rules = "[admission]\nclasses = ['interactive', 'lowest']\nmax_gpus = { interactive = 2 }\n";
    let rows = "1,0,10,a,2,,,,interactive,,\n2,0,10,a,3,,,,interactive,,\n3,0,10,a,8,,,,lowest,,\n\
                4,0,10,a,1,,,,emergency,,\n5,0,10,a,4,,,,,,\n";
    let finished = run(rules, rows);
    assert_eq!(
        reasons(&finished),
        [
            ("a job of class `interactive` may ask at most 2 GPUs", 1),
            ("class `emergency` is not among those allowed", 1)
        ]
    );
}

#[test]
fn replays_under_kueue_reject_by_the_same_rules_and_reasons() {
    let rules =
        "[admission]\ncost_owner = 'required'\nclasses = ['interactive']\nmax_gpus = { interactive = 2 }\n";
    let rows = "1,0,10,a,1,,,,interactive,,\n2,0,10,a,3,,,,interactive,x,\n3,0,10,a,1,,,,lowest,x,\n\
                4,0,10,a,1,,,elsewhere,interactive,x,\n5,0,10,a,1,,,,interactive,x,\n";
    let expected = [
        ("a cost owner is required, and the job names none", 1),
        ("a job of class `interactive` may ask at most 2 GPUs", 1),
        ("class `lowest` is not among those allowed", 1),
        ("no pool is of the type, or in the list, that the job asks for", 1),
    ];
    for order in ["drf", "kueue"] {
        let finished = run(&format!("{rules}[policy]\norder = '{order}'\n"), rows);
        assert_eq!(reasons(&finished), expected, "{order}");
        assert_eq!(went(&finished), ["-", "-", "-", "-", "nebius-h200"], "{order}");
    }
}

#[test]
fn an_alternative_beyond_the_most_of_its_class_is_left_out() {
    let rules = "[admission]\nmax_gpus = { lowest = 8 }\n";
    let rows = "1,0,10,a,,,H200*2x8:1|L4*2x4:0.5,,lowest,,\n";
    assert_eq!(went(&run(rules, rows)), ["gcp-l4"]);
    assert_eq!(went(&run("", rows)), ["nebius-h200"]);
}

/// One GPU of sixteen: what the first alternative would have asked is in no figure where a rule leaves it out.
#[test]
fn a_team_is_entitled_to_what_is_left_of_its_jobs() {
    let scenario = "[[pool]]\nname = 'p'\naccelerator = 'A'\nnodes = 1\nnode = { gpu = 8 }\n[[pool]]\nname = 'q'\n\
                    accelerator = 'B'\nnodes = 1\nnode = { gpu = 8 }\n[[priority]]\nname = 'lo'\nvalue = 0\n\
                    [admission]\nmax_gpus = { lo = 2 }\n";
    let jobs = "job_id,submit_s,run_s,team,accelerators,priority\n1,0,100,a,A*1x8:1|B*1x1:1,lo\n2,0,100,b,B*1x1,lo\n";
    let summary = simulate(scenario, jobs).summary();
    let entitled: Vec<Option<f64>> = summary.teams.iter().map(|team| team.entitlement_mean).collect();
    assert_eq!(entitled, [Some(0.0625), Some(0.0625)]);
    assert_eq!(summary.fairness.unwrap().share_deviation, Some(0.0));
}

#[test]
fn a_development_job_is_interactive_and_has_one_gpu() {
    let rules = "[admission]\ndev = { class = 'interactive' }\n[policy]\norder = 'drf'\n";
    // All GPUs of a type are taken until 10; then the development job comes first, though it came last.
    let rows = "1,0,10,a,8,,H200*2x8,,,,\n2,1,10,a,8,,H200*2x8,,,,\n3,2,5,a,1,,H200,,,,true\n4,2,5,a,2,,H200,,,,true\n";
    let finished = run(rules, rows);
    assert_eq!(reasons(&finished), [("a development job may ask at most 1 GPU", 1)]);
    let starts: Vec<i64> = finished.times().iter().take(3).map(|(_, start, _)| *start).collect();
    assert_eq!(starts, [0, 15, 10]);
    // Without the rule it waits for the jobs that came before.
    let starts: Vec<i64> = run("", rows).times().iter().take(3).map(|(_, start, _)| *start).collect();
    assert_eq!(starts, [0, 10, 20]);
}

/// One names another class than it is served in, and one names none; the class is one that the trace need not know.
#[test]
fn development_jobs_belong_to_the_class_in_which_they_are_served() {
    let priced = TWO_CLOUDS.replace("nodes = ", "price = { node_hour = 3600 }\nnodes = ");
    let rules = "[admission]\ndev = { class = 'interactive' }\n";
    let rows = "1,0,10,a,1,,H200,,lowest,,\n2,0,20,a,1,,H200,,lowest,,true\n3,0,40,a,1,,H200,,,,true\n";
    let folder = set_up(&format!("{priced}{rules}"), format!("{HEADER}{rows}").as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let of_classes = |list: &serde_json::Value, pointer: &str| -> Vec<(String, f64)> {
        let one = |class: &serde_json::Value| {
            (class["name"].as_str().unwrap().to_owned(), class.pointer(pointer).unwrap().as_f64().unwrap())
        };
        list.as_array().unwrap().iter().map(one).collect()
    };
    let named = |interactive: f64, lowest: f64| {
        vec![("interactive".to_owned(), interactive), ("lowest".to_owned(), lowest)]
    };
    assert_eq!(of_classes(&summary["groups"]["class"], "/response_s/mean"), named(30.0, 10.0));
    // A GPU costs 450 dollars an hour.
    assert_eq!(of_classes(&summary["cost_by_class"], "/usd"), named(7.5, 1.25));
    let column = |text: &str, name: &str| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let at = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
        reader.records().map(|row| row.unwrap()[at].to_owned()).collect()
    };
    assert_eq!(column(&read("jobs.csv"), "priority"), ["lowest", "interactive", "interactive"]);
    let mut classes = column(&read("cost.csv"), "x_Class");
    classes.retain(|class| !class.is_empty());
    assert_eq!(classes, ["interactive", "lowest"]);
    // The same where jobs are not kept.
    let parts = ["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--quantiles", "sketch", "-o", "json"];
    let parts: serde_json::Value = serde_json::from_str(&sim(folder.path(), &parts).stdout).unwrap();
    assert_eq!(of_classes(&parts["cost_by_class"], "/usd"), named(7.5, 1.25));
}

/// The first job has room at once, the last after nine seconds; the two others are rejected for what they ask and name.
#[test]
fn first_decisions_of_groups_are_rejections_too() {
    let rules = "[admission]\nclasses = ['interactive', 'lowest']\nmax_gpus = { interactive = 2 }\n";
    let rows = "1,0,10,a,2,,H200,,interactive,,\n2,0,10,a,3,,H200,,interactive,,\n3,0,10,a,1,,H200,,emergency,,\n\
                4,1,10,a,,,H200*2x8,,lowest,,\n";
    let finished = run(rules, rows);
    let summary = finished.summary();
    let all = summary.first_decision_s.unwrap();
    assert_eq!((all.count, all.mean), (4, Some(2.25)));
    let groups = summary.groups.unwrap();
    let told = |groups: &[Group]| -> Vec<(String, u64, f64, u64)> {
        let one = |group: &Group| {
            let first = group.first_decision_s;
            (group.name.clone(), first.count, first.mean.unwrap(), group.wait_s.count)
        };
        groups.iter().map(one).collect()
    };
    let named = |name: &str, decided, mean, ended| (name.to_owned(), decided, mean, ended);
    let classes =
        [named("emergency", 1, 0.0, 0), named("interactive", 2, 0.0, 1), named("lowest", 1, 9.0, 1)];
    assert_eq!(told(&groups.class), classes);
    let sizes = [named("1", 1, 0.0, 0), named("2", 1, 0.0, 1), named("4", 1, 0.0, 0), named("16", 1, 9.0, 1)];
    assert_eq!(told(&groups.size), sizes);
    assert_eq!(told(&groups.pool), [named("nebius-h200", 2, 4.5, 2)]);
    // What is left out of the means of waits is decided about all the same.
    let info = RunInfo { trim: Trim::parse("50%"), ..RunInfo::default() };
    let Finished { scenario, setup, trace, record } = &finished;
    let trimmed = Summary::new(scenario, setup, trace, record, &info).groups.unwrap();
    assert_eq!(trimmed.pool[0].wait_s.count, 0);
    assert_eq!(trimmed.pool[0].first_decision_s, groups.pool[0].first_decision_s);
}

#[test]
fn a_third_cloud_changes_only_the_rules() {
    let rows = "1,0,10,a,1,,H200,,,,\n2,0,10,a,1,,L4,,,,\n3,0,10,a,,1,,,,,\n4,0,10,a,,1,,gcp-l4,,,\n";
    let rules = "
[[route]]
accelerator = 'H200'
clouds = ['nebius']
[[route]]
accelerator = 'none'
pools = ['gcp-cpu']
[[route]]
clouds = ['gcp']
";
    // The last job names its pool: rules are for jobs that do not.
    assert_eq!(went(&run(rules, rows)), ["nebius-h200", "gcp-l4", "gcp-cpu", "gcp-l4"]);
    let third = "
[[pool]]
name = 'aws-h200'
accelerator = 'H200'
cloud = 'aws'
nodes = 1
node = { gpu = 8, cpu = 64 }
";
    let moved =
        rules.replace("clouds = ['nebius']", "clouds = ['aws']").replace("['gcp-cpu']", "['aws-h200']");
    assert_eq!(went(&run(&format!("{third}{moved}"), rows)), ["aws-h200", "gcp-l4", "aws-h200", "gcp-l4"]);
    // A pool that no rule leads to stays empty.
    assert_eq!(went(&run(&format!("{third}{rules}"), rows)), ["nebius-h200", "gcp-l4", "gcp-cpu", "gcp-l4"]);
}

#[test]
fn every_fault_of_the_rules_is_shown_at_its_place() {
    let cases = [
        (
            "[admission]\ncost_owner = 'requird'\n",
            "\
error: unknown cost_owner `requird`
  --> scenario.toml:25:14
   |
25 | cost_owner = 'requird'
   |              ^^^^^^^^^ expected one of `required` or `team`
   |
   = hint: did you mean `required`?",
        ),
        (
            "[admission]\nmax_gpus = { interactve = 2 }\n",
            "\
error: unknown class `interactve`
  --> scenario.toml:25:14
   |
25 | max_gpus = { interactve = 2 }
   |              ^^^^^^^^^^ no `[[priority]]` has this name
   |
   = hint: did you mean `interactive`?",
        ),
        (
            "[[route]]\naccelerator = 'H200'\nclouds = ['gpc']\n",
            "\
error: unknown cloud `gpc`
  --> scenario.toml:26:11
   |
26 | clouds = ['gpc']
   |           ^^^^^ no `[[pool]]` is of this cloud
   |
   = hint: did you mean `gcp`?",
        ),
        (
            "[[route]]\naccelerator = 'H200'\npools = ['gcp-l4']\n",
            "\
error: jobs for `H200` cannot run there
  --> scenario.toml:26:10
   |
26 | pools = ['gcp-l4']
   |          ^^^^^^^^ no pool of `gcp-l4` has this accelerator",
        ),
        (
            "[[route]]\naccelerator = 'H200'\n",
            "\
error: a route leads nowhere
  --> scenario.toml:24:1
   |
24 | [[route]]
   | ^^^^^^^^^ expected `pools` or `clouds`",
        ),
    ];
    for (rules, expected) in cases {
        refused(&format!("{TWO_CLOUDS}{rules}"), JOBS.as_bytes(), &[], expected);
    }
}
