//! Scenarios written from traces run the traces that they were made from.

use std::path::{Path, PathBuf};

use crate::support::sim;
use crate::trace::{folder, write};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Converts the files to a trace and a scenario, runs one on the other, and gives the scenario and why jobs are rejected.
fn there_and_run(folder: &Path, files: &[PathBuf]) -> (String, u64, Vec<String>) {
    let mut arguments = vec!["trace", "convert", "--out", "jobs.csv", "--scenario", "pools.toml"];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let converted = sim(folder, &arguments);
    assert_eq!(converted.code, 0, "{}", converted.stderr);
    let ran = sim(folder, &["run", "pools.toml", "--trace", "jobs.csv", "--check", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let warnings = summary["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    let rejected = warnings.filter(|text| text.contains("rejected")).map(str::to_owned).collect();
    let scenario = std::fs::read_to_string(folder.join("pools.toml")).unwrap();
    (scenario, summary["jobs"]["submitted"].as_u64().unwrap(), rejected)
}

#[test]
fn quotas_of_gpus_leave_room_for_what_jobs_ask_besides() {
    let folder = folder();
    let files = [fixture("helios.csv"), fixture("helios-quotas.csv")];
    let (scenario, submitted, rejected) = there_and_run(folder.path(), &files);
    assert_eq!((submitted, rejected), (5, Vec::new()));
    // Job 3 has 96 CPUs for 16 GPUs, job 2 six for one, job 1 eight a node and no GPU.
    let pool = "# The quotas count GPUs. Of all else a node has as much as the largest job takes.\n\
                [[pool]]\nname = \"gpu\"\nnodes = 3\nnode = { gpu = 8, cpu = 48 }\n\n";
    assert!(scenario.starts_with(pool), "{scenario}");
}

#[test]
fn node_lists_run_their_own_jobs() {
    let folder = folder();
    let (_, submitted, rejected) =
        there_and_run(folder.path(), &[fixture("philly-log.json"), fixture("philly-machines.csv")]);
    assert_eq!((submitted, rejected), (2, Vec::new()));
    let pai = ["pai_job_table.csv", "pai_task_table.csv", "pai_machine_spec.csv"].map(fixture);
    let (_, submitted, rejected) = there_and_run(folder.path(), &pai);
    // The machines of the fixture are a few of many: none is of type MISC.
    let missing = "1 job rejected: no pool is of the type that the job asks for (first: job `job3`)";
    assert_eq!((submitted, rejected), (3, vec![missing.to_owned()]));
    let openb = [fixture("openb-nodes.csv"), fixture("openb-pods.csv")];
    let (_, submitted, rejected) = there_and_run(folder.path(), &openb);
    let missing = "1 job rejected: no pool is of the type that the job asks for (first: job `p0`)";
    assert_eq!((submitted, rejected), (2, vec![missing.to_owned()]));
}

/// One pod of openb is bound to nodes of type G2 and asks for more cores than one has; all others run.
#[test]
fn openb_runs_on_its_own_nodes() {
    let Some(traces) = crate::traces_dir() else { return };
    let at = |name: &str| traces.join("openb-2023").join(name);
    let folder = folder();
    let nodes = at("openb_node_list_all_node.csv.gz");
    let default = at("openb_pod_list_default.csv.gz");
    let (_, submitted, rejected) = there_and_run(folder.path(), &[nodes.clone(), default]);
    assert_eq!((submitted, rejected), (8_152, Vec::new()));
    let bound = at("openb_pod_list_gpuspec33.csv.gz");
    let (_, submitted, rejected) = there_and_run(folder.path(), &[nodes, bound]);
    let too_large = "1 job rejected: a worker asks for more than a node has in any eligible pool (first: job \
                     `openb-pod-1639`, cpu 120 asked, 96 in `g2`)";
    assert_eq!((submitted, rejected), (8_152, vec![too_large.to_owned()]));
}

/// The commands in the head of a scenario, with the folder of the real traces put in.
fn documented(head: &str, traces: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = Vec::new();
    for line in head.lines().map_while(|line| line.strip_prefix('#')) {
        let words = line.split_whitespace().map(|word| word.replace("$FAIRSHARE_TRACES", traces));
        match line.trim_start() {
            text if text.starts_with("sim ") => commands.push(words.skip(1).collect()),
            text if text.starts_with("--") => commands.last_mut().unwrap().extend(words),
            _ => {}
        }
    }
    commands
}

/// What a scenario says that one types works. Those that take long are only looked at: their files are there.
#[test]
fn the_documented_commands_work() {
    let Some(traces) = crate::traces_dir() else { return };
    let traces = traces.canonicalize().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut seen, mut ran) = (0, Vec::new());
    for file in std::fs::read_dir(root.join("traces/scenarios")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for command in documented(&text, traces.to_str().unwrap()) {
            seen += 1;
            // Three dots stand for what the command above says.
            let paths = command.iter().filter(|word| word.contains('/') && !word.contains('='));
            for path in paths {
                assert!(root.join(path).is_file(), "{name}: {path}");
            }
            if ["gavel", "decide", "shares", "demo-quotas"].contains(&name.as_str()) {
                let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
                if name == "gavel" && cfg!(not(feature = "lp")) {
                    words.extend(["--policy", "drf"]);
                }
                let done = sim(root, &words);
                assert_eq!(done.code, 0, "{words:?}: {}", done.stderr);
                ran.push(name.clone());
            }
        }
    }
    ran.sort_unstable();
    ran.dedup();
    assert!(seen > 10 && ran == ["decide", "demo-quotas", "gavel", "shares"], "{seen}, {ran:?}");
}

/// Two nodes and a workload for each flavor; `flavors` are objects more.
fn cluster(flavors: &str) -> String {
    let node = |name: &str, tier: &str, gpus: u32| {
        format!(
            "- apiVersion: v1\n  kind: Node\n  metadata:\n    name: {name}\n    labels: {{ kubernetes.io/hostname: {name}, \
             tier: {tier}, nvidia.com/gpu.product: NVIDIA-H200 }}\n  status:\n    allocatable: {{ cpu: '96', memory: 1Ti, \
             nvidia.com/gpu: '{gpus}', rdma/ib: '4' }}\n"
        )
    };
    let workload = |name: &str, flavor: &str| {
        let condition = |kind: &str, minute: u32| {
            format!("{{ type: {kind}, status: 'True', lastTransitionTime: '2026-01-01T00:0{minute}:00Z' }}")
        };
        format!(
            "- apiVersion: kueue.x-k8s.io/v1beta2\n  kind: Workload\n  metadata: {{ namespace: ml, name: {name}, \
             creationTimestamp: '2026-01-01T00:00:00Z' }}\n  spec:\n    queueName: lq\n    podSets:\n    - count: 1\n      \
             template: {{ spec: {{ containers: [{{ resources: {{ requests: {{ cpu: 4, nvidia.com/gpu: 2, rdma/ib: 1 }} }} \
             }}] }} }}\n  status:\n    admission: {{ clusterQueue: cq, podSetAssignments: [{{ name: main, flavors: {{ \
             nvidia.com/gpu: {flavor} }} }}] }}\n    conditions: [{}, {}]\n",
            condition("Admitted", 1),
            condition("Finished", 5)
        )
    };
    [
        "apiVersion: v1\nkind: List\nitems:\n".to_owned(),
        node("a", "gold", 8),
        node("b", "gold", 8),
        node("c", "tin", 4),
        workload("first", "large"),
        workload("second", "small"),
        flavors.to_owned(),
    ]
    .concat()
}

/// Jobs name Kueue's flavors, so the pools are called as those, and further resources of nodes are in them.
#[test]
fn nodes_of_a_flavor_are_a_pool_of_its_name() {
    let folder = folder();
    let flavor = |name: &str, tier: &str| {
        format!(
            "- apiVersion: kueue.x-k8s.io/v1beta2\n  kind: ResourceFlavor\n  metadata: {{ name: {name} }}\n  spec: {{ \
             nodeLabels: {{ tier: {tier} }} }}\n"
        )
    };
    let known = [flavor("large", "gold"), flavor("small", "tin")].concat();
    let path = write(&folder, "all.yaml", cluster(&known).as_bytes());
    let (scenario, submitted, rejected) = there_and_run(folder.path(), &[path]);
    assert_eq!((submitted, rejected), (2, Vec::new()), "{scenario}");
    let pool = |name: &str, nodes: u32, gpus: u32| {
        format!(
            "[[pool]]\nname = \"{name}\"\naccelerator = \"NVIDIA-H200\"\nnodes = {nodes}\nnode = {{ gpu = {gpus}, cpu = 96, \
             memory = \"1024GiB\", \"rdma/ib\" = 4 }}\n\n"
        )
    };
    assert_eq!(scenario, pool("small", 1, 4) + &pool("large", 2, 8));
}

#[test]
fn pools_that_nobody_describes_are_named() {
    let folder = folder();
    write(&folder, "all.yaml", cluster("").as_bytes());
    let ran = sim(
        folder.path(),
        &["trace", "convert", "all.yaml", "--out", "jobs.csv", "--scenario", "pools.toml"],
    );
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            0,
            "format: `all.yaml` reads as kueue\n\
             warning: jobs name pools of which no node is known: `large`, `small`; name the list of flavors (`kubectl get \
             resourceflavors -o json`) with the other files\n\
             warning: `all.yaml`: partitions and queues are not written, the native format has no columns for them\n\
             2 jobs written\n"
        )
    );
    // Where the flavor is described, its list is not what is missing.
    let flavor = "- apiVersion: kueue.x-k8s.io/v1beta2\n  kind: ResourceFlavor\n  metadata: { name: NAME }\n  spec: {}\n";
    let flavors = flavor.replace("NAME", "a") + &flavor.replace("NAME", "large");
    write(&folder, "described.yaml", cluster(&flavors).as_bytes());
    let arguments = ["trace", "convert", "described.yaml", "--out", "jobs.csv", "--scenario", "pools.toml"];
    let ran = sim(folder.path(), &arguments);
    let warnings: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("jobs name")).collect();
    assert_eq!(
        warnings,
        [
            "warning: jobs name flavors to which no node is left: `large`; a node belongs to the flavor of which it has the \
             most labels: add a pool for these jobs",
            "warning: jobs name pools of which no node is known: `small`; name the list of flavors (`kubectl get \
             resourceflavors -o json`) with the other files"
        ]
    );
    // The only flavor that jobs name is the only pool that there is.
    let one = cluster("").replace("nvidia.com/gpu: '4'", "nvidia.com/gpu: '8'").replace("small", "large");
    let path = write(&folder, "one.yaml", one.as_bytes());
    let (scenario, submitted, rejected) = there_and_run(folder.path(), &[path]);
    assert_eq!((submitted, rejected), (2, Vec::new()), "{scenario}");
    // Jobs that take their CPUs of another flavor name both, and one of them is enough.
    let both = one.replace("nvidia.com/gpu: large }", "nvidia.com/gpu: large, cpu: other }");
    assert_ne!(both, one);
    let path = write(&folder, "both.yaml", both.as_bytes());
    let (scenario, submitted, rejected) = there_and_run(folder.path(), &[path]);
    assert_eq!((submitted, rejected), (2, Vec::new()), "{scenario}");
}

/// A team without GPUs on the last day is there all the same: its quota is zero, and its changes stand above it.
#[test]
fn teams_without_a_quota_on_the_last_day_are_written() {
    let folder = folder();
    let days = "2020-04-01,8,0,8,16\n2020-04-02,8,0,8,16\n2020-04-03,16,0,0,16\n";
    write(&folder, "quotas.csv", format!("date,vcA,vcB,vcC,total\n{days}").as_bytes());
    let ran = sim(folder.path(), &["trace", "convert", "quotas.csv", "--scenario", "pools.toml", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let scenario = std::fs::read_to_string(folder.path().join("pools.toml")).unwrap();
    let teams = "# GPUs: 8 from 2020-04-01, 16 from 2020-04-03\n[[team]]\nname = \"vcA\"\nweight = 16\n\
                 quota = { gpu = { gpu = 16 } }\n\n\
                 # GPUs: 0 from 2020-04-01\n[[team]]\nname = \"vcB\"\n# A weight is above zero.\nweight = 1\n\
                 quota = { gpu = { gpu = 0 } }\n\n\
                 # GPUs: 8 from 2020-04-01, 0 from 2020-04-03\n[[team]]\nname = \"vcC\"\n# A weight is above zero.\n\
                 weight = 1\nquota = { gpu = { gpu = 0 } }\n\n";
    assert!(scenario.ends_with(teams), "{scenario}");
    // Nobody is guaranteed anything of it, and it runs on what others leave.
    write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,gpu\n1,2020-04-03T00:00:00Z,60,vcC,8\n");
    let ran = sim(folder.path(), &["run", "pools.toml", "--trace", "jobs.csv", "--check", "-o", "json"]);
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &summary["jobs"]["completed"]), (0, &1.into()), "{}", ran.stderr);
}

/// All 25 teams of the recorded quotas are in the scenario that is made of them.
#[test]
fn all_teams_of_earth_are_written() {
    let Some(traces) = crate::traces_dir() else { return };
    let path = traces.join("helios-2020/Earth_gpu_number.csv");
    let folder = folder();
    let ran = sim(
        folder.path(),
        &["trace", "convert", path.to_str().unwrap(), "--scenario", "pools.toml", "-q", "--out", "jobs.csv"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let scenario = std::fs::read_to_string(folder.path().join("pools.toml")).unwrap();
    assert_eq!(scenario.matches("[[team]]").count(), 25);
    assert!(scenario.contains("\"vc8Sj\""), "{scenario}");
}
