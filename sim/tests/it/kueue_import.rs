//! What `sim kueue import` makes of objects, for policies other than Kueue's too: pools, what was admitted, the trace.

use std::path::Path;

use serde_json::{Value, json};

use crate::kueue_faults::decision;
use crate::support::sim;

/// A queue in a cohort; CPUs and GPUs are of one flavor, or each of its own.
fn cluster(several_flavors: bool) -> String {
    let groups = if several_flavors {
        "[{coveredResources: [nvidia.com/gpu], flavors: [{name: gpu, resources: [{name: nvidia.com/gpu, nominalQuota: 8}]}]}, \
         {coveredResources: [cpu], flavors: [{name: cpu, resources: [{name: cpu, nominalQuota: 20}]}]}]"
    } else {
        "[{coveredResources: [nvidia.com/gpu, cpu], flavors: [{name: gpu, resources: [{name: nvidia.com/gpu, nominalQuota: \
         8}, {name: cpu, nominalQuota: 20}]}]}]"
    };
    format!(
        "{{kind: ClusterQueue, metadata: {{name: cq}}, spec: {{cohortName: all, resourceGroups: {groups}}}}}\n---\n\
         {{kind: LocalQueue, metadata: {{name: lq, namespace: ns}}, spec: {{clusterQueue: cq}}}}\n"
    )
}

/// A workload of so many pods of one GPU and two CPUs, created in this minute; `status` is its status.
fn workload(name: &str, minute: u32, pods: u32, status: &Value) -> String {
    let object = json!({
        "kind": "Workload",
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": format!("2026-01-01T00:{minute:02}:00Z")},
        "spec": {"queueName": "lq", "podSets": [{"name": "main", "count": pods, "minCount": 1, "template": {"spec": {
            "containers": [{"resources": {"requests": {"nvidia.com/gpu": 1, "cpu": 2}}}]}}}]},
        "status": status,
    });
    format!("---\n{object}\n")
}

/// Quota for so many pods with so many GPUs in all, of these flavors for CPUs and GPUs; ended after ten minutes or not.
fn admitted(pods: u32, gpus: u32, [cpu, gpu]: [&str; 2], has_ended: bool) -> Value {
    let condition = |kind: &str, minute: u32| json!({"type": kind, "status": "True", "lastTransitionTime": format!("2026-01-01T00:{minute}:00Z")});
    let conditions = [condition("QuotaReserved", 10), condition("Finished", 20)];
    json!({
        "conditions": conditions[..=usize::from(has_ended)],
        "admission": {"clusterQueue": "cq", "podSetAssignments": [{
            "name": "main",
            "count": pods,
            "flavors": {"cpu": cpu, "nvidia.com/gpu": gpu},
            "resourceUsage": {"cpu": 2 * pods, "nvidia.com/gpu": gpus},
        }]},
    })
}

fn folder(objects: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("objects.yaml"), objects).unwrap();
    folder
}

/// Runs a command that must succeed: what it prints, as JSON where it is that, and what it says.
fn ran(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let ran = sim(folder, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    (serde_json::from_str(&ran.stdout).unwrap_or(Value::String(ran.stdout)), ran.stderr)
}

/// Jobs with what becomes of them.
fn actions(decided: &Value) -> Vec<(&str, &str)> {
    let decisions = decided["decisions"].as_array().unwrap();
    decisions.iter().map(|it| (it["job"].as_str().unwrap(), it["action"].as_str().unwrap())).collect()
}

const IMPORT: [&str; 7] = ["kueue", "import", "objects.yaml", "--trace", "t.csv", "--out", "s.toml"];

fn three(status: &Value) -> String {
    (0..3).fold(cluster(true), |text, at| text + &workload(&format!("t{at}"), at, 4, status))
}

#[test]
fn a_trace_of_jobs_of_two_flavors_is_replayed() {
    let place = folder(&three(&admitted(4, 4, ["cpu", "gpu"], true)));
    let (_, notes) = ran(place.path(), &IMPORT);
    let apart = "note: ClusterQueue `cq`: jobs take resources of several flavors at once, which Kueue's rules alone can do; \
                 other policies find no pool for them; `--join-flavors` makes one pool of `cpu`, `gpu`\n";
    assert_eq!(notes, apart);
    let completed = |arguments: &[&str]| {
        let summary = ran(place.path(), &[&["run", "s.toml", "-o", "json"], arguments].concat()).0;
        [summary["jobs"]["completed"].clone(), summary["jobs"]["rejected"].clone()]
    };
    assert_eq!(completed(&[]), [3, 0]);
    assert_eq!(completed(&["--policy", "drf"]), [0, 3]);
    let (_, notes) = ran(place.path(), &[&IMPORT[..], &["--join-flavors"]].concat());
    assert_eq!(notes, "note: pool `gpu` is of the flavors `cpu`, `gpu`: they are used together\n");
    assert_eq!(completed(&[]), [3, 0]);
    assert_eq!(completed(&["--policy", "drf"]), [3, 0]);
}

#[test]
fn flavors_that_are_used_together_are_one_pool_for_other_policies() {
    let waiting = three(&json!({}));
    let place = folder(&(waiting.clone() + &workload("r", 3, 1, &admitted(1, 1, ["cpu", "gpu"], false))));
    let decided = ran(place.path(), &["decide", "objects.yaml", "--policy", "drf", "-o", "json"]).0;
    assert_eq!(actions(&decided), [("t0", "start"), ("t1", "wait"), ("t2", "wait")]);
    // Kueue's own decisions are those on the objects, by the flavors' own names.
    ran(place.path(), &["kueue", "import", "objects.yaml", "--join-flavors", "--out", "s.toml"]);
    let own = decision(place.path(), "objects.yaml");
    assert_eq!(own["decisions"][0]["flavors"], json!({"cpu": "cpu", "nvidia.com/gpu": "gpu"}));
    assert_eq!(decision(place.path(), "s.toml"), own);
    // A queue that has one of the flavors alone keeps them apart, and so does another in the place of one.
    let spot = "}]}, {name: spot, resources: [{name: cpu, nominalQuota: 1}]}]}]";
    let choice = waiting.replace("}]}]}]", spot);
    let alone = "---\n{kind: ClusterQueue, metadata: {name: c2}, spec: {cohortName: all, resourceGroups: [{coveredResources: \
                 [cpu], flavors: [{name: cpu, resources: [{name: cpu, nominalQuota: 1}]}]}]}}\n";
    for text in [choice, waiting + alone] {
        let place = folder(&text);
        let (decided, said) = ran(place.path(), &["decide", "objects.yaml", "--policy", "drf", "-o", "json"]);
        assert_eq!(actions(&decided), [("t0", "reject"), ("t1", "reject"), ("t2", "reject")], "{text}");
        let apart = "ClusterQueue `cq`: jobs take resources of several flavors at once, which Kueue's rules alone can do; \
                     other policies find no pool for them\n";
        assert!(said.contains(apart), "{said}");
    }
}

/// Other policies count what was admitted, whatever the pods ask.
#[test]
fn what_was_admitted_is_what_runs() {
    let flavors = ["gpu", "gpu"];
    // Pods that ask, pods and GPUs that were admitted, what then becomes of two pods more, and what is said.
    let cases = [
        (4, 4, 4, "start", ""),
        (9, 6, 6, "start", ""),
        (6, 3, 7, "wait", ""),
        (2, 2, 8, "wait", ""),
        (9, 9, 9, "wait", "pool `gpu` has 9 nvidia.com/gpu, since so much of it is held: quotas come to 8"),
        (2, 2, 60, "wait", "pool `gpu` has 60 nvidia.com/gpu, since so much of it is held: quotas come to 8"),
    ];
    for (asked, pods, gpus, action, note) in cases {
        let running = workload("r", 0, asked, &admitted(pods, gpus, flavors, false));
        let place = folder(&(cluster(false) + &running + &workload("p", 1, 2, &json!({}))));
        let (decided, said) = ran(place.path(), &["decide", "objects.yaml", "--policy", "drf", "-o", "json"]);
        assert_eq!(actions(&decided), [("p", action)], "{asked} {pods} {gpus}");
        assert!(said.contains(note), "{said}");
        assert!(!note.is_empty() || !said.contains("held"), "{said}");
        ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
        assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    }
}

/// Where flavors stay pools of their own, a running job is in that of its GPUs with what it holds there.
#[test]
fn what_is_held_of_one_flavor_makes_no_room_in_another() {
    let text = cluster(true)
        + &workload("r", 0, 4, &admitted(4, 4, ["cpu", "gpu"], false))
        + &workload("s", 1, 1, &admitted(1, 1, ["cpu", "gpu"], false))
        + &workload("p", 2, 2, &json!({}));
    let place = folder(&text);
    let (scenario, said) = ran(place.path(), &["kueue", "import", "objects.yaml"]);
    let scenario = scenario.as_str().unwrap();
    let pool = |name: &str, node: &str| format!("name = \"{name}\"\nnodes = 1\nnode = {{ {node} }}\n");
    assert!(
        scenario.contains(&pool("cpu", "cpu = 20")) && scenario.contains(&pool("gpu", "gpu = 8")),
        "{scenario}"
    );
    assert!(scenario.contains("workers = 4\ngpu = 1\n"), "{scenario}");
    let split = "note: workload `ns/r` and 1 more holds resources in several pools: it runs in that of its GPUs, or else of \
                 its first resource, and what it holds in others is `part_of` it, so that other policies than Kueue's do not stop it\n";
    assert!(said.contains(split) && !said.contains("quotas come to"), "{said}");
    std::fs::write(place.path().join("s.toml"), scenario).unwrap();
    assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    // Quotas that were cut below what is held: each pool has room for what is held of its own flavor.
    let cut =
        text.replace("nominalQuota: 20", "nominalQuota: 3").replace("nominalQuota: 8", "nominalQuota: 4");
    let place = folder(&cut);
    let (scenario, said) = ran(place.path(), &["kueue", "import", "objects.yaml"]);
    let scenario = scenario.as_str().unwrap();
    assert!(
        scenario.contains(&pool("cpu", "cpu = 10")) && scenario.contains(&pool("gpu", "gpu = 5")),
        "{scenario}"
    );
    assert!(
        said.contains("pool `cpu` has 10 cpu, since so much of it is held: quotas come to 3\n"),
        "{said}"
    );
    assert!(
        said.contains("pool `gpu` has 5 nvidia.com/gpu, since so much of it is held: quotas come to 4\n"),
        "{said}"
    );
}

#[test]
fn a_trace_has_what_was_admitted_and_the_queue_of_what_never_was() {
    let mut never = admitted(4, 4, ["gpu", "gpu"], true);
    never.as_object_mut().unwrap().remove("admission");
    let text = cluster(false)
        + &workload("part", 0, 4, &admitted(2, 2, ["gpu", "gpu"], true))
        + &workload("more", 1, 4, &admitted(4, 8, ["cpu", "gpu"], true))
        + &workload("never", 2, 4, &never);
    let place = folder(&text);
    ran(place.path(), &IMPORT);
    let jobs = std::fs::read_to_string(place.path().join("t.csv")).unwrap();
    let expected = "job_id,submit_s,run_s,team,user,workers,gpu,cpu,pools,start_s,end_s,status\n\
                    ns/part,1767225600,600,cq,ns/lq,2,1,2,gpu,1767226200,1767226800,completed\n\
                    ns/more,1767225660,600,cq,ns/lq,4,2,2,cpu|gpu,1767226200,1767226800,completed\n\
                    ns/never,1767225720,600,cq,ns/lq,4,1,2,,1767226200,1767226800,completed\n";
    assert_eq!(jobs, expected);
}

/// A workload of one pod that has ended, in this local queue, with more in its `spec`.
fn finished(name: &str, minute: u32, queue: &str, more: &str) -> String {
    let status = json!({"conditions": admitted(1, 1, ["gpu", "gpu"], true)["conditions"]});
    let text = workload(name, minute, 1, &status).replacen("\"spec\":{", &format!("\"spec\":{{{more}"), 1);
    text.replace("\"lq\"", &format!("\"{queue}\""))
}

/// Two columns of a table, row by row.
fn columns(table: &str, names: [&str; 2]) -> Vec<[String; 2]> {
    let at = names.map(|name| table.lines().next().unwrap().split(',').position(|it| it == name).unwrap());
    let row = |line: &str| at.map(|at| line.split(',').nth(at).unwrap().to_owned());
    table.lines().skip(1).map(row).collect()
}

/// A finished workload's own number is its priority, whatever its class says; a class stands where it is the same.
#[test]
fn a_trace_has_the_priority_that_counts() {
    let class = |kind: &str, name: &str, value: i32| {
        format!("---\n{{kind: {kind}, metadata: {{name: {name}}}, value: {value}}}\n")
    };
    let pod_class =
        "---\n{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: pod}, value: 7}\n";
    let own = |name: &str| {
        format!(
            "\"priorityClassRef\":{{\"group\":\"kueue.x-k8s.io\",\"kind\":\"WorkloadPriorityClass\",\"name\":\"{name}\"}},"
        )
    };
    let text = cluster(false)
        + &class("WorkloadPriorityClass", "high", 5)
        + pod_class
        + &finished("number", 0, "lq", "\"priority\":100,")
        + &finished("zero", 1, "lq", "\"priority\":0,")
        + &finished("same", 2, "lq", &format!("\"priority\":5,{}", own("high")))
        + &finished("other", 3, "lq", &format!("\"priority\":6,{}", own("high")))
        + &finished("class", 4, "lq", &own("high"))
        + &finished("gone", 5, "lq", &format!("\"priority\":-4,{}", own("gone")))
        + &finished("lost", 6, "nowhere", &own("gone"))
        + &finished(
            "pod",
            7,
            "lq",
            "\"priorityClassSource\":\"scheduling.k8s.io/priorityclass\",\"priorityClassName\":\"pod\",",
        );
    let place = folder(&text);
    let (_, said) = ran(place.path(), &IMPORT);
    let jobs = std::fs::read_to_string(place.path().join("t.csv")).unwrap();
    let expected = [
        ("number", "100"),
        ("zero", ""),
        ("same", "high"),
        ("other", "6"),
        ("class", "high"),
        ("gone", "-4"),
        ("lost", "gone"),
        ("pod", "7"),
    ];
    let expected = expected.map(|(name, priority)| [format!("ns/{name}"), priority.to_owned()]);
    assert_eq!(columns(&jobs, ["job_id", "priority"]), expected, "{said}");
    let notes = "note: 1 finished workload of local queue `ns/nowhere`, which is not among the objects: team `ns/nowhere`\n\
                 note: 1 finished workload of priority class `gone`, which is not among the objects: taken as priority 0\n";
    assert_eq!(said, notes);
}

/// Of two that wait, the later one goes first by its number.
#[test]
fn a_number_without_a_class_decides_in_a_replay() {
    let text = cluster(false).replace("nominalQuota: 8", "nominalQuota: 1")
        + &finished("first", 0, "lq", "")
        + &finished("low", 1, "lq", "")
        + &finished("high", 2, "lq", "\"priority\":100,");
    let place = folder(&text);
    ran(place.path(), &IMPORT);
    ran(place.path(), &["run", "s.toml", "--out", "out"]);
    let lives = std::fs::read_to_string(place.path().join("out/jobs.csv")).unwrap();
    let mut starts = columns(&lives, ["start_s", "job_id"]);
    starts.sort();
    let order: Vec<&str> = starts.iter().map(|[_, name]| name.as_str()).collect();
    assert_eq!(order, ["ns/first", "ns/high", "ns/low"]);
}

/// A scenario names its trace as it lies beside it, and no trace that does not.
#[test]
fn the_trace_is_named_from_the_folder_of_the_scenario() {
    let place = folder(&three(&admitted(4, 4, ["cpu", "gpu"], true)));
    for folder in ["one/two", "three"] {
        std::fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    let cases = [
        ("t.csv", "s.toml", Some("t.csv")),
        ("one/t.csv", "one/s.toml", Some("t.csv")),
        ("one/two/t.csv", "one/../one/s.toml", Some("two/t.csv")),
        ("one/t.csv", "s.toml", Some("one/t.csv")),
        ("one/t.csv", "three/s.toml", None),
    ];
    for (trace, scenario, named) in cases {
        let command = ["kueue", "import", "objects.yaml", "--trace", trace, "--out", scenario];
        let said = ran(place.path(), &command).1;
        let text = std::fs::read_to_string(place.path().join(scenario)).unwrap();
        let found =
            text.lines().find_map(|line| line.strip_prefix("path = ")).map(|path| path.trim_matches('"'));
        assert_eq!(found, named, "{trace} {scenario}");
        let elsewhere = format!(
            "note: the scenario names no trace, since that lies outside of its folder: replay it with `--trace {trace}`\n"
        );
        assert_eq!(said.contains(&elsewhere), named.is_none(), "{said}");
        let given = ["run", scenario, "-o", "json", "--trace", trace];
        let run = if named.is_some() { &given[..4] } else { &given };
        assert_eq!(ran(place.path(), run).0["jobs"]["completed"], 3);
    }
    // What goes to stdout is read from here.
    let (text, _) = ran(place.path(), &["kueue", "import", "objects.yaml", "--trace", "one/t.csv"]);
    assert!(text.as_str().unwrap().contains("\npath = \"one/t.csv\"\n"), "{text}");
}

#[test]
fn an_export_without_any_queue_says_so() {
    let place = folder("");
    let pool =
        "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\ndivisible = true\n[policy]\norder = 'kueue'\n";
    let note = "note: no team has a ClusterQueue, so that no job can wait: teams are those of `[[team]]` and of jobs that run \
                or wait\n";
    for (rest, expected) in [("", note), ("[[pending]]\njob_id = 'j'\nteam = 'a'\ngpu = 1\n", "")] {
        std::fs::write(place.path().join("s.toml"), format!("{pool}{rest}")).unwrap();
        let (objects, notes) = ran(place.path(), &["kueue", "export", "s.toml"]);
        assert_eq!(
            (notes.as_str(), objects.to_string().contains("kind: ClusterQueue")),
            (expected, expected.is_empty())
        );
    }
}

/// A job that draws on several pools is measured in that of its GPUs, else in that of its first resource.
#[test]
fn a_job_is_measured_in_the_pool_of_its_gpus() {
    let place = folder("");
    let pool = |name: &str, node: &str| {
        format!("[[pool]]\nname = '{name}'\nnodes = 1\nnode = {{ {node} }}\ndivisible = true\n")
    };
    let team = "[[team]]\nname = 'a'\nquota = { host = { cpu = 8, memory = '8GiB' }, card = { gpu = 4 } }\n";
    let policy = "[policy]\norder = 'kueue'\ntree = 'as-written'\n";
    let scenario = [
        pool("host", "cpu = 8, memory = '8GiB'"),
        pool("card", "gpu = 4"),
        team.to_owned(),
        policy.to_owned(),
    ];
    std::fs::write(place.path().join("s.toml"), scenario.concat()).unwrap();
    let jobs = "job_id,submit_s,run_s,team,gpu,cpu,memory_gib\nboth,0,10,a,4,4,4\nplain,0,10,a,0,4,4\n";
    std::fs::write(place.path().join("t.csv"), jobs).unwrap();
    ran(place.path(), &["run", "s.toml", "--trace", "t.csv", "--out", "out"]);
    let lives = std::fs::read_to_string(place.path().join("out/jobs.csv")).unwrap();
    let pool_of = |job: &str| {
        let column = lives.lines().next().unwrap().split(',').position(|name| name == "pool").unwrap();
        let line = lives.lines().find(|line| line.starts_with(&format!("{job},"))).unwrap();
        line.split(',').nth(column).unwrap().to_owned()
    };
    assert_eq!([pool_of("both"), pool_of("plain")], ["card", "host"]);
}

/// Pods can end while others of their job wait for quota again, and pod sets have names of their own.
#[test]
fn pods_that_have_ended_and_names_of_pod_sets_come_through_the_import() {
    let ended = json!({"reclaimablePods": [{"name": "main", "count": 1}]});
    let mut running = admitted(2, 2, ["gpu", "gpu"], false);
    running["reclaimablePods"] = ended["reclaimablePods"].clone();
    let text = cluster(false) + &workload("p", 0, 4, &ended) + &workload("r", 1, 2, &running);
    for text in [text.clone(), text.replace("\"main\"", "\"driver\"")] {
        let place = folder(&text);
        assert_eq!(ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]).1, "");
        assert_eq!(ran(place.path(), &["decide", "s.toml"]), ran(place.path(), &["decide", "objects.yaml"]));
    }
}

/// A cohort adds to what is below it; a team is guaranteed what it names. Other policies decide on both alike.
#[test]
fn a_cohort_has_what_its_queues_have() {
    let own = "---\n{kind: Cohort, metadata: {name: all}, spec: {resourceGroups: [{coveredResources: [nvidia.com/gpu], flavors: \
               [{name: gpu, resources: [{name: nvidia.com/gpu, nominalQuota: 2}]}]}]}}\n";
    let place = folder(&(cluster(false) + own + &workload("p", 0, 10, &json!({}))));
    assert_eq!(ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]).1, "");
    let text = std::fs::read_to_string(place.path().join("s.toml")).unwrap();
    assert!(text.contains("name = \"all\"\nquota = { gpu = { gpu = 10, cpu = 20 } }\n"), "{text}");
    assert!(!text.contains("resourceGroups"), "{text}");
    for policy in ["kueue", "drf"] {
        let decided = ran(place.path(), &["decide", "objects.yaml", "--policy", policy, "-o", "json"]).0;
        assert_eq!(actions(&decided), [("p", "start")], "{policy}");
        assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    }
}

/// A queue of these CPUs, and of GPUs of two flavors in place of each other.
fn choice() -> String {
    let more = "nominalQuota: 8}]}, {name: t4, resources: [{name: nvidia.com/gpu, nominalQuota: 4}]}";
    cluster(true).replace("nominalQuota: 8}]}", more)
}

/// What a running job holds beside its own pool is free under no policy, and is counted once.
#[test]
fn what_is_held_in_a_second_pool_is_free_for_nobody() {
    let text = choice()
        + &workload("r", 0, 10, &admitted(10, 1, ["cpu", "gpu"], false))
        + &workload("p", 1, 10, &json!({}))
            .replace("\"nvidia.com/gpu\":1,", "")
            .replace(",\"nvidia.com/gpu\":1", "");
    let text = text.replace("\"minCount\":1,", "");
    let place = folder(&text);
    let (_, said) = ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    let split = "note: workload `ns/r` holds resources in several pools: it runs in that of its GPUs, or else of its first \
                 resource, and what it holds in others is `part_of` it, so that other policies than Kueue's do not stop it\n";
    assert!(said.contains(split), "{said}");
    for file in ["objects.yaml", "s.toml"] {
        for policy in ["kueue", "drf", "fifo", "static"] {
            let decided = ran(place.path(), &["decide", file, "--policy", policy, "-o", "json"]).0;
            assert_eq!(actions(&decided), [("p", "wait")], "{policy}");
            // All CPUs are held, once.
            let shares = decided["shares"].as_array().unwrap();
            let queue = shares.iter().find(|share| share["name"] == "cq").unwrap();
            if policy == "drf" {
                assert_eq!(
                    (&queue["dominant_resource"], &queue["weighted_share"]),
                    (&json!("cpu"), &json!(1.0)),
                    "{queue}"
                );
            }
        }
    }
    assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    let (objects, _) = ran(place.path(), &["kueue", "export", "s.toml"]);
    assert_eq!(objects.as_str().unwrap().matches("kind: Workload\n").count(), 2, "{objects}");
}

/// A job is stopped as a whole, or not at all.
#[test]
fn no_part_of_a_job_is_stopped_alone() {
    let text = choice()
        + &workload("r", 0, 8, &admitted(8, 8, ["cpu", "gpu"], false))
        + &workload("p", 1, 1, &json!({}));
    let place = folder(&text);
    ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    let scenario = std::fs::read_to_string(place.path().join("s.toml")).unwrap();
    // Jobs that ask GPUs of the one pool, or CPUs of the other, and may stop whom they need to.
    let more = "[policy]\npreemption = \"priority\"\n";
    let more = scenario.replace("[policy]\n", more);
    for (name, ask) in [("g", "gpu = 1\npools = \"gpu\""), ("c", "cpu = 8")] {
        let pending = format!("\n[[pending]]\njob_id = \"{name}\"\nteam = \"cq\"\npriority = 7\n{ask}\n");
        std::fs::write(place.path().join("m.toml"), more.clone() + &pending).unwrap();
        let decided = ran(place.path(), &["decide", "m.toml", "--policy", "drf", "-o", "json"]).0;
        let action = actions(&decided).into_iter().find(|(job, _)| *job == name).unwrap().1;
        assert_eq!(action, "wait", "{decided}");
    }
}

/// A class whose name is a number takes over no number that another job has.
#[test]
fn a_class_whose_name_is_a_number_means_itself() {
    let own = "\"priorityClassRef\":{\"group\":\"kueue.x-k8s.io\",\"kind\":\"WorkloadPriorityClass\",\"name\":\"100\"},";
    let class = "---\n{kind: WorkloadPriorityClass, metadata: {name: '100'}, value: 5}\n";
    let waiting = |name: &str, minute: u32, more: &str| {
        let text = workload(name, minute, 8, &json!({}));
        text.replacen("\"spec\":{", &format!("\"spec\":{{{more}"), 1)
    };
    let text = cluster(false)
        + class
        + &finished("number", 0, "lq", "\"priority\":100,")
        + &finished("class", 1, "lq", own)
        + &finished("both", 2, "lq", &format!("\"priority\":5,{own}"))
        + &waiting("c", 3, own)
        + &waiting("n", 4, "\"priority\":100,");
    let place = folder(&text);
    let (_, said) = ran(place.path(), &IMPORT);
    assert_eq!(said, "");
    let jobs = std::fs::read_to_string(place.path().join("t.csv")).unwrap();
    let expected = [("number", "100"), ("class", "5"), ("both", "5")];
    let expected = expected.map(|(name, priority)| [format!("ns/{name}"), priority.to_owned()]);
    assert_eq!(columns(&jobs, ["job_id", "priority"]), expected);
    let own = decision(place.path(), "objects.yaml");
    assert_eq!(actions(&own)[0], ("n", "start"));
    assert_eq!(decision(place.path(), "s.toml"), own);
    let scenario = std::fs::read_to_string(place.path().join("s.toml")).unwrap();
    assert!(!scenario.contains("[[priority]]"), "{scenario}");
    // Also under other policies the number is one.
    let decided = ran(place.path(), &["decide", "s.toml", "--policy", "priority", "-o", "json"]).0;
    assert_eq!(actions(&decided)[0], ("n", "start"));
}

/// A flavor of which nobody has quota is a pool without anything: no policy starts a job there.
#[test]
fn a_flavor_without_quota_is_a_pool_that_has_nothing() {
    let gpus = "nominalQuota: 8}]}, {name: spot, resources: [{name: nvidia.com/gpu, nominalQuota: 0}]}]}";
    let whole = cluster(true).replace("nominalQuota: 8}]}]}", gpus);
    let groups = whole.replace(
        ", {coveredResources: [cpu], flavors: [{name: cpu, resources: [{name: cpu, nominalQuota: 20}]}]}",
        "",
    );
    let text = groups + &workload("a", 0, 8, &json!({})) + &workload("b", 1, 500, &json!({}));
    let text = text.replace("\"minCount\":1,", "").replace("\"cpu\":2,", "").replace(",\"cpu\":2", "");
    let place = folder(&text);
    for policy in ["drf", "fifo", "hdrf", "static"] {
        let arguments = ["decide", "objects.yaml", "--policy", policy, "-o", "json"];
        let decided = ran(place.path(), &arguments).0;
        assert_eq!(actions(&decided), [("a", "start"), ("b", "reject")], "{policy}");
    }
    let (scenario, said) = ran(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    assert_eq!((scenario.as_str().unwrap(), said.as_str()), ("", ""));
    let scenario = std::fs::read_to_string(place.path().join("s.toml")).unwrap();
    assert!(
        scenario.contains("name = \"spot\"\nnodes = 1\nnode = { gpu = 0 }\ndivisible = true\n"),
        "{scenario}"
    );
    assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
}
