//! Tables of TOML, checked against the keys that they may have.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    problems::{Findings, instead},
    schema::{Key, Takes},
    template::{self, Template},
};

/// A table that was read. What was wrong in it is missing.
pub(super) struct Read {
    pub(super) at: Range<usize>,
    given: BTreeMap<&'static str, (Range<usize>, Item)>,
    /// Keys that were written, whether they could be read or not.
    written: Vec<&'static str>,
    defaults: BTreeMap<&'static str, Item>,
}

/// A value that fits its key.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(String),
    Flag(bool),
    Number(f64),
    Count(u32),
    Time(Duration),
    Ramp(f64, f64),
    Steps(Vec<(f64, Duration)>),
    Rates(Vec<f64>),
    Fields(Vec<(String, String)>),
    Arguments(Template),
}

/// Reads a table that may have these keys. `what` is what has them, as in "`[load]` has no `rat`".
pub(super) fn read(
    table: &DeTable<'_>,
    at: Range<usize>,
    what: &str,
    keys: &[&'static Key],
    findings: &mut Findings<'_>,
) -> Read {
    let mut read = Read { at, given: BTreeMap::new(), written: Vec::new(), defaults: BTreeMap::new() };
    for (name, value) in table {
        let written: &str = name.get_ref();
        let Some(key) = keys.iter().find(|key| key.name == written) else {
            let instead = instead(written, keys.iter().map(|key| key.name));
            findings.add(&name.span(), format!("{what} has no `{written}`; {instead}"));
            continue;
        };
        read.written.push(key.name);
        if let Some(item) = item(key, value, findings) {
            read.given.insert(key.name, (value.span(), item));
        }
    }
    for key in keys {
        let Some(default) = key.default else { continue };
        let value = DeValue::parse(default).expect("a default is written as TOML");
        let item = item(key, &value, &mut Findings::new(default)).expect("a default fits its key");
        read.defaults.insert(key.name, item);
    }
    read
}

impl Read {
    /// Whether a key was written, even if what it says is wrong.
    pub(super) fn is_written(&self, name: &str) -> bool {
        self.written.contains(&name)
    }

    /// Where a value stands; the table, if it is missing.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        self.given.get(name).map_or_else(|| self.at.clone(), |(at, _)| at.clone())
    }

    fn item(&self, name: &str) -> Option<&Item> {
        self.given.get(name).map(|(_, item)| item).or_else(|| self.defaults.get(name))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        if let Some(Item::Text(text)) = self.item(name) { Some(text.clone()) } else { None }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.item(name), Some(Item::Flag(true)))
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        if let Some(Item::Number(number)) = self.item(name) { Some(*number) } else { None }
    }

    pub(super) fn count(&self, name: &str) -> Option<u32> {
        if let Some(Item::Count(count)) = self.item(name) { Some(*count) } else { None }
    }

    pub(super) fn time(&self, name: &str) -> Option<Duration> {
        if let Some(Item::Time(time)) = self.item(name) { Some(*time) } else { None }
    }

    pub(super) fn ramp(&self, name: &str) -> Option<(f64, f64)> {
        if let Some(Item::Ramp(from, to)) = self.item(name) { Some((*from, *to)) } else { None }
    }

    pub(super) fn steps(&self, name: &str) -> Option<&[(f64, Duration)]> {
        if let Some(Item::Steps(steps)) = self.item(name) { Some(steps) } else { None }
    }

    pub(super) fn rates(&self, name: &str) -> Option<&[f64]> {
        if let Some(Item::Rates(rates)) = self.item(name) { Some(rates) } else { None }
    }

    pub(super) fn fields(&self, name: &str) -> &[(String, String)] {
        if let Some(Item::Fields(fields)) = self.item(name) { fields } else { &[] }
    }

    pub(super) fn arguments(&self, name: &str) -> Option<&Template> {
        if let Some(Item::Arguments(template)) = self.item(name) { Some(template) } else { None }
    }
}

/// Reads the value of a key.
fn item(key: &Key, value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Item> {
    let at = value.span();
    let read = match (key.takes, value.get_ref()) {
        (Takes::Text, DeValue::String(text)) => {
            (!text.trim().is_empty()).then(|| Item::Text(text.clone().into_owned()))
        }
        (Takes::Path, DeValue::String(path)) if is_path(path) => {
            template::text(path, &at, findings)?;
            Some(Item::Text(path.clone().into_owned()))
        }
        (Takes::OneOf(words), DeValue::String(word)) => {
            words.iter().find(|known| *known == word).map(|word| Item::Text((*word).to_owned()))
        }
        (Takes::Flag, DeValue::Boolean(flag)) => Some(Item::Flag(*flag)),
        (Takes::Number { min, is_min_allowed, max }, value) => number(value)
            .filter(|number| (min..=max).contains(number) && (is_min_allowed || *number > min))
            .map(Item::Number),
        (Takes::Count { min, max }, DeValue::Integer(number)) => {
            let count = u32::from_str_radix(number.as_str(), number.radix()).ok();
            count.filter(|count| (min..=max).contains(count)).map(Item::Count)
        }
        (Takes::Time { is_zero_allowed }, value) => {
            time(value).filter(|time| is_zero_allowed || !time.is_zero()).map(Item::Time)
        }
        (Takes::Ramp, DeValue::Table(table)) => ramp(table),
        (Takes::Steps, DeValue::Array(array)) => {
            array.iter().map(|step| self::step(step.get_ref())).collect::<Option<_>>().map(Item::Steps)
        }
        (Takes::Rates, DeValue::Array(array)) => {
            array.iter().map(|it| rate(it.get_ref())).collect::<Option<_>>().map(Item::Rates)
        }
        (Takes::Fields, DeValue::Table(table)) => fields(table, findings),
        (Takes::Arguments, DeValue::Array(array)) => {
            Some(Item::Arguments(template::arguments(array, findings)))
        }
        _ => None,
    };
    if read.is_none() {
        let (name, words, written) = (key.name, key.takes.words(), findings.written(&at));
        findings.add(&at, format!("`{name}` has to be {words}, not {written}"));
    }
    read
}

/// Whether a server can be asked for it: a path and a query.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with('/') && !path.contains('#') && path.parse::<hyper::Uri>().is_ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()? as f64,
        DeValue::Float(number) => number.as_str().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Requests per second; none is a pause.
fn rate(value: &DeValue<'_>) -> Option<f64> {
    number(value).filter(|rate| *rate >= 0.0)
}

fn time(value: &DeValue<'_>) -> Option<Duration> {
    humantime::parse_duration(value.as_str()?).ok()
}

fn ramp(table: &DeTable<'_>) -> Option<Item> {
    let end = |name| rate(table.get(name)?.get_ref());
    (table.len() == 2).then(|| Some(Item::Ramp(end("from")?, end("to")?)))?
}

fn step(value: &DeValue<'_>) -> Option<(f64, Duration)> {
    let pair: &DeArray<'_> = value.as_array()?;
    let (first, second) = (pair.first()?, pair.get(1)?);
    let time = time(second.get_ref()).filter(|time| !time.is_zero())?;
    (pair.len() == 2).then_some((rate(first.get_ref())?, time))
}

fn fields(table: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Item> {
    let mut fields = Vec::new();
    for (name, value) in table {
        let text = value.get_ref().as_str()?;
        template::text(text, &value.span(), findings);
        fields.push((name.get_ref().clone().into_owned(), text.to_owned()));
    }
    Some(Item::Fields(fields))
}
