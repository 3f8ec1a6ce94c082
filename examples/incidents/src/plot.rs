//! Curves as SVG, for a document.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 46.0;

/// One curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What it is.
    pub name: String,
    /// Its colour, as SVG has it.
    pub color: &'static str,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// Curves with their axes.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x: String,
    /// What is up.
    pub y: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// Stretches of the time axis that are marked, with what they are.
    pub spans: Vec<(f64, f64, String)>,
    /// Levels that are marked, with what they are.
    pub levels: Vec<(f64, String)>,
}

/// A step for an axis that gives about five marks: 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let raw = (most / 5.0).max(1e-9);
    let power = 10f64.powf(raw.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    let found = times.iter().find(|times| *times * power >= raw);
    found.unwrap_or(&10.0) * power
}

fn label(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v => format!("{v}"),
    }
}

impl Plot {
    /// The text of the file.
    pub fn to_svg(&self) -> String {
        let all = || self.curves.iter().flat_map(|curve| &curve.points);
        let x_most = all().fold(1.0, |most: f64, (x, _)| most.max(*x));
        let levels = self.levels.iter().map(|(level, _)| *level);
        let y_most = all().map(|(_, y)| *y).chain(levels).fold(1.0, f64::max) * 1.05;
        let x_of = |x: f64| LEFT + x / x_most * (WIDTH - LEFT - RIGHT);
        let y_of = |y: f64| HEIGHT - BOTTOM - y / y_most * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
             fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n",
            self.title
        );
        // Writing to a string can't fail.
        for (from, to, name) in &self.spans {
            let (from, to) = (x_of(*from), x_of(to.min(x_most)));
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#f3e9d8\"/>\n\
                 <text x=\"{:.1}\" y=\"{}\" fill=\"#8a6d3b\">{name}</text>",
                to - from,
                HEIGHT - TOP - BOTTOM,
                from + 4.0,
                TOP + 14.0
            );
        }
        let mut mark = 0.0;
        while mark <= y_most {
            let y = y_of(mark);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                label(mark)
            );
            mark += step(y_most);
        }
        let mut mark = 0.0;
        while mark <= x_most {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x_of(mark),
                HEIGHT - BOTTOM + 16.0,
                label(mark)
            );
            mark += step(x_most);
        }
        for (level, name) in &self.levels {
            let y = y_of(*level);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#b00\" stroke-dasharray=\"6 4\"/><text \
                 x=\"{:.1}\" y=\"{:.1}\" fill=\"#b00\" text-anchor=\"end\">{name}</text>",
                WIDTH - RIGHT,
                WIDTH - RIGHT - 4.0,
                y - 4.0
            );
        }
        for (index, curve) in self.curves.iter().enumerate() {
            let points: Vec<String> = curve
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", x_of(*x), y_of(*y)))
                .collect();
            let at = LEFT + index as f64 * 300.0;
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n<path \
                 d=\"M{at} 34h22\" stroke=\"{}\" stroke-width=\"3\"/><text x=\"{}\" y=\"38\">{}</text>",
                curve.color,
                points.join(" "),
                curve.color,
                at + 28.0,
                curve.name
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n<text \
             transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n</svg>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 8.0,
            self.x,
            (TOP + HEIGHT - BOTTOM) / 2.0,
            self.y
        );
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(
            [step(9.0), step(34.0), step(120_000.0)],
            [2.0, 10.0, 50_000.0]
        );
        assert_eq!([label(1_500.0), label(250.0)], ["1.5 k", "250"]);
    }

    #[test]
    fn a_curve_ends_where_its_last_point_is() {
        let plot = Plot {
            title: "t".into(),
            x: "s".into(),
            y: "rows".into(),
            curves: vec![Curve {
                name: "a".into(),
                color: "#000",
                points: vec![(0.0, 0.0), (10.0, 100.0)],
            }],
            spans: vec![(2.0, 4.0, "ill".into())],
            levels: vec![(50.0, "limit".into())],
        };
        let svg = plot.to_svg();
        assert!(svg.contains("points=\"74.0,294.0 740.0,57.8\""), "{svg}");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }
}
