//! Kueue's own cases through `sim decide`: each is written as Kubernetes objects, as text, and read back as people's are.
//!
//! The cases are those that the library runs, in `tests/it/kueue/cases.txt` of the core. What a snapshot cannot carry
//! (a request added to every node, a single formula, a list of candidates) stays with the library alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::sim;

const CASES: &str = include_str!("../../../tests/it/kueue/cases.txt");

pub(crate) type Line = Vec<&'static str>;
/// Flavors with the lines of their quotas.
type Flavors<'a> = Vec<(&'a str, Vec<&'a Line>)>;

fn get<'a>(line: &[&'a str], key: &str) -> Option<&'a str> {
    line.iter()
        .find_map(|word| word.split_once('=').filter(|(known, _)| *known == key).map(|(_, value)| value))
}

/// Flavor, resource and amount of the words like `default/cpu=2`.
fn amounts<'a>(line: &[&'a str]) -> Vec<(&'a str, &'a str, &'a str)> {
    line.iter()
        .filter_map(|word| {
            let (pair, value) = word.split_once('=')?;
            let (flavor, resource) = pair.split_once('/')?;
            Some((flavor, resource, value.trim_end_matches(":fits")))
        })
        .collect()
}

pub(crate) fn cases() -> Vec<(&'static str, Vec<Line>)> {
    let mut cases: Vec<(&str, Vec<Line>)> = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Line = line.split_whitespace().collect();
        if words[0] == "case" {
            cases.push((words[1], Vec::new()));
        } else {
            cases.last_mut().unwrap().1.push(words);
        }
    }
    cases
}

/// Documents of YAML, in one of the two versions of Kueue's objects.
struct Writer {
    version: &'static str,
    text: String,
    /// With the resources of which it has quota.
    flavors: BTreeMap<String, BTreeSet<String>>,
    /// Who asks for room may run on nothing but the flavors that the case names.
    forced: bool,
}

impl Writer {
    fn object(&mut self, kind: &str, name: &str, namespace: bool, rest: &str) {
        let place = if namespace { "\n  namespace: team" } else { "" };
        let _ = write!(
            self.text,
            "---\napiVersion: kueue.x-k8s.io/{}\nkind: {kind}\nmetadata:\n  name: \"{name}\"\n  uid: \"{name}\"{place}\n\
             {rest}",
            self.version
        );
    }

    /// The quota lines of a node as resource groups: what shares a flavor or a resource is in one.
    fn groups(&mut self, quotas: &[&Line]) -> String {
        let mut groups: Vec<(BTreeSet<&str>, Flavors<'_>)> = Vec::new();
        for line in quotas {
            let (flavor, resource, _) = amounts(line)[0];
            self.flavors.entry(flavor.to_owned()).or_default().insert(resource.to_owned());
            let at = groups.iter().position(|(resources, flavors)| {
                resources.contains(resource) || flavors.iter().any(|(name, _)| *name == flavor)
            });
            let at = at.unwrap_or_else(|| {
                groups.push((BTreeSet::new(), Vec::new()));
                groups.len() - 1
            });
            groups[at].0.insert(resource);
            match groups[at].1.iter_mut().find(|(name, _)| *name == flavor) {
                Some((_, lines)) => lines.push(line),
                None => groups[at].1.push((flavor, vec![line])),
            }
        }
        let mut text = if groups.is_empty() { String::new() } else { "  resourceGroups:\n".to_owned() };
        for (resources, flavors) in groups {
            let names: Vec<String> = resources.iter().map(|name| format!("\"{name}\"")).collect();
            let _ = writeln!(text, "  - coveredResources: [{}]\n    flavors:", names.join(", "));
            for (flavor, lines) in flavors {
                let _ = writeln!(text, "    - name: \"{flavor}\"\n      resources:");
                for line in lines {
                    let (_, resource, nominal) = amounts(line)[0];
                    let _ = writeln!(text, "      - name: {resource}\n        nominalQuota: {nominal}");
                    for (key, field) in [("borrow", "borrowingLimit"), ("lend", "lendingLimit")] {
                        if let Some(limit) = get(line, key) {
                            let _ = writeln!(text, "        {field}: \"{limit}\"");
                        }
                    }
                }
            }
        }
        text
    }

    fn node(&mut self, line: &Line, quotas: &[&Line], by_usage: bool) {
        let is_queue = line[0] == "queue";
        let mut spec = String::from("spec:\n");
        let old = self.version == "v1beta1";
        if let Some(above) = get(line, "in") {
            let field = match (is_queue, old) {
                (true, true) => "cohort",
                (true, false) => "cohortName",
                (false, _) => "parentName",
            };
            let _ = writeln!(spec, "  {field}: {above}");
        }
        if let Some(weight) = get(line, "weight") {
            let _ = writeln!(spec, "  fairSharing: {{weight: \"{weight}\"}}");
        }
        if is_queue {
            spec += "  namespaceSelector: {}\n  preemption:\n";
            let _ = writeln!(spec, "    withinClusterQueue: {}", get(line, "within").unwrap_or("Never"));
            let _ = writeln!(spec, "    reclaimWithinCohort: {}", get(line, "reclaim").unwrap_or("Never"));
            if let Some(most) = get(line, "borrow") {
                spec += "    borrowWithinCohort:\n      policy: LowerPriority\n";
                if most != "any" {
                    let _ = writeln!(spec, "      maxPriorityThreshold: {most}");
                }
            }
            if by_usage {
                spec += "  admissionScope: {admissionMode: UsageBasedAdmissionFairSharing}\n";
            }
        }
        spec += &self.groups(quotas);
        self.object(if is_queue { "ClusterQueue" } else { "Cohort" }, line[1], false, &spec);
        if is_queue {
            let spec = format!("spec: {{clusterQueue: \"{}\"}}\n", line[1]);
            self.object("LocalQueue", &format!("of-{}", line[1]), true, &spec);
        }
    }

    /// Seconds before noon; the later, the newer.
    fn time(millis: &str) -> String {
        let millis: i64 = millis.parse().unwrap();
        let at = 12 * 3_600_000 + millis;
        format!(
            "2026-03-01T{:02}:{:02}:{:02}.{:03}Z",
            at / 3_600_000,
            at / 60_000 % 60,
            at / 1_000 % 60,
            at % 1_000
        )
    }

    /// The flavors of a case as a selector of nodes, where they are forced: one label for each resource.
    fn selector(&self, line: &Line) -> String {
        if !self.forced || line[0] != "preempt" {
            return String::new();
        }
        let asked = amounts(line);
        let labels: Vec<String> =
            asked.iter().map(|(flavor, resource, _)| format!("\"{resource}\": \"{flavor}\"")).collect();
        format!("        nodeSelector: {{{}}}\n", labels.join(", "))
    }

    fn workload(&mut self, line: &Line, queue: &str) {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "  creationTimestamp: \"{}\"\nspec:\n  queueName: {queue}\n  priority: {}\n  podSets:\n  - name: main\n    count: 1\
             \n    template:\n      spec:\n{}        containers:\n        - name: c\n          resources:\n            requests:",
            Self::time(get(line, "created").unwrap_or("0")),
            get(line, "priority").unwrap_or("0"),
            self.selector(line),
        );
        // Of two flavors of one resource the last: what is held counts, not what was asked.
        let asked: BTreeMap<&str, &str> =
            amounts(line).iter().map(|(_, resource, amount)| (*resource, *amount)).collect();
        for (resource, amount) in asked {
            let _ = writeln!(text, "              {resource}: \"{amount}\"");
        }
        if line[0] == "running" {
            let since = Self::time(get(line, "since").unwrap_or("0"));
            let _ = writeln!(
                text,
                "status:\n  conditions:\n  - {{type: QuotaReserved, status: \"True\", lastTransitionTime: \"{since}\"}}"
            );
            if line.contains(&"evicted") {
                let _ = writeln!(
                    text,
                    "  - {{type: Evicted, status: \"True\", reason: Preempted, lastTransitionTime: \"{since}\"}}"
                );
            }
            let _ = writeln!(text, "  admission:\n    clusterQueue: {}", get(line, "in").unwrap());
            text += "    podSetAssignments:\n";
            // One pod set for each flavor of a resource: a set has one flavor of each.
            for (at, (flavor, resource, amount)) in amounts(line).into_iter().enumerate() {
                let _ = writeln!(
                    text,
                    "    - name: part{at}\n      flavors: {{\"{resource}\": \"{flavor}\"}}\n      resourceUsage: {{\"{resource}\": \
                     \"{amount}\"}}\n      count: 1"
                );
            }
        }
        self.object("Workload", line[1], true, &text);
    }
}

/// A queue that is asked for what it has no quota of gets one of zero: without it Kueue does not look at the cohort.
fn unnamed(lines: &[Line], queue: &str, quotas: &[&Line]) -> Vec<Line> {
    let asked = lines.iter().filter(|line| line[0] == "preempt" && get(line, "in") == Some(queue));
    asked
        .flat_map(|line| line.iter().copied())
        .filter_map(|word| word.split_once('=').filter(|(pair, _)| pair.contains('/')).map(|(pair, _)| pair))
        .filter(|pair| !quotas.iter().any(|line| line[1].split_once('=').unwrap().0 == *pair))
        .map(|pair| vec!["quota", ZERO.iter().find(|zero| zero.strip_suffix("=0") == Some(pair)).unwrap()])
        .collect()
}

const ZERO: [&str; 2] = ["default/cpu=0", "default/memory=0"];

/// The objects of a case.
pub(crate) fn write(lines: &[Line], version: &'static str) -> String {
    write_all(lines, version, false)
}

fn write_all(lines: &[Line], version: &'static str, forced: bool) -> String {
    let mut writer = Writer { version, text: String::new(), flavors: BTreeMap::new(), forced };
    let by_usage = lines.iter().any(|line| line[0] == "by-local-usage");
    for (at, line) in lines.iter().enumerate() {
        match line[0] {
            "queue" | "cohort" => {
                let mut quotas: Vec<&Line> =
                    lines[at + 1..].iter().take_while(|line| line[0] == "quota").collect();
                let none = unnamed(lines, line[1], &quotas);
                quotas.extend(&none);
                writer.node(line, &quotas, by_usage);
            }
            "running" | "pending" | "preempt" => {
                let queue = format!("of-{}", get(line, "in").unwrap());
                writer.workload(line, &queue);
            }
            "waiting" => writer.workload(line, get(line, "local").unwrap()),
            "local" => {
                let consumed: Vec<String> = line[2..]
                    .iter()
                    .filter_map(|word| word.split_once('='))
                    .filter(|(key, _)| *key != "weight")
                    .map(|(resource, amount)| format!("\"{resource}\": \"{amount}\""))
                    .collect();
                let rest = format!(
                    "spec:\n  clusterQueue: cq\n  fairSharing: {{weight: \"{}\"}}\nstatus:\n  fairSharing:\n    \
                     admissionFairSharingStatus:\n      consumedResources: {{{}}}\n      lastUpdate: \
                     \"2026-03-01T12:00:00Z\"\n",
                    get(line, "weight").unwrap_or("1"),
                    consumed.join(", ")
                );
                writer.object("LocalQueue", line[1], true, &rest);
            }
            "head" => {
                let line: Line = vec!["queue", "cq"];
                let quota: Line = vec!["quota", "default/cpu=1"];
                writer.node(&line, &[&quota], by_usage);
            }
            _ => {}
        }
    }
    for (flavor, resources) in writer.flavors.clone() {
        let label = |resource: &String| format!("\"{resource}\": \"{flavor}\"");
        let labels: Vec<String> = resources.iter().filter(|_| forced).map(label).collect();
        let spec = format!("spec: {{nodeLabels: {{{}}}}}\n", labels.join(", "));
        writer.object("ResourceFlavor", &flavor, false, &spec);
    }
    writer.text
}

fn decide(folder: &std::path::Path, lines: &[Line], version: &'static str, forced: bool) -> Value {
    let objects = write_all(lines, version, forced);
    std::fs::write(folder.join("objects.yaml"), &objects).unwrap();
    let fair = lines.iter().find(|line| line[0] == "fair");
    let sharing = format!("--fair-sharing={}", fair.is_some());
    let mut arguments = vec!["decide", "objects.yaml", &sharing, "-o", "json"];
    let strategies = fair.filter(|line| line.len() > 1).map(|line| line[1..].join(","));
    if let Some(strategies) = &strategies {
        arguments.extend(["--strategies", strategies]);
    }
    let ran = sim(folder, &arguments);
    assert_eq!(ran.code, 0, "{}\n{objects}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Compares with what the case expects; whether that was asked.
fn check(name: &str, lines: &[Line], decided: &Value) -> bool {
    let decisions: BTreeMap<&str, &Value> = decided["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| (decision["job"].as_str().unwrap(), decision))
        .collect();
    let named = |word: &str| lines.iter().find(|line| line[0] == word).map(|line| &line[1..]);
    let order: Vec<&str> =
        decided["order"].as_array().unwrap().iter().map(|job| job.as_str().unwrap()).collect();
    let mut asked = false;
    for (at, line) in lines.iter().enumerate() {
        match line[0] {
            "preempt" => {
                let expected: BTreeSet<(&str, &str)> = lines[at + 1..]
                    .iter()
                    .take_while(|line| line[0] == "victim")
                    .map(|line| (line[1], line[2]))
                    .collect();
                let decision = decisions[line[1]];
                // The case takes a flavor as given that its queue would not choose if it might run on others.
                let chosen = &decision["flavors"];
                if chosen.is_object()
                    && amounts(line).iter().any(|(flavor, resource, _)| chosen[resource] != *flavor)
                {
                    return false;
                }
                let found: BTreeSet<(&str, &str)> = decision["victims"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|victim| (victim["job"].as_str().unwrap(), victim["reason"].as_str().unwrap()))
                    .collect();
                assert_eq!(found, expected, "{name}: {decision}");
                // Nobody is evicted because nobody may be, or would help, or has to be.
                assert_eq!(decision["action"] == "evict-for", !expected.is_empty(), "{name}: {decision}");
            }
            "starts" => {
                let started: BTreeSet<&str> =
                    decisions.iter().filter(|(_, it)| it["action"] == "start").map(|(job, _)| *job).collect();
                assert_eq!(started, line[1..].iter().copied().collect(), "{name}");
                assert_eq!(order, named("order").unwrap(), "{name}");
            }
            "head" => assert_eq!(order, &line[1..], "{name}"),
            "share" if !lines.iter().any(|line| line[0] == "extra") => {
                let shares = decided["shares"].as_array().unwrap();
                let share = shares.iter().find(|share| share["name"] == line[1]).unwrap();
                assert_eq!(share["weighted_share"].to_string(), line[2], "{name}: {}", line[1]);
                assert_eq!(
                    share["dominant_resource"].as_str().unwrap_or("-"),
                    line[3],
                    "{name}: {}",
                    line[1]
                );
            }
            _ => continue,
        }
        asked = true;
    }
    asked
}

#[test]
fn kueues_own_cases_as_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (mut asked, mut failed) = (0, Vec::new());
    for (at, (name, lines)) in cases().iter().enumerate() {
        let version = if at % 2 == 0 { "v1beta1" } else { "v1beta2" };
        let carried = lines.iter().any(|line| ["preempt", "starts", "head", "share"].contains(&line[0]));
        if !carried {
            continue;
        }
        let folder = folder.path();
        let ask = |forced| check(name, lines, &decide(folder, lines, version, forced));
        match std::panic::catch_unwind(|| ask(false) || ask(true)) {
            Ok(was_asked) => asked += usize::from(was_asked),
            Err(_) => failed.push(*name),
        }
    }
    assert!(failed.is_empty(), "{} fail: {failed:?}", failed.len());
    // 44 preemptions, 7 cycles, 3 heads, and the 6 of 8 shares that need no request added to every node.
    assert_eq!(asked, 60);
}
