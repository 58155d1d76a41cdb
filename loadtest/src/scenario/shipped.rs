//! Scenarios that come along, each short and made to be copied; and those that somebody wrote.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, bail};

use super::{Scenario, problems::instead};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Names and texts.
        pub(crate) const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*];
    };
}

shipped![
    "echo",
    "guestbook",
    "mixed",
    "hot90",
    "overload5x",
    "keyed",
    "uploads",
    "read-mostly",
    "invalidation-storm",
    "deploy",
    "peer",
];

/// The text of a scenario that comes along.
#[must_use]
pub(crate) fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Names of those that come along.
#[must_use]
pub(crate) fn shipped_names() -> String {
    SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Largest scenario that is read, in bytes: what is larger is something else.
const SCENARIO_BYTES_MAX: u64 = 16 << 20;

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SCENARIO_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

impl Scenario {
    /// The scenario that somebody named: one that comes along, or the path of a file, which ends with `.toml`.
    ///
    /// # Errors
    ///
    /// If there is none, or everything that is wrong with it.
    pub(crate) fn find(given: &str) -> anyhow::Result<Self> {
        let path = Path::new(given);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            let scenario = Self::parse(given, &read(path).with_context(|| format!("cannot read {given}"))?)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self { name, ..scenario });
        }
        let Some(text) = shipped(given) else {
            let known = SHIPPED.iter().map(|(name, _)| *name);
            bail!(
                "no scenario `{given}` comes along; {} (the path of your own ends with .toml)",
                instead(given, known)
            );
        };
        Ok(Self::parse(given, text)?)
    }
}
