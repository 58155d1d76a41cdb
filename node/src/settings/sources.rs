//! Where settings come from: a flag goes before the environment, that before the file, that before the default.

use std::{collections::BTreeMap, path::Path};

use super::{Setting, Settings};

/// Why the settings are not usable. Each message says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A name that is no setting.
    #[error("{place}: there is no setting {name:?}{suggestion}")]
    Unknown {
        /// File or environment.
        place: String,
        /// What was written.
        name: String,
        /// ` (did you mean …?)`, or nothing.
        suggestion: String,
    },
    /// A text that is no value of its setting.
    #[error("{place}: {name}: {reason}")]
    Value {
        /// Flag, file or environment variable.
        place: String,
        /// The setting.
        name: &'static str,
        /// What would have been right.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// The texts found for each setting, the strongest last.
#[derive(Default)]
pub struct Sources {
    texts: BTreeMap<String, (String, String)>,
}

/// Names alone: a value may be a secret.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts.keys()).finish()
    }
}

impl Sources {
    /// Adds the settings of a TOML file.
    ///
    /// # Errors
    ///
    /// [`SettingError::File`] where it cannot be read or is not TOML, [`SettingError::Unknown`] for a key that is
    /// no setting.
    pub fn file(&mut self, path: &Path) -> Result<(), SettingError> {
        let place = path.display().to_string();
        let failed = |reason: String| SettingError::File { path: place.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))?;
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Array(items) => {
                    let texts: Option<Vec<_>> = items.iter().map(toml::Value::as_str).collect();
                    texts.ok_or_else(|| failed(format!("{name}: expected a list of texts")))?.join(",")
                }
                other => other.to_string(),
            };
            self.add(&place, &name, text)?;
        }
        Ok(())
    }

    /// Adds the `CALLBOARD_…` variables of an environment.
    ///
    /// # Errors
    ///
    /// [`SettingError::Unknown`] for a variable with our prefix that is no setting.
    pub fn environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), SettingError> {
        for (variable, text) in variables {
            match variable.strip_prefix("CALLBOARD_") {
                Some("CONFIG") | None => {}
                #[cfg(feature = "mutants")]
                _ if variable == super::TEST_MUTANT => {}
                Some(name) => {
                    self.add(&format!("environment variable {variable}"), &name.to_lowercase(), text)?
                }
            }
        }
        Ok(())
    }

    /// The settings of a test: free ports, a thread per server, and these texts by name.
    pub(crate) fn of_test(
        texts: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, SettingError> {
        let mut sources = Self::default();
        let defaults = [("listen", "127.0.0.1:0"), ("admin", "127.0.0.1:0"), ("workers", "1")];
        let defaults = defaults.map(|(name, text)| (name.to_owned(), text.to_owned()));
        for (name, text) in defaults.into_iter().chain(texts) {
            sources.add("test", &name, text)?;
        }
        sources.settings()
    }

    /// Adds a flag.
    ///
    /// # Errors
    ///
    /// [`SettingError::Unknown`] if there is no such setting.
    pub fn flag(&mut self, setting: &Setting, text: String) -> Result<(), SettingError> {
        self.add(&format!("--{}", setting.flag()), setting.name, text)
    }

    fn add(&mut self, place: &str, name: &str, text: String) -> Result<(), SettingError> {
        if Settings::TABLE.iter().any(|setting| setting.name == name) {
            self.texts.insert(name.to_owned(), (place.to_owned(), text));
            return Ok(());
        }
        Err(SettingError::Unknown {
            place: place.to_owned(),
            name: name.to_owned(),
            suggestion: suggestion(name),
        })
    }

    /// The settings, checked.
    ///
    /// # Errors
    ///
    /// [`SettingError::Value`] for the first text that is no value.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        Settings::from_texts(|name| self.texts.get(name).map(|(_, text)| text.clone())).map_err(
            |(name, reason)| {
                let place = self.texts.get(name).map_or("default", |(place, _)| place).to_owned();
                SettingError::Value { place, name, reason }
            },
        )
    }
}

fn suggestion(name: &str) -> String {
    Settings::TABLE
        .iter()
        .map(|setting| (strsim::jaro_winkler(name, setting.name), setting.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, nearest)| format!(" (did you mean {nearest:?}?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_one() {
        let error =
            Sources::default().environment(variables(&[("CALLBOARD_BODY_BYTE_MAX", "1")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable CALLBOARD_BODY_BYTE_MAX: there is no setting \"body_byte_max\" (did you mean \
             \"body_bytes_max\"?)"
        );
    }

    #[test]
    fn a_flag_goes_before_the_environment() {
        let mut sources = Sources::default();
        sources.environment(variables(&[("CALLBOARD_CALLS_MAX", "1"), ("HOME", "x")])).expect("known");
        assert_eq!(sources.settings().expect("valid").calls_max, 1);
        let setting = Settings::TABLE.iter().find(|setting| setting.name == "calls_max").expect("exists");
        sources.flag(setting, "2".into()).expect("known");
        assert_eq!(sources.settings().expect("valid").calls_max, 2);
    }

    #[test]
    fn a_wrong_value_names_its_place() {
        let mut sources = Sources::default();
        sources.environment(variables(&[("CALLBOARD_CALL_TIMEOUT", "soon")])).expect("known");
        assert_eq!(
            sources.settings().unwrap_err().to_string(),
            "environment variable CALLBOARD_CALL_TIMEOUT: call_timeout: expected a duration such as 500ms, 30s or \
             2h, found \"soon\""
        );
    }
}
