//! docs/security.md names tests as proof: they exist, and no advisory is left out.

use std::{fs, path::Path};

use super::none;
use crate::{fuzz, repository};

const PAGE: &str = "docs/security.md";

/// The advisories about the reference decoder and about how Next.js uses it that were public in November 2026.
const ADVISORIES: &[&str] = &[
    "CVE-2025-55182",
    "CVE-2025-55183",
    "CVE-2025-55184",
    "CVE-2025-67779",
    "CVE-2026-23864",
    "CVE-2026-23869",
    "CVE-2026-23870",
    "CVE-2026-44907",
    "CVE-2026-64641",
    "CVE-2026-27978",
    "CVE-2024-34351",
    "CVE-2026-64649",
    "CVE-2026-27979",
];

/// The fuzzing that a release stands on.
const EXECUTIONS_MIN: u64 = 100_000_000;

fn page() -> String {
    fs::read_to_string(repository::root().join(PAGE)).expect("the page is part of the tree")
}

/// Goal: what is claimed is shown. Method: each row of the table of advisories names at least one test, and each test
/// named anywhere on the page is a function or a case of the file before it.
#[test]
fn every_advisory_is_answered_by_a_test_that_exists() {
    let page = page();
    let mut findings = Vec::new();
    for advisory in ADVISORIES {
        let row = page.lines().find(|line| line.starts_with('|') && line.contains(advisory));
        if row.is_none_or(|row| named_tests(row).is_empty()) {
            findings.push(format!("{PAGE}: no row with a test answers {advisory}"));
        }
    }
    for (file, test) in named_tests(&page) {
        let text = fs::read_to_string(repository::root().join(&file)).unwrap_or_default();
        let exists = if Path::new(&file).extension().is_some_and(|kind| kind == "json") {
            text.contains(&format!("\"name\": {test:?}"))
        } else {
            text.contains(&format!("fn {test}(")) || text.contains(&format!("\"{test}\""))
        };
        if !exists {
            findings.push(format!("{PAGE}: {file} has no {test:?}"));
        }
    }
    none("a claim without proof", &findings);
}

/// Every `FILE::TEST` in code spans.
fn named_tests(text: &str) -> Vec<(String, String)> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter_map(|span| span.split_once("::"))
        .filter(|(file, _)| file.contains('/'))
        .map(|(file, test)| (file.to_owned(), test.to_owned()))
        .collect()
}

#[test]
fn the_fuzzing_on_record_is_enough() {
    let total = fuzz::total().expect("the runs are on record");
    assert!(total >= EXECUTIONS_MIN, "{total} executions; run cargo xtask fuzz");
}

#[test]
fn tests_are_named_in_code_spans_by_their_files() {
    let text = "`a/b.rs::works` and `Value::new`, `tests/x.json::two words`";
    let named = [("a/b.rs", "works"), ("tests/x.json", "two words")];
    assert_eq!(named_tests(text), named.map(|(file, test)| (file.to_owned(), test.to_owned())));
}
