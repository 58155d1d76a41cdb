//! `scenario`: which come along, and what a scenario may say.

use std::fmt::Write as _;

use anyhow::bail;
use clap::{Arg, ArgMatches, Command};

use super::options::flag;
use crate::{
    report::Told,
    scenario::{SHIPPED, Scenario, schema_text, shipped, shipped_names},
};

pub(super) fn command() -> Command {
    Command::new("scenario")
        .about("Prints a scenario that comes along, to begin with; without a name, which there are")
        .arg(Arg::new("name").value_name("NAME").help("One that comes along"))
        .arg(
            flag("keys", "Prints every key of a scenario, what it takes, and what it means")
                .conflicts_with("name"),
        )
}

/// Runs `scenario`.
///
/// # Errors
///
/// That there is no such scenario.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let text = match arguments.get_one::<String>("name") {
        _ if arguments.get_flag("keys") => schema_text(),
        None => list()?,
        Some(name) => match shipped(name) {
            Some(text) => text.to_owned(),
            None => bail!("{name:?} does not come along; {} do", shipped_names()),
        },
    };
    Ok(Told { text, written: Vec::new(), problems: Vec::new(), passes: true })
}

fn list() -> anyhow::Result<String> {
    let mut text = String::new();
    for (name, toml) in SHIPPED {
        writeln!(text, "{name:<20} {}", Scenario::parse(name, toml)?.about)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> anyhow::Result<String> {
        run(&command().get_matches_from(["scenario"].iter().chain(words))).map(|told| told.text)
    }

    #[test]
    fn what_comes_along_can_be_read() {
        let list = told(&[]).unwrap();
        assert_eq!(list.lines().count(), SHIPPED.len());
        assert!(Scenario::parse("echo", &told(&["echo"]).unwrap()).is_ok());
        assert!(told(&["--keys"]).unwrap().contains("warm_up"));
        assert!(told(&["ecco"]).unwrap_err().to_string().contains("echo"));
    }
}
