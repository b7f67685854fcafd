//! Bytes into records of fields, with a bound on their length.
//!
//! By hand, for two reasons: a general reader takes all that follows a quote that nobody closes for text of one field and
//! says nothing, and most of the time of reading a trace is spent here. Absent on purpose: names of columns, what stands
//! in the fields, and messages (see `table`).

use std::io::{self, Read as _};
use std::rc::Rc;

use super::table::Dialect;
use crate::trace::input::{Flow, Guard, Opened};

/// Bytes that are asked for at once.
const CHUNK: usize = 1 << 16;

/// What is wrong is shown up to 40 letters; of a letter more, it is told that there are more.
const SHOWN: usize = 41 * 4;

/// One record: its fields as text, one after the other.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    /// Start and end of each field in the text.
    fields: Vec<(usize, usize)>,
    /// Line of its first byte.
    line: u64,
}

impl Record {
    /// How many fields it has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// One field as it stands; empty where there is none.
    pub(super) fn get(&self, index: usize) -> &str {
        self.fields.get(index).and_then(|&(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// The same as bytes.
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        let text = self.text.as_bytes();
        self.fields.get(index).and_then(|&(start, end)| text.get(start..end)).unwrap_or_default()
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }
}

/// Why a record cannot be told.
#[derive(Debug)]
pub(super) enum Broken {
    /// The bytes break off in this field.
    Bytes { field: usize, error: io::Error },
    /// The quote at the start of this field is never closed.
    Unclosed { field: usize },
    /// Something other than the end of the field stands behind its closing quote.
    Behind { field: usize, found: Vec<u8> },
    /// This field of so many is no text.
    NoText { field: usize, fields: usize, found: Vec<u8> },
}

/// The records of a file.
pub(super) struct Records {
    bytes: Guard,
    flow: Rc<Flow>,
    dialect: Dialect,
    /// The bytes that end a field, and the quote.
    marks: [bool; 256],
    buffer: Vec<u8>,
    /// What of the buffer is not read yet.
    begin: usize,
    end: usize,
    /// Where in the file that begins, and in which line.
    position: u64,
    line: u64,
    unquoted: Vec<u8>,
}

impl Records {
    pub(super) fn new(opened: Opened, dialect: Dialect) -> Self {
        let mut marks = [false; 256];
        for byte in [dialect.delimiter, b'\n', b'\r'] {
            marks[usize::from(byte)] = true;
        }
        marks[usize::from(b'"')] |= dialect.quoting;
        Self {
            bytes: opened.bytes,
            flow: opened.flow,
            dialect,
            marks,
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            position: 0,
            line: 1,
            unquoted: Vec::new(),
        }
    }

    /// Reads the next record that is no blank line; false at the end. Where it is broken, `record` knows its line.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, Broken> {
        record.fields.clear();
        record.text.clear();
        let more = self.skip_blank_lines();
        record.line = self.line;
        if !more.map_err(|error| Broken::Bytes { field: 0, error })? {
            return Ok(false);
        }
        let (end, quotes) = match self.plain(&mut record.fields) {
            Some(end) => (end, false),
            None => self.split(&mut record.fields)?,
        };
        let bytes = &self.buffer[self.begin..self.begin + end];
        let text = if quotes {
            unquote(bytes, &mut record.fields, &mut self.unquoted);
            &self.unquoted
        } else {
            bytes
        };
        let Ok(text) = std::str::from_utf8(text) else { return Err(no_text(text, &record.fields)) };
        record.text.push_str(text);
        if quotes {
            self.line += bytes.split(|&byte| byte == b'\n').skip(1).count() as u64;
        }
        self.consume(end);
        Ok(true)
    }

    /// Passes line ends; false at the end of the file.
    fn skip_blank_lines(&mut self) -> io::Result<bool> {
        loop {
            while self.begin < self.end {
                match self.buffer[self.begin] {
                    b'\n' => self.line += 1,
                    b'\r' => {}
                    _ => {
                        self.flow.record_starts(self.position);
                        return Ok(true);
                    }
                }
                self.consume(1);
            }
            self.flow.record_starts(self.position);
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.begin += count;
        self.position += count as u64;
    }

    /// The same as [`split`](Self::split) for a record that is wholly in the buffer and has no field in quotes: where it
    /// ends. Eight bytes are looked at together.
    fn plain(&self, fields: &mut Vec<(usize, usize)>) -> Option<usize> {
        let data = &self.buffer[self.begin..self.end];
        let (words, _) = data.as_chunks::<8>();
        let mut field = 0;
        for (at, word) in (0..).step_by(8).zip(words) {
            let mut found = marked(u64::from_le_bytes(*word), self.dialect.delimiter);
            while found != 0 {
                let at = at + found.trailing_zeros() as usize / 8;
                found &= found - 1;
                match data[at] {
                    mark if mark == self.dialect.delimiter => {
                        fields.push((field, at));
                        field = at + 1;
                    }
                    b'\n' | b'\r' => {
                        fields.push((field, at));
                        return Some(at);
                    }
                    b'"' if at == field && self.dialect.quoting => return None,
                    _ => {}
                }
            }
        }
        None
    }

    /// Finds the fields of the record that begins here: where it ends, and whether any field is in quotes.
    fn split(&mut self, fields: &mut Vec<(usize, usize)>) -> Result<(usize, bool), Broken> {
        fields.clear();
        let (mut at, mut field, mut quotes) = (0, 0, false);
        loop {
            let data = &self.buffer[self.begin..self.end];
            let rest = data.get(at..).unwrap_or_default();
            let Some(offset) = rest.iter().position(|&byte| self.marks[usize::from(byte)]) else {
                at = data.len();
                if self.more(fields.len())? {
                    continue;
                }
                fields.push((field, at));
                return Ok((at, quotes));
            };
            at += offset;
            match data[at] {
                b'\n' | b'\r' => {
                    fields.push((field, at));
                    return Ok((at, quotes));
                }
                mark if mark == self.dialect.delimiter => {
                    fields.push((field, at));
                    at += 1;
                    field = at;
                }
                _ if at == field => {
                    at = self.closing(at, fields.len())?;
                    quotes = true;
                }
                // A quote inside of a field that does not begin with one is a letter like others.
                _ => at += 1,
            }
        }
    }

    /// Where the field ends that begins with the quote at `start`.
    fn closing(&mut self, start: usize, field: usize) -> Result<usize, Broken> {
        let mut at = start + 1;
        loop {
            let data = &self.buffer[self.begin..self.end];
            let rest = data.get(at..).unwrap_or_default();
            let Some(offset) = rest.iter().position(|&byte| byte == b'"') else {
                at = data.len();
                if self.more(field)? {
                    continue;
                }
                return Err(Broken::Unclosed { field });
            };
            at += offset + 1;
            if self.begin + at == self.end && !self.more(field)? {
                return Ok(at);
            }
            let data = &self.buffer[self.begin..self.end];
            match data[at] {
                b'"' => at += 1,
                b'\n' | b'\r' => return Ok(at),
                mark if mark == self.dialect.delimiter => return Ok(at),
                _ => return Err(Broken::Behind { field, found: self.behind(at, field)? }),
            }
        }
    }

    /// What stands from `at` up to a mark, as much of it as is shown: it does not depend on how the bytes arrive.
    fn behind(&mut self, at: usize, field: usize) -> Result<Vec<u8>, Broken> {
        loop {
            let rest = &self.buffer[self.begin + at..self.end];
            let end = rest.iter().take(SHOWN).position(|&byte| self.marks[usize::from(byte)]);
            if end.is_none() && rest.len() < SHOWN && self.more(field)? {
                continue;
            }
            let rest = &self.buffer[self.begin + at..self.end];
            let found = &rest[..end.unwrap_or(rest.len().min(SHOWN))];
            return Ok(match std::str::from_utf8(found) {
                // Cut off inside of a letter.
                Err(error) if found.len() == SHOWN && error.error_len().is_none() => {
                    found[..error.valid_up_to()].to_vec()
                }
                _ => found.to_vec(),
            });
        }
    }

    /// Reads on inside of a field.
    fn more(&mut self, field: usize) -> Result<bool, Broken> {
        self.fill().map_err(|error| Broken::Bytes { field, error })
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        let count = self.bytes.read(&mut self.buffer[self.end..self.end + CHUNK])?;
        self.end += count;
        Ok(count > 0)
    }
}

/// Which of eight bytes may end a field or be a quote, by their highest bits: the delimiter, and all up to the comma. What
/// stands in numbers and names lies above.
fn marked(word: u64, delimiter: u8) -> u64 {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let each = |byte: u8| u64::from_le_bytes([byte; 8]);
    // No carry leaves a byte, so that exactly those bytes keep a high bit that are not below `least`, or have one themselves.
    let reaches = |word: u64, least: u8| ((word & !HIGH) + each(0x80 - least)) | word;
    let small = !reaches(word, b',' + 1);
    let other = word ^ each(delimiter);
    (small | !reaches(other, 1)) & HIGH
}

/// Takes the quotes off: the texts of the fields with a blank between them, and their places in that. Side by side, the
/// halves of a letter in two fields would look like one.
fn unquote(bytes: &[u8], fields: &mut [(usize, usize)], text: &mut Vec<u8>) {
    text.clear();
    for (start, end) in fields {
        text.push(b' ');
        let field = &bytes[*start..*end];
        *start = text.len();
        match field {
            [b'"', inner @ .., b'"'] => {
                let mut rest = inner;
                // Inside, each quote is written twice.
                while let Some(quote) = rest.iter().position(|&byte| byte == b'"') {
                    text.extend_from_slice(&rest[..=quote]);
                    rest = rest.get(quote + 2..).unwrap_or_default();
                }
                text.extend_from_slice(rest);
            }
            plain => text.extend_from_slice(plain),
        }
        *end = text.len();
    }
}

fn no_text(bytes: &[u8], fields: &[(usize, usize)]) -> Broken {
    let is_no_text = |&(start, end): &(usize, usize)| std::str::from_utf8(&bytes[start..end]).is_err();
    let field = fields.iter().position(is_no_text).unwrap_or(0);
    let found = fields.get(field).map_or(&[][..], |&(start, end)| bytes[start..end].trim_ascii());
    Broken::NoText { field, fields: fields.len(), found: found.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::super::table::CSV;
    use super::*;
    use crate::trace::input::open_bytes;

    /// All records with their lines, or what the first one that is broken is.
    fn records(bytes: &[u8], quoting: bool) -> Result<Vec<(u64, Vec<String>)>, String> {
        let dialect = Dialect { delimiter: b',', quoting };
        let mut records =
            Records::new(open_bytes(Box::new(io::Cursor::new(bytes.to_vec()))).unwrap(), dialect);
        let (mut record, mut all) = (Record::default(), Vec::new());
        loop {
            match records.next(&mut record) {
                Ok(false) => return Ok(all),
                Ok(true) => {
                    let fields = (0..record.len()).map(|index| record.get(index).to_owned()).collect();
                    all.push((record.line(), fields));
                }
                Err(broken) => return Err(format!("{}: {broken:?}", record.line())),
            }
        }
    }

    fn of(lines: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
        lines
            .iter()
            .map(|(line, fields)| (*line, fields.iter().map(|&field| field.to_owned()).collect()))
            .collect()
    }

    #[test]
    fn fields_and_lines() {
        assert_eq!(
            records(b"a,b\r\n\n,\r\n\"x\ny\",\"1\"\"2\"\n  \"z,\"\"\nend", true).unwrap(),
            of(&[
                (1, &["a", "b"]),
                (3, &["", ""]),
                (4, &["x\ny", "1\"2"]),
                (6, &["  \"z", ""]),
                (7, &["end"]),
            ])
        );
        assert_eq!(records(b"\"a,b\n\"\n", false).unwrap(), of(&[(1, &["\"a", "b"]), (2, &["\""])]));
        assert_eq!(records(b"\n\r\n", true).unwrap(), of(&[]));
        assert_eq!(records(b"a,\"\"", true).unwrap(), of(&[(1, &["a", ""])]));
        assert_eq!(records(b"a,", true).unwrap(), of(&[(1, &["a", ""])]));
    }

    #[test]
    fn all_marks_are_found_whatever_stands_beside_them() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                for rest in [0, b',', b'-', b'a', 0x7f, 0x80, 0xff] {
                    for delimiter in [b',', b'\t', b'|', b';'] {
                        let mut bytes = [rest; 8];
                        bytes[place] = byte;
                        let is_marked = |byte: u8| byte <= b',' || byte == delimiter;
                        let expected = bytes.map(|byte| if is_marked(byte) { 0x80 } else { 0 });
                        assert_eq!(marked(u64::from_le_bytes(bytes), delimiter).to_le_bytes(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn quotes_that_do_not_close() {
        let broken = |text: &str| records(text.as_bytes(), true).unwrap_err();
        assert_eq!(broken("a,b\n1,\"x\n2,y\n"), "2: Unclosed { field: 1 }");
        assert_eq!(broken("\""), "1: Unclosed { field: 0 }");
        assert_eq!(broken("\"\"\""), "1: Unclosed { field: 0 }");
        assert_eq!(broken("a,\"x\n1,\"y,z"), "1: Behind { field: 1, found: [121] }");
        assert_eq!(broken("a,\"x\" ,z"), "1: Behind { field: 1, found: [32] }");
    }

    /// A reader that gives one byte at a time.
    struct Slow(io::Cursor<Vec<u8>>);

    impl io::Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn what_stands_behind_a_quote_does_not_depend_on_how_bytes_arrive() {
        let start = "a,".repeat(CHUNK) + "\"x\"";
        for (behind, length) in
            [("y", 1), ("yz,", 2), ("é\n", 2), (&"é".repeat(100), SHOWN), (&"€".repeat(100), SHOWN - 2)]
        {
            let text = (start.clone() + behind).into_bytes();
            let found = |raw: Box<dyn io::Read>| {
                let mut records = Records::new(open_bytes(raw).unwrap(), CSV);
                match records.next(&mut Record::default()) {
                    Err(Broken::Behind { found, .. }) => found,
                    other => panic!("{other:?}"),
                }
            };
            let fast = found(Box::new(io::Cursor::new(text.clone())));
            assert_eq!(fast, found(Box::new(Slow(io::Cursor::new(text)))));
            assert_eq!(fast, &behind.as_bytes()[..length]);
        }
    }

    #[test]
    fn halves_of_a_letter_are_no_text() {
        let broken = |bytes: &[u8]| records(bytes, true).unwrap_err();
        let found = "NoText { field: 1, fields: 4, found: [116, 195] }";
        assert_eq!(broken(b"1,t\xc3,\xa9u,\"x\""), format!("1: {found}"));
        assert_eq!(broken(b"1,\"t\xc3\",\xa9u,x"), format!("1: {found}"));
        assert_eq!(broken(b"a\n1,t\xc3,\xa9u,x"), format!("2: {found}"));
    }

    /// Where all quotes close, it is what the library reads, and what is no text is no text there either.
    #[test]
    fn agrees_with_the_library() {
        let mut state = 1_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let pieces: [&[u8]; 14] = [
            b"a",
            b",",
            b"\n",
            b"\r\n",
            b"\"x\"",
            b"\"a,\"\"\n\"",
            "é".as_bytes(),
            b" ",
            b"1234567890",
            b"b\"c",
            b"\r",
            b",",
            b"\"\",\xc3,",
            b",\xa9",
        ];
        let long = b"0123456789abcdef".repeat(700);
        let (mut agreed, mut refused) = (0, 0);
        for round in 0..6000 {
            let mut bytes = Vec::new();
            for _ in 0..draw(40) {
                bytes.extend_from_slice(if round % 50 == 0 && draw(4) == 0 {
                    &long
                } else {
                    pieces[draw(pieces.len())]
                });
            }
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&bytes[..]);
            let theirs: Result<Vec<Vec<String>>, csv::Error> =
                reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect())).collect();
            let shown = bytes.escape_ascii();
            match records(&bytes, true) {
                Ok(own) => {
                    let own: Vec<Vec<String>> = own.into_iter().map(|(_, fields)| fields).collect();
                    assert_eq!(own, theirs.unwrap(), "{shown}");
                    agreed += 1;
                }
                Err(broken) if broken.contains("NoText") => {
                    assert!(theirs.is_err(), "{shown}");
                    refused += 1;
                }
                Err(_) => {}
            }
        }
        assert!(agreed > 500 && refused > 500, "{agreed}, {refused}");
    }
}
