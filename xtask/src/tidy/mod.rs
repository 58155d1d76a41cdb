//! What reviews would have to look for by hand.

mod consistency;
mod deploy;
mod fences;
mod layers;
mod licences;
mod readme;
mod secrets;
mod security;
mod sizes;

use std::fs;

use crate::repository;

/// Every tracked file with one of these endings, and its text.
fn texts(endings: &[&str]) -> Vec<(String, String)> {
    let files =
        repository::files().into_iter().filter(|name| endings.iter().any(|ending| name.ends_with(ending)));
    files
        .filter_map(|name| Some((name.clone(), fs::read_to_string(repository::root().join(&name)).ok()?)))
        .collect()
}

/// Fails with one line per finding.
fn none(claim: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{claim}:\n  {}", findings.join("\n  "));
}
