//! Single values of a scenario: texts, whole numbers, amounts, weights, money, durations.
//!
//! Each reader notes a fault and returns nothing where the value is not what it should be. Absent on purpose: keys.

use fairshare::{MicroUsd, Quantity, Weight};

use super::document::{Entry, Node, Table, Value};
use super::fault::{Fault, Place};
use crate::nearest::did_you_mean;

/// The highest price by the hour: sums of exact money stay far from their limits.
const MOST: MicroUsd = MicroUsd::new(1_000_000_000_000);

/// A key that the scenario's language has and this version does not act on.
pub(super) struct Later(pub(super) &'static str);

/// Collects the faults while the tree is read.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) list: Vec<Fault>,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    /// Gives the last fault another hint.
    pub(super) fn hint(&mut self, hint: &str) {
        let last = self.list.pop();
        self.list.extend(last.map(|fault| fault.hint(hint)));
    }

    pub(super) fn expected<T>(&mut self, node: &Node, key: &str, expected: &str) -> Option<T> {
        let title = format!("`{key}` is not what it should be");
        self.push(Fault::new(&node.place, title, format!("expected {expected}, found {}", node.kind())));
        None
    }

    /// Every key of `table` must be one of `known`; one of `later` is refused as not supported yet.
    pub(super) fn keys(&mut self, table: &Table, what: &str, known: &[&str], later: &[Later]) {
        for Entry { key, key_place, .. } in &table.entries {
            if known.contains(&key.as_str()) {
                continue;
            }
            if later.iter().any(|Later(name)| name == key) {
                let label = format!("this version does not act on `{key}`");
                self.push(
                    Fault::new(key_place, format!("`{key}` is not supported yet"), label)
                        .hint("remove the key: it would have no effect"),
                );
                continue;
            }
            let label = format!("expected one of {}", list(known));
            let title = format!("unknown key `{key}` in {what}");
            self.push(Fault::new(key_place, title, label).hint_if(did_you_mean(key, known.iter().copied())));
        }
    }

    /// A key that must be there; `known` are all keys that the table may have.
    pub(super) fn required<'a>(
        &mut self,
        table: &'a Table,
        at: &Place,
        what: &str,
        key: &str,
        known: &[&str],
    ) -> Option<&'a Node> {
        let node = table.get(key);
        // A misspelt key is told as such, not once more as a missing one. A key that is known is no misspelling,
        // however near it is: `node` beside `nodes`.
        let misspelt = |other: &str| !known.contains(&other) && did_you_mean(other, [key]).is_some();
        let misspelt = table.entries.iter().any(|entry| misspelt(&entry.key));
        if node.is_none() && !misspelt {
            let label = format!("`{key}` is required");
            self.push(Fault::new(at, format!("{what} has no `{key}`"), label));
        }
        node
    }

    pub(super) fn table<'a>(&mut self, node: &'a Node, key: &str) -> Option<&'a Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            _ => self.expected(node, key, "a table"),
        }
    }

    /// The elements of an array of tables.
    pub(super) fn tables<'a>(&mut self, root: &'a Table, key: &str) -> Vec<(&'a Table, &'a Place)> {
        let Some(node) = root.get(key) else { return Vec::new() };
        let Value::Array(elements) = &node.value else {
            self.expected::<()>(node, key, &format!("a list of tables, written `[[{key}]]`"));
            return Vec::new();
        };
        elements.iter().filter_map(|node| Some((self.table(node, key)?, &node.place))).collect()
    }

    pub(super) fn text<'a>(&mut self, node: &'a Node, key: &str) -> Option<&'a str> {
        match &node.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            Value::Text(_) => self.expected(node, key, "a text that is not empty"),
            _ => self.expected(node, key, "a text"),
        }
    }

    /// A list of texts; where it is none, nothing.
    pub(super) fn texts(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Value::Array(elements) = &node.value else {
            self.expected::<()>(node, key, "a list of texts, such as `[\"web-2025\"]`");
            return Vec::new();
        };
        elements.iter().filter_map(|node| self.text(node, key)).map(str::to_owned).collect()
    }

    /// A number above zero with at most three decimals, in thousandths.
    pub(super) fn thousandths(&mut self, node: &Node, key: &str) -> Option<u64> {
        let amount = match &node.value {
            Value::Integer(digits) | Value::Float(digits) => Quantity::parse_units(&plain(digits)),
            _ => None,
        };
        let amount = amount.map(Quantity::get).filter(|amount| (1..=1_000_000_000).contains(amount));
        if amount.is_none() {
            return self.expected(node, key, "a number from 0.001 to 1000000 with at most three decimals");
        }
        amount
    }

    pub(super) fn bool(&mut self, node: &Node, key: &str) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => self.expected(node, key, "`true` or `false`"),
        }
    }

    /// A whole number in `range`.
    pub(super) fn whole(
        &mut self,
        node: &Node,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = match &node.value {
            Value::Integer(digits) => plain(digits).parse::<i64>().ok().filter(|value| range.contains(value)),
            _ => None,
        };
        if value.is_none() {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            return self.expected(node, key, &expected);
        }
        value
    }

    /// A decimal weight above zero.
    pub(super) fn weight(&mut self, node: &Node, key: &str) -> Option<Weight> {
        let weight = match &node.value {
            Value::Integer(digits) | Value::Float(digits) => Weight::parse(&plain(digits)),
            Value::Text(text) => text
                .split_once('/')
                .and_then(|(top, bottom)| Weight::new(top.trim().parse().ok()?, bottom.trim().parse().ok()?)),
            _ => None,
        };
        if weight.is_none() {
            return self.expected(node, key, "a decimal number above zero, such as `2` or `0.1`");
        }
        weight
    }

    /// An amount of a resource: memory in bytes with a unit, everything else in whole or decimal units.
    pub(super) fn amount(&mut self, node: &Node, resource: &str) -> Option<Quantity> {
        let (amount, expected) = match (&node.value, resource) {
            (Value::Text(text), "memory") => {
                (Quantity::parse_bytes(text), "an amount of memory such as `64GiB`")
            }
            (Value::Integer(digits), "memory") if plain(digits) == "0" => (Some(Quantity::ZERO), ""),
            (_, "memory") => (None, "an amount of memory with its unit, such as `\"64GiB\"`"),
            (Value::Integer(digits) | Value::Float(digits), _) => (
                Quantity::parse_units(&plain(digits)),
                "a number from 0 with at most three decimals, below 2^64 / 1000",
            ),
            _ => (None, "a number"),
        };
        if amount.is_none() {
            return self.expected(node, resource, expected);
        }
        amount
    }

    /// Dollars, with at most six decimals.
    pub(super) fn money(&mut self, node: &Node, key: &str) -> Option<MicroUsd> {
        let money = dollars(node).filter(|money| *money <= MOST);
        if money.is_none() {
            return self.expected(node, key, "dollars: a number from 0 to 1000000 with at most six decimals");
        }
        money
    }

    /// A length of time above zero, ms: `"24h"`, `"1h 30m"`.
    pub(super) fn duration(&mut self, node: &Node, key: &str) -> Option<u64> {
        let millis = match &node.value {
            Value::Text(text) => crate::duration::parse_ms(text).filter(|millis| *millis > 0),
            _ => None,
        };
        if millis.is_none() {
            return self.expected(node, key, "a length of time such as `\"24h\"` or `\"1h 30m\"`");
        }
        millis
    }

    /// One word of `allowed`; one of `later` is refused as not supported yet.
    pub(super) fn word<'a>(
        &mut self,
        node: &'a Node,
        key: &str,
        allowed: &[&str],
        later: &[&str],
    ) -> Option<&'a str> {
        let word = self.text(node, key)?;
        if allowed.contains(&word) {
            return Some(word);
        }
        let label = format!("expected {}{}", if allowed.len() > 1 { "one of " } else { "" }, list(allowed));
        if later.contains(&word) {
            self.push(Fault::new(&node.place, format!("{key} `{word}` is not supported yet"), label));
        } else {
            let near = did_you_mean(word, allowed.iter().copied());
            self.push(Fault::new(&node.place, format!("unknown {key} `{word}`"), label).hint_if(near));
        }
        None
    }
}

/// Dollars as they are written, whatever they are.
pub(super) fn dollars(node: &Node) -> Option<MicroUsd> {
    match &node.value {
        Value::Integer(digits) | Value::Float(digits) => MicroUsd::parse(&plain(digits)),
        _ => None,
    }
}

/// Digits without TOML's separators and plus sign.
fn plain(digits: &str) -> String {
    digits.trim_start_matches('+').replace('_', "")
}

/// `a`, `b` or `c`.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
