//! Parquet: the rows of a finished CSV of results, each column of the kind that its table says.
//!
//! Kinds are never told from the cells, so that columns of two runs always fit; an empty cell is null. Nothing of the
//! machine or the hour is in the file: equal rows give equal bytes. Memory holds one group of rows.
//! Absent on purpose: reading (see `trace/format/parquet`), and what the columns are (beside each CSV's writer).

use std::io::{self, Read, Write};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::csv::{Columns, Kind};

/// Rows that are held at once and stand together in the file.
const GROUP: usize = 1 << 16;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// Writes the rows of `csv`, whose columns are `columns`, as Parquet into `out`.
///
/// # Errors
///
/// What the reader or the writer says; also where a row does not fit the columns.
pub(super) fn write(csv: impl Read, columns: Columns, out: impl Write + Send) -> io::Result<()> {
    let mut held: Vec<Held> = each(columns).map(|(kind, _)| Held::new(kind)).collect();
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER).from_reader(csv);
    if !reader.headers()?.iter().eq(each(columns).map(|(_, name)| name)) {
        return Err(io::Error::other("the columns of the CSV are others"));
    }
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let schema = Arc::new(parse_message_type(&schema(columns)).map_err(plain)?);
    let mut writer = SerializedFileWriter::new(out, schema, properties).map_err(plain)?;
    let mut row = csv::StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut row)? {
        for (column, cell) in held.iter_mut().zip(&row) {
            column.push(cell)?;
        }
        rows += 1;
        if rows == GROUP {
            group(&mut writer, &mut held).map_err(plain)?;
            rows = 0;
        }
    }
    if rows > 0 {
        group(&mut writer, &mut held).map_err(plain)?;
    }
    writer.close().map(drop).map_err(plain)
}

/// Every column alone.
fn each(columns: Columns) -> impl Iterator<Item = (Kind, &'static str)> {
    columns.iter().flat_map(|(kind, names)| names.split(',').map(|name| (*kind, name)))
}

fn schema(columns: Columns) -> String {
    let field = |(kind, name)| match kind {
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING); "),
        Kind::Whole => format!("OPTIONAL INT64 {name}; "),
        Kind::Number => format!("OPTIONAL DOUBLE {name}; "),
    };
    format!("message rows {{ {}}}", each(columns).map(field).collect::<String>())
}

/// What the machine said, where the library only passes it on.
fn plain(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => {
            inner.downcast::<io::Error>().map_or_else(io::Error::other, |inner| *inner)
        }
        error => io::Error::other(error),
    }
}

/// Cells of one column that are not written yet.
struct Held {
    /// For each cell 1, or 0 where it is null, as the library asks for them.
    levels: Vec<i16>,
    cells: Cells,
}

/// Those that are not null.
enum Cells {
    /// Texts one after the other, and the length of each.
    Text(Vec<u8>, Vec<usize>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
}

impl Held {
    fn new(kind: Kind) -> Self {
        let cells = match kind {
            Kind::Text => Cells::Text(Vec::new(), Vec::new()),
            Kind::Whole => Cells::Whole(Vec::new()),
            Kind::Number => Cells::Number(Vec::new()),
        };
        Self { levels: Vec::new(), cells }
    }

    fn push(&mut self, cell: &str) -> io::Result<()> {
        self.levels.push(i16::from(!cell.is_empty()));
        if cell.is_empty() {
            return Ok(());
        }
        match &mut self.cells {
            Cells::Text(bytes, lengths) => {
                bytes.extend_from_slice(cell.as_bytes());
                lengths.push(cell.len());
            }
            Cells::Whole(numbers) => numbers.push(cell.parse().map_err(|_| misfit(cell, "whole number"))?),
            Cells::Number(numbers) => numbers.push(cell.parse().map_err(|_| misfit(cell, "number"))?),
        }
        Ok(())
    }
}

fn misfit(cell: &str, kind: &str) -> io::Error {
    io::Error::other(format!("the cell `{cell}` is no {kind}"))
}

/// Writes what is held as one group of rows; then nothing is held.
fn group<W: Write + Send>(writer: &mut SerializedFileWriter<W>, held: &mut [Held]) -> Result<()> {
    let mut group = writer.next_row_group()?;
    for Held { levels, cells } in held {
        let Some(mut column) = group.next_column()? else { break };
        let present = Some(levels.as_slice());
        match cells {
            Cells::Text(bytes, lengths) => {
                let whole = ByteArray::from(std::mem::take(bytes));
                let mut from = 0;
                let texts = lengths.drain(..).map(|length| {
                    let text = whole.slice(from, length);
                    from += length;
                    text
                });
                let texts: Vec<ByteArray> = texts.collect();
                column.typed::<ByteArrayType>().write_batch(&texts, present, None)?;
            }
            Cells::Whole(numbers) => {
                column.typed::<Int64Type>().write_batch(numbers, present, None)?;
                numbers.clear();
            }
            Cells::Number(numbers) => {
                column.typed::<DoubleType>().write_batch(numbers, present, None)?;
                numbers.clear();
            }
        }
        column.close()?;
        levels.clear();
    }
    group.close().map(drop)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use ::parquet::file::metadata::RowGroupMetaData;
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::RowAccessor as _;

    use super::*;

    const COLUMNS: Columns = &[(Kind::Text, "name"), (Kind::Whole, "count"), (Kind::Number, "amount")];

    fn written(csv: &str) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        write(csv.as_bytes(), COLUMNS, &mut out)?;
        Ok(out)
    }

    /// The last group is of one row, and the one before has rows without anything.
    #[test]
    fn groups_of_rows_follow_each_other() {
        let mut csv = "name,count,amount\n".to_owned();
        let rows = 2 * GROUP + 1;
        for row in 0..rows {
            let _ =
                if row / 100 == 700 { writeln!(csv, ",,") } else { writeln!(csv, "job-{row},{row},{row}.5") };
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, written(&csv).unwrap()).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let groups: Vec<i64> =
            reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(groups, [1 << 16, 1 << 16, 1]);
        let mut found = 0;
        for (row, values) in reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).enumerate() {
            found += 1;
            if row / 100 == 700 {
                assert!(values.get_column_iter().all(|(_, field)| format!("{field}") == "null"), "{row}");
                continue;
            }
            assert_eq!(values.get_string(0).unwrap(), &format!("job-{row}"));
            assert_eq!(values.get_long(1).unwrap(), i64::try_from(row).unwrap());
            assert_eq!(values.get_double(2).unwrap().to_string(), format!("{row}.5"));
        }
        assert_eq!(found, rows);
        assert!(written(&csv).unwrap() == written(&csv).unwrap());
    }

    #[test]
    fn what_does_not_fit_the_columns_is_said() {
        for (csv, message) in [
            ("name,count\n", "the columns of the CSV are others"),
            ("name,count,amount,reason\n", "the columns of the CSV are others"),
            ("name,count,amount\na,1.5,2\n", "the cell `1.5` is no whole number"),
            ("name,count,amount\na,1,two\n", "the cell `two` is no number"),
        ] {
            assert_eq!(written(csv).unwrap_err().to_string(), message);
        }
        let more = written("name,count,amount\na,1,2,3\n").unwrap_err().to_string();
        assert!(more.contains("record 1 (line: 2, byte: 18): found record with 4 fields"), "{more}");
    }

    /// A full disk is said as the machine says it, not as the library wraps it.
    #[test]
    fn the_machine_is_heard() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = write(&b"name,count,amount\na,1,2\n"[..], COLUMNS, Full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
