//! Objects out of a JSON file, one by one: the elements of an array, of a list's `items`, or whole documents.
//!
//! Only one object is held at a time, with a bound on its size. Absent on purpose: what the objects mean.

use std::io::{BufRead, BufReader};
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::trace::error::Fault;
use crate::trace::input::{Flow, Guard, Opened};

/// One object may be this long.
const MAX_OBJECT: u64 = 16 << 20;

/// Objects nested deeper than this are no trace; the JSON reader behind stops at 128 as well.
const MAX_DEPTH: usize = 100;

/// Where between objects the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of everything.
    Top,
    /// Inside an array of objects.
    Array,
    /// Behind the array of a list: its other keys are passed over.
    After,
}

/// A stream of objects.
pub(crate) struct Items {
    reader: BufReader<Guard>,
    flow: Rc<Flow>,
    place: Place,
    position: u64,
    line: u64,
    /// How many letters of the line have been read.
    letters: u64,
    buffer: Vec<u8>,
    /// Where the object begins.
    buffer_line: u64,
    buffer_letters: u64,
    /// The array that is read belongs to a list object, which ends behind it.
    inside_list: bool,
}

impl Items {
    pub(crate) fn new(opened: Opened) -> Self {
        opened.flow.allow_records_of(MAX_OBJECT);
        let reader = BufReader::with_capacity(1 << 16, opened.bytes);
        Self {
            reader,
            flow: opened.flow,
            place: Place::Top,
            position: 0,
            line: 1,
            letters: 0,
            buffer: Vec::new(),
            buffer_line: 1,
            buffer_letters: 0,
            inside_list: false,
        }
    }

    /// Line of the current object.
    pub(crate) fn object_line(&self) -> u64 {
        self.buffer_line
    }

    /// The next object; nothing at the end.
    pub(crate) fn next<T: DeserializeOwned>(&mut self, what: &str) -> Result<Option<T>, Fault> {
        if !self.advance()? {
            return Ok(None);
        }
        serde_json::from_slice(&self.buffer).map(Some).map_err(|error| {
            let below = error.line().saturating_sub(1);
            let text = self.buffer.split(|byte| *byte == b'\n').nth(below).unwrap_or_default();
            let before = letters(&text[..error.column().min(text.len())]);
            let letter = if below == 0 { self.buffer_letters + before } else { before };
            let line = self.buffer_line + below as u64;
            Fault::other(line, format!("this is no {what}: {}", plain(&error))).letter(letter)
        })
    }

    /// Finds the next object and keeps its bytes.
    fn advance(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(byte) = self.peek_token()? else {
                return match self.place {
                    Place::Top => Ok(false),
                    _ => Err(self.ends_early()),
                };
            };
            match (self.place, byte) {
                (Place::Top, b'[') => {
                    self.bump()?;
                    self.place = Place::Array;
                    self.inside_list = false;
                }
                (Place::Array, b',') => self.bump()?,
                (Place::Array, b']') => {
                    self.bump()?;
                    self.place = if self.inside_list { Place::After } else { Place::Top };
                }
                (Place::After, _) => {
                    self.skip_rest_of_list()?;
                    self.place = Place::Top;
                }
                (Place::Top | Place::Array, b'{') => {
                    if self.read_object(self.place == Place::Top)? {
                        return Ok(true);
                    }
                }
                (_, byte) => {
                    let found = crate::trace::error::quoted(&[byte]);
                    return Err(Fault::unreadable(self.line, "a JSON object", found));
                }
            }
        }
    }

    /// Reads one object into the buffer. A list at the top is entered instead: then false.
    fn read_object(&mut self, top: bool) -> Result<bool, Fault> {
        self.buffer.clear();
        (self.buffer_line, self.buffer_letters) = (self.line, self.letters);
        self.flow.record_starts(self.position);
        let (mut depth, mut text, mut escaped) = (0_usize, false, false);
        // Where the last string at depth one began, to find the key `items`.
        let mut string_start = 0;
        loop {
            let Some(byte) = self.peek()? else { return Err(self.ends_early()) };
            if top && depth == 1 && !text && byte == b'[' && self.key_is_items(string_start) {
                self.bump()?;
                self.place = Place::Array;
                self.inside_list = true;
                return Ok(false);
            }
            self.bump()?;
            self.buffer.push(byte);
            if text {
                text = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => {
                    text = true;
                    string_start = self.buffer.len() - 1;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Err(Fault::other(self.line, "this is nested too deeply to be a trace"));
            }
            if depth == 0 {
                return Ok(true);
            }
        }
    }

    fn key_is_items(&self, string_start: usize) -> bool {
        let key = self.buffer.get(string_start..).unwrap_or_default();
        key.strip_prefix(b"\"items\"").is_some_and(|rest| rest.trim_ascii() == b":")
    }

    /// Passes over the keys of a list behind its items, up to its closing brace.
    fn skip_rest_of_list(&mut self) -> Result<(), Fault> {
        self.flow.record_starts(self.position);
        let (mut depth, mut text, mut escaped) = (1_usize, false, false);
        while depth > 0 {
            let Some(byte) = self.peek()? else { return Err(self.ends_early()) };
            self.bump()?;
            if text {
                text = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn ends_early(&self) -> Fault {
        Fault::other(self.line, "the JSON ends too early")
            .hint("the file was cut off on its way: fetch it again")
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.flow.fault(self.line, error)),
            }
        }
    }

    /// The next byte that is no blank.
    fn peek_token(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => {
                    self.bump()?;
                    self.flow.record_starts(self.position);
                }
                other => return Ok(other),
            }
        }
    }

    fn bump(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            Some(b'\n') => (self.line, self.letters) = (self.line + 1, 0),
            Some(byte) => self.letters += letters(&[byte]),
            None => {}
        }
        self.reader.consume(1);
        self.position += 1;
        Ok(())
    }
}

/// How many letters of UTF-8 begin in some bytes.
fn letters(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64
}

/// The words of a JSON error without its own position, which counts from the object's start.
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).replace("expected i64", "expected a whole number")
}
