//! HTML: one self-contained page about a run.
//!
//! Nothing is fetched: the content policy allows the page's own style sheet and script, by digest, and nothing else.
//! Light and dark by the reader's preference. Absent on purpose: measures (see `metrics`), the charts of the page (see
//! `over_time` and `by_job`) and drawing (see `chart`).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::bill::Bill;
use super::chart::escape;
use super::over_time::SLICES;
use super::text::{by_kind, count, lost_parts, numbered, percent, reaper_parts, usd, usd_of_cents, whole};
use crate::duration::human_s;
use crate::metrics::Demands;
use crate::metrics::distribution::Distribution;
use crate::metrics::shares::Shares;
use crate::record::Record;
use crate::setup::Setup;
use crate::summary::Summary;
use crate::trace::Trace;

/// Teams with a colour of their own; the others are drawn as one.
pub(super) const COLOURED: usize = 8;
/// The colour of everybody else.
pub(super) const OTHERS: usize = COLOURED;
/// Bars and rows of teams.
pub(super) const TEAMS_SHOWN: usize = 40;

pub(super) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What the page is about.
pub(super) struct Page<'a> {
    pub(super) setup: &'a Setup,
    pub(super) trace: &'a Trace,
    pub(super) record: &'a Record,
    pub(super) summary: &'a Summary,
    pub(super) shares: &'a Shares,
    pub(super) demands: Demands,
    /// Colour of each team, by the scheduler's number.
    pub(super) colour: Vec<usize>,
}

/// The whole page.
#[must_use]
pub fn page(setup: &Setup, trace: &Trace, record: &Record, summary: &Summary, shares: &Shares) -> String {
    let demands = Demands::new(setup, trace);
    let page = Page { setup, trace, record, summary, shares, demands, colour: colours(summary) };
    let mut html = String::new();
    page.head(&mut html);
    page.headline(&mut html);
    page.teams(&mut html);
    page.allocation(&mut html);
    page.busy(&mut html);
    page.shares(&mut html);
    page.queue(&mut html);
    page.waits(&mut html);
    page.blocked(&mut html);
    page.slowdown(&mut html);
    page.spending(&mut html);
    page.lives(&mut html);
    page.notes(&mut html);
    close(&mut html);
    html
}

/// The beginning of a page: its policy, its style, and, unless that is empty, a headline.
pub(super) fn open(title: &str, headline: &str) -> String {
    let [style, script] = [STYLE, SCRIPT].map(|text| base64(&Sha256::digest(text.as_bytes())));
    let title = escape(title);
    let headline =
        if headline.is_empty() { String::new() } else { format!("<header><h1>{}</h1>\n", escape(headline)) };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; \
         script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{headline}"
    )
}

/// The end of a page.
pub(super) fn close(html: &mut String) {
    let _ = write!(html, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
}

/// The numbers of teams, those that held most first: by GPU-hours, where nobody held any by the mean share, then by jobs.
pub(super) fn by_use(teams: impl Iterator<Item = (f64, Option<f64>, u64)>) -> Vec<usize> {
    let teams: Vec<(f64, f64, u64)> =
        teams.map(|(hours, share, jobs)| (hours, share.unwrap_or_default(), jobs)).collect();
    let any_hours = teams.iter().any(|(hours, _, _)| *hours > 0.0);
    let held = |team: usize| if any_hours { teams[team].0 } else { teams[team].1 };
    let mut order: Vec<usize> = (0..teams.len()).collect();
    order.sort_by(|a, b| held(*b).total_cmp(&held(*a)).then(teams[*b].2.cmp(&teams[*a].2)).then(a.cmp(b)));
    order
}

/// The teams that use most get the colours, in their own order.
fn colours(summary: &Summary) -> Vec<usize> {
    let teams = &summary.teams;
    let mut order = by_use(teams.iter().map(|team| (team.gpu_hours, team.share_mean, team.jobs)));
    order.truncate(COLOURED);
    order.sort_unstable();
    let mut colour = vec![OTHERS; teams.len()];
    for (index, team) in order.into_iter().enumerate() {
        colour[team] = index;
    }
    colour
}

impl Page<'_> {
    fn head(&self, html: &mut String) {
        let policy = escape(&self.summary.policy);
        html.push_str(&open(&format!("Simulation under {}", self.summary.policy), ""));
        let _ = writeln!(html, "<header><h1>Simulation under <em>{policy}</em></h1>");
        let jobs = &self.summary.jobs;
        let teams = self.summary.teams.len() as u64;
        let mut line = format!("{} of {}", numbered(jobs.submitted, "job"), numbered(teams, "team"));
        let _ = write!(line, ", submitted over {}", human_s(self.summary.span_s));
        for (number, word) in [
            (jobs.failed, "failed"),
            (jobs.cancelled, "cancelled"),
            (jobs.rejected, "rejected"),
            (jobs.unfinished, "unfinished"),
        ] {
            if number > 0 {
                let _ = write!(line, ", {} {word}", count(number));
            }
        }
        let _ = writeln!(html, "<p>{}</p></header>", escape(&line));
        if self.summary.incomplete {
            html.push_str("<p class=\"warn\">The run was interrupted: everything here is partial.</p>\n");
        }
    }

    fn headline(&self, html: &mut String) {
        let summary = self.summary;
        let time = |value: Option<f64>| value.map_or("–".to_owned(), human_s);
        let mut tiles = vec![
            ("mean wait", time(summary.wait_s.mean)),
            ("median wait", time(summary.wait_s.p50)),
            ("p95 wait", time(summary.wait_s.p95)),
        ];
        for (kind, name) in [("gpu", "GPU utilization"), ("cpu", "CPU utilization")] {
            if let Some(value) = summary.utilization.get(kind) {
                tiles.push((name, percent(Some(*value))));
            }
        }
        if let Some(cost) = &summary.cost_usd {
            tiles.push(("cost", tile_usd(cost.total)));
            tiles.push(("of it idle", tile_usd(cost.idle)));
        }
        html.push_str("<dl class=\"tiles\">\n");
        for (name, value) in tiles {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
        }
        html.push_str("</dl>\n");
        if let Some(lost) = lost_parts(summary) {
            let _ = writeln!(html, "<p class=\"small\">Lost: {}.</p>", lost.join(", "));
        }
        if let Some(reaper) = &summary.reaper {
            let _ = writeln!(html, "<p class=\"small\">Reaper: {}.</p>", reaper_parts(reaper).join(", "));
        }
    }

    fn teams(&self, html: &mut String) {
        let bill = Bill::new(self.summary);
        html.push_str("<section><h2>Teams</h2>\n<table><thead><tr><th>team</th><th>weight</th><th>jobs</th>");
        html.push_str("<th>mean wait</th><th>median</th><th>p95</th><th>longest</th><th>GPU-hours</th>");
        html.push_str(if bill.is_some() {
            "<th>cost</th></tr></thead>\n<tbody>\n"
        } else {
            "</tr></thead>\n<tbody>\n"
        });
        for (index, team) in self.summary.teams.iter().enumerate().take(TEAMS_SHOWN) {
            let Distribution { mean, p50, p95, max, .. } = team.wait_s;
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><i class=\"dot k{}\"></i>{}</th><td>{}</td><td>{}</td>",
                self.colour[index],
                escape(&team.name),
                team.weight,
                count(team.jobs)
            );
            for value in [mean, p50, p95, max] {
                let _ = write!(html, "<td>{}</td>", value.map_or("–".to_owned(), human_s));
            }
            let _ = write!(html, "<td>{}</td>", whole(team.gpu_hours));
            if let Some(bill) = &bill {
                let _ = write!(html, "<td>{}</td>", usd_of_cents(bill.teams[index]));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table>\n");
        self.more_teams(html);
        html.push_str("</section>\n");
    }

    pub(super) fn more_teams(&self, html: &mut String) {
        if let Some(more) = self.summary.teams.len().checked_sub(TEAMS_SHOWN).filter(|more| *more > 0) {
            let more = numbered(more as u64, "more team");
            let _ = writeln!(html, "<p class=\"small\">and {more}, in summary.json</p>");
        }
    }

    fn notes(&self, html: &mut String) {
        let summary = self.summary;
        html.push_str("<section><h2>About these numbers</h2>\n");
        if !summary.warnings.is_empty() {
            html.push_str("<ul class=\"notes\">\n");
            for warning in by_kind(&summary.warnings, Some("all of them in summary.json")) {
                let _ = writeln!(html, "<li>{}</li>", escape(&warning));
            }
            html.push_str("</ul>\n");
        }
        let _ = writeln!(
            html,
            "<p class=\"small\">Wait: all time spent waiting until the start that was not evicted; over {} jobs. \
             Utilization and cost: from the first submission to the last end. Charts show averages over {SLICES} \
             slices of time.</p>",
            count(summary.wait_s.count)
        );
        let provenance = &summary.provenance;
        let _ = writeln!(
            html,
            "<p class=\"small\">sim {}, seed {}, decisions <code>{}</code>, scenario <code>{}</code></p>",
            escape(provenance.version),
            provenance.seed,
            escape(&summary.digest),
            escape(provenance.scenario_digest.get(..16).unwrap_or(""))
        );
        html.push_str("</section>\n");
    }
}

/// Dollars, with cents below a thousand.
fn tile_usd(value: f64) -> String {
    if value < 999.5 {
        return usd(value);
    }
    let text = usd(value.round());
    text.trim_end_matches(".00").to_owned()
}

/// Base 64, as content policies write digests.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for position in 0..4 {
            if position > group.len() {
                text.push('=');
            } else {
                text.push(char::from(LETTERS[(bits >> (18 - 6 * position)) as usize & 63]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_shown_where_they_count() {
        let shown = [0.0, 0.16, 0.84, 999.49, 999.51, 59_867.96, 235_867.51].map(tile_usd);
        assert_eq!(shown, ["$0.00", "$0.16", "$0.84", "$999.49", "$1,000", "$59,868", "$235,868"]);
    }

    #[test]
    fn base64_pads() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }
}
