//! Parquet: native columns, and the tasks of `OpenDC` (SURF), under the feature `parquet`.
//!
//! Rows are written as native CSV and read by the native reader, so that both say exactly the same. A line number
//! in a message is the row's number plus one. The file is read by row group; it must be a file, not a stream.
//! `OpenDC`: times in ms, memory in MB; there are no teams, so all tasks are of the team `all`.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::basic::{Compression, LogicalType, TimeUnit};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};

use super::native;
use crate::trace::error::{Fault, quoted};
use crate::trace::guess::Format;
use crate::trace::input::{Opened, Unsayable};
use crate::trace::write::{gibibytes, milliseconds};

/// One column of the CSV: where it comes from and how it is written.
#[derive(Debug, Clone, Copy)]
struct Column {
    source: usize,
    unit: Unit,
    /// Its values are times in ns, of which the library behind knows no type.
    nanoseconds: bool,
    /// The native format knows it; what has parts in others is passed over.
    known: bool,
}

/// What a value is multiplied by on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// As it stands.
    Plain,
    /// Milliseconds, written as seconds.
    Milliseconds,
    /// The same, absent below zero.
    OptionalMilliseconds,
    /// MB, written as GiB.
    Megabytes,
}

/// Columns of `OpenDC` and what they are natively.
const OPENDC: [(&str, &str, Unit); 7] = [
    ("id", "job_id", Unit::Plain),
    ("submission_time", "submit_s", Unit::Milliseconds),
    ("duration", "run_s", Unit::Milliseconds),
    ("cpu_count", "cpu", Unit::Plain),
    ("mem_capacity", "memory_gib", Unit::Megabytes),
    ("gpu_count", "gpu", Unit::Plain),
    ("deadline", "deadline_s", Unit::OptionalMilliseconds),
];

/// Those without which there is no trace.
const REQUIRED: [&str; 3] = ["id", "submission_time", "duration"];

const FETCH: &str = "the file was cut off or changed on its way: fetch it again";

thread_local! {
    /// The file that the library behind is looking at.
    static INSIDE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The file on which the library behind panicked, if it did: some damaged files make it. Where panics do not unwind,
/// only their hook can still say so.
pub(crate) fn panicked_on() -> Option<String> {
    INSIDE.with_borrow(Clone::clone)
}

/// Calls the library behind; nothing comes back where it panicked.
fn guarded<T>(path: &str, call: impl FnOnce() -> T) -> Option<T> {
    INSIDE.with_borrow_mut(|inside| {
        let inside = inside.get_or_insert_default();
        inside.clear();
        inside.push_str(path);
    });
    let done = catch_unwind(AssertUnwindSafe(call)).ok();
    INSIDE.set(None);
    done
}

/// Rows of a Parquet file as the bytes of a native CSV.
pub(crate) struct Rows {
    path: String,
    iterator: RowIter<'static>,
    /// Rows still to come.
    promised: u64,
    columns: Vec<Column>,
    team: bool,
    /// Names of the file's own columns.
    names: Vec<String>,
    text: Vec<u8>,
    given: usize,
    /// The line of the row that comes next.
    line: u64,
    /// Set once a row could not be read; every later read fails too.
    failed: bool,
    /// Why, where it is not damage.
    unsayable: Option<Unsayable>,
}

/// Opens a Parquet file and tells which columns it has.
pub(crate) fn open(path: &Path, opened: &Opened) -> Result<(Format, Rows), Fault> {
    if opened.flow.is_compressed() {
        return Err(Fault::other(0, "this is a Parquet file that is packed once more")
            .hint("unpack it: the columns inside are packed already"));
    }
    if !opened.head.starts_with(b"PAR1") {
        let found = quoted(opened.head.get(..4).unwrap_or(&opened.head));
        return Err(Fault::unreadable(0, "a Parquet file, which begins with `PAR1`", found)
            .hint("without a format behind its name it is told from the content"));
    }
    let file = File::open(path).map_err(Fault::open)?;
    let shown = path.display().to_string();
    let reader = guarded(&shown, || SerializedFileReader::new(file));
    let reader = reader.and_then(Result::ok).ok_or_else(|| damaged(0))?;
    let promised = check(reader.metadata())?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let names: Vec<String> =
        schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let opendc =
        ["id", "submission_time", "cpu_count"].iter().all(|name| names.iter().any(|known| known == name));
    let (header, mut columns) = if opendc {
        opendc_columns(&names)?
    } else {
        let plain = |source| Column {
            source,
            unit: Unit::Plain,
            nanoseconds: false,
            known: native::knows(&names[source]),
        };
        let columns = (0..names.len()).map(plain).collect();
        (names.clone(), columns)
    };
    for column in &mut columns {
        let info = schema.root_schema().get_fields()[column.source].get_basic_info();
        column.nanoseconds = matches!(
            info.logical_type_ref(),
            Some(LogicalType::Timestamp(timestamp)) if timestamp.unit == TimeUnit::NANOS
        );
    }
    let mut text = Vec::new();
    for (index, name) in header.iter().enumerate() {
        write_field(&mut text, index, name.as_bytes());
    }
    text.push(b'\n');
    let iterator = RowIter::from_file_into(Box::new(reader));
    let format = if opendc { Format::OpenDc } else { Format::Parquet };
    let rows = Rows {
        path: shown,
        iterator,
        promised,
        columns,
        team: opendc,
        names,
        text,
        given: 0,
        line: 2,
        failed: false,
        unsayable: None,
    };
    Ok((format, rows))
}

/// Native names of those columns of `OpenDC` that a file has, and where they are in it.
fn opendc_columns(names: &[String]) -> Result<(Vec<String>, Vec<Column>), Fault> {
    let (mut header, mut columns) = (Vec::new(), Vec::new());
    for (name, native, unit) in OPENDC {
        if let Some(source) = names.iter().position(|known| known == name) {
            header.push(native.to_owned());
            columns.push(Column { source, unit, nanoseconds: false, known: true });
        } else if REQUIRED.contains(&name) {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(Fault::other(0, format!("the column `{name}` is missing"))
                .hint(format!("the file has {}", names.join(", "))));
        }
    }
    header.push("team".to_owned());
    Ok((header, columns))
}

fn damaged(line: u64) -> Fault {
    Fault::other(line, "the Parquet data is damaged").hint(FETCH)
}

/// How many rows there are, if the file says so everywhere alike and packs its columns in a way that can be read.
fn check(metadata: &ParquetMetaData) -> Result<u64, Fault> {
    let promised = metadata.file_metadata().num_rows();
    let mut groups = metadata.row_groups().iter().map(RowGroupMetaData::num_rows);
    let found = groups.try_fold(0_i64, |sum, rows| sum.checked_add(rows).filter(|_| rows >= 0));
    let Some(found) = found else { return Err(damaged(0)) };
    if found != promised {
        let expected = format!("{promised} rows, as the end of the file says");
        return Err(Fault::unreadable(0, expected, format!("{found}")).hint(FETCH));
    }
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let packing = match column.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => {
                continue;
            }
            Compression::BROTLI(_) => "brotli",
            Compression::LZ4 | Compression::LZ4_RAW => "lz4",
            Compression::LZO => "lzo",
        };
        let column = column.column_path().string();
        return Err(Fault::other(0, format!("this is packed with {packing}, which cannot be read"))
            .column(column)
            .hint("write the file with snappy, gzip, zstd or no compression"));
    }
    u64::try_from(found).map_err(|_| damaged(0))
}

impl Rows {
    /// Adds a row, unless a value of it cannot be said in text.
    fn append(&mut self, row: &Row) -> Result<(), Unsayable> {
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        let begin = self.text.len();
        let mut index = 0;
        for column in &self.columns {
            let field = fields.get(column.source).filter(|field| column.known || !is_nested(field));
            match field.map_or(Ok(Vec::new()), |field| cell(field, *column)) {
                Ok(shown) => write_field(&mut self.text, index, &shown),
                Err((expected, found)) => {
                    self.text.truncate(begin);
                    let column = self.names[column.source].clone();
                    return Err(Unsayable { line: self.line, column, expected, found });
                }
            }
            index += 1;
        }
        if self.team {
            write_field(&mut self.text, index, b"all");
        }
        self.text.push(b'\n');
        self.line += 1;
        Ok(())
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            self.text.clear();
            self.given = 0;
            while self.text.len() < 1 << 16 && !self.failed {
                match guarded(&self.path, || self.iterator.next()) {
                    Some(Some(Ok(row))) if self.promised > 0 => {
                        self.promised -= 1;
                        if let Err(unsayable) = self.append(&row) {
                            self.unsayable = Some(unsayable);
                            self.failed = true;
                        }
                    }
                    Some(None) if self.promised == 0 => break,
                    _ => self.failed = true,
                }
            }
            if self.text.is_empty() && self.failed {
                return Err(match self.unsayable.take() {
                    Some(unsayable) => io::Error::new(io::ErrorKind::InvalidData, unsayable),
                    None => io::Error::new(io::ErrorKind::InvalidData, "damaged"),
                });
            }
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

fn write_field(text: &mut Vec<u8>, index: usize, field: &[u8]) {
    if index > 0 {
        text.push(b',');
    }
    if !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        text.extend_from_slice(field);
        return;
    }
    text.push(b'"');
    for &byte in field {
        text.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
    }
    text.push(b'"');
}

/// What stands in a column of a row as text; else what was expected there and what was found.
fn cell(field: &Field, column: Column) -> Result<Vec<u8>, (&'static str, String)> {
    match field {
        Field::ListInternal(list) => {
            if list.elements().iter().any(is_nested) {
                return Err((FLAT, quoted(field.to_string().as_bytes())));
            }
            let items: Vec<Vec<u8>> = list.elements().iter().map(|item| bytes(item, column.unit)).collect();
            match items.iter().find(|item| item.contains(&b'|')) {
                Some(item) => Err(("items without `|`", quoted(item))),
                None => Ok(items.join(&b'|')),
            }
        }
        field if is_nested(field) => Err((FLAT, quoted(field.to_string().as_bytes()))),
        Field::Long(value) if column.nanoseconds => {
            Ok(bytes(&Field::TimestampMillis(value.div_euclid(1_000_000)), column.unit))
        }
        field => Ok(bytes(field, column.unit)),
    }
}

/// What a column may hold.
const FLAT: &str = "a value or a list of values";

/// Whether it has parts of its own.
fn is_nested(field: &Field) -> bool {
    matches!(field, Field::Group(_) | Field::MapInternal(_) | Field::ListInternal(_))
}

/// A value as text, or bytes that are none, which the reader behind refuses.
fn bytes(field: &Field, unit: Unit) -> Vec<u8> {
    match field {
        Field::Bytes(bytes) => bytes.data().to_vec(),
        field => show(field, unit).into_bytes(),
    }
}

/// A value as text; absent ones are empty.
fn show(field: &Field, unit: Unit) -> String {
    let whole = match field {
        Field::Null => return String::new(),
        Field::Str(text) => return text.clone(),
        Field::Bool(value) => return value.to_string(),
        Field::Double(value) => return scaled_float(*value, unit),
        Field::Float(value) => return scaled_float(f64::from(*value), unit),
        // Times have the unit of their type: seconds in a native column, ms in an `OpenDC` one.
        Field::TimestampMillis(value) => {
            return if unit == Unit::Plain { milliseconds(*value) } else { in_unit(*value, unit) };
        }
        Field::TimestampMicros(value) => {
            let ms = value.div_euclid(1000);
            return if unit == Unit::Plain { milliseconds(ms) } else { in_unit(ms, unit) };
        }
        Field::Byte(value) => i64::from(*value),
        Field::Short(value) => i64::from(*value),
        Field::Int(value) => i64::from(*value),
        Field::Long(value) => *value,
        Field::UByte(value) => i64::from(*value),
        Field::UShort(value) => i64::from(*value),
        Field::UInt(value) => i64::from(*value),
        Field::ULong(value) => match i64::try_from(*value) {
            Ok(value) => value,
            Err(_) => return value.to_string(),
        },
        other => return other.to_string(),
    };
    in_unit(whole, unit)
}

fn in_unit(value: i64, unit: Unit) -> String {
    match unit {
        Unit::Plain => value.to_string(),
        Unit::OptionalMilliseconds if value < 0 => String::new(),
        Unit::Milliseconds | Unit::OptionalMilliseconds => milliseconds(value),
        Unit::Megabytes => u64::try_from(value)
            .ok()
            .and_then(|value| value.checked_mul(1_000_000))
            .map_or_else(|| value.to_string(), gibibytes),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of the cast")]
fn scaled_float(value: f64, unit: Unit) -> String {
    if unit != Unit::Plain && value.abs() < 9e15 {
        return in_unit(value.round() as i64, unit);
    }
    value.to_string()
}
