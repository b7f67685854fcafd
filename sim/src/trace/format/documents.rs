//! Objects from JSON or YAML: JSON object by object, YAML documents all at once, bounded.
//!
//! A YAML list (`kind: List`) gives its items. Absent on purpose: what the objects mean.

use std::io::Read as _;
use std::rc::Rc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::items::Items;
use super::locate::{Place, Way, place, yaml_place};
use super::member::Misread;
use crate::trace::error::{Fault, quoted};
use crate::trace::input::Opened;

/// YAML is held whole, with up to twenty times as much for what stands in it; a longer file should be exported as JSON.
const MAX_YAML: u64 = 64 << 20;

/// More parts than this do not fit into so much text.
const MANY: usize = 1 << 26;

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
    objects: std::vec::IntoIter<(Origin, Value)>,
    current: Origin,
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
            let fault = Fault::other(0, "this is no YAML of objects").hint(hint);
            match error.location() {
                Some(location) => fault.at(Place { line: location.line(), character: location.column() }),
                None => fault,
            }
        })?;
        let mut objects = Vec::new();
        for whole in documents {
            let begin = place(&whole);
            let origin = Origin { place: begin, whole: begin, ..Origin::default() };
            match whole.value {
                Document::Many { items, under_key } => {
                    let origin = Origin { under_key, ..origin };
                    for (item, one) in items.into_iter().enumerate() {
                        let origin = Origin { place: place(&one), item: Some(item), ..origin };
                        objects.push((origin, one.value));
                    }
                }
                Document::One(value) => objects.push((origin, value)),
            }
        }
        Ok(Self::Yaml(Yaml { text, objects: objects.into_iter(), current: Origin::default() }))
    }

    /// The next object; nothing at the end.
    pub(crate) fn next(&mut self, what: &str) -> Result<Option<Value>, Fault> {
        match self {
            Self::Json(items) => items.next(what),
            Self::Yaml(yaml) => Ok(yaml.objects.next().map(|(origin, value)| {
                yaml.current = origin;
                value
            })),
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
            Self::Yaml(yaml) => yaml.locate(way).unwrap_or(yaml.current.place),
        }
    }

    /// A value of the current object is not what it should be.
    pub(super) fn refuse(&self, misread: Misread) -> Fault {
        let place = self.locate(&misread.way);
        Fault::unreadable(0, misread.expected, misread.found).column(misread.way.to_string()).at(place)
    }
}

impl Yaml {
    /// Reads the text once more, for its places: nothing is kept of them as long as nothing is wrong.
    fn locate(&self, way: &Way) -> Option<Place> {
        let Origin { whole, item, under_key, .. } = self.current;
        let object = if under_key { Way::default().key(ITEMS) } else { Way::default() };
        let object = item.into_iter().fold(object, Way::index);
        yaml_place(&self.text, whole, &object.then(way))
    }
}

fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<Vec<T>, serde_saphyr::Error> {
    // The text is bounded above, and so is whatever may stand in it. Of the words that YAML 1.1 took for booleans,
    // Kubernetes means two: a queue may be called `y`.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_documents: MANY,
            max_events: MANY,
            max_nodes: MANY,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// A document of YAML: an object, or a list of them.
enum Document {
    One(Value),
    Many { items: Vec<Spanned<Value>>, under_key: bool },
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

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
        Ok(Document::One(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
        Ok(Document::One(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
        Ok(Document::One(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
        Ok(Document::One(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Document, E> {
        Ok(Document::One(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::One(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Document, E> {
        Ok(Document::One(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Document, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = parts.next_element()? {
            items.push(item);
        }
        Ok(Document::Many { items, under_key: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Document, A::Error> {
        if !self.top {
            return Value::deserialize(MapAccessDeserializer::new(parts)).map(Document::One);
        }
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(key) = parts.next_key::<String>()? {
            if key != ITEMS {
                fields.insert(key, parts.next_value()?);
                continue;
            }
            match parts.next_value::<Listed>()?.0 {
                Document::One(value) => _ = fields.insert(key, value),
                Document::Many { items: many, .. } => items = Some(many),
            }
        }
        Ok(match items {
            Some(items) => Document::Many { items, under_key: true },
            None => Document::One(fields.into()),
        })
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
