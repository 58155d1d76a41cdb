//! The golden vectors of the direction client to server, recorded from React's own client and server.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Verdict, action, reply, tagged};

fn vectors(folder: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs a folder and counts what was passed and skipped.
pub(crate) fn run(
    folder: &str,
    runner: fn(&Path, &serde_json::Value) -> Vec<(String, Verdict)>,
) -> (usize, usize) {
    let (mut passed, mut skipped) = (0, 0);
    for file in vectors(folder) {
        for (name, verdict) in runner(&file, &tagged::read(&file).unwrap()) {
            match verdict {
                Verdict::Passed => passed += 1,
                Verdict::Skipped(_) => skipped += 1,
                Verdict::Failed(why) => panic!("{name}: {why}"),
            }
        }
    }
    (passed, skipped)
}

/// Skipped are 7 values that the client itself refuses, and 18 streams and async iterables.
#[test]
fn replies_decode_to_what_react_decodes() {
    assert_eq!(run("reply", reply::run), (229, 25));
}

#[test]
fn forms_call_what_react_calls() {
    assert_eq!(run("action", action::run), (26, 0));
}
