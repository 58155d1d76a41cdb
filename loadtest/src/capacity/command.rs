//! What the command line says of the search, beside what it says of the runs.

use anyhow::Context as _;
use clap::{Arg, ArgMatches, value_parser};

use super::{Search, Slo};

/// For the command `capacity`.
pub(crate) fn arguments() -> [Arg; 5] {
    [
        Arg::new("slo")
            .long("slo")
            .value_name("OBJECTIVES")
            .default_value("p99<20ms,errors<0.1%")
            .help("What has to hold: bounds on p50, p90, p99, p99.9, max, errors and achieved"),
        positive("start", "RATE", "100", "Requests per second that are tried first"),
        positive("rate-max", "RATE", "1000000", "Requests per second beyond which nothing is tried"),
        Arg::new("repeats")
            .long("repeats")
            .value_name("N")
            .default_value("3")
            .value_parser(value_parser!(u32).range(1..=99))
            .help("How often each rate is tried; most of them decide"),
        positive("precision", "SHARE", "0.02", "How close the result has to be, as a share of it"),
    ]
}

/// For commands that make one run: what it is held to, if it is.
pub(crate) fn slo_argument() -> Arg {
    Arg::new("slo").long("slo").value_name("OBJECTIVES").help(
        "What has to hold, or the run does not pass, such as p99<20ms,errors<0.1%: bounds on p50, p90, p99, p99.9, max, \
         errors and achieved",
    )
}

/// What it says.
///
/// # Errors
///
/// Everything that is wrong with the objectives.
pub(crate) fn slo(arguments: &ArgMatches) -> anyhow::Result<Option<Slo>> {
    arguments.get_one::<String>("slo").map(|slo| slo.parse().context("--slo")).transpose()
}

/// What these arguments say.
///
/// # Errors
///
/// Everything that is wrong with the objectives.
pub(crate) fn options(arguments: &ArgMatches) -> anyhow::Result<(Slo, Search)> {
    let number = |name| *arguments.get_one::<f64>(name).expect("has a default");
    let slo = arguments.get_one::<String>("slo").expect("has a default");
    let search = Search {
        start: number("start"),
        rate_max: number("rate-max"),
        repeats: *arguments.get_one::<u32>("repeats").expect("has a default"),
        precision: number("precision"),
    };
    Ok((slo.parse().context("--slo")?, search))
}

fn positive(name: &'static str, value: &'static str, default: &'static str, help: &'static str) -> Arg {
    let parse = |text: &str| match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("it is a number above 0".to_owned()),
    };
    Arg::new(name).long(name).value_name(value).default_value(default).value_parser(parse).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_searchs_own() {
        let command = clap::Command::new("capacity").args(arguments());
        let (_, search) = options(&command.clone().get_matches_from(["capacity"])).unwrap();
        assert_eq!(search, Search::default());
        let wrong = command.clone().get_matches_from(["capacity", "--slo", "p98<1ms"]);
        assert!(format!("{:#}", options(&wrong).unwrap_err()).starts_with("--slo: \"p98<1ms\""));
        assert!(command.try_get_matches_from(["capacity", "--start", "0"]).is_err());
    }
}
