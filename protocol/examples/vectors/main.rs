//! Runs golden vectors against this crate: `cargo run --release -p callboard-protocol --example vectors -- DIR...`
//!
//! Each directory holds JSON files as described in `docs/PROTOCOL.md`; which kind a file is shows in its members.
//! Prints one line per failing vector, then one per skipped vector with the reason, and last the totals. Exits
//! non-zero if any vector failed.
//!
//! With `--encode` in place of directories, it writes values instead: see `encode.rs`. `--help` tells both.

mod action;
#[path = "../../fuzz/src/drained.rs"]
mod drained;
mod encode;
mod next;
mod refused;
mod reply;
mod response;
mod tagged;
mod verdict;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::Value as Json;

use verdict::Verdict;

const USAGE: &str = "\
Runs golden vectors against this crate, or writes values as rows.

Usage: vectors DIR...
       vectors --encode

vectors DIR...
    Each directory holds vectors as JSON files. Prints a line for each that fails (FAILED NAME: WHY) and each that is
    left out (skipped NAME: WHY), and last the totals. Exits with 1 if one failed.

vectors --encode
    Reads a value in tagged JSON, the notation of the vectors, from each line of the standard input, such as
    {\"t\":\"date\",\"ms\":0}; {\"t\":\"throw\",\"digest\":TEXT} is an error. Prints a line for each: its rows in base64,
    or ! and why it has none. Exits with 1 only if it cannot read or write.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("-h" | "--help") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some("--encode") => {
            return match encode::serve() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            };
        }
        _ => {}
    }
    let mut totals = Totals::default();
    for directory in arguments.into_iter().map(PathBuf::from) {
        match files(&directory) {
            Ok(files) => files.iter().for_each(|file| totals.file(file)),
            Err(error) => totals.note(&directory.display().to_string(), Verdict::Failed(error.to_string())),
        }
    }
    totals.print()
}

/// The JSON files of a directory, by name.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Chooses the runner by what the file holds.
fn run(file: &Path, json: &Json) -> Vec<(String, Verdict)> {
    if json.get("expect_action").is_some() {
        action::run(file, json)
    } else if json.get("rows").is_some() {
        response::run(file, json)
    } else if json.get("cases").is_some() {
        next::run(file, json)
    } else if json.get("kind").is_some() {
        reply::run(file, json)
    } else {
        vec![(file.display().to_string(), Verdict::Skipped("not a vector".into()))]
    }
}

#[derive(Default)]
struct Totals {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Totals {
    fn file(&mut self, file: &Path) {
        match tagged::read(file) {
            Ok(json) => {
                for (name, verdict) in run(file, &json) {
                    self.note(&name, verdict);
                }
            }
            Err(error) => self.note(&file.display().to_string(), Verdict::Failed(error)),
        }
    }

    fn note(&mut self, name: &str, verdict: Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(why) => self.failed.push(format!("FAILED {name}: {why}")),
            Verdict::Skipped(why) => self.skipped.push(format!("skipped {name}: {why}")),
        }
    }

    fn print(&self) -> ExitCode {
        for line in self.failed.iter().chain(&self.skipped) {
            println!("{line}");
        }
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len());
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
