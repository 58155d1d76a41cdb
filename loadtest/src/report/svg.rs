//! Charts as inline SVG: axes, grids, lines, areas and bands. Colours are the page's, by class.

use std::fmt::Write as _;

/// A chart, whatever size it is drawn at.
pub(crate) struct Chart {
    /// Read out in place of the picture.
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// From the one that lies lowest.
    pub(crate) parts: Vec<Part>,
}

/// A direction.
pub(crate) struct Axis {
    pub(crate) scale: Scale,
    /// Where a line crosses the chart, and what it stands for.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// From values to places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    Linear { low: f64, high: f64 },
    Log { low: f64, high: f64 },
}

/// What is drawn.
pub(crate) enum Part {
    /// A stretch of the x axis, as high as the chart. The label stands on top of it.
    Band {
        class: &'static str,
        from: f64,
        until: f64,
        label: String,
        title: String,
    },
    Line {
        class: String,
        points: Vec<(f64, f64)>,
    },
    /// Between two heights: from, until, lower, upper.
    Steps {
        class: String,
        steps: Vec<[f64; 4]>,
    },
    /// What a pointer over this stretch is told.
    Probe {
        from: f64,
        until: f64,
        title: String,
    },
}

/// How large it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    /// Stylesheets show one of them.
    pub(crate) class: &'static str,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// As wide as a page on a screen.
pub(crate) const WIDE: Size = Size { class: "wide", width: 1080.0, height: 270.0 };
/// Half of that.
pub(crate) const HALF: Size = Size { class: "wide", width: 530.0, height: 310.0 };
/// For phones.
pub(crate) const NARROW: Size = Size { class: "narrow", width: 400.0, height: 270.0 };

const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 26.0;

impl Scale {
    /// From 0 to 1; what lies outside is moved to the edge.
    #[must_use]
    pub(crate) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }
}

impl Axis {
    /// From nothing to at least this, with round ticks.
    pub(crate) fn linear(high: f64, label: fn(f64) -> String) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = round_step(high / 5.0);
        let high = (high / step).ceil().max(1.0) * step;
        let ticks =
            (0..=(high / step).round() as u32).map(|count| (f64::from(count) * step * 1e9).round() / 1e9);
        let ticks = ticks.map(|tick| (tick, label(tick))).collect();
        Self { scale: Scale::Linear { low: 0.0, high }, ticks }
    }

    /// Around these values, with ticks at powers of ten and, where there are few, between them.
    pub(crate) fn log(values: impl Iterator<Item = f64>, label: fn(f64) -> String) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low.is_finite() { (low, high) } else { (1.0, 10.0) };
        let steps = |low: f64| {
            let decade = 10_f64.powf(low.log10().floor());
            [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade)
        };
        let low = steps(low).into_iter().rev().find(|step| *step <= low).unwrap_or(low);
        let high = steps(high).into_iter().find(|step| *step >= high).unwrap_or(high).max(low * 10.0);
        let factors: &[f64] = if high / low > 1e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = decades
            .flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)))
            .filter(|tick| (low * 0.999..=high * 1.001).contains(tick))
            .map(|tick| (tick, label(tick)))
            .collect();
        Self { scale: Scale::Log { low, high }, ticks }
    }

    /// Seconds since a run began.
    pub(crate) fn time(end_s: f64) -> Self {
        const STEPS: [f64; 14] =
            [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0];
        let wanted = end_s / 8.0;
        let step = STEPS.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| round_step(wanted));
        let ticks = (0..=(end_s / step) as u32).map(|count| f64::from(count) * step);
        let ticks = ticks.map(|tick| (tick, clock(tick, end_s))).collect();
        Self { scale: Scale::Linear { low: 0.0, high: end_s.max(1.0) }, ticks }
    }
}

fn clock(at_s: f64, end_s: f64) -> String {
    let at = at_s as u64;
    match end_s {
        end if end <= 180.0 => format!("{at} s"),
        end if end <= 10_800.0 => format!("{}:{:02}", at / 60, at % 60),
        _ => format!("{}:{:02} h", at / 3_600, at / 60 % 60),
    }
}

/// 1, 2 or 5 times a power of ten, at least this.
fn round_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * decade >= least * 0.999).unwrap_or(10.0);
    step * decade
}

impl Chart {
    /// The SVG. `id` is this drawing's alone in the page.
    #[must_use]
    pub(crate) fn draw(&self, id: &str, size: Size) -> String {
        let Size { class, width, height } = size;
        let mut svg = format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escaped(&self.title),
            escaped(&self.description)
        );
        svg += &self.grid(size);
        let mut labelled_until = f64::NEG_INFINITY;
        for part in &self.parts {
            self.part(part, size, &mut labelled_until, &mut svg);
        }
        svg += "</svg>";
        svg
    }

    fn grid(&self, size: Size) -> String {
        let mut svg = String::from("<g class=\"grid\">");
        let bottom = size.height - BOTTOM;
        for (tick, label) in &self.y.ticks {
            let y = self.y_of(*tick, size);
            let right = size.width - RIGHT;
            append(&mut svg, format_args!("<path d=\"M{LEFT} {y:.1}H{right}\"/>"));
            let (x, y) = (LEFT - 8.0, y + 4.0);
            append(
                &mut svg,
                format_args!("<text class=\"y\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escaped(label)),
            );
        }
        let mut free_from = f64::NEG_INFINITY;
        for (tick, label) in &self.x.ticks {
            let x = self.x_of(*tick, size);
            append(&mut svg, format_args!("<path d=\"M{x:.1} {bottom}v5\"/>"));
            let half = label.chars().count() as f64 * 3.6 + 4.0;
            let middle = x.min(size.width - half + 4.0);
            if middle - half >= free_from {
                free_from = middle + half;
                let y = bottom + 19.0;
                append(
                    &mut svg,
                    format_args!("<text class=\"x\" x=\"{middle:.1}\" y=\"{y}\">{}</text>", escaped(label)),
                );
            }
        }
        svg + "</g>"
    }

    fn part(&self, part: &Part, size: Size, labelled_until: &mut f64, svg: &mut String) {
        let bottom = size.height - BOTTOM;
        match part {
            Part::Band { class, from, until, label, title } => {
                let (x, end) = (self.x_of(*from, size), self.x_of(*until, size));
                let width = (end - x).max(1.5);
                let (tall, title) = (bottom - TOP, escaped(title));
                append(
                    svg,
                    format_args!(
                        "<g class=\"band {class}\"><title>{title}</title><rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{tall}\"/>"
                    ),
                );
                let half = label.chars().count() as f64 * 3.3 + 2.0;
                let middle = (x + width / 2.0).clamp(LEFT + half, size.width - half);
                if middle - half >= *labelled_until && !label.is_empty() {
                    *labelled_until = middle + half;
                    append(svg, format_args!("<text x=\"{middle:.1}\" y=\"14\">{}</text>", escaped(label)));
                }
                svg.push_str("</g>");
            }
            Part::Line { class, points } if points.len() == 1 => {
                let (x, y) = (self.x_of(points[0].0, size), self.y_of(points[0].1, size));
                append(
                    svg,
                    format_args!("<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>"),
                );
            }
            Part::Line { class, points } => {
                append(svg, format_args!("<path class=\"line {class}\" d=\""));
                for (place, (x, y)) in points.iter().enumerate() {
                    let letter = if place == 0 { 'M' } else { 'L' };
                    append(
                        svg,
                        format_args!("{letter}{:.1} {:.1}", self.x_of(*x, size), self.y_of(*y, size)),
                    );
                }
                svg.push_str("\"/>");
            }
            Part::Steps { class, steps } => {
                append(svg, format_args!("<path class=\"area {class}\" d=\""));
                self.outline(steps, size, svg);
                svg.push_str("\"/>");
            }
            Part::Probe { from, until, title } => {
                let (x, end) = (self.x_of(*from, size), self.x_of(*until, size));
                let (width, tall, title) = (end - x, bottom - TOP, escaped(title));
                append(
                    svg,
                    format_args!(
                        "<rect class=\"probe\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{tall}\"><title>{title}</title></rect>"
                    ),
                );
            }
        }
    }

    /// Along the upper heights, and back along the lower ones.
    fn outline(&self, steps: &[[f64; 4]], size: Size, svg: &mut String) {
        let Some(first) = steps.first() else { return };
        append(svg, format_args!("M{:.1} {:.1}", self.x_of(first[0], size), self.y_of(first[2], size)));
        for [_, until, _, upper] in steps {
            append(svg, format_args!("V{:.1}H{:.1}", self.y_of(*upper, size), self.x_of(*until, size)));
        }
        for [from, _, lower, _] in steps.iter().rev() {
            append(svg, format_args!("V{:.1}H{:.1}", self.y_of(*lower, size), self.x_of(*from, size)));
        }
        svg.push('Z');
    }

    fn x_of(&self, value: f64, size: Size) -> f64 {
        LEFT + self.x.scale.place(value) * (size.width - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64, size: Size) -> f64 {
        let bottom = size.height - BOTTOM;
        bottom - self.y.scale.place(value) * (bottom - TOP)
    }
}

fn append(svg: &mut String, part: std::fmt::Arguments<'_>) {
    svg.write_fmt(part).expect("writing to a String cannot fail");
}

/// Text within an element or an attribute.
#[must_use]
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let plain = |value: f64| format!("{value}");
        assert_eq!(labels(&Axis::linear(1_490.0, plain)), ["0", "500", "1000", "1500"]);
        assert_eq!(
            labels(&Axis::linear(0.0, plain)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"],
            "nothing at all has an axis too"
        );
        assert_eq!(labels(&Axis::log([130.0, 900.0].into_iter(), plain)), ["100", "200", "500", "1000"]);
        assert_eq!(
            labels(&Axis::log([3.0, 90_000.0].into_iter(), plain)),
            ["10", "100", "1000", "10000", "100000"]
        );
        assert_eq!(labels(&Axis::log(std::iter::empty(), plain)), ["1", "2", "5", "10"]);
        assert_eq!(labels(&Axis::time(65.0)), ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]);
        assert_eq!(labels(&Axis::time(600.0)).last(), Some(&"10:00"));
    }

    #[test]
    fn places_are_within_the_chart_whatever_the_value() {
        for scale in [Scale::Linear { low: 0.0, high: 10.0 }, Scale::Log { low: 1.0, high: 100.0 }] {
            for value in [-5.0, 0.0, 3.0, 1e9, f64::NAN, f64::INFINITY] {
                assert!((0.0..=1.0).contains(&scale.place(value)), "{scale:?} {value}");
            }
        }
        assert_eq!(Scale::Log { low: 1.0, high: 100.0 }.place(10.0), 0.5);
    }

    #[test]
    fn a_drawing_is_well_formed_and_escapes_what_it_is_told() {
        let chart = Chart {
            title: "<script>".to_owned(),
            description: "\"&\"".to_owned(),
            x: Axis::time(10.0),
            y: Axis::linear(5.0, |value| format!("<{value}>")),
            parts: vec![
                Part::Band {
                    class: "mark",
                    from: 1.0,
                    until: 1.0,
                    label: "1".to_owned(),
                    title: "<i>".to_owned(),
                },
                Part::Line { class: "s1".to_owned(), points: vec![(0.0, 1.0), (10.0, 5.0)] },
                Part::Line { class: "s1".to_owned(), points: vec![(0.0, 1.0)] },
                Part::Steps {
                    class: "s2".to_owned(),
                    steps: vec![[0.0, 5.0, 0.0, 2.0], [5.0, 10.0, 0.0, 4.0]],
                },
                Part::Probe { from: 0.0, until: 5.0, title: "a<b".to_owned() },
            ],
        };
        let svg = chart.draw("c", NARROW);
        for hostile in ["<script>", "<i>", "a<b", "<0>"] {
            assert!(!svg.contains(hostile), "{hostile}: {svg}");
        }
        assert!(
            svg.contains("aria-labelledby=\"c-t\" aria-describedby=\"c-d\"")
                && svg.contains("<title id=\"c-t\">&lt;script&gt;")
        );
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
        assert!(!svg.contains("NaN"));
    }
}
