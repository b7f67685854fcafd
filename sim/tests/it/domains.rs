//! Fabric domains in a scenario: what may be said, and what a replay makes of it.

use fairshare_sim::Scenario;

use crate::cli::scenario_refused;
use crate::support::{Finished, simulate};

/// Four nodes of eight GPUs; what divides them, and the policy, are to be said.
fn run(domains: &str, policy: &str) -> Finished {
    let pool = format!("[[pool]]\nname = 'h200'\nnodes = 4\nnode = {{ gpu = 8 }}\n{domains}\n");
    // One job on each node; those of the first and of the third end first, that of the second last.
    let rows = "job_id,submit_s,run_s,team,gpu,workers\n1,0,10,a,8,1\n2,0,40,a,8,1\n3,0,20,a,8,1\n4,0,30,a,8,1\n\
                5,1,5,a,8,2\n";
    simulate(&format!("{pool}[policy]\norder = 'fifo'\n{policy}\n"), rows)
}

fn start_of_the_gang(domains: &str, policy: &str) -> i64 {
    run(domains, policy).times()[4].1
}

/// Two nodes are free at 20 s, the first and the third; a pair of neighbours at 30 s, the third and the fourth.
#[test]
fn a_gang_waits_for_a_whole_domain() {
    assert_eq!(start_of_the_gang("", ""), 20);
    assert_eq!(start_of_the_gang("domain_nodes = 2", ""), 30);
    assert_eq!(start_of_the_gang("domains = [2, 2]", ""), 30);
    assert_eq!(start_of_the_gang("domains = [3, 1]", ""), 20);
    assert_eq!(start_of_the_gang("domain_nodes = 3", ""), 20);
    assert_eq!(start_of_the_gang("domain_nodes = 4", ""), 20);
    assert_eq!(start_of_the_gang("domains = [1, 3]", ""), 30);
    assert_eq!(start_of_the_gang("domain_nodes = 2", "gangs = 'across-domains'"), 20);
    assert_eq!(start_of_the_gang("domain_nodes = 2", "gangs = 'one-domain'"), 30);
}

#[test]
fn a_gang_larger_than_every_domain_is_rejected_with_its_reason() {
    let finished = run("domain_nodes = 1", "");
    assert_eq!(finished.summary().jobs.rejected, 1);
    let (reason, rejected) = finished.record.rejected.iter().next().unwrap();
    assert_eq!(reason, "the gang is larger than any fabric domain of an eligible pool");
    assert_eq!(rejected.detail, ", 2 workers, 1 in a domain of `h200`");
    assert_eq!(rejected.first, "5");
}

#[test]
fn nodes_are_divided_as_the_scenario_says() {
    let domains = |text: &str| {
        let scenario = format!(
            "[[pool]]\nname = 'h200'\nnodes = 20\nnode = {{ gpu = 8 }}\nfabric = 'infiniband'\n{text}\n"
        );
        Scenario::parse("s.toml", &scenario, &[]).unwrap().pools[0].domains.clone()
    };
    assert_eq!(domains("domain_nodes = 8"), [8, 8, 4]);
    assert_eq!(domains("domain_nodes = 20"), [20]);
    assert_eq!(domains("domains = [8, 8, 4]"), [8, 8, 4]);
    assert!(domains("").is_empty());
}

#[test]
fn domains_that_are_not_the_nodes_are_refused() {
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomains = [1, 2]\n",
        "\
error: fabric domains do not add up to their pool
 --> scenario.toml:4:11
  |
4 | domains = [1, 2]
  |           ^^^^^^ these are 3 nodes, and the pool has 2",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomains = [1, 0]\n",
        "\
error: `domains` is not what it should be
 --> scenario.toml:4:15
  |
4 | domains = [1, 0]
  |               ^ expected a whole number from 1 to 2, found `0`",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomain_nodes = 3\n",
        "\
error: `domain_nodes` is not what it should be
 --> scenario.toml:4:16
  |
4 | domain_nodes = 3
  |                ^ expected a whole number from 1 to 2, found `3`",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomain_nodes = [1, 1]\n",
        "\
error: `domain_nodes` is not what it should be
 --> scenario.toml:4:16
  |
4 | domain_nodes = [1, 1]
  |                ^^^^^^ expected how many nodes are in a domain, such as `8`, found a list",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomains = 1\n",
        "\
error: `domains` is not what it should be
 --> scenario.toml:4:11
  |
4 | domains = 1
  |           ^ expected a list of numbers of nodes, such as `[8, 8, 4]`, found `1`",
    );
}

#[test]
fn domains_that_are_said_twice_or_without_nodes_are_refused() {
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomain_nodes = 1\ndomains = [1, 1]\n",
        "\
error: fabric domains are said twice
 --> scenario.toml:4:16
  |
4 | domain_nodes = 1
  |                ^ `domains` says it already
  |
  = hint: keep one of them: `domain_nodes = 8` is short for eight nodes in every domain",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndivisible = true\ndomain_nodes = 1\n",
        "\
error: a divisible pool has no fabric domains
 --> scenario.toml:5:16
  |
5 | domain_nodes = 1
  |                ^ the pool is one amount, without nodes
  |
  = hint: remove `domain_nodes`, or `divisible`",
    );
    scenario_refused(
        "nodes = 2\n",
        "nodes = 2\ndomain_node = 1\n",
        "\
error: unknown key `domain_node` in a pool
 --> scenario.toml:4:1
  |
4 | domain_node = 1
  | ^^^^^^^^^^^ expected one of `name`, `accelerator`, `cloud`, `region`, `nodes`, `node`, `divisible`, `price`, `fabric`, `domains`, `domain_nodes`, `datasets`, `link_gbps` or `speed`
  |
  = hint: did you mean `domain_nodes`?",
    );
    scenario_refused(
        "[[team]]\n",
        "[policy]\ngangs = \"one-domian\"\n\n[[team]]\n",
        "\
error: unknown gangs `one-domian`
 --> scenario.toml:7:9
  |
7 | gangs = \"one-domian\"
  |         ^^^^^^^^^^^^ expected one of `one-domain` or `across-domains`
  |
  = hint: did you mean `one-domain`?",
    );
}
