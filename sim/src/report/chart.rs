//! Chart: the one file that draws. Plain SVG with classes, coloured by the page's style sheet.
//!
//! Every chart has a title and a description for readers that do not see it, and tooltips as `<title>`. Absent on
//! purpose: scripts, and knowledge of simulations.

use std::fmt::Write as _;

/// Width of every chart, in user units.
const WIDTH: f64 = 960.0;
/// Room left of the plot, for labels.
const LEFT: f64 = 64.0;
/// Room right of the plot.
const RIGHT: f64 = 16.0;
/// Room above the plot.
const TOP: f64 = 12.0;
/// Room below the plot, for the axis.
const BOTTOM: f64 = 40.0;

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, in the axis's own values.
    pub at: f64,
    /// What it says.
    pub label: String,
}

/// An axis from `from` to `to`.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Value at the start.
    pub from: f64,
    /// Value at the end; above `from`.
    pub to: f64,
    /// Its marks.
    pub ticks: Vec<Tick>,
    /// What it measures, with the unit.
    pub label: String,
}

impl Axis {
    /// An axis from zero to at least `most`, with round marks.
    #[must_use]
    pub fn from_zero(most: f64, label: impl Into<String>) -> Self {
        let step = round_step(most.max(1e-9) / 5.0);
        let count = (most / step).ceil().max(1.0);
        let mut ticks = Vec::new();
        let mut index = 0.0;
        while index <= count {
            ticks.push(Tick { at: index * step, label: number(index * step) });
            index += 1.0;
        }
        Self { from: 0.0, to: count * step, ticks, label: label.into() }
    }

    fn place(&self, value: f64, start: f64, end: f64) -> f64 {
        start + (value - self.from) / (self.to - self.from).max(1e-12) * (end - start)
    }
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn round_step(least: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(least)));
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(power)
}

/// A number for a mark: no more digits than it needs.
fn number(value: f64) -> String {
    if value >= 1_000_000.0 {
        return format!("{}M", trimmed(value / 1_000_000.0));
    }
    if value >= 10_000.0 {
        return format!("{}k", trimmed(value / 1_000.0));
    }
    trimmed(value)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One layer or line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Number of its colour.
    pub colour: usize,
    /// Its values; a layer has one per slice, a line one per point.
    pub values: Vec<f64>,
}

/// A picture of a chart: what it shows, for readers that do not see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// Unique in the page.
    pub id: String,
    /// Title.
    pub title: String,
    /// One sentence.
    pub description: String,
}

/// Text as it may stand in HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

fn open(caption: &Caption, height: f64) -> String {
    let Caption { id, title, description } = caption;
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>\n",
        escape(title),
        escape(description)
    )
}

/// Grid, marks and labels of a plot of `height`.
fn axes(x: &Axis, y: &Axis, height: f64, svg: &mut String) {
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    for tick in &y.ticks {
        let at = y.place(tick.at, bottom, TOP);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let (left, base) = (LEFT - 8.0, at + 4.0);
        let _ = writeln!(
            svg,
            "<text class=\"mark end\" x=\"{left}\" y=\"{base:.1}\">{}</text>",
            escape(&tick.label)
        );
    }
    for tick in &x.ticks {
        let at = x.place(tick.at, LEFT, right);
        let (end, base) = (bottom + 4.0, bottom + 18.0);
        let _ = writeln!(svg, "<path class=\"axis\" d=\"M{at:.1} {bottom}V{end}\"/>");
        let _ = writeln!(
            svg,
            "<text class=\"mark mid\" x=\"{at:.1}\" y=\"{base}\">{}</text>",
            escape(&tick.label)
        );
    }
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>");
    let (middle, base) = (f64::midpoint(LEFT, right), height - 4.0);
    let _ =
        writeln!(svg, "<text class=\"label mid\" x=\"{middle}\" y=\"{base}\">{}</text>", escape(&x.label));
    let up = f64::midpoint(TOP, bottom);
    let _ = writeln!(
        svg,
        "<text class=\"label mid\" transform=\"translate(14 {up}) rotate(-90)\">{}</text>",
        escape(&y.label)
    );
}

/// Layers over equal slices of the x axis, stacked from the bottom, and a line at `limit`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred slices")]
pub fn stacked(
    caption: &Caption,
    x: &Axis,
    y: &Axis,
    layers: &[Series],
    limit: Option<f64>,
    tips: &[String],
) -> String {
    let height = 260.0;
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    let mut svg = open(caption, height);
    axes(x, y, height, &mut svg);
    let slices = layers.first().map_or(0, |layer| layer.values.len());
    let edge = |index: usize| LEFT + (right - LEFT) * index as f64 / slices.max(1) as f64;
    let mut base = vec![0.0_f64; slices];
    for layer in layers {
        let top: Vec<f64> = base.iter().zip(&layer.values).map(|(base, value)| base + value).collect();
        let mut path = String::new();
        steps(&top, |value| y.place(value, bottom, TOP), edge, &mut path);
        for index in (0..slices).rev() {
            let at = y.place(base[index], bottom, TOP);
            let _ = write!(path, "V{at:.1}H{:.1}", edge(index));
        }
        let _ = writeln!(
            svg,
            "<path class=\"area c{}\" d=\"{path}Z\"><title>{}</title></path>",
            layer.colour,
            escape(&layer.name)
        );
        base = top;
    }
    if let Some(limit) = limit {
        let at = y.place(limit, bottom, TOP);
        let _ = writeln!(
            svg,
            "<path class=\"limit\" d=\"M{LEFT} {at:.1}H{right}\"><title>capacity</title></path>"
        );
    }
    for (index, tip) in tips.iter().enumerate().take(slices) {
        let (from, width) = (edge(index), edge(index + 1) - edge(index));
        let tall = bottom - TOP;
        let _ = writeln!(
            svg,
            "<rect class=\"tip\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.2}\" height=\"{tall}\"><title>{}</title></rect>",
            escape(tip)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The upper edge of a step function, from left to right.
fn steps(values: &[f64], place: impl Fn(f64) -> f64, edge: impl Fn(usize) -> f64, path: &mut String) {
    for (index, value) in values.iter().enumerate() {
        let (at, end) = (place(*value), edge(index + 1));
        if index == 0 {
            let _ = write!(path, "M{:.1} {at:.1}H{end:.1}", edge(0));
        } else {
            let _ = write!(path, "V{at:.1}H{end:.1}");
        }
    }
}

/// Lines through points at the same places of the x axis.
#[must_use]
pub fn lines(caption: &Caption, x: &Axis, y: &Axis, places: &[f64], lines: &[Series]) -> String {
    let height = 300.0;
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    let mut svg = open(caption, height);
    axes(x, y, height, &mut svg);
    for line in lines {
        let mut path = String::new();
        for (place, value) in places.iter().zip(&line.values) {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let (across, up) = (x.place(*place, LEFT, right), y.place(*value, bottom, TOP));
            let _ = write!(path, "{letter}{across:.1} {up:.1}");
        }
        let _ = writeln!(
            svg,
            "<path class=\"line l{}\" d=\"{path}\"><title>{}</title></path>",
            line.colour,
            escape(&line.name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A horizontal bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Name, left of it.
    pub name: String,
    /// Its parts: colour and length.
    pub parts: Vec<(usize, f64)>,
    /// What stands at its end.
    pub label: String,
}

/// Horizontal bars.
#[must_use]
pub fn bars(caption: &Caption, bars: &[Bar]) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 160.0;
    const LABELS: f64 = 210.0;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen bars")]
    let height = ROW * bars.len() as f64 + 8.0;
    let total = |bar: &Bar| bar.parts.iter().map(|(_, length)| length).sum::<f64>();
    let most = bars.iter().map(total).fold(1e-12, f64::max);
    let mut svg = open(caption, height);
    let mut top = 4.0;
    for bar in bars {
        let base = top + 16.0;
        let end = NAMES - 10.0;
        let _ = writeln!(
            svg,
            "<text class=\"name end\" x=\"{end}\" y=\"{base}\">{}</text>",
            escape(&short(&bar.name))
        );
        let mut left = NAMES;
        for (colour, length) in &bar.parts {
            let width = length / most * (WIDTH - NAMES - LABELS);
            let _ = writeln!(
                svg,
                "<rect class=\"area c{colour}\" x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"20\">\
                 <title>{}: {}</title></rect>",
                escape(&bar.name),
                escape(&bar.label)
            );
            left += width;
        }
        let at = left + 8.0;
        let _ =
            writeln!(svg, "<text class=\"mark\" x=\"{at:.1}\" y=\"{base}\">{}</text>", escape(&bar.label));
        top += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// At most 22 letters.
fn short(name: &str) -> String {
    if name.chars().count() <= 22 {
        return name.to_owned();
    }
    format!("{}…", name.chars().take(21).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        let labels = |most: f64| {
            Axis::from_zero(most, "").ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        assert_eq!(labels(128.0), ["0", "50", "100", "150"]);
        assert_eq!(labels(0.9), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(23_000.0), ["0", "5000", "10k", "15k", "20k", "25k"]);
    }

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(escape("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
    }
}
