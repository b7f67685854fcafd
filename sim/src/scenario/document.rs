//! Document: the settings as one tree, each knowing which text it comes from.
//!
//! The file comes first, then overrides (`SIM_*` variables, `--set`, `--policy`), each parsed as a small TOML text of
//! its own and merged into the tree, so that a fault in one is shown where it was written. Absent on purpose: what a
//! setting means (see `read`).

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, SourceText};
use crate::nearest::did_you_mean;

/// A value as written; numbers keep their digits.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(String),
    Float(String),
    Bool(bool),
    Date(String),
    Array(Vec<Node>),
    Table(Table),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Node {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("the text `{text}`"),
            Value::Integer(digits) | Value::Float(digits) => format!("`{digits}`"),
            Value::Bool(value) => format!("`{value}`"),
            Value::Date(date) => format!("the date `{date}`"),
            Value::Array(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

/// Keys with their values, in the order of the text.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }
}

/// A setting given outside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What to call its origin in messages: `--set`, `--policy` or the name of a variable.
    pub origin: String,
    /// `key=value`; the key as in TOML, pools and teams by name: `pool.l4.nodes`.
    pub setting: String,
}

/// All texts, and the tree that they add up to.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) sources: Vec<SourceText>,
    pub(super) root: Table,
}

/// The arrays of tables whose elements an override names.
const NAMED: [&str; 3] = ["pool", "team", "priority"];

impl Document {
    /// Parses the file and merges the overrides, in order.
    pub(super) fn parse(
        name: &str,
        text: &str,
        overrides: &[Override],
    ) -> Result<Self, (Vec<SourceText>, Fault)> {
        let mut sources = vec![SourceText { name: name.to_owned(), text: text.to_owned() }];
        let mut root = match parse_table(text, 0) {
            Ok(root) => root,
            Err(fault) => return Err((sources, fault)),
        };
        for setting in overrides {
            let (text, parsed) = parse_override(&setting.setting, sources.len());
            sources.push(SourceText { name: setting.origin.clone(), text });
            let loose = setting.origin.starts_with("SIM_");
            if let Err(fault) = parsed.and_then(|table| merge_root(&mut root, table, loose)) {
                return Err((sources, fault));
            }
        }
        Ok(Self { sources, root })
    }
}

fn parse_table(text: &str, source: usize) -> Result<Table, Fault> {
    match DeTable::parse(text) {
        Ok(table) => Ok(convert_table(table.get_ref(), source)),
        Err(error) => {
            let span = error.span().unwrap_or(0..text.len().min(1));
            let message = error.message().trim().replace('\n', "; ");
            Err(Fault::new(&Place { source, span }, "the text is not valid TOML", message))
        }
    }
}

/// `key=value`, where a value that is no TOML is taken as text.
fn parse_override(setting: &str, source: usize) -> (String, Result<Table, Fault>) {
    let Some((key, value)) = setting.split_once('=') else {
        let place = Place { source, span: 0..setting.len() };
        let fault = Fault::new(&place, "a setting has no value", "expected `key=value`");
        return (setting.to_owned(), Err(fault));
    };
    let plain = format!("{} = {}", key.trim(), value.trim());
    if let Ok(table) = parse_table(&plain, source) {
        return (plain, Ok(table));
    }
    let quoted = format!("{} = {}", key.trim(), toml::Value::String(value.trim().to_owned()));
    let parsed = parse_table(&quoted, source);
    (quoted, parsed)
}

fn convert_table(table: &DeTable<'_>, source: usize) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_place: Place { source, span: key.span() },
            node: convert(value, source),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_place.span.start);
    Table { entries }
}

fn convert(value: &Spanned<DeValue<'_>>, source: usize) -> Node {
    let place = Place { source, span: value.span() };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Value::Integer(number.as_str().to_owned()),
        DeValue::Integer(number) => {
            let digits = i128::from_str_radix(number.as_str(), number.radix());
            Value::Integer(digits.map_or_else(|_| number.as_str().to_owned(), |value| value.to_string()))
        }
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| convert(item, source)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, source)),
    };
    Node { place, value }
}

/// Merges an override into the file's tree; pools, teams and priorities are found by name, `loose`: as far as the name of
/// a variable can hold it.
fn merge_root(root: &mut Table, settings: Table, loose: bool) -> Result<(), Fault> {
    for entry in settings.entries {
        if NAMED.contains(&entry.key.as_str())
            && let Value::Table(by_name) = entry.node.value
        {
            for mut named in by_name.entries {
                if loose {
                    named.key = meant(root, &entry.key, named.key);
                }
                merge_named(root, &entry.key, named)?;
            }
        } else {
            merge_entry(root, entry);
        }
    }
    Ok(())
}

/// The one name of the file that a variable writes as `word`: in small letters, and `_` for what is no letter or digit.
fn meant(root: &Table, what: &str, word: String) -> String {
    let written = |name: &str| {
        let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
        name.to_lowercase().chars().map(letter).collect::<String>()
    };
    let Some(Value::Array(elements)) = root.get(what).map(|node| &node.value) else { return word };
    let names = elements.iter().filter_map(|element| {
        let Value::Table(table) = &element.value else { return None };
        let Value::Text(name) = &table.get("name")?.value else { return None };
        Some(name)
    });
    let names: Vec<&String> = names.collect();
    let mut alike = names.iter().filter(|name| written(name) == word);
    match (names.contains(&&word), alike.next(), alike.next()) {
        (false, Some(name), None) => (*name).clone(),
        _ => word,
    }
}

fn merge_named(root: &mut Table, what: &str, named: Entry) -> Result<(), Fault> {
    let list = root.entries.iter_mut().find(|entry| entry.key == what).map(|entry| &mut entry.node.value);
    let mut names = Vec::new();
    if let Some(Value::Array(elements)) = list {
        for element in elements {
            let Value::Table(table) = &mut element.value else { continue };
            match table.get("name").map(|node| &node.value) {
                Some(Value::Text(name)) if *name == named.key => {
                    if let Value::Table(settings) = named.node.value {
                        settings.entries.into_iter().for_each(|entry| merge_entry(table, entry));
                        return Ok(());
                    }
                    let label = format!("expected `{what}.{}.KEY=VALUE`", named.key);
                    return Err(Fault::new(&named.key_place, format!("a {what} is no single value"), label));
                }
                Some(Value::Text(name)) => names.push(name.clone()),
                _ => {}
            }
        }
    }
    let label = format!("the scenario has no {what} of this name");
    let near = did_you_mean(&named.key, names.iter().map(String::as_str));
    Err(Fault::new(&named.key_place, format!("unknown {what} `{}`", named.key), label).hint_if(near))
}

fn merge_entry(table: &mut Table, entry: Entry) {
    let Some(old) = table.entries.iter_mut().find(|old| old.key == entry.key) else {
        table.entries.push(entry);
        return;
    };
    match (&mut old.node.value, entry.node.value) {
        (Value::Table(old), Value::Table(new)) => {
            new.entries.into_iter().for_each(|entry| merge_entry(old, entry));
        }
        (_, value) => {
            old.node = Node { place: entry.node.place, value };
            old.key_place = entry.key_place;
        }
    }
}
