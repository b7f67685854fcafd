//! Panels about jobs: how long they wait, how much longer they take by size, what they cost, and single lives.
//!
//! Absent on purpose: drawing (see `chart`) and panels over time (see `over_time`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fairshare::ResourceKind;

use super::axes::{below, log_axis, part_axis, time_axis, unit, wait_places};
use super::chart::{self, Axis, Bar, Caption, Series, Stretch, escape};
use super::csv::field;
use super::html::{COLOURED, OTHERS, Page, TEAMS_SHOWN};
use super::over_time::{short, wait_table};
use super::text::{count, decimal, usd};
use crate::metrics::distribution::Distribution;
use crate::metrics::{population, slowdown};
use crate::record::Fate;
use crate::summary::TeamSummary;

/// Jobs among the single lives.
const LIVES: usize = 500;

impl Page<'_> {
    pub(super) fn waits(&self, html: &mut String) {
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
        let places = wait_places(&axis);
        let mut lines = Vec::new();
        for (colour, waits) in by_colour.iter_mut().enumerate().filter(|(_, waits)| !waits.is_empty()) {
            waits.sort_unstable();
            let values = places.iter().map(|place| below(waits, *place)).collect();
            lines.push(Series { name: self.colour_name(colour), colour, values });
        }
        let caption = Caption {
            id: "waits".to_owned(),
            title: "Waits by team".to_owned(),
            description: "The part of each team's jobs that waited at most so long; further left is better."
                .to_owned(),
            table: wait_table(&places, &lines),
            zoom: "wait",
        };
        html.push_str("<section><h2>How long they wait</h2>\n");
        self.legend(html);
        html.push_str(&chart::lines(&caption, &axis, &part_axis(), &lines));
        html.push_str("</section>\n");
    }

    /// Bounded slowdowns by what a job asks, in classes that double.
    pub(super) fn slowdown(&self, html: &mut String) {
        let has = |kind: ResourceKind| self.setup.config.pools.iter().any(|pool| pool.node[kind].get() > 0);
        let kind = if has(ResourceKind::GPU) { ResourceKind::GPU } else { ResourceKind::CPU };
        let (_, unit) = unit(self.setup, kind);
        let mut classes: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for row in population::rows(self.trace, self.record, None) {
            let (job, outcome) = (&self.trace.jobs[row as usize], &self.record.outcomes[row as usize]);
            let demand = self.demands.of(self.trace, row as usize, usize::from(outcome.alternative));
            let asked = demand[kind].get().div_ceil(1_000);
            let class = if asked == 0 { 0 } else { asked.next_power_of_two() };
            let response = outcome.end_ms.abs_diff(job.submit_ms);
            classes.entry(class).or_default().push(slowdown::bounded(response, job.run_ms));
        }
        if classes.is_empty() {
            return;
        }
        let mut text = format!("{unit},jobs,mean,median,p95\n");
        let mut bars = Vec::new();
        for (class, values) in &mut classes {
            let name = match *class {
                0 => format!("no {unit}"),
                1 => "up to 1".to_owned(),
                2 => "2".to_owned(),
                class => format!("{} to {class}", class / 2 + 1),
            };
            let Distribution { mean, p50, p95, .. } = Distribution::of_numbers(values);
            let [mean, p50, p95] = [mean, p50, p95].map(|value| value.unwrap_or(0.0));
            let jobs = values.len();
            let _ = writeln!(text, "{name},{jobs},{},{},{}", short(mean), short(p50), short(p95));
            let [average, median, high] = [mean, p50, p95].map(decimal);
            let label = format!("mean {average}, median {median}, p95 {high} ({} jobs)", count(jobs as u64));
            bars.push(Bar {
                name: format!("{name} {unit}").replace(&format!("{unit} {unit}"), unit),
                parts: vec![(0, mean)],
                label,
            });
        }
        let caption = Caption {
            id: "slowdown".to_owned(),
            title: format!("Mean bounded slowdown by {unit} asked"),
            description:
                "How much longer a job took than its work, jobs below 10 s counted as 10 s; 1 is no wait."
                    .to_owned(),
            table: text,
            zoom: "",
        };
        let _ = writeln!(
            html,
            "<section><h2>Slowdown by size</h2>\n<p class=\"small\">{}</p>",
            caption.description
        );
        html.push_str(&chart::bars(&caption, &bars));
        html.push_str("</section>\n");
    }

    pub(super) fn spending(&self, html: &mut String) {
        let teams = &self.summary.teams;
        let priced = self.summary.cost_usd;
        let bar = |(index, team): (usize, &TeamSummary)| {
            let (length, label) = match team.cost_usd {
                Some(cost) => (cost, usd(cost)),
                None => (team.gpu_hours, format!("{:.0} GPU-hours", team.gpu_hours)),
            };
            Bar { name: team.name.clone(), parts: vec![(self.colour[index], length)], label }
        };
        let mut bars: Vec<Bar> = teams.iter().enumerate().take(TEAMS_SHOWN).map(bar).collect();
        if let Some(cost) = priced {
            for (name, value) in [("idle", cost.idle), ("lost to evictions", cost.lost)] {
                bars.push(Bar { name: name.to_owned(), parts: vec![(OTHERS, value)], label: usd(value) });
            }
        }
        if let Some(value) = self.summary.egress.as_ref().and_then(|egress| egress.usd) {
            bars.push(Bar { name: "egress".to_owned(), parts: vec![(OTHERS, value)], label: usd(value) });
        }
        if bars.iter().all(|bar| bar.parts.iter().all(|(_, length)| *length <= 0.0)) {
            return;
        }
        let title = if priced.is_some() { "What it costs, by team" } else { "GPU-hours by team" };
        let description = match priced {
            Some(cost) => format!(
                "{} in all, {} of it idle; what evictions lost is within the teams' figures.",
                usd(cost.total),
                usd(cost.idle)
            ),
            None => "No pool has a price, so the bars are GPU-hours.".to_owned(),
        };
        let mut text = if priced.is_some() { "who,usd\n" } else { "who,gpu_hours\n" }.to_owned();
        for bar in &bars {
            field(&mut text, &bar.name);
            let _ = writeln!(text, ",{}", bar.parts[0].1);
        }
        let _ = writeln!(html, "<section><h2>{title}</h2>\n<p class=\"small\">{description}</p>");
        let caption =
            Caption { id: "cost".to_owned(), title: title.to_owned(), description, table: text, zoom: "" };
        html.push_str(&chart::bars(&caption, &bars));
        self.more_teams(html);
        html.push_str("</section>\n");
    }

    /// The jobs around the job that waited longest.
    pub(super) fn lives(&self, html: &mut String) {
        let outcomes = &self.record.outcomes;
        let longest = (0..outcomes.len()).max_by_key(|row| (outcomes[*row].wait_ms, std::cmp::Reverse(*row)));
        let Some(longest) = longest else { return };
        let first = longest.saturating_sub(LIVES / 2).min(outcomes.len().saturating_sub(LIVES));
        let last = (first + LIVES).min(outcomes.len());
        let rows = first..last;
        let mut attempts: Vec<(usize, i64, i64, Option<crate::observer::Cause>)> = Vec::new();
        for lost in self.record.lost.iter().filter(|lost| rows.contains(&(lost.row as usize))) {
            attempts.push((lost.row as usize, lost.start_ms, lost.end_ms, Some(lost.cause)));
        }
        for row in rows.clone().filter(|row| outcomes[*row].holds()) {
            let outcome = &outcomes[row];
            let end = if outcome.fate == Fate::Running { self.record.end_ms } else { outcome.end_ms };
            attempts.push((row, outcome.start_ms, end, None));
        }
        attempts.sort_unstable_by_key(|(row, start, ..)| (*row, *start));
        let from = self.trace.jobs[first].submit_ms;
        let Some(to) = attempts.iter().map(|(_, _, end, _)| *end).max().filter(|to| *to > from) else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
        let after = |at: i64| (at - from) as f64;
        let mut text = "job,team,waits_from_s,start_s,end_s,pool,ends,for_job\n".to_owned();
        let mut stretches = Vec::new();
        for (index, &(row, start, end, cause)) in attempts.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| attempts[index]).filter(|before| before.0 == row);
            let wait = before.map_or(self.trace.jobs[row].submit_ms, |before| before.2);
            let by = cause.and_then(|cause| cause.by).map(|by| by as usize);
            self.life_row(row, [wait, start, end].map(|at| at.abs_diff(from)), cause, &mut text);
            let by = by.filter(|by| rows.contains(by)).map(|by| by - first);
            let colour = self.colour[self.team_of(row)];
            let [wait, start, end] = [wait, start, end].map(after);
            stretches.push(Stretch { row: row - first, colour, wait, start, end, cut: cause.is_some(), by });
        }
        let caption = Caption {
            id: "lives".to_owned(),
            title: format!("{} jobs around the one that waited longest", count((last - first) as u64)),
            description: "A row for each job in order of submission: a thin line while it waits, a bar while it runs. \
                          A bar that ends in a mark was evicted; the dashed line leads to the job it made way for."
                .to_owned(),
            table: text,
            zoom: "lives",
        };
        let _ = writeln!(html, "<section><h2>{}</h2>", escape(&caption.title));
        self.legend(html);
        let _ = writeln!(html, "<p class=\"small\">{}</p>", caption.description);
        let axis =
            Axis { label: "time since the first of these submissions".to_owned(), ..time_axis(from, to) };
        html.push_str(&chart::gantt(&caption, &axis, last - first, &stretches));
        html.push_str("</section>\n");
    }

    fn life_row(
        &self,
        row: usize,
        times: [u64; 3],
        cause: Option<crate::observer::Cause>,
        text: &mut String,
    ) {
        field(text, &self.trace.names.get(row).to_string());
        text.push(',');
        field(text, &self.summary.teams[self.team_of(row)].name);
        for time in times {
            let _ = write!(text, ",{}", fairshare::Millis::new(time));
        }
        text.push(',');
        // An earlier attempt may have been elsewhere; the file of decisions says where.
        let pool = if cause.is_none() { Some(self.record.outcomes[row].pool as usize) } else { None };
        field(text, pool.map_or("", |pool| self.setup.config.pools[pool].name.as_str()));
        let _ = write!(text, ",{},", cause.map_or("ended", |cause| cause.reason.as_str()));
        if let Some(by) = cause.and_then(|cause| cause.by) {
            field(text, &self.trace.names.get(by as usize).to_string());
        }
        text.push('\n');
    }
}
