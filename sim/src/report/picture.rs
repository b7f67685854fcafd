//! Pictures: a chart of a page as a file of its own.
//!
//! The file carries its style, a title, and a legend below the plot, and needs nothing else. Absent on purpose: drawing
//! (see `chart`).

use std::fmt::Write as _;

use super::chart::escape;
use super::html::STYLE;

/// Height of a line of the legend.
const LINE: f64 = 20.0;
/// Room of a letter of the legend, and of what stands around a name.
const LETTER: f64 = 7.0;
const AROUND: f64 = 34.0;
/// Width of a chart.
const WIDTH: f64 = 960.0;

/// The picture of a chart, with the names of its colours; nothing where the text holds no chart.
#[must_use]
pub fn picture(chart: &str, title: &str, names: &[(String, usize)]) -> Option<String> {
    let (_, rest) = chart.split_once("<svg viewBox=\"0 0 ")?;
    let (size, rest) = rest.split_once('"')?;
    let height: f64 = size.split_once(' ')?.1.parse().ok()?;
    let (_, rest) = rest.split_once('>')?;
    let (body, _) = rest.split_once("<figcaption>")?;
    let body = body.trim_end().strip_suffix("</svg>")?;
    let mut legend = String::new();
    let (mut across, mut down) = (64.0, height + 40.0);
    for (name, colour) in names {
        #[expect(clippy::cast_precision_loss, reason = "letters of a name")]
        let room = AROUND + LETTER * name.chars().count() as f64;
        if across + room > WIDTH {
            (across, down) = (64.0, down + LINE);
        }
        let (base, text) = (down - 4.0, across + 18.0);
        let _ = writeln!(
            legend,
            "<path class=\"line l{colour}\" d=\"M{across} {base}h14\"/><text x=\"{text}\" y=\"{down}\">{}</text>",
            escape(name)
        );
        across += room;
    }
    let whole = if names.is_empty() { height + 28.0 } else { down + 10.0 };
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {whole}\" role=\"img\">\n\
         <style>{STYLE} .ground-of-picture{{fill:var(--card)}}</style>\n\
         <rect class=\"ground-of-picture\" width=\"{WIDTH}\" height=\"{whole}\"/>\n\
         <text class=\"name\" x=\"64\" y=\"20\">{}</text>\n<g transform=\"translate(0 24)\">\n{body}</g>\n{legend}</svg>\n",
        escape(title)
    ))
}
