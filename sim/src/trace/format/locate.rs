//! Where in a text a value of an object stands: looked for only once something is wrong with it.
//!
//! A value is named by its way from the object, as in `spec.podSets[0].count`. Absent on purpose: what values mean, and
//! what is said about them.

use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::trace::error::Fault;

/// A place in a text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) character: u64,
}

impl Place {
    /// Where a text begins.
    pub(super) const START: Self = Self { line: 1, character: 1 };

    /// The place of a byte of a text that begins here.
    pub(super) fn moved(mut self, text: &[u8], offset: usize) -> Self {
        for &byte in text.iter().take(offset) {
            if byte == b'\n' {
                self = Self { line: self.line + 1, character: 1 };
            } else {
                self.character += u64::from(begins_letter(byte));
            }
        }
        self
    }
}

/// The second and later bytes of a letter in UTF-8 are those of the form 10xxxxxx.
pub(super) fn begins_letter(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Puts a fault where a reader of JSON met `error` in a text that begins at `start`.
pub(super) fn json_fault(fault: Fault, error: &serde_json::Error, json: &[u8], start: Place) -> Fault {
    let lines = json.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    let seen = lines.map(<[u8]>::len).sum::<usize>() + error.column();
    if error.is_data() {
        let (way, offset) = json_value(json, seen);
        fault.column(way).at(start.moved(json, offset))
    } else {
        fault.at(start.moved(json, seen.saturating_sub(1)))
    }
}

/// Whether `way` is `wanted`, or leads to it.
fn leads_to(way: &str, wanted: &str) -> bool {
    let Some(rest) = wanted.strip_prefix(way) else { return false };
    way.is_empty() || rest.is_empty() || rest.starts_with(['.', '['])
}

fn push_key(way: &mut String, key: &str) {
    if !way.is_empty() {
        way.push('.');
    }
    way.push_str(key);
}

/// Where in an object of JSON the value at `wanted` begins, else the innermost value on the way to it.
pub(super) fn json_offset(json: &[u8], wanted: &str) -> usize {
    let (mut best, mut offset) = (0, 0);
    Walk::over(json, |way, start, _| {
        if way.len() >= best && leads_to(way, wanted) {
            (best, offset) = (way.len(), start);
        }
    });
    offset
}

/// The innermost value of an object of JSON of which a reader had seen all but the last of `seen` bytes, or which it
/// refused at its opening bracket: its way and where it begins.
fn json_value(json: &[u8], seen: usize) -> (String, usize) {
    let opens = matches!(json.get(seen), Some(b'{' | b'['));
    let mut found = (String::new(), 0);
    Walk::over(json, |way, start, end| {
        let holds = start < seen && seen <= end || opens && start == seen;
        if holds && start >= found.1 && way.len() >= found.0.len() {
            found = (way.to_owned(), start);
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
    way: String,
    /// Told the way of each value, where it begins and where it ends.
    tell: F,
}

impl<'a, F: FnMut(&str, usize, usize)> Walk<'a, F> {
    fn over(json: &'a [u8], tell: F) {
        let _ = Self { json, at: 0, depth: 0, way: String::new(), tell }.value();
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
        let length = self.way.len();
        for index in 0_usize.. {
            if self.peek()? == b',' {
                self.at += 1;
            }
            if matches!(self.peek()?, b'}' | b']') {
                break;
            }
            if list {
                let _ = write!(self.way, "[{index}]");
            } else {
                let key: String = serde_json::from_slice(self.string()?).ok()?;
                push_key(&mut self.way, &key);
                if self.peek()? != b':' {
                    return None;
                }
                self.at += 1;
            }
            self.value()?;
            self.way.truncate(length);
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

/// The places of a YAML document without its values.
pub(super) enum Marks {
    Scalar,
    List(Vec<Spanned<Marks>>),
    Map(Vec<(String, Spanned<Marks>)>),
}

impl Marks {
    /// The value of a key.
    pub(super) fn get(&self, wanted: &str) -> Option<&Spanned<Self>> {
        let Self::Map(parts) = self else { return None };
        parts.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    }

    /// An element of a list.
    pub(super) fn element(&self, index: usize) -> Option<&Spanned<Self>> {
        let Self::List(parts) = self else { return None };
        parts.get(index)
    }
}

/// Where the value at `wanted` begins, else the innermost one on the way to it.
pub(super) fn yaml_place(object: &Spanned<Marks>, wanted: &str) -> Place {
    let (mut at, mut way) = (object, String::new());
    loop {
        let on = |key: &dyn Fn(&mut String)| {
            let mut longer = way.clone();
            key(&mut longer);
            leads_to(&longer, wanted).then_some(longer)
        };
        let next = match &at.value {
            Marks::Scalar => None,
            Marks::List(parts) => parts
                .iter()
                .enumerate()
                .find_map(|(index, part)| Some((on(&|way| _ = write!(way, "[{index}]"))?, part))),
            Marks::Map(parts) => {
                parts.iter().find_map(|(key, part)| Some((on(&|way| push_key(way, key))?, part)))
            }
        };
        match next {
            Some((longer, part)) => (way, at) = (longer, part),
            None => return place(at),
        }
    }
}

/// Where a value of YAML begins.
pub(super) fn place<T>(value: &Spanned<T>) -> Place {
    let location = value.referenced;
    Place { line: location.line(), character: location.column() }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarksVisitor)
    }
}

struct MarksVisitor;

impl<'de> Visitor<'de> for MarksVisitor {
    type Value = Marks;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_none<E>(self) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Marks, D::Error> {
        Marks::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Marks, D::Error> {
        Marks::deserialize(deserializer)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Marks, E> {
        Ok(Marks::Scalar)
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, data: A) -> Result<Marks, A::Error> {
        use serde::de::VariantAccess as _;
        let (IgnoredAny, variant) = data.variant()?;
        variant.newtype_variant::<IgnoredAny>().map(|_| Marks::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Marks, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = parts.next_element()? {
            list.push(part);
        }
        Ok(Marks::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Marks, A::Error> {
        let mut map = Vec::new();
        while let Some(part) = parts.next_entry()? {
            map.push(part);
        }
        Ok(Marks::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"a": {"b.c": [1, {"d": "x, y"}]}, "e\"": true, "f": [[ ]]}"#;

    #[test]
    fn values_of_json_have_a_place() {
        for (way, rest) in [
            ("a", r#"{"b.c""#),
            ("a.b.c[0]", "1,"),
            ("a.b.c[1].d", "\"x, y\""),
            ("e\"", "true"),
            ("f[0]", "[ ]"),
            ("a.absent", r#"{"b.c""#),
            ("absent", r#"{"a""#),
            ("", r#"{"a""#),
        ] {
            let at = json_offset(JSON, way);
            assert!(JSON[at..].starts_with(rest.as_bytes()), "{way}: {}", JSON[at..].escape_ascii());
        }
    }

    #[test]
    fn brackets_without_end_do_not_exhaust_the_stack() {
        let text = [br#"{"a": 1, "b": "#.as_slice(), &b"[".repeat(1_000_000)].concat();
        assert_eq!(json_offset(&text, "a"), 6);
    }

    #[test]
    fn a_byte_of_json_has_a_value() {
        let after = |text: &str| {
            let json = std::str::from_utf8(JSON).unwrap();
            json_value(JSON, json.find(text).unwrap() + text.len()).0
        };
        assert_eq!(after("[1"), "a.b.c[0]");
        assert_eq!(after("x, y\""), "a.b.c[1].d");
        assert_eq!(after("\"d\": \"x"), "a.b.c[1].d");
        assert_eq!(after("true"), "e\"");
        // At a bracket that opens, the value behind it.
        assert_eq!(after("\"f\": ["), "f[0]");
        assert_eq!(after("[[ ]]}"), "");
    }

    #[test]
    fn values_of_yaml_have_a_place() {
        let text = "# head\na:\n  - b: 1\n    c.d: {e: x}\n  - &k [2, 3]\nf: *k\n";
        let marks: Spanned<Marks> = serde_saphyr::from_str(text).unwrap();
        for (way, line, character) in [
            ("", 2, 1),
            ("a[0]", 3, 5),
            ("a[0].b", 3, 8),
            ("a[0].c.d.e", 4, 14),
            ("a[1][1]", 5, 12),
            ("f", 6, 4),
            ("a[0].absent", 3, 5),
            ("absent", 2, 1),
        ] {
            assert_eq!(yaml_place(&marks, way), Place { line, character }, "{way}");
        }
    }
}
