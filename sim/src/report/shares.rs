//! Shares: entitlements for people, at most 80 columns wide.
//!
//! Free to change. Absent on purpose: the exact fractions; they are in the JSON.

use std::fmt::Write as _;

use super::text::{cut, decimal, name_width, percent};
use crate::shares::{Optimum, Shares, TeamShare};

/// Columns of the table.
const WIDTH: usize = 80;
/// Columns of weight, share and tasks, and the gap after them.
const FIGURES: usize = 8 + 9 + 12 + 2;

/// A row for each team, and a line for each pool that it is entitled to something of.
#[must_use]
pub fn text(shares: &Shares) -> String {
    let mut text = String::from(match shares.optimum {
        Optimum::Fluid => {
            "optimum   all pools as one domain: an upper bound, spread over the team's pools\n\n"
        }
        Optimum::Pools => "optimum   one resource over the pools that each team may use\n\n",
        Optimum::Speeds => "optimum   throughput of one resource over the pools that each team may use\n\n",
    });
    let name = name_width(shares.teams.iter().map(|team| team.name.as_str()), "team", 22);
    let _ = writeln!(text, "{:<name$}{:>8}{:>9}{:>12}  entitlement", "team", "weight", "share", "tasks");
    for team in &shares.teams {
        let tasks = team.tasks.as_ref().map_or("-".to_owned(), |tasks| decimal(tasks.decimal));
        let _ = write!(
            text,
            "{:<name$}{:>8}{:>9}{tasks:>12}",
            cut(&team.name, name),
            decimal(team.weight),
            percent(Some(team.share.decimal)),
        );
        for (index, line) in lines(team, WIDTH - FIGURES - name).iter().enumerate() {
            let indent = if index == 0 { 2 } else { name + FIGURES };
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
    text
}

/// What a team is entitled to: each pool begins a line, further lines are indented.
fn lines(team: &TeamShare, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (pool, amounts) in &team.entitlement {
        let mut line = format!("{}:", cut(pool, 20));
        let shown = amounts.iter().filter(|(_, figure)| figure.decimal > 0.0);
        let mut empty = true;
        for (resource, figure) in shown {
            let unit = if resource == "memory" { " GiB" } else { "" };
            let piece = format!(" {} {}{unit}", cut(resource, 16), decimal(figure.decimal));
            let comma = if empty { "" } else { "," };
            if line.chars().count() + comma.len() + piece.chars().count() < width {
                line = line + comma + &piece;
            } else {
                lines.push(line + comma);
                line = format!(" {piece}");
            }
            empty = false;
        }
        if !empty {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}
