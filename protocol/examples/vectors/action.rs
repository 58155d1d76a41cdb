//! Vectors of kind `action`.

use std::path::Path;

use crate::{Verdict, tagged};

/// Runs the vectors of one file.
pub(crate) fn run(file: &Path, json: &serde_json::Value) -> Vec<(String, Verdict)> {
    let _ = tagged::value(&json["expect"]);
    vec![(file.display().to_string(), Verdict::Skipped("no runner for this kind".into()))]
}
