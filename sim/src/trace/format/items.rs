//! Objects out of a JSON file, one by one: the elements of an array, of a list's `items`, or whole documents.
//!
//! Only one object is held at a time, with a bound on its size. Absent on purpose: what the objects mean.

use std::io::{BufRead, BufReader};
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::locate::{Place, begins_letter, json_fault, json_offset};
use crate::trace::error::{Fault, quoted};
use crate::trace::input::{Flow, Guard, Opened};

/// One object may be this long.
const MAX_OBJECT: u64 = 16 << 20;

/// Objects nested deeper than this are no trace; the JSON reader behind stops at 128 as well.
const MAX_DEPTH: usize = 100;

/// Where between objects the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Outside of everything.
    Top,
    /// Inside an array of objects, behind its bracket.
    Array,
    /// Inside an array, behind one of its objects.
    Object,
    /// Inside an array, behind a comma.
    Comma,
    /// Behind the array of a list: its other keys are passed over.
    After,
}

/// A stream of objects.
pub(crate) struct Items {
    reader: BufReader<Guard>,
    flow: Rc<Flow>,
    /// The key under which an object at the top lists objects, with its quotes.
    list: &'static [u8],
    stand: Stand,
    position: u64,
    line: u64,
    /// Characters of the line up to here.
    characters: u64,
    buffer: Vec<u8>,
    buffer_place: Place,
    /// The array that is read belongs to a list object, which ends behind it.
    inside_list: bool,
}

impl Items {
    /// `list` is the key under which an object at the top may list objects, with its quotes; empty: none does.
    pub(crate) fn new(opened: Opened, list: &'static str) -> Self {
        opened.flow.allow_records_of(MAX_OBJECT);
        let reader = BufReader::with_capacity(1 << 16, opened.bytes);
        Self {
            reader,
            flow: opened.flow,
            list: list.as_bytes(),
            stand: Stand::Top,
            position: 0,
            line: 1,
            characters: 0,
            buffer: Vec::new(),
            buffer_place: Place::default(),
            inside_list: false,
        }
    }

    /// Line of the current object.
    pub(crate) fn object_line(&self) -> u64 {
        self.buffer_place.line
    }

    /// Where the value at `way` of the current object begins, else the innermost one on the way to it.
    pub(crate) fn locate(&self, way: &str) -> Place {
        self.buffer_place.moved(&self.buffer, json_offset(&self.buffer, way))
    }

    /// The next object; nothing at the end.
    pub(crate) fn next<T: DeserializeOwned>(&mut self, what: &str) -> Result<Option<T>, Fault> {
        if !self.advance()? {
            return Ok(None);
        }
        serde_json::from_slice(&self.buffer).map(Some).map_err(|error| {
            let fault = Fault::other(0, format!("this is no {what}: {}", plain(&error)));
            json_fault(fault, &error, &self.buffer, self.buffer_place)
        })
    }

    /// Finds the next object and keeps its bytes.
    fn advance(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(byte) = self.peek_token()? else {
                return match self.stand {
                    Stand::Top => Ok(false),
                    _ => Err(self.ends_early()),
                };
            };
            match (self.stand, byte) {
                (Stand::Top, b'[') => {
                    self.bump()?;
                    self.stand = Stand::Array;
                    self.inside_list = false;
                }
                (Stand::Object, b',') => {
                    self.bump()?;
                    self.stand = Stand::Comma;
                }
                (Stand::Array | Stand::Object, b']') => {
                    self.bump()?;
                    self.stand = if self.inside_list { Stand::After } else { Stand::Top };
                }
                (Stand::After, _) => {
                    self.skip_rest_of_list()?;
                    self.stand = Stand::Top;
                }
                (Stand::Top | Stand::Array | Stand::Comma, b'{') => {
                    if self.read_object(self.stand == Stand::Top)? {
                        if self.stand != Stand::Top {
                            self.stand = Stand::Object;
                        }
                        return Ok(true);
                    }
                }
                (stand, byte) => {
                    let expected =
                        if stand == Stand::Object { "`,` or `]` behind an object" } else { "a JSON object" };
                    return Err(Fault::unreadable(0, expected, quoted(&[byte])).at(self.here()));
                }
            }
        }
    }

    /// Reads one object into the buffer. A list at the top is entered instead: then false.
    fn read_object(&mut self, top: bool) -> Result<bool, Fault> {
        self.buffer.clear();
        self.buffer_place = self.here();
        self.flow.record_starts(self.position);
        let (mut depth, mut text, mut escaped) = (0_usize, false, false);
        // Where the last string at depth one began, to find the key of a list.
        let mut string_start = 0;
        loop {
            let Some(byte) = self.peek()? else { return Err(self.ends_early()) };
            if top && depth == 1 && !text && byte == b'[' && self.key_lists(string_start) {
                self.bump()?;
                self.stand = Stand::Array;
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
                return Err(Fault::other(0, "this is nested too deeply to be a trace").at(self.here()));
            }
            if depth == 0 {
                return Ok(true);
            }
        }
    }

    fn key_lists(&self, string_start: usize) -> bool {
        let key = self.buffer.get(string_start..).unwrap_or_default();
        !self.list.is_empty() && key.strip_prefix(self.list).is_some_and(|rest| rest.trim_ascii() == b":")
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

    /// The place of the next byte.
    fn here(&self) -> Place {
        Place { line: self.line, character: self.characters + 1 }
    }

    fn ends_early(&self) -> Fault {
        Fault::other(0, "the JSON ends too early")
            .at(self.here())
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
            Some(b'\n') => (self.line, self.characters) = (self.line + 1, 0),
            Some(byte) => self.characters += u64::from(begins_letter(byte)),
            None => {}
        }
        self.reader.consume(1);
        self.position += 1;
        Ok(())
    }
}

/// The words of a JSON error without its own position, which counts from the object's start.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).replace("expected i64", "expected a whole number")
}
