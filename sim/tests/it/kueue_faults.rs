//! What is wrong with Kueue objects, jobs to add and scenarios of `sim decide`: told by file, place, object and field.

use std::path::Path;

use serde_json::{Value, json};

use crate::kueue_told::{decide, queue, workload};
use crate::support::{Ran, sim};

fn one() -> String {
    queue("a", "all") + &workload("wa", "a", 1, false)
}

/// What is decided on a file in a folder, without what is warned of.
pub(crate) fn decision(folder: &Path, file: &str) -> Value {
    let found = sim(folder, &["decide", file, "-o", "json"]);
    let mut found: Value = serde_json::from_str(&found.stdout).unwrap();
    found["warnings"].take();
    found
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// What is said of a command line that is refused.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let ran = sim(folder, arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn malformed_objects_are_told_with_their_place() {
    let groups = "  cohort: all\n  resourceGroups:\n  - coveredResources: [cpu, memory]\n    flavors:\n    - name: default\n      \
                  resources:\n      - {name: cpu, nominalQuota: 2}\n      - {name: memory, nominalQuota: 4Gi}\n";
    let sets = "  podSets:\n  - name: main\n    count: 1\n    template: {spec: {containers: [{resources: {requests: {cpu: 1, \
                memory: 1Gi}}}]}}\n";
    let spec = format!("spec:\n{groups}");
    let set = format!("  queueName: a\n{sets}");
    let cases: [(&str, &str, &str); 9] = [
        (
            &spec,
            "spec: []\n",
            "line 5, character 7, ClusterQueue `a`, field `spec`: expected a mapping, found `[]`",
        ),
        (
            &spec,
            "spec: null\n",
            "line 5, character 7, ClusterQueue `a`, field `spec`: expected a mapping, found nothing",
        ),
        (
            "[cpu, memory]",
            "cpu",
            "line 8, character 23, ClusterQueue `a`, field `spec.resourceGroups[0].coveredResources`: expected a list, found \
             `cpu`",
        ),
        (
            "  cohort: all",
            "  cohort: all\n  preemption: Any",
            "line 7, character 15, ClusterQueue `a`, field `spec.preemption`: expected a mapping, found `Any`",
        ),
        (
            &set,
            "  queueName: a\n",
            "line 24, character 3, Workload `ns/wa`, field `spec.podSets`: expected at least one pod set, found nothing",
        ),
        (
            &set,
            "  queueName: a\n  podSets: []\n",
            "line 25, character 12, Workload `ns/wa`, field `spec.podSets`: expected at least one pod set, found `[]`",
        ),
        (
            "{containers: [{resources: {requests: {cpu: 1, memory: 1Gi}}}]}",
            "{}",
            "line 28, character 22, Workload `ns/wa`, field `spec.podSets[0].template.spec.containers`: expected a list of \
             containers, found nothing",
        ),
        (
            "metadata: {name: a}",
            "metadata: {}",
            "line 4, character 11, ClusterQueue, field `metadata.name`: expected a name, found nothing",
        ),
        (
            "apiVersion: kueue.x-k8s.io/v1beta1",
            "apiVersion: 1",
            "line 2, character 13, ClusterQueue `a`, field `apiVersion`: expected a text, found `1`",
        ),
    ];
    for (good, bad, message) in cases {
        assert!(one().contains(good), "{good}");
        let ran = decide(&one().replacen(good, bad, 1), &[]);
        let expected = format!("error: failed to read Kueue objects `objects.yaml`\n{message}\n");
        assert_eq!((ran.code, ran.stderr), (2, expected), "{bad}");
    }
}

#[test]
fn malformed_states_of_workloads_are_told_with_their_place() {
    let text = queue("a", "all") + &workload("wa", "a", 1, true);
    let cases = [
        (
            "status: \"True\"",
            "status: \"Maybe\"",
            "line 31, character 35, Workload `ns/wa`, field `status.conditions[0].status`: expected one of `True`, `False`, \
             `Unknown`, found `Maybe`",
        ),
        (
            "{name: main, count: 1, flavors: {cpu: default, memory: default}, resourceUsage: {cpu: 1, memory: 1Gi}}",
            "{name: other, count: 1, flavors: {cpu: default, memory: default}}",
            "line 35, character 14, Workload `ns/wa`, field `status.admission.podSetAssignments[0].name`: expected the name of \
             one of its pod sets, found `other`",
        ),
    ];
    for (good, bad, message) in cases {
        assert!(text.contains(good), "{good}");
        let ran = decide(&text.replacen(good, bad, 1), &[]);
        let expected = format!("error: failed to read Kueue objects `objects.yaml`\n{message}\n");
        assert_eq!((ran.code, ran.stderr), (2, expected), "{bad}");
    }
}

#[test]
fn contradictions_are_told_by_the_lines_of_their_objects_and_files() {
    let files = [("a.yaml", one()), ("b.yaml", queue("b", "all") + &workload("wa", "b", 1, false))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let place = folder(&files);
    let twice = "error: failed to read Kueue objects `b.yaml`\nline 22, character 33, Workload `ns/wa`, field `metadata.name`: \
                 there are two of this name: the other is in line 20 of `a.yaml`\n";
    assert_eq!(refused(place.path(), &["decide", "a.yaml", "b.yaml"]), twice);
    let lost = folder(&[("objects.yaml", &one().replace("clusterQueue: a", "clusterQueue: z"))]);
    let message = "error: failed to read Kueue objects `objects.yaml`\nline 15, LocalQueue `ns/a`, field `spec.clusterQueue`: \
                   expected the name of a ClusterQueue among the objects, found `z`\n";
    assert_eq!(refused(lost.path(), &["decide", "objects.yaml"]), message);
    assert_eq!(refused(lost.path(), &["kueue", "import", "objects.yaml"]), message);
    // A file that is called so holds objects, whatever stands in it.
    let none = folder(&[("x.yaml", "colour: red\n")]);
    let message = "error: failed to read Kueue objects `x.yaml`\nline 1: expected a `kind` such as `ClusterQueue`, found \
                   none\nhint: kubectl prints them with `-o yaml` or `-o json`\n";
    assert_eq!(refused(none.path(), &["decide", "x.yaml"]), message);
}

/// There may be more of them than can be open at once, so that what is wrong with the first is told before the second is
/// looked for.
#[test]
fn files_are_opened_one_after_another() {
    let place = folder(&[("bad.yaml", "kind: ClusterQueue\nspec: 1\n"), ("good.yaml", &one())]);
    for command in [&["kueue", "import"][..], &["decide"], &["decide", "--policy", "drf"]] {
        let wrong = refused(place.path(), &[command, &["bad.yaml", "absent.yaml"]].concat());
        assert!(wrong.starts_with("error: failed to read Kueue objects `bad.yaml`\n"), "{wrong}");
        let absent = refused(place.path(), &[command, &["good.yaml", "absent.yaml"]].concat());
        let message = "error: failed to read Kueue objects `absent.yaml`\nthere is no such file\n";
        assert_eq!(absent, message);
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_opened_says_the_machines_reason() {
    let place = folder(&[("good.yaml", &one())]);
    let message =
        "error: failed to read Kueue objects `good.yaml/x.yaml`\nit cannot be opened: not a directory\n";
    assert_eq!(refused(place.path(), &["decide", "good.yaml", "good.yaml/x.yaml"]), message);
}

/// The objects with a file of jobs to add.
fn adding(job: &str, name: &str) -> Ran {
    let place = folder(&[("objects.yaml", &one()), (name, job)]);
    sim(place.path(), &["decide", "objects.yaml", "--add", name, "--queue", "ns/a", "-o", "json"])
}

const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: sample-job-\n  namespace: ns\n  labels: \
                   {kueue.x-k8s.io/queue-name: a}\nspec:\n  template:\n    spec:\n      containers:\n      - resources: {requests: \
                   {cpu: 1}}\n";

#[test]
fn jobs_that_are_about_to_be_created_are_added() {
    let added = |job: &str, name: &str| -> Value {
        let ran = adding(job, name);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let names = |found: &Value| -> Vec<String> {
        let decisions = found["decisions"].as_array().unwrap().iter();
        decisions.map(|it| it["job"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&added(JOB, "job.yaml")), ["wa", "sample-job-"]);
    let twice = format!("{JOB}---\n{JOB}");
    assert_eq!(names(&added(&twice, "job.yaml")), ["wa", "sample-job-", "sample-job-2"]);
    // Who has a name gets no other.
    let named = JOB.replace("generateName: sample-job-", "generateName: x-\n  name: wa");
    let ran = adding(&named, "job.yaml");
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stderr.ends_with("Job `ns/wa`: there is a Workload of this name already\n"),
        "{}",
        ran.stderr
    );
    let unnamed = JOB.replace("generateName: sample-job-", "generateName: wa\n  name: ''");
    assert_eq!(names(&added(&unnamed, "job.yaml")), ["wa", "wa2"]);
    // The tasks of a pipeline wait for each other.
    let pipeline =
        "name: chain\n---\nname: first\nresources: {cpus: 1}\n---\nname: second\nresources: {cpus: 1}\n";
    let found = added(pipeline, "chain.yaml");
    assert_eq!(names(&found), ["wa", "first"]);
    let note = "`chain.yaml` is a pipeline of 2 tasks, which run one after another: the first alone is added";
    assert_eq!(found["warnings"], json!([note]));
    let inactive = workload("off", "a", 1, false).replace("  queueName", "  active: false\n  queueName");
    let found = added(&inactive, "off.yaml");
    let last = &found["decisions"][1];
    assert_eq!((&last["job"], &last["action"]), (&json!("off"), &json!("wait")));
    assert_eq!(last["why"], "it is not active: nobody looks at it");
}

#[test]
fn what_cannot_be_added_is_told_by_what_it_is() {
    let expected = "expected a Workload, a batch/v1 Job or a SkyPilot task, found";
    let many = JOB.replace("spec:\n  template", "spec:\n  parallelism: many\n  template");
    let cases: [(&str, &str, String); 7] = [
        ("job.toml", "job_id = 'x'\nteam = 'a'\n", format!("{expected} no object")),
        ("job.yaml", "colour: red\n", format!("{expected} an object without `kind`")),
        ("job.yaml", "kind: Pod\nmetadata: {name: x}\n", format!("{expected} an object of kind `Pod`")),
        (
            "job.yaml",
            "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: x}\n",
            format!("{expected} a `Job` of `batch.volcano.sh/v1alpha1`"),
        ),
        (
            "task.yaml",
            "name: t\nnum_nodes: 0\nresources: {cpus: 1}\n",
            "line 2, character 12, SkyPilot task `t`, field `num_nodes`: expected a number of nodes, at least one, found `0`"
                .to_owned(),
        ),
        (
            "job.yaml",
            &many,
            "line 8, character 16, Job `ns/sample-job-`, field `spec.parallelism`: expected a number of pods, found `many`"
                .to_owned(),
        ),
        (
            "job.yaml",
            "kind: Job\nmetadata: {namespace: ns}\n",
            "line 2, character 11, Job `ns/`, field `metadata.name`: expected a name, found nothing".to_owned(),
        ),
    ];
    for (name, text, message) in cases {
        let ran = adding(text, name);
        let expected = format!("error: failed to read Kueue objects `{name}`\n{message}\n");
        assert_eq!((ran.code, ran.stderr), (2, expected), "{text}");
    }
}

/// Versions call a field differently, and who writes both says one thing.
#[test]
fn what_is_said_twice_is_said_alike() {
    let both = |other: &str| one().replace("  cohort: all", &format!("  cohort: all\n  cohortName: {other}"));
    assert_eq!(decide(&both("all"), &[]).code, 0);
    let ran = decide(&both("other"), &[]);
    let expected = "error: failed to read Kueue objects `objects.yaml`\nline 6, character 11, ClusterQueue `a`, field \
                    `spec.cohort`: expected `other`, as `cohortName` says, or nothing, found `all`\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, expected));
}

#[test]
fn an_admission_is_of_the_pod_sets_that_there_are() {
    let text = queue("a", "all") + &workload("wa", "a", 2, true) + &workload("wb", "a", 1, false);
    let ran = decide(&text.replace("{name: main, count: 2, flavors", "{name: other, count: 2, flavors"), &[]);
    let place = "warning: Workload `ns/wa`, field `status.admission.podSetAssignments[0]";
    assert_eq!((ran.code, ran.stderr), (0, format!("{place}.name`: none of its pod sets is called so\n")));
    // More pods than are asked for now can be left from before.
    let ran = decide(&text.replace("{name: main, count: 2, flavors", "{name: main, count: 7, flavors"), &[]);
    assert_eq!((ran.code, ran.stderr), (0, format!("{place}.count`: more pods than the 2 of its pod set\n")));
}

#[test]
fn objects_of_another_version_are_named_where_they_are_missed() {
    let text = one().replace("v1beta1", "v2");
    let passed = ": passed over are `ClusterQueue of kueue.x-k8s.io/v2`, `LocalQueue of kueue.x-k8s.io/v2`, `Workload of \
                  kueue.x-k8s.io/v2`\n";
    let told = decide(&text, &[]).stderr;
    let message =
        "error: the objects in `objects.yaml` have no ClusterQueue that is read, so nobody has quota";
    let hint = "hint: those of `kueue.x-k8s.io/v1beta1` and `kueue.x-k8s.io/v1beta2` are read\n";
    assert_eq!(told, format!("{message}{passed}{hint}"));
    let place = folder(&[("objects.yaml", &text)]);
    let told = refused(place.path(), &["kueue", "import", "objects.yaml"]);
    let message = "error: failed to read Kueue objects `objects.yaml`\nno ClusterQueue and no Cohort has quota of any flavor: \
                   expected at least one";
    assert_eq!(told, format!("{message}{passed}"));
}

/// Clocks of a cluster differ.
#[test]
fn what_has_quota_from_before_its_creation_comes_through_the_import() {
    let text = queue("a", "all")
        + &workload("wa", "a", 2, true).replace("T09:00:00Z", "T11:00:00Z")
        + &workload("wb", "a", 1, false);
    let place = folder(&[("objects.yaml", &text)]);
    let ran = sim(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
}

const CLUSTER: &str =
    "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[[team]]\nname = 'a'\n[policy]\norder = 'drf'\n";

#[test]
fn jobs_of_a_scenario_that_make_no_sense_are_told_with_their_place() {
    let cases = [
        (
            "[[pending]]\njob_id = 'p1'\nteam = 'a'\ngpu = 1\nsubmit_s = 'soon'\n",
            "scenario.toml:10:10: job `p1`: column `submit_s`: expected seconds",
        ),
        (
            "[[running]]\njob_id = 'r1'\nteam = 'a'\ngpu = 8\npool = 'p'\n",
            "scenario.toml:10:10: job `r1` cannot run in pool `p`",
        ),
        (
            "[[running]]\njob_id = 'r1'\nteam = 'a'\ngpu = 1\npool = 'p'\nsubmit_s = 9\nstart_s = 5\n",
            "scenario.toml:10:10: job `r1` makes no sense: recorded start and end out of order\n",
        ),
    ];
    for (jobs, message) in cases {
        let place = folder(&[("scenario.toml", &format!("{CLUSTER}{jobs}"))]);
        let told = refused(place.path(), &["decide", "scenario.toml"]);
        assert!(told.starts_with(&format!("error: {message}")), "{told}");
    }
    let good = format!("{CLUSTER}[[pending]]\njob_id = 'p1'\nteam = 'a'\ngpu = 1\n");
    let place = folder(&[("scenario.toml", &good), ("more.toml", "team = 'a'\njob_id = 'x'\n")]);
    let told = refused(place.path(), &["decide", "scenario.toml", "--add", "more.toml"]);
    assert!(told.starts_with("error: more.toml:2:10: job `x` makes no sense: "), "{told}");
}

#[test]
fn our_own_policies_decide_on_objects_through_the_import() {
    let text = queue("a", "all")
        + &queue("b", "all")
        + &workload("wa", "a", 2, true)
        + &workload("wb", "b", 1, false);
    let place = folder(&[("objects.yaml", &text)]);
    assert_eq!(sim(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]).code, 0);
    for policy in ["drf", "fifo,backfill=none"] {
        let decision = |file: &str| {
            let ran = sim(place.path(), &["decide", file, "--policy", policy, "-o", "json"]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            serde_json::from_str::<Value>(&ran.stdout).unwrap()
        };
        let found = decision("objects.yaml");
        assert_eq!(found, decision("s.toml"));
        assert_eq!((&found["policy"], &found["decisions"][0]["action"]), (&json!(policy), &json!("start")));
    }
    let told = refused(place.path(), &["decide", "objects.yaml", "--policy", "recorded"]);
    assert!(
        told.contains(
            "hint: what was recorded is not decided again: `sim compare` takes `--policy recorded`"
        ),
        "{told}"
    );
    let told = refused(place.path(), &["decide", "objects.yaml", "--policy", "drf", "--now", "5"]);
    let message = "error: `--now` goes with Kueue's own rules, and policy `drf` is to decide\nhint: write the scenario with \
                   `sim kueue import`, and change that\n";
    assert_eq!(told, message);
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let place = folder(&[("objects.yaml", &one()), ("job.yaml", JOB)]);
    let told = |arguments: &[&str]| refused(place.path(), arguments);
    let twice = "error: `-` is given twice, and standard input can be read once\n";
    assert_eq!(told(&["decide", "-", "-"]), twice);
    assert_eq!(told(&["decide", "-", "--add", "-"]), twice);
    let set = "error: `--set` is for scenarios, and `objects.yaml` holds Kueue objects\nhint: `sim kueue import` makes them a \
               scenario\n";
    assert_eq!(told(&["decide", "objects.yaml", "--set", "policy.order=drf"]), set);
    let same = "error: `--policy kueue,preemption=priority,preemption=reclaim` sets `preemption` twice\n";
    assert_eq!(
        told(&["decide", "objects.yaml", "--policy", "kueue,preemption=priority,preemption=reclaim"]),
        same
    );
    assert!(told(&["decide", "objects.yaml", "--queue", "ns/a"]).contains("--add"));
}

#[test]
fn an_export_of_another_time_says_how_to_decide_at_that_of_the_scenario() {
    let text = |now: u32| {
        format!(
            "{}[snapshot]\nnow_s = {now}\n[[pending]]\njob_id = 'p1'\nteam = 'a'\ngpu = 1\nsubmit_s = 1000\n",
            CLUSTER.replace("'drf'", "'kueue'")
        )
    };
    let place = folder(&[("later.toml", &text(3600)), ("same.toml", &text(1000))]);
    let notes = |file: &str| sim(place.path(), &["kueue", "export", file]).stderr;
    let note = "objects are of the latest time in them: `sim decide --now 3600` decides as the scenario does";
    assert!(notes("later.toml").contains(note), "{}", notes("later.toml"));
    assert!(!notes("same.toml").contains("--now"), "{}", notes("same.toml"));
    let exported = sim(place.path(), &["kueue", "export", "later.toml"]).stdout;
    std::fs::write(place.path().join("objects.yaml"), exported).unwrap();
    let now = |arguments: &[&str]| -> Value {
        serde_json::from_str::<Value>(&sim(place.path(), arguments).stdout).unwrap()["now_s"].clone()
    };
    assert_eq!(now(&["decide", "objects.yaml", "--now", "3600", "-o", "json"]), 3600);
    assert_eq!(now(&["decide", "later.toml", "-o", "json"]), 3600);
}

#[test]
fn an_import_may_turn_fair_sharing_on() {
    let place = folder(&[("objects.yaml", &one())]);
    let scenario =
        |more: &[&str]| sim(place.path(), &[&["kueue", "import", "objects.yaml"], more].concat()).stdout;
    assert!(scenario(&[]).contains("\nfair_sharing = false\n"));
    assert!(scenario(&["--fair-sharing"]).contains("\nfair_sharing = true\n"));
    assert!(scenario(&["--fair-sharing=false"]).contains("\nfair_sharing = false\n"));
}
