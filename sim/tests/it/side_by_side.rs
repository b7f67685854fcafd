//! The table of policies in COMPARE.md says what runs give: the rows of the bundled trace always, but for those that take
//! seconds, in release builds all of them for which the trace is there, but for those that take minutes.

use std::path::Path;

use serde_json::Value;

use crate::support::sim;

/// The cells of the table, row by row.
fn rows(root: &Path) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root.join("COMPARE.md")).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| trace | policy |")).skip(2);
    let row =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace(',', "")).collect();
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

/// Scenario and trace of a row, where they are there.
fn inputs(trace: &str) -> Option<Vec<String>> {
    let recorded = |file: &str| Some(crate::traces_dir()?.join(file).to_str()?.to_owned());
    let (scenario, trace) = match trace {
        "bundled" => ("traces/demo/scenario.toml", None),
        "bundled quotas" => {
            ("traces/scenarios/demo-quotas.toml", Some("traces/demo/trace.csv.gz".to_owned()))
        }
        "Philly" => ("traces/scenarios/philly.toml", Some(recorded("philly-2017/philly.csv.gz")?)),
        "Philly quotas" => ("docs/studies/philly.toml", Some(recorded("philly-2017/philly.csv.gz")?)),
        "RICC" => ("traces/scenarios/ricc.toml", Some(recorded("swf/RICC-2010-2.swf.gz")?)),
        other => panic!("no such trace: {other}"),
    };
    let more = trace.into_iter().flat_map(|trace| ["--trace".to_owned(), trace]);
    Some(std::iter::once(scenario.to_owned()).chain(more).collect())
}

/// What a run gives, as a row writes it.
fn measured(trace: &str, summary: &Value) -> Vec<String> {
    let whole = |value: &Value| format!("{:.0}", value.as_f64().unwrap());
    let part = |value: &Value| format!("{:.3}", value.as_f64().unwrap());
    let (wait, used) = (&summary["wait_s"], &summary["utilization"]);
    // Where nobody is evicted, nothing is said of it.
    let lost = summary["evictions"]["lost_gpu_hours"].as_f64().unwrap_or(0.0);
    vec![
        whole(&wait["p50"]),
        whole(&wait["p95"]),
        whole(&wait["mean"]),
        part(&used[if trace == "RICC" { "cpu" } else { "gpu" }]),
        part(&summary["fairness"]["jain"]),
        whole(&summary["jobs"]["preemptions"]),
        if trace == "RICC" { "–".to_owned() } else { format!("{lost:.0}") },
    ]
}

#[test]
fn rows_of_the_table_are_what_runs_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for row in rows(&root) {
        let [trace, policy, cells @ ..] = &row[..] else { panic!("a short row: {row:?}") };
        // Commas between settings went with those between digits.
        let policy = policy
            .trim_matches('`')
            .replace("fair_sharing", ",fair_sharing")
            .replace("preemption", ",preemption");
        let takes_seconds = policy.starts_with("kueue") && policy.contains("preemption");
        let takes_long = takes_seconds || !trace.starts_with("bundled");
        let takes_minutes = trace.starts_with("Philly") && policy.contains("preemption");
        if cfg!(debug_assertions) && takes_long
            || takes_minutes
            || cfg!(not(feature = "lp")) && policy == "gavel"
        {
            continue;
        }
        let Some(inputs) = inputs(trace) else { continue };
        // What happened is no policy of a run: it stands beside one.
        let happened = policy == "recorded";
        let mut arguments =
            vec![if happened { "compare" } else { "run" }, "-q", "-o", "json", "--policy", &policy];
        arguments.extend(happened.then_some(["--policy", "fifo"]).into_iter().flatten());
        arguments.extend(inputs.iter().map(String::as_str));
        let ran = sim(&root, &arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
        let summary = if happened { &summary["policies"][0] } else { &summary };
        assert_eq!(measured(trace, summary), cells, "{trace} {policy}");
        seen += 1;
    }
    assert!(seen >= 16, "{seen} rows of the bundled trace alone");
}
