//! Panels about jobs: how long they wait, how much longer they take by size, and what they cost.
//!
//! Absent on purpose: drawing (see `chart`) panels over time (see `over_time`) and single lives (see
//! `lives`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fairshare::ResourceKind;

use super::axes::{below, log_axis, part_axis, unit, wait_places};
use super::bill::Bill;
use super::chart::{self, Bar, Caption, Series, Stands};
use super::csv::field;
use super::html::{COLOURED, OTHERS, Page, TEAMS_SHOWN};
use super::over_time::{short, wait_table};
use super::text::{decimal, numbered, usd, usd_of_cents, whole};
use crate::metrics::distribution::Distribution;
use crate::metrics::{population, slowdown};
use crate::summary::TeamSummary;
use crate::trace::beside;

impl Page<'_> {
    pub(super) fn waits(&self, html: &mut String) {
        let rows = population::rows(self.trace, self.record, None);
        if rows.is_empty() {
            return;
        }
        let mut by_colour: Vec<Vec<u64>> = vec![Vec::new(); COLOURED + 1];
        for row in rows {
            let wait = self.record.wait_ms(self.trace, row as usize);
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
        html.push_str(&chart::lines(&caption, &axis, &part_axis(), &lines, Stands::End));
        html.push_str("</section>\n");
    }

    /// Bounded slowdowns by what a job asks, in classes that double.
    pub(super) fn slowdown(&self, html: &mut String) {
        let has = |kind: ResourceKind| self.setup.config.pools.iter().any(|pool| pool.node[kind].get() > 0);
        let kind = if has(ResourceKind::GPU) { ResourceKind::GPU } else { ResourceKind::CPU };
        let (_, unit) = unit(self.setup, kind);
        let mut classes: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        let through = population::rows(self.trace, self.record, None).into_iter();
        for row in through.filter(|row| self.record.ran_through(*row)) {
            let (job, outcome) = (&self.trace.jobs[row as usize], &self.record.outcomes[row as usize]);
            let demand = self.demands.of(
                self.trace,
                row as usize,
                usize::from(self.record.place(outcome).alternative),
            );
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
            let jobs = numbered(jobs as u64, "job");
            let label = format!("mean {average}, median {median}, p95 {high} ({jobs})");
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
        let bill = Bill::new(self.summary);
        let bar = |(index, team): (usize, &TeamSummary)| {
            let (length, label) = match team.cost_usd.zip(bill.as_ref()) {
                Some((cost, bill)) => (cost, usd_of_cents(bill.teams[index])),
                None => (team.gpu_hours, format!("{} GPU-hours", whole(team.gpu_hours))),
            };
            Bar { name: team.name.clone(), parts: vec![(self.colour[index], length)], label }
        };
        let mut bars: Vec<Bar> = teams.iter().enumerate().take(TEAMS_SHOWN).map(bar).collect();
        let is_team = |name: &str| teams.iter().any(|team| team.name == name);
        if let Some((cost, bill)) = priced.zip(bill.as_ref()) {
            for (name, value, cents) in
                [("idle", cost.idle, bill.idle), ("lost to evictions", cost.lost, bill.lost)]
            {
                let label = usd_of_cents(cents);
                bars.push(Bar { name: beside(name, is_team), parts: vec![(OTHERS, value)], label });
            }
        }
        if let Some(value) = self.summary.egress.as_ref().and_then(|egress| egress.usd) {
            bars.push(Bar {
                name: beside("egress", is_team),
                parts: vec![(OTHERS, value)],
                label: usd(value),
            });
        }
        if bars.iter().all(|bar| bar.parts.iter().all(|(_, length)| *length <= 0.0)) {
            return;
        }
        let title = if priced.is_some() { "What it costs, by team" } else { "GPU-hours by team" };
        let description = match &bill {
            Some(bill) => format!(
                "{} in all, {} of it idle; what evictions lost is within the teams' figures.",
                usd_of_cents(bill.total),
                usd_of_cents(bill.idle)
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
}
