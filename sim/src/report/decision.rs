//! Decisions of one cycle for people, at most 80 columns wide where names allow.
//!
//! Free to change. Absent on purpose: what is decided (see `decide`).

use std::fmt::Write as _;

use serde_json::Value;

use super::text::{WIDTH, cut, name_width, percent};
use crate::decide::{Decided, JobDecision, ShareKind};

/// Columns of what happens to a job.
const ACTION: usize = 11;

/// The shares before the cycle, then every waiting job with what became of it and why.
#[must_use]
pub fn text(decided: &Decided) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "policy    {}", decided.policy);
    let _ = writeln!(text, "now       {} s", decided.now_s);
    let name = name_width(decided.shares.iter().map(|line| line.name.as_str()), "team", 30);
    let _ =
        writeln!(text, "\n{:<name$}  {:<7}{:>15}  {:<20}quota", "team", "kind", "weighted share", "dominant");
    for line in &decided.shares {
        let kind = match line.kind {
            ShareKind::Team => "team",
            ShareKind::Queue => "queue",
            ShareKind::Cohort => "cohort",
        };
        // The shares of teams are parts of the whole; queues have thousandths, and may have no end.
        let share = match (&line.weighted_share, line.kind) {
            (Value::String(word), _) => word.clone(),
            (value, ShareKind::Team) => percent(value.as_f64()),
            (value, _) => value.to_string(),
        };
        let dominant = line.dominant_resource.as_deref().unwrap_or("-");
        let quota = if line.within_quota { "within" } else { "beyond" };
        let _ = writeln!(
            text,
            "{:<name$}  {kind:<7}{share:>15}  {:<20}{quota}",
            cut(&line.name, name),
            cut(dominant, 19)
        );
    }
    if decided.decisions.is_empty() {
        text.push_str("\nno job waits\n");
        return text;
    }
    let name = name_width(decided.decisions.iter().map(|line| line.job.as_str()), "job", 22);
    let _ = writeln!(text, "\n{:<name$}  {:<ACTION$}why", "job", "decision");
    for line in &decided.decisions {
        let indent = name + 2 + ACTION;
        let _ = write!(text, "{:<name$}  {:<ACTION$}", cut(&line.job, name), line.action.as_str());
        for (index, part) in reasons(line, WIDTH.saturating_sub(indent)).iter().enumerate() {
            let indent = if index == 0 { 0 } else { indent };
            let _ = writeln!(text, "{:indent$}{part}", "");
        }
    }
    text
}

/// Why, then who is stopped for it, in lines of at most `width` columns.
fn reasons(line: &JobDecision, width: usize) -> Vec<String> {
    let mut lines = wrap(&line.why, width);
    for victim in &line.victims {
        lines.extend(wrap(&format!("stops {} ({})", victim.job, victim.reason), width));
    }
    lines
}

/// Breaks a text at its spaces; a longer word stands by itself.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = lines
            .last()
            .is_some_and(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width);
        match lines.last_mut().filter(|_| fits) {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
