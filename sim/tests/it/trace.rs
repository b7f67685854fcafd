//! Traces: real files counted exactly, bad input answered with exact messages.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use fairshare_sim::trace::{CPU, GPU, Input, Status, Trace, TraceError, TraceOptions, inspect};

use crate::traces_dir;

/// A folder that goes away with the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn load(path: &Path) -> Result<Trace, TraceError> {
    Trace::load(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default())
}

pub(crate) fn load_strict(path: &Path) -> Result<Trace, TraceError> {
    let options = TraceOptions { strict: true, ..TraceOptions::default() };
    Trace::load(&[Input::parse(path.to_str().unwrap())], &options)
}

pub(crate) fn load_text(text: &str) -> Result<Trace, TraceError> {
    let folder = folder();
    load(&write(&folder, "jobs.csv", text.as_bytes()))
}

/// The whole message, with the folder of the test taken out.
pub(crate) fn message(result: Result<Trace, TraceError>) -> String {
    let error = result.unwrap_err();
    assert!(!error.is_machine(), "{}", error.message());
    let name = Path::new(&error.path).file_name().unwrap().to_str().unwrap().to_owned();
    error.message().replace(&error.path, &name)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// GPU-hours asked for, rounded.
pub(crate) fn gpu_hours(trace: &Trace) -> u128 {
    let work = |job: &fairshare_sim::trace::TraceJob| {
        let shape = &trace.shapes[job.shape as usize];
        u128::from(shape.alternatives[0].total(GPU)) * u128::from(job.run_ms)
    };
    (trace.jobs.iter().map(work).sum::<u128>() + 1_800_000_000) / 3_600_000_000
}

const HEADER: &str = "job_id,submit_s,run_s,team,gpu\n";

#[test]
fn philly_list_counts() {
    let Some(traces) = traces_dir() else { return };
    let trace = load(&traces.join("philly-2017/philly.csv.gz")).unwrap();
    assert_eq!(trace.jobs.len(), 82_247);
    assert_eq!(trace.teams.len(), 15);
    assert_eq!(gpu_hours(&trace), 978_078);
    assert!(trace.jobs.is_sorted_by_key(|job| job.submit_ms));
    let source = &trace.sources[0];
    assert_eq!((source.rows, source.jobs), (82_247, 82_247));
    assert_eq!((source.format.name(), source.guessed), ("philly-list", true));
    assert_eq!(source.repairs["one_gpu_workers"].count, 7);
    assert!(source.repairs["unsorted"].count > 0);
}

#[test]
fn swf_counts() {
    let Some(traces) = traces_dir() else { return };
    // (file, rows, jobs, teams, users)
    for (file, rows, jobs, teams, users) in [
        ("KTH-SP2-1996-2.1-cln", 28_476, 28_475, 252, 214),
        ("RICC-2010-2", 447_794, 447_794, 121, 176),
        ("LCG-2005-1", 188_041, 188_041, 28, 216),
    ] {
        let trace = load(&traces.join(format!("swf/{file}.swf.gz"))).unwrap();
        let source = &trace.sources[0];
        assert_eq!((source.rows, source.jobs), (rows, jobs), "{file}");
        assert_eq!((trace.teams.len(), trace.users.len()), (teams, users), "{file}");
    }
}

/// Jobs are bound to the 170 sites of the grid where the scenario asks for it.
#[test]
fn swf_partitions() {
    let Some(traces) = traces_dir() else { return };
    let mut options = TraceOptions::default();
    options.swf.set("pools", "partition").unwrap();
    let path = traces.join("swf/LCG-2005-1.swf.gz");
    let trace = Trace::load(&[Input::parse(path.to_str().unwrap())], &options).unwrap();
    let pools: std::collections::BTreeSet<&str> = trace
        .jobs
        .iter()
        .flat_map(|job| trace.shapes[job.shape as usize].alternatives[0].pools.iter())
        .map(String::as_str)
        .collect();
    assert_eq!((trace.jobs.len(), pools.len()), (188_041, 170));
    // No job of this grid tells how long it waited.
    assert!(trace.recorded.is_none());
}

#[test]
fn swf_import_options() {
    let Some(traces) = traces_dir() else { return };
    let mut options = TraceOptions::default();
    options.swf.set("run", "min(run, request)").unwrap();
    options.swf.set("unusable", "one-second").unwrap();
    let path = traces.join("swf/KTH-SP2-1996-2.1-cln.swf.gz");
    let cut = Trace::load(&[Input::parse(path.to_str().unwrap())], &options).unwrap();
    let plain = load(&path).unwrap();
    assert_eq!((cut.jobs.len(), plain.jobs.len()), (28_476, 28_475));
    assert!(
        plain.warnings.iter().any(|warning| warning.ends_with("475 jobs ran longer than the time limit"))
    );
    assert!(cut.warnings.is_empty(), "{:?}", cut.warnings);
    let one_second =
        cut.jobs.iter().filter(|job| job.run_ms == 1000 && cut.lengths(job).limit_ms() == Some(1000)).count();
    assert!(one_second >= 9, "{one_second}");
}

#[test]
fn mega_is_read_whole() {
    let Some(traces) = traces_dir() else { return };
    let trace = load(&traces.join("mega-1m/mega.csv.gz")).unwrap();
    assert_eq!(trace.jobs.len(), 1_248_524);
    assert_eq!((trace.teams.len(), trace.sources[0].repairs.len()), (566, 0));
    assert_eq!(gpu_hours(&trace), 1_029_679);
    assert_eq!(std::mem::size_of_val(&trace.jobs[0]), 40);
}

#[test]
fn native_columns_reach_the_trace() {
    let text = "\u{feff}run_s,job_id,team,submit_s,gpu,cpu,memory_gib,accelerators,res_nic,status,start_s,colour\n\
                1.5,a,search,2026-01-01T00:00:00Z,8,4,0.5,H200:1|A100*2x8:0.5,2,failed,1767225601,red\r\n\
                0,b,ads,1767225600,0,1,,,,,,\n";
    let trace = load_text(text).unwrap();
    assert_eq!(trace.jobs.len(), 2);
    let job = trace.jobs[0];
    assert_eq!((job.submit_ms, job.run_ms, job.status), (1_767_225_600_000, 1500, Status::Failed));
    assert_eq!(trace.resources, ["nic"]);
    let alternatives = &trace.shapes[job.shape as usize].alternatives;
    assert_eq!(alternatives[0].amounts, [(GPU, 8000), (CPU, 4000), (2, 1 << 29), (3, 2000)]);
    assert_eq!((alternatives[0].workers, alternatives[0].accelerator.as_deref()), (1, Some("H200")));
    assert_eq!((alternatives[1].workers, alternatives[1].speed_milli), (2, 500));
    assert_eq!(trace.recorded.as_ref().unwrap()[0].start_ms(), Some(1_767_225_601_000));
    assert_eq!(trace.recorded.as_ref().unwrap()[1].start_ms(), None);
    assert_eq!(trace.teams.text(trace.jobs[1].owner), "ads");
    assert!(
        trace.warnings[0].ends_with("columns that the native format does not know are ignored: `colour`")
    );
}

#[test]
fn a_column_that_is_nearly_a_known_one_is_named_beside_it() {
    let trace = load_text("job_id,submit_s,run_s,team,gpus\n1,0,1,t,2\n").unwrap();
    assert!(trace.warnings[0].ends_with("are ignored: `gpus` (did you mean `gpu`?)"), "{:?}", trace.warnings);
}

#[test]
fn milliseconds_where_seconds_are_expected_are_noticed() {
    let rows = |submit: u64| format!("job_id,submit_s,run_s,team,gpu\n1,{submit},1,t,1\n");
    let warnings = |submit: u64| load_text(&rows(submit)).unwrap().warnings;
    assert!(warnings(1_736_071_200_000)[0].contains("milliseconds?"));
    assert_eq!(warnings(1_736_071_200), Vec::<String>::new());
}

#[test]
fn equal_requests_share_one_shape() {
    let text =
        "job_id,submit_s,run_s,team,gpu,accelerators\n1,0,1,t,1,H200\n2,0,1,t,1,H200:1\n3,0,1,t,2,H200\n";
    let trace = load_text(text).unwrap();
    assert_eq!(trace.shapes.len(), 2);
    assert_eq!(trace.jobs[0].shape, trace.jobs[1].shape);
}

#[test]
fn compression_is_told_from_the_bytes() {
    let folder = folder();
    let text = format!("{HEADER}1,0,5,t,1\n");
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let mut digests = Vec::new();
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), zstd] {
        let trace = load(&write(&folder, "jobs", &bytes)).unwrap();
        assert_eq!(trace.jobs.len(), 1);
        digests.push(trace.sources[0].digest.clone());
    }
    // `printf 'job_id,submit_s,run_s,team,gpu\n1,0,5,t,1\n' | sha256sum`
    assert_eq!(digests[0], "dd6e4d346862d6a1d6d08f8d17a4c260559e59a1f88488649b40d075b187124f");
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn missing_file() {
    assert_eq!(
        message(load(Path::new("no-such-file.csv"))),
        "failed to read trace `no-such-file.csv`\nthere is no such file"
    );
}

#[test]
fn folder_instead_of_file() {
    let folder = folder();
    let path = folder.path().join("traces");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(message(load(&path)), "failed to read trace `traces`\nthis is a folder, not a file");
}

#[test]
fn empty_file() {
    let expected =
        "failed to read trace `jobs.csv`\nthe file is empty\nhint: a trace has at least a header line";
    assert_eq!(message(load_text("")), expected);
    let folder = folder();
    assert_eq!(message(load(&write(&folder, "jobs.csv", &gzip(b"")))), expected);
}

#[test]
fn unknown_content() {
    assert_eq!(
        message(load_text("hello world\n")),
        "failed to read trace `jobs.csv`\nthe content does not tell the format\n\
         hint: name it as `FILE:FORMAT`, with one of native, swf, philly-list, philly-log, philly-machines, helios, \
         helios-quotas, acme, openb, openb-nodes, pai, pai-tasks, pai-machines, gavel, gavel-throughputs, sacct, \
         kueue, skypilot, skypilot-task, parquet, opendc"
    );
}

#[test]
fn missing_column() {
    assert_eq!(
        message(load_text("job_id,submit_s,team,gpu\n1,0,t,1\n")),
        "failed to read trace `jobs.csv`\nline 1: the column `run_s` is missing\n\
         hint: the file has `job_id`, `submit_s`, `team`, `gpu`"
    );
}

#[test]
fn letter_in_number() {
    assert_eq!(
        message(load_text(&format!("{HEADER}1,0,5,t,1\n2,0,5x,t,1\n"))),
        "failed to read trace `jobs.csv`\nline 3, column `run_s`: expected a number of seconds, found `5x`"
    );
    assert_eq!(
        message(load_text(
            "; Version: 2.2\n1 0 0 5 1 0 0 1 9 0 1 1 1 1 1 1 -1 -1\n2 0 0 a5 1 0 0 1 9 0 1 1 1 1 1 1 -1 -1\n"
        )),
        "failed to read trace `jobs.csv`\nline 3, column `run time (field 4)`: expected a number of seconds, \
         found `a5`"
    );
}

#[test]
fn one_field_too_many() {
    assert_eq!(
        message(load_text(&format!("{HEADER}1,0,5,t,1\n\n2,0,5,t,1,9\n"))),
        "failed to read trace `jobs.csv`\nline 4, column `6`: expected 5 fields as in the header, found 6"
    );
}

#[test]
fn one_field_too_few() {
    let shown = message(load_text(&format!("{HEADER}1,0,5\n")));
    let column = HEADER.trim().split(',').nth(3).unwrap();
    let expected = format!("line 2, column `{column}`: expected 5 fields as in the header, found 3");
    assert_eq!(shown, format!("failed to read trace `jobs.csv`\n{expected}"));
}

/// A cut in the header line leaves too little to tell the format by; what is wrong is the cut.
#[test]
fn an_archive_cut_in_its_header_is_said_to_be_cut() {
    let whole = gzip(b"job_id,submit_s,run_s,team\n1,0,5,t\n");
    let folder = folder();
    let path = folder.path().join("jobs.csv.gz");
    for length in 18..34 {
        std::fs::write(&path, &whole[..length]).unwrap();
        let shown = message(load(&path));
        assert!(shown.contains("expected more gzip data"), "{length}: {shown}");
    }
}

/// Of a message about data that breaks off: line, character, column, what else it says.
fn broken(shown: &str, name: &str) -> (u64, usize, String, String) {
    let rest = shown.strip_prefix(&format!("failed to read trace `{name}`\nline ")).unwrap();
    let (line, rest) = rest.split_once(", character ").unwrap();
    let (character, rest) = rest.split_once(", column `").unwrap();
    let (column, rest) = rest.split_once("`: ").unwrap();
    (line.parse().unwrap(), character.parse().unwrap(), column.to_owned(), rest.to_owned())
}

const FETCH: &str = "\nhint: the file was cut off or changed on its way: fetch it again";

#[test]
fn truncated_gzip_and_zstd() {
    let mut text = HEADER.as_bytes().to_vec();
    for row in 0..40_000 {
        writeln!(text, "{row},{row},{},team,1", row * 7919 % 1000).unwrap();
    }
    let folder = folder();
    for (name, format, bytes) in [
        ("jobs.csv.gz", "gzip", gzip(&text)),
        ("jobs.csv.zst", "zstd", zstd::encode_all(&text[..], 3).unwrap()),
    ] {
        let cut = write(&folder, name, &bytes[..bytes.len() / 2]);
        let (line, character, column, rest) = broken(&message(load(&cut)), name);
        assert_eq!(rest, format!("expected more {format} data, found the end of the file{FETCH}"));
        // What can be unpacked of it ends in this line and this column.
        let mut unpacked = Vec::new();
        let file = std::fs::File::open(&cut).unwrap();
        let failed = match format {
            "gzip" => flate2::read::GzDecoder::new(file).read_to_end(&mut unpacked),
            _ => zstd::Decoder::new(file).unwrap().read_to_end(&mut unpacked),
        };
        assert!(failed.is_err());
        let unpacked = String::from_utf8(unpacked).unwrap();
        let (lines, last) = unpacked.rsplit_once('\n').unwrap();
        assert_eq!((line, character), (lines.lines().count() as u64 + 1, last.len() + 1));
        assert!((10_000..40_000).contains(&line), "{line}");
        assert_eq!(column, ["job_id", "submit_s", "run_s", "team", "gpu"][last.matches(',').count()]);
    }
}

#[test]
fn compressed_data_that_breaks_off_anywhere() {
    let folder = folder();
    let refused = |name: &str, bytes: &[u8], expected: &str| {
        let shown = message(load(&write(&folder, name, bytes)));
        assert_eq!(shown, format!("failed to read trace `{name}`\n{expected}{FETCH}"));
    };
    let text = HEADER.to_owned() + &"1,0,5,team,1\n".repeat(10);
    // The one block of the file is not whole, so that nothing of it can be unpacked.
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    refused(
        "jobs.zst",
        &zstd[..zstd.len() - 9],
        "line 1, character 1: expected more zstd data, found the end of the file",
    );
    // A sound file with something else behind it.
    let mut bytes = gzip(text.as_bytes());
    bytes.extend_from_slice(b"something else");
    refused(
        "jobs.gz",
        &bytes,
        "line 12: expected the end of the file behind the gzip data, found other bytes",
    );
    // Sound data without the sum that ends it, which breaks off in a field, in a header, in a line without fields and in
    // an object.
    let cut = |text: &str| {
        let bytes = gzip(text.as_bytes());
        bytes[..bytes.len() - 5].to_vec()
    };
    let ends = "expected more gzip data, found the end of the file";
    refused("field.gz", &cut(&(text + "2,1,\"5")), &format!("line 12, character 7, column `run_s`: {ends}"));
    // The field begins in the line before.
    let lines = HEADER.to_owned() + "1,0,5,\"te\nam";
    refused("lines.gz", &cut(&lines), &format!("line 3, character 3, column `team`: {ends}"));
    refused("header.gz", &cut("job_id,submit_s,run_s,t"), &format!("line 1, character 24: {ends}"));
    let swf = "; Äpfel\n1 0 0 5 1 0 0 1 9 0 1 1 1 1 1 1 -1 -1\n2 3 Ä";
    refused("old.gz", &cut(swf), &format!("line 3, character 6: {ends}"));
    let log = "[{\"status\": \"Pass\", \"vc\": \"a\", \"jobid\": \"1\",\n \"attem";
    refused("log.gz", &cut(log), &format!("line 2, character 8: {ends}"));
    let objects = "apiVersion: v1\nkind: Workload\n";
    refused("objects.gz", &cut(objects), &format!("line 3, character 1: {ends}"));
    let mut bytes = gzip(objects.as_bytes());
    bytes.push(b'x');
    let behind = "line 3: expected the end of the file behind the gzip data, found other bytes";
    refused("objects.gz", &bytes, behind);
}

#[test]
fn times_and_amounts_at_the_end_of_their_ranges_add_up() {
    let folder = folder();
    let mut text = HEADER.to_owned();
    for job in 0..9 {
        text += &[&job.to_string(), ",0,1000000000000000,t,9007199254740.992\n"].concat();
    }
    let path = write(&folder, "jobs.csv", text.as_bytes());
    let found = inspect(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default(), None).unwrap();
    assert_eq!(found.jobs, 9);
    // 9 jobs of 10^15 s with 2^53 / 1000 GPUs.
    assert!((found.gpu_hours / (9.0 * 1e15 / 3600.0 * 9_007_199_254_740.992) - 1.0).abs() < 1e-12);
    // One more, and no sum of times would be sure to fit 64 bits.
    assert_eq!(
        message(load_text(&(text + "9,0,1000000000000000,t,1\n"))),
        "failed to read trace `jobs.csv`\nline 11: all jobs up to here ran for longer than can be summed, 292 \
         million years"
    );
}

#[test]
fn invalid_utf8() {
    let folder = folder();
    let path = write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team\n1,0,5,caf\xe9\n");
    assert_eq!(
        message(load(&path)),
        "failed to read trace `jobs.csv`\nline 2, column `team`: expected UTF-8 text, found `caf\\xe9`"
    );
}

#[test]
fn half_letters_do_not_pass_together() {
    let folder = folder();
    // The two bytes of one letter, torn apart by a comma.
    let path = write(&folder, "jobs.csv", b"job_id,submit_s,run_s,team,user\n1,0,5,caf\xc3,\xa9t\n");
    assert_eq!(
        message(load(&path)),
        "failed to read trace `jobs.csv`\nline 2, column `team`: expected UTF-8 text, found `caf\\xc3`"
    );
}

#[test]
fn values_near_the_end_of_64_bits() {
    for value in ["9223372036854775807", "-9223372036854775808", "9223372036854775", "1e300"] {
        assert_eq!(
            message(load_text(&format!("{HEADER}1,0,{value},t,1\n"))),
            format!(
                "failed to read trace `jobs.csv`\nline 2, column `run_s`: expected a number of seconds within the \
                 range of this program, found `{value}`"
            )
        );
    }
    assert_eq!(
        message(load_text(&format!("{HEADER}1,0,5,t,9223372036854775807\n"))),
        "failed to read trace `jobs.csv`\nline 2, column `gpu`: expected a number within the range of this \
         program, found `9223372036854775807`"
    );
}

#[test]
fn senseless_rows_are_left_out_and_counted() {
    let folder = folder();
    let text = format!(
        "{HEADER}1,10,-5,t,1\n2,10,5,t,1\n2,11,5,t,1\n3,5,5,t,1\n4,12,,t,1\n5,12,5,t,0\n6,12,5,,1\n,12,5,t,1\n7,13,0,t,1\n"
    );
    let path = write(&folder, "jobs.csv", text.as_bytes());
    let trace = load(&path).unwrap();
    let names: Vec<String> = (0..trace.jobs.len()).map(|index| trace.names.get(index).to_string()).collect();
    assert_eq!(names, ["3", "2", "7"]);
    let repairs: Vec<(&str, u64, &[u64])> = trace.sources[0]
        .repairs
        .iter()
        .map(|(key, repair)| (*key, repair.count, &repair.first_lines[..]))
        .collect();
    assert_eq!(
        repairs,
        [
            ("duplicate_id", 1, &[4][..]),
            ("missing_id", 1, &[9]),
            ("missing_run", 1, &[6]),
            ("missing_team", 1, &[8]),
            ("negative_run", 1, &[2]),
            ("no_request", 1, &[7]),
            ("unsorted", 1, &[5]),
        ]
    );
}

#[test]
fn strict_refuses_repairs() {
    let folder = folder();
    for (rows, line, reason, done) in [
        ("1,0,-5,t,1\n", 2, "the run time is negative", "left out"),
        ("1,9,5,t,1\n2,8,5,t,1\n", 3, "submitted before the row above it", "sorted in"),
        ("1,0,5,t,1\n1,0,5,t,1\n", 3, "the job id came before", "left out"),
    ] {
        let path = write(&folder, "jobs.csv", format!("{HEADER}{rows}").as_bytes());
        assert_eq!(
            message(load_strict(&path)),
            format!(
                "failed to read trace `jobs.csv`\nline {line}: {reason}\n\
                 hint: without --strict such rows are {done} and counted"
            )
        );
    }
}

#[test]
fn endless_record_ends_with_an_error() {
    let folder = folder();
    let mut text = format!("{HEADER}1,0,5,t,1\n2,0,5,\"").into_bytes();
    text.extend(std::iter::repeat_n(b"abcdefg\n", 400_000).flatten());
    assert_eq!(
        message(load(&write(&folder, "jobs.csv", &text))),
        "failed to read trace `jobs.csv`\nline 3: this record is longer than 1 MiB\n\
         hint: a quote that is never closed, or a file that is no trace, looks like this"
    );
    let mut text = b"; Version: 2\n".to_vec();
    text.extend(std::iter::repeat_n(b'1', 3_000_000));
    assert!(message(load(&write(&folder, "jobs.swf", &text))).contains("line 2: this record is longer"));
}

#[test]
fn files_are_sorted_together() {
    let folder = folder();
    let first = write(&folder, "a.csv", format!("{HEADER}a10,5,1,t,1\na2,5,1,t,1\n").as_bytes());
    let second = write(&folder, "b.csv", format!("{HEADER}10,0,1,t,1\n9,0,1,u,1\n").as_bytes());
    let inputs = [first, second].map(|path| Input::parse(path.to_str().unwrap()));
    let trace = Trace::load(&inputs, &TraceOptions::default()).unwrap();
    let names: Vec<String> = (0..4).map(|index| trace.names.get(index).to_string()).collect();
    assert_eq!(names, ["9", "10", "a10", "a2"]);
    assert!(trace.sources.iter().all(|source| source.repairs.is_empty()));
}
