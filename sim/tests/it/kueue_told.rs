//! What is said beside the decisions on Kueue objects: warnings, notes, reasons, labels.

use serde_json::{Value, json};

use crate::support::{Ran, sim};

/// A queue of two CPUs and 4 GiB in a cohort, with its local queue of the same name in the namespace `ns`.
pub(crate) fn queue(name: &str, cohort: &str) -> String {
    format!(
        "---\napiVersion: kueue.x-k8s.io/v1beta1\nkind: ClusterQueue\nmetadata: {{name: {name}}}\nspec:\n  cohort: {cohort}\n  \
         resourceGroups:\n  - coveredResources: [cpu, memory]\n    flavors:\n    - name: default\n      resources:\n      \
         - {{name: cpu, nominalQuota: 2}}\n      - {{name: memory, nominalQuota: 4Gi}}\n---\napiVersion: \
         kueue.x-k8s.io/v1beta1\nkind: LocalQueue\nmetadata: {{namespace: ns, name: {name}}}\nspec: {{clusterQueue: {name}}}\n"
    )
}

/// A Workload of so many pods, each of one CPU and 1 GiB; with the queue that has admitted it, or none.
pub(crate) fn workload(name: &str, queue: &str, pods: u32, is_admitted: bool) -> String {
    let status = format!(
        "status:\n  conditions:\n  - {{type: QuotaReserved, status: \"True\", lastTransitionTime: \"2026-08-01T10:00:00Z\"}}\n  \
         admission:\n    clusterQueue: {queue}\n    podSetAssignments:\n    - {{name: main, count: {pods}, flavors: {{cpu: \
         default, memory: default}}, resourceUsage: {{cpu: {pods}, memory: {pods}Gi}}}}\n"
    );
    format!(
        "---\napiVersion: kueue.x-k8s.io/v1beta1\nkind: Workload\nmetadata: {{namespace: ns, name: {name}, creationTimestamp: \
         \"2026-08-01T09:00:00Z\"}}\nspec:\n  queueName: {queue}\n  podSets:\n  - name: main\n    count: {pods}\n    template: \
         {{spec: {{containers: [{{resources: {{requests: {{cpu: 1, memory: 1Gi}}}}}}]}}}}\n{}",
        if is_admitted { status.as_str() } else { "" }
    )
}

pub(crate) fn decide(text: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("objects.yaml"), text).unwrap();
    sim(folder.path(), &[&["decide", "objects.yaml"], arguments].concat())
}

pub(crate) fn decided(text: &str) -> Value {
    let ran = decide(text, &["-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn what_a_cohort_holds_beyond_its_means_is_a_warning() {
    let queues = queue("a", "all") + &queue("b", "all");
    let full = queues.clone() + &workload("wa", "a", 2, true) + &workload("wb", "b", 2, true);
    assert_eq!(decided(&full)["warnings"], json!([]));
    // Neither queue is beyond what it could use alone.
    let over = queues.clone() + &workload("wa", "a", 3, true) + &workload("wb", "b", 3, true);
    let cohort = "Cohort `all` holds 6 cpu of flavor `default`, and could never use more than 4";
    assert_eq!(decided(&over)["warnings"], json!([cohort]));
    assert_eq!(decide(&over, &[]).stderr, format!("warning: {cohort}\n"));
    // What one queue explains is told of that queue, and what it does not explain of the cohort too.
    let one = queues.clone() + &workload("wa", "a", 5, true);
    let of_queue = "ClusterQueue `a` holds more cpu of flavor `default` than it could ever use";
    assert_eq!(decided(&one)["warnings"], json!([of_queue]));
    let both = one + &workload("wb", "b", 1, true);
    assert_eq!(decided(&both)["warnings"], json!([of_queue, cohort]));
}

/// What a file calls things cannot steer the terminal, whoever tells of them.
#[test]
fn names_in_warnings_are_printable() {
    let steering = "\"all\\e[31mX\"";
    let over = queue("a", steering) + &workload("wa", "a", 3, true) + &queue("b", steering);
    let over = over.replace("nominalQuota: 2}", "nominalQuota: 1}") + &workload("wb", "b", 3, true);
    let over = over + "---\nkind: \"Pod\\e[31m\"\nmetadata: {name: x}\n";
    let ran = decide(&over, &[]);
    assert!(ran.stderr.contains("Cohort `all\\u{1b}[31mX` holds 6 cpu"), "{}", ran.stderr);
    assert!(ran.stderr.contains("kinds that are passed over: `Pod\\u{1b}[31m`"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    let folder = tempfile::tempdir().unwrap();
    let ended = "status:\n  conditions:\n  - {type: Finished, status: \"True\", reason: JobFinished, lastTransitionTime: \
                 \"2026-08-01T11:00:00Z\"}\n  - {type: Admitted, status: \"True\", lastTransitionTime: \
                 \"2026-08-01T10:00:00Z\"}\n";
    let old = workload("old", "a", 1, false).replace("name: old", "name: \"old\\e[31m\"") + ended;
    let none = old.replace("old", "none").replace("count: 1", "count: 0");
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 1 }\ndivisible = true\n[[team]]\n\
                    name = \"a\\u001b[31m\"\n[policy]\norder = 'kueue'\n";
    for (name, text) in [("objects.yaml", over + &old + &none), ("s.toml", scenario.to_owned())] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let imported = sim(folder.path(), &["kueue", "import", "objects.yaml", "--trace", "jobs.csv"]);
    let exported = sim(folder.path(), &["kueue", "export", "s.toml"]);
    let told = [
        (&imported, "Cohort `all\\u{1b}[31mX` holds 6 cpu"),
        (&imported, "`ns/none\\u{1b}[31m`\n"),
        (&exported, "no object of the name of team `a\\u{1b}[31m`\n"),
    ];
    for (ran, name) in told {
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    }
}

#[test]
fn a_cohort_that_may_borrow_little_is_told_and_those_above_it_only_of_more() {
    let parent = |name: &str, parent: &str, limit: &str| {
        format!(
            "---\napiVersion: kueue.x-k8s.io/v1beta1\nkind: Cohort\nmetadata: {{name: {name}}}\nspec:\n  parentName: {parent}\n  \
             resourceGroups:\n  - coveredResources: [cpu, memory]\n    flavors:\n    - name: default\n      resources:\n      \
             - {{name: cpu, nominalQuota: 0, borrowingLimit: {limit}}}\n      - {{name: memory, nominalQuota: 0}}\n"
        )
    };
    let tree = parent("left", "top", "1") + &parent("right", "top", "9");
    let queues = queue("a", "left") + &queue("b", "left") + &queue("c", "right");
    let held = workload("wa", "a", 3, true) + &workload("wb", "b", 3, true);
    // `left` may use its four and one more; `top` has six.
    let left = "Cohort `left` holds 6 cpu of flavor `default`, and could never use more than 5";
    assert_eq!(decided(&(tree.clone() + &queues + &held))["warnings"], json!([left]));
    let top = "Cohort `top` holds 8 cpu of flavor `default`, and could never use more than 6";
    let more = tree + &queues + &held + &workload("wc", "c", 2, true);
    assert_eq!(decided(&more)["warnings"], json!([left, top]));
}

#[test]
fn of_what_could_fit_later_nobody_says_that_it_never_could() {
    let text = queue("a", "all")
        + &queue("b", "all")
        + &workload("wa", "a", 3, true)
        + &workload("wb", "b", 2, false);
    let decision = &decided(&text)["decisions"][0];
    assert_eq!(decision["action"], "wait", "{decision}");
    let found = decide(&text.replace("cpu: 1, memory: 1Gi", "cpu: 1500m, memory: 1Gi"), &["-o", "json"]);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let why = "insufficient unused quota for cpu, memory in every flavor that pod set `main` may use";
    let expected =
        json!({"job": "wb", "action": "wait", "pool": null, "flavors": null, "victims": [], "why": why});
    assert_eq!(found["decisions"], json!([expected]));
}

/// Two pools of which one has a data set, a team with a budget, and bounds on evictions.
const SCENARIO: &str = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\ndivisible = true\n[[pool]]\nname = 'r'\nnodes = \
                        1\nnode = { gpu = 4 }\ndivisible = true\ndatasets = ['d']\n[[team]]\nname = 'a'\nquota = { p = { gpu \
                        = 4 } }\nbudget = { gpu_hours = 1, period = '1d' }\n[[team]]\nname = 'b'\n[policy]\norder = \
                        'drf'\nbackfill = 'best-effort'\n[policy.eviction]\nminimum_run = '10h'\n";
const JOBS: &str =
    "job_id,submit_s,run_s,team,gpu,datasets,preemptible\nj1,0,10,a,1,d,false\nj2,0,10,b,1,,true\n";

/// The policies of a comparison, and what is said of them.
fn compared(scenario: &str, jobs: &str, policies: &[&str]) -> (Vec<Value>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
    std::fs::write(folder.path().join("jobs.csv"), jobs).unwrap();
    let policies = policies.iter().flat_map(|policy| ["--policy", policy]);
    let arguments = ["compare", "scenario.toml", "--trace", "jobs.csv", "-o", "json"];
    let ran = sim(folder.path(), &arguments.into_iter().chain(policies).collect::<Vec<&str>>());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let labels = found["policies"].as_array().unwrap().iter().map(|run| run["policy"].clone()).collect();
    let warnings = ran.stderr.lines().filter_map(|line| line.strip_prefix("warning: "));
    (labels, warnings.map(str::to_owned).collect())
}

#[test]
fn the_label_of_kueue_tells_what_differs() {
    let policies = [
        "kueue",
        "kueue,preemption=none,backfill=best-effort",
        "kueue,preemption=reclaim",
        "kueue,backfill=none,preemption=priority",
        "kueue,strategies=[\"LessThanInitialShare\"]",
        "kueue,fair_sharing=false,preemption=reclaim",
        "kueue,fair_sharing=false,strategies=[\"LessThanInitialShare\"]",
    ];
    let (labels, _) = compared(SCENARIO, JOBS, &policies);
    let expected = [
        policies[0],
        policies[0],
        policies[2],
        policies[3],
        policies[4],
        policies[5],
        "kueue,fair_sharing=false",
    ];
    assert_eq!(labels, expected);
    // A label is a policy that can be given again.
    let labels: Vec<&str> = labels.iter().filter_map(Value::as_str).collect();
    assert_eq!(compared(SCENARIO, JOBS, &labels).0, labels);
}

#[test]
fn what_replays_under_kueue_do_not_follow_is_said_where_it_is_there() {
    let of_kueue = |scenario: &str, jobs: &str, policy: &str| -> Vec<String> {
        let (_, warnings) = compared(scenario, jobs, &["drf", policy]);
        // What is said of one of the policies begins with its label.
        let of_policy =
            warnings.iter().filter_map(|warning| warning.strip_prefix(policy)?.strip_prefix(": "));
        of_policy.filter(|warning| warning.starts_with("kueue ")).map(str::to_owned).collect()
    };
    let datasets = "kueue does not look at `datasets`: those of 1 jobs may be elsewhere";
    let preemptible =
        "kueue does not look at `preemptible`: 1 jobs that say `false` may be stopped all the same";
    let budget = "kueue knows no `budget`: that of 1 team may be overspent without end";
    let eviction = "kueue knows no bounds on evictions: `[policy.eviction]` is not followed";
    let all = [datasets, preemptible, budget, eviction];
    assert_eq!(of_kueue(SCENARIO, JOBS, "kueue,preemption=reclaim"), all);
    // Where nobody is stopped, nobody need be spared.
    assert_eq!(of_kueue(SCENARIO, JOBS, "kueue"), [datasets, budget, eviction]);
    assert_eq!(of_kueue(SCENARIO, JOBS, "fifo"), [""; 0]);
    // Who says that it never preempts stops nobody, and its own words stand over the policy's.
    let words = |within: &str| {
        let words =
            format!("kueue = {{ spec = {{ preemption = {{ withinClusterQueue = '{within}' }} }} }}\n");
        SCENARIO.replace("name = 'a'\n", &format!("name = 'a'\n{words}"))
    };
    assert_eq!(of_kueue(&words("Never"), JOBS, "kueue"), [datasets, budget, eviction]);
    assert_eq!(of_kueue(&words("LowerPriority"), JOBS, "kueue"), all);
    let several = "job_id,submit_s,run_s,team,gpu,accelerators\nj1,0,10,a,1,A:1|B:0.5\nj2,0,10,b,1,A\n";
    let typed = SCENARIO.replace("datasets = ['d']", "accelerator = 'A'");
    let alternatives = "kueue tries the first alternative alone: 1 job has others after it";
    assert_eq!(of_kueue(&typed, several, "kueue"), [budget, eviction, alternatives]);
    // Of two ways `[admission]` leaves one, which is followed.
    let most = several
        .replace("gpu,accelerators", "priority,gpu,accelerators")
        .replace("1,A:1|B:0.5", "lo,0,A*1x4:1|B*1x1:0.5");
    let most = most.replace("b,1,A", "b,,1,A");
    let rules = "[admission]\nmax_gpus = { lo = 2 }\n[[priority]]\nname = 'lo'\nvalue = 1\n";
    assert_eq!(of_kueue(&format!("{typed}{rules}"), &most, "kueue"), [budget, eviction]);
    let plain = SCENARIO.replace("budget = { gpu_hours = 1, period = '1d' }\n", "");
    let plain = plain.replace("[policy.eviction]\nminimum_run = '10h'\n", "");
    let jobs = "job_id,submit_s,run_s,team,gpu\nj1,0,10,a,1\nj2,0,10,b,1\n";
    assert_eq!(of_kueue(&plain, jobs, "kueue,preemption=reclaim"), [""; 0]);
}

#[test]
fn what_kueue_looks_at_and_this_does_not_is_told_once() {
    let text = queue("a", "all") + &workload("wa", "a", 1, false) + &workload("wb", "a", 1, false);
    let flavor = "---\napiVersion: kueue.x-k8s.io/v1beta1\nkind: ResourceFlavor\nmetadata: {name: default}\nspec:\n  nodeTaints: \
                  [{key: gpu, effect: NoSchedule}]\n  tolerations: [{key: gpu}]\n  topologyName: racks\n";
    let heeded = text
        .replace("  resourceGroups:", "  namespaceSelector: {}\n  admissionChecks: []\n  resourceGroups:")
        + &flavor.replace("nodeTaints: [{key: gpu, effect: NoSchedule}]", "nodeTaints: []");
    let some = "fields at which Kueue looks and this does not: `ResourceFlavor spec.tolerations`, `ResourceFlavor \
                spec.topologyName`";
    assert_eq!(decided(&heeded)["warnings"], json!([some]));
    let unheeded = text
        .replace(
            "  resourceGroups:",
            "  namespaceSelector: {matchLabels: {team: x}}\n  admissionChecks: [provision]\n  resourceGroups:",
        )
        .replace("    count: 1\n", "    count: 1\n    topologyRequest: {required: rack}\n")
        .replace("{spec: {containers", "{spec: {tolerations: [{key: gpu}], containers")
        + flavor;
    let all = "fields at which Kueue looks and this does not: `ClusterQueue spec.admissionChecks`, `ClusterQueue \
               spec.namespaceSelector`, `ResourceFlavor spec.nodeTaints`, `ResourceFlavor spec.tolerations`, \
               `ResourceFlavor spec.topologyName`, `Workload spec.podSets.template.spec.tolerations`, `Workload \
               spec.podSets.topologyRequest`";
    assert_eq!(decided(&unheeded)["warnings"], json!([all]));
}

#[test]
fn a_key_that_looks_like_a_place_is_told_as_it_stands() {
    let odd = queue("a", "all").replacen("  cohort", "  \"foo[x]bar\": 1\n  cohort", 1);
    let note = "fields that are not known are ignored: `ClusterQueue spec.foo[x]bar`";
    assert_eq!(decided(&odd)["warnings"], json!([note]));
    let deep = queue("a", "all").replacen("nominalQuota: 2}", "nominalQuota: 2, colour: red}", 1);
    let note =
        "fields that are not known are ignored: `ClusterQueue spec.resourceGroups.flavors.resources.colour`";
    assert_eq!(decided(&deep)["warnings"], json!([note]));
}

#[test]
fn objects_of_other_groups_and_versions_are_passed_over_and_listed_once() {
    let text = queue("a", "all") + &workload("wa", "a", 1, false);
    let others = queue("b", "all").replace("kueue.x-k8s.io/v1beta1", "example.com/v1")
        + &queue("c", "all").replace("kueue.x-k8s.io/v1beta1", "kueue.x-k8s.io/v9")
        + &queue("d", "all").replace("kueue.x-k8s.io/v1beta1", "kueue.x-k8s.io/v9")
        + "---\napiVersion: pkg.crossplane.io/v1\nkind: Configuration\nmetadata: {name: x}\nfairSharing: {}\n";
    let found = decided(&(text.clone() + &others));
    let listed = "kinds that are passed over: `ClusterQueue of example.com/v1`, `ClusterQueue of kueue.x-k8s.io/v9`, \
                  `Configuration of pkg.crossplane.io/v1`, `LocalQueue of example.com/v1`, `LocalQueue of kueue.x-k8s.io/v9`";
    assert_eq!(found["warnings"], json!([listed]));
    let names: Vec<&str> =
        found["shares"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["all", "a"]);
    // What names no version is Kueue's, as are the versions that there are.
    for version in ["apiVersion: kueue.x-k8s.io/v1beta2\n", ""] {
        let same = text.replace("apiVersion: kueue.x-k8s.io/v1beta1\n", version);
        assert_eq!(decided(&same)["warnings"], json!([]), "{version}");
    }
}

#[test]
fn limits_that_no_cluster_would_take_are_told() {
    let limit = |limit: &str| {
        queue("a", "all").replace("nominalQuota: 2}", &format!("nominalQuota: 2, {limit}}}"))
            + &queue("b", "all")
    };
    let field = "ClusterQueue `a`, field `spec.resourceGroups[0].flavors[0].resources[0]";
    let above = format!("{field}.lendingLimit`: above the nominal quota, all of which may be lent");
    assert_eq!(decided(&limit("lendingLimit: 3"))["warnings"], json!([above]));
    assert_eq!(decided(&limit("lendingLimit: 2, borrowingLimit: 9"))["warnings"], json!([]));
    let alone = limit("lendingLimit: 1, borrowingLimit: 9").replacen("  cohort: all\n", "", 1);
    let nothing = |key: &str| format!("{field}.{key}`: a limit of what is below no cohort means nothing");
    assert_eq!(decided(&alone)["warnings"], json!([nothing("borrowingLimit"), nothing("lendingLimit")]));
}

/// Accelerators of a task count the same however they are written: as a set too, whose keys hold the counts.
#[test]
fn a_task_asks_for_what_its_set_of_candidates_says() {
    let objects = queue("q", "all").replace("[cpu, memory]", "[cpu, memory, nvidia.com/gpu]").replace(
        "      - {name: cpu, nominalQuota: 2}\n",
        "      - {name: cpu, nominalQuota: 2}\n      - {name: nvidia.com/gpu, nominalQuota: 8}\n",
    );
    // A resource stands where the group names it.
    let objects = objects.replace("[cpu, memory, nvidia.com/gpu]", "[cpu, nvidia.com/gpu, memory]");
    let action = |accelerators: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("objects.yaml"), &objects).unwrap();
        let task = format!("name: x\nresources:\n  accelerators: {accelerators}\n");
        std::fs::write(folder.path().join("job.yaml"), task).unwrap();
        let arguments = ["decide", "objects.yaml", "--add", "job.yaml", "--queue", "ns/q", "-o", "json"];
        let ran = sim(folder.path(), &arguments);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        (ran.code, found["decisions"][0]["action"].as_str().unwrap_or(&ran.stderr).to_owned())
    };
    for count in [8, 9] {
        let expected = action(&format!("H200:{count}"));
        assert_eq!(expected.1 == "start", count == 8, "{expected:?}");
        for set in [
            format!("{{H200:{count}}}"),
            format!("{{H200:{count}, A100:{count}}}"),
            format!("{{H200: {count}}}"),
        ] {
            assert_eq!(action(&set), expected, "{set}");
        }
    }
    assert_eq!(action("{H200}").1, "start");
    for set in ["{H200:many}", "{H200:8:8}", "{'H200:8': 8}"] {
        let (code, said) = action(set);
        assert!(code == 2 && said.contains("expected accelerators like `H200:8`"), "{set}: {said}");
    }
}
