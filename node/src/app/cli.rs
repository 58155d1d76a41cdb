//! The command line that every application has.

use std::{path::PathBuf, process::ExitCode};

use clap::{Arg, ArgMatches, Command};

use super::{App, commands, healthcheck, serve};
use crate::{
    doctor::Verdict,
    settings::{Settings, Sources},
    telemetry,
};

/// What `doctor` ends with where nothing was looked at: as with arguments that do not parse.
const NOTHING_LOOKED_AT: u8 = 2;

/// Does what the arguments of this process ask for.
pub(super) fn run(app: App) -> ExitCode {
    let matches = command(app.name).get_matches();
    let done = match matches.subcommand() {
        Some(("doctor", arguments)) => {
            doctor(&app, &matches, arguments).map_err(|error| (error, NOTHING_LOOKED_AT.into()))
        }
        _ => perform(app, &matches).map(|()| ExitCode::SUCCESS).map_err(|error| (error, ExitCode::FAILURE)),
    };
    done.unwrap_or_else(|(error, code)| {
        eprintln!("error: {error:#}");
        code
    })
}

fn doctor(app: &App, matches: &ArgMatches, arguments: &ArgMatches) -> anyhow::Result<ExitCode> {
    let settings = settings(matches)?;
    let _logs = telemetry::start(&settings, false)?;
    let accepted = if arguments.get_flag("strict") { Verdict::Ok } else { Verdict::Warning };
    let verdict = commands::doctor(app, &settings, arguments.get_flag("json"))?;
    Ok(if verdict <= accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn perform(app: App, matches: &ArgMatches) -> anyhow::Result<()> {
    if let Some(("keys", _)) = matches.subcommand() {
        commands::new_keys();
        return Ok(());
    }
    let settings = settings(matches)?;
    if let Some(("healthcheck", arguments)) = matches.subcommand() {
        return healthcheck::ask(&settings, arguments.get_flag("ready"));
    }
    let _logs = telemetry::start(&settings, settings.otlp_endpoint.is_some())?;
    match matches.subcommand() {
        Some(("actions", arguments)) => commands::actions(&app, &settings, arguments.get_flag("json")),
        Some(("seal", arguments)) => {
            commands::seal(&app, &settings, text(arguments, "action"), text(arguments, "values"))
        }
        Some(("unseal", arguments)) => {
            let options = commands::Unseal {
                principal: arguments.get_one::<String>("principal").map(String::as_str),
                ignore_expiry: arguments.get_flag("ignore_expiry"),
            };
            commands::unseal(
                &app,
                &settings,
                text(arguments, "reference"),
                text(arguments, "sealed"),
                &options,
            )
        }
        _ => {
            telemetry::log_panics();
            serve::run(app, settings)
        }
    }
}

fn text<'a>(arguments: &'a ArgMatches, name: &str) -> &'a str {
    arguments.get_one::<String>(name).map_or("", String::as_str)
}

/// The settings of flags, environment and file.
fn settings(matches: &ArgMatches) -> anyhow::Result<Settings> {
    let mut sources = Sources::default();
    let config = matches.get_one::<PathBuf>("config").cloned();
    if let Some(path) = config.or_else(|| std::env::var_os("CALLBOARD_CONFIG").map(PathBuf::from)) {
        sources.file(&path)?;
    }
    sources.environment(std::env::vars_os().filter_map(|(name, value)| {
        // A variable of ours that is no text is refused where its value is parsed.
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    }))?;
    for setting in Settings::TABLE {
        if let Some(text) = matches.get_one::<String>(setting.name) {
            sources.flag(setting, text.clone())?;
        }
    }
    Ok(sources.settings()?)
}

fn command(name: &'static str) -> Command {
    let values = Arg::new("values").required(true).value_name("JSON").help("The array of values to seal");
    Command::new(name)
        .about(format!("{name}, served by Callboard"))
        .version(env!("CARGO_PKG_VERSION"))
        .after_help("Without a command, it serves.")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("TOML file of settings; flags and environment go before it [environment: CALLBOARD_CONFIG]")
                .global(true),
        )
        .args(setting_flags())
        .subcommand(Command::new("serve").about("Serves pages and calls until it is told to stop (the default)"))
        .subcommand(
            Command::new("actions")
                .about("Lists what can be called, and the references that clients call it by")
                .arg(Arg::new("json").long("json").num_args(0).help("As JSON, for tools")),
        )
        .subcommand(
            Command::new("keys")
                .about("Manages key rings")
                .subcommand_required(true)
                .subcommand(Command::new("new").about("Prints a new key ring of one key, for CALLBOARD_KEYS")),
        )
        .subcommand(doctor_command())
        .subcommand(
            Command::new("healthcheck")
                .about("Asks the admin port of the node that runs here whether it lives, and exits with 1 if it does not")
                .arg(Arg::new("ready").long("ready").num_args(0).help("Asks whether it takes calls, too")),
        )
        .subcommand(
            Command::new("seal")
                .about("Seals values as a page would that binds them to an action, for debugging")
                .arg(Arg::new("action").required(true).value_name("NAME").help("Name of the action"))
                .arg(values),
        )
        .subcommand(
            Command::new("unseal")
                .about("Opens what a page sealed, for debugging")
                .arg(Arg::new("reference").required(true).value_name("REFERENCE").help("The action's reference in the same form"))
                .arg(Arg::new("sealed").required(true).value_name("TEXT").help("The sealed text"))
                .arg(
                    Arg::new("principal")
                        .long("principal")
                        .value_name("ID")
                        .help("Whose it is, if it was sealed for one principal"),
                )
                .arg(
                    Arg::new("ignore_expiry")
                        .long("ignore-expiry")
                        .num_args(0)
                        .help("Opens what expired, too"),
                ),
        )
}

fn doctor_command() -> Command {
    Command::new("doctor")
        .about("Looks at folders, Redis, keys and builds, and says what to do")
        .after_help(
            "Exit code: 0 if all is well or there are warnings alone, 1 if there is a problem, 2 if nothing could be looked at.",
        )
        .arg(Arg::new("json").long("json").num_args(0).help("As JSON, for tools"))
        .arg(Arg::new("strict").long("strict").num_args(0).help("Exits with 1 if there is a warning, too"))
}

/// A flag for each setting.
fn setting_flags() -> impl Iterator<Item = Arg> {
    Settings::TABLE.iter().map(|setting| {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let doc = setting.doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Arg::new(setting.name)
            .long(setting.flag())
            .value_name(setting.unit)
            .help(format!("{doc}{default} [environment: {}]", setting.variable()))
            .help_heading("Settings")
            .global(true)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command("test").debug_assert();
    }
}
