//! The report as bytes: what every chart shows is behind its link, the policy names digests, and figures are the summary's.
//! That it works in a browser is tested by `.ci/report.mjs`.

use std::fs;
use std::path::Path;

use crate::cli::set_up;
use crate::support::sim;

/// Two priced pools of nodes and one divisible; a name that would break out of HTML and CSV.
const SCENARIO: &str = "\
[[pool]]
name = \"big\"
nodes = 2
node = { gpu = 4 }
price = { gpu_hour = 2 }

[[pool]]
name = \"a,\\\"<b>\"
nodes = 1
node = { gpu = 2 }
divisible = true
price = { gpu_hour = 1 }
";
/// Nine teams, so that one of them has no colour of its own.
fn jobs() -> String {
    let row =
        |job: usize| format!("{job},{},{},\"t,{}\",{}\n", job * 5, 20 + job % 7 * 100, job % 9, 1 + job % 4);
    format!("job_id,submit_s,run_s,team,gpu\n{}", (0..60).map(row).collect::<Vec<_>>().concat())
}

/// A chart of the page: its name, its numbers of marks, the rows behind its link.
struct Chart {
    id: String,
    svg: String,
    rows: Vec<Vec<String>>,
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        if first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn charts(page: &str) -> Vec<Chart> {
    let figures = page.split("<figure class=\"chart\" id=\"").skip(1);
    let chart = |text: &str| {
        let (id, rest) = text.split_once('"').unwrap();
        let (svg, rest) = rest.split_once("<figcaption>").unwrap();
        let (_, rest) = rest.split_once("href=\"data:text/csv;charset=utf-8,").unwrap();
        let table = decoded(rest.split_once('"').unwrap().0);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
        let row =
            |row: Result<csv::StringRecord, csv::Error>| row.unwrap().iter().map(str::to_owned).collect();
        Chart { id: id.to_owned(), svg: svg.to_owned(), rows: reader.records().map(row).collect() }
    };
    figures.map(chart).collect()
}

fn page(folder: &Path) -> String {
    let ran = sim(folder, &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--check", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs::read_to_string(folder.join("out/report.html")).unwrap()
}

#[test]
fn every_mark_has_its_row_and_figures_are_those_of_the_summary() {
    let folder = set_up(SCENARIO, jobs().as_bytes());
    let page = page(folder.path());
    let charts = charts(&page);
    let ids: Vec<&str> = charts.iter().map(|chart| chart.id.as_str()).collect();
    let expected = [
        "pool0",
        "pool1",
        "busy",
        "shares",
        "entitled",
        "queue",
        "queue-amount",
        "waits",
        "slowdown",
        "cost",
        "lives",
    ];
    assert_eq!(ids, expected);
    for chart in &charts {
        assert_eq!(chart.svg.matches("class=\"m ").count(), chart.rows.len() - 1, "{}", chart.id);
    }
    let summary = fs::read_to_string(folder.path().join("out/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let cost = charts.iter().find(|chart| chart.id == "cost").unwrap();
    for (index, team) in summary["teams"].as_array().unwrap().iter().enumerate() {
        let row = &cost.rows[index + 1];
        assert_eq!(row[0], team["name"].as_str().unwrap());
        assert_eq!(
            row[1].parse::<f64>().unwrap().to_string(),
            team["cost_usd"].as_f64().unwrap().to_string()
        );
        assert!(cost.svg.contains(&format!("data-v=\"{}\"", row[1])), "{row:?}");
    }
    // The area under a pool's layers is what its jobs held: the mean of all slices is the utilization.
    let utilization = summary["pools"][0]["utilization"]["gpu"].as_f64().unwrap();
    let slices = charts[0].rows.iter().skip(1);
    let held: f64 =
        slices.flat_map(|row| row.iter().skip(1)).map(|value| value.parse::<f64>().unwrap()).sum();
    assert!((held / 240.0 / 8.0 - utilization).abs() < 1e-3, "{held} {utilization}");
    // The area under the queue is all waiting.
    let waits = summary["wait_s"]["mean"].as_f64().unwrap() * 60.0;
    let queue = charts.iter().find(|chart| chart.id == "queue").unwrap();
    let depth: f64 = queue
        .rows
        .iter()
        .skip(1)
        .flat_map(|row| row.iter().skip(1))
        .map(|value| value.parse::<f64>().unwrap())
        .sum();
    let span = summary["makespan_s"].as_f64().unwrap();
    assert!((depth / 240.0 * span / waits - 1.0).abs() < 1e-2, "{depth} {waits}");
}

#[test]
fn the_line_of_the_capacity_moves_with_it() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 2\nnode = { gpu = 2 }\n";
    let lost = "[[capacity]]\npool = 'l4'\nfrom = 50\nnodes = 1\n";
    let limit = |scenario: &str| {
        let folder = set_up(scenario, b"job_id,submit_s,run_s,team,gpu\n1,0,100,a,2\n");
        let page = page(folder.path());
        let (_, line) = page.split_once("class=\"limit\" d=\"").unwrap();
        (line.split_once('"').unwrap().0.to_owned(), page)
    };
    let (line, page) = limit(scenario);
    assert_eq!(line.matches('V').count(), 0, "{line}");
    assert!(page.contains("<small>50.0% of 4 GPUs used</small>"));
    let (line, page) = limit(&format!("{scenario}{lost}"));
    let heights: Vec<&str> = line.split('V').skip(1).map(|step| step.split_once('H').unwrap().0).collect();
    let (before, after) = heights.split_at(heights.len() / 2);
    assert!(before.iter().all(|at| *at == before[0]) && after.iter().all(|at| *at == after[1]), "{line}");
    assert_ne!(before[0], after[1]);
    assert!(page.contains("<small>66.7% of at most 4 GPUs used</small>"));
}

#[test]
fn the_page_is_one_file_that_fetches_nothing() {
    let folder = set_up(SCENARIO, jobs().as_bytes());
    let page = page(folder.path());
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"));
    assert!(page.contains("script-src 'sha256-"));
    for fetched in ["http://", "https://", "src=", "@import", "url(", " style=", " onclick", "<b>", "<link"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert_eq!(page.matches("<title id=").count(), page.matches("<desc id=").count());
}

#[test]
fn a_run_of_nothing_still_has_a_page() {
    let folder = set_up(SCENARIO, b"job_id,submit_s,run_s,team,gpu\n");
    assert!(charts(&page(folder.path())).is_empty());
}
