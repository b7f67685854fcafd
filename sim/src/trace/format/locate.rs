//! Where in a text a value of an object stands: looked for only once something is wrong with it.
//!
//! A value is named by its way from the object, as in `spec.podSets[0].count`. Absent on purpose: what values mean, and
//! what is said about them.

use std::fmt;

use serde_saphyr::Spanned;
use serde_saphyr::granit_parser::{Event, Parser, Span, StrInput};

use crate::trace::error::Fault;

/// A place in a text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) character: u64,
}

impl Place {
    /// Where a text begins.
    pub(crate) const START: Self = Self { line: 1, character: 1 };

    /// The place of a byte of a text that begins here.
    pub(crate) fn moved(mut self, text: &[u8], offset: usize) -> Self {
        let mut rest = text.get(..offset).unwrap_or(text);
        if let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') {
            self.line += rest[..=end].split(|&byte| byte == b'\n').skip(1).count() as u64;
            self.character = 1;
            rest = &rest[end + 1..];
        }
        self.character += rest.iter().filter(|&&byte| begins_letter(byte)).count() as u64;
        self
    }
}

/// The second and later bytes of a letter in UTF-8 are those of the form 10xxxxxx.
pub(super) fn begins_letter(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// What is said of a number that no float holds.
pub(super) const BEYOND: &str = "this number is beyond all numbers";

/// Whether a reader of JSON met such a number, which it counts as no JSON.
pub(super) fn is_beyond(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// Puts a fault where a reader of JSON met `error` in a text that begins at `start`.
pub(super) fn json_fault(fault: Fault, error: &serde_json::Error, json: &[u8], start: Place) -> Fault {
    let lines = json.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    let seen = lines.map(<[u8]>::len).sum::<usize>() + error.column();
    if error.is_data() || is_beyond(error) {
        let (way, offset) = json_value(json, seen);
        fault.column(way.to_string()).at(start.moved(json, offset))
    } else {
        fault.at(start.moved(json, seen.saturating_sub(1)))
    }
}

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The way from an object to a value in it. Keys stay whole: they may look like ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Way(Vec<Step>);

impl Way {
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// The way on from where this one ends.
    pub(super) fn then(mut self, way: &Self) -> Self {
        self.0.extend_from_slice(&way.0);
        self
    }

    pub(crate) fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// The way without positions in lists.
    pub(crate) fn keys(&self) -> Self {
        Self(self.0.iter().filter(|step| matches!(step, Step::Key(_))).cloned().collect())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Where in an object of JSON the value at `wanted` begins, else the innermost value on the way to it.
pub(super) fn json_offset(json: &[u8], wanted: &Way) -> usize {
    let (mut best, mut offset) = (0, 0);
    Walk::over(json, |way, start, _| {
        if way.len() >= best && wanted.0.starts_with(way) {
            (best, offset) = (way.len(), start);
        }
    });
    offset
}

/// The innermost value of an object of JSON of which a reader had seen all but the last of `seen` bytes, or which it
/// refused at its opening bracket: its way and where it begins.
pub(super) fn json_value(json: &[u8], seen: usize) -> (Way, usize) {
    let opens = matches!(json.get(seen), Some(b'{' | b'['));
    let mut found = (Way::default(), 0);
    Walk::over(json, |way, start, end| {
        let holds = start < seen && seen <= end || opens && start == seen;
        if holds && start >= found.1 && way.len() >= found.0.0.len() {
            found = (Way(way.to_vec()), start);
        }
    });
    found
}

/// How deep values may lie in one another: as deep as in JSON that is read.
const MAX_DEPTH: usize = 128;

/// A walk over all values of an object that should be JSON; it ends where it is not, or lies too deep.
struct Walk<'a, F> {
    json: &'a [u8],
    at: usize,
    depth: usize,
    way: Vec<Step>,
    /// Told the way of each value, where it begins and where it ends.
    tell: F,
}

impl<'a, F: FnMut(&[Step], usize, usize)> Walk<'a, F> {
    fn over(json: &'a [u8], tell: F) {
        let _ = Self { json, at: 0, depth: 0, way: Vec::new(), tell }.value();
    }

    fn peek(&mut self) -> Option<u8> {
        while self.json.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn value(&mut self) -> Option<()> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'{' | b'[' => self.inside(first == b'[')?,
            b'"' => _ = self.string()?,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                self.at += self.json[self.at..].iter().position(ends).unwrap_or(self.json.len() - self.at);
            }
        }
        (self.tell)(&self.way, start, self.at);
        Some(())
    }

    fn inside(&mut self, list: bool) -> Option<()> {
        self.depth = (self.depth < MAX_DEPTH).then_some(self.depth + 1)?;
        self.at += 1;
        for index in 0_usize.. {
            if self.peek()? == b',' {
                self.at += 1;
            }
            if matches!(self.peek()?, b'}' | b']') {
                break;
            }
            if list {
                self.way.push(Step::Index(index));
            } else {
                let key: String = serde_json::from_slice(self.string()?).ok()?;
                self.way.push(Step::Key(key));
                if self.peek()? != b':' {
                    return None;
                }
                self.at += 1;
            }
            self.value()?;
            self.way.pop();
        }
        self.depth -= 1;
        self.at += 1;
        Some(())
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += 1;
            match *self.json.get(self.at)? {
                b'"' if !escaped => break,
                byte => escaped = !escaped && byte == b'\\',
            }
        }
        self.at += 1;
        self.json.get(start..self.at)
    }
}

/// Where in the document of YAML whose value begins at `whole` the value at `wanted` begins, else the innermost one on
/// the way to it. Documents without a value count as none, and so they are not told by number. Nothing is kept of what
/// is passed over.
pub(super) fn yaml_place(text: &str, whole: Place, wanted: &Way) -> Option<Place> {
    let mut nodes = Nodes(Parser::new_from_str(text));
    let mut node = loop {
        if matches!(nodes.0.next()?.ok()?.0, Event::DocumentStart(..)) {
            let root = nodes.next()?;
            if at(root.1) >= whole {
                break root;
            }
        }
    };
    let mut place = at(node.1);
    for step in &wanted.0 {
        let Some(part) = nodes.part(&node.0, step) else { break };
        place = at(part.1);
        node = part;
    }
    Some(place)
}

/// The nodes of YAML one after the other, and the ends of lists and mappings.
struct Nodes<'t>(Parser<'t, StrInput<'t>>);

impl<'t> Nodes<'t> {
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        loop {
            let (event, span) = self.0.next()?.ok()?;
            let node = matches!(
                event,
                Event::Alias(_)
                    | Event::Scalar(..)
                    | Event::SequenceStart(..)
                    | Event::SequenceEnd
                    | Event::MappingStart(..)
                    | Event::MappingEnd
            );
            if node {
                return Some((event, span));
            }
        }
    }

    /// The part of a list or mapping that has just begun.
    fn part(&mut self, whole: &Event<'_>, step: &Step) -> Option<(Event<'t>, Span)> {
        match (whole, step) {
            (Event::SequenceStart(..), Step::Index(index)) => {
                for _ in 0..*index {
                    self.pass()?;
                }
                self.next().filter(|(event, _)| !matches!(event, Event::SequenceEnd))
            }
            (Event::MappingStart(..), Step::Key(wanted)) => loop {
                match self.pass()? {
                    Event::Scalar(key, ..) if key == wanted.as_str() => return self.next(),
                    _ => self.pass()?,
                };
            },
            _ => None,
        }
    }

    /// Passes over a value, of which it gives the beginning; nothing at the end of what it would be a part of.
    fn pass(&mut self) -> Option<Event<'t>> {
        let (first, _) = self.next()?;
        let mut depth = match first {
            Event::SequenceStart(..) | Event::MappingStart(..) => 1_usize,
            Event::SequenceEnd | Event::MappingEnd => return None,
            _ => 0,
        };
        while depth > 0 {
            match self.next()?.0 {
                Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                Event::SequenceEnd | Event::MappingEnd => depth -= 1,
                _ => {}
            }
        }
        Some(first)
    }
}

fn at(span: Span) -> Place {
    Place { line: span.start.line() as u64, character: span.start.col() as u64 + 1 }
}

/// Where a value of YAML begins.
pub(super) fn place<T>(value: &Spanned<T>) -> Place {
    let location = value.referenced;
    Place { line: location.line(), character: location.column() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"a": {"b.c": [1, {"d": "x, y"}]}, "e\"": true, "f": [[ ]], "a.b": {"c": 2}}"#;

    /// A way whose keys stand between slashes; numbers are places in lists.
    fn way(steps: &str) -> Way {
        let steps = steps.split('/').filter(|step| !step.is_empty());
        steps.fold(Way::default(), |way, step| match step.parse() {
            Ok(index) => way.index(index),
            Err(_) => way.key(step),
        })
    }

    #[test]
    fn values_of_json_have_a_place() {
        for (steps, rest) in [
            ("a", r#"{"b.c""#),
            ("a/b.c/0", "1,"),
            ("a/b.c/1/d", "\"x, y\""),
            ("a.b/c", "2}"),
            ("e\"", "true"),
            ("f/0", "[ ]"),
            ("a/absent", r#"{"b.c""#),
            ("a/b", r#"{"b.c""#),
            ("absent", r#"{"a""#),
            ("", r#"{"a""#),
        ] {
            let at = json_offset(JSON, &way(steps));
            assert!(JSON[at..].starts_with(rest.as_bytes()), "{steps}: {}", JSON[at..].escape_ascii());
        }
    }

    #[test]
    fn brackets_without_end_do_not_exhaust_the_stack() {
        let text = [br#"{"a": 1, "b": "#.as_slice(), &b"[".repeat(1_000_000)].concat();
        assert_eq!(json_offset(&text, &way("a")), 6);
    }

    #[test]
    fn a_byte_of_json_has_a_value() {
        let after = |text: &str| {
            let json = std::str::from_utf8(JSON).unwrap();
            json_value(JSON, json.find(text).unwrap() + text.len()).0.to_string()
        };
        assert_eq!(after("[1"), "a.b.c[0]");
        assert_eq!(after("x, y\""), "a.b.c[1].d");
        assert_eq!(after("\"d\": \"x"), "a.b.c[1].d");
        assert_eq!(after("true"), "e\"");
        // At a bracket that opens, the value behind it.
        assert_eq!(after("\"f\": ["), "f[0]");
        assert_eq!(after("{\"c\": 2}}"), "");
    }

    #[test]
    fn values_of_yaml_have_a_place() {
        let text = "---\nx: [1]\n---\n---\n# head\na:\n  - b: 1\n    c.d: {e: x}\n  - &k [2, 3]\nf: *k\n? [a, b]\n: c\nc: 1\nc.d: [\"4\"]\n";
        let (first, last) = (Place { line: 2, character: 1 }, Place { line: 6, character: 1 });
        for (whole, steps, line, character) in [
            (first, "x/0", 2, 5),
            (last, "", 6, 1),
            (last, "a/0", 7, 5),
            (last, "a/0/b", 7, 8),
            (last, "a/0/c.d/e", 8, 14),
            (last, "a/1/1", 9, 12),
            (last, "a/2", 7, 3),
            (last, "f", 10, 4),
            (last, "f/0", 10, 4),
            (last, "a/0/absent", 7, 5),
            (last, "absent", 6, 1),
            (last, "c.d/0", 14, 7),
            (last, "c/d", 13, 4),
        ] {
            let found = yaml_place(text, whole, &way(steps));
            assert_eq!(found, Some(Place { line, character }), "{steps}");
        }
        assert_eq!(yaml_place(text, Place { line: 99, character: 1 }, &way("")), None);
    }
}
