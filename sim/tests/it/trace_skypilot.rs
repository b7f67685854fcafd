//! `SkyPilot`: what its task files and job records ask for, in all the ways in which they may say it.

use fairshare_sim::trace::{GPU, Input, Trace, TraceError, TraceOptions};

use crate::support::sim;
use crate::trace::{folder, message, write};
use crate::trace_formats::{names, repairs, request};

fn tasks(text: &str, strict: bool) -> Result<Trace, TraceError> {
    let folder = folder();
    let path = write(&folder, "task.yaml", text.as_bytes());
    let options = TraceOptions { partial: true, strict, ..TraceOptions::default() };
    Trace::load(&[Input::parse(&format!("{}:skypilot-task", path.display()))], &options)
}

/// Accelerators of all alternatives of a job with their GPUs a worker, in thousandths.
fn asked(trace: &Trace, job: usize) -> Vec<(Option<&str>, u64)> {
    let alternatives = &trace.shapes[trace.jobs[job].shape as usize].alternatives;
    alternatives.iter().map(|one| (one.accelerator.as_deref(), one.amount(GPU))).collect()
}

/// The document that names a pipeline is no job, whether tasks follow it or jobs are added from it.
#[test]
fn the_head_of_a_pipeline_is_no_job() {
    let two = "name: p\n---\nname: a\nresources: {accelerators: H200:8}\n---\nresources: {cpus: 4}\n";
    let found = tasks(two, true).unwrap();
    assert_eq!((names(&found), found.sources[0].rows), (vec!["1".to_owned(), "2".to_owned()], 2));
    assert_eq!(asked(&found, 0), [(Some("H200"), 8_000)]);
    // Only what stands first is a head, and a file of one document is a task.
    let late = tasks("resources: {cpus: 4}\n---\nname: p\n", false).unwrap();
    assert_eq!(repairs(&late, 0), [("no_request", 1, vec![3])]);
    let alone = tasks("name: p\n", false).unwrap();
    assert_eq!((alone.sources[0].rows, repairs(&alone, 0)), (1, vec![("no_request", 1, vec![1])]));
}

/// A choice without GPUs beside ones with GPUs cannot be said; it is counted, and the others count as they are.
#[test]
fn a_choice_without_gpus_is_counted() {
    for (choices, cpus) in [
        ("[{accelerators: H200:8}, {cpus: 64}]", 0),
        ("[{cpus: 64}, {accelerators: H200:8, cpus: 16}]", 16_000),
    ] {
        for key in ["any_of", "ordered"] {
            let found = tasks(&format!("resources:\n  {key}: {choices}\n"), true).unwrap();
            assert_eq!(asked(&found, 0), [(Some("H200"), 8_000)]);
            assert_eq!(request(&found, 0), (1, 8_000, cpus, 0), "{choices}");
            assert_eq!(repairs(&found, 0), [("choice_without_gpus", 1, vec![1])]);
        }
    }
    let all = tasks("resources:\n  any_of: [{cpus: 4}, {cpus: 64}]\n", true).unwrap();
    assert_eq!((request(&all, 0), repairs(&all, 0)), ((1, 0, 4_000, 0), Vec::new()));
    let all = tasks("resources:\n  accelerators: L4\n  any_of: [{cpus: 4}, {cpus: 64}]\n", true).unwrap();
    assert_eq!((request(&all, 0), repairs(&all, 0)), ((1, 1_000, 4_000, 0), Vec::new()));
}

/// `gpus` is another word for `accelerators`, in what is added to a snapshot too.
#[test]
fn gpus_are_accelerators() {
    for (resources, expected) in [
        ("gpus: H200:8", vec![(Some("H200"), 8_000)]),
        ("gpus: {L4: 2}", vec![(Some("L4"), 2_000)]),
        ("any_of: [{gpus: L4}, {accelerators: T4:2}]", vec![(Some("L4"), 1_000), (Some("T4"), 2_000)]),
        ("{gpus: L4, any_of: [{cpus: 4}]}", vec![(Some("L4"), 1_000)]),
        ("{gpus: L4:2, ordered: []}", vec![(Some("L4"), 2_000)]),
    ] {
        let found = tasks(&format!("resources:\n  {resources}\n"), true).unwrap();
        assert_eq!(asked(&found, 0), expected, "{resources}");
    }
    let found = message(tasks("resources:\n  gpus: H200:many\n", false));
    let expected = "line 2, character 9, column `resources.gpus`: expected accelerators like `H200:8`, found `H200:many`";
    assert!(found.ends_with(expected), "{found}");
}

/// Memory has a unit, and `4x` is so many GiB for each CPU.
#[test]
fn memory_of_tasks_has_units() {
    const MIB: u64 = 1 << 20;
    for (memory, bytes) in [
        ("32", 32 << 30),
        ("32+", 32 << 30),
        ("0.5", 512 * MIB),
        ("512MB", 512 * MIB),
        ("512mb+", 512 * MIB),
        ("2048KB", 2 * MIB),
        ("64Gi", 64 << 30),
        ("1.5TiB", 1536 << 30),
        ("1p", 1 << 50),
        ("4x", 32 << 30),
        ("0.5x+", 4 << 30),
    ] {
        let found = tasks(&format!("resources:\n  memory: {memory}\n  cpus: 8\n"), true).unwrap();
        assert_eq!(request(&found, 0), (1, 0, 8_000, bytes), "{memory}");
    }
    // Of CPUs that nobody names there are no multiples.
    let found = tasks("resources:\n  memory: 4x\n  accelerators: L4\n", true).unwrap();
    assert_eq!(request(&found, 0), (1, 1_000, 0, 0));
    for memory in ["x", "MB", "-4", "4xx", "4EB", "4 GB x"] {
        let found = message(tasks(&format!("resources:\n  memory: {memory}\n"), false));
        assert!(
            found.contains("column `resources.memory`: expected an amount of memory like `32` or `32+`"),
            "{found}"
        );
    }
}

/// A record that names no accelerators asks for those that it has in words.
#[test]
fn no_accelerators_are_no_word_against_those_in_words() {
    let folder = folder();
    for none in ["{}", "null", "\"\"", "[]"] {
        let record = format!(
            "[{{\"job_id\": 1, \"status\": \"SUCCEEDED\", \"submitted_at\": 1, \"start_at\": 2, \"end_at\": 3, \
             \"accelerators\": {none}, \"resources\": \"1x[H200:8]\"}}]"
        );
        let path = write(&folder, "records.json", record.as_bytes());
        let found = crate::trace::load(&path).unwrap();
        assert_eq!(asked(&found, 0), [(Some("H200"), 8_000)], "{none}");
    }
}

/// `sim decide --add` reads the same words.
#[test]
fn tasks_that_are_added_are_read_alike() {
    let folder = folder();
    let objects = "apiVersion: kueue.x-k8s.io/v1beta1\nkind: ResourceFlavor\nmetadata: {name: f}\n---\n\
        apiVersion: kueue.x-k8s.io/v1beta1\nkind: ClusterQueue\nmetadata: {name: q}\nspec:\n  namespaceSelector: {}\n  \
        resourceGroups:\n  - coveredResources: [cpu, memory, nvidia.com/gpu]\n    flavors:\n    - name: f\n      resources:\n      \
        - {name: cpu, nominalQuota: 8}\n      - {name: memory, nominalQuota: 32Gi}\n      - {name: nvidia.com/gpu, nominalQuota: 8}\n---\n\
        apiVersion: kueue.x-k8s.io/v1beta1\nkind: LocalQueue\nmetadata: {name: l, namespace: n}\nspec: {clusterQueue: q}\n";
    write(&folder, "objects.yaml", objects.as_bytes());
    for (resources, fits) in [
        ("gpus: H200:8", true),
        ("gpus: H200:9", false),
        ("{cpus: 8, memory: 4x}", true),
        ("{cpus: 8, memory: 4.5x}", false),
        ("memory: 32768MB", true),
        ("memory: 32769MB", false),
    ] {
        let task = format!("name: t\nresources:\n  {resources}\n");
        write(&folder, "task.yaml", task.as_bytes());
        let ran = sim(
            folder.path(),
            &["decide", "objects.yaml", "--add", "task.yaml", "--queue", "n/l", "-o", "json"],
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let decided: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let started = decided["decisions"].as_array().unwrap().iter().any(|one| one["action"] == "start");
        assert_eq!(started, fits, "{resources}: {decided}");
    }
}

/// Every way to write accelerators, with what is asked for.
const WRITTEN: [(&str, &[(&str, u64)]); 21] = [
    ("H200:8", &[("H200", 8)]),
    ("H200", &[("H200", 1)]),
    ("{H200: 8}", &[("H200", 8)]),
    ("{H200:8}", &[("H200", 8)]),
    ("{H200: '8'}", &[("H200", 8)]),
    ("{H200:1e1}", &[("H200", 10)]),
    ("{12345: 2}", &[("12345", 2)]),
    ("[{H200: 8}]", &[("H200", 8)]),
    ("[{H200:8}]", &[("H200", 8)]),
    ("['H200:8']", &[("H200", 8)]),
    ("\"{'H200': 8}\"", &[("H200", 8)]),
    ("'{H200:8}'", &[("H200", 8)]),
    ("'{H200:8, A100:4}'", &[("H200", 8), ("A100", 4)]),
    ("{H200:8, A100:4}", &[("H200", 8), ("A100", 4)]),
    ("{H200: 8, A100: 4}", &[("H200", 8), ("A100", 4)]),
    ("{A100: 4, H200: 8}", &[("A100", 4), ("H200", 8)]),
    ("{L4: 2, V100: 8, A100: 4}", &[("L4", 2), ("V100", 8), ("A100", 4)]),
    ("[H200:8, A100:4]", &[("H200", 8), ("A100", 4)]),
    ("[{V100: 8, A100: 4}, L4:2]", &[("V100", 8), ("A100", 4), ("L4", 2)]),
    ("[]", &[]),
    ("{}", &[]),
];

/// Whether `sim decide --add` starts a task on so many GPUs; nothing where it refuses its accelerators.
fn starts(task: &str, gpus: u64) -> Option<bool> {
    let folder = folder();
    let objects = "apiVersion: kueue.x-k8s.io/v1beta1\nkind: ResourceFlavor\nmetadata: {name: f}\n---\n\
        apiVersion: kueue.x-k8s.io/v1beta1\nkind: ClusterQueue\nmetadata: {name: q}\nspec:\n  namespaceSelector: {}\n  \
        resourceGroups:\n  - coveredResources: [cpu, nvidia.com/gpu]\n    flavors:\n    - name: f\n      resources:\n      \
        - {name: cpu, nominalQuota: 8}\n      - {name: nvidia.com/gpu, nominalQuota: GPUS}\n---\n\
        apiVersion: kueue.x-k8s.io/v1beta1\nkind: LocalQueue\nmetadata: {name: l, namespace: n}\nspec: {clusterQueue: q}\n";
    write(&folder, "objects.yaml", objects.replace("GPUS", &gpus.to_string()).as_bytes());
    write(&folder, "task.yaml", task.as_bytes());
    let arguments = ["decide", "objects.yaml", "--add", "task.yaml", "--queue", "n/l", "-o", "json"];
    let ran = sim(folder.path(), &arguments);
    if ran.code != 0 {
        assert!(ran.stderr.contains("expected accelerators like `H200:8`"), "{task}: {}", ran.stderr);
        return None;
    }
    let decided: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    Some(decided["decisions"].as_array().unwrap().iter().any(|one| one["action"] == "start"))
}

/// Accelerators are what they are, for an inspection and for what is added: of candidates the first that is written counts.
#[test]
fn accelerators_are_the_same_for_both() {
    let folder = folder();
    for (written, expected) in WRITTEN {
        for key in ["accelerators", "gpus"] {
            let task = format!("name: t\nresources:\n  cpus: 1\n  {key}: {written}\n");
            let found = tasks(&task, true).unwrap();
            let alternatives = asked(&found, 0).into_iter().map(|(name, gpus)| (name.unwrap_or(""), gpus));
            let expected_here = expected.iter().map(|&(name, gpus)| (name, gpus * 1_000)).collect::<Vec<_>>();
            let alternatives = alternatives.filter(|&(name, _)| !name.is_empty()).collect::<Vec<_>>();
            assert_eq!(alternatives, expected_here, "{written}");
            let gpus = expected.first().map_or(0, |&(_, gpus)| gpus);
            assert_eq!(starts(&task, gpus), Some(true), "{written}");
            if gpus > 0 {
                assert_eq!(starts(&task, gpus - 1), Some(false), "{written}");
            }
        }
    }
    // A part of a GPU is counted as one.
    let part = "name: t\nresources: {cpus: 1, accelerators: {H200: 0.5}}\n";
    assert_eq!(asked(&tasks(part, true).unwrap(), 0), [(Some("H200"), 500)]);
    assert_eq!((starts(part, 0), starts(part, 1)), (Some(false), Some(true)));
    for written in [
        "H200:8k",
        "{H200: 8k}",
        "H200:1e19",
        "[[H200:8]]",
        "{H200: [8]}",
        "{H200: true}",
        "8",
        "true",
        "[8]",
    ] {
        let task = format!("name: t\nresources:\n  cpus: 1\n  accelerators: {written}\n");
        let refused = message(tasks(&task, false));
        assert!(refused.contains("expected accelerators like `H200:8`"), "{written}: {refused}");
        assert_eq!(starts(&task, 8), None, "{written}");
    }
    // In a choice the order is that of the choice, in JSON too.
    for text in [
        "name: t\nresources: {cpus: 1, any_of: [{accelerators: {H200: 8, A100: 4}}, {accelerators: L4}]}\n",
        "{\"name\": \"t\", \"resources\": {\"cpus\": 1, \"any_of\": [{\"accelerators\": {\"H200\": 8, \"A100\": 4}}]}}",
        "name: p\n---\nname: a\nresources: {cpus: 1, accelerators: {H200: 8, A100: 4}}\n---\nresources: {cpus: 1}\n",
    ] {
        assert_eq!(
            asked(&tasks(text, true).unwrap(), 0)[..2],
            [(Some("H200"), 8_000), (Some("A100"), 4_000)]
        );
        assert_eq!((starts(text, 7), starts(text, 8)), (Some(false), Some(true)), "{text}");
    }
    // Of a record too.
    let record = "[{\"job_id\": 1, \"status\": \"SUCCEEDED\", \"submitted_at\": 1, \"start_at\": 2, \"end_at\": 3, \
                  \"accelerators\": {\"H200\": 8, \"A100\": 4}}]";
    let found = crate::trace::load(&write(&folder, "records.json", record.as_bytes())).unwrap();
    assert_eq!(asked(&found, 0), [(Some("H200"), 8_000), (Some("A100"), 4_000)]);
}

/// `{L4:8, A10g:8}` without blanks is a mapping in YAML, whose keys hold the counts and whose values are null.
#[test]
fn a_set_of_candidates_has_its_counts_in_the_keys() {
    for (set, expected) in [
        ("{L4:8, A10g:4}", vec![(Some("L4"), 8_000), (Some("A10g"), 4_000)]),
        ("{L4:8}", vec![(Some("L4"), 8_000)]),
        ("{L4}", vec![(Some("L4"), 1_000)]),
        ("{L4, A10g: 4}", vec![(Some("L4"), 1_000), (Some("A10g"), 4_000)]),
    ] {
        let mut found = asked(&tasks(&format!("resources:\n  accelerators: {set}\n"), true).unwrap(), 0)
            .into_iter()
            .map(|(name, gpus)| (name.map(str::to_owned), gpus))
            .collect::<Vec<_>>();
        let mut expected: Vec<_> =
            expected.into_iter().map(|(name, gpus)| (name.map(str::to_owned), gpus)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{set}");
    }
    for set in ["{L4:many}", "{L4:8:8}", "{'L4:8': 8}", "{'': }"] {
        let refused = message(tasks(&format!("resources:\n  accelerators: {set}\n"), false));
        assert!(refused.contains("expected accelerators like `H200:8`"), "{set}: {refused}");
    }
}
