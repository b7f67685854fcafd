//! Objects from JSON or YAML: JSON object by object, YAML documents all at once, bounded.
//!
//! A YAML list (`kind: List`) gives its items. Absent on purpose: what the objects mean.

use std::io::Read as _;
use std::rc::Rc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, NonFiniteFloatPolicy, Spanned};

use super::items::{Items, MAX_OBJECT};
use super::locate::{BEYOND, Place, Way, json_offset, json_value, place, yaml_place};
use super::member::Misread;
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;

/// YAML is held whole, and what stands in it once more as JSON; a longer file should be exported as JSON.
const MAX_YAML: u64 = 64 << 20;

/// So many lists, mappings and values may stand in it, ends of lists and mappings counted too: twice as many as in so
/// much YAML as it is printed. What is denser is no export, and would cost some 30 bytes for two.
const MAX_EVENTS: usize = 1 << 24;

/// So many documents may stand in it.
const MAX_DOCUMENTS: usize = 1 << 20;

/// What is wrong with one object of more than [`MAX_OBJECT`].
const TOO_LONG: &str = "an object in this YAML is longer than 16 MiB";

/// The key under which Kubernetes lists objects.
const ITEMS: &str = "items";

/// A stream of objects, each with its place in the file.
pub(crate) enum Documents {
    Json(Items),
    Yaml(Yaml),
}

/// The objects of a YAML file.
pub(crate) struct Yaml {
    /// Kept so that a fault can be told with its place.
    text: String,
    documents: std::vec::IntoIter<Spanned<Document>>,
    /// The document that is a list, and its next item.
    list: Option<(List, usize)>,
    current: Origin,
    /// The current object as JSON.
    json: Vec<u8>,
}

/// Where an object comes from.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    place: Place,
    /// Where the document begins.
    whole: Place,
    /// Which one of a document that is a list, or has one under [`ITEMS`].
    item: Option<usize>,
    under_key: bool,
}

impl Documents {
    /// `hint` says how to get YAML that can be read.
    pub(crate) fn new(opened: Opened, hint: &str) -> Result<Self, Fault> {
        if is_json(&opened.head) {
            return Ok(Self::Json(Items::new(opened, "\"items\"")));
        }
        let flow = Rc::clone(&opened.flow);
        flow.allow_records_of(MAX_YAML);
        let mut bytes = Vec::new();
        opened.bytes.take(MAX_YAML + 1).read_to_end(&mut bytes).map_err(|error| flow.fault(0, error))?;
        if bytes.len() as u64 > MAX_YAML {
            return Err(Fault::other(0, "this YAML is longer than 64 MiB").hint("export it as JSON"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
            let found = bytes[at..].utf8_chunks().next().map_or(&[][..], |chunk| chunk.invalid());
            Fault::unreadable(0, "UTF-8 text", quoted(found)).at(Place::START.moved(bytes, at))
        })?;
        let documents: Vec<Spanned<Document>> = parse(&text).map_err(|error| {
            let fault = match error.without_snippet() {
                Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
                    Fault::other(0, "this is nested too deeply to be a trace")
                }
                // The bounds on texts and on what stands in one another are far from what is printed.
                Error::Budget { .. } => {
                    Fault::other(0, "there is more in this YAML than in any that is printed")
                        .hint("export it as JSON, or in several files")
                }
                Error::Message { msg, .. } if msg == TOO_LONG => Fault::other(0, TOO_LONG),
                Error::DuplicateMappingKey { key: Some(key), .. } => {
                    Fault::other(0, format!("the key {} stands there twice", quoted(key.as_bytes())))
                }
                _ => Fault::other(0, "this is no YAML of objects").hint(hint),
            };
            match error.location() {
                Some(location) => fault.at(Place { line: location.line(), character: location.column() }),
                None => fault,
            }
        })?;
        let documents = documents.into_iter();
        Ok(Self::Yaml(Yaml { text, documents, list: None, current: Origin::default(), json: Vec::new() }))
    }

    /// The next object; nothing at the end.
    pub(crate) fn next(&mut self, what: &str) -> Result<Option<Value>, Fault> {
        match self {
            Self::Json(items) => match items.next::<Once>(what) {
                Ok(object) => Ok(object.map(|Once(value)| value)),
                // What is in a value is told with its object, what is between them with its place alone.
                Err(fault) if !fault.column.is_empty() => Err(fault.of(shown(items.object()))),
                Err(fault) => Err(fault),
            },
            Self::Yaml(yaml) => yaml.next(what),
        }
    }

    /// Line of the current object.
    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::Json(items) => items.object_line(),
            Self::Yaml(yaml) => yaml.current.place.line,
        }
    }

    /// Where the value at `way` of the current object begins (`spec.podSets[0].count`), else the innermost one on the
    /// way to it.
    pub(crate) fn locate(&self, way: &Way) -> Place {
        match self {
            Self::Json(items) => items.locate(way),
            Self::Yaml(yaml) => yaml.current.locate(&yaml.text, way),
        }
    }

    /// The text of JSON that begins with the value at `way` of the current object, else with the innermost one on the way to
    /// it: in it keys are in the order in which they were written.
    pub(crate) fn json(&self, way: &Way) -> &[u8] {
        let object = match self {
            Self::Json(items) => items.object(),
            Self::Yaml(yaml) => &yaml.json,
        };
        &object[json_offset(object, way)..]
    }

    /// A value of the current object is not what it should be.
    pub(super) fn refuse(&self, misread: Misread) -> Fault {
        let place = self.locate(&misread.way);
        Fault::unreadable(0, misread.expected, misread.found).column(misread.way.to_string()).at(place)
    }
}

impl Yaml {
    fn next(&mut self, what: &str) -> Result<Option<Value>, Fault> {
        loop {
            if let Some((list, next)) = &mut self.list {
                let item = *next;
                if let Some((place, json)) = list.get(item) {
                    *next += 1;
                    self.current = Origin { place, item: Some(item), ..self.current };
                    self.json.clear();
                    self.json.extend_from_slice(json);
                    return self.current.read(&self.text, &self.json, what).map(Some);
                }
                self.list = None;
            }
            let Some(document) = self.documents.next() else { return Ok(None) };
            let begin = place(&document);
            self.current = Origin { place: begin, whole: begin, ..Origin::default() };
            match document.value {
                Document::One(json) => {
                    self.json = json.0;
                    return self.current.read(&self.text, &self.json, what).map(Some);
                }
                Document::Many(list) => {
                    self.current.under_key = list.under_key;
                    self.list = Some((list, 0));
                }
            }
        }
    }
}

impl Origin {
    /// One object, which was YAML and is JSON.
    fn read(&self, text: &str, json: &[u8], what: &str) -> Result<Value, Fault> {
        if json.len() as u64 > MAX_OBJECT {
            return Err(Fault::other(0, format!("this {what} is longer than 16 MiB")).at(self.place));
        }
        // All that YAML can say and JSON cannot is a number beyond all numbers.
        serde_json::from_slice(json).map_err(|error| {
            let way = json_value(json, error.column()).0;
            let fault = Fault::other(0, BEYOND);
            fault.of(shown(json)).column(way.to_string()).at(self.locate(text, &way))
        })
    }

    /// Reads the text once more, for its places: nothing is kept of them as long as nothing is wrong.
    fn locate(&self, text: &str, way: &Way) -> Place {
        let object = if self.under_key { Way::default().key(ITEMS) } else { Way::default() };
        let object = self.item.into_iter().fold(object, Way::index);
        yaml_place(text, self.whole, &object.then(way)).unwrap_or(self.place)
    }
}

/// The kind and the name of an object that may be no JSON as a whole; empty where it says no kind.
fn shown(json: &[u8]) -> String {
    let text = |way: &Way| {
        let rest = &json[json_offset(json, way)..];
        String::deserialize(&mut serde_json::Deserializer::from_slice(rest)).unwrap_or_default()
    };
    let part = |key: &str| text(&Way::default().key("metadata").key(key));
    let (kind, namespace, name) = (text(&Way::default().key("kind")), part("namespace"), part("name"));
    match (kind.is_empty() || name.is_empty(), namespace.is_empty()) {
        (true, _) => kind,
        (false, true) => format!("{kind} `{name}`"),
        (false, false) => format!("{kind} `{namespace}/{name}`"),
    }
}

fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<Vec<T>, serde_saphyr::Error> {
    // Of the words that YAML 1.1 took for booleans, Kubernetes means two: a queue may be called `y`.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_events: MAX_EVENTS,
            max_nodes: MAX_EVENTS,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// A value of JSON in which no key stands twice, of which one would be lost.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(value)) = parts.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = parts.next_key::<String>()? {
            match map.entry(key) {
                Entry::Vacant(free) => _ = free.insert(parts.next_value::<Once>()?.0),
                Entry::Occupied(taken) => {
                    let key = quoted(taken.key().as_bytes());
                    return Err(serde::de::Error::custom(format!("the key {key} stands there twice")));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

/// A value of YAML as the text of JSON, which takes a tenth of the memory of the value.
struct Json(Vec<u8>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Vec::new();
        Writing(&mut text).deserialize(deserializer)?;
        Ok(Self(text))
    }
}

/// Writes a value behind the text so far, which is one object and ends before it takes all memory.
struct Writing<'t>(&'t mut Vec<u8>);

impl Writing<'_> {
    fn write<E: serde::de::Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        if self.0.len() as u64 > MAX_OBJECT {
            return Err(E::custom(TOO_LONG));
        }
        serde_json::to_writer(self.0, &value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Writing<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writing<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if value.is_finite() {
            return self.write(value);
        }
        // Whoever reads it finds out that there is no such number, and where it stands.
        self.0.extend_from_slice(b"1e999");
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        while parts.next_element_seed(Writing(self.0))?.is_some() {
            self.0.push(b',');
        }
        close(self.0, b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        while let Some(key) = parts.next_key::<String>()? {
            Writing(self.0).write(key)?;
            self.0.push(b':');
            parts.next_value_seed(Writing(self.0))?;
            self.0.push(b',');
        }
        close(self.0, b'}');
        Ok(())
    }
}

/// Ends a list or mapping, the last part of which has a comma behind it.
fn close(text: &mut Vec<u8>, bracket: u8) {
    match text.last_mut() {
        Some(last @ b',') => *last = bracket,
        _ => text.push(bracket),
    }
}

/// A document of YAML: an object, or a list of them.
enum Document {
    One(Json),
    Many(List),
}

/// Objects, one behind the other.
#[derive(Default)]
struct List {
    json: Vec<u8>,
    /// Where each begins in the file and ends here.
    items: Vec<(Place, usize)>,
    under_key: bool,
}

impl List {
    fn get(&self, item: usize) -> Option<(Place, &[u8])> {
        let &(place, end) = self.items.get(item)?;
        let begin = item.checked_sub(1).map_or(0, |before| self.items[before].1);
        Some((place, &self.json[begin..end]))
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor { top: true })
    }
}

/// What stands under the key of a list; only a list is one.
struct Listed(Document);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor { top: false }).map(Self)
    }
}

struct DocumentVisitor {
    /// A mapping may list objects.
    top: bool,
}

impl DocumentVisitor {
    fn one<E>(write: impl FnOnce(Writing<'_>) -> Result<(), E>) -> Result<Document, E> {
        let mut json = Vec::new();
        write(Writing(&mut json))?;
        Ok(Document::One(Json(json)))
    }
}

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Document, E> {
        Self::one(|json| json.write(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Document, E> {
        Self::one(|json| json.write(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Document, E> {
        Self::one(|json| json.write(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Document, E> {
        Self::one(|json| json.visit_f64(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Document, E> {
        Self::one(|json| json.write(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Document, E> {
        Self::one(|json| json.write(()))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Document, E> {
        Self::one(|json| json.write(()))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Document, A::Error> {
        let mut list = List::default();
        while let Some(item) = parts.next_element::<Spanned<Json>>()? {
            list.json.extend_from_slice(&item.value.0);
            list.items.push((place(&item), list.json.len()));
        }
        Ok(Document::Many(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Document, A::Error> {
        if !self.top {
            return Self::one(|json| json.visit_map(parts));
        }
        let (mut fields, mut list) = (vec![b'{'], None);
        while let Some(key) = parts.next_key::<String>()? {
            let listed = if key == ITEMS { Some(parts.next_value::<Listed>()?.0) } else { None };
            if let Some(Document::Many(items)) = listed {
                list = Some(List { under_key: true, ..items });
                continue;
            }
            Writing(&mut fields).write(key)?;
            fields.push(b':');
            match listed {
                Some(Document::One(json)) => fields.extend_from_slice(&json.0),
                _ => parts.next_value_seed(Writing(&mut fields))?,
            }
            fields.push(b',');
        }
        close(&mut fields, b'}');
        Ok(list.map_or(Document::One(Json(fields)), Document::Many))
    }
}

/// Whether text that begins so is JSON. A mapping whose first key has no quotes is YAML on one line.
fn is_json(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    match text.split_first() {
        Some((b'[', _)) => true,
        Some((b'{', rest)) => matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}')),
        _ => false,
    }
}
