//! Points with names, such as policies by two figures of each.
//!
//! Absent on purpose: axes and the frame of a chart (see `chart`).

use std::fmt::Write as _;

use super::{Axis, BOTTOM, Caption, LEFT, RIGHT, TOP, WIDTH, axes, close, cut, escape, open, plot, width_of};

/// A point with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Name, beside it.
    pub name: String,
    /// Colour.
    pub colour: usize,
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Whether it is full, and joined with the others that are, from left to right.
    pub front: bool,
}

/// Points with their names; those on the front are full and joined.
#[must_use]
pub fn scatter(caption: &Caption, x: &Axis, y: &Axis, points: &[Point]) -> String {
    let height = 300.0;
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    let mut svg = open(caption, Some(x), height);
    axes(x, y, height, &mut svg);
    svg.push_str(&plot(height));
    let at = |point: &Point| (x.place(point.x, LEFT, right), y.place(point.y, bottom, TOP));
    let mut front: Vec<(f64, f64)> = points.iter().filter(|point| point.front).map(at).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let joined: Vec<String> = front.iter().map(|(across, up)| format!("{across:.1} {up:.1}")).collect();
    if joined.len() > 1 {
        let _ = writeln!(svg, "<path class=\"limit\" d=\"M{}\"/>", joined.join("L"));
    }
    let places: Vec<(f64, f64)> = points.iter().map(at).collect();
    let labels = labels(&places, points, &front, (TOP, bottom));
    for ((point, &(across, up)), label) in points.iter().zip(&places).zip(labels) {
        let colour = point.colour;
        let style = if point.front { format!("c{colour}") } else { format!("hollow l{colour}") };
        let Label { x, y, is_left } = label;
        let end = if is_left { " end" } else { "" };
        if (y - up).abs() > LINE / 2.0 {
            let beside = if is_left { x + 3.0 } else { x - 3.0 };
            let _ = writeln!(svg, "<path class=\"lead\" d=\"M{across:.1} {up:.1}L{beside:.1} {y:.1}\"/>");
        }
        let _ = writeln!(
            svg,
            "<circle class=\"m area t t{colour} {style}\" cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"6\"/>\
             <text class=\"name{end}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            y + 4.0,
            escape(&cut(&point.name, NAME))
        );
    }
    close(caption, &mut svg);
    svg
}

/// Height of a name beside a point.
const LINE: f64 = 15.0;
/// Letters of a name beside a point.
const NAME: usize = 60;

/// Where a name stands: its near end and its middle, and on which side of its point.
struct Label {
    x: f64,
    y: f64,
    is_left: bool,
}

/// Places on the line through some points, so near each other that no name fits between them.
fn along(front: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + '_ {
    const STEPS: u32 = 200;
    front.windows(2).flat_map(|ends| {
        let [(x0, y0), (x1, y1)] = [ends[0], ends[1]];
        (0..=STEPS).map(move |step| {
            let part = f64::from(step) / f64::from(STEPS);
            (x0 + part * (x1 - x0), y0 + part * (y1 - y0))
        })
    })
}

/// Names beside their points, none over another name or point, or the line through the front: as near to the height of its
/// point as there is room.
fn labels(
    places: &[(f64, f64)],
    points: &[Point],
    front: &[(f64, f64)],
    (top, bottom): (f64, f64),
) -> Vec<Label> {
    let right = WIDTH - RIGHT;
    let around = |(x, y): (f64, f64), size: f64| [x - size, x + size, y - size, y + size];
    let mut taken: Vec<[f64; 4]> = places.iter().map(|place| around(*place, 7.0)).collect();
    taken.extend(along(front).map(|place| around(place, 1.0)));
    let mut labels = Vec::new();
    for (&(across, up), point) in places.iter().zip(points) {
        let wide = width_of(&cut(&point.name, NAME));
        let is_left = across + 12.0 + wide > right;
        let x = if is_left { across - 12.0 } else { across + 12.0 };
        let (from, to) = if is_left { (x - wide, x) } else { (x, x + wide) };
        let is_free = |y: f64| {
            let over = |one: &[f64; 4]| {
                one[0] < to && from < one[1] && one[2] < y + LINE / 2.0 && y - LINE / 2.0 < one[3]
            };
            y - LINE / 2.0 >= top && y + LINE / 2.0 <= bottom && !taken.iter().any(over)
        };
        let steps = (0..40_u32).flat_map(|step| [f64::from(step), -f64::from(step)]);
        let y = steps.map(|step| up + step * LINE / 2.0).find(|y| is_free(*y)).unwrap_or(up);
        taken.push([from, to, y - LINE / 2.0, y + LINE / 2.0]);
        labels.push(Label { x, y, is_left });
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_points_at_one_place_stand_apart() {
        let point = |name: &str| Point { name: name.to_owned(), colour: 0, x: 0.0, y: 0.0, front: true };
        let points = ["drf", "fifo", "drf,preemption=reclaim"].map(point);
        let labels = labels(&[(WIDTH - RIGHT, 100.0); 3], &points, &[], (TOP, 260.0));
        assert!(labels.iter().all(|label| label.is_left));
        let mut heights: Vec<f64> = labels.iter().map(|label| label.y).collect();
        heights.sort_by(f64::total_cmp);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LINE), "{heights:?}");
        // None of them over the points either.
        let far = super::labels(&[(100.0, 100.0), (130.0, 100.0)], &points[..2], &[], (TOP, 260.0));
        assert!((far[0].y - 100.0).abs() >= LINE / 2.0 + 7.0, "{}", far[0].y);
    }

    #[test]
    fn no_name_lies_on_the_line_through_the_front() {
        let point = |name: &str| Point { name: name.to_owned(), colour: 0, x: 0.0, y: 0.0, front: true };
        let places = [(100.0, 100.0), (500.0, 100.0)];
        let labels = labels(&places, &["static", "fifo"].map(point), &places, (TOP, 260.0));
        assert!(!labels[0].is_left && (labels[0].y - 100.0).abs() > LINE / 2.0, "{}", labels[0].y);
    }
}
