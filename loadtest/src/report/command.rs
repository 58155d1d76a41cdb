//! The commands that read what runs left: `report` makes other forms of it, `compare` sets two beside each other.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{compare::Comparison, html, json, junit::junit, text::text, verdict::Verdict};
use crate::results::Results;

/// What a command came to: what it has to say on standard output, and whether it is good news.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) text: String,
    /// Files that were written.
    pub(crate) written: Vec<PathBuf>,
    /// Files that could not be, and why: exit 2.
    pub(crate) problems: Vec<String>,
    /// A run that does not pass, a comparison past its threshold: exit 1.
    pub(crate) passes: bool,
}

/// Where else a report of a run goes than to the terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) out: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    pub(crate) junit: Option<PathBuf>,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    Text,
    Json,
    Nothing,
}

impl Print {
    /// For every command that makes a run.
    pub(crate) fn arguments() -> [Arg; 2] {
        let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
        [json.help("Prints the results as JSON instead of text"), quiet()]
    }

    /// What these arguments say.
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let is_set = |name| matches!(arguments.try_get_one::<bool>(name), Ok(Some(true)));
        match (is_set("json"), is_set("quiet")) {
            (true, _) => Self::Json,
            (false, true) => Self::Nothing,
            (false, false) => Self::Text,
        }
    }
}

impl Files {
    /// For every command that makes a run.
    pub(crate) fn arguments() -> [Arg; 3] {
        [
            file("out", "Writes the results as JSON, from which every report can be made again"),
            html_file(),
            junit_file(),
        ]
    }

    /// What these arguments say.
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let file = |name| arguments.try_get_one::<PathBuf>(name).ok().flatten().cloned();
        Self { out: file("out"), html: file("html"), junit: file("junit") }
    }
}

/// The closing report of a run. What cannot be written is told beside it: the run is over, and its figures are to be read.
pub(crate) fn close(results: &Results, files: &Files, print: Print) -> anyhow::Result<Told> {
    let text = match print {
        Print::Text => text(results),
        Print::Json => serde_json::to_string_pretty(results)? + "\n",
        Print::Nothing => String::new(),
    };
    let mut told =
        Told { text, written: Vec::new(), problems: Vec::new(), passes: Verdict::of(results).passes() };
    let mut keep = |file: &Option<PathBuf>, write: &dyn Fn(&Path) -> anyhow::Result<()>| {
        let Some(file) = file else { return };
        match write(file) {
            Ok(()) => told.written.push(file.clone()),
            Err(error) => told.problems.push(format!("{error:#}")),
        }
    };
    keep(&files.out, &|file| json::write(file, results));
    keep(&files.html, &|file| json::write_file(file, html::html(results)?.as_bytes()));
    keep(&files.junit, &|file| json::write_file(file, junit(results).as_bytes()));
    Ok(told)
}

/// `report RESULTS.json`.
pub(crate) fn report_command() -> Command {
    Command::new("report")
        .about("Makes reports of a run from the JSON that was kept of it; exits 1 if the run does not pass")
        .arg(results("results", "The JSON of a run"))
        .args([html_file(), junit_file()])
        .arg(quiet())
}

/// `compare BEFORE.json AFTER.json`.
pub(crate) fn compare_command() -> Command {
    Command::new("compare")
        .about("Sets two runs beside each other; exits 1 if the second is worse by more than the threshold")
        .arg(results("before", "The JSON of the first run"))
        .arg(results("after", "The JSON of the second run"))
        .arg(
            Arg::new("threshold")
                .long("threshold")
                .value_name("RATIO")
                .default_value("1.10")
                .value_parser(threshold)
                .help(
                    "How many times as long, as many errors or as little throughput is still no regression",
                ),
        )
        .arg(
            Arg::new("anyway")
                .long("anyway")
                .action(ArgAction::SetTrue)
                .help("Also compares runs of different scenarios"),
        )
        .arg(file("html", "Writes a page with the plots of both"))
        .arg(quiet())
}

/// Runs `report`.
///
/// # Errors
///
/// If the results cannot be read.
pub(crate) fn run_report(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let results = json::read(&path(arguments, "results"))?;
    close(&results, &Files::of(arguments), Print::of(arguments))
}

/// Runs `compare`.
///
/// # Errors
///
/// If results cannot be read, are of different scenarios, or the page cannot be written.
pub(crate) fn run_compare(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let (before, after) = (json::read(&path(arguments, "before"))?, json::read(&path(arguments, "after"))?);
    let threshold = *arguments.get_one::<f64>("threshold").expect("has a default");
    let comparison = Comparison::of(&before, &after, threshold, arguments.get_flag("anyway"))?;
    let mut written = Vec::new();
    if let Some(file) = arguments.get_one::<PathBuf>("html") {
        json::write_file(file, html::comparison(&comparison)?.as_bytes())?;
        written.push(file.clone());
    }
    let text = if arguments.get_flag("quiet") { String::new() } else { comparison.text() };
    Ok(Told { text, written, problems: Vec::new(), passes: comparison.regressions().is_empty() })
}

fn threshold(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(threshold) if threshold >= 1.0 && threshold.is_finite() => Ok(threshold),
        _ => Err("it is a ratio of at least 1, such as 1.10".to_owned()),
    }
}

fn path(arguments: &ArgMatches, name: &str) -> PathBuf {
    arguments.get_one::<PathBuf>(name).expect("clap asks for it").clone()
}

fn results(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .value_name(name.to_uppercase() + ".json")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn file(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

fn html_file() -> Arg {
    file("html", "Writes a page with plots that needs nothing else to be read")
}

fn junit_file() -> Arg {
    file("junit", "Writes JUnit XML: a test case for each promise, objective and fault")
}

fn quiet() -> Arg {
    Arg::new("quiet")
        .long("quiet")
        .short('q')
        .action(ArgAction::SetTrue)
        .help("Prints nothing but errors, and the JSON if that is asked for")
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn kept(folder: &std::path::Path, name: &str, results: &Results) -> String {
        let file = folder.join(name);
        json::write(&file, results).unwrap();
        file.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_run_is_reported_from_its_json() {
        let folder = tempfile::tempdir().unwrap();
        let file = kept(folder.path(), "a.json", &sample::results());
        let (page, xml) = (folder.path().join("a.html"), folder.path().join("a.xml"));
        let arguments = ["report", &file, "--html", page.to_str().unwrap(), "--junit", xml.to_str().unwrap()];
        let told = run_report(&report_command().get_matches_from(arguments)).unwrap();
        assert!(!told.passes && told.text == text(&sample::results()));
        assert_eq!(std::fs::read_to_string(&page).unwrap(), html::html(&sample::results()).unwrap());
        assert_eq!(std::fs::read_to_string(&xml).unwrap(), junit(&sample::results()));
        assert_eq!(told.written, [page, xml]);
    }

    #[test]
    fn a_report_that_cannot_be_written_does_not_lose_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            out: Some(folder.path().join("none/a.json")),
            html: Some(folder.path().join("a.html")),
            junit: None,
        };
        let told = close(&sample::calm(), &files, Print::Text).unwrap();
        assert_eq!(told.text, text(&sample::calm()));
        assert_eq!(told.written, [folder.path().join("a.html")]);
        assert!(told.problems.len() == 1 && told.problems[0].contains("none/a.json"), "{:?}", told.problems);
    }

    #[test]
    fn a_comparison_passes_up_to_its_threshold() {
        let folder = tempfile::tempdir().unwrap();
        let before = kept(folder.path(), "a.json", &sample::calm());
        let after = kept(folder.path(), "b.json", &sample::slower());
        let told = |more: &[&str]| {
            let arguments = ["compare", &before, &after].into_iter().chain(more.iter().copied());
            run_compare(&compare_command().get_matches_from(arguments)).unwrap()
        };
        assert!(!told(&[]).passes);
        assert!(told(&["--threshold", "1.6"]).passes);
        assert_eq!(told(&["--quiet"]).text, "");
        let page = folder.path().join("ab.html");
        told(&["--html", page.to_str().unwrap()]);
        assert!(std::fs::read_to_string(page).unwrap().contains("1.50x"));
    }

    #[test]
    fn wrong_use_is_told_before_anything_is_read() {
        for wrong in [
            vec!["compare", "a.json"],
            vec!["compare", "a", "b", "--threshold", "0.9"],
            vec!["compare", "a", "b", "--threshold", "NaN"],
        ] {
            let error = compare_command().try_get_matches_from(wrong).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
