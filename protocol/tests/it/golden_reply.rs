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

#[test]
fn replies_decode_to_what_react_decodes() {
    let (passed, skipped) = run("reply", reply::run);
    let unsupported = skipped.iter().filter(|why| why.ends_with("is not supported")).count();
    let never_sent = skipped.iter().filter(|why| why.contains("client itself refuses")).count();
    assert_eq!((passed, unsupported, never_sent, skipped.len()), (229, 18, 7, 25));
}

#[test]
fn forms_call_what_react_calls() {
    assert_eq!(run("action", action::run), (26, Vec::new()));
}
