//! Kueue's objects to a scenario and back: both ways the same is decided, and nothing is lost without a word.

use std::fmt::Write as _;

use fairshare_sim::decide::{Decided, of_scenario};
use fairshare_sim::kueue::{self, Objects, Options, Snapshot};
use fairshare_sim::{Record, Scenario};
use serde_json::{Value, json};

use crate::kueue::SMALL;
use crate::kueue_cases::{cases, write};
use crate::support::{sim, sim_fed};

fn of_objects(text: &str) -> Decided {
    let objects = Objects::parse("objects.yaml", text).unwrap();
    Snapshot::new(&objects, &Options::default()).unwrap().decide()
}

/// What was decided, without what was said about it.
fn plain(mut decided: Decided) -> Value {
    decided.warnings.clear();
    serde_json::to_value(decided).unwrap()
}

fn exported(scenario: &Scenario) -> String {
    kueue::yaml(&kueue::export(scenario).unwrap().objects)
}

/// The latest time of objects need not be that of the snapshot.
fn without_time(mut decided: Value) -> Value {
    decided["now_s"] = Value::Null;
    decided
}

fn there_and_back(name: &str, text: &str) -> Vec<String> {
    let expected = plain(of_objects(text));
    let imported = kueue::import_text(name, text, None).unwrap();
    let scenario = Scenario::parse(name, &imported.scenario, &[])
        .unwrap_or_else(|error| panic!("{name}: {}\n{}", error.render(), imported.scenario));
    assert_eq!(plain(of_scenario(&scenario).unwrap()), expected, "{name}: scenario\n{}", imported.scenario);
    let again = exported(&scenario);
    let found = without_time(plain(of_objects(&again)));
    assert_eq!(found, without_time(expected), "{name}: objects\n{again}");
    imported.notes
}

#[test]
fn kueues_own_cases_there_and_back() {
    let mut done = 0;
    for (at, (name, lines)) in cases().iter().enumerate() {
        let carried = lines.iter().any(|line| ["preempt", "starts", "head", "share"].contains(&line[0]));
        if !carried {
            continue;
        }
        let mut text = write(lines, if at % 2 == 0 { "v1beta1" } else { "v1beta2" });
        if let Some(fair) = lines.iter().find(|line| line[0] == "fair") {
            let strategies = if fair.len() > 1 { json!(fair[1..]) } else { Value::Null };
            let configuration = json!({
                "apiVersion": "config.kueue.x-k8s.io/v1beta1",
                "kind": "Configuration",
                "fairSharing": {"enable": true, "preemptionStrategies": strategies},
            });
            let _ = write!(text, "---\n{configuration}\n");
        }
        let notes = there_and_back(name, &text);
        let lost = notes.iter().find(|note| note.contains("does not say"));
        assert_eq!(lost, None, "{name}");
        done += 1;
    }
    assert_eq!(done, 62);
}

const APART: &str = "ClusterQueue `many`: jobs take resources of several flavors at once, which Kueue's rules alone can do; \
                     other policies find no pool for them";

#[test]
fn objects_of_every_kind_there_and_back() {
    let odd = SMALL.to_owned()
        + r#"- apiVersion: kueue.x-k8s.io/v1beta2
  kind: Cohort
  metadata: {name: all}
  spec:
    resourceGroups:
    - coveredResources: [cpu, nvidia.com/gpu]
      flavors:
      - {name: h200, resources: [{name: cpu, nominalQuota: 0}, {name: nvidia.com/gpu, nominalQuota: 3, lendingLimit: 1}]}
- {kind: Cohort, metadata: {name: search}, spec: {parentName: all, fairSharing: {weight: "0.25"}}}
- apiVersion: kueue.x-k8s.io/v1beta2
  kind: ClusterQueue
  metadata: {name: many}
  spec:
    cohortName: search
    fairSharing: {weight: 0}
    queueingStrategy: StrictFIFO
    stopPolicy: Hold
    flavorFungibility: {whenCanBorrow: TryNextFlavor}
    admissionScope: {admissionMode: UsageBasedAdmissionFairSharing}
    resourceGroups:
    - coveredResources: [cpu]
      flavors:
      - {name: spot, resources: [{name: cpu, nominalQuota: 1500m}]}
      - {name: on-demand, resources: [{name: cpu, nominalQuota: 2, borrowingLimit: 0}]}
    - coveredResources: [memory, example.com/fpga]
      flavors:
      - {name: big, resources: [{name: memory, nominalQuota: 100Gi}, {name: example.com/fpga, nominalQuota: 2}]}
- {kind: ResourceFlavor, metadata: {name: spot}, spec: {nodeLabels: {kind: spot}}}
- {kind: ResourceFlavor, metadata: {name: on-demand}, spec: {nodeLabels: {kind: on-demand}}}
- {kind: ResourceFlavor, metadata: {name: idle}}
- {kind: LocalQueue, metadata: {namespace: a, name: other}, spec: {clusterQueue: many, fairSharing: {weight: "2"}}}
- {kind: PriorityClass, metadata: {name: usual}, globalDefault: true, value: 7}
- kind: Workload
  metadata: {namespace: a, name: sets, uid: s, creationTimestamp: "2026-01-01T00:00:01.500Z"}
  spec:
    queueName: other
    priorityClassRef: {kind: PriorityClass, name: usual}
    podSets:
    - name: driver
      count: 1
      template: {spec: {nodeSelector: {kind: on-demand}, containers: [{resources: {requests: {cpu: 100m}}}]}}
    - name: worker
      count: 4
      minCount: 2
      template: {spec: {containers: [{resources: {requests: {cpu: 250m, memory: "1", example.com/fpga: 1}}}]}}
- kind: Workload
  metadata: {namespace: b, name: gone, creationTimestamp: "2026-01-01T00:00:02Z"}
  spec: {queueName: nowhere, podSets: [{count: 1, template: {spec: {containers: []}}}]}
- kind: Workload
  metadata: {namespace: b, name: leaving, creationTimestamp: "2026-01-01T00:00:02Z"}
  spec: {queueName: lq, podSets: [{count: 3, template: {spec: {containers: [{resources: {requests: {nvidia.com/gpu: 1}}}]}}}]}
  status:
    conditions:
    - {type: QuotaReserved, status: "True", lastTransitionTime: "2026-01-01T00:00:03Z"}
    - {type: Evicted, status: "True", reason: PodsReadyTimeout, lastTransitionTime: "2026-01-01T00:00:04Z"}
    reclaimablePods: [{name: main, count: 1}]
    admission:
      clusterQueue: ads
      podSetAssignments: [{name: main, count: 3, flavors: {nvidia.com/gpu: h200}, resourceUsage: {nvidia.com/gpu: 3}}]
- kind: Workload
  metadata: {namespace: b, name: later, creationTimestamp: "2026-01-01T00:00:02Z"}
  spec: {queueName: lq, active: true, podSets: [{count: 1, template: {spec: {containers: [{resources: {requests: {cpu: 1}}}]}}}]}
  status: {requeueState: {count: 1, requeueAt: "2030-01-01T00:00:00Z"}}
"#;
    let notes = there_and_back("odd", &odd);
    let renamed = "cohort `search` is team `search.cohort`: a ClusterQueue has its name, and teams have names of their own";
    let idle = "ResourceFlavor `idle` has no quota in any ClusterQueue or Cohort";
    let unnamed = "flavor `big` has quota and no ResourceFlavor among the objects";
    assert_eq!(notes, [idle, unnamed, renamed, APART]);
}

/// A scenario of our own: a tree, two pools, limits, classes, and jobs that may not go everywhere.
const OWN: &str = "
[[pool]]
name = 'h200'
accelerator = 'H200'
nodes = 4
node = { gpu = 8, cpu = 64, memory = '512GiB' }
divisible = true
[[pool]]
name = 'l4'
accelerator = 'L4'
nodes = 2
node = { gpu = 4, cpu = 16 }
divisible = true
[[team]]
name = 'ml'
quota = { h200 = { gpu = 20 } }
[[team]]
name = 'search'
parent = 'ml'
weight = 2
quota = { h200 = { gpu = 8 } }
borrow = { h200 = { gpu = 16 } }
[[team]]
name = 'ads'
parent = 'ml'
weight = 0.3
quota = { h200 = { gpu = 4, cpu = 7.5 } }
limit = { h200 = { gpu = 24 } }
lend = { h200 = { gpu = 1 } }
[[priority]]
name = 'urgent'
value = 100
[policy]
order = 'kueue'
preemption = 'reclaim'
[[running]]
job_id = 'r1'
team = 'ads'
pool = 'h200'
gpu = 8
workers = 2
start_s = 50
[[running]]
job_id = 'r2'
team = 'other'
pool = 'h200'
gpu = 14
submit_s = 10
[[pending]]
job_id = 'p1'
team = 'search'
gpu = 8
priority = 'urgent'
accelerators = 'H200'
submit_s = 60
[[pending]]
job_id = 'p2'
team = 'ads'
gpu = 4
memory_gib = 0.5
pools = 'h200|l4'
submit_s = 61
[[pending]]
job_id = 'p3'
team = 'ml'
cpu = 2.25
priority = -3
submit_s = 62
[[pending]]
job_id = 'p4'
team = 'other'
gpu = 9
accelerators = 'L4'
[[pending]]
job_id = 'p5'
team = 'third'
gpu = 1
accelerators = 'T4'
";

#[test]
fn a_scenario_there_and_back() {
    for policy in
        ["", "fair_sharing = false\n", "strategies = ['LessThanInitialShare']\n", "backfill = 'none'\n"]
    {
        let text = OWN.replace("order = 'kueue'\n", &format!("order = 'kueue'\n{policy}"));
        let scenario = Scenario::parse("own", &text, &[]).unwrap();
        let expected = plain(of_scenario(&scenario).unwrap());
        let objects = exported(&scenario);
        assert_eq!(plain(of_objects(&objects)), expected, "{policy}\n{objects}");
        let imported = kueue::import_text("own", &objects, None).unwrap();
        let again = Scenario::parse("again", &imported.scenario, &[]).unwrap();
        assert_eq!(plain(of_scenario(&again).unwrap()), expected, "{policy}\n{}", imported.scenario);
        let decisions: Vec<(&str, &str)> = expected["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["job"].as_str().unwrap(), it["action"].as_str().unwrap()))
            .collect();
        // The corners: one starts, one is too large for the flavors that it may use, one may use none.
        for action in [("p5", "reject"), ("p4", "reject"), ("p3", "start")] {
            assert!(decisions.contains(&action), "{policy} {decisions:?}");
        }
    }
}

#[test]
fn an_imported_tree_replays() {
    let imported = kueue::import_text("small", SMALL, None).unwrap();
    let jobs =
        "job_id,submit_s,run_s,team,gpu\na1,0,100,search,8\nb1,0,100,ads,4\nb2,1,100,ads,5\nc,2,1,all,1\n";
    let finished = crate::support::simulate(&imported.scenario, jobs);
    let mut times = finished.times();
    times.sort();
    // The second of `ads` borrows once `search` has ended: four more than its quota of four at most.
    let times: Vec<(&str, i64)> = times.iter().map(|(name, start, _)| (name.as_str(), *start)).collect();
    assert_eq!(times[..3], [("a1", 0), ("b1", 0), ("b2", 100)]);
    let record: &Record = &finished.record;
    assert_eq!(record.rejected.keys().next().unwrap(), "its team is a cohort, in which no job can wait");
}

#[test]
fn the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let finished = r#"- kind: Workload
  metadata: {namespace: b, name: old, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec:
    queueName: lq
    priorityClassName: urgent
    podSets: [{count: 2, template: {spec: {containers: [{resources: {requests: {nvidia.com/gpu: 1}}}]}}}]
  status:
    admission:
      clusterQueue: ads
      podSetAssignments: [{name: main, count: 2, flavors: {nvidia.com/gpu: h200}}]
    conditions:
    - {type: Admitted, status: "True", lastTransitionTime: "2026-01-01T00:00:10Z"}
    - {type: Finished, status: "True", reason: JobFinished, lastTransitionTime: "2026-01-01T00:01:10Z"}
- {kind: Pod, metadata: {name: one}}
"#;
    std::fs::write(folder.path().join("objects.yaml"), SMALL.to_owned() + finished).unwrap();
    let ran =
        sim(folder.path(), &["kueue", "import", "objects.yaml", "--trace", "jobs.csv", "--out", "s.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert_eq!(ran.stderr, "note: kinds that are passed over: `Pod`\n");
    let jobs = std::fs::read_to_string(folder.path().join("jobs.csv")).unwrap();
    assert_eq!(jobs.lines().count(), 2, "{jobs}");
    assert!(jobs.contains("b/old"), "{jobs}");
    let ran = sim(folder.path(), &["run", "s.toml", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["jobs"]["completed"], 1);
    let unsaid = sim(folder.path(), &["kueue", "import", "objects.yaml"]);
    assert!(
        unsaid
            .stderr
            .ends_with("note: Workloads that have finished: 1; `--trace FILE` writes them as a trace\n")
    );
    let objects = sim_fed(folder.path(), &["kueue", "export", "-"], unsaid.stdout.as_bytes());
    assert_eq!((objects.code, objects.stderr.as_str()), (0, ""), "{}", objects.stderr);
    let decided = |text: &str, arguments: &[&str]| {
        sim_fed(folder.path(), &[&["decide", "-", "-o", "json"], arguments].concat(), text.as_bytes())
    };
    let original = decided(SMALL, &[]);
    assert_eq!(original.code, 0, "{}", original.stderr);
    let now = ["--now", "2026-01-01T00:03:00Z"];
    assert_eq!(decided(&objects.stdout, &now).stdout, original.stdout);
}

#[test]
fn what_cannot_be_said_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        OWN.replace("divisible = true\n", "price = { gpu_hour = 1 }\n").replace("order = 'kueue'\n", "");
    let text = text.replace("gpu = 14\n", "gpu = 0.5\nuser = 'me'\n").replace("'p5'", "'P_5'");
    std::fs::write(folder.path().join("s.toml"), text).unwrap();
    let ran = sim(folder.path(), &["kueue", "export", "s.toml"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.stderr,
        "note: Kubernetes takes no object of the name of job `P_5`\n\
         note: `user` of jobs has no objects\n\
         note: job `r2` has a part of one gpu: Kueue counts whole ones, and rounds up\n\
         note: order `drf` has no objects: they are for Kueue's fair sharing\n\
         note: pool `h200` is one amount in objects, without nodes\n\
         note: pool `l4` is one amount in objects, without nodes\n\
         note: prices have no objects\n"
    );
}

#[test]
fn what_is_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, text: &str, arguments: &[&str]| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let ran = sim(folder.path(), &[&["kueue"], arguments].concat());
        (ran.code, ran.stderr)
    };
    let none = "kind: ResourceFlavor\nmetadata: {name: a}\n";
    assert_eq!(
        told("o.yaml", none, &["import", "o.yaml"]),
        (
            2,
            "error: failed to read Kueue objects `o.yaml`\nno ClusterQueue and no Cohort has quota of any flavor: expected at \
             least one\n"
                .to_owned()
        )
    );
    let bad = SMALL.replace("nominalQuota: 500m", "nominalQuota: 1.5.0");
    assert_eq!(
        told("o.yaml", &bad, &["import", "o.yaml"]),
        (
            2,
            "error: failed to read Kueue objects `o.yaml`\nline 19, character 37, ClusterQueue `search`, field \
             `spec.resourceGroups[0].flavors[0].resources[0].nominalQuota`: expected a quantity like `500m` or `2Gi`, found \
             `1.5.0`\n"
                .to_owned()
        )
    );
    let words = OWN.replace(
        "name = 'ads'\n",
        "name = 'ads'\nkueue = { spec = { preemption = { reclaimWithinCohort = 'Some' } } }\n",
    );
    assert_eq!(
        told("s.toml", &words, &["export", "s.toml"]),
        (
            2,
            "error: failed to read Kueue objects `the scenario`\nClusterQueue `ads`, field \
             `spec.preemption.reclaimWithinCohort`: expected one of `Never`, `LowerPriority`, `LowerOrNewerEqualPriority`, \
             `Any`, found `Some`\n"
                .to_owned()
        )
    );
    assert_eq!(
        told("o.yaml", SMALL, &["import", "o.yaml", "--trace", "jobs.csv"]),
        (
            2,
            "error: no Workload has finished: there is nothing to write to `jobs.csv`\nhint: leave `--trace` away\n".to_owned()
        )
    );
}
