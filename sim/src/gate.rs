//! Gate: `--fail-if 'PATH OP VALUE'` over a summary.
//!
//! A path names a field of `sim.summary/1` without its unit (`wait.p95` is `wait_s.p95`); elements of lists are found
//! by name. Absent on purpose: exit codes.

use serde_json::Value;

use crate::duration::{human_s, parse_ms};
use crate::error::SimError;
use crate::nearest::did_you_mean;

/// Suffixes of fields that a path leaves out.
const UNITS: [&str; 3] = ["_s", "_usd", "_hours"];

/// The comparisons, longer ones first so that `<=` is not read as `<`.
const OPERATORS: [&str; 5] = ["<=", ">=", "==", "<", ">"];

/// One condition under which a run counts as failed.
#[derive(Debug, Clone)]
pub struct Gate {
    text: String,
    path: String,
    operator: &'static str,
    limit: Limit,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    Number(f64),
    Seconds(f64),
}

/// What a field is: its value, and whether it is in seconds.
struct Field<'a> {
    value: &'a Value,
    seconds: bool,
}

impl Gate {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] where it is not of the form `PATH OP VALUE`.
    pub fn parse(text: &str) -> Result<Self, SimError> {
        let bad = || {
            SimError::usage_with_hint(
                format!("`--fail-if {text}` is no condition"),
                "write PATH OP VALUE, such as 'wait.p95 > 2h'; OP is one of < <= > >= ==",
            )
        };
        let at = text.find(['<', '>', '=']).ok_or_else(bad)?;
        let (path, rest) = text.split_at(at);
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(bad)?;
        let value = rest[operator.len()..].trim();
        let limit = match (value.parse::<f64>(), parse_ms(value)) {
            (Ok(number), _) if number.is_finite() => Limit::Number(number),
            #[expect(clippy::cast_precision_loss, reason = "a limit that people write")]
            (_, Some(millis)) => Limit::Seconds(millis as f64 / 1_000.0),
            _ => return Err(bad()),
        };
        let path = path.trim().to_owned();
        if path.is_empty() {
            return Err(bad());
        }
        Ok(Self { text: text.trim().to_owned(), path, operator, limit })
    }

    /// What to say if the condition holds; nothing if it does not.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] where the path names nothing, or a field without a value.
    pub fn check(&self, summary: &Value) -> Result<Option<String>, SimError> {
        let field = find(summary, &self.path).map_err(|near| {
            let message = format!("`--fail-if {}`: the summary has no `{}`", self.text, self.path);
            match near {
                Some(hint) => SimError::usage_with_hint(message, hint),
                None => SimError::usage(message),
            }
        })?;
        let Some(value) = field.value.as_f64() else {
            let what = if field.value.is_null() { "has no value in this run" } else { "is not a number" };
            let message = format!("`--fail-if {}`: `{}` {what}", self.text, self.path);
            return Err(
                match (field.value.is_null(), self.path.contains("cost") || self.path.contains("usd")) {
                    (true, true) => SimError::usage_with_hint(message, "give every pool a `price`"),
                    _ => SimError::usage(message),
                },
            );
        };
        let limit = match self.limit {
            Limit::Number(number) => number,
            Limit::Seconds(seconds) if field.seconds => seconds,
            Limit::Seconds(_) => {
                let message = format!("`--fail-if {}`: `{}` is not a length of time", self.text, self.path);
                return Err(SimError::usage(message));
            }
        };
        let order = value.total_cmp(&limit);
        let holds = match self.operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => order.is_eq(),
        };
        let shown = if field.seconds { human_s(value) } else { value.to_string() };
        Ok(holds.then(|| format!("gate failed: {}: it is {shown}", self.text)))
    }
}

/// The field at `path`; else, perhaps, a suggestion.
fn find<'a>(root: &'a Value, path: &str) -> Result<Field<'a>, Option<String>> {
    let mut at = Field { value: root, seconds: false };
    let mut rest = path;
    // Below a field without a value there are no names to check.
    while !rest.is_empty() && !at.value.is_null() {
        let Some((field, left)) = step(&at, rest) else {
            let names = names(at.value);
            let word = rest.split('.').next().unwrap_or(rest);
            return Err(did_you_mean(word, names.iter().map(String::as_str)));
        };
        at = field;
        rest = left;
    }
    Ok(at)
}

/// One step down: the longest name that the path begins with, since names may hold dots.
fn step<'a, 'p>(at: &Field<'a>, path: &'p str) -> Option<(Field<'a>, &'p str)> {
    let mut ends: Vec<usize> = path.match_indices('.').map(|(index, _)| index).collect();
    ends.push(path.len());
    ends.into_iter().rev().find_map(|end| {
        let value = member(at.value, &path[..end])?;
        let field = Field { value: value.1, seconds: at.seconds || value.0.ends_with("_s") };
        Some((field, path[end..].trim_start_matches('.')))
    })
}

/// The member called `name`, with or without a unit, and its full name.
fn member<'a>(value: &'a Value, name: &str) -> Option<(&'a str, &'a Value)> {
    match value {
        Value::Object(map) => {
            let full = |key: &str| {
                key == name
                    || UNITS.iter().any(|unit| key.strip_suffix(unit).is_some_and(|stem| stem == name))
            };
            map.iter().find(|(key, _)| full(key)).map(|(key, value)| (key.as_str(), value))
        }
        Value::Array(list) => list.iter().find_map(|element| {
            let found =
                ["name", "owner"].iter().any(|key| element.get(key).and_then(Value::as_str) == Some(name));
            found.then_some(("", element))
        }),
        _ => None,
    }
}

/// The names that a path may go on with.
fn names(value: &Value) -> Vec<String> {
    let short = |key: &str| {
        let stem = UNITS.iter().find_map(|unit| key.strip_suffix(unit));
        stem.unwrap_or(key).to_owned()
    };
    match value {
        Value::Object(map) => map.keys().map(|key| short(key)).collect(),
        Value::Array(list) => {
            list.iter().filter_map(|element| element.get("name")?.as_str().map(String::from)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(condition: &str) -> Result<Option<String>, String> {
        let summary = json!({
            "wait_s": { "mean": 90.0, "p95": 7201.0 },
            "cost_usd": null,
            "jobs": { "rejected": 2 },
            "teams": [{ "name": "a.b", "wait_s": { "mean": 5.0 } }],
        });
        let text = |error: SimError| error.message();
        Gate::parse(condition).map_err(text)?.check(&summary).map_err(text)
    }

    #[test]
    fn conditions_are_checked_in_their_unit() {
        for (condition, expected) in [
            ("wait.p95 > 2h", Some("gate failed: wait.p95 > 2h: it is 2 h")),
            ("wait_s.p95>7201", None),
            ("wait.p95 >= 7201", Some("gate failed: wait.p95 >= 7201: it is 2 h")),
            ("jobs.rejected == 2", Some("gate failed: jobs.rejected == 2: it is 2")),
            ("teams.a.b.wait.mean < 10s", Some("gate failed: teams.a.b.wait.mean < 10s: it is 5 s")),
            ("wait.mean <= 1m", None),
        ] {
            assert_eq!(check(condition), Ok(expected.map(String::from)), "{condition}");
        }
    }

    #[test]
    fn a_path_to_nothing_is_refused() {
        for (condition, expected) in [
            (
                "wiat.p95 > 2h",
                "error: `--fail-if wiat.p95 > 2h`: the summary has no `wiat.p95`\nhint: did you mean `wait`?",
            ),
            (
                "cost > 5",
                "error: `--fail-if cost > 5`: `cost` has no value in this run\nhint: give every pool a `price`",
            ),
            (
                "jobs.rejected > 2h",
                "error: `--fail-if jobs.rejected > 2h`: `jobs.rejected` is not a length of time",
            ),
            ("wait > 2h", "error: `--fail-if wait > 2h`: `wait` is not a number"),
            (
                "wait.p95",
                "error: `--fail-if wait.p95` is no condition\nhint: write PATH OP VALUE, such as 'wait.p95 > 2h'; \
                 OP is one of < <= > >= ==",
            ),
        ] {
            assert_eq!(check(condition), Err(expected.to_owned()), "{condition}");
        }
    }
}
