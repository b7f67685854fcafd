//! Objects out of a JSON file, one by one: the elements of an array, of a list's `items`, or whole documents.
//!
//! Only one object is held at a time, with a bound on its size. Absent on purpose: what the objects mean.

use std::io::{BufRead, BufReader};
use std::rc::Rc;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::locate::{BEYOND, Place, Way, begins_letter, is_beyond, json_fault, json_offset};
use crate::trace::error::{Fault, quoted};
use crate::trace::input::{Flow, Guard, Opened};

/// One object may be this long.
pub(super) const MAX_OBJECT: u64 = 16 << 20;

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
    /// Behind the array of a list.
    After,
}

/// How much of a list's key and its colon was read last, blanks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Other,
    Name,
    Colon,
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

    /// The bytes of the current object.
    pub(super) fn object(&self) -> &[u8] {
        &self.buffer
    }

    /// Where the value at `way` of the current object begins, else the innermost one on the way to it.
    pub(crate) fn locate(&self, way: &Way) -> Place {
        self.buffer_place.moved(&self.buffer, json_offset(&self.buffer, way))
    }

    /// The next object; nothing at the end.
    pub(crate) fn next<T: DeserializeOwned>(&mut self, what: &str) -> Result<Option<T>, Fault> {
        if !self.advance()? {
            return Ok(None);
        }
        serde_json::from_slice(&self.buffer).map(Some).map_err(|error| {
            let said = plain(&error);
            let said =
                if is_beyond(&error) { BEYOND.to_owned() } else { format!("this is no {what}: {said}") };
            json_fault(Fault::other(0, said), &error, &self.buffer, self.buffer_place)
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
                (Stand::After, byte) => {
                    self.skip_rest_of_list(byte)?;
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
        if self.scan(0, top)? {
            return Ok(true);
        }
        self.buffer.extend_from_slice(b"[]}");
        self.check_list()?;
        self.stand = Stand::Array;
        self.inside_list = true;
        Ok(false)
    }

    /// Passes over the keys of a list behind its items, up to its closing brace.
    fn skip_rest_of_list(&mut self, first: u8) -> Result<(), Fault> {
        if !matches!(first, b',' | b'}') {
            return Err(Fault::unreadable(0, "`,` or `}` behind a list", quoted(&[first])).at(self.here()));
        }
        self.buffer.clear();
        self.buffer_place = self.here();
        self.flow.record_starts(self.position);
        self.scan(1, true)?;
        if first == b'}' {
            return Ok(());
        }
        // Without what stands before it, the comma is where an object would begin.
        self.buffer[0] = b'{';
        if self.buffer[1..].trim_ascii_start() == b"}" {
            let place = self.buffer_place.moved(&self.buffer, self.buffer.len() - 1);
            return Err(Fault::unreadable(0, "a key behind the comma", "`}`").at(place));
        }
        self.check_list()
    }

    /// Whether the buffer, which nobody reads on, is JSON: a list without its items.
    fn check_list(&self) -> Result<(), Fault> {
        serde_json::from_slice::<IgnoredAny>(&self.buffer).map(drop).map_err(|error| {
            let fault = Fault::other(0, format!("this is no list of objects: {}", plain(&error)));
            json_fault(fault, &error, &self.buffer, self.buffer_place)
        })
    }

    /// Reads into the buffer up to the end of what is open at `depth`. The array of a list at the top ends it, behind
    /// the bracket: then false.
    fn scan(&mut self, mut depth: usize, top: bool) -> Result<bool, Fault> {
        let (mut text, mut escaped, mut string_start) = (false, false, 0);
        let (mut key, mut listed) = (Key::Other, self.stand == Stand::After);
        loop {
            let Some(byte) = self.peek()? else { return Err(self.ends_early()) };
            if key == Key::Colon && !byte.is_ascii_whitespace() {
                if listed {
                    let key = String::from_utf8_lossy(self.list).replace('"', "`");
                    return Err(Fault::other(0, format!("the key {key} stands there twice")).at(self.here()));
                }
                if byte == b'[' {
                    self.bump()?;
                    return Ok(false);
                }
                listed = true;
            }
            self.bump()?;
            self.buffer.push(byte);
            if text {
                text = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                if !text && top && depth == 1 && self.buffer[string_start..] == *self.list {
                    key = Key::Name;
                }
                continue;
            }
            key = match byte {
                b':' if key == Key::Name => Key::Colon,
                _ if byte.is_ascii_whitespace() => key,
                _ => Key::Other,
            };
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
