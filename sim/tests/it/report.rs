//! The report as bytes: what every chart shows is behind its link, the policy names digests, and figures are the summary's.
//! That it works in a browser is tested by `.ci/report.mjs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
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
/// Weights of two of the teams.
const WEIGHTS: &str = "[[team]]\nname = \"t,0\"\nweight = 4\n[[team]]\nname = \"t,1\"\nweight = 0.5\n";
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

/// The page, the file and the summary tell one evenness, not one each.
#[test]
fn shares_on_the_page_are_those_of_the_file_of_series() {
    let folder = set_up(&format!("{SCENARIO}{WEIGHTS}"), jobs().as_bytes());
    let page = page(folder.path());
    let charts = charts(&page);
    let mut reader = csv::Reader::from_path(folder.path().join("out/series.csv")).unwrap();
    let mut file: BTreeMap<(&str, String, String), f64> = BTreeMap::new();
    for row in reader.records().map(Result::unwrap) {
        let (chart, line) = match &row[2] {
            "jain" => ("shares", "Jain"),
            "share" => ("shares", &row[5]),
            "weighted_share" => ("weighted", &row[5]),
            "entitlement" => ("entitled", &row[5]),
            _ => continue,
        };
        file.insert((chart, line.to_owned(), row[0].to_owned()), row[6].parse().unwrap());
    }
    let drawn = charts.iter().filter(|chart| ["shares", "weighted", "entitled"].contains(&chart.id.as_str()));
    let drawn: Vec<&Chart> = drawn.collect();
    assert_eq!(drawn.len(), 3);
    for chart in drawn {
        assert_eq!(chart.rows.len(), 241);
        for (row, (column, name)) in chart.rows[1..]
            .iter()
            .flat_map(|row| chart.rows[0].iter().enumerate().skip(1).map(move |column| (row, column)))
        {
            // Rows of nothing are left out of the file.
            let key = (chart.id.as_str(), name.clone(), row[0].clone());
            let (shown, expected) = (row[column].parse::<f64>().unwrap(), file.remove(&key).unwrap_or(0.0));
            assert!((shown - expected).abs() < 6e-4, "{key:?}: {shown} and {expected}");
        }
    }
    let left: BTreeSet<&String> = file.keys().map(|(_, team, _)| team).collect();
    assert_eq!(left.len(), 1, "all but the team without a colour is on the page: {left:?}");
}

/// Where teams have unlike weights, what each holds for a unit of its weight is told beside what it holds.
#[test]
fn shares_over_weights_are_shares_divided_by_them() {
    let folder = set_up(&format!("{SCENARIO}{WEIGHTS}"), jobs().as_bytes());
    let _ = page(folder.path());
    let series = fs::read_to_string(folder.path().join("out/series.csv")).unwrap();
    let of = |measure: &str| -> BTreeMap<(String, String), f64> {
        let mut reader = csv::Reader::from_reader(series.as_bytes());
        let rows = reader.records().map(Result::unwrap).filter(|row| &row[2] == measure);
        rows.map(|row| ((row[5].to_owned(), row[0].to_owned()), row[6].parse().unwrap())).collect()
    };
    let (shares, weighted) = (of("share"), of("weighted_share"));
    assert!(shares.len() > 100 && shares.keys().eq(weighted.keys()), "a row of one for each of the other");
    for (key, share) in &shares {
        let weight = match key.0.as_str() {
            "t,0" => 4.0,
            "t,1" => 0.5,
            _ => 1.0,
        };
        assert!((share / weight - weighted[key]).abs() < 1e-12, "{key:?}: {share} and {}", weighted[key]);
    }
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

/// While one node of four is up the line is at a quarter of the height of all four, whatever teams hold meanwhile.
#[test]
fn the_line_of_the_capacity_is_what_is_up_alone() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 4\nnode = { gpu = 4 }\n\
                    [[capacity]]\npool = 'l4'\nfrom = 3000\nnodes = 1\n\
                    [[capacity]]\npool = 'l4'\nfrom = 9000\nnodes = 3\n";
    let jobs = b"job_id,submit_s,run_s,team,gpu\n1,0,12000,a,4\n2,0,2900,a,12\n3,0,1000,b,4\n";
    let folder = set_up(scenario, jobs);
    let page = page(folder.path());
    let (_, line) = page.split_once("class=\"limit\" d=\"M").unwrap();
    let line = line.split_once('"').unwrap().0;
    let (first, rest) = line.split_once('H').unwrap();
    let place = |text: &str| text.parse::<f64>().unwrap();
    let rest = rest.split('V').skip(1).map(|step| place(step.split_once('H').unwrap().0));
    let heights: Vec<f64> = std::iter::once(place(first.split_once(' ').unwrap().1)).chain(rest).collect();
    let whole = 220.0 - heights[0];
    let parts = [heights[30], heights[120], heights[210]].map(|at| (220.0 - at) / whole);
    for (part, expected) in parts.iter().zip([1.0, 0.25, 0.75]) {
        assert!((part - expected).abs() < 2e-3, "{parts:?} of {line}");
    }
    assert!(heights.iter().all(|at| (12.0..=220.0).contains(at)), "in the picture: {line}");
}

#[test]
fn every_line_of_waits_ends_at_all_and_every_column_has_a_name() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n";
    let jobs = b"job_id,submit_s,run_s,team,gpu\n1,0,1300,a,1\n2,0,2300.5,b,1\n3,0,471,b,1\n4,0,10,c,1\n5,4100,7,b,1\n";
    let folder = set_up(scenario, jobs);
    let charts = charts(&page(folder.path()));
    let waits = charts.iter().find(|chart| chart.id == "waits").unwrap();
    assert_eq!(waits.rows[0], ["at_most_s", "a", "b", "c"]);
    let last = waits.rows.last().unwrap();
    assert_eq!(last[1..], ["1", "1", "1"], "{last:?}");
    let before = &waits.rows[waits.rows.len() - 2];
    assert_eq!(before[2], "0.667", "the longest wait is that of one job of team b: {before:?}");
    assert_eq!(last[0], "3610.5", "and the line ends with it");
    for chart in &charts {
        assert!(chart.rows[0].iter().all(|name| !name.is_empty()), "{}: {:?}", chart.id, chart.rows[0]);
    }
    let pool = charts.iter().find(|chart| chart.id == "pool0").unwrap();
    assert_eq!(pool.rows[0], ["after_s", "a", "b", "c"], "three teams, three columns");
}

/// Five parts of a cent each, of which printed parts must make two cents and a half, rounded once.
#[test]
fn costs_on_the_page_are_those_of_the_terminal_and_add_up() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 8 }\nprice = { gpu_hour = 1 }\n";
    let row = |team: usize| format!("{team},0,{},t{team},1\n", 198 + team);
    let jobs = (0..8).map(row).collect::<Vec<_>>().concat();
    let folder = set_up(scenario, format!("job_id,submit_s,run_s,team,gpu\n{jobs}").as_bytes());
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let table = page.split_once("<h2>Teams</h2>").unwrap().1.split_once("</table>").unwrap().0;
    let mut sum = 0;
    for team in 0..8 {
        let name = format!("t{team} ");
        let line = ran.stdout.lines().find(|line| line.starts_with(&name)).unwrap();
        let cost = line.rsplit(' ').next().unwrap();
        assert!(table.contains(&format!("</i>t{team}</th>")), "{table}");
        let row = table.split_once(&format!("</i>t{team}</th>")).unwrap().1.split_once("</tr>").unwrap().0;
        assert!(row.ends_with(&format!("<td>{cost}</td>")), "{line} on the page: {row}");
        let label = format!(">t{team}</text>");
        let bar = page.split_once(&label).unwrap().1.split_once("</text>").unwrap().0;
        assert!(bar.ends_with(&format!(">{cost}")), "{line} as a bar: {bar}");
        sum += cost.trim_start_matches("$0.").parse::<u32>().unwrap();
    }
    let head = ran.stdout.lines().find(|line| line.starts_with("cost")).unwrap();
    let cents = |text: &str| text.trim_start_matches("$0.").parse::<u32>().unwrap();
    let words: Vec<&str> = head.split_whitespace().collect();
    let [total, allocated, idle] = [words[1], words[3], words[6]].map(cents);
    assert_eq!((allocated + idle, sum), (total, allocated), "{head}");
}

/// A job that is rejected has no row, and is not among those that are counted.
#[test]
fn single_lives_are_all_only_where_all_jobs_started() {
    let title = |jobs: &str| {
        let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n";
        let folder = set_up(scenario, format!("job_id,submit_s,run_s,team,gpu\n{jobs}").as_bytes());
        let page = page(folder.path());
        let lives = page.split("<section>").find(|section| section.contains("id=\"lives\"")).unwrap();
        lives.split_once("<h2>").unwrap().1.split_once("</h2>").unwrap().0.to_owned()
    };
    assert_eq!(title("1,0,9,a,1\n2,0,9,a,1\n"), "All 2 jobs");
    assert_eq!(title("1,0,9,a,1\n2,0,9,a,1\n3,0,9,a,2\n"), "The 2 jobs that started");
    assert_eq!(title("1,0,9,a,1\n"), "The job");
    assert_eq!(title("1,0,9,a,1\n2,0,9,a,2\n"), "The job that started");
}

/// One job waits for weeks; the others are told apart all the same.
#[test]
fn single_lives_are_those_that_start_with_the_longest_wait() {
    let scenario =
        "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 2 }\n[policy]\nbackfill = 'best-effort'\n";
    let mut jobs = "job_id,submit_s,run_s,team,gpu\nfirst,0,1000000,a,1\nlong,1,600,a,2\n".to_owned();
    for job in 0..1_200 {
        let _ = writeln!(jobs, "{job},{},600,b,1", 2 + job * 1_000);
    }
    let folder = set_up(scenario, jobs.as_bytes());
    let page = page(folder.path());
    let charts = charts(&page);
    let lives = charts.iter().find(|chart| chart.id == "lives").unwrap();
    let rows: Vec<&Vec<String>> = lives.rows.iter().skip(1).collect();
    assert_eq!(lives.svg.matches("class=\"m ").count(), rows.len());
    assert!(rows.len() <= 500 && rows.len() > 400, "{}", rows.len());
    let number = |text: &str| text.parse::<f64>().unwrap();
    let long = rows.iter().find(|row| row[0] == "long").unwrap();
    assert!(number(&long[2]) < -400_000.0, "its wait begins long before what is shown: {long:?}");
    let (_, to) = page.split_once("id=\"lives\"").unwrap().1.split_once("data-to=\"").unwrap();
    let width = number(to.split_once('"').unwrap().0) / 1_000.0;
    assert!(width < 1_000_000.0, "{width}");
    let inside = rows.iter().filter(|row| (0.0..=width).contains(&number(&row[3]))).count();
    assert!(inside + 1 >= rows.len(), "they start in what is shown: {inside} of {}", rows.len());
    assert!(lives.svg.contains("class=\"beyond"), "the long wait is cut at the edge, with a mark");
    assert!(page.contains("jobs that start around the one that waited longest</h2>"));
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

/// A panel for each pool, with fewer slices where there are many: an organisation of thirty pools and forty teams has a page
/// that is as small as that of others.
#[test]
fn a_page_of_many_pools_has_a_panel_for_each_and_stays_small() {
    for (pools, slices) in [(3, 240), (12, 60), (30, 24)] {
        let pool = |pool: u64| {
            let node = "nodes = 4\nnode = { gpu = 8 }\nprice = { gpu_hour = 1 }";
            format!("[[pool]]\nname = 'pool-{pool}'\n{node}\n")
        };
        let scenario: String = (0..pools).map(pool).collect();
        let row = |job: u64| {
            let (run, gpus) = (300 + job * 7_919 % 20_000, 1 + job * 31 % 8);
            format!("{job},{},{run},team-{},{gpus},pool-{}\n", job * 60, job * 13 % 40, job * 17 % pools)
        };
        let jobs: String = (0..4_000).map(row).collect();
        let folder = set_up(&scenario, format!("job_id,submit_s,run_s,team,gpu,pools\n{jobs}").as_bytes());
        let page = page(folder.path());
        let charts = charts(&page);
        let panels: Vec<usize> = charts
            .iter()
            .filter(|chart| chart.id.starts_with("pool"))
            .map(|chart| chart.rows.len() - 1)
            .collect();
        assert_eq!(panels, vec![slices; usize::try_from(pools).unwrap()]);
        assert!(page.len() < 1_000_000, "{pools} pools: {} bytes", page.len());
    }
}

#[test]
fn a_run_of_nothing_still_has_a_page() {
    let folder = set_up(SCENARIO, b"job_id,submit_s,run_s,team,gpu\n");
    assert!(charts(&page(folder.path())).is_empty());
}
