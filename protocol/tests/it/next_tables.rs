//! Tables made with functions of Next itself: action ids, bound arguments, allowed origins, hosts of origins.

use std::path::Path;

use crate::{Verdict, next, tagged};

/// Runs one table and counts its cases.
fn passed(table: &str) -> usize {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/next").join(table);
    let verdicts = next::run(&file, &tagged::read(&file).expect("the table is JSON"));
    for (name, verdict) in &verdicts {
        assert!(matches!(verdict, Verdict::Passed), "{name}: {verdict:?}");
    }
    verdicts.len()
}

/// 13 ids and their arguments, and 5 texts that Next may take for an id of its own.
#[test]
fn info_bytes_say_what_next_reads_from_them() {
    assert_eq!(passed("action-id.json"), 18);
}

#[test]
fn arguments_sealed_by_next_are_read_and_written_to_the_byte() {
    assert_eq!(passed("bound-encryption.json"), 4);
}

#[test]
fn patterns_allow_the_origins_that_next_allows() {
    assert_eq!(passed("csrf-allowed-origins.json"), 25);
}

#[test]
fn origins_have_the_hosts_that_next_compares() {
    assert_eq!(passed("origin-host.json"), 8);
}
