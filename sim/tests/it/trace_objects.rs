//! Formats of objects, JSON and YAML: the traps of Kueue, `SkyPilot` and Philly's log.

use fairshare_sim::trace::{GPU, Input, Status, Trace, TraceOptions};

use crate::trace::{load, message};
use crate::trace_formats::{fixture, load_all, names, recorded, repairs, request};

#[test]
fn kueue_traps() {
    let trace = load(&fixture("kueue.json")).unwrap();
    assert_eq!(trace.sources[0].format.name(), "kueue");
    assert_eq!(names(&trace), ["ml/train", "ml/pair"]);
    assert_eq!(
        repairs(&trace, 0),
        [("inactive", 1, vec![25]), ("still_running", 1, vec![21]), ("unlike_tasks", 1, vec![14])]
    );
    assert_eq!(request(&trace, 0), (4, 8000, 1500, 2 << 30));
    assert_eq!(trace.resources, ["rdma/ib"]);
    let shape = &trace.shapes[trace.jobs[0].shape as usize];
    assert_eq!(
        (shape.alternatives[0].amount(3), &shape.alternatives[0].pools[..]),
        (1000, &["default".into(), "h200".into()][..])
    );
    assert_eq!(trace.priorities.text(shape.priority), "high");
    assert_eq!(
        (trace.jobs[0].run_ms, trace.lengths(&trace.jobs[0]).limit_ms()),
        (3_600_000, Some(7_200_000))
    );
    assert_eq!(recorded(&trace, 0).0, Some(1_767_225_660));
    // Two workers share the CPUs of the pod set without GPUs; without admission the queue is the local one.
    assert_eq!(request(&trace, 1), (2, 1000, 5000, 0));
    assert_eq!((trace.teams.text(trace.jobs[1].team), trace.jobs[1].status), ("ml/lq", Status::Failed));
    let (make, count) = trace.cluster.nodes.iter().next().unwrap();
    assert_eq!(
        (make.accelerator.as_str(), make.gpu_milli, make.cpu_milli, *count),
        ("NVIDIA-H200", 8000, 191_000, 1)
    );
    let warnings: Vec<&str> =
        trace.warnings.iter().map(|text| text.split("json`: ").nth(1).unwrap()).collect();
    assert_eq!(
        warnings,
        [
            "objects that are no workloads or nodes are passed over: `ClusterQueue`",
            "nodes that take no pods are left out: 1",
            "1 job left out that had not ended in the record"
        ]
    );
}

/// The key of a list may stand far from its bracket; a text like it is none.
#[test]
fn kueue_lists() {
    let nodes = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list.json"), text).unwrap();
        let input = Input::parse(&format!("{}:kueue", folder.path().join("list.json").display()));
        let options = TraceOptions { partial: true, ..TraceOptions::default() };
        Trace::load(&[input], &options).unwrap().cluster.node_count()
    };
    let two = "[{\"kind\": \"Node\"}, {\"kind\": \"Node\"}]";
    assert_eq!(nodes(&format!("{{\"items\" \n : \t{two}, \"metadata\": {{\"items\": []}}}}")), 2);
    assert_eq!(nodes(&format!("{{\"kind\": \"Node\", \"metadata\": {{\"items\": {two}}}}}")), 1);
    assert_eq!(nodes(&format!("{{\"kind\": \"Node\", \"name\": \"items\", \"x\": {two}}}")), 1);
    assert_eq!(nodes(&format!("{{\"kind\": \"Node\", \"items\": {{}}, \"x\": {two}}}")), 1);
}

/// What a warning quotes from a file steers no terminal.
#[test]
fn kinds_in_warnings_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    std::fs::write(&path, "[{\"kind\": \"Node\"}, {\"kind\": \"Evil\\u001b[31m\\n\"}]").unwrap();
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    let input = Input::parse(&format!("{}:kueue", path.display()));
    let trace = Trace::load(&[input], &options).unwrap();
    assert!(trace.warnings[0].ends_with("are passed over: `Evil\\u{1b}[31m\\n`"), "{:?}", trace.warnings);
}

/// YAML that is no text is told with its place.
#[test]
fn yaml_that_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes.yaml");
    std::fs::write(&path, b"apiVersion: v1\nkind: \xc3\x84\xff\n").unwrap();
    let input = Input::parse(&format!("{}:kueue", path.display()));
    let shown = message(Trace::load(&[input], &TraceOptions::default()));
    let expected = "line 2, character 8: expected UTF-8 text, found `\\xff`";
    assert_eq!(shown, format!("failed to read trace `bytes.yaml`\n{expected}"));
}

#[test]
fn kueue_yaml() {
    let trace = load(&fixture("kueue.yaml")).unwrap();
    assert_eq!((trace.sources[0].format.name(), names(&trace)), ("kueue", vec!["bio/fold".to_owned()]));
    // The first container asks for more than the pod's own.
    assert_eq!(request(&trace, 0), (2, 0, 3000, 1 << 30));
    assert_eq!((trace.jobs[0].run_ms, trace.teams.text(0)), (10_000, "bio/lq"));
}

/// Lines of YAML are lines, of documents as of items; what is below zero is left out and not summed away.
#[test]
fn kueue_rows_that_make_no_sense() {
    let workload = |name: &str, count: &str, first: &str, second: &str| {
        format!(
            "- kind: Workload\n  metadata: {{name: {name}, creationTimestamp: 2026-01-01T00:00:00Z}}\n  spec:\n    \
             queueName: q\n    podSets:\n    - count: {count}\n      template: {{spec: {{containers: [{{resources: \
             {{requests: {{cpu: {first}}}}}}}, {{resources: {{requests: {{cpu: {second}, memory: 1Gi}}}}}}]}}}}\n  status: \
             {{conditions: [{{type: Admitted, status: 'True', lastTransitionTime: 2026-01-01T00:00:05Z}}, {{type: \
             Finished, status: 'True', lastTransitionTime: 2026-01-01T00:00:15Z}}]}}\n"
        )
    };
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}{}",
        workload("a", "3", "1", "1"),
        workload("b", "1", "-1", "1"),
        workload("c", "-1", "1", "1")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.yaml");
    std::fs::write(&path, text).unwrap();
    let trace = load(&path).unwrap();
    assert_eq!(names(&trace), ["a"]);
    assert_eq!(request(&trace, 0), (3, 0, 2000, 1 << 30));
    assert_eq!(repairs(&trace, 0), [("negative_request", 1, vec![12]), ("no_workers", 1, vec![20])]);
}

/// An equal part of the memory of unlike pods is rounded up to the byte.
#[test]
fn kueue_memory_in_equal_parts() {
    let text = r#"{"kind": "Workload", "metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"queueName": "q", "podSets": [
            {"count": 1, "template": {"spec": {"containers": [{"resources": {"requests": {"memory": "1Gi"}}}]}}},
            {"count": 3, "template": {"spec": {"containers": [{"resources": {"requests": {"x.io/gpu": 1}}}]}}}]},
        "status": {"conditions": [
            {"type": "Admitted", "status": "True", "lastTransitionTime": "2026-01-01T00:00:05Z"},
            {"type": "Finished", "status": "True", "lastTransitionTime": "2026-01-01T00:00:15Z"}]}}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.json:kueue");
    std::fs::write(path.with_file_name("one.json"), text).unwrap();
    let trace = Trace::load(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default()).unwrap();
    assert_eq!(request(&trace, 0), (3, 1000, 0, (1 << 30) / 3 + 1));
}

#[test]
fn skypilot_traps() {
    let trace = load(&fixture("skypilot.json")).unwrap();
    assert_eq!(trace.sources[0].format.name(), "skypilot");
    assert_eq!(names(&trace), ["12", "12.1", "12.2"]);
    assert_eq!(
        repairs(&trace, 0),
        [("missing_run", 1, vec![10]), ("still_running", 1, vec![9]), ("unknown_state", 1, vec![11])]
    );
    // The duration, not the span with its recovery.
    assert_eq!((trace.jobs[0].submit_ms, trace.jobs[0].run_ms), (1_767_225_600_250, 60_500));
    assert_eq!(request(&trace, 0), (2, 8000, 0, 0));
    assert_eq!(request(&trace, 2), (1, 0, 4000, 16 << 30));
    assert_eq!(trace.jobs[2].run_ms, 10_000);
    assert_eq!(trace.extras.get(2).unwrap().after, ["12.1"]);
    let shape = &trace.shapes[trace.jobs[0].shape as usize];
    assert_eq!((trace.priorities.text(shape.priority), trace.jobs[1].status), ("500", Status::Failed));
}

/// Every way in which `SkyPilot` writes resources.
#[test]
fn skypilot_resources() {
    let folder = tempfile::tempdir().unwrap();
    for (resources, expected, accelerator) in [
        ("1x[CPU:4+]", (1, 0, 4000, 0), None),
        ("2x[CPU:4]", (2, 0, 4000, 0), None),
        ("1x[CPU:0.5]", (1, 0, 500, 0), None),
        ("3x[H200:8][Spot]", (3, 8000, 0, 0), Some("H200")),
        ("1x(gpus=L4:1, cpus=8+, mem=32, disk=50)", (1, 1000, 8000, 32 << 30), Some("L4")),
        ("1x [A100-80GB:0.5]", (1, 500, 0, 0), Some("A100-80GB")),
        ("1x[m5.large, cpus=2]", (1, 0, 2000, 0), None),
        ("H200:2", (1, 2000, 0, 0), Some("H200")),
    ] {
        let record = format!(
            "{{\"jobs\": [{{\"job_id\": 1, \"status\": \"SUCCEEDED\", \"submitted_at\": 1, \"start_at\": 2, \
             \"end_at\": 3, \"accelerators\": null, \"resources\": \"{resources}\"}}], \"total\": 1}}"
        );
        let path = folder.path().join("records.json");
        std::fs::write(&path, record).unwrap();
        let trace = load(&path).unwrap();
        assert_eq!(trace.sources[0].format.name(), "skypilot");
        assert_eq!(request(&trace, 0), expected, "{resources}");
        let shape = &trace.shapes[trace.jobs[0].shape as usize];
        assert_eq!(shape.alternatives[0].accelerator.as_deref(), accelerator, "{resources}");
    }
}

#[test]
fn skypilot_task_files() {
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    let trace = load_all(&[fixture("skypilot-task.yaml")], &options).unwrap();
    assert_eq!(trace.sources[0].format.name(), "skypilot-task");
    let asked: Vec<Vec<(Option<&str>, u32, u64)>> = trace
        .jobs
        .iter()
        .map(|job| {
            let alternatives = &trace.shapes[job.shape as usize].alternatives;
            alternatives
                .iter()
                .map(|one| (one.accelerator.as_deref(), one.workers, one.amount(GPU)))
                .collect()
        })
        .collect();
    assert_eq!(
        asked,
        [
            vec![(Some("H200"), 2, 8000), (Some("A100"), 2, 16_000)],
            vec![(Some("L4"), 1, 1000), (Some("T4"), 1, 1000)],
            vec![(Some("H200"), 1, 8000)],
            vec![(None, 1, 0)],
        ]
    );
    assert_eq!(request(&trace, 0), (2, 8000, 4000, 32 << 30));
    assert_eq!(
        message(load(&fixture("skypilot-task.yaml"))),
        "failed to read trace `skypilot-task.yaml`\n\
         this file alone has no submit times and run times and teams\nhint: it can be inspected, not run"
    );
}

/// What an alternative says itself counts before what stands beside all of them.
#[test]
fn skypilot_alternatives_inherit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("task.yaml");
    let text = "resources:\n  cpus: 4\n  memory: 8\n  any_of:\n  - {accelerators: L4, cpus: 16}\n  - {accelerators: T4}\n";
    std::fs::write(&path, text).unwrap();
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    let input = Input::parse(&format!("{}:skypilot-task", path.display()));
    let trace = Trace::load(&[input], &options).unwrap();
    assert_eq!(request(&trace, 0), (1, 1000, 16_000, 8 << 30));
}

#[test]
fn json_that_is_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str, expected: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let input = Input::parse(path.to_str().unwrap());
        let shown = message(Trace::load(&[input], &TraceOptions::default()));
        assert_eq!(shown, format!("failed to read trace `{name}`\n{expected}"));
    };
    let whole = r#"[{"status": "Pass", "vc": "a", "jobid": "j1", "#;
    check(
        "cut.json",
        whole,
        "line 1, character 47: the JSON ends too early\nhint: the file was cut off on its way: fetch it again",
    );
    check(
        "vc.json",
        "[\n{\"jobid\": \"1\", \"vc\":\n 3}]",
        "line 3, character 2, column `vc`: this is no Philly job: invalid type: integer `3`, expected a string",
    );
    check(
        "number.json",
        "[{\"status\": \"Pass\", \"vc\": \"a\", \"jobid\": \"1\"}, 7]",
        "line 1, character 47: expected a JSON object, found `7`",
    );
    check(
        "time.json",
        "[{\"status\": \"Pass\", \"vc\": \"a\", \"jobid\": \"1\", \"submitted_time\": \"soon\"}]",
        "line 1, character 64, column `submitted_time`: expected a date like `2017-10-09 07:01:55`, found `soon`\n\
             hint: it is in the job `1`",
    );
    let deep = format!("[{{\"vc\": \"jobid\", \"jobid\": {}", "[".repeat(100_000));
    check("deep.json", &deep, "line 1, character 127: this is nested too deeply to be a trace");
}
