//! Blocked: who waited for its part, as lines for the terminal and as tables of the page.
//!
//! Free to change. Absent on purpose: measures (see `metrics::blocked` and `metrics::blocked_users`).

use std::fmt::Write as _;

use super::chart::escape;
use super::html::{Page, TEAMS_SHOWN};
use super::text::{count, cut, decimal, name_width, percent};
use crate::metrics::blocked::Blocked;
use crate::metrics::blocked_users::BlockedUser;
use crate::summary::{Summary, TeamSummary};

/// Users on the page.
const USERS_ON_PAGE: usize = 10;
/// Users in the terminal before the rest is summed up in a line.
const USERS_SHOWN: usize = 3;

/// A user of a team that held less than its part while it waited.
type Short<'a> = (&'a TeamSummary, &'a BlockedUser, f64);

/// All of them; those first who missed most: part of the time waited, times what of the part was missing.
fn short_users(summary: &Summary) -> Vec<Short<'_>> {
    let users = summary.teams.iter().flat_map(|team| team.blocked_users.iter().map(move |user| (team, user)));
    let part = |user: &BlockedUser| user.blocked.held_over_entitled.filter(|part| *part < 1.0);
    let mut short: Vec<Short<'_>> =
        users.filter_map(|(team, user)| Some((team, user, part(user)?))).collect();
    let missed = |(_, user, part): &Short<'_>| user.blocked.time * (1.0 - part);
    short.sort_by(|a, b| missed(b).total_cmp(&missed(a)));
    short
}

/// The users who missed most.
pub(super) fn lines(summary: &Summary, text: &mut String) {
    let short = short_users(summary);
    if short.is_empty() {
        return;
    }
    let shown = &short[..short.len().min(USERS_SHOWN)];
    let title = "user below its part";
    let user = name_width(shown.iter().map(|(_, user, _)| user.name.as_str()), title, 24);
    let team = name_width(shown.iter().map(|(team, ..)| team.name.as_str()), "team", 18);
    let _ = writeln!(
        text,
        "\n{title:<user$}{:<team$}{:>9}{:>14}{:>14}",
        "team", "waiting", "held of part", "smallest job"
    );
    for (of, who, part) in shown {
        let _ = writeln!(
            text,
            "{:<user$}{:<team$}{:>9}{:>14}{:>14}",
            cut(&who.name, user),
            cut(&of.name, team),
            percent(Some(who.blocked.time)),
            percent(Some(*part)),
            smallest(&who.blocked),
        );
    }
    if short.len() > shown.len() {
        let more = count((short.len() - shown.len()) as u64);
        let _ = writeln!(text, "and {more} more users (all of them with `-o json`)");
    }
}

fn smallest(blocked: &Blocked) -> String {
    blocked.smallest_waiting.map_or("-".to_owned(), decimal)
}

impl Page<'_> {
    /// Teams that waited, then the users who missed most.
    pub(super) fn blocked(&self, html: &mut String) {
        let teams = self.summary.teams.iter().enumerate();
        let waited = teams.filter_map(|(index, team)| Some((index, team, team.blocked.as_ref()?)));
        let waited: Vec<(usize, &TeamSummary, &Blocked)> = waited.collect();
        if waited.is_empty() {
            return;
        }
        html.push_str(
            "<section><h2>Who waited for its part</h2>\n<p class=\"small\">Waiting: the part of the time in which a job \
             waited. Held of part: what was held then, of what was deserved by weight, quota and limit. Smallest job: the \
             GPUs (CPUs where no pool has GPUs) of the smallest that did not start when it came.</p>\n",
        );
        head(html, "<th>team</th>");
        for (index, team, blocked) in waited.iter().take(TEAMS_SHOWN) {
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><i class=\"dot k{}\"></i>{}</th>",
                self.colour[*index],
                escape(&team.name)
            );
            figures(html, blocked);
        }
        html.push_str("</tbody></table>\n");
        more(html, waited.len(), TEAMS_SHOWN, "teams");
        let short = short_users(self.summary);
        if !short.is_empty() {
            html.push_str("<h3>Users who held less than their part, those first who missed most</h3>\n");
            head(html, "<th>user</th><th>team</th>");
            for (team, user, _) in short.iter().take(USERS_ON_PAGE) {
                let (user_name, team_name) = (escape(&user.name), escape(&team.name));
                let _ = write!(html, "<tr><th scope=\"row\">{user_name}</th><th>{team_name}</th>");
                figures(html, &user.blocked);
            }
            html.push_str("</tbody></table>\n");
            more(html, short.len(), USERS_ON_PAGE, "users");
        }
        html.push_str("</section>\n");
    }
}

fn head(html: &mut String, names: &str) {
    let _ = writeln!(
        html,
        "<table><thead><tr>{names}<th>waiting</th><th>held of part</th><th>smallest job</th></tr></thead>\n<tbody>"
    );
}

fn figures(html: &mut String, blocked: &Blocked) {
    let held = blocked.held_over_entitled.map_or("–".to_owned(), |part| percent(Some(part)));
    let _ = writeln!(
        html,
        "<td>{}</td><td>{held}</td><td>{}</td></tr>",
        percent(Some(blocked.time)),
        smallest(blocked)
    );
}

fn more(html: &mut String, all: usize, shown: usize, what: &str) {
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        let more = count(more as u64);
        let _ = writeln!(html, "<p class=\"small\">and {more} more {what}, in summary.json</p>");
    }
}
