//! Which scenario: a file, or one that comes along.

use clap::{Arg, ArgMatches};

use crate::scenario::{Scenario, shipped_names};

pub(super) fn scenario_argument() -> Arg {
    Arg::new("scenario")
        .value_name("SCENARIO")
        .required(true)
        .help(format!("A file that ends with .toml, or one that comes along: {}", shipped_names()))
}

/// The one that was named.
pub(super) fn scenario(arguments: &ArgMatches) -> anyhow::Result<Scenario> {
    Scenario::find(arguments.get_one::<String>("scenario").expect("clap asks for it"))
}
