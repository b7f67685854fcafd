//! A comparison as a page: figures with their differences and intervals, waits by policy, and who pays for what.
//!
//! One file that fetches nothing, as the page of a run; colours stand for policies instead of teams. Absent on purpose:
//! what is compared (see `compare`), drawing (see `chart`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::axes::{below, log_axis, part_axis, wait_places};
use super::chart::{self, Axis, Bar, Caption, Point, Series, Stands, escape};
use super::comparison::{paired, shown, signed, verdict, without_a_wait};
use super::csv::field;
use super::html::{self, COLOURED};
use super::over_time::{short, wait_table};
use super::picture::picture;
use super::text::{by_kind, numbered};
use crate::compare::{Comparison, Difference, FigureDifference, Interval, Runs, of_run};
use crate::duration::human_s;
use crate::metrics::distribution::Distribution;
use crate::metrics::population;
use crate::record::Fate;

/// Teams with a chart of their own: those that held most.
const TEAMS: usize = 6;
/// Teams among the bars.
const TEAMS_BARRED: usize = 30;

/// The page, and its pictures by name of file.
#[derive(Debug)]
pub struct Versus {
    /// `report.html`.
    pub page: String,
    /// Pictures: name and content.
    pub pictures: BTreeMap<String, String>,
}

/// Whether a file has the name of a picture of a comparison.
pub(super) fn is_picture(name: &str) -> bool {
    let of_team = |name: &str| name.strip_prefix("waits-").is_some_and(|place| place.parse::<u8>().is_ok());
    name.strip_suffix(".svg").is_some_and(|name| matches!(name, "waits" | "teams" | "front") || of_team(name))
}

/// A mean paired difference: what a person reads, the figure whose unit it has, and where it is found.
type Paired = (&'static str, &'static str, fn(&Difference) -> Interval);

/// The ends of an interval and what they say, below a difference; nothing where there are none.
fn ends(name: &str, interval: &Interval) -> String {
    let Some((low, high)) = interval.low.zip(interval.high) else { return String::new() };
    let word = verdict(interval.verdict, name.contains("_s."));
    format!("<br><small>{} to {}: {word}</small>", signed(name, low), signed(name, high))
}

/// How many jobs the differences are of, and which jobs have no wait at all.
fn populations(comparison: &Comparison, html: &mut String) {
    html.push_str("<ul class=\"notes\">\n");
    for difference in &comparison.differences {
        let (policy, pairs) = (escape(&difference.policy), paired(comparison, difference));
        let _ = writeln!(html, "<li>{policy}: {pairs}, those that ended under both</li>");
    }
    for run in &comparison.policies {
        if let Some(parts) = without_a_wait(&run.jobs) {
            let _ = writeln!(html, "<li>{}: {parts}: in none of its waits</li>", escape(&run.policy));
        }
    }
    html.push_str("</ul>\n");
}

struct Page<'a> {
    comparison: &'a Comparison,
    runs: &'a Runs<'a>,
    html: String,
    pictures: BTreeMap<String, String>,
}

/// Draws a comparison.
#[must_use]
pub fn page(comparison: &Comparison, runs: &Runs<'_>) -> Versus {
    let names: Vec<&str> = comparison.policies.iter().map(|run| run.policy.as_str()).collect();
    let title = format!("{} policies on the same jobs", names.len());
    let mut page = Page { comparison, runs, html: html::open(&title, &title), pictures: BTreeMap::new() };
    let jobs = comparison.policies.first().map_or(0, |run| run.jobs.submitted);
    let line = format!("{} under {}", numbered(jobs, "job"), names.join(", "));
    let _ = writeln!(page.html, "<p>{}</p></header>", escape(&line));
    if comparison.incomplete {
        page.html.push_str("<p class=\"warn\">It was interrupted: everything here is partial.</p>\n");
    }
    page.figures();
    page.waits();
    page.teams();
    page.front();
    page.notes();
    html::close(&mut page.html);
    Versus { page: page.html, pictures: page.pictures }
}

impl Page<'_> {
    /// Names and colours of the policies; from the ninth on they share one.
    fn names(&self) -> Vec<(String, usize)> {
        let policies = self.comparison.policies.iter().enumerate();
        policies.map(|(index, run)| (run.policy.clone(), index.min(COLOURED))).collect()
    }

    fn legend(&mut self) {
        self.html.push_str("<ul class=\"legend\">");
        let names = self.names();
        let shown = if names.len() > COLOURED {
            let others: Vec<&str> = names[COLOURED..].iter().map(|(name, _)| name.as_str()).collect();
            let others = (others.join("; "), COLOURED);
            names.iter().take(COLOURED).cloned().chain([others]).collect()
        } else {
            names
        };
        for (name, colour) in shown {
            let _ = write!(
                self.html,
                "<li><button type=\"button\" class=\"key\" data-k=\"{colour}\" aria-pressed=\"false\">\
                 <i class=\"dot k{colour}\"></i>{}</button></li>",
                escape(&name)
            );
        }
        self.html.push_str("</ul>\n");
    }

    /// Says how many teams are not among the drawn ones.
    fn left_out(&mut self, teams: usize, why: &str) {
        if teams > 0 {
            let more = numbered(teams as u64, "more team");
            let _ = writeln!(self.html, "<p class=\"small\">and {more}: {why}</p>");
        }
    }

    /// The beginning of a section of one chart.
    fn begin(&mut self, caption: &Caption) {
        let Caption { title, description, .. } = caption;
        let _ = writeln!(self.html, "<section><h2>{title}</h2>\n<p class=\"small\">{description}</p>");
        self.legend();
    }

    fn draw(&mut self, chart: &str, file: &str, title: &str) {
        if let Some(picture) = picture(chart, title, &self.names()) {
            self.pictures.insert(format!("{file}.svg"), picture);
        }
        self.html.push_str(chart);
    }

    /// Every figure under the baseline, and what each other policy changes of it.
    fn figures(&mut self) {
        let comparison = self.comparison;
        let Some(first) = comparison.differences.first() else { return };
        let html = &mut self.html;
        let _ = write!(
            html,
            "<section><h2>Figures, and differences to {0}</h2>\n<table><thead><tr><th>figure</th><th>{0}</th>",
            escape(&comparison.baseline)
        );
        for difference in &comparison.differences {
            let _ = write!(html, "<th>{}</th>", escape(&difference.policy));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        let paired: [Paired; 2] = [
            ("wait per job, paired", "wait_s.mean", |one| one.wait_s),
            ("slowdown per job, paired", "bounded_slowdown.mean", |one| one.bounded_slowdown),
        ];
        for (label, name, value) in paired {
            let _ = write!(html, "<tr><th scope=\"row\">{label}</th><td></td>");
            for difference in &comparison.differences {
                let interval = value(difference);
                let mean = interval.mean.map_or("\u{2013}".to_owned(), |mean| signed(name, mean));
                let _ = write!(html, "<td>{mean}{}</td>", ends(name, &interval));
            }
            html.push_str("</tr>\n");
        }
        let whole: Vec<Vec<Option<f64>>> =
            self.runs.runs.iter().map(|(summary, _)| of_run(summary).collect()).collect();
        let base = &whole[self.runs.baseline];
        let others = || whole.iter().enumerate().filter(|(index, _)| *index != self.runs.baseline);
        for (number, figure) in first.figures.iter().enumerate() {
            if whole.iter().all(|figures| figures[number].is_none()) {
                continue;
            }
            let name = figure.figure;
            let plain = |value: Option<f64>| value.map_or("–".to_owned(), |value| shown(name, value));
            let label = name.replace("_s.", " ").replace("_usd.", " ").replace(['.', '_'], " ");
            let _ = write!(html, "<tr><th scope=\"row\">{label}</th><td>{}</td>", plain(base[number]));
            for (difference, (_, own)) in comparison.differences.iter().zip(others()) {
                let figure = &difference.figures[number];
                let _ = write!(html, "<td>{}", plain(own[number]));
                if let Some(apart) = figure.difference {
                    // Where not all jobs have a pair, what is above is of other jobs than the difference.
                    let alike = figure.value == own[number] && figure.baseline == base[number];
                    let jobs = figure.jobs.filter(|_| !alike);
                    let of = jobs.map_or(String::new(), |jobs| format!(" over {}", numbered(jobs, "job")));
                    let _ = write!(html, "<br><small>{}{of}</small>", signed(name, apart));
                }
                let FigureDifference { difference: mean, low, high, verdict, .. } = *figure;
                html.push_str(&ends(name, &Interval { mean, low, high, jobs: 0, verdict }));
                html.push_str("</td>");
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table>\n");
        populations(comparison, html);
        let how = if comparison.replicas > 0 {
            let block = comparison.block_s.map_or(String::new(), human_s);
            format!(
                "95 % intervals from {} of the trace, made of blocks of {block}; undecided where the interval holds zero.",
                numbered(comparison.replicas, "bootstrap replica")
            )
        } else {
            "95 % intervals by batch means. Intervals for the other figures take replicas of the trace (--replicas N)."
                .to_owned()
        };
        let _ = writeln!(html, "<p class=\"small\">{how}</p></section>");
    }

    /// The part of jobs that waited at most so long, of all jobs and of the largest teams.
    fn waits(&mut self) {
        let teams = self.comparison.policies.first().map_or(&[][..], |run| &run.teams);
        let mut largest = html::by_use(teams.iter().map(|team| (team.gpu_hours, team.share_mean, team.jobs)));
        largest.retain(|team| teams[*team].jobs > 0);
        let left = if teams.len() > 1 { largest.len().saturating_sub(TEAMS) } else { 0 };
        largest.truncate(if teams.len() > 1 { TEAMS } else { 0 });
        let names: Vec<String> = largest.iter().map(|team| teams[*team].name.clone()).collect();
        self.html.push_str("<section><h2>How long they wait</h2>\n");
        self.legend();
        self.ecdf(None, "waits", "Waits of all jobs");
        for (place, (team, name)) in largest.into_iter().zip(names).enumerate() {
            let _ = writeln!(self.html, "<h3>{}</h3>", escape(&name));
            self.ecdf(Some(team), &format!("waits-{place}"), &format!("Waits of {name}"));
        }
        self.left_out(left, &format!("the {TEAMS} that held most are drawn; all are in compare.json"));
        self.html.push_str("</section>\n");
    }

    fn ecdf(&mut self, team: Option<usize>, id: &str, title: &str) {
        let runs = self.runs;
        let mut waits: Vec<Vec<u64>> = Vec::new();
        for (_, record) in &runs.runs {
            let rows = population::rows(runs.trace, record, runs.trim).into_iter().filter(|row| {
                let of = runs.team_of[runs.trace.jobs[*row as usize].team as usize].index();
                team.is_none_or(|team| team == of)
            });
            let mut of_run: Vec<u64> = rows.map(|row| record.wait_ms(runs.trace, row as usize)).collect();
            of_run.sort_unstable();
            waits.push(of_run);
        }
        // One axis for all, so that they can be compared, and zoomed together.
        let ended = runs.runs.iter().flat_map(|(_, record)| {
            let ended = (0..record.outcomes.len()).filter(|row| record.outcomes[*row].fate == Fate::Ended);
            ended.map(|row| record.wait_ms(runs.trace, row))
        });
        let axis = log_axis(ended.max().unwrap_or(0).max(10_000));
        let places = wait_places(&axis);
        let line = |((name, colour), waits): ((String, usize), &Vec<u64>)| Series {
            name,
            colour,
            values: places.iter().map(|place| below(waits, *place)).collect(),
        };
        let lines: Vec<Series> = self.names().into_iter().zip(&waits).map(line).collect();
        let caption = Caption {
            id: id.to_owned(),
            title: title.to_owned(),
            description:
                "The part of the jobs that waited at most so long, by policy; further left is better."
                    .to_owned(),
            table: wait_table(&places, &lines),
            zoom: "wait",
        };
        self.draw(&chart::lines(&caption, &axis, &part_axis(), &lines, Stands::End), id, title);
    }

    /// Mean waits of every team under every policy.
    fn teams(&mut self) {
        let policies = &self.comparison.policies;
        let Some(first) = policies.first().filter(|first| first.teams.len() > 1) else { return };
        let mut text = "team,policy,wait_mean_s,jobs\n".to_owned();
        let mut bars = Vec::new();
        let shown = first.teams.iter().enumerate().filter(|(_, team)| team.jobs > 0).take(TEAMS_BARRED);
        for (index, team) in shown {
            for (number, (name, colour)) in self.names().into_iter().enumerate() {
                let waits = policies[number].teams[index].wait_s;
                let mean = waits.mean.unwrap_or(0.0);
                field(&mut text, &team.name);
                text.push(',');
                field(&mut text, &name);
                let _ = writeln!(text, ",{},{}", short(mean), waits.count);
                let label = format!("{} under {name} ({})", human_s(mean), numbered(waits.count, "job"));
                let name = if number == 0 { team.name.clone() } else { String::new() };
                bars.push(Bar { name, parts: vec![(colour, mean)], label });
            }
        }
        let title = "Mean wait of every team";
        let caption = Caption {
            id: "teams".to_owned(),
            title: title.to_owned(),
            description: "A bar for each policy, in its colour: who waits less, and who pays for it."
                .to_owned(),
            table: text,
            zoom: "",
        };
        self.begin(&caption);
        self.draw(&chart::bars(&caption, &bars), "teams", title);
        let with_jobs = first.teams.iter().filter(|team| team.jobs > 0).count();
        self.left_out(with_jobs.saturating_sub(TEAMS_BARRED), "all are in compare.json");
        self.html.push_str("</section>\n");
    }

    /// Mean wait against evenness; nobody beats those on the front in both.
    fn front(&mut self) {
        let names = self.names();
        let jain = |index: usize| self.comparison.policies[index].fairness?.jain;
        // An interrupted policy has seen other jobs; of those that one rejected, nobody's wait counts.
        let whole = |index: &usize| !self.comparison.policies[*index].incomplete && jain(*index).is_some();
        let whole: Vec<usize> = (0..names.len()).filter(whole).collect();
        let rows = self.runs.common(&whole);
        let wait = |index: usize| {
            let record = &self.runs.runs[index].1;
            let wait = |row: &u32| record.wait_ms(self.runs.trace, *row as usize);
            let mut waits: Vec<u64> = rows.iter().map(wait).collect();
            Distribution::of_millis(&mut waits).mean
        };
        let place = |index: usize| Some((index, (wait(index)?, jain(index)?)));
        let places: Vec<(usize, (f64, f64))> = whole.iter().filter_map(|index| place(*index)).collect();
        if places.len() < 2 {
            return;
        }
        let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 >= b.1 && (a.0 < b.0 || a.1 > b.1);
        let mut text = "policy,wait_mean_s,jain,on_front\n".to_owned();
        let mut points = Vec::new();
        for &(index, at) in &places {
            let front = !places.iter().any(|(_, other)| beats(*other, at));
            let (name, colour) = names[index].clone();
            field(&mut text, &name);
            let _ = writeln!(text, ",{},{},{front}", short(at.0), short(at.1));
            points.push(Point { name, colour, x: at.0 / 3_600.0, y: at.1, front });
        }
        let most = points.iter().map(|point| point.x).fold(0.0, f64::max);
        // Points at the ends of an axis are drawn whole.
        let roomy = |axis: Axis| Axis { from: -0.02 * axis.to, to: 1.06 * axis.to, ..axis };
        let x = roomy(Axis::from_zero(most * 1.05, "mean wait, hours"));
        let y = roomy(Axis::from_zero(1.0, "Jain's index of share over weight"));
        let title = "Mean wait against evenness";
        let caption = Caption {
            id: "front".to_owned(),
            title: title.to_owned(),
            description: format!(
                "Further left jobs wait less, further up teams hold more equal parts for their weights. Full points are on \
                 the Pareto front: no other policy is at least as good in both. Waits are of the {} that ended under all of \
                 them.",
                numbered(rows.len() as u64, "job")
            ),
            table: text,
            zoom: "",
        };
        self.begin(&caption);
        self.draw(&chart::scatter(&caption, &x, &y, &points), "front", title);
        self.html.push_str("</section>\n");
    }

    fn notes(&mut self) {
        let comparison = self.comparison;
        let html = &mut self.html;
        html.push_str("<section><h2>About these numbers</h2>\n<ul class=\"notes\">\n");
        for warning in by_kind(&comparison.warnings, Some("all of them in compare.json")) {
            let _ = writeln!(html, "<li>{}</li>", escape(&warning));
        }
        let provenance = &comparison.provenance;
        let _ = writeln!(
            html,
            "</ul>\n<p class=\"small\">Differences are a policy's figure less that of {}. sim {}, seed {}</p></section>",
            escape(&comparison.baseline),
            escape(provenance.version),
            provenance.seed
        );
    }
}
