//! Amounts and numbers of pods at the bounds of what Kubernetes takes, in Kueue's objects: refused, or taken and told.

use serde_json::{Value, json};

use crate::kueue_faults::decision;
use crate::kueue_told::{decide, decided, queue, workload};
use crate::support::sim;

const QUOTA: &str = "nominalQuota: 2}";
const REQUEST: &str = "requests: {cpu: 1,";
const COUNT: &str = "    count: 1\n";

/// A queue and a workload of one pod that waits in it, something replaced.
fn with(good: &str, bad: &str) -> String {
    let text = queue("a", "all") + &workload("wa", "a", 1, false);
    assert_eq!(text.matches(good).count(), 1, "{good}");
    text.replace(good, bad)
}

fn quota(amount: &str) -> String {
    with(QUOTA, &format!("nominalQuota: {amount}}}"))
}

fn request(amount: &str) -> String {
    with(REQUEST, &format!("requests: {{cpu: {amount},"))
}

fn count(count: &str) -> String {
    with(COUNT, &format!("    count: {count}\n"))
}

const QUOTA_FIELD: &str =
    "ClusterQueue `a`, field `spec.resourceGroups[0].flavors[0].resources[0].nominalQuota`";
const CPU_FIELD: &str =
    "Workload `ns/wa`, field `spec.podSets[0].template.spec.containers[0].resources.requests.cpu`";

#[test]
fn amounts_that_are_none_are_refused() {
    let quantity = "a quantity like `500m` or `2Gi`";
    let positive = "a quantity that is not negative";
    for (amount, expected, found) in [
        ("-1", positive, "-1"),
        ("'-1m'", positive, "-1m"),
        ("-0.0000000000001", positive, "-1e-13"),
        ("'1e99999999999'", quantity, "1e99999999999"),
        ("1e", quantity, "1e"),
        ("'0x10'", quantity, "0x10"),
        ("' 1'", quantity, " 1"),
        ("'1,5'", quantity, "1,5"),
        ("1.5.0", quantity, "1.5.0"),
        ("'٣'", quantity, "٣"),
        ("true", quantity, "true"),
        ("[1]", quantity, "[1]"),
        ("''", quantity, ""),
    ] {
        for (text, place, field) in [
            (quota(amount), "line 12, character 35", QUOTA_FIELD),
            (request(amount), "line 28, character 65", CPU_FIELD),
        ] {
            let ran = decide(&text, &[]);
            let expected = format!(
                "error: failed to read Kueue objects `objects.yaml`\n{place}, {field}: expected {expected}, found `{found}`\n"
            );
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (2, "", expected), "{amount}");
        }
    }
    // A number that no float holds is none to YAML and to JSON.
    for amount in ["1e400", "-1e400", ".inf", ".nan"] {
        let ran = decide(&quota(amount), &[]);
        let expected = format!(
            "error: failed to read Kueue objects `objects.yaml`\nline 12, character 35, {QUOTA_FIELD}: this number is beyond \
             all numbers\n"
        );
        assert_eq!((ran.code, ran.stderr), (2, expected), "{amount}");
    }
    let ran = decide(
        "{\"kind\": \"ClusterQueue\", \"metadata\": {\"name\": \"a\"}, \"spec\": {\"weight\": 1e400}}",
        &[],
    );
    let expected = "error: failed to read Kueue objects `objects.yaml`\nline 1, character 72, ClusterQueue `a`, field \
                    `spec.weight`: this number is beyond all numbers\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, expected));
}

#[test]
fn a_key_that_stands_there_twice_is_told() {
    let head = "error: failed to read Kueue objects `objects.yaml`\n";
    for (text, fault) in [
        (
            "kind: ClusterQueue\nmetadata: {name: a}\nmetadata: {name: b}\n",
            "line 3, character 1: the key `metadata` stands there twice\n",
        ),
        (
            "{\"kind\": \"ClusterQueue\",\n\"metadata\": {\"name\": \"a\", \"name\": \"b\"}}",
            "line 2, character 13, ClusterQueue `b`, field `metadata`: this is no Kubernetes object: the key `name` stands \
             there twice\n",
        ),
    ] {
        let ran = decide(text, &[]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (2, "", format!("{head}{fault}")), "{text}");
    }
}

/// What is done with the workload, and the warnings.
fn outcome(text: &str) -> (Value, Value) {
    let found = decided(text);
    (found["decisions"][0]["action"].clone(), found["warnings"].clone())
}

#[test]
fn amounts_are_rounded_up_to_what_kueue_counts() {
    // A thousandth of a CPU is the least that there is, and a quota of it holds no more.
    for least in ["0.0000000000001", "'0.0000000000001'", "1n", "1e-400", "'1e-400'", "1m"] {
        assert_eq!(outcome(&request(least)), (json!("start"), json!([])), "{least}");
        let both = request(least).replace(QUOTA, &format!("nominalQuota: {least}}}"));
        assert_eq!(outcome(&both), (json!("start"), json!([])), "{least}");
        let two = request("2m").replace(QUOTA, &format!("nominalQuota: {least}}}"));
        assert_eq!(outcome(&two), (json!("reject"), json!([])), "{least}");
    }
    for (amount, action) in
        [("'-0'", "start"), ("'+2'", "start"), ("2e0", "start"), ("2.0000000001", "reject")]
    {
        assert_eq!(outcome(&request(amount)), (json!(action), json!([])), "{amount}");
    }
}

#[test]
fn amounts_beyond_what_kueue_counts_are_told() {
    let memory = |amount: &str| with("nominalQuota: 4Gi", &format!("nominalQuota: {amount}"));
    // Memory is counted in bytes, in 63 bits.
    for amount in ["1Ei", "9e18", "'9e18'", "9223372036854775807"] {
        assert_eq!(outcome(&memory(amount)), (json!("start"), json!([])), "{amount}");
    }
    let most = "more memory than Kueue counts, taken as 9223372036854775807";
    let field = "ClusterQueue `a`, field `spec.resourceGroups[0].flavors[0].resources[1].nominalQuota`";
    for amount in ["9223372036854775808", "9Ei", "'1e400'", "1e300", "'9999999999Ei'"] {
        let told = json!([format!("{field}: {most}")]);
        assert_eq!(outcome(&memory(amount)), (json!("start"), told), "{amount}");
    }
    // CPUs are counted in thousandths.
    assert_eq!(outcome(&quota("9223372036854775")), (json!("start"), json!([])));
    let most = "more cpu than Kueue counts, taken as 9223372036854775807m";
    for amount in ["1Ei", "9e18", "'1e400'", "9223372036854776"] {
        assert_eq!(outcome(&quota(amount)), (json!("start"), json!([format!("{QUOTA_FIELD}: {most}")])));
        let asks = format!("Workload `ns/wa`, field `spec.podSets[0]`: {most}");
        assert_eq!(outcome(&request(amount)), (json!("reject"), json!([asks])), "{amount}");
    }
}

#[test]
fn pods_that_ask_for_more_together_than_kueue_counts_are_told() {
    let most = "more memory than Kueue counts, taken as 9223372036854775807";
    let set = format!("Workload `ns/wa`, field `spec.podSets[0]`: {most}");
    let many = count("2147483647").replace("memory: 1Gi}}}]}}", "memory: 4Gi}}}]}}");
    assert_eq!(outcome(&many), (json!("reject"), json!([])));
    let many = count("2147483647").replace("memory: 1Gi}}}]}}", "memory: 5Gi}}}]}}");
    assert_eq!(outcome(&many), (json!("reject"), json!([set])));
    let container = "{resources: {requests: {cpu: 1, memory: 1Gi}}}";
    let two =
        with(container, "{resources: {requests: {memory: 5e18}}}, {resources: {limits: {memory: 5e18}}}");
    assert_eq!(outcome(&two), (json!("reject"), json!([set])));
    let admitted = queue("a", "all")
        + &workload("wa", "a", 1, true).replace("resourceUsage: {cpu: 1,", "resourceUsage: {cpu: 9e18,");
    let field = "Workload `ns/wa`, field `status.admission.podSetAssignments[0].resourceUsage.cpu`";
    let usage = format!("{field}: more cpu than Kueue counts, taken as 9223372036854775807m");
    let beyond = "ClusterQueue `a` holds more cpu of flavor `default` than it could ever use";
    assert_eq!(decided(&admitted)["warnings"], json!([usage, beyond]));
}

#[test]
fn what_is_added_is_counted_alike() {
    let told = |name: &str, job: &str| -> Value {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("objects.yaml"), queue("a", "all")).unwrap();
        std::fs::write(place.path().join(name), job).unwrap();
        let arguments = ["decide", "objects.yaml", "--add", name, "--queue", "ns/a", "-o", "json"];
        let ran = sim(place.path(), &arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["warnings"].clone()
    };
    let task = |resources: &str| format!("name: t\nnum_nodes: 2\nresources: {{{resources}}}\n");
    let most = |what: &str, most: &str| {
        json!([format!(
            "SkyPilot task `t`, field `resources`: more {what} than Kueue counts, taken as {most}"
        )])
    };
    assert_eq!(told("t.yaml", &task("cpus: 4e15")), json!([]));
    assert_eq!(told("t.yaml", &task("cpus: 5e15+")), most("cpu", "9223372036854775807m"));
    assert_eq!(told("t.yaml", &task("memory: '1e400'")), most("memory", "9223372036854775807"));
    let many = |nodes: &str| task("accelerators: 'H200:9e15'").replace("num_nodes: 2", nodes);
    assert_eq!(told("t.yaml", &many("num_nodes: 2")), json!([]));
    assert_eq!(told("t.yaml", &many("num_nodes: 2000")), most("GPUs of the task", "9223372036854775807"));
    let job = "kind: Job\nmetadata: {namespace: ns, name: j}\nspec:\n  parallelism: 3\n  template: {spec: {containers: \
               [{resources: {requests: {memory: 4Ei}}}]}}\n";
    let template =
        "Job `ns/j`, field `spec.template.spec`: more memory than Kueue counts, taken as 9223372036854775807";
    assert_eq!(told("j.yaml", job), json!([template]));
}

#[test]
fn numbers_of_pods_are_whole_and_have_32_bits() {
    for bad in ["-1", "1.5", "1.0", "'1'", "2147483648", "4294967295", "9223372036854775808", "1e3"] {
        let ran = decide(&count(bad), &[]);
        let found = if bad == "1e3" { "1000.0" } else { bad.trim_matches('\'') };
        let expected = format!(
            "error: failed to read Kueue objects `objects.yaml`\nline 27, character 12, Workload `ns/wa`, field \
             `spec.podSets[0].count`: expected a number of pods, found `{found}`\n"
        );
        assert_eq!((ran.code, ran.stderr), (2, expected), "{bad}");
    }
    let ran = decide(&count("0\n    minCount: 1"), &[]);
    let expected = "error: failed to read Kueue objects `objects.yaml`\nline 28, character 15, Workload `ns/wa`, field \
                    `spec.podSets[0].minCount`: expected at most the count, 0, found `1`\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, expected));
}

#[test]
fn a_set_of_no_pods_starts_and_holds_nothing() {
    let flavors = json!({"cpu": "default", "memory": "default"});
    let free = |name: &str, flavors: &Value| json!({"job": name, "action": "start", "pool": null, "flavors": flavors, "victims": [], "why": "its quota is free"});
    assert_eq!(decided(&count("0"))["decisions"], json!([free("wa", &flavors)]));
    // Beside a set that asks for all there is, and of what its queue has no quota of.
    let set = "  - name: more\n    count: 0\n    template: {spec: {containers: [{resources: {requests: {cpu: 1, gpu: 1}}}]}}\n";
    let beside = queue("a", "all") + &workload("wa", "a", 2, false) + set;
    assert_eq!(decided(&beside)["decisions"], json!([free("wa", &json!([flavors, {"cpu": "default"}]))]));
    // One that is admitted holds nothing.
    let admitted = workload("wz", "a", 0, true) + &workload("wb", "a", 2, false);
    assert_eq!(decided(&(queue("a", "all") + &admitted))["decisions"], json!([free("wb", &flavors)]));
}

/// Whatever else there is, one that nobody could count is looked at by Kueue's rules alone.
#[test]
fn what_asks_for_more_than_a_scenario_counts_comes_through_the_import_as_an_object() {
    for ask in ["{cpu: \"99999999999999\", memory: 1Gi}", "{cpu: 1, memory: 8Ei}"] {
        let large = workload("wa", "a", 4, false).replace("{cpu: 1, memory: 1Gi}", ask);
        let text = queue("a", "all") + &large + &queue("b", "all") + &workload("wb", "b", 1, false);
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("objects.yaml"), text).unwrap();
        let ran = sim(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
        let told = "note: workload `ns/wa` asks for more than a scenario can count: it stays an object, at which Kueue's rules \
                    alone look\n";
        assert!(ran.code == 0 && ran.stderr.ends_with(told), "{}", ran.stderr);
        assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    }
}

/// Zero of something is given a flavor, which the import keeps.
#[test]
fn an_explicit_zero_comes_through_the_import() {
    let text = queue("a", "all")
        + &workload("wa", "a", 1, false).replace("{cpu: 1, memory: 1Gi}", "{cpu: \"0\", memory: 1Gi}");
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("objects.yaml"), text).unwrap();
    let ran = sim(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let decided = decision(place.path(), "objects.yaml");
    assert_eq!(decided["decisions"][0]["flavors"], json!({"cpu": "default", "memory": "default"}));
    assert_eq!(decision(place.path(), "s.toml"), decided);
}

#[test]
fn what_asks_for_nothing_comes_through_the_import_as_an_object() {
    let pods = "{requests: {cpu: 1, memory: 1Gi}}";
    let none = workload("wc", "a", 1, false).replace(pods, "{}");
    let text = queue("a", "all")
        + &workload("wz", "a", 0, true)
        + &workload("wa", "a", 0, false)
        + &workload("wb", "a", 2, false)
        + &none;
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("objects.yaml"), text).unwrap();
    let ran = sim(place.path(), &["kueue", "import", "objects.yaml", "--out", "s.toml"]);
    let told = |name: &str| {
        format!(
            "note: workload `ns/{name}` asks for nothing: it stays an object, at which Kueue's rules alone look\n"
        )
    };
    assert_eq!((ran.code, ran.stderr), (0, [told("wz"), told("wa"), told("wc")].concat()));
    assert_eq!(decision(place.path(), "s.toml"), decision(place.path(), "objects.yaml"));
    let ran = sim(place.path(), &["decide", "objects.yaml", "--policy", "drf", "-o", "json"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let names: Vec<&Value> = found["decisions"].as_array().unwrap().iter().map(|it| &it["job"]).collect();
    assert_eq!(names, ["wb"]);
}
