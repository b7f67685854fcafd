//! Results in Parquet: the same rows as in CSV, of kinds that do not follow the data, and the same bytes every time.

use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use crate::cli::{SCENARIO, set_up};
use crate::support::sim;
use crate::trace::folder;

/// Every file, and every column that is no text.
const NUMBERS: [(&str, &[&str], &[&str]); 4] = [
    ("cost", &[], &["BilledCost", "EffectiveCost", "PricingQuantity", "ConsumedQuantity", "x_LostCost"]),
    ("decisions", &["attempt", "workers"], &["time_s", "lost_s"]),
    (
        "jobs",
        &["nodes", "workers", "preemptions"],
        &[
            "gpu",
            "cpu",
            "memory_gib",
            "submit_s",
            "start_s",
            "end_s",
            "wait_s",
            "run_s",
            "lost_s",
            "cost_usd",
        ],
    ),
    ("series", &[], &["from_s", "to_s", "value"]),
];

/// Runs with Parquet into `out`.
fn run(folder: &Path, scenario: &str, more: &[&str]) {
    let arguments = ["run", scenario, "-q", "--parquet", "--out", "out"];
    let ran = sim(folder, &[&arguments, more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Compares a CSV with what lies beside it, cell by cell; the number of rows, and of cells that are null.
fn same_rows(folder: &Path, name: &str, whole: &[&str], numbers: &[&str]) -> (usize, usize) {
    let mut plain = csv::Reader::from_path(folder.join(format!("{name}.csv"))).unwrap();
    let header = plain.headers().unwrap().clone();
    let file = File::open(folder.join(format!("{name}.parquet"))).unwrap();
    let columnar = SerializedFileReader::new(file).unwrap();
    let schema = columnar.metadata().file_metadata().schema_descr();
    assert!(schema.columns().iter().map(|column| column.name()).eq(&header), "{name}");
    for column in schema.columns() {
        let kind = match column.name() {
            name if whole.contains(&name) => "INT64 None",
            name if numbers.contains(&name) => "DOUBLE None",
            _ => "BYTE_ARRAY Some(String)",
        };
        let found = format!("{} {:?}", column.physical_type(), column.logical_type_ref());
        assert_eq!(found, kind, "{name}: {}", column.name());
    }
    let mut rows = columnar.get_row_iter(None).unwrap();
    let (mut count, mut nulls) = (0, 0);
    for plain in plain.records() {
        let (plain, row) = (plain.unwrap(), rows.next().unwrap().unwrap());
        assert_eq!(row.len(), plain.len());
        for (cell, (column, field)) in plain.iter().zip(row.get_column_iter()) {
            let same = match field {
                Field::Null => cell.is_empty(),
                Field::Str(text) => !cell.is_empty() && text == cell,
                Field::Long(number) => number.to_string() == cell,
                Field::Double(number) => {
                    cell.parse::<f64>().is_ok_and(|cell| cell.to_bits() == number.to_bits())
                }
                _ => false,
            };
            assert!(same, "{name}, row {count}, `{column}`: `{cell}` and {field:?}");
            nulls += usize::from(*field == Field::Null);
        }
        count += 1;
    }
    assert!(rows.next().is_none(), "{name}");
    (count, nulls)
}

#[test]
fn the_demo_says_the_same_in_both() {
    let folder = folder();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/demo/scenario.toml");
    run(folder.path(), scenario.to_str().unwrap(), &[]);
    let out = folder.path().join("out");
    let rows = NUMBERS.map(|(name, whole, numbers)| {
        let (rows, nulls) = same_rows(&out, name, whole, numbers);
        assert!(nulls > 0, "{name}");
        rows
    });
    assert_eq!([rows[1], rows[2]], [6_358, 6_358]);
    // Every CSV has its like.
    let files = fs::read_dir(&out).unwrap().map(|file| file.unwrap().path());
    let (packed, rest): (Vec<_>, Vec<_>) =
        files.partition(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    assert_eq!(packed.len(), NUMBERS.len());
    assert_eq!(rest.iter().filter(|path| path.extension().is_some_and(|ending| ending == "csv")).count(), 4);
}

/// Evictions, rejections, a job that never ends, names that must be quoted or look like numbers.
#[test]
fn odd_rows_say_the_same_in_both() {
    let scenario = "[[pool]]\nname = 'l4'\nnodes = 1\nnode = { gpu = 1 }\n[[pool]]\nname = 'cpu, old'\nnodes = 8\n\
                    node = { cpu = 1 }\ndivisible = true\n[[priority]]\nname = 'urgent'\nvalue = 10\n\
                    [policy]\norder = 'fifo'\npreemption = 'priority'\n";
    let jobs = "job_id,submit_s,run_s,team,gpu,cpu,priority\n1,0.5,500,007,1,0,\n\"a \"\"b\"\"\",2,10,\"b, c\",2,0,\n\
                3,150,20.125,ö,1,0,urgent\n4,150,1,ö,0,3,\n";
    let folder = set_up(scenario, jobs.as_bytes());
    run(folder.path(), "scenario.toml", &["--trace", "jobs.csv"]);
    let out = folder.path().join("out");
    assert!(!out.join("cost.parquet").exists(), "nothing has a price");
    let nulls = NUMBERS[1..].iter().map(|(name, whole, numbers)| same_rows(&out, name, whole, numbers).1);
    assert!(nulls.into_iter().all(|nulls| nulls > 0));
    let decisions = fs::read_to_string(out.join("decisions.csv")).unwrap();
    assert!(decisions.contains(",evict,1,") && decisions.contains(",reject,"), "{decisions}");
}

#[test]
fn parquet_is_listed_and_replayed_to_the_same_bytes() {
    let folder = set_up(SCENARIO, crate::cli::JOBS.as_bytes());
    run(folder.path(), "scenario.toml", &["--trace", "jobs.csv"]);
    let ran = sim(folder.path(), &["replay", "out/manifest.json", "--out", "again"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in ["decisions.parquet", "jobs.parquet", "series.parquet", "manifest.json"] {
        let [one, two] = ["out", "again"].map(|out| fs::read(folder.path().join(out).join(name)).unwrap());
        assert!(one == two, "{name}");
        let listed = |line: &str| line.starts_with(&format!("{name} ")) && line.ends_with(" same");
        assert!(name == "manifest.json" || ran.stdout.lines().any(listed), "{}", ran.stdout);
    }
    // What the manifest says of a file that is another is seen.
    let manifest = folder.path().join("out/manifest.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let files = value["files"].as_array_mut().unwrap();
    let file = files.iter_mut().find(|file| file["name"] == "series.parquet").unwrap();
    file["sha256"] = "0".repeat(64).into();
    fs::write(&manifest, value.to_string()).unwrap();
    let ran = sim(folder.path(), &["replay", "out"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("the same inputs give `series.parquet` "), "{}", ran.stderr);
}

/// A run without Parquet leaves none of the run before, and otherwise the same files.
#[test]
fn parquet_of_a_run_before_is_gone() {
    let priced = SCENARIO.replace("node = {", "price = { gpu_hour = 2 }\nnode = {");
    let folder = set_up(&priced, crate::cli::JOBS.as_bytes());
    let out = folder.path().join("out");
    let left = |ending: &str| {
        let names = fs::read_dir(&out).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
        names.sort();
        names
    };
    let texts = || left(".csv").iter().map(|name| fs::read(out.join(name)).unwrap()).collect::<Vec<_>>();
    run(folder.path(), "scenario.toml", &["--trace", "jobs.csv"]);
    let with = ["cost.parquet", "decisions.parquet", "jobs.parquet", "series.parquet"];
    assert_eq!(left(".parquet"), with);
    let before = texts();
    let ran = sim(folder.path(), &["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--out", "out"]);
    assert_eq!((ran.code, left(".parquet")), (0, Vec::new()), "{}", ran.stderr);
    assert!(before == texts());
    assert!(!fs::read_to_string(out.join("manifest.json")).unwrap().contains("parquet"));
    // Another run without prices has no costs.
    run(folder.path(), "scenario.toml", &["--trace", "jobs.csv"]);
    fs::write(folder.path().join("scenario.toml"), SCENARIO).unwrap();
    run(folder.path(), "scenario.toml", &["--trace", "jobs.csv"]);
    assert_eq!(left(".parquet"), with[1..]);
}

/// What cannot be replaced is named, and no half file is left.
#[test]
fn parquet_that_cannot_be_written_is_named() {
    let folder = set_up(SCENARIO, crate::cli::JOBS.as_bytes());
    let out = folder.path().join("out");
    for name in ["jobs.parquet", "series.parquet"] {
        fs::create_dir_all(out.join(name).join("inside")).unwrap();
        let more = ["run", "scenario.toml", "--trace", "jobs.csv", "-q", "--parquet", "--out", "out"];
        let ran = sim(folder.path(), &more);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{name}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("error: failed to write `out/{name}`\n")), "{}", ran.stderr);
        let files = fs::read_dir(&out).unwrap().map(|file| file.unwrap().file_name());
        let half =
            |name: &std::ffi::OsString| name.to_string_lossy().starts_with('.') || name == "manifest.json";
        assert!(!files.into_iter().any(|file| half(&file)));
        fs::remove_dir_all(&out).unwrap();
    }
}
