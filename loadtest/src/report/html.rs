//! The HTML of a run, and of two: a file that needs nothing else, no network and no script.

use anyhow::Context as _;
use askama::Template;

use super::{
    compare::{Comparison, shown},
    figures::{self, bytes, count, micros, share},
    plots::{self, Plot},
    verdict::{Grade, Verdict},
};
use crate::results::{Operation, Oracle, Outcome, Results, Target};

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    run: &'a Results,
    verdict: Verdict,
    operations: Vec<OperationRow<'a>>,
    targets: Vec<TargetRow<'a>>,
    faults: Vec<FaultRow<'a>>,
    oracles: Vec<OracleRow<'a>>,
    marks: Vec<MarkRow<'a>>,
    /// The figures that are asked for first.
    tiles: Vec<(&'static str, String)>,
    generator: Vec<(&'static str, String)>,
    plots: Vec<Plot>,
}

struct OperationRow<'a> {
    name: &'a str,
    kind: &'a str,
    cells: Vec<String>,
    /// Outcomes, statuses and error codes, in words.
    outcomes: String,
    has_errors: bool,
    is_total: bool,
}

struct TargetRow<'a> {
    target: &'a Target,
    requests: String,
    share: String,
}

struct FaultRow<'a> {
    fault: &'a str,
    victim: &'a str,
    cells: Vec<String>,
    landed: String,
    missed: String,
    outcomes: String,
}

struct OracleRow<'a> {
    oracle: &'a Oracle,
    checked: String,
    undecided: String,
    why_undecided: String,
    violations: String,
}

struct MarkRow<'a> {
    number: usize,
    what: &'a str,
    when: String,
}

#[derive(Template)]
#[template(path = "comparison.html")]
struct Compared<'a> {
    before: &'a Results,
    after: &'a Results,
    sides: [Side<'a>; 2],
    rows: Vec<ComparedRow<'a>>,
    unpaired: &'a [String],
    regressions: Vec<String>,
    threshold: String,
    plots: Vec<Plot>,
}

struct Side<'a> {
    name: &'static str,
    run: &'a Results,
    verdict: Verdict,
}

struct ComparedRow<'a> {
    name: &'a str,
    changes: Vec<ChangeCells>,
}

struct ChangeCells {
    before: String,
    after: String,
    ratio: String,
    is_past: bool,
}

/// The page of a run.
///
/// # Errors
///
/// None that a run could lead to.
pub(crate) fn html(results: &Results) -> anyhow::Result<String> {
    let mut operations: Vec<_> = results
        .operations
        .iter()
        .map(|operation| operation_row(operation, operation.errors_share(), false))
        .collect();
    operations.push(operation_row(&results.total, results.errors_share(), true));
    let page = Report {
        run: results,
        verdict: Verdict::of(results),
        operations,
        targets: target_rows(results),
        faults: fault_rows(results),
        oracles: oracle_rows(results),
        marks: mark_rows(results),
        tiles: tiles(results),
        generator: generator(results),
        plots: plots::of_run(results),
    };
    page.render().context("the report cannot be rendered")
}

/// The page of two runs.
///
/// # Errors
///
/// None that runs could lead to.
pub(crate) fn comparison(comparison: &Comparison<'_>) -> anyhow::Result<String> {
    let side = |name, run| Side { name, run, verdict: Verdict::of(run) };
    let rows = comparison.rows.iter().map(|row| ComparedRow {
        name: &row.name,
        changes: row
            .changes()
            .into_iter()
            .map(|(figure, change)| ChangeCells {
                before: shown(figure, change.before),
                after: shown(figure, change.after),
                ratio: figures::ratio(change.ratio),
                is_past: change.is_past,
            })
            .collect(),
    });
    let page = Compared {
        before: comparison.before,
        after: comparison.after,
        sides: [side("before", comparison.before), side("after", comparison.after)],
        rows: rows.collect(),
        unpaired: &comparison.unpaired,
        regressions: comparison.regressions(),
        threshold: figures::ratio(comparison.threshold),
        plots: plots::of_two(comparison),
    };
    page.render().context("the comparison cannot be rendered")
}

fn operation_row(operation: &Operation, errors: f64, is_total: bool) -> OperationRow<'_> {
    let latency = &operation.latency;
    let mut cells = vec![
        count(operation.requests),
        figures::rate(operation.rate_asked),
        figures::rate(operation.rate_achieved),
    ];
    cells.extend(
        [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us].map(micros),
    );
    cells.extend([bytes(operation.bytes_received), share(errors)]);
    let statuses = operation.statuses.iter().map(|(status, many)| format!("{status}: {}", count(*many)));
    let statuses: Vec<_> = statuses.collect();
    let codes = operation.error_codes.iter().map(|(code, many)| format!("{code}: {}", count(*many)));
    let codes: Vec<_> = codes.collect();
    let outcomes = [outcomes(&operation.outcomes), statuses.join(", "), codes.join(", ")];
    OperationRow {
        name: &operation.name,
        kind: &operation.kind,
        cells,
        outcomes: outcomes.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; "),
        has_errors: errors > 0.0,
        is_total,
    }
}

fn outcomes(outcomes: &std::collections::BTreeMap<Outcome, u64>) -> String {
    let words = outcomes.iter().filter(|(_, many)| **many > 0);
    words.map(|(outcome, many)| format!("{} {}", outcome.word(), count(*many))).collect::<Vec<_>>().join(", ")
}

fn target_rows(results: &Results) -> Vec<TargetRow<'_>> {
    let all: u64 = results.targets.iter().map(|target| target.requests).sum();
    let targets = results.targets.iter();
    targets
        .map(|target| TargetRow {
            target,
            requests: count(target.requests),
            share: share(target.requests as f64 / (all as f64).max(1.0)),
        })
        .collect()
}

fn fault_rows(results: &Results) -> Vec<FaultRow<'_>> {
    let after = |time: Option<f64>| time.map_or("\u{2013}".to_owned(), figures::seconds);
    results
        .faults
        .iter()
        .map(|fault| FaultRow {
            fault: &fault.fault,
            victim: &fault.victim,
            cells: vec![
                figures::seconds(fault.at_s),
                figures::seconds((fault.until_s - fault.at_s).max(0.0)),
                after(fault.detection_s),
                after(fault.takeover_s),
                after(fault.harm_s),
                after(fault.recovery_s),
                count(fault.in_flight),
                count(fault.outcomes.get(&Outcome::Unknown).copied().unwrap_or(0)),
                count(fault.fenced_pages),
            ],
            landed: fault
                .landed
                .iter()
                .map(|(what, many)| format!("{what}: {}", count(*many)))
                .collect::<Vec<_>>()
                .join(", "),
            missed: fault.missed.join(", "),
            outcomes: outcomes(&fault.outcomes),
        })
        .collect()
}

fn oracle_rows(results: &Results) -> Vec<OracleRow<'_>> {
    let oracles = results.oracles.iter();
    oracles
        .map(|oracle| {
            let why = oracle.undecided.iter().map(|(why, many)| format!("{why}: {}", count(*many)));
            OracleRow {
                oracle,
                checked: count(oracle.checked),
                undecided: count(oracle.undecided.values().sum()),
                why_undecided: why.collect::<Vec<_>>().join("; "),
                violations: count(oracle.violations),
            }
        })
        .collect()
}

fn mark_rows(results: &Results) -> Vec<MarkRow<'_>> {
    let marks = results.marks.iter().enumerate();
    marks
        .map(|(place, mark)| MarkRow {
            number: place + 1,
            what: &mark.what,
            when: match mark.until_s {
                Some(until) => {
                    format!("{} to {}", figures::seconds(mark.at_s), figures::seconds(until))
                }
                None => format!("at {}", figures::seconds(mark.at_s)),
            },
        })
        .collect()
}

fn tiles(results: &Results) -> Vec<(&'static str, String)> {
    let total = &results.total;
    vec![
        ("requests", count(total.requests)),
        ("asked", figures::rate(total.rate_asked)),
        ("achieved", figures::rate(total.rate_achieved)),
        ("p50", micros(total.latency.p50_us)),
        ("p99", micros(total.latency.p99_us)),
        ("p99.9", micros(total.latency.p999_us)),
        ("errors", share(results.errors_share())),
    ]
}

fn generator(results: &Results) -> Vec<(&'static str, String)> {
    let generator = &results.generator;
    vec![
        ("sent late, p50", micros(generator.lag.p50_us)),
        ("sent late, p99", micros(generator.lag.p99_us)),
        ("sent late, at most", micros(generator.lag.max_us)),
        ("of a core", share(generator.cpu_share)),
        ("held back", count(generator.held_back)),
    ]
}

impl Verdict {
    fn mark(&self) -> &'static str {
        self.grade.mark()
    }
}

impl Grade {
    /// A sign that does not need its colour.
    fn mark(self) -> &'static str {
        match self {
            Self::Kept => "\u{2713}",
            Self::Doubtful => "!",
            Self::Broken => "\u{2717}",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    /// Tags of a page, and whatever a browser would act on.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).map(|rest| rest.split(['>', ' ']).next().unwrap_or_default()).collect()
    }

    #[test]
    fn nothing_that_a_run_holds_becomes_markup() {
        let page = html(&sample::results()).unwrap();
        let tags = tags(&page);
        for hostile in ["script", "b", "i", "img", "/script"] {
            let allowed = if hostile == "b" { sample::results().marks.len() } else { 0 };
            assert_eq!(tags.iter().filter(|tag| **tag == hostile).count(), allowed, "{hostile}");
        }
        assert_eq!(
            tags.iter().filter(|tag| **tag == "/title").count(),
            tags.iter().filter(|tag| **tag == "title").count()
        );
        assert!(page.contains("sign") && page.contains("call 4711 was begun twice"));
    }

    #[test]
    fn a_page_asks_the_network_for_nothing() {
        for page in [html(&sample::results()).unwrap(), beside()] {
            for asks in ["src=", "@import", "url(", "<script", "<iframe", "href=\"http"] {
                assert!(!page.contains(asks), "{asks}");
            }
        }
    }

    #[test]
    fn every_opened_element_is_closed() {
        for page in [html(&sample::results()).unwrap(), html(&sample::calm()).unwrap(), beside()] {
            let mut open: Vec<&str> = Vec::new();
            let body = page.split_once("</style>").unwrap().1;
            for piece in body.split('<').skip(1) {
                let tag = piece.split('>').next().unwrap_or_default();
                let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap_or_default();
                if let Some(name) = tag.strip_prefix('/') {
                    // The head was cut off above.
                    if !["head", "html"].contains(&name) {
                        assert_eq!(open.pop(), Some(name), "{piece}");
                    }
                } else if !tag.ends_with('/') {
                    open.push(name);
                }
            }
            assert_eq!(open, Vec::<&str>::new());
        }
    }

    #[test]
    fn a_page_has_a_plot_for_each_question() {
        let page = html(&sample::results()).unwrap();
        for plot in ["latency", "throughput", "outcomes", "mishaps", "targets", "percentiles", "by-operation"]
        {
            assert!(page.contains(&format!("id=\"{plot}-t\"")), "{plot}");
        }
        assert!(!html(&sample::calm()).unwrap().contains("id=\"mishaps-t\""), "there were none");
        assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-labelledby").count());
    }

    #[test]
    fn a_run_of_nothing_has_a_page_too() {
        let mut results = sample::calm();
        (results.seconds, results.operations, results.targets) = Default::default();
        results.oracles.clear();
        results.total = Operation::default();
        results.total.latency.histogram = "no histogram".to_owned();
        let page = html(&results).unwrap();
        assert!(page.contains("No promise was checked") && page.contains("No request ended"));
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn a_day_makes_no_larger_page_than_four_minutes() {
        let mut results = sample::calm();
        let second = results.seconds[20].clone();
        results.seconds = vec![second; 86_400];
        for (at_s, second) in results.seconds.iter_mut().enumerate() {
            second.at_s = at_s as u64;
        }
        let page = html(&results).unwrap();
        assert!(page.len() < 600_000, "{} bytes", page.len());
    }

    fn beside() -> String {
        let (before, after) = (sample::calm(), sample::slower());
        comparison(&Comparison::of(&before, &after, 1.1, false).unwrap()).unwrap()
    }
}
