//! HTML: one self-contained page about a run.
//!
//! No script, nothing fetched: the content policy allows the page's own style sheet and nothing else. Light and dark
//! by the reader's preference. Absent on purpose: measures (see `metrics`) and drawing (see `chart`).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::chart::{self, Axis, Bar, Caption, Series, Tick, escape};
use super::text::{count, percent, usd, whole};
use crate::duration::human_s;
use crate::metrics::distribution::Distribution;
use crate::metrics::series::Slices;
use crate::metrics::utilization::{capacity, main_kind};
use crate::metrics::{Demands, population};
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::summary::Summary;
use crate::trace::Trace;

/// Teams with a colour of their own; the others are drawn as one.
const COLOURED: usize = 8;
/// The colour of everybody else.
const OTHERS: usize = COLOURED;
/// Slices of time in a chart.
const SLICES: usize = 240;
/// Points on a line of waits.
const POINTS: usize = 160;
/// Bars and rows of teams.
const TEAMS_SHOWN: usize = 40;

const STYLE: &str = include_str!("style.css");

/// What the page is about.
struct Page<'a> {
    setup: &'a Setup,
    trace: &'a Trace,
    record: &'a Record,
    summary: &'a Summary,
    /// Colour of each team, by the scheduler's number.
    colour: Vec<usize>,
}

/// The whole page.
#[must_use]
pub fn page(setup: &Setup, trace: &Trace, record: &Record, summary: &Summary) -> String {
    let page = Page { setup, trace, record, summary, colour: colours(summary) };
    let mut html = String::new();
    page.head(&mut html);
    page.headline(&mut html);
    page.teams(&mut html);
    page.allocation(&mut html);
    page.queue(&mut html);
    page.waits(&mut html);
    page.spending(&mut html);
    page.notes(&mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The teams that use most get the colours, in their own order.
fn colours(summary: &Summary) -> Vec<usize> {
    let teams = &summary.teams;
    let mut order: Vec<usize> = (0..teams.len()).collect();
    let size = |team: &usize| (teams[*team].gpu_hours, teams[*team].jobs);
    order.sort_by(|a, b| {
        let ((hours_a, jobs_a), (hours_b, jobs_b)) = (size(a), size(b));
        hours_b.total_cmp(&hours_a).then(jobs_b.cmp(&jobs_a)).then(a.cmp(b))
    });
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
        let digest = base64(&Sha256::digest(STYLE.as_bytes()));
        let policy = escape(&self.summary.policy);
        let _ = write!(
            html,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Simulation under {policy}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header><h1>Simulation under <em>{policy}</em></h1>\n"
        );
        let jobs = &self.summary.jobs;
        let mut line = format!("{} jobs of {} teams", count(jobs.submitted), self.summary.teams.len());
        let _ = write!(line, ", submitted over {}", human_s(self.summary.span_s));
        for (number, word) in
            [(jobs.failed, "failed"), (jobs.rejected, "rejected"), (jobs.unfinished, "unfinished")]
        {
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
            tiles.push(("cost", whole_usd(cost.total)));
            tiles.push(("of it idle", whole_usd(cost.idle)));
        }
        html.push_str("<dl class=\"tiles\">\n");
        for (name, value) in tiles {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
        }
        html.push_str("</dl>\n");
    }

    fn teams(&self, html: &mut String) {
        let priced = self.summary.cost_usd.is_some();
        html.push_str("<section><h2>Teams</h2>\n<table><thead><tr><th>team</th><th>weight</th><th>jobs</th>");
        html.push_str("<th>mean wait</th><th>median</th><th>p95</th><th>longest</th><th>GPU-hours</th>");
        html.push_str(if priced {
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
            if let Some(cost) = team.cost_usd {
                let _ = write!(html, "<td>{}</td>", usd(cost));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table>\n");
        self.more_teams(html);
        html.push_str("</section>\n");
    }

    fn more_teams(&self, html: &mut String) {
        if let Some(more) = self.summary.teams.len().checked_sub(TEAMS_SHOWN).filter(|more| *more > 0) {
            let _ = writeln!(html, "<p class=\"small\">and {more} more teams, in summary.json</p>");
        }
    }

    /// From the first submission to the last end, ms.
    fn window(&self) -> Option<(i64, i64)> {
        let (from, to) = (self.record.first_submit_ms(self.trace)?, self.record.last_end_ms()?);
        (to > from).then_some((from, to))
    }

    fn team_of(&self, row: usize) -> usize {
        self.setup.team_of[self.trace.jobs[row].team as usize].index()
    }

    fn allocation(&self, html: &mut String) {
        let Some((from, to)) = self.window() else { return };
        let demands = Demands::new(self.setup, self.trace);
        let pools = self.setup.config.pools.len();
        let mut slices = vec![vec![Slices::new(from, to, SLICES); COLOURED + 1]; pools];
        for stretch in self.record.stretches() {
            let kind = main_kind(&self.setup.config.pools[stretch.pool]);
            let amount = demands.of(self.trace, stretch.row, stretch.alternative)[kind].get();
            let colour = self.colour[self.team_of(stretch.row)];
            slices[stretch.pool][colour].add(stretch.start_ms, stretch.end_ms, amount);
        }
        html.push_str("<section><h2>Who holds what</h2>\n");
        self.legend(html);
        let time = time_axis(from, to);
        for (index, pool) in self.setup.config.pools.iter().enumerate() {
            let kind = main_kind(pool);
            let (scale, unit) = unit(self.setup, kind);
            #[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
            let whole = capacity(pool)[kind].get() as f64 / scale;
            let layers = self.layers(&slices[index], scale);
            let tips = Self::tips(&layers, &slices[index][0], from, unit);
            let used = self.summary.pools[index].utilization.get(self.setup.config.kinds.name(kind)).copied();
            let name = escape(&pool.name);
            let _ = writeln!(html, "<h3>{name} <small>{} of {whole} {unit} used</small></h3>", percent(used));
            let caption = Caption {
                id: format!("pool{index}"),
                title: format!("{unit} of {} held over time, by team", pool.name),
                description: format!("Stacked by team; the line is the capacity of {whole} {unit}."),
            };
            let y = Axis::from_zero(whole, unit);
            html.push_str(&chart::stacked(&caption, &time, &y, &layers, Some(whole), &tips));
        }
        html.push_str("</section>\n");
    }

    fn layers(&self, slices: &[Slices], scale: f64) -> Vec<Series> {
        let layer = |(colour, slices): (usize, &Slices)| Series {
            name: self.colour_name(colour),
            colour,
            values: slices.averages().into_iter().map(|value| value / scale).collect(),
        };
        let layers = slices.iter().enumerate().map(layer);
        layers.filter(|layer| layer.colour != OTHERS || self.colour.contains(&OTHERS)).collect()
    }

    fn colour_name(&self, colour: usize) -> String {
        if colour == OTHERS {
            return "all other teams".to_owned();
        }
        let team = self.colour.iter().position(|own| *own == colour);
        team.map_or(String::new(), |team| self.summary.teams[team].name.clone())
    }

    /// What each slice holds, largest first.
    fn tips(layers: &[Series], slices: &Slices, from: i64, unit: &str) -> Vec<String> {
        let tip = |index: usize| {
            let mut text = format!("after {}", human_ms(slices.boundary(index).abs_diff(from)));
            let mut held: Vec<(&Series, f64)> =
                layers.iter().map(|layer| (layer, layer.values[index])).collect();
            held.sort_by(|a, b| b.1.total_cmp(&a.1));
            for (layer, value) in held.into_iter().filter(|(_, value)| *value >= 0.05) {
                let _ = write!(text, "\n{}: {value:.1} {unit}", layer.name);
            }
            text
        };
        (0..SLICES).map(tip).collect()
    }

    fn legend(&self, html: &mut String) {
        html.push_str("<ul class=\"legend\">");
        let shown = COLOURED.min(self.summary.teams.len());
        let others = self.colour.contains(&OTHERS).then_some(OTHERS);
        for colour in (0..shown).chain(others) {
            let name = escape(&self.colour_name(colour));
            let _ = write!(html, "<li><i class=\"dot k{colour}\"></i>{name}</li>");
        }
        html.push_str("</ul>\n");
    }

    fn queue(&self, html: &mut String) {
        let Some((from, to)) = self.window() else { return };
        let mut slices = vec![Slices::new(from, to, SLICES); COLOURED + 1];
        let mut add =
            |row: usize, start: i64, end: i64| slices[self.colour[self.team_of(row)]].add(start, end, 1);
        for (row, outcome) in self.record.outcomes.iter().enumerate() {
            let submit = self.trace.jobs[row].submit_ms;
            match outcome.fate {
                Fate::Unseen | Fate::Rejected => {}
                // What an evicted job waited between its attempts is added below.
                _ if outcome.preemptions > 0 => {}
                Fate::Waiting => add(row, submit, self.record.end_ms),
                Fate::Running | Fate::Ended => add(row, submit, outcome.start_ms),
            }
        }
        for (row, start, end) in self.waits_of_evicted() {
            add(row, start, end);
        }
        let layers = self.layers(&slices, 1.0);
        let height = |index: usize| layers.iter().map(|layer| layer.values[index]).sum::<f64>();
        let most = (0..SLICES).map(height).fold(1.0, f64::max);
        let caption = Caption {
            id: "queue".to_owned(),
            title: "Waiting jobs over time, by team".to_owned(),
            description: format!("Stacked by team; at most {most:.0} jobs wait in any slice on average."),
        };
        let tips = Self::tips(&layers, &slices[0], from, "waiting");
        html.push_str("<section><h2>Who waits</h2>\n");
        let y = Axis::from_zero(most, "waiting jobs");
        html.push_str(&chart::stacked(&caption, &time_axis(from, to), &y, &layers, None, &tips));
        html.push_str("</section>\n");
    }

    /// The waiting of evicted jobs: until each of their attempts.
    fn waits_of_evicted(&self) -> Vec<(usize, i64, i64)> {
        let mut ends: Vec<(usize, i64, i64)> =
            self.record.lost.iter().map(|lost| (lost.row as usize, lost.start_ms, lost.end_ms)).collect();
        ends.sort_unstable();
        let mut waits = Vec::new();
        for (index, &(row, start, end)) in ends.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| ends[index]).filter(|before| before.0 == row);
            waits.push((row, before.map_or(self.trace.jobs[row].submit_ms, |before| before.2), start));
            let last = ends.get(index + 1).is_none_or(|after| after.0 != row);
            let outcome = &self.record.outcomes[row];
            if last {
                let until = if outcome.holds() { outcome.start_ms } else { self.record.end_ms };
                waits.push((row, end, until));
            }
        }
        waits
    }

    fn waits(&self, html: &mut String) {
        let rows = population::rows(self.trace, self.record, None);
        if rows.is_empty() {
            return;
        }
        let mut by_colour: Vec<Vec<u64>> = vec![Vec::new(); COLOURED + 1];
        for row in rows {
            let wait = self.record.outcomes[row as usize].wait_ms;
            by_colour[self.colour[self.team_of(row as usize)]].push(wait);
        }
        let most = by_colour.iter().flatten().copied().max().unwrap_or(0).max(10_000);
        let axis = log_axis(most);
        #[expect(clippy::cast_precision_loss, reason = "160 points")]
        let places: Vec<f64> = (0..=POINTS)
            .map(|index| axis.from + (axis.to - axis.from) * index as f64 / POINTS as f64)
            .collect();
        let mut lines = Vec::new();
        for (colour, waits) in by_colour.iter_mut().enumerate().filter(|(_, waits)| !waits.is_empty()) {
            waits.sort_unstable();
            let name = self.colour_name(colour);
            lines.push(Series {
                name,
                colour,
                values: places.iter().map(|place| below(waits, *place)).collect(),
            });
        }
        let percents = [0.0, 0.25, 0.5, 0.75, 1.0];
        let y = Axis {
            from: 0.0,
            to: 1.0,
            ticks: percents.map(|at| Tick { at, label: format!("{:.0} %", at * 100.0) }).to_vec(),
            label: "part of the jobs".to_owned(),
        };
        let caption = Caption {
            id: "waits".to_owned(),
            title: "Waits by team".to_owned(),
            description: "The part of each team's jobs that waited at most so long; further left is better."
                .to_owned(),
        };
        html.push_str("<section><h2>How long they wait</h2>\n");
        self.legend(html);
        html.push_str(&chart::lines(&caption, &axis, &y, &places, &lines));
        html.push_str("</section>\n");
    }

    fn spending(&self, html: &mut String) {
        let teams = &self.summary.teams;
        let priced = self.summary.cost_usd;
        let bar = |(index, team): (usize, &crate::summary::TeamSummary)| {
            let (length, label) = match team.cost_usd {
                Some(cost) => (cost, usd(cost)),
                None => (team.gpu_hours, format!("{:.0} GPU-hours", team.gpu_hours)),
            };
            Bar { name: team.name.clone(), parts: vec![(self.colour[index], length)], label }
        };
        let mut bars: Vec<Bar> = teams.iter().enumerate().take(TEAMS_SHOWN).map(bar).collect();
        if let Some(cost) = priced {
            bars.push(Bar {
                name: "idle".to_owned(),
                parts: vec![(OTHERS, cost.idle)],
                label: usd(cost.idle),
            });
        }
        if bars.iter().all(|bar| bar.parts.iter().all(|(_, length)| *length <= 0.0)) {
            return;
        }
        let title = if priced.is_some() { "What it costs, by team" } else { "GPU-hours by team" };
        let description = match priced {
            Some(cost) => format!("{} in all, {} of it idle.", usd(cost.total), usd(cost.idle)),
            None => "No pool has a price, so the bars are GPU-hours.".to_owned(),
        };
        let _ = writeln!(html, "<section><h2>{title}</h2>\n<p class=\"small\">{description}</p>");
        let caption = Caption { id: "cost".to_owned(), title: title.to_owned(), description };
        html.push_str(&chart::bars(&caption, &bars));
        self.more_teams(html);
        html.push_str("</section>\n");
    }

    fn notes(&self, html: &mut String) {
        let summary = self.summary;
        html.push_str("<section><h2>About these numbers</h2>\n");
        if !summary.warnings.is_empty() {
            html.push_str("<ul class=\"notes\">\n");
            for warning in &summary.warnings {
                let _ = writeln!(html, "<li>{}</li>", escape(warning));
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

/// The part of the sorted waits that are at most ten to the power `place`, in seconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a chart shows far fewer digits"
)]
fn below(waits: &[u64], place: f64) -> f64 {
    let limit = (libm::pow(10.0, place) * 1_000.0) as u64;
    waits.partition_point(|wait| *wait <= limit) as f64 / waits.len().max(1) as f64
}

/// One second to at least `most` ms, by powers of ten.
#[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
fn log_axis(most: u64) -> Axis {
    const MARKS: [(f64, &str); 9] = [
        (1.0, "1 s"),
        (10.0, "10 s"),
        (60.0, "1 min"),
        (600.0, "10 min"),
        (3_600.0, "1 h"),
        (21_600.0, "6 h"),
        (86_400.0, "1 d"),
        (604_800.0, "7 d"),
        (2_592_000.0, "30 d"),
    ];
    let to = libm::log10(most as f64 / 1_000.0);
    let ticks =
        MARKS.iter().map(|(seconds, label)| Tick { at: libm::log10(*seconds), label: (*label).to_owned() });
    let ticks = ticks.filter(|tick| tick.at <= to).collect();
    Axis { from: 0.0, to, ticks, label: "wait (logarithmic; shorter waits at the left edge)".to_owned() }
}

/// Time since the first submission, ms.
#[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
fn time_axis(from: i64, to: i64) -> Axis {
    const STEPS: [(u64, u64, &str); 12] = [
        (1_000, 1, "s"),
        (60_000, 1, "min"),
        (600_000, 10, "min"),
        (3_600_000, 1, "h"),
        (21_600_000, 6, "h"),
        (86_400_000, 1, "d"),
        (172_800_000, 2, "d"),
        (604_800_000, 7, "d"),
        (2_592_000_000, 30, "d"),
        (7_776_000_000, 90, "d"),
        (31_536_000_000, 365, "d"),
        (315_360_000_000, 3_650, "d"),
    ];
    let length = to.abs_diff(from);
    let (step, number, unit) =
        STEPS.into_iter().find(|(step, _, _)| length / step <= 14).unwrap_or(STEPS[STEPS.len() - 1]);
    let mut ticks = Vec::new();
    let mut index = 0;
    while index * step <= length && index < 100 {
        ticks.push(Tick { at: (index * step) as f64, label: format!("{} {unit}", index * number) });
        index += 1;
    }
    Axis { from: 0.0, to: length as f64, ticks, label: "time since the first submission".to_owned() }
}

/// Smallest units in a unit of a kind, and the unit's name.
fn unit(setup: &Setup, kind: fairshare::ResourceKind) -> (f64, &str) {
    match kind {
        fairshare::ResourceKind::GPU => (1_000.0, "GPUs"),
        fairshare::ResourceKind::CPU => (1_000.0, "CPUs"),
        kind if kind.is_bytes() => (f64::from(1 << 30), "GiB"),
        kind => (1_000.0, setup.config.kinds.name(kind)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn human_ms(millis: u64) -> String {
    human_s(millis as f64 / 1_000.0)
}

/// Dollars without cents.
fn whole_usd(value: f64) -> String {
    let text = usd(value);
    text.split('.').next().unwrap_or(&text).to_owned()
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
    fn base64_pads() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }
}
