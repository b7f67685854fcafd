//! Parquet says the same as CSV; damaged files end in errors.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use fairshare_sim::trace::{CPU, Format, Input, MEMORY, Trace, TraceOptions, inspect};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use proptest::prelude::*;

use crate::support::sim;
use crate::trace::{folder, load, message, write};
use crate::trace_fuzz::{Draw, damage, seeds};
use crate::trace_properties::{HEADER, row, survive};
use crate::trace_tools::{listing, round_trip};
use crate::traces_dir;

const ROWS: usize = 5000;

/// The same jobs as Parquet and as CSV; every third has no limit.
fn both(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    both_packed(folder, Compression::SNAPPY)
}

fn both_packed(folder: &Path, packing: Compression) -> (std::path::PathBuf, std::path::PathBuf) {
    let schema = "message jobs { REQUIRED BYTE_ARRAY job_id (UTF8); REQUIRED DOUBLE submit_s; \
                  REQUIRED INT64 run_s; REQUIRED BYTE_ARRAY team (UTF8); OPTIONAL DOUBLE time_limit_s; \
                  REQUIRED DOUBLE gpu; }";
    let columnar = folder.join("jobs.parquet");
    let properties = Arc::new(WriterProperties::builder().set_compression(packing).build());
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(&columnar).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let range = || 0..ROWS;
    let names: Vec<ByteArray> = range().map(|row| ByteArray::from(format!("job-{row}").as_str())).collect();
    let teams: Vec<ByteArray> = range().map(|row| ByteArray::from(["a", "b,\"c\""][row % 2])).collect();
    let submits: Vec<f64> = range().map(|row| f64::from(u32::try_from(row).unwrap()) * 0.25).collect();
    let runs: Vec<i64> = range().map(|row| i64::try_from(row * 7 % 100).unwrap()).collect();
    let limits: Vec<f64> = range().filter(|row| row % 3 > 0).map(|_| 200.0).collect();
    let levels: Vec<i16> = range().map(|row| i16::from(row % 3 > 0)).collect();
    let gpus: Vec<f64> = range().map(|row| [0.5, 8.0][row % 2]).collect();
    // Two row groups, so that reading crosses from one into the next.
    let mut group = writer.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut out) = group.next_column().unwrap() {
        match column {
            0 => drop(out.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap()),
            1 => drop(out.typed::<DoubleType>().write_batch(&submits, None, None).unwrap()),
            2 => drop(out.typed::<Int64Type>().write_batch(&runs, None, None).unwrap()),
            3 => drop(out.typed::<ByteArrayType>().write_batch(&teams, None, None).unwrap()),
            4 => drop(out.typed::<DoubleType>().write_batch(&limits, Some(&levels), None).unwrap()),
            _ => drop(out.typed::<DoubleType>().write_batch(&gpus, None, None).unwrap()),
        }
        out.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
    let mut text = "job_id,submit_s,run_s,team,time_limit_s,gpu\n".to_owned();
    for row in range() {
        let team = ["a", "\"b,\"\"c\"\"\""][row % 2];
        let limit = if row % 3 > 0 { "200" } else { "" };
        let (submit, run, gpu) = (submits[row], runs[row], gpus[row]);
        writeln!(text, "job-{row},{submit},{run},{team},{limit},{gpu}").unwrap();
    }
    let plain = folder.join("jobs.csv");
    std::fs::write(&plain, text).unwrap();
    (columnar, plain)
}

#[test]
fn parquet_says_the_same_as_csv() {
    let folder = folder();
    let (columnar, plain) = both(folder.path());
    let (columnar, plain) = (load(&columnar).unwrap(), load(&plain).unwrap());
    assert_eq!(columnar.jobs.len(), ROWS);
    assert_eq!(columnar.sources[0].format.name(), "parquet");
    assert_eq!(columnar.sources[0].digest.len(), 64);
    assert_eq!(listing(&columnar), listing(&plain));
}

/// A native CSV as Parquet: every column a text, empty fields null.
fn columnar(path: &Path, csv: &str) {
    let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let fields: Vec<String> =
        header.iter().map(|name| format!("OPTIONAL BYTE_ARRAY {name} (UTF8);")).collect();
    let schema = Arc::new(parse_message_type(&format!("message jobs {{ {} }}", fields.concat())).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = 0;
    while let Some(mut out) = group.next_column().unwrap() {
        let texts = || rows.iter().map(|row| &row[column]);
        let values: Vec<ByteArray> = texts().filter(|text| !text.is_empty()).map(ByteArray::from).collect();
        let levels: Vec<i16> = texts().map(|text| i16::from(!text.is_empty())).collect();
        out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        out.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
}

proptest! {
    #[test]
    fn any_rows_say_the_same_in_both(rows in prop::collection::vec(row(), 1..40)) {
        let folder = folder();
        let text = HEADER.to_owned() + &rows.concat();
        let plain = load(&write(&folder, "a.csv", text.as_bytes())).unwrap();
        let path = folder.path().join("a.parquet");
        columnar(&path, &text);
        let packed = load(&path).unwrap();
        prop_assert_eq!(listing(&packed), listing(&plain));
        let repairs = |trace: &Trace| format!("{:?}", trace.sources[0].repairs);
        prop_assert_eq!(repairs(&packed), repairs(&plain));
    }
}

/// What `both` wrote, with the head at its end edited.
fn edited(path: &Path, edit: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
    let (pages, head) = bytes[..bytes.len() - 8].split_at(bytes.len() - 8 - length);
    let edited = edit(head);
    let mut file = pages.to_vec();
    file.extend_from_slice(&edited);
    file.extend_from_slice(&u32::try_from(edited.len()).unwrap().to_le_bytes());
    file.extend_from_slice(b"PAR1");
    file
}

/// The first `most` places of some bytes, replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8], most: usize) -> Vec<u8> {
    let (mut edited, mut rest) = (Vec::new(), bytes);
    for _ in 0..most {
        let Some(at) = rest.windows(from.len()).position(|part| part == from) else { break };
        edited.extend_from_slice(&rest[..at]);
        edited.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    assert!(rest.len() < bytes.len());
    edited.extend_from_slice(rest);
    edited
}

/// The head at the end of the file says how many rows there are; what is not there is missed, not waited for.
#[test]
fn a_billion_promised_rows_are_missed() {
    let folder = folder();
    let (path, _) = both(folder.path());
    // 5000 and 10^9 as the head writes numbers: doubled, seven bits a byte.
    let (rows, promised) = ([0x90, 0x4e], [0x80, 0xa8, 0xd6, 0xb9, 0x07]);
    for (most, said) in [
        // The first is that of the whole file.
        (1, "expected 1000000000 rows, as the end of the file says, found 5000"),
        (usize::MAX, "line 5002: the Parquet data is damaged"),
    ] {
        let file = edited(&path, |head| replaced(head, &rows, &promised, most));
        assert_eq!(
            message(load(&write(&folder, "promise.parquet", &file))),
            format!(
                "failed to read trace `promise.parquet`\n{said}\n\
                 hint: the file was cut off or changed on its way: fetch it again"
            )
        );
    }
}

#[test]
fn packed_columns_are_read_or_named() {
    let folder = folder();
    let packings = [
        Compression::UNCOMPRESSED,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for packing in packings {
        let (columnar, plain) = both_packed(folder.path(), packing);
        assert_eq!(listing(&load(&columnar).unwrap()), listing(&load(&plain).unwrap()), "{packing}");
    }
    // The field behind the name of a column is how it is packed: 1 is Snappy, 4 Brotli and 7 LZ4, doubled.
    let (path, _) = both(folder.path());
    for (code, name) in [(8, "brotli"), (14, "lz4")] {
        let file =
            edited(&path, |head| replaced(head, b"team\x15\x02", &[b"team\x15", &[code][..]].concat(), 1));
        assert_eq!(
            message(load(&write(&folder, "packed.parquet", &file))),
            format!(
                "failed to read trace `packed.parquet`\ncolumn `team`: this is packed with {name}, which cannot be \
                 read\nhint: write the file with snappy, gzip, zstd or no compression"
            )
        );
    }
}

#[test]
fn what_is_no_parquet_file_is_told() {
    let folder = folder();
    let (columnar, plain) = both(folder.path());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &std::fs::read(columnar).unwrap()).unwrap();
    let twice = write(&folder, "twice.parquet.gz", &packed.finish().unwrap());
    assert_eq!(
        message(load(&twice)),
        "failed to read trace `twice.parquet.gz`\nthis is a Parquet file that is packed once more\n\
         hint: unpack it: the columns inside are packed already"
    );
    let input = Input { path: plain, format: Some(Format::Parquet) };
    let shown = message(Trace::load(&[input], &TraceOptions::default()));
    assert_eq!(
        shown,
        "failed to read trace `jobs.csv`\nexpected a Parquet file, which begins with `PAR1`, found `job_`\n\
         hint: without a format behind its name it is told from the content"
    );
}

#[test]
fn a_missing_column_of_opendc_has_its_own_name() {
    let folder = folder();
    let path = folder.path().join("tasks.parquet");
    columnar(&path, "id,submission_time,cpu_count\n1,0,4\n");
    assert_eq!(
        message(load(&path)),
        "failed to read trace `tasks.parquet`\nthe column `duration` is missing\n\
         hint: the file has `id`, `submission_time`, `cpu_count`"
    );
}

#[test]
fn parquet_comes_back_as_the_same_jobs() {
    let folder = folder();
    let (path, _) = both(folder.path());
    assert_eq!(round_trip(&[path], &TraceOptions::default()), ROWS);
    let Some(traces) = traces_dir() else { return };
    let surf = traces.join("surf-2022/surf_halfyear_tasks.parquet");
    assert_eq!(round_trip(&[surf], &TraceOptions::default()), 194_917);
}

#[test]
fn surf_real() {
    let Some(traces) = traces_dir() else { return };
    let path = traces.join("surf-2022/surf_halfyear_tasks.parquet");
    let trace = load(&path).unwrap();
    assert_eq!((trace.jobs.len(), trace.sources[0].format.name()), (194_917, "opendc"));
    let first = &trace.shapes[trace.jobs[0].shape as usize].alternatives[0];
    assert_eq!(first.amount(CPU), 16_000);
    assert!(first.amount(MEMORY) > 0);
    let found = inspect(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default(), None).unwrap();
    let run = found.run_s.unwrap();
    assert_eq!(run.mean.map(f64::round), Some(6579.0));
    // 2022-06-30.
    assert_eq!(trace.jobs[0].submit_ms / 86_400_000, 19_173);
}

#[test]
fn damaged_parquet_ends_in_an_error() {
    let folder = folder();
    let (columnar, _) = both(folder.path());
    let bytes = std::fs::read(columnar).unwrap();
    let cut = write(&folder, "cut.parquet", &bytes[..bytes.len() / 2]);
    assert_eq!(
        message(load(&cut)),
        "failed to read trace `cut.parquet`\nthe Parquet data is damaged\n\
         hint: the file was cut off or changed on its way: fetch it again"
    );
    // Damage all over the file: jobs or an error, never a panic.
    for at in (4..bytes.len()).step_by(bytes.len() / 300) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let path = write(&folder, "damaged.parquet", &damaged);
        if let Err(error) = Trace::load(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default()) {
            assert!(!error.is_machine(), "{}", error.message());
        }
    }
}

/// As `no_damage_ends_in_a_panic` for the formats that are text.
#[test]
fn no_damage_of_parquet_ends_in_a_panic() {
    let folder = folder();
    let (path, plain) = both(folder.path());
    let (sound, other) = (std::fs::read(path).unwrap(), std::fs::read(plain).unwrap());
    let path = folder.path().join("damaged.parquet");
    let mut files = 0_u64;
    for seed in seeds(1_000) {
        let mut draw = Draw(seed);
        let mut bytes = sound.clone();
        damage(&mut bytes, &other, &mut draw);
        std::fs::write(&path, &bytes).unwrap();
        let survived = std::panic::catch_unwind(|| survive(&path, Some(Format::Parquet)));
        assert!(survived.is_ok(), "seed {seed}");
        files += 1;
    }
    println!("parquet: {files} files");
}

/// This damage makes the library behind panic, which is no bug of this program and must not look like one.
#[test]
fn a_panic_of_the_library_is_said_as_damage() {
    let folder = folder();
    let (path, plain) = both(folder.path());
    let (mut bytes, other) = (std::fs::read(path).unwrap(), std::fs::read(plain).unwrap());
    let mut draw = Draw(7_712_627_138_846_785_764);
    damage(&mut bytes, &other, &mut draw);
    std::fs::write(folder.path().join("damaged.parquet"), bytes).unwrap();
    let ran = sim(folder.path(), &["trace", "inspect", "damaged.parquet"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            2,
            "error: failed to read trace `damaged.parquet`\nthe Parquet data is damaged\n\
             hint: the file was cut off or changed on its way: fetch it again\n"
        )
    );
}

/// One job whose columns have these types, each with what is written into it.
fn typed(path: &Path, schema: &str, values: &[Typed]) {
    let schema = Arc::new(parse_message_type(&format!("message jobs {{ {schema} }}")).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut values = values.iter();
    while let Some(mut out) = group.next_column().unwrap() {
        match values.next().unwrap() {
            Typed::Whole(whole) => {
                out.typed::<Int64Type>().write_batch(&[*whole], None, None).unwrap();
            }
            Typed::Bytes(bytes) => {
                let bytes = ByteArray::from(bytes.to_vec());
                out.typed::<ByteArrayType>().write_batch(&[bytes], None, None).unwrap();
            }
            // One of an optional or repeated mapping: its levels are those of a value that is there.
            Typed::Key(key, levels) => {
                let key = ByteArray::from(*key);
                out.typed::<ByteArrayType>().write_batch(&[key], Some(&[*levels]), Some(&[0])).unwrap();
            }
            Typed::Items(items) => {
                let texts: Vec<ByteArray> = items.iter().map(|item| ByteArray::from(*item)).collect();
                let levels = if items.is_empty() { vec![0] } else { vec![1; items.len()] };
                let mut repeats = vec![1; levels.len()];
                repeats[0] = 0;
                let out = out.typed::<ByteArrayType>();
                out.write_batch(&texts, Some(&levels), Some(&repeats)).unwrap();
            }
        }
        out.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

enum Typed {
    Whole(i64),
    Bytes(&'static [u8]),
    Items(&'static [&'static str]),
    Key(&'static str, i16),
}

const TYPED: &str = "REQUIRED BYTE_ARRAY job_id (UTF8); REQUIRED INT64 run_s; REQUIRED BYTE_ARRAY team;";

/// Times have the unit of their type, nanoseconds too, which have no older name.
#[test]
fn times_of_parquet_have_the_unit_of_their_type() {
    let folder = folder();
    let path = folder.path().join("jobs.parquet");
    let instant = 1_700_000_000_250_i64;
    for (unit, times) in [("MILLIS", 1), ("MICROS", 1_000), ("NANOS", 1_000_000)] {
        let schema = format!("{TYPED} REQUIRED INT64 submit_s (TIMESTAMP({unit},true));");
        for ms in [instant, 1_000, -250] {
            let values = [Typed::Bytes(b"j"), Typed::Whole(5), Typed::Bytes(b"t"), Typed::Whole(ms * times)];
            typed(&path, &schema, &values);
            assert_eq!(load(&path).unwrap().jobs[0].submit_ms, ms, "{unit}");
        }
        let schema = format!(
            "REQUIRED INT64 id; REQUIRED INT64 submission_time (TIMESTAMP({unit},true)); REQUIRED INT64 duration; \
             REQUIRED INT64 cpu_count;"
        );
        typed(&path, &schema, &[1, instant * times, 5_000, 4].map(Typed::Whole));
        assert_eq!(load(&path).unwrap().jobs[0].submit_ms, instant, "{unit}");
    }
}

/// A list is its items, and an empty one none.
#[test]
fn a_list_of_parquet_is_its_items() {
    let folder = folder();
    let path = folder.path().join("jobs.parquet");
    let schema = format!(
        "{TYPED} REQUIRED INT64 submit_s; REQUIRED GROUP datasets (LIST) {{ REPEATED GROUP list {{ REQUIRED BYTE_ARRAY \
         element (UTF8); }} }}"
    );
    for items in [&["x", "y"][..], &["a,\"b\""], &[]] {
        let values =
            [Typed::Bytes(b"j"), Typed::Whole(5), Typed::Bytes(b"t"), Typed::Whole(0), Typed::Items(items)];
        typed(&path, &schema, &values);
        assert_eq!(load(&path).unwrap().shapes[0].datasets, items);
    }
    // What separates items cannot stand in one.
    let values =
        [Typed::Bytes(b"j"), Typed::Whole(5), Typed::Bytes(b"t"), Typed::Whole(0), Typed::Items(&["x|y"])];
    typed(&path, &schema, &values);
    assert_eq!(
        message(load(&path)),
        "failed to read trace `jobs.parquet`\nline 2, column `datasets`: expected items without `|`, found `x|y`"
    );
}

/// Names that are no text are refused; each would otherwise be the same one.
#[test]
fn bytes_of_parquet_that_are_no_text_are_refused() {
    let folder = folder();
    let path = folder.path().join("jobs.parquet");
    let schema = format!("{TYPED} REQUIRED INT64 submit_s;");
    for team in [&b"\xff"[..], b"t,\xfe"] {
        let values = [Typed::Bytes(b"j"), Typed::Whole(5), Typed::Bytes(team), Typed::Whole(0)];
        typed(&path, &schema, &values);
        let said = message(load(&path));
        let expected =
            "failed to read trace `jobs.parquet`\nline 2, column `team`: expected UTF-8 text, found ";
        assert!(said.starts_with(expected), "{said}");
    }
}

/// Maps, structures and lists of lists are no text; each would otherwise be a name of its own.
#[test]
fn what_lies_nested_in_parquet_is_refused() {
    let folder = folder();
    let path = folder.path().join("jobs.parquet");
    let map = |name: &str| {
        format!(
            "REQUIRED GROUP {name} (MAP) {{ REPEATED GROUP key_value {{ REQUIRED BYTE_ARRAY key (UTF8); REQUIRED BYTE_ARRAY \
             value (UTF8); }} }}"
        )
    };
    let structure = |name: &str| format!("REQUIRED GROUP {name} {{ REQUIRED BYTE_ARRAY a (UTF8); }}");
    let lists = |name: &str| {
        format!(
            "REQUIRED GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED GROUP element (LIST) {{ REPEATED GROUP list {{ \
             REQUIRED BYTE_ARRAY element (UTF8); }} }} }} }}"
        )
    };
    let cases: [(String, Vec<Typed>, &str); 3] = [
        (map("pools"), vec![Typed::Key("V100", 1), Typed::Key("x", 1)], "V100"),
        (structure("pools"), vec![Typed::Bytes(b"x")], "a"),
        (lists("pools"), vec![Typed::Key("x", 2)], "x"),
    ];
    let base = || [Typed::Bytes(b"j"), Typed::Whole(5), Typed::Bytes(b"t"), Typed::Whole(0)];
    for (column, values, part) in cases {
        let values: Vec<Typed> = base().into_iter().chain(values).collect();
        typed(&path, &format!("{TYPED} REQUIRED INT64 submit_s; {column}"), &values);
        let said = message(load(&path));
        let expected = "failed to read trace `jobs.parquet`\nline 2, column `pools`: expected a value or a list of values, found `";
        assert!(said.starts_with(expected) && said.contains(part), "{said}");
        // What the format does not know is passed over, whatever it is.
        let other = column.replace("pools", "notes");
        typed(&path, &format!("{TYPED} REQUIRED INT64 submit_s; {other}"), &values);
        let found = load(&path).unwrap();
        assert_eq!((found.jobs.len(), found.warnings.len()), (1, 2), "{:?}", found.warnings);
    }
}
