//! Delimited tables: a header or fixed columns, records of fields, places for messages.
//!
//! Shared by all formats that are CSV of some kind. Absent on purpose: what the columns mean.

use std::rc::Rc;

use super::records::{Broken, Record, Records};
use crate::trace::error::{Fault, quoted};
use crate::trace::input::{Flow, Opened};
use crate::trace::number::{self, NumberFault};
use crate::trace::time;

/// Times beyond this many ms (31 million years) are no times; sums of a few stay within 64 bits.
pub(crate) const MAX_TIME_MS: i64 = 1_000_000_000_000_000_000;
/// Amounts per worker stay below this, so that shares can be compared exactly.
pub(crate) const MAX_AMOUNT: i64 = 1 << 53;

/// How a table is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quoting: bool,
}

/// Commas and double quotes.
pub(crate) const CSV: Dialect = Dialect { delimiter: b',', quoting: true };

/// A delimited table, record by record.
pub(crate) struct Table {
    records: Records,
    flow: Rc<Flow>,
    record: Record,
    header: Vec<String>,
    /// The names come from the file's first record.
    named: bool,
}

impl Table {
    /// A table whose first record names its columns.
    pub(crate) fn with_header(opened: Opened, dialect: Dialect) -> Result<Self, Fault> {
        let mut table = Self::open(opened, dialect, Vec::new());
        if !table.advance()? {
            return Err(Fault::other(1, "expected a header line, found the end of the file"));
        }
        let names = (0..table.record.len()).map(|index| table.record.get(index).trim().to_owned());
        table.header = names.collect();
        table.named = true;
        Ok(table)
    }

    /// A table without header; `columns` name its fields in messages and fix how many there are.
    pub(crate) fn with_columns(opened: Opened, dialect: Dialect, columns: &[&str]) -> Self {
        Self::open(opened, dialect, columns.iter().map(|&name| name.to_owned()).collect())
    }

    fn open(opened: Opened, dialect: Dialect, header: Vec<String>) -> Self {
        let flow = Rc::clone(&opened.flow);
        let records = Records::new(opened, dialect);
        Self { records, flow, record: Record::default(), header, named: false }
    }

    /// Names of the columns.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Position of a column by name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Position of a column that the format cannot do without.
    pub(crate) fn require(&self, name: &str) -> Result<usize, Fault> {
        self.find(name).ok_or_else(|| {
            let known = self.header.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Fault::other(1, format!("the column `{name}` is missing")).hint(format!("the file has {known}"))
        })
    }

    /// Reads the next record; false at the end.
    pub(crate) fn next(&mut self) -> Result<bool, Fault> {
        if !self.advance()? {
            return Ok(false);
        }
        if self.record.len() != self.header.len() {
            return Err(self.unlike_header(self.record.len()));
        }
        Ok(true)
    }

    /// A record of so many fields where others are wanted.
    fn unlike_header(&self, count: usize) -> Fault {
        let wanted = self.header.len();
        let fields = if wanted == 1 { "field" } else { "fields" };
        let why = if self.named { " as in the header" } else { "" };
        let fault = Fault::unreadable(self.line(), format!("{wanted} {fields}{why}"), count.to_string());
        // The first one that has no place, or that is not there.
        match self.header.get(count) {
            Some(missing) if self.named => fault.column(missing),
            _ => fault.column((count.min(wanted) + 1).to_string()),
        }
    }

    fn advance(&mut self) -> Result<bool, Fault> {
        self.records.next(&mut self.record).map_err(|broken| self.broken(broken))
    }

    /// A record that cannot be told.
    fn broken(&self, broken: Broken) -> Fault {
        let quote =
            "a quote that belongs to the text is written twice, in a field that begins and ends with one";
        let column =
            |field: usize| self.header.get(field).cloned().unwrap_or_else(|| (field + 1).to_string());
        match broken {
            Broken::Bytes { field, error } => self.broken_off(field, error),
            Broken::Unclosed { field } => {
                let expected = "a quote that closes the one at the start of the field";
                let fault = Fault::unreadable(self.line(), expected, "the end of the file");
                fault.column(column(field)).hint(quote)
            }
            Broken::Behind { field, found } => {
                let expected = "the end of the field behind its closing quote";
                Fault::unreadable(self.line(), expected, quoted(&found)).column(column(field)).hint(quote)
            }
            // A record that is too long or too short is told as such.
            Broken::NoText { fields, .. } if self.named && fields != self.header.len() => {
                self.unlike_header(fields)
            }
            Broken::NoText { field, found, .. } => {
                Fault::unreadable(self.line(), "UTF-8 text", quoted(&found)).column(column(field))
            }
        }
    }

    /// A record that could not be read to its end: where the data broke off, by the name of the column.
    fn broken_off(&self, field: usize, error: std::io::Error) -> Fault {
        let fault = self.flow.fault(self.line(), error);
        match self.header.get(field) {
            Some(name) if fault.inside.is_some() => fault.column(name.as_str()),
            _ => fault,
        }
    }

    /// Line of the current record.
    pub(crate) fn line(&self) -> u64 {
        self.record.line()
    }

    /// One field, without surrounding blanks.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        self.record.bytes(index).trim_ascii()
    }

    /// One field as text.
    pub(crate) fn text(&self, index: usize) -> &str {
        self.record.get(index).trim_ascii()
    }

    /// A field that is not what it should be.
    pub(crate) fn fault(&self, index: usize, expected: &str) -> Fault {
        let column = self.header.get(index).map_or("", String::as_str);
        Fault::unreadable(self.line(), expected, quoted(self.bytes(index))).column(column)
    }

    fn numeric(&self, index: usize, expected: &str, fault: NumberFault) -> Fault {
        match fault {
            NumberFault::OutOfRange => {
                self.fault(index, &format!("{expected} within the range of this program"))
            }
            NumberFault::NotANumber | NumberFault::Fraction => self.fault(index, expected),
        }
    }

    /// A few digits without blanks, as most numbers are written, in thousandths.
    #[inline]
    fn plain(&self, index: usize) -> Option<i64> {
        number::digits(self.record.bytes(index), number::SHORT).map(|value| value * 1_000)
    }

    /// A number of seconds in ms; nothing where the field is empty.
    #[inline]
    pub(crate) fn seconds(&self, index: usize) -> Result<Option<i64>, Fault> {
        match self.plain(index).filter(|value| *value <= MAX_TIME_MS) {
            Some(value) => Ok(Some(value)),
            None => self.any_seconds(index),
        }
    }

    /// The same, however it is written.
    #[inline(never)]
    fn any_seconds(&self, index: usize) -> Result<Option<i64>, Fault> {
        let field = self.bytes(index);
        if field.is_empty() {
            return Ok(None);
        }
        let value =
            number::scaled(field, 3).map_err(|fault| self.numeric(index, "a number of seconds", fault))?;
        if value.abs() > MAX_TIME_MS {
            return Err(self.numeric(index, "a number of seconds", NumberFault::OutOfRange));
        }
        Ok(Some(value))
    }

    /// A point in time in ms: seconds, or a written date; nothing where the field is empty.
    #[inline]
    pub(crate) fn instant(&self, index: usize) -> Result<Option<i64>, Fault> {
        match self.plain(index).filter(|value| *value <= MAX_TIME_MS) {
            Some(value) => Ok(Some(value)),
            None => self.any_instant(index),
        }
    }

    /// The same, however it is written.
    #[inline(never)]
    fn any_instant(&self, index: usize) -> Result<Option<i64>, Fault> {
        let field = self.bytes(index);
        // A written date has at least 19 characters, a number of seconds hardly ever.
        if field.len() >= 19
            && let Some(value) = time::timestamp_ms(field)
        {
            return Ok(Some(value));
        }
        self.seconds(index).map_err(|mut fault| {
            if let crate::trace::error::FaultKind::Unreadable { expected, .. } = &mut fault.kind
                && expected == "a number of seconds"
            {
                "seconds or a date like `2026-01-31T12:00:00Z`".clone_into(expected);
            }
            fault
        })
    }

    /// An amount in thousandths; zero where the field is empty.
    #[inline]
    pub(crate) fn thousandths(&self, index: usize) -> Result<i64, Fault> {
        match self.plain(index).filter(|value| *value <= MAX_AMOUNT) {
            Some(value) => Ok(value),
            None => self.any_thousandths(index),
        }
    }

    /// The same, however it is written.
    #[inline(never)]
    fn any_thousandths(&self, index: usize) -> Result<i64, Fault> {
        self.amount(index, "a number", |field| number::scaled(field, 3))
    }

    /// An amount of GiB in bytes; zero where the field is empty.
    pub(crate) fn gibibytes(&self, index: usize) -> Result<i64, Fault> {
        self.amount(index, "a number of GiB", number::gibibytes)
    }

    fn amount(
        &self,
        index: usize,
        expected: &str,
        parse: impl Fn(&[u8]) -> Result<i64, NumberFault>,
    ) -> Result<i64, Fault> {
        let field = self.bytes(index);
        if field.is_empty() {
            return Ok(0);
        }
        match parse(field) {
            Ok(value) if value.abs() <= MAX_AMOUNT => Ok(value),
            Ok(_) => Err(self.numeric(index, expected, NumberFault::OutOfRange)),
            Err(fault) => Err(self.numeric(index, expected, fault)),
        }
    }

    /// A whole number; nothing where the field is empty.
    #[inline]
    pub(crate) fn whole(&self, index: usize, expected: &str) -> Result<Option<i64>, Fault> {
        match number::digits(self.record.bytes(index), number::SHORT) {
            Some(value) => Ok(Some(value)),
            None => self.any_whole(index, expected),
        }
    }

    /// The same, however it is written.
    #[inline(never)]
    fn any_whole(&self, index: usize, expected: &str) -> Result<Option<i64>, Fault> {
        let field = self.bytes(index);
        if field.is_empty() {
            return Ok(None);
        }
        number::whole(field).map(Some).map_err(|fault| self.numeric(index, expected, fault))
    }
}
