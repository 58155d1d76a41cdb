//! Files in YAML, as values.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::Value;

use crate::repository;

/// Every document of a file of this repository.
pub(crate) fn documents(name: &str) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(repository::root().join(name)).with_context(|| name.to_owned())?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("{name} is not YAML"))
}

/// The only document of a file.
pub(crate) fn document(name: &str) -> anyhow::Result<Value> {
    let mut documents = documents(name)?;
    anyhow::ensure!(documents.len() == 1, "{name} has {} documents", documents.len());
    Ok(documents.remove(0))
}

/// The names of all files below a folder of this repository that end like this, sorted.
pub(crate) fn files(folder: &str, ending: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![repository::root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(relative(&path));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository::root()).unwrap_or(path).display().to_string()
}
