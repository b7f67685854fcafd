//! Comparisons: what was recorded beside policies, replicas of the trace, and intervals; computed by hand where it can be.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, sim};
use crate::trace::folder;

/// One GPU, and jobs that say when they started: job 2 waited 70 s though the GPU was free from 10 s on.
const ONE_GPU: &str = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\nprice = { gpu_hour = 3.6 }\n";
const RECORDED: &str = "\
job_id,submit_s,run_s,team,gpu,start_s,end_s
1,0,10,a,1,0,10
2,0,10,b,1,70,80
3,5,20,a,1,80,101
4,6,5,a,1,,
";

fn compare(folder: &Path, scenario: &str, jobs: &str, more: &[&str]) -> Ran {
    std::fs::write(folder.join("scenario.toml"), scenario).unwrap();
    std::fs::write(folder.join("jobs.csv"), jobs).unwrap();
    sim(folder, &[&["compare", "scenario.toml", "--trace", "jobs.csv"], more].concat())
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn what_was_recorded_is_measured_as_a_policy_is() {
    let folder = folder();
    let ran = compare(
        folder.path(),
        ONE_GPU,
        RECORDED,
        &["--policy", "recorded", "--policy", "fifo", "-o", "json"],
    );
    let value = json(&ran);
    let recorded = &value["policies"][0];
    assert_eq!(
        (recorded["policy"].as_str(), recorded["jobs"]["completed"].as_u64()),
        (Some("recorded"), Some(3))
    );
    // Waits 0, 70 and 75 s; responses 10, 80 and 96 s; 10 + 10 + 21 s held of 101 s.
    assert_eq!(recorded["wait_s"]["mean"].as_f64(), Some(145.0 / 3.0));
    assert_eq!(recorded["response_s"]["mean"].as_f64(), Some(62.0));
    assert!((recorded["utilization"]["gpu"].as_f64().unwrap() - 41.0 / 101.0).abs() < 1e-12, "{recorded}");
    // A GPU costs 0.001 USD a second.
    assert_eq!(
        recorded["cost_usd"],
        serde_json::json!({"total": 0.101, "allocated": 0.041, "idle": 0.06, "lost": 0.0})
    );
    // Under fifo waits are 0, 10 and 15 s: over the three jobs that have both, 40 s less each.
    let difference = &value["differences"][0];
    assert_eq!(difference["wait_s"]["mean"].as_f64(), Some(-40.0));
    assert_eq!(difference["wait_s"]["jobs"], 3);
    assert_eq!(difference["wait_s"]["verdict"], "undecided", "three jobs tell nothing");
    let team = |number: usize| difference["teams"][number]["wait_s"]["mean"].as_f64();
    assert_eq!([team(0), team(1)], [Some(-30.0), Some(-60.0)]);
    assert!(
        ran.stderr.contains("warning: recorded: 1 job without a recorded start: not counted\n"),
        "{}",
        ran.stderr
    );
}

/// 450 GB come to the first pool that fits in 360 s, of the thousand that the job held one of two GPUs.
#[test]
fn what_was_recorded_moves_its_data_sets_as_a_policy_does() {
    let folder = folder();
    let scenario = "[[dataset]]\nname = 'web'\nsize = '450GB'\n\
                    [[pool]]\nname = 'far'\ncloud = 'b'\nnodes = 1\nnode = { gpu = 1 }\n\
                    [[pool]]\nname = 'near'\ncloud = 'a'\nnodes = 1\nnode = { gpu = 1 }\ndatasets = ['web']\n\
                    [policy]\norder = 'fifo'\ndatasets = 'preferred'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu,datasets,start_s,end_s\n1,0,1000,a,1,web,0,1000\n";
    let value = json(&compare(
        folder.path(),
        scenario,
        jobs,
        &["--policy", "recorded", "--policy", "fifo", "-o", "json"],
    ));
    assert_eq!(value["policies"][0]["utilization"]["gpu"].as_f64(), Some(0.5));
    assert_eq!(value["policies"][0]["goodput"]["gpu"].as_f64(), Some(0.32));
}

/// Without estimates `sjf` is `fifo`: three equal columns are no coincidence.
#[test]
fn policies_that_decide_the_same_are_told() {
    let folder = folder();
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,10,a,1\n2,1,10,b,1\n";
    let ran = compare(folder.path(), ONE_GPU, jobs, &["-q", "--policy", "fifo", "--policy", "sjf"]);
    assert!(ran.stdout.contains("sjf: the same decisions as fifo\n"), "{}", ran.stdout);
}

#[test]
fn recorded_needs_a_trace_that_says_when_jobs_started() {
    let folder = folder();
    let jobs = "job_id,submit_s,run_s,team,gpu\n1,0,10,a,1\n";
    let ran = compare(folder.path(), ONE_GPU, jobs, &["-q", "--policy", "fifo", "--policy", "recorded"]);
    let message = "error: policy `recorded` needs a trace that says when its jobs started, and this one does not\n\
                   hint: the native columns are `start_s` and `end_s`\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
    let ran = compare(
        folder.path(),
        ONE_GPU,
        jobs,
        &["--policy", "fifo", "--policy", "drf", "--replicas", "10001"],
    );
    let message = "error: `--replicas 10001` is more than 10000\nhint: an interval needs about twenty\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
}

#[test]
fn a_job_that_fits_several_pools_is_counted_in_the_first() {
    let folder = folder();
    let scenario = format!("{}{}", ONE_GPU, ONE_GPU.replace("'l4'", "'more'"));
    let ran = compare(
        folder.path(),
        &scenario,
        RECORDED,
        &["--policy", "recorded", "--policy", "fifo", "-o", "json"],
    );
    let warning = "warning: recorded: 3 jobs that could have run in several pools: counted in the first\n";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert_eq!(json(&ran)["policies"][0]["cost_usd"]["allocated"].as_f64(), Some(0.041));
}

/// A week of jobs: every ten minutes a short one, at every full hour a long one with six short ones.
fn week() -> String {
    let mut jobs = "job_id,submit_s,run_s,team,gpu,estimate_s\n".to_owned();
    for step in 0..1_008 {
        let (submit, run) = (step * 600, if step % 6 == 0 { 1_800 } else { 60 + step % 7 });
        let team = if step % 6 == 0 { "long" } else { "short" };
        let _ = writeln!(jobs, "{step},{submit},{run},{team},1,{run}");
        if step % 6 == 0 {
            for copy in 0..6 {
                let run = 100 + copy;
                let _ = writeln!(jobs, "{step}-{copy},{submit},{run},short,1,{run}");
            }
        }
    }
    jobs
}

#[test]
fn replicas_give_every_figure_an_interval() {
    let folder = folder();
    let policies = ["--policy", "fifo", "--policy", "sjf", "-o", "json", "--replicas", "8"];
    let ran = compare(folder.path(), ONE_GPU, &week(), &policies);
    let value = json(&ran);
    assert_eq!((value["method"].as_str(), value["replicas"].as_u64()), (Some("bootstrap"), Some(8)));
    assert_eq!(value["block_s"].as_f64(), Some(86_400.0), "six whole days and a bit: a block is a day");
    let difference = &value["differences"][0];
    let wait = &difference["wait_s"];
    // The shortest first is shorter on average, whichever days come.
    assert_eq!(wait["verdict"], "lower", "{wait}");
    let [low, mean, high] = ["low", "mean", "high"].map(|key| wait[key].as_f64().unwrap());
    assert!(low < mean && mean < high && high < 0.0, "{wait}");
    for figure in difference["figures"].as_array().unwrap() {
        let has = |key: &str| figure[key].is_f64();
        assert!(has("low") == has("difference") && has("high") == has("difference"), "{figure}");
    }
    let again = compare(folder.path(), ONE_GPU, &week(), &policies);
    assert_eq!(ran.stdout, again.stdout, "threads do not show");
    let other = compare(folder.path(), ONE_GPU, &week(), &[&policies[..], &["--seed", "1"]].concat());
    assert_ne!(json(&other)["differences"][0]["wait_s"]["low"], wait["low"], "another seed, other replicas");
}

#[test]
fn the_same_policy_twice_differs_by_nothing_on_any_replica() {
    let folder = folder();
    let scenario = ONE_GPU.replace("nodes = 1", "nodes = 2");
    let twice = ["--policy", "fifo,placement=random", "--policy", "fifo,placement=random"];
    let more = ["-o", "json", "--replicas", "4"];
    let value = json(&compare(folder.path(), &scenario, &week(), &[twice, more].concat()));
    let difference = &value["differences"][0];
    for interval in [&difference["wait_s"], &difference["bounded_slowdown"]] {
        assert_eq!((interval["low"].as_f64(), interval["high"].as_f64()), (Some(0.0), Some(0.0)));
        assert_eq!(interval["verdict"], "undecided");
    }
}

/// Half of each team's share is its quota, and hard: the jobs of 8 GPUs can never start under `static`. The others hold one
/// GPU each for the same time, so that none of them waits under either; what the large ones wait is told of `drf` alone.
#[test]
fn jobs_that_one_policy_rejects_are_in_no_difference() {
    let folder = folder();
    let scenario = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 8 }\n\
                    [[team]]\nname = 'a'\nquota = { p = { gpu = 4 } }\n";
    let mut jobs = "job_id,submit_s,run_s,team,gpu\n".to_owned();
    for step in 0..100 {
        let _ = writeln!(jobs, "s{step},{},100,a,1", step * 1_000);
        let _ = writeln!(jobs, "l{step},{},1500,a,8", step * 1_000 + 200);
    }
    let policies = ["--policy", "drf,backfill=none", "--policy", "static,backfill=none"];
    let more = ["-q", "--replicas", "8", "--out", "out"];
    let ran = compare(folder.path(), scenario, &jobs, &[&policies[..], &more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let path = folder.path().join("out/compare.json");
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let difference = &value["differences"][0];
    let paired = &difference["wait_s"];
    assert_eq!(paired["jobs"], 100);
    for figure in difference["figures"].as_array().unwrap() {
        let name = figure["figure"].as_str().unwrap();
        let is_of_jobs =
            ["wait_s.", "response_s.", "bounded_slowdown."].iter().any(|start| name.starts_with(start));
        assert_eq!(figure["jobs"].as_u64(), is_of_jobs.then_some(100), "{figure}");
        if is_of_jobs {
            assert_eq!(figure["verdict"], "lower", "the small ones wait behind the large ones: {figure}");
        }
    }
    let mean = difference["figures"][0].clone();
    assert_eq!(
        ["difference", "low", "high"].map(|key| mean[key].as_f64()),
        ["mean", "low", "high"].map(|key| paired[key].as_f64()),
        "one table, one answer"
    );
    assert_eq!(
        mean["baseline"].as_f64().map(|wait| -wait),
        mean["difference"].as_f64(),
        "under static none waits"
    );
    let lines: Vec<&str> = ran.stdout.lines().collect();
    for line in ["static,backfill=none: 100 rejected of 200 jobs", "100 of 200 jobs paired"] {
        assert!(lines.contains(&line), "{line}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("drf,backfill=none: "), "{}", ran.stdout);
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    for told in [
        "<li>static,backfill=none: 100 of 200 jobs paired, those that ended under both</li>",
        "<li>static,backfill=none: 100 rejected of 200 jobs: in none of its waits</li>",
        " over 100 jobs</small>",
        "Waits are of the 100 jobs that ended under all of them.",
    ] {
        assert!(page.contains(told), "{told}");
    }
}

#[test]
fn one_policy_is_compared_with_nothing() {
    let folder = folder();
    let ran = compare(folder.path(), ONE_GPU, RECORDED, &["--policy", "drf", "--out", "out"]);
    let message = "error: `--policy drf` alone is compared with nothing\nhint: name at least two policies\n";
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (2, "", message));
    assert!(!folder.path().join("out").exists());
}

/// Names that are the same where their columns end are told apart by numbers, and every line fits.
#[test]
fn policies_that_differ_late_in_their_names_have_headings_of_their_own() {
    let folder = folder();
    let scenario = format!("{ONE_GPU}[policy]\npreemption = 'reclaim'\n");
    let long = ["drf,preemption=reclaim,placement=fragmentation", "drf,preemption=reclaim,placement=random"];
    let more = ["-q", "--replicas", "1", "--policy", long[0], "--policy", long[1]];
    let ran = compare(folder.path(), &scenario, &week(), &more);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let table = ran.stdout;
    assert!(table.starts_with("[1] drf,") && table.contains("\n[2] drf,"), "{table}");
    let heads: Vec<&str> = table.lines().filter(|line| line.starts_with("team, mean wait")).collect();
    assert!(heads[0].ends_with(" [1]                       [2]"), "{table}");
    assert!(table.contains("\n[2] less [1]\n"), "{table}");
    assert!(
        table.contains("\nmean wait per job against [1], with a 95 % interval\nfrom 1 replica of the trace")
    );
    for line in table.lines().filter(|line| !line.starts_with('[')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// What is said of one policy names it; what is said of all does not.
#[test]
fn warnings_of_some_policies_name_them() {
    let folder = folder();
    let mut jobs = "job_id,submit_s,run_s,team,gpu,estimate_s\n".to_owned();
    for job in 0..1_000 {
        // The first hundred find the GPU free; the others come at once.
        let (submit, run) = if job < 100 { (job * 10, 5) } else { (2_000, 50 + job % 100) };
        let _ = writeln!(jobs, "{job},{submit},{run},a,1,{run}");
    }
    let ran = compare(folder.path(), ONE_GPU, &jobs, &["--policy", "fifo", "--policy", "sjf"]);
    let warnings: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    for policy in ["fifo", "sjf"] {
        let start = format!("warning: {policy},backfill=easy: ");
        let own =
            warnings.iter().filter(|line| line.starts_with(&start) && line.contains("first tenth")).count();
        assert_eq!(own, 1, "{}", ran.stderr);
    }
    let shared = warnings.iter().filter(|line| line.starts_with("warning: pool `l4` is offered")).count();
    assert_eq!(shared, 1, "{}", ran.stderr);
}

#[test]
fn a_record_of_more_than_the_pools_have_is_said() {
    let folder = folder();
    let jobs = "job_id,submit_s,run_s,team,gpu,start_s,end_s\n1,0,100,a,1,0,100\n2,0,100,a,1,0,100\n";
    let ran = compare(folder.path(), ONE_GPU, jobs, &["--policy", "recorded", "--policy", "fifo"]);
    let said = "warning: recorded: jobs held 200.0% of the gpu of the scenario's pools: what was recorded had more than \
                they have\n";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

/// The page says the intervals that the terminal does, also without replicas, and names every policy.
#[test]
fn a_page_has_intervals_of_paired_waits_and_every_policy_in_its_legend() {
    let folder = folder();
    let names =
        ["fifo", "sjf", "drf", "drf-current", "fifo,backfill=none", "sjf,backfill=none", "drf,backfill=none"];
    let more = ["drf-current,backfill=none", "sjf,placement=random", "drf,placement=random"];
    let policies = names.iter().chain(&more).flat_map(|name| ["--policy", name]);
    let arguments: Vec<&str> = policies.chain(["-o", "json", "--out", "out"]).collect();
    let value = json(&compare(folder.path(), ONE_GPU, &week(), &arguments));
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let row = page.split_once("<tr><th scope=\"row\">wait per job, paired</th>").unwrap().1;
    let row = row.split_once("</tr>").unwrap().0;
    assert_eq!(row.matches(" to ").count(), 9, "an interval for each but the baseline: {row}");
    assert!(value["differences"][0]["wait_s"]["low"].is_f64());
    let legend = page.split_once("<ul class=\"legend\">").unwrap().1.split_once("</ul>").unwrap().0;
    for policy in value["policies"].as_array().unwrap() {
        assert!(legend.contains(policy["policy"].as_str().unwrap()), "{policy} in {legend}");
    }
}

/// What the same work adds up to in another order differs in its last digits; that is no verdict.
#[test]
fn rounding_is_no_difference() {
    let folder = folder();
    let jobs =
        (0..30).map(|job| format!("{job},{},{},t{},1,{},{}\n", job * 7, 7, job % 3, job * 7, job * 7 + 7));
    let jobs = format!("job_id,submit_s,run_s,team,gpu,start_s,end_s\n{}", jobs.collect::<String>());
    let more = ["-o", "json", "--policy", "recorded", "--policy", "fifo", "--replicas", "5"];
    let value = json(&compare(folder.path(), ONE_GPU, &jobs, &more));
    for figure in value["differences"][0]["figures"].as_array().unwrap() {
        let apart = figure["difference"].as_f64().unwrap_or(0.0);
        assert!(apart == 0.0 || apart.abs() > 1e-9, "{figure}");
        assert!(apart.abs() > 0.0 || figure["verdict"] == "undecided", "{figure}");
    }
}

#[test]
fn what_a_reaper_saved_is_told_of_every_policy() {
    let folder = folder();
    let scenario = format!("{ONE_GPU}[reaper]\ngpu_utilization_below = 0.2\nwindow = '1h'\n");
    let jobs = "job_id,submit_s,run_s,team,gpu,gpu_utilization,status\n1,0,10800,a,1,0.1,completed\n2,5,60,b,1,0.9,completed\n";
    let ran =
        compare(folder.path(), &scenario, jobs, &["--policy", "fifo", "--policy", "drf", "--out", "out"]);
    for policy in ["fifo", "drf"] {
        let told = format!(
            "reaper under {policy}:\n  1 job stopped for idling, 2 GPU-hours reclaimed,\n  $7.20 reclaimed, 1 false kill that \
             would have completed\n"
        );
        assert!(ran.stdout.contains(&told), "{}{}", ran.stdout, ran.stderr);
    }
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(
        page.contains("<tr><th scope=\"row\">reaper gpu hours</th><td>2 GPU-h</td>"),
        "the page says it too"
    );
}

/// A folder holds a run or a comparison: the report of one would pass for the other's.
#[test]
fn a_folder_of_a_run_takes_no_comparison_and_the_other_way_round() {
    let folder = folder();
    let policies = ["-q", "--policy", "fifo", "--policy", "drf", "--out", "versus"];
    let three = RECORDED.replace("6,5,a", "6,5,c");
    assert_eq!(compare(folder.path(), ONE_GPU, &three, &policies).code, 0);
    let run =
        |out: &str| sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", out]);
    let ran = run("versus");
    let message = "error: `versus` holds the results of a comparison\nhint: name another folder for a run\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
    assert_eq!(run("one").code, 0);
    let ran =
        compare(folder.path(), ONE_GPU, RECORDED, &["--policy", "fifo", "--policy", "drf", "--out", "one"]);
    let message = "error: `one` holds the results of a run\nhint: name another folder for a comparison\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, message));
    // A picture of a team that the new comparison does not have is gone; what others left there is not.
    let versus = folder.path().join("versus");
    std::fs::write(versus.join("mine.svg"), "").unwrap();
    assert!(versus.join("waits-2.svg").exists());
    assert_eq!(compare(folder.path(), ONE_GPU, RECORDED, &policies).code, 0);
    assert!(!versus.join("waits-2.svg").exists() && versus.join("waits-1.svg").exists());
    assert!(versus.join("mine.svg").exists());
}

#[test]
fn the_table_fits_and_gives_a_verdict_in_words() {
    let folder = folder();
    let more = ["-q", "--policy", "fifo", "--policy", "sjf", "--replicas", "8"];
    let table = compare(folder.path(), ONE_GPU, &week(), &more).stdout;
    assert!(table.contains("\nfrom 8 replicas of the trace, made of blocks of 1 d\n"), "{table}");
    let line = table.lines().find(|line| line.starts_with("  wait mean")).unwrap();
    assert!(line.ends_with("]  shorter"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn a_folder_holds_the_figures_a_page_and_pictures() {
    let folder = folder();
    let policies = ["-q", "--policy", "fifo", "--policy", "sjf", "--policy", "<b>", "--out", "out"];
    let ran = compare(folder.path(), ONE_GPU, &week(), &policies);
    assert_eq!(ran.code, 2, "no such policy, and no folder");
    assert!(!folder.path().join("out").exists());
    let policies =
        ["-q", "--policy", "fifo", "--policy", "sjf", "--policy", "drf", "--replicas", "4", "--out", "out"];
    let ran = compare(folder.path(), ONE_GPU, &week(), &policies);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    let figures: Value = serde_json::from_str(&read("compare.json")).unwrap();
    assert_eq!(figures["schema"], "sim.compare/1");
    let page = read("report.html");
    for (chart, rows) in [("waits", 160), ("waits-0", 160), ("waits-1", 160), ("teams", 6), ("front", 3)] {
        let (_, svg) = page.split_once(&format!("<figure class=\"chart\" id=\"{chart}\"")).unwrap();
        let svg = svg.split_once("<figcaption>").unwrap().0;
        assert_eq!(svg.matches("class=\"m ").count(), rows, "{chart}");
        let picture = read(&format!("{chart}.svg"));
        assert_eq!(picture.matches("<svg").count(), picture.matches("</svg>").count(), "{chart}");
        assert!(
            picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && picture.ends_with("</svg>\n")
        );
    }
    assert!(
        page.contains("default-src 'none'") && !page.contains("http:") && !page.contains("https:"),
        "it fetches nothing"
    );
    assert!(page.len() < 1_000_000, "{}", page.len());
    let mean = figures["differences"][0]["figures"][0]["difference"].as_f64().unwrap();
    assert!(mean < 0.0 && page.contains("<tr><th scope=\"row\">wait mean</th>"), "{mean}");
}
