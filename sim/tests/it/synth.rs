//! The bundled traces, read as any other trace, and generated ones of other sizes.

use std::path::{Path, PathBuf};
use std::process::Command;

use fairshare_sim::trace::synthetic::{SynthSpec, write_csv, write_gzip};
use fairshare_sim::trace::{GPU, Input, Instant, Selection, Trace, TraceOptions};

fn bundled(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces").join(file)
}

fn load(path: &Path) -> Trace {
    Trace::load(
        &[Input::parse(path.to_str().unwrap())],
        &TraceOptions { strict: true, ..TraceOptions::default() },
    )
    .unwrap()
}

/// Requested GPU-hours of one accelerator over capacity times the 14 days, in thousandths.
fn offered_load_milli(trace: &Trace, accelerator: &str, gpus: u128) -> u128 {
    let gpu_ms: u128 = trace
        .jobs
        .iter()
        .map(|job| (job, &trace.shapes[job.shape as usize].alternatives[0]))
        .filter(|(_, first)| first.accelerator.as_deref() == Some(accelerator))
        .map(|(job, first)| u128::from(first.total(GPU)) * u128::from(job.run_ms))
        .sum();
    gpu_ms / (gpus * 14 * 86_400_000)
}

#[test]
fn the_demonstration_is_clean_and_as_loaded_as_its_readme_says() {
    let trace = load(&bundled("demo/trace.csv.gz"));
    assert_eq!(trace.jobs.len(), 6358);
    assert_eq!(trace.teams.len(), 8);
    assert!(trace.sources[0].repairs.is_empty());
    assert!(trace.warnings.is_empty(), "{:?}", trace.warnings);
    assert_eq!(offered_load_milli(&trace, "H200", 16 * 8), 900);
    assert_eq!(offered_load_milli(&trace, "L4", 64 * 4), 663);
    assert!(
        trace
            .jobs
            .iter()
            .all(|job| trace.lengths(job).limit_ms().is_some_and(|limit_ms| limit_ms >= job.run_ms))
    );
}

#[test]
fn the_sample_is_the_beginning_of_the_demonstration() {
    let (whole, sample) = (load(&bundled("demo/trace.csv.gz")), load(&bundled("sample/jobs.csv")));
    assert_eq!(sample.jobs.len(), 200);
    let times =
        |trace: &Trace| trace.jobs[..200].iter().map(|job| (job.submit_ms, job.run_ms)).collect::<Vec<_>>();
    assert_eq!(times(&whole), times(&sample));
}

#[test]
fn plain_and_packed_output_read_back_alike() {
    let spec = SynthSpec::preset("demo").unwrap().with_jobs(500);
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("a.csv"), folder.path().join("a.csv.gz"));
    write_csv(&spec, 3, std::fs::File::create(&plain).unwrap()).unwrap();
    write_gzip(&spec, 3, std::fs::File::create(&packed).unwrap()).unwrap();
    assert_eq!(load(&plain).jobs, load(&packed).jobs);
}

/// A recorded trace described and drawn again: the totals are near, the description is stable.
#[test]
fn a_trace_can_be_described_and_drawn_again() {
    let recorded = load(&bundled("demo/trace.csv.gz"));
    let spec = SynthSpec::like(&recorded).unwrap();
    assert_eq!(SynthSpec::from_toml(&spec.to_toml().unwrap()).unwrap(), spec);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("like.csv");
    write_csv(&spec, 1, std::fs::File::create(&path).unwrap()).unwrap();
    let drawn = load(&path);
    let near = |name: &str, recorded: u128, drawn: u128| {
        assert!(
            drawn * 4 > recorded * 3 && drawn * 4 < recorded * 5,
            "{name}: {recorded} recorded, {drawn} drawn"
        );
    };
    assert_eq!(drawn.jobs.len(), recorded.jobs.len());
    let span =
        |trace: &Trace| u128::from(trace.jobs.last().unwrap().submit_ms.abs_diff(trace.jobs[0].submit_ms));
    near("span", span(&recorded), span(&drawn));
    let failed = |trace: &Trace| {
        trace.jobs.iter().filter(|job| job.status == fairshare_sim::trace::Status::Failed).count() as u128
    };
    near("failed", failed(&recorded), failed(&drawn));
    assert!(drawn.jobs.iter().all(|job| drawn.lengths(job).estimate_ms().is_some()));
    for (accelerator, gpus) in [("H200", 128), ("L4", 256)] {
        let load = |trace: &Trace| offered_load_milli(trace, accelerator, gpus);
        near(accelerator, load(&recorded), load(&drawn));
    }
    // The sweeps of `research` are seen as campaigns.
    let research = spec.teams.iter().find(|team| team.name == "research").unwrap();
    let bursts = research.bursts.as_ref().unwrap();
    assert!((3.0..7.0).contains(&bursts.per_week), "{} campaigns a week", bursts.per_week);
    assert!((80.0..160.0).contains(&bursts.jobs), "{} jobs in a campaign", bursts.jobs);
    assert!(recorded.jobs.iter().all(|job| job.run_ms <= 172_800_000));
    assert!(
        drawn
            .jobs
            .iter()
            .all(|job| drawn.lengths(job).limit_ms().is_some_and(|limit_ms| limit_ms >= job.run_ms))
    );
}

/// Fitting is a promise across releases as drawing is: a changed digest is a changed meaning of `--like`.
#[test]
fn fitting_is_stable_across_releases() {
    let spec = SynthSpec::like(&load(&bundled("demo/trace.csv.gz"))).unwrap();
    let drawn = write_csv(&spec, 1, std::io::sink()).unwrap();
    assert_eq!(
        (drawn.rows, drawn.text_digest.as_str()),
        (6358, "664e7652739b1e8593b1139dc2fab5c411ffd9cfae00e75ef22bfd04a206de2f")
    );
}

/// Everything that a description has a word for comes back: what jobs may use, who pays, how they end, what was expected.
#[test]
fn a_description_keeps_what_it_has_a_word_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.csv");
    let mut text =
        "job_id,submit_s,run_s,team,cost_owner,gpu,accelerators,pools,priority,datasets,estimate_s,status\n"
            .to_owned();
    for job in 0..200 {
        let (status, run) = [("completed", 100), ("failed", 7)][usize::from(job % 4 == 0)];
        let at = job * 3_600;
        let twice = run * 2;
        let line =
            format!("{job},{at},{run},a,lab,2,H200:1|A100:0.5,east|west,high,web|books,{twice},{status}\n");
        text.push_str(&line);
    }
    std::fs::write(&path, text).unwrap();
    let spec = SynthSpec::like(&load(&path)).unwrap();
    assert_eq!(SynthSpec::from_toml(&spec.to_toml().unwrap()).unwrap(), spec);
    assert_eq!((spec.jobs, spec.days, spec.teams[0].cost_owner.as_deref()), (Some(200), None, Some("lab")));
    let [kind] = &spec.teams[0].kinds[..] else { panic!("{:?}", spec.teams[0].kinds) };
    assert_eq!(kind.name, "gpu-2-to-7-H200:1|A100:0.5-east|west-high-data");
    assert_eq!(kind.accelerators.as_deref(), Some("H200:1|A100:0.5"));
    assert_eq!((kind.pools.as_deref(), kind.priority.as_deref()), (Some("east|west"), Some("high")));
    assert_eq!(kind.datasets[0].name, "web|books");
    assert!((kind.failed - 0.25).abs() < 1e-9 && kind.cancelled.abs() < 1e-9 && !kind.cut_short);
    // Every estimate is twice the run time: the logarithm of two away.
    assert!((kind.estimate_error.unwrap() - 2.0_f64.ln()).abs() < 1e-9);
    let drawn = folder.path().join("drawn.csv");
    write_csv(&spec, 5, std::fs::File::create(&drawn).unwrap()).unwrap();
    let drawn = load(&drawn);
    assert_eq!(drawn.jobs.len(), 200);
    // A run of 7 s is one that failed and was recorded so: it is not cut once more.
    assert!(drawn.jobs.iter().all(|job| job.run_ms >= 7_000));
    assert_eq!(drawn.shapes[drawn.jobs[0].shape as usize], load(&path).shapes[0]);
}

/// As many jobs come back where campaigns overlap, and where a trace sees a part of the week.
#[test]
fn as_many_jobs_are_drawn_in_about_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.csv");
    let mut rows: Vec<(u64, String)> = Vec::new();
    // Ten users, each with campaigns of 40 jobs over an hour, ten hours apart, and a job a quarter of an hour beside.
    for user in 0..10_u64 {
        for campaign in 0..24_u64 {
            let at = |job: u64| user * 1_800 + campaign * 36_000 + job * 90;
            rows.extend((0..40).map(|job| (at(job), format!("60,a,u{user},1\n"))));
        }
    }
    rows.extend((0..1_000_u64).map(|job| (job * 900, "600,a,solo,2\n".to_owned())));
    rows.sort();
    let mut text = "job_id,submit_s,run_s,team,user,gpu\n".to_owned();
    for (id, (at, rest)) in rows.iter().enumerate() {
        let line = format!("{id},{at},{rest}");
        text.push_str(&line);
    }
    std::fs::write(&path, text).unwrap();
    let spec = SynthSpec::like(&load(&path)).unwrap();
    let drawn = write_csv(&spec, 1, std::io::sink()).unwrap();
    assert_eq!(drawn.rows, 10_600);
    let span_s = rows[rows.len() - 1].0;
    let ratio = drawn.last_submit_ms / (span_s * 10);
    assert!((80..=120).contains(&ratio), "{ratio} % of the span of the source");
}

#[test]
fn a_trace_without_jobs_cannot_be_described() {
    let error = SynthSpec::like(&Trace::default()).unwrap_err();
    assert_eq!(error.to_string(), "trace: `jobs`: expected at least one job to describe");
}

#[test]
fn a_selection_keeps_names_and_teams_of_its_jobs() {
    let mut trace = load(&bundled("sample/jobs.csv"));
    let expected: Vec<(String, i64)> = (0..trace.jobs.len())
        .map(|index| (trace.names.get(index).to_string(), trace.jobs[index]))
        .filter(|(_, job)| {
            trace.teams.text(job.team) == "search" && (20_000_000..40_000_000).contains(&job.submit_ms)
        })
        .map(|(name, job)| (name, job.submit_ms))
        .collect();
    assert!(!expected.is_empty());
    let selection = Selection {
        teams: vec!["search".to_owned()],
        from: Instant::parse("20000"),
        until: Instant::parse("40000"),
    };
    trace.select(&selection).unwrap();
    let kept: Vec<(String, i64)> = (0..trace.jobs.len())
        .map(|index| (trace.names.get(index).to_string(), trace.jobs[index].submit_ms))
        .collect();
    assert_eq!(kept, expected);
    assert_eq!(trace.teams.iter().collect::<Vec<_>>(), ["search"]);
    let left_out = 200 - expected.len();
    assert_eq!(
        trace.warnings,
        [format!("{left_out} of 200 jobs are left out by `teams`, `from` and `until` of `[trace]`")]
    );
    let unknown = Selection { teams: vec!["serch".to_owned()], ..Selection::default() };
    assert_eq!(trace.select(&unknown), Err("serch".to_owned()));
}

fn sim(arguments: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_command_draws_the_bundled_sample() {
    let (code, stdout, stderr) = sim(&["trace", "synth", "demo", "--seed", "8", "--jobs", "200"]);
    assert_eq!((code, stdout), (0, std::fs::read_to_string(bundled("sample/jobs.csv")).unwrap()));
    assert_eq!(
        stderr,
        "200 jobs with seed 8, sha256 of the text cb58cefe60d6fc3397a33e8725309485894b32179a328ca9c91e66b5a8d35663\n"
    );
}

/// The name of a preset is the preset, whatever lies in the folder; a file of that name is named by its path.
#[test]
fn the_preset_wins_over_a_file_or_folder_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, input: &[u8]| {
        let arguments = ["trace", "synth", name, "--seed", "8", "--jobs", "200", "-q"];
        crate::support::sim_fed(folder.path(), &arguments, input)
    };
    let sample = std::fs::read_to_string(bundled("sample/jobs.csv")).unwrap();
    let path = folder.path().join("demo");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(run("demo", b"").stdout, sample);
    std::fs::remove_dir(&path).unwrap();
    let spec =
        std::fs::read_to_string(bundled("demo/synth.toml")).unwrap().replacen("foundation", "other", 1);
    std::fs::write(&path, &spec).unwrap();
    assert_eq!(run("demo", b"").stdout, sample);
    let of_file = run("./demo", b"");
    assert_eq!(of_file.code, 0, "{}", of_file.stderr);
    assert!(of_file.stdout.contains(",other,") && !of_file.stdout.contains(",foundation,"));
    assert_eq!(run("-", spec.as_bytes()), of_file);
}

#[test]
fn refusals_of_the_generator_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.toml");
    let spec = std::fs::read_to_string(bundled("demo/synth.toml")).unwrap();
    std::fs::write(&path, spec.replacen("users = 6", "users = 0", 1)).unwrap();
    let path = path.to_str().unwrap();
    for (arguments, code, message) in [
        (
            vec!["trace", "synth", "dmeo"],
            2,
            "error: `dmeo` is no preset, and there is no such file\n\
             hint: the preset is `demo`; another description is named by its file\n"
                .to_owned(),
        ),
        (
            vec!["trace", "synth", folder.path().to_str().unwrap()],
            2,
            format!(
                "error: failed to read `{}`\nthis is a folder, not a file\n\
                 hint: name the preset `demo`, or the file of a description\n",
                folder.path().display()
            ),
        ),
        (
            vec!["trace", "synth", path],
            2,
            format!(
                "error: failed to read `{path}`\nteam `foundation`: `users`: expected between 1 and 100000 people\n"
            ),
        ),
        (
            vec!["trace", "synth", "demo", "--jobs", "3", "--out", "absent-folder/jobs.csv"],
            4,
            "error: failed to write `absent-folder/jobs.csv`\nno such file or directory\n".to_owned(),
        ),
    ] {
        assert_eq!(sim(&arguments), (code, String::new(), message), "{arguments:?}");
    }
}

/// A full disk is the machine's failure. The device is standard output, so that no fault can put a file in its place.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["trace", "synth", "demo", "--jobs", "3"])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(stderr, "error: failed to write `standard output`\nno space left on device\n");
    assert_eq!(done.status.code(), Some(4));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let sample = bundled("sample/jobs.csv");
    let inspected = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["trace", "inspect", sample.to_str().unwrap()])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8(inspected.stderr).unwrap();
    assert_eq!(stderr, "error: failed to write `standard output`\nno space left on device\n");
    assert_eq!(inspected.status.code(), Some(4));
}

/// Mean response and wait of each Philly cluster alone, in seconds, as another simulator published them.
#[test]
fn philly_clusters_alone_wait_as_published() {
    let Some(folder) = crate::traces_dir() else { return };
    let trace = folder.join("philly-2017/philly.csv.gz");
    let scenario = bundled("scenarios/philly-cluster.toml");
    for (cluster, nodes, response, wait) in [
        ("6214e9", 64, "5454.62", "5.76"),
        ("b436b2", 64, "4558.00", "22.76"),
        ("2869ce", 16, "97749.20", "11343.37"),
        ("103959", 8, "24783.52", "246.21"),
        ("7f04ca", 32, "111147.60", "0.00"),
        ("6c71a0", 32, "14187.72", "0.50"),
    ] {
        let (code, stdout, stderr) = sim(&[
            "run",
            scenario.to_str().unwrap(),
            "--trace",
            trace.to_str().unwrap(),
            "--set",
            &format!("trace.teams=[\"{cluster}\"]"),
            "--set",
            &format!("pool.cluster.nodes={nodes}"),
            "-o",
            "json",
        ]);
        assert_eq!(code, 0, "{stderr}");
        let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let mean = |measure: &str| format!("{:.2}", summary[measure]["mean"].as_f64().unwrap());
        assert_eq!((mean("response_s").as_str(), mean("wait_s").as_str()), (response, wait), "{cluster}");
    }
}
