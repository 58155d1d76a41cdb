//! The status as a page that needs nothing else: no build step, nothing from elsewhere. Each section is replaced as a whole
//! when it has changed.

use std::{
    fmt::Display,
    time::{Duration, SystemTime},
};

use askama::Template;

use super::Status;
use crate::html::Html;

mod drawing;
mod sections;
#[cfg(test)]
mod tests;

/// The page, or what of it is sent again.
pub(crate) struct Page {
    application: &'static str,
    state: &'static str,
    pub(crate) sections: Vec<Section>,
}

/// One part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) id: &'static str,
    title: &'static str,
    pub(crate) html: String,
}

#[derive(Template)]
#[template(path = "status/page.html")]
struct Whole<'a> {
    application: &'static str,
    state: &'static str,
    nonce: &'a str,
    style: &'static str,
    script: &'static str,
    sections: &'a [Section],
}

impl Page {
    pub(crate) fn of(status: &Status) -> Result<Self, askama::Error> {
        let sections: Result<_, _> = sections::all(status).iter().map(View::section).collect();
        Ok(Self { application: status.node.application, state: status.node.state, sections: sections? })
    }

    /// The whole of it. What is not marked with `nonce` is not to be run.
    pub(crate) fn html(&self, nonce: &str) -> Result<String, askama::Error> {
        let whole = Whole {
            application: self.application,
            state: self.state,
            nonce,
            style: include_str!("../../templates/status/style.css"),
            script: include_str!("../../templates/status/script.js"),
            sections: &self.sections,
        };
        whole.render()
    }
}

/// What a section shows, in this order.
#[derive(Default, Template)]
#[template(path = "status/section.html")]
struct View {
    id: &'static str,
    title: &'static str,
    tiles: Vec<Tile>,
    facts: Vec<Fact>,
    figure: Html,
    table: Option<Table>,
    lines: Option<Vec<Line>>,
}

impl View {
    fn section(&self) -> Result<Section, askama::Error> {
        Ok(Section { id: self.id, title: self.title, html: self.render()? })
    }
}

/// A figure, and how it was in the last minute.
struct Tile {
    label: &'static str,
    value: String,
    spark: Html,
}

impl Tile {
    /// Something that is counted each second.
    fn rate(label: &'static str, each: &[u64]) -> Self {
        let newest = each.last().copied().unwrap_or(0);
        Self { label, value: newest.to_string(), spark: drawing::spark_of(each, label) }
    }

    /// How long something took, over the whole minute and in each second of it.
    fn time(label: &'static str, whole: Option<f64>, each: &[Option<f64>]) -> Self {
        let value = whole.map_or_else(|| "–".to_owned(), milliseconds);
        Self { label, value, spark: drawing::spark(each, "ms") }
    }
}

struct Fact {
    label: &'static str,
    value: String,
    /// Whether somebody should do something.
    is_bad: bool,
}

fn fact(label: &'static str, value: &dyn Display) -> Fact {
    Fact { label, value: value.to_string(), is_bad: false }
}

impl Fact {
    fn bad_if(self, is_bad: bool) -> Self {
        Self { is_bad, ..self }
    }
}

struct Table {
    head: &'static [&'static str],
    rows: Vec<Row>,
    /// What is said where there is none.
    empty: &'static str,
}

struct Row {
    is_marked: bool,
    cells: Vec<Html>,
}

/// A slow request and its parts.
struct Line {
    /// Tells it from the others, also once a slower one stands before it.
    key: String,
    what: String,
    at: String,
    took: String,
    outcome: Option<String>,
    trace: String,
    call: Option<String>,
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    from: String,
    took: String,
    bar: Html,
}

fn text(text: &dyn Display) -> Html {
    Html::escape(&text.to_string())
}

fn code(text: &str) -> Html {
    Html::raw(format!("<code>{}</code>", Html::escape(text)))
}

/// `14:03:22 UTC`.
fn time_of_day(at_ms: u64) -> String {
    let at =
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms)).to_string();
    let time = at.split_once('T').map_or(at.as_str(), |(_, time)| time);
    format!("{} UTC", time.trim_end_matches('Z'))
}

/// As many digits as somebody reads.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let unit = UNITS.len().min(bytes.max(1).ilog2() as usize / 10 + 1) - 1;
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{:.1} {}", bytes as f64 / (1_u64 << (10 * unit)) as f64, UNITS[unit]),
    }
}
