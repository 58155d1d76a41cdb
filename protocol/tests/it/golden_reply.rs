//! The golden vectors of the direction client to server, recorded from React's own client and server.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Verdict, action, reply, tagged};

pub(crate) fn vectors(folder: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("the vectors are part of the tree")
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    files.sort();
    files
}

/// Runs a folder; gives how many passed, and why the others were skipped.
pub(crate) fn run(
    folder: &str,
    runner: fn(&Path, &serde_json::Value) -> Vec<(String, Verdict)>,
) -> (usize, Vec<String>) {
    let (mut passed, mut skipped) = (0, Vec::new());
    for file in vectors(folder) {
        for (name, verdict) in runner(&file, &tagged::read(&file).expect("a vector is JSON")) {
            match verdict {
                Verdict::Passed => passed += 1,
                Verdict::Skipped(why) => skipped.push(why),
                Verdict::Failed(why) => panic!("{name}: {why}"),
            }
        }
    }
    (passed, skipped)
}

/// As a whole and part by part; 7 of them are what the client refuses to send.
#[test]
fn replies_decode_to_what_react_decodes() {
    assert_eq!(run("reply", reply::run), (254, Vec::new()));
}

#[test]
fn replies_of_old_clients_decode_where_the_setting_says_so() {
    assert_eq!(run("reply-old", reply::run), (102, Vec::new()));
}

#[test]
fn forms_call_what_react_calls() {
    assert_eq!(run("action", action::run), (26, Vec::new()));
}
