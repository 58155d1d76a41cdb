//! The plots of a run, and of two.

use data_encoding::BASE64;
use hdrhistogram::{Histogram, serialization::Deserializer};

use super::{
    compare::Comparison,
    figures::{micros, rate, share},
    svg::{Axis, Chart, HALF, NARROW, Part, Scale, Size, WIDE},
    timeline::{Point, Timeline},
};
use crate::results::{Latency, Mark, Outcome, Results};

/// Most operations or targets that have a line of their own; colours are no more.
pub(crate) const SERIES_MAX: usize = 8;
/// Points of a percentile curve.
const CURVE_POINTS: u32 = 160;

/// A plot, drawn, with what belongs beside it.
pub(crate) struct Plot {
    pub(crate) title: String,
    /// How to read it.
    pub(crate) caption: String,
    pub(crate) legend: Vec<Key>,
    /// At each size; one of them is shown.
    pub(crate) drawings: Vec<String>,
    pub(crate) is_half: bool,
}

/// What a colour stands for.
pub(crate) struct Key {
    pub(crate) class: String,
    pub(crate) name: String,
}

impl Key {
    fn new(class: impl Into<String>, name: impl Into<String>) -> Self {
        Self { class: class.into(), name: name.into() }
    }
}

/// Of one run.
#[must_use]
pub(crate) fn of_run(results: &Results) -> Vec<Plot> {
    let timeline = Timeline::of(&results.seconds);
    let marks = bands(&timeline, &results.marks);
    let mut plots = Vec::new();
    if !timeline.points.is_empty() {
        plots.push(latency(&timeline, marks()));
        plots.push(throughput(&timeline, marks()));
        plots.push(outcomes("Outcomes", "outcomes", &timeline, &Outcome::ALL, marks()));
        let mishaps = &Outcome::ALL[1..];
        let is_mishap = |point: &Point| mishaps.iter().any(|outcome| point.outcomes.contains_key(outcome));
        if timeline.points.iter().any(is_mishap) {
            plots.push(outcomes("Outcomes but done", "mishaps", &timeline, mishaps, marks()));
        }
        if results.targets.len() > 1 {
            plots.push(targets(results, &timeline, marks()));
        }
    }
    let total = &results.total;
    let both = [
        ("s1".to_owned(), "from when it should have been sent", &total.latency),
        ("s2 dashed".to_owned(), "from when it was sent", &total.service),
    ];
    plots.extend(percentiles("Percentiles of all requests", "percentiles", &both));
    let mut largest: Vec<_> = results.operations.iter().collect();
    largest.sort_by_key(|operation| std::cmp::Reverse(operation.requests));
    largest.truncate(SERIES_MAX);
    if largest.len() > 1 {
        let curves: Vec<_> = largest
            .iter()
            .enumerate()
            .map(|(place, operation)| {
                (format!("s{}", place + 1), operation.name.as_str(), &operation.latency)
            })
            .collect();
        plots.extend(percentiles("Percentiles by operation", "by-operation", &curves));
    }
    plots
}

/// Of two runs.
#[must_use]
pub(crate) fn of_two(comparison: &Comparison<'_>) -> Vec<Plot> {
    let (before, after) = (comparison.before, comparison.after);
    let timelines = [Timeline::of(&before.seconds), Timeline::of(&after.seconds)];
    let mut plots = Vec::new();
    if timelines.iter().all(|timeline| !timeline.points.is_empty()) {
        let p99 = |point: &Point| point.latency.map(|latency| latency.p99);
        plots.push(beside("p99 over time", "p99", &timelines, p99, true));
        plots.push(beside("Requests per second", "throughput", &timelines, |point| Some(point.ended), false));
    }
    let both = [
        ("s1".to_owned(), "before", &before.total.latency),
        ("s2 dashed".to_owned(), "after", &after.total.latency),
    ];
    plots.extend(percentiles("Percentiles of all requests", "percentiles", &both));
    for (place, operation) in before.operations.iter().take(SERIES_MAX).enumerate() {
        let Some(other) = after.operations.iter().find(|other| other.name == operation.name) else {
            continue;
        };
        let both = [
            ("s1".to_owned(), "before", &operation.latency),
            ("s2 dashed".to_owned(), "after", &other.latency),
        ];
        let title = format!("Percentiles of {}", operation.name);
        plots.extend(percentiles(&title, &format!("percentiles-{place}"), &both));
    }
    plots
}

/// Warm-up and what happened, numbered as in the table of marks. Of each plot its own.
fn bands<'a>(timeline: &'a Timeline, marks: &'a [Mark]) -> impl Fn() -> Vec<Part> + 'a {
    move || {
        let warm_up = (timeline.warm_up_s > 0.0).then(|| Part::Band {
            class: "warm-up",
            from: 0.0,
            until: timeline.warm_up_s,
            label: "warm-up".to_owned(),
            title: "warm-up: counts for nothing".to_owned(),
        });
        let marks = marks.iter().enumerate().map(|(place, mark)| Part::Band {
            class: "mark",
            from: mark.at_s,
            until: mark.until_s.unwrap_or(mark.at_s),
            label: (place + 1).to_string(),
            title: mark.what.clone(),
        });
        warm_up.into_iter().chain(marks).collect()
    }
}

fn latency(timeline: &Timeline, mut parts: Vec<Part>) -> Plot {
    let latencies = || timeline.points.iter().filter_map(|point| point.latency);
    let values = latencies().flat_map(|latency| [latency.p50, latency.p99, latency.max]);
    let y = Axis::log(values, tick_micros);
    parts.extend(lines("max dotted", timeline, |point| Some(point.latency?.max)));
    parts.extend(lines("p99", timeline, |point| Some(point.latency?.p99)));
    parts.extend(lines("p50", timeline, |point| Some(point.latency?.p50)));
    parts.extend(probes(timeline, |point| match point.latency {
        Some(latency) => format!(
            "p50 {}, p99 {}, max {}",
            micros(latency.p50 as u64),
            micros(latency.p99 as u64),
            micros(latency.max as u64)
        ),
        None => "nothing ended".to_owned(),
    }));
    let legend = vec![Key::new("p50", "p50"), Key::new("p99", "p99"), Key::new("max dotted", "max")];
    let worst = latencies().map(|latency| latency.p99).fold(0.0, f64::max);
    let description = format!("The worst p99 of a second is {}.", micros(worst as u64));
    let caption = format!(
        "From when a request should have been sent to the end of its answer; each point is {}, the worst second in it \
         for p99 and max. A gap: nothing ended.",
        of_seconds(timeline.step_s)
    );
    plot("Latency over time", "latency", caption, legend, Chart { y, ..chart(timeline, parts, description) })
}

fn throughput(timeline: &Timeline, marks: Vec<Part>) -> Plot {
    let most = timeline.points.iter().map(|point| point.asked.max(point.ended)).fold(0.0, f64::max);
    let steps = timeline.points.iter().map(|point| [point.at_s, point.until_s, 0.0, point.ended]).collect();
    let mut parts = vec![Part::Steps { class: "done faint".to_owned(), steps }];
    parts.extend(marks);
    parts.extend(lines("done", timeline, |point| Some(point.ended)));
    parts.extend(lines("asked dashed", timeline, |point| Some(point.asked)));
    parts.extend(probes(timeline, |point| {
        format!("asked {}, ended {}", rate(point.asked), rate(point.ended))
    }));
    let legend = vec![Key::new("asked dashed", "asked"), Key::new("done", "ended")];
    let caption =
        "Requests that should have been sent, and that ended, per second. Where the second falls below the \
                   first, requests wait; where it lies above, it catches up."
            .to_owned();
    let description = format!("At most {} were asked or ended.", rate(most));
    let y = Axis::linear(most, tick_count);
    plot("Throughput", "throughput", caption, legend, Chart { y, ..chart(timeline, parts, description) })
}

fn outcomes(title: &str, id: &str, timeline: &Timeline, which: &[Outcome], marks: Vec<Part>) -> Plot {
    let of = |point: &Point, outcome: &Outcome| point.outcomes.get(outcome).copied().unwrap_or(0.0);
    let seen = |outcome: &&Outcome| timeline.points.iter().any(|point| of(point, outcome) > 0.0);
    let which: Vec<_> = which.iter().filter(seen).copied().collect();
    let mut heights = vec![0.0; timeline.points.len()];
    let mut parts = Vec::new();
    for outcome in &which {
        let steps = stack(timeline, &mut heights, |point| of(point, outcome));
        parts.push(Part::Steps { class: format!("o-{}", outcome.word()), steps });
    }
    parts.extend(marks);
    let most = heights.into_iter().fold(0.0, f64::max);
    parts.extend(probes(timeline, |point| {
        let counts = which.iter().filter(|outcome| of(point, outcome) > 0.0);
        let counts = counts.map(|outcome| format!("{} {}", outcome.word(), rate(of(point, outcome))));
        let counts: Vec<_> = counts.collect();
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    }));
    let legend =
        which.iter().map(|outcome| Key::new(format!("o-{} block", outcome.word()), outcome.word())).collect();
    let caption = match id {
        "mishaps" => "The same without those that were done, so that a few can be seen.",
        _ => "What became of the requests that ended, per second, on top of each other.",
    };
    let description = format!("At most {} ended.", rate(most));
    let y = Axis::linear(most, tick_count);
    plot(title, id, caption.to_owned(), legend, Chart { y, ..chart(timeline, parts, description) })
}

fn targets(results: &Results, timeline: &Timeline, marks: Vec<Part>) -> Plot {
    let named = results.targets.len().min(SERIES_MAX);
    let of_all = |point: &Point, target: usize| {
        let all: f64 = point.by_target.iter().sum();
        if all > 0.0 { point.by_target.get(target).copied().unwrap_or(0.0) / all } else { 0.0 }
    };
    let mut heights = vec![0.0; timeline.points.len()];
    let mut parts = Vec::new();
    for target in 0..named {
        let steps = stack(timeline, &mut heights, |point| of_all(point, target));
        parts.push(Part::Steps { class: format!("s{}", target + 1), steps });
    }
    parts.extend(marks);
    parts.extend(probes(timeline, |point| {
        let shares = results.targets.iter().take(named).enumerate();
        let shares = shares.map(|(place, target)| format!("{} {}", target.name, share(of_all(point, place))));
        shares.collect::<Vec<_>>().join(", ")
    }));
    let legend = results.targets.iter().take(named).enumerate();
    let legend = legend
        .map(|(place, target)| Key::new(format!("s{} block", place + 1), target.name.clone()))
        .collect();
    let mut caption = "Whose answers ended, in shares of all that did.".to_owned();
    if results.targets.len() > named {
        caption += " What is blank belongs to the targets that are not named.";
    }
    let description = format!("{} targets.", results.targets.len());
    let y = Axis::linear(1.0, share);
    plot(
        "Share of each target",
        "targets",
        caption,
        legend,
        Chart { y, ..chart(timeline, parts, description) },
    )
}

/// One figure of two runs, both from their beginning.
fn beside(
    title: &str,
    id: &str,
    timelines: &[Timeline; 2],
    figure: impl Fn(&Point) -> Option<f64>,
    is_latency: bool,
) -> Plot {
    let longest = if timelines[0].end_s >= timelines[1].end_s { &timelines[0] } else { &timelines[1] };
    let values = || timelines.iter().flat_map(|timeline| &timeline.points).filter_map(&figure);
    let y = if is_latency {
        Axis::log(values(), tick_micros)
    } else {
        Axis::linear(values().fold(0.0, f64::max), tick_count)
    };
    let mut parts = bands(longest, &[])();
    for (class, timeline) in ["s1", "s2 dashed"].iter().zip(timelines) {
        parts.extend(lines(class, timeline, &figure));
    }
    let legend = vec![Key::new("s1", "before"), Key::new("s2 dashed", "after")];
    let caption = "Both runs from their beginning.".to_owned();
    plot(title, id, caption, legend, Chart { y, ..chart(longest, parts, "Two lines.".to_owned()) })
}

/// Latency by how many requests were slower, if there is anything to show.
fn percentiles(title: &str, id: &str, curves: &[(String, &str, &Latency)]) -> Option<Plot> {
    let drawn: Vec<_> =
        curves.iter().filter_map(|(class, name, latency)| Some((class, *name, curve(latency)?))).collect();
    let nines = drawn.iter().filter_map(|(_, _, points)| points.last()).map(|(x, _)| *x).fold(0.0, f64::max);
    if drawn.is_empty() {
        return None;
    }
    let values = drawn.iter().flat_map(|(_, _, points)| points.iter().map(|(_, y)| *y));
    let y = Axis::log(values, tick_micros);
    let parts =
        drawn.iter().map(|(class, _, points)| Part::Line { class: (*class).clone(), points: points.clone() });
    let chart = Chart {
        title: String::new(),
        description: "Latency against the share of requests that were faster.".to_owned(),
        x: nines_axis(nines),
        y,
        parts: parts.collect(),
    };
    let legend = drawn.iter().map(|(class, name, _)| Key::new(class.as_str(), *name)).collect();
    let caption = "So many of all requests were at least as fast. Each step to the right is one of ten of those before; \
                   a curve that is flat and turns up late has a short tail."
        .to_owned();
    Some(sized(title, id, caption, legend, chart, HALF))
}

/// Nines and microseconds. Nothing if the histogram is empty, or none.
fn curve(latency: &Latency) -> Option<Vec<(f64, f64)>> {
    let bytes = BASE64.decode(latency.histogram.as_bytes()).ok()?;
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
    if histogram.is_empty() {
        return None;
    }
    // The slowest of all is the end: what would follow is known of nobody.
    let end = (histogram.len() as f64).log10().max(1.0);
    let points = (0..=CURVE_POINTS).map(|step| {
        let nines = end * f64::from(step) / f64::from(CURVE_POINTS);
        let value = histogram.value_at_quantile(1.0 - 10_f64.powf(-nines));
        (nines, value.max(1) as f64)
    });
    Some(points.collect())
}

fn nines_axis(end: f64) -> Axis {
    let mut ticks = vec![(0.0, "0 %".to_owned()), (2_f64.log10(), "50 %".to_owned())];
    for nines in 1..=end.ceil() as usize {
        let label = match nines {
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            more => format!("99.{} %", "9".repeat(more - 2)),
        };
        ticks.push((nines as f64, label));
    }
    ticks.retain(|(place, _)| *place <= end);
    Axis { scale: Scale::Linear { low: 0.0, high: end }, ticks }
}

/// A line for each stretch of points that have the figure, through their middles.
fn lines(class: &str, timeline: &Timeline, figure: impl Fn(&Point) -> Option<f64>) -> Vec<Part> {
    let places: Vec<_> = timeline
        .points
        .iter()
        .map(|point| figure(point).map(|value| (f64::midpoint(point.at_s, point.until_s), value)))
        .collect();
    let stretches = places.split(Option::is_none).filter(|stretch| !stretch.is_empty());
    stretches
        .map(|stretch| Part::Line {
            class: class.to_owned(),
            points: stretch.iter().flatten().copied().collect(),
        })
        .collect()
}

/// Puts a figure on top of what is there already.
fn stack(timeline: &Timeline, heights: &mut [f64], figure: impl Fn(&Point) -> f64) -> Vec<[f64; 4]> {
    let places = timeline.points.iter().zip(heights);
    places
        .map(|(point, height)| {
            let lower = *height;
            *height += figure(point);
            [point.at_s, point.until_s, lower, *height]
        })
        .collect()
}

fn probes(timeline: &Timeline, told: impl Fn(&Point) -> String) -> Vec<Part> {
    let probe = |point: &Point| {
        let when = match timeline.step_s {
            1 => format!("{:.0} s", point.at_s),
            _ => format!("{:.0} to {:.0} s", point.at_s, point.until_s),
        };
        Part::Probe { from: point.at_s, until: point.until_s, title: format!("{when}: {}", told(point)) }
    };
    timeline.points.iter().map(probe).collect()
}

fn of_seconds(step_s: u64) -> String {
    if step_s == 1 { "one second".to_owned() } else { format!("{step_s} seconds") }
}

fn chart(timeline: &Timeline, parts: Vec<Part>, description: String) -> Chart {
    let x = Axis::time(timeline.end_s);
    Chart { title: String::new(), description, x, y: Axis::linear(1.0, tick_count), parts }
}

fn plot(title: &str, id: &str, caption: String, legend: Vec<Key>, chart: Chart) -> Plot {
    sized(title, id, caption, legend, chart, WIDE)
}

fn sized(title: &str, id: &str, caption: String, legend: Vec<Key>, mut chart: Chart, size: Size) -> Plot {
    title.clone_into(&mut chart.title);
    let mut drawings = vec![chart.draw(id, size)];
    // Nobody points at a phone with a pointer.
    chart.parts.retain(|part| !matches!(part, Part::Probe { .. }));
    drawings.push(chart.draw(&format!("{id}-narrow"), NARROW));
    Plot { title: title.to_owned(), caption, legend, drawings, is_half: size == HALF }
}

fn tick_micros(value: f64) -> String {
    match value {
        value if value < 999.5 => format!("{value:.0} \u{b5}s"),
        value if value < 999_500.0 => format!("{} ms", value / 1e3),
        value => format!("{} s", value / 1e6),
    }
}

fn tick_count(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M/s", value / 1e6),
        value if value >= 10_000.0 => format!("{}k/s", value / 1e3),
        value => format!("{}/s", (value * 1e6).round() / 1e6),
    }
}
