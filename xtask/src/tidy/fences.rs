//! What only one place may name, so that it can be replaced there.

use super::{none, texts};

/// A path in code, and where it may stand.
const FENCES: &[(&str, &[&str])] = &[
    // Unmaintained (RUSTSEC-2025-0141); decoding without a limit ends the process.
    ("bincode::", &["protocol/src/envelope.rs"]),
    // Everything else goes through the port in cluster/src/store.rs. Who does not depend on it means ours by the name.
    ("redis::", &["cluster/src/redis/", "cluster/tests/conformance/", "node/"]),
];

/// Packages of decisions: time, randomness and bytes are passed in.
const PURE: &[&str] = &["protocol/src/", "cluster/src/"];

/// Where a pure package touches the world; the threads of the second are loom's.
const ADAPTERS: &[&str] = &["cluster/src/redis/", "cluster/src/cache/interleavings.rs"];

/// What a decision may not ask for by itself.
const WORLD: &[&str] = &[
    "std::net",
    "std::fs",
    "std::env",
    "thread::spawn",
    "thread::sleep",
    "Instant::now",
    "SystemTime::now",
    "tokio::net",
    "tokio::time",
    "tokio::spawn",
    "rand::random",
    "rand::rng",
    "getrandom::",
];

/// Lines of code that name something, as `FILE:LINE: CODE`; comments and the tests of this folder are no code.
fn lines(named: impl Fn(&str) -> bool, allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, text) in texts(&[".rs"]) {
        if name.starts_with("xtask/src/tidy/") || allowed(&name) {
            continue;
        }
        for (place, line) in text.lines().enumerate() {
            if named(line.split("//").next().unwrap_or_default()) {
                findings.push(format!("{name}:{}: {}", place + 1, line.trim()));
            }
        }
    }
    findings
}

/// Whether code names a path, and not one that only ends like it.
fn names(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, '_' | ':'))
    })
}

#[test]
fn what_is_fenced_is_named_in_its_place_alone() {
    let findings: Vec<_> = FENCES
        .iter()
        .flat_map(|(what, places)| {
            lines(|code| names(code, what), |file| places.iter().any(|place| file.starts_with(place)))
        })
        .collect();
    none("named outside of its fence", &findings);
}

#[test]
fn what_is_fenced_is_a_dependency_of_one_package() {
    for (dependency, place) in [("bincode", "protocol/Cargo.toml"), ("redis", "cluster/Cargo.toml")] {
        let depends = |line: &str| {
            line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '.', '=']))
                && !line.contains("= [")
        };
        let findings: Vec<_> = texts(&["Cargo.toml"])
            .into_iter()
            .filter(|(name, _)| !["Cargo.toml", place].contains(&name.as_str()))
            .filter(|(_, text)| text.lines().any(depends))
            .map(|(name, _)| name)
            .collect();
        none(&format!("{dependency} is for {place} alone"), &findings);
    }
}

#[test]
fn decisions_ask_for_no_time_no_randomness_and_no_bytes() {
    let decides = |file: &str| {
        PURE.iter().any(|pure| file.starts_with(pure))
            && !ADAPTERS.iter().any(|adapter| file.starts_with(adapter))
    };
    let asks = |code: &str| WORLD.iter().any(|what| code.contains(what));
    none("time, randomness and bytes are passed in", &lines(asks, |file| !decides(file)));
}

#[test]
fn a_path_is_found_where_it_begins() {
    assert!(names("use redis::Client;", "redis::"));
    assert!(names("    let x = redis::cmd(\"GET\");", "redis::"));
    assert!(!names("crate::redis::keys", "redis::"));
    assert!(!names("let hiredis::x", "redis::"));
}
