//! Options that several commands have.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::{
    client::Trust,
    engine::{IN_FLIGHT_MAX, raise_descriptors},
    scenario::{Load, Rate, Scenario},
    target::{self, Admin, Catalogue, Kind, Ownership, Place, Source, Targets},
};

/// Which servers are asked, and how their actions are known.
pub(super) struct TargetOptions {
    places: Vec<Place>,
    kind: Kind,
    source: Source,
    trust: Trust,
    ownership: Ownership,
    wait: Duration,
}

/// Names of the options that say which servers.
pub(super) struct Side {
    target: &'static str,
    kind: &'static str,
    admin: &'static str,
    admin_token: &'static str,
    admin_token_variable: &'static str,
    manifest: &'static str,
    binary: &'static str,
    server_references: &'static str,
}

/// Of the servers that a command is about.
pub(super) const FIRST: Side = Side {
    target: "target",
    kind: "target-kind",
    admin: "admin",
    admin_token: "admin-token",
    admin_token_variable: "CALLBOARD_ADMIN_TOKEN",
    manifest: "manifest",
    binary: "binary",
    server_references: "server-references",
};

/// Of those that they are set beside.
pub(super) const OTHER: Side = Side {
    target: "other",
    kind: "other-kind",
    admin: "other-admin",
    admin_token: "other-admin-token",
    admin_token_variable: "CALLBOARD_OTHER_ADMIN_TOKEN",
    manifest: "other-manifest",
    binary: "other-binary",
    server_references: "other-server-references",
};

/// The options of one side.
pub(super) fn side_arguments(side: &Side) -> Vec<Arg> {
    vec![
        Arg::new(side.target)
            .long(side.target)
            .value_name("URL")
            .required(true)
            .num_args(1..)
            .action(ArgAction::Append)
            .help("Servers that are asked in turn: http://HOST:PORT or https://HOST:PORT"),
        Arg::new(side.kind)
            .long(side.kind)
            .value_parser(["callboard", "next"])
            .default_value("callboard")
            .help("What the servers are"),
        Arg::new(side.admin)
            .long(side.admin)
            .value_name("URL")
            .help("Admin port of a node, which is asked for the references of the actions"),
        Arg::new(side.admin_token).long(side.admin_token).value_name("TEXT").requires(side.admin).help(format!(
            "The node's setting admin_token, if it has one; better in the environment, where others do not see it \
             [environment: {}]",
            side.admin_token_variable
        )),
        file(side.manifest, "References of the actions: what `actions --json` of the application prints"),
        file(side.binary, "The application's binary, which is asked for `actions --json`"),
        file(side.server_references, "Next.js: its .next/server/server-reference-manifest.json"),
    ]
}

/// Options that are the same for all servers.
pub(super) fn trust_arguments() -> Vec<Arg> {
    vec![
        Arg::new("wait")
            .long("wait")
            .value_name("TIME")
            .value_parser(duration)
            .default_value("10s")
            .help("How long a target that takes no connections yet is waited for"),
        flag("insecure", "Believes any certificate"),
        file("cacert", "Believes the authorities in this PEM instead of the system's"),
        flag("i-own-this-target", "Allows to load servers that are not on this machine"),
    ]
}

impl TargetOptions {
    pub(super) fn of(arguments: &ArgMatches, side: &Side) -> anyhow::Result<Self> {
        let urls = arguments.get_many::<String>(side.target).into_iter().flatten();
        let kind = match arguments.get_one::<String>(side.kind).map(String::as_str) {
            Some("next") => Kind::Next,
            _ => Kind::Callboard,
        };
        let is_owned = arguments.get_flag("i-own-this-target");
        let ownership = if is_owned { Ownership::Owned } else { Ownership::Unknown };
        let trust = match arguments.get_one::<PathBuf>("cacert") {
            _ if arguments.get_flag("insecure") => Trust::Everything,
            Some(file) => Trust::File(file.clone()),
            None => Trust::System,
        };
        let options = Self {
            places: urls.map(|url| Place::parse(url)).collect::<anyhow::Result<_>>()?,
            kind,
            source: source(arguments, side, kind)?,
            trust,
            ownership,
            wait: *arguments.get_one("wait").expect("it has a default"),
        };
        options.places.iter().try_for_each(|place| place.check_may_be_loaded(ownership))?;
        if let Source::Admin(admin) = &options.source {
            admin.place.check_may_be_loaded(options.ownership)?;
        }
        Ok(options)
    }

    /// Waits for the targets and learns what their actions are called by.
    pub(super) async fn open(
        &self,
        load: &Load,
        mut progress: impl FnMut(&str),
    ) -> anyhow::Result<(Targets, Catalogue)> {
        raise_descriptors(load.connections_max as u64 * self.places.len() as u64)?;
        let targets = Targets::new(load, self.kind, self.trust.clone());
        for place in &self.places {
            target::wait(place, self.wait, &mut progress).await?;
            place.endpoint(&self.trust, load.http)?.check().await.with_context(|| {
                format!(
                    "{}: --cacert FILE believes the authority that signed its certificate, --insecure believes anybody",
                    place.url
                )
            })?;
            targets.add(place.clone())?;
        }
        Ok((targets, Catalogue::read(&self.source, &self.trust).await?))
    }
}

fn source(arguments: &ArgMatches, side: &Side, kind: Kind) -> anyhow::Result<Source> {
    let path = |name: &str| arguments.get_one::<PathBuf>(name).cloned();
    let admin = arguments.get_one::<String>(side.admin).map(|url| Place::parse(url)).transpose()?;
    let token = arguments.get_one::<String>(side.admin_token).cloned();
    let token =
        token.or_else(|| std::env::var(side.admin_token_variable).ok()).filter(|token| !token.is_empty());
    let admin = admin.map(|place| match token {
        Some(token) => Admin::with_token(place, &token),
        None => Ok(Admin::open(place)),
    });
    let admin = admin.transpose()?;
    let sources = [
        path(side.manifest).map(Source::Manifest),
        admin.map(Source::Admin),
        path(side.binary).map(Source::Binary),
        path(side.server_references).map(Source::ServerReferences),
    ];
    let mut sources = sources.into_iter().flatten();
    let source = sources.next().unwrap_or(Source::Nothing(kind));
    if sources.next().is_some() {
        let Side { admin, manifest, binary, server_references, .. } = side;
        bail!("--{admin}, --{manifest}, --{binary} and --{server_references} say the same: one is enough");
    }
    match (&source, kind) {
        (Source::ServerReferences(_), Kind::Callboard) => {
            bail!("--{} is of Next.js: say --{} next", side.server_references, side.kind)
        }
        (Source::Manifest(_) | Source::Admin(_) | Source::Binary(_), Kind::Next) => {
            bail!("a target of the kind next has its references in --{}", side.server_references)
        }
        _ => Ok(source),
    }
}

/// How the load differs from what its scenario says.
pub(super) struct LoadOptions {
    pub(super) seed: u64,
    pub(super) in_flight_max: usize,
    duration: Option<Duration>,
    warm_up: Option<Duration>,
    rate: Option<f64>,
    connections_max: Option<usize>,
}

/// The options of it.
pub(super) fn load_arguments() -> Vec<Arg> {
    vec![
        Arg::new("duration")
            .long("duration")
            .value_name("TIME")
            .value_parser(duration)
            .help("How long load is kept up without warm-up, such as 60s [default: the scenario's]"),
        Arg::new("warm-up")
            .long("warm-up")
            .value_name("TIME")
            .value_parser(duration)
            .help("How long load runs before anything counts [default: the scenario's]"),
        Arg::new("rate")
            .long("rate")
            .value_name("N")
            .value_parser(rate)
            .help("Operations that begin per second, at a constant rate [default: the scenario's]"),
        Arg::new("connections-max")
            .long("connections-max")
            .value_name("N")
            .value_parser(value_parser!(u32).range(1..))
            .help("Most connections to each target [default: the scenario's]"),
        Arg::new("in-flight-max")
            .long("in-flight-max")
            .value_name("N")
            .value_parser(value_parser!(u32).range(1..))
            .default_value(IN_FLIGHT_MAX.to_string())
            .help(
                "Most operations that are under way at once; what is due beyond begins later, and is counted",
            ),
        Arg::new("seed")
            .long("seed")
            .value_name("N")
            .value_parser(value_parser!(u64))
            .help("What is asked and when; how long it takes is up to the target [default: any]"),
    ]
}

impl LoadOptions {
    pub(super) fn of(arguments: &ArgMatches) -> Self {
        let count = |name: &str| arguments.get_one::<u32>(name).map(|count| *count as usize);
        Self {
            seed: arguments.get_one("seed").copied().unwrap_or_else(|| rand::random::<u32>().into()),
            in_flight_max: count("in-flight-max").expect("it has a default"),
            duration: arguments.get_one("duration").copied(),
            warm_up: arguments.get_one("warm-up").copied(),
            // Where a rate is looked for, none is said.
            rate: arguments.try_get_one("rate").ok().flatten().copied(),
            connections_max: count("connections-max"),
        }
    }

    /// Changes a scenario accordingly.
    pub(super) fn apply(&self, scenario: &mut Scenario) {
        let load = &mut scenario.load;
        load.duration = self.duration.unwrap_or(load.duration);
        load.warm_up = self.warm_up.unwrap_or(load.warm_up);
        load.connections_max = self.connections_max.unwrap_or(load.connections_max);
        if let Some(rate) = self.rate {
            load.rate = Rate::Constant(rate);
        }
    }
}

/// The command that was typed, with this seed, and without what is secret.
pub(super) fn typed(seed: u64) -> String {
    again(std::env::args().skip(1), seed)
}

fn again(words: impl Iterator<Item = String>, seed: u64) -> String {
    let mut words: Vec<_> = without_tokens(words).map(|word| quoted(&word)).collect();
    words.insert(0, "callboard-loadtest".to_owned());
    if !words.iter().any(|word| word == "--seed" || word.starts_with("--seed=")) {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    words.join(" ")
}

/// Whoever types it again has the tokens, and a report may be read by others.
fn without_tokens(words: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let flags = [&FIRST, &OTHER].map(|side| format!("--{}", side.admin_token));
    let mut is_token = false;
    words.filter(move |word| {
        let (was_flag, is_flag) = (is_token, flags.contains(word));
        is_token = is_flag && !was_flag;
        let is_both =
            flags.iter().any(|flag| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')));
        !(was_flag || is_flag || is_both)
    })
}

/// As a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,%@+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

pub(super) fn file(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

pub(super) fn duration(text: &str) -> anyhow::Result<Duration> {
    humantime::parse_duration(text).with_context(|| format!("{text:?} is no time such as 90s or 2m"))
}

fn rate(text: &str) -> anyhow::Result<f64> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => bail!("{text:?} is no number above 0"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn targets(words: &[&str]) -> anyhow::Result<TargetOptions> {
        let command = Command::new("run").args(side_arguments(&FIRST)).args(trust_arguments());
        TargetOptions::of(&command.get_matches_from(["run"].iter().chain(words)), &FIRST)
    }

    #[test]
    fn a_word_that_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(
            [quoted("a/b=1"), quoted("p99<20ms"), quoted("it's")],
            ["a/b=1", "'p99<20ms'", r"'it'\''s'"]
        );
    }

    #[test]
    fn the_command_to_type_again_has_no_token() {
        let typed = |words: &str| again(words.split(' ').map(str::to_owned), 7);
        assert_eq!(
            typed("run --admin-token s3cret --other-admin-token=s3cret --seed 1 echo"),
            "callboard-loadtest run --seed 1 echo"
        );
        assert_eq!(typed("run --admin-token --admin-token echo"), "callboard-loadtest run echo --seed 7");
    }

    #[test]
    fn a_token_is_not_printed() {
        let place = || Place::parse("http://127.0.0.1:1").unwrap();
        let admin = Admin::with_token(place(), "s3cret").unwrap();
        assert!(!format!("{admin:?}").contains("s3cret"));
        let refused = Admin::with_token(place(), "s3cret\n").unwrap_err();
        assert!(!format!("{refused:#} {refused:?}").contains("s3cret"));
    }

    #[test]
    fn references_come_from_one_place() {
        let target = ["--target", "http://127.0.0.1:1"];
        let one = [&target[..], &["--manifest", "a.json"]].concat();
        assert!(targets(&one).is_ok());
        let two = [&one[..], &["--admin", "http://127.0.0.1:2"]].concat();
        assert!(targets(&two).err().is_some_and(|error| error.to_string().contains("one is enough")));
        let other_kind = [&one[..], &["--target-kind", "next"]].concat();
        assert!(
            targets(&other_kind).err().is_some_and(|error| error.to_string().contains("--server-references"))
        );
    }

    #[test]
    fn servers_elsewhere_are_refused() {
        let refused = targets(&["--target", "http://192.0.2.1:1"]).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|error| error.contains("--i-own-this-target")));
    }

    #[test]
    fn no_load_is_no_load() {
        assert!(rate("0").is_err() && rate("-1").is_err() && rate("NaN").is_err() && rate("inf").is_err());
        assert_eq!(rate("0.5").ok(), Some(0.5));
    }
}
