//! Builds a program of this repository, and says where it is.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::repository;

/// How a program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly, with assertions.
    Debug,
    /// As it is shipped.
    Release,
}

/// Builds a package that has one program, with these features.
pub(crate) fn program(package: &str, profile: Profile, features: &[&str]) -> anyhow::Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--locked", "--package", package, "--message-format", "json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    if !features.is_empty() {
        command.arg("--features").arg(features.join(","));
    }
    let output = command.current_dir(repository::root()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{package} does not build");
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| {
            let ours = message["target"]["name"] == package;
            ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
        });
    executable.with_context(|| format!("cargo named no executable of {package}"))
}
