//! Kueue objects as people have them: both versions, lists and documents, what is wrong with them, and jobs to add.

use serde_json::{Value, json};

use crate::support::{Ran, sim};

/// Two queues of a cohort, one job that runs and one that waits.
pub(crate) const SMALL: &str = r#"apiVersion: v1
kind: List
items:
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: ResourceFlavor
  metadata: {name: h200}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: ClusterQueue
  metadata: {name: search, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec:
    cohort: all
    namespaceSelector: {}
    preemption: {withinClusterQueue: LowerPriority, reclaimWithinCohort: Any}
    resourceGroups:
    - coveredResources: [cpu, nvidia.com/gpu]
      flavors:
      - name: h200
        resources:
        - {name: cpu, nominalQuota: 500m}
        - {name: nvidia.com/gpu, nominalQuota: 8}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: ClusterQueue
  metadata: {name: ads}
  spec:
    cohort: all
    resourceGroups:
    - coveredResources: [cpu, nvidia.com/gpu]
      flavors:
      - name: h200
        resources:
        - {name: cpu, nominalQuota: "1e3"}
        - {name: nvidia.com/gpu, nominalQuota: 4, borrowingLimit: 4}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: LocalQueue
  metadata: {namespace: a, name: lq}
  spec: {clusterQueue: search}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: LocalQueue
  metadata: {namespace: b, name: lq}
  spec: {clusterQueue: ads}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: WorkloadPriorityClass
  metadata: {name: urgent}
  value: 100
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: Workload
  metadata: {namespace: b, name: train, uid: u1, creationTimestamp: "2026-01-01T00:01:00Z"}
  spec:
    queueName: lq
    podSets:
    - name: main
      count: 2
      template: {spec: {containers: [{resources: {requests: {nvidia.com/gpu: 3}}}]}}
  status:
    conditions:
    - {type: QuotaReserved, status: "True", lastTransitionTime: "2026-01-01T00:02:00Z"}
    admission:
      clusterQueue: ads
      podSetAssignments:
      - {name: main, count: 2, flavors: {nvidia.com/gpu: h200}, resourceUsage: {nvidia.com/gpu: 6}}
- apiVersion: kueue.x-k8s.io/v1beta1
  kind: Workload
  metadata: {namespace: a, name: serve, uid: u2, creationTimestamp: "2026-01-01T00:03:00Z"}
  spec:
    queueName: lq
    priorityClassName: urgent
    priorityClassSource: kueue.x-k8s.io/workloadpriorityclass
    podSets:
    - name: main
      count: 1
      template: {spec: {containers: [{resources: {requests: {nvidia.com/gpu: 8}}}]}}
"#;

fn decide(text: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("objects.yaml"), text).unwrap();
    sim(folder.path(), &[&["decide", "objects.yaml"], arguments].concat())
}

fn decided(text: &str, arguments: &[&str]) -> Value {
    let ran = decide(text, &[arguments, &["-o", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_snapshot_is_decided_and_told() {
    let found = decided(SMALL, &[]);
    assert_eq!(
        found,
        json!({
            "schema": "sim.decision/1",
            "policy": "kueue",
            "now_s": 1_767_225_780,
            "shares": [
                {"name": "all", "kind": "cohort", "weighted_share": 0, "dominant_resource": null, "within_quota": true},
                {"name": "ads", "kind": "queue", "weighted_share": 167, "dominant_resource": "nvidia.com/gpu",
                 "within_quota": false},
                {"name": "search", "kind": "queue", "weighted_share": 0, "dominant_resource": null, "within_quota": true},
            ],
            "order": ["a/serve"],
            "decisions": [
                {"job": "a/serve", "action": "evict-for", "pool": null, "flavors": {"nvidia.com/gpu": "h200"},
                 "victims": [{"job": "b/train", "reason": "InCohortReclamation"}],
                 "why": "it starts in a later cycle, once its victims have ended"},
            ],
            "warnings": [],
        })
    );
    let table = decide(SMALL, &[]).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("b/train (InCohortReclamation)"), "{table}");
}

#[test]
fn json_and_the_other_version_say_the_same() {
    let items: Vec<Value> =
        serde_saphyr::from_str::<Value>(SMALL).unwrap()["items"].as_array().unwrap().clone();
    let mut newer = items.clone();
    for object in &mut newer {
        object["apiVersion"] = "kueue.x-k8s.io/v1beta2".into();
        if let Some(cohort) = object["spec"].as_object_mut().and_then(|spec| spec.remove("cohort")) {
            object["spec"]["cohortName"] = cohort;
        }
        if object["metadata"]["name"] == "serve" {
            let spec = object["spec"].as_object_mut().unwrap();
            spec.remove("priorityClassName");
            spec.remove("priorityClassSource");
            spec.insert(
                "priorityClassRef".to_owned(),
                json!({"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "urgent"}),
            );
        }
    }
    let list =
        serde_json::to_string_pretty(&json!({"apiVersion": "v1", "kind": "List", "items": newer})).unwrap();
    assert_eq!(decided(&list, &[]), decided(SMALL, &[]));
    let documents: Vec<String> = newer.iter().map(Value::to_string).collect();
    assert_eq!(decided(&format!("---\n{}\n", documents.join("\n---\n")), &[]), decided(SMALL, &[]));
}

#[test]
fn options_are_over_the_objects_own_configuration() {
    let configured = format!(
        "{SMALL}- apiVersion: config.kueue.x-k8s.io/v1beta1\n  kind: Configuration\n  fairSharing:\n    enable: true\n    \
         preemptionStrategies: [LessThanInitialShare]\n"
    );
    // With shares, too, what is within the own quota is reclaimed.
    let reason = |found: &Value| found["decisions"][0]["victims"][0]["reason"].clone();
    assert_eq!(reason(&decided(&configured, &[])), "InCohortReclamation");
    assert_eq!(decided(&configured, &["--now", "5"])["now_s"], 5);
    let ran = decide(&configured, &["--strategies", "LessThanInitialShare,LessThanInitialShare"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            2,
            "error: `--strategies LessThanInitialShare,LessThanInitialShare`: expected `LessThanOrEqualToFinalShare`, \
             `LessThanInitialShare`, or both in this order\n"
        )
    );
}

#[test]
fn one_more_job() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: extra\n  namespace: b\n  labels: \
               {kueue.x-k8s.io/queue-name: lq}\nspec:\n  parallelism: 2\n  template:\n    spec:\n      containers:\n      - \
               resources: {limits: {nvidia.com/gpu: 1}}\n";
    let task = "name: extra\nnum_nodes: 2\nresources:\n  accelerators: H200:1\n";
    for (text, more) in [(job, &[][..]), (task, &["--queue", "b/lq"][..])] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("objects.yaml"), SMALL).unwrap();
        std::fs::write(folder.path().join("job.yaml"), text).unwrap();
        let arguments = ["decide", "objects.yaml", "--add", "job.yaml", "-o", "json"];
        let ran = sim(folder.path(), &[&arguments[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["order"], json!(["a/serve", "b/extra"]), "{text}");
        // Room for both is left once the victim has ended, and room for it now.
        assert_eq!(found["decisions"][1]["action"], "start", "{found}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("objects.yaml"), SMALL).unwrap();
    std::fs::write(folder.path().join("job.yaml"), task).unwrap();
    let ran = sim(folder.path(), &["decide", "objects.yaml", "--add", "job.yaml"]);
    assert_eq!(
        ran.stderr,
        "error: failed to read Kueue objects `job.yaml`\nline 1, character 1, SkyPilot task `extra`, field \
         `metadata.labels.kueue.x-k8s.io/queue-name`: expected a label that names its LocalQueue, found none\nhint: name the \
         queue with `--queue [NAMESPACE/]NAME`\n"
    );
}

#[test]
fn what_is_wrong_is_told_by_object_and_field() {
    let cases = [
        (
            "nominalQuota: 500m",
            "nominalQuota: 1.5.0",
            "line 19, character 37, ClusterQueue `search`, field `spec.resourceGroups[0].flavors[0].resources[0].nominalQuota`: expected a quantity \
             like `500m` or `2Gi`, found `1.5.0`",
        ),
        (
            "nominalQuota: 500m",
            "lendingLimit: 1",
            "line 19, character 11, ClusterQueue `search`, field `spec.resourceGroups[0].flavors[0].resources[0].nominalQuota`: expected a quantity \
             like `500m` or `2Gi`, found nothing",
        ),
        (
            "        - {name: cpu, nominalQuota: 500m}\n",
            "",
            "line 19, character 11, ClusterQueue `search`, field `spec.resourceGroups[0].flavors[0].resources`: flavor `h200` has no quota: expected \
             one of `cpu`",
        ),
        (
            "spec: {clusterQueue: ads}",
            "spec: {clusterQueue: bats}",
            "line 37, LocalQueue `b/lq`, field `spec.clusterQueue`: expected the name of a ClusterQueue among the objects, found `bats`",
        ),
        (
            "      clusterQueue: ads",
            "      clusterQueue: bats",
            "line 45, Workload `b/train`, field `status.admission.clusterQueue`: expected the name of a ClusterQueue among the objects, \
             found `bats`",
        ),
        (
            "flavors: {nvidia.com/gpu: h200}",
            "flavors: {}",
            "line 45, Workload `b/train`, field `status.admission.podSetAssignments[0].flavors`: expected a flavor for resource \
             `nvidia.com/gpu`, found none",
        ),
        (
            "reclaimWithinCohort: Any",
            "reclaimWithinCohort: Some",
            "line 13, character 74, ClusterQueue `search`, field `spec.preemption.reclaimWithinCohort`: expected one of `Never`, `LowerPriority`, \
             `LowerOrNewerEqualPriority`, `Any`, found `Some`",
        ),
        (
            "metadata: {name: ads}",
            "metadata: {name: search}",
            "line 23, character 20, ClusterQueue `search`, field `metadata.name`: there are two of this name: the other is in line 7",
        ),
        (
            "value: 100",
            "value: high",
            "line 44, character 10, WorkloadPriorityClass `urgent`, field `value`: expected a priority of 32 bits, found `high`",
        ),
    ];
    for (good, bad, message) in cases {
        assert!(SMALL.contains(good), "{good}");
        let ran = decide(&SMALL.replacen(good, bad, 1), &[]);
        let expected = format!("error: failed to read Kueue objects `objects.yaml`\n{message}\n");
        assert_eq!((ran.code, ran.stderr), (2, expected));
    }
}

#[test]
fn cohorts_above_themselves_are_told() {
    for field in ["parentName", "parent"] {
        let cohort = |name: &str, parent: &str| {
            format!("---\nkind: Cohort\nmetadata: {{name: {name}}}\nspec: {{{field}: {parent}}}\n")
        };
        let ran = decide(&(cohort("a", "b") + &cohort("b", "c") + &cohort("c", "a")), &[]);
        let expected = format!(
            "error: failed to read Kueue objects `objects.yaml`\nline 2, Cohort `a`, field `spec.{field}`: expected a cohort \
             above it, found one below it: `a` would be above itself\n"
        );
        assert_eq!((ran.code, ran.stderr), (2, expected));
    }
}

/// Age counts from the creation, and from an eviction only where pods were not ready in time.
#[test]
fn who_was_put_back_for_pods_that_were_not_ready_counts_as_younger() {
    let order = |reason: &str| {
        let evicted = format!(
            "{{conditions: [{{type: Evicted, status: \"True\", reason: {reason}, lastTransitionTime: \"2026-01-01T02:00:00Z\"}}]}}"
        );
        let workload = |name: &str, minute: u32, status: &str| {
            format!(
                "- kind: Workload\n  metadata: {{namespace: b, name: {name}, creationTimestamp: \"2026-01-01T01:{minute:02}:00Z\"}}\n  \
                 spec: {{queueName: lq, podSets: [{{name: main, count: 1, template: {{spec: {{containers: [{{resources: \
                 {{requests: {{nvidia.com/gpu: 1}}}}}}]}}}}}}]}}\n  status: {status}\n"
            )
        };
        let text = SMALL.to_owned() + &workload("old", 1, &evicted) + &workload("new", 2, "{}");
        let order = decided(&text, &[])["order"].clone();
        order.as_array().unwrap().iter().filter(|name| **name != "a/serve").cloned().collect::<Value>()
    };
    assert_eq!(order("PodsReadyTimeout"), json!(["b/new"]));
    for reason in ["AdmissionCheck", "Preempted"] {
        assert_eq!(order(reason), json!(["b/old"]), "{reason}");
    }
}

#[test]
fn what_is_odd_is_told_once() {
    let odd = SMALL
        .replace("    namespaceSelector: {}", "    namespaceSelector: {}\n    colour: red")
        .replace("resourceUsage: {nvidia.com/gpu: 6}", "resourceUsage: {nvidia.com/gpu: 60}")
        + "- {kind: Pod, metadata: {name: one}}\n- {kind: Pod, metadata: {name: two}}\n";
    let found = decided(&odd, &[]);
    assert_eq!(
        found["warnings"],
        json!([
            "kinds that are passed over: `Pod`",
            "fields that are not known are ignored: `ClusterQueue spec.colour`",
            "ClusterQueue `ads` holds more nvidia.com/gpu of flavor `h200` than it could ever use",
        ])
    );
}

#[test]
fn every_pending_workload_has_one_decision() {
    let workload = |name: &str, second: u32, queue: &str, gpus: u32, more: &str| {
        format!(
            "- kind: Workload\n  metadata: {{namespace: a, name: {name}, creationTimestamp: \"2026-01-01T01:00:{second:02}Z\"}}\n  \
             spec:\n    queueName: {queue}\n{more}    podSets:\n    - {{name: main, count: 1, template: {{spec: {{containers: \
             [{{resources: {{requests: {{nvidia.com/gpu: {gpus}}}}}}}]}}}}}}\n"
        )
    };
    let text = SMALL.to_owned()
        + &workload("huge", 0, "lq", 100, "    priority: 1000\n")
        + &workload("later", 1, "lq", 1, "")
        + &workload("lost", 2, "nowhere", 1, "")
        + &workload("off", 3, "lq", 1, "    active: false\n");
    let found = decided(&text, &[]);
    let decisions = found["decisions"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        decisions.iter().map(|it| (it["job"].as_str().unwrap(), it["action"].as_str().unwrap())).collect();
    // The head cannot fit, and is looked at all the same; those behind it wait for another cycle.
    let expected = [("a/huge", "reject"), ("a/later", "wait"), ("a/lost", "wait"), ("a/serve", "wait")];
    assert_eq!(told, expected);
    assert_eq!(found["order"], json!(["a/huge"]));
}

/// A record of Workloads that have ended is no cluster to decide on.
#[test]
fn objects_without_queues_are_refused_and_a_cluster_where_nobody_waits_says_so() {
    let fixture = |name: &str| format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("kueue.yaml"), folder.path().join("workloads.yaml")).unwrap();
    let ran = sim(folder.path(), &["decide", "workloads.yaml"]);
    let message = "error: the objects in `workloads.yaml` have no ClusterQueue that is read, so nobody has quota: passed \
                   over are `ConfigMap`\n\
                   hint: print the queues as well, see `sim decide --help`; what Workloads did is told by \
                   `sim trace inspect`\n";
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (2, "", message));
    let queue = "apiVersion: kueue.x-k8s.io/v1beta1\nkind: ClusterQueue\nmetadata: { name: idle }\nspec:\n  \
                 resourceGroups:\n  - coveredResources: [cpu]\n    flavors:\n    - name: f\n      resources: \
                 [{ name: cpu, nominalQuota: 4 }]\n";
    std::fs::write(folder.path().join("queue.yaml"), queue).unwrap();
    let ran = sim(folder.path(), &["decide", "queue.yaml", "-q"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("\nidle     queue "), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\n\nno job waits\n"), "{}", ran.stdout);
}

/// A queue of two GPUs.
const QUEUE: &str = "---
apiVersion: kueue.x-k8s.io/v1beta1
kind: ClusterQueue
metadata: {name: search}
spec:
  resourceGroups:
  - coveredResources: [nvidia.com/gpu]
    flavors: [{name: h200, resources: [{name: nvidia.com/gpu, nominalQuota: 2}]}]
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: LocalQueue
metadata: {namespace: a, name: lq}
spec: {clusterQueue: search}
";
/// A Workload of as many pods as `COUNT`, of so many GPUs each.
const WORKLOAD: &str = r#"---
apiVersion: kueue.x-k8s.io/VERSION
kind: Workload
metadata: {namespace: a, name: NAME, uid: NAME, creationTimestamp: "2026-01-01T00:CREATEDZ"}
spec:
  queueName: lq
  podSets: [{name: main, count: COUNT, template: {spec: {containers: [{resources: {requests: {nvidia.com/gpu: GPUS}}}]}}}]
"#;
/// What follows where it has finished; it held two GPUs.
const STATUS: &str = r#"status:
  admission:
    clusterQueue: search
    podSetAssignments: [{name: main, count: COUNT, flavors: {nvidia.com/gpu: h200}, resourceUsage: {nvidia.com/gpu: "2"}}]
  conditions:
  - {type: Admitted, status: "True", reason: Admitted, lastTransitionTime: "2026-01-01T00:ADMITTEDZ"}
  - {type: Finished, status: "True", reason: Succeeded, lastTransitionTime: "2026-01-01T00:FINISHEDZ"}
"#;

/// Two Workloads that have finished, in both versions, and one that waits: all of a queue of two GPUs.
fn finished() -> String {
    let workload = |version: &str, name: &str, created: &str, [count, gpus]: [&str; 2], then: &str| {
        let words =
            [("VERSION", version), ("NAME", name), ("CREATED", created), ("COUNT", count), ("GPUS", gpus)];
        let text = WORKLOAD.to_owned() + then;
        words.into_iter().fold(text, |text, (word, value)| text.replace(word, value))
    };
    let over =
        |admitted: &str, finished: &str| STATUS.replace("ADMITTED", admitted).replace("FINISHED", finished);
    [
        QUEUE.to_owned(),
        workload("v1beta1", "first", "00:00", ["2", "1"], &over("00:10", "01:50")),
        workload("v1beta2", "second", "00:20", ["1", "2"], &over("01:50", "02:40")),
        workload("v1beta2", "third", "02:20", ["1", "2"], ""),
    ]
    .concat()
}

/// What `kubectl` prints is the cluster and the trace at once: what was, and what would have been under other rules.
#[test]
fn finished_workloads_are_a_trace_under_every_policy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("objects.yaml"), finished()).unwrap();
    let done = |arguments: &[&str]| {
        let ran = sim(folder.path(), arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran.stdout
    };
    done(&["kueue", "import", "objects.yaml", "--out", "cluster.toml"]);
    let policies = ["--policy", "recorded", "--policy", "kueue", "--policy", "drf", "--policy", "fifo"];
    let trace = ["compare", "cluster.toml", "--trace", "objects.yaml", "-o", "json"];
    let found: Value = serde_json::from_str(&done(&[&trace[..], &policies[..]].concat())).unwrap();
    let waits = found["policies"].as_array().unwrap().iter();
    let waits: Vec<(&str, f64)> =
        waits.map(|it| (it["policy"].as_str().unwrap(), it["wait_s"]["mean"].as_f64().unwrap())).collect();
    // Without the ten seconds that the first one waited for nothing, the second begins ten seconds earlier.
    let (was, would) = (50.0, 40.0);
    let expected = [("recorded", was), ("kueue,fair_sharing=false", would), ("drf", would), ("fifo", would)];
    assert_eq!(waits, expected);
    let run = done(&["run", "cluster.toml", "--trace", "objects.yaml", "--policy", "drf", "-o", "json"]);
    let run: Value = serde_json::from_str(&run).unwrap();
    assert_eq!(run["jobs"]["completed"], 2, "{run}");
    let told = done(&["trace", "inspect", "objects.yaml"]);
    assert!(told.contains("\njobs          2\n"), "{told}");
}

/// Kueue's settings say how Kueue would decide where another order is asked for beside the file, and are a fault beside
/// another order in the file.
#[test]
fn kueues_settings_stand_aside_for_an_order_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let pool = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 2 }\n";
    let scenario = |order: &str| format!("{pool}[policy]\norder = '{order}'\nfair_sharing = false\n");
    std::fs::write(folder.path().join("jobs.csv"), "job_id,submit_s,run_s,team,gpu\na,0,10,x,2\n").unwrap();
    let run = |order: &str, arguments: &[&str]| {
        std::fs::write(folder.path().join("s.toml"), scenario(order)).unwrap();
        sim(folder.path(), &[&["run", "s.toml", "--trace", "jobs.csv", "-q"], arguments].concat())
    };
    assert_eq!(run("kueue", &["--policy", "drf"]).code, 0);
    assert_eq!(run("kueue", &["--set", "policy.order=drf"]).code, 0);
    let fault = |ran: &Ran| ran.stderr.lines().next().map(str::to_owned);
    assert_eq!(fault(&run("drf", &[])).as_deref(), Some("error: `fair_sharing` is Kueue's"));
    let both = run("kueue", &["--policy", "drf,fair_sharing=true"]);
    assert_eq!(fault(&both).as_deref(), Some("error: `fair_sharing` is Kueue's"));
}

/// One more comes after all that are there where nothing else tells them apart, whatever it is called.
#[test]
fn what_is_added_comes_last_of_its_age() {
    let first = |name: &str| {
        let place = tempfile::tempdir().unwrap();
        let job = |name: &str| {
            format!(
                "---\nkind: Workload\nmetadata: {{namespace: a, name: {name}}}\nspec: {{queueName: lq, podSets: [{{count: 1, \
                 template: {{spec: {{containers: [{{resources: {{requests: {{nvidia.com/gpu: 2}}}}}}]}}}}}}]}}\n"
            )
        };
        std::fs::write(place.path().join("objects.yaml"), [QUEUE, &job("here")].concat()).unwrap();
        std::fs::write(place.path().join("more.yaml"), job(name)).unwrap();
        let ran = sim(place.path(), &["decide", "objects.yaml", "--add", "more.yaml", "-o", "json"]);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["order"].clone()
    };
    assert_eq!([first("aaa"), first("zzz")], [json!(["here"]), json!(["here"])]);
}
