//! A scenario from its text: what it says, what it must not say together, and what it does not say.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Action, ActionOracle, Arguments, Form, Hostile, Http, Kind, Load, Operation, Page, Picks, Rate, Scenario,
    Spacing,
    problems::{Findings, Problems, instead},
    reading::{self, Read},
    schema::{self, Key},
    template::Template,
    text::{Chosen, Text},
};
use crate::observation::LedgerClass;

/// The tables of a scenario, beside the keys of its top.
const TABLES: [&str; 2] = ["load", "operation"];

/// The keys that say how many requests there are.
const RATES: [&str; 4] = ["rate", "ramp", "steps", "replay"];

impl Scenario {
    /// Reads the text of a scenario; `name` is that of its file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let mut findings = Findings::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            findings.add(&error.span().unwrap_or_default(), format!("no TOML: {}", error.message()));
        }
        // What is recovered of a text that is no TOML would only be wrong for that.
        let read = errors.is_empty().then(|| {
            let root = root.get_ref();
            let load = load(root, &mut findings);
            let timeout = load.as_ref().map(|load| load.timeout);
            (about(root, &mut findings), load, operations(root, timeout, &mut findings))
        });
        findings.finish(name)?;
        let (about, load, operations) = read.expect("errors were found");
        let load = load.expect("what is missing was found");
        Ok(Self { name: name.to_owned(), about: about.unwrap_or_default(), load, operations })
    }
}

fn about(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let mut top = DeTable::new();
    for (name, value) in root {
        let written: &str = name.get_ref();
        if TABLES.contains(&written) {
            continue;
        }
        let known = schema::TOP.iter().map(|key| key.name).chain(TABLES);
        if known.clone().any(|key| key == written) {
            top.insert(name.clone(), value.clone());
        } else {
            findings.add(&name.span(), format!("a scenario has no `{written}`; {}", instead(written, known)));
        }
    }
    let keys: Vec<_> = schema::TOP.iter().collect();
    reading::read(&top, 0..0, "a scenario", &keys, findings).text("about")
}

fn load(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Load> {
    let Some(value) = root.get("load") else {
        findings.add(&(0..0), "there is no `[load]`, which says how many requests there are");
        return None;
    };
    let Some(table) = value.get_ref().as_table() else {
        findings.add(&value.span(), "`load` has to be a table: `[load]`");
        return None;
    };
    let keys: Vec<_> = schema::LOAD.iter().collect();
    let read = reading::read(table, value.span(), "`[load]`", &keys, findings);
    let rate = rate(&read, findings);
    Some(Load {
        rate: rate?,
        spacing: if read.text("spacing")? == "even" { Spacing::Even } else { Spacing::Poisson },
        warm_up: read.time("warm_up")?,
        duration: read.time("duration")?,
        connections_max: read.count("connections")? as usize,
        http: if read.text("http")? == "2" { Http::Two } else { Http::One },
        timeout: read.time("timeout")?,
    })
}

fn rate(read: &Read, findings: &mut Findings<'_>) -> Option<Rate> {
    let written: Vec<_> = RATES.into_iter().filter(|key| read.is_written(key)).collect();
    let words = RATES.map(|key| format!("`{key}`")).join(", ");
    match written[..] {
        [_] => {}
        [] => findings.add(&read.at, format!("`[load]` needs one of {words}")),
        [first, second, ..] => findings.add(
            &read.place(second),
            format!("`{second}` beside `{first}`: `[load]` takes only one of {words}"),
        ),
    }
    let rate = match written.first().copied()? {
        "rate" => Rate::Constant(read.number("rate")?),
        "ramp" => read.ramp("ramp").map(|(from, to)| Rate::Ramp { from, to })?,
        "steps" => Rate::Steps(read.steps("steps")?.to_vec()),
        _ => Rate::Replay(read.rates("replay")?.to_vec()),
    };
    let asks_something = match &rate {
        Rate::Constant(rate) => *rate > 0.0,
        Rate::Ramp { from, to } => from + to > 0.0,
        Rate::Steps(steps) => steps.iter().any(|(rate, _)| *rate > 0.0),
        Rate::Replay(rates) => rates.iter().any(|rate| *rate > 0.0),
    };
    if !asks_something {
        findings.add(&read.place(written[0]), format!("`{}` never asks for a request", written[0]));
    }
    if let (Rate::Steps(steps), Some(duration)) = (&rate, read.time("duration")) {
        let before_last = &steps[..steps.len().saturating_sub(1)];
        let begins = before_last.iter().map(|(_, time)| *time).sum::<Duration>();
        if begins >= duration && !before_last.is_empty() {
            let what = format!(
                "the last of `steps` would begin after {}, and `duration` is {}",
                humantime::format_duration(begins),
                humantime::format_duration(duration)
            );
            findings.add(&read.place("steps"), what);
        }
    }
    Some(rate)
}

fn operations(root: &DeTable<'_>, timeout: Option<Duration>, findings: &mut Findings<'_>) -> Vec<Operation> {
    let Some(value) = root.get("operation") else {
        let kinds = schema::KINDS.iter().map(|(kind, _)| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
        findings
            .add(&(0..0), format!("there is no `[[operation]]`, which says what is asked: one with {kinds}"));
        return Vec::new();
    };
    let Some(array) = value.get_ref().as_array().filter(|array| !array.is_empty()) else {
        findings.add(&value.span(), "`operation` has to be an array of tables: `[[operation]]`");
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for value in array {
        let DeValue::Table(table) = value.get_ref() else {
            findings.add(&value.span(), "`operation` has to be an array of tables: `[[operation]]`");
            continue;
        };
        let Some(operation) = operation(table, value, timeout, findings) else { continue };
        if !names.insert(operation.name.clone()) {
            let what = format!("there are two operations `{}`: give one another `name`", operation.name);
            findings.add(&value.span(), what);
        }
        found.push(operation);
    }
    if !found.is_empty() && found.iter().all(|operation: &Operation| operation.weight == 0.0) {
        findings.add(&value.span(), "all operations have `weight = 0`: nothing would be asked");
    }
    found
}

fn operation(
    table: &DeTable<'_>,
    value: &Spanned<DeValue<'_>>,
    timeout: Option<Duration>,
    findings: &mut Findings<'_>,
) -> Option<Operation> {
    let kinds: Vec<_> = schema::KINDS.iter().filter(|(kind, _)| table.contains_key(*kind)).collect();
    let words = schema::KINDS.iter().map(|(kind, _)| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
    let [(kind, own)] = kinds[..] else {
        let what = match kinds[..] {
            [] => format!("an operation needs one of {words}"),
            [first, second, ..] => {
                format!("`{}` beside `{}`: an operation takes only one of {words}", second.0, first.0)
            }
            _ => unreachable!("one was taken above"),
        };
        findings.add(&value.span(), what);
        return None;
    };
    let keys: Vec<&Key> = schema::OPERATION.iter().chain(own.iter()).collect();
    let read = reading::read(table, value.span(), &format!("an operation with `{kind}`"), &keys, findings);
    let picks = picks(&read, kind, findings);
    if let (Some(after), Some(timeout)) = (read.time("abort_after"), timeout)
        && after >= timeout
    {
        let what = "`abort_after` is not below `timeout`, when the client gives up anyway";
        findings.add(&read.place("abort_after"), what);
    }
    let kind_of = match *kind {
        "action" => action(&read, findings).map(Kind::Action),
        "form" => form(&read).map(Kind::Form),
        "page" => page(&read).map(Kind::Page),
        _ => read.text("hostile").map(|action| Kind::Hostile(Hostile { action })),
    };
    let name = read.text("name").or_else(|| read.text(kind))?;
    Some(Operation { name, weight: read.number("weight")?, picks, kind: kind_of? })
}

/// What `{pick}` may be, which somebody has to ask for.
fn picks(read: &Read, kind: &str, findings: &mut Findings<'_>) -> Picks {
    let texts = ["path", kind].into_iter().filter_map(|key| read.text(key));
    let fields = read.fields("fields").iter().map(|(_, text)| text.clone());
    let in_text = |text: String| Text::parse(&text).is_ok_and(|text| text.picks());
    let uses = texts.chain(fields).any(in_text) || read.arguments("arguments").is_some_and(Template::picks);
    if uses && !read.is_written("picks") {
        findings.add(&read.at, "`{pick}` needs `picks`, which says how many values it has");
    }
    if !uses && read.is_written("picks") {
        findings.add(&read.place("picks"), "`picks` without `{pick}`: nothing would be picked");
    }
    if read.is_written("skew") && !read.is_written("picks") {
        findings.add(&read.place("skew"), "`skew` without `picks`: nothing would be picked");
    }
    Picks { below: read.count("picks").unwrap_or(1), first_share: read.number("skew") }
}

fn action(read: &Read, findings: &mut Findings<'_>) -> Option<Action> {
    let duplicates = read.count("duplicates");
    if duplicates == Some(1) {
        let what =
            "`duplicates = 1` is no duplicate: write 2 or more, or 0 for a call without an idempotency key";
        findings.add(&read.place("duplicates"), what);
    }
    let template = read.arguments("arguments");
    let oracle = match read.text("oracle")?.as_str() {
        "ledger" => ActionOracle::Ledger(LedgerClass::Plain),
        "ledger-keyed" => ActionOracle::Ledger(LedgerClass::Keyed),
        "ledger-idempotent" => ActionOracle::Ledger(LedgerClass::Idempotent),
        "bump" => ActionOracle::Bump,
        _ => ActionOracle::None,
    };
    if let Some(what) = template.and_then(|template| unfit(oracle, template)) {
        findings.add(&read.place("arguments"), what);
    }
    let template = template?;
    let arguments = if template.is_fixed() {
        Arguments::Fixed(template.fill(Chosen { number: 0, pick: 0 }))
    } else {
        Arguments::Template(Arc::new(template.clone()))
    };
    Some(Action {
        action: read.text("action")?,
        path: read.text("path")?,
        arguments,
        multipart: read.flag("multipart"),
        duplicates: duplicates?,
        abort_after: read.time("abort_after"),
        bytes_per_second: read.count("bytes_per_second"),
        oracle,
    })
}

/// Why an oracle cannot judge calls with these arguments.
fn unfit(oracle: ActionOracle, template: &Template) -> Option<&'static str> {
    let Template::List(arguments) = template else { return None };
    let fits = match oracle {
        ActionOracle::None => true,
        ActionOracle::Ledger(_) => matches!(arguments[..], [Template::Text(_), Template::CallNumber, _]),
        ActionOracle::Bump => matches!(arguments[..], [Template::Text(_)]),
    };
    let words = match oracle {
        ActionOracle::Bump => "the oracle judges calls with one argument, the tag as text",
        _ => "the oracle judges calls with an account as text, `{ \"$number\" = true }` and milliseconds",
    };
    (!fits).then_some(words)
}

fn form(read: &Read) -> Option<Form> {
    let fields = read.fields("fields").to_vec();
    Some(Form { path: read.text("form")?, fields, sends: read.count("sends")? })
}

fn page(read: &Read) -> Option<Page> {
    Some(Page {
        path: read.text("page")?,
        conditional: read.flag("conditional"),
        shows_counters: read.flag("shows_counters"),
    })
}
