//! The parts of `docs/` that follow from tables in the source.
//!
//! `docs/configuration.md`, `docs/metrics.md` and the dashboards in `monitoring/` are written whole, `docs/security.md` where it counts the fuzzer's executions. A page of
//! `docs/errors/` is written by hand below its first heading; what stands above that follows from the table of error
//! codes.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context as _, bail};
use callboard::{Metric, MetricKind, Setting, Settings};
use callboard_protocol::{ErrorCode, error::Family};

use crate::{fuzz, monitoring, repository};

/// What every page of an error says, in this order.
const SECTIONS: [&str; 3] = ["## What it means\n", "## What the client sees\n", "## What to do\n"];

/// Writes what is generated, or checks that it is what would be written.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = repository::root();
    for (name, text) in generated()? {
        let path = root.join(&name);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            bail!("{name} is not what its source says: run `cargo xtask docs`");
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
        println!("wrote {name}");
    }
    Ok(())
}

/// Every generated file and its text.
fn generated() -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::from([
        ("docs/configuration.md".to_owned(), configuration()),
        ("docs/metrics.md".to_owned(), metrics()),
    ]);
    let pages = ErrorCode::ALL.iter().map(|code| Ok((*code, error_page(*code)?)));
    let pages: Vec<(ErrorCode, String)> = pages.collect::<anyhow::Result<_>>()?;
    no_other_pages()?;
    files.extend(monitoring::dashboards());
    files.extend([fuzz::documented()?]);
    files.insert("docs/errors/README.md".to_owned(), index(&pages));
    files.extend(pages.into_iter().map(|(code, text)| (page_name(code), text)));
    Ok(files)
}

fn page_name(code: ErrorCode) -> String {
    format!("docs/errors/{code}.md")
}

/// A page whose head follows from the table, and whose sections are there.
fn error_page(code: ErrorCode) -> anyhow::Result<String> {
    let name = page_name(code);
    let text = fs::read_to_string(repository::root().join(&name)).with_context(|| {
        format!(
            "{name} is missing: every error has a page with the sections {}",
            SECTIONS.concat().replace('\n', " ")
        )
    })?;
    let mut rest = text.as_str();
    let mut sections = String::new();
    for (place, section) in SECTIONS.iter().enumerate() {
        let (before, after) = rest
            .split_once(section)
            .with_context(|| format!("{name} lacks {section:?}, or has it elsewhere"))?;
        if place > 0 {
            if before.trim().is_empty() {
                bail!("{name}: the section above {section:?} is empty");
            }
            sections.push_str(before);
        }
        sections.push_str(section);
        rest = after;
    }
    if rest.trim().is_empty() {
        bail!("{name}: its last section is empty");
    }
    sections.push_str(rest);
    Ok(head(code) + &sections)
}

fn head(code: ErrorCode) -> String {
    let outcome = if code == ErrorCode::PageFailed {
        "none: a page is no call".to_owned()
    } else {
        format!("`{}`", code.family().outcome())
    };
    format!(
        "# {code}\n\n| HTTP status | `callboard-outcome` | what the caller may do next |\n|---|---|---|\n| {} | {outcome} \
         | {} |\n\n",
        code.status(),
        next(code.family()),
    )
}

fn next(family: Family) -> &'static str {
    match family {
        Family::Refused => "nothing ran; mend the call before it is sent again",
        Family::Overloaded => "nothing ran; sending the same call again after a wait is safe",
        Family::OutcomeUnknown => "it may have run; send it again only where running twice does no harm",
        Family::Failed => "it ran and this is its answer",
        Family::Bug => "it may have run; tell us",
    }
}

fn no_other_pages() -> anyhow::Result<()> {
    for entry in fs::read_dir(repository::root().join("docs/errors"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = name == "README.md" || ErrorCode::ALL.iter().any(|code| name == format!("{code}.md"));
        if !known {
            bail!("docs/errors/{name} is the page of no error");
        }
    }
    Ok(())
}

fn index(pages: &[(ErrorCode, String)]) -> String {
    let mut text = "# Errors\n\nEvery answer that is not an action's value or a page names one of these in the header \
                    `callboard-error`. `callboard-outcome` says whether the call ran.\n\n| code | status | outcome | meaning \
                    |\n|---|---|---|---|\n"
        .to_owned();
    for (code, page) in pages {
        let meaning = page.split_once(SECTIONS[0]).map_or("", |(_, rest)| rest.trim_start());
        let meaning = meaning.split_once(". ").map_or(meaning, |(first, _)| first);
        let meaning =
            meaning.split("\n\n").next().unwrap_or_default().trim_end_matches('.').replace('\n', " ");
        let outcome = if *code == ErrorCode::PageFailed { "—" } else { code.family().outcome() };
        writeln!(text, "| [`{code}`]({code}.md) | {} | {outcome} | {meaning} |", code.status())
            .expect("writing to a string does not fail");
    }
    text
}

fn metrics() -> String {
    let mut text = "<!-- Written by `cargo xtask docs` from the table in node/src/metrics. -->\n\n# Metrics\n\n`GET /metrics` on \
                    the admin port of a node, in Prometheus' text format; with the setting `otlp_endpoint` the same numbers \
                    go to a collector by OTLP, under the name that stands in the second column. Times are in seconds, sizes \
                    in bytes. Histograms have `_bucket`, `_sum` and `_count`. What a client sends is no label: how many \
                    series there are depends on the application alone.\n\n| metric | in OpenTelemetry | kind | \
                    labels |\n|---|---|---|---|\n"
        .to_owned();
    for metric in Metric::ALL {
        let name = metric.prometheus_name();
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
        let labels = if labels.is_empty() { "—".to_owned() } else { labels.join(", ") };
        writeln!(text, "| [`{name}`](#{name}) | `{}` | {} | {labels} |", metric.name, metric.kind.name())
            .expect("writing to a string does not fail");
    }
    text.extend(Metric::ALL.iter().map(metric_section));
    text
}

fn metric_section(metric: &Metric) -> String {
    let doc: Vec<_> = metric.doc.lines().map(str::trim).collect();
    let mut text = format!("\n## {}\n\n{}\n", metric.prometheus_name(), doc.join("\n").trim());
    if metric.kind == MetricKind::Histogram {
        let bounds: Vec<_> = metric.buckets().iter().map(f64::to_string).collect();
        write!(text, "\nBuckets up to {}.\n", bounds.join(", ")).expect("writing to a string does not fail");
    }
    for label in metric.labels {
        write!(text, "\n`{}`: {}.\n", label.name, label.values).expect("writing to a string does not fail");
    }
    text
}

fn configuration() -> String {
    let mut text = "<!-- Written by `cargo xtask docs` from the table in node/src/settings. -->\n\n# Configuration\n\nEvery \
                    setting can be given as a flag, as an environment variable or as a key of a TOML file that `--config \
                    FILE` or `CALLBOARD_CONFIG` names. A flag goes before the environment, the environment before the file, \
                    the file before the default. A name that is no setting, or a value that is none of its type, is an error \
                    at start and says what would have been right.\n\n```toml\nlisten = \"0.0.0.0:3000\"\nbody_bytes_max = \
                    4_194_304\nallowed_origins = [\"app.example.com\"]\n```\n\n| setting | default | unit or form |\n|---|---|---|\n"
        .to_owned();
    text.extend(Settings::TABLE.iter().map(|setting| {
        format!("| [`{0}`](#{0}) | {1} | {2} |\n", setting.name, default(setting), unit(setting))
    }));
    text.extend(Settings::TABLE.iter().map(section));
    text
}

fn section(setting: &Setting) -> String {
    let doc: Vec<_> = setting.doc.lines().map(str::trim).collect();
    format!(
        "\n## {}\n\n`--{}`, `{}`; default {}; {}.{}\n\n{}\n",
        setting.name,
        setting.flag(),
        setting.variable(),
        default(setting),
        unit(setting),
        if setting.secret { " Secret: never printed or logged." } else { "" },
        doc.join("\n").trim(),
    )
}

fn default(setting: &Setting) -> String {
    if setting.default.is_empty() { "none".to_owned() } else { format!("`{}`", setting.default) }
}

fn unit(setting: &Setting) -> String {
    setting.unit.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_documentation_is_what_its_sources_say() {
        run(true).unwrap();
    }
}
