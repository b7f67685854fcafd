//! `sim shares`: published and derived optima as whole outputs, and what is refused.

use crate::support::{Ran, sim};
use crate::trace::{folder, write};

/// Nodes without boundaries, and teams of these weights and requests.
fn scenario(pools: &[(&str, &str)], teams: &[(&str, u32, &str)]) -> String {
    let pool = |(name, node): &(&str, &str)| {
        format!("[[pool]]\nname = \"{name}\"\nnodes = 1\nnode = {{ {node} }}\ndivisible = true\n\n")
    };
    let team = |(name, weight, request): &(&str, u32, &str)| {
        format!("[[team]]\nname = \"{name}\"\nweight = {weight}\nrequest = {{ {request} }}\n\n")
    };
    pools.iter().map(pool).chain(teams.iter().map(team)).collect()
}

fn shares(scenario: &str, more: &[&str]) -> Ran {
    let folder = folder();
    write(&folder, "scenario.toml", scenario.as_bytes());
    let mut arguments = vec!["shares", "scenario.toml"];
    arguments.extend(more);
    sim(folder.path(), &arguments)
}

fn printed(scenario: &str, more: &[&str], expected: &str) {
    let ran = shares(scenario, more);
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

/// Nine CPUs and eighteen GiB in one pool, as in section 4.1 of Ghodsi et al., NSDI 2011.
fn paper(weight: u32) -> String {
    let teams = [
        ("A", weight, "per_task = { cpu = 1, memory = \"4GiB\" }"),
        ("B", 1, "per_task = { cpu = 3, memory = \"1GiB\" }"),
    ];
    scenario(&[("p", "cpu = 9, memory = \"18GiB\"")], &teams)
}

#[test]
fn the_divisible_optimum_of_the_paper_is_exact() {
    printed(
        &paper(1),
        &["-o", "json"],
        "\
{
  \"schema\": \"sim.shares/1\",
  \"optimum\": \"fluid\",
  \"teams\": [
    {
      \"name\": \"A\",
      \"weight\": 1.0,
      \"share\": {
        \"exact\": \"2/3\",
        \"decimal\": 0.6666666666666666
      },
      \"entitlement\": {
        \"p\": {
          \"cpu\": {
            \"exact\": \"3\",
            \"decimal\": 3.0
          },
          \"memory\": {
            \"exact\": \"12\",
            \"decimal\": 12.0
          }
        }
      },
      \"tasks\": {
        \"exact\": \"3\",
        \"decimal\": 3.0
      }
    },
    {
      \"name\": \"B\",
      \"weight\": 1.0,
      \"share\": {
        \"exact\": \"2/3\",
        \"decimal\": 0.6666666666666666
      },
      \"entitlement\": {
        \"p\": {
          \"cpu\": {
            \"exact\": \"6\",
            \"decimal\": 6.0
          },
          \"memory\": {
            \"exact\": \"2\",
            \"decimal\": 2.0
          }
        }
      },
      \"tasks\": {
        \"exact\": \"2\",
        \"decimal\": 2.0
      }
    }
  ],
  \"warnings\": []
}
",
    );
}

#[test]
fn a_weight_of_two_is_two_thirds() {
    printed(
        &paper(2),
        &["-o", "csv"],
        "\
path,value
optimum,fluid
schema,sim.shares/1
teams.A.entitlement.p.cpu.decimal,4.153846153846154
teams.A.entitlement.p.cpu.exact,54/13
teams.A.entitlement.p.memory.decimal,16.615384615384617
teams.A.entitlement.p.memory.exact,216/13
teams.A.name,A
teams.A.share.decimal,0.9230769230769231
teams.A.share.exact,12/13
teams.A.tasks.decimal,4.153846153846154
teams.A.tasks.exact,54/13
teams.A.weight,2.0
teams.B.entitlement.p.cpu.decimal,4.153846153846154
teams.B.entitlement.p.cpu.exact,54/13
teams.B.entitlement.p.memory.decimal,1.3846153846153846
teams.B.entitlement.p.memory.exact,18/13
teams.B.name,B
teams.B.share.decimal,0.46153846153846156
teams.B.share.exact,6/13
teams.B.tasks.decimal,1.3846153846153846
teams.B.tasks.exact,18/13
teams.B.weight,1.0
",
    );
}

/// The first resource runs out at half for A and B; C, which does not ask for it, goes on to three quarters.
#[test]
fn a_team_goes_on_where_it_does_not_ask_for_what_ran_out() {
    let teams = [
        ("A", 1, "per_task = { cpu = 1, gpu = 0 }"),
        ("B", 1, "per_task = { cpu = 2, gpu = 1 }"),
        ("C", 1, "per_task = { gpu = 1 }"),
    ];
    let scenario = scenario(&[("p", "cpu = 10, gpu = 10")], &teams);
    printed(
        &scenario,
        &["-o", "csv"],
        "\
path,value
optimum,fluid
schema,sim.shares/1
teams.A.entitlement.p.cpu.decimal,5.0
teams.A.entitlement.p.cpu.exact,5
teams.A.entitlement.p.gpu.decimal,0.0
teams.A.entitlement.p.gpu.exact,0
teams.A.name,A
teams.A.share.decimal,0.5
teams.A.share.exact,1/2
teams.A.tasks.decimal,5.0
teams.A.tasks.exact,5
teams.A.weight,1.0
teams.B.entitlement.p.cpu.decimal,5.0
teams.B.entitlement.p.cpu.exact,5
teams.B.entitlement.p.gpu.decimal,2.5
teams.B.entitlement.p.gpu.exact,5/2
teams.B.name,B
teams.B.share.decimal,0.5
teams.B.share.exact,1/2
teams.B.tasks.decimal,2.5
teams.B.tasks.exact,5/2
teams.B.weight,1.0
teams.C.entitlement.p.cpu.decimal,0.0
teams.C.entitlement.p.cpu.exact,0
teams.C.entitlement.p.gpu.decimal,7.5
teams.C.entitlement.p.gpu.exact,15/2
teams.C.name,C
teams.C.share.decimal,0.75
teams.C.share.exact,3/4
teams.C.tasks.decimal,7.5
teams.C.tasks.exact,15/2
teams.C.weight,1.0
",
    );
    printed(
        &scenario,
        &[],
        "\
optimum   all pools as one domain: an upper bound, spread over the team's pools

team     weight    share       tasks  entitlement
A             1    50.0%           5  p: cpu 5
B             1    50.0%         2.5  p: cpu 5, gpu 2.5
C             1    75.0%         7.5  p: gpu 7.5
",
    );
}

/// Choosy's definition (Ghodsi et al., `EuroSys` 2013) for eight H200 and four L4: four GPUs each.
#[test]
fn pools_are_divided_among_the_teams_that_may_use_them() {
    let teams = [
        ("A", 1, "per_task = { gpu = 1 }, pools = [\"H200\"]"),
        ("B", 1, "per_task = { gpu = 1 }, pools = [\"H200\", \"L4\"]"),
        ("C", 1, "per_task = { gpu = 1 }, pools = [\"L4\"]"),
    ];
    let scenario = scenario(&[("H200", "gpu = 8"), ("L4", "gpu = 4")], &teams);
    printed(
        &scenario,
        &["--pools", "-o", "csv"],
        "\
path,value
optimum,pools
schema,sim.shares/1
teams.A.entitlement.H200.gpu.decimal,4.0
teams.A.entitlement.H200.gpu.exact,4
teams.A.entitlement.L4.gpu.decimal,0.0
teams.A.entitlement.L4.gpu.exact,0
teams.A.name,A
teams.A.share.decimal,0.3333333333333333
teams.A.share.exact,1/3
teams.A.tasks.decimal,4.0
teams.A.tasks.exact,4
teams.A.weight,1.0
teams.B.entitlement.H200.gpu.decimal,4.0
teams.B.entitlement.H200.gpu.exact,4
teams.B.entitlement.L4.gpu.decimal,0.0
teams.B.entitlement.L4.gpu.exact,0
teams.B.name,B
teams.B.share.decimal,0.3333333333333333
teams.B.share.exact,1/3
teams.B.tasks.decimal,4.0
teams.B.tasks.exact,4
teams.B.weight,1.0
teams.C.entitlement.H200.gpu.decimal,0.0
teams.C.entitlement.H200.gpu.exact,0
teams.C.entitlement.L4.gpu.decimal,4.0
teams.C.entitlement.L4.gpu.exact,4
teams.C.name,C
teams.C.share.decimal,0.3333333333333333
teams.C.share.exact,1/3
teams.C.tasks.decimal,4.0
teams.C.tasks.exact,4
teams.C.weight,1.0
",
    );
}

/// The commands of the help and of the example's head run, and fit a terminal.
#[test]
fn the_example_of_the_help_runs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = sim(&folder, &["shares", "traces/scenarios/shares.toml"]);
    let expected = "\
optimum   all pools as one domain: an upper bound, spread over the team's pools

team         weight    share       tasks  entitlement
foundation        2    63.7%       14.27  north-h200: cpu 1,370, gpu 114.13
ranking           1    31.8%      122.29  north-h200: cpu 391.31, gpu 40.76
                                          south-l4: cpu 586.97, gpu 81.52
search            1     4.5%          40  south-l4: cpu 160, gpu 40
";
    let crowd =
        "warning: teams that may use few pools are entitled to more than there is: `gpu` of `north-h200`\n";
    assert_eq!(table, Ran { code: 0, stdout: expected.to_owned(), stderr: crowd.to_owned() });
    assert!(table.stdout.lines().all(|line| line.chars().count() <= 80), "{}", table.stdout);
    let pools = sim(&folder, &["shares", "traces/scenarios/shares.toml", "--pools", "-o", "json"]);
    let warning = "warning: `gpu` alone is divided; what tasks ask of `cpu` is not looked at\n";
    assert_eq!((pools.code, pools.stderr.as_str()), (0, warning));
    let help = sim(&folder, &["shares", "--help"]).stdout;
    assert!(help.contains("\n  sim shares traces/scenarios/shares.toml --pools -o json\n"), "{help}");
}

fn refused(scenario: &str, more: &[&str], message: &str) {
    let expected = Ran { code: 2, stdout: String::new(), stderr: message.to_owned() };
    assert_eq!(shares(scenario, more), expected);
}

#[test]
fn every_fault_of_a_request_is_shown_at_its_place() {
    refused(
        "\
[[pool]]
name = \"l4\"
nodes = 2
node = { gpu = 4 }

[[team]]
name = \"search\"
request = { per_tsk = { gpu = 1 } }

[[team]]
name = \"ads\"
request = { per_task = { gpuu = 1 }, tasks = -1, pools = [\"l5\"] }

[[team]]
name = \"vision\"
request = { per_task = { gpuu = 1 } }
",
        &[],
        "\
error: unknown key `per_tsk` in a request
 --> scenario.toml:8:13
  |
8 | request = { per_tsk = { gpu = 1 } }
  |             ^^^^^^^ expected one of `per_task`, `tasks`, `pools` or `speeds`
  |
  = hint: did you mean `per_task`?

error: `tasks` is not what it should be
  --> scenario.toml:12:46
   |
12 | request = { per_task = { gpuu = 1 }, tasks = -1, pools = [\"l5\"] }
   |                                              ^^ expected a whole number from 0 to 9223372036854775807, found `-1`

error: unknown pool `l5` in `pools`
  --> scenario.toml:12:59
   |
12 | request = { per_task = { gpuu = 1 }, tasks = -1, pools = [\"l5\"] }
   |                                                           ^^^^ the scenario has no pool of this name
   |
   = hint: did you mean `l4`?

error: no pool that the team may use has `gpuu`
  --> scenario.toml:16:26
   |
16 | request = { per_task = { gpuu = 1 } }
   |                          ^^^^ a task that asks for it could never run
   |
   = hint: did you mean `gpu`?
",
    );
    refused(
        "\
[[pool]]
name = \"l4\"
nodes = 2
node = { gpu = 4 }

[[team]]
name = \"search\"
request = { per_task = { gpu = 0 } }
",
        &[],
        "\
error: a task asks nothing
 --> scenario.toml:8:24
  |
8 | request = { per_task = { gpu = 0 } }
  |                        ^^^^^^^^^^^ expected an amount above zero, such as `{ gpu = 1 }`
",
    );
}

#[test]
fn what_an_optimum_needs_is_asked_for() {
    let silent = paper(1).lines().filter(|line| !line.contains("request")).collect::<Vec<_>>().join("\n");
    let hint = "hint: give teams a `request = { per_task = { gpu = 1 }, tasks = 10 }`";
    let message = format!("error: no team of scenario `scenario.toml` says what it asks\n{hint}\n");
    refused(&silent, &[], &message);
    let several = "error: `--pools` divides one resource, and tasks ask for `cpu`, `memory`\n\
        hint: leave one of them in the requests\n";
    refused(&paper(1), &["--pools"], several);
    let tree = "error: `--pools` divides among teams under the root, and `B` has a parent\n\
        hint: leave out `--pools`, or the parents\n";
    refused(&paper(1), &["--pools", "--set", "team.B.parent=A"], tree);
}

/// Sixteen GPUs: B has two tasks only, and the others share the rest; a limit of 3 or a quota of 8 for C moves them.
#[test]
fn quotas_tasks_and_limits_bound_the_shares() {
    let teams = [
        ("A", 1, "per_task = { gpu = 1 }"),
        ("B", 1, "per_task = { gpu = 1 }, tasks = 2"),
        ("C", 1, "per_task = { gpu = 1 }"),
    ];
    let scenario = scenario(&[("p", "gpu = 16")], &teams);
    let exact = |more: &[&str]| -> Vec<String> {
        let ran = shares(&scenario, more);
        let lines = ran.stdout.lines().filter_map(|line| line.split_once(".tasks.exact,"));
        lines.map(|(_, tasks)| tasks.to_owned()).collect()
    };
    for optimum in [&["-o", "csv"][..], &["-o", "csv", "--pools"]] {
        assert_eq!(exact(optimum), ["7", "2", "7"]);
        let with = |setting| [optimum, &["--set", setting]].concat();
        assert_eq!(exact(&with("team.C.limit.p.gpu=3")), ["11", "2", "3"]);
        assert_eq!(exact(&with("team.C.quota.p.gpu=8")), ["6", "2", "8"]);
    }
}

/// Four H200 and eight L4 for teams that gain four times, twice and 1.2 times from the faster ones.
/// A department that names no quota has the sum of those below it, and may borrow beyond that.
#[test]
fn what_a_department_may_borrow_comes_on_top_of_the_quotas_below_it() {
    let scenario = "[[pool]]\nname = \"p\"\nnodes = 2\nnode = { gpu = 8 }\n\n\
                    [[team]]\nname = \"d\"\nborrow = { p = { gpu = 4 } }\n\n\
                    [[team]]\nname = \"a\"\nparent = \"d\"\nquota = { p = { gpu = 8 } }\n\
                    request = { per_task = { gpu = 1 }, tasks = 16 }\n\n\
                    [[team]]\nname = \"e\"\nrequest = { per_task = { gpu = 1 }, tasks = 1 }\n";
    let ran = shares(scenario, &[]);
    let line = ran.stdout.lines().find(|line| line.trim_start().starts_with("a ")).unwrap_or_default();
    assert!(line.ends_with("p: gpu 12"), "{}{}", ran.stdout, ran.stderr);
}

fn at_speeds() -> String {
    let teams = [
        ("A", 1, "per_task = { gpu = 1 }, speeds = { h200 = 4 }"),
        ("B", 1, "per_task = { gpu = 1 }, speeds = { h200 = 2 }"),
        ("C", 1, "per_task = { gpu = 1 }, speeds = { h200 = 1.2 }"),
    ];
    scenario(&[("h200", "gpu = 4"), ("l4", "gpu = 8")], &teams)
}

#[cfg(feature = "lp")]
#[test]
fn speeds_decide_who_is_entitled_to_which_pool() {
    printed(
        &at_speeds(),
        &["--speeds"],
        "\
optimum   throughput of one resource over the pools that each team may use

team     weight    share       tasks  entitlement
A             1    39.2%        2.35  h200: gpu 2.35
B             1    39.2%        4.63  h200: gpu 1.65
                                      l4: gpu 2.98
C             1    39.2%        5.02  l4: gpu 5.02
",
    );
    let json = shares(&at_speeds(), &["--speeds", "-o", "json"]).stdout;
    assert!(!json.contains("exact"), "{json}");
}

#[cfg(not(feature = "lp"))]
#[test]
fn speeds_want_a_program_that_was_built_for_them() {
    let ran = shares(&at_speeds(), &["--speeds"]);
    let expected = "\
error: this program was built without linear programs
hint: build it with `cargo build --release --bin sim --features lp`
";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, expected));
}

#[test]
fn a_speed_names_a_pool_and_is_a_number() {
    let ran = shares(&at_speeds().replace("h200 = 4 }", "h20 = 4 }"), &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("unknown pool `h20` in `speeds`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `h200`?"), "{}", ran.stderr);
    let ran = shares(&at_speeds().replace("h200 = 4 }", "h200 = -4 }"), &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("expected a number from 0"), "{}", ran.stderr);
}
