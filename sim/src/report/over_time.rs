//! Panels over time: what is held, how busy the pools are, who holds which share, who waits.
//!
//! Every value is the average over one of equal slices of time, so that areas are what was held or waited. Shares are the
//! means of the instants in a slice, as in `series.csv` and the summary. Absent on purpose: drawing (see `chart`) and panels
//! about jobs (see `by_job`).

use std::fmt::Write as _;

use fairshare::ResourceKind;

use super::axes::{time_axis, unit};
use super::chart::{self, Axis, Caption, Series, Stands, escape};
use super::csv::field;
use super::html::{COLOURED, OTHERS, Page};
use super::series::up;
use super::text::{numbered, percent, whole as rounded};
use crate::metrics::queue::waits;
use crate::metrics::series::Slices;
use crate::metrics::shares::{evenness, in_slices, over_weights};
use crate::metrics::utilization::{capacity, main_kind};

/// Slices of time in a chart.
pub(super) const SLICES: usize = 240;
/// Slices of time in the table of colours.
const COLUMNS: usize = 80;
/// Pools with a panel of their own.
const POOLS_SHOWN: usize = 30;
/// Slices in the panels of all pools together, and the fewest in one: a page with many pools stays as small as others.
const SLICES_OF_POOLS: usize = 720;
const SLICES_LEAST: usize = 24;
/// Pools in the table of colours.
const POOLS_HEATED: usize = 20;
/// Most teams for which shares are drawn; beyond it the table would be larger than the page.
const TEAMS_SHARED: usize = 2_000;

/// A number without digits that nobody reads.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The table of lines of waits: a row for each place on their axis.
pub(super) fn wait_table(places: &[f64], lines: &[Series]) -> String {
    let seconds: Vec<String> = places.iter().map(|place| short(libm::pow(10.0, *place))).collect();
    table("at_most_s", &seconds, lines)
}

/// Slices of time in the panel of each of so many pools.
fn slices_of_each(pools: usize) -> usize {
    (SLICES_OF_POOLS / pools.max(1)).clamp(SLICES_LEAST, SLICES)
}

/// CSV: a column of places, then one for each series.
pub(super) fn table(first: &str, places: &[String], series: &[Series]) -> String {
    let mut text = first.to_owned();
    for one in series {
        text.push(',');
        field(&mut text, &one.name);
    }
    text.push('\n');
    for (index, place) in places.iter().enumerate() {
        text.push_str(place);
        for one in series {
            let _ = write!(text, ",{}", short(one.values[index]));
        }
        text.push('\n');
    }
    text
}

/// Seconds from the start to each slice.
fn starts(slices: &Slices, count: usize, from: i64) -> Vec<String> {
    let start = |index: usize| fairshare::Millis::new(slices.boundary(index).abs_diff(from)).to_string();
    (0..count).map(start).collect()
}

impl Page<'_> {
    /// From the first submission to the last end, ms.
    pub(super) fn window(&self) -> Option<(i64, i64)> {
        self.record.window(self.trace).filter(|(from, to)| to > from)
    }

    pub(super) fn team_of(&self, row: usize) -> usize {
        self.setup.team_of[self.trace.jobs[row].team as usize].index()
    }

    pub(super) fn layers(&self, slices: &[Slices], scale: f64) -> Vec<Series> {
        let layer = |(colour, slices): (usize, &Slices)| Series {
            name: self.colour_name(colour),
            colour,
            values: slices.averages().into_iter().map(|value| value / scale).collect(),
        };
        // Where there are fewer teams than colours, the others are nobody's.
        let layers = slices.iter().enumerate().filter(|(colour, _)| self.colour.contains(colour));
        layers.map(layer).collect()
    }

    pub(super) fn colour_name(&self, colour: usize) -> String {
        if colour == OTHERS {
            return "all other teams".to_owned();
        }
        let team = self.colour.iter().position(|own| *own == colour);
        team.map_or(String::new(), |team| self.summary.teams[team].name.clone())
    }

    pub(super) fn legend(&self, html: &mut String) {
        html.push_str("<ul class=\"legend\">");
        let shown = COLOURED.min(self.summary.teams.len());
        let others = self.colour.contains(&OTHERS).then_some(OTHERS);
        for colour in (0..shown).chain(others) {
            let name = escape(&self.colour_name(colour));
            let _ = write!(
                html,
                "<li><button type=\"button\" class=\"key\" data-k=\"{colour}\" aria-pressed=\"false\">\
                 <i class=\"dot k{colour}\"></i>{name}</button></li>"
            );
        }
        html.push_str("</ul>\n");
    }

    pub(super) fn allocation(&self, html: &mut String) {
        let Some((from, to)) = self.window() else { return };
        let pools = self.setup.config.pools.len();
        let count = slices_of_each(pools.min(POOLS_SHOWN));
        let empty = Slices::new(from, to, count);
        let mut slices = vec![vec![empty.clone(); COLOURED + 1]; pools.min(POOLS_SHOWN)];
        for stretch in self.record.stretches().filter(|stretch| stretch.pool < POOLS_SHOWN) {
            let kind = main_kind(&self.setup.config.pools[stretch.pool]);
            let amount = self.demands.of(self.trace, stretch.row, stretch.alternative)[kind].get();
            let colour = self.colour[self.team_of(stretch.row)];
            slices[stretch.pool][colour].add(stretch.start_ms, stretch.end_ms, amount);
        }
        html.push_str("<section><h2>Who holds what</h2>\n");
        self.legend(html);
        if count < SLICES {
            let _ = writeln!(html, "<p class=\"small\">Averages over {count} slices of time.</p>");
        }
        let time = time_axis(from, to);
        for (index, pool) in self.setup.config.pools.iter().enumerate().take(POOLS_SHOWN) {
            let kind = main_kind(pool);
            let (scale, unit) = unit(self.setup, kind);
            #[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
            let whole = capacity(pool)[kind].get() as f64 / scale;
            let layers = self.layers(&slices[index], scale);
            let limit: Vec<f64> = up(self.setup, index, kind, &empty).map(|up| up / scale).collect();
            let moves = limit.iter().any(|up| (up - limit[0]).abs() > 0.0);
            let limit = if moves { &limit[..] } else { &limit[..1] };
            let of = if moves { "of at most " } else { "of " };
            let used = self.summary.pools[index].utilization.get(self.setup.config.kinds.name(kind)).copied();
            let name = escape(&pool.name);
            let _ = writeln!(
                html,
                "<h3>{name} <small>{} {of}{} {unit} used</small></h3>",
                percent(used),
                rounded(whole)
            );
            let caption = Caption {
                id: format!("pool{index}"),
                title: format!("{unit} of {} held over time, by team", pool.name),
                description: format!(
                    "Stacked by team; the line is the capacity {of}{} {unit}.",
                    rounded(whole)
                ),
                table: table("after_s", &starts(&empty, count, from), &layers),
                zoom: "time",
            };
            let y = Axis::from_zero(whole, unit);
            html.push_str(&chart::stacked(&caption, &time, &y, &layers, limit));
        }
        if pools > POOLS_SHOWN {
            let more = numbered((pools - POOLS_SHOWN) as u64, "more pool");
            let _ = writeln!(html, "<p class=\"small\">and {more}, in series.csv</p>");
        }
        html.push_str("</section>\n");
    }

    /// How busy each pool is.
    pub(super) fn busy(&self, html: &mut String) {
        let Some((from, to)) = self.window() else { return };
        let pools = &self.setup.config.pools[..self.setup.config.pools.len().min(POOLS_HEATED)];
        let mut slices = vec![Slices::new(from, to, COLUMNS); pools.len()];
        for stretch in self.record.stretches().filter(|stretch| stretch.pool < pools.len()) {
            let kind = main_kind(&pools[stretch.pool]);
            let amount = self.demands.of(self.trace, stretch.row, stretch.alternative)[kind].get();
            slices[stretch.pool].add(stretch.start_ms, stretch.end_ms, amount);
        }
        let starts = starts(&slices[0], COLUMNS, from);
        let mut rows = Vec::new();
        let mut text = "after_s,pool,utilization\n".to_owned();
        let empty = Slices::new(from, to, COLUMNS);
        for (index, (pool, slices)) in pools.iter().zip(&slices).enumerate() {
            let whole = up(self.setup, index, main_kind(pool), &empty);
            let held = slices.averages().into_iter();
            let cells: Vec<f64> = held.zip(whole).map(|(held, whole)| held / whole.max(1.0)).collect();
            for (start, cell) in starts.iter().zip(&cells) {
                let _ = write!(text, "{start},");
                field(&mut text, &pool.name);
                let _ = writeln!(text, ",{}", short(*cell));
            }
            rows.push((pool.name.clone(), cells));
        }
        let caption = Caption {
            id: "busy".to_owned(),
            title: "Utilization of each pool over time".to_owned(),
            description:
                "A row for each pool: the part of its GPUs that jobs hold, of its CPUs where it has none."
                    .to_owned(),
            table: text,
            zoom: "time",
        };
        let _ = writeln!(
            html,
            "<section><h2>How busy the pools are</h2>\n<p class=\"small scale\">{} <i class=\"h0\"></i>\u{a0}none, \
             <i class=\"h1\"></i>\u{a0}half, <i></i>\u{a0}all</p>",
            caption.description
        );
        html.push_str(&chart::heat(&caption, &time_axis(from, to), &rows));
        html.push_str("</section>\n");
    }

    /// Each team's share of the whole, and how even the shares are.
    pub(super) fn shares(&self, html: &mut String) {
        let teams = self.setup.config.teams.len();
        let Some((from, to)) = self.window().filter(|_| teams <= TEAMS_SHARED) else { return };
        let Some(held) = &self.shares.held else { return };
        let shares = in_slices(held, SLICES);
        let weighted = over_weights(self.setup, &shares);
        let mut lines = self.lines(&shares);
        let even = evenness(self.setup, self.trace, self.record, &weighted);
        lines.push(Series { name: "Jain".to_owned(), colour: 9, values: even });
        let caption = Caption {
            id: "shares".to_owned(),
            title: "Share of the whole by team, and Jain's index".to_owned(),
            description:
                "The largest share of any resource that each team holds; the dotted line is Jain's index of \
                          share over weight, 1 where all are equal."
                    .to_owned(),
            table: table("after_s", &starts(&Slices::new(from, to, SLICES), SLICES, from), &lines),
            zoom: "time",
        };
        html.push_str("<section><h2>Who holds which share</h2>\n");
        self.legend(html);
        let _ = writeln!(html, "<p class=\"small\">{}</p>", escape(&caption.description));
        let y = Axis::from_zero(1.0, "share of the whole (1 = all)");
        html.push_str(&chart::lines(&caption, &time_axis(from, to), &y, &lines, Stands::Middle));
        self.weighted((from, to), &weighted, html);
        self.entitled((from, to), &y, html);
        html.push_str("</section>\n");
    }

    /// A line for each team with a colour.
    fn lines(&self, by_team: &[Vec<f64>]) -> Vec<Series> {
        let line = |colour: usize| {
            let team = self.colour.iter().position(|own| *own == colour)?;
            Some(Series { name: self.colour_name(colour), colour, values: by_team[team].clone() })
        };
        (0..COLOURED).filter_map(line).collect()
    }

    /// Each team's share over its weight, which the policies even out; where all weights are one and the same, the shares
    /// above say it.
    fn weighted(&self, (from, to): (i64, i64), weighted: &[Vec<f64>], html: &mut String) {
        if self.setup.config.teams.windows(2).all(|pair| pair[0].weight == pair[1].weight) {
            return;
        }
        let lines = self.lines(weighted);
        let caption = Caption {
            id: "weighted".to_owned(),
            title: "Share over weight by team".to_owned(),
            description: "What each team holds for a unit of its weight: teams that are served alike for their weights \
                          have the same."
                .to_owned(),
            table: table("after_s", &starts(&Slices::new(from, to, SLICES), SLICES, from), &lines),
            zoom: "time",
        };
        let most = lines.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max);
        let _ = writeln!(
            html,
            "<h3>Shares over weights</h3>\n<p class=\"small\">{}</p>",
            escape(&caption.description)
        );
        let y = Axis::from_zero(most, "share over weight");
        html.push_str(&chart::lines(&caption, &time_axis(from, to), &y, &lines, Stands::Middle));
    }

    /// What every team was entitled to, on the axes of the shares above it.
    fn entitled(&self, (from, to): (i64, i64), y: &Axis, html: &mut String) {
        let Some(entitled) = &self.shares.entitled else { return };
        let lines = self.lines(&in_slices(&entitled.points, SLICES));
        let caption = Caption {
            id: "entitled".to_owned(),
            title: "Entitlement by team".to_owned(),
            description:
                "What each team would hold if its waiting and running jobs could be split and all pools were \
                          one: where its share of the whole is lower while its jobs wait, others are ahead of it."
                    .to_owned(),
            table: table("after_s", &starts(&Slices::new(from, to, SLICES), SLICES, from), &lines),
            zoom: "time",
        };
        let _ =
            writeln!(html, "<h3>Entitled to</h3>\n<p class=\"small\">{}</p>", escape(&caption.description));
        html.push_str(&chart::lines(&caption, &time_axis(from, to), y, &lines, Stands::Middle));
    }

    pub(super) fn queue(&self, html: &mut String) {
        let Some((from, to)) = self.window() else { return };
        let has = |kind: ResourceKind| self.setup.config.pools.iter().any(|pool| pool.node[kind].get() > 0);
        let kind = if has(ResourceKind::GPU) { ResourceKind::GPU } else { ResourceKind::CPU };
        let (scale, unit) = unit(self.setup, kind);
        let mut jobs = vec![Slices::new(from, to, SLICES); COLOURED + 1];
        let mut amounts = jobs.clone();
        waits(self.trace, self.record, |row, start, end| {
            let colour = self.colour[self.team_of(row)];
            jobs[colour].add(start, end, 1);
            let alternative = usize::from(self.record.place(&self.record.outcomes[row]).alternative);
            amounts[colour].add(start, end, self.demands.of(self.trace, row, alternative)[kind].get());
        });
        html.push_str("<section><h2>Who waits</h2>\n");
        self.legend(html);
        self.waiting(("queue", "waiting jobs", 1.0), &jobs, (from, to), html);
        let label = format!("{unit} asked by waiting jobs");
        self.waiting(("queue-amount", &label, scale), &amounts, (from, to), html);
        html.push_str("</section>\n");
    }

    fn waiting(
        &self,
        (id, label, scale): (&str, &str, f64),
        slices: &[Slices],
        (from, to): (i64, i64),
        html: &mut String,
    ) {
        let layers = self.layers(slices, scale);
        let height = |index: usize| layers.iter().map(|layer| layer.values[index]).sum::<f64>();
        let most = (0..SLICES).map(height).fold(1.0, f64::max);
        let caption = Caption {
            id: id.to_owned(),
            title: format!("{label} over time, by team"),
            description: format!("Stacked by team; at most {most:.0} in any slice on average."),
            table: table("after_s", &starts(&slices[0], SLICES, from), &layers),
            zoom: "time",
        };
        let y = Axis::from_zero(most, label);
        html.push_str(&chart::stacked(&caption, &time_axis(from, to), &y, &layers, &[]));
    }
}
