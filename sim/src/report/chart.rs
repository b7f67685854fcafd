//! Chart: the one file that draws. Plain SVG with classes, coloured by the page's style sheet.
//!
//! Every chart has a title and a description for readers that do not see it, and its numbers as a link: CSV with one row
//! for each mark that can be pointed at, in the same order. Absent on purpose: scripts, and knowledge of simulations.

mod points;

use std::fmt::Write as _;

pub use points::{Point, scatter};

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

/// About the width of a letter, in user units.
const LETTER: f64 = 6.5;

/// About the width of a text.
#[expect(clippy::cast_precision_loss, reason = "a few dozen letters")]
fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

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
    /// Its values are powers of ten.
    pub is_log: bool,
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
        Self { from: 0.0, to: count * step, ticks, label: label.into(), is_log: false }
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

/// What a chart shows, for readers that do not see it, and in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// Unique in the page; the name of the file behind the link.
    pub id: String,
    /// Title.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Header and rows, CSV: one row for each mark.
    pub table: String,
    /// Charts of one word are zoomed together; none of an empty word is.
    pub zoom: &'static str,
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

/// The plot's place in a picture of `height`.
fn plot(height: f64) -> String {
    let (wide, tall) = (WIDTH - LEFT - RIGHT, height - BOTTOM - TOP);
    format!(
        "<svg class=\"plot\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{wide}\" height=\"{tall}\" viewBox=\"{LEFT} {TOP} {wide} {tall}\" \
         preserveAspectRatio=\"none\">\n"
    )
}

fn open(caption: &Caption, x: Option<&Axis>, height: f64) -> String {
    let Caption { id, title, description, zoom, .. } = caption;
    let axis = x.map_or(String::new(), |x| {
        let scale = if x.is_log { "log" } else { "linear" };
        format!(" data-from=\"{}\" data-to=\"{}\" data-scale=\"{scale}\"", x.from, x.to)
    });
    let zoom = if zoom.is_empty() { String::new() } else { format!(" data-zoom=\"{zoom}\"") };
    format!(
        "<figure class=\"chart\" id=\"{id}\"{zoom}{axis}>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" tabindex=\"0\" \
         aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>\n",
        escape(title),
        escape(description)
    )
}

/// Ends the plot and the picture; below it stand the range shown, the buttons and the numbers.
fn close(caption: &Caption, svg: &mut String) {
    svg.push_str("</svg>\n</svg>\n<figcaption><span class=\"range\"></span>");
    if !caption.zoom.is_empty() {
        for (word, sign) in [("in", "zoom in"), ("out", "zoom out"), ("all", "all")] {
            let _ = write!(svg, "<button type=\"button\" data-do=\"{word}\">{sign}</button>");
        }
    }
    let _ = writeln!(
        svg,
        "<a class=\"data\" download=\"{}.csv\" href=\"data:text/csv;charset=utf-8,{}\">data (CSV)</a></figcaption>\n</figure>",
        caption.id,
        percent_encoded(&caption.table)
    );
}

/// Text as it may stand in a `data:` address.
fn percent_encoded(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'.' | b'-' | b'_' | b' ' | b':' | b'/') {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

/// Grid, marks and labels of a plot of `height`.
fn axes(x: &Axis, y: &Axis, height: f64, svg: &mut String) {
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    for tick in &y.ticks {
        let at = y.place(tick.at, bottom, TOP);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let (left, base) = (LEFT - 8.0, at + 4.0);
        let _ =
            writeln!(svg, "<text class=\"end\" x=\"{left}\" y=\"{base:.1}\">{}</text>", escape(&tick.label));
    }
    for tick in &x.ticks {
        let at = x.place(tick.at, LEFT, right);
        let (end, base) = (bottom + 4.0, bottom + 18.0);
        // A label whose half would leave the picture ends at its edge.
        let half = width_of(&tick.label) / 2.0;
        let (anchor, text) = if at + half > WIDTH { ("end", WIDTH - 1.0) } else { ("mid", at) };
        let _ = writeln!(
            svg,
            "<g class=\"tick\" data-x=\"{at:.1}\"><path class=\"axis\" d=\"M{at:.1} {bottom}V{end}\"/>\
             <text class=\"{anchor}\" x=\"{text:.1}\" y=\"{base}\">{}</text></g>",
            escape(&tick.label)
        );
    }
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>");
    let (middle, base) = (f64::midpoint(LEFT, right), height - 4.0);
    let _ =
        writeln!(svg, "<text class=\"label mid\" x=\"{middle}\" y=\"{base}\">{}</text>", escape(&x.label));
    let up = f64::midpoint(TOP, bottom);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen letters")]
    let fits = (height / LETTER) as usize;
    let _ = writeln!(
        svg,
        "<text class=\"label mid\" transform=\"translate(14 {up}) rotate(-90)\">{}</text>",
        escape(&cut(&y.label, fits))
    );
}

/// Areas to point at, one for each of `count` equal slices of the plot.
#[expect(clippy::cast_precision_loss, reason = "a few hundred slices")]
fn slices(count: usize, height: f64, svg: &mut String) {
    let width = (WIDTH - LEFT - RIGHT) / count.max(1) as f64;
    let tall = height - BOTTOM - TOP;
    for index in 0..count {
        let from = LEFT + width * index as f64;
        let _ =
            writeln!(svg, "<path class=\"m tip\" d=\"M{from:.1} {TOP}h{width:.2}v{tall}h-{width:.2}z\"/>");
    }
}

/// Layers over equal slices of the x axis, stacked from the bottom, and a line at `limit`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred slices")]
pub fn stacked(caption: &Caption, x: &Axis, y: &Axis, layers: &[Series], limit: &[f64]) -> String {
    let height = 260.0;
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    let mut svg = open(caption, Some(x), height);
    axes(x, y, height, &mut svg);
    svg.push_str(&plot(height));
    let count = layers.first().map_or(0, |layer| layer.values.len());
    let edge = |index: usize| LEFT + (right - LEFT) * index as f64 / count.max(1) as f64;
    let mut base = vec![0.0_f64; count];
    for layer in layers {
        let top: Vec<f64> = base.iter().zip(&layer.values).map(|(base, value)| base + value).collect();
        let mut path = String::new();
        steps(&top, |value| y.place(value, bottom, TOP), edge, &mut path);
        for index in (0..count).rev() {
            let at = y.place(base[index], bottom, TOP);
            let _ = write!(path, "V{at:.1}H{:.1}", edge(index));
        }
        let colour = layer.colour;
        let _ = writeln!(svg, "<path class=\"area t t{colour} c{colour}\" d=\"{path}Z\"/>");
        base = top;
    }
    if !limit.is_empty() {
        let edge = |index: usize| LEFT + (right - LEFT) * index as f64 / limit.len() as f64;
        let mut path = String::new();
        steps(limit, |value| y.place(value, bottom, TOP), edge, &mut path);
        let _ = writeln!(svg, "<path class=\"limit\" d=\"{path}\"/>");
    }
    slices(count, height, &mut svg);
    close(caption, &mut svg);
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

/// Where in its slice of the x axis a point of a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// In the middle: it is an average over the slice.
    Middle,
    /// At the end: it is about everything up to there.
    End,
}

/// Lines through points at equal distances on the x axis.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred points")]
pub fn lines(caption: &Caption, x: &Axis, y: &Axis, lines: &[Series], stands: Stands) -> String {
    let height = 300.0;
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    let mut svg = open(caption, Some(x), height);
    axes(x, y, height, &mut svg);
    svg.push_str(&plot(height));
    let count = lines.first().map_or(0, |line| line.values.len());
    let within = if stands == Stands::Middle { 0.5 } else { 1.0 };
    for line in lines {
        let mut path = String::new();
        for (index, value) in line.values.iter().enumerate() {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let across = LEFT + (right - LEFT) * (index as f64 + within) / count.max(1) as f64;
            let _ = write!(path, "{letter}{across:.1} {:.1}", y.place(*value, bottom, TOP));
        }
        let colour = line.colour;
        let _ = writeln!(svg, "<path class=\"line t t{colour} l{colour}\" d=\"{path}\"/>");
    }
    slices(count, height, &mut svg);
    close(caption, &mut svg);
    svg
}

/// A table of colours: a row of equal cells for each name, from 0 (pale) to 1 (full).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred cells")]
pub fn heat(caption: &Caption, x: &Axis, rows: &[(String, Vec<f64>)]) -> String {
    const ROW: f64 = 42.0;
    const BELOW_NAME: f64 = 16.0;
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let mut svg = open(caption, Some(x), height);
    let y = Axis { from: 0.0, to: 1.0, ticks: Vec::new(), label: String::new(), is_log: false };
    axes(x, &y, height, &mut svg);
    for (index, (name, _)) in rows.iter().enumerate() {
        let at = TOP + ROW * index as f64 + 12.0;
        let _ =
            writeln!(svg, "<text class=\"name\" x=\"{LEFT}\" y=\"{at}\">{}</text>", escape(&cut(name, 60)));
    }
    svg.push_str(&plot(height));
    for (index, (_, cells)) in rows.iter().enumerate() {
        let top = TOP + ROW * index as f64 + BELOW_NAME;
        let width = (WIDTH - LEFT - RIGHT) / cells.len().max(1) as f64;
        let _ = writeln!(
            svg,
            "<rect class=\"ground\" x=\"{LEFT}\" y=\"{top}\" width=\"{:.1}\" height=\"24\"/>",
            WIDTH - LEFT - RIGHT
        );
        for (column, value) in cells.iter().enumerate() {
            let from = LEFT + width * column as f64;
            let _ = writeln!(
                svg,
                "<path class=\"m cell\" d=\"M{from:.1} {top}h{width:.2}v24h-{width:.2}z\" fill-opacity=\"{:.2}\"/>",
                value.clamp(0.0, 1.0)
            );
        }
    }
    close(caption, &mut svg);
    svg
}

/// One stretch of a row: it waits from `wait`, runs from `start` to `end`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Which row, from the top.
    pub row: usize,
    /// Its colour.
    pub colour: usize,
    /// Where the line before it begins, in the axis's values.
    pub wait: f64,
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// It was cut short.
    pub cut: bool,
    /// The row of whom it made way for.
    pub by: Option<usize>,
}

/// Stretches over time, a row for each job.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
pub fn gantt(caption: &Caption, x: &Axis, rows: usize, stretches: &[Stretch]) -> String {
    // The label of the rows fits into the least height.
    let tall = (3.0 * rows as f64).clamp(100.0, 900.0);
    let (height, row) = (TOP + tall + BOTTOM, tall / rows.max(1) as f64);
    let mut svg = open(caption, Some(x), height);
    let y =
        Axis { from: 0.0, to: 1.0, ticks: Vec::new(), label: "jobs by submission".to_owned(), is_log: false };
    axes(x, &y, height, &mut svg);
    svg.push_str(&plot(height));
    let right = WIDTH - RIGHT;
    let place = |value: f64| x.place(value, LEFT, right);
    let top = |index: usize| TOP + row * index as f64;
    for one in stretches {
        let (from, to, at) = (place(one.wait), place(one.start), top(one.row) + row / 2.0);
        let colour = one.colour;
        if one.start > one.wait {
            let _ = writeln!(svg, "<path class=\"wait t t{colour}\" d=\"M{from:.1} {at:.1}H{to:.1}\"/>");
        }
        let width = (place(one.end) - to).max(0.6);
        let thick = (row - 0.4).max(0.6);
        let _ = writeln!(
            svg,
            "<rect class=\"m area t t{colour} c{colour}\" x=\"{to:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{thick:.1}\"/>",
            top(one.row)
        );
        if one.cut {
            let (end, low) = (place(one.end), top(one.row) + row.max(3.0));
            let _ = writeln!(svg, "<path class=\"cut\" d=\"M{end:.1} {:.1}V{low:.1}\"/>", top(one.row));
            if let Some(by) = one.by {
                let to = top(by) + row / 2.0;
                let _ = writeln!(svg, "<path class=\"who\" d=\"M{end:.1} {at:.1}V{to:.1}\"/>");
            }
        }
        // What goes on beyond an edge says so there.
        let (high, low) = (at - 2.5, at + 2.5);
        if from < LEFT - 0.05 {
            let tail = LEFT + 6.0;
            let _ = writeln!(
                svg,
                "<path class=\"beyond c{colour}\" d=\"M{LEFT} {at:.1}L{tail} {high:.1}V{low:.1}Z\"/>"
            );
        }
        if place(one.end) > right + 0.05 {
            let tail = right - 6.0;
            let _ = writeln!(
                svg,
                "<path class=\"beyond c{colour}\" d=\"M{right} {at:.1}L{tail} {high:.1}V{low:.1}Z\"/>"
            );
        }
    }
    close(caption, &mut svg);
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

/// Horizontal bars; a mark for each part.
#[must_use]
pub fn bars(caption: &Caption, bars: &[Bar]) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 160.0;
    const LABELS: f64 = 350.0;
    #[expect(clippy::cast_precision_loss, reason = "a few dozen bars")]
    let height = ROW * bars.len() as f64 + 8.0;
    let total = |bar: &Bar| bar.parts.iter().map(|(_, length)| length).sum::<f64>();
    let most = bars.iter().map(total).fold(1e-12, f64::max);
    let mut svg = open(caption, None, height);
    let _ = writeln!(
        svg,
        "<svg class=\"plot\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">"
    );
    let mut top = 4.0;
    for bar in bars {
        let base = top + 16.0;
        let end = NAMES - 10.0;
        let _ = writeln!(
            svg,
            "<text class=\"name end\" x=\"{end}\" y=\"{base}\">{}</text>",
            escape(&cut(&bar.name, 22))
        );
        let mut left = NAMES;
        for (colour, length) in &bar.parts {
            let width = length / most * (WIDTH - NAMES - LABELS);
            let _ = writeln!(
                svg,
                "<rect class=\"m area t t{colour} c{colour}\" data-v=\"{length}\" x=\"{left:.1}\" y=\"{top}\" \
                 width=\"{width:.1}\" height=\"20\"/>"
            );
            left += width;
        }
        let at = left + 8.0;
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{base}\">{}</text>", escape(&bar.label));
        top += ROW;
    }
    close(caption, &mut svg);
    svg
}

/// At most so many letters.
fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    format!("{}…", name.chars().take(most - 1).collect::<String>())
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
    fn what_reaches_beyond_the_plot_is_marked_at_its_edge() {
        let caption = Caption {
            id: String::new(),
            title: String::new(),
            description: String::new(),
            table: String::new(),
            zoom: "",
        };
        let x = Axis::from_zero(10.0, "");
        let stretch =
            |wait: f64, end: f64| Stretch { row: 0, colour: 0, wait, start: 5.0, end, cut: false, by: None };
        let marks = |one: Stretch| gantt(&caption, &x, 1, &[one]).matches("class=\"beyond").count();
        assert_eq!(
            [stretch(0.0, 10.0), stretch(-1.0, 10.0), stretch(0.0, 11.0), stretch(-1.0, 11.0)].map(marks),
            [0, 1, 1, 2]
        );
    }

    #[test]
    fn labels_at_the_edge_of_a_picture_end_there() {
        let tick = |at: f64, label: &str| Tick { at, label: label.to_owned() };
        let x = Axis {
            from: 0.0,
            to: 2.0,
            ticks: vec![tick(1.0, "60 min"), tick(2.0, "120 min")],
            label: String::new(),
            is_log: false,
        };
        let y = Axis { ticks: Vec::new(), label: "GPUs asked by jobs that wait".repeat(3), ..x.clone() };
        let mut svg = String::new();
        axes(&x, &y, 152.0, &mut svg);
        assert!(svg.contains("<text class=\"mid\" x=\"504.0\" y=\"130\">60 min</text>"), "{svg}");
        assert!(svg.contains("<text class=\"end\" x=\"959.0\" y=\"130\">120 min</text>"), "{svg}");
        assert!(svg.contains("\u{2026}</text>"), "a label longer than the picture is high is cut: {svg}");
    }

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(escape("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
    }
}
